//! Consents in words for a person.
//!
//! Invariant: one line, and nothing in it that a commit could have put there unseen.

use std::fmt;

use super::{How, Uncounted, Why};
use crate::diag;

/// Longest text of a commit that is quoted, in characters.
const MAX_QUOTED: usize = 80;

/// Longest words of a forge that are quoted, in characters.
const MAX_REASON: usize = 200;

/// As many digits of a commit's id as `git log --oneline` shows in a large repository.
const SHORT: usize = 12;

fn quoted(text: &str) -> String {
    diag::visible(text).chars().take(MAX_QUOTED).collect()
}

impl fmt::Display for Why {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::OtherReference => f.write_str("it is of another reference"),
            Self::NoDigest => f.write_str("it names no digest"),
            Self::OtherDigest => f.write_str("it is of another digest"),
            Self::NoReplaces => f.write_str("it does not say what it `replaces`"),
            Self::OtherReplaces(named) => {
                write!(f, "it replaces {}, which does not run", quoted(named))
            }
            Self::Left => f.write_str("the stage was moved back from it afterwards"),
            Self::Rejected => f.write_str("the reference was rejected afterwards"),
            Self::Expired(at) => write!(f, "it expired at {at}"),
            Self::Future(at) => write!(f, "it is dated {at}, which is yet to come"),
            Self::NotFetched => f.write_str("who gave it is not known here"),
            Self::Unsigned => f.write_str("its commit is not signed"),
            Self::BadSignature(why) => {
                write!(f, "its commit's signature can't be used: {}", quoted(why))
            }
            Self::UnknownKey(key) => write!(
                f,
                "its commit is signed with a key of nobody, {}",
                quoted(key)
            ),
            Self::UnknownAuthor(email) => {
                write!(
                    f,
                    "its commit's author <{}> is nobody who is listed",
                    quoted(email)
                )
            }
            Self::NotByForge => f.write_str("the forge does not attest it"),
            Self::Pushed => f.write_str(
                "it came by a push, and the forge attests only what comes by a pull request",
            ),
            Self::Beside(pull) => write!(
                f,
                "it is not what pull request #{pull} proposes, or not in the last of the commits that it \
                 was merged as"
            ),
            Self::Nobody(pull) => write!(
                f,
                "the forge does not tell who merged pull request #{pull}, and nobody approved it"
            ),
            Self::Awaited => f.write_str("the forge is asked who gave it"),
            Self::Silent(why) => write!(
                f,
                "the forge can't be asked who gave it: {}",
                diag::quoted(why, MAX_REASON)
            ),
            Self::UnknownAccount(account) => {
                write!(
                    f,
                    "nobody who is listed is `{}` at the forge",
                    quoted(account)
                )
            }
            Self::EarlierHead => {
                f.write_str("the review is of an earlier state of the pull request")
            }
            Self::UnknownHead => f.write_str(
                "the forge does not tell which state of the pull request the review is of",
            ),
            Self::MayNot => f.write_str("it is of a person who may not"),
            Self::Author => f.write_str("it is of the person who asks for the change"),
            Self::AuthorUnknown => f.write_str(
                "it isn't proven who asks for the change, and that person may not approve it",
            ),
            Self::Duplicate => f.write_str("the same person approves it in another one"),
        }
    }
}

impl fmt::Display for Uncounted {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("the approval")?;
        if let Some(person) = &self.person {
            write!(f, " of {person}")?;
        }
        if let Some(short) = self.commit.as_deref().and_then(|id| id.get(..SHORT)) {
            write!(f, " (commit {short}, {})", self.at)?;
        }
        write!(f, " does not count: {}", self.why)
    }
}

impl fmt::Display for How {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Key(key) => write!(f, "signed with {}", quoted(key)),
            Self::Author => f.write_str("by the author's address, not proven"),
            Self::Merge(pull) => write!(f, "merged pull request #{pull}"),
            Self::Review(pull) => write!(f, "approved pull request #{pull}"),
        }
    }
}
