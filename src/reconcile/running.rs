//! What a stage runs, read from its sites.
//!
//! Invariant: a stage has one reference, the highest of its sites; one site that can't be ordered
//! makes the whole stage unordered.
//!
//! Pure: sites in, a value out.

use std::collections::BTreeSet;
use std::fmt;

use crate::image::{Digest, Tag, Version};
use crate::manifest::{Part, Refusal, Site};
use crate::policy::{self, Current, Order, Policy, Recorded};
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

    /// The tag, or the reference where there is none.
    fn short(&self) -> String {
        self.tag
            .as_ref()
            .map_or_else(|| self.text.clone(), ToString::to_string)
    }

    fn as_current(&self) -> Current<'_> {
        match (&self.tag, &self.digest) {
            (Some(tag), _) => Current::Tag(tag),
            (None, Some(digest)) => Current::Digest(digest),
            (None, None) => Current::Unparsable(&self.text),
        }
    }
}

impl Running {
    /// What the sites of one stage say.
    pub fn of(policy: &Policy, sites: &[(SiteRef, &Site)], recorded: Recorded<'_>) -> Self {
        let mut versions: Vec<RunningVersion> = Vec::new();
        let mut unordered = Vec::new();
        let mut lone_digest = None;
        let followed = match &policy.order {
            Order::Digest(tag) => Some(tag),
            _ => None,
        };
        // Most sites of a stage are written alike; each version is read once.
        let mut read = BTreeSet::new();
        for (_, site) in sites {
            match part(site) {
                // A name says nothing of what runs.
                Part::Name => continue,
                // A digest of its own goes with the tag at another site.
                Part::Digest if followed.is_none() => {
                    lone_digest = Some(Unordered::of(site));
                    continue;
                }
                Part::Whole | Part::Tag | Part::Digest => {}
            }
            let written = (site.tag_text(), site.digest_text());
            if read.contains(&written) {
                continue;
            }
            let tag = match (site.tag(), followed, site.digest()) {
                // Of a tag that is followed the digest alone says what runs.
                (None, Some(followed), Some(_)) => Some(followed.clone()),
                (tag, ..) => tag,
            };
            match tag {
                Some(tag) if policy::is_orderable(policy, &tag) => {
                    read.insert(written);
                    versions.push(RunningVersion {
                        tag,
                        digest: site.digest(),
                    });
                }
                _ => unordered.push(Unordered::of(site)),
            }
        }
        // Where unordered references are replaced, the others still say what must not be undercut.
        let replaced = policy.unordered == policy::Unordered::Replace && !versions.is_empty();
        if !replaced && !unordered.is_empty() {
            return Self::Unordered(unordered.swap_remove(0));
        }
        let tags = versions.iter().map(|version| &version.tag);
        match policy::highest(policy, tags, recorded) {
            Ok(Some(tag)) => {
                let tag = tag.clone();
                Self::split(tag, versions, &unordered)
            }
            // Without an order they would not be among the versions.
            Ok(None) | Err(_) => lone_digest.map_or(Self::Nothing, Self::Unordered),
        }
    }

    /// The highest and what differs from it; `unordered` are references that have no place in the order.
    fn split(highest: Tag, versions: Vec<RunningVersion>, unordered: &[Unordered]) -> Self {
        let (top, rest): (Vec<_>, Vec<_>) = versions
            .into_iter()
            .partition(|version| version.tag == highest);
        let digest = top.iter().find_map(|version| version.digest.clone());
        // One tag with two digests is as much a disagreement as two tags.
        let odd = top
            .iter()
            .filter(|version| version.digest.is_some() && version.digest != digest);
        let mut others: Vec<String> = unordered
            .iter()
            .map(Unordered::short)
            .chain(rest.iter().map(|version| version.tag.to_string()))
            .chain(odd.map(ToString::to_string))
            .collect();
        let highest = RunningVersion {
            tag: highest,
            digest,
        };
        if others.is_empty() {
            return Self::One(highest);
        }
        others.sort();
        others.dedup();
        Self::Split { highest, others }
    }

    /// What the policy is told of it.
    pub fn as_current(&self) -> Current<'_> {
        match self {
            Self::Nothing => Current::Nothing,
            Self::One(version)
            | Self::Split {
                highest: version, ..
            } => match &version.digest {
                Some(digest) => Current::Pinned(&version.tag, digest),
                None => Current::Tag(&version.tag),
            },
            Self::Unordered(unordered) => unordered.as_current(),
        }
    }

    /// The digest that is recorded for what runs, if one is.
    pub fn digest(&self) -> Option<&Digest> {
        match self {
            Self::One(version)
            | Self::Split {
                highest: version, ..
            } => version.digest.as_ref(),
            Self::Nothing | Self::Unordered(_) => None,
        }
    }
}

/// Which part of a reference a site's own scalar holds.
pub fn part(site: &Site) -> Part {
    site.marker
        .as_ref()
        .map_or(Part::Whole, |marker| marker.part())
}

impl fmt::Display for RunningVersion {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let version = Version {
            tag: Some(&self.tag),
            digest: self.digest.as_ref(),
        };
        version.fmt(f)
    }
}

impl fmt::Display for Running {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Nothing => f.write_str("nothing"),
            Self::One(version)
            | Self::Split {
                highest: version, ..
            } => version.fmt(f),
            Self::Unordered(unordered) => f.write_str(&unordered.short()),
        }
    }
}
