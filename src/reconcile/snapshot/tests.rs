//! What a snapshot of a working tree says of texts with markers.

use std::path::Path;

use super::*;

const POLICY: &str = "version: 1\napp: shop\nimage: ghcr.io/acme/shop\n";

/// A snapshot of a folder with one app, `shop`, and these files.
fn take(files: &[(&str, &str)]) -> Snapshot {
    let folder = tempfile::tempdir().unwrap();
    let write = |path: &str, text: &str| {
        let path = folder.path().join(path);
        std::fs::create_dir_all(path.parent().unwrap_or(Path::new("/"))).unwrap();
        std::fs::write(path, text).unwrap();
    };
    write("policies/shop.yaml", POLICY);
    for (path, text) in files {
        write(path, text);
    }
    let entry = PoliciesEntry::unlimited("policies/".parse().unwrap());
    let source = Source::Folder(folder.path());
    Snapshot::take(source, &[entry], &mut Memory::default()).unwrap()
}

/// What is told, as `FILE:LINE:COLUMN: MESSAGE`.
fn told(files: &[(&str, &str)]) -> Vec<String> {
    let shown = |told: &Diagnostic| match told.position {
        Some(position) => format!("{}:{position}: {}", told.file, told.message),
        None => format!("{}: {}", told.file, told.message),
    };
    take(files).diagnostics.iter().map(shown).collect()
}

#[test]
fn marked_texts_are_sites_of_their_app() {
    let snapshot = take(&[
        (
            "Dockerfile",
            "# tagwright: shop\nFROM ghcr.io/acme/shop:1\n",
        ),
        ("a/main.tf", "tag = \"1\" # tagwright: shop:tag\n"),
        ("a/x.env", "TAG=1 # {\"$imagepolicy\": \"ns:shop:tag\"}\n"),
        (
            "chart/x.yaml",
            "{{ if }}\nimage: ghcr.io/acme/shop:1 # tagwright: shop\n",
        ),
        (
            "b/cm.yaml",
            "data:\n  x.env: |\n    T=1 # tagwright: shop:tag\n",
        ),
        ("README.md", "`# tagwright: shop`\n"),
        ("logo.png", "\0PNG"),
        (".github/x.sh", "T=1 # tagwright: shop:tag\n"),
    ]);
    assert_eq!(snapshot.diagnostics, []);
    let sites: usize = snapshot.claims.stages.values().map(Vec::len).sum();
    assert_eq!(sites, 5);
}

#[test]
fn markers_that_lead_nowhere_are_told_with_their_place() {
    let text = "TAG=1 # tagwright: shp:tag\nA=1 B=2 # tagwright: shop:tag\n";
    let all = told(&[
        ("x.env", text),
        ("y.env", "T=1 # tagwright: shop/live:tag\n"),
        ("z.env", "T=1 # tagwright: shop:tga\n"),
    ]);
    for wanted in [
        "x.env:1:5: the marker names the app `shp`",
        "x.env:2:9: the marker is on no value that fits it: several",
        "y.env:1:3: the marker names the stage `live`",
        "z.env:1:5: `:tga` is not a part",
    ] {
        let hits = all.iter().filter(|told| told.starts_with(wanted)).count();
        assert_eq!(hits, 1, "{wanted}: {all:?}");
    }
    assert_eq!(all.len(), 4, "{all:?}");
}

#[test]
fn a_marked_text_that_is_too_large_is_told() {
    let rest = "x".repeat(1 << 20);
    let all = told(&[
        ("x.env", &format!("A=1\nT=1 # tagwright: shop:tag\n{rest}")),
        ("y.env", &format!("I=ghcr.io/acme/shop:1\n{rest}")),
    ]);
    assert_eq!(
        all,
        [
            "x.env:2:1: not read, so nothing in it is updated: a marker in a text larger than 1 MiB is \
             not read"
        ]
    );
}

#[test]
fn a_template_is_told_only_for_what_its_markers_leave_out() {
    let marked = "{{ if }}\nimage: ghcr.io/acme/shop:1 # tagwright: shop\n";
    assert_eq!(told(&[("x.yaml", marked)]), [""; 0]);
    let more = format!("{marked}other: ghcr.io/acme/shop:1\n");
    let all = told(&[("x.yaml", &more)]);
    assert_eq!(all.len(), 1, "{all:?}");
    assert!(all[0].contains("only its marked values"), "{all:?}");
    let all = told(&[("x.yaml", "{{ if }}\nimage: ghcr.io/acme/shop:1\n")]);
    assert!(all[0].contains("not read, so nothing"), "{all:?}");
}
