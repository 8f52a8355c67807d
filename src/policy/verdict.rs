//! What a selection says: the outcome, and a verdict with a reason for every tag.
//!
//! Invariant: a [`Reason`] tells what would have to change for a rejected tag to pass. Reasons are
//! structured and share their texts, because a selection may hold hundreds of thousands.
//!
//! Words only; nothing is decided here.

use std::fmt;
use std::sync::Arc;

use serde::Serialize;

use super::version::VersionError;
use crate::image::Tag;

/// The result of [`select`](super::select()).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Selection {
    /// What was decided.
    pub outcome: Outcome,
    /// Whether the registry still lists the current tag.
    pub current_listed: CurrentListed,
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

/// Why a tag has its verdict.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Reason {
    /// Selected: the highest of the acceptable tags.
    Highest,
    /// Selected: it runs now and nothing acceptable is higher.
    Current,
    /// Acceptable, and nothing was chosen.
    Passes,
    /// Acceptable, but another one was chosen.
    Outranked,
    /// Acceptable, but lower than what runs now.
    LowerThanCurrent,
    /// Acceptable, but the same version as what runs now.
    SameAsCurrent,
    /// Acceptable and higher than what runs now, but its manifest can't be read.
    Unreadable,
    /// A signature, attestation or SBOM of another tag.
    Signature,
    /// `ignore` names it.
    Ignored {
        /// The glob that does.
        glob: Arc<str>,
    },
    /// `match` does not match it.
    NoMatch {
        /// The pattern.
        pattern: Arc<str>,
    },
    /// `match` matches it, but its `version` group has no part in that.
    NoVersionGroup {
        /// The pattern.
        pattern: Arc<str>,
    },
    /// It, or its `version` group, is not a version.
    NotAVersion(VersionError),
    /// It has another number of parts than the current tag.
    OtherParts {
        /// How many it has.
        found: u8,
        /// How many the current tag has.
        wanted: u8,
    },
    /// It is of another variant.
    OtherVariant {
        /// Its variant; empty for none.
        found: Box<str>,
        /// The one wanted; empty for none.
        wanted: Arc<str>,
    },
    /// It is outside the range.
    OutOfRange {
        /// The range as written.
        range: Arc<str>,
    },
    /// It is a pre-release, and the range, which it fits otherwise, does not admit them.
    Prerelease {
        /// The range written so that it would, if there is such a spelling.
        admitting: Option<Arc<str>>,
    },
    /// It is a pre-release, and the policy denies them.
    PrereleaseDenied,
    /// The registry lists it, but twice did not find its manifest.
    ManifestMissing,
}

impl fmt::Display for Reason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Highest => f.write_str("is the highest acceptable tag"),
            Self::Current => f.write_str("runs now, and nothing acceptable is higher"),
            Self::Passes => f.write_str("passes the policy"),
            Self::Outranked => f.write_str("passes the policy, but another tag was chosen"),
            Self::LowerThanCurrent => f.write_str(
                "passes the policy, but is lower than what runs now; going back needs a decision",
            ),
            Self::SameAsCurrent => {
                f.write_str("passes the policy, but is the same version as what runs now")
            }
            Self::Unreadable => {
                f.write_str("passes the policy, but its manifest can't be read at the moment")
            }
            Self::Signature => {
                f.write_str("is the signature or attestation of an image, never an image to run")
            }
            Self::Ignored { glob } => write!(f, "is ignored by `{glob}`; change `ignore`"),
            Self::NoMatch { pattern } => write!(f, "does not match `{pattern}`; change `match`"),
            Self::NoVersionGroup { pattern } => write!(
                f,
                "matches `{pattern}`, but its `version` group takes no part in it; change `match`"
            ),
            Self::NotAVersion(error) => error.fmt(f),
            Self::OtherParts { found, wanted } => write!(
                f,
                "has {found} version part{} where the current tag has {wanted}",
                if *found == 1 { "" } else { "s" }
            ),
            Self::OtherVariant { found, wanted } => other_variant(f, found, wanted),
            Self::OutOfRange { range } => write!(f, "is outside the range `{range}`"),
            Self::Prerelease { admitting } => {
                f.write_str(
                    "is a pre-release (anything after `-` makes one); add `prereleases: true`",
                )?;
                match admitting {
                    Some(range) => write!(f, " or write the range as `{range}`"),
                    None => Ok(()),
                }
            }
            Self::PrereleaseDenied => f.write_str(
                "is a pre-release (anything after `-` makes one); remove `prereleases: false`",
            ),
            Self::ManifestMissing => {
                f.write_str("is listed, but the registry does not have its manifest")
            }
        }
    }
}

fn other_variant(f: &mut fmt::Formatter<'_>, found: &str, wanted: &str) -> fmt::Result {
    match found {
        "" => f.write_str("has no variant")?,
        _ => write!(f, "is of the variant `{found}`")?,
    }
    match wanted {
        "" => f.write_str(", and one without is wanted")?,
        _ => write!(f, ", and `{wanted}` is wanted")?,
    }
    match found {
        "" => f.write_str("; set `variant: any` to take it"),
        _ => write!(f, "; set `variant: {found}` or `variant: any` to take it"),
    }
}

/// What was decided.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Outcome {
    /// Move to this tag.
    Selected(Tag),
    /// Stay: the current tag passes, and nothing acceptable is higher.
    UpToDate(Tag),
    /// It depends on the manifests of these tags, which are not known yet. Fetch them and ask again.
    Needs(Vec<Tag>),
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
            Self::AbovePolicy { current, highest } => write!(
                f,
                "`{current}` runs and does not pass the policy, whose highest tag is `{highest}`; \
                 nothing moves back without a decision"
            ),
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
pub enum Unorderable {
    /// A tag, and why it can't be ordered.
    Tag(Tag, Reason),
    /// A digest whose tag nobody recorded.
    DigestOnly,
    /// A text that is no tag.
    Unparsable(String),
}

impl fmt::Display for Unorderable {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Tag(tag, reason) => {
                write!(f, "the current tag `{tag}` can't be ordered: it {reason}")?;
            }
            Self::DigestOnly => f.write_str("only a digest is written, and its tag is unknown")?,
            Self::Unparsable(text) => write!(f, "`{text}` has no place in the order")?,
        }
        f.write_str("; write a version there, or set `unordered: replace`")
    }
}
