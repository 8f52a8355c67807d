//! One stage: what it runs, what the policy chooses, and the step that follows.
//!
//! Invariant: a step that changes something has a digest that was read in this pass; what is missing
//! is asked for, and nothing is decided without it.
//!
//! What the stages mean to each other is not looked at here.

use std::cmp::Ordering;
use std::collections::BTreeMap;

use jiff::Timestamp;

use super::people::Known;
use super::promote::{self, Unknown};
use super::queue::Turn;
use super::records::{Record, Records};
use super::scene::Scene;
use super::{Blocked, Change, Facts, Feed, Listing, MOST, Missing, Need, Open, Step};
use crate::config::App;
use crate::image::{Digest, Tag};
use crate::manifest::{Part, Site};
use crate::policy::{
    self, CurrentListed, Datum, Evidence, ManifestFact, Manifests, Needs, NoChoice, Order, Outcome,
    Platforms, Purpose, Recorded, Selection, Want, Write,
};
use crate::reconcile::claims::{IndexedFile, SiteRef, StageKey};
use crate::reconcile::running::{self, Running, Unordered};

/// One stage and all that bears on it.
pub(super) struct Case<'a> {
    pub(super) scene: &'a Scene<'a>,
    pub(super) key: StageKey,
    pub(super) app: &'a App,
    pub(super) feed: &'a Feed,
    pub(super) policy: &'a policy::Policy,
    pub(super) write: Write,
    /// The sites that say what the stage runs.
    pub(super) sites: Vec<(SiteRef, &'a Site)>,
    /// Sites whose value the stage overrides elsewhere.
    pub(super) overridden: Vec<(SiteRef, &'a Site)>,
    pub(super) files: &'a [IndexedFile],
    pub(super) records: &'a Records<'a>,
    pub(super) facts: &'a Facts,
    pub(super) contested: bool,
}

/// What happens to one stage.
pub(super) struct Decision {
    /// What it runs.
    pub(super) running: Running,
    /// The verdicts, where tags were compared.
    pub(super) selection: Option<Selection>,
    /// What to do.
    pub(super) step: Step,
    /// Whether there is nothing newer, not even too young, whatever stops it.
    pub(super) rests: bool,
    /// What must be read first.
    pub(super) open: Open,
    /// When the conditions of the step change by the clock alone.
    pub(super) expires: Option<Timestamp>,
}

impl Decision {
    /// One for which no tags were compared, and to which no conditions apply.
    pub(super) fn early(running: Running, (step, open): (Step, Open)) -> Self {
        Self {
            running,
            selection: None,
            rests: step.is_rest(),
            step,
            open,
            expires: None,
        }
    }
}

impl Case<'_> {
    /// What happens to the stage.
    pub(super) fn decide(&self) -> Decision {
        let known = self.known();
        let recorded = self.recorded(&known);
        let running = Running::of(self.policy, &self.sites, recorded);
        if running == Running::Nothing {
            let step = Step::Blocked(self.siteless());
            return Decision::early(running, (step, Open::default()));
        }
        if let Some(decided) = self.decided(&running, recorded) {
            let (step, open, expires) = self.unless_unapproved(decided.0, decided.1);
            return Decision {
                expires,
                ..Decision::early(running, (step, open))
            };
        }
        if let Some(entry) = &self.app.stages[self.key.stage].entry {
            return match self.offer(entry) {
                Ok(offer) => self.promoted(running, &offer, recorded),
                Err(unknown) => {
                    let (step, open) = *unknown;
                    Decision::early(running, self.unless_stopped(step, open))
                }
            };
        }
        let listing = self.facts.listings.get(self.feed);
        let tags = match listing.map(Listing::tags) {
            Some(Ok(tags)) => tags,
            Some(Err(blocked)) => {
                let stopped = self.unless_stopped(Step::Blocked(blocked), Open::default());
                return Decision::early(running, stopped);
            }
            None => return Decision::early(running, (Step::Undecided, Open::default())),
        };
        let withheld = self.withheld();
        let evidence = Evidence {
            withheld: &withheld,
            tags,
            recorded,
            current: running.as_current(),
            running: self.platforms_of(&running),
            offered: None,
            now: self.facts.now,
        };
        let selection = policy::select(self.policy, &evidence);
        let stale = listing.and_then(Listing::stale);
        let (step, open) = match stale.filter(|_| self.is_a_choice(&running, &selection)) {
            Some(stale) => (Step::Blocked(stale), Open::default()),
            None => self.in_turn(&running, &selection, recorded),
        };
        self.conclude(running, selection, (step, open), None)
    }

    /// The decision, once what stops the stage and its conditions are looked at.
    pub(super) fn conclude(
        &self,
        running: Running,
        selection: Selection,
        (step, open): (Step, Open),
        soaks: Option<Missing>,
    ) -> Decision {
        let rests = step.is_rest() && selection.recheck.is_none();
        let (step, open) = self.unless_stopped(step, open);
        let (step, open, expires) = self.unless_missing(step, open, soaks);
        let (step, open) = self.read_anew(step, open);
        Decision {
            running,
            selection: Some(selection),
            rests,
            step,
            open,
            expires,
        }
    }

    /// A change that nothing stands against is made with what is read in this pass.
    fn read_anew(&self, step: Step, mut open: Open) -> (Step, Open) {
        match &step {
            Step::Change(change)
                if !self
                    .read()
                    .is_some_and(|read| read.contains_key(&change.tag)) =>
            {
                open.needs.push(self.need(&change.tag, Vec::new(), None));
                (Step::Undecided, open)
            }
            _ => (step, open),
        }
    }

    /// The step of a choice, unless the stage has to wait for those that come after it.
    pub(super) fn in_turn(
        &self,
        running: &Running,
        selection: &Selection,
        recorded: Recorded<'_>,
    ) -> (Step, Open) {
        if !matches!(selection.outcome, Outcome::Selected(_) | Outcome::Needs(_)) {
            return self.with_past(running, selection, recorded);
        }
        match self.turn_of(running) {
            Ok(()) => self.with_past(running, selection, recorded),
            Err(unknown) => *unknown,
        }
    }

    /// The step of a stage that has to wait for those that come after it.
    pub(super) fn turn_of(&self, running: &Running) -> Result<(), Unknown> {
        match self.turn(running) {
            Turn::Free => Ok(()),
            Turn::Waits(why) => Err(promote::blocked(Blocked::InQueue(why))),
            Turn::Open(open) => Err(promote::undecided(*open)),
        }
    }

    /// What is known of tags, as policies are told of it.
    pub(super) fn recorded<'k>(&'k self, known: &'k BTreeMap<Tag, ManifestFact>) -> Recorded<'k> {
        Recorded {
            times: self.facts.times.get(self.feed),
            manifests: Manifests::Known(known),
        }
    }

    /// Whether a selection chooses, or says that there is nothing to choose: of an old list it may do
    /// neither. Bringing all sites to what runs already is no choice, and what a person has to see to is
    /// told as ever.
    fn is_a_choice(&self, running: &Running, selection: &Selection) -> bool {
        match &selection.outcome {
            Outcome::UpToDate(tag) => self.behind(tag, running.digest()).is_empty(),
            Outcome::Unordered(_) => false,
            Outcome::Selected(_) | Outcome::Needs(_) | Outcome::Nothing(_) => true,
        }
    }

    /// What is known of tags: what was read in this pass, and what was found since the listing. A change that
    /// is made needs the former.
    pub(super) fn known(&self) -> BTreeMap<Tag, ManifestFact> {
        let before = self.facts.running.get(self.feed).into_iter().flatten();
        // What was not found may be there by now.
        let before = before.filter(|(_, fact)| self.follows() || fact.found().is_some());
        let read = self.read().into_iter().flatten();
        let all = before.chain(read);
        let mut known: BTreeMap<Tag, ManifestFact> =
            all.map(|(tag, fact)| (tag.clone(), fact.clone())).collect();
        for fact in known.values_mut() {
            if let ManifestFact::Found(found) = fact {
                found.taken = self.facts.takings.of(&found.digest);
            }
        }
        known
    }

    /// What was read of tags in this pass.
    pub(super) fn read(&self) -> Option<&BTreeMap<Tag, ManifestFact>> {
        self.facts.manifests.get(self.feed)
    }

    pub(super) fn follows(&self) -> bool {
        matches!(self.policy.order, Order::Digest(_))
    }

    pub(super) fn platforms_of(&self, running: &Running) -> Datum<&Platforms> {
        let known = running
            .digest()
            .and_then(|digest| self.facts.platforms.get(digest));
        match known {
            Some(Datum::Known(platforms)) => Datum::Known(platforms),
            Some(Datum::Absent) => Datum::Absent,
            Some(Datum::Unasked) | None => Datum::Unasked,
        }
    }

    fn siteless(&self) -> Blocked {
        if self.contested {
            Blocked::Contested
        } else {
            Blocked::NoSites
        }
    }

    /// The step, once what people did before is known where it matters.
    fn with_past(
        &self,
        running: &Running,
        selection: &Selection,
        recorded: Recorded<'_>,
    ) -> (Step, Open) {
        let known = match self.could_change(running, selection) {
            true => self.past(),
            false => Known::Yes,
        };
        match known {
            Known::Yes => self.step(running, selection, recorded),
            Known::More => (Step::Blocked(Blocked::History), Open::default()),
            Known::Unasked => {
                let mut open = Open::default();
                open.pasts.push(self.key);
                (Step::Undecided, open)
            }
        }
    }

    /// Whether anything might be written, so that what people did before matters.
    fn could_change(&self, running: &Running, selection: &Selection) -> bool {
        match &selection.outcome {
            Outcome::Selected(_) | Outcome::Needs(_) => true,
            Outcome::UpToDate(tag) => !self.behind(tag, running.digest()).is_empty(),
            Outcome::Nothing(NoChoice::Unreadable { .. } | NoChoice::Waiting { .. }) => true,
            Outcome::Nothing(_) | Outcome::Unordered(_) => false,
        }
    }

    fn step(
        &self,
        running: &Running,
        selection: &Selection,
        recorded: Recorded<'_>,
    ) -> (Step, Open) {
        let blocked = |blocked| (Step::Blocked(blocked), Open::default());
        match &selection.outcome {
            Outcome::Selected(tag) => self.bring_to(tag, running, selection, recorded),
            Outcome::UpToDate(tag) if selection.current_listed == CurrentListed::Gone => {
                blocked(Blocked::NothingAcceptable(format!(
                    "{tag} is gone from the registry, and nothing newer is acceptable"
                )))
            }
            Outcome::UpToDate(tag) => {
                if let Some(why) = self.parted(tag, running, recorded) {
                    return blocked(Blocked::Withheld(why));
                }
                if !self.behind(tag, running.digest()).is_empty() {
                    return self.bring_to(tag, running, selection, recorded);
                }
                self.compare(tag, running)
            }
            Outcome::Needs(needs) if self.facts.readings.is_put_off(self.feed, needs.purpose) => {
                blocked(unfinished(needs, selection.verdicts.len()))
            }
            Outcome::Needs(needs) => (Step::Undecided, self.open(needs, recorded)),
            Outcome::Nothing(why @ NoChoice::Unreadable { .. }) => {
                blocked(Blocked::Unreadable(why.to_string()))
            }
            Outcome::Nothing(why) => blocked(Blocked::NothingAcceptable(why.to_string())),
            Outcome::Unordered(why) => blocked(Blocked::Unordered(match running {
                Running::Unordered(Unordered {
                    text,
                    refusal: Some(refusal),
                    ..
                }) => format!("the site that holds `{text}` can't be written: {refusal}"),
                _ => why.to_string(),
            })),
        }
    }

    /// What must be read for a selection.
    fn open(&self, needs: &Needs, recorded: Recorded<'_>) -> Open {
        let mut open = Open::default();
        let mut wants = needs.of_tags.clone();
        wants.retain(|want| *want != Want::Taken);
        let of_branch = wants.len() < needs.of_tags.len();
        for tag in &needs.tags {
            let digest = digest_of(tag, recorded).filter(|_| of_branch);
            open.takings.extend(digest.cloned());
            if of_branch && wants.is_empty() {
                continue;
            }
            let need = self.need(tag, wants.clone(), Some(needs.purpose));
            let read = self.read().is_some_and(|read| read.contains_key(tag));
            match self.follows() && !read {
                true => open.checks.push(need),
                false => open.needs.push(need),
            }
        }
        let digests = needs.running.iter();
        open.digests
            .extend(digests.map(|digest| (self.feed.clone(), digest.clone())));
        open
    }

    pub(super) fn need(&self, tag: &Tag, wants: Vec<Want>, purpose: Option<Purpose>) -> Need {
        Need {
            feed: self.feed.clone(),
            tag: tag.clone(),
            wants,
            purpose,
        }
    }

    /// The step of a stage that runs the choice: whether the tag still has the digest that is recorded.
    fn compare(&self, tag: &Tag, running: &Running) -> (Step, Open) {
        if self.follows() {
            return (Step::UpToDate, Open::default());
        }
        let known = self
            .facts
            .running
            .get(self.feed)
            .and_then(|known| known.get(tag));
        match known {
            Some(ManifestFact::Found(now)) => match self.moved(tag, &now.digest) {
                Some(moved) => (Step::Blocked(moved), Open::default()),
                None => (Step::UpToDate, Open::default()),
            },
            // An unreadable manifest is no matter here: nothing is to be written.
            Some(_) => (Step::UpToDate, Open::default()),
            None => {
                let recorded = matches!(running, Running::One(_))
                    && self.sites.iter().any(|(_, site)| site.digest().is_some());
                let mut open = Open::default();
                open.checks
                    .extend(recorded.then(|| self.need(tag, Vec::new(), None)));
                (Step::UpToDate, open)
            }
        }
    }

    /// The step that brings all sites to `tag`, once its digest is known.
    fn bring_to(
        &self,
        tag: &Tag,
        running: &Running,
        selection: &Selection,
        recorded: Recorded<'_>,
    ) -> (Step, Open) {
        let blocked = |blocked| (Step::Blocked(blocked), Open::default());
        let known = match recorded.manifests {
            Manifests::Known(known) => known.get(tag),
            Manifests::NotConsulted => None,
        };
        let digest = match known {
            Some(ManifestFact::Found(found)) => &found.digest,
            None => {
                let mut open = Open::default();
                open.needs.push(self.need(tag, Vec::new(), None));
                return (Step::Undecided, open);
            }
            Some(ManifestFact::Unreadable(why)) => {
                return blocked(Blocked::Unreadable(why.clone()));
            }
            Some(ManifestFact::Missing | ManifestFact::MissingOnce) => {
                let why = format!("{tag} is listed, but its manifest is missing");
                return blocked(Blocked::Unreadable(why));
            }
        };
        if let Some(moved) = self.moved(tag, digest) {
            return blocked(moved);
        }
        let mut sites = self.behind(tag, Some(digest));
        match self.brought_along(tag, recorded) {
            Ok(along) => sites.extend(along),
            Err(open) => return (Step::Undecided, *open),
        }
        sites.sort_unstable();
        let change = Change {
            from: running.clone(),
            tag: tag.clone(),
            digest: digest.clone(),
            write: self.write,
            sites,
            rejected: self.still_rejected(tag, matches!(selection.outcome, Outcome::UpToDate(_))),
            reason: self.reason(tag, running, selection),
            approved: Vec::new(),
            group: self.group(),
        };
        (Step::Change(change), Open::default())
    }

    fn reason(&self, tag: &Tag, running: &Running, selection: &Selection) -> String {
        let of = selection.verdicts.len();
        let policy = format!("{} in {}", self.policy.order, self.app.file);
        let stays = matches!(selection.outcome, Outcome::UpToDate(_));
        match running {
            _ if self.follows() => format!("{tag}, which {policy} follows, points there now"),
            Running::Split { others, .. } if stays => format!(
                "{tag} is what the stage runs and the choice of {policy}; other sites still had {}",
                others.join(", ")
            ),
            _ if stays => format!(
                "{tag} is what the stage runs and the choice of {policy}; its digest is written too"
            ),
            _ => {
                let best = self.policy.order.rank().best();
                format!("of {of} tags, {tag} is the {best} that {policy} accepts")
            }
        }
    }

    /// The sites that don't hold `tag`, and `digest` where they are to hold one.
    pub(super) fn behind(&self, tag: &Tag, digest: Option<&Digest>) -> Vec<SiteRef> {
        let other = |site: &Site| match site.digest() {
            Some(held) => digest.is_some_and(|digest| held != *digest),
            None => self.write != Write::Tag,
        };
        self.sites
            .iter()
            .filter(|(_, site)| match running::part(site) {
                Part::Name => false,
                Part::Digest => digest.is_some_and(|digest| site.digest().as_ref() != Some(digest)),
                Part::Whole | Part::Tag => {
                    let tagged = site.tag_text() == Some(tag.as_str());
                    other(site) || self.write != Write::Digest && !tagged
                }
            })
            .map(|(reference, _)| *reference)
            .collect()
    }

    /// The overridden sites that have a lower tag: they follow a change, so that what a base says
    /// doesn't fall behind, but make none by themselves.
    ///
    /// # Errors
    /// What must be read before their places are known, where tags are ordered by time.
    pub(super) fn brought_along(
        &self,
        tag: &Tag,
        recorded: Recorded<'_>,
    ) -> Result<Vec<SiteRef>, Box<Open>> {
        let held = self.overridden.iter();
        let held: Vec<(SiteRef, Tag)> = held
            .filter_map(|(reference, site)| Some((*reference, site.tag()?)))
            .collect();
        let mut open = Open::default();
        let mut tags: Vec<&Tag> = held.iter().map(|(_, held)| held).collect();
        if !tags.is_empty() {
            tags.push(tag);
        }
        for tag in tags {
            let want = policy::wanted_for_place(self.policy, tag, recorded);
            open.needs
                .extend(want.map(|want| self.need(tag, vec![want], None)));
        }
        if !open.is_empty() {
            return Err(Box::new(open));
        }
        let lower = |held: &Tag| {
            let order = policy::compare(self.policy, held, tag, recorded);
            order.is_some_and(Ordering::is_lt)
        };
        let lower = held.into_iter().filter(|(_, held)| lower(held));
        Ok(lower.map(|(reference, _)| reference).collect())
    }

    /// What is said where a site records another digest for `tag` than the registry has `now`.
    pub(super) fn moved(&self, tag: &Tag, now: &Digest) -> Option<Blocked> {
        if self.follows() {
            return None;
        }
        // A marked site may name no image, or another one.
        let tagged = |site: &Site| site.tag_text() == Some(tag.as_str());
        let own: Vec<Record<'_>> = self
            .sites
            .iter()
            .filter(|(_, site)| tagged(site))
            .filter_map(|(at, site)| Record::of(&self.files[at.file].path, site))
            .collect();
        let other = own
            .iter()
            .chain(
                self.app
                    .names()
                    .flat_map(|name| self.records.get(name, tag)),
            )
            .find(|record| record.digest != *now)?;
        Some(Blocked::Moved {
            tag: tag.clone(),
            recorded: other.digest.clone(),
            place: other.place(),
            now: now.clone(),
        })
    }
}

/// The digest of a tag, as far as it is known.
fn digest_of<'r>(tag: &Tag, recorded: Recorded<'r>) -> Option<&'r Digest> {
    match recorded.manifests {
        Manifests::Known(facts) => Some(&facts.get(tag)?.found()?.digest),
        Manifests::NotConsulted => None,
    }
}

/// What is said where a pass has read as many of the `all` tags as it may.
fn unfinished(needs: &Needs, all: usize) -> Blocked {
    let left = needs.tags.len();
    match needs.purpose {
        Purpose::Places => Blocked::Reading(format!(
            "the times of {left} of {all} tags are still to be read, {MOST} in a pass at most, and \
             nothing is chosen before they are known; `match` and `ignore` leave tags out"
        )),
        Purpose::Candidates => Blocked::Unreadable(format!(
            "none of the {MOST} tags that a pass reads at most can be chosen, and more are above what \
             runs; leave them out with `match` or `ignore`, or delete them in the registry"
        )),
    }
}
