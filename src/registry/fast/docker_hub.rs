//! Docker Hub's own interface: newest first, 100 tags a page, with the number of all.
//!
//! It takes tokens of its own, given for a user's password or access token. As nobody it shows public
//! images.
//!
//! Source: Docker Hub API reference, "List repository tags", "Create access token".

use jiff::Timestamp;
use reqwest::{Method, Url};
use secrecy::{ExposeSecret as _, SecretString};
use serde::Deserialize;

use super::walk::{Interface, Next, PAGE, Page, SignIn, json};
use super::{Listed, NotFast};
use crate::image::{DOCKER_HUB, Digest, Tag};
use crate::registry::auth::Session;
use crate::registry::exchange::{Content, Reply, Request};
use crate::registry::limits::MAX_TOKEN_REPLY;

/// Where Docker Hub serves it.
const HOST: &str = "https://hub.docker.com/";

pub(super) struct DockerHub;

#[derive(Deserialize)]
struct Answer {
    count: Option<usize>,
    next: Option<String>,
    results: Vec<Entry>,
}

#[derive(Deserialize)]
struct Entry {
    name: String,
    digest: Option<String>,
    last_updated: Timestamp,
    tag_last_pushed: Option<Timestamp>,
}

/// Where it is served: a registry that is said to have this interface has it itself.
fn origin(session: &Session<'_>) -> Url {
    match session.image.registry() {
        DOCKER_HUB => Url::parse(HOST).expect("a constant URL"),
        _ => session.origin.clone(),
    }
}

/// A token for the session's user, if it has one.
pub(super) async fn token(session: &Session<'_>) -> Result<Option<SecretString>, NotFast> {
    let mut url = origin(session);
    url.set_path("/v2/auth/token");
    let ask = |user: &str, password: &SecretString| {
        let body = serde_json::json!({"identifier": user, "secret": password.expose_secret()});
        let body = Content {
            kind: "application/json",
            text: SecretString::from(body.to_string()),
        };
        let host = url.host_str().unwrap_or_default().to_owned();
        Request {
            body: Some(body),
            ..Request::new(Method::POST, url, host, MAX_TOKEN_REPLY)
        }
    };
    Ok(session.token_for("docker hub", ask).await?)
}

impl Interface for DockerHub {
    fn sign_in(&self) -> SignIn {
        SignIn::DockerHub
    }

    fn page(&self, session: &Session<'_>, number: usize) -> Url {
        let mut url = origin(session);
        let repository = session.image.repository();
        url.set_path(&format!("/v2/repositories/{repository}/tags"));
        url.query_pairs_mut()
            .append_pair("page_size", &PAGE.to_string())
            .append_pair("page", &number.to_string())
            .append_pair("ordering", "last_updated");
        url
    }

    fn read(&self, reply: &Reply) -> Result<Page, NotFast> {
        let answer: Answer = json(reply)?;
        let mut page = Page {
            total: answer.count,
            next: match answer.next {
                Some(_) => Next::Number,
                None => Next::End,
            },
            ..Page::default()
        };
        for entry in answer.results {
            let Ok(tag) = entry.name.parse::<Tag>() else {
                page.invalid += 1;
                continue;
            };
            let listed = Listed {
                digest: entry.digest.and_then(|text| text.parse::<Digest>().ok()),
                pushed: Some(entry.tag_last_pushed.unwrap_or(entry.last_updated)),
                ..Listed::name(tag)
            };
            page.entries.push((listed, entry.last_updated));
        }
        Ok(page)
    }
}
