//! Pull requests that have ended, as far as they were asked for, and what people said by closing them.
//!
//! Invariant: what is known of a branch is forgotten as soon as it has had an open pull request, since that
//! one may have ended otherwise. Only a close by a person, with the branch at the service's own commit,
//! says anything of a version.

use std::collections::{BTreeMap, BTreeSet};

use jiff::Timestamp;

use super::words::{self, Note};
use crate::forge::{Pull, State, body};
use crate::promotion::Held;
use crate::reconcile::claims::StageKey;
use crate::reconcile::snapshot::Snapshot;

/// Branches whose ended pull requests are remembered; forgetting costs a request each.
const MAX_BRANCHES: usize = 10_000;

/// A version that a person does not want: its pull request was closed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Closed {
    /// What was proposed.
    pub what: Held,
    /// The pull request's number.
    pub number: u64,
    /// By whom it was closed, where the forge tells.
    pub by: Option<String>,
    /// When, where the forge tells.
    pub at: Option<Timestamp>,
}

/// What became of the pull requests of branches.
#[derive(Debug, Default)]
pub(super) struct Ended {
    by_branch: BTreeMap<String, Vec<Pull>>,
    /// Those that were closed of late, from whichever branch: `group` or the prefix may have been others then.
    closed: Option<Vec<Pull>>,
    /// The branches that had an open one when it was last looked.
    open: BTreeSet<String>,
}

impl Ended {
    /// Notes which branches have an open pull request, and tells which had one and have none any more.
    pub(super) fn note(&mut self, open: &BTreeMap<String, Pull>) -> Vec<String> {
        let gone = self
            .open
            .iter()
            .filter(|branch| !open.contains_key(*branch));
        let gone: Vec<String> = gone.cloned().collect();
        for branch in &gone {
            self.by_branch.remove(branch);
        }
        self.open = open.keys().cloned().collect();
        if let Some(closed) = &mut self.closed {
            // A person has opened it again.
            closed.retain(|pull| open.values().all(|open| open.number != pull.number));
        }
        gone
    }

    /// Whether it was asked which were closed of late.
    pub(super) fn knows_closed(&self) -> bool {
        self.closed.is_some()
    }

    /// Keeps which were closed of late.
    pub(super) fn learn_closed(&mut self, pulls: Vec<Pull>) {
        self.closed = Some(pulls);
    }

    /// Notes that one was opened, or that what was known of a branch is no longer so.
    pub(super) fn opened(&mut self, branch: &str) {
        self.open.insert(branch.to_owned());
    }

    /// Notes that the service itself has closed one.
    pub(super) fn forget(&mut self, branch: &str) {
        self.by_branch.remove(branch);
        self.open.remove(branch);
    }

    pub(super) fn is_known(&self, branch: &str) -> bool {
        self.by_branch.contains_key(branch)
    }

    /// Keeps what the forge told of a branch, the newest first.
    pub(super) fn learn(&mut self, branch: String, pulls: Vec<Pull>) {
        if self.by_branch.len() >= MAX_BRANCHES {
            self.by_branch.clear();
        }
        self.by_branch.insert(branch, pulls);
    }

    /// Whether a branch at `tip` is needed no more: its newest pull request, one of `owner`'s, was merged as
    /// it is, or closed by the service itself. A person who closed one may open it again.
    pub(super) fn is_done(&self, branch: &str, tip: &str, owner: &str) -> bool {
        let newest = self.by_branch.get(branch).and_then(|pulls| pulls.first());
        newest.is_some_and(|pull| match pull.state {
            State::Open => false,
            State::Merged { .. } => {
                let ours = words::of(pull).is_some_and(|note| note.owner == owner);
                ours && pull.head == tip
            }
            State::Closed { .. } => {
                body::hidden(&pull.body).is_some_and(|note| note == words::closed(owner))
            }
        })
    }

    /// What people have closed and left closed, by stage.
    pub(super) fn closed(
        &self,
        snapshot: &Snapshot,
        open: &BTreeMap<String, Pull>,
        owner: &str,
        ignored: &[String],
    ) -> BTreeMap<StageKey, Vec<Closed>> {
        let mut keys = BTreeMap::new();
        for key in snapshot.claims.stages.keys() {
            keys.insert(snapshot.names(*key), *key);
        }
        let mut closed: BTreeMap<StageKey, Vec<Closed>> = BTreeMap::new();
        let of_others = self.closed.iter().flatten();
        let of_others = of_others.filter(|pull| !self.by_branch.contains_key(&pull.branch));
        for pull in self.by_branch.values().flatten().chain(of_others) {
            let is_open = open.values().any(|open| open.number == pull.number);
            let State::Closed { by, at } = &pull.state else {
                continue;
            };
            let is_ignored = by.as_ref().is_some_and(|by| {
                let same = |name: &String| name.eq_ignore_ascii_case(by);
                ignored.iter().any(same)
            });
            let note = words::of(pull);
            let is_as_made =
                |note: &Note| note.head.to_string() == pull.head && note.owner == owner;
            let Some(note) = note.filter(is_as_made) else {
                continue;
            };
            if is_open || is_ignored {
                continue;
            }
            for (app, stage, what) in note.changes {
                if let Some(key) = keys.get(&(app.as_str(), stage.as_str())) {
                    closed.entry(*key).or_default().push(Closed {
                        what,
                        number: pull.number,
                        by: by.clone(),
                        at: *at,
                    });
                }
            }
        }
        closed
    }
}
