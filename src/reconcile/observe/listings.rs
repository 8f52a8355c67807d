//! The listings of a pass, from the poller.
//!
//! Invariant: what the poller doubts is no complete listing here, so that nothing new is chosen from it.
//! What was read of tags that run, or can't be read, is kept for as long as the listing that it was read
//! after.

use std::collections::BTreeMap;

use jiff::Timestamp;

use super::{Look, Observer};
use crate::image::Tag;
use crate::policy::{Datum, Time, TimeSource, Times};
use crate::reconcile::plan::{Doubt, Facts, Feed, Listing};
use crate::registry::poller::{self, Image, Patience, Seen, Tags};
use crate::registry::{Listed, TagSet};

impl Observer {
    /// The listings of `feeds`, after waiting as `patience` says.
    pub async fn list(&mut self, feeds: BTreeMap<Feed, Look>, patience: Patience) -> Facts {
        let images: Vec<Image> = feeds
            .iter()
            .map(|(feed, look)| Image {
                key: feed.clone(),
                interval: look.interval,
                times: look.times,
            })
            .collect();
        let seen = self.poller.list(&self.name, &images, patience).await;
        let mut listings = BTreeMap::new();
        let mut times = BTreeMap::new();
        let mut looks = BTreeMap::new();
        for ((feed, look), seen) in feeds.into_iter().zip(seen) {
            if let (true, Some(set)) = (look.times, set_of(&seen)) {
                times.insert(feed.clone(), push_times(set));
            }
            if let Seen::Listed { looks: number, .. } = &seen {
                looks.insert(feed.clone(), *number);
            }
            let listing = listing(&feed, seen);
            listings.insert(feed, listing);
        }
        let before = std::mem::replace(&mut self.looks, looks);
        let now = &self.looks;
        let is_same = |feed: &Feed| {
            let look = now.get(feed);
            look.is_some() && look == before.get(feed)
        };
        self.running.retain(|feed, _| is_same(feed));
        self.refused.retain(is_same);
        Facts {
            now: self.clock.now(),
            times,
            listings,
            running: self.running.clone(),
            ..Facts::default()
        }
    }
}

fn set_of(seen: &Seen) -> Option<&TagSet> {
    match seen {
        Seen::Listed { tags, .. } | Seen::Doubted { tags, .. } => tags.set.as_deref(),
        Seen::Never | Seen::Failed(_) => None,
    }
}

/// The times that came with a list. A tag without one in a list that has some was pushed while nobody
/// kept a record.
fn push_times(set: &TagSet) -> BTreeMap<Tag, Times> {
    let listed = set.listed().iter();
    listed
        .map(|listed| (listed.tag.clone(), times_of(listed)))
        .collect()
}

fn times_of(listed: &Listed) -> Times {
    let time = |at: Option<Timestamp>, source| at.map(|at| Time { at, source });
    Times {
        pushed: time(listed.pushed, TimeSource::Registry).map_or(Datum::Absent, Datum::Known),
        created: time(listed.created, TimeSource::Config).map_or(Datum::Unasked, Datum::Known),
    }
}

fn listing(feed: &Feed, seen: Seen) -> Listing {
    let names = |tags: Tags| tags.names;
    match seen {
        Seen::Listed { tags, at, .. } => Listing::Complete {
            tags: names(tags),
            at,
        },
        Seen::Doubted { tags, at, doubt } => Listing::Stale {
            tags: names(tags),
            at,
            doubt: match doubt {
                poller::Doubt::Failed(why) => Doubt::Failed(why),
                poller::Doubt::Awaited(why) => Doubt::Awaited(why),
            },
        },
        Seen::Failed(why) => Listing::Failed(why),
        Seen::Never => Listing::Awaited(format!("the tags of {} are about to be listed", feed.0)),
    }
}
