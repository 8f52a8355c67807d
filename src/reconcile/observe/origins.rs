//! What images were built from, for links to what changed.
//!
//! Invariant: a link is a courtesy: it is asked for once, for a few changes at a time, and never for long. A
//! change goes on without it.

use std::collections::BTreeSet;
use std::time::Duration;

use super::described::BuiltFrom;
use super::{Detail, Feed, ManifestFact, Observer, Why};
use crate::image::{Digest, Tag};

/// How long a change waits for its link.
const PATIENCE: Duration = Duration::from_secs(2);

/// Changes of one pass that get links. Nobody reads those of a larger burst one by one, and each may take
/// five requests, which count as pulls in some registries.
const MOST: usize = 20;

/// Most digests remembered to have been asked for; those that answered are kept elsewhere.
const MOST_ASKED: usize = 10_000;

/// A change from one image to another.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Step {
    /// Where both are.
    pub feed: Feed,
    /// The tag that was there, with its digest if that is written.
    pub old: (Tag, Option<Digest>),
    /// The digest that is there now.
    pub new: Digest,
}

/// What was asked for in this process.
pub(super) type Asked = BTreeSet<Digest>;

impl Observer {
    /// What the images of each step were built from, where both say.
    pub async fn origins(&mut self, steps: &[Step]) -> Vec<Option<(BuiltFrom, BuiltFrom)>> {
        if !steps.is_empty() && steps.len() <= MOST {
            // What takes longer is not waited for; what it had found out by then is not lost to others.
            let _ = tokio::time::timeout(PATIENCE, self.ask_origins(steps)).await;
        }
        let found = steps.iter().map(|step| {
            let old = self.digest_before(step)?;
            let old = self.manifests.origin(&old)?;
            Some((old, self.manifests.origin(&step.new)?))
        });
        found.collect()
    }

    async fn ask_origins(&mut self, steps: &[Step]) {
        let unknown = steps
            .iter()
            .filter(|step| self.digest_before(step).is_none());
        let unknown: Vec<(Feed, Tag)> = unknown
            .map(|step| (step.feed.clone(), step.old.0.clone()))
            .collect();
        for ((feed, tag), fact) in self.digests(unknown).await {
            if let ManifestFact::Unreadable(why) = fact {
                tracing::debug!(image = %feed.0, %tag, why, "no link to what changed");
            }
        }
        let pairs = steps.iter().flat_map(|step| {
            let digests = [self.digest_before(step), Some(step.new.clone())];
            digests
                .into_iter()
                .flatten()
                .map(|digest| (&step.feed, digest))
        });
        let open: Vec<(&Feed, Digest)> = pairs
            .filter(|(_, digest)| {
                !self.asked.contains(digest) && self.manifests.origin(digest).is_none()
            })
            .collect();
        if self.asked.len() > MOST_ASKED {
            self.asked.clear();
        }
        self.asked
            .extend(open.iter().map(|(_, digest)| digest.clone()));
        let wanted = open
            .iter()
            .map(|(feed, digest)| (*feed, digest, Detail::Origin));
        for Why { words: why, .. } in self.read_manifests(wanted.collect()).await.values() {
            tracing::debug!(why, "no link to what changed");
        }
    }

    /// The digest of what was there, as written or as the tag was last seen with.
    fn digest_before(&self, step: &Step) -> Option<Digest> {
        let (tag, written) = &step.old;
        written
            .clone()
            .or_else(|| self.seen.digest(&step.feed.0, tag))
    }
}
