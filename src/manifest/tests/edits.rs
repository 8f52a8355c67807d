//! Edits, case by case.

use super::*;

#[test]
fn every_style_keeps_its_form() {
    all(
        Format::Yaml,
        tag("2.0.0"),
        &[
            "image: «a/b:1.0|a/b:2.0.0»",
            "image: «a/b:1.0|a/b:2.0.0»\n",
            "image: «a/b|a/b:2.0.0»\n",
            "image: «nginx|nginx:2.0.0»\n",
            "image: '«a/b:1.0|a/b:2.0.0»'\n",
            "image: \"«a/b:1.0|a/b:2.0.0»\"\n",
            "image: \"«a\\x2fb:1.0|a/b:2.0.0»\"\n",
            "image: \"«a/\\\n  b:1.0|a/b:2.0.0»\"\n",
            "image: |-\n  «a/b:1.0|a/b:2.0.0»\n",
            "image: |\n  «a/b:1.0|a/b:2.0.0»\nx: y\n",
            "image: >-\n  «a/b:1.0|a/b:2.0.0»\n\n\nx: y\n",
            "image: >\n  «a/b:1.0|a/b:2.0.0»\n\nx: y\n",
            "image: |+\n  «a/b:1.0|a/b:2.0.0»\n\n\nx: y\n",
            "image: |2-\n  «a/b:1.0|a/b:2.0.0»\nx: y\n",
            "image: >-   # why\n  «a/b:1.0|a/b:2.0.0»",
            "image:\n  «a/b:1.0|a/b:2.0.0»\n",
            "image:\n\n    «a/b:1.0|a/b:2.0.0» # c\n",
            "image:    «a/b:1.0|a/b:2.0.0»    # c\n",
            "image: «a/b:1.0|a/b:2.0.0»\t# c\n",
            "image :  «a/b:1.0|a/b:2.0.0»\n",
            "? image\n: «a/b:1.0|a/b:2.0.0»\n",
            "\"image\": \"«a/b:1.0|a/b:2.0.0»\"\n",
            "'image': «a/b:1.0|a/b:2.0.0»\n",
            "image: !!str «a/b:1.0|a/b:2.0.0»\n",
            "image: ! «a/b:1.0|a/b:2.0.0»\n",
            "image: &i «a/b:1.0|a/b:2.0.0»\n",
            "image: &i !!str '«a/b:1.0|a/b:2.0.0»'\n",
            "{image: «a/b:1.0|a/b:2.0.0»}\n",
            "{image: «a/b:1.0|a/b:2.0.0», x: y}\n",
            "{x: y, \"image\":\"«a/b:1.0|a/b:2.0.0»\"}\n",
            "[{image: «a/b:1.0|a/b:2.0.0»}, {image: '«c:1|c:2.0.0»'}]\n",
            "a: {\n  image: «a/b:1.0|a/b:2.0.0», # c\n  x: y }\n",
        ],
    );
}

#[test]
fn every_shape_of_file_keeps_its_bytes() {
    all(
        Format::Yaml,
        tag("2.0.0"),
        &[
            "a: 1\r\nimage: «a/b:1.0|a/b:2.0.0»\r\nc: d\r\n",
            "image: |-\r\n  «a/b:1.0|a/b:2.0.0»\r\nc: d\r\n",
            "image: >-\r\n  «a/b:1.0|a/b:2.0.0»\r\n\r\nc: d\r\n",
            "image: '«a/b:1.0|a/b:2.0.0»' # c\r\n",
            "\u{feff}image: «a/b:1.0|a/b:2.0.0»\n",
            "\u{feff}# c\r\nключ: ж\r\nimage: «a/b:1.0|a/b:2.0.0» # ж\r\n",
            "ж: {ж: \"ж😀\", image: «a/b:1.0|a/b:2.0.0»} # ж\n",
            "---\nimage: «a/b:1.0|a/b:2.0.0»\n...\n",
            "# only\n---\n# comments\n---\nimage: «a/b:1.0|a/b:2.0.0»\n---\n",
            "image: «a:1|a:2.0.0»\n---\nimage: «b:1|b:2.0.0»\n...\n---\n- image: «c:1|c:2.0.0»",
            "%YAML 1.2\n---\nimage: «a/b:1.0|a/b:2.0.0»\n",
            "\n\n\n   \nimage: «a/b:1.0|a/b:2.0.0»   \n\n\n",
            "- image: «a:1|a:2.0.0»\n\n-   image: «b:1|b:2.0.0»\n-\n  image: «c:1|c:2.0.0»\n",
            "a:\n    - x: |\n        image: no\n      image: «a/b:1.0|a/b:2.0.0»\n    -   y\n",
            "x:   1\nyy:  2\nimage: «a/b:1.0|a/b:2.0.0»\nm: {? {.a: ''} : ''}\n",
            "a: \"x\\\n  y\"\nb: >\n  f\n  g\n\n  h\nimage: «a/b:1.0|a/b:2.0.0»\n",
            "a: \"\\u00e9\\U0001F600\"\nimage: «a/b:1.0|a/b:2.0.0»\n",
            "b: &b {x: y}\nc:\n  <<: *b\n  image: «a/b:1.0|a/b:2.0.0»\n",
            "a: &x 1\nb: *x\nimage: «a/b:1.0|a/b:2.0.0»\n",
            "a: {{ .Values.x }}\nimage: «a/b:1.0|a/b:2.0.0»\n",
        ],
    );
}

#[test]
fn every_kind_of_object_counts() {
    all(
        Format::Yaml,
        tag("2.0.0"),
        &[
            "kind: Deployment\nspec:\n  template:\n    spec:\n      initContainers:\n      - name: i\n        image: «a:1|a:2.0.0»\n      containers:\n      - image: «b:1|b:2.0.0»\n        name: c\n      ephemeralContainers:\n      - {name: e, image: «c:1|c:2.0.0»}\n",
            "kind: CronJob\nspec: {jobTemplate: {spec: {template: {spec: {containers: [{image: «a:1|a:2.0.0»}]}}}}}\n",
            "kind: List\nitems:\n- kind: Pod\n  spec:\n    containers:\n    - image: «a:1|a:2.0.0»\n- kind: Pod\n  spec:\n    containers:\n    - image: «b:1|b:2.0.0»\n",
            "kind: Pod\nspec:\n  volumes:\n  - name: v\n    image:\n      reference: «a/b:1|a/b:2.0.0»\n      pullPolicy: Always\n",
            "apiVersion: example.com/v1\nkind: Whatever\nspec:\n  worker:\n    image: «a:1|a:2.0.0»\n    version: 3\n",
            "services:\n  web:\n    image: «a:1|a:2.0.0»\n    ports: ['80:80']\n",
            "image: «localhost:5000/a|localhost:5000/a:2.0.0»\n",
            "image: «localhost:5000/a:1|localhost:5000/a:2.0.0»\n",
            "image: \"«[::1]:5000/a:1|[::1]:5000/a:2.0.0»\"\n",
            "image: «Docker.io/library/nginx:1|Docker.io/library/nginx:2.0.0»\n",
            "image: «logo.png|logo.png:2.0.0»\n",
        ],
    );
}

#[test]
fn json_is_written_with_its_quotes() {
    all(
        Format::Json,
        tag("2.0.0"),
        &[
            "{\"image\":\"«a/b:1.0|a/b:2.0.0»\"}",
            "{\n\t\"image\": \"«a/b:1.0|a/b:2.0.0»\",\n\t\"n\": 1.10\n}\n",
            "{\"image\":\"«a\\/b:1.0|a/b:2.0.0»\",\"e\":\"\\ud83d\\ude00\"}",
            "[{\"image\": \"«a:1|a:2.0.0»\"}, {\"image\" : \"«b:1|b:2.0.0»\"}]\r\n",
            "{\"image\": {\"reference\": \"«a:1|a:2.0.0»\"}}",
            "{\"kind\":\"Kustomization\",\"images\":[{\"name\":\"a\",\"newTag\":\"«1|2.0.0»\"}]}",
        ],
    );
    check(
        Format::Json,
        tag("1.10"),
        "{\"kind\":\"Kustomization\",\"images\":[{\"name\":\"a\",\"newTag\":\"«1|1.10»\"}]}",
    );
}

#[test]
fn digests_follow_their_tags_where_they_are_held() {
    let to = To {
        digest: Some(E),
        ..tag("2.0.0")
    };
    all(
        Format::Yaml,
        to,
        &[
            "image: «a/b:1|a/b:2.0.0»\n",
            "image: «a/b:1@D|a/b:2.0.0@E»\n",
            "image: «a/b@D|a/b:2.0.0@E»\n",
            "image: '«a/b:2.0.0@D|a/b:2.0.0@E»'\n",
            "t: «1|2.0.0» # tagwright: a:tag\n",
            "t: «1@D|2.0.0@E» # tagwright: a:tag\n",
            "d: «=D|=E» # tagwright: a:digest\n",
            "d: \"«|=E»\" # tagwright: a:digest\n",
            "t: «1|2.0.0» # tagwright: a:tag\nd: \"«|=E»\" # tagwright: a:digest\n",
        ],
    );
    all(
        Format::Kustomization,
        to,
        &[
            "images:\n- name: a\n  newTag: «1|2.0.0»\n",
            "images:\n- name: a\n  newTag: «1@D|2.0.0@E»\n",
            "images:\n- name: a\n  newTag: «1|2.0.0»\n  digest: «=D|=E»\n",
            "images:\n- name: a\n  digest: «=D|=E»\n",
            "images:\n- name: a\n  newTag: «1|2.0.0»\n  digest: \"\"\n",
            "images:\n- name: a\n  newTag: \"«|2.0.0»\"\n  digest: «=D|=E»\n",
        ],
    );
    let same = To {
        digest: None,
        ..tag("1")
    };
    all(
        Format::Yaml,
        same,
        &["image: a/b:1@D\n", "t: 1@D # tagwright: a:tag\n"],
    );
    let digest_only = To { tag: None, ..to };
    all(
        Format::Yaml,
        digest_only,
        &[
            "image: «a/b@D|a/b@E»\n",
            "image: «a/b:1@D|a/b:1@E»\n",
            "t: «1@D|1@E» # tagwright: a:tag\n",
            "n: a/b # tagwright: a:name\n",
        ],
    );
}

#[test]
fn exactly_means_exactly() {
    let to = To {
        rule: DigestRule::Exact,
        ..tag("2.0.0")
    };
    all(
        Format::Yaml,
        to,
        &[
            "image: «a/b:1@D|a/b:2.0.0»\n",
            "image: «a/b@D|a/b:2.0.0»\n",
            "image: «a/b:2.0.0@D|a/b:2.0.0»\n",
            "t: «1@D|2.0.0» # tagwright: a:tag\n",
        ],
    );
    let pinned = To {
        digest: Some(E),
        ..to
    };
    all(
        Format::Yaml,
        pinned,
        &[
            "image: «a/b:1|a/b:2.0.0@E»\n",
            "image: «a/b:1@D|a/b:2.0.0@E»\n",
            "t: «1|2.0.0@E» # tagwright: a:tag\n",
            "t: «1|2.0.0» # tagwright: a:tag\nd: «=D|=E» # tagwright: a:digest\n",
        ],
    );
    all(
        Format::Kustomization,
        pinned,
        &[
            "images:\n- name: a\n  newTag: «1|2.0.0@E»\n",
            "images:\n- name: a\n  newTag: «1|2.0.0»\n  digest: '«|=E»'\n",
            "images:\n- name: a\n  newTag: «1@D|2.0.0»\n  digest: «=D|=E»\n",
        ],
    );
    let digest_only = To {
        tag: None,
        ..pinned
    };
    all(
        Format::Yaml,
        digest_only,
        &["image: «a/b:1|a/b@E»\n", "image: «a/b:1@D|a/b@E»\n"],
    );
    let neither = To { tag: None, ..to };
    all(
        Format::Yaml,
        neither,
        &["image: «a/b:1@D|a/b»\n", "image: a/b\n"],
    );
}

#[test]
fn names_change_only_to_another_image() {
    let to = To {
        rename: Some("ghcr.io/x/y"),
        ..tag("2.0.0")
    };
    all(
        Format::Yaml,
        to,
        &[
            "image: «a/b:1|ghcr.io/x/y:2.0.0»\n",
            "image: «GHCR.io/x/y:1|GHCR.io/x/y:2.0.0»\n",
            "n: «a/b|ghcr.io/x/y» # tagwright: a:name\nt: «1|2.0.0» # tagwright: a:tag\n",
            "image:«| ghcr.io/x/y:2.0.0» # tagwright: a\n",
            "image: «PLACEHOLDER|ghcr.io/x/y:2.0.0» # tagwright: a\n",
        ],
    );
    all(
        Format::Kustomization,
        to,
        &[
            "images:\n- name: a\n  newName: «b|ghcr.io/x/y»\n  newTag: «1|2.0.0»\n",
            "images:\n- name: ghcr.io/x/y\n  newTag: «1|2.0.0»\n",
            "images:\n- name: a\n  newName: \"«|ghcr.io/x/y»\"\n  newTag: «1|2.0.0»\n",
        ],
    );
    let hub = To {
        rename: Some("docker.io/library/nginx"),
        ..tag("2")
    };
    all(Format::Yaml, hub, &["image: «nginx:1|nginx:2»\n"]);
}
