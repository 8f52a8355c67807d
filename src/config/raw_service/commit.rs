//! How commits are made, as it is written.
//!
//! Invariant: a private key or passphrase written into the file is refused without being quoted.

use super::super::credential::{Guard, Guarded};
use super::super::read::mirror;
use super::values::Author;
use crate::secret::Secret;

mirror! {
    /// How commits are made.
    RawCommit requires [] {
        /// The author and committer, as `Name <mail>`.
        author = "author": Author,
        /// With which key commits are signed; not at all if nothing is said.
        signing = "signing": Guarded<RawSigning>,
    }
}

mirror! {
    /// With which key commits are signed: one of `ssh` and `openpgp`.
    RawSigning requires [] {
        /// An OpenSSH private key: Ed25519, or ECDSA on P-256.
        ssh = "ssh": Secret,
        /// An OpenPGP secret key in ASCII armor; its newest subkey for signing is used, else itself.
        openpgp = "openpgp": Secret,
        /// What the key is locked with.
        passphrase = "passphrase": Secret,
    }
}

impl Guard for RawSigning {
    const SHOWN: &'static [&'static str] = &[];
}
