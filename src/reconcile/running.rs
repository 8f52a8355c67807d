//! What a stage runs, read from its sites.
//!
//! Invariant: a stage has one reference, the highest of its sites; one site that can't be ordered
//! makes the whole stage unordered.
//!
//! Pure: sites in, a value out.

use std::fmt;

use crate::image::{Digest, Tag, Version};
use crate::manifest::{Part, Refusal, Site};
use crate::policy::{self, Current, Policy};
use crate::reconcile::claims::SiteRef;

/// What a stage's sites say it runs.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Running {
    /// No sites.
    Nothing,
    /// One reference at all sites.
    One(RunningVersion),
    /// Sites disagree; the highest counts.
    Split {
        /// The highest.
        highest: RunningVersion,
        /// The others, as written.
        others: Vec<String>,
    },
    /// A site's reference can't be ordered.
    Unordered(Unordered),
}

/// A tag that runs, with its digest where the sites record one.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RunningVersion {
    /// The tag.
    pub tag: Tag,
    /// The digest, if written.
    pub digest: Option<Digest>,
}

/// A reference without a place in the order.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Unordered {
    /// The reference or tag as written.
    pub text: String,
    /// Its tag, if it has one.
    pub tag: Option<Tag>,
    /// Its digest, if it has one.
    pub digest: Option<Digest>,
    /// Why its site can't be written at all, where that is the reason.
    pub refusal: Option<Refusal>,
}

impl Unordered {
    fn of(site: &Site) -> Self {
        Self {
            text: site.reference_text(),
            tag: site.tag(),
            digest: site.digest(),
            refusal: site.refusal.clone(),
        }
    }

    /// What the policy is told of it.
    pub fn as_current(&self) -> Current<'_> {
        match (&self.tag, &self.digest) {
            (Some(tag), _) => Current::Tag(tag),
            (None, Some(_)) => Current::DigestOnly,
            (None, None) => Current::Unparsable(&self.text),
        }
    }
}

impl Running {
    /// What the sites of one stage say.
    pub fn of(policy: &Policy, sites: &[(SiteRef, &Site)]) -> Self {
        let mut versions: Vec<RunningVersion> = Vec::new();
        let mut lone_digest = None;
        for (_, site) in sites {
            match part(site) {
                // A name says nothing of what runs.
                Part::Name => continue,
                // A digest of its own goes with the tag at another site.
                Part::Digest => {
                    lone_digest = Some(Unordered::of(site));
                    continue;
                }
                Part::Whole | Part::Tag => {}
            }
            match site.tag() {
                Some(tag) => versions.push(RunningVersion {
                    tag,
                    digest: site.digest(),
                }),
                None => return Self::Unordered(Unordered::of(site)),
            }
        }
        if versions.is_empty() {
            return lone_digest.map_or(Self::Nothing, Self::Unordered);
        }
        match policy::highest(policy, versions.iter().map(|version| &version.tag)) {
            Err(tag) => Self::Unordered(Unordered {
                text: tag.to_string(),
                tag: Some(tag.clone()),
                digest: None,
                refusal: None,
            }),
            Ok(None) => Self::Nothing,
            Ok(Some(tag)) => {
                let tag = tag.clone();
                Self::split(tag, versions)
            }
        }
    }

    fn split(highest: Tag, versions: Vec<RunningVersion>) -> Self {
        let (top, rest): (Vec<_>, Vec<_>) = versions
            .into_iter()
            .partition(|version| version.tag == highest);
        let digest = top.iter().find_map(|version| version.digest.clone());
        let highest = RunningVersion {
            tag: highest,
            digest,
        };
        if rest.is_empty() {
            return Self::One(highest);
        }
        let mut others: Vec<String> = rest.iter().map(|version| version.tag.to_string()).collect();
        others.sort();
        others.dedup();
        Self::Split { highest, others }
    }
}

/// Which part of a reference a site's own scalar holds.
pub fn part(site: &Site) -> Part {
    site.marker
        .as_ref()
        .map_or(Part::Whole, |marker| marker.part())
}

impl fmt::Display for Running {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Nothing => f.write_str("nothing"),
            Self::One(version)
            | Self::Split {
                highest: version, ..
            } => {
                let version = Version {
                    tag: Some(&version.tag),
                    digest: version.digest.as_ref(),
                };
                write!(f, "{version}")
            }
            Self::Unordered(unordered) => f.write_str(&unordered.text),
        }
    }
}
