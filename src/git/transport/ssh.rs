//! A repository behind SSH, reached through the OpenSSH client.
//!
//! Invariant: only the given key, or the keys of the given agent, are offered; only host keys of the
//! given file are trusted, nothing of the user's SSH settings counts, and nothing is asked
//! (ssh_config(5)). A key's passphrase is never given to a program: the key is unlocked here.
//!
//! It refuses paths that `ssh` would expand (`%`, `$`) or split.

use std::ffi::OsString;
use std::fs::File;
use std::io::{self, Write as _};
use std::os::fd::AsRawFd as _;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};

use secrecy::{ExposeSecret as _, SecretString};
use ssh_key::{LineEnding, PrivateKey};

use super::process::Program;
use crate::git::remote::SshUrl;
use crate::git::{Auth, Error, Identity};
use crate::secret::Secret;

/// Options that hold for every connection, with `ssh`'s own names.
const OPTIONS: [&str; 12] = [
    "BatchMode=yes",
    "StrictHostKeyChecking=yes",
    "GlobalKnownHostsFile=/dev/null",
    "UpdateHostKeys=no",
    "PreferredAuthentications=publickey",
    "ClearAllForwardings=yes",
    "ControlPath=none",
    "RequestTTY=no",
    // A server that does not even accept a connection is down.
    "ConnectTimeout=10",
    // A peer that is gone is noticed after a minute, also while a hook keeps silent.
    "ServerAliveInterval=15",
    "ServerAliveCountMax=4",
    "LogLevel=ERROR",
];

/// Why `auth` is of no use here.
pub(super) fn misfit(auth: &Auth) -> Option<&'static str> {
    match auth {
        Auth::Ssh { known_hosts, .. } if !is_literal(known_hosts) => {
            Some("the path of the known hosts file has a character that ssh would expand")
        }
        Auth::Ssh {
            identity:
                Identity::Key {
                    key: Secret::File(path),
                    ..
                },
            ..
        } if !is_literal(path) => Some("the path of the key has a character that ssh would expand"),
        Auth::Ssh {
            identity: Identity::Agent(path),
            ..
        } if !is_literal(path) => {
            Some("the path of the agent's socket has a character that ssh would expand")
        }
        Auth::Ssh { .. } => None,
        Auth::None | Auth::Basic { .. } | Auth::Token(_) | Auth::GitHubApp(_) => {
            Some("SSH needs a key and a known hosts file")
        }
    }
}

/// Whether `ssh` takes the path as it is.
fn is_literal(path: &Path) -> bool {
    path.to_str().is_some_and(|text| {
        !text.starts_with('~')
            && !text.contains(['%', '$', '"', '\\', '\''])
            && !text.contains(char::is_control)
    })
}

/// `ssh … HOST "git-upload-pack 'PATH'"`.
pub(super) fn program(url: &SshUrl, auth: &Auth, remote: &str) -> Result<Program, Error> {
    let Auth::Ssh {
        identity,
        known_hosts,
    } = auth
    else {
        let why = "SSH needs a key and a known hosts file";
        return Err(Error::Credentials {
            remote: remote.to_owned(),
            why,
        });
    };
    let offer = Offer::new(identity, remote)?;
    let (url, known_hosts) = (url.clone(), known_hosts.clone());
    Ok(Program {
        name: "ssh",
        arguments: Box::new(move |service| {
            let mut all = arguments(&url, &offer, &known_hosts);
            all.push(format!("git-{service} {}", quote(&url.path)).into());
            all
        }),
        complaint,
    })
}

fn arguments(url: &SshUrl, offer: &Offer, known_hosts: &Path) -> Vec<OsString> {
    let mut all: Vec<OsString> = ["-F", "/dev/null", "-T", "-x", "-a"]
        .map(OsString::from)
        .into();
    for option in OPTIONS {
        all.extend(["-o".into(), option.into()]);
    }
    // `-o` splits at spaces, so the path is quoted; `-i` takes its argument whole.
    let hosts = format!("UserKnownHostsFile=\"{}\"", known_hosts.display());
    all.extend(["-o".into(), hosts.into()]);
    all.extend(offer.arguments());
    if let Some(port) = url.port {
        all.extend(["-p".into(), port.to_string().into()]);
    }
    if let Some(user) = &url.user {
        all.extend(["-l".into(), user.into()]);
    }
    all.extend(["--".into(), OsString::from(&url.host)]);
    all
}

/// A word for the remote's shell, quoted as Git quotes it: also `!`, for csh.
fn quote(word: &str) -> String {
    format!("'{}'", word.replace('\'', r"'\''").replace('!', r"'\!'"))
}

/// What `ssh` offers to the server, and nothing else.
enum Offer {
    Key(Key),
    Agent(PathBuf),
}

impl Offer {
    fn new(identity: &Identity, remote: &str) -> Result<Self, Error> {
        match identity {
            Identity::Agent(socket) => Ok(Self::Agent(socket.clone())),
            Identity::Key { key, passphrase } => {
                Key::new(key, passphrase.as_ref(), remote).map(Self::Key)
            }
        }
    }

    fn arguments(&self) -> Vec<OsString> {
        match self {
            Self::Key(key) => {
                let only = ["-o", "IdentitiesOnly=yes", "-o", "IdentityAgent=none", "-i"];
                let path = key.path().as_os_str().to_owned();
                only.map(OsString::from).into_iter().chain([path]).collect()
            }
            Self::Agent(socket) => {
                let agent = format!("IdentityAgent=\"{}\"", socket.display());
                // Without the keys that a user's home has.
                let none = ["-o", "IdentityFile=none", "-o"].map(OsString::from);
                none.into_iter().chain([agent.into()]).collect()
            }
        }
    }
}

/// The file that `ssh` reads the key from.
enum Key {
    /// The secret's own, which nobody else may read, as `ssh` demands.
    Own(PathBuf),
    /// A private copy without a name, so that it is gone with this process, however that ends.
    Open { path: PathBuf, _file: File },
    /// A private copy where an open file can't be named, removed when dropped.
    Copy(tempfile::NamedTempFile),
}

impl Key {
    fn new(key: &Secret, passphrase: Option<&Secret>, remote: &str) -> Result<Self, Error> {
        let unreadable = |source| Error::Secret {
            remote: remote.to_owned(),
            source,
        };
        let copied = |text: &SecretString| {
            Self::copy(text.expose_secret()).map_err(|source| Error::KeyFile {
                remote: remote.to_owned(),
                source,
            })
        };
        if let Some(passphrase) = passphrase {
            let (key, passphrase) = (key.read(), passphrase.read());
            let text = unlocked(&key.map_err(unreadable)?, &passphrase.map_err(unreadable)?);
            let words = "the passphrase does not unlock the key, or it is no OpenSSH key";
            return copied(&text.ok_or_else(|| Error::Auth {
                remote: remote.to_owned(),
                words: words.to_owned(),
            })?);
        }
        if let Secret::File(path) = key
            && let Ok(metadata) = std::fs::metadata(path)
            && metadata.permissions().mode() & 0o077 == 0
        {
            return Ok(Self::Own(path.clone()));
        }
        copied(&key.read().map_err(unreadable)?)
    }

    fn copy(text: &str) -> io::Result<Self> {
        let fill = |file: &mut File| {
            file.set_permissions(PermissionsExt::from_mode(0o600))?;
            file.write_all(text.as_bytes())?;
            // OpenSSH does not read a key without its final line break, and secrets come without.
            file.write_all(b"\n")
        };
        let mut file = tempfile::tempfile()?;
        // By our number: `ssh` closes what it inherits.
        let path = format!("/proc/{}/fd/{}", std::process::id(), file.as_raw_fd());
        if File::open(&path).is_ok() {
            fill(&mut file)?;
            let path = PathBuf::from(path);
            return Ok(Self::Open { path, _file: file });
        }
        let mut file = tempfile::Builder::new()
            .prefix("tagwright-key-")
            .tempfile()?;
        fill(file.as_file_mut())?;
        Ok(Self::Copy(file))
    }

    fn path(&self) -> &Path {
        match self {
            Self::Own(path) | Self::Open { path, .. } => path,
            Self::Copy(file) => file.path(),
        }
    }
}

/// The text of a key without its lock. A key that has none is taken as it is.
fn unlocked(key: &SecretString, passphrase: &SecretString) -> Option<SecretString> {
    let key = PrivateKey::from_openssh(key.expose_secret()).ok()?;
    let open = match key.is_encrypted() {
        true => key.decrypt(passphrase.expose_secret()).ok()?,
        false => key,
    };
    let text = open.to_openssh(LineEnding::LF).ok()?;
    Some(SecretString::from(text.as_str()))
}

/// Reads what the OpenSSH client, or `git` on the other side, writes to stderr.
fn complaint(remote: String, words: String) -> Error {
    let has = |parts: &[&str]| parts.iter().any(|part| words.contains(part));
    if has(&[
        "Host key verification failed",
        "host key is known",
        "IDENTIFICATION HAS CHANGED",
    ]) {
        Error::HostKey { remote, words }
    } else if has(&[
        "Permission denied (",
        "Too many authentication failures",
        "Load key",
    ]) {
        Error::Auth { remote, words }
    } else if has(&["not appear to be a git repository", "epository not found"]) {
        Error::NotFound { remote, words }
    } else if has(&["dubious ownership"]) {
        Error::Ownership { remote, words }
    } else if has(&["ermission", "denied", "not allowed", "read-only"]) {
        Error::Forbidden { remote, words }
    } else {
        Error::Unreachable { remote, words }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn complaint_kind(words: &str) -> String {
        let error = complaint("r".into(), words.into());
        format!("{error:?}").split(' ').next().unwrap().to_owned()
    }

    #[test]
    fn complaints_of_ssh_are_told_apart() {
        let table = [
            (
                "No ED25519 host key is known for h and you have requested strict checking.",
                "HostKey",
            ),
            (
                "WARNING: REMOTE HOST IDENTIFICATION HAS CHANGED!; Host key verification failed.",
                "HostKey",
            ),
            ("git@h: Permission denied (publickey).", "Auth"),
            ("Load key \"/k\": error in libcrypto", "Auth"),
            (
                "ssh: Could not resolve hostname h: Name or service not known",
                "Unreachable",
            ),
            (
                "ssh: connect to host h port 22: Connection refused",
                "Unreachable",
            ),
            ("ERROR: Repository not found.", "NotFound"),
            (
                "fatal: 'x' does not appear to be a git repository",
                "NotFound",
            ),
            ("ERROR: Permission to a/b denied to c.", "Forbidden"),
            ("", "Unreachable"),
        ];
        for (words, kind) in table {
            assert_eq!(complaint_kind(words), kind, "{words}");
        }
    }

    #[test]
    fn words_reach_the_other_shell_whole() {
        assert_eq!(quote("/a b"), "'/a b'");
        assert_eq!(quote("/it's; rm -rf !"), r"'/it'\''s; rm -rf '\!''");
    }

    #[test]
    fn only_paths_that_ssh_takes_as_they_are_are_used() {
        let auth = |key: &str, known_hosts: &str| Auth::Ssh {
            identity: Identity::Key {
                key: Secret::File(key.into()),
                passphrase: None,
            },
            known_hosts: known_hosts.into(),
        };
        assert_eq!(misfit(&auth("/etc/key", "/etc/known hosts")), None);
        for bad in ["/a/%h", "/a/${HOME}", "~/k", "/a\"b", "/a\nb"] {
            assert!(misfit(&auth(bad, "/k")).is_some(), "{bad}");
            assert!(misfit(&auth("/k", bad)).is_some(), "{bad}");
        }
        let agent = |socket: &str| Auth::Ssh {
            identity: Identity::Agent(socket.into()),
            known_hosts: "/k".into(),
        };
        assert_eq!(misfit(&agent("/run/agent")), None);
        assert!(misfit(&agent("$SSH_AUTH_SOCK")).is_some());
        assert!(misfit(&Auth::None).is_some());
    }

    #[test]
    fn a_key_that_others_may_read_is_copied_and_the_copy_has_no_name() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("key");
        std::fs::write(&path, "KEY\n").unwrap();
        let mode = |mode| std::fs::set_permissions(&path, PermissionsExt::from_mode(mode)).unwrap();
        let key = Secret::File(path.clone());
        mode(0o600);
        assert_eq!(Key::new(&key, None, "r").unwrap().path(), path);
        mode(0o640);
        let copy = Key::new(&key, None, "r").unwrap();
        assert_eq!(std::fs::read(copy.path()).unwrap(), b"KEY\n");
        let metadata = std::fs::metadata(copy.path()).unwrap();
        assert_eq!(metadata.permissions().mode() & 0o777, 0o600);
        assert_eq!(
            std::os::unix::fs::MetadataExt::nlink(&metadata),
            0,
            "nothing is left behind when this process is killed"
        );
    }
}
