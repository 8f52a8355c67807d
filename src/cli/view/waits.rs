//! What changes wait for, as people and machines read it.
//!
//! Invariant: each thing is told with what it is and, where that is known, until when.

use jiff::Timestamp;
use serde::Serialize;

use crate::reconcile::plan::Missing;

/// Something that a change waits for.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct WaitView {
    /// `soak` or `window`.
    pub kind: &'static str,
    /// What it is, and what goes without, in words for a person.
    pub words: String,
    /// When it is there, if that is known.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub until: Option<Timestamp>,
}

impl WaitView {
    /// The view of one thing.
    pub(super) fn of(missing: &Missing) -> Self {
        Self {
            kind: match missing {
                Missing::Soak { .. } => "soak",
                Missing::Window { .. } => "window",
            },
            words: missing.to_string(),
            until: missing.until(),
        }
    }
}
