//! Whether decisions that came with the merge of a pull request are what it proposed: what a reviewer of its head
//! has seen.
//!
//! Invariant: a decision counts as proposed only if it landed with the very commit that the forge calls the merge,
//! and, where that has the head in it, if the head has it and what the head was made from has not. Whoever merges by
//! hand and pushes can put anything into a merge, and the forge calls the pull request merged all the same. What a
//! part of the history can't tell counts as not proposed until all of it is here.
//!
//! Blocking, but for the method.

use std::collections::BTreeSet;
use std::sync::Arc;

use crate::decision::file_of;
use crate::git::{self, CommitId, Mirror};
use crate::reconcile::checks::merges::Merged;
use crate::reconcile::checks::{Ask, Said};
use crate::reconcile::claims::StageKey;
use crate::reconcile::decided::{self, Decisions, Made, Written};
use crate::reconcile::plan::Facts;
use crate::reconcile::snapshot::Snapshot;
use crate::reconcile::{Error, Reconciler, deeper};

/// Decisions by stage and by their places in its file.
pub type Places = BTreeSet<(StageKey, usize)>;

/// Something that landed with the merge of a pull request.
struct Landed {
    at: (StageKey, usize),
    path: String,
    made: Made,
    commit: CommitId,
    merged: Merged,
}

/// Whether a pull request proposed something.
enum Proposed {
    Yes,
    No,
    /// More of the history would tell.
    Unknown,
}

impl Reconciler {
    /// Adds to `facts` which decisions came beside what their pull requests proposed, as far as the forge has told
    /// of them.
    pub(in crate::reconcile) async fn look_into_merges(
        &self,
        head: Option<CommitId>,
        snapshot: &Arc<Snapshot>,
        facts: &mut Facts,
    ) -> Result<(), Error> {
        let landed = landed(snapshot, facts);
        let (Some(head), false) = (head, landed.is_empty()) else {
            return Ok(());
        };
        let branch = self.repository.branch.clone();
        let read = self.with_mirror(move |mirror| {
            let look = |mirror: &Mirror| beside(mirror, head, &landed);
            deeper::looking(mirror, (&branch, head), look, |(_, is_cut)| *is_cut)
        });
        (facts.beside, _) = read.await.map_err(|source| self.git_error(source))?;
        Ok(())
    }
}

/// What is known to have landed with the merge of a pull request.
fn landed(snapshot: &Snapshot, facts: &Facts) -> Vec<Landed> {
    let mut all = Vec::new();
    for (key, decisions) in &facts.decided.decisions {
        let Decisions::Known(made) = decisions else {
            continue;
        };
        let (app, stage) = snapshot.names(*key);
        for (place, made) in made.iter().enumerate() {
            let Some(commit) = made.landed else {
                continue;
            };
            let reply = facts.asked.get(&Ask::Merge(commit));
            let Some(Said::Merge(Some(merged))) = reply.and_then(|reply| reply.said.as_ref())
            else {
                continue;
            };
            all.push(Landed {
                at: (*key, place),
                path: file_of(app, stage),
                made: made.clone(),
                commit,
                merged: (**merged).clone(),
            });
        }
    }
    all
}

/// Those that their pull requests did not propose, and whether more of the history would tell more.
fn beside(
    mirror: &Mirror,
    head: CommitId,
    landed: &[Landed],
) -> Result<(Places, bool), git::Error> {
    let is_whole = !mirror.is_cut(head)?;
    let (mut places, mut is_cut) = (Places::new(), false);
    for one in landed {
        match proposed(mirror, one, is_whole)? {
            Proposed::Yes => {}
            Proposed::No => _ = places.insert(one.at),
            Proposed::Unknown => {
                is_cut = true;
                places.insert(one.at);
            }
        }
    }
    Ok((places, is_cut))
}

fn proposed(mirror: &Mirror, landed: &Landed, is_whole: bool) -> Result<Proposed, git::Error> {
    if landed.merged.merge != landed.commit.to_string() {
        return Ok(Proposed::No);
    }
    let parents = mirror.commit_info(landed.commit)?.parents;
    let head: Option<CommitId> = landed.merged.head.parse().ok();
    if head == Some(landed.commit) {
        return Ok(Proposed::Yes);
    }
    let within = match head {
        Some(head) => mirror.is_ancestor(head, landed.commit)?,
        None => false,
    };
    match (head.filter(|_| within), &parents[..]) {
        (_, [_, _, ..]) if !is_whole => Ok(Proposed::Unknown),
        (Some(head), [before, ..]) => {
            let Some(fork) = mirror.fork(*before, head)? else {
                return Ok(Proposed::No);
            };
            let there = |commit| times(mirror, commit, landed);
            Ok(match there(head)? > there(fork)? {
                true => Proposed::Yes,
                false => Proposed::No,
            })
        }
        // The forge itself has made one commit of it, or the last of several.
        (None, [_]) => Ok(Proposed::Yes),
        (None, _) | (Some(_), []) => Ok(Proposed::No),
    }
}

/// How often a commit has a decision.
fn times(mirror: &Mirror, commit: CommitId, landed: &Landed) -> Result<usize, git::Error> {
    let blob = mirror.blob_at(commit, &landed.path)?;
    let entries = decided::entries(&mirror.reader()?, &landed.path, blob)?;
    let wanted = &landed.made.decision;
    let same = entries
        .iter()
        .filter(|entry| matches!(entry, Written::Decision(decision) if decision == wanted));
    Ok(same.count())
}
