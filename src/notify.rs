//! What others are told after a push, so that a deployment starts at once.
//!
//! Invariant: telling never fails a pass, and says nothing that the receiver could not read in Git: one
//! that is lost costs the time until the receiver looks by itself. What is sent is signed with a secret
//! that is read at each use and never sent.
//!
//! It refuses to follow redirects, and to print a receiver's path, which may be its secret.

mod body;

use std::collections::BTreeSet;
use std::time::Duration;

use reqwest::Url;
use ring::hmac;
use secrecy::ExposeSecret as _;

use crate::diag;
use crate::http;
use crate::secret::{self, Secret};

/// How long one receiver may take to answer once.
const TIMEOUT: Duration = Duration::from_secs(10);

/// How often one receiver is told the same after failures.
const RETRIES: usize = 2;

/// The pause before the first retry; the second is longer.
const PAUSE: Duration = Duration::from_secs(1);

/// Who is told.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Nudge {
    /// What it understands.
    pub kind: Kind,
    /// Where it listens.
    pub url: Url,
    /// What the body is signed with.
    pub secret: Option<Secret>,
}

/// What a receiver understands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// A Flux `Receiver` of type `generic-hmac` ("Receivers", fluxcd.io): any body, its HMAC-SHA-256 in
    /// `X-Signature`.
    Flux,
    /// Argo CD's `/api/webhook` ("Git Webhook Configuration", argo-cd.readthedocs.io), which takes the
    /// push event of GitHub, signed as GitHub signs it.
    ArgoCd,
    /// Anything else: a small object, signed as for Flux.
    Any,
}

/// A push that landed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Pushed {
    /// The config repo's address, without credentials.
    pub repository: String,
    /// The branch.
    pub branch: String,
    /// The commit that it was at.
    pub before: String,
    /// The commit that it is at.
    pub after: String,
    /// The files that changed.
    pub files: BTreeSet<String>,
}

impl Pushed {
    /// This push and a later one as one.
    #[must_use]
    pub fn and(mut self, later: Self) -> Self {
        self.files.extend(later.files);
        Self {
            before: self.before,
            files: self.files,
            ..later
        }
    }
}

/// Why a receiver was not told.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The secret can't be read.
    #[error("the secret for {host} can't be read")]
    Secret {
        /// The receiver's host.
        host: String,
        /// Why not.
        source: secret::Error,
    },
    /// No HTTP client can be made.
    #[error("no HTTP client can be made")]
    Client(#[from] http::Error),
    /// It can't be reached.
    #[error("{host} can't be reached: {words}")]
    Unreachable {
        /// The receiver's host.
        host: String,
        /// Why not.
        words: String,
    },
    /// It did not take the nudge.
    #[error("{host} answered HTTP {status}")]
    Refused {
        /// The receiver's host.
        host: String,
        /// Its answer.
        status: u16,
    },
}

impl Error {
    /// Whether the same may succeed in a moment.
    pub fn is_retryable(&self) -> bool {
        match self {
            Self::Unreachable { .. } => true,
            Self::Refused { status, .. } => *status >= 500 || *status == 429,
            Self::Secret { .. } | Self::Client(_) => false,
        }
    }
}

/// Tells every receiver of a push; what fails is logged, and nothing more. Takes up to half a minute for
/// receivers that don't answer, all at once.
pub async fn tell(nudges: &[Nudge], pushed: &Pushed) {
    let all = nudges.iter().map(|nudge| {
        let (nudge, pushed) = (nudge.clone(), pushed.clone());
        async move {
            if let Err(error) = nudge.tell(&pushed).await {
                let words = diag::chain(&error);
                tracing::warn!("a receiver was not told of the push: {words}");
            }
        }
    });
    all.collect::<tokio::task::JoinSet<()>>().join_all().await;
}

impl Nudge {
    /// Tells this receiver, with retries.
    ///
    /// # Errors
    /// When it can't be told.
    pub async fn tell(&self, pushed: &Pushed) -> Result<(), Error> {
        use backon::Retryable as _;
        let pauses = backon::ExponentialBuilder::new()
            .with_jitter()
            .with_min_delay(PAUSE)
            .with_max_times(RETRIES);
        (|| self.send(pushed))
            .retry(pauses)
            .when(Error::is_retryable)
            .await
    }

    async fn send(&self, pushed: &Pushed) -> Result<(), Error> {
        let client = http::client(&http::Options {
            timeout: Some(TIMEOUT),
            redirects: http::Redirects::SameHost,
            ..http::Options::default()
        })?;
        let body = match self.kind {
            Kind::ArgoCd => body::github_push(pushed),
            Kind::Flux | Kind::Any => body::plain(pushed),
        };
        let request = client
            .post(self.url.clone())
            .header("content-type", "application/json");
        let request = match self.kind {
            Kind::ArgoCd => request.header("x-github-event", "push"),
            Kind::Flux | Kind::Any => request,
        };
        let request = match &self.secret {
            Some(secret) => request.header(self.kind.header(), self.signature(secret, &body)?),
            None => request,
        };
        let answer = request.body(body).send().await;
        let answer = answer.map_err(|error| Error::Unreachable {
            host: self.host(),
            words: diag::chain(&error.without_url()),
        })?;
        let status = answer.status();
        if status.is_success() {
            return Ok(());
        }
        Err(Error::Refused {
            host: self.host(),
            status: status.as_u16(),
        })
    }

    fn signature(&self, secret: &Secret, body: &str) -> Result<String, Error> {
        let secret = secret.read().map_err(|source| Error::Secret {
            host: self.host(),
            source,
        })?;
        let key = hmac::Key::new(hmac::HMAC_SHA256, secret.expose_secret().as_bytes());
        let tag = hmac::sign(&key, body.as_bytes());
        let hex: String = tag
            .as_ref()
            .iter()
            .map(|byte| format!("{byte:02x}"))
            .collect();
        Ok(format!("sha256={hex}"))
    }

    fn host(&self) -> String {
        self.url.host_str().unwrap_or_default().to_owned()
    }
}

impl Kind {
    /// The header that carries the signature.
    fn header(self) -> &'static str {
        match self {
            Self::ArgoCd => "x-hub-signature-256",
            Self::Flux | Self::Any => "x-signature",
        }
    }
}
