//! Plans and passes as people and machines read them.
//!
//! Invariant: the text and the JSON of one observation say the same; JSON fields are only ever added.

mod pulls;
mod states;
mod waits;

use std::fmt::Write as _;

use jiff::Timestamp;
use serde::Serialize;

use crate::cli::diff;
use crate::cli::output::{Exit, Output, has_errors};
use crate::diag::{Diagnostic, Position};
use crate::git::CommitId;
use crate::policy::{CurrentListed, Reason};
use crate::promotion::By;
use crate::reconcile::Observation;
use crate::reconcile::plan::{Change, StagePlan, Step, Stop, StopKind};
use crate::reconcile::prepare::{Prepared, PreparedChange};
use crate::reconcile::running::Running;
use crate::reconcile::states::unowned;

pub use pulls::{PullView, print as print_pulls};
pub use states::{StateView, UngatedView, UnownedView, print_states, print_unowned};
pub use waits::{GivenView, WaitView};

/// The plan of one config repo.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct PlanView {
    /// The repository's name.
    pub repository: String,
    /// The commit that it was planned on; absent for a working tree.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub commit: Option<String>,
    /// The changes, in the order of the commits.
    pub changes: Vec<ChangeView>,
    /// The pull requests of changes that go by them.
    pub pull_requests: Vec<PullView>,
    /// Every stage of every app.
    pub stages: Vec<StageView>,
    /// Images with sites that nobody manages.
    pub unowned: Vec<UnownedView>,
    /// Sites that should change but can't.
    pub refused: Vec<Diagnostic>,
    /// What is wrong or left out.
    pub problems: Vec<Diagnostic>,
}

/// One change.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct ChangeView {
    /// The app.
    pub app: String,
    /// The stage.
    pub stage: String,
    /// What it ran.
    pub from: String,
    /// The tag it gets.
    pub to: String,
    /// The digest that the tag has.
    pub digest: String,
    /// Why.
    pub reason: String,
    /// Where to see what changed in the image, if it tells.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub link: Option<String>,
    /// The commit that landed it, once it has.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub commit: Option<String>,
    /// Who approved it, where that was needed.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub approvals: Vec<GivenView>,
    /// What is edited.
    pub edits: Vec<EditView>,
}

/// One edited place.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct EditView {
    /// The file.
    pub file: String,
    /// Where.
    #[serde(flatten)]
    pub position: Position,
    /// The text before.
    pub old: String,
    /// The text after.
    pub new: String,
}

/// One stage.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct StageView {
    /// The app.
    pub app: String,
    /// The stage.
    pub stage: String,
    /// The image.
    pub image: String,
    /// `change`, `upToDate`, `waiting` or `failed`.
    pub state: &'static str,
    /// What it runs.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub current: Option<String>,
    /// References that sites have besides the current one.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub split: Vec<String>,
    /// Why it is in that state.
    pub reason: String,
    /// What it gets once it waits for nothing any more, where that is known.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub next: Option<String>,
    /// What that waits for.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub waits: Vec<WaitView>,
    /// How many sites it has.
    pub sites: usize,
    /// What stops its changes.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub stops: Vec<StopView>,
    /// What a person went back from, while that is in force.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub went_back: Option<BackView>,
    /// A merge of what it runs against the status of its pull request.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub ungated: Option<UngatedView>,
    /// What else is to be known of it.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub states: Vec<StateView>,
}

/// Something that stops the changes of a stage.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct StopView {
    /// `hold`, `freeze`, `app`, `service` or `api`.
    pub kind: &'static str,
    /// Where it is written, if in the service file or an app file.
    #[serde(flatten)]
    pub place: Option<PlaceView>,
    /// Who stopped it.
    #[serde(flatten)]
    pub by: ByView,
    /// Why.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub reason: Option<String>,
    /// When it ends by itself.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub until: Option<Timestamp>,
    /// What ends it, in words for a person.
    pub end: String,
}

/// A place in a file.
#[derive(Debug, Serialize)]
pub struct PlaceView {
    /// The file.
    pub file: String,
    /// Where.
    #[serde(flatten)]
    pub position: Position,
}

/// What a person went back from.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct BackView {
    /// Nothing up to it is taken.
    pub from: String,
    /// Who went back.
    #[serde(flatten)]
    pub by: ByView,
}

/// Who did something, as far as it is known.
#[derive(Debug, Default, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct ByView {
    /// The author.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub by: Option<String>,
    /// When it reached the branch.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub at: Option<Timestamp>,
    /// The commit.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub commit: Option<String>,
}

impl ByView {
    fn of(by: &By) -> Self {
        let told = |text: &String| (!text.is_empty()).then(|| text.clone());
        Self {
            by: told(&by.name),
            at: (by.at != Timestamp::UNIX_EPOCH).then_some(by.at),
            commit: told(&by.commit),
        }
    }
}

impl StopView {
    fn of(stop: &Stop) -> Self {
        Self {
            kind: match stop.kind {
                StopKind::Hold => "hold",
                StopKind::Freeze => "freeze",
                StopKind::App => "app",
                StopKind::Service => "service",
                StopKind::Api => "api",
            },
            place: stop.place.as_ref().map(|(file, position)| PlaceView {
                file: file.clone(),
                position: *position,
            }),
            by: stop.by.as_ref().map(ByView::of).unwrap_or_default(),
            reason: stop.reason.clone(),
            until: stop.until,
            end: stop.end.clone(),
        }
    }
}

impl PlanView {
    /// The view of a config repo that could not be observed.
    pub fn unknown(repository: &str) -> Self {
        Self {
            repository: repository.to_owned(),
            commit: None,
            changes: Vec::new(),
            pull_requests: Vec::new(),
            stages: Vec::new(),
            unowned: Vec::new(),
            refused: Vec::new(),
            problems: Vec::new(),
        }
    }

    /// The view of an observation.
    pub fn of(repository: &str, observation: &Observation) -> Self {
        Self {
            repository: repository.to_owned(),
            commit: observation.base.map(|base| base.to_string()),
            changes: observation
                .preparation
                .commits
                .iter()
                .flat_map(|commit| commit.changes.iter().map(ChangeView::of))
                .collect(),
            pull_requests: observation.pulls.iter().map(PullView::of).collect(),
            stages: observation
                .plan
                .stages
                .iter()
                .map(|stage| StageView::of(observation, stage))
                .collect(),
            unowned: unowned(&observation.snapshot)
                .iter()
                .map(UnownedView::of)
                .collect(),
            refused: observation.preparation.refused.clone(),
            problems: observation.problems(),
        }
    }

    /// Notes the commits that landed the changes of `prepared`, in their order.
    pub fn landed(&mut self, prepared: &[Prepared], commits: &[CommitId]) {
        let of_changes = prepared.iter().zip(commits);
        let of_changes = of_changes.flat_map(|(made, id)| made.changes.iter().map(move |_| id));
        for (change, commit) in self.changes.iter_mut().zip(of_changes) {
            change.commit = Some(commit.to_string());
        }
    }

    /// Whether a pass would do something.
    pub fn is_pending(&self) -> bool {
        !self.changes.is_empty() || self.pull_requests.iter().any(PullView::is_pending)
    }

    /// How a command that made or would make this plan ends.
    pub fn exit(&self) -> Exit {
        let failed = self.stages.iter().any(|stage| stage.state == "failed")
            || self.pull_requests.iter().any(|pull| pull.state == "failed")
            || !self.refused.is_empty()
            || has_errors(&self.problems);
        if failed { Exit::Failed } else { Exit::Done }
    }
}

impl ChangeView {
    fn of(prepared: &PreparedChange) -> Self {
        let edits = prepared
            .edits
            .iter()
            .map(|edit| EditView {
                file: edit.file.clone(),
                position: edit.position,
                old: edit.old.clone(),
                new: edit.new.clone(),
            })
            .collect();
        Self {
            app: prepared.app.clone(),
            stage: prepared.stage.clone(),
            from: prepared.change.from.to_string(),
            to: prepared.change.tag.to_string(),
            digest: prepared.change.digest.to_string(),
            reason: prepared.change.reason.clone(),
            link: prepared.link.clone(),
            commit: None,
            approvals: prepared.change.approved.iter().map(GivenView::of).collect(),
            edits,
        }
    }
}

impl StageView {
    /// The view of one stage.
    pub fn of(observation: &Observation, plan: &StagePlan) -> Self {
        let app = &observation.snapshot.apps[plan.key.app];
        let bound = plan.standing.as_ref().and_then(|it| it.rejected.as_ref());
        let (current, split) = match &plan.running {
            Running::Nothing => (None, Vec::new()),
            Running::Split { others, .. } => (Some(plan.running.to_string()), others.clone()),
            Running::One(_) | Running::Unordered(_) => (Some(plan.running.to_string()), Vec::new()),
        };
        let waiting = match &plan.step {
            Step::Waiting(waiting) => Some(waiting),
            _ => None,
        };
        Self {
            app: app.name.to_string(),
            stage: app.stages[plan.key.stage].name.to_string(),
            image: app.image.to_string(),
            state: state(&plan.step),
            current,
            split,
            reason: reason(plan),
            next: waiting.map(|it| format!("{}@{}", it.change.tag, it.change.digest)),
            waits: waiting
                .into_iter()
                .flat_map(|it| it.missing.iter().map(WaitView::of))
                .collect(),
            sites: plan.sites.len(),
            stops: plan.stops.iter().map(StopView::of).collect(),
            went_back: bound.map(|bound| BackView {
                from: bound.from.to_string(),
                by: ByView::of(&bound.by),
            }),
            ungated: observation.plan.ungated.get(&plan.key).map(UngatedView::of),
            states: observation.states(plan).iter().map(StateView::of).collect(),
        }
    }
}

fn state(step: &Step) -> &'static str {
    match step {
        Step::Change(_) => "change",
        Step::UpToDate => "upToDate",
        Step::Waiting(_) | Step::Undecided => "waiting",
        Step::Blocked(blocked) if blocked.is_failure() => "failed",
        Step::Blocked(_) => "waiting",
    }
}

fn reason(plan: &StagePlan) -> String {
    let mut reason = match &plan.step {
        Step::Change(change) => change.reason.clone(),
        Step::Waiting(waiting) => {
            let Change { tag, reason, .. } = &waiting.change;
            format!("{tag} waits: {}; {reason}", waiting.words())
        }
        Step::UpToDate => "runs the choice".to_owned(),
        Step::Undecided => "the registry has not been asked yet".to_owned(),
        Step::Blocked(blocked) => blocked.to_string(),
    };
    if let Some(words) = withheld(plan) {
        let _ = write!(reason, "; {words}");
    }
    let gone = plan
        .selection
        .as_ref()
        .is_some_and(|selection| selection.current_listed == CurrentListed::Gone);
    if gone && !matches!(plan.step, Step::Blocked(_)) {
        let _ = write!(
            reason,
            "; the registry no longer lists {}, which runs",
            plan.running
        );
    }
    reason
}

/// What is said of tags that a person went back from, or closed the pull request of, where that is why they are not chosen.
fn withheld(plan: &StagePlan) -> Option<&str> {
    let went_back = plan
        .standing
        .as_ref()
        .is_some_and(|past| past.rejected.is_some());
    if !went_back && !plan.was_closed {
        return None;
    }
    let mut verdicts = plan.selection.as_ref()?.verdicts.iter();
    verdicts.find_map(|verdict| match &verdict.reason {
        Reason::Withheld(words) => Some(&**words),
        _ => None,
    })
}

/// Says on stderr which config repo the plan is of and on which commit, and what is not known without one.
pub fn print_heading(view: &PlanView, output: Output) {
    /// As many digits as `git log --oneline` shows in a large repository.
    const SHORT: usize = 12;
    let commit = view
        .commit
        .as_deref()
        .map_or("the working tree", |id| id.get(..SHORT).unwrap_or(id));
    output.note(format!("{} at {commit}", view.repository));
    if view.commit.is_none() {
        output.note(
            "the branch's history is not read with --path: what people went back from, who decided what and what \
             stages ran before are not known",
        );
    }
}

/// Prints the stages of a plan, a line each.
pub fn print_stages(view: &PlanView, output: Output) {
    let width = view
        .stages
        .iter()
        .map(|stage| stage.app.len() + stage.stage.len() + 1)
        .max()
        .unwrap_or(0);
    for stage in &view.stages {
        let (word, style) = match stage.state {
            "change" => ("change", "32"),
            "upToDate" => ("up to date", "2"),
            "failed" => ("failed", "31"),
            _ => ("waiting", "33"),
        };
        let name = format!("{}/{}", stage.app, stage.stage);
        let word = output.paint(style, &format!("{word:<10}"));
        let current = stage.current.as_deref().unwrap_or("-");
        output.line(format!(
            "{name:<width$}  {word}  {current}  {}",
            stage.reason
        ));
        print_states(stage, output);
    }
}

/// Prints a commit as `git log -p` would: its message, then the diff of each file.
pub fn print_commit(prepared: &Prepared, id: Option<CommitId>, output: Output) {
    let heading = match id {
        Some(id) => format!("commit {id}"),
        None => "commit (not made)".to_owned(),
    };
    output.line(output.paint("33", &heading));
    output.line("");
    for line in prepared.message.lines() {
        output.line(if line.is_empty() {
            String::new()
        } else {
            format!("    {line}")
        });
    }
    output.line("");
    for file in &prepared.files {
        output.raw(diff::unified(
            &file.path,
            &file.before,
            &file.after,
            output.color(),
        ));
    }
    output.line("");
}
