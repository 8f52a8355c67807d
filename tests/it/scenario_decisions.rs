//! What people decide in the config repo holds: holds, releases, rejections, deploys, and who made them.

use jiff::SignedDuration;

use tagwright::demo::registry::{Fault, Faults, Rule};

use crate::repo::Work;
use crate::scenario::{CART, CART_POD, SHOP, Scenario, assert_problem, assert_stage};

const FILE: &str = ".tagwright/decisions/shop/staging.yaml";

const POD: (&str, &str) = ("apps/shop.yaml", "image: HOST/acme/shop:1.0.0\n");

/// Shop at 1.0.0, with 1.1.0 to come; cart beside it.
fn scenario() -> Option<Scenario> {
    let scenario = Scenario::new(&[SHOP, POD, CART, CART_POD])?.at_any_depth();
    scenario.push("acme/shop", &["1.0.0", "1.1.0"]);
    scenario.push("acme/cart", &["1.0.0"]);
    Some(scenario)
}

/// A person adds entries to the stage's decisions.
fn decides(scenario: &Scenario, entries: &str) -> String {
    let entries = scenario.text(entries);
    scenario.person("Decide", |work| add(work, &entries))
}

fn add(work: &Work, entries: &str) {
    let path = work.path().join(FILE);
    let before = std::fs::read_to_string(path).unwrap_or_default();
    work.write(FILE, before + entries);
}

/// What a pass that changes nothing says of the stage, now and having forgotten everything.
fn waits(scenario: &mut Scenario, words: &[&str]) {
    for _ in 0..2 {
        let pass = scenario.rests();
        assert_stage(&pass.observation, "shop/staging", "waiting", words);
    }
    let another = scenario.pass_of_another();
    assert_stage(&another.observation, "shop/staging", "waiting", words);
}

#[test]
fn a_hold_stops_one_stage_until_it_is_released() {
    let Some(mut scenario) = scenario() else {
        return;
    };
    let id = decides(&scenario, "- hold: incident 4711\n");
    let words = [
        "held by Ada Okafor",
        &id[..12],
        "incident 4711",
        "tagwright release shop staging",
    ];
    waits(&mut scenario, &words);
    scenario.push("acme/cart", &["1.1.0"]);
    scenario.lands(1);
    waits(&mut scenario, &words);
    decides(&scenario, "- release: true\n");
    scenario.rests_at("1.1.0");
}

#[test]
fn a_hold_ends_by_itself() {
    let Some(mut scenario) = scenario() else {
        return;
    };
    decides(
        &scenario,
        "- hold: deploy freeze\n  until: 2026-03-02T10:00:00Z\n",
    );
    waits(
        &mut scenario,
        &["held until 2026-03-02T10:00:00Z by Ada", "deploy freeze"],
    );
    scenario.clock.advance(SignedDuration::from_mins(29));
    scenario.rests();
    scenario.clock.advance(SignedDuration::from_mins(1));
    scenario.rests_at("1.1.0");
}

#[test]
fn a_rejected_tag_is_passed_over() {
    let Some(mut scenario) = scenario() else {
        return;
    };
    scenario.push("acme/shop", &["1.0.5"]);
    decides(
        &scenario,
        "- reject: HOST/acme/shop:1.1.0\n  reason: leaks memory\n",
    );
    scenario.rests_at("1.0.5");
    decides(&scenario, "- approve: HOST/acme/shop:1.1.0\n");
    scenario.rests_at("1.1.0");
}

#[test]
fn an_approval_ends_what_a_person_went_back_from() {
    let Some(mut scenario) = scenario() else {
        return;
    };
    scenario.lands(1);
    scenario.writes(POD.0, POD.1);
    scenario.rests();
    decides(&scenario, "- approve: HOST/acme/shop:1.0.9\n");
    scenario.rests();
    decides(&scenario, "- approve: HOST/acme/shop:1.1.0\n");
    scenario.rests_at("1.1.0");
}

#[test]
fn a_deploy_goes_back_and_stays_there() {
    let Some(mut scenario) = scenario() else {
        return;
    };
    scenario.lands(1);
    let id = decides(
        &scenario,
        "- deploy: HOST/acme/shop:1.0.0\n  reason: login broken\n",
    );
    let pass = scenario.pass();
    let words = [
        "Ada Okafor",
        "decided to deploy it",
        "login broken",
        &id[..12],
    ];
    assert_stage(&pass.observation, "shop/staging", "change", &words);
    assert!(
        scenario.changes()[0].contains("rejected=1.1.0"),
        "{:?}",
        scenario.changes()
    );
    for _ in 0..2 {
        let pass = scenario.rests();
        let words = ["went back from 1.1.0", &id[..12]];
        assert_stage(&pass.observation, "shop/staging", "upToDate", &words);
    }
    scenario.pass_of_another();
    scenario.rests_at("1.0.0");
    scenario.push("acme/shop", &["1.2.0"]);
    scenario.rests_at("1.2.0");
}

#[test]
fn a_deploy_is_done_once() {
    let Some(mut scenario) = scenario() else {
        return;
    };
    decides(
        &scenario,
        "- hold: frozen\n- deploy: HOST/acme/shop:1.1.0\n",
    );
    scenario.lands(1);
    waits(&mut scenario, &["held by", "frozen"]);
    // A person who goes elsewhere afterwards is not overruled.
    scenario.writes(POD.0, POD.1);
    waits(&mut scenario, &["held by", "frozen"]);
    decides(&scenario, "- release: true\n");
    let pass = scenario.rests();
    assert_stage(
        &pass.observation,
        "shop/staging",
        "upToDate",
        &["went back from 1.1.0"],
    );
}

#[test]
fn a_rollback_with_a_digest_needs_no_registry() {
    let Some(mut scenario) = scenario() else {
        return;
    };
    scenario.lands(1);
    let digest = scenario.digest("acme/shop", "1.0.0");
    decides(
        &scenario,
        &format!("- deploy: HOST/acme/shop:1.0.0@{digest}\n- hold: rolled back\n"),
    );
    let rule = Rule::new("acme/shop", Fault::status(503));
    scenario.registry.set_faults(Faults::one(rule));
    let pass = scenario.lands(1);
    let words = ["Ada Okafor", "the registry was not asked"];
    assert_stage(&pass.observation, "shop/staging", "change", &words);
    assert!(scenario.read(POD.0).ends_with(":1.0.0\n"));
    scenario.registry.set_faults(Faults::default());
    waits(&mut scenario, &["held by", "rolled back"]);
}

#[test]
fn who_decided_is_who_added_the_entry_on_any_side_of_a_merge() {
    let Some(mut scenario) = scenario() else {
        return;
    };
    let work = scenario.repo.clone_to();
    let run = |command: &[&str]| {
        scenario.repo.git().ok(work.path(), command);
    };
    run(&["checkout", "-q", "-b", "side"]);
    add(&work, "- hold: side\n");
    run(&["add", "--all"]);
    run(&[
        "commit",
        "-q",
        "--author=Grace <grace@example.com>",
        "-m",
        "Hold",
    ]);
    let id = scenario
        .repo
        .git()
        .text(work.path(), &["rev-parse", "HEAD"]);
    work.write("notes.txt", "more\n");
    work.commit("More");
    run(&["checkout", "-q", "main"]);
    work.write("notes.txt", "main\n");
    work.commit("Main");
    run(&[
        "merge", "-q", "--no-ff", "-X", "ours", "-m", "Merge", "side",
    ]);
    work.push();
    waits(&mut scenario, &["held by Grace", &id[..12], "side"]);
    // An entry that was edited is another one, by whoever edited it.
    scenario.person("Edit", |work| work.write(FILE, "- hold: edited\n"));
    waits(&mut scenario, &["held by Ada Okafor", "edited"]);
    let id = scenario.person("Remove", |work| work.write(FILE, ""));
    let pass = scenario.pass();
    let problems = pass.observation.problems();
    let told: Vec<String> = problems.iter().map(ToString::to_string).collect();
    assert_eq!(told.len(), 2, "{told:?}");
    for (told, words) in told.iter().zip([
        [
            FILE,
            "`hold edited` was removed or edited by Ada Okafor",
            &id[..12],
        ],
        [
            FILE,
            "`hold side` was removed or edited by Ada Okafor",
            "no longer",
        ],
    ]) {
        assert!(words.iter().all(|word| told.contains(word)), "{told}");
    }
    scenario.rests_at("1.1.0");
    // It is told in every pass, whether anything is planned anew or not.
    for _ in 0..2 {
        assert_eq!(scenario.rests().observation.problems(), problems);
    }
    // Another service finds the same, and what is written again is no longer missed.
    let another = scenario.pass_of_another();
    assert_eq!(another.observation.problems(), problems);
    decides(&scenario, "- hold: edited\n");
    for pass in [scenario.rests(), scenario.pass_of_another()] {
        let problems = pass.observation.problems();
        assert_eq!(problems.len(), 1, "{problems:?}");
    }
}

#[test]
fn what_was_taken_back_long_ago_is_not_told_any_more() {
    let Some(mut scenario) = scenario() else {
        return;
    };
    let entry = "- hold: x\n- release: true\n";
    let at = |scenario: &Scenario, time: &str, text: &str| {
        let work = scenario.repo.clone_to();
        work.write(FILE, text);
        work.commit_at(&format!("At {time}"), time);
        work.push();
    };
    at(&scenario, "2026-01-01T00:00:00Z", entry);
    at(&scenario, "2026-01-10T00:00:00Z", "");
    at(&scenario, "2026-01-20T00:00:00Z", entry);
    let work = scenario.repo.clone_to();
    std::fs::remove_file(work.path().join(FILE)).expect("it is there");
    work.commit_at("Remove it", "2026-02-01T00:00:00Z");
    work.push();
    let pass = scenario.pass();
    assert_eq!(pass.observation.problems().len(), 2, "the file is gone");
    at(&scenario, "2026-03-02T00:00:00Z", "- hold: y\n");
    for pass in [scenario.pass(), scenario.pass_of_another()] {
        assert_eq!(pass.observation.problems().len(), 2);
    }
    at(
        &scenario,
        "2026-03-04T00:00:00Z",
        "- hold: y\n- release: true\n",
    );
    for pass in [scenario.pass(), scenario.pass_of_another()] {
        assert_eq!(pass.observation.problems(), []);
    }
}

#[test]
fn whoever_mends_a_file_did_not_write_all_of_it() {
    let Some(mut scenario) = scenario() else {
        return;
    };
    decides(&scenario, "- hold: first\n");
    scenario.person("Break it", |work| {
        work.write(FILE, "- hold: first\n- hodl: x\n")
    });
    scenario.rests();
    let mend = scenario.person("Mend it", |work| {
        work.write(FILE, "- hold: first\n- hold: second\n");
    });
    waits(&mut scenario, &["second", &mend[..12]]);
    let broken = scenario.person("Break it again", |work| add(work, "- release: x\n"));
    assert_ne!(mend, broken);
    scenario.rests();
    scenario.person("Drop it", |work| {
        work.write(FILE, "- hold: first\n- hold: second\n");
    });
    waits(&mut scenario, &["second", &mend[..12]]);
}

#[test]
fn mistakes_stop_the_stage_and_are_told() {
    let Some(mut scenario) = scenario() else {
        return;
    };
    decides(&scenario, "- hold: x\n  untill: 2026-12-01T09:00:00Z\n");
    let pass = scenario.rests();
    assert_stage(
        &pass.observation,
        "shop/staging",
        "failed",
        &[FILE, "has mistakes"],
    );
    let place = format!("{FILE}:2:3");
    assert_problem(
        &pass.observation,
        &place,
        &["`untill`", "did you mean `until`?"],
    );
    scenario.person("Elsewhere", |work| {
        std::fs::remove_file(work.path().join(FILE)).expect("it is there");
        work.write(".tagwright/decisions/shop/stagign.yaml", "- hold: x\n");
        work.write(".tagwright/decisions/shopp/staging.yaml", "- hold: x\n");
    });
    let pass = scenario.pass();
    assert_problem(
        &pass.observation,
        "shop/stagign.yaml",
        &["no stage", "staging"],
    );
    assert_problem(
        &pass.observation,
        "shopp/staging.yaml",
        &["did you mean `shop`?"],
    );
    assert!(scenario.read(POD.0).ends_with(":1.1.0\n"));
    decides(&scenario, "- reject: HOST/acme/cart:1.0.0\n");
    let pass = scenario.rests();
    assert_problem(&pass.observation, FILE, &["another image"]);
}
