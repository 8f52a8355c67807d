//! The examples of the documents, run as they are printed there.
//!
//! A block that opens with a language and a path (` ```yaml policies/shop.yaml `) is a file. One that
//! opens with ` ```console ` is a session: lines after `$ ` are commands, the others what they print,
//! on both outputs; a line `…` stands for any number of lines. Blocks of other kinds are not run. The
//! blocks of one document share a folder, in their order.

#![expect(
    clippy::unwrap_used,
    reason = "helpers of tests fail by panicking, as tests do"
)]

use std::path::Path;
use std::process::Command;

use crate::markdown::{Block, Document, root};

/// Documents with examples, besides the guide's.
const DOCUMENTS: [&str; 3] = [
    "README.md",
    "docs/reference/configuration.md",
    "docs/reference/output.md",
];

const GUIDE: &str = "docs/guide";

/// One command of a session.
struct Step {
    command: String,
    expected: String,
}

fn documents() -> Vec<Document> {
    let names = std::fs::read_dir(root().join(GUIDE)).unwrap();
    let guide = names.map(|entry| {
        let name = entry.unwrap().file_name().into_string().unwrap();
        Document::read(&format!("{GUIDE}/{name}"))
    });
    DOCUMENTS
        .iter()
        .map(|path| Document::read(path))
        .chain(guide)
        .collect()
}

fn steps(session: &str) -> Vec<Step> {
    let mut steps: Vec<Step> = Vec::new();
    for line in session.lines() {
        match (line.strip_prefix("$ "), steps.last_mut()) {
            (Some(command), _) => steps.push(Step {
                command: command.to_owned(),
                expected: String::new(),
            }),
            (None, Some(step)) => {
                step.expected.push_str(line.trim_end());
                step.expected.push('\n');
            }
            (None, None) => panic!("a session begins with a command, not with `{line}`"),
        }
    }
    steps
}

/// Runs one command in `folder` as a shell of a fresh user would; `status` is how the one before
/// ended.
fn run(folder: &Path, command: &str, status: i32) -> (String, i32) {
    let program = Path::new(env!("CARGO_BIN_EXE_tagwright"));
    let path = std::env::var_os("PATH").unwrap();
    let own = program.parent().unwrap().to_owned();
    let path = std::iter::once(own).chain(std::env::split_paths(&path));
    let output = Command::new("sh")
        .arg("-c")
        .arg(format!("exec 2>&1\n(exit {status})\n{command}"))
        .current_dir(folder)
        .env_clear()
        .env("HOME", folder)
        .env("LC_ALL", "C.UTF-8")
        .env("PATH", std::env::join_paths(path).unwrap())
        .output()
        .unwrap();
    let printed = String::from_utf8(output.stdout).unwrap();
    let lines: String = printed
        .lines()
        .map(|line| format!("{}\n", line.trim_end()))
        .collect();
    (lines, output.status.code().unwrap())
}

/// Whether `printed` is what was expected, where a line `…` stands for any lines.
fn agrees(printed: &str, expected: &str) -> bool {
    match expected.split_once("…\n") {
        None => printed == expected,
        Some((before, after)) => printed
            .strip_prefix(before)
            .is_some_and(|rest| rest.ends_with(after)),
    }
}

/// Plays the blocks of a document; returns how many commands were run, and what differed.
fn play(document: &Document) -> (usize, Vec<String>) {
    let folder = tempfile::tempdir().unwrap();
    let (mut count, mut wrong) = (0, Vec::new());
    for block in document.blocks() {
        let Block { line, info, text } = block;
        if info == "console" {
            let mut status = 0;
            for step in steps(&text) {
                count += 1;
                let (printed, ended) = run(folder.path(), &step.command, status);
                status = ended;
                if !agrees(&printed, &step.expected) {
                    let Step { command, expected } = step;
                    wrong.push(format!(
                        "{}:{line}: $ {command}\n--- the document says\n{expected}--- it prints\n{printed}",
                        document.path
                    ));
                }
            }
        } else if let Some((_, path)) = info.split_once(' ') {
            let file = folder.path().join(path);
            std::fs::create_dir_all(file.parent().unwrap()).unwrap();
            std::fs::write(file, text).unwrap();
        }
    }
    (count, wrong)
}

#[test]
fn examples_print_what_the_documents_say() {
    let played: Vec<_> = documents().iter().map(play).collect();
    let wrong: Vec<_> = played.iter().flat_map(|(_, wrong)| wrong).collect();
    let all: Vec<&str> = wrong.iter().map(|text| text.as_str()).collect();
    assert!(all.is_empty(), "\n{}", all.join("\n"));
    // A fence that is written otherwise would leave its examples out, unseen.
    let count: usize = played.iter().map(|(count, _)| count).sum();
    assert!(count >= 30, "only {count} commands were found");
}

#[test]
fn a_wrong_example_is_found() {
    for (text, right) in [
        ("```console\n$ echo a; echo b >&2\na\nb\n```\n", true),
        ("```console\n$ false\n$ echo $?\n1\n```\n", true),
        ("```console\n$ printf 'a\\nb\\nc\\n'\na\n…\nc\n```\n", true),
        ("```txt a/b\nx\n```\n```console\n$ cat a/b\nx\n```\n", true),
        ("```text\n$ echo a\nb\n```\n", true),
        ("```console\n$ echo a\nb\n```\n", false),
        ("```console\n$ echo a\n```\n", false),
        ("```console\n$ echo a\na\nb\n```\n", false),
    ] {
        let document = Document {
            path: "x.md".to_owned(),
            text: text.to_owned(),
        };
        assert_eq!(play(&document).1.is_empty(), right, "{text}");
    }
}
