//! What a stage's past means for its future, over facts read from history.
//!
//! Invariant: pure. The same facts give the same answer, whoever read them and however much of them was
//! remembered; what a person did is told from values alone, never from a commit's words.
//!
//! Nothing is read here, and nothing chosen: which tags are acceptable is the policy's business, and
//! where facts come from is the reader's.
//!
//! Reading order: [`back`] (is one commit a move back, and from what), [`standing`] (what all commits
//! together come to), [`tenure`] (what ran for how long, and may be promoted), [`windows`] (when changes may
//! be made), [`approval`] (who may consent, and what counts).

use std::cmp::Ordering;
use std::fmt;

use crate::image::{Digest, Tag, Version};

pub mod approval;
pub mod back;
pub mod standing;
pub mod tenure;
pub mod windows;

pub use back::moved_back;
pub use standing::{Bound, By, Event, Lift, References, Standing, Taken};

/// A reference that a site of a stage holds.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Held {
    /// The tag.
    pub tag: Tag,
    /// The digest, where one is written.
    pub digest: Option<Digest>,
}

impl fmt::Display for Held {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let version = Version {
            tag: Some(&self.tag),
            digest: self.digest.as_ref(),
        };
        version.fmt(f)
    }
}

/// What makes a move one back.
#[derive(Clone, Copy)]
pub enum Order<'a> {
    /// Tags have places: back is lower. The comparison is total over the tags that occur.
    Ranked(&'a dyn Fn(&Tag, &Tag) -> Ordering),
    /// Back is to a tag that the stage ran before.
    ByTag,
    /// Back is to a digest that the stage ran before.
    ByDigest,
}

impl fmt::Debug for Order<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Ranked(_) => "Ranked",
            Self::ByTag => "ByTag",
            Self::ByDigest => "ByDigest",
        })
    }
}
