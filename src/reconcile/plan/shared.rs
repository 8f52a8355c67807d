//! Sites that other stages read too: written only while those would get the same tag.
//!
//! Invariant: what a stage runs changes only by its own decision. A stage that reads another's site
//! and doesn't override it holds that site back until it has come to the same tag by itself; the rest
//! of the change goes on.

use std::collections::BTreeMap;

use super::{Blocked, Change, Plan, Running, Step};
use crate::config::App;
use crate::diag::Diagnostic;
use crate::image::Tag;
use crate::reconcile::claims::{Claims, IndexedFile, Sharer, SiteRef, StageKey};

/// Takes out of the plan's changes the sites that other stages hold back.
pub(super) fn withhold(plan: &mut Plan, apps: &[App], files: &[IndexedFile], claims: &Claims) {
    if claims.shared.is_empty() {
        return;
    }
    // A stage that is stopped no longer comes to its tag, which may stop another: each round stops
    // one at least, or is the last.
    loop {
        let tags: BTreeMap<StageKey, Tag> = plan
            .stages
            .iter()
            .filter_map(|stage| Some((stage.key, tag_now(&stage.step, &stage.running)?)))
            .collect();
        let mut stopped = false;
        // Changes that wait may come at one time.
        let waiting = plan.stages.iter().filter_map(|stage| match &stage.step {
            Step::Waiting(waiting) => Some((stage.key, waiting.change.tag.clone())),
            _ => None,
        });
        let mut tags_then = tags.clone();
        tags_then.extend(waiting);
        for stage in &mut plan.stages {
            let (change, tags) = match &mut stage.step {
                Step::Change(change) => (change, &tags),
                Step::Waiting(waiting) => (&mut waiting.change, &tags_then),
                _ => continue,
            };
            let held = hold_back(change, tags, apps, files, claims);
            let rest = change.sites.iter();
            let rest = rest.filter(|site| !claims.overridden.contains(site));
            // Part of a change would part a group.
            let stops = change.group.is_some() || rest.count() == 0;
            if let Some(first) = held.first().filter(|_| stops) {
                stage.step = Step::Blocked(Blocked::Shared(first.message.clone()));
                stopped = true;
            }
            plan.refused.extend(held);
        }
        if !stopped {
            return;
        }
    }
}

/// Takes out of a change the sites that are held back, and tells why.
fn hold_back(
    change: &mut Change,
    tags: &BTreeMap<StageKey, Tag>,
    apps: &[App],
    files: &[IndexedFile],
    claims: &Claims,
) -> Vec<Diagnostic> {
    let tag = &change.tag;
    let mut held = Vec::new();
    change.sites.retain(|site| {
        let mut sharers = claims.shared.get(site).into_iter().flatten();
        let holder = sharers.find(|sharer| tags.get(&sharer.stage) != Some(tag));
        held.extend(holder.map(|holder| told(*site, *holder, tag, apps, files)));
        holder.is_none()
    });
    held
}

/// The tag that a stage has after this plan, if it is one that the stage came to by itself.
fn tag_now(step: &Step, running: &Running) -> Option<Tag> {
    match (step, running) {
        (Step::Change(change), _) => Some(change.tag.clone()),
        (Step::UpToDate, Running::One(version)) => Some(version.tag.clone()),
        _ => None,
    }
}

fn told(
    site: SiteRef,
    holder: Sharer,
    tag: &Tag,
    apps: &[App],
    files: &[IndexedFile],
) -> Diagnostic {
    let app = &apps[holder.stage.app];
    let stage = &app.stages[holder.stage.stage].name;
    let (file, through) = (&files[site.file], &files[holder.through]);
    let reason = format!(
        "not set to {tag}: {}/{stage} reads {} too, through {}, and is not to get {tag} now",
        app.name, file.path, through.path
    );
    let hint = format!(
        "set the tag in `images` of {}, or move the value to the stage's own files",
        through.path
    );
    Diagnostic::error(&file.path, reason)
        .at_bare(file.index.sites[site.site].position)
        .hint(hint)
}
