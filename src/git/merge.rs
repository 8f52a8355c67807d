//! Where lines of commits part, and whether a merge brought nothing of its own.
//!
//! Invariant: a merge counts as plain only if Git makes the same tree from its parents without help.

use super::{CommitId, Error, Reader};

impl Reader {
    /// The newest commit that `base` and `tip` both build on; `None` where there is none here.
    ///
    /// # Errors
    /// When either is not there, or the mirror is damaged.
    pub fn fork(&self, base: CommitId, tip: CommitId) -> Result<Option<CommitId>, Error> {
        self.commit(base)?;
        self.commit(tip)?;
        match self.repository.merge_base(base.to_git(), tip.to_git()) {
            Ok(fork) => Ok(Some(CommitId::from_git(fork))),
            Err(error) if error.code() == git2::ErrorCode::NotFound => Ok(None),
            Err(error) => Err(self.damage("walking history", error)),
        }
    }

    /// Whether `merge` is what Git itself makes of its parents `one` and `other`, without conflicts.
    ///
    /// # Errors
    /// When one of them is not there, or the mirror is damaged.
    pub fn is_plain_merge(
        &self,
        merge: CommitId,
        one: CommitId,
        other: CommitId,
    ) -> Result<bool, Error> {
        let failed = |error| self.damage("merging", error);
        let (merge, one, other) = (self.commit(merge)?, self.commit(one)?, self.commit(other)?);
        let merged = self.repository.merge_commits(&one, &other, None);
        let mut index = merged.map_err(failed)?;
        if index.has_conflicts() {
            return Ok(false);
        }
        let tree = index.write_tree_to(&self.repository).map_err(failed)?;
        Ok(tree == merge.tree_id())
    }
}
