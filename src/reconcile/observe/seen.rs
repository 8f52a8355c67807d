//! Since when tags have been seen with the digests they have.
//!
//! Invariant: a tag that has another digest than last time starts over, and so does everything where
//! the cache is lost: what rests on these times is delayed then, never hastened. A time is never in
//! the future.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError};

use jiff::{SignedDuration, Timestamp};
use serde::{Deserialize, Serialize};

use crate::image::{Digest, Image, Tag};

/// How long a tag is remembered that nobody asks for any more: longer than any age or rest that a
/// policy waits for in practice.
const FORGET_AFTER: SignedDuration = SignedDuration::from_hours(180 * 24);

/// The sightings; clones are one, so that all config repos share them.
#[derive(Debug, Clone, Default)]
pub struct Seen(Arc<Mutex<Sightings>>);

/// The same as they are kept for the next process: image, then tag.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Sightings(BTreeMap<String, BTreeMap<String, Sighting>>);

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
struct Sighting {
    digest: String,
    since: Timestamp,
    last: Timestamp,
}

impl Seen {
    /// What an earlier process kept.
    pub fn new(kept: Sightings) -> Self {
        Self(Arc::new(Mutex::new(kept)))
    }

    /// What to keep for the next process at the time `now`.
    pub fn kept(&self, now: Timestamp) -> Sightings {
        let mut all = self.lock();
        all.0.retain(|_, tags| {
            tags.retain(|_, sighting| now.duration_since(sighting.last) < FORGET_AFTER);
            !tags.is_empty()
        });
        all.clone()
    }

    /// Notes that `tag` has `digest` at the time `now`, and says since when it has.
    pub(super) fn note(
        &self,
        image: &Image,
        tag: &Tag,
        digest: &Digest,
        now: Timestamp,
    ) -> Timestamp {
        let mut all = self.lock();
        let tags = all.0.entry(image.to_string()).or_default();
        let first = || Sighting {
            digest: digest.to_string(),
            since: now,
            last: now,
        };
        let sighting = tags.entry(tag.to_string()).or_insert_with(first);
        if sighting.digest != digest.as_str() {
            *sighting = first();
        }
        // A clock that was set back must not make it older than it is.
        sighting.since = sighting.since.min(now);
        sighting.last = now;
        sighting.since
    }

    /// The digest that a tag had when it was last seen.
    pub(super) fn digest(&self, image: &Image, tag: &Tag) -> Option<Digest> {
        let all = self.lock();
        let sighting = all.0.get(&image.to_string())?.get(tag.as_str())?;
        sighting.digest.parse().ok()
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, Sightings> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_tag_starts_over_with_another_digest() {
        let at = |seconds| Timestamp::from_second(seconds).unwrap();
        let image: Image = "ghcr.io/acme/shop".parse().unwrap();
        let tag: Tag = "main".parse().unwrap();
        let (one, two) = (Digest::of(b"1"), Digest::of(b"2"));
        let seen = Seen::default();
        assert_eq!(seen.note(&image, &tag, &one, at(10)), at(10));
        assert_eq!(seen.note(&image, &tag, &one, at(20)), at(10));
        assert_eq!(seen.note(&image, &tag, &two, at(30)), at(30));
        assert_eq!(seen.note(&image, &tag, &one, at(40)), at(40));
        assert_eq!(
            seen.note(&image, &tag, &one, at(5)),
            at(5),
            "a clock set back"
        );
        assert_eq!(seen.digest(&image, &tag), Some(one.clone()));

        let text = serde_json::to_string(&seen.kept(at(50))).unwrap();
        let again = Seen::new(serde_json::from_str(&text).unwrap());
        assert_eq!(again.note(&image, &tag, &one, at(60)), at(5));
        let later = at(60).saturating_add(FORGET_AFTER).unwrap();
        assert_eq!(again.kept(later), Sightings::default());
    }
}
