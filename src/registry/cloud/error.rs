//! Why a cloud's credentials can't be had, and what to configure.
//!
//! Invariant: an error names the source or service that failed; words of services are cleaned and
//! cut, and no secret is in it.

use std::time::Duration;

use crate::registry::Fault;
use crate::secret;

/// Whose cloud.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Vendor {
    /// Amazon Web Services.
    Aws,
    /// Google Cloud.
    Google,
    /// Microsoft Azure.
    Azure,
}

impl std::fmt::Display for Vendor {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(match self {
            Self::Aws => "AWS",
            Self::Google => "Google Cloud",
            Self::Azure => "Azure",
        })
    }
}

/// Why there are no credentials.
#[derive(Debug, thiserror::Error)]
pub enum CloudError {
    /// None of the places where credentials may be has any.
    #[error("no {vendor} credentials were found: {tried}")]
    NotFound {
        /// Whose.
        vendor: Vendor,
        /// What was looked at, and why that gave nothing.
        tried: String,
    },
    /// A file or variable with credentials can't be read.
    #[error("{what} can't be read")]
    Secret {
        /// What it holds.
        what: &'static str,
        /// Why not.
        source: secret::Error,
    },
    /// What is configured can't be used.
    #[error("{what} can't be used: {reason}")]
    Unusable {
        /// What.
        what: &'static str,
        /// Why not, without quoting a secret.
        reason: String,
    },
    /// A service can't be asked.
    #[error("{service} can't be asked")]
    Asked {
        /// The service.
        service: &'static str,
        /// Why not.
        source: Box<Fault>,
    },
    /// A service refuses.
    #[error("{service} refuses with status {status}{said}")]
    Refused {
        /// Whose.
        vendor: Vendor,
        /// The service.
        service: &'static str,
        /// The HTTP status.
        status: u16,
        /// The service's name for the error, or empty.
        code: String,
        /// Its words, with a leading `: `, or empty.
        said: String,
    },
    /// A service's answer holds no credentials.
    #[error("{service} gave no usable credentials: {reason}")]
    BadReply {
        /// The service.
        service: &'static str,
        /// What is wrong with it.
        reason: String,
    },
    /// The program is shutting down.
    #[error("reading was stopped")]
    Stopped(#[source] tokio::task::JoinError),
}

impl CloudError {
    /// What a person can do about it.
    pub fn hint(&self) -> Option<&'static str> {
        match self {
            Self::NotFound { vendor, .. } => Some(match vendor {
                Vendor::Aws => {
                    "give the pod or machine a role (IRSA, pod identity, instance profile), or configure `accessKeyId` and `secretAccessKey`, `roleArn` and `webIdentityToken`, or a `profile`"
                }
                Vendor::Google => {
                    "run with workload identity or a service account, or configure `key`"
                }
                Vendor::Azure => {
                    "run with workload identity or a managed identity, or configure `tenantId`, `clientId` and `clientSecret`"
                }
            }),
            Self::Secret { .. } => Some("check the configured file or variable"),
            Self::Unusable { .. } => Some("check what is configured under `credentials`"),
            Self::Asked { source, .. } => source.hint(),
            Self::Refused {
                vendor,
                code,
                status,
                ..
            } => refusal_hint(*vendor, code, *status),
            Self::BadReply { .. } => Some("check the configured endpoint and this machine's clock"),
            Self::Stopped(_) => None,
        }
    }

    /// Whether asking again may help without anybody doing anything.
    pub fn is_retryable(&self) -> bool {
        match self {
            Self::Asked { source, .. } => source.is_retryable(),
            Self::Refused { code, status, .. } => *status >= 500 || is_throttling(code),
            _ => false,
        }
    }

    /// How long the service wants to be left alone, if it said so.
    pub fn retry_after(&self) -> Option<Duration> {
        match self {
            Self::Asked { source, .. } => match &**source {
                Fault::RateLimited { retry_after, .. } => *retry_after,
                _ => None,
            },
            _ => None,
        }
    }
}

/// AWS's names for "too many requests", which come with status 400 (ECR API reference, "Common
/// errors"; STS query protocol).
fn is_throttling(code: &str) -> bool {
    code.starts_with("Throttling")
        || matches!(code, "TooManyRequestsException" | "RequestLimitExceeded")
}

fn refusal_hint(vendor: Vendor, code: &str, status: u16) -> Option<&'static str> {
    let denied = status == 403 || code.starts_with("AccessDenied");
    Some(match vendor {
        _ if is_throttling(code) => "it is asked again later; fewer clients with one role help",
        Vendor::Aws if code.starts_with("ExpiredToken") => {
            "the session or web identity token has expired; renew it, or use a role"
        }
        Vendor::Aws if code.contains("Signature") => {
            "check the secret access key and this machine's clock"
        }
        Vendor::Aws if matches!(code, "UnrecognizedClientException" | "InvalidClientTokenId") => {
            "check the access key id and the session token"
        }
        Vendor::Aws if code == "InvalidIdentityToken" => {
            "check that the web identity token is from an identity provider known to the account, for the audience `sts.amazonaws.com`"
        }
        Vendor::Aws if denied => {
            "allow the role `ecr:GetAuthorizationToken` (ECR Public: `ecr-public:GetAuthorizationToken` and `sts:GetServiceBearerToken`); who takes a role needs to be in its trust policy"
        }
        Vendor::Google if code == "invalid_grant" => {
            "check that the key or federated token is still valid, and this machine's clock"
        }
        Vendor::Google if denied => {
            "grant `roles/iam.workloadIdentityUser` on the service account that is impersonated"
        }
        Vendor::Azure if code == "invalid_client" => {
            "check the client secret, or the federated credential of the application"
        }
        Vendor::Azure if matches!(code, "unauthorized_client" | "invalid_request") => {
            "check `tenantId` and `clientId`"
        }
        Vendor::Azure if denied || status == 401 => {
            "give the identity the role `AcrPull` on this registry"
        }
        _ => return None,
    })
}
