//! Token servers: what they are asked, and what they give.
//!
//! Invariant: credentials go only to a server that passed [`realm`]; a reply holds a token that fits
//! into a header, or is an error. What a token is good for is the server's word, or not known.
//!
//! Sources: the distribution project's "Token Authentication Specification", "Token Authentication
//! Implementation" (the claim `access`) and "Token Authentication using OAuth2".

use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use reqwest::{Method, StatusCode, Url};
use secrecy::{ExposeSecret as _, SecretString};
use serde::Deserialize;

use super::{LONGEST_LIFETIME, Server};
use crate::http::{is_internal, is_loopback};
use crate::registry::exchange::{Authorization, Content, Reply, Request, Sender};
use crate::registry::limits::MAX_TOKEN_REPLY;
use crate::registry::login::Login;
use crate::registry::{Fault, words};

/// The lifetime of a token whose reply names none (token specification, `expires_in`).
const USUAL_LIFETIME: Duration = Duration::from_secs(60);

/// A token as the server gave it.
#[derive(Debug)]
pub(in crate::registry) struct Granted {
    pub(super) value: SecretString,
    pub(super) lifetime: Duration,
    pub(super) told: Option<Told>,
}

/// What a token is good for, by its server's word.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Told(Vec<Access>);

#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
struct Access {
    #[serde(rename = "type")]
    kind: String,
    name: String,
    #[serde(default)]
    actions: Vec<String>,
}

impl Told {
    /// Whether it is good for all of `scope`, which is as it was asked for.
    pub(super) fn covers(&self, scope: &str) -> bool {
        let Some(asked) = access(scope) else {
            return false;
        };
        self.0.iter().any(|given| {
            let has = |action| given.actions.iter().any(|one| one == action || one == "*");
            given.kind == asked.kind
                && given.name == asked.name
                && asked.actions.iter().all(|action| has(action.as_str()))
        })
    }
}

/// `repository:NAME:ACTION,ACTION` (token scope grammar).
fn access(scope: &str) -> Option<Access> {
    let (kind, rest) = scope.split_once(':')?;
    // Names may hold the port of another registry, so the actions are what follows the last colon.
    let (name, actions) = rest.rsplit_once(':')?;
    Some(Access {
        kind: kind.to_owned(),
        name: name.to_owned(),
        actions: actions.split(',').map(str::to_owned).collect(),
    })
}

/// The token server at `realm`, if credentials for the registry at `origin` may be sent there: a
/// registry can name any address, so without TLS of its own it may name any, with TLS only one with
/// TLS, and never one that only this machine or its cloud can see.
pub(in crate::registry) fn realm(realm: &str, origin: &Url) -> Result<Url, &'static str> {
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

/// Asks a token server for one token for all of these scopes.
pub(in crate::registry) async fn request(
    sender: &Sender<'_>,
    server: &Server,
    scopes: &[String],
    login: &Login,
) -> Result<Granted, Fault> {
    let host = host_of(&server.realm);
    let reply = sender.send(&ask(server, scopes, login, host)).await?;
    granted_to(login, reply)
}

/// The token in a token server's reply to `login`.
pub(in crate::registry) fn granted_to(login: &Login, reply: Reply) -> Result<Granted, Fault> {
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

/// A GET with the user's password or without credentials, which repeats `scope` for each; a POST with an
/// identity token, which only the OAuth 2.0 form can carry, and which takes all in one `scope` with spaces
/// between them.
pub(super) fn ask(server: &Server, scopes: &[String], login: &Login, host: String) -> Request {
    let joined = scopes.join(" ");
    let mut fields: Vec<(&str, &str)> = match login {
        Login::IdentityToken(_) => vec![("scope", &joined)],
        _ => scopes
            .iter()
            .map(|scope| ("scope", scope.as_str()))
            .collect(),
    };
    if let Some(service) = &server.service {
        fields.push(("service", service));
    }
    let mut url = server.realm.clone();
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
    /// What was granted, with spaces between (RFC 6749 section 5.1).
    scope: Option<serde_json::Value>,
}

pub(super) fn granted(reply: &Reply) -> Result<Granted, Fault> {
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
    let scope = parsed.scope.as_ref().and_then(|scope| scope.as_str());
    Ok(Granted {
        told: claimed(&token).or_else(|| listed(scope?)),
        value: SecretString::from(token),
        lifetime,
    })
}

/// What the claims of a token say, if it is a JSON Web Token of the distribution project's kind. Nobody's
/// signature is checked: it is read only to know for what to use the token.
fn claimed(token: &str) -> Option<Told> {
    #[derive(Deserialize)]
    struct Claims {
        access: Option<Vec<Access>>,
    }
    let mut parts = token.split('.');
    let (_, claims) = (parts.next()?, parts.next()?);
    let json = URL_SAFE_NO_PAD.decode(claims.trim_end_matches('=')).ok()?;
    serde_json::from_slice::<Claims>(&json)
        .ok()?
        .access
        .map(Told)
}

/// What the field `scope` of a reply says, if it says anything of repositories.
fn listed(scope: &str) -> Option<Told> {
    let all: Vec<Access> = scope.split(' ').filter_map(access).collect();
    (!all.is_empty()).then_some(Told(all))
}
