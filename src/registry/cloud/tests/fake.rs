//! A server on loopback whose answers are a function of the test, and which notes what it was asked.

use std::sync::{Arc, Mutex};

use axum::extract::{Request, State};
use axum::http::{HeaderMap, Method, StatusCode, Uri};
use axum::response::{IntoResponse as _, Response};
use reqwest::Url;

use crate::registry::cloud::Endpoint;

/// A request as it came.
#[derive(Debug, Clone)]
pub(in crate::registry) struct Asked {
    pub(in crate::registry) method: Method,
    pub(in crate::registry) uri: Uri,
    pub(in crate::registry) headers: HeaderMap,
    pub(in crate::registry) body: String,
}

impl Asked {
    pub(in crate::registry) fn header(&self, name: &str) -> &str {
        let value = self.headers.get(name);
        value.map_or("", |value| value.to_str().unwrap())
    }

    /// A field of the form in its body.
    pub(in crate::registry) fn field(&self, name: &str) -> String {
        value(&self.body, name)
    }

    /// A field of its query.
    pub(in crate::registry) fn query(&self, name: &str) -> String {
        value(self.uri.query().unwrap_or_default(), name)
    }

    pub(in crate::registry) fn line(&self) -> String {
        format!("{} {}", self.method, self.uri.path())
    }
}

fn value(encoded: &str, name: &str) -> String {
    let url = Url::parse(&format!("http://x/?{encoded}")).unwrap();
    let mut pairs = url.query_pairs();
    let found = pairs.find(|(known, _)| known == name);
    found.map_or_else(String::new, |(_, value)| value.into_owned())
}

/// An answer: status, content, and perhaps a header.
pub(in crate::registry) type Answer = (u16, String, Option<(&'static str, String)>);

/// An answer without a header of its own.
pub(in crate::registry) fn plain(status: u16, text: impl Into<String>) -> Answer {
    (status, text.into(), None)
}

type Answering = dyn Fn(&Asked) -> Answer + Send + Sync;

/// What a server's `Date` says; the machine's own time if nothing is given.
pub(in crate::registry) type Dating = Option<Arc<dyn Fn() -> String + Send + Sync>>;

#[derive(Clone)]
struct Shared {
    answering: Arc<Answering>,
    dating: Dating,
    seen: Arc<Mutex<Vec<Asked>>>,
}

/// The running server; it ends with the test's runtime.
pub(in crate::registry) struct Fake {
    pub(in crate::registry) host: String,
    seen: Arc<Mutex<Vec<Asked>>>,
}

impl Fake {
    pub(in crate::registry) async fn start(
        answering: impl Fn(&Asked) -> Answer + Send + Sync + 'static,
    ) -> Self {
        Self::dated(None, answering).await
    }

    pub(in crate::registry) async fn dated(
        dating: Dating,
        answering: impl Fn(&Asked) -> Answer + Send + Sync + 'static,
    ) -> Self {
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let host = listener.local_addr().unwrap().to_string();
        let seen = Arc::default();
        let shared = Shared {
            answering: Arc::new(answering),
            dating,
            seen: Arc::clone(&seen),
        };
        let app = axum::Router::new().fallback(serve).with_state(shared);
        tokio::spawn(async move { axum::serve(listener, app).await.unwrap() });
        Self { host, seen }
    }

    pub(in crate::registry) fn endpoint(&self, path: &str) -> Endpoint {
        format!("http://{}/{path}", self.host).parse().unwrap()
    }

    /// The methods and paths of all requests so far.
    pub(in crate::registry) fn lines(&self) -> Vec<String> {
        self.seen().iter().map(Asked::line).collect()
    }

    pub(in crate::registry) fn seen(&self) -> Vec<Asked> {
        self.seen.lock().unwrap().clone()
    }
}

async fn serve(State(shared): State<Shared>, request: Request) -> Response {
    let (parts, body) = request.into_parts();
    let body = axum::body::to_bytes(body, 1 << 20).await.unwrap();
    let asked = Asked {
        method: parts.method,
        uri: parts.uri,
        headers: parts.headers,
        body: String::from_utf8(body.to_vec()).unwrap(),
    };
    shared.seen.lock().unwrap().push(asked.clone());
    let (status, text, header) = (shared.answering)(&asked);
    let mut response = (StatusCode::from_u16(status).unwrap(), text).into_response();
    let headers = response.headers_mut();
    if let Some(dating) = &shared.dating {
        headers.insert("date", dating().parse().unwrap());
    }
    if let Some((name, value)) = header {
        headers.insert(name, value.parse().unwrap());
    }
    response
}
