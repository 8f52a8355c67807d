//! The first-parent line of a branch: what the branch itself was at, commit by commit.
//!
//! Invariant: a merge is one step, however many commits came with it, and its changes are those against
//! what the branch was at before. That the line goes on beyond what was fetched is told apart from its
//! end, so that nobody takes a shallow mirror for a young repository.
//!
//! It refuses to interpret: who did what to which image is not known here.

use std::collections::BTreeSet;

use super::{BlobId, CommitId, Error, FileEntry, FileKind, Reader};

/// What comes before a commit on the branch.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Past {
    /// This commit.
    Parent(CommitId),
    /// Nothing: it is the first one.
    Root,
    /// Something that was not fetched.
    More,
}

/// What a folder holds under a name: its id, and what it is.
type Thing = (git2::Oid, Option<git2::ObjectType>);

/// A path at which a commit differs from the one before it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Touched {
    /// Its path.
    pub path: String,
    /// The contents of the file that was there, if it was one; links are none.
    pub before: Option<BlobId>,
    /// The same of the file that is there now.
    pub after: Option<BlobId>,
}

impl Reader {
    /// What comes before `commit` on its first-parent line.
    ///
    /// # Errors
    /// When there is no such commit, or the mirror is damaged.
    pub fn past(&self, commit: CommitId) -> Result<Past, Error> {
        let Some(parent) = parents(&self.commit(commit)?).first().copied() else {
            return Ok(Past::Root);
        };
        match self.commit(parent) {
            Ok(_) => Ok(Past::Parent(parent)),
            Err(Error::NoSuchCommit { .. }) if self.is_cut() => Ok(Past::More),
            Err(Error::NoSuchCommit { .. }) => {
                let missing = git2::Error::from_str("a commit's parent is missing");
                Err(self.damage("walking history", missing))
            }
            Err(error) => Err(error),
        }
    }

    /// The files that differ between `before` and `after`, in bytewise order of their paths.
    ///
    /// # Errors
    /// As [`Reader::changes`].
    pub fn touched(&self, before: CommitId, after: CommitId) -> Result<Vec<Touched>, Error> {
        let (new, old) = (self.changes(before, after)?, self.changes(after, before)?);
        let paths = new.changed.iter().map(|file| &file.path);
        let paths: BTreeSet<&String> = paths.chain(&new.removed).collect();
        let blob = |files: &[FileEntry], path: &str| {
            let at = files.binary_search_by(|file| file.path.as_str().cmp(path));
            let file = at.ok().map(|at| &files[at]);
            file.filter(|file| matches!(file.kind, FileKind::Regular | FileKind::Executable))
                .map(|file| file.blob)
        };
        let touched = paths.into_iter().map(|path| Touched {
            path: path.clone(),
            before: blob(&old.changed, path),
            after: blob(&new.changed, path),
        });
        Ok(touched.collect())
    }

    /// Whether everything below the folder at `path` is the same in two commits; of one that has no such
    /// folder, in the other too.
    ///
    /// # Errors
    /// When there is no such commit, or the mirror is damaged.
    pub fn is_same_below(&self, a: CommitId, b: CommitId, path: &str) -> Result<bool, Error> {
        Ok(self.at_path(a, path)? == self.at_path(b, path)?)
    }

    /// The id and kind of what is at `path` in `commit`; `None` where there is nothing.
    fn at_path(&self, commit: CommitId, path: &str) -> Result<Option<Thing>, Error> {
        let doing = "reading a folder";
        let tree = self.commit(commit)?.tree();
        let tree = tree.map_err(|error| self.damage(doing, error))?;
        match tree.get_path(std::path::Path::new(path)) {
            Ok(entry) => Ok(Some((entry.id(), entry.kind()))),
            Err(error) if error.code() == git2::ErrorCode::NotFound => Ok(None),
            Err(error) => Err(self.damage(doing, error)),
        }
    }

    /// Whether there is anything at `path` in `commit`.
    ///
    /// # Errors
    /// When there is no such commit, or the mirror is damaged.
    pub fn is_there(&self, commit: CommitId, path: &str) -> Result<bool, Error> {
        Ok(self.at_path(commit, path)?.is_some())
    }

    /// The contents of the file at `path` in `commit`; `None` where there is no file.
    ///
    /// # Errors
    /// When there is no such commit, or the mirror is damaged.
    pub fn blob_at(&self, commit: CommitId, path: &str) -> Result<Option<BlobId>, Error> {
        let found = self.at_path(commit, path)?;
        let file = found.filter(|(_, kind)| *kind == Some(git2::ObjectType::Blob));
        Ok(file.map(|(id, _)| BlobId::from_git(id)))
    }

    /// The signature of `commit`, and the bytes that it is of; `None` where it has none.
    ///
    /// # Errors
    /// When there is no such commit, or the mirror is damaged.
    pub fn signature(&self, commit: CommitId) -> Result<Option<(String, Vec<u8>)>, Error> {
        self.commit(commit)?;
        match self.repository.extract_signature(&commit.to_git(), None) {
            Ok((signature, content)) => {
                let signature = String::from_utf8_lossy(&signature).into_owned();
                Ok(Some((signature, content.to_vec())))
            }
            Err(error) if error.code() == git2::ErrorCode::NotFound => Ok(None),
            Err(error) => Err(self.damage("reading a signature", error)),
        }
    }

    /// The commits that `tip` has and `base` hasn't, children before parents, at most `max` of them and one
    /// more where there are more.
    ///
    /// # Errors
    /// When either is not there, or the mirror is damaged.
    pub fn beyond(
        &self,
        base: CommitId,
        tip: CommitId,
        max: usize,
    ) -> Result<Vec<CommitId>, Error> {
        self.commit(base)?;
        self.commit(tip)?;
        let failed = |error| self.damage("walking history", error);
        let mut walk = self.repository.revwalk().map_err(failed)?;
        walk.set_sorting(git2::Sort::TOPOLOGICAL).map_err(failed)?;
        walk.push(tip.to_git()).map_err(failed)?;
        walk.hide(base.to_git()).map_err(failed)?;
        let ids = walk.take(max.saturating_add(1));
        ids.map(|id| id.map(CommitId::from_git).map_err(failed))
            .collect()
    }

    /// Whether the mirror lacks history of any branch that was fetched.
    pub fn is_cut(&self) -> bool {
        self.repository.is_shallow()
    }
}

/// The parents that a commit names, whether they were fetched or not. Where they were not, Git notes it in
/// a file beside its objects (gitrepository-layout, `shallow`), and its library shows no parents; it goes
/// on doing so for commits that were read before more was fetched.
pub(super) fn parents(commit: &git2::Commit<'_>) -> Vec<CommitId> {
    let lines = commit.raw_header_bytes().split(|byte| *byte == b'\n');
    // They come right after the tree (git-cat-file, "commit").
    let named = lines.skip(1).map_while(|line| {
        let id = std::str::from_utf8(line.strip_prefix(b"parent ")?);
        id.ok()?.parse().ok()
    });
    named.collect()
}
