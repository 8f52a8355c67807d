//! A person and two services push to one remote at the same time: nothing is lost, nothing is doubled, and
//! every commit builds on the one before.

use std::collections::{BTreeMap, BTreeSet};

use crate::git_world::{Person, World, pass};

/// Pushes by a person with plain Git, and by each service: a thousand together.
const THEIRS: usize = 60;
const OURS: usize = 470;

#[test]
fn a_thousand_pushes_by_a_person_and_two_services_lose_nothing() {
    let Some((world, person)) = World::seeded(&[("seed", "s\n")]) else {
        return;
    };
    world.in_remote(&["config", "core.logAllRefUpdates", "true"]);
    // What a server does now and then, and what it does for power failures, is not what this is about.
    world.in_remote(&["config", "receive.autogc", "false"]);
    world.in_remote(&["config", "core.fsync", "none"]);
    let seed = world.tip("main").to_string();
    std::thread::scope(|scope| {
        for name in ["one", "two"] {
            let mut mirror = world.mirror(name);
            scope.spawn(move || {
                for n in 0..OURS {
                    let (path, message) = (format!("{name}/{n}"), format!("{name} {n}"));
                    pass(&mut mirror, &path, "ours\n", &message).unwrap();
                }
            });
        }
        scope.spawn(move || {
            for n in 0..THEIRS {
                push_as_a_person_does(&person, n);
            }
        });
    });

    let all = THEIRS + 2 * OURS;
    assert_eq!(all, 1000);
    let subjects = world.subjects();
    assert_eq!(subjects.len(), 1 + all, "nothing lost, nothing doubled");
    let unlike: BTreeSet<_> = subjects.iter().collect();
    assert_eq!(unlike.len(), subjects.len());
    let files = world.in_remote(&["ls-tree", "-r", "--name-only", "main"]);
    assert_eq!(files.lines().count(), 1 + all);
    assert_steps_of_one(&world, &seed, all);
    world.assert_sound();
}

/// Fails unless each of so many pushes moved the branch from where the one before left it to a commit whose
/// one parent that is.
fn assert_steps_of_one(world: &World, seed: &str, pushes: usize) {
    let parents = world.in_remote(&["rev-list", "--parents", "main"]);
    let parents: BTreeMap<&str, &str> = parents
        .lines()
        .filter_map(|line| line.split_once(' '))
        .collect();
    let log = std::fs::read_to_string(world.remote().join("logs/refs/heads/main"))
        .expect("the remote keeps a log");
    let mut at = seed;
    for line in log.lines() {
        let mut words = line.split(' ');
        let (old, new) = words
            .next()
            .zip(words.next())
            .expect("a line names two commits");
        assert_eq!(old, at, "{line}");
        assert_eq!(parents.get(new), Some(&old), "{line}");
        at = new;
    }
    assert_eq!(log.lines().count(), pushes);
}

/// Commits once, and rebases and pushes until it is in.
fn push_as_a_person_does(person: &Person, n: usize) {
    person.write(&format!("theirs/{n}"), b"theirs\n");
    person.commit(&format!("theirs {n}"));
    for _ in 0..1000 {
        if person.try_git(&["push", "-q", "origin", "HEAD:main"]) {
            return;
        }
        person.git(&["pull", "-q", "--rebase", "origin", "main"]);
    }
    panic!("a thousand times moved");
}
