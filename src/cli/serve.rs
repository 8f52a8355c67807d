//! `serve`: the service, until SIGTERM or SIGINT.

use std::path::Path;
use std::sync::Arc;

use anyhow::Context as _;
use axum::Router;
use clap::Args;
use tokio::sync::watch;
use tokio::task::JoinHandle;

use crate::cli::output::{Exit, Output};
use crate::cli::service;
use crate::clock::Clock;
use crate::config::Service;
use crate::driver::{self, OnPass};
use crate::server::holds::{self, Api};
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
/// When the registry client can't be set up or the address is taken.
pub async fn serve(
    service: &Service,
    state: State,
    clock: Clock,
    on_pass: OnPass,
    stop: watch::Receiver<bool>,
) -> anyhow::Result<()> {
    let state = Arc::new(state);
    let entries = driver::entries(service, &state, &clock)?;
    let shared = Arc::new(Shared::default());
    let server = match service.server.listen {
        Some(address) => {
            let ledgers = entries.iter().map(|entry| {
                let name = entry.repository().name.to_string();
                (name, Arc::clone(entry.given()))
            });
            let callers = service.server.callers.clone();
            let api = Api::new(
                callers,
                ledgers.collect(),
                Arc::clone(&state),
                clock.clone(),
            )?;
            let pages = server::pages(Arc::clone(&shared));
            let routes = pages.merge(holds::routes(Arc::new(api)));
            Some(listen(address, routes, &stop).await?)
        }
        None => None,
    };
    let stopping = stop.clone();
    let passes = driver::run(entries, state, clock, shared, on_pass, stop);
    match server {
        Some(server) => alongside(passes, server, &stopping).await,
        None => {
            passes.await;
            Ok(())
        }
    }
}

/// Waits for the passes and the HTTP server. A server that ends without having been told to ends the
/// service: one that nobody can ask whether it lives is worse than one that is restarted.
async fn alongside(
    passes: impl Future<Output = ()>,
    mut server: JoinHandle<std::io::Result<()>>,
    stopping: &watch::Receiver<bool>,
) -> anyhow::Result<()> {
    let mut passes = std::pin::pin!(passes);
    let ended = tokio::select! {
        () = &mut passes => server.await,
        ended = &mut server => {
            if *stopping.borrow() {
                passes.await;
            }
            ended
        }
    };
    ended
        .context("the HTTP server ended unexpectedly")?
        .context("the HTTP server failed")?;
    anyhow::ensure!(
        *stopping.borrow(),
        "the HTTP server ended without being told to"
    );
    Ok(())
}

async fn listen(
    address: std::net::SocketAddr,
    routes: Router,
    stop: &watch::Receiver<bool>,
) -> anyhow::Result<JoinHandle<std::io::Result<()>>> {
    let listener = server::bind(address)
        .await
        .with_context(|| format!("{address} (server.listen) can't be listened on"))?;
    let address = listener.local_addr().unwrap_or(address);
    tracing::info!("listening on http://{address}");
    Ok(tokio::spawn(server::serve(listener, routes, stop.clone())))
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

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_server_that_ends_by_itself_ends_the_service() {
        let (_switch, stopping) = watch::channel(false);
        let server = tokio::spawn(async { Ok(()) });
        let ended = alongside(std::future::pending(), server, &stopping).await;
        assert!(ended.unwrap_err().to_string().contains("HTTP server"));
    }

    #[tokio::test]
    async fn a_server_that_was_stopped_lets_the_passes_end() {
        let (_switch, stopping) = watch::channel(true);
        let (end, ended) = tokio::sync::oneshot::channel();
        let server = tokio::spawn(async move {
            let _ = end.send(());
            Ok(())
        });
        let passes = async { ended.await.unwrap() };
        alongside(passes, server, &stopping).await.unwrap();
    }
}
