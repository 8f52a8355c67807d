//! Pull requests that were left behind when the configuration changed: those from branches with another prefix,
//! and those of stages whose changes are pushed by now.
//!
//! Invariant: one is the service's own only by its note, of this entry and of stages that this entry has; all
//! others are somebody else's, whatever their branches are called. A branch that is not at the commit that the
//! note names is left to whoever moved it.
//!
//! It refuses to look for them again and again: once in the life of a process, and as long as there are some.
//! The configuration is read at the start, and two services that take each other's for their own don't go on
//! about it.

use std::collections::BTreeSet;

use super::fate::{Branch, Content};
use super::{Seen, words};
use crate::config::PushMode;
use crate::diag;
use crate::forge::{Forge, Pull, Which};
use crate::reconcile::Reconciler;
use crate::reconcile::snapshot::Snapshot;

/// Where pull requests of this entry may be.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(super) enum Seek {
    /// On any branch.
    #[default]
    Everywhere,
    /// On those with its prefix.
    Prefix,
    /// There is none.
    Nowhere,
}

impl Reconciler {
    /// The pull requests that are still open where no stage's changes go by pull request any more.
    pub(super) async fn left_behind(&mut self, snapshot: &Snapshot) -> Option<Seen> {
        if self.repository.push == PushMode::Off || self.pulls.seek == Seek::Nowhere {
            return None;
        }
        let forge = self.pulls.forge().ok()?;
        let mut seen = match self.heads_beside().await {
            Ok(heads) => Seen {
                heads,
                ..Seen::default()
            },
            Err(error) => {
                tracing::debug!(error = %diag::chain(&error), "can't look for old branches");
                return None;
            }
        };
        if seen.heads.is_empty() {
            // So the forge need not be asked, which is of no other use here.
            self.pulls.seek = Seek::Nowhere;
            return None;
        }
        match forge.open_pulls(&self.repository.pulls.prefix).await {
            Ok(pulls) => self.sort_out(pulls, &mut seen),
            Err(error) => {
                if !error.is_retryable() {
                    self.pulls.seek = Seek::Nowhere;
                }
                tracing::debug!(error = %diag::chain(&error), "can't look for old pull requests");
                return None;
            }
        }
        self.seek_strays(&*forge, snapshot, &mut seen).await;
        if seen.open.is_empty() {
            self.pulls.seek = Seek::Nowhere;
            return None;
        }
        Some(seen)
    }

    /// Adds the entry's open pull requests from branches without its prefix.
    pub(super) async fn seek_strays(
        &mut self,
        forge: &dyn Forge,
        snapshot: &Snapshot,
        seen: &mut Seen,
    ) {
        if self.pulls.seek != Seek::Everywhere {
            self.pulls.seek = Seek::Prefix;
            return;
        }
        let found = match forge.noted(&self.repository.branch, Which::Open).await {
            Ok(found) => found,
            Err(error) => {
                tracing::debug!(error = %diag::chain(&error), "can't look for old pull requests");
                return;
            }
        };
        let stages = snapshot.claims.stages.keys();
        let stages: BTreeSet<(&str, &str)> = stages.map(|key| snapshot.names(*key)).collect();
        for pull in found {
            let is_known = pull.branch.starts_with(&self.repository.pulls.prefix);
            if !is_known && is_ours(&pull, self.repository.name.as_str(), &stages) {
                seen.strays.insert(pull.branch.clone());
                seen.open.insert(pull.branch.clone(), pull);
            }
        }
        if seen.strays.is_empty() && !snapshot.has_broken_apps {
            self.pulls.seek = Seek::Prefix;
        }
    }
}

fn is_ours(pull: &Pull, owner: &str, stages: &BTreeSet<(&str, &str)>) -> bool {
    words::of(pull).is_some_and(|note| {
        let has = |(app, stage, _): &(String, String, _)| stages.contains(&(app, stage));
        note.owner == owner && !note.changes.is_empty() && note.changes.iter().all(has)
    })
}

/// What the branch of such a pull request holds, by its note.
pub(super) fn branch(pull: &Pull) -> Branch {
    let note = words::of(pull);
    match (note, pull.head.parse()) {
        (Some(note), Ok(tip)) if note.head == tip => Branch::Ours {
            tip,
            content: Content::Outdated,
        },
        (_, Ok(tip)) => Branch::Theirs { tip },
        (_, Err(_)) => Branch::Absent,
    }
}
