//! Why a site was found but isn't written.
//!
//! Invariant: each reason can be read by someone who sees only the file: it says what is in the way
//! and, where there is one, what to do. It carries no file name; the caller knows it.

use std::fmt;

use serde::{Deserialize, Serialize};

use super::Part;
use crate::diag::Position;

/// Why a site isn't written.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, thiserror::Error)]
#[serde(rename_all = "camelCase")]
pub enum Refusal {
    /// An anchor and its aliases (or a merge) share the value, so that changing it changes more
    /// than this site.
    #[error("the value is shared: anchored at {anchor} and used again at {alias}")]
    Shared {
        /// Where the anchored node starts.
        anchor: Position,
        /// Where the first alias is.
        alias: Position,
    },
    /// A mapping around the site has a key twice, or a list of parameters a name; readers disagree which
    /// one counts.
    #[error("`{key}` is written twice, at {first} and {second}")]
    DuplicateKey {
        /// The key.
        key: String,
        /// Where it first is.
        first: Position,
        /// Where it is again.
        second: Position,
    },
    /// The document is encrypted by SOPS, whose checksum covers every value of it.
    #[error("the document is encrypted with SOPS; an edit would break its checksum")]
    Encrypted,
    /// The scalar carries a YAML tag that makes it something other than a string, or JSON has
    /// something other than a string there.
    #[error("the value is not a string; put it in double quotes, without a YAML tag")]
    NotText,
    /// The value evidently isn't the part that its key or marker says.
    #[error("a {wanted} belongs here, and `{value}` is not one{}", Hint(hint))]
    Misfit {
        /// What belongs there.
        wanted: Part,
        /// The value.
        value: String,
        /// What to do about it.
        hint: Option<String>,
    },
    /// Two markers of one scalar disagree.
    #[error("two markers claim this value, at {first} and {second}")]
    TwoMarkers {
        /// Where the first is.
        first: Position,
        /// Where the second is.
        second: Position,
    },
    /// The targets of two apps, or two of one app, claim this value.
    #[error(
        "targets of {} claim this value; nobody writes it",
        Apps(first, second)
    )]
    TwoTargets {
        /// One of the apps.
        first: String,
        /// The other.
        second: String,
    },
    /// The value is filled in by some other tool.
    #[error("the value `{value}` is a template")]
    Template {
        /// The value.
        value: String,
    },
    /// The value, as it is or would be, reads as something else than text without quotes.
    #[error("`{value}` isn't safe without quotes here; put quotes around the present value")]
    Unquoted {
        /// The value.
        value: String,
    },
    /// The value has no place where text could be put, such as an empty block scalar.
    #[error("the value is empty in a form that can't be filled; write `\"\"` there")]
    NoPlace,
    /// The tag stands beside the names of several images.
    #[error(
        "one tag for several images, named at {first} and {second}; mark the tag with the app that owns it"
    )]
    TagOfSeveral {
        /// Where the first image is named.
        first: Position,
        /// Where another is.
        second: Position,
    },
    /// The tag is empty, and a tag for all images of the chart stands elsewhere.
    #[error("the tag is left to `global` at {position}; mark that one with the app that owns it")]
    GlobalTag {
        /// Where that tag is.
        position: Position,
    },
    /// A digest in a key of its own stands beside a complete reference.
    #[error(
        "a digest stands beside the reference, at {position}; keep name, tag and digest in keys of their own"
    )]
    DigestBeside {
        /// Where the digest is.
        position: Position,
    },
    /// The digits of a digest stand beside the tag, without the algorithm that makes them one.
    #[error(
        "the digits of a digest stand beside the tag, at {position}; remove them, or write the tag as TAG@sha256:DIGITS"
    )]
    BareDigest {
        /// Where they are.
        position: Position,
    },
    /// The values are a text whose bytes aren't those of the YAML in it.
    #[error(
        "the values are a quoted or folded text; write them as a literal block (`values: |`), or as `valuesObject`"
    )]
    TextForm,
    /// Only a tag can be written here, because the name also says what is to be replaced.
    #[error(
        "the name can't be changed here; write `{name}=NEW:TAG` to replace it by another image"
    )]
    FixedName {
        /// The name.
        name: String,
    },
    /// A key that the change needs isn't there.
    #[error("the entry has no `{key}`; add the line `{line}` to it")]
    MissingKey {
        /// The missing key.
        key: String,
        /// The line to add.
        line: String,
    },
    /// The site names no image, and the change doesn't say which to write.
    #[error("the value names no image to keep")]
    NoName,
    /// The name to write isn't an image name.
    #[error("`{name}` is not an image name")]
    BadName {
        /// The name.
        name: String,
    },
    /// The site holds a digest and none is known for the new tag.
    #[error("the site holds a digest, and the digest of the new tag isn't known")]
    DigestUnknown,
    /// The target has a digest only, and the site holds none.
    #[error("the site holds no digest to replace")]
    NoDigest,
    /// A digest or tag that the target lacks has a key of its own.
    #[error(
        "the new reference has no {part}, but a key of its own holds one; remove that line first"
    )]
    OwnKey {
        /// What the target lacks.
        part: Part,
    },
    /// A comment takes the site out.
    #[error("a comment says `tagwright: ignore`")]
    Ignored,
    /// Two changes of one call want different things at the site.
    #[error("two changes want different values here")]
    Conflict,
    /// The index is of other bytes than those to be rewritten.
    #[error("the file is not the one that was indexed")]
    Stale,
    /// After the edit, the file didn't show exactly the intended change.
    #[error("the edited file would not show exactly this change: {found}")]
    Unverified {
        /// What was found instead.
        found: String,
    },
}

/// One app or two.
struct Apps<'a>(&'a str, &'a str);

impl fmt::Display for Apps<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.0 == self.1 {
            write!(f, "`{}`", self.0)
        } else {
            write!(f, "`{}` and `{}`", self.0, self.1)
        }
    }
}

/// Advice after a reason, if there is some.
struct Hint<'a>(&'a Option<String>);

impl fmt::Display for Hint<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.0 {
            Some(hint) => write!(f, "; {hint}"),
            None => Ok(()),
        }
    }
}
