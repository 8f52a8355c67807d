//! Where a config repo is and how to sign in there.
//!
//! Invariant: the credentials are one way to sign in, and fit the URL.

use crate::config::credential::RawGitCredentials;
use crate::config::raw_service::RawRepository;
use crate::config::report::{Mistake, Report, Spot};
use crate::git::{Auth, GitHubApp, Identity, PlainHttp, Remote, RemoteUrl};

use super::value;

/// The remote of a repository; what is wrong is reported, and there may be no value.
pub(super) fn remote(raw: &mut RawRepository, report: &mut Report<'_>) -> Option<Remote> {
    let url = raw.url.take()?;
    let transport = Transport::of(&url.value.0);
    let auth = match raw.credentials.take() {
        Some(credentials) => {
            let (spot, key) = (credentials.spot, credentials.key);
            let auth = auth(credentials.value.0, spot, report)?;
            report_misfit(&auth, transport, key, report);
            auth
        }
        None => {
            if transport == Transport::Ssh && !raw.credentials.is_written() {
                let hint = "add `credentials: {sshKey: {file: PATH}, knownHosts: {file: PATH}}`";
                let mistake = Mistake::new("an SSH URL needs a key and the hosts that are known");
                report.error(url.spot, mistake.hint(hint));
            }
            Auth::None
        }
    };
    for (field, name) in [
        (raw.ca.get().map(|ca| ca.key), "ca"),
        (raw.plain_http.get().map(|at| at.key), "plainHttp"),
    ] {
        if let Some(key) = field.filter(|_| transport != Transport::Http) {
            report.error(
                key,
                Mistake::new(format!("`{name}` has a meaning for http and https only")),
            );
        }
    }
    Some(Remote {
        url: url.value.0,
        auth,
        ca_pem: raw.ca.take().map(|ca| ca.value.0),
        plain: match value(&raw.plain_http) {
            Some(true) => PlainHttp::Allowed,
            Some(false) | None => PlainHttp::LoopbackOnly,
        },
        depth: value(&raw.depth).map(|depth| depth.0),
    })
}

/// How a URL is reached, as far as credentials are concerned.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Transport {
    Http,
    Ssh,
    Local,
}

impl Transport {
    fn of(url: &RemoteUrl) -> Self {
        let text = url.to_string();
        match text.split_once("://") {
            Some(("http" | "https", _)) => Self::Http,
            Some(("ssh", _)) => Self::Ssh,
            _ => Self::Local,
        }
    }
}

fn auth(mut raw: RawGitCredentials, spot: Spot, report: &mut Report<'_>) -> Option<Auth> {
    let written = [
        ("sshKey", raw.ssh_key.is_written()),
        ("passphrase", raw.passphrase.is_written()),
        ("sshAgent", raw.ssh_agent.is_written()),
        ("knownHosts", raw.known_hosts.is_written()),
        ("username", raw.username.is_written()),
        ("password", raw.password.is_written()),
        ("token", raw.token.is_written()),
        ("githubApp", raw.github_app.is_written()),
    ];
    let keys: Vec<&str> = written
        .iter()
        .filter_map(|(key, written)| written.then_some(*key))
        .collect();
    match keys[..] {
        ["sshKey", "knownHosts"] | ["sshKey", "passphrase", "knownHosts"] => Some(Auth::Ssh {
            identity: Identity::Key {
                key: raw.ssh_key.take()?.value,
                passphrase: match keys.len() {
                    3 => Some(raw.passphrase.take()?.value),
                    _ => None,
                },
            },
            known_hosts: raw.known_hosts.take()?.value.path()?,
        }),
        ["sshAgent", "knownHosts"] => Some(Auth::Ssh {
            identity: Identity::Agent(raw.ssh_agent.take()?.value.0),
            known_hosts: raw.known_hosts.take()?.value.path()?,
        }),
        ["username", "password"] => Some(Auth::Basic {
            username: raw.username.take()?.value.0,
            password: raw.password.take()?.value,
        }),
        ["token"] => Some(Auth::Token(raw.token.take()?.value)),
        ["githubApp"] => {
            let mut app = raw.github_app.take()?.value.0;
            Some(Auth::GitHubApp(GitHubApp {
                id: app.id.take()?.value,
                installation: app.installation.take()?.value.0,
                key: app.private_key.take()?.value,
            }))
        }
        _ => {
            let hint = "write `sshKey` or `sshAgent` with `knownHosts`, or `username` and `password`, \
                        `token`, or `githubApp`";
            let mistake = Mistake::new("these credentials are not one way to sign in");
            report.error(spot, mistake.hint(hint));
            None
        }
    }
}

fn report_misfit(auth: &Auth, transport: Transport, key: Spot, report: &mut Report<'_>) {
    let message = match (auth, transport) {
        (Auth::Ssh { .. }, Transport::Ssh)
        | (Auth::Basic { .. } | Auth::Token(_) | Auth::GitHubApp(_), Transport::Http)
        | (Auth::None, _) => return,
        (_, Transport::Local) => "a folder on this machine needs no credentials",
        (_, Transport::Ssh) => {
            "an SSH URL is reached with `sshKey` or `sshAgent`, and `knownHosts`"
        }
        (_, Transport::Http) => "an http or https URL is reached with `password` or `token`",
    };
    report.error(key, Mistake::new(message));
}
