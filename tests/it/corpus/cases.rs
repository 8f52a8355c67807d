//! What a folder's `cases.txt` says, read into values.

use std::collections::BTreeMap;
use std::path::Path;

use tagwright::image::{Digest, Image, Reference, Tag};
use tagwright::manifest::{Aim, DigestRule, Marker, Part, Site, Target, TargetPath};

/// What a case says in `cases.txt`.
#[derive(Debug, Clone, Default)]
pub(super) struct Wanted {
    pub(super) assignments: Vec<Assignment>,
    /// The values that apps name by their keys.
    pub(super) targets: Vec<TargetPath>,
    pub(super) refusals: Vec<Told>,
    /// What is wrong with the file, and with the markers in it.
    pub(super) problems: Vec<Told>,
    pub(super) notes: Vec<Told>,
    /// The targets that lead to no value, with what became of them.
    pub(super) lost: Vec<String>,
    pub(super) nothing: bool,
}

/// A place, and words that are told of it.
#[derive(Debug, Clone)]
pub(super) struct Told {
    place: String,
    words: String,
}

#[derive(Debug, Clone)]
enum Selector {
    Image(Image),
    App(String),
}

#[derive(Debug, Clone)]
pub(super) struct Assignment {
    selector: Selector,
    rename: Option<String>,
    tag: Option<Tag>,
    digest: Option<Digest>,
    rule: DigestRule,
}

impl Wanted {
    /// Takes one of the indented lines.
    pub(super) fn take(&mut self, line: &str) {
        let (word, rest) = line.split_once(' ').unwrap_or((line, ""));
        match word {
            "nothing" => self.nothing = true,
            "!" => self.refusals.push(Told::parse(rest)),
            "problem" => self.problems.push(Told::parse(rest)),
            "note" => self.notes.push(Told::parse(rest)),
            "lost" => self.lost.push(rest.to_owned()),
            "target" => self.targets.push(target(rest)),
            _ => self.assignments.push(Assignment::parse(line)),
        }
    }
}

impl Told {
    fn parse(line: &str) -> Self {
        let (place, words) = line.split_once(' ').expect("a place and words");
        Self {
            place: place.to_owned(),
            words: words.to_owned(),
        }
    }

    /// Whether `lines`, each a place and what is told of it, are those that are wanted.
    pub(super) fn fits(wanted: &[Self], lines: &[String]) -> bool {
        let one = |(line, wanted): (&String, &Self)| {
            let told = line.strip_prefix(wanted.place.as_str());
            told.is_some_and(|told| told.starts_with(' ') && told.contains(wanted.words.as_str()))
        };
        lines.len() == wanted.len() && lines.iter().zip(wanted).all(one)
    }
}

impl Assignment {
    pub(super) fn parse(line: &str) -> Self {
        let line = line.replace("@new", &format!("@sha256:{}", "2".repeat(64)));
        if let Some((selector, reference)) = line.split_once(" = ") {
            let reference: Reference = reference.parse().expect("a reference");
            return Self {
                selector: Selector::parse(selector),
                rename: Some(reference.name().to_owned()),
                tag: reference.tag().cloned(),
                digest: reference.digest().cloned(),
                rule: DigestRule::Exact,
            };
        }
        let (selector, version) = line.split_once(" -> ").expect("an assignment");
        let (tag, digest) = match version.split_once('@') {
            Some((tag, digest)) => (tag, Some(digest.parse().expect("a digest"))),
            None => (version, None),
        };
        Self {
            selector: Selector::parse(selector),
            rename: None,
            tag: Some(tag.parse().expect("a tag")),
            digest,
            rule: DigestRule::WhereHeld,
        }
    }

    pub(super) fn selects(&self, site: &Site) -> bool {
        match (&self.selector, &site.marker) {
            (Selector::Image(image), _) => site.image() == Some(image),
            (Selector::App(wanted), Some(Marker::Own { app: name, .. }))
            | (Selector::App(wanted), Some(Marker::Flux { name, .. }))
            | (Selector::App(wanted), Some(Marker::Target { app: name, .. })) => wanted == name,
            (Selector::App(_), None) => false,
        }
    }

    pub(super) fn target(&self) -> Target<'_> {
        Target {
            rename: self.rename.as_deref(),
            tag: self.tag.as_ref(),
            digest: self.digest.as_ref(),
            rule: self.rule,
        }
    }
}

impl Selector {
    fn parse(text: &str) -> Self {
        match text.strip_prefix("app ") {
            Some(app) => Self::App(app.to_owned()),
            None => Self::Image(text.parse().expect("an image")),
        }
    }
}

/// The target in `APP PATH PART`; a path may hold blanks.
fn target(text: &str) -> TargetPath {
    let (app, rest) = text.split_once(' ').expect("an app");
    let (path, part) = rest.rsplit_once(' ').expect("a path and a part");
    let parts = [Part::Whole, Part::Tag, Part::Name, Part::Digest];
    let named = parts.into_iter().find(|one| one.to_string() == part);
    TargetPath {
        app: app.to_owned(),
        path: path.parse().expect("a path of keys"),
        part: named.expect("`reference`, `tag`, `name` or `digest`"),
    }
}

/// What a `lost` line says of a target; nothing if it leads to a value.
pub(super) fn lost(target: &TargetPath, aim: Aim) -> Option<String> {
    let path = &target.path;
    match aim {
        Aim::Hit => None,
        Aim::Collection(position) => Some(format!("{path} collection at {position}")),
        Aim::NoKey(position) => Some(format!("{path} no key at {position}")),
        Aim::Nowhere => Some(format!("{path} nowhere")),
        Aim::Unread => Some(format!("{path} unread")),
    }
}

/// Reads a folder's `cases.txt`.
pub(super) fn read(folder: &Path) -> BTreeMap<String, Wanted> {
    let file = folder.join("cases.txt");
    let text = std::fs::read_to_string(&file).expect("the folder says what to set");
    let mut cases: BTreeMap<String, Wanted> = BTreeMap::new();
    let mut name = String::new();
    for line in text.lines() {
        let Some(line) = line.strip_prefix("  ") else {
            name = line.to_owned();
            let earlier = cases.insert(name.clone(), Wanted::default());
            assert!(earlier.is_none(), "{}: `{name}` twice", file.display());
            continue;
        };
        cases.get_mut(&name).expect("a name comes first").take(line);
    }
    cases
}
