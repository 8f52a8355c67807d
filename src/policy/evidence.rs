//! What a selection rests on besides the policy: the tags, what is known of them, what runs, and the
//! time.
//!
//! Invariant: what was not asked for is told apart from what is not there, so that a policy never
//! takes one for the other; every time says where it comes from.
//!
//! Nothing is fetched and nothing decided here.

use std::collections::BTreeMap;
use std::fmt;

use jiff::Timestamp;

use super::offered::Offered;
use super::platform::Platforms;
use super::withheld::Withheld;
use crate::image::{Digest, Tag};

/// All that a selection rests on.
#[derive(Debug, Clone, Copy)]
pub struct Evidence<'a> {
    /// A complete listing.
    pub tags: &'a [Tag],
    /// What is known of the tags.
    pub recorded: Recorded<'a>,
    /// What the stage runs now.
    pub current: Current<'a>,
    /// The platforms of the digest that runs now; looked at where a policy follows a tag.
    pub running: Datum<&'a Platforms>,
    /// What people keep from being chosen.
    pub withheld: &'a [Withheld],
    /// What may be chosen at all, where others decide that.
    pub offered: Option<&'a Offered>,
    /// The time.
    pub now: Timestamp,
}

impl<'a> Evidence<'a> {
    /// Tags of which nothing more is known, where `current` runs.
    pub fn new(tags: &'a [Tag], current: Current<'a>, now: Timestamp) -> Self {
        Self {
            tags,
            recorded: Recorded::default(),
            current,
            running: Datum::Unasked,
            withheld: &[],
            offered: None,
            now,
        }
    }

    /// The same, with what is known of manifests.
    #[must_use]
    pub fn with_manifests(mut self, facts: &'a BTreeMap<Tag, ManifestFact>) -> Self {
        self.recorded.manifests = Manifests::Known(facts);
        self
    }

    /// The same, with times that came with the listing.
    #[must_use]
    pub fn with_times(mut self, times: &'a BTreeMap<Tag, Times>) -> Self {
        self.recorded.times = Some(times);
        self
    }

    /// The same, where people keep tags from being chosen.
    #[must_use]
    pub fn with_withheld(mut self, withheld: &'a [Withheld]) -> Self {
        self.withheld = withheld;
        self
    }
}

/// What is known of the tags of an image.
#[derive(Debug, Clone, Copy, Default)]
pub struct Recorded<'a> {
    /// The times that came with the listing.
    pub times: Option<&'a BTreeMap<Tag, Times>>,
    /// The manifests.
    pub manifests: Manifests<'a>,
}

impl Recorded<'_> {
    /// The times of `tag`, from the listing or its manifest.
    pub(super) fn times_of(&self, tag: &Tag) -> Times {
        let listed = self.times.and_then(|times| times.get(tag));
        let listed = listed.copied().unwrap_or_default();
        let found = match self.manifests {
            Manifests::Known(facts) => facts.get(tag).and_then(ManifestFact::found),
            Manifests::NotConsulted => None,
        };
        let found = found.map(|found| found.times).unwrap_or_default();
        Times {
            pushed: listed.pushed.or(found.pushed),
            created: listed.created.or(found.created),
        }
    }

    /// The fact about `tag`, where facts are asked for; `None` inside if it was not asked for yet.
    pub(super) fn fact(&self, tag: &Tag) -> Option<Option<&ManifestFact>> {
        match self.manifests {
            Manifests::Known(facts) => Some(facts.get(tag)),
            Manifests::NotConsulted => None,
        }
    }
}

/// What the stage runs now.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Current<'a> {
    /// Nothing yet: the choice is free.
    Nothing,
    /// This tag, without a digest.
    Tag(&'a Tag),
    /// This tag with this digest.
    Pinned(&'a Tag, &'a Digest),
    /// A digest whose tag nobody recorded.
    Digest(&'a Digest),
    /// A text that is no tag.
    Unparsable(&'a str),
}

impl<'a> Current<'a> {
    /// Its tag, if it has one.
    pub fn tag(self) -> Option<&'a Tag> {
        match self {
            Self::Tag(tag) | Self::Pinned(tag, _) => Some(tag),
            Self::Nothing | Self::Digest(_) | Self::Unparsable(_) => None,
        }
    }

    /// Its digest, if it is written.
    pub fn digest(self) -> Option<&'a Digest> {
        match self {
            Self::Pinned(_, digest) | Self::Digest(digest) => Some(digest),
            Self::Nothing | Self::Tag(_) | Self::Unparsable(_) => None,
        }
    }
}

/// Something that is looked up.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Datum<T> {
    /// Nobody has asked for it.
    #[default]
    Unasked,
    /// It was asked for, and is not there.
    Absent,
    /// This.
    Known(T),
}

impl<T> Datum<T> {
    /// This one, or else what `other` knows; absent where either says so and none knows.
    #[must_use]
    pub fn or(self, other: Self) -> Self {
        match (self, other) {
            (Self::Known(value), _) | (_, Self::Known(value)) => Self::Known(value),
            (Self::Absent, _) | (_, Self::Absent) => Self::Absent,
            _ => Self::Unasked,
        }
    }
}

/// A time, and where it comes from.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Time {
    /// The time.
    pub at: Timestamp,
    /// Who says so.
    pub source: TimeSource,
}

/// Where a time comes from.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum TimeSource {
    /// The registry's own record.
    Registry,
    /// The image's configuration, as its builder wrote it.
    Config,
    /// An annotation of the manifest, as its builder wrote it.
    Annotation,
    /// The commit by which a stage took it.
    Git,
    /// When we first saw the tag with this digest.
    FirstSeen,
    /// The same, where there was no history to look at.
    FirstSeenAlone,
    /// The one who asks.
    Given,
}

impl fmt::Display for TimeSource {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Registry => "by the registry",
            Self::Config => "by the image's configuration",
            Self::Annotation => "by the image's annotations",
            Self::Git => "when a stage took it",
            Self::FirstSeen => "when it was first seen",
            Self::FirstSeenAlone => "when it was first seen; the branch's history is not read here",
            Self::Given => "as given",
        })
    }
}

/// The times of a tag.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Times {
    /// When it was pushed, by the registry's own record.
    pub pushed: Datum<Time>,
    /// When its image was built.
    pub created: Datum<Time>,
}

/// What is known of one tag's manifest.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ManifestFact {
    /// It is there.
    Found(Found),
    /// The registry listed the tag and then did not find it. Registries lag: it is asked again
    /// before the tag is given up.
    MissingOnce,
    /// It was not found twice, an interval apart.
    Missing,
    /// It could not be read, with the reason.
    Unreadable(String),
}

impl ManifestFact {
    /// What was found.
    pub fn found(&self) -> Option<&Found> {
        match self {
            Self::Found(found) => Some(found),
            Self::MissingOnce | Self::Missing | Self::Unreadable(_) => None,
        }
    }
}

/// A manifest that is there.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Found {
    /// The digest of what the tag points to: an index, or a manifest.
    pub digest: Digest,
    /// The platforms it has; absent for what is no image.
    pub platforms: Datum<Platforms>,
    /// Its times.
    pub times: Times,
    /// When a stage first took this digest.
    pub taken: Taken,
    /// Since when the tag has been seen with this digest without a break; `None` is now.
    pub first_seen: Option<Timestamp>,
}

impl From<Digest> for Found {
    /// A manifest of which no more than its digest is known.
    fn from(digest: Digest) -> Self {
        Self {
            digest,
            platforms: Datum::Unasked,
            times: Times::default(),
            taken: Taken::default(),
            first_seen: None,
        }
    }
}

/// When a stage first took a digest, by the history of the config repo.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Taken {
    /// There is no history to look at, such as that of a working tree.
    #[default]
    NotConsulted,
    /// Nobody has looked.
    Unasked,
    /// None did, as far as the history was read.
    Never,
    /// Then, by the commit.
    At(Timestamp),
}

/// What is known of the manifests.
#[derive(Debug, Clone, Copy, Default)]
pub enum Manifests<'a> {
    /// There is no registry to ask: every listed tag counts as readable, and conditions on manifests
    /// count as met.
    #[default]
    NotConsulted,
    /// These facts; a tag without one has not been asked for.
    Known(&'a BTreeMap<Tag, ManifestFact>),
}

/// What a selection must know before it can choose.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Needs {
    /// The tags that it must know something of, each once.
    pub tags: Vec<Tag>,
    /// What it must know of each of them, besides whether its manifest is there.
    pub of_tags: Vec<Want>,
    /// What for.
    pub purpose: Purpose,
    /// The digest that runs now, if its platforms must be known.
    pub running: Option<Digest>,
}

/// What something must be known for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Default)]
pub enum Purpose {
    /// Whether the best tags can be chosen.
    #[default]
    Candidates,
    /// What places all tags have.
    Places,
}

/// Something to know of a tag.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Want {
    /// [`Found::platforms`].
    Platforms,
    /// [`Times::pushed`].
    Pushed,
    /// [`Times::created`].
    Created,
    /// [`Found::taken`].
    Taken,
}
