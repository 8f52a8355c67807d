//! Listing and pulling: tags, manifests, blobs and referrers (distribution spec v1.1).

use axum::body::Body;
use axum::extract::Query;
use axum::http::{HeaderMap, StatusCode, Uri, header};
use axum::response::{IntoResponse, Response};
use oci_client::manifest::{
    IMAGE_MANIFEST_LIST_MEDIA_TYPE, ImageIndexEntry, OCI_IMAGE_INDEX_MEDIA_TYPE, OciImageIndex,
};
use serde_json::{Value, json};

use super::reply::{CONTENT_DIGEST, Code, Problem, Reply};
use super::spec;
use super::store::{Manifest, Repository, Store};
use super::target::Key;
use crate::image::Digest;

/// The query of `uri`, decoded; a pair that cannot be decoded makes it empty.
pub(super) fn query(uri: &Uri) -> Vec<(String, String)> {
    Query::try_from_uri(uri).map_or_else(|_| Vec::new(), |Query(pairs)| pairs)
}

/// The first value of `key`.
pub(super) fn value<'a>(query: &'a [(String, String)], key: &str) -> Option<&'a str> {
    let (_, value) = query.iter().find(|(name, _)| name == key)?;
    Some(value)
}

fn repository<'a>(store: &'a Store, name: &str) -> Result<&'a Repository, Problem> {
    store
        .repository(name)
        .ok_or_else(|| Problem::new(Code::NameUnknown, format!("no repository {name}")))
}

/// One page of tags, with a `Link` to the next if there is more. `cap` is the most that one page
/// holds whatever the client asks for.
pub(super) fn tags(store: &Store, name: &str, uri: &Uri, cap: Option<usize>) -> Reply {
    let query = query(uri);
    let asked = match value(&query, "n").map(str::parse::<usize>) {
        None => None,
        Some(Ok(number)) => Some(number),
        Some(Err(_)) => {
            let message = "n is not a number of tags";
            return Err(Problem::new(Code::PaginationNumberInvalid, message));
        }
    };
    let limit = asked.unwrap_or(usize::MAX).min(cap.unwrap_or(usize::MAX));
    let (tags, more) = repository(store, name)?.page(value(&query, "last"), limit);
    let next = tags
        .last()
        .filter(|_| more)
        .map(|last| next(uri, limit, last));
    let mut response = axum::Json(json!({"name": name, "tags": tags})).into_response();
    if let Some(link) = next.and_then(|link| link.parse().ok()) {
        response.headers_mut().insert(header::LINK, link);
    }
    Ok(response)
}

/// The value of `Link` (RFC 8288) for the page after `last`, relative as most registries send it.
fn next(uri: &Uri, limit: usize, last: &str) -> String {
    let mut query = reqwest::Url::parse("http://localhost/").expect("a constant URL parses");
    query
        .query_pairs_mut()
        .append_pair("n", &limit.to_string())
        .append_pair("last", last);
    let query = query.query().unwrap_or_default();
    format!("<{}?{query}>; rel=\"next\"", uri.path())
}

/// A manifest: `304` if the client has it, else the one it accepts.
pub(super) fn manifest(store: &Store, name: &str, key: &Key, headers: &HeaderMap) -> Reply {
    let repository = repository(store, name)?;
    let found = match key {
        Key::Tag(tag) => repository.tagged(tag.as_str()),
        Key::Digest(digest) => repository.manifest(digest),
    };
    let manifest = found
        .and_then(|manifest| negotiate(repository, manifest, key, headers))
        .ok_or_else(|| {
            let message = format!("no manifest {} that the client accepts", key.as_str());
            Problem::new(Code::ManifestUnknown, message)
        })?;
    let tag = format!("\"{}\"", manifest.digest);
    if has(headers, &manifest.digest) {
        return Ok((StatusCode::NOT_MODIFIED, [(header::ETAG, tag)]).into_response());
    }
    let head = [
        (header::CONTENT_TYPE, manifest.media_type.clone()),
        (CONTENT_DIGEST, manifest.digest.to_string()),
        (header::ETAG, tag),
    ];
    Ok((head, Body::from(manifest.body.clone())).into_response())
}

/// What the client gets: the manifest itself if it accepts it; else, by tag, the linux/amd64 child
/// of an index, which is what the `distribution` registry answers to clients that know no indexes.
fn negotiate<'a>(
    repository: &'a Repository,
    manifest: &'a Manifest,
    key: &Key,
    headers: &HeaderMap,
) -> Option<&'a Manifest> {
    if accepts(headers, &manifest.media_type) {
        return Some(manifest);
    }
    let is_index = [OCI_IMAGE_INDEX_MEDIA_TYPE, IMAGE_MANIFEST_LIST_MEDIA_TYPE]
        .contains(&manifest.media_type.as_str());
    if !is_index || matches!(key, Key::Digest(_)) {
        return None;
    }
    let index: OciImageIndex = serde_json::from_slice(&manifest.body).ok()?;
    let child = index.manifests.iter().find(|entry| is_default(entry))?;
    let child = repository.manifest(&child.digest.parse().ok()?)?;
    accepts(headers, &child.media_type).then_some(child)
}

fn is_default(entry: &ImageIndexEntry) -> bool {
    let platform = entry.platform.as_ref();
    platform.is_some_and(|p| p.os.to_string() == "linux" && p.architecture.to_string() == "amd64")
}

/// Whether `Accept` allows `media_type`; without the header everything is allowed (RFC 9110, 12.5.1).
/// Weights are not compared: a registry has one answer.
fn accepts(headers: &HeaderMap, media_type: &str) -> bool {
    let mut any = false;
    let listed = elements(headers, header::ACCEPT).any(|element| {
        any = true;
        let range = element.split(';').next().unwrap_or_default().trim();
        range == media_type || range == "*/*" || range == "application/*"
    });
    listed || !any
}

/// Whether `If-None-Match` holds `digest`; clients send it quoted, weak, and bare.
fn has(headers: &HeaderMap, digest: &Digest) -> bool {
    elements(headers, header::IF_NONE_MATCH).any(|element| {
        let element = element.trim_start_matches("W/").trim_matches('"');
        element == digest.as_str() || element == "*"
    })
}

fn elements(headers: &HeaderMap, name: header::HeaderName) -> impl Iterator<Item = &str> {
    headers
        .get_all(name)
        .iter()
        .filter_map(|value| value.to_str().ok())
        .flat_map(|value| value.split(','))
        .map(str::trim)
}

/// A blob.
pub(super) fn blob(store: &Store, name: &str, digest: &Digest) -> Reply {
    let blob = repository(store, name)?
        .blob(digest)
        .ok_or_else(|| Problem::new(Code::BlobUnknown, format!("no blob {digest}")))?;
    let head = [
        (header::CONTENT_TYPE, "application/octet-stream".to_owned()),
        (CONTENT_DIGEST, digest.to_string()),
    ];
    Ok((head, Body::from(blob)).into_response())
}

/// The index of the manifests whose subject is `digest`; empty when there are none, also in a
/// repository that does not exist, as the spec asks.
pub(super) fn referrers(store: &Store, name: &str, digest: &Digest, uri: &Uri) -> Response {
    let query = query(uri);
    let wanted = value(&query, "artifactType");
    let manifests: Vec<Value> = store
        .repository(name)
        .into_iter()
        .flat_map(Repository::manifests)
        .filter_map(|manifest| referrer(manifest, digest))
        .filter(|entry| wanted.is_none_or(|wanted| entry["artifactType"] == wanted))
        .collect();
    let index = json!({
        "schemaVersion": 2,
        "mediaType": OCI_IMAGE_INDEX_MEDIA_TYPE,
        "manifests": manifests,
    });
    let head = [(header::CONTENT_TYPE, OCI_IMAGE_INDEX_MEDIA_TYPE)];
    let mut response = (head, index.to_string()).into_response();
    if wanted.is_some() {
        let applied = header::HeaderValue::from_static("artifactType");
        response
            .headers_mut()
            .insert("oci-filters-applied", applied);
    }
    response
}

/// The descriptor of `manifest` if its subject is `digest`.
fn referrer(manifest: &Manifest, digest: &Digest) -> Option<Value> {
    let body: Value = serde_json::from_slice(&manifest.body).ok()?;
    if body["subject"]["digest"] != digest.as_str() {
        return None;
    }
    // Without an artifact type of its own an artifact's type is its config's (image spec v1.1).
    let artifact_type = match &body["artifactType"] {
        Value::Null => &body["config"]["mediaType"],
        stated => stated,
    };
    Some(json!({
        "mediaType": manifest.media_type,
        "digest": manifest.digest.as_str(),
        "size": spec::size(&manifest.body),
        "artifactType": artifact_type,
        "annotations": body["annotations"],
    }))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn headers(name: header::HeaderName, values: &[&str]) -> HeaderMap {
        values
            .iter()
            .map(|value| (name.clone(), value.parse().unwrap()))
            .collect()
    }

    #[test]
    fn accept_is_read_over_all_its_lines() {
        let wanted = OCI_IMAGE_INDEX_MEDIA_TYPE;
        for (lines, accepted) in [
            (vec![], true),
            (vec!["*/*"], true),
            (vec!["text/html, application/*;q=0.1"], true),
            (vec![wanted], true),
            (vec!["text/html", wanted], true),
            (vec!["text/html"], false),
            (vec![""], false),
            (vec![IMAGE_MANIFEST_LIST_MEDIA_TYPE], false),
        ] {
            let headers = headers(header::ACCEPT, &lines);
            assert_eq!(accepts(&headers, wanted), accepted, "{lines:?}");
        }
    }

    #[test]
    fn if_none_match_is_read_in_all_its_forms() {
        let digest = Digest::of(b"");
        for (line, held) in [
            (format!("\"{digest}\""), true),
            (format!("W/\"{digest}\""), true),
            (digest.to_string(), true),
            (format!("\"x\", \"{digest}\""), true),
            ("*".to_owned(), true),
            ("\"x\"".to_owned(), false),
        ] {
            let headers = headers(header::IF_NONE_MATCH, &[&line]);
            assert_eq!(has(&headers, &digest), held, "{line}");
        }
        assert!(!has(&HeaderMap::new(), &digest));
    }

    #[test]
    fn the_next_link_escapes_what_is_no_tag() {
        let uri: Uri = "/v2/a/b/tags/list?n=9".parse().unwrap();
        assert_eq!(
            next(&uri, 2, "1.0_a-b"),
            "</v2/a/b/tags/list?n=2&last=1.0_a-b>; rel=\"next\""
        );
        assert_eq!(
            next(&uri, 2, "a>b \r\n&"),
            "</v2/a/b/tags/list?n=2&last=a%3Eb+%0D%0A%26>; rel=\"next\""
        );
    }
}
