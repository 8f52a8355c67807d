//! To whom a site belongs by its marker, by a target, or by the image it names.
//!
//! Invariant: the first of the three that says anything settles it, also where it says that nobody
//! gets the site. What other stages make of the file's place is not known here.

use std::collections::{BTreeSet, HashMap};

use super::{IndexedFile, StageKey};
use crate::config::{App, Detect, PoliciesEntry};
use crate::image::Image;
use crate::manifest::{Marker, Refusal, Site};

/// What became of one site.
pub(super) enum Claim {
    One(StageKey),
    /// No app watches the image.
    Nobody,
    /// An app watches the image, but no stage of it reaches this file.
    OtherPath,
    /// Several stages claim it.
    Contested(Vec<StageKey>),
    /// Meant to be managed, but not so: the reason and what to do.
    Refused(String, String),
}

/// The apps, ready to be asked.
pub(super) struct Owners<'a> {
    apps: &'a [App],
    entries: &'a [PoliciesEntry],
    by_image: HashMap<&'a Image, Vec<usize>>,
    by_name: HashMap<&'a str, usize>,
    by_marker: HashMap<(&'a str, &'a str), usize>,
    /// The namespaces in which Flux markers use a name anywhere in the repo.
    namespaces: HashMap<&'a str, BTreeSet<&'a str>>,
}

impl<'a> Owners<'a> {
    pub(super) fn of(
        apps: &'a [App],
        entries: &'a [PoliciesEntry],
        files: &'a [IndexedFile],
    ) -> Self {
        let mut owners = Self {
            apps,
            entries,
            by_image: HashMap::new(),
            by_name: HashMap::new(),
            by_marker: HashMap::new(),
            namespaces: HashMap::new(),
        };
        for (position, app) in apps.iter().enumerate() {
            for name in app.names().collect::<BTreeSet<_>>() {
                owners.by_image.entry(name).or_default().push(position);
            }
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

    pub(super) fn of_site(&self, file: &IndexedFile, site: &Site) -> Claim {
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
            Some(Marker::Target { app, .. }) => match self.by_name.get(app.as_str()) {
                Some(&position) => self.targeted(position, file, site),
                None => Claim::Nobody,
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
            several => Claim::Contested(several.to_vec()),
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
            several => Claim::Contested(several.to_vec()),
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

    /// The claim of an app whose target leads to the site.
    fn targeted(&self, position: usize, file: &IndexedFile, site: &Site) -> Claim {
        if let Some(refusal @ Refusal::TwoTargets { .. }) = &site.refusal {
            let hint = "keep one of them, or mark the value with `# tagwright: APP`";
            return Claim::Refused(refusal.to_string(), hint.to_owned());
        }
        match self.stages_of(position, file).as_slice() {
            [] => Claim::Nobody,
            [one] => self.within_limits(*one, file),
            several => Claim::Contested(several.to_vec()),
        }
    }

    /// The stages that would run what a site of `image` says if they read it: those of every app that
    /// watches the image, and those of `app`.
    pub(super) fn concerned(
        &self,
        image: Option<&Image>,
        app: Option<usize>,
    ) -> BTreeSet<StageKey> {
        let watching = image.and_then(|image| self.by_image.get(image));
        watching
            .into_iter()
            .flatten()
            .copied()
            .chain(app)
            .flat_map(|app| {
                (0..self.apps[app].stages.len()).map(move |stage| StageKey { app, stage })
            })
            .collect()
    }
}
