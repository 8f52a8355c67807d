//! How commits are made: signed, grouped and worded as the service file says.

use jiff::SignedDuration;
use tagwright::reconcile::PassResult;

use crate::git_signing::ssh_key;
use crate::scenario::{CART, CART_POD, SHOP, Scenario, assert_stage};

const POD: (&str, &str) = ("apps/pod.yaml", "image: HOST/acme/shop:1.0.0\n");

#[test]
fn commits_are_signed_or_not_made() {
    let folder = tempfile::tempdir().unwrap();
    let Some(key) = ssh_key(folder.path(), "key", &["ed25519"], "") else {
        return;
    };
    let keys = format!(
        "policies: [policies/]\ncommit: {{signing: {{ssh: {{file: {}}}}}}}",
        key.display()
    );
    let Some(mut scenario) = Scenario::configured(&[SHOP, POD], &keys) else {
        return;
    };
    scenario.push("acme/shop", &["1.0.0", "1.1.0"]);
    scenario.lands(1);
    let command = ["cat-file", "commit", "main"];
    let commit = scenario.repo.git().text(scenario.repo.path(), &command);
    assert!(
        commit.contains("\ngpgsig -----BEGIN SSH SIGNATURE-----\n"),
        "{commit}"
    );

    std::fs::write(&key, "nothing\n").unwrap();
    let before = scenario.repo.head();
    scenario.push("acme/shop", &["1.2.0"]);
    let error = scenario.try_pass().unwrap_err();
    let words = tagwright::driver::words(&error);
    assert!(words.contains("commits can't be signed"), "{words}");
    assert!(words.contains("ssh-keygen -t ed25519"), "{words}");
    assert_eq!(scenario.repo.head(), before);
    // Looking on needs no key.
    assert_eq!(scenario.observe().preparation.commits.len(), 1);
}

#[test]
fn a_pass_can_be_one_commit() {
    let keys = "policies: [policies/]\ncommit: {group: pass, subject: \"deploy: {app}\"}";
    let both = (
        "apps/both.yaml",
        "image: HOST/acme/shop:1.0.0\n---\nimage: HOST/acme/cart:1.0.0\n",
    );
    let Some(mut scenario) = Scenario::configured(&[SHOP, POD, CART, CART_POD, both], keys) else {
        return;
    };
    scenario.push("acme/shop", &["1.0.0", "1.1.0"]);
    scenario.push("acme/cart", &["1.0.0", "2.0.0"]);
    let pass = scenario.lands(1);
    let changes = &pass.observation.preparation.commits[0].changes;
    let apps: Vec<&str> = changes.iter().map(|change| change.app.as_str()).collect();
    assert_eq!(apps, ["cart", "shop"]);
    let message = scenario.repo.log("%s%n%(trailers:only)");
    let message = message.lines().take(3).collect::<Vec<_>>();
    assert_eq!(message[0], "deploy: cart, shop");
    assert!(message[1].starts_with("Tagwright-Change: v1 app=cart "));
    assert!(message[2].starts_with("Tagwright-Change: v1 app=shop "));
    let file = String::from_utf8(scenario.repo.show("main:apps/both.yaml")).unwrap();
    let expected = "image: HOST/acme/shop:1.1.0\n---\nimage: HOST/acme/cart:2.0.0\n";
    assert_eq!(file, scenario.text(expected));
    scenario.rests();
}

#[test]
fn a_stage_can_be_one_commit() {
    let app = |name: &str| {
        format!(
            "version: 1\napp: {name}\nimage: HOST/acme/{name}\nstages:\n  \
             - {{name: staging, paths: [apps/staging/**]}}\n  \
             - {{name: production, paths: [apps/production/**]}}\n"
        )
    };
    let (shop, cart) = (app("shop"), app("cart"));
    let pods = "image: HOST/acme/shop:1.0.0\n---\nimage: HOST/acme/cart:1.0.0\n";
    let files = [
        ("policies/shop.yaml", shop.as_str()),
        ("policies/cart.yaml", cart.as_str()),
        ("apps/staging/pods.yaml", pods),
        ("apps/production/pods.yaml", pods),
    ];
    let keys = "policies: [policies/]\ncommit: {group: stage}";
    let Some(mut scenario) = Scenario::configured(&files, keys) else {
        return;
    };
    scenario.push("acme/shop", &["1.0.0", "1.1.0"]);
    scenario.push("acme/cart", &["1.0.0", "1.1.0"]);
    scenario.lands(2);
    let subjects = scenario.repo.log("%s");
    let subjects: Vec<&str> = subjects.lines().take(2).collect();
    assert_eq!(
        subjects,
        [
            "production: update cart, shop",
            "staging: update cart, shop"
        ]
    );
}

/// A remote that takes no change of cart.
const NO_CART: &str = "while read -r old new ref; do
  if git diff \"$old\" \"$new\" | grep -q '^+.*acme/cart'; then
    echo 'cart is frozen' >&2
    exit 1
  fi
done";

#[test]
fn one_refused_change_of_a_commit_keeps_no_other_out() {
    let keys = "policies: [policies/]\ncommit: {group: pass}";
    let Some(mut scenario) = Scenario::configured(&[SHOP, POD, CART, CART_POD], keys) else {
        return;
    };
    scenario.push("acme/shop", &["1.0.0", "1.1.0"]);
    scenario.push("acme/cart", &["1.0.0", "1.1.0"]);
    scenario.repo.hook("pre-receive", NO_CART);
    let pass = scenario.lands(1);
    let preparation = &pass.observation.preparation;
    assert_eq!(preparation.commits[0].changes[0].app, "shop");
    let told = preparation.refused[0].to_string();
    assert!(told.contains("cart is frozen"), "{told}");
}

#[test]
fn a_burst_of_tags_makes_one_push() {
    let keys = "policies: [policies/]\ncommit: {window: 10s}";
    let Some(mut scenario) = Scenario::configured(&[SHOP, POD, CART, CART_POD], keys) else {
        return;
    };
    scenario.push("acme/shop", &["1.0.0"]);
    scenario.push("acme/cart", &["1.0.0"]);
    assert_eq!(scenario.gathering_pass().result, PassResult::Nothing);
    let (before, first) = (scenario.repo.head(), scenario.clock.now());
    scenario.push("acme/shop", &["1.1.0"]);
    let until = first + SignedDuration::from_secs(10);
    let gathering = PassResult::Gathering(until);
    assert_eq!(scenario.gathering_pass().result, gathering);
    scenario.clock.advance(SignedDuration::from_secs(9));
    scenario.push("acme/cart", &["1.1.0"]);
    scenario.push("acme/shop", &["1.2.0"]);
    assert_eq!(scenario.gathering_pass().result, gathering);
    assert_eq!(scenario.repo.head(), before);
    scenario.clock.advance(SignedDuration::from_secs(1));
    let pass = scenario.gathering_pass();
    assert!(
        matches!(&pass.result, PassResult::Landed(commits) if commits.len() == 2),
        "{:?}",
        pass.result
    );
    let subjects = scenario.repo.log("%s");
    assert!(subjects.contains("shop: staging 1.0.0 -> 1.2.0"));
    scenario.push("acme/shop", &["1.3.0"]);
    let until = until + SignedDuration::from_secs(10);
    let next = PassResult::Gathering(until);
    assert_eq!(
        scenario.gathering_pass().result,
        next,
        "a window of its own"
    );
}

#[test]
fn changes_beyond_the_limit_wait_their_turn() {
    let keys = "policies: [policies/]\nlimits: {changesPerPass: 1}";
    let Some(mut scenario) = Scenario::configured(&[SHOP, POD, CART, CART_POD], keys) else {
        return;
    };
    scenario.push("acme/shop", &["1.0.0", "1.1.0"]);
    scenario.push("acme/cart", &["1.0.0", "1.1.0"]);
    let pass = scenario.lands(1);
    assert_stage(
        &pass.observation,
        "shop/staging",
        "waiting",
        &["waits its turn"],
    );
    scenario.clock.advance(SignedDuration::from_secs(60));
    // Cart is earlier by name, but shop has waited.
    scenario.push("acme/cart", &["1.2.0"]);
    let pass = scenario.lands(1);
    assert_stage(
        &pass.observation,
        "cart/staging",
        "waiting",
        &["waits its turn"],
    );
    scenario.lands(1);
    scenario.rests();
}
