//! Approvals of stages: what counts is who is proven, of what, in the place of what, and for how long.

use crate::scenario::{assert_problem, assert_stage, stage};
use crate::town::{FILE, ONE, POD, Town, add, shop, time, town};

#[test]
fn a_change_waits_for_the_right_person_and_says_who_it_was() {
    let Some(mut town) = town(ONE) else {
        return;
    };
    let digest = town.scenario.digest("acme/shop", "1.1.0");
    let command = format!("`tagwright approve shop staging 1.1.0@{digest}` gives it");
    let words = [
        "1.1.0 waits: approval 1 of 1: needs one of @platform (ada, bob)",
        command.as_str(),
    ];
    town.waits(&words);
    let view = stage(&town.scenario.observe(), "shop/staging");
    assert_eq!(view.waits[0].kind, "approval");
    let asked = view.waits[0].approvals.as_ref().expect("approvals");
    let entry = town.scenario.text(&town.approval("1.1.0"));
    assert_eq!(asked.entry.replace('"', ""), entry);
    assert_eq!((asked.needed, asked.file.as_str()), (1, FILE));
    assert!(asked.given.is_empty() && asked.not_counted.is_empty());

    // The entry that is told is the one that does it.
    let entry = asked.entry.clone();
    let id = town.says("ada", &entry);
    let pass = town.lands();
    let change = &pass.observation.preparation.commits[0];
    assert!(
        change.message.contains("; approved by ada.\n"),
        "{}",
        change.message
    );
    let trailer = town.trailers();
    assert!(
        trailer.starts_with(&format!("ada commit={id} key=SHA256:")),
        "{trailer}"
    );
    town.scenario.rests();
    // What comes next asks again.
    town.scenario.push("acme/shop", &["1.2.0"]);
    town.waits(&["1.2.0 waits: approval 1 of 1"]);
}

#[test]
fn what_is_not_proven_or_not_of_the_change_does_not_count() {
    let Some(mut town) = town(ONE) else {
        return;
    };
    let right = town.approval("1.1.0");
    let digest = town.scenario.digest("acme/shop", "1.1.0");
    let other = right.replace(&digest, &town.scenario.digest("acme/shop", "1.0.0"));
    let bare = "- approve: HOST/acme/shop:1.1.0\n  replaces: 1.0.0\n";
    let alone = right.replace("\n  replaces: 1.0.0", "");
    let wrong = right.replace("replaces: 1.0.0", "replaces: 0.9.0");
    for (who, entry, words) in [
        ("mallory", right.as_str(), "of mallory (commit"),
        (
            "mallory",
            &right,
            "does not count: it is of a person who may not",
        ),
        ("eve", &right, "signed with a key of nobody, SHA256:"),
        ("ada", &other, "of another digest"),
        ("ada", bare, "it names no digest"),
        ("ada", &alone, "it does not say what it `replaces`"),
        ("ada", &wrong, "it replaces 0.9.0, which does not run"),
    ] {
        town.says(who, entry);
        let pass = town.scenario.rests();
        assert_stage(&pass.observation, "shop/staging", "waiting", &[words]);
    }
    // Unsigned, in ada's name.
    let entry = town.scenario.text(&right);
    town.scenario.person("Decide", |work| add(work, &entry));
    town.waits(&["its commit is not signed"]);
    town.says("bob", &right);
    town.lands();
}

#[test]
fn whoever_staged_by_hand_may_not_approve_where_the_author_is_excluded() {
    let keys = "exclude: [apps/live/**]\n  - name: production\n    paths: [apps/live/**]\n    after: staging\n    \
                approvals: {required: 1, from: [\"@platform\"], excludeAuthor: true}";
    let Some(mut town) = town(keys) else {
        return;
    };
    let pod = |tag: &str| {
        town.scenario
            .text(&format!("image: HOST/acme/shop:{tag}\n"))
    };
    let (old, new) = (pod("1.0.0"), pod("1.1.0"));
    town.scenario.writes("apps/live/shop.yaml", &old);
    let work = town.scenario.repo.clone_to();
    town.signs(&work, "ada");
    work.write("apps/shop.yaml", &new);
    work.commit("Stage it by hand");
    work.push();
    let file = ".tagwright/decisions/shop/production.yaml";
    let entry = town.scenario.text(&town.approval("1.1.0"));
    let approve = |town: &Town, who: &str| {
        let work = town.scenario.repo.clone_to();
        town.signs(&work, who);
        let before = std::fs::read_to_string(work.path().join(file)).unwrap_or_default();
        work.write(file, before + &entry);
        work.commit("Approve");
        work.push();
    };
    approve(&town, "ada");
    for pass in [town.scenario.rests(), town.scenario.pass_of_another()] {
        let words = [
            "approval 1 of 1: needs one of @platform (bob)",
            "of the person who asks for the change",
        ];
        assert_stage(&pass.observation, "shop/production", "waiting", &words);
    }
    approve(&town, "bob");
    town.scenario.lands(1);
    assert_eq!(town.scenario.read("apps/live/shop.yaml"), new);
}

#[test]
fn a_forged_signature_does_not_count() {
    let Some(mut town) = town(ONE) else {
        return;
    };
    let entry = town.scenario.text(&town.approval("1.1.0"));
    // Ada's signature, of another commit of hers.
    town.says("ada", "- hold: a\n- release: true\n");
    let work = town.scenario.repo.clone_to();
    let git = town.scenario.repo.git().clone();
    let signed = git.text(work.path(), &["cat-file", "commit", "HEAD"]);
    let (old, parent) = (["rev-parse", "HEAD^{tree}"], ["rev-parse", "HEAD~1"]);
    let (old, parent) = (git.text(work.path(), &old), git.text(work.path(), &parent));
    add(&work, &entry);
    git.ok(work.path(), &["add", "--all"]);
    let tree = git.text(work.path(), &["write-tree"]);
    let head = git.text(work.path(), &["rev-parse", "HEAD"]);
    let forged = signed.replace(&old, &tree).replace(&parent, &head);
    let file = town.keys.path().join("forged");
    std::fs::write(&file, forged + "\n").expect("the folder can be written");
    let path = file.to_str().expect("paths are UTF-8 here");
    let id = git.text(work.path(), &["hash-object", "-t", "commit", "-w", path]);
    git.ok(work.path(), &["reset", "--quiet", "--hard", &id]);
    work.push();
    town.waits(&["signature can't be used: it is not of this commit"]);
}

#[test]
fn several_persons_are_needed_each_counted_once() {
    let Some(mut town) = town("approvals: {required: 2, from: [\"@platform\", mallory]}") else {
        return;
    };
    let entry = town.approval("1.1.0");
    town.says("ada", &entry);
    let words = ["approval 2 of 2: needs one of @platform (bob), mallory; given by ada"];
    town.waits(&words);
    town.says("ada", &entry);
    town.waits(&words);
    town.says("mallory", &entry);
    let pass = town.lands();
    let told = &pass.observation.preparation.commits[0].message;
    assert!(told.contains("; approved by ada, mallory."), "{told}");
    assert_eq!(town.trailers().lines().count(), 2);
}

#[test]
fn an_approval_expires_and_can_be_given_again() {
    let Some(mut town) = town("approvals: {required: 2, from: [\"@platform\"], expires: 1d}")
    else {
        return;
    };
    let entry = town.approval("1.1.0");
    town.says_at("ada", &entry, "2026-03-02T09:00:00Z");
    let pass = town.scenario.rests();
    let expires = Some(time("2026-03-03T09:00:00Z"));
    assert_eq!(pass.observation.plan.expires, expires);
    town.at("2026-03-03T09:00:00Z");
    town.waits(&["approval 1 of 2", "it expired at 2026-03-03T09:00:00Z"]);
    town.says_at("bob", &entry, "2026-03-03T09:00:00Z");
    town.waits(&["approval 2 of 2", "given by bob"]);
    // One that is dated ahead could count for ever.
    town.says_at("ada", &entry, "2026-03-03T09:01:00Z");
    town.waits(&[
        "given by bob",
        "it is dated 2026-03-03T09:01:00Z, which is yet to come",
    ]);
    let expires = town.scenario.observe().plan.expires;
    assert_eq!(expires, Some(time("2026-03-03T09:01:00Z")));
    town.at("2026-03-03T09:01:00Z");
    town.lands();
}

#[test]
fn an_approval_that_was_taken_back_does_not_count_nor_brought_back_by_another() {
    let Some(mut town) =
        town("approvals: {required: 2, from: [\"@platform\"]}").map(Town::at_any_depth)
    else {
        return;
    };
    let entry = town.approval("1.1.0");
    let given = town.says("ada", &entry);
    town.waits(&["approval 2 of 2"]);
    let work = town.scenario.repo.clone_to();
    town.signs(&work, "ada");
    work.write(FILE, "");
    work.commit("Take it back");
    work.push();
    town.waits(&["approval 1 of 2"]);
    let pass = town.scenario.rests();
    assert_problem(
        &pass.observation,
        FILE,
        &["was removed or edited by Ada Okafor"],
    );

    // Somebody merges what ada had signed once more.
    let work = town.scenario.repo.clone_to();
    let git = town.scenario.repo.git().clone();
    let run = |arguments: &[&str]| git.text(work.path(), arguments);
    add(&work, &town.scenario.text(&entry));
    run(&["add", "--all"]);
    let tree = run(&["write-tree"]);
    let merge = run(&[
        "commit-tree",
        &tree,
        "-p",
        "HEAD",
        "-p",
        &given,
        "-m",
        "Merge",
    ]);
    run(&["reset", "--quiet", "--hard", &merge]);
    work.push();
    town.waits(&["approval 1 of 2", "its commit is not signed"]);
}

#[test]
fn a_later_rejection_ends_what_was_approved() {
    let Some(mut town) =
        town("approvals: {required: 2, from: [\"@platform\"]}").map(Town::at_any_depth)
    else {
        return;
    };
    let entry = town.approval("1.1.0");
    town.says("ada", &entry);
    town.says("eve", "- reject: HOST/acme/shop:1.1.0\n");
    let pass = town.scenario.rests();
    assert_stage(&pass.observation, "shop/staging", "upToDate", &[]);
    // Approving it ends the rejection; what was approved before stays rejected.
    town.says("bob", &entry);
    town.waits(&[
        "approval 2 of 2",
        "given by bob",
        "the reference was rejected afterwards",
    ]);
    town.says("ada", &entry);
    town.lands();
}

#[test]
fn an_entry_of_a_merged_side_is_of_who_signed_it_there() {
    let Some(mut town) = town("approvals: {required: 1, from: [ada]}").map(Town::at_any_depth)
    else {
        return;
    };
    let entry = town.scenario.text(&town.approval("1.1.0"));
    let work = town.scenario.repo.clone_to();
    let git = town.scenario.repo.git().clone();
    let run = |arguments: &[&str]| git.text(work.path(), arguments);
    run(&["checkout", "-q", "-b", "side"]);
    town.signs(&work, "mallory");
    add(&work, &entry);
    let theirs = work.commit("Decide");
    run(&["checkout", "-q", "main"]);
    town.signs(&work, "ada");
    // Whoever merges consents to nothing.
    run(&["merge", "-q", "--no-ff", "-m", "Merge", "side"]);
    work.push();
    town.waits(&["of mallory", &theirs[..12], "it is of a person who may not"]);
    run(&["checkout", "-q", "-b", "other"]);
    add(&work, &entry);
    let hers = work.commit("Decide");
    run(&["checkout", "-q", "main"]);
    run(&["config", "commit.gpgSign", "false"]);
    run(&["merge", "-q", "--no-ff", "-m", "Merge", "other"]);
    work.push();
    town.lands();
    assert!(town.trailers().starts_with(&format!("ada commit={hers} ")));
}

#[test]
fn each_stage_is_approved_by_itself() {
    let Some(mut town) = town(ONE) else {
        return;
    };
    let two = format!(
        "{}  - name: production\n    paths: [live/**]\n    {ONE}\n",
        shop(ONE)
    );
    let (file, pod) = (town.scenario.text(&two), town.scenario.text(POD.1));
    town.scenario.person("Production", |work| {
        work.write("policies/shop.yaml", &file);
        work.write("live/shop.yaml", &pod);
    });
    let entry = town.approval("1.1.0");
    town.says("ada", &entry);
    let pass = town.lands();
    assert_stage(
        &pass.observation,
        "shop/production",
        "waiting",
        &["approval 1 of 1"],
    );
    assert!(town.scenario.read("live/shop.yaml").ends_with(":1.0.0\n"));
    let pass = town.scenario.rests();
    assert_stage(
        &pass.observation,
        "shop/production",
        "waiting",
        &["approval 1 of 1"],
    );
}

#[test]
fn an_approval_counts_while_the_window_is_waited_for_unless_it_expires() {
    let keys = "approvals: {required: 1, from: [ada], expires: 1h}\n    windows: [{cron: 0 12 * * *, duration: 1h, timezone: UTC}]";
    let Some(mut town) = town(keys) else {
        return;
    };
    let entry = town.approval("1.1.0");
    town.waits(&[
        "window opens Mon 12:00 UTC",
        "waits for its approvals alone",
        "; and approval 1 of 1",
    ]);
    town.says_at("ada", &entry, "2026-03-02T09:20:00Z");
    let pass = town.scenario.rests();
    let view = stage(&pass.observation, "shop/staging");
    assert_eq!(view.waits.len(), 1, "{:?}", view.waits);
    assert_eq!(
        pass.observation.plan.expires,
        Some(time("2026-03-02T10:20:00Z"))
    );
    town.at("2026-03-02T12:00:00Z");
    let pass = town.scenario.rests();
    let view = stage(&pass.observation, "shop/staging");
    assert_eq!(view.waits[0].kind, "approval");
    assert_eq!(
        pass.observation.plan.expires,
        Some(time("2026-03-02T13:00:00Z"))
    );
    town.says_at("ada", &entry, "2026-03-02T11:59:00Z");
    town.lands();
}

#[test]
fn what_a_person_goes_back_from_is_approved_anew() {
    let Some(mut town) = town(ONE) else {
        return;
    };
    let entry = town.approval("1.1.0");
    town.says("ada", &entry);
    town.lands();
    town.at("2026-03-02T11:00:00Z");
    let work = town.scenario.repo.clone_to();
    work.write("apps/shop.yaml", town.scenario.text(POD.1));
    work.commit_at("Go back", "2026-03-02T10:00:00Z");
    work.push();
    town.scenario.rests();
    // Whoever may not approve it can end that nothing up to it is taken, and no more.
    town.says_at("eve", &entry, "2026-03-02T10:10:00Z");
    town.waits(&[
        "approval 1 of 1",
        "the stage was moved back from it afterwards",
    ]);
    town.says_at("bob", &entry, "2026-03-02T10:20:00Z");
    town.lands();
}

#[test]
fn approvers_that_nobody_is_are_told() {
    let Some(mut town) = town("approvals: {required: 1, from: [\"@ops\", grace]}") else {
        return;
    };
    town.waits(&["nobody is left who may give it; nobody is called @ops, grace"]);
}

#[test]
fn the_author_is_believed_where_that_is_asked_for() {
    let Some(mut town) = town("approvals: {required: 1, from: [ada], identity: author}") else {
        return;
    };
    let entry = town.scenario.text(&town.approval("1.1.0"));
    let work = town.scenario.repo.clone_to();
    let git = town.scenario.repo.git().clone();
    add(&work, &entry);
    git.ok(work.path(), &["add", "--all"]);
    let author = [
        "commit",
        "-q",
        "-m",
        "Decide",
        "--author",
        "Bob <bob@example.com>",
    ];
    git.ok(work.path(), &author);
    work.push();
    town.waits(&["of bob", "it is of a person who may not"]);
    town.scenario.person("Decide", |work| add(work, &entry));
    town.lands();
    let trailer = town.trailers();
    assert!(
        trailer.starts_with("ada commit=") && trailer.ends_with(" by=author"),
        "{trailer}"
    );
}
