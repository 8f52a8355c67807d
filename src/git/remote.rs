//! Where a config repo lives and how to sign in: the URL as a validated value.
//!
//! Invariant: a [`RemoteUrl`] holds no credential, no part of it can be taken for an option of a
//! program, and its text can be printed anywhere.
//!
//! It refuses what Git itself would accept but a service should not: credentials in URLs, the
//! unauthenticated `git://`, remote helpers (`ext::`), and bare words that could be a host or a
//! folder.

use std::fmt;
use std::num::NonZeroU32;
use std::path::{Path, PathBuf};
use std::str::FromStr;

use crate::http::{PlainHttp, is_loopback};
use crate::secret::{GitHubApp, Secret};

/// A config repo's address and the way to sign in there.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Remote {
    /// Where it is.
    pub url: RemoteUrl,
    /// How to sign in.
    pub auth: Auth,
    /// Extra certificate authorities for HTTPS, PEM, read at each exchange.
    pub ca_pem: Option<PathBuf>,
    /// Whether plain HTTP may leave this machine.
    pub plain: PlainHttp,
    /// How many commits of a branch's history are fetched at first; all where nothing is said.
    pub depth: Option<NonZeroU32>,
}

impl Remote {
    /// A remote without credentials.
    pub fn anonymous(url: RemoteUrl) -> Self {
        Self {
            url,
            auth: Auth::None,
            ca_pem: None,
            plain: PlainHttp::LoopbackOnly,
            depth: None,
        }
    }
}

/// How to sign in.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Auth {
    /// Not at all: public or local repositories.
    None,
    /// HTTP Basic (RFC 7617). Bitbucket's repository tokens go here with the user `x-token-auth`.
    Basic {
        /// The user.
        username: String,
        /// The password or token.
        password: Secret,
    },
    /// A token over HTTP Basic with the user `x-access-token`, as GitHub documents it; GitLab,
    /// Gitea and Azure DevOps look at the token only.
    Token(Secret),
    /// HTTP Basic with tokens of a GitHub App's installation, had as they are needed.
    GitHubApp(GitHubApp),
    /// SSH, with a key or an agent.
    Ssh {
        /// Who we are.
        identity: Identity,
        /// The file with the host keys that are trusted; nothing else is.
        known_hosts: PathBuf,
    },
}

/// Who we are to an SSH server.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Identity {
    /// An OpenSSH private key.
    Key {
        /// The key.
        key: Secret,
        /// What it is locked with, if it is.
        passphrase: Option<Secret>,
    },
    /// Whatever the agent behind this socket holds.
    Agent(PathBuf),
}

/// The address of a config repo.
///
/// Parsed from a path (`/srv/fleet.git`, `./fleet.git`), `file://`, `https://`, `http://`, `ssh://`
/// or the short form `user@host:path`, as the section "Git URLs" of `git help fetch` defines them.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct RemoteUrl(pub(super) Location);

/// What a URL says, by transport.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub(super) enum Location {
    /// A folder on this machine.
    Local(PathBuf),
    /// A URL without user, query, fragment or final slash.
    Http(reqwest::Url),
    /// What `ssh` needs.
    Ssh(SshUrl),
}

/// A repository behind SSH.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub(super) struct SshUrl {
    pub user: Option<String>,
    /// A name or address, IPv6 without brackets.
    pub host: String,
    pub port: Option<u16>,
    /// As the remote's shell sees it: absolute, `~user/…`, or relative to the home folder.
    pub path: String,
}

/// Why text is not the address of a config repo. Never holds the text, which may hold a password.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum UrlError {
    /// Neither a URL nor a path.
    #[error("not a URL; write https://HOST/PATH, ssh://USER@HOST/PATH, or ./PATH for a folder")]
    Bare,
    /// A protocol that is not spoken.
    #[error("only https, http, ssh and file URLs, USER@HOST:PATH and paths are supported")]
    Scheme,
    /// The URL names a user or password where credentials do not belong.
    #[error("credentials do not belong in the URL; put them under `credentials`")]
    Userinfo,
    /// The URL has a query or fragment.
    #[error("a repository's URL has no `?` or `#`")]
    Query,
    /// The host is missing or not one.
    #[error("the URL's host is missing or not valid")]
    Host,
    /// The user is not usable.
    #[error("the URL's user is not valid")]
    User,
    /// The port is not one.
    #[error("the URL's port is not a number between 1 and 65535")]
    Port,
    /// The path is missing, or has characters that no repository has.
    #[error("the URL's path is missing or not valid")]
    Path,
}

impl RemoteUrl {
    /// Whether this is `http://` to a machine other than this one.
    pub(super) fn is_plain_abroad(&self) -> bool {
        match &self.0 {
            Location::Http(url) => {
                url.scheme() == "http" && !is_loopback(url.host_str().unwrap_or_default())
            }
            _ => false,
        }
    }
}

impl From<&Path> for RemoteUrl {
    fn from(folder: &Path) -> Self {
        Self(Location::Local(folder.to_owned()))
    }
}

impl FromStr for RemoteUrl {
    type Err = UrlError;

    fn from_str(text: &str) -> Result<Self, UrlError> {
        if text.chars().any(char::is_control) {
            return Err(UrlError::Path);
        }
        let location = match text.split_once("://") {
            Some(("http" | "https", _)) => Location::Http(http(text)?),
            Some(("ssh" | "git+ssh" | "ssh+git", rest)) => Location::Ssh(ssh(rest)?),
            Some(("file", path)) => Location::Local(file(path)?),
            Some(_) => return Err(UrlError::Scheme),
            None => short(text)?,
        };
        Ok(Self(location))
    }
}

fn http(text: &str) -> Result<reqwest::Url, UrlError> {
    let mut url = reqwest::Url::parse(text).map_err(|_| UrlError::Host)?;
    if !url.username().is_empty() || url.password().is_some() {
        return Err(UrlError::Userinfo);
    }
    if url.query().is_some() || url.fragment().is_some() {
        return Err(UrlError::Query);
    }
    let path = url.path().trim_end_matches('/').to_owned();
    if path.is_empty() {
        return Err(UrlError::Path);
    }
    url.set_path(&path);
    Ok(url)
}

/// What follows `ssh://`: `[user@]host[:port]/path`.
fn ssh(rest: &str) -> Result<SshUrl, UrlError> {
    let (authority, path) = rest.split_once('/').ok_or(UrlError::Path)?;
    let (user, host) = match authority.rsplit_once('@') {
        Some((user, host)) => (Some(decode(user)?), host),
        None => (None, authority),
    };
    if user.as_deref().is_some_and(|user| user.contains(':')) {
        return Err(UrlError::Userinfo);
    }
    let (host, port) = host_and_port(host)?;
    // As Git does: `/~user/x` is meant for the remote's shell, all else is absolute.
    let path = decode(path)?;
    let path = if path.starts_with('~') {
        path
    } else {
        format!("/{path}")
    };
    checked(user, host, port, path)
}

/// `host`, `host:port`, `[address]` or `[address]:port`.
fn host_and_port(text: &str) -> Result<(String, Option<u16>), UrlError> {
    let (host, port) = match text.strip_prefix('[') {
        Some(rest) => {
            let (address, after) = rest.split_once(']').ok_or(UrlError::Host)?;
            (
                address,
                after.strip_prefix(':').filter(|port| !port.is_empty()),
            )
        }
        None => match text.split_once(':') {
            Some((host, port)) => (host, Some(port)),
            None => (text, None),
        },
    };
    let port = match port {
        None | Some("") => None,
        Some(digits) => Some(
            digits
                .parse()
                .ok()
                .filter(|&port| port > 0)
                .ok_or(UrlError::Port)?,
        ),
    };
    Ok((host.to_owned(), port))
}

/// `file://` with an empty host or `localhost` (RFC 8089).
fn file(rest: &str) -> Result<PathBuf, UrlError> {
    let path = rest.strip_prefix("localhost").unwrap_or(rest);
    if !path.starts_with('/') {
        return Err(UrlError::Host);
    }
    decode(path).map(PathBuf::from)
}

/// Text without `://`: the short SSH form if a colon comes before any slash, else a path.
fn short(text: &str) -> Result<Location, UrlError> {
    if text.starts_with(['/', '.']) {
        return Ok(Location::Local(PathBuf::from(text)));
    }
    let colon = match text.split_once(']') {
        Some((before, _)) if text.contains("[") => before.len() + 1,
        _ => text.find(':').ok_or(UrlError::Bare)?,
    };
    let (authority, path) = text.split_at(colon);
    let path = path.strip_prefix(':').ok_or(UrlError::Bare)?;
    if authority.contains('/') {
        return Err(UrlError::Bare);
    }
    if path.starts_with(':') {
        return Err(UrlError::Scheme);
    }
    let (user, host) = match authority.rsplit_once('@') {
        Some((user, host)) => (Some(user.to_owned()), host),
        // `user:password@host…`: Git would take the password for a part of the path.
        None if path.contains('@') => return Err(UrlError::Userinfo),
        None => (None, authority),
    };
    let host = host.trim_matches(['[', ']']).to_owned();
    checked(user, host, None, path.to_owned()).map(Location::Ssh)
}

/// Keeps out whatever a program could read as an option, or a shell as more than one word.
fn checked(
    user: Option<String>,
    host: String,
    port: Option<u16>,
    path: String,
) -> Result<SshUrl, UrlError> {
    let plain = |c: char| c.is_ascii_alphanumeric() || "._-".contains(c);
    let name = |text: &str| !text.is_empty() && !text.starts_with('-') && text.chars().all(plain);
    let address = host.parse::<std::net::Ipv6Addr>().is_ok();
    if !name(&host) && !address {
        return Err(UrlError::Host);
    }
    if user.as_deref().is_some_and(|user| !name(user)) {
        return Err(UrlError::User);
    }
    let end = path.trim_end_matches('/');
    if end.is_empty() || end.starts_with('-') || end.chars().any(char::is_control) {
        return Err(UrlError::Path);
    }
    Ok(SshUrl {
        user,
        host,
        port,
        path: end.to_owned(),
    })
}

/// Percent-decoding (RFC 3986 2.1), as Git does for URLs but not for short forms and paths.
fn decode(text: &str) -> Result<String, UrlError> {
    let mut out = Vec::with_capacity(text.len());
    let mut rest = text.as_bytes();
    while let [first, tail @ ..] = rest {
        rest = tail;
        if *first == b'%' {
            let digits = tail.get(..2).and_then(|two| std::str::from_utf8(two).ok());
            let digits = digits.filter(|two| two.bytes().all(|d| d.is_ascii_hexdigit()));
            let byte = digits.and_then(|two| u8::from_str_radix(two, 16).ok());
            out.push(byte.ok_or(UrlError::Path)?);
            rest = &tail[2..];
        } else {
            out.push(*first);
        }
    }
    let text = String::from_utf8(out).map_err(|_| UrlError::Path)?;
    if text.chars().any(char::is_control) {
        return Err(UrlError::Path);
    }
    Ok(text)
}

impl fmt::Display for RemoteUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.0 {
            Location::Local(path) => path.display().fmt(f),
            Location::Http(url) => url.fmt(f),
            Location::Ssh(url) => url.fmt(f),
        }
    }
}

impl fmt::Display for SshUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("ssh://")?;
        if let Some(user) = &self.user {
            write!(f, "{user}@")?;
        }
        if self.host.contains(':') {
            write!(f, "[{}]", self.host)?;
        } else {
            f.write_str(&self.host)?;
        }
        if let Some(port) = self.port {
            write!(f, ":{port}")?;
        }
        if !self.path.starts_with('/') {
            f.write_str("/")?;
        }
        f.write_str(&self.path)
    }
}

#[cfg(test)]
mod tests;
