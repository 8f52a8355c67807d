//! Input that means harm or is broken: a reason, no panic, and bounded work.

use super::*;

#[track_caller]
fn problem(format: Format, bytes: &[u8], position: &str, reason: &str) {
    let found = index(format, bytes);
    assert_eq!(found.sites, []);
    let problem = found.problem.expect("the file has a problem");
    assert!(problem.reason.contains(reason), "{problem:?}");
    assert_eq!(problem.position.to_string(), position, "{problem:?}");
}

#[test]
fn what_cannot_be_read_has_a_place_and_a_reason() {
    for (bytes, position, reason) in [
        (&b"image: a:1\n\xff\n"[..], "2:1", "not UTF-8"),
        (b"\xff\xfei\0m\0", "1:1", "UTF-16"),
        (b"a:\n\timage: a:1\n", "2:2", "tabs"),
        (b"image: a:1\n  b: c\n", "2:4", ""),
        (b"image: [a\n", "1:8", "unclosed"),
        (b"image: a:1\nb: *none\n", "2:4", "unknown anchor"),
        (b"image: \"a\n", "1:8", ""),
        (
            b"image: a\n{{- if .Values.x }}\nb: c\n{{- end }}\n",
            "2:3",
            "looks like a template",
        ),
        (b"image: a\0b\n", "1:9", ""),
        (b"image: a:1\nx: @y\n", "2:4", ""),
    ] {
        problem(Format::Yaml, bytes, position, reason);
    }
    problem(Format::Json, b"{\"image\": \"a:1\"", "1:1", "unclosed");
}

#[test]
fn depth_and_size_have_limits() {
    let deep = format!("image: a:1\nx: {}", "[".repeat(10_000));
    problem(Format::Yaml, deep.as_bytes(), "2:259", "deeper than 255");
    let deep: String = (0..10_000)
        .map(|depth| format!("{}a:\n", " ".repeat(depth % 500)))
        .collect();
    let found = index(Format::Yaml, format!("image: a:1\n{deep}").as_bytes());
    assert!(found.problem.is_some());
    let deep = format!("{}image: a:1", "- ".repeat(10_000));
    assert!(index(Format::Yaml, deep.as_bytes()).problem.is_some());

    let mut large = b"image: a:1\n# ".to_vec();
    large.resize(MAX_BYTES + 1, b'x');
    problem(Format::Yaml, &large, "1:1", "larger than 16 MiB");
    let many = format!("image: a:1\nx: [{}]", "1,".repeat(1 << 20));
    let found = index(Format::Yaml, many.as_bytes());
    assert!(found.problem.unwrap().reason.contains("values"));
}

#[test]
fn an_alias_bomb_is_a_small_tree() {
    let mut text = String::from("a0: &a0 [x, x]\n");
    for level in 1..60 {
        let below = level - 1;
        text.push_str(&format!(
            "a{level}: &a{level} [*a{below}, *a{below}, *a{below}]\n"
        ));
    }
    text.push_str("image: a:1\n");
    let (_, rewritten) = write(Format::Yaml, text.as_bytes(), tag("2"));
    assert_eq!(rewritten.edits.len(), 1);
}

#[test]
fn many_sites_aliases_and_comments_are_linear() {
    // Each of these would take minutes if any step looked at all others.
    let mut cases = [const { String::new() }; 5];
    for number in 0..20_000 {
        cases[0].push_str(&format!("k{number}: {{image: a:{number}}}\n"));
        cases[1].push_str(&format!("- &i{number} {{image: a:1}}\n- *i{number}\n"));
        cases[2].push_str("# tagwright: x\n");
    }
    cases[2].push_str("image: a:1\n");
    cases[4] = "---\nsops: {mac: x}\nimage: a:1\n".repeat(40_000);
    cases[3] = format!("[{}] # tagwright: x:tag\n", "{image: a:1}, ".repeat(20_000));
    let counts = cases.map(|text| index(Format::Yaml, text.as_bytes()).sites.len());
    assert_eq!(counts, [20_000, 20_000, 1, 20_000, 40_000]);
}

#[test]
fn many_sites_of_one_scalar_are_linear() {
    let mut shared = String::from("- {repository: a, tag: &v 1.0.0, digest: ''}\n");
    let mut merged = String::from("- &d {repository: a}\n");
    let mut alone = String::new();
    let mut parameters = String::from("helm:\n  parameters:\n");
    let mut texts = String::new();
    for number in 0..5_000 {
        shared.push_str(&format!("- {{repository: a{number}, tag: *v}}\n"));
        merged.push_str(&format!("- {{<<: *d, tag: {number}}}\n"));
        alone.push_str("- {global: {tag: 1}, repository: a, tag: ''}\n");
        parameters.push_str(&format!(
            "  - {{name: i{number}.repository, value: a}}\n  - {{name: i{number}.tag, value: b}}\n"
        ));
        texts.push_str("- helm:\n    values: |\n      image: a:1\n");
    }
    // One that isn't asked holds back all others.
    shared.push_str("- {repository: z, tag: *v} # tagwright: ignore\n");
    let (found, rewritten) = write(Format::Yaml, shared.as_bytes(), tag("2.0.0"));
    assert_eq!(found.sites.len(), 5_002);
    assert_eq!((rewritten.edits.len(), rewritten.refused.len()), (0, 5_002));
    for (text, edits) in [
        (merged, 5_000),
        (alone, 0),
        (parameters, 5_000),
        (texts, 5_000),
    ] {
        let (found, rewritten) = write(Format::Yaml, text.as_bytes(), tag("2.0.0"));
        assert_eq!(found.sites.len(), 5_000);
        assert_eq!(
            rewritten.edits.len(),
            edits,
            "{:?}",
            rewritten.refused.first()
        );
    }
}

#[test]
fn wide_mappings_are_linear() {
    // Every one of them merges a wide mapping, and stands in it.
    let mut wide = String::from("a: &a\n");
    let mut inner = String::new();
    for number in 0..5_000 {
        wide.push_str(&format!("  k{number}: 1\n"));
        inner.push_str(&format!("x{number}: {{<<: *a, tag: 1, image: b:1}}\n"));
    }
    let text = format!("{wide}  repository: c\n{inner}global: {{tag: 2}}\n");
    let found = index(Format::Yaml, text.as_bytes());
    assert_eq!(found.sites.len(), 10_000);
}

#[test]
fn a_long_comment_block_is_sound() {
    let text = format!(
        "a:\n{}  image: «a:1|a:2» # tagwright: x\n",
        "  # words\n".repeat(500)
    );
    check(Format::Yaml, tag("2"), &text);
}
