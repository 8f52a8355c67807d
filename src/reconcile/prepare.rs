//! From a plan to the exact bytes and messages of its commits.
//!
//! Invariant: nothing is written here, so what `plan` shows and what `serve` commits are the same
//! values. Each commit builds on the files as the one before left them. A site that can't be edited is
//! reported with its place and reason, and the rest of its change goes on.

use std::collections::BTreeMap;

use crate::config::App;
use crate::diag::{self, Diagnostic, Position};
use crate::manifest::{self, Change as SiteChange, DigestRule, FileIndex, Target};
use crate::policy::Write;
use crate::reconcile::claims::{IndexedFile, SiteRef};
use crate::reconcile::message::{self, Line, Subject};
use crate::reconcile::plan::{Change, Plan, StagePlan};

/// One commit, ready to be made.
#[derive(Debug, Clone)]
pub struct Prepared {
    /// The app's name.
    pub app: String,
    /// The stage's name.
    pub stage: String,
    /// The change it makes.
    pub change: Change,
    /// The commit's message.
    pub message: String,
    /// The files it changes.
    pub files: Vec<ChangedFile>,
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
    /// The edits between the two.
    pub edits: Vec<Edit>,
}

/// One edited place.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Edit {
    /// Where.
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

/// Prepares the commits of `plan`, reading the files' bytes with `read`.
///
/// # Errors
/// When a file can't be read: then nothing is known to be right.
pub fn prepare<E>(
    plan: &Plan,
    apps: &[App],
    files: &[IndexedFile],
    mut read: impl FnMut(&IndexedFile) -> Result<Vec<u8>, E>,
) -> Result<Preparation, E> {
    let mut preparation = Preparation {
        refused: plan.refused.clone(),
        ..Preparation::default()
    };
    let mut written: BTreeMap<usize, Vec<u8>> = BTreeMap::new();
    for (stage, change) in plan.changes() {
        let mut changed = Vec::new();
        for (number, sites) in by_file(&change.sites) {
            let file = &files[number];
            let rewritten;
            let before = match written.get(&number) {
                // It has the same sites, at other offsets.
                Some(bytes) => {
                    let index = manifest::index_with(file.format, bytes, &file.targets);
                    rewritten = rewrite(file, bytes, &index, &sites, change);
                    bytes.clone()
                }
                None => {
                    let bytes = read(file)?;
                    rewritten = rewrite(file, &bytes, &file.index, &sites, change);
                    bytes
                }
            };
            preparation
                .refused
                .extend(told(file, &before, rewritten.refused));
            if rewritten.bytes == before {
                continue;
            }
            written.insert(number, rewritten.bytes.clone());
            changed.push(ChangedFile {
                path: file.path.clone(),
                before,
                after: rewritten.bytes,
                edits: rewritten
                    .edits
                    .into_iter()
                    .map(|edit| Edit {
                        position: edit.position,
                        old: edit.old,
                        new: edit.new,
                    })
                    .collect(),
            });
        }
        if !changed.is_empty() {
            preparation
                .commits
                .push(commit(apps, stage, change, changed));
        }
    }
    Ok(preparation)
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

fn commit(apps: &[App], stage: &StagePlan, change: &Change, files: Vec<ChangedFile>) -> Prepared {
    let app = &apps[stage.key.app];
    let name = app.stages[stage.key.stage].name.as_str();
    let lines: Vec<Line> = files
        .iter()
        .flat_map(|file| {
            file.edits.iter().map(|edit| Line {
                file: file.path.clone(),
                line: edit.position.line,
                old: edit.old.clone(),
                new: edit.new.clone(),
            })
        })
        .collect();
    let subject = Subject {
        app: app.name.as_str(),
        stage: name,
        image: &app.image,
        policy: &app.blob,
    };
    Prepared {
        app: app.name.to_string(),
        stage: name.to_owned(),
        message: message::message(subject, change, &lines),
        change: change.clone(),
        files,
    }
}
