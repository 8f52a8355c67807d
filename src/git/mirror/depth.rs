//! How much of a branch's history is fetched.
//!
//! Invariant: the first fetch of a branch takes as much as is configured, later ones only what is new;
//! more of the past is fetched when somebody asks for it, several times as much each time, so that few
//! exchanges reach the beginning of any history.

use super::{Mirror, branch_ref, own_ref};
use crate::git::{CommitId, Error, Past};

/// How much more is fetched each time: few exchanges, and at most this many times too much.
const FACTOR: u32 = 4;

/// Git's own word for all of a history (`git fetch --unshallow`).
const ALL: i32 = i32::MAX;

/// What is still missing of a branch's history.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum History {
    /// Nothing.
    Whole,
    /// Something.
    Cut,
}

impl Mirror {
    /// How much is fetched of a branch, where that is limited: only of one that is not here yet.
    pub(super) fn depth_at_first(&self, branch: &str) -> Option<i32> {
        let is_here = self
            .reader
            .repository
            .refname_to_id(&own_ref(branch))
            .is_ok();
        let depth = self.connector.depth().filter(|_| !is_here)?;
        Some(i32::try_from(depth.get()).unwrap_or(ALL))
    }

    /// Fetches more of the history of a branch, unless all of it is here.
    ///
    /// # Errors
    /// When the remote can't be reached or does not let us in.
    pub fn deepen(&mut self, branch: &str) -> Result<History, Error> {
        let name = branch_ref(branch)?;
        let Some(head) = self
            .head(branch)
            .filter(|_| self.reader.repository.is_shallow())
        else {
            return Ok(History::Whole);
        };
        let here = self.length(head)?;
        let depth = here.saturating_mul(FACTOR);
        let exchange = self.connector.exchange()?;
        let depth = i32::try_from(depth).unwrap_or(ALL);
        self.fetch_over(&exchange, branch, &name, Some(depth))?;
        drop(exchange);
        // Asked for more than there is, a server sends all, and the branch has an end.
        match self.reader.repository.is_shallow() && self.length(head)? > here {
            true => Ok(History::Cut),
            false => Ok(History::Whole),
        }
    }

    /// How many commits of the branch's own line are here.
    fn length(&self, head: CommitId) -> Result<u32, Error> {
        let (mut at, mut length) = (head, 1);
        while let Past::Parent(parent) = self.reader.past(at)? {
            (at, length) = (parent, length + 1);
        }
        Ok(length)
    }
}
