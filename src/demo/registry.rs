//! A container registry in memory, on loopback: what the demo watches and the tests run against.
//!
//! It speaks the OCI distribution API v1.1 over HTTP/1.1: listing, pulling, the referrers API, and
//! as much of pushing as skopeo and OCI client libraries use. Callers in Rust fill it with
//! [`Registry::push`], read what it was asked with [`Registry::requests`], and make it misbehave
//! with [`Registry::set_faults`].
//!
//! Invariant: what is stored is content-addressed by SHA-256, every size is bounded, and no request
//! can make it panic. It serves on a thread of its own, so a caller that blocks never starves it, and
//! when [`Registry`] is dropped the port is closed before `drop` returns.
//!
//! It refuses to persist anything, to listen beyond loopback, and to speak TLS.

mod auth;
mod fault;
mod read;
mod reply;
mod serve;
mod spec;
mod store;
mod target;
#[cfg(test)]
mod tests;
mod write;

use std::collections::VecDeque;
use std::io;
use std::net::{Ipv4Addr, SocketAddr, TcpListener};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::thread::JoinHandle;

use tokio::sync::oneshot;

use crate::image::Digest;

pub use auth::{Auth, Login};
pub use fault::{Fault, Faults, Gate, Rule};
pub use spec::ImageSpec;
pub use target::Part;

/// Requests remembered; the oldest go first. Enough for some pages of a thousand repositories.
const REMEMBERED: usize = 16_384;

/// One request that was answered.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Request {
    /// The HTTP method, upper case.
    pub method: String,
    /// The path, as sent.
    pub path: String,
    /// What follows the `?`, as sent; empty when there was none.
    pub query: String,
    /// The status it was answered with.
    pub status: u16,
}

/// A running registry; dropping it stops it and frees its memory.
#[derive(Debug)]
pub struct Registry {
    shared: Arc<Shared>,
    stop: Option<oneshot::Sender<()>>,
    thread: Option<JoinHandle<()>>,
}

impl Registry {
    /// Starts an empty, open registry on a loopback port of the system's choosing.
    ///
    /// # Errors
    /// When loopback has no free port, or the thread or its runtime cannot be made.
    pub fn start() -> io::Result<Self> {
        let listener = TcpListener::bind(SocketAddr::from((Ipv4Addr::LOCALHOST, 0)))?;
        listener.set_nonblocking(true)?;
        let shared = Arc::new(Shared::new(listener.local_addr()?.to_string()));
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_all()
            .build()?;
        let listener = {
            let _inside = runtime.enter();
            tokio::net::TcpListener::from_std(listener)?
        };
        let (stop, stopped) = oneshot::channel();
        let served = Arc::clone(&shared);
        let thread = std::thread::Builder::new()
            .name("demo-registry".to_owned())
            .spawn(move || runtime.block_on(serve::run(listener, served, stopped)))?;
        Ok(Self {
            shared,
            stop: Some(stop),
            thread: Some(thread),
        })
    }

    /// Where it listens, as image names spell it: `127.0.0.1:PORT`.
    pub fn host(&self) -> String {
        self.shared.host.clone()
    }

    /// Stores `image` and points `tag` at it; returns the digest of its index.
    ///
    /// Neither name is checked, so that a test can serve what no registry should.
    pub fn push(&self, repository: &str, tag: &str, image: &ImageSpec) -> Digest {
        let built = image.build();
        let digest = built.index.digest.clone();
        self.shared.store().insert(repository, tag, built);
        digest
    }

    /// Removes `tag`; its manifest stays reachable by digest. An unknown tag is left unknown.
    pub fn untag(&self, repository: &str, tag: &str) {
        self.shared.store().untag(repository, tag);
    }

    /// The digest that `tag` points at.
    pub fn digest(&self, repository: &str, tag: &str) -> Option<Digest> {
        self.shared.store().digest(repository, tag)
    }

    /// The latest requests, oldest first, at most 16,384; one is here before its answer is sent.
    pub fn requests(&self) -> Vec<Request> {
        lock(&self.shared.log).iter().cloned().collect()
    }

    /// Replaces how it misbehaves and whom it lets in; tokens already issued stay valid.
    pub fn set_faults(&self, faults: Faults) {
        *lock(&self.shared.faults) = faults;
    }
}

impl Drop for Registry {
    fn drop(&mut self) {
        drop(self.stop.take());
        if let Some(thread) = self.thread.take() {
            // Fails only if the thread panicked, and then the port is closed as well.
            let _ = thread.join();
        }
    }
}

/// What the serving thread and the callers share.
#[derive(Debug)]
struct Shared {
    host: String,
    store: Mutex<store::Store>,
    log: Mutex<VecDeque<Request>>,
    faults: Mutex<Faults>,
    tokens: Mutex<auth::Tokens>,
}

impl Shared {
    fn new(host: String) -> Self {
        Self {
            host,
            store: Mutex::default(),
            log: Mutex::default(),
            faults: Mutex::default(),
            tokens: Mutex::default(),
        }
    }

    fn store(&self) -> MutexGuard<'_, store::Store> {
        lock(&self.store)
    }

    fn note(&self, request: Request) {
        let mut log = lock(&self.log);
        if log.len() == REMEMBERED {
            log.pop_front();
        }
        log.push_back(request);
    }
}

/// Every write under these locks leaves them valid at each step, so a poisoned one is still usable.
fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
