//! Pull requests and the forge as they are configured.

use super::*;
use crate::config::{PullGrouping, PushMode, Rebuild};
use crate::forge::{Credentials, Kind, Method};
use crate::secret::Secret;

fn text(url: &str, rest: &str) -> String {
    format!("version: 1\nrepositories:\n  - name: r\n    url: {url}\n    policies: [p]\n{rest}")
}

const BY_PULL: &str = "    push: {mode: pullRequest}\n";

#[test]
fn a_forge_is_found_from_the_url() {
    let token = "    credentials: {token: {env: T}}\n";
    for (url, kind, api, repository) in [
        (
            "https://github.com/acme/fleet.git",
            Kind::GitHub,
            "https://api.github.com/",
            "acme/fleet",
        ),
        (
            "https://gitlab.example.com/a/b/c",
            Kind::GitLab,
            "https://gitlab.example.com/api/v4",
            "a/b/c",
        ),
        (
            "https://codeberg.org/acme/fleet",
            Kind::Gitea,
            "https://codeberg.org/api/v1",
            "acme/fleet",
        ),
    ] {
        let service = good_service(&text(url, &format!("{token}{BY_PULL}")));
        let fleet = &service.repositories[0];
        assert_eq!(fleet.push, PushMode::PullRequest);
        let forge = fleet.forge.as_ref().unwrap();
        assert_eq!(
            (forge.kind, forge.api.as_str(), forge.repository.as_str()),
            (kind, api, repository)
        );
        let secret = Secret::Env("T".to_owned());
        assert_eq!(forge.credentials, Credentials::Token(secret));
    }
}

#[test]
fn a_forge_is_said() {
    let service = good_service(&text(
        "ssh://git@git.example.com/acme/fleet.git",
        "    credentials: {sshKey: {file: k}, knownHosts: {file: h}}
    forge: {kind: forgejo, api: 'https://git.example.com/api/v1', credentials: {token: {file: t}}}
    push:
      mode: pullRequest
      group: path:2
      openPullRequests: 3
      supersede: true
      ignoredClosers: [stale-bot]
      labels: [images]
      reviewers: [ada, '@acme/platform']
      draft: true
      autoMerge: squash
      rebuild: always
      branchPrefix: bots/tagwright/
",
    ));
    let fleet = &service.repositories[0];
    let forge = fleet.forge.as_ref().unwrap();
    assert_eq!(
        (forge.kind, forge.repository.as_str()),
        (Kind::Gitea, "acme/fleet")
    );
    let pulls = &fleet.pulls;
    assert_eq!(pulls.group, PullGrouping::Path(2.try_into().unwrap()));
    assert_eq!(pulls.most.get(), 3);
    assert!(pulls.supersede && pulls.draft);
    assert_eq!(pulls.ignored_closers, ["stale-bot"]);
    assert_eq!(pulls.labels, ["images"]);
    assert_eq!(pulls.reviewers, ["ada", "@acme/platform"]);
    assert_eq!(pulls.auto_merge, Some(Method::Squash));
    assert_eq!(pulls.rebuild, Rebuild::Always);
    assert_eq!(pulls.prefix, "bots/tagwright/");
}

#[test]
fn pull_requests_need_a_forge_and_someone_to_ask_it() {
    for (url, rest, expected) in [
        ("/srv/fleet.git", "", "which forge"),
        (
            "https://git.example.com/acme/fleet",
            "    credentials: {token: {env: T}}\n",
            "which forge",
        ),
        ("https://github.com/acme/fleet", "", "needs credentials"),
        (
            "git@github.com:acme/fleet.git",
            "    credentials: {sshKey: {file: k}, knownHosts: {file: h}}\n",
            "needs credentials",
        ),
        (
            "https://github.com/acme/fleet",
            "    forge: {credentials: {token: {env: T}, username: u}}\n",
            "not one way to sign in",
        ),
    ] {
        let loaded =
            crate::config::service("tagwright.yaml", &text(url, &format!("{rest}{BY_PULL}")));
        let told = lines(&loaded.diagnostics);
        assert!(loaded.value.is_none(), "{url}");
        assert_eq!(told.len(), 1, "{told:?}");
        assert!(told[0].contains(expected), "{told:?}");
    }
}

#[test]
fn a_stage_is_published_as_strictly_as_it_says() {
    let app = "version: 1\napp: shop\nimage: ghcr.io/acme/shop\nstages:\n  - {name: a, paths: [a]}\n  \
               - {name: b, paths: [b], push: pullRequest}\n  - {name: c, paths: [c], push: off}\n";
    let app = app.replace("push: off", "push: 'off'");
    let apps = apps_of(&entry("policies/"), &[("shop.yaml", &app)]);
    assert!(
        apps.diagnostics.is_empty(),
        "{}",
        rendered(&apps.diagnostics)
    );
    let modes: Vec<PushMode> = apps.apps[0].stages.iter().map(|stage| stage.push).collect();
    assert_eq!(
        modes,
        [PushMode::Direct, PushMode::PullRequest, PushMode::Off]
    );
    assert!(PushMode::Off < PushMode::PullRequest && PushMode::PullRequest < PushMode::Direct);
}
