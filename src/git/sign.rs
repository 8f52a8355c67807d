//! Signing commits: a key, unlocked once, and the signatures that Git verifies.
//!
//! Invariant: a key that is configured and can't be used is an error, and never a commit without a
//! signature. The same key, bytes and time give the same signature, so commits stay deterministic.
//! A key is unlocked anew only when its text or passphrase has changed.
//!
//! It refuses keys that others could not verify: of an algorithm that is not written here, or expired.

#[cfg(feature = "openpgp")]
mod openpgp;
mod ssh;

pub(super) use ssh::NAMESPACE;

use std::sync::Arc;

use jiff::Timestamp;
use secrecy::{ExposeSecret as _, SecretString};

use crate::secret::{self, Secret};

/// A key for commits, as it is configured.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SigningKey {
    /// What kind of key it is.
    pub format: KeyFormat,
    /// The private key.
    pub key: Secret,
    /// What it is locked with, if it is.
    pub passphrase: Option<Secret>,
}

/// What kind of key signs, and thus what the signature looks like.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum KeyFormat {
    /// An OpenSSH private key: Ed25519 or ECDSA on P-256.
    Ssh,
    /// An OpenPGP secret key, in ASCII armor.
    #[cfg(feature = "openpgp")]
    OpenPgp,
}

/// Why a commit can't be signed.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The key or its passphrase can't be read.
    #[error("the signing key can't be read")]
    Secret(#[from] secret::Error),
    /// The text is no OpenSSH private key.
    #[error("the signing key is not an OpenSSH private key")]
    NotSsh(#[source] ssh_key::Error),
    /// The key is of a kind that is not used.
    #[error("the signing key is of the kind {0}, which is not supported")]
    Algorithm(String),
    /// The key is locked, and no passphrase is configured.
    #[error("the signing key has a passphrase, and none is configured")]
    Locked,
    /// The passphrase does not unlock the key.
    #[error("the passphrase does not unlock the signing key")]
    Passphrase,
    /// The SSH key can't sign.
    #[error("the SSH key could not sign")]
    Ssh(#[source] ssh_key::Error),
    /// The text is no OpenPGP secret key.
    #[cfg(feature = "openpgp")]
    #[error("the signing key is not an OpenPGP secret key")]
    NotOpenPgp(#[source] Box<pgp::errors::Error>),
    /// No part of the OpenPGP key is for signatures.
    #[cfg(feature = "openpgp")]
    #[error("no part of the OpenPGP key may sign")]
    NoSigningPart,
    /// The OpenPGP key can't sign.
    #[cfg(feature = "openpgp")]
    #[error("the OpenPGP key could not sign")]
    OpenPgp(#[source] Box<pgp::errors::Error>),
    /// The key had ended before the commit's time.
    #[error("the signing key expired at {0}")]
    Expired(Timestamp),
}

impl Error {
    /// What a person can do about it.
    pub fn hint(&self) -> Option<&'static str> {
        Some(match self {
            Self::NotSsh(_) => {
                "make one with `ssh-keygen -t ed25519`; `ssh-keygen -p -f FILE` rewrites an older format"
            }
            Self::Algorithm(_) => "make one with `ssh-keygen -t ed25519`",
            Self::Locked => "name where the passphrase is kept under `signing.passphrase`",
            Self::Passphrase => "compare `signing.passphrase` with the key's",
            #[cfg(feature = "openpgp")]
            Self::NotOpenPgp(_) => {
                "export it with `gpg --armor --export-secret-keys KEY`, or `--export-secret-subkeys`"
            }
            #[cfg(feature = "openpgp")]
            Self::NoSigningPart => "add a subkey for signing, and export it with the key",
            Self::Expired(_) => "extend it, and export it again",
            Self::Secret(_) | Self::Ssh(_) => return None,
            #[cfg(feature = "openpgp")]
            Self::OpenPgp(_) => return None,
        })
    }
}

/// An unlocked key.
#[derive(Debug)]
pub struct Signer(Unlocked);

/// The part that signs. Neither kind prints its secret: both crates hide it.
#[derive(Debug)]
enum Unlocked {
    Ssh(Box<ssh::Key>),
    #[cfg(feature = "openpgp")]
    OpenPgp(Box<openpgp::Key>),
}

impl Signer {
    /// The half of an SSH key that verifies.
    pub(super) fn ssh_public(&self) -> Option<&ssh_key::PublicKey> {
        match &self.0 {
            Unlocked::Ssh(key) => Some(key.public()),
            #[cfg(feature = "openpgp")]
            Unlocked::OpenPgp(_) => None,
        }
    }

    /// The armored signature of `bytes`, made at `time`, as Git stores it in a commit.
    ///
    /// # Errors
    /// When the key fails, or had expired by then.
    pub fn sign(&self, bytes: &[u8], time: Timestamp) -> Result<String, Error> {
        match (&self.0, time) {
            // A signature of SSH carries no time.
            (Unlocked::Ssh(key), _) => key.sign(bytes),
            #[cfg(feature = "openpgp")]
            (Unlocked::OpenPgp(key), time) => key.sign(bytes, time),
        }
    }
}

/// A configured key and, from its first use on, the unlocked one.
#[derive(Debug)]
pub struct Keyring {
    key: SigningKey,
    unlocked: Option<(Fingerprint, Arc<Signer>)>,
}

/// What the unlocked key was made from, without keeping it.
type Fingerprint = Vec<u8>;

impl Keyring {
    /// A key that has not been read yet.
    pub fn new(key: SigningKey) -> Self {
        Self {
            key,
            unlocked: None,
        }
    }

    /// The unlocked key. Unlocking may take half a second, so it is done again only after a change.
    ///
    /// # Errors
    /// When the key can't be read, or not be used.
    pub fn signer(&mut self) -> Result<Arc<Signer>, Error> {
        let text = self.key.key.read()?;
        let passphrase = self.key.passphrase.as_ref().map(Secret::read).transpose()?;
        let now = fingerprint(&text, passphrase.as_ref());
        if let Some((then, signer)) = &self.unlocked
            && *then == now
        {
            return Ok(Arc::clone(signer));
        }
        let unlocked = match self.key.format {
            KeyFormat::Ssh => {
                Unlocked::Ssh(Box::new(ssh::Key::unlock(&text, passphrase.as_ref())?))
            }
            #[cfg(feature = "openpgp")]
            KeyFormat::OpenPgp => {
                Unlocked::OpenPgp(Box::new(openpgp::Key::unlock(&text, passphrase.as_ref())?))
            }
        };
        let signer = Arc::new(Signer(unlocked));
        self.unlocked = Some((now, Arc::clone(&signer)));
        Ok(signer)
    }
}

fn fingerprint(text: &SecretString, passphrase: Option<&SecretString>) -> Fingerprint {
    let mut hash = ring::digest::Context::new(&ring::digest::SHA256);
    let text = text.expose_secret().as_bytes();
    hash.update(&(text.len() as u64).to_be_bytes());
    hash.update(text);
    hash.update(&[u8::from(passphrase.is_some())]);
    let passphrase = passphrase.map_or("", |passphrase| passphrase.expose_secret());
    hash.update(passphrase.as_bytes());
    hash.finish().as_ref().to_vec()
}
