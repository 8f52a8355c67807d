//! The choice: the highest acceptable tag, never lower than what runs now.
//!
//! Invariant: a tag that is rejected or lower than the choice has no influence on the choice, and a
//! tag whose manifest may or may not be there is never passed over.
//!
//! What makes a tag acceptable is not known here.

use std::cmp::Ordering;

use super::judge::{Judge, Places};
use super::key::Key;
use super::ranking::{Ranking, Running};
use super::{
    Current, CurrentListed, Disorder, Evidence, Needs, NoChoice, Order, Outcome, Policy, Purpose,
    Reason, Recorded, Selection, Unorderable, Unordered, Want,
};
use crate::image::Tag;

/// Why a tag that was missed once is not passed over.
pub(super) const MISSING_ONCE: &str =
    "the registry lists it, but did not find its manifest; it is asked again";

/// Chooses among the tags.
///
/// The choice is the highest acceptable tag that is strictly higher than the current one; of tags
/// of one version it is the bytewise greatest. With [`Manifests::Known`](super::Manifests::Known),
/// candidates are taken from the highest downwards: one that is missing or does not meet the
/// conditions is rejected and the next one taken; one whose manifest can't be read ends the search
/// without a choice. By [`Order::Digest`] the tag that is followed is chosen when it points to
/// something else than what runs.
pub fn select(policy: &Policy, evidence: &Evidence<'_>) -> Selection {
    let current_listed = match evidence.current.tag() {
        Some(tag) if evidence.tags.contains(tag) => CurrentListed::Listed,
        Some(_) => CurrentListed::Gone,
        None => CurrentListed::NotApplicable,
    };
    let (running, unorderable) = match place(policy, evidence) {
        Ok(running) => (running, None),
        Err(unorderable) => (None, Some(unorderable)),
    };
    let current = running.as_ref().map(|running| &running.place);
    let mut judge = Judge::new(policy, evidence.recorded, current);
    let mut ranking = Ranking::new(&mut judge, policy, evidence, running);
    let outcome = match open(policy, unorderable.as_ref(), &ranking) {
        Some(open) => open,
        None => match unorderable {
            Some(reason) if policy.unordered == Unordered::Hold => Outcome::Unordered(reason),
            _ if evidence.tags.is_empty() => Outcome::Nothing(NoChoice::NoTags),
            _ => match ranking.walk() {
                Some(outcome) => outcome,
                None => ranking.stay(&mut judge),
            },
        },
    };
    Selection {
        recheck: ranking.recheck(),
        verdicts: ranking.verdicts(&outcome),
        outcome,
        current_listed,
    }
}

/// What must be known before the tags have places at all.
fn open(
    policy: &Policy,
    unorderable: Option<&Unorderable>,
    ranking: &Ranking<'_, '_>,
) -> Option<Outcome> {
    let Order::Newest(which) = policy.order else {
        return None;
    };
    let current = unorderable.and_then(|unorderable| match &unorderable.what {
        Disorder::Tag(tag, reason) => Some((tag, reason)),
        Disorder::Digest | Disorder::Unparsable(_) => None,
    });
    let mut unasked = Vec::new();
    for (tag, reason) in current.into_iter().chain(ranking.rejections()) {
        match reason {
            Reason::TimeUnreadable(why) => {
                return Some(Outcome::Nothing(NoChoice::Unreadable {
                    tag: tag.clone(),
                    reason: why.to_string(),
                }));
            }
            Reason::TimeUnasked => unasked.push(tag.clone()),
            _ => {}
        }
    }
    unasked.sort();
    unasked.dedup();
    (!unasked.is_empty()).then(|| {
        Outcome::Needs(Needs {
            tags: unasked,
            of_tags: vec![which.want()],
            purpose: Purpose::Places,
            running: None,
        })
    })
}

/// The highest of `tags` in the order of `policy`, acceptable or not; of tags of one version the
/// bytewise greatest. `None` if there are none.
///
/// # Errors
/// The first tag that has no place in the order.
pub fn highest<'a>(
    policy: &Policy,
    tags: impl Iterator<Item = &'a Tag>,
    recorded: Recorded<'_>,
) -> Result<Option<&'a Tag>, &'a Tag> {
    let mut places = Places::new(policy, recorded);
    let mut highest: Option<(Option<Key<'a>>, &'a Tag)> = None;
    for tag in tags {
        // A tag needs no place to be as high as itself.
        if highest.as_ref().is_some_and(|(_, best)| *best == tag) {
            continue;
        }
        let place = match places.of(tag) {
            Ok(place) => Some(place),
            Err(_) if highest.is_none() && is_timed(policy) => None,
            Err(_) => return Err(tag),
        };
        let higher = match &highest {
            None => true,
            Some((None, best)) => return Err(best),
            Some((best, best_tag)) => place.cmp(best).then_with(|| tag.cmp(best_tag)).is_gt(),
        };
        if higher {
            highest = Some((place, tag));
        }
    }
    Ok(highest.map(|(_, tag)| tag))
}

/// How `a` compares with `b` in the order of `policy`: equal if they are of one version, `None` if
/// one of them has no place in the order.
pub fn compare(policy: &Policy, a: &Tag, b: &Tag, recorded: Recorded<'_>) -> Option<Ordering> {
    let mut places = Places::new(policy, recorded);
    let a = places.of(a).ok()?;
    let b = places.of(b).ok()?;
    Some(a.cmp(&b))
}

/// What must be known of `tag` before it has a place in the order of `policy`; `None` where it has one,
/// or will have none whatever is asked.
pub fn wanted_for_place(policy: &Policy, tag: &Tag, recorded: Recorded<'_>) -> Option<Want> {
    let place = Places::new(policy, recorded).of(tag);
    match (&policy.order, place) {
        (Order::Newest(which), Err(Reason::TimeUnasked)) => Some(which.want()),
        _ => None,
    }
}

/// Whether `tag` has a place in the order of `policy`, or may have one once its time is known.
pub fn is_orderable(policy: &Policy, tag: &Tag) -> bool {
    is_timed(policy) || Places::new(policy, Recorded::default()).of(tag).is_ok()
}

/// Whether places depend on more than the tags.
fn is_timed(policy: &Policy) -> bool {
    matches!(policy.order, Order::Newest(_))
}

fn place<'c>(
    policy: &'c Policy,
    evidence: &Evidence<'c>,
) -> Result<Option<Running<'c>>, Unorderable> {
    let mut places = Places::new(policy, evidence.recorded);
    let what = match evidence.current {
        Current::Nothing => return Ok(None),
        Current::Unparsable(text) => Disorder::Unparsable(text.to_owned()),
        Current::Digest(_) => match &policy.order {
            Order::Digest(tag) => return Ok(Some(Running::followed(tag))),
            _ => Disorder::Digest,
        },
        Current::Tag(tag) | Current::Pinned(tag, _) => match places.of(tag) {
            Ok(place) => return Ok(Some(Running { tag, place })),
            Err(reason) => Disorder::Tag(tag.clone(), gone(policy, evidence, tag, reason)),
        },
    };
    let wanted = policy.order.wanted();
    Err(Unorderable { what, wanted })
}

/// Why a current tag has no place, where `reason` says why a listed one would not: a tag that is gone
/// from the listing can't be said to be listed without its manifest.
fn gone(policy: &Policy, evidence: &Evidence<'_>, tag: &Tag, reason: Reason) -> Reason {
    match (&policy.order, reason) {
        (Order::Newest(which), Reason::ManifestMissing) if !evidence.tags.contains(tag) => {
            Reason::NoTime(*which)
        }
        (_, reason) => reason,
    }
}
