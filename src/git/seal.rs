//! Who signed a commit: the public keys of people, and the signature of a commit checked by itself.
//!
//! Invariant: a commit is somebody's only by a signature over its very bytes, made for Git, with a key whose
//! kind can be checked here. Whose key it is, is not known here.
//!
//! It refuses certificates and RSA keys, which can't be verified here, and OpenPGP signatures.
//!
//! Sources: OpenSSH's PROTOCOL.sshsig; gitformat-signature.

use std::str::FromStr;

use ssh_key::{Algorithm, EcdsaCurve, HashAlg, PublicKey as SshKey, SshSig};

use super::sign::NAMESPACE;
use super::{CommitId, Error, Reader};

/// What an armored SSH signature begins with (PROTOCOL.sshsig, "Armored format").
const SSH: &str = "-----BEGIN SSH SIGNATURE-----";

/// A public key that signatures can be checked with.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PublicKey {
    fingerprint: String,
}

impl PublicKey {
    /// Its fingerprint, `SHA256:…`, as `ssh-keygen -l` prints it.
    pub fn fingerprint(&self) -> &str {
        &self.fingerprint
    }
}

/// Why a text is no public key.
#[derive(Debug, thiserror::Error)]
pub enum KeyError {
    /// It is no key.
    #[error("this is not an OpenSSH public key")]
    NotAKey(#[source] ssh_key::Error),
    /// It is of a kind that is not used.
    #[error("this key is of the kind {0}, which is not supported")]
    Algorithm(String),
}

impl KeyError {
    /// What a person can do about it.
    pub fn hint(&self) -> &'static str {
        match self {
            Self::NotAKey(_) => "paste the line of a `.pub` file, such as `ssh-ed25519 AAAA…`",
            Self::Algorithm(_) => "make one with `ssh-keygen -t ed25519`",
        }
    }
}

impl FromStr for PublicKey {
    type Err = KeyError;

    fn from_str(text: &str) -> Result<Self, KeyError> {
        let key = SshKey::from_openssh(text.trim()).map_err(KeyError::NotAKey)?;
        if !is_supported(&key.algorithm()) {
            return Err(KeyError::Algorithm(key.algorithm().to_string()));
        }
        Ok(Self {
            fingerprint: key.fingerprint(HashAlg::Sha256).to_string(),
        })
    }
}

fn is_supported(algorithm: &Algorithm) -> bool {
    matches!(
        algorithm,
        Algorithm::Ed25519
            | Algorithm::SkEd25519
            | Algorithm::SkEcdsaSha2NistP256
            | Algorithm::Ecdsa {
                curve: EcdsaCurve::NistP256
            }
    )
}

/// The signature of a commit, checked.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Sealed {
    /// There is none.
    No,
    /// It is good, by the key with this fingerprint.
    By(String),
    /// It proves nothing, for a reason.
    Bad(String),
}

/// Checks the signature of `commit`.
///
/// # Errors
/// When the commit can't be read.
pub fn sealed(reader: &Reader, commit: CommitId) -> Result<Sealed, Error> {
    let Some((signature, content)) = reader.signature(commit)? else {
        return Ok(Sealed::No);
    };
    Ok(check(&signature, &content))
}

fn check(signature: &str, content: &[u8]) -> Sealed {
    let signature = signature.trim();
    if !signature.starts_with(SSH) {
        return Sealed::Bad("it is not one of an SSH key".to_owned());
    }
    let signature = match SshSig::from_pem(signature) {
        Ok(signature) => signature,
        Err(error) => return Sealed::Bad(error.to_string()),
    };
    let key = SshKey::from(signature.public_key().clone());
    if !is_supported(&key.algorithm()) {
        return Sealed::Bad(format!(
            "keys of the kind {} are not supported",
            key.algorithm()
        ));
    }
    match key.verify(NAMESPACE, content, &signature) {
        Ok(()) => Sealed::By(key.fingerprint(HashAlg::Sha256).to_string()),
        Err(_) => Sealed::Bad("it is not of this commit".to_owned()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use ssh_key::{LineEnding, PrivateKey};

    const RSA: &str = "ssh-rsa AAAAB3NzaC1yc2EAAAADAQABAAABAQCqRs/Swe+ffS+jlS+I1de4bzmAoi30/iIz64lcab78lduzKy+MhKlSbhZxTrOJsqeKWWZJjTNc6YHO9WwNyLNfpYKSw9n9YWbBJPMRzwUxc9NQXwGXZWxbY4e5bRzjLnuenqnMQlucO/OVQ+vI5ai7uhX+GXQYkRah+Xp1ITDiqsPT4NZ+Skaf0ZEJnJX1hQmBYQfct/dSL8Lq6wrYW02RH4wyVXP7UYyUJYOP2MObvx7D2U0OsCGrpM4v89Gg6NSNZoe+aNOovVB0aqqhlQZgzdf0NU+wshS6736MMZwiPU3TqKFhm4TFFgRIFKW93OdvKZ/nba43oVuRkpJwIuxf";

    fn key(seed: u8) -> PrivateKey {
        let pair = ssh_key::private::Ed25519Keypair::from_seed(&[seed; 32]);
        PrivateKey::from(pair)
    }

    #[test]
    fn a_key_is_known_by_its_fingerprint() {
        let key = key(1);
        let line = key.public_key().to_openssh().unwrap();
        let read: PublicKey = format!("{line} ada@example.com\n").parse().unwrap();
        let expected = key.fingerprint(HashAlg::Sha256).to_string();
        assert_eq!(read.fingerprint(), expected);
        assert!(expected.starts_with("SHA256:"), "{expected}");
    }

    #[test]
    fn what_is_no_usable_key_is_refused() {
        for text in ["", "ada", "ssh-ed25519 AAAA", "ssh-ed25519"] {
            let error = text.parse::<PublicKey>().unwrap_err();
            assert!(matches!(error, KeyError::NotAKey(_)), "{text}: {error}");
        }
        let error = RSA.parse::<PublicKey>().unwrap_err();
        assert!(matches!(error, KeyError::Algorithm(_)), "{error}");
    }

    #[test]
    fn a_signature_is_of_its_bytes_and_for_git() {
        let key = key(2);
        let sign = |namespace: &str, bytes: &[u8]| {
            let signature = key.sign(namespace, HashAlg::Sha512, bytes).unwrap();
            signature.to_pem(LineEnding::LF).unwrap()
        };
        let own = key.fingerprint(HashAlg::Sha256).to_string();
        assert_eq!(check(&sign("git", b"a"), b"a"), Sealed::By(own));
        for (signature, content) in [
            (sign("git", b"a"), &b"b"[..]),
            (sign("file", b"a"), b"a"),
            ("-----BEGIN PGP SIGNATURE-----\n".to_owned(), b"a"),
            (format!("{SSH}\nAAAA\n"), b"a"),
            (String::new(), b"a"),
        ] {
            let found = check(&signature, content);
            assert!(matches!(found, Sealed::Bad(_)), "{signature}: {found:?}");
        }
    }
}
