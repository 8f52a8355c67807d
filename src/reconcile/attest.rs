//! What the commits show that brought in decisions which consent to changes: who made them, and who signed
//! them.
//!
//! Invariant: only decisions of stages that ask for consents are looked at, and each commit once in a process:
//! a commit never changes. Whose a key is may change with the configuration, and is not told here. An entry
//! that was there before and was brought back by a merge is the act of whoever merged it; that it was not there
//! before is told from the whole history alone, since whoever merges decides what a part of it shows.
//!
//! What a forge attests of decisions that came by pull request is in `forge`.
//!
//! Blocking.

pub mod forge;

use std::collections::{BTreeMap, HashMap};

use crate::config::Consents;
use crate::decision::Decision;
use crate::git::{self, CommitId, Mirror, Reader, Sealed};
use crate::promotion::approval::{Act, Identity, Seal};
use crate::reconcile::decided::{Decided, Decisions, Made};
use crate::reconcile::snapshot::Snapshot;

/// Commits that are remembered, some tens of megabytes; more of them are checked again.
const MOST_KEPT: usize = 100_000;

/// Acts, by the commit with which an entry landed and the one that added it.
pub type Acts = BTreeMap<(CommitId, String), Act>;

/// What was read in this process.
#[derive(Debug, Default)]
pub struct KeptActs {
    acts: HashMap<CommitId, Act>,
    is_cut: bool,
}

impl KeptActs {
    /// Whether more of the branch's history would tell more than what was read last.
    pub fn is_cut(&self) -> bool {
        self.is_cut
    }
}

/// The acts behind what people `decided` about stages of `snapshot`, which is of `head`, that ask for
/// consents; without those that can't be told yet.
///
/// # Errors
/// When the mirror can't be read.
pub fn read(
    mirror: &Mirror,
    head: CommitId,
    snapshot: &Snapshot,
    decided: &Decided,
    kept: &mut KeptActs,
) -> Result<Acts, git::Error> {
    if kept.acts.len() > MOST_KEPT {
        kept.acts.clear();
    }
    kept.is_cut = false;
    let reader = &mirror.reader()?;
    let is_whole = !mirror.is_cut(head)?;
    let mut acts = Acts::new();
    for (key, decisions) in &decided.decisions {
        let consents = &snapshot.apps[key.app].stages[key.stage].consents;
        let Decisions::Known(made) = decisions else {
            continue;
        };
        if !goes_by_commits(consents) {
            continue;
        }
        for (landed, added) in made.iter().filter_map(adding) {
            let Some(commit) = acting(reader, landed, added, is_whole)? else {
                kept.is_cut = true;
                continue;
            };
            let act = match kept.acts.get(&commit) {
                Some(act) => act.clone(),
                None => {
                    let act = act(reader, commit)?;
                    kept.acts.insert(commit, act.clone());
                    act
                }
            };
            acts.insert((landed, added.to_string()), act);
        }
    }
    Ok(acts)
}

/// Whether who made and signed commits has a part in who consented. Where the forge attests that, their authors
/// only tell who asked for a deploy.
fn goes_by_commits(consents: &Consents) -> bool {
    let asked = consents.changes.iter().chain(&consents.deploys);
    let rules = asked.map(|asked| &asked.rules);
    let mut rules = rules.filter(|rules| rules.required > 0);
    rules.any(|rules| rules.identity != Identity::Forge || rules.exclude_author)
}

/// The commit with which a consent landed, and the one that added it.
fn adding(made: &Made) -> Option<(CommitId, CommitId)> {
    let consents = matches!(
        made.decision,
        Decision::Approve { .. } | Decision::Deploy { .. }
    );
    let added = made.by.as_ref()?.commit.parse().ok()?;
    consents.then_some((made.landed?, added))
}

/// The commit whose act an entry is: the one that added it, unless the branch had that before, so that a merge
/// has brought back what had been taken out. `None` where that can't be told without more of the history.
fn acting(
    reader: &Reader,
    landed: CommitId,
    added: CommitId,
    is_whole: bool,
) -> Result<Option<CommitId>, git::Error> {
    let before = reader.commit_info(landed)?.parents.first().copied();
    let Some(before) = before.filter(|_| added != landed) else {
        return Ok(Some(added));
    };
    Ok(match reader.is_ancestor(added, before)? {
        true => Some(landed),
        false => is_whole.then_some(added),
    })
}

/// What a commit shows of who made it.
///
/// # Errors
/// When it can't be read.
pub fn act(reader: &Reader, commit: CommitId) -> Result<Act, git::Error> {
    Ok(Act {
        commit: commit.to_string(),
        author: reader.commit_info(commit)?.author.email,
        signature: match git::sealed(reader, commit)? {
            Sealed::No => Seal::None,
            Sealed::By(key) => Seal::Good(key),
            Sealed::Bad(why) => Seal::Bad(why),
        },
    })
}
