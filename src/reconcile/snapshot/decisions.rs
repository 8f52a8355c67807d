//! The decision files of a config repo, as one commit has them.
//!
//! Invariant: a file that can't be understood is told with its mistakes and stops its stage; one that is
//! about no stage is told too, because whoever wrote it believes that it counts.

use std::collections::BTreeMap;

use super::{Contents, Error, SourceFile};
use crate::config::App;
use crate::decision::freeze::{self, Freezing, Stages};
use crate::decision::{self, Entry, Mistake};
use crate::diag::{Diagnostic, suggest};
use crate::git::BlobId;
use crate::reconcile::claims::StageKey;

/// Largest decision file read, in bytes.
const MAX_FILE: u64 = 1024 * 1024;

/// The decision file of a stage.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DecisionFile {
    /// Its path.
    pub path: String,
    /// Its content's id.
    pub blob: BlobId,
    /// Its entries in the order written; `None` where it can't be understood.
    pub entries: Option<Vec<Entry>>,
}

/// The entries of the freezes file, in the order written; the inner `None` where it can't be understood.
pub type Freezes = Option<Option<Vec<Freezing>>>;

/// Reads the decision files among `files`, and the freezes.
pub(super) fn read(
    apps: &[App],
    files: &[SourceFile],
    contents: &Contents,
    told: &mut Vec<Diagnostic>,
) -> Result<(BTreeMap<StageKey, DecisionFile>, Freezes), Error> {
    let mut found = BTreeMap::new();
    let mut freezes = None;
    for file in files {
        if file.path == decision::FREEZES {
            freezes = Some(match text(contents, file, told)? {
                Some(text) => frozen(apps, &file.path, &text, told),
                None => None,
            });
            continue;
        }
        let key = match stage_of(apps, &file.path) {
            Ok(key) => key,
            Err(diagnostic) => {
                told.push(diagnostic);
                continue;
            }
        };
        let entries = match text(contents, file, told)? {
            Some(text) => entries(&apps[key.app], &file.path, &text, told),
            None => None,
        };
        let (path, blob) = (file.path.clone(), file.blob);
        let file = DecisionFile {
            path,
            blob,
            entries,
        };
        found.insert(key, file);
    }
    Ok((found, freezes))
}

/// The text of a file; none is told.
fn text(
    contents: &Contents,
    file: &SourceFile,
    told: &mut Vec<Diagnostic>,
) -> Result<Option<String>, Error> {
    let bytes = contents.read(&file.path, file.blob, MAX_FILE)?;
    let text = bytes.and_then(|bytes| String::from_utf8(bytes).ok());
    if text.is_none() {
        let message = "not UTF-8, or too large, so it is no decision file";
        told.push(Diagnostic::error(&file.path, message));
    }
    Ok(text)
}

/// The stage that a file is about.
fn stage_of(apps: &[App], path: &str) -> Result<StageKey, Diagnostic> {
    let wrong = |message: String| Diagnostic::warning(path, message);
    let form = || {
        let hint = format!("decisions are in {}", decision::file_of("APP", "STAGE"));
        wrong("about no stage, so nothing in it counts".to_owned()).hint(hint)
    };
    let (name, stage_name) = decision::about(path).ok_or_else(form)?;
    let named = apps.iter().position(|app| app.name.as_str() == name);
    let Some(app) = named else {
        let names = apps.iter().map(|app| app.name.as_str());
        let near = suggest(name, names).map(|near| format!("did you mean `{near}`?"));
        let told = wrong(format!(
            "no valid app is named `{name}`, so nothing in it counts"
        ));
        return Err(match near {
            Some(hint) => told.hint(hint),
            None => told,
        });
    };
    let names = || apps[app].stages.iter().map(|stage| stage.name.as_str());
    match names().position(|known| known == stage_name) {
        Some(stage) => Ok(StageKey { app, stage }),
        None => {
            let known: Vec<&str> = names().collect();
            let message = format!("`{name}` has no stage `{stage_name}`, so nothing in it counts");
            Err(wrong(message).hint(format!("its stages are {}", known.join(", "))))
        }
    }
}

fn entries(app: &App, path: &str, text: &str, told: &mut Vec<Diagnostic>) -> Option<Vec<Entry>> {
    let entries = match decision::read(text) {
        Ok(entries) => entries,
        Err(found) => {
            told.extend(mistakes(path, text, found));
            return None;
        }
    };
    let strange = |entry: &&Entry| {
        let what = entry.decision.what();
        what.is_some_and(|what| what.image != app.image)
    };
    let mut all = true;
    for entry in entries.iter().filter(strange) {
        all = false;
        let message = format!("names another image than the app's, {}", app.image);
        told.push(Diagnostic::error(path, message).at_position(text, entry.position));
    }
    all.then_some(entries)
}

/// The entries of the freezes file. A stage that no app has is told: whoever froze it believes that
/// something is stopped.
fn frozen(
    apps: &[App],
    path: &str,
    text: &str,
    told: &mut Vec<Diagnostic>,
) -> Option<Vec<Freezing>> {
    let entries = match freeze::read(text) {
        Ok(entries) => entries,
        Err(found) => {
            told.extend(mistakes(path, text, found));
            return None;
        }
    };
    let stages = || apps.iter().flat_map(|app| &app.stages);
    let known = || stages().map(|stage| stage.name.as_str());
    for (entry, at) in &entries {
        let Stages::Named(names) = entry.stages() else {
            continue;
        };
        for name in names
            .iter()
            .filter(|name| !known().any(|known| known == *name))
        {
            let message = format!("no app has a stage `{name}`, so nothing is stopped there");
            let warning = Diagnostic::warning(path, message).at_position(text, *at);
            told.push(match suggest(name, known()) {
                Some(near) => warning.hint(format!("did you mean `{near}`?")),
                None => warning,
            });
        }
    }
    Some(entries.into_iter().map(|(entry, _)| entry).collect())
}

fn mistakes<'t>(
    path: &'t str,
    text: &'t str,
    mistakes: Vec<Mistake>,
) -> impl Iterator<Item = Diagnostic> + 't {
    mistakes.into_iter().map(move |mistake| {
        let diagnostic = Diagnostic::error(path, mistake.message);
        let diagnostic = match mistake.at {
            Some(at) => diagnostic.at_position(text, at),
            None => diagnostic,
        };
        match mistake.hint {
            Some(hint) => diagnostic.hint(hint),
            None => diagnostic,
        }
    })
}
