//! What Argo CD overrides, case by case.

use super::*;

/// An Application around the lines of a `source`.
fn application(source: &str) -> String {
    let source = source.replace('\n', "\n    ");
    format!("apiVersion: argoproj.io/v1alpha1\nkind: Application\nspec:\n  source:\n    {source}\n")
}

fn in_applications(to: To, cases: &[&str]) {
    for case in cases {
        check(Format::Yaml, to, &application(case));
    }
}

#[test]
fn parameters_are_one_site_by_their_prefix() {
    in_applications(
        tag("2.0.0"),
        &[
            "helm:\n  parameters:\n  - name: image.repository\n    value: ghcr.io/acme/shop\n  - name: image.tag\n    value: «1.0.0|2.0.0» # c",
            "helm:\n  parameters:\n  - {name: image.tag, value: \"«1.0.0|2.0.0»\"}\n  - {name: image.name, value: ghcr.io/acme/shop}",
            "helm:\n  parameters:\n  - value: '«1|2.0.0»'\n    name: web.image.tag\n    forceString: true\n  - {name: web.image.repository, value: a/web}\n  - {name: worker.image.tag, value: \"«1|2.0.0»\"}\n  - {name: worker.image.repository, value: a/worker}",
            "helm: {parameters: [{name: repository, value: a/b}, {name: tag, value: \"«1|2.0.0»\"}]}",
            "helm:\n  parameters:\n  - {name: image.registry, value: ghcr.io}\n  - {name: image.repository, value: acme/shop}\n  - {name: image.version, value: \"«1|2.0.0»\"}",
            "helm:\n  parameters:\n  - {name: image, value: «a/b:1|a/b:2.0.0»}\n  - {name: sidecar.image, value: \"«c:1|c:2.0.0»\"}\n  - {name: proxyImage, value: «d:1|d:2.0.0»}\n  - {name: x.proxyImage, value: «d:1|d:2.0.0»}",
            "helm:\n  parameters:\n  - {name: image, value: a/b}\n  - {name: tag, value: \"«1|2.0.0»\"}",
            "helm:\n  parameters:\n  - {name: image.repository, value: a/b}\n  - {name: image.tag, value:«| 2.0.0»}",
        ],
    );
    let text = application(
        "helm:\n  parameters:\n  - name: image.repository\n    value: acme/shop\n  - name: image.registry\n    value: ghcr.io\n  - name: image.tag\n    value: '1'",
    );
    assert_eq!(
        listed(Format::Yaml, &text),
        ["argocd 12:16 ghcr.io/acme/shop:1"]
    );
}

#[test]
fn parameters_keep_tags_and_digests_together() {
    let to = To {
        digest: Some(E),
        ..tag("2.0.0")
    };
    in_applications(
        to,
        &[
            "helm:\n  parameters:\n  - {name: image.repository, value: a/b}\n  - {name: image.tag, value: \"«1|2.0.0»\"}\n  - {name: image.digest, value: \"«=D|=E»\"}",
            "helm:\n  parameters:\n  - {name: image.repository, value: a/b}\n  - {name: image.tag, value: \"«1@D|2.0.0@E»\"}",
            "helm:\n  parameters:\n  - {name: image.repository, value: a/b}\n  - {name: image.digest, value: \"«=D|=E»\"}",
            "kustomize:\n  images:\n  - a=«b@D|b:2.0.0@E»\n  - «a@D|a:2.0.0@E»\n  - a=«b:1|b:2.0.0»",
        ],
    );
    let renamed = To {
        rename: Some("ghcr.io/x/y"),
        ..tag("2.0.0")
    };
    in_applications(
        renamed,
        &[
            "helm:\n  parameters:\n  - {name: image.registry, value: «docker.io|ghcr.io»}\n  - {name: image.repository, value: «a/b|x/y»}\n  - {name: image.tag, value: \"«1|2.0.0»\"}",
            "helm:\n  parameters:\n  - {name: image.name, value: «a/b|ghcr.io/x/y»}\n  - {name: image.tag, value: \"«1|2.0.0»\"}",
            "kustomize:\n  images: [\"a=«b:1|ghcr.io/x/y:2.0.0»\", 'a=«b|ghcr.io/x/y:2.0.0»']",
        ],
    );
}

#[test]
fn the_place_of_a_source_does_not_matter() {
    all(
        Format::Yaml,
        tag("2.0.0"),
        &[
            "spec:\n  sources:\n  - repoURL: x\n    helm:\n      parameters: [{name: image, value: «a:1|a:2.0.0»}]\n  - kustomize:\n      images: [b=«b:1|b:2.0.0»]\n",
            "kind: ApplicationSet\nspec:\n  generators:\n  - list:\n      elements:\n      - {cluster: a, image: «a:1|a:2.0.0»}\n  template:\n    spec:\n      source:\n        helm:\n          valuesObject:\n            image: {repository: a/b, tag: «1|2.0.0»}\n",
            "- items:\n  - spec: {source: {helm: {parameters: [{name: image, value: «a:1|a:2.0.0»}]}}}\n",
            "helm:\n  parameters:\n  - name: image.name\n    value: ghcr.io/acme/shop\n  - name: image.tag\n    value: «1|2.0.0»\n",
            "kustomize:\n  images:\n  - ghcr.io/acme/shop:«1|2.0.0»\n"
                .replace("ghcr.io/acme/shop:«1|2.0.0»", "«a:1|a:2.0.0»")
                .as_str(),
        ],
    );
    check(
        Format::Json,
        tag("2.0.0"),
        "{\"spec\":{\"source\":{\"helm\":{\"parameters\":[{\"name\":\"image.repository\",\"value\":\"a/b\"},{\"name\":\"image.tag\",\"value\":\"«1|2.0.0»\"}]},\"kustomize\":{\"images\":[\"x=«y:1|y:2.0.0»\"]}}}}",
    );
}

#[test]
fn kustomize_images_are_edited_after_their_name() {
    in_applications(
        tag("2.0.0"),
        &[
            "kustomize:\n  images:\n  - a=«ghcr.io/acme/shop:1|ghcr.io/acme/shop:2.0.0» # c\n  - «nginx:1|nginx:2.0.0»\n  - 'b=«c:1|c:2.0.0»'\n  - \"d=«e:1|e:2.0.0»\"",
            "kustomize:\n  images:\n  - a=«localhost:5000/b|localhost:5000/b:2.0.0»",
            "kustomize: {images: [a=«b:1|b:2.0.0», \"«c:1|c:2.0.0»\"]}",
            "kustomize:\n  images:\n  - |-\n    a=«b:1|b:2.0.0»\n  - >-\n    a=«b:1|b:2.0.0»",
            "kustomize:\n  images:\n  - !!str a=«b:1|b:2.0.0»\n  - &x a=«b:1|b:2.0.0»",
        ],
    );
    // A part of a text needs no quotes of its own, whatever it looks like.
    in_applications(tag("30"), &["kustomize:\n  images:\n  - a=«12:1x|12:30»"]);
    in_applications(tag("30"), &["kustomize:\n  images:\n  - «12:1x|\"12:30\"»"]);
    let text = application(
        "kustomize:\n  images:\n  - a\n  - a=\n  - =\n  - a=${X}:1\n  - 5\n  - ''\n  - [a]\n  - {name: a}\n  - a=B:1",
    );
    assert_eq!(listed(Format::Yaml, &text), ["kustomize 14:9 a"]);
}

#[test]
fn values_in_a_literal_block_are_edited_where_they_stand() {
    in_applications(
        tag("2.0.0"),
        &[
            "helm:\n  values: |\n    image:\n      repository: ghcr.io/acme/shop\n      tag: «1.0.0|2.0.0» # c\n    replicas: 3\n  releaseName: x",
            "helm:\n  values: |-\n    # c\n\n    image: {repository: a/b, tag: '«1|2.0.0»'}\n\n\n    sidecarImage: «c:1|c:2.0.0»\n\n",
            "helm:\n  values: |+\n    image: «a:1|a:2.0.0»\n\n",
            "helm:\n  values: |2\n    image: «a:1|a:2.0.0»\n    b: c",
            "helm:\n  values: |\n      image:\n        repository: a/b\n        tag:«| 2.0.0»\n      x: |\n        image: no:1\n      y: \"a\n        b\"",
            "helm:\n  values: | # c\n    ---\n    image: «a:1|a:2.0.0»",
            "helm:\n  values: |\n    image: |-\n      «a:1|a:2.0.0»",
            "helm:\n  values: |\n    t: &t «1|2.0.0» # tagwright: x:tag\n    a: {repository: b, tag: *t}",
            "helm:\n  values: |\n    image: {\"repository\": \"a/b\", \"tag\": \"«1|2.0.0»\"}",
            "helm:\n  values: |\n    helm:\n      parameters: [{name: image, value: «a:1|a:2.0.0»}]\n      values: |\n        image: no:1",
        ],
    );
    all(
        Format::Yaml,
        tag("1.10"),
        &[
            "helm:\n  values: |\n    image:\n      repository: a/b\n      tag: «1.9|\"1.10\"»",
            "helm:\r\n  values: |\r\n    image:\r\n      repository: a/b\r\n      tag: «1.9|\"1.10\"»\r\n\r\n  x: y\r\n",
            "helm:\n  values: |\n\n\n    image:\n      repository: a/b\n      tag: «1.9|\"1.10\"»\nж: ж\nimage: «b:1|b:1.10»\n",
            "- helm:\n    values: |\n      image: «a:1|a:1.10»\n # c\n- helm:\n    values: |\n      image: «a:1|a:1.10»\n- image: «a:1|a:1.10»\n",
            "apiVersion: helm.cattle.io/v1\nkind: HelmChart\nspec:\n  valuesContent: |-\n    image:\n      repository: a/b\n      tag: «1.9|\"1.10\"»\n",
        ],
    );
    let text = application("helm:\n  values: |\n    image:\n      repository: a/b\n      tag: 1");
    assert_eq!(listed(Format::Yaml, &text), ["helm 9:16 a/b:1"]);
}

#[test]
fn comments_inside_values_count() {
    for (values, marker, ignored) in [
        ("image: a:1 # tagwright: shop\n", Some("shop"), false),
        ("# tagwright: shop\nimage: a:1\n", Some("shop"), false),
        (
            "tag: 1 # {\"$imagepolicy\": \"n:p:tag\"}\n",
            Some("n:p:tag"),
            false,
        ),
        ("image: a:1 # tagwright: ignore\n", None, true),
        ("# tagwright: ignore\nx: y\nimage: a:1\n", None, true),
    ] {
        let text = format!(
            "helm:\n  values: |\n    {}\n",
            values.replace('\n', "\n    ")
        );
        let found = index(Format::Yaml, text.as_bytes());
        assert_eq!(found.notes, [], "{text}");
        assert_eq!(found.sites.len(), 1, "{text}");
        let site = &found.sites[0];
        let shown = site.marker.as_ref().map(ToString::to_string);
        assert_eq!(shown.as_deref(), marker, "{text}");
        assert_eq!(site.ignored, ignored, "{text}");
        assert!(!found.ignored, "{text}");
    }
    for text in [
        "helm:\n  values: | # tagwright: ignore\n    image: a:1\n",
        "helm:\n  # tagwright: ignore\n  values: |\n    image: a:1\n",
        "helm:\n  values: # tagwright: ignore\n    |\n    image: a:1\n",
    ] {
        let found = index(Format::Yaml, text.as_bytes());
        assert!(found.sites[0].ignored, "{text}");
    }
    let text = "helm:\n  values: |\n    x: y\n    image: a:1\n    x: 1 # tagwright: shop:tga\n";
    let found = index(Format::Yaml, text.as_bytes());
    assert_eq!(found.notes[0].position.to_string(), "5:10");
    let text = "helm:\n  values: |\n    a: [\n    x: 1 # {\"$imagepolicy\": \"n:p\"}\n";
    let found = index(Format::Yaml, text.as_bytes());
    assert_eq!(found.notes[0].position.to_string(), "4:10");
    assert!(found.notes[0].reason.contains("no reference"));
}

#[test]
fn values_in_any_other_text_are_told_and_stay() {
    for text in [
        "helm:\n  values: \"image:\\n  repository: a/b\\n  tag: 1\\n\"\n",
        "helm:\n  values: 'image: {repository: a/b, tag: 1}'\n",
        "helm:\n  values: >\n    image: {repository: a/b, tag: 1}\n\n    x: y\n",
        "helm:\n  values: \"{\\\"image\\\": {\\\"repository\\\": \\\"a/b\\\", \\\"tag\\\": \\\"1\\\"}}\"\n",
    ] {
        let position = if text.contains('>') { "3:5" } else { "2:11" };
        assert_eq!(
            listed(Format::Yaml, text),
            [format!("helm {position} a/b:1")]
        );
        refused(Format::Yaml, tag("2"), text, position, "as a literal block");
    }
    for (text, position, reason) in [
        (
            "helm:\n  values: &v |\n    image: a:1\nx: *v\n",
            "3:12",
            "anchored at 3:5 and used again at 4:4",
        ),
        (
            "helm:\n  values: |\n    image: a:1\n    image: b:1\n",
            "3:12",
            "`image` is written twice",
        ),
        (
            "helm:\n  values: |\n    image: a:1\n  values: |\n    x: y\n",
            "3:12",
            "`values` is written twice",
        ),
        (
            "helm:\n  values: |\n    image: a:1\nsops: {mac: x}\n",
            "3:12",
            "SOPS",
        ),
        (
            "helm:\n  values: |\n    t: &t 1\n    a: {repository: a/b, tag: *t}\n",
            "4:31",
            "anchored at 3:11 and used again at 4:31",
        ),
    ] {
        refused(Format::Yaml, tag("2"), text, position, reason);
    }
    for text in [
        "helm:\n  values: |\n    {{- if .Values.x }}\n    image: a:1\n",
        "helm:\n  values: |\n    imagePullPolicy: x\n  x: {image: }\n",
        "helm:\n  values: image:a\n  x: {image: }\n",
        "helm:\n  values: !foo |\n    image: a:1\n",
        "x:\n  values: |\n    image: a:1\n",
        "helm:\n  values:\n  - |\n    image: a:1\n",
        "helm:\n  values: |\n    image: a:1\n    ---\n    image: b:1\n",
    ] {
        assert_eq!(listed(Format::Yaml, text), [""; 0], "{text}");
    }
}

#[test]
fn what_argo_cd_would_read_otherwise_stays() {
    let to = To {
        rename: Some("x/y"),
        ..tag("2")
    };
    for (to, source, position, reason) in [
        (
            tag("2"),
            "helm:\n  parameters:\n  - {name: image.repository, value: a/b}\n  - {name: image.tag, value: '1'}\n  - {name: image.tag, value: '3'}",
            "8:34",
            "`image.tag` is written twice",
        ),
        (
            tag("2"),
            "helm:\n  parameters:\n  - {name: image.repository, value: a/b}\n  - {name: image.tag, value: '{{.tag}}'}",
            "8:34",
            "is a template",
        ),
        (
            tag("2"),
            "helm:\n  parameters:\n  - {name: image.repository, value: a/b}\n  - {name: image.digest, value: '=D'}",
            "8:37",
            "the digest of the new tag isn't known",
        ),
        (
            to,
            "kustomize:\n  images: ['a:1']",
            "6:16",
            "write `a=NEW:TAG`",
        ),
        (
            tag("2"),
            "kustomize:\n  images: [\"a=\\x62:1\"]",
            "6:16",
            "can't be filled",
        ),
        (
            To {
                rule: DigestRule::Exact,
                digest: Some(E),
                ..tag("2")
            },
            "helm:\n  parameters:\n  - {name: image.repository, value: a/b}\n  - {name: image.digest, value: '=D'}",
            "8:37",
            "add the line `- {name: PREFIX.tag, value: \"2\"}`",
        ),
    ] {
        refused(Format::Yaml, to, &application(source), position, reason);
    }
    for source in [
        "helm:\n  parameters:\n  - {name: image.tag, value: '1'}",
        "helm:\n  parameters:\n  - {name: image.repository, value: a/b}",
        "helm:\n  parameters:\n  - {name: a.repository, value: a/b}\n  - {name: b.tag, value: '1'}",
        "helm:\n  parameters:\n  - {name: app.name, value: a/b}\n  - {name: app.tag, value: '1'}",
        "helm:\n  parameters:\n  - {name: image, value: nginx}",
        "helm:\n  parameters:\n  - {name: image.repository, value: '{{.repo}}'}\n  - {name: image.tag, value: '1'}",
        "helm:\n  parameters:\n  - {name: image.repository}\n  - {value: '1'}\n  - x\n  - [a]",
        "x:\n  parameters:\n  - {name: image, value: a:1}\n  image: {}",
    ] {
        let text = application(source);
        assert_eq!(listed(Format::Yaml, &text), [""; 0], "{text}");
    }
}

#[test]
fn a_marker_names_the_app_of_a_parameter_without_image() {
    for (source, wanted) in [
        (
            "helm:\n  parameters:\n  - name: image.tag\n    value: \"«1|2.0.0»\" # tagwright: shop",
            "argocd shop:tag 1",
        ),
        (
            "helm:\n  parameters:\n  - name: image.tag\n    value: \"«1|2.0.0»\" # tagwright: shop:tag",
            "argocd shop:tag 1",
        ),
        (
            "helm:\n  parameters:\n  - {name: image.tag, value: \"«1|2.0.0»\"} # {\"$imagepolicy\": \"n:p:tag\"}",
            "argocd n:p:tag 1",
        ),
        (
            "helm:\n  parameters:\n  - name: image.name\n    value: a/b # {\"$imagepolicy\": \"n:p:name\"}\n  - name: image.tag\n    value: \"«1|2.0.0»\" # {\"$imagepolicy\": \"n:p:tag\"}",
            "argocd n:p a/b:1",
        ),
        (
            "kustomize:\n  images:\n  - a=«b:1|b:2.0.0» # tagwright: shop",
            "argocd shop b:1",
        ),
    ] {
        let case = application(source);
        check(Format::Yaml, tag("2.0.0"), &case);
        let (before, _) = split(&case);
        let found = index(Format::Yaml, before.as_bytes());
        assert_eq!(found.sites.len(), 1, "{case}");
        let site = &found.sites[0];
        let marker = site.marker.as_ref().unwrap();
        let shown = format!("{} {marker} {}", site.kind, site.reference_text());
        assert_eq!(shown, wanted, "{case}");
    }
}
