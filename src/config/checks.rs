//! What must be green before a stage changes.
//!
//! Invariant: a check is one thing: a gate by its name, or names of statuses. Which URL a gate has is said in
//! the service file alone, so that an app file can have nobody asked, nor be told a token.

use globset::{GlobBuilder, GlobMatcher};

use super::name::Name;
use super::raw_app::conditions::RawCheck;
use super::read::{At, Field, shorten};
use super::report::{Mistake, Report};
use crate::diag::Position;

/// Most checks of a stage: each gate is a request, and who needs more wants one that asks the others.
const MOST_CHECKS: usize = 16;

/// Most names of statuses in one check, for the same reason.
const MOST_STATUSES: usize = 64;

/// Longest name of a status, in bytes: forges take at most 255.
pub(super) const MAX_STATUS: usize = 255;

/// Something that must be green before a change.
#[derive(Debug, Clone)]
pub struct Check {
    /// What it is.
    pub of: CheckOf,
    /// The file that says it.
    pub file: String,
    /// Where it is there.
    pub position: Position,
}

/// What a check is.
#[derive(Debug, Clone)]
pub enum CheckOf {
    /// A gate of the service file.
    Gate(Name),
    /// Statuses and checks on the forge, of the commit that brought the change to the stage before: each of
    /// these names one at least, and all that they name are green.
    Statuses(Vec<StatusGlob>),
}

/// The name of a status, or a glob over names, in which `*` does not cross `/` and `**` does.
#[derive(Debug, Clone)]
pub struct StatusGlob {
    text: String,
    glob: GlobMatcher,
}

impl StatusGlob {
    /// The glob that `text` is.
    pub(crate) fn new(text: &str) -> Result<Self, Mistake> {
        if text.is_empty() || text.len() > MAX_STATUS {
            let message = format!("a status has a name of 1 to {MAX_STATUS} bytes");
            return Err(Mistake::new(message));
        }
        let glob = GlobBuilder::new(text).literal_separator(true).build();
        let glob = glob.map_err(|error| {
            let why = error.kind();
            Mistake::new(format!(
                "`{}` can't be used as a glob: {why}",
                shorten(text)
            ))
            .hint("write `[[]` for `[` and `[{]` for `{`")
        })?;
        Ok(Self {
            text: text.to_owned(),
            glob: glob.compile_matcher(),
        })
    }

    /// Whether a status of this name is meant.
    pub fn matches(&self, name: &str) -> bool {
        self.text == name || self.glob.is_match(name)
    }

    /// As it is written.
    pub fn as_str(&self) -> &str {
        &self.text
    }
}

/// The checks of a stage; what is wrong is reported, and there may be no value.
pub(super) fn checks(
    field: &mut Field<Vec<At<RawCheck>>>,
    report: &mut Report<'_>,
) -> Option<Vec<Check>> {
    let Some(list) = field.take() else {
        // Checks that could not be read must not turn into none.
        return (!field.is_written()).then(Vec::new);
    };
    if list.value.len() > MOST_CHECKS {
        let message = format!("{} checks are more than {MOST_CHECKS}", list.value.len());
        report.error(list.spot, Mistake::new(message));
        return None;
    }
    let all: Vec<Option<Check>> = list
        .value
        .into_iter()
        .map(|entry| check(entry, report))
        .collect();
    all.into_iter().collect()
}

fn check(entry: At<RawCheck>, report: &mut Report<'_>) -> Option<Check> {
    let mut raw = entry.value;
    if raw.gate.is_written() == raw.statuses.is_written() {
        let mistake = Mistake::new("a check is one thing: `gate` or `statuses`");
        report.error(entry.spot, mistake.hint("list each check by itself"));
        return None;
    }
    let of = match raw.gate.take() {
        Some(gate) => CheckOf::Gate(gate.value),
        None => {
            let list = raw.statuses.take()?;
            if list.value.len() > MOST_STATUSES {
                let message = format!("{} names are more than {MOST_STATUSES}", list.value.len());
                let hint = "a glob such as `ci/*` names several";
                report.error(list.spot, Mistake::new(message).hint(hint));
                return None;
            }
            CheckOf::Statuses(list.value.into_iter().map(|at| at.value).collect())
        }
    };
    Some(Check {
        of,
        file: report.file(entry.spot.source).to_owned(),
        position: entry.spot.at,
    })
}
