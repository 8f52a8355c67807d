//! Sites that several stages reach, tree by tree.

use super::*;

const BASE: [(&str, &str); 2] = [
    ("base/d.yaml", "image: ghcr.io/acme/shop:1.0.0\n"),
    ("base/kustomization.yaml", "resources: [d.yaml]\n"),
];

/// The overlay of a stage over the base, with its own tag or without.
fn overlay(tag: Option<&str>) -> String {
    let images = tag.map_or(String::new(), |tag| {
        format!("images: [{{name: ghcr.io/acme/shop, newTag: {tag}}}]\n")
    });
    format!("resources: [../base]\n{images}")
}

/// The claims on a base whose overlays have these tags, with `paths` for staging.
fn shared(paths: &str, staging: Option<&str>, production: Option<&str>) -> Vec<String> {
    let app = SHOP.replace("[staging/**]", paths);
    let (staging, production) = (overlay(staging), overlay(production));
    let mut files = BASE.to_vec();
    files.push(("production/kustomization.yaml", &production));
    files.push(("staging/kustomization.yaml", &staging));
    told(&[&app], &files)
}

#[test]
fn a_base_outside_all_paths_is_nobodys() {
    let found = shared("[staging/**]", Some("2.0.0"), Some("1.0.0"));
    assert_eq!(
        found,
        [
            "shop/staging staging/kustomization.yaml:2",
            "shop/production production/kustomization.yaml:2",
        ]
    );
    let found = shared("[staging/**]", Some("2.0.0"), None);
    assert_eq!(found.len(), 2, "{found:?}");
    let wanted = "base/d.yaml:1:8: warning: read by shop/production through \
                  production/kustomization.yaml, but outside the stage's paths; nobody writes this \
                  site";
    assert!(found[1].starts_with(wanted), "{found:?}");
}

#[test]
fn a_site_that_another_stage_reads_is_told_with_both_paths() {
    let found = shared("[staging/**, base/**]", None, None);
    assert_eq!(found[0], "shop/staging base/d.yaml:1");
    let wanted = "base/d.yaml:1:8: warning: also read by shop/production through \
                  production/kustomization.yaml, which takes it as it is: written only while both \
                  get the same tag";
    assert!(found[1].starts_with(wanted), "{found:?}");
    assert_eq!(found.len(), 2);
    // The other stage puts a tag of its own over it.
    let found = shared("[staging/**, base/**]", None, Some("1.0.0"));
    let wanted = [
        "shop/staging base/d.yaml:1",
        "shop/production production/kustomization.yaml:2",
    ];
    assert_eq!(found, wanted);
}

#[test]
fn a_site_that_its_own_stage_overrides_does_not_count() {
    let text = "image: ghcr.io/acme/shop\n";
    let (staging, production) = (overlay(Some("2.0.0")), overlay(Some("1.0.0")));
    let app = SHOP.replace("[staging/**]", "[staging/**, base/**]");
    let claims = |production: &str| {
        let files = [
            file("base/d.yaml", text),
            file("base/kustomization.yaml", BASE[1].1),
            file("production/kustomization.yaml", production),
            file("staging/kustomization.yaml", &staging),
        ];
        let (apps, entries) = apps(&[&app]);
        claim(&apps, &entries, &files)
    };
    let base = SiteRef { file: 0, site: 0 };
    let both = claims(&production);
    assert_eq!(both.overridden.iter().collect::<Vec<_>>(), [&base]);
    assert!(both.shared.is_empty() && both.diagnostics.is_empty());
    let key = StageKey { app: 0, stage: 0 };
    assert_eq!(both.stages[&key].len(), 2);
    // What another stage reads is not written for one that doesn't need it.
    let one = claims(&overlay(None));
    assert!(!one.stages[&key].contains(&base) && one.overridden.is_empty());
    assert!(
        one.diagnostics[0]
            .message
            .contains("read by shop/production")
    );
}

#[test]
fn stages_that_all_override_do_not_contest_a_base() {
    let app = SHOP
        .replace("[staging/**]", "[staging/**, base/**]")
        .replace("[production/**]", "[production/**, base/**]");
    let claims = |production: Option<&str>| {
        let (staging, production) = (overlay(Some("2.0.0")), overlay(production));
        let mut files = BASE.to_vec();
        files.push(("production/kustomization.yaml", &production));
        files.push(("staging/kustomization.yaml", &staging));
        told(&[&app], &files)
    };
    let both = claims(Some("1.0.0"));
    assert_eq!(both.len(), 2, "{both:?}");
    assert!(
        both[1].starts_with("shop/production production/"),
        "{both:?}"
    );
    let one = claims(None);
    assert!(one[1].contains("claimed by shop/staging"), "{one:?}");
}

#[test]
fn stages_of_every_app_that_watches_the_image_count_as_readers() {
    let staging = "version: 1\napp: shop\nimage: ghcr.io/acme/shop\n\
                   stages: [{name: s, paths: [staging/**, base/**]}]\n";
    let other = |image: &str| {
        format!(
            "version: 1\napp: other\nimage: ghcr.io/acme/{image}\n\
             stages: [{{name: p, paths: [production/**]}}]\n"
        )
    };
    let tree = |image: &str| {
        let overlay = overlay(None);
        let mut files = BASE.to_vec();
        files.push(("production/kustomization.yaml", &overlay));
        told(&[staging, &other(image)], &files)
    };
    let same = tree("shop");
    assert!(
        same[1].contains("also read by other/p through production/"),
        "{same:?}"
    );
    assert_eq!(tree("cart"), ["shop/s base/d.yaml:1"]);
}

#[test]
fn a_marker_for_one_stage_does_not_stop_others_from_reading() {
    let app = SHOP.replace("[staging/**]", "[staging/**, base/**]");
    let overlay = overlay(None);
    let files = |marker: &str| {
        let text = format!("image: ghcr.io/acme/shop:1.0.0 # tagwright: {marker}\n");
        told(
            &[&app],
            &[
                ("base/d.yaml", &text),
                ("base/kustomization.yaml", BASE[1].1),
                ("production/kustomization.yaml", &overlay),
            ],
        )
    };
    for marker in ["shop", "shop/staging"] {
        let found = files(marker);
        assert_eq!(found[0], "shop/staging base/d.yaml:1");
        assert!(
            found[1].contains("also read by shop/production"),
            "{found:?}"
        );
    }
    // Side by side in one file, each for its stage, is what such markers are for.
    let both = SHOP
        .replace("[staging/**]", "[v/**]")
        .replace("[production/**]", "[v/**]");
    let values =
        "s: 1.0.0 # tagwright: shop/staging:tag\np: 1.0.0 # tagwright: shop/production:tag\n";
    let found = told(&[&both], &[("v/a.yaml", values)]);
    assert_eq!(
        found,
        ["shop/staging v/a.yaml:1", "shop/production v/a.yaml:2"]
    );
}

#[test]
fn a_placeholder_that_overlays_replace_is_not_unmanaged() {
    let overlay =
        "resources: [../base]\nimages: [{name: shop, newName: ghcr.io/acme/shop, newTag: 1.0.0}]\n";
    let (apps, entries) = apps(&[SHOP]);
    let mut files = vec![
        file("base/d.yaml", "image: shop\n"),
        file("base/kustomization.yaml", BASE[1].1),
        file("staging/kustomization.yaml", overlay),
    ];
    assert_eq!(claim(&apps, &entries, &files).unmanaged, []);
    files.push(file("other/kustomization.yaml", "resources: [../base]\n"));
    let claims = claim(&apps, &entries, &files);
    assert_eq!(claims.unmanaged, [SiteRef { file: 0, site: 0 }]);
}

#[test]
fn a_patch_makes_a_base_somebodys_business() {
    let overlay = "resources: [../base]\npatches: [{path: p.yaml}]\n";
    let mut files = BASE.to_vec();
    files.push(("staging/kustomization.yaml", overlay));
    files.push(("staging/p.yaml", "image: ghcr.io/acme/shop:1.1.0\n"));
    assert_eq!(told(&[SHOP], &files), ["shop/staging staging/p.yaml:1"]);
}
