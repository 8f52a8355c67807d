//! `serve`: the service, until SIGTERM or SIGINT.

use std::path::Path;
use std::sync::Arc;

use anyhow::Context as _;
use clap::Args;
use tokio::sync::watch;

use crate::cli::output::{Exit, Output};
use crate::cli::service;
use crate::clock::Clock;
use crate::config::Service;
use crate::driver::{self, OnPass};
use crate::server::{self, Shared};
use crate::state::State;

/// Runs the service: polls, plans, commits, until it is told to stop
#[derive(Debug, Args)]
pub struct Serve {}

/// Runs the command.
///
/// # Errors
/// When the configuration can't be read, the cache is in use, or the address is taken.
pub async fn run(_: &Serve, config: Option<&Path>, output: Output) -> anyhow::Result<Exit> {
    let Some(service) = service::load(config, output)? else {
        return Ok(Exit::Invalid);
    };
    let state = State::own(&service::cache_folder(&service))?;
    let stop = stop_on_signal()?;
    serve(&service, state, Clock::system(), Arc::new(|_, _| {}), stop).await?;
    Ok(Exit::Done)
}

/// Runs a service until `stop` turns true.
///
/// # Errors
/// When a mirror can't be opened or the address is taken.
pub async fn serve(
    service: &Service,
    state: State,
    clock: Clock,
    on_pass: OnPass,
    stop: watch::Receiver<bool>,
) -> anyhow::Result<()> {
    let reconcilers = driver::reconcilers(service, &state, &clock)?;
    let shared = Arc::new(Shared::default());
    let server = match service.server.listen {
        Some(address) => Some(listen(address, &shared, &stop).await?),
        None => None,
    };
    driver::run(reconcilers, Arc::new(state), clock, shared, on_pass, stop).await;
    if let Some(server) = server {
        server
            .await
            .context("the HTTP server ended unexpectedly")?
            .context("the HTTP server failed")?;
    }
    Ok(())
}

async fn listen(
    address: std::net::SocketAddr,
    shared: &Arc<Shared>,
    stop: &watch::Receiver<bool>,
) -> anyhow::Result<tokio::task::JoinHandle<std::io::Result<()>>> {
    let listener = server::bind(address)
        .await
        .with_context(|| format!("{address} (server.listen) can't be listened on"))?;
    let address = listener.local_addr().unwrap_or(address);
    tracing::info!("listening on http://{address}");
    Ok(tokio::spawn(server::serve(
        listener,
        Arc::clone(shared),
        stop.clone(),
    )))
}

/// A switch that SIGTERM or SIGINT turns on. A second signal ends the process at once: the mirror and
/// the remote are safe at any moment, only work under way is lost.
///
/// # Errors
/// When signals can't be handled.
#[expect(
    clippy::disallowed_methods,
    reason = "a second signal asks for an end without clean-up"
)]
pub fn stop_on_signal() -> anyhow::Result<watch::Receiver<bool>> {
    use tokio::signal::unix::{SignalKind, signal};
    let mut terminate = signal(SignalKind::terminate()).context("SIGTERM can't be handled")?;
    let mut interrupt = signal(SignalKind::interrupt()).context("SIGINT can't be handled")?;
    let (switch, stop) = watch::channel(false);
    tokio::spawn(async move {
        for second in [false, true] {
            tokio::select! {
                _ = terminate.recv() => {}
                _ = interrupt.recv() => {}
            }
            if second {
                /// 128 + SIGTERM, as shells report a process that a signal ended.
                const KILLED: i32 = 143;
                std::process::exit(KILLED);
            }
            tracing::info!("stopping once the passes under way have ended");
            let _ = switch.send(true);
        }
    });
    Ok(stop)
}
