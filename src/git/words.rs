//! Words of others (hooks, servers, `ssh`) made safe to log, show and put in one line.
//!
//! Invariant: the result has no control, escape or text-direction characters, no line breaks, and
//! at most [`MAX_WORDS`] characters and a mark where some were left out.

use crate::diag::is_hidden;

/// Enough for the sentence that explains a refusal; hooks can print pages.
const MAX_WORDS: usize = 600;

/// `text` as one clean line; lines are joined with `; `.
pub(super) fn clean(text: &[u8]) -> String {
    let text = String::from_utf8_lossy(text);
    let mut lines = Vec::new();
    for line in text.split(['\n', '\r']) {
        let line = printable(line);
        // Forges frame their messages with empty and ruled lines.
        if line.chars().any(char::is_alphanumeric) && lines.last() != Some(&line) {
            lines.push(line);
        }
    }
    cut(&lines.join("; "))
}

fn printable(line: &str) -> String {
    let mut out = String::new();
    let mut chars = line.chars().peekable();
    while let Some(c) = chars.next() {
        if c == '\u{1b}' {
            skip_escape(&mut chars);
        } else if c.is_whitespace() || c.is_control() {
            if !out.ends_with(' ') {
                out.push(' ');
            }
        } else if !is_hidden(c) {
            out.push(c);
        }
    }
    out.trim().to_owned()
}

/// Skips the rest of a terminal sequence (ECMA-48 5.4): `[`, parameters, one final byte `@` to `~`.
fn skip_escape(chars: &mut std::iter::Peekable<std::str::Chars<'_>>) {
    if chars.next_if_eq(&'[').is_some() {
        for c in chars.by_ref() {
            if ('@'..='~').contains(&c) {
                break;
            }
        }
    }
}

/// Leaves out the middle: some say first what is wrong, others last.
fn cut(text: &str) -> String {
    let count = text.chars().count();
    if count <= MAX_WORDS {
        return text.to_owned();
    }
    let head = text.chars().take(MAX_WORDS / 2);
    let tail = text.chars().skip(count - MAX_WORDS / 2);
    head.chain(['…']).chain(tail).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_become_one_clean_line() {
        let table: &[(&[u8], &str)] = &[
            (b"plain", "plain"),
            (b"", ""),
            (b"\n----\n\n", ""),
            (b"one\ntwo\r\nthree\n", "one; two; three"),
            (b"10%\r50%\r50%\r", "10%; 50%"),
            (b"\x1b[1;31mno\x1b[0m more\x07", "no more"),
            (b"\x1b]0;title\x07x", "]0;title x"),
            (b"a\0b\tc", "a b c"),
            (b"caf\xc3\xa9 \xff", "café \u{fffd}"),
            ("ab\u{202e}cd\u{200b}".as_bytes(), "abcd"),
        ];
        for (from, to) in table {
            assert_eq!(clean(from), *to, "{from:?}");
        }
    }

    #[test]
    fn long_words_lose_their_middle() {
        let text = clean(format!("first {} last", "é".repeat(MAX_WORDS)).as_bytes());
        assert_eq!(text.chars().count(), MAX_WORDS + 1);
        assert!(
            text.starts_with("first é") && text.ends_with("é last"),
            "{text}"
        );
    }
}
