//! The order by time: when a tag was pushed, or when its image was built.
//!
//! Invariant: a tag's place comes from one kind of time alone. A tag without that time is refused by
//! itself rather than placed by another kind, since comparing kinds would compare clocks. A time that
//! nobody has asked for is asked for, of every tag that passes the filters: any of them may be the
//! newest.
//!
//! First-seen times have no part in it: they start over with the cache, and a lost cache must not
//! choose.

use super::evidence::{Datum, ManifestFact, Recorded, Time, Want};
use super::{Reason, TimeOf};
use crate::image::Tag;

impl TimeOf {
    /// As it is written in a policy.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Pushed => "pushed",
            Self::Created => "created",
        }
    }

    pub(super) fn want(self) -> Want {
        match self {
            Self::Pushed => Want::Pushed,
            Self::Created => Want::Created,
        }
    }

    /// The time of `tag`, or why it has none.
    pub(super) fn of(self, tag: &Tag, recorded: &Recorded<'_>) -> Result<Time, Reason> {
        let times = recorded.times_of(tag);
        let time = match self {
            Self::Pushed => times.pushed,
            Self::Created => times.created,
        };
        match (time, recorded.fact(tag)) {
            (Datum::Known(time), _) => Ok(time),
            (_, Some(Some(ManifestFact::Missing))) => Err(Reason::ManifestMissing),
            (_, Some(Some(ManifestFact::MissingOnce))) => {
                Err(Reason::TimeUnreadable(super::select::MISSING_ONCE.into()))
            }
            (_, Some(Some(ManifestFact::Unreadable(why)))) => {
                Err(Reason::TimeUnreadable(why.as_str().into()))
            }
            (Datum::Absent, _) | (_, None) => Err(Reason::NoTime(self)),
            (Datum::Unasked, _) => Err(Reason::TimeUnasked),
        }
    }
}
