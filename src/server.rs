//! The service's HTTP side: health, readiness, metrics, and holds.
//!
//! Invariant: never in the way of a pass: it reads counters and flags that the driver keeps, and notes holds
//! for the next pass. Nothing but a hold is ever changed here.

pub mod holds;
pub mod metrics;
mod registries;

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use axum::Router;
use axum::extract::State;
use axum::http::{HeaderMap, StatusCode, header};
use axum::response::IntoResponse;
use axum::routing::get;
use tokio::net::TcpListener;
use tokio::sync::watch;

use metrics::Metrics;

/// How long requests under way may take to end when the service stops: answers take milliseconds, and
/// a client that never sends its request must not hold the service up.
const DRAIN: Duration = Duration::from_secs(2);

/// What the driver tells the server.
#[derive(Debug, Default)]
pub struct Shared {
    /// The metrics.
    pub metrics: Metrics,
    ready: Mutex<BTreeMap<String, Readiness>>,
}

/// Whether a config repo has been worked on.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Readiness {
    /// No pass has ended yet.
    Starting,
    /// A pass has ended without an error.
    Ready,
    /// No pass has ended without an error yet; the last one's error.
    Failing(String),
}

impl Shared {
    /// Notes where a config repo stands. One that was ready stays so: an outage of Git or a registry
    /// is no reason to restart the service.
    pub fn note(&self, repository: &str, readiness: Readiness) {
        let mut ready = self.ready.lock().unwrap_or_else(PoisonError::into_inner);
        let state = ready
            .entry(repository.to_owned())
            .or_insert(Readiness::Starting);
        if *state != Readiness::Ready {
            *state = readiness;
        }
    }

    fn unready(&self) -> Vec<String> {
        let ready = self.ready.lock().unwrap_or_else(PoisonError::into_inner);
        ready
            .iter()
            .filter_map(|(repository, state)| match state {
                Readiness::Ready => None,
                Readiness::Starting => Some(format!("{repository}: the first pass is running\n")),
                Readiness::Failing(error) => Some(format!("{repository}: {error}\n")),
            })
            .collect()
    }
}

/// Binds the listener.
///
/// # Errors
/// When the address is taken or not this machine's.
pub async fn bind(address: SocketAddr) -> std::io::Result<TcpListener> {
    TcpListener::bind(address).await
}

/// Serves `routes` until `shutdown` turns true; requests under way then have a moment to end.
///
/// # Errors
/// When the listener fails.
pub async fn serve(
    listener: TcpListener,
    routes: Router,
    shutdown: watch::Receiver<bool>,
) -> std::io::Result<()> {
    let stop = |mut shutdown: watch::Receiver<bool>| async move {
        // A closed channel means that the driver is gone, which ends serving too.
        let _ = shutdown.wait_for(|stop| *stop).await;
    };
    let late = stop(shutdown.clone());
    let serving = axum::serve(listener, routes).with_graceful_shutdown(stop(shutdown));
    tokio::select! {
        ended = serving.into_future() => ended,
        () = async { late.await; tokio::time::sleep(DRAIN).await } => Ok(()),
    }
}

/// The pages that say how the service is, for anybody.
pub fn pages(shared: Arc<Shared>) -> Router {
    Router::new()
        .route("/healthz", get(|| async { "ok\n" }))
        .route("/readyz", get(readyz))
        .route("/metrics", get(serve_metrics))
        .with_state(shared)
}

async fn readyz(State(shared): State<Arc<Shared>>) -> impl IntoResponse {
    let unready = shared.unready();
    if unready.is_empty() {
        (StatusCode::OK, "ready\n".to_owned())
    } else {
        (StatusCode::SERVICE_UNAVAILABLE, unready.concat())
    }
}

/// OpenMetrics 1.0.0 for those who ask for it, as Prometheus does; else its own text format, version
/// 0.0.4, which everything reads.
async fn serve_metrics(State(shared): State<Arc<Shared>>, headers: HeaderMap) -> impl IntoResponse {
    const OPEN_METRICS: &str = "application/openmetrics-text; version=1.0.0; charset=utf-8";
    const TEXT: &str = "text/plain; version=0.0.4; charset=utf-8";
    let text = shared.metrics.encode();
    let asked = headers.get_all(header::ACCEPT).iter();
    let asked = asked.filter_map(|value| value.to_str().ok());
    if asked
        .into_iter()
        .any(|value| value.contains("application/openmetrics-text"))
    {
        return ([(header::CONTENT_TYPE, OPEN_METRICS)], text);
    }
    ([(header::CONTENT_TYPE, TEXT)], metrics::plain(&text))
}

#[cfg(test)]
mod tests {
    use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
    use tokio::net::TcpStream;

    use super::*;

    #[tokio::test]
    async fn a_request_that_never_comes_does_not_keep_the_service() {
        let listener = bind("127.0.0.1:0".parse().unwrap()).await.unwrap();
        let address = listener.local_addr().unwrap();
        let (stop, stopped) = watch::channel(false);
        let server = tokio::spawn(serve(listener, pages(Arc::default()), stopped));
        let mut half = TcpStream::connect(address).await.unwrap();
        half.write_all(b"GET /healthz HT").await.unwrap();
        // Connections are taken in order, so the first is the server's once this one is answered.
        let mut whole = TcpStream::connect(address).await.unwrap();
        let request = b"GET /healthz HTTP/1.1\r\nhost: x\r\nconnection: close\r\n\r\n";
        whole.write_all(request).await.unwrap();
        let mut answer = String::new();
        whole.read_to_string(&mut answer).await.unwrap();
        assert!(answer.ends_with("ok\n"), "{answer}");
        stop.send(true).unwrap();
        // Fails as a hang; how long the moment is doesn't matter here.
        let ended = tokio::time::timeout(Duration::from_secs(60), server);
        ended.await.unwrap().unwrap().unwrap();
        drop(half);
    }
}
