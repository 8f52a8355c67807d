//! What a pass recalls of the branch: people's decisions, and the pasts of stages.
//!
//! Invariant: of a stage that can't change nothing is looked up but its decisions; what was recalled at an
//! earlier head is gone on from.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use crate::decision::Decision;
use crate::git::{self, CommitId, Mirror};
use crate::image::Digest;
use crate::promotion::{Held, Lift};
use crate::reconcile::attest::{self, KeptActs};
use crate::reconcile::claims::StageKey;
use crate::reconcile::decided::{self, Decisions, KeptDecisions, Made};
use crate::reconcile::history::{End, History as Told, Question};
use crate::reconcile::plan::{Facts, Takings};
use crate::reconcile::snapshot::Snapshot;
use crate::reconcile::source;
use crate::reconcile::standings::{
    self, Branch, Ground, History, Kept, KeptTakings, KeptTenures, Line, Marks, Past, Told as Ran,
};
use crate::reconcile::{Error, Reconciler, deeper, lock};

/// What is kept between passes.
#[derive(Debug, Default)]
pub(super) struct Recollection {
    standings: Kept,
    tenures: KeptTenures,
    takings: KeptTakings,
    decisions: KeptDecisions,
    acts: KeptActs,
}

impl Reconciler {
    /// Adds to `facts` what people decided, and the pasts that are kept from an earlier head. Of a working
    /// tree, which has no `head`, who decided is not known.
    pub(super) async fn recall(
        &self,
        head: Option<CommitId>,
        snapshot: &Arc<Snapshot>,
        facts: &mut Facts,
    ) -> Result<(), Error> {
        facts.people = Arc::clone(&self.repository.people);
        let Some(head) = head else {
            facts.decided = decided::unsigned(snapshot);
            return Ok(());
        };
        facts.history = History::Known(BTreeMap::new());
        facts.takings = Takings::Known(BTreeMap::new());
        let recollection = Arc::clone(&self.recollection);
        let of_head = Arc::clone(snapshot);
        let branch = self.repository.branch.clone();
        let read = self.with_mirror(move |mirror| {
            let look = |mirror: &Mirror| -> Result<_, git::Error> {
                let kept = &mut *lock(&recollection);
                let decisions = &mut kept.decisions;
                let told = decided::read(&mirror.reader()?, head, &of_head, decisions)?;
                let acts = attest::read(mirror, head, &of_head, &told, &mut kept.acts)?;
                Ok((told, acts, kept.decisions.is_cut() || kept.acts.is_cut()))
            };
            deeper::looking(mirror, (&branch, head), look, |(_, _, is_cut)| *is_cut)
        });
        (facts.decided, facts.acts, _) = read.await.map_err(|source| self.git_error(source))?;
        let known = lock(&self.recollection).standings.stages(snapshot);
        self.look_back(Some(head), snapshot, known, facts).await
    }

    /// Whether all that was asked of the branch's history was told; the next pass goes on where it wasn't.
    pub(super) fn recalled_all(&self, facts: &Facts) -> bool {
        let kept = lock(&self.recollection);
        let pasts = match &facts.history {
            History::NotConsulted => None,
            History::Known(pasts) => Some(pasts.values()),
        };
        let any_more = pasts.into_iter().flatten().any(|past| *past == Past::More);
        let any_more = any_more || facts.tenures.values().any(Option::is_none);
        let is_cut = kept.decisions.is_cut() || kept.acts.is_cut() || kept.takings.is_cut();
        !any_more && !is_cut
    }

    /// Adds to `facts` what the pasts of `stages` come to.
    pub(super) async fn look_back(
        &self,
        head: Option<CommitId>,
        snapshot: &Arc<Snapshot>,
        stages: Vec<StageKey>,
        facts: &mut Facts,
    ) -> Result<(), Error> {
        let (Some(head), false) = (head, stages.is_empty()) else {
            return Ok(());
        };
        let (kept, memory) = (Arc::clone(&self.recollection), Arc::clone(&self.memory));
        let (snapshot, now) = (Arc::clone(snapshot), facts.now);
        let policies = self.repository.policies.clone();
        let author = self.repository.commits.author.clone();
        let marks = marks(&facts.decided.decisions);
        let name = self.repository.branch.clone();
        let read = self.with_mirror(move |mirror| {
            let look = |mirror: &Mirror| -> Result<BTreeMap<StageKey, Past>, source::Error> {
                let branch = Branch {
                    mirror,
                    head,
                    snapshot: &snapshot,
                    policies: &policies,
                    author: &author,
                    marks: &marks,
                    memory: &mut lock(&memory),
                    now,
                };
                lock(&kept).standings.read(branch, &stages)
            };
            deeper::looking(mirror, (&name, head), look, |pasts| {
                pasts.values().any(|past| *past == Past::More)
            })
        });
        let pasts = read.await.map_err(|source| self.source_error(source))?;
        if let History::Known(known) = &mut facts.history {
            known.extend(pasts);
        }
        Ok(())
    }

    /// Adds to `facts` what `stages` ran, for those that come after them.
    pub(super) async fn look_at_tenures(
        &self,
        head: Option<CommitId>,
        snapshot: &Arc<Snapshot>,
        stages: BTreeSet<StageKey>,
        facts: &mut Facts,
    ) -> Result<(), Error> {
        let (Some(head), false) = (head, stages.is_empty()) else {
            return Ok(());
        };
        let stages: Vec<StageKey> = stages.into_iter().collect();
        let (kept, memory) = (Arc::clone(&self.recollection), Arc::clone(&self.memory));
        let (snapshot, now) = (Arc::clone(snapshot), facts.now);
        let policies = self.repository.policies.clone();
        let author = self.repository.commits.author.clone();
        let branch = self.repository.branch.clone();
        let read = self.with_mirror(move |mirror| {
            let look = |mirror: &Mirror| -> Result<BTreeMap<StageKey, Ran>, source::Error> {
                let line = Line {
                    mirror,
                    head,
                    snapshot: &snapshot,
                    policies: &policies,
                    author: &author,
                    memory: &mut lock(&memory),
                };
                lock(&kept).tenures.read(line, &stages, now)
            };
            deeper::looking(mirror, (&branch, head), look, |told| {
                told.values().any(Option::is_none)
            })
        });
        let told = read.await.map_err(|source| self.source_error(source))?;
        facts.tenures.extend(told);
        Ok(())
    }

    /// Adds to `facts` when stages first took `digests`.
    pub(super) async fn date(
        &self,
        head: Option<CommitId>,
        snapshot: &Arc<Snapshot>,
        digests: Vec<Digest>,
        facts: &mut Facts,
    ) -> Result<(), Error> {
        let (Some(head), false) = (head, digests.is_empty()) else {
            return Ok(());
        };
        let (kept, memory) = (Arc::clone(&self.recollection), Arc::clone(&self.memory));
        let (snapshot, now) = (Arc::clone(snapshot), facts.now);
        let author = self.repository.commits.author.clone();
        let branch = self.repository.branch.clone();
        let read = self.with_mirror(move |mirror| {
            let look = |mirror: &Mirror| -> Result<_, source::Error> {
                let ground = Ground {
                    mirror,
                    head,
                    snapshot: &snapshot,
                    author: &author,
                    memory: &mut lock(&memory),
                    now,
                };
                let takings = &mut lock(&kept).takings;
                let taken = takings.read(ground, &digests)?;
                Ok((taken, takings.is_cut()))
            };
            deeper::looking(mirror, (&branch, head), look, |(_, is_cut)| *is_cut)
        });
        let (taken, _) = read.await.map_err(|source| self.source_error(source))?;
        if let Takings::Known(known) = &mut facts.takings {
            known.extend(taken);
        }
        Ok(())
    }
}

impl Reconciler {
    /// Fetches the config repo and tells what happened to its stages, touching nothing.
    ///
    /// # Errors
    /// When the config repo can't be fetched or read.
    pub async fn history(&mut self, question: &Question) -> Result<Told, Error> {
        let head = self.fetch().await?;
        let snapshot = self.snapshot_of(head).await?;
        let (memory, question) = (Arc::clone(&self.memory), question.clone());
        let policies = self.repository.policies.clone();
        let author = self.repository.commits.author.clone();
        let branch = self.repository.branch.clone();
        let told = self.with_mirror(move |mirror| {
            let look = |mirror: &Mirror| {
                let line = Line {
                    mirror,
                    head,
                    snapshot: &snapshot,
                    policies: &policies,
                    author: &author,
                    memory: &mut lock(&memory),
                };
                standings::tell(line, &question)
            };
            deeper::looking(mirror, (&branch, head), look, |told| {
                told.end == End::NotFetched
            })
        });
        told.await.map_err(|source| self.source_error(source))
    }
}

/// What decisions mean to the walks back.
fn marks(decisions: &BTreeMap<StageKey, Decisions>) -> BTreeMap<StageKey, Marks> {
    let each = decisions.iter().filter_map(|(key, decisions)| {
        let Decisions::Known(made) = decisions else {
            return None;
        };
        let mut marks = Marks::default();
        for Made {
            decision, landed, ..
        } in made
        {
            match (decision, landed) {
                (Decision::Deploy { .. }, landed) => marks.deploy = *landed,
                (Decision::Approve { what, .. }, Some(landed)) => {
                    let held = Held {
                        tag: what.tag.clone(),
                        digest: what.digest.clone(),
                    };
                    let lifts = marks.lifts.entry(*landed).or_default();
                    lifts.push(Lift::Approved(held));
                }
                _ => {}
            }
        }
        Some((*key, marks))
    });
    each.collect()
}
