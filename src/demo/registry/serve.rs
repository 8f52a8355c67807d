//! The server: one request in, one answer out, and a note of both.
//!
//! Order of a request: read the path, apply a fault, check who asks, answer, note.

use std::sync::Arc;

use axum::body::Body;
use axum::extract::{Request as HttpRequest, State};
use axum::http::Method;
use axum::http::request::Parts;
use axum::response::{IntoResponse, Response};
use axum::serve::ListenerExt as _;
use serde_json::json;
use tokio::net::TcpListener;
use tokio::sync::oneshot;

use super::fault::Fault;
use super::reply::{Code, Problem, Reply};
use super::target::{Kind, Target};
use super::{Request, Shared, auth, lock, read, write};

/// Where tokens are issued; outside `/v2/`, so no repository can have this name.
const TOKEN_PATH: &str = "/token";

/// Serves until `stopped` resolves, then closes everything at once.
pub(super) async fn run(
    listener: TcpListener,
    shared: Arc<Shared>,
    stopped: oneshot::Receiver<()>,
) {
    // Answers are small: sent at once, they do not wait for the client's acknowledgement. A socket
    // that refuses the option still works.
    let listener = listener.tap_io(|socket| drop(socket.set_nodelay(true)));
    let app = axum::Router::new().fallback(handle).with_state(shared);
    tokio::select! {
        _ = stopped => {}
        // axum's accept loop retries on errors and never ends by itself.
        _ = axum::serve(listener, app) => {}
    }
}

async fn handle(State(shared): State<Arc<Shared>>, request: HttpRequest) -> Response {
    let (parts, body) = request.into_parts();
    let response = answer(&shared, &parts, body)
        .await
        .unwrap_or_else(IntoResponse::into_response);
    shared.note(Request {
        method: parts.method.to_string(),
        path: parts.uri.path().to_owned(),
        query: parts.uri.query().unwrap_or_default().to_owned(),
        status: response.status().as_u16(),
    });
    response
}

async fn answer(shared: &Shared, parts: &Parts, body: Body) -> Reply {
    if parts.uri.path() == TOKEN_PATH {
        return auth::token(shared, parts);
    }
    let target = Target::parse(parts.uri.path())?;
    let fault = lock(&shared.faults).take(&target);
    if let Some(Fault::Wait(gate)) = &fault {
        gate.pass().await;
    }
    if let Some(response) = fault.as_ref().and_then(Fault::instead) {
        return Ok(response);
    }
    auth::check(shared, parts, &target)?;
    let response = dispatch(shared, parts, &target, body).await?;
    let path = parts.uri.path_and_query().map_or("", |path| path.as_str());
    match fault {
        Some(fault) => Ok(fault.spoil(response, path).await),
        None => Ok(response),
    }
}

async fn dispatch(shared: &Shared, parts: &Parts, target: &Target, body: Body) -> Reply {
    let name = target.name.as_str();
    let headers = &parts.headers;
    let is_read = matches!(parts.method, Method::GET | Method::HEAD);
    match (&parts.method, &target.kind) {
        (_, Kind::Root) if is_read => Ok(axum::Json(json!({})).into_response()),
        (_, Kind::Tags) if is_read => {
            let cap = lock(&shared.faults).page_cap;
            read::tags(&shared.store(), name, &parts.uri, cap)
        }
        (_, Kind::Manifest(key)) if is_read => read::manifest(&shared.store(), name, key, headers),
        (_, Kind::Blob(digest)) if is_read => read::blob(&shared.store(), name, digest),
        (_, Kind::Referrers(digest)) if is_read => {
            Ok(read::referrers(&shared.store(), name, digest, &parts.uri))
        }
        (&Method::PUT, Kind::Manifest(key)) => {
            write::put_manifest(shared, name, key, headers, body).await
        }
        (&Method::POST, Kind::Uploads) => write::start_upload(shared, name, parts, body).await,
        (&Method::GET, Kind::Upload(id)) => write::upload_status(&shared.store(), name, id),
        (&Method::PATCH, Kind::Upload(id)) => {
            write::patch_upload(shared, name, id, headers, body).await
        }
        (&Method::PUT, Kind::Upload(id)) => write::put_upload(shared, name, id, parts, body).await,
        (&Method::DELETE, Kind::Upload(id)) => write::cancel_upload(&mut shared.store(), name, id),
        (&Method::DELETE, Kind::Manifest(key)) => {
            write::delete_manifest(&mut shared.store(), name, key)
        }
        (&Method::DELETE, Kind::Blob(digest)) => {
            write::delete_blob(&mut shared.store(), name, digest)
        }
        _ => Err(Problem::new(
            Code::Unsupported,
            format!("no {} here", parts.method),
        )),
    }
}
