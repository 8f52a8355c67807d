//! What there is to tell of a config repo beside its stages.
//!
//! Invariant: it is told wherever the plan is: by commands, in the log and in metrics.

use crate::config::{App, Hold};
use crate::decision;
use crate::diag::{Diagnostic, suggest};
use crate::reconcile::Observation;
use crate::reconcile::decided::Withdrawn;

impl Observation {
    /// What is wrong or left out, what people took back, and holds that are of nothing.
    pub fn problems(&self) -> Vec<Diagnostic> {
        let apps = &self.snapshot.apps;
        let withdrawn = self.facts.decided.withdrawn.iter();
        let withdrawn = withdrawn.filter(|one| counted(apps, &one.path));
        let known = self.snapshot.diagnostics.iter().cloned();
        known
            .chain(withdrawn.map(Withdrawn::told))
            .chain(
                self.facts
                    .holds
                    .iter()
                    .flat_map(|hold| of_nothing(apps, hold)),
            )
            .collect()
    }
}

/// Whether a decision file is about a stage that there is.
fn counted(apps: &[App], path: &str) -> bool {
    let named = |(app, stage): (&str, &str)| {
        let mut apps = apps.iter().filter(|known| known.name.as_str() == app);
        apps.any(|app| app.stages.iter().any(|known| known.name.as_str() == stage))
    };
    decision::about(path).is_some_and(named)
}

/// The names in a hold of this config repo that nothing has: whoever wrote them believes that something is
/// stopped. Those of all config repos may be meant for another one.
fn of_nothing(apps: &[App], hold: &Hold) -> Vec<Diagnostic> {
    if hold.everywhere {
        return Vec::new();
    }
    let names: Vec<&str> = apps.iter().map(|app| app.name.as_str()).collect();
    let stages = apps.iter().flat_map(|app| &app.stages);
    let stages: Vec<&str> = stages.map(|stage| stage.name.as_str()).collect();
    let told = |wanted: &Option<Vec<String>>, known: &[&str], what: &str| {
        let missing = wanted.iter().flatten();
        let missing = missing.filter(|name| !known.contains(&name.as_str()));
        let told = missing.map(|name| {
            let message =
                format!("no valid app file has {what} `{name}`, so nothing is held there");
            let warning = Diagnostic::warning(&hold.file, message).at_bare(hold.position);
            match suggest(name, known.iter().copied()) {
                Some(near) => warning.hint(format!("did you mean `{near}`?")),
                None => warning,
            }
        });
        told.collect::<Vec<_>>()
    };
    [
        told(&hold.apps, &names, "an app"),
        told(&hold.stages, &stages, "a stage"),
    ]
    .concat()
}
