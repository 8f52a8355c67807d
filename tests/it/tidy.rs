//! The conventions that no compiler checks: which module may import which, what a file looks like,
//! and that documents are there and their links lead somewhere.
//!
//! Each rule is a function from a file to what is wrong with it, so that a test can show it failing.

use std::path::Path;

const ROOT: &str = env!("CARGO_MANIFEST_DIR");

/// Longest Rust file, in lines: one idea a file.
const MAX_LINES: usize = 600;

/// Folders that hold nothing of ours, at any depth.
const SKIPPED: [&str; 4] = ["target", ".git", ".venv", "corpus"];

/// What a newcomer, a packager and a lawyer look for.
const DOCUMENTS: [&str; 5] = [
    "README.md",
    "CHANGELOG.md",
    "CONTRIBUTING.md",
    "LICENSE",
    "THIRD-PARTY.md",
];

/// The layers, lowest first: a module imports from lower layers only.
const LAYERS: [(&str, &[&str]); 6] = [
    ("ground", &["image", "http", "clock", "diag", "secret"]),
    (
        "leaf",
        &[
            "policy",
            "registry",
            "manifest",
            "git",
            "promotion",
            "decision",
            "forge",
            "gate",
            "webhook",
            "notify",
            "state",
        ],
    ),
    ("config", &["config"]),
    ("reconcile", &["reconcile"]),
    ("surface", &["driver", "server", "demo", "fuzz"]),
    ("cli", &["cli"]),
];

/// The one layer whose modules may import each other.
const SURFACE: usize = 4;

/// A file of the project, by its path from the root.
struct Source {
    path: String,
    text: String,
}

impl Source {
    fn new(path: &str, text: &str) -> Self {
        Self {
            path: path.to_owned(),
            text: text.to_owned(),
        }
    }

    /// The path below `src/` without its ending, as module names; empty for the crate's roots and for
    /// files elsewhere.
    fn module(&self) -> Vec<&str> {
        let below = self.path.strip_prefix("src/");
        match below.and_then(|path| path.strip_suffix(".rs")) {
            None | Some("lib" | "main") => Vec::new(),
            Some(path) => path.split('/').collect(),
        }
    }

    fn at(&self, line: usize, words: &str) -> String {
        format!("{}:{}: {words}", self.path, line + 1)
    }
}

/// Which layer a module is in.
fn layer(module: &str) -> Option<usize> {
    LAYERS.iter().position(|(_, all)| all.contains(&module))
}

/// Imports that go up or sideways.
fn arrows(source: &Source) -> Vec<String> {
    let module = source.module();
    let Some(&own) = module.first() else {
        return Vec::new();
    };
    let Some(from) = layer(own) else {
        return vec![source.at(0, &format!("`{own}` is in no layer; give it one"))];
    };
    imports(&source.text, module.len())
        .into_iter()
        .filter(|(_, name)| name != own)
        .filter(|(_, name)| {
            layer(name).is_none_or(|to| to > from || (to == from && from != SURFACE))
        })
        .map(|(line, name)| source.at(line, &format!("`{own}` must not import `{name}`")))
        .collect()
}

/// The crate's modules that `text` names, with their lines. `depth` is how far below the root the
/// text's own module is: so many `super::` lead to the root as `crate::` does.
fn imports(text: &str, depth: usize) -> Vec<(usize, String)> {
    let code: String = text
        .lines()
        .map(|line| without_comment(line) + "\n")
        .collect();
    let climb = format!("use {}", "super::".repeat(depth));
    let mut found = Vec::new();
    for start in ["crate::", &climb] {
        for (offset, _) in code.match_indices(start) {
            let before = code[..offset].chars().next_back();
            // Part of a longer name; or indented, so in a module within the file.
            let unrelated = match start {
                "crate::" => before.is_some_and(|c| c.is_alphanumeric() || c == '_'),
                _ => before.is_some_and(|c| c != '\n'),
            };
            if !unrelated {
                let line = code[..offset].matches('\n').count();
                let names = first_names(&code[offset + start.len()..]);
                found.extend(names.into_iter().map(|name| (line, name)));
            }
        }
    }
    found
}

fn without_comment(line: &str) -> String {
    let end = line.find("//").unwrap_or(line.len());
    line[..end].to_owned()
}

/// The first name of each path that `text` starts with: one, or those of a group in braces.
fn first_names(text: &str) -> Vec<String> {
    let name = |text: &str| -> String {
        text.trim_start()
            .chars()
            .take_while(|c| c.is_alphanumeric() || *c == '_' || *c == '*')
            .collect()
    };
    let Some(group) = text.strip_prefix('{') else {
        return vec![name(text)];
    };
    let mut names = vec![name(group)];
    let mut depth = 1;
    for (offset, c) in group.char_indices() {
        match c {
            '{' => depth += 1,
            '}' => depth -= 1,
            ',' if depth == 1 => names.push(name(&group[offset + 1..])),
            _ => {}
        }
        if depth == 0 {
            break;
        }
    }
    names.retain(|name| !name.is_empty() && name != "self");
    names
}

/// A file says what it owns, is no longer than one idea, and is named after its module.
fn shape(source: &Source) -> Vec<String> {
    let mut wrong = Vec::new();
    if !source.text.starts_with("//! ") {
        wrong.push(source.at(0, "does not open with `//!`"));
    }
    let lines = source.text.lines().count();
    if lines > MAX_LINES {
        wrong.push(source.at(MAX_LINES, &format!("{lines} lines; at most {MAX_LINES}")));
    }
    if source.path.ends_with("/mod.rs") {
        wrong.push(source.at(0, "name the file after the module, not `mod.rs`"));
    }
    wrong
}

/// Blanks that no one sees, and work that was put off.
fn lines(source: &Source) -> Vec<String> {
    let put_off = [
        concat!("TO", "DO"),
        concat!("FIX", "ME"),
        concat!("XX", "X"),
    ];
    let mut wrong = Vec::new();
    for (number, line) in source.text.split('\n').enumerate() {
        if line.contains('\t') {
            wrong.push(source.at(number, "a tab"));
        }
        if line.ends_with([' ', '\r']) {
            wrong.push(source.at(number, "trailing blanks"));
        }
        if let Some(word) = put_off.iter().find(|word| line.contains(**word)) {
            wrong.push(source.at(number, &format!("{word}: do it, or file an issue")));
        }
    }
    if !source.text.ends_with('\n') || source.text.ends_with("\n\n") {
        wrong.push(source.at(0, "ends with exactly one newline"));
    }
    wrong
}

/// Links of a document to files that `exists` denies.
fn dead_links(source: &Source, exists: impl Fn(&Path) -> bool) -> Vec<String> {
    let folder = Path::new(&source.path).parent().unwrap_or(Path::new(""));
    let mut wrong = Vec::new();
    for (number, line) in source.text.lines().enumerate() {
        for (offset, _) in line.match_indices("](") {
            let rest = &line[offset + 2..];
            let target = &rest[..rest.find(')').unwrap_or(rest.len())];
            let file = target.split('#').next().unwrap_or_default();
            let elsewhere = file.is_empty() || file.contains("://");
            if !elsewhere && !exists(&folder.join(file)) {
                wrong.push(source.at(number, &format!("`{target}` leads nowhere")));
            }
        }
    }
    wrong
}

/// Every file of ours whose name ends with `ending`.
fn sources(ending: &str) -> Vec<Source> {
    let mut folders = vec![Path::new(ROOT).to_owned()];
    let mut found = Vec::new();
    while let Some(folder) = folders.pop() {
        for entry in std::fs::read_dir(&folder).expect("the folder can be read") {
            let entry = entry.expect("the folder can be read");
            let (path, name) = (entry.path(), entry.file_name());
            let name = name.to_str().expect("names are UTF-8");
            if path.is_dir() {
                if !SKIPPED.contains(&name) {
                    folders.push(path);
                }
            } else if name.ends_with(ending) {
                let text = std::fs::read_to_string(&path).expect("the file is UTF-8");
                let path = path.strip_prefix(ROOT).expect("below the root");
                found.push(Source::new(path.to_str().expect("names are UTF-8"), &text));
            }
        }
    }
    assert!(!found.is_empty(), "no file ends with {ending}");
    found
}

fn assert_tidy(wrong: impl Iterator<Item = String>) {
    let wrong: Vec<_> = wrong.collect();
    assert!(wrong.is_empty(), "\n{}", wrong.join("\n"));
}

#[test]
fn imports_follow_the_arrows() {
    assert_tidy(sources(".rs").iter().flat_map(arrows));
}

#[test]
fn files_are_tidy() {
    let all = sources(".rs");
    assert_tidy(
        all.iter()
            .flat_map(|file| [shape(file), lines(file)].concat()),
    );
}

#[test]
fn documents_are_there_and_lead_somewhere() {
    for document in DOCUMENTS {
        assert!(Path::new(ROOT).join(document).is_file(), "{document}");
    }
    let exists = |path: &Path| Path::new(ROOT).join(path).exists();
    let all = sources(".md");
    assert_tidy(all.iter().flat_map(|file| dead_links(file, exists)));
}

#[test]
fn wrong_arrows_are_found() {
    for (path, text, line) in [
        ("src/image.rs", "use crate::diag::Diagnostic;", 1),
        (
            "src/policy.rs",
            "use crate::image::Tag;\nuse crate::registry::Client;",
            2,
        ),
        ("src/policy/semver.rs", "fn f() -> crate::config::App {}", 1),
        (
            "src/policy/semver.rs",
            "\n\nuse super::super::git::Mirror;",
            3,
        ),
        ("src/git.rs", "use super::manifest;", 1),
        (
            "src/git.rs",
            "use crate::{clock,\n  state::{self, Cache}};",
            1,
        ),
        ("src/config.rs", "use crate::reconcile::plan;", 1),
        ("src/reconcile.rs", "use crate::driver;", 1),
        ("src/server.rs", "use crate::cli::Output;", 1),
        ("src/git.rs", "use crate::*;", 1),
        ("src/misc.rs", "", 1),
    ] {
        let found = arrows(&Source::new(path, text));
        assert_eq!(found.len(), 1, "{path} {text}: {found:?}");
        assert!(
            found[0].starts_with(&format!("{path}:{line}:")),
            "{found:?}"
        );
    }
}

#[test]
fn right_arrows_pass() {
    for (path, text) in [
        ("src/lib.rs", "pub mod cli;"),
        ("src/main.rs", "use crate::cli;"),
        ("src/image.rs", "mod tests {\n    use super::*;\n}"),
        (
            "src/policy/semver.rs",
            "use super::Verdict;\nuse crate::policy::Order;",
        ),
        (
            "src/policy.rs",
            "use crate::{clock::Clock, image::{Image, Tag}};",
        ),
        (
            "src/policy.rs",
            "// as crate::config does\nuse other_crate::config;",
        ),
        (
            "src/config/app.rs",
            "use crate::policy::Policy;\nuse crate::diag;",
        ),
        (
            "src/reconcile.rs",
            "use crate::{config, git, manifest, policy};",
        ),
        ("src/driver.rs", "use crate::server::State;"),
        (
            "src/cli/plan.rs",
            "use crate::cli::Output;\nuse crate::demo;",
        ),
        ("tests/it/demo.rs", "use crate::parts;"),
    ] {
        let found = arrows(&Source::new(path, text));
        assert!(found.is_empty(), "{path} {text}: {found:?}");
    }
}

#[test]
fn untidy_files_are_found() {
    let long = format!("//! x\n{}", "\n".repeat(MAX_LINES));
    for (path, text) in [
        ("src/a.rs", "fn f() {}\n"),
        ("src/a.rs", "// plain\n"),
        ("src/a.rs", &long),
        ("src/a/mod.rs", "//! x\n"),
    ] {
        assert_eq!(shape(&Source::new(path, text)).len(), 1, "{text}");
    }
    let put_off = format!("//! {}: x\n", concat!("FIX", "ME"));
    for text in [
        "//! x\n\tfn\n",
        "//! x \n",
        "//! x\r\n",
        "//! x",
        "//! x\n\n",
        &put_off,
    ] {
        assert_eq!(lines(&Source::new("src/a.rs", text)).len(), 1, "{text:?}");
    }
    let tidy = Source::new("src/a.rs", "//! x\n\nfn f() {}\n");
    assert!(shape(&tidy).is_empty() && lines(&tidy).is_empty());
}

#[test]
fn dead_links_are_found() {
    let text = "[a](b.md) [c](https://example.com/x) [d](#e)\n[f](g.md#h) ![i](../j.svg)\n";
    let found = dead_links(&Source::new("docs/x.md", text), |path| {
        path == Path::new("docs/b.md")
    });
    assert_eq!(
        found,
        [
            "docs/x.md:2: `g.md#h` leads nowhere",
            "docs/x.md:2: `../j.svg` leads nowhere"
        ]
    );
}
