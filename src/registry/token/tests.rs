//! What a token server answers, case by case.

use super::server::{Told, ask, granted};
use super::*;

use std::sync::atomic::{AtomicU32, Ordering};

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use reqwest::Method;
use reqwest::header::HeaderMap;

use crate::registry::exchange::{Authorization, Reply};
use crate::registry::login::Login;

fn server() -> Server {
    Server {
        realm: Url::parse("https://auth.example/token?account=x").unwrap(),
        service: Some("reg".to_owned()),
    }
}

fn scope(name: &str) -> String {
    format!("repository:acme/{name}:pull")
}

fn key_of(name: &str) -> Key {
    Key {
        server: server(),
        scope: scope(name),
        login: Login::Anonymous.fingerprint(),
    }
}

fn key() -> Key {
    key_of("shop")
}

async fn nobody() -> Vec<String> {
    Vec::new()
}

/// A token server that numbers its tokens.
#[derive(Default)]
struct Numbered(AtomicU32);

impl Numbered {
    async fn grant(&self, lifetime: u64) -> Result<Granted, Fault> {
        tokio::task::yield_now().await;
        let number = self.0.fetch_add(1, Ordering::Relaxed);
        Ok(Granted {
            value: SecretString::from(format!("t{number}")),
            lifetime: Duration::from_secs(lifetime),
            told: None,
        })
    }
}

#[tokio::test]
async fn a_token_is_kept_until_shortly_before_its_end() {
    let (tokens, server) = (Tokens::default(), Numbered::default());
    let start = Instant::now();
    for (second, wanted) in [
        (0, "t0"),
        (269, "t0"),
        (271, "t1"),
        (540, "t1"),
        (600, "t2"),
    ] {
        let now = start + Duration::from_secs(second);
        let token = tokens
            .get(&key(), None, nobody(), now, |_| server.grant(300))
            .await;
        assert_eq!(
            token.unwrap().value.expose_secret(),
            wanted,
            "after {second} s"
        );
    }
}

#[tokio::test]
async fn a_refused_token_is_replaced_once() {
    let (tokens, server) = (Tokens::default(), Numbered::default());
    let now = Instant::now();
    let first = tokens
        .get(&key(), None, nobody(), now, |_| server.grant(60))
        .await
        .unwrap();
    for _ in 0..2 {
        let again = tokens
            .get(&key(), Some(&first.value), nobody(), now, |_| {
                server.grant(60)
            })
            .await;
        assert_eq!(again.unwrap().value.expose_secret(), "t1");
    }
}

#[tokio::test]
async fn one_request_serves_all_who_wait() {
    let (tokens, server) = (Tokens::default(), Numbered::default());
    let now = Instant::now();
    let own = key();
    let get = || tokens.get(&own, None, nobody(), now, |_| server.grant(60));
    let (a, b, c) = tokio::join!(get(), get(), get());
    for token in [a, b, c] {
        assert_eq!(token.unwrap().value.expose_secret(), "t0");
    }
    let other = key_of("web");
    let token = tokens
        .get(&other, None, nobody(), now, |_| server.grant(60))
        .await;
    assert_eq!(token.unwrap().value.expose_secret(), "t1");
}

#[tokio::test]
async fn a_failure_is_not_kept() {
    let (tokens, server) = (Tokens::default(), Numbered::default());
    let now = Instant::now();
    let down = async |_| {
        Err(Fault::Timeout {
            host: "auth.example".to_owned(),
        })
    };
    assert!(tokens.get(&key(), None, nobody(), now, down).await.is_err());
    assert!(
        tokens
            .get(&key(), None, nobody(), now, |_| server.grant(60))
            .await
            .is_ok()
    );
}

#[test]
fn the_margin_never_eats_a_short_lifetime() {
    for (lifetime, wanted) in [
        (2, 1),
        (10, 5),
        (60, 54),
        (300, 270),
        (1_000_000, 12 * 3600 - 12 * 360),
    ] {
        let lifetime = Duration::from_secs(lifetime);
        assert_eq!(
            useful(lifetime),
            Duration::from_secs(wanted),
            "{lifetime:?}"
        );
    }
}

fn reply(body: &str) -> Reply {
    Reply {
        host: "auth.example".to_owned(),
        status: StatusCode::OK,
        headers: HeaderMap::new(),
        url: Url::parse("https://auth.example/token").unwrap(),
        body: body.as_bytes().to_vec(),
    }
}

#[test]
fn both_names_and_all_lifetimes_are_read() {
    for (body, token, seconds) in [
        (r#"{"token":"a"}"#, "a", 60),
        (r#"{"access_token":"b","expires_in":300}"#, "b", 300),
        (
            r#"{"token":"","access_token":"c","expires_in":"900"}"#,
            "c",
            900,
        ),
        (
            r#"{"token":"a","access_token":"c","expires_in":0}"#,
            "a",
            60,
        ),
        (
            r#"{"token":"a","expires_in":-1,"refresh_token":"r"}"#,
            "a",
            60,
        ),
        (r#"{"token":"a","expires_in":1e300}"#, "a", 12 * 3600),
    ] {
        let granted = granted(&reply(body)).unwrap();
        assert_eq!(granted.value.expose_secret(), token, "{body}");
        assert_eq!(granted.lifetime, Duration::from_secs(seconds), "{body}");
    }
}

#[test]
fn what_holds_no_token_is_an_error() {
    for body in [
        "",
        "<html>",
        "[]",
        "{}",
        r#"{"token":""}"#,
        r#"{"token":"a\r\nX: y"}"#,
        r#"{"token":1}"#,
    ] {
        let error = granted(&reply(body)).unwrap_err();
        assert!(matches!(error, Fault::BadToken { .. }), "{body}");
    }
}

#[test]
fn a_password_is_sent_with_get_and_an_identity_token_with_post() {
    let scopes = [scope("shop"), scope("web")];
    let anonymous = ask(&server(), &scopes, &Login::Anonymous, String::new());
    assert_eq!(
        anonymous.url.query(),
        Some(
            "account=x&scope=repository%3Aacme%2Fshop%3Apull&scope=repository%3Aacme%2Fweb%3Apull&service=reg"
        )
    );
    assert!(matches!(anonymous.authorization, Authorization::None));
    let login = Login::Basic("u".to_owned(), "p".into());
    let basic = ask(&server(), &scopes, &login, String::new());
    assert_eq!(basic.method, Method::GET);
    assert!(matches!(basic.authorization, Authorization::Basic(user, _) if user == "u"));
    let login = Login::IdentityToken("a&b".into());
    let identity = ask(&server(), &scopes, &login, String::new());
    assert_eq!(
        (identity.method, identity.url),
        (Method::POST, server().realm)
    );
    assert_eq!(
        identity.body.unwrap().text.expose_secret(),
        "scope=repository%3Aacme%2Fshop%3Apull+repository%3Aacme%2Fweb%3Apull&service=reg&grant_type=refresh_token&client_id=tagwright&refresh_token=a%26b"
    );
}

/// A JSON Web Token with these claims, and nobody's signature.
fn jwt(claims: &str) -> String {
    format!("e30.{}.c2ln", URL_SAFE_NO_PAD.encode(claims))
}

#[test]
fn what_a_token_is_good_for_is_the_servers_word() {
    let of = |body: String| granted(&reply(&body)).unwrap().told;
    let token = |claims: &str| of(format!(r#"{{"token":"{}"}}"#, jwt(claims)));
    let shop = r#"{"type":"repository","name":"acme/shop","actions":["pull","push"]}"#;
    let told = token(&format!(r#"{{"access":[{shop}]}}"#)).unwrap();
    for (scope, covered) in [
        ("repository:acme/shop:pull", true),
        ("repository:acme/shop:pull,push", true),
        ("repository:acme/shop:pull,metadata_read", false),
        ("repository:acme/web:pull", false),
        ("registry:acme/shop:pull", false),
        ("acme", false),
        ("", false),
    ] {
        assert_eq!(told.covers(scope), covered, "{scope}");
    }
    let all = r#"{"access":[{"type":"repository","name":"acme/shop","actions":["*"]}]}"#;
    assert!(token(all).unwrap().covers("repository:acme/shop:pull"));
    for claims in [
        r#"{"access":[]}"#,
        r#"{"access":[{"type":"repository","name":"acme/shop"}]}"#,
    ] {
        let told: Told = token(claims).unwrap();
        assert!(!told.covers("repository:acme/shop:pull"), "{claims}");
    }
    for claims in [
        "{}",
        r#"{"access":null}"#,
        r#"{"access":"all"}"#,
        "no claims",
    ] {
        assert_eq!(token(claims), None, "{claims}");
    }
    let opaque = |scope: &str| of(format!(r#"{{"access_token":"t","scope":{scope}}}"#));
    let told = opaque(r#""repository:acme/shop:pull repository:acme/web:pull""#).unwrap();
    assert!(told.covers("repository:acme/web:pull") && !told.covers("repository:acme/x:pull"));
    for scope in ["null", r#""""#, r#""pull""#, "3"] {
        assert_eq!(opaque(scope), None, "{scope}");
    }
}

/// What is granted of what is asked for, if that is said; or the status of a refusal.
type Grants = fn(&[String]) -> Result<Option<Vec<String>>, u16>;

/// A token server that notes what it was asked for, and how it grants that.
struct Granting {
    asked: Mutex<Vec<Vec<String>>>,
    grants: Grants,
}

impl Granting {
    fn new(grants: Grants) -> Self {
        Self {
            asked: Mutex::default(),
            grants,
        }
    }

    async fn fetch(&self, scopes: Vec<String>) -> Result<Granted, Fault> {
        self.asked.lock().unwrap().push(scopes.clone());
        tokio::task::yield_now().await;
        let told = (self.grants)(&scopes).map_err(|status| Fault::TokenRefused {
            host: "auth.example".to_owned(),
            who: crate::registry::As::User("u".to_owned()),
            status,
            said: String::new(),
        })?;
        let access = told.map(|scopes| {
            let access = scopes.iter().map(|scope| {
                let name = scope.split(':').nth(1).unwrap();
                serde_json::json!({"type": "repository", "name": name, "actions": ["pull"]})
            });
            serde_json::json!({"access": access.collect::<Vec<_>>()}).to_string()
        });
        let token = access.map_or("opaque".to_owned(), |claims| jwt(&claims));
        granted(&reply(&serde_json::json!({"token": token}).to_string()))
    }

    /// The tokens of these images, asked for in this order in the company of all.
    async fn tokens(&self, tokens: &Tokens, names: &[&str]) -> Vec<Result<Proof, Fault>> {
        let mut proofs = Vec::new();
        for name in names {
            let key = key_of(name);
            let all = names.iter().map(|name| scope(name));
            let all = all.filter(|scope| *scope != key.scope).collect();
            let company = std::future::ready(all);
            let fetch = |scopes| self.fetch(scopes);
            let pass = tokens.get(&key, None, company, Instant::now(), fetch).await;
            proofs.push(pass.map(|pass| pass.proof));
        }
        proofs
    }

    fn counts(&self) -> Vec<usize> {
        self.asked.lock().unwrap().iter().map(Vec::len).collect()
    }
}

#[tokio::test]
async fn one_token_is_asked_for_several() {
    let server = Granting::new(|scopes| Ok(Some(scopes.to_vec())));
    let proofs = server.tokens(&Tokens::default(), &["a", "b", "c"]).await;
    assert!(
        proofs
            .into_iter()
            .all(|proof| proof.unwrap() == Proof::Told)
    );
    assert_eq!(server.counts(), [3]);
}

#[tokio::test]
async fn whoever_comes_meanwhile_waits_for_the_same_token() {
    let server = Granting::new(|scopes| Ok(Some(scopes.to_vec())));
    let tokens = Tokens::default();
    let all = ["a", "b", "c", "d"];
    let get = |name: &'static str| {
        let company = all.iter().filter(|other| **other != name);
        let company = std::future::ready(company.map(|name| scope(name)).collect());
        let (tokens, server) = (&tokens, &server);
        async move {
            let fetch = |scopes| server.fetch(scopes);
            let key = key_of(name);
            let pass = tokens.get(&key, None, company, Instant::now(), fetch);
            pass.await.unwrap().proof
        }
    };
    tokio::join!(get("a"), get("b"), get("c"), get("d"));
    assert_eq!(server.counts(), [4]);
}

#[tokio::test]
async fn a_server_that_says_nothing_is_believed_with_doubt() {
    let granting = Granting::new(|_| Ok(None));
    let tokens = Tokens::default();
    let proofs = granting.tokens(&tokens, &["a", "b"]).await;
    assert!(
        proofs
            .into_iter()
            .all(|proof| proof.unwrap() == Proof::Untold)
    );
    assert_eq!(granting.counts(), [2]);
    for status in [400, 401, 403, 404, 431] {
        let status = StatusCode::from_u16(status).unwrap();
        assert!(Proof::Untold.is_doubted_by(status) && !Proof::Own.is_doubted_by(status));
    }
    assert!(!Proof::Untold.is_doubted_by(StatusCode::OK));
    tokens.found_single(&server(), Instant::now());
    let later = granting.tokens(&tokens, &["c", "d"]).await;
    assert!(later.into_iter().all(|proof| proof.unwrap() == Proof::Own));
    assert_eq!(granting.counts(), [2, 1, 1]);
}

#[tokio::test]
async fn one_that_is_never_granted_does_not_spoil_it_for_others() {
    let server = Granting::new(|scopes| {
        let granted = scopes.iter().filter(|scope| !scope.contains("secret"));
        Ok(Some(granted.cloned().collect()))
    });
    let tokens = Tokens::default();
    let proofs = server.tokens(&tokens, &["a", "secret", "b"]).await;
    let proofs: Vec<Proof> = proofs.into_iter().map(Result::unwrap).collect();
    assert_eq!(proofs, [Proof::Told, Proof::Own, Proof::Told]);
    server.tokens(&tokens, &["secret", "c", "d"]).await;
    assert_eq!(server.counts(), [3, 1, 2], "it is asked for alone, once");
}

#[tokio::test]
async fn servers_that_take_one_scope_are_asked_for_one_from_then_on() {
    let first: Grants = |scopes| Ok(Some(scopes[..1].to_vec()));
    let none: Grants = |scopes| match scopes {
        [_] => Ok(None),
        _ => Err(400),
    };
    for (grants, counts) in [(first, [4, 1, 1, 1, 1, 1]), (none, [4, 1, 1, 1, 1, 1])] {
        let server = Granting::new(grants);
        let tokens = Tokens::default();
        let proofs = server.tokens(&tokens, &["a", "b", "c", "d"]).await;
        assert!(proofs.iter().all(Result::is_ok));
        server.tokens(&tokens, &["e", "f"]).await;
        assert_eq!(server.counts()[..counts.len()], counts);
    }
}

#[tokio::test]
async fn a_refused_login_is_not_tried_again_for_each() {
    let server = Granting::new(|_| Err(401));
    let proofs = server.tokens(&Tokens::default(), &["a", "b"]).await;
    assert!(proofs.iter().all(Result::is_err));
    assert_eq!(server.counts(), [2, 2], "as often as without company");
}

#[tokio::test]
async fn the_scopes_of_a_token_are_bounded() {
    let server = Granting::new(|scopes| Ok(Some(scopes.to_vec())));
    let names: Vec<String> = (0..100).map(|n| format!("app-{n}")).collect();
    let names: Vec<&str> = names.iter().map(String::as_str).collect();
    server.tokens(&Tokens::default(), &names).await;
    assert_eq!(server.counts(), [MAX_SCOPES; 5]);

    let server = Granting::new(|scopes| Ok(Some(scopes.to_vec())));
    let names: Vec<String> = (100..120)
        .map(|n| format!("{n}{}", "x".repeat(250)))
        .collect();
    let names: Vec<&str> = names.iter().map(String::as_str).collect();
    server.tokens(&Tokens::default(), &names).await;
    for scopes in server.asked.lock().unwrap().iter() {
        assert!(scopes.iter().map(String::len).sum::<usize>() <= MAX_SCOPE_TEXT);
    }
    assert_eq!(server.counts(), [7, 7, 6]);
}

#[test]
fn credentials_go_to_no_suspicious_place() {
    let check = |registry: &str, named: &str| realm(named, &Url::parse(registry).unwrap()).is_ok();
    for (registry, named) in [
        ("https://r.example/", "https://auth.example/token?x=1"),
        ("https://r.example/", "https://10.0.0.5/token"),
        ("https://169.254.1.1/", "https://169.254.1.1/token"),
        ("http://r.example/", "http://auth.example/token"),
        ("https://localhost:5000/", "http://127.0.0.1:5001/token"),
        ("https://127.0.0.1/", "https://localhost/token"),
    ] {
        assert!(check(registry, named), "{registry} {named}");
    }
    for (registry, named) in [
        ("https://r.example/", "http://auth.example/token"),
        ("https://r.example/", "ftp://auth.example/token"),
        ("https://r.example/", "/token"),
        ("https://r.example/", ""),
        ("https://r.example/", "https://u:p@auth.example/token"),
        ("https://r.example/", "https://169.254.169.254/latest"),
        ("https://r.example/", "https://0xA9FEA9FE/latest"),
        (
            "https://r.example/",
            "https://[::ffff:169.254.169.254]/latest",
        ),
        ("https://r.example/", "https://[fe80::1]/"),
        ("https://r.example/", "https://[fd00:ec2::254]/"),
        ("https://r.example/", "https://100.100.100.200/"),
        ("https://r.example/", "https://localhost/token"),
        ("https://r.example/", "https://127.9.9.9/token"),
        ("https://r.example/", "https://[::1]/token"),
        ("http://r.example/", "http://169.254.169.254/token"),
    ] {
        assert!(!check(registry, named), "{registry} {named}");
    }
}
