//! The variant of a tag: what its suffix says about the build rather than about the version.
//!
//! `1.2.3-alpine3.18` and `1.2.4-alpine3.19` are of one variant, `alpine3`; `1.2.4-slim` is of
//! another. The suffix falls into words at `.` and `-`. Words that mark a pre-release, plain
//! numbers, a final `rN` and commit hashes are left out; the rest is the variant.
//!
//! Whether the variant matters is the policy's to say.

use std::sync::Arc;

use super::version::is_number;
use super::{Policy, Reason, Variant};

/// Words that mark a pre-release, alone or followed by a number.
const PRERELEASE_WORDS: [&str; 10] = [
    "alpha", "beta", "rc", "pre", "preview", "dev", "snapshot", "nightly", "canary", "m",
];

/// Lengths of an abbreviated to a full commit hash, in hex digits: Git abbreviates to seven and has
/// forty, or sixty-four with SHA-256.
const HASH_DIGITS: std::ops::RangeInclusive<usize> = 7..=64;

/// The variant that a policy wants, as words to compare and as a name to print.
pub(super) struct Wanted {
    words: Vec<Box<str>>,
    name: Arc<str>,
}

impl Wanted {
    /// What `policy` wants where a version with the suffix `current` runs; `None` for anything.
    pub(super) fn of(policy: &Policy, current: Option<&str>) -> Option<Self> {
        let pattern = policy.pattern.as_ref();
        match &policy.variant {
            // What the pattern takes out is the version, so nothing outside it is left to chance.
            _ if pattern.is_some_and(|pattern| pattern.takes_out()) => None,
            Variant::Any => None,
            Variant::Named(name) => Some(Self::new(name)),
            Variant::Keep => current.map(Self::new),
        }
    }

    fn new(suffix: &str) -> Self {
        Self {
            words: words(suffix).map(Box::from).collect(),
            name: name(suffix).into(),
        }
    }

    /// Why a version with this suffix is of another variant, if it is.
    pub(super) fn rejection(&self, suffix: &str) -> Option<Reason> {
        let same = words(suffix).eq(self.words.iter().map(AsRef::as_ref));
        (!same).then(|| Reason::OtherVariant {
            found: name(suffix).into(),
            wanted: Arc::clone(&self.name),
        })
    }
}

/// The words of the variant in `suffix`, the text after a version's first `-`.
pub(super) fn words(suffix: &str) -> impl Iterator<Item = &str> {
    let last = suffix.rsplit(['.', '-']).next().unwrap_or_default();
    let end = match is_revision(last) {
        true => suffix.len() - last.len(),
        false => suffix.len(),
    };
    suffix[..end]
        .split(['.', '-'])
        .filter(|word| !is_number(word) && !is_prerelease(word) && !is_hash(word))
}

/// The variant as it is printed and as `variant` in a policy names it; empty for none.
pub(super) fn name(suffix: &str) -> String {
    words(suffix).collect::<Vec<_>>().join("-")
}

/// `r5`: how packagers count rebuilds.
fn is_revision(word: &str) -> bool {
    word.strip_prefix('r')
        .is_some_and(|number| !number.is_empty() && is_number(number))
}

pub(super) fn is_prerelease(word: &str) -> bool {
    let word = word.trim_end_matches(|c: char| c.is_ascii_digit());
    PRERELEASE_WORDS
        .iter()
        .any(|known| word.eq_ignore_ascii_case(known))
}

/// A hash has both digits and letters, or else a word such as `facades` would be one; `git describe`
/// writes a `g` before it.
pub(super) fn is_hash(word: &str) -> bool {
    let hex = word.strip_prefix('g').unwrap_or(word);
    HASH_DIGITS.contains(&hex.len())
        && hex.bytes().all(|b| matches!(b, b'0'..=b'9' | b'a'..=b'f'))
        && hex.bytes().any(|b| b.is_ascii_digit())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_variant_is_what_remains_of_the_suffix() {
        for (suffix, variant) in [
            ("", ""),
            ("alpine", "alpine"),
            ("alpine3.18", "alpine3"),
            ("alpine-slim", "alpine-slim"),
            ("rc.1", ""),
            ("rc1", ""),
            ("RC1", ""),
            ("SNAPSHOT", ""),
            ("alpha", ""),
            ("beta.2", ""),
            ("pre", ""),
            ("preview.3", ""),
            ("dev", ""),
            ("nightly.20240101", ""),
            ("canary-7", ""),
            ("M2", ""),
            ("m", ""),
            ("mm", "mm"),
            ("rcx", "rcx"),
            ("rc.1-alpine", "alpine"),
            ("alpine-rc.1", "alpine"),
            ("debian-12-r5", "debian"),
            ("debian-12-r10", "debian"),
            ("r5", ""),
            ("r5-alpine", "r5-alpine"),
            ("r", "r"),
            ("0", ""),
            ("20240101.1", ""),
            ("5-g1a2b3c4", ""),
            ("1a2b3c4", ""),
            ("1a2b3c", "1a2b3c"),
            ("dev-1a2b3c4d5e6f7a8b9c0d1a2b3c4d5e6f7a8b9c0d", ""),
            ("facades", "facades"),
            ("Alpine", "Alpine"),
            ("--", ""),
            ("a--b", "a-b"),
        ] {
            assert_eq!(name(suffix), variant, "{suffix}");
        }
    }
}
