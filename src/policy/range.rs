//! Version ranges, in the language that users of Flux, Helm and Argo CD write.
//!
//! Syntax and results are those of the Masterminds semver library, version 3: comparators `=`, `!=`,
//! `>`, `<`, `>=`, `<=`, `~`, `^` over whole or partial versions, joined by spaces or commas (and)
//! and `||` (or), and hyphen ranges. Its surprises are kept, because a range that users bring along
//! must not deploy anything else here:
//!
//! - a pre-release matches only where some version of the same and-group has one;
//! - `~0.0.0` matches every version, `^*` only 0.0.0, `<=*` every 0.0.N;
//! - `1.2-2.0` without spaces is 1.2 with the pre-release `2.0`.
//!
//! Invariant: a range is read in time linear in its text, which is limited; matching allocates
//! nothing.

use std::cmp::Ordering;
use std::fmt;
use std::str::FromStr;
use std::sync::Arc;

use super::version::Version;

mod lint;
mod parse;
#[cfg(test)]
mod tests;

pub use lint::RangeLint;
pub use parse::{RangeError, RangeProblem};

/// A set of versions.
#[derive(Debug, Clone)]
pub struct Range {
    text: Arc<str>,
    /// The same range spelled so that it admits pre-releases, if it does not and can.
    admitting: Option<Arc<str>>,
    /// One of them must match.
    groups: Vec<Group>,
}

/// Comparators that must all match.
#[derive(Debug, Clone)]
struct Group {
    comparators: Vec<Comparator>,
    /// Whether a comparator's version has a pre-release.
    prereleases: bool,
}

/// An operator and a version.
#[derive(Debug, Clone)]
struct Comparator {
    operator: Operator,
    given: Given,
    numbers: [u64; 3],
    prerelease: Box<str>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Operator {
    Equal,
    NotEqual,
    Greater,
    GreaterEqual,
    Less,
    LessEqual,
    Tilde,
    Caret,
}

/// How much of a version was written, before the end or the first wildcard.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Given {
    Nothing,
    Major,
    Minor,
    Everything,
}

impl Range {
    /// The range as written.
    pub fn as_str(&self) -> &str {
        &self.text
    }

    pub(super) fn text(&self) -> &Arc<str> {
        &self.text
    }

    /// The range spelled so that it admits pre-releases: `^1` becomes `^1-0`. `None` where it does
    /// already, or where no spelling would (`1.2.3`).
    pub fn admitting_prereleases(&self) -> Option<&Arc<str>> {
        self.admitting.as_ref()
    }

    /// Whether `version` is in the range.
    pub(super) fn contains(&self, version: &Version<'_>) -> bool {
        self.groups.iter().any(|group| {
            (group.prereleases || !version.is_prerelease()) && group.contains(version, false)
        })
    }

    /// Whether `version` is in the range when every group that names no pre-release is read as if
    /// its bounds ended in `-0`, so that `>=1 <2` takes 1.0.0-rc.1 and leaves 2.0.0-rc.1.
    pub(super) fn contains_admitting(&self, version: &Version<'_>) -> bool {
        self.groups
            .iter()
            .any(|group| group.contains(version, !group.prereleases))
    }
}

impl Default for Range {
    /// `*`: every release.
    fn default() -> Self {
        Self {
            text: "*".into(),
            admitting: Some("*-0".into()),
            groups: vec![Group {
                comparators: vec![Comparator {
                    operator: Operator::Equal,
                    given: Given::Nothing,
                    numbers: [0; 3],
                    prerelease: "".into(),
                }],
                prereleases: false,
            }],
        }
    }
}

impl FromStr for Range {
    type Err = RangeError;

    fn from_str(text: &str) -> Result<Self, RangeError> {
        parse::range(text)
    }
}

impl fmt::Display for Range {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text)
    }
}

impl PartialEq for Range {
    /// Ranges are equal when they are written alike.
    fn eq(&self, other: &Self) -> bool {
        self.text == other.text
    }
}

impl Eq for Range {}

impl Group {
    fn contains(&self, version: &Version<'_>, admitting: bool) -> bool {
        self.comparators
            .iter()
            .all(|comparator| comparator.contains(version, admitting))
    }
}

impl Comparator {
    fn contains(&self, version: &Version<'_>, admitting: bool) -> bool {
        let bound = self.version(admitting);
        let order = version.precedence(&bound);
        match self.operator {
            Operator::Equal if self.given == Given::Everything => order.is_eq(),
            Operator::Equal | Operator::Tilde => order.is_ge() && self.tilde(version),
            Operator::Caret => order.is_ge() && self.caret(version),
            Operator::NotEqual => self.differs(version, order),
            Operator::Greater => self.is_below(version, order),
            Operator::GreaterEqual => order.is_ge(),
            Operator::Less => order.is_lt(),
            Operator::LessEqual if self.given == Given::Everything => order.is_le(),
            Operator::LessEqual => self.reaches(version),
        }
    }

    fn version(&self, admitting: bool) -> Version<'_> {
        let prerelease = match admitting && self.can_admit() {
            true => "0",
            false => &*self.prerelease,
        };
        Version {
            numbers: self.numbers,
            prerelease: prerelease.into(),
            parts: 3,
        }
    }

    /// Whether `-0` after the version makes the comparator admit pre-releases and changes nothing
    /// else. It would in `>1.2.3`, which `>1.2.3-0` widens by 1.2.3 itself, and in an exact version.
    fn can_admit(&self) -> bool {
        let whole = self.given == Given::Everything;
        self.prerelease.is_empty()
            && match self.operator {
                Operator::GreaterEqual | Operator::Less | Operator::Tilde | Operator::Caret => true,
                Operator::Equal | Operator::LessEqual => !whole,
                Operator::Greater => matches!(self.given, Given::Major | Given::Minor),
                Operator::NotEqual => false,
            }
    }

    /// The upper bound of `~`, and of a partial version without operator.
    fn tilde(&self, version: &Version<'_>) -> bool {
        let [major, minor, _] = version.numbers;
        let all_zero = self.numbers == [0; 3];
        match self.given {
            Given::Nothing | Given::Everything if all_zero => true,
            Given::Major => major == self.numbers[0],
            Given::Nothing | Given::Minor | Given::Everything => {
                [major, minor] == self.numbers[..2]
            }
        }
    }

    /// The upper bound of `^`: the first number that is not zero stays.
    fn caret(&self, version: &Version<'_>) -> bool {
        let fixed = match (self.given, self.numbers) {
            (Given::Major, _) => 1,
            (Given::Minor, [0, ..]) => 2,
            (_, [0, 0, _]) => 3,
            (_, [0, ..]) => 2,
            _ => 1,
        };
        version.numbers[..fixed] == self.numbers[..fixed]
    }

    /// `!=`: a partial version excludes all that it covers.
    fn differs(&self, version: &Version<'_>, order: Ordering) -> bool {
        let [major, minor, _] = version.numbers;
        match self.given {
            Given::Major => major != self.numbers[0],
            Given::Minor if [major, minor] != self.numbers[..2] => true,
            // Pre-releases that `!=1.2` covers pass where the group admits pre-releases; `!=1.2-rc.1`
            // excludes the pre-release of that name of every patch.
            Given::Minor if version.is_prerelease() || !self.prerelease.is_empty() => {
                version.prerelease != *self.prerelease
            }
            Given::Minor => false,
            Given::Nothing | Given::Everything => order.is_ne(),
        }
    }

    /// `>`: above all that a partial version covers.
    fn is_below(&self, version: &Version<'_>, order: Ordering) -> bool {
        match self.given {
            Given::Major => version.numbers[0] > self.numbers[0],
            Given::Minor => version.numbers[..2] > self.numbers[..2],
            Given::Nothing | Given::Everything => order.is_gt(),
        }
    }

    /// `<=` with a partial version: up to the end of what it covers.
    fn reaches(&self, version: &Version<'_>) -> bool {
        match self.given {
            Given::Major => version.numbers[0] <= self.numbers[0],
            Given::Nothing | Given::Minor | Given::Everything => {
                version.numbers[..2] <= self.numbers[..2]
            }
        }
    }
}
