//! What is proposed, tree by tree.
//!
//! A tree is a text: a line `== PATH` starts a file.

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
            IndexedFile {
                path: path.to_owned(),
                blob: BlobId::of(text.as_bytes()),
                format,
                targets: Vec::new(),
                index: Arc::new(manifest::index(format, text.as_bytes())),
            }
        })
        .collect()
}

fn proposed(tree: &str, existing: &[&str], wanted: &Wanted) -> Proposal {
    let entries = [PoliciesEntry::unlimited("policies/".parse().unwrap())];
    let paths: Vec<String> = (0..existing.len())
        .map(|number| format!("policies/{number}.yaml"))
        .collect();
    let texts: Vec<PolicyFile<'_>> = existing
        .iter()
        .zip(&paths)
        .map(|(text, path)| PolicyFile {
            path,
            text,
            blob: "b",
        })
        .collect();
    let loaded = config::apps(&entries[0], &texts);
    assert_eq!(loaded.diagnostics, []);
    let files = files(tree);
    let ground = Ground {
        apps: &loaded.apps,
        entries: &entries,
        files: &files,
    };
    let proposal = propose(ground, wanted);
    for app in &proposal.apps {
        let file = PolicyFile {
            path: &app.file,
            text: &app.text,
            blob: "b",
        };
        let read = config::apps(&entries[0], &[file]);
        assert_eq!(read.diagnostics, [], "{}", app.text);
        assert!(app.stages.iter().all(|stage| !stage.sites.is_empty()));
    }
    proposal
}

/// The stages as `APP/STAGE PATHS: FILE:LINE…`, then what is left out, `FILE:LINE xCOUNT REASON`.
fn told(tree: &str) -> Vec<String> {
    let files = files(tree);
    let proposal = proposed(tree, &[], &Wanted::Own);
    let stages = proposal.apps.iter().flat_map(|app| {
        let files = &files;
        app.stages.iter().map(move |stage| {
            let sites: Vec<String> = stage
                .sites
                .iter()
                .map(|site| {
                    let file = &files[site.file];
                    let line = file.index.sites[site.site].position.line;
                    format!("{}:{line}", file.path)
                })
                .collect();
            let paths = stage.paths.join(",");
            format!("{}/{} {paths}: {}", app.name, stage.name, sites.join(" "))
        })
    });
    let left = proposal.left_out.iter().map(|left| {
        let line = left.position.line;
        format!("{}:{line} x{} {}", left.file, left.count, left.reason)
    });
    stages.chain(left).collect()
}

fn texts(tree: &str) -> Vec<String> {
    let proposal = proposed(tree, &[], &Wanted::Own);
    proposal.apps.into_iter().map(|app| app.text).collect()
}

#[test]
fn folders_of_environments_are_stages() {
    let tree = "== apps/staging/shop.yaml\nimage: ghcr.io/acme/shop:6.1.9\n\
                == apps/production/shop.yaml\nimage: ghcr.io/acme/shop:6.0.3\n";
    let text = "# yaml-language-server: $schema=app.schema.json
version: 1
app: shop
image: ghcr.io/acme/shop
tags:
  semver: \">=6.0.0 <7.0.0\"
stages:
  - name: staging
    paths: [apps/staging/**]
  - name: production
    paths: [apps/production/**]
";
    assert_eq!(texts(tree), [text]);
    assert_eq!(
        told(tree),
        [
            "shop/staging apps/staging/**: apps/staging/shop.yaml:1",
            "shop/production apps/production/**: apps/production/shop.yaml:1",
        ]
    );
}

#[test]
fn without_environments_there_is_one_app_over_everything() {
    let tree =
        "== a.yaml\nimage: ghcr.io/acme/shop:1.2.0\n== x/b.yaml\nimage: ghcr.io/acme/shop:1.1.0\n";
    let text = "# yaml-language-server: $schema=app.schema.json
version: 1
app: shop
image: ghcr.io/acme/shop
# default has 1.1.0, 1.2.0: the highest counts, and the others are brought to it.
tags:
  semver: \">=1.0.0 <2.0.0\"
# No `stages`: one stage over the whole repository.
";
    assert_eq!(texts(tree), [text]);
    assert_eq!(told(tree), ["shop/default **: a.yaml:1 x/b.yaml:1"]);
}

const PLACEHOLDER: &str = "== base/d.yaml\nimage: shop\n== base/kustomization.yaml\nresources: [d.yaml]\n\
     == overlays/dev/kustomization.yaml\nresources: [../../base]\n\
     images: [{name: shop, newName: ghcr.io/acme/shop, newTag: 1.3.0}]\n\
     == overlays/prod/kustomization.yaml\nresources: [../../base]\n\
     images: [{name: shop, newName: ghcr.io/acme/shop, newTag: 1.2.0}]\n";

#[test]
fn a_placeholder_in_a_base_is_left_to_its_overlays() {
    assert_eq!(
        told(PLACEHOLDER),
        [
            "shop/dev overlays/dev/**: overlays/dev/kustomization.yaml:2",
            "shop/prod overlays/prod/**: overlays/prod/kustomization.yaml:2",
            "base/d.yaml:1 x1 overridden by whatever brings it in, so its value doesn't count",
        ]
    );
}

/// A base with a tag, and overlays with these `images` entries and other files.
fn overlays(dev: &str, prod: &str, more: &str) -> String {
    let overlay = |name: &str, set: &str| {
        let images = match set {
            "" => String::new(),
            tag => format!("images: [{{name: ghcr.io/acme/shop, newTag: {tag}}}]\n"),
        };
        format!("== overlays/{name}/kustomization.yaml\nresources: [../../base]\n{images}")
    };
    format!(
        "== base/d.yaml\nimage: ghcr.io/acme/shop:1.0.0\n== base/kustomization.yaml\n\
         resources: [d.yaml]\n{}{}{more}",
        overlay("dev", dev),
        overlay("prod", prod)
    )
}

#[test]
fn a_base_that_all_overlays_take_is_one_stage() {
    assert_eq!(
        told(&overlays("", "", "")),
        ["shop/default **: base/d.yaml:1"]
    );
}

#[test]
fn a_base_that_one_overlay_takes_is_that_stage_s() {
    let cron = "== overlays/dev/cron.yaml\nimage: ghcr.io/acme/shop:1.0.0\n";
    assert_eq!(
        told(&overlays("", "1.0.0", cron)),
        [
            "shop/dev base/d.yaml,overlays/dev/**: base/d.yaml:1 overlays/dev/cron.yaml:1",
            "shop/prod overlays/prod/**: overlays/prod/kustomization.yaml:2",
        ]
    );
}

#[test]
fn a_base_that_several_stages_take_is_left_out() {
    let cron = "== overlays/dev/cron.yaml\nimage: ghcr.io/acme/shop:1.0.0\n\
                == overlays/prod/cron.yaml\nimage: ghcr.io/acme/shop:1.0.0\n";
    let found = told(&overlays("", "", cron));
    assert_eq!(found.len(), 3, "{found:?}");
    let wanted = "base/d.yaml:1 x1 read by dev and prod, so it can't move for one of them alone; set \
                  the tag in `images` of each one's kustomization, or in its own values";
    assert_eq!(found[2], wanted);
}

#[test]
fn places_beside_the_environments_are_a_stage_of_their_own() {
    let tree = "== tools/cron.yaml\nimage: ghcr.io/acme/shop:1.0.0\n\
                == prod/d.yaml\nimage: ghcr.io/acme/shop:1.0.0\n";
    assert_eq!(
        told(tree),
        [
            "shop/prod prod/**: prod/d.yaml:1",
            "shop/default tools/cron.yaml: tools/cron.yaml:1",
        ]
    );
}

#[test]
fn a_flux_marker_is_the_apps() {
    let marker = "# {\"$imagepolicy\": \"flux-system:checkout\"}";
    let tag = "# {\"$imagepolicy\": \"flux-system:checkout:tag\"}";
    let tree = format!(
        "== staging/d.yaml\nimage: ghcr.io/acme/shop:1.0.0 {marker}\n\
         == staging/v.yaml\nversion: 1.0.0 {tag}\n\
         == staging/policy.yaml\napiVersion: image.toolkit.fluxcd.io/v1\nkind: ImageRepository\n\
         spec:\n  image: ghcr.io/acme/shop\n"
    );
    assert_eq!(
        told(&tree),
        ["checkout/staging staging/**: staging/d.yaml:1 staging/v.yaml:1"]
    );
    let text = &texts(&tree)[0];
    assert!(text.contains("\nmarker: flux-system:checkout\n"), "{text}");
}

#[test]
fn an_image_with_several_markers_has_several_apps() {
    let site = |stage: &str, tag: &str| {
        format!(
            "== {stage}/d.yaml\nimage: ghcr.io/acme/shop:{tag} # {{\"$imagepolicy\": \"apps:shop-{stage}\"}}\n"
        )
    };
    let tree = format!(
        "{}{}== other/d.yaml\nimage: ghcr.io/acme/shop:1.0.0\n",
        site("prod", "1.0.0"),
        site("dev", "1.1.0")
    );
    assert_eq!(
        told(&tree),
        [
            "shop-dev/dev dev/**: dev/d.yaml:1",
            "shop-prod/prod prod/**: prod/d.yaml:1",
            "other/d.yaml:1 x1 the image has markers of several policies, and this place has none; \
             mark it",
        ]
    );
    assert!(texts(&tree)[0].contains("detect: false"));
}

#[test]
fn markers_without_an_image_need_a_person() {
    let lone = "== a.yaml\nversion: 1.0.0 # {\"$imagepolicy\": \"flux-system:shop:tag\"}\n";
    let found = told(lone);
    assert_eq!(found.len(), 1);
    assert!(
        found[0].contains("nothing says which image it is"),
        "{found:?}"
    );
    // An app of that name answers to it.
    let named = format!("{lone}== b.yaml\nimage: ghcr.io/acme/shop:1.0.0\n");
    assert_eq!(told(&named), ["shop/default **: a.yaml:1 b.yaml:1"]);
}

#[test]
fn marked_tags_of_releases_are_stages_of_the_image_that_is_called_like_them() {
    let tag = "# {\"$imagepolicy\": \"flux-system:cart:tag\"}";
    let release = |stage: &str| {
        format!(
            "== clusters/{stage}/cart.yaml\nkind: HelmRelease\napiVersion: helm.toolkit.fluxcd.io/v2\n\
             spec:\n  chart: {{spec: {{chart: charts/cart, sourceRef: {{kind: GitRepository}}}}}}\n  \
             values:\n    image:\n      tag: 2.0.1 {tag}\n"
        )
    };
    let tree = format!(
        "{}{}== charts/cart/Chart.yaml\nname: cart\n\
         == charts/cart/values.yaml\nimage:\n  repository: ghcr.io/acme/cart\n  tag: 2.0.0\n",
        release("staging"),
        release("production")
    );
    let found = told(&tree);
    assert_eq!(
        found[..2],
        [
            "cart/staging clusters/staging/**: clusters/staging/cart.yaml:7",
            "cart/production clusters/production/**: clusters/production/cart.yaml:7",
        ]
    );
    assert!(
        found[2].contains("read by staging and production"),
        "{found:?}"
    );
}

#[test]
fn tags_without_order_are_noted_and_stages_keep_their_own_order() {
    let tree = "== dev/d.yaml\nimage: ghcr.io/acme/shop:latest\n\
                == staging/d.yaml\nimage: ghcr.io/acme/shop:7.0.0-rc.1\n\
                == prod/d.yaml\nimage: ghcr.io/acme/shop:6.1.0\n";
    let text = &texts(tree)[0];
    let wanted = "# dev runs latest, which has no place in this order: it stays until you write a \
                  version there, or add `unordered: replace`.
tags:
  semver: \">=6.0.0 <7.0.0\"
stages:
  - name: dev
    paths: [dev/**]
  - name: staging
    paths: [staging/**]
    tags:
      semver: \">=7.0.0 <8.0.0\"
      prereleases: true
  - name: prod
    paths: [prod/**]
";
    assert!(text.ends_with(wanted), "{text}");
}

#[test]
fn only_wanted_images_are_proposed() {
    let tree = "== a.yaml\na: {image: 'nginx:1.25.0'}\nb: {image: 'nginx:1.25.1'}\n\
                c: {image: 'ghcr.io/acme/shop:1.0.0'}\nd: {image: 'registry.k8s.io/pause:3.9'}\n\
                e: {image: 'redis:7.0.0'} # tagwright: cache\n";
    let names = |wanted: &Wanted| -> Vec<String> {
        let proposal = proposed(tree, &[], wanted);
        proposal.apps.into_iter().map(|app| app.name).collect()
    };
    assert_eq!(names(&Wanted::Own), ["cache", "shop"]);
    assert_eq!(names(&Wanted::All), ["cache", "nginx", "pause", "shop"]);
    let globs = ImageGlobs::parse(&["nginx"]).unwrap();
    assert_eq!(names(&Wanted::These(globs)), ["nginx"]);
    let left = told(tree);
    let wanted = "a.yaml:1 x2 an image of a public library; `--image GLOB` or `--all` takes it in";
    assert!(left.contains(&wanted.to_owned()), "{left:?}");
}

#[test]
fn what_apps_manage_already_is_passed_over() {
    let tree = "== a.yaml\na: {image: 'ghcr.io/acme/shop:1.0.0'}\nb: {image: 'ghcr.io/acme/cart:1.0.0'}\n\
                c: 1.0.0 # tagwright: shop:tag\n";
    let shop = "version: 1\napp: cart\nimage: ghcr.io/acme/shop\n";
    let proposal = proposed(tree, &[shop], &Wanted::Own);
    assert_eq!(proposal.apps.len(), 1);
    assert_eq!(proposal.apps[0].name, "acme-cart");
    assert_eq!(proposal.apps[0].file, "policies/acme-cart.yaml");
}

#[test]
fn files_that_cannot_be_read_are_left_out_of_the_paths() {
    let tree = "== prod/d.yaml\nimage: ghcr.io/acme/shop:1.0.0\n\
                == prod/chart/templates/d.yaml\nimage: {{ .Values.image }} {{ x }}\n\
                == prod/chart/templates/e.yaml\n{{ if x }}\nimage: ghcr.io/acme/shop:1\n{{ end }}\n\
                == prod/b.yaml\nimage: [\n";
    let found = told(tree);
    assert_eq!(found[0], "shop/prod prod/**: prod/d.yaml:1");
    assert!(
        found[1].starts_with("prod/b.yaml:") && found[1].contains("not read: "),
        "{found:?}"
    );
    let text = &texts(tree)[0];
    let wanted = "    exclude: [prod/b.yaml, prod/chart/templates/**]\n";
    assert!(text.contains(wanted), "{text}");
    let whole = tree.replace("prod/", "x/");
    let text = &texts(&whole)[0];
    assert!(
        text.contains("    paths: [\"**\"]\n    exclude: [x/b.yaml, "),
        "{text}"
    );
}

#[test]
fn nothing_is_proposed_for_nothing() {
    assert!(told("== a.yaml\na: b\n").is_empty());
    assert!(told("== a.yaml\nimage: ghcr.io/acme/shop:1 # tagwright: ignore\n").is_empty());
}
