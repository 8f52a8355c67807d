//! Why a tag has its verdict, in words that a developer understands.
//!
//! Invariant: a [`Reason`] tells what would have to change for a rejected tag to pass. Reasons are
//! structured and share their texts, because a selection may hold hundreds of thousands.
//!
//! Words only; nothing is decided here.

use std::fmt;
use std::sync::Arc;

use jiff::Timestamp;

use super::version::VersionError;
use super::{Level, Platform, Time, TimeOf};
use crate::image::Tag;

/// The words for better and worse in an order.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Rank {
    /// The highest is the best.
    Up,
    /// The lowest is the best.
    Down,
    /// The newest is the best.
    Later,
}

impl Rank {
    /// The word for the best: "highest".
    pub fn best(self) -> &'static str {
        match self {
            Self::Up => "highest",
            Self::Down => "lowest",
            Self::Later => "newest",
        }
    }

    /// The word for better: "higher".
    pub fn better(self) -> &'static str {
        match self {
            Self::Up => "higher",
            Self::Down => "lower",
            Self::Later => "newer",
        }
    }

    /// The word for worse: "lower".
    pub fn worse(self) -> &'static str {
        match self {
            Self::Up => "lower",
            Self::Down => "higher",
            Self::Later => "older",
        }
    }
}

/// Why a tag has its verdict.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Reason {
    /// Selected: the highest of the acceptable tags.
    Highest(Rank),
    /// Selected: it runs now and nothing acceptable is higher.
    Current(Rank),
    /// Acceptable, and nothing was chosen.
    Passes,
    /// Acceptable, but another one was chosen.
    Outranked,
    /// Acceptable, but lower than what runs now.
    LowerThanCurrent(Rank),
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
    /// `match` matches it, but a group that is compared has no part in that.
    NoGroup {
        /// The pattern.
        pattern: Arc<str>,
        /// The group.
        group: Arc<str>,
    },
    /// It, or its `version` group, is not a version.
    NotAVersion(VersionError),
    /// It, or what is compared of it, has not the form of the calendar versions.
    OtherFormat {
        /// The format.
        format: Arc<str>,
    },
    /// It, or what is compared of it, is not a number.
    NotANumber,
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
    /// It is a pre-release of a calendar version, and the policy does not admit them.
    PrereleaseOfDate,
    /// It changes more of the version than `level` allows.
    TooFar {
        /// What changes.
        part: &'static str,
        /// The level of the policy.
        level: Level,
        /// The level that would allow it.
        needed: Level,
    },
    /// The registry lists it, but twice did not find its manifest.
    ManifestMissing,
    /// Selected: the tag that is followed, and it points to something else than what runs.
    PointsElsewhere,
    /// Selected: the tag that is followed, and what it points to runs.
    PointsHere,
    /// Selected: the tag that is followed, and what it points to is what runs, on the platforms that
    /// matter.
    SameContent,
    /// It is not the tag that is followed.
    NotFollowed(Tag),
    /// Nobody has asked for its time yet.
    TimeUnasked,
    /// Its time can't be read, with the reason.
    TimeUnreadable(Arc<str>),
    /// It has no time of the kind that the policy orders by.
    NoTime(TimeOf),
    /// It lacks a platform.
    NoPlatform(Box<Platform>),
    /// Nothing says how old it is, and the policy holds such tags.
    NoAge,
    /// It is too young.
    TooYoung {
        /// The time that its age counts from.
        since: Time,
        /// When it is old enough.
        until: Timestamp,
    },
    /// A person keeps it from being chosen; in words for a person.
    Withheld(Arc<str>),
    /// Others, who decide first, do not offer it; in words for a person.
    NotOffered(Arc<str>),
    /// It has not had its digest for long enough.
    Unsettled {
        /// Since when it has its digest.
        since: Timestamp,
        /// When that is long enough.
        until: Timestamp,
    },
}

impl fmt::Display for Reason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Highest(rank) => write!(f, "is the {} acceptable tag", rank.best()),
            Self::Current(rank) => {
                write!(f, "runs now, and nothing acceptable is {}", rank.better())
            }
            Self::Passes => f.write_str("passes the policy"),
            Self::Outranked => f.write_str(
                "passes the policy, but another tag was chosen; `ignore` those above to take this",
            ),
            Self::LowerThanCurrent(rank) => write!(
                f,
                "passes the policy, but is {} than what runs now; going back needs a decision",
                rank.worse()
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
            Self::NoGroup { pattern, group } => write!(
                f,
                "matches `{pattern}`, but its `{group}` group takes no part in it; change `match`"
            ),
            Self::NotAVersion(error) => error.fmt(f),
            Self::OtherFormat { format } => write!(
                f,
                "is not a calendar version of the form `{format}`; change `calver`, or take it out \
                 with a `version` group in `match`"
            ),
            Self::NotANumber => f.write_str(
                "is not a number; take the number out with a `version` group in `match`",
            ),
            Self::OtherParts { found, wanted } => write!(
                f,
                "has {found} version part{} where the current tag has {wanted}",
                if *found == 1 { "" } else { "s" }
            ),
            Self::OtherVariant { found, wanted } => other_variant(f, found, wanted),
            Self::OutOfRange { range } => write!(f, "is outside the range `{range}`; change `semver`"),
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
            Self::PrereleaseOfDate => f.write_str("is a pre-release; add `prereleases: true`"),
            Self::TooFar {
                part,
                level,
                needed,
            } => write!(
                f,
                "has another {part} than the current tag, and `level: {}` keeps it; set `level: {}` to \
                 take it",
                level.as_str(),
                needed.as_str()
            ),
            Self::ManifestMissing => {
                f.write_str("is listed, but the registry does not have its manifest; push it again")
            }
            Self::PointsElsewhere | Self::PointsHere | Self::SameContent | Self::NotFollowed(_) => {
                self.followed(f)
            }
            Self::TimeUnasked => f.write_str("has a time that is not known yet"),
            Self::TimeUnreadable(why) => write!(f, "has a time that can't be read: {why}"),
            Self::NoTime(TimeOf::Pushed) => f.write_str(
                "has no push time on record; `newest: created` goes by the image's own time",
            ),
            Self::NoTime(TimeOf::Created) => f.write_str(
                "says nowhere when it was built; `newest: pushed` goes by the registry's record",
            ),
            Self::NoPlatform(platform) => write!(
                f,
                "is not there for {platform}; push it for that, or change `platforms`"
            ),
            Self::NoAge => f.write_str(
                "has no push time in the registry; `onMissingTime: firstSeen` counts from when it was \
                 first seen",
            ),
            Self::TooYoung { since, until } => write!(
                f,
                "is too young: its age counts from {} ({}), and `minimumAge` is over at {until}",
                since.at, since.source
            ),
            Self::Withheld(words) | Self::NotOffered(words) => f.write_str(words),
            Self::Unsettled { since, until } => write!(
                f,
                "has had its digest since {since} only, and `settle` is over at {until}"
            ),
        }
    }
}

impl Reason {
    fn followed(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::PointsElsewhere => {
                f.write_str("is followed, and points to something else than what runs")
            }
            Self::PointsHere => f.write_str("is followed, and what it points to runs"),
            Self::SameContent => f.write_str(
                "is followed, and has a new digest over the same manifests for the platforms that \
                 matter",
            ),
            Self::NotFollowed(tag) => write!(f, "is not `{tag}`, which `digest` follows"),
            _ => Ok(()),
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
