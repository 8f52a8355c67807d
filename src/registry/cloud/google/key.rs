//! Google's credential files: keys of service accounts, and external accounts.
//!
//! Invariant: pure. What the file says of addresses is checked, and what kinds of files are not
//! understood is said by name.
//!
//! Sources: AIP-4112 (service account keys), AIP-4117 (external accounts).

use std::path::PathBuf;

use secrecy::{ExposeSecret as _, SecretString};
use serde::Deserialize;

use crate::registry::cloud::{CloudError, Endpoint};
use crate::registry::words;

const WHAT: &str = "the Google credentials file";

/// The token server of keys that name none.
const TOKEN_URI: &str = "https://oauth2.googleapis.com/token";

/// What a credentials file holds.
#[derive(Debug)]
pub(super) enum Key {
    ServiceAccount(ServiceAccount),
    ExternalAccount(ExternalAccount),
}

/// A service account's key.
#[derive(Debug)]
pub(super) struct ServiceAccount {
    pub(super) email: String,
    pub(super) key_id: Option<String>,
    /// PKCS #8, PEM.
    pub(super) private_key: SecretString,
    pub(super) token_uri: Endpoint,
}

/// An account of another identity provider.
#[derive(Debug)]
pub(super) struct ExternalAccount {
    pub(super) audience: String,
    pub(super) subject_token_type: String,
    pub(super) token_url: Endpoint,
    /// Where a service account's token is had for the federated one.
    pub(super) impersonation: Option<Endpoint>,
    /// The file with the other provider's token.
    pub(super) file: PathBuf,
    /// The field of that file's JSON, if it is not the token itself.
    field: Option<String>,
}

impl ExternalAccount {
    /// The token in the file's text.
    pub(super) fn subject(&self, text: &SecretString) -> Result<SecretString, CloudError> {
        let Some(field) = &self.field else {
            return Ok(text.clone());
        };
        let json: Option<serde_json::Value> = serde_json::from_str(text.expose_secret()).ok();
        let token = json.as_ref().and_then(|json| json.get(field)?.as_str());
        token
            .map(SecretString::from)
            .ok_or_else(|| CloudError::Unusable {
                what: "the subject token",
                reason: format!("the file is not JSON with a text `{}`", words::clean(field)),
            })
    }
}

#[derive(Deserialize)]
struct File {
    r#type: Option<String>,
    client_email: Option<String>,
    private_key_id: Option<String>,
    private_key: Option<String>,
    token_uri: Option<String>,
    audience: Option<String>,
    subject_token_type: Option<String>,
    token_url: Option<String>,
    service_account_impersonation_url: Option<String>,
    credential_source: Option<Source>,
}

#[derive(Deserialize)]
struct Source {
    file: Option<PathBuf>,
    format: Option<Format>,
}

#[derive(Deserialize)]
struct Format {
    r#type: Option<String>,
    subject_token_field_name: Option<String>,
}

/// Reads a credentials file.
///
/// # Errors
/// What is wrong with it, without quoting a secret.
pub(super) fn parse(text: &SecretString) -> Result<Key, CloudError> {
    let file: File = serde_json::from_str(text.expose_secret()).map_err(|error| {
        let (line, column) = (error.line(), error.column());
        unusable(format!(
            "it is not such a file at line {line}, column {column}"
        ))
    })?;
    match file.r#type.as_deref() {
        Some("service_account") => service_account(file).map(Key::ServiceAccount),
        Some("external_account") => external_account(file).map(Key::ExternalAccount),
        Some(other) => Err(unusable(format!(
            "its type is `{}`; `service_account` and `external_account` are understood",
            words::clean(other)
        ))),
        None => Err(unusable("it has no `type`".to_owned())),
    }
}

fn service_account(file: File) -> Result<ServiceAccount, CloudError> {
    let token_uri = file.token_uri.as_deref().unwrap_or(TOKEN_URI);
    Ok(ServiceAccount {
        email: required("client_email", file.client_email)?,
        key_id: file.private_key_id,
        private_key: required("private_key", file.private_key)?.into(),
        token_uri: address("token_uri", token_uri)?,
    })
}

fn external_account(file: File) -> Result<ExternalAccount, CloudError> {
    let source = required("credential_source", file.credential_source)?;
    let path = source.file.ok_or_else(|| {
        unusable("only a `file` is understood as its `credential_source`".to_owned())
    })?;
    let field = match source.format {
        Some(format) if format.r#type.as_deref() == Some("json") => Some(required(
            "subject_token_field_name",
            format.subject_token_field_name,
        )?),
        _ => None,
    };
    let impersonation = file.service_account_impersonation_url;
    Ok(ExternalAccount {
        audience: required("audience", file.audience)?,
        subject_token_type: required("subject_token_type", file.subject_token_type)?,
        token_url: address("token_url", &required("token_url", file.token_url)?)?,
        impersonation: impersonation
            .map(|url| address("service_account_impersonation_url", &url))
            .transpose()?,
        file: path,
        field,
    })
}

fn required<T>(name: &str, value: Option<T>) -> Result<T, CloudError> {
    value.ok_or_else(|| unusable(format!("it has no `{name}`")))
}

fn address(name: &str, text: &str) -> Result<Endpoint, CloudError> {
    text.parse()
        .map_err(|reason| unusable(format!("of its `{name}`, {reason}")))
}

fn unusable(reason: String) -> CloudError {
    CloudError::Unusable { what: WHAT, reason }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn said(json: &str) -> String {
        match parse(&json.into()) {
            Ok(key) => format!("{key:?}"),
            Err(error) => error.to_string(),
        }
    }

    #[test]
    fn keys_of_service_accounts_are_read() {
        let text = said(
            r#"{"type":"service_account","client_email":"a@b","private_key":"hunter2","private_key_id":"k","universe_domain":"x"}"#,
        );
        assert!(
            text.contains("a@b") && text.contains("oauth2.googleapis.com"),
            "{text}"
        );
        assert!(!text.contains("hunter2"), "{text}");
    }

    #[test]
    fn external_accounts_are_read() {
        let json = r#"{"type":"external_account","audience":"//iam.googleapis.com/p","subject_token_type":"urn:ietf:params:oauth:token-type:jwt","token_url":"https://sts.googleapis.com/v1/token","credential_source":{"file":"/t","format":{"type":"json","subject_token_field_name":"access_token"}},"service_account_impersonation_url":"https://iamcredentials.googleapis.com/v1/projects/-/serviceAccounts/x@y:generateAccessToken"}"#;
        let Ok(Key::ExternalAccount(account)) = parse(&json.into()) else {
            panic!("{}", said(json));
        };
        assert!(account.impersonation.is_some());
        let token = |text: &str| account.subject(&text.into());
        let found = token(r#"{"access_token":"t"}"#).unwrap();
        assert_eq!(found.expose_secret(), "t");
        assert!(token("t").is_err() && token("{}").is_err());
    }

    #[test]
    fn mistakes_are_named() {
        for (json, words) in [
            ("{", "line 1"),
            ("{}", "no `type`"),
            (r#"{"type":"authorized_user"}"#, "authorized_user"),
            (r#"{"type":"service_account"}"#, "no `client_email`"),
            (
                r#"{"type":"service_account","client_email":"a","private_key":"k","token_uri":"http://evil.example/"}"#,
                "not encrypted",
            ),
            (r#"{"type":"external_account"}"#, "no `credential_source`"),
            (
                r#"{"type":"external_account","credential_source":{"url":"http://x"}}"#,
                "only a `file`",
            ),
            (
                r#"{"type":"external_account","credential_source":{"file":"f"}}"#,
                "no `audience`",
            ),
        ] {
            assert!(said(json).contains(words), "{json}: {}", said(json));
        }
    }
}
