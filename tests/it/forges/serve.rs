//! The HTTP side of a fake forge: reading requests, faults on demand, writing answers.

use std::net::SocketAddr;
use std::sync::Arc;

use axum::Router;
use axum::body::{Body, to_bytes};
use axum::extract::{Request, State};
use axum::response::Response;
use reqwest::Url;
use serde_json::Value;

use super::{Asked, Fault, Said, Shared};

/// Most bytes of a request: more than any of ours has.
const MAX_REQUEST: usize = 16 * 1024 * 1024;

/// A server on a thread of its own, so that tests with and without a runtime can use it; it ends with
/// the test.
pub struct Server {
    /// Where it listens.
    pub address: SocketAddr,
    stop: Option<tokio::sync::oneshot::Sender<()>>,
}

impl Server {
    /// Starts it.
    pub(super) fn start(shared: Arc<Shared>) -> Self {
        let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
        listener.set_nonblocking(true).unwrap();
        let address = listener.local_addr().unwrap();
        let (stop, stopped) = tokio::sync::oneshot::channel();
        let app = Router::new().fallback(handle).with_state(shared);
        std::thread::spawn(move || {
            let runtime = tokio::runtime::Builder::new_current_thread()
                .enable_all()
                .build()
                .unwrap();
            runtime.block_on(async move {
                let listener = tokio::net::TcpListener::from_std(listener).unwrap();
                tokio::select! {
                    _ = axum::serve(listener, app) => {}
                    _ = stopped => {}
                }
            });
        });
        Self {
            address,
            stop: Some(stop),
        }
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        if let Some(stop) = self.stop.take() {
            // The thread may have ended already.
            let _ = stop.send(());
        }
    }
}

async fn handle(State(shared): State<Arc<Shared>>, request: Request) -> Response {
    let said = match read(request, shared.dialect.root()).await {
        Some(asked) => answer(&shared, asked),
        None => shared.dialect.missing(),
    };
    let builder = Response::builder()
        .status(said.status)
        .header("content-type", "application/json");
    let with = said.headers.iter().fold(builder, |builder, (name, value)| {
        builder.header(name, value)
    });
    let body = match said.body {
        Value::Null => Body::empty(),
        body => Body::from(body.to_string()),
    };
    with.body(body).unwrap()
}

/// A request below the root, or beside its last part.
async fn read(request: Request, root: &str) -> Option<Asked> {
    let (parts, body) = request.into_parts();
    let url = Url::parse(&format!("http://forge{}", parts.uri)).unwrap();
    let path = url.path().to_owned();
    let beside = root.rsplit_once('/').map_or("", |(before, _)| before);
    let below = path
        .strip_prefix(root)
        .or_else(|| path.strip_prefix(beside))?;
    let segments = below.trim_start_matches('/').split('/').map(unescaped);
    let body = to_bytes(body, MAX_REQUEST).await.ok()?;
    Some(Asked {
        method: parts.method.to_string(),
        path: segments.collect(),
        query: url.query_pairs().into_owned().collect(),
        headers: parts
            .headers
            .iter()
            .map(|(name, value)| (name.to_string(), value.to_str().unwrap().to_owned()))
            .collect(),
        body: serde_json::from_slice(&body).unwrap_or_default(),
    })
}

/// A path segment without its escapes: as a query's value, but for `+`.
fn unescaped(segment: &str) -> String {
    let query = format!("x={}", segment.replace('+', "%2B"));
    let url = Url::parse(&format!("http://x/?{query}")).unwrap();
    url.query_pairs().next().unwrap().1.into_owned()
}

fn answer(shared: &Shared, asked: Asked) -> Said {
    let dialect = &shared.dialect;
    shared.log.lock().unwrap().push(asked.clone());
    let fault = shared.faults.lock().unwrap().pop_front();
    match fault {
        Some(Fault::Limited(seconds)) => return dialect.limited(seconds),
        Some(Fault::Failed(status)) => return Said::new(status, Value::Null),
        Some(Fault::Lost | Fault::None) | None => {}
    }
    if !dialect.knows(&asked) {
        return dialect.unauthorized();
    }
    let mut hub = shared.hub.lock().unwrap();
    let meanwhile = shared
        .meanwhile
        .lock()
        .unwrap()
        .take_if(|meanwhile| meanwhile.is_before(&asked));
    if let Some(meanwhile) = meanwhile {
        (meanwhile.happens)(&mut hub);
    }
    hub.refresh();
    if hub.is_hidden {
        return dialect.missing();
    }
    if hub.is_read_only && !asked.is_read() {
        return dialect.forbidden();
    }
    let said = dialect.answer(&asked, &mut hub);
    match fault {
        Some(Fault::Lost) => Said::new(502, Value::Null),
        _ => tagged(&asked, said),
    }
}

/// With an entity tag, and without a body where the asker has that already (RFC 9110 section 13.1.2).
fn tagged(asked: &Asked, said: Said) -> Said {
    if !asked.is_read() || said.status != 200 {
        return said;
    }
    let text = format!("{:?}{}", said.headers, said.body);
    let digest = ring::digest::digest(&ring::digest::SHA256, text.as_bytes());
    let tag = format!("W/\"{:?}\"", digest).replace([' ', ':'], "-");
    if asked.header("if-none-match") == Some(&tag) {
        return Said::new(304, Value::Null).with("etag", tag);
    }
    said.with("etag", tag)
}
