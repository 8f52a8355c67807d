//! The digests that the config repo records for tags.
//!
//! Invariant: a tag is one image for good, so every site that writes a digest beside a tag speaks for
//! all sites of that image. Sites that a comment takes out say nothing.

use std::collections::HashMap;

use crate::image::{Digest, Image, Tag};
use crate::manifest::Site;
use crate::reconcile::claims::IndexedFile;

/// The digests that the config repo records for tags, whichever stage a site belongs to: what runs
/// in production under a tag is what the tag means in staging too.
pub(super) struct Records<'a>(HashMap<(&'a Image, &'a str), Vec<Record<'a>>>);

/// A digest and the site that records it.
pub(super) struct Record<'a> {
    pub(super) digest: Digest,
    file: &'a str,
    site: &'a Site,
}

impl<'a> Record<'a> {
    /// What `site` in `file` records, if it holds a digest.
    pub(super) fn of(file: &'a str, site: &'a Site) -> Option<Self> {
        site.digest().map(|digest| Self { digest, file, site })
    }

    /// The site's file, line and column.
    pub(super) fn place(&self) -> String {
        format!("{}:{}", self.file, self.site.position)
    }
}

impl<'a> Records<'a> {
    /// The records of all files.
    pub(super) fn of(files: &'a [IndexedFile]) -> Self {
        let mut records: HashMap<_, Vec<Record<'a>>> = HashMap::new();
        for file in files.iter().filter(|file| !file.index.ignored) {
            for site in file.index.sites.iter().filter(|site| !site.ignored) {
                if let (Some(image), Some(tag)) = (site.image(), site.tag_text())
                    && let Some(record) = Record::of(&file.path, site)
                {
                    records.entry((image, tag)).or_default().push(record);
                }
            }
        }
        Self(records)
    }

    /// What is recorded for `tag` of `image`.
    pub(super) fn get<'s>(&'s self, image: &'s Image, tag: &'s Tag) -> &'s [Record<'s>] {
        self.0
            .get(&(image, tag.as_str()))
            .map_or(&[], Vec::as_slice)
    }
}
