//! What receivers are told after a push, and that none of them keeps a pass from its work.

#![expect(
    clippy::unwrap_used,
    reason = "helpers of tests fail by panicking, as tests do"
)]

use ring::hmac;
use tagwright::notify::{Error, Kind, Nudge, Pushed};
use tagwright::secret::Secret;

use crate::binary::Fleet;
use crate::fake_server::{Reply, Request, Server};
use crate::parts::wait_until;
use crate::scenario::SHOP;

const POD: (&str, &str) = ("apps/shop.yaml", "image: HOST/acme/shop:1.0.0\n");

/// What the receivers share with us.
const SECRET: &str = "a shared secret";

fn secret(folder: &std::path::Path) -> Secret {
    let file = folder.join("secret");
    std::fs::write(&file, format!("{SECRET}\n")).unwrap();
    Secret::File(file)
}

fn pushed() -> Pushed {
    Pushed {
        repository: "ssh://git@git.example.com/acme/fleet.git".to_owned(),
        branch: "main".to_owned(),
        before: "a".repeat(40),
        after: "b".repeat(40),
        files: ["apps/shop.yaml".to_owned()].into(),
    }
}

/// Checks a signature as Flux's receiver and GitHub's clients do.
fn is_signed(request: &Request, header: &str) -> bool {
    let Some(hex) = request
        .header(header)
        .and_then(|text| text.strip_prefix("sha256="))
    else {
        return false;
    };
    let bytes: Vec<u8> = (0..hex.len() / 2)
        .map(|at| u8::from_str_radix(&hex[2 * at..2 * at + 2], 16).unwrap())
        .collect();
    let key = hmac::Key::new(hmac::HMAC_SHA256, SECRET.as_bytes());
    hmac::verify(&key, request.body.as_bytes(), &bytes).is_ok()
}

fn nudge(kind: Kind, server: &Server, secret: Option<Secret>) -> Nudge {
    Nudge {
        kind,
        url: format!("http://{}/hook/1", server.host()).parse().unwrap(),
        secret,
    }
}

#[tokio::test]
async fn each_receiver_is_told_in_its_own_words() {
    let folder = tempfile::tempdir().unwrap();
    let secret = secret(folder.path());
    let server = Server::start(|_, _| Reply::json(200, "{}")).await;
    for kind in [Kind::Flux, Kind::ArgoCd, Kind::Any] {
        let nudge = nudge(kind, &server, Some(secret.clone()));
        nudge.tell(&pushed()).await.unwrap();
    }
    nudge(Kind::Any, &server, None)
        .tell(&pushed())
        .await
        .unwrap();
    let seen = server.seen();
    let [flux, argocd, any, unsigned] = &seen[..] else {
        panic!("{seen:?}")
    };
    assert!(seen.iter().all(|request| request.method == "POST"));
    assert!(is_signed(flux, "x-signature"));
    assert!(is_signed(any, "x-signature"));
    assert!(is_signed(argocd, "x-hub-signature-256"));
    assert!(unsigned.header("x-signature").is_none());
    let body =
        |request: &Request| serde_json::from_str::<serde_json::Value>(&request.body).unwrap();
    assert_eq!(body(any)["branch"], "main");
    assert_eq!(body(any)["after"], "b".repeat(40));
    assert_eq!(argocd.header("x-github-event"), Some("push"));
    let event = body(argocd);
    assert_eq!(event["ref"], "refs/heads/main");
    assert_eq!(
        event["repository"]["html_url"],
        "https://git.example.com/acme/fleet"
    );
    assert_eq!(event["commits"][0]["modified"][0], "apps/shop.yaml");
}

#[tokio::test]
async fn a_receiver_that_fails_is_told_again_and_one_that_refuses_is_not() {
    let server = Server::start(|_, before| Reply::json([503, 200][before.min(1)], "")).await;
    nudge(Kind::Any, &server, None)
        .tell(&pushed())
        .await
        .unwrap();
    assert_eq!(server.seen().len(), 2);

    let server = Server::start(|_, _| Reply::json(404, "")).await;
    let error = nudge(Kind::Flux, &server, None).tell(&pushed()).await;
    assert!(
        matches!(error, Err(Error::Refused { status: 404, .. })),
        "{error:?}"
    );
    assert_eq!(server.seen().len(), 1);
    let words = error.unwrap_err().to_string();
    assert!(!words.contains("hook"), "a path may be a secret: {words}");

    let missing = Some(Secret::File("/nowhere".into()));
    let error = nudge(Kind::Flux, &server, missing).tell(&pushed()).await;
    assert!(matches!(error, Err(Error::Secret { .. })), "{error:?}");
    assert_eq!(server.seen().len(), 1, "nothing goes out unsigned");
}

/// A fleet whose pushes `server` is told of.
fn fleet(server: &Server) -> Option<Fleet> {
    let keys = format!(
        "policies: [policies/]\ninterval: 1s\nafterPush: [{{url: \"http://{}/\"}}]",
        server.host()
    );
    let fleet = Fleet::configured(&[SHOP, POD], &keys, "")?;
    fleet.scenario.push("acme/shop", &["1.0.0", "1.1.0"]);
    Some(fleet)
}

fn runtime() -> tokio::runtime::Runtime {
    tokio::runtime::Runtime::new().unwrap()
}

#[test]
fn sync_tells_of_what_it_pushed_and_does_not_mind_who_listens() {
    let runtime = runtime();
    let server = runtime.block_on(Server::start(|_, _| Reply::json(404, "")));
    let Some(fleet) = fleet(&server) else { return };
    let ran = fleet.place.run(&["sync"]).exits(0);
    assert!(ran.stderr.contains("HTTP 404"), "{}", ran.stderr);
    let told: serde_json::Value = serde_json::from_str(&server.seen()[0].body).unwrap();
    assert_eq!(told["after"], fleet.scenario.repo.head());
    fleet.place.run(&["sync"]).exits(0);
    assert_eq!(server.seen().len(), 1, "nothing was pushed");
}

#[test]
fn serve_tells_of_what_it_pushed() {
    let runtime = runtime();
    let server = runtime.block_on(Server::start(|_, _| Reply::json(200, "")));
    let Some(fleet) = fleet(&server) else { return };
    let mut service = fleet.place.start(&["serve"]);
    wait_until("the receiver is told", || !server.seen().is_empty());
    service.kill().unwrap();
    service.wait().unwrap();
    let told: serde_json::Value = serde_json::from_str(&server.seen()[0].body).unwrap();
    assert_eq!(told["after"], fleet.scenario.repo.head());
}
