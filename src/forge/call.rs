//! The one way to ask a forge something.
//!
//! Invariant: every request goes to the configured host, with its credentials and within a time limit;
//! of every answer no more than [`MAX_ANSWER`] bytes are read, and of every listing no more than
//! [`MAX_PAGES`] pages. What a listing says of its next page changes the query only, so that no answer
//! can lead elsewhere. Credentials appear in no text.
//!
//! It refuses to repeat a request: whether that is right depends on what was asked.

mod kept;
mod pace;

use std::sync::Arc;
use std::time::Duration;

use jiff::Timestamp;
use reqwest::header::{
    ACCEPT, ETAG, HeaderMap, HeaderName, HeaderValue, IF_NONE_MATCH, LINK, LOCATION,
};
use reqwest::{Method, StatusCode, Url};
use secrecy::{ExposeSecret as _, SecretString};
use serde::de::DeserializeOwned;
use serde_json::Value;

use super::{Error, words};
use crate::clock::Clock;
use crate::secret::Secret;
use crate::{diag, http};

use kept::Kept;
use pace::Pace;

pub use pace::Paces;
pub(super) use pace::{Effort, Rules};

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

/// One request.
#[derive(Debug, Clone)]
pub(super) struct Ask<'a> {
    /// What is asked, as after "does not allow to".
    what: &'a str,
    method: Method,
    segments: Vec<&'a str>,
    query: Vec<(&'a str, String)>,
    body: Option<Value>,
    accepted: &'a [u16],
    effort: Effort,
    /// A query that replaces this one's: that of another page.
    page: Option<String>,
}

impl<'a> Ask<'a> {
    /// A request to the place that the path segments name below the base; each is escaped.
    pub(super) fn new(method: Method, what: &'a str, segments: &[&'a str]) -> Self {
        let effort = match method {
            Method::GET => Effort::Read,
            Method::POST => Effort::Create,
            _ => Effort::Write,
        };
        Self {
            what,
            method,
            segments: segments.to_vec(),
            query: Vec::new(),
            body: None,
            accepted: &[],
            effort,
            page: None,
        }
    }

    /// With a query parameter.
    pub(super) fn query(mut self, name: &'a str, value: impl Into<String>) -> Self {
        self.query.push((name, value.into()));
        self
    }

    /// With a JSON body.
    pub(super) fn body(mut self, body: Value) -> Self {
        self.body = Some(body);
        self
    }

    /// These statuses are answers too, besides those of success.
    pub(super) fn accept(mut self, statuses: &'a [u16]) -> Self {
        self.accepted = statuses;
        self
    }

    /// It costs this, rather than what its method says.
    pub(super) fn effort(mut self, effort: Effort) -> Self {
        self.effort = effort;
        self
    }

    fn url(&self, base: &Url) -> Url {
        let mut url = base.clone();
        if let Ok(mut path) = url.path_segments_mut() {
            path.pop_if_empty().extend(&self.segments);
        }
        if let Some(page) = &self.page {
            url.set_query(Some(page));
        } else if !self.query.is_empty() {
            url.query_pairs_mut().extend_pairs(&self.query);
        }
        url
    }
}

/// What a forge answered.
#[derive(Debug, Clone)]
pub(super) struct Reply {
    /// The HTTP status: of success, or accepted by the request.
    pub(super) status: u16,
    /// The headers.
    pub(super) headers: HeaderMap,
    /// The body, decompressed.
    pub(super) body: bytes::Bytes,
    host: String,
    what: String,
}

impl Reply {
    /// The body, read as JSON.
    pub(super) fn json<T: DeserializeOwned>(&self) -> Result<T, Error> {
        serde_json::from_slice(&self.body).map_err(|error| self.garbled(&error.to_string()))
    }

    /// What the body says is wrong.
    pub(super) fn words(&self) -> String {
        words::said(&self.body)
    }

    /// That it can't be understood.
    pub(super) fn garbled(&self, why: &str) -> Error {
        Error::Garbled {
            host: self.host.clone(),
            what: self.what.clone(),
            words: words::clean(why),
        }
    }

    /// The reply as the refusal that it is.
    pub(super) fn refusal(&self) -> Error {
        refused(
            self.host.clone(),
            self.what.clone(),
            self.status,
            self.words(),
        )
    }

    /// The page of a listing whose reply is an array, the next one being where the `Link` header says
    /// (RFC 8288): GitHub, GitLab and Gitea.
    pub(super) fn linked<T: DeserializeOwned>(&self) -> Result<Page<T>, Error> {
        let values = self.headers.get_all(LINK).iter();
        let next = http::link::next(values.filter_map(|value| value.to_str().ok()))
            .map_err(|error| self.garbled(&error.to_string()))?;
        let query = next.map(|target| target.split_once('?').unwrap_or_default().1);
        Ok(Page {
            items: self.json()?,
            next: query.map(str::to_owned),
        })
    }
}

/// One page of a listing.
#[derive(Debug)]
pub(super) struct Page<T> {
    /// What is on it.
    pub(super) items: Vec<T>,
    /// The whole query of the next page, already escaped.
    pub(super) next: Option<String>,
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
        Ok(Self {
            pace: means.paces.of(&place, means.rules),
            base: means.base,
            host,
            access: means.access,
            headers: means.headers,
            client,
            clock: means.clock,
            kept: Kept::default(),
        })
    }

    /// The forge's host, and its port where that is not the usual one.
    pub(super) fn host(&self) -> &str {
        &self.host
    }

    /// That this forge has no way to do something.
    pub(super) fn unable(&self, what: &str) -> Error {
        Error::Unable {
            host: self.host.clone(),
            what: what.to_owned(),
        }
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
        request = self.authorized(request)?;
        if let Some((tag, _)) = &kept {
            request = request.header(IF_NONE_MATCH, tag);
        }
        if let Some(body) = &ask.body {
            request = request.json(body);
        }
        let reply = self.send(request, ask.what).await?;
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

    fn authorized(
        &self,
        request: reqwest::RequestBuilder,
    ) -> Result<reqwest::RequestBuilder, Error> {
        let read = |secret: &Secret| {
            secret.read().map_err(|source| Error::Secret {
                host: self.host.clone(),
                source,
            })
        };
        Ok(match &self.access {
            Access::Anonymous => request,
            Access::Header(name, before, secret) => {
                request.header(name, self.header(before, &read(secret)?)?)
            }
            Access::Basic(user, secret) => {
                request.basic_auth(user, Some(read(secret)?.expose_secret()))
            }
        })
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

fn refused(host: String, what: String, status: u16, words: String) -> Error {
    match StatusCode::from_u16(status) {
        Ok(StatusCode::UNAUTHORIZED) => Error::Unauthorized { host, what, words },
        // Repositories that one may not see are not found.
        Ok(StatusCode::FORBIDDEN | StatusCode::NOT_FOUND) => Error::Forbidden { host, what, words },
        _ => Error::Refused {
            host,
            what,
            status,
            words,
        },
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
