//! What a change still waits for, once nothing stops it: the conditions of its stage.
//!
//! Invariant: a change that waits is the one that would be made, with its digest as read in this pass; only
//! when it is made is another matter. A decision what to deploy waits for nothing.

use std::fmt;

use jiff::{Timestamp, Zoned};

use super::case::Case;
use super::{Change, Step};
use crate::promotion::windows::{self, State};

/// A change that is not made yet.
#[derive(Debug, Clone)]
pub struct Waiting {
    /// The change.
    pub change: Change,
    /// What it waits for, at least one thing.
    pub missing: Vec<Missing>,
}

/// Something that a change waits for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Missing {
    /// A window of the stage.
    Window {
        /// When it opens, by its own clock; `None` if that can't be told.
        opens: Option<Zoned>,
        /// What goes at once, in words for a person.
        instead: String,
    },
}

impl Missing {
    /// When it is there, if that is known.
    pub fn until(&self) -> Option<Timestamp> {
        let Self::Window { opens, .. } = self;
        opens.as_ref().map(Zoned::timestamp)
    }
}

impl fmt::Display for Missing {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self::Window { opens, instead } = self;
        match opens {
            Some(opens) => {
                let zone = opens.time_zone().iana_name().unwrap_or("UTC");
                let local = opens.strftime("%a %H:%M");
                write!(f, "window opens {local} {zone} ({})", opens.timestamp())?;
            }
            None => f.write_str("no window opens")?,
        }
        write!(f, "; {instead}")
    }
}

impl Waiting {
    /// What it waits for, in words for a person.
    pub fn words(&self) -> String {
        let missing: Vec<String> = self.missing.iter().map(Missing::to_string).collect();
        missing.join("; and ")
    }
}

impl Case<'_> {
    /// The step once the conditions of the stage are looked at, and when that changes by the clock alone.
    /// Where nothing would be changed, they don't matter.
    pub(super) fn unless_waiting(&self, step: Step) -> (Step, Option<Timestamp>) {
        let windows = &self.app.stages[self.key.stage].windows;
        let change = match step {
            Step::Change(change) if !windows.is_empty() => change,
            other => return (other, None),
        };
        let state = windows::state(windows, self.facts.now);
        let changes_at = state.changes_at();
        let step = match state {
            State::Open { .. } => Step::Change(change),
            State::Closed { opens } => {
                let (names, tag) = (self.names(), &change.tag);
                let instead = format!("`tagwright deploy {names} {tag}` goes at once");
                Step::Waiting(Waiting {
                    change,
                    missing: vec![Missing::Window { opens, instead }],
                })
            }
        };
        (step, changes_at)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_window_is_told_by_its_own_clock() {
        let told = |opens: Option<&str>| {
            let opens = opens.map(|text| text.parse().unwrap());
            let instead = "write it".to_owned();
            Missing::Window { opens, instead }.to_string()
        };
        assert_eq!(
            told(Some("2026-11-30T09:00[Europe/London]")),
            "window opens Mon 09:00 Europe/London (2026-11-30T09:00:00Z); write it"
        );
        assert_eq!(
            told(Some("2026-07-04T09:30[Asia/Kolkata]")),
            "window opens Sat 09:30 Asia/Kolkata (2026-07-04T04:00:00Z); write it"
        );
        assert_eq!(told(None), "no window opens; write it");
    }
}
