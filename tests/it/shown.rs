//! What an observation says, as `plan` and `sync` show it.

use tagwright::cli::view::{PlanView, StageView};
use tagwright::reconcile::Observation;

/// An observation as `plan` shows it.
pub fn view(observation: &Observation) -> PlanView {
    PlanView::of("fleet", observation)
}

/// A stage as `plan` shows it, by `APP/STAGE`.
///
/// # Panics
/// When there is no such stage.
pub fn stage(observation: &Observation, name: &str) -> StageView {
    let mut stages = view(observation).stages.into_iter();
    stages
        .find(|stage| format!("{}/{}", stage.app, stage.stage) == name)
        .unwrap_or_else(|| panic!("no stage {name}: {:#?}", view(observation)))
}

/// Asserts a stage's state, and that its reason holds all of `words`.
pub fn assert_stage(observation: &Observation, name: &str, state: &str, words: &[&str]) {
    let stage = stage(observation, name);
    assert_eq!(stage.state, state, "{stage:#?}");
    for word in words {
        assert!(stage.reason.contains(word), "{word}: {stage:#?}");
    }
}

/// Asserts that one problem of the config repo is told at `place` (`FILE` or `FILE:LINE:COLUMN`), with
/// all of `words`.
pub fn assert_problem(observation: &Observation, place: &str, words: &[&str]) {
    let problems: Vec<String> = view(observation)
        .problems
        .iter()
        .map(ToString::to_string)
        .collect();
    let fits = |problem: &&String| {
        problem.contains(place) && words.iter().all(|word| problem.contains(word))
    };
    let found = problems.iter().filter(fits).count();
    assert_eq!(found, 1, "{place} {words:?}: {problems:#?}");
}
