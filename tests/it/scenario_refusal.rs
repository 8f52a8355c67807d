//! A remote that refuses some changes: the rest lands, and the refused ones wait with its words.

use jiff::SignedDuration;
use tagwright::reconcile::{Pass, PassResult};

use crate::scenario::{CART, CART_POD, SHOP, Scenario, view};

/// Refuses every push that changes the file, and counts all pushes.
const FROZEN: &str = "
echo push >> pushes
while read old new ref; do
  if git diff --name-only $old $new | grep -q apps/shop.yaml; then
    echo 'apps/shop.yaml is frozen' >&2
    exit 1
  fi
done";

/// Apps beside shop, so that halves have halves.
const OTHERS: [&str; 5] = ["cart", "docs", "mail", "user", "zoom"];

fn scenario() -> Option<Scenario> {
    let mut files = vec![SHOP, ("apps/shop.yaml", "image: HOST/acme/shop:1.0.0\n")];
    let texts: Vec<[String; 4]> = OTHERS
        .iter()
        .map(|name| {
            [
                CART.0.replace("cart", name),
                CART.1.replace("cart", name),
                CART_POD.0.replace("cart", name),
                CART_POD.1.replace("cart", name),
            ]
        })
        .collect();
    for [policy, policy_text, pod, pod_text] in &texts {
        files.push((policy, policy_text));
        files.push((pod, pod_text));
    }
    let scenario = Scenario::new(&files)?;
    scenario.push("acme/shop", &["1.0.0", "1.1.0"]);
    for name in OTHERS {
        scenario.push(&format!("acme/{name}"), &["1.0.0", "1.1.0"]);
    }
    scenario.repo.hook("pre-receive", FROZEN);
    Some(scenario)
}

/// The refused changes of a pass, in words.
fn refused(pass: &Pass) -> Vec<String> {
    let view = view(&pass.observation);
    view.refused.iter().map(ToString::to_string).collect()
}

fn pushes(scenario: &Scenario) -> usize {
    let path = scenario.repo.path().join("pushes");
    std::fs::read_to_string(path)
        .unwrap_or_default()
        .lines()
        .count()
}

#[test]
fn what_is_refused_keeps_nothing_else_out() {
    let Some(mut scenario) = scenario() else {
        return;
    };
    let before = scenario.tree();
    let pass = scenario.lands(5);
    let changes: Vec<(String, &str, &str)> = OTHERS
        .iter()
        .map(|name| (CART_POD.0.replace("cart", name), "1.0.0", "1.1.0"))
        .collect();
    let changes: Vec<(&str, &str, &str)> = changes
        .iter()
        .map(|(path, old, new)| (path.as_str(), *old, *new))
        .collect();
    scenario.assert_changed(&before, &changes);
    let told = refused(&pass);
    assert_eq!(told.len(), 1, "{told:?}");
    assert!(
        told[0].starts_with(
            "apps/shop.yaml:1:8: error: shop: staging -> 1.1.0: the remote refused it"
        ) && told[0].contains("apps/shop.yaml is frozen"),
        "{told:?}"
    );
    scenario.assert_sound();
}

#[test]
fn what_is_refused_again_waits_and_lands_at_last() {
    let Some(mut scenario) = scenario() else {
        return;
    };
    scenario.lands(5);
    // The next pass tries it once more; then it waits, and nobody asks the remote.
    let pass = scenario.pass();
    assert!(
        matches!(pass.result, PassResult::Refused(_)),
        "{:?}",
        pass.result
    );
    let pushed = pushes(&scenario);
    scenario.clock.advance(SignedDuration::from_secs(59));
    let told = refused(&scenario.rests());
    assert!(
        told[0].contains("waits until 2026-03-02T09:31:00Z"),
        "{told:?}"
    );
    assert_eq!(pushes(&scenario), pushed);
    // A newer tag is another change.
    scenario.push("acme/shop", &["1.2.0"]);
    assert!(matches!(scenario.pass().result, PassResult::Refused(_)));
    scenario.repo.hook("pre-receive", "exit 0");
    scenario.rests_at("1.2.0");
    scenario.assert_sound();
}

#[test]
fn a_remote_that_refuses_everything_is_asked_a_bounded_number_of_times() {
    let Some(mut scenario) = scenario() else {
        return;
    };
    scenario.repo.hook(
        "pre-receive",
        "echo push >> pushes; echo 'read only' >&2; exit 1",
    );
    let pass = scenario.pass();
    let PassResult::Refused(words) = &pass.result else {
        panic!("{:?}", pass.result);
    };
    assert!(words.contains("read only"), "{words}");
    // All six, then every half of every group.
    assert_eq!(pushes(&scenario), 11);
    assert_eq!(scenario.commits(), 1);
}
