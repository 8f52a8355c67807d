//! What changes wait for, as people and machines read it.
//!
//! Invariant: each thing is told with what it is and, where that is known, until when. Of consents it is told
//! who gave them, and why others don't count.

use jiff::Timestamp;
use serde::Serialize;

use crate::promotion::approval::{Counted, How, Uncounted};
use crate::reconcile::plan::{Asked, Missing};

/// Something that a change waits for.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct WaitView {
    /// `soak`, `window`, `approval` or `check`.
    pub kind: &'static str,
    /// What it is, and what goes without, in words for a person.
    pub words: String,
    /// When it is there, if that is known.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub until: Option<Timestamp>,
    /// The approvals.
    #[serde(flatten)]
    pub approvals: Option<ApprovalsView>,
}

/// The approvals that a change waits for.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct ApprovalsView {
    /// How many are needed.
    pub needed: usize,
    /// Who may give one and has not.
    pub from: Vec<String>,
    /// Those that count.
    pub given: Vec<GivenView>,
    /// Those of the same reference that don't.
    pub not_counted: Vec<NotCountedView>,
    /// The file of decisions.
    pub file: String,
    /// The entry at its end that gives one.
    pub entry: String,
    /// The command that does the same.
    pub command: String,
}

/// An approval that counts.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct GivenView {
    /// Whose.
    pub person: String,
    /// When it came.
    pub at: Timestamp,
    /// The commit that gave it.
    pub commit: String,
    /// The key that proves whose it is.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub key: Option<String>,
}

/// An approval that does not count.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct NotCountedView {
    /// Whose, where that is known.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub person: Option<String>,
    /// The commit that gave it, where that is known.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub commit: Option<String>,
    /// Why not.
    pub reason: String,
}

impl WaitView {
    /// The view of one thing.
    pub(super) fn of(missing: &Missing) -> Self {
        let (kind, approvals) = match missing {
            Missing::Soak { .. } => ("soak", None),
            Missing::Window { .. } => ("window", None),
            Missing::Check { .. } => ("check", None),
            Missing::Group(_) => ("group", None),
            Missing::Approval(asked) => ("approval", Some(ApprovalsView::of(asked))),
        };
        Self {
            kind,
            words: missing.to_string(),
            until: missing.until(),
            approvals,
        }
    }
}

impl ApprovalsView {
    fn of(asked: &Asked) -> Self {
        Self {
            needed: asked.outcome.required,
            from: asked.from.clone(),
            given: asked.outcome.counted.iter().map(GivenView::of).collect(),
            not_counted: asked.in_vain().map(NotCountedView::of).collect(),
            file: asked.file.clone(),
            entry: asked.entry.clone(),
            command: asked.command.clone(),
        }
    }
}

impl GivenView {
    /// The view of one approval.
    pub(super) fn of(consent: &Counted) -> Self {
        Self {
            person: consent.person.clone(),
            at: consent.at,
            commit: consent.commit.clone(),
            key: match &consent.how {
                How::Key(key) => Some(key.clone()),
                How::Author | How::Merge(_) | How::Review(_) => None,
            },
        }
    }
}

impl NotCountedView {
    fn of(consent: &Uncounted) -> Self {
        Self {
            person: consent.person.clone(),
            commit: consent.commit.clone(),
            reason: consent.why.to_string(),
        }
    }
}
