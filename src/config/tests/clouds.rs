//! Credentials of clouds, and mirrors, in the service file.

use super::*;
use crate::clock::Clock;
use crate::registry::cloud::aws::AwsSource;
use crate::registry::cloud::azure::AzureProof;
use crate::registry::cloud::{Azure, Cloud, Ecr, Gcp};
use crate::registry::{Api, Client, Credentials, Mirror};
use crate::secret::Secret;

const ECR: &str = "123456789012.dkr.ecr.eu-west-1.amazonaws.com";

fn text(host: &str, rest: &str) -> String {
    format!(
        "version: 1\nrepositories: [{{name: r, url: /r, policies: [p]}}]\nregistries:\n  - host: {host}\n    {rest}\n"
    )
}

fn cloud(host: &str, credentials: &str) -> Cloud {
    let text = text(host, &format!("credentials: {credentials}"));
    let mut service = good_service(&text);
    match service.registries.remove(0).account.credentials {
        Credentials::Cloud(cloud) => *cloud,
        other => panic!("{other:?}"),
    }
}

fn env(name: &str) -> Secret {
    Secret::Env(name.to_owned())
}

#[test]
fn nothing_is_needed_where_the_platform_has_all() {
    for (host, credentials, wanted) in [
        (ECR, "{ecr: {}}", Cloud::Ecr(Ecr::default())),
        ("public.ecr.aws", "{ecr: {}}", Cloud::Ecr(Ecr::default())),
        ("gcr.io", "{gcp: {}}", Cloud::Gcp(Gcp::default())),
        ("eu.gcr.io", "{gcp: {}}", Cloud::Gcp(Gcp::default())),
        (
            "europe-docker.pkg.dev",
            "{gcp: {}}",
            Cloud::Gcp(Gcp::default()),
        ),
        (
            "acme.azurecr.io",
            "{azure: {}}",
            Cloud::Azure(Azure::default()),
        ),
    ] {
        assert_eq!(cloud(host, credentials), wanted, "{host}");
    }
}

#[test]
fn each_cloud_has_its_ways() {
    let ecr = |source| {
        Cloud::Ecr(Ecr {
            source,
            ..Ecr::default()
        })
    };
    assert_eq!(
        cloud(
            ECR,
            "{ecr: {accessKeyId: {env: I}, secretAccessKey: {env: S}, sessionToken: {env: T}}}"
        ),
        ecr(AwsSource::Keys {
            id: env("I"),
            secret: env("S"),
            session: Some(env("T")),
        })
    );
    assert_eq!(
        cloud(
            ECR,
            "{ecr: {roleArn: 'arn:aws:iam::123456789012:role/t', webIdentityToken: {file: /t}}}"
        ),
        ecr(AwsSource::WebIdentity {
            role: "arn:aws:iam::123456789012:role/t".to_owned(),
            token: "/t".into(),
        })
    );
    assert_eq!(
        cloud(ECR, "{ecr: {profile: team-a}}"),
        ecr(AwsSource::Profile("team-a".to_owned()))
    );
    let endpoints = "{ecr: {region: eu-west-1, endpoint: https://vpce.example, stsEndpoint: 'http://127.0.0.1:1', metadataEndpoint: 'http://169.254.169.254'}}";
    assert_eq!(
        cloud("images.example.com", endpoints),
        Cloud::Ecr(Ecr {
            region: Some("eu-west-1".to_owned()),
            endpoint: Some("https://vpce.example".parse().unwrap()),
            sts_endpoint: Some("http://127.0.0.1:1".parse().unwrap()),
            metadata_endpoint: Some("http://169.254.169.254".parse().unwrap()),
            ..Ecr::default()
        })
    );
    assert_eq!(
        cloud("gcr.io", "{gcp: {key: {file: /key.json}}}"),
        Cloud::Gcp(Gcp {
            key: Some(Secret::File("/key.json".into())),
            ..Gcp::default()
        })
    );
    let azure = |proof| {
        Cloud::Azure(Azure {
            tenant_id: Some("t".to_owned()),
            client_id: Some("c".to_owned()),
            proof,
            ..Azure::default()
        })
    };
    assert_eq!(
        cloud(
            "a.azurecr.io",
            "{azure: {tenantId: t, clientId: c, clientSecret: {env: S}}}"
        ),
        azure(AzureProof::Secret(env("S")))
    );
    assert_eq!(
        cloud(
            "a.azurecr.io",
            "{azure: {tenantId: t, clientId: c, federatedToken: {file: /t}}}"
        ),
        azure(AzureProof::Federated("/t".into()))
    );
}

#[test]
fn what_does_not_fit_is_told() {
    for (host, credentials, words) in [
        (ECR, "{ecr: {}, gcp: {}}", "not one way to sign in"),
        (
            ECR,
            "{ecr: {}, username: u, password: {env: P}}",
            "not one way to sign in",
        ),
        (
            ECR,
            "{ecr: {accessKeyId: {env: I}}}",
            "not one way to be known",
        ),
        (
            ECR,
            "{ecr: {sessionToken: {env: I}}}",
            "not one way to be known",
        ),
        (
            ECR,
            "{ecr: {webIdentityToken: {file: f}}}",
            "not one way to be known",
        ),
        (
            ECR,
            "{ecr: {accessKeyId: {env: I}, secretAccessKey: {env: S}, roleArn: 'arn:aws:iam::123456789012:role/t'}}",
            "not one way to be known",
        ),
        (
            ECR,
            "{ecr: {roleArn: x, webIdentityToken: {file: f}}}",
            "not the ARN of a role",
        ),
        (ECR, "{ecr: {region: Mars}}", "not a region"),
        (
            ECR,
            "{ecr: {endpoint: 'http://ecr.example'}}",
            "not encrypted",
        ),
        (ECR, "{ecr: x}", "expected a mapping"),
        ("images.example.com", "{ecr: {}}", "doesn't name a region"),
        (
            "gcr.io",
            "{gcp: {key: x}}",
            "can't be written into this file",
        ),
        ("ghcr.io", "{gcp: {}}", "none of Google's registries"),
        ("gcr.io", "{azure: {}}", "none of Azure's registries"),
        (
            "a.azurecr.io",
            "{azure: {clientSecret: {env: S}, federatedToken: {file: f}}}",
            "not with both",
        ),
        ("a.azurecr.io", "{azure: {tenantId: a/b}}", "not an id"),
    ] {
        let text = text(host, &format!("credentials: {credentials}"));
        let loaded = crate::config::service("tagwright.yaml", &text);
        let told = &loaded.diagnostics;
        assert_eq!(told.len(), 1, "{credentials}: {}", rendered(told));
        assert!(
            told[0].message.contains(words),
            "{credentials}: {}",
            told[0].message
        );
        assert!(
            told[0].position.is_some_and(|at| at.line == 5),
            "{credentials}"
        );
    }
}

#[test]
fn a_secret_among_them_is_refused_and_not_shown() {
    for credentials in [
        "{ecr: {accessKeyId: hunter2, secretAccessKey: hunter2}}",
        "{ecr: {secretAcessKey: hunter2}}",
        "{ecr: {zone: hunter2}}",
        "{ecr: hunter2}",
        "{ecr: {endpoint: 'https://u:hunter2@ecr.example'}}",
        "{gcp: {key: '{\"private_key\": \"hunter2\"}'}}",
        "{azure: {clientSecret: hunter2}}",
        "{azure: {clientSecret: {value: hunter2}}}",
    ] {
        let text = text(ECR, &format!("credentials: {credentials}"));
        let loaded = crate::config::service("tagwright.yaml", &text);
        assert!(loaded.value.is_none(), "{credentials}");
        let shown = format!(
            "{}{:?}",
            rendered(&loaded.diagnostics),
            lines(&loaded.diagnostics)
        );
        assert!(!shown.contains("hunter"), "{credentials}\n{shown}");
    }
}

#[test]
fn a_mirror_has_the_account_s_credentials() {
    let mirror = format!("mirror: {ECR}/docker-hub");
    let service = good_service(&text(
        "docker.io",
        &format!("{mirror}\n    credentials: {{ecr: {{}}}}"),
    ));
    let account = &service.registries[0].account;
    assert_eq!(account.host, "docker.io");
    assert_eq!(
        account.mirror,
        Some(Mirror {
            host: ECR.to_owned(),
            path: "docker-hub".to_owned(),
        })
    );
    let bad = crate::config::service("f", &text("docker.io", "mirror: https://m.example"));
    assert!(bad.diagnostics[0].message.contains("not a registry's host"));
}

#[test]
fn how_tags_are_listed_can_be_said() {
    for (words, api) in [
        ("interval: 5m", Api::Detect),
        ("listing: auto", Api::Detect),
        ("listing: plain", Api::Plain),
        ("listing: harbor", Api::Harbor),
        ("listing: dockerHub", Api::DockerHub),
    ] {
        let service = good_service(&text("r.example.com", words));
        assert_eq!(service.registries[0].account.api, api, "{words}");
    }
    let bad = crate::config::service("f", &text("r.example.com", "listing: harbour"));
    let hint = bad.diagnostics[0].hint.as_deref();
    assert_eq!(hint, Some("did you mean `harbor`?"));
}

#[test]
fn no_team_has_the_credentials_of_another() {
    let text = "version: 1
repositories:
  - name: r
    url: /r
    policies:
      - {path: a, registries: [team-a]}
      - {path: b, registries: [team-b, shared]}
      - {path: none, registries: [mirror]}
registries:
  - {name: team-a, host: ghcr.io, path: acme/a/, credentials: {username: a, password: {env: A}}}
  - {name: team-b, host: ghcr.io, path: acme/b/, credentials: {username: b, password: {env: B}}}
  - {name: shared, host: ghcr.io, credentials: {username: s, password: {env: S}}}
  - {name: mirror, host: docker.io, mirror: ghcr.io/acme, credentials: {username: m, password: {env: M}}}
";
    let service = good_service(text);
    let accounts: Vec<_> = service
        .registries
        .iter()
        .map(|r| r.account.clone())
        .collect();
    let client = Client::new(accounts.clone(), Clock::system()).unwrap();
    for (entry, image, wanted) in [
        (0, "ghcr.io/acme/a/web", Some("team-a")),
        (0, "ghcr.io/acme/b/web", None),
        (0, "ghcr.io/other", None),
        (1, "ghcr.io/acme/b/web", Some("team-b")),
        (1, "ghcr.io/acme/a/web", Some("shared")),
        (1, "nginx", None),
        (2, "nginx", Some("mirror")),
        // The mirror's credentials are for what is looked up there, not for its host.
        (2, "ghcr.io/acme/library/nginx", None),
    ] {
        let access = service.repositories[0].policies[entry].access();
        let id = client.account_for(&image.parse().unwrap(), access);
        let name = id.index().and_then(|index| accounts[index].name.as_deref());
        assert_eq!(name, wanted, "{entry} {image}");
    }
}
