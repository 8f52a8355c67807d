//! Amazon ECR: from AWS credentials to a registry password.
//!
//! Invariant: AWS credentials go to AWS's own services in the registry's region, or to the configured
//! endpoints; the registry sees only the password that `GetAuthorizationToken` gives for it.
//!
//! Sources: Amazon ECR API reference, `GetAuthorizationToken`; Amazon ECR Public API reference, the
//! same; AWS general reference, "Amazon ECR endpoints and quotas".

mod profile;
mod sigv4;
mod source;

pub use source::AwsSource;

use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use reqwest::{Method, Url};
use secrecy::SecretString;
use serde::Deserialize;

use super::desk::{Desk, MAX_ANSWER};
use super::{CloudError, Endpoint, Minted, Vendor};
use crate::registry::exchange::{Content, Request};
use crate::registry::login::Login;
use sigv4::Signer;

const SERVICE: &str = "Amazon ECR";

/// The longest life of a password that is believed; AWS gives 12 hours.
const LONGEST: Duration = Duration::from_secs(12 * 3600);

/// The only region of ECR Public's API that every account has.
const PUBLIC_REGION: &str = "us-east-1";

/// How passwords for Amazon ECR are had.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Default)]
pub struct Ecr {
    /// Where AWS credentials come from.
    pub source: AwsSource,
    /// The registry's region, where its host doesn't say.
    pub region: Option<String>,
    /// The ECR API, if not the region's own: a VPC endpoint.
    pub endpoint: Option<Endpoint>,
    /// The STS API, if not the region's own.
    pub sts_endpoint: Option<Endpoint>,
    /// The instance metadata service, if not at its usual address.
    pub metadata_endpoint: Option<Endpoint>,
}

/// Which ECR a registry belongs to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Place {
    pub(super) region: String,
    /// The address of its API.
    pub(super) api: Url,
    /// The address of the region's STS.
    pub(super) sts: Url,
    kind: Kind,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Kind {
    Private,
    Public,
}

/// Whether a registry's host says which region it is in.
pub fn names_region(host: &str) -> bool {
    is_public(host) || private_host(host).is_some()
}

fn is_public(host: &str) -> bool {
    matches!(host, "public.ecr.aws" | "ecr-public.aws.com")
}

/// A private registry's region and the host of its API, from its own host: `ACCOUNT.dkr.ecr.REGION`
/// below a partition's domain, or `ACCOUNT.dkr-ecr.REGION.on.aws` for IPv6.
fn private_host(host: &str) -> Option<(&str, String)> {
    let (account, rest) = host.split_once('.')?;
    if account.len() != 12 || !account.bytes().all(|byte| byte.is_ascii_digit()) {
        return None;
    }
    let forms = [
        ("dkr.ecr.", "api.ecr."),
        ("dkr.ecr-fips.", "ecr-fips."),
        ("dkr-ecr.", "ecr."),
        ("dkr-ecr-fips.", "ecr-fips."),
    ];
    let (rest, api) = forms
        .iter()
        .find_map(|(own, api)| Some((rest.strip_prefix(own)?, api)))?;
    let (region, domain) = rest.split_once('.')?;
    let domain = match domain {
        "on.aws" => "api.aws",
        "on.amazonwebservices.com.cn" => "api.amazonwebservices.com.cn",
        "amazonaws.com" | "amazonaws.com.cn" | "amazonaws.eu" => domain,
        _ => return None,
    };
    is_region(region).then(|| (region, format!("{api}{region}.{domain}")))
}

/// Whether a text can be the name of a region, such as `eu-central-1`.
pub fn is_region(text: &str) -> bool {
    let plain = |c: u8| c.is_ascii_lowercase() || c.is_ascii_digit() || c == b'-';
    (1..=32).contains(&text.len()) && text.bytes().all(plain) && !text.starts_with('-')
}

/// The domain of a region's services.
fn domain(region: &str) -> &'static str {
    if region.starts_with("cn-") {
        "amazonaws.com.cn"
    } else if region.starts_with("eusc-") {
        "amazonaws.eu"
    } else {
        "amazonaws.com"
    }
}

impl Place {
    /// The place of the registry at `host`.
    pub(super) fn of(host: &str, ecr: &Ecr) -> Result<Self, CloudError> {
        let kind = if is_public(host) {
            Kind::Public
        } else {
            Kind::Private
        };
        let named = private_host(host);
        let region = match (&ecr.region, kind, &named) {
            (Some(region), ..) => region.clone(),
            (None, Kind::Public, _) => PUBLIC_REGION.to_owned(),
            (None, Kind::Private, Some((region, _))) => (*region).to_owned(),
            (None, Kind::Private, None) => {
                return Err(CloudError::Unusable {
                    what: "the registry's host",
                    reason: "it doesn't name a region, and none is configured".to_owned(),
                });
            }
        };
        let domain = domain(&region);
        let api = match (kind, named) {
            (Kind::Public, _) => format!("api.ecr-public.{region}.{domain}"),
            (Kind::Private, Some((named, api))) if named == region => api,
            (Kind::Private, _) => format!("api.ecr.{region}.{domain}"),
        };
        Ok(Self {
            api: address(ecr.endpoint.as_ref(), &api)?,
            sts: address(ecr.sts_endpoint.as_ref(), &format!("sts.{region}.{domain}"))?,
            region,
            kind,
        })
    }
}

fn address(configured: Option<&Endpoint>, host: &str) -> Result<Url, CloudError> {
    match configured {
        Some(endpoint) => Ok(endpoint.url().clone()),
        None => Url::parse(&format!("https://{host}/")).map_err(|_| CloudError::Unusable {
            what: "the region",
            reason: "it makes no host name".to_owned(),
        }),
    }
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Authorization {
    authorization_token: String,
    /// Unix time, in seconds.
    expires_at: Option<f64>,
}

/// A private registry's answer is a list, ECR Public's a single one.
#[derive(Deserialize)]
#[serde(untagged)]
enum OneOrMore {
    One(Authorization),
    More(Vec<Authorization>),
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Answer {
    authorization_data: OneOrMore,
}

/// Asks for the password of the registry at `host`.
pub(super) async fn mint(ecr: &Ecr, host: &str, desk: &Desk<'_>) -> Result<Minted, CloudError> {
    let place = Place::of(host, ecr)?;
    let keys = source::keys(ecr, &place, desk).await?;
    let (service, target) = match place.kind {
        Kind::Private => (
            "ecr",
            "AmazonEC2ContainerRegistry_V20150921.GetAuthorizationToken",
        ),
        Kind::Public => ("ecr-public", "SpencerFrontendService.GetAuthorizationToken"),
    };
    let body = Content {
        kind: "application/x-amz-json-1.1",
        text: SecretString::from("{}"),
    };
    let signer = Signer {
        keys: &keys,
        region: &place.region,
        service,
        at: desk.now(),
    };
    let mut request = Request::new(Method::POST, place.api.clone(), SERVICE, MAX_ANSWER);
    request.headers = signer.headers(&place.api, &body, &[("x-amz-target", target)])?;
    request.body = Some(body);
    let answer: Answer = desk.json(Vendor::Aws, SERVICE, &request).await?;
    let first = match answer.authorization_data {
        OneOrMore::One(one) => Some(one),
        OneOrMore::More(more) => more.into_iter().next(),
    };
    first
        .ok_or_else(|| bad("it holds no token"))
        .and_then(|given| minted(&given, desk))
}

fn minted(given: &Authorization, desk: &Desk<'_>) -> Result<Minted, CloudError> {
    let text = STANDARD
        .decode(&given.authorization_token)
        .ok()
        .and_then(|bytes| String::from_utf8(bytes).ok());
    let pair = text.as_deref().and_then(|text| text.split_once(':'));
    let (user, password) =
        pair.ok_or_else(|| bad("its token is not the base64 of `user:password`"))?;
    // The clock's whole seconds are near enough.
    let left = given.expires_at.map(|at| {
        let now = desk.now().as_second();
        Duration::try_from_secs_f64(at - now as f64).unwrap_or_default()
    });
    let lifetime = left.unwrap_or(LONGEST).min(LONGEST);
    if lifetime.is_zero() {
        return Err(bad("it has expired already"));
    }
    Ok(Minted {
        login: Login::Basic(user.to_owned(), SecretString::from(password)),
        lifetime,
    })
}

fn bad(reason: &str) -> CloudError {
    CloudError::BadReply {
        service: SERVICE,
        reason: reason.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn place(host: &str, region: Option<&str>) -> Option<(String, String, String)> {
        let ecr = Ecr {
            region: region.map(str::to_owned),
            ..Ecr::default()
        };
        let place = Place::of(host, &ecr).ok()?;
        let host = |url: &Url| url.host_str().unwrap().to_owned();
        Some((place.region, host(&place.api), host(&place.sts)))
    }

    #[test]
    fn the_host_names_region_and_services() {
        for (host, region, wanted) in [
            (
                "123456789012.dkr.ecr.eu-west-1.amazonaws.com",
                None,
                (
                    "eu-west-1",
                    "api.ecr.eu-west-1.amazonaws.com",
                    "sts.eu-west-1.amazonaws.com",
                ),
            ),
            (
                "123456789012.dkr.ecr.cn-north-1.amazonaws.com.cn",
                None,
                (
                    "cn-north-1",
                    "api.ecr.cn-north-1.amazonaws.com.cn",
                    "sts.cn-north-1.amazonaws.com.cn",
                ),
            ),
            (
                "123456789012.dkr.ecr-fips.us-gov-west-1.amazonaws.com",
                None,
                (
                    "us-gov-west-1",
                    "ecr-fips.us-gov-west-1.amazonaws.com",
                    "sts.us-gov-west-1.amazonaws.com",
                ),
            ),
            (
                "123456789012.dkr-ecr.us-east-2.on.aws",
                None,
                (
                    "us-east-2",
                    "ecr.us-east-2.api.aws",
                    "sts.us-east-2.amazonaws.com",
                ),
            ),
            (
                "public.ecr.aws",
                None,
                (
                    "us-east-1",
                    "api.ecr-public.us-east-1.amazonaws.com",
                    "sts.us-east-1.amazonaws.com",
                ),
            ),
            (
                "images.example.com",
                Some("eu-west-1"),
                (
                    "eu-west-1",
                    "api.ecr.eu-west-1.amazonaws.com",
                    "sts.eu-west-1.amazonaws.com",
                ),
            ),
        ] {
            let (a, b, c) = wanted;
            let wanted = Some((a.to_owned(), b.to_owned(), c.to_owned()));
            assert_eq!(place(host, region), wanted, "{host}");
        }
    }

    #[test]
    fn other_hosts_name_no_region() {
        for host in [
            "images.example.com",
            "12345678901.dkr.ecr.eu-west-1.amazonaws.com",
            "123456789012.dkr.ecr.eu-west-1.amazonaws.com.evil.example",
            "123456789012.dkr.ecr.eu_west.amazonaws.com",
            "123456789012.dkr.ecr..amazonaws.com",
            "x.123456789012.dkr.ecr.eu-west-1.amazonaws.com",
            "ghcr.io",
        ] {
            assert!(!names_region(host) && place(host, None).is_none(), "{host}");
        }
    }
}
