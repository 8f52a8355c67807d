//! Checks of stages that nobody can answer, by what the configuration has.
//!
//! Invariant: where there is no configuration, nothing is said of it.

use crate::config::{Check, CheckOf, ForgeAccess, Stage};
use crate::diag::{self, Diagnostic};
use crate::reconcile::snapshot::Snapshot;

/// What the configuration has to answer checks with.
pub(super) struct Answering {
    /// The names of its gates.
    pub(super) gates: Vec<String>,
    /// Whether the forge of the config repo can be asked.
    pub(super) forge: bool,
}

impl Answering {
    /// What a config repo on `forge` has.
    pub(super) fn new(gates: Vec<String>, forge: Option<&ForgeAccess>) -> Self {
        let forge = forge.is_some();
        Self { gates, forge }
    }

    /// The checks of `snapshot` that can't be answered, each at its place.
    pub(super) fn unanswered(&self, snapshot: &Snapshot) -> Vec<Diagnostic> {
        let stages = snapshot.apps.iter().flat_map(|app| &app.stages);
        let checks = stages.flat_map(|stage| stage.checks.iter().map(move |check| (stage, check)));
        let mut all: Vec<Diagnostic> = Vec::new();
        for found in checks.filter_map(|(stage, check)| self.of(stage, check)) {
            // Those of defaults are the same for all apps.
            if !all.contains(&found) {
                all.push(found);
            }
        }
        all
    }

    fn of(&self, stage: &Stage, check: &Check) -> Option<Diagnostic> {
        let (message, hint) = match &check.of {
            CheckOf::Gate(gate) => {
                let gate = gate.as_str();
                if self.gates.iter().any(|known| known == gate) {
                    return None;
                }
                let near = diag::suggest(gate, self.gates.iter().map(String::as_str));
                let hint = match near {
                    Some(near) => format!("did you mean `{near}`?"),
                    None => "add it under `gates` in tagwright.yaml".to_owned(),
                };
                (
                    format!("no gate is called `{gate}`, so the stage never changes"),
                    hint,
                )
            }
            CheckOf::Statuses(_) if stage.entry.is_none() => {
                let message =
                    "no stage comes before, so there is no commit whose statuses could be green";
                (
                    message.to_owned(),
                    "name the stage before with `after`".to_owned(),
                )
            }
            CheckOf::Statuses(_) if self.forge => return None,
            CheckOf::Statuses(_) => {
                let message = "no forge can be asked for statuses, so the stage never changes";
                let hint = "add `forge` to the config repo in tagwright.yaml";
                (message.to_owned(), hint.to_owned())
            }
        };
        let warning = Diagnostic::warning(&check.file, message);
        Some(warning.at_bare(check.position).hint(hint))
    }
}
