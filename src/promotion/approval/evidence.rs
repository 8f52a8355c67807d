//! What people said of references, and what shows who they are.
//!
//! Invariant: a claim and a proof are told apart. A forge attests who merged and reviewed what; of what came
//! past it, it attests nothing.

use jiff::Timestamp;

use crate::image::{Digest, Image, Tag};

/// A person's word on a reference of one app and stage. All evidence is of the app and stage of the change.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Evidence {
    /// What is said.
    pub says: Says,
    /// Of which image.
    pub image: Image,
    /// Of which tag.
    pub tag: Tag,
    /// Of which digest, if that is said.
    pub digest: Option<Digest>,
    /// When it came to the branch.
    pub at: Timestamp,
    /// Its place in the file of decisions, where it is from there: later ones win.
    pub place: Option<usize>,
    /// What is known of who said it.
    pub by: Attested,
}

/// What is said of a reference.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Says {
    /// It may take the place of that one.
    Approve {
        /// That one, if it is named.
        replaces: Option<String>,
    },
    /// It is to run, whatever runs.
    Deploy,
    /// It is not to run.
    Reject,
}

/// What is known of who said something.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Attested {
    /// The commit that said it is not here.
    Unknown,
    /// What the commit shows.
    Commit(Act),
    /// What the forge shows.
    Forge(Deed),
    /// The forge shows nothing.
    Unattested {
        /// Why not.
        gap: Gap,
        /// The commit with which it came.
        commit: String,
    },
}

impl Attested {
    /// The commit that shows it, where there is one.
    pub(super) fn commit(&self) -> Option<&str> {
        match self {
            Self::Unknown => None,
            Self::Unattested { commit, .. } => Some(commit),
            Self::Commit(act) => Some(&act.commit),
            Self::Forge(deed) => Some(&deed.commit),
        }
    }
}

/// What an account at the forge did.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Deed {
    /// The account's name.
    pub account: String,
    /// What it did.
    pub did: Did,
    /// The number of the pull request.
    pub pull: u64,
    /// The commit that it is about: the one that was merged, or the head that was reviewed.
    pub commit: String,
}

/// What an account did to a pull request.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Did {
    /// It opened it.
    Opened,
    /// It merged it.
    Merged,
    /// It approved the very head that counts.
    Approved,
    /// It approved an earlier head.
    ApprovedEarlier,
    /// It approved a head that the forge does not tell.
    ApprovedUnknown,
}

/// Why a forge shows nothing of who said something.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Gap {
    /// It came by no pull request.
    Pushed,
    /// It came with the merge of this pull request, and is not what that proposes.
    Beside(u64),
    /// The forge does not tell who merged this pull request, and nobody approved it.
    Nobody(u64),
    /// The forge has been asked, and not answered yet.
    Awaited,
    /// The forge can't be asked, for this reason.
    Silent(String),
}

/// What a commit shows of who made it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Act {
    /// Its id.
    pub commit: String,
    /// Its author's address, which is a claim.
    pub author: String,
    /// Its signature.
    pub signature: Seal,
}

/// The signature of a commit, as it was checked.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Seal {
    /// It has none.
    None,
    /// It is good, and made by the key with this fingerprint.
    Good(String),
    /// It proves nothing, for a reason.
    Bad(String),
}
