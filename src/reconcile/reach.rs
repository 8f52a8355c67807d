//! What brings in a file, and whether the value of a site still counts there.
//!
//! Files bring in others: an overlay its base, a release its chart and value files. The way back, from
//! a site's file up to what a stage applies, says which stages read the site, and whether each of them
//! puts an image of its own over it on the way.
//!
//! Invariant: total over any references, cycles too, and linear in their number: a folder that is
//! brought in is one entry, however many files it has. What can't be followed (another repository, a
//! template) counts as not there. That a value is overridden is said only where an `images` entry of a
//! kustomization sets a tag or digest for that very name, or a later value file of the one release in
//! a file sets the one image of an earlier one; patches are not trusted to cover every place.
//!
//! Pure: indexed files in, answers out.

use std::collections::hash_map::Entry;
use std::collections::{BTreeSet, HashMap, HashSet};

use crate::manifest::{Pull, PullKind, Site};
use crate::reconcile::claims::IndexedFile;

/// Names that Kustomize gives to a kustomization (Kustomize reference).
const KUSTOMIZATIONS: [&str; 3] = ["kustomization.yaml", "kustomization.yml", "Kustomization"];

/// What brings in what.
#[derive(Debug, Default)]
pub struct Reach<'a> {
    files: &'a [IndexedFile],
    by_path: HashMap<&'a str, usize>,
    /// By a file, the files that bring it in itself.
    direct: HashMap<usize, Vec<usize>>,
    /// By a folder, the files that bring in the files directly in it.
    flat: HashMap<String, Vec<usize>>,
    /// By a folder, the files that bring in all below it.
    trees: HashMap<String, Vec<usize>>,
}

/// The ways from a site up to what may apply it.
#[derive(Debug)]
pub struct Routes<'a> {
    files: &'a [IndexedFile],
    file: usize,
    /// The site's file and what brings it in, each with what brings in that.
    above: HashMap<usize, Vec<usize>>,
    /// Those of them where the site's value still counts.
    live: HashSet<usize>,
    /// Whether a patch may set the value.
    pub patched: bool,
}

/// How a stage reaches a site.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Reached {
    /// Not at all.
    Not,
    /// Its paths cover the file, and nothing of its own brings it in.
    Itself,
    /// Through this file, and the value counts.
    Through(usize),
    /// Through this file, and the value is overridden there, or on the way there.
    Overridden(usize),
}

impl<'a> Reach<'a> {
    /// What brings in what among `files`.
    pub fn of(files: &'a [IndexedFile]) -> Self {
        let mut reach = Self {
            files,
            ..Self::default()
        };
        if files.iter().all(|file| file.index.pulls.paths.is_empty()) {
            return reach;
        }
        let paths = files.iter().enumerate();
        reach.by_path = paths.map(|(n, file)| (file.path.as_str(), n)).collect();
        for (number, file) in files.iter().enumerate() {
            for pull in &file.index.pulls.paths {
                if let Some(path) = resolve(&file.path, &pull.path) {
                    reach.add(number, pull.kind, path);
                }
            }
        }
        reach
    }

    fn add(&mut self, from: usize, kind: PullKind, path: String) {
        let file = self.by_path.get(path.as_str()).copied();
        let to = match kind {
            PullKind::File | PullKind::Values => file,
            PullKind::Resource => file.or_else(|| self.kustomization_in(&path)),
            PullKind::Folder => self
                .kustomization_in(&path)
                .or_else(|| self.chart_in(&path)),
            PullKind::Tree => self.kustomization_in(&path),
            PullKind::Below => None,
        };
        let list = match (to, kind) {
            (Some(to), _) => self.direct.entry(to).or_default(),
            (None, PullKind::Folder) => self.flat.entry(path).or_default(),
            (None, PullKind::Tree | PullKind::Below) => self.trees.entry(path).or_default(),
            (None, PullKind::File | PullKind::Values | PullKind::Resource) => return,
        };
        if list.last() != Some(&from) {
            list.push(from);
        }
    }

    fn kustomization_in(&self, folder: &str) -> Option<usize> {
        KUSTOMIZATIONS
            .iter()
            .find_map(|name| self.file_in(folder, name))
    }

    fn chart_in(&self, folder: &str) -> Option<usize> {
        self.file_in(folder, "Chart.yaml")
    }

    fn file_in(&self, folder: &str, name: &str) -> Option<usize> {
        let path = match folder {
            "" => name.to_owned(),
            _ => format!("{folder}/{name}"),
        };
        self.by_path.get(path.as_str()).copied()
    }

    /// Whether any file brings in this one.
    pub fn is_pulled(&self, file: usize) -> bool {
        !self.by_path.is_empty() && self.parents(file).next().is_some()
    }

    /// The files that bring in a file.
    fn parents(&self, file: usize) -> impl Iterator<Item = usize> {
        let path = self.files[file].path.as_str();
        let folders = std::iter::successors(Some(folder_of(path)), |folder| {
            (!folder.is_empty()).then(|| folder_of(folder))
        });
        let below = folders.filter_map(|folder| self.trees.get(folder));
        let direct = self.direct.get(&file).into_iter();
        direct
            .chain(self.flat.get(folder_of(path)))
            .chain(below)
            .flatten()
            .copied()
            .filter(move |parent| *parent != file)
    }

    /// The ways up from a site.
    pub fn routes(&self, file: usize, site: &Site) -> Routes<'a> {
        let mut above: HashMap<usize, Vec<usize>> = HashMap::new();
        let mut waiting = vec![file];
        while let Some(next) = waiting.pop() {
            if let Entry::Vacant(entry) = above.entry(next) {
                let parents: Vec<usize> = self.parents(next).collect();
                waiting.extend(&parents);
                entry.insert(parents);
            }
        }
        let (live, patched) = self.live(file, site, &above);
        Routes {
            files: self.files,
            file,
            above,
            live,
            patched,
        }
    }

    /// Where the value of a site counts, following the name that it has there.
    fn live(
        &self,
        file: usize,
        site: &Site,
        above: &HashMap<usize, Vec<usize>>,
    ) -> (HashSet<usize>, bool) {
        let name = site.name_text().unwrap_or_default().to_owned();
        let mut patched = false;
        let mut seen: HashSet<(usize, String)> = HashSet::from([(file, name.clone())]);
        let mut waiting = vec![(file, name)];
        let mut live = HashSet::new();
        while let Some((at, name)) = waiting.pop() {
            live.insert(at);
            for &parent in above.get(&at).into_iter().flatten() {
                if self.overrides_values(parent, file, site) {
                    continue;
                }
                let Some(name) = self.name_after(parent, &name) else {
                    continue;
                };
                patched |= self.patches(parent, file, &name);
                if seen.insert((parent, name.clone())) {
                    waiting.push((parent, name));
                }
            }
        }
        (live, patched)
    }

    /// The name that a kustomization leaves an image with; `None` where it sets a tag or digest.
    fn name_after(&self, file: usize, name: &str) -> Option<String> {
        let mut name = name.to_owned();
        for rule in &self.files[file].index.pulls.images {
            if rule.name == name {
                if rule.pinned {
                    return None;
                }
                if let Some(new_name) = &rule.new_name {
                    name.clone_from(new_name);
                }
            }
        }
        Some(name)
    }

    /// Whether a patch of a kustomization names an image.
    fn patches(&self, kustomization: usize, base: usize, name: &str) -> bool {
        self.pulled(kustomization, PullKind::File)
            .filter(|patch| *patch != base)
            .flat_map(|patch| &self.files[patch].index.sites)
            .any(|site| site.name_text() == Some(name))
    }

    /// Whether `release` uses `file` as Helm values and puts another value over its one image.
    fn overrides_values(&self, release: usize, file: usize, site: &Site) -> bool {
        let Some(image) = site.image() else {
            return false;
        };
        let sets = |file: usize| {
            let mut sites = self.files[file].index.sites.iter();
            sites.any(|site| {
                site.image() == Some(image)
                    && (site.tag_text().is_some() || site.digest().is_some())
            })
        };
        let Some(values) = self.values_of(release) else {
            return false;
        };
        let Some(place) = values.iter().position(|values| *values == file) else {
            return false;
        };
        let same = |site: &&Site| site.image() == Some(image);
        let once = self.files[file].index.sites.iter().filter(same).count() == 1;
        once && (sets(release) || values[place + 1..].iter().any(|later| sets(*later)))
    }

    /// The value files of the one release in a file, the chart's own first.
    fn values_of(&self, release: usize) -> Option<Vec<usize>> {
        let path = &self.files[release].path;
        let mut folders = self.pulls(release, PullKind::Folder);
        let folder = folders.next()?;
        if folders.next().is_some() {
            return None;
        }
        let chart = resolve(path, &folder.path)?;
        self.chart_in(&chart)?;
        let own = self.file_in(&chart, "values.yaml");
        let more = self.pulled(release, PullKind::Values);
        Some(own.into_iter().chain(more).collect())
    }

    fn pulls(&self, file: usize, kind: PullKind) -> impl Iterator<Item = &'a Pull> {
        let pulls = self.files[file].index.pulls.paths.iter();
        pulls.filter(move |pull| pull.kind == kind)
    }

    fn pulled(&self, file: usize, kind: PullKind) -> impl Iterator<Item = usize> {
        let path = &self.files[file].path;
        self.pulls(file, kind).filter_map(|pull| {
            self.by_path
                .get(resolve(path, &pull.path)?.as_str())
                .copied()
        })
    }
}

impl Routes<'_> {
    /// How something reaches the site whose paths are those that `covers` holds for.
    pub fn reached(&self, covers: impl Fn(&str) -> bool) -> Reached {
        let covered: BTreeSet<usize> = self
            .above
            .keys()
            .copied()
            .filter(|file| covers(&self.files[*file].path))
            .collect();
        // What is brought in by another file that is covered is not applied by itself.
        let top = |file: &usize| !self.above[file].iter().any(|p| covered.contains(p));
        let mut entries: Vec<usize> = covered.iter().copied().filter(top).collect();
        if entries.is_empty() {
            // Files that bring in each other: any may be the one that is applied.
            entries.extend(covered);
        }
        let live = entries.iter().find(|entry| self.live.contains(entry));
        match (live, entries.first()) {
            (_, None) => Reached::Not,
            (Some(entry), _) if *entry == self.file => Reached::Itself,
            (Some(entry), _) => Reached::Through(*entry),
            (None, Some(entry)) => Reached::Overridden(*entry),
        }
    }

    /// Whether whatever applies the site overrides it.
    pub fn is_overridden(&self) -> bool {
        matches!(self.reached(|_| true), Reached::Overridden(_))
    }
}

fn folder_of(path: &str) -> &str {
    path.rsplit_once('/').map_or("", |(folder, _)| folder)
}

/// A reference in `file` as a path from the root, without `.` and `..`; `None` where it leaves the
/// repository.
fn resolve(file: &str, reference: &str) -> Option<String> {
    let (start, reference) = match reference.strip_prefix('/') {
        Some(reference) => ("", reference),
        None => (folder_of(file), reference),
    };
    let mut parts: Vec<&str> = start.split('/').filter(|part| !part.is_empty()).collect();
    for part in reference.split('/') {
        match part {
            "" | "." => {}
            ".." => {
                parts.pop()?;
            }
            part => parts.push(part),
        }
    }
    Some(parts.join("/"))
}

#[cfg(test)]
mod tests;
