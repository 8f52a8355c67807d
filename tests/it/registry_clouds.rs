//! From a cloud's credentials to a listing: each cloud's services and its registry in one stand-in.

#![expect(
    clippy::unwrap_used,
    reason = "what a test can't set up is a failure of that test"
)]

use std::path::Path;

use tagwright::clock::Clock;
use tagwright::image::Image;
use tagwright::registry::cloud::aws::AwsSource;
use tagwright::registry::cloud::azure::AzureProof;
use tagwright::registry::cloud::{Azure, Cloud, Ecr, Endpoint, Gcp};
use tagwright::registry::{Access, Account, Client, Credentials, Error, Listing, Mirror, Scheme};
use tagwright::secret::Secret;

use crate::fake_server::{Reply, Request, Server};

/// `AWS:pw`, in base64.
const ECR_TOKEN: &str = "QVdTOnB3";

fn at(server: &Server, path: &str) -> Endpoint {
    format!("http://{}/{path}", server.host()).parse().unwrap()
}

fn file(folder: &Path, name: &str, text: &str) -> Secret {
    let path = folder.join(name);
    std::fs::write(&path, text).unwrap();
    Secret::File(path)
}

/// Lists an image of the server twice, with these credentials.
async fn list(server: &Server, cloud: Cloud) -> Result<[Listing; 2], Error> {
    let account = Account {
        scheme: Scheme::PlainHttp,
        credentials: Credentials::Cloud(Box::new(cloud)),
        ..Account::anonymous(server.host())
    };
    let client = Client::new(vec![account], Clock::system()).unwrap();
    let image: Image = format!("{}/acme/shop", server.host()).parse().unwrap();
    let account = client.account_for(&image, Access::All);
    let first = client.tags(&image, account).await?;
    Ok([first, client.tags(&image, account).await?])
}

fn refused(challenge: String) -> Reply {
    Reply::json(401, "{}").header("www-authenticate", challenge)
}

fn json(value: &serde_json::Value) -> Reply {
    Reply::json(200, value.to_string())
}

#[tokio::test]
async fn ecr_takes_the_password_of_its_service() {
    let folder = tempfile::tempdir().unwrap();
    let server = Server::start(|request, _| {
        if request.path() == "/" {
            let data = serde_json::json!([{"authorizationToken": ECR_TOKEN}]);
            return json(&serde_json::json!({"authorizationData": data}));
        }
        let basic = format!("Basic {ECR_TOKEN}");
        match request.header("authorization") {
            Some(sent) if sent == basic => Reply::tags(&["1.0.0"]),
            _ => refused("Basic realm=\"https://x/\",service=\"ecr.amazonaws.com\"".to_owned()),
        }
    })
    .await;
    let ecr = Cloud::Ecr(Ecr {
        source: AwsSource::Keys {
            id: file(folder.path(), "id", "AKID"),
            secret: file(folder.path(), "secret", "s"),
            session: None,
        },
        region: Some("eu-west-1".to_owned()),
        endpoint: Some(at(&server, "")),
        ..Ecr::default()
    });
    let [first, second] = list(&server, ecr).await.unwrap();
    assert_eq!((first.requests, second.requests), (3, 1));
    let keys = server
        .seen()
        .into_iter()
        .filter(|request| request.path() == "/");
    assert!(keys.count() == 1, "the password is kept");
}

#[tokio::test]
async fn google_s_registry_exchanges_the_access_token() {
    let server = Server::start(|request, _| {
        let host = request.header("host").unwrap();
        match (request.path(), request.header("authorization")) {
            ("/computeMetadata/v1/instance/service-accounts/default/token", _) => {
                json(&serde_json::json!({"access_token": "t", "expires_in": 3600}))
            }
            // `oauth2accesstoken:t`
            ("/v2/token", Some("Basic b2F1dGgyYWNjZXNzdG9rZW46dA==")) => {
                json(&serde_json::json!({"token": "r", "expires_in": 3600}))
            }
            (_, Some("Bearer r")) => Reply::tags(&["1.0.0"]),
            _ => refused(format!(
                "Bearer realm=\"http://{host}/v2/token\",service=\"{host}\""
            )),
        }
    })
    .await;
    let gcp = Cloud::Gcp(Gcp {
        metadata_endpoint: Some(at(&server, "")),
        ..Gcp::default()
    });
    let [first, second] = list(&server, gcp).await.unwrap();
    assert_eq!((first.requests, second.requests), (4, 1));
}

fn azure_registry(request: &Request) -> Reply {
    let host = request.header("host").unwrap();
    let body = |field: &str| request.body.split('&').any(|found| found == field);
    match request.path() {
        "/t/oauth2/v2.0/token" => json(&serde_json::json!({"access_token": "entra"})),
        "/oauth2/exchange" if body("access_token=entra") => {
            json(&serde_json::json!({"refresh_token": "refresh"}))
        }
        "/oauth2/token"
            if body("refresh_token=refresh") && body("scope=repository%3Aacme%2Fshop%3Apull") =>
        {
            json(&serde_json::json!({"access_token": "r"}))
        }
        _ if request.header("authorization") == Some("Bearer r") => Reply::tags(&["1.0.0"]),
        _ => refused(format!(
            "Bearer realm=\"http://{host}/oauth2/token\",service=\"{host}\""
        )),
    }
}

fn application(server: &Server, folder: &Path) -> Azure {
    Azure {
        tenant_id: Some("t".to_owned()),
        client_id: Some("c".to_owned()),
        proof: AzureProof::Secret(file(folder, "secret", "s")),
        authority: Some(at(server, "")),
        ..Azure::default()
    }
}

#[tokio::test]
async fn azure_s_registry_gives_a_token_for_a_token_for_a_token() {
    let folder = tempfile::tempdir().unwrap();
    let server = Server::start(|request, _| azure_registry(request)).await;
    let azure = Cloud::Azure(application(&server, folder.path()));
    let [first, second] = list(&server, azure).await.unwrap();
    assert_eq!((first.requests, second.requests), (5, 1));
}

#[tokio::test]
async fn a_cloud_that_refuses_is_named_with_a_hint() {
    let folder = tempfile::tempdir().unwrap();
    let server = Server::start(|_, _| {
        Reply::json(
            401,
            r#"{"error":"invalid_client","error_description":"AADSTS7000215"}"#,
        )
    })
    .await;
    let azure = Cloud::Azure(application(&server, folder.path()));
    let error = list(&server, azure).await.unwrap_err();
    let text = tagwright::diag::chain(&error);
    assert!(
        text.contains("Microsoft Entra ID refuses with status 401: AADSTS7000215"),
        "{text}"
    );
    assert!(error.hint().unwrap().contains("client secret") && !error.is_retryable());
    assert_eq!(
        server.targets().len(),
        1,
        "the registry isn't asked without credentials"
    );
}

#[tokio::test]
async fn a_mirror_is_asked_in_place_of_the_registry() {
    let server = Server::start(|request, _| match request.path() {
        "/v2/hub/library/nginx/tags/list" => Reply::tags(&["1.27.0"]),
        "/v2/hub/library/nginx/manifests/1.27.0" => Reply::json(200, "").header(
            "docker-content-digest",
            format!("sha256:{}", "a".repeat(64)),
        ),
        _ => Reply::json(404, "{}"),
    })
    .await;
    let account = Account {
        mirror: Some(Mirror {
            host: server.host(),
            path: "hub".to_owned(),
        }),
        scheme: Scheme::PlainHttp,
        ..Account::anonymous("docker.io")
    };
    let client = Client::new(vec![account], Clock::system()).unwrap();
    let image: Image = "nginx".parse().unwrap();
    let account = client.account_for(&image, Access::All);
    let listing = client.tags(&image, account).await.unwrap();
    assert_eq!(listing.tags, ["1.27.0".parse().unwrap()]);
    let resolved = client.resolve(&image, account, &listing.tags[0]).await;
    assert!(matches!(
        resolved,
        Ok(tagwright::registry::Resolved::Found(_))
    ));
}
