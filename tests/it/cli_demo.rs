//! `demo --once` on a machine with nothing but Git: it commits, touches only image bytes, and leaves
//! nothing behind.

use crate::binary::{Place, Ran, files_below};
use crate::parts;
use crate::repo::Repo;

/// A proxy that nothing listens at: whoever uses it fails.
const NO_PROXY_THERE: &str = "http://127.0.0.1:1";

fn demo(place: &Place, arguments: &[&str]) -> Option<Ran> {
    parts::need("git")?;
    let mut command = place.command(&[&["demo", "--once"], arguments].concat());
    for name in [
        "HTTPS_PROXY",
        "HTTP_PROXY",
        "ALL_PROXY",
        "https_proxy",
        "http_proxy",
    ] {
        command.env(name, NO_PROXY_THERE);
    }
    // A machine without any certificate authorities.
    command
        .env("SSL_CERT_FILE", "/nonexistent")
        .env("SSL_CERT_DIR", "/nonexistent");
    let output = command.output().expect("it runs");
    Some(Ran::of(output).exits(0))
}

#[test]
fn it_commits_without_a_network_and_leaves_nothing_behind() {
    let place = Place::new(&[]);
    let Some(ran) = demo(&place, &[]) else {
        return;
    };
    let commits = ran
        .stdout
        .lines()
        .filter(|line| line.starts_with("commit "))
        .count();
    assert!(commits >= 2, "{}", ran.stdout);
    assert!(
        ran.stdout.contains(&format!("{commits} commits landed")),
        "{}",
        ran.stdout
    );
    for words in [
        "waits 6.2.1 waits: approval 1 of 1: needs one of @platform (ada)",
        "Tagwright-Approved-By: ada commit=",
        "not taken: runs the choice; Ada Okafor went back from 6.2.1",
    ] {
        assert!(ran.stdout.contains(words), "{words}: {}", ran.stdout);
    }
    assert!(ran.stdout.contains("not taken:"), "{}", ran.stdout);
    assert_only_image_bytes(&ran.stdout);
    for folder in [place.path(), place.home(), place.temporary()] {
        assert_eq!(files_below(&folder), [""; 0]);
    }
}

/// Every diff starts at column 0, is of a manifest, and replaces one line by one that differs
/// in the tag and digest only.
fn assert_only_image_bytes(stdout: &str) {
    let mut removed: Vec<&str> = Vec::new();
    let mut compared = 0;
    for line in stdout.lines() {
        if let Some(path) = line.strip_prefix("+++ b/") {
            assert!(path.starts_with("apps/"), "{path}");
        } else if let Some(old) = line.strip_prefix('-').filter(|_| !line.starts_with("---")) {
            removed.push(old);
        } else if let Some(new) = line.strip_prefix('+').filter(|_| !line.starts_with("+++")) {
            let old = removed.remove(0);
            assert_eq!(without_version(old), without_version(new));
            assert_ne!(old, new);
            compared += 1;
        }
    }
    assert!(removed.is_empty());
    assert!(compared >= 2);
}

/// A line without its versions and digests.
fn without_version(line: &str) -> String {
    let version =
        regex::Regex::new(r"sha256:[0-9a-f]{64}|[0-9]+\.[0-9]+\.[0-9]+").expect("it is one");
    version.replace_all(line, "V").into_owned()
}

#[test]
fn what_is_kept_can_be_looked_at_and_gone_on_with() {
    let place = Place::new(&[]);
    let Some(ran) = demo(&place, &["--keep", "kept"]) else {
        return;
    };
    assert!(
        ran.stdout.contains("/kept/fleet.git log -p main"),
        "{}",
        ran.stdout
    );
    let Some(repo) = Repo::open(&place.path().join("kept/fleet.git")) else {
        return;
    };
    let ours = repo
        .log("%an")
        .lines()
        .filter(|name| *name == "Tagwright")
        .count();
    assert!(ours >= 2);
    repo.git().ok(repo.path(), &["fsck", "--strict"]);
    let changed = ["diff", "--name-only", "main~1", "main"];
    let changed = repo.git().text(repo.path(), &changed);
    assert!(
        changed
            .lines()
            .all(|path| path.starts_with("apps/production/shop/")),
        "{changed}"
    );
    // A second demo in the same folder would mix the two.
    let mut command = place.command(&["demo", "--once", "--keep", "kept"]);
    let again = Ran::of(command.output().expect("it runs"));
    assert_eq!(again.code, Some(1), "{}", again.stderr);
}
