//! Who merged and who approved what came to the branch, as the forge shows it.
//!
//! Invariant: which pull request brought a commit, and who merged it, is asked once in a process, since what was
//! merged stays so; what its reviewers say, each time, since they may take it back. An approval is told with
//! whether it is of the head that was merged.
//!
//! Whose the accounts are, and whether they may, is not told here.

use crate::forge::{self, Forge, Opinion, Pull, Review, State};
use crate::git::CommitId;
use crate::promotion::approval::{Deed, Did};

/// A merged pull request, and who stands behind it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Merged {
    /// Its number.
    pub number: u64,
    /// The commit that was merged, in hex.
    pub head: String,
    /// The commit on the branch that is its merge, in hex; where the forge tells none, its head.
    pub merge: String,
    /// Who opened it, where the forge tells.
    pub opened: Option<String>,
    /// Who merged it, where the forge tells.
    pub merged: Option<String>,
    /// Who approved it, and what of it.
    pub approvals: Vec<(String, Did)>,
}

impl Merged {
    /// What accounts did to bring `commit` to the branch.
    pub fn deeds(&self, commit: &str) -> impl Iterator<Item = Deed> {
        let merged = self.merged.iter().map(|by| (by, Did::Merged));
        let approved = self.approvals.iter().map(|(by, did)| (by, *did));
        merged.chain(approved).map(|(account, did)| Deed {
            account: account.clone(),
            did,
            pull: self.number,
            commit: commit.to_owned(),
        })
    }
}

/// The approvals among `reviews`, and whether they are of `head`.
pub fn approvals<'r>(reviews: &'r [Review], head: &str) -> impl Iterator<Item = (&'r Review, Did)> {
    let approving = reviews
        .iter()
        .filter(|review| review.opinion == Opinion::Approved);
    approving.map(move |review| {
        let did = match review.commit.as_deref() {
            Some(commit) if commit == head => Did::Approved,
            Some(_) => Did::ApprovedEarlier,
            None => Did::ApprovedUnknown,
        };
        (review, did)
    })
}

/// The pull request that brought `commit` to `branch`, unless it is known already, and who stands behind it
/// now; `None` where none did.
///
/// # Errors
/// When the forge can't be asked.
pub(super) async fn ask(
    forge: &dyn Forge,
    commit: CommitId,
    branch: &str,
    known: Option<Pull>,
) -> Result<Option<(Pull, Merged)>, forge::Error> {
    let pull = match known {
        Some(pull) => pull,
        None => match forge.merged_by(&commit.to_string(), branch).await? {
            // Its texts are of no use, and may be long.
            Some(pull) => Pull {
                title: String::new(),
                body: String::new(),
                ..pull
            },
            None => return Ok(None),
        },
    };
    let State::Merged {
        by, commit: merge, ..
    } = &pull.state
    else {
        return Ok(None);
    };
    let reviews = forge.reviews(&pull).await?;
    let approvals = approvals(&reviews, &pull.head);
    let merged = Merged {
        number: pull.number,
        head: pull.head.clone(),
        merge: merge.clone().unwrap_or_else(|| pull.head.clone()),
        opened: pull.author.clone(),
        merged: by.clone(),
        approvals: approvals
            .map(|(review, did)| (review.by.clone(), did))
            .collect(),
    };
    Ok(Some((pull, merged)))
}
