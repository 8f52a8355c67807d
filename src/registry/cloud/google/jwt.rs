//! A service account's signed claim to be itself.
//!
//! Source: RFC 7515 (JSON Web Signature), RFC 7518 section 3.3 (RS256), "Using OAuth 2.0 for server to
//! server applications".

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use jiff::Timestamp;
use ring::rand::SystemRandom;
use ring::signature::{RSA_PKCS1_SHA256, RsaKeyPair};
use rustls::pki_types::PrivatePkcs8KeyDer;
use rustls::pki_types::pem::PemObject as _;
use secrecy::{ExposeSecret as _, SecretString};

use super::key::ServiceAccount;
use crate::registry::cloud::CloudError;

/// How long the claim is good, in seconds: the longest that Google takes.
const LIFE: i64 = 3600;

/// The claim of `account` to be given a token for `scope`.
pub(super) fn assertion(
    account: &ServiceAccount,
    scope: &str,
    now: Timestamp,
) -> Result<SecretString, CloudError> {
    let key = key_pair(account.private_key.expose_secret())?;
    let mut header = serde_json::json!({"alg": "RS256", "typ": "JWT"});
    if let Some(id) = &account.key_id {
        header["kid"] = id.as_str().into();
    }
    let issued = now.as_second();
    let claims = serde_json::json!({
        "iss": account.email,
        "scope": scope,
        "aud": account.token_uri.url().as_str(),
        "iat": issued,
        "exp": issued + LIFE,
    });
    let part = |json: &serde_json::Value| URL_SAFE_NO_PAD.encode(json.to_string());
    let signed = format!("{}.{}", part(&header), part(&claims));
    let mut signature = vec![0; key.public().modulus_len()];
    key.sign(
        &RSA_PKCS1_SHA256,
        &SystemRandom::new(),
        signed.as_bytes(),
        &mut signature,
    )
    .map_err(|_| unusable("it can't sign"))?;
    let signature = URL_SAFE_NO_PAD.encode(signature);
    Ok(SecretString::from(format!("{signed}.{signature}")))
}

fn key_pair(pem: &str) -> Result<RsaKeyPair, CloudError> {
    let der = PrivatePkcs8KeyDer::from_pem_slice(pem.as_bytes())
        .map_err(|_| unusable("it is not a PEM private key (PKCS #8)"))?;
    RsaKeyPair::from_pkcs8(der.secret_pkcs8_der())
        .map_err(|_| unusable("it is not an RSA key of 2048 to 4096 bits"))
}

fn unusable(reason: &str) -> CloudError {
    CloudError::Unusable {
        what: "the Google service account's private key",
        reason: reason.to_owned(),
    }
}
