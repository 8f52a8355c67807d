//! Forges that live in the test: what they know is in a [`Hub`], their Git repository is a real bare one
//! on disk, and a [`Dialect`] for each kind speaks the interface that its vendor documents.
//!
//! A push to the bare repository moves the heads of pull requests, as on a real forge; people act through
//! [`Fake`]. Nothing happens by itself: what a forge would do in the background (merging by itself, noticing
//! a deleted branch) it does when it is next asked.

#![allow(
    dead_code,
    clippy::allow_attributes,
    reason = "each step is used by the scenarios that need it"
)]
#![expect(
    clippy::unwrap_used,
    reason = "helpers of tests fail by panicking, as tests do"
)]

pub mod azure;
pub mod bitbucket;
pub mod bitbucket_cloud;
pub mod gitea;
pub mod github;
pub mod gitlab;
pub mod hub;
mod serve;

use std::collections::VecDeque;
use std::path::Path;
use std::sync::{Arc, Mutex, MutexGuard};

use jiff::SignedDuration;
use serde_json::Value;
use tagwright::clock::Clock;
use tagwright::forge::{self, Credentials, Forge, Kind, Paces, Settings};
use tagwright::http::PlainHttp;
use tagwright::secret::Secret;

pub use hub::{Hub, Method, Opinion, Pull, State};

/// The token that lets us in.
pub const TOKEN: &str = "t0ken-of-the-service";

/// Our account.
pub const US: &str = "tagwright-bot";

/// The interface of one kind of forge.
pub trait Dialect: Send + Sync {
    /// The path of the interface's root below the server's, such as `/api/v4`.
    fn root(&self) -> &'static str;

    /// Whether a request is signed in with [`TOKEN`], in the way that this forge has.
    fn knows(&self, asked: &Asked) -> bool;

    /// The answer to a request that is signed in.
    fn answer(&self, asked: &Asked, hub: &mut Hub) -> Said;

    /// The documented refusal of a request without valid credentials.
    fn unauthorized(&self) -> Said;

    /// The documented refusal of what the credentials are not enough for.
    fn forbidden(&self) -> Said;

    /// The documented refusal for being asked too much, with so many seconds to wait.
    fn limited(&self, seconds: u64) -> Said;

    /// The documented answer where there is nothing.
    fn missing(&self) -> Said;
}

/// One request as it came.
#[derive(Debug, Clone)]
pub struct Asked {
    /// `GET` and so on.
    pub method: String,
    /// The path below the interface's root, unescaped by segment.
    pub path: Vec<String>,
    /// The query, unescaped.
    pub query: Vec<(String, String)>,
    /// The headers, names in lower case.
    pub headers: Vec<(String, String)>,
    /// The body as JSON; null without one.
    pub body: Value,
}

impl Asked {
    /// The value of a query parameter.
    pub fn query(&self, name: &str) -> Option<&str> {
        let found = self.query.iter().find(|(known, _)| known == name);
        found.map(|(_, value)| value.as_str())
    }

    /// The value of a header.
    pub fn header(&self, name: &str) -> Option<&str> {
        let found = self.headers.iter().find(|(known, _)| known == name);
        found.map(|(_, value)| value.as_str())
    }

    /// A text in the body.
    pub fn text(&self, name: &str) -> Option<&str> {
        self.body[name].as_str()
    }

    /// The path's segments, to match on.
    pub fn segments(&self) -> Vec<&str> {
        self.path.iter().map(String::as_str).collect()
    }

    /// Method and path, as the log has them.
    pub fn line(&self) -> String {
        format!("{} /{}", self.method, self.path.join("/"))
    }

    /// Whether it changes nothing.
    pub fn is_read(&self) -> bool {
        matches!(self.method.as_str(), "GET" | "HEAD")
    }
}

/// An answer.
#[derive(Debug, Clone)]
pub struct Said {
    /// The HTTP status.
    pub status: u16,
    /// Headers besides the type.
    pub headers: Vec<(String, String)>,
    /// The body; null for none.
    pub body: Value,
}

impl Meanwhile {
    fn is_before(&self, asked: &Asked) -> bool {
        let (method, end) = self.before.split_once(' ').unwrap();
        asked.method == method && asked.line().ends_with(end)
    }
}

impl Said {
    /// An answer with a body.
    pub fn new(status: u16, body: Value) -> Self {
        Self {
            status,
            headers: Vec::new(),
            body,
        }
    }

    /// With a header.
    pub fn with(mut self, name: &str, value: impl ToString) -> Self {
        self.headers.push((name.to_owned(), value.to_string()));
        self
    }
}

/// One page of a listing, by `page` and the parameter `size` of the query; its `Link` header names the
/// next page (RFC 8288).
pub fn paged(
    asked: &Asked,
    hub: &Hub,
    size: &str,
    items: Vec<Value>,
) -> (Vec<Value>, Option<String>) {
    let number = |name, or: usize| asked.query(name).and_then(|n| n.parse().ok()).unwrap_or(or);
    let size = number(size, 30).clamp(1, hub.largest_page);
    let page = number("page", 1).max(1);
    let is_last = items.len() <= page * size;
    let of: Vec<_> = items
        .into_iter()
        .skip((page - 1) * size)
        .take(size)
        .collect();
    let others = asked.query.iter().filter(|(name, _)| name != "page");
    let query: String = others
        .map(|(name, value)| format!("{name}={value}&"))
        .collect();
    // Servers name themselves as they are configured, which need not be how they are reached.
    let link = format!(
        "<https://forge.example/elsewhere?{query}page={}>; rel=\"next\"",
        page + 1
    );
    (of, (!is_last).then_some(link))
}

/// What goes wrong with the next request.
#[derive(Debug, Clone)]
enum Fault {
    /// It is one too many; so many seconds are to be waited.
    Limited(u64),
    /// It fails with this status, and nothing is done.
    Failed(u16),
    /// It is done, but the answer is lost.
    Lost,
    /// Nothing.
    None,
}

/// What happens just before a request, by the request's method and the end of its path.
struct Meanwhile {
    before: String,
    happens: Box<dyn FnOnce(&mut Hub) + Send>,
}

/// What the server and the test share.
struct Shared {
    dialect: Box<dyn Dialect>,
    hub: Mutex<Hub>,
    faults: Mutex<VecDeque<Fault>>,
    meanwhile: Mutex<Option<Meanwhile>>,
    log: Mutex<Vec<Asked>>,
}

/// A running forge.
pub struct Fake {
    /// Which kind it is.
    pub kind: Kind,
    /// The root of its interface.
    pub api: String,
    shared: Arc<Shared>,
    folder: tempfile::TempDir,
    _server: serve::Server,
}

impl Fake {
    /// A forge with one repository, `acme/fleet`, whose Git side is the bare repository in `bare`.
    pub fn start(kind: Kind, bare: &Path) -> Self {
        let dialect: Box<dyn Dialect> = match kind {
            Kind::GitHub => Box::new(github::GitHub),
            Kind::GitLab => Box::new(gitlab::GitLab),
            Kind::Gitea => Box::new(gitea::Gitea),
            Kind::BitbucketCloud => Box::new(bitbucket_cloud::BitbucketCloud),
            Kind::BitbucketDataCenter => Box::new(bitbucket::BitbucketDataCenter),
            Kind::AzureDevOps => Box::new(azure::AzureDevOps),
        };
        let root = dialect.root();
        let shared = Arc::new(Shared {
            dialect,
            hub: Mutex::new(Hub::new(bare)),
            faults: Mutex::default(),
            meanwhile: Mutex::default(),
            log: Mutex::default(),
        });
        let server = serve::Server::start(shared.clone());
        let folder = tempfile::tempdir().unwrap();
        std::fs::write(folder.path().join("token"), TOKEN).unwrap();
        Self {
            kind,
            api: format!("http://{}{root}", server.address),
            shared,
            folder,
            _server: server,
        }
    }

    /// How to reach it, as `US`.
    pub fn settings(&self, clock: &Clock) -> Settings {
        Settings {
            kind: self.kind,
            api: self.api.parse().unwrap(),
            repository: self.hub().repository(self.kind),
            credentials: Credentials::Token(Secret::File(self.folder.path().join("token"))),
            ca_pem: Vec::new(),
            plain: PlainHttp::LoopbackOnly,
            clock: clock.clone(),
            paces: Paces::default(),
        }
    }

    /// Opens it, as `US`.
    pub fn open(&self, clock: &Clock) -> Arc<dyn Forge> {
        forge::open(self.settings(clock)).unwrap()
    }

    /// What it knows, to be looked at and changed.
    pub fn hub(&self) -> MutexGuard<'_, Hub> {
        let mut hub = self.shared.hub.lock().unwrap();
        hub.refresh();
        hub
    }

    /// A person approves the head that a pull request has now.
    pub fn approve(&self, number: u64, by: &str) {
        self.hub().review(number, by, Opinion::Approved);
    }

    /// A person asks for changes.
    pub fn reject(&self, number: u64, by: &str) {
        self.hub().review(number, by, Opinion::Rejected);
    }

    /// A person closes a pull request.
    pub fn close(&self, number: u64, by: &str) {
        self.hub().close(number, by);
    }

    /// A person merges a pull request with a merge commit, whatever its statuses say.
    pub fn merge(&self, number: u64, by: &str) -> String {
        self.hub().merge(number, by, Method::Merge).unwrap()
    }

    /// Something other than us says of a commit: `success`, `pending` or `failure`.
    pub fn check(&self, commit: &str, name: &str, verdict: &str) {
        self.hub()
            .set_status(commit, name, verdict, "by a machine", None, "ci");
    }

    /// The next request is one too many, and so many seconds are to be waited.
    pub fn limit_next(&self, wait: SignedDuration) {
        self.fault(Fault::Limited(wait.as_secs().unsigned_abs()));
    }

    /// The next request fails with this status, without effect.
    pub fn fail_next(&self, status: u16) {
        self.fault(Fault::Failed(status));
    }

    /// The next request is carried out, but its answer is lost.
    pub fn lose_next(&self) {
        self.fault(Fault::Lost);
    }

    /// Something happens just before the next request whose method and path are `METHOD …END`, written
    /// `METHOD END`.
    pub fn before(&self, request: &str, happens: impl FnOnce(&mut Hub) + Send + 'static) {
        *self.shared.meanwhile.lock().unwrap() = Some(Meanwhile {
            before: request.to_owned(),
            happens: Box::new(happens),
        });
    }

    /// The request after as many others as this is carried out, but its answer is lost.
    pub fn lose_at(&self, others: usize) {
        for _ in 0..others {
            self.fault(Fault::None);
        }
        self.lose_next();
    }

    fn fault(&self, fault: Fault) {
        self.shared.faults.lock().unwrap().push_back(fault);
    }

    /// Every request so far.
    pub fn asked(&self) -> Vec<Asked> {
        self.shared.log.lock().unwrap().clone()
    }

    /// Method and path of every request so far.
    pub fn requests(&self) -> Vec<String> {
        self.asked().iter().map(Asked::line).collect()
    }

    /// Method and path of the requests that something else than reading was the aim of, since the last
    /// call of this kind; the log begins anew.
    pub fn writes(&self) -> Vec<String> {
        let log = std::mem::take(&mut *self.shared.log.lock().unwrap());
        let writes = log.iter().filter(|asked| !asked.is_read());
        writes.map(Asked::line).collect()
    }
}
