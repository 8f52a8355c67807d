//! Files before and after an edit, in `tests/corpus`: one folder per format, and in it pairs
//! `NAME.before.EXT` and `NAME.after.EXT`. Without an `after`, no byte may change.
//!
//! The folder's `cases.txt` says what is set. A line at the margin names a case, `NAME.EXT`, or `*` for
//! all that say nothing themselves; the indented lines below it are
//!
//! - `IMAGE -> TAG`, `IMAGE -> TAG@new`: as the service writes, at every site of the image;
//! - `IMAGE = REFERENCE`: as `tagwright set` writes, so exactly that;
//! - `app NAME -> TAG`, `app NAME = REFERENCE`: at every site whose marker or target names the app, or
//!   the image policy;
//! - `target APP PATH PART`: the app names the value that the path of keys leads to;
//! - `! LINE:COLUMN WORDS`: a site that is refused, with these words in the reason;
//! - `problem LINE:COLUMN WORDS`: why the file isn't read as what its name says;
//! - `note LINE:COLUMN WORDS`: what is wrong with a marker;
//! - `lost PATH WORDS`: what became of a target that leads to no value;
//! - `nothing`: neither an edit nor a refusal.
//!
//! All that is told of a file must be there, in its order. `@new` stands for `@sha256:` and sixty-four
//! twos. Every case is done twice, the second time without effect, and read by another implementation of
//! YAML, which must see the edits and no other change.

mod cases;

use std::fmt::Write as _;
use std::io::Write as _;
use std::path::{Path, PathBuf};

use tagwright::manifest::{self, Change, Edit, FileIndex, Format, Rewritten};

use cases::{Told, Wanted};

#[path = "../../src/manifest/tests/oracle.rs"]
mod oracle;

/// Fewest cases that count as the corpus, so that a wrong folder doesn't pass.
const MIN_CASES: usize = 500;

/// The paths in a folder, in the order of their names.
fn entries(folder: &Path) -> Vec<PathBuf> {
    let mut paths: Vec<PathBuf> = std::fs::read_dir(folder)
        .expect("the folder can be read")
        .map(|entry| entry.expect("an entry can be read").path())
        .collect();
    paths.sort();
    paths
}

fn name_of(path: &Path) -> &str {
    path.file_name()
        .and_then(|name| name.to_str())
        .expect("names are text")
}

/// How a case's file is read: by its name, except that Kustomize's have one of their own.
fn format(folder: &str, name: &str) -> Format {
    let kustomize = folder == "kustomize" && name.ends_with(".yaml");
    let path = if kustomize {
        "kustomization.yaml"
    } else {
        name
    };
    manifest::format_of(path).expect("a file in which sites are looked for")
}

/// Indexes a file and sets what the case wants.
fn rewrite(format: Format, bytes: &[u8], wanted: &Wanted) -> (FileIndex, Rewritten) {
    let targets = &wanted.targets;
    let index = manifest::index_with(format, bytes, targets);
    let changes: Vec<Change<'_>> = index
        .sites
        .iter()
        .enumerate()
        .filter(|(_, site)| !site.ignored && !index.ignored)
        .filter_map(|(number, site)| {
            let assignment = wanted.assignments.iter().find(|one| one.selects(site))?;
            Some(Change {
                site: number,
                target: assignment.target(),
            })
        })
        .collect();
    let rewritten = manifest::rewrite_with(format, bytes, targets, &index, &changes);
    (index, rewritten)
}

/// Runs a case and says what is wrong with it, or whether the other reader could read it too.
fn run(format: Format, before: &[u8], after: &[u8], wanted: &Wanted) -> Result<bool, String> {
    let (index, rewritten) = rewrite(format, before, wanted);
    if rewritten.bytes != after {
        return Err(difference(&rewritten, after));
    }
    told(&index, &rewritten, wanted)?;
    let idle = rewritten.edits.is_empty() && rewritten.refused.is_empty();
    if idle != wanted.nothing {
        return Err("say `nothing` where nothing is to happen, and only there".to_owned());
    }
    let (found, again) = rewrite(format, after, wanted);
    if !again.edits.is_empty() || again.bytes != after {
        return Err(format!("a second time changes it again: {:?}", again.edits));
    }
    match found.problem.filter(|_| index.problem.is_none()) {
        Some(problem) => Err(format!("it no longer reads: {problem}")),
        None if matches!(format, Format::Yaml | Format::Kustomization | Format::Json) => {
            agree(before, after, &rewritten.edits)
        }
        // No other reader is at hand for what is neither YAML nor JSON.
        None => Ok(false),
    }
}

/// Compares all that is told of a file with what the case says.
fn told(index: &FileIndex, rewritten: &Rewritten, wanted: &Wanted) -> Result<(), String> {
    let refused = rewritten.refused.iter();
    let refused = refused.map(|refused| format!("{} {}", refused.position, refused.reason));
    let problem = index.problem.iter();
    let problem = problem.map(|problem| format!("{} {problem}", problem.position));
    let notes = index.notes.iter();
    let notes = notes.map(|note| format!("{} {}", note.position, note.reason));
    let checks: [(&str, Vec<String>, &[Told]); 3] = [
        ("refused", refused.collect(), &wanted.refusals),
        ("problem", problem.collect(), &wanted.problems),
        ("notes", notes.collect(), &wanted.notes),
    ];
    for (what, lines, wanted) in checks {
        if !Told::fits(wanted, &lines) {
            return Err(format!("{what}: {lines:#?}\nexpected: {wanted:#?}"));
        }
    }
    let aims = wanted.targets.iter().zip(&index.aims);
    let lost: Vec<String> = aims
        .filter_map(|(target, aim)| cases::lost(target, *aim))
        .collect();
    // In a file that can't be read no target is followed.
    let unfollowed = index.problem.is_none() && index.aims.len() != wanted.targets.len();
    if lost != wanted.lost || unfollowed {
        return Err(format!("lost: {lost:#?}\nexpected: {:#?}", wanted.lost));
    }
    Ok(())
}

/// Asks another reader of YAML.
fn agree(before: &[u8], after: &[u8], edits: &[Edit]) -> Result<bool, String> {
    let (Ok(before), Ok(after)) = (std::str::from_utf8(before), std::str::from_utf8(after)) else {
        return Ok(false);
    };
    std::panic::catch_unwind(|| oracle::agrees(before, after, edits))
        .map_err(|_| "another reader sees something else (above)".to_owned())
}

/// The lines that differ, byte for byte.
fn difference(rewritten: &Rewritten, after: &[u8]) -> String {
    let mut told = String::from("the bytes are not those expected (- expected, + written):\n");
    let lines = |bytes: &'_ [u8]| -> Vec<String> {
        bytes
            .split_inclusive(|byte| *byte == b'\n')
            .map(|line| line.escape_ascii().to_string())
            .collect()
    };
    let (expected, written) = (lines(after), lines(&rewritten.bytes));
    for number in 0..expected.len().max(written.len()) {
        let (old, new) = (expected.get(number), written.get(number));
        if old != new {
            for (sign, line) in [('-', old), ('+', new)] {
                if let Some(line) = line {
                    let _ = writeln!(told, "  {:>3} {sign} {line}", number + 1);
                }
            }
        }
    }
    for refused in &rewritten.refused {
        let _ = writeln!(
            told,
            "  refused at {}: {}",
            refused.position, refused.reason
        );
    }
    told
}

/// How much there was.
#[derive(Debug, Default)]
struct Tally {
    files: usize,
    cases: usize,
    /// How many of them the other reader could read.
    read_twice: usize,
}

/// Runs a folder's cases.
fn folder(path: &Path, tally: &mut Tally, failures: &mut Vec<String>) {
    let folder = name_of(path);
    let mut wanted = cases::read(path);
    let general = wanted.remove("*").unwrap_or_default();
    let files = entries(path);
    tally.files += files.len();
    for file in &files {
        let Some((name, extension)) = name_of(file).split_once(".before.") else {
            continue;
        };
        let case = format!("{name}.{extension}");
        let mut wanted = wanted.remove(&case).unwrap_or_else(|| general.clone());
        if wanted.assignments.is_empty() {
            wanted.assignments.clone_from(&general.assignments);
        }
        let before = std::fs::read(file).expect("a case can be read");
        let after = path.join(format!("{name}.after.{extension}"));
        let after = std::fs::read(after).unwrap_or_else(|_| before.clone());
        tally.cases += 1;
        match run(format(folder, &case), &before, &after, &wanted) {
            Ok(read) => tally.read_twice += usize::from(read),
            Err(words) => failures.push(format!("{folder}/{case}: {words}")),
        }
    }
    for (case, _) in wanted {
        failures.push(format!("{folder}/cases.txt: there is no case `{case}`"));
    }
}

#[test]
fn every_file_of_the_corpus_changes_as_it_should_and_no_more() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/corpus");
    let mut failures = Vec::new();
    let mut tally = Tally::default();
    for path in entries(&root) {
        let before = tally.cases;
        folder(&path, &mut tally, &mut failures);
        println!(
            "corpus: {} cases of {}",
            tally.cases - before,
            name_of(&path)
        );
    }
    // Past the harness, which shows the output of failed tests only.
    let _ = writeln!(
        std::io::stderr(),
        "corpus: {} cases in {} files, {} of them also read by another implementation",
        tally.cases,
        tally.files,
        tally.read_twice
    );
    assert!(
        failures.is_empty(),
        "{} of {} cases failed:\n{}",
        failures.len(),
        tally.cases,
        failures.join("\n")
    );
    assert!(tally.cases >= MIN_CASES, "only {} cases", tally.cases);
}

/// The runner itself: what it has to find, it finds.
#[test]
fn broken_promises_are_found() {
    let wanted = |lines: &[&str]| {
        let mut wanted = Wanted::default();
        lines.iter().for_each(|line| wanted.take(line));
        wanted
    };
    let set = wanted(&["a -> 2.0.0"]);
    let noted = wanted(&["a -> 2.0.0", "note 1:12 x"]);
    let nothing = wanted(&["a -> 2.0.0", "nothing"]);
    let lost = wanted(&["app x -> 2.0.0", "target x b tag", "nothing"]);
    for (before, after, wanted, words) in [
        ("image: a:1\n", "image: a:2.0.0\r\n", &set, "\\r\\n"),
        ("image: a:1\n", "image: a:1\n", &set, "+ image: a:2.0.0\\n"),
        ("image: b:1\n", "image: b:1\n", &set, "say `nothing`"),
        (
            "image: &x a:1\nb: *x\n",
            "image: &x a:1\nb: *x\n",
            &set,
            "refused",
        ),
        ("image: a:1\n", "image: a:2.0.0\n", &noted, "notes: []"),
        ("image: a:1\n: [", "image: a:1\n: [", &nothing, "problem: ["),
        ("a: 1\n", "a: 1\n", &lost, "b no key at 1:1"),
    ] {
        let found = run(Format::Yaml, before.as_bytes(), after.as_bytes(), wanted);
        assert!(
            found.as_ref().is_err_and(|told| told.contains(words)),
            "{found:?}"
        );
    }
    assert_eq!(
        run(Format::Yaml, b"image: a:1\n", b"image: a:2.0.0\n", &set),
        Ok(true)
    );
}
