//! The main job: a new tag in the registry becomes a commit on the branch that changes only the tag.

use jiff::SignedDuration;
use tagwright::reconcile::{Freshness, PassResult};

use crate::scenario::{CART, CART_POD, SHOP, Scenario, assert_stage, stage, view};

/// A manifest with as much around the image as people write.
const DEPLOYMENT: &str = "\
# Keep in step with the runbook.
apiVersion: apps/v1
kind: Deployment
spec:
  template:
    spec:
      initContainers:
        - {name: migrate, image: 'HOST/acme/shop:1.0.0'}   # quoted
      containers:
        - name: shop
          image:   \"HOST/acme/shop:1.0.0\"  # two blanks
        - name: proxy
          image: HOST/acme/proxy:1.0.0

";

#[test]
fn a_new_tag_is_written_and_no_other_byte_changes() {
    let files = [SHOP, ("apps/shop.yaml", DEPLOYMENT)];
    let Some(mut scenario) = Scenario::new(&files) else {
        return;
    };
    scenario.push("acme/shop", &["1.0.0", "1.1.0", "2.0.0-rc.1"]);
    let before = scenario.tree();
    scenario.lands(1);
    scenario.assert_changed(
        &before,
        &[
            (
                "apps/shop.yaml",
                "'HOST/acme/shop:1.0.0'",
                "'HOST/acme/shop:1.1.0'",
            ),
            (
                "apps/shop.yaml",
                "\"HOST/acme/shop:1.0.0\"",
                "\"HOST/acme/shop:1.1.0\"",
            ),
        ],
    );
    for _ in 0..2 {
        let pass = scenario.rests();
        assert_stage(&pass.observation, "shop/staging", "upToDate", &[]);
    }
}

#[test]
fn a_commit_says_what_where_why_who_and_when() {
    let files = [SHOP, ("apps/shop.yaml", DEPLOYMENT)];
    let keys = "policies: [policies/]\ncommit: {author: Fleet Bot <bot@example.com>}";
    let Some(mut scenario) = Scenario::configured(&files, keys) else {
        return;
    };
    scenario.push("acme/shop", &["1.0.0", "1.1.0"]);
    scenario.clock.advance(SignedDuration::from_mins(45));
    let (policy, digest) = (
        scenario.repo.git().text(
            scenario.repo.path(),
            &["rev-parse", "main:policies/shop.yaml"],
        ),
        scenario.digest("acme/shop", "1.1.0"),
    );
    scenario.lands(1);
    let now = scenario.clock.now().as_second();
    let log = scenario.repo.log("%an <%ae> %at%n%cn <%ce> %ct%n%B%x00");
    let newest = log.split('\0').next().unwrap_or_default();
    let wanted = scenario.text(&format!(
        "Fleet Bot <bot@example.com> {now}\n\
         Fleet Bot <bot@example.com> {now}\n\
         shop: staging 1.0.0 -> 1.1.0\n\n\
         apps/shop.yaml:8: HOST/acme/shop:1.0.0 -> HOST/acme/shop:1.1.0\n\
         apps/shop.yaml:11: HOST/acme/shop:1.0.0 -> HOST/acme/shop:1.1.0\n\n\
         of 2 tags, 1.1.0 is the highest that semver \"*\" in policies/shop.yaml accepts.\n\n\
         Tagwright-Change: v1 app=shop stage=staging image=HOST/acme/shop from=1.0.0 \
         to=1.1.0@{digest} policy={policy}\n"
    ));
    assert_eq!(newest, wanted);
    let trailers = "%(trailers:key=Tagwright-Change,valueonly)";
    assert!(scenario.repo.log(trailers).starts_with("v1 app=shop"));
}

#[test]
fn several_apps_are_a_commit_each_and_one_push() {
    let files = [
        SHOP,
        CART,
        CART_POD,
        ("apps/shop.yaml", "image: HOST/acme/shop:1.0.0\n"),
        (
            "apps/both.yaml",
            "a: {image: HOST/acme/shop:1.0.0}\nb: {image: HOST/acme/cart:1.0.0}\n",
        ),
    ];
    let Some(mut scenario) = Scenario::new(&files) else {
        return;
    };
    scenario.repo.hook("post-receive", "echo push >>pushes");
    scenario.push("acme/shop", &["1.0.0", "1.0.1"]);
    scenario.push("acme/cart", &["1.0.0", "2.0.0"]);
    let before = scenario.tree();
    scenario.lands(2);
    assert_eq!(
        scenario.repo.log("%s"),
        "shop: staging 1.0.0 -> 1.0.1\ncart: staging 1.0.0 -> 2.0.0\nStart"
    );
    scenario.assert_changed(
        &before,
        &[
            ("apps/cart.yaml", "cart:1.0.0", "cart:2.0.0"),
            ("apps/shop.yaml", "shop:1.0.0", "shop:1.0.1"),
            ("apps/both.yaml", "cart:1.0.0", "cart:2.0.0"),
            ("apps/both.yaml", "shop:1.0.0", "shop:1.0.1"),
        ],
    );
    let pushes = std::fs::read_to_string(scenario.repo.path().join("pushes"));
    assert_eq!(pushes.ok().as_deref(), Some("push\n"));
    // Each commit stands alone: the first one has only its own app's change.
    let first = scenario.tree_of("main~1");
    assert!(String::from_utf8_lossy(&first["apps/both.yaml"]).contains("shop:1.0.0"));
}

#[test]
fn one_plan_makes_one_commit_whoever_makes_it() {
    let files = [SHOP, CART, CART_POD, ("apps/shop.yaml", DEPLOYMENT)];
    let Some(mut scenario) = Scenario::new(&files) else {
        return;
    };
    scenario.push("acme/shop", &["1.1.0"]);
    scenario.push("acme/cart", &["1.2.0"]);
    let start = scenario.repo.head();
    scenario.lands(2);
    let landed = scenario.repo.head();
    let reset = ["update-ref", "refs/heads/main", &start];
    scenario.repo.git().ok(scenario.repo.path(), &reset);
    let again = scenario.pass_of_another();
    assert!(matches!(again.result, PassResult::Landed(_)));
    assert_eq!(scenario.repo.head(), landed);
    scenario.repo.git().ok(scenario.repo.path(), &reset);
    scenario.clock.advance(SignedDuration::from_secs(1));
    scenario.lands(2);
    assert_ne!(
        scenario.repo.head(),
        landed,
        "another second is another commit"
    );
}

#[test]
fn push_mode_off_plans_the_same_and_writes_nothing() {
    let files = [SHOP, ("apps/shop.yaml", DEPLOYMENT)];
    let keys = "policies: [policies/]\npush: {mode: off}";
    let Some(mut scenario) = Scenario::configured(&files, keys) else {
        return;
    };
    scenario.push("acme/shop", &["1.0.0", "1.1.0"]);
    let start = scenario.repo.head();
    let pass = scenario.pass();
    assert_eq!(pass.result, PassResult::Off);
    let planned: Vec<String> = pass
        .observation
        .preparation
        .commits
        .iter()
        .map(|commit| commit.message.clone())
        .collect();
    assert_eq!(scenario.repo.head(), start);
    let mut other = scenario.service_with("policies: [policies/]");
    other.pass(Freshness::Anew).expect("a pass");
    assert_eq!(
        scenario.repo.log("%B%x00").split('\0').next(),
        planned.first().map(String::as_str)
    );
}

#[test]
fn stages_of_one_app_follow_their_own_tags() {
    let policy = "version: 1\napp: shop\nimage: HOST/acme/shop\nstages:\n\
        - {name: staging, paths: [apps/staging/**], tags: {semver: '>=1.0.0-0'}}\n\
        - {name: production, paths: [apps/production/**], tags: {semver: ~1.0.0}}\n";
    let files = [
        ("policies/shop.yaml", policy),
        ("apps/staging/a.yaml", "image: HOST/acme/shop:1.0.0\n"),
        ("apps/production/a.yaml", "image: HOST/acme/shop:1.0.0\n"),
    ];
    let Some(mut scenario) = Scenario::new(&files) else {
        return;
    };
    scenario.push("acme/shop", &["1.0.0", "1.0.7", "1.1.0", "2.0.0-rc.1"]);
    let before = scenario.tree();
    scenario.lands(2);
    scenario.assert_changed(
        &before,
        &[
            ("apps/staging/a.yaml", "1.0.0", "2.0.0-rc.1"),
            ("apps/production/a.yaml", "1.0.0", "1.0.7"),
        ],
    );
    assert_eq!(
        scenario.repo.log("%s"),
        "shop: production 1.0.0 -> 1.0.7\nshop: staging 1.0.0 -> 2.0.0-rc.1\nStart"
    );
}

#[test]
fn sites_that_disagree_are_reported_and_brought_together() {
    let files = [
        SHOP,
        ("apps/a.yaml", "image: HOST/acme/shop:1.2.0\n"),
        ("apps/b.yaml", "image: HOST/acme/shop:1.0.0\n"),
        ("apps/c.yaml", "image: HOST/acme/shop:1.1.0\n"),
    ];
    let Some(mut scenario) = Scenario::new(&files) else {
        return;
    };
    scenario.push("acme/shop", &["1.0.0", "1.1.0", "1.2.0"]);
    let shown = stage(&scenario.observe(), "shop/staging");
    assert_eq!(shown.current.as_deref(), Some("1.2.0"));
    assert_eq!(shown.split, ["1.0.0", "1.1.0"]);
    let before = scenario.tree();
    scenario.lands(1);
    scenario.assert_changed(
        &before,
        &[
            ("apps/b.yaml", "1.0.0", "1.2.0"),
            ("apps/c.yaml", "1.1.0", "1.2.0"),
        ],
    );
    let pass = scenario.rests();
    assert!(stage(&pass.observation, "shop/staging").split.is_empty());
}

#[test]
fn a_stage_without_sites_is_an_error_in_every_pass() {
    let files = [SHOP, CART, CART_POD];
    let Some(mut scenario) = Scenario::new(&files) else {
        return;
    };
    scenario.push("acme/cart", &["1.1.0"]);
    let pass = scenario.lands(1);
    assert_stage(&pass.observation, "shop/staging", "failed", &["no site"]);
    let pass = scenario.rests();
    assert_stage(&pass.observation, "shop/staging", "failed", &["no site"]);
    // Nobody is asked about an image that is nowhere.
    let requests = scenario.registry.requests();
    assert!(
        requests
            .iter()
            .all(|request| !request.path.contains("shop"))
    );
}

#[test]
fn a_site_that_cannot_be_written_is_refused_with_its_place() {
    let sops = "sops: {mac: x, version: 3.9.0}\nimage: HOST/acme/shop:1.0.0\n";
    let files = [
        SHOP,
        ("apps/plain.yaml", "image: HOST/acme/shop:1.0.0\n"),
        ("apps/secret.yaml", sops),
    ];
    let Some(mut scenario) = Scenario::new(&files) else {
        return;
    };
    scenario.push("acme/shop", &["1.0.0", "1.1.0"]);
    let before = scenario.tree();
    let pass = scenario.lands(1);
    scenario.assert_changed(&before, &[("apps/plain.yaml", "1.0.0", "1.1.0")]);
    let refused: Vec<String> = view(&pass.observation)
        .refused
        .iter()
        .map(ToString::to_string)
        .collect();
    assert_eq!(refused.len(), 1, "{refused:?}");
    assert!(
        refused[0].starts_with("apps/secret.yaml:2:8: error: "),
        "{refused:?}"
    );
    assert!(refused[0].contains("SOPS"), "{refused:?}");
    let pass = scenario.rests();
    assert_eq!(
        view(&pass.observation).refused.len(),
        1,
        "told in every pass"
    );
}
