//! Resolving: the digest that a tag stands for.
//!
//! Invariant: the digest is that of what the registry stores under the tag, an index where there is
//! one, because every type is accepted and nothing is re-serialised. It comes from a HEAD request,
//! which registries don't count as a pull, and from hashing the manifest only where that doesn't say.
//!
//! Source: OCI distribution spec v1.1, "Pulling manifests", "Checking if content exists in the
//! registry".

use std::str::FromStr as _;

use reqwest::{Method, StatusCode};

use super::auth::Session;
use super::exchange::{Reply, Request};
use super::limits::MAX_MANIFEST;
use super::{Fault, Resolved};
use crate::image::{Digest, Tag};

/// Every type a tag can stand for. A registry that misses one here may convert the manifest or pick a
/// platform, and so answer with another digest.
pub(super) const ACCEPT: &str = "application/vnd.oci.image.index.v1+json, \
    application/vnd.docker.distribution.manifest.list.v2+json, \
    application/vnd.oci.image.manifest.v1+json, \
    application/vnd.docker.distribution.manifest.v2+json";

/// The header that names a manifest's digest.
const DIGEST: &str = "docker-content-digest";

/// What `tag` stands for.
pub(super) async fn resolve(session: &Session<'_>, tag: &Tag) -> Result<Resolved, Fault> {
    let head = session.send(request(session, tag, Method::HEAD)).await?;
    if head.status == StatusCode::NOT_FOUND && !head.is_web_page() {
        return Ok(Resolved::Missing);
    }
    if head.status == StatusCode::OK
        && let Some(digest) = announced(&head)
    {
        return Ok(Resolved::Found(digest));
    }
    // No digest, or a server or proxy that knows no HEAD.
    let manifest = session.send(request(session, tag, Method::GET)).await?;
    match manifest.status {
        StatusCode::OK => computed(&manifest).map(Resolved::Found),
        StatusCode::NOT_FOUND if manifest.is_web_page() => {
            Err(manifest.not_a_registry("it sends a web page instead of a manifest"))
        }
        StatusCode::NOT_FOUND => Ok(Resolved::Missing),
        _ => Err(manifest.unexpected()),
    }
}

fn request(session: &Session<'_>, tag: &Tag, method: Method) -> Request {
    let mut url = session.origin.clone();
    let repository = session.image.repository();
    url.set_path(&format!("/v2/{repository}/manifests/{tag}"));
    Request {
        accept: ACCEPT,
        ..Request::new(method, url, session.image.registry(), MAX_MANIFEST)
    }
}

fn announced(reply: &Reply) -> Option<Digest> {
    let value = reply.headers.get(DIGEST)?.to_str().ok()?;
    Digest::from_str(value).ok()
}

/// The digest of the manifest's bytes, which must be a manifest and agree with what is announced.
fn computed(reply: &Reply) -> Result<Digest, Fault> {
    let is_object = serde_json::from_slice::<Object>(&reply.body).is_ok();
    if !is_object {
        return Err(reply.not_a_registry("it sends something else than a manifest"));
    }
    let digest = Digest::of(&reply.body);
    match announced(reply) {
        Some(announced) if announced.as_str().starts_with("sha256:") && announced != digest => {
            Err(reply.not_a_registry("the manifest doesn't have the digest it announces"))
        }
        _ => Ok(digest),
    }
}

/// Any JSON object that says which version of the image format it is, as all manifests do.
#[derive(serde::Deserialize)]
struct Object {
    #[serde(rename = "schemaVersion")]
    _schema_version: u32,
}
