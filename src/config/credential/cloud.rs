//! What clouds need to give credentials for their registries, as written in the service file.
//!
//! Invariant: as everywhere, secrets are named by file or variable; the addresses of services are
//! encrypted or not far.

use schemars::{Schema, SchemaGenerator, json_schema};

use super::{Guard, RawFile};
use crate::config::read::{Read, Reader, Scalar, mirror, shorten};
use crate::config::report::Mistake;
use crate::config::tree::Node;
use crate::registry::cloud::{Endpoint, aws};
use crate::secret::Secret;

mirror! {
    /// How passwords for Amazon ECR are had: with an access key, with a role and a web identity, with a
    /// profile of AWS's shared files, or with what the platform has.
    RawEcr requires [] {
        /// The region, if the registry's host doesn't name it.
        region = "region": Region,
        /// The id of an access key.
        access_key_id = "accessKeyId": Secret,
        /// The secret of an access key.
        secret_access_key = "secretAccessKey": Secret,
        /// The session token that comes with a temporary access key.
        session_token = "sessionToken": Secret,
        /// The ARN of the role to take with the web identity.
        role_arn = "roleArn": RoleArn,
        /// The file with the web identity's token.
        web_identity_token = "webIdentityToken": RawFile,
        /// The profile of `~/.aws/config` and `~/.aws/credentials`.
        profile = "profile": ProfileName,
        /// The address of the ECR API, such as a VPC endpoint's.
        endpoint = "endpoint": Endpoint,
        /// The address of the STS API.
        sts_endpoint = "stsEndpoint": Endpoint,
        /// The address of the instance metadata service.
        metadata_endpoint = "metadataEndpoint": Endpoint,
    }
}

impl Guard for RawEcr {
    const SHOWN: &'static [&'static str] = &[
        "region",
        "roleArn",
        "profile",
        "endpoint",
        "stsEndpoint",
        "metadataEndpoint",
    ];
}

mirror! {
    /// How access tokens for Google's registries are had: with a credentials file, or with what the
    /// platform has.
    RawGcp requires [] {
        /// The JSON of a service account's key or of an external account (workload identity
        /// federation).
        key = "key": Secret,
        /// The address of the metadata server.
        metadata_endpoint = "metadataEndpoint": Endpoint,
    }
}

impl Guard for RawGcp {
    const SHOWN: &'static [&'static str] = &["metadataEndpoint"];
}

mirror! {
    /// How tokens for Azure's registries are had: with a client secret, with a federated token, or
    /// with what the platform has.
    RawAzure requires [] {
        /// The tenant.
        tenant_id = "tenantId": Identifier,
        /// The application, or the managed identity.
        client_id = "clientId": Identifier,
        /// A secret of the application.
        client_secret = "clientSecret": Secret,
        /// The file with a token that the application trusts.
        federated_token = "federatedToken": RawFile,
        /// The address of Microsoft Entra ID.
        authority = "authority": Endpoint,
        /// The address of the instance metadata service.
        metadata_endpoint = "metadataEndpoint": Endpoint,
    }
}

impl Guard for RawAzure {
    const SHOWN: &'static [&'static str] =
        &["tenantId", "clientId", "authority", "metadataEndpoint"];
}

/// A region of AWS.
#[derive(Debug, Clone)]
pub struct Region(pub String);

impl Scalar for Region {
    fn parse(text: &str) -> Result<Self, Mistake> {
        if aws::is_region(text) {
            return Ok(Self(text.to_owned()));
        }
        Err(
            Mistake::new(format!("`{}` is not a region of AWS", shorten(text)))
                .hint("write it as in `eu-central-1`"),
        )
    }

    fn schema() -> Schema {
        json_schema!({"type": "string", "pattern": "^[a-z0-9][a-z0-9-]*$"})
    }
}

/// The name of a profile in AWS's shared files.
#[derive(Debug, Clone)]
pub struct ProfileName(pub String);

impl Scalar for ProfileName {
    fn parse(text: &str) -> Result<Self, Mistake> {
        let plain = |c: char| !c.is_control() && !matches!(c, '[' | ']');
        if !text.is_empty() && text.trim() == text && text.chars().all(plain) {
            return Ok(Self(text.to_owned()));
        }
        Err(
            Mistake::new(format!("`{}` is no profile's name", shorten(text)))
                .hint("write it as in the brackets of `~/.aws/credentials`"),
        )
    }

    fn schema() -> Schema {
        json_schema!({"type": "string", "minLength": 1})
    }
}

/// The ARN of a role.
#[derive(Debug, Clone)]
pub struct RoleArn(pub String);

impl Scalar for RoleArn {
    /// IAM user guide, "IAM ARNs".
    fn parse(text: &str) -> Result<Self, Mistake> {
        let parts: Vec<&str> = text.splitn(6, ':').collect();
        let plain = text.bytes().all(|byte| byte.is_ascii_graphic());
        match parts[..] {
            ["arn", _, "iam", "", account, name]
                if plain
                    && account.len() == 12
                    && account.bytes().all(|byte| byte.is_ascii_digit())
                    && name.starts_with("role/") =>
            {
                Ok(Self(text.to_owned()))
            }
            _ => Err(
                Mistake::new(format!("`{}` is not the ARN of a role", shorten(text)))
                    .hint("write it as in `arn:aws:iam::123456789012:role/tagwright`"),
            ),
        }
    }

    fn schema() -> Schema {
        json_schema!({"type": "string", "pattern": "^arn:[a-z-]+:iam::[0-9]{12}:role/"})
    }
}

/// The id of a tenant or application: a UUID, or a tenant's domain.
#[derive(Debug, Clone)]
pub struct Identifier(pub String);

impl Scalar for Identifier {
    fn parse(text: &str) -> Result<Self, Mistake> {
        let plain = |c: u8| c.is_ascii_alphanumeric() || matches!(c, b'-' | b'.');
        if !text.is_empty() && text.bytes().all(plain) && !text.contains("..") {
            return Ok(Self(text.to_owned()));
        }
        Err(Mistake::new("this is not an id")
            .hint("write the UUID that Azure shows, or for a tenant its domain"))
    }

    fn schema() -> Schema {
        json_schema!({"type": "string", "pattern": "^[A-Za-z0-9.-]+$"})
    }
}

impl Read for Endpoint {
    fn read(node: &Node, reader: &mut Reader<'_, '_>) -> Option<Self> {
        let text = reader.text(node)?;
        let reason = match text.parse() {
            Ok(endpoint) => return Some(endpoint),
            Err(reason) => reason,
        };
        // A password stands before an `@`, a token behind a `?` or `#`.
        if text.contains(['@', '?', '#']) {
            reader.hide(node.at);
        }
        let mistake = Mistake::new(format!("this address can't be used: {reason}"));
        let hint = "write `https://HOST`; `http://` only for loopback and metadata addresses";
        reader.error(node.at, mistake.hint(hint));
        None
    }

    fn schema(_generator: &mut SchemaGenerator) -> Schema {
        json_schema!({"type": "string", "pattern": "^https?://"})
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values_are_checked() {
        for (text, valid) in [
            ("arn:aws:iam::123456789012:role/a/b", true),
            ("arn:aws-cn:iam::123456789012:role/a", true),
            ("arn:aws:iam::123456789012:user/a", false),
            ("arn:aws:iam::12345:role/a", false),
            ("arn:aws:iam::123456789012:role/a b", false),
            ("role", false),
        ] {
            assert_eq!(RoleArn::parse(text).is_ok(), valid, "{text}");
        }
        for (text, valid) in [
            ("team-a", true),
            ("my profile", true),
            ("", false),
            ("[a]", false),
        ] {
            assert_eq!(ProfileName::parse(text).is_ok(), valid, "{text}");
        }
        for (text, valid) in [
            ("5d0a3c3c-8e2e-4f3a-9f0e-3f1d0f0c2a11", true),
            ("acme.onmicrosoft.com", true),
            ("a/b", false),
            ("../x", false),
            ("", false),
        ] {
            assert_eq!(Identifier::parse(text).is_ok(), valid, "{text}");
        }
    }
}
