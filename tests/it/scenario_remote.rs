//! A config repo that can't be read or written: the pass fails with a reason, harms nothing, and the
//! next one goes on from where the branch is.

use std::error::Error as _;

use tagwright::driver;
use tagwright::reconcile::Error;

use crate::scenario::{SHOP, Scenario};

const SHOP_POD: (&str, &str) = ("apps/shop.yaml", "image: HOST/acme/shop:1.0.0\n");

fn scenario() -> Option<Scenario> {
    let scenario = Scenario::new(&[SHOP, SHOP_POD])?;
    scenario.push("acme/shop", &["1.0.0", "1.1.0"]);
    Some(scenario)
}

/// A pass that must fail on Git, in words that hold these.
fn fails(scenario: &mut Scenario, words: &str) {
    match scenario.try_pass() {
        Err(error @ Error::Git { .. }) => {
            let told = driver::words(&error);
            assert!(
                told.contains("`fleet`") && told.contains(words),
                "{words}: {told}"
            );
            assert!(error.source().is_some());
        }
        other => panic!("{words}: {other:?}"),
    }
}

#[test]
fn a_remote_that_is_gone_and_comes_back() {
    let Some(mut scenario) = scenario() else {
        return;
    };
    scenario.rests_at("1.1.0");
    scenario.push("acme/shop", &["1.2.0"]);
    let (here, away) = (
        scenario.repo.path().to_owned(),
        scenario.repo.path().with_extension("away"),
    );
    std::fs::rename(&here, &away).expect("the repository can be moved");
    fails(&mut scenario, "no such repository");
    std::fs::create_dir(&here).expect("a folder can be made");
    fails(&mut scenario, "no such repository");
    std::fs::remove_dir(&here).expect("the folder is empty");
    std::fs::rename(&away, &here).expect("the repository can be moved back");
    scenario.rests_at("1.2.0");
}

#[test]
fn an_empty_repository_waits_for_its_first_commit() {
    let Some(mut scenario) = Scenario::new(&[]) else {
        return;
    };
    scenario.push("acme/shop", &["1.0.0", "1.1.0"]);
    fails(&mut scenario, "is empty (push a first commit)");
    scenario.person("Start", |work| {
        work.write(SHOP.0, scenario.text(SHOP.1));
        work.write(SHOP_POD.0, scenario.text(SHOP_POD.1));
    });
    scenario.rests_at("1.1.0");
}

#[test]
fn a_branch_that_is_missing_is_named() {
    let files = [SHOP, SHOP_POD];
    let Some(mut scenario) = Scenario::configured(&files, "policies: [policies/]\nbranch: live")
    else {
        return;
    };
    scenario.push("acme/shop", &["1.1.0"]);
    fails(&mut scenario, "no branch `live`");
    let (git, path) = (scenario.repo.git().clone(), scenario.repo.path().to_owned());
    git.ok(&path, &["branch", "live", "main"]);
    let main = scenario.repo.head();
    let pass = scenario.pass();
    assert!(matches!(
        pass.result,
        tagwright::reconcile::PassResult::Landed(_)
    ));
    assert_eq!(
        scenario.repo.head(),
        main,
        "another branch is none of its business"
    );
    assert_eq!(git.text(&path, &["rev-parse", "live~1"]), main);
    // Removed again while the service knows it.
    git.ok(&path, &["branch", "-D", "live"]);
    fails(&mut scenario, "no branch `live`");
    assert_eq!(
        git.text(&path, &["branch", "--list", "live"]),
        "",
        "nor is it made again"
    );
}

#[test]
fn a_mirror_that_is_damaged_or_deleted_is_made_anew() {
    let Some(mut scenario) = scenario() else {
        return;
    };
    scenario.rests_at("1.1.0");
    for (number, harm) in [harm_objects as fn(&std::path::Path), remove_all]
        .iter()
        .enumerate()
    {
        let tag = format!("2.{number}.0");
        scenario.push("acme/shop", &[&tag]);
        harm(&scenario.service.mirror());
        // The damage may be found at any step; the pass after that heals it.
        let _ = scenario.try_pass();
        let _ = scenario.try_pass();
        scenario.rests_at(&tag);
    }
    assert_eq!(scenario.changes().len(), 3);
    scenario.assert_sound();
}

/// Cuts every pack and object short.
fn harm_objects(mirror: &std::path::Path) {
    let mut waiting = vec![mirror.join("objects")];
    let mut harmed = 0;
    while let Some(folder) = waiting.pop() {
        for entry in std::fs::read_dir(&folder)
            .expect("the mirror is there")
            .flatten()
        {
            let path = entry.path();
            if path.is_dir() {
                waiting.push(path);
            } else {
                // Renamed into place, so that what is mapped into memory stays whole.
                let draft = path.with_extension("draft");
                std::fs::write(&draft, b"?").expect("the mirror can be written");
                std::fs::rename(&draft, &path).expect("the mirror can be written");
                harmed += 1;
            }
        }
    }
    assert!(harmed > 0);
}

fn remove_all(mirror: &std::path::Path) {
    std::fs::remove_dir_all(mirror).expect("the mirror can be removed");
}
