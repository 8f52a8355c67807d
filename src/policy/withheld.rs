//! Tags that people keep from being chosen, whatever the policy says.
//!
//! Invariant: only what could be chosen is withheld; what runs and what is lower keeps its own verdict. A
//! bound is void where the policy no longer accepts the tag that it was made for: the policy says it then.
//!
//! Who decided so, and how, is not known here; the words come from whoever does.

use std::sync::Arc;

use super::judge::{Judge, Judged};
use super::{Order, Policy, Reason};
use crate::image::{Digest, Tag};

/// What a person does not want to be chosen.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Withheld {
    /// The tag.
    pub tag: Tag,
    /// Its digest, where that is known.
    pub digest: Option<Digest>,
    /// What else is not to be chosen.
    pub reach: Reach,
    /// Who wants it so, since when, and what ends it.
    pub words: Arc<str>,
}

/// How far something withheld reaches.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Reach {
    /// The tag and all that are lower in the policy's order.
    UpTo,
    /// The tag alone; with a digest, only while it points to that.
    Alone,
}

impl Withheld {
    /// Marks those of `judged` that this withholds. Only tags for which `higher` holds could be chosen.
    pub(super) fn mark<'t>(
        &'t self,
        policy: &Policy,
        judge: &mut Judge<'_>,
        judged: &mut [Judged<'t>],
        higher: impl Fn(&Judged<'t>) -> bool,
    ) {
        // What is followed is withheld by its digest, once that is known.
        if matches!(policy.order, Order::Digest(_)) {
            return;
        }
        let own = judge.judge(&self.tag);
        let void = match &own.rejection {
            // Its time is not known, so it has no place; it is itself all the same.
            Some(Reason::TimeUnasked | Reason::TimeUnreadable(_) | Reason::NoTime(_)) => false,
            rejection => rejection.is_some(),
        };
        let covers = |judged: &Judged<'t>| match self.reach {
            Reach::Alone => judged.tag == &self.tag && self.digest.is_none(),
            Reach::UpTo if void => false,
            Reach::UpTo => {
                let below = own.place.is_some() && judged.place <= own.place;
                judged.tag == &self.tag || below
            }
        };
        for judged in judged {
            if judged.rejection.is_none() && higher(judged) && covers(judged) {
                judged.rejection = Some(Reason::Withheld(Arc::clone(&self.words)));
            }
        }
    }

    /// Whether a candidate is withheld for what it points to.
    pub(super) fn covers(&self, policy: &Policy, tag: &Tag, digest: &Digest) -> bool {
        let same = self.digest.as_ref() == Some(digest);
        match policy.order {
            Order::Digest(_) => same,
            _ => self.reach == Reach::Alone && same && *tag == self.tag,
        }
    }
}
