//! Holds of the service, as they are written.
//!
//! Invariant: a hold says why.

use schemars::{Schema, json_schema};

use super::super::name::Name;
use super::super::read::{At, Scalar, mirror, shorten};
use super::super::report::Mistake;

mirror! {
    /// A stop of stages: of all apps and stages, or of those named.
    RawHold requires ["reason"] {
        /// The apps; all if nothing is said.
        apps = "apps": Vec<At<Name>>,
        /// The stages, by name; all if nothing is said.
        stages = "stages": Vec<At<Name>>,
        /// Why.
        reason = "reason": String,
        /// When it ends by itself, such as `2026-12-01T09:00:00Z`.
        until = "until": Moment,
    }
}

/// A moment, with its offset from UTC.
#[derive(Debug, Clone, Copy)]
pub struct Moment(pub jiff::Timestamp);

impl Scalar for Moment {
    fn parse(text: &str) -> Result<Self, Mistake> {
        text.parse().map(Self).map_err(|_| {
            Mistake::new(format!("`{}` is not a time", shorten(text)))
                .hint("write it as 2026-12-01T09:00:00Z")
        })
    }

    fn schema() -> Schema {
        json_schema!({"type": "string", "format": "date-time"})
    }
}
