//! A registry that misbehaves: its image is left alone with a reason, and the other app goes on.

use jiff::SignedDuration;
use tagwright::demo::registry::{Fault, Faults, Part, Rule};

use crate::scenario::{CART, CART_POD, SHOP, Scenario, assert_stage, view};

const SHOP_POD: (&str, &str) = ("apps/shop.yaml", "image: HOST/acme/shop:1.0.0\n");

/// Two apps, each with something newer to take.
fn scenario() -> Option<Scenario> {
    let scenario = Scenario::new(&[SHOP, SHOP_POD, CART, CART_POD])?;
    scenario.push("acme/shop", &["1.0.0", "1.1.0"]);
    scenario.push("acme/cart", &["1.0.0", "1.1.0"]);
    Some(scenario)
}

/// A pass in which only cart moves; shop must be as said.
fn only_cart_moves(scenario: &mut Scenario, state: &str, words: &[&str]) {
    let before = scenario.tree();
    let pass = scenario.lands(1);
    scenario.assert_changed(&before, &[("apps/cart.yaml", "1.0.0", "1.1.0")]);
    assert_stage(&pass.observation, "shop/staging", state, words);
    assert!(view(&pass.observation).refused.is_empty());
}

#[test]
fn a_listing_that_fails_is_a_reason_and_never_a_short_list() {
    let cases: [(Fault, &[&str]); 9] = [
        (
            Fault::status(401),
            &["can't be listed", "refused", "configure credentials"],
        ),
        (Fault::status(403), &["denies access", "credentials"]),
        (
            Fault::status(404),
            &["doesn't know the repository", "check the image's name"],
        ),
        (Fault::status(429), &["limiting requests", "ask less often"]),
        (Fault::status(500), &["failed with status 500"]),
        (
            Fault::Html,
            &["doesn't answer like a registry", "not its web page"],
        ),
        (Fault::SamePage, &["lead in a circle"]),
        (Fault::Cut(20), &["cut off"]),
        (Fault::Flood(1 << 30), &["sent more than 33554432 bytes"]),
    ];
    for (fault, words) in cases {
        let Some(mut scenario) = scenario() else {
            return;
        };
        let rule = Rule::new("acme/shop", fault).on(Part::Tags);
        scenario.registry.set_faults(Faults::one(rule));
        only_cart_moves(&mut scenario, "failed", words);
        // Once it is well again, and the longest wait it may have asked for is over.
        scenario.registry.set_faults(Faults::default());
        scenario.clock.advance(SignedDuration::from_hours(6));
        let before = scenario.tree();
        scenario.lands(1);
        scenario.assert_changed(&before, &[("apps/shop.yaml", "1.0.0", "1.1.0")]);
    }
}

#[test]
fn a_page_that_fails_makes_the_whole_listing_fail() {
    let Some(mut scenario) = scenario() else {
        return;
    };
    // The second page, and every repetition of it, fails: 1.0.0 alone is no listing.
    let sound = Rule::new("acme/shop", Fault::Wait(opened()))
        .on(Part::Tags)
        .times(1);
    let broken = Rule::new("acme/shop", Fault::status(502)).on(Part::Tags);
    scenario.registry.set_faults(Faults {
        rules: vec![sound, broken],
        page_cap: Some(1),
        ..Faults::default()
    });
    scenario.writes("apps/shop.yaml", "image: HOST/acme/shop:0.9.0\n");
    only_cart_moves(&mut scenario, "failed", &["can't be listed", "502"]);
}

/// A gate that holds nobody back: the sound answer.
fn opened() -> tagwright::demo::registry::Gate {
    let gate = tagwright::demo::registry::Gate::default();
    gate.open();
    gate
}

#[test]
fn a_registry_that_is_down_stops_its_own_images_only() {
    // Nothing listens on port 1, and nothing ever will: it is reserved.
    let policy = SHOP.1.replace("HOST/acme/shop", "127.0.0.1:1/acme/shop");
    let files = [
        (SHOP.0, policy.as_str()),
        ("apps/shop.yaml", "image: 127.0.0.1:1/acme/shop:1.0.0\n"),
        CART,
        CART_POD,
    ];
    let Some(mut scenario) = Scenario::new(&files) else {
        return;
    };
    scenario.push("acme/cart", &["1.0.0", "1.1.0"]);
    only_cart_moves(
        &mut scenario,
        "failed",
        &["127.0.0.1:1 can't be reached", "check the name"],
    );
}

#[test]
fn a_host_that_asks_for_time_is_left_alone_that_long() {
    let Some(mut scenario) = scenario() else {
        return;
    };
    let limited = Fault::Status {
        status: 429,
        retry_after: Some("3600".into()),
    };
    let rule = Rule::new("acme/shop", limited).on(Part::Tags);
    scenario.registry.set_faults(Faults::one(rule));
    let pass = scenario.rests();
    assert_stage(
        &pass.observation,
        "shop/staging",
        "failed",
        &["limiting requests"],
    );
    // Not even for another image of the host, whose tags may have been listed before.
    let until = ["left alone until 2026-03-02T10:30:00Z"];
    assert_stage(&pass.observation, "cart/staging", "failed", &until);
    let asked = scenario.registry.requests().len();
    for restart in [false, true] {
        if restart {
            scenario.restarts();
        }
        let pass = scenario.rests();
        assert_eq!(scenario.registry.requests().len(), asked, "nobody is asked");
        assert_stage(&pass.observation, "shop/staging", "failed", &until);
        scenario.clock.advance(SignedDuration::from_mins(29));
    }
    scenario.registry.set_faults(Faults::default());
    scenario.clock.advance(SignedDuration::from_mins(2));
    scenario.lands(2);
}

#[test]
fn names_that_are_no_tags_are_left_out() {
    let Some(mut scenario) = scenario() else {
        return;
    };
    let long = "9".repeat(129);
    for name in [
        "",
        "-9.0.0",
        "9.0.0 ",
        "9.0.0\n",
        "../9.0.0",
        "9.0.0\u{1b}[31m",
        &long,
        "9.0.0\u{202e}",
    ] {
        scenario.push("acme/shop", &[name]);
    }
    let before = scenario.tree();
    scenario.lands(2);
    scenario.assert_changed(
        &before,
        &[
            ("apps/cart.yaml", "1.0.0", "1.1.0"),
            ("apps/shop.yaml", "1.0.0", "1.1.0"),
        ],
    );
}

#[test]
fn an_image_without_tags_waits() {
    let Some(mut scenario) = scenario() else {
        return;
    };
    for tag in ["1.0.0", "1.1.0"] {
        scenario.registry.untag("acme/shop", tag);
    }
    only_cart_moves(&mut scenario, "waiting", &["no tags"]);
}

#[test]
fn a_listed_tag_without_manifest_is_given_time_and_then_passed_over() {
    let Some(mut scenario) = scenario() else {
        return;
    };
    scenario.push("acme/shop", &["1.0.5"]);
    let missing = Rule::new("acme/shop", Fault::status(404))
        .on(Part::Manifests)
        .reference("1.1.0");
    scenario.registry.set_faults(Faults::one(missing));
    only_cart_moves(
        &mut scenario,
        "failed",
        &["`1.1.0` could be the choice", "asked again"],
    );
    scenario.clock.advance(SignedDuration::from_secs(59));
    scenario.rests();
    scenario.clock.advance(SignedDuration::from_secs(2));
    let before = scenario.tree();
    scenario.lands(1);
    scenario.assert_changed(&before, &[("apps/shop.yaml", "1.0.0", "1.0.5")]);
    // The manifest has come after all.
    scenario.registry.set_faults(Faults::default());
    let before = scenario.tree();
    scenario.lands(1);
    scenario.assert_changed(&before, &[("apps/shop.yaml", "1.0.5", "1.1.0")]);
}

#[test]
fn a_manifest_that_cannot_be_read_chooses_nothing() {
    let cases = [
        (Fault::status(401), "refused"),
        (Fault::status(403), "denies access"),
        (Fault::status(429), "limiting requests"),
        (Fault::status(500), "500"),
        (Fault::status(503), "503"),
    ];
    for (fault, words) in cases {
        let Some(mut scenario) = scenario() else {
            return;
        };
        // Something lower would be readable, and must not be taken instead.
        scenario.push("acme/shop", &["1.0.5"]);
        let rule = Rule::new("acme/shop", fault)
            .on(Part::Manifests)
            .reference("1.1.0");
        scenario.registry.set_faults(Faults::one(rule));
        only_cart_moves(&mut scenario, "failed", &["`1.1.0`", words]);
        scenario.registry.set_faults(Faults::default());
        scenario.clock.advance(SignedDuration::from_hours(6));
        let before = scenario.tree();
        scenario.lands(1);
        scenario.assert_changed(&before, &[("apps/shop.yaml", "1.0.0", "1.1.0")]);
    }
}

/// How many manifests and configurations were asked for so far.
fn manifests(scenario: &Scenario) -> usize {
    let requests = scenario.registry.requests();
    let read = |path: &str| path.contains("/manifests/") || path.contains("/blobs/");
    requests.iter().filter(|r| read(&r.path)).count()
}

#[test]
fn what_is_not_there_is_not_asked_for_in_every_pass() {
    let Some(mut scenario) = scenario() else {
        return;
    };
    let missing = Rule::new("acme/shop", Fault::status(404)).on(Part::Manifests);
    scenario.registry.set_faults(Faults::one(missing));
    scenario.pass();
    scenario.clock.advance(SignedDuration::from_secs(61));
    scenario.pass_by_interval();
    let asked = manifests(&scenario);
    for _ in 0..3 {
        scenario.clock.advance(SignedDuration::from_secs(60));
        scenario.pass_by_interval();
    }
    assert_eq!(
        manifests(&scenario),
        asked,
        "until its tags are listed again"
    );
    // They are after the interval, and then it may have come.
    scenario.registry.set_faults(Faults::default());
    scenario.clock.advance(SignedDuration::from_mins(10));
    scenario.pass_by_interval();
    assert!(scenario.read("apps/shop.yaml").ends_with(":1.1.0\n"));
}

#[test]
fn a_manifest_that_may_not_be_read_is_asked_for_again_after_minutes() {
    for (status, is_held) in [(403, true), (500, false)] {
        let app = format!(
            "{}tags: {{semver: '*', platforms: [linux/amd64]}}\n",
            SHOP.1
        );
        let pod = ("apps/shop.yaml", "image: HOST/acme/shop:1.0.0\n");
        let Some(mut scenario) = Scenario::new(&[(SHOP.0, app.as_str()), pod]) else {
            return;
        };
        scenario.push("acme/shop", &["1.0.0", "1.1.0"]);
        let digest = scenario.digest("acme/shop", "1.1.0");
        let denied = Rule::new("acme/shop", Fault::status(status))
            .on(Part::Manifests)
            .reference(&digest);
        scenario.registry.set_faults(Faults::one(denied));
        scenario.pass();
        let by_digest = |scenario: &Scenario| {
            let requests = scenario.registry.requests();
            requests.iter().filter(|r| r.path.contains(&digest)).count()
        };
        let asked = by_digest(&scenario);
        assert!(asked > 0);
        scenario.clock.advance(SignedDuration::from_secs(60));
        scenario.pass();
        assert_eq!(by_digest(&scenario) == asked, is_held, "{status}");
        scenario.registry.set_faults(Faults::default());
        scenario.clock.advance(SignedDuration::from_mins(5));
        scenario.pass();
        assert!(scenario.read(pod.0).ends_with(":1.1.0\n"), "{status}");
    }
}
