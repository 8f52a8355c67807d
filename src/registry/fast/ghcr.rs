//! GitHub's registry lists the oldest tags first, so what is new follows the last tag of the earlier
//! listing.
//!
//! It is asked for what follows the last but one, and must answer with the last one first: else that
//! place is not where it was, and the whole is listed.

use std::sync::atomic::Ordering;

use jiff::Timestamp;
use reqwest::Method;
use reqwest::header::LINK;

use super::walk::json;
use super::{Listed, NotFast, TagSet};
use crate::image::Tag;
use crate::registry::auth::Session;
use crate::registry::exchange::Request;
use crate::registry::limits::PAGE_SIZE;

#[derive(serde::Deserialize)]
struct Answer {
    tags: Option<Vec<String>>,
}

/// The earlier set with what is new, in one request; none where it doesn't fit.
pub(super) async fn list(
    session: &Session<'_>,
    earlier: Option<&TagSet>,
    now: Timestamp,
) -> Result<Option<TagSet>, NotFast> {
    let known = earlier.and_then(|set| Some((set, set.tail.as_ref()?)));
    // A list of one page is no longer than what follows.
    let Some((earlier, [before, last])) = known.filter(|(set, _)| set.listed.len() >= PAGE_SIZE)
    else {
        return Ok(None);
    };
    let mut url = session.origin.clone();
    url.set_path(&format!("/v2/{}/tags/list", session.image.repository()));
    url.query_pairs_mut()
        .append_pair("n", &PAGE_SIZE.to_string())
        .append_pair("last", before);
    let limits = session.sender.limits;
    let host = session.image.registry();
    let request = Request::new(Method::GET, url, host, limits.page_bytes);
    let reply = session.send(request).await?;
    if reply.status.as_u16() != 200 {
        return Err(NotFast::Status(reply.status.as_u16()));
    }
    let answer: Answer = json(&reply)?;
    let names = answer.tags.unwrap_or_default();
    let fits = names.first() == Some(last) && !reply.headers.contains_key(LINK);
    if !fits || names.len() >= PAGE_SIZE {
        return Ok(None);
    }
    let mut tail = [before.clone(), last.clone()];
    for name in &names[1..] {
        tail.rotate_left(1);
        tail[1].clone_from(name);
    }
    let new = names.iter().filter_map(|name| name.parse::<Tag>().ok());
    let requests = session.sender.sent.load(Ordering::Relaxed);
    Ok(Some(TagSet {
        tail: Some(tail),
        ..earlier.with(new.map(Listed::name).collect(), now, requests)
    }))
}
