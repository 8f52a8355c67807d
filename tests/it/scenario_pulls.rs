//! Changes that go by pull request, through the service with a forge: opened, kept as they should be, and
//! never over what people say.

use jiff::SignedDuration;

use tagwright::forge::{Kind, body};
use tagwright::reconcile::pulls::Did;
use tagwright::reconcile::{Freshness, Pass};

use crate::forges::Fake;
use crate::forges::hub::{self, Method};
use crate::scenario::{CART, CART_POD, SHOP, Scenario, assert_stage};

const POD: (&str, &str) = ("apps/shop.yaml", "image: HOST/acme/shop:1.0.0\n");

pub const BRANCH: &str = "tagwright/shop/staging";

/// Every forge that there is a fake of.
pub const KINDS: [Kind; 6] = [
    Kind::GitHub,
    Kind::GitLab,
    Kind::Gitea,
    Kind::BitbucketCloud,
    Kind::BitbucketDataCenter,
    Kind::AzureDevOps,
];

/// Shop at 1.0.0 with 1.1.0 to come, on a forge.
pub fn scenario(kind: Kind, push: &str) -> Option<(Scenario, Fake)> {
    let (scenario, fake) = Scenario::on_forge(kind, &[SHOP, POD, CART, CART_POD], push)?;
    scenario.push("acme/shop", &["1.0.0", "1.1.0"]);
    scenario.push("acme/cart", &["1.0.0"]);
    Some((scenario, fake))
}

/// What a pass did, a word and a reason for each pull request.
pub fn did(pass: &Pass) -> Vec<String> {
    let word = |did: &Did| match did {
        Did::Nothing => "kept".to_owned(),
        Did::Opened => "opened".to_owned(),
        Did::Updated => "updated".to_owned(),
        Did::Closed(why) => format!("closed: {why}"),
        Did::Removed => "removed".to_owned(),
        Did::Left(why) => format!("left: {why}"),
        Did::Failed(why) => format!("failed: {why}"),
    };
    pass.pulls.iter().map(|done| word(&done.did)).collect()
}

/// A pass that leaves the base alone and does this for its one pull request.
pub fn does(scenario: &mut Scenario, expected: &str) -> Pass {
    let pass = scenario.rests();
    let told = did(&pass);
    assert!(
        told.len() == 1 && told[0].starts_with(expected),
        "{expected}: {told:?}"
    );
    pass
}

/// The text of shop's manifest on a branch.
pub fn on(scenario: &Scenario, branch: &str) -> String {
    let bytes = scenario.repo.show(&format!("{branch}:apps/shop.yaml"));
    String::from_utf8_lossy(&bytes).trim_end().to_owned()
}

pub fn open(fake: &Fake) -> Vec<hub::Pull> {
    let hub = fake.hub();
    let open = hub
        .pulls
        .iter()
        .filter(|pull| pull.state == hub::State::Open);
    open.cloned().collect()
}

#[test]
fn a_change_is_proposed_once_and_kept() {
    for kind in KINDS {
        let Some((mut scenario, fake)) = scenario(kind, "") else {
            return;
        };
        let pass = does(&mut scenario, "opened");
        assert_stage(&pass.observation, "shop/staging", "change", &["1.1.0"]);
        assert!(on(&scenario, BRANCH).ends_with("shop:1.1.0"));
        let pulls = open(&fake);
        let [pull] = &pulls[..] else {
            panic!("{pulls:?}");
        };
        assert_eq!((pull.branch.as_str(), pull.base.as_str()), (BRANCH, "main"));
        assert_eq!(pull.title, "shop: staging 1.0.0 -> 1.1.0");
        assert!(
            pull.body.contains("| `shop` | `staging` |"),
            "{}",
            pull.body
        );
        assert!(body::hidden(&pull.body).is_some(), "{}", pull.body);
        let message = scenario
            .repo
            .git()
            .text(scenario.repo.path(), &["log", "-1", "--format=%B", BRANCH]);
        assert!(
            message.contains("Tagwright-Change: v1 app=shop stage=staging"),
            "{message}"
        );
        // As many requests as it takes to look, and nothing is written again, by whichever service.
        fake.writes();
        does(&mut scenario, "kept");
        assert_eq!(fake.writes(), Vec::<String>::new());
        let another = scenario.pass_of_another();
        assert_eq!(did(&another), ["kept"]);
        assert_eq!(open(&fake).len(), 1);
        assert_eq!(fake.hub().pulls.len(), 1);
    }
}

#[test]
fn something_newer_updates_it_in_place() {
    for kind in KINDS {
        let Some((mut scenario, fake)) = scenario(kind, "") else {
            return;
        };
        does(&mut scenario, "opened");
        scenario.push("acme/shop", &["1.2.0"]);
        does(&mut scenario, "updated");
        assert!(on(&scenario, BRANCH).ends_with("shop:1.2.0"));
        assert_eq!(fake.hub().pulls.len(), 1);
        assert_eq!(open(&fake)[0].title, "shop: staging 1.0.0 -> 1.2.0");
        does(&mut scenario, "kept");
        let parent = format!("{BRANCH}~1");
        assert_eq!(
            scenario
                .repo
                .git()
                .text(scenario.repo.path(), &["rev-parse", &parent]),
            scenario.repo.head(),
            "one commit on the base"
        );
    }
}

#[test]
fn it_is_made_anew_where_the_base_changed_below_it() {
    for kind in KINDS {
        let Some((mut scenario, fake)) = scenario(kind, "") else {
            return;
        };
        does(&mut scenario, "opened");
        scenario.writes("apps/other.yaml", "a: 1\n");
        does(&mut scenario, "kept");
        scenario.writes("apps/shop.yaml", "# by hand\nimage: HOST/acme/shop:1.0.0\n");
        does(&mut scenario, "updated");
        let text = on(&scenario, BRANCH);
        assert!(
            text.starts_with("# by hand\n") && text.ends_with("shop:1.1.0"),
            "{text}"
        );
        assert_eq!(fake.hub().pulls.len(), 1);
        does(&mut scenario, "kept");
    }
}

#[test]
fn it_follows_the_base_where_that_is_asked_for() {
    let Some((mut scenario, _fake)) = scenario(Kind::GitHub, ", rebuild: always") else {
        return;
    };
    does(&mut scenario, "opened");
    scenario.writes("apps/other.yaml", "a: 1\n");
    does(&mut scenario, "updated");
    does(&mut scenario, "kept");
}

#[test]
fn a_merge_ends_it_however_it_is_merged() {
    for kind in KINDS {
        for method in [Method::Merge, Method::Squash, Method::Rebase] {
            let Some((mut scenario, fake)) = scenario(kind, "") else {
                return;
            };
            does(&mut scenario, "opened");
            fake.hub()
                .merge(1, "bob", method)
                .expect("it can be merged");
            let pass = does(&mut scenario, "removed");
            assert_stage(&pass.observation, "shop/staging", "upToDate", &[]);
            assert!(scenario.read("apps/shop.yaml").ends_with("shop:1.1.0\n"));
            assert_eq!(did(&scenario.rests()), Vec::<String>::new());
            // The next one is another pull request.
            scenario.push("acme/shop", &["1.2.0"]);
            does(&mut scenario, "opened");
            assert_eq!(fake.hub().pulls.len(), 2);
        }
    }
}

#[test]
fn closing_it_means_not_this_version() {
    for kind in KINDS {
        let Some((mut scenario, fake)) = scenario(kind, "") else {
            return;
        };
        does(&mut scenario, "opened");
        fake.close(1, "bob");
        let words = ["#1 was closed", "approve shop staging 1.1.0"];
        for _ in 0..2 {
            let pass = scenario.rests();
            assert_stage(&pass.observation, "shop/staging", "upToDate", &words);
        }
        // Nothing is remembered but by the forge.
        let another = scenario.pass_of_another();
        assert_stage(&another.observation, "shop/staging", "upToDate", &words);
        assert_eq!(fake.hub().pulls.len(), 1);
        scenario.push("acme/shop", &["1.0.5", "1.2.0"]);
        does(&mut scenario, "opened");
        assert_eq!(open(&fake)[0].title, "shop: staging 1.0.0 -> 1.2.0");
    }
}

#[test]
fn a_closed_version_is_proposed_again_once_it_is_approved() {
    let Some((mut scenario, fake)) = scenario(Kind::GitHub, "") else {
        return;
    };
    does(&mut scenario, "opened");
    fake.close(1, "bob");
    scenario.rests();
    let entry = "- approve: HOST/acme/shop:1.1.0\n";
    scenario.writes(".tagwright/decisions/shop/staging.yaml", entry);
    does(&mut scenario, "opened");
    assert_eq!(fake.hub().pulls.len(), 2);
}

#[test]
fn a_bot_that_closes_says_nothing() {
    let Some((mut scenario, fake)) = scenario(Kind::GitHub, ", ignoredClosers: [stale]") else {
        return;
    };
    does(&mut scenario, "opened");
    fake.close(1, "stale");
    does(&mut scenario, "opened");
    assert_eq!(fake.hub().pulls.len(), 2);
}

#[test]
fn it_is_closed_when_it_has_become_pointless() {
    for kind in KINDS {
        let Some((mut scenario, fake)) = scenario(kind, "") else {
            return;
        };
        does(&mut scenario, "opened");
        // Somebody writes it by hand.
        scenario.writes("apps/shop.yaml", "image: HOST/acme/shop:1.1.0\n");
        does(&mut scenario, "closed: shop in staging runs the choice");
        assert_eq!(open(&fake).len(), 0);
        assert_eq!(fake.hub().tip(BRANCH), None);
        // Its own closing is no verdict.
        scenario.writes("apps/shop.yaml", "image: HOST/acme/shop:1.0.0\n");
        scenario.push("acme/shop", &["1.2.0"]);
        does(&mut scenario, "opened");
    }
}

#[test]
fn it_is_closed_when_its_app_is_gone_but_not_when_the_file_is_broken() {
    let Some((mut scenario, fake)) = scenario(Kind::GitHub, "") else {
        return;
    };
    does(&mut scenario, "opened");
    scenario.writes("policies/shop.yaml", "version: 1\napp: shop\nimage: [\n");
    does(&mut scenario, "left: an app file can't be used");
    assert_eq!(open(&fake).len(), 1);
    scenario.person("Remove", |work| {
        std::fs::remove_file(work.path().join("policies/shop.yaml")).expect("it is there");
    });
    does(
        &mut scenario,
        "closed: no app file speaks of the stage staging of shop",
    );
}

#[test]
fn a_branch_that_others_commit_to_is_theirs() {
    for kind in KINDS {
        let Some((mut scenario, fake)) = scenario(kind, "") else {
            return;
        };
        does(&mut scenario, "opened");
        let work = scenario.repo.clone_to();
        let git = |arguments: &[&str]| scenario.repo.git().ok(work.path(), arguments);
        git(&["checkout", "-q", BRANCH]);
        work.write("apps/more.yaml", "a: 1\n");
        let theirs = work.commit("Mine");
        git(&["push", "-q", "origin", BRANCH]);
        scenario.push("acme/shop", &["1.2.0"]);
        does(&mut scenario, "left: others have committed");
        does(&mut scenario, "left: others have committed");
        assert_eq!(fake.hub().tip(BRANCH), Some(theirs));
        // Closing that says nothing of the version, and the branch stays theirs.
        fake.close(1, "bob");
        does(&mut scenario, "left: others have committed");
        fake.hub()
            .git(&["update-ref", "-d", &format!("refs/heads/{BRANCH}")]);
        does(&mut scenario, "opened");
        assert_eq!(open(&fake)[0].title, "shop: staging 1.0.0 -> 1.2.0");
    }
}

#[test]
fn bringing_the_branch_up_to_date_is_nobody_s_work() {
    let Some((mut scenario, _fake)) = scenario(Kind::GitHub, "") else {
        return;
    };
    does(&mut scenario, "opened");
    scenario.writes("apps/other.yaml", "a: 1\n");
    let work = scenario.repo.clone_to();
    let git = |arguments: &[&str]| scenario.repo.git().ok(work.path(), arguments);
    git(&["checkout", "-q", BRANCH]);
    git(&["merge", "-q", "--no-edit", "origin/main"]);
    git(&["push", "-q", "origin", BRANCH]);
    does(&mut scenario, "updated");
    scenario.push("acme/shop", &["1.2.0"]);
    does(&mut scenario, "updated");
}

#[test]
fn what_is_approved_is_frozen() {
    for kind in KINDS {
        for (push, expected) in [
            ("", "left: ann has approved it"),
            (", supersede: true", "updated"),
        ] {
            let Some((mut scenario, fake)) = scenario(kind, push) else {
                return;
            };
            does(&mut scenario, "opened");
            fake.approve(1, "ann");
            does(&mut scenario, "kept");
            scenario.push("acme/shop", &["1.2.0"]);
            let expected = match (kind, push) {
                (Kind::BitbucketCloud | Kind::BitbucketDataCenter, ", supersede: true") => {
                    "left: it is approved"
                }
                _ => expected,
            };
            does(&mut scenario, expected);
            let approved = fake.hub().opinions(1);
            let stands = approved
                .values()
                .any(|review| review.opinion == hub::Opinion::Approved);
            assert_eq!(stands, expected != "updated", "{approved:?}");
            let tag = if stands { "1.1.0" } else { "1.2.0" };
            assert!(on(&scenario, BRANCH).ends_with(tag));
        }
    }
}

#[test]
fn only_so_many_are_open_at_once() {
    let Some((mut scenario, fake)) = scenario(Kind::GitHub, ", openPullRequests: 1") else {
        return;
    };
    scenario.push("acme/cart", &["1.1.0"]);
    let pass = scenario.rests();
    let told = did(&pass);
    assert_eq!(told[0], "opened");
    assert!(
        told[1].starts_with("left: as many pull requests"),
        "{told:?}"
    );
    fake.merge(1, "bob");
    let told = did(&scenario.rests());
    assert_eq!(told, ["removed", "opened"]);
}

#[test]
fn groups_share_a_pull_request() {
    for (group, branch, status) in [
        ("stage", "tagwright/_stage/staging", "tagwright/staging"),
        ("path:1", "tagwright/_path/apps", "tagwright/apps"),
    ] {
        let Some((mut scenario, fake)) = scenario(Kind::GitHub, &format!(", group: '{group}'"))
        else {
            return;
        };
        scenario.push("acme/cart", &["1.1.0"]);
        does(&mut scenario, "opened");
        let pulls = open(&fake);
        assert_eq!(pulls[0].branch, branch);
        assert_eq!(pulls[0].title, "staging: update cart, shop");
        let head = pulls[0].head.clone();
        assert!(fake.hub().status_of(&head, status).is_some());
        // A hold takes one of them out, and the others go on.
        let file = ".tagwright/decisions/shop/staging.yaml";
        scenario.writes(file, "- hold: incident 4711\n");
        does(&mut scenario, "updated");
        assert!(on(&scenario, branch).ends_with("shop:1.0.0"));
        // Closing it says so of each of them.
        scenario.writes(file, "- hold: incident 4711\n- release: true\n");
        does(&mut scenario, "updated");
        fake.close(1, "bob");
        let pass = scenario.rests();
        for stage in ["shop/staging", "cart/staging"] {
            assert_stage(&pass.observation, stage, "upToDate", &["#1 was closed"]);
        }
    }
}

#[test]
fn a_stage_can_be_stricter_than_its_repository() {
    let Some((mut scenario, fake)) = scenario(Kind::GitHub, "") else {
        return;
    };
    let app = SHOP
        .1
        .replace("paths: [apps/**]", "paths: [apps/**], push: 'off'");
    scenario.writes(SHOP.0, &app);
    let pass = scenario.rests();
    assert_stage(
        &pass.observation,
        "shop/staging",
        "waiting",
        &["1.1.0 would be written", "`off`"],
    );
    assert_eq!(fake.hub().pulls.len(), 0);
    // It can't be less strict.
    scenario.writes(
        SHOP.0,
        &SHOP.1.replace("apps/**]", "apps/**], push: direct"),
    );
    does(&mut scenario, "opened");
}

#[test]
fn a_lost_cache_changes_nothing() {
    for kind in KINDS {
        let Some((mut scenario, fake)) = scenario(kind, "") else {
            return;
        };
        does(&mut scenario, "opened");
        std::fs::remove_dir_all(scenario.service.mirror()).expect("the mirror is there");
        fake.writes();
        does(&mut scenario, "kept");
        scenario.restarts();
        scenario.clock.advance(SignedDuration::from_secs(1));
        does(&mut scenario, "kept");
        let wrote = fake.writes();
        assert!(
            wrote.iter().all(|line| line.contains("status")),
            "{wrote:?}"
        );
    }
}

#[test]
fn a_part_of_the_history_tells_whose_a_branch_is() {
    let Some((mut scenario, _fake)) = scenario(Kind::GitHub, "") else {
        return;
    };
    does(&mut scenario, "opened");
    for number in 0..6 {
        scenario.writes("notes.txt", &format!("{number}\n"));
    }
    let passes = |scenario: &Scenario| {
        let mut service = scenario.service_of_depth(1);
        did(&service.pass(Freshness::Anew).expect("the pass is made"))
    };
    assert_eq!(passes(&scenario), ["kept"]);
    scenario.push("acme/shop", &["1.2.0"]);
    assert_eq!(passes(&scenario), ["updated"]);
    let work = scenario.repo.clone_to();
    let git = scenario.repo.git();
    git.ok(work.path(), &["checkout", "-q", BRANCH]);
    work.write("theirs.txt", "mine\n");
    let theirs = work.commit("A person's");
    git.ok(work.path(), &["push", "-q", "origin", BRANCH]);
    scenario.push("acme/shop", &["1.3.0"]);
    let told = passes(&scenario);
    assert!(told[0].starts_with("left: others"), "{told:?}");
    let tip = git.text(scenario.repo.path(), &["rev-parse", BRANCH]);
    assert_eq!(tip, theirs);
}
