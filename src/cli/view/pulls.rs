//! Pull requests as people and machines read them.
//!
//! Invariant: what a pass means to do and what it did have the same shape, so that a plan can be compared
//! with what came of it.

use serde::Serialize;

use super::{ChangeView, print_commit};
use crate::cli::output::Output;
use crate::reconcile::pulls::{Did, Done, Fate, Planned};

/// The pull request of a group.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct PullView {
    /// Its branch.
    pub branch: String,
    /// Its title.
    pub title: String,
    /// In a plan `open`, `update`, `close`, `remove`, `keep` or `left`; after a pass `opened`, `updated`,
    /// `closed`, `removed`, `kept`, `left` or `failed`.
    pub state: &'static str,
    /// Why it is left, closed or failed.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub reason: Option<String>,
    /// Why it may not be merged now.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub waits: Option<String>,
    /// Its number, where there is one.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub number: Option<u64>,
    /// Its page, where there is one.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub url: Option<String>,
    /// What it changes.
    pub changes: Vec<ChangeView>,
}

impl PullView {
    /// The view of what a pass means to do.
    pub fn of(planned: &Planned) -> Self {
        let (state, reason) = match &planned.fate {
            Fate::None | Fate::Kept => ("keep", None),
            Fate::Open => ("open", None),
            Fate::Update | Fate::Supersede | Fate::Reword => ("update", None),
            Fate::Left(why) => ("left", Some(why.clone())),
            Fate::Close(why) => ("close", Some(why.clone())),
            Fate::Sweep => ("remove", None),
        };
        let commits = planned
            .proposal
            .iter()
            .flat_map(|proposal| &proposal.commits);
        let changes = commits.flat_map(|commit| &commit.changes);
        Self {
            branch: planned.branch.clone(),
            title: planned.title(),
            state,
            reason,
            waits: planned.gate.words().map(str::to_owned),
            number: planned.pull.as_ref().map(|pull| pull.number),
            url: planned.pull.as_ref().map(|pull| pull.url.clone()),
            changes: changes.map(ChangeView::of).collect(),
        }
    }

    /// Notes what came of it.
    pub fn done(&mut self, done: &Done) {
        let (state, reason) = match &done.did {
            Did::Nothing => ("kept", None),
            Did::Opened => ("opened", None),
            Did::Updated => ("updated", None),
            Did::Closed(why) => ("closed", Some(why.clone())),
            Did::Removed => ("removed", None),
            Did::Left(why) => ("left", Some(why.clone())),
            Did::Failed(why) => ("failed", Some(why.clone())),
        };
        self.state = state;
        self.reason = reason.or_else(|| done.but.clone());
        self.number = done.number;
        self.url.clone_from(&done.url);
    }

    /// Whether a pass would do something.
    pub fn is_pending(&self) -> bool {
        matches!(self.state, "open" | "update" | "close" | "remove")
    }
}

/// Prints pull requests, a paragraph each; with the commits of those that are not there yet.
pub fn print(views: &[PullView], planned: &[Planned], output: Output) {
    for view in views {
        let number = view.number.map(|number| format!(" #{number}"));
        let word = output.paint("33", &format!("pull request{}", number.unwrap_or_default()));
        output.line(format!(
            "{word}  {}: {} ({})",
            view.state, view.title, view.branch
        ));
        let notes = [view.url.clone(), view.reason.clone(), view.waits.clone()];
        for note in notes.into_iter().flatten() {
            output.line(format!("    {note}"));
        }
        output.line("");
        let commits = planned
            .iter()
            .filter(|planned| planned.branch == view.branch);
        let commits = commits.filter_map(|planned| planned.proposal.as_ref());
        if view.state != "keep" && view.state != "kept" {
            for commit in commits.flat_map(|proposal| &proposal.commits) {
                print_commit(commit, None, output);
            }
        }
    }
}
