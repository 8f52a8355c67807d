//! Properties over generated files: whatever the style, only the image changes.

use proptest::prelude::*;

use super::*;

/// A mapping value as it is written, with `«»` around the reference's bytes.
fn scalar() -> impl Strategy<Value = String> {
    let name = prop_oneof![
        Just("nginx"),
        Just("ghcr.io/acme/shop"),
        Just("localhost:5000/a/b"),
        Just("x.y/a__b/c--d"),
    ];
    let version = prop_oneof![
        Just(""),
        Just(":1"),
        Just(":1.10"),
        Just(":v1-rc.1"),
        Just(":=")
    ];
    (name, version, 0..7_usize).prop_map(|(name, version, style)| {
        let version = version.replace('=', "1234e5");
        match style {
            0 => format!("'«{name}{version}»'"),
            1 => format!("\"«{name}{version}»\""),
            2 => format!("|-\n@  «{name}{version}»"),
            3 => format!(">\n@  «{name}{version}»\n"),
            4 => format!("&anchor «{name}{version}»"),
            5 => format!("!!str «{name}{version}»"),
            _ => format!("«{name}{version}»"),
        }
    })
}

/// Lines that hold no image, to stand around those that do. `@` is the indentation.
fn filler() -> impl Strategy<Value = String> {
    prop_oneof![
        Just(String::new()),
        Just("@# ж image: a:1 😀".to_owned()),
        Just("@x: {a: [1, 'b'], \"c\": ж}".to_owned()),
        Just("@text: |\n@  image: no:1\n\n@   more".to_owned()),
        Just("@folded: >-\n@  a\n@  b".to_owned()),
        Just("@port:   8080   # c".to_owned()),
        Just("@q: \"a\\u00e9\\\n@  b\"".to_owned()),
        "@k[a-z]{3}: [a-z0-9ж ]{0,12}z",
    ]
}

/// A document whose images are in `«»`.
fn document() -> impl Strategy<Value = String> {
    let container = (
        filler(),
        scalar(),
        prop_oneof![Just(""), Just(" # c"), Just("  ")],
    );
    (
        prop::collection::vec(container, 1..5),
        0..3_usize,
        prop_oneof![Just("\n"), Just("\r\n")],
        any::<bool>(),
        any::<bool>(),
    )
        .prop_map(|(containers, indent, newline, bom, end)| {
            let mut text = String::from("spec:\n");
            let indent = " ".repeat(indent);
            for (filler, scalar, tail) in containers {
                // A comment can't follow the text of a block scalar.
                let tail = if scalar.contains('@') { "" } else { tail };
                let item = format!("- name: c\n{filler}\n@image: {scalar}{tail}\n");
                let item = item.replace('@', &format!("{indent}  "));
                text.push_str(&format!("{indent}{item}"));
            }
            if !end {
                text.truncate(text.trim_end().len());
            }
            let mark = if bom { "\u{feff}" } else { "" };
            format!("{mark}{}", text.replace('\n', newline))
        })
}

/// The value of a tag as it is written, with `«»` around its bytes.
fn tag_value() -> impl Strategy<Value = String> {
    let old = prop_oneof![
        Just("1.0.0"),
        Just("1.10"),
        Just("v1-rc.1"),
        Just("5"),
        Just("true")
    ];
    (old, 0..6_usize).prop_map(|(old, style)| match style {
        0 => format!("'«{old}»'"),
        1 => format!("\"«{old}»\""),
        2 => format!("!!str «{old}»"),
        3 => "\"«»\"".to_owned(),
        4 => format!("\"«{old}»\" # c ж"),
        _ => format!("\"«{old}»\"   "),
    })
}

/// Helm values in one of their shapes, `@` being the indentation.
fn values() -> impl Strategy<Value = String> {
    let name = prop_oneof![Just("a/b"), Just("'ghcr.io/acme/shop'"), Just("nginx # c")];
    (name, tag_value(), filler(), 0..6_usize).prop_map(|(name, tag, filler, shape)| match shape {
        0 => format!("@image:\n@  repository: {name}\n@  tag: {tag}\n{filler}\n"),
        1 => format!("@web:\n@  image:\n@    tag: {tag}\n\n@    repository: {name}\n{filler}\n"),
        2 => {
            format!("@image:\n@  registry: x.io\n@  repository: {name}\n@  tag: {tag}\n{filler}\n")
        }
        3 => format!("@image: {name}\n@tag: {tag}\n{filler}\n"),
        4 => format!("@images:\n@- repository: {name}\n@  tag: {tag}\n{filler}\n"),
        _ => format!("{filler}\n@image:\n@  tag: {tag}\n@  digest: ''\n@  repository: {name}\n"),
    })
}

/// A file whose tags are in `«»`: values by themselves, in a release, or in an Application's text.
fn release() -> impl Strategy<Value = String> {
    let newline = prop_oneof![Just("\n"), Just("\r\n")];
    (values(), 0..5_usize, newline, any::<bool>()).prop_map(|(values, place, newline, end)| {
        let (head, indent, tail) = match place {
            0 => ("", "", ""),
            1 => ("spec:\n  values:\n", "    ", "  x: y\n"),
            2 => ("- helm:\n    valuesObject:\n", "      ", "- y\n"),
            3 => ("- helm:\n    values: |\n", "      ", "- y\n"),
            _ => ("helm:\n  values: |-\n\n    # c\n", "    ", " # c\nx: y\n"),
        };
        let mut text = format!("{head}{}{tail}", values.replace('@', indent));
        if !end {
            text.truncate(text.trim_end().len());
        }
        text.replace('\n', newline)
    })
}

/// The text without its marks, and the bytes outside them.
fn unmark(text: &str) -> (String, Vec<String>) {
    let plain = text.replace(['«', '»'], "");
    let outside = text
        .split('»')
        .map(|part| part.split('«').next().unwrap_or_default().to_owned())
        .collect();
    (plain, outside)
}

proptest! {
    #[test]
    fn bytes_outside_the_spans_never_change(
        text in document(),
        new in prop_oneof![Just("2.0.0"), Just("1.10"), Just("1e3"), Just("latest"), Just("on")],
    ) {
        let (plain, outside) = unmark(&text);
        let (found, rewritten) = write(Format::Yaml, plain.as_bytes(), tag(new));
        prop_assert_eq!(&found.problem, &None, "{}", plain);
        prop_assert_eq!(found.sites.len(), outside.len() - 1, "{}", plain);
        prop_assert_eq!(&rewritten.refused, &[]);

        let shown = String::from_utf8(rewritten.bytes.clone()).unwrap();
        let mut rest = shown.as_str();
        for (part, site) in outside.iter().zip(&found.sites) {
            rest = rest.strip_prefix(part.as_str()).expect("the bytes before the site");
            let name = site::split_name(&site.whole.as_ref().unwrap().text);
            let wanted = format!("{name}:{new}");
            rest = rest.strip_prefix(&wanted).expect("the new reference");
        }
        prop_assert_eq!(rest, outside.last().unwrap());

        let (after, again) = write(Format::Yaml, &rewritten.bytes, tag(new));
        prop_assert_eq!(&again.bytes, &rewritten.bytes);
        prop_assert_eq!(&again.edits, &[]);
        for site in &after.sites {
            prop_assert_eq!(site.tag_text(), Some(new));
        }
        oracle::agrees(&plain, &shown, &rewritten.edits);
    }

    #[test]
    fn bytes_outside_the_tags_never_change(
        text in release(),
        new in prop_oneof![Just("2.0.0"), Just("1.10"), Just("1e3"), Just("latest"), Just("on")],
    ) {
        let (plain, outside) = unmark(&text);
        let (found, rewritten) = write(Format::Yaml, plain.as_bytes(), tag(new));
        prop_assert_eq!(&found.problem, &None, "{}", plain);
        prop_assert_eq!(found.sites.len(), outside.len() - 1, "{}", plain);
        prop_assert_eq!(&rewritten.refused, &[]);
        let shown = String::from_utf8(rewritten.bytes.clone()).unwrap();
        prop_assert_eq!(&shown, &outside.join(new));
        let (_, again) = write(Format::Yaml, &rewritten.bytes, tag(new));
        prop_assert_eq!(&again.edits, &[]);
        oracle::agrees(&plain, &shown, &rewritten.edits);
    }

    #[test]
    fn any_bytes_are_read_without_panic(bytes in prop::collection::vec(any::<u8>(), 0..200)) {
        let mut text = b"image: a:1 # tagwright: x\n".to_vec();
        text.extend(bytes);
        for format in [Format::Yaml, Format::Json, Format::Kustomization] {
            write(format, &text, tag("2"));
        }
    }

    #[test]
    fn any_yaml_like_text_is_read_without_panic_and_changed_only_in_its_edits(
        parts in prop::collection::vec(
            prop_oneof![
                Just("image"), Just("images"), Just("name"), Just("newTag"), Just(": "), Just(":"),
                Just("\n"), Just("\r\n"), Just("  "), Just("- "), Just("? "), Just("{"), Just("}"),
                Just("["), Just("]"), Just(", "), Just("&a "), Just("*a"), Just("<<"), Just("!!str "),
                Just("'"), Just("\""), Just("|-\n "), Just(">\n  "), Just("# tagwright: x"),
                Just(" # tagwright: x:tag\n"), Just(" # {\"$imagepolicy\": \"a:b\"}\n"),
                Just("repository"), Just("registry"), Just("tag"), Just("version"), Just("digest"),
                Just("helm"), Just("values"), Just("parameters"), Just("kustomize"), Just("value"),
                Just("global"), Just("services"), Just("image.tag"), Just("sidecarImage"),
                Just("a:1"), Just("a=b:1"), Just("|\n      image: a:1\n"), Just("ghcr.io/a/b"), Just("~"), Just("1.10"), Just("---\n"),
                Just("...\n"), Just("\u{feff}"), Just("ж"), Just("\t"), Just("\\"), Just("%"),
            ],
            0..60,
        ),
    ) {
        let text: String = parts.concat();
        for format in [Format::Yaml, Format::Json, Format::Kustomization] {
            let (found, rewritten) = write(format, text.as_bytes(), tag("2"));
            if rewritten.edits.is_empty() {
                prop_assert_eq!(&rewritten.bytes, text.as_bytes());
            } else {
                let (_, again) = write(format, &rewritten.bytes, tag("2"));
                prop_assert_eq!(&again.edits, &[], "{}", text);
            }
            let unverified = rewritten
                .refused
                .iter()
                .find(|refused| matches!(refused.reason, Refusal::Unverified { .. }));
            // A marker that fits no value may fit the new one, and that is another file then.
            prop_assert!(unverified.is_none() || !found.notes.is_empty(), "{}", text);
        }
    }
}
