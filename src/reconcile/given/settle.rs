//! What is to be done about each hold, by what its file says.
//!
//! Invariant: pure. An entry is added only if an equal one is not in force, and a release only where what it
//! would end is that hold alone.

use std::collections::BTreeMap;

use jiff::Timestamp;

use super::{Given, Of};
use crate::decision::freeze::{self, Freezing, Stages};
use crate::decision::{self, Decision};

/// Files by path, as text; those that are not there are empty, and `None` where they can't be understood.
pub(super) type Files = BTreeMap<String, Option<String>>;

/// What is to be done about a hold.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Next {
    /// Nothing.
    Nothing,
    /// It is over, or was ended by others: it is forgotten.
    Forget,
    /// Git has it already.
    There,
    /// This is to be added to its file.
    Add(String),
    /// It can't be done now.
    Wait(String),
}

/// What is to be done about `given` at `now`.
pub(super) fn next(given: &Given, files: &Files, now: Timestamp) -> Next {
    let path = given.file();
    if given.is_over(now) {
        return Next::Forget;
    }
    let Some(Some(text)) = files.get(&path) else {
        return Next::Wait(format!("{path} has mistakes"));
    };
    let (in_force, alone) = match &given.of {
        Of::Stage { .. } => (stage_has(given, text, now), true),
        Of::All(name) => freezes_have(given, name.as_deref(), text, now),
    };
    match (&given.released, &given.commit, in_force) {
        (None, None, true) => Next::There,
        (None, None, false) => Next::Add(entry(given)),
        (None, Some(_), true) => Next::Nothing,
        (None, Some(_), false) | (Some(_), _, false) => Next::Forget,
        (Some(_), _, true) if alone => Next::Add(release(given)),
        (Some(_), _, true) => Next::Wait(format!(
            "another freeze of the same stages is in force, and a release in {path} would end that too"
        )),
    }
}

/// Whether the hold in force in a decision file is this one.
fn stage_has(given: &Given, text: &str, now: Timestamp) -> bool {
    let decisions = decision::legible(text);
    let (hold, _) = decision::in_force(&decisions, now);
    hold.is_some_and(|hold| hold.reason == given.reason && hold.until == given.until)
}

/// Whether this one is in force in the freezes file, and whether a release of its stages would end it alone.
fn freezes_have(given: &Given, name: Option<&str>, text: &str, now: Timestamp) -> (bool, bool) {
    let wanted = stages(name);
    let mut others: Vec<&Freezing> = Vec::new();
    let mut there = false;
    let all = freeze::legible(text);
    for freezing in &all {
        match freezing {
            Freezing::Release(released) => {
                there &= !covers(released, &wanted);
                others.retain(|other| !covers(released, other.stages()));
            }
            Freezing::Freeze {
                stages,
                from: None,
                until,
                reason,
            } if *stages == wanted
                && *until == given.until
                && reason.as_deref() == Some(given.reason.as_str()) =>
            {
                there = true;
            }
            Freezing::Freeze { stages, until, .. } => {
                let over = until.is_some_and(|until| until <= now);
                if !over && meet(stages, &wanted) {
                    others.push(freezing);
                }
            }
        }
    }
    (there, others.is_empty())
}

/// Whether a release of `released` ends a freeze of `stages` whole.
fn covers(released: &Stages, stages: &Stages) -> bool {
    match (released, stages) {
        (Stages::All, _) => true,
        (Stages::Named(_), Stages::All) => false,
        (Stages::Named(_), Stages::Named(names)) => names.iter().all(|name| released.has(name)),
    }
}

/// Whether two sets of stages have one in common.
fn meet(a: &Stages, b: &Stages) -> bool {
    match (a, b) {
        (Stages::All, _) | (_, Stages::All) => true,
        (Stages::Named(names), other) => names.iter().any(|name| other.has(name)),
    }
}

fn stages(name: Option<&str>) -> Stages {
    match name {
        None => Stages::All,
        Some(name) => Stages::Named(vec![name.to_owned()]),
    }
}

/// The entry of a hold.
fn entry(given: &Given) -> String {
    let (reason, until) = (given.reason.clone(), given.until);
    match &given.of {
        Of::Stage { .. } => Decision::Hold { reason, until }.entry(),
        Of::All(name) => Freezing::Freeze {
            stages: stages(name.as_deref()),
            from: None,
            until,
            reason: Some(reason),
        }
        .entry(),
    }
}

/// The entry that ends it.
fn release(given: &Given) -> String {
    match &given.of {
        Of::Stage { .. } => Decision::Release.entry(),
        Of::All(name) => Freezing::Release(stages(name.as_deref())).entry(),
    }
}

/// Whether a file can be understood.
pub(super) fn is_sound(path: &str, text: &str) -> bool {
    match path {
        decision::FREEZES => freeze::read(text).is_ok(),
        _ => decision::read(text).is_ok(),
    }
}
