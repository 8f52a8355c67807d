//! `set` and `images`: files on disk, edited and listed without any registry.

use std::os::unix::fs::PermissionsExt as _;

use serde_json::json;

use crate::binary::{Place, scrub};

const OLD: &str = "sha256:1111111111111111111111111111111111111111111111111111111111111111";
const NEW: &str = "sha256:2222222222222222222222222222222222222222222222222222222222222222";

/// A folder with sites of many shapes.
fn place() -> Place {
    let pod = format!(
        "# top\na: {{image: 'ghcr.io/acme/shop:1.0.0@{OLD}'}}\nb:\n  image: ghcr.io/acme/shop:1.0.0   # two\n  \
         c: {{image: \"ghcr.io/acme/other:1\"}}\nd: {{image: ghcr.io/acme/shop:1.0.0}}  # tagwright: ignore\n"
    );
    Place::new(&[
        ("deploy/a.yaml", &pod),
        ("deploy/b.json", "{\"image\": \"ghcr.io/acme/shop:1.0.0\"}"),
        (
            "deploy/policies/shop.yaml",
            "version: 1\napp: shop\nimage: ghcr.io/acme/shop\n",
        ),
        ("deploy/notes.txt", "image: ghcr.io/acme/shop:1.0.0\n"),
    ])
}

/// A Kustomize file that holds tag and digest under keys of their own.
fn kustomization() -> String {
    format!("images:\n  - name: ghcr.io/acme/shop\n    newTag: 1.0.0\n    digest: {OLD}\n")
}

#[test]
fn every_site_gets_exactly_the_reference() {
    let place = place();
    let before = place.read("deploy/a.yaml");
    let ran = place
        .run(&["set", "ghcr.io/acme/shop=ghcr.io/acme/shop:2.0.0", "deploy"])
        .exits(0);
    let wanted = before
        .replace(&format!("shop:1.0.0@{OLD}"), "shop:2.0.0")
        .replace("shop:1.0.0   # two", "shop:2.0.0   # two");
    assert_eq!(place.read("deploy/a.yaml"), wanted);
    assert_eq!(
        place.read("deploy/b.json"),
        "{\"image\": \"ghcr.io/acme/shop:2.0.0\"}"
    );
    assert!(
        place
            .read("deploy/policies/shop.yaml")
            .ends_with("acme/shop\n"),
        "an app file is none"
    );
    assert!(place.read("deploy/notes.txt").contains("1.0.0"));
    insta::assert_snapshot!(scrub(&ran.stdout));
    assert_eq!(ran.stderr, "3 edited, 0 refused\n");
    let again = place
        .run(&["set", "ghcr.io/acme/shop=ghcr.io/acme/shop:2.0.0", "deploy"])
        .exits(0);
    assert_eq!(
        (again.stdout.as_str(), again.stderr.as_str()),
        ("", "0 edited, 0 refused\n")
    );
}

#[test]
fn a_digest_is_written_and_taken_away() {
    let cases = [
        (
            "ghcr.io/acme/shop:1.0.0".to_owned(),
            format!(":2.0.0@{NEW}"),
            format!("ghcr.io/acme/shop:2.0.0@{NEW}"),
        ),
        (
            format!("ghcr.io/acme/shop:1.0.0@{OLD}"),
            format!("@{NEW}"),
            format!("ghcr.io/acme/shop@{NEW}"),
        ),
        (
            format!("ghcr.io/acme/shop@{OLD}"),
            ":2.0.0".to_owned(),
            "ghcr.io/acme/shop:2.0.0".to_owned(),
        ),
        (
            "ghcr.io/acme/shop".to_owned(),
            ":2.0.0".to_owned(),
            "ghcr.io/acme/shop:2.0.0".to_owned(),
        ),
    ];
    for (old, version, new) in cases {
        let place = Place::new(&[("a.yaml", &format!("image: {old}\n"))]);
        let assignment = format!("ghcr.io/acme/shop=ghcr.io/acme/shop{version}");
        place.run(&["set", &assignment, "a.yaml"]).exits(0);
        assert_eq!(place.read("a.yaml"), format!("image: {new}\n"));
    }
}

#[test]
fn a_digest_under_a_key_of_its_own_is_not_removed() {
    let place = Place::new(&[
        ("k/kustomization.yaml", &kustomization()),
        ("k/a.yaml", "image: ghcr.io/acme/shop:1\n"),
    ]);
    let ran = place
        .run(&[
            "set",
            "ghcr.io/acme/shop=ghcr.io/acme/shop:2.0.0",
            "k",
            "-o",
            "json",
        ])
        .exits(1);
    assert_eq!(place.read("k/kustomization.yaml"), kustomization());
    assert_eq!(
        place.read("k/a.yaml"),
        "image: ghcr.io/acme/shop:2.0.0\n",
        "the rest is done"
    );
    let report = ran.json();
    assert_eq!(
        report["edits"],
        json!([{"file": "k/a.yaml", "line": 1, "column": 8, "old": "ghcr.io/acme/shop:1", "new": "ghcr.io/acme/shop:2.0.0"}])
    );
    assert_eq!(report["refused"][0]["file"], "k/kustomization.yaml");
    assert!(
        report["refused"][0]["reason"]
            .as_str()
            .is_some_and(|reason| reason.contains("key of its own"))
    );
    insta::assert_snapshot!(scrub(&ran.stdout));
    // With a digest there is a place for each part.
    let assignment = format!("ghcr.io/acme/shop=ghcr.io/acme/shop:2.0.0@{NEW}");
    place
        .run(&["set", &assignment, "k/kustomization.yaml"])
        .exits(0);
    assert_eq!(
        place.read("k/kustomization.yaml"),
        kustomization().replace("1.0.0", "2.0.0").replace(OLD, NEW)
    );
}

#[test]
fn a_name_is_kept_unless_the_reference_has_another() {
    let text = "a: {image: docker.io/library/nginx:1.0.0}\nb: {image: nginx:1.0.0}\nc: {image: index.docker.io/nginx:1.0.0}\n";
    let place = Place::new(&[("a.yaml", text)]);
    place
        .run(&["set", "nginx=library/nginx:2.0.0", "a.yaml"])
        .exits(0);
    assert_eq!(place.read("a.yaml"), text.replace("1.0.0", "2.0.0"));
    place
        .run(&["set", "docker.io/nginx=ghcr.io/mirror/nginx:3", "a.yaml"])
        .exits(0);
    let moved = "ghcr.io/mirror/nginx:3";
    assert_eq!(
        place.read("a.yaml"),
        format!("a: {{image: {moved}}}\nb: {{image: {moved}}}\nc: {{image: {moved}}}\n")
    );
}

#[test]
fn a_dry_run_prints_the_diff_and_writes_nothing() {
    let place = place();
    let before = place.read("deploy/a.yaml");
    let ran = place
        .run(&[
            "set",
            "ghcr.io/acme/shop=ghcr.io/acme/shop:2.0.0",
            "deploy",
            "--dry-run",
        ])
        .exits(0);
    assert_eq!(place.read("deploy/a.yaml"), before);
    insta::assert_snapshot!(scrub(&ran.stdout));
    assert_eq!(ran.stderr, "3 would be edited, 0 refused\n");
}

#[test]
fn markers_are_set_by_app_and_by_flux_name() {
    let text = "a: 1.0.0  # tagwright: shop:tag\nb: {image: shop:1}  # tagwright: shop/staging\n\
        c: v1 # {\"$imagepolicy\": \"flux-system:web:tag\"}\nd: v1 # {\"$imagepolicy\": \"other:web:tag\"}\n";
    let place = Place::new(&[("a.yaml", text)]);
    place
        .run(&[
            "set",
            "--marker",
            "shop=ghcr.io/acme/shop:2.0.0",
            "--marker",
            "flux-system:web=web:v2",
            ".",
        ])
        .exits(0);
    assert_eq!(
        place.read("a.yaml"),
        text.replace("a: 1.0.0", "a: 2.0.0")
            .replace("shop:1}", "ghcr.io/acme/shop:2.0.0}")
            .replacen("v1", "v2", 1)
    );
}

#[test]
fn a_file_that_cannot_be_read_counts_only_if_it_names_the_image() {
    let place = Place::new(&[
        ("d/a.yaml", "image: ghcr.io/acme/shop:1\n"),
        ("d/broken.yaml", "x: [\nimage: ghcr.io/acme/cart:1\n"),
    ]);
    place
        .run(&["set", "ghcr.io/acme/shop=ghcr.io/acme/shop:2", "d"])
        .exits(0);
    let ran = place
        .run(&["set", "ghcr.io/acme/cart=ghcr.io/acme/cart:2", "d"])
        .exits(1);
    assert!(ran.stderr.contains("d/broken.yaml:1:4"), "{}", ran.stderr);
    assert!(ran.stderr.contains("0 edited, 1 refused"), "{}", ran.stderr);
}

#[test]
fn permissions_and_links_are_left_as_they_are() {
    let place = Place::new(&[
        ("d/a.yaml", "image: ghcr.io/acme/shop:1\n"),
        ("real.yaml", "image: ghcr.io/acme/shop:1\n"),
    ]);
    let file = place.path().join("d/a.yaml");
    std::fs::set_permissions(&file, std::fs::Permissions::from_mode(0o640)).expect("it is ours");
    std::os::unix::fs::symlink("../real.yaml", place.path().join("d/link.yaml"))
        .expect("links can be made");
    place
        .run(&["set", "ghcr.io/acme/shop=ghcr.io/acme/shop:2", "d"])
        .exits(0);
    let mode = std::fs::metadata(&file)
        .expect("it is there")
        .permissions()
        .mode();
    assert_eq!(mode & 0o777, 0o640);
    assert_eq!(place.read("real.yaml"), "image: ghcr.io/acme/shop:1\n");
    let ran = place
        .run(&[
            "set",
            "ghcr.io/acme/shop=ghcr.io/acme/shop:2",
            "d/link.yaml",
        ])
        .exits(1);
    assert!(ran.stderr.contains("symlink"), "{}", ran.stderr);
}

#[test]
fn wrong_usage_is_said_and_nothing_written() {
    let place = place();
    let before = place.read("deploy/a.yaml");
    for (arguments, words) in [
        (&["set", "deploy"][..], "nothing to set"),
        (&["set", "ghcr.io/acme/shop=ghcr.io/acme/shop:2"], "no PATH"),
        (
            &["set", "ghcr.io/acme/shop=ghcr.io/acme/shop", "deploy"],
            "neither a tag nor a digest",
        ),
        (
            &["set", "ghcr.io/acme/shop=ghcr.io/acme/shop:", "deploy"],
            "in the assignment",
        ),
        (&["set", "--marker", "shop", "deploy"], "lacks `=REFERENCE`"),
        (&["set"], "required"),
    ] {
        let ran = place.run(arguments).exits(2);
        assert!(ran.stderr.contains(words), "{arguments:?}: {}", ran.stderr);
    }
    let ran = place.run(&["set", "a=b:1", "nowhere"]).exits(1);
    assert!(
        ran.stderr.contains("nowhere can't be read"),
        "{}",
        ran.stderr
    );
    assert_eq!(place.read("deploy/a.yaml"), before);
}

#[test]
fn images_lists_every_site_with_its_place() {
    let place = place();
    place.write("deploy/kustomization.yaml", kustomization());
    place.write("deploy/broken.yaml", "x: [\nimage: a:1\n");
    let ran = place.run(&["images", "deploy", "-o", "json"]).exits(0);
    let listed = ran.json();
    assert_eq!(
        listed["sites"][0],
        json!({
            "file": "deploy/a.yaml", "line": 2, "column": 12, "kind": "kubernetes",
            "reference": format!("ghcr.io/acme/shop:1.0.0@{OLD}"),
        })
    );
    insta::assert_snapshot!(scrub(&ran.stdout));
    let text = place.run(&["images", "deploy"]).exits(0);
    assert_eq!(
        text.stdout.lines().count(),
        listed["sites"].as_array().map_or(0, Vec::len)
    );
    assert!(
        text.stdout
            .starts_with("deploy/a.yaml:2:12: kubernetes  ghcr.io/acme/shop:1.0.0@")
    );
    let empty = Place::new(&[])
        .run(&["images", ".", "-o", "json"])
        .exits(0)
        .json();
    assert_eq!(empty, json!({"version": 1, "sites": [], "problems": []}));
}

#[test]
fn a_name_from_the_disk_reaches_no_terminal() {
    let place = Place::new(&[
        ("\u{1b}[2Ja.yaml", "image: ghcr.io/acme/shop:1.0.0\n"),
        ("\u{1b}[2Jb.yaml", "image: [ghcr.io/acme/shop:1.0.0\n"),
    ]);
    let assignment = "ghcr.io/acme/shop=ghcr.io/acme/shop:2.0.0";
    for arguments in [
        &["images", "."][..],
        &["images", "missing\u{1b}[2J.yaml"],
        &["set", "--dry-run", assignment, "."],
        &["set", assignment, "."],
    ] {
        let ran = place.run(arguments);
        assert!(ran.stderr.contains(r"\u{1b}[2J"), "{arguments:?}: {ran:?}");
        let printed = format!("{}{}", ran.stdout, ran.stderr);
        assert!(!printed.contains('\u{1b}'), "{arguments:?}: {printed:?}");
    }
    let listed = place.run(&["images", "-o", "json", "."]).json();
    assert_eq!(listed["sites"][0]["file"], "./\u{1b}[2Ja.yaml");
}
