//! Holds of the service: stops that need no commit.
//!
//! Invariant: a hold knows its place in the file, which is all that is known of who made it; and one that
//! can't be read is a mistake, never none.

use jiff::Timestamp;

use crate::config::name::Name;
use crate::config::raw_service::holds::RawHold;
use crate::config::read::{At, Field};
use crate::config::report::Report;
use crate::diag::Position;

/// A stop of stages.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Hold {
    /// The apps; all without.
    pub apps: Option<Vec<String>>,
    /// The stages, by name; all without.
    pub stages: Option<Vec<String>>,
    /// Why.
    pub reason: String,
    /// Until when; until it is taken out without.
    pub until: Option<Timestamp>,
    /// Whether it is of every config repo.
    pub everywhere: bool,
    /// The service file.
    pub file: String,
    /// Where it is there.
    pub position: Position,
}

impl Hold {
    /// Whether it is of a stage of these names, and in force at `now`.
    pub fn holds(&self, app: &str, stage: &str, now: Timestamp) -> bool {
        let named = |names: &Option<Vec<String>>, name: &str| {
            let names = names.as_ref();
            names.is_none_or(|names| names.iter().any(|known| known == name))
        };
        let over = self.until.is_some_and(|until| until <= now);
        !over && named(&self.apps, app) && named(&self.stages, stage)
    }
}

/// The holds; what is wrong is reported, and there may be no value.
pub(super) fn holds(
    field: &mut Field<Vec<At<RawHold>>>,
    everywhere: bool,
    report: &Report<'_>,
) -> Option<Vec<Hold>> {
    let Some(list) = field.take() else {
        return (!field.is_written()).then(Vec::new);
    };
    let all = list
        .value
        .into_iter()
        .map(|entry| hold(entry, everywhere, report));
    all.collect()
}

fn hold(entry: At<RawHold>, everywhere: bool, report: &Report<'_>) -> Option<Hold> {
    let mut raw = entry.value;
    Some(Hold {
        apps: names(&mut raw.apps)?,
        stages: names(&mut raw.stages)?,
        reason: raw.reason.take()?.value,
        until: match raw.until.take() {
            Some(until) => Some(until.value.0),
            None if raw.until.is_written() => return None,
            None => None,
        },
        everywhere,
        file: report.file(entry.spot.source).to_owned(),
        position: entry.spot.at,
    })
}

/// The names, if any are written; none at all where they could not be read.
fn names(field: &mut Field<Vec<At<Name>>>) -> Option<Option<Vec<String>>> {
    match field.take() {
        Some(list) => {
            let names = list.value.iter().map(|name| name.value.to_string());
            Some(Some(names.collect()))
        }
        None => (!field.is_written()).then_some(None),
    }
}
