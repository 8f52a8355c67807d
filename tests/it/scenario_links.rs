//! Links to what changed between the revisions that images were built from.

use tagwright::demo::registry::{Fault, Faults, ImageSpec, Part, Rule};

use crate::scenario::{SHOP, START, Scenario};

const POD: (&str, &str) = ("apps/pod.yaml", "image: HOST/acme/shop:1.0.0\n");

const SOURCE: &str = "https://git.example.com/acme/shop";

/// Pushes images that were built from a revision each, told by the tag.
fn push(scenario: &Scenario, tags: &[&str]) {
    for tag in tags {
        let image = ImageSpec::new(START.parse().expect("it is a time"), *tag)
            .label("org.opencontainers.image.source", SOURCE)
            .label("org.opencontainers.image.revision", revision(tag));
        scenario.registry.push("acme/shop", tag, &image);
    }
}

fn revision(tag: &str) -> String {
    tag.replace('.', "").repeat(10)
}

/// How many requests for contents were made.
fn contents(scenario: &Scenario) -> usize {
    let all = scenario.registry.requests();
    let content = |path: &str| path.contains("/manifests/sha256") || path.contains("/blobs/");
    all.iter().filter(|request| content(&request.path)).count()
}

fn body(scenario: &Scenario) -> String {
    scenario
        .repo
        .log("%b")
        .lines()
        .take(6)
        .collect::<Vec<_>>()
        .join("\n")
}

#[test]
fn a_commit_links_to_what_changed_in_the_image() {
    let Some(mut scenario) = Scenario::new(&[SHOP, POD]) else {
        return;
    };
    push(&scenario, &["1.0.0", "1.1.0"]);
    let planned = scenario.observe();
    let asked = contents(&scenario);
    assert!(asked > 0);
    scenario.lands(1);
    let (old, new) = (revision("1.0.0"), revision("1.1.0"));
    let line = format!("What changed: {SOURCE}/compare/{old}...{new}");
    assert!(body(&scenario).contains(&line), "{}", body(&scenario));
    let message = &planned.preparation.commits[0].message;
    assert!(message.contains(&line), "{message}");
    assert_eq!(contents(&scenario), asked, "each is asked once");
    push(&scenario, &["1.2.0"]);
    scenario.lands(1);
    assert!(body(&scenario).contains(&revision("1.2.0")));
    assert_eq!(contents(&scenario), asked + asked / 2);
}

#[test]
fn a_change_goes_on_without_its_link() {
    let Some(mut scenario) = Scenario::new(&[SHOP, POD]) else {
        return;
    };
    push(&scenario, &["1.0.0", "1.1.0"]);
    let rule = Rule::new("acme/shop", Fault::status(403)).on(Part::Blobs);
    scenario.registry.set_faults(Faults::one(rule));
    scenario.lands(1);
    assert!(
        !body(&scenario).contains("What changed"),
        "{}",
        body(&scenario)
    );
}

#[test]
fn nobody_is_asked_where_no_links_are_wanted() {
    let keys = "policies: [policies/]\ncommit: {links: false}";
    let Some(mut scenario) = Scenario::configured(&[SHOP, POD], keys) else {
        return;
    };
    push(&scenario, &["1.0.0", "1.1.0"]);
    scenario.lands(1);
    assert_eq!(contents(&scenario), 0);
}
