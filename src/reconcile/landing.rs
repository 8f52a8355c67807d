//! From prepared commits to the branch, signed where a key is configured.
//!
//! Invariant: the key is had before anything is written, so a commit is signed as configured or not made.

use std::sync::Arc;

use crate::config::Signing;
use crate::git::{CommitId, Signer};
use crate::reconcile::execute::{self, Landing, Maker};
use crate::reconcile::prepare::Preparation;
use crate::reconcile::{Error, Observation, Reconciler, blocking, forged, lock};

impl Reconciler {
    /// Lands all of an observation; what was seen in a working tree has nowhere to land. What was held
    /// meanwhile is planned anew, as on a branch that moved.
    pub(super) async fn land_all(&self, observation: &Observation) -> Result<Landing, Error> {
        match observation.base {
            Some(_) if self.is_overtaken(&observation.facts) => Ok(Landing::Moved),
            Some(base) => self.land(base, &observation.preparation).await,
            None => Ok(Landing::Moved),
        }
    }

    pub(super) async fn land(
        &self,
        base: CommitId,
        preparation: &Arc<Preparation>,
    ) -> Result<Landing, Error> {
        let branch = self.repository.branch.clone();
        if self.repository.commits.signing == Some(Signing::Forge) {
            let landing = self
                .land_forged(&branch, base, &preparation.commits)
                .await?;
            if let Landing::Landed(commits) = &landing
                && let Some(tip) = commits.last()
                && let Some(author) = self.stranger(&branch, *tip).await?
            {
                tracing::warn!("{}", forged::as_stranger(&author));
            }
            return Ok(landing);
        }
        let preparation = Arc::clone(preparation);
        let author = self.repository.commits.author.clone();
        let signer = self.signer().await?;
        let time = self.clock.now();
        self.with_mirror(move |mirror| {
            let maker = Maker {
                author: &author,
                signer: signer.as_deref(),
                time,
            };
            execute::land(mirror, &branch, base, &preparation.commits, maker)
        })
        .await
        .map_err(|source| self.git_error(source))
    }

    /// The unlocked key that signs commits, if one is configured.
    pub(super) async fn signer(&self) -> Result<Option<Arc<Signer>>, Error> {
        let Some(keyring) = self.keyring.clone() else {
            return Ok(None);
        };
        blocking(move || lock(&keyring).signer())
            .await
            .map(Some)
            .map_err(|error| self.git_error(error.into()))
    }
}
