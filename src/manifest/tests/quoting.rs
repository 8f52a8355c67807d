//! Quotes: kept where they are, added where a value would change type.

use super::*;

#[test]
fn a_plain_value_gets_quotes_only_where_it_would_change_type() {
    for (new, written) in [
        ("1.2.3", "1.2.3"),
        ("v1.10", "v1.10"),
        ("1.10", "\"1.10\""),
        ("1e3", "\"1e3\""),
        ("1234e567", "\"1234e567\""),
        ("0123", "\"0123\""),
        ("0o17", "\"0o17\""),
        ("0x1f", "\"0x1f\""),
        ("1_000", "\"1_000\""),
        ("20240115", "\"20240115\""),
        ("2024-01-15", "\"2024-01-15\""),
        ("2024.01.15", "2024.01.15"),
        ("yes", "\"yes\""),
        ("No", "\"No\""),
        ("on", "\"on\""),
        ("y", "\"y\""),
        ("null", "\"null\""),
        ("TRUE", "\"TRUE\""),
        ("latest", "latest"),
        ("1-alpine", "1-alpine"),
        ("_1", "_1"),
    ] {
        for (before, quoted) in [
            ("9.9.9", written.to_owned()),
            ("\"9.9.9\"", format!("\"{new}\"")),
            ("'9.9.9'", format!("'{new}'")),
            ("9.9", written.to_owned()),
            ("0x9", written.to_owned()),
            ("true", written.to_owned()),
            ("!!str 9.9", format!("!!str {new}")),
            ("~", written.to_owned()),
            ("null", written.to_owned()),
            ("\"\"", format!("\"{new}\"")),
            ("", written.to_owned()),
        ] {
            for tail in ["", " # c", "\n  x: y"] {
                let case = format!("images:\n- name: a\n  newTag: «{before}|{quoted}»{tail}\n");
                let case = if before.is_empty() && tail == " # c" {
                    // The space before the comment stays; the value goes before it.
                    case.replace("newTag: «|", "newTag:«| ")
                } else {
                    case
                };
                check(Format::Kustomization, tag(new), &case);
            }
        }
    }
}

#[test]
fn an_empty_value_is_filled_where_it_stands() {
    for case in [
        "images: [{name: a, newTag:«| 2.0.0», digest: }]\n",
        "images: [{name: a, newTag:«| 2.0.0»}]\n",
        "images:\n- newTag:«| 2.0.0»\n  name: a\n",
        "images:\n- name: a\n  newTag:«| 2.0.0»",
        "images:\n- name: a\n  newTag: «|2.0.0»",
        "images:\r\n- name: a\r\n  newTag:«| 2.0.0»\r\n",
        "images:\r\n- name: a\r\n  newTag: «|2.0.0»\r\n",
        "images:\n- name: a\n  newTag:«| 2.0.0»   # c\n",
        "images:\n- name: a\n  newTag:«| 2.0.0»\n  # c\n  x: y\n",
        "images:\n- name: a\n  newTag: '«|2.0.0»'\n",
        "images:\n- name: a\n  newTag: !!str '«|2.0.0»'\n",
        "images:\n- name: a\n  newTag: &t \"«|2.0.0»\"\n",
        "images:\n- name: a\n  newTag: «~|2.0.0» # c\n",
    ] {
        check(Format::Kustomization, tag("2.0.0"), case);
    }
}

#[test]
fn a_name_and_tag_that_look_like_a_number_get_quotes() {
    check(Format::Yaml, tag("30"), "image: «12:1x|\"12:30\"»\n");
    let to = To {
        rename: Some("[::1]:5000/a"),
        ..tag("1")
    };
    check(Format::Yaml, to, "image: «a:1|\"[::1]:5000/a:1\"»\n");
    check(Format::Yaml, to, "{image: «a:1|\"[::1]:5000/a:1\"»}\n");
    check(Format::Yaml, to, "image: !!str «a:1|\"[::1]:5000/a:1\"»\n");
}
