//! The comments of a line.
//!
//! Invariant: a sign inside quotes, inside a template's action, or in the middle of a word begins no
//! comment. Only comments that aren't closed carry over to the next line; quotes never do, so one
//! odd quote costs one line.

use std::ops::Range;

use super::dialect::{Dialect, Reach};

/// A comment, or the part of one that is on the line.
#[derive(Debug)]
pub(super) struct Comment {
    /// With its signs.
    pub(super) span: Range<usize>,
    /// What it says.
    pub(super) body: Range<usize>,
    /// Whether it begins and ends on this line.
    pub(super) whole: bool,
}

/// What is known of a line.
#[derive(Debug, Default)]
pub(super) struct Line {
    pub(super) comments: Vec<Comment>,
    /// Whether a quote isn't closed.
    pub(super) open_quote: bool,
}

/// Reads lines one after the other.
#[derive(Debug)]
pub(super) struct Lexer {
    dialect: Dialect,
    /// What closes the comment that the last line left open.
    open: Option<&'static str>,
    /// How many blanks the line begins with.
    indent: usize,
}

impl Lexer {
    pub(super) fn new(dialect: Dialect) -> Self {
        Self {
            dialect,
            open: None,
            indent: 0,
        }
    }

    /// Reads the next line, given without its line break.
    pub(super) fn line(&mut self, text: &str) -> Line {
        let mut line = Line::default();
        let mut at = 0;
        if let Some(close) = self.open {
            let found = text.find(close);
            let body = found.unwrap_or(text.len());
            at = found.map_or(text.len(), |found| found + close.len());
            line.comments.push(Comment {
                span: 0..at,
                body: 0..body,
                whole: false,
            });
            if found.is_some() {
                self.open = None;
            }
        }
        let bytes = text.as_bytes();
        self.indent = bytes.len() - bytes.trim_ascii_start().len();
        let mut quote = None;
        while at < bytes.len() {
            if let Some(sign) = quote {
                at += match bytes[at] {
                    b'\\' if sign == b'"' => 2,
                    byte => {
                        quote = quote.filter(|_| byte != sign);
                        1
                    }
                };
                continue;
            }
            if let Some(comment) = self.comment(text, at) {
                at = comment.span.end;
                line.comments.push(comment);
                continue;
            }
            at = match after_action(text, at) {
                Some(end) => end,
                None => {
                    // In these files a quote is a character like any other.
                    let quotes = !self.dialect.comments_alone() && opens_quote(bytes, at);
                    quote = quotes.then_some(bytes[at]);
                    at + 1
                }
            };
        }
        line.open_quote = quote.is_some();
        line
    }

    /// Passes over a line that is too long to be read, but for the end of an open comment.
    pub(super) fn pass_over(&mut self, text: &str) {
        self.open = self.open.filter(|close| find(text, 0, close).is_none());
    }

    /// The comment that begins at `at`.
    fn comment(&mut self, text: &str, at: usize) -> Option<Comment> {
        if let Some(body) = template_body(text.as_bytes(), at) {
            let comment = self.block(text, at, body, "*/", true)?;
            let end = after_action_close(text.as_bytes(), comment.span.end);
            return Some(Comment {
                span: at..end,
                ..comment
            });
        }
        let rest = &text.as_bytes()[at..];
        let starts_line = at <= self.indent;
        for block in self.dialect.blocks() {
            let begins = self.dialect == Dialect::Markup || self.starts_word(text, at);
            if begins && rest.starts_with(block.open.as_bytes()) {
                let spans = match block.reach {
                    Reach::Lines => true,
                    Reach::LinesFromStart => starts_line,
                    Reach::Line => false,
                };
                return self.block(text, at, at + block.open.len(), block.close, spans);
            }
        }
        let alone = self.dialect.comments_alone();
        if alone && !starts_line || !self.starts_word(text, at) {
            return None;
        }
        let odd = [";"].as_slice();
        let more = match self.dialect {
            Dialect::Any if starts_line => odd,
            _ => &[],
        };
        let mut signs = self.dialect.line_signs().iter().chain(more);
        let sign = signs.find(|sign| rest.starts_with(sign.as_bytes()))?;
        Some(Comment {
            span: at..text.len(),
            body: at + sign.len()..text.len(),
            whole: true,
        })
    }

    /// A comment up to `close`, or one that the line leaves open if it may.
    fn block(
        &mut self,
        text: &str,
        at: usize,
        body: usize,
        close: &'static str,
        spans: bool,
    ) -> Option<Comment> {
        if let Some(length) = find(text, body, close) {
            return Some(Comment {
                span: at..body + length + close.len(),
                body: body..body + length,
                whole: true,
            });
        }
        spans.then(|| {
            self.open = Some(close);
            Comment {
                span: at..text.len(),
                body: body..text.len(),
                whole: false,
            }
        })
    }

    /// Whether a comment's sign at `at` would not be part of a word.
    fn starts_word(&self, text: &str, at: usize) -> bool {
        let Some(&before) = at.checked_sub(1).and_then(|at| text.as_bytes().get(at)) else {
            return true;
        };
        let closes = matches!(
            before,
            b',' | b';' | b')' | b']' | b'}' | b'"' | b'\'' | b'`'
        );
        before.is_ascii_whitespace()
            || closes && matches!(self.dialect, Dialect::Code | Dialect::Slashes)
    }
}

/// Whether a quote opens here; an apostrophe inside a word is none.
pub(super) fn opens_quote(bytes: &[u8], at: usize) -> bool {
    match bytes[at] {
        b'"' | b'`' => true,
        b'\'' => at == 0 || !bytes[at - 1].is_ascii_alphanumeric() && bytes[at - 1].is_ascii(),
        _ => false,
    }
}

/// Where the text of a Go template's comment begins, `{{/*` or `{{- /*` (text/template, "Actions").
fn template_body(bytes: &[u8], at: usize) -> Option<usize> {
    let rest = bytes[at..].strip_prefix(b"{{")?;
    let rest = rest.strip_prefix(b"-").unwrap_or(rest).trim_ascii_start();
    let body = rest.strip_prefix(b"/*")?;
    Some(bytes.len() - body.len())
}

/// Where a template's action ends whose comment ends at `at`.
fn after_action_close(bytes: &[u8], at: usize) -> usize {
    let rest = bytes[at..].trim_ascii_start();
    let rest = rest.strip_prefix(b"-").unwrap_or(rest);
    match rest.strip_prefix(b"}}") {
        Some(rest) => bytes.len() - rest.len(),
        None => at,
    }
}

/// Where the template's action ends that begins at `at`.
pub(super) fn after_action(text: &str, at: usize) -> Option<usize> {
    if !text.as_bytes()[at..].starts_with(b"{{") {
        return None;
    }
    find(text, at, "}}").map(|length| at + length + 2)
}

fn find(text: &str, from: usize, sign: &str) -> Option<usize> {
    memchr::memmem::find(&text.as_bytes()[from..], sign.as_bytes())
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The bodies of all comments, `|` between those of one line, `…` where one isn't whole.
    fn comments(dialect: Dialect, text: &str) -> String {
        let mut lexer = Lexer::new(dialect);
        let shown = text.split('\n').map(|text| {
            let line = lexer.line(text);
            let bodies = line.comments.iter().map(|comment| {
                let more = if comment.whole { "" } else { "…" };
                format!("{}{more}", text[comment.body.clone()].trim())
            });
            let quote = if line.open_quote { "?" } else { "" };
            bodies.collect::<Vec<_>>().join("|") + quote
        });
        shown.collect::<Vec<_>>().join("\n")
    }

    #[test]
    fn comments_are_found() {
        use Dialect::{Any, Code, Docker, Ini, Markup, Properties, Shell, Yaml};
        for (dialect, text, wanted) in [
            (Any, "a # b", "b"),
            (Any, "a#b", ""),
            (Any, "\"# a\" # b", "b"),
            (Any, "don't # b", "b"),
            (Any, "'a # b", "?"),
            (Any, "a // b", "b"),
            (Any, "docker://b", ""),
            (Any, "; a", "a"),
            (Any, "a ; b", ""),
            (Any, "cp /* x", ""),
            (Any, "a /* b */ c", "b"),
            (Any, "/* a\nb */ c # d", "a…\nb…|d"),
            (Any, "{# a #} {#b", "a"),
            (Any, "<!-- a --> b", "a"),
            (Any, "{{/* a */}} b", "a"),
            (Any, "x: {{- /* a */ -}}", "a"),
            (Any, "{{ \"# a\" }} # b", "b"),
            (Any, "{{ a \" }} # b", "b"),
            (Any, "{{/* a\n b */}}\n# c", "a…\nb…\nc"),
            (Docker, "FROM a # b", ""),
            (Docker, "  # b", "b"),
            (Docker, "RUN it's # b", ""),
            (Shell, "A=${#b}", ""),
            (Shell, "A=1 # b", "b"),
            (Shell, "A=1 // b", ""),
            (Ini, "a = 1 ; b", "b"),
            (Properties, "! a", "a"),
            (Properties, "a = 1 # b", ""),
            (Code, "a = \"/*\" /* b */, // c", "b|c"),
            (Code, "\"a\",// b", "b"),
            (Code, "\"a\"# b", "b"),
            (Code, "\"\\\" # a\" # b", "b"),
            (Code, "/* a\n# b\n*/ # c", "a…\n# b…\n…|c"),
            (Markup, "<a/><!-- b\n-->", "b…\n…"),
            (Yaml, "a // b # c", "c"),
            (Yaml, "\u{e9}'s # b", "b"),
        ] {
            assert_eq!(comments(dialect, text), wanted, "{dialect:?} {text}");
        }
    }
}
