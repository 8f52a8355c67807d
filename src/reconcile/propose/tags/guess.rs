//! The order of some tags, guessed from nothing but them.
//!
//! ```text
//! dates      2024.3.1, 20240301, 2024-03-01               calver
//! numbers    4512, 1700000000, 4512-4f2a9c1               numerical
//! versions   1.2.3, v1.2, 1.25.3-alpine                   semver
//! prefixed   release-1.2.3, build-4512, main-4f2a9c1-17…  semver or numerical, by `match`
//! commits    4f2a9c1, sha-4f2a9c1, main-4f2a9c1           newest
//! ```
//!
//! Invariant: an order accepts every tag that it was made from; a tag of another kind beside them leaves none.
//! Where a tag may be two things, it is what people more often mean by it.

use std::collections::{BTreeMap, BTreeSet};

use jiff::Timestamp;

use super::{By, Order};
use crate::image::Tag;
use crate::policy::{
    self, Current, Datum, End, Evidence, Parts, Policy, Prereleases, Time, TimeOf, TimeSource,
    Times, Verdict,
};

/// Numbers that are taken for years where a tag begins with four digits.
const YEARS: std::ops::RangeInclusive<u64> = 1990..=2099;

/// A number from here on is one of a build, one below the first part of a version, as in `postgres:16`.
const FIRST_BUILD: u64 = 100;

/// Formats of calendar versions that are tried, the plainest first.
const FORMATS: [&str; 11] = [
    "YYYY.MM.MICRO",
    "YYYY.MINOR.MICRO",
    "YYYY.MM",
    "YYYY.MM[.MICRO]",
    "YYYY-MM-DD",
    "YYYYMMDD-hhmmss",
    "YYYYMMDD",
    "YYYYMMDD[.MICRO]",
    "YYYYMMDDhhmmss",
    "YYYYMMDDhhmm",
    "YYYYMMDDThhmmssZ",
];

/// A commit as tags hold it, abbreviated by Git or in full.
const COMMIT: &str = "[0-9a-f]{7,40}";

/// A group that takes out a number.
const NUMBER: &str = "(?<version>[0-9]+)";

/// The order that accepts all of these tags; `None` if there is none.
pub(super) fn order(tags: &BTreeSet<Tag>) -> Option<Order> {
    let guesses = [dates, numbers, versions, prefixed, commits];
    guesses.into_iter().find_map(|guess| guess(tags))
}

fn first(candidates: impl IntoIterator<Item = Order>, tags: &BTreeSet<Tag>) -> Option<Order> {
    let mut candidates = candidates.into_iter();
    candidates.find(|order| !tags.is_empty() && order.accepts(tags))
}

fn dates(tags: &BTreeSet<Tag>) -> Option<Order> {
    let of_year = |tag: &Tag| {
        let year = bare(tag).get(..4).and_then(|year| year.parse().ok());
        year.is_some_and(|year| YEARS.contains(&year))
    };
    let formats = FORMATS.map(|format| Order::by(By::Calver(format.to_owned())));
    let early = formats.clone().map(|order| Order {
        prereleases: true,
        ..order
    });
    // A number of four digits is a year only where something follows it.
    let long = |tag: &Tag| bare(tag).len() > 4;
    match tags.iter().all(|tag| of_year(tag) && long(tag)) {
        true => first(formats.into_iter().chain(early), tags),
        false => None,
    }
}

fn numbers(tags: &BTreeSet<Tag>) -> Option<Order> {
    let is_build = |tag: &Tag| major(tag.as_str()).is_none_or(|number| number >= FIRST_BUILD);
    let is_number = |tag: &Tag| is_number(tag.as_str());
    if tags.iter().all(|tag| is_number(tag) && is_build(tag)) {
        return first([Order::by(By::Number)], tags);
    }
    let with_commit = Order {
        pattern: Some(format!("^{NUMBER}-{COMMIT}$")),
        ..Order::by(By::Number)
    };
    first([with_commit], tags)
}

fn versions(tags: &BTreeSet<Tag>) -> Option<Order> {
    let plain = Order::by(By::Semver(range(tags.iter().map(Tag::as_str))?));
    // A version and then a variant such as `alpine`, which semantic versioning would take for a
    // pre-release.
    let variant = common_variant(tags).map(|variant| Order {
        pattern: Some(format!("^(?<version>v?[0-9.]+)-{}$", escaped(variant))),
        ..plain.clone()
    });
    let prereleases = Order {
        prereleases: true,
        ..plain.clone()
    };
    let strict = [Some(plain), variant, Some(prereleases)];
    first(with_loose(strict.into_iter().flatten().collect()), tags)
}

/// What comes after a word and a dash, alike in all tags.
fn prefixed(tags: &BTreeSet<Tag>) -> Option<Order> {
    let tag = tags.first()?.as_str();
    let dashes = tag.match_indices('-').map(|(at, _)| at);
    // The longest word first, since branches have dashes in their names.
    let words = dashes.rev().map(|at| &tag[..at]);
    let mut words = words.filter(|word| {
        let last = word.rsplit('-').next().unwrap_or_default();
        let letter = word.starts_with(|c: char| c.is_ascii_alphabetic());
        letter && !is_number(last) && !is_commit(last)
    });
    words.find_map(|word| after(word, tags))
}

fn after(word: &str, tags: &BTreeSet<Tag>) -> Option<Order> {
    let rest = |tag: &'_ Tag| {
        Some(
            tag.as_str()
                .strip_prefix(word)?
                .strip_prefix('-')?
                .to_owned(),
        )
    };
    let rests: Vec<String> = tags.iter().map(rest).collect::<Option<_>>()?;
    let word = escaped(word);
    let number = |pattern: String| Order {
        pattern: Some(pattern),
        ..Order::by(By::Number)
    };
    let small = |rest: &String| is_number(rest) && major(rest).is_some_and(|it| it < FIRST_BUILD);
    let mut candidates = Vec::new();
    if !rests.iter().any(small) {
        candidates.push(number(format!("^{word}-{NUMBER}$")));
    }
    candidates.push(number(format!("^{word}-{NUMBER}-{COMMIT}$")));
    candidates.push(number(format!("^{word}-{COMMIT}-{NUMBER}$")));
    if let Some(range) = range(rests.iter().map(String::as_str)) {
        let plain = Order {
            pattern: Some(format!("^{word}-(?<version>.+)$")),
            ..Order::by(By::Semver(range))
        };
        let prereleases = Order {
            prereleases: true,
            ..plain.clone()
        };
        candidates.extend(with_loose(vec![plain, prereleases]));
    }
    // What may be a commit is no version.
    let commit = |rest: &String| !is_number(rest) && is_commit(rest);
    candidates.retain(|order| order.by == By::Number || !rests.iter().any(commit));
    first(candidates, tags)
}

fn commits(tags: &BTreeSet<Tag>) -> Option<Order> {
    let built = |word: &str| Order {
        pattern: Some(format!("^{word}{COMMIT}$")),
        ..Order::by(By::Built)
    };
    let word = tags.first()?.as_str().rsplit_once('-');
    let word = word.map(|(word, _)| escaped(&format!("{word}-")));
    first(
        [String::new()]
            .into_iter()
            .chain(word)
            .map(|word| built(&word)),
        tags,
    )
}

/// Those orders, and then the same with versions of fewer parts.
fn with_loose(strict: Vec<Order>) -> Vec<Order> {
    let loose = strict.clone().into_iter().map(|order| Order {
        loose: true,
        ..order
    });
    let all = strict.into_iter().chain(loose);
    all.collect()
}

/// The range of the first numbers of these versions, to the next one; any where they are years.
fn range<'t>(versions: impl Iterator<Item = &'t str>) -> Option<String> {
    let majors: Vec<u64> = versions.map(major).collect::<Option<_>>()?;
    let (low, high) = (majors.iter().min()?, majors.iter().max()?);
    // Years and dates are bounded by no next major version.
    Some(match *high >= *YEARS.start() {
        true => "*".to_owned(),
        false => format!(">={low}.0.0 <{}.0.0", high + 1),
    })
}

fn bare(tag: &Tag) -> &str {
    let text = tag.as_str();
    text.strip_prefix('v').unwrap_or(text)
}

/// A text as a pattern that matches it; a dash means itself outside brackets.
fn escaped(text: &str) -> String {
    regex::escape(text).replace(r"\-", "-")
}

fn is_number(text: &str) -> bool {
    !text.is_empty() && text.bytes().all(|b| b.is_ascii_digit())
}

fn is_commit(text: &str) -> bool {
    let hex = |b: u8| matches!(b, b'0'..=b'9' | b'a'..=b'f');
    (7..=40).contains(&text.len()) && text.bytes().all(hex)
}

/// What all tags have after the first `-`, if it is a variant and no pre-release or commit.
fn common_variant(tags: &BTreeSet<Tag>) -> Option<&str> {
    let mut variants = tags.iter().map(|tag| tag.as_str().split_once('-'));
    let (_, first) = variants.next()??;
    let same = variants.all(|other| other.is_some_and(|(_, other)| other == first));
    let words = first.split(|c: char| !c.is_ascii_alphabetic());
    let early = words
        .map(str::to_ascii_lowercase)
        .any(|word| PRE_RELEASES.contains(&word.as_str()));
    let letter = first.starts_with(|c: char| c.is_ascii_alphabetic());
    let commit = first.len() >= 7 && first.bytes().all(|b| b.is_ascii_hexdigit());
    (same && letter && !early && !commit).then_some(first)
}

/// Words of pre-releases.
const PRE_RELEASES: [&str; 10] = [
    "alpha", "beta", "rc", "pre", "preview", "dev", "snapshot", "nightly", "canary", "m",
];

impl Order {
    fn accepts(&self, tags: &BTreeSet<Tag>) -> bool {
        let Some(policy) = self.policy() else {
            return false;
        };
        tags.iter().all(|tag| {
            let all = std::slice::from_ref(tag);
            let current = Current::Tag(tag);
            // Any time will do: whether there is one is for the registry to say.
            let at = Timestamp::UNIX_EPOCH;
            let source = TimeSource::Given;
            let built = Times {
                created: Datum::Known(Time { at, source }),
                ..Times::default()
            };
            let times = BTreeMap::from([(tag.clone(), built)]);
            let evidence = Evidence::new(all, current, at).with_times(&times);
            let selection = policy::select(&policy, &evidence);
            let mut verdicts = selection.verdicts.iter();
            verdicts.all(|verdict| verdict.verdict != Verdict::Rejected)
        })
    }

    fn policy(&self) -> Option<Policy> {
        Some(Policy {
            order: match &self.by {
                By::Semver(range) => policy::Order::Semver(range.parse().ok()?),
                By::Calver(format) => policy::Order::Calver(format.parse().ok()?),
                By::Number => policy::Order::Numerical(End::Highest),
                By::Built => policy::Order::Newest(TimeOf::Created),
            },
            pattern: match &self.pattern {
                Some(pattern) => Some(pattern.parse().ok()?),
                None => None,
            },
            prereleases: match self.prereleases {
                true => Prereleases::Allow,
                false => Prereleases::FromRange,
            },
            loose: match self.loose {
                true => Parts::Loose,
                false => Parts::Three,
            },
            ..Policy::default()
        })
    }
}

/// The first number of a version, if it has one.
fn major(version: &str) -> Option<u64> {
    let text = version.strip_prefix('v').unwrap_or(version);
    let end = text
        .find(|c: char| !c.is_ascii_digit())
        .unwrap_or(text.len());
    text[..end].parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn shown(tags: &[&str]) -> String {
        let tags: BTreeSet<Tag> = tags.iter().map(|tag| tag.parse().unwrap()).collect();
        let Some(order) = order(&tags) else {
            return "none".to_owned();
        };
        let mut shown = match order.by {
            By::Semver(range) => range,
            By::Calver(format) => format!("calver {format}"),
            By::Number => "number".to_owned(),
            By::Built => "built".to_owned(),
        };
        if order.prereleases {
            shown.push_str(" prereleases");
        }
        if order.loose {
            shown.push_str(" loose");
        }
        let pattern = order.pattern.map(|pattern| format!(" {pattern}"));
        shown + &pattern.unwrap_or_default()
    }

    #[test]
    fn an_order_accepts_what_runs_and_the_next_minor() {
        for (tags, wanted) in [
            (&["6.1.9"][..], ">=6.0.0 <7.0.0"),
            (&["6.1.9", "6.0.3"], ">=6.0.0 <7.0.0"),
            (&["v1.2.3"], ">=1.0.0 <2.0.0"),
            (&["0.3.1"], ">=0.0.0 <1.0.0"),
            (&["5.9.0", "7.1.0"], ">=5.0.0 <8.0.0"),
            (
                &["1.25.3-alpine", "v1.24.0-alpine"],
                ">=1.0.0 <2.0.0 ^(?<version>v?[0-9.]+)-alpine$",
            ),
            (&["1.25.3-alpine", "1.24.0"], ">=1.0.0 <2.0.0 prereleases"),
            (&["1.25.3-rc.1-alpine"], ">=1.0.0 <2.0.0 prereleases"),
            (
                &["3.19-slim-12"],
                ">=3.0.0 <4.0.0 loose ^(?<version>v?[0-9.]+)-slim-12$",
            ),
            (&["1.2.0-rc.1"], ">=1.0.0 <2.0.0 prereleases"),
            (&["1.25"], ">=1.0.0 <2.0.0 loose"),
            (&["16"], ">=16.0.0 <17.0.0 loose"),
            (
                &["1.25-alpine"],
                ">=1.0.0 <2.0.0 loose ^(?<version>v?[0-9.]+)-alpine$",
            ),
            (&["20240301.1.0"], "*"),
            (&["latest"], "none"),
            (&["1.0.0", "latest"], "none"),
            (&["1.0.0", "4f2a9c1"], "none"),
            (&[], "none"),
        ] {
            assert_eq!(shown(tags), wanted, "{tags:?}");
        }
    }

    #[test]
    fn other_schemes_are_known_by_their_form() {
        for (tags, wanted) in [
            (&["2024.3.1"][..], "calver YYYY.MM.MICRO"),
            (&["2024.03.01", "v2023.12.1"], "calver YYYY.MM.MICRO"),
            (&["2024.3.1-alpine"], "calver YYYY.MM.MICRO"),
            (&["2024.3.1-rc1"], "calver YYYY.MM.MICRO prereleases"),
            (&["2024.45.1"], "calver YYYY.MINOR.MICRO"),
            (&["2024.03"], "calver YYYY.MM"),
            (&["2024.03", "2024.03.1"], "calver YYYY.MM[.MICRO]"),
            (&["2024-03-01"], "calver YYYY-MM-DD"),
            (&["20240301"], "calver YYYYMMDD"),
            (&["20240301-4f2a9c1"], "calver YYYYMMDD"),
            (&["20240301", "20240301.2"], "calver YYYYMMDD[.MICRO]"),
            (&["20240301-101500"], "calver YYYYMMDD-hhmmss"),
            (&["20240301101500"], "calver YYYYMMDDhhmmss"),
            (&["2022"], "number"),
            (&["4512"], "number"),
            (&["20241301"], "number"),
            (&["1700000000"], "number"),
            (&["20240101120000123"], "number"),
            (
                &["4512-4f2a9c1"],
                "number ^(?<version>[0-9]+)-[0-9a-f]{7,40}$",
            ),
            (
                &["build-4512", "build-99999"],
                "number ^build-(?<version>[0-9]+)$",
            ),
            (
                &["main-4f2a9c1-1700000000"],
                "number ^main-[0-9a-f]{7,40}-(?<version>[0-9]+)$",
            ),
            (
                &["main-4512-4f2a9c1"],
                "number ^main-(?<version>[0-9]+)-[0-9a-f]{7,40}$",
            ),
            (
                &["release-1.2.3", "release-1.4.0"],
                ">=1.0.0 <2.0.0 ^release-(?<version>.+)$",
            ),
            (
                &["release-1.2.3-rc.1"],
                ">=1.0.0 <2.0.0 prereleases ^release-(?<version>.+)$",
            ),
            (&["jre-17"], ">=17.0.0 <18.0.0 loose ^jre-(?<version>.+)$"),
            (&["4f2a9c1"], "built ^[0-9a-f]{7,40}$"),
            (&["4f2a9c1", "1234567"], "built ^[0-9a-f]{7,40}$"),
            (&["sha-4f2a9c1"], "built ^sha-[0-9a-f]{7,40}$"),
            (&["fix-login-4f2a9c1"], "built ^fix-login-[0-9a-f]{7,40}$"),
            (&["main-4f2a9c1", "dev-4f2a9c1"], "none"),
            (&["main"], "none"),
        ] {
            assert_eq!(shown(tags), wanted, "{tags:?}");
        }
    }
}
