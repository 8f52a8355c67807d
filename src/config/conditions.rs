//! When changes of a stage may be made, and when not.
//!
//! Invariant: a freeze knows its place in the file, which is all that is known of who made it. What can't be
//! read is a mistake, never no condition.

use jiff::Timestamp;

use super::raw_app::conditions::{RawFreeze, RawWindow};
use super::read::{At, Field};
use super::report::{Mistake, Report};
use crate::diag::Position;
use crate::promotion::windows::Window;

/// Most windows of a stage: each is asked in every pass, and who needs more wants another schedule.
const MOST_WINDOWS: usize = 32;

/// A time without changes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Freeze {
    /// From when; it has begun without.
    pub from: Option<Timestamp>,
    /// Until when; until it is taken out without.
    pub until: Option<Timestamp>,
    /// Why.
    pub reason: Option<String>,
    /// The file that says it.
    pub file: String,
    /// Where it is there.
    pub position: Position,
}

impl Freeze {
    /// Whether it is in force at `now`.
    pub fn is_in_force(&self, now: Timestamp) -> bool {
        let begun = self.from.is_none_or(|from| from <= now);
        begun && self.until.is_none_or(|until| now < until)
    }

    /// When that changes next.
    pub fn changes_at(&self, now: Timestamp) -> Option<Timestamp> {
        let times = [self.from, self.until].into_iter().flatten();
        times.filter(|time| *time > now).min()
    }
}

/// The windows of a stage; what is wrong is reported, and there may be no value.
pub fn windows(
    field: &mut Field<Vec<At<RawWindow>>>,
    report: &mut Report<'_>,
) -> Option<Vec<Window>> {
    let Some(list) = field.take() else {
        return (!field.is_written()).then(Vec::new);
    };
    if list.value.len() > MOST_WINDOWS {
        let message = format!("{} windows are more than {MOST_WINDOWS}", list.value.len());
        let hint = "a schedule can name several days and hours, such as `0 9,14 * * MON-FRI`";
        report.error(list.spot, Mistake::new(message).hint(hint));
        return None;
    }
    let all = list.value.into_iter().map(|entry| {
        let mut raw = entry.value;
        Some(Window {
            schedule: raw.cron.take()?.value,
            length: raw.duration.take()?.value.0,
            zone: raw.timezone.take()?.value,
        })
    });
    all.collect()
}

/// The freezes of a stage; what is wrong is reported, and there may be no value.
pub fn freezes(
    field: &mut Field<Vec<At<RawFreeze>>>,
    report: &mut Report<'_>,
) -> Option<Vec<Freeze>> {
    let Some(list) = field.take() else {
        return (!field.is_written()).then(Vec::new);
    };
    let all: Vec<Option<Freeze>> = list
        .value
        .into_iter()
        .map(|entry| freeze(entry, report))
        .collect();
    all.into_iter().collect()
}

fn freeze(entry: At<RawFreeze>, report: &mut Report<'_>) -> Option<Freeze> {
    let mut raw = entry.value;
    if !raw.from.is_written() && !raw.until.is_written() {
        let hint = "for a stop without an end, write `push: off` or a hold";
        let mistake = Mistake::new("a freeze says `from`, `until` or both").hint(hint);
        report.error(entry.spot, mistake);
        return None;
    }
    if let (Some(from), Some(until)) = (raw.from.get(), raw.until.get())
        && until.value.0 <= from.value.0
    {
        report.error(until.spot, Mistake::new("it ends before it begins"));
        return None;
    }
    Some(Freeze {
        from: optional(&mut raw.from)?.map(|from| from.0),
        until: optional(&mut raw.until)?.map(|until| until.0),
        reason: optional(&mut raw.reason)?,
        file: report.file(entry.spot.source).to_owned(),
        position: entry.spot.at,
    })
}

/// The value, if one is written; none at all where it could not be read.
fn optional<T>(field: &mut Field<T>) -> Option<Option<T>> {
    match field.take() {
        Some(at) => Some(Some(at.value)),
        None => (!field.is_written()).then_some(None),
    }
}
