//! `set` and `images` on real folders: what they touch, what they leave, and how they end.

#![expect(
    clippy::unwrap_used,
    reason = "what a helper can't have stops the test"
)]

use std::os::unix::fs::{MetadataExt as _, PermissionsExt as _, chown, symlink};
use std::path::Path;
use std::process::Command;

use serde_json::{Value, json};

const OLD: &str = "image: ghcr.io/acme/shop:1.0.0\n";
const NEW: &str = "image: ghcr.io/acme/shop:2.0.0\n";
const ASSIGNMENT: &str = "ghcr.io/acme/shop=ghcr.io/acme/shop:2.0.0";

/// The exit code and the JSON object that a command prints.
fn tagwright(folder: &Path, arguments: &[&str]) -> (Option<i32>, Value) {
    let output = Command::new(env!("CARGO_BIN_EXE_tagwright"))
        .args(arguments)
        .args(["-o", "json"])
        .current_dir(folder)
        .env_clear()
        .output()
        .unwrap();
    let object = serde_json::from_slice(&output.stdout).unwrap();
    (output.status.code(), object)
}

fn write(folder: &Path, files: &[(&str, &str)]) {
    for (name, text) in files {
        let path = folder.join(name);
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(path, text).unwrap();
    }
}

fn read(folder: &Path, name: &str) -> String {
    std::fs::read_to_string(folder.join(name)).unwrap()
}

#[test]
fn what_no_sync_agent_deploys_is_left_alone_unless_named() {
    let folder = tempfile::tempdir().unwrap();
    let left_alone = [
        ".git/x.yaml",
        ".github/workflows/ci.yaml",
        "a/.gitlab-ci.yml",
        ".tagwright/decisions/shop/staging.yaml",
    ];
    for name in left_alone {
        write(folder.path(), &[(name, OLD)]);
    }
    write(folder.path(), &[("a/b.yaml", OLD)]);
    let (code, listed) = tagwright(folder.path(), &["images", "."]);
    assert_eq!(
        (code, listed["sites"].as_array().unwrap().len()),
        (Some(0), 1)
    );
    let (code, report) = tagwright(folder.path(), &["set", ASSIGNMENT, "."]);
    assert_eq!(code, Some(0));
    assert_eq!(report["edits"][0]["file"], json!("./a/b.yaml"));
    for name in left_alone {
        assert_eq!(read(folder.path(), name), OLD, "{name}");
    }
    let (_, report) = tagwright(folder.path(), &["set", ASSIGNMENT, "a/.gitlab-ci.yml"]);
    assert_eq!(report["edits"].as_array().unwrap().len(), 1);
}

#[test]
fn a_file_that_several_paths_reach_counts_once() {
    let folder = tempfile::tempdir().unwrap();
    write(folder.path(), &[("a/b.yaml", OLD)]);
    let paths = ["set", ASSIGNMENT, "a", "./a/b.yaml", "."];
    let (code, report) = tagwright(folder.path(), &paths);
    assert_eq!(code, Some(0));
    assert_eq!(
        report,
        json!({
            "version": 1,
            "edits": [{
                "file": "a/b.yaml", "line": 1, "column": 8,
                "old": "ghcr.io/acme/shop:1.0.0", "new": "ghcr.io/acme/shop:2.0.0",
            }],
            "refused": [],
        })
    );
}

#[test]
fn a_replaced_file_keeps_its_mode_and_owner() {
    let folder = tempfile::tempdir().unwrap();
    write(folder.path(), &[("a.yaml", OLD)]);
    let path = folder.path().join("a.yaml");
    let root = std::fs::metadata(folder.path()).unwrap().uid() == 0;
    if root {
        chown(&path, Some(1234), Some(2345)).unwrap();
    }
    std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o640)).unwrap();
    let before = std::fs::metadata(&path).unwrap();
    tagwright(folder.path(), &["set", ASSIGNMENT, "."]);
    let after = std::fs::metadata(&path).unwrap();
    assert_eq!(read(folder.path(), "a.yaml"), NEW);
    let of = |file: &std::fs::Metadata| (file.mode(), file.uid(), file.gid());
    assert_eq!(of(&after), of(&before));
    let names: Vec<_> = std::fs::read_dir(folder.path()).unwrap().collect();
    assert_eq!(names.len(), 1, "nothing else is left in the folder");
}

#[test]
fn symlinks_are_neither_followed_nor_replaced() {
    let folder = tempfile::tempdir().unwrap();
    write(
        folder.path(),
        &[("outside.txt", OLD), ("in/a.yaml", "x: 1\n")],
    );
    symlink("../outside.txt", folder.path().join("in/link.yaml")).unwrap();
    let (code, report) = tagwright(folder.path(), &["set", ASSIGNMENT, "in"]);
    assert_eq!((code, &report["edits"]), (Some(0), &json!([])));
    assert_eq!(read(folder.path(), "outside.txt"), OLD);
    let link = folder.path().join("in/link.yaml");
    assert!(std::fs::symlink_metadata(link).unwrap().is_symlink());
}
