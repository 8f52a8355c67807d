//! A repository's tags with what the registry records of them.
//!
//! Invariant: sorted by tag, each once; complete as of `began`, except that tags deleted since `swept`
//! may still be in it.

use jiff::Timestamp;

use crate::image::{Digest, Tag};
use crate::registry::Listing;

/// A tag, and what its registry records of it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Listed {
    /// The tag.
    pub tag: Tag,
    /// What it stood for when it was listed, if the listing says.
    pub digest: Option<Digest>,
    /// When it was last pushed, by the registry's own record, if the listing says.
    pub pushed: Option<Timestamp>,
    /// When its image was built by its own configuration, if the listing says.
    pub created: Option<Timestamp>,
}

impl Listed {
    /// A tag of which nothing is recorded.
    pub fn name(tag: Tag) -> Self {
        Self {
            tag,
            digest: None,
            pushed: None,
            created: None,
        }
    }
}

/// All tags of an image.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TagSet {
    pub(super) listed: Vec<Listed>,
    /// When the listing began, by this machine's clock: nothing pushed before is missing.
    pub began: Timestamp,
    /// When the last listing of the whole repository began: nothing deleted before is in it.
    pub swept: Timestamp,
    /// Some of the listed names that are no tags, cleaned for display.
    pub invalid: Vec<String>,
    /// How many listed names are no tags.
    pub invalid_count: usize,
    /// What the registry wants people to know (`Warning: 299` headers), cleaned for display.
    pub warnings: Vec<String>,
    /// How many requests it took, signing in included.
    pub requests: u32,
    /// The last two names of a whole listing, in the registry's own order.
    pub(super) tail: Option<[String; 2]>,
}

impl TagSet {
    /// The tags, sorted bytewise, each once.
    pub fn listed(&self) -> &[Listed] {
        &self.listed
    }

    /// What is recorded of a tag, if it is listed.
    pub fn get(&self, tag: &Tag) -> Option<&Listed> {
        let at = self.listed.binary_search_by(|listed| listed.tag.cmp(tag));
        at.ok().map(|at| &self.listed[at])
    }

    /// Whether the push time of every tag is recorded.
    pub fn is_timed(&self) -> bool {
        self.listed.iter().all(|listed| listed.pushed.is_some())
    }

    /// A plain listing's set.
    pub(super) fn whole(listing: Listing, began: Timestamp) -> Self {
        Self {
            listed: listing.tags.into_iter().map(Listed::name).collect(),
            began,
            swept: began,
            invalid: listing.invalid,
            invalid_count: listing.invalid_count,
            warnings: listing.warnings,
            requests: listing.requests,
            tail: listing.tail,
        }
    }

    /// The set of a whole listing that took these requests.
    pub(super) fn of(mut listed: Vec<Listed>, began: Timestamp, requests: u32) -> Self {
        listed.sort_unstable_by(|a, b| a.tag.cmp(&b.tag));
        listed.dedup_by(|a, b| a.tag == b.tag);
        Self {
            listed,
            began,
            swept: began,
            invalid: Vec::new(),
            invalid_count: 0,
            warnings: Vec::new(),
            requests,
            tail: None,
        }
    }

    /// This set with newer records in place of its own, and new tags added.
    pub(super) fn with(&self, newer: Vec<Listed>, began: Timestamp, requests: u32) -> Self {
        let newer = Self::of(newer, began, requests);
        let mut listed = newer.listed.clone();
        let old = self.listed.iter();
        listed.extend(old.filter(|old| newer.get(&old.tag).is_none()).cloned());
        listed.sort_unstable_by(|a, b| a.tag.cmp(&b.tag));
        Self {
            listed,
            swept: self.swept,
            invalid: self.invalid.clone(),
            invalid_count: self.invalid_count,
            tail: self.tail.clone(),
            ..newer
        }
    }

    /// The same tags with these records; those of other tags are left out.
    pub(super) fn recording(mut self, records: Vec<Listed>, requests: u32) -> Self {
        let records = Self::of(records, self.began, requests);
        for listed in &mut self.listed {
            if let Some(record) = records.get(&listed.tag) {
                listed.clone_from(record);
            }
        }
        Self { requests, ..self }
    }
}
