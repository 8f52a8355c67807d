//! The order by number: decimal numbers of any length, compared exactly.
//!
//! A number is digits, or digits, a dot and digits: `20240101120000123`, `1.10`. Leading zeros, and
//! zeros at the end of a fraction, don't count, so `1.10` is `1.1` and lower than `1.9`. A sign, an
//! exponent or a `v` makes no number.
//!
//! Invariant: numbers are compared by their digits and never rounded.
//!
//! A text that is no number is refused by itself; what that means for others is decided elsewhere.

use std::borrow::Cow;
use std::cmp::Ordering;

use super::version::is_number;

/// A number, as its digits.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Number<'t> {
    /// Without leading zeros; empty for zero.
    whole: Cow<'t, str>,
    /// Without zeros at the end.
    fraction: Cow<'t, str>,
}

impl<'t> Number<'t> {
    /// Reads a number; `None` if `text` is none.
    pub(super) fn parse(text: &'t str) -> Option<Self> {
        let digits = |text: &str| !text.is_empty() && is_number(text);
        let (whole, fraction) = match text.split_once('.') {
            Some((whole, fraction)) if digits(fraction) => (whole, fraction),
            Some(_) => return None,
            None => (text, ""),
        };
        digits(whole).then(|| Self {
            whole: whole.trim_start_matches('0').into(),
            fraction: fraction.trim_end_matches('0').into(),
        })
    }

    /// The same number, resting on nothing.
    pub(super) fn into_owned(self) -> Number<'static> {
        Number {
            whole: self.whole.into_owned().into(),
            fraction: self.fraction.into_owned().into(),
        }
    }
}

impl Ord for Number<'_> {
    fn cmp(&self, other: &Self) -> Ordering {
        compare_whole(&self.whole, &other.whole).then_with(|| self.fraction.cmp(&other.fraction))
    }
}

impl PartialOrd for Number<'_> {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

/// Compares whole numbers by their digits: without leading zeros the longer one is the larger one.
pub(super) fn compare_whole(a: &str, b: &str) -> Ordering {
    let (a, b) = (a.trim_start_matches('0'), b.trim_start_matches('0'));
    a.len().cmp(&b.len()).then_with(|| a.cmp(b))
}
