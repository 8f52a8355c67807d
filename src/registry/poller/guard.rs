//! Whether a list that became much shorter is believed.
//!
//! Invariant: a list that lacks more than a fifth of what was there is taken only once three complete
//! listings over an hour agree on what is gone. Registries that lost a page, a replica or an index have
//! listed half their tags as if that were all.
//!
//! Pure: the time is given.

use std::hash::{Hash as _, Hasher as _};

use jiff::{SignedDuration, Timestamp};
use serde::{Deserialize, Serialize};

use super::schedule::Fnv;
use crate::image::Tag;

/// So many listings must agree.
const LISTINGS: u32 = 3;

/// Over so long a time: outages and rebuilds of an index last minutes.
const TIME: SignedDuration = SignedDuration::from_hours(1);

/// What was seen of a shorter list.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Guard(Option<Suspicion>);

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
struct Suspicion {
    /// A hash of the tags that are gone.
    gone: u64,
    /// When that was first seen.
    since: Timestamp,
    /// How many listings in a row said so.
    listings: u32,
    words: String,
}

/// What to make of a listing.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Belief {
    /// It is what the image has.
    Taken,
    /// The list before it is kept.
    Doubted,
}

impl Guard {
    /// What to make of the listing `new`, `good` being what was believed before. Both are sorted.
    pub fn judge(&mut self, good: &[Tag], new: &[Tag], now: Timestamp) -> Belief {
        if new.len() * 5 >= good.len() * 4 {
            self.0 = None;
            return Belief::Taken;
        }
        let gone = hash_of_gone(good, new);
        match &mut self.0 {
            Some(seen) if seen.gone == gone && seen.since <= now => {
                seen.listings = seen.listings.saturating_add(1);
                if seen.listings >= LISTINGS && now.duration_since(seen.since) >= TIME {
                    self.0 = None;
                    return Belief::Taken;
                }
            }
            other => {
                *other = Some(Suspicion {
                    gone,
                    since: now,
                    listings: 1,
                    words: format!(
                        "the registry's list shrank from {} to {} tags; the longer one is kept until \
                         {LISTINGS} listings over an hour agree",
                        good.len(),
                        new.len()
                    ),
                });
            }
        }
        Belief::Doubted
    }

    /// Why the list is not the latest one, if so.
    pub fn doubt(&self) -> Option<&str> {
        self.0.as_ref().map(|suspicion| suspicion.words.as_str())
    }
}

/// A hash of the tags in `good` that are not in `new`, both sorted.
fn hash_of_gone(good: &[Tag], new: &[Tag]) -> u64 {
    let mut hasher = Fnv::default();
    let mut rest = new.iter().peekable();
    for tag in good {
        while rest.next_if(|other| *other < tag).is_some() {}
        if rest.peek() != Some(&tag) {
            tag.as_str().hash(&mut hasher);
        }
    }
    hasher.finish()
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn at(minutes: i64) -> Timestamp {
        Timestamp::from_second(minutes * 60).unwrap()
    }

    fn tags(numbers: impl IntoIterator<Item = u32>) -> Vec<Tag> {
        let tags = numbers.into_iter().map(|number| format!("1.{number:04}"));
        tags.map(|text| text.parse().unwrap()).collect()
    }

    #[test]
    fn a_fifth_may_go_at_once_and_no_more() {
        for (before, after, belief) in [
            (10, 8, Belief::Taken),
            (10, 7, Belief::Doubted),
            (10, 0, Belief::Doubted),
            (5, 4, Belief::Taken),
            (4, 3, Belief::Doubted),
            (0, 0, Belief::Taken),
            (3, 30, Belief::Taken),
        ] {
            let mut guard = Guard::default();
            let (good, new) = (tags(0..before), tags(0..after));
            assert_eq!(guard.judge(&good, &new, at(0)), belief, "{before} {after}");
            assert_eq!(guard.doubt().is_some(), belief == Belief::Doubted);
        }
    }

    #[test]
    fn three_listings_over_an_hour_are_believed() {
        let good = tags(0..100);
        // What is gone, and after how many minutes; new tags are no disagreement.
        let short = || tags(0..50);
        let grown = || tags((0..50).chain(200..203));
        let other = || tags(50..100);
        type Looks<'a> = &'a [(&'a dyn Fn() -> Vec<Tag>, i64, bool)];
        let cases: [Looks<'_>; 4] = [
            &[(&short, 0, false), (&grown, 30, false), (&short, 60, true)],
            &[
                (&short, 0, false),
                (&short, 5, false),
                (&short, 10, false),
                (&short, 61, true),
            ],
            &[
                (&short, 0, false),
                (&other, 30, false),
                (&short, 60, false),
                (&short, 90, false),
                (&short, 120, true),
            ],
            &[
                (&short, 0, false),
                (&short, 60, false),
                (&short, -5, false),
                (&short, 30, false),
                (&short, 60, true),
            ],
        ];
        for looks in cases {
            let mut guard = Guard::default();
            for (list, minutes, taken) in looks {
                let belief = guard.judge(&good, &list(), at(*minutes));
                assert_eq!(belief == Belief::Taken, *taken, "{minutes}");
            }
        }
    }

    #[test]
    fn a_list_that_is_whole_again_ends_the_doubt() {
        let good = tags(0..100);
        let mut guard = Guard::default();
        guard.judge(&good, &tags(0..50), at(0));
        assert_eq!(
            guard.doubt(),
            Some(
                "the registry's list shrank from 100 to 50 tags; the longer one is kept until 3 \
                 listings over an hour agree"
            )
        );
        assert_eq!(guard.judge(&good, &good, at(1)), Belief::Taken);
        assert_eq!(guard.doubt(), None);
        assert_eq!(guard.judge(&good, &tags(0..50), at(2)), Belief::Doubted);
    }

    proptest! {
        #[test]
        fn a_short_list_is_never_taken_within_the_hour(
            looks in proptest::collection::vec((0u32..80, 0i64..20), 1..40),
        ) {
            let good = tags(0..100);
            let mut guard = Guard::default();
            let mut first = 0;
            for (minutes, (count, _)) in (0..60).zip(looks) {
                first = minutes;
                prop_assert_eq!(guard.judge(&good, &tags(0..count), at(minutes)), Belief::Doubted);
            }
            prop_assert!(first < 60);
        }
    }
}
