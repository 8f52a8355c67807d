//! How many manifests one pass reads, and what it puts off.
//!
//! Invariant: of one image so many tags are read in a pass for a purpose and no more, whatever a policy
//! asks for; a tag counts once. What was put off is told to the plan, so that nothing is chosen from a
//! part of the tags.
//!
//! What is to be written is not bounded here: it is one tag for each stage.

use std::collections::{BTreeMap, BTreeSet};

use super::{Feed, Need};
use crate::image::Tag;
use crate::policy::Purpose;

/// Tags of one image whose manifests are read in one pass for one purpose. At three requests each, eight at
/// once, a registry that answers in 100 ms takes 20 s for them, and then every other image has its turn.
pub const MOST: usize = 500;

/// What was read in a pass, and what was put off to the next one.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Readings {
    read: BTreeMap<(Feed, Purpose), BTreeSet<Tag>>,
    put_off: BTreeSet<(Feed, Purpose)>,
}

impl Readings {
    /// Whether what is needed may be read in this pass; notes it either way.
    pub fn admit(&mut self, need: &Need) -> bool {
        let Some(purpose) = need.purpose else {
            return true;
        };
        let key = (need.feed.clone(), purpose);
        let read = self.read.entry(key.clone()).or_default();
        if read.len() >= MOST && !read.contains(&need.tag) {
            self.put_off.insert(key);
            return false;
        }
        read.insert(need.tag.clone());
        true
    }

    /// Whether more tags of an image would have been needed for a purpose than were read.
    pub fn is_put_off(&self, feed: &Feed, purpose: Purpose) -> bool {
        // The key is cheap beside what it stands for.
        self.put_off.contains(&(feed.clone(), purpose))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::registry::AccountId;

    #[test]
    fn so_many_tags_are_read_for_each_image_and_purpose() {
        let feed = |image: &str| (image.parse().unwrap(), AccountId::ANONYMOUS);
        let need = |image: &str, number: usize, purpose| Need {
            feed: feed(image),
            tag: format!("t{number}").parse().unwrap(),
            wants: Vec::new(),
            purpose,
        };
        let mut readings = Readings::default();
        let places = Some(Purpose::Places);
        let admitted = (0..MOST + 10).filter(|at| readings.admit(&need("shop", *at, places)));
        assert_eq!(admitted.count(), MOST);
        assert!(readings.admit(&need("shop", 0, places)), "read already");
        assert!(!readings.admit(&need("shop", MOST, places)));
        assert!(readings.admit(&need("shop", MOST, Some(Purpose::Candidates))));
        assert!(readings.admit(&need("cart", MOST, places)));
        assert!(readings.admit(&need("shop", MOST, None)), "to be written");
        assert!(readings.is_put_off(&feed("shop"), Purpose::Places));
        assert!(!readings.is_put_off(&feed("shop"), Purpose::Candidates));
        assert!(!readings.is_put_off(&feed("cart"), Purpose::Places));
    }
}
