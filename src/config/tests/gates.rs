//! Gates of the service file, and the checks of stages that name them.

use std::time::Duration;

use super::*;
use crate::config::CheckOf;
use crate::secret::Secret;

fn service(gates: &str) -> String {
    format!(
        "version: 1\nrepositories: [{{name: r, url: /r, policies: [p]}}, {{name: s, url: /s, policies: [p]}}]\ngates:\n{gates}"
    )
}

fn app(checks: &str) -> String {
    format!(
        "version: 1\napp: shop\nimage: a/b\nstages:\n  - name: live\n    paths: [a]\n    checks: {checks}\n"
    )
}

#[test]
fn gates_are_those_of_every_config_repo() {
    let text = service(
        "  - {name: slo, url: 'https://slo.example/gate?app={app}', token: {env: SLO}, ca: ca.pem, timeout: 3s, interval: 2m}\n  - {name: load, url: 'http://load.example/{tag}'}\n",
    );
    let loaded = good_service(&text);
    let gates = &loaded.repositories[0].gates;
    assert_eq!(loaded.repositories[1].gates, *gates);
    let [slo, load] = &gates[..] else {
        panic!("{gates:?}")
    };
    assert_eq!((slo.name.as_str(), slo.address.is_private()), ("slo", true));
    assert_eq!(slo.token, Some(Secret::Env("SLO".to_owned())));
    assert_eq!(slo.ca_pem, Some("ca.pem".into()));
    let seconds = Duration::from_secs;
    assert_eq!((slo.timeout, slo.interval), (seconds(3), seconds(120)));
    assert_eq!((load.token.as_ref(), load.ca_pem.as_ref()), (None, None));
    assert_eq!((load.timeout, load.interval), (seconds(10), seconds(60)));
    let none = good_service("version: 1\nrepositories: [{name: r, url: /r, policies: [p]}]\n");
    assert!(none.repositories[0].gates.is_empty());
}

#[test]
fn gates_with_mistakes_are_refused_and_no_secret_is_quoted() {
    for (gate, words) in [
        ("{url: 'https://g.example'}", "`name` is missing"),
        ("{name: slo}", "`url` is missing"),
        ("{name: slo, url: s3cret}", "not the URL of a gate"),
        (
            "{name: slo, url: 'https://a:s3cret@g.example'}",
            "not the URL",
        ),
        (
            "{name: slo, url: 'https://{app}.example'}",
            "can't depend on the change",
        ),
        (
            "{name: slo, url: 'https://g.example/{apps}'}",
            "unknown placeholder",
        ),
        (
            "{name: slo, url: 'https://g.example', token: s3cret}",
            "can't be written into this file",
        ),
        (
            "{name: slo, url: 'http://g.example', token: {env: T}}",
            "over plain HTTP",
        ),
        (
            "{name: slo, url: 'https://g.example', timeout: 2m}",
            "at most 1m",
        ),
        (
            "{name: slo, url: 'https://g.example', interval: 2d}",
            "at most 1d",
        ),
        (
            "{name: slo, url: 'https://g.example', interval: 19s}",
            "twice its `timeout`",
        ),
        (
            "{name: slo, url: 'https://g.example', tokn: s3cret}",
            "unknown key `tokn`",
        ),
        (
            "{name: a, url: 'https://g.example'}\n  - {name: a, url: 'https://h.example'}",
            "the gate `a` is listed twice",
        ),
    ] {
        let text = service(&format!("  - {gate}\n"));
        let loaded = crate::config::service("tagwright.yaml", &text);
        assert!(loaded.value.is_none(), "{gate}");
        let told = lines(&loaded.diagnostics);
        assert_eq!(told.len(), 1, "{gate}: {told:?}");
        assert!(told[0].contains(words), "{gate}: {told:?}");
        let shown = rendered(&loaded.diagnostics);
        let is_url = gate.contains("a:s3cret") || gate.contains("url: s3cret");
        assert!(is_url || !shown.contains("s3cret"), "{shown}");
        assert!(!told[0].contains("s3cret"), "{told:?}");
    }
    let loopback = "  - {name: slo, url: 'http://127.0.0.1:8080', token: {env: T}}\n";
    assert_eq!(
        good_service(&service(loopback)).repositories[0].gates.len(),
        1
    );
}

#[test]
fn checks_of_a_stage_know_their_place() {
    let text = app("[{gate: slo}, {statuses: [ci/e2e, 'ci/*']}]");
    let mut apps = apps_of(&entry("policies/"), &[("shop.yaml", &text)]);
    assert!(
        apps.diagnostics.is_empty(),
        "{}",
        rendered(&apps.diagnostics)
    );
    let stage = apps.apps.remove(0).stages.remove(0);
    let [gate, statuses] = &stage.checks[..] else {
        panic!("{:?}", stage.checks)
    };
    assert!(matches!(&gate.of, CheckOf::Gate(name) if name.as_str() == "slo"));
    assert_eq!(
        format!("{}:{}", statuses.file, statuses.position),
        "policies/shop.yaml:7:27"
    );
    let CheckOf::Statuses(globs) = &statuses.of else {
        panic!("{statuses:?}")
    };
    let matches = |name: &str| globs.iter().any(|glob| glob.matches(name));
    assert_eq!(
        ["ci/e2e", "ci/a", "ci/a/b", "lint"].map(matches),
        [true, true, false, false]
    );

    // A name with brackets is itself, as well as a glob.
    let text = app("[{statuses: ['build [x]']}]");
    let apps = apps_of(&entry("policies/"), &[("shop.yaml", &text)]);
    let CheckOf::Statuses(globs) = &apps.apps[0].stages[0].checks[0].of else {
        panic!("statuses")
    };
    assert!(globs[0].matches("build [x]") && globs[0].matches("build x"));
}

#[test]
fn they_come_with_the_stages_of_the_defaults() {
    let defaults = "version: 1\nstages: [{name: live, paths: [a], checks: [{gate: slo}]}]\n";
    let shop = "version: 1\napp: shop\nimage: a/b\n";
    let files = [("defaults.yaml", defaults), ("shop.yaml", shop)];
    let apps = apps_of(&entry("policies/"), &files);
    let check = &apps.apps[0].stages[0].checks[0];
    assert_eq!(check.file, "policies/defaults.yaml");
}

#[test]
fn checks_with_mistakes_stop_their_app() {
    let many = |item: &str, count: usize| vec![item; count].join(", ");
    let gates = format!("[{}]", many("{gate: slo}", 17));
    let names = format!("[{{statuses: [{}]}}]", many("a", 65));
    for (checks, words) in [
        ("[]", "this list is empty"),
        ("slo", "expected a list"),
        ("[slo]", "expected a mapping"),
        ("[{}]", "`gate` or `statuses`"),
        ("[{gate: slo, statuses: [a]}]", "`gate` or `statuses`"),
        ("[{gate: https://g.example}]", "is not a name"),
        ("[{url: https://g.example}]", "unknown key `url`"),
        ("[{statuses: []}]", "this list is empty"),
        ("[{statuses: ['']}]", "1 to 255 bytes"),
        ("[{statuses: ['a[b']}]", "can't be used as a glob"),
        (gates.as_str(), "17 checks are more than 16"),
        (names.as_str(), "65 names are more than 64"),
    ] {
        let text = app(checks);
        let apps = apps_of(&entry("policies/"), &[("shop.yaml", &text)]);
        assert!(apps.apps.is_empty(), "{checks}");
        let told = lines(&apps.diagnostics);
        assert!(
            told.iter().any(|line| line.contains(words)),
            "{checks}: {told:?}"
        );
    }
}
