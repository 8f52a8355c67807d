//! The one way to ask a forge something.
//!
//! Invariant: every request goes to the configured host, with its credentials and within a time limit;
//! of every answer no more than [`MAX_ANSWER`] bytes are read, and of every listing no more than
//! [`MAX_PAGES`] pages. What a listing says of its next page changes the query only, so that no answer
//! can lead elsewhere. Credentials appear in no text.
//!
//! It refuses to repeat a request: whether that is right depends on what was asked.

mod ask;
mod kept;
mod pace;
mod reply;

use std::sync::Arc;
use std::time::Duration;

use jiff::Timestamp;
use reqwest::header::{ACCEPT, ETAG, HeaderMap, HeaderName, HeaderValue, IF_NONE_MATCH, LOCATION};
use reqwest::{Method, Url};
use secrecy::{ExposeSecret as _, SecretString};
use serde::de::DeserializeOwned;

use super::{Error, words};
use crate::clock::Clock;
use crate::http::github_app::{self, Installation, Scope, Tokens};
use crate::secret::{GitHubApp, Secret};
use crate::{diag, http};

use kept::Kept;
use pace::Pace;
use reply::refused;

pub(super) use ask::Ask;
pub use pace::Paces;
pub(super) use pace::{Effort, Rules};
pub(super) use reply::{Page, Reply};

/// Largest answer read, in bytes: a page of pull requests, each with a long text.
const MAX_ANSWER: usize = 16 * 1024 * 1024;

/// Most pages of a listing: 5,000 pull requests of a hundred a page. Nobody has as many open.
const MAX_PAGES: usize = 50;

/// Longest time for one request; forges give up on their own after 10 to 60 s.
const TIMEOUT: Duration = Duration::from_secs(60);

/// What is asked for when there is a choice.
const JSON: HeaderValue = HeaderValue::from_static("application/json");

/// How a request says who asks.
#[derive(Debug, Clone)]
pub(super) enum Access {
    /// Nobody in particular.
    Anonymous,
    /// A token in a header, after a word such as `Bearer `.
    Header(HeaderName, &'static str, Secret),
    /// HTTP Basic (RFC 7617).
    Basic(String, Secret),
    /// A GitHub App's token for the repository of this name, with these permissions.
    App(GitHubApp, String, &'static [(&'static str, &'static str)]),
}

/// What it takes to ask one forge.
pub(super) struct Caller {
    base: Url,
    host: String,
    access: Access,
    /// Sent with every request, such as the version of the interface.
    headers: HeaderMap,
    client: reqwest::Client,
    clock: Clock,
    pace: Arc<Pace>,
    kept: Kept,
    tokens: tokio::sync::Mutex<Tokens>,
}

/// What a [`Caller`] is made of.
pub(super) struct Means<'a> {
    /// The root of the interface, such as `https://api.github.com`.
    pub(super) base: Url,
    /// Who asks.
    pub(super) access: Access,
    /// Sent with every request.
    pub(super) headers: HeaderMap,
    /// Certificate authorities besides the system's, in PEM.
    pub(super) ca_pem: &'a [u8],
    /// The time.
    pub(super) clock: Clock,
    /// The paces of the process.
    pub(super) paces: &'a Paces,
    /// How fast this forge may be asked.
    pub(super) rules: Rules,
}

impl Caller {
    /// A way to ask the forge at a base URL.
    ///
    /// # Errors
    /// When the certificate authorities are none, or TLS can't be set up.
    pub(super) fn new(means: Means<'_>) -> Result<Self, Error> {
        let host = host(&means.base);
        let options = http::Options {
            ca_pem: means.ca_pem.to_vec(),
            timeout: Some(TIMEOUT),
            silence: None,
            redirects: http::Redirects::SameHost,
            reach: http::Reach::Outside,
        };
        let client = http::client(&options).map_err(|source| Error::Client {
            host: host.clone(),
            source,
        })?;
        // Names where secrets are, never what they are.
        let place = format!("{host} {:?}", means.access);
        // A forge on this machine is one's own.
        let rules = match means.base.host_str().is_some_and(http::is_loopback) {
            true => means.rules.without_gap(),
            false => means.rules,
        };
        Ok(Self {
            pace: means.paces.of(&place, rules),
            base: means.base,
            host,
            access: means.access,
            headers: means.headers,
            client,
            clock: means.clock,
            kept: Kept::default(),
            tokens: tokio::sync::Mutex::default(),
        })
    }

    /// The forge's host, and its port where that is not the usual one.
    pub(super) fn host(&self) -> &str {
        &self.host
    }

    /// That the forge takes no more for now, as an answer says that is none by its status.
    pub(super) fn exhausted(&self) -> Error {
        Error::Limited {
            host: self.host.clone(),
            until: self.pace.exhausted(self.clock.now()),
        }
    }

    /// That this forge has no way to do something.
    pub(super) fn unable(&self, what: &str) -> Error {
        Error::Unable {
            host: self.host.clone(),
            what: what.to_owned(),
        }
    }

    /// A query, escaped: that of the next page, where a forge tells no more than where it starts.
    pub(super) fn query<'a>(&self, pairs: impl IntoIterator<Item = (&'a str, &'a str)>) -> String {
        let mut url = self.base.clone();
        url.query_pairs_mut().clear().extend_pairs(pairs);
        url.query().unwrap_or_default().to_owned()
    }

    /// Asks, and reads the answer as JSON.
    ///
    /// # Errors
    /// As for [`Caller::ask`], and when the answer is not what is expected.
    pub(super) async fn read<T: DeserializeOwned>(&self, ask: &Ask<'_>) -> Result<T, Error> {
        self.ask(ask).await?.json()
    }

    /// Asks for all pages of a listing.
    ///
    /// # Errors
    /// As for [`Caller::read`], and when there are too many pages: half a listing would pass for all.
    pub(super) async fn all<T>(
        &self,
        ask: &Ask<'_>,
        page: impl Fn(&Reply) -> Result<Page<T>, Error>,
    ) -> Result<Vec<T>, Error> {
        let mut ask = ask.clone();
        let mut items = Vec::new();
        for _ in 0..MAX_PAGES {
            let reply = self.ask(&ask).await?;
            let page = page(&reply)?;
            items.extend(page.items);
            match page.next {
                Some(next) if ask.page.as_ref() == Some(&next) => {
                    return Err(reply.garbled("a page that is its own next one"));
                }
                Some(next) => ask.page = Some(next),
                None => return Ok(items),
            }
        }
        Err(Error::Garbled {
            host: self.host.clone(),
            what: ask.what.to_owned(),
            words: format!("a listing of more than {MAX_PAGES} pages"),
        })
    }

    /// Asks.
    ///
    /// # Errors
    /// When the forge can't be reached, asks to be left alone, or answers with a status that is neither
    /// success nor accepted by the request.
    pub(super) async fn ask(&self, ask: &Ask<'_>) -> Result<Reply, Error> {
        let limited = |until| Error::Limited {
            host: self.host.clone(),
            until,
        };
        let turn = self.pace.turn(ask.effort, || self.clock.now());
        let _turn = turn.await.map_err(limited)?;
        let url = ask.url(&self.base);
        let kept = match ask.method {
            Method::GET => self.kept.find(url.as_str()),
            _ => None,
        };
        let mut request = self.client.request(ask.method.clone(), url.clone());
        request = request.header(ACCEPT, JSON).headers(self.headers.clone());
        request = self.authorized(request).await?;
        if let Some((tag, _)) = &kept {
            request = request.header(IF_NONE_MATCH, tag);
        }
        if let Some(body) = &ask.body {
            request = request.json(body);
        }
        let reply = self.send(request, ask.what).await?;
        if reply.status == 401 {
            self.tokens.lock().await.forget();
        }
        let words = match reply.status {
            300.. => reply.words(),
            _ => String::new(),
        };
        let now = self.clock.now();
        if let Some(until) = self.pace.learn(reply.status, &reply.headers, &words, now) {
            return Err(limited(until));
        }
        if let (Some((_, reply_before)), 304) = (kept, reply.status) {
            return Ok(reply_before);
        }
        if !is_success(reply.status) && !ask.accepted.contains(&reply.status) {
            return Err(self.refused(&reply, &words));
        }
        let tag = reply.headers.get(ETAG);
        if let Some(tag) = tag.filter(|_| ask.method == Method::GET && reply.status == 200) {
            self.kept.keep(url.as_str(), tag.clone(), &reply);
        }
        Ok(reply)
    }

    async fn authorized(
        &self,
        request: reqwest::RequestBuilder,
    ) -> Result<reqwest::RequestBuilder, Error> {
        let read = |secret: &Secret| secret.read().map_err(|source| self.unreadable(source));
        Ok(match &self.access {
            Access::Anonymous => request,
            Access::Header(name, before, secret) => {
                request.header(name, self.header(before, &read(secret)?)?)
            }
            Access::Basic(user, secret) => {
                request.basic_auth(user, Some(read(secret)?.expose_secret()))
            }
            Access::App(app, repository, permissions) => {
                let token = self.app_token(app, repository, permissions).await?;
                request.bearer_auth(token.expose_secret())
            }
        })
    }

    async fn app_token(
        &self,
        app: &GitHubApp,
        repository: &str,
        permissions: &[(&str, &str)],
    ) -> Result<SecretString, Error> {
        let now = self.clock.now();
        let mut tokens = self.tokens.lock().await;
        if let Some(token) = tokens.kept(now) {
            return Ok(token);
        }
        let key = app.key.read().map_err(|source| self.unreadable(source))?;
        let app = Installation {
            app: &app.id,
            id: app.installation,
            key: &key,
        };
        let scope = Scope {
            api: &self.base,
            repository,
            permissions,
        };
        let renewed = tokens.renew(app, scope, &self.client, now).await;
        renewed.map_err(|error| self.no_token(error))
    }

    fn unreadable(&self, source: crate::secret::Error) -> Error {
        Error::Secret {
            host: self.host.clone(),
            source,
        }
    }

    fn no_token(&self, error: github_app::Error) -> Error {
        let host = self.host.clone();
        let what = "sign in as a GitHub App".to_owned();
        match error {
            github_app::Error::Key => Error::Credentials {
                host,
                why: "the GitHub App's key is not an RSA private key in PEM",
            },
            github_app::Error::Unreachable(error) => Error::Unreachable {
                host,
                words: diag::chain(&error),
            },
            github_app::Error::Refused { status, words } => {
                // 422: the permissions that are asked for are not all granted.
                let status = if status == 422 { 403 } else { status };
                refused(host, what, status, words::clean(&words))
            }
            github_app::Error::Garbled => Error::Garbled {
                host,
                what,
                words: error.to_string(),
            },
        }
    }

    fn header(&self, before: &str, secret: &SecretString) -> Result<HeaderValue, Error> {
        let text = format!("{before}{}", secret.expose_secret());
        let mut value = HeaderValue::try_from(text).map_err(|_| Error::Unauthorized {
            host: self.host.clone(),
            what: "sign in".to_owned(),
            words: "the token has characters that no token has".to_owned(),
        })?;
        value.set_sensitive(true);
        Ok(value)
    }

    async fn send(&self, request: reqwest::RequestBuilder, what: &str) -> Result<Reply, Error> {
        let unreachable = |error: reqwest::Error| Error::Unreachable {
            host: self.host.clone(),
            words: diag::chain(&error.without_url()),
        };
        let mut response = request.send().await.map_err(unreachable)?;
        let (status, headers) = (response.status(), response.headers().clone());
        let mut body = Vec::new();
        while let Some(chunk) = response.chunk().await.map_err(unreachable)? {
            if body.len() + chunk.len() > MAX_ANSWER {
                return Err(Error::Garbled {
                    host: self.host.clone(),
                    what: what.to_owned(),
                    words: format!("an answer of more than {MAX_ANSWER} bytes"),
                });
            }
            body.extend_from_slice(&chunk);
        }
        Ok(Reply {
            status: status.as_u16(),
            headers,
            body: body.into(),
            host: self.host.clone(),
            what: what.to_owned(),
        })
    }

    fn refused(&self, reply: &Reply, words: &str) -> Error {
        let to = reply.headers.get(LOCATION).and_then(|to| to.to_str().ok());
        let words = match (reply.status, to) {
            (300..400, Some(to)) => format!("it leads to {}", words::clean(to)),
            _ => words.to_owned(),
        };
        refused(self.host.clone(), reply.what.clone(), reply.status, words)
    }
}

fn is_success(status: u16) -> bool {
    (200..300).contains(&status)
}

fn host(url: &Url) -> String {
    let host = url.host_str().unwrap_or_default();
    match url.port() {
        Some(port) => format!("{host}:{port}"),
        None => host.to_owned(),
    }
}

/// A time as forges write it (RFC 3339).
pub(super) fn time(text: &str) -> Option<Timestamp> {
    text.parse().ok()
}

#[cfg(test)]
mod tests;
