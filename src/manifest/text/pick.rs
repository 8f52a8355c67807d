//! Which value of a line a marker means.
//!
//! Invariant: exactly one value of the line can be meant, or none is picked and the reason is given;
//! nothing is guessed. For a whole reference that is the one word with a tag or digest that reads as
//! a reference, or the image of a `FROM`; for a part it is the value of the line's one assignment, or
//! the only text in quotes.

use std::ops::Range;

use super::dialect::{Bare, Dialect};
use super::words::{is_filled, quoted, splits, words};
use crate::image::Reference;
use crate::manifest::{Part, Style};

/// A value that a marker means.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Spot {
    /// Its bytes in the line, without quotes.
    pub(super) span: Range<usize>,
    pub(super) style: Style,
    /// The key it belongs to, as far as there is one.
    pub(super) key: Range<usize>,
    /// Whether some other tool fills in all of it or a part.
    pub(super) filled: bool,
    /// Whether the file's language wants quotes around it, and it has none.
    pub(super) unquoted: bool,
}

/// A line of a text.
#[derive(Debug, Clone, Copy)]
pub(super) struct Text<'t> {
    pub(super) dialect: Dialect,
    /// Without comments, what is filled in masked.
    pub(super) masked: &'t str,
}

/// Longest word that can be a reference, in bytes: a name of 255, a tag of 128 and a digest of 135
/// with their separators.
const LONGEST: usize = 520;

const SEVERAL: &str = "several values of the line could be meant";
const NONE: &str = "the line has no value that is plainly the one meant";

impl<'t> Text<'t> {
    /// The value of the line that a marker for `part` means. `stages` are the names of earlier build
    /// stages of a Dockerfile, in lower case.
    pub(super) fn pick(self, part: Part, stages: &[String]) -> Result<Spot, String> {
        if self.dialect == Dialect::Docker
            && let Some(from) = self.from(stages)
        {
            return from;
        }
        if part == Part::Whole {
            self.reference()
        } else {
            self.value()
        }
    }

    /// The name that a Dockerfile's `FROM` gives its build stage, in lower case.
    pub(super) fn stage_name(self) -> Option<String> {
        if !self.is_from() {
            return None;
        }
        let mut words = self.masked.split_ascii_whitespace();
        words.find(|word| word.eq_ignore_ascii_case("as"))?;
        words.next().map(str::to_ascii_lowercase)
    }

    fn is_from(self) -> bool {
        let first = self.masked.split_ascii_whitespace().next();
        first.is_some_and(|word| word.eq_ignore_ascii_case("from"))
    }

    /// The image of `FROM [--platform=PLATFORM] IMAGE [AS NAME]` (Dockerfile reference, "FROM").
    fn from(self, stages: &[String]) -> Option<Result<Spot, String>> {
        if !self.is_from() {
            return None;
        }
        let mut words = self
            .masked
            .split_ascii_whitespace()
            .skip(1)
            .skip_while(|word| word.starts_with("--"));
        let image = words.next().unwrap_or_default();
        let rest: Vec<&str> = words.collect();
        let sound = match rest.as_slice() {
            [] => true,
            [r#as, _] => r#as.eq_ignore_ascii_case("as"),
            _ => false,
        };
        let start = (image.as_ptr() as usize).saturating_sub(self.masked.as_ptr() as usize);
        let span = start..start + image.len();
        let filled = is_filled(image);
        Some(if image.is_empty() || !sound {
            Err("the line is not of the form `FROM IMAGE [AS NAME]`".to_owned())
        } else if image == "scratch" || stages.contains(&image.to_ascii_lowercase()) {
            Err(format!("`{image}` is a build stage and not an image"))
        } else if !filled && image.parse::<Reference>().is_err() {
            Err(format!("`{image}` is not an image reference"))
        } else {
            Ok(self.spot(span, 0..0, true))
        })
    }

    /// The one word that is a reference with a tag or digest.
    fn reference(self) -> Result<Spot, String> {
        let mut found = words(self.masked).filter(|word| is_reference(&self.masked[word.clone()]));
        match (found.next(), found.next()) {
            (Some(span), None) => {
                let free = self.dialect.bare() != Bare::Typed;
                let mut spot = self.spot(span, 0..0, free);
                spot.unquoted = false;
                spot.filled = self.is_joined(&spot.span);
                Ok(spot)
            }
            (Some(_), Some(_)) => Err("several references of the line could be meant".to_owned()),
            (None, _) => self.instead_of_reference(),
        }
    }

    /// A value where a reference belongs, for which a better reason than none can be given.
    fn instead_of_reference(self) -> Result<Spot, String> {
        const NO_REFERENCE: &str = "no reference with a tag or digest is on the line";
        let spot = self.value().map_err(|_| NO_REFERENCE.to_owned())?;
        let text = &self.masked[spot.span.clone()];
        if spot.filled || text.is_empty() {
            return Ok(spot);
        }
        let key = self.masked[spot.key.clone()].to_ascii_lowercase();
        let part = ["tag", "digest"].iter().any(|end| key.ends_with(end));
        if part && !text.contains(['/', ':', '@']) {
            return Ok(spot);
        }
        Err(match text.parse::<Reference>() {
            Ok(_) if text.contains('/') => {
                format!("`{text}` has no tag or digest; add one, or `:name` to the marker")
            }
            _ => NO_REFERENCE.to_owned(),
        })
    }

    /// Whether a text in quotes is put together with another one.
    fn is_joined(self, span: &Range<usize>) -> bool {
        let (before, after) = (&self.masked[..span.start], &self.masked[span.end..]);
        let quote = |c: char| matches!(c, '"' | '\'' | '`');
        let joins = |c: char| c == '+';
        before.trim_end_matches(quote).trim_end().ends_with(joins)
            || after
                .trim_start_matches(quote)
                .trim_start()
                .starts_with(joins)
    }

    /// The value of the one assignment, or the only text in quotes, or the only word.
    fn value(self) -> Result<Spot, String> {
        let quotes = quoted(self.masked);
        let all = assignments(self.masked, &quotes);
        match all.as_slice() {
            [] => self.lone(&quotes),
            [one] => self.assigned(one, &quotes),
            _ => {
                // `a: {b: 1}` and `a: b: 1` assign one value.
                let ends = all.iter().skip(1).map(|next| next.start);
                let rests = all.iter().zip(ends.chain([self.masked.len()]));
                let mut scalars = rests.filter_map(|(at, end)| {
                    let rest = self.masked[at.end..end].trim();
                    let key = end < self.masked.len() && !rest.contains(char::is_whitespace);
                    let opens = rest.is_empty() || rest.starts_with(['{', '[', '(']);
                    (!key && !opens).then_some(at)
                });
                match (scalars.next(), scalars.next()) {
                    (Some(one), None) => self.assigned(one, &quotes),
                    _ => Err(SEVERAL.to_owned()),
                }
            }
        }
    }

    fn assigned(self, at: &Assignment, quotes: &[Range<usize>]) -> Result<Spot, String> {
        let rest = &self.masked[at.end..];
        let blanks = rest.len() - rest.trim_start().len();
        let value = rest.trim_start();
        let start = at.end + blanks;
        let apart = self.masked[..at.start].ends_with(|c: char| c.is_ascii_whitespace());
        let tight = !at.colon && blanks == 0 && !apart;
        let key = self.key(at.start);
        if let Some(span) = quotes.iter().find(|span| span.start == start + 1) {
            let after = &self.masked[span.end + 1..];
            let ends = only_closes(after) || tight && after.starts_with(ends_word);
            return if ends {
                Ok(self.spot(span.clone(), key, true))
            } else {
                Err(NONE.to_owned())
            };
        }
        let opens = value.starts_with(['{', '[', '(']);
        if opens {
            return self.in_brackets(start, key, quotes);
        }
        let length = value.bytes().take_while(|byte| !splits(*byte)).count();
        let after = &value[length..];
        let ends = only_closes(after) || tight && after.starts_with(ends_word);
        if !ends {
            return Err(NONE.to_owned());
        }
        let free = |tight| tight && self.dialect.bare() != Bare::Other;
        if length > 0 {
            return Ok(self.spot(start..start + length, key, free(tight)));
        }
        if at.colon || !after.trim().is_empty() {
            return Err("the line has no value".to_owned());
        }
        // A blank after the sign may be what makes a comment one, so it stays behind the value.
        Ok(self.spot(at.end..at.end, key, free(!apart)))
    }

    /// The only text in quotes inside brackets that hold nothing else.
    fn in_brackets(
        self,
        start: usize,
        key: Range<usize>,
        quotes: &[Range<usize>],
    ) -> Result<Spot, String> {
        let mut inside = quotes.iter().filter(|span| span.start > start);
        match (inside.next(), inside.next()) {
            (Some(span), None) => {
                let before = &self.masked[start..span.start - 1];
                let opens = |c: char| c.is_ascii_whitespace() || matches!(c, '{' | '[' | '(');
                if before.chars().all(opens) && only_closes(&self.masked[span.end + 1..]) {
                    Ok(self.spot(span.clone(), key, true))
                } else {
                    Err(NONE.to_owned())
                }
            }
            (Some(_), Some(_)) => Err(SEVERAL.to_owned()),
            (None, _) => Err(NONE.to_owned()),
        }
    }

    /// The value of a line without an assignment.
    fn lone(self, quotes: &[Range<usize>]) -> Result<Spot, String> {
        match quotes {
            [span] => {
                let before = self.masked[..span.start - 1].chars().next_back();
                let sound = before.is_none_or(|c| c.is_ascii_whitespace());
                if sound && only_closes(&self.masked[span.end + 1..]) {
                    Ok(self.spot(span.clone(), 0..0, true))
                } else {
                    Err(NONE.to_owned())
                }
            }
            [] if self.dialect == Dialect::Markup => self.element(),
            [] => {
                let text = self.masked.trim();
                let item = text
                    .strip_prefix(['-', '*'])
                    .filter(|rest| rest.starts_with(' '))
                    .unwrap_or(text)
                    .trim_start();
                if item.is_empty() || is_filled(item) || item.bytes().any(splits) {
                    return Err(NONE.to_owned());
                }
                let end = self.masked.trim_end().len();
                Ok(self.spot(end - item.len()..end, 0..0, false))
            }
            _ => Err(SEVERAL.to_owned()),
        }
    }

    /// The text of the one element that has some.
    fn element(self) -> Result<Spot, String> {
        let mut texts = Vec::new();
        let mut at = 0;
        while let Some(open) = self.masked[at..].find('>') {
            let start = at + open + 1;
            let Some(length) = self.masked[start..].find('<') else {
                break;
            };
            let text = &self.masked[start..start + length];
            if !text.trim().is_empty() {
                let start = start + (text.len() - text.trim_start().len());
                texts.push(start..start + text.trim().len());
            }
            at = start + length;
        }
        match texts.as_slice() {
            [one] => Ok(self.spot(one.clone(), 0..0, true)),
            [] => Err(NONE.to_owned()),
            _ => Err(SEVERAL.to_owned()),
        }
    }

    /// The word before an assignment's sign.
    fn key(self, end: usize) -> Range<usize> {
        let before = self.masked[..end]
            .trim_end_matches(|c: char| c.is_ascii_whitespace() || matches!(c, '"' | '\'' | '`'));
        let length = before
            .bytes()
            .rev()
            .take_while(|byte| !splits(*byte))
            .count();
        before.len() - length..before.len()
    }

    /// The value at `span`; `free` says that a bare one is a text whatever it looks like.
    fn spot(self, span: Range<usize>, key: Range<usize>, free: bool) -> Spot {
        let bytes = self.masked.as_bytes();
        let before = span.start.checked_sub(1).map(|at| bytes[at]);
        let quotes = before.filter(|byte| bytes.get(span.end) == Some(byte));
        let bare = self.dialect.bare();
        let style = match quotes {
            Some(b'"') => Style::Double,
            Some(b'\'' | b'`') => Style::Single,
            _ if free || bare == Bare::Text => Style::Bare,
            _ => Style::Typed,
        };
        let is_bare = matches!(style, Style::Bare | Style::Typed);
        Spot {
            filled: is_filled(&self.masked[span.clone()]),
            unquoted: is_bare && bare == Bare::Other,
            span,
            style,
            key,
        }
    }
}

fn is_reference(word: &str) -> bool {
    word.len() <= LONGEST
        && word.contains([':', '@'])
        && word
            .parse::<Reference>()
            .is_ok_and(|reference| reference.tag().is_some() || reference.digest().is_some())
}

/// Whether nothing but closing brackets and separators is left of a line.
fn only_closes(rest: &str) -> bool {
    rest.chars()
        .all(|c| c.is_ascii_whitespace() || matches!(c, ',' | ';' | ')' | ']' | '}'))
}

/// Whether a value that stands by itself ends before a character.
fn ends_word(c: char) -> bool {
    c.is_ascii_whitespace() || matches!(c, ',' | ';' | ')' | ']' | '}' | '/' | '>')
}

/// The sign of an assignment.
#[derive(Debug)]
struct Assignment {
    start: usize,
    end: usize,
    colon: bool,
}

/// The assignments of a masked line, outside of its quotes.
fn assignments(masked: &str, quotes: &[Range<usize>]) -> Vec<Assignment> {
    let bytes = masked.as_bytes();
    let mut found = Vec::new();
    let mut quotes = quotes.iter().peekable();
    let mut at = 0;
    while at < bytes.len() {
        if let Some(quote) = quotes.next_if(|quote| quote.start - 1 <= at) {
            at = (quote.end + 1).max(at + 1);
            continue;
        }
        let end = at + sign_length(&bytes[at..]);
        if end > at {
            found.extend(assignment(bytes, at, end));
        }
        at = end.max(at + 1);
    }
    found
}

/// How many bytes of an operator's kind follow each other.
fn sign_length(bytes: &[u8]) -> usize {
    let sign = |byte: &&u8| matches!(byte, b'=' | b':' | b'?' | b'+' | b'!' | b'<' | b'>' | b'~');
    bytes.iter().take_while(sign).count()
}

fn assignment(bytes: &[u8], start: usize, end: usize) -> Option<Assignment> {
    let colon = match &bytes[start..end] {
        b"=" | b":=" | b"::=" | b"?=" | b"+=" => false,
        b":" | b"::" | b":::" | b"+:" => true,
        _ => return None,
    };
    let quote = |byte: Option<&u8>| matches!(byte, Some(b'"' | b'\'' | b'`'));
    let after = bytes.get(end);
    let apart = after.is_none_or(u8::is_ascii_whitespace) || quote(after);
    let keyed = quote(start.checked_sub(1).and_then(|at| bytes.get(at)));
    (!colon || apart || keyed).then_some(Assignment { start, end, colon })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn assignments_are_told_from_comparisons_and_arrows() {
        for (text, signs) in [
            ("a = 1", "="),
            ("a=1 b=2", "= ="),
            ("a := 1", ":="),
            ("a ?= 1", "?="),
            ("a::: 'x'", ":::"),
            ("a+: 'x'", "+:"),
            ("\"a\":1", ":"),
            ("a: 1", ":"),
            ("a:", ":"),
            ("a:1", ""),
            ("a == 1", ""),
            ("a => 1", ""),
            ("a >= 1", ""),
            ("a =~ 1", ""),
            ("'a = b'", ""),
            ("http://x", ""),
        ] {
            let found = assignments(text, &quoted(text));
            let shown: Vec<&str> = found.iter().map(|at| &text[at.start..at.end]).collect();
            assert_eq!(shown.join(" "), signs, "{text}");
        }
    }
}
