//! What a manifest says of its image: platforms and build times, read by digest.

#![expect(
    clippy::unwrap_used,
    reason = "what a test can't set up is a failure of that test"
)]

use std::collections::BTreeMap;

use jiff::Timestamp;
use serde_json::{Value, json};
use tagwright::clock::Clock;
use tagwright::demo::registry::{ImageSpec, Registry};
use tagwright::image::{Digest, Image};
use tagwright::registry::{
    Access, Account, Client, Created, CreatedFrom, Described, Description, Detail, Error, Fault,
    Lasts, Scheme,
};

use crate::fake_server::{Reply, Server};

async fn describe(host: &str, digest: &Digest, detail: Detail) -> Result<Described, Error> {
    let account = Account {
        scheme: Scheme::PlainHttp,
        ..Account::anonymous(host)
    };
    let client = Client::new(vec![account], Clock::system()).unwrap();
    let image: Image = format!("{host}/acme/shop").parse().unwrap();
    let account = client.account_for(&image, Access::All);
    client.describe(&image, account, digest, detail).await
}

fn found(described: Result<Described, Error>) -> Description {
    match described.unwrap() {
        Described::Found(description) => description,
        Described::Missing => panic!("it is missing"),
    }
}

fn platforms(description: &Description) -> Vec<String> {
    let of = |built: &tagwright::registry::BuiltFor| {
        format!("{}/{}/{}", built.os, built.architecture, built.variant)
    };
    description.platforms.iter().map(of).collect()
}

#[tokio::test]
async fn an_index_has_platforms_and_the_build_time_of_its_first_image() {
    let registry = Registry::start().unwrap();
    let built: Timestamp = "2026-03-01T12:00:00Z".parse().unwrap();
    let mut spec = ImageSpec::new(built, "x");
    spec.platforms.push("linux/arm/v7".to_owned());
    let digest = registry.push("acme/shop", "1.0.0", &spec);

    let short = found(describe(&registry.host(), &digest, Detail::Platforms).await);
    assert_eq!(
        platforms(&short),
        ["linux/amd64/", "linux/arm64/", "linux/arm/v7"]
    );
    assert_eq!(short.created, None);
    assert_eq!(registry.requests().len(), 1);

    let full = found(describe(&registry.host(), &digest, Detail::Created).await);
    let from = CreatedFrom::Config;
    assert_eq!(full.created, Some(Created { at: built, from }));
    assert_eq!(registry.requests().len(), 4);

    // The manifest of one platform says so itself.
    let one = &full.platforms[1].digest;
    let one = found(describe(&registry.host(), one, Detail::Created).await);
    assert_eq!(platforms(&one), ["linux/arm64/"]);
    assert_eq!(one.created, full.created);
}

#[tokio::test]
async fn a_manifest_that_is_gone_is_missing() {
    let registry = Registry::start().unwrap();
    let described = describe(&registry.host(), &Digest::of(b"x"), Detail::Platforms).await;
    assert_eq!(described.unwrap(), Described::Missing);
}

/// A registry with these contents under any kind of path, by digest.
async fn serving(contents: Vec<(Digest, String)>) -> Server {
    let contents: BTreeMap<String, String> = contents
        .into_iter()
        .map(|(digest, text)| (digest.to_string(), text))
        .collect();
    Server::start(move |request, _| {
        let digest = request.path().rsplit('/').next().unwrap_or_default();
        match contents.get(digest) {
            Some(text) => Reply::json(200, text),
            None => Reply::json(404, "{}"),
        }
    })
    .await
}

fn stored(value: &Value) -> (Digest, String) {
    let text = value.to_string();
    (Digest::of(text.as_bytes()), text)
}

#[tokio::test]
async fn an_annotation_goes_before_the_configuration() {
    let config =
        stored(&json!({"os": "linux", "architecture": "amd64", "created": "1970-01-01T00:00:00Z"}));
    let manifest = stored(&json!({
        "schemaVersion": 2,
        "config": {"mediaType": "application/vnd.oci.image.config.v1+json", "digest": config.0.as_str()},
        "annotations": {"org.opencontainers.image.created": "2026-01-02T03:04:05Z"},
    }));
    let digest = manifest.0.clone();
    let server = serving(vec![config, manifest]).await;
    let description = found(describe(&server.host(), &digest, Detail::Created).await);
    let created = description.created.unwrap();
    assert_eq!(created.from, CreatedFrom::Annotation);
    assert_eq!(created.at.to_string(), "2026-01-02T03:04:05Z");
}

#[tokio::test]
async fn what_is_no_image_has_no_platform() {
    let chart = stored(&json!({
        "schemaVersion": 2,
        "config": {"mediaType": "application/vnd.cncf.helm.config.v1+json", "digest": Digest::of(b"c").as_str()},
    }));
    let digest = chart.0.clone();
    let server = serving(vec![chart]).await;
    let description = found(describe(&server.host(), &digest, Detail::Created).await);
    assert_eq!(description, Description::default());
}

#[tokio::test]
async fn other_bytes_than_those_of_the_digest_are_refused() {
    let server = serving(vec![(Digest::of(b"x"), "{\"manifests\":[]}".to_owned())]).await;
    let error = describe(&server.host(), &Digest::of(b"x"), Detail::Platforms).await;
    let error = error.unwrap_err();
    assert!(
        matches!(error.fault(), Some(Fault::NotARegistry { reason, .. }) if reason == "the manifest doesn't have its digest"),
        "{error:?}"
    );
}

#[tokio::test]
async fn how_long_a_failure_lasts_is_told() {
    let odd = stored(&json!({"schemaVersion": 2, "manifests": "many"}));
    let server = serving(vec![odd.clone(), (Digest::of(b"x"), "y".to_owned())]).await;
    let lasts = async |digest: &Digest| {
        let error = describe(&server.host(), digest, Detail::Platforms).await;
        error.unwrap_err().lasts()
    };
    assert_eq!(lasts(&odd.0).await, Lasts::Content);
    // Perhaps a proxy's page.
    assert_eq!(lasts(&Digest::of(b"x")).await, Lasts::UntilMended);
    for (status, wanted) in [
        (403, Lasts::UntilMended),
        (429, Lasts::Moment),
        (500, Lasts::Moment),
    ] {
        let server =
            Server::start(move |_, _| Reply::json(status, "{}").header("retry-after", "3600"))
                .await;
        let error = describe(&server.host(), &odd.0, Detail::Platforms).await;
        assert_eq!(error.unwrap_err().lasts(), wanted, "{status}");
    }
}
