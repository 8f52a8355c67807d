//! How the changes of a config repo are published, and the forge it is on.
//!
//! Invariant: where pull requests are to be made it is known at which forge, and as whom; a stage may ask
//! for them where the repository does not, and is told later if there is no forge.

use std::num::NonZeroUsize;
use std::path::PathBuf;

use reqwest::Url;

use super::value;
use crate::config::raw_service::push::{
    PullGrouping, PushMode, RawForge, RawForgeCredentials, RawPush, Rebuild,
};
use crate::config::read::{At, Field};
use crate::config::report::{Mistake, Report, Spot};
use crate::forge::{Address, Credentials, Kind, Method};
use crate::git::{Auth, GitHubApp, Remote};
use crate::http::PlainHttp;

/// Pull requests open at once where nothing is said: as many as a team looks at in a day.
const OPEN: NonZeroUsize = NonZeroUsize::new(10).expect("ten is not zero");

/// What the names of branches begin with where nothing is said.
const PREFIX: &str = "tagwright/";

/// How pull requests are made.
#[derive(Debug, Clone)]
pub struct Pulls {
    /// Which changes share one.
    pub group: PullGrouping,
    /// How many may be open.
    pub most: NonZeroUsize,
    /// Whether something newer takes the place of what has been approved.
    pub supersede: bool,
    /// Whose closing says nothing of the version.
    pub ignored_closers: Vec<String>,
    /// Labels that they get.
    pub labels: Vec<String>,
    /// Who is asked for reviews.
    pub reviewers: Vec<String>,
    /// Whether they are opened as drafts.
    pub draft: bool,
    /// How the forge merges them by itself, if it does.
    pub auto_merge: Option<Method>,
    /// When a branch is made anew though it holds what is wanted.
    pub rebuild: Rebuild,
    /// What the names of their branches begin with, with a slash at the end.
    pub prefix: String,
}

/// The forge that a config repo is on.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ForgeAccess {
    /// Which kind it is.
    pub kind: Kind,
    /// Where its interface is.
    pub api: Url,
    /// The repository as the forge knows it.
    pub repository: String,
    /// As whom it is asked.
    pub credentials: Credentials,
    /// Certificate authorities besides the system's.
    pub ca_pem: Option<PathBuf>,
    /// Whether credentials may go to other machines without encryption.
    pub plain: PlainHttp,
}

/// How changes are published; what is wrong is reported, and there may be no value.
pub(super) fn push(field: &mut Field<RawPush>) -> Option<(PushMode, Pulls)> {
    let written = field.is_written();
    let raw = match field.take() {
        Some(push) => push.value,
        None if written => return None,
        None => RawPush::default(),
    };
    let texts = |field: &Field<Vec<At<String>>>| {
        let list = value(field).unwrap_or_default();
        list.into_iter().map(|at| at.value).collect()
    };
    let pulls = Pulls {
        group: value(&raw.group).unwrap_or_default(),
        most: value(&raw.open_pull_requests).map_or(OPEN, |count| count.0),
        supersede: value(&raw.supersede).unwrap_or_default(),
        ignored_closers: texts(&raw.ignored_closers),
        labels: texts(&raw.labels),
        reviewers: texts(&raw.reviewers),
        draft: value(&raw.draft).unwrap_or_default(),
        auto_merge: value(&raw.auto_merge),
        rebuild: value(&raw.rebuild).unwrap_or_default(),
        prefix: value(&raw.branch_prefix).map_or_else(|| PREFIX.to_owned(), |prefix| prefix.0),
    };
    Some((value(&raw.mode).unwrap_or_default(), pulls))
}

/// The forge of `remote`, as far as it is known; what is wrong is reported, and there may be no value.
pub(super) fn forge(
    field: &mut Field<RawForge>,
    remote: &Remote,
    needed: Option<Spot>,
    report: &mut Report<'_>,
) -> Option<Option<ForgeAccess>> {
    let written = field.is_written();
    let (mut raw, spot) = match field.take() {
        Some(at) => (at.value, Some(at.key)),
        None if written => return None,
        None => (RawForge::default(), None),
    };
    let address = Address::of(&remote.url.to_string());
    let guess = address.as_ref().and_then(Kind::of);
    let Some(spot) = spot.or(needed) else {
        // Nobody needs it; where it can be told, a stage may ask for pull requests.
        return Some(guess.and_then(|kind| access(kind, &mut raw, address.as_ref(), remote)));
    };
    let credentials = match raw.credentials.take() {
        Some(own) => Some(credentials(own.value.0, own.spot, report)?),
        None if raw.credentials.is_written() => return None,
        None => None,
    };
    let kind = value(&raw.kind).or(guess);
    let found = kind.and_then(|kind| access(kind, &mut raw, address.as_ref(), remote));
    let Some(mut found) = found else {
        let mistake = Mistake::new("which forge this repository is on can't be told from its URL");
        let hint = "add `forge: {kind: github, api: https://HOST/PATH, repository: OWNER/NAME}`";
        report.error(spot, mistake.hint(hint));
        return None;
    };
    if let Some(own) = credentials {
        found.credentials = own;
    }
    if found.credentials == Credentials::None {
        let mistake = Mistake::new("the forge needs credentials of its own: Git's are none for it");
        let hint = "add `forge: {credentials: {token: {file: PATH}}}`";
        report.error(spot, mistake.hint(hint));
        return None;
    }
    Some(Some(found))
}

/// How the forge is reached, with Git's own credentials; `None` where something is not known.
fn access(
    kind: Kind,
    raw: &mut RawForge,
    address: Option<&Address>,
    remote: &Remote,
) -> Option<ForgeAccess> {
    let api = match raw.api.take() {
        Some(api) => api.value.0,
        None => address?.api(kind)?,
    };
    let repository = match raw.repository.take() {
        Some(repository) => repository.value,
        None => address?.repository(kind),
    };
    let credentials = match &remote.auth {
        Auth::Token(token) => Credentials::Token(token.clone()),
        Auth::Basic { username, password } => Credentials::Basic {
            username: username.clone(),
            password: password.clone(),
        },
        Auth::GitHubApp(app) => Credentials::GitHubApp(app.clone()),
        Auth::None | Auth::Ssh { .. } => Credentials::None,
    };
    Some(ForgeAccess {
        kind,
        api,
        repository,
        credentials,
        ca_pem: raw
            .ca
            .take()
            .map(|ca| ca.value.0)
            .or_else(|| remote.ca_pem.clone()),
        plain: match value(&raw.plain_http) {
            Some(true) => PlainHttp::Allowed,
            Some(false) | None => PlainHttp::LoopbackOnly,
        },
    })
}

fn credentials(
    mut raw: RawForgeCredentials,
    spot: Spot,
    report: &mut Report<'_>,
) -> Option<Credentials> {
    let written = [
        raw.token.is_written(),
        raw.username.is_written(),
        raw.password.is_written(),
        raw.github_app.is_written(),
    ];
    match written {
        [true, false, false, false] => Some(Credentials::Token(raw.token.take()?.value)),
        [false, true, true, false] => Some(Credentials::Basic {
            username: raw.username.take()?.value.0,
            password: raw.password.take()?.value,
        }),
        [false, false, false, true] => {
            let mut app = raw.github_app.take()?.value.0;
            Some(Credentials::GitHubApp(GitHubApp {
                id: app.id.take()?.value,
                installation: app.installation.take()?.value.0,
                key: app.private_key.take()?.value,
            }))
        }
        _ => {
            let mistake = Mistake::new("these credentials are not one way to sign in");
            let hint = "write `token`, or `username` and `password`, or `githubApp`";
            report.error(spot, mistake.hint(hint));
            None
        }
    }
}
