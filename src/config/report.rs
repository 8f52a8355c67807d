//! What is wrong in a set of files, collected until all of it is known.
//!
//! Invariant: a mistake is told once, however many apps share the line it is on, and no line is
//! quoted beyond the place where a secret stands on it.
//!
//! It collects and sorts; it decides nothing.

use std::collections::{HashMap, HashSet};

use crate::diag::{Diagnostic, Position, Severity};

/// What stands for a secret in a quoted line.
const HIDDEN: &str = "…";

/// Most errors told of one file: nobody mends more at once, and a hostile file must not fill a log.
const MAX_ERRORS: usize = 200;

/// One of the files of a [`Report`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct SourceId(usize);

/// A place in one of the files.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Spot {
    /// The file.
    pub source: SourceId,
    /// The place.
    pub at: Position,
}

/// Why a value is refused, and what to write in its place.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Mistake {
    /// What is wrong, in a sentence without a final stop.
    pub message: String,
    /// What to do about it.
    pub hint: Option<String>,
}

impl Mistake {
    /// A mistake without advice.
    pub fn new(message: impl Into<String>) -> Self {
        Self {
            message: message.into(),
            hint: None,
        }
    }

    /// The same, with advice.
    #[must_use]
    pub fn hint(mut self, hint: impl Into<String>) -> Self {
        self.hint = Some(hint.into());
        self
    }
}

struct Source<'t> {
    file: &'t str,
    text: &'t str,
    errors: usize,
    /// By line, the first column that must not be shown.
    hidden: HashMap<u32, u32>,
}

struct Found {
    severity: Severity,
    source: SourceId,
    at: Option<Position>,
    mistake: Mistake,
}

/// The mistakes of some files, in the order found.
#[derive(Default)]
pub struct Report<'t> {
    sources: Vec<Source<'t>>,
    found: Vec<Found>,
    told: HashSet<(SourceId, Option<Position>, Mistake)>,
}

impl<'t> Report<'t> {
    /// Adds a file to report about.
    pub fn source(&mut self, file: &'t str, text: &'t str) -> SourceId {
        self.sources.push(Source {
            file,
            text,
            errors: 0,
            hidden: HashMap::new(),
        });
        SourceId(self.sources.len() - 1)
    }

    /// The name of a file.
    pub fn file(&self, source: SourceId) -> &'t str {
        self.sources[source.0].file
    }

    /// The text of a file.
    pub fn text(&self, source: SourceId) -> &'t str {
        self.sources[source.0].text
    }

    /// How many errors a file has so far.
    pub fn errors(&self, source: SourceId) -> usize {
        self.sources[source.0].errors
    }

    /// Reports an error at a place.
    pub fn error(&mut self, spot: Spot, mistake: Mistake) {
        self.push(Severity::Error, spot.source, Some(spot.at), mistake);
    }

    /// Reports an error of a file as a whole.
    pub fn error_of(&mut self, source: SourceId, mistake: Mistake) {
        self.push(Severity::Error, source, None, mistake);
    }

    /// Reports something that is probably not as meant.
    pub fn warning(&mut self, spot: Spot, mistake: Mistake) {
        self.push(Severity::Warning, spot.source, Some(spot.at), mistake);
    }

    /// From here to the end of its line, the text is never shown.
    pub fn hide(&mut self, spot: Spot) {
        let hidden = &mut self.sources[spot.source.0].hidden;
        let column = hidden.entry(spot.at.line).or_insert(spot.at.column);
        *column = spot.at.column.min(*column);
    }

    /// Everything found, by file in the order they were added, then by place.
    pub fn finish(mut self) -> Vec<Diagnostic> {
        self.found
            .sort_by_key(|found| (found.source, found.at, std::cmp::Reverse(found.severity)));
        self.found
            .iter()
            .map(|found| self.diagnostic(found))
            .collect()
    }

    fn push(
        &mut self,
        severity: Severity,
        source: SourceId,
        at: Option<Position>,
        mistake: Mistake,
    ) {
        let found = Found {
            severity,
            source,
            at,
            mistake,
        };
        let file = &mut self.sources[source.0];
        let new = self.told.insert((source, at, found.mistake.clone()));
        if file.errors > MAX_ERRORS || !new {
            return;
        }
        self.found.push(found);
        if severity == Severity::Error {
            file.errors += 1;
            if file.errors == MAX_ERRORS {
                self.error_of(
                    source,
                    Mistake::new("there are more mistakes than are listed"),
                );
            }
        }
    }

    fn diagnostic(&self, found: &Found) -> Diagnostic {
        let source = &self.sources[found.source.0];
        let message = found.mistake.message.as_str();
        let mut diagnostic = match found.severity {
            Severity::Error => Diagnostic::error(source.file, message),
            Severity::Warning => Diagnostic::warning(source.file, message),
        };
        if let Some(at) = found.at {
            diagnostic = match source.hidden.get(&at.line) {
                None => diagnostic.at_position(source.text, at),
                Some(&column) => diagnostic.at_position(&masked(source.text, at.line, column), at),
            };
        }
        match &found.mistake.hint {
            Some(hint) => diagnostic.hint(hint.as_str()),
            None => diagnostic,
        }
    }
}

/// A text with the same line at the same place as `text`, cut at `column`.
fn masked(text: &str, line: u32, column: u32) -> String {
    let above = usize::try_from(line.saturating_sub(1)).unwrap_or(0);
    let kept = usize::try_from(column.saturating_sub(1)).unwrap_or(0);
    let full = text.lines().nth(above).unwrap_or_default();
    let full = full.trim_start_matches('\u{feff}');
    let mut masked = "\n".repeat(above);
    masked.extend(full.chars().take(kept));
    masked.push_str(HIDDEN);
    masked
}

#[cfg(test)]
mod tests {
    use super::*;

    fn spot(source: SourceId, line: u32, column: u32) -> Spot {
        Spot {
            source,
            at: Position { line, column },
        }
    }

    #[test]
    fn a_mistake_is_told_once_and_in_order() {
        let mut report = Report::default();
        let source = report.source("a.yaml", "one\ntwo\n");
        report.error(spot(source, 2, 1), Mistake::new("second"));
        report.warning(spot(source, 1, 1), Mistake::new("mild"));
        report.error(spot(source, 1, 1), Mistake::new("first").hint("do"));
        report.error(spot(source, 2, 1), Mistake::new("second"));
        assert_eq!(report.errors(source), 2);
        let told: Vec<_> = report.finish().iter().map(ToString::to_string).collect();
        assert_eq!(
            told,
            [
                "a.yaml:1:1: error: first (do)",
                "a.yaml:1:1: warning: mild",
                "a.yaml:2:1: error: second"
            ]
        );
    }

    #[test]
    fn a_file_full_of_mistakes_is_cut() {
        let mut report = Report::default();
        let source = report.source("a.yaml", "");
        for line in 1..10_000 {
            report.error(spot(source, line, 1), Mistake::new("wrong"));
        }
        let told = report.finish();
        assert_eq!(told.len(), MAX_ERRORS + 1);
        assert!(told[0].message.contains("more mistakes"), "{}", told[0]);
    }

    #[test]
    fn a_hidden_rest_of_a_line_is_never_quoted() {
        let text = "ok: 1\n{user: é, password: hunter2, more: hunter3}\n";
        for column in [2, 11, 21, 35, 200] {
            let mut report = Report::default();
            let source = report.source("a.yaml", text);
            report.error(spot(source, 2, column), Mistake::new("wrong"));
            report.hide(spot(source, 2, 36));
            report.hide(spot(source, 2, 21));
            let shown = report.finish()[0].render(false);
            assert!(shown.contains("a.yaml:2:"), "{shown}");
            assert!(shown.contains("password: …"), "{shown}");
            assert!(!shown.contains("hunter"), "{shown}");
        }
    }
}
