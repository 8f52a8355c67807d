//! Azure Container Registry's own interface: newest first by `orderby=timedesc`, each page after the
//! last tag of the one before.
//!
//! Source: Azure Container Registry REST API, "Tag, Get List".

use jiff::Timestamp;
use reqwest::Url;
use reqwest::header::LINK;
use serde::Deserialize;

use super::walk::{Interface, Next, PAGE, Page, SignIn, json};
use super::{Listed, NotFast};
use crate::http::link;
use crate::image::{Digest, Tag};
use crate::registry::auth::Session;
use crate::registry::exchange::Reply;

pub(super) struct Azure;

#[derive(Deserialize)]
struct Answer {
    /// Left out where there is none.
    #[serde(default)]
    tags: Vec<Entry>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Entry {
    name: String,
    digest: Option<String>,
    last_update_time: Timestamp,
}

impl Interface for Azure {
    fn sign_in(&self) -> SignIn {
        SignIn::Registry("pull,metadata_read")
    }

    fn page(&self, session: &Session<'_>, _number: usize) -> Url {
        let mut url = session.origin.clone();
        url.set_path(&format!("/acr/v1/{}/_tags", session.image.repository()));
        url.query_pairs_mut()
            .append_pair("orderby", "timedesc")
            .append_pair("n", &PAGE.to_string());
        url
    }

    fn read(&self, reply: &Reply) -> Result<Page, NotFast> {
        let answer: Answer = json(reply)?;
        let mut page = Page {
            next: next(reply)?,
            ..Page::default()
        };
        for entry in answer.tags {
            let Ok(tag) = entry.name.parse::<Tag>() else {
                page.invalid += 1;
                continue;
            };
            let listed = Listed {
                digest: entry.digest.and_then(|text| text.parse::<Digest>().ok()),
                pushed: Some(entry.last_update_time),
                ..Listed::name(tag)
            };
            page.entries.push((listed, entry.last_update_time));
        }
        Ok(page)
    }
}

fn next(reply: &Reply) -> Result<Next, NotFast> {
    const WRONG: NotFast = NotFast::Reply("its link to the next page can't be read");
    let values = reply.headers.get_all(LINK).iter();
    let values: Vec<&str> = values
        .map(|value| value.to_str())
        .collect::<Result<_, _>>()
        .map_err(|_| WRONG)?;
    match link::next(values).map_err(|_| WRONG)? {
        None => Ok(Next::End),
        Some(target) => Ok(Next::At(reply.url.join(target).map_err(|_| WRONG)?)),
    }
}
