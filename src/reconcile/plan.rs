//! What should change, and why, or why not: a pure function of what was observed.
//!
//! Invariant: a step that changes something carries a reference whose digest was read from the
//! registry in this pass. What can't be decided yet is named in [`Plan::open`], for the observer to
//! read and ask again; nothing is guessed meanwhile.
//!
//! It refuses: incomplete listings, candidates that can't be read, moved tags, stages that can't be
//! ordered, any move back, and values that another stage reads and isn't to get.

mod shared;
mod together;

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::sync::Arc;

use jiff::Timestamp;

use crate::config::{App, Hold, Name};
use crate::diag::Diagnostic;
use crate::image::{Digest, Image, Tag};
use crate::policy::{
    Datum, ManifestFact, Platforms, Purpose, Selection, Taken, Times, Want, Write,
};
use crate::promotion::approval::{Counted, People};
use crate::promotion::{Bound, Standing};
use crate::reconcile::attest::Acts;
use crate::reconcile::attest::forge::Places;
use crate::reconcile::checks::{Ask, Reply};
use crate::reconcile::claims::{Claims, IndexedFile, SiteRef, StageKey};
use crate::reconcile::decided::Decided;
use crate::reconcile::given::Given;
use crate::reconcile::pulls::{Closed, Ungated};
use crate::reconcile::running::Running;
use crate::reconcile::standings::{History, Past, Told};
use crate::registry::AccountId;

mod attested;
mod case;
mod checks;
mod consent;
mod enter;
mod people;
mod promote;
mod queue;
mod readings;
mod records;
mod scene;
mod stops;
mod waiting;

use case::Decision;
pub use consent::{Asked, Weighed};
pub use readings::{MOST, Readings};
use records::Records;
use scene::Scene;
pub use stops::{Stop, StopKind};
pub use together::Mates;
pub use waiting::{Missing, Waiting};

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
    /// Every tag as of a time, where there may be newer ones: nothing new is chosen from it.
    Stale {
        /// The tags.
        tags: Arc<[Tag]>,
        /// When they were listed.
        at: Timestamp,
        /// Why there is nothing newer.
        doubt: Doubt,
    },
    /// The registry gave no complete list, in words for a person.
    Failed(String),
    /// It is not listed yet, in words for a person.
    Awaited(String),
}

/// Why a listing is not the latest, in words for a person.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Doubt {
    /// Something is wrong.
    Failed(String),
    /// It will be listed soon.
    Awaited(String),
}

impl Listing {
    /// The tags, if there are any to go by.
    fn tags(&self) -> Result<&Arc<[Tag]>, Blocked> {
        match self {
            Self::Complete { tags, .. } | Self::Stale { tags, .. } => Ok(tags),
            Self::Failed(why) => Err(Blocked::Listing(why.clone())),
            Self::Awaited(why) => Err(Blocked::Awaited(why.clone())),
        }
    }

    /// What is said where something would be chosen from an old list.
    fn stale(&self) -> Option<Blocked> {
        let Self::Stale { at, doubt, .. } = self else {
            return None;
        };
        let words = |why: &str| {
            format!("the tags are those of {at}, and nothing new is chosen from them: {why}")
        };
        Some(match doubt {
            Doubt::Failed(why) => Blocked::Listing(words(why)),
            Doubt::Awaited(why) => Blocked::Awaited(words(why)),
        })
    }
}

/// What was observed, besides the config repo.
#[derive(Debug, Clone, Default)]
pub struct Facts {
    /// When it was observed.
    pub now: Timestamp,
    /// The tags of each feed.
    pub listings: BTreeMap<Feed, Listing>,
    /// The times of tags that are known without their manifests.
    pub times: BTreeMap<Feed, BTreeMap<Tag, Times>>,
    /// What is known of the manifests of tags that could win, read in this pass.
    pub manifests: BTreeMap<Feed, BTreeMap<Tag, ManifestFact>>,
    /// What was read of tags since the listing, in this pass or an earlier one: of those that run with a
    /// recorded digest or are followed, and of those that could win and were found.
    pub running: BTreeMap<Feed, BTreeMap<Tag, ManifestFact>>,
    /// How much was read in this pass, and what was put off.
    pub readings: Readings,
    /// Whether manifests that are to be promoted by their digests are there, asked in this pass; why not,
    /// in words for a person, where that can't be told.
    pub present: BTreeMap<Digest, Result<(), String>>,
    /// The platforms of manifests that run.
    pub platforms: BTreeMap<Digest, Datum<Platforms>>,
    /// When stages first took digests.
    pub takings: Takings,
    /// What the pasts of stages come to.
    pub history: History,
    /// What stages ran that others come after.
    pub tenures: BTreeMap<StageKey, Told>,
    /// What people decided.
    pub decided: Decided,
    /// What the commits show that brought in consents.
    pub acts: Acts,
    /// Decisions that came with the merge of a pull request that did not propose them.
    pub beside: Places,
    /// Who may decide.
    pub people: Arc<People>,
    /// What the service file holds back.
    pub holds: Arc<[Hold]>,
    /// What is held through the API, and not in Git yet.
    pub given: Arc<[Given]>,
    /// What people do not want, since they closed its pull request.
    pub closed: BTreeMap<StageKey, Vec<Closed>>,
    /// Stages whose changes go by pull request, and whose own is not open yet.
    pub unopened: BTreeSet<StageKey>,
    /// What gates and statuses say.
    pub asked: BTreeMap<Ask, Reply>,
}

/// When stages first took digests, by the history of the branch.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub enum Takings {
    /// There is no branch to read.
    #[default]
    NotConsulted,
    /// Of these digests; any other has not been asked for.
    Known(BTreeMap<Digest, Taken>),
}

impl Takings {
    fn of(&self, digest: &Digest) -> Taken {
        match self {
            Self::NotConsulted => Taken::NotConsulted,
            Self::Known(known) => known.get(digest).copied().unwrap_or(Taken::Unasked),
        }
    }
}

impl Facts {
    /// What the past of a stage comes to, where that is known.
    pub fn standing(&self, key: StageKey) -> Option<&Standing> {
        match &self.history {
            History::NotConsulted => None,
            History::Known(pasts) => pasts.get(&key).and_then(Past::known),
        }
    }
}

/// Something to read of a tag.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Need {
    /// Where the tag is.
    pub feed: Feed,
    /// The tag.
    pub tag: Tag,
    /// What to read, besides its digest.
    pub wants: Vec<Want>,
    /// What for; `None` for what is to be written.
    pub purpose: Option<Purpose>,
}

/// What must be read before something is decided.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Open {
    /// Of tags that could win, in this pass.
    pub needs: Vec<Need>,
    /// Of tags that run with a recorded digest or are followed, once for each listing.
    pub checks: Vec<Need>,
    /// Whether manifests are there that are to be promoted by their digests, in this pass.
    pub present: Vec<(Feed, Digest)>,
    /// The platforms of manifests that run.
    pub digests: Vec<(Feed, Digest)>,
    /// The pasts of stages that could change.
    pub pasts: Vec<StageKey>,
    /// Stages of which it must be known what they ran, since others come after them.
    pub tenures: Vec<StageKey>,
    /// Digests of which it must be known when a stage first took them.
    pub takings: Vec<Digest>,
    /// What gates and statuses say.
    pub asks: Vec<Ask>,
}

impl Open {
    /// Whether nothing has to be read.
    pub fn is_empty(&self) -> bool {
        self.needs.is_empty()
            && self.checks.is_empty()
            && self.present.is_empty()
            && self.digests.is_empty()
            && self.pasts.is_empty()
            && self.tenures.is_empty()
            && self.takings.is_empty()
            && self.asks.is_empty()
    }

    fn append(&mut self, mut other: Self) {
        self.needs.append(&mut other.needs);
        self.checks.append(&mut other.checks);
        self.present.append(&mut other.present);
        self.digests.append(&mut other.digests);
        self.pasts.append(&mut other.pasts);
        self.tenures.append(&mut other.tenures);
        self.takings.append(&mut other.takings);
        self.asks.append(&mut other.asks);
    }
}

/// The plan of one pass.
#[derive(Debug, Clone, Default)]
pub struct Plan {
    /// One entry per stage, by app name and stage order.
    pub stages: Vec<StagePlan>,
    /// What must be read before the plan is complete.
    pub open: Open,
    /// Sites that a change leaves as they are because other stages read them.
    pub refused: Vec<Diagnostic>,
    /// When what stops a stage changes by the clock alone, a window of a change opens or closes, a consent to
    /// one expires, or a tag is old enough or has rested, whichever is first: the plan is good until then. Later than the time that
    /// it was made at.
    pub expires: Option<Timestamp>,
    /// Where to see what changed in the images of stages that change, where they tell.
    pub links: BTreeMap<StageKey, String>,
    /// The stages that run what somebody merged against the status of its pull request.
    pub ungated: BTreeMap<StageKey, Ungated>,
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
    /// Has what moves together with what does not change wait, after a step was changed.
    pub fn bind(&mut self, apps: &[App]) {
        together::bind(self, apps);
    }

    /// Blocks the stages for which something was still to be read when reading was given up, after so
    /// many `rounds`.
    pub fn give_up(&mut self, rounds: u32) {
        for stage in &mut self.stages {
            if matches!(stage.step, Step::Undecided) {
                stage.step = Step::Blocked(Blocked::Unreadable(format!(
                    "something was still to be read of its tags after {rounds} rounds of reading"
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
    /// What its past comes to, where that matters.
    pub standing: Option<Standing>,
    /// What stops its changes.
    pub stops: Vec<Stop>,
    /// Whether a person closed a pull request of it, and left it closed.
    pub was_closed: bool,
    /// Whether there is nothing newer for it, not even too young, whatever stops it.
    pub rests: bool,
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

    /// The change it makes, now or once people say so and a window opens: what is proposed meanwhile.
    pub fn wanted(&self) -> Option<&Change> {
        match &self.step {
            Step::Change(change) => Some(change),
            Step::Waiting(waiting) if waiting.may_be_proposed() => Some(&waiting.change),
            _ => None,
        }
    }
}

/// What to do with one stage.
#[derive(Debug, Clone)]
pub enum Step {
    /// Write a reference.
    Change(Change),
    /// Write a reference, once something is there that is still missing.
    Waiting(Waiting),
    /// It runs the choice.
    UpToDate,
    /// Something must be read first; see [`Plan::open`].
    Undecided,
    /// Nothing is written, for a reason.
    Blocked(Blocked),
}

impl Step {
    /// Whether there is nothing newer to write.
    fn is_rest(&self) -> bool {
        match self {
            Self::UpToDate => true,
            Self::Blocked(blocked) => blocked.is_rest(),
            Self::Change(_) | Self::Waiting(_) | Self::Undecided => false,
        }
    }
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
    /// What of it is written.
    pub write: Write,
    /// The sites that don't have it yet.
    pub sites: Vec<SiteRef>,
    /// Why this tag, in a sentence without a final stop.
    pub reason: String,
    /// What a person went back from, if that stays in force.
    pub rejected: Option<Box<Bound>>,
    /// The consents that it has.
    pub approved: Vec<Counted>,
    /// The group whose changes to this stage it is made with, if any; what a person decided to deploy goes
    /// alone.
    pub group: Option<Name>,
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
    /// The tags are about to be listed.
    Awaited(String),
    /// Not all that must be known of the tags has been read yet, in words for a person.
    Reading(String),
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
    /// Nothing can be said of the stages that come first, or they run nothing that could be promoted.
    Before(String),
    /// The stages that come after take what runs first.
    InQueue(String),
    /// Other stages read all that would be written, and aren't to get it.
    Shared(String),
    /// A pass makes only so many changes, and others go first.
    Queued(String),
    /// A person does not want it.
    Withheld(String),
    /// Not enough of the branch's history is known.
    History,
    /// A person wants no change.
    Held(String),
    /// People's decisions can't be understood.
    Decisions(String),
    /// It goes by pull request, and the forge can't be asked.
    Forge(String),
    /// It is not to be written.
    NotWritten(String),
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
                | Self::Decisions(_)
                | Self::Forge(_)
        )
    }

    /// Whether there is nothing newer to write.
    pub fn is_rest(&self) -> bool {
        matches!(self, Self::NothingAcceptable(_) | Self::Withheld(_))
    }

    /// Whether nothing is to be written for good, rather than for now: until something newer or a person
    /// comes.
    pub fn is_over(&self) -> bool {
        matches!(
            self,
            Self::NothingAcceptable(_) | Self::Withheld(_) | Self::NotWritten(_)
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
            Self::Listing(why)
            | Self::Awaited(why)
            | Self::Reading(why)
            | Self::Unreadable(why) => f.write_str(why),
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
            Self::NothingAcceptable(why)
            | Self::Shared(why)
            | Self::Withheld(why)
            | Self::Before(why)
            | Self::InQueue(why)
            | Self::Queued(why)
            | Self::NotWritten(why)
            | Self::Held(why) => f.write_str(why),
            Self::Forge(why) => write!(f, "it goes by pull request, and {why}"),
            Self::Decisions(file) => write!(
                f,
                "{file} has mistakes, so nobody knows what is to be stopped: nothing is changed"
            ),
            Self::History => f.write_str(
                "not enough of the branch's history has been fetched to tell whether a person went \
                 back from something",
            ),
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
    let scene = Scene {
        apps,
        files,
        claims,
        facts,
        records: Records::of(files),
        feeds: apps.iter().map(feed_of).collect(),
    };
    for (key, sites) in &claims.stages {
        let case = scene.case(*key);
        let Decision {
            running,
            selection,
            step,
            rests,
            open,
            expires,
        } = case.decide();
        let recheck = selection.as_ref().and_then(|selection| selection.recheck);
        let expires = [plan.expires, case.expires(), recheck, expires];
        plan.expires = expires.into_iter().flatten().min();
        plan.open.append(open);
        plan.stages.push(StagePlan {
            key: *key,
            sites: sites.clone(),
            running,
            selection,
            standing: facts.standing(*key).cloned(),
            stops: case.stops(),
            was_closed: facts.closed.contains_key(key),
            rests,
            step,
        });
    }
    plan.stages
        .sort_by(|a, b| order_of(apps, a.key).cmp(&order_of(apps, b.key)));
    // What moves together with what is held back is held back too, and may hold back more.
    loop {
        shared::withhold(&mut plan, apps, files, claims);
        if !together::bind(&mut plan, apps) {
            return plan;
        }
    }
}

fn order_of(apps: &[App], key: StageKey) -> (&str, usize) {
    (apps[key.app].name.as_str(), key.stage)
}

#[cfg(test)]
mod tests;
