//! Misbehaviour on purpose: what real registries and the proxies before them do on bad days.
//!
//! Invariant: a fault is decided by the repository, the endpoint and the reference alone, in the
//! order of the rules, so a test sees the same each time. Nothing here sleeps: a delay is a [`Gate`]
//! that the test opens.

use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::task::{Context, Poll};

use axum::body::{Body, Bytes, HttpBody, to_bytes};
use axum::http::{HeaderValue, StatusCode, header};
use axum::response::{Html, IntoResponse, Response};
use http_body::{Frame, SizeHint};
use tokio::sync::Semaphore;

use super::auth::Auth;
use super::reply::{Code, Problem};
use super::target::{Part, Target};

/// How a registry misbehaves, and whom it lets in.
#[derive(Debug, Clone, Default)]
pub struct Faults {
    /// Tried in order; the first that fits a request and is not used up applies.
    pub rules: Vec<Rule>,
    /// The most tags that one page holds, whatever the client asks for.
    pub page_cap: Option<usize>,
    /// Whom it lets in.
    pub auth: Auth,
}

impl Faults {
    /// One rule, and nothing else.
    pub fn one(rule: Rule) -> Self {
        Self {
            rules: vec![rule],
            ..Self::default()
        }
    }

    /// The fault for a request to `target`, counted as used.
    pub(super) fn take(&mut self, target: &Target) -> Option<Fault> {
        let rule = self.rules.iter_mut().find(|rule| rule.fits(target))?;
        if let Some(times) = &mut rule.times {
            *times -= 1;
        }
        Some(rule.fault.clone())
    }
}

/// When a fault happens.
#[derive(Debug, Clone)]
pub struct Rule {
    repository: String,
    part: Option<Part>,
    reference: Option<String>,
    times: Option<u32>,
    fault: Fault,
}

impl Rule {
    /// Every request to `repository`.
    pub fn new(repository: &str, fault: Fault) -> Self {
        Self {
            repository: repository.to_owned(),
            part: None,
            reference: None,
            times: None,
            fault,
        }
    }

    /// Only requests to one kind of endpoint.
    #[must_use]
    pub fn on(mut self, part: Part) -> Self {
        self.part = Some(part);
        self
    }

    /// Only requests for one tag or digest.
    #[must_use]
    pub fn reference(mut self, reference: &str) -> Self {
        self.reference = Some(reference.to_owned());
        self
    }

    /// Only the first `times` requests that fit.
    #[must_use]
    pub fn times(mut self, times: u32) -> Self {
        self.times = Some(times);
        self
    }

    fn fits(&self, target: &Target) -> bool {
        self.repository == target.name
            && self.part.is_none_or(|part| part == target.part())
            && (self.reference.is_none() || self.reference.as_deref() == target.reference())
            && self.times != Some(0)
    }
}

/// What happens instead of a sound answer.
#[derive(Debug, Clone)]
pub enum Fault {
    /// This status, with an error body, and `Retry-After` if given.
    Status {
        /// From 400 to 599; anything else is answered as 500.
        status: u16,
        /// The header's value: seconds or a date.
        retry_after: Option<String>,
    },
    /// The sound answer, once the gate is open.
    Wait(Gate),
    /// The sound answer's head and this many bytes of its body; then the connection breaks.
    Cut(usize),
    /// `200` and a page for people, as sign-in portals and broken proxies send.
    Html,
    /// A sound listing whose `Link` leads to itself.
    SamePage,
    /// A listing of at least this many bytes, made as it is sent.
    Flood(u64),
}

impl Fault {
    /// A bare status.
    pub fn status(status: u16) -> Self {
        Self::Status {
            status,
            retry_after: None,
        }
    }

    /// The answer in place of a sound one, if the fault has no use for that.
    pub(super) fn instead(&self) -> Option<Response> {
        match self {
            Self::Status {
                status,
                retry_after,
            } => Some(refusal(*status, retry_after.clone())),
            Self::Html => Some(Html("<!doctype html><title>Sign in</title>").into_response()),
            Self::Flood(bytes) => Some(flood(*bytes)),
            Self::Wait(_) | Self::Cut(_) | Self::SamePage => None,
        }
    }

    /// Spoils a sound answer to a request for `path`.
    pub(super) async fn spoil(&self, mut response: Response, path: &str) -> Response {
        match self {
            Self::Cut(bytes) => cut(response, *bytes).await,
            Self::SamePage => {
                let link = format!("<{path}>; rel=\"next\"");
                if let Ok(link) = HeaderValue::from_str(&link) {
                    response.headers_mut().insert(header::LINK, link);
                }
                response
            }
            _ => response,
        }
    }
}

/// Holds requests back until it is opened; clones are one gate.
#[derive(Debug, Clone)]
pub struct Gate(Arc<Inner>);

#[derive(Debug)]
struct Inner {
    /// Never has a permit; opening closes it, which wakes everyone for good.
    closed: Semaphore,
    waiting: AtomicUsize,
}

impl Default for Gate {
    fn default() -> Self {
        Self(Arc::new(Inner {
            closed: Semaphore::new(0),
            waiting: AtomicUsize::new(0),
        }))
    }
}

impl Gate {
    /// Lets everyone through, now and later.
    pub fn open(&self) {
        self.0.closed.close();
    }

    /// How many requests have come to the gate so far, those let through included.
    pub fn arrived(&self) -> usize {
        self.0.waiting.load(Ordering::SeqCst)
    }

    pub(super) async fn pass(&self) {
        self.0.waiting.fetch_add(1, Ordering::SeqCst);
        // Ends only by closing, which is an error here.
        let _ = self.0.closed.acquire().await;
    }
}

fn refusal(status: u16, retry_after: Option<String>) -> Response {
    let status = StatusCode::from_u16(status)
        .ok()
        .filter(|status| status.is_client_error() || status.is_server_error())
        .unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
    let problem = Problem::new(Code::of(status), "refused on purpose").status(status);
    match retry_after {
        Some(value) => problem.header(header::RETRY_AFTER, value),
        None => problem,
    }
    .into_response()
}

/// Keeps the head, with the length it promises, and `bytes` of the body.
async fn cut(response: Response, bytes: usize) -> Response {
    let (parts, body) = response.into_parts();
    // Sound answers come from the bounded store.
    let whole = to_bytes(body, usize::MAX).await.unwrap_or_default();
    let promised = whole.len() as u64;
    let kept = whole.slice(..bytes.min(whole.len()));
    let mut chunks = [kept].into_iter();
    let source = Source {
        next: Box::new(move || chunks.next()),
        promised: Some(promised),
        end: End::Flush,
    };
    Response::from_parts(parts, Body::new(source))
}

/// Valid JSON with as many tags as fill `bytes`.
fn flood(bytes: u64) -> Response {
    const TAGS_A_CHUNK: u64 = 1024;
    let mut sent = 0u64;
    let mut tag = 0u64;
    let mut ended = false;
    let next = move || {
        if ended {
            return None;
        }
        let mut chunk = String::new();
        if sent == 0 {
            chunk.push_str("{\"tags\":[");
        }
        for number in tag..tag + TAGS_A_CHUNK {
            chunk.push_str(&format!("\"0.0.{number}\","));
        }
        tag += TAGS_A_CHUNK;
        ended = sent + chunk.len() as u64 >= bytes;
        if ended {
            chunk.push_str("\"latest\"]}");
        }
        sent += chunk.len() as u64;
        Some(Bytes::from(chunk))
    };
    let source = Source {
        next: Box::new(next),
        promised: None,
        end: End::Sound,
    };
    let head = [(header::CONTENT_TYPE, "application/json")];
    (head, Body::new(source)).into_response()
}

/// A body made as it is sent.
struct Source {
    next: Box<dyn FnMut() -> Option<Bytes> + Send>,
    /// The length that the head promises.
    promised: Option<u64>,
    end: End,
}

/// How a body ends.
enum End {
    Sound,
    /// First lets the server send what it has: an error would discard that.
    Flush,
    Break,
}

impl HttpBody for Source {
    type Data = Bytes;
    type Error = std::io::Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Self::Error>>> {
        if let Some(chunk) = (self.next)() {
            return Poll::Ready(Some(Ok(Frame::data(chunk))));
        }
        match self.end {
            End::Sound => Poll::Ready(None),
            End::Flush => {
                self.end = End::Break;
                context.waker().wake_by_ref();
                Poll::Pending
            }
            End::Break => Poll::Ready(Some(Err(std::io::Error::other("cut on purpose")))),
        }
    }

    fn size_hint(&self) -> SizeHint {
        self.promised
            .map_or_else(SizeHint::default, SizeHint::with_exact)
    }
}
