//! Whether a commit is signed by one of the keys that are allowed, as OpenSSH lists them.
//!
//! Invariant: a commit passes only by a signature over its very bytes, made for Git, with a listed key that
//! was valid at the commit's time. As a commit names its tree and its parents by their hashes, what it points
//! to passes with it. The file is read at each use, and a line of it that can't be understood is told, rather
//! than passed over.
//!
//! It refuses certificates and RSA keys, which can't be verified here, and OpenPGP signatures.
//!
//! Sources: ssh-keygen(1), "ALLOWED SIGNERS"; OpenSSH's PROTOCOL.sshsig; gitformat-signature.

use std::path::{Path, PathBuf};

use jiff::Timestamp;
use jiff::civil::DateTime;
use jiff::tz::TimeZone;
use ssh_key::{HashAlg, PublicKey, SshSig};

use super::sign::{NAMESPACE, Signer};
use super::{CommitId, Reader};

/// Largest file of signers read, in bytes: some ten thousand keys.
const MAX_FILE: u64 = 4 * 1024 * 1024;

/// Why a commit is not trusted.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The file of signers can't be read.
    #[error("the allowed signers {} can't be read", path.display())]
    File {
        /// The file.
        path: PathBuf,
        /// Why not.
        source: std::io::Error,
    },
    /// A line of it can't be used.
    #[error("line {line} of the allowed signers {} can't be used: {why}", path.display())]
    Line {
        /// The file.
        path: PathBuf,
        /// The line, from 1.
        line: usize,
        /// Why not.
        why: &'static str,
    },
    /// The commit has no signature.
    #[error("it is not signed")]
    Unsigned,
    /// The commit is signed in another way.
    #[error("it is not signed with an SSH key")]
    Other,
    /// Nobody listed has the key.
    #[error("it is signed with a key that is not allowed, {0}")]
    Unknown(String),
    /// The key is listed, but not for that time.
    #[error("it is signed with a key that was not allowed at {at}, {key}")]
    NotThen {
        /// The key's fingerprint.
        key: String,
        /// The commit's time.
        at: Timestamp,
    },
    /// The signature is not of this commit.
    #[error("its signature is not valid")]
    Invalid(#[source] ssh_key::Error),
}

impl Error {
    /// What a person can do about it.
    pub fn hint(&self) -> Option<&'static str> {
        match self {
            Self::Line { .. } => Some("write `MAIL KEYTYPE KEY`, as `ssh-keygen` reads it"),
            Self::Unsigned | Self::Other | Self::Unknown(_) | Self::NotThen { .. } => Some(
                "have the branch's next commit signed with an allowed key: it vouches for all before it",
            ),
            Self::File { .. } | Self::Invalid(_) => None,
        }
    }
}

/// The keys that may sign what is acted on.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AllowedSigners {
    /// The file that lists them.
    pub file: PathBuf,
}

/// A line of the file.
#[derive(Debug)]
struct Line {
    key: PublicKey,
    for_git: bool,
    after: Option<Timestamp>,
    before: Option<Timestamp>,
}

impl AllowedSigners {
    /// Checks that `commit` is signed by one of them, or by the key `own`.
    ///
    /// # Errors
    /// When it is not, or that can't be told.
    pub fn check(
        &self,
        reader: &Reader,
        commit: CommitId,
        own: Option<&Signer>,
    ) -> Result<(), super::Error> {
        let at = reader.commit_info(commit)?.committed;
        let signed = reader.signature(commit)?;
        let checked = match &signed {
            Some((signature, content)) => {
                self.verify(signature, content, at, own.and_then(Signer::ssh_public))
            }
            None => Err(Error::Unsigned),
        };
        checked.map_err(|source| super::Error::Untrusted { commit, source })
    }

    /// Checks the signature of `content`, which was committed `at` a time.
    fn verify(
        &self,
        signature: &str,
        content: &[u8],
        at: Timestamp,
        own: Option<&PublicKey>,
    ) -> Result<(), Error> {
        let lines = self.lines()?;
        if !signature
            .trim_start()
            .starts_with("-----BEGIN SSH SIGNATURE-----")
        {
            return Err(Error::Other);
        }
        let signature = SshSig::from_pem(signature.trim()).map_err(Error::Invalid)?;
        let is = |key: &PublicKey| key.key_data() == signature.public_key();
        let name = || {
            let key = PublicKey::from(signature.public_key().clone());
            key.fingerprint(HashAlg::Sha256).to_string()
        };
        let mut listed = lines
            .iter()
            .filter(|line| line.for_git && is(&line.key))
            .peekable();
        let key = match own.filter(|own| is(own)) {
            Some(own) => own,
            None if listed.peek().is_none() => return Err(Error::Unknown(name())),
            None => match listed.find(|line| line.holds(at)) {
                Some(line) => &line.key,
                None => return Err(Error::NotThen { key: name(), at }),
            },
        };
        key.verify(NAMESPACE, content, &signature)
            .map_err(Error::Invalid)
    }

    fn lines(&self) -> Result<Vec<Line>, Error> {
        let text = read(&self.file).map_err(|source| Error::File {
            path: self.file.clone(),
            source,
        })?;
        let lines = text.lines().enumerate().filter(|(_, line)| {
            let line = line.trim();
            !line.is_empty() && !line.starts_with('#')
        });
        let read = lines.map(|(number, line)| {
            Line::read(line.trim()).map_err(|why| Error::Line {
                path: self.file.clone(),
                line: number + 1,
                why,
            })
        });
        read.collect()
    }
}

fn read(path: &Path) -> std::io::Result<String> {
    if std::fs::metadata(path)?.len() > MAX_FILE {
        return Err(std::io::Error::other("it is too large"));
    }
    std::fs::read_to_string(path)
}

impl Line {
    fn holds(&self, at: Timestamp) -> bool {
        self.after.is_none_or(|after| after <= at) && self.before.is_none_or(|before| at < before)
    }

    fn read(text: &str) -> Result<Self, &'static str> {
        let (_principals, rest) = word(text).ok_or("it names nobody")?;
        let mut line = rest.trim_start();
        let mut options = "";
        // Options come before the key's kind, which no option looks like.
        let (first, after) = word(line).ok_or("it has no key")?;
        if !is_kind(first) {
            (options, line) = (first, after.trim_start());
        }
        let mut read = Self {
            key: PublicKey::from_openssh(line).map_err(|_| "its key can't be read")?,
            for_git: true,
            after: None,
            before: None,
        };
        for option in split(options) {
            read.option(option)?;
        }
        Ok(read)
    }

    fn option(&mut self, text: &str) -> Result<(), &'static str> {
        let (name, value) = text.split_once('=').unwrap_or((text, ""));
        let value = value.trim_matches('"');
        match name.to_ascii_lowercase().as_str() {
            "" => {}
            "cert-authority" => return Err("certificates are not supported"),
            "namespaces" => {
                let mut names = value.split(',');
                self.for_git = names.any(|name| name == NAMESPACE || name == "*");
            }
            "valid-after" => self.after = Some(time(value).ok_or("its `valid-after` is no time")?),
            "valid-before" => {
                self.before = Some(time(value).ok_or("its `valid-before` is no time")?);
            }
            _ => return Err("it has an option that is not known"),
        }
        Ok(())
    }
}

/// Whether this is what a key begins with.
fn is_kind(word: &str) -> bool {
    ["ssh-", "ecdsa-", "sk-"]
        .iter()
        .any(|kind| word.starts_with(kind))
}

/// The first word, in which quotes may hold blanks, and the rest.
fn word(text: &str) -> Option<(&str, &str)> {
    let mut quoted = false;
    let end = text.find(|c: char| {
        quoted ^= c == '"';
        !quoted && c.is_whitespace()
    })?;
    (end > 0).then(|| text.split_at(end))
}

/// Options, separated by commas outside of quotes.
fn split(text: &str) -> impl Iterator<Item = &str> {
    let mut quoted = false;
    text.split(move |c: char| {
        quoted ^= c == '"';
        !quoted && c == ','
    })
}

/// `YYYYMMDD[HHMM[SS]][Z]`; without `Z` in the machine's own time zone.
fn time(text: &str) -> Option<Timestamp> {
    let (digits, zone) = match text.strip_suffix('Z') {
        Some(digits) => (digits, TimeZone::UTC),
        None => (text, TimeZone::system()),
    };
    if !digits.bytes().all(|c| c.is_ascii_digit()) {
        return None;
    }
    let number = |range: std::ops::Range<usize>| digits.get(range)?.parse::<i8>().ok();
    let year = digits.get(..4)?.parse::<i16>().ok()?;
    let (hour, minute, second) = match digits.len() {
        8 => (0, 0, 0),
        12 => (number(8..10)?, number(10..12)?, 0),
        14 => (number(8..10)?, number(10..12)?, number(12..14)?),
        _ => return None,
    };
    let (month, day) = (number(4..6)?, number(6..8)?);
    let time = DateTime::new(year, month, day, hour, minute, second, 0).ok()?;
    Some(time.to_zoned(zone).ok()?.timestamp())
}

#[cfg(test)]
mod tests {
    use super::*;

    const KEY: &str =
        "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8g";

    #[test]
    fn lines_are_those_of_openssh() {
        let at = |text: &str| text.parse::<Timestamp>().unwrap();
        for (options, for_git, then, later) in [
            ("", true, true, true),
            ("namespaces=\"git\" ", true, true, true),
            ("namespaces=\"file,git\" ", true, true, true),
            ("namespaces=\"file\" ", false, true, true),
            ("valid-after=\"20260601Z\" ", true, false, true),
            ("valid-before=\"202606010000Z\" ", true, true, false),
            (
                "namespaces=\"*\",valid-before=\"20260601000000Z\" ",
                true,
                true,
                false,
            ),
        ] {
            for names in ["ada@example.com", "ada@example.com,*@example.org"] {
                let line = Line::read(&format!("{names} {options}{KEY} a comment")).unwrap();
                assert_eq!(line.for_git, for_git, "{options}");
                assert_eq!(line.holds(at("2026-05-31T23:59:59Z")), then, "{options}");
                assert_eq!(line.holds(at("2026-06-01T00:00:00Z")), later, "{options}");
            }
        }
    }

    #[test]
    fn a_line_that_cannot_be_understood_is_told() {
        for (line, words) in [
            (KEY.to_owned(), "no key"),
            ("ada".to_owned(), "names nobody"),
            (format!("ada cert-authority {KEY}"), "certificates"),
            (format!("ada valid-after=\"soon\" {KEY}"), "no time"),
            (format!("ada valid-before=\"20261301Z\" {KEY}"), "no time"),
            (format!("ada colour=\"red\" {KEY}"), "not known"),
            ("ada ssh-ed25519 AAAA".to_owned(), "can't be read"),
            ("ada namespaces=\"git\"".to_owned(), "no key"),
        ] {
            let why = Line::read(&line).unwrap_err();
            assert!(why.contains(words), "{line}: {why}");
        }
    }
}
