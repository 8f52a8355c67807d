//! What a branch of the service's own holds, compared with what is wanted.
//!
//! Invariant: a commit counts as the service's only with its author, its committer and a trailer of its form;
//! merges that bring the branch up to date, and do nothing else, are nobody's work. All else is a person's, and
//! so is for now what can't be told because its history was not fetched.
//!
//! Blocking.

use std::collections::{BTreeMap, BTreeSet};

use super::fate::{Branch, Content};
use crate::config::Rebuild;
use crate::git::{self, BlobId, CommitId, CommitInfo, Mirror, Signature};
use crate::promotion::Held;
use crate::reconcile::prepare::Prepared;
use crate::reconcile::trailer::trailers;

/// Commits of a branch that are looked at; the service makes no more than one for each app and stage.
const MAX_COMMITS: usize = 1000;

/// What a branch is compared with.
pub(super) struct Standard<'a> {
    /// The base's commit.
    pub base: CommitId,
    /// Who the service is.
    pub author: &'a Signature,
    /// The commits that are wanted on the base, if any are.
    pub wanted: Option<&'a [Prepared]>,
    /// When a branch is made anew though it holds what is wanted.
    pub rebuild: Rebuild,
    /// Whether the forge makes the commits, and is their committer.
    pub forged: bool,
}

/// Whether more of the base's history could show that what looks like a person's is the base's own.
///
/// It can't where every commit of the branch leads to others of it, or to what is known to be the base's: what a
/// branch that was made above the end of a part of the history has, it has of its own.
///
/// # Errors
/// When the mirror can't be read.
pub(super) fn may_be_the_base_s(
    mirror: &Mirror,
    tip: CommitId,
    base: CommitId,
) -> Result<bool, git::Error> {
    let beyond = mirror.beyond(base, tip, MAX_COMMITS)?;
    if beyond.len() > MAX_COMMITS {
        return Ok(true);
    }
    let own: BTreeSet<CommitId> = beyond.iter().copied().collect();
    for id in &beyond {
        let parents = mirror.commit_info(*id)?.parents;
        for parent in parents.iter().filter(|parent| !own.contains(parent)) {
            if !mirror.is_ancestor(*parent, base)? {
                return Ok(true);
            }
        }
        if parents.is_empty() {
            return Ok(true);
        }
    }
    Ok(false)
}

/// Tells what the branch at `tip` holds.
///
/// # Errors
/// When the mirror can't be read.
pub(super) fn inspect(
    mirror: &Mirror,
    tip: CommitId,
    standard: &Standard<'_>,
) -> Result<Branch, git::Error> {
    let beyond = mirror.beyond(standard.base, tip, MAX_COMMITS)?;
    if beyond.len() > MAX_COMMITS {
        return Ok(Branch::Theirs { tip });
    }
    let own: BTreeSet<CommitId> = beyond.iter().copied().collect();
    let mut stated = BTreeSet::new();
    for id in &beyond {
        let info = mirror.commit_info(*id)?;
        if !are_here(mirror, &info.parents, &own)? {
            return Ok(Branch::Theirs { tip });
        }
        if is_update(mirror, *id, &info, &own)? {
            continue;
        }
        let made = trailers(&info.message).map(|trailer| {
            let (app, stage) = (trailer.app.to_owned(), trailer.stage.to_owned());
            (app, stage, trailer.to)
        });
        let made: Vec<(String, String, Held)> = made.collect();
        // Whoever amends a commit stays with its author, and becomes its committer.
        let committed = standard.forged || info.committer == *standard.author;
        let is_ours = info.author == *standard.author && committed && info.parents.len() == 1;
        if !is_ours || made.is_empty() {
            return Ok(Branch::Theirs { tip });
        }
        stated.extend(made);
    }
    let content = match standard.wanted {
        Some(wanted)
            if holds(mirror, tip, wanted, &stated)?
                && changes_only(mirror, tip, wanted, standard)?
                && is_fresh(mirror, &beyond, standard)? =>
        {
            Content::Wanted
        }
        _ => Content::Outdated,
    };
    Ok(Branch::Ours { tip, content })
}

/// Whether these commits, of which some may be the branch's `own`, were all fetched.
fn are_here(
    mirror: &Mirror,
    commits: &[CommitId],
    own: &BTreeSet<CommitId>,
) -> Result<bool, git::Error> {
    for commit in commits.iter().filter(|commit| !own.contains(commit)) {
        match mirror.commit_info(*commit) {
            Ok(_) => {}
            Err(git::Error::NoSuchCommit { .. }) => return Ok(false),
            Err(error) => return Err(error),
        }
    }
    Ok(true)
}

/// Whether a commit of the branch merges the base into it, and does nothing else.
fn is_update(
    mirror: &Mirror,
    id: CommitId,
    info: &CommitInfo,
    own: &BTreeSet<CommitId>,
) -> Result<bool, git::Error> {
    match info.parents[..] {
        [first, other] if own.contains(&first) && !own.contains(&other) => {
            mirror.is_plain_merge(id, first, other)
        }
        _ => Ok(false),
    }
}

/// Whether the branch states and holds just what is wanted.
fn holds(
    mirror: &Mirror,
    tip: CommitId,
    wanted: &[Prepared],
    stated: &BTreeSet<(String, String, Held)>,
) -> Result<bool, git::Error> {
    let changes = super::words::changes(wanted).map(|made| {
        let to = Held {
            tag: made.change.tag.clone(),
            digest: Some(made.change.digest.clone()),
        };
        (made.app.clone(), made.stage.clone(), to)
    });
    let changes: BTreeSet<(String, String, Held)> = changes.collect();
    if changes != *stated {
        return Ok(false);
    }
    // Later commits of a proposal build on the files of earlier ones.
    let files: BTreeMap<&str, &[u8]> = wanted
        .iter()
        .flat_map(|commit| &commit.files)
        .map(|file| (file.path.as_str(), file.after.as_slice()))
        .collect();
    for (path, after) in files {
        if mirror.blob_at(tip, path)? != Some(BlobId::of(after)) {
            return Ok(false);
        }
    }
    Ok(true)
}

/// Whether the branch changes the wanted files and no others.
fn changes_only(
    mirror: &Mirror,
    tip: CommitId,
    wanted: &[Prepared],
    standard: &Standard<'_>,
) -> Result<bool, git::Error> {
    let wanted: BTreeSet<&str> = wanted
        .iter()
        .flat_map(|commit| &commit.files)
        .map(|file| file.path.as_str())
        .collect();
    let Some(fork) = mirror.fork(standard.base, tip)? else {
        return Ok(false);
    };
    let touched = mirror.touched(fork, tip)?;
    Ok(touched
        .iter()
        .all(|file| wanted.contains(file.path.as_str())))
}

/// Whether the branch is as near to the base as is asked for.
fn is_fresh(
    mirror: &Mirror,
    beyond: &[CommitId],
    standard: &Standard<'_>,
) -> Result<bool, git::Error> {
    match (standard.rebuild, beyond.last()) {
        (Rebuild::WhenTouched, _) | (Rebuild::Always, None) => Ok(true),
        (Rebuild::Always, Some(first)) => {
            let parents = mirror.commit_info(*first)?.parents;
            Ok(parents.first() == Some(&standard.base))
        }
    }
}
