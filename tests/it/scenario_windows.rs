//! Windows and freezes of a stage: changes wait until they may be made, through the service, pushed by
//! itself and by pull request.

use jiff::Timestamp;

use tagwright::forge::Kind;
use tagwright::reconcile::Pass;
use tagwright::reconcile::pulls::Did;

use crate::forges::Fake;
use crate::forges::hub::{self, Method};
use crate::scenario::{CART, CART_POD, Scenario, assert_stage, stage};

const POD: (&str, &str) = ("apps/shop.yaml", "image: HOST/acme/shop:1.0.0\n");

const BRANCH: &str = "tagwright/shop/staging";

/// Open on weekdays from nine to five, in winter from 14:00 to 22:00 by the clock of scenarios.
const NEW_YORK: &str =
    "windows: [{cron: 0 9 * * MON-FRI, duration: 8h, timezone: America/New_York}]";

/// The app file of shop, whose stage has these keys.
fn shop(keys: &str) -> String {
    format!(
        "version: 1\napp: shop\nimage: HOST/acme/shop\nstages:\n  - name: staging\n    paths: [apps/**]\n    {keys}\n"
    )
}

fn pushes(scenario: &Scenario) {
    scenario.push("acme/shop", &["1.0.0", "1.1.0"]);
    scenario.push("acme/cart", &["1.0.0"]);
}

/// Shop at 1.0.0 with 1.1.0 to come, under these conditions.
fn scenario(keys: &str) -> Option<Scenario> {
    let file = shop(keys);
    let scenario = Scenario::new(&[("policies/shop.yaml", &file), POD, CART, CART_POD])?;
    pushes(&scenario);
    Some(scenario)
}

/// The same on a forge.
fn proposing(keys: &str, push: &str) -> Option<(Scenario, Fake)> {
    let file = shop(keys);
    let files = [("policies/shop.yaml", file.as_str()), POD, CART, CART_POD];
    let (scenario, fake) = Scenario::on_forge(Kind::GitHub, &files, push)?;
    pushes(&scenario);
    Some((scenario, fake))
}

fn time(text: &str) -> Timestamp {
    text.parse().expect("a time")
}

/// Sets the clock.
fn at(scenario: &Scenario, text: &str) {
    let by = time(text).duration_since(scenario.clock.now());
    scenario.clock.advance(by);
}

/// What a pass that changes nothing says, now, after a restart, and having forgotten everything; the plan is
/// good until then.
fn waits(scenario: &mut Scenario, words: &[&str], until: &str) {
    let mut passes = vec![scenario.rests()];
    scenario.restarts();
    passes.push(scenario.rests());
    passes.push(scenario.pass_of_another());
    for pass in passes {
        assert_stage(&pass.observation, "shop/staging", "waiting", words);
        assert_eq!(pass.observation.plan.expires, Some(time(until)));
    }
}

/// A pass that leaves the base alone and does this for its one pull request.
fn does(scenario: &mut Scenario, expected: &Did) -> Pass {
    let pass = scenario.rests();
    let did: Vec<&Did> = pass.pulls.iter().map(|done| &done.did).collect();
    assert_eq!(did, [expected]);
    pass
}

/// The status of the head of the pull request.
fn status(fake: &Fake) -> (String, String) {
    let hub = fake.hub();
    let head = hub.tip(BRANCH).expect("the branch is there");
    let status = hub.status_of(&head, BRANCH).expect("a status");
    (status.verdict.clone(), status.description.clone())
}

#[test]
fn a_change_waits_for_its_window_and_is_then_made() {
    let Some(mut scenario) = scenario(NEW_YORK) else {
        return;
    };
    let words = [
        "1.1.0 waits: window opens Mon 09:00 America/New_York (2026-03-02T14:00:00Z)",
        "tagwright deploy shop staging 1.1.0",
        "of 2 tags, 1.1.0 is the highest",
    ];
    waits(&mut scenario, &words, "2026-03-02T14:00:00Z");
    let view = stage(&scenario.observe(), "shop/staging");
    let digest = scenario.digest("acme/shop", "1.1.0");
    assert_eq!(view.next, Some(format!("1.1.0@{digest}")));
    let told: Vec<_> = view.waits.iter().map(|it| (it.kind, it.until)).collect();
    assert_eq!(told, [("window", Some(time("2026-03-02T14:00:00Z")))]);

    // Others go on, and something newer takes its place.
    scenario.push("acme/cart", &["1.1.0"]);
    scenario.lands(1);
    scenario.push("acme/shop", &["1.2.0"]);
    at(&scenario, "2026-03-02T13:59:59Z");
    waits(&mut scenario, &["1.2.0 waits"], "2026-03-02T14:00:00Z");
    at(&scenario, "2026-03-02T14:00:00Z");
    scenario.lands(1);
    scenario.rests_at("1.2.0");

    // The last second of the window, and the first after it.
    at(&scenario, "2026-03-02T21:59:59Z");
    scenario.push("acme/shop", &["1.3.0"]);
    scenario.rests_at("1.3.0");
    at(&scenario, "2026-03-02T22:00:00Z");
    scenario.push("acme/shop", &["1.4.0"]);
    let opens = "window opens Tue 09:00 America/New_York";
    waits(&mut scenario, &[opens], "2026-03-03T14:00:00Z");
}

#[test]
fn over_a_weekend_on_which_clocks_change_it_opens_by_the_local_clock() {
    let Some(mut scenario) = scenario(NEW_YORK) else {
        return;
    };
    // In New York clocks go forward on 8 March.
    at(&scenario, "2026-03-06T22:00:00Z");
    let opens = "window opens Mon 09:00 America/New_York (2026-03-09T13:00:00Z)";
    waits(&mut scenario, &[opens], "2026-03-09T13:00:00Z");
    at(&scenario, "2026-03-09T12:59:59Z");
    scenario.rests();
    at(&scenario, "2026-03-09T13:00:00Z");
    scenario.rests_at("1.1.0");
}

#[test]
fn a_digest_is_read_anew_when_the_window_opens() {
    let Some(mut scenario) = scenario(NEW_YORK) else {
        return;
    };
    scenario.rests();
    let digest = scenario.push_content("acme/shop", "1.1.0", "pushed again");
    at(&scenario, "2026-03-02T14:00:00Z");
    scenario.lands(1);
    let trailer = format!("to=1.1.0@{digest}");
    let changes = scenario.changes();
    assert!(changes[0].contains(&trailer), "{changes:?}");
}

#[test]
fn what_waits_is_read_once_after_each_listing() {
    let Some(mut scenario) = scenario(NEW_YORK) else {
        return;
    };
    scenario.rests();
    let before = scenario.registry.requests().len();
    for _ in 0..3 {
        let pass = scenario.pass_by_interval();
        assert_stage(
            &pass.observation,
            "shop/staging",
            "waiting",
            &["1.1.0 waits"],
        );
    }
    let made = scenario.registry.requests().len() - before;
    assert_eq!(made, 0, "nothing is asked while nothing is due");
}

#[test]
fn a_deploy_waits_for_no_window_and_no_freeze() {
    for keys in [NEW_YORK, "freezes: [{until: 2026-03-03T00:00:00Z}]"] {
        let Some(mut scenario) = scenario(keys) else {
            return;
        };
        scenario.rests();
        let file = ".tagwright/decisions/shop/staging.yaml";
        scenario.writes(file, "- deploy: HOST/acme/shop:1.1.0\n");
        let pass = scenario.lands(1);
        let words = ["Ada Okafor", "decided to deploy it"];
        assert_stage(&pass.observation, "shop/staging", "change", &words);
        scenario.push("acme/shop", &["1.2.0"]);
        let pass = scenario.rests();
        assert_stage(&pass.observation, "shop/staging", "waiting", &[]);
        scenario.rests_at("1.1.0");
    }
}

#[test]
fn a_hold_goes_before_a_window() {
    let Some(mut scenario) = scenario(NEW_YORK) else {
        return;
    };
    let file = ".tagwright/decisions/shop/staging.yaml";
    scenario.writes(file, "- hold: incident 4711\n");
    at(&scenario, "2026-03-02T14:00:00Z");
    let pass = scenario.rests();
    assert_stage(&pass.observation, "shop/staging", "waiting", &["held by"]);
    assert!(stage(&pass.observation, "shop/staging").waits.is_empty());
    scenario.writes(file, "- hold: incident 4711\n- release: true\n");
    scenario.rests_at("1.1.0");
}

#[test]
fn a_freeze_in_the_app_file_stops_its_stage_between_its_times() {
    let freeze =
        "freezes: [{from: 2026-03-02T10:00:00Z, until: 2026-03-02T12:00:00+01:00, reason: audit}]";
    let Some(mut scenario) = scenario(freeze) else {
        return;
    };
    scenario.rests_at("1.1.0");
    at(&scenario, "2026-03-02T10:00:00Z");
    scenario.push("acme/shop", &["1.2.0"]);
    let words = [
        "frozen until 2026-03-02T11:00:00Z by policies/shop.yaml:7:15: audit",
        "taking it out of the file ends it",
    ];
    waits(&mut scenario, &words, "2026-03-02T11:00:00Z");
    at(&scenario, "2026-03-02T11:00:00Z");
    scenario.rests_at("1.2.0");
}

#[test]
fn taking_a_freeze_out_of_the_app_file_ends_it() {
    let Some(mut scenario) = scenario("freezes: [{from: 2026-03-02T00:00:00Z}]") else {
        return;
    };
    let pass = scenario.rests();
    let words = ["frozen by policies/shop.yaml:7:15"];
    assert_stage(&pass.observation, "shop/staging", "waiting", &words);
    scenario.writes("policies/shop.yaml", &shop(""));
    scenario.rests_at("1.1.0");
}

#[test]
fn a_change_is_proposed_before_its_window_and_may_be_merged_once_it_opens() {
    let Some((mut scenario, fake)) = proposing(NEW_YORK, "") else {
        return;
    };
    let pass = does(&mut scenario, &Did::Opened);
    assert_stage(
        &pass.observation,
        "shop/staging",
        "waiting",
        &["1.1.0 waits"],
    );
    assert!(
        scenario
            .repo
            .show(&format!("{BRANCH}:apps/shop.yaml"))
            .ends_with(b":1.1.0\n")
    );
    let (verdict, description) = status(&fake);
    assert_eq!(verdict, "pending");
    let opens = "shop in staging: window opens Mon 09:00 America/New_York (2026-03-02T14:00:00Z)";
    assert!(description.starts_with(opens), "{description}");
    // It is said once, and again by nobody.
    fake.writes();
    does(&mut scenario, &Did::Nothing);
    assert_eq!(fake.writes(), Vec::<String>::new());
    scenario.restarts();
    does(&mut scenario, &Did::Nothing);
    let another = scenario.pass_of_another();
    assert_eq!(another.pulls[0].did, Did::Nothing);
    assert_eq!(status(&fake).0, "pending");

    at(&scenario, "2026-03-02T14:00:00Z");
    let pass = does(&mut scenario, &Did::Nothing);
    assert_stage(&pass.observation, "shop/staging", "change", &["1.1.0"]);
    assert_eq!(status(&fake).0, "success");
    let closes = Some(time("2026-03-02T22:00:00Z"));
    assert_eq!(pass.observation.plan.expires, closes);
    at(&scenario, "2026-03-02T22:00:00Z");
    does(&mut scenario, &Did::Nothing);
    let (verdict, description) = status(&fake);
    assert_eq!(verdict, "pending");
    assert!(description.contains("opens Tue 09:00"), "{description}");

    // Something newer takes its place while it waits.
    scenario.push("acme/shop", &["1.2.0"]);
    does(&mut scenario, &Did::Updated);
    assert_eq!(fake.hub().pulls[0].title, "shop: staging 1.0.0 -> 1.2.0");
    assert_eq!(status(&fake).0, "pending");
    at(&scenario, "2026-03-03T14:00:00Z");
    does(&mut scenario, &Did::Nothing);
    fake.hub()
        .merge(1, "bob", Method::Squash)
        .expect("it can be merged");
    does(&mut scenario, &Did::Removed);
    scenario.rests_at("1.2.0");
}

#[test]
fn nothing_is_merged_by_the_forge_before_the_window_opens() {
    let Some((mut scenario, fake)) = proposing(NEW_YORK, ", autoMerge: squash") else {
        return;
    };
    fake.hub().required = vec![BRANCH.to_owned()];
    does(&mut scenario, &Did::Opened);
    does(&mut scenario, &Did::Nothing);
    let pull = fake.hub().pulls[0].clone();
    assert_eq!((pull.state, pull.auto_merge), (hub::State::Open, None));
    at(&scenario, "2026-03-02T14:00:00Z");
    scenario.pass();
    assert_eq!(status(&fake).0, "success");
    scenario.pass();
    assert!(scenario.read("apps/shop.yaml").ends_with(":1.1.0\n"));
}

#[test]
fn a_pull_request_of_several_apps_waits_for_all_of_them() {
    let Some((mut scenario, fake)) = proposing(NEW_YORK, ", group: stage") else {
        return;
    };
    scenario.push("acme/cart", &["1.1.0"]);
    does(&mut scenario, &Did::Opened);
    let status = |fake: &Fake| {
        let hub = fake.hub();
        let head = hub.tip("tagwright/_stage/staging").expect("a branch");
        let status = hub.status_of(&head, "tagwright/staging").expect("a status");
        status.verdict.clone()
    };
    assert_eq!(status(&fake), "pending");
    at(&scenario, "2026-03-02T14:00:00Z");
    does(&mut scenario, &Did::Nothing);
    assert_eq!(status(&fake), "success");
}

#[test]
fn a_freeze_in_the_app_file_keeps_a_pull_request_from_being_merged() {
    let freeze =
        "freezes: [{from: 2026-03-02T10:00:00Z, until: 2026-03-02T11:00:00Z, reason: audit}]";
    let Some((mut scenario, fake)) = proposing(freeze, "") else {
        return;
    };
    does(&mut scenario, &Did::Opened);
    assert_eq!(status(&fake).0, "success");
    at(&scenario, "2026-03-02T10:00:00Z");
    let pass = scenario.rests();
    assert!(matches!(&pass.pulls[0].did, Did::Left(why) if why.contains("frozen until")));
    let (verdict, description) = status(&fake);
    assert_eq!(verdict, "pending");
    assert!(
        description.contains("frozen until 2026-03-02T11:00:00Z"),
        "{description}"
    );
    at(&scenario, "2026-03-02T11:00:00Z");
    does(&mut scenario, &Did::Nothing);
    assert_eq!(status(&fake).0, "success");
}

#[test]
fn a_deploy_is_proposed_and_may_be_merged_outside_of_every_window() {
    let Some((mut scenario, fake)) = proposing(NEW_YORK, "") else {
        return;
    };
    does(&mut scenario, &Did::Opened);
    assert_eq!(status(&fake).0, "pending");
    let file = ".tagwright/decisions/shop/staging.yaml";
    scenario.writes(
        file,
        "- deploy: HOST/acme/shop:1.1.0\n  reason: login broken\n",
    );
    scenario.rests();
    assert_eq!(status(&fake).0, "success");
}
