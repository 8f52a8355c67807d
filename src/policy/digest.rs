//! Following one tag by its digest: the tag is the only candidate, and it is taken when it points to
//! something else than what runs.
//!
//! Invariant: a new digest whose manifests for the relevant platforms are those that run is no change:
//! indexes are pushed anew for an attestation, or for an architecture that nobody here runs.
//!
//! Whether a digest ran before is not known here.

use super::evidence::{Datum, Evidence, Found, Needs, Purpose, Want};
use super::platform::{self, Platforms};
use super::{Conditions, Reason};
use crate::image::Tag;

/// What a followed tag points to, beside what runs.
pub(super) enum Followed {
    /// What runs, in the words of the reason.
    Same(Reason),
    /// Something else.
    Other,
    /// More must be known first.
    Open(Needs),
}

/// Compares what `tag` points to with what runs.
pub(super) fn compare(
    conditions: &Conditions,
    evidence: &Evidence<'_>,
    tag: &Tag,
    found: &Found,
) -> Followed {
    let Some(running) = evidence.current.digest() else {
        return Followed::Other;
    };
    if *running == found.digest {
        return Followed::Same(Reason::PointsHere);
    }
    let needs = Needs {
        tags: match found.platforms {
            Datum::Unasked => vec![tag.clone()],
            _ => Vec::new(),
        },
        of_tags: match found.platforms {
            Datum::Unasked => vec![Want::Platforms],
            _ => Vec::new(),
        },
        purpose: Purpose::Candidates,
        running: (evidence.running == Datum::Unasked).then(|| running.clone()),
    };
    match (&found.platforms, evidence.running) {
        (Datum::Absent, _) | (_, Datum::Absent) => Followed::Other,
        (Datum::Known(new), Datum::Known(old)) if same(conditions, old, new) => {
            Followed::Same(Reason::SameContent)
        }
        (Datum::Known(_), Datum::Known(_)) => Followed::Other,
        _ => Followed::Open(needs),
    }
}

fn same(conditions: &Conditions, old: &Platforms, new: &Platforms) -> bool {
    platform::same_content(&conditions.platforms, old, new)
}
