//! One HTTP exchange: sent, bounded, repeated where that may help, and its failure named.
//!
//! Invariant: a reply's body is at most as long as the request allows, a host never has more than its
//! share of requests in flight, and a failed request is repeated at most as often as the limits say.
//! Every one takes its turn at the host's pace, and fails at once while the host is to be left alone. A
//! wait that a server asks for is waited for only if it is short; longer ones are the caller's.
//!
//! It knows nothing of signing in: 401, 403 and 404 are replies like any other here.

use std::collections::HashMap;
use std::error::Error as _;
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use backon::BackoffBuilder as _;
use reqwest::header::{ACCEPT, CONTENT_TYPE, HeaderMap, RETRY_AFTER};
use reqwest::{Method, StatusCode, Url};
use secrecy::{ExposeSecret as _, SecretString};
use tokio::sync::Semaphore;

use super::limits::MAX_ERROR_REPLY;
use super::pace::{Class, Ended, Kind, Pace, Quota};
use super::{Fault, Limits, delay, words};
use crate::clock::Clock;
use crate::http::{Reach, is_internal};

/// Hosts remembered by [`Gates`] before idle ones are forgotten; an installation asks a few dozen.
const MAX_GATES: usize = 1024;

/// What goes into the `Authorization` header.
#[derive(Debug, Clone, Default)]
pub(super) enum Authorization {
    /// Nothing.
    #[default]
    None,
    /// User name and password (RFC 7617).
    Basic(String, SecretString),
    /// A token (RFC 6750).
    Bearer(SecretString),
}

/// One request.
#[derive(Debug, Clone)]
pub(super) struct Request {
    pub(super) method: Method,
    pub(super) url: Url,
    /// Who the error is about: the host as people know it.
    pub(super) host: String,
    pub(super) accept: &'static str,
    pub(super) authorization: Authorization,
    /// What else goes into the header.
    pub(super) headers: HeaderMap,
    /// What is sent.
    pub(super) body: Option<Content>,
    /// Longest body of a successful reply, in bytes after decompression.
    pub(super) most: usize,
}

/// The body of a request.
#[derive(Debug, Clone)]
pub(super) struct Content {
    /// Its media type.
    pub(super) kind: &'static str,
    /// Itself, encoded.
    pub(super) text: SecretString,
}

impl Content {
    /// The fields of a form (URL standard, section 5.2), encoded.
    pub(super) fn form(fields: &[(&str, &str)]) -> Self {
        let encoded = form_urlencoded(fields);
        Self {
            kind: "application/x-www-form-urlencoded",
            text: SecretString::from(encoded),
        }
    }
}

fn form_urlencoded(fields: &[(&str, &str)]) -> String {
    // A form is encoded like a query.
    let mut url = Url::parse("http://form.invalid/").expect("a constant URL");
    url.query_pairs_mut().extend_pairs(fields);
    url.query().unwrap_or_default().to_owned()
}

impl Request {
    /// A request for JSON without a body, as nobody.
    pub(super) fn new(method: Method, url: Url, host: impl Into<String>, most: usize) -> Self {
        Self {
            method,
            url,
            host: host.into(),
            accept: "application/json",
            authorization: Authorization::None,
            headers: HeaderMap::new(),
            body: None,
            most,
        }
    }
}

/// A reply, whatever its status except those that mean "later": 429 and 5xx are faults.
#[derive(Debug)]
pub(super) struct Reply {
    pub(super) host: String,
    pub(super) status: StatusCode,
    pub(super) headers: HeaderMap,
    /// Where it came from, after redirects.
    pub(super) url: Url,
    /// Of an error reply only the beginning.
    pub(super) body: Vec<u8>,
}

impl Reply {
    /// What it says, for messages.
    pub(super) fn said(&self) -> String {
        words::said(&self.body)
    }

    /// Whether it is a page for people, which no registry sends.
    pub(super) fn is_web_page(&self) -> bool {
        let html = self
            .headers
            .get(CONTENT_TYPE)
            .is_some_and(|kind| kind.as_bytes().starts_with(b"text/html"));
        html || self.body.trim_ascii_start().starts_with(b"<")
    }

    /// The fault of a reply whose status nothing else explains.
    pub(super) fn unexpected(&self) -> Fault {
        Fault::Unexpected {
            host: self.host.clone(),
            status: self.status.as_u16(),
            said: self.said(),
        }
    }

    /// The fault of a reply that no registry sends.
    pub(super) fn not_a_registry(&self, reason: &str) -> Fault {
        Fault::NotARegistry {
            host: self.host.clone(),
            reason: reason.to_owned(),
        }
    }
}

/// Counts the requests in flight at each host.
#[derive(Debug, Default)]
pub(super) struct Gates(Mutex<HashMap<String, Arc<Semaphore>>>);

impl Gates {
    fn of(&self, url: &Url, width: usize) -> Arc<Semaphore> {
        let host = url.host_str().unwrap_or_default();
        let key = format!("{host}:{}", url.port_or_known_default().unwrap_or_default());
        let mut gates = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if gates.len() >= MAX_GATES {
            gates.retain(|_, gate| Arc::strong_count(gate) > 1);
        }
        let gate = gates
            .entry(key)
            .or_insert_with(|| Arc::new(Semaphore::new(width.max(1))));
        Arc::clone(gate)
    }
}

/// The connections to some hosts.
#[derive(Debug, Clone)]
pub(super) struct Connections {
    /// Which addresses they may lead to.
    pub(super) reach: Reach,
    /// For most requests.
    pub(super) usual: reqwest::Client,
    /// For those whose body is a secret, which a redirect would carry to another host.
    pub(super) secretive: reqwest::Client,
}

/// What it takes to send requests.
pub(super) struct Sender<'a> {
    pub(super) connections: &'a Connections,
    pub(super) limits: &'a Limits,
    pub(super) clock: &'a Clock,
    pub(super) gates: &'a Gates,
    pub(super) pace: &'a Pace,
    pub(super) sent: AtomicU32,
}

impl Sender<'_> {
    /// Sends `request`, again after failures that may pass.
    pub(super) async fn send(&self, request: &Request) -> Result<Reply, Fault> {
        let mut waits = backon::ExponentialBuilder::default()
            .with_min_delay(self.limits.backoff)
            .with_max_times(self.limits.retries)
            .with_jitter()
            .build();
        loop {
            let fault = match self.attempt(request).await {
                Ok(reply) => return Ok(reply),
                Err(fault) => fault,
            };
            let Some(wait) = waits.next().and_then(|wait| self.wait(&fault, wait)) else {
                return Err(fault);
            };
            tracing::debug!(host = request.host, %fault, ?wait, "asking again");
            tokio::time::sleep(wait).await;
        }
    }

    /// How long to wait before asking again, `usual` being the wait where nobody says otherwise;
    /// `None` if asking again is of no use now. A server that was silent for a whole request's time
    /// is not asked again: it is overloaded, and the next pass is soon enough.
    fn wait(&self, fault: &Fault, usual: Duration) -> Option<Duration> {
        match fault {
            Fault::RateLimited {
                retry_after: Some(asked),
                ..
            } => (*asked <= self.limits.patience).then(|| usual.max(*asked)),
            Fault::Unreachable { .. } | Fault::Interrupted { .. } => Some(usual),
            Fault::Server { status, .. } => matches!(status, 500 | 502..=504).then_some(usual),
            _ => None,
        }
    }

    async fn attempt(&self, request: &Request) -> Result<Reply, Fault> {
        let name = request.url.host_str().unwrap_or_default();
        let host = || request.host.clone();
        if self.connections.reach == Reach::Outside && is_internal(name) {
            return Err(Fault::Internal { host: host() });
        }
        let gate = self.gates.of(&request.url, self.limits.in_flight);
        let _pass = gate.acquire().await.expect("gates are never closed");
        let kind = Kind::of(&request.url);
        let turn = self.pace.turn(&request.host, kind, self.clock).await;
        let sent = turn.map_err(|rest| Fault::LeftAlone { host: host(), rest })?;
        let result = self.exchange(request).await;
        let mut ended = Ended {
            kind,
            class: Class::Failed,
            sent,
            retry_after: None,
            quota: None,
        };
        if let Ok(reply) = &result {
            ended.class = Class::of(reply.status.as_u16());
            ended.quota = Quota::of(&reply.headers, self.clock.now());
        }
        let result = result.and_then(|reply| self.now_or_later(reply));
        if let Err(Fault::RateLimited { retry_after, .. }) = &result {
            ended.class = Class::Limited;
            ended.retry_after = *retry_after;
        }
        self.pace.ended(&request.host, ended, self.clock);
        result
    }

    /// Sends it, whatever comes back.
    async fn exchange(&self, request: &Request) -> Result<Reply, Fault> {
        self.sent.fetch_add(1, Ordering::Relaxed);
        let failed = |error| fault_of(&request.host, error);
        let mut response = self.build(request).send().await.map_err(failed)?;
        let status = response.status();
        tracing::debug!(
            method = %request.method,
            host = request.host,
            path = request.url.path(),
            status = status.as_u16(),
            "asked"
        );
        let headers = std::mem::take(response.headers_mut());
        let url = response.url().clone();
        let body = if status.is_success() {
            whole_body(response, &request.host, request.most).await?
        } else {
            beginning(response, &request.host).await?
        };
        Ok(Reply {
            host: request.host.clone(),
            status,
            headers,
            url,
            body,
        })
    }

    fn build(&self, request: &Request) -> reqwest::RequestBuilder {
        let client = match request.body {
            Some(_) => &self.connections.secretive,
            None => &self.connections.usual,
        };
        let builder = client
            .request(request.method.clone(), request.url.clone())
            .timeout(self.limits.request)
            .header(ACCEPT, request.accept)
            .headers(request.headers.clone());
        let builder = match &request.authorization {
            Authorization::None => builder,
            Authorization::Basic(user, password) => {
                builder.basic_auth(user, Some(password.expose_secret()))
            }
            Authorization::Bearer(token) => builder.bearer_auth(token.expose_secret()),
        };
        match &request.body {
            None => builder,
            Some(body) => builder
                .header(CONTENT_TYPE, body.kind)
                .body(body.text.expose_secret().to_owned()),
        }
    }

    /// Takes the replies that mean "later" out.
    fn now_or_later(&self, reply: Reply) -> Result<Reply, Fault> {
        let status = reply.status.as_u16();
        let host = reply.host.clone();
        let said = words::said(&reply.body);
        match status {
            429 => {}
            503 if reply.headers.contains_key(RETRY_AFTER) => {}
            500..=599 => return Err(Fault::Server { host, status, said }),
            _ => return Ok(reply),
        }
        let retry_after = delay::asked(&reply.headers, &reply.body, self.clock.now());
        Err(Fault::RateLimited {
            host,
            retry_after,
            said,
        })
    }
}

/// The body of a successful reply, at most `most` bytes long.
async fn whole_body(
    mut response: reqwest::Response,
    host: &str,
    most: usize,
) -> Result<Vec<u8>, Fault> {
    let too_large = || Fault::TooLarge {
        host: host.to_owned(),
        limit: format!("{most} bytes"),
    };
    let announced = response.content_length().unwrap_or(0);
    if usize::try_from(announced).map_or(true, |length| length > most) {
        return Err(too_large());
    }
    let mut body = Vec::new();
    while let Some(chunk) = response.chunk().await.map_err(|e| fault_of(host, e))? {
        if body.len() + chunk.len() > most {
            return Err(too_large());
        }
        body.extend_from_slice(&chunk);
    }
    Ok(body)
}

/// The beginning of an error reply; the rest is not worth waiting for.
async fn beginning(mut response: reqwest::Response, host: &str) -> Result<Vec<u8>, Fault> {
    let mut body = Vec::new();
    while let Some(chunk) = response.chunk().await.map_err(|e| fault_of(host, e))? {
        let room = MAX_ERROR_REPLY - body.len();
        body.extend_from_slice(&chunk[..chunk.len().min(room)]);
        if body.len() == MAX_ERROR_REPLY {
            break;
        }
    }
    Ok(body)
}

fn fault_of(host: &str, error: reqwest::Error) -> Fault {
    // The address may carry a page token, and the message names the host anyway.
    let source = error.without_url();
    let host = host.to_owned();
    if source.is_timeout() {
        Fault::Timeout { host }
    } else if source.is_redirect() {
        Fault::NotARegistry {
            host,
            reason: "it redirects in a way that can't be followed".to_owned(),
        }
    } else if source.is_body() || source.is_decode() {
        Fault::Interrupted { host }
    } else if is_tls(&source) {
        Fault::Tls { host, source }
    } else {
        Fault::Unreachable { host, source }
    }
}

/// Whether TLS is among the causes. What an I/O error wraps is not its `source`.
fn is_tls(error: &reqwest::Error) -> bool {
    let mut cause = error.source();
    while let Some(error) = cause {
        if error.is::<rustls::Error>() {
            return true;
        }
        let wrapped = error
            .downcast_ref::<std::io::Error>()
            .and_then(std::io::Error::get_ref);
        cause = match wrapped {
            Some(inner) => Some(inner),
            None => error.source(),
        };
    }
    false
}
