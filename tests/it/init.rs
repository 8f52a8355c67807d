//! `init` on trees like those that people keep: what it proposes is valid, complete and left alone
//! the next time.

#![expect(
    clippy::unwrap_used,
    reason = "helpers of tests fail by panicking, as tests do"
)]

use serde_json::Value;

use crate::repo::Git;
use crate::tree::Tree;

/// Proposes, writes, checks and proposes again; returns what was proposed.
#[track_caller]
fn adopted(tree: &Tree) -> Value {
    let before = tree.contents();
    let shown = tree.json(&["init", "."]);
    tree.text(&["init", "."], 0);
    assert_eq!(tree.contents(), before, "only --write writes");

    let written = tree.json(&["init", ".", "--write"]);
    let after = tree.contents();
    for (path, bytes) in &before {
        assert_eq!(after.get(path), Some(bytes), "{}", path.display());
    }
    let proposed = |value: &Value| value["apps"].as_array().unwrap().clone();
    assert_eq!(after.len(), before.len() + proposed(&written).len() + 1);
    for (one, other) in proposed(&shown).iter().zip(&proposed(&written)) {
        assert_eq!(one["text"], other["text"]);
        assert_eq!(
            (&one["written"], &other["written"]),
            (&false.into(), &true.into())
        );
        let file = tree.path().join(one["file"].as_str().unwrap());
        let text = String::from_utf8(after[&file].clone()).unwrap();
        assert_eq!(one["text"], text);
        let modeline = "# yaml-language-server: $schema=app.schema.json\nversion: 1\n";
        assert!(text.starts_with(modeline), "{text}");
    }

    let checked = tree.json(&["check", "."]);
    let told = checked["diagnostics"].as_array().unwrap();
    let errors: Vec<&Value> = told
        .iter()
        .filter(|one| one["severity"] == "error")
        .collect();
    assert_eq!(errors, [] as [&Value; 0], "{told:?}");
    assert_eq!(checked["apps"], proposed(&written).len());
    assert_eq!(
        checked["sites"],
        sites(&written).len(),
        "as shown, so managed"
    );

    let again = tree.json(&["init", ".", "--write"]);
    assert_eq!(proposed(&again), [] as [Value; 0]);
    assert_eq!(tree.contents(), after);
    written
}

/// Every site that would be managed, as `APP/STAGE FILE:LINE REFERENCE`.
fn sites(value: &Value) -> Vec<String> {
    let text = |value: &Value, key: &str| value[key].as_str().unwrap().to_owned();
    let mut sites = Vec::new();
    for app in value["apps"].as_array().unwrap() {
        for stage in app["stages"].as_array().unwrap() {
            for site in stage["sites"].as_array().unwrap() {
                sites.push(format!(
                    "{}/{} {}:{} {}",
                    text(app, "app"),
                    text(stage, "name"),
                    text(site, "file"),
                    site["line"],
                    text(site, "reference")
                ));
            }
        }
    }
    sites
}

/// Why places are left out, as `FILE:LINE REASON`.
fn left_out(value: &Value) -> Vec<String> {
    let left = value["leftOut"].as_array().unwrap();
    left.iter()
        .map(|left| {
            format!(
                "{}:{} {}",
                left["file"].as_str().unwrap(),
                left["line"],
                left["reason"].as_str().unwrap()
            )
        })
        .collect()
}

fn app_text(value: &Value, app: &str) -> String {
    let apps = value["apps"].as_array().unwrap();
    let found = apps.iter().find(|one| one["app"] == app).unwrap();
    found["text"].as_str().unwrap().to_owned()
}

#[test]
fn a_folder_for_each_environment() {
    let deployment = |tag: &str| {
        format!(
            "apiVersion: apps/v1\nkind: Deployment\nspec:\n  template:\n    spec:\n      \
             initContainers:\n      - {{name: wait, image: busybox:1.36.1}}\n      containers:\n      \
             - name: shop\n        image: ghcr.io/acme/shop:{tag}\n      - name: proxy\n        \
             image: ghcr.io/acme/proxy:v1.31.2\n"
        )
    };
    let cart = "{\"kind\": \"CronJob\", \"image\": \"ghcr.io/acme/cart:2.0\"}\n";
    let tree = Tree::new(&format!(
        "== apps/staging/shop.yaml\n{}== apps/staging/cart.json\n{cart}\
         == apps/production/shop.yaml\n{}== .github/workflows/ci.yaml\nimage: ghcr.io/acme/ci:1.0.0\n",
        deployment("6.1.9"),
        deployment("6.0.3")
    ));
    let found = adopted(&tree);
    assert_eq!(
        sites(&found),
        [
            "cart/staging apps/staging/cart.json:1 ghcr.io/acme/cart:2.0",
            "proxy/staging apps/staging/shop.yaml:12 ghcr.io/acme/proxy:v1.31.2",
            "proxy/production apps/production/shop.yaml:12 ghcr.io/acme/proxy:v1.31.2",
            "shop/staging apps/staging/shop.yaml:10 ghcr.io/acme/shop:6.1.9",
            "shop/production apps/production/shop.yaml:10 ghcr.io/acme/shop:6.0.3",
        ]
    );
    assert!(app_text(&found, "cart").contains("  semver: \">=2.0.0 <3.0.0\"\n  loose: true\n"));
    let busybox = "apps/production/shop.yaml:7 an image of a public library; `--image GLOB` or \
                   `--all` takes it in";
    assert_eq!(left_out(&found), [busybox]);
}

#[test]
fn kustomize_with_a_base_and_overlays() {
    let overlay = |namespace: &str, tag: &str| {
        format!(
            "== apps/web/overlays/{namespace}/kustomization.yaml\nnamespace: {namespace}\nresources:\n\
             - ../../base\nimages:\n- name: web\n  newName: ghcr.io/acme/web\n  newTag: {tag}\n"
        )
    };
    let tree = Tree::new(&format!(
        "== apps/web/base/deployment.yaml\nkind: Deployment\nspec:\n  containers:\n  - image: web\n  \
         - image: ghcr.io/acme/sidecar:1.2.0\n== apps/web/base/kustomization.yaml\nresources:\n\
         - deployment.yaml\n{}{}{}",
        overlay("dev", "1.5.0-rc.1"),
        overlay("staging", "1.4.2"),
        overlay("prod-eu", "\"1.3\"")
    ));
    let found = adopted(&tree);
    assert_eq!(
        sites(&found),
        [
            // Every overlay takes it from the base, so all move together.
            "sidecar/default apps/web/base/deployment.yaml:5 ghcr.io/acme/sidecar:1.2.0",
            "web/dev apps/web/overlays/dev/kustomization.yaml:7 ghcr.io/acme/web:1.5.0-rc.1",
            "web/staging apps/web/overlays/staging/kustomization.yaml:7 ghcr.io/acme/web:1.4.2",
            "web/prod-eu apps/web/overlays/prod-eu/kustomization.yaml:7 ghcr.io/acme/web:1.3",
        ]
    );
    let web = app_text(&found, "web");
    assert!(
        web.contains("tags:\n  semver: \">=1.0.0 <2.0.0\"\n  loose: true\nstages:"),
        "{web}"
    );
    assert!(web.contains("      prereleases: true\n"), "{web}");
    let base = "apps/web/base/deployment.yaml:4 overridden by whatever brings it in, so its value \
                doesn't count";
    assert_eq!(left_out(&found), [base]);
    let checked = tree.json(&["check", "."]);
    assert_eq!(checked["diagnostics"], Value::Array(Vec::new()));
}

#[test]
fn a_flux_repository_with_markers() {
    let marker =
        |name: &str, part: &str| format!("# {{\"$imagepolicy\": \"flux-system:{name}{part}\"}}");
    let flux = |stage: &str| {
        format!(
            "== clusters/{stage}/apps.yaml\napiVersion: kustomize.toolkit.fluxcd.io/v1\n\
             kind: Kustomization\nspec:\n  path: ./apps/{stage}\n  sourceRef: {{kind: GitRepository}}\n"
        )
    };
    let tree = Tree::new(&format!(
        "{}{}== apps/staging/api.yaml\nimage: ghcr.io/acme/api:3.1.0 {}\n\
         == apps/staging/release.yaml\nkind: HelmRelease\nspec:\n  values:\n    version: 3.1.0 {}\n\
         == apps/production/api.yaml\nimage: ghcr.io/acme/api:3.0.0 {}\n\
         == apps/production/worker.yaml\nimage: ghcr.io/acme/worker:latest\n\
         == clusters/staging/images.yaml\napiVersion: image.toolkit.fluxcd.io/v1beta2\n\
         kind: ImageRepository\nspec:\n  image: ghcr.io/acme/api\n",
        flux("staging"),
        flux("production"),
        marker("api", ""),
        marker("api", ":tag"),
        marker("api", ""),
    ));
    let found = adopted(&tree);
    assert_eq!(
        sites(&found),
        [
            "api/staging apps/staging/api.yaml:1 ghcr.io/acme/api:3.1.0",
            "api/staging apps/staging/release.yaml:4 3.1.0",
            "api/production apps/production/api.yaml:1 ghcr.io/acme/api:3.0.0",
            "worker/production apps/production/worker.yaml:1 ghcr.io/acme/worker:latest",
        ]
    );
    assert!(app_text(&found, "api").contains("\nmarker: flux-system:api\n"));
    let worker = app_text(&found, "worker");
    assert!(
        worker.contains("# production runs latest, which has no place"),
        "{worker}"
    );
    assert_eq!(left_out(&found), [] as [&str; 0]);
}

#[test]
fn charts_with_argo_cd_and_a_values_file_for_each_environment() {
    let application = |stage: &str| {
        format!(
            "== argocd/{stage}.yaml\napiVersion: argoproj.io/v1alpha1\nkind: Application\nspec:\n  \
             source:\n    path: charts/shop\n    helm: {{valueFiles: [values-{stage}.yaml]}}\n"
        )
    };
    let tree = Tree::new(&format!(
        "{}{}== charts/shop/Chart.yaml\nname: shop\nversion: 0.1.0\n\
         == charts/shop/values.yaml\nshop: {{image: 'ghcr.io/acme/shop:1.0.0'}}\n\
         == charts/shop/values-staging.yaml\nshop: {{image: 'ghcr.io/acme/shop:1.2.0-alpine'}}\n\
         == charts/shop/values-prod.yaml\nshop: {{image: 'ghcr.io/acme/shop:1.1.0-alpine'}}\n\
         == charts/shop/templates/d.yaml\n{{{{ if .Values.x }}}}\n\
         image: ghcr.io/acme/shop:{{{{ .Values.tag }}}}\n{{{{ end }}}}\n",
        application("staging"),
        application("prod")
    ));
    let found = adopted(&tree);
    let sites = sites(&found);
    for wanted in [
        "shop/staging charts/shop/values-staging.yaml:1 ghcr.io/acme/shop:1.2.0-alpine",
        "shop/prod charts/shop/values-prod.yaml:1 ghcr.io/acme/shop:1.1.0-alpine",
    ] {
        assert!(sites.contains(&wanted.to_owned()), "{sites:?}");
    }
    let text = app_text(&found, "shop");
    assert!(
        text.contains("  match: '^(?<version>v?[0-9.]+)-alpine$'\n"),
        "{text}"
    );
    let left = left_out(&found);
    let template = "charts/shop/templates/d.yaml:2 not read: ";
    assert!(
        left.iter().any(|line| line.starts_with(template)),
        "{left:?}"
    );
}

#[test]
fn tags_of_other_schemes_than_versions() {
    let tree = Tree::new(
        "== apps/day.yaml\nimage: ghcr.io/acme/day:20240301.2\n\
         == apps/build.yaml\nimage: ghcr.io/acme/build:4512\n\
         == apps/branch.yaml\nimage: ghcr.io/acme/branch:main-4f2a9c1-1700000000\n\
         == apps/prefix.yaml\nimage: ghcr.io/acme/prefix:release-1.4.2\n\
         == apps/commit.yaml\nimage: ghcr.io/acme/commit:sha-4f2a9c1\n\
         == apps/floating.yaml\nimage: ghcr.io/acme/floating:main\n",
    );
    let found = adopted(&tree);
    for (app, tags) in [
        ("day", "tags:\n  calver: \"YYYYMMDD[.MICRO]\"\n"),
        ("build", "tags:\n  numerical: highest\n"),
        (
            "branch",
            "tags:\n  numerical: highest\n  match: '^main-[0-9a-f]{7,40}-(?<version>[0-9]+)$'\n",
        ),
        (
            "prefix",
            "tags:\n  semver: \">=1.0.0 <2.0.0\"\n  match: '^release-(?<version>.+)$'\n",
        ),
        (
            "commit",
            "tags:\n  newest: created\n  match: '^sha-[0-9a-f]{7,40}$'\n",
        ),
        ("floating", "tags:\n  semver: \"*\"\n"),
    ] {
        let text = app_text(&found, app);
        assert!(text.contains(tags), "{text}");
        let stays = text.contains("which has no place in this order");
        assert_eq!(stays, app == "floating", "{text}");
    }
}

#[test]
fn a_clone_with_policies_of_another_tool() {
    let tree = Tree::new(
        "== policies/disallow-latest.yaml\napiVersion: kyverno.io/v1\nkind: ClusterPolicy\n\
         == deploy/api.yaml\na: {image: ghcr.io/acme/api:2024.11.3}\nb: {image: ghcr.io/other/api:0.4.1}\n\
         == deploy/templates/x.yaml\n{{ if x }}\nimage: ghcr.io/acme/api:1\n{{ end }}\n",
    );
    let Some(git) = Git::find() else {
        return;
    };
    let url = "git@git.example.com:acme/config.git";
    for arguments in [
        &["init", "-q", "-b", "trunk"][..],
        &["remote", "add", "origin", url],
    ] {
        git.ok(tree.path(), arguments);
    }
    let found = adopted(&tree);
    assert_eq!(
        sites(&found),
        [
            "api/default deploy/api.yaml:1 ghcr.io/acme/api:2024.11.3",
            "other-api/default deploy/api.yaml:2 ghcr.io/other/api:0.4.1",
        ]
    );
    let api = app_text(&found, "api");
    assert!(api.contains("  calver: YYYY.MM.MICRO\n"), "{api}");
    assert!(
        api.contains("    exclude: [deploy/templates/**]\n"),
        "{api}"
    );
    assert_eq!(found["apps"][0]["file"], "tagwright/policies/api.yaml");
    let service = std::fs::read_to_string(tree.path().join("tagwright.yaml")).unwrap();
    for wanted in [
        "# yaml-language-server: $schema=tagwright.schema.json\n",
        "  - name: config\n",
        "    url: \"ssh://git@git.example.com/acme/config.git\"\n",
        "    branch: trunk\n",
        "    policies: [tagwright/policies/]\n",
        "      knownHosts: {file: /etc/tagwright/known_hosts}\n",
        "    push: {mode: off}\n",
        "#   - {host: ghcr.io, ",
    ] {
        assert!(service.contains(wanted), "{wanted} in\n{service}");
    }
}

#[test]
fn what_is_there_is_never_overwritten() {
    let tree = Tree::new(
        "== a.yaml\nimage: ghcr.io/acme/shop:1.0.0\n== tagwright.yaml\nversion: 1\nnonsense: true\n\
         == mine/shop.yaml\nversion: 1\napp: shop\nimage: ghcr.io/acme/shop\nnonsense: true\n",
    );
    let before = tree.contents();
    let arguments = ["init", ".", "--write", "--policies", "mine"];
    let shown = tree.text(&arguments, 2);
    assert!(
        shown.contains("# mine/shop.yaml (is there already"),
        "{shown}"
    );
    assert_eq!(tree.contents(), before);
}

#[test]
fn text_output_is_yaml_with_the_places_as_comments() {
    let tree = Tree::new(
        "== staging/a.yaml\nimage: ghcr.io/acme/shop:1.0.0\n== staging/b.yaml\nimage: nginx:1.25.0\n",
    );
    let shown = tree.text(&["init"], 0);
    for wanted in [
        "# policies/shop.yaml\n",
        "\n    paths: [staging/**]\n#   staging  staging/a.yaml:1:8: ghcr.io/acme/shop:1.0.0\n---\n",
        "# Left out\n#   staging/b.yaml:1:8: nginx:1.25.0: an image of a public library",
    ] {
        assert!(shown.contains(wanted), "{wanted} in\n{shown}");
    }
    let named = tree.json(&["init", "--image", "nginx"]);
    assert_eq!(
        sites(&named),
        ["nginx/staging staging/b.yaml:1 nginx:1.25.0"]
    );
    let all = tree.json(&["init", "--all"]);
    assert_eq!(sites(&all).len(), 2);
    for wrong in [
        &["--image", "ghcr.io/acme/shop:1"][..],
        &["--all", "--image", "x"],
        &["--policies", "../x"],
    ] {
        let output = tree.run(&[&["init"], wrong].concat());
        assert_eq!(output.status.code(), Some(2), "{wrong:?}");
    }
}
