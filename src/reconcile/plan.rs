//! What should change, and why, or why not: a pure function of what was observed.
//!
//! Invariant: a step that changes something carries a reference whose digest was read from the
//! registry in this pass. What can't be decided yet is named in [`Plan::needs`], for the observer to
//! read and ask again; nothing is guessed meanwhile.
//!
//! It refuses: incomplete listings, candidates that can't be read, moved tags, stages that can't be
//! ordered, any move back, and values that another stage reads and isn't to get.

mod shared;

use std::cmp::Ordering;
use std::collections::BTreeMap;
use std::fmt;
use std::sync::Arc;

use jiff::Timestamp;

use crate::config::App;
use crate::diag::Diagnostic;
use crate::image::{Digest, Image, Tag};
use crate::manifest::{Part, Site};
use crate::policy::{
    self, Current, CurrentListed, Evidence, ManifestFact, NoChoice, Outcome, Recorded, Selection,
};
use crate::reconcile::claims::{Claims, IndexedFile, SiteRef, StageKey};
use crate::reconcile::running::{self, Running, Unordered};
use crate::registry::AccountId;

mod records;

use records::{Record, Records};

/// Where an image's tags come from: the image, seen with one account.
pub type Feed = (Image, AccountId);

/// The last listing of a feed.
#[derive(Debug, Clone)]
pub enum Listing {
    /// Every tag, as of a time.
    Complete {
        /// The tags, shared by the passes that use this listing.
        tags: Arc<[Tag]>,
        /// When they were listed.
        at: Timestamp,
    },
    /// The registry gave no complete list, in words for a person.
    Failed(String),
}

/// What was observed, besides the config repo.
#[derive(Debug, Clone, Default)]
pub struct Facts {
    /// When it was observed.
    pub now: Timestamp,
    /// The tags of each feed.
    pub listings: BTreeMap<Feed, Listing>,
    /// What is known of the manifests of tags that could win, read in this pass.
    pub manifests: BTreeMap<Feed, BTreeMap<Tag, ManifestFact>>,
    /// The same of tags that run with a recorded digest, read once for each listing.
    pub running: BTreeMap<Feed, BTreeMap<Tag, ManifestFact>>,
}

/// The plan of one pass.
#[derive(Debug, Clone, Default)]
pub struct Plan {
    /// One entry per stage, by app name and stage order.
    pub stages: Vec<StagePlan>,
    /// What must be read before the plan is complete.
    pub needs: Vec<(Feed, Tag)>,
    /// Sites that a change leaves as they are because other stages read them.
    pub refused: Vec<Diagnostic>,
    /// What runs with a recorded digest, and must be compared with it.
    pub checks: Vec<(Feed, Tag)>,
}

impl Plan {
    /// The stages that change.
    pub fn changes(&self) -> impl Iterator<Item = (&StagePlan, &Change)> {
        self.stages
            .iter()
            .filter_map(|stage| Some((stage, stage.change()?)))
    }
}

impl Plan {
    /// Blocks the stages for which something was still to be read when reading was given up, after
    /// `readings` tags.
    pub fn give_up(&mut self, readings: u32) {
        for stage in &mut self.stages {
            if matches!(stage.step, Step::Undecided) {
                stage.step = Step::Blocked(Blocked::Unreadable(format!(
                    "the registry lists {readings} tags in a row without their manifests; leave \
                     them out with `ignore`, or delete them there"
                )));
            }
        }
    }
}

/// What happens to one stage.
#[derive(Debug, Clone)]
pub struct StagePlan {
    /// Which stage.
    pub key: StageKey,
    /// Its sites.
    pub sites: Vec<SiteRef>,
    /// What it runs.
    pub running: Running,
    /// The verdicts, where tags were compared.
    pub selection: Option<Selection>,
    /// What to do.
    pub step: Step,
}

impl StagePlan {
    /// The change it makes, if it makes one.
    pub fn change(&self) -> Option<&Change> {
        match &self.step {
            Step::Change(change) => Some(change),
            _ => None,
        }
    }
}

/// What to do with one stage.
#[derive(Debug, Clone)]
pub enum Step {
    /// Write a reference.
    Change(Change),
    /// It runs the choice.
    UpToDate,
    /// Something must be read first; see [`Plan::needs`].
    Undecided,
    /// Nothing is written, for a reason.
    Blocked(Blocked),
}

/// A reference to write to some sites.
#[derive(Debug, Clone)]
pub struct Change {
    /// What the stage ran.
    pub from: Running,
    /// The tag to write.
    pub tag: Tag,
    /// The digest that the tag had in this pass.
    pub digest: Digest,
    /// The sites that don't have it yet.
    pub sites: Vec<SiteRef>,
    /// Why this tag, in a sentence without a final stop.
    pub reason: String,
}

/// Why nothing is written.
#[derive(Debug, Clone)]
pub enum Blocked {
    /// The stage has no sites.
    NoSites,
    /// Every site that the stage could have is claimed by another one too.
    Contested,
    /// The tags could not be listed.
    Listing(String),
    /// The choice can't be read.
    Unreadable(String),
    /// The tag has another digest than a site records for it.
    Moved {
        /// The tag.
        tag: Tag,
        /// What a site records.
        recorded: Digest,
        /// The site's file, line and column.
        place: String,
        /// What the registry says.
        now: Digest,
    },
    /// What runs can't be ordered.
    Unordered(String),
    /// Nothing is acceptable.
    NothingAcceptable(String),
    /// Other stages read all that would be written, and aren't to get it.
    Shared(String),
}

impl Blocked {
    /// Whether something is broken, rather than waiting for something better or a person.
    pub fn is_failure(&self) -> bool {
        matches!(
            self,
            Self::NoSites
                | Self::Contested
                | Self::Listing(_)
                | Self::Unreadable(_)
                | Self::Moved { .. }
                | Self::Shared(_)
        )
    }
}

impl fmt::Display for Blocked {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NoSites => f.write_str(
                "no site: no file under the stage's paths names the image, and no marker names the app",
            ),
            Self::Contested => f.write_str(
                "no site of its own: others claim its sites too, so nobody writes them; the warnings name them",
            ),
            Self::Listing(why) | Self::Unreadable(why) => f.write_str(why),
            Self::Moved {
                tag,
                recorded,
                place,
                now,
            } => write!(
                f,
                "moved: {tag} is recorded with {recorded} at {place}, but the registry now has \
                 {now}; tags are taken to be immutable, so nothing is written"
            ),
            Self::Unordered(why) => write!(f, "unordered: {why}"),
            Self::NothingAcceptable(why) | Self::Shared(why) => f.write_str(why),
        }
    }
}

/// Decides what happens to every stage.
pub fn plan(
    apps: &[App],
    files: &[IndexedFile],
    claims: &Claims,
    facts: &Facts,
    feed_of: impl Fn(&App) -> Feed,
) -> Plan {
    let mut plan = Plan::default();
    let records = Records::of(files);
    for (key, sites) in &claims.stages {
        let app = &apps[key.app];
        let stage = &app.stages[key.stage];
        let feed = feed_of(app);
        let (overridden, sites_that_count) = sites
            .iter()
            .map(|site| (*site, &files[site.file].index.sites[site.site]))
            .partition(|(site, _)| claims.overridden.contains(site));
        let case = Case {
            app,
            policy: &stage.policy,
            sites: sites_that_count,
            overridden,
            files,
            records: &records,
            now: facts.now,
            listing: facts.listings.get(&feed),
            manifests: facts.manifests.get(&feed),
            known: facts.running.get(&feed),
            contested: claims.contested.contains(key),
        };
        let (running, selection, step, needs) = case.decide();
        if let (Step::UpToDate, Some(tag)) = (&step, case.unchecked(&running)) {
            plan.checks.push((feed.clone(), tag));
        }
        plan.needs
            .extend(needs.into_iter().map(|tag| (feed.clone(), tag)));
        plan.stages.push(StagePlan {
            key: *key,
            sites: sites.clone(),
            running,
            selection,
            step,
        });
    }
    plan.stages
        .sort_by(|a, b| order_of(apps, a.key).cmp(&order_of(apps, b.key)));
    shared::withhold(&mut plan, apps, files, claims);
    plan
}

fn order_of(apps: &[App], key: StageKey) -> (&str, usize) {
    (apps[key.app].name.as_str(), key.stage)
}

/// One stage and all that bears on it.
struct Case<'a> {
    app: &'a App,
    policy: &'a policy::Policy,
    /// The sites that say what the stage runs.
    sites: Vec<(SiteRef, &'a Site)>,
    /// Sites whose value the stage overrides elsewhere.
    overridden: Vec<(SiteRef, &'a Site)>,
    files: &'a [IndexedFile],
    records: &'a Records<'a>,
    now: Timestamp,
    listing: Option<&'a Listing>,
    manifests: Option<&'a BTreeMap<Tag, ManifestFact>>,
    /// What is known of tags that run.
    known: Option<&'a BTreeMap<Tag, ManifestFact>>,
    contested: bool,
}

type Decision = (Running, Option<Selection>, Step, Vec<Tag>);

impl Case<'_> {
    fn decide(&self) -> Decision {
        let running = Running::of(self.policy, &self.sites);
        if running == Running::Nothing {
            return (running, None, Step::Blocked(self.siteless()), Vec::new());
        }
        let tags = match self.listing {
            Some(Listing::Complete { tags, .. }) => tags,
            Some(Listing::Failed(why)) => {
                let step = Step::Blocked(Blocked::Listing(why.clone()));
                return (running, None, step, Vec::new());
            }
            None => return (running, None, Step::Undecided, Vec::new()),
        };
        let none = BTreeMap::new();
        let manifests = self.manifests.unwrap_or(&none);
        let current = match &running {
            Running::Nothing => Current::Nothing,
            Running::One(version)
            | Running::Split {
                highest: version, ..
            } => Current::Tag(&version.tag),
            Running::Unordered(unordered) => unordered.as_current(),
        };
        let evidence = Evidence::new(tags, current, self.now).with_manifests(manifests);
        let selection = policy::select(self.policy, &evidence);
        let (step, needs) = self.step(&running, &selection, manifests);
        (running, Some(selection), step, needs)
    }

    fn siteless(&self) -> Blocked {
        if self.contested {
            Blocked::Contested
        } else {
            Blocked::NoSites
        }
    }

    fn step(
        &self,
        running: &Running,
        selection: &Selection,
        manifests: &BTreeMap<Tag, ManifestFact>,
    ) -> (Step, Vec<Tag>) {
        let blocked = |blocked| (Step::Blocked(blocked), Vec::new());
        match &selection.outcome {
            Outcome::Selected(tag) => self.bring_to(tag, running, selection, manifests),
            Outcome::UpToDate(tag) if selection.current_listed == CurrentListed::Gone => {
                blocked(Blocked::NothingAcceptable(format!(
                    "{tag} is gone from the registry, and nothing newer is acceptable"
                )))
            }
            Outcome::UpToDate(tag) => {
                if !self.behind(tag, running.digest()).is_empty() {
                    return self.bring_to(tag, running, selection, manifests);
                }
                // An unreadable manifest is no matter here: nothing is to be written.
                match self.known.and_then(|known| known.get(tag)) {
                    Some(ManifestFact::Found(now)) => match self.moved(tag, &now.digest) {
                        Some(moved) => blocked(moved),
                        None => (Step::UpToDate, Vec::new()),
                    },
                    _ => (Step::UpToDate, Vec::new()),
                }
            }
            Outcome::Needs(needs) => (Step::Undecided, needs.tags.clone()),
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

    /// The step that brings all sites to `tag`, once its digest is known.
    fn bring_to(
        &self,
        tag: &Tag,
        running: &Running,
        selection: &Selection,
        manifests: &BTreeMap<Tag, ManifestFact>,
    ) -> (Step, Vec<Tag>) {
        let digest = match manifests.get(tag) {
            Some(ManifestFact::Found(found)) => &found.digest,
            None => return (Step::Undecided, vec![tag.clone()]),
            Some(ManifestFact::Unreadable(why)) => {
                return (Step::Blocked(Blocked::Unreadable(why.clone())), Vec::new());
            }
            Some(ManifestFact::Missing | ManifestFact::MissingOnce) => {
                let why = format!("{tag} is listed, but its manifest is missing");
                return (Step::Blocked(Blocked::Unreadable(why)), Vec::new());
            }
        };
        if let Some(moved) = self.moved(tag, digest) {
            return (Step::Blocked(moved), Vec::new());
        }
        let mut sites = self.behind(tag, Some(digest));
        sites.extend(self.brought_along(tag));
        sites.sort_unstable();
        let change = Change {
            from: running.clone(),
            tag: tag.clone(),
            digest: digest.clone(),
            sites,
            reason: self.reason(tag, running, selection),
        };
        (Step::Change(change), Vec::new())
    }

    fn reason(&self, tag: &Tag, running: &Running, selection: &Selection) -> String {
        let of = selection.verdicts.len();
        let policy = format!("{} in {}", self.policy.order, self.app.file);
        match running {
            Running::Split { others, .. } if matches!(selection.outcome, Outcome::UpToDate(_)) => {
                format!(
                    "{tag} is what the stage runs and the choice of {policy}; other sites still had {}",
                    others.join(", ")
                )
            }
            _ => {
                let best = self.policy.order.rank().best();
                format!("of {of} tags, {tag} is the {best} that {policy} accepts")
            }
        }
    }

    /// The sites that don't hold `tag`, and `digest` where they hold one.
    fn behind(&self, tag: &Tag, digest: Option<&Digest>) -> Vec<SiteRef> {
        self.sites
            .iter()
            .filter(|(_, site)| match running::part(site) {
                Part::Name => false,
                Part::Digest => digest.is_some_and(|digest| site.digest().as_ref() != Some(digest)),
                Part::Whole | Part::Tag => {
                    site.tag_text() != Some(tag.as_str())
                        || site
                            .digest()
                            .is_some_and(|held| digest.is_some_and(|digest| held != *digest))
                }
            })
            .map(|(reference, _)| *reference)
            .collect()
    }

    /// The overridden sites that have a lower tag: they follow a change, so that what a base says
    /// doesn't fall behind, but make none by themselves.
    fn brought_along(&self, tag: &Tag) -> Vec<SiteRef> {
        let lower = |site: &Site| {
            let held = site.tag();
            held.is_some_and(|held| {
                policy::compare(self.policy, &held, tag, Recorded::default())
                    .is_some_and(Ordering::is_lt)
            })
        };
        let sites = self.overridden.iter();
        sites
            .filter(|(_, site)| lower(site))
            .map(|(reference, _)| *reference)
            .collect()
    }

    /// What is said where a site records another digest for `tag` than the registry has `now`.
    fn moved(&self, tag: &Tag, now: &Digest) -> Option<Blocked> {
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
            .chain(self.records.get(&self.app.image, tag))
            .find(|record| record.digest != *now)?;
        Some(Blocked::Moved {
            tag: tag.clone(),
            recorded: other.digest.clone(),
            place: other.place(),
            now: now.clone(),
        })
    }

    /// The tag that runs, if a site records its digest and nobody has compared the two.
    fn unchecked(&self, running: &Running) -> Option<Tag> {
        let Running::One(version) = running else {
            return None;
        };
        let recorded = self.sites.iter().any(|(_, site)| site.digest().is_some());
        let known = self
            .known
            .is_some_and(|known| known.contains_key(&version.tag));
        (recorded && !known).then(|| version.tag.clone())
    }
}

#[cfg(test)]
mod tests;
