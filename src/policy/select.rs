//! The choice: the highest acceptable tag, never lower than what runs now.
//!
//! Invariant: a tag that is rejected or lower than the choice has no influence on the choice, and a
//! tag whose manifest may or may not be there is never passed over.
//!
//! What makes a tag acceptable is not known here.

use std::cmp::Ordering;

use super::judge::{Judge, Judged, Places};
use super::key::Key;
use super::{
    Current, CurrentListed, Disorder, ManifestFact, Manifests, NoChoice, Outcome, Policy, Rank,
    Reason, Selection, TagVerdict, Unorderable, Unordered, Verdict,
};
use crate::image::Tag;

/// Chooses among `tags`.
///
/// The choice is the highest acceptable tag that is strictly higher than the current one; of tags
/// of one version it is the bytewise greatest. With [`Manifests::Known`], candidates are taken from
/// the highest downwards: one that is missing is rejected and the next one taken; one whose manifest
/// can't be read ends the search without a choice.
pub fn select(
    policy: &Policy,
    tags: &[Tag],
    current: Current<'_>,
    manifests: Manifests<'_>,
) -> Selection {
    let current_listed = match current {
        Current::Tag(tag) if tags.contains(tag) => CurrentListed::Listed,
        Current::Tag(_) => CurrentListed::Gone,
        Current::Nothing | Current::DigestOnly | Current::Unparsable(_) => {
            CurrentListed::NotApplicable
        }
    };
    let (running, unorderable) = match place(policy, current) {
        Ok(running) => (running, None),
        Err(unorderable) => (None, Some(unorderable)),
    };
    let mut judge = Judge::new(policy, running.as_ref().map(|running| &running.place));
    let mut ranking = Ranking::new(&mut judge, tags, running, policy.order.rank());
    let outcome = match unorderable {
        Some(reason) if policy.unordered == Unordered::Hold => Outcome::Unordered(reason),
        _ if tags.is_empty() => Outcome::Nothing(NoChoice::NoTags),
        _ => match ranking.walk(manifests) {
            Some(outcome) => outcome,
            None => ranking.stay(&mut judge),
        },
    };
    Selection {
        verdicts: ranking.verdicts(&outcome),
        outcome,
        current_listed,
    }
}

/// The highest of `tags` in the order of `policy`, acceptable or not; of tags of one version the
/// bytewise greatest. `None` if there are none.
///
/// # Errors
/// The first tag that has no place in the order.
pub fn highest<'a>(
    policy: &Policy,
    tags: impl Iterator<Item = &'a Tag>,
) -> Result<Option<&'a Tag>, &'a Tag> {
    let mut places = Places::new(policy);
    let mut highest: Option<(Key<'a>, &'a Tag)> = None;
    for tag in tags {
        let place = places.of(tag).map_err(|_| tag)?;
        let higher = highest
            .as_ref()
            .is_none_or(|(best, best_tag)| place.cmp(best).then_with(|| tag.cmp(best_tag)).is_gt());
        if higher {
            highest = Some((place, tag));
        }
    }
    Ok(highest.map(|(_, tag)| tag))
}

/// How `a` compares with `b` in the order of `policy`: equal if they are of one version, `None` if
/// one of them has no place in the order.
pub fn compare(policy: &Policy, a: &Tag, b: &Tag) -> Option<Ordering> {
    let mut places = Places::new(policy);
    let a = places.of(a).ok()?;
    let b = places.of(b).ok()?;
    Some(a.cmp(&b))
}

/// The current tag and its place.
struct Running<'c> {
    tag: &'c Tag,
    place: Key<'c>,
}

fn place<'c>(policy: &Policy, current: Current<'c>) -> Result<Option<Running<'c>>, Unorderable> {
    let what = match current {
        Current::Nothing => return Ok(None),
        Current::DigestOnly => Disorder::DigestOnly,
        Current::Unparsable(text) => Disorder::Unparsable(text.to_owned()),
        Current::Tag(tag) => match Places::new(policy).of(tag) {
            Ok(place) => return Ok(Some(Running { tag, place })),
            Err(reason) => Disorder::Tag(tag.clone(), reason),
        },
    };
    let wanted = policy.order.wanted();
    Err(Unorderable { what, wanted })
}

/// The tags from the best to the worst, the rejected ones last.
struct Ranking<'t, 'c> {
    judged: Vec<Judged<'t>>,
    running: Option<Running<'c>>,
    rank: Rank,
}

impl<'t, 'c> Ranking<'t, 'c> {
    fn new(
        judge: &mut Judge<'_>,
        tags: &'t [Tag],
        running: Option<Running<'c>>,
        rank: Rank,
    ) -> Self {
        let mut ranking = Self {
            judged: tags.iter().map(|tag| judge.judge(tag)).collect(),
            running,
            rank,
        };
        ranking.sort();
        // A listing that changes between two pages can name a tag twice.
        ranking.judged.dedup_by(|a, b| a.tag == b.tag);
        ranking
    }

    fn sort(&mut self) {
        let running = self.running.as_ref().map(|running| running.tag);
        // What runs has a place, so the many tags without one need no look at it.
        let is_current =
            |judged: &Judged<'_>| judged.place.is_some() && Some(judged.tag) == running;
        self.judged.sort_unstable_by(|a, b| {
            let accepted_first = a.rejection.is_some().cmp(&b.rejection.is_some());
            accepted_first
                .then_with(|| b.place.cmp(&a.place))
                .then_with(|| is_current(b).cmp(&is_current(a)))
                .then_with(|| b.tag.cmp(a.tag))
        });
    }

    /// How a tag compares with what runs now; higher if nothing does.
    fn against_current(&self, judged: &Judged<'_>) -> Ordering {
        match (&self.running, &judged.place) {
            (Some(running), Some(place)) => place.cmp(&running.place),
            _ => Ordering::Greater,
        }
    }

    /// Takes the acceptable tags above the current one from the highest downwards, until one
    /// decides. `None` if none does.
    fn walk(&mut self, manifests: Manifests<'_>) -> Option<Outcome> {
        let mut decided = None;
        let mut missing = false;
        for index in 0..self.judged.len() {
            let judged = &self.judged[index];
            if judged.rejection.is_some() || self.against_current(judged).is_le() {
                break;
            }
            match fact(manifests, judged.tag) {
                Fact::Decides(outcome) => {
                    decided = Some(outcome);
                    break;
                }
                Fact::Missing => {
                    self.judged[index].rejection = Some(Reason::ManifestMissing);
                    missing = true;
                }
            }
        }
        if missing {
            self.sort();
        }
        decided
    }

    /// The outcome where nothing acceptable is above the current tag.
    fn stay(&self, judge: &mut Judge<'_>) -> Outcome {
        let highest = self
            .judged
            .first()
            .filter(|judged| judged.rejection.is_none());
        let Some(running) = &self.running else {
            return Outcome::Nothing(NoChoice::NoneAcceptable);
        };
        if judge.judge(running.tag).rejection.is_none() {
            return Outcome::UpToDate(running.tag.clone());
        }
        Outcome::Nothing(match highest {
            None => NoChoice::NoneAcceptable,
            Some(highest) => NoChoice::AbovePolicy {
                current: running.tag.clone(),
                highest: highest.tag.clone(),
                rank: self.rank,
            },
        })
    }

    fn verdicts(mut self, outcome: &Outcome) -> Vec<TagVerdict> {
        let judged = std::mem::take(&mut self.judged);
        let verdict = |mut judged: Judged<'_>| {
            let (verdict, reason) = match judged.rejection.take() {
                Some(reason) => (Verdict::Rejected, reason),
                None => self.accepted(&judged, outcome),
            };
            TagVerdict {
                tag: judged.tag.clone(),
                verdict,
                reason,
            }
        };
        judged.into_iter().map(verdict).collect()
    }

    fn accepted(&self, judged: &Judged<'_>, outcome: &Outcome) -> (Verdict, Reason) {
        match outcome {
            Outcome::Selected(tag) if tag == judged.tag => {
                return (Verdict::Selected, Reason::Highest(self.rank));
            }
            Outcome::UpToDate(tag) if tag == judged.tag => {
                return (Verdict::Selected, Reason::Current(self.rank));
            }
            _ => {}
        }
        let is_current = self
            .running
            .as_ref()
            .is_some_and(|running| running.tag == judged.tag);
        let reason = match (self.against_current(judged), outcome) {
            (Ordering::Less, _) => Reason::LowerThanCurrent(self.rank),
            (Ordering::Equal, _) if !is_current => Reason::SameAsCurrent,
            (_, Outcome::Selected(_)) => Reason::Outranked,
            (_, Outcome::Nothing(NoChoice::Unreadable { tag, .. })) if tag == judged.tag => {
                Reason::Unreadable
            }
            _ => Reason::Passes,
        };
        (Verdict::Acceptable, reason)
    }
}

/// What a candidate's manifest means for the choice.
enum Fact {
    Decides(Outcome),
    Missing,
}

fn fact(manifests: Manifests<'_>, tag: &Tag) -> Fact {
    let unreadable = |reason: &str| {
        Outcome::Nothing(NoChoice::Unreadable {
            tag: tag.clone(),
            reason: reason.to_owned(),
        })
    };
    let Manifests::Known(facts) = manifests else {
        return Fact::Decides(Outcome::Selected(tag.clone()));
    };
    Fact::Decides(match facts.get(tag) {
        None => Outcome::Needs(vec![tag.clone()]),
        Some(ManifestFact::Found(_)) => Outcome::Selected(tag.clone()),
        Some(ManifestFact::MissingOnce) => {
            unreadable("the registry lists it, but did not find its manifest; it is asked again")
        }
        Some(ManifestFact::Unreadable(reason)) => unreadable(reason),
        Some(ManifestFact::Missing) => return Fact::Missing,
    })
}
