//! What a change still waits for, once nothing stops it: the conditions of its stage.
//!
//! Invariant: a change that waits is the one that would be made, with its digest as read in this pass; only
//! when it is made is another matter. A decision what to deploy waits for consents alone.

use std::fmt;

use jiff::{Timestamp, Zoned};

use super::case::Case;
use super::consent::{Asked, Lack};
use super::together::Mates;
use super::{Blocked, Change, Open, Step};
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
    /// People's consent.
    Approval(Box<Asked>),
    /// A check of the stage that is not green.
    Check {
        /// What it says, in words that are the same as long as it says the same.
        brief: String,
        /// The same with the other side's own words.
        full: String,
        /// When it is asked again, if by the clock.
        again: Option<Timestamp>,
    },
    /// Apps of its group that don't change.
    Group(Box<Mates>),
}

impl Missing {
    /// When it is there, if that is known.
    pub fn until(&self) -> Option<Timestamp> {
        match self {
            Self::Soak { until, .. } => Some(*until),
            Self::Window { opens, .. } => opens.as_ref().map(Zoned::timestamp),
            Self::Approval(_) | Self::Check { .. } | Self::Group(_) => None,
        }
    }

    /// A check that says `brief`, with these words of its own where it has any.
    pub(super) fn check(brief: impl Into<String>, own: &str, again: Option<Timestamp>) -> Self {
        let brief = brief.into();
        let full = match (own, brief.strip_suffix(')')) {
            ("", _) => brief.clone(),
            (_, Some(open)) => format!("{open}: {own})"),
            (_, None) => format!("{brief}: {own}"),
        };
        Self::Check { brief, full, again }
    }

    /// Whether there may be a pull request all the same.
    fn may_be_proposed(&self) -> bool {
        match self {
            Self::Soak { .. } => false,
            Self::Window { .. } | Self::Approval(_) | Self::Check { .. } => true,
            Self::Group(mates) => mates.may_be_proposed,
        }
    }

    /// Whether one may be opened all the same.
    fn may_be_opened(&self) -> bool {
        match self {
            Self::Soak { .. } | Self::Check { .. } => false,
            Self::Window { .. } | Self::Approval(_) => true,
            Self::Group(mates) => mates.may_be_opened,
        }
    }

    /// What is missing, without what differs each time it is looked at.
    fn brief(&self) -> String {
        match self {
            Self::Soak { .. } | Self::Window { .. } | Self::Approval(_) => self.to_string(),
            Self::Check { brief, .. } => brief.clone(),
            Self::Group(mates) => mates.brief(),
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
            Self::Approval(asked) => return asked.fmt(f),
            Self::Group(mates) => return mates.fmt(f),
            Self::Check { full, again, .. } => {
                f.write_str(full)?;
                return match again {
                    Some(again) => write!(f, ", asked again at {again}"),
                    None => Ok(()),
                };
            }
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
    /// Whether there may be a pull request for the change while it waits.
    pub fn may_be_proposed(&self) -> bool {
        self.missing.iter().all(Missing::may_be_proposed)
    }

    /// What it waits for, in words for a person.
    pub fn words(&self) -> String {
        let missing: Vec<String> = self.missing.iter().map(Missing::to_string).collect();
        missing.join("; and ")
    }

    /// The same without what differs each time it is looked at, for logs and statuses.
    pub fn brief(&self) -> String {
        let missing: Vec<String> = self.missing.iter().map(Missing::brief).collect();
        missing.join("; and ")
    }

    /// Whether one may be opened meanwhile.
    pub fn may_be_opened(&self) -> bool {
        self.missing.iter().all(Missing::may_be_opened)
    }
}

impl Case<'_> {
    /// The step once the conditions of the stage are looked at, what must be asked for that, and when that
    /// changes by the clock alone. Where nothing would be changed, they don't matter.
    pub(super) fn unless_waiting(
        &self,
        step: Step,
        mut open: Open,
        soaks: Option<Missing>,
    ) -> (Step, Open, Option<Timestamp>) {
        let mut change = match step {
            Step::Change(change) => change,
            other => return (other, open, None),
        };
        let (window, changes_at) = self.window(&change);
        let (lack, expires) = self.consents_to(&mut change);
        let ends = soaks.as_ref().and_then(Missing::until);
        let mut missing: Vec<Missing> = soaks.into_iter().chain(window).collect();
        match lack {
            Lack::Nothing => {}
            Lack::Consents(asked) => missing.push(Missing::Approval(asked)),
            Lack::History => return (Step::Blocked(Blocked::History), open, expires),
            Lack::Unasked(mut asks) => {
                open.asks.append(&mut asks);
                return (Step::Undecided, open, None);
            }
        }
        let expires = [ends, changes_at, expires].into_iter().flatten().min();
        match missing.is_empty() {
            true => (Step::Change(change), open, expires),
            false => (Step::Waiting(Waiting { change, missing }), open, expires),
        }
    }

    /// The window that a change waits for, and when that changes by the clock alone.
    fn window(&self, change: &Change) -> (Option<Missing>, Option<Timestamp>) {
        let stage = &self.app.stages[self.key.stage];
        if stage.windows.is_empty() {
            return (None, None);
        }
        let state = windows::state(&stage.windows, self.facts.now);
        let changes_at = state.changes_at();
        let missing = match state {
            State::Open { .. } => None,
            State::Closed { opens } => {
                let (names, tag) = (self.names(), &change.tag);
                let deploys = stage.consents.deploys.as_ref();
                let instead = match deploys.is_some_and(|asked| asked.rules.required > 0) {
                    true => format!(
                        "`tagwright deploy {names} {tag}@{}` waits for its approvals alone",
                        change.digest
                    ),
                    false => format!("`tagwright deploy {names} {tag}` goes at once"),
                };
                Some(Missing::Window { opens, instead })
            }
        };
        (missing, changes_at)
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
