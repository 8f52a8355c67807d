//! Ranges from the tags that run.
//!
//! Invariant: a proposed order accepts every tag it was made from. Where a tag has no place in any,
//! the order takes every release, the tag stays, and the app's notes say so.

use std::collections::BTreeSet;

use jiff::Timestamp;

use super::Draft;
use crate::image::Tag;
use crate::manifest::{Part, Site};
use crate::policy::{self, Current, Evidence, Parts, Policy, Prereleases, Verdict};

/// First parts from here on are years or dates, which no next major version bounds.
const FIRST_YEAR: u64 = 1990;

/// An order that is proposed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Order {
    pub(super) range: String,
    /// What a tag must match: a version and then a variant such as `alpine`, which semantic
    /// versioning would take for a pre-release.
    pub(super) pattern: Option<String>,
    pub(super) prereleases: bool,
    pub(super) loose: bool,
}

impl Default for Order {
    fn default() -> Self {
        Self {
            range: "*".to_owned(),
            pattern: None,
            prereleases: false,
            loose: false,
        }
    }
}

/// What the sites of a stage say.
#[derive(Debug, Default)]
pub(super) struct Running {
    /// The tags.
    tags: BTreeSet<Tag>,
    /// What is no tag, as written.
    others: BTreeSet<String>,
}

/// What the sites of a stage say.
pub(super) fn running<'s>(sites: impl Iterator<Item = &'s Site>) -> Running {
    let mut running = Running::default();
    for site in sites {
        let part = site
            .marker
            .as_ref()
            .map_or(Part::Whole, |marker| marker.part());
        match (part, site.tag()) {
            (Part::Name | Part::Digest, _) => {}
            (_, Some(tag)) => {
                running.tags.insert(tag);
            }
            (_, None) => {
                // It goes into a comment of one line.
                let text = site.reference_text().replace(char::is_control, " ");
                running.others.insert(text);
            }
        }
    }
    running
}

/// Gives a draft the order of its stages, those that differ one of their own, and its notes.
pub(super) fn set(draft: &mut Draft, running: &[Running]) {
    let found: Vec<Option<Order>> = running.iter().map(|stage| order(&stage.tags)).collect();
    // The last stage is the nearest to production, whose order is the safest for all.
    let common = found.iter().rev().flatten().next().cloned();
    draft.order = common.unwrap_or_default();
    draft.notes.clear();
    for ((stage, order), running) in draft.stages.iter_mut().zip(found).zip(running) {
        let differs = order.as_ref().is_some_and(|order| *order != draft.order);
        let unordered = order.is_none();
        stage.order = order.filter(|_| differs);
        if unordered || !running.others.is_empty() {
            let tags = running.tags.iter().map(Tag::as_str);
            let odd: Vec<&str> = running.others.iter().map(String::as_str).collect();
            let shown: Vec<&str> = match odd.as_slice() {
                [] => tags.collect(),
                odd => odd.to_vec(),
            };
            draft.notes.push(format!(
                "{} runs {}, which has no place in this order: it stays until you write a version \
                 there, or add `unordered: replace`",
                stage.name,
                shown.join(", ")
            ));
        } else if running.tags.len() > 1 {
            let tags: Vec<&str> = running.tags.iter().map(Tag::as_str).collect();
            draft.notes.push(format!(
                "{} has {}: the highest counts, and the others are brought to it",
                stage.name,
                tags.join(", ")
            ));
        }
    }
}

/// The order that accepts all of these tags, the plainest first; `None` if there is none.
fn order(tags: &BTreeSet<Tag>) -> Option<Order> {
    let majors: Vec<u64> = tags.iter().map(major).collect::<Option<_>>()?;
    let (low, high) = (majors.iter().min()?, majors.iter().max()?);
    let range = if *high >= FIRST_YEAR {
        "*".to_owned()
    } else {
        format!(">={low}.0.0 <{}.0.0", high + 1)
    };
    let plain = Order {
        range,
        ..Order::default()
    };
    let variant = common_variant(tags).map(|variant| Order {
        pattern: Some(format!(
            "^(?<version>v?[0-9.]+)-{}$",
            regex::escape(variant)
        )),
        ..plain.clone()
    });
    let prereleases = Order {
        prereleases: true,
        ..plain.clone()
    };
    let strict = [Some(plain), variant, Some(prereleases)];
    let loose = strict.clone().map(|order| {
        order.map(|order| Order {
            loose: true,
            ..order
        })
    });
    strict
        .into_iter()
        .chain(loose)
        .flatten()
        .find(|order| order.accepts(tags))
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
        let Ok(range) = self.range.parse() else {
            return false;
        };
        let Ok(pattern) = self.pattern.as_deref().map(str::parse).transpose() else {
            return false;
        };
        let policy = Policy {
            order: policy::Order::Semver(range),
            pattern,
            prereleases: match self.prereleases {
                true => Prereleases::Allow,
                false => Prereleases::FromRange,
            },
            loose: match self.loose {
                true => Parts::Loose,
                false => Parts::Three,
            },
            ..Policy::default()
        };
        tags.iter().all(|tag| {
            let all = std::slice::from_ref(tag);
            let current = Current::Tag(tag);
            // No time counts in a range of versions.
            let evidence = Evidence::new(all, current, Timestamp::UNIX_EPOCH);
            let selection = policy::select(&policy, &evidence);
            let mut verdicts = selection.verdicts.iter();
            verdicts.all(|verdict| verdict.verdict != Verdict::Rejected)
        })
    }
}

/// The first number of a tag.
fn major(tag: &Tag) -> Option<u64> {
    let text = tag.as_str();
    let text = text.strip_prefix('v').unwrap_or(text);
    let end = text
        .find(|c: char| !c.is_ascii_digit())
        .unwrap_or(text.len());
    text[..end].parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

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
                ">=3.0.0 <4.0.0 loose ^(?<version>v?[0-9.]+)-slim\\-12$",
            ),
            (&["1.2.0-rc.1"], ">=1.0.0 <2.0.0 prereleases"),
            (&["1.25"], ">=1.0.0 <2.0.0 loose"),
            (&["16"], ">=16.0.0 <17.0.0 loose"),
            (
                &["1.25-alpine"],
                ">=1.0.0 <2.0.0 loose ^(?<version>v?[0-9.]+)-alpine$",
            ),
            (&["2024.3.1"], "*"),
            (&["2024.03.01"], "*"),
            (&["20240301.1.0"], "*"),
            (&["latest"], "none"),
            (&["4f2a9c1"], "none"),
            (&["main-4f2a9c1-1700000000"], "none"),
            (&["1.0.0", "latest"], "none"),
            (&[], "none"),
        ] {
            let tags: BTreeSet<Tag> = tags.iter().map(|tag| tag.parse().unwrap()).collect();
            let shown = match order(&tags) {
                None => "none".to_owned(),
                Some(order) => {
                    let prereleases = if order.prereleases {
                        " prereleases"
                    } else {
                        ""
                    };
                    let loose = if order.loose { " loose" } else { "" };
                    let pattern = order.pattern.map(|pattern| format!(" {pattern}"));
                    order.range + prereleases + loose + &pattern.unwrap_or_default()
                }
            };
            assert_eq!(shown, wanted, "{tags:?}");
        }
    }
}
