//! Branches of the service's own on the remote, beside the one it follows: the sources of pull requests.
//!
//! Invariant: such a branch is made, moved to any commit, or removed only from where it was seen to be, so
//! what a person pushed to it meanwhile is never lost.
//!
//! It refuses names outside the service's prefix by not knowing any others.

use std::collections::BTreeMap;

use git2::{AutotagOption, FetchOptions, FetchPrune};

use super::super::push;
use super::{Mirror, branch_ref};
use crate::git::{CommitId, Error, PushOutcome, Touched};

/// The folder of the branches that were fetched, under the remote's names without the prefix.
const BESIDE: &str = "refs/beside/";

impl Mirror {
    /// Brings all branches that begin with `prefix` up to date, and returns the commits they are at, by
    /// their full names.
    ///
    /// # Errors
    /// When the remote can't be reached or does not let us in.
    pub fn fetch_beside(&mut self, prefix: &str) -> Result<BTreeMap<String, CommitId>, Error> {
        branch_ref(&format!("{prefix}x"))?;
        let exchange = self.connector.exchange()?;
        let fetched = self.fetch_all(&exchange.url(), prefix).or_else(|_| {
            // A branch `a` may have become `a/b`, which has no place beside what is here of it.
            self.forget_beside()?;
            let again = self.fetch_all(&exchange.url(), prefix);
            again.map_err(|error| self.explain(&exchange, error))
        });
        drop(exchange);
        fetched?;
        self.beside(prefix)
    }

    fn fetch_all(&self, url: &str, prefix: &str) -> Result<(), git2::Error> {
        let mut remote = self.reader.repository.remote_anonymous(url)?;
        let mut options = FetchOptions::new();
        options
            .download_tags(AutotagOption::None)
            .prune(FetchPrune::On)
            .update_fetchhead(false);
        let refspec = format!("+refs/heads/{prefix}*:{BESIDE}*");
        remote.fetch(&[refspec], Some(&mut options), None)
    }

    /// The branches as they were last fetched; names that are not UTF-8 are nobody's here.
    fn beside(&self, prefix: &str) -> Result<BTreeMap<String, CommitId>, Error> {
        let failed = |error| self.reader.damage("listing branches", error);
        let all = self
            .reader
            .repository
            .references_glob(&format!("{BESIDE}*"));
        let mut heads = BTreeMap::new();
        for reference in all.map_err(failed)? {
            let reference = reference.map_err(failed)?;
            let name = reference
                .name()
                .ok()
                .and_then(|name| name.strip_prefix(BESIDE));
            if let (Some(name), Some(tip)) = (name, reference.target()) {
                heads.insert(format!("{prefix}{name}"), CommitId::from_git(tip));
            }
        }
        Ok(heads)
    }

    fn forget_beside(&self) -> Result<(), Error> {
        let failed = |error| self.reader.damage("forgetting branches", error);
        let all = self
            .reader
            .repository
            .references_glob(&format!("{BESIDE}*"));
        for reference in all.map_err(failed)? {
            reference
                .and_then(|mut found| found.delete())
                .map_err(failed)?;
        }
        Ok(())
    }

    /// See [`crate::git::Reader::fork`].
    ///
    /// # Errors
    /// As there.
    pub fn fork(&self, base: CommitId, tip: CommitId) -> Result<Option<CommitId>, Error> {
        self.reader.fork(base, tip)
    }

    /// See [`crate::git::Reader::is_plain_merge`].
    ///
    /// # Errors
    /// As there.
    pub fn is_plain_merge(
        &self,
        merge: CommitId,
        one: CommitId,
        other: CommitId,
    ) -> Result<bool, Error> {
        self.reader.is_plain_merge(merge, one, other)
    }

    /// See [`crate::git::Reader::touched`].
    ///
    /// # Errors
    /// As there.
    pub fn touched(&self, before: CommitId, after: CommitId) -> Result<Vec<Touched>, Error> {
        self.reader.touched(before, after)
    }

    /// Moves `branch` from `expected`, where there is none if that is none, to `new`; `None` removes it.
    ///
    /// # Errors
    /// As [`Mirror::push`].
    pub fn move_beside(
        &mut self,
        branch: &str,
        expected: Option<CommitId>,
        new: Option<CommitId>,
    ) -> Result<PushOutcome, Error> {
        let name = branch_ref(branch)?;
        let change = push::Change {
            branch: &name,
            expected: expected.unwrap_or(CommitId::NONE),
            new: new.unwrap_or(CommitId::NONE),
            step: push::Step::Anywhere,
        };
        let outcome = push::push(&self.reader.repository, &mut self.connector, &change);
        self.noting_damage(outcome)
    }
}
