//! Helm values, case by case.

use super::*;

#[test]
fn a_repository_with_its_tag_is_edited_in_the_tag() {
    all(
        Format::Yaml,
        tag("2.0.0"),
        &[
            "repository: ghcr.io/acme/shop\ntag: «1.0.0|2.0.0»\n",
            "image:\n  repository: ghcr.io/acme/shop\n  tag: «1.0.0|2.0.0» # c\n  pullPolicy: Always\n",
            "image:\n  tag: '«1.0.0|2.0.0»'\n  repository: ghcr.io/acme/shop\n",
            "image:\n  tag: \"«v1.0.0|2.0.0»\"\n\n\n  repository: nginx\n",
            "image: {repository: nginx, tag: «1.0.0|2.0.0», pullPolicy: Always}\n",
            "image: {tag: \"«1.0.0|2.0.0»\", repository: nginx} # c\n",
            "web:\n    image:\n        repository:   a/web   # c\n        tag:     «1|2.0.0»\n",
            "workers:\n- name: one\n  image: {repository: a/b, tag: «1|2.0.0»}\n- image:\n    repository: a/b\n    tag: «1|2.0.0»\n",
            "images:\n  web: {repository: a/b, tag: «1|2.0.0»}\n  db: {repository: c/d, tag: «1|2.0.0»}\n",
            "sidecar:\n  proxyImage:\n    repository: a/b\n    tag: «1|2.0.0»\n",
            "controller:\n  repository: a/b\n  tag: «1|2.0.0»\n",
            "image:\r\n  repository: a/b\r\n  tag: «1|2.0.0»\r\n",
            "\u{feff}ж: ж\nimage:\n  repository: a/b # ж\n  tag: «1|2.0.0»",
            "image:\n  repository: a/b\n  tag: |-\n    «1|2.0.0»\n",
            "image:\n  repository: >-\n    a/b\n  tag: «1|2.0.0»\n",
            "image:\n  repository: a/b\n  tag: !!str «1|2.0.0»\n",
            "image:\n  repository: a/b\n  tag: &t «1|2.0.0»\n",
            "image:\n  repository: localhost:5000/a/b\n  tag: «1|2.0.0»\n",
            "a: 1\n---\nimage:\n  repository: a/b\n  tag: «1|2.0.0»\n---\nb: 2\n",
            "image: {name: ghcr.io/acme/shop, tag: «1|2.0.0»}\n",
            "images:\n- name: ghcr.io/acme/shop\n  tag: «1|2.0.0»\n",
        ],
    );
}

#[test]
fn an_empty_tag_is_filled() {
    all(
        Format::Yaml,
        tag("2.0.0"),
        &[
            "image:\n  repository: a/b\n  tag: \"«|2.0.0»\"\n",
            "image:\n  repository: a/b\n  tag: '«|2.0.0»' # c\n",
            "image:\n  repository: a/b\n  tag:«| 2.0.0»\n",
            "image:\n  repository: a/b\n  tag:«| 2.0.0»\n  # c\n",
            "image:\n  repository: a/b\n  tag:«| 2.0.0» # c\n",
            "image:\n  repository: a/b\n  tag: «~|2.0.0»\n",
            "image:\n  repository: a/b\n  tag: «null|2.0.0» # c\n",
            "image: {repository: a/b, tag:«| 2.0.0»}\n",
            "image: {repository: a/b, tag: \"«|2.0.0»\", digest: ''}\n",
        ],
    );
    check(
        Format::Yaml,
        tag("1.10"),
        "image:\n  repository: a/b\n  tag:«| \"1.10\"»\n",
    );
}

#[test]
fn a_version_is_a_tag_where_it_can_be_nothing_else() {
    all(
        Format::Yaml,
        tag("2.0.0"),
        &[
            "prometheus:\n  repository: quay.io/prometheus/prometheus\n  version: «v1.0.0|2.0.0»\n",
            "image: {repository: a/b, version: «1|2.0.0»}\n",
            "images: [{repository: a/b, version: «1|2.0.0»}]\n",
            "x: {registry: quay.io, repository: a/b, version: \"«1|2.0.0»\"}\n",
            "x: {repository: \"localhost/a/b\", version: «1|2.0.0»}\n",
            "image: {repository: a/b, version: 3, tag: «1|2.0.0»}\n",
            "driver:\n  repository: nvcr.io/nvidia\n  image: driver\n  version: \"«525.60|2.0.0»\"\n",
        ],
    );
    for text in [
        "repository: a/b\nversion: 1.0.0\n",
        "dependencies:\n- name: a\n  version: 1\n  repository: https://charts.example.com\n",
        "dependencies:\n- name: a\n  version: 1\n  repository: oci://ghcr.io/acme\n",
        "dependencies:\n- {name: a, version: 1, repository: \"@stable\"}\n",
        "dependencies:\n- {name: a, version: 1, repository: \"alias:stable\"}\n",
        "dependencies:\n- {name: a, version: 1, repository: file://../a}\n",
        "dependencies:\n- {name: a, version: 1, repository: \"\"}\n",
        "image: {name: ubuntu, version: 22}\n",
        "x: {name: ubuntu, tag: a}\n",
    ] {
        assert_eq!(listed(Format::Yaml, text), [""; 0], "{text}");
    }
    let package = "{\"name\": \"shop\", \"version\": \"1.0.0\", \"repository\": \"acme/shop\"}";
    assert_eq!(listed(Format::Json, package), [""; 0]);
}

#[test]
fn a_registry_is_part_of_the_image() {
    for (text, wanted) in [
        (
            "image: {registry: docker.io, repository: bitnami/redis, tag: 7}\n",
            "helm docker.io/bitnami/redis:7",
        ),
        (
            "image: {registry: ghcr.io/acme, repository: shop, tag: 7}\n",
            "helm ghcr.io/acme/shop:7",
        ),
        (
            "image: {registry: ghcr.io/, repository: acme/shop, tag: 7}\n",
            "helm ghcr.io/acme/shop:7",
        ),
        (
            "image: {registry: \"\", repository: acme/shop, tag: 7}\n",
            "helm acme/shop:7",
        ),
        (
            "image: {registry: ~, repository: acme/shop, tag: 7}\n",
            "helm acme/shop:7",
        ),
        (
            "image: {registry: mirror.local, repository: docker.io/library/nginx, tag: 7}\n",
            "helm mirror.local/docker.io/library/nginx:7",
        ),
        (
            "registry: ghcr.io\nimage: acme/shop\ntag: 7\n",
            "helm ghcr.io/acme/shop:7",
        ),
        (
            "registry: ghcr.io\nimage: acme/shop:7\n",
            "helm ghcr.io/acme/shop:7",
        ),
        (
            "registry: ghcr.io\nimage: ghcr.io/acme/shop:7\n",
            "kubernetes ghcr.io/acme/shop:7",
        ),
        (
            "x: {repository: nvcr.io/nvidia, image: driver, tag: 7}\n",
            "helm nvcr.io/nvidia/driver:7",
        ),
    ] {
        let found = index(Format::Yaml, text.as_bytes());
        let shown = format!(
            "{} {}",
            found.sites[0].kind,
            found.sites[0].reference_text()
        );
        assert_eq!((shown.as_str(), found.sites.len()), (wanted, 1), "{text}");
        let reference = found.sites[0].reference().unwrap();
        let image = found.sites[0].image().unwrap();
        assert_eq!(reference.image(), image, "{text}");
        assert_eq!(reference.tag().unwrap().as_str(), "7", "{text}");
        let name = found.sites[0].reference_text();
        assert_eq!(name.strip_suffix(":7").unwrap().parse().as_ref(), Ok(image));
    }
}

#[test]
fn a_reference_in_one_value_counts_under_any_image_key() {
    all(
        Format::Yaml,
        tag("2.0.0"),
        &[
            "sidecarImage: «a/b:1|a/b:2.0.0»\n",
            "sidecarimage: '«a/b:1|a/b:2.0.0»' # c\n",
            "INIT_IMAGE: \"«a/b:1|a/b:2.0.0»\"\n",
            "Image: «a/b:1|a/b:2.0.0»\n",
            "spec:\n  workerImage: «a/b:1|a/b:2.0.0»\n",
            "image:\n  image: «a/b:1|a/b:2.0.0»\n",
            "image: {repository: «ghcr.io/a/b:1|ghcr.io/a/b:2.0.0»}\n",
            "proxyImage:\n  registry: ghcr.io\n  repository: «a/b:1|a/b:2.0.0»\n  pullPolicy: Always\n",
            "registry: ghcr.io\nimage: «acme/shop:1|acme/shop:2.0.0»\n",
        ],
    );
    for text in [
        "sidecarImage: nginx\n",
        "sidecarImage: true\n",
        "sidecarImage: 12:30\n",
        "sidecarImage: https://example.com/a.png\n",
        "sidecarImage: ${IMAGE}:1\n",
        "imageName: a/b:1\nimage: {}\n",
        "chart: {repository: ghcr.io/a/b:1}\nimage: {}\n",
    ] {
        assert_eq!(listed(Format::Yaml, text), [""; 0], "{text}");
    }
}

#[test]
fn an_image_beside_its_tag_is_one_site() {
    all(
        Format::Yaml,
        tag("2.0.0"),
        &[
            "image: ghcr.io/acme/shop\ntag: «1.0.0|2.0.0»\n",
            "web:\n  image: ghcr.io/acme/shop\n  tag: \"«|2.0.0»\"\n",
            "registry: ghcr.io\nimage: acme/shop\ntag: «1|2.0.0»\n",
            "image: {image: ghcr.io/acme/shop, tag: «1|2.0.0»}\n",
            // A complete reference needs no tag from elsewhere.
            "image: «a/b:1|a/b:2.0.0»\ntag: 1\n",
        ],
    );
    let texts = listed(Format::Yaml, "image: ghcr.io/acme/shop\ntag: 1\n");
    assert_eq!(texts, ["helm 2:6 ghcr.io/acme/shop:1"]);
}

#[test]
fn digests_follow_their_tags() {
    let to = To {
        digest: Some(E),
        ..tag("2.0.0")
    };
    all(
        Format::Yaml,
        to,
        &[
            "image: {repository: a/b, tag: «1|2.0.0»}\n",
            "image: {repository: a/b, tag: «1|2.0.0», digest: \"\"}\n",
            "image:\n  repository: a/b\n  tag: «1|2.0.0»\n  digest: «=D|=E»\n",
            "image:\n  repository: a/b\n  digest: '«=D|=E»'\n  tag: «1|2.0.0»\n",
            "image:\n  repository: a/b\n  tag: «1@D|2.0.0@E»\n",
            "image:\n  repository: a/b\n  tag: \"«1@D|2.0.0@E»\"\n  digest:\n",
            "image:\n  repository: a/b\n  digest: «=D|=E»\n",
            "image:\n  repository: a/b\n  tag: \"«|2.0.0»\"\n  digest: «=D|=E»\n",
            "image: a/b\ndigest: «=D|=E»\n",
            "image: {repository: «a/b:1@D|a/b:2.0.0@E»}\n",
            "sidecarImage: «a/b@D|a/b:2.0.0@E»\n",
        ],
    );
    let exact = To {
        rule: DigestRule::Exact,
        ..to
    };
    all(
        Format::Yaml,
        exact,
        &[
            "image: {repository: a/b, tag: «1|2.0.0@E»}\n",
            "image: {repository: a/b, tag: «1|2.0.0», digest: \"«|=E»\"}\n",
            "image: {repository: a/b, tag: «1|2.0.0», digest:«| =E»}\n",
            "image: {repository: a/b, tag: «1@D|2.0.0», digest: «=D|=E»}\n",
            "image: {repository: «a/b:1|a/b:2.0.0@E»}\n",
        ],
    );
    let unpinned = To {
        digest: None,
        ..exact
    };
    all(
        Format::Yaml,
        unpinned,
        &[
            "image: {repository: a/b, tag: «1@D|2.0.0»}\n",
            "image: {repository: a/b, tag: «1|2.0.0», digest: \"\"}\n",
        ],
    );
    let same = To {
        digest: None,
        ..tag("1")
    };
    all(
        Format::Yaml,
        same,
        &["image: {repository: a/b, tag: 1, digest: =D}\n"],
    );
}

#[test]
fn another_image_is_written_in_all_its_parts() {
    let to = To {
        rename: Some("ghcr.io/x/y"),
        ..tag("2.0.0")
    };
    all(
        Format::Yaml,
        to,
        &[
            "image: {repository: «a/b|ghcr.io/x/y», tag: «1|2.0.0»}\n",
            "image: {registry: «docker.io|ghcr.io», repository: «a/b|x/y», tag: «1|2.0.0»}\n",
            "image: {registry: \"«docker.io|ghcr.io»\", repository: '«a/b|x/y»', tag: «1|2.0.0»}\n",
            "image: {registry: ghcr.io, repository: «a/b|x/y», tag: «1|2.0.0»}\n",
            "image: {registry: ghcr.io/x, repository: «b|\"y\"», tag: «1|2.0.0»}\n",
            "image: {registry: «quay.io/a|ghcr.io», repository: «b|x/y», tag: «1|2.0.0»}\n",
            "image: {registry: «quay.io/|ghcr.io/», repository: «b|x/y», tag: «1|2.0.0»}\n",
            "image: {registry: '', repository: «a/b|ghcr.io/x/y», tag: «1|2.0.0»}\n",
            "image: {registry: GHCR.io, repository: x/y, tag: «1|2.0.0»}\n",
            "registry: «quay.io|ghcr.io»\nimage: «a/b:1|x/y:2.0.0»\n",
            "x: {repository: «nvcr.io/nvidia|ghcr.io», image: «driver|x/y», tag: «1|2.0.0»}\n",
            "image: «a/b|ghcr.io/x/y»\ntag: «1|2.0.0»\n",
        ],
    );
    let hub = To {
        rename: Some("x/y"),
        ..tag("2.0.0")
    };
    all(
        Format::Yaml,
        hub,
        &[
            "image: {registry: «ghcr.io|docker.io», repository: «a/b|x/y», tag: «1|2.0.0»}\n",
            "image: {registry: docker.io, repository: «a/b|x/y», tag: «1|2.0.0»}\n",
        ],
    );
    let explicit = To {
        rename: Some("docker.io/x/y"),
        ..tag("2.0.0")
    };
    check(
        Format::Yaml,
        explicit,
        "image: {registry: «ghcr.io|docker.io», repository: «a/b|x/y», tag: «1|2.0.0»}\n",
    );
}

#[test]
fn markers_own_whole_sites() {
    for (text, wanted) in [
        (
            "image:\n  repository: a/b\n  tag: 1 # tagwright: shop\n",
            "a/b:1 helm Some(\"shop:tag\")",
        ),
        (
            "image:\n  repository: a/b # tagwright: shop\n  tag: 1\n",
            "a/b:1 helm Some(\"shop\")",
        ),
        (
            "image:\n  repository: a/b # {\"$imagepolicy\": \"n:p:name\"}\n  tag: 1 # {\"$imagepolicy\": \"n:p:tag\"}\n",
            "a/b:1 helm Some(\"n:p\")",
        ),
        (
            "image:\n  repository: a/b # {\"$imagepolicy\": \"n:p:name\"}\n  tag: 1\n",
            "a/b marker Some(\"n:p:name\")",
        ),
        (
            "image:\n  repository: a/b # {\"$imagepolicy\": \"n:p\"}\n  tag: 1\n",
            "a/b marker Some(\"n:p\")",
        ),
        (
            "sidecarImage: a/b:1 # tagwright: shop\n",
            "a/b:1 helm Some(\"shop\")",
        ),
        (
            "sidecarImage: a/b # tagwright: shop\n",
            "a/b marker Some(\"shop\")",
        ),
    ] {
        let found = index(Format::Yaml, text.as_bytes());
        assert_eq!(found.sites.len(), 1, "{text}");
        let site = &found.sites[0];
        let marker = site.marker.as_ref().map(ToString::to_string);
        let shown = format!("{} {} {marker:?}", site.reference_text(), site.kind);
        assert_eq!(shown, wanted, "{text}");
    }
    let to = To {
        digest: Some(E),
        ..tag("2.0.0")
    };
    all(
        Format::Yaml,
        to,
        &[
            // A marker for the digest asks for one even where none is yet.
            "image:\n  repository: a/b\n  tag: «1|2.0.0» # tagwright: shop:tag\n  digest: \"«|=E»\" # tagwright: shop:digest\n",
            "image:\n  repository: a/b\n  tag: «1|2.0.0»\n  digest: \"\"\n",
        ],
    );
}

#[test]
fn releases_and_charts_have_the_same_shape() {
    all(
        Format::Yaml,
        tag("2.0.0"),
        &[
            "apiVersion: helm.toolkit.fluxcd.io/v2\nkind: HelmRelease\nspec:\n  chart:\n    spec:\n      chart: shop\n      version: 1.2.3\n      sourceRef: {kind: HelmRepository, name: acme}\n  values:\n    image:\n      repository: ghcr.io/acme/shop\n      tag: «1.0.0|2.0.0»\n    sidecarImage: «a:1|a:2.0.0»\n",
            "apiVersion: helm.fluxcd.io/v1\nkind: HelmRelease\nspec:\n  chart:\n    repository: https://charts.example.com\n    name: shop\n    version: 1.2.3\n  values:\n    image: ghcr.io/acme/shop\n    tag: «1.0.0|2.0.0»\n",
            "kind: HelmRelease\nspec:\n  postRenderers:\n  - kustomize:\n      images:\n      - name: a/b\n        newName: ghcr.io/acme/b\n        newTag: «1|2.0.0»\n",
            "helmCharts:\n- name: shop\n  repo: https://charts.example.com\n  version: 1.2.3\n  valuesInline:\n    image: {repository: a/b, tag: «1|2.0.0»}\n",
            "kind: List\nitems:\n- kind: HelmRelease\n  spec: {values: {image: {repository: a, tag: «1|2.0.0»}}}\n- kind: HelmRelease\n  spec: {values: {image: {repository: b, tag: «1|2.0.0»}}}\n",
        ],
    );
    check(
        Format::Json,
        tag("2.0.0"),
        "{\"image\": {\"repository\": \"a/b\", \"tag\": \"«1.0.0|2.0.0»\"}, \"v\": 1.10}\n",
    );
    check(
        Format::Json,
        tag("1.10"),
        "{\"image\": {\"repository\": \"a/b\", \"tag\": \"«|1.10»\"}}\n",
    );
}

#[test]
fn tags_keep_their_type() {
    for (new, written) in [
        ("1.2.3", "1.2.3"),
        ("1.10", "\"1.10\""),
        ("1e3", "\"1e3\""),
        ("0123", "\"0123\""),
        ("yes", "\"yes\""),
        ("null", "\"null\""),
        ("20240115", "\"20240115\""),
        ("0o17", "\"0o17\""),
        ("1_000", "\"1_000\""),
        ("2024-01-15", "\"2024-01-15\""),
        ("v1.10", "v1.10"),
        ("latest", "latest"),
    ] {
        for before in ["9.9.9", "1.19", "5", "true", "~", "2024-01-16", "2_000"] {
            let case = format!("image:\n  repository: a/b\n  tag: «{before}|{written}» # c\n");
            check(Format::Yaml, tag(new), &case);
            let case = format!("image: {{repository: a/b, tag: «{before}|{written}»}}\n");
            check(Format::Yaml, tag(new), &case);
        }
    }
    for (text, wanted) in [
        ("1.10", "1.10"),
        ("20240115", "20240115"),
        ("0123", "0123"),
        ("1e3", "1e3"),
        ("yes", "yes"),
        ("0x1f", "0x1f"),
    ] {
        let text = format!("repository: a/b\ntag: {text}\n");
        let found = index(Format::Yaml, text.as_bytes());
        assert_eq!(found.sites[0].tag_text(), Some(wanted), "{text}");
    }
}
