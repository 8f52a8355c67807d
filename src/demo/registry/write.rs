//! Pushing and deleting: manifests and blob uploads, whole or in chunks (distribution spec v1.1).

use axum::body::{Body, Bytes, to_bytes};
use axum::http::request::Parts;
use axum::http::{HeaderMap, HeaderName, StatusCode, header};
use axum::response::IntoResponse;
use oci_client::manifest::{
    IMAGE_MANIFEST_LIST_MEDIA_TYPE, IMAGE_MANIFEST_MEDIA_TYPE, OCI_IMAGE_INDEX_MEDIA_TYPE,
    OCI_IMAGE_MEDIA_TYPE, OciImageIndex, OciImageManifest,
};
use serde_json::Value;

use super::Shared;
use super::read::{query, value};
use super::reply::{Code, Problem, Reply, created};
use super::store::{Manifest, Repository, Store};
use super::target::{self, Key};
use crate::image::Digest;

/// Longest manifest, in bytes: what the spec asks registries to accept at least.
const MAX_MANIFEST: usize = 4 * 1024 * 1024;

/// Longest body of one upload request, in bytes; it is held in memory before it is counted.
const MAX_CHUNK: usize = 32 * 1024 * 1024;

/// What a manifest says it is about, so that clients know the referrers API serves it.
const SUBJECT: HeaderName = HeaderName::from_static("oci-subject");

async fn read(body: Body, limit: usize) -> Result<Bytes, Problem> {
    to_bytes(body, limit).await.map_err(|_| {
        let message = format!("the body is cut off or longer than {limit} bytes");
        Problem::new(Code::SizeInvalid, message)
    })
}

/// Stores a manifest under its digest and, if named by one, its tag.
pub(super) async fn put_manifest(
    shared: &Shared,
    name: &str,
    key: &Key,
    headers: &HeaderMap,
    body: Body,
) -> Reply {
    let body = read(body, MAX_MANIFEST).await?;
    let json: Value = serde_json::from_slice(&body)
        .map_err(|error| Problem::new(Code::ManifestInvalid, error.to_string()))?;
    let manifest = Manifest::new(&media_type(headers, &json)?, body);
    let tag = match key {
        Key::Tag(tag) => Some(tag.as_str()),
        Key::Digest(digest) if *digest == manifest.digest => None,
        Key::Digest(_) => {
            let message = "the manifest has another digest";
            return Err(Problem::new(Code::DigestInvalid, message));
        }
    };
    let digest = manifest.digest.clone();
    let mut store = shared.store();
    check_parts(store.repository(name), &manifest)?;
    store.put_manifest(name, tag, manifest)?;
    let mut response = created(format!("/v2/{name}/manifests/{}", key.as_str()), &digest);
    let subject = json["subject"]["digest"].as_str();
    if let Some(subject) = subject.and_then(|subject| subject.parse().ok()) {
        response.headers_mut().insert(SUBJECT, subject);
    }
    Ok(response)
}

/// The media type from the header, which the body must not contradict.
fn media_type(headers: &HeaderMap, json: &Value) -> Result<String, Problem> {
    let header = headers
        .get(header::CONTENT_TYPE)
        .and_then(|value| value.to_str().ok())
        .and_then(|value| value.split(';').next())
        .map(str::trim);
    let stated = json["mediaType"].as_str();
    let media_type = header.or(stated).unwrap_or_default();
    let known = [
        OCI_IMAGE_INDEX_MEDIA_TYPE,
        OCI_IMAGE_MEDIA_TYPE,
        IMAGE_MANIFEST_LIST_MEDIA_TYPE,
        IMAGE_MANIFEST_MEDIA_TYPE,
    ];
    if !known.contains(&media_type) || stated.is_some_and(|stated| stated != media_type) {
        let message = "not a media type of a manifest, or not the body's";
        return Err(Problem::new(Code::ManifestInvalid, message));
    }
    Ok(media_type.to_owned())
}

/// Refuses a manifest that names what is not there yet: parents come after their parts.
fn check_parts(repository: Option<&Repository>, manifest: &Manifest) -> Result<(), Problem> {
    let invalid = |error: serde_json::Error| Problem::new(Code::ManifestInvalid, error.to_string());
    let is_index = [OCI_IMAGE_INDEX_MEDIA_TYPE, IMAGE_MANIFEST_LIST_MEDIA_TYPE]
        .contains(&manifest.media_type.as_str());
    let parts: Vec<String> = if is_index {
        let index: OciImageIndex = serde_json::from_slice(&manifest.body).map_err(invalid)?;
        index
            .manifests
            .into_iter()
            .map(|part| part.digest)
            .collect()
    } else {
        let image: OciImageManifest = serde_json::from_slice(&manifest.body).map_err(invalid)?;
        let parts = image.layers.into_iter().chain([image.config]);
        // A part with URLs is fetched from there and need not be pushed.
        parts
            .filter(|part| part.urls.is_none())
            .map(|part| part.digest)
            .collect()
    };
    for part in parts {
        let digest = target::digest(&part)?;
        let there = repository.is_some_and(|repository| match is_index {
            true => repository.manifest(&digest).is_some(),
            false => repository.blob(&digest).is_some(),
        });
        if !there {
            let message = format!("{digest} is not in the repository");
            return Err(Problem::new(Code::ManifestBlobUnknown, message));
        }
    }
    Ok(())
}

/// Starts an upload; with `mount` and `from` takes the blob from there, with `digest` takes the body
/// as the whole blob.
pub(super) async fn start_upload(shared: &Shared, name: &str, parts: &Parts, body: Body) -> Reply {
    let query = query(&parts.uri);
    if let (Some(digest), Some(from)) = (value(&query, "mount"), value(&query, "from")) {
        let digest = target::digest(digest)?;
        if shared.store().mount(name, from, &digest)? {
            return Ok(created(blob_path(name, &digest), &digest));
        }
    } else if let Some(digest) = value(&query, "digest") {
        let digest = target::digest(digest)?;
        let body = read(body, MAX_CHUNK).await?;
        let mut store = shared.store();
        let id = store.start_upload(name);
        return finish(&mut store, name, id, &body, &digest);
    }
    let id = shared.store().start_upload(name);
    Ok(progress(StatusCode::ACCEPTED, name, id, 0))
}

/// Says how far an upload is.
pub(super) fn upload_status(store: &Store, name: &str, id: &str) -> Reply {
    let id = number(id)?;
    let length = store.uploaded(name, id)?;
    Ok(progress(StatusCode::NO_CONTENT, name, id, length))
}

/// Adds a chunk.
pub(super) async fn patch_upload(
    shared: &Shared,
    name: &str,
    id: &str,
    headers: &HeaderMap,
    body: Body,
) -> Reply {
    let id = number(id)?;
    let chunk = read(body, MAX_CHUNK).await?;
    let mut store = shared.store();
    check_range(headers, store.uploaded(name, id)?, chunk.len())?;
    let length = store.append(name, id, &chunk)?;
    Ok(progress(StatusCode::ACCEPTED, name, id, length))
}

/// Adds the last chunk, if any, and stores the blob.
pub(super) async fn put_upload(
    shared: &Shared,
    name: &str,
    id: &str,
    parts: &Parts,
    body: Body,
) -> Reply {
    let id = number(id)?;
    let query = query(&parts.uri);
    let digest = target::digest(value(&query, "digest").unwrap_or_default())?;
    let chunk = read(body, MAX_CHUNK).await?;
    let mut store = shared.store();
    check_range(&parts.headers, store.uploaded(name, id)?, chunk.len())?;
    finish(&mut store, name, id, &chunk, &digest)
}

fn finish(store: &mut Store, name: &str, id: u64, chunk: &[u8], digest: &Digest) -> Reply {
    store.append(name, id, chunk)?;
    store.finish(name, id, digest)?;
    Ok(created(blob_path(name, digest), digest))
}

/// Gives an upload up.
pub(super) fn cancel_upload(store: &mut Store, name: &str, id: &str) -> Reply {
    store.cancel(name, number(id)?)?;
    Ok(StatusCode::NO_CONTENT.into_response())
}

/// Removes a manifest with its tags, or one tag.
pub(super) fn delete_manifest(store: &mut Store, name: &str, key: &Key) -> Reply {
    let there = match key {
        Key::Tag(tag) => store.untag(name, tag.as_str()),
        Key::Digest(digest) => store.remove_manifest(name, digest),
    };
    deleted(there, Code::ManifestUnknown)
}

/// Removes a blob.
pub(super) fn delete_blob(store: &mut Store, name: &str, digest: &Digest) -> Reply {
    deleted(store.remove_blob(name, digest), Code::BlobUnknown)
}

fn deleted(there: bool, otherwise: Code) -> Reply {
    match there {
        true => Ok(StatusCode::ACCEPTED.into_response()),
        false => Err(Problem::new(otherwise, "nothing of that name")),
    }
}

fn blob_path(name: &str, digest: &Digest) -> String {
    format!("/v2/{name}/blobs/{digest}")
}

fn number(id: &str) -> Result<u64, Problem> {
    id.parse()
        .map_err(|_| Problem::new(Code::BlobUploadUnknown, "no such upload"))
}

/// `Content-Range: START-END`, both inclusive and without a unit, must continue the upload.
fn check_range(headers: &HeaderMap, length: usize, chunk: usize) -> Result<(), Problem> {
    let Some(range) = headers.get(header::CONTENT_RANGE) else {
        return Ok(());
    };
    let bounds = range
        .to_str()
        .ok()
        .and_then(|text| text.split_once('-'))
        .and_then(|(start, end)| Some((start.parse().ok()?, end.parse().ok()?)));
    let Some((start, end)) = bounds else {
        let message = "Content-Range is not START-END";
        return Err(Problem::new(Code::BlobUploadInvalid, message));
    };
    let expected = (length, (length + chunk).saturating_sub(1));
    if (start, end) == expected {
        return Ok(());
    }
    let problem = Problem::new(Code::RangeInvalid, "the chunk does not continue the upload");
    Err(problem.header(header::RANGE, span(length)))
}

/// The value of `Range` for `length` bytes received; for none, what other registries say.
fn span(length: usize) -> String {
    format!("0-{}", length.saturating_sub(1))
}

fn progress(status: StatusCode, name: &str, id: u64, length: usize) -> axum::response::Response {
    let headers = [
        (header::LOCATION, format!("/v2/{name}/blobs/uploads/{id}")),
        (header::RANGE, span(length)),
        (
            HeaderName::from_static("docker-upload-uuid"),
            id.to_string(),
        ),
    ];
    (status, headers).into_response()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_body_is_read_only_up_to_its_bound() {
        assert_eq!(read(Body::from("1234"), 4).await.unwrap(), "1234");
        let refused = read(Body::from("12345"), 4).await.unwrap_err();
        assert_eq!(refused.into_response().status(), 413);
    }

    #[test]
    fn a_chunk_continues_where_the_upload_ended() {
        for (range, length, chunk, fits) in [
            ("0-2", 0, 3, true),
            ("3-5", 3, 3, true),
            ("3-3", 3, 1, true),
            ("0-2", 3, 3, false),
            ("4-6", 3, 3, false),
            ("3-9", 3, 3, false),
            ("bytes 0-2/3", 0, 3, false),
            ("x", 0, 3, false),
            ("18446744073709551616-0", 0, 3, false),
        ] {
            let headers = [(header::CONTENT_RANGE, range.parse().unwrap())]
                .into_iter()
                .collect();
            let checked = check_range(&headers, length, chunk);
            assert_eq!(checked.is_ok(), fits, "{range} after {length}");
        }
    }
}
