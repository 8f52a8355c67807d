//! What files bring in, kind by kind.

use crate::manifest::{format_of, index};

/// What a file brings in, as `kind path` and `name>new!`.
fn told(path: &str, text: &str) -> Vec<String> {
    let index = index(format_of(path).unwrap(), text.as_bytes());
    assert_eq!(index.problem, None);
    let paths = index.pulls.paths.iter().map(|pull| {
        let kind = format!("{:?}", pull.kind).to_lowercase();
        format!("{kind} {}", pull.path)
    });
    let images = index.pulls.images.iter().map(|rule| {
        let new = rule.new_name.as_deref().unwrap_or_default();
        format!("{}>{new}{}", rule.name, if rule.pinned { "!" } else { "" })
    });
    paths.chain(images).collect()
}

#[test]
fn kustomizations_bring_in_what_they_list() {
    let text = "\
resources: [../base, ./a.yaml, 'https://example.com/x', /abs, \"\"]
bases: [../old]
components: [../../components/x]
patches:
- path: p.yaml
- patch: 'kind: x'
patchesStrategicMerge:
- s.yaml
- |
  kind: x
  a: b
patchesJson6902: [{target: {kind: x}, path: j.yaml}]
replacements: [{path: r.yaml}]
configurations: [c.yaml]
helmCharts: [{name: web, valuesFile: v.yaml, additionalValuesFiles: [w.yaml]}]
images:
- {name: a, newTag: 1}
- {name: b, newName: c}
- {name: d, newTag: }
- {name: e, newName: f, digest: x}
- {newTag: 2}
";
    let wanted = [
        "resource ../base",
        "resource ./a.yaml",
        "resource ../old",
        "resource ../../components/x",
        "file s.yaml",
        "file c.yaml",
        "file p.yaml",
        "file j.yaml",
        "file r.yaml",
        "folder charts/web",
        "values v.yaml",
        "values w.yaml",
        "a>!",
        "b>c",
        "d>",
        "e>f!",
    ];
    assert_eq!(told("x/kustomization.yaml", text), wanted);
    assert_eq!(told("x/Kustomization", "resources: [a]"), ["resource a"]);
    let component = "apiVersion: kustomize.config.k8s.io/v1alpha1\nkind: Component\n\
                     images: []\nresources: [a]\n";
    assert_eq!(told("x/part.yaml", component), ["resource a"]);
    assert!(told("x/other.yaml", "images: []\nresources: [a]\n").is_empty());
    let home = "helmGlobals: {chartHome: ../c}\nhelmCharts: [{name: web}]\n";
    assert_eq!(told("kustomization.yml", home), ["folder ../c/web"]);
}

#[test]
fn flux_brings_in_what_it_applies() {
    let flux = |kind: &str| {
        format!(
            "apiVersion: kustomize.toolkit.fluxcd.io/v1\nkind: Kustomization\nspec:\n  \
             path: ./apps/staging\n  components: [../c]\n  sourceRef: {{kind: {kind}}}\n  \
             images: [{{name: a, newTag: 1}}]\n"
        )
    };
    assert_eq!(
        told("x.yaml", &flux("GitRepository")),
        [
            "tree /./apps/staging",
            "resource /./apps/staging/../c",
            "a>!"
        ]
    );
    assert_eq!(told("x.yaml", &flux("OCIRepository")), ["a>!"]);
    let release = |kind: &str| {
        format!(
            "apiVersion: helm.toolkit.fluxcd.io/v2\nkind: HelmRelease\nspec:\n  chart:\n    \
             spec:\n      chart: ./charts/web\n      valuesFiles: [charts/web/prod.yaml]\n      \
             sourceRef: {{kind: {kind}}}\n"
        )
    };
    assert_eq!(
        told("x.yaml", &release("GitRepository")),
        ["folder /./charts/web", "values /charts/web/prod.yaml"]
    );
    assert!(told("x.yaml", &release("HelmRepository")).is_empty());
}

#[test]
fn argo_cd_brings_in_its_sources() {
    let one = "\
apiVersion: argoproj.io/v1alpha1
kind: Application
spec:
  source:
    path: charts/web
    helm: {valueFiles: [values.yaml, ../prod.yaml, /env/x.yaml]}
    kustomize: {images: ['a:1', 'b=c:2', 'd=e', 'f@sha256:x', '']}
";
    assert_eq!(
        told("x.yaml", one),
        [
            "folder /charts/web",
            "values /charts/web/values.yaml",
            "values /charts/web/../prod.yaml",
            "values /env/x.yaml",
            "a>!",
            "b>c!",
            "d>e",
            "f>!",
        ]
    );
    let several = "\
apiVersion: argoproj.io/v1alpha1
kind: ApplicationSet
spec:
  template:
    spec:
      sources:
      - {chart: web, helm: {valueFiles: [$values/env/prod.yaml]}}
      - {path: apps, directory: {recurse: true}}
      - {path: 'x/{{name}}'}
";
    assert_eq!(
        told("x.json.yaml", several),
        ["values /env/prod.yaml", "tree /apps"]
    );
    let other = "apiVersion: argoproj.io/v1alpha1\nkind: Rollout\nspec: {source: {path: a}}\n";
    assert!(told("x.yaml", other).is_empty());
}

#[test]
fn a_chart_stands_for_its_folder() {
    let text = "name: web\ndependencies:\n- {name: a, repository: 'file://../a'}\n\
                - {name: b, repository: 'https://example.com'}\n";
    assert_eq!(
        told("charts/web/Chart.yaml", text),
        ["below .", "folder ../a"]
    );
}

#[test]
fn manifests_bring_in_nothing() {
    let text = "kind: Deployment\nresources: [a]\npath: x\nimage: a/b:1\n";
    assert!(told("x.yaml", text).is_empty());
}
