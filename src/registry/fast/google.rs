//! Google's extension of the standard listing: the manifests of all tags, with their times, in the one
//! reply that lists the tags.
//!
//! Source: go-containerregistry, `google.Tags`, which documents it for Google's registries.

use std::collections::HashMap;
use std::sync::atomic::Ordering;

use jiff::Timestamp;
use reqwest::Method;
use reqwest::header::LINK;
use serde::Deserialize;

use super::walk::json;
use super::{Listed, NotFast, TagSet};
use crate::image::{Digest, Tag};
use crate::registry::auth::Session;
use crate::registry::exchange::Request;

#[derive(Deserialize)]
struct Answer {
    tags: Option<Vec<String>>,
    manifest: HashMap<String, Manifest>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Manifest {
    #[serde(default)]
    tag: Vec<String>,
    time_created_ms: Option<String>,
    time_uploaded_ms: Option<String>,
}

/// The set in one request; none where the reply isn't the whole list.
pub(super) async fn list(session: &Session<'_>, now: Timestamp) -> Result<Option<TagSet>, NotFast> {
    let mut url = session.origin.clone();
    url.set_path(&format!("/v2/{}/tags/list", session.image.repository()));
    let limits = session.sender.limits;
    let host = session.image.registry();
    let request = Request::new(Method::GET, url, host, limits.page_bytes);
    let reply = session.send(request).await?;
    if reply.status.as_u16() != 200 {
        return Err(NotFast::Status(reply.status.as_u16()));
    }
    if reply.headers.contains_key(LINK) {
        return Ok(None);
    }
    let answer: Answer = json(&reply)?;
    let names = answer.tags.unwrap_or_default();
    if names.is_empty() || names.len() > limits.tags {
        return Ok(None);
    }
    let records = records(answer.manifest);
    let mut invalid_count = 0;
    let mut listed = Vec::with_capacity(names.len());
    for name in names {
        match name.parse::<Tag>() {
            Ok(tag) => {
                let record = records.get(&tag).cloned();
                listed.push(record.unwrap_or_else(|| Listed::name(tag)));
            }
            Err(_) => invalid_count += 1,
        }
    }
    let requests = session.sender.sent.load(Ordering::Relaxed);
    Ok(Some(TagSet {
        invalid_count,
        ..TagSet::of(listed, now, requests)
    }))
}

fn records(manifests: HashMap<String, Manifest>) -> HashMap<Tag, Listed> {
    let mut records = HashMap::new();
    for (digest, manifest) in manifests {
        let Ok(digest) = digest.parse::<Digest>() else {
            continue;
        };
        let pushed = manifest.time_uploaded_ms.as_deref().and_then(time);
        let created = manifest.time_created_ms.as_deref().and_then(time);
        for tag in manifest
            .tag
            .iter()
            .filter_map(|tag| tag.parse::<Tag>().ok())
        {
            let listed = Listed {
                tag: tag.clone(),
                digest: Some(digest.clone()),
                pushed,
                created,
            };
            records.insert(tag, listed);
        }
    }
    records
}

/// A time in milliseconds; 0 and less stand for none.
fn time(text: &str) -> Option<Timestamp> {
    let milliseconds: i64 = text.parse().ok().filter(|number| *number > 0)?;
    Timestamp::from_millisecond(milliseconds).ok()
}
