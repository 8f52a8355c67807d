//! What is known of the images, as it is kept for the next process.
//!
//! Invariant: it may be of any age, incomplete or of other images; what doesn't fit is passed over. Tags
//! are kept apart from the times, because those change with every look and lists hardly ever: see
//! [`SHARDS`].

use std::collections::HashMap;
use std::fmt;
use std::sync::Arc;

use jiff::{SignedDuration, Timestamp};
use serde::{Deserialize, Deserializer, Serialize, Serializer};

use super::guard::Guard;
use crate::image::Tag;
use crate::registry::pace::Pauses;

/// Into how many parts the lists are divided, so that one that changed doesn't have all of them written
/// again. A part of 10,000 images with 100 tags each is about 700 kB.
pub const SHARDS: usize = 16;

/// How long what nobody watches is kept: a config repo may be away for so long.
const KEPT_FOR: SignedDuration = SignedDuration::from_hours(7 * 24);

/// When images were looked at, and what came of it.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
pub struct KeptTimes {
    /// Hosts that asked to be left alone.
    pub(super) pauses: Pauses,
    pub(super) looks: Vec<KeptLook>,
}

/// One image's looks.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(super) struct KeptLook {
    pub image: String,
    /// A fingerprint of the account, whose place in the configuration may be another one by then.
    pub account: String,
    pub due: Timestamp,
    pub at: Option<Timestamp>,
    pub changed: Option<Timestamp>,
    pub trouble: Option<String>,
    pub failures: u32,
    pub guard: Guard,
}

/// The lists of a part of the images.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
pub struct KeptTags(pub(super) Vec<KeptList>);

/// One image's tags.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(super) struct KeptList {
    pub image: String,
    pub account: String,
    #[serde(serialize_with = "join", deserialize_with = "split")]
    pub tags: Arc<[Tag]>,
}

/// Images that an earlier process looked at and nobody watches yet, by image and account.
#[derive(Debug, Default)]
pub(super) struct Asleep(HashMap<(String, String), Kept>);

/// A look, and the list that it found.
type Kept = (KeptLook, Option<Arc<[Tag]>>);

impl Asleep {
    pub fn new(times: Vec<KeptLook>, lists: impl IntoIterator<Item = KeptTags>) -> Self {
        let mut tags: HashMap<(String, String), Arc<[Tag]>> = lists
            .into_iter()
            .flat_map(|lists| lists.0)
            .map(|list| ((list.image, list.account), list.tags))
            .collect();
        let looks = times.into_iter().map(|look| {
            let key = (look.image.clone(), look.account.clone());
            let tags = tags.remove(&key);
            (key, (look, tags))
        });
        Self(looks.collect())
    }

    /// What was kept of an image.
    pub fn wake(&mut self, image: String, account: String) -> Option<Kept> {
        self.0.remove(&(image, account))
    }
}

impl Asleep {
    /// Those that somebody may still come to watch.
    pub fn looks(&self, now: Timestamp) -> impl Iterator<Item = KeptLook> {
        self.0
            .values()
            .map(|(look, _)| look)
            .filter(move |look| look.due.saturating_add(KEPT_FOR).unwrap_or(Timestamp::MAX) > now)
            .cloned()
    }

    /// Their lists.
    pub fn lists(&self) -> impl Iterator<Item = KeptList> {
        self.0.values().filter_map(|(look, tags)| {
            Some(KeptList {
                image: look.image.clone(),
                account: look.account.clone(),
                tags: Arc::clone(tags.as_ref()?),
            })
        })
    }
}

/// Tags hold no spaces, so that they are kept as one text: a third of the size, and read in one go.
fn join<S: Serializer>(tags: &Arc<[Tag]>, serializer: S) -> Result<S::Ok, S::Error> {
    struct Joined<'a>(&'a [Tag]);
    impl fmt::Display for Joined<'_> {
        fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
            for (number, tag) in self.0.iter().enumerate() {
                if number > 0 {
                    f.write_str(" ")?;
                }
                f.write_str(tag.as_str())?;
            }
            Ok(())
        }
    }
    serializer.collect_str(&Joined(tags))
}

/// Sorted, each once, and tags only, whatever is in the file.
fn split<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Arc<[Tag]>, D::Error> {
    let text = String::deserialize(deserializer)?;
    let tags = text.split(' ').filter_map(|tag| tag.parse().ok());
    let mut tags: Vec<Tag> = tags.collect();
    if !tags.is_sorted_by(|a, b| a < b) {
        tags.sort_unstable();
        tags.dedup();
    }
    Ok(tags.into())
}
