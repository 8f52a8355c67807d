//! Makes prepared commits and pushes them.
//!
//! Invariant: all commits of a pass form one chain on the commit they were planned on, and one push
//! moves the branch from exactly that commit to the chain's end, or not at all. A push whose outcome
//! is unknown is settled by fetching: the remote is the truth.
//!
//! Blocking; it plans nothing and merges nothing.

use std::collections::BTreeMap;

use jiff::Timestamp;

use crate::git::{self, CommitId, Committed, Mirror, NewCommit, PushOutcome, Signature, Signer};
use crate::reconcile::prepare::Prepared;

/// How a push ended, once the remote was asked.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Landing {
    /// The commits are on the branch, in the order of the prepared ones.
    Landed(Vec<CommitId>),
    /// The branch moved meanwhile: plan again.
    Moved,
    /// The remote refuses, in its own words.
    Refused(String),
}

/// Who makes commits, and when.
#[derive(Debug, Clone, Copy)]
pub struct Maker<'a> {
    /// Author and committer.
    pub author: &'a Signature,
    /// The key that signs, if one does.
    pub signer: Option<&'a Signer>,
    /// Author's and committer's time.
    pub time: Timestamp,
}

/// Commits `prepared` on top of `base` and pushes them.
///
/// # Errors
/// When a commit can't be signed or written, or the remote can't be reached to learn the outcome.
pub fn land(
    mirror: &mut Mirror,
    branch: &str,
    base: CommitId,
    prepared: &[Prepared],
    maker: Maker<'_>,
) -> Result<Landing, git::Error> {
    let commits = chain(mirror, base, prepared, maker)?;
    let Some(&tip) = commits.last() else {
        return Ok(Landing::Landed(commits));
    };
    match mirror.push(branch, base, tip)? {
        PushOutcome::Pushed | PushOutcome::UpToDate => Ok(Landing::Landed(commits)),
        PushOutcome::Moved => Ok(Landing::Moved),
        PushOutcome::Refused(words) => settle(mirror, branch, base, commits, words),
        PushOutcome::Unknown(words) => settle(mirror, branch, base, commits, words),
    }
}

/// Commits `prepared` on top of `base`; they stay in the mirror.
///
/// # Errors
/// When a commit can't be signed or written.
pub fn chain(
    mirror: &mut Mirror,
    base: CommitId,
    prepared: &[Prepared],
    maker: Maker<'_>,
) -> Result<Vec<CommitId>, git::Error> {
    let files: Vec<BTreeMap<String, Vec<u8>>> = prepared
        .iter()
        .map(|change| {
            let files = change.files.iter();
            files
                .map(|file| (file.path.clone(), file.after.clone()))
                .collect()
        })
        .collect();
    let commits: Vec<NewCommit<'_>> = prepared
        .iter()
        .zip(&files)
        .map(|(change, files)| NewCommit {
            files,
            author: maker.author,
            time: maker.time,
            message: &change.message,
            signer: maker.signer,
        })
        .collect();
    let made = mirror.commit(base, &commits)?;
    Ok(made
        .into_iter()
        .filter_map(|committed| match committed {
            Committed::Made(commit) => Some(commit),
            Committed::Unchanged => None,
        })
        .collect())
}

/// After a failure: our commit is there, pushed; the head isn't what we built on, moved; else refused.
fn settle(
    mirror: &mut Mirror,
    branch: &str,
    base: CommitId,
    commits: Vec<CommitId>,
    words: String,
) -> Result<Landing, git::Error> {
    let head = mirror.fetch(branch)?;
    if let Some(&tip) = commits.last()
        && (head == tip || mirror.is_ancestor(tip, head)?)
    {
        return Ok(Landing::Landed(commits));
    }
    if head == base {
        Ok(Landing::Refused(words))
    } else {
        Ok(Landing::Moved)
    }
}
