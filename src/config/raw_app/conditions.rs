//! The conditions of a stage, as they are written.
//!
//! Invariant: a window says whose clock it goes by, since a time of day means nothing without.

use schemars::{Schema, json_schema};

use super::super::checks::{MAX_STATUS, StatusGlob};
use super::super::duration::OpenFor;
use super::super::name::Name;
use super::super::raw_service::holds::Moment;
use super::super::read::{At, Scalar, mirror};
use super::super::report::Mistake;
use crate::promotion::windows::{Error, Schedule, Zone};

mirror! {
    /// When changes may be made.
    RawWindow requires ["cron", "duration", "timezone"] {
        /// When it opens: minute, hour, day of month, month and day of week, such as `0 9 * * MON-FRI`.
        cron = "cron": Schedule,
        /// For how long it is open, such as `8h`: at least a minute.
        duration = "duration": OpenFor,
        /// Whose clock `cron` goes by, such as `Europe/London` or `UTC`.
        timezone = "timezone": Zone,
    }
}

mirror! {
    /// A time without changes.
    RawFreeze requires [] {
        /// When it begins, such as `2026-12-01T09:00:00Z`; it has begun if nothing is said.
        from = "from": Moment,
        /// When it ends, in the same way; when it is taken out of the file if nothing is said.
        until = "until": Moment,
        /// Why.
        reason = "reason": String,
    }
}

mirror! {
    /// Something that must be green before a change: a gate, or statuses.
    RawCheck requires [] {
        /// A gate of the service file, by its name.
        gate = "gate": Name,
        /// Names of statuses and checks, or globs over them, that the forge has for the commit which
        /// brought the change to the stage before.
        statuses = "statuses": Vec<At<StatusGlob>>,
    }
}

impl Scalar for StatusGlob {
    fn parse(text: &str) -> Result<Self, Mistake> {
        Self::new(text)
    }

    fn schema() -> Schema {
        json_schema!({"type": "string", "minLength": 1, "maxLength": MAX_STATUS})
    }
}

impl Scalar for Schedule {
    fn parse(text: &str) -> Result<Self, Mistake> {
        text.parse().map_err(mistake)
    }
}

impl Scalar for Zone {
    fn parse(text: &str) -> Result<Self, Mistake> {
        text.parse().map_err(mistake)
    }

    fn schema() -> Schema {
        json_schema!({"type": "string", "minLength": 1})
    }
}

fn mistake(error: Error) -> Mistake {
    Mistake::new(error.to_string()).hint(error.hint())
}
