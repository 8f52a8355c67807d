//! Amazon ECR: every source of keys, against a stand-in that checks signatures as AWS does.

use std::collections::HashMap;
use std::fmt::Write as _;
use std::sync::Mutex;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use ring::{digest, hmac};

use super::fake::{Answer, Asked, plain};
use super::*;
use crate::registry::cloud::aws::AwsSource;
use crate::secret::Secret;

const HOST: &str = "123456789012.dkr.ecr.eu-west-1.amazonaws.com";
const FIRST: &str = "arn:aws:iam::210987654321:role/first";
const ROLE: &str = "arn:aws:iam::123456789012:role/tagwright";

/// An account's keys, and what its services do.
#[derive(Default)]
struct Account {
    /// Secret and session token, by id.
    keys: HashMap<String, (String, String)>,
    /// Set to have every call fail so.
    failing: Option<(u16, &'static str, &'static str)>,
}

struct Aws {
    fake: Fake,
    account: Arc<Mutex<Account>>,
}

impl Aws {
    async fn start() -> Self {
        let keys = HashMap::from([
            (
                "AKIDEXAMPLE".to_owned(),
                ("s3cret".to_owned(), String::new()),
            ),
            (
                "ASIAROLE".to_owned(),
                ("role-secret".to_owned(), "role-session".to_owned()),
            ),
            (
                "ASIAFIRST".to_owned(),
                ("first-secret".to_owned(), "first-session".to_owned()),
            ),
        ]);
        let account = Arc::new(Mutex::new(Account {
            keys,
            failing: None,
        }));
        let shared = Arc::clone(&account);
        let fake = Fake::start(move |asked| answer(&shared.lock().unwrap(), asked)).await;
        Self { fake, account }
    }

    fn ecr(&self, source: AwsSource) -> Cloud {
        Cloud::Ecr(Ecr {
            source,
            endpoint: Some(self.fake.endpoint("")),
            sts_endpoint: Some(self.fake.endpoint("sts")),
            metadata_endpoint: Some(self.fake.endpoint("imds")),
            ..Ecr::default()
        })
    }
}

fn answer(account: &Account, asked: &Asked) -> Answer {
    if let Some((status, code, message)) = account.failing {
        return json_error(status, code, message);
    }
    match (asked.method.as_str(), asked.uri.path()) {
        ("POST", "/") => authorization(account, asked),
        ("POST", "/sts") => assume(account, asked),
        ("PUT", "/imds/latest/api/token") => match asked
            .header("x-aws-ec2-metadata-token-ttl-seconds")
            .parse::<u32>()
        {
            Ok(1..=21600) => plain(200, "imds-session"),
            _ => plain(400, ""),
        },
        ("GET", path) if path.starts_with("/imds/") => instance(asked),
        ("GET", "/v1/credentials") => match asked.header("authorization") {
            "pod-token" => plain(200, role_keys()),
            _ => plain(
                401,
                r#"{"code":"AccessDeniedException","message":"bad token"}"#,
            ),
        },
        _ => plain(404, ""),
    }
}

fn json_error(status: u16, code: &str, message: &str) -> Answer {
    let body =
        serde_json::json!({"__type": format!("com.amazon.coral#{code}"), "message": message});
    plain(status, body.to_string())
}

fn role_keys() -> String {
    serde_json::json!({
        "Code": "Success", "AccessKeyId": "ASIAROLE", "SecretAccessKey": "role-secret",
        "Token": "role-session", "Expiration": "2015-08-30T18:30:00Z",
    })
    .to_string()
}

fn instance(asked: &Asked) -> Answer {
    if asked.header("x-aws-ec2-metadata-token") != "imds-session" {
        return plain(401, "");
    }
    match asked.uri.path() {
        "/imds/latest/meta-data/iam/security-credentials/" => plain(200, "node-role\n"),
        "/imds/latest/meta-data/iam/security-credentials/node-role" => plain(200, role_keys()),
        _ => plain(404, ""),
    }
}

fn assume(account: &Account, asked: &Asked) -> Answer {
    let error = |status, code: &str, message: &str| {
        plain(
            status,
            format!(
                "<ErrorResponse xmlns=\"https://sts.amazonaws.com/doc/2011-06-15/\"><Error><Type>Sender</Type><Code>{code}</Code><Message>{message}</Message></Error></ErrorResponse>"
            ),
        )
    };
    assert_eq!(asked.field("Version"), "2011-06-15");
    if asked.field("Action") == "AssumeRole" {
        return match signed(account, asked, &["content-type", "host", "x-amz-date"]) {
            Ok((id, scope)) if scope == ["eu-west-1", "sts"] => take_role(&id, asked),
            Ok((_, scope)) => error(400, "SignatureDoesNotMatch", &scope.join("/")),
            Err(answer) => answer,
        };
    }
    assert_eq!(asked.field("Action"), "AssumeRoleWithWebIdentity");
    if asked.field("RoleArn") != ROLE {
        let message = "Not authorized to perform sts:AssumeRoleWithWebIdentity";
        return error(403, "AccessDenied", message);
    }
    match asked.field("WebIdentityToken").as_str() {
        "web-token" => given("AssumeRoleWithWebIdentity", "ROLE"),
        "old-token" => error(400, "ExpiredTokenException", "Token expired"),
        _ => error(
            400,
            "InvalidIdentityToken",
            "No OpenIDConnect provider found",
        ),
    }
}

/// The answer of STS with the keys of a role.
fn given(action: &str, role: &str) -> Answer {
    let name = role.to_ascii_lowercase();
    plain(
        200,
        format!(
            "<{action}Response xmlns=\"https://sts.amazonaws.com/doc/2011-06-15/\">\n<{action}Result><Credentials><SessionToken>{name}-session</SessionToken><SecretAccessKey>{name}-secret</SecretAccessKey><Expiration>2015-08-30T13:30:00Z</Expiration><AccessKeyId>ASIA{role}</AccessKeyId></Credentials></{action}Result></{action}Response>"
        ),
    )
}

/// `AssumeRole`: the first role trusts the key, if it knows what was agreed on; the other one the first.
fn take_role(id: &str, asked: &Asked) -> Answer {
    let agreed = asked.field("ExternalId") == "agreed" && asked.field("DurationSeconds") == "900";
    match (asked.field("RoleArn").as_str(), id) {
        (FIRST, "AKIDEXAMPLE") if agreed => given("AssumeRole", "FIRST"),
        (ROLE, "ASIAFIRST" | "ASIAROLE") => given("AssumeRole", "ROLE"),
        _ => json_error(
            403,
            "AccessDenied",
            "not authorized to perform sts:AssumeRole",
        ),
    }
}

/// Who signed the request, for which region and service.
fn signed(
    account: &Account,
    asked: &Asked,
    needed: &[&str],
) -> Result<(String, [String; 2]), Answer> {
    let header = asked.header("authorization");
    let part = |name: &str| {
        let start = header.split_once(name).map_or("", |(_, rest)| rest);
        start.split(", ").next().unwrap().to_owned()
    };
    let credential = part("Credential=");
    let [id, day, region, service, "aws4_request"] = credential.split('/').collect::<Vec<_>>()[..]
    else {
        return Err(json_error(
            400,
            "IncompleteSignatureException",
            "no credential",
        ));
    };
    let session = asked.header("x-amz-security-token");
    let Some((secret, _)) = account.keys.get(id).filter(|(_, known)| known == session) else {
        let message = "The security token included in the request is invalid.";
        return Err(json_error(400, "UnrecognizedClientException", message));
    };
    let date = asked.header("x-amz-date");
    if !date.starts_with("20150830T12") || !date.starts_with(day) {
        return Err(json_error(
            400,
            "InvalidSignatureException",
            "Signature expired: …",
        ));
    }
    let names = part("SignedHeaders=");
    for needed in needed {
        assert!(
            names.split(';').any(|name| name == *needed),
            "{needed} is not signed"
        );
    }
    let mut canonical = format!("POST\n{}\n\n", asked.uri.path());
    for name in names.split(';') {
        writeln!(canonical, "{name}:{}", asked.header(name)).unwrap();
    }
    write!(canonical, "\n{names}\n{}", sha256(&asked.body)).unwrap();
    let scope = format!("{day}/{region}/{service}/aws4_request");
    let text = format!("AWS4-HMAC-SHA256\n{date}\n{scope}\n{}", sha256(&canonical));
    let sign = |key: &[u8], text: &str| {
        let key = hmac::Key::new(hmac::HMAC_SHA256, key);
        hmac::sign(&key, text.as_bytes()).as_ref().to_vec()
    };
    let key = [day, region, service, "aws4_request"]
        .iter()
        .fold(format!("AWS4{secret}").into_bytes(), |key, part| {
            sign(&key, part)
        });
    if hex(&sign(&key, &text)) != part("Signature=") {
        let message =
            "The request signature we calculated does not match the signature you provided.";
        return Err(json_error(400, "InvalidSignatureException", message));
    }
    Ok((id.to_owned(), [region.to_owned(), service.to_owned()]))
}

/// `GetAuthorizationToken`, for whoever signed the request.
fn authorization(account: &Account, asked: &Asked) -> Answer {
    let needed = ["content-type", "host", "x-amz-date", "x-amz-target"];
    let (region, service) = match signed(account, asked, &needed) {
        Ok((_, [region, service])) => (region, service),
        Err(answer) => return answer,
    };
    let expires = 1_440_981_000.5; // 12 hours after the clock's start
    let given = |password: &str| {
        let token = STANDARD.encode(format!("AWS:{password}"));
        serde_json::json!({"authorizationToken": token, "expiresAt": expires})
    };
    let data = match (
        service.as_str(),
        region.as_str(),
        asked.header("x-amz-target"),
    ) {
        ("ecr", "eu-west-1", "AmazonEC2ContainerRegistry_V20150921.GetAuthorizationToken") => {
            serde_json::json!([given("private")])
        }
        ("ecr-public", "us-east-1", "SpencerFrontendService.GetAuthorizationToken") => {
            given("public")
        }
        _ => return json_error(400, "UnknownOperationException", ""),
    };
    plain(
        200,
        serde_json::json!({"authorizationData": data}).to_string(),
    )
}

fn sha256(text: &str) -> String {
    hex(digest::digest(&digest::SHA256, text.as_bytes()).as_ref())
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

fn static_keys(lab: &Lab, id: &str, secret: &str) -> AwsSource {
    AwsSource::Keys {
        id: Secret::File(lab.file("id", id)),
        secret: Secret::File(lab.file("secret", secret)),
        session: None,
    }
}

#[tokio::test]
async fn a_key_gives_the_password_and_it_is_kept() {
    let aws = Aws::start().await;
    let lab = Lab::new(HOST, &[]);
    let ecr = aws.ecr(static_keys(&lab, "AKIDEXAMPLE\n", "s3cret"));
    assert_eq!(lab.login(&ecr).await.unwrap(), "AWS:private");
    assert_eq!(lab.login(&ecr).await.unwrap(), "AWS:private");
    assert_eq!(aws.fake.lines(), ["POST /"]);
}

#[tokio::test]
async fn the_public_registry_has_its_own_service() {
    let aws = Aws::start().await;
    let lab = Lab::new("public.ecr.aws", &[]);
    let ecr = aws.ecr(static_keys(&lab, "AKIDEXAMPLE", "s3cret"));
    assert_eq!(lab.login(&ecr).await.unwrap(), "AWS:public");
}

#[tokio::test]
async fn the_platform_is_asked_in_the_order_of_the_sdks() {
    let aws = Aws::start().await;
    let files = tempfile::tempdir().unwrap();
    let token = |name: &str, text: &str| {
        let path = files.path().join(name);
        std::fs::write(&path, text).unwrap();
        path.to_str().unwrap().to_owned()
    };
    let web = token("web", "web-token\n");
    let pod = token("pod", "pod-token\n");
    let full = format!("http://{}/v1/credentials", aws.fake.host);
    let key = [
        ("AWS_ACCESS_KEY_ID", "AKIDEXAMPLE"),
        ("AWS_SECRET_ACCESS_KEY", "s3cret"),
    ];
    let identity = [
        ("AWS_ROLE_ARN", ROLE),
        ("AWS_WEB_IDENTITY_TOKEN_FILE", web.as_str()),
    ];
    let container = [
        ("AWS_CONTAINER_CREDENTIALS_FULL_URI", full.as_str()),
        ("AWS_CONTAINER_AUTHORIZATION_TOKEN_FILE", pod.as_str()),
    ];
    let imds = "/imds/latest/meta-data/iam/security-credentials/";
    let role = format!("GET {imds}node-role");
    let list = format!("GET {imds}");
    for (variables, asked) in [
        ([&key[..], &identity, &container].concat(), vec!["POST /"]),
        (
            [&identity[..], &container].concat(),
            vec!["POST /sts", "POST /"],
        ),
        (container.to_vec(), vec!["GET /v1/credentials", "POST /"]),
        (
            vec![],
            vec!["PUT /imds/latest/api/token", &list, &role, "POST /"],
        ),
    ] {
        let before = aws.fake.lines().len();
        let lab = Lab::new(HOST, &variables);
        let login = lab.login(&aws.ecr(AwsSource::Platform)).await;
        assert_eq!(login.unwrap(), "AWS:private", "{variables:?}");
        assert_eq!(aws.fake.lines()[before..], asked, "{variables:?}");
    }
}

/// Variables that name shared files with these texts.
fn shared(lab_files: &tempfile::TempDir, config: &str, credentials: &str) -> [String; 2] {
    [("config", config), ("credentials", credentials)].map(|(name, text)| {
        let path = lab_files.path().join(name);
        std::fs::write(&path, text).unwrap();
        path.to_str().unwrap().to_owned()
    })
}

#[tokio::test]
async fn a_profile_is_followed_through_its_roles() {
    let aws = Aws::start().await;
    let files = tempfile::tempdir().unwrap();
    let config = format!(
        "[profile first]\nrole_arn = {FIRST}\nsource_profile = base\nexternal_id = agreed\nduration_seconds = 900\n\
         [profile deploy]\nrole_arn = {ROLE}\nsource_profile = first\n\
         [profile pod]\nrole_arn = {ROLE}\ncredential_source = EcsContainer\n\
         [profile node]\nrole_arn = {ROLE}\ncredential_source = Ec2InstanceMetadata\n\
         [profile stranger]\nrole_arn = {ROLE}\nsource_profile = base\n"
    );
    let base = "[base]\naws_access_key_id = AKIDEXAMPLE\naws_secret_access_key = s3cret\n";
    let [config, credentials] = shared(&files, &config, base);
    let pod = files.path().join("pod");
    std::fs::write(&pod, "pod-token").unwrap();
    let full = format!("http://{}/v1/credentials", aws.fake.host);
    let variables = [
        ("AWS_CONFIG_FILE", config.as_str()),
        ("AWS_SHARED_CREDENTIALS_FILE", credentials.as_str()),
        ("AWS_CONTAINER_CREDENTIALS_FULL_URI", full.as_str()),
        (
            "AWS_CONTAINER_AUTHORIZATION_TOKEN_FILE",
            pod.to_str().unwrap(),
        ),
    ];
    let profile = |name: &str| aws.ecr(AwsSource::Profile(name.to_owned()));
    for (name, asked) in [
        ("base", &["POST /"][..]),
        ("first", &["POST /sts", "POST /"]),
        ("deploy", &["POST /sts", "POST /sts", "POST /"]),
        ("pod", &["GET /v1/credentials", "POST /sts", "POST /"]),
    ] {
        let before = aws.fake.lines().len();
        let lab = Lab::new(HOST, &variables);
        let login = lab.login(&profile(name)).await;
        assert_eq!(login.unwrap(), "AWS:private", "{name}");
        assert_eq!(aws.fake.lines()[before..], *asked, "{name}");
        // It is also the platform's, where the variable names it.
        let before = aws.fake.lines().len();
        let named = [&variables[..], &[("AWS_PROFILE", name)]].concat();
        let lab = Lab::new(HOST, &named);
        lab.login(&aws.ecr(AwsSource::Platform)).await.unwrap();
        assert_eq!(aws.fake.lines()[before..], *asked, "{name}");
    }
    let lab = Lab::new(HOST, &variables);
    lab.login(&profile("node")).await.unwrap();
    let denied = lab.refusal(&profile("stranger")).await;
    assert_says(&denied, &["not authorized", "trust policy"]);
    let unknown = lab.refusal(&profile("nobody")).await;
    assert_says(&unknown, &["`nobody`: there is no such profile"]);
    let named = [&variables[..], &[("AWS_PROFILE", "nobody")]].concat();
    let lab = Lab::new(HOST, &named);
    let unknown = lab.refusal(&aws.ecr(AwsSource::Platform)).await;
    assert_says(&unknown, &["`nobody`: there is no such profile"]);
}

#[tokio::test]
async fn the_default_profile_goes_before_the_machine_if_it_has_credentials() {
    let aws = Aws::start().await;
    let files = tempfile::tempdir().unwrap();
    let folder = files.path().join(".aws");
    std::fs::create_dir(&folder).unwrap();
    std::fs::write(folder.join("config"), "[default]\nregion = eu-west-1\n").unwrap();
    let home = [("HOME", files.path().to_str().unwrap())];
    let ask = async || {
        let before = aws.fake.lines().len();
        let lab = Lab::new(HOST, &home);
        let login = lab.login(&aws.ecr(AwsSource::Platform)).await;
        assert_eq!(login.unwrap(), "AWS:private");
        aws.fake.lines().len() - before
    };
    assert_eq!(ask().await, 4, "the metadata service");
    let key = "[default]\naws_access_key_id = AKIDEXAMPLE\naws_secret_access_key = s3cret\n";
    std::fs::write(folder.join("credentials"), key).unwrap();
    assert_eq!(ask().await, 1, "the key");
}

#[tokio::test]
async fn refusals_say_what_to_do() {
    let aws = Aws::start().await;
    let lab = Lab::new(HOST, &[]);
    let refusal = async |source| lab.refusal(&aws.ecr(source)).await;
    let web = |lab: &Lab, role: &str, token: &str| AwsSource::WebIdentity {
        role: role.to_owned(),
        token: lab.file(token, token),
    };
    let wrong = refusal(static_keys(&lab, "AKIDEXAMPLE", "wrong")).await;
    assert_says(
        &wrong,
        &["InvalidSignatureException", "secret access key", "clock"],
    );
    assert!(!wrong.contains("wrong"), "{wrong}");
    let unknown = refusal(static_keys(&lab, "AKIDOTHER", "s3cret")).await;
    // The files are the same, so the earlier failure is still remembered.
    assert_says(&unknown, &["InvalidSignatureException"]);
    let other = Lab::new(HOST, &[]);
    let ecr = aws.ecr(static_keys(&other, "AKIDOTHER", "s3cret"));
    assert_says(
        &other.refusal(&ecr).await,
        &["UnrecognizedClientException", "access key id"],
    );
    let old = refusal(web(&lab, ROLE, "old-token")).await;
    assert_says(
        &old,
        &[
            "AWS STS refuses",
            "Token expired",
            "web identity token has expired",
        ],
    );
    let denied = refusal(web(&lab, "arn:aws:iam::1:role/other", "web-token")).await;
    assert_says(&denied, &["Not authorized", "trust policy"]);
    let stranger = refusal(web(&lab, ROLE, "other")).await;
    assert_says(
        &stranger,
        &["InvalidIdentityToken", "audience `sts.amazonaws.com`"],
    );
}

#[tokio::test]
async fn a_throttled_call_is_not_repeated_by_every_image() {
    let aws = Aws::start().await;
    let lab = Lab::new(HOST, &[]);
    let ecr = aws.ecr(static_keys(&lab, "AKIDEXAMPLE", "s3cret"));
    aws.account.lock().unwrap().failing = Some((400, "ThrottlingException", "Rate exceeded"));
    let error = lab.login(&ecr).await.unwrap_err();
    assert!(error.is_retryable(), "{error}");
    assert_says(
        &lab.refusal(&ecr).await,
        &["Rate exceeded", "asked again later"],
    );
    assert_eq!(aws.fake.lines().len(), 1);
}

#[tokio::test]
async fn a_clock_that_is_wrong_is_named() {
    let aws = Aws::start().await;
    let lab = Lab::new(HOST, &[]);
    let ecr = aws.ecr(static_keys(&lab, "AKIDEXAMPLE", "s3cret"));
    lab.clock.advance(jiff::SignedDuration::from_hours(3));
    assert_says(
        &lab.refusal(&ecr).await,
        &["Signature expired", "this machine's clock"],
    );
}

#[tokio::test]
async fn a_machine_without_a_role_has_no_credentials() {
    let fake = Fake::start(|asked| match asked.method.as_str() {
        "PUT" => plain(200, "session"),
        _ => plain(404, ""),
    })
    .await;
    let ecr = |endpoint| {
        Cloud::Ecr(Ecr {
            metadata_endpoint: Some(endpoint),
            ..Ecr::default()
        })
    };
    let lab = Lab::new(HOST, &[]);
    let said = lab.refusal(&ecr(fake.endpoint(""))).await;
    assert_says(&said, &["no AWS credentials", "no role", "accessKeyId"]);
    let nobody = "http://127.0.0.1:1/".parse().unwrap();
    let said = lab.refusal(&ecr(nobody)).await;
    assert_says(
        &said,
        &["no AWS credentials", "metadata service", "can't be reached"],
    );
    let off = Lab::new(HOST, &[("AWS_EC2_METADATA_DISABLED", "true")]);
    let said = off.refusal(&ecr(fake.endpoint(""))).await;
    assert_says(&said, &["is disabled"]);
}

#[tokio::test]
async fn keys_are_not_carried_to_where_a_redirect_leads() {
    let thief = Fake::start(|_| plain(200, "{}")).await;
    let address = format!("http://{}/", thief.host);
    let fake =
        Fake::start(move |_| (307, String::new(), Some(("location", address.clone())))).await;
    let lab = Lab::new(HOST, &[]);
    let ecr = Cloud::Ecr(Ecr {
        source: static_keys(&lab, "AKIDEXAMPLE", "s3cret"),
        endpoint: Some(fake.endpoint("")),
        ..Ecr::default()
    });
    assert_says(&lab.refusal(&ecr).await, &["refuses with status 307"]);
    assert!(thief.lines().is_empty());
}

#[tokio::test]
async fn container_credentials_come_from_near() {
    for (name, value) in [
        (
            "AWS_CONTAINER_CREDENTIALS_FULL_URI",
            "http://evil.example/x",
        ),
        ("AWS_CONTAINER_CREDENTIALS_RELATIVE_URI", "//evil.example/x"),
        (
            "AWS_CONTAINER_CREDENTIALS_RELATIVE_URI",
            "http://evil.example/x",
        ),
    ] {
        let lab = Lab::new(HOST, &[(name, value)]);
        let said = lab.refusal(&Cloud::Ecr(Ecr::default())).await;
        assert_says(&said, &["container credentials endpoint can't be used"]);
    }
}
