//! Approvals that the forge attests: entries that came by a pull request, by who merged it and who approved what was
//! merged, and by nobody else.

use jiff::SignedDuration;
use tagwright::forge::Kind;

use crate::forges::hub::{Method, State};
use crate::forges::{Fake, Opinion};
use crate::scenario::assert_stage;
use crate::scenario_pulls::KINDS;
use crate::town::{FILE, ONE, Town, add, town_on};

const TWO: &str = "approvals: {required: 2, from: [\"@platform\"]}";

fn direct(kind: Kind, keys: &str) -> Option<(Town, Fake)> {
    town_on(kind, keys, "mode: direct")
}

/// Somebody proposes entries of the stage's decisions; the number of the pull request.
fn proposes(town: &Town, fake: &Fake, by: &str, entries: &str) -> u64 {
    let work = town.scenario.repo.clone_to();
    let branch = format!("decide-{}", fake.hub().pulls.len());
    add(&work, &town.scenario.text(entries));
    work.commit("Decide");
    push(town, &work, &branch);
    fake.hub().open(by, &branch, "main", "Decide", "").number
}

fn push(town: &Town, work: &crate::repo::Work, branch: &str) {
    let to = format!("HEAD:refs/heads/{branch}");
    let arguments = ["push", "--quiet", "--force", "origin", &to];
    town.scenario.repo.git().ok(work.path(), &arguments);
}

fn merged(fake: &Fake, number: u64, by: &str) -> String {
    let merge = fake.hub().merge(number, by, Method::Merge);
    merge.expect("it can be merged")
}

/// What a pass says a minute later, when the forge is asked again, after a restart, and having forgotten everything.
fn waits(town: &mut Town, words: &[&str]) {
    town.scenario.clock.advance(SignedDuration::from_mins(1));
    town.waits(words);
}

fn lands(town: &mut Town) {
    town.scenario.clock.advance(SignedDuration::from_mins(1));
    town.lands();
}

#[test]
fn whoever_merges_approves_however_it_is_merged_on_every_forge() {
    for kind in KINDS {
        for method in [Method::Merge, Method::Squash, Method::Rebase] {
            let Some((mut town, fake)) = direct(kind, ONE) else {
                return;
            };
            waits(
                &mut town,
                &["approval 1 of 1", "gives it by a pull request"],
            );
            let entry = town.approval("1.1.0");
            let number = proposes(&town, &fake, "mallory-f", &entry);
            waits(&mut town, &["approval 1 of 1"]);
            let merge = fake.hub().merge(number, "ada-f", method);
            let merge = merge.expect("it can be merged");
            lands(&mut town);
            let trailer = town.trailers();
            assert_eq!(
                trailer,
                format!("ada commit={merge} by=merge pull={number}"),
                "{kind:?}"
            );
            town.scenario.rests();
        }
    }
}

#[test]
fn reviewers_of_what_was_merged_approve_and_of_what_was_there_before_do_not() {
    for kind in KINDS {
        let Some((mut town, fake)) = direct(kind, TWO) else {
            return;
        };
        fake.hub().dismisses_stale = false;
        let entry = town.approval("1.1.0");
        let number = proposes(&town, &fake, "mallory-f", "- hold: x\n- release: true\n");
        fake.approve(number, "bob-f");
        let work = town.scenario.repo.clone_to();
        add(&work, &town.scenario.text(&entry));
        work.commit("Decide");
        push(&town, &work, "decide-0");
        fake.approve(number, "mallory-f");
        merged(&fake, number, "ada-f");
        let words = [
            "approval 2 of 2: needs one of @platform (bob); given by ada",
            "of bob (commit",
            "the review is of an earlier state of the pull request",
            "it is of a person who may not",
        ];
        waits(&mut town, &words);
        // Some let it be reviewed once it is merged.
        fake.hub().review(number, "bob-f", Opinion::Approved);
        lands(&mut town);
        let trailers = town.trailers();
        assert!(
            trailers.contains("ada commit=") && trailers.contains("by=merge"),
            "{kind:?}: {trailers}"
        );
        assert!(
            trailers.contains("bob commit=") && trailers.contains("by=review"),
            "{kind:?}: {trailers}"
        );
    }
}

#[test]
fn what_was_pushed_does_not_count_and_is_told_why() {
    for kind in KINDS {
        let Some((mut town, fake)) = direct(kind, ONE) else {
            return;
        };
        let entry = town.approval("1.1.0");
        let id = town.says("ada", &entry);
        let told = format!("(commit {}", &id[..12]);
        waits(&mut town, &[&told, "does not count: it came by a push"]);
        let number = proposes(&town, &fake, "eve-f", &entry);
        merged(&fake, number, "bob-f");
        lands(&mut town);
        assert!(town.trailers().starts_with("bob commit="), "{kind:?}");
    }
}

#[test]
fn nobody_else_counts_not_the_author_of_a_fork_s_nor_a_bot() {
    let Some((mut town, fake)) = direct(Kind::GitHub, ONE) else {
        return;
    };
    let entry = town.approval("1.1.0");
    // Signed with ada's key and in her name.
    let work = town.scenario.repo.clone_to();
    town.signs(&work, "ada");
    add(&work, &town.scenario.text(&entry));
    work.commit("Decide");
    push(&town, &work, "forged");
    let number = {
        let mut hub = fake.hub();
        let pull = hub.open("ada-f", "forged", "main", "Decide", "");
        pull.is_fork = true;
        pull.number
    };
    merged(&fake, number, "a-bot");
    waits(&mut town, &["nobody who is listed is `a-bot` at the forge"]);
    let number = proposes(&town, &fake, "ada-f", &entry);
    fake.approve(number, "mallory-f");
    merged(&fake, number, "mallory-f");
    waits(
        &mut town,
        &["of mallory (commit", "of a person who may not"],
    );
    let number = proposes(&town, &fake, "ada-f", &entry);
    fake.approve(number, "bob-f");
    merged(&fake, number, "mallory-f");
    lands(&mut town);
    assert!(town.trailers().starts_with("bob commit="));
}

#[test]
fn an_approval_that_was_dismissed_or_taken_back_does_not_count() {
    let Some((mut town, fake)) = direct(Kind::GitHub, TWO) else {
        return;
    };
    let entry = town.approval("1.1.0");
    let number = proposes(&town, &fake, "eve-f", &entry);
    fake.approve(number, "bob-f");
    fake.hub().review(number, "bob-f", Opinion::Dismissed);
    merged(&fake, number, "ada-f");
    waits(&mut town, &["approval 2 of 2", "given by ada"]);
    fake.approve(number, "bob-f");
    fake.reject(number, "bob-f");
    waits(&mut town, &["approval 2 of 2", "given by ada"]);
    fake.approve(number, "bob-f");
    lands(&mut town);
}

#[test]
fn a_forge_that_can_t_be_asked_is_waited_for() {
    let Some((mut town, fake)) = direct(Kind::GitHub, ONE) else {
        return;
    };
    let entry = town.approval("1.1.0");
    let number = proposes(&town, &fake, "eve-f", &entry);
    merged(&fake, number, "ada-f");
    fake.fail_next(503);
    let pass = town.scenario.rests();
    let words = ["approval 1 of 1", "the forge can't be asked who gave it: "];
    assert_stage(&pass.observation, "shop/staging", "waiting", &words);
    // Who merged it is known by now, and who reviewed it is not.
    town.scenario.clock.advance(SignedDuration::from_mins(1));
    fake.limit_next(SignedDuration::from_secs(30));
    let pass = town.scenario.rests();
    assert_stage(&pass.observation, "shop/staging", "waiting", &words);
    lands(&mut town);
}

#[test]
fn what_a_merge_brings_beside_its_pull_request_does_not_count() {
    let Some((town, fake)) = direct(Kind::GitHub, ONE) else {
        return;
    };
    let mut town = town.at_any_depth();
    let entry = town.scenario.text(&town.approval("1.1.0"));
    let number = {
        let work = town.scenario.repo.clone_to();
        work.write("README", "a typo less\n");
        work.commit("Mend a typo");
        push(&town, &work, "typo");
        fake.hub()
            .open("mallory-f", "typo", "main", "Typo", "")
            .number
    };
    fake.approve(number, "ada-f");
    // Merged by hand, with more in the merge than the pull request had.
    let work = town.scenario.repo.clone_to();
    let git = town.scenario.repo.git().clone();
    let run = |arguments: &[&str]| git.ok(work.path(), arguments);
    run(&["merge", "-q", "--no-ff", "--no-commit", "origin/typo"]);
    add(&work, &entry);
    let merge = work.commit("Merge");
    work.push();
    let at = fake.hub().tick();
    fake.hub().pull(number).expect("it is there").state =
        State::Merged("mallory-f".to_owned(), at, merge);
    waits(
        &mut town,
        &["it is not what pull request #1 proposes, or not in the last of the commits"],
    );
    // What was approved once and taken out again is not brought back by a branch that still has it.
    let entry = town.approval("1.1.0");
    let number = proposes(&town, &fake, "mallory-f", &entry);
    let merge = merged(&fake, number, "ada-f");
    let work = town.scenario.repo.clone_to();
    work.write(FILE, "");
    work.commit("Take it back");
    work.push();
    waits(&mut town, &["approval 1 of 1"]);
    let work = town.scenario.repo.clone_to();
    let git = town.scenario.repo.git().clone();
    let run = |arguments: &[&str]| git.ok(work.path(), arguments);
    run(&["checkout", "-q", "-b", "old", &merge]);
    work.write("README", "another typo less\n");
    work.commit("Mend a typo");
    push(&town, &work, "old");
    let number = fake
        .hub()
        .open("mallory-f", "old", "main", "Typo", "")
        .number;
    fake.approve(number, "ada-f");
    run(&["checkout", "-q", "main"]);
    run(&["merge", "-q", "--no-ff", "--no-commit", "old"]);
    add(&work, &town.scenario.text(&entry));
    let merge = work.commit("Merge");
    work.push();
    let at = fake.hub().tick();
    fake.hub().pull(number).expect("it is there").state =
        State::Merged("mallory-f".to_owned(), at, merge);
    waits(&mut town, &["it is not what pull request #3 proposes"]);
}

#[test]
fn a_deploy_has_a_lane_of_its_own_and_its_author_may_be_kept_out() {
    let keys = "approvals: {required: 2, from: [\"@platform\"]}\n    fastLane: {approvals: {required: 1, from: \
                [\"@platform\"], excludeAuthor: true}}";
    let Some((mut town, fake)) = direct(Kind::GitHub, keys) else {
        return;
    };
    let digest = town.scenario.digest("acme/shop", "1.1.0");
    let deploy = format!("- deploy: HOST/acme/shop:1.1.0@{digest}\n  reason: login broken\n");
    let number = proposes(&town, &fake, "ada-f", &deploy);
    merged(&fake, number, "ada-f");
    waits(
        &mut town,
        &[
            "approval 1 of 1: needs one of @platform (bob)",
            "it is of the person who asks for the change",
        ],
    );
    fake.approve(number, "bob-f");
    lands(&mut town);
    assert!(town.trailers().starts_with("bob commit="));
}

#[test]
fn of_a_deploy_by_nobody_who_is_listed_it_isn_t_known_who_asks() {
    let keys = "fastLane: {approvals: {required: 1, from: [\"@platform\"], excludeAuthor: true}}";
    let Some((mut town, fake)) = direct(Kind::GitHub, keys) else {
        return;
    };
    town.says("ada", "- hold: nothing by itself\n");
    let digest = town.scenario.digest("acme/shop", "1.1.0");
    let deploy = format!("- deploy: HOST/acme/shop:1.1.0@{digest}\n");
    let number = proposes(&town, &fake, "a-bot", &deploy);
    merged(&fake, number, "bob-f");
    waits(&mut town, &["it isn't proven who asks for the change"]);
    let number = proposes(&town, &fake, "ada-f", &deploy);
    merged(&fake, number, "bob-f");
    lands(&mut town);
}
