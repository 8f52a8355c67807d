//! Who owns which site, case by case.

mod shared;
mod targets;

use super::*;
use crate::config::{self, PolicyFile};
use crate::manifest;

const SHOP: &str = "version: 1
app: shop
image: ghcr.io/acme/shop
stages:
  - {name: staging, paths: [staging/**]}
  - {name: production, paths: [production/**]}
";

fn apps(texts: &[&str]) -> (Vec<App>, Vec<PoliciesEntry>) {
    let entry = PoliciesEntry::unlimited("policies/".parse().unwrap());
    let paths: Vec<String> = (0..texts.len())
        .map(|number| format!("policies/{number}.yaml"))
        .collect();
    let files: Vec<PolicyFile<'_>> = texts
        .iter()
        .zip(&paths)
        .map(|(text, path)| PolicyFile {
            path,
            text,
            blob: "b",
        })
        .collect();
    let loaded = config::apps(&entry, &files);
    assert_eq!(loaded.diagnostics, []);
    (loaded.apps, vec![entry])
}

fn file(path: &str, text: &str) -> IndexedFile {
    let format = manifest::format_of(path).unwrap();
    IndexedFile {
        path: path.to_owned(),
        blob: BlobId::of(text.as_bytes()),
        format,
        targets: Vec::new(),
        index: Arc::new(manifest::index(format, text.as_bytes())),
    }
}

/// Claims as text: `app/stage path:line` for each owned site, then what was told.
fn told(texts: &[&str], files: &[(&str, &str)]) -> Vec<String> {
    let (apps, entries) = apps(texts);
    let files: Vec<IndexedFile> = files.iter().map(|(path, text)| file(path, text)).collect();
    let claims = claim(&apps, &entries, &files);
    let contested = claims
        .diagnostics
        .iter()
        .filter(|told| told.message.starts_with("claimed by"));
    assert_eq!(contested.count() > 0, !claims.contested.is_empty());
    let owned = claims.stages.iter().flat_map(|(key, sites)| {
        let app = &apps[key.app];
        let name = format!("{}/{}", app.name, app.stages[key.stage].name);
        let files = &files;
        sites.iter().map(move |site| {
            let file = &files[site.file];
            let line = file.index.sites[site.site].position.line;
            format!("{name} {}:{line}", file.path)
        })
    });
    let diagnostics = claims.diagnostics.iter().map(ToString::to_string);
    owned.chain(diagnostics).collect()
}

#[test]
fn sites_go_to_the_stage_whose_paths_reach_them() {
    let site = "image: ghcr.io/acme/shop:1.0.0\n";
    let found = told(
        &[SHOP],
        &[
            ("production/a.yaml", site),
            ("staging/a.yaml", site),
            ("elsewhere/a.yaml", site),
            ("staging/other.yaml", "image: ghcr.io/acme/cart:1.0.0\n"),
            (
                "staging/ignored.yaml",
                "image: ghcr.io/acme/shop:1 # tagwright: ignore\n",
            ),
            (
                "staging/whole.yaml",
                "# tagwright: ignore\nimage: ghcr.io/acme/shop:1\n",
            ),
        ],
    );
    assert_eq!(
        found,
        [
            "shop/staging staging/a.yaml:1",
            "shop/production production/a.yaml:1"
        ]
    );
}

#[test]
fn a_marker_outranks_detection() {
    let cart = "version: 1\napp: cart\nimage: ghcr.io/acme/cart\n";
    let found = told(
        &[SHOP, cart],
        &[(
            "staging/a.yaml",
            "image: ghcr.io/acme/shop:1.0.0 # tagwright: cart\n",
        )],
    );
    assert_eq!(found, ["cart/default staging/a.yaml:1"]);
}

#[test]
fn a_marker_may_name_the_stage_among_several() {
    let both = "version: 1
app: shop
image: ghcr.io/acme/shop
stages:
  - {name: a, paths: [x/**]}
  - {name: b, paths: [x/**]}
";
    let named = told(
        &[both],
        &[("x/1.yaml", "tag: 1.0.0 # tagwright: shop/b:tag\n")],
    );
    assert_eq!(named, ["shop/b x/1.yaml:1"]);
    let open = told(
        &[both],
        &[("x/1.yaml", "tag: 1.0.0 # tagwright: shop:tag\n")],
    );
    assert!(
        open[0].contains("claimed by shop/a") && open[0].contains("shop/b"),
        "{open:?}"
    );
}

#[test]
fn two_claims_of_one_rank_and_nobody_writes() {
    let twin = SHOP.replace("app: shop", "app: twin");
    let found = told(
        &[SHOP, &twin],
        &[("staging/a.yaml", "image: ghcr.io/acme/shop:1.0.0\n")],
    );
    assert_eq!(found.len(), 1);
    assert!(
        found[0].starts_with(
            "staging/a.yaml:1:8: warning: claimed by shop/staging (policies/0.yaml) and \
             twin/staging (policies/1.yaml); nobody writes this site"
        ),
        "{found:?}"
    );
}

#[test]
fn flux_markers_are_answered_by_name_or_as_stated() {
    let stated = "version: 1\napp: web\nimage: ghcr.io/acme/web\nmarker: apps:frontend\n";
    let markers =
        |ns: &str, name: &str| format!("tag: 1.0.0 # {{\"$imagepolicy\": \"{ns}:{name}:tag\"}}\n");
    let cases: [(&str, &str, &str); 5] = [
        ("flux-system", "shop", "shop/staging staging/a.yaml:1"),
        ("apps", "frontend", "web/default staging/a.yaml:1"),
        (
            "other",
            "frontend",
            "no app answers to the marker `other:frontend`",
        ),
        (
            "flux-system",
            "web",
            "no app answers to the marker `flux-system:web`",
        ),
        (
            "flux-system",
            "shpo",
            "no app answers to the marker `flux-system:shpo`",
        ),
    ];
    for (namespace, name, wanted) in cases {
        let text = markers(namespace, name);
        let found = told(&[SHOP, stated], &[("staging/a.yaml", &text)]);
        assert!(found[0].contains(wanted), "{namespace}:{name}: {found:?}");
        assert_eq!(found.len(), 1);
    }
    let two = told(
        &[SHOP],
        &[
            ("staging/a.yaml", &markers("one", "shop")),
            ("staging/b.yaml", &markers("two", "shop")),
        ],
    );
    assert_eq!(two.len(), 2);
    assert!(
        two.iter()
            .all(|told| told.contains("in the namespaces one, two")),
        "{two:?}"
    );
}

#[test]
fn markers_that_cannot_be_followed_are_told() {
    let cases = [
        (
            "tag: 1 # tagwright: shpo:tag\n",
            "names the app `shpo`",
            "did you mean `shop`?",
        ),
        (
            "tag: 1 # tagwright: shop/prod:tag\n",
            "names the stage `prod`",
            "policies/0.yaml",
        ),
        (
            "tag: 1 # tagwright: shop/production:tag\n",
            "the stage `production`, whose paths don't cover this file",
            "policies/0.yaml",
        ),
    ];
    for (text, wanted, hint) in cases {
        let found = told(&[SHOP], &[("staging/a.yaml", text)]);
        assert_eq!(found.len(), 1, "{found:?}");
        assert!(
            found[0].contains(wanted) && found[0].contains(hint),
            "{found:?}"
        );
    }
    let uncovered = told(&[SHOP], &[("x/a.yaml", "tag: 1 # tagwright: shop:tag\n")]);
    assert!(
        uncovered[0].contains("no stage of it covers this file"),
        "{uncovered:?}"
    );
}

#[test]
fn a_marked_site_is_not_detected_when_nobody_answers() {
    let text = "image: ghcr.io/acme/shop:1.0.0 # {\"$imagepolicy\": \"ns:gone\"}\n";
    let found = told(&[SHOP], &[("staging/a.yaml", text)]);
    assert_eq!(found.len(), 1);
    assert!(found[0].contains("no app answers"), "{found:?}");
}

#[test]
fn detection_can_be_off() {
    let quiet = "version: 1\napp: shop\nimage: ghcr.io/acme/shop\ndetect: false\n";
    let found = told(
        &[quiet],
        &[
            ("a.yaml", "image: ghcr.io/acme/shop:1.0.0\n"),
            (
                "b.yaml",
                "image: ghcr.io/acme/shop:1.0.0 # tagwright: shop\n",
            ),
        ],
    );
    assert_eq!(found, ["shop/default b.yaml:1"]);
}

/// The configuration keeps paths within the limits; the claim holds them too, whatever it is given.
#[test]
fn limits_of_a_policies_entry_hold_for_sites() {
    let text = "version: 1
repositories:
  - name: fleet
    url: /srv/fleet.git
    policies: [{path: policies/, mayWrite: [teams/a/**]}]
";
    let service = config::service("tagwright.yaml", text).value.unwrap();
    let entries = &service.repositories[0].policies;
    let (apps, _) = apps(&["version: 1\napp: shop\nimage: ghcr.io/acme/shop\n"]);
    let site = "image: ghcr.io/acme/shop:1.0.0\n";
    let files = [file("teams/a/x.yaml", site), file("teams/b/x.yaml", site)];
    let claims = claim(&apps, entries, &files);
    let owned: Vec<&SiteRef> = claims.stages.values().flatten().collect();
    assert_eq!(owned, [&SiteRef { file: 0, site: 0 }]);
    assert!(claims.diagnostics[0].message.contains("may not write here"));
    assert_eq!(claims.diagnostics[0].file, "teams/b/x.yaml");
}

#[test]
fn images_that_nobody_watches_are_unmanaged() {
    let (apps, entries) = apps(&[SHOP]);
    let files = [file("staging/a.yaml", "image: nginx:1.25\n")];
    let claims = claim(&apps, &entries, &files);
    assert_eq!(claims.unmanaged, [SiteRef { file: 0, site: 0 }]);
    assert_eq!(claims.unreached, []);
}

#[test]
fn sites_of_a_watched_image_that_no_stage_reaches_are_known() {
    let (apps, entries) = apps(&[SHOP]);
    let files = [file("elsewhere/a.yaml", "image: ghcr.io/acme/shop:1.0.0\n")];
    let claims = claim(&apps, &entries, &files);
    assert_eq!(claims.unreached, [SiteRef { file: 0, site: 0 }]);
    assert_eq!(claims.unmanaged, []);
}
