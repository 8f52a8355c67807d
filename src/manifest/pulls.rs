//! What a file brings in besides itself: the files and folders it refers to, and the images that it
//! sets in what it brings in.
//!
//! Read are Kustomize's `resources`, `bases`, `components`, `patches`, `patchesStrategicMerge`,
//! `patchesJson6902`, `replacements`, `configurations` and `helmCharts` (Kustomize reference); Flux's
//! Kustomization (`spec.path`, `spec.components`, `spec.images`) and HelmRelease (a chart and
//! `valuesFiles` of a GitRepository); Argo CD's Application and ApplicationSet (`path`,
//! `helm.valueFiles`, `kustomize.images`); and a chart's `Chart.yaml`, which stands for all of its
//! folder and for its dependencies by `file://`.
//!
//! Invariant: references are recorded as written and unresolved, so that the index depends on the file
//! alone. A reference with a template or to another host is left out.

use serde::{Deserialize, Serialize};

use super::yaml::{Content, Id, Tree};
use super::{Format, screen, site::split_name};

/// What is in a file that may refer to others, besides those that are known by their names.
const NEEDLES: [&str; 2] = ["argoproj.io/", "toolkit.fluxcd.io/"];

/// What a file brings in.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Pulls {
    /// The files and folders, in the order of the text.
    pub paths: Vec<Pull>,
    /// The images that it sets in them.
    pub images: Vec<ImageRule>,
}

impl Pulls {
    /// Whether it brings in nothing and sets nothing.
    pub fn is_empty(&self) -> bool {
        self.paths.is_empty() && self.images.is_empty()
    }
}

/// A file or folder that is brought in.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Pull {
    /// From the folder of the file that says so, or with a leading `/` from the repository's root.
    pub path: String,
    /// What it may be.
    pub kind: PullKind,
}

/// What a path that is brought in may be.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum PullKind {
    /// This file.
    File,
    /// This file of Helm values; the later ones of a file win.
    Values,
    /// This file, or a folder with a kustomization.
    Resource,
    /// A folder: its kustomization, else its chart, else the files directly in it.
    Folder,
    /// A folder: its kustomization, else its chart, else all files below it.
    Tree,
    /// All files below a folder.
    Below,
}

/// An entry of Kustomize's `images`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct ImageRule {
    /// The name that is replaced, compared to the letter as Kustomize does.
    pub name: String,
    /// The name that is put in its place.
    pub new_name: Option<String>,
    /// Whether it sets a tag or digest, so that what was there no longer counts.
    pub pinned: bool,
}

/// Whether a file is worth parsing for what it brings in.
pub(super) fn may_pull(format: Format, bytes: &[u8]) -> bool {
    match format {
        Format::Kustomization | Format::Chart => true,
        Format::Yaml | Format::Json => NEEDLES.iter().any(|needle| screen::has(bytes, needle)),
        Format::Text(_) => false,
    }
}

/// What the documents of a file bring in.
pub(super) fn pulls(tree: &Tree<'_>, format: Format) -> Pulls {
    let mut pulls = Pulls::default();
    for root in tree.roots() {
        Reader {
            tree,
            pulls: &mut pulls,
        }
        .document(root, format);
    }
    pulls
}

struct Reader<'r, 't> {
    tree: &'t Tree<'t>,
    pulls: &'r mut Pulls,
}

impl<'t> Reader<'_, 't> {
    fn document(&mut self, root: Id, format: Format) {
        let group = self.text(root, "apiVersion").unwrap_or_default();
        let group = group.rsplit_once('/').map_or("", |(group, _)| group);
        let kind = self.text(root, "kind").unwrap_or_default();
        match (group, kind) {
            ("kustomize.toolkit.fluxcd.io", "Kustomization") => self.flux_kustomization(root),
            ("helm.toolkit.fluxcd.io", "HelmRelease") => self.helm_release(root),
            ("argoproj.io", "Application") => self.application(self.get(root, "spec")),
            ("argoproj.io", "ApplicationSet") => {
                let template = self.at(root, &["spec", "template", "spec"]);
                self.application(template);
            }
            ("kustomize.config.k8s.io", _) => self.kustomization(root),
            _ if format == Format::Kustomization => self.kustomization(root),
            _ if format == Format::Chart => self.chart(root),
            _ => {}
        }
    }

    fn kustomization(&mut self, root: Id) {
        for key in ["resources", "bases", "components"] {
            self.list(root, key, PullKind::Resource);
        }
        for key in ["patchesStrategicMerge", "configurations"] {
            self.list(root, key, PullKind::File);
        }
        for key in ["patches", "patchesJson6902", "replacements"] {
            for item in self.items(root, key) {
                self.pull(self.text(item, "path"), PullKind::File);
            }
        }
        self.helm_charts(root);
        self.images(self.get(root, "images"));
    }

    fn helm_charts(&mut self, root: Id) {
        let home = self.at(root, &["helmGlobals", "chartHome"]);
        let home = home.and_then(|id| self.tree.scalar(id)).unwrap_or("charts");
        for chart in self.items(root, "helmCharts") {
            if let Some(name) = self.text(chart, "name") {
                self.pull(Some(&format!("{home}/{name}")), PullKind::Folder);
            }
            self.pull(self.text(chart, "valuesFile"), PullKind::Values);
            self.list(chart, "additionalValuesFiles", PullKind::Values);
        }
    }

    fn images(&mut self, images: Option<Id>) {
        for entry in images.into_iter().flat_map(|id| self.tree.items(id)) {
            let Some(name) = self.text(entry, "name") else {
                continue;
            };
            let rule = ImageRule {
                name: name.to_owned(),
                new_name: self.text(entry, "newName").map(str::to_owned),
                pinned: ["newTag", "digest"]
                    .iter()
                    .any(|key| self.text(entry, key).is_some()),
            };
            self.pulls.images.push(rule);
        }
    }

    fn flux_kustomization(&mut self, root: Id) {
        let Some(spec) = self.get(root, "spec") else {
            return;
        };
        if self.is_git(self.get(spec, "sourceRef")) {
            let path = self.text(spec, "path");
            self.pull_from_root(path, PullKind::Tree);
            for component in self.items(spec, "components") {
                let component = self.tree.scalar(component).unwrap_or_default();
                let path = format!("{}/{component}", path.unwrap_or_default());
                self.pull_from_root(Some(&path), PullKind::Resource);
            }
        }
        self.images(self.get(spec, "images"));
    }

    fn helm_release(&mut self, root: Id) {
        let Some(spec) = self.at(root, &["spec", "chart", "spec"]) else {
            return;
        };
        if self.is_git(self.get(spec, "sourceRef")) {
            self.pull_from_root(self.text(spec, "chart"), PullKind::Folder);
            for file in self.items(spec, "valuesFiles") {
                self.pull_from_root(self.tree.scalar(file), PullKind::Values);
            }
        }
    }

    /// Whether a source is a Git repository, which is taken for this one: nothing in the file says
    /// which it is, and a path that isn't here leads nowhere.
    fn is_git(&self, source: Option<Id>) -> bool {
        source.and_then(|id| self.text(id, "kind")) == Some("GitRepository")
    }

    fn application(&mut self, spec: Option<Id>) {
        let Some(spec) = spec else {
            return;
        };
        let one = self.get(spec, "source");
        for source in one.into_iter().chain(self.items(spec, "sources")) {
            let path = self.text(source, "path");
            let recurse = self
                .at(source, &["directory", "recurse"])
                .and_then(|id| self.tree.scalar(id));
            let kind = match recurse {
                Some("true") => PullKind::Tree,
                _ => PullKind::Folder,
            };
            self.pull_from_root(path, kind);
            let helm = self.get(source, "helm");
            let files = helm.map(|id| self.items(id, "valueFiles"));
            for file in files.unwrap_or_default() {
                self.value_file(path.unwrap_or_default(), file);
            }
            let images = self.at(source, &["kustomize", "images"]);
            for image in images.into_iter().flat_map(|id| self.tree.items(id)) {
                let rule = self.tree.scalar(image).and_then(image_rule);
                self.pulls.images.extend(rule);
            }
        }
    }

    /// A value file of a source: relative to the chart, or with a leading `/` or `$REF/` to the root
    /// (Argo CD, "Helm" and "Multiple sources").
    fn value_file(&mut self, chart: &str, file: Id) {
        let Some(file) = self.tree.scalar(file) else {
            return;
        };
        let of_source = file
            .strip_prefix('$')
            .and_then(|rest| rest.split_once('/'))
            .map(|(_, path)| path);
        match of_source {
            Some(path) => self.pull_from_root(Some(path), PullKind::Values),
            None if file.starts_with('/') => self.pull_from_root(Some(file), PullKind::Values),
            None => self.pull_from_root(Some(&format!("{chart}/{file}")), PullKind::Values),
        }
    }

    fn chart(&mut self, root: Id) {
        self.pull(Some("."), PullKind::Below);
        for dependency in self.items(root, "dependencies") {
            let path = self
                .text(dependency, "repository")
                .and_then(|repository| repository.strip_prefix("file://"));
            self.pull(path, PullKind::Folder);
        }
    }

    fn list(&mut self, map: Id, key: &str, kind: PullKind) {
        for item in self.items(map, key) {
            self.pull(self.tree.scalar(item), kind);
        }
    }

    fn pull_from_root(&mut self, path: Option<&str>, kind: PullKind) {
        if let Some(path) = path.filter(|path| is_plain(path)) {
            let path = format!("/{}", path.trim_start_matches('/'));
            self.pulls.paths.push(Pull { path, kind });
        }
    }

    fn pull(&mut self, path: Option<&str>, kind: PullKind) {
        if let Some(path) = path.filter(|path| is_plain(path) && !path.starts_with('/')) {
            let path = path.to_owned();
            self.pulls.paths.push(Pull { path, kind });
        }
    }

    fn get(&self, map: Id, key: &str) -> Option<Id> {
        let value = self.tree.get(map, key)?;
        Some(match self.tree.node(value).content {
            Content::Alias(target) => target,
            _ => value,
        })
    }

    fn at(&self, map: Id, keys: &[&str]) -> Option<Id> {
        keys.iter().try_fold(map, |map, key| self.get(map, key))
    }

    /// The text of a key, if there is one that isn't empty.
    fn text(&self, map: Id, key: &str) -> Option<&'t str> {
        let text = self.tree.scalar(self.get(map, key)?)?;
        (!text.is_empty()).then_some(text)
    }

    fn items(&self, map: Id, key: &str) -> Vec<Id> {
        let list = self.get(map, key);
        list.map(|list| self.tree.items(list).collect())
            .unwrap_or_default()
    }
}

/// Whether a text is a path, and neither a URL, a template nor a patch written in place.
fn is_plain(path: &str) -> bool {
    !path.is_empty() && !path.contains("://") && !path.contains("{{") && !path.contains('\n')
}

/// `[NAME=]NEW[:TAG][@DIGEST]`, as in Argo CD's `kustomize.images`.
fn image_rule(text: &str) -> Option<ImageRule> {
    let (name, new) = match text.split_once('=') {
        Some((name, new)) => (Some(name), new),
        None => (None, text),
    };
    let new_name = split_name(new);
    (!new_name.is_empty()).then(|| ImageRule {
        name: name.unwrap_or(new_name).to_owned(),
        new_name: name.map(|_| new_name.to_owned()),
        pinned: new.len() > new_name.len(),
    })
}

#[cfg(test)]
mod tests;
