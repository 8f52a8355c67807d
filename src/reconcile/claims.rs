//! Which app and stage each site belongs to.
//!
//! Invariant: a site belongs to at most one stage, whose own paths cover its file. A marker outranks a
//! target, which outranks detection by image name; two claims of one rank, and nobody gets the site.
//! Every site that a person meant to be managed (by a marker or target, or by writing a watched image
//! where a stage reads it) and that nobody manages is told with its place and the reason.
//!
//! Pure: apps and indexed files in, claims out.

mod owners;

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use crate::config::{App, PoliciesEntry};
use crate::diag::Diagnostic;
use crate::git::BlobId;
use crate::manifest::{FileIndex, Format, Site, TargetPath};
use crate::reconcile::reach::{Reach, Reached, Routes};
use owners::{Claim, Owners};

/// A file of the config repo with what its text holds.
#[derive(Debug, Clone)]
pub struct IndexedFile {
    /// The path from the root of the config repo.
    pub path: String,
    /// The content's id.
    pub blob: BlobId,
    /// How the file is read.
    pub format: Format,
    /// The targets that it is read with.
    pub targets: Vec<TargetPath>,
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
    /// Those of them whose value their own stage overrides: they don't say what it runs.
    pub overridden: BTreeSet<SiteRef>,
    /// The stages that also run what those of them say that are here.
    pub shared: BTreeMap<SiteRef, Vec<Sharer>>,
    /// Sites that nobody may write, and why.
    pub diagnostics: Vec<Diagnostic>,
    /// Stages that share a claim on a site, so that nobody gets it.
    pub contested: BTreeSet<StageKey>,
    /// Sites of images that no app watches.
    pub unmanaged: Vec<SiteRef>,
    /// Sites of images that an app watches, in files that no stage of it reaches.
    pub unreached: Vec<SiteRef>,
}

/// A stage that runs what a site of another stage says.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Sharer {
    /// The stage.
    pub stage: StageKey,
    /// The file through which it reaches the site, by its position.
    pub through: usize,
}

/// Settles who owns each site.
pub fn claim(apps: &[App], entries: &[PoliciesEntry], files: &[IndexedFile]) -> Claims {
    let mut claims = Claims::default();
    for (app, declared) in apps.iter().enumerate() {
        for stage in 0..declared.stages.len() {
            claims.stages.insert(StageKey { app, stage }, Vec::new());
        }
    }
    let mut settler = Settler {
        apps,
        files,
        owners: Owners::of(apps, entries, files),
        reach: Reach::of(files),
        claims,
    };
    for (number, file) in files.iter().enumerate() {
        for (position, site) in file.index.sites.iter().enumerate() {
            if site.ignored || file.index.ignored {
                continue;
            }
            let reference = SiteRef {
                file: number,
                site: position,
            };
            settler.settle(reference, file, site);
        }
    }
    settler.claims
}

struct Settler<'a> {
    apps: &'a [App],
    files: &'a [IndexedFile],
    owners: Owners<'a>,
    reach: Reach<'a>,
    claims: Claims,
}

impl<'a> Settler<'a> {
    fn settle(&mut self, reference: SiteRef, file: &'a IndexedFile, site: &'a Site) {
        let claim = self.owners.of_site(file, site);
        let routes = self
            .reach
            .is_pulled(reference.file)
            .then(|| self.reach.routes(reference.file, site));
        match (claim, routes) {
            (Claim::One(stage), None) => self.give(stage, reference),
            (Claim::One(stage), Some(routes)) => self.share(stage, reference, site, &routes),
            (Claim::Nobody, Some(routes)) if routes.is_overridden() => {}
            (Claim::Nobody, _) => self.claims.unmanaged.push(reference),
            (Claim::OtherPath, None) => self.claims.unreached.push(reference),
            (Claim::OtherPath, Some(routes)) => self.outside(reference, file, site, &routes),
            (Claim::Contested(stages), routes) => {
                self.contested(&stages, file, site, routes.as_ref())
            }
            (Claim::Refused(reason, hint), _) => self.tell(file, site, reason, hint),
        }
    }

    fn give(&mut self, stage: StageKey, reference: SiteRef) {
        self.claims.stages.entry(stage).or_default().push(reference);
    }

    fn tell(&mut self, file: &IndexedFile, site: &Site, reason: String, hint: impl Into<String>) {
        let diagnostic = Diagnostic::warning(&file.path, reason);
        self.claims
            .diagnostics
            .push(diagnostic.at_bare(site.position).hint(hint));
    }

    /// A claim to a site that other stages may read too.
    fn share(&mut self, stage: StageKey, reference: SiteRef, site: &Site, routes: &Routes<'_>) {
        let file = &self.files[reference.file];
        let sharers: Vec<Sharer> = self
            .readers(site, Some(stage.app), routes)
            .filter(|sharer| sharer.stage != stage)
            .collect();
        if self.overrides(stage, routes) {
            if !sharers.is_empty() {
                self.tell_outside(file, site, routes);
                return;
            }
            self.claims.overridden.insert(reference);
        }
        if !sharers.is_empty() {
            let names = self.list(&sharers);
            self.tell(
                file,
                site,
                format!(
                    "also read by {names}, which {} it as it is: written only while {} the same tag",
                    if sharers.len() == 1 { "takes" } else { "take" },
                    if sharers.len() == 1 { "both get" } else { "all get" },
                ),
                "set the tag in `images` of that file, or move the value to the stage's own files",
            );
            self.claims.shared.insert(reference, sharers);
        }
        self.give(stage, reference);
    }

    /// The concerned stages that run what a site says, by way of another file.
    fn readers<'s>(
        &'s self,
        site: &Site,
        app: Option<usize>,
        routes: &'s Routes<'_>,
    ) -> impl Iterator<Item = Sharer> + use<'s, 'a> {
        let concerned = self.owners.concerned(site.image(), app);
        concerned
            .into_iter()
            .filter_map(|stage| match self.reached(stage, routes) {
                Reached::Through(through) => Some(Sharer { stage, through }),
                Reached::Not | Reached::Itself | Reached::Overridden(_) => None,
            })
    }

    fn reached(&self, key: StageKey, routes: &Routes<'_>) -> Reached {
        let paths = &self.apps[key.app].stages[key.stage].paths;
        routes.reached(|path| paths.matches(path))
    }

    fn overrides(&self, stage: StageKey, routes: &Routes<'_>) -> bool {
        matches!(self.reached(stage, routes), Reached::Overridden(_))
    }

    /// A site of a watched image that no stage's paths cover: read by stages all the same, or by none.
    fn outside(
        &mut self,
        reference: SiteRef,
        file: &IndexedFile,
        site: &Site,
        routes: &Routes<'_>,
    ) {
        let read = self.readers(site, None, routes).next().is_some();
        if read {
            self.tell_outside(file, site, routes);
        } else if !routes.is_overridden() {
            self.claims.unreached.push(reference);
        }
    }

    /// A site that is read by stages whose paths don't cover it, and written by none.
    fn tell_outside(&mut self, file: &IndexedFile, site: &Site, routes: &Routes<'_>) {
        let readers: Vec<Sharer> = self.readers(site, None, routes).collect();
        if readers.is_empty() || routes.patched {
            return;
        }
        let reason = format!(
            "read by {}, but outside the stage's paths; nobody writes this site",
            self.list(&readers)
        );
        self.tell(
            file,
            site,
            reason,
            "set the tag in `images` of that file, add this one to the stage's `paths`, or \
             `# tagwright: ignore` it where its value doesn't count",
        );
    }

    fn contested(
        &mut self,
        stages: &[StageKey],
        file: &IndexedFile,
        site: &Site,
        routes: Option<&Routes<'_>>,
    ) {
        if routes.is_some_and(|routes| stages.iter().all(|key| self.overrides(*key, routes))) {
            return;
        }
        self.claims.contested.extend(stages);
        let names: Vec<String> = stages
            .iter()
            .map(|key| format!("{} ({})", self.name(*key), self.apps[key.app].file))
            .collect();
        let reason = format!(
            "claimed by {}; nobody writes this site",
            names.join(" and ")
        );
        self.tell(
            file,
            site,
            reason,
            "narrow the `paths`, or mark the site with `# tagwright: APP/STAGE`",
        );
    }

    fn name(&self, key: StageKey) -> String {
        let app = &self.apps[key.app];
        format!("{}/{}", app.name, app.stages[key.stage].name)
    }

    fn list(&self, sharers: &[Sharer]) -> String {
        let names: Vec<String> = sharers
            .iter()
            .map(|sharer| {
                let through = &self.files[sharer.through].path;
                format!("{} through {through}", self.name(sharer.stage))
            })
            .collect();
        names.join(" and ")
    }
}

#[cfg(test)]
mod tests;
