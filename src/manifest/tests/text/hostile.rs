//! Texts that mean harm or are broken: a reason, no panic, and bounded work.

use super::*;

const ANY: Format = Format::Text(Dialect::Any);
const CODE: Format = Format::Text(Dialect::Code);

#[test]
fn what_cannot_be_read_has_a_reason_only_if_it_is_marked() {
    for (bytes, reason) in [
        (&b"\0# tagwright: app\na:1\n"[..], "binary"),
        (b"a\n\xff # tagwright: app\n", "not UTF-8"),
        (b"\xff # {\"$imagepolicy\": \"a:b\"}\n", "not UTF-8"),
    ] {
        let found = index(ANY, bytes);
        assert_eq!(found.sites, []);
        assert!(found.problem.unwrap().reason.contains(reason));
    }
    for bytes in [
        &b"\0\xff"[..],
        b"\xff acme/tagwright:1",
        b"\0 $imagepolicy",
        b"",
        b"# tagwright",
    ] {
        assert_eq!(index(ANY, bytes), FileIndex::default());
    }
}

#[test]
fn a_file_that_is_no_yaml_keeps_its_problem() {
    let text = b"{{ if }}\nimage: a:1 # tagwright: app\nimage: b:1\n";
    let found = index(Format::Yaml, text);
    assert_eq!(found.sites.len(), 1);
    assert!(found.problem.as_ref().unwrap().reason.contains("template"));
    let rest = found.unread(text).concat();
    let rest = String::from_utf8(rest).unwrap();
    assert!(rest.contains("b:1") && !rest.contains("a:1"), "{rest}");
    for text in [
        &b"{{ if }}\nimage: a:1\n"[..],
        b"image: a\0b # tagwright: x\n",
    ] {
        let found = index(Format::Yaml, text);
        assert_eq!(found.sites, []);
        assert_eq!(found.unread(text), [text]);
    }
    let sound = b"image: a:1\n";
    assert!(index(Format::Yaml, sound).unread(sound).is_empty());
}

#[test]
fn sizes_have_limits() {
    let mut large = b"I=a:1 # tagwright: app\n".to_vec();
    assert_eq!(index(ANY, &large).sites.len(), 1);
    large.resize((1 << 20) + 1, b'x');
    large.splice(0..0, *b"\n\n");
    let found = index(ANY, &large);
    assert_eq!(found.sites, []);
    let problem = found.problem.unwrap();
    assert_eq!(problem.position.line, 3);
    assert!(problem.reason.contains("larger than 1 MiB"));
    assert_eq!(index(ANY, &vec![b'x'; 2 << 20]), FileIndex::default());
    assert_eq!(index_of_too_large(ANY), FileIndex::default());
    assert!(index_of_too_large(CODE).problem.is_some());
    assert!(index_of_too_large(Format::Yaml).problem.is_some());

    let long = format!("{} I=a:1 # tagwright: app\n", "x".repeat(5000));
    let found = index(ANY, long.as_bytes());
    assert_eq!(found.sites, []);
    assert!(found.notes[0].reason.contains("more than 4096 bytes"));
    let many = "# tagwright: app\n".repeat(10_000);
    let notes = index(ANY, many.as_bytes()).notes;
    assert_eq!(notes.len(), 100);
}

#[test]
fn work_is_linear() {
    // Each of these would take minutes if any step looked at all that precedes or follows.
    let size = 128 << 10;
    for unit in [
        "{{",
        "{#",
        "<!--",
        "/*",
        " #",
        "\"",
        "'",
        "`",
        "${",
        "$(",
        "{a",
        "<%",
        "\\",
        "=",
        ":",
        " ",
        "tagwright:",
        "$imagepolicy",
        "{\"$imagepolicy\"",
        "a:1 ",
        "# tagwright: a\n",
        "a:1 # tagwright: a\n",
        "{#\n",
        "/*\n",
        " # tagwright: a:tag",
        "-",
        "=\n",
        "x: |\n",
    ] {
        let text = format!("# tagwright: app\n{}", unit.repeat(size / unit.len()));
        for format in [ANY, CODE, Format::Text(Dialect::Docker)] {
            index(format, text.as_bytes());
        }
        let wide: String = text
            .as_bytes()
            .chunks(4000)
            .map(|chunk| format!("{}\n", String::from_utf8_lossy(chunk)))
            .collect();
        index(ANY, wide.as_bytes());
    }
}

#[test]
fn many_sites_are_edited_in_one_go() {
    let case = "I=«a:1|a:2» # tagwright: app\n".repeat(5000);
    check("x.txt", tag("2"), &case);
}
