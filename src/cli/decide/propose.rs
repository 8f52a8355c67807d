//! A person's pull request: at which forge, and with whose credentials.
//!
//! Invariant: a token from a variable that other programs read too goes only to the host that they would
//! send it to. What is said on the command line counts before the configuration, and that before what the
//! remote's URL tells.
//!
//! It refuses to fail for want of a forge: then it says what is missing, and where a person goes on by hand.

use anyhow::Context as _;
use reqwest::Url;
use secrecy::ExposeSecret as _;
use serde::Serialize;

use super::letter::Outlet;
use crate::clock::Clock;
use crate::config::ForgeAccess;
use crate::diag;
use crate::forge::{self, Address, Credentials, Kind, Paces, Settings, Wanted};
use crate::http::PlainHttp;
use crate::secret::Secret;

/// The person's token for any forge.
const OWN: &str = "TAGWRIGHT_FORGE_TOKEN";

/// A pull request that is open.
#[derive(Debug, Serialize)]
pub(super) struct Opened {
    pub(super) number: u64,
    pub(super) url: String,
}

/// What is known of the forge that a clone's remote is on.
pub(super) struct Forge {
    address: Option<Address>,
    kind: Option<Kind>,
    api: Option<Url>,
    repository: Option<String>,
    /// The configuration's, if it is about the same repository.
    configured: Option<ForgeAccess>,
}

impl Forge {
    pub(super) fn of(outlet: &Outlet) -> Self {
        let urls = outlet.clone.urls();
        let address = urls.iter().find_map(|url| Address::of(url));
        let said = &outlet.proposing;
        let configured = outlet.forge.as_ref().filter(|(url, access)| {
            let same = |own: &Address, other: &Address| {
                let (own, other) = (own.repository(access.kind), other.repository(access.kind));
                own.eq_ignore_ascii_case(&other)
            };
            match (&address, Address::of(url)) {
                (Some(own), Some(other)) => same(own, &other),
                _ => true,
            }
        });
        let configured = configured.map(|(_, access)| access.clone());
        let of_configured = configured.as_ref().map(|access| access.kind);
        let guess = address.as_ref().and_then(Kind::of);
        let kind = said.forge.or(of_configured).or(guess);
        let configured = configured.filter(|access| Some(access.kind) == kind);
        let api = configured.as_ref().map(|access| access.api.clone());
        let repository = configured.as_ref().map(|access| access.repository.clone());
        Self {
            api: said
                .forge_api
                .clone()
                .or(api)
                .or_else(|| address.as_ref()?.api(kind?)),
            repository: said
                .forge_repository
                .clone()
                .or(repository)
                .or_else(|| Some(address.as_ref()?.repository(kind?))),
            address,
            kind,
            configured,
        }
    }

    /// Opens a pull request from `branch` to `base`, or has the one there is; else why there is none.
    ///
    /// # Errors
    /// When nothing can be run here.
    pub(super) fn open(
        &self,
        base: &str,
        branch: &str,
        title: String,
        body: String,
    ) -> anyhow::Result<Result<Opened, String>> {
        let settings = match self.settings() {
            Ok(settings) => settings,
            Err(why) => return Ok(Err(why)),
        };
        let wanted = Wanted {
            branch: branch.to_owned(),
            base: base.to_owned(),
            title,
            body,
            draft: false,
            labels: Vec::new(),
            reviewers: Vec::new(),
        };
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_all()
            .build()
            .context("the runtime can't be set up")?;
        let opened = runtime.block_on(async { forge::open(settings)?.open(&wanted).await });
        Ok(match opened {
            Ok(pull) => Ok(Opened {
                number: pull.number,
                url: diag::visible(&pull.url).into_owned(),
            }),
            Err(error) => Err(diag::chain(&error)),
        })
    }

    /// The page on which a person opens it.
    pub(super) fn page(&self, base: &str, branch: &str) -> Option<String> {
        let page = self.address.as_ref()?.proposal(self.kind?, branch, base)?;
        Some(page.to_string())
    }

    /// How the forge is asked; else what is missing.
    fn settings(&self) -> Result<Settings, String> {
        let (Some(kind), Some(api), Some(repository)) = (self.kind, &self.api, &self.repository)
        else {
            return Err(
                "which forge the remote is on can't be told from its URL: say it with --forge, \
                 --forge-api and --forge-repository"
                    .to_owned(),
            );
        };
        let credentials = self.credentials(kind, api).ok_or_else(|| {
            let host = api.host_str().unwrap_or_default();
            let others = of_programs(kind);
            let or = match others.first() {
                Some(name) if is_theirs(kind, host) => format!(", or {name}"),
                _ => String::new(),
            };
            format!("there is no token for {host}: set {OWN}{or}")
        })?;
        let configured = self.configured.as_ref();
        let ca_pem = match configured.and_then(|access| access.ca_pem.as_ref()) {
            None => Vec::new(),
            Some(path) => {
                std::fs::read(path).map_err(|error| format!("{}: {error}", path.display()))?
            }
        };
        Ok(Settings {
            kind,
            api: api.clone(),
            repository: repository.clone(),
            credentials,
            ca_pem,
            plain: configured.map_or(PlainHttp::LoopbackOnly, |access| access.plain),
            clock: Clock::system(),
            paces: Paces::default(),
        })
    }

    /// As whom the forge is asked, if anybody.
    fn credentials(&self, kind: Kind, api: &Url) -> Option<Credentials> {
        let own = Secret::Env(OWN.to_owned());
        if is_there(&own) {
            return Some(Credentials::Token(own));
        }
        if let Some(access) = &self.configured
            // Those of the configuration are for the address that it has.
            && access.api == *api
            && can_be_read(&access.credentials)
        {
            return Some(access.credentials.clone());
        }
        let host = api.host_str().unwrap_or_default();
        if !is_theirs(kind, host) {
            return None;
        }
        let names = of_programs(kind).iter();
        let mut tokens = names.map(|name| Secret::Env((*name).to_owned()));
        tokens.find(is_there).map(Credentials::Token)
    }
}

/// A kind of forge by its word.
pub(super) fn kind(text: &str) -> Result<Kind, String> {
    let text = if text == "forgejo" { "gitea" } else { text };
    let known = Kind::NAMES.iter().find(|(word, _)| *word == text);
    let words = Kind::NAMES.map(|(word, _)| word).join(", ");
    known
        .map(|(_, kind)| *kind)
        .ok_or_else(|| format!("one of {words}"))
}

/// The variables in which the programs of a forge's vendor look for a token (`gh help environment`,
/// `glab` "Environment variables", `tea login`, "Sign in with a personal access token" of Azure DevOps).
fn of_programs(kind: Kind) -> &'static [&'static str] {
    match kind {
        Kind::GitHub => &["GH_TOKEN", "GITHUB_TOKEN"],
        Kind::GitLab => &["GITLAB_TOKEN", "GITLAB_ACCESS_TOKEN"],
        Kind::Gitea => &["GITEA_SERVER_TOKEN"],
        Kind::AzureDevOps => &["AZURE_DEVOPS_EXT_PAT"],
        Kind::BitbucketCloud | Kind::BitbucketDataCenter => &[],
    }
}

/// Whether those programs would send that token to `host`.
fn is_theirs(kind: Kind, host: &str) -> bool {
    let named = |name: &str| {
        let value = std::env::var_os(name).unwrap_or_default();
        let value = value.to_string_lossy();
        let url = Url::parse(&value).ok();
        value == host || url.is_some_and(|url| url.host_str() == Some(host))
    };
    match kind {
        Kind::GitHub => host == "api.github.com" || host.ends_with(".ghe.com"),
        Kind::GitLab => host == "gitlab.com" || named("GITLAB_HOST"),
        Kind::Gitea => named("GITEA_SERVER_URL"),
        Kind::AzureDevOps => host == "dev.azure.com",
        Kind::BitbucketCloud | Kind::BitbucketDataCenter => false,
    }
}

fn can_be_read(credentials: &Credentials) -> bool {
    match credentials {
        Credentials::None => false,
        Credentials::Token(secret)
        | Credentials::Basic {
            password: secret, ..
        } => is_there(secret),
        Credentials::GitHubApp(app) => is_there(&app.key),
    }
}

fn is_there(secret: &Secret) -> bool {
    secret
        .read()
        .is_ok_and(|text| !text.expose_secret().is_empty())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tokens_of_other_programs_go_only_where_they_send_them() {
        for (kind, host, theirs) in [
            (Kind::GitHub, "api.github.com", true),
            (Kind::GitHub, "api.acme.ghe.com", true),
            (Kind::GitHub, "github.example.com", false),
            (Kind::GitHub, "api.github.com.example.com", false),
            (Kind::GitLab, "gitlab.com", true),
            (Kind::GitLab, "gitlab.example.com", false),
            (Kind::Gitea, "codeberg.org", false),
            (Kind::AzureDevOps, "dev.azure.com", true),
            (Kind::AzureDevOps, "tfs.example.com", false),
            (Kind::BitbucketCloud, "api.bitbucket.org", false),
        ] {
            assert_eq!(is_theirs(kind, host), theirs, "{kind:?} {host}");
        }
    }

    #[test]
    fn kinds_are_named_as_in_the_configuration() {
        assert_eq!(kind("azureDevOps"), Ok(Kind::AzureDevOps));
        assert_eq!(kind("forgejo"), Ok(Kind::Gitea));
        let words = kind("svn").unwrap_err();
        assert!(words.starts_with("one of github, gitlab, "), "{words}");
    }
}
