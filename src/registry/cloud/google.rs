//! Google's registries: an access token of a service account, sent as the password of
//! `oauth2accesstoken`.
//!
//! Invariant: a key signs only claims for the token server that the key itself names; the key never
//! leaves the process.
//!
//! Sources: Artifact Registry documentation, "Set up authentication for Docker"; "Using OAuth 2.0 for
//! server to server applications"; Compute Engine documentation, "Access tokens from the metadata
//! server"; AIP-4110 (application default credentials), AIP-4117 (external accounts); RFC 7523, RFC 8693.

mod jwt;
mod key;

use std::time::Duration;

use jiff::Timestamp;
use reqwest::Method;
use reqwest::header::HeaderMap;
use secrecy::{ExposeSecret as _, SecretString};
use serde::Deserialize;

use super::desk::{self, Desk, MAX_ANSWER};
use super::{CloudError, Endpoint, Minted, Vendor};
use crate::registry::exchange::{Authorization, Content, Request};
use crate::registry::login::Login;
use crate::secret::Secret;
use key::{ExternalAccount, Key, ServiceAccount};

const METADATA: &str = "the Google metadata server";
const TOKENS: &str = "Google's token server";
const STS: &str = "Google's security token service";
const IAM: &str = "Google's IAM credentials service";

/// Where a machine, a pod or a function asks for its own token.
const METADATA_ADDRESS: &str = "http://metadata.google.internal/";
const METADATA_PATH: &str = "computeMetadata/v1/instance/service-accounts/default/token";

/// The user that Google's registries know tokens by.
const USER: &str = "oauth2accesstoken";

/// What the token is for; the account's roles bound what it may do. Google's registries need a scope
/// of the whole platform.
const SCOPE: &str = "https://www.googleapis.com/auth/cloud-platform";

/// The life of a token where its answer names none: less than the hour that Google gives.
const USUAL: Duration = Duration::from_secs(30 * 60);

/// The longest life that is believed.
const LONGEST: Duration = Duration::from_secs(12 * 3600);

/// How access tokens for Google's registries are had.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Default)]
pub struct Gcp {
    /// The JSON of a service account's key or of an external account; the file that
    /// `GOOGLE_APPLICATION_CREDENTIALS` names, else the metadata server, if none is configured.
    pub key: Option<Secret>,
    /// The metadata server, if not at its usual address.
    pub metadata_endpoint: Option<Endpoint>,
}

#[derive(Deserialize)]
struct Answer {
    access_token: String,
    /// In seconds.
    expires_in: Option<u64>,
}

impl Answer {
    fn minted(self) -> Minted {
        let life = self.expires_in.map_or(USUAL, Duration::from_secs);
        Minted {
            login: Login::Basic(USER.to_owned(), SecretString::from(self.access_token)),
            lifetime: life.min(LONGEST),
        }
    }
}

/// Asks for an access token.
pub(super) async fn mint(gcp: &Gcp, desk: &Desk<'_>) -> Result<Minted, CloudError> {
    let named = desk.environment.text("GOOGLE_APPLICATION_CREDENTIALS");
    let key = match (&gcp.key, named) {
        (Some(key), _) => key.clone(),
        (None, Some(path)) => Secret::File(path.into()),
        (None, None) => return of_machine(gcp, desk).await,
    };
    let text = desk.read("the Google credentials", &key).await?;
    match key::parse(&text)? {
        Key::ServiceAccount(account) => of_account(&account, desk).await,
        Key::ExternalAccount(account) => of_workload(&account, desk).await,
    }
}

async fn of_machine(gcp: &Gcp, desk: &Desk<'_>) -> Result<Minted, CloudError> {
    let named = desk.environment.text("GCE_METADATA_HOST");
    let endpoint = match (&gcp.metadata_endpoint, named) {
        (Some(endpoint), _) => endpoint.clone(),
        (None, Some(host)) => desk::endpoint("GCE_METADATA_HOST", &format!("http://{host}/"))?,
        (None, None) => desk::endpoint(METADATA, METADATA_ADDRESS)?,
    };
    let url = endpoint.join(METADATA_PATH);
    let mut request = Request::new(Method::GET, url, METADATA, MAX_ANSWER);
    let flavor = desk::header(METADATA, "metadata-flavor", "Google")?;
    request.headers.extend([flavor]);
    match desk
        .json::<Answer>(Vendor::Google, METADATA, &request)
        .await
    {
        Ok(answer) => Ok(answer.minted()),
        Err(CloudError::Asked { source, .. }) if source.is_silence() => Err(CloudError::NotFound {
            vendor: Vendor::Google,
            tried: format!(
                "neither `key` nor GOOGLE_APPLICATION_CREDENTIALS is set, and of the metadata server, {source}"
            ),
        }),
        Err(error) => Err(error),
    }
}

/// A token for a signed claim (RFC 7523 section 2.1).
async fn of_account(account: &ServiceAccount, desk: &Desk<'_>) -> Result<Minted, CloudError> {
    let assertion = jwt::assertion(account, SCOPE, desk.now())?;
    let body = Content::form(&[
        ("grant_type", "urn:ietf:params:oauth:grant-type:jwt-bearer"),
        ("assertion", assertion.expose_secret()),
    ]);
    let url = account.token_uri.url().clone();
    let request = Request {
        body: Some(body),
        ..Request::new(Method::POST, url, TOKENS, MAX_ANSWER)
    };
    let answer: Answer = desk.json(Vendor::Google, TOKENS, &request).await?;
    Ok(answer.minted())
}

/// A token for one of another identity provider (RFC 8693), and perhaps one of a service account for
/// that.
async fn of_workload(account: &ExternalAccount, desk: &Desk<'_>) -> Result<Minted, CloudError> {
    let text = desk.token_file("the subject token", &account.file).await?;
    let subject = account.subject(&text)?;
    let body = Content::form(&[
        (
            "grant_type",
            "urn:ietf:params:oauth:grant-type:token-exchange",
        ),
        ("audience", &account.audience),
        ("scope", SCOPE),
        (
            "requested_token_type",
            "urn:ietf:params:oauth:token-type:access_token",
        ),
        ("subject_token", subject.expose_secret()),
        ("subject_token_type", &account.subject_token_type),
    ]);
    let url = account.token_url.url().clone();
    let request = Request {
        body: Some(body),
        ..Request::new(Method::POST, url, STS, MAX_ANSWER)
    };
    let federated: Answer = desk.json(Vendor::Google, STS, &request).await?;
    match &account.impersonation {
        None => Ok(federated.minted()),
        Some(endpoint) => impersonate(endpoint, federated.access_token, desk).await,
    }
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Impersonated {
    access_token: String,
    expire_time: Timestamp,
}

/// IAM credentials API, `generateAccessToken`.
async fn impersonate(
    endpoint: &Endpoint,
    token: String,
    desk: &Desk<'_>,
) -> Result<Minted, CloudError> {
    let body = serde_json::json!({"scope": [SCOPE], "lifetime": "3600s"});
    let request = Request {
        authorization: Authorization::Bearer(SecretString::from(token)),
        headers: HeaderMap::new(),
        body: Some(Content {
            kind: "application/json",
            text: SecretString::from(body.to_string()),
        }),
        ..Request::new(Method::POST, endpoint.url().clone(), IAM, MAX_ANSWER)
    };
    let given: Impersonated = desk.json(Vendor::Google, IAM, &request).await?;
    let left = given.expire_time.duration_since(desk.now());
    let lifetime = Duration::try_from(left).unwrap_or_default().min(LONGEST);
    if lifetime.is_zero() {
        return Err(CloudError::BadReply {
            service: IAM,
            reason: "its token has expired already".to_owned(),
        });
    }
    Ok(Minted {
        login: Login::Basic(USER.to_owned(), SecretString::from(given.access_token)),
        lifetime,
    })
}
