//! The apps of a config repo: app files read, defaults laid under them, names told apart.
//!
//! Invariant: every app of [`Apps::apps`] has a name that no other has and a file without mistakes,
//! and so have the defaults it rests on. A file that is wrong stops its own app and no other.

use std::collections::HashMap;

use super::app::{self, App, Origin};
use super::defaults::{self, Defaults};
use super::group::{self, Member};
use super::name::Name;
use super::presets;
use super::raw_app::RawApp;
use super::read::{Read, read_text};
use super::report::{Mistake, Report, SourceId, Spot};
use super::service::PoliciesEntry;
use super::tree::{self, Value};
use crate::diag::Diagnostic;

/// A file of a policies folder.
#[derive(Debug, Clone, Copy)]
pub struct PolicyFile<'a> {
    /// Its path from the repository's root.
    pub path: &'a str,
    /// Its text.
    pub text: &'a str,
    /// The id of its blob, as text.
    pub blob: &'a str,
}

/// The apps of some policies folders.
#[derive(Debug, Clone, Default)]
pub struct Apps {
    /// The apps that can be worked on, sorted by entry and file.
    pub apps: Vec<App>,
    /// The app files that can't.
    pub broken: Vec<Broken>,
    /// What is wrong, and what may be.
    pub diagnostics: Vec<Diagnostic>,
}

/// An app file that can't be used; why is in [`Apps::diagnostics`].
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Broken {
    /// The app's name, if it can be read.
    pub name: Option<Name>,
    /// The app file.
    pub file: String,
    /// The file with the mistake: the app file, or a `defaults.yaml` above it.
    pub fault: String,
}

/// The apps of one policies folder. `files` are the `*.yaml` files below it, `defaults.yaml`
/// included; others are passed over.
pub fn apps(entry: &PoliciesEntry, files: &[PolicyFile<'_>]) -> Apps {
    all(&[(entry, files)])
}

/// The apps of all policies folders of a config repo, in the order of its entries: of two apps with
/// one name in different entries, the entry listed first keeps the name; within one entry, neither
/// does.
pub fn all(entries: &[(&PoliciesEntry, &[PolicyFile<'_>])]) -> Apps {
    let mut report = Report::default();
    let mut candidates = Vec::new();
    for (index, (entry, files)) in entries.iter().enumerate() {
        candidates.extend(read_entry(index, entry, files, &mut report));
    }
    tell_names_apart(&mut candidates, &mut report);
    group::bind(members(entries, &mut candidates), &mut report);
    let mut apps = Apps::default();
    for candidate in candidates {
        match candidate.app {
            Ok(app) => apps.apps.push(app),
            Err(fault) => apps.broken.push(Broken {
                name: candidate.name.map(|(name, _)| name),
                file: report.file(candidate.source).to_owned(),
                fault: report.file(fault).to_owned(),
            }),
        }
    }
    apps.diagnostics = report.finish();
    apps
}

/// Whether a text is an app file: a mapping with `version` and `app`. Offline commands leave such
/// files alone, since an image in one is not a site.
pub fn looks_like_app_file(text: &str) -> bool {
    // Parsing every manifest of a repository would be slow, and few of them hold both words.
    if !text.contains("version") || !text.contains("app") {
        return false;
    }
    match tree::parse(text).map(|node| node.value) {
        Ok(Value::Map(entries)) => ["version", "app"]
            .iter()
            .all(|key| entries.iter().any(|entry| entry.key == *key)),
        _ => false,
    }
}

/// An app file on its way to become an app.
struct Candidate {
    entry: usize,
    source: SourceId,
    name: Option<(Name, Spot)>,
    group: Option<(Name, Spot)>,
    /// The app, or the file whose mistake stops it.
    app: Result<App, SourceId>,
}

fn read_entry<'t>(
    index: usize,
    entry: &PoliciesEntry,
    files: &[PolicyFile<'t>],
    report: &mut Report<'t>,
) -> Vec<Candidate> {
    let mut files: Vec<_> = files
        .iter()
        .filter(|file| file.path.ends_with(".yaml") && entry.path.contains(file.path))
        .collect();
    files.sort_by_key(|file| file.path);
    let (defaults, files): (Vec<_>, Vec<_>) = files
        .into_iter()
        .partition(|file| defaults::is_defaults(file.path));
    let defaults = Defaults::read(&defaults, entry.proof, report);
    files
        .into_iter()
        .map(|file| read_file(index, entry, file, &defaults, report))
        .collect()
}

fn read_file<'t>(
    index: usize,
    entry: &PoliciesEntry,
    file: &PolicyFile<'t>,
    defaults: &Defaults,
    report: &mut Report<'t>,
) -> Candidate {
    let source = report.source(file.path, file.text);
    let raw = read_text(source, report, RawApp::read);
    let name = raw
        .as_ref()
        .and_then(|raw| raw.app.get())
        .map(|name| (name.value.clone(), name.spot));
    let laid = defaults.under(file.path);
    let raw = raw.map(|raw| presets::lay(raw, laid.raws.into_iter(), report));
    let group = raw
        .as_ref()
        .and_then(|raw| raw.group.get())
        .map(|group| (group.value.clone(), group.spot));
    let origin = Origin {
        file: file.path,
        blob: file.blob,
        entry,
        index,
    };
    let app = raw.and_then(|raw| app::convert(raw, origin, report));
    let app = match (app, laid.broken) {
        _ if report.errors(source) > 0 => Err(source),
        (_, Some(fault)) => Err(fault),
        (Some(app), None) => Ok(app),
        (None, None) => Err(source),
    };
    Candidate {
        entry: index,
        source,
        name,
        group,
        app,
    }
}

/// The app files that name a group, also those that can't be used.
fn members<'c>(
    entries: &'c [(&PoliciesEntry, &[PolicyFile<'_>])],
    candidates: &'c mut [Candidate],
) -> Vec<Member<'c>> {
    let members = candidates.iter_mut().filter_map(|candidate| {
        let (name, spot) = candidate.group.as_ref()?;
        Some(Member {
            group: name,
            spot: *spot,
            entry: candidate.entry,
            folder: &entries[candidate.entry].0.path,
            file: candidate.source,
            app: &mut candidate.app,
        })
    });
    members.collect()
}

/// Stops apps whose name another has, and tells both files. A broken app keeps its name: otherwise a
/// slip in one team's file would hand the name to another's.
fn tell_names_apart(candidates: &mut [Candidate], report: &mut Report<'_>) {
    let mut owners: HashMap<Name, usize> = HashMap::new();
    for index in 0..candidates.len() {
        let Some((name, spot)) = candidates[index].name.clone() else {
            continue;
        };
        let Some(&owner) = owners.get(&name) else {
            owners.insert(name, index);
            continue;
        };
        let other = &candidates[owner];
        let (owner_file, file) = (
            report.file(other.source),
            report.file(candidates[index].source),
        );
        let message = format!("the app name `{name}` is taken by {owner_file}");
        report.error(
            spot,
            Mistake::new(message).hint("app names are unique in a config repo"),
        );
        let Some((_, owner_spot)) = &other.name else {
            continue;
        };
        let mistake = Mistake::new(format!("the app name `{name}` is also used by {file}"));
        if other.entry == candidates[index].entry {
            report.error(
                *owner_spot,
                mistake.hint("neither is used until one has another name"),
            );
            candidates[owner].app = Err(candidates[owner].source);
        } else {
            report.warning(
                *owner_spot,
                mistake.hint("this one is listed first and keeps the name"),
            );
        }
        candidates[index].app = Err(candidates[index].source);
    }
}
