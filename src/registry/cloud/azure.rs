//! Azure Container Registry: from an identity in Microsoft Entra ID (Azure AD) to the registry's own
//! refresh token, with which access tokens are had as from any other token server.
//!
//! Invariant: the identity's secret or token goes to Entra ID alone, and what Entra ID gives to the
//! registry alone, which is the one it was asked for.
//!
//! Sources: Azure/acr, "AAD OAuth" (`/oauth2/exchange`, `/oauth2/token`); Microsoft identity platform,
//! "OAuth 2.0 client credentials flow"; Azure AD workload identity, "Mutating admission webhook"
//! (variables); "How to use managed identities on a VM to acquire an access token".

use std::path::PathBuf;
use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use reqwest::{Method, Url};
use secrecy::{ExposeSecret as _, SecretString};
use serde::Deserialize;

use super::desk::{self, Desk, MAX_ANSWER};
use super::{CloudError, Endpoint, Minted, Vendor};
use crate::registry::exchange::{Content, Request};
use crate::registry::login::Login;
use crate::secret::Secret;

const ENTRA: &str = "Microsoft Entra ID";
const REGISTRY: &str = "the Azure registry's token exchange";
const METADATA: &str = "the Azure instance metadata service";

/// What the identity asks a token for.
const AUDIENCE: &str = "https://containerregistry.azure.net";

/// The address of the instance metadata service.
const METADATA_ADDRESS: &str = "http://169.254.169.254/";

/// The version of its protocol for tokens.
const METADATA_VERSION: &str = "2018-02-01";

/// The life of a refresh token that doesn't say; the registry gives three hours.
const USUAL: Duration = Duration::from_secs(3600);

/// The longest life that is believed.
const LONGEST: Duration = Duration::from_secs(12 * 3600);

/// How refresh tokens for Azure's registries are had. What is not configured is taken from the
/// variables that workload identity sets.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Default)]
pub struct Azure {
    /// The tenant, by id or domain.
    pub tenant_id: Option<String>,
    /// The application, or the managed identity.
    pub client_id: Option<String>,
    /// How it proves itself.
    pub proof: AzureProof,
    /// Entra ID's address, if not that of the registry's cloud.
    pub authority: Option<Endpoint>,
    /// The instance metadata service, if not at its usual address.
    pub metadata_endpoint: Option<Endpoint>,
}

/// How an identity proves itself.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Default)]
pub enum AzureProof {
    /// With what the platform has for it: a secret in the environment, a federated token, or being on
    /// a machine that has it.
    #[default]
    Platform,
    /// With a secret of the application.
    Secret(Secret),
    /// With a token of another identity provider that the application trusts, in a file.
    Federated(PathBuf),
}

/// What goes to Entra ID.
enum Proof {
    Secret(SecretString),
    Assertion(SecretString),
}

#[derive(Deserialize)]
struct Access {
    access_token: String,
}

#[derive(Deserialize)]
struct Refresh {
    refresh_token: String,
}

/// Asks for a refresh token of the registry at `origin`.
pub(super) async fn mint(
    azure: &Azure,
    host: &str,
    origin: &Url,
    desk: &Desk<'_>,
) -> Result<Minted, CloudError> {
    let environment = desk.environment;
    let tenant = azure.tenant_id.clone();
    let tenant = tenant.or_else(|| environment.text("AZURE_TENANT_ID"));
    let access = match proof(azure, desk).await? {
        Some(proof) => of_application(azure, host, tenant.as_deref(), &proof, desk).await?,
        None => of_machine(azure, desk).await?,
    };
    let mut fields = vec![
        ("grant_type", "access_token"),
        ("service", host),
        ("access_token", access.access_token.as_str()),
    ];
    if let Some(tenant) = &tenant {
        fields.push(("tenant", tenant));
    }
    let mut url = origin.clone();
    url.set_path("/oauth2/exchange");
    let request = Request {
        body: Some(Content::form(&fields)),
        ..Request::new(Method::POST, url, host, MAX_ANSWER)
    };
    let refresh: Refresh = desk.json(Vendor::Azure, REGISTRY, &request).await?;
    let token = refresh.refresh_token;
    Ok(Minted {
        lifetime: life(&token).unwrap_or(USUAL).min(LONGEST),
        login: Login::IdentityToken(SecretString::from(token)),
    })
}

/// What the application proves itself with; nothing for the machine's own identity.
async fn proof(azure: &Azure, desk: &Desk<'_>) -> Result<Option<Proof>, CloudError> {
    let what = "the federated token";
    let environment = desk.environment;
    Ok(match &azure.proof {
        AzureProof::Secret(secret) => {
            let secret = desk.read("the client secret", secret).await?;
            Some(Proof::Secret(secret))
        }
        AzureProof::Federated(path) => Some(Proof::Assertion(desk.token_file(what, path).await?)),
        AzureProof::Platform => {
            let file = environment.text("AZURE_FEDERATED_TOKEN_FILE");
            match (environment.secret("AZURE_CLIENT_SECRET"), file) {
                (Some(secret), _) => Some(Proof::Secret(secret)),
                (None, Some(path)) => Some(Proof::Assertion(desk.token_file(what, path).await?)),
                (None, None) => None,
            }
        }
    })
}

async fn of_application(
    azure: &Azure,
    host: &str,
    tenant: Option<&str>,
    proof: &Proof,
    desk: &Desk<'_>,
) -> Result<Access, CloudError> {
    let missing = |what: &str, variable: &str| CloudError::NotFound {
        vendor: Vendor::Azure,
        tried: format!("neither `{what}` nor {variable} is set"),
    };
    let tenant = tenant.ok_or_else(|| missing("tenantId", "AZURE_TENANT_ID"))?;
    let client = azure.client_id.clone();
    let client = client
        .or_else(|| desk.environment.text("AZURE_CLIENT_ID"))
        .ok_or_else(|| missing("clientId", "AZURE_CLIENT_ID"))?;
    let scope = format!("{AUDIENCE}/.default");
    let mut fields = vec![
        ("grant_type", "client_credentials"),
        ("client_id", client.as_str()),
        ("scope", scope.as_str()),
    ];
    match proof {
        Proof::Secret(secret) => fields.push(("client_secret", secret.expose_secret())),
        Proof::Assertion(token) => fields.extend([
            (
                "client_assertion_type",
                "urn:ietf:params:oauth:client-assertion-type:jwt-bearer",
            ),
            ("client_assertion", token.expose_secret()),
        ]),
    }
    let url = authority(azure, host, desk)?.join(&format!("{tenant}/oauth2/v2.0/token"));
    let request = Request {
        body: Some(Content::form(&fields)),
        ..Request::new(Method::POST, url, ENTRA, MAX_ANSWER)
    };
    desk.json(Vendor::Azure, ENTRA, &request).await
}

/// Entra ID as configured, as workload identity says, or that of the cloud that the registry is in.
fn authority(azure: &Azure, host: &str, desk: &Desk<'_>) -> Result<Endpoint, CloudError> {
    if let Some(authority) = &azure.authority {
        return Ok(authority.clone());
    }
    let named = desk.environment.text("AZURE_AUTHORITY_HOST");
    let usual = match host.rsplit_once('.') {
        Some((_, "cn")) => "https://login.chinacloudapi.cn/",
        Some((_, "us")) => "https://login.microsoftonline.us/",
        _ => "https://login.microsoftonline.com/",
    };
    desk::endpoint("AZURE_AUTHORITY_HOST", named.as_deref().unwrap_or(usual))
}

async fn of_machine(azure: &Azure, desk: &Desk<'_>) -> Result<Access, CloudError> {
    let endpoint = match &azure.metadata_endpoint {
        Some(endpoint) => endpoint.clone(),
        None => desk::endpoint(METADATA, METADATA_ADDRESS)?,
    };
    let mut url = endpoint.join("metadata/identity/oauth2/token");
    url.query_pairs_mut()
        .extend_pairs([("api-version", METADATA_VERSION), ("resource", AUDIENCE)]);
    let client = azure.client_id.clone();
    if let Some(client) = client.or_else(|| desk.environment.text("AZURE_CLIENT_ID")) {
        url.query_pairs_mut().append_pair("client_id", &client);
    }
    let mut request = Request::new(Method::GET, url, METADATA, MAX_ANSWER);
    let header = desk::header(METADATA, "metadata", "true")?;
    request.headers.extend([header]);
    match desk.json(Vendor::Azure, METADATA, &request).await {
        Err(CloudError::Asked { source, .. }) if source.is_silence() => Err(CloudError::NotFound {
            vendor: Vendor::Azure,
            tried: format!(
                "no client secret or federated token is configured or in the environment, and of the instance metadata service, {source}"
            ),
        }),
        answer => answer,
    }
}

/// How long a token is good from when it was made, by its own claims (RFC 7519). The registry's clock
/// is compared with itself, so it need not agree with this machine's.
fn life(token: &str) -> Option<Duration> {
    #[derive(Deserialize)]
    struct Claims {
        iat: Option<u64>,
        nbf: Option<u64>,
        exp: u64,
    }
    let payload = token.split('.').nth(1)?;
    let bytes = URL_SAFE_NO_PAD.decode(payload.trim_end_matches('=')).ok()?;
    let claims: Claims = serde_json::from_slice(&bytes).ok()?;
    let seconds = claims.exp.checked_sub(claims.iat.or(claims.nbf)?)?;
    (seconds > 0).then(|| Duration::from_secs(seconds))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn token(claims: &str) -> String {
        format!("e30.{}.c2ln", URL_SAFE_NO_PAD.encode(claims))
    }

    #[test]
    fn a_token_says_how_long_it_is_good() {
        for (claims, seconds) in [
            (r#"{"iat":100,"exp":10900,"jti":"x"}"#, Some(10800)),
            (r#"{"nbf":100,"exp":200}"#, Some(100)),
            (r#"{"exp":200}"#, None),
            (r#"{"iat":300,"exp":200}"#, None),
            (r#"{"iat":200,"exp":200}"#, None),
            ("no", None),
        ] {
            let wanted = seconds.map(Duration::from_secs);
            assert_eq!(life(&token(claims)), wanted, "{claims}");
        }
        assert_eq!(life("opaque"), None);
        assert_eq!(life(""), None);
    }
}
