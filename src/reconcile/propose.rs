//! App files for the images of a repo that has none: names, stages and ranges guessed from what is
//! there.
//!
//! ```text
//! group    the sites of each image, or of each Flux marker where one image has several
//! stages   the environments that the folders of those sites name
//! tags     the range that what runs there is in
//! text     the app file, read back and claimed like any other; what doesn't hold is taken out
//! ```
//!
//! Invariant: every proposed file is valid and each of its stages has a site, since the sites shown
//! are those that claiming gives to the very texts that are shown. Every place that is left out is
//! told with the reason.
//!
//! Pure: indexed files in, texts out. A guess is only ever where something is, never what runs.

mod group;
mod left;
mod name;
mod stages;
mod tags;
mod text;

use std::collections::{BTreeMap, BTreeSet};

use left::{Left, OVERRIDDEN};
pub use text::scalar;

use crate::config::{self, App, FluxMarker, ImageGlobs, PoliciesEntry, PolicyFile};
use crate::diag::Position;
use crate::image::Image;
use crate::reconcile::claims::{self, Claims, IndexedFile, SiteRef, StageKey};
use crate::reconcile::reach::{Reach, Reached};

/// How often the files are read back at most: each round takes out a stage or a file at least, and
/// after so many the rest is left out.
const MAX_ROUNDS: usize = 32;

/// What a repo holds.
#[derive(Debug, Clone, Copy)]
pub struct Ground<'a> {
    /// The apps that there are already.
    pub apps: &'a [App],
    /// The policies folders; new files go to the first.
    pub entries: &'a [PoliciesEntry],
    /// The files.
    pub files: &'a [IndexedFile],
}

/// Which images to propose apps for.
#[derive(Debug)]
pub enum Wanted {
    /// Those that aren't from a public library.
    Own,
    /// All.
    All,
    /// Those that the globs name.
    These(ImageGlobs),
}

/// What is proposed.
#[derive(Debug, Default)]
pub struct Proposal {
    /// The app files, by name.
    pub apps: Vec<Proposed>,
    /// Places that no app would manage.
    pub left_out: Vec<LeftOut>,
}

/// An app file.
#[derive(Debug)]
pub struct Proposed {
    /// The app's name.
    pub name: String,
    /// The path of its file from the root of the repo.
    pub file: String,
    /// The image.
    pub image: Image,
    /// What is in the file.
    pub text: String,
    /// What a person should know about it, in sentences without a final stop.
    pub notes: Vec<String>,
    /// The stages.
    pub stages: Vec<ProposedStage>,
}

/// A stage of a proposed app.
#[derive(Debug)]
pub struct ProposedStage {
    /// Its name.
    pub name: String,
    /// Its paths; all of the repo where the file states no stages.
    pub paths: Vec<String>,
    /// What it would manage.
    pub sites: Vec<SiteRef>,
}

/// A place, or several for one reason, that no app would manage.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LeftOut {
    /// What is written there, or the image where there are several places.
    pub what: String,
    /// The file of the first place.
    pub file: String,
    /// Where in it.
    pub position: Position,
    /// How many places.
    pub count: usize,
    /// Why, in a sentence without a final stop.
    pub reason: String,
}

/// An app file in the making.
#[derive(Debug)]
struct Draft {
    name: String,
    file: String,
    image: Image,
    marker: Option<FluxMarker>,
    /// Whether only marked sites are the app's.
    marked_only: bool,
    order: tags::Order,
    stages: Vec<DraftStage>,
    /// Sites outside the folders of all stages.
    rest: Vec<SiteRef>,
    sites: Vec<SiteRef>,
    notes: Vec<String>,
}

#[derive(Debug, Default)]
struct DraftStage {
    name: String,
    /// Path globs; none is all of the repo.
    paths: BTreeSet<String>,
    exclude: BTreeSet<String>,
    /// Its own order, if the app's isn't right for it.
    order: Option<tags::Order>,
}

/// Proposes apps for the images that no app watches.
pub fn propose(ground: Ground<'_>, wanted: &Wanted) -> Proposal {
    let reach = Reach::of(ground.files);
    let mut left_out = Vec::new();
    let groups = group::groups(ground, wanted, &reach, &mut left_out);
    Settling {
        ground,
        reach,
        drafts: draft(ground, groups),
        left_out,
    }
    .settle()
}

fn draft(ground: Ground<'_>, groups: Vec<group::Group>) -> Vec<Draft> {
    let mut names = name::Names::taken(ground.apps.iter().map(|app| app.name.as_str()));
    let folder = ground.entries.first().map(|entry| entry.path.as_str());
    let folder = folder.unwrap_or("policies");
    groups
        .into_iter()
        .map(|group| {
            let name = names.pick(group.name.as_deref(), &group.image);
            let of_site = |site: &SiteRef| ground.files[site.file].path.as_str();
            let guess = stages::guess(&name, group.sites.iter().map(|site| (of_site(site), *site)));
            Draft {
                file: format!("{folder}/{name}.yaml"),
                name,
                image: group.image,
                marker: group.marker,
                marked_only: group.marked_only,
                order: tags::Order::default(),
                stages: guess.stages,
                rest: guess.rest,
                sites: group.sites,
                notes: Vec::new(),
            }
        })
        .collect()
}

struct Settling<'a> {
    ground: Ground<'a>,
    reach: Reach<'a>,
    drafts: Vec<Draft>,
    left_out: Vec<Left>,
}

/// A draft that was read back.
struct Sound {
    draft: usize,
    app: App,
}

impl Settling<'_> {
    fn settle(mut self) -> Proposal {
        self.place_rest();
        for _ in 0..MAX_ROUNDS {
            let sound = self.read_back();
            let claims = self.claim(&sound);
            let changed = self.take_out(&sound, &claims);
            self.set_orders(&sound, &claims);
            if !changed && sound.len() == self.drafts.len() {
                return self.finish();
            }
            self.keep(&sound);
        }
        self.finish()
    }

    /// The drafts as apps; one that can't be read is told.
    fn read_back(&mut self) -> Vec<Sound> {
        let entry = self.ground.entries.first();
        let mut sound = Vec::new();
        for (number, draft) in self.drafts.iter().enumerate() {
            let text = text::text(draft);
            let file = PolicyFile {
                path: &draft.file,
                text: &text,
                blob: "",
            };
            let Some(mut loaded) = entry.map(|entry| config::apps(entry, &[file])) else {
                continue;
            };
            match loaded.apps.pop() {
                Some(app) => sound.push(Sound { draft: number, app }),
                None => {
                    let told = loaded.diagnostics.first();
                    let reason = told.map_or("no valid app file", |told| told.message.as_str());
                    let reason = format!("no app can be proposed for it: {reason}");
                    let sites = draft.sites.iter();
                    let left = sites.map(|site| Left::new(*site, reason.as_str()));
                    self.left_out.extend(left);
                }
            }
        }
        sound
    }

    fn claim(&self, sound: &[Sound]) -> Claims {
        let mut apps = self.ground.apps.to_vec();
        apps.extend(sound.iter().map(|sound| sound.app.clone()));
        claims::claim(&apps, self.ground.entries, self.ground.files)
    }

    fn sites_of<'c>(&self, claims: &'c Claims, app: usize, stage: usize) -> &'c [SiteRef] {
        let app = self.ground.apps.len() + app;
        let key = StageKey { app, stage };
        claims.stages.get(&key).map_or(&[], Vec::as_slice)
    }

    /// Leaves only the drafts that were read back and have a stage.
    fn keep(&mut self, sound: &[Sound]) {
        let kept: BTreeSet<usize> = sound.iter().map(|sound| sound.draft).collect();
        let mut number = 0;
        self.drafts.retain(|draft| {
            number += 1;
            kept.contains(&(number - 1)) && !draft.stages.is_empty()
        });
    }

    /// Gives sites outside the stages' folders to the one stage that reads them, or to a stage of
    /// their own.
    fn place_rest(&mut self) {
        let sound = self.read_back();
        for Sound { draft, app } in sound {
            let draft = &mut self.drafts[draft];
            let mut alone = BTreeSet::new();
            for reference in std::mem::take(&mut draft.rest) {
                let file = &self.ground.files[reference.file];
                let path = stages::literal(&file.path);
                let readers = readers(&self.reach, &app, reference, file);
                let counting: Vec<usize> = readers
                    .iter()
                    .filter(|(_, counts)| *counts)
                    .map(|(stage, _)| *stage)
                    .collect();
                match counting.as_slice() {
                    [] if readers.is_empty() => {
                        alone.insert(path);
                    }
                    [] => self.left_out.push(Left::new(reference, OVERRIDDEN)),
                    [stage] => {
                        draft.stages[*stage].paths.insert(path);
                    }
                    several => {
                        let reason = shared(&app, several);
                        self.left_out.push(Left::new(reference, reason));
                    }
                }
            }
            if !alone.is_empty() {
                draft.stages.push(DraftStage {
                    name: stages::unused("default", &draft.stages),
                    paths: alone,
                    ..DraftStage::default()
                });
            }
        }
    }

    /// Takes out stages without a site, and files that can't be read; says whether there were any.
    fn take_out(&mut self, sound: &[Sound], claims: &Claims) -> bool {
        let mut changed = false;
        for (number, Sound { draft, app }) in sound.iter().enumerate() {
            let mut kept = Vec::new();
            let stages = std::mem::take(&mut self.drafts[*draft].stages);
            for (place, mut stage) in stages.into_iter().enumerate() {
                let unreadable = self.ground.files.iter().filter(|file| {
                    file.index.problem.is_some() && app.stages[place].paths.matches(&file.path)
                });
                let before = stage.exclude.len();
                stage
                    .exclude
                    .extend(unreadable.map(|file| stages::around(&file.path)));
                changed |= stage.exclude.len() > before;
                if self.sites_of(claims, number, place).is_empty() {
                    changed = true;
                } else {
                    kept.push(stage);
                }
            }
            self.drafts[*draft].stages = kept;
        }
        changed
    }

    /// Sets ranges from what runs.
    fn set_orders(&mut self, sound: &[Sound], claims: &Claims) {
        for (number, Sound { draft, .. }) in sound.iter().enumerate() {
            let running: Vec<tags::Running> = (0..self.drafts[*draft].stages.len())
                .map(|stage| {
                    let sites = self.sites_of(claims, number, stage).iter();
                    let counting = sites.filter(|site| !claims.overridden.contains(site));
                    tags::running(
                        counting.map(|site| &self.ground.files[site.file].index.sites[site.site]),
                    )
                })
                .collect();
            tags::set(&mut self.drafts[*draft], &running);
        }
    }

    fn finish(mut self) -> Proposal {
        let sound = self.read_back();
        let claims = self.claim(&sound);
        let mut claimed: BTreeSet<SiteRef> = BTreeSet::new();
        let mut apps = Vec::new();
        for (number, Sound { draft, app }) in sound.iter().enumerate() {
            let stages: Vec<ProposedStage> = app
                .stages
                .iter()
                .enumerate()
                .map(|(place, stage)| ProposedStage {
                    name: stage.name.to_string(),
                    paths: stage.paths.include().written().to_vec(),
                    sites: self.sites_of(&claims, number, place).to_vec(),
                })
                .collect();
            claimed.extend(stages.iter().flat_map(|stage| &stage.sites));
            apps.push(self.drafts[*draft].proposed(stages));
        }
        self.leave_unclaimed(&claims);
        apps.sort_by(|a, b| a.name.cmp(&b.name));
        Proposal {
            apps,
            left_out: left::told(self.ground, self.left_out, &claimed),
        }
    }

    /// Leaves out what is left of the drafts' sites, with what claiming said of them.
    fn leave_unclaimed(&mut self, claims: &Claims) {
        let reasons: BTreeMap<(&str, Option<Position>), &str> = claims
            .diagnostics
            .iter()
            .map(|told| ((told.file.as_str(), told.position), told.message.as_str()))
            .collect();
        for reference in self.drafts.iter().flat_map(|draft| &draft.sites) {
            let file = &self.ground.files[reference.file];
            let position = file.index.sites[reference.site].position;
            let reason = reasons.get(&(file.path.as_str(), Some(position)));
            let reason = reason.copied().unwrap_or(OVERRIDDEN);
            self.left_out.push(Left::new(*reference, reason));
        }
    }
}

impl Draft {
    fn proposed(&self, stages: Vec<ProposedStage>) -> Proposed {
        Proposed {
            name: self.name.clone(),
            file: self.file.clone(),
            image: self.image.clone(),
            text: text::text(self),
            notes: self.notes.clone(),
            stages,
        }
    }
}

/// The stages that read a site, and whether its value counts there.
fn readers(
    reach: &Reach<'_>,
    app: &App,
    reference: SiteRef,
    file: &IndexedFile,
) -> Vec<(usize, bool)> {
    if !reach.is_pulled(reference.file) {
        return Vec::new();
    }
    let routes = reach.routes(reference.file, &file.index.sites[reference.site]);
    let read = app.stages.iter().enumerate().filter_map(|(place, stage)| {
        match routes.reached(|path| stage.paths.matches(path)) {
            Reached::Not => None,
            Reached::Itself | Reached::Through(_) => Some((place, true)),
            Reached::Overridden(_) => Some((place, false)),
        }
    });
    read.collect()
}

fn shared(app: &App, stages: &[usize]) -> String {
    let names: Vec<&str> = stages
        .iter()
        .map(|stage| app.stages[*stage].name.as_str())
        .collect();
    format!(
        "read by {}, so it can't move for one of them alone; set the tag in `images` of each \
         one's kustomization, or in its own values",
        names.join(" and ")
    )
}

#[cfg(test)]
mod tests;
