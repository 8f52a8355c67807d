//! Files before and after an edit, in `tests/corpus`: one folder per format, and in it pairs
//! `NAME.before.EXT` and `NAME.after.EXT`. Without an `after`, no byte may change.
//!
//! The folder's `cases.txt` says what is set. A line at the margin names a case, `NAME.EXT`, or `*` for
//! all that say nothing themselves; the indented lines below it are
//!
//! - `IMAGE -> TAG`, `IMAGE -> TAG@new`: as the service writes, at every site of the image;
//! - `IMAGE = REFERENCE`: as `tagwright set` writes, so exactly that;
//! - `app NAME -> TAG`: at every site whose marker names the app, or the image policy;
//! - `! LINE:COLUMN WORDS`: a site that is refused, with these words in the reason;
//! - `nothing`: neither an edit nor a refusal.
//!
//! `@new` stands for `@sha256:` and sixty-four twos. Every case is done twice, the second time without
//! effect, and read by another implementation of YAML, which must see the edits and no other change.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::io::Write as _;
use std::path::{Path, PathBuf};

use tagwright::image::{Digest, Image, Reference, Tag};
use tagwright::manifest::{
    self, Change, DigestRule, Edit, FileIndex, Format, Marker, Rewritten, Site, Target,
};

#[path = "../../src/manifest/tests/oracle.rs"]
mod oracle;

/// Fewest files that count as the corpus, so that a wrong folder doesn't pass.
const MIN_FILES: usize = 300;

/// What a case says in `cases.txt`.
#[derive(Debug, Clone, Default)]
struct Wanted {
    assignments: Vec<Assignment>,
    /// Places, and words of the reasons.
    refusals: Vec<(String, String)>,
    nothing: bool,
}

#[derive(Debug, Clone)]
enum Selector {
    Image(Image),
    App(String),
}

#[derive(Debug, Clone)]
struct Assignment {
    selector: Selector,
    rename: Option<String>,
    tag: Option<Tag>,
    digest: Option<Digest>,
    rule: DigestRule,
}

impl Assignment {
    fn parse(line: &str) -> Self {
        let line = line.replace("@new", &format!("@sha256:{}", "2".repeat(64)));
        if let Some((image, reference)) = line.split_once(" = ") {
            let reference: Reference = reference.parse().expect("a reference");
            return Self {
                selector: Selector::Image(image.parse().expect("an image")),
                rename: Some(reference.name().to_owned()),
                tag: reference.tag().cloned(),
                digest: reference.digest().cloned(),
                rule: DigestRule::Exact,
            };
        }
        let (selector, version) = line.split_once(" -> ").expect("an assignment");
        let (tag, digest) = match version.split_once('@') {
            Some((tag, digest)) => (tag, Some(digest.parse().expect("a digest"))),
            None => (version, None),
        };
        Self {
            selector: match selector.strip_prefix("app ") {
                Some(app) => Selector::App(app.to_owned()),
                None => Selector::Image(selector.parse().expect("an image")),
            },
            rename: None,
            tag: Some(tag.parse().expect("a tag")),
            digest,
            rule: DigestRule::WhereHeld,
        }
    }

    fn selects(&self, site: &Site) -> bool {
        match (&self.selector, &site.marker) {
            (Selector::Image(image), _) => site.image() == Some(image),
            (Selector::App(wanted), Some(Marker::Own { app: name, .. }))
            | (Selector::App(wanted), Some(Marker::Flux { name, .. })) => wanted == name,
            (Selector::App(_), Some(Marker::Target { .. }) | None) => false,
        }
    }

    fn target(&self) -> Target<'_> {
        Target {
            rename: self.rename.as_deref(),
            tag: self.tag.as_ref(),
            digest: self.digest.as_ref(),
            rule: self.rule,
        }
    }
}

/// Reads a folder's `cases.txt`.
fn cases(folder: &Path) -> BTreeMap<String, Wanted> {
    let file = folder.join("cases.txt");
    let text = std::fs::read_to_string(&file).expect("the folder says what to set");
    let mut cases: BTreeMap<String, Wanted> = BTreeMap::new();
    let mut name = String::new();
    for line in text.lines() {
        let Some(line) = line.strip_prefix("  ") else {
            name = line.to_owned();
            cases.insert(name.clone(), Wanted::default());
            continue;
        };
        let case = cases.get_mut(&name).expect("a name comes first");
        match line.strip_prefix("! ") {
            Some(refusal) => {
                let (place, words) = refusal.split_once(' ').expect("a place and words");
                case.refusals.push((place.to_owned(), words.to_owned()));
            }
            None if line == "nothing" => case.nothing = true,
            None => case.assignments.push(Assignment::parse(line)),
        }
    }
    cases
}

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

fn rewrite(format: Format, bytes: &[u8], assignments: &[Assignment]) -> (FileIndex, Rewritten) {
    let index = manifest::index(format, bytes);
    let changes: Vec<Change<'_>> = index
        .sites
        .iter()
        .enumerate()
        .filter(|(_, site)| !site.ignored && !index.ignored)
        .filter_map(|(number, site)| {
            let assignment = assignments.iter().find(|one| one.selects(site))?;
            Some(Change {
                site: number,
                target: assignment.target(),
            })
        })
        .collect();
    let rewritten = manifest::rewrite(format, bytes, &index, &changes);
    (index, rewritten)
}

/// Runs a case and says what is wrong with it, or whether the other reader could read it too.
fn run(format: Format, before: &[u8], after: &[u8], wanted: &Wanted) -> Result<bool, String> {
    let (index, rewritten) = rewrite(format, before, &wanted.assignments);
    if rewritten.bytes != after {
        return Err(difference(&rewritten, after));
    }
    let refused: Vec<String> = rewritten
        .refused
        .iter()
        .map(|refused| format!("{} {}", refused.position, refused.reason))
        .collect();
    let expected = refused.len() == wanted.refusals.len()
        && refused
            .iter()
            .zip(&wanted.refusals)
            .all(|(line, (place, words))| {
                let told = line.strip_prefix(place.as_str());
                told.is_some_and(|told| told.starts_with(' ') && told.contains(words.as_str()))
            });
    if !expected {
        return Err(format!(
            "refused: {refused:#?}\nexpected: {:#?}",
            wanted.refusals
        ));
    }
    let idle = rewritten.edits.is_empty() && refused.is_empty();
    if idle != wanted.nothing {
        return Err("say `nothing` where nothing is to happen, and only there".to_owned());
    }
    let (found, again) = rewrite(format, after, &wanted.assignments);
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
    let mut wanted = cases(path);
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
    assert!(tally.files >= MIN_FILES, "only {} files", tally.files);
    assert!(
        failures.is_empty(),
        "{} of {} cases failed:\n{}",
        failures.len(),
        tally.cases,
        failures.join("\n")
    );
}

/// The runner itself: what it has to find, it finds.
#[test]
fn broken_promises_are_found() {
    let wanted = |lines: &[&str]| Wanted {
        assignments: lines.iter().map(|line| Assignment::parse(line)).collect(),
        ..Wanted::default()
    };
    let set = wanted(&["a -> 2.0.0"]);
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
