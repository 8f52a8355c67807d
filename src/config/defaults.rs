//! `defaults.yaml`: what the apps of a folder share.
//!
//! Invariant: the nearest folder wins, key by key; lists are replaced as a whole. A `defaults.yaml`
//! with a mistake stops every app that rests on it, since what it meant to limit is unknown.

use std::collections::BTreeMap;

use super::app::{self, Whose};
use super::approvals::Proof;
use super::apps::PolicyFile;
use super::raw_app::RawApp;
use super::read::{At, Keys, Mirror, read_text};
use super::report::{Mistake, Report, SourceId};

/// The name of the file.
const FILE: &str = "defaults.yaml";

/// Whether a path is that of a `defaults.yaml`.
pub fn is_defaults(path: &str) -> bool {
    path.rsplit('/').next() == Some(FILE)
}

/// The defaults of a policies folder, by the folder they are for.
#[derive(Debug, Default)]
pub struct Defaults(BTreeMap<String, Layer>);

#[derive(Debug)]
struct Layer {
    source: SourceId,
    /// What the file says, if it has no mistake.
    raw: Option<RawApp>,
}

/// What lies under one app file.
#[derive(Debug, Default)]
pub struct Under<'d> {
    /// The defaults without a mistake, the nearest first.
    pub raws: Vec<&'d RawApp>,
    /// The nearest one with a mistake.
    pub broken: Option<SourceId>,
}

impl Defaults {
    /// Reads the `defaults.yaml` files of a policies folder.
    pub fn read<'t>(files: &[&PolicyFile<'t>], proof: Proof, report: &mut Report<'t>) -> Self {
        let layers = files.iter().map(|file| {
            let folder = file.path.strip_suffix(FILE).unwrap_or(file.path);
            (folder.to_owned(), read_layer(file, proof, report))
        });
        Self(layers.collect())
    }

    /// What lies under the app file `path`.
    pub fn under(&self, path: &str) -> Under<'_> {
        let mut under = Under::default();
        let folders = path.rmatch_indices('/').map(|(slash, _)| &path[..=slash]);
        for layer in folders.filter_map(|folder| self.0.get(folder)) {
            match &layer.raw {
                Some(raw) => under.raws.push(raw),
                None => under.broken = under.broken.or(Some(layer.source)),
            }
        }
        under
    }
}

fn read_layer<'t>(file: &PolicyFile<'t>, proof: Proof, report: &mut Report<'t>) -> Layer {
    let source = report.source(file.path, file.text);
    let keys = Keys {
        required: &["version"],
        ..RawApp::KEYS
    };
    let raw = read_text(source, report, |node, reader| {
        RawApp::read_with(node, reader, keys)
    });
    if let Some(raw) = &raw {
        refuse("app", raw.app.get(), report);
        refuse("image", raw.image.get(), report);
        // Converted once by itself, so that its mistakes are found without any app resting on it.
        let of = Whose { app: None, proof };
        app::parts(&mut raw.clone(), of, report);
    }
    Layer {
        source,
        raw: raw.filter(|_| report.errors(source) == 0),
    }
}

/// Refuses a key that has no default.
fn refuse<T>(name: &str, written: Option<&At<T>>, report: &mut Report<'_>) {
    if let Some(at) = written {
        let mistake = Mistake::new(format!("`{name}` can't have a default"));
        report.error(at.key, mistake.hint("write it into the app file"));
    }
}
