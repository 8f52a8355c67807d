//! Describing: which platforms a manifest has, and when its image was built.
//!
//! Invariant: what is read is asked for by digest and has that digest, so a description is true of the
//! digest for ever. A build time that is plainly none, as reproducible builds write it, counts as none.
//!
//! Sources: OCI image specification v1.1, "Image index", "Image manifest", "Image configuration",
//! "Annotations"; Docker's manifest v2 schema 2, whose fields have the same names.

use std::collections::BTreeMap;

use jiff::Timestamp;
use reqwest::{Method, StatusCode};
use serde::Deserialize;

use super::Fault;
use super::auth::Session;
use super::exchange::{Reply, Request};
use super::limits::{MAX_CONFIG, MAX_MANIFEST};
use super::manifest::ACCEPT;
use crate::image::Digest;

/// Longest address or revision that is kept, in bytes.
const MAX_TEXT: usize = 500;

/// What is to be known of a manifest.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Detail {
    /// Its platforms.
    Platforms,
    /// Its platforms, and when it was built, which takes up to two more requests.
    Created,
    /// The same, and what it was built from.
    Origin,
}

/// What became of a request for a description.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Described {
    /// It is there.
    Found(Description),
    /// The registry does not have the manifest.
    Missing,
}

/// What a manifest says of its image.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Description {
    /// What it was built for; empty for what is no image.
    pub platforms: Vec<BuiltFor>,
    /// When it was built, if that was asked for and is told.
    pub created: Option<Created>,
    /// What it was built from, if that was asked for.
    pub origin: Origin,
}

/// What an image was built from, by its builder's word: the annotations `org.opencontainers.image.source`
/// and `.revision` of the manifest or index, or else the labels of that name in the configuration.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Origin {
    /// Where the sources are.
    pub source: Option<String>,
    /// At which revision.
    pub revision: Option<String>,
}

/// A platform of an image, as its index or configuration states it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct BuiltFor {
    /// The operating system.
    pub os: String,
    /// The architecture.
    pub architecture: String,
    /// The variant of the architecture; empty for none.
    pub variant: String,
    /// The manifest for it.
    pub digest: Digest,
}

/// When an image was built, by its builder's word.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Created {
    /// The time.
    pub at: Timestamp,
    /// Where it is written.
    pub from: CreatedFrom,
}

/// Where a build time is written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum CreatedFrom {
    /// The annotation `org.opencontainers.image.created` of the manifest or index.
    Annotation,
    /// `created` of the image's configuration.
    Config,
}

/// Describes the manifest `digest`.
pub(super) async fn describe(
    session: &Session<'_>,
    digest: &Digest,
    detail: Detail,
) -> Result<Described, Fault> {
    let Some(manifest) = manifest(session, digest).await? else {
        return Ok(Described::Missing);
    };
    let description = match manifest.manifests {
        Some(_) => of_index(session, &manifest, detail).await?,
        None => of_manifest(session, &manifest, digest, detail).await?,
    };
    Ok(Described::Found(description))
}

async fn of_index(
    session: &Session<'_>,
    index: &Manifest,
    detail: Detail,
) -> Result<Description, Fault> {
    let entries = index.manifests.as_deref().unwrap_or_default();
    let platforms: Vec<BuiltFor> = entries.iter().filter_map(Descriptor::built_for).collect();
    let mut created = created_of(&index.annotations);
    let mut origin = Origin::of(&index.annotations);
    let open = match detail {
        Detail::Platforms => false,
        Detail::Created => created.is_none(),
        Detail::Origin => created.is_none() || !origin.is_whole(),
    };
    if let (true, Some(first)) = (open, platforms.first()) {
        // Each platform has a build of its own; they are made together, and one has to speak for all.
        if let Some(manifest) = manifest(session, &first.digest).await? {
            let one = of_manifest(session, &manifest, &first.digest, detail).await?;
            created = created.or(one.created);
            origin = origin.or(one.origin);
        }
    }
    Ok(Description {
        platforms,
        created,
        origin,
    })
}

async fn of_manifest(
    session: &Session<'_>,
    manifest: &Manifest,
    digest: &Digest,
    detail: Detail,
) -> Result<Description, Fault> {
    let Some(config) = manifest.config.as_ref().filter(|config| config.is_image()) else {
        return Ok(Description::default());
    };
    let config = config_blob(session, &config.digest).await?;
    let platforms = match (config.os, config.architecture) {
        (Some(os), Some(architecture)) => vec![BuiltFor {
            os,
            architecture,
            variant: config.variant.unwrap_or_default(),
            digest: digest.clone(),
        }],
        _ => Vec::new(),
    };
    let built = config.created.as_deref().and_then(time);
    let built = built.map(|at| Created {
        at,
        from: CreatedFrom::Config,
    });
    let created = match detail {
        Detail::Created | Detail::Origin => created_of(&manifest.annotations).or(built),
        Detail::Platforms => None,
    };
    let labels = config.config.unwrap_or_default().labels;
    let origin = match detail {
        Detail::Origin => Origin::of(&manifest.annotations).or(Origin::of(&labels)),
        Detail::Created | Detail::Platforms => Origin::default(),
    };
    Ok(Description {
        platforms,
        created,
        origin,
    })
}

impl Origin {
    fn of(texts: &BTreeMap<String, String>) -> Self {
        let text = |name: &str| {
            let text = texts.get(&format!("org.opencontainers.image.{name}"))?;
            (!text.is_empty() && text.len() <= MAX_TEXT).then(|| text.clone())
        };
        Self {
            source: text("source"),
            revision: text("revision"),
        }
    }

    fn is_whole(&self) -> bool {
        self.source.is_some() && self.revision.is_some()
    }

    fn or(self, other: Self) -> Self {
        Self {
            source: self.source.or(other.source),
            revision: self.revision.or(other.revision),
        }
    }
}

fn created_of(annotations: &BTreeMap<String, String>) -> Option<Created> {
    let text = annotations.get("org.opencontainers.image.created")?;
    Some(Created {
        at: time(text)?,
        from: CreatedFrom::Annotation,
    })
}

/// A time of RFC 3339, unless it is one that stands for none: the year 1, or the start of Unix time,
/// plus what some builders add to it.
fn time(text: &str) -> Option<Timestamp> {
    const FIRST_DAYS: i64 = 366 * 24 * 60 * 60;
    let at: Timestamp = text.parse().ok()?;
    (at.as_second() > FIRST_DAYS).then_some(at)
}

async fn manifest(session: &Session<'_>, digest: &Digest) -> Result<Option<Manifest>, Fault> {
    let request = Request {
        accept: ACCEPT,
        ..request(session, "manifests", digest, MAX_MANIFEST)
    };
    let reply = session.send(request).await?;
    match reply.status {
        StatusCode::OK => read(&reply, digest, "manifest").map(Some),
        StatusCode::NOT_FOUND if !reply.is_web_page() => Ok(None),
        _ => Err(reply.unexpected()),
    }
}

async fn config_blob(session: &Session<'_>, digest: &Digest) -> Result<Config, Fault> {
    let reply = session
        .send(request(session, "blobs", digest, MAX_CONFIG))
        .await?;
    match reply.status {
        StatusCode::OK => read(&reply, digest, "image configuration"),
        _ => Err(reply.unexpected()),
    }
}

fn request(session: &Session<'_>, kind: &str, digest: &Digest, most: usize) -> Request {
    let mut url = session.origin.clone();
    let repository = session.image.repository();
    url.set_path(&format!("/v2/{repository}/{kind}/{digest}"));
    Request::new(Method::GET, url, session.image.registry(), most)
}

/// The JSON of a reply whose bytes have the digest they were asked for by. Other algorithms than
/// SHA-256 are taken at the registry's word.
fn read<T: for<'de> Deserialize<'de>>(
    reply: &Reply,
    digest: &Digest,
    what: &'static str,
) -> Result<T, Fault> {
    if digest.as_str().starts_with("sha256:") && Digest::of(&reply.body) != *digest {
        return Err(reply.not_a_registry(&format!("the {what} doesn't have its digest")));
    }
    serde_json::from_slice(&reply.body).map_err(|_| Fault::Content {
        host: reply.host.clone(),
        what,
    })
}

/// A manifest or an index, as far as it matters here.
#[derive(Debug, Deserialize)]
struct Manifest {
    /// Only an index has it.
    manifests: Option<Vec<Descriptor>>,
    config: Option<Descriptor>,
    #[serde(default, deserialize_with = "null_is_default")]
    annotations: BTreeMap<String, String>,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
struct Descriptor {
    #[serde(default)]
    media_type: String,
    #[serde(deserialize_with = "digest")]
    digest: Digest,
    platform: Option<Platform>,
    #[serde(default, deserialize_with = "null_is_default")]
    annotations: BTreeMap<String, String>,
}

impl Descriptor {
    /// Whether it is the configuration of an image, rather than of a chart, say.
    fn is_image(&self) -> bool {
        matches!(
            self.media_type.as_str(),
            "application/vnd.oci.image.config.v1+json"
                | "application/vnd.docker.container.image.v1+json"
        )
    }

    /// The platform, if it is that of an image: attestations state `unknown/unknown` (Docker,
    /// "Image attestation storage").
    fn built_for(&self) -> Option<BuiltFor> {
        let platform = self.platform.as_ref()?;
        let attests = self.annotations.contains_key("vnd.docker.reference.type");
        let known = platform.os != "unknown" && !platform.architecture.is_empty();
        (known && !attests).then(|| BuiltFor {
            os: platform.os.clone(),
            architecture: platform.architecture.clone(),
            variant: platform.variant.clone().unwrap_or_default(),
            digest: self.digest.clone(),
        })
    }
}

#[derive(Debug, Deserialize)]
struct Platform {
    os: String,
    architecture: String,
    variant: Option<String>,
}

#[derive(Debug, Deserialize)]
struct Config {
    os: Option<String>,
    architecture: Option<String>,
    variant: Option<String>,
    created: Option<String>,
    config: Option<Settings>,
}

/// What an image's containers begin with.
#[derive(Debug, Default, Deserialize)]
struct Settings {
    #[serde(rename = "Labels", default, deserialize_with = "null_is_default")]
    labels: BTreeMap<String, String>,
}

fn digest<'de, D: serde::Deserializer<'de>>(deserializer: D) -> Result<Digest, D::Error> {
    let text = String::deserialize(deserializer)?;
    text.parse().map_err(serde::de::Error::custom)
}

fn null_is_default<'de, D, T>(deserializer: D) -> Result<T, D::Error>
where
    D: serde::Deserializer<'de>,
    T: Default + Deserialize<'de>,
{
    Ok(Option::deserialize(deserializer)?.unwrap_or_default())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_that_stand_for_none_are_none() {
        for (text, wanted) in [
            ("2024-05-01T10:00:00Z", Some(1_714_557_600)),
            ("2024-05-01T10:00:00.123456789+02:00", Some(1_714_550_400)),
            ("1970-01-01T00:00:00Z", None),
            ("1970-01-01T00:00:01Z", None),
            ("1980-01-01T00:00:00Z", Some(315_532_800)),
            ("0001-01-01T00:00:00Z", None),
            ("yesterday", None),
            ("", None),
        ] {
            assert_eq!(time(text).map(Timestamp::as_second), wanted, "{text}");
        }
    }

    #[test]
    fn an_index_tells_its_platforms_without_attestations() {
        let digest = Digest::of(b"x");
        let text = format!(
            r#"{{"schemaVersion":2,"annotations":null,"manifests":[
                {{"mediaType":"m","digest":"{digest}","platform":{{"os":"linux","architecture":"arm64","variant":"v8"}}}},
                {{"mediaType":"m","digest":"{digest}","platform":{{"os":"unknown","architecture":"unknown"}}}},
                {{"mediaType":"m","digest":"{digest}","platform":{{"os":"linux","architecture":"amd64"}},
                  "annotations":{{"vnd.docker.reference.type":"attestation-manifest"}}}},
                {{"mediaType":"m","digest":"{digest}"}}]}}"#
        );
        let index: Manifest = serde_json::from_str(&text).unwrap();
        let platforms: Vec<BuiltFor> = index
            .manifests
            .unwrap()
            .iter()
            .filter_map(Descriptor::built_for)
            .collect();
        assert_eq!(
            platforms,
            [BuiltFor {
                os: "linux".to_owned(),
                architecture: "arm64".to_owned(),
                variant: "v8".to_owned(),
                digest,
            }]
        );
    }
}
