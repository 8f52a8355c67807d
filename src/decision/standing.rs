//! What a stage's decisions together come to.
//!
//! Invariant: a pure function of the entries in their order and the time; later entries win.

use jiff::Timestamp;

use super::{Decided, Decision};

/// The hold that is in force.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Hold<'d> {
    /// Which entry.
    pub entry: usize,
    /// Why.
    pub reason: &'d str,
    /// Until when; for good without.
    pub until: Option<Timestamp>,
}

/// A rejection that is in force.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Rejection<'d> {
    /// Which entry.
    pub entry: usize,
    /// What is not to be chosen.
    pub what: &'d Decided,
    /// Why not.
    pub reason: Option<&'d str>,
}

/// What is in force at `now`: the hold, and the rejections.
pub fn in_force<'d>(
    decisions: impl IntoIterator<Item = &'d Decision>,
    now: Timestamp,
) -> (Option<Hold<'d>>, Vec<Rejection<'d>>) {
    let mut hold = None;
    let mut rejections: Vec<Rejection<'d>> = Vec::new();
    for (entry, decision) in decisions.into_iter().enumerate() {
        match decision {
            Decision::Hold { reason, until } => {
                hold = Some(Hold {
                    entry,
                    reason,
                    until: *until,
                });
            }
            Decision::Release => hold = None,
            Decision::Reject { what, reason } => rejections.push(Rejection {
                entry,
                what,
                reason: reason.as_deref(),
            }),
            Decision::Approve { what, .. } | Decision::Deploy { what, .. } => {
                rejections.retain(|rejection| {
                    !what.is(&rejection.what.tag, rejection.what.digest.as_ref())
                });
            }
        }
    }
    let over = |hold: &Hold<'_>| hold.until.is_some_and(|until| until <= now);
    (hold.filter(|hold| !over(hold)), rejections)
}
