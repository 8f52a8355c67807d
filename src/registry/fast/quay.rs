//! Quay's own interface: newest first, 100 tags a page.
//!
//! It is asked as nobody: it takes no robot accounts, so for private images the plain listing is taken.
//!
//! Source: Red Hat Quay API reference, "listRepoTags".

use jiff::Timestamp;
use reqwest::Url;
use serde::Deserialize;

use super::walk::{Interface, Next, PAGE, Page, SignIn, json};
use super::{Listed, NotFast};
use crate::image::{Digest, Tag};
use crate::registry::auth::Session;
use crate::registry::exchange::Reply;

pub(super) struct Quay;

#[derive(Deserialize)]
struct Answer {
    tags: Vec<Entry>,
    has_additional: bool,
}

#[derive(Deserialize)]
struct Entry {
    name: String,
    manifest_digest: Option<String>,
    /// Since when the tag stands for this, in Unix seconds.
    start_ts: i64,
}

impl Interface for Quay {
    fn sign_in(&self) -> SignIn {
        SignIn::Nobody
    }

    fn page(&self, session: &Session<'_>, number: usize) -> Url {
        let mut url = session.origin.clone();
        let repository = session.image.repository();
        url.set_path(&format!("/api/v1/repository/{repository}/tag/"));
        url.query_pairs_mut()
            .append_pair("limit", &PAGE.to_string())
            .append_pair("page", &number.to_string())
            .append_pair("onlyActiveTags", "true");
        url
    }

    fn read(&self, reply: &Reply) -> Result<Page, NotFast> {
        let answer: Answer = json(reply)?;
        let mut page = Page {
            next: match answer.has_additional {
                true => Next::Number,
                false => Next::End,
            },
            ..Page::default()
        };
        for entry in answer.tags {
            let Ok(tag) = entry.name.parse::<Tag>() else {
                page.invalid += 1;
                continue;
            };
            let pushed = Timestamp::from_second(entry.start_ts)
                .map_err(|_| NotFast::Reply("a tag has an impossible time"))?;
            let digest = entry.manifest_digest;
            let listed = Listed {
                digest: digest.and_then(|text| text.parse::<Digest>().ok()),
                pushed: Some(pushed),
                ..Listed::name(tag)
            };
            page.entries.push((listed, pushed));
        }
        Ok(page)
    }
}
