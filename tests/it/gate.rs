//! What a gate's answers mean, whatever it sends.

#![expect(
    clippy::unwrap_used,
    reason = "helpers of tests fail by panicking, as tests do"
)]

use std::time::Duration;

use tagwright::gate::{Gate, Question, Verdict};
use tagwright::image::Digest;
use tagwright::secret::Secret;

use crate::fake_server::{Body, Reply, Server};

fn gate(url: &str) -> Gate {
    Gate {
        name: "slo".to_owned(),
        address: url.parse().unwrap(),
        token: None,
        ca_pem: None,
        timeout: Duration::from_secs(10),
        interval: Duration::from_secs(60),
    }
}

fn question() -> Question {
    Question {
        app: "shop".to_owned(),
        stage: "live".to_owned(),
        image: "ghcr.io/acme/shop".parse().unwrap(),
        tag: "1.1.0".parse().unwrap(),
        digest: Digest::of(b"1.1.0"),
    }
}

async fn ask(gate: &Gate) -> String {
    let client = gate.client().unwrap();
    match gate.ask(&client, &question()).await {
        Verdict::Green => "yes".to_owned(),
        Verdict::No { status, words } => format!("{status} {words}"),
        Verdict::Silent(words) => format!("silent: {words}"),
    }
}

fn text(status: u16, body: &str) -> Reply {
    Reply::with(status, Body::Whole(body.as_bytes().to_vec()))
}

#[tokio::test]
async fn only_success_is_yes() {
    let long = "é".repeat(100_000);
    for (reply, told) in [
        (text(200, ""), "yes"),
        (text(204, ""), "yes"),
        (text(299, "no"), "yes"),
        // The status is there; what follows it does not matter.
        (Reply::with(200, Body::Cut(b"x".to_vec())), "yes"),
        (text(404, ""), "404 "),
        (
            text(503, "error budget spent\nsince Monday"),
            "503 error budget spent",
        ),
        (text(500, "<html><body>oh</body></html>"), "500 "),
        (text(304, ""), "304 it leads elsewhere"),
        (
            Reply::with(503, Body::Cut(b"budget ".to_vec())),
            "503 budget",
        ),
        (
            Reply::with(503, Body::Endless(b"spent\n".to_vec(), b"more\n".to_vec())),
            "503 spent",
        ),
        (
            Reply::with(503, Body::Endless(b"x".to_vec(), b"y".to_vec())),
            "503 xyyy",
        ),
        (text(503, &long), "503 éé"),
    ] {
        let server = Server::start(move |_, _| reply.clone()).await;
        let told_now = ask(&gate(&format!("http://{}/", server.host()))).await;
        let is_as_told = match told {
            "503 xyyy" | "503 éé" => told_now.starts_with(told) && told_now.chars().count() < 210,
            _ => told_now == told,
        };
        assert!(is_as_told, "{told}: {told_now}");
        assert_eq!(server.seen().len(), 1);
    }
}

#[tokio::test]
async fn what_it_is_asked_is_in_the_url() {
    let server = Server::start(|_, _| text(200, "")).await;
    let url = format!(
        "http://{}/gate/{{app}}?i={{image}}&d={{digest}}",
        server.host()
    );
    assert_eq!(ask(&gate(&url)).await, "yes");
    let digest = Digest::of(b"1.1.0").to_string().replace(':', "%3A");
    let wanted = format!("/gate/shop?i=ghcr.io%2Facme%2Fshop&d={digest}");
    let seen = server.seen();
    assert_eq!(
        (seen[0].method.as_str(), seen[0].target.as_str()),
        ("GET", wanted.as_str())
    );
    assert_eq!(seen[0].header("authorization"), None);
}

#[tokio::test]
async fn nothing_is_followed_to_another_host() {
    let other = Server::start(|_, _| text(200, "")).await;
    let elsewhere = format!("http://{}/", other.host());
    let server = Server::start(move |request, _| match request.path() {
        "/there" => text(200, ""),
        "/within" => text(302, "").header("location", "/there"),
        _ => text(302, "").header("location", elsewhere.clone()),
    })
    .await;
    let at = |path: &str| gate(&format!("http://{}{path}", server.host()));
    assert_eq!(ask(&at("/within")).await, "yes");
    assert_eq!(ask(&at("/away")).await, "302 it leads elsewhere");
    assert_eq!(other.seen().len(), 0);
}

#[tokio::test]
async fn a_token_goes_to_the_gate_and_is_never_told() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("token");
    std::fs::write(&file, "t0ken\n").unwrap();
    let server = Server::start(|request, _| {
        let token = request.header("authorization").unwrap_or_default();
        text(403, &format!("you are {token}"))
    })
    .await;
    let with = |url: String| Gate {
        token: Some(Secret::File(file.clone())),
        ..gate(&url)
    };
    let known = with(format!("http://{}/", server.host()));
    assert_eq!(ask(&known).await, "403 you are Bearer …");
    assert_eq!(
        server.seen()[0].header("authorization"),
        Some("Bearer t0ken")
    );

    let plain = with("http://gate.example/".to_owned());
    assert!(
        ask(&plain)
            .await
            .starts_with("silent: its token would go over plain HTTP")
    );
    std::fs::write(&file, "to\nken").unwrap();
    assert_eq!(
        ask(&known).await,
        "silent: its token has characters that no token has"
    );
    std::fs::remove_file(&file).unwrap();
    let told = ask(&known).await;
    assert!(told.starts_with("silent: the secret file"), "{told}");
    assert_eq!(server.seen().len(), 1);
}

#[tokio::test]
async fn silence_is_not_yes() {
    let closed = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let address = closed.local_addr().unwrap();
    // Connections wait in the queue of a listener that accepts none.
    let mute = Gate {
        timeout: Duration::from_secs(1),
        ..gate(&format!("http://{address}/s3cret"))
    };
    assert_eq!(ask(&mute).await, "silent: no answer within 1 s");
    drop(closed);
    let told = ask(&mute).await;
    assert!(
        told.starts_with("silent: ") && !told.contains("s3cret"),
        "{told}"
    );

    let broken = Gate {
        ca_pem: Some("/nowhere/ca.pem".into()),
        ..mute
    };
    let words = broken.client().unwrap_err().to_string();
    assert!(words.contains("/nowhere/ca.pem"), "{words}");
}
