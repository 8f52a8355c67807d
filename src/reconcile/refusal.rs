//! Changes that the remote refuses: tried again by halves, then parked.
//!
//! Invariant: a change that a hook, a path lock or a size limit keeps out keeps no other change out.
//! Each half is planned and prepared anew on the head that it builds on. What is refused alone is left
//! out for a while that doubles each time, and told with the remote's words until it lands. Changes that are made
//! together or not at all are never halved, and wait together.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use jiff::{SignedDuration, Timestamp};

use crate::diag::Diagnostic;
use crate::git::CommitId;
use crate::image::{Digest, Tag};
use crate::reconcile::claims::StageKey;
use crate::reconcile::execute::Landing;
use crate::reconcile::plan::{Change, Facts, StagePlan};
use crate::reconcile::prepare::{Preparation, Prepared, PreparedChange};
use crate::reconcile::snapshot::Snapshot;
use crate::reconcile::{Error, Observation, Pass, PassResult, Reconciler};

/// Most pushes of one pass after the first was refused. Two refused changes among a thousand are found
/// in fewer; a remote that refuses everything isn't asked a thousand times.
const MAX_PUSHES: u32 = 40;

/// The wait after the second refusal of a change; after the first, the next pass tries again.
const FIRST_WAIT: SignedDuration = SignedDuration::from_mins(1);

/// The longest wait: a lock is lifted or a hook mended by people, within hours.
const LONGEST_WAIT: SignedDuration = SignedDuration::from_hours(1);

/// The changes that wait because the remote refused them, by app and stage.
#[derive(Debug, Default)]
pub(super) struct Parking(BTreeMap<(String, String), Parked>);

#[derive(Debug)]
struct Parked {
    tag: Tag,
    digest: Digest,
    wait: SignedDuration,
    until: Timestamp,
    words: String,
}

impl Parking {
    /// Parks `prepared`, which the remote refused at `now` for the reason in `words`.
    fn park(&mut self, prepared: &PreparedChange, words: &str, now: Timestamp) {
        let change = &prepared.change;
        let wait = match self.0.get(&key(prepared)) {
            Some(parked) if parked.is(change) => (parked.wait * 2).clamp(FIRST_WAIT, LONGEST_WAIT),
            _ => SignedDuration::ZERO,
        };
        let parked = Parked {
            tag: change.tag.clone(),
            digest: change.digest.clone(),
            wait,
            until: now.saturating_add(wait).unwrap_or(now),
            words: words.to_owned(),
        };
        self.0.insert(key(prepared), parked);
    }

    /// Why the change of a stage waits at `now`, if it does.
    pub(super) fn reason(
        &self,
        app: &str,
        stage: &str,
        change: &Change,
        now: Timestamp,
    ) -> Option<String> {
        let parked = self.0.get(&(app.to_owned(), stage.to_owned()))?;
        // One that lies too far ahead was noted before the clock was set back.
        let waits = parked.until > now && parked.until.duration_since(now) <= LONGEST_WAIT;
        (parked.is(change) && waits).then(|| {
            let (tag, until, words) = (&parked.tag, parked.until, &parked.words);
            format!("{app}: {stage} -> {tag} waits until {until}: the remote refused it: {words}")
        })
    }
}

impl Parked {
    fn is(&self, change: &Change) -> bool {
        self.tag == change.tag && self.digest == change.digest
    }
}

fn key(prepared: &PreparedChange) -> (String, String) {
    (prepared.app.clone(), prepared.stage.clone())
}

/// The changes of a pass, those that are made together or not at all side by side.
fn units(preparation: &Preparation) -> Vec<Vec<&PreparedChange>> {
    let mut units: Vec<Vec<&PreparedChange>> = Vec::new();
    let mut places = BTreeMap::new();
    let commits = preparation.commits.iter();
    for prepared in commits.flat_map(|commit| &commit.changes) {
        let place = match &prepared.change.group {
            Some(group) => *places
                .entry((group, &prepared.stage))
                .or_insert(units.len()),
            None => units.len(),
        };
        match units.get_mut(place) {
            Some(unit) => unit.push(prepared),
            None => units.push(vec![prepared]),
        }
    }
    units
}

/// Some of a pass's units, by their places, and the words with which the remote refused them all.
struct Group {
    members: Vec<usize>,
    words: String,
}

impl Reconciler {
    /// Leaves the changes out of `stages` that are parked, and tells them.
    pub(super) fn without_parked(
        &self,
        stages: &mut Vec<StagePlan>,
        snapshot: &Snapshot,
    ) -> Vec<Diagnostic> {
        let mut parked = self.parked(stages, snapshot);
        let mut told = Vec::new();
        stages.retain(|stage| {
            let reason = parked.remove(&stage.key);
            let Some((change, reason)) = stage.change().zip(reason) else {
                return true;
            };
            told.extend(change.sites.first().map(|at| {
                let file = &snapshot.files[at.file];
                let position = file.index.sites[at.site].position;
                Diagnostic::error(&file.path, reason).at_bare(position)
            }));
            false
        });
        told
    }

    /// Why the changes of `stages` wait that the remote refused, and those that are made with one of them.
    pub(super) fn parked(
        &self,
        stages: &[StagePlan],
        snapshot: &Snapshot,
    ) -> BTreeMap<StageKey, String> {
        let now = self.clock.now();
        let changes = || {
            let changes = stages
                .iter()
                .filter_map(|stage| Some((stage.key, stage.change()?)));
            changes.map(|(key, change)| (key, change, snapshot.names(key)))
        };
        let mut parked = BTreeMap::new();
        let mut groups = BTreeMap::new();
        for (key, change, (app, stage)) in changes() {
            let Some(reason) = self.parking.reason(app, stage, change, now) else {
                continue;
            };
            if let Some(group) = &change.group {
                groups
                    .entry((group, stage))
                    .or_insert_with(|| reason.clone());
            }
            parked.insert(key, reason);
        }
        for (key, change, (app, stage)) in changes() {
            let group = change.group.as_ref();
            if let Some(reason) = group.and_then(|group| groups.get(&(group, stage))) {
                parked.entry(key).or_insert_with(|| {
                    let tag = &change.tag;
                    format!("{app}: {stage} -> {tag} waits with its group: {reason}")
                });
            }
        }
        parked
    }

    /// Goes on after the remote refused all commits of `observation` together.
    pub(super) async fn by_halves(
        &mut self,
        mut observation: Observation,
        words: String,
    ) -> Result<Pass, Error> {
        let preparation = Arc::clone(&observation.preparation);
        let all = units(&preparation);
        let mut groups = vec![Group {
            members: (0..all.len()).collect(),
            words: words.clone(),
        }];
        let mut landed: Vec<(Prepared, CommitId)> = Vec::new();
        let mut told = Vec::new();
        let mut pushes = 0;
        while let Some(mut group) = groups.pop() {
            if let [alone] = *group.members {
                let now = self.clock.now();
                for prepared in &all[alone] {
                    self.parking.park(prepared, &group.words, now);
                }
            }
            if group.members.len() == 1 || pushes >= MAX_PUSHES {
                let members = group.members.iter().flat_map(|at| &all[*at]);
                told.extend(members.map(|prepared| refused(prepared, &group.words)));
                continue;
            }
            let second = group.members.split_off(group.members.len() / 2);
            for members in [group.members, second] {
                pushes += 1;
                let wanted = members.iter().flat_map(|at| &all[*at]);
                let wanted = wanted.map(|prepared| key(prepared)).collect();
                match self.land_some(&observation.facts, &wanted).await? {
                    Some(Ok(more)) => landed.extend(more),
                    Some(Err(words)) => groups.push(Group { members, words }),
                    // The branch moved: the next pass plans them on what is there then.
                    None => {}
                }
            }
        }
        if landed.is_empty() {
            let result = PassResult::Refused(words);
            return Ok(Pass {
                observation,
                result,
                pulls: Vec::new(),
            });
        }
        let (commits, ids) = landed.into_iter().unzip();
        let preparation = Arc::make_mut(&mut observation.preparation);
        preparation.commits = commits;
        self.queue.made(preparation);
        preparation.refused.extend(told);
        Ok(Pass {
            observation,
            result: PassResult::Landed(ids),
            pulls: Vec::new(),
        })
    }

    /// Lands the changes of the `wanted` stages on the branch as it is now: the commits, or the words
    /// of the refusal; `None` if the branch moved, or something was held.
    async fn land_some(
        &mut self,
        facts: &Facts,
        wanted: &BTreeSet<(String, String)>,
    ) -> Result<Option<Result<Vec<(Prepared, CommitId)>, String>>, Error> {
        if self.is_overtaken(facts) {
            return Ok(None);
        }
        let head = self.fetch().await?;
        let snapshot = self.snapshot_of(head).await?;
        let mut plan = self.plan_once(&snapshot, facts);
        plan.stages.retain(|stage| {
            let (app, name) = snapshot.names(stage.key);
            wanted.contains(&(app.to_owned(), name.to_owned()))
        });
        let preparation = Arc::new(self.prepare(&plan, &snapshot, head).await?);
        let landing = self.land(head, &preparation).await?;
        Ok(match landing {
            Landing::Landed(ids) => {
                let commits = preparation.commits.iter().cloned();
                Some(Ok(commits.zip(ids).collect()))
            }
            Landing::Refused(words) => Some(Err(words)),
            Landing::Moved => None,
        })
    }
}

fn refused(prepared: &PreparedChange, words: &str) -> Diagnostic {
    let (app, stage, tag) = (&prepared.app, &prepared.stage, &prepared.change.tag);
    let message = format!("{app}: {stage} -> {tag}: the remote refused it: {words}");
    match prepared.edits.first() {
        Some(edit) => Diagnostic::error(&edit.file, message).at_bare(edit.position),
        None => Diagnostic::error("", message),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::policy::Write;
    use crate::reconcile::running::Running;

    fn prepared(tag: &str) -> PreparedChange {
        PreparedChange {
            app: "shop".to_owned(),
            stage: "staging".to_owned(),
            change: Change {
                from: Running::Nothing,
                tag: tag.parse().unwrap(),
                digest: Digest::of(tag.as_bytes()),
                write: Write::Tag,
                sites: Vec::new(),
                reason: String::new(),
                rejected: None,
                approved: Vec::new(),
                group: None,
            },
            image: "acme/shop".parse().unwrap(),
            policy: String::new(),
            link: None,
            edits: Vec::new(),
        }
    }

    #[test]
    fn waits_double_up_to_a_bound_and_are_for_one_change() {
        let at = |seconds| Timestamp::from_second(seconds).unwrap();
        let mut parking = Parking::default();
        let change = prepared("1.1.0");
        let waits = |parking: &Parking, prepared: &PreparedChange, seconds| {
            let reason = parking.reason("shop", "staging", &prepared.change, at(seconds));
            reason.is_some()
        };
        for (refusal, wait) in [0, 60, 120, 240, 480, 960, 1920, 3600, 3600]
            .into_iter()
            .enumerate()
        {
            parking.park(&change, "frozen", at(0));
            assert!(wait == 0 || waits(&parking, &change, wait - 1), "{refusal}");
            assert!(!waits(&parking, &change, wait), "{refusal}");
        }
        assert!(!waits(&parking, &change, -7200), "the clock was set back");
        assert!(!waits(&parking, &prepared("1.2.0"), 0));
        parking.park(&prepared("1.2.0"), "frozen", at(0));
        assert!(!waits(&parking, &prepared("1.2.0"), 0));
    }
}
