//! `images PATH`: every site found, with its place, kind and reference.

use std::io;
use std::path::PathBuf;

use clap::Args;
use serde::Serialize;

use crate::cli::output::{Exit, Output, count};
use crate::cli::walk;
use crate::diag::{Diagnostic, Position, visible};
use crate::manifest::{self, SiteKind};

/// Lists every place where an image is written
#[derive(Debug, Args)]
pub struct Images {
    /// Files or folders to look into
    #[arg(required = true, value_name = "PATH")]
    paths: Vec<PathBuf>,
}

#[derive(Serialize)]
struct Listed {
    sites: Vec<Place>,
    problems: Vec<Diagnostic>,
}

#[derive(Serialize)]
struct Place {
    file: String,
    #[serde(flatten)]
    position: Position,
    kind: SiteKind,
    reference: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    marker: Option<String>,
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    ignored: bool,
}

/// Runs the command.
///
/// # Errors
/// When a path isn't there or a folder can't be read. A file that can't be read is one of the problems.
pub fn run(arguments: &Images, output: Output) -> anyhow::Result<Exit> {
    let files = walk::files(&arguments.paths)?;
    let looked = walk::each(&files, |file, bytes| match bytes {
        Ok(bytes) => Looked::at(file, &bytes),
        Err(error) => Looked::unreadable(file, &error),
    });
    let mut listed = Listed {
        sites: Vec::new(),
        problems: Vec::new(),
    };
    let mut exit = Exit::Done;
    for file in looked {
        listed.sites.extend(file.places);
        listed.problems.extend(file.problems);
        if file.failed {
            exit = Exit::Failed;
        }
    }
    if output.is_json() {
        output.json(&listed);
    } else {
        print(&listed, output);
    }
    Ok(exit)
}

/// What one file holds.
struct Looked {
    places: Vec<Place>,
    problems: Vec<Diagnostic>,
    /// Whether the file couldn't be read at all.
    failed: bool,
}

impl Looked {
    fn at(file: &walk::Found, bytes: &[u8]) -> Self {
        let index = manifest::index(file.format, bytes);
        let text = String::from_utf8_lossy(bytes);
        let places = index.sites.iter().map(|site| Place {
            file: file.shown(),
            position: site.position,
            kind: site.kind,
            reference: site.reference_text(),
            marker: site.marker.as_ref().map(ToString::to_string),
            ignored: site.ignored || index.ignored,
        });
        let notes = index.notes.iter().map(|note| {
            Diagnostic::warning(file.shown(), &note.reason).at_position(&text, note.position)
        });
        let problem = index.problem.iter().map(|problem| {
            let reason = &problem.reason;
            let diagnostic = if index.sites.is_empty() {
                Diagnostic::error(file.shown(), reason)
            } else {
                let partly = format!("only its marked values are listed: {reason}");
                Diagnostic::warning(file.shown(), partly)
            };
            diagnostic.at_position(&text, problem.position)
        });
        Self {
            places: places.collect(),
            problems: notes.chain(problem).collect(),
            failed: false,
        }
    }

    fn unreadable(file: &walk::Found, error: &io::Error) -> Self {
        let reason = format!("the file can't be read: {error}");
        Self {
            places: Vec::new(),
            problems: vec![Diagnostic::error(file.shown(), reason)],
            failed: true,
        }
    }
}

fn print(listed: &Listed, output: Output) {
    let mut text = String::new();
    for place in &listed.sites {
        let extra = match (&place.marker, place.ignored) {
            (_, true) => "  (ignored)".to_owned(),
            (Some(marker), false) => format!("  (marker {marker})"),
            (None, false) => String::new(),
        };
        text.push_str(&format!(
            "{}:{}: {:<10}  {}{extra}\n",
            visible(&place.file),
            place.position,
            place.kind.to_string(),
            visible(&place.reference)
        ));
    }
    output.raw(text);
    output.diagnostics(&listed.problems);
    output.note(count(listed.sites.len(), "site"));
}
