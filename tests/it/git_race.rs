//! People and a service push to one remote at the same time: nothing is lost, nothing is doubled.

use std::collections::BTreeSet;

use crate::git_world::{Person, World, pass};

/// Pushes by a person with plain Git, and by us.
const THEIRS: usize = 50;
const OURS: usize = 50;

#[test]
fn a_person_and_a_service_lose_nothing_of_each_other() {
    let Some((world, person)) = World::seeded(&[("seed", "s\n")]) else {
        return;
    };
    let mut mirror = world.mirror("m");
    let person = std::thread::spawn(move || {
        for n in 0..THEIRS {
            push_as_a_person_does(&person, n);
        }
    });
    for n in 0..OURS {
        pass(
            &mut mirror,
            &format!("ours/{n}"),
            "ours\n",
            &format!("ours {n}"),
        )
        .unwrap();
    }
    person.join().unwrap();

    let subjects = world.subjects();
    assert_eq!(
        subjects.len(),
        1 + THEIRS + OURS,
        "nothing lost, nothing doubled"
    );
    let unlike: BTreeSet<_> = subjects.iter().collect();
    assert_eq!(unlike.len(), subjects.len());
    assert_eq!(
        world.in_remote(&["rev-list", "--count", "--merges", "main"]),
        "0"
    );
    let files = world.in_remote(&["ls-tree", "-r", "--name-only", "main"]);
    assert_eq!(files.lines().count(), 1 + THEIRS + OURS);
    world.assert_sound();
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

#[test]
fn two_services_lose_nothing_of_each_other() {
    let Some((world, _)) = World::seeded(&[("seed", "s\n")]) else {
        return;
    };
    let services: Vec<_> = ["one", "two"]
        .into_iter()
        .map(|name| {
            let mut mirror = world.mirror(name);
            std::thread::spawn(move || {
                for n in 0..20 {
                    let message = format!("{name} {n}");
                    pass(&mut mirror, &format!("{name}/{n}"), "x\n", &message).unwrap();
                }
            })
        })
        .collect();
    for service in services {
        service.join().unwrap();
    }
    let unlike: BTreeSet<_> = world.subjects().into_iter().collect();
    assert_eq!(unlike.len(), 41);
    assert_eq!(world.in_remote(&["rev-list", "--count", "main"]), "41");
    world.assert_sound();
}
