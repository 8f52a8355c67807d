//! Diagnostics: what is wrong, where, and what to do, with the source line shown; and errors with their
//! causes.
//!
//! Invariant: a [`Diagnostic`] names its file, and its position is 1-based with the column counted in
//! characters, as editors show it. It carries the one source line it talks about, so it can be
//! printed long after the file is gone.
//!
//! Printing is the caller's work ([`Diagnostic::render`] only makes text).

use std::borrow::Cow;
use std::collections::{BTreeMap, BTreeSet};
use std::fmt;

use annotate_snippets::{AnnotationKind, Group, Level, Renderer, Snippet};
use serde::{Deserialize, Serialize};

/// Longest source line quoted, in characters: a minified file must not fill the terminal.
const MAX_LINE: usize = 240;

/// An error and its causes, outermost first, in one line. A cause that is said already, as some
/// libraries do, is not said again.
pub fn chain(error: &dyn std::error::Error) -> String {
    let mut text = error.to_string();
    let mut cause = error.source();
    while let Some(error) = cause {
        let more = error.to_string();
        if !text.contains(&more) {
            text = format!("{text}: {more}");
        }
        cause = error.source();
    }
    text
}

/// Whether a character of a text from outside is not for reading: it controls the terminal or the log,
/// or hides or reorders what is around it (Unicode UAX #9, explicit directional characters, and the
/// zero-width ones).
pub fn is_hidden(c: char) -> bool {
    c.is_control()
        || matches!(c, '\u{200b}'..='\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2060}'..='\u{206f}' | '\u{feff}')
}

/// `text` on one line for reading: what is hidden in it is escaped.
pub fn visible(text: &str) -> Cow<'_, str> {
    if !text.contains(is_hidden) {
        return Cow::Borrowed(text);
    }
    let mut shown = String::with_capacity(text.len() + 16);
    for c in text.chars() {
        if is_hidden(c) {
            shown.extend(c.escape_default());
        } else {
            shown.push(c);
        }
    }
    Cow::Owned(shown)
}

/// `text` of others on one line, without characters that aren't for reading, of at most `longest`
/// characters and a mark where more followed.
pub fn quoted(text: &str, longest: usize) -> String {
    let mut quoted = String::new();
    let mut length = 0;
    let words = text.split(|c: char| c.is_whitespace() || is_hidden(c));
    for word in words.filter(|word| !word.is_empty()) {
        let blank = (length > 0).then_some(' ');
        for c in blank.into_iter().chain(word.chars()) {
            if length == longest {
                quoted.push('…');
                return quoted;
            }
            quoted.push(c);
            length += 1;
        }
    }
    quoted
}

/// How bad it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "camelCase")]
pub enum Severity {
    /// It works, but probably not as meant.
    Warning,
    /// It cannot be used.
    Error,
}

impl fmt::Display for Severity {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Warning => "warning",
            Self::Error => "error",
        })
    }
}

/// A place in a text: 1-based line, and 1-based column in characters.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct Position {
    /// The line, from 1.
    pub line: u32,
    /// The column in characters, from 1.
    pub column: u32,
}

impl Position {
    /// The position of byte `offset` in `text`. A byte-order mark is not counted as a column; an
    /// offset past the end or inside a character counts as the character's start.
    pub fn of(text: &str, offset: usize) -> Self {
        let mut offset = offset.min(text.len());
        while !text.is_char_boundary(offset) {
            offset -= 1;
        }
        let before = &text[..offset];
        let start = before.rfind('\n').map_or(0, |newline| newline + 1);
        let line = memchr::memchr_iter(b'\n', before.as_bytes()).count() + 1;
        let column = before[start..]
            .trim_start_matches('\u{feff}')
            .chars()
            .count()
            + 1;
        Self {
            line: u32::try_from(line).unwrap_or(u32::MAX),
            column: u32::try_from(column).unwrap_or(u32::MAX),
        }
    }
}

impl fmt::Display for Position {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}", self.line, self.column)
    }
}

/// One thing to tell about one place in one file.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Diagnostic {
    /// How bad it is.
    pub severity: Severity,
    /// The file, as reached from the argument or the config repo's root.
    pub file: String,
    /// Where in the file, if it is about a place.
    #[serde(flatten)]
    pub position: Option<Position>,
    /// What is wrong, in a sentence without a final stop.
    pub message: String,
    /// What to do about it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub hint: Option<String>,
    #[serde(skip)]
    source_line: Option<String>,
}

impl Diagnostic {
    /// Something that cannot be used.
    pub fn error(file: impl Into<String>, message: impl Into<String>) -> Self {
        Self {
            severity: Severity::Error,
            file: file.into(),
            position: None,
            message: message.into(),
            hint: None,
            source_line: None,
        }
    }

    /// Something that is probably not as meant.
    pub fn warning(file: impl Into<String>, message: impl Into<String>) -> Self {
        Self {
            severity: Severity::Warning,
            ..Self::error(file, message)
        }
    }

    /// The same, at byte `offset` of the file's `text`, whose line is kept for display.
    #[must_use]
    pub fn at(self, text: &str, offset: usize) -> Self {
        self.at_position(text, Position::of(text, offset))
    }

    /// The same, at a known position of the file's `text`. For many places of one text, [`lines_at`]
    /// and [`Diagnostic::at_line`] take one walk over it.
    #[must_use]
    pub fn at_position(self, text: &str, position: Position) -> Self {
        let lines = lines_at(text, [position]);
        self.at_line(lines.get(&position.line).copied(), position)
    }

    /// The same, at a position in a line, if that is at hand.
    #[must_use]
    pub fn at_line(mut self, line: Option<&str>, position: Position) -> Self {
        self.position = Some(position);
        self.source_line = line.map(|line| {
            let line = line.trim_start_matches('\u{feff}');
            line.chars().take(MAX_LINE).collect()
        });
        self
    }

    /// The same, at a position whose source line isn't at hand.
    #[must_use]
    pub fn at_bare(mut self, position: Position) -> Self {
        self.position = Some(position);
        self
    }

    /// The same, with advice.
    #[must_use]
    pub fn hint(mut self, hint: impl Into<String>) -> Self {
        self.hint = Some(hint.into());
        self
    }

    /// The diagnostic as several lines: severity, message, place, source line and hint.
    pub fn render(&self, color: bool) -> String {
        let level = match self.severity {
            Severity::Warning => Level::WARNING,
            Severity::Error => Level::ERROR,
        };
        let title = level.primary_title(self.message.as_str());
        let file = visible(&self.file);
        let mut group = match (self.position, &self.source_line) {
            (Some(position), Some(line)) => {
                let start = byte_of_column(line, position.column);
                let end = start + word_length(&line[start..]);
                title.element(
                    Snippet::source(line.as_str())
                        .line_start(position.line as usize)
                        .path(file.as_ref())
                        .annotation(AnnotationKind::Primary.span(start..end)),
                )
            }
            _ => {
                let place = match self.position {
                    Some(position) => format!("{file}:{position}"),
                    None => file.into_owned(),
                };
                Group::with_title(title).element(annotate_snippets::Origin::path(place))
            }
        };
        if let Some(hint) = &self.hint {
            group = group.element(Level::HELP.message(hint.as_str()));
        }
        let renderer = if color {
            Renderer::styled()
        } else {
            Renderer::plain()
        };
        renderer.render(&[group])
    }
}

/// `file:line:col: severity: message`, on one line, for logs.
impl fmt::Display for Diagnostic {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&visible(&self.file))?;
        if let Some(position) = self.position {
            write!(f, ":{position}")?;
        }
        write!(f, ": {}: {}", self.severity, self.message)?;
        match &self.hint {
            Some(hint) => write!(f, " ({hint})"),
            None => Ok(()),
        }
    }
}

/// The lines of `text` that the positions are in, by number.
pub fn lines_at(text: &str, positions: impl IntoIterator<Item = Position>) -> BTreeMap<u32, &str> {
    let wanted: BTreeSet<u32> = positions.into_iter().map(|at| at.line).collect();
    let last = wanted.last().copied().unwrap_or_default();
    (1..=last)
        .zip(text.lines())
        .filter(|(number, _)| wanted.contains(number))
        .collect()
}

/// The known word nearest to `word`, if it is near enough to be what was meant.
pub fn suggest<'a>(word: &str, known: impl IntoIterator<Item = &'a str>) -> Option<&'a str> {
    /// Jaro-Winkler similarity from which a slip of the finger is likelier than another word.
    const NEAR: f64 = 0.8;
    known
        .into_iter()
        .map(|candidate| {
            let near =
                strsim::jaro_winkler(&word.to_ascii_lowercase(), &candidate.to_ascii_lowercase());
            (candidate, near)
        })
        .filter(|(_, near)| *near >= NEAR)
        .max_by(|a, b| a.1.total_cmp(&b.1))
        .map(|(candidate, _)| candidate)
}

/// The bytes of the YAML word at the start of `text`, without what ends it; at least one, if there is
/// one.
fn word_length(text: &str) -> usize {
    let word = text
        .find(|c: char| c.is_whitespace() || matches!(c, ',' | '}' | ']'))
        .map_or(text, |end| &text[..end]);
    let word = word.strip_suffix(':').unwrap_or(word);
    match word.len() {
        0 => text.chars().next().map_or(0, char::len_utf8),
        length => length,
    }
}

fn byte_of_column(line: &str, column: u32) -> usize {
    line.char_indices()
        .nth(column.saturating_sub(1) as usize)
        .map_or(line.len(), |(byte, _)| byte)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn positions_count_characters_and_skip_the_mark() {
        let text = "\u{feff}a: 1\nключ: x\n";
        let x = text.find('x').unwrap();
        assert_eq!(Position::of(text, x), Position { line: 2, column: 7 });
        assert_eq!(Position::of(text, 3), Position { line: 1, column: 1 });
        assert_eq!(Position::of("", 9), Position { line: 1, column: 1 });
    }

    #[test]
    fn lines_are_found_by_number() {
        let at = |line| Position { line, column: 1 };
        let lines = lines_at("a\nb\r\nc", [at(3), at(2), at(9), at(0), at(2)]);
        assert_eq!(lines, BTreeMap::from([(2, "b"), (3, "c")]));
        assert_eq!(lines_at("", [at(1)]), BTreeMap::new());
        assert_eq!(lines_at("a", []), BTreeMap::new());
    }

    #[test]
    fn a_cause_that_is_said_already_is_not_said_again() {
        #[derive(Debug, thiserror::Error)]
        #[error("{0}")]
        struct Layer(&'static str, #[source] std::io::Error);
        for (outer, inner, wanted) in [
            ("no page", "no route", "no page: no route"),
            ("no page: no route", "no route", "no page: no route"),
        ] {
            let error = Layer(outer, std::io::Error::other(inner));
            assert_eq!(chain(&error), wanted);
        }
    }

    #[test]
    fn a_file_name_is_printed_without_hidden_characters() {
        let text = "a: 1\n";
        let bare = Diagnostic::error("\u{1b}[2Ja\n\u{202e}.yaml", "wrong");
        let placed = bare.clone().at(text, 0);
        let without_line = bare.clone().at_bare(Position { line: 1, column: 1 });
        let escaped = r"\u{1b}[2Ja\n\u{202e}.yaml";
        for diagnostic in [bare, placed, without_line] {
            for shown in [diagnostic.render(false), diagnostic.to_string()] {
                assert!(shown.contains(escaped), "{shown:?}");
                assert!(!shown.contains(|c| c != '\n' && is_hidden(c)), "{shown:?}");
            }
        }
        assert_eq!(visible("ключ \"a\"\\"), "ключ \"a\"\\");
    }

    #[test]
    fn a_hostile_text_is_quoted_readably() {
        assert_eq!(quoted(" a\r\nb\x1b[31m c\u{202e}d\t", 99), "a b [31m c d");
        assert_eq!(quoted("\0\n", 9), "");
        let long = quoted(&"é".repeat(100_000), 200);
        assert_eq!(long.chars().count(), 201);
        assert!(quoted(&"ab ".repeat(1000), 200).chars().count() <= 201);
    }

    #[test]
    fn a_rendering_shows_the_line_and_the_hint() {
        let text = "version: 1\nimgae: nginx\n";
        let shown = Diagnostic::error("policies/web.yaml", "unknown key `imgae`")
            .at(text, 11)
            .hint("did you mean `image`?")
            .render(false);
        for wanted in [
            "error: unknown key `imgae`",
            "policies/web.yaml:2:1",
            "imgae: nginx",
            "did you mean `image`?",
        ] {
            assert!(shown.contains(wanted), "{wanted} in\n{shown}");
        }
    }

    proptest::proptest! {
        #[test]
        fn any_place_of_any_line_renders(line in "[ \\PC\u{a0}\u{2003}\t,]{0,30}", column in 1_u32..40) {
            let at = Position { line: 1, column };
            let diagnostic = Diagnostic::error("a.yaml", "wrong").at_position(&line, at);
            proptest::prop_assert!(diagnostic.render(false).contains("a.yaml:1:"));
            proptest::prop_assert!(diagnostic.render(true).contains("wrong"));
        }
    }

    #[test]
    fn a_place_at_a_wide_blank_renders() {
        let text = "\u{a0}app: shop";
        let shown = Diagnostic::error("a.yaml", "not valid").at(text, 0);
        assert!(shown.render(false).contains("a.yaml:1:1"));
    }

    #[test]
    fn a_place_at_the_end_of_a_line_renders() {
        let shown = Diagnostic::warning("a.yaml", "value is missing").at("tag:", 4);
        assert!(shown.render(false).contains("a.yaml:1:5"));
        let bare = Diagnostic::warning("a.yaml", "gone").render(false);
        assert!(bare.contains("a.yaml"), "{bare}");
    }

    #[test]
    fn a_wide_blank_is_marked_whole() {
        let text = "a:\u{a0}\u{a0}b\n";
        let shown = Diagnostic::warning("a.yaml", "odd").at(text, 2);
        assert!(shown.render(false).contains("a.yaml:1:3"));
    }

    #[test]
    fn only_near_words_are_suggested() {
        let known = ["image", "stages", "tags"];
        assert_eq!(suggest("imgae", known), Some("image"));
        assert_eq!(suggest("Stage", known), Some("stages"));
        assert_eq!(suggest("quux", known), None);
    }
}
