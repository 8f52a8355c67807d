//! What the registries say: tag lists, and the manifests of tags that could win.
//!
//! Invariant: one listing per (image, account) however many apps watch it, and a manifest is read only
//! for a tag that the plan asked for. A listing that failed is a fact with its reason; it never passes
//! for a short list.
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
use crate::image::Tag;
use crate::policy::ManifestFact;
use crate::reconcile::plan::{Facts, Feed, Listing};
use crate::registry::{self, Client, Resolved};

/// Listings and manifests asked for at once over all registries; the client bounds each host further.
const AT_ONCE: usize = 64;

/// Longest pause that a host can ask for: the longest window of the quotas that registries state.
const LONGEST_PAUSE: Duration = Duration::from_secs(6 * 60 * 60);

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
    paused: BTreeMap<String, Timestamp>,
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
            paused: BTreeMap::new(),
            missing,
        }
    }

    /// The client that it asks with.
    pub fn client(&self) -> &Client {
        &self.client
    }

    /// What to keep for the next process: since when manifests are missing.
    pub fn missing(&self) -> &Missing {
        &self.missing
    }

    /// The listings of `feeds`, each asked for anew when older than its bound in `max_age`.
    pub async fn list(&mut self, feeds: BTreeMap<Feed, Duration>) -> Facts {
        let now = self.clock.now();
        self.listings.retain(|feed, _| feeds.contains_key(feed));
        self.paused.retain(|_, until| *until > now);
        let mut due = Vec::new();
        for (feed, max_age) in feeds {
            if self.is_fresh(&feed, max_age, now) {
                continue;
            }
            match self.paused.get(feed.0.registry()) {
                Some(until) => {
                    let host = feed.0.registry();
                    let why = format!("{host} asked to be left alone until {until}");
                    self.listings.insert(feed, Listing::Failed(why));
                }
                None => due.push(feed),
            }
        }
        // `due` is sorted, as the map that it comes from is.
        let listings = &self.listings;
        self.running
            .retain(|feed, _| listings.contains_key(feed) && due.binary_search(feed).is_err());
        let client = self.client.clone();
        let listed = all(due, move |(image, account)| {
            let client = client.clone();
            async move { client.tags(&image, account).await }
        })
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
                Err(error) => {
                    self.heed(&feed, &error, now);
                    Listing::Failed(words(&error))
                }
            };
            self.listings.insert(feed, listing);
        }
        Facts {
            listings: self.listings.clone(),
            manifests: BTreeMap::new(),
            running: self.running.clone(),
        }
    }

    /// A host that says when to come back is not asked before then, for any image.
    fn heed(&mut self, feed: &Feed, error: &registry::Error, now: Timestamp) {
        let Some(wait) = error.retry_after() else {
            return;
        };
        let wait = SignedDuration::try_from(wait.min(LONGEST_PAUSE)).unwrap_or_default();
        let until = now.saturating_add(wait).unwrap_or(Timestamp::MAX);
        let host = feed.0.registry().to_owned();
        let paused = self.paused.entry(host).or_insert(until);
        *paused = until.max(*paused);
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
        let resolved = all(
            wanted.into_iter().collect(),
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
                    ManifestFact::Found(digest)
                }
                Ok(Resolved::Missing) => self.missing.note(&feed, &tag, self.clock.now()),
                Err(error) => {
                    self.heed(&feed, &error, self.clock.now());
                    ManifestFact::Unreadable(words(&error))
                }
            };
            noted.push((feed, tag, fact));
        }
        noted
    }
}

impl Missing {
    fn note(&mut self, feed: &Feed, tag: &Tag, now: Timestamp) -> ManifestFact {
        let since = *self
            .0
            .entry(feed.0.to_string())
            .or_default()
            .entry(tag.to_string())
            .or_insert(now);
        if now.duration_since(since) >= MISSING_FOR {
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

/// Runs `ask` for every key, a bounded number at once, and returns each key with its answer.
async fn all<K, F, Fut, T>(keys: Vec<K>, ask: F) -> Vec<(K, T)>
where
    K: Clone + Send + 'static,
    F: Fn(K) -> Fut,
    Fut: Future<Output = T> + Send + 'static,
    T: Send + 'static,
{
    let gate = Arc::new(Semaphore::new(AT_ONCE));
    let mut tasks = JoinSet::new();
    for key in keys {
        let answer = ask(key.clone());
        let gate = Arc::clone(&gate);
        tasks.spawn(async move {
            // The semaphore is never closed, so waiting for it can't fail.
            let _permit = gate.acquire_owned().await.ok();
            (key, answer.await)
        });
    }
    tasks.join_all().await
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
    let mut text = error.to_string();
    let mut cause = std::error::Error::source(error);
    while let Some(source) = cause {
        text.push_str(": ");
        text.push_str(&source.to_string());
        cause = source.source();
    }
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
        missing.forget(&feed, &tag);
        assert_eq!(missing, Missing::default());
    }
}
