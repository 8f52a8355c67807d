//! What of a line can be a value: comments and what some other tool fills in are masked.
//!
//! Invariant: a masked line has the length of the line, so every place in it is one of the line; and
//! what touches something that is filled in never reads as a reference, a tag or a name.

use std::ops::Range;

use super::line::{Comment, after_action, opens_quote};

/// Stands for each byte that is filled in.
const FILLED: u8 = 1;

/// A line without its comments, in which what is filled in can't be mistaken for a value.
pub(super) fn mask(text: &str, comments: &[Comment]) -> String {
    let mut bytes = text.as_bytes().to_vec();
    for comment in comments {
        bytes[comment.span.clone()].fill(b' ');
    }
    let mut at = 0;
    while at < bytes.len() {
        at = match filled_until(text, &bytes, at) {
            Some(end) => {
                bytes[at..end].fill(FILLED);
                end
            }
            None => at + 1,
        };
    }
    // Whole characters are replaced by ASCII, so this never fails; an empty line holds no value.
    String::from_utf8(bytes).unwrap_or_default()
}

/// Whether something in a masked text is filled in.
pub(super) fn is_filled(masked: &str) -> bool {
    masked.as_bytes().contains(&FILLED)
}

/// Where a variable, template or interpolation that begins at `at` ends.
fn filled_until(text: &str, bytes: &[u8], at: usize) -> Option<usize> {
    let rest = &bytes[at..];
    match rest {
        [b'{', b'{', ..] => Some(after_action(text, at).unwrap_or(bytes.len())),
        [b'<', b'%', ..] => Some(
            text[at..]
                .find("%>")
                .map_or(bytes.len(), |end| at + end + 2),
        ),
        [b'$' | b'%' | b'#', b'{', ..] => Some(nested(bytes, at + 1, b'{', b'}')),
        [b'$' | b'\\', b'(', ..] => Some(nested(bytes, at + 1, b'(', b')')),
        [b'$', next, ..] if is_word(*next) => Some(at + 1 + word_length(&rest[1..])),
        // An escape such as `\n`.
        [b'\\', next, ..] if next.is_ascii_alphanumeric() => Some(at + 2),
        [b'{', ..] => {
            let name = |b: &u8| is_word(*b) || matches!(b, b'.' | b'-');
            let length = rest[1..].iter().take_while(|b| name(b)).count();
            (length > 0 && rest.get(length + 1) == Some(&b'}')).then_some(at + length + 2)
        }
        _ => None,
    }
}

fn is_word(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || byte == b'_'
}

fn word_length(bytes: &[u8]) -> usize {
    bytes.iter().take_while(|byte| is_word(**byte)).count()
}

/// Where the bracket at `at` is closed; the end of the line if it isn't.
fn nested(bytes: &[u8], at: usize, open: u8, close: u8) -> usize {
    let mut depth = 0_usize;
    for (offset, byte) in bytes[at..].iter().enumerate() {
        if *byte == open {
            depth += 1;
        } else if *byte == close {
            depth -= 1;
            if depth == 0 {
                return at + offset + 1;
            }
        }
    }
    bytes.len()
}

/// Whether a byte can't be part of a reference's word.
pub(super) fn splits(byte: u8) -> bool {
    byte.is_ascii_whitespace()
        || matches!(
            byte,
            b'"' | b'\''
                | b'`'
                | b'('
                | b')'
                | b'['
                | b']'
                | b'{'
                | b'}'
                | b'<'
                | b'>'
                | b','
                | b';'
                | b'='
                | b'|'
                | b'&'
                | b'\\'
        )
}

/// The words of a masked line.
pub(super) fn words(masked: &str) -> impl Iterator<Item = Range<usize>> {
    let bytes = masked.as_bytes();
    let mut at = 0;
    std::iter::from_fn(move || {
        at += bytes[at..].iter().take_while(|byte| splits(**byte)).count();
        let start = at;
        at += bytes[at..]
            .iter()
            .take_while(|byte| !splits(**byte))
            .count();
        (start < at).then_some(start..at)
    })
}

/// The texts in quotes of a masked line, without the quotes.
pub(super) fn quoted(masked: &str) -> Vec<Range<usize>> {
    let bytes = masked.as_bytes();
    let mut found = Vec::new();
    let mut at = 0;
    while at < bytes.len() {
        if !opens_quote(bytes, at) {
            at += 1;
            continue;
        }
        let (sign, start) = (bytes[at], at + 1);
        let mut end = start;
        while end < bytes.len() && bytes[end] != sign {
            end += if bytes[end] == b'\\' && sign == b'"' {
                2
            } else {
                1
            };
        }
        if end >= bytes.len() {
            break;
        }
        found.push(start..end);
        at = end + 1;
    }
    found
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_filled_in_is_masked() {
        for (text, wanted) in [
            ("a: {{ .Values.x }}:1", "a: ~:1"),
            ("a: {{ unclosed", "a: ~"),
            ("FROM ${A:-${B}}:1", "FROM ~:1"),
            ("FROM $A/b:$T", "FROM ~/b:~"),
            ("$(shell a (b))c", "~c"),
            ("${open", "~"),
            ("f\"{reg}a:1\"", "f\"~a:1\""),
            ("{a: b:1}", "{a: b:1}"),
            ("\"\\(reg)a:1\"", "\"~a:1\""),
            ("\"\\nx:1\"", "\"~x:1\""),
            ("\"%{ if x }a\"", "\"~a\""),
            ("<%= a %>b", "~b"),
            ("$ 5", "$ 5"),
            ("ж{{ж}}ж", "ж~ж"),
        ] {
            let masked = mask(text, &[]);
            assert_eq!(masked.len(), text.len(), "{text}");
            let mut shown = masked.replace('\u{1}', "~");
            while shown.contains("~~") {
                shown = shown.replace("~~", "~");
            }
            assert_eq!(shown, wanted, "{text}");
        }
    }

    #[test]
    fn words_and_quotes_have_places() {
        let text = "a=\"b c\", don't: 'd' `e`";
        let of = |ranges: Vec<Range<usize>>| {
            let texts = ranges.into_iter().map(|range| &text[range]);
            texts.collect::<Vec<_>>().join("|")
        };
        assert_eq!(of(words(text).collect()), "a|b|c|don|t:|d|e");
        assert_eq!(of(quoted(text)), "b c|d|e");
        assert_eq!(quoted("\"a\\\"b\" 'open").len(), 1);
        assert_eq!(quoted("\"a\\").len(), 0);
    }
}
