//! Marked values inside YAML's literal blocks.

use super::*;

/// As [`super::super::check`], for values that are inside blocks.
#[track_caller]
fn check(case: &str) {
    let (before, after) = split(&marked(case));
    let (found, rewritten) = write(Format::Yaml, before.as_bytes(), tag("2.0.0"));
    assert_eq!(found.problem, None, "{case}");
    assert_eq!(found.notes, [], "{case}");
    let shown = String::from_utf8(rewritten.bytes.clone()).unwrap();
    assert_eq!(shown, after, "{case}\n{:?}", rewritten.refused);
    assert_eq!(rewritten.refused, [], "{case}");
    let (_, again) = write(Format::Yaml, &rewritten.bytes, tag("2.0.0"));
    assert_eq!(again.edits, [], "{case}");
}

#[test]
fn values_in_blocks_are_edited() {
    for case in [
        "data:\n  x.yaml: |\n    image: «a:1|a:2.0.0» # Mw\n",
        "data:\n  x.yaml: |\n    image: «a:1|a:2.0.0» # Ow\n    b: c\n  y: z\n",
        "data:\n  x.yaml: |-\n    # Ow\n    image: «a:1|a:2.0.0»",
        "data:\n  x.yaml: |+\n    image: «a:1|a:2.0.0» # Ow\n\n\n  y: z\n",
        "data:\n  x.yaml: |\n\n\n    image: «a:1|a:2.0.0» # Ow\n",
        "data:\n  x.yaml: |2\n      image: «a:1|a:2.0.0» # Ow\n",
        "data:\r\n  x.yaml: |\r\n    image: «a:1|a:2.0.0» # Ow\r\n    b: c\r\n",
        "\u{feff}data:\n  ж: |\n    ж: ж\n    image: «a:1|a:2.0.0» # Ow\n",
        "data:\n  app.env: |\n    TAG=«1.2|2.0.0» # Ot\n",
        "data:\n  Dockerfile: |\n    # Ow\n    FROM «a:1|a:2.0.0» AS x\n",
        "data:\n  main.tf: |\n    image = \"«a:1|a:2.0.0»\" // Ow\n",
        "data:\n  x.json: |\n    {\"image\": \"«a:1|a:2.0.0»\"} // Ow\n",
        // Helm values that are no YAML, beside ones that are.
        "helm:\n  values: |\n    {{ if }}\n    i: «a:1|a:2.0.0» # Ow\n",
        "a:\n  helm:\n    values: |\n      {{ if }}\n      i: «a:1|a:2.0.0» # Ow\nb:\n  helm:\n    values: |\n      image: «a:1|a:2.0.0»\n      x: «a:1|a:2.0.0» # Ow\n",
        "script: |\n  docker run «a:1|a:2.0.0» # Ow\n  docker run «b:1|b:2.0.0» # tagwright: web\n",
        "a: |\n  I=«a:1|a:2.0.0» # Ow\nb: |\n  I=«a:1|a:2.0.0» # Ow\nimage: «c:1|c:2.0.0»\n",
        "- |\n  «a:1|a:2.0.0» # Ow\n- |\n  «a:1|a:2.0.0» # Ow\n",
        "|\n «a:1|a:2.0.0» # Ow\n",
        "--- |\n «a:1|a:2.0.0» # Ow\n--- |\n «a:1|a:2.0.0» # Ow\n",
        "x: |\n  a: {{ .b }}\n\n  {{- /* Ow */ -}}\n  i: «a:1|a:2.0.0»\n# after\ny: z\n",
        "image: |\n  «b:1|b:2.0.0»\nx: |\n  i: «a:1|a:2.0.0» # Ow\n",
        "image: «b:1|b:2.0.0» # Ow\nx: |\n  i: «a:1|a:2.0.0» # Ow\n",
        "x: |\n\ti: «a:1|a:2.0.0» # Ow\n"
            .replace("|\n\ti", "|\n  \ti")
            .as_str(),
    ] {
        check(case);
    }
}

#[test]
fn what_the_tree_says_against_a_block_counts() {
    for (text, reason) in [
        ("a: &b |\n  i: a:1 # Ow\nc: *b\n", "shared"),
        ("x: |\n  i: a:1 # Ow\nsops:\n  mac: x\n", "SOPS"),
        ("x: |\n  i: a:1 # Ow\nx: y\n", "twice"),
        ("x: |\n  tag: v1 # Ot\n", "put quotes around"),
        ("x: |\n  i: ${A}:1 # Ow\n", "is a template"),
    ] {
        let text = marked(text);
        let (found, rewritten) = write(Format::Yaml, text.as_bytes(), tag("1.10"));
        assert_eq!(found.sites.len(), 1, "{text}");
        assert_eq!(rewritten.bytes, text.as_bytes(), "{text}");
        let shown = rewritten.refused[0].reason.to_string();
        assert!(shown.contains(reason), "{text}: {shown}");
    }
}

#[test]
fn what_is_no_value_in_a_block_is_told_or_left() {
    for (text, notes) in [
        ("x: |\n  a: b\n  image: a:1 b:1 # Ow\n", vec!["3:18 "]),
        ("x: |\n  # Ow\n\n  image: a:1\n", vec!["2:3 "]),
        ("README.md: |\n  image: a:1 # Ow\n", vec![]),
        ("x: |\n  # image: a:1 # Ow\n", vec![]),
        ("x: >\n  image: a:1 # Ow\n", vec![]),
        ("x: >\n  image: a:1 # Mw\n", vec!["2:3 "]),
    ] {
        let found = index(Format::Yaml, marked(text).as_bytes());
        assert_eq!(found.sites, [], "{text}");
        assert_eq!(found.notes.len(), notes.len(), "{text}: {:?}", found.notes);
        for (note, wanted) in found.notes.iter().zip(notes) {
            let shown = format!("{} {}", note.position, note.reason);
            assert!(shown.starts_with(wanted), "{text}: {shown}");
        }
    }
}

#[test]
fn a_block_can_be_taken_out() {
    for text in [
        "# tagwright: ignore\nx: |\n  i: a:1 # Ow\n",
        "x: |\n  # tagwright: ignore\n\n  i: a:1 # Ow\n",
        "x: |\n  y\n  # Ow\n  i: a:1 # tagwright: ignore\n",
    ] {
        let found = index(Format::Yaml, marked(text).as_bytes());
        assert_eq!(found.sites.len(), 1, "{text}");
        assert!(found.sites[0].ignored, "{text}");
    }
}
