//! Merges against the status: somebody merged a pull request while the service said that something was missing.
//!
//! Invariant: such a merge is a person's act, so it stands and is told, for as long as the stage goes on with
//! what it brought: by the values on the branch, until the stage's next change. Only a status that was there and
//! was not green is held against a merge; what can't be told is nobody's fault.
//!
//! It refuses to ask without need: what became of a pull request is asked when it is no longer open, what was
//! merged before once in the life of a process, and a status only of what a stage still runs.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::sync::Arc;

use jiff::{SignedDuration, Timestamp};

use super::words;
use crate::diag;
use crate::forge::{self, Check, Forge, Pull, State, Verdict, Which};
use crate::git::{self, CommitId, Mirror};
use crate::promotion::Held;
use crate::promotion::tenure::{Tenure, same};
use crate::reconcile::claims::StageKey;
use crate::reconcile::plan::{Facts, Plan, StagePlan};
use crate::reconcile::running::Running;
use crate::reconcile::snapshot::Snapshot;
use crate::reconcile::{Error, Reconciler};

/// What the names of the service's own statuses begin with.
const OURS: &str = "tagwright/";

/// How much later than the merge its commit may be dated, where the forge does not name the commit: it notes
/// both within moments.
const SLACK: SignedDuration = SignedDuration::from_mins(1);

/// A merge against the status.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Ungated {
    /// The pull request's number.
    pub number: u64,
    /// Its page.
    pub url: String,
    /// Who merged it, where the forge tells.
    pub by: Option<String>,
    /// When, where the forge tells.
    pub at: Option<Timestamp>,
    /// What was missing, in the words of the status.
    pub missing: String,
}

impl fmt::Display for Ungated {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "pull request #{} was merged", self.number)?;
        if let Some(by) = &self.by {
            write!(f, " by {}", diag::visible(by))?;
        }
        write!(f, " against its status: {}", self.missing)
    }
}

/// What was merged, as far as it was asked for.
#[derive(Debug, Default)]
pub(super) struct Merges {
    /// The branches whose pull request is no longer open, while it is not known what became of it.
    gone: BTreeSet<String>,
    /// The newest merge for each stage, by the names of app and stage.
    newest: BTreeMap<(String, String), Merged>,
    /// Whether it was asked what was merged before this process began.
    is_listed: bool,
}

#[derive(Debug, Clone)]
struct Merged {
    number: u64,
    url: String,
    branch: String,
    /// The commit of its branch when it was merged.
    head: String,
    what: Held,
    end: End,
    word: Word,
}

/// How a pull request ended, as far as it was told.
#[derive(Debug, Clone, Default)]
struct End {
    by: Option<String>,
    at: Option<Timestamp>,
    commit: Option<String>,
    /// Whether there is no more to be told.
    is_whole: bool,
}

/// What the status said when a pull request was merged.
#[derive(Debug, Clone, PartialEq, Eq)]
enum Word {
    /// That is not known yet.
    Unasked,
    /// That it may be merged; or nothing.
    Fine,
    /// That this was missing.
    Missing(String),
}

impl Merges {
    /// Notes the branches whose pull request was open and is no longer.
    pub(super) fn gone(&mut self, branches: impl IntoIterator<Item = String>) {
        self.gone.extend(branches);
    }

    /// Keeps a merge for the `stages` that it is the newest for.
    fn keep(&mut self, pull: &Pull, is_whole: bool, owner: &str, stages: &BTreeSet<(&str, &str)>) {
        let State::Merged { by, at, commit } = &pull.state else {
            return;
        };
        let Some(note) = words::of(pull).filter(|note| note.owner == owner) else {
            return;
        };
        let end = End {
            by: by.clone(),
            at: *at,
            commit: commit.clone(),
            is_whole,
        };
        let noted = note.head.to_string();
        let is_cut = !pull.head.is_empty() && noted.starts_with(&pull.head);
        for (app, stage, what) in note.changes {
            let known = self.newest.get(&(app.clone(), stage.clone()));
            let is_older = known.is_some_and(|known| known.number >= pull.number);
            if is_older || !stages.contains(&(app.as_str(), stage.as_str())) {
                continue;
            }
            let merged = Merged {
                number: pull.number,
                url: pull.url.clone(),
                branch: pull.branch.clone(),
                head: if is_cut { &noted } else { &pull.head }.clone(),
                what,
                end: end.clone(),
                word: Word::Unasked,
            };
            self.newest.insert((app, stage), merged);
        }
    }

    /// The merge that brought what a stage runs, as far as values tell.
    fn of(&self, snapshot: &Snapshot, stage: &StagePlan) -> Option<&Merged> {
        let Running::One(runs) = &stage.running else {
            return None;
        };
        let (app, name) = snapshot.names(stage.key);
        let merged = self.newest.get(&(app.to_owned(), name.to_owned()))?;
        let runs = Held {
            tag: runs.tag.clone(),
            digest: runs.digest.clone(),
        };
        same(&runs, &merged.what).then_some(merged)
    }

    /// Keeps what was learnt of a pull request, for all stages that it is about.
    fn learn(&mut self, number: u64, end: &End, word: &Word) {
        let of_it = self.newest.values_mut();
        for merged in of_it.filter(|merged| merged.number == number) {
            merged.end = end.clone();
            merged.word = word.clone();
        }
    }
}

impl Merged {
    fn told(&self, missing: &str) -> Ungated {
        Ungated {
            number: self.number,
            url: self.url.clone(),
            by: self.end.by.clone(),
            at: self.end.at,
            missing: missing.to_owned(),
        }
    }

    /// Whether what a stage runs now began with this merge or before it, by the stretch that it is in.
    ///
    /// # Errors
    /// When the mirror can't be read.
    fn lasts(&self, now: Option<&Tenure>, mirror: &Mirror) -> Result<bool, git::Error> {
        let Some(tenure) = now else {
            // The values tell as much as is known.
            return Ok(true);
        };
        let runs = tenure.runs.as_ref();
        if !runs.is_some_and(|runs| same(runs, &self.what)) {
            return Ok(false);
        }
        let ids = (parsed(&tenure.by.commit), self.end.commit.as_deref());
        match (ids, self.end.at) {
            ((Some(began), Some(merge)), _) => match parsed(merge) {
                Some(merge) if mirror.commit_info(merge).is_ok() => {
                    mirror.is_ancestor(began, merge)
                }
                _ => Ok(false),
            },
            (_, Some(at)) => Ok(tenure.by.at <= at.saturating_add(SLACK).unwrap_or(at)),
            (_, None) => Ok(true),
        }
    }
}

fn parsed(commit: &str) -> Option<CommitId> {
    commit.parse().ok()
}

/// What the service's own statuses among `checks` say together.
fn word(checks: &[Check]) -> Word {
    let mut against = checks
        .iter()
        .filter(|check| check.name.starts_with(OURS) && check.verdict != Verdict::Success);
    match against.next() {
        Some(check) => Word::Missing(match &check.words {
            Some(words) => diag::visible(words).into_owned(),
            None => format!("{} was not green", diag::visible(&check.name)),
        }),
        None => Word::Fine,
    }
}

impl Reconciler {
    /// Learns what was merged: once what was before, and then what became of those that are no longer open.
    pub(super) async fn learn_merged(&mut self, forge: &dyn Forge, snapshot: &Snapshot) {
        let owner = self.repository.name.as_str();
        let base = &self.repository.branch;
        let stages = snapshot.claims.stages.keys();
        let stages: BTreeSet<(&str, &str)> = stages.map(|key| snapshot.names(*key)).collect();
        let merges = &mut self.pulls.merges;
        if !merges.is_listed {
            let found = forge.noted(base, Which::Merged).await;
            merges.is_listed = found.as_ref().err().is_none_or(|e| !e.is_retryable());
            match found {
                Ok(pulls) => {
                    for pull in &pulls {
                        merges.keep(pull, false, owner, &stages);
                    }
                }
                Err(error) => cant_tell(&error),
            }
        }
        for branch in std::mem::take(&mut merges.gone) {
            match forge.pulls_of(&branch, base).await {
                Ok(pulls) => {
                    for pull in &pulls {
                        merges.keep(pull, true, owner, &stages);
                    }
                    self.pulls.ended.learn(branch, pulls);
                }
                Err(error) => {
                    cant_tell(&error);
                    merges.gone.insert(branch);
                }
            }
        }
    }

    /// The plan, with the stages that run what was merged against the status.
    ///
    /// # Errors
    /// When the mirror can't be read.
    pub(in crate::reconcile) async fn with_ungated(
        &mut self,
        plan: Arc<Plan>,
        snapshot: &Arc<Snapshot>,
        head: CommitId,
        now: Timestamp,
    ) -> Result<Arc<Plan>, Error> {
        self.judge(&plan, snapshot).await;
        let merges = &self.pulls.merges;
        let found = plan.stages.iter().filter_map(|stage| {
            let merged = merges.of(snapshot, stage)?;
            match &merged.word {
                Word::Missing(missing) => Some((stage.key, merged.clone(), missing.clone())),
                Word::Unasked | Word::Fine => None,
            }
        });
        let found: Vec<(StageKey, Merged, String)> = found.collect();
        if found.is_empty() {
            return Ok(plan);
        }
        let stages = found.iter().map(|(key, ..)| *key).collect();
        let mut ran = Facts {
            now,
            ..Facts::default()
        };
        self.look_at_tenures(Some(head), snapshot, stages, &mut ran)
            .await?;
        let lasting = self.with_mirror(move |mirror| {
            let mut lasting = BTreeMap::new();
            for (key, merged, missing) in found {
                let ran = ran.tenures.get(&key).and_then(Option::as_ref);
                let latest = ran.and_then(|ran| ran.0.first());
                if merged.lasts(latest, mirror)? {
                    lasting.insert(key, merged.told(&missing));
                }
            }
            Ok(lasting)
        });
        let lasting = lasting.await.map_err(|source| self.git_error(source))?;
        let mut plan = plan;
        if !lasting.is_empty() {
            Arc::make_mut(&mut plan).ungated = lasting;
        }
        Ok(plan)
    }

    /// Asks what the status said of merges that brought what stages run.
    async fn judge(&mut self, plan: &Plan, snapshot: &Snapshot) {
        let Ok(forge) = self.pulls.forge() else {
            return;
        };
        let merges = &self.pulls.merges;
        let unasked = plan.stages.iter().filter_map(|stage| {
            let merged = merges.of(snapshot, stage)?;
            (merged.word == Word::Unasked).then(|| (merged.number, merged.clone()))
        });
        let unasked: BTreeMap<u64, Merged> = unasked.collect();
        for (number, merged) in unasked {
            match self.told_of(&*forge, &merged).await {
                Ok((word, end)) => self.pulls.merges.learn(number, &end, &word),
                Err(error) => {
                    cant_tell(&error);
                    if error.is_retryable() {
                        // The forge is not asked for the others now, which would fail as well.
                        return;
                    }
                    self.pulls.merges.learn(number, &merged.end, &Word::Fine);
                }
            }
        }
    }

    /// What the status said, and how the pull request ended where that matters.
    async fn told_of(
        &self,
        forge: &dyn Forge,
        merged: &Merged,
    ) -> Result<(Word, End), forge::Error> {
        let word = match self.pulls.attempts.last_said(&merged.head) {
            Some(said) => word(&[said]),
            None => word(&forge.checks(&merged.head, "").await?.each),
        };
        if word == Word::Fine || merged.end.is_whole {
            return Ok((word, merged.end.clone()));
        }
        let all = forge.pulls_of(&merged.branch, &self.repository.branch);
        let found = all.await?.into_iter();
        let found = found.filter(|pull| pull.number == merged.number);
        let end = found.map(|pull| pull.state).find_map(|state| match state {
            State::Merged { by, at, commit } => Some(End {
                by,
                at,
                commit,
                is_whole: true,
            }),
            _ => None,
        });
        Ok((word, end.unwrap_or_else(|| merged.end.clone())))
    }
}

fn cant_tell(error: &forge::Error) {
    tracing::debug!(error = %diag::chain(error), "can't tell what was merged");
}
