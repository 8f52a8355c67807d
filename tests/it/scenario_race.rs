//! Somebody else pushes while the service does: nothing of either is lost, and nothing is written that
//! was not decided on the very commit it builds on.

use std::sync::atomic::{AtomicBool, Ordering};

use tagwright::reconcile::{Error, PassResult};

use crate::scenario::{CART, CART_POD, SHOP, Scenario, assert_stage, view};

const SHOP_POD: (&str, &str) = ("apps/shop.yaml", "# a pod\nimage: HOST/acme/shop:1.0.0\n");

/// A scenario in which shop moves from 1.0.0 to 1.1.0.
fn scenario(more: &[(&str, &str)]) -> Option<Scenario> {
    let files = [&[SHOP, SHOP_POD], more].concat();
    let scenario = Scenario::new(&files)?;
    scenario.push("acme/shop", &["1.0.0", "1.1.0"]);
    Some(scenario)
}

#[test]
fn an_edit_pushed_between_fetch_and_push_is_kept() {
    let Some(mut scenario) = scenario(&[]) else {
        return;
    };
    let (base, before) = (scenario.repo.head(), scenario.tree());
    let text = scenario.read("apps/shop.yaml");
    let person = scenario.races(&base, |work| {
        // The very file, two lines above the site, so that every offset in it has moved.
        work.write(
            "apps/shop.yaml",
            format!("# moved down\n# by a person\n{text}"),
        );
    });
    scenario.lands(1);
    scenario.assert_changed(
        &before,
        &[
            (
                "apps/shop.yaml",
                "# a pod",
                "# moved down\n# by a person\n# a pod",
            ),
            ("apps/shop.yaml", "shop:1.0.0", "shop:1.1.0"),
        ],
    );
    assert_eq!(
        scenario.repo.log("%s"),
        "shop: staging 1.0.0 -> 1.1.0\nA person's change\nStart"
    );
    assert!(scenario.repo.log("%b").contains("apps/shop.yaml:4: "));
    assert!(scenario.repo.log("%H").contains(&person));
    scenario.assert_sound();
}

#[test]
fn what_a_person_pushed_meanwhile_is_planned_on() {
    /// What a person does, and what the service then must do: the file's end, and the commits.
    type Case = (fn(&Scenario, &crate::repo::Work), &'static str, usize);
    let cases: [Case; 4] = [
        // The person was quicker.
        (
            |s, w| w.write("apps/shop.yaml", s.text("image: HOST/acme/shop:1.1.0\n")),
            ":1.1.0\n",
            0,
        ),
        // The person went further, to something the registry lists no tag above.
        (
            |s, w| w.write("apps/shop.yaml", s.text("image: HOST/acme/shop:9.0.0\n")),
            ":9.0.0\n",
            0,
        ),
        // The person no longer wants 1.1.0.
        (
            |s, w| w.write(SHOP.0, s.text(SHOP.1) + "tags: {semver: ~1.0.0}\n"),
            ":1.0.0\n",
            0,
        ),
        // The person took a step on the way.
        (
            |s, w| w.write("apps/shop.yaml", s.text("image: HOST/acme/shop:1.0.5\n")),
            ":1.1.0\n",
            1,
        ),
    ];
    for (number, (edit, end, commits)) in cases.into_iter().enumerate() {
        let Some(mut scenario) = scenario(&[]) else {
            return;
        };
        let base = scenario.repo.head();
        scenario.races(&base, |work| edit(&scenario, work));
        let pass = scenario.pass();
        assert_eq!(
            scenario.changes().len(),
            commits,
            "case {number}: {:?}",
            pass.result
        );
        assert!(
            scenario.read("apps/shop.yaml").ends_with(end),
            "case {number}"
        );
        scenario.rests();
    }
}

#[test]
fn a_file_removed_meanwhile_stays_removed() {
    let Some(mut scenario) = scenario(&[]) else {
        return;
    };
    let base = scenario.repo.head();
    scenario.races(&base, |work| {
        std::fs::remove_file(work.path().join("apps/shop.yaml")).expect("it is there");
    });
    let pass = scenario.pass();
    assert_eq!(pass.result, PassResult::Nothing);
    assert_stage(&pass.observation, "shop/staging", "failed", &["no site"]);
    assert_eq!(scenario.repo.log("%s"), "A person's change\nStart");
}

#[test]
fn a_branch_forced_back_during_the_push_is_planned_on_anew() {
    let Some(mut scenario) = scenario(&[]) else {
        return;
    };
    let start = scenario.repo.head();
    scenario.writes("apps/extra.yaml", "image: HOST/acme/shop:1.0.0\n");
    scenario.races(&start, |work| work.write("README.md", "Rewritten.\n"));
    scenario.lands(1);
    assert_eq!(
        scenario.repo.log("%s"),
        "shop: staging 1.0.0 -> 1.1.0\nA person's change\nStart",
        "what was forced away does not come back"
    );
    assert!(!scenario.tree().contains_key("apps/extra.yaml"));
    scenario.assert_sound();
}

#[test]
fn a_branch_forced_back_between_passes_is_followed() {
    let Some(mut scenario) = scenario(&[]) else {
        return;
    };
    let start = scenario.repo.head();
    scenario.lands(1);
    scenario.push("acme/shop", &["1.2.0"]);
    let reset = ["update-ref", "refs/heads/main", &start];
    scenario.repo.git().ok(scenario.repo.path(), &reset);
    scenario.lands(1);
    assert_eq!(
        scenario.repo.log("%s"),
        "shop: staging 1.0.0 -> 1.2.0\nStart"
    );
}

#[test]
fn a_refusal_is_told_in_the_servers_words_and_tried_again() {
    let Some(mut scenario) = scenario(&[]) else {
        return;
    };
    let start = scenario.repo.head();
    scenario
        .repo
        .hook("pre-receive", "echo 'not on Fridays' >&2; exit 1");
    match scenario.pass().result {
        PassResult::Refused(words) => assert!(words.contains("not on Fridays"), "{words}"),
        other => panic!("{other:?}"),
    }
    assert_eq!(scenario.repo.head(), start);
    scenario.repo.hook("pre-receive", "exit 0");
    scenario.lands(1);
}

#[test]
fn a_lost_answer_is_settled_by_looking() {
    let Some(mut scenario) = scenario(&[]) else {
        return;
    };
    // The branch has moved, and the server dies before it says so.
    scenario
        .repo
        .hook("post-receive", "rm hooks/post-receive; kill -9 $PPID");
    scenario.lands(1);
    scenario.rests();
    assert_eq!(
        scenario.repo.log("%s"),
        "shop: staging 1.0.0 -> 1.1.0\nStart"
    );
    scenario.push("acme/shop", &["1.2.0"]);
    // It dies before the branch has moved.
    scenario
        .repo
        .hook("pre-receive", "rm hooks/pre-receive; kill -9 $PPID");
    let pass = scenario.try_pass();
    assert!(!matches!(&pass, Ok(pass) if matches!(pass.result, PassResult::Landed(_))));
    assert_eq!(scenario.commits(), 2);
    scenario.lands(1);
    scenario.assert_sound();
}

#[test]
fn a_branch_that_never_stands_still_is_left_to_the_next_pass() {
    let Some(mut scenario) = scenario(&[]) else {
        return;
    };
    let moves = "id=$(git -c user.name=x -c user.email=x@y commit-tree -p main -m Moved 'main^{tree}') && git update-ref refs/heads/main $id";
    scenario.repo.hook("update", moves);
    match scenario.try_pass() {
        Err(Error::Busy { repository, branch }) => {
            assert_eq!((repository.as_str(), branch.as_str()), ("fleet", "main"));
        }
        other => panic!("{other:?}"),
    }
    assert_eq!(scenario.changes(), [""; 0]);
    scenario.repo.hook("update", "exit 0");
    scenario.lands(1);
    scenario.assert_sound();
}

#[test]
fn two_services_with_one_plan_make_one_commit() {
    let Some(mut scenario) = scenario(&[CART, CART_POD]) else {
        return;
    };
    scenario.push("acme/cart", &["1.1.0"]);
    let first = scenario.observe();
    assert_eq!(view(&first).changes.len(), 2);
    scenario.pass_of_another();
    let landed = scenario.repo.head();
    scenario.rests();
    assert_eq!(scenario.repo.head(), landed);
    assert_eq!(scenario.changes().len(), 2);
}

/// Commits that a person makes in the long race.
const PERSONS_COMMITS: usize = 30;

/// Releases during the long race.
const RELEASES: usize = 12;

#[test]
fn people_and_two_services_race_without_loss_or_double() {
    let Some(mut scenario) = scenario(&[CART, CART_POD, ("notes.txt", "")]) else {
        return;
    };
    scenario.push("acme/cart", &["1.0.0"]);
    let mut other = scenario.another_service();
    let done = AtomicBool::new(false);
    std::thread::scope(|scope| {
        let (repo, registry) = (&scenario.repo, &scenario.registry);
        let (done, ours) = (&done, &mut scenario.service);
        let person = scope.spawn(move || race_as_a_person(repo));
        let releases = scope.spawn(move || {
            for number in 2..2 + RELEASES {
                crate::scenario::push(registry, "acme/shop", &format!("1.{number}.0"));
                crate::scenario::push(registry, "acme/cart", &format!("1.0.{number}"));
            }
        });
        let services = [ours, &mut other].map(|service| {
            scope.spawn(move || {
                // On a busy machine the person may be done before one of them has begun.
                service.pass_or_busy();
                while !done.load(Ordering::SeqCst) {
                    service.pass_or_busy();
                }
            })
        });
        person.join().expect("the person pushed everything");
        releases.join().expect("everything was released");
        done.store(true, Ordering::SeqCst);
        for service in services {
            service.join().expect("the service ran");
        }
    });
    scenario.pass();
    scenario.rests();
    assert_raced(&scenario);
}

fn race_as_a_person(repo: &crate::repo::Repo) {
    let work = repo.clone_to();
    for number in 0..PERSONS_COMMITS {
        let notes = work.read("notes.txt") + &format!("{number}\n");
        work.write("notes.txt", notes);
        work.commit(&format!("Note {number}"));
        while !work.try_push().status.success() {
            work.pull();
        }
    }
}

fn assert_raced(scenario: &Scenario) {
    scenario.assert_sound();
    let notes: String = (0..PERSONS_COMMITS)
        .map(|number| format!("{number}\n"))
        .collect();
    assert_eq!(
        scenario.read("notes.txt"),
        notes,
        "every edit of the person is there"
    );
    assert!(
        scenario
            .read("apps/shop.yaml")
            .ends_with(&format!(":1.{}.0\n", RELEASES + 1))
    );
    assert!(
        scenario
            .read("apps/cart.yaml")
            .ends_with(&format!(":1.0.{}\n", RELEASES + 1))
    );
    let mut changes = scenario.changes();
    let (all, persons) = (changes.len(), PERSONS_COMMITS + 1);
    assert_eq!(
        scenario.commits(),
        persons + all,
        "every commit is somebody's"
    );
    assert!(all >= 2);
    changes.sort();
    changes.dedup();
    assert_eq!(changes.len(), all, "no change was made twice");
    let subjects = scenario.repo.log("%s");
    let notes = subjects.lines().filter(|line| line.starts_with("Note "));
    assert_eq!(notes.count(), PERSONS_COMMITS);
    assert_only_image_lines(scenario);
}

/// Every commit of the service changes lines that name an image, one for one.
fn assert_only_image_lines(scenario: &Scenario) {
    let git = scenario.repo.git();
    let ours = [
        "log",
        "--author=Tagwright",
        "-p",
        "-U0",
        "--format=",
        "main",
    ];
    let patch = git.text(scenario.repo.path(), &ours);
    let (mut added, mut removed) = (0, 0);
    for line in patch.lines() {
        match line.as_bytes() {
            [b'+', b'+', ..] | [b'-', b'-', ..] => {}
            [b'+', ..] => added += usize::from(line.starts_with("+image: ")),
            [b'-', ..] => removed += usize::from(line.starts_with("-image: ")),
            _ => {}
        }
    }
    assert_eq!(
        (added, removed),
        (scenario.changes().len(), scenario.changes().len()),
        "{patch}"
    );
}
