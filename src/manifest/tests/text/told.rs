//! What is refused or noted instead of being guessed.

use super::*;

/// The file has no site, and one note at `position` with `reason`.
#[track_caller]
fn noted(name: &str, text: &str, position: &str, reason: &str) {
    let found = index(format_of(name).unwrap(), marked(text).as_bytes());
    let notes: Vec<String> = found
        .notes
        .iter()
        .map(|note| format!("{} {}", note.position, note.reason))
        .collect();
    assert_eq!(notes.len(), 1, "{name}: {text}: {notes:?}");
    let told = notes[0].starts_with(&format!("{position} ")) && notes[0].contains(reason);
    assert!(told, "{name}: {text}: {notes:?}");
    assert_eq!(found.sites, [], "{name}: {text}");
}

#[test]
fn a_marker_that_could_mean_several_values_or_none_is_noted() {
    const FEW: &str = "no value that is plainly the one meant";
    const SEVERAL: &str = "several";
    for (name, text, position, reason) in [
        ("Dockerfile", "# Ow\n\nFROM a:1\n", "1:1", "above no value"),
        (
            "Dockerfile",
            "# Ow\n# why\nFROM a:1\n",
            "1:1",
            "above no value",
        ),
        ("Dockerfile", "FROM a:1\n# Ow\n", "2:1", "above no value"),
        (
            "Dockerfile",
            "# Ow\nFROM \\\n  a:1\n",
            "1:1",
            "not an image reference",
        ),
        ("Dockerfile", "# Ow\nFROM scratch\n", "1:1", "build stage"),
        (
            "Dockerfile",
            "FROM a:1 AS Build\n# Ow\nFROM build\n",
            "2:1",
            "build stage",
        ),
        ("Dockerfile", "# Ow\nFROM a:1 b\n", "1:1", "of the form"),
        ("Dockerfile", "# Ow\nFROM\n", "1:1", "of the form"),
        (
            "Dockerfile",
            "# Ow\nCOPY --from=build /x /y\n",
            "1:1",
            "no reference",
        ),
        ("Dockerfile", "# Ow\nRUN a:1 b:2\n", "1:1", SEVERAL),
        ("Dockerfile", "# Ot\nENV A=1 B=2\n", "1:1", SEVERAL),
        ("Dockerfile", "# Ot\nENV A 1\n", "1:1", FEW),
        (
            "Dockerfile",
            "FROM a:1 # Ow\n",
            "1:10",
            "alone on the line above",
        ),
        (
            "Dockerfile",
            "ARG T=1 # Mt\n",
            "1:9",
            "alone on the line above",
        ),
        (
            "a.properties",
            "t=1 # Ot\n",
            "1:5",
            "alone on the line above",
        ),
        (
            "a.tf",
            "image = \"ghcr.io/a/b\" # Ow\n",
            "1:23",
            "no tag or digest",
        ),
        ("a.tf", "x = [\"a:1\", \"b:1\"] # Ow\n", "1:20", SEVERAL),
        (
            "a.tf",
            "x = { a = \"1\", b = \"2\" } # Ot\n",
            "1:26",
            SEVERAL,
        ),
        ("a.tf", "x = [\"1\", \"2\"] # Ot\n", "1:16", SEVERAL),
        ("a.tf", "x = var.tags[\"shop\"] # Ot\n", "1:22", FEW),
        ("a.tf", "x = env(\"TAG\") # Ot\n", "1:16", FEW),
        ("a.tf", "x = a ? \"1\" : \"2\" # Ot\n", "1:19", SEVERAL),
        ("a.tf", "x == \"1\" && y # Ot\n", "1:15", FEW),
        ("a.tf", "# Ow\nimage = \"a\" # b:1\n", "1:1", "no reference"),
        ("a.tf", "# Ow\n}\n", "1:1", "no reference"),
        (
            "a.tf",
            "/*\nOw\n*/\nimage = \"a:1\"\n",
            "2:1",
            "several lines",
        ),
        (
            "a.tf",
            "/* Ow\n*/\nimage = \"a:1\"\n",
            "1:1",
            "several lines",
        ),
        (
            "a.tf",
            "image = \"a:1\" # was b # Ow\n",
            "1:15",
            "text precedes",
        ),
        ("a.tf", "image = \"a:1\" # see Mw\n", "1:15", "precedes"),
        (
            "a.tf",
            "image = \"a:1\" # tagwright: app:tga\n",
            "1:15",
            "`:tga` is not a part",
        ),
        (
            "a.tf",
            "image = \"a:1\" # tagwright: App\n",
            "1:15",
            "APP[/STAGE]",
        ),
        (
            "a.tf",
            "image = \"a:1\" # {\"$imagepolicy\": \"ns/p\"}\n",
            "1:15",
            "NAMESPACE:NAME",
        ),
        (".env", "A=\"a:1 # Ow\n", "1:8", "isn't closed"),
        (".env", "T=1 U=2 # Ot\n", "1:9", SEVERAL),
        (".env", "docker run -p 8080:80 a:1 # Ow\n", "1:27", SEVERAL),
        ("x.sh", "if [ \"$T\" = \"1\" ]; then # Ot\n", "1:25", FEW),
        ("x.sh", "echo hello # Ot\n", "1:12", FEW),
        ("a.py", "i = f\"{reg}a:1\" # Ow\n", "1:17", "no reference"),
        (
            "a.yaml",
            "{{ if }}\n# Ow\n{{ end }}\n",
            "2:1",
            "above no value",
        ),
        ("a.yaml", "{{ if }}\ntag: # Ot\n", "2:6", "no value"),
        ("a.xml", "<a>1</a><b>2</b> <!-- Ot -->\n", "1:18", SEVERAL),
        ("x.txt", "  # Ow", "1:3", "above no value"),
    ] {
        noted(name, text, position, reason);
    }
}

#[test]
fn what_is_no_comment_or_no_marker_is_silent() {
    for (name, text) in [
        ("x.txt", "image: ghcr.io/x/tagwright:1\n"),
        ("x.txt", "docker://tagwright:1\n"),
        ("x.sh", "echo '# Ow'\n"),
        ("a.tf", "x = \"// Ow\"\n"),
        ("a.tf", "# image = \"a:1\" # Ow\n"),
        ("a.tf", "// image = \"a:1\" // Mw\n"),
        ("a.tf", "# managed by tagwright: see the wiki\n"),
        ("a.tf", "/*\nimage = \"a:1\" # Ow\n*/\n"),
        ("a.yaml", "{{ if }}\ntagwright:\n  app: x\n{{ end }}\n"),
        ("a.tpl", "{{- /*\nimage: a:1 # Ow\n*/ -}}\n"),
        ("x.sh", "TAG=1# Ot\n"),
    ] {
        let found = index(format_of(name).unwrap(), marked(text).as_bytes());
        assert_eq!((found.sites, found.notes), (vec![], vec![]), "{text}");
    }
}

/// Writes the tag 1.10 and proves that the only site is refused with `reason`, and no byte moved.
#[track_caller]
fn refused(name: &str, text: &str, reason: &str) {
    let text = marked(text);
    let (found, rewritten) = write(format_of(name).unwrap(), text.as_bytes(), tag("1.10"));
    assert_eq!(found.notes, [], "{name}: {text}");
    assert_eq!(rewritten.bytes, text.as_bytes(), "{name}: {text}");
    assert_eq!(rewritten.refused.len(), 1, "{name}: {text}");
    let shown = rewritten.refused[0].reason.to_string();
    assert!(shown.contains(reason), "{name}: {text}: {shown}");
}

#[test]
fn values_that_do_not_fit_their_marker_are_refused() {
    for (name, text, reason) in [
        ("Dockerfile", "# Ot\nFROM a/b:1\n", "take `:tag` out"),
        ("Dockerfile", "# On\nFROM a/b:1\n", "a name belongs here"),
        ("Dockerfile", "# Od\nFROM a/b:1\n", "a digest belongs here"),
        (
            "Dockerfile",
            "# Ot\nCOPY --from=a/b:1 /x /y\n",
            "take `:tag` out",
        ),
        (
            "Dockerfile",
            "# Ow\nARG TAG=1.2\n",
            "add `:tag` to the marker",
        ),
        (
            "a.tf",
            "image_tag = \"1.2\" # Ow\n",
            "add `:tag` to the marker",
        ),
        (
            "a.tf",
            "digest = \"abc\" # Ow\n",
            "add `:digest` to the marker",
        ),
        ("a.tf", "image = \"a/b:1\" # Ot\n", "take `:tag` out"),
        ("a.tf", "tag = \"not a tag\" # Ot\n", "a tag belongs here"),
        (
            "a.tf",
            "digest = \"sha256:1\" # Od\n",
            "a digest belongs here",
        ),
        (".env", "I=a:1 # On\n", "a name belongs here"),
    ] {
        refused(name, text, reason);
    }
}

#[test]
fn values_that_something_else_fills_in_are_refused() {
    for (name, text) in [
        ("Dockerfile", "# Ow\nFROM ${BASE}:1\n"),
        ("Dockerfile", "# Ow\nFROM $BASE\n"),
        ("Dockerfile", "# Ow\nFROM a/b:${TAG}\n"),
        ("Dockerfile", "# Ot\nARG TAG=${X:-1.2}\n"),
        ("a.tf", "image = \"${var.repo}:1.2\" # Ow\n"),
        ("a.tf", "tag = \"v${var.tag}\" # Ot\n"),
        (".env", "TAG=$(cat VERSION) # Ot\n"),
        (".env", "IMAGE=${REG}/a:1 # Ow\n"),
        (
            "a.yaml",
            "{{ if }}\nimage: \"{{ .Values.repo }}:1.2\" # Ow\n",
        ),
        ("a.yaml", "{{ if }}\ntag: {{ .Values.tag }} # Ot\n"),
        ("a.jsonnet", "image: 'a/b:1' + tag, // Ow\n"),
        ("a.js", "image = registry + 'a/b:1' // Ow\n"),
        ("a.js", "image = `${registry}a:1` // Ow\n"),
    ] {
        refused(name, text, "is a template");
    }
}

#[test]
fn values_that_would_need_quotes_are_refused() {
    for (name, text) in [
        ("a.tf", "tag = 1.9 # Ot\n"),
        ("a.toml", "tag = 1.9 # Ot\n"),
        ("a.toml", "tag=1.9 # Ot\n"),
        ("a.jsonnet", "tag: 1.9, // Ot\n"),
        ("a.yaml", "{{ if }}\ntag: v1 # Ot\n"),
        ("a.txt", "tag = v1 # Ot\n"),
        ("VERSION", "# Ot\n1.9\n"),
    ] {
        refused(name, text, "put quotes around");
    }
    // Where a bare value is always a text, or keeps reading as one, it needs none.
    check("a.ini", tag("1.10"), "tag = «v1|1.10» # Ot\n");
    check("a.txt", tag("1.10"), "TAG=«v1|1.10» # Ot\n");
    check("a.txt", tag("1.10.0"), "tag = «v1|1.10.0» # Ot\n");
}

#[test]
fn two_markers_of_one_value_are_refused() {
    let first = "# Ow\nI=a:1 # tagwright: web\n";
    refused(
        ".env",
        first,
        "two markers claim this value, at 1:1 and 2:7",
    );
    refused("a.tf", "t = \"1\" /* Ot */ # Od\n", "two markers");
    check(".env", tag("2"), "# Ow\nI=«a:1|a:2» # Ow\n");
}
