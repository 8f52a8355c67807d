//! The running service looks again at the very moment that something waits for.

#![expect(
    clippy::unwrap_used,
    reason = "what a test can't set up is a failure of that test"
)]

use std::sync::{Arc, Mutex};

use jiff::{SignedDuration, Timestamp};
use tagwright::config;
use tagwright::driver::{self, OnPass};
use tagwright::server::Shared;
use tagwright::state::State;
use tokio::runtime::Runtime;
use tokio::sync::watch;
use tokio::task::JoinHandle;

use crate::gate_server::Gate;
use crate::parts::wait_until;
use crate::scenario::{Scenario, configuration};

/// The files of the stages, by how many seconds they wait. A first list of tags makes the service look
/// twice; only the moments that it waits for make it look more often.
const STAGES: [(i64, &str); 3] = [(1, "one.yaml"), (2, "two.yaml"), (3, "three.yaml")];

/// Tags must be old enough.
const OLD: &str = "tags: {semver: '*', minimumAge: AGE}";

/// An app whose stages differ in how long they must wait: by keys, in which `AGE` stands for it.
fn waiting(keys: [&str; 3], tag: &str) -> Option<Scenario> {
    let mut app = "version: 1\napp: shop\nimage: HOST/acme/shop\nstages:\n".to_owned();
    for ((age, file), keys) in STAGES.into_iter().zip(keys) {
        let keys = keys.replace("AGE", &format!("{age}s"));
        app += &format!("  - {{name: stage-{age}, paths: [{file}], {keys}}}\n");
    }
    let pod = format!("image: HOST/acme/shop:{tag}\n");
    let pods = STAGES.map(|(_, file)| (file, pod.as_str()));
    let mut files = vec![("policies/shop.yaml", app.as_str())];
    files.extend(pods);
    let scenario = Scenario::new(&files)?;
    scenario.push("acme/shop", &["1.0.0", "1.1.0", "main"]);
    Some(scenario)
}

/// The service, running.
struct Running {
    /// Until when the last plan is good.
    until: Arc<Mutex<Option<Timestamp>>>,
    stop: watch::Sender<bool>,
    runtime: Runtime,
    task: JoinHandle<()>,
    _folder: tempfile::TempDir,
}

impl Running {
    /// Runs it on the clock of the scenario; Git is fetched and tags are listed rarely. Its file has these
    /// keys more.
    fn start(scenario: &Scenario, file: &str) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let keys = format!("policies: [policies/]\ninterval: 1h\n---\n{file}");
        let text = configuration(&scenario.registry.host(), &scenario.repo, &keys);
        let service = config::service("tagwright.yaml", &text).value.unwrap();
        let state = State::own(folder.path()).unwrap();
        let clock = scenario.clock.clone();
        let entries = driver::entries(&service, &state, &clock).unwrap();
        let until = Arc::new(Mutex::new(None));
        let seen = Arc::clone(&until);
        let on_pass: OnPass = Arc::new(move |_, pass| {
            *seen.lock().unwrap() = pass.observation.plan.expires;
        });
        let (stop, stopping) = watch::channel(false);
        let (shared, state) = (Arc::new(Shared::default()), Arc::new(state));
        let runtime = Runtime::new().unwrap();
        let run = driver::run(entries, state, clock, shared, on_pass, stopping);
        Self {
            until,
            stop,
            task: runtime.spawn(run),
            runtime,
            _folder: folder,
        }
    }

    fn until(&self) -> Option<Timestamp> {
        *self.until.lock().unwrap()
    }

    fn ends(self) {
        self.stop.send(true).unwrap();
        self.runtime.block_on(self.task).unwrap();
    }
}

/// Runs the service on a clock that stands still until it waits for a known moment, and is then set to
/// that; each change must land long before Git is fetched or tags are listed again.
fn wakes(scenario: &Scenario, landed: impl Fn(&str) -> bool) {
    let start = scenario.clock.now();
    let running = Running::start(scenario, "");
    for (age, file) in STAGES {
        let due = start
            .saturating_add(SignedDuration::from_secs(age))
            .unwrap();
        wait_until("the plan says until when it is good", || {
            running.until() == Some(due)
        });
        assert!(!landed(&scenario.read(file)));
        scenario.clock.advance(SignedDuration::from_secs(1));
        wait_until(file, || landed(&scenario.read(file)));
    }
    running.ends();
}

#[test]
fn a_tag_lands_as_soon_as_it_is_old_enough() {
    let Some(scenario) = waiting([OLD; 3], "1.0.0") else {
        return;
    };
    wakes(&scenario, |text| text.ends_with(":1.1.0\n"));
}

#[test]
fn a_followed_tag_is_pinned_as_soon_as_it_has_rested() {
    let Some(scenario) = waiting(["tags: {digest: main, settle: AGE}"; 3], "main") else {
        return;
    };
    wakes(&scenario, |text| text.contains(":main@sha256:"));
}

#[test]
fn a_change_lands_as_soon_as_its_window_opens() {
    // The service sleeps in real time, so the moments are seconds apart, and windows open at whole minutes:
    // so only the last of them is a window's.
    let window = "windows: [{cron: 45 9 * * *, duration: 1h, timezone: UTC}]";
    let Some(scenario) = waiting([OLD, OLD, window], "1.0.0") else {
        return;
    };
    let before = SignedDuration::from_mins(15) - SignedDuration::from_secs(3);
    scenario.clock.advance(before);
    wakes(&scenario, |text| text.ends_with(":1.1.0\n"));
}

/// An app with a stage behind a gate, and that gate.
fn gated() -> Option<(Scenario, Gate)> {
    let app = "version: 1\napp: shop\nimage: HOST/acme/shop\nstages:\n  - {name: live, paths: [one.yaml], checks: [{gate: slo}]}\n";
    let pod = ("one.yaml", "image: HOST/acme/shop:1.0.0\n");
    let scenario = Scenario::new(&[("policies/shop.yaml", app), pod])?;
    scenario.push("acme/shop", &["1.0.0", "1.1.0"]);
    Some((scenario, Gate::start()))
}

#[test]
fn a_gate_that_says_no_is_asked_again_by_the_clock() {
    let Some((scenario, gate)) = gated() else {
        return;
    };
    gate.says(503, "");
    let entry = gate.entry(", timeout: 1s, interval: 2s");
    let running = Running::start(&scenario, &format!("gates: [{entry}]"));
    let two = SignedDuration::from_secs(2);
    let due = scenario.clock.now().saturating_add(two).unwrap();
    wait_until("the plan is good until it is asked again", || {
        running.until() == Some(due)
    });
    gate.says(200, "");
    scenario.clock.advance(two);
    wait_until("the change", || {
        scenario.read("one.yaml").ends_with(":1.1.0\n")
    });
    running.ends();
}

#[test]
fn a_change_lands_as_soon_as_a_slow_gate_says_yes() {
    let Some((scenario, gate)) = gated() else {
        return;
    };
    gate.answers(false);
    let entry = gate.entry(", timeout: 1m, interval: 2m");
    let running = Running::start(&scenario, &format!("gates: [{entry}]"));
    wait_until("it is asked", || gate.so_far() == 1);
    gate.answers(true);
    wait_until("the change", || {
        scenario.read("one.yaml").ends_with(":1.1.0\n")
    });
    assert_eq!(gate.count(), 1);
    running.ends();
}
