//! Checks of a stage: changes wait until a gate says yes, through the service, pushed by itself and by pull
//! request.

use jiff::{SignedDuration, Timestamp};
use tagwright::forge::Kind;
use tagwright::reconcile::pulls::Did;
use tagwright::reconcile::{Freshness, Pass};

use crate::forges::Fake;
use crate::gate_server::{Gate, TOKEN};
use crate::scenario::{CART, CART_POD, Scenario, assert_stage, stage, view};

const POD: (&str, &str) = ("apps/shop.yaml", "image: HOST/acme/shop:1.0.0\n");

const BRANCH: &str = "tagwright/shop/staging";

const SLO: &str = "checks: [{gate: slo}]";

/// Open from ten to noon; scenarios begin at half past nine.
const LATER: &str = "windows: [{cron: 0 10 * * *, duration: 2h, timezone: UTC}]";

/// The app file of shop, whose stage has these keys.
fn shop(keys: &str) -> String {
    format!(
        "version: 1\napp: shop\nimage: HOST/acme/shop\nstages:\n  - name: staging\n    paths: [apps/**]\n    {keys}\n"
    )
}

fn with_gate(gate: &Gate, keys: &str) -> String {
    format!("gates: [{}]", gate.entry(keys))
}

/// Shop at 1.0.0 with 1.1.0 to come, under these conditions, and a gate.
fn scenario(keys: &str, of_gate: &str) -> Option<(Scenario, Gate)> {
    let gate = Gate::start();
    let file = shop(keys);
    let mut scenario = Scenario::new(&[("policies/shop.yaml", &file), POD, CART, CART_POD])?;
    scenario.serves_with(&with_gate(&gate, of_gate));
    pushes(&scenario);
    Some((scenario, gate))
}

/// The same on a forge.
fn proposing(keys: &str, push: &str) -> Option<(Scenario, Fake, Gate)> {
    let gate = Gate::start();
    let file = shop(keys);
    let files = [("policies/shop.yaml", file.as_str()), POD, CART, CART_POD];
    let (mut scenario, fake) = Scenario::on_forge(Kind::GitHub, &files, push)?;
    scenario.serves_with(&with_gate(&gate, ""));
    pushes(&scenario);
    Some((scenario, fake, gate))
}

fn pushes(scenario: &Scenario) {
    scenario.push("acme/shop", &["1.0.0", "1.1.0"]);
    scenario.push("acme/cart", &["1.0.0"]);
}

fn later(scenario: &Scenario, seconds: i64) {
    scenario.clock.advance(SignedDuration::from_secs(seconds));
}

fn after(scenario: &Scenario, seconds: i64) -> Option<Timestamp> {
    let by = SignedDuration::from_secs(seconds);
    scenario.clock.now().saturating_add(by).ok()
}

/// A pass that changes nothing and says these words of shop.
fn waits(scenario: &mut Scenario, words: &[&str]) -> Pass {
    let pass = scenario.rests();
    assert_stage(&pass.observation, "shop/staging", "waiting", words);
    pass
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
fn a_change_is_made_once_its_gate_says_yes() {
    let Some((mut scenario, gate)) = scenario(SLO, "") else {
        return;
    };
    gate.says(503, "error budget spent\nsince Monday\n");
    let pass = waits(
        &mut scenario,
        &[
            "1.1.0 waits: check `slo` says no (HTTP 503: error budget spent), asked again at \
             2026-03-02T09:31:00Z",
            "of 2 tags, 1.1.0 is the highest",
        ],
    );
    assert_eq!(pass.observation.plan.expires, after(&scenario, 60));
    let view = stage(&pass.observation, "shop/staging");
    let kinds: Vec<_> = view.waits.iter().map(|it| (it.kind, it.until)).collect();
    assert_eq!(kinds, [("check", None)]);
    let asked = gate.asked();
    assert_eq!(asked.len(), 1);
    let image = scenario.text("HOST/acme/shop");
    let digest = scenario.digest("acme/shop", "1.1.0");
    for (name, value) in [
        ("app", "shop"),
        ("stage", "staging"),
        ("image", &image),
        ("tag", "1.1.0"),
        ("digest", &digest),
    ] {
        assert_eq!(asked[0].query(name), value);
    }
    assert_eq!(asked[0].authorization, None);

    // The answer counts for its interval, and others go on meanwhile.
    gate.says(200, "");
    scenario.push("acme/cart", &["1.1.0"]);
    later(&scenario, 59);
    let pass = scenario.lands(1);
    assert_stage(&pass.observation, "shop/staging", "waiting", &["says no"]);
    assert_eq!(gate.count(), 0);
    later(&scenario, 1);
    scenario.lands(1);
    assert_eq!(gate.count(), 1);
    scenario.rests_at("1.1.0");
    assert_eq!(gate.count(), 0, "there is nothing to ask about");
}

#[test]
fn something_newer_and_another_digest_are_asked_about_anew() {
    let Some((mut scenario, gate)) = scenario(SLO, "") else {
        return;
    };
    gate.says(409, "");
    waits(
        &mut scenario,
        &["1.1.0 waits: check `slo` says no (HTTP 409)"],
    );
    gate.says(200, "");
    scenario.push("acme/shop", &["1.2.0"]);
    scenario.lands(1);
    gate.says(409, "");
    scenario.push("acme/shop", &["1.3.0"]);
    waits(&mut scenario, &["1.3.0 waits: check"]);
    gate.says(200, "");
    let digest = scenario.push_content("acme/shop", "1.3.0", "pushed again");
    scenario.lands(1);
    let asked = gate.asked();
    assert_eq!(
        asked.iter().map(|it| it.query("tag")).collect::<Vec<_>>(),
        ["1.1.0", "1.2.0", "1.3.0", "1.3.0"]
    );
    assert_eq!(asked[3].query("digest"), digest.to_string());
}

#[test]
fn a_restart_and_another_service_ask_for_themselves() {
    let Some((mut scenario, gate)) = scenario(SLO, "") else {
        return;
    };
    gate.says(409, "");
    waits(&mut scenario, &["says no"]);
    assert_eq!(gate.count(), 1);
    scenario.restarts();
    waits(&mut scenario, &["says no"]);
    assert_eq!(gate.count(), 1);
    let pass = scenario.pass_of_another();
    assert_stage(&pass.observation, "shop/staging", "waiting", &["says no"]);
    assert_eq!(gate.count(), 1);
    // What let a change pass before a restart lets none pass after it.
    gate.says(200, "");
    scenario.observe();
    later(&scenario, 60);
    scenario.observe();
    gate.says(409, "");
    scenario.restarts();
    waits(&mut scenario, &["says no"]);
}

#[test]
fn a_gate_is_left_alone_while_a_window_is_closed() {
    let Some((mut scenario, gate)) = scenario(&format!("{LATER}\n    {SLO}"), "") else {
        return;
    };
    for status in [200, 503, 200] {
        gate.says(status, "");
        let pass = waits(&mut scenario, &["1.1.0 waits: window opens Mon 10:00 UTC"]);
        assert_eq!(stage(&pass.observation, "shop/staging").waits.len(), 1);
        later(&scenario, 300);
    }
    assert_eq!(gate.count(), 0);
    gate.says(503, "");
    later(&scenario, 15 * 60);
    waits(
        &mut scenario,
        &["1.1.0 waits: check `slo` says no (HTTP 503)"],
    );
    // The window closes before it says yes, and it is not asked until the next one opens.
    later(&scenario, 2 * 60 * 60);
    gate.says(200, "");
    gate.asked();
    waits(&mut scenario, &["1.1.0 waits: window opens Tue 10:00 UTC"]);
    assert_eq!(gate.count(), 0);
    later(&scenario, 22 * 60 * 60);
    scenario.lands(1);
}

#[test]
fn a_gate_that_can_t_be_reached_or_is_not_there_lets_nothing_pass() {
    let Some((mut scenario, gate)) = scenario(SLO, "") else {
        return;
    };
    let entry = gate.entry("");
    drop(gate);
    waits(&mut scenario, &["1.1.0 waits: check `slo` can't be had: "]);
    let plan = scenario.observe().plan;
    assert_eq!(plan.expires, after(&scenario, 60));
    scenario.serves_with("");
    waits(
        &mut scenario,
        &["check `slo` can't be had: the service file has no gate of this name"],
    );
    assert!(entry.contains("slo"));
}

#[test]
fn a_gate_that_never_answers_holds_up_its_own_stage_only() {
    let Some((mut scenario, gate)) = scenario(SLO, ", timeout: 1m, interval: 2m") else {
        return;
    };
    gate.answers(false);
    scenario.push("acme/cart", &["1.1.0"]);
    let pass = scenario.service.pass(Freshness::AsPolled);
    let pass = pass.expect("a pass");
    assert_stage(
        &pass.observation,
        "shop/staging",
        "waiting",
        &["1.1.0 waits: check `slo`: asked, and not answered yet"],
    );
    assert_eq!(
        scenario.read("apps/cart.yaml"),
        scenario.text("image: HOST/acme/cart:1.1.0\n")
    );
    crate::parts::wait_until("it is asked", || gate.so_far() == 1);
    // It is not asked again while it is silent, and its answer is taken up when it comes.
    scenario.service.pass(Freshness::AsPolled).expect("a pass");
    assert_eq!(gate.count(), 1);
    gate.answers(true);
    scenario.lands(1);
    assert_eq!(gate.count(), 0);
    scenario.rests_at("1.1.0");
}

#[test]
fn a_token_is_sent_and_never_shown() {
    let gate = Gate::start();
    let keys = gate.token();
    let file = shop(SLO);
    let files = [("policies/shop.yaml", file.as_str()), POD, CART, CART_POD];
    let Some(mut scenario) = Scenario::new(&files) else {
        return;
    };
    scenario.serves_with(&with_gate(&gate, &keys));
    pushes(&scenario);
    gate.says(403, &format!("who is {TOKEN}?"));
    let pass = waits(&mut scenario, &["(HTTP 403: who is …?)"]);
    let asked = gate.asked();
    assert_eq!(asked[0].authorization, Some(format!("Bearer {TOKEN}")));
    let shown = format!("{:?}{:?}", pass.observation.plan, view(&pass.observation));
    assert!(!shown.contains(TOKEN));
}

#[test]
fn a_deploy_waits_for_no_check() {
    let Some((mut scenario, gate)) = scenario(SLO, "") else {
        return;
    };
    gate.says(503, "");
    waits(&mut scenario, &["says no"]);
    gate.asked();
    let file = ".tagwright/decisions/shop/staging.yaml";
    scenario.writes(file, "- deploy: HOST/acme/shop:1.1.0\n");
    scenario.lands(1);
    scenario.rests_at("1.1.0");
    assert_eq!(gate.count(), 0);
}

#[test]
fn a_pull_request_is_opened_once_its_gate_says_yes_and_waits_when_it_says_no() {
    let Some((mut scenario, fake, gate)) = proposing(SLO, "") else {
        return;
    };
    gate.says(503, "error budget spent");
    let pass = waits(&mut scenario, &["1.1.0 waits: check `slo` says no"]);
    assert_eq!(pass.pulls, []);
    assert!(fake.hub().pulls.is_empty());
    gate.says(200, "");
    later(&scenario, 60);
    does(&mut scenario, &Did::Opened);
    assert_eq!(status(&fake).0, "success");

    gate.says(503, "error budget spent");
    later(&scenario, 60);
    fake.writes();
    let pass = does(&mut scenario, &Did::Nothing);
    assert_stage(
        &pass.observation,
        "shop/staging",
        "waiting",
        &["error budget spent"],
    );
    let (verdict, description) = status(&fake);
    assert_eq!(verdict, "pending");
    assert_eq!(
        description,
        "shop in staging: check `slo` says no (HTTP 503)"
    );
    assert_eq!(fake.writes().len(), 1);
    // It is said once, however often the gate says it, and whatever its words.
    gate.says(503, "error budget still spent");
    later(&scenario, 60);
    does(&mut scenario, &Did::Nothing);
    assert_eq!(fake.writes(), Vec::<String>::new());

    // Something newer takes its place in it while it waits.
    scenario.push("acme/shop", &["1.2.0"]);
    does(&mut scenario, &Did::Updated);
    assert_eq!(fake.hub().pulls[0].title, "shop: staging 1.0.0 -> 1.2.0");
    assert_eq!(status(&fake).0, "pending");
    gate.says(200, "");
    later(&scenario, 60);
    does(&mut scenario, &Did::Nothing);
    assert_eq!(status(&fake).0, "success");
    fake.merge(1, "bob");
    does(&mut scenario, &Did::Removed);
    scenario.rests_at("1.2.0");
}

#[test]
fn a_pull_request_is_opened_before_its_window_if_its_gate_says_yes() {
    let keys = format!("{LATER}\n    {SLO}");
    let Some((mut scenario, fake, gate)) = proposing(&keys, "") else {
        return;
    };
    gate.says(503, "");
    let pass = waits(
        &mut scenario,
        &["window opens Mon 10:00 UTC", "and check `slo` says no"],
    );
    assert_eq!(pass.pulls, []);
    gate.says(200, "");
    later(&scenario, 60);
    does(&mut scenario, &Did::Opened);
    let (verdict, description) = status(&fake);
    assert_eq!(verdict, "pending");
    assert!(
        description.starts_with("shop in staging: window opens"),
        "{description}"
    );
    // While it is open and the window closed, nothing is asked.
    gate.asked();
    gate.says(503, "");
    later(&scenario, 60);
    does(&mut scenario, &Did::Nothing);
    assert_eq!(gate.count(), 0);
    later(&scenario, 28 * 60);
    does(&mut scenario, &Did::Nothing);
    assert_eq!(
        status(&fake),
        (
            "pending".to_owned(),
            "shop in staging: check `slo` says no (HTTP 503)".to_owned()
        )
    );
    gate.says(200, "");
    later(&scenario, 60);
    does(&mut scenario, &Did::Nothing);
    assert_eq!(status(&fake).0, "success");
}

#[test]
fn an_app_joins_a_pull_request_once_its_gate_says_yes() {
    let Some((mut scenario, fake, gate)) = proposing(SLO, ", group: stage") else {
        return;
    };
    gate.says(503, "");
    scenario.push("acme/cart", &["1.1.0"]);
    does(&mut scenario, &Did::Opened);
    assert_eq!(fake.hub().pulls[0].title, "cart: staging 1.0.0 -> 1.1.0");
    does(&mut scenario, &Did::Nothing);
    gate.says(200, "");
    later(&scenario, 60);
    does(&mut scenario, &Did::Updated);
    let title = fake.hub().pulls[0].title.clone();
    assert!(title.contains("shop") || title.contains('2'), "{title}");
}
