//! Whether one commit moved a stage back, and from what.
//!
//! Invariant: only values count. Sites that were added, deleted, reordered or renamed are no move; what
//! stays as it is on both sides has no part in the answer, so that the answer is the same for the files
//! that a commit changed and for all of them.
//!
//! Who did it is not looked at here.

use std::cmp::Ordering;

use super::Held;

/// The highest reference that a commit lowered, given all of a stage's before and after it, in any
/// order; `None` where it lowered none.
///
/// Both lists are compared from the highest downwards. With as many or more after, the old ones are
/// compared with the first of the new ones: the others were added. With fewer, the last of the old ones
/// are: the first were deleted.
pub fn moved_back<'h>(
    before: &'h [Held],
    after: &[Held],
    compare: impl Fn(&Held, &Held) -> Ordering,
) -> Option<&'h Held> {
    let mut old: Vec<&Held> = before.iter().collect();
    let mut new: Vec<&Held> = after.iter().collect();
    old.sort_by(|a, b| compare(b, a));
    new.sort_by(|a, b| compare(b, a));
    let deleted = old.len().saturating_sub(new.len());
    let mut pairs = old[deleted..].iter().zip(new);
    let lowered = pairs.find(|(old, new)| compare(new, old).is_lt());
    lowered.map(|(old, _)| *old)
}

#[cfg(test)]
mod tests;
