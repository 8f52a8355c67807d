//! Bearer tokens: asked for at the token server that a registry names, and kept while they are valid.
//!
//! Invariant: a token is used only for the repository, token server and login that it was given for; at
//! most one request for the same token is under way; a refused login is an error, never silently
//! anonymous. Lifetimes are counted on the monotonic clock, so a wrong wall clock can't break them.
//!
//! Sources: the distribution project's "Token Authentication Specification" and "Token Authentication
//! using OAuth2".

use std::collections::HashMap;
use std::future::Future;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use reqwest::{Method, StatusCode, Url};
use secrecy::{ExposeSecret as _, SecretString};
use serde::Deserialize;
use tokio::time::Instant;

use super::exchange::{Authorization, Content, Reply, Request, Sender};
use super::limits::MAX_TOKEN_REPLY;
use super::login::Login;
use super::{Fault, words};
use crate::http::{is_internal, is_loopback};

/// Tokens kept before expired ones are thrown out: one per image of a large installation.
const MAX_TOKENS: usize = 16 * 1024;

/// The lifetime of a token whose reply names none (token specification, `expires_in`).
const USUAL_LIFETIME: Duration = Duration::from_secs(60);

/// The longest lifetime believed; a token that was revoked costs one refused request.
const LONGEST_LIFETIME: Duration = Duration::from_secs(12 * 3600);

/// How long before its end a token is renewed at least: a slow request must not outlive it.
const MARGIN: Duration = Duration::from_secs(5);

/// What a token is for.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub(super) struct Key {
    /// The token server.
    pub(super) realm: Url,
    /// The registry, as the token server knows it.
    pub(super) service: Option<String>,
    /// What may be done.
    pub(super) scope: String,
    /// The login's fingerprint.
    pub(super) login: [u8; 32],
}

/// A token as the server gave it.
#[derive(Debug)]
pub(super) struct Granted {
    value: SecretString,
    lifetime: Duration,
}

#[derive(Debug)]
struct Token {
    value: SecretString,
    until: Instant,
}

type Slot = Arc<tokio::sync::Mutex<Option<Token>>>;

/// The tokens at hand.
#[derive(Debug, Default)]
pub(super) struct Tokens(Mutex<HashMap<Key, Slot>>);

impl Tokens {
    /// A token for `key` that is valid at `now` and isn't `refused`, from `fetch` if none is at hand.
    pub(super) async fn get<F>(
        &self,
        key: Key,
        refused: Option<&SecretString>,
        now: Instant,
        fetch: impl FnOnce() -> F,
    ) -> Result<SecretString, Fault>
    where
        F: Future<Output = Result<Granted, Fault>>,
    {
        let slot = self.slot(key);
        let mut token = slot.lock().await;
        if let Some(token) = token.as_ref()
            && token.until > now
            && refused.is_none_or(|refused| refused.expose_secret() != token.value.expose_secret())
        {
            return Ok(token.value.clone());
        }
        *token = None;
        let granted = fetch().await?;
        *token = Some(Token {
            value: granted.value.clone(),
            until: now + useful(granted.lifetime),
        });
        Ok(granted.value)
    }

    fn slot(&self, key: Key) -> Slot {
        let mut slots = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if slots.len() >= MAX_TOKENS && !slots.contains_key(&key) {
            let now = Instant::now();
            // Those in use are locked, and stay.
            slots.retain(|_, slot| {
                slot.try_lock()
                    .map_or(true, |token| token.as_ref().is_some_and(|t| t.until > now))
            });
            if slots.len() >= MAX_TOKENS {
                slots.clear();
            }
        }
        slots.entry(key).or_default().clone()
    }
}

/// How long a token is used: its lifetime less a tenth, and less [`MARGIN`] where it is long enough.
fn useful(lifetime: Duration) -> Duration {
    let margin = MARGIN.max(lifetime / 10).min(lifetime / 2);
    lifetime.min(LONGEST_LIFETIME) - margin.min(LONGEST_LIFETIME / 10)
}

/// The token server at `realm`, if credentials for the registry at `origin` may be sent there: a
/// registry can name any address, so without TLS of its own it may name any, with TLS only one with
/// TLS, and never one that only this machine or its cloud can see.
pub(super) fn realm(realm: &str, origin: &Url) -> Result<Url, &'static str> {
    let url = Url::parse(realm).map_err(|_| "it is not a URL")?;
    let local = origin.host_str().is_some_and(is_loopback);
    match url.scheme() {
        "https" => {}
        "http" if origin.scheme() == "http" || local => {}
        "http" => return Err("it is not encrypted, but the registry is"),
        _ => return Err("it is neither http nor https"),
    }
    let host = url.host_str().ok_or("it has no host")?;
    if !url.username().is_empty() || url.password().is_some() {
        return Err("it holds credentials of its own");
    }
    if origin.host_str() != Some(host) {
        if is_loopback(host) && !local {
            return Err("it is this machine");
        }
        if is_internal(host) {
            return Err("it is a link-local or metadata address");
        }
    }
    Ok(url)
}

/// Asks the token server for a token.
pub(super) async fn request(
    sender: &Sender<'_>,
    key: &Key,
    login: &Login,
) -> Result<Granted, Fault> {
    let host = host_of(&key.realm);
    let reply = sender.send(&ask(key, login, host)).await?;
    granted_to(login, reply)
}

/// The token in a token server's reply to `login`.
pub(super) fn granted_to(login: &Login, reply: Reply) -> Result<Granted, Fault> {
    if reply.status != StatusCode::OK {
        return Err(Fault::TokenRefused {
            status: reply.status.as_u16(),
            said: reply.said(),
            host: reply.host,
            who: login.who(),
        });
    }
    granted(&reply)
}

/// A GET with the user's password or without credentials; a POST with an identity token, which only
/// the OAuth 2.0 form can carry.
fn ask(key: &Key, login: &Login, host: String) -> Request {
    let mut fields = vec![("scope", key.scope.as_str())];
    if let Some(service) = &key.service {
        fields.push(("service", service));
    }
    let mut url = key.realm.clone();
    let (method, authorization, body) = match login {
        Login::IdentityToken(token) => {
            fields.extend([
                ("grant_type", "refresh_token"),
                ("client_id", "tagwright"),
                ("refresh_token", token.expose_secret()),
            ]);
            (
                Method::POST,
                Authorization::None,
                Some(Content::form(&fields)),
            )
        }
        Login::Basic(user, password) => {
            url.query_pairs_mut().extend_pairs(fields);
            let basic = Authorization::Basic(user.clone(), password.clone());
            (Method::GET, basic, None)
        }
        // A token of the registry is nothing for its token server.
        Login::Anonymous | Login::RegistryToken(_) => {
            url.query_pairs_mut().extend_pairs(fields);
            (Method::GET, Authorization::None, None)
        }
    };
    Request {
        authorization,
        body,
        ..Request::new(method, url, host, MAX_TOKEN_REPLY)
    }
}

fn host_of(realm: &Url) -> String {
    let host = realm.host_str().unwrap_or_default();
    match realm.port() {
        Some(port) => format!("{host}:{port}"),
        None => host.to_owned(),
    }
}

#[derive(Deserialize)]
struct TokenReply {
    token: Option<String>,
    access_token: Option<String>,
    expires_in: Option<serde_json::Value>,
}

fn granted(reply: &Reply) -> Result<Granted, Fault> {
    let bad = |reason| Fault::BadToken {
        host: words::clean(&reply.host),
        reason,
    };
    let parsed: TokenReply =
        serde_json::from_slice(&reply.body).map_err(|_| bad("the reply is not a token's JSON"))?;
    let token = [parsed.token, parsed.access_token]
        .into_iter()
        .flatten()
        .find(|token| !token.is_empty())
        .ok_or_else(|| bad("the reply has neither `token` nor `access_token`"))?;
    if !token.bytes().all(|byte| byte.is_ascii_graphic()) {
        return Err(bad("it has characters that no token has"));
    }
    // Some servers write the number as text.
    let seconds = parsed.expires_in.and_then(|value| {
        value
            .as_f64()
            .or_else(|| value.as_str().and_then(|text| text.parse().ok()))
    });
    let lifetime = seconds
        .filter(|seconds| *seconds > 0.0)
        .map_or(USUAL_LIFETIME, |seconds| {
            Duration::try_from_secs_f64(seconds).unwrap_or(LONGEST_LIFETIME)
        });
    Ok(Granted {
        value: SecretString::from(token),
        lifetime,
    })
}

#[cfg(test)]
mod tests;
