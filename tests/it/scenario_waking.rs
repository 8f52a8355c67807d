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
use tokio::sync::watch;

use crate::parts::wait_until;
use crate::scenario::{START, Scenario, configuration};

/// The files of the stages, by how long their tags wait. A first list of tags makes the service look
/// twice; only the moments that it waits for make it look more often.
const STAGES: [(i64, &str); 3] = [(1, "one.yaml"), (2, "two.yaml"), (3, "three.yaml")];

/// An app whose stages differ in how long their tags must wait: `policy`, where `AGE` stands for it.
fn waiting(policy: &str, tag: &str) -> Option<Scenario> {
    let mut app = "version: 1\napp: shop\nimage: HOST/acme/shop\nstages:\n".to_owned();
    for (age, file) in STAGES {
        let tags = policy.replace("AGE", &format!("{age}s"));
        app += &format!("  - {{name: stage-{age}, paths: [{file}], tags: {tags}}}\n");
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

    let start: Timestamp = START.parse().unwrap();
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
    let Some(scenario) = waiting("{semver: '*', minimumAge: AGE}", "1.0.0") else {
        return;
    };
    wakes(&scenario, |text| text.ends_with(":1.1.0\n"));
}

#[test]
fn a_followed_tag_is_pinned_as_soon_as_it_has_rested() {
    let Some(scenario) = waiting("{digest: main, settle: AGE}", "main") else {
        return;
    };
    wakes(&scenario, |text| text.contains(":main@sha256:"));
}
