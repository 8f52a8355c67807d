//! How commits are made, as it is written.
//!
//! Invariant: a private key or passphrase written into the file is refused without being quoted.

use schemars::{Schema, json_schema};

use super::super::credential::{Guard, Guarded};
use super::super::duration::Window;
use super::super::read::{Scalar, choice, mirror};
use super::super::report::Mistake;
use super::super::template::{BodyTemplate, SubjectTemplate};
use super::values::Author;
use crate::secret::Secret;

/// Which changes of a pass make one commit.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Grouping {
    /// Those of one app and stage.
    #[default]
    AppStage,
    /// Those of one stage, whatever the app.
    Stage,
    /// All.
    Pass,
}

/// The same as it is written.
const GROUPINGS: [(&str, Grouping); 3] = [
    ("appStage", Grouping::AppStage),
    ("stage", Grouping::Stage),
    ("pass", Grouping::Pass),
];

impl Scalar for Grouping {
    fn parse(text: &str) -> Result<Self, Mistake> {
        choice(text, &GROUPINGS)
    }

    fn schema() -> Schema {
        json_schema!({"enum": GROUPINGS.map(|(word, _)| word), "default": "appStage"})
    }
}

mirror! {
    /// How commits are made.
    RawCommit requires [] {
        /// The author and committer, as `Name <mail>`.
        author = "author": Author,
        /// The subject, with blanks such as `{app}`; `{summary}` if nothing is said.
        subject = "subject": SubjectTemplate,
        /// The body above the trailers, with blanks; `{changes}` if nothing is said.
        body = "body": BodyTemplate,
        /// Whether a `Signed-off-by` line is added.
        sign_off = "signOff": bool,
        /// Whether images are asked what they were built from, for links to what changed; they are if nothing
        /// is said.
        links = "links": bool,
        /// Which changes make one commit.
        group = "group": Grouping,
        /// How long a service waits for more changes before it pushes, 1s to 1h; not at all if nothing is
        /// said.
        window = "window": Window,
        /// With which key commits are signed; not at all if nothing is said.
        signing = "signing": Guarded<RawSigning>,
    }
}

mirror! {
    /// With which key commits are signed, `ssh` or `openpgp`, or by the `forge`.
    RawSigning requires [] {
        /// An OpenSSH private key: Ed25519, or ECDSA on P-256.
        ssh = "ssh": Secret,
        /// An OpenPGP secret key in ASCII armor; its newest subkey for signing is used, else itself.
        openpgp = "openpgp": Secret,
        /// What the key is locked with.
        passphrase = "passphrase": Secret,
        /// Whether the forge makes the commits and signs them.
        forge = "forge": bool,
    }
}

impl Guard for RawSigning {
    const SHOWN: &'static [&'static str] = &[];
}
