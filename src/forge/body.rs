//! What is common to the texts of pull requests: a note that readers don't see, a cut to what a forge
//! takes, and whether two texts are the same to a forge.
//!
//! Invariant: a note is read back as it was hidden, whichever form hides it, and a cut never touches
//! it. No text makes this panic; all is linear in its length.
//!
//! It refuses to understand Markdown: a note is a whole line, and the last one counts.

use std::borrow::Cow;
use std::fmt::Write as _;

use super::Wanted;
use crate::diag;

/// How a note is hidden from readers.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Hiding {
    /// As an HTML comment, where HTML is let through.
    Comment,
    /// As the definition of a link that nothing refers to, where HTML is shown as text (CommonMark
    /// section 4.7; Python-Markdown has the same). It needs a blank line before it.
    Definition,
}

impl Hiding {
    fn around(self) -> (&'static str, &'static str) {
        match self {
            Self::Comment => ("<!-- tagwright: ", " -->"),
            Self::Definition => ("[tagwright]: # (", ")"),
        }
    }

    /// A line that hides `note`.
    pub fn hide(self, note: &str) -> String {
        let (before, after) = self.around();
        let mut line = String::from(before);
        for byte in note.bytes() {
            if is_plain(byte) {
                line.push(char::from(byte));
            } else {
                // Writing to a string can't fail.
                let _ = write!(line, "%{byte:02X}");
            }
        }
        line + after
    }
}

/// What can stand in either form as it is.
fn is_plain(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || b" =:/.,;_@+-".contains(&byte)
}

/// The note that a text hides, in either form; the last one, if there are several.
pub fn hidden(text: &str) -> Option<String> {
    text.lines().rev().find_map(|line| {
        let forms = [Hiding::Comment, Hiding::Definition];
        let note = forms.into_iter().find_map(|form| {
            let (before, after) = form.around();
            line.trim().strip_prefix(before)?.strip_suffix(after)
        });
        decoded(note?)
    })
}

/// A text without its escapes of a percent sign and two hex digits; `None` if it isn't UTF-8 then.
pub(super) fn decoded(note: &str) -> Option<String> {
    let mut parts = note.split('%');
    let mut bytes = parts.next().unwrap_or_default().as_bytes().to_vec();
    for part in parts {
        let code = part.get(..2)?;
        bytes.push(u8::from_str_radix(code, 16).ok()?);
        bytes.extend_from_slice(&part.as_bytes()[2..]);
    }
    String::from_utf8(bytes).ok()
}

/// `text`, if need be without what comes before its last note or HTML comment, so that it has at most
/// `longest` UTF-16 units, as .NET and Java count.
pub(super) fn cut(text: &str, longest: usize) -> Cow<'_, str> {
    const MARK: &str = "\n\n… (cut)\n\n";
    if units(text) <= longest {
        return Cow::Borrowed(text);
    }
    let (text, end) = text.split_at(end_of_words(text));
    let Some(room) = longest.checked_sub(units(MARK) + units(end)) else {
        return Cow::Borrowed(first(text, longest));
    };
    let kept = first(text, room);
    // Half a line is half a table row or half a link.
    let kept = kept.rfind('\n').map_or(kept, |at| &kept[..at]);
    Cow::Owned([kept.trim_end(), MARK, end].concat())
}

/// `text` on one line, cut with a mark where it has more than `longest` characters.
pub(super) fn short(text: &str, longest: usize) -> String {
    diag::quoted(text, longest.saturating_sub(1))
}

/// `wanted` with a title and a text that a forge takes: as long as this, in characters and UTF-16 units.
pub(super) fn fitting(wanted: &Wanted, title: usize, text: usize) -> Wanted {
    Wanted {
        title: short(&wanted.title, title),
        body: cut(&wanted.body, text).into_owned(),
        ..wanted.clone()
    }
}

/// Where what readers see ends: before a hidden note or another HTML comment that ends the text.
fn end_of_words(text: &str) -> usize {
    let trimmed = text.trim_end();
    let last = trimmed.rfind('\n').map_or(0, |at| at + 1);
    match trimmed.rfind("<!--") {
        Some(at) if trimmed.ends_with("-->") => at,
        _ if trimmed[last..].starts_with(Hiding::Definition.around().0) => last,
        _ => text.len(),
    }
}

fn units(text: &str) -> usize {
    text.encode_utf16().count()
}

/// The first characters of a text, of at most `longest` UTF-16 units together.
fn first(text: &str, longest: usize) -> &str {
    let mut length = 0;
    let end = text.char_indices().find(|(_, c)| {
        length += c.len_utf16();
        length > longest
    });
    end.map_or(text, |(at, _)| &text[..at])
}

/// Whether two texts are the same to a forge, which may change line breaks and drop blanks at the ends.
pub(super) fn is_same(one: &str, other: &str) -> bool {
    let lines = |text: &str| -> Vec<String> {
        let lines = text.trim().lines();
        lines.map(|line| line.trim_end().to_owned()).collect()
    };
    lines(one) == lines(other)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    const FORMS: [Hiding; 2] = [Hiding::Comment, Hiding::Definition];

    #[test]
    fn a_note_is_one_harmless_line() {
        assert_eq!(
            Hiding::Comment.hide("v1 shop/production -->\n"),
            "<!-- tagwright: v1 shop/production --%3E%0A -->"
        );
        assert_eq!(
            Hiding::Definition.hide("v1 a (b)"),
            "[tagwright]: # (v1 a %28b%29)"
        );
    }

    #[test]
    fn the_last_whole_note_counts() {
        let body = "<!-- tagwright: a -->\r\nwords\r\n\r\n[tagwright]: # (b%20c)\r\n<!-- other -->";
        assert_eq!(hidden(body).as_deref(), Some("b c"));
        for none in [
            "",
            "<!-- tagwright: a",
            "x <!-- tagwright: a -->",
            "<!-- tagwright: %f -->",
            "<!-- tagwright: %é -->",
            "<!-- tagwright: %FF -->",
        ] {
            assert_eq!(hidden(none), None, "{none}");
        }
    }

    #[test]
    fn a_cut_keeps_the_end_and_whole_lines() {
        for end in [
            "<!-- tagwright: k=1 -->",
            "[tagwright]: # (k=1)",
            "<!-- two\nlines -->\n",
        ] {
            let text = format!("{}\n\n{end}", "a line of text\n".repeat(400));
            let cut = cut(&text, 4000);
            assert!(units(&cut) <= 4000 && units(&cut) > 3900, "{}", units(&cut));
            assert!(
                cut.ends_with(&format!("a line of text\n\n… (cut)\n\n{end}")),
                "{cut}"
            );
        }
        assert_eq!(cut("short", 4000), "short");
        assert_eq!(cut("🚀🚀🚀", 5), "🚀🚀");
        assert_eq!(cut("<!-- a long note -->", 10), "");
    }

    #[test]
    fn line_breaks_and_outer_blanks_make_no_difference() {
        assert!(is_same("a\r\nb  \r\n", "\na\nb"));
        assert!(!is_same("a\n\nb", "a\nb"));
        assert!(!is_same("a", "A"));
    }

    proptest! {
        #[test]
        fn every_note_comes_back(note in any::<String>(), before in any::<String>()) {
            for form in FORMS {
                let body = format!("{before}\n\n{}\n", form.hide(&note));
                prop_assert_eq!(hidden(&body), Some(note.clone()));
            }
        }

        #[test]
        fn a_cut_is_short_enough_and_keeps_the_note(
            words in "[\\PC\n]{0,200}", note in "[a-z]{0,9}", longest in 0usize..200
        ) {
            for form in FORMS {
                let body = format!("{words}\n\n{}", form.hide(&note));
                let cut = cut(&body, longest);
                prop_assert!(units(&cut) <= longest);
                if longest >= 60 {
                    prop_assert_eq!(hidden(&cut), Some(note.clone()));
                }
            }
        }
    }
}
