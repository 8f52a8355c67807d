//! Properties over generated texts: only the token changes.

use proptest::prelude::*;

use super::*;

/// A line with a marked value in `«»`, as some kinds of file have it.
fn line() -> impl Strategy<Value = String> {
    let reference = prop_oneof![
        Just("«nginx:1»"),
        Just("«ghcr.io/acme/shop:v1.2»"),
        Just("«localhost:5000/a/b:1.10»"),
    ];
    let marker = prop_oneof![
        Just("tagwright: app"),
        Just("tagwright: app/live since May"),
        Just("{\"$imagepolicy\": \"ns:app\"}"),
    ];
    (reference, marker, 0..8_usize).prop_map(|(reference, marker, shape)| match shape {
        0 => format!("# {marker}\nIMAGE={reference}"),
        1 => format!("image = \"{reference}\" # {marker}"),
        2 => format!("  image: '{reference}', // {marker}"),
        3 => format!("/* {marker} */\n\tf(\"{reference}\")"),
        4 => format!("{{{{- /* {marker} */ -}}}}\n  - image: {reference}"),
        5 => format!("docker run -d {reference} --flag # {marker}"),
        6 => format!("<i>{reference}</i> <!-- {marker} -->"),
        _ => format!("{reference} #{marker}"),
    })
}

/// Lines that hold no marker.
fn filler() -> impl Strategy<Value = String> {
    prop_oneof![
        Just(String::new()),
        Just("# ж image: a:1 😀".to_owned()),
        Just("{{ if .Values.x }}".to_owned()),
        Just("image = \"no:1\"".to_owned()),
        Just("x = '#' # \"".to_owned()),
        Just("it's / fine;".to_owned()),
        "[a-z0-9ж ={}:,.-]{0,30}z",
    ]
}

fn text() -> impl Strategy<Value = String> {
    let newline = prop_oneof![Just("\n"), Just("\r\n")];
    let lines = prop::collection::vec((filler(), line()), 1..6);
    (lines, newline, any::<bool>(), any::<bool>()).prop_map(|(lines, newline, mark, end)| {
        let mut text = String::new();
        for (filler, line) in lines {
            text.push_str(&format!("{filler}\n{line}\n"));
        }
        if !end {
            text.truncate(text.trim_end().len());
        }
        let mark = if mark { "\u{feff}" } else { "" };
        format!("{mark}{}", text.replace('\n', newline))
    })
}

proptest! {
    #[test]
    fn bytes_outside_the_tokens_never_change(text in text(), new in prop_oneof![
        Just("2.0.0"), Just("1.10"), Just("1e3"), Just("latest"),
    ]) {
        let plain = text.replace(['«', '»'], "");
        let format = Format::Text(Dialect::Any);
        let (found, rewritten) = write(format, plain.as_bytes(), tag(new));
        prop_assert_eq!(&found.notes, &[], "{}", plain);
        prop_assert_eq!(&rewritten.refused, &[]);
        let mut wanted = String::new();
        for (number, part) in text.split(['«', '»']).enumerate() {
            if number % 2 == 1 {
                wanted.push_str(&format!("{}:{new}", site::split_name(part)));
            } else {
                wanted.push_str(part);
            }
        }
        prop_assert_eq!(String::from_utf8(rewritten.bytes.clone()).unwrap(), wanted);
        let (_, again) = write(format, &rewritten.bytes, tag(new));
        prop_assert_eq!(&again.edits, &[]);
        prop_assert_eq!(&again.bytes, &rewritten.bytes);
    }

    #[test]
    fn the_same_holds_inside_a_block(text in text(), indent in 1..5_usize) {
        let text = text.replace('\u{feff}', "");
        let block: String = text
            .lines()
            .map(|line| format!("{}{line}\n", " ".repeat(indent)))
            .collect();
        // A block's own indentation is that of its first line.
        let case = format!("image: «a:1»\nx: |{indent}\n{block}y: z\n");
        let plain = case.replace(['«', '»'], "");
        let (found, rewritten) = write(Format::Yaml, plain.as_bytes(), tag("2.0.0"));
        prop_assert_eq!(&found.problem, &None, "{}", plain);
        prop_assert_eq!(&rewritten.refused, &[], "{}", plain);
        let shown = String::from_utf8(rewritten.bytes).unwrap();
        let mut rest = shown.as_str();
        for (number, part) in case.split(['«', '»']).enumerate() {
            let part = if number % 2 == 1 {
                format!("{}:2.0.0", site::split_name(part))
            } else {
                part.to_owned()
            };
            rest = rest.strip_prefix(part.as_str()).expect("the same but for the tokens");
        }
        prop_assert_eq!(rest, "");
        oracle::agrees(&plain, &shown, &rewritten.edits);
    }

    #[test]
    fn any_text_is_read_without_panic_and_changed_only_in_its_edits(
        parts in prop::collection::vec(
            prop_oneof![
                Just("\n"), Just("\r\n"), Just(" "), Just("\t"), Just("# "), Just("// "), Just("/* "),
                Just(" */"), Just("{{- /* "), Just(" */ -}}"), Just("<!-- "), Just(" -->"), Just("{# "),
                Just("tagwright: app"), Just("tagwright: app:tag"), Just("tagwright: web/x:name\n"),
                Just("tagwright: app:digest"), Just("tagwright: ignore\n"),
                Just("{\"$imagepolicy\": \"a:b\"}"), Just("{\"$imagepolicy\": \"a:b:tag\"}\n"),
                Just("FROM "), Just("ARG "), Just("AS "), Just("="), Just(" = "), Just(": "), Just(":"),
                Just("\""), Just("'"), Just("`"), Just("a:1"), Just("ghcr.io/a/b"), Just("1.2"),
                Just("tag"), Just("${X}"), Just("{{ x }}"), Just("$"), Just("{"), Just("}"), Just("["),
                Just("]"), Just("("), Just(")"), Just(","), Just(";"), Just("ж"), Just("\\"), Just("+"),
                Just("<"), Just(">"), Just("x: |\n  "), Just("\u{feff}"),
            ],
            0..40,
        ),
    ) {
        let text: String = parts.concat();
        for dialect in [
            Dialect::Any, Dialect::Docker, Dialect::Shell, Dialect::Ini, Dialect::Properties,
            Dialect::Code, Dialect::Markup, Dialect::Yaml,
        ] {
            unchanged_but_for_edits(Format::Text(dialect), &text)?;
        }
        unchanged_but_for_edits(Format::Yaml, &text)?;
        unchanged_but_for_edits(Format::Json, &text)?;
    }

    #[test]
    fn any_bytes_are_read_without_panic(bytes in prop::collection::vec(any::<u8>(), 0..200)) {
        let mut text = b"a:1 # tagwright: x\n# tagwright: y:tag\n".to_vec();
        text.extend(bytes);
        for dialect in [Dialect::Any, Dialect::Docker, Dialect::Code, Dialect::Markup] {
            write(Format::Text(dialect), &text, tag("2"));
        }
    }
}

fn unchanged_but_for_edits(format: Format, text: &str) -> Result<(), TestCaseError> {
    let (_, rewritten) = write(format, text.as_bytes(), tag("2"));
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
    prop_assert_eq!(unverified, None, "{:?} {}", format, text);
    Ok(())
}
