//! A person's decision where the branch takes no push: a branch of its own, and a pull request on every forge.

use std::path::Path;

use tagwright::forge::Kind;

use crate::binary::{Fleet, Ran};
use crate::forges::hub::Method;
use crate::forges::{Fake, TOKEN};
use crate::repo::Work;
use crate::scenario::{CART, CART_POD, SHOP, assert_stage};

const FILE: &str = ".tagwright/decisions/shop/staging.yaml";

const POD: (&str, &str) = ("apps/shop.yaml", "image: HOST/acme/shop:1.0.0\n");

/// What the base branch says to whoever pushes to it.
const PROTECTED: &str =
    "if [ \"$1\" = refs/heads/main ]; then echo 'only by pull request' >&2; exit 1; fi";

/// A config repo whose branch takes no push, without a forge in its configuration.
fn protected() -> Option<(Fleet, Work)> {
    let fleet = Fleet::new(&[SHOP, POD, CART, CART_POD])?;
    fleet.scenario.push("acme/shop", &["1.0.0", "1.1.0"]);
    fleet.scenario.push("acme/cart", &["1.0.0"]);
    fleet.scenario.repo.hook("update", PROTECTED);
    let work = fleet.scenario.repo.clone_to();
    set(&fleet, &work, "user.name", "Grace Hopper");
    set(&fleet, &work, "user.email", "grace@example.com");
    Some((fleet, work))
}

fn set(fleet: &Fleet, work: &Work, key: &str, value: &str) {
    let git = fleet.scenario.repo.git();
    git.ok(work.path(), &["config", key, value]);
}

/// Runs a command in a clone, with these variables.
fn run(fleet: &Fleet, work: &Path, arguments: &[&str], variables: &[(&str, &str)]) -> Ran {
    let path = work.to_str().expect("the folder's name is UTF-8");
    let mut command = fleet
        .place
        .command(&[arguments, &["--path", path]].concat());
    command.envs(variables.iter().copied());
    Ran::of(command.output().expect("the program can be started"))
}

/// The variables that lead a person to a forge.
fn leads_to(fake: &Fake) -> Vec<(&'static str, String)> {
    let word = Kind::NAMES.iter().find(|(_, kind)| *kind == fake.kind);
    let (word, _) = word.expect("every kind has a word");
    vec![
        ("TAGWRIGHT_FORGE", (*word).to_owned()),
        ("TAGWRIGHT_FORGE_API", fake.api.clone()),
        (
            "TAGWRIGHT_FORGE_REPOSITORY",
            fake.hub().repository(fake.kind),
        ),
        ("TAGWRIGHT_FORGE_TOKEN", TOKEN.to_owned()),
    ]
}

fn borrowed<'v>(variables: &'v [(&'static str, String)]) -> Vec<(&'static str, &'v str)> {
    let all = variables.iter();
    all.map(|(name, value)| (*name, value.as_str())).collect()
}

#[test]
fn a_branch_that_refuses_gets_a_pull_request_once_on_every_forge() {
    let Some((mut fleet, work)) = protected() else {
        return;
    };
    let before = fleet.scenario.repo.head();
    for (word, kind) in Kind::NAMES {
        let fake = Fake::start(kind, fleet.scenario.repo.path());
        let variables = leads_to(&fake);
        let hold = ["hold", "shop", "staging", "--reason", word, "-o", "json"];
        let hold = || run(&fleet, work.path(), &hold, &borrowed(&variables));
        let report = hold().exits(0).json();
        assert_eq!(report["result"], "proposed", "{word}: {report}");
        let words = report["message"].as_str().unwrap_or_default();
        assert!(words.starts_with("remote: only by pull request"), "{words}");
        let hub = fake.hub();
        let [pull] = &hub.pulls[..] else {
            panic!("{word}: {:?}", hub.pulls);
        };
        assert_eq!(report["pullRequest"]["number"], pull.number, "{word}");
        assert_eq!(report["branch"], pull.branch.as_str(), "{word}");
        assert_eq!(report["commit"], pull.head.as_str(), "{word}");
        assert_eq!(pull.base, "main");
        assert_eq!(pull.title, "shop: hold staging", "{word}");
        let entry = format!("```yaml\n- hold: {word}\n```");
        assert!(pull.body.contains(&entry), "{word}: {}", pull.body);
        assert!(
            pull.branch.starts_with("tagwright-decisions/shop-staging-"),
            "{}",
            pull.branch
        );
        let again = (pull.branch.clone(), pull.head.clone(), pull.number);
        drop(hub);
        let report = hold().exits(0).json();
        let (branch, head, number) = again;
        assert_eq!(report["branch"], branch.as_str(), "{word}");
        assert_eq!(report["commit"], head.as_str(), "{word}");
        assert_eq!(report["pullRequest"]["number"], number, "{word}");
        assert_eq!(fake.hub().pulls.len(), 1, "{word}");
        if word == "github" {
            let log = ["log", "-1", "--format=%an %s|%b", &branch];
            let log = fleet
                .scenario
                .repo
                .git()
                .text(fleet.scenario.repo.path(), &log);
            assert!(
                log.starts_with("Grace Hopper shop: hold staging|github"),
                "{log}"
            );
        }
    }
    assert_eq!(fleet.scenario.repo.head(), before);
    // Once it is merged it counts, as whoever decided it.
    let fake = Fake::start(Kind::GitHub, fleet.scenario.repo.path());
    let variables = leads_to(&fake);
    let hold = ["hold", "shop", "staging", "--reason", "github"];
    let ran = run(&fleet, work.path(), &hold, &borrowed(&variables)).exits(0);
    assert_eq!(ran.stdout, "- hold: github\n");
    assert!(
        ran.stderr
            .contains("the branch refuses the commit: remote: only by pull request")
            && ran.stderr.contains("pull request 1: http"),
        "{}",
        ran.stderr
    );
    fleet.scenario.repo.hook("update", "exit 0");
    fake.hub()
        .merge(1, "ann", Method::Merge)
        .expect("it can be merged");
    let pass = fleet.scenario.rests();
    let words = ["held by Grace Hopper", "github"];
    assert_stage(&pass.observation, "shop/staging", "waiting", &words);
}

#[test]
fn flags_ask_for_a_pull_request_or_for_none() {
    let Some((fleet, work)) = protected() else {
        return;
    };
    let fake = Fake::start(Kind::GitHub, fleet.scenario.repo.path());
    let variables = leads_to(&fake);
    let ran = |more: &[&str]| {
        let freeze = [&["hold", "--all", "--reason", "show", "-o", "json"], more].concat();
        run(&fleet, work.path(), &freeze, &borrowed(&variables))
    };
    let report = ran(&["--no-pull-request"]).exits(1).json();
    assert_eq!(report["result"], "refused");
    assert!(fake.requests().is_empty() && fake.hub().pulls.is_empty());
    let branches = ["branch", "--list", "tagwright-decisions/*"];
    let branches = |fleet: &Fleet| {
        let repo = &fleet.scenario.repo;
        repo.git().text(repo.path(), &branches)
    };
    assert_eq!(branches(&fleet), "");
    fleet.scenario.repo.hook("update", "exit 0");
    let before = fleet.scenario.repo.head();
    let report = ran(&["--pull-request"]).exits(0).json();
    assert_eq!(report["result"], "proposed");
    assert!(
        report.get("message").is_none(),
        "nothing was refused: {report}"
    );
    assert_eq!(fake.hub().pulls[0].title, "freeze all stages");
    assert_eq!(fleet.scenario.repo.head(), before);
    assert!(
        branches(&fleet).contains("tagwright-decisions/freezes-"),
        "{}",
        branches(&fleet)
    );
    ran(&["--pull-request", "--no-pull-request"]).exits(2);
    // A branch that takes pushes gets them.
    let report = ran(&[]).exits(0).json();
    assert_eq!(report["result"], "pushed");
    assert_eq!(fake.hub().pulls.len(), 1);
}

#[test]
fn without_a_token_the_page_and_the_entry_are_printed() {
    let Some((fleet, work)) = protected() else {
        return;
    };
    let url = "https://codeberg.org/acme/fleet.git";
    let bare = fleet.scenario.repo.path().to_str().expect("UTF-8");
    set(&fleet, &work, "remote.origin.url", url);
    set(&fleet, &work, &format!("url.{bare}.insteadOf"), url);
    let release = ["release", "shop", "staging"];
    // A token of another program's that is for another host is not sent to this one.
    let other = [
        ("GITEA_SERVER_TOKEN", "x"),
        ("GITEA_SERVER_URL", "https://git.example.com"),
    ];
    let ran = run(&fleet, work.path(), &release, &other).exits(1);
    assert_eq!(ran.stdout, "- release: true\n");
    for words in [
        "only by pull request",
        "pushed to the branch `tagwright-decisions/shop-staging-",
        "there is no token for codeberg.org: set TAGWRIGHT_FORGE_TOKEN",
        "https://codeberg.org/acme/fleet/compare/main...tagwright-decisions/shop-staging-",
    ] {
        assert!(ran.stderr.contains(words), "{words}: {}", ran.stderr);
    }
    set(&fleet, &work, "remote.origin.url", bare);
    let ran = run(&fleet, work.path(), &release, &[]).exits(1);
    for words in ["--forge-repository", "add this at the end of", FILE] {
        assert!(ran.stderr.contains(words), "{words}: {}", ran.stderr);
    }
}

#[test]
fn the_configured_forge_is_asked_and_its_refusal_is_told() {
    let Some((fleet, work)) = protected() else {
        return;
    };
    let fake = Fake::start(Kind::GitLab, fleet.scenario.repo.path());
    let config = fleet.place.read("tagwright.yaml");
    let forge = format!(
        "    forge: {{kind: gitlab, api: '{}', repository: acme/fleet, credentials: {{token: {{file: \
         token}}}}}}\nregistries:",
        fake.api
    );
    let config = config.replace("registries:", &forge);
    fleet.place.write("tagwright.yaml", config);
    let hold = [
        "hold", "cart", "staging", "--reason", "x", "--forge", "gitlab", "-o", "json",
    ];
    let ran = |variables: &[(&str, &str)]| run(&fleet, work.path(), &hold, variables);
    // The service's token is none of this person's.
    let report = ran(&[]).exits(1).json();
    assert_eq!(report["result"], "branched");
    assert!(fake.requests().is_empty());
    let report = ran(&[("TAGWRIGHT_FORGE_TOKEN", "wrong")]).exits(1).json();
    assert_eq!(report["result"], "branched");
    let why = report["noPullRequest"].as_str().unwrap_or_default();
    assert!(why.contains("does not accept the credentials"), "{why}");
    fleet.place.write("token", TOKEN);
    let report = ran(&[]).exits(0).json();
    assert_eq!(report["result"], "proposed");
    assert_eq!(fake.hub().pulls.len(), 1);
}

#[test]
fn a_branch_with_something_else_on_it_is_left_alone() {
    let Some((fleet, work)) = protected() else {
        return;
    };
    let release = ["release", "shop", "staging", "-o", "json"];
    let report = run(&fleet, work.path(), &release, &[]).exits(1).json();
    let branch = report["branch"].as_str().expect("it has a branch");
    let git = fleet.scenario.repo.git();
    git.ok(work.path(), &["fetch", "--quiet", "origin", branch]);
    git.ok(
        work.path(),
        &["checkout", "--quiet", "--detach", "FETCH_HEAD"],
    );
    work.write(FILE, "- hold: mine\n");
    let mine = work.commit("Mine");
    let target = format!("HEAD:refs/heads/{branch}");
    git.ok(work.path(), &["push", "--quiet", "origin", &target]);
    git.ok(work.path(), &["checkout", "--quiet", "main"]);
    let report = run(&fleet, work.path(), &release, &[]).exits(1).json();
    assert_eq!(report["result"], "refused");
    let words = report["message"].as_str().unwrap_or_default();
    assert!(words.contains(branch), "{words}");
    let tip = git.text(fleet.scenario.repo.path(), &["rev-parse", branch]);
    assert_eq!(tip, mine, "nothing is forced");
}
