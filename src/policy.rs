//! Policies: which tags of an image are acceptable, how they are ordered, and which one is chosen.
//!
//! Invariant: [`select()`] is a pure function of the policy, the tags, what runs now and what is known
//! of their manifests. The same input in any order gives the same [`Selection`], every tag gets a
//! verdict with a reason, and the choice is never lower than what runs now.
//!
//! Reading order: this file (what a policy is), `select` (the choice), `judge` (one tag against the
//! policy), `pattern` and `filter` (`match` and `ignore`), `key` (the place of a tag in an order), then
//! the orders, a file each: `semver` (with `version`, `range`), `calver`, `numerical`; what several of
//! them share is in `variant` and `level`. `newest` and `digest` need more than the tags, and so do the
//! `conditions`; what may be known is in `evidence`, what people rule out in `withheld`, and what is to be had at
//! all, where others decide that, in `offered`.
//! `verdict` and `reason` are what comes out, and `describe` says what was configured.
//!
//! No I/O: where a decision needs a manifest that nobody has asked for yet, the outcome says so.

use std::fmt;
use std::time::Duration;

use crate::image::Tag;

mod calver;
mod conditions;
mod describe;
mod digest;
mod evidence;
mod filter;
mod judge;
mod key;
mod level;
mod newest;
mod numerical;
mod offered;
mod pattern;
mod platform;
mod range;
mod ranking;
mod reason;
mod select;
mod semver;
mod setting;
mod variant;
mod verdict;
mod version;
mod withheld;

#[cfg(test)]
mod tests;

pub use calver::{Format, FormatError};
pub use conditions::{Conditions, OnMissingTime};
pub use evidence::{
    Current, Datum, Evidence, Found, ManifestFact, Manifests, Needs, Purpose, Recorded, Taken,
    Time, TimeSource, Times, Want,
};
pub use filter::{Ignore, IgnoreError};
pub use level::Level;
pub use offered::Offered;
pub use pattern::{KeyError, Pattern, PatternError};
pub use platform::{Platform, PlatformError, Platforms};
pub use range::{Range, RangeError, RangeLint, RangeProblem};
pub use reason::{Rank, Reason};
pub use select::{compare, highest, is_orderable, select, wanted_for_place};
pub use setting::Setting;
pub use verdict::{
    CurrentListed, Disorder, NoChoice, Outcome, Selection, TagVerdict, Unorderable, Verdict,
};
pub use version::VersionError;
pub use withheld::{Reach, Withheld};

/// Which tags are acceptable and how they are ordered.
#[derive(Debug, Clone, Default)]
pub struct Policy {
    /// The order, with what only that order has.
    pub order: Order,
    /// `match`: what a tag must look like, and which part of it is the version.
    pub pattern: Option<Pattern>,
    /// `ignore`: tags that are never candidates.
    pub ignore: Ignore,
    /// Whether pre-releases are acceptable.
    pub prereleases: Prereleases,
    /// Whether the variant (`alpine`, `slim`) may change.
    pub variant: Variant,
    /// How many parts a version must have.
    pub loose: Parts,
    /// How far a change may go; anywhere if nothing is said.
    pub level: Option<Level>,
    /// What a candidate must meet besides.
    pub conditions: Conditions,
    /// What to do about a current tag that has no place in the order.
    pub unordered: Unordered,
}

impl Policy {
    /// Whether it goes by when tags were pushed, which some registries tell with the list.
    pub fn wants_push_times(&self) -> bool {
        matches!(self.order, Order::Newest(TimeOf::Pushed)) || self.conditions.minimum_age.is_some()
    }
}

/// How tags are ordered.
#[derive(Debug, Clone)]
pub enum Order {
    /// By semantic version, within a range.
    Semver(Range),
    /// By calendar version.
    Calver(Format),
    /// By number.
    Numerical(End),
    /// By the bytes of the text.
    Alphabetical(End),
    /// By time.
    Newest(TimeOf),
    /// None: one tag is followed by its digest.
    Digest(Tag),
}

/// Which time of a tag counts.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum TimeOf {
    /// When it was pushed, by the registry's own record.
    #[default]
    Pushed,
    /// When its image was built, by its annotations or its configuration.
    Created,
}

/// Which end of an order is wanted. The other end is lower in that order, so that a move towards it
/// is a move back.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum End {
    /// The highest.
    #[default]
    Highest,
    /// The lowest.
    Lowest,
}

impl End {
    /// As it is written in a policy.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Highest => "highest",
            Self::Lowest => "lowest",
        }
    }
}

impl Order {
    /// The words for better and worse.
    pub fn rank(&self) -> Rank {
        match self {
            Self::Numerical(End::Lowest) | Self::Alphabetical(End::Lowest) => Rank::Down,
            Self::Newest(_) => Rank::Later,
            Self::Semver(_)
            | Self::Calver(_)
            | Self::Numerical(_)
            | Self::Alphabetical(_)
            | Self::Digest(_) => Rank::Up,
        }
    }

    /// What a tag must be to have a place, with its article.
    fn wanted(&self) -> &'static str {
        match self {
            Self::Semver(_) | Self::Calver(_) => "a version",
            Self::Numerical(_) => "a number",
            Self::Alphabetical(_) => "a tag that matches",
            Self::Newest(_) => "a tag whose time is known",
            Self::Digest(_) => "the tag that is followed",
        }
    }
}

impl fmt::Display for Order {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Semver(range) => write!(f, "semver \"{range}\""),
            Self::Calver(format) => write!(f, "calver \"{format}\""),
            Self::Numerical(end) => write!(f, "numerical {}", end.as_str()),
            Self::Alphabetical(end) => write!(f, "alphabetical {}", end.as_str()),
            Self::Newest(which) => write!(f, "newest {}", which.as_str()),
            Self::Digest(tag) => write!(f, "digest {tag}"),
        }
    }
}

impl Default for Order {
    fn default() -> Self {
        Self::Semver(Range::default())
    }
}

/// Whether pre-releases are acceptable.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Prereleases {
    /// Where the range itself names one (`^1-0`).
    #[default]
    FromRange,
    /// Everywhere, as if every part of the range ended in `-0`.
    Allow,
    /// Nowhere, whatever the range says.
    Deny,
}

/// What the variant of a tag must be: its suffix without what makes it a pre-release or a build.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub enum Variant {
    /// That of the current tag; anything where there is none.
    #[default]
    Keep,
    /// Anything.
    Any,
    /// This one; the empty name is that of tags without a variant.
    Named(String),
}

/// How many parts a version must have.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Parts {
    /// Three at least.
    #[default]
    Three,
    /// As many as the current tag has; one to three where there is none.
    Loose,
}

/// What to do about a current tag that has no place in the order, such as `latest`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Unordered {
    /// Choose nothing, and say so.
    #[default]
    Hold,
    /// Choose as if nothing ran.
    Replace,
}

/// What is written of a choice.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Write {
    /// The tag, and the digest too where one is written already.
    #[default]
    Tag,
    /// The tag and the digest.
    TagAndDigest,
    /// The digest alone, of a tag that is followed.
    Digest,
}

/// A span of time that a tag must wait.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Span(pub Duration);
