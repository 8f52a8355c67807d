//! Google: keys, the metadata server and federation, against a stand-in that verifies claims.

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use ring::signature::{KeyPair as _, RSA_PKCS1_2048_8192_SHA256, RsaKeyPair, UnparsedPublicKey};
use rustls::pki_types::PrivatePkcs8KeyDer;
use rustls::pki_types::pem::PemObject as _;

use super::fake::{Answer, Asked, plain};
use super::*;
use crate::secret::Secret;

const HOST: &str = "europe-docker.pkg.dev";
const KEY: &str = include_str!("service-account.pem");
const EMAIL: &str = "bot@acme.iam.gserviceaccount.com";

async fn google() -> Fake {
    Fake::start(|asked| match (asked.method.as_str(), asked.uri.path()) {
        ("POST", "/token") => for_claim(asked),
        ("POST", "/sts") => exchange(asked),
        ("POST", "/impersonate") => impersonate(asked),
        ("GET", "/computeMetadata/v1/instance/service-accounts/default/token") => {
            match asked.header("metadata-flavor") {
                "Google" => granted("of-machine"),
                _ => plain(403, "Missing Metadata-Flavor:Google header."),
            }
        }
        _ => plain(404, ""),
    })
    .await
}

fn granted(token: &str) -> Answer {
    let body =
        serde_json::json!({"access_token": token, "expires_in": 3599, "token_type": "Bearer"});
    plain(200, body.to_string())
}

fn invalid_grant(words: &str) -> Answer {
    let body = serde_json::json!({"error": "invalid_grant", "error_description": words});
    plain(400, body.to_string())
}

fn for_claim(asked: &Asked) -> Answer {
    assert_eq!(
        asked.field("grant_type"),
        "urn:ietf:params:oauth:grant-type:jwt-bearer"
    );
    let assertion = asked.field("assertion");
    let (signed, signature) = assertion.rsplit_once('.').unwrap();
    let (header, claims) = signed.split_once('.').unwrap();
    let json = |part: &str| -> serde_json::Value {
        serde_json::from_slice(&URL_SAFE_NO_PAD.decode(part).unwrap()).unwrap()
    };
    let (header, claims) = (json(header), json(claims));
    assert_eq!(header["alg"], "RS256");
    let pair = PrivatePkcs8KeyDer::from_pem_slice(KEY.as_bytes()).unwrap();
    let pair = RsaKeyPair::from_pkcs8(pair.secret_pkcs8_der()).unwrap();
    let public = UnparsedPublicKey::new(&RSA_PKCS1_2048_8192_SHA256, pair.public_key());
    let signature = URL_SAFE_NO_PAD.decode(signature).unwrap();
    if header["kid"] != "key-1" || public.verify(signed.as_bytes(), &signature).is_err() {
        return invalid_grant("Invalid JWT Signature.");
    }
    let now = 1_440_937_800;
    let (issued, expires) = (
        claims["iat"].as_i64().unwrap(),
        claims["exp"].as_i64().unwrap(),
    );
    if (issued - now).abs() > 600 || expires - issued > 3600 {
        return invalid_grant("Invalid JWT: Token must be a short-lived token (60 minutes)");
    }
    let aud = format!("http://{}/token", asked.header("host"));
    if claims["iss"] != EMAIL || claims["aud"] != aud.as_str() {
        return invalid_grant("Invalid JWT");
    }
    assert_eq!(
        claims["scope"],
        "https://www.googleapis.com/auth/cloud-platform"
    );
    granted("of-key")
}

fn exchange(asked: &Asked) -> Answer {
    assert_eq!(
        asked.field("grant_type"),
        "urn:ietf:params:oauth:grant-type:token-exchange"
    );
    assert_eq!(
        asked.field("subject_token_type"),
        "urn:ietf:params:oauth:token-type:jwt"
    );
    assert_eq!(asked.field("audience"), "//iam.googleapis.com/pool");
    match asked.field("subject_token").as_str() {
        "subject" => granted("federated"),
        _ => invalid_grant("The given credential is rejected by the attribute condition."),
    }
}

fn impersonate(asked: &Asked) -> Answer {
    let body: serde_json::Value = serde_json::from_str(&asked.body).unwrap();
    assert_eq!(
        body["scope"][0],
        "https://www.googleapis.com/auth/cloud-platform"
    );
    if asked.header("authorization") != "Bearer federated" || asked.header("x-deny") == "1" {
        return plain(401, "");
    }
    let body =
        serde_json::json!({"accessToken": "impersonated", "expireTime": "2015-08-30T13:30:00Z"});
    plain(200, body.to_string())
}

fn keyed(lab: &Lab, name: &str, json: &serde_json::Value) -> Cloud {
    Cloud::Gcp(Gcp {
        key: Some(Secret::File(lab.file(name, &json.to_string()))),
        ..Gcp::default()
    })
}

fn service_account(fake: &Fake, key_id: &str) -> serde_json::Value {
    serde_json::json!({
        "type": "service_account", "client_email": EMAIL, "private_key": KEY,
        "private_key_id": key_id, "token_uri": format!("http://{}/token", fake.host),
    })
}

fn external_account(lab: &Lab, fake: &Fake, subject: &str) -> serde_json::Value {
    serde_json::json!({
        "type": "external_account", "audience": "//iam.googleapis.com/pool",
        "subject_token_type": "urn:ietf:params:oauth:token-type:jwt",
        "token_url": format!("http://{}/sts", fake.host),
        "credential_source": {"file": lab.file(subject, subject)},
    })
}

#[tokio::test]
async fn a_key_signs_a_claim_for_a_token() {
    let fake = google().await;
    let lab = Lab::new(HOST, &[]);
    let gcp = keyed(&lab, "key", &service_account(&fake, "key-1"));
    assert_eq!(lab.login(&gcp).await.unwrap(), "oauth2accesstoken:of-key");
    assert_eq!(lab.login(&gcp).await.unwrap(), "oauth2accesstoken:of-key");
    assert_eq!(fake.lines(), ["POST /token"]);
}

#[tokio::test]
async fn what_google_refuses_is_said() {
    let fake = google().await;
    let lab = Lab::new(HOST, &[]);
    let deleted = keyed(&lab, "deleted", &service_account(&fake, "key-0"));
    let said = lab.refusal(&deleted).await;
    assert_says(
        &said,
        &["Invalid JWT Signature.", "invalid_grant", "still valid"],
    );
    lab.clock.advance(jiff::SignedDuration::from_hours(2));
    let late = keyed(&lab, "late", &service_account(&fake, "key-1"));
    assert_says(&lab.refusal(&late).await, &["short-lived", "clock"]);
    let mut broken = service_account(&fake, "key-1");
    broken["private_key"] = "-----BEGIN PRIVATE KEY-----\nAAAA\n-----END PRIVATE KEY-----\n".into();
    let broken = keyed(&lab, "broken", &broken);
    assert_says(
        &lab.refusal(&broken).await,
        &["private key can't be used", "RSA"],
    );
    let missing = Cloud::Gcp(Gcp {
        key: Some(Secret::Env("TAGWRIGHT_NO_SUCH".to_owned())),
        ..Gcp::default()
    });
    assert_says(&lab.refusal(&missing).await, &["TAGWRIGHT_NO_SUCH"]);
}

#[tokio::test]
async fn a_workload_s_token_is_exchanged() {
    let fake = google().await;
    let lab = Lab::new(HOST, &[]);
    let direct = external_account(&lab, &fake, "subject");
    let gcp = keyed(&lab, "direct", &direct);
    assert_eq!(
        lab.login(&gcp).await.unwrap(),
        "oauth2accesstoken:federated"
    );
    let mut other = direct.clone();
    other["service_account_impersonation_url"] = format!("http://{}/impersonate", fake.host).into();
    let gcp = keyed(&lab, "impersonating", &other);
    assert_eq!(
        lab.login(&gcp).await.unwrap(),
        "oauth2accesstoken:impersonated"
    );
    let stranger = external_account(&lab, &fake, "stranger");
    let said = lab.refusal(&keyed(&lab, "stranger-key", &stranger)).await;
    assert_says(&said, &["attribute condition"]);
}

#[tokio::test]
async fn without_a_key_the_platform_is_asked() {
    let fake = google().await;
    let host = fake.host.as_str();
    let gcp = Cloud::Gcp(Gcp::default());
    let lab = Lab::new(HOST, &[("GCE_METADATA_HOST", host)]);
    assert_eq!(
        lab.login(&gcp).await.unwrap(),
        "oauth2accesstoken:of-machine"
    );
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("adc.json");
    std::fs::write(&path, service_account(&fake, "key-1").to_string()).unwrap();
    let variables = [
        ("GOOGLE_APPLICATION_CREDENTIALS", path.to_str().unwrap()),
        ("GCE_METADATA_HOST", host),
    ];
    let lab = Lab::new(HOST, &variables);
    assert_eq!(lab.login(&gcp).await.unwrap(), "oauth2accesstoken:of-key");
    let lab = Lab::new(HOST, &[("GCE_METADATA_HOST", "127.0.0.1:1")]);
    let said = lab.refusal(&gcp).await;
    assert_says(
        &said,
        &[
            "no Google Cloud credentials",
            "can't be reached",
            "workload identity",
        ],
    );
}

#[tokio::test]
async fn a_busy_server_is_asked_again_once_it_said_when() {
    let fake = Fake::start(|_| (429, String::new(), Some(("retry-after", "60".to_owned())))).await;
    let lab = Lab::new(HOST, &[("GCE_METADATA_HOST", &fake.host)]);
    let error = lab.login(&Cloud::Gcp(Gcp::default())).await.unwrap_err();
    assert!(error.is_retryable(), "{error}");
    assert_eq!(error.retry_after(), Some(Duration::from_secs(60)));
    assert_eq!(fake.lines().len(), 1);
}
