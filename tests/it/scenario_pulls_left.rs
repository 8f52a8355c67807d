//! Pull requests that a change of the configuration leaves behind, and what people said of them.

use tagwright::forge::{Kind, body};

use crate::forges::Fake;
use crate::forges::hub;
use crate::scenario::{Scenario, assert_stage};
use crate::scenario_pulls::{BRANCH, KINDS, did, does, open, scenario};

const PREFIX: &str = ", branchPrefix: bots/";

/// With another prefix from now on.
fn renamed(scenario: &mut Scenario) {
    let mode = "mode: pullRequest";
    scenario.reconfigured(mode, &format!("{mode}{PREFIX}"));
}

fn branches(fake: &Fake) -> Vec<String> {
    let open = open(fake).into_iter();
    open.map(|pull| pull.branch).collect()
}

#[test]
fn another_prefix_takes_the_place_of_the_old_one() {
    for kind in KINDS {
        let Some((mut scenario, fake)) = scenario(kind, "") else {
            return;
        };
        does(&mut scenario, "opened");
        renamed(&mut scenario);
        let told = did(&scenario.rests());
        let told: Vec<&str> = told.iter().map(String::as_str).collect();
        let [left, closed] = &told[..] else {
            panic!("{kind:?}: {told:?}");
        };
        assert!(left.starts_with("left: pull request #1 proposes"), "{left}");
        let expected = "closed: what it proposed is proposed elsewhere now";
        assert_eq!(*closed, expected, "{kind:?}");
        assert_eq!(fake.hub().tip(BRANCH), None);
        does(&mut scenario, "opened");
        assert_eq!(branches(&fake), ["bots/shop/staging"]);
        does(&mut scenario, "kept");
    }
}

#[test]
fn what_is_pushed_by_now_is_not_proposed_any_more() {
    for kind in KINDS {
        let Some((mut scenario, fake)) = scenario(kind, "") else {
            return;
        };
        does(&mut scenario, "opened");
        scenario.reconfigured("mode: pullRequest", "mode: direct");
        let pass = scenario.lands(1);
        let expected = "closed: what it proposed is pushed without a pull request now";
        assert_eq!(did(&pass), [expected], "{kind:?}");
        assert_eq!(branches(&fake), [""; 0]);
        assert_eq!(fake.hub().tip(BRANCH), None);
        assert_eq!(did(&scenario.rests()), [""; 0]);
        // Once there is none any more, the forge is not asked.
        let asked = fake.requests().len();
        scenario.rests();
        assert_eq!(fake.requests().len(), asked);
    }
}

#[test]
fn what_is_off_writes_nothing() {
    let Some((mut scenario, fake)) = scenario(Kind::GitHub, "") else {
        return;
    };
    does(&mut scenario, "opened");
    scenario.reconfigured("mode: pullRequest", "mode: 'off'");
    fake.writes();
    scenario.pass();
    assert_eq!(fake.writes(), [""; 0]);
    assert_eq!(branches(&fake), [BRANCH]);
}

#[test]
fn those_of_others_stay() {
    for kind in KINDS {
        let Some((mut scenario, fake)) = scenario(kind, "") else {
            return;
        };
        does(&mut scenario, "opened");
        let note = body::hidden(&open(&fake)[0].body).expect("a note");
        scenario.reconfigured("mode: pullRequest", "mode: 'off'");
        let others = [
            ("feature/plain", String::from("words")),
            ("feature/entry", note.replace(" of=fleet ", " of=other ")),
            ("feature/app", note.replace(" shop/", " till/")),
        ];
        for (branch, note) in &others {
            let tip = fake.hub().tip(BRANCH).expect("the branch is there");
            let name = format!("refs/heads/{branch}");
            fake.hub().git(&["update-ref", &name, &tip]);
            let hidden = body::Hiding::Comment.hide(note);
            fake.hub()
                .open("bob", branch, "main", "Mine", &format!("\n{hidden}\n"));
        }
        scenario.reconfigured("mode: 'off'", &format!("mode: pullRequest{PREFIX}"));
        for _ in 0..3 {
            scenario.rests();
        }
        let expected = ["feature/plain", "feature/entry", "feature/app"];
        assert_eq!(branches(&fake)[..3], expected, "{kind:?}");
    }
}

#[test]
fn one_that_others_have_committed_to_is_left_to_them() {
    let Some((mut scenario, fake)) = scenario(Kind::GitLab, "") else {
        return;
    };
    does(&mut scenario, "opened");
    {
        let hub = fake.hub();
        let tip = hub.tip(BRANCH).expect("the branch is there");
        let id = hub.commit(&tip, "Mine", &[("mine".to_owned(), b"1\n".to_vec())]);
        hub.git(&["update-ref", &format!("refs/heads/{BRANCH}"), &id]);
    }
    renamed(&mut scenario);
    let told = did(&scenario.rests());
    let left = told
        .iter()
        .filter(|told| told.contains("others have committed"));
    assert_eq!(left.count(), 1, "{told:?}");
    assert!(branches(&fake).contains(&BRANCH.to_owned()));
}

#[test]
fn a_close_is_remembered_whatever_the_branch_is_called_now() {
    for kind in KINDS {
        for change in [PREFIX, ", group: stage"] {
            let Some((mut scenario, fake)) = scenario(kind, "") else {
                return;
            };
            does(&mut scenario, "opened");
            fake.close(1, "bob");
            let mode = "mode: pullRequest";
            scenario.reconfigured(mode, &format!("{mode}{change}"));
            for _ in 0..2 {
                let pass = scenario.rests();
                let words = ["#1 was closed", "approve shop staging 1.1.0"];
                assert_stage(&pass.observation, "shop/staging", "upToDate", &words);
            }
            assert_eq!(fake.hub().pulls.len(), 1, "{kind:?}{change}");
            // Opening it again takes that back, which the next process sees.
            fake.hub().pulls[0].state = hub::State::Open;
            scenario.reconfigured(change, change);
            scenario.rests();
            scenario.rests();
            assert_eq!(branches(&fake).len(), 1, "{kind:?}{change}");
            scenario.push("acme/shop", &["1.2.0"]);
            scenario.pass();
            scenario.pass();
            assert_eq!(open(&fake)[0].title, "shop: staging 1.0.0 -> 1.2.0");
        }
    }
}
