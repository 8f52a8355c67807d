//! Which forge a repository is on, where its interface is, and opening it.
//!
//! Invariant: credentials go over plain HTTP to this machine only, unless somebody has said that they
//! may go anywhere.
//!
//! It refuses to ask a host what it is: a guess is made from names alone, and a person can say it.

mod pages;

use std::sync::Arc;

use reqwest::Url;

use super::call::Paces;
use super::{Error, Forge};
use crate::clock::Clock;
use crate::http::github_app;
use crate::http::{PlainHttp, is_loopback};
use crate::secret::{GitHubApp, Secret};

/// The kinds of forges.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Kind {
    /// github.com, GitHub Enterprise Cloud and GitHub Enterprise Server.
    GitHub,
    /// gitlab.com and GitLab of one's own.
    GitLab,
    /// Gitea and Forgejo, Codeberg among them.
    Gitea,
    /// bitbucket.org.
    BitbucketCloud,
    /// Bitbucket Data Center.
    BitbucketDataCenter,
    /// Azure DevOps Services and Server.
    AzureDevOps,
}

impl Kind {
    /// All of them, by the words that configuration and command line have.
    pub const NAMES: [(&'static str, Self); 6] = [
        ("github", Self::GitHub),
        ("gitlab", Self::GitLab),
        ("gitea", Self::Gitea),
        ("bitbucketCloud", Self::BitbucketCloud),
        ("bitbucketDataCenter", Self::BitbucketDataCenter),
        ("azureDevOps", Self::AzureDevOps),
    ];

    /// The kind that an address looks like; `None` where it could be any.
    pub fn of(address: &Address) -> Option<Self> {
        let host = address.host.as_str();
        let ends = |name: &str| host.ends_with(&format!(".{name}"));
        match host {
            "github.com" => return Some(Self::GitHub),
            "gitlab.com" => return Some(Self::GitLab),
            "codeberg.org" | "gitea.com" => return Some(Self::Gitea),
            "bitbucket.org" => return Some(Self::BitbucketCloud),
            _ if ends("ghe.com") => return Some(Self::GitHub),
            _ if host == "dev.azure.com" || ends("dev.azure.com") || ends("visualstudio.com") => {
                return Some(Self::AzureDevOps);
            }
            _ => {}
        }
        let named = |names: &[&str]| {
            let mut parts = host.split(['.', '-']);
            parts.any(|part| names.contains(&part))
        };
        let has = |folder: &str| address.path.split('/').any(|part| part == folder);
        match () {
            () if has("_git") => Some(Self::AzureDevOps),
            () if named(&["github", "ghe", "ghes"]) => Some(Self::GitHub),
            () if named(&["gitlab"]) => Some(Self::GitLab),
            () if named(&["gitea", "forgejo"]) => Some(Self::Gitea),
            () if named(&["bitbucket", "stash"]) || has("scm") => Some(Self::BitbucketDataCenter),
            () => None,
        }
    }
}

/// Where a Git repository is, as far as its forge can be found from that.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Address {
    /// `https`, or `http` for a repository that is reached so.
    scheme: &'static str,
    /// In lower case.
    host: String,
    /// That of HTTP; SSH has its own, which says nothing of HTTP's.
    port: Option<u16>,
    /// Without slashes around it and without `.git`.
    path: String,
}

impl Address {
    /// The address in a Git URL (`https://`, `http://`, `ssh://` or `user@host:path`); `None` for a
    /// folder or what is no URL.
    pub fn of(git_url: &str) -> Option<Self> {
        let url = match git_url.split_once("://") {
            Some(_) => Url::parse(git_url).ok()?,
            None => {
                let (login, path) = git_url.split_once(':')?;
                let host = login.rsplit('@').next()?;
                if host.contains('/') {
                    return None;
                }
                Url::parse(&format!("ssh://{host}/{}", path.trim_start_matches('/'))).ok()?
            }
        };
        let (scheme, port) = match url.scheme() {
            "https" => ("https", url.port()),
            "http" => ("http", url.port()),
            "ssh" => ("https", None),
            _ => return None,
        };
        let path = url.path().trim_matches('/');
        let path = path.strip_suffix(".git").unwrap_or(path);
        Some(Self {
            scheme,
            host: url.host_str()?.to_ascii_lowercase(),
            port,
            // Projects of Azure DevOps have blanks; what is asked is escaped again.
            path: super::body::decoded(path)?,
        })
    }

    /// Where the interface of a forge of this kind is by default.
    pub fn api(&self, kind: Kind) -> Option<Url> {
        let host = self.host.as_str();
        let fixed = match kind {
            Kind::BitbucketCloud => Some("https://api.bitbucket.org/2.0".to_owned()),
            Kind::AzureDevOps if self.is_azure() => Some("https://dev.azure.com".to_owned()),
            _ => None,
        };
        let text = fixed.unwrap_or_else(|| {
            let port = self.port.map(|port| format!(":{port}")).unwrap_or_default();
            let before = self.before(kind);
            let place = match kind {
                Kind::GitLab => "/api/v4",
                Kind::Gitea => "/api/v1",
                Kind::BitbucketDataCenter => "/rest",
                Kind::GitHub | Kind::BitbucketCloud | Kind::AzureDevOps => "",
            };
            format!("{}://{host}{port}{before}{place}", self.scheme)
        });
        let url = Url::parse(&text).ok()?;
        Some(match kind {
            Kind::GitHub => github_app::api(&url),
            _ => url,
        })
    }

    /// The path by which the interface of a forge of this kind knows the repository: `OWNER/NAME`, a
    /// path of any length on GitLab, `PROJECT/NAME` on Bitbucket Data Center,
    /// `ORGANISATION/PROJECT/NAME` on Azure DevOps.
    pub fn repository(&self, kind: Kind) -> String {
        let parts: Vec<&str> = self.path.split('/').collect();
        match kind {
            Kind::BitbucketDataCenter => match parts.iter().position(|part| *part == "scm") {
                Some(at) => parts[at + 1..].join("/"),
                None => self.path.clone(),
            },
            Kind::AzureDevOps => self.azure(&parts),
            _ => self.path.clone(),
        }
    }

    /// `v3/ORGANISATION/PROJECT/NAME` over SSH, `…/_git/NAME` over HTTP; the project may be left out
    /// where it is called like the repository, and the organisation is in the host's name with the
    /// older hosts.
    fn azure(&self, parts: &[&str]) -> String {
        if let ["v3", rest @ ..] = parts {
            return rest.join("/");
        }
        let Some(at) = parts.iter().position(|part| *part == "_git") else {
            return self.path.clone();
        };
        let name = parts[at + 1..].join("/");
        let mut before: Vec<&str> = parts[..at].to_vec();
        if let Some(organisation) = self.host.strip_suffix(".visualstudio.com") {
            before.retain(|part| *part != "DefaultCollection");
            before.insert(0, organisation);
        }
        match before[..] {
            [organisation] => format!("{organisation}/{name}/{name}"),
            [.., organisation, project] => format!("{organisation}/{project}/{name}"),
            [] => name,
        }
    }

    fn is_azure(&self) -> bool {
        let host = self.host.as_str();
        host == "dev.azure.com"
            || host.ends_with(".dev.azure.com")
            || host.ends_with(".visualstudio.com")
    }

    /// What the path has before the repository's: a server may live below a folder.
    fn before(&self, kind: Kind) -> String {
        let parts: Vec<&str> = self.path.split('/').collect();
        let of = |name: &str, spare: usize| {
            let at = parts.iter().position(|part| *part == name);
            at.map_or(0, |at| at.saturating_sub(spare))
        };
        let count = match kind {
            Kind::BitbucketDataCenter => of("scm", 0),
            // The collection and the project.
            Kind::AzureDevOps => of("_git", 2),
            _ => 0,
        };
        parts[..count]
            .iter()
            .map(|part| format!("/{part}"))
            .collect()
    }
}

/// How to sign in.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub enum Credentials {
    /// Not at all: only reading, and only what all may read.
    None,
    /// A token, sent the way that the forge has for tokens.
    Token(Secret),
    /// A user with a password or a token (RFC 7617).
    Basic {
        /// The user.
        username: String,
        /// The password or token.
        password: Secret,
    },
    /// As a GitHub App where it is installed, with tokens had as they are needed.
    GitHubApp(GitHubApp),
}

/// One repository on a forge, and how to reach it.
#[derive(Debug, Clone)]
pub struct Settings {
    /// Which kind it is.
    pub kind: Kind,
    /// The root of its interface, as [`Address::api`] has it.
    pub api: Url,
    /// The repository, as [`Address::repository`] has it.
    pub repository: String,
    /// Who asks.
    pub credentials: Credentials,
    /// Certificate authorities besides the system's, PEM; empty for none.
    pub ca_pem: Vec<u8>,
    /// Whether plain HTTP may leave this machine.
    pub plain: PlainHttp,
    /// The time.
    pub clock: Clock,
    /// The paces of the process, so that all repositories of one account keep one pace.
    pub paces: Paces,
}

impl Settings {
    /// That a GitHub App is of no use on this forge.
    pub(super) fn no_app(&self) -> Error {
        Error::Credentials {
            host: self.api.host_str().unwrap_or_default().to_owned(),
            why: "only GitHub has GitHub Apps",
        }
    }
}

/// Opens a repository on its forge; nothing is sent yet.
///
/// # Errors
/// When the address would have credentials go over plain HTTP, the repository's path can't be one of
/// this kind of forge, the credentials can't be used there, or no HTTP client can be made.
pub fn open(settings: Settings) -> Result<Arc<dyn Forge>, Error> {
    let host = settings.api.host_str().unwrap_or_default().to_owned();
    let is_plain = settings.api.scheme() != "https" && !is_loopback(&host);
    if is_plain && settings.plain == PlainHttp::LoopbackOnly {
        return Err(Error::Plain { host });
    }
    let parts: Vec<&str> = settings.repository.split('/').collect();
    let is_long_enough = match settings.kind {
        Kind::GitLab => parts.len() >= 2,
        Kind::AzureDevOps => parts.len() == 3,
        _ => parts.len() == 2,
    };
    if !is_long_enough || parts.iter().any(|part| matches!(*part, "" | "." | "..")) {
        return Err(Error::Repository {
            host,
            path: super::words::clean(&settings.repository),
        });
    }
    match settings.kind {
        Kind::GitHub => super::github::open(settings),
        Kind::BitbucketCloud => super::bitbucket_cloud::open(&settings),
        Kind::BitbucketDataCenter => super::bitbucket::open(&settings),
        Kind::AzureDevOps => super::azure::open(&settings),
        Kind::GitLab => super::gitlab::open(&settings),
        Kind::Gitea => super::gitea::open(&settings),
    }
}

#[cfg(test)]
mod tests;
