//! Targets and files that several stages read, as `check` and `plan` tell them.

#![expect(
    clippy::unwrap_used,
    reason = "helpers of tests fail by panicking, as tests do"
)]

use serde_json::Value;
use tagwright::config::PoliciesEntry;
use tagwright::demo::registry::{ImageSpec, Registry};
use tagwright::reconcile::snapshot::{self, Memory, Snapshot};
use tagwright::reconcile::source::Source;

use crate::tree::Tree;

/// A tree whose `HOST` is a registry with `acme/shop` in the versions 1.0.0, 1.1.0 and 2.0.0.
fn world(text: &str) -> (Registry, Tree) {
    let registry = Registry::start().unwrap();
    for tag in ["1.0.0", "1.1.0", "2.0.0"] {
        let created = "2026-03-02T08:00:00Z".parse().unwrap();
        registry.push("acme/shop", tag, &ImageSpec::new(created, tag));
    }
    let service = "== tagwright.yaml\nversion: 1\nrepositories: [{name: fleet, url: ./none.git, \
                   policies: [policies/]}]\nregistries: [{host: 'HOST', plainHttp: true}]\n\
                   cache: {path: cache}\n";
    let tree = Tree::new(&format!("{service}{text}").replace("HOST", &registry.host()));
    (registry, tree)
}

fn lines(list: &Value, of: impl Fn(&Value) -> String) -> Vec<String> {
    list.as_array().unwrap().iter().map(of).collect()
}

fn told(diagnostic: &Value) -> String {
    let text = |key: &str| diagnostic[key].as_str().unwrap_or_default();
    format!(
        "{}:{}: {}: {}",
        text("file"),
        diagnostic["line"],
        text("severity"),
        text("message")
    )
}

/// What `plan` would edit, as `FILE:LINE OLD -> NEW`.
fn edits(plan: &Value) -> Vec<String> {
    let changes = plan["repositories"][0]["changes"].as_array().unwrap();
    changes
        .iter()
        .flat_map(|change| {
            lines(&change["edits"], |edit| {
                let text = |key: &str| edit[key].as_str().unwrap();
                format!(
                    "{}:{} {} -> {}",
                    text("file"),
                    edit["line"],
                    text("old"),
                    text("new")
                )
            })
        })
        .collect()
}

fn plan(tree: &Tree, code: i32) -> Value {
    let text = tree.text(&["plan", "--path", ".", "-o", "json"], code);
    serde_json::from_str(&text).unwrap()
}

const APP: &str = "== policies/shop.yaml\nversion: 1\napp: shop\nimage: HOST/acme/shop\n";

#[test]
fn targets_are_planned_and_edited() {
    let (_registry, tree) = world(&format!(
        "{APP}targets:\n- {{file: apps/*.yaml, path: 'tools[name={{app}}].version', write: tag}}\n\
         == apps/a.yaml\ntools: # by hand until now\n- {{name: shop, version: 1.0.0}}\n\
         - {{name: cart, version: 1.0.0}}\n== apps/b.yaml\ntools: []\n\
         == apps/c.json\n{{\"tools\": [{{\"name\": \"shop\", \"version\": \"1.0.0\"}}]}}\n"
    ));
    let checked = tree.json(&["check", "."]);
    assert_eq!(checked["diagnostics"], Value::Array(Vec::new()));
    assert_eq!(checked["sites"], 1);
    assert_eq!(edits(&plan(&tree, 0)), ["apps/a.yaml:2 1.0.0 -> 2.0.0"]);
}

#[test]
fn a_target_that_leads_nowhere_fails_the_check() {
    let (_registry, tree) = world(&format!(
        "{APP}targets: [{{file: apps/v.yaml, path: shop.tag, write: tag}}]\n\
         == apps/v.yaml\nshop:\n  name: x\n== apps/d.yaml\nimage: HOST/acme/shop:2.0.0\n"
    ));
    let checked: Value =
        serde_json::from_str(&tree.text(&["check", ".", "-o", "json"], 2)).unwrap();
    let wanted =
        "policies/shop.yaml:4: error: target of `shop`: `shop` at apps/v.yaml:2:3 has no `tag`";
    assert_eq!(lines(&checked["diagnostics"], told), [wanted]);
    let hint = checked["diagnostics"][0]["hint"].as_str().unwrap();
    assert!(hint.contains("add the line `tag: \"\"`"), "{hint}");
    // The pass goes on with the rest and fails.
    assert_eq!(edits(&plan(&tree, 1)), [] as [&str; 0]);
}

/// Staging has the base among its own paths; production reads it through its overlay.
fn base(production: &str, production_tags: &str) -> (Registry, Tree) {
    world(&format!(
        "{APP}stages:\n- {{name: staging, paths: [base/**, staging/**]}}\n\
         - {{name: production, paths: [production/**], tags: {{semver: {production_tags}}}}}\n\
         == base/d.yaml\nkind: Deployment\nimage: HOST/acme/shop:1.0.0\n\
         == base/kustomization.yaml\nresources: [d.yaml]\n\
         == staging/kustomization.yaml\nresources: [../base]\n\
         == production/kustomization.yaml\nresources: [../base]\n{production}"
    ))
}

#[test]
fn a_shared_file_is_written_only_while_all_agree() {
    let cron = "== production/cron.yaml\nimage: HOST/acme/shop:1.0.0\n";
    let (registry, tree) = base(cron, "1.x");
    let checked = tree.json(&["check", "."]);
    let also = "base/d.yaml:2: warning: also read by shop/production through \
                production/kustomization.yaml, which takes it as it is: written only while both get \
                the same tag";
    assert_eq!(lines(&checked["diagnostics"], told), [also]);
    let held = plan(&tree, 1);
    let host = registry.host();
    let cron_edit =
        format!("production/cron.yaml:1 {host}/acme/shop:1.0.0 -> {host}/acme/shop:1.1.0");
    assert_eq!(edits(&held), [cron_edit]);
    let refused = "base/d.yaml:2: error: not set to 2.0.0: shop/production reads base/d.yaml too, \
                   through production/kustomization.yaml, and is not to get 2.0.0 now";
    assert_eq!(lines(&held["repositories"][0]["refused"], told), [refused]);

    let (_registry, tree) = base(cron, "'*'");
    assert_eq!(edits(&plan(&tree, 0)).len(), 2);
}

#[test]
fn a_shared_file_that_the_others_override_is_written() {
    let pinned = "images: [{name: HOST/acme/shop, newTag: 1.1.0}]\n";
    let (registry, tree) = base(pinned, "1.x");
    let host = registry.host();
    assert_eq!(
        tree.json(&["check", "."])["diagnostics"],
        Value::Array(Vec::new())
    );
    let wanted = format!("base/d.yaml:2 {host}/acme/shop:1.0.0 -> {host}/acme/shop:2.0.0");
    assert_eq!(edits(&plan(&tree, 0)), [wanted]);
}

#[test]
fn an_untagged_base_makes_nothing_unordered() {
    let (_registry, tree) = world(&format!(
        "{APP}== base/d.yaml\nimage: HOST/acme/shop\n== base/kustomization.yaml\nresources: [d.yaml]\n\
         == over/kustomization.yaml\nresources: [../base]\n\
         images:\n- name: HOST/acme/shop\n  newTag: 1.0.0\n"
    ));
    assert_eq!(
        edits(&plan(&tree, 0)),
        ["over/kustomization.yaml:4 1.0.0 -> 2.0.0"]
    );
}

#[test]
fn an_index_is_kept_for_the_targets_that_apply() {
    let tree =
        Tree::new("== apps/v.yaml\nshop: 1.0.0\n== apps/d.yaml\nimage: ghcr.io/acme/shop:1.0.0\n");
    let entries = [PoliciesEntry::unlimited("policies/".parse().unwrap())];
    let mut memory = Memory::default();
    let mut sites = |targets: &str| {
        let app = format!("version: 1\napp: shop\nimage: ghcr.io/acme/shop\n{targets}");
        std::fs::create_dir_all(tree.path().join("policies")).unwrap();
        std::fs::write(tree.path().join("policies/shop.yaml"), app).unwrap();
        let snapshot = Snapshot::take(Source::Folder(tree.path()), &entries, &mut memory).unwrap();
        // What is kept on disk is what was in memory.
        let kept = serde_json::to_vec(&snapshot::pack(&memory.indexes)).unwrap();
        let indexes = snapshot::unpack(serde_json::from_slice(&kept).unwrap());
        assert_eq!(indexes, memory.indexes);
        memory = Memory::of(indexes);
        snapshot.claims.stages.values().map(Vec::len).sum::<usize>()
    };
    let target = "targets: [{file: apps/v.yaml, path: shop, write: tag}]\n";
    assert_eq!(sites(""), 1);
    assert_eq!(sites(target), 2);
    assert_eq!(sites(target), 2);
    assert_eq!(sites("detect: false\n"), 0);
}
