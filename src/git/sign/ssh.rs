//! Signatures with OpenSSH keys, in the format of `ssh-keygen -Y sign` (OpenSSH's PROTOCOL.sshsig).
//!
//! Invariant: the namespace is Git's, so a signature is good for nothing else.
//!
//! It refuses RSA keys: the only crate for them has an advisory without a fix. Keys in hardware and
//! other curves are refused, too.

use secrecy::{ExposeSecret as _, SecretString};
use ssh_key::{Algorithm, EcdsaCurve, HashAlg, LineEnding, PrivateKey, PublicKey};

use super::Error;

/// Git's namespace (`git help config`, gpg.format).
pub const NAMESPACE: &str = "git";

/// An unlocked key.
#[derive(Debug)]
pub(super) struct Key(PrivateKey);

impl Key {
    /// Reads and unlocks a key.
    pub fn unlock(text: &SecretString, passphrase: Option<&SecretString>) -> Result<Self, Error> {
        let key = PrivateKey::from_openssh(text.expose_secret()).map_err(Error::NotSsh)?;
        let supported = matches!(
            key.algorithm(),
            Algorithm::Ed25519
                | Algorithm::Ecdsa {
                    curve: EcdsaCurve::NistP256
                }
        );
        if !supported {
            return Err(Error::Algorithm(key.algorithm().to_string()));
        }
        if !key.is_encrypted() {
            return Ok(Self(key));
        }
        let passphrase = passphrase.ok_or(Error::Locked)?;
        key.decrypt(passphrase.expose_secret())
            .map(Self)
            .map_err(|_| Error::Passphrase)
    }

    /// The half that verifies.
    pub fn public(&self) -> &PublicKey {
        self.0.public_key()
    }

    /// Signs `bytes`.
    pub fn sign(&self, bytes: &[u8]) -> Result<String, Error> {
        self.0
            .sign(NAMESPACE, HashAlg::Sha512, bytes)
            .and_then(|signature| signature.to_pem(LineEnding::LF))
            .map_err(Error::Ssh)
    }
}
