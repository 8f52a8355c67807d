//! What is to be known of stages and sites besides what happens to them: that somebody went around the process,
//! or that the config repo says something that nobody meant.
//!
//! Invariant: a state is a function of one observation, told alike by commands, in the log and in metrics, for as
//! long as it lasts. It changes no decision; what follows from it is decided where the plan is made.

use std::collections::BTreeMap;
use std::fmt;

use crate::diag::Position;
use crate::image::Image;
use crate::policy::{NoChoice, Outcome};
use crate::reconcile::Observation;
use crate::reconcile::claims::SiteRef;
use crate::reconcile::plan::{Blocked, StagePlan, Step};
use crate::reconcile::running::Running;
use crate::reconcile::snapshot::Snapshot;

/// Kinds of states of stages.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Kind {
    /// Its sites disagree.
    Split,
    /// A tag has another digest than what Git records for it.
    Moved,
    /// It runs something above all that its policy accepts.
    AbovePolicy,
    /// Somebody merged what it runs against the status of its pull request.
    Ungated,
    /// Others claim sites of it too, so that nobody writes them.
    Contested,
    /// Other stages read sites of it.
    Shared,
}

impl Kind {
    /// Every kind.
    pub const ALL: [Self; 6] = [
        Self::Split,
        Self::Moved,
        Self::AbovePolicy,
        Self::Ungated,
        Self::Contested,
        Self::Shared,
    ];

    /// Its name in JSON.
    pub fn name(self) -> &'static str {
        match self {
            Self::AbovePolicy => "abovePolicy",
            other => other.label(),
        }
    }

    /// Its name in metrics.
    pub fn label(self) -> &'static str {
        match self {
            Self::Split => "split",
            Self::Moved => "moved",
            Self::AbovePolicy => "above_policy",
            Self::Ungated => "ungated",
            Self::Contested => "contested",
            Self::Shared => "shared",
        }
    }
}

impl fmt::Display for Kind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::AbovePolicy => "above policy",
            other => other.label(),
        })
    }
}

/// A state that a stage is in.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct State {
    /// Which.
    pub kind: Kind,
    /// What that is about, and what would end it where a command does, in words for a person.
    pub words: String,
}

impl State {
    /// Whether the reason for what happens to the stage says all of it.
    pub fn is_the_reason(&self) -> bool {
        matches!(self.kind, Kind::Moved | Kind::Contested)
    }
}

impl fmt::Display for State {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.kind, self.words)
    }
}

/// An image with sites that nobody manages.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Unowned<'s> {
    /// The image.
    pub image: &'s Image,
    /// The file of its first such site.
    pub file: &'s str,
    /// Where that is.
    pub position: Position,
    /// How many such sites it has.
    pub sites: usize,
    /// Why nobody manages them.
    pub why: Why,
}

/// Why nobody manages a site.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Why {
    /// No app watches the image.
    Unwatched,
    /// An app does, and no stage of it reaches the file.
    Unreached,
}

impl Observation {
    /// The states that a stage is in, by kind.
    pub fn states(&self, stage: &StagePlan) -> Vec<State> {
        let split = match &stage.running {
            Running::Split { others, .. } => {
                Some(format!("other sites have {}", others.join(", ")))
            }
            Running::Nothing | Running::One(_) | Running::Unordered(_) => None,
        };
        let moved = match &stage.step {
            Step::Blocked(Blocked::Moved {
                tag, recorded, now, ..
            }) => Some(format!(
                "{tag} is recorded with {recorded}, and the registry has {now}"
            )),
            _ => None,
        };
        let ungated = self.plan.ungated.get(&stage.key).map(ToString::to_string);
        let is_contested = self.snapshot.claims.contested.contains(&stage.key);
        let contested = is_contested.then(|| {
            "others claim sites of it too, so nobody writes those; the warnings name them"
                .to_owned()
        });
        let told = [
            (Kind::Split, split),
            (Kind::Moved, moved),
            (Kind::AbovePolicy, self.above_policy(stage)),
            (Kind::Ungated, ungated),
            (Kind::Contested, contested),
            (Kind::Shared, shared(&self.snapshot, stage)),
        ];
        let states = told.into_iter();
        states
            .filter_map(|(kind, words)| {
                Some(State {
                    kind,
                    words: words?,
                })
            })
            .collect()
    }

    fn above_policy(&self, stage: &StagePlan) -> Option<String> {
        let Outcome::Nothing(NoChoice::AbovePolicy {
            current, highest, ..
        }) = &stage.selection.as_ref()?.outcome
        else {
            return None;
        };
        let (app, name) = self.snapshot.names(stage.key);
        Some(format!(
            "{current} runs, which its `tags` don't accept; `tagwright deploy {app} {name} {highest}` \
             moves it to the best that they do"
        ))
    }
}

/// That other stages read what a stage writes, with the first such place.
fn shared(snapshot: &Snapshot, stage: &StagePlan) -> Option<String> {
    let shared = &snapshot.claims.shared;
    let mut read = stage
        .sites
        .iter()
        .filter_map(|site| Some((*site, shared.get(site)?.first()?)));
    let (site, sharer) = read.next()?;
    let more = match read.count() {
        0 => String::new(),
        1 => "; so is 1 other site".to_owned(),
        more => format!("; so are {more} other sites"),
    };
    let (app, name) = snapshot.names(sharer.stage);
    let file = &snapshot.files[site.file];
    Some(format!(
        "{}:{} is read by {name} of {app} too, through {}{more}; it is written only when both are to get the \
         same",
        file.path, file.index.sites[site.site].position, snapshot.files[sharer.through].path
    ))
}

/// The images with sites that nobody manages, in order.
pub fn unowned(snapshot: &Snapshot) -> Vec<Unowned<'_>> {
    let claims = &snapshot.claims;
    [
        (Why::Unwatched, &claims.unmanaged),
        (Why::Unreached, &claims.unreached),
    ]
    .into_iter()
    .flat_map(|(why, sites)| by_image(snapshot, sites, why).into_values())
    .collect()
}

fn by_image<'s>(
    snapshot: &'s Snapshot,
    sites: &[SiteRef],
    why: Why,
) -> BTreeMap<&'s Image, Unowned<'s>> {
    let mut images = BTreeMap::new();
    for reference in sites {
        let file = &snapshot.files[reference.file];
        let site = &file.index.sites[reference.site];
        if let Some(image) = site.image() {
            let first = Unowned {
                image,
                file: &file.path,
                position: site.position,
                sites: 0,
                why,
            };
            images.entry(image).or_insert(first).sites += 1;
        }
    }
    images
}
