//! `set IMAGE=REFERENCE… PATH…`: writes exactly a reference to every site of an image, in place.
//!
//! Invariant: a file is replaced whole by a rename, with its permissions and owner kept, and only if
//! every byte outside the edited scalars is the same. What can't be read or written is printed with
//! its place and reason, and keeps nothing else from being done.

use std::io::{self, Write as _};
use std::os::unix::fs::{MetadataExt as _, fchown};
use std::path::{Path, PathBuf};
use std::str::FromStr;

use anyhow::Context as _;
use clap::Args;
use serde::Serialize;

use crate::cli::diff;
use crate::cli::output::{Exit, Output};
use crate::cli::walk::{self, Found};
use crate::diag::{self, Diagnostic, Position, visible};
use crate::image::{Image, Reference};
use crate::manifest::{self, Change, DigestRule, FileIndex, Marker, Site, Target};

/// Writes references to files in place, changing no other byte
#[derive(Debug, Args)]
pub struct Set {
    /// Assignments such as ghcr.io/acme/shop=ghcr.io/acme/shop:2.0.0, and files or folders
    #[arg(required = true, value_name = "IMAGE=REFERENCE|PATH")]
    arguments: Vec<String>,
    /// An assignment to marked sites, by app name or by a Flux marker's namespace and name
    #[arg(long, value_name = "APP=REFERENCE|NS:NAME=REFERENCE")]
    marker: Vec<String>,
    /// Print the diff and write nothing
    #[arg(long)]
    dry_run: bool,
}

/// Which sites an assignment is for.
enum Selector {
    Image(Image),
    App(String),
    Flux { namespace: String, name: String },
}

struct Assignment {
    selector: Selector,
    reference: Reference,
}

#[derive(Default, Serialize)]
struct Report {
    edits: Vec<Edited>,
    refused: Vec<RefusedSite>,
}

#[derive(Serialize)]
struct Edited {
    file: String,
    #[serde(flatten)]
    position: Position,
    old: String,
    new: String,
}

#[derive(Serialize)]
struct RefusedSite {
    file: String,
    #[serde(flatten)]
    position: Position,
    reason: String,
    #[serde(skip)]
    shown: Diagnostic,
}

/// What happens to one file.
#[derive(Default)]
struct Outcome {
    report: Report,
    diff: String,
}

impl Outcome {
    /// Nothing is done to the file.
    fn refused(file: &Found, reason: String) -> Self {
        let start = Position { line: 1, column: 1 };
        let report = Report {
            edits: Vec::new(),
            refused: vec![refused_site(file, None, start, reason)],
        };
        Self {
            report,
            diff: String::new(),
        }
    }
}

/// What becomes of the edited bytes.
#[derive(Clone, Copy)]
enum Mode {
    Write,
    /// Nothing; only the edits are wanted.
    Try,
    Diff {
        color: bool,
    },
}

/// Runs the command.
///
/// # Errors
/// When a path isn't there or a folder can't be read.
pub fn run(arguments: &Set, output: Output) -> anyhow::Result<Exit> {
    let (assignments, paths) = match sort_out(arguments) {
        Ok(sorted) => sorted,
        Err(error) => {
            output.note(format!("error: {error:#}"));
            return Ok(Exit::Invalid);
        }
    };
    let files = walk::files(&paths)?;
    let mode = match (arguments.dry_run, output.is_json()) {
        (false, _) => Mode::Write,
        (true, true) => Mode::Try,
        (true, false) => Mode::Diff {
            color: output.color(),
        },
    };
    let outcomes = walk::each(&files, |file, bytes| match bytes {
        Ok(bytes) => apply(file, &bytes, &assignments, mode),
        Err(error) => Outcome::refused(file, format!("the file can't be read: {error}")),
    });
    let mut report = Report::default();
    let mut diffs = String::new();
    for outcome in outcomes {
        report.edits.extend(outcome.report.edits);
        report.refused.extend(outcome.report.refused);
        diffs.push_str(&outcome.diff);
    }
    print(&report, &diffs, arguments.dry_run, output);
    Ok(if report.refused.is_empty() {
        Exit::Done
    } else {
        Exit::Failed
    })
}

/// An argument is an assignment if what precedes its first `=` parses as an image, else a path.
fn sort_out(arguments: &Set) -> anyhow::Result<(Vec<Assignment>, Vec<PathBuf>)> {
    let mut assignments = Vec::new();
    let mut paths = Vec::new();
    for argument in &arguments.arguments {
        let image = argument
            .split_once('=')
            .and_then(|(image, reference)| Some((Image::from_str(image).ok()?, reference)));
        match image {
            Some((image, reference)) => assignments.push(Assignment {
                selector: Selector::Image(image),
                reference: parse_reference(argument, reference)?,
            }),
            None => paths.push(PathBuf::from(argument)),
        }
    }
    for argument in &arguments.marker {
        let (name, reference) = argument
            .split_once('=')
            .with_context(|| format!("`--marker {argument}` lacks `=REFERENCE`"))?;
        let selector = match name.split_once(':') {
            Some((namespace, name)) => Selector::Flux {
                namespace: namespace.to_owned(),
                name: name.to_owned(),
            },
            None => Selector::App(name.to_owned()),
        };
        assignments.push(Assignment {
            selector,
            reference: parse_reference(argument, reference)?,
        });
    }
    anyhow::ensure!(
        !assignments.is_empty(),
        "nothing to set: give IMAGE=REFERENCE, such as ghcr.io/acme/shop=ghcr.io/acme/shop:2.0.0"
    );
    anyhow::ensure!(!paths.is_empty(), "no PATH to set it in");
    Ok((assignments, paths))
}

fn parse_reference(argument: &str, text: &str) -> anyhow::Result<Reference> {
    let reference =
        Reference::from_str(text).with_context(|| format!("in the assignment `{argument}`"))?;
    anyhow::ensure!(
        reference.tag().is_some() || reference.digest().is_some(),
        "in the assignment `{argument}`: `{text}` has neither a tag nor a digest"
    );
    Ok(reference)
}

fn apply(file: &Found, bytes: &[u8], assignments: &[Assignment], mode: Mode) -> Outcome {
    let index = manifest::index(file.format, bytes);
    let mut outcome = Outcome::default();
    outcome
        .report
        .refused
        .extend(unreadable(file, bytes, &index, assignments));
    let changes = changes(&index, assignments);
    if changes.is_empty() {
        return outcome;
    }
    let rewritten = manifest::rewrite(file.format, bytes, &index, &changes);
    if rewritten.bytes != bytes {
        match mode {
            Mode::Try => {}
            Mode::Diff { color } => {
                let path = file.shown();
                let path = path.strip_prefix("./").unwrap_or(&path);
                outcome.diff = diff::unified(path, bytes, &rewritten.bytes, color);
            }
            Mode::Write => {
                if let Err(error) = replace(&file.path, &rewritten.bytes) {
                    return Outcome::refused(file, format!("the file can't be written: {error}"));
                }
            }
        }
    }
    outcome
        .report
        .refused
        .extend(refused_sites(file, bytes, rewritten.refused));
    outcome
        .report
        .edits
        .extend(rewritten.edits.into_iter().map(|edit| Edited {
            file: file.shown(),
            position: edit.position,
            old: edit.old,
            new: edit.new,
        }));
    outcome
}

fn changes<'a>(index: &FileIndex, assignments: &'a [Assignment]) -> Vec<Change<'a>> {
    let sites = index.sites.iter().enumerate();
    sites
        .filter(|(_, site)| !site.ignored && !index.ignored)
        .filter_map(|(number, site)| {
            let assignment = assignments
                .iter()
                .rfind(|assignment| assignment.selects(site))?;
            Some(Change {
                site: number,
                target: assignment.target(site),
            })
        })
        .collect()
}

/// A file that can't be parsed counts as refused if it holds the name of an image that is to be set,
/// other than where a marker made it a site.
fn unreadable(
    file: &Found,
    bytes: &[u8],
    index: &FileIndex,
    assignments: &[Assignment],
) -> Option<RefusedSite> {
    let problem = index.problem.as_ref()?;
    let unread = index.unread(bytes);
    let concerned = assignments.iter().any(|assignment| {
        let needle = match &assignment.selector {
            Selector::Image(image) => image.repository().trim_start_matches("library/"),
            // Its markers were read if there are sites.
            Selector::App(_) | Selector::Flux { .. } if !index.sites.is_empty() => return false,
            Selector::App(name) | Selector::Flux { name, .. } => name,
        };
        let finder = memchr::memmem::Finder::new(needle);
        unread.iter().any(|rest| finder.find(rest).is_some())
    });
    concerned.then(|| {
        let text = String::from_utf8_lossy(bytes);
        let lines = diag::lines_at(&text, [problem.position]);
        let line = lines.get(&problem.position.line).copied();
        refused_site(file, line, problem.position, problem.reason.clone())
    })
}

fn refused_sites(file: &Found, bytes: &[u8], refused: Vec<manifest::Refused>) -> Vec<RefusedSite> {
    let text = String::from_utf8_lossy(bytes);
    let lines = diag::lines_at(&text, refused.iter().map(|refused| refused.position));
    let tell = |refused: manifest::Refused| {
        let line = lines.get(&refused.position.line).copied();
        refused_site(file, line, refused.position, refused.reason.to_string())
    };
    refused.into_iter().map(tell).collect()
}

fn refused_site(
    file: &Found,
    line: Option<&str>,
    position: Position,
    reason: String,
) -> RefusedSite {
    RefusedSite {
        file: file.shown(),
        position,
        shown: Diagnostic::error(file.shown(), &reason).at_line(line, position),
        reason,
    }
}

impl Assignment {
    fn selects(&self, site: &Site) -> bool {
        match (&self.selector, &site.marker) {
            (Selector::Image(image), _) => site.image() == Some(image),
            (Selector::App(wanted), Some(Marker::Own { app, .. })) => app == wanted,
            (
                Selector::Flux { namespace, name },
                Some(Marker::Flux {
                    namespace: marked,
                    name: marked_name,
                    ..
                }),
            ) => marked == namespace && marked_name == name,
            _ => false,
        }
    }

    fn target(&self, site: &Site) -> Target<'_> {
        let same = site.image() == Some(self.reference.image());
        Target {
            rename: (!same).then(|| self.reference.name()),
            tag: self.reference.tag(),
            digest: self.reference.digest(),
            rule: DigestRule::Exact,
        }
    }
}

fn replace(path: &Path, bytes: &[u8]) -> io::Result<()> {
    let folder = match path.parent() {
        Some(folder) if !folder.as_os_str().is_empty() => folder,
        _ => Path::new("."),
    };
    // A rename needs no right to the file itself; one that may not be written stays as it is.
    let before = std::fs::OpenOptions::new().write(true).open(path)?;
    let before = before.metadata()?;
    let mut file = tempfile::NamedTempFile::new_in(folder)?;
    file.write_all(bytes)?;
    let made = file.as_file().metadata()?;
    if (made.uid(), made.gid()) != (before.uid(), before.gid()) {
        fchown(file.as_file(), Some(before.uid()), Some(before.gid())).map_err(|error| {
            io::Error::new(error.kind(), format!("its owner can't be kept: {error}"))
        })?;
    }
    file.as_file().set_permissions(before.permissions())?;
    file.persist(path)?;
    Ok(())
}

fn print(report: &Report, diffs: &str, dry_run: bool, output: Output) {
    if output.is_json() {
        output.json(report);
    } else {
        if dry_run {
            output.raw(diffs);
        } else {
            let lines: String = report
                .edits
                .iter()
                .map(|edit| {
                    format!(
                        "{}:{}: {} -> {}\n",
                        visible(&edit.file),
                        edit.position,
                        visible(&edit.old),
                        visible(&edit.new)
                    )
                })
                .collect();
            output.raw(lines);
        }
        let shown: Vec<Diagnostic> = report
            .refused
            .iter()
            .map(|refused| refused.shown.clone())
            .collect();
        output.diagnostics(&shown);
    }
    let (edits, refused) = (report.edits.len(), report.refused.len());
    let would = if dry_run { " would be" } else { "" };
    output.note(format!("{edits}{would} edited, {refused} refused"));
}
