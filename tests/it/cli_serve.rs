//! `serve`: runs until it is told to stop, says how it is, and shares its cache with nobody.

#![expect(
    clippy::unwrap_used,
    reason = "helpers of tests fail by panicking, as tests do"
)]

use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::net::TcpStream;
use std::process::{Child, ExitStatus, Stdio};

use tagwright::demo::registry::{Fault, Faults, Gate, Part, Rule};

use crate::binary::{Fleet, Ran};
use crate::parts::{self, wait_until};
use crate::scenario::{CART, CART_POD, SHOP};

const SHOP_POD: (&str, &str) = ("apps/shop.yaml", "image: HOST/acme/shop:1.0.0\n");

/// A fleet that is looked at every second, with the service's pages on a port of the system's choosing.
pub fn fleet() -> Option<Fleet> {
    let keys = "policies: [policies/]\ninterval: 1s";
    let more = "server: {listen: 127.0.0.1:0}\n";
    let fleet = Fleet::configured(&[SHOP, SHOP_POD, CART, CART_POD], keys, more)?;
    let config = fleet
        .place
        .read("tagwright.yaml")
        .replace("interval: 5m", "interval: 1s");
    fleet.place.write("tagwright.yaml", config);
    fleet.scenario.push("acme/shop", &["1.0.0", "1.1.0"]);
    fleet.scenario.push("acme/cart", &["1.0.0"]);
    Some(fleet)
}

/// A running service; killed with the test.
pub struct Service {
    child: Child,
    /// Where its pages are.
    pub address: String,
    log: BufReader<std::process::ChildStderr>,
}

impl Service {
    /// Starts it and waits until it says where it listens.
    pub fn start(fleet: &Fleet) -> Self {
        let mut child = fleet.place.start(&["serve"]);
        let mut log = BufReader::new(child.stderr.take().unwrap());
        let mut line = String::new();
        let address = loop {
            line.clear();
            assert!(log.read_line(&mut line).unwrap() > 0, "it ended");
            if let Some((_, address)) = line.trim_end().split_once("listening on http://") {
                break address.to_owned();
            }
        };
        Self {
            child,
            address,
            log,
        }
    }

    /// The status and body of a page.
    fn get(&self, path: &str) -> (u16, String) {
        self.get_as("*/*", path)
    }

    /// The same in a form that is asked for.
    fn get_as(&self, accept: &str, path: &str) -> (u16, String) {
        let mut stream = TcpStream::connect(&self.address).unwrap();
        write!(
            stream,
            "GET {path} HTTP/1.1\r\nHost: x\r\nAccept: {accept}\r\nConnection: close\r\n\r\n"
        )
        .unwrap();
        let mut answer = String::new();
        stream.read_to_string(&mut answer).unwrap();
        let (head, body) = answer.split_once("\r\n\r\n").unwrap();
        let status = head.split(' ').nth(1).unwrap().parse().unwrap();
        (status, body.to_owned())
    }

    fn signal(&self, name: &str) {
        let id = self.child.id().to_string();
        let sent = std::process::Command::new("kill")
            .args(["-s", name, &id])
            .status()
            .unwrap();
        assert!(sent.success());
    }

    /// How it ended, and what it logged until then.
    fn ended(mut self) -> (ExitStatus, String) {
        let mut log = String::new();
        self.log.read_to_string(&mut log).unwrap();
        (self.child.wait().unwrap(), log)
    }
}

impl Drop for Service {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// Waits until shop runs `tag`.
pub fn wait_for(fleet: &Fleet, tag: &str) {
    let end = format!(":{tag}\n");
    wait_until(tag, || {
        fleet.scenario.read("apps/shop.yaml").ends_with(&end)
    });
}

#[test]
fn new_tags_land_while_it_runs_and_a_signal_ends_it() {
    let Some(fleet) = fleet() else {
        return;
    };
    let service = Service::start(&fleet);
    wait_for(&fleet, "1.1.0");
    fleet.scenario.push("acme/shop", &["1.2.0"]);
    wait_for(&fleet, "1.2.0");
    service.signal("TERM");
    let (status, log) = service.ended();
    assert_eq!(status.code(), Some(0), "{log}");
    assert!(log.contains("shop: staging 1.1.0 -> 1.2.0"), "{log}");
    assert!(
        log.contains("stopping once the passes under way have ended"),
        "{log}"
    );
    assert_eq!(fleet.scenario.changes().len(), 2);
}

#[test]
fn a_new_tag_lands_long_before_git_is_fetched_again() {
    let Some(fleet) = fleet() else {
        return;
    };
    let config = fleet.place.read("tagwright.yaml");
    // Git's is the first of the two intervals.
    let config = config.replacen("interval: 1s", "interval: 1h", 1);
    fleet.place.write("tagwright.yaml", config);
    let _service = Service::start(&fleet);
    wait_for(&fleet, "1.1.0");
    fleet.scenario.push("acme/shop", &["1.2.0"]);
    wait_for(&fleet, "1.2.0");
}

#[test]
fn a_pass_under_way_is_finished_before_it_ends() {
    let Some(fleet) = fleet() else {
        return;
    };
    let gate = Gate::default();
    let rule = Rule::new("acme/shop", Fault::Wait(gate.clone())).on(Part::Manifests);
    fleet.scenario.registry.set_faults(Faults::one(rule));
    let service = Service::start(&fleet);
    wait_until("the pass reads a manifest", || gate.arrived() > 0);
    service.signal("INT");
    // What it says first comes before the pass is let go on.
    wait_until("the pages are gone", || {
        TcpStream::connect(&service.address).is_err()
    });
    assert!(fleet.scenario.read("apps/shop.yaml").ends_with(":1.0.0\n"));
    gate.open();
    let (status, log) = service.ended();
    assert_eq!(status.code(), Some(0), "{log}");
    assert!(
        fleet.scenario.read("apps/shop.yaml").ends_with(":1.1.0\n"),
        "the pass has landed"
    );
}

#[test]
fn a_second_signal_ends_it_at_once() {
    let Some(fleet) = fleet() else {
        return;
    };
    let gate = Gate::default();
    let rule = Rule::new("acme/shop", Fault::Wait(gate.clone())).on(Part::Manifests);
    fleet.scenario.registry.set_faults(Faults::one(rule));
    let service = Service::start(&fleet);
    wait_until("the pass reads a manifest", || gate.arrived() > 0);
    service.signal("TERM");
    wait_until("the pages are gone", || {
        TcpStream::connect(&service.address).is_err()
    });
    service.signal("TERM");
    let (status, _) = service.ended();
    assert_eq!(status.code(), Some(143));
    assert!(fleet.scenario.read("apps/shop.yaml").ends_with(":1.0.0\n"));
}

#[test]
fn its_pages_say_how_it_is() {
    let Some(fleet) = fleet() else {
        return;
    };
    let (here, away) = (
        fleet.scenario.repo.path().to_owned(),
        fleet.scenario.repo.path().with_extension("away"),
    );
    std::fs::rename(&here, &away).unwrap();
    let service = Service::start(&fleet);
    assert_eq!(
        service.get("/healthz"),
        (200, "ok\n".to_owned()),
        "an outage elsewhere is no reason to restart"
    );
    wait_until("the failure shows", || {
        service.get("/readyz").1.contains("no such repository")
    });
    assert_eq!(service.get("/readyz").0, 503);
    std::fs::rename(&away, &here).unwrap();
    wait_until("it is ready", || service.get("/readyz").0 == 200);
    assert_eq!(service.get("/nowhere").0, 404);
    wait_for(&fleet, "1.1.0");
    wait_until("the change is counted", || {
        value(&service.get("/metrics").1, "tagwright_changes_total") == Some(1.0)
    });
    let metrics = service.get("/metrics").1;
    for (name, wanted) in [("tagwright_sites", 2.0), ("tagwright_build_info", 1.0)] {
        assert_eq!(value(&metrics, name), Some(wanted), "{name}\n{metrics}");
    }
    assert!(
        value(&metrics, "tagwright_last_success_timestamp_seconds")
            .is_some_and(|time| time > 1.7e9)
    );
    assert!(
        value(
            &metrics,
            "tagwright_passes_total{repository=\"fleet\",result=\"error\"}"
        )
        .is_some_and(|count| count >= 1.0)
    );
    assert!(
        value(
            &metrics,
            "tagwright_passes_total{repository=\"fleet\",result=\"landed\"}"
        )
        .is_some_and(|count| count >= 1.0)
    );
    let accept = "application/openmetrics-text;version=1.0.0;q=0.5,text/plain;q=0.2";
    assert_open_metrics(&service.get_as(accept, "/metrics").1);
    for name in ["requests_total", "images", "last_success_timestamp_seconds"] {
        let name = format!("tagwright_registry_{name}");
        assert!(
            value(&metrics, &name).is_some_and(|value| value >= 1.0),
            "{name}\n{metrics}"
        );
    }
    assert_promtool_finds_nothing(&metrics);
}

/// Prometheus' own linter has nothing to say.
fn assert_promtool_finds_nothing(metrics: &str) {
    let Some(promtool) = parts::need("promtool") else {
        return;
    };
    let mut child = std::process::Command::new(promtool)
        .args(["check", "metrics"])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    let mut input = child.stdin.take().unwrap();
    input.write_all(metrics.as_bytes()).unwrap();
    drop(input);
    let output = child.wait_with_output().unwrap();
    let said = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{said}\n{metrics}");
}

/// The value of the first sample whose name and labels start so.
fn value(metrics: &str, start: &str) -> Option<f64> {
    let line = metrics.lines().find(|line| {
        line.strip_prefix(start)
            .is_some_and(|rest| rest.starts_with(['{', ' ']))
    })?;
    line.rsplit_once(' ')?.1.parse().ok()
}

/// The form of the text: described families, samples of theirs, an end (OpenMetrics 1.0.0, "ABNF").
fn assert_open_metrics(metrics: &str) {
    let lines: Vec<&str> = metrics.lines().collect();
    assert_eq!(lines.last(), Some(&"# EOF"));
    let mut family = "";
    for line in &lines[..lines.len() - 1] {
        if let Some(about) = line.strip_prefix("# ") {
            let words: Vec<&str> = about.splitn(3, ' ').collect();
            let [kind, name, text] = words[..] else {
                panic!("{line}");
            };
            assert!(
                ["HELP", "TYPE", "UNIT"].contains(&kind) && !text.is_empty(),
                "{line}"
            );
            family = name;
            continue;
        }
        let (series, number) = line.rsplit_once(' ').unwrap();
        assert!(number.parse::<f64>().is_ok(), "{line}");
        let name = series.split('{').next().unwrap();
        let end = name.strip_prefix(family).unwrap_or("?");
        assert!(
            ["", "_total", "_info", "_bucket", "_sum", "_count"].contains(&end),
            "{family}: {line}"
        );
    }
}

#[test]
fn a_second_process_is_refused_the_cache_and_other_commands_work_beside() {
    let Some(fleet) = fleet() else {
        return;
    };
    let service = Service::start(&fleet);
    wait_for(&fleet, "1.1.0");
    let second = fleet.place.run(&["serve"]).exits(1);
    assert!(
        second
            .stderr
            .contains("in use by another tagwright process"),
        "{}",
        second.stderr
    );
    // Temporary files may have little room, or none; a mirror doesn't belong there.
    let mut plan = fleet.place.command(&["plan", "-o", "json"]);
    let plan = plan.env("TMPDIR", "/nowhere").output().unwrap();
    let plan = Ran::of(plan).exits(0).json();
    assert_eq!(plan["repositories"][0]["stages"][1]["current"], "1.1.0");
    fleet.place.run(&["explain", "shop"]).exits(0);
    drop(service);
    fleet.place.run(&["sync"]).exits(0);
}

#[test]
fn a_mirror_that_cannot_be_opened_stops_its_own_config_repo_only() {
    let Some(fleet) = fleet() else {
        return;
    };
    let (place, repo) = (&fleet.place, &fleet.scenario.repo);
    let copy = place.path().join("copy.git");
    let (from, to) = (repo.path().to_str().unwrap(), copy.to_str().unwrap());
    repo.git()
        .ok(&place.path(), &["clone", "--quiet", "--bare", from, to]);
    let config = place.read("tagwright.yaml");
    let entry = format!(
        "repositories:\n  - name: copy\n    url: {to}\n    policies: [policies/]\n    interval: 1s\n"
    );
    place.write("tagwright.yaml", config.replace("repositories:\n", &entry));
    let mirror = place.home().join(".cache/tagwright/mirrors/copy.git");
    std::fs::create_dir_all(&mirror).unwrap();
    std::fs::write(mirror.join("mine"), "").unwrap();

    let synced = place.run(&["sync", "-o", "json"]).exits(1).json();
    let results = ["copy", "fleet"].map(|name| {
        let all = synced["repositories"].as_array().unwrap();
        let one = all.iter().find(|one| one["repository"] == name);
        one.unwrap()["result"].clone()
    });
    assert_eq!(results, ["error", "landed"]);

    let planned = place.run(&["plan", "-o", "json"]).exits(1).json();
    let plans = &planned["repositories"];
    let words = "the mirror of config repo `copy` can't be opened: ";
    assert!(plans[0]["message"].as_str().unwrap().starts_with(words));
    assert_eq!(plans[1]["stages"][0]["state"], "upToDate");
    assert!(plans[1]["message"].is_null());
    let explained = place.run(&["explain", "shop"]).exits(1);
    assert!(explained.stderr.contains(words), "{}", explained.stderr);
    assert!(
        explained.stdout.contains("runs 1.1.0"),
        "{}",
        explained.stdout
    );

    fleet.scenario.push("acme/shop", &["1.2.0"]);
    let service = Service::start(&fleet);
    wait_for(&fleet, "1.2.0");
    let mut page = (0, String::new());
    wait_until("the other is ready", || {
        page = service.get("/readyz");
        page.1.lines().count() == 1
    });
    let words = "copy: the mirror of config repo `copy` can't be opened: ";
    assert!(page.0 == 503 && page.1.starts_with(words), "{page:?}");
    assert!(page.1.contains("choose another cache folder"), "{page:?}");
    std::fs::remove_file(mirror.join("mine")).unwrap();
    wait_until("it is tried again", || service.get("/readyz").0 == 200);
    service.signal("TERM");
    let (status, log) = service.ended();
    assert_eq!(status.code(), Some(0), "{log}");
}

#[test]
fn an_address_that_is_taken_is_named() {
    let Some(fleet) = fleet() else {
        return;
    };
    let taken = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let address = taken.local_addr().unwrap().to_string();
    let config = fleet
        .place
        .read("tagwright.yaml")
        .replace("127.0.0.1:0", &address);
    fleet.place.write("tagwright.yaml", config);
    let ran = fleet.place.run(&["serve"]).exits(1);
    let words = format!("{address} (server.listen) can't be listened on");
    assert!(ran.stderr.contains(&words), "{}", ran.stderr);
}

#[test]
fn logs_are_json_beside_json_and_tell_a_problem_once() {
    let Some(fleet) = fleet() else {
        return;
    };
    fleet
        .scenario
        .registry
        .set_faults(Faults::one(Rule::new("acme/cart", Fault::status(403))));
    let asked = || {
        let requests = fleet.scenario.registry.requests();
        requests
            .iter()
            .filter(|request| request.path.contains("cart"))
            .count()
    };
    let mut child = fleet.place.start(&["serve", "-o", "json"]);
    wait_until("some passes", || asked() >= 3);
    let id = child.id().to_string();
    std::process::Command::new("kill")
        .arg(&id)
        .status()
        .unwrap();
    let mut log = String::new();
    child
        .stderr
        .take()
        .unwrap()
        .read_to_string(&mut log)
        .unwrap();
    assert_eq!(child.wait().unwrap().code(), Some(0));
    let mut told = 0;
    for line in log.lines() {
        let entry: serde_json::Value = serde_json::from_str(line).unwrap();
        let message = entry["fields"]["message"].as_str().unwrap_or_default();
        told +=
            usize::from(message.contains("cart: staging: ") && message.contains("denies access"));
    }
    assert_eq!(told, 1, "{log}");
}
