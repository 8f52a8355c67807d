//! Pull requests of the service's own whose reviews are approvals: the status of a head is green once those who may
//! have approved that very head.

use tagwright::forge::Kind;

use crate::forges::hub::Method;
use crate::forges::{Fake, Opinion};
use crate::scenario::{assert_stage, stage};
use crate::scenario_pulls::{BRANCH, KINDS, does};
use crate::town::{ONE, Town, town_on};

const TWO: &str = "approvals: {required: 2, from: [\"@platform\"]}";

fn town(kind: Kind, keys: &str) -> Option<(Town, Fake)> {
    town_on(kind, keys, "mode: pullRequest")
}

/// The status of the head: whether it is green, and in words.
fn status(fake: &Fake) -> (String, String) {
    status_of(fake, BRANCH)
}

fn status_of(fake: &Fake, branch: &str) -> (String, String) {
    let hub = fake.hub();
    let head = hub.tip(branch).expect("the branch is there");
    let all = hub.statuses_of(&head);
    let [status] = &all[..] else {
        panic!("{all:?}");
    };
    (status.verdict.clone(), status.description.clone())
}

#[track_caller]
fn assert_pending(fake: &Fake, words: &str) {
    let (verdict, description) = status(fake);
    assert_eq!(verdict, "pending", "{description}");
    assert!(description.contains(words), "{words}: {description}");
}

#[test]
fn a_review_of_the_head_turns_the_status_green_on_every_forge() {
    for kind in KINDS {
        let Some((mut town, fake)) = town(kind, ONE) else {
            return;
        };
        does(&mut town.scenario, "opened");
        assert_pending(&fake, "approval 1 of 1: needs one of @platform");
        let pass = does(&mut town.scenario, "kept");
        let words = ["an approving review of pull request #1 gives it"];
        assert_stage(&pass.observation, "shop/staging", "waiting", &words);
        fake.approve(1, "mallory-f");
        does(&mut town.scenario, "kept");
        assert_pending(&fake, "approval 1 of 1: needs one of @platform");
        fake.approve(1, "ada-f");
        fake.writes();
        let pass = does(&mut town.scenario, "kept");
        assert_eq!(status(&fake).0, "success", "{kind:?}");
        if kind == Kind::GitHub {
            // The status, and no word of it in the text, which the forge shows anyway.
            assert_eq!(fake.writes().len(), 1);
        }
        assert_stage(&pass.observation, "shop/staging", "change", &["1.1.0"]);
        // Whoever looks sees the same, with or without a memory.
        town.scenario.restarts();
        does(&mut town.scenario, "kept");
        town.scenario.pass_of_another();
        assert_eq!(status(&fake).0, "success", "{kind:?}");
        let merge = fake.hub().merge(1, "bob-f", Method::Squash);
        merge.expect("it can be merged");
        does(&mut town.scenario, "removed");
        town.scenario.rests();
    }
}

#[test]
fn a_review_of_an_earlier_head_does_not_count() {
    for kind in KINDS {
        let Some((mut town, fake)) = town(kind, ONE) else {
            return;
        };
        fake.hub().dismisses_stale = false;
        does(&mut town.scenario, "opened");
        fake.approve(1, "ada-f");
        does(&mut town.scenario, "kept");
        assert_eq!(status(&fake).0, "success", "{kind:?}");
        // A person's commit that brings the branch up to date makes another head.
        town.scenario.writes("apps/other.yaml", "a: 1\n");
        let work = town.scenario.repo.clone_to();
        let git = town.scenario.repo.git();
        for arguments in [
            &[
                "checkout",
                "-q",
                "-b",
                "on",
                "origin/tagwright/shop/staging",
            ][..],
            &["merge", "-q", "--no-ff", "-m", "Update", "origin/main"],
            &[
                "push",
                "-q",
                "origin",
                "HEAD:refs/heads/tagwright/shop/staging",
            ],
        ] {
            git.ok(work.path(), arguments);
        }
        let pass = town.scenario.rests();
        let view = stage(&pass.observation, "shop/staging");
        assert_eq!(view.waits.len(), 1, "{kind:?}: {:?}", view.waits);
        assert!(
            view.waits[0]
                .words
                .contains("of an earlier state of the pull request"),
            "{kind:?}: {:?}",
            view.waits
        );
        assert_pending(&fake, "approval 1 of 1");
        fake.hub().review(1, "ada-f", Opinion::Approved);
        town.scenario.rests();
        assert_eq!(status(&fake).0, "success", "{kind:?}");
    }
}

#[test]
fn several_are_needed_by_review_or_by_entry_and_what_is_taken_back_is_gone() {
    let Some((mut town, fake)) = town(Kind::GitHub, TWO) else {
        return;
    };
    does(&mut town.scenario, "opened");
    fake.approve(1, "ada-f");
    does(&mut town.scenario, "kept");
    assert_pending(
        &fake,
        "approval 2 of 2: needs one of @platform (bob); given by ada",
    );
    fake.approve(1, "bob-f");
    does(&mut town.scenario, "kept");
    assert_eq!(status(&fake).0, "success");
    fake.hub().review(1, "bob-f", Opinion::Dismissed);
    does(&mut town.scenario, "kept");
    assert_pending(&fake, "approval 2 of 2");
    // An entry counts beside them, if it came by a pull request.
    let entry = town.approval("1.1.0");
    town.says("bob", &entry);
    does(&mut town.scenario, "kept");
    assert_pending(&fake, "approval 2 of 2");
    let work = town.scenario.repo.clone_to();
    crate::town::add(&work, &town.scenario.text(&entry));
    work.commit("Decide");
    let to = ["push", "-q", "origin", "HEAD:refs/heads/decide"];
    town.scenario.repo.git().ok(work.path(), &to);
    let number = fake
        .hub()
        .open("eve-f", "decide", "main", "Decide", "")
        .number;
    fake.merge(number, "bob-f");
    does(&mut town.scenario, "updated");
    assert_eq!(status(&fake).0, "success");
}

#[test]
fn a_rejection_ends_reviews_that_were_before_it() {
    let Some((mut town, fake)) = town(Kind::GitHub, ONE) else {
        return;
    };
    does(&mut town.scenario, "opened");
    fake.approve(1, "ada-f");
    does(&mut town.scenario, "kept");
    town.at("2026-03-02T12:00:00Z");
    let reject = "- reject: HOST/acme/shop:1.1.0\n";
    town.says_at("eve", reject, "2026-03-02T11:00:00Z");
    does(&mut town.scenario, "closed");
    // An approval of anybody ends that it is withheld, and no more.
    let entry = town.approval("1.1.0");
    town.says_at("eve", &entry, "2026-03-02T11:30:00Z");
    does(&mut town.scenario, "opened");
    assert_pending(&fake, "approval 1 of 1");
}

#[test]
fn reviews_that_can_t_be_read_leave_it_pending() {
    let Some((mut town, fake)) = town(Kind::GitHub, ONE) else {
        return;
    };
    does(&mut town.scenario, "opened");
    fake.approve(1, "ada-f");
    does(&mut town.scenario, "kept");
    assert_eq!(status(&fake).0, "success");
    // The first request is for the open ones.
    fake.lose_at(1);
    does(&mut town.scenario, "kept");
    assert_pending(&fake, "its reviews can't be read");
    does(&mut town.scenario, "kept");
    assert_eq!(status(&fake).0, "success");
}

#[test]
fn of_several_changes_in_one_each_needs_its_own() {
    let push = "mode: pullRequest, group: stage";
    let Some((mut town, fake)) = town_on(Kind::GitHub, ONE, push) else {
        return;
    };
    let cart = "version: 1\napp: cart\nimage: HOST/acme/cart\nstages:\n  - name: staging\n    paths: \
                [apps/**]\n    approvals: {required: 1, from: [mallory]}\n";
    town.scenario.writes("policies/cart.yaml", cart);
    town.scenario.push("acme/cart", &["1.1.0"]);
    does(&mut town.scenario, "opened");
    let branch = "tagwright/_stage/staging";
    let words = |fake: &Fake| status_of(fake, branch).1;
    let told = words(&fake);
    assert!(told.contains("cart in staging: approval 1 of 1"), "{told}");
    fake.approve(1, "mallory-f");
    does(&mut town.scenario, "kept");
    let told = words(&fake);
    assert!(
        told.starts_with("shop in staging: approval 1 of 1"),
        "{told}"
    );
    fake.approve(1, "ada-f");
    does(&mut town.scenario, "kept");
    assert_eq!(status_of(&fake, branch).0, "success");
}

#[test]
fn reviews_count_for_nothing_where_the_keys_of_commits_do() {
    let keys = "approvals: {required: 1, from: [\"@platform\"], identity: signed}";
    let Some((mut town, fake)) = town(Kind::GitHub, keys) else {
        return;
    };
    does(&mut town.scenario, "opened");
    fake.approve(1, "ada-f");
    does(&mut town.scenario, "kept");
    assert_pending(&fake, "approval 1 of 1");
}
