//! `/api/v1/holds`: holds that callers with a token give, look at and release.
//!
//! Invariant: nothing is told or done without a token of the configuration, and tokens are compared in a time
//! that says nothing of them. A hold is in force, and kept on disk, before it is answered.
//!
//! It refuses to decide what a hold means: that is for the plan.

use std::sync::Arc;

use axum::Router;
use axum::body::to_bytes;
use axum::extract::{Path, Request, State};
use axum::http::{HeaderMap, StatusCode, header};
use axum::response::{IntoResponse, Response};
use axum::routing::{delete, get};
use jiff::Timestamp;
use ring::{hmac, rand};
use secrecy::ExposeSecret as _;
use serde::{Deserialize, Serialize};

use crate::clock::Clock;
use crate::config::Caller;
use crate::diag;
use crate::driver;
use crate::reconcile::given::{Given, Ledger, Of, Refusal, Wanted};
use crate::state;

/// Most bytes of a request: a reason and a few names.
const MAX_BODY: usize = 16 * 1024;

/// Most characters of a reason; it is a line in a file, a commit and a plan.
const MAX_REASON: usize = 1000;

/// The holds of a config repo, and its name.
pub type Named = (String, Arc<Ledger>);

/// What the API works on.
pub struct Api {
    callers: Vec<Caller>,
    /// By the names of the config repos, in the order of the configuration.
    ledgers: Vec<Named>,
    state: Arc<state::State>,
    clock: Clock,
    /// What tokens are hashed with to be compared; of this process alone.
    key: hmac::Key,
}

/// The key can't be made.
#[derive(Debug, thiserror::Error)]
#[error("the system has no random numbers")]
pub struct NoKey;

impl Api {
    /// The API for `callers` over the holds of config repos.
    ///
    /// # Errors
    /// When the system has no random numbers.
    pub fn new(
        callers: Vec<Caller>,
        ledgers: Vec<Named>,
        state: Arc<state::State>,
        clock: Clock,
    ) -> Result<Self, NoKey> {
        let key = hmac::Key::generate(hmac::HMAC_SHA256, &rand::SystemRandom::new());
        Ok(Self {
            callers,
            ledgers,
            state,
            clock,
            key: key.map_err(|_| NoKey)?,
        })
    }
}

/// What is asked for.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct Asked {
    repository: Option<String>,
    app: Option<String>,
    #[serde(default)]
    all: bool,
    stage: Option<String>,
    reason: String,
    until: Option<Timestamp>,
}

/// Holds as they are told.
#[derive(Serialize)]
struct Told {
    version: u32,
    holds: Vec<HoldView>,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct HoldView {
    id: String,
    repository: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    app: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    stage: Option<String>,
    all: bool,
    reason: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    until: Option<Timestamp>,
    by: String,
    at: Timestamp,
    durable: bool,
    #[serde(skip_serializing_if = "Option::is_none")]
    commit: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    released_by: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    waits: Option<String>,
}

/// Why something is not done.
struct Error {
    status: StatusCode,
    words: String,
}

impl Error {
    fn new(status: StatusCode, words: impl Into<String>) -> Self {
        Self {
            status,
            words: words.into(),
        }
    }
}

impl IntoResponse for Error {
    fn into_response(self) -> Response {
        #[derive(Serialize)]
        struct Wrong {
            version: u32,
            error: String,
        }
        let wrong = Wrong {
            version: 1,
            error: self.words,
        };
        let mut response = json(self.status, &wrong);
        if self.status == StatusCode::UNAUTHORIZED {
            // RFC 6750 section 3.
            let challenge = header::HeaderValue::from_static("Bearer realm=\"tagwright\"");
            let headers = response.headers_mut();
            headers.insert(header::WWW_AUTHENTICATE, challenge);
        }
        response
    }
}

fn json(status: StatusCode, content: &impl Serialize) -> Response {
    let text = serde_json::to_string(content).unwrap_or_default();
    let kind = [
        (header::CONTENT_TYPE, "application/json"),
        // What is held now may not be in a moment.
        (header::CACHE_CONTROL, "no-store"),
    ];
    (status, kind, text + "\n").into_response()
}

/// The routes.
pub fn routes(api: Arc<Api>) -> Router {
    Router::new()
        .route("/api/v1/holds", get(list).post(give))
        .route("/api/v1/holds/{id}", delete(release))
        .with_state(api)
}

async fn list(State(api): State<Arc<Api>>, headers: HeaderMap) -> Result<Response, Error> {
    api.caller(&headers).await?;
    let all = api.ledgers.iter().flat_map(|(repository, ledger)| {
        let all = ledger.all().into_iter();
        all.map(|given| HoldView::of(repository, given))
    });
    Ok(told(StatusCode::OK, all.collect()))
}

async fn give(State(api): State<Arc<Api>>, request: Request) -> Result<Response, Error> {
    let by = api.caller(request.headers()).await?;
    let body = to_bytes(request.into_body(), MAX_BODY).await;
    let body = body.map_err(|_| {
        let words = format!("the body is larger than {MAX_BODY} bytes, or broke off");
        Error::new(StatusCode::PAYLOAD_TOO_LARGE, words)
    })?;
    let asked: Asked = serde_json::from_slice(&body).map_err(|error| bad(error.to_string()))?;
    let now = api.clock.now();
    let (ledgers, wanted) = api.understand(asked, now)?;
    let mut all = Vec::new();
    let mut is_new = false;
    let mut refusal = None;
    for (repository, ledger) in ledgers {
        match ledger.give(repository, wanted.clone(), &by, now) {
            Ok((given, new)) => {
                is_new |= new;
                tracing::info!(repository, by, "held: {}", diag::visible(&given.reason));
                all.push(HoldView::of(repository, given));
                api.keep(repository, ledger).await;
            }
            Err(error) => refusal = Some(error),
        }
    }
    match refusal {
        // Of several config repos, one that has such a stage is enough.
        Some(refusal) if all.is_empty() => Err(refused(&refusal)),
        _ if is_new => Ok(told(StatusCode::CREATED, all)),
        _ => Ok(told(StatusCode::OK, all)),
    }
}

async fn release(
    State(api): State<Arc<Api>>,
    Path(id): Path<String>,
    headers: HeaderMap,
) -> Result<Response, Error> {
    let by = api.caller(&headers).await?;
    for (repository, ledger) in &api.ledgers {
        if let Some(given) = ledger.release(&id, &by) {
            tracing::info!(repository, by, "released: {}", diag::visible(&given.reason));
            api.keep(repository, ledger).await;
            return Ok(told(StatusCode::OK, vec![HoldView::of(repository, given)]));
        }
    }
    let words = "there is no hold of this id that was given here";
    Err(Error::new(StatusCode::NOT_FOUND, words))
}

fn told(status: StatusCode, holds: Vec<HoldView>) -> Response {
    json(status, &Told { version: 1, holds })
}

fn bad(words: impl Into<String>) -> Error {
    Error::new(StatusCode::BAD_REQUEST, words)
}

fn refused(refusal: &Refusal) -> Error {
    let status = match refusal {
        Refusal::Unknown(_) => StatusCode::NOT_FOUND,
        Refusal::Full => StatusCode::CONFLICT,
    };
    Error::new(status, refusal.to_string())
}

impl Api {
    /// Who asks.
    async fn caller(self: &Arc<Self>, headers: &HeaderMap) -> Result<String, Error> {
        if self.callers.is_empty() {
            let words = "holds can't be given here: no `server.tokens` are configured";
            return Err(Error::new(StatusCode::FORBIDDEN, words));
        }
        let given = headers
            .get(header::AUTHORIZATION)
            .and_then(|value| value.to_str().ok())
            .and_then(|value| value.split_once(' '))
            .filter(|(scheme, _)| scheme.eq_ignore_ascii_case("bearer"))
            .map(|(_, token)| token.trim().to_owned());
        let known = match given {
            None => None,
            Some(given) => {
                let api = Arc::clone(self);
                // Tokens are files, which may be slow.
                let known = tokio::task::spawn_blocking(move || api.name_of(given.as_bytes()));
                known.await.ok().flatten()
            }
        };
        known.ok_or_else(|| {
            let words = "a Bearer token of `server.tokens` is needed";
            Error::new(StatusCode::UNAUTHORIZED, words)
        })
    }

    /// Whose token this is; all are compared, so that the time doesn't tell which it was.
    fn name_of(&self, given: &[u8]) -> Option<String> {
        let given = hmac::sign(&self.key, given);
        let mut name = None;
        for caller in &self.callers {
            let token = match caller.token.read() {
                Ok(token) => token,
                Err(error) => {
                    tracing::warn!(caller = %caller.name, "{}", diag::chain(&error));
                    continue;
                }
            };
            let token = token.expose_secret().trim().as_bytes();
            let same = hmac::verify(&self.key, token, given.as_ref()).is_ok();
            if same && !token.is_empty() {
                name = Some(caller.name.to_string());
            }
        }
        name
    }

    /// Which config repos are asked about, and what is wanted of them.
    fn understand(&self, asked: Asked, now: Timestamp) -> Result<(Vec<&Named>, Wanted), Error> {
        let reason = asked.reason.trim();
        if reason.is_empty() || reason.chars().count() > MAX_REASON {
            return Err(bad(format!("`reason` has 1 to {MAX_REASON} characters")));
        }
        if asked.until.is_some_and(|until| until <= now) {
            return Err(bad("`until` is over already"));
        }
        let of = match (asked.all, asked.app, asked.stage) {
            (false, Some(app), Some(stage)) => Of::Stage { app, stage },
            (true, None, stage) => Of::All(stage),
            _ => return Err(bad("write `app` and `stage`, or `\"all\": true`")),
        };
        let all = self.ledgers.iter();
        let ledgers: Vec<_> = match &asked.repository {
            Some(wanted) => all.filter(|(name, _)| name == wanted).collect(),
            None => all.collect(),
        };
        let wanted = Wanted {
            of,
            reason: reason.to_owned(),
            until: asked.until,
        };
        match (&wanted.of, &ledgers[..]) {
            (_, []) => Err(Error::new(
                StatusCode::NOT_FOUND,
                "there is no such `repository`",
            )),
            (Of::Stage { .. }, [_, _, ..]) => Err(bad(
                "there are several config repos: name one as `repository`",
            )),
            _ => Ok((ledgers, wanted)),
        }
    }

    /// Keeps what is held on disk, so that a restart before it is in Git loses nothing.
    async fn keep(&self, repository: &str, ledger: &Arc<Ledger>) {
        let (state, ledger) = (Arc::clone(&self.state), Arc::clone(ledger));
        let repository = repository.to_owned();
        let keep = move || driver::keep_given(&state, &repository, &ledger);
        // It logs itself what goes wrong.
        let _ = tokio::task::spawn_blocking(keep).await;
    }
}

impl HoldView {
    fn of(repository: &str, given: Given) -> Self {
        let durable = given.is_durable();
        let (app, stage, all) = match given.of {
            Of::Stage { app, stage } => (Some(app), Some(stage), false),
            Of::All(stage) => (None, stage, true),
        };
        Self {
            id: given.id,
            repository: repository.to_owned(),
            app,
            stage,
            all,
            reason: given.reason,
            until: given.until,
            by: given.by,
            at: given.at,
            durable,
            commit: given.commit,
            released_by: given.released,
            waits: given.waits,
        }
    }
}
