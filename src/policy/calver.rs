//! The order of calendar versions: the parts that a format names, from left to right.
//!
//! After what the format covers, a tag may have a suffix that begins with `-`. Words that mark a
//! pre-release make it one, lower than the same date without; other suffixes make it a rebuild, higher
//! than the same date without and compared word by word, numbers as numbers. Commit hashes don't
//! count. What else the suffix says is the variant, as for semantic versions.
//!
//! Invariant: the order is total over the tags that have the format, and exact.
//!
//! Tags are not known here, only the versions in them.

use std::borrow::Cow;
use std::cmp::Ordering;

use super::level::Level;
use super::numerical::compare_whole;
use super::variant::{self, Wanted};
use super::{Policy, Prereleases, Reason};

mod format;

pub use format::{Format, FormatError};

/// A calendar version.
#[derive(Debug, Clone)]
pub(super) struct Calendar<'t> {
    /// A number for each token of the format; one fewer or more where a part is optional.
    parts: Box<[u128]>,
    /// What follows the first `-` after them; empty for nothing.
    suffix: Cow<'t, str>,
    prerelease: bool,
}

impl<'t> Calendar<'t> {
    /// Reads a version of the form `format`; `None` if `text` is none.
    pub(super) fn parse(text: &'t str, format: &Format) -> Option<Self> {
        let (parts, rest) = format.parts_of(text)?;
        let suffix = match rest.strip_prefix('-') {
            Some(suffix) if !suffix.is_empty() => suffix,
            None if rest.is_empty() => "",
            _ => return None,
        };
        Some(Self {
            parts: parts.into(),
            prerelease: words(suffix).any(variant::is_prerelease),
            suffix: suffix.into(),
        })
    }

    /// The same version, resting on nothing.
    pub(super) fn into_owned(self) -> Calendar<'static> {
        Calendar {
            suffix: self.suffix.into_owned().into(),
            parts: self.parts,
            prerelease: self.prerelease,
        }
    }
}

impl Ord for Calendar<'_> {
    fn cmp(&self, other: &Self) -> Ordering {
        self.parts
            .cmp(&other.parts)
            .then_with(|| other.prerelease.cmp(&self.prerelease))
            .then_with(|| compare_suffixes(&self.suffix, &other.suffix))
    }
}

impl PartialOrd for Calendar<'_> {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl PartialEq for Calendar<'_> {
    fn eq(&self, other: &Self) -> bool {
        self.cmp(other).is_eq()
    }
}

impl Eq for Calendar<'_> {}

fn words(suffix: &str) -> impl Iterator<Item = &str> {
    suffix
        .split(['.', '-'])
        .filter(|word| !word.is_empty() && !variant::is_hash(word))
}

fn compare_suffixes(a: &str, b: &str) -> Ordering {
    let (mut a, mut b) = (words(a), words(b));
    loop {
        match (a.next(), b.next()) {
            (None, None) => return Ordering::Equal,
            (a, b) if a.is_none() || b.is_none() => return a.is_some().cmp(&b.is_some()),
            (a, b) => match compare_words(a.unwrap_or_default(), b.unwrap_or_default()) {
                Ordering::Equal => {}
                other => return other,
            },
        }
    }
}

/// Compares runs of digits as numbers and all else bytewise; a number comes before all else.
fn compare_words(mut a: &str, mut b: &str) -> Ordering {
    while !a.is_empty() && !b.is_empty() {
        let (a_run, a_number) = take_run(&mut a);
        let (b_run, b_number) = take_run(&mut b);
        let order = match (a_number, b_number) {
            (true, true) => compare_whole(a_run, b_run),
            (false, false) => a_run.cmp(b_run),
            _ => b_number.cmp(&a_number),
        };
        if order.is_ne() {
            return order;
        }
    }
    a.len().cmp(&b.len())
}

/// Takes the first run of digits, or of what are none, off a text that is not empty.
fn take_run<'t>(text: &mut &'t str) -> (&'t str, bool) {
    let number = text.starts_with(|c: char| c.is_ascii_digit());
    let end = text
        .find(|c: char| c.is_ascii_digit() != number)
        .unwrap_or(text.len());
    let (run, rest) = text.split_at(end);
    *text = rest;
    (run, number)
}

/// What the policy wants of a calendar version.
pub(super) struct Calver<'p> {
    format: &'p Format,
    prereleases: Prereleases,
    variant: Option<Wanted>,
    level: Option<(Level, Box<[u128]>)>,
}

impl<'p> Calver<'p> {
    /// `current` is the version that runs now, if there is one.
    pub(super) fn new(
        policy: &'p Policy,
        format: &'p Format,
        current: Option<&Calendar<'_>>,
    ) -> Self {
        Self {
            format,
            prereleases: policy.prereleases,
            variant: Wanted::of(policy, current.map(|current| &*current.suffix)),
            level: policy
                .level
                .zip(current.map(|current| current.parts.clone())),
        }
    }

    /// Why `version` is not acceptable, if it is not.
    pub(super) fn rejection(&self, version: &Calendar<'_>) -> Option<Reason> {
        let variant = self.variant.as_ref();
        if let Some(reason) = variant.and_then(|wanted| wanted.rejection(&version.suffix)) {
            return Some(reason);
        }
        let level = self.level.as_ref();
        if let Some(reason) = level.and_then(|(level, current)| {
            level.rejection(current, &version.parts, self.format.names())
        }) {
            return Some(reason);
        }
        (version.prerelease && self.prereleases != Prereleases::Allow)
            .then_some(Reason::PrereleaseOfDate)
    }
}
