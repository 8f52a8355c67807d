//! How stages reach a site, tree by tree.
//!
//! A tree is a text: a line `== PATH` starts a file. The site asked about is the first of the first
//! file.

use std::sync::Arc;

use super::*;
use crate::git::BlobId;
use crate::manifest;

fn files(tree: &str) -> Vec<IndexedFile> {
    let texts = tree.split("== ").skip(1);
    texts
        .map(|text| {
            let (path, text) = text.split_once('\n').unwrap();
            let format = manifest::format_of(path).unwrap();
            let index = manifest::index(format, text.as_bytes());
            assert_eq!(index.problem, None, "{path}");
            IndexedFile {
                path: path.to_owned(),
                blob: BlobId::of(text.as_bytes()),
                format,
                targets: Vec::new(),
                index: Arc::new(index),
            }
        })
        .collect()
}

/// How a stage over the folder `stage` reaches the site: `not`, `itself`, `through PATH` or
/// `overridden PATH`.
fn reached(tree: &str, stage: &str) -> String {
    let files = files(tree);
    let reach = Reach::of(&files);
    let routes = reach.routes(0, &files[0].index.sites[0]);
    match routes.reached(|path| path.starts_with(stage)) {
        Reached::Not => "not".to_owned(),
        Reached::Itself => "itself".to_owned(),
        Reached::Through(file) => format!("through {}", files[file].path),
        Reached::Overridden(file) => format!("overridden {}", files[file].path),
    }
}

#[track_caller]
fn check(tree: &str, cases: &[(&str, &str)]) {
    for (stage, wanted) in cases {
        assert_eq!(reached(tree, stage), *wanted, "by {stage} in\n{tree}");
    }
}

const BASE: &str =
    "== base/d.yaml\nimage: a/shop:1\n== base/kustomization.yaml\nresources: [d.yaml]\n";

fn with_base(rest: &str) -> String {
    format!("{BASE}{rest}")
}

#[test]
fn a_file_that_nothing_brings_in_is_reached_by_its_path() {
    let tree = "== apps/a.yaml\nimage: a/shop:1\n== other/b.yaml\nimage: a/shop:1\n";
    check(
        tree,
        &[("apps/", "itself"), ("other/", "not"), ("", "itself")],
    );
    let files = files(tree);
    assert!(!Reach::of(&files).is_pulled(0));
}

#[test]
fn overlays_reach_their_base() {
    let tree = with_base(
        "== prod/kustomization.yaml\nresources: [../base]\n\
         == stag/kustomization.yaml\nresources: [../base/]\nimages: [{name: a/shop, newTag: 2}]\n\
         == none/kustomization.yaml\nresources: [x.yaml]\n",
    );
    check(
        &tree,
        &[
            ("prod/", "through prod/kustomization.yaml"),
            ("stag/", "overridden stag/kustomization.yaml"),
            ("none/", "not"),
            // What is brought in isn't applied by itself as well.
            ("base/", "through base/kustomization.yaml"),
            ("base/d", "itself"),
            ("", "through prod/kustomization.yaml"),
        ],
    );
}

#[test]
fn every_way_of_kustomize_to_name_a_file_is_followed() {
    for (key, value) in [
        ("resources", "[../base/d.yaml]"),
        ("bases", "[../base]"),
        ("components", "[../base]"),
        ("patches", "[{path: ../base/d.yaml}]"),
        ("patchesStrategicMerge", "[../base/d.yaml]"),
        ("patchesJson6902", "[{path: ../base/d.yaml}]"),
        ("configurations", "[./../base/./d.yaml]"),
        ("replacements", "[{path: ../base/d.yaml}]"),
        ("resources", "[x.yaml, ../../y, ../base]"),
    ] {
        let tree = with_base(&format!("== prod/kustomization.yaml\n{key}: {value}\n"));
        assert_eq!(
            reached(&tree, "prod/"),
            "through prod/kustomization.yaml",
            "{key}"
        );
    }
    for (key, value) in [
        ("resources", "[../base/e.yaml]"),
        ("resources", "[../../base]"),
        ("resources", "['https://example.com/base']"),
        ("resources", "[/base]"),
        ("patches", "[{path: ../base}]"),
        ("other", "[../base]"),
    ] {
        let tree = with_base(&format!("== prod/kustomization.yaml\n{key}: {value}\n"));
        assert_eq!(reached(&tree, "prod/"), "not", "{key}: {value}");
    }
}

#[test]
fn any_name_of_a_kustomization_will_do() {
    for name in ["kustomization.yaml", "kustomization.yml", "Kustomization"] {
        let tree = format!(
            "== base/d.yaml\nimage: a/shop:1\n== base/{name}\nresources: [d.yaml]\n\
             == prod/{name}\nresources: [../base]\n"
        );
        assert_eq!(reached(&tree, "prod/"), format!("through prod/{name}"));
    }
}

#[test]
fn a_chain_is_followed_and_overridden_anywhere_on_it() {
    let chain = |middle: &str, top: &str| {
        with_base(&format!(
            "== mid/kustomization.yaml\nresources: [../base]\n{middle}\
             == prod/kustomization.yaml\nresources: [../mid]\n{top}"
        ))
    };
    let pin = "images: [{name: a/shop, newTag: 2}]\n";
    let through = "through prod/kustomization.yaml";
    let over = "overridden prod/kustomization.yaml";
    check(&chain("", ""), &[("prod/", through)]);
    check(
        &chain(pin, ""),
        &[
            ("prod/", over),
            ("mid/", "overridden mid/kustomization.yaml"),
        ],
    );
    check(
        &chain("", pin),
        &[("prod/", over), ("mid/", "through mid/kustomization.yaml")],
    );
}

#[test]
fn an_override_names_the_image_to_the_letter_and_sets_a_version() {
    for (images, overridden) in [
        ("[{name: a/shop, newTag: 2}]", true),
        ("[{name: a/shop, newTag: '2'}, {name: x, newTag: 1}]", true),
        ("[{name: a/shop, digest: 'sha256:1'}]", true),
        ("[{name: a/shop, newName: b/shop, newTag: 2}]", true),
        ("[{name: a/shop, newName: b/shop}]", false),
        ("[{name: a/shop, newTag: }]", false),
        ("[{name: a/shop, newTag: ''}]", false),
        ("[{name: a/shop}]", false),
        ("[{name: docker.io/a/shop, newTag: 2}]", false),
        ("[{name: shop, newTag: 2}]", false),
        ("[{name: b/shop, newTag: 2}]", false),
        ("[]", false),
    ] {
        let tree = with_base(&format!(
            "== prod/kustomization.yaml\nresources: [../base]\nimages: {images}\n"
        ));
        let found = reached(&tree, "prod/").starts_with("overridden");
        assert_eq!(found, overridden, "{images}");
    }
}

#[test]
fn a_name_that_is_replaced_on_the_way_is_followed() {
    let tree = with_base(
        "== mid/kustomization.yaml\nresources: [../base]\n\
         images: [{name: a/shop, newName: b/shop}]\n\
         == new/kustomization.yaml\nresources: [../mid]\nimages: [{name: b/shop, newTag: 2}]\n\
         == old/kustomization.yaml\nresources: [../mid]\nimages: [{name: a/shop, newTag: 2}]\n",
    );
    check(
        &tree,
        &[
            ("new/", "overridden new/kustomization.yaml"),
            ("old/", "through old/kustomization.yaml"),
        ],
    );
}

#[test]
fn one_way_without_an_override_is_enough_to_count() {
    let tree = with_base(
        "== prod/a/kustomization.yaml\nresources: [../../base]\nimages: [{name: a/shop, newTag: 2}]\n\
         == prod/b/kustomization.yaml\nresources: [../../base]\n",
    );
    check(&tree, &[("prod/", "through prod/b/kustomization.yaml")]);
    let diamond = with_base(
        "== l/kustomization.yaml\nresources: [../base]\nimages: [{name: a/shop, newTag: 2}]\n\
         == r/kustomization.yaml\nresources: [../base]\n\
         == prod/kustomization.yaml\nresources: [../l, ../r]\n",
    );
    check(&diamond, &[("prod/", "through prod/kustomization.yaml")]);
}

#[test]
fn cycles_end() {
    let tree = with_base(
        "== x/kustomization.yaml\nresources: [../y, ../base]\n\
         == y/kustomization.yaml\nresources: [../x]\n",
    );
    check(
        &tree,
        &[
            ("x/", "through x/kustomization.yaml"),
            ("y/", "through y/kustomization.yaml"),
        ],
    );
    let all = "== x/kustomization.yaml\nresources: [../y]\nimages: [{name: a/shop, newTag: 1}]\n\
               == y/kustomization.yaml\nresources: [../x]\n";
    check(
        all,
        &[("", "itself"), ("y/", "through y/kustomization.yaml")],
    );
    let itself = "== x/kustomization.yaml\nresources: [., ../x, kustomization.yaml]\n\
                  images: [{name: a/shop, newTag: 1}]\n";
    check(itself, &[("x/", "itself")]);
}

#[test]
fn the_entry_of_an_overlay_counts_for_itself() {
    let tree = "== prod/kustomization.yaml\nresources: [../base]\n\
                images: [{name: a/shop, newTag: 1}]\n\
                == base/kustomization.yaml\nresources: [d.yaml]\n== base/d.yaml\nimage: a/shop:1\n";
    check(tree, &[("prod/", "itself"), ("base/", "not")]);
    // An entry below another of the same name is set again.
    let below = "== base/kustomization.yaml\nimages: [{name: x, newName: a/shop, newTag: 1}]\n\
                 == prod/kustomization.yaml\nresources: [../base]\n\
                 images: [{name: a/shop, newTag: 2}]\n";
    check(below, &[("prod/", "overridden prod/kustomization.yaml")]);
}

fn flux(path: &str, more: &str) -> String {
    format!(
        "apiVersion: kustomize.toolkit.fluxcd.io/v1\nkind: Kustomization\nspec:\n  path: {path}\n  \
         sourceRef: {{kind: GitRepository}}\n{more}"
    )
}

#[test]
fn flux_applies_a_folder() {
    let apply = |path: &str, more: &str| format!("== clusters/prod/a.yaml\n{}", flux(path, more));
    let base = with_base(&apply("./base", ""));
    check(&base, &[("clusters/prod/", "through clusters/prod/a.yaml")]);
    let pinned = with_base(&apply("base/", "  images: [{name: a/shop, newTag: 2}]\n"));
    check(
        &pinned,
        &[("clusters/prod/", "overridden clusters/prod/a.yaml")],
    );
    // Without a kustomization, all files below.
    let deep = "== apps/x/y/d.yaml\nimage: a/shop:1\n";
    let plain = format!("{deep}{}", apply("./apps", ""));
    check(
        &plain,
        &[("clusters/prod/", "through clusters/prod/a.yaml")],
    );
    let root = format!("{deep}{}", apply("./", ""));
    check(&root, &[("clusters/prod/", "through clusters/prod/a.yaml")]);
    let other = format!("{deep}{}", apply("./app", ""));
    check(&other, &[("clusters/prod/", "not")]);
    // With one, only what it lists.
    let listed = format!(
        "{deep}== apps/kustomization.yaml\nresources: [z]\n{}",
        apply("apps", "")
    );
    check(&listed, &[("clusters/prod/", "not")]);
}

fn argo(source: &str) -> String {
    format!(
        "== argo/prod.yaml\napiVersion: argoproj.io/v1alpha1\nkind: Application\nspec:\n  source: {source}\n"
    )
}

#[test]
fn argo_cd_applies_a_folder() {
    let through = "through argo/prod.yaml";
    for (files, source, wanted) in [
        ("== apps/d.yaml\nimage: a/shop:1\n", "{path: apps}", through),
        ("== apps/x/d.yaml\nimage: a/shop:1\n", "{path: apps}", "not"),
        (
            "== apps/x/d.yaml\nimage: a/shop:1\n",
            "{path: apps, directory: {recurse: true}}",
            through,
        ),
        (
            "== apps/x/d.yaml\nimage: a/shop:1\n",
            "{path: 'apps/{{x}}'}",
            "not",
        ),
        (BASE, "{path: base}", through),
        (
            BASE,
            "{path: base, kustomize: {images: ['a/shop:2']}}",
            "overridden argo/prod.yaml",
        ),
        (
            BASE,
            "{path: base, kustomize: {images: ['a/shop=b/shop']}}",
            through,
        ),
        (
            "== c/templates/d.yaml\nimage: a/shop:1\n== c/Chart.yaml\nname: c\n",
            "{path: c}",
            through,
        ),
    ] {
        let tree = format!("{files}{}", argo(source));
        assert_eq!(reached(&tree, "argo/"), wanted, "{files}{source}");
    }
}

/// A chart whose values name the image once, read from `c/values.yaml`.
const CHART: &str = "== c/values.yaml\nimage: a/shop:1\n== c/Chart.yaml\nname: c\n";

#[test]
fn charts_are_reached_with_all_their_files_and_dependencies() {
    let tree = format!(
        "{CHART}== d/Chart.yaml\nname: d\ndependencies: [{{name: c, repository: 'file://../c'}}]\n{}",
        argo("{path: d}")
    );
    check(
        &tree,
        &[
            ("argo/", "through argo/prod.yaml"),
            ("d/", "through d/Chart.yaml"),
        ],
    );
    let helm = format!(
        "{CHART}== rel/a.yaml\napiVersion: helm.toolkit.fluxcd.io/v2\nkind: HelmRelease\nspec:\n  \
         chart: {{spec: {{chart: ./c, sourceRef: {{kind: GitRepository}}}}}}\n"
    );
    check(&helm, &[("rel/", "through rel/a.yaml")]);
    let inflated = format!(
        "{CHART}== prod/kustomization.yaml\nhelmGlobals: {{chartHome: ..}}\nhelmCharts: [{{name: c}}]\n"
    );
    check(&inflated, &[("prod/", "through prod/kustomization.yaml")]);
}

#[test]
fn later_value_files_override_earlier_ones() {
    let over = "overridden argo/prod.yaml";
    let through = "through argo/prod.yaml";
    let prod = "== c/prod.yaml\nimage: a/shop:2\n";
    let other = "== c/other.yaml\nimage: a/cart:2\n";
    for (files, source, wanted) in [
        (prod, "{path: c, helm: {valueFiles: [prod.yaml]}}", over),
        (
            prod,
            "{path: c, helm: {valueFiles: [prod.yaml, values.yaml]}}",
            over,
        ),
        (prod, "{path: c}", through),
        (
            other,
            "{path: c, helm: {valueFiles: [other.yaml]}}",
            through,
        ),
        (
            "== c/prod.yaml\nimage: a/shop\n",
            "{path: c, helm: {valueFiles: [prod.yaml]}}",
            through,
        ),
    ] {
        let tree = format!("{CHART}{files}{}", argo(source));
        assert_eq!(reached(&tree, "argo/"), wanted, "{files}{source}");
    }
    // A value that is there twice may be overridden at one place only.
    let twice = CHART.replace(
        "image: a/shop:1\n",
        "image: a/shop:1\nb: {image: a/shop:1}\n",
    );
    let source = argo("{path: c, helm: {valueFiles: [prod.yaml]}}");
    assert_eq!(reached(&format!("{twice}{prod}{source}"), "argo/"), through);
    // The later file is the one that counts.
    let later = format!("{prod}{CHART}{source}");
    assert_eq!(reached(&later, "argo/"), through);
    // A template of the chart isn't a value.
    let template = format!("== c/t/d.yaml\nimage: a/shop:1\n{CHART}{prod}{source}");
    assert_eq!(reached(&template, "argo/"), through);
}

#[test]
fn value_files_are_found_from_the_root_and_from_other_sources() {
    let values = "== env/prod.yaml\nimage: a/shop:1\n";
    for source in [
        "{path: c, helm: {valueFiles: [/env/prod.yaml]}}",
        "{path: c, helm: {valueFiles: [../env/prod.yaml]}}",
        "{chart: x, helm: {valueFiles: [$values/env/prod.yaml]}}",
    ] {
        let tree = format!("{values}{}", argo(source));
        assert_eq!(
            reached(&tree, "argo/"),
            "through argo/prod.yaml",
            "{source}"
        );
    }
}

#[test]
fn patches_are_seen_but_not_trusted() {
    let tree = with_base(
        "== prod/kustomization.yaml\nresources: [../base]\npatches: [{path: p.yaml}]\n\
         == prod/p.yaml\nimage: a/shop:2\n",
    );
    check(&tree, &[("prod/", "through prod/kustomization.yaml")]);
    let files = files(&tree);
    let reach = Reach::of(&files);
    assert!(reach.routes(0, &files[0].index.sites[0]).patched);
    assert!(!reach.routes(3, &files[3].index.sites[0]).patched);
}

#[test]
fn a_placeholder_is_overridden_everywhere_or_not() {
    let whole = |tree: &str| {
        let files = files(tree);
        let reach = Reach::of(&files);
        reach.routes(0, &files[0].index.sites[0]).is_overridden()
    };
    let pinned = "== prod/kustomization.yaml\nresources: [../base]\n\
                  images: [{name: a/shop, newName: b, newTag: 2}]\n";
    assert!(whole(&with_base(pinned)));
    let other = "== stag/kustomization.yaml\nresources: [../base]\n";
    assert!(!whole(&with_base(&format!("{pinned}{other}"))));
    assert!(!whole(BASE));
}

#[test]
fn references_stay_inside_the_repository() {
    for (file, reference, wanted) in [
        ("a/b/c.yaml", "d.yaml", Some("a/b/d.yaml")),
        ("a/b/c.yaml", "./d//e/./f/", Some("a/b/d/e/f")),
        ("a/b/c.yaml", "../../d", Some("d")),
        ("a/b/c.yaml", "../..", Some("")),
        ("a/b/c.yaml", ".", Some("a/b")),
        ("a/b/c.yaml", "/x/../y", Some("y")),
        ("c.yaml", "d", Some("d")),
        ("a/b/c.yaml", "../../../d", None),
        ("c.yaml", "../d", None),
        ("c.yaml", "/../d", None),
    ] {
        assert_eq!(
            resolve(file, reference).as_deref(),
            wanted,
            "{file} {reference}"
        );
    }
}
