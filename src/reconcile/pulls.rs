//! Changes that go by pull request: one for each group, kept as it should be until somebody merges or
//! closes it.
//!
//! ```text
//! look      the forge's open pull requests, and the branches beside the base
//! propose   the exact commits of each group on the base, and what becomes of its pull request
//! settle    push branches, open, update and close
//! ```
//!
//! Invariant: there is never a second pull request for one group. What is proposed is prepared on the head
//! that was planned on, as if it were pushed; a person's commits on a branch, and a person's closing of a
//! pull request, stand.
//!
//! It refuses to merge: that is people's business, or the forge's where it was asked to.

mod act;
mod consent;
mod ended;
mod fate;
mod group;
mod inspect;
mod merging;
mod propose;
mod publish;
mod strays;
mod ungated;
mod words;

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use crate::config::{PushMode, Repository, Stage};
use crate::diag;
use crate::forge::{Forge, Pull, Which};
use crate::git::{self, CommitId};
use crate::reconcile::claims::StageKey;
use crate::reconcile::plan::{Blocked, Plan, StagePlan, Step};
use crate::reconcile::prepare::Prepared;
use crate::reconcile::snapshot::Snapshot;
use crate::reconcile::{Error, Reconciler};

pub use act::{Did, Done};
pub use ended::Closed;
pub use fate::Fate;
pub use ungated::Ungated;

use act::Attempts;
use ended::Ended;
use fate::Branch;
use group::Group;
use strays::Seek;
use ungated::Merges;

/// The pull requests of one config repo, as far as it is remembered between passes.
pub(super) struct Pulls {
    /// The forge, or why it can't be asked.
    forge: Result<Arc<dyn Forge>, String>,
    ended: Ended,
    attempts: Attempts,
    seek: Seek,
    merges: Merges,
}

/// What is there before a pass proposes anything.
#[derive(Debug, Default)]
pub(super) struct Seen {
    /// The branches of the service's own.
    heads: BTreeMap<String, CommitId>,
    /// The open pull requests of this entry of the configuration, by branch.
    open: BTreeMap<String, Pull>,
    /// The branches that another entry or service has an open pull request from.
    others: BTreeSet<String>,
    /// The branches of open pull requests of this entry that are not below its prefix; their commits are not
    /// here.
    strays: BTreeSet<String>,
    /// The apps and stages whose changes the open ones propose.
    noted: BTreeSet<(String, String)>,
    /// Why the forge does not tell, if it doesn't.
    pub(super) trouble: Option<String>,
}

/// What a group proposes.
#[derive(Debug, Clone)]
pub struct Proposal {
    /// The title.
    pub title: String,
    /// The text, without the note.
    pub body: String,
    /// The commits, at least one.
    pub commits: Vec<Prepared>,
}

/// The pull request of a group, and what becomes of it.
#[derive(Debug, Clone)]
pub struct Planned {
    /// Its branch.
    pub branch: String,
    /// What it should propose, if anything.
    pub proposal: Option<Proposal>,
    /// The pull request, if one is open.
    pub pull: Option<Pull>,
    /// What becomes of it.
    pub fate: Fate,
    /// Whether it may be merged now.
    pub gate: Gate,
    at: Branch,
}

/// Whether a pull request may be merged.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Gate {
    /// Nothing stands against it.
    Open,
    /// A person, a window or a condition does, for this reason.
    Stopped(String),
    /// That can't be told now, for this reason.
    Unsure(String),
}

impl Gate {
    /// Why it may not be merged.
    pub fn words(&self) -> Option<&str> {
        match self {
            Self::Open => None,
            Self::Stopped(why) | Self::Unsure(why) => Some(why),
        }
    }
}

impl Seen {
    /// Whether an open pull request proposes a change of a stage.
    fn has(&self, snapshot: &Snapshot, key: StageKey) -> bool {
        let (app, stage) = snapshot.names(key);
        self.noted.contains(&(app.to_owned(), stage.to_owned()))
    }
}

impl Planned {
    /// Its title; its branch where there is neither a proposal nor a pull request.
    pub fn title(&self) -> String {
        match (&self.proposal, &self.pull) {
            (Some(proposal), _) => proposal.title.clone(),
            (None, Some(pull)) => diag::visible(&pull.title).into_owned(),
            (None, None) => self.branch.clone(),
        }
    }

    /// Whether it changes `app`, or did so when it was written last.
    pub fn is_about(&self, app: &str) -> bool {
        let proposed = self
            .proposal
            .iter()
            .flat_map(|it| words::changes(&it.commits));
        let noted = self.pull.iter().filter_map(words::of);
        let mut noted = noted.flat_map(|note| note.changes);
        proposed.into_iter().any(|change| change.app == app) || noted.any(|(of, ..)| of == app)
    }

    /// Whether anything is to be done or told.
    pub(super) fn is_to_settle(&self) -> bool {
        !matches!(self.fate, Fate::None)
    }
}

/// How the changes of a stage are published: the stricter of what it and the repository say.
pub fn way(repository: &Repository, stage: &Stage) -> PushMode {
    repository.push.min(stage.push)
}

impl Pulls {
    /// Those of a config repo on `forge`.
    pub(super) fn new(forge: Option<Result<Arc<dyn Forge>, String>>) -> Self {
        let unknown = || {
            Err("which forge the config repo is on is not known, or as whom to ask it: add `forge` to \
                 the repository"
                .to_owned())
        };
        Self {
            forge: forge.unwrap_or_else(unknown),
            ended: Ended::default(),
            attempts: Attempts::default(),
            seek: Seek::default(),
            merges: Merges::default(),
        }
    }

    /// The forge, or why it can't be asked.
    pub(super) fn forge(&self) -> Result<Arc<dyn Forge>, &str> {
        match &self.forge {
            Ok(forge) => Ok(Arc::clone(forge)),
            Err(words) => Err(words),
        }
    }
}

impl Reconciler {
    fn way_of(&self, snapshot: &Snapshot, stage: &StagePlan) -> PushMode {
        let app = &snapshot.apps[stage.key.app];
        way(&self.repository, &app.stages[stage.key.stage])
    }

    /// Whether a stage's changes go by pull request.
    pub(super) fn is_proposed(&self, snapshot: &Snapshot, stage: &StagePlan) -> bool {
        self.way_of(snapshot, stage) == PushMode::PullRequest
    }

    /// What is there; `None` where nothing goes by pull request.
    pub(super) async fn look(&mut self, snapshot: &Snapshot) -> Result<Option<Seen>, Error> {
        let mut stages = snapshot.apps.iter().flat_map(|app| &app.stages);
        if !stages.any(|stage| way(&self.repository, stage) == PushMode::PullRequest) {
            return Ok(self.left_behind(snapshot).await);
        }
        let mut seen = Seen::default();
        let forge = match &self.pulls.forge {
            Ok(forge) => Arc::clone(forge),
            Err(why) => {
                seen.trouble = Some(why.clone());
                return Ok(Some(seen));
            }
        };
        let heads = match self.heads_beside().await {
            Ok(heads) => heads,
            Err(error) => {
                // What goes to the branch itself was fetched, and goes on.
                seen.trouble = Some(diag::chain(&error));
                return Ok(Some(seen));
            }
        };
        seen.heads = heads;
        match forge.open_pulls(&self.repository.pulls.prefix).await {
            Ok(pulls) => {
                self.sort_out(pulls, &mut seen);
                self.seek_strays(&*forge, snapshot, &mut seen).await;
                self.learn_merged(&*forge, snapshot).await;
            }
            Err(error) => seen.trouble = Some(diag::chain(&error)),
        }
        Ok(Some(seen))
    }

    /// The branches of the service's own, without those on which the forge makes commits.
    async fn heads_beside(&self) -> Result<BTreeMap<String, CommitId>, git::Error> {
        let prefix = self.repository.pulls.prefix.clone();
        let fetched = self.with_mirror({
            let prefix = prefix.clone();
            move |mirror| mirror.fetch_beside(&prefix)
        });
        let mut heads = fetched.await?;
        heads.retain(|branch, _| {
            let rest = branch.strip_prefix(prefix.as_str());
            !rest.is_some_and(|rest| rest.starts_with(publish::NEXT))
        });
        Ok(heads)
    }

    /// Tells this entry's open pull requests from those of others on the same remote.
    fn sort_out(&mut self, pulls: Vec<Pull>, seen: &mut Seen) {
        for pull in pulls {
            let note = words::of(&pull);
            let owner = note.as_ref().map(|note| &note.owner);
            let is_ours = owner.is_none_or(|owner| owner == self.repository.name.as_str());
            if pull.base == self.repository.branch && is_ours {
                let changes = note.into_iter().flat_map(|note| note.changes);
                let names = changes.map(|(app, stage, _)| (app, stage));
                seen.noted.extend(names);
                seen.open.entry(pull.branch.clone()).or_insert(pull);
            } else {
                seen.others.insert(pull.branch);
            }
        }
        let others = &seen.others;
        seen.heads.retain(|branch, _| !others.contains(branch));
        let gone = self.pulls.ended.note(&seen.open);
        self.pulls.merges.gone(gone);
    }

    /// What people have closed, as far as it bears on the stages of `snapshot`.
    pub(super) fn closed(
        &self,
        snapshot: &Snapshot,
        seen: Option<&Seen>,
    ) -> BTreeMap<StageKey, Vec<Closed>> {
        match seen {
            Some(seen) => {
                let ignored = &self.repository.pulls.ignored_closers;
                let owner = self.repository.name.as_str();
                self.pulls
                    .ended
                    .closed(snapshot, &seen.open, owner, ignored)
            }
            None => BTreeMap::new(),
        }
    }

    /// The stages of `snapshot` whose changes go by pull request and are in none that is open.
    pub(super) fn unopened(&self, snapshot: &Snapshot, seen: Option<&Seen>) -> BTreeSet<StageKey> {
        let Some(seen) = seen else {
            return BTreeSet::new();
        };
        let unopened = snapshot.claims.stages.keys().filter(|key| {
            let stage = &snapshot.apps[key.app].stages[key.stage];
            let goes = way(&self.repository, stage) == PushMode::PullRequest;
            goes && !seen.has(snapshot, **key)
        });
        unopened.copied().collect()
    }

    /// Asks what became of earlier pull requests of the groups for which `plan` would open one; says
    /// whether anything was learnt.
    pub(super) async fn look_up(
        &mut self,
        plan: &Plan,
        snapshot: &Snapshot,
        seen: Option<&mut Seen>,
    ) -> bool {
        let (Some(seen), Ok(forge)) = (seen, &self.pulls.forge) else {
            return false;
        };
        if seen.trouble.is_some() {
            return false;
        }
        let forge = Arc::clone(forge);
        let groups = self.groups(plan, snapshot, seen).into_keys();
        let unknown = groups
            .filter(|branch| !seen.open.contains_key(branch) && !self.pulls.ended.is_known(branch));
        // No more than could be opened; what was closed makes room for the next ones.
        let room = self.room(seen);
        let branches: Vec<String> = unknown.take(room).collect();
        let learnt = !branches.is_empty();
        if learnt && !self.pulls.ended.knows_closed() {
            let base = &self.repository.branch;
            match forge.noted(base, Which::Closed).await {
                Ok(pulls) => self.pulls.ended.learn_closed(pulls),
                Err(error) => {
                    seen.trouble = Some(diag::chain(&error));
                    return true;
                }
            }
        }
        for branch in branches {
            match forge.pulls_of(&branch, &self.repository.branch).await {
                Ok(pulls) => self.pulls.ended.learn(branch, pulls),
                Err(error) => {
                    seen.trouble = Some(diag::chain(&error));
                    break;
                }
            }
        }
        learnt
    }

    /// How many more pull requests may be opened.
    fn room(&self, seen: &Seen) -> usize {
        let most = self.repository.pulls.most.get();
        most.saturating_sub(seen.open.len())
    }

    /// The changes that go by pull request, also those that still wait, by the branches of their groups. What
    /// keeps one from being proposed does so until it has been; then it keeps it from being merged.
    fn groups<'p>(
        &self,
        plan: &'p Plan,
        snapshot: &Snapshot,
        seen: &Seen,
    ) -> BTreeMap<String, Vec<&'p StagePlan>> {
        let mut groups: BTreeMap<String, Vec<&StagePlan>> = BTreeMap::new();
        for stage in &plan.stages {
            let is_early = match &stage.step {
                Step::Waiting(waiting) => !waiting.may_be_opened(),
                _ => false,
            };
            if stage.wanted().is_some()
                && self.is_proposed(snapshot, stage)
                && (!is_early || seen.has(snapshot, stage.key))
            {
                let branch = self.branch_of(snapshot, stage);
                groups.entry(branch).or_default().push(stage);
            }
        }
        groups
    }

    /// The branch that a stage's changes come from, whichever of its sites they are to.
    fn branch_of(&self, snapshot: &Snapshot, stage: &StagePlan) -> String {
        let (app, name) = snapshot.names(stage.key);
        let pulls = &self.repository.pulls;
        let own = || Some(&snapshot.apps[stage.key.app].group.as_ref()?.name);
        let group = match stage.wanted() {
            Some(change) => change.group.as_ref(),
            None => own(),
        };
        if let Some(group) = group {
            return Group::together(pulls.group, group.as_str(), name).branch(&pulls.prefix);
        }
        let first = stage.sites.first();
        let file = first.map_or("", |at| snapshot.files[at.file].path.as_str());
        Group::of(pulls.group, app, name, file).branch(&pulls.prefix)
    }

    /// Why a change of `stage` may not be written as it is published: it would change another stage, whose
    /// own changes are published otherwise.
    fn read_otherwise(
        &self,
        plan: &Plan,
        snapshot: &Snapshot,
        stage: &StagePlan,
    ) -> Option<String> {
        let way = |stage: &StagePlan| match self.way_of(snapshot, stage) {
            PushMode::PullRequest => Some(self.branch_of(snapshot, stage)),
            _ => None,
        };
        let change = stage.wanted()?;
        let sharers = change
            .sites
            .iter()
            .filter_map(|at| snapshot.claims.shared.get(at));
        let other = sharers.flatten().find_map(|sharer| {
            let other = plan.stages.iter().find(|other| other.key == sharer.stage)?;
            let same_mode = self.way_of(snapshot, other) == self.way_of(snapshot, stage);
            (!same_mode || way(other) != way(stage)).then_some(sharer)
        })?;
        let (app, name) = snapshot.names(other.stage);
        Some(format!(
            "{} would be written where {name} of {app} reads it too, whose changes are published \
             otherwise; set the tag in {name}'s own files, or have both go the same way (`push`, \
             `push.group`)",
            change.tag
        ))
    }

    /// Why a change of `stage` can't be made with those of its group: some go by pull request.
    fn apart(&self, plan: &Plan, snapshot: &Snapshot, stage: &StagePlan) -> Option<String> {
        let group = stage.wanted()?.group.as_ref()?;
        let (app, name) = snapshot.names(stage.key);
        let own = self.is_proposed(snapshot, stage);
        let other = plan.stages.iter().find_map(|other| {
            let (other_app, other_name) = snapshot.names(other.key);
            let together = other.wanted()?.group.as_ref() == Some(group) && other_name == name;
            (together && self.is_proposed(snapshot, other) != own).then_some(other_app)
        })?;
        let (app, other) = if own { (app, other) } else { (other, app) };
        Some(format!(
            "moves with its group `{group}`, of which {app} goes to {name} by pull request and {other} does \
             not; give both the same `push`"
        ))
    }

    /// The plan, where changes that can't be published are none.
    pub(super) fn published(
        &self,
        mut plan: Arc<Plan>,
        snapshot: &Snapshot,
        seen: Option<&Seen>,
    ) -> Arc<Plan> {
        let trouble = seen.and_then(|seen| seen.trouble.as_deref());
        let blocked = |stage: &StagePlan| {
            let change = stage.wanted()?;
            if let Some(other) = self.read_otherwise(&plan, snapshot, stage) {
                return Some(Blocked::Shared(other));
            }
            if let Some(apart) = self.apart(&plan, snapshot, stage) {
                return Some(Blocked::NotWritten(apart));
            }
            match self.way_of(snapshot, stage) {
                PushMode::PullRequest => Some(Blocked::Forge(trouble?.to_owned())),
                PushMode::Off if self.repository.push != PushMode::Off => {
                    Some(Blocked::NotWritten(format!(
                        "{} would be written, but the stage's `push` is `off`: {}",
                        change.tag, change.reason
                    )))
                }
                PushMode::Off | PushMode::Direct => None,
            }
        };
        let steps: Vec<Option<Blocked>> = plan.stages.iter().map(blocked).collect();
        if steps.iter().any(Option::is_some) {
            let plan = Arc::make_mut(&mut plan);
            for (stage, step) in plan.stages.iter_mut().zip(steps) {
                if let Some(blocked) = step {
                    stage.step = Step::Blocked(blocked);
                }
            }
            plan.bind(&snapshot.apps);
        }
        plan
    }
}
