//! What a token server answers, case by case.

use super::*;

use std::sync::atomic::{AtomicU32, Ordering};

use reqwest::header::HeaderMap;

fn key() -> Key {
    Key {
        realm: Url::parse("https://auth.example/token?account=x").unwrap(),
        service: Some("reg".to_owned()),
        scope: "repository:acme/shop:pull".to_owned(),
        login: Login::Anonymous.fingerprint(),
    }
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
        let token = tokens.get(key(), None, now, || server.grant(300)).await;
        assert_eq!(token.unwrap().expose_secret(), wanted, "after {second} s");
    }
}

#[tokio::test]
async fn a_refused_token_is_replaced_once() {
    let (tokens, server) = (Tokens::default(), Numbered::default());
    let now = Instant::now();
    let first = tokens
        .get(key(), None, now, || server.grant(60))
        .await
        .unwrap();
    for _ in 0..2 {
        let again = tokens
            .get(key(), Some(&first), now, || server.grant(60))
            .await;
        assert_eq!(again.unwrap().expose_secret(), "t1");
    }
}

#[tokio::test]
async fn one_request_serves_all_who_wait() {
    let (tokens, server) = (Tokens::default(), Numbered::default());
    let now = Instant::now();
    let get = || tokens.get(key(), None, now, || server.grant(60));
    let (a, b, c) = tokio::join!(get(), get(), get());
    for token in [a, b, c] {
        assert_eq!(token.unwrap().expose_secret(), "t0");
    }
    let other = Key {
        scope: "repository:acme/web:pull".to_owned(),
        ..key()
    };
    let token = tokens.get(other, None, now, || server.grant(60)).await;
    assert_eq!(token.unwrap().expose_secret(), "t1");
}

#[tokio::test]
async fn a_failure_is_not_kept() {
    let (tokens, server) = (Tokens::default(), Numbered::default());
    let now = Instant::now();
    let down = async || {
        Err(Fault::Timeout {
            host: "auth.example".to_owned(),
        })
    };
    assert!(tokens.get(key(), None, now, down).await.is_err());
    assert!(
        tokens
            .get(key(), None, now, || server.grant(60))
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
    let anonymous = ask(&key(), &Login::Anonymous, String::new());
    assert_eq!(
        anonymous.url.query(),
        Some("account=x&scope=repository%3Aacme%2Fshop%3Apull&service=reg")
    );
    assert!(matches!(anonymous.authorization, Authorization::None));
    let basic = ask(
        &key(),
        &Login::Basic("u".to_owned(), "p".into()),
        String::new(),
    );
    assert_eq!(basic.method, Method::GET);
    assert!(matches!(basic.authorization, Authorization::Basic(user, _) if user == "u"));
    let identity = ask(&key(), &Login::IdentityToken("a&b".into()), String::new());
    assert_eq!((identity.method, identity.url), (Method::POST, key().realm));
    assert_eq!(
        identity.body.unwrap().text.expose_secret(),
        "scope=repository%3Aacme%2Fshop%3Apull&service=reg&grant_type=refresh_token&client_id=tagwright&refresh_token=a%26b"
    );
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
