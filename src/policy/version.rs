//! Versions as they are found in tags, and their precedence.
//!
//! A version is `[v]N[.N[.N]][-PRERELEASE][+BUILD]`, where leading zeros in the numbers are allowed
//! and a part that is missing is zero. Precedence is that of Semantic Versioning 2.0.0, section 11.
//!
//! Invariant: precedence is a total order over what parses, exact for numbers of any length; build
//! metadata has no part in it.
//!
//! Ranges are not known here.

use std::borrow::Cow;
use std::cmp::Ordering;

use super::Parts;
use super::numerical::compare_whole;

/// Why a text is not a version; completes the sentence "the tag …".
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum VersionError {
    /// It does not have the form of one.
    #[error("is not a version such as `1.2.3`; a `version` group in `match` can take one out")]
    Form,
    /// It has fewer than three parts.
    #[error("has fewer than three version parts; `loose: true` takes it")]
    TooFewParts,
    /// It has a number above 2^64-1.
    #[error("has a number above {}", u64::MAX)]
    TooLarge,
    /// A number in its pre-release has a leading zero, which the specification forbids (section 9).
    #[error("has a leading zero in a number of its pre-release")]
    LeadingZero,
}

/// A version, mostly borrowing its pre-release from the tag. Two are equal when neither has
/// precedence.
#[derive(Debug, Clone)]
pub(super) struct Version<'a> {
    /// Major, minor and patch.
    pub(super) numbers: [u64; 3],
    /// Dot-separated identifiers; empty for a release.
    pub(super) prerelease: Cow<'a, str>,
    /// How many numbers were written.
    pub(super) parts: u8,
}

impl<'a> Version<'a> {
    /// Reads a version of one to three parts.
    pub(super) fn parse(text: &'a str) -> Result<Self, VersionError> {
        let mut rest = text.strip_prefix('v').unwrap_or(text);
        let mut numbers = [0; 3];
        let mut parts = 0;
        for number in &mut numbers {
            let (value, tail) = take_number(rest)?;
            *number = value;
            rest = tail;
            parts += 1;
            match rest.strip_prefix('.') {
                Some(tail) if parts < 3 => rest = tail,
                _ => break,
            }
        }
        let (rest, build) = match rest.split_once('+') {
            Some((rest, build)) => (rest, Some(build)),
            None => (rest, None),
        };
        if build.is_some_and(|build| !build.split('.').all(is_identifier)) {
            return Err(VersionError::Form);
        }
        let prerelease = match rest.strip_prefix('-') {
            Some(prerelease) => {
                check_prerelease(prerelease)?;
                prerelease
            }
            None if rest.is_empty() => "",
            None => return Err(VersionError::Form),
        };
        Ok(Self {
            numbers,
            prerelease: prerelease.into(),
            parts,
        })
    }

    /// The same version, resting on nothing.
    pub(super) fn into_owned(self) -> Version<'static> {
        Version {
            numbers: self.numbers,
            prerelease: self.prerelease.into_owned().into(),
            parts: self.parts,
        }
    }

    /// Reads a version of as many parts as `parts` asks for.
    ///
    /// Three parts means three pieces between dots, which is how Flux counts (measured): the pieces
    /// of `1.2-rc.1` are three, and it is read as 1.2.0-rc.1.
    pub(super) fn of_tag(text: &'a str, parts: Parts) -> Result<Self, VersionError> {
        let version = Self::parse(text)?;
        if parts == Parts::Three && text.split('.').nth(2).is_none() {
            return Err(VersionError::TooFewParts);
        }
        Ok(version)
    }

    /// Whether it is a pre-release.
    pub(super) fn is_prerelease(&self) -> bool {
        !self.prerelease.is_empty()
    }

    /// Precedence; equal for versions that differ only in spelling.
    pub(super) fn precedence(&self, other: &Version<'_>) -> Ordering {
        self.numbers
            .cmp(&other.numbers)
            .then_with(|| compare_prereleases(&self.prerelease, &other.prerelease))
    }
}

impl Ord for Version<'_> {
    fn cmp(&self, other: &Self) -> Ordering {
        self.precedence(other)
    }
}

impl PartialOrd for Version<'_> {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl PartialEq for Version<'_> {
    fn eq(&self, other: &Self) -> bool {
        self.precedence(other).is_eq()
    }
}

impl Eq for Version<'_> {}

fn take_number(text: &str) -> Result<(u64, &str), VersionError> {
    let digits = text.bytes().take_while(u8::is_ascii_digit).count();
    if digits == 0 {
        return Err(VersionError::Form);
    }
    let (number, rest) = text.split_at(digits);
    // Only digits, so what fails is the size.
    let value = number.parse().map_err(|_| VersionError::TooLarge)?;
    Ok((value, rest))
}

/// Whether `text` is a dot-separated piece of a pre-release or of build metadata.
pub(super) fn is_identifier(text: &str) -> bool {
    !text.is_empty() && text.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'-')
}

/// Checks a pre-release without its `-`.
pub(super) fn check_prerelease(text: &str) -> Result<(), VersionError> {
    for identifier in text.split('.') {
        if !is_identifier(identifier) {
            return Err(VersionError::Form);
        }
        if identifier.len() > 1 && identifier.starts_with('0') && is_number(identifier) {
            return Err(VersionError::LeadingZero);
        }
    }
    Ok(())
}

/// Whether `text` has only digits.
pub(super) fn is_number(text: &str) -> bool {
    text.bytes().all(|b| b.is_ascii_digit())
}

fn compare_prereleases(left: &str, right: &str) -> Ordering {
    match (left.is_empty(), right.is_empty()) {
        (true, true) => return Ordering::Equal,
        (true, false) => return Ordering::Greater,
        (false, true) => return Ordering::Less,
        (false, false) => {}
    }
    let (mut left, mut right) = (left.split('.'), right.split('.'));
    loop {
        match (left.next(), right.next()) {
            (None, None) => return Ordering::Equal,
            (None, Some(_)) => return Ordering::Less,
            (Some(_), None) => return Ordering::Greater,
            (Some(left), Some(right)) => match compare_identifiers(left, right) {
                Ordering::Equal => {}
                other => return other,
            },
        }
    }
}

fn compare_identifiers(left: &str, right: &str) -> Ordering {
    match (is_number(left), is_number(right)) {
        (true, true) => compare_whole(left, right),
        (true, false) => Ordering::Less,
        (false, true) => Ordering::Greater,
        (false, false) => left.cmp(right),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tags_parse_as_users_of_flux_expect() {
        for text in [
            "1.2.3",
            "v1.2.3",
            "01.02.03",
            "2024.01.05",
            "1.2.3-alpine3.18",
            "1.2.3-0123a",
            "1.2.3-0",
            "1.2.3+b",
            "1.2.3-rc.1+b.01",
            "0.0.0",
            "18446744073709551615.0.0",
            "1.2.3--",
            "1.2.3-a-b",
            "1.2-rc.1",
            "1.2.3-99999999999999999999",
        ] {
            assert!(Version::of_tag(text, Parts::Three).is_ok(), "{text}");
        }
    }

    #[test]
    fn what_is_no_version_says_why() {
        use VersionError::{Form, LeadingZero, TooFewParts, TooLarge};
        for (text, error) in [
            ("", Form),
            ("v", Form),
            ("latest", Form),
            ("V1.2.3", Form),
            ("vv1.2.3", Form),
            ("1.2.3.4", Form),
            ("1.2.3_4", Form),
            ("1.2.3-", Form),
            ("1.2.3-a..b", Form),
            ("1.2.x", Form),
            ("1.2.", Form),
            ("1..3", Form),
            (".1.2.3", Form),
            ("1.2.3+", Form),
            ("1.2.3+a+b", Form),
            ("1.2.3 ", Form),
            ("a1b2c3d", Form),
            ("1.2.3-ä", Form),
            ("1.2.3-01", LeadingZero),
            ("1.2.3-rc.01", LeadingZero),
            ("1.2.3-00", LeadingZero),
            ("1", TooFewParts),
            ("v1", TooFewParts),
            ("1.2", TooFewParts),
            ("20240102", TooFewParts),
            ("1-rc", TooFewParts),
            ("18446744073709551616.0.0", TooLarge),
            ("1.99999999999999999999.0", TooLarge),
        ] {
            assert_eq!(
                Version::of_tag(text, Parts::Three).unwrap_err(),
                error,
                "{text}"
            );
        }
    }

    #[test]
    fn loose_versions_know_their_parts() {
        for (text, numbers, parts) in [
            ("1", [1, 0, 0], 1),
            ("v01.2", [1, 2, 0], 2),
            ("1.2.3", [1, 2, 3], 3),
            ("1-rc1", [1, 0, 0], 1),
            ("20240102", [20_240_102, 0, 0], 1),
        ] {
            let version = Version::of_tag(text, Parts::Loose).unwrap();
            assert_eq!((version.numbers, version.parts), (numbers, parts), "{text}");
        }
    }

    #[test]
    fn precedence_ascends() {
        let ascending = [
            "0.0.0-0",
            "0.0.0",
            "0.0.1",
            "0.9.9",
            "1.0.0-0",
            "1.0.0-1",
            "1.0.0-9",
            "1.0.0-10",
            "1.0.0-18446744073709551616",
            "1.0.0-99999999999999999999",
            "1.0.0-100000000000000000000",
            "1.0.0-A",
            "1.0.0-alpha",
            "1.0.0-alpha.1",
            "1.0.0-alpha.beta",
            "1.0.0-beta",
            "1.0.0-beta.2",
            "1.0.0-beta.11",
            "1.0.0-rc.9",
            "1.0.0-rc.10",
            "1.0.0-rc10",
            "1.0.0-rc9",
            "1.0.0",
            "1.0.10",
            "1.2.0",
            "1.10.0",
            "2.0.0",
            "18446744073709551615.0.0",
        ];
        for (i, left) in ascending.iter().enumerate() {
            for (j, right) in ascending.iter().enumerate() {
                let (a, b) = (
                    Version::parse(left).unwrap(),
                    Version::parse(right).unwrap(),
                );
                assert_eq!(a.precedence(&b), i.cmp(&j), "{left} {right}");
            }
        }
    }

    #[test]
    fn spelling_does_not_count() {
        let version = Version::parse("1.2.3").unwrap();
        for text in ["v1.2.3", "01.2.3", "1.2.3+b", "1.2.03+c"] {
            let other = Version::parse(text).unwrap();
            assert_eq!(version.precedence(&other), Ordering::Equal, "{text}");
        }
    }
}
