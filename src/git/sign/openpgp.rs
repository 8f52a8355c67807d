//! Signatures with OpenPGP keys (RFC 9580), as `gpg` makes them.
//!
//! Invariant: one part of the key signs, chosen when it is unlocked: the newest subkey for signing, else
//! the primary key. The signature's time is the commit's, so nothing depends on when it was made.
//!
//! It refuses keys of another version than 4, which `gpg` does not read.

use std::time::Duration;

use jiff::Timestamp;
use pgp::composed::{ArmorOptions, Deserializable as _, DetachedSignature, SignedSecretKey};
use pgp::packet::{
    SecretKey, SecretSubkey, Signature, SignatureConfig, SignatureType, Subpacket, SubpacketData,
};
use pgp::types::{KeyDetails, KeyVersion, Password, SigningKey};
use secrecy::{ExposeSecret as _, SecretString};

use super::Error;

/// An unlocked key.
#[derive(Debug)]
pub(super) struct Key {
    part: Part,
    expires: Option<Timestamp>,
}

/// The part that signs.
#[derive(Debug)]
enum Part {
    Primary(SecretKey),
    Subkey(SecretSubkey),
}

impl Key {
    /// Reads a key and unlocks the part that signs.
    pub fn unlock(text: &SecretString, passphrase: Option<&SecretString>) -> Result<Self, Error> {
        let (key, _) = SignedSecretKey::from_string(text.expose_secret())
            .map_err(|error| Error::NotOpenPgp(Box::new(error)))?;
        let (mut part, expires) = choose(key)?;
        if part.details().version() != KeyVersion::V4 {
            let version = u8::from(part.details().version());
            return Err(Error::Algorithm(format!("OpenPGP version {version}")));
        }
        let locked = match &part {
            Part::Primary(key) => key.secret_params().is_encrypted(),
            Part::Subkey(key) => key.secret_params().is_encrypted(),
        };
        if locked {
            let passphrase = passphrase.ok_or(Error::Locked)?.expose_secret();
            let password = Password::from(passphrase);
            match &mut part {
                Part::Primary(key) => key.remove_password(&password),
                Part::Subkey(key) => key.remove_password(&password),
            }
            .map_err(|_| Error::Passphrase)?;
        }
        Ok(Self { part, expires })
    }

    /// Signs `bytes` at `time`.
    pub fn sign(&self, bytes: &[u8], time: Timestamp) -> Result<String, Error> {
        if let Some(expires) = self.expires.filter(|expires| *expires <= time) {
            return Err(Error::Expired(expires));
        }
        let signature = match &self.part {
            Part::Primary(key) => sign(key, bytes, time),
            Part::Subkey(key) => sign(key, bytes, time),
        };
        signature
            .and_then(|signature| {
                DetachedSignature::new(signature).to_armored_string(ArmorOptions::default())
            })
            .map_err(|error| Error::OpenPgp(Box::new(error)))
    }
}

impl Part {
    fn details(&self) -> &dyn KeyDetails {
        match self {
            Self::Primary(key) => key,
            Self::Subkey(key) => key,
        }
    }
}

/// The part of `key` that signs, and when it ends.
fn choose(key: SignedSecretKey) -> Result<(Part, Option<Timestamp>), Error> {
    let subkey = key
        .secret_subkeys
        .into_iter()
        .filter(|subkey| may_sign(&subkey.signatures))
        .max_by_key(|subkey| subkey.key.created_at().as_secs());
    if let Some(subkey) = subkey {
        let expires = ends(&subkey.key, &subkey.signatures);
        return Ok((Part::Subkey(subkey.key), expires));
    }
    let mut own = key.details.direct_signatures;
    own.extend(
        key.details
            .users
            .into_iter()
            .flat_map(|user| user.signatures),
    );
    if !may_sign(&own) {
        return Err(Error::NoSigningPart);
    }
    let expires = ends(&key.primary_key, &own);
    Ok((Part::Primary(key.primary_key), expires))
}

/// Whether a part may sign, by the newest statement of its owner.
fn may_sign(statements: &[Signature]) -> bool {
    newest(statements).is_some_and(|statement| statement.key_flags().sign())
}

fn newest(statements: &[Signature]) -> Option<&Signature> {
    let made = |statement: &&Signature| statement.created().map(|at| at.as_secs());
    statements.iter().max_by_key(made)
}

/// When a part ends, by the newest statement of its owner; a time of zero is none (RFC 9580 5.2.3.13).
fn ends(part: &impl KeyDetails, statements: &[Signature]) -> Option<Timestamp> {
    let lasts = u64::from(newest(statements)?.key_expiration_time()?.as_secs());
    let end = u64::from(part.created_at().as_secs()) + lasts;
    let end = Timestamp::UNIX_EPOCH
        .checked_add(Duration::from_secs(end))
        .ok()?;
    (lasts > 0).then_some(end)
}

fn sign(
    key: &impl SigningKey,
    bytes: &[u8],
    time: Timestamp,
) -> Result<Signature, pgp::errors::Error> {
    // Times of OpenPGP end in 2106, and none is before 1970.
    let seconds = u32::try_from(time.as_second().max(0)).unwrap_or(u32::MAX);
    let made = SubpacketData::SignatureCreationTime(pgp::types::Timestamp::from_secs(seconds));
    let mut config = SignatureConfig::v4(SignatureType::Binary, key.algorithm(), key.hash_alg());
    config.hashed_subpackets = vec![
        Subpacket::critical(made)?,
        Subpacket::regular(SubpacketData::IssuerFingerprint(key.fingerprint()))?,
    ];
    config.unhashed_subpackets = vec![Subpacket::regular(SubpacketData::IssuerKeyId(
        key.legacy_key_id(),
    ))?];
    config.sign(key, &Password::empty(), bytes)
}
