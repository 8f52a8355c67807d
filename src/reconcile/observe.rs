//! What the registries say: tag lists, and the manifests of tags that could win.
//!
//! Invariant: one listing per (image, account) however many apps watch it, and a manifest is read only
//! for a tag that the plan asked for. A listing that failed is a fact with its reason; it never passes
//! for a short list. A host that asked to be left alone is asked nothing.
//!
//! It decides nothing; the plan says what it needs.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::Duration;

use jiff::{SignedDuration, Timestamp};
use serde::{Deserialize, Serialize};
use tokio::sync::Semaphore;
use tokio::task::JoinSet;

use crate::clock::Clock;
use crate::diag;
use crate::image::{Image, Tag};
use crate::policy::ManifestFact;
use crate::reconcile::plan::{Facts, Feed, Listing};
use crate::registry::{self, Client, Resolved};

mod pauses;

pub use pauses::{Paused, Pauses};

/// Listings and manifests asked for at once over all registries; the client bounds each host further.
const AT_ONCE: usize = 64;

/// A listed tag whose manifest is missing is taken for gone after this long: registries that copy
/// between regions list a tag before every region has its manifest.
const MISSING_FOR: SignedDuration = SignedDuration::from_secs(60);

/// The observer of one service's registries.
#[derive(Debug)]
pub struct Observer {
    client: Client,
    clock: Clock,
    listings: BTreeMap<Feed, Listing>,
    /// What was read of tags that run, since the listing.
    running: Manifests,
    /// Hosts that asked not to be asked, and until when.
    pauses: Pauses,
    missing: Missing,
}

/// What was read of manifests.
type Manifests = BTreeMap<Feed, BTreeMap<Tag, ManifestFact>>;

/// Since when listed tags have had no manifest: image, then tag.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Missing(BTreeMap<String, BTreeMap<String, Timestamp>>);

impl Observer {
    /// An observer that asks with `client`.
    pub fn new(client: Client, clock: Clock, missing: Missing) -> Self {
        Self {
            client,
            clock,
            listings: BTreeMap::new(),
            running: BTreeMap::new(),
            pauses: Pauses::default(),
            missing,
        }
    }

    /// The same, leaving the hosts alone that asked others with these pauses for it.
    #[must_use]
    pub fn with_pauses(self, pauses: Pauses) -> Self {
        Self { pauses, ..self }
    }

    /// The client that it asks with.
    pub fn client(&self) -> &Client {
        &self.client
    }

    /// What to keep for the next process: since when manifests are missing.
    pub fn missing(&self) -> &Missing {
        &self.missing
    }

    /// What to keep for the next process: which hosts want to be left alone.
    pub fn paused(&self) -> Paused {
        self.pauses.paused()
    }

    /// The listings of `feeds`, each asked for anew when older than its bound in `max_age`.
    pub async fn list(&mut self, feeds: BTreeMap<Feed, Duration>) -> Facts {
        let now = self.clock.now();
        self.listings.retain(|feed, _| feeds.contains_key(feed));
        // In order, as the map's keys are.
        let due: Vec<Feed> = feeds
            .into_iter()
            .filter(|(feed, max_age)| !self.is_fresh(feed, *max_age, now))
            .map(|(feed, _)| feed)
            .collect();
        let listings = &self.listings;
        self.running
            .retain(|feed, _| listings.contains_key(feed) && due.binary_search(feed).is_err());
        let client = self.client.clone();
        let listed = self
            .ask(
                due,
                |(image, _)| image,
                move |(image, account)| {
                    let client = client.clone();
                    async move { client.tags(&image, account).await }
                },
            )
            .await;
        for (feed, result) in listed {
            let listing = match result {
                Ok(listing) => {
                    tell(&feed, &listing);
                    Listing::Complete {
                        tags: listing.tags.into(),
                        at: now,
                    }
                }
                Err(why) => Listing::Failed(why),
            };
            self.listings.insert(feed, listing);
        }
        Facts {
            now,
            listings: self.listings.clone(),
            manifests: BTreeMap::new(),
            running: self.running.clone(),
        }
    }

    fn is_fresh(&self, feed: &Feed, max_age: Duration, now: Timestamp) -> bool {
        let Some(Listing::Complete { at, .. }) = self.listings.get(feed) else {
            return false;
        };
        let age = now.duration_since(*at);
        // A clock that was set back makes everything due, rather than fresh for ever.
        !age.is_negative() && age.unsigned_abs() < max_age
    }

    /// Reads the manifests of the tags that a plan needs, and adds them to `facts`.
    pub async fn resolve(&mut self, needs: &[(Feed, Tag)], facts: &mut Facts) {
        for (feed, tag, fact) in self.read(needs).await {
            facts.manifests.entry(feed).or_default().insert(tag, fact);
        }
    }

    /// Reads the manifests of tags that run, and adds them to `facts`; they are not read again before
    /// the next listing.
    pub async fn check(&mut self, checks: &[(Feed, Tag)], facts: &mut Facts) {
        for (feed, tag, fact) in self.read(checks).await {
            self.running.entry(feed).or_default().insert(tag, fact);
        }
        facts.running.clone_from(&self.running);
    }

    async fn read(&mut self, needs: &[(Feed, Tag)]) -> Vec<(Feed, Tag, ManifestFact)> {
        let wanted: BTreeSet<(Feed, Tag)> = needs.iter().cloned().collect();
        let client = self.client.clone();
        let resolved = self
            .ask(
                wanted.into_iter().collect(),
                |((image, _), _)| image,
                move |((image, account), tag)| {
                    let client = client.clone();
                    async move { client.resolve(&image, account, &tag).await }
                },
            )
            .await;
        let mut noted = Vec::with_capacity(resolved.len());
        for ((feed, tag), result) in resolved {
            let fact = match result {
                Ok(Resolved::Found(digest)) => {
                    self.missing.forget(&feed, &tag);
                    ManifestFact::Found(digest.into())
                }
                Ok(Resolved::Missing) => self.missing.note(&feed, &tag, self.clock.now()),
                Err(why) => ManifestFact::Unreadable(why),
            };
            noted.push((feed, tag, fact));
        }
        noted
    }

    /// Runs `question` for every key, a bounded number at once, unless the host of its image wants to
    /// be left alone; returns each key with its answer, or why there is none.
    async fn ask<K, F, Fut, T>(
        &self,
        keys: Vec<K>,
        image_of: impl Fn(&K) -> &Image,
        question: F,
    ) -> Vec<(K, Result<T, String>)>
    where
        K: Clone + Send + 'static,
        F: Fn(K) -> Fut,
        Fut: Future<Output = Result<T, registry::Error>> + Send + 'static,
        T: Send + 'static,
    {
        let gate = Arc::new(Semaphore::new(AT_ONCE));
        let mut tasks = JoinSet::new();
        for key in keys {
            let answer = question(key.clone());
            let host = image_of(&key).registry().to_owned();
            let (gate, pauses) = (Arc::clone(&gate), self.pauses.clone());
            let clock = self.clock.clone();
            tasks.spawn(async move {
                // The semaphore is never closed, so waiting for it can't fail.
                let _permit = gate.acquire_owned().await.ok();
                // Only now: the host may have asked for a pause while this question waited.
                if let Some(why) = pauses.reason(&host, clock.now()) {
                    return (key, Err(why));
                }
                let answer = answer.await.map_err(|error| {
                    if let Some(wait) = error.retry_after() {
                        pauses.note(&host, wait, clock.now());
                    }
                    words(&error)
                });
                (key, answer)
            });
        }
        tasks.join_all().await
    }
}

impl Missing {
    fn note(&mut self, feed: &Feed, tag: &Tag, now: Timestamp) -> ManifestFact {
        let since = self
            .0
            .entry(feed.0.to_string())
            .or_default()
            .entry(tag.to_string())
            .or_insert(now);
        // A clock that was set back starts the wait anew, rather than making it endless.
        *since = now.min(*since);
        if now.duration_since(*since) >= MISSING_FOR {
            ManifestFact::Missing
        } else {
            ManifestFact::MissingOnce
        }
    }

    fn forget(&mut self, feed: &Feed, tag: &Tag) {
        if let Some(tags) = self.0.get_mut(&feed.0.to_string()) {
            tags.remove(tag.as_str());
            if tags.is_empty() {
                self.0.remove(&feed.0.to_string());
            }
        }
    }
}

fn tell(feed: &Feed, listing: &registry::Listing) {
    for warning in &listing.warnings {
        tracing::warn!(image = %feed.0, "the registry warns: {warning}");
    }
    if listing.invalid_count > 0 {
        let sample = listing.invalid.join(", ");
        let count = listing.invalid_count;
        tracing::warn!(image = %feed.0, "{count} listed names are no tags and are left out, such as {sample}");
    }
}

/// An error with its causes and its hint, in one line.
fn words(error: &registry::Error) -> String {
    let mut text = diag::chain(error);
    if let Some(hint) = error.hint() {
        text.push_str(" (");
        text.push_str(hint);
        text.push(')');
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::registry::AccountId;

    #[test]
    fn a_manifest_is_gone_only_when_missed_twice_an_interval_apart() {
        let feed: Feed = ("nginx".parse().unwrap(), AccountId::ANONYMOUS);
        let tag: Tag = "1.0.0".parse().unwrap();
        let mut missing = Missing::default();
        let at = |seconds| Timestamp::from_second(seconds).unwrap();
        assert_eq!(missing.note(&feed, &tag, at(0)), ManifestFact::MissingOnce);
        assert_eq!(missing.note(&feed, &tag, at(59)), ManifestFact::MissingOnce);
        assert_eq!(missing.note(&feed, &tag, at(60)), ManifestFact::Missing);
        assert_eq!(missing.note(&feed, &tag, at(-9)), ManifestFact::MissingOnce);
        assert_eq!(missing.note(&feed, &tag, at(51)), ManifestFact::Missing);
        missing.forget(&feed, &tag);
        assert_eq!(missing, Missing::default());
    }
}
