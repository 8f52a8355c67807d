//! One image that is looked at: what it has, how sure that is, and when the next look is due.
//!
//! Invariant: a list of tags is replaced only by a complete and believed one. Whatever keeps it from being
//! the latest is a [`Doubt`], for as long as it does.
//!
//! Pure: the time is given.

use std::sync::Arc;

use jiff::Timestamp;

use super::guard::{Belief, Guard};
use super::kept::KeptLook;
use super::schedule::{Blame, Pattern, later};
use super::{Doubt, Outcome, Seen, Tags};
use crate::image::Tag;

/// A list of tags that is believed.
#[derive(Debug, Clone)]
pub(super) struct Good {
    pub tags: Tags,
    /// When it was listed last.
    pub at: Timestamp,
    /// When it was first listed so.
    pub changed: Timestamp,
}

/// An image's state.
#[derive(Debug, Clone)]
pub(super) struct Look {
    pub pattern: Pattern,
    pub due: Timestamp,
    pub good: Option<Good>,
    /// Whether push times are wanted.
    pub times: bool,
    /// Why the last look failed, if it did.
    trouble: Option<Arc<str>>,
    /// How many have failed in a row.
    failures: u32,
    /// Whether a person has to do something before one succeeds, as far as is known.
    pub refused: bool,
    guard: Guard,
    /// Became due while nothing ran, and was not looked at since.
    late: bool,
    /// How many looks have ended.
    pub looks: u64,
}

/// What a look means to those who watch the image.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum News {
    /// Another list, or another reason to doubt it.
    Some,
    /// The same as before.
    None,
}

/// What becomes of a list that was listed again.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum List {
    First,
    Same,
    Changed,
    Doubted,
}

impl Look {
    /// One that was never looked at.
    pub fn new(pattern: Pattern, times: bool, now: Timestamp) -> Self {
        Self {
            pattern,
            times,
            due: now,
            good: None,
            trouble: None,
            failures: 0,
            refused: false,
            guard: Guard::default(),
            late: false,
            looks: 0,
        }
    }

    /// One that an earlier process looked at. It kept no push times.
    pub fn woken(
        pattern: Pattern,
        times: bool,
        kept: KeptLook,
        names: Option<Arc<[Tag]>>,
        now: Timestamp,
    ) -> Self {
        let good = names.zip(kept.at).map(|(names, at)| Good {
            tags: Tags { names, set: None },
            at: at.min(now),
            changed: kept.changed.unwrap_or(at).min(now),
        });
        let late = match &good {
            Some(good) => times || later(good.at, pattern.bound()) < now,
            None => false,
        };
        let due = match &good {
            None if kept.trouble.is_none() => now,
            // Whoever starts it again may have mended what was wrong.
            _ if kept.trouble.is_some() => {
                let due = pattern.within_reach(kept.due, now);
                due.min(pattern.after_downtime(now))
            }
            _ if kept.due <= now => pattern.after_downtime(now),
            _ => pattern.within_reach(kept.due, now),
        };
        Self {
            pattern,
            due,
            good,
            times,
            refused: kept.trouble.is_some(),
            trouble: kept.trouble.map(Into::into),
            failures: kept.failures,
            guard: kept.guard,
            late,
            looks: 0,
        }
    }

    /// What to keep of it for the next process.
    pub fn keep(&self, image: String, account: String) -> KeptLook {
        KeptLook {
            image,
            account,
            due: self.due,
            at: self.good.as_ref().map(|good| good.at),
            changed: self.good.as_ref().map(|good| good.changed),
            trouble: self.trouble.as_deref().map(str::to_owned),
            failures: self.failures,
            guard: self.guard.clone(),
        }
    }

    /// Takes up what a look found, and says when the next one is due.
    pub fn ended(&mut self, outcome: Outcome, now: Timestamp) -> News {
        let doubt = self.doubt();
        let list = match outcome {
            Outcome::Listed(tags) => {
                self.looks = self.looks.saturating_add(1);
                self.listed(tags, now)
            }
            Outcome::Failed { blame, why } => {
                self.looks = self.looks.saturating_add(1);
                self.failures = self.failures.saturating_add(1);
                self.trouble = Some(why.into());
                self.refused = blame == Blame::Repository;
                self.due = self.pattern.after_failure(blame, self.failures, now);
                List::Same
            }
            // It stays due.
            Outcome::Postponed => List::Same,
        };
        if matches!(list, List::First | List::Changed) || self.doubt() != doubt {
            News::Some
        } else {
            News::None
        }
    }

    /// Push times are wanted from now on; whether they may be missing, and a look is due.
    pub fn want_times(&mut self, now: Timestamp) -> bool {
        self.times = true;
        let good = self.good.as_ref();
        let lacks =
            good.is_some_and(|good| !good.tags.set.as_ref().is_some_and(|set| set.is_timed()));
        if lacks {
            self.late = true;
            self.due = self.due.min(now);
        }
        lacks
    }

    fn listed(&mut self, tags: Tags, now: Timestamp) -> List {
        (self.trouble, self.failures, self.late) = (None, 0, false);
        self.refused = false;
        let list = match &mut self.good {
            None => {
                let (at, changed) = (now, now);
                self.good = Some(Good { tags, at, changed });
                List::First
            }
            Some(good) => {
                let same = is_same(&good.tags, &tags);
                match self.guard.judge(&good.tags.names, &tags.names, now) {
                    Belief::Doubted => List::Doubted,
                    Belief::Taken if same => {
                        good.at = now;
                        // It may be added to at the next look.
                        good.tags.set = tags.set;
                        List::Same
                    }
                    Belief::Taken => {
                        let (at, changed) = (now, now);
                        *good = Good { tags, at, changed };
                        List::Changed
                    }
                }
            }
        };
        let changed = self.good.as_ref().map_or(now, |good| good.changed);
        self.due = match list {
            List::First => self.pattern.after_first(now),
            _ => self.pattern.after(self.looks, changed, now),
        };
        list
    }

    /// What is known, `rest` being why the host isn't asked, if it isn't.
    pub fn seen(&self, rest: Option<String>) -> Seen {
        let doubt = rest.map(Doubt::Failed).or_else(|| self.doubt());
        match (&self.good, doubt) {
            (Some(good), None) => Seen::Listed {
                tags: good.tags.clone(),
                at: good.at,
                looks: self.looks,
            },
            (Some(good), Some(doubt)) => Seen::Doubted {
                tags: good.tags.clone(),
                at: good.at,
                doubt,
            },
            (None, Some(Doubt::Failed(why))) => Seen::Failed(why),
            (None, _) => Seen::Never,
        }
    }

    /// Why the list may not be the latest.
    pub fn doubt(&self) -> Option<Doubt> {
        if let Some(why) = &self.trouble {
            return Some(Doubt::Failed(why.to_string()));
        }
        if let Some(words) = self.guard.doubt() {
            return Some(Doubt::Failed(words.to_owned()));
        }
        self.late
            .then(|| Doubt::Awaited("they are about to be listed again".to_owned()))
    }
}

/// Whether two lists are the same, as far as both have records.
fn is_same(a: &Tags, b: &Tags) -> bool {
    let names = Arc::ptr_eq(&a.names, &b.names) || a.names == b.names;
    names
        && match (&a.set, &b.set) {
            (Some(a), Some(b)) => Arc::ptr_eq(a, b) || a.listed() == b.listed(),
            _ => true,
        }
}
