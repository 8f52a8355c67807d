//! All stages and what was observed, from which each stage's case is made.
//!
//! Invariant: a stage sees the others as they are observed, never as they are planned, so that the order in which
//! stages are planned has no part in the plan.

use super::case::Case;
use super::records::Records;
use super::{Facts, Feed};
use crate::config::App;
use crate::reconcile::claims::{Claims, IndexedFile, StageKey};

/// All stages, and what was observed.
pub(super) struct Scene<'a> {
    pub(super) apps: &'a [App],
    pub(super) files: &'a [IndexedFile],
    pub(super) claims: &'a Claims,
    pub(super) facts: &'a Facts,
    pub(super) records: Records<'a>,
    /// Where the tags of each app come from.
    pub(super) feeds: Vec<Feed>,
}

impl Scene<'_> {
    /// One stage of it.
    pub(super) fn case(&self, key: StageKey) -> Case<'_> {
        let app = &self.apps[key.app];
        let stage = &app.stages[key.stage];
        let all = self.claims.stages.get(&key).into_iter().flatten();
        let (overridden, sites) = all
            .map(|site| (*site, &self.files[site.file].index.sites[site.site]))
            .partition(|(site, _)| self.claims.overridden.contains(site));
        Case {
            scene: self,
            key,
            app,
            feed: &self.feeds[key.app],
            policy: &stage.policy,
            write: stage.write,
            sites,
            overridden,
            files: self.files,
            records: &self.records,
            facts: self.facts,
            contested: self.claims.contested.contains(&key),
        }
    }
}
