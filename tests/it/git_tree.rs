//! Reading all that a tree can hold, made with real Git.

use std::os::unix::ffi::OsStrExt as _;

use tagwright::git::{Blob, CommitId, Error, FileKind, Files, PushOutcome};

use crate::git_world::{World, made};

#[test]
fn every_kind_of_entry_is_listed() {
    let Some((world, person)) =
        World::seeded(&[("z.yaml", "z\n"), ("a/b.yaml", "b\n"), ("a.yaml", "a\n")])
    else {
        return;
    };
    std::os::unix::fs::symlink("z.yaml", person.path("link")).unwrap();
    person.write("bin", b"\0\xff\x80");
    person.write("huge", &vec![b'x'; 3_000_000]);
    person.write("run", b"#!/bin/sh\n");
    std::fs::write(
        person
            .path("")
            .join(std::ffi::OsStr::from_bytes(b"caf\xe9")),
        "x",
    )
    .unwrap();
    person.git(&["add", "-A"]);
    person.git(&["update-index", "--chmod=+x", "run"]);
    let module = "1".repeat(40);
    person.git(&[
        "update-index",
        "--add",
        "--cacheinfo",
        &format!("160000,{module},module"),
    ]);
    person.git(&["commit", "-q", "-m", "Kinds"]);
    person.git(&["push", "-q", "origin", "main"]);

    let mut mirror = world.mirror("m");
    let tip = mirror.fetch("main").unwrap();
    let files = mirror.files(tip).unwrap();
    let listed: Vec<_> = files
        .files
        .iter()
        .map(|file| (file.path.as_str(), file.kind))
        .collect();
    use FileKind::{Executable, Regular, Submodule, Symlink};
    let expected = [
        ("a.yaml", Regular),
        ("a/b.yaml", Regular),
        ("bin", Regular),
        ("huge", Regular),
        ("link", Symlink),
        ("module", Submodule),
        ("run", Executable),
        ("z.yaml", Regular),
    ];
    assert_eq!(listed, expected);
    assert_eq!(files.unnameable, ["caf\\xe9"]);

    let blob = |path: &str| {
        files
            .files
            .iter()
            .find(|file| file.path == path)
            .unwrap()
            .blob
    };
    let read = |path: &str, max| mirror.blob(blob(path), max).unwrap();
    assert_eq!(read("bin", 3), Blob::Bytes(b"\0\xff\x80".to_vec()));
    assert_eq!(read("bin", 2), Blob::TooLarge(3));
    assert_eq!(read("huge", 1_000_000), Blob::TooLarge(3_000_000));
    assert_eq!(read("link", 100), Blob::Bytes(b"z.yaml".to_vec()));
    assert_eq!(blob("module").to_string(), module);

    // A commit of ours leaves all of them where they are.
    let id = made(&mut mirror, tip, &[("z.yaml", "2\n")], "m");
    assert_eq!(mirror.push("main", tip, id).unwrap(), PushOutcome::Pushed);
    assert_eq!(mirror.changes(tip, id).unwrap().changed.len(), 1);
    assert_eq!(mirror.files(id).unwrap().unnameable, files.unnameable);

    // Nor are they lost from a listing that is brought up to date.
    person.git(&["pull", "-q"]);
    person.git(&["rm", "-q", "--", "caf*"]);
    person.commit("Without");
    person.git(&["push", "-q", "origin", "main"]);
    let without = mirror.fetch("main").unwrap();
    for (from, to) in [(tip, id), (id, without), (without, tip)] {
        let listed = mirror.files(from).unwrap();
        let since = mirror.files_since(from, listed, to).unwrap();
        assert_eq!(since, mirror.files(to).unwrap(), "{from} {to}");
    }
}

#[test]
fn changes_are_those_of_git() {
    let Some((world, person)) = World::seeded(&[
        ("same", "s\n"),
        ("d/changed", "1\n"),
        ("d/gone", "g\n"),
        ("file-to-folder", "f\n"),
        ("folder-to-file/x", "x\n"),
        ("gone/deep/er", "e\n"),
        ("mode", "m\n"),
    ]) else {
        return;
    };
    let mut mirror = world.mirror("m");
    let from = mirror.fetch("main").unwrap();
    person.git(&[
        "rm",
        "-q",
        "-r",
        "d/gone",
        "file-to-folder",
        "folder-to-file",
        "gone",
    ]);
    person.write("d/changed", b"2\n");
    person.write("file-to-folder/y", b"y\n");
    person.write("folder-to-file", b"z\n");
    person.write("new/deep/er", b"n\n");
    person.git(&["add", "-A"]);
    person.git(&["update-index", "--chmod=+x", "mode"]);
    person.git(&["commit", "-q", "-m", "Changes"]);
    person.git(&["push", "-q", "origin", "main"]);
    let to = mirror.fetch("main").unwrap();

    let changes = mirror.changes(from, to).unwrap();
    let diff = world.in_remote(&[
        "diff",
        "--no-renames",
        "--name-status",
        &from.to_string(),
        "main",
    ]);
    let mut changed: Vec<_> = changes
        .changed
        .iter()
        .map(|file| file.path.clone())
        .collect();
    let mut removed = changes.removed.clone();
    let mut theirs = (Vec::new(), Vec::new());
    for line in diff.lines() {
        let (status, path) = line.split_once('\t').unwrap();
        let list = if status == "D" {
            &mut theirs.1
        } else {
            &mut theirs.0
        };
        list.push(path.to_owned());
    }
    changed.sort();
    removed.sort();
    theirs.0.sort();
    theirs.1.sort();
    assert_eq!((changed, removed), theirs);
    assert_eq!(
        mirror.changes(to, to).unwrap(),
        tagwright::git::Changes::default()
    );
    for (a, b) in [(from, to), (to, from), (to, to)] {
        let since = mirror.files_since(a, mirror.files(a).unwrap(), b);
        assert_eq!(since.unwrap(), mirror.files(b).unwrap());
    }
    let unknown = "1".repeat(40).parse().unwrap();
    let since = mirror.files_since(unknown, Files::default(), to).unwrap();
    assert_eq!(since, mirror.files(to).unwrap());
    assert!(matches!(
        mirror.changes(unknown, to),
        Err(Error::NoSuchCommit { .. })
    ));
    assert!(!mirror.is_ancestor(unknown, to).unwrap());
}

#[test]
fn a_tree_that_expands_without_end_is_refused() {
    let Some((world, person)) = World::seeded(&[("a", "1\n")]) else {
        return;
    };
    let mut tree = person.git(&["rev-parse", "HEAD^{tree}"]);
    for _ in 0..12 {
        let list: String = (0..10)
            .map(|n| format!("040000 tree {tree}\t{n}\n"))
            .collect();
        tree = person.git_with(&["mktree"], list.as_bytes());
    }
    let bomb = person.git(&["commit-tree", "-m", "Bomb", &tree]);
    person.git(&["push", "-q", "-f", "origin", &format!("{bomb}:main")]);
    let mut mirror = world.mirror("m");
    let tip = mirror.fetch("main").unwrap();
    assert!(matches!(mirror.files(tip), Err(Error::TooManyFiles { .. })));
}

#[test]
fn names_that_lead_astray_are_told_and_not_followed() {
    let Some((world, person)) = World::seeded(&[("a/b", "1\n"), ("z", "1\n")]) else {
        return;
    };
    let id = |name: &str| -> CommitId { person.git(&["rev-parse", name]).parse().unwrap() };
    let (folder, file) = (id("HEAD:a"), id("HEAD:z"));
    let mut tree = Vec::new();
    for (mode, name, id) in [
        ("40000", ".", folder),
        ("40000", "..", folder),
        ("40000", ".GIT", folder),
        ("40000", "a", folder),
        ("100644", "b/c", file),
        ("100644", "c\u{1b}[31m", file),
        ("100644", "z", file),
    ] {
        tree.extend_from_slice(format!("{mode} {name}\0").as_bytes());
        tree.extend_from_slice(id.bytes());
    }
    let arguments = ["hash-object", "-t", "tree", "--literally", "-w", "--stdin"];
    let tree = person.git_with(&arguments, &tree);
    let odd = person.git(&["commit-tree", "-m", "Odd", &tree]);
    person.git(&["push", "-q", "-f", "origin", &format!("{odd}:main")]);
    let mut mirror = world.mirror("m");
    let tip = mirror.fetch("main").unwrap();
    let files = mirror.files(tip).unwrap();
    let paths: Vec<_> = files.files.iter().map(|file| file.path.as_str()).collect();
    assert_eq!(paths, ["a/b", "z"]);
    assert_eq!(files.unnameable, [".", "..", ".GIT", "b/c", "c\\x1b[31m"]);
    let new = made(&mut mirror, tip, &[("z", "2\n")], "m");
    assert_eq!(mirror.push("main", tip, new).unwrap(), PushOutcome::Pushed);
    assert_eq!(mirror.files(new).unwrap().unnameable, files.unnameable);
}

#[test]
fn threads_read_side_by_side() {
    let Some((world, _)) = World::seeded(&[("a", "1\n"), ("b", "2\n")]) else {
        return;
    };
    let mut mirror = world.mirror("m");
    let tip = mirror.fetch("main").unwrap();
    let id = made(&mut mirror, tip, &[("a", "3\n")], "m");
    let readers = [mirror.reader().unwrap(), mirror.reader().unwrap()];
    let read: Vec<_> = readers
        .into_iter()
        .map(|reader| {
            std::thread::spawn(move || {
                let files = reader.files(id).unwrap().files;
                let blobs = files.iter().map(|file| reader.blob(file.blob, 10).unwrap());
                blobs.collect::<Vec<_>>()
            })
        })
        .map(|thread| thread.join().unwrap())
        .collect();
    let expected = vec![Blob::Bytes(b"3\n".to_vec()), Blob::Bytes(b"2\n".to_vec())];
    assert_eq!(read, [expected.clone(), expected]);
}
