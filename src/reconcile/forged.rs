//! Commits that the forge makes and signs, for branches that take no others.
//!
//! Invariant: each commit is made on the one before it, and the first on the commit that was planned on: the
//! forge compares, as a push does. The files' bytes are those that were prepared.
//!
//! A commit is a request each, so a pass of many changes is slow unless they share commits; what has landed
//! when the branch moves stays, and the rest is planned anew.

use crate::diag;
use crate::forge::{self, Committed, Forge};
use crate::git::{self, CommitId, Signature};
use crate::reconcile::execute::Landing;
use crate::reconcile::prepare::Prepared;
use crate::reconcile::{Error, Reconciler};

impl Reconciler {
    /// Has the forge make `prepared` on `branch`, which is at `base`.
    ///
    /// # Errors
    /// When the forge can't be asked, or the result can't be fetched.
    pub(super) async fn land_forged(
        &self,
        branch: &str,
        base: CommitId,
        prepared: &[Prepared],
    ) -> Result<Landing, Error> {
        let forge = match self.pulls.forge() {
            Ok(forge) => forge,
            Err(words) => return Ok(Landing::Refused(words.to_owned())),
        };
        let mut landed = Vec::new();
        for commit in prepared {
            let parent = landed.last().copied().unwrap_or(base);
            match make(&*forge, branch, parent, commit).await {
                Ok(Some(id)) => landed.push(id),
                Ok(None) => return Ok(Landing::Moved),
                Err(error) if error.is_retryable() => return Err(self.forge_error(error)),
                Err(error) => return Ok(Landing::Refused(diag::chain(&error))),
            }
        }
        Ok(Landing::Landed(landed))
    }

    /// Who the forge made `tip` of `branch` as, if that is not who the service is configured to be: its own
    /// commits would look like a stranger's.
    pub(super) async fn stranger(
        &self,
        branch: &str,
        tip: CommitId,
    ) -> Result<Option<Signature>, Error> {
        let (branch, wanted) = (branch.to_owned(), self.repository.commits.author.clone());
        let read = self.with_mirror(move |mirror| -> Result<_, git::Error> {
            mirror.fetch(&branch)?;
            Ok(mirror.commit_info(tip)?.author)
        });
        let author = read.await.map_err(|source| self.git_error(source))?;
        Ok((author != wanted).then_some(author))
    }

    fn forge_error(&self, source: forge::Error) -> Error {
        Error::Forge {
            repository: self.repository.name.to_string(),
            source,
        }
    }
}

/// What to do where the forge makes commits as somebody else.
pub(super) fn as_stranger(author: &Signature) -> String {
    let (name, email) = (diag::visible(&author.name), diag::visible(&author.email));
    format!(
        "the forge makes commits as `{name} <{email}>`: set `commit.author` to that, so that the service \
         knows its own"
    )
}

/// One commit; `None` where the branch is not where it was.
async fn make(
    forge: &dyn Forge,
    branch: &str,
    parent: CommitId,
    prepared: &Prepared,
) -> Result<Option<CommitId>, forge::Error> {
    let files = prepared.files.iter();
    let commit = forge::NewCommit {
        branch: branch.to_owned(),
        parent: parent.to_string(),
        message: prepared.message.clone(),
        files: files
            .map(|file| (file.path.clone(), file.after.clone()))
            .collect(),
    };
    match forge.commit(&commit).await? {
        Committed::Moved => Ok(None),
        Committed::At(id) => match id.parse() {
            Ok(id) => Ok(Some(id)),
            Err(_) => Err(forge::Error::Garbled {
                host: "the forge".to_owned(),
                what: "make a commit".to_owned(),
                words: "its id is none".to_owned(),
            }),
        },
    }
}
