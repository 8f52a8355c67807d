//! The registry over the wire, by a plain HTTP client.

use jiff::Timestamp;
use reqwest::header::{HeaderMap, HeaderName};
use reqwest::{Method, Response};
use serde_json::{Value, json};

use super::*;
use crate::clock::Clock;

const INDEX: &str = "application/vnd.oci.image.index.v1+json";
const MANIFEST: &str = "application/vnd.oci.image.manifest.v1+json";

/// A running registry and a client of it.
struct Bench {
    registry: Registry,
    client: reqwest::Client,
}

impl Bench {
    fn new() -> Self {
        Self {
            registry: Registry::start().unwrap(),
            client: crate::http::client(&crate::http::Options::default()).unwrap(),
        }
    }

    fn with_tags(tags: &[&str]) -> Self {
        let bench = Self::new();
        for tag in tags {
            bench.registry.push("acme/shop", tag, &image(tag));
        }
        bench
    }

    fn ask(&self, method: Method, path: &str) -> reqwest::RequestBuilder {
        let url = format!("http://{}{path}", self.registry.host());
        self.client.request(method, url)
    }

    async fn get(&self, path: &str) -> Response {
        self.ask(Method::GET, path).send().await.unwrap()
    }

    async fn status(&self, path: &str) -> u16 {
        self.get(path).await.status().as_u16()
    }

    async fn json(&self, path: &str) -> Value {
        self.get(path).await.json().await.unwrap()
    }
}

fn image(payload: &str) -> ImageSpec {
    ImageSpec::new(Timestamp::UNIX_EPOCH, payload)
}

fn header(headers: &HeaderMap, name: &str) -> String {
    let name: HeaderName = name.parse().unwrap();
    headers
        .get(name)
        .map_or_else(String::new, |value| value.to_str().unwrap().to_owned())
}

#[tokio::test]
async fn pages_follow_each_other_to_the_end() {
    let bench = Bench::with_tags(&["1.10", "1.2", "1.9", "latest"]);
    let mut path = "/v2/acme/shop/tags/list?n=3".to_owned();
    let mut seen = Vec::new();
    loop {
        let response = bench.get(&path).await;
        let link = header(response.headers(), "link");
        let page: Value = response.json().await.unwrap();
        seen.push(page["tags"].clone());
        match link.strip_prefix('<').and_then(|link| link.split_once('>')) {
            Some((next, rest)) => {
                assert_eq!(rest, "; rel=\"next\"");
                path = next.to_owned();
            }
            None => break,
        }
    }
    assert_eq!(seen, [json!(["1.10", "1.2", "1.9"]), json!(["latest"])]);
    let none = bench.json("/v2/acme/shop/tags/list?n=0").await;
    assert_eq!(none["tags"], json!([]));
    assert_eq!(bench.status("/v2/acme/shop/tags/list?n=x").await, 400);
    assert_eq!(bench.status("/v2/acme/none/tags/list").await, 404);
    bench.registry.set_faults(Faults {
        page_cap: Some(2),
        ..Faults::default()
    });
    let capped = bench.json("/v2/acme/shop/tags/list").await;
    assert_eq!(capped["tags"], json!(["1.10", "1.2"]));
}

#[tokio::test]
async fn a_tag_is_an_index_to_those_who_accept_one() {
    let bench = Bench::with_tags(&["1.0"]);
    let digest = bench.registry.digest("acme/shop", "1.0").unwrap();
    for accept in ["*/*", INDEX, &format!("{MANIFEST}, {INDEX}")] {
        let request = bench.ask(Method::HEAD, "/v2/acme/shop/manifests/1.0");
        let response = request.header("accept", accept).send().await.unwrap();
        let headers = response.headers();
        assert_eq!(header(headers, "content-type"), INDEX, "{accept}");
        assert_eq!(header(headers, "docker-content-digest"), digest.as_str());
        assert_ne!(header(headers, "content-length"), "0");
    }
    let request = bench.ask(Method::GET, "/v2/acme/shop/manifests/1.0");
    let child = request.header("accept", MANIFEST).send().await.unwrap();
    assert_eq!(header(child.headers(), "content-type"), MANIFEST);
    let own = header(child.headers(), "docker-content-digest");
    let body = child.bytes().await.unwrap();
    assert_eq!(own, Digest::of(&body).as_str());
    for (reference, accept) in [("1.0", "text/html"), (digest.as_str(), MANIFEST)] {
        let request = bench.ask(Method::GET, &format!("/v2/acme/shop/manifests/{reference}"));
        let response = request.header("accept", accept).send().await.unwrap();
        assert_eq!(response.status(), 404, "{reference} as {accept}");
    }
}

#[tokio::test]
async fn an_unchanged_manifest_is_not_sent_again() {
    let bench = Bench::with_tags(&["1.0"]);
    let etag = header(
        bench.get("/v2/acme/shop/manifests/1.0").await.headers(),
        "etag",
    );
    let again = || {
        let request = bench.ask(Method::GET, "/v2/acme/shop/manifests/1.0");
        request.header("if-none-match", &etag).send()
    };
    assert_eq!(again().await.unwrap().status(), 304);
    bench.registry.push("acme/shop", "1.0", &image("else"));
    assert_eq!(again().await.unwrap().status(), 200);
}

#[tokio::test]
async fn what_is_gone_is_unknown() {
    let bench = Bench::with_tags(&["1.0", "1.1"]);
    let digest = bench.registry.digest("acme/shop", "1.1").unwrap();
    bench.registry.untag("acme/shop", "1.0");
    let body = bench.json("/v2/acme/shop/manifests/1.0").await;
    assert_eq!(body["errors"][0]["code"], "MANIFEST_UNKNOWN");
    let path = format!("/v2/acme/shop/manifests/{digest}");
    let deleted = bench.ask(Method::DELETE, &path).send().await.unwrap();
    assert_eq!(deleted.status(), 202);
    let listing = bench.json("/v2/acme/shop/tags/list").await;
    assert_eq!(listing["tags"], json!([]));
    let again = bench.ask(Method::DELETE, &path).send().await.unwrap();
    assert_eq!(again.status(), 404);
}

#[tokio::test]
async fn a_blob_can_come_in_chunks() {
    let bench = Bench::new();
    let digest = Digest::of(b"onetwo");
    let start = bench.ask(Method::POST, "/v2/a/blobs/uploads/");
    let location = header(start.send().await.unwrap().headers(), "location");
    let chunk = |range: &'static str, body: &'static str| {
        let request = bench.ask(Method::PATCH, &location);
        request.header("content-range", range).body(body).send()
    };
    let first = chunk("0-2", "one").await.unwrap();
    assert_eq!(header(first.headers(), "range"), "0-2");
    let twice = chunk("0-2", "one").await.unwrap();
    assert_eq!(
        (twice.status().as_u16(), header(twice.headers(), "range")),
        (416, "0-2".to_owned())
    );
    assert_eq!(bench.status(&location).await, 204);
    let end = bench.ask(Method::PUT, &format!("{location}?digest={digest}"));
    assert_eq!(end.body("two").send().await.unwrap().status(), 201);
    let blob = bench.get(&format!("/v2/a/blobs/{digest}")).await;
    assert_eq!(blob.text().await.unwrap(), "onetwo");
    let mount = format!("/v2/b/blobs/uploads/?mount={digest}&from=a");
    let mounted = bench.ask(Method::POST, &mount).send().await.unwrap();
    assert_eq!(mounted.status(), 201);
    assert_eq!(bench.status(&format!("/v2/b/blobs/{digest}")).await, 200);
}

#[tokio::test]
async fn a_manifest_needs_its_parts_and_is_found_by_its_subject() {
    let bench = Bench::with_tags(&["1.0"]);
    let subject = bench.registry.digest("acme/shop", "1.0").unwrap();
    let config = Digest::of(b"{}");
    let signature = json!({
        "schemaVersion": 2,
        "mediaType": MANIFEST,
        "artifactType": "application/x.signature",
        "config": {"mediaType": "application/vnd.oci.empty.v1+json", "digest": config.as_str(), "size": 2},
        "layers": [],
        "subject": {"mediaType": INDEX, "digest": subject.as_str(), "size": 1},
    });
    let put = || {
        let request = bench.ask(Method::PUT, "/v2/acme/shop/manifests/signed");
        let request = request.header("content-type", MANIFEST);
        request.body(signature.to_string()).send()
    };
    let early: Value = put().await.unwrap().json().await.unwrap();
    assert_eq!(early["errors"][0]["code"], "MANIFEST_BLOB_UNKNOWN");
    let upload = format!("/v2/acme/shop/blobs/uploads/?digest={config}");
    let blob = bench.ask(Method::POST, &upload).body("{}").send();
    assert_eq!(blob.await.unwrap().status(), 201);
    let stored = put().await.unwrap();
    assert_eq!(stored.status(), 201);
    assert_eq!(header(stored.headers(), "oci-subject"), subject.as_str());

    let path = format!("/v2/acme/shop/referrers/{subject}");
    let found = bench.json(&path).await;
    assert_eq!(
        found["manifests"][0]["artifactType"],
        "application/x.signature"
    );
    let other = bench.json(&format!("{path}?artifactType=x")).await;
    assert_eq!(other["manifests"], json!([]));
}

#[tokio::test]
async fn hostile_requests_are_refused_and_the_server_lives() {
    let bench = Bench::with_tags(&["1.0"]);
    let digest = Digest::of(b"");
    let deep = "[".repeat(100_000);
    let put = "/v2/acme/shop/manifests/1.0";
    let cases = [
        (Method::PUT, put.to_owned(), deep.as_str(), 400),
        (Method::PUT, put.to_owned(), "{}", 400),
        (Method::PUT, put.to_owned(), "", 400),
        (
            Method::PUT,
            format!("/v2/a/manifests/{digest}"),
            "{\"mediaType\":\"application/vnd.oci.image.index.v1+json\",\"manifests\":[]}",
            400,
        ),
        (Method::PATCH, "/v2/a/blobs/uploads/99".to_owned(), "x", 404),
        (Method::PATCH, "/v2/a/blobs/uploads/x".to_owned(), "x", 404),
        (
            Method::POST,
            format!("/v2/a/blobs/uploads/?digest={digest}"),
            "x",
            400,
        ),
        (
            Method::POST,
            "/v2/a/blobs/uploads/?digest=x".to_owned(),
            "x",
            400,
        ),
        (
            Method::GET,
            "/v2/acme/shop/tags/list?n=99999999999999999999".to_owned(),
            "",
            400,
        ),
        (
            Method::GET,
            "/v2/acme/shop/tags/list?n=-1".to_owned(),
            "",
            400,
        ),
        (
            Method::GET,
            "/v2/acme/shop/tags/list?last=%FF".to_owned(),
            "",
            200,
        ),
        (Method::GET, "/v2/..%2f..%2f/tags/list".to_owned(), "", 400),
        (
            Method::DELETE,
            "/v2/acme/shop/tags/list".to_owned(),
            "",
            405,
        ),
        (Method::PUT, "/v2/".to_owned(), "", 405),
        (Method::GET, "/token".to_owned(), "", 404),
    ];
    for (method, path, body, status) in cases {
        let request = bench.ask(method.clone(), &path).body(body.to_owned());
        let response = request.send().await.unwrap();
        assert_eq!(response.status(), status, "{method} {path}");
    }
    assert_eq!(bench.status("/v2/").await, 200);
    let digest_now = bench.registry.digest("acme/shop", "1.0").unwrap();
    assert_eq!(digest_now, image("1.0").digest(), "nothing was overwritten");
}

#[tokio::test]
async fn faults_hit_what_they_name_as_often_as_they_say() {
    let bench = Bench::with_tags(&["1.0", "1.1"]);
    let fault = Fault::Status {
        status: 429,
        retry_after: Some("7".to_owned()),
    };
    let rule = Rule::new("acme/shop", fault);
    let rule = rule.on(Part::Manifests).reference("1.0").times(2);
    bench.registry.set_faults(Faults::one(rule));
    assert_eq!(bench.status("/v2/acme/shop/manifests/1.1").await, 200);
    assert_eq!(bench.status("/v2/acme/shop/tags/list").await, 200);
    let limited = bench.get("/v2/acme/shop/manifests/1.0").await;
    assert_eq!(header(limited.headers(), "retry-after"), "7");
    let body: Value = limited.json().await.unwrap();
    assert_eq!(body["errors"][0]["code"], "TOOMANYREQUESTS");
    assert_eq!(bench.status("/v2/acme/shop/manifests/1.0").await, 429);
    assert_eq!(bench.status("/v2/acme/shop/manifests/1.0").await, 200);
    let statuses: Vec<u16> = bench
        .registry
        .requests()
        .iter()
        .map(|request| request.status)
        .collect();
    assert_eq!(statuses, [200, 200, 429, 429, 200]);
}

#[tokio::test]
async fn listings_can_be_spoiled() {
    let bench = Bench::with_tags(&["1.0", "1.1"]);
    let list = "/v2/acme/shop/tags/list";
    let spoil = |fault| {
        let rule = Rule::new("acme/shop", fault).on(Part::Tags);
        bench.registry.set_faults(Faults::one(rule));
    };
    spoil(Fault::Cut(5));
    let mut cut = bench.get(list).await;
    assert_eq!(cut.chunk().await.unwrap().unwrap().len(), 5);
    assert!(cut.chunk().await.is_err());
    spoil(Fault::Html);
    let page = bench.get(list).await;
    assert!(header(page.headers(), "content-type").starts_with("text/html"));
    spoil(Fault::SamePage);
    let looped = bench.get(&format!("{list}?n=1")).await;
    let link = format!("<{list}?n=1>; rel=\"next\"");
    assert_eq!(header(looped.headers(), "link"), link);
    spoil(Fault::Flood(100_000));
    let flood = bench.get(list).await.bytes().await.unwrap();
    assert!(flood.len() >= 100_000);
    let tags: Value = serde_json::from_slice(&flood).unwrap();
    assert!(tags["tags"].as_array().unwrap().len() > 1000);
}

#[tokio::test]
async fn a_gate_holds_requests_until_it_is_opened() {
    let bench = Bench::with_tags(&["1.0"]);
    let gate = Gate::default();
    let rule = Rule::new("acme/shop", Fault::Wait(gate.clone()));
    bench.registry.set_faults(Faults::one(rule));
    let held = bench.ask(Method::GET, "/v2/acme/shop/tags/list").send();
    let held = tokio::spawn(held);
    while gate.arrived() == 0 {
        tokio::task::yield_now().await;
    }
    assert!(bench.registry.requests().is_empty(), "not answered yet");
    gate.open();
    assert_eq!(held.await.unwrap().unwrap().status(), 200);
    assert_eq!(bench.status("/v2/acme/shop/tags/list").await, 200);
}

#[tokio::test]
async fn basic_credentials_are_asked_for() {
    let bench = Bench::with_tags(&["1.0"]);
    bench.registry.set_faults(Faults {
        auth: Auth::Basic(Login::new("bot", "s3:cret")),
        ..Faults::default()
    });
    let challenge = bench.get("/v2/").await;
    assert_eq!(challenge.status(), 401);
    assert!(header(challenge.headers(), "www-authenticate").starts_with("Basic realm="));
    for (password, status) in [("s3:cret", 200), ("wrong", 401)] {
        let request = bench
            .ask(Method::GET, "/v2/")
            .basic_auth("bot", Some(password));
        assert_eq!(request.send().await.unwrap().status(), status);
    }
}

#[tokio::test]
async fn tokens_are_issued_scoped_and_expire() {
    let bench = Bench::with_tags(&["1.0"]);
    bench.registry.push("acme/cart", "1.0", &image("cart"));
    let clock = Clock::by_hand(Timestamp::UNIX_EPOCH);
    let bearer = |anonymous| Faults {
        auth: Auth::Bearer {
            login: Login::new("bot", "s3cret"),
            anonymous,
            lifetime: jiff::SignedDuration::from_secs(60),
            clock: clock.clone(),
        },
        ..Faults::default()
    };
    bench.registry.set_faults(bearer(false));
    let list = "/v2/acme/shop/tags/list";
    let challenge = bench.get(list).await;
    let expected = format!(
        "Bearer realm=\"http://{}/token\",service=\"tagwright-demo\",scope=\"repository:acme/shop:pull\"",
        bench.registry.host()
    );
    assert_eq!(header(challenge.headers(), "www-authenticate"), expected);

    let scope = "/token?service=tagwright-demo&scope=repository:acme/shop:pull,push";
    assert_eq!(bench.status(scope).await, 401, "nobody is anonymous");
    let login = |password| {
        let request = bench.ask(Method::GET, scope);
        request.basic_auth("bot", Some(password)).send()
    };
    assert_eq!(login("wrong").await.unwrap().status(), 401);
    let issued: Value = login("s3cret").await.unwrap().json().await.unwrap();
    assert_eq!(issued["expires_in"], 60);
    let with = |token: &Value, method, path: &str| {
        let request = bench.ask(method, path);
        request.bearer_auth(token["token"].as_str().unwrap()).send()
    };
    assert_eq!(
        with(&issued, Method::GET, list).await.unwrap().status(),
        200
    );
    let upload = "/v2/acme/shop/blobs/uploads/";
    let pushed = with(&issued, Method::POST, upload).await.unwrap();
    assert_eq!(pushed.status(), 202);
    let other = with(&issued, Method::GET, "/v2/acme/cart/tags/list").await;
    let refused = header(other.unwrap().headers(), "www-authenticate");
    assert!(refused.ends_with("error=\"insufficient_scope\""));
    clock.advance(jiff::SignedDuration::from_secs(60));
    let late = with(&issued, Method::GET, list).await.unwrap();
    assert!(header(late.headers(), "www-authenticate").ends_with("error=\"invalid_token\""));

    bench.registry.set_faults(bearer(true));
    let anonymous = bench.json(scope).await;
    assert_eq!(
        with(&anonymous, Method::GET, list).await.unwrap().status(),
        200
    );
    let pushed = with(&anonymous, Method::POST, upload).await.unwrap();
    assert_eq!(pushed.status(), 401, "anonymous tokens only pull");
}

#[test]
fn a_dropped_registry_has_closed_its_port() {
    let registry = Registry::start().unwrap();
    let host = registry.host();
    assert!(std::net::TcpStream::connect(&host).is_ok());
    drop(registry);
    assert!(std::net::TcpStream::connect(&host).is_err());
}

#[test]
fn only_the_latest_requests_are_remembered() {
    let shared = Shared::new(String::new());
    let request = |status| Request {
        method: "GET".to_owned(),
        path: String::new(),
        query: String::new(),
        status,
    };
    for status in 0..=REMEMBERED as u16 {
        shared.note(request(status));
    }
    let log = lock(&shared.log);
    assert_eq!((log.len(), log[0].status), (REMEMBERED, 1));
}
