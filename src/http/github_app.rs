//! Tokens of a GitHub App's installation.
//!
//! Invariant: a token is used until shortly before it ends, and had for the one repository that it is
//! for, with no more permissions than were asked for. The App's key never leaves this process; what is
//! sent is a claim that is good for minutes.
//!
//! Sources: "Generating a JSON Web Token (JWT) for a GitHub App", "Generating an installation access
//! token for a GitHub App", "Create an installation access token for an app", docs.github.com.

use std::collections::HashMap;
use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use jiff::{SignedDuration, Timestamp};
use reqwest::Url;
use ring::rand::SystemRandom;
use ring::signature::{RSA_PKCS1_SHA256, RsaKeyPair};
use rustls::pki_types::pem::PemObject as _;
use rustls::pki_types::{PrivateKeyDer, PrivatePkcs1KeyDer, PrivatePkcs8KeyDer};
use secrecy::{ExposeSecret as _, SecretString};
use serde::Deserialize;

/// How long a claim is good: GitHub takes ten minutes at most, and its clock may be ahead of ours.
const CLAIM: SignedDuration = SignedDuration::from_mins(9);

/// The claim is dated back by as much as GitHub advises, for clocks that disagree.
const DRIFT: SignedDuration = SignedDuration::from_secs(60);

/// A token is had anew when it ends sooner than this, so that none ends in the middle of a fetch; they
/// are good for an hour.
const SPARE: SignedDuration = SignedDuration::from_mins(10);

/// How long GitHub may take to answer.
const TIMEOUT: Duration = Duration::from_secs(30);

/// Most bytes of an answer; the real ones have a few hundred.
const MAX_ANSWER: usize = 64 * 1024;

/// The version of the interface that is spoken.
const VERSION: &str = "2022-11-28";

/// An App, where it is installed.
#[derive(Debug, Clone, Copy)]
pub struct Installation<'a> {
    /// The App's id or client id.
    pub app: &'a str,
    /// The installation's id.
    pub id: u64,
    /// The App's private key: RSA, PEM.
    pub key: &'a SecretString,
}

/// What a token is for.
#[derive(Debug, Clone, Copy)]
pub struct Scope<'a> {
    /// The root of GitHub's interface.
    pub api: &'a Url,
    /// The repository's name, without its owner's.
    pub repository: &'a str,
    /// What may be done: names of permissions, each with `read` or `write`.
    pub permissions: &'a [(&'a str, &'a str)],
}

/// Why there is no token.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The App's key is none.
    #[error("the GitHub App's key is not an RSA private key in PEM")]
    Key,
    /// GitHub can't be reached.
    #[error("GitHub can't be asked for a token")]
    Unreachable(#[source] reqwest::Error),
    /// GitHub gives none.
    #[error("GitHub gives the App no token (HTTP {status})")]
    Refused {
        /// The HTTP status.
        status: u16,
        /// GitHub's words, as they came: to be cleaned before they are shown.
        words: String,
    },
    /// GitHub's answer has none.
    #[error("GitHub's answer has no token")]
    Garbled,
}

/// The token that was had last, all being for one scope.
#[derive(Default)]
pub struct Tokens(Option<Token>);

struct Token {
    text: SecretString,
    ends: Timestamp,
}

#[derive(Deserialize)]
struct Answer {
    token: String,
    expires_at: Timestamp,
}

impl Tokens {
    /// The token that was had, as long as it is good for a while.
    pub fn kept(&self, now: Timestamp) -> Option<SecretString> {
        let token = self.0.as_ref();
        let good = token.filter(|token| now.duration_until(token.ends) > SPARE);
        good.map(|token| token.text.clone())
    }

    /// A new token for a scope.
    ///
    /// # Errors
    /// When the key can't be used, or GitHub can't be reached or gives no token.
    pub async fn renew(
        &mut self,
        app: Installation<'_>,
        scope: Scope<'_>,
        client: &reqwest::Client,
        now: Timestamp,
    ) -> Result<SecretString, Error> {
        let answer = ask(app, scope, client, now).await?;
        let text = SecretString::from(answer.token);
        self.0 = Some(Token {
            text: text.clone(),
            ends: answer.expires_at,
        });
        Ok(text)
    }

    /// Forgets the token, since GitHub no longer takes it.
    pub fn forget(&mut self) {
        self.0 = None;
    }
}

async fn ask(
    app: Installation<'_>,
    scope: Scope<'_>,
    client: &reqwest::Client,
    now: Timestamp,
) -> Result<Answer, Error> {
    let claim = claim(app, now).ok_or(Error::Key)?;
    let path = format!("/app/installations/{}/access_tokens", app.id);
    let mut place = scope.api.clone();
    place.set_path(&format!("{}{path}", place.path().trim_end_matches('/')));
    let permissions: HashMap<_, _> = scope.permissions.iter().copied().collect();
    let body = serde_json::json!({
        "repositories": [scope.repository],
        "permissions": permissions,
    });
    let request = client
        .post(place)
        .bearer_auth(claim.expose_secret())
        .header("accept", "application/vnd.github+json")
        .header("x-github-api-version", VERSION)
        .timeout(TIMEOUT)
        .json(&body);
    let unreachable = |error: reqwest::Error| Error::Unreachable(error.without_url());
    let mut response = request.send().await.map_err(unreachable)?;
    let status = response.status();
    let mut bytes = Vec::new();
    while let Some(chunk) = response.chunk().await.map_err(unreachable)? {
        bytes.extend_from_slice(&chunk[..chunk.len().min(MAX_ANSWER - bytes.len())]);
        if bytes.len() == MAX_ANSWER {
            break;
        }
    }
    if !status.is_success() {
        return Err(Error::Refused {
            status: status.as_u16(),
            words: message(&bytes),
        });
    }
    serde_json::from_slice(&bytes).map_err(|_| Error::Garbled)
}

/// Where GitHub's interface is for a repository: on a host of its own for github.com and its enterprises,
/// below a path elsewhere.
pub fn api(repository: &Url) -> Url {
    let mut api = repository.clone();
    match repository.host_str() {
        Some(host) if host == "github.com" || host.ends_with(".ghe.com") => {
            let host = format!("api.{host}");
            // A name with another label before it is a name.
            let _ = api.set_host(Some(&host));
            api.set_path("");
        }
        _ => api.set_path("/api/v3"),
    }
    api
}

/// What GitHub says is wrong.
fn message(answer: &[u8]) -> String {
    let json: Option<serde_json::Value> = serde_json::from_slice(answer).ok();
    let message = json.as_ref().and_then(|json| json["message"].as_str());
    message.unwrap_or_default().to_owned()
}

/// The App's signed claim to be itself (RFC 7515, RFC 7518 section 3.3); `None` if the key is none.
fn claim(app: Installation<'_>, now: Timestamp) -> Option<SecretString> {
    let key = key_pair(app.key.expose_secret())?;
    let seconds = |at: Timestamp| at.as_second();
    let claims = serde_json::json!({
        "iat": seconds(now.checked_sub(DRIFT).ok()?),
        "exp": seconds(now.checked_add(CLAIM).ok()?),
        "iss": app.app,
    });
    let header = serde_json::json!({"alg": "RS256", "typ": "JWT"});
    let part = |json: &serde_json::Value| URL_SAFE_NO_PAD.encode(json.to_string());
    let signed = format!("{}.{}", part(&header), part(&claims));
    let mut signature = vec![0; key.public().modulus_len()];
    let random = SystemRandom::new();
    key.sign(
        &RSA_PKCS1_SHA256,
        &random,
        signed.as_bytes(),
        &mut signature,
    )
    .ok()?;
    let signature = URL_SAFE_NO_PAD.encode(signature);
    Some(SecretString::from(format!("{signed}.{signature}")))
}

/// GitHub gives keys in PKCS #1; some tools keep them in PKCS #8.
fn key_pair(pem: &str) -> Option<RsaKeyPair> {
    let pem = pem.as_bytes();
    let der = PrivatePkcs1KeyDer::from_pem_slice(pem).map(PrivateKeyDer::from);
    let der = der.or_else(|_| PrivatePkcs8KeyDer::from_pem_slice(pem).map(PrivateKeyDer::from));
    match der.ok()? {
        PrivateKeyDer::Pkcs1(der) => RsaKeyPair::from_der(der.secret_pkcs1_der()).ok(),
        PrivateKeyDer::Pkcs8(der) => RsaKeyPair::from_pkcs8(der.secret_pkcs8_der()).ok(),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_interface_is_found_from_the_repository() {
        for (url, expected) in [
            (
                "https://github.com/acme/fleet.git",
                "https://api.github.com/",
            ),
            (
                "https://acme.ghe.com/acme/fleet",
                "https://api.acme.ghe.com/",
            ),
            (
                "https://git.example.com/acme/fleet",
                "https://git.example.com/api/v3",
            ),
            (
                "http://127.0.0.1:8080/acme/fleet",
                "http://127.0.0.1:8080/api/v3",
            ),
        ] {
            assert_eq!(api(&url.parse().unwrap()).as_str(), expected);
        }
    }
}
