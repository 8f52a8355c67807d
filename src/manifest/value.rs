//! Scalars: reading one as a field, and writing another value in its place.
//!
//! Invariant: [`encode`] keeps the quotes a value has, and adds double quotes to a plain one only
//! where a YAML 1.1 or 1.2 reader would otherwise take the new value for something else than text.
//! Only texts made of the letters of references are written, so nothing ever needs an escape.

use granit_parser::ScalarStyle;

use super::yaml::{Content, Id, Role, Tag, Tree};
use super::{Field, Format, Refusal, Style};

/// The scalar `id` as a field, and why it can't be written, if it can't. `None` for collections.
///
/// An alias stands where it is, and what would be written is the scalar it stands for.
pub(super) fn field(tree: &Tree<'_>, format: Format, id: Id) -> Option<(Field, Option<Refusal>)> {
    if let Content::Alias(target) = tree.node(id).content {
        let (shared, refusal) = field(tree, format, target)?;
        let position = tree.node(id).position;
        return Some((Field { position, ..shared }, refusal));
    }
    let text = tree.scalar(id)?;
    let node = tree.node(id);
    let text = match &node.content {
        Content::Scalar(_, ScalarStyle::Literal | ScalarStyle::Folded) => {
            text.trim_end_matches('\n')
        }
        _ => text,
    };
    let (mut start, mut end) = (node.start, node.end);
    let (style, refusal) = match &node.content {
        Content::Scalar(_, style) => {
            let (style, sound) = match style {
                ScalarStyle::Plain if node.tag == Tag::Text => (Style::Tagged, true),
                ScalarStyle::Plain => (Style::Plain, true),
                ScalarStyle::SingleQuoted | ScalarStyle::DoubleQuoted => {
                    (start, end) = (start + 1, end.saturating_sub(1).max(start + 1));
                    let double = *style == ScalarStyle::DoubleQuoted;
                    (if double { Style::Double } else { Style::Single }, true)
                }
                ScalarStyle::Literal | ScalarStyle::Folded => {
                    end = first_line_end(tree.text, start, end);
                    let line = &tree.text[start as usize..end as usize];
                    (Style::Block, !line.is_empty() && line == text)
                }
            };
            let not_text =
                node.tag == Tag::Foreign || format == Format::Json && style != Style::Double;
            let refusal = if not_text {
                Some(Refusal::NotText)
            } else {
                (!sound).then_some(Refusal::NoPlace)
            };
            (style, refusal)
        }
        Content::Absent if node.tag == Tag::None && format != Format::Json => {
            match empty_place(tree.text, node.start) {
                Some((place, style)) => {
                    (start, end) = (place, place);
                    (style, None)
                }
                None => (Style::Empty, Some(Refusal::NoPlace)),
            }
        }
        _ => (Style::Empty, Some(Refusal::NoPlace)),
    };
    let position = match node.role {
        // An empty block has no line of its own; what follows would be shown.
        Role::Value(key) if style == Style::Block && text.is_empty() => tree.node(key).position,
        _ => node.position,
    };
    let field = Field {
        position,
        text: text.to_owned(),
        start,
        end,
        style,
    };
    Some((field, refusal))
}

/// The end of the scalar `id` from the byte `at` of its text, and why it can't be written, if it
/// can't. `None` for collections, and for texts that are shorter.
pub(super) fn tail(
    tree: &Tree<'_>,
    format: Format,
    id: Id,
    at: usize,
) -> Option<(Field, Option<Refusal>)> {
    let (mut field, refusal) = field(tree, format, id)?;
    let text = field.text.get(at..)?.to_owned();
    // Written as it reads, so that bytes of the text are bytes of the file.
    let same = tree.text.get(field.span()) == Some(&field.text);
    if same {
        field.start += u32::try_from(at).unwrap_or_default();
        field.style = Style::Tail;
    }
    field.text = text;
    Some((field, refusal.or((!same).then_some(Refusal::NoPlace))))
}

/// The node start that [`field`] made a field from.
pub(super) fn node_start(field: &Field) -> u32 {
    let before = match field.style {
        Style::Plain | Style::Tagged | Style::Block | Style::Tail | Style::Bare | Style::Typed => 0,
        Style::Single | Style::Double | Style::Empty => 1,
        Style::EmptySpaced => 2,
    };
    field.start.saturating_sub(before)
}

fn first_line_end(text: &str, start: u32, end: u32) -> u32 {
    let slice = &text[start as usize..end as usize];
    let length = slice.find(['\n', '\r']).unwrap_or(slice.len());
    start + u32::try_from(length).unwrap_or_default()
}

/// Where a value goes after the colon at `colon`, if there is one.
fn empty_place(text: &str, colon: u32) -> Option<(u32, Style)> {
    match &text.as_bytes()[colon as usize..] {
        [b':', b' ', b'\r' | b'\n', ..] | [b':', b' '] => Some((colon + 2, Style::EmptySpaced)),
        [b':', ..] => Some((colon + 1, Style::Empty)),
        _ => None,
    }
}

/// What to put into a field's span so that it reads as `text`.
pub(super) fn encode(text: &str, style: Style) -> Result<String, Refusal> {
    let written = |b: u8| {
        b.is_ascii_alphanumeric()
            || matches!(b, b'.' | b'_' | b'-' | b':' | b'/' | b'@' | b'[' | b']')
    };
    if text.is_empty() || !text.bytes().all(written) {
        return Err(Refusal::Template {
            value: text.to_owned(),
        });
    }
    let quoted = || format!("\"{text}\"");
    Ok(match style {
        Style::Single | Style::Double | Style::Block | Style::Tail | Style::Bare => text.to_owned(),
        Style::Typed if needs_quotes(text) => {
            return Err(Refusal::Unquoted {
                value: text.to_owned(),
            });
        }
        Style::Typed => text.to_owned(),
        // A plain scalar can't start like a flow sequence.
        Style::Tagged if text.starts_with('[') => quoted(),
        Style::Tagged => text.to_owned(),
        Style::Plain | Style::EmptySpaced if needs_quotes(text) => quoted(),
        Style::Plain | Style::EmptySpaced => text.to_owned(),
        Style::Empty if needs_quotes(text) => format!(" {}", quoted()),
        Style::Empty => format!(" {text}"),
    })
}

/// The text as a scalar of a line that a person adds.
pub(super) fn plain_or_quoted(text: &str) -> String {
    if needs_quotes(text) {
        format!("\"{text}\"")
    } else {
        text.to_owned()
    }
}

fn needs_quotes(text: &str) -> bool {
    text.is_empty()
        || !text.as_bytes()[0].is_ascii_alphanumeric() && text.as_bytes()[0] != b'_'
        || text.ends_with(':')
        || reads_as_other(text)
}

/// Whether a reader of YAML 1.1 or 1.2 takes a plain scalar for something else than text.
///
/// The union of the core schema (YAML 1.2.2, section 10.3.2), the types of YAML 1.1
/// (yaml.org/type: bool, float, int, merge, null, timestamp, value), and what Go's yaml.v3 makes of
/// numbers (underscores anywhere after the first digit) and dates (one-digit months and days).
pub(super) fn reads_as_other(text: &str) -> bool {
    if matches!(text, "" | "~" | "=" | "<<") || is_word(text) {
        return true;
    }
    let unsigned = text.strip_prefix(['+', '-']).unwrap_or(text);
    is_number(unsigned) || is_sexagesimal(unsigned) || is_date(text)
}

/// A word of YAML 1.1 or 1.2, in the three spellings that count: `yes`, `Yes`, `YES`.
fn is_word(text: &str) -> bool {
    const WORDS: [&str; 9] = ["y", "n", "yes", "no", "on", "off", "true", "false", "null"];
    /// Longest of the words.
    const LONGEST: usize = 5;
    if text.len() > LONGEST || !text.is_ascii() {
        return false;
    }
    let lower = text.to_ascii_lowercase();
    let spelled = text.get(1..) == lower.get(1..) || *text == text.to_ascii_uppercase();
    spelled && WORDS.contains(&lower.as_str())
}

fn is_number(text: &str) -> bool {
    let digits: String = text.chars().filter(|c| *c != '_').collect();
    let radix = |prefix: [&str; 2], valid: fn(&u8) -> bool| {
        let rest = digits
            .strip_prefix(prefix[0])
            .or_else(|| digits.strip_prefix(prefix[1]));
        rest.is_some_and(|rest| !rest.is_empty() && rest.as_bytes().iter().all(valid))
    };
    let first = text.as_bytes().first();
    if !first.is_some_and(|b| b.is_ascii_digit() || *b == b'.') {
        return false;
    }
    radix(["0x", "0X"], u8::is_ascii_hexdigit)
        || radix(["0o", "0O"], |b| matches!(b, b'0'..=b'7'))
        || radix(["0b", "0B"], |b| matches!(b, b'0' | b'1'))
        || [".inf", ".Inf", ".INF", ".nan", ".NaN", ".NAN"].contains(&digits.as_str())
        || is_float(&digits)
}

/// Digits with at most one point and an optional exponent: integers too.
fn is_float(text: &str) -> bool {
    let (mantissa, exponent) = match text.split_once(['e', 'E']) {
        Some((mantissa, exponent)) => (mantissa, Some(exponent)),
        None => (text, None),
    };
    let digits = |text: &str| text.bytes().all(|b| b.is_ascii_digit());
    let (whole, fraction) = mantissa.split_once('.').unwrap_or((mantissa, ""));
    let sound = digits(whole) && digits(fraction) && whole.len() + fraction.len() > 0;
    sound
        && exponent.is_none_or(|exponent| {
            let exponent = exponent.strip_prefix(['+', '-']).unwrap_or(exponent);
            !exponent.is_empty() && digits(exponent)
        })
}

/// `190:20:30` and `190:20:30.15`, numbers to base 60 of YAML 1.1.
fn is_sexagesimal(text: &str) -> bool {
    let (whole, fraction) = text.split_once('.').unwrap_or((text, ""));
    let mut parts = whole.split(':');
    let digit = |b: u8| b.is_ascii_digit() || b == b'_';
    let first = parts.next().unwrap_or_default();
    let mut rest = parts.peekable();
    rest.peek().is_some()
        && first.starts_with(|c: char| c.is_ascii_digit())
        && first.bytes().all(digit)
        && fraction.bytes().all(digit)
        && rest.all(|part| matches!(part.as_bytes(), [b] | [b'0'..=b'5', b] if b.is_ascii_digit()))
}

/// `2024-01-15` and `2024-1-5`, alone or with a time after it.
fn is_date(text: &str) -> bool {
    let date = text.split(['T', 't', ' ']).next().unwrap_or_default();
    let time = &text[date.len()..];
    let mut parts = date.split('-');
    let mut number = |lengths: std::ops::RangeInclusive<usize>| {
        parts.next().is_some_and(|part| {
            lengths.contains(&part.len()) && part.bytes().all(|b| b.is_ascii_digit())
        })
    };
    let dated = number(4..=4) && number(1..=2) && number(1..=2) && parts.next().is_none();
    dated && (time.is_empty() || time.contains(':'))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_reads_as_something_else_is_known() {
        for text in [
            "",
            "~",
            "null",
            "Null",
            "NULL",
            "true",
            "True",
            "FALSE",
            "yes",
            "No",
            "ON",
            "off",
            "y",
            "N",
            "=",
            "<<",
            "0",
            "7",
            "0123",
            "08",
            "1_000",
            "1__0_",
            "0x1f",
            "0X1F",
            "0o17",
            "0b10",
            "1.10",
            "1.",
            ".5",
            "1e3",
            "1234e567",
            "1E5",
            "1.5e-3",
            "+1",
            "-1",
            ".inf",
            "-.INF",
            ".nan",
            "12:30",
            "1:2:3",
            "190:20:30.15",
            "2024-01-15",
            "2024-1-5",
            "2001-12-14t21:59:43",
            "20240115",
            "1_2.3",
        ] {
            assert!(reads_as_other(text), "{text}");
        }
        for text in [
            "1.2.3",
            "v1",
            "1.10.0",
            "nginx",
            "latest",
            "yEs",
            "nO",
            "1e",
            "e3",
            "0xg",
            "0b12",
            "0o9",
            "1e3e4",
            "1.2.3e4",
            "_1",
            "1-2",
            "2024-01",
            "2024-01-15-1",
            "2024-01-15t1",
            "12:60",
            "12:3a",
            "a:1",
            "deadbeef",
            "1-alpine",
            "1.2-rc.1",
            "0x",
            "null1",
            "onx",
            "nginx:1.25",
            "sha256:ab",
            "2024.01.15",
            "20240115-1",
            ".",
            "é",
        ] {
            assert!(!reads_as_other(text), "{text}");
        }
    }

    #[test]
    fn quotes_are_kept_and_added_only_where_needed() {
        for (text, style, wanted) in [
            ("1.2.3", Style::Plain, "1.2.3"),
            ("1.10", Style::Plain, "\"1.10\""),
            ("1.10", Style::Tagged, "1.10"),
            ("1.10", Style::Single, "1.10"),
            ("1.10", Style::Double, "1.10"),
            ("1.10", Style::Block, "1.10"),
            ("1.2.3", Style::Empty, " 1.2.3"),
            ("on", Style::Empty, " \"on\""),
            ("1.2.3", Style::EmptySpaced, "1.2.3"),
            ("on", Style::EmptySpaced, "\"on\""),
            ("[::1]:5000/a:1", Style::Plain, "\"[::1]:5000/a:1\""),
            ("[::1]:5000/a:1", Style::Tagged, "\"[::1]:5000/a:1\""),
            ("_x", Style::Plain, "_x"),
        ] {
            assert_eq!(encode(text, style).unwrap(), wanted, "{text} {style:?}");
        }
    }

    #[test]
    fn only_letters_of_references_are_written() {
        for text in ["", "a b", "a\"", "a\n", "{a}", "é", "#a"] {
            assert!(encode(text, Style::Double).is_err(), "{text}");
        }
    }
}
