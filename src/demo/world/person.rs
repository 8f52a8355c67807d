//! What the person of the world does to the config repo, as anybody would with a clone: decide, and take back.
//!
//! Invariant: a commit is made on what the branch is at, and the branch moves only from there, so that nothing
//! of the service is lost.

use std::path::Path;

use git2::build::TreeUpdateBuilder;
use git2::{Oid, Repository};
use jiff::Timestamp;

use super::{BRANCH, Error, PERSON, World};

/// How often a commit is made anew because the service pushed meanwhile. It pushes once a second at most.
const MAX_ROUNDS: usize = 8;

impl World {
    /// The name and mail address of the person.
    pub fn person(&self) -> (&'static str, &'static str) {
        PERSON
    }

    /// The person adds an `entry` to a file of decisions.
    ///
    /// # Errors
    /// When Git fails.
    pub fn decide(&self, file: &str, entry: &str, now: Timestamp) -> Result<(), Error> {
        self.push(now, |repo, head| {
            let tree = head.tree()?;
            let before = match tree.get_path(Path::new(file)) {
                Ok(there) => repo.find_blob(there.id())?.content().to_vec(),
                Err(_) => Vec::new(),
            };
            let text = [before.as_slice(), entry.as_bytes()].concat();
            let mut update = TreeUpdateBuilder::new();
            update.upsert(file, repo.blob(&text)?, git2::FileMode::Blob);
            let message = "shop: approve for production\n".to_owned();
            Ok((update.create_updated(repo, &tree)?, message))
        })
    }

    /// The person reverts the commit with this id, as `git revert` does.
    ///
    /// # Errors
    /// When Git fails.
    pub fn revert(&self, commit: &str, now: Timestamp) -> Result<(), Error> {
        self.push(now, |repo, head| {
            let commit = repo.find_commit(Oid::from_str(commit)?)?;
            let mut index = repo.revert_commit(&commit, head, 0, None)?;
            let subject = commit
                .summary()
                .ok()
                .flatten()
                .unwrap_or_default()
                .to_owned();
            let message = format!(
                "Revert \"{subject}\"\n\nThis reverts commit {}.\n",
                commit.id()
            );
            Ok((index.write_tree_to(repo)?, message))
        })
    }

    /// Commits a tree to the branch.
    fn push(
        &self,
        now: Timestamp,
        make: impl Fn(&Repository, &git2::Commit<'_>) -> Result<(Oid, String), git2::Error>,
    ) -> Result<(), Error> {
        let commit = || -> Result<bool, git2::Error> {
            let repo = Repository::open_bare(&self.repository)?;
            let head = repo.find_reference(BRANCH)?.peel_to_commit()?;
            let (tree, message) = make(&repo, &head)?;
            let (name, email) = PERSON;
            let person = git2::Signature::new(name, email, &git2::Time::new(now.as_second(), 0))?;
            let tree = repo.find_tree(tree)?;
            let id = repo.commit(None, &person, &person, &message, &tree, &[&head])?;
            match repo.reference_matching(BRANCH, id, true, head.id(), "a person's commit") {
                Ok(_) => Ok(true),
                Err(error) if error.code() == git2::ErrorCode::Modified => Ok(false),
                Err(error) => Err(error),
            }
        };
        let failed = |source| Error::Commit {
            path: self.repository.clone(),
            source,
        };
        for _ in 0..MAX_ROUNDS {
            if commit().map_err(failed)? {
                return Ok(());
            }
        }
        Err(failed(git2::Error::from_str(
            "the branch never stood still",
        )))
    }
}
