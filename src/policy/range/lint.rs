//! Warnings about ranges that are valid and probably mean something else than they say.
//!
//! Invariant: a lint says what the range does and how to write what was probably meant.
//!
//! A lint changes nothing about what a range takes.

use std::fmt;

use super::{Comparator, Given, Group, Operator, Range};

/// A surprise in a range.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum RangeLint {
    /// The group admits pre-releases, and so also those of its upper bound.
    #[error("`<{0}` admits pre-releases of {0} here; write `<{0}-0` to leave them out")]
    UpperBound(String),
    /// `~0.0.0` is no bound at all.
    #[error("`~0.0.0` takes every version; write `0.0.x` or `*`")]
    TildeOfZero,
    /// An operator makes 0.0.0 of a wildcard.
    #[error("`{0}*` compares with 0.0.0; write `*` for every version")]
    OperatorOnWildcard(&'static str),
    /// A hyphen without spaces makes a pre-release.
    #[error("`{0}-{1}` is {0} with the pre-release `{1}`; write `{0} - {1}` for a range")]
    HyphenWithoutSpaces(String, String),
    /// Excluding one pre-release lets all others in.
    #[error(
        "`!={0}` makes the range admit all other pre-releases; name it in `ignore` to exclude it \
         alone"
    )]
    ExcludedPrerelease(String),
}

impl Range {
    /// What may surprise in this range, in the order in which it is written.
    pub fn lints(&self) -> Vec<RangeLint> {
        self.groups.iter().flat_map(Group::lints).collect()
    }
}

impl Group {
    fn lints(&self) -> Vec<RangeLint> {
        let lints = self.comparators.iter();
        lints.filter_map(|one| one.lint(self)).collect()
    }

    /// Whether the group admits pre-releases because of a comparator other than an exclusion.
    fn wants_prereleases(&self) -> bool {
        let mut wanting = self.comparators.iter();
        wanting.any(|one| one.operator != Operator::NotEqual && !one.prerelease.is_empty())
    }
}

impl Comparator {
    fn lint(&self, group: &Group) -> Option<RangeLint> {
        let written = Written(self).to_string();
        let release = self.prerelease.is_empty();
        match self.operator {
            Operator::Less if group.prereleases && release && self.given != Given::Nothing => {
                Some(RangeLint::UpperBound(written))
            }
            Operator::Tilde if self.given == Given::Everything && self.numbers == [0; 3] => {
                Some(RangeLint::TildeOfZero)
            }
            Operator::NotEqual if !release && !group.wants_prereleases() => {
                Some(RangeLint::ExcludedPrerelease(written))
            }
            _ if self.given == Given::Nothing => {
                self.on_wildcard().map(RangeLint::OperatorOnWildcard)
            }
            _ if self.given != Given::Everything && self.is_like_a_bound() => {
                let low = Written(&Self {
                    prerelease: "".into(),
                    ..self.clone()
                });
                Some(RangeLint::HyphenWithoutSpaces(
                    low.to_string(),
                    self.prerelease.to_string(),
                ))
            }
            _ => None,
        }
    }

    /// The operator, if a wildcard after it does not mean every version.
    fn on_wildcard(&self) -> Option<&'static str> {
        match self.operator {
            Operator::NotEqual => Some("!="),
            Operator::Greater => Some(">"),
            Operator::Less => Some("<"),
            Operator::LessEqual => Some("<="),
            Operator::Caret => Some("^"),
            Operator::Equal | Operator::GreaterEqual | Operator::Tilde => None,
        }
    }

    /// Whether the pre-release looks like a version: numbers, and not the `0` that admits
    /// pre-releases.
    fn is_like_a_bound(&self) -> bool {
        let digits_and_dots = |b: u8| b.is_ascii_digit() || b == b'.';
        !matches!(&*self.prerelease, "" | "0") && self.prerelease.bytes().all(digits_and_dots)
    }
}

/// A comparator's version, without wildcards.
struct Written<'a>(&'a Comparator);

impl fmt::Display for Written<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Comparator {
            numbers: [major, minor, patch],
            prerelease,
            ..
        } = self.0;
        match self.0.given {
            Given::Nothing => f.write_str("*")?,
            Given::Major => write!(f, "{major}")?,
            Given::Minor => write!(f, "{major}.{minor}")?,
            Given::Everything => write!(f, "{major}.{minor}.{patch}")?,
        }
        match prerelease.is_empty() {
            true => Ok(()),
            false => write!(f, "-{prerelease}"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn surprises_are_told() {
        for (text, lint) in [
            (
                ">=1.0.0-0 <2.0.0",
                "`<2.0.0` admits pre-releases of 2.0.0 here; write `<2.0.0-0` to leave them out",
            ),
            (
                "<2 >=1-0",
                "`<2` admits pre-releases of 2 here; write `<2-0` to leave them out",
            ),
            (
                "~0.0.0",
                "`~0.0.0` takes every version; write `0.0.x` or `*`",
            ),
            (
                "^*",
                "`^*` compares with 0.0.0; write `*` for every version",
            ),
            (
                "^1 || <=x",
                "`<=*` compares with 0.0.0; write `*` for every version",
            ),
            (
                "1.2-2.0",
                "`1.2-2.0` is 1.2 with the pre-release `2.0`; write `1.2 - 2.0` for a range",
            ),
            (
                "^1 !=1.2.3-rc.1",
                "`!=1.2.3-rc.1` makes the range admit all other pre-releases; name it in `ignore` \
                 to exclude it alone",
            ),
        ] {
            let lints = text.parse::<Range>().unwrap().lints();
            let lints: Vec<_> = lints.iter().map(ToString::to_string).collect();
            assert_eq!(lints, [lint], "{text}");
        }
    }

    #[test]
    fn plain_ranges_have_no_lints() {
        for text in [
            "*",
            "^1",
            ">=1 <2",
            "~0.0.1",
            "1.2 - 2.0",
            "^1-0",
            "1.x-0",
            "*-0",
            "~*",
            ">=*",
            ">=1.0.0-0 <2.0.0-0",
            "^1-0 !=1.2.3-rc.1",
            "!=1.2.3",
            "1.2.3-1",
            "<1.0.0 || ^2-0",
        ] {
            assert_eq!(text.parse::<Range>().unwrap().lints(), [], "{text}");
        }
    }
}
