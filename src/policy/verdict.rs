//! What a selection says: the outcome, and a verdict with a reason for every tag.
//!
//! Invariant: what was decided and what is known of each tag is said in full, so that nobody has to
//! ask the policy again.
//!
//! Words only; nothing is decided here.

use std::fmt;

use jiff::Timestamp;
use serde::Serialize;

use super::{Needs, Rank, Reason, Time};
use crate::image::Tag;

/// The result of [`select`](super::select()).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Selection {
    /// What was decided.
    pub outcome: Outcome,
    /// Whether the registry still lists the current tag.
    pub current_listed: CurrentListed,
    /// When a tag that waits for its age or its rest may be acceptable, the first of them: the time to
    /// select again if nothing else happens before.
    pub recheck: Option<Timestamp>,
    /// One verdict for each tag: the acceptable ones best first, then the rejected ones. The order
    /// does not depend on that of the tags.
    pub verdicts: Vec<TagVerdict>,
}

/// Whether the current tag is among the tags.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub enum CurrentListed {
    /// It is.
    Listed,
    /// It is not: deleted, or of another image. Nothing older replaces it.
    Gone,
    /// There is no current tag.
    NotApplicable,
}

/// A tag and what was made of it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TagVerdict {
    /// The tag.
    pub tag: Tag,
    /// What it is.
    pub verdict: Verdict,
    /// Why.
    pub reason: Reason,
    /// The time that it is ordered by, where the policy orders by time.
    pub time: Option<Time>,
}

impl TagVerdict {
    /// The reason, with the time that the tag is ordered by and who says so.
    pub fn words(&self) -> String {
        match self.time {
            Some(Time { at, source }) => format!("{} ({at}, {source})", self.reason),
            None => self.reason.to_string(),
        }
    }
}

/// What a tag is to the policy.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub enum Verdict {
    /// The choice, or the current tag where it stays.
    Selected,
    /// Passes everything, but is not the choice.
    Acceptable,
    /// Does not pass.
    Rejected,
}

/// What was decided.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Outcome {
    /// Move to this tag.
    Selected(Tag),
    /// Stay: the current tag passes, and nothing acceptable is higher.
    UpToDate(Tag),
    /// It depends on what is not known yet. Fetch that and ask again.
    Needs(Needs),
    /// Choose nothing.
    Nothing(NoChoice),
    /// The current reference has no place in the order.
    Unordered(Unorderable),
}

/// Why nothing is chosen.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum NoChoice {
    /// The image has no tags.
    NoTags,
    /// No tag passes the policy.
    NoneAcceptable,
    /// The current tag does not pass, and nothing that passes is higher.
    AbovePolicy {
        /// The current tag.
        current: Tag,
        /// The highest tag that passes.
        highest: Tag,
        /// What highest means in the policy's order.
        rank: Rank,
    },
    /// The tag that is followed is not listed.
    NotListed(Tag),
    /// The tag that is followed points to something else than what runs, which has to wait.
    Waiting {
        /// The tag.
        tag: Tag,
        /// What it waits for.
        reason: Reason,
    },
    /// A tag could win, but its manifest can't be read.
    Unreadable {
        /// The tag.
        tag: Tag,
        /// Why it can't be read.
        reason: String,
    },
}

impl fmt::Display for NoChoice {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NoTags => f.write_str("the image has no tags"),
            Self::NoneAcceptable => f.write_str("no tag passes the policy"),
            Self::AbovePolicy {
                current,
                highest,
                rank,
            } => write!(
                f,
                "`{current}` runs and does not pass the policy, whose {} tag is `{highest}`; \
                 nothing moves back without a decision",
                rank.best()
            ),
            Self::NotListed(tag) => {
                write!(f, "`{tag}` is followed, but the registry does not list it")
            }
            Self::Waiting { tag, reason } => write!(f, "`{tag}` {reason}"),
            Self::Unreadable { tag, reason } => {
                write!(
                    f,
                    "`{tag}` could be the choice, but can't be read: {reason}"
                )
            }
        }
    }
}

/// A current reference without a place in the order.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Unorderable {
    /// What is there.
    pub what: Disorder,
    /// What would have a place, such as "a version".
    pub wanted: &'static str,
}

/// What has no place in the order.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Disorder {
    /// A tag, and why it can't be ordered.
    Tag(Tag, Reason),
    /// A digest whose tag nobody recorded.
    Digest,
    /// A text that is no tag.
    Unparsable(String),
}

impl fmt::Display for Unorderable {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.what {
            Disorder::Tag(tag, reason) => {
                write!(f, "the current tag `{tag}` can't be ordered: it {reason}")?;
            }
            Disorder::Digest => {
                f.write_str("only a digest is written, and its tag is unknown")?;
            }
            Disorder::Unparsable(text) => write!(f, "`{text}` has no place in the order")?,
        }
        let wanted = self.wanted;
        write!(f, "; write {wanted} there, or set `unordered: replace`")
    }
}
