//! The mirror's folder after a death at the wrong moment, a full disk, or a wrong path.

#![expect(
    clippy::unwrap_used,
    reason = "helpers of tests fail by panicking, as tests do"
)]

use std::fs;
use std::io::{BufRead as _, BufReader};
use std::os::unix::fs::{FileExt, PermissionsExt};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use tagwright::git::{Blob, Error, Mirror, PushOutcome, Remote, RemoteUrl};

use crate::git_world::{World, made, pass};

/// Names the remote and the mirror to the process that is killed.
const WORKER: &str = "TAGWRIGHT_TEST_GIT_WORKER";

/// Names the remote and the mirror to the process whose files can't grow.
const CRAMPED: &str = "TAGWRIGHT_TEST_GIT_CRAMPED";

/// The files of `folder` with this ending, at any depth.
fn with_ending(folder: &Path, ending: &str) -> Vec<PathBuf> {
    let mut found = Vec::new();
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            found.extend(with_ending(&path, ending));
        } else if path.to_str().unwrap().ends_with(ending) {
            found.push(path);
        }
    }
    found
}

fn truncate(path: &Path, keep: u64) {
    writable(path).set_len(keep).unwrap();
}

fn writable(path: &Path) -> fs::File {
    fs::set_permissions(path, fs::Permissions::from_mode(0o600)).unwrap();
    fs::OpenOptions::new().write(true).open(path).unwrap()
}

/// Overwrites the end of a pack's last object; the pack's own checksum is the 20 bytes after it.
fn garble(pack: &Path) {
    let end = fs::metadata(pack).unwrap().len() - 20;
    writable(pack).write_all_at(&[0; 8], end - 8).unwrap();
}

#[test]
fn whatever_is_broken_is_put_right_by_opening_and_fetching() {
    let Some((world, person)) = World::seeded(&[("a/b", "1\n"), ("c", "2\n")]) else {
        return;
    };
    let folder = world.path("m");
    let the = |ending: &str| with_ending(&folder, ending).pop().unwrap();
    type Break<'a> = Box<dyn Fn() + 'a>;
    let breaks: Vec<(&str, Break<'_>)> = vec![
        (
            "an empty branch",
            Box::new(|| fs::write(the("/6d61696e"), "").unwrap()),
        ),
        (
            "a branch at nothing",
            Box::new(|| fs::write(the("/6d61696e"), "1".repeat(40)).unwrap()),
        ),
        (
            "a branch that is no id",
            Box::new(|| fs::write(the("/6d61696e"), "ref: x\n").unwrap()),
        ),
        ("a short pack", Box::new(|| truncate(&the(".pack"), 40))),
        ("an empty pack", Box::new(|| truncate(&the(".pack"), 0))),
        (
            "no pack",
            Box::new(|| fs::remove_file(the(".pack")).unwrap()),
        ),
        ("a short index", Box::new(|| truncate(&the(".idx"), 1000))),
        (
            "no index",
            Box::new(|| fs::remove_file(the(".idx")).unwrap()),
        ),
        (
            "an empty HEAD",
            Box::new(|| fs::write(folder.join("HEAD"), "").unwrap()),
        ),
        (
            "no HEAD",
            Box::new(|| fs::remove_file(folder.join("HEAD")).unwrap()),
        ),
        (
            "bad settings",
            Box::new(|| fs::write(folder.join("config"), "[core\n").unwrap()),
        ),
        (
            "no objects",
            Box::new(|| fs::remove_dir_all(folder.join("objects")).unwrap()),
        ),
        (
            "a short stamp",
            Box::new(|| fs::write(folder.join("tagwright-mirror"), "").unwrap()),
        ),
        (
            "another's stamp",
            Box::new(|| fs::write(folder.join("tagwright-mirror"), "1 /x\n").unwrap()),
        ),
        (
            "locks",
            Box::new(|| {
                for lock in ["HEAD.lock", "config.lock", "refs/mirror/6d61696e.lock"] {
                    fs::write(folder.join(lock), "").unwrap();
                }
            }),
        ),
        (
            "half a pack",
            Box::new(|| fs::write(folder.join("objects/pack/pack_abc"), "PACK").unwrap()),
        ),
    ];
    for (n, (what, break_it)) in breaks.iter().enumerate() {
        let mut mirror = world.mirror("m");
        mirror.fetch("main").unwrap();
        drop(mirror);
        break_it();
        let mut mirror = world.mirror("m");
        let expected = person.push("c", &format!("{n}\n"));
        let tip = mirror
            .fetch("main")
            .unwrap_or_else(|error| panic!("{what}: {error}"));
        assert_eq!(tip, expected, "{what}");
        for file in mirror.files(tip).unwrap().files {
            assert!(
                matches!(mirror.blob(file.blob, 100), Ok(Blob::Bytes(_))),
                "{what}"
            );
        }
        let new = made(&mut mirror, tip, &[("ours", what)], what);
        assert_eq!(
            mirror.push("main", tip, new).unwrap(),
            PushOutcome::Pushed,
            "{what}"
        );
        person.git(&["pull", "-q", "origin", "main"]);
        assert!(with_ending(&folder, ".lock").is_empty(), "{what}");
        assert!(!folder.join("objects/pack/pack_abc").exists());
    }
    world.assert_sound();
}

#[test]
fn damage_found_while_reading_is_put_right_by_the_next_fetch() {
    let Some((world, person)) = World::seeded(&[("a", "1\n")]) else {
        return;
    };
    let mut mirror = world.mirror("m");
    mirror.fetch("main").unwrap();
    let tip = person.push("a", "2\n");
    mirror.fetch("main").unwrap();
    let blob = mirror.files(tip).unwrap().files[0].blob;
    drop(mirror);
    let mut mirror = world.mirror("m");
    for pack in with_ending(&world.path("m"), ".pack") {
        garble(&pack);
    }
    let reader = mirror.reader().unwrap();
    assert!(matches!(reader.blob(blob, 10), Err(Error::Damaged { .. })));
    assert_eq!(mirror.fetch("main").unwrap(), tip);
    assert_eq!(mirror.blob(blob, 10).unwrap(), Blob::Bytes(b"2\n".to_vec()));
}

#[test]
fn the_mirror_of_another_remote_is_made_anew() {
    let Some((world, _)) = World::seeded(&[("a", "1\n")]) else {
        return;
    };
    world.mirror("m").fetch("main").unwrap();
    let other = Remote::anonymous(RemoteUrl::from(world.path("ann").as_path()));
    let mut mirror = Mirror::open(&world.path("m"), other).unwrap();
    assert_eq!(mirror.head("main"), None);
    assert_eq!(mirror.fetch("main").unwrap(), world.tip("main"));
}

#[test]
fn a_folder_of_somebody_elses_is_not_touched() {
    let Some((world, person)) = World::seeded(&[("a", "1\n")]) else {
        return;
    };
    let remote = Remote::anonymous(RemoteUrl::from(world.remote().as_path()));
    let error = Mirror::open(&person.path(""), remote.clone())
        .err()
        .unwrap();
    assert!(matches!(error, Error::NotAMirror { .. }), "{error}");
    assert_eq!(fs::read(person.path("a")).unwrap(), b"1\n");
    let error = Mirror::open(&person.path("a"), remote).err().unwrap();
    assert!(matches!(error, Error::Folder { .. }), "{error}");
}

#[test]
fn a_mirror_of_many_packs_is_fetched_anew() {
    let Some((world, _)) = World::seeded(&[("a", "0\n")]) else {
        return;
    };
    let mut mirror = world.mirror("m");
    let mut parent = mirror.fetch("main").unwrap();
    for n in 0..201 {
        let new = made(&mut mirror, parent, &[("a", &n.to_string())], "m");
        parent = new;
    }
    let seed = world.tip("main");
    assert_eq!(
        mirror.push("main", seed, parent).unwrap(),
        PushOutcome::Pushed
    );
    let packs = || with_ending(&world.path("m"), ".pack").len();
    let reader = mirror.reader().unwrap();
    assert_eq!(mirror.fetch("main").unwrap(), parent);
    assert_eq!(packs(), 202, "not under a reader's feet");
    drop(reader);
    assert_eq!(mirror.fetch("main").unwrap(), parent);
    assert_eq!(packs(), 1);
    assert_eq!(mirror.files(parent).unwrap().files.len(), 1);
}

/// Not a test by itself: the process whose files can't grow.
#[test]
fn cramped() {
    let Some(folder) = std::env::var_os(CRAMPED) else {
        return;
    };
    let folder = Path::new(&folder);
    let remote = Remote::anonymous(RemoteUrl::from(folder.join("remote.git").as_path()));
    let mut mirror = Mirror::open(&folder.join("m"), remote).unwrap();
    let error = mirror.fetch("main").unwrap_err();
    assert!(matches!(error, Error::Folder { .. }), "{error}");
    assert!(mirror.head("main").is_none());
    println!("found no room");
}

#[test]
fn a_full_disk_is_not_blamed_on_the_remote() {
    let Some((world, person)) = World::seeded(&[("a", "1\n")]) else {
        return;
    };
    // A xorshift generator's bytes, which no compression makes smaller.
    let noise: Vec<u8> = std::iter::successors(Some(1_u64), |state| {
        let state = state ^ (state << 13);
        let state = state ^ (state >> 7);
        Some(state ^ (state << 17))
    })
    .map(|state| (state >> 32) as u8)
    .take(200_000)
    .collect();
    person.write("noise", &noise);
    let tip = person.commit("Noise");
    person.git(&["push", "-q", "origin", "main"]);
    // A limit on the size of files, in blocks of 512 bytes, stands for a disk without room.
    let output = Command::new("sh")
        .args(["-c", "trap '' XFSZ; ulimit -f 100; exec \"$0\" \"$@\""])
        .arg(std::env::current_exe().unwrap())
        .args(["--exact", "git_mirror::cramped", "--nocapture"])
        .env(CRAMPED, world.path(""))
        .output()
        .unwrap();
    let said = String::from_utf8_lossy(&output.stdout) + String::from_utf8_lossy(&output.stderr);
    assert!(said.contains("found no room"), "{said}");
    assert_eq!(with_ending(&world.path("m/objects"), "").len(), 0);
    assert_eq!(world.mirror("m").fetch("main").unwrap(), tip);
}

/// Not a test by itself: the process that the next test kills.
#[test]
fn worker() {
    let Some(folder) = std::env::var_os(WORKER) else {
        return;
    };
    let folder = Path::new(&folder);
    let remote = Remote::anonymous(RemoteUrl::from(folder.join("remote.git").as_path()));
    let mut mirror = Mirror::open(&folder.join("m"), remote).unwrap();
    for n in 0.. {
        let start = mirror.fetch("main").unwrap();
        let (path, message) = (format!("f{}", n % 3), format!("after {start}"));
        println!("fetched");
        pass(&mut mirror, &path, &message, &message).unwrap();
        println!("pushed");
    }
}

#[test]
fn a_process_may_be_killed_at_any_moment() {
    let Some((world, _)) = World::seeded(&[("a", "1\n")]) else {
        return;
    };
    for round in 0..15 {
        let mut worker = Command::new(std::env::current_exe().unwrap())
            .args(["--exact", "git_mirror::worker", "--nocapture"])
            .env(WORKER, world.path(""))
            // As a service has them that was started from a hook: they must not count.
            .env("GIT_DIR", "/nonexistent")
            .env("GIT_PROTOCOL", "version=2")
            .env("GIT_QUARANTINE_PATH", "/nonexistent")
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()
            .unwrap();
        let lines = BufReader::new(worker.stdout.take().unwrap()).lines();
        let wanted = lines
            .map_while(Result::ok)
            .filter(|line| line == "fetched" || line == "pushed");
        let seen = wanted.take(1 + round).count();
        worker.kill().unwrap();
        worker.wait().unwrap();
        assert_eq!(seen, 1 + round, "the worker was at work when it was killed");

        let mut mirror = world.mirror("m");
        let message = format!("round {round}");
        pass(&mut mirror, "a", &message, &message).unwrap();
        assert_eq!(world.in_remote(&["show", "main:a"]), message);
    }
    let mut subjects = world.subjects();
    let all = subjects.len();
    subjects.sort();
    subjects.dedup();
    assert_eq!(subjects.len(), all, "no commit twice");
    assert_eq!(
        world.in_remote(&["rev-list", "--count", "--merges", "main"]),
        "0"
    );
    world.assert_sound();
}
