//! What can go wrong with a registry, as values that callers can act on.
//!
//! Invariant: an [`Error`] names the operation and the image; its source, a [`Fault`], says what
//! happened. Words of servers are cleaned and cut before they get here, and credentials never do.

use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use super::cloud::CloudError;
use super::pace::Rest;
use crate::image::{Digest, Image, Tag};
use crate::{diag, http, secret};

/// An operation on a registry that failed.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The tags of an image can't be listed.
    #[error("the tags of {image} can't be listed")]
    Tags {
        /// The image.
        image: Image,
        /// Why not.
        source: Box<Fault>,
    },
    /// A tag's digest can't be had.
    #[error("{image}:{tag} can't be resolved")]
    Resolve {
        /// The image.
        image: Image,
        /// The tag.
        tag: Tag,
        /// Why not.
        source: Box<Fault>,
    },
    /// What a manifest says can't be had.
    #[error("the manifest {image}@{digest} can't be read")]
    Describe {
        /// The image.
        image: Image,
        /// The manifest.
        digest: Digest,
        /// Why not.
        source: Box<Fault>,
    },
    /// No HTTP client could be made.
    #[error("the connections to registries can't be set up")]
    Client(#[source] http::Error),
}

impl Error {
    /// What happened, for an operation on an image.
    pub fn fault(&self) -> Option<&Fault> {
        match self {
            Self::Tags { source, .. }
            | Self::Resolve { source, .. }
            | Self::Describe { source, .. } => Some(source),
            Self::Client(_) => None,
        }
    }

    /// What a person can do about it.
    pub fn hint(&self) -> Option<&'static str> {
        self.fault().and_then(Fault::hint)
    }

    /// The error with its causes and its hint, in one line.
    pub fn words(&self) -> String {
        let text = diag::chain(self);
        match self.hint() {
            Some(hint) => format!("{text} ({hint})"),
            None => text,
        }
    }

    /// Whether the same request may succeed later without anybody doing anything.
    pub fn is_retryable(&self) -> bool {
        self.fault().is_some_and(Fault::is_retryable)
    }

    /// How long it would fail in the same way.
    pub fn lasts(&self) -> Lasts {
        match self.fault() {
            Some(Fault::Content { .. } | Fault::TooLarge { .. }) => Lasts::Content,
            Some(fault) if !fault.is_retryable() => Lasts::UntilMended,
            _ => Lasts::Moment,
        }
    }

    /// How long the registry wants to be left alone, if it said so.
    pub fn retry_after(&self) -> Option<Duration> {
        match self.fault() {
            Some(Fault::RateLimited { retry_after, .. }) => *retry_after,
            _ => None,
        }
    }
}

/// How long an operation would fail in the same way.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Lasts {
    /// It may succeed at any time.
    Moment,
    /// Until a person mends something: the configuration, a credential, a right.
    UntilMended,
    /// As long as what is asked for has the content that it has.
    Content,
}

/// Whom a request was made as.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum As {
    /// As nobody.
    Nobody,
    /// As the named user.
    User(String),
    /// With an identity token, which has no user name.
    IdentityToken,
    /// With a token of the registry itself, which has no user name.
    RegistryToken,
}

impl std::fmt::Display for As {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Nobody => f.write_str("anonymous access"),
            Self::User(name) => write!(f, "user `{name}`"),
            Self::IdentityToken => f.write_str("the identity token"),
            Self::RegistryToken => f.write_str("the registry token"),
        }
    }
}

/// What happened at a registry or its token server. `host` is the server that was asked; `said` is
/// what it said, cleaned and cut, with a leading `: `, or empty.
#[derive(Debug, thiserror::Error)]
pub enum Fault {
    /// No connection, or it broke before a reply.
    #[error("{host} can't be reached")]
    Unreachable {
        /// The server.
        host: String,
        /// Why not.
        source: reqwest::Error,
    },
    /// No answer in time.
    #[error("{host} didn't answer in time")]
    Timeout {
        /// The server.
        host: String,
    },
    /// It isn't to be asked now, so this request wasn't sent.
    #[error("{}", rest.words(host))]
    LeftAlone {
        /// The server.
        host: String,
        /// Why not.
        rest: Rest,
    },
    /// The server's certificate is not trusted, or TLS failed otherwise.
    #[error("no trusted TLS connection to {host}")]
    Tls {
        /// The server.
        host: String,
        /// Why not.
        source: reqwest::Error,
    },
    /// The configured certificate authorities can't be read.
    #[error("the certificate authority file {} for {host} can't be read", path.display())]
    Authorities {
        /// The server.
        host: String,
        /// The file.
        path: PathBuf,
        /// Why not.
        source: std::io::Error,
    },
    /// The configured certificate authorities can't be used.
    #[error("the certificate authority file {} for {host} can't be used", path.display())]
    BadAuthorities {
        /// The server.
        host: String,
        /// The file.
        path: PathBuf,
        /// Why not.
        source: http::Error,
    },
    /// It is an address where clouds hand out machine credentials, so it wasn't asked.
    #[error("{host} is a link-local or metadata address, which no registry has")]
    Internal {
        /// The server.
        host: String,
    },
    /// The reply ended early.
    #[error("the reply of {host} was cut off")]
    Interrupted {
        /// The server.
        host: String,
    },
    /// 401, also after signing in.
    #[error("{host} refused {who}{said}")]
    Unauthorized {
        /// The server.
        host: String,
        /// As whom.
        who: As,
        /// Its words.
        said: String,
    },
    /// 403.
    #[error("{host} denies access to {who}{said}")]
    Forbidden {
        /// The server.
        host: String,
        /// As whom.
        who: As,
        /// Its words.
        said: String,
    },
    /// 404 for the repository, which differs from a repository without tags.
    #[error("{host} doesn't know the repository{said}")]
    NotFound {
        /// The server.
        host: String,
        /// Its words.
        said: String,
    },
    /// 429, or 503 with a time to wait.
    #[error("{host} is limiting requests{said}")]
    RateLimited {
        /// The server.
        host: String,
        /// How long to wait, at most 6 hours, if it said so.
        retry_after: Option<Duration>,
        /// Its words.
        said: String,
    },
    /// 5xx.
    #[error("{host} failed with status {status}{said}")]
    Server {
        /// The server.
        host: String,
        /// The HTTP status.
        status: u16,
        /// Its words.
        said: String,
    },
    /// Another status that no registry should answer here.
    #[error("{host} answered with status {status}{said}")]
    Unexpected {
        /// The server.
        host: String,
        /// The HTTP status.
        status: u16,
        /// Its words.
        said: String,
    },
    /// The reply isn't a registry's: a web page, or not the JSON that the specification asks for.
    #[error("{host} doesn't answer like a registry: {reason}")]
    NotARegistry {
        /// The server.
        host: String,
        /// What is wrong with it.
        reason: String,
    },
    /// What has the digest that was asked for is none that can be read.
    #[error("the {what} that {host} has can't be read")]
    Content {
        /// The server.
        host: String,
        /// What it should be.
        what: &'static str,
    },
    /// More than this program is willing to read.
    #[error("{host} sent more than {limit}")]
    TooLarge {
        /// The server.
        host: String,
        /// The limit, with its unit.
        limit: String,
    },
    /// The listing can't be followed to its end.
    #[error("the listing of {host} is incomplete: {reason}")]
    IncompleteListing {
        /// The server.
        host: String,
        /// Why.
        reason: String,
    },
    /// The pages of the listing lead in a circle.
    #[error("the pages of the listing of {host} lead in a circle")]
    PageLoop {
        /// The server.
        host: String,
    },
    /// The token server refused to sign us in.
    #[error("the token server {host} refused {who} with status {status}{said}")]
    TokenRefused {
        /// The token server.
        host: String,
        /// As whom.
        who: As,
        /// The HTTP status.
        status: u16,
        /// Its words.
        said: String,
    },
    /// The token server's reply holds no usable token.
    #[error("the token server {host} gave no usable token: {reason}")]
    BadToken {
        /// The token server.
        host: String,
        /// What is wrong with it.
        reason: &'static str,
    },
    /// The registry names a token server that credentials must not be sent to.
    #[error("{host} names a token server that is not allowed, `{realm}`: {reason}")]
    Realm {
        /// The registry.
        host: String,
        /// The token server's address.
        realm: String,
        /// Why it is not allowed.
        reason: &'static str,
    },
    /// The configured credentials can't be read.
    #[error("the credentials for {host} can't be read")]
    Credentials {
        /// The registry.
        host: String,
        /// Why not.
        source: LoginError,
    },
}

impl Fault {
    /// What a person can do about it.
    pub fn hint(&self) -> Option<&'static str> {
        Some(match self {
            Self::Unreachable { .. } => {
                "check the name, the network and HTTPS_PROXY; for a registry without TLS configure plain HTTP"
            }
            Self::Tls { .. } => {
                "configure the certificate authority of the registry, or plain HTTP if it has no TLS"
            }
            Self::Authorities { .. } | Self::BadAuthorities { .. } => {
                "check the registry's `ca`: a file with certificates in PEM; it is read again each time"
            }
            Self::Unauthorized {
                who: As::Nobody, ..
            }
            | Self::TokenRefused {
                who: As::Nobody, ..
            } => "the image is private or doesn't exist; configure credentials for this registry",
            Self::Unauthorized { .. } | Self::Forbidden { .. } | Self::TokenRefused { .. } => {
                "check that the credentials are valid and may pull this image"
            }
            Self::NotFound { .. } => "check the image's name, and that the credentials may see it",
            Self::RateLimited { .. } => {
                "configure credentials, or ask less often; signed-in clients have higher limits"
            }
            Self::NotARegistry { .. } => "check that the host is a registry, not its web page",
            Self::Realm { .. } => "the registry's own configuration names the token server",
            Self::Credentials {
                source: LoginError::Cloud(error),
                ..
            } => return error.hint(),
            Self::Credentials { .. } => "check the configured file, variable or helper",
            _ => return None,
        })
    }

    /// Whether there was no answer at all, as from a server that doesn't exist.
    pub(super) fn is_silence(&self) -> bool {
        matches!(
            self,
            Self::Unreachable { .. } | Self::Timeout { .. } | Self::LeftAlone { .. }
        )
    }

    /// Whether a token server answered, and another question may have another answer: what it says of a
    /// user is said of all that they ask for.
    pub(super) fn is_about_the_question(&self) -> bool {
        match self {
            Self::TokenRefused { status, who, .. } => *status != 401 || *who == As::Nobody,
            Self::BadToken { .. } | Self::Server { .. } | Self::TooLarge { .. } => true,
            _ => false,
        }
    }

    /// Whether the same request may succeed later without anybody doing anything.
    pub fn is_retryable(&self) -> bool {
        if let Self::Credentials {
            source: LoginError::Cloud(error),
            ..
        } = self
        {
            return error.is_retryable();
        }
        matches!(
            self,
            Self::Unreachable { .. }
                | Self::Timeout { .. }
                | Self::LeftAlone { .. }
                | Self::Interrupted { .. }
                | Self::RateLimited { .. }
                | Self::Server { .. }
                | Self::IncompleteListing { .. }
        )
    }
}

/// Why configured credentials can't be read.
#[derive(Debug, thiserror::Error)]
pub enum LoginError {
    /// The password can't be read.
    #[error("the password can't be read")]
    Password(#[source] secret::Error),
    /// The Docker configuration can't be read.
    #[error("the Docker configuration {} can't be read", path.display())]
    File {
        /// The file.
        path: PathBuf,
        /// Why not.
        source: secret::Error,
    },
    /// The Docker configuration is not what Docker writes.
    #[error("the Docker configuration {} is malformed: {reason}", path.display())]
    Malformed {
        /// The file.
        path: PathBuf,
        /// What is wrong with it, without quoting it.
        reason: String,
    },
    /// A credential helper failed.
    #[error("the credential helper {helper} failed: {reason}")]
    Helper {
        /// The helper program.
        helper: String,
        /// How.
        reason: String,
    },
    /// A cloud gave no credentials.
    #[error(transparent)]
    Cloud(Arc<CloudError>),
    /// The program is shutting down.
    #[error("reading was stopped")]
    Stopped(#[source] tokio::task::JoinError),
}
