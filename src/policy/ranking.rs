//! The tags from the best to the worst, and the way down from the best one.
//!
//! Invariant: candidates are looked at from the best downwards, so that little is asked about tags that
//! can't win: the best one alone at first, and after some had to be passed over, as many more at once.
//! Each ends up with a verdict.
//!
//! Places and rejections come from the judge; what a condition means, from `conditions`.

use std::cmp::Ordering;

use jiff::Timestamp;

use super::conditions::Met;
use super::digest::{self, Followed};
use super::evidence::{ManifestFact, Time, Want};
use super::judge::{Judge, Judged};
use super::key::Key;
use super::select::MISSING_ONCE;
use super::{
    Evidence, Needs, NoChoice, Order, Outcome, Policy, Purpose, Rank, Reason, TagVerdict, Verdict,
};
use crate::image::Tag;

/// The current tag and its place.
pub(super) struct Running<'c> {
    pub(super) tag: &'c Tag,
    pub(super) place: Key<'c>,
}

impl<'c> Running<'c> {
    /// The tag that a policy follows by digest.
    pub(super) fn followed(tag: &'c Tag) -> Self {
        Self {
            tag,
            place: Key::Followed,
        }
    }
}

/// The tags from the best to the worst, the rejected ones last.
pub(super) struct Ranking<'t, 'c> {
    judged: Vec<Judged<'t>>,
    running: Option<Running<'c>>,
    policy: &'t Policy,
    evidence: &'t Evidence<'t>,
    rank: Rank,
    /// Why the tag that is followed is no change.
    same: Option<Reason>,
    /// When the first of the tags that wait may have waited long enough.
    recheck: Option<Timestamp>,
}

/// What a candidate's manifest means for the choice.
enum Candidate {
    Decides(Outcome),
    /// Nothing has been read of it.
    Unread,
    Rejected(Reason, Option<Timestamp>),
}

impl<'t, 'c> Ranking<'t, 'c> {
    pub(super) fn new(
        judge: &mut Judge<'_>,
        policy: &'t Policy,
        evidence: &'t Evidence<'t>,
        running: Option<Running<'c>>,
    ) -> Self {
        let mut ranking = Self {
            judged: evidence.tags.iter().map(|tag| judge.judge(tag)).collect(),
            running,
            policy,
            evidence,
            rank: policy.order.rank(),
            same: None,
            recheck: None,
        };
        ranking.withhold(judge);
        ranking.sort();
        // A listing that changes between two pages can name a tag twice.
        ranking.judged.dedup_by(|a, b| a.tag == b.tag);
        ranking
    }

    fn withhold(&mut self, judge: &mut Judge<'_>) {
        let mut judged = std::mem::take(&mut self.judged);
        for withheld in self.evidence.withheld {
            let higher = |judged: &Judged<'_>| self.against_current(judged).is_gt();
            withheld.mark(self.policy, judge, &mut judged, higher);
        }
        for judged in &mut judged {
            if let Some(offered) = self.evidence.offered
                && judged.rejection.is_none()
                && self.against_current(judged).is_gt()
            {
                judged.rejection = offered.rejection(judged.tag);
            }
        }
        self.judged = judged;
    }

    /// The rejected tags, with their reasons.
    pub(super) fn rejections(&self) -> impl Iterator<Item = (&'t Tag, &Reason)> {
        let judged = self.judged.iter();
        judged.filter_map(|judged| Some((judged.tag, judged.rejection.as_ref()?)))
    }

    /// When to select again, if nothing else happens before.
    pub(super) fn recheck(&self) -> Option<Timestamp> {
        self.recheck
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

    /// Whether a tag could be chosen for its place.
    fn is_higher(&self, judged: &Judged<'_>) -> bool {
        judged.place == Some(Key::Followed) || self.against_current(judged).is_gt()
    }

    /// Takes the acceptable tags above the current one from the highest downwards, until one
    /// decides. `None` if none does.
    pub(super) fn walk(&mut self) -> Option<Outcome> {
        let mut decided = None;
        let mut rejected = 0;
        for index in 0..self.judged.len() {
            let judged = &self.judged[index];
            let follows = judged.place == Some(Key::Followed);
            if judged.rejection.is_some() || !self.is_higher(judged) {
                break;
            }
            let tag = judged.tag;
            if follows && let Some(outcome) = self.follow(tag) {
                decided = Some(outcome);
                break;
            }
            match self.candidate(tag, follows) {
                Candidate::Decides(outcome) => {
                    decided = Some(outcome);
                    break;
                }
                Candidate::Unread => {
                    decided = Some(Outcome::Needs(Needs {
                        tags: self.unread_from(index, rejected.max(1)),
                        of_tags: self.policy.conditions.wants(),
                        purpose: Purpose::Candidates,
                        running: None,
                    }));
                    break;
                }
                Candidate::Rejected(reason, until) => {
                    let waits = until.is_some() || matches!(reason, Reason::Withheld(_));
                    if follows && waits {
                        decided = Some(Outcome::Nothing(NoChoice::Waiting {
                            tag: tag.clone(),
                            reason: reason.clone(),
                        }));
                    }
                    self.judged[index].rejection = Some(reason);
                    self.recheck = [self.recheck, until].into_iter().flatten().min();
                    rejected += 1;
                }
            }
        }
        if rejected > 0 {
            self.sort();
        }
        decided
    }

    /// The outcome where the tag that is followed points to what runs, or where that must be found
    /// out first.
    fn follow(&mut self, tag: &Tag) -> Option<Outcome> {
        // Without a place, what runs is replaced whatever its digest is.
        self.running.as_ref()?;
        let fact = self.evidence.recorded.fact(tag)??;
        match digest::compare(&self.policy.conditions, self.evidence, tag, fact.found()?) {
            Followed::Other => None,
            Followed::Open(needs) => Some(Outcome::Needs(needs)),
            Followed::Same(reason) => {
                self.same = Some(reason);
                Some(Outcome::UpToDate(tag.clone()))
            }
        }
    }

    /// The tags of which nothing has been read, `most` of them from this place downwards.
    fn unread_from(&self, index: usize, most: usize) -> Vec<Tag> {
        let candidates = self.judged[index..]
            .iter()
            .take_while(|judged| judged.rejection.is_none() && self.is_higher(judged));
        let unread = candidates.filter(|judged| {
            let fact = self.evidence.recorded.fact(judged.tag);
            fact == Some(None) && self.too_young(judged.tag).is_none()
        });
        unread.take(most).map(|judged| judged.tag.clone()).collect()
    }

    /// Why a tag need not be read at all: the list tells that it is too young.
    fn too_young(&self, tag: &Tag) -> Option<(Reason, Timestamp)> {
        let times = self.evidence.recorded.times_of(tag);
        self.policy.conditions.too_young(&times, self.evidence.now)
    }

    fn candidate(&self, tag: &Tag, follows: bool) -> Candidate {
        let recorded = &self.evidence.recorded;
        let unreadable = |reason: &str| {
            Candidate::Decides(Outcome::Nothing(NoChoice::Unreadable {
                tag: tag.clone(),
                reason: reason.to_owned(),
            }))
        };
        let needs = |of_tags: Vec<Want>| {
            Candidate::Decides(Outcome::Needs(Needs {
                tags: vec![tag.clone()],
                of_tags,
                purpose: Purpose::Candidates,
                running: None,
            }))
        };
        let conditions = &self.policy.conditions;
        let found = match recorded.fact(tag) {
            None => return Candidate::Decides(Outcome::Selected(tag.clone())),
            // Of a tag that is followed it must be known whether it is what runs.
            Some(None) => match self.too_young(tag).filter(|_| !follows) {
                Some((reason, until)) => return Candidate::Rejected(reason, Some(until)),
                None => return Candidate::Unread,
            },
            Some(Some(ManifestFact::MissingOnce)) => return unreadable(MISSING_ONCE),
            Some(Some(ManifestFact::Unreadable(reason))) => return unreadable(reason),
            Some(Some(ManifestFact::Missing)) => {
                return Candidate::Rejected(Reason::ManifestMissing, None);
            }
            Some(Some(ManifestFact::Found(found))) => found,
        };
        let withheld = self.evidence.withheld.iter();
        let mut covering = withheld.filter(|held| held.covers(self.policy, tag, &found.digest));
        if let Some(withheld) = covering.next() {
            return Candidate::Rejected(Reason::Withheld(withheld.words.clone()), None);
        }
        match conditions.met(found, &recorded.times_of(tag), self.evidence.now) {
            Met::Yes => Candidate::Decides(Outcome::Selected(tag.clone())),
            Met::No(reason, until) => Candidate::Rejected(reason, until),
            Met::Open(wants) => needs(wants),
        }
    }

    /// The outcome where nothing acceptable is above the current tag.
    pub(super) fn stay(&self, judge: &mut Judge<'_>) -> Outcome {
        let highest = self
            .judged
            .first()
            .filter(|judged| judged.rejection.is_none());
        if let Order::Digest(tag) = &self.policy.order
            && !self.evidence.tags.contains(tag)
        {
            return Outcome::Nothing(NoChoice::NotListed(tag.clone()));
        }
        let Some(running) = &self.running else {
            return Outcome::Nothing(NoChoice::NoneAcceptable);
        };
        if judge.judge(running.tag).rejection.is_none() && running.place != Key::Followed {
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

    pub(super) fn verdicts(mut self, outcome: &Outcome) -> Vec<TagVerdict> {
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
                time: self.time_of(judged.tag),
            }
        };
        judged.into_iter().map(verdict).collect()
    }

    /// The time that a tag is ordered by, if it is ordered by one.
    fn time_of(&self, tag: &Tag) -> Option<Time> {
        match self.policy.order {
            Order::Newest(which) => which.of(tag, &self.evidence.recorded).ok(),
            _ => None,
        }
    }

    fn accepted(&self, judged: &Judged<'_>, outcome: &Outcome) -> (Verdict, Reason) {
        let follows = judged.place == Some(Key::Followed);
        match outcome {
            Outcome::Selected(tag) if tag == judged.tag => {
                let reason = match follows {
                    true => Reason::PointsElsewhere,
                    false => Reason::Highest(self.rank),
                };
                return (Verdict::Selected, reason);
            }
            Outcome::UpToDate(tag) if tag == judged.tag => {
                let reason = self.same.clone().unwrap_or(Reason::Current(self.rank));
                return (Verdict::Selected, reason);
            }
            _ => {}
        }
        let running = self.running.as_ref();
        let is_current = running.is_some_and(|running| running.tag == judged.tag);
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
