//! Guesses from the URLs that people have.

use super::*;

fn address(url: &str) -> Address {
    Address::of(url).unwrap_or_else(|| panic!("{url} is an address"))
}

#[test]
fn kind_interface_and_path_are_found_from_the_git_url() {
    use Kind::*;
    for (url, kind, api, repository) in [
        (
            "https://github.com/acme/fleet.git",
            GitHub,
            "https://api.github.com/",
            "acme/fleet",
        ),
        (
            "git@github.com:acme/fleet.git",
            GitHub,
            "https://api.github.com/",
            "acme/fleet",
        ),
        (
            "https://acme.ghe.com/acme/fleet",
            GitHub,
            "https://api.acme.ghe.com/",
            "acme/fleet",
        ),
        (
            "ssh://git@github.example.com:2222/acme/fleet",
            GitHub,
            "https://github.example.com/api/v3",
            "acme/fleet",
        ),
        (
            "https://gitlab.com/group/sub/fleet.git",
            GitLab,
            "https://gitlab.com/api/v4",
            "group/sub/fleet",
        ),
        (
            "https://my-gitlab.example.com:8443/g/fleet/",
            GitLab,
            "https://my-gitlab.example.com:8443/api/v4",
            "g/fleet",
        ),
        (
            "git@Codeberg.org:acme/fleet",
            Gitea,
            "https://codeberg.org/api/v1",
            "acme/fleet",
        ),
        (
            "http://forgejo.internal:3000/acme/fleet.git",
            Gitea,
            "http://forgejo.internal:3000/api/v1",
            "acme/fleet",
        ),
        (
            "git@bitbucket.org:acme/fleet.git",
            BitbucketCloud,
            "https://api.bitbucket.org/2.0",
            "acme/fleet",
        ),
        (
            "https://git.example.com/base/scm/ops/fleet.git",
            BitbucketDataCenter,
            "https://git.example.com/base/rest",
            "ops/fleet",
        ),
        (
            "ssh://git@stash.example.com:7999/ops/fleet.git",
            BitbucketDataCenter,
            "https://stash.example.com/rest",
            "ops/fleet",
        ),
        (
            "https://acme@dev.azure.com/acme/shop/_git/fleet",
            AzureDevOps,
            "https://dev.azure.com/",
            "acme/shop/fleet",
        ),
        (
            "git@ssh.dev.azure.com:v3/acme/shop/fleet",
            AzureDevOps,
            "https://dev.azure.com/",
            "acme/shop/fleet",
        ),
        (
            "https://acme.visualstudio.com/DefaultCollection/shop/_git/fleet",
            AzureDevOps,
            "https://dev.azure.com/",
            "acme/shop/fleet",
        ),
        (
            "https://acme.visualstudio.com/_git/fleet",
            AzureDevOps,
            "https://dev.azure.com/",
            "acme/fleet/fleet",
        ),
        (
            "https://dev.azure.com/acme/My%20Shop/_git/the%20fleet",
            AzureDevOps,
            "https://dev.azure.com/",
            "acme/My Shop/the fleet",
        ),
        (
            "https://tfs.example.com/tfs/Main/shop/_git/fleet",
            AzureDevOps,
            "https://tfs.example.com/tfs",
            "Main/shop/fleet",
        ),
    ] {
        let address = address(url);
        assert_eq!(Kind::of(&address), Some(kind), "{url}");
        assert_eq!(address.api(kind).unwrap().as_str(), api, "{url}");
        assert_eq!(address.repository(kind), repository, "{url}");
    }
}

#[test]
fn nothing_is_guessed_from_nothing() {
    for url in [
        "/srv/fleet.git",
        "./fleet",
        "file:///srv/fleet",
        "C:x/y:z",
        "fleet",
    ] {
        assert!(
            Address::of(url).is_none_or(|address| Kind::of(&address).is_none()),
            "{url}"
        );
    }
    assert_eq!(
        Kind::of(&address("https://git.example.com/acme/fleet")),
        None
    );
    assert_eq!(Kind::of(&address("https://notgithub.com/acme/fleet")), None);
}

fn settings(api: &str, repository: &str) -> Settings {
    Settings {
        kind: Kind::GitHub,
        api: api.parse().unwrap(),
        repository: repository.to_owned(),
        credentials: Credentials::None,
        ca_pem: Vec::new(),
        plain: PlainHttp::LoopbackOnly,
        clock: Clock::system(),
        paces: Paces::default(),
    }
}

#[test]
fn credentials_do_not_go_over_plain_http_unasked() {
    let refused = open(settings("http://git.example.com/api/v3", "acme/fleet"));
    assert!(matches!(refused, Err(Error::Plain { .. })));
}

#[test]
fn a_path_that_no_repository_has_is_refused() {
    for path in ["fleet", "a/b/c", "a//b", "../b", "/b", ""] {
        let refused = open(settings("https://api.github.com", path));
        assert!(matches!(refused, Err(Error::Repository { .. })), "{path}");
    }
}
