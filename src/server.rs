//! The service's HTTP side: health, readiness and metrics.
//!
//! Invariant: read-only, and never in the way of a pass: it reads counters and flags that the driver
//! keeps.

pub mod metrics;

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex, PoisonError};

use axum::Router;
use axum::extract::State;
use axum::http::{StatusCode, header};
use axum::response::IntoResponse;
use axum::routing::get;
use tokio::net::TcpListener;
use tokio::sync::watch;

use metrics::Metrics;

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

/// Serves until `shutdown` turns true.
///
/// # Errors
/// When the listener fails.
pub async fn serve(
    listener: TcpListener,
    shared: Arc<Shared>,
    mut shutdown: watch::Receiver<bool>,
) -> std::io::Result<()> {
    let stop = async move {
        // A closed channel means that the driver is gone, which ends serving too.
        let _ = shutdown.wait_for(|stop| *stop).await;
    };
    axum::serve(listener, routes(shared))
        .with_graceful_shutdown(stop)
        .await
}

fn routes(shared: Arc<Shared>) -> Router {
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

async fn serve_metrics(State(shared): State<Arc<Shared>>) -> impl IntoResponse {
    /// The media type of the OpenMetrics text format, version 1.0.0.
    const OPEN_METRICS: &str = "application/openmetrics-text; version=1.0.0; charset=utf-8";
    (
        [(header::CONTENT_TYPE, OPEN_METRICS)],
        shared.metrics.encode(),
    )
}
