//! Which of the files that a commit changed may say what stages run.
//!
//! Invariant: what is passed over can't have changed what any of the apps runs.

use std::sync::Arc;

use super::own::Pair;
use crate::config::{App, Detect, PoliciesEntry};
use crate::git::Touched;
use crate::manifest::{FileIndex, Pulls};
use crate::reconcile::snapshot::Memory;
use crate::reconcile::source::{Contents, Error};

/// Whether any of the files may say what one of `apps` runs.
pub(super) fn matter(
    memory: &mut Memory,
    contents: &Contents,
    policies: &[PoliciesEntry],
    apps: &[&App],
    touched: &[Touched],
) -> Result<bool, Error> {
    if beside_sites(policies, apps, touched) {
        return Ok(true);
    }
    for file in touched {
        if says(&pair(memory, contents, file)?, apps) {
            return Ok(true);
        }
    }
    Ok(false)
}

/// Whether more may have changed than sites that are found by name or marker: an app file, or what a target
/// points at.
pub(super) fn beside_sites(policies: &[PoliciesEntry], apps: &[&App], touched: &[Touched]) -> bool {
    let policy = |file: &Touched| policies.iter().any(|entry| entry.path.contains(&file.path));
    let aimed = apps.iter().any(|app| !app.targets.is_empty());
    !touched.is_empty() && (aimed || touched.iter().any(policy))
}

/// The files as they were and as they are.
pub(super) fn pairs(
    memory: &mut Memory,
    contents: &Contents,
    touched: &[Touched],
) -> Result<Vec<Pair>, Error> {
    let each = touched.iter().map(|file| pair(memory, contents, file));
    each.collect()
}

fn pair(memory: &mut Memory, contents: &Contents, file: &Touched) -> Result<Pair, Error> {
    let mut index = |blob: Option<_>| match blob {
        Some(blob) => memory.index_of(contents, &file.path, blob),
        None => Ok(None),
    };
    let (old, new) = (index(file.before)?, index(file.after)?);
    Ok(Pair { old, new })
}

fn says(Pair { old, new }: &Pair, apps: &[&App]) -> bool {
    let wanted = |index: &Arc<FileIndex>| {
        index.sites.iter().any(|site| {
            site.marker.is_some()
                || apps.iter().any(|app| {
                    app.detect == Detect::ByName
                        && app.names().any(|name| site.image() == Some(name))
                })
        })
    };
    let none = Pulls::default();
    let pulls = |index: &Option<Arc<FileIndex>>| match index {
        Some(index) => index.pulls.clone(),
        None => none.clone(),
    };
    // What brings in what decides which values count.
    let other_pulls = pulls(old) != pulls(new);
    other_pulls || old.iter().chain(new).any(wanted)
}
