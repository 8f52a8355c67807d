//! People's decisions: the entries of a stage's decision file and of the freezes file, and what they come to.
//!
//! Invariant: a file is a list that is only ever added to, and later entries win. Who decided and when is
//! never read from an entry: whoever can write the file could write anything there.
//!
//! It refuses half a file: where one entry can't be understood, what was meant to be stopped is not
//! known, so the file's entries don't count and the mistake is told with its place.
//!
//! Reading order: this file (what can be decided), `items` and `read` (from text), `write` (to text),
//! `standing` (what the entries together come to); [`freeze`] (the same for stages of a name).

use std::fmt;

use jiff::Timestamp;

use crate::diag::Position;
use crate::image::{Digest, Image, Tag};

pub mod freeze;
mod items;
mod read;
mod standing;
mod write;

pub use read::{Mistake, legible, read};
pub use standing::{Hold, Rejection, in_force};
pub use write::append;

/// Where decision files are, from the root of a config repo.
pub const FOLDER: &str = ".tagwright/decisions/";

/// Where freezes are, stops of stages by name.
pub const FREEZES: &str = ".tagwright/freezes.yaml";

/// The file of a stage's decisions.
pub fn file_of(app: &str, stage: &str) -> String {
    format!("{FOLDER}{app}/{stage}.yaml")
}

/// The app and stage that a decision file is about.
pub fn about(path: &str) -> Option<(&str, &str)> {
    let (app, file) = path.strip_prefix(FOLDER)?.split_once('/')?;
    let stage = file.strip_suffix(".yaml")?;
    (!stage.contains('/')).then_some((app, stage))
}

/// One entry of a decision file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Entry {
    /// What was decided.
    pub decision: Decision,
    /// Where the entry begins.
    pub position: Position,
}

/// What a person decides about a stage.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Decision {
    /// This may be deployed.
    Approve {
        /// What.
        what: Decided,
        /// What it may replace.
        replaces: Option<String>,
    },
    /// This is not to be chosen.
    Reject {
        /// What.
        what: Decided,
        /// Why not.
        reason: Option<String>,
    },
    /// Nothing is to be changed.
    Hold {
        /// Why.
        reason: String,
        /// Until when; for good without.
        until: Option<Timestamp>,
    },
    /// No hold is in force any more.
    Release,
    /// This is to run, also where it is lower than what runs.
    Deploy {
        /// What.
        what: Decided,
        /// Why.
        reason: Option<String>,
    },
}

/// The reference that a decision is about: an image, a tag and perhaps the digest that was looked at.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Decided {
    /// The image.
    pub image: Image,
    /// The tag.
    pub tag: Tag,
    /// The digest.
    pub digest: Option<Digest>,
}

impl Decided {
    /// Whether `tag`, which points to `digest` as far as that is known, is what was decided on.
    pub fn is(&self, tag: &Tag, digest: Option<&Digest>) -> bool {
        let other = match (&self.digest, digest) {
            (Some(own), Some(digest)) => own != digest,
            _ => false,
        };
        self.tag == *tag && !other
    }
}

impl fmt::Display for Decided {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}", self.image, self.tag)?;
        match &self.digest {
            Some(digest) => write!(f, "@{digest}"),
            None => Ok(()),
        }
    }
}

impl Decision {
    /// Its key in the file, which is also the command's name.
    pub fn word(&self) -> &'static str {
        match self {
            Self::Approve { .. } => "approve",
            Self::Reject { .. } => "reject",
            Self::Hold { .. } => "hold",
            Self::Release => "release",
            Self::Deploy { .. } => "deploy",
        }
    }

    /// The reference that it is about, if it is about one.
    pub fn what(&self) -> Option<&Decided> {
        match self {
            Self::Approve { what, .. } | Self::Reject { what, .. } | Self::Deploy { what, .. } => {
                Some(what)
            }
            Self::Hold { .. } | Self::Release => None,
        }
    }

    /// Why, if a reason is given.
    pub fn reason(&self) -> Option<&str> {
        match self {
            Self::Reject { reason, .. } | Self::Deploy { reason, .. } => reason.as_deref(),
            Self::Hold { reason, .. } => Some(reason),
            Self::Approve { .. } | Self::Release => None,
        }
    }
}

#[cfg(test)]
mod tests;
