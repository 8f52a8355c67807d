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
    /// It has not run in the stages before for long enough.
    Soak {
        /// Their names, for people.
        stages: String,
        /// When it has.
        until: Timestamp,
        /// What is said where those before were replaced too soon.
        too_fast: Option<String>,
    },
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
        match self {
            Self::Soak { until, .. } => Some(*until),
            Self::Window { opens, .. } => opens.as_ref().map(Zoned::timestamp),
        }
    }

    /// Whether a pull request may be opened all the same.
    fn may_be_proposed(&self) -> bool {
        match self {
            Self::Soak { .. } => false,
            Self::Window { .. } => true,
        }
    }
}

impl fmt::Display for Missing {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (opens, instead) = match self {
            Self::Soak {
                stages,
                until,
                too_fast,
            } => {
                write!(f, "soaks in {stages} until {until}")?;
                return match too_fast {
                    Some(words) => write!(f, "; {words}"),
                    None => Ok(()),
                };
            }
            Self::Window { opens, instead } => (opens, instead),
        };
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
    /// Whether a pull request may be opened all the same.
    pub fn may_be_proposed(&self) -> bool {
        self.missing.iter().all(Missing::may_be_proposed)
    }

    /// What it waits for, in words for a person.
    pub fn words(&self) -> String {
        let missing: Vec<String> = self.missing.iter().map(Missing::to_string).collect();
        missing.join("; and ")
    }
}

impl Case<'_> {
    /// The step once the conditions of the stage are looked at, and when that changes by the clock alone.
    /// Where nothing would be changed, they don't matter.
    pub(super) fn unless_waiting(
        &self,
        step: Step,
        soaks: Option<Missing>,
    ) -> (Step, Option<Timestamp>) {
        let Step::Change(change) = step else {
            return (step, None);
        };
        let mut changes_at = soaks.as_ref().and_then(Missing::until);
        let mut missing: Vec<Missing> = soaks.into_iter().collect();
        let windows = &self.app.stages[self.key.stage].windows;
        if !windows.is_empty() {
            let state = windows::state(windows, self.facts.now);
            changes_at = changes_at.into_iter().chain(state.changes_at()).min();
            if let State::Closed { opens } = state {
                let (names, tag) = (self.names(), &change.tag);
                let instead = format!("`tagwright deploy {names} {tag}` goes at once");
                missing.push(Missing::Window { opens, instead });
            }
        }
        let step = match missing.is_empty() {
            true => Step::Change(change),
            false => Step::Waiting(Waiting { change, missing }),
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
