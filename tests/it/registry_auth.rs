//! Signing in to registries: what is sent where, in which order, and never elsewhere.

#![expect(
    clippy::unwrap_used,
    reason = "what a test can't set up is a failure of that test"
)]

use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use tagwright::clock::Clock;
use tagwright::image::Image;
use tagwright::registry::poller::{self, KeptTimes, Patience, Poller, Seen};
use tagwright::registry::{Access, Account, As, Client, Credentials, Error, Fault, Limits, Scheme};
use tagwright::secret::Secret;

use crate::fake_server::{Reply, Request, Server};

/// `bot:s3cret`, as RFC 7617 encodes it.
const BASIC: &str = "Basic Ym90OnMzY3JldA==";

/// A registry that admits one `Authorization` and says how to get it with a challenge.
struct Asked {
    client: Client,
    image: Image,
}

impl Asked {
    fn new(server: &Server, credentials: Credentials) -> Self {
        let account = Account {
            scheme: Scheme::PlainHttp,
            credentials,
            ..Account::anonymous(server.host())
        };
        let limits = Limits {
            backoff: Duration::from_millis(1),
            ..Limits::default()
        };
        Self {
            client: Client::with_limits(vec![account], Clock::system(), limits).unwrap(),
            image: format!("{}/acme/shop", server.host()).parse().unwrap(),
        }
    }

    /// How many requests a listing took.
    async fn requests(&self) -> Result<u32, Error> {
        let account = self.client.account_for(&self.image, Access::All);
        let listing = self.client.tags(&self.image, account).await?;
        Ok(listing.requests)
    }

    async fn fault(&self) -> Fault {
        match self.requests().await.unwrap_err() {
            Error::Tags { source, .. } => *source,
            other => panic!("{other:?}"),
        }
    }
}

fn bot(folder: &Path) -> Credentials {
    let path = folder.join("password");
    std::fs::write(&path, "s3cret").unwrap();
    Credentials::Basic {
        username: "bot".to_owned(),
        password: Secret::File(path),
    }
}

fn tempdir() -> tempfile::TempDir {
    tempfile::tempdir().unwrap()
}

/// A registry and token server in one: `/token` is answered by `token`, the rest needs `Bearer TOKEN`
/// for one of `good`.
async fn bearer(
    good: &'static [&'static str],
    token: impl Fn(&Request, usize) -> Reply + Send + Sync + 'static,
) -> Server {
    Server::start(move |request, count| {
        if request.path() == "/token" {
            return token(request, count);
        }
        let sent = request.header("authorization").unwrap_or_default();
        if good.iter().any(|token| sent == format!("Bearer {token}")) {
            return Reply::tags(&["a"]);
        }
        let realm = format!("http://{}/token", request.header("host").unwrap());
        let challenge = format!(
            "Bearer realm=\"{realm}\",service=\"reg\",scope=\"repository:user/image:pull\""
        );
        Reply::json(401, "{}").header("www-authenticate", challenge)
    })
    .await
}

fn grant(token: &str) -> Reply {
    Reply::json(200, format!("{{\"token\":\"{token}\",\"expires_in\":300}}"))
}

#[tokio::test]
async fn an_anonymous_token_is_fetched_once_and_kept() {
    let server = bearer(&["t"], |_, _| grant("t")).await;
    let asked = Asked::new(&server, Credentials::Anonymous);
    assert_eq!(asked.requests().await.unwrap(), 3);
    assert_eq!(asked.requests().await.unwrap(), 1);
    let seen = server.seen();
    assert_eq!(seen[0].header("authorization"), None);
    assert_eq!(
        seen[1].target,
        "/token?scope=repository%3Aacme%2Fshop%3Apull&service=reg"
    );
    assert_eq!(seen[1].header("authorization"), None);
    assert_eq!(seen[3].header("authorization"), Some("Bearer t"));
}

#[tokio::test]
async fn a_password_goes_to_the_token_server_only() {
    let folder = tempdir();
    let server = bearer(&["t"], |request, _| match request.header("authorization") {
        Some(BASIC) => grant("t"),
        _ => Reply::json(401, "{}"),
    })
    .await;
    assert_eq!(
        Asked::new(&server, bot(folder.path()))
            .requests()
            .await
            .unwrap(),
        3
    );
    let passwords = server
        .seen()
        .into_iter()
        .filter(|r| r.header("authorization") == Some(BASIC));
    assert!(
        passwords
            .map(|request| request.target)
            .all(|target| target.starts_with("/token"))
    );
}

#[tokio::test]
async fn the_best_of_several_challenges_is_answered() {
    let folder = tempdir();
    for one_header in [true, false] {
        let server = Server::start(move |request, _| {
            match (request.path(), request.header("authorization")) {
                ("/token", Some(BASIC)) => return grant("t"),
                (_, Some("Bearer t")) => return Reply::tags(&["a"]),
                _ => {}
            }
            let basic = "Basic realm=\"a, b\"";
            let bearer = format!(
                "Bearer realm=\"http://{}/token\"",
                request.header("host").unwrap()
            );
            let reply = Reply::json(401, "{}").header("www-authenticate", "Negotiate");
            if one_header {
                reply.header("www-authenticate", format!("{basic}, {bearer}"))
            } else {
                reply
                    .header("www-authenticate", basic)
                    .header("WWW-Authenticate", bearer)
            }
        })
        .await;
        assert_eq!(
            Asked::new(&server, bot(folder.path()))
                .requests()
                .await
                .unwrap(),
            3
        );
    }
}

async fn basic(good: &'static str) -> Server {
    Server::start(move |request, _| match request.header("authorization") {
        Some(sent) if sent == good => Reply::tags(&["a"]),
        _ => Reply::json(
            401,
            r#"{"errors":[{"code":"UNAUTHORIZED","message":"authentication required"}]}"#,
        )
        .header("www-authenticate", "Basic realm=\"r\""),
    })
    .await
}

#[tokio::test]
async fn a_password_is_sent_where_it_is_asked_for() {
    let folder = tempdir();
    let server = basic(BASIC).await;
    let asked = Asked::new(&server, bot(folder.path()));
    assert_eq!(asked.requests().await.unwrap(), 2);
    assert_eq!(asked.requests().await.unwrap(), 1);
    let nobody = Asked::new(&server, Credentials::Anonymous).fault().await;
    assert!(
        matches!(
            &nobody,
            Fault::Unauthorized {
                who: As::Nobody,
                ..
            }
        ),
        "{nobody}"
    );
    assert!(
        nobody.to_string().contains("authentication required"),
        "{nobody}"
    );
}

#[tokio::test]
async fn a_rotated_password_counts_at_once() {
    let folder = tempdir();
    // `bot:new`
    let server = basic("Basic Ym90Om5ldw==").await;
    let asked = Asked::new(&server, bot(folder.path()));
    let refused = asked.fault().await;
    assert!(matches!(&refused, Fault::Unauthorized { who: As::User(user), .. } if user == "bot"));
    assert_eq!(server.seen().len(), 2);
    // The same password again is refused with one request.
    asked.fault().await;
    assert_eq!(server.seen().len(), 3);
    std::fs::write(folder.path().join("password"), "new").unwrap();
    assert_eq!(asked.requests().await.unwrap(), 1);
}

#[tokio::test]
async fn an_identity_token_is_posted() {
    let folder = tempdir();
    let server = bearer(&["t"], |request, _| {
        let wanted = "grant_type=refresh_token&client_id=tagwright&refresh_token=id%2Btoken";
        match request.method.as_str() {
            "POST" if request.body.contains(wanted) => Reply::json(200, r#"{"access_token":"t"}"#),
            _ => Reply::json(400, r#"{"error":"unsupported_grant_type"}"#),
        }
    })
    .await;
    let asked = Asked::new(&server, identity(folder.path(), &server));
    assert_eq!(asked.requests().await.unwrap(), 3);
}

/// The identity token `id+token` for a server.
fn identity(folder: &Path, server: &Server) -> Credentials {
    docker_config(folder, server, "\"identitytoken\": \"id+token\"")
}

/// A Docker configuration with these fields for a server.
fn docker_config(folder: &Path, server: &Server, fields: &str) -> Credentials {
    let config = folder.join("config.json");
    let text = format!("{{\"auths\": {{\"{}\": {{{fields}}}}}}}", server.host());
    std::fs::write(&config, text).unwrap();
    Credentials::DockerConfig(config)
}

#[tokio::test]
async fn a_registry_token_goes_to_the_registry_only() {
    let folder = tempdir();
    let server = bearer(&["rt"], |_, _| grant("other")).await;
    let token = |token| {
        let fields = format!("\"registrytoken\": \"{token}\"");
        docker_config(folder.path(), &server, &fields)
    };
    let asked = Asked::new(&server, token("rt"));
    assert_eq!(asked.requests().await.unwrap(), 2);
    assert_eq!(asked.requests().await.unwrap(), 1);
    token("wrong");
    let fault = asked.fault().await;
    assert!(
        matches!(
            &fault,
            Fault::Unauthorized {
                who: As::RegistryToken,
                ..
            }
        ),
        "{fault}"
    );
    let seen = server.seen();
    assert_eq!(seen.len(), 4, "a refused token is sent once");
    assert!(seen.iter().all(|request| request.path() != "/token"));
}

#[tokio::test]
async fn an_identity_token_is_not_carried_elsewhere() {
    let folder = tempdir();
    let other = Server::start(|_, _| grant("t")).await;
    let at = other.host();
    let server = bearer(&["t"], move |_, _| {
        Reply::json(307, "").header("location", format!("http://{at}/token"))
    })
    .await;
    let asked = Asked::new(&server, identity(folder.path(), &server));
    let fault = asked.fault().await;
    assert!(
        matches!(fault, Fault::TokenRefused { status: 307, .. }),
        "{fault}"
    );
    assert!(other.seen().is_empty());
}

#[tokio::test]
async fn a_refused_login_never_becomes_anonymous() {
    let folder = tempdir();
    let server = bearer(&["t"], |request, _| match request.header("authorization") {
        None => grant("t"),
        Some(_) => Reply::json(401, r#"{"details":"incorrect username or password"}"#),
    })
    .await;
    let fault = Asked::new(&server, bot(folder.path())).fault().await;
    assert!(
        matches!(&fault, Fault::TokenRefused { status: 401, .. }),
        "{fault}"
    );
    assert!(
        fault.to_string().contains("incorrect username or password"),
        "{fault}"
    );
    assert_eq!(server.seen().len(), 2);
}

#[tokio::test]
async fn a_token_with_too_few_rights_is_refused_once() {
    let server = bearer(&[], |_, count| grant(&format!("t{count}"))).await;
    let fault = Asked::new(&server, Credentials::Anonymous).fault().await;
    assert!(matches!(fault, Fault::Unauthorized { .. }), "{fault}");
    assert_eq!(server.seen().len(), 3);
}

#[tokio::test]
async fn a_revoked_token_is_replaced() {
    let server = Server::start(|request, count| match (request.path(), count) {
        ("/token", _) => grant(&format!("t{count}")),
        (_, 2 | 5) => Reply::tags(&["a"]),
        _ => {
            let realm = format!(
                "Bearer realm=\"http://{}/token\"",
                request.header("host").unwrap()
            );
            Reply::json(401, "{}").header("www-authenticate", realm)
        }
    })
    .await;
    let asked = Asked::new(&server, Credentials::Anonymous);
    assert_eq!(asked.requests().await.unwrap(), 3);
    assert_eq!(asked.requests().await.unwrap(), 3);
    let sent: Vec<_> = server
        .seen()
        .iter()
        .map(|r| r.header("authorization").map(str::to_owned))
        .collect();
    let bearer = |token: &str| Some(format!("Bearer {token}"));
    assert_eq!(
        sent,
        [None, None, bearer("t1"), bearer("t1"), None, bearer("t4")]
    );
}

#[tokio::test]
async fn what_gives_no_token_is_an_error() {
    for (reply, is_limit) in [
        (Reply::json(200, "<html>"), false),
        (Reply::json(200, "{}"), false),
        (
            Reply::json(200, format!("{{\"token\":\"{}\"}}", "x".repeat(100_000))),
            false,
        ),
        (Reply::json(429, "{}").header("retry-after", "60"), true),
    ] {
        let server = bearer(&["t"], move |_, _| reply.clone()).await;
        let error = Asked::new(&server, Credentials::Anonymous)
            .requests()
            .await
            .unwrap_err();
        let expected = match error.fault().unwrap() {
            Fault::RateLimited { .. } => is_limit,
            Fault::BadToken { .. } | Fault::TooLarge { .. } => !is_limit,
            _ => false,
        };
        assert!(expected, "{error:?}");
        assert_eq!(server.seen().len(), 2);
    }
}

#[tokio::test]
async fn a_way_to_sign_in_that_fails_is_asked_for_again() {
    let folder = tempdir();
    let server = bearer(&["t"], |request, _| match request.header("authorization") {
        Some(BASIC) => grant("t"),
        _ => Reply::json(401, "{}"),
    })
    .await;
    let asked = Asked::new(&server, bot(folder.path()));
    asked.requests().await.unwrap();
    std::fs::write(folder.path().join("password"), "wrong").unwrap();
    let mut seen = server.seen().len();
    // First where the last token came from, then where the registry says.
    for requests in [1, 2] {
        let fault = asked.fault().await;
        assert!(matches!(fault, Fault::TokenRefused { .. }), "{fault}");
        seen += requests;
        assert_eq!(server.seen().len(), seen);
    }
}

#[tokio::test]
async fn credentials_stay_at_the_registry_when_it_redirects() {
    let folder = tempdir();
    let other = Arc::new(Server::start(|_, _| Reply::tags(&["moved"])).await);
    let at = Arc::clone(&other);
    let server = Server::start(move |request, _| match request.header("authorization") {
        Some(BASIC) => {
            Reply::json(307, "").header("location", format!("http://{}/moved", at.host()))
        }
        _ => Reply::json(401, "{}").header("www-authenticate", "Basic realm=r"),
    })
    .await;
    Asked::new(&server, bot(folder.path()))
        .requests()
        .await
        .unwrap();
    let seen = other.seen();
    assert_eq!(seen.len(), 1);
    assert_eq!(seen[0].header("authorization"), None);
}

#[tokio::test]
async fn what_asks_for_credentials_after_a_redirect_gets_none() {
    let folder = tempdir();
    let other = Arc::new(basic(BASIC).await);
    let at = Arc::clone(&other);
    let server = Server::start(move |_, _| {
        Reply::json(302, "").header("location", format!("http://{}/", at.host()))
    })
    .await;
    let fault = Asked::new(&server, bot(folder.path())).fault().await;
    assert!(matches!(fault, Fault::Unauthorized { .. }), "{fault}");
    assert!(
        other
            .seen()
            .iter()
            .all(|request| request.header("authorization").is_none())
    );
    assert_eq!(server.seen().len(), 1);
}

#[tokio::test]
async fn no_token_is_asked_for_at_a_suspicious_place() {
    let server = Server::start(|_, _| {
        let challenge = "Bearer realm=\"http://169.254.169.254/latest\"";
        Reply::json(401, "{}").header("www-authenticate", challenge)
    })
    .await;
    let fault = Asked::new(&server, Credentials::Anonymous).fault().await;
    assert!(
        matches!(&fault, Fault::Realm { realm, .. } if realm.contains("169.254")),
        "{fault}"
    );
}

#[tokio::test]
async fn an_account_is_not_lent_to_another_registry() {
    let folder = tempdir();
    let server = basic(BASIC).await;
    let other = basic(BASIC).await;
    let asked = Asked::new(&server, bot(folder.path()));
    let account = asked.client.account_for(&asked.image, Access::All);
    let image: Image = format!("{}/acme/shop", other.host()).parse().unwrap();
    // Without an account of its own the other one is asked over TLS, which it doesn't speak.
    let error = asked.client.tags(&image, account).await.unwrap_err();
    assert!(
        matches!(error.fault(), Some(Fault::Tls { .. })),
        "{error:?}"
    );
    assert!(other.seen().is_empty());
}

#[tokio::test]
async fn unreadable_credentials_stop_the_request() {
    let folder = tempdir();
    let server = basic(BASIC).await;
    let missing = Credentials::DockerConfig(folder.path().join("none.json"));
    let fault = Asked::new(&server, missing).fault().await;
    assert!(matches!(fault, Fault::Credentials { .. }), "{fault}");
    assert!(server.seen().is_empty());
}

#[tokio::test]
async fn a_mended_password_ends_the_wait() {
    let server = Server::start(|request, _| match request.header("authorization") {
        Some(BASIC) => Reply::tags(&["1.0.0"]),
        _ => Reply::json(401, "{}").header("www-authenticate", "Basic realm=\"r\""),
    })
    .await;
    let folder = tempdir();
    let password = folder.path().join("password");
    std::fs::write(&password, "wrong").unwrap();
    let credentials = Credentials::Basic {
        username: "bot".to_owned(),
        password: Secret::File(password.clone()),
    };
    let Asked { client, image } = Asked::new(&server, credentials);
    let watched = [poller::Image {
        key: (image.clone(), client.account_for(&image, Access::All)),
        interval: Duration::from_secs(3600),
        times: false,
    }];
    let poller = Poller::new(client, Clock::system(), KeptTimes::default(), []);
    let list = async || {
        let mut seen = poller.list("fleet", &watched, Patience::Due).await;
        seen.remove(0)
    };
    poller.recheck().await;
    assert!(matches!(list().await, Seen::Failed(_)));
    let asked = server.seen().len();
    poller.recheck().await;
    assert!(matches!(list().await, Seen::Failed(_)));
    assert_eq!(server.seen().len(), asked, "nothing has changed");
    std::fs::write(&password, "s3cret").unwrap();
    poller.recheck().await;
    assert!(matches!(list().await, Seen::Listed { .. }));
}
