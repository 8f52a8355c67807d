//! `tags` as a policy.
//!
//! Invariant: a policy has one order, and every key that is written means something to it.
//!
//! What a policy makes of tags is not known here.

use super::raw_tags::RawTags;
use super::read::At;
use super::report::{Mistake, Report, Spot};
use crate::policy::{
    Conditions, Ignore, IgnoreError, Order, Parts, Policy, Prereleases, Unordered, Write,
};

/// The policy of a mirror; what is wrong is reported, and there may be no value.
pub fn convert(
    raw: Option<RawTags>,
    unordered: Unordered,
    report: &mut Report<'_>,
) -> Option<Policy> {
    let mut raw = raw.unwrap_or_default();
    warn_of_range(&raw, report);
    let order = order(&raw, report);
    let ignore = match raw.ignore.take() {
        Some(globs) => ignore(&globs, report),
        None => Some(Ignore::default()),
    };
    Some(Policy {
        order: order?,
        pattern: raw.pattern.take().map(|pattern| pattern.value.pattern),
        ignore: ignore?,
        prereleases: match raw.prereleases.take().map(|at| at.value) {
            Some(true) => Prereleases::Allow,
            Some(false) => Prereleases::Deny,
            None => Prereleases::FromRange,
        },
        variant: raw.variant.take().map(|at| at.value).unwrap_or_default(),
        loose: match raw.loose.take().map(|at| at.value) {
            Some(true) => Parts::Loose,
            Some(false) | None => Parts::Three,
        },
        level: raw.level.take().map(|at| at.value),
        conditions: conditions(&mut raw),
        unordered,
    })
}

fn warn_of_range(raw: &RawTags, report: &mut Report<'_>) {
    let Some(range) = raw.semver.get() else {
        return;
    };
    for lint in range.value.lints() {
        report.warning(range.spot, Mistake::new(lint.to_string()));
    }
}

/// The one order, to which all that is written must mean something.
fn order(raw: &RawTags, report: &mut Report<'_>) -> Option<Order> {
    let mut orders = raw.orders().into_iter();
    let Some(first) = orders.next() else {
        return heeding(raw, Order::default(), report);
    };
    let mut single = true;
    for other in orders {
        single = false;
        if let Some(spot) = other.key {
            let message = format!("`{}` and `{}` are two orders", first.name, other.name);
            report.error(spot, Mistake::new(message).hint("keep one of them"));
        }
    }
    let order = first.order.filter(|_| single)?;
    heeding(raw, order, report)
}

fn heeding(raw: &RawTags, order: Order, report: &mut Report<'_>) -> Option<Order> {
    let mut heeded = true;
    for (setting, spot) in raw.settings() {
        if !order.heeds(setting) {
            heeded = false;
            let (setting, name) = (setting.as_str(), order.as_str());
            let message = format!("`{setting}` means nothing to `{name}`");
            report.error(spot, Mistake::new(message).hint("remove it"));
        }
    }
    heeded.then_some(order)
}

fn conditions(raw: &mut RawTags) -> Conditions {
    let platforms = raw.platforms.take().map(|list| list.value);
    let on_missing_time = raw.on_missing_time.take().map(|at| at.value);
    Conditions {
        platforms: platforms
            .into_iter()
            .flatten()
            .map(|platform| platform.value)
            .collect(),
        minimum_age: raw.minimum_age.take().map(|at| at.value),
        on_missing_time: on_missing_time.unwrap_or_default(),
        settle: raw.settle.take().map(|at| at.value),
    }
}

fn ignore(globs: &At<Vec<At<String>>>, report: &mut Report<'_>) -> Option<Ignore> {
    let texts: Vec<&str> = globs.value.iter().map(|glob| glob.value.as_str()).collect();
    let error = match Ignore::new(&texts) {
        Ok(ignore) => return Some(ignore),
        Err(error) => error,
    };
    let spot = match &error {
        IgnoreError::Glob { index, .. } => globs.value.get(*index).map(|glob| glob.spot),
        IgnoreError::TooMany => None,
    };
    report.error(spot.unwrap_or(globs.spot), Mistake::new(error.to_string()));
    None
}

/// What a stage with this policy writes. A tag that is followed is written with its digest, since the
/// tag says nothing; a digest alone says nothing of the tag, so it goes with such a tag only.
pub fn write(
    written: Option<&(Write, Spot)>,
    policy: &Policy,
    report: &mut Report<'_>,
) -> Option<Write> {
    let follows = matches!(policy.order, Order::Digest(_));
    let mistake = match (written, follows) {
        (None, true) => return Some(Write::TagAndDigest),
        (None, false) => return Some(Write::Tag),
        (Some((Write::Tag, _)), true) => {
            Mistake::new("a tag that is followed by its digest is written with it")
                .hint("write `tag@digest` or `digest`, or remove the key")
        }
        (Some((Write::Digest, _)), false) => {
            Mistake::new("a digest alone is written of a tag that is followed only")
                .hint("write `tag@digest`, or say `digest: TAG` in `tags`")
        }
        (Some((write, _)), _) => return Some(*write),
    };
    if let Some((_, spot)) = written {
        report.error(*spot, mistake);
    }
    None
}
