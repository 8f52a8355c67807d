//! Printing: results to stdout, everything else to stderr, colours only where they are wanted.
//!
//! Invariant: with `-o json` stdout holds exactly one object with `"version": 1`. A closed pipe ends
//! printing quietly, as `head` expects.

use std::io::{IsTerminal as _, Write as _};
use std::process::ExitCode;

use clap::ValueEnum;
use serde::Serialize;

use crate::diag::{Diagnostic, Severity};

/// How results are printed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum Format {
    /// For people.
    Text,
    /// One JSON object, for machines.
    Json,
}

/// Whether text is coloured.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum Color {
    /// Where the output is a terminal and `NO_COLOR` isn't set.
    Auto,
    /// Always.
    Always,
    /// Never.
    Never,
}

/// How a command ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Exit {
    /// Done, also when there was nothing to do or everything waits.
    Done,
    /// Something failed or was refused; the rest was done.
    Failed,
    /// Wrong usage, or an invalid configuration, policy or range.
    Invalid,
    /// Changes are pending (`plan --detailed-exitcode`).
    Pending,
}

impl From<Exit> for ExitCode {
    fn from(exit: Exit) -> Self {
        Self::from(match exit {
            Exit::Done => 0,
            Exit::Failed => 1,
            Exit::Invalid => 2,
            Exit::Pending => 10,
        })
    }
}

/// Where and how a command prints.
#[derive(Debug, Clone, Copy)]
pub struct Output {
    /// Text or JSON.
    pub format: Format,
    color: Color,
}

/// A document of version 1.
#[derive(Serialize)]
struct Versioned<'a, T> {
    version: u32,
    #[serde(flatten)]
    content: &'a T,
}

impl Output {
    /// An output of this format.
    pub fn new(format: Format, color: Color) -> Self {
        Self { format, color }
    }

    /// Whether results are one JSON object.
    pub fn is_json(self) -> bool {
        self.format == Format::Json
    }

    /// Whether stdout is coloured.
    pub fn color(self) -> bool {
        self.wants_color(std::io::stdout().is_terminal())
    }

    /// Whether stderr is coloured.
    pub fn error_color(self) -> bool {
        self.wants_color(std::io::stderr().is_terminal())
    }

    fn wants_color(self, terminal: bool) -> bool {
        match self.color {
            Color::Always => true,
            Color::Never => false,
            Color::Auto => terminal && std::env::var_os("NO_COLOR").is_none_or(|no| no.is_empty()),
        }
    }

    /// Prints text to stdout, followed by a line break.
    pub fn line(self, text: impl AsRef<str>) {
        let mut out = std::io::stdout().lock();
        let _ = writeln!(out, "{}", text.as_ref());
    }

    /// Prints text to stdout as it is.
    pub fn raw(self, text: impl AsRef<[u8]>) {
        let _ = std::io::stdout().lock().write_all(text.as_ref());
    }

    /// Prints the one JSON object.
    pub fn json<T: Serialize>(self, content: &T) {
        let document = Versioned {
            version: 1,
            content,
        };
        let mut out = std::io::stdout().lock();
        // What is printed is made of strings, numbers and lists, which always serialise.
        let _ = serde_json::to_writer_pretty(&mut out, &document);
        let _ = writeln!(out);
    }

    /// Prints diagnostics to stderr, each with its source line.
    pub fn diagnostics(self, diagnostics: &[Diagnostic]) {
        let color = self.error_color();
        let mut err = std::io::stderr().lock();
        for diagnostic in diagnostics {
            let _ = writeln!(err, "{}\n", diagnostic.render(color));
        }
    }

    /// Prints a note to stderr.
    pub fn note(self, text: impl AsRef<str>) {
        let _ = writeln!(std::io::stderr().lock(), "{}", text.as_ref());
    }

    /// `text` in an ANSI style (such as `32` for green) if stdout is coloured.
    pub fn paint(self, style: &str, text: &str) -> String {
        paint(self.color(), style, text)
    }
}

/// `text` in an ANSI style, if wanted.
pub fn paint(wanted: bool, style: &str, text: &str) -> String {
    if wanted {
        format!("\u{1b}[{style}m{text}\u{1b}[0m")
    } else {
        text.to_owned()
    }
}

/// `1 site`, `2 sites`.
pub fn count(number: usize, thing: &str) -> String {
    let plural = if number == 1 { "" } else { "s" };
    format!("{number} {thing}{plural}")
}

/// Whether any of the diagnostics is an error.
pub fn has_errors(diagnostics: &[Diagnostic]) -> bool {
    diagnostics
        .iter()
        .any(|diagnostic| diagnostic.severity == Severity::Error)
}
