//! What each stage's past comes to, read from the first-parent line of the branch.
//!
//! Invariant: the answer is a function of the branch and the policy. What is kept from an earlier head
//! saves walking and changes nothing: it is gone on from only where walking anew would come to the same.
//! A stage whose history was not fetched far enough has no standing yet, rather than a guessed one.
//!
//! Blocking; it decides nothing: what counts as a move back is told by `promotion`.

mod chronicle;
mod line;
mod own;
mod references;
mod takings;
mod tenures;
mod touched;
mod walk;

pub use chronicle::tell;
pub use line::Line;

use std::cmp::Ordering;
use std::collections::{BTreeMap, BTreeSet};

use jiff::Timestamp;

use crate::config::PoliciesEntry;
use crate::git::{CommitId, Mirror, Signature};
use crate::image::Tag;
use crate::policy::{self, Policy, Recorded};
use crate::promotion::{Lift, Order, Standing};
use crate::reconcile::claims::StageKey;
use crate::reconcile::snapshot::{Memory, Snapshot};
use crate::reconcile::source::Error;

pub use takings::{Ground, KeptTakings};
pub use tenures::{KeptTenures, Told};

/// What is known of a stage's past.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Past {
    /// All that matters.
    Known(Box<Standing>),
    /// Not enough of the branch's history was fetched.
    More,
}

impl Past {
    /// The standing, where it is known.
    pub fn known(&self) -> Option<&Standing> {
        match self {
            Self::Known(standing) => Some(standing),
            Self::More => None,
        }
    }
}

/// What is known of the past of stages.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub enum History {
    /// There is no branch to read: nothing is held against anything.
    #[default]
    NotConsulted,
    /// These stages; the past of any other has not been asked for.
    Known(BTreeMap<StageKey, Past>),
}

/// The names of an app and one of its stages.
type Name = (String, String);

/// What decisions mean to the walk of a stage.
#[derive(Debug, Clone, Default)]
pub struct Marks {
    /// The commit with which the latest decision what to deploy came: nothing before matters.
    pub deploy: Option<CommitId>,
    /// What other decisions lift, by the commits with which they came.
    pub lifts: BTreeMap<CommitId, Vec<Lift>>,
}

/// Standings as of earlier heads.
#[derive(Debug, Default)]
pub struct Kept(BTreeMap<Name, Entry>);

#[derive(Debug)]
struct Entry {
    at: CommitId,
    /// The policy that it was told by.
    policy: String,
    standing: Standing,
}

/// The branch of a config repo, and what is needed to read it.
pub struct Branch<'a> {
    /// Where its commits are.
    pub mirror: &'a Mirror,
    /// The commit it is at.
    pub head: CommitId,
    /// The config repo there.
    pub snapshot: &'a Snapshot,
    /// The folders of app files.
    pub policies: &'a [PoliciesEntry],
    /// The author of the service's own commits.
    pub author: &'a Signature,
    /// What decisions mean to the stages that have any.
    pub marks: &'a BTreeMap<StageKey, Marks>,
    /// What snapshots leave for each other.
    pub memory: &'a mut Memory,
    /// No commit counts as later.
    pub now: Timestamp,
}

impl Kept {
    /// The stages of `snapshot` whose past is kept from an earlier head; others are forgotten.
    pub fn stages(&mut self, snapshot: &Snapshot) -> Vec<StageKey> {
        if self.0.is_empty() {
            return Vec::new();
        }
        let keys = snapshot.claims.stages.keys();
        let known: Vec<(StageKey, Name)> = keys
            .map(|key| (*key, name(snapshot, *key)))
            .filter(|(_, name)| self.0.contains_key(name))
            .collect();
        let names: BTreeSet<&Name> = known.iter().map(|(_, name)| name).collect();
        self.0.retain(|name, _| names.contains(name));
        known.into_iter().map(|(key, _)| key).collect()
    }

    /// Reads the past of `stages`.
    ///
    /// # Errors
    /// When the mirror can't be read.
    pub fn read(
        &mut self,
        branch: Branch<'_>,
        stages: &[StageKey],
    ) -> Result<BTreeMap<StageKey, Past>, Error> {
        let (head, snapshot) = (branch.head, branch.snapshot);
        let pasts = walk::walk(branch, stages, self)?;
        for (key, past) in &pasts {
            if let Past::Known(standing) = past {
                let entry = Entry {
                    at: head,
                    policy: fingerprint(policy_of(snapshot, *key)),
                    standing: Standing::clone(standing),
                };
                self.0.insert(name(snapshot, *key), entry);
            }
        }
        Ok(pasts)
    }

    /// What was kept for a stage, if it was told by the same policy.
    fn of(&self, name: &Name, policy: &Policy) -> Option<(CommitId, &Standing)> {
        let entry = self.0.get(name)?;
        let same = entry.policy == fingerprint(policy);
        same.then_some((entry.at, &entry.standing))
    }
}

fn name(snapshot: &Snapshot, key: StageKey) -> Name {
    let (app, stage) = snapshot.names(key);
    (app.to_owned(), stage.to_owned())
}

fn policy_of(snapshot: &Snapshot, key: StageKey) -> &Policy {
    &snapshot.apps[key.app].stages[key.stage].policy
}

/// Differs where two policies differ in anything.
fn fingerprint(policy: &Policy) -> String {
    format!("{policy:?}")
}

/// Calls `work` with the order by which moves of a stage with this policy are told.
pub(super) fn with_order<T>(policy: &Policy, work: impl FnOnce(Order<'_>) -> T) -> T {
    match policy.order {
        policy::Order::Newest(_) => work(Order::ByTag),
        policy::Order::Digest(_) => work(Order::ByDigest),
        _ => {
            let compare = |a: &Tag, b: &Tag| {
                let order = policy::compare(policy, a, b, Recorded::default());
                // Only tags that have a place are among a stage's references.
                order.unwrap_or(Ordering::Equal)
            };
            work(Order::Ranked(&compare))
        }
    }
}
