//! Sites and what is left out, case by case.

use super::*;

fn shown(format: Format, text: &str) -> String {
    let sites = index(format, text.as_bytes()).sites;
    let line = |site: &Site| format!("{} {}", site.position, site.reference_text());
    sites.iter().map(line).collect::<Vec<_>>().join(", ")
}

#[test]
fn positions_are_those_of_an_editor() {
    for (text, wanted) in [
        ("image: a:1\n", "1:8 a:1"),
        ("\u{feff}image: a:1\n", "1:8 a:1"),
        ("ж:\r\n- image: 'a:1'\r\n", "2:10 a:1"),
        ("{ж: ж, image: a:1}", "1:15 a:1"),
        ("image: |-\n  a:1\n", "2:3 a:1"),
        ("image: &x a:1\n---\n- {image: b}\n", "1:11 a:1, 3:11 b"),
        ("a:\n  image: x/y@z\n  b: {image: x/y}\n", "3:14 x/y"),
    ] {
        assert_eq!(shown(Format::Yaml, text), wanted, "{text}");
    }
}

#[test]
fn what_is_no_reference_is_no_site() {
    for text in [
        "image: {{ .Values.image }}\n",
        "image: \"{{ .Values.image }}:1\"\n",
        "image: ${IMAGE}\n",
        "image: ghcr.io/a/b:${TAG}\n",
        "image: true\n",
        "image: 5\n",
        "image: 1.10\n",
        "image: ~\n",
        "image:\n",
        "image: ''\n",
        "image: a b\n",
        "image: Logo\n",
        "image: https://example.com/logo.png\n",
        "image: !Ref nginx\n",
        "image: !!int nginx\n",
        "image: [a:1]\n",
        "image: {repository: a, pullPolicy: b}\n",
        "image: |\n  a:1\n  b:1\n",
        "image: *x\n",
        "images: a:1\n",
        "imagePullPolicy: Always\n",
        "text: |\n  image: a:1\n",
        "# image: a:1\nx: y\n",
        "image: a:1 b\n",
        "properties:\n  image:\n    type: string\n",
        "? image\n",
        "? {image: {a: b}}\n",
    ] {
        assert_eq!(shown(Format::Yaml, text), "", "{text}");
    }
    for text in [
        "{\"image\": 5}",
        "{\"image\": null}",
        "{\"image\": [\"a:1\"]}",
    ] {
        assert_eq!(shown(Format::Json, text), "", "{text}");
    }
}

#[test]
fn a_comment_takes_a_site_out() {
    for (text, ignored) in [
        ("image: a:1 # tagwright: ignore\n", vec![true]),
        ("x: y\n# tagwright: ignore\nimage: a:1\n", vec![true]),
        (
            "x: y\n# tagwright: ignore (why)\nimage: a:1\nb: {image: b:1}\n",
            vec![true, false],
        ),
        ("x: y\n# tagwright: ignore\n\nimage: a:1\n", vec![false]),
        (
            "x: y\n# tagwright: ignore\n# and why\nimage: a:1\n",
            vec![false],
        ),
        ("image: |- # tagwright: ignore\n  a:1\n", vec![true]),
        ("image: |-\n  a:1\nx: y # tagwright: ignore\n", vec![false]),
        ("image: # tagwright: ignore\n  a:1\n", vec![true]),
        (
            "# tagwright: ignore\nimage: a:1\nb:\n  image: b:1\n",
            vec![true, true],
        ),
        ("# tagwright: ignore\n\n---\nimage: a:1\n", vec![true]),
        (
            "--- # first\n# tagwright: ignore\nx: 1\nimage: a:1\n",
            vec![false],
        ),
        (
            "\u{feff}# tagwright: ignore\r\nx: 1\r\nimage: a:1\r\n",
            vec![true],
        ),
    ] {
        let found = index(Format::Yaml, text.as_bytes());
        let flags: Vec<bool> = found.sites.iter().map(|site| site.ignored).collect();
        assert_eq!(flags, ignored, "{text}");
    }
    for text in [
        "images:\n- name: a\n  newTag: 1 # tagwright: ignore\n",
        "images:\n# tagwright: ignore\n- name: a\n  newTag: 1\n",
        "images:\n- name: a # tagwright: ignore\n  newTag: 1\n",
        "images:\n- name: a\n  # tagwright: ignore\n  newTag: 1\n",
    ] {
        let found = index(Format::Kustomization, text.as_bytes());
        assert!(found.sites[0].ignored, "{text}");
        assert!(!found.ignored);
    }
    assert!(index(Format::Yaml, b"# tagwright: ignore\nimage: a:1\n").ignored);
}

#[test]
fn a_file_without_the_words_is_not_parsed() {
    for text in [
        "imagePullPolicy: Always\n\tnot: yaml\n",
        "- [unclosed\n",
        "\u{0}",
        "imagePullSecrets: {{- x }}\n",
        "repository: {{ x }\n",
        "helm: {{ x }\n",
        "version: {{ x }\ntag: }\n",
    ] {
        assert_eq!(
            index(Format::Yaml, text.as_bytes()),
            FileIndex::default(),
            "{text}"
        );
    }
}
