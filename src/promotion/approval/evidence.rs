//! What people said of references, and what shows who they are.
//!
//! Invariant: a claim and a proof are told apart. What a forge attests will be one more kind of
//! [`Attested`].

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
