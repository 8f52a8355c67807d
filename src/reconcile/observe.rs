//! What the registries say: tag lists, and the manifests of tags that could win.
//!
//! Invariant: listings come from the one poller of the service, and a manifest is read only for a tag
//! that the plan asked for. A listing that failed is a fact with its reason; it never passes for a short
//! list, nor an old one for a new one.
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
use crate::image::{Digest, Tag};
use crate::policy::{Datum, Found, ManifestFact, Purpose, Want};
use crate::reconcile::plan::{Facts, Feed, Need};
use crate::registry::poller::{KeptTimes, Poller};
use crate::registry::{self, Client, Detail, Lasts, Resolved};

mod described;
mod listings;
mod origins;
mod refused;
mod seen;

pub use described::{BuiltFrom, Descriptions, Manifests};
pub use origins::Step;
use refused::{Refused, Why};
pub use seen::{Seen, Sightings};

/// Manifests asked for at once over all registries; the client bounds each host further.
const AT_ONCE: usize = 64;

/// A listed tag whose manifest is missing is taken for gone after this long: registries that copy
/// between regions list a tag before every region has its manifest.
const MISSING_FOR: SignedDuration = SignedDuration::from_secs(60);

/// The observer of one service's registries.
#[derive(Debug)]
pub struct Observer {
    poller: Poller,
    /// What it is called to the poller.
    name: String,
    clock: Clock,
    /// By which look each complete list was found.
    looks: BTreeMap<Feed, u64>,
    /// What was found of tags since the listing, and what was read of those that run.
    running: Known,
    refused: Refused,
    missing: Missing,
    manifests: Manifests,
    seen: Seen,
    asked: origins::Asked,
}

/// How an image's tags are to be listed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Look {
    /// The shortest time between two looks by the poller itself.
    pub interval: Duration,
    /// Whether push times are wanted with it, where the registry keeps them.
    pub times: bool,
}

/// What was read of tags.
type Known = BTreeMap<Feed, BTreeMap<Tag, ManifestFact>>;

/// Since when listed tags have had no manifest: image, then tag.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Missing(BTreeMap<String, BTreeMap<String, Timestamp>>);

impl Observer {
    /// An observer that asks with `client`, by itself.
    pub fn new(client: Client, clock: Clock, missing: Missing) -> Self {
        Self {
            poller: Poller::new(client, clock.clone(), KeptTimes::default(), []),
            name: String::new(),
            clock,
            looks: BTreeMap::new(),
            running: BTreeMap::new(),
            refused: Refused::default(),
            missing,
            manifests: Manifests::default(),
            seen: Seen::default(),
            asked: origins::Asked::new(),
        }
    }

    /// The same with a poller that it shares with observers of other names.
    #[must_use]
    pub fn with_poller(self, poller: Poller, name: String) -> Self {
        Self {
            poller,
            name,
            ..self
        }
    }

    /// Where its listings come from.
    pub fn poller(&self) -> &Poller {
        &self.poller
    }

    /// The same, with what others know of manifests, and since when tags have been seen.
    #[must_use]
    pub fn with_memory(self, manifests: Manifests, seen: Seen) -> Self {
        Self {
            manifests,
            seen,
            ..self
        }
    }

    /// What is known of manifests, to be kept for the next process.
    pub fn manifests(&self) -> &Manifests {
        &self.manifests
    }

    /// Since when tags have been seen, to be kept for the next process.
    pub fn sightings(&self) -> Sightings {
        self.seen.kept(self.clock.now())
    }

    /// The client that it asks with.
    pub fn client(&self) -> &Client {
        self.poller.client()
    }

    /// What to keep for the next process: since when manifests are missing.
    pub fn missing(&self) -> &Missing {
        &self.missing
    }

    /// Reads what a plan needs to know of tags, and adds it to `facts`. What was found is known to later
    /// passes until the next listing, so that what waits is not read in each of them; it is before it is
    /// written.
    pub async fn resolve(&mut self, needs: &[Need], facts: &mut Facts) {
        let mut open = Vec::new();
        for need in needs {
            if !self.remember(need, facts) && facts.readings.admit(need) {
                open.push(need);
            }
        }
        for (feed, tag, fact) in self.read(&open, &facts.manifests).await {
            if fact.found().is_some() {
                let known = self.running.entry(feed.clone()).or_default();
                known.insert(tag.clone(), fact.clone());
            }
            facts.manifests.entry(feed).or_default().insert(tag, fact);
        }
    }

    /// Reads what a plan needs to know of tags that run or are followed, and adds it to `facts`; their
    /// digests are not read again before the next listing.
    pub async fn check(&mut self, checks: &[Need], facts: &mut Facts) {
        let open: Vec<&Need> = checks.iter().collect();
        for (feed, tag, fact) in self.read(&open, &self.running.clone()).await {
            self.running.entry(feed).or_default().insert(tag, fact);
        }
        facts.running.clone_from(&self.running);
    }

    /// Reads the platforms of manifests that run, and adds them to `facts`. One that can't be read has
    /// none that are known.
    pub async fn describe(&mut self, digests: &[(Feed, Digest)], facts: &mut Facts) {
        let wanted: BTreeSet<(Feed, Digest)> = digests.iter().cloned().collect();
        let all = wanted
            .iter()
            .map(|(feed, digest)| (feed, digest, Detail::Platforms));
        let unreadable = self.read_manifests(all.collect()).await;
        let now = self.clock.now();
        for (_, digest) in wanted {
            let platforms = match self.manifests.platforms(&digest, now) {
                Datum::Unasked => Datum::Absent,
                known => known,
            };
            if let Some(why) = unreadable.get(&digest) {
                tracing::warn!("{}", why.words);
            }
            facts.platforms.insert(digest, platforms);
        }
    }

    /// Asks whether manifests are there, whatever was read of them before, and adds the answers to `facts`.
    pub async fn confirm(&mut self, digests: &[(Feed, Digest)], facts: &mut Facts) {
        let wanted: BTreeSet<(Feed, Digest)> = digests.iter().cloned().collect();
        let client = self.client().clone();
        let asked = self
            .ask(
                wanted.into_iter().collect(),
                move |((image, account), digest)| {
                    let client = client.clone();
                    async move {
                        let detail = Detail::Platforms;
                        client.describe(&image, account, &digest, detail).await
                    }
                },
            )
            .await;
        let told = asked
            .into_iter()
            .map(|((_, digest), answer)| (digest, answer.map(drop).map_err(|why| why.words)));
        facts.present.extend(told);
    }

    /// Answers a need for a time alone without asking the registry, if possible: a build time from what
    /// was read before, since tags are taken to keep what they stand for, and whatever is written is read
    /// anew all the same. A push time comes with the list or not at all.
    fn remember(&self, need: &Need, facts: &mut Facts) -> bool {
        match need.wants[..] {
            [Want::Pushed] if need.purpose == Some(Purpose::Places) => {
                let times = facts.times.entry(need.feed.clone()).or_default();
                times.entry(need.tag.clone()).or_default().pushed = Datum::Absent;
                return true;
            }
            [Want::Created] => {}
            _ => return false,
        }
        let Some(digest) = self.seen.digest(&need.feed.0, &need.tag) else {
            return false;
        };
        let created = self.manifests.created(&digest, self.clock.now());
        if created == Datum::Unasked {
            return false;
        }
        let times = facts.times.entry(need.feed.clone()).or_default();
        times.entry(need.tag.clone()).or_default().created = created;
        true
    }

    /// Reads what is needed of tags, beginning with what is `known` of them.
    async fn read(&mut self, needs: &[&Need], known: &Known) -> Vec<(Feed, Tag, ManifestFact)> {
        let mut wants: BTreeMap<(Feed, Tag), BTreeSet<Want>> = BTreeMap::new();
        for need in needs {
            let key = (need.feed.clone(), need.tag.clone());
            wants.entry(key).or_default().extend(&need.wants);
        }
        let mut facts: BTreeMap<(Feed, Tag), ManifestFact> = BTreeMap::new();
        let mut unresolved = Vec::new();
        for key in wants.keys() {
            let known = known.get(&key.0).and_then(|tags| tags.get(&key.1));
            let found = known.filter(|fact| fact.found().is_some());
            match found.or_else(|| self.refused.tag(&key.0, &key.1)) {
                Some(fact) => {
                    facts.insert(key.clone(), fact.clone());
                }
                None => unresolved.push(key.clone()),
            }
        }
        facts.extend(self.digests(unresolved).await);
        self.fill_in(&wants, &mut facts).await;
        let told = facts.into_iter();
        told.map(|((feed, tag), fact)| (feed, tag, fact)).collect()
    }

    /// The digests that tags have now.
    async fn digests(&mut self, tags: Vec<(Feed, Tag)>) -> Vec<((Feed, Tag), ManifestFact)> {
        let client = self.client().clone();
        let resolved = self
            .ask(tags, move |((image, account), tag)| {
                let client = client.clone();
                async move { client.resolve(&image, account, &tag).await }
            })
            .await;
        let now = self.clock.now();
        let mut facts = Vec::with_capacity(resolved.len());
        for ((feed, tag), result) in resolved {
            let fact = match result {
                Ok(Resolved::Found(digest)) => {
                    self.missing.forget(&feed, &tag);
                    let since = self.seen.note(&feed.0, &tag, &digest, now);
                    ManifestFact::Found(Found {
                        first_seen: Some(since),
                        ..Found::from(digest)
                    })
                }
                Ok(Resolved::Missing) => self.missing.note(&feed, &tag, now),
                Err(why) => self.unreadable(&feed, &tag, &why),
            };
            if fact == ManifestFact::Missing {
                self.refused.note_tag(&feed, &tag, fact.clone());
            }
            facts.push(((feed, tag), fact));
        }
        facts
    }

    /// What is known of a tag that can't be read; remembered if it will be the same for a while.
    fn unreadable(&mut self, feed: &Feed, tag: &Tag, why: &Why) -> ManifestFact {
        let fact = ManifestFact::Unreadable(why.words.clone());
        if why.lasts != Lasts::Moment {
            self.refused.note_tag(feed, tag, fact.clone());
        }
        fact
    }

    /// Adds what is wanted of tags besides their digests.
    async fn fill_in(
        &mut self,
        wants: &BTreeMap<(Feed, Tag), BTreeSet<Want>>,
        facts: &mut BTreeMap<(Feed, Tag), ManifestFact>,
    ) {
        let found = facts.iter().filter_map(|((feed, tag), fact)| {
            let detail = detail(wants.get(&(feed.clone(), tag.clone()))?)?;
            Some((feed, &fact.found()?.digest, detail))
        });
        let unreadable = self.read_manifests(found.collect()).await;
        let now = self.clock.now();
        for (key, fact) in facts {
            let wanted = wants.get(key).is_some_and(|wants| detail(wants).is_some());
            let ManifestFact::Found(found) = fact else {
                continue;
            };
            found.platforms = self.manifests.platforms(&found.digest, now);
            found.times.created = self.manifests.created(&found.digest, now);
            // A registry that has a record of it tells it with the listing.
            found.times.pushed = Datum::Absent;
            if let (true, Some(why)) = (wanted, unreadable.get(&found.digest)) {
                *fact = ManifestFact::Unreadable(why.words.clone());
            }
        }
    }

    /// Reads the manifests that are not known yet in such detail; returns why some can't be read.
    async fn read_manifests(
        &mut self,
        wanted: Vec<(&Feed, &Digest, Detail)>,
    ) -> BTreeMap<Digest, Why> {
        let now = self.clock.now();
        let mut open: BTreeMap<Digest, (Feed, Detail)> = BTreeMap::new();
        let mut unreadable = BTreeMap::new();
        for (feed, digest, detail) in wanted {
            let known = match detail {
                Detail::Platforms => self.manifests.platforms(digest, now) != Datum::Unasked,
                Detail::Created => self.manifests.created(digest, now) != Datum::Unasked,
                Detail::Origin => self.manifests.origin(digest).is_some(),
            };
            if known {
                continue;
            }
            if let Some(why) = self.refused.manifest(feed, digest, now) {
                unreadable.insert(digest.clone(), why.clone());
                continue;
            }
            let asked = open.entry(digest.clone()).or_insert((feed.clone(), detail));
            asked.1 = asked.1.max(detail);
        }
        let keys = open
            .into_iter()
            .map(|(digest, (feed, detail))| (feed, digest, detail));
        let client = self.client().clone();
        let described = self
            .ask(keys.collect(), move |((image, account), digest, detail)| {
                let client = client.clone();
                async move { client.describe(&image, account, &digest, detail).await }
            })
            .await;
        for ((feed, digest, detail), result) in described {
            match result {
                Ok(described) => self.manifests.note(&digest, described, detail, now),
                Err(why) => {
                    self.refused.note_manifest(&feed, &digest, &why, now);
                    unreadable.insert(digest, why);
                }
            }
        }
        unreadable
    }

    /// Runs `question` for every key, a bounded number at once; returns each key with its answer, or why
    /// there is none.
    async fn ask<K, F, Fut, T>(&self, keys: Vec<K>, question: F) -> Vec<(K, Result<T, Why>)>
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
            let gate = Arc::clone(&gate);
            tasks.spawn(async move {
                // The semaphore is never closed, so waiting for it can't fail.
                let _permit = gate.acquire_owned().await.ok();
                (key, answer.await.map_err(Why::from))
            });
        }
        tasks.join_all().await
    }
}

/// In which detail a manifest must be read for what is wanted.
fn detail(wants: &BTreeSet<Want>) -> Option<Detail> {
    let detail = |want: &Want| match want {
        Want::Platforms => Some(Detail::Platforms),
        Want::Created => Some(Detail::Created),
        Want::Pushed | Want::Taken => None,
    };
    wants.iter().filter_map(detail).max()
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
