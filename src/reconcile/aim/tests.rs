//! Which files targets apply to, and what is said of those that lead nowhere.

use std::sync::Arc;

use super::*;
use crate::config::{self, PoliciesEntry, PolicyFile};
use crate::git::BlobId;
use crate::manifest;

fn apps(targets: &[&str]) -> Vec<App> {
    let entry = PoliciesEntry::unlimited("policies/".parse().unwrap());
    let texts: Vec<(String, String)> = targets
        .iter()
        .enumerate()
        .map(|(number, targets)| {
            let name = ["shop", "cart"][number];
            let text = format!(
                "version: 1\napp: {name}\nimage: ghcr.io/acme/{name}\ntargets: {targets}\n\
                 stages: [{{name: s, paths: [apps/**], exclude: [apps/old/**]}}]\n"
            );
            (format!("policies/{name}.yaml"), text)
        })
        .collect();
    let files: Vec<PolicyFile<'_>> = texts
        .iter()
        .map(|(path, text)| PolicyFile {
            path,
            text,
            blob: "b",
        })
        .collect();
    let loaded = config::apps(&entry, &files);
    assert_eq!(loaded.diagnostics, []);
    loaded.apps
}

fn files(apps: &[App], files: &[(&str, &str)]) -> Vec<IndexedFile> {
    let paths: Vec<&str> = files.iter().map(|(path, _)| *path).collect();
    applying(apps, &paths)
        .into_iter()
        .map(|(place, targets)| {
            let (path, text) = files[place];
            let format = manifest::format_of(path).unwrap();
            IndexedFile {
                path: path.to_owned(),
                blob: BlobId::of(text.as_bytes()),
                format,
                index: Arc::new(manifest::index_with(format, text.as_bytes(), &targets)),
                targets,
            }
        })
        .collect()
}

#[test]
fn a_target_applies_where_its_glob_and_a_stage_do() {
    let paths = [
        "apps/a.yaml",
        "apps/old/v.yaml",
        "apps/shop.json",
        "apps/shop/v.yaml",
        "apps/shop/x/v.yaml",
        "apps2/shop/v.yaml",
        "other/v.yaml",
    ];
    for (file, wanted) in [
        ("apps/shop/v.yaml", "3"),
        ("apps/shop", "3,4"),
        ("apps/shop/", "3,4"),
        ("apps/*/v.yaml", "3"),
        ("'**/v.yaml'", "3,4"),
        ("'apps/{app}/**'", "3,4"),
        ("'apps/{app}.{json,yaml}'", "2"),
        ("apps/**", "0,2,3,4"),
        ("other/**", ""),
        ("apps/s*.json", "2"),
    ] {
        let apps = apps(&[&format!("[{{file: {file}, path: v, write: tag}}]")]);
        let places: Vec<String> = applying(&apps, &paths)
            .iter()
            .map(|(place, targets)| {
                assert_eq!(targets.len(), 1);
                place.to_string()
            })
            .collect();
        assert_eq!(places.join(","), wanted, "{file}");
    }
}

#[test]
fn targets_of_several_apps_meet_in_a_file() {
    let one = "[{file: apps/v.yaml, path: '{app}.v', write: tag}]";
    let apps = apps(&[one, one]);
    let found = applying(&apps, &["apps/v.yaml"]);
    let [(0, targets)] = found.as_slice() else {
        panic!("{found:?}");
    };
    let paths: Vec<String> = targets.iter().map(|t| t.path.to_string()).collect();
    assert_eq!(paths, ["cart.v", "shop.v"]);
    assert_eq!(targets[0].app, "cart");
}

#[test]
fn a_target_without_a_value_is_an_error_of_its_app() {
    let target = "[{file: apps/*.yaml, path: image.tag, write: tag}]";
    for (tree, wanted) in [
        (&[("apps/a.yaml", "image: {tag: 1}\n")][..], None),
        (
            &[
                ("apps/a.yaml", "x: 1\n"),
                ("apps/b.yaml", "image: {tag: 1}\n"),
            ],
            None,
        ),
        (&[("apps/a.yaml", "image: {tag: }\n")], None),
        (
            &[("apps/x/a.yaml", "image: {tag: 1}\n")],
            Some(
                "no YAML or JSON file under the paths of a stage matches `file`, so `image.tag` is",
            ),
        ),
        (
            &[("apps/a.yaml", "x: 1\n")],
            Some(
                "`image.tag` leads to no value in the file that matches (correct `path`, or `file`)",
            ),
        ),
        (
            &[("apps/a.yaml", "x: 1\n"), ("apps/b.yaml", "y: 1\n")],
            Some("`image.tag` leads to no value in any of the 2 files that match"),
        ),
        (
            &[
                ("apps/a.yaml", "x: 1\n"),
                ("apps/b.yaml", "image:\n  name: x\n"),
            ],
            Some(
                "`image` at apps/b.yaml:2:3 has no `tag` (add the line `tag: \"\"` there, which is then filled)",
            ),
        ),
        (
            &[("apps/a.yaml", "image: {tag: [1]}\n")],
            Some("`image.tag` at apps/a.yaml:1:14 is not a single value"),
        ),
        // Told with the file.
        (&[("apps/a.yaml", "image: {tag: 1\n")], None),
    ] {
        let apps = apps(&[target]);
        let told = missed(&apps, &files(&apps, tree));
        let shown: Vec<String> = told.iter().map(ToString::to_string).collect();
        match wanted {
            None => assert!(shown.is_empty(), "{tree:?}: {shown:?}"),
            Some(wanted) => {
                assert_eq!(shown.len(), 1, "{tree:?}");
                assert!(shown[0].contains(wanted), "{tree:?}: {shown:?}");
                let start = "policies/shop.yaml:4:37: error: target of `shop`: ";
                assert!(shown[0].starts_with(start), "{shown:?}");
            }
        }
    }
}

#[test]
fn a_first_key_that_is_missing_is_told_too() {
    let apps = apps(&["[{file: apps/a.yaml, path: tag, write: tag}]"]);
    let told = missed(&apps, &files(&apps, &[("apps/a.yaml", "x: 1\n")]));
    let wanted = "the document at apps/a.yaml:1:1 has no `tag`";
    assert!(told[0].message.contains(wanted), "{told:?}");
}

#[test]
fn a_text_without_keys_asks_for_a_marker() {
    let apps = apps(&["[{file: apps/*, path: image.tag, write: tag}]"]);
    let told = missed(&apps, &files(&apps, &[("apps/Dockerfile", "FROM a:1\n")]));
    let shown = told.first().map(ToString::to_string).unwrap();
    assert!(
        shown.ends_with(
            "apps/Dockerfile is neither YAML nor JSON, so `image.tag` can't be followed there \
             (mark the value with a comment `tagwright: shop`)"
        ),
        "{shown}"
    );
}
