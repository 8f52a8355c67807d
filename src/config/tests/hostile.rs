//! Texts that nobody writes by mistake end in diagnostics, never in a panic.

use proptest::prelude::*;

use super::*;
use crate::config::looks_like_app_file;

/// Reads a text in every way there is.
fn read_all(text: &str) {
    let service = crate::config::service("tagwright.yaml", text);
    assert_eq!(
        service.value.is_none(),
        errors(&service.diagnostics) > 0,
        "{text}"
    );
    rendered(&service.diagnostics);
    let entry = entry("{path: policies/, mayWrite: [apps/**], images: [ghcr.io/**]}");
    for file in ["a.yaml", "defaults.yaml"] {
        let app =
            "version: 1\napp: other\nimage: ghcr.io/a/b\nstages: [{name: s, paths: [apps/]}]\n";
        let apps = apps_of(&entry, &[(file, text), ("other.yaml", app)]);
        rendered(&apps.diagnostics);
        assert_eq!(
            apps.apps.len() + apps.broken.len(),
            if file == "a.yaml" { 2 } else { 1 }
        );
    }
    looks_like_app_file(text);
}

#[test]
fn bombs_are_reported() {
    let nested = format!(
        "version: 1\napp: {}{}",
        "[".repeat(10_000),
        "]".repeat(10_000)
    );
    let block: String = (0..1_000)
        .map(|level| format!("{}a:\n", " ".repeat(level)))
        .collect();
    let aliases = (1..30).fold("a0: &a0 [x]\n".to_owned(), |text, level| {
        let items = format!("*a{},", level - 1).repeat(9);
        format!("{text}a{level}: &a{level} [{items}]\n")
    });
    let large = format!("version: 1\napp: shop\n# {}", "x".repeat(1024 * 1024));
    for (what, text) in [
        ("nested", nested),
        ("block", block),
        ("aliases", aliases),
        ("large", large),
    ] {
        let service = crate::config::service("tagwright.yaml", &text);
        assert_eq!(errors(&service.diagnostics), 1, "{what}");
        let apps = apps_of(&entry("policies/"), &[("a.yaml", &text)]);
        assert_eq!(errors(&apps.diagnostics), 1, "{what}");
        assert!(!looks_like_app_file(&text), "{what}");
    }
}

#[test]
fn odd_texts_are_reported() {
    for text in [
        "",
        "\n",
        "# only a comment\n",
        "~",
        "text",
        "- a\n- b\n",
        "{}",
        "\u{feff}",
        "version: 1\n---\nversion: 1\n",
        "a: \u{0}",
        "\tversion: 1",
        "version: 1\r\napp: shop\r\nimage: [\r\n",
        "version: {}\nrepositories: {}\nregistries: 1\nserver: []\n",
        "version: 1\napp: [a]\nimage: {}\ntags: []\nstages: {}\n",
        "version: 1\napp: a\nimage: b/c\nstages: [1, ~, [], {name: ~, paths: [~, {}]}]\n",
        "? {a: b}\n: c\n",
        "<<: {version: 1}\n",
        "<<: [1]\n",
    ] {
        read_all(text);
        let service = crate::config::service("tagwright.yaml", text);
        assert!(errors(&service.diagnostics) > 0, "{text}");
    }
}

/// Pieces of configuration in any order find more than arbitrary text does.
fn pieces() -> impl Strategy<Value = String> {
    let piece = prop::sample::select(vec![
        "version: 1\n",
        "app: shop\n",
        "image: ",
        "a/b\n",
        "tags:\n",
        "  semver: ",
        "\"^1\"\n",
        "  ignore: [",
        "*-x",
        "]\n",
        "stages:\n",
        "  - name: s\n",
        "    paths: ",
        "[apps/**]\n",
        "{app}",
        "repositories:\n",
        "  - url: ",
        "https://u:p@h/x\n",
        "policies: [p]\n",
        "{",
        "}",
        "[",
        "]",
        ", ",
        ": ",
        "- ",
        "\n",
        "  ",
        "&a ",
        "*a",
        "!!str ",
        "'",
        "\"",
        "|\n",
        "~",
        "é",
        "\u{feff}",
        "credentials: ",
        "password: ",
        "file: ",
        "<<: ",
        "marker: ",
        "#",
        "%",
        "---\n",
    ]);
    prop::collection::vec(piece, 0..40).prop_map(|pieces| pieces.concat())
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(100))]

    #[test]
    fn any_text_is_read_without_a_panic(text in "\\PC{0,200}") {
        read_all(&text);
    }

    #[test]
    fn any_pieces_are_read_without_a_panic(text in pieces()) {
        read_all(&text);
    }
}
