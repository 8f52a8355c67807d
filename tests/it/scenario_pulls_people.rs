//! Pull requests and what people do to them while the service isn't looking: nothing of theirs is undone.

use tagwright::forge::Kind;
use tagwright::reconcile::Freshness;

use crate::repo::Work;
use crate::scenario::{SHOP, Scenario, assert_stage};
use crate::scenario_pulls::{BRANCH, did, does, on, open, scenario};

/// A person works on the branch of the pull request.
fn on_branch(scenario: &Scenario, work: &Work, commands: &[&[&str]]) {
    let git = |arguments: &[&str]| scenario.repo.git().ok(work.path(), arguments);
    git(&["checkout", "-q", BRANCH]);
    for command in commands {
        git(command);
    }
    git(&["push", "-q", "--force", "origin", BRANCH]);
}

#[test]
fn an_amended_commit_is_a_person_s() {
    let Some((mut scenario, _fake)) = scenario(Kind::GitHub, "") else {
        return;
    };
    does(&mut scenario, "opened");
    let work = scenario.repo.clone_to();
    let git = |arguments: &[&str]| scenario.repo.git().ok(work.path(), arguments);
    git(&["checkout", "-q", BRANCH]);
    work.write("apps/more.yaml", "a: 1\n");
    git(&["add", "-A"]);
    on_branch(
        &scenario,
        &work,
        &[&["commit", "-q", "--amend", "--no-edit"]],
    );
    scenario.push("acme/shop", &["1.2.0"]);
    does(&mut scenario, "left: others have committed");
    assert!(on(&scenario, BRANCH).ends_with("shop:1.1.0"));
}

#[test]
fn a_merge_with_work_of_its_own_is_a_person_s() {
    let Some((mut scenario, _fake)) = scenario(Kind::GitHub, "") else {
        return;
    };
    does(&mut scenario, "opened");
    scenario.writes("apps/other.yaml", "a: 1\n");
    let work = scenario.repo.clone_to();
    let git = |arguments: &[&str]| scenario.repo.git().ok(work.path(), arguments);
    git(&["checkout", "-q", BRANCH]);
    git(&["merge", "-q", "--no-commit", "--no-ff", "origin/main"]);
    work.write("apps/more.yaml", "a: 1\n");
    git(&["add", "-A"]);
    on_branch(&scenario, &work, &[&["commit", "-q", "-m", "Merge"]]);
    scenario.push("acme/shop", &["1.2.0"]);
    does(&mut scenario, "left: others have committed");
}

#[test]
fn a_close_while_it_is_updated_stands() {
    let Some((mut scenario, fake)) = scenario(Kind::GitHub, "") else {
        return;
    };
    does(&mut scenario, "opened");
    scenario.push("acme/shop", &["1.2.0"]);
    // After the service has listed what is open.
    fake.before("GET /reviews", |hub| hub.close(1, "bob"));
    does(&mut scenario, "left: it has changed meanwhile");
    assert!(on(&scenario, BRANCH).ends_with("shop:1.1.0"));
    // It said so of 1.1.0; 1.2.0 is newer.
    does(&mut scenario, "opened");
    assert_eq!(open(&fake)[0].title, "shop: staging 1.0.0 -> 1.2.0");
}

#[test]
fn what_is_not_acceptable_any_more_is_not_green_while_it_is_frozen() {
    let Some((mut scenario, fake)) = scenario(Kind::GitHub, "") else {
        return;
    };
    scenario.push("acme/shop", &["1.0.5"]);
    does(&mut scenario, "opened");
    fake.approve(1, "ann");
    let entry = "- reject: HOST/acme/shop:1.1.0\n";
    scenario.writes(".tagwright/decisions/shop/staging.yaml", entry);
    does(&mut scenario, "left: ann has approved it");
    let hub = fake.hub();
    let head = hub.tip(BRANCH).expect("the branch is there");
    let status = hub.status_of(&head, BRANCH).expect("a status");
    assert_eq!(status.verdict, "pending");
    assert!(
        status
            .description
            .contains("1.1.0 is not acceptable any more"),
        "{status:?}"
    );
}

#[test]
fn tags_that_change_nothing_write_nothing() {
    let Some((mut scenario, fake)) = scenario(Kind::GitHub, "") else {
        return;
    };
    does(&mut scenario, "opened");
    let body = open(&fake)[0].body.clone();
    assert!(body.contains("of 2 tags"), "{body}");
    fake.writes();
    scenario.push("acme/shop", &["0.9.0", "1.0.9"]);
    does(&mut scenario, "kept");
    assert_eq!(fake.writes(), Vec::<String>::new());
}

#[test]
fn a_draft_stays_what_people_made_of_it() {
    for (push, draft) in [("", true), (", draft: true", false)] {
        let Some((mut scenario, fake)) = scenario(Kind::GitHub, push) else {
            return;
        };
        does(&mut scenario, "opened");
        assert_eq!(open(&fake)[0].draft, !draft);
        fake.hub().pull(1).expect("it is there").draft = draft;
        scenario.push("acme/shop", &["1.2.0"]);
        does(&mut scenario, "updated");
        assert_eq!(open(&fake)[0].draft, draft);
    }
}

#[test]
fn another_branch_of_the_remote_keeps_its_own() {
    let Some((mut scenario, fake)) = scenario(Kind::GitHub, "") else {
        return;
    };
    does(&mut scenario, "opened");
    // Another service, or another entry, follows a branch that is the same so far.
    let work = scenario.repo.clone_to();
    let push = ["push", "-q", "origin", "origin/main:refs/heads/next"];
    scenario.repo.git().ok(work.path(), &push);
    let keys = scenario.keys().replace(
        "policies: [policies/]",
        "policies: [policies/]\nbranch: next",
    );
    let mut other = scenario.service_with(&keys);
    let pass = other.pass(Freshness::Anew).expect("a pass");
    let told = did(&pass);
    assert!(
        told.len() == 1 && told[0].starts_with("left: another entry"),
        "{told:?}"
    );
    assert_eq!(open(&fake).len(), 1);
    does(&mut scenario, "kept");
}

#[test]
fn a_shared_site_goes_the_way_of_all_its_stages() {
    let policy = "version: 1\napp: shop\nimage: HOST/acme/shop\nstages:\n  - {name: staging, paths: \
                  [staging/**, base/**]}\n  - {name: production, paths: [production/**], push: 'off'}\n";
    let files = [
        (SHOP.0, policy),
        ("base/shop.yaml", "image: HOST/acme/shop:1.0.0\n"),
        ("base/kustomization.yaml", "resources: [shop.yaml]\n"),
        ("staging/kustomization.yaml", "resources: [../base]\n"),
        ("production/kustomization.yaml", "resources: [../base]\n"),
        ("production/other.yaml", "image: HOST/acme/shop:1.0.0\n"),
    ];
    let Some((mut scenario, fake)) = Scenario::on_forge(Kind::GitHub, &files, "") else {
        return;
    };
    scenario.push("acme/shop", &["1.0.0", "1.1.0"]);
    let pass = scenario.rests();
    let words = ["production of shop reads it too", "published otherwise"];
    assert_stage(&pass.observation, "shop/staging", "failed", &words);
    assert_eq!(fake.hub().pulls.len(), 0);
}

#[test]
fn a_person_s_commit_is_told_from_a_part_of_the_history() {
    let Some((mut scenario, _fake)) = scenario(Kind::GitHub, "") else {
        return;
    };
    // The app is there of late, which ends the look back at what its stage ran.
    scenario.person("Later", |work| {
        std::fs::remove_file(work.path().join(SHOP.0)).expect("the app file is there");
    });
    for number in 0..24 {
        scenario.writes("notes.txt", &format!("{number}\n"));
    }
    scenario.writes(SHOP.0, SHOP.1);
    does(&mut scenario, "opened");
    scenario.push("acme/shop", &["1.2.0"]);
    let work = scenario.repo.clone_to();
    let git = scenario.repo.git();
    git.ok(work.path(), &["checkout", "-q", BRANCH]);
    work.write("theirs.txt", "mine\n");
    work.commit("A person's");
    git.ok(work.path(), &["push", "-q", "origin", BRANCH]);
    let mut service = scenario.service_of_depth(4);
    let pass = service.pass(Freshness::Anew).expect("the pass is made");
    let told = did(&pass);
    assert!(told[0].starts_with("left: others"), "{told:?}");
    let count = git.text(&service.mirror(), &["rev-list", "--all", "--count"]);
    let count: usize = count.parse().expect("a number");
    assert!(count < 12, "{count} commits were fetched");
}
