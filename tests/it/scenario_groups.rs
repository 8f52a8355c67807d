//! Apps that move together, through the service: in one commit or not at all.

use jiff::SignedDuration;

use tagwright::forge::Kind;
use tagwright::reconcile::{Pass, PassResult};

use crate::scenario::{Scenario, assert_stage, stage, view};
use crate::scenario_pulls::{does, open};

/// The app file and the manifest of an app at 1.0.0; `keys` are those of its stage.
fn app(name: &str, group: &str, keys: &str) -> [(String, String); 2] {
    [
        (
            format!("policies/{name}.yaml"),
            format!(
                "version: 1\napp: {name}\nimage: HOST/acme/{name}\n{group}stages: [{{name: staging, paths: \
                 [apps/{name}.yaml], {keys}}}]\n"
            ),
        ),
        (
            format!("apps/{name}.yaml"),
            format!("image: HOST/acme/{name}:1.0.0\n"),
        ),
    ]
}

const WEB: &str = "group: web\n";

/// Cart and shop of one group, and docs of none; cart's stage has these keys.
fn files(cart: &str) -> Vec<(String, String)> {
    let apps = [
        app("cart", WEB, cart),
        app("docs", "", ""),
        app("shop", WEB, ""),
    ];
    apps.into_iter().flatten().collect()
}

fn borrowed(files: &[(String, String)]) -> Vec<(&str, &str)> {
    let files = files.iter();
    files
        .map(|(path, text)| (path.as_str(), text.as_str()))
        .collect()
}

/// All three at 1.0.0.
fn configured(cart: &str, keys: &str) -> Option<Scenario> {
    let scenario = Scenario::configured(&borrowed(&files(cart)), keys)?;
    for name in ["cart", "docs", "shop"] {
        scenario.push(&format!("acme/{name}"), &["1.0.0"]);
    }
    Some(scenario)
}

fn scenario(cart: &str) -> Option<Scenario> {
    Some(configured(cart, "policies: [policies/]")?.at_any_depth())
}

/// All three have 1.1.0 to come.
fn release(scenario: &Scenario) {
    for name in ["cart", "docs", "shop"] {
        scenario.push(&format!("acme/{name}"), &["1.1.0"]);
    }
}

/// Asserts which tags cart, docs and shop run.
#[track_caller]
fn runs(scenario: &Scenario, tags: [&str; 3]) {
    let found = ["cart", "docs", "shop"].map(|name| {
        let text = scenario.read(&format!("apps/{name}.yaml"));
        let line = text.lines().next().unwrap_or_default().to_owned();
        line.rsplit(':').next().map(str::to_owned)
    });
    assert_eq!(found, tags.map(|tag| Some(tag.to_owned())));
}

/// What a pass that changes nothing says of shop, now and having forgotten everything.
fn shop_waits(scenario: &mut Scenario, words: &[&str]) {
    let pass = scenario.rests();
    assert_stage(&pass.observation, "shop/staging", "waiting", words);
    let another = scenario.pass_of_another();
    assert_eq!(another.result, PassResult::Nothing);
    assert_stage(&another.observation, "shop/staging", "waiting", words);
}

fn refused(pass: &Pass) -> Vec<String> {
    let view = view(&pass.observation);
    view.refused.iter().map(ToString::to_string).collect()
}

#[test]
fn a_group_lands_in_one_commit() {
    let Some(mut scenario) = scenario("") else {
        return;
    };
    release(&scenario);
    let pass = scenario.lands(2);
    runs(&scenario, ["1.1.0", "1.1.0", "1.1.0"]);
    let commits = &pass.observation.preparation.commits;
    let apps = |commit: usize| -> Vec<&str> {
        let changes = commits[commit].changes.iter();
        changes.map(|change| change.app.as_str()).collect()
    };
    assert_eq!((apps(0), apps(1)), (vec!["cart", "shop"], vec!["docs"]));
    let subjects = scenario.repo.log("%s");
    assert!(
        subjects.contains("staging: update cart, shop"),
        "{subjects}"
    );
    // Each can be told from its trailer, and one alone moves alone.
    assert_eq!(scenario.changes().len(), 3);
    scenario.rests();
    scenario.push("acme/shop", &["1.2.0"]);
    scenario.lands(1);
    runs(&scenario, ["1.1.0", "1.1.0", "1.2.0"]);
    scenario.rests();
}

#[test]
fn what_one_waits_for_the_other_waits_for() {
    let window = "windows: [{cron: 0 12 * * *, duration: 8h, timezone: UTC}]";
    let Some(mut scenario) = scenario(window) else {
        return;
    };
    release(&scenario);
    scenario.lands(1);
    runs(&scenario, ["1.0.0", "1.1.0", "1.0.0"]);
    let words = [
        "moves with its group `web`",
        "cart, which waits for 1.1.0: window opens Mon 12:00 UTC",
    ];
    shop_waits(&mut scenario, &words);
    scenario.clock.advance(SignedDuration::from_hours(3));
    scenario.lands(1);
    runs(&scenario, ["1.1.0", "1.1.0", "1.1.0"]);
    scenario.rests();
}

#[test]
fn production_follows_once_all_have_soaked() {
    let mut files = files("");
    for at in [0, 4] {
        let (path, text) = &mut files[at];
        let name = path
            .trim_start_matches("policies/")
            .trim_end_matches(".yaml");
        let live =
            format!("}}, {{name: live, paths: [live/{name}.yaml], after: staging, soak: 24h}}]\n");
        let staging = text.trim_end().trim_end_matches("}]").to_owned();
        let pod = format!("image: HOST/acme/{name}:1.0.0\n");
        let live_path = format!("live/{name}.yaml");
        *text = staging + &live;
        files.push((live_path, pod));
    }
    let Some(mut scenario) = Scenario::new(&borrowed(&files)).map(Scenario::at_any_depth) else {
        return;
    };
    for name in ["cart", "docs", "shop"] {
        scenario.push(&format!("acme/{name}"), &["1.0.0"]);
    }
    scenario.push("acme/shop", &["1.1.0"]);
    scenario.lands(1);
    scenario.clock.advance(SignedDuration::from_hours(6));
    scenario.push("acme/cart", &["1.1.0"]);
    scenario.lands(1);
    // Shop has soaked for long enough, and cart has not.
    scenario.clock.advance(SignedDuration::from_hours(20));
    let words = [
        "1.1.0 waits: moves with its group `web`, held up by cart, which waits for 1.1.0: soaks in staging",
    ];
    let pass = scenario.rests();
    assert_stage(&pass.observation, "shop/live", "waiting", &words);
    let kinds = stage(&pass.observation, "shop/live").waits;
    assert_eq!(kinds[0].kind, "group");
    let another = scenario.pass_of_another();
    assert_stage(&another.observation, "shop/live", "waiting", &words);
    scenario.clock.advance(SignedDuration::from_hours(4));
    let pass = scenario.lands(1);
    assert_eq!(pass.observation.preparation.commits[0].changes.len(), 2);
    for name in ["cart", "shop"] {
        assert!(
            scenario
                .read(&format!("live/{name}.yaml"))
                .ends_with("1.1.0\n")
        );
    }
    scenario.rests();
}

#[test]
fn a_hold_of_one_holds_what_is_newer_of_the_others() {
    let Some(mut scenario) = scenario("") else {
        return;
    };
    let file = ".tagwright/decisions/cart/staging.yaml";
    scenario.writes(file, "- hold: incident 4711\n");
    // Cart has nothing newer.
    scenario.push("acme/shop", &["1.0.1"]);
    scenario.lands(1);
    runs(&scenario, ["1.0.0", "1.0.0", "1.0.1"]);
    release(&scenario);
    scenario.lands(1);
    shop_waits(
        &mut scenario,
        &["cart, which does not change: held by", "incident 4711"],
    );
    // What a person decides goes at once, and alone.
    let deploy = "- deploy: HOST/acme/shop:1.1.0\n  reason: login broken\n";
    scenario.writes(".tagwright/decisions/shop/staging.yaml", deploy);
    scenario.lands(1);
    runs(&scenario, ["1.0.0", "1.1.0", "1.1.0"]);
    scenario.writes(file, "- hold: incident 4711\n- release: true\n");
    scenario.lands(1);
    runs(&scenario, ["1.1.0", "1.1.0", "1.1.0"]);
    scenario.rests();
}

#[test]
fn what_was_reverted_in_one_holds_nobody_up() {
    let Some(mut scenario) = scenario("") else {
        return;
    };
    release(&scenario);
    scenario.lands(2);
    scenario.writes("apps/cart.yaml", "image: HOST/acme/cart:1.0.0\n");
    scenario.rests();
    runs(&scenario, ["1.0.0", "1.1.0", "1.1.0"]);
    scenario.push("acme/shop", &["1.2.0"]);
    scenario.lands(1);
    scenario.push("acme/shop", &["1.3.0"]);
    scenario.push("acme/cart", &["1.3.0"]);
    scenario.lands(1);
    runs(&scenario, ["1.3.0", "1.1.0", "1.3.0"]);
}

#[test]
fn a_site_that_cannot_be_edited_keeps_the_group_out() {
    let mut files = files("");
    let second = "image: HOST/acme/cart:1.0.0\nsops: {mac: x, version: 3.8.1}\n";
    files[0].1 = files[0].1.replace("[apps/cart.yaml]", "[apps/cart/**]");
    files[1].0 = "apps/cart/plain.yaml".to_owned();
    files.push(("apps/cart/secret.yaml".to_owned(), second.to_owned()));
    let Some(mut scenario) = Scenario::new(&borrowed(&files)) else {
        return;
    };
    scenario.push("acme/cart", &["1.0.0"]);
    scenario.push("acme/docs", &["1.0.0"]);
    scenario.push("acme/shop", &["1.0.0"]);
    release(&scenario);
    let before = scenario.tree();
    let pass = scenario.lands(1);
    scenario.assert_changed(&before, &[("apps/docs.yaml", "1.0.0", "1.1.0")]);
    let told = refused(&pass);
    assert_eq!(told.len(), 2, "{told:#?}");
    assert!(told[0].starts_with("apps/cart/secret.yaml"), "{told:#?}");
    assert_eq!(
        told[1],
        "apps/shop.yaml:1:8: error: shop: staging -> 1.1.0 is not written: it moves with its group `web`, \
         held up by cart"
    );
    // Once that has nothing more to change, the others go on.
    scenario.person("Out", |work| {
        let path = work.path().join("apps/cart/secret.yaml");
        std::fs::remove_file(path).expect("it is there");
    });
    scenario.lands(1);
    assert!(scenario.read("apps/cart/plain.yaml").ends_with("1.1.0\n"));
    assert!(scenario.read("apps/shop.yaml").ends_with("1.1.0\n"));
}

/// A remote that takes no change of cart.
const NO_CART: &str = "while read -r old new ref; do
  if git diff --name-only \"$old\" \"$new\" | grep -q apps/cart.yaml; then
    echo 'cart is frozen' >&2
    exit 1
  fi
done";

#[test]
fn a_refused_push_does_not_part_a_group() {
    let Some(mut scenario) = scenario("") else {
        return;
    };
    release(&scenario);
    scenario.repo.hook("pre-receive", NO_CART);
    let pass = scenario.lands(1);
    runs(&scenario, ["1.0.0", "1.1.0", "1.0.0"]);
    let told = refused(&pass);
    assert_eq!(told.len(), 2, "{told:#?}");
    for (told, name) in told.iter().zip(["cart", "shop"]) {
        let wanted = format!("error: {name}: staging -> 1.1.0: the remote refused it");
        assert!(
            told.contains(&wanted) && told.contains("cart is frozen"),
            "{told}"
        );
    }
    // Refused once more, both wait, and something newer of one does not part them.
    assert!(matches!(scenario.pass().result, PassResult::Refused(_)));
    scenario.push("acme/shop", &["1.2.0"]);
    let told = refused(&scenario.pass());
    assert_eq!(told.len(), 2, "{told:#?}");
    assert!(
        told[0].contains("cart: staging -> 1.1.0 waits until"),
        "{told:#?}"
    );
    assert!(
        told[1].contains(
            "shop: staging -> 1.2.0 waits with its group: cart: staging -> 1.1.0 waits until"
        ),
        "{told:#?}"
    );
    runs(&scenario, ["1.0.0", "1.1.0", "1.0.0"]);
    scenario.repo.hook("pre-receive", "exit 0");
    scenario.clock.advance(SignedDuration::from_hours(2));
    scenario.lands(1);
    runs(&scenario, ["1.1.0", "1.1.0", "1.2.0"]);
}

#[test]
fn a_limit_does_not_part_a_group() {
    let keys = "policies: [policies/]\nlimits: {changesPerPass: 1}";
    let Some(mut scenario) = configured("", keys) else {
        return;
    };
    release(&scenario);
    scenario.lands(1);
    runs(&scenario, ["1.1.0", "1.0.0", "1.1.0"]);
    scenario.lands(1);
    runs(&scenario, ["1.1.0", "1.1.0", "1.1.0"]);
    scenario.rests();
}

#[test]
fn a_file_with_mistakes_keeps_its_group_out() {
    let Some(mut scenario) = scenario("") else {
        return;
    };
    release(&scenario);
    let (path, text) = files("").remove(0);
    let broken = format!("{text}speed: 3\n");
    scenario.writes(&path, &broken);
    scenario.lands(1);
    runs(&scenario, ["1.0.0", "1.1.0", "1.0.0"]);
    shop_waits(
        &mut scenario,
        &["held up by policies/cart.yaml, which has mistakes"],
    );
    scenario.writes(&path, &text);
    scenario.lands(1);
    runs(&scenario, ["1.1.0", "1.1.0", "1.1.0"]);
}

#[test]
fn a_group_is_one_pull_request() {
    let files = files("");
    let Some((mut scenario, fake)) = Scenario::on_forge(Kind::GitHub, &borrowed(&files), "") else {
        return;
    };
    for name in ["cart", "docs", "shop"] {
        scenario.push(&format!("acme/{name}"), &["1.0.0"]);
    }
    scenario.push("acme/cart", &["1.1.0"]);
    scenario.push("acme/shop", &["1.1.0"]);
    does(&mut scenario, "opened");
    let pulls = open(&fake);
    assert_eq!(pulls[0].title, "staging: update cart, shop");
    assert_eq!(pulls[0].branch, "tagwright/_group/web/staging");
    does(&mut scenario, "kept");
    // What can't be written of one is proposed of none, and what is there stays.
    let pod = "image: HOST/acme/cart:1.0.0\n";
    scenario.writes(
        "apps/cart.yaml",
        &format!("{pod}sops: {{mac: x, version: 3.8.1}}\n"),
    );
    does(&mut scenario, "left: what it proposes can't be written now");
    scenario.writes("apps/cart.yaml", pod);
    does(&mut scenario, "kept");
    // What stops one keeps what is proposed from being merged, and from being parted.
    scenario.writes(
        ".tagwright/decisions/cart/staging.yaml",
        "- hold: incident\n",
    );
    does(&mut scenario, "left: cart in staging: held by");
    let hub = fake.hub();
    let head = hub
        .tip("tagwright/_group/web/staging")
        .expect("the branch is there");
    let status = hub
        .status_of(&head, "tagwright/web/staging")
        .expect("a status");
    assert_eq!(status.verdict, "pending");
    drop(hub);
    assert_eq!(open(&fake).len(), 1);
}

#[test]
fn what_goes_by_pull_request_and_what_does_not_do_not_move_together() {
    let keys = "policies: [policies/]";
    let Some(mut scenario) = configured("push: pullRequest", keys) else {
        return;
    };
    release(&scenario);
    scenario.lands(1);
    runs(&scenario, ["1.0.0", "1.1.0", "1.0.0"]);
    let pass = scenario.rests();
    let words = ["`web`, of which cart goes to staging by pull request and shop does not"];
    assert_stage(&pass.observation, "shop/staging", "waiting", &words);
    assert_stage(&pass.observation, "cart/staging", "waiting", &words);
}
