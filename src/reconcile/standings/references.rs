//! The references of a stage at one commit.
//!
//! Invariant: they are those of the sites that say what the stage runs, as the plan reads them.

use std::slice;
use std::sync::Arc;

use super::Name;
use crate::config::{App, PoliciesEntry};
use crate::manifest::{Part, Site};
use crate::policy::{self, Order, Policy};
use crate::promotion::{Held, References};
use crate::reconcile::claims::{self, Claims, IndexedFile, StageKey};
use crate::reconcile::running;
use crate::reconcile::snapshot::Snapshot;

/// The references of the stage `key`, ordered by `policy`.
pub(super) fn of(
    policy: &Policy,
    files: &[IndexedFile],
    claims: &Claims,
    key: StageKey,
) -> References {
    let followed = match &policy.order {
        Order::Digest(tag) => Some(tag),
        _ => None,
    };
    let mut held = Vec::new();
    for at in claims.stages.get(&key).into_iter().flatten() {
        let site: &Site = &files[at.file].index.sites[at.site];
        let says_nothing = match running::part(site) {
            Part::Name => true,
            Part::Digest => followed.is_none(),
            Part::Whole | Part::Tag => false,
        };
        if says_nothing || claims.overridden.contains(at) {
            continue;
        }
        let digest = site.digest();
        let tag = match (site.tag(), followed) {
            (None, Some(followed)) if digest.is_some() => Some(followed.clone()),
            (tag, _) => tag,
        };
        match tag.filter(|tag| policy::is_orderable(policy, tag)) {
            Some(tag) => held.push(Held { tag, digest }),
            None if policy.unordered == policy::Unordered::Replace => {}
            None => return References::Unordered,
        }
    }
    // In one order, so that sites that change places are no difference.
    held.sort();
    References::Ordered(held)
}

/// A stage as a later commit has it.
pub(super) struct Later<'a> {
    pub(super) name: &'a Name,
    /// The app as the later commit defines it.
    pub(super) defined: &'a Definition,
    /// Whether its app file is there at the earlier commit.
    pub(super) there: bool,
}

/// An app as a commit defines it: one of its apps, by position.
#[derive(Clone)]
pub(super) struct Definition {
    pub(super) apps: Arc<[App]>,
    pub(super) at: usize,
}

impl Definition {
    pub(super) fn app(&self) -> &App {
        &self.apps[self.at]
    }
}

/// What an earlier `snapshot` holds of a stage, as `read` takes it from there, by the definition that holds
/// there; by the later one where the app file is there and can't be used. `None` where the app is not
/// there, or has no such stage.
pub(super) fn earlier<T>(
    later: &Later<'_>,
    snapshot: &Snapshot,
    entries: &[PoliciesEntry],
    read: impl FnOnce(&[IndexedFile], &Claims, StageKey) -> T,
) -> Option<(T, Definition)> {
    let (app_name, stage_name) = later.name;
    let position = |app: &App| {
        let mut stages = app.stages.iter();
        stages.position(|stage| stage.name.as_str() == stage_name)
    };
    let mut apps = snapshot.apps.iter().enumerate();
    if let Some((at, app)) = apps.find(|(_, app)| app.name.as_str() == app_name) {
        let stage = position(app)?;
        let found = read(
            &snapshot.files,
            &snapshot.claims,
            StageKey { app: at, stage },
        );
        let apps = Arc::clone(&snapshot.apps);
        return Some((found, Definition { apps, at }));
    }
    let app = later.defined.app();
    let stage = position(app).filter(|_| later.there)?;
    let claims = claims::claim(slice::from_ref(app), entries, &snapshot.files);
    let found = read(&snapshot.files, &claims, StageKey { app: 0, stage });
    Some((found, later.defined.clone()))
}
