//! A snapshot with the memory of others is the one that is taken without any.

#![expect(
    clippy::unwrap_used,
    reason = "helpers of tests fail by panicking, as tests do"
)]

use std::path::Path;

use tagwright::config::{self, PoliciesEntry};
use tagwright::git::{CommitId, Mirror};
use tagwright::reconcile::snapshot::{Memory, Snapshot};
use tagwright::reconcile::source::Source;

use crate::git_world::{Person, World};

const APP: &str = "version: 1\napp: NAME\nimage: registry.example.com/NAME\nstages:\n  - {name: all, paths: [apps/**]}\n";

fn app(name: &str) -> String {
    APP.replace("NAME", name)
}

fn pod(name: &str, tag: &str) -> String {
    format!("kind: Pod\nspec:\n  containers:\n    - image: registry.example.com/{name}:{tag}\n")
}

fn entries() -> Vec<PoliciesEntry> {
    let text = "version: 1\nrepositories:\n  - {name: fleet, url: /r, policies: [policies/]}\n";
    let service = config::service("tagwright.yaml", text).value.unwrap();
    service.repositories.into_iter().next().unwrap().policies
}

/// All that a snapshot holds. Its globs are compiled, so apps are told apart by what they were read
/// from, and by the one thing that the defaults below change.
fn shown(source: Source<'_>, memory: &mut Memory) -> String {
    let snapshot = Snapshot::take(source, &entries(), memory).unwrap();
    let apps: Vec<_> = snapshot
        .apps
        .iter()
        .map(|app| {
            let variants: Vec<_> = app.stages.iter().map(|s| &s.policy.variant).collect();
            (&app.name, &app.image, &app.file, &app.blob, variants)
        })
        .collect();
    let (files, claims) = (&snapshot.files, &snapshot.claims);
    format!(
        "{apps:?}\n{files:?}\n{claims:?}\n{:?}",
        snapshot.diagnostics
    )
}

/// What a person does, one after the other.
const STEPS: [fn(&Person); 9] = [
    |person| person.write("apps/a/pod.yaml", pod("shop", "1.1.0").as_bytes()),
    |person| person.write("policies/cart.yaml", app("cart").as_bytes()),
    |person| person.write("policies/cart.yaml", b"version: 1\napp: [\n"),
    |person| remove(&person.path("apps/b")),
    |person| {
        person.write(
            "policies/defaults.yaml",
            b"version: 1\ntags: {variant: any}\n",
        )
    },
    |person| person.write("apps/a/pod.yaml", b"image: registry.example.com/shop:{\n"),
    |person| std::os::unix::fs::symlink("a/pod.yaml", person.path("apps/link.yaml")).unwrap(),
    |person| remove(&person.path("policies/cart.yaml")),
    |person| {
        remove(&person.path("apps/link.yaml"));
        person.write("apps/link.yaml/pod.yaml", pod("cart", "2.0.0").as_bytes());
    },
];

fn remove(path: &Path) {
    if path.is_dir() {
        std::fs::remove_dir_all(path).unwrap();
    } else {
        std::fs::remove_file(path).unwrap();
    }
}

fn commits(mirror: &mut Mirror, person: &Person) -> Vec<CommitId> {
    let mut commits = vec![mirror.fetch("main").unwrap()];
    for (number, step) in STEPS.iter().enumerate() {
        step(person);
        person.commit(&format!("Step {number}"));
        person.git(&["push", "-q", "origin", "main"]);
        commits.push(mirror.fetch("main").unwrap());
    }
    commits
}

#[test]
fn memory_changes_nothing() {
    let Some((world, person)) = World::seeded(&[
        ("policies/shop.yaml", &app("shop")),
        ("apps/a/pod.yaml", &pod("shop", "1.0.0")),
        ("apps/b/pod.yaml", &pod("shop", "1.0.0")),
        ("apps/b/other.yaml", &pod("cart", "1.0.0")),
    ]) else {
        return;
    };
    let mut mirror = world.mirror("m");
    let commits = commits(&mut mirror, &person);
    let alone: Vec<String> = commits
        .iter()
        .map(|commit| shown(Source::Commit(&mirror, *commit), &mut Memory::default()))
        .collect();
    let distinct: std::collections::HashSet<_> = alone.iter().collect();
    assert_eq!(distinct.len(), commits.len(), "every step shows");

    // Forwards, then back, as when a branch is forced; with a working tree in between.
    let mut memory = Memory::default();
    let places = (0..commits.len()).chain((0..commits.len()).rev());
    for (round, place) in places.enumerate() {
        let source = Source::Commit(&mirror, commits[place]);
        assert_eq!(shown(source, &mut memory), alone[place], "step {place}");
        if round % 4 == 3 {
            let folder = person.path("");
            let tree = shown(Source::Folder(&folder), &mut memory);
            let fresh = shown(Source::Folder(&folder), &mut Memory::default());
            assert_eq!(tree, fresh);
        }
    }
}
