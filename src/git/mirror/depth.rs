//! How much of a branch's history is fetched.
//!
//! Invariant: the first fetch of a branch takes as much as is configured, later ones only what is new;
//! more of the past is fetched when somebody asks for it, several times as much each time, so that few
//! exchanges reach the beginning of any history.
//!
//! What was fetched is told from the objects that are here. The list that Git's library keeps of commits
//! without parents (gitrepository-layout, `shallow`) only bounds what walks through merges see.

use std::collections::BTreeSet;

use super::{Mirror, branch_ref};
use crate::git::{CommitId, Error, Past};

/// How much more is fetched each time: few exchanges, and at most this many times too much.
const FACTOR: u32 = 4;

/// Git's own word for all of a history (`git fetch --unshallow`).
const ALL: i32 = i32::MAX;

/// Exchanges in which the branch may move so far ahead that none of what is asked for comes.
const MAX_TRIES: u32 = 3;

/// What is here of the history of a commit, once more was asked for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum History {
    /// All of it.
    Whole,
    /// More than before, and there is still more.
    Longer,
    /// No more than before: the remote has no more, or its branch is somewhere else by now.
    Stuck,
}

impl Mirror {
    /// How much is fetched of a branch, where that is limited: only of one that is not here yet.
    pub(super) fn depth_at_first(&self, branch: &str) -> Option<i32> {
        let depth = self
            .connector
            .depth()
            .filter(|_| self.head(branch).is_none())?;
        Some(i32::try_from(depth.get()).unwrap_or(ALL))
    }

    /// Whether the history of `commit` is not all here.
    ///
    /// # Errors
    /// When there is no such commit, or the mirror is damaged.
    pub fn is_cut(&self, commit: CommitId) -> Result<bool, Error> {
        self.commit_info(commit)?;
        Ok(self.reader.is_cut() && self.extent(commit)?.is_cut)
    }

    /// Fetches more of the history of `commit`, which the branch was at when it was fetched last; nothing
    /// where all of it is here.
    ///
    /// # Errors
    /// When the remote can't be reached or does not let us in, or there is no such commit.
    pub fn deepen(&mut self, branch: &str, commit: CommitId) -> Result<History, Error> {
        let name = branch_ref(branch)?;
        if !self.is_cut(commit)? {
            return Ok(History::Whole);
        }
        let before = self.extent(commit)?;
        for _ in 0..MAX_TRIES {
            let depth = self.depth_beyond(branch, commit)?;
            let exchange = self.connector.exchange()?;
            self.fetch_over(&exchange, branch, &name, Some(depth))?;
            drop(exchange);
            let now = self.extent(commit)?;
            if !now.is_cut {
                return Ok(History::Whole);
            }
            if now.commits > before.commits {
                return Ok(History::Longer);
            }
        }
        Ok(History::Stuck)
    }

    /// A depth that reaches beyond what is here of the history of `commit`, from where the branch was last
    /// seen. All of it, where only sides of merges are missing: how long they are is not known.
    fn depth_beyond(&self, branch: &str, commit: CommitId) -> Result<i32, Error> {
        let tip = self.head(branch).unwrap_or(commit);
        let (length, end) = self.line(commit)?;
        if end == Past::Root {
            return Ok(ALL);
        }
        let length = length.max(self.line(tip)?.0);
        Ok(i32::try_from(length.saturating_mul(FACTOR)).unwrap_or(ALL))
    }

    /// How many commits of the first-parent line of `commit` are here, and what comes before them.
    fn line(&self, commit: CommitId) -> Result<(u32, Past), Error> {
        let (mut at, mut length) = (commit, 1);
        loop {
            match self.reader.past(at)? {
                Past::Parent(parent) => (at, length) = (parent, length + 1),
                end => return Ok((length, end)),
            }
        }
    }

    /// What is here of the history of `commit`, through all merges.
    fn extent(&self, commit: CommitId) -> Result<Extent, Error> {
        let failed = |error| self.reader.damage("walking history", error);
        let list = self.reader.repository.path().join("shallow");
        let list = std::fs::read_to_string(list).unwrap_or_default();
        let ends: BTreeSet<CommitId> = list.lines().filter_map(|id| id.parse().ok()).collect();
        let mut walk = self.reader.repository.revwalk().map_err(failed)?;
        walk.push(commit.to_git()).map_err(failed)?;
        let (mut commits, mut is_cut) = (0, false);
        for id in walk {
            let id = CommitId::from_git(id.map_err(failed)?);
            (commits, is_cut) = (commits + 1, is_cut || ends.contains(&id));
        }
        Ok(Extent { commits, is_cut })
    }
}

/// How much of a history is here.
struct Extent {
    commits: usize,
    is_cut: bool,
}
