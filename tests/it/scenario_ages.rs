//! How old an image is where its registry keeps no record: by the commit with which a stage took it, which a
//! lost cache doesn't change.

#![expect(
    clippy::unwrap_used,
    reason = "what a test can't set up is a failure of that test"
)]

use jiff::SignedDuration;
use tagwright::reconcile::Observation;

use crate::scenario::{SHOP, Scenario};

const HOUR: SignedDuration = SignedDuration::from_hours(1);

/// Staging takes what there is, production what is `age` old.
fn scenario(age: &str) -> Option<Scenario> {
    let pod = "image: HOST/acme/shop:1.0.0\n";
    let app = "version: 1\napp: shop\nimage: HOST/acme/shop\nstages:\n\
               - {name: staging, paths: [staging.yaml]}\n\
               - name: production\n  paths: [production.yaml]\n  \
               tags: {semver: '*', minimumAge: AGE}\n";
    let app = app.replace("AGE", age);
    let files = [
        (SHOP.0, app.as_str()),
        ("staging.yaml", pod),
        ("production.yaml", pod),
    ];
    Scenario::new(&files).map(Scenario::at_any_depth)
}

/// Why 1.1.0 is not production's.
fn why(observation: &Observation) -> String {
    let stages = observation.plan.stages.iter();
    let selection = stages.last().and_then(|stage| stage.selection.as_ref());
    let mut verdicts = selection.unwrap().verdicts.iter();
    let verdict = verdicts.find(|one| one.tag.as_str() == "1.1.0");
    verdict.unwrap().words()
}

fn forgets(scenario: &mut Scenario) {
    let mut fresh = scenario.another_service();
    std::mem::swap(&mut scenario.service, &mut fresh);
}

#[test]
fn an_age_from_git_outlives_the_cache() {
    let Some(mut scenario) = scenario("1d") else {
        return;
    };
    scenario.push("acme/shop", &["1.0.0", "1.1.0"]);
    scenario.lands(1);
    assert!(scenario.changes()[0].contains("stage=staging "));
    scenario.clock.advance(HOUR * 20);
    forgets(&mut scenario);
    let pass = scenario.rests();
    let words = "its age counts from 2026-03-02T09:30:00Z (when a stage took it), and `minimumAge` is over \
                 at 2026-03-03T09:30:00Z";
    assert!(
        why(&pass.observation).contains(words),
        "{}",
        why(&pass.observation)
    );

    // A working tree has no history, so the age counts from the first sight there, and says so.
    let work = scenario.repo.clone_to();
    let folder = scenario.observe_folder(work.path());
    let words =
        "from 2026-03-03T05:30:00Z (when it was first seen; the branch's history is not read here)";
    assert!(why(&folder).contains(words), "{}", why(&folder));

    // What comes to the branch meanwhile changes nothing.
    scenario.writes("notes.yaml", "a: b\n");
    scenario.clock.advance(HOUR * 4);
    scenario.lands(1);
    assert!(scenario.changes()[0].contains("stage=production "));
    scenario.rests();
}

#[test]
fn a_digest_that_somebody_wrote_counts_and_a_trailer_alone_does_not() {
    let Some(mut scenario) = scenario("1h") else {
        return;
    };
    scenario.push("acme/shop", &["1.0.0", "1.1.0"]);
    let digest = scenario.digest("acme/shop", "1.1.0");
    // Persons commit an hour and a half before the scenario begins. Nothing was changed to what this says.
    let false_words = format!(
        "Nothing\n\nTagwright-Change: v1 app=shop stage=staging image=x from=1.0.0 to=1.1.0@{digest}"
    );
    scenario.person(&false_words, |work| work.write("notes.yaml", "a: b\n"));
    scenario.lands(1);
    let pass = scenario.rests();
    let from_staging = "from 2026-03-02T09:30:00Z (when";
    assert!(why(&pass.observation).contains(from_staging));

    let pinned = format!("image: HOST/acme/shop:other@{digest}\n");
    let files = [("notes.yaml", "b: c\n"), ("pinned.yaml", &pinned)];
    let Some(mut scenario) = self::scenario("1h") else {
        return;
    };
    scenario.push("acme/shop", &["1.0.0", "1.1.0"]);
    for (path, text) in files {
        scenario.writes(path, text);
    }
    scenario.lands(2);
    assert!(scenario.read("production.yaml").ends_with(":1.1.0\n"));
}
