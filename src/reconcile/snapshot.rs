//! A config repo at one commit: its apps, its indexed files, and who owns which site.
//!
//! Invariant: a snapshot depends on the bytes of one commit and the limits of the service's
//! configuration alone, so it is reused for as long as the branch doesn't move. Indexes are kept by
//! blob id, format and the targets that apply: a commit that changes one file costs the parsing of
//! one file.
//!
//! Blocking; it asks no registry.

mod decisions;

use std::collections::{BTreeMap, HashMap, HashSet};
use std::sync::Arc;

use memchr::memmem;
use serde::{Deserialize, Serialize};

use crate::config::{self, App, Apps, PoliciesEntry, PolicyFile};
use crate::decision;
use crate::diag::Diagnostic;
use crate::git::BlobId;
use crate::image::Image;
use crate::manifest::{self, FileIndex, Format, TargetPath};
use crate::reconcile::aim;
use crate::reconcile::claims::{self, Claims, IndexedFile, StageKey};
use crate::reconcile::source::{Contents, Error, Files, LastListing, Source, SourceFile};

pub use decisions::{DecisionFile, Freezes};

/// Indexes by content and by how it is read.
pub type IndexCache = HashMap<IndexKey, Arc<FileIndex>>;

/// What an index depends on.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct IndexKey {
    blob: BlobId,
    format: Format,
    /// The targets that apply to the file: none, for nearly all.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    targets: Vec<TargetPath>,
}

/// What one snapshot of a config repo leaves for the next.
///
/// Each part is kept under all that it was made from, so that a snapshot comes out the same with and
/// without it. A memory is of one config repo with its policies entries.
#[derive(Debug, Default)]
pub struct Memory {
    /// The indexes.
    pub indexes: IndexCache,
    listing: LastListing,
    apps: Option<KnownApps>,
}

/// The apps of some app files.
#[derive(Debug)]
struct KnownApps {
    files: Vec<SourceFile>,
    apps: Arc<[App]>,
    broken: bool,
    diagnostics: Vec<Diagnostic>,
}

impl Memory {
    /// A memory that holds indexes kept from an earlier process.
    pub fn of(indexes: IndexCache) -> Self {
        Self {
            indexes,
            ..Self::default()
        }
    }

    /// The index of a file without targets, at any commit; `None` for what is no manifest.
    ///
    /// # Errors
    /// When the source can't be read.
    pub fn index_of(
        &mut self,
        contents: &Contents,
        path: &str,
        blob: BlobId,
    ) -> Result<Option<Arc<FileIndex>>, Error> {
        let Some(format) = manifest::format_of(path).filter(|_| !never_scanned(path)) else {
            return Ok(None);
        };
        let key = IndexKey {
            blob,
            format,
            targets: Vec::new(),
        };
        if let Some(index) = self.indexes.get(&key) {
            return Ok(Some(Arc::clone(index)));
        }
        let manifest = Manifest {
            path: path.to_owned(),
            key,
        };
        let indexed = index_chunk(contents, &[&manifest])?;
        self.indexes.extend(indexed);
        Ok(self.indexes.get(&manifest.key).cloned())
    }
}

/// A config repo at one commit.
#[derive(Debug, Default)]
pub struct Snapshot {
    /// The valid apps.
    pub apps: Arc<[App]>,
    /// Whether there are app files that can't be used, so that an app may be missing.
    pub has_broken_apps: bool,
    /// The files with sites, markers or problems.
    pub files: Vec<IndexedFile>,
    /// Who owns what.
    pub claims: Claims,
    /// The decision files of stages.
    pub decisions: BTreeMap<StageKey, DecisionFile>,
    /// The freezes of stages by name, where there is a file of them.
    pub freezes: Freezes,
    /// Everything that is wrong or left out, by file and place.
    pub diagnostics: Vec<Diagnostic>,
}

impl Snapshot {
    /// Takes a snapshot of `source`.
    ///
    /// # Errors
    /// When the source can't be read.
    pub fn take(
        source: Source<'_>,
        policies: &[PoliciesEntry],
        memory: &mut Memory,
    ) -> Result<Self, Error> {
        let Files { files, skipped } = source.files(&mut memory.listing)?;
        let contents = source.contents()?;
        let (policy_files, decision_files, mut manifests) = sort_out(files, policies);
        let known = match memory.apps.take() {
            Some(known) if known.files == policy_files => known,
            _ => read_apps(&contents, policies, policy_files)?,
        };
        let known = memory.apps.insert(known);
        let (apps, mut diagnostics) = (Arc::clone(&known.apps), known.diagnostics.clone());
        let has_broken_apps = known.broken;
        let (decisions, freezes) =
            decisions::read(&apps, &decision_files, &contents, &mut diagnostics)?;
        aim_at(&mut manifests, &apps);
        index_missing(source, &manifests, &mut memory.indexes)?;
        let files = indexed(manifests, &mut memory.indexes);
        let mut claims = claims::claim(&apps, policies, &files);
        let reached = |path: &str| {
            let mut stages = apps.iter().flat_map(|app| &app.stages);
            stages.any(|stage| stage.paths.matches(path))
        };
        diagnostics.extend(skipped.into_iter().filter(|skipped| reached(&skipped.file)));
        diagnostics.extend(problems(&apps, &files, &contents, reached)?);
        diagnostics.extend(aim::missed(&apps, &files));
        diagnostics.append(&mut claims.diagnostics);
        Ok(Self {
            apps,
            has_broken_apps,
            files,
            claims,
            decisions,
            freezes,
            diagnostics,
        })
    }

    /// The names of a stage's app and of the stage.
    pub fn names(&self, key: StageKey) -> (&str, &str) {
        let app = &self.apps[key.app];
        (app.name.as_str(), app.stages[key.stage].name.as_str())
    }
}

/// Unreadable files and markers that say nothing, where a stage would reach them.
fn problems(
    apps: &[App],
    files: &[IndexedFile],
    contents: &Contents,
    reached: impl Fn(&str) -> bool,
) -> Result<Vec<Diagnostic>, Error> {
    let needles = Needles::of(apps);
    let mut told = Vec::new();
    for file in files {
        for note in &file.index.notes {
            told.push(Diagnostic::warning(&file.path, &note.reason).at_bare(note.position));
        }
        let Some(problem) = file.index.problem.as_ref().filter(|_| reached(&file.path)) else {
            continue;
        };
        let limit = manifest::MAX_BYTES as u64;
        let bytes = contents.read(&file.path, file.blob, limit)?;
        let reason = &problem.reason;
        let unread = format!("not read, so nothing in it is updated: {reason}");
        let diagnostic = match bytes {
            // The markers were read, so only what isn't marked can be amiss.
            Some(bytes) if !file.index.sites.is_empty() => {
                let rest = file.index.unread(&bytes);
                let named = rest.iter().any(|rest| needles.name_in(rest));
                let partly = format!("only its marked values are read and updated: {reason}");
                named.then(|| Diagnostic::warning(&file.path, partly))
            }
            Some(bytes) => needles
                .found_in(&bytes)
                .then(|| Diagnostic::error(&file.path, unread)),
            // Too large to be searched, so nobody knows whether it matters.
            None => Some(Diagnostic::warning(&file.path, unread)),
        };
        told.extend(diagnostic.map(|diagnostic| diagnostic.at_bare(problem.position)));
    }
    Ok(told)
}

/// What makes an unreadable file worth telling: a watched image's name, or a marker.
struct Needles {
    names: Vec<memmem::Finder<'static>>,
    markers: Vec<memmem::Finder<'static>>,
}

impl Needles {
    fn of(apps: &[App]) -> Self {
        let images: HashSet<&Image> = apps.iter().flat_map(App::names).collect();
        let names = images
            .into_iter()
            .map(|image| image.repository().trim_start_matches("library/"));
        let finder = |needle: &str| memmem::Finder::new(needle.as_bytes()).into_owned();
        Self {
            names: names.map(finder).collect(),
            markers: ["$imagepolicy", "tagwright:"].map(finder).into(),
        }
    }

    fn found_in(&self, bytes: &[u8]) -> bool {
        let marked = |finder: &memmem::Finder<'_>| finder.find(bytes).is_some();
        self.name_in(bytes) || self.markers.iter().any(marked)
    }

    fn name_in(&self, bytes: &[u8]) -> bool {
        let named = |finder: &memmem::Finder<'_>| finder.find(bytes).is_some();
        self.names.iter().any(named)
    }
}

/// Splits the files into those of policies folders, people's decisions, and the manifests that are
/// scanned.
fn sort_out(
    files: Vec<SourceFile>,
    policies: &[PoliciesEntry],
) -> (Vec<SourceFile>, Vec<SourceFile>, Vec<Manifest>) {
    let mut policy_files = Vec::new();
    let mut decision_files = Vec::new();
    let mut manifests = Vec::new();
    for file in files {
        if policies.iter().any(|entry| entry.path.contains(&file.path)) {
            policy_files.push(file);
        } else if file.path.starts_with(decision::FOLDER) || file.path == decision::FREEZES {
            decision_files.push(file);
        } else if !never_scanned(&file.path)
            && let Some(format) = manifest::format_of(&file.path)
        {
            manifests.push(Manifest {
                path: file.path,
                key: IndexKey {
                    blob: file.blob,
                    format,
                    targets: Vec::new(),
                },
            });
        }
    }
    (policy_files, decision_files, manifests)
}

/// A file that is scanned, and what its index depends on.
struct Manifest {
    path: String,
    key: IndexKey,
}

fn aim_at(manifests: &mut [Manifest], apps: &[App]) {
    if apps.iter().all(|app| app.targets.is_empty()) {
        return;
    }
    let paths: Vec<&str> = manifests
        .iter()
        .map(|manifest| manifest.path.as_str())
        .collect();
    for (place, targets) in aim::applying(apps, &paths) {
        manifests[place].key.targets = targets;
    }
}

/// Files that may name images but aren't what a sync agent deploys: decisions, Git's and the forges'
/// own files, and CI.
fn never_scanned(path: &str) -> bool {
    path.starts_with(".tagwright/")
        || path.starts_with(".gitlab-ci")
        || path.split('/').any(|part| part.starts_with(".git"))
}

fn read_apps(
    contents: &Contents,
    policies: &[PoliciesEntry],
    files: Vec<SourceFile>,
) -> Result<KnownApps, Error> {
    let mut texts = Vec::new();
    let mut unreadable = Vec::new();
    for file in &files {
        match contents.policy(file)? {
            Ok(text) => texts.push((file, text, file.blob.to_string())),
            Err(diagnostic) => unreadable.push(diagnostic),
        }
    }
    let of_entry = |entry: &PoliciesEntry| -> Vec<PolicyFile<'_>> {
        texts
            .iter()
            .filter(|(file, ..)| entry.path.contains(&file.path))
            .map(|(file, text, blob)| PolicyFile {
                path: &file.path,
                text,
                blob,
            })
            .collect()
    };
    let by_entry: Vec<Vec<PolicyFile<'_>>> = policies.iter().map(of_entry).collect();
    let entries: Vec<(&PoliciesEntry, &[PolicyFile<'_>])> = policies
        .iter()
        .zip(by_entry.iter().map(Vec::as_slice))
        .collect();
    let Apps {
        apps,
        broken,
        mut diagnostics,
    } = config::all(&entries);
    let broken = !broken.is_empty() || !unreadable.is_empty();
    diagnostics.extend(unreadable);
    Ok(KnownApps {
        files,
        apps: apps.into(),
        broken,
        diagnostics,
    })
}

/// Indexes what the cache lacks, on all cores.
fn index_missing(
    source: Source<'_>,
    manifests: &[Manifest],
    cache: &mut IndexCache,
) -> Result<(), Error> {
    let mut seen = HashSet::new();
    let missing: Vec<&Manifest> = manifests
        .iter()
        .filter(|Manifest { key, .. }| !cache.contains_key(key) && seen.insert(key))
        .collect();
    /// Fewer files than this are indexed sooner than a thread starts.
    const WORTH_A_THREAD: usize = 64;
    let cores = std::thread::available_parallelism().map_or(1, usize::from);
    let share = missing.len().div_ceil(cores).max(WORTH_A_THREAD);
    let chunks = missing
        .chunks(share)
        .map(|chunk| Ok((chunk, source.contents()?)))
        .collect::<Result<Vec<_>, Error>>()?;
    let found = std::thread::scope(|scope| {
        let workers: Vec<_> = chunks
            .into_iter()
            .map(|(chunk, contents)| scope.spawn(move || index_chunk(&contents, chunk)))
            .collect();
        workers
            .into_iter()
            .map(|worker| {
                worker
                    .join()
                    .unwrap_or_else(|panic| std::panic::resume_unwind(panic))
            })
            .collect::<Result<Vec<_>, Error>>()
    })?;
    cache.extend(found.into_iter().flatten());
    Ok(())
}

type Indexed = (IndexKey, Arc<FileIndex>);

fn index_chunk(contents: &Contents, chunk: &[&Manifest]) -> Result<Vec<Indexed>, Error> {
    let mut found = Vec::with_capacity(chunk.len());
    for Manifest { path, key } in chunk {
        let index = match contents.read(path, key.blob, manifest::MAX_BYTES as u64)? {
            Some(bytes) => manifest::index_with(key.format, &bytes, &key.targets),
            None => manifest::index_of_too_large(key.format),
        };
        found.push((key.clone(), Arc::new(index)));
    }
    Ok(found)
}

/// Joins files with their indexes, leaving out files that hold nothing, and drops indexes that no
/// file has any more once they are the larger part: looking for them costs more than they do.
fn indexed(manifests: Vec<Manifest>, cache: &mut IndexCache) -> Vec<IndexedFile> {
    if cache.len() > 2 * manifests.len() {
        let present: HashSet<&IndexKey> = manifests.iter().map(|manifest| &manifest.key).collect();
        cache.retain(|key, _| present.contains(key));
    }
    manifests
        .into_iter()
        .filter_map(|Manifest { path, key }| {
            let index = cache.get(&key)?;
            let IndexKey {
                blob,
                format,
                targets,
            } = key;
            // A kustomization counts even where it is empty: its folder is then applied through it.
            let empty = index.sites.is_empty()
                && index.notes.is_empty()
                && index.problem.is_none()
                && index.pulls.is_empty()
                && targets.is_empty()
                && format != Format::Kustomization;
            (!empty).then(|| IndexedFile {
                path,
                blob,
                format,
                targets,
                index: Arc::clone(index),
            })
        })
        .collect()
}

/// An index as it is kept on disk; written from `&FileIndex`, read as `FileIndex`.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Packed<T> {
    key: IndexKey,
    index: T,
}

/// The indexes as they are kept on disk.
pub fn pack(cache: &IndexCache) -> Vec<Packed<&FileIndex>> {
    cache
        .iter()
        .map(|(key, index)| Packed {
            key: key.clone(),
            index: index.as_ref(),
        })
        .collect()
}

/// The indexes from what was kept on disk.
pub fn unpack(packed: Vec<Packed<FileIndex>>) -> IndexCache {
    packed
        .into_iter()
        .map(|packed| (packed.key, Arc::new(packed.index)))
        .collect()
}

#[cfg(test)]
mod tests;
