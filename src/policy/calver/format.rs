//! The format of calendar versions: tokens for numbers, with separators between them.
//!
//! The tokens are those of <https://calver.org>, with the time of day added:
//!
//! | token | number |
//! |---|---|
//! | `YYYY` | year, four digits |
//! | `YY`, `0Y` | year without its century, one to three digits; `0Y` two or three |
//! | `MM`, `0M` | month 1–12; `0M` two digits |
//! | `WW`, `0W` | week 1–53; `0W` two digits |
//! | `DD`, `0D` | day 1–31; `0D` two digits |
//! | `hh`, `mm`, `ss` | hour 0–23, minute and second 0–59, two digits |
//! | `MAJOR`, `MINOR`, `MICRO` | any number of up to 38 digits |
//!
//! `MM`, `WW` and `DD` take one or two digits, with or without a zero in front; next to another token,
//! as in `YYYYMMDD`, they take two, and `YY` too. Between tokens may stand `.`, `-`, `_`, `T`, `Z` and
//! `v`. One part at the end may be optional, in brackets: `YYYYMMDD[.MICRO]`. A leading `v` of a tag
//! is passed over.
//!
//! Invariant: parts stand from large to small, since they are compared from left to right, and it is
//! never in doubt where a number ends.
//!
//! What follows the format in a tag is not looked at here.

use std::fmt;
use std::str::FromStr;
use std::sync::Arc;

/// Longest format, in bytes: every token once takes less.
const MAX_TEXT: usize = 64;

/// Most digits of a number: what a 128-bit number holds for certain.
const MAX_DIGITS: usize = 38;

/// What may stand between tokens.
const SEPARATORS: [char; 6] = ['.', '-', '_', 'T', 'Z', 'v'];

/// A token: its spelling, its place in the calendar from large to small, the digits it takes and the
/// numbers it allows.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Token {
    name: &'static str,
    unit: Unit,
    digits: (usize, usize),
    numbers: (u128, u128),
}

/// What a token counts, from large to small.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Unit {
    Year,
    Month,
    Week,
    Day,
    Hour,
    Minute,
    Second,
    /// A number that the calendar doesn't know.
    Counter,
}

const fn token(
    name: &'static str,
    unit: Unit,
    digits: (usize, usize),
    numbers: (u128, u128),
) -> Token {
    Token {
        name,
        unit,
        digits,
        numbers,
    }
}

/// All tokens; one that begins like another comes before it.
const TOKENS: [Token; 15] = [
    token("YYYY", Unit::Year, (4, 4), (0, 9999)),
    token("YY", Unit::Year, (1, 3), (0, 999)),
    token("0Y", Unit::Year, (2, 3), (0, 999)),
    token("MAJOR", Unit::Counter, (1, MAX_DIGITS), (0, u128::MAX)),
    token("MINOR", Unit::Counter, (1, MAX_DIGITS), (0, u128::MAX)),
    token("MICRO", Unit::Counter, (1, MAX_DIGITS), (0, u128::MAX)),
    token("MM", Unit::Month, (1, 2), (1, 12)),
    token("0M", Unit::Month, (2, 2), (1, 12)),
    token("WW", Unit::Week, (1, 2), (1, 53)),
    token("0W", Unit::Week, (2, 2), (1, 53)),
    token("DD", Unit::Day, (1, 2), (1, 31)),
    token("0D", Unit::Day, (2, 2), (1, 31)),
    token("hh", Unit::Hour, (2, 2), (0, 23)),
    token("mm", Unit::Minute, (2, 2), (0, 59)),
    token("ss", Unit::Second, (2, 2), (0, 59)),
];

/// A format, such as `YYYY.MM.MICRO`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Format {
    text: Arc<str>,
    pieces: Vec<Piece>,
    /// Where the pieces that may be missing begin.
    optional: usize,
    names: Vec<&'static str>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Piece {
    Separator(char),
    Number(Token),
}

/// Why a text is not a format.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum FormatError {
    /// It is longer than 64 bytes.
    #[error("a format may have at most {MAX_TEXT} bytes")]
    TooLong,
    /// Something that is neither a token nor a separator.
    #[error("`{0}` is not known in a format")]
    Unknown(String),
    /// Two tokens for one thing.
    #[error("`{0}` says again what another token says")]
    Twice(&'static str),
    /// A token after a smaller one.
    #[error("`{0}` comes after something smaller, and parts are compared from left to right")]
    OutOfOrder(&'static str),
    /// A number of any length right before another one.
    #[error("nothing says where `{0}` ends; put a separator after it")]
    Open(&'static str),
    /// No token of the calendar.
    #[error("a format needs a year, a month, a week or a day")]
    NoDate,
    /// A bracket that is not a pair around the end.
    #[error("brackets go around one part at the end, such as `YYYYMMDD[.MICRO]`")]
    Bracket,
}

impl FormatError {
    /// What to do about it.
    pub fn hint(&self) -> &'static str {
        match self {
            Self::OutOfOrder(_) => {
                "put the parts in order with `match: {pattern: …, key: …}`, such as `key: \"$y$m$d\"`"
            }
            _ => {
                "tokens are YYYY YY 0Y MM 0M WW 0W DD 0D hh mm ss MAJOR MINOR MICRO, with `.`, `-` or \
                 `_` between them; take anything else out with a `version` group in `match`"
            }
        }
    }
}

impl Format {
    /// The names of the tokens, in the order of the parts.
    pub(super) fn names(&self) -> &[&'static str] {
        &self.names
    }

    /// The format as written.
    pub(in crate::policy) fn text(&self) -> &Arc<str> {
        &self.text
    }

    /// The numbers at the start of `text`, and what follows them; `None` if it has another form.
    pub(super) fn parts_of<'t>(&self, text: &'t str) -> Option<(Vec<u128>, &'t str)> {
        let text = match self.pieces.first() {
            Some(Piece::Separator('v')) => text,
            _ => text.strip_prefix('v').unwrap_or(text),
        };
        let mut parts = Vec::with_capacity(self.names.len());
        let (needed, optional) = self.pieces.split_at(self.optional);
        let mut rest = take_all(needed, text, &mut parts)?;
        let count = parts.len();
        match take_all(optional, rest, &mut parts) {
            Some(after) => rest = after,
            None => parts.truncate(count),
        }
        Some((parts, rest))
    }
}

fn take_all<'t>(pieces: &[Piece], mut text: &'t str, parts: &mut Vec<u128>) -> Option<&'t str> {
    for piece in pieces {
        text = match piece {
            Piece::Separator(separator) => text.strip_prefix(*separator)?,
            Piece::Number(token) => {
                let (number, rest) = token.take(text)?;
                parts.push(number);
                rest
            }
        };
    }
    Some(text)
}

impl Token {
    fn take(self, text: &str) -> Option<(u128, &str)> {
        let (least, most) = self.digits;
        let digits = text.bytes().take_while(u8::is_ascii_digit).count();
        // A number of a fixed width may be followed by another one; others end where digits end.
        let length = if least == most { most } else { digits };
        if digits < length || !(least..=most).contains(&length) {
            return None;
        }
        let (number, rest) = text.split_at(length);
        let number = number.parse().ok()?;
        let (least, most) = self.numbers;
        (least..=most).contains(&number).then_some((number, rest))
    }

    /// The same token next to another one: a number of the calendar has two digits then.
    fn fixed(self) -> Self {
        match self.unit {
            Unit::Counter => self,
            _ if self.digits.0 == 4 => self,
            _ => Self {
                digits: (2, 2),
                ..self
            },
        }
    }
}

impl FromStr for Format {
    type Err = FormatError;

    fn from_str(text: &str) -> Result<Self, FormatError> {
        if text.len() > MAX_TEXT {
            return Err(FormatError::TooLong);
        }
        let (needed, optional) = match text.split_once('[') {
            None if text.contains(']') => return Err(FormatError::Bracket),
            None => (text, ""),
            Some((needed, rest)) => match rest.strip_suffix(']') {
                Some(optional) if !optional.is_empty() && !optional.contains(['[', ']']) => {
                    (needed, optional)
                }
                _ => return Err(FormatError::Bracket),
            },
        };
        let mut pieces = pieces(needed)?;
        let split = pieces.len();
        pieces.extend(self::pieces(optional)?);
        widths(&mut pieces)?;
        Ok(Self {
            names: order(&pieces, split)?,
            text: text.into(),
            pieces,
            optional: split,
        })
    }
}

fn pieces(text: &str) -> Result<Vec<Piece>, FormatError> {
    let mut pieces = Vec::new();
    let mut rest = text;
    while let Some(first) = rest.chars().next() {
        if let Some(token) = TOKENS.iter().find(|token| rest.starts_with(token.name)) {
            pieces.push(Piece::Number(*token));
            rest = &rest[token.name.len()..];
        } else if SEPARATORS.contains(&first) {
            pieces.push(Piece::Separator(first));
            rest = &rest[first.len_utf8()..];
        } else {
            let end = rest.find(SEPARATORS).unwrap_or(rest.len());
            return Err(FormatError::Unknown(rest[..end].to_owned()));
        }
    }
    Ok(pieces)
}

/// Fixes the widths of tokens that stand next to each other.
fn widths(pieces: &mut [Piece]) -> Result<(), FormatError> {
    let is_number = |piece: Option<&Piece>| matches!(piece, Some(Piece::Number(_)));
    for index in 0..pieces.len() {
        let before = index.checked_sub(1).and_then(|before| pieces.get(before));
        let (before, after) = (is_number(before), is_number(pieces.get(index + 1)));
        let Piece::Number(token) = &mut pieces[index] else {
            continue;
        };
        if after && token.unit == Unit::Counter {
            return Err(FormatError::Open(token.name));
        }
        if before || after {
            *token = token.fixed();
        }
    }
    Ok(())
}

/// The names of the tokens, once it is known that they are in order.
fn order(pieces: &[Piece], needed: usize) -> Result<Vec<&'static str>, FormatError> {
    let mut names: Vec<&'static str> = Vec::new();
    let mut last: Option<Unit> = None;
    let mut dated = false;
    for (index, piece) in pieces.iter().enumerate() {
        let Piece::Number(token) = piece else {
            continue;
        };
        let (name, unit) = (token.name, token.unit);
        if names.contains(&name) || (unit != Unit::Counter && last == Some(unit)) {
            return Err(FormatError::Twice(name));
        }
        if unit != Unit::Counter {
            if last.is_some_and(|last| last > unit) {
                return Err(FormatError::OutOfOrder(name));
            }
            last = Some(unit);
            dated |= index < needed && unit <= Unit::Day;
        }
        names.push(name);
    }
    if dated {
        Ok(names)
    } else {
        Err(FormatError::NoDate)
    }
}

impl fmt::Display for Format {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text)
    }
}
