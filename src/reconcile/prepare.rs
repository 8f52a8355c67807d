//! From a plan to the exact bytes and messages of its commits.
//!
//! Invariant: nothing is written here, so what `plan` shows and what `serve` commits are the same
//! values. Each commit builds on the files as the one before left them, and each change of it likewise. A site
//! that can't be edited is reported with its place and reason, and the rest of its change goes on; where apps
//! move together, all of their changes stay out.

use std::collections::{BTreeMap, BTreeSet};

use crate::config::{App, Commits, Grouping, Name};
use crate::diag::{self, Diagnostic, Position};
use crate::image::Image;
use crate::manifest::{self, Change as SiteChange, DigestRule, FileIndex, Target};
use crate::policy::Write;
use crate::reconcile::claims::{IndexedFile, SiteRef, StageKey};
use crate::reconcile::message;
use crate::reconcile::plan::{Change, Plan, StagePlan};

/// One commit, ready to be made.
#[derive(Debug, Clone)]
pub struct Prepared {
    /// The changes it makes, at least one.
    pub changes: Vec<PreparedChange>,
    /// The commit's message.
    pub message: String,
    /// The files it changes.
    pub files: Vec<ChangedFile>,
}

/// The change of one stage, as a commit makes it.
#[derive(Debug, Clone)]
pub struct PreparedChange {
    /// The app's name.
    pub app: String,
    /// The stage's name.
    pub stage: String,
    /// The app's image.
    pub image: Image,
    /// The blob id of the app file that decided.
    pub policy: String,
    /// The change.
    pub change: Change,
    /// Where to see what changed in the image, if it tells.
    pub link: Option<String>,
    /// Where it is made, at least one place.
    pub edits: Vec<Edit>,
}

/// A file before and after one commit.
#[derive(Debug, Clone)]
pub struct ChangedFile {
    /// The path from the root of the config repo.
    pub path: String,
    /// The bytes before.
    pub before: Vec<u8>,
    /// The bytes after.
    pub after: Vec<u8>,
}

/// One edited place.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Edit {
    /// The file.
    pub file: String,
    /// Where in the file as the change found it.
    pub position: Position,
    /// The text that was there.
    pub old: String,
    /// The text that is there now.
    pub new: String,
}

/// All commits of a plan, and what had to be left out.
#[derive(Debug, Clone, Default)]
pub struct Preparation {
    /// The commits, in order.
    pub commits: Vec<Prepared>,
    /// Sites that should have changed but could not.
    pub refused: Vec<Diagnostic>,
}

/// Prepares the commits of `plan` in the given `style`, reading the files' bytes with `read`.
///
/// # Errors
/// When a file can't be read: then nothing is known to be right.
pub fn prepare<E>(
    plan: &Plan,
    apps: &[App],
    files: &[IndexedFile],
    style: &Commits,
    read: impl FnMut(&IndexedFile) -> Result<Vec<u8>, E>,
) -> Result<Preparation, E> {
    let mut editor = Editor {
        plan,
        apps,
        files,
        read,
        written: BTreeMap::new(),
        refused: plan.refused.clone(),
    };
    let mut commits = Vec::new();
    for group in groups(plan, apps, style.group) {
        commits.extend(editor.commit(&group, style)?);
    }
    Ok(Preparation {
        commits,
        refused: editor.refused,
    })
}

/// The changes that one commit makes.
type Group<'p> = Vec<(&'p StagePlan, &'p Change)>;

/// The changes of `plan`, those of one commit together, in the order in which they first appear.
fn groups<'p>(plan: &'p Plan, apps: &[App], by: Grouping) -> Vec<Group<'p>> {
    let stage_of = |stage: &StagePlan| {
        let stages = &apps[stage.key.app].stages;
        stages[stage.key.stage].name.as_str()
    };
    gathered(plan.changes(), |(stage, change)| match by {
        Grouping::AppStage => {
            let group = change.group.as_ref()?;
            Some((Some(group.as_str()), Some(stage_of(stage))))
        }
        Grouping::Stage => Some((None, Some(stage_of(stage)))),
        Grouping::Pass => Some((None, None)),
    })
}

/// The changes of one commit, those that are made together or not at all side by side.
fn units<'p>(group: &Group<'p>, apps: &[App]) -> Vec<Group<'p>> {
    gathered(group.iter().copied(), |(stage, change)| {
        let stages = &apps[stage.key.app].stages;
        Some((change.group.as_ref()?, &stages[stage.key.stage].name))
    })
}

/// `changes` by their keys, in the order in which those first appear; one without a key is by itself.
fn gathered<'p, K: Ord>(
    changes: impl Iterator<Item = (&'p StagePlan, &'p Change)>,
    key: impl Fn((&'p StagePlan, &'p Change)) -> Option<K>,
) -> Vec<Group<'p>> {
    let mut groups: Vec<Group<'p>> = Vec::new();
    let mut places: BTreeMap<K, usize> = BTreeMap::new();
    for change in changes {
        let place = match key(change) {
            Some(key) => *places.entry(key).or_insert(groups.len()),
            None => groups.len(),
        };
        match groups.get_mut(place) {
            Some(group) => group.push(change),
            None => groups.push(vec![change]),
        }
    }
    groups
}

/// Makes one commit after the other.
struct Editor<'a, R> {
    plan: &'a Plan,
    apps: &'a [App],
    files: &'a [IndexedFile],
    read: R,
    /// The files as the commits so far left them.
    written: BTreeMap<usize, Vec<u8>>,
    refused: Vec<Diagnostic>,
}

impl<E, R: FnMut(&IndexedFile) -> Result<Vec<u8>, E>> Editor<'_, R> {
    /// The commit of a group, unless nothing of it can be edited.
    fn commit(&mut self, group: &Group<'_>, style: &Commits) -> Result<Option<Prepared>, E> {
        let mut files: BTreeMap<usize, ChangedFile> = BTreeMap::new();
        let mut changes = Vec::new();
        for unit in units(group, self.apps) {
            changes.extend(self.unit(&unit, &mut files)?);
        }
        if changes.is_empty() {
            return Ok(None);
        }
        Ok(Some(Prepared {
            message: message::message(&changes, style),
            changes,
            files: files.into_values().collect(),
        }))
    }

    /// The changes of a unit. Where a site of a group's can't be edited, none of the unit is.
    fn unit(
        &mut self,
        unit: &Group<'_>,
        files: &mut BTreeMap<usize, ChangedFile>,
    ) -> Result<Vec<PreparedChange>, E> {
        let group = unit.iter().find_map(|(_, change)| change.group.as_ref());
        let touched = unit.iter().flat_map(|(_, change)| &change.sites);
        let before: BTreeMap<usize, _> = match group {
            Some(_) => touched
                .map(|site| site.file)
                .map(|file| {
                    (
                        file,
                        (self.written.get(&file).cloned(), files.get(&file).cloned()),
                    )
                })
                .collect(),
            None => BTreeMap::new(),
        };
        let (mut changes, mut stuck) = (Vec::new(), BTreeSet::new());
        for (stage, change) in unit {
            let told = self.refused.len();
            let edits = self.edit(change, files)?;
            if self.refused.len() > told {
                stuck.insert(stage.key);
            }
            if !edits.is_empty() {
                changes.push(self.prepared(stage, change, edits));
            }
        }
        let Some(group) = group.filter(|_| !stuck.is_empty()) else {
            return Ok(changes);
        };
        for (file, (written, changed)) in before {
            put_back(&mut self.written, file, written);
            put_back(files, file, changed);
        }
        let held_up = unit.iter().filter(|(stage, _)| !stuck.contains(&stage.key));
        let told = held_up.map(|of| self.held_up(*of, group, &stuck));
        let told: Vec<Diagnostic> = told.collect();
        self.refused.extend(told);
        Ok(Vec::new())
    }

    /// What is said of a change that others of its group hold up.
    fn held_up(
        &self,
        (stage, change): (&StagePlan, &Change),
        group: &Name,
        stuck: &BTreeSet<StageKey>,
    ) -> Diagnostic {
        let name = |key: &StageKey| &self.apps[key.app].name;
        let names: Vec<&str> = stuck.iter().map(|key| name(key).as_str()).collect();
        let message = format!(
            "{}: {} -> {} is not written: it moves with its group `{group}`, held up by {}",
            name(&stage.key),
            self.apps[stage.key.app].stages[stage.key.stage].name,
            change.tag,
            names.join(" and ")
        );
        match change.sites.first() {
            Some(at) => {
                let file = &self.files[at.file];
                let position = file.index.sites[at.site].position;
                Diagnostic::error(&file.path, message).at_bare(position)
            }
            None => Diagnostic::error("", message),
        }
    }

    fn prepared(&self, stage: &StagePlan, change: &Change, edits: Vec<Edit>) -> PreparedChange {
        let app = &self.apps[stage.key.app];
        PreparedChange {
            app: app.name.to_string(),
            stage: app.stages[stage.key.stage].name.to_string(),
            image: app.image.clone(),
            policy: app.blob.clone(),
            change: change.clone(),
            link: self.plan.links.get(&stage.key).cloned(),
            edits,
        }
    }

    /// Edits the sites of `change`; the files are noted in `files` with what they were before.
    fn edit(
        &mut self,
        change: &Change,
        files: &mut BTreeMap<usize, ChangedFile>,
    ) -> Result<Vec<Edit>, E> {
        let mut edits = Vec::new();
        for (number, sites) in by_file(&change.sites) {
            let file = &self.files[number];
            let rewritten;
            let before = match self.written.get(&number) {
                // It has the same sites, at other offsets.
                Some(bytes) => {
                    let index = manifest::index_with(file.format, bytes, &file.targets);
                    rewritten = rewrite(file, bytes, &index, &sites, change);
                    bytes.clone()
                }
                None => {
                    let bytes = (self.read)(file)?;
                    rewritten = rewrite(file, &bytes, &file.index, &sites, change);
                    bytes
                }
            };
            self.refused.extend(told(file, &before, rewritten.refused));
            if rewritten.bytes == before {
                continue;
            }
            self.written.insert(number, rewritten.bytes.clone());
            let changed = files.entry(number).or_insert_with(|| ChangedFile {
                path: file.path.clone(),
                before,
                after: Vec::new(),
            });
            changed.after = rewritten.bytes;
            edits.extend(rewritten.edits.into_iter().map(|edit| Edit {
                file: file.path.clone(),
                position: edit.position,
                old: edit.old,
                new: edit.new,
            }));
        }
        Ok(edits)
    }
}

fn put_back<T>(all: &mut BTreeMap<usize, T>, at: usize, value: Option<T>) {
    match value {
        Some(value) => all.insert(at, value),
        None => all.remove(&at),
    };
}

fn told(file: &IndexedFile, before: &[u8], refused: Vec<manifest::Refused>) -> Vec<Diagnostic> {
    let text = String::from_utf8_lossy(before);
    let lines = diag::lines_at(&text, refused.iter().map(|refused| refused.position));
    let tell = |refused: manifest::Refused| {
        let line = lines.get(&refused.position.line).copied();
        Diagnostic::error(&file.path, refused.reason.to_string()).at_line(line, refused.position)
    };
    refused.into_iter().map(tell).collect()
}

fn by_file(sites: &[SiteRef]) -> BTreeMap<usize, Vec<usize>> {
    let mut files: BTreeMap<usize, Vec<usize>> = BTreeMap::new();
    for site in sites {
        files.entry(site.file).or_default().push(site.site);
    }
    files
}

fn rewrite(
    file: &IndexedFile,
    before: &[u8],
    index: &FileIndex,
    sites: &[usize],
    change: &Change,
) -> manifest::Rewritten {
    let (tag, rule) = match change.write {
        Write::Tag => (Some(&change.tag), DigestRule::WhereHeld),
        Write::TagAndDigest => (Some(&change.tag), DigestRule::Exact),
        Write::Digest => (None, DigestRule::Exact),
    };
    let target = Target {
        rename: None,
        tag,
        digest: Some(&change.digest),
        rule,
    };
    let changes: Vec<SiteChange<'_>> = sites
        .iter()
        .map(|site| SiteChange {
            site: *site,
            target,
        })
        .collect();
    manifest::rewrite_with(file.format, before, &file.targets, index, &changes)
}
