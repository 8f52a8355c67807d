//! Targets of apps and of defaults.

use super::*;
use crate::manifest::Part;

fn app_with(targets: &str) -> Apps {
    let text = format!("version: 1\napp: shop\nimage: a/b\ntargets: {targets}\n");
    apps_of(&entry("policies/"), &[("shop.yaml", &text)])
}

#[test]
fn a_target_says_where_and_what() {
    for (word, part) in [
        ("tag", Part::Tag),
        ("name", Part::Name),
        ("digest", Part::Digest),
        ("reference", Part::Whole),
    ] {
        let text =
            format!("[{{file: '{{app}}/*.json', path: 'c[name={{app}}].\"x.y\"', write: {word}}}]");
        let apps = app_with(&text);
        assert_eq!(apps.diagnostics, []);
        let [target] = apps.apps[0].targets.as_slice() else {
            panic!("one target");
        };
        assert_eq!(target.files.written(), ["shop/*.json"]);
        assert!(target.files.matches("shop/a.json") && !target.files.matches("a.json"));
        assert_eq!(target.lookup.path.to_string(), "c[name=shop].\"x.y\"");
        assert_eq!(target.lookup.app, "shop");
        assert_eq!(target.lookup.part, part);
        assert_eq!(target.at.0, "policies/shop.yaml");
        assert_eq!(target.at.1.line, 4);
    }
}

#[test]
fn mistakes_in_targets_are_told_at_their_place() {
    for (target, wanted) in [
        ("{path: a, write: tag}", "4:11: error: `file` is missing"),
        ("{file: a, write: tag}", "4:11: error: `path` is missing"),
        ("{file: a, path: b}", "4:11: error: `write` is missing"),
        (
            "{file: /a, path: b, write: tag}",
            "4:18: error: the glob `/a` starts with `/`",
        ),
        (
            "{file: a, path: b, write: diges}",
            "`diges` is not known here (did you mean `digest`?)",
        ),
        (
            "{file: a, path: b, write: image}",
            "(one of tag, name, digest, reference)",
        ),
        (
            "{file: a, path: a..b, write: tag}",
            "4:27: error: a key is missing at character 3",
        ),
        (
            "{file: a, path: 'a b', write: tag}",
            "`.`, `[` or the end is wanted at character 2",
        ),
        (
            "{file: a, path: 'a[*]', write: tag}",
            "the brackets at character 2 hold neither",
        ),
        (
            "{file: a, path: 'a[0', write: tag}",
            "what begins at character 2 has no end",
        ),
        ("{file: a, path: '', write: tag}", "the path is empty"),
        (
            "{file: a, path: 1, write: tag}",
            "expected a text, found a number",
        ),
        (
            "{files: a, path: b, write: tag}",
            "unknown key `files` (did you mean `file`?)",
        ),
        ("a.b", "expected a mapping, found a text"),
    ] {
        let apps = app_with(&format!("[{target}]"));
        assert!(apps.apps.is_empty(), "{target}");
        let told = lines(&apps.diagnostics);
        assert!(
            told.iter().any(|line| line.contains(wanted)),
            "{target}: {told:?}"
        );
    }
}

#[test]
fn targets_of_the_defaults_are_for_every_app_and_replaced_as_a_list() {
    let files = [
        (
            "defaults.yaml",
            "version: 1\ntargets: [{file: 'apps/{app}.yaml', path: '{app}.tag', write: tag}]\n",
        ),
        ("a.yaml", "version: 1\napp: a\nimage: x/a\n"),
        (
            "b.yaml",
            "version: 1\napp: b\nimage: x/b\ntargets: [{file: x.yaml, path: y, write: tag}]\n",
        ),
    ];
    let apps = apps_of(&entry("policies/"), &files);
    assert_eq!(apps.diagnostics, []);
    let told: Vec<String> = apps
        .apps
        .iter()
        .flat_map(|app| &app.targets)
        .map(|target| {
            let (file, at) = &target.at;
            let lookup = &target.lookup;
            format!(
                "{} {} {} {file}:{at}",
                lookup.app,
                target.files.written()[0],
                lookup.path
            )
        })
        .collect();
    assert_eq!(
        told,
        [
            "a apps/a.yaml a.tag policies/defaults.yaml:2:43",
            "b x.yaml y policies/b.yaml:4:32",
        ]
    );
}

#[test]
fn a_wrong_target_in_the_defaults_is_told_there_once() {
    let files = [
        (
            "defaults.yaml",
            "version: 1\ntargets: [{file: a, path: 'a..b', write: tag}]\n",
        ),
        ("a.yaml", "version: 1\napp: a\nimage: x/a\n"),
        ("b.yaml", "version: 1\napp: b\nimage: x/b\n"),
    ];
    let apps = apps_of(&entry("policies/"), &files);
    assert!(apps.apps.is_empty());
    assert_eq!(apps.diagnostics.len(), 1, "{:?}", lines(&apps.diagnostics));
    assert_eq!(apps.diagnostics[0].file, "policies/defaults.yaml");
}
