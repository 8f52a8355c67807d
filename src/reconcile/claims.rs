//! Which app and stage each site belongs to.
//!
//! Invariant: a site belongs to at most one stage. A marker outranks detection by image name; two
//! claims of one rank, and nobody gets the site. Every site that a person meant to be managed (by a
//! marker, or by writing a watched image under a stage's path) and that nobody manages is told with
//! its place and the reason.
//!
//! Pure: apps and indexed files in, claims out.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::sync::Arc;

use crate::config::{App, Detect, PoliciesEntry};
use crate::diag::Diagnostic;
use crate::git::BlobId;
use crate::image::Image;
use crate::manifest::{FileIndex, Format, Marker, Site};

/// A file of the config repo with what its text holds.
#[derive(Debug, Clone)]
pub struct IndexedFile {
    /// The path from the root of the config repo.
    pub path: String,
    /// The content's id.
    pub blob: BlobId,
    /// How the file is read.
    pub format: Format,
    /// The sites and markers in it.
    pub index: Arc<FileIndex>,
}

/// A stage, by the positions of its app and of itself in the app.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct StageKey {
    /// Position among the apps.
    pub app: usize,
    /// Position among the app's stages.
    pub stage: usize,
}

/// A site, by the positions of its file and of itself in the file.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct SiteRef {
    /// Position among the files.
    pub file: usize,
    /// Position among the file's sites.
    pub site: usize,
}

/// Who owns what.
#[derive(Debug, Clone, Default)]
pub struct Claims {
    /// The sites of each stage, in path and file order. Every stage of every app has an entry.
    pub stages: BTreeMap<StageKey, Vec<SiteRef>>,
    /// Sites that nobody may write, and why.
    pub diagnostics: Vec<Diagnostic>,
    /// Stages that share a claim on a site, so that nobody gets it.
    pub contested: BTreeSet<StageKey>,
    /// Sites of images that no app watches.
    pub unmanaged: Vec<SiteRef>,
    /// Sites of images that an app watches, in files that no stage of it reaches.
    pub unreached: Vec<SiteRef>,
}

/// Settles who owns each site.
pub fn claim(apps: &[App], entries: &[PoliciesEntry], files: &[IndexedFile]) -> Claims {
    let owners = Owners::of(apps, entries, files);
    let mut claims = Claims::default();
    for (app, declared) in apps.iter().enumerate() {
        for stage in 0..declared.stages.len() {
            claims.stages.insert(StageKey { app, stage }, Vec::new());
        }
    }
    for (number, file) in files.iter().enumerate() {
        for (position, site) in file.index.sites.iter().enumerate() {
            if site.ignored || file.index.ignored {
                continue;
            }
            let reference = SiteRef {
                file: number,
                site: position,
            };
            match owners.of_site(file, site) {
                Claim::One(stage) => claims.stages.entry(stage).or_default().push(reference),
                Claim::Nobody => claims.unmanaged.push(reference),
                Claim::OtherPath => claims.unreached.push(reference),
                Claim::Contested(several) => {
                    let told = owners.contest(&several);
                    claims.refuse(file, site, told);
                    claims.contested.extend(several);
                }
                Claim::Refused(reason, hint) => claims.refuse(file, site, (reason, hint)),
            }
        }
    }
    claims
}

impl Claims {
    fn refuse(&mut self, file: &IndexedFile, site: &Site, (reason, hint): (String, String)) {
        let told = Diagnostic::warning(&file.path, reason).at_bare(site.position);
        self.diagnostics.push(told.hint(hint));
    }
}

/// What became of one site.
enum Claim {
    One(StageKey),
    /// No app watches the image.
    Nobody,
    /// An app watches the image, but no stage of it reaches this file.
    OtherPath,
    /// Several stages claim it with one rank.
    Contested(Vec<StageKey>),
    /// Meant to be managed, but not so: the reason and what to do.
    Refused(String, String),
}

/// The apps, ready to be asked.
struct Owners<'a> {
    apps: &'a [App],
    entries: &'a [PoliciesEntry],
    by_image: HashMap<&'a Image, Vec<usize>>,
    by_name: HashMap<&'a str, usize>,
    by_marker: HashMap<(&'a str, &'a str), usize>,
    /// The namespaces in which Flux markers use a name anywhere in the repo.
    namespaces: HashMap<&'a str, BTreeSet<&'a str>>,
}

impl<'a> Owners<'a> {
    fn of(apps: &'a [App], entries: &'a [PoliciesEntry], files: &'a [IndexedFile]) -> Self {
        let mut owners = Self {
            apps,
            entries,
            by_image: HashMap::new(),
            by_name: HashMap::new(),
            by_marker: HashMap::new(),
            namespaces: HashMap::new(),
        };
        for (position, app) in apps.iter().enumerate() {
            owners
                .by_image
                .entry(&app.image)
                .or_default()
                .push(position);
            owners.by_name.insert(app.name.as_str(), position);
            if let Some(marker) = &app.marker {
                owners
                    .by_marker
                    .insert((marker.namespace.as_str(), marker.name.as_str()), position);
            }
        }
        let markers = files
            .iter()
            .flat_map(|file| &file.index.sites)
            .filter_map(|site| site.marker.as_ref());
        for marker in markers {
            if let Marker::Flux {
                namespace, name, ..
            } = marker
            {
                owners
                    .namespaces
                    .entry(name.as_str())
                    .or_default()
                    .insert(namespace.as_str());
            }
        }
        owners
    }

    fn of_site(&self, file: &IndexedFile, site: &Site) -> Claim {
        match &site.marker {
            Some(Marker::Own { app, stage, .. }) => match self.by_name.get(app.as_str()) {
                Some(&position) => self.marked(position, stage.as_deref(), file),
                None => self.unknown_app(app),
            },
            Some(Marker::Flux {
                namespace, name, ..
            }) => match self.flux(namespace, name) {
                Ok(position) => self.marked(position, None, file),
                Err(refused) => refused,
            },
            None => match site.image() {
                Some(image) => self.detected(image, file),
                None => Claim::Nobody,
            },
        }
    }

    fn unknown_app(&self, app: &str) -> Claim {
        let near = crate::diag::suggest(app, self.by_name.keys().copied());
        let hint = match near {
            Some(near) => format!("did you mean `{near}`?"),
            None => "add an app file of that name, or remove the marker".to_owned(),
        };
        Claim::Refused(
            format!(
                "the marker names the app `{app}`, which doesn't exist; nobody writes this site"
            ),
            hint,
        )
    }

    fn flux(&self, namespace: &str, name: &str) -> Result<usize, Claim> {
        if let Some(&position) = self.by_marker.get(&(namespace, name)) {
            return Ok(position);
        }
        let marker = format!("{namespace}:{name}");
        let named = self
            .by_name
            .get(name)
            .filter(|position| self.apps[**position].marker.is_none());
        let Some(&position) = named else {
            return Err(Claim::Refused(
                format!("no app answers to the marker `{marker}`; nobody writes this site"),
                format!("name an app `{name}`, or give an app `marker: {marker}`"),
            ));
        };
        if self.namespaces.get(name).is_some_and(|all| all.len() > 1) {
            let all: Vec<&str> = self.namespaces[name].iter().copied().collect();
            return Err(Claim::Refused(
                format!(
                    "markers use the name `{name}` in the namespaces {}, so `{marker}` is ambiguous",
                    all.join(", ")
                ),
                format!("give the app that is meant `marker: {marker}`"),
            ));
        }
        Ok(position)
    }

    /// The claim of an app that a marker names.
    fn marked(&self, position: usize, stage: Option<&str>, file: &IndexedFile) -> Claim {
        let app = &self.apps[position];
        if let Some(wanted) = stage {
            let Some(number) = app.stages.iter().position(|s| s.name.as_str() == wanted) else {
                return Claim::Refused(
                    format!(
                        "the marker names the stage `{wanted}`, which `{}` doesn't have",
                        app.name
                    ),
                    format!("see `stages` in {}", app.file),
                );
            };
            if app.stages[number].paths.matches(&file.path) {
                return self.within_limits(
                    StageKey {
                        app: position,
                        stage: number,
                    },
                    file,
                );
            }
            return Claim::Refused(
                format!("the marker names the stage `{wanted}`, whose paths don't cover this file"),
                format!("add the file to `paths` of `{wanted}` in {}", app.file),
            );
        }
        let reached = self.stages_of(position, file);
        match reached.as_slice() {
            [one] => self.within_limits(*one, file),
            [] => Claim::Refused(
                format!(
                    "the marker names `{}`, but no stage of it covers this file",
                    app.name
                ),
                format!("add the file to the `paths` of a stage in {}", app.file),
            ),
            _ => Claim::Contested(reached),
        }
    }

    /// The claims of the apps that watch the image.
    fn detected(&self, image: &Image, file: &IndexedFile) -> Claim {
        let Some(positions) = self.by_image.get(image) else {
            return Claim::Nobody;
        };
        let reached: Vec<StageKey> = positions
            .iter()
            .filter(|position| self.apps[**position].detect == Detect::ByName)
            .flat_map(|position| self.stages_of(*position, file))
            .collect();
        match reached.as_slice() {
            [] => Claim::OtherPath,
            [one] => self.within_limits(*one, file),
            _ => Claim::Contested(reached),
        }
    }

    fn stages_of(&self, app: usize, file: &IndexedFile) -> Vec<StageKey> {
        self.apps[app]
            .stages
            .iter()
            .enumerate()
            .filter(|(_, stage)| stage.paths.matches(&file.path))
            .map(|(stage, _)| StageKey { app, stage })
            .collect()
    }

    fn within_limits(&self, key: StageKey, file: &IndexedFile) -> Claim {
        let app = &self.apps[key.app];
        let limit = self
            .entries
            .get(app.entry)
            .and_then(|entry| entry.may_write.as_ref());
        if limit.is_none_or(|globs| globs.matches(&file.path)) {
            return Claim::One(key);
        }
        Claim::Refused(
            format!(
                "`{}` may not write here: its policies folder is limited to other paths",
                app.name
            ),
            "widen `mayWrite` of that policies entry, or narrow the stage's paths".to_owned(),
        )
    }

    /// Who claims a site, and what to do about it.
    fn contest(&self, several: &[StageKey]) -> (String, String) {
        let names: Vec<String> = several
            .iter()
            .map(|key| {
                let app = &self.apps[key.app];
                format!("{}/{} ({})", app.name, app.stages[key.stage].name, app.file)
            })
            .collect();
        (
            format!(
                "claimed by {}; nobody writes this site",
                names.join(" and ")
            ),
            "narrow the `paths`, or mark the site with `# tagwright: APP/STAGE`".to_owned(),
        )
    }
}

#[cfg(test)]
mod tests;
