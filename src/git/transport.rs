//! Carries libgit2's smart protocol over our own connections: local folders, SSH and HTTPS.
//!
//! Invariant: every exchange has credentials of its own, found through a private URL, so remotes
//! with different credentials coexist; every wait is bounded; and what went wrong is kept typed,
//! because libgit2 passes on text only.
//!
//! It refuses every scheme but the private one: libgit2's own transports are never used. This is
//! the only module with unsafe code, one call that registers the scheme.

use std::collections::HashMap;
use std::future::Future;
use std::io;
use std::num::NonZeroU32;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, LazyLock, Mutex, Once, PoisonError};
use std::time::{Duration, Instant};

use git2::transport::Transport;
use tokio::runtime::Handle;

use super::remote::Location;
use super::{Error, Remote, words};

mod https;
mod local;
mod process;
mod ssh;

/// The private scheme; what follows is an exchange's number.
const SCHEME: &str = "tagwright";

/// Bytes that a server may send before it is asked for anything: its list of references. Enough
/// for half a million of them.
const MAX_ADVERTISEMENT: u64 = 64 * 1024 * 1024;

/// How long an exchange may take.
#[derive(Debug, Clone, Copy)]
pub(super) struct Limits {
    /// Without a byte from the remote: servers count objects and run hooks for minutes.
    pub silence: Duration,
    /// Altogether: a first fetch of a large repository over a slow line.
    pub total: Duration,
    /// Bytes that the remote may send for what it is asked: a pack, which goes to the disk.
    pub bytes: u64,
}

const LIMITS: Limits = Limits {
    silence: Duration::from_secs(5 * 60),
    total: Duration::from_secs(30 * 60),
    // The whole history of the largest public repositories; config repos have a hundredth.
    bytes: 8 * 1024 * 1024 * 1024,
};

/// Makes exchanges with one remote.
pub(super) struct Connector {
    remote: Remote,
    name: String,
    limits: Limits,
    http: https::Clients,
}

impl Connector {
    /// # Errors
    /// When the credentials don't go with the URL.
    pub(super) fn new(remote: Remote) -> Result<Self, Error> {
        let name = remote.url.to_string();
        let misfit = match &remote.url.0 {
            Location::Local(_) => local::misfit(&remote.auth),
            Location::Ssh(_) => ssh::misfit(&remote.auth),
            Location::Http(_) => https::misfit(&remote.auth),
        };
        if let Some(why) = misfit {
            return Err(Error::Credentials { remote: name, why });
        }
        Ok(Self {
            remote,
            name,
            limits: LIMITS,
            http: https::Clients::default(),
        })
    }

    /// The remote's address, fit to print.
    pub(super) fn name(&self) -> &str {
        &self.name
    }

    /// How many commits of a branch are fetched at first, if not all.
    pub(super) fn depth(&self) -> Option<NonZeroU32> {
        self.remote.depth
    }

    /// Reads the credentials and gets ready to connect, once.
    ///
    /// # Errors
    /// When credentials or certificate authorities can't be read.
    pub(super) fn exchange(&mut self) -> Result<Exchange, Error> {
        let carrier = match &self.remote.url.0 {
            Location::Local(folder) => Carrier::Program(local::program(folder)),
            Location::Ssh(url) => {
                Carrier::Program(ssh::program(url, &self.remote.auth, &self.name)?)
            }
            Location::Http(url) => {
                Carrier::Http(
                    self.http
                        .server(url, &self.remote, &self.name, self.limits)?,
                )
            }
        };
        Ok(Exchange::new(Shared {
            carrier,
            remote: self.name.clone(),
            limits: self.limits,
            end: Instant::now() + self.limits.total,
            failure: Mutex::new(None),
        }))
    }
}

/// What carries the bytes.
enum Carrier {
    Program(process::Program),
    Http(https::Server),
}

/// One use of a remote. Known to libgit2 by [`Exchange::url`] until it is dropped.
pub(super) struct Exchange {
    number: u64,
    shared: Arc<Shared>,
}

/// What the streams of one exchange have in common.
struct Shared {
    carrier: Carrier,
    remote: String,
    limits: Limits,
    end: Instant,
    /// The first thing that went wrong.
    failure: Mutex<Option<Error>>,
}

static EXCHANGES: LazyLock<Mutex<HashMap<u64, Arc<Shared>>>> = LazyLock::new(Mutex::default);

impl Exchange {
    fn new(shared: Shared) -> Self {
        static NEXT: AtomicU64 = AtomicU64::new(0);
        register();
        let number = NEXT.fetch_add(1, Ordering::Relaxed);
        let shared = Arc::new(shared);
        lock(&EXCHANGES).insert(number, shared.clone());
        Self { number, shared }
    }

    /// What libgit2 is to connect to.
    pub(super) fn url(&self) -> String {
        format!("{SCHEME}://{}", self.number)
    }

    /// The remote's address, fit to print.
    pub(super) fn remote(&self) -> &str {
        &self.shared.remote
    }

    /// What went wrong with the connection, if it was that. Taken, so asked once.
    pub(super) fn failure(&self) -> Option<Error> {
        lock(&self.shared.failure).take()
    }

    /// What libgit2 could not make sense of.
    pub(super) fn misunderstood(&self, error: &git2::Error) -> Error {
        Error::Protocol {
            remote: self.shared.remote.clone(),
            words: words::clean(error.message().as_bytes()),
        }
    }
}

impl Drop for Exchange {
    fn drop(&mut self) {
        lock(&EXCHANGES).remove(&self.number);
    }
}

impl Shared {
    /// Keeps `error` unless something went wrong before, and returns what libgit2 is told.
    fn fail(&self, error: Error) -> io::Error {
        // Not the words of others: libgit2 wants text without NUL, and we have the error itself.
        let told = io::Error::other("the exchange failed");
        lock(&self.failure).get_or_insert(error);
        told
    }

    fn has_failed(&self) -> bool {
        lock(&self.failure).is_some()
    }

    /// Waits for `step`, within the limits.
    fn wait<T>(&self, step: impl Future<Output = T>) -> io::Result<T> {
        let left = self.end.saturating_duration_since(Instant::now());
        let limit = left.min(self.limits.silence);
        let handle = runtime().map_err(|source| self.no_runtime(source))?;
        handle
            .block_on(async { tokio::time::timeout(limit, step).await })
            .map_err(|_| {
                let words = if limit < self.limits.silence {
                    format!("not done after {} s", self.limits.total.as_secs())
                } else {
                    format!("silent for {} s", self.limits.silence.as_secs())
                };
                self.fail(Error::Timeout {
                    remote: self.remote.clone(),
                    words,
                })
            })
    }

    fn no_runtime(&self, source: io::Error) -> io::Error {
        let remote = self.remote.clone();
        self.fail(Error::Unreachable {
            remote,
            words: source.to_string(),
        })
    }

    /// Whether the remote may have sent so many bytes, before or after it was `asked` for anything.
    fn check_size(&self, received: u64, asked: bool) -> io::Result<()> {
        let (what, most) = if asked {
            ("its answer", self.limits.bytes)
        } else {
            ("its list of references", MAX_ADVERTISEMENT)
        };
        if received <= most {
            return Ok(());
        }
        Err(self.fail(Error::Protocol {
            remote: self.remote.clone(),
            words: format!("{what} is over {most} bytes"),
        }))
    }
}

/// The runtime that drives all connections: one thread of our own, so that blocking callers work
/// from any thread, with or without a runtime around them.
fn runtime() -> io::Result<Handle> {
    static RUNTIME: Mutex<Option<Handle>> = Mutex::new(None);
    let mut runtime = lock(&RUNTIME);
    if let Some(handle) = &*runtime {
        return Ok(handle.clone());
    }
    let new = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()?;
    let handle = new.handle().clone();
    std::thread::Builder::new()
        .name("git-io".into())
        .spawn(move || new.block_on(std::future::pending::<()>()))?;
    *runtime = Some(handle.clone());
    Ok(handle)
}

/// Makes the private scheme known to libgit2.
fn register() {
    static ONCE: Once = Once::new();
    ONCE.call_once(|| {
        #[expect(
            unsafe_code,
            reason = "libgit2's registry must not be used meanwhile: every use of it is behind an \
                      Exchange, and none exists before this has returned"
        )]
        // SAFETY: see the reason above; `Once` keeps a second registration out.
        let registered = unsafe { git2::transport::register(SCHEME, transport) };
        registered.expect("a scheme is registered once, and has no NUL");
    });
}

/// The transport for an [`Exchange::url`].
fn transport(remote: &git2::Remote<'_>) -> Result<Transport, git2::Error> {
    let number = remote
        .url()
        .ok()
        .and_then(|url| url.strip_prefix("tagwright://")?.parse().ok());
    let shared = number.and_then(|number: u64| lock(&EXCHANGES).get(&number).cloned());
    let shared = shared.ok_or_else(|| git2::Error::from_str("no such exchange"))?;
    match shared.carrier {
        Carrier::Program(_) => Transport::smart(remote, false, process::Connection::new(shared)),
        Carrier::Http(_) => Transport::smart(remote, true, https::Connection::new(shared)),
    }
}

/// Locks; every change behind these locks is a single assignment, so a poisoned one is whole.
fn lock<T>(mutex: &Mutex<T>) -> std::sync::MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
mod tests;
