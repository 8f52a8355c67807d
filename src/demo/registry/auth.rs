//! Who may do what: nobody asked, Basic (RFC 7617), or Bearer with the token endpoint of the
//! `distribution` project's token specification.
//!
//! Invariant: a token opens only the repositories and actions it was issued for, until it expires by
//! the clock that the caller passed in. It refuses OAuth 2.0 `POST`s: clients fall back to `GET`.

use std::collections::VecDeque;

use axum::http::request::Parts;
use axum::http::{HeaderMap, Method, header};
use axum::response::IntoResponse;
use jiff::{SignedDuration, Timestamp};
use ring::rand::SecureRandom as _;
use secrecy::{ExposeSecret as _, SecretString};
use serde_json::json;

use super::read::query;
use super::reply::{Code, Problem, Reply};
use super::target::{Kind, Target};
use super::{Shared, lock};
use crate::clock::Clock;

/// Tokens remembered; the oldest are forgotten first, and their holders fetch another.
const MAX_TOKENS: usize = 4096;

/// Scopes in one token; more in one request are ignored.
const MAX_SCOPES: usize = 100;

/// What this registry calls itself in challenges.
const SERVICE: &str = "tagwright-demo";

/// Whom a registry lets in.
#[derive(Debug, Clone, Default)]
pub enum Auth {
    /// Everybody, for everything.
    #[default]
    Open,
    /// One login, by Basic credentials on each request.
    Basic(Login),
    /// Tokens from `/token`.
    Bearer {
        /// Whose tokens allow everything.
        login: Login,
        /// Whether a token for pulling is issued to those without credentials.
        anonymous: bool,
        /// How long a token is valid.
        lifetime: SignedDuration,
        /// What tells when it has expired.
        clock: Clock,
    },
}

/// A user and a password.
#[derive(Debug, Clone)]
pub struct Login {
    user: String,
    password: SecretString,
}

impl Login {
    /// A login; the user holds no colon (RFC 7617, 2).
    pub fn new(user: &str, password: &str) -> Self {
        Self {
            user: user.to_owned(),
            password: password.into(),
        }
    }

    /// Whether `Authorization` carries this login. Test credentials need no constant-time compare.
    fn is_in(&self, headers: &HeaderMap) -> bool {
        let pair = format!("{}:{}", self.user, self.password.expose_secret());
        credentials(headers, "Basic") == Some(base64(pair.as_bytes()).as_str())
    }
}

/// The tokens issued so far.
#[derive(Debug, Default)]
pub(super) struct Tokens(VecDeque<Token>);

#[derive(Debug)]
struct Token {
    text: String,
    expires: Timestamp,
    grants: Vec<Grant>,
}

/// Leave to do something in one repository.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Grant {
    name: String,
    action: Action,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Action {
    Pull,
    Push,
}

impl Action {
    fn of(method: &Method) -> Self {
        match *method {
            Method::GET | Method::HEAD => Self::Pull,
            _ => Self::Push,
        }
    }

    fn scope(self) -> &'static str {
        match self {
            Self::Pull => "pull",
            Self::Push => "pull,push",
        }
    }
}

/// Lets a request pass, or challenges it.
pub(super) fn check(shared: &Shared, parts: &Parts, target: &Target) -> Result<(), Problem> {
    let auth = lock(&shared.faults).auth.clone();
    match auth {
        Auth::Open => Ok(()),
        Auth::Basic(login) if login.is_in(&parts.headers) => Ok(()),
        Auth::Basic(_) => Err(basic_challenge()),
        Auth::Bearer { clock, .. } => check_token(shared, parts, target, clock.now()),
    }
}

fn basic_challenge() -> Problem {
    let challenge = format!("Basic realm=\"{SERVICE}\"");
    unauthorized(challenge)
}

fn unauthorized(challenge: String) -> Problem {
    let problem = Problem::new(Code::Unauthorized, "authentication required");
    problem.header(header::WWW_AUTHENTICATE, challenge)
}

fn check_token(
    shared: &Shared,
    parts: &Parts,
    target: &Target,
    now: Timestamp,
) -> Result<(), Problem> {
    let wanted = Grant {
        name: target.name.clone(),
        action: Action::of(&parts.method),
    };
    let tokens = lock(&shared.tokens);
    let reason = match credentials(&parts.headers, "Bearer") {
        None => "",
        Some(text) => match tokens.0.iter().find(|token| token.text == text) {
            Some(token) if token.expires <= now => ",error=\"invalid_token\"",
            None => ",error=\"invalid_token\"",
            Some(_) if target.kind == Kind::Root => return Ok(()),
            Some(token) if token.grants.contains(&wanted) => return Ok(()),
            Some(_) => ",error=\"insufficient_scope\"",
        },
    };
    let scope = match &target.kind {
        Kind::Root => String::new(),
        _ => format!(
            ",scope=\"repository:{}:{}\"",
            target.name,
            wanted.action.scope()
        ),
    };
    let host = &shared.host;
    Err(unauthorized(format!(
        "Bearer realm=\"http://{host}/token\",service=\"{SERVICE}\"{scope}{reason}"
    )))
}

/// Issues a token for as much of the scopes asked for as the caller may have.
pub(super) fn token(shared: &Shared, parts: &Parts) -> Reply {
    let Auth::Bearer {
        login,
        anonymous,
        lifetime,
        clock,
    } = lock(&shared.faults).auth.clone()
    else {
        return Err(Problem::new(Code::NameUnknown, "no tokens are needed"));
    };
    if parts.method != Method::GET {
        return Err(Problem::new(Code::Unsupported, "tokens are issued to GET"));
    }
    let known = login.is_in(&parts.headers);
    let unknown = parts.headers.contains_key(header::AUTHORIZATION) || !anonymous;
    if !known && unknown {
        return Err(basic_challenge());
    }
    let now = clock.now();
    let token = Token {
        text: random()?,
        expires: now.saturating_add(lifetime).unwrap_or(Timestamp::MAX),
        grants: query(&parts.uri)
            .iter()
            .filter(|(key, _)| key == "scope")
            .flat_map(|(_, scopes)| scopes.split(' '))
            .take(MAX_SCOPES)
            .flat_map(grants)
            .filter(|grant| known || grant.action == Action::Pull)
            .collect(),
    };
    let body = json!({
        "token": token.text,
        "access_token": token.text,
        "expires_in": lifetime.as_secs(),
        "issued_at": now.to_string(),
    });
    let mut tokens = lock(&shared.tokens);
    if tokens.0.len() == MAX_TOKENS {
        tokens.0.pop_front();
    }
    tokens.0.push_back(token);
    Ok(axum::Json(body).into_response())
}

/// The grants of one scope, `repository:NAME:ACTION,…`; anything else grants nothing.
fn grants(scope: &str) -> Vec<Grant> {
    let Some((name, actions)) = scope
        .strip_prefix("repository:")
        .and_then(|rest| rest.rsplit_once(':'))
    else {
        return Vec::new();
    };
    let grant = |action| Grant {
        name: name.to_owned(),
        action,
    };
    let mut grants = Vec::new();
    for (word, action) in [("pull", Action::Pull), ("push", Action::Push)] {
        if actions.split(',').any(|each| each == word) {
            grants.push(grant(action));
        }
    }
    grants
}

fn credentials<'a>(headers: &'a HeaderMap, scheme: &str) -> Option<&'a str> {
    let value = headers.get(header::AUTHORIZATION)?.to_str().ok()?;
    let (given, rest) = value.split_once(' ')?;
    given.eq_ignore_ascii_case(scheme).then(|| rest.trim())
}

fn random() -> Result<String, Problem> {
    let mut bytes = [0u8; 24];
    ring::rand::SystemRandom::new()
        .fill(&mut bytes)
        .map_err(|_| Problem::new(Code::Unknown, "the system has no randomness"))?;
    Ok(base64(&bytes))
}

/// Base64 with padding (RFC 4648, 4).
fn base64(bytes: &[u8]) -> String {
    const ALPHABET: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    let mut text = String::with_capacity(bytes.len().div_ceil(3) * 4);
    for group in bytes.chunks(3) {
        let mut bits = [0u8; 4];
        bits[1..=group.len()].copy_from_slice(group);
        let bits = u32::from_be_bytes(bits);
        for digit in 0..4 {
            let index = (bits >> (18 - 6 * digit)) & 63;
            let kept = digit <= group.len();
            text.push(if kept {
                char::from(ALPHABET[index as usize])
            } else {
                '='
            });
        }
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn base64_matches_its_test_vectors() {
        // RFC 4648, section 10.
        for (bytes, text) in [
            ("", ""),
            ("f", "Zg=="),
            ("fo", "Zm8="),
            ("foo", "Zm9v"),
            ("foob", "Zm9vYg=="),
            ("fooba", "Zm9vYmE="),
            ("foobar", "Zm9vYmFy"),
        ] {
            assert_eq!(base64(bytes.as_bytes()), text);
        }
    }

    #[test]
    fn scopes_grant_what_they_name() {
        let names = |scope| -> Vec<(String, Action)> {
            let grants = grants(scope).into_iter();
            grants.map(|grant| (grant.name, grant.action)).collect()
        };
        let pull = ("a/b".to_owned(), Action::Pull);
        let push = ("a/b".to_owned(), Action::Push);
        assert_eq!(names("repository:a/b:push,pull"), [pull.clone(), push]);
        assert_eq!(names("repository:a/b:pull"), [pull]);
        assert!(names("repository:a/b:*").is_empty());
        assert!(names("registry:catalog:*").is_empty());
        assert!(names("repository:a/b").is_empty());
        assert!(names("").is_empty());
    }
}
