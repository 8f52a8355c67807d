//! Pushes the commits of a proposal to the branch of its pull request.
//!
//! Invariant: the branch moves in one step from where it was seen to all of the proposal: a forge closes a
//! pull request whose branch is, even for a moment, no different from the base. So what the forge itself
//! commits is made beside it first.

use super::act::{Did, Done, Failure};
use super::fate::{Branch, Content};
use super::{Planned, Proposal};
use crate::config::Signing;
use crate::git::{self, CommitId, PushOutcome};
use crate::reconcile::execute::{self, Landing, Maker};
use crate::reconcile::{Reconciler, forged};

/// Where the forge makes commits, below the prefix of branches; no name of an app begins so.
pub(super) const NEXT: &str = "_next/";

impl Reconciler {
    /// Makes the commits of a proposal and moves its branch there; `None` if it was not where it was seen.
    pub(super) async fn publish(
        &mut self,
        planned: &Planned,
        proposal: &Proposal,
        base: CommitId,
        done: &mut Done,
    ) -> Result<Option<CommitId>, Failure> {
        if let Branch::Ours {
            tip,
            content: Content::Wanted,
        } = planned.at
        {
            return Ok(Some(tip));
        }
        let tip = match self.repository.commits.signing {
            Some(Signing::Forge) => self.made_by_forge(planned, proposal, base).await?,
            Some(Signing::Key(_)) | None => self.made(proposal, base).await?,
        };
        let Some(tip) = tip else {
            return Ok(left(done));
        };
        match self
            .move_to(&planned.branch, planned.at.tip(), Some(tip))
            .await?
        {
            PushOutcome::Pushed | PushOutcome::UpToDate => Ok(Some(tip)),
            PushOutcome::Moved => Ok(left(done)),
            PushOutcome::Refused(words) | PushOutcome::Unknown(words) => Err(Failure(format!(
                "the branch `{}` can't be pushed: {words}",
                planned.branch
            ))),
        }
    }

    /// The last of a proposal's commits, in the mirror.
    async fn made(&self, proposal: &Proposal, base: CommitId) -> Result<Option<CommitId>, Failure> {
        let signer = self.signer().await?;
        let author = self.repository.commits.author.clone();
        let time = self.clock.now();
        let commits = proposal.commits.clone();
        let made = self.with_mirror(move |mirror| {
            let maker = Maker {
                author: &author,
                signer: signer.as_deref(),
                time,
            };
            execute::chain(mirror, base, &commits, maker)
        });
        let made = made.await.map_err(|source| self.git_error(source))?;
        match made.last() {
            Some(tip) => Ok(Some(*tip)),
            None => Err(Failure("it would change nothing".to_owned())),
        }
    }

    /// The last of a proposal's commits, which the forge makes on a branch beside its own; `None` where
    /// somebody else is at that.
    async fn made_by_forge(
        &self,
        planned: &Planned,
        proposal: &Proposal,
        base: CommitId,
    ) -> Result<Option<CommitId>, Failure> {
        let prefix = self.repository.pulls.prefix.clone();
        let rest = planned
            .branch
            .strip_prefix(prefix.as_str())
            .unwrap_or(&planned.branch);
        let beside = format!("{prefix}{NEXT}{rest}");
        let heads = self
            .with_mirror(move |mirror| mirror.fetch_beside(&prefix))
            .await;
        let left_behind = heads
            .map_err(|source| self.git_error(source))?
            .get(&beside)
            .copied();
        match self.move_to(&beside, left_behind, Some(base)).await? {
            PushOutcome::Pushed | PushOutcome::UpToDate => {}
            PushOutcome::Moved => return Ok(None),
            PushOutcome::Refused(words) | PushOutcome::Unknown(words) => {
                return Err(Failure(format!(
                    "the branch `{beside}` can't be pushed: {words}"
                )));
            }
        }
        let made = self.land_forged(&beside, base, &proposal.commits).await?;
        let (tip, result) = match made {
            Landing::Landed(commits) => match commits.last() {
                Some(&tip) => match self.stranger(&beside, tip).await? {
                    Some(author) => (Some(tip), Err(Failure(forged::as_stranger(&author)))),
                    None => (Some(tip), Ok(Some(tip))),
                },
                None => (Some(base), Ok(None)),
            },
            Landing::Moved => (None, Ok(None)),
            Landing::Refused(words) => (Some(base), Err(Failure(words))),
        };
        if let Some(tip) = tip {
            // What stays behind is found and used by the next one.
            self.move_to(&beside, Some(tip), None).await?;
        }
        result
    }

    async fn move_to(
        &self,
        branch: &str,
        from: Option<CommitId>,
        to: Option<CommitId>,
    ) -> Result<PushOutcome, Failure> {
        let branch = branch.to_owned();
        let moved = self.with_mirror(move |mirror| -> Result<PushOutcome, git::Error> {
            mirror.move_beside(&branch, from, to)
        });
        Ok(moved.await.map_err(|source| self.git_error(source))?)
    }
}

/// Notes that a branch was not where it was seen.
fn left(done: &mut Done) -> Option<CommitId> {
    let why = "its branch has moved meanwhile; the next pass looks again";
    done.did = Did::Left(why.to_owned());
    None
}
