//! Approvals of deploys, of several changes in one commit, and of changes by pull request.

use tagwright::forge::Kind;
use tagwright::reconcile::Pass;
use tagwright::reconcile::pulls::Did;

use crate::scenario::{Scenario, WHOLE, assert_stage};
use crate::town::{ONE, Town, add, town, town_of};

#[test]
fn a_deploy_needs_its_approvals_and_is_its_authors() {
    let Some(mut town) =
        town("approvals: {required: 2, from: [\"@platform\", mallory]}").map(Town::at_any_depth)
    else {
        return;
    };
    let digest = town.scenario.digest("acme/shop", "1.1.0");
    town.says(
        "ada",
        &format!("- deploy: HOST/acme/shop:1.1.0@{digest}\n  reason: login broken\n"),
    );
    town.waits(&[
        "1.1.0 waits: approval 2 of 2",
        "given by ada",
        "decided to deploy it",
    ]);
    let entry = town.approval("1.1.0");
    town.says("bob", &entry);
    let pass = town.lands();
    assert_stage(
        &pass.observation,
        "shop/staging",
        "change",
        &["decided to deploy it"],
    );
    assert_eq!(town.trailers().lines().count(), 2);
    town.scenario.rests();
}

#[test]
fn a_deploy_may_have_a_lane_of_its_own() {
    let Some(mut town) = town(&format!(
        "{ONE}\n    fastLane: {{approvals: {{required: 0}}}}"
    )) else {
        return;
    };
    town.waits(&["approval 1 of 1"]);
    town.says("eve", "- deploy: HOST/acme/shop:1.1.0\n");
    town.lands();
    assert_eq!(town.trailers(), "");
}

#[test]
fn who_asks_for_a_deploy_may_be_kept_from_approving_it() {
    let keys = "fastLane: {approvals: {required: 1, from: [\"@platform\"], excludeAuthor: true}}";
    let Some(mut town) = town(keys) else {
        return;
    };
    town.says("ada", "- hold: nothing by itself\n");
    let digest = town.scenario.digest("acme/shop", "1.1.0");
    let deploy = format!("- deploy: HOST/acme/shop:1.1.0@{digest}\n");
    let entry = town.approval("1.1.0");
    town.says("ada", &deploy);
    town.says("ada", &entry);
    town.waits(&[
        "needs one of @platform (bob)",
        "of the person who asks for the change",
    ]);
    // One that nobody signed could be anybody's.
    let unsigned = town.scenario.text(&deploy);
    town.scenario.person("Deploy", |work| add(work, &unsigned));
    town.says("bob", &entry);
    town.waits(&["it isn't proven who asks for the change"]);
    town.says("ada", &deploy);
    town.lands();
}

#[test]
fn a_deploy_that_is_rejected_is_over() {
    let Some(mut town) = town(ONE) else {
        return;
    };
    let digest = town.scenario.digest("acme/shop", "1.1.0");
    town.says("eve", &format!("- deploy: HOST/acme/shop:1.1.0@{digest}\n"));
    town.scenario.push("acme/shop", &["1.2.0"]);
    town.waits(&["1.1.0 waits"]);
    town.says("bob", &format!("- reject: HOST/acme/shop:1.1.0@{digest}\n"));
    town.waits(&["1.2.0 waits"]);
}

#[test]
fn the_changes_of_one_commit_are_approved_one_by_one() {
    let Some(town) = town(ONE) else {
        return;
    };
    let keys = town.scenario.keys().replacen(
        "policies: [policies/]",
        "policies: [policies/]\ncommit: {group: pass}",
        1,
    );
    town.scenario.push("acme/cart", &["1.1.0"]);
    let id = town.says("ada", &town.approval("1.1.0"));
    let mut service = town.scenario.service_with(&keys);
    let pass = service
        .pass(tagwright::reconcile::Freshness::Anew)
        .expect("a pass");
    assert_eq!(pass.observation.preparation.commits.len(), 1);
    let trailer = town.trailers();
    let begins = trailer.starts_with(&format!("ada commit={id} key="));
    assert!(
        begins && trailer.ends_with(" app=shop stage=staging"),
        "{trailer}"
    );
}

#[test]
fn a_pull_request_waits_for_approvals_and_names_them() {
    let mut forge = None;
    let keys = "approvals: {required: 1, from: [\"@platform\"], identity: signed}";
    let town = town_of(keys, |files, people| {
        let (mut scenario, fake) = Scenario::on_forge(Kind::GitHub, files, "")?;
        let mode = "push: {mode: pullRequest}";
        scenario.reconfigured(mode, &format!("{mode}{WHOLE}{people}"));
        forge = Some(fake);
        Some(scenario)
    });
    let (Some(mut town), Some(fake)) = (town, forge) else {
        return;
    };
    let branch = "tagwright/shop/staging";
    let status = || {
        let hub = fake.hub();
        let head = hub.tip(branch).expect("the branch is there");
        let status = hub.status_of(&head, branch).expect("a status");
        (status.verdict.clone(), status.description.clone())
    };
    let did = |pass: &Pass| {
        pass.pulls
            .iter()
            .map(|done| done.did.clone())
            .collect::<Vec<_>>()
    };
    let pass = town.scenario.rests();
    assert_eq!(did(&pass), [Did::Opened]);
    let (verdict, description) = status();
    assert_eq!(verdict, "pending");
    assert!(description.contains("approval 1 of 1"), "{description}");
    assert!(!fake.hub().pulls[0].body.contains("Approved by"));
    assert_eq!(did(&town.scenario.rests()), [Did::Nothing]);

    let entry = town.approval("1.1.0");
    town.says("bob", &entry);
    assert_eq!(did(&town.scenario.rests()), [Did::Updated]);
    assert_eq!(status().0, "success");
    let body = fake.hub().pulls[0].body.clone();
    assert!(body.contains("Approved by `bob`"), "{body}");
    assert_eq!(did(&town.scenario.rests()), [Did::Nothing]);
}
