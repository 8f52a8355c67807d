//! Reads a range.
//!
//! ```text
//! range      = group ("||" group)*
//! group      = comparator ((space+ | space* "," space*) comparator)*
//! comparator = operator? space* version | version space+ "-" space+ version
//! version    = "v"? part ("." part ("." part)?)? ("-" identifiers)? ("+" identifiers)?
//! part       = digits | "x" | "X" | "*"
//! ```
//!
//! Invariant: one pass from left to right without backtracking; an error names the byte where it
//! stopped making sense.

use std::sync::Arc;

use super::{Comparator, Given, Group, Operator, Range};
use crate::policy::version::{check_prerelease, is_identifier, is_number};

/// Longest range, in bytes. People write them by hand; what is longer is not meant as one.
const MAX_RANGE: usize = 1024;

/// Why a text is not a range, and where.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{problem}")]
pub struct RangeError {
    /// Where it stops making sense, in bytes from the start of the range.
    pub offset: usize,
    /// What is wrong.
    pub problem: RangeProblem,
}

/// What is wrong with a range.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum RangeProblem {
    /// Nothing is written, or nothing on one side of `||`.
    #[error("a version is missing")]
    Empty,
    /// It has more than 1,024 bytes.
    #[error("a range may have at most {MAX_RANGE} bytes")]
    TooLong,
    /// Something other than a version.
    #[error("`{0}` is not a version")]
    NotAVersion(String),
    /// An operator that does not exist.
    #[error("`{0}` is not an operator")]
    Operator(String),
    /// An operator before a hyphen range.
    #[error("an operator can't stand before a range with a hyphen")]
    OperatorBeforeHyphen,
    /// A number above 2^64-1.
    #[error("`{0}` is above {max}", max = u64::MAX)]
    TooLarge(String),
    /// A pre-release that breaks the rules.
    #[error("`{0}` is not a pre-release: letters, digits and `-` between dots, no leading zeros")]
    Prerelease(String),
    /// Build metadata that breaks the rules.
    #[error("`{0}` is not build metadata: letters, digits and `-` between dots")]
    Build(String),
    /// Something after a version that doesn't belong there.
    #[error("`{0}` can't follow a version")]
    Trailing(String),
}

impl RangeError {
    /// What to do about it.
    pub fn hint(&self) -> &'static str {
        match self.problem {
            RangeProblem::Empty => "write `*` for every version",
            RangeProblem::TooLong => "use `match` or `ignore` to leave tags out",
            RangeProblem::NotAVersion(_) => {
                "a range is `^1.2`, `~1.2.3`, `>=1.2.0 <2.0.0`, `1.x`, `1.2 - 1.4` or `*`, and `||` \
                 between alternatives"
            }
            RangeProblem::Operator(_) => "the operators are = != > < >= <= ~ ^",
            RangeProblem::OperatorBeforeHyphen => "write `1.2 - 1.4` or `>=1.2 <=1.4`",
            RangeProblem::TooLarge(_) => "use a smaller number",
            RangeProblem::Prerelease(_) => "write a pre-release as in `>=1.2.3-rc.1` or `^1-0`",
            RangeProblem::Build(_) => "leave the build metadata out; it doesn't count",
            RangeProblem::Trailing(_) => {
                "put a space or a comma between comparators, and `||` between alternatives"
            }
        }
    }
}

pub(super) fn range(text: &str) -> Result<Range, RangeError> {
    if text.len() > MAX_RANGE {
        return Err(RangeError {
            offset: MAX_RANGE,
            problem: RangeProblem::TooLong,
        });
    }
    let mut groups = Vec::new();
    let mut spelling = Spelling::new(text);
    let mut start = 0;
    for part in text.split("||") {
        let mut cursor = Cursor {
            text: &text[..start + part.len()],
            at: start,
        };
        groups.push(group(&mut cursor, &mut spelling)?);
        start += part.len() + "||".len();
    }
    Ok(Range {
        text: text.into(),
        admitting: spelling.finish(),
        groups,
    })
}

fn group(cursor: &mut Cursor<'_>, spelling: &mut Spelling<'_>) -> Result<Group, RangeError> {
    let mut comparators = Vec::new();
    let mut ends = Vec::new();
    cursor.skip_space();
    loop {
        comparator(cursor, &mut comparators, &mut ends)?;
        let spaced = cursor.skip_space();
        if cursor.rest().is_empty() {
            break;
        }
        if cursor.take(",") {
            cursor.skip_space();
        } else if !spaced {
            return Err(cursor.error(RangeProblem::Trailing(cursor.word())));
        }
    }
    let prereleases = comparators.iter().any(|c| !c.prerelease.is_empty());
    if !prereleases {
        spelling.admit(&comparators, &ends);
    }
    Ok(Group {
        comparators,
        prereleases,
    })
}

/// Reads one comparator, or the two that a hyphen range stands for. `ends` are the offsets after
/// each version's numbers.
fn comparator(
    cursor: &mut Cursor<'_>,
    comparators: &mut Vec<Comparator>,
    ends: &mut Vec<usize>,
) -> Result<(), RangeError> {
    let written = operator(cursor)?;
    cursor.skip_space();
    let (mut first, end) = version(cursor)?;
    ends.push(end);
    let before = cursor.at;
    let hyphen = cursor.skip_space() && cursor.take("-") && cursor.skip_space();
    if !hyphen {
        cursor.at = before;
        first.operator = written.unwrap_or(Operator::Equal);
        comparators.push(first);
        return Ok(());
    }
    if written.is_some() {
        cursor.at = before;
        return Err(cursor.error(RangeProblem::OperatorBeforeHyphen));
    }
    let (mut last, end) = version(cursor)?;
    ends.push(end);
    first.operator = Operator::GreaterEqual;
    last.operator = Operator::LessEqual;
    comparators.extend([first, last]);
    Ok(())
}

fn operator(cursor: &mut Cursor<'_>) -> Result<Option<Operator>, RangeError> {
    let start = cursor.at;
    let operator = match cursor.take_while(|b| b"=!<>~^".contains(&b)) {
        "" => return Ok(None),
        "=" => Operator::Equal,
        "!=" => Operator::NotEqual,
        ">" => Operator::Greater,
        "<" => Operator::Less,
        ">=" | "=>" => Operator::GreaterEqual,
        "<=" | "=<" => Operator::LessEqual,
        "~" | "~>" => Operator::Tilde,
        "^" => Operator::Caret,
        other => {
            return Err(RangeError {
                offset: start,
                problem: RangeProblem::Operator(shorten(other)),
            });
        }
    };
    Ok(Some(operator))
}

/// Reads a version, and the offset after its numbers.
fn version(cursor: &mut Cursor<'_>) -> Result<(Comparator, usize), RangeError> {
    if cursor.rest().is_empty() {
        return Err(cursor.error(RangeProblem::Empty));
    }
    let (numbers, given) = numbers(cursor)?;
    let end = cursor.at;
    let prerelease = suffixes(cursor)?;
    let comparator = Comparator {
        operator: Operator::Equal,
        given,
        numbers,
        prerelease: prerelease.into(),
    };
    Ok((comparator, end))
}

/// Reads one to three parts. What follows a wildcard has no meaning, as in `1.*.3`.
fn numbers(cursor: &mut Cursor<'_>) -> Result<([u64; 3], Given), RangeError> {
    const GIVEN: [Given; 3] = [Given::Major, Given::Minor, Given::Everything];
    let start = cursor.at;
    let mut numbers = [0; 3];
    let mut given = Given::Nothing;
    let mut wildcard = false;
    cursor.take("v");
    for (index, number) in numbers.iter_mut().enumerate() {
        if index > 0 && !cursor.take(".") {
            break;
        }
        let offset = cursor.at;
        let part = cursor.take_while(|b| b.is_ascii_digit() || b"xX*".contains(&b));
        wildcard |= matches!(part, "x" | "X" | "*");
        if part.is_empty() || !wildcard && !is_number(part) {
            return Err(RangeError {
                offset: start,
                problem: RangeProblem::NotAVersion(word_at(cursor.text, start)),
            });
        }
        if !wildcard {
            *number = part.parse().map_err(|_| RangeError {
                offset,
                problem: RangeProblem::TooLarge(shorten(part)),
            })?;
            given = GIVEN[index];
        }
    }
    Ok((numbers, given))
}

/// Reads the pre-release, and the build metadata, which doesn't count.
fn suffixes<'a>(cursor: &mut Cursor<'a>) -> Result<&'a str, RangeError> {
    let is_part = |b: u8| b.is_ascii_alphanumeric() || matches!(b, b'-' | b'.');
    let mut prerelease = "";
    if cursor.rest().starts_with('-') {
        let offset = cursor.at;
        cursor.take("-");
        prerelease = cursor.take_while(is_part);
        check_prerelease(prerelease).map_err(|_| RangeError {
            offset,
            problem: RangeProblem::Prerelease(cursor.since(offset)),
        })?;
    }
    if cursor.rest().starts_with('+') {
        let offset = cursor.at;
        cursor.take("+");
        let build = cursor.take_while(is_part);
        if !build.split('.').all(is_identifier) {
            return Err(RangeError {
                offset,
                problem: RangeProblem::Build(cursor.since(offset)),
            });
        }
    }
    Ok(prerelease)
}

/// A place in the text.
struct Cursor<'a> {
    text: &'a str,
    at: usize,
}

impl<'a> Cursor<'a> {
    fn rest(&self) -> &'a str {
        &self.text[self.at..]
    }

    fn take(&mut self, token: &str) -> bool {
        let found = self.rest().starts_with(token);
        if found {
            self.at += token.len();
        }
        found
    }

    /// Takes the ASCII characters that `accept` accepts.
    fn take_while(&mut self, accept: impl Fn(u8) -> bool) -> &'a str {
        let rest = self.rest();
        let length = rest
            .bytes()
            .take_while(|b| b.is_ascii() && accept(*b))
            .count();
        self.at += length;
        &rest[..length]
    }

    fn skip_space(&mut self) -> bool {
        !self.take_while(|b| b.is_ascii_whitespace()).is_empty()
    }

    fn word(&self) -> String {
        word_at(self.text, self.at)
    }

    fn since(&self, start: usize) -> String {
        shorten(&self.text[start..self.at])
    }

    fn error(&self, problem: RangeProblem) -> RangeError {
        RangeError {
            offset: self.at,
            problem,
        }
    }
}

/// What stands at `start`, up to the next space or comma; that itself if it stands there.
fn word_at(text: &str, start: usize) -> String {
    let rest = &text[start..];
    let first = rest.chars().next().map_or(0, char::len_utf8);
    let end = rest[first..]
        .find(|c: char| c.is_whitespace() || c == ',')
        .map_or(rest.len(), |end| first + end);
    shorten(&rest[..end])
}

/// Keeps a hostile text from filling a message.
fn shorten(text: &str) -> String {
    text.chars().take(40).collect()
}

/// The range spelled with `-0` where that admits pre-releases.
struct Spelling<'a> {
    text: &'a str,
    written: String,
    /// How much of `text` has been written.
    done: usize,
    /// Whether every group so far that admits none can be made to.
    possible: bool,
}

impl<'a> Spelling<'a> {
    fn new(text: &'a str) -> Self {
        Self {
            text,
            written: String::new(),
            done: 0,
            possible: true,
        }
    }

    fn admit(&mut self, comparators: &[Comparator], ends: &[usize]) {
        let mut admits = false;
        for (comparator, end) in comparators.iter().zip(ends) {
            if comparator.can_admit() {
                self.written.push_str(&self.text[self.done..*end]);
                self.written.push_str("-0");
                self.done = *end;
                admits = true;
            }
        }
        self.possible &= admits;
    }

    fn finish(mut self) -> Option<Arc<str>> {
        if !self.possible || self.done == 0 {
            return None;
        }
        self.written.push_str(&self.text[self.done..]);
        Some(self.written.into())
    }
}
