//! Azure: an application's secret, federated tokens and managed identities, exchanged at the registry.

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;

use super::fake::{Answer, Asked, plain};
use super::*;
use crate::registry::cloud::azure::AzureProof;
use crate::secret::Secret;

const HOST: &str = "acme.azurecr.io";

async fn azure() -> Fake {
    Fake::start(|asked| match (asked.method.as_str(), asked.uri.path()) {
        ("POST", "/tenant-1/oauth2/v2.0/token") => entra(asked),
        ("GET", "/imds/metadata/identity/oauth2/token") => machine(asked),
        ("POST", "/oauth2/exchange") => exchange(asked),
        _ => plain(
            404,
            r#"{"error":"invalid_request","error_description":"AADSTS90002: Tenant not found."}"#,
        ),
    })
    .await
}

fn entra(asked: &Asked) -> Answer {
    assert_eq!(asked.field("grant_type"), "client_credentials");
    assert_eq!(
        asked.field("scope"),
        "https://containerregistry.azure.net/.default"
    );
    let refuse = |status, code: &str, words: &str| {
        let body = serde_json::json!({"error": code, "error_description": words});
        plain(status, body.to_string())
    };
    if asked.field("client_id") != "client-1" {
        return refuse(
            400,
            "unauthorized_client",
            "AADSTS700016: Application not found",
        );
    }
    let assertion = asked.field("client_assertion");
    let good = match assertion.as_str() {
        "" => asked.field("client_secret") == "s3cret",
        token => {
            token == "pod-token"
                && asked.field("client_assertion_type")
                    == "urn:ietf:params:oauth:client-assertion-type:jwt-bearer"
        }
    };
    if good {
        access("entra-access")
    } else {
        refuse(
            401,
            "invalid_client",
            "AADSTS7000215: Invalid client secret provided.",
        )
    }
}

fn access(token: &str) -> Answer {
    let body =
        serde_json::json!({"token_type": "Bearer", "expires_in": 3599, "access_token": token});
    plain(200, body.to_string())
}

fn machine(asked: &Asked) -> Answer {
    let fits = asked.header("metadata") == "true"
        && asked.query("api-version") == "2018-02-01"
        && asked.query("resource") == "https://containerregistry.azure.net";
    match (fits, asked.query("client_id").as_str()) {
        (true, "" | "client-1") => access("machine-access"),
        (true, _) => plain(
            400,
            r#"{"error":"invalid_request","error_description":"Identity not found"}"#,
        ),
        _ => plain(400, ""),
    }
}

fn exchange(asked: &Asked) -> Answer {
    assert_eq!(asked.field("grant_type"), "access_token");
    assert_eq!(asked.field("service"), HOST);
    let token = asked.field("access_token");
    if !matches!(token.as_str(), "entra-access" | "machine-access")
        || asked.field("tenant") == "no-role"
    {
        return plain(
            401,
            r#"{"errors":[{"code":"UNAUTHORIZED","message":"authentication required"}]}"#,
        );
    }
    let claims = URL_SAFE_NO_PAD.encode(r#"{"iat":1,"exp":10801}"#);
    let refresh = format!("e30.{claims}.{token}");
    plain(
        200,
        serde_json::json!({"refresh_token": refresh}).to_string(),
    )
}

fn lab(fake: &Fake, variables: &[(&str, &str)]) -> Lab {
    let mut lab = Lab::new(HOST, variables);
    // The registry itself is the stand-in, too.
    lab.origin = Url::parse(&format!("http://{}/", fake.host)).unwrap();
    lab
}

fn application(fake: &Fake, proof: AzureProof) -> Azure {
    Azure {
        tenant_id: Some("tenant-1".to_owned()),
        client_id: Some("client-1".to_owned()),
        proof,
        authority: Some(fake.endpoint("")),
        metadata_endpoint: Some(fake.endpoint("imds")),
    }
}

fn secret(lab: &Lab, text: &str) -> AzureProof {
    AzureProof::Secret(Secret::File(lab.file(text, text)))
}

fn is_of(login: &str, token: &str) -> bool {
    login.starts_with("token:e30.") && login.ends_with(token)
}

#[tokio::test]
async fn a_secret_becomes_the_registry_s_own_token() {
    let fake = azure().await;
    let lab = lab(&fake, &[]);
    let azure = Cloud::Azure(application(&fake, secret(&lab, "s3cret")));
    assert!(is_of(&lab.login(&azure).await.unwrap(), "entra-access"));
    lab.login(&azure).await.unwrap();
    assert_eq!(
        fake.lines(),
        ["POST /tenant-1/oauth2/v2.0/token", "POST /oauth2/exchange"]
    );
}

#[tokio::test]
async fn workload_identity_needs_no_configuration() {
    let fake = azure().await;
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("token");
    std::fs::write(&file, "pod-token\n").unwrap();
    let authority = format!("http://{}/", fake.host);
    let variables = [
        ("AZURE_CLIENT_ID", "client-1"),
        ("AZURE_TENANT_ID", "tenant-1"),
        ("AZURE_FEDERATED_TOKEN_FILE", file.to_str().unwrap()),
        ("AZURE_AUTHORITY_HOST", authority.as_str()),
    ];
    let lab = lab(&fake, &variables);
    let login = lab.login(&Cloud::Azure(Azure::default())).await.unwrap();
    assert!(is_of(&login, "entra-access"), "{login}");
}

#[tokio::test]
async fn without_a_secret_the_machine_s_identity_is_used() {
    let fake = azure().await;
    let lab = lab(&fake, &[]);
    let azure = Azure {
        metadata_endpoint: Some(fake.endpoint("imds")),
        ..Azure::default()
    };
    let login = lab.login(&Cloud::Azure(azure.clone())).await.unwrap();
    assert!(is_of(&login, "machine-access"), "{login}");
    let other = Azure {
        client_id: Some("other".to_owned()),
        ..azure
    };
    let said = lab.refusal(&Cloud::Azure(other)).await;
    assert_says(&said, &["Identity not found", "clientId"]);
}

#[tokio::test]
async fn refusals_say_what_to_do() {
    let fake = azure().await;
    let lab = lab(&fake, &[]);
    let wrong = Cloud::Azure(application(&fake, secret(&lab, "wrong")));
    assert_says(
        &lab.refusal(&wrong).await,
        &["AADSTS7000215", "check the client secret"],
    );
    let mut other = application(&fake, secret(&lab, "s3cret"));
    other.client_id = Some("client-2".to_owned());
    assert_says(
        &lab.refusal(&Cloud::Azure(other)).await,
        &["AADSTS700016", "`clientId`"],
    );
    let mut tenant = application(&fake, secret(&lab, "s3cret"));
    tenant.tenant_id = None;
    assert_says(
        &lab.refusal(&Cloud::Azure(tenant)).await,
        &["neither `tenantId` nor AZURE_TENANT_ID"],
    );
    let nobody = Azure {
        metadata_endpoint: Some("http://127.0.0.1:1/".parse().unwrap()),
        ..Azure::default()
    };
    assert_says(
        &lab.refusal(&Cloud::Azure(nobody)).await,
        &["no Azure credentials", "managed identity"],
    );
    let unrolled = Azure {
        tenant_id: Some("no-role".to_owned()),
        metadata_endpoint: Some(fake.endpoint("imds")),
        ..Azure::default()
    };
    assert_says(
        &lab.refusal(&Cloud::Azure(unrolled)).await,
        &["token exchange refuses with status 401", "AcrPull"],
    );
}
