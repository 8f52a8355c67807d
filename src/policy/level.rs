//! `level`: how far a change may go from what runs now.
//!
//! Invariant: with a level, the parts of the version above it stay as they are; without a current tag
//! nothing is kept.
//!
//! Which numbers are the parts of a version, its order says.

use super::Reason;

/// The highest part of a version that a change may touch.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Level {
    /// The third part, and what comes after it.
    Patch,
    /// The second part.
    Minor,
    /// The first part: any change.
    Major,
}

impl Level {
    /// As it is written in a policy.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Patch => "patch",
            Self::Minor => "minor",
            Self::Major => "major",
        }
    }

    /// Why a change from `current` to `found` goes too far, if it does. Both are parts of versions;
    /// `names` are the words for them.
    pub(super) fn rejection<T: PartialEq>(
        self,
        current: &[T],
        found: &[T],
        names: &[&'static str],
    ) -> Option<Reason> {
        let changed = (0..current.len().max(found.len()))
            .find(|part| current.get(*part) != found.get(*part))?;
        let needed = match changed {
            0 => Self::Major,
            1 => Self::Minor,
            _ => Self::Patch,
        };
        (needed > self).then(|| Reason::TooFar {
            part: names.get(changed).copied().unwrap_or("version"),
            level: self,
            needed,
        })
    }
}
