//! Accounts: how, and as whom, the repositories of a registry are reached.
//!
//! Invariant: an image is looked up with an account of its own host whose path covers it, or
//! anonymously; never with another's credential. Which accounts may be chosen is the caller's limit
//! ([`Access`]), so one team's policies can't borrow the credentials of another.
//!
//! Reading the credentials is done elsewhere, at each use.

use std::path::{Path, PathBuf};

use super::cloud::Cloud;
use super::fast::Api;
use crate::image::Image;
use crate::secret::Secret;

/// How, and as whom, the repositories of one registry below one path are reached.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Account {
    /// What policies entries call it; an unnamed one is open only to entries without limits.
    pub name: Option<String>,
    /// The registry as [`Image::registry`] prints it: `docker.io`, `ghcr.io`, `localhost:5000`.
    pub host: String,
    /// The repositories it is for: `acme/a` is that one and all below it, `acme/a/` only those below,
    /// empty is all of the registry.
    pub path: String,
    /// Where its images are looked up instead; scheme, credentials and authorities are for that place.
    pub mirror: Option<Mirror>,
    /// How tags are listed.
    pub api: Api,
    /// Whether the connection is encrypted.
    pub scheme: Scheme,
    /// As whom.
    pub credentials: Credentials,
    /// Certificate authorities trusted besides the system's, PEM; read at each use.
    pub ca_pem: Option<PathBuf>,
}

impl Account {
    /// An anonymous account for all of a registry, over HTTPS.
    pub fn anonymous(host: impl Into<String>) -> Self {
        Self {
            name: None,
            host: host.into(),
            path: String::new(),
            mirror: None,
            api: Api::Detect,
            scheme: Scheme::Https,
            credentials: Credentials::Anonymous,
            ca_pem: None,
        }
    }

    /// The image that is asked for when `image` is looked up with this account; none if the mirror
    /// can't have an image of that name.
    pub(super) fn asked(&self, image: &Image) -> Option<Image> {
        let Some(Mirror { host, path }) = &self.mirror else {
            return Some(image.clone());
        };
        let repository = match path.as_str() {
            "" => image.repository().to_owned(),
            path => format!("{path}/{}", image.repository()),
        };
        let asked: Image = format!("{host}/{repository}").parse().ok()?;
        // Docker Hub would take a name of one part for another one.
        (asked.repository() == repository).then_some(asked)
    }

    /// The files that it is configured with, those of its cloud apart.
    pub(super) fn files(&self) -> Vec<PathBuf> {
        let secret = match &self.credentials {
            Credentials::Basic { password, .. } => password.file(),
            Credentials::DockerConfig(path) => Some(path.as_path()),
            Credentials::Anonymous | Credentials::Cloud(_) => None,
        };
        let files = secret.into_iter().chain(self.ca_pem.as_deref());
        files.map(Path::to_owned).collect()
    }

    fn covers(&self, image: &Image) -> bool {
        let repository = image.repository();
        let path = self.path.as_str();
        self.host == image.registry()
            && repository.strip_prefix(path).is_some_and(|rest| {
                path.is_empty() || path.ends_with('/') || rest.is_empty() || rest.starts_with('/')
            })
    }
}

/// A registry, or a part of it, that has the images of another one under the same names.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Mirror {
    /// Its host, as [`Image::registry`] prints it.
    pub host: String,
    /// What stands before the names of repositories there, or nothing.
    pub path: String,
}

/// Whether the connection to a registry is encrypted.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Scheme {
    /// TLS, the certificate checked.
    #[default]
    Https,
    /// No encryption: for registries on the same machine or a trusted network, only when asked for.
    PlainHttp,
}

impl Scheme {
    /// The scheme as URLs spell it.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Https => "https",
            Self::PlainHttp => "http",
        }
    }
}

/// As whom a registry is asked.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub enum Credentials {
    /// As nobody.
    #[default]
    Anonymous,
    /// With a user name and a password or access token.
    Basic {
        /// The user name.
        username: String,
        /// Where the password is kept; read at each use.
        password: Secret,
    },
    /// With what a Docker `config.json` (or Kubernetes `.dockerconfigjson`) holds for the image; read
    /// at each use.
    DockerConfig(PathBuf),
    /// With what a cloud gives for its own registries; renewed before it expires.
    Cloud(Box<Cloud>),
}

/// One of a client's accounts, or anonymous access to any registry over HTTPS.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct AccountId(Option<usize>);

impl AccountId {
    /// Access to any registry as nobody, over HTTPS.
    pub const ANONYMOUS: Self = Self(None);

    /// The account at this place in the configuration.
    pub(super) fn at(index: usize) -> Self {
        Self(Some(index))
    }

    /// The account's place in the configuration; none for anonymous access.
    pub fn index(self) -> Option<usize> {
        self.0
    }
}

/// Which accounts may be chosen.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Access<'a> {
    /// All of them.
    All,
    /// Only those with one of these names.
    Named(&'a [String]),
}

impl Access<'_> {
    fn admits(self, account: &Account) -> bool {
        match (self, &account.name) {
            (Self::All, _) => true,
            (Self::Named(names), Some(name)) => names.contains(name),
            (Self::Named(_), None) => false,
        }
    }
}

/// The account for `image`: of the admitted ones that cover it the one with the longest path, the
/// first of equals; [`AccountId::ANONYMOUS`] if there is none.
pub(super) fn choose(accounts: &[Account], image: &Image, access: Access<'_>) -> AccountId {
    let mut best: Option<(usize, usize)> = None;
    for (index, account) in accounts.iter().enumerate() {
        let longer = best.is_none_or(|(_, length)| account.path.len() > length);
        if longer && access.admits(account) && account.covers(image) {
            best = Some((index, account.path.len()));
        }
    }
    AccountId(best.map(|(index, _)| index))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn account(name: Option<&str>, host: &str, path: &str) -> Account {
        Account {
            name: name.map(str::to_owned),
            path: path.to_owned(),
            ..Account::anonymous(host)
        }
    }

    #[test]
    fn the_longest_covering_path_wins() {
        let accounts = [
            account(None, "ghcr.io", ""),
            account(Some("a"), "ghcr.io", "acme/a/"),
            account(Some("shop"), "ghcr.io", "acme/shop"),
            account(Some("again"), "ghcr.io", "acme/shop"),
            account(Some("hub"), "docker.io", "library/"),
        ];
        let all = |image: &str| choose(&accounts, &image.parse().unwrap(), Access::All).index();
        for (image, wanted) in [
            ("ghcr.io/acme/a/web", Some(1)),
            ("ghcr.io/acme/a", Some(0)),
            ("ghcr.io/acme/ab", Some(0)),
            ("ghcr.io/acme/shop", Some(2)),
            ("ghcr.io/acme/shop/web", Some(2)),
            ("ghcr.io/acme/shopping", Some(0)),
            ("nginx", Some(4)),
            ("grafana/grafana", None),
            ("quay.io/acme/a/web", None),
        ] {
            assert_eq!(all(image), wanted, "{image}");
        }
    }

    #[test]
    fn a_mirror_is_asked_for_the_same_name() {
        for (host, path, image, wanted) in [
            ("m.example", "", "nginx", Some("m.example/library/nginx")),
            (
                "m.example:5000",
                "hub/x",
                "a/b",
                Some("m.example:5000/hub/x/a/b"),
            ),
            (
                "docker.io",
                "",
                "ghcr.io/acme/shop",
                Some("docker.io/acme/shop"),
            ),
            ("docker.io", "", "ghcr.io/shop", None),
            (
                "docker.io",
                "acme",
                "ghcr.io/shop",
                Some("docker.io/acme/shop"),
            ),
        ] {
            let account = Account {
                mirror: Some(Mirror {
                    host: host.to_owned(),
                    path: path.to_owned(),
                }),
                ..Account::anonymous("docker.io")
            };
            let asked = account.asked(&image.parse().unwrap());
            let asked = asked.map(|image| image.to_string());
            assert_eq!(asked.as_deref(), wanted, "{image}");
        }
        let long = format!("ghcr.io/{}", ["a"; 100].join("/"));
        let account = Account {
            mirror: Some(Mirror {
                host: "m.example".to_owned(),
                path: ["b"; 100].join("/"),
            }),
            ..Account::anonymous("ghcr.io")
        };
        assert_eq!(account.asked(&long.parse().unwrap()), None);
    }

    #[test]
    fn limits_leave_only_the_named_accounts() {
        let accounts = [
            account(None, "ghcr.io", ""),
            account(Some("a"), "ghcr.io", "acme/a/"),
        ];
        let image = "ghcr.io/acme/a/web".parse().unwrap();
        let only = |names: &[String]| choose(&accounts, &image, Access::Named(names));
        assert_eq!(only(&["a".to_owned()]).index(), Some(1));
        assert_eq!(only(&["b".to_owned()]), AccountId::ANONYMOUS);
        assert_eq!(only(&[]), AccountId::ANONYMOUS);
    }
}
