//! Credentials of clouds, from what is written to what the registry client takes.
//!
//! Invariant: each is one way to be known to the cloud, and ECR's region is certain. A cloud's token
//! that would go to a host which isn't that cloud's is warned of.

use crate::config::credential::cloud::{RawAzure, RawEcr, RawGcp};
use crate::config::report::{Mistake, Report, Spot};
use crate::http::is_loopback;
use crate::registry::Credentials;
use crate::registry::cloud::aws::{self, AwsSource};
use crate::registry::cloud::azure::AzureProof;
use crate::registry::cloud::{Azure, Cloud, Ecr, Gcp};

use super::value;

/// `host` is the registry that is asked.
pub(super) fn ecr(
    mut raw: RawEcr,
    spot: Spot,
    host: &str,
    report: &mut Report<'_>,
) -> Option<Credentials> {
    let source = source(&mut raw, spot, report)?;
    let region = raw.region.take().map(|region| region.value.0);
    if region.is_none() && !aws::names_region(host) {
        let mistake = Mistake::new(format!("`{host}` doesn't name a region of AWS"));
        report.error(spot, mistake.hint("add the registry's `region`"));
        return None;
    }
    Some(cloud(Cloud::Ecr(Ecr {
        source,
        region,
        endpoint: value(&raw.endpoint),
        sts_endpoint: value(&raw.sts_endpoint),
        metadata_endpoint: value(&raw.metadata_endpoint),
    })))
}

fn source(raw: &mut RawEcr, spot: Spot, report: &mut Report<'_>) -> Option<AwsSource> {
    let key = (
        raw.access_key_id.is_written(),
        raw.secret_access_key.is_written(),
        raw.session_token.is_written(),
    );
    let role = (
        raw.role_arn.is_written(),
        raw.web_identity_token.is_written(),
    );
    if raw.profile.is_written() && key == (false, false, false) && role == (false, false) {
        return Some(AwsSource::Profile(raw.profile.take()?.value.0));
    }
    match (key, role) {
        _ if raw.profile.is_written() => several(spot, report),
        ((false, false, false), (false, false)) => Some(AwsSource::Platform),
        ((true, true, with_session), (false, false)) => Some(AwsSource::Keys {
            id: raw.access_key_id.take()?.value,
            secret: raw.secret_access_key.take()?.value,
            session: match with_session {
                true => Some(raw.session_token.take()?.value),
                false => None,
            },
        }),
        ((false, false, false), (true, true)) => Some(AwsSource::WebIdentity {
            role: raw.role_arn.take()?.value.0,
            token: raw.web_identity_token.take()?.value.path()?,
        }),
        _ => several(spot, report),
    }
}

fn several(spot: Spot, report: &mut Report<'_>) -> Option<AwsSource> {
    let hint = "write `accessKeyId` and `secretAccessKey`, or `roleArn` and `webIdentityToken`, or `profile`, or none of them for what the platform has";
    let mistake = Mistake::new("these are not one way to be known to AWS");
    report.error(spot, mistake.hint(hint));
    None
}

pub(super) fn gcp(
    mut raw: RawGcp,
    spot: Spot,
    host: &str,
    report: &mut Report<'_>,
) -> Option<Credentials> {
    let is_google =
        host == "gcr.io" || host.ends_with(".gcr.io") || host.ends_with("-docker.pkg.dev");
    warn_of_stranger(is_google, "Google", host, spot, report);
    let key = match raw.key.is_written() {
        true => Some(raw.key.take()?.value),
        false => None,
    };
    Some(cloud(Cloud::Gcp(Gcp {
        key,
        metadata_endpoint: value(&raw.metadata_endpoint),
    })))
}

pub(super) fn azure(
    mut raw: RawAzure,
    spot: Spot,
    host: &str,
    report: &mut Report<'_>,
) -> Option<Credentials> {
    let is_azure = [".azurecr.io", ".azurecr.cn", ".azurecr.us"]
        .iter()
        .any(|domain| host.ends_with(domain));
    warn_of_stranger(is_azure, "Azure", host, spot, report);
    let proof = match (
        raw.client_secret.is_written(),
        raw.federated_token.is_written(),
    ) {
        (false, false) => AzureProof::Platform,
        (true, false) => AzureProof::Secret(raw.client_secret.take()?.value),
        (false, true) => AzureProof::Federated(raw.federated_token.take()?.value.path()?),
        (true, true) => {
            let message = "an application proves itself with `clientSecret` or `federatedToken`, not with both";
            report.error(spot, Mistake::new(message));
            return None;
        }
    };
    Some(cloud(Cloud::Azure(Azure {
        tenant_id: value(&raw.tenant_id).map(|id| id.0),
        client_id: value(&raw.client_id).map(|id| id.0),
        proof,
        authority: value(&raw.authority),
        metadata_endpoint: value(&raw.metadata_endpoint),
    })))
}

fn cloud(cloud: Cloud) -> Credentials {
    Credentials::Cloud(Box::new(cloud))
}

fn warn_of_stranger(is_own: bool, cloud: &str, host: &str, spot: Spot, report: &mut Report<'_>) {
    let name = host.rsplit_once(':').map_or(host, |(name, _)| name);
    if !is_own && !is_loopback(name) {
        let message = format!("`{host}` is none of {cloud}'s registries");
        let hint = "it will be sent tokens of the cloud's; check the host";
        report.warning(spot, Mistake::new(message).hint(hint));
    }
}
