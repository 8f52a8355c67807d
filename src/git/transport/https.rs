//! A repository behind HTTP, in Git's smart protocol (`git help http-protocol`).
//!
//! Invariant: credentials go to the configured host only; an answer counts only with the content
//! type that the protocol prescribes, so no web page is ever taken for a repository.
//!
//! It refuses redirects to other hosts, and pushes that would not fit in memory.

use std::io::{self, Read, Write};
use std::sync::{Arc, Mutex};

use bytes::{Buf as _, Bytes};
use git2::transport::{Service, SmartSubtransport, SmartSubtransportStream};
use reqwest::header::{ACCEPT, CONTENT_TYPE, LOCATION, USER_AGENT};
use reqwest::{RequestBuilder, Response, StatusCode, Url};
use secrecy::{ExposeSecret as _, SecretString};

use super::{Carrier, Limits, Shared, lock, runtime};
use crate::clock::Clock;
use crate::git::{Auth, Error, GitHubApp, Remote, words};
use crate::http::github_app::{self, Installation, Scope, Tokens};
use crate::{diag, http};

/// Some servers tell Git from browsers by the start of this.
const GIT_USER_AGENT: &str = concat!("git/2.0 (tagwright/", env!("CARGO_PKG_VERSION"), ")");

/// A push is a few kilobytes; this one would hold every file of a large repository.
const MAX_REQUEST: usize = 256 * 1024 * 1024;

/// As much of an error page as is read; the reason is in its first line or nowhere.
const MAX_PAGE: usize = 4096;

/// The user of tokens, as GitHub documents it; others look at the token only.
const TOKEN_USER: &str = "x-access-token";

/// Why `auth` is of no use here.
pub(super) fn misfit(auth: &Auth) -> Option<&'static str> {
    match auth {
        Auth::None | Auth::Token(_) | Auth::GitHubApp(_) => None,
        Auth::Basic { username, .. } if username.contains(':') => {
            Some("a user name in HTTP Basic can't have a colon")
        }
        Auth::Basic { .. } => None,
        Auth::Ssh { .. } => Some("an SSH key is of no use for HTTP"),
    }
}

/// The client of a remote, kept for its open connections while the authorities stay the same.
#[derive(Default)]
pub(super) struct Clients {
    /// With the authorities that it was made with.
    client: Option<(Vec<u8>, reqwest::Client)>,
    tokens: Tokens,
}

/// A server, with what it takes to be let in.
pub(super) struct Server {
    client: reqwest::Client,
    /// The repository's URL; a redirect of the first request changes it.
    base: Mutex<Url>,
    login: Option<(String, SecretString)>,
}

impl Clients {
    pub(super) fn server(
        &mut self,
        url: &Url,
        remote: &Remote,
        name: &str,
        limits: Limits,
    ) -> Result<Server, Error> {
        let ca_pem = match &remote.ca_pem {
            Some(path) => std::fs::read(path).map_err(|source| Error::Ca {
                path: path.clone(),
                source,
            })?,
            None => Vec::new(),
        };
        let client = match &self.client {
            Some((known, client)) if *known == ca_pem => client.clone(),
            _ => {
                let options = http::Options {
                    ca_pem: ca_pem.clone(),
                    timeout: None,
                    silence: Some(limits.silence),
                    redirects: http::Redirects::SameHost,
                    reach: http::Reach::Outside,
                };
                let client = http::client(&options).map_err(|source| Error::Http {
                    remote: name.to_owned(),
                    source,
                })?;
                self.client = Some((ca_pem, client.clone()));
                client
            }
        };
        let login = match &remote.auth {
            Auth::GitHubApp(app) => {
                let token = self.token(app, url, &client, name)?;
                Some((TOKEN_USER.to_owned(), token))
            }
            other => login(other, name)?,
        };
        Ok(Server {
            client,
            base: Mutex::new(url.clone()),
            login,
        })
    }

    fn token(
        &mut self,
        app: &GitHubApp,
        url: &Url,
        client: &reqwest::Client,
        name: &str,
    ) -> Result<SecretString, Error> {
        let handle = runtime().map_err(|source| Error::Unreachable {
            remote: name.to_owned(),
            words: source.to_string(),
        })?;
        let now = Clock::system().now();
        if let Some(token) = self.tokens.kept(now) {
            return Ok(token);
        }
        let key = app.key.read().map_err(|source| Error::Secret {
            remote: name.to_owned(),
            source,
        })?;
        let app = Installation {
            app: &app.id,
            id: app.installation,
            key: &key,
        };
        let repository = url.path().rsplit('/').next().unwrap_or_default();
        let scope = Scope {
            api: &github_app::api(url),
            repository: repository.trim_end_matches(".git"),
            permissions: &[("contents", "write")],
        };
        handle
            .block_on(self.tokens.renew(app, scope, client, now))
            .map_err(|error| no_token(error, name))
    }
}

/// Why there is no token, as the failure of an exchange that it is.
fn no_token(error: github_app::Error, name: &str) -> Error {
    let remote = name.to_owned();
    match error {
        github_app::Error::Key => Error::Credentials {
            remote,
            why: "the GitHub App's key is not an RSA private key in PEM",
        },
        github_app::Error::Unreachable(error) => Error::Unreachable {
            remote,
            words: diag::chain(&error),
        },
        github_app::Error::Refused { status, words } => {
            let words = words::clean(words.as_bytes());
            let words = format!("for the GitHub App: HTTP {status}: {words}");
            match status {
                401 => Error::Auth { remote, words },
                403 | 422 => Error::Forbidden { remote, words },
                404 => Error::NotFound { remote, words },
                429 | 500.. => Error::Server { remote, words },
                _ => Error::Protocol { remote, words },
            }
        }
        github_app::Error::Garbled => Error::Protocol {
            remote,
            words: error.to_string(),
        },
    }
}

fn login(auth: &Auth, name: &str) -> Result<Option<(String, SecretString)>, Error> {
    let (user, secret) = match auth {
        Auth::None | Auth::GitHubApp(_) | Auth::Ssh { .. } => return Ok(None),
        Auth::Basic { username, password } => (username.as_str(), password),
        Auth::Token(token) => (TOKEN_USER, token),
    };
    let secret = secret.read().map_err(|source| Error::Secret {
        remote: name.to_owned(),
        source,
    })?;
    Ok(Some((user.to_owned(), secret)))
}

/// libgit2's connection; each request is one action.
pub(super) struct Connection(Arc<Shared>);

impl Connection {
    pub(super) fn new(shared: Arc<Shared>) -> Self {
        Self(shared)
    }
}

impl SmartSubtransport for Connection {
    fn action(
        &self,
        _url: &str,
        service: Service,
    ) -> Result<Box<dyn SmartSubtransportStream>, git2::Error> {
        let (service, step) = match service {
            Service::UploadPackLs => ("git-upload-pack", Step::Advertisement),
            Service::UploadPack => ("git-upload-pack", Step::Result),
            Service::ReceivePackLs => ("git-receive-pack", Step::Advertisement),
            Service::ReceivePack => ("git-receive-pack", Step::Result),
        };
        Ok(Box::new(Stream {
            shared: self.0.clone(),
            service,
            step,
            request: Vec::new(),
            response: None,
            chunk: Bytes::new(),
            received: 0,
        }))
    }

    fn close(&self) -> Result<(), git2::Error> {
        Ok(())
    }
}

/// What is asked of a service: its list of references, or to do its work.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Step {
    Advertisement,
    Result,
}

/// One request: written first, sent at the first read, then its response is read.
struct Stream {
    shared: Arc<Shared>,
    service: &'static str,
    step: Step,
    request: Vec<u8>,
    response: Option<Response>,
    chunk: Bytes,
    received: u64,
}

impl Stream {
    fn send(&mut self) -> io::Result<Response> {
        let Carrier::Http(server) = &self.shared.carrier else {
            return Err(io::Error::other("not a server"));
        };
        let request = server.request(self.service, self.step, std::mem::take(&mut self.request));
        // Wrapped, because the timers of a request need the runtime from the start.
        let sent = self.shared.wait(async { request.send().await })?;
        let response = sent.map_err(|error| self.broken(error))?;
        if !response.status().is_success() {
            return Err(self.refused(response));
        }
        self.check_type(&response)?;
        if self.step == Step::Advertisement {
            server.follow(response.url());
        }
        Ok(response)
    }

    fn check_type(&self, response: &Response) -> io::Result<()> {
        let step = match self.step {
            Step::Advertisement => "advertisement",
            Step::Result => "result",
        };
        let expected = format!("application/x-{}-{step}", self.service);
        let header = response.headers().get(CONTENT_TYPE);
        let actual = header.map_or(&b""[..], reqwest::header::HeaderValue::as_bytes);
        if actual == expected.as_bytes() {
            return Ok(());
        }
        let words = format!("the content type is `{}`", words::clean(actual));
        Err(self.shared.fail(Error::Protocol {
            remote: self.shared.remote.clone(),
            words,
        }))
    }

    /// What a status means, with the first words of a page in plain text.
    fn refused(&self, response: Response) -> io::Error {
        let status = response.status();
        let remote = self.shared.remote.clone();
        let place = redirected_to(&response);
        let words = match self.page(response) {
            page if page.is_empty() => format!("HTTP {status}"),
            page => format!("HTTP {status}: {page}"),
        };
        self.shared.fail(match status {
            StatusCode::UNAUTHORIZED => Error::Auth { remote, words },
            StatusCode::FORBIDDEN => Error::Forbidden { remote, words },
            StatusCode::NOT_FOUND | StatusCode::GONE => Error::NotFound { remote, words },
            StatusCode::PAYLOAD_TOO_LARGE => Error::TooLarge { remote, words },
            StatusCode::REQUEST_TIMEOUT | StatusCode::TOO_MANY_REQUESTS => {
                Error::Server { remote, words }
            }
            _ if status.is_server_error() => Error::Server { remote, words },
            _ if status.is_redirection() => {
                let words = format!("{words}: it has moved to {place}, which is not followed");
                Error::Protocol { remote, words }
            }
            _ => Error::Protocol { remote, words },
        })
    }

    fn page(&self, mut response: Response) -> String {
        let header = response.headers().get(CONTENT_TYPE);
        if !header.is_some_and(|kind| kind.as_bytes().starts_with(b"text/plain")) {
            return String::new();
        }
        let page = self.shared.wait(async {
            let mut page = Vec::new();
            while let Ok(Some(chunk)) = response.chunk().await {
                page.extend_from_slice(&chunk[..chunk.len().min(MAX_PAGE - page.len())]);
                if page.len() == MAX_PAGE {
                    break;
                }
            }
            page
        });
        words::clean(&page.unwrap_or_default())
    }

    /// A connection that could not be made, or broke.
    fn broken(&self, error: reqwest::Error) -> io::Error {
        let remote = self.shared.remote.clone();
        let error = error.without_url();
        let words = words::clean(diag::chain(&error).as_bytes());
        self.shared.fail(if is_about_certificate(&error) {
            Error::Certificate { remote, words }
        } else if error.is_timeout() {
            Error::Timeout { remote, words }
        } else {
            Error::Unreachable { remote, words }
        })
    }
}

impl Server {
    fn request(&self, service: &str, step: Step, body: Vec<u8>) -> RequestBuilder {
        let mut url = lock(&self.base).clone();
        let base = url.path().to_owned();
        let request = match step {
            Step::Advertisement => {
                url.set_path(&format!("{base}/info/refs"));
                url.set_query(Some(&format!("service={service}")));
                self.client.get(url)
            }
            Step::Result => {
                url.set_path(&format!("{base}/{service}"));
                self.client
                    .post(url)
                    .header(CONTENT_TYPE, format!("application/x-{service}-request"))
                    .header(ACCEPT, format!("application/x-{service}-result"))
                    .body(body)
            }
        };
        let request = request.header(USER_AGENT, GIT_USER_AGENT);
        match &self.login {
            Some((user, secret)) => request.basic_auth(user, Some(secret.expose_secret())),
            None => request,
        }
    }

    /// Sends the next requests where the first one was redirected, on the same host.
    fn follow(&self, answered: &Url) {
        if let Some(path) = answered.path().strip_suffix("/info/refs") {
            let mut base = answered.clone();
            base.set_path(path);
            base.set_query(None);
            *lock(&self.base) = base;
        }
    }
}

impl Read for Stream {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let mut response = match self.response.take() {
            Some(response) => response,
            None => self.send()?,
        };
        while self.chunk.is_empty() {
            let chunk = self.shared.wait(response.chunk())?;
            let Some(chunk) = chunk.map_err(|error| self.broken(error))? else {
                break;
            };
            self.chunk = chunk;
        }
        self.response = Some(response);
        let read = buffer.len().min(self.chunk.len());
        self.chunk.copy_to_slice(&mut buffer[..read]);
        self.received += read as u64;
        let asked = self.step == Step::Result;
        self.shared.check_size(self.received, asked)?;
        Ok(read)
    }
}

impl Write for Stream {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        if self.request.len() + bytes.len() > MAX_REQUEST {
            let words = format!("it is over {MAX_REQUEST} bytes");
            let remote = self.shared.remote.clone();
            return Err(self.shared.fail(Error::TooLarge { remote, words }));
        }
        self.request.extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

/// Where a response sends us, without its query, which may hold a ticket.
fn redirected_to(response: &Response) -> String {
    let header = response.headers().get(LOCATION);
    let place = header.map_or(&b""[..], reqwest::header::HeaderValue::as_bytes);
    let end = place
        .iter()
        .position(|&byte| byte == b'?')
        .unwrap_or(place.len());
    words::clean(&place[..end])
}

/// Whether rustls did not accept the server's certificate.
fn is_about_certificate(error: &(dyn std::error::Error + 'static)) -> bool {
    let mut cause = Some(error);
    while let Some(error) = cause {
        // An I/O error names its inner error's cause as its own, and so hides the inner one.
        let inner = error
            .downcast_ref::<io::Error>()
            .and_then(io::Error::get_ref);
        if inner.is_some_and(|inner| is_about_certificate(inner)) {
            return true;
        }
        if matches!(
            error.downcast_ref(),
            Some(rustls::Error::InvalidCertificate(_))
        ) {
            return true;
        }
        cause = error.source();
    }
    false
}
