//! The choice of a stage that has others before it: among what they offer, by its own policy.
//!
//! Invariant: what is promoted has the digest with which it ran in the stages before, as the registry has it in
//! this pass. The tag list of the image has no part in the choice, so that one that can't be read delays
//! nothing that ran already.

use std::borrow::Cow;

use super::case::{Case, Decision};
use super::people::Known;
use super::promote::{Offer, unasked};
use super::{Blocked, Change, Listing, Missing, Open, Step};
use crate::image::{Digest, Tag};
use crate::policy::{self, Evidence, ManifestFact, Offered, Outcome, Reach, Recorded};
use crate::promotion::Held;
use crate::reconcile::running::Running;

impl Case<'_> {
    /// What happens to a stage that is offered something.
    pub(super) fn promoted(
        &self,
        running: Running,
        offer: &Offer,
        recorded: Recorded<'_>,
    ) -> Decision {
        let mut decision = match self.follows() {
            true => self.promoted_digest(running, offer),
            false => self.promoted_tag(running, offer, recorded),
        };
        let expires = [decision.expires, offer.changes_at()];
        decision.expires = expires.into_iter().flatten().min();
        decision
    }

    fn promoted_tag(&self, running: Running, offer: &Offer, recorded: Recorded<'_>) -> Decision {
        let withheld = self.withheld();
        let tags = self.tags_to_judge(offer, &running);
        let select = |offered: &Offered, recorded: Recorded<'_>| {
            let evidence = Evidence {
                withheld: &withheld,
                recorded,
                running: self.platforms_of(&running),
                offered: Some(offered),
                ..Evidence::new(&tags, running.as_current(), self.facts.now)
            };
            policy::select(self.policy, &evidence)
        };
        let selection = select(&offer.offered(false), recorded);
        let chosen = match &selection.outcome {
            Outcome::Selected(_) | Outcome::Needs(_) | Outcome::Unordered(_) => None,
            Outcome::UpToDate(tag) if !self.behind(tag, running.digest()).is_empty() => None,
            Outcome::UpToDate(_) | Outcome::Nothing(_) => {
                match select(&offer.offered(true), unasked(recorded)).outcome {
                    Outcome::Selected(tag) => offer.soaks(&tag).map(|until| (tag, until)),
                    _ => None,
                }
            }
        };
        let Some((tag, until)) = chosen else {
            let (step, open) = self.in_turn(&running, &selection, recorded);
            let step = self.as_offered(step, offer);
            return self.conclude(running, selection, (step, open), None);
        };
        let stages = offer.names().to_owned();
        let newer = |other: &Tag| match running.as_current().tag() {
            None => true,
            Some(current) => policy::compare(self.policy, other, current, unasked(recorded))
                .is_some_and(|order| order.is_gt()),
        };
        let too_fast = offer.too_fast(newer);
        let decided = self.soaking(&tag, &running, offer);
        let soak = Missing::Soak {
            stages,
            until,
            too_fast,
        };
        self.conclude(running, selection, decided, Some(soak))
    }

    /// The tags that verdicts are told of: those listed, what runs, and what is offered.
    fn tags_to_judge(&self, offer: &Offer, running: &Running) -> Cow<'_, [Tag]> {
        let listed: &[Tag] = match self.facts.listings.get(self.feed).map(Listing::tags) {
            Some(Ok(tags)) => tags,
            Some(Err(_)) | None => &[],
        };
        let running = running.as_current();
        // Of an image that can't be listed nobody can say that a tag is gone.
        let current = running.tag().filter(|_| listed.is_empty());
        let mut more: Vec<Tag> = Vec::new();
        for tag in offer.tags().chain(current) {
            if !listed.contains(tag) && !more.contains(tag) {
                more.push(tag.clone());
            }
        }
        match more.is_empty() {
            true => Cow::Borrowed(listed),
            false => Cow::Owned(listed.iter().cloned().chain(more).collect()),
        }
    }

    /// A change is made only with what ran in the stages before.
    fn as_offered(&self, step: Step, offer: &Offer) -> Step {
        let Step::Change(mut change) = step else {
            return step;
        };
        let Some(held) = offer.held(&change.tag) else {
            // It runs already, and its sites are brought together.
            return Step::Change(change);
        };
        match &held.digest {
            Some(digest) if *digest != change.digest => Step::Blocked(Blocked::Moved {
                tag: change.tag,
                recorded: digest.clone(),
                place: format!("the commit that brought it to {}", offer.names()),
                now: change.digest,
            }),
            _ => {
                let stays = change.from.as_current().tag() == Some(&change.tag);
                if !stays {
                    change.reason = self.reason_of(&change.tag, offer);
                }
                Step::Change(change)
            }
        }
    }

    fn reason_of(&self, tag: &Tag, offer: &Offer) -> String {
        let policy = format!("{} in {}", self.policy.order, self.app.file);
        offer.reason(tag, &policy, self.policy.order.rank().best())
    }

    /// The change to a tag that soaks still, with the digest that it has where it soaks; nothing is read of it
    /// before it is to be written.
    fn soaking(&self, tag: &Tag, running: &Running, offer: &Offer) -> (Step, Open) {
        let mut open = Open::default();
        match self.past() {
            Known::Yes => {}
            Known::More => return (Step::Blocked(Blocked::History), open),
            Known::Unasked => {
                open.pasts.push(self.key);
                return (Step::Undecided, open);
            }
        }
        let running_fact = || self.facts.running.get(self.feed)?.get(tag);
        let digest = match offer.held(tag).and_then(|held| held.digest.clone()) {
            Some(digest) => digest,
            None => match running_fact() {
                Some(ManifestFact::Found(found)) => found.digest.clone(),
                Some(_) => {
                    let why = format!("{tag} soaks, and its manifest can't be read");
                    return (Step::Blocked(Blocked::Unreadable(why)), open);
                }
                None => {
                    open.checks.push(self.need(tag, Vec::new(), None));
                    return (Step::Undecided, open);
                }
            },
        };
        let step = Step::Change(Change {
            from: running.clone(),
            tag: tag.clone(),
            sites: self.behind(tag, Some(&digest)),
            digest,
            write: self.write,
            approved: Vec::new(),
            group: self.group(),
            rejected: self.still_rejected(tag, false),
            reason: self.reason_of(tag, offer),
        });
        match self.turn_of(running) {
            Ok(()) => (step, open),
            Err(unknown) => *unknown,
        }
    }

    /// What is promoted where a tag is followed: the newest digest that ran in the stages before.
    fn promoted_digest(&self, running: Running, offer: &Offer) -> Decision {
        if matches!(self.past(), Known::Unasked) {
            let mut open = Open::default();
            open.pasts.push(self.key);
            return Decision::early(running, (Step::Undecided, open));
        }
        let since = self.facts.standing(self.key).map(|past| past.since);
        let newer = offer.newer(running.digest(), since);
        // What soaks still takes nothing from what has soaked.
        let ready = newer.iter().find(|(_, soaks)| soaks.is_none());
        let chosen = ready.or(newer.first());
        let Some((
            Held {
                tag,
                digest: Some(digest),
            },
            until,
        )) = chosen.copied()
        else {
            return Decision::early(running, (Step::UpToDate, Open::default()));
        };
        let decided = self.to_digest(tag, digest, &running, offer);
        let soaks = until.map(|until| Missing::Soak {
            stages: offer.names().to_owned(),
            until,
            too_fast: None,
        });
        let rests = decided.0.is_rest();
        let (step, open) = self.unless_stopped(decided.0, decided.1);
        let (step, open, expires) = self.unless_missing(step, open, soaks);
        let (step, open) = self.confirmed(step, open, offer);
        Decision {
            running,
            selection: None,
            rests,
            step,
            open,
            expires,
        }
    }

    /// A change that nothing stands against is made if the registry still has what ran, in this pass.
    fn confirmed(&self, step: Step, mut open: Open, offer: &Offer) -> (Step, Open) {
        let Step::Change(change) = &step else {
            return (step, open);
        };
        match self.facts.present.get(&change.digest) {
            Some(Ok(())) => (step, open),
            Some(Err(why)) => {
                let (digest, names) = (&change.digest, offer.names());
                let why = format!("{digest} ran in {names}, and can't be read: {why}");
                (Step::Blocked(Blocked::Unreadable(why)), open)
            }
            None => {
                open.present
                    .push((self.feed.clone(), change.digest.clone()));
                (Step::Undecided, open)
            }
        }
    }

    fn to_digest(
        &self,
        tag: &Tag,
        digest: &Digest,
        running: &Running,
        offer: &Offer,
    ) -> (Step, Open) {
        let mut open = Open::default();
        match self.past() {
            Known::Yes => {}
            Known::More => return (Step::Blocked(Blocked::History), open),
            Known::Unasked => {
                open.pasts.push(self.key);
                return (Step::Undecided, open);
            }
        }
        let mut withheld = self.withheld().into_iter();
        let ruled_out = withheld.find(|one| {
            let same = one.digest.as_ref() == Some(digest);
            same || one.digest.is_none() && one.reach == Reach::Alone && one.tag == *tag
        });
        if let Some(one) = ruled_out {
            return (
                Step::Blocked(Blocked::Withheld(one.words.to_string())),
                open,
            );
        }
        if let Err(unknown) = self.turn_of(running) {
            return *unknown;
        }
        let step = Step::Change(Change {
            from: running.clone(),
            tag: tag.clone(),
            sites: self.behind(tag, Some(digest)),
            digest: digest.clone(),
            write: self.write,
            approved: Vec::new(),
            group: self.group(),
            rejected: self.still_rejected(tag, false),
            reason: self.reason_of(tag, offer),
        });
        (step, open)
    }
}
