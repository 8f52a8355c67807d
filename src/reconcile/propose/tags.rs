//! Orders from the tags that run.
//!
//! Invariant: where a tag has no place in any order that is known from it, the order takes every release, the
//! tag stays, and the app's notes say so. How an order is guessed is in `guess`.

use std::collections::BTreeSet;

use super::Draft;
use crate::image::Tag;
use crate::manifest::{Part, Site};

mod guess;

use guess::order;

/// An order that is proposed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Order {
    pub(super) by: By,
    /// What a tag must match, and which part of it is compared.
    pub(super) pattern: Option<String>,
    pub(super) prereleases: bool,
    pub(super) loose: bool,
}

/// What tags are ordered by.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum By {
    /// Semantic versions in a range.
    Semver(String),
    /// Calendar versions of a format.
    Calver(String),
    /// The highest number.
    Number,
    /// The latest build.
    Built,
}

impl Default for Order {
    fn default() -> Self {
        Self::by(By::Semver("*".to_owned()))
    }
}

impl Order {
    fn by(by: By) -> Self {
        Self {
            by,
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
