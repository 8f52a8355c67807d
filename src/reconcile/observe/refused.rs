//! What registries said no to, for a while.
//!
//! Invariant: only an answer is remembered, never a failure that may pass by itself. A tag without a
//! manifest, or one that may not be read, is asked for again once its image's tags were listed anew; what a
//! digest stands for is asked for again after [`CONTENT`] or [`ACCESS`]. Losing it costs requests.

use std::collections::BTreeMap;

use jiff::{SignedDuration, Timestamp};

use crate::image::{Digest, Tag};
use crate::policy::ManifestFact;
use crate::reconcile::plan::Feed;
use crate::registry::{self, Lasts};

/// How long it is believed that the registry doesn't have a manifest, or that it is of a kind that can't be
/// read. A digest never gets another content, but a registry may have been caught while it copies or was
/// repaired. Each of these requests counts as a pull on Docker Hub.
pub(super) const CONTENT: SignedDuration = SignedDuration::from_hours(1);

/// How long it is believed that a manifest may not be read: as long as an image is not looked at by default,
/// so that whoever mends it waits no longer for this than for the tags.
const ACCESS: SignedDuration = SignedDuration::from_mins(5);

/// Most manifests remembered: far more than there are broken ones in an installation that works.
const MOST: usize = 10_000;

/// Why there is no answer, and for how long.
#[derive(Debug, Clone)]
pub(super) struct Why {
    pub words: String,
    pub lasts: Lasts,
}

impl From<registry::Error> for Why {
    fn from(error: registry::Error) -> Self {
        Self {
            words: error.words(),
            lasts: error.lasts(),
        }
    }
}

/// What registries said no to.
#[derive(Debug, Default)]
pub(super) struct Refused {
    /// Since the listing.
    tags: BTreeMap<Feed, BTreeMap<Tag, ManifestFact>>,
    /// Why, and until when that is believed.
    manifests: BTreeMap<(Feed, Digest), (Why, Timestamp)>,
}

impl Refused {
    /// Forgets the tags of all images but those whose listing is the same.
    pub fn retain(&mut self, is_same_listing: impl Fn(&Feed) -> bool) {
        self.tags.retain(|feed, _| is_same_listing(feed));
    }

    /// What was said of a tag since its image was listed.
    pub fn tag(&self, feed: &Feed, tag: &Tag) -> Option<&ManifestFact> {
        self.tags.get(feed)?.get(tag)
    }

    /// Notes what was said of a tag.
    pub fn note_tag(&mut self, feed: &Feed, tag: &Tag, fact: ManifestFact) {
        let tags = self.tags.entry(feed.clone()).or_default();
        tags.insert(tag.clone(), fact);
    }

    /// Why a manifest can't be read, if that was said a short time before `now`.
    pub fn manifest(&self, feed: &Feed, digest: &Digest, now: Timestamp) -> Option<&Why> {
        let (why, until) = self.manifests.get(&(feed.clone(), digest.clone()))?;
        (now < *until).then_some(why)
    }

    /// Notes why a manifest can't be read.
    pub fn note_manifest(&mut self, feed: &Feed, digest: &Digest, why: &Why, now: Timestamp) {
        let span = match why.lasts {
            Lasts::Moment => return,
            Lasts::UntilMended => ACCESS,
            Lasts::Content => CONTENT,
        };
        if self.manifests.len() >= MOST {
            self.manifests.retain(|_, (_, until)| now < *until);
        }
        while self.manifests.len() >= MOST {
            self.manifests.pop_first();
        }
        let until = now.saturating_add(span).unwrap_or(Timestamp::MAX);
        let key = (feed.clone(), digest.clone());
        self.manifests.insert(key, (why.clone(), until));
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::registry::AccountId;

    #[test]
    fn only_an_answer_is_remembered_and_for_a_while() {
        let feed: Feed = ("nginx".parse().unwrap(), AccountId::ANONYMOUS);
        let other: Feed = ("redis".parse().unwrap(), AccountId::ANONYMOUS);
        let digest = Digest::of(b"x");
        let at = |minutes: i64| Timestamp::from_second(minutes * 60).unwrap();
        for (lasts, minutes) in [
            (Lasts::Moment, 0),
            (Lasts::UntilMended, 5),
            (Lasts::Content, 60),
        ] {
            let mut refused = Refused::default();
            let words = "no".to_owned();
            refused.note_manifest(&feed, &digest, &Why { words, lasts }, at(0));
            let known = |minute| refused.manifest(&feed, &digest, at(minute)).is_some();
            assert_eq!(known(minutes - 1), minutes > 0, "{lasts:?}");
            assert!(!known(minutes), "{lasts:?}");
            assert!(refused.manifest(&other, &digest, at(0)).is_none());
        }
    }
}
