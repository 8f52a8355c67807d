//! Tags that others decide on first: what a selection may take at all, whatever the policy says.
//!
//! Invariant: only what could be chosen is kept back; what runs and what is lower keeps its own verdict. What
//! the policy rejects is told as rejected by the policy.
//!
//! Who decides, and how, is not known here; the words come from whoever does.

use std::collections::BTreeMap;
use std::sync::Arc;

use super::Reason;
use crate::image::Tag;

/// What may be chosen.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Offered {
    /// The tags of which more is known: those without words may be chosen, the others not, for what the
    /// words say.
    pub tags: BTreeMap<Tag, Option<Arc<str>>>,
    /// What is said of all others, none of which may be chosen.
    pub others: Arc<str>,
}

impl Offered {
    /// Why `tag` may not be chosen, if it may not.
    pub(super) fn rejection(&self, tag: &Tag) -> Option<Reason> {
        let words = match self.tags.get(tag) {
            Some(None) => return None,
            Some(Some(words)) => words,
            None => &self.others,
        };
        Some(Reason::NotOffered(Arc::clone(words)))
    }
}
