//! Mirrors of a folder, with real Git on the other side: fetch, commit, push.

use jiff::Timestamp;
use tagwright::git::{Committed, Error, Mirror, NewCommit, PushOutcome, Remote, Signature};

use crate::git_world::{World, commit, files, made};

#[test]
fn fetches_bring_what_is_new() {
    let Some((world, person)) = World::seeded(&[("a.yaml", "a: 1\n"), ("b/c.yaml", "c: 1\n")])
    else {
        return;
    };
    let mut mirror = world.mirror("m");
    assert_eq!(mirror.head("main"), None);
    let first = mirror.fetch("main").unwrap();
    assert_eq!(first, world.tip("main"));
    let second = person.push("b/c.yaml", "c: 2\n");
    assert_eq!(mirror.head("main"), Some(first));
    assert_eq!(mirror.fetch("main").unwrap(), second);
    assert_eq!(mirror.fetch("main").unwrap(), second);
    assert_eq!(mirror.head("main"), Some(second));
    let packs = std::fs::read_dir(world.path("m/objects/pack"))
        .unwrap()
        .count();
    assert_eq!(
        packs, 4,
        "one pack and its index for each fetch that brought something"
    );

    let changes = mirror.changes(first, second).unwrap();
    assert_eq!(changes.changed.len(), 1);
    assert_eq!(changes.changed[0].path, "b/c.yaml");
    assert!(changes.removed.is_empty());
    assert!(mirror.is_ancestor(first, second).unwrap());
    assert!(mirror.is_ancestor(second, second).unwrap());
    assert!(!mirror.is_ancestor(second, first).unwrap());
    let info = mirror.commit_info(second).unwrap();
    assert_eq!(info.parents, [first]);
    assert_eq!(info.author.name, "Ann");
    assert_eq!(info.committed, "2026-01-01T00:00:00Z".parse().unwrap());
    assert_eq!(info.message, "Person: c: 2\n");
}

#[test]
fn a_commit_changes_the_named_files_only_and_is_deterministic() {
    let Some((world, person)) =
        World::seeded(&[("run.sh", "1\n"), ("d/e/f.yaml", "f: 1\n"), ("x", "x\n")])
    else {
        return;
    };
    person.git(&["update-index", "--chmod=+x", "run.sh"]);
    person.git(&["commit", "-q", "-m", "Executable"]);
    person.git(&["push", "-q", "origin", "main"]);
    let mut mirror = world.mirror("m");
    let parent = mirror.fetch("main").unwrap();
    let changed = [
        ("run.sh", "2\n"),
        ("d/e/f.yaml", "f: 2\r\n"),
        ("new/file.yaml", "n\n"),
    ];
    let id = made(
        &mut mirror,
        parent,
        &changed,
        "shop: staging 1 -> 2\n\nWhy\n",
    );
    let mut other = world.mirror("other");
    other.fetch("main").unwrap();
    assert_eq!(
        made(
            &mut other,
            parent,
            &changed,
            "shop: staging 1 -> 2\n\nWhy\n"
        ),
        id
    );

    assert_eq!(
        mirror.push("main", parent, id).unwrap(),
        PushOutcome::Pushed
    );
    assert_eq!(mirror.head("main"), Some(id));
    assert_eq!(world.tip("main"), id);
    world.assert_sound();
    let log = world.in_remote(&[
        "log",
        "-1",
        "--raw",
        "--no-abbrev",
        "--format=%an|%ae|%cn|%at|%ct|%B",
        "main",
    ]);
    assert!(log.starts_with("Tagwright|tagwright@example.com|Tagwright|1800000000|1800000000|shop: staging 1 -> 2\n\nWhy\n"), "{log}");
    assert_eq!(log.lines().filter(|line| line.starts_with(':')).count(), 3);
    assert!(log.contains(":100755 100755"), "the mode stays: {log}");
    assert!(log.contains(":000000 100644"), "{log}");
    assert_eq!(world.in_remote(&["show", "main:x"]), "x");

    let same = commit(&mut mirror, id, &[("run.sh", "2\n")], "again").unwrap();
    assert_eq!(same, Committed::Unchanged);
    assert_eq!(
        mirror.push("main", parent, id).unwrap(),
        PushOutcome::UpToDate
    );
}

#[test]
fn many_commits_make_one_pack_and_one_push() {
    let Some((world, _)) = World::seeded(&[("apps/0.yaml", "0\n")]) else {
        return;
    };
    let mut mirror = world.mirror("m");
    let parent = mirror.fetch("main").unwrap();
    let author = Signature {
        name: "T".into(),
        email: "t@example.com".into(),
    };
    let contents: Vec<_> = (0..100)
        .map(|n| files(&[(&format!("apps/{n}.yaml"), "new\n")]))
        .collect();
    let new: Vec<_> = contents
        .iter()
        .map(|files| NewCommit {
            files,
            author: &author,
            time: Timestamp::UNIX_EPOCH,
            message: "m",
            signer: None,
        })
        .collect();
    let made = mirror.commit(parent, &new).unwrap();
    assert_eq!(made.len(), 100);
    let Some(Committed::Made(last)) = made.last() else {
        panic!("not made")
    };
    let entries = |folder: &str| std::fs::read_dir(world.path(folder)).unwrap().count();
    assert_eq!(
        entries("m/objects"),
        2,
        "no loose objects beside `pack` and `info`"
    );
    assert_eq!(entries("m/objects/pack"), 4);
    assert_eq!(
        mirror.push("main", parent, *last).unwrap(),
        PushOutcome::Pushed
    );
    assert_eq!(world.in_remote(&["rev-list", "--count", "main"]), "101");
    world.assert_sound();
}

#[test]
fn what_is_not_a_file_of_the_repository_is_not_written() {
    let Some((world, person)) = World::seeded(&[("f", "f\n"), ("d/g", "g\n")]) else {
        return;
    };
    std::os::unix::fs::symlink("f", person.path("link")).unwrap();
    person.commit("Link");
    person.git(&["push", "-q", "origin", "main"]);
    let mut mirror = world.mirror("m");
    let parent = mirror.fetch("main").unwrap();
    for path in ["link", "d", "f/below", "d/g/below/deeper", "link/below"] {
        let error = commit(&mut mirror, parent, &[("f", "2\n"), (path, "x")], "m").unwrap_err();
        assert!(matches!(error, Error::NotAFile { .. }), "{path}: {error}");
    }
    for path in [
        "",
        "/f",
        "../f",
        "d/../f",
        "d//g",
        ".",
        ".git/config",
        "d/.GIT/x",
        "a\0b",
        "d/",
    ] {
        let error = commit(&mut mirror, parent, &[(path, "x")], "m").unwrap_err();
        assert!(matches!(error, Error::Path { .. }), "{path}: {error}");
    }
    for (name, email) in [
        ("<", "a@b"),
        ("", "a@b"),
        ("a\nparent 0", "a@b"),
        ("a", "b\n"),
    ] {
        let nobody = Signature {
            name: name.into(),
            email: email.into(),
        };
        let new = NewCommit {
            files: &files(&[("f", "2\n")]),
            author: &nobody,
            time: Timestamp::UNIX_EPOCH,
            message: "m",
            signer: None,
        };
        let made = mirror.commit(parent, &[new]);
        assert!(matches!(made, Err(Error::Signature { .. })), "{nobody:?}");
    }
    let nowhere = "1".repeat(40).parse().unwrap();
    let error = commit(&mut mirror, nowhere, &[("f", "2\n")], "m").unwrap_err();
    assert!(matches!(error, Error::NoSuchCommit { .. }), "{error}");
}

#[test]
fn a_refusal_comes_with_the_words_of_the_hook() {
    let Some((world, _)) = World::seeded(&[("a", "1\n")]) else {
        return;
    };
    let mut mirror = world.mirror("m");
    let parent = mirror.fetch("main").unwrap();
    let id = made(&mut mirror, parent, &[("a", "2\n")], "m");
    let refused = |mirror: &mut Mirror| match mirror.push("main", parent, id).unwrap() {
        PushOutcome::Refused(words) => words,
        other => panic!("{other:?}"),
    };
    for (hook, name) in [
        ("pre-receive", "pre-receive hook declined"),
        ("update", "hook declined"),
    ] {
        world.hook(
            hook,
            "printf '\\033[31mpath a is locked\\033[0m\\nask @platform\\n' >&2; exit 1",
        );
        let words = refused(&mut mirror);
        let expected = format!("{name}: path a is locked; ask @platform");
        assert!(words.starts_with(&expected), "{words}");
        world.unhook();
    }
    world.in_remote(&["config", "receive.maxInputSize", "10"]);
    let words = refused(&mut mirror);
    assert!(
        words.contains("pack exceeds maximum allowed size"),
        "{words}"
    );
    world.in_remote(&["config", "--unset", "receive.maxInputSize"]);
    assert_eq!(world.tip("main"), parent);
    assert_eq!(
        mirror.push("main", parent, id).unwrap(),
        PushOutcome::Pushed
    );
}

#[test]
fn hooks_after_a_push_have_ended_when_it_returns() {
    let Some((world, _)) = World::seeded(&[("a", "1\n")]) else {
        return;
    };
    world.hook(
        "post-receive",
        "while read line; do echo \"$line\" >>heard; echo told; done",
    );
    let mut mirror = world.mirror("m");
    let parent = mirror.fetch("main").unwrap();
    let id = made(&mut mirror, parent, &[("a", "2\n")], "m");
    assert_eq!(
        mirror.push("main", parent, id).unwrap(),
        PushOutcome::Pushed
    );
    let heard = std::fs::read_to_string(world.remote().join("heard")).unwrap();
    assert_eq!(heard, format!("{parent} {id} refs/heads/main\n"));
}

#[test]
fn a_branch_that_moved_is_left_alone() {
    let Some((world, person)) = World::seeded(&[("a", "1\n")]) else {
        return;
    };
    let mut mirror = world.mirror("m");
    let parent = mirror.fetch("main").unwrap();
    let id = made(&mut mirror, parent, &[("a", "2\n")], "m");
    let theirs = person.push("b", "b\n");
    assert_eq!(mirror.push("main", parent, id).unwrap(), PushOutcome::Moved);
    assert_eq!(world.tip("main"), theirs);

    // Back at a commit that we know, but not the one we built on.
    mirror.fetch("main").unwrap();
    let ours = made(&mut mirror, theirs, &[("a", "3\n")], "m");
    world.in_remote(&["update-ref", "refs/heads/main", &parent.to_string()]);
    assert_eq!(
        mirror.push("main", theirs, ours).unwrap(),
        PushOutcome::Moved
    );
    world.in_remote(&["branch", "keep", &parent.to_string()]);
    world.in_remote(&["update-ref", "-d", "refs/heads/main"]);
    assert_eq!(
        mirror.push("main", theirs, ours).unwrap(),
        PushOutcome::Moved
    );
    assert_eq!(
        world.in_remote(&["branch", "--format=%(refname:short)"]),
        "keep"
    );
}

#[test]
fn a_branch_that_moves_while_the_push_is_under_way_is_left_alone() {
    let Some((world, person)) = World::seeded(&[("a", "1\n")]) else {
        return;
    };
    let mut mirror = world.mirror("m");
    let parent = mirror.fetch("main").unwrap();
    let id = made(&mut mirror, parent, &[("a", "2\n")], "m");
    person.write("b", b"b\n");
    let theirs = person.commit("Between");
    person.git(&["push", "-q", "origin", "HEAD:side"]);
    // The server has told where the branch is and has our objects; now somebody else is faster.
    world.hook(
        "pre-receive",
        &format!("unset GIT_QUARANTINE_PATH; git update-ref refs/heads/main {theirs}"),
    );
    assert_eq!(mirror.push("main", parent, id).unwrap(), PushOutcome::Moved);
    assert_eq!(world.tip("main"), theirs);
}

#[test]
fn a_forced_branch_is_followed() {
    let Some((world, person)) = World::seeded(&[("a", "1\n")]) else {
        return;
    };
    let mut mirror = world.mirror("m");
    let seed = mirror.fetch("main").unwrap();
    let second = person.push("a", "2\n");
    assert_eq!(mirror.fetch("main").unwrap(), second);
    person.git(&["reset", "-q", "--hard", &seed.to_string()]);
    person.write("a", b"3\n");
    let forced = person.commit("Forced");
    person.git(&["push", "-q", "-f", "origin", "HEAD:main"]);
    assert_eq!(mirror.fetch("main").unwrap(), forced);
    assert_eq!(mirror.head("main"), Some(forced));
    assert!(!mirror.is_ancestor(second, forced).unwrap());
}

#[test]
fn what_is_missing_is_named() {
    let Some(world) = World::empty() else { return };
    let mut mirror = world.mirror("m");
    assert!(matches!(
        mirror.fetch("main"),
        Err(Error::EmptyRepository { .. })
    ));
    let person = world.person("ann");
    let seed = person.push("a", "1\n");
    let error = mirror.fetch("other").unwrap_err();
    assert!(matches!(error, Error::NoSuchBranch { .. }), "{error}");
    assert!(error.to_string().ends_with("has no branch `other`"));
    for branch in [
        "", "-x", "a..b", "a b", "a:b", "a*", "/a", "a.lock", "a\nb", "+a", "^a",
    ] {
        match mirror.fetch(branch) {
            Err(Error::BranchName { .. } | Error::NoSuchBranch { .. }) => {}
            other => panic!("{branch}: {other:?}"),
        }
    }
    assert_eq!(mirror.fetch("main").unwrap(), seed);

    // A branch replaced by one below it, and a name that is not UTF-8 beside it.
    person.git(&["push", "-q", "origin", "HEAD:team"]);
    mirror.fetch("team").unwrap();
    world.in_remote(&["update-ref", "-d", "refs/heads/team"]);
    assert!(matches!(
        mirror.fetch("team"),
        Err(Error::NoSuchBranch { .. })
    ));
    assert_eq!(mirror.head("team"), None);
    person.git(&["push", "-q", "origin", "HEAD:team/a"]);
    let odd = std::ffi::OsString::from(world.remote().join("refs/heads/"));
    let odd = [
        std::os::unix::ffi::OsStringExt::into_vec(odd),
        b"odd\xff".to_vec(),
    ]
    .concat();
    let odd = std::path::PathBuf::from(
        <std::ffi::OsString as std::os::unix::ffi::OsStringExt>::from_vec(odd),
    );
    std::fs::write(odd, format!("{seed}\n")).unwrap();
    assert_eq!(mirror.fetch("team/a").unwrap(), seed);
    let id = made(&mut mirror, seed, &[("a", "2\n")], "m");
    assert_eq!(
        mirror.push("team/a", seed, id).unwrap(),
        PushOutcome::Pushed
    );

    std::fs::rename(world.remote(), world.path("elsewhere")).unwrap();
    let error = mirror.fetch("main").unwrap_err();
    assert!(matches!(error, Error::NotFound { .. }), "{error}");
    assert_eq!(mirror.head("main"), Some(seed), "what was fetched stays");
}

#[test]
fn a_remote_of_another_user_is_named_as_such() {
    let Some((world, _)) = World::seeded(&[("a", "1\n")]) else {
        return;
    };
    if std::os::unix::fs::chown(world.remote(), Some(4711), Some(4711)).is_err() {
        eprintln!("skipped: only root may give files away");
        return;
    }
    let error = world.mirror("m").fetch("main").unwrap_err();
    assert!(matches!(error, Error::Ownership { .. }), "{error}");
    assert!(error.hint().unwrap().contains("safe.directory"));
}

#[test]
fn credentials_must_go_with_the_address() {
    let Some(world) = World::empty() else { return };
    let secret = tagwright::secret::Secret::Env("X".into());
    let mut remote = Remote::anonymous("https://example.com/x".parse().unwrap());
    remote.auth = tagwright::git::Auth::Ssh {
        identity: tagwright::git::Identity::Key {
            key: secret.clone(),
            passphrase: None,
        },
        known_hosts: "/k".into(),
    };
    let refused = |remote: &Remote| {
        Mirror::open(&world.path("m"), remote.clone())
            .err()
            .unwrap()
    };
    assert!(matches!(refused(&remote), Error::Credentials { .. }));
    remote.url = world.remote().as_path().into();
    remote.auth = tagwright::git::Auth::Token(secret);
    assert!(matches!(refused(&remote), Error::Credentials { .. }));
    let plain = Remote::anonymous("http://example.com/x".parse().unwrap());
    assert!(matches!(refused(&plain), Error::Plain { .. }));
    assert!(!world.path("m").exists());
}
