//! When changes may be made: windows that open by a schedule and stay open for some time.
//!
//! Invariant: a function of the windows and the time alone. What it tells of the next change is when asking
//! again gives something else, save where windows follow each other for so long that nobody needs to know
//! the end. The work is bounded for every schedule.
//!
//! It uses the time zones that the program was built with, and none of the machine's, so that two machines
//! make the same plan.
//!
//! What local times come to where clocks change:
//!
//! - A window is open for its length in elapsed time: one of eight hours that opens the evening before the
//!   clocks go forward closes an hour later by the clock on the wall.
//! - One fixed time of a day that the clocks leave out opens the window at the first moment after the gap;
//!   one that comes twice opens it the first time only.
//! - Of a schedule of several times a day, those that are left out open nothing, and those that come twice
//!   open twice.

use std::fmt;
use std::str::FromStr;
use std::time::Duration;

use croner::Cron;
use croner::parser::{CronParser, Seconds, Year};
use jiff::civil::{DateTime, datetime};
use jiff::tz::{TimeZone, TimeZoneDatabase};
use jiff::{SignedDuration, Timestamp, Zoned};

use crate::diag::suggest;

/// How many windows in a row are followed to find when the last one closes: enough for a week of windows of
/// an hour, and each costs some microseconds.
const MOST_IN_A_ROW: usize = 200;

/// The years in which every schedule that opens at all opens once: after 28 of them weekdays and dates repeat,
/// and each of their fourth ones has a leap day. Looking no further keeps the search short.
const ALL_YEARS: &str = "2024-2051";

/// When they begin.
const EPOCH: DateTime = datetime(2024, 1, 1, 0, 0, 0, 0);

/// A text that says no schedule or time zone.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Error {
    /// It has not five fields.
    #[error("a schedule has five fields, and `{text}` has {count}")]
    Fields {
        /// The text.
        text: String,
        /// How many it has.
        count: usize,
    },
    /// A field is wrong.
    #[error("`{text}` is no cron schedule: {why}")]
    Schedule {
        /// The text.
        text: String,
        /// What is wrong.
        why: String,
    },
    /// No date is ever meant.
    #[error("`{0}` never comes")]
    Never(String),
    /// No time zone has this name.
    #[error("`{text}` is no time zone")]
    Zone {
        /// The text.
        text: String,
        /// What may have been meant.
        near: Option<String>,
    },
}

impl Error {
    /// What to write instead.
    pub fn hint(&self) -> String {
        match self {
            Self::Fields { .. } | Self::Schedule { .. } => {
                "write minute, hour, day of month, month and day of week, such as `0 9 * * MON-FRI`"
                    .to_owned()
            }
            Self::Never(_) => "no month has such a day".to_owned(),
            Self::Zone {
                near: Some(near), ..
            } => format!("did you mean `{near}`?"),
            Self::Zone { near: None, .. } => {
                "write a name of the IANA database, such as `Europe/London` or `UTC`".to_owned()
            }
        }
    }
}

/// When a window opens: five fields as in crontab(5), of which a day of month and a day of week that are
/// both restricted mean either. Days of the week are numbered from Sunday, 0 or 7. `L`, `W` and `#` are
/// understood.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Schedule {
    cron: Cron,
    text: String,
}

impl FromStr for Schedule {
    type Err = Error;

    fn from_str(text: &str) -> Result<Self, Error> {
        let count = text.split_whitespace().count();
        if count != 5 {
            let text = text.to_owned();
            return Err(Error::Fields { text, count });
        }
        let parser = CronParser::builder()
            .seconds(Seconds::Disallowed)
            .year(Year::Disallowed)
            .build();
        let cron = parser.parse(text).map_err(|error| Error::Schedule {
            text: text.to_owned(),
            why: error.to_string(),
        })?;
        match comes(text) {
            true => Ok(Self {
                cron,
                text: text.to_owned(),
            }),
            false => Err(Error::Never(text.to_owned())),
        }
    }
}

/// Whether the dates of five fields ever come.
fn comes(fields: &str) -> bool {
    let parser = CronParser::builder()
        .seconds(Seconds::Required)
        .year(Year::Required)
        .build();
    let within = parser.parse(&format!("0 {fields} {ALL_YEARS}"));
    within.is_ok_and(|cron| cron.find_next_occurrence(&EPOCH, true).is_ok())
}

impl fmt::Display for Schedule {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text)
    }
}

/// A time zone of the IANA database.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Zone(TimeZone);

impl FromStr for Zone {
    type Err = Error;

    fn from_str(text: &str) -> Result<Self, Error> {
        let known = TimeZoneDatabase::bundled();
        known.get(text).map(Self).map_err(|_| {
            let names: Vec<String> = known.available().map(|name| name.to_string()).collect();
            let near = suggest(text, names.iter().map(String::as_str));
            Error::Zone {
                text: text.to_owned(),
                near: near.map(str::to_owned),
            }
        })
    }
}

/// When changes may be made.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Window {
    /// When it opens.
    pub schedule: Schedule,
    /// For how long, in elapsed time; more than nothing.
    pub length: Duration,
    /// Whose clock the schedule goes by.
    pub zone: Zone,
}

/// Whether changes may be made.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum State {
    /// They may.
    Open {
        /// Until then. Where very many windows follow each other without a break, until then at least.
        until: Timestamp,
    },
    /// They may not.
    Closed {
        /// When they may again, by the clock of the window that opens; `None` beyond the years that can be
        /// told.
        opens: Option<Zoned>,
    },
}

impl State {
    /// When it is another one, by the clock alone.
    pub fn changes_at(&self) -> Option<Timestamp> {
        match self {
            Self::Open { until } => Some(*until),
            Self::Closed { opens } => opens.as_ref().map(Zoned::timestamp),
        }
    }
}

/// Whether changes may be made at `now`: while any of `windows` is open, and always where there are none.
pub fn state(windows: &[Window], now: Timestamp) -> State {
    let end = |at: Timestamp| windows.iter().filter_map(|it| it.open_until(at)).max();
    let Some(mut until) = end(now) else {
        if windows.is_empty() {
            let until = Timestamp::MAX;
            return State::Open { until };
        }
        let opens = windows.iter().filter_map(|window| window.opens_after(now));
        return State::Closed {
            opens: opens.min_by_key(Zoned::timestamp),
        };
    };
    // Another may open before this one closes.
    for _ in 0..MOST_IN_A_ROW {
        match end(until) {
            Some(later) => until = later,
            None => break,
        }
    }
    State::Open { until }
}

impl Window {
    /// When it closes, if it is open at `now`. It was the last time to open that matters, since it is open
    /// equally long each time.
    fn open_until(&self, now: Timestamp) -> Option<Timestamp> {
        let opened = self
            .schedule
            .cron
            .find_previous_occurrence(&self.at(now), true);
        let length = SignedDuration::try_from(self.length).unwrap_or(SignedDuration::MAX);
        let until = opened.ok()?.timestamp().saturating_add(length).ok()?;
        (until > now).then_some(until)
    }

    /// When it opens next.
    fn opens_after(&self, now: Timestamp) -> Option<Zoned> {
        let next = self
            .schedule
            .cron
            .find_next_occurrence(&self.at(now), false);
        next.ok()
    }

    /// A time by its clock, without parts of a second: schedules have none.
    fn at(&self, time: Timestamp) -> Zoned {
        let nanoseconds = i64::from(time.subsec_nanosecond().rem_euclid(1_000_000_000));
        let whole = time.saturating_sub(SignedDuration::from_nanos(nanoseconds));
        whole.unwrap_or(time).to_zoned(self.zone.0.clone())
    }
}

#[cfg(test)]
mod tests;
