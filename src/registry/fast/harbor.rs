//! Harbor's own interface: artifacts with their tags.
//!
//! It is ordered by when an artifact was pushed, and a tag can be moved to an old one, so nothing can be
//! left out: it is walked to its end, and only where times are wanted. The names come from the plain
//! listing.
//!
//! Source: Harbor API 2.0, `listArtifacts`.

use jiff::Timestamp;
use reqwest::Url;
use serde::Deserialize;

use super::walk::{Interface, Next, PAGE, Page, SignIn, json};
use super::{Listed, NotFast};
use crate::image::{Digest, Tag};
use crate::registry::auth::Session;
use crate::registry::exchange::Reply;

pub(super) struct Harbor;

#[derive(Deserialize)]
struct Artifact {
    digest: String,
    /// None for an artifact without tags.
    tags: Option<Vec<Entry>>,
}

#[derive(Deserialize)]
struct Entry {
    name: String,
    push_time: Timestamp,
}

impl Interface for Harbor {
    fn sign_in(&self) -> SignIn {
        SignIn::Password
    }

    fn page(&self, session: &Session<'_>, number: usize) -> Url {
        let repository = session.image.repository();
        let (project, name) = repository
            .split_once('/')
            .unwrap_or(("library", repository));
        // A slash within the name is encoded twice, as Harbor's documentation says.
        let name = name.replace('/', "%252F");
        let mut url = session.origin.clone();
        url.set_path(&format!(
            "/api/v2.0/projects/{project}/repositories/{name}/artifacts"
        ));
        url.query_pairs_mut()
            .append_pair("q", "tags=*")
            .append_pair("sort", "-push_time")
            .append_pair("with_tag", "true")
            .append_pair("page", &number.to_string())
            .append_pair("page_size", &PAGE.to_string());
        url
    }

    fn read(&self, reply: &Reply) -> Result<Page, NotFast> {
        let artifacts: Vec<Artifact> = json(reply)?;
        let mut page = Page {
            next: match artifacts.len() {
                PAGE => Next::Number,
                _ => Next::End,
            },
            ..Page::default()
        };
        for artifact in artifacts {
            let digest: Option<Digest> = artifact.digest.parse().ok();
            for entry in artifact.tags.unwrap_or_default() {
                let Ok(tag) = entry.name.parse::<Tag>() else {
                    page.invalid += 1;
                    continue;
                };
                let listed = Listed {
                    digest: digest.clone(),
                    pushed: Some(entry.push_time),
                    ..Listed::name(tag)
                };
                page.entries.push((listed, entry.push_time));
            }
        }
        Ok(page)
    }
}
