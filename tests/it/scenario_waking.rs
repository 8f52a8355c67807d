//! The running service looks again at the very moment that something waits for.

#![expect(
    clippy::unwrap_used,
    reason = "what a test can't set up is a failure of that test"
)]

use std::sync::{Arc, Mutex};

use jiff::SignedDuration;
use tagwright::config;
use tagwright::driver::{self, OnPass};
use tagwright::server::Shared;
use tagwright::state::State;
use tokio::sync::watch;

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

/// Runs the service on a clock that stands still until it waits for a known moment, and is then set to
/// that; each change must land long before Git is fetched or tags are listed again.
fn wakes(scenario: &Scenario, landed: impl Fn(&str) -> bool) {
    let start = scenario.clock.now();
    let folder = tempfile::tempdir().unwrap();
    let keys = "policies: [policies/]\ninterval: 1h";
    let text = configuration(&scenario.registry.host(), &scenario.repo, keys);
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
    let runtime = tokio::runtime::Runtime::new().unwrap();
    let run = driver::run(entries, state, clock.clone(), shared, on_pass, stopping);
    let running = runtime.spawn(run);

    for (age, file) in STAGES {
        let due = start
            .saturating_add(SignedDuration::from_secs(age))
            .unwrap();
        wait_until("the plan says until when it is good", || {
            *until.lock().unwrap() == Some(due)
        });
        assert!(!landed(&scenario.read(file)));
        clock.advance(SignedDuration::from_secs(1));
        wait_until(file, || landed(&scenario.read(file)));
    }
    stop.send(true).unwrap();
    runtime.block_on(running).unwrap();
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
