//! Statuses on the forge, of the commit that brought a change to the stage before: what runs in staging enters
//! production once they are green, through the service and on every kind of forge.

use jiff::SignedDuration;
use tagwright::forge::Kind;
use tagwright::reconcile::Pass;
use tagwright::reconcile::pulls::Did;

use crate::forges::Fake;
use crate::scenario::{Scenario, assert_stage};

const STAGING: (&str, &str) = ("apps/staging.yaml", "image: HOST/acme/shop:1.0.0\n");

const LIVE: (&str, &str) = ("apps/live.yaml", "image: HOST/acme/shop:1.0.0\n");

const SHOP: (&str, &str) = (
    "policies/shop.yaml",
    "version: 1\napp: shop\nimage: HOST/acme/shop\nstages:\n  - {name: staging, paths: [apps/staging.yaml], \
     PUSH}\n  - name: live\n    paths: [apps/live.yaml]\n    after: staging\n    checks: [{statuses: \
     [ci/e2e]}]\n",
);

/// Staging has just taken 1.1.0, which its commit brought: that commit. What goes by pull request, live does.
fn scenario(kind: Kind, push: &str) -> Option<(Scenario, Fake, String)> {
    let files = [SHOP, STAGING, LIVE].map(|(path, text)| (path, text.replace(", PUSH", "")));
    let files = files.each_ref().map(|(path, text)| (*path, text.as_str()));
    let (mut scenario, fake) = Scenario::on_forge(kind, &files, "")?;
    scenario.push("acme/shop", &["1.0.0", "1.1.0"]);
    scenario.reconfigured("mode: pullRequest", "mode: direct");
    scenario.lands(1);
    let commit = scenario.repo.head();
    if push != "direct" {
        scenario.reconfigured("mode: direct", &format!("mode: {push}"));
    }
    Some((scenario, fake, commit))
}

/// A pass a minute later that changes nothing of the branch and says these words of live.
fn waits(scenario: &mut Scenario, words: &[&str]) -> Pass {
    scenario.clock.advance(SignedDuration::from_mins(1));
    let pass = scenario.rests();
    assert_stage(&pass.observation, "shop/live", "waiting", words);
    pass
}

fn runs(scenario: &Scenario, tag: &str) {
    let text = scenario.read("apps/live.yaml");
    assert!(text.ends_with(&format!(":{tag}\n")), "{text}");
}

#[test]
fn a_change_is_made_once_the_statuses_are_green() {
    for kind in Kind::NAMES.map(|(_, kind)| kind) {
        let Some((mut scenario, fake, commit)) = scenario(kind, "direct") else {
            return;
        };
        let of = format!("1.1.0 waits: statuses of {}: `ci/e2e` ", &commit[..12]);
        waits(&mut scenario, &[&format!("{of}is missing, asked again at")]);
        fake.check(&commit, "ci/lint", "success");
        waits(&mut scenario, &[&format!("{of}is missing")]);
        fake.check(&commit, "ci/e2e", "pending");
        waits(&mut scenario, &[&format!("{of}is pending")]);
        fake.check(&commit, "ci/e2e", "failure");
        waits(&mut scenario, &[&format!("{of}has failed")]);
        fake.check(&commit, "ci/e2e", "success");
        scenario.clock.advance(SignedDuration::from_mins(1));
        scenario.lands(1);
        runs(&scenario, "1.1.0");
        scenario.rests();
    }
}

#[test]
fn the_forge_is_asked_once_a_minute_and_what_it_can_t_say_is_not_green() {
    let Some((mut scenario, fake, commit)) = scenario(Kind::GitHub, "direct") else {
        return;
    };
    waits(&mut scenario, &["is missing"]);
    let asked = fake.requests().len();
    fake.check(&commit, "ci/e2e", "success");
    let pass = scenario.rests();
    assert_stage(&pass.observation, "shop/live", "waiting", &["is missing"]);
    assert_eq!(fake.requests().len(), asked);
    fake.fail_next(500);
    waits(
        &mut scenario,
        &[&format!("statuses of {} can't be had: ", &commit[..12])],
    );
    // A restart asks anew.
    fake.fail_next(502);
    scenario.restarts();
    let pass = scenario.rests();
    assert_stage(&pass.observation, "shop/live", "waiting", &["can't be had"]);
    scenario.restarts();
    scenario.lands(1);
    runs(&scenario, "1.1.0");
}

#[test]
fn what_was_green_for_an_older_change_says_nothing_of_a_newer_one() {
    let Some((mut scenario, fake, commit)) = scenario(Kind::Gitea, "direct") else {
        return;
    };
    waits(&mut scenario, &["is missing"]);
    scenario.push("acme/shop", &["1.2.0"]);
    fake.check(&commit, "ci/e2e", "success");
    scenario.lands(1);
    let newer = scenario.repo.head();
    waits(
        &mut scenario,
        &[&format!("1.2.0 waits: statuses of {}", &newer[..12])],
    );
    fake.check(&newer, "ci/e2e", "success");
    scenario.clock.advance(SignedDuration::from_mins(1));
    scenario.lands(1);
    runs(&scenario, "1.2.0");
}

#[test]
fn a_pull_request_is_opened_once_they_are_green() {
    let Some((mut scenario, fake, commit)) = scenario(Kind::GitLab, "pullRequest") else {
        return;
    };
    let pass = waits(&mut scenario, &["is missing"]);
    assert_eq!(pass.pulls, []);
    fake.check(&commit, "ci/e2e", "success");
    scenario.clock.advance(SignedDuration::from_mins(1));
    let pass = scenario.rests();
    assert_eq!(pass.pulls[0].did, Did::Opened);
}
