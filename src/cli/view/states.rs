//! States of stages, and sites that nobody manages, as people and machines read them.
//!
//! Invariant: each has its name and the words that people read.

use jiff::Timestamp;
use serde::Serialize;

use super::{PlanView, StageView};
use crate::cli::output::{self, Output};
use crate::diag::Position;
use crate::reconcile::pulls::Ungated;
use crate::reconcile::states::{State, Unowned, Why};

/// A state of a stage.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct StateView {
    /// `split`, `moved`, `abovePolicy`, `ungated`, `contested` or `shared`.
    pub kind: &'static str,
    /// What that is about, in words for a person.
    pub words: String,
    /// The words as people see them, where the stage's reason doesn't say it.
    #[serde(skip)]
    line: Option<String>,
}

/// A merge against the status.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct UngatedView {
    /// The pull request's number.
    pub number: u64,
    /// Its page.
    pub url: String,
    /// Who merged it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub by: Option<String>,
    /// When.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub at: Option<Timestamp>,
    /// What was missing then.
    pub missing: String,
}

/// An image with sites that nobody manages.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct UnownedView {
    /// The image.
    pub image: String,
    /// `unwatched` or `unreached`.
    pub kind: &'static str,
    /// How many such sites it has.
    pub sites: usize,
    /// The file of the first.
    pub file: String,
    /// Where that is.
    #[serde(flatten)]
    pub position: Position,
}

impl StateView {
    pub(super) fn of(state: &State) -> Self {
        Self {
            kind: state.kind.name(),
            words: state.words.clone(),
            line: (!state.is_the_reason()).then(|| state.to_string()),
        }
    }
}

impl UngatedView {
    pub(super) fn of(ungated: &Ungated) -> Self {
        Self {
            number: ungated.number,
            url: ungated.url.clone(),
            by: ungated.by.clone(),
            at: ungated.at,
            missing: ungated.missing.clone(),
        }
    }
}

impl UnownedView {
    pub(super) fn of(unowned: &Unowned<'_>) -> Self {
        Self {
            image: unowned.image.to_string(),
            kind: match unowned.why {
                Why::Unwatched => "unwatched",
                Why::Unreached => "unreached",
            },
            sites: unowned.sites,
            file: unowned.file.to_owned(),
            position: unowned.position,
        }
    }
}

/// Prints what the reason of a stage doesn't say, a line each.
pub fn print_states(stage: &StageView, output: Output) {
    for line in stage.states.iter().filter_map(|state| state.line.as_ref()) {
        output.line(format!("  {line}"));
    }
}

/// Says on stderr how many images nobody manages.
pub fn print_unowned(view: &PlanView, output: Output) {
    let sites: usize = view.unowned.iter().map(|unowned| unowned.sites).sum();
    if sites > 0 {
        output.note(format!(
            "nobody manages {} of {}; `tagwright check` names them",
            output::count(sites, "site"),
            output::count(view.unowned.len(), "image")
        ));
    }
}
