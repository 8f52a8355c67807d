//! Holds over HTTP, from a running service: who may, what is understood, and that they hold at once.

#![expect(
    clippy::unwrap_used,
    reason = "helpers of tests fail by panicking, as tests do"
)]

use std::io::{Read as _, Write as _};
use std::net::TcpStream;

use serde_json::{Value, json};
use tagwright::demo::registry::{Fault, Faults, Gate, Part, Rule};

use crate::binary::Fleet;
use crate::cli_serve::{Service, fleet, wait_for};
use crate::markdown::Document;
use crate::parts::wait_until;

const FILE: &str = ".tagwright/decisions/shop/staging.yaml";

const TOKEN: &str = "t0ken-of-ci";

/// A fleet whose service knows a caller, with these keys more for its config repo.
fn with_caller(keys: &str) -> Option<Fleet> {
    let fleet = fleet()?;
    fleet.place.write("token", TOKEN);
    fleet.place.write("empty", "\n");
    let tokens = "tokens: [{name: empty, token: {file: empty}}, {name: gone, token: {file: gone}}, \
                  {name: ci, token: {file: token}}]";
    let config = fleet.place.read("tagwright.yaml");
    let config = config.replace(
        "listen: 127.0.0.1:0",
        &format!("listen: 127.0.0.1:0, {tokens}"),
    );
    let config = config.replacen("policies:", &format!("{keys}policies:"), 1);
    fleet.place.write("tagwright.yaml", config);
    Some(fleet)
}

/// The status, the head and the body of an answer.
fn ask(service: &Service, request: &str, auth: &str, body: &str) -> (u16, String, Value) {
    let mut stream = TcpStream::connect(&service.address).unwrap();
    let auth = match auth {
        "" => String::new(),
        auth => format!("Authorization: {auth}\r\n"),
    };
    let sent = write!(
        stream,
        "{request} HTTP/1.1\r\nHost: x\r\n{auth}Content-Length: {}\r\nConnection: close\r\n\r\n{body}",
        body.len()
    );
    // A server may answer before it has read all of a body that is too large.
    let mut answer = Vec::new();
    let read = stream.read_to_end(&mut answer);
    let answer = String::from_utf8(answer).unwrap();
    assert!(!answer.is_empty(), "{sent:?} {read:?}");
    let (head, body) = answer.split_once("\r\n\r\n").unwrap();
    let status = head.split(' ').nth(1).unwrap().parse().unwrap();
    let body = serde_json::from_str(body).unwrap_or(Value::Null);
    (status, head.to_ascii_lowercase(), body)
}

/// The same as the caller that is known.
fn known(service: &Service, request: &str, body: &Value) -> (u16, Value) {
    let body = match body {
        Value::Null => String::new(),
        body => body.to_string(),
    };
    let (status, head, body) = ask(service, request, &format!("Bearer {TOKEN}"), &body);
    assert!(head.contains("content-type: application/json"), "{head}");
    assert_eq!(body["version"], 1, "{body}");
    (status, body)
}

fn holds(service: &Service) -> Vec<Value> {
    let (status, body) = known(service, "GET /api/v1/holds", &Value::Null);
    assert_eq!(status, 200, "{body}");
    body["holds"].as_array().unwrap().clone()
}

fn shop() -> Value {
    json!({"app": "shop", "stage": "staging", "reason": "incident 4711"})
}

#[test]
fn only_callers_with_a_token_get_in() {
    let Some(fleet) = with_caller("") else {
        return;
    };
    let service = Service::start(&fleet);
    let requests = [
        "GET /api/v1/holds",
        "POST /api/v1/holds",
        "DELETE /api/v1/holds/0123456789abcdef",
    ];
    let longer = format!("Bearer {TOKEN}x");
    let shorter = format!("Bearer {}", &TOKEN[1..]);
    let basic = format!("Basic {TOKEN}");
    for request in requests {
        let wrong = [
            "",
            "Bearer",
            "Bearer ",
            "Bearer wrong",
            &longer,
            &shorter,
            &basic,
            TOKEN,
        ];
        for auth in wrong {
            let (status, head, body) = ask(&service, request, auth, &shop().to_string());
            assert_eq!(status, 401, "{request} {auth}: {body}");
            assert!(head.contains("www-authenticate: bearer"), "{head}");
            let words = body["error"].as_str().unwrap();
            assert!(
                words.contains("`server.tokens`") && !words.contains(TOKEN),
                "{words}"
            );
        }
    }
    let lower = format!("bearer {TOKEN}");
    let (status, _, body) = ask(&service, "GET /api/v1/holds", &lower, "");
    assert_eq!((status, &body["holds"]), (200, &json!([])));
    // A token that was changed counts from then on, without a restart.
    fleet.place.write("token", "another");
    assert_eq!(ask(&service, "GET /api/v1/holds", &lower, "").0, 401);
    assert_eq!(
        ask(&service, "GET /api/v1/holds", "Bearer another", "").0,
        200
    );
}

#[test]
fn without_configured_tokens_nobody_gets_in() {
    let Some(fleet) = fleet() else {
        return;
    };
    let service = Service::start(&fleet);
    let (status, _, body) = ask(
        &service,
        "POST /api/v1/holds",
        "Bearer x",
        &shop().to_string(),
    );
    assert_eq!(status, 403);
    let words = body["error"].as_str().unwrap();
    assert!(
        words.contains("no `server.tokens` are configured"),
        "{words}"
    );
}

#[test]
fn what_cannot_be_understood_holds_nothing() {
    let Some(fleet) = with_caller("") else {
        return;
    };
    let service = Service::start(&fleet);
    wait_for(&fleet, "1.1.0");
    let with = |change: Value| {
        let mut body = shop();
        let all = body.as_object_mut().unwrap();
        all.extend(change.as_object().unwrap().clone());
        all.retain(|_, value| !value.is_null());
        body
    };
    for (body, expected, words) in [
        (json!("x"), 400, "expected"),
        (with(json!({"reason": null})), 400, "reason"),
        (with(json!({"reason": " "})), 400, "`reason` has 1 to 1000"),
        (
            with(json!({"reason": "x".repeat(1001)})),
            400,
            "`reason` has 1 to 1000",
        ),
        (with(json!({"reasn": "x"})), 400, "unknown field"),
        (with(json!({"stage": null})), 400, "write `app` and `stage`"),
        (with(json!({"app": null})), 400, "write `app` and `stage`"),
        (with(json!({"all": true})), 400, "write `app` and `stage`"),
        (with(json!({"until": "soon"})), 400, "failed to parse"),
        (
            with(json!({"until": "2020-01-01T00:00:00Z"})),
            400,
            "over already",
        ),
        (
            with(json!({"repository": "flet"})),
            404,
            "no such `repository`",
        ),
        (
            with(json!({"stage": "live"})),
            404,
            "an app `shop` with a stage `live`",
        ),
        (
            json!({"all": true, "stage": "live", "reason": "x"}),
            404,
            "a stage `live`",
        ),
        (
            with(json!({"reason": "x".repeat(20_000)})),
            413,
            "16384 bytes",
        ),
    ] {
        let (status, answer) = known(&service, "POST /api/v1/holds", &body);
        assert_eq!(status, expected, "{answer}");
        let error = answer["error"].as_str().unwrap();
        assert!(error.contains(words), "{words}: {error}");
    }
    let (status, _) = known(
        &service,
        "DELETE /api/v1/holds/0123456789abcdef",
        &Value::Null,
    );
    assert_eq!(status, 404);
    assert_eq!(holds(&service), Vec::<Value>::new());
}

#[test]
fn a_hold_overtakes_a_pass_under_way_and_its_release_ends_it() {
    let Some(fleet) = with_caller("") else {
        return;
    };
    let gate = Gate::default();
    let rule = Rule::new("acme/shop", Fault::Wait(gate.clone())).on(Part::Manifests);
    fleet.scenario.registry.set_faults(Faults::one(rule));
    let service = Service::start(&fleet);
    wait_until("the pass reads a manifest", || gate.arrived() > 0);
    let (status, body) = known(&service, "POST /api/v1/holds", &shop());
    assert_eq!(status, 201, "{body}");
    let hold = body["holds"][0].clone();
    assert_eq!(hold["durable"], false, "{hold}");
    assert_eq!(
        (&hold["by"], &hold["repository"]),
        (&json!("ci"), &json!("fleet"))
    );
    let (status, body) = known(&service, "POST /api/v1/holds", &shop());
    assert_eq!(
        (status, &body["holds"][0]),
        (200, &hold),
        "it is there already"
    );
    gate.open();
    wait_until("it is in Git", || holds(&service)[0]["durable"] == true);
    assert_eq!(fleet.scenario.read(FILE), "- hold: incident 4711\n");
    let durable = holds(&service).remove(0);
    assert!(durable["commit"].is_string(), "{durable}");
    // Others go on, and what came before them is still held.
    fleet.scenario.push("acme/cart", &["1.1.0"]);
    wait_until("cart is changed", || {
        fleet.scenario.read("apps/cart.yaml").ends_with(":1.1.0\n")
    });
    assert!(fleet.scenario.read("apps/shop.yaml").ends_with(":1.0.0\n"));

    let request = format!("DELETE /api/v1/holds/{}", hold["id"].as_str().unwrap());
    let (status, body) = known(&service, &request, &Value::Null);
    assert_eq!(
        (status, &body["holds"][0]["releasedBy"]),
        (200, &json!("ci"))
    );
    wait_for(&fleet, "1.1.0");
    assert!(fleet.scenario.read(FILE).ends_with("- release: true\n"));
    wait_until("it is over", || holds(&service).is_empty());
    let guide = Document::read("docs/guide/operating.md").text;
    for (field, _) in durable.as_object().unwrap() {
        assert!(guide.contains(&format!("`{field}`")), "{field}");
    }
}

#[test]
fn a_hold_that_git_does_not_have_outlives_the_process() {
    let Some(fleet) = with_caller("push: {mode: 'off'}\n    ") else {
        return;
    };
    let service = Service::start(&fleet);
    let all = json!({"all": true, "reason": "night", "until": "2100-01-01T00:00:00Z"});
    let (status, body) = known(&service, "POST /api/v1/holds", &all);
    assert_eq!(status, 201, "{body}");
    wait_until("it says why it is not in Git", || {
        let waits = holds(&service)[0]["waits"].clone();
        waits
            .as_str()
            .is_some_and(|words| words.contains("`push.mode` is `off`"))
    });
    let before = holds(&service);
    assert_eq!(before[0]["durable"], false);
    // Dropping it kills it.
    drop(service);
    let service = Service::start(&fleet);
    let again = holds(&service);
    assert_eq!(again[0]["id"], before[0]["id"]);
    let metrics = || {
        let mut stream = TcpStream::connect(&service.address).unwrap();
        write!(
            stream,
            "GET /metrics HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n"
        )
        .unwrap();
        let mut text = String::new();
        stream.read_to_string(&mut text).unwrap();
        text
    };
    wait_until("both stages wait", || {
        metrics().contains("tagwright_stages{repository=\"fleet\",state=\"waiting\"} 2")
    });
}
