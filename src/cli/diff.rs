//! Unified diffs of files, as `git diff` prints them.

use std::fmt::Write as _;

use similar::TextDiff;

use crate::cli::output::paint;
use crate::diag::visible;

/// Lines of context around a change, as `git diff` shows by default.
const CONTEXT: usize = 3;

/// The unified diff between two versions of the file at `path`, starting at column 0; empty when
/// they are equal.
pub fn unified(path: &str, before: &[u8], after: &[u8], color: bool) -> String {
    if before == after {
        return String::new();
    }
    let path = visible(path);
    let before = String::from_utf8_lossy(before);
    let after = String::from_utf8_lossy(after);
    let diff = TextDiff::from_lines(before.as_ref(), after.as_ref());
    let plain = diff
        .unified_diff()
        .context_radius(CONTEXT)
        .header(&format!("a/{path}"), &format!("b/{path}"))
        .to_string();
    let mut text = String::with_capacity(plain.len());
    for line in plain.split_terminator('\n') {
        let style = match line.as_bytes() {
            [b'+', b'+', b'+', ..] | [b'-', b'-', b'-', ..] => "1",
            [b'+', ..] => "32",
            [b'-', ..] => "31",
            [b'@', ..] => "36",
            _ => "",
        };
        let line = paint(color && !style.is_empty(), style, line);
        let _ = writeln!(text, "{line}");
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_diff_starts_at_column_0_and_shows_one_line() {
        let text = unified(
            "a.yaml",
            b"x: 1\nimage: a:1\n",
            b"x: 1\nimage: a:2\n",
            false,
        );
        assert_eq!(
            text,
            "--- a/a.yaml\n+++ b/a.yaml\n@@ -1,2 +1,2 @@\n x: 1\n-image: a:1\n+image: a:2\n"
        );
        assert_eq!(unified("a.yaml", b"x", b"x", false), "");
    }

    #[test]
    fn carriage_returns_stay() {
        let text = unified("a", b"image: a:1\r\n", b"image: a:2\r\n", false);
        assert!(text.ends_with("-image: a:1\r\n+image: a:2\r\n"), "{text:?}");
    }

    #[test]
    fn a_missing_final_line_break_is_said() {
        let text = unified("a", b"image: a:1", b"image: a:2", false);
        assert!(text.contains("\\ No newline at end of file"), "{text}");
    }
}
