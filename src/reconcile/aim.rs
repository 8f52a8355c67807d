//! Which targets of which apps apply to a file, and what is said of those that lead nowhere.
//!
//! Invariant: a target applies only where a stage of its app covers the file, so a file that no target
//! applies to is read as if there were none. A target that leads to no value in any file is an error
//! of the app that has it.
//!
//! Pure: apps, paths and indexes in; it reads no file.

use crate::config::{App, Target};
use crate::diag::Diagnostic;
use crate::manifest::{Aim, TargetPath};
use crate::reconcile::claims::IndexedFile;

/// The targets that apply to each of `paths`, which are sorted; only paths with some are listed, by
/// their place.
pub fn applying(apps: &[App], paths: &[&str]) -> Vec<(usize, Vec<TargetPath>)> {
    let mut found: Vec<(usize, TargetPath)> = Vec::new();
    for (app, target) in all(apps) {
        for root in target.files.roots() {
            let first = paths.partition_point(|path| *path < root);
            let below = paths[first..]
                .iter()
                .take_while(|path| path.starts_with(root))
                .enumerate();
            let applying = below.filter(|(_, path)| applies(app, target, path));
            found.extend(applying.map(|(place, _)| (first + place, target.lookup.clone())));
        }
    }
    // Stable, so the targets of a file stay in the order of the apps.
    found.sort_by_key(|(place, _)| *place);
    let mut by_path: Vec<(usize, Vec<TargetPath>)> = Vec::new();
    for (place, target) in found {
        match by_path.last_mut() {
            Some((last, targets)) if *last == place => targets.push(target),
            _ => by_path.push((place, vec![target])),
        }
    }
    by_path
}

/// The targets that lead to no value in any file.
pub fn missed(apps: &[App], files: &[IndexedFile]) -> Vec<Diagnostic> {
    let aimed: Vec<&IndexedFile> = files
        .iter()
        .filter(|file| !file.targets.is_empty())
        .collect();
    all(apps)
        .filter_map(|(app, target)| {
            let mut nearest = Vec::new();
            for file in aimed.iter().filter(|file| applies(app, target, &file.path)) {
                match aim_of(file, target) {
                    Some(Aim::Hit) => return None,
                    // What is wrong with the file is told with the file.
                    None => return None,
                    Some(aim) => nearest.push((*file, aim)),
                }
            }
            Some(missed_one(app, target, &nearest))
        })
        .collect()
}

fn all(apps: &[App]) -> impl Iterator<Item = (&App, &Target)> {
    apps.iter()
        .flat_map(|app| app.targets.iter().map(move |target| (app, target)))
}

fn applies(app: &App, target: &Target, path: &str) -> bool {
    target.files.matches(path) && app.stages.iter().any(|stage| stage.paths.matches(path))
}

/// What became of a target; `None` where the file can't be read.
fn aim_of(file: &IndexedFile, target: &Target) -> Option<Aim> {
    if file.index.problem.is_some() {
        return None;
    }
    let mut aims = file.targets.iter().zip(&file.index.aims);
    let aim = aims.find(|(lookup, _)| **lookup == target.lookup);
    Some(aim.map_or(Aim::Nowhere, |(_, aim)| *aim))
}

fn missed_one(app: &App, target: &Target, files: &[(&IndexedFile, Aim)]) -> Diagnostic {
    let (file, position) = &target.at;
    let path = &target.lookup.path;
    let (reason, hint) = match explain(target, files) {
        Some(explained) => explained,
        None if files.is_empty() => (
            format!(
                "no YAML or JSON file under the paths of a stage matches `file`, so `{path}` is not there"
            ),
            format!("correct `file`, or `paths` of a stage in {}", app.file),
        ),
        None => (
            format!("`{path}` leads to no value in {}", count(files.len())),
            "correct `path`, or `file`".to_owned(),
        ),
    };
    Diagnostic::error(file, format!("target of `{}`: {reason}", app.name))
        .at_bare(*position)
        .hint(hint)
}

/// The file that comes nearest to what the target wants, in words, and what to do there.
fn explain(target: &Target, files: &[(&IndexedFile, Aim)]) -> Option<(String, String)> {
    let path = &target.lookup.path;
    let no_key = files.iter().find_map(|(file, aim)| match aim {
        Aim::NoKey(position) => Some((file, position)),
        _ => None,
    });
    if let Some((file, position)) = no_key
        && let Some((before, key)) = path.last_key()
    {
        let holder = match before {
            "" => "the document".to_owned(),
            before => format!("`{before}`"),
        };
        return Some((
            format!("{holder} at {}:{position} has no `{key}`", file.path),
            format!("add the line `{key}: \"\"` there, which is then filled"),
        ));
    }
    files.iter().find_map(|(file, aim)| match aim {
        Aim::Collection(position) => Some((
            format!("`{path}` at {}:{position} is not a single value", file.path),
            "let `path` lead on to the value itself".to_owned(),
        )),
        Aim::Unread => Some((
            format!(
                "{} is neither YAML nor JSON, so `{path}` can't be followed there",
                file.path
            ),
            format!(
                "mark the value with a comment `tagwright: {}`",
                target.lookup.app
            ),
        )),
        _ => None,
    })
}

fn count(files: usize) -> String {
    match files {
        1 => "the file that matches".to_owned(),
        more => format!("any of the {more} files that match"),
    }
}

#[cfg(test)]
mod tests;
