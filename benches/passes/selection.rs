//! The choice among very many tags.

use std::collections::BTreeMap;

use jiff::Timestamp;
use tagwright::image::Tag;
use tagwright::policy::{
    self, Current, Datum, End, Evidence, Ignore, Order, Outcome, Policy, Time, TimeOf, TimeSource,
    Times,
};

use crate::measure::{Row, Samples, timed};

const TAGS: usize = 200_000;
const RUNS: usize = 9;

/// A plain range; `match` with `ignore`; a `version` group; the other orders.
pub fn rows() -> anyhow::Result<Vec<Row>> {
    let tags = tags()?;
    let range = || ">=1.0.0 <2.0.0".parse().map(Order::Semver);
    let plain = Policy {
        order: range()?,
        ..Policy::default()
    };
    let filtered = Policy {
        pattern: Some("^[0-9]+\\.[0-9]+\\.[0-9]+(-alpine)?$".parse()?),
        ignore: Ignore::new(&["*-debug", "1.13.*"])?,
        ..plain.clone()
    };
    let grouped = Policy {
        pattern: Some("^(main-)?(?<version>[0-9]+\\.[0-9]+\\.[0-9]+)(-[0-9a-f]{7})?$".parse()?),
        ..plain.clone()
    };
    let of = |order| Policy {
        order,
        ..Policy::default()
    };
    let dates = numbered(|n| format!("{}.{}.{}", 2000 + n / 9000, n / 750 % 12 + 1, n % 750))?;
    let numbers = numbered(|n| format!("202604010000{n:06}"))?;
    [
        ("a range", plain, &tags),
        ("a range, `match` and `ignore`", filtered, &tags),
        ("a range and a `version` group", grouped, &tags),
        (
            "calendar versions",
            of(Order::Calver("YYYY.MM.MICRO".parse()?)),
            &dates,
        ),
        ("numbers", of(Order::Numerical(End::Highest)), &numbers),
        ("texts", of(Order::Alphabetical(End::Highest)), &tags),
        ("times", of(Order::Newest(TimeOf::Pushed)), &tags),
    ]
    .into_iter()
    .map(|(what, policy, tags)| {
        // A tag that is lower than others in each order.
        let current = tags
            .iter()
            .min()
            .ok_or_else(|| anyhow::anyhow!("no tags"))?;
        let current: Tag = match policy.order {
            Order::Semver(_) => "1.0.0".parse()?,
            _ => current.clone(),
        };
        let pushed = pushed(tags)?;
        let times = Samples::take(RUNS, |_| {
            let evidence = Evidence::new(tags, Current::Tag(&current), Timestamp::UNIX_EPOCH)
                .with_times(&pushed);
            let (selection, time) = timed(|| policy::select(&policy, &evidence));
            let chosen = matches!(selection.outcome, Outcome::Selected(_));
            anyhow::ensure!(chosen, "{:?}", selection.outcome);
            Ok(time)
        })?;
        Ok(Row::new(format!("selection among 200,000 tags: {what}"), times).within(100))
    })
    .collect()
}

/// As many tags as there are, each from its number.
fn numbered(text: impl Fn(usize) -> String) -> anyhow::Result<Vec<Tag>> {
    (0..TAGS).map(|n| Ok(text(n).parse()?)).collect()
}

/// Times as a listing may deliver them, from the first tag to the last.
fn pushed(tags: &[Tag]) -> anyhow::Result<BTreeMap<Tag, Times>> {
    let time = |(second, tag): (i64, &Tag)| {
        let at = Timestamp::from_second(second)?;
        let source = TimeSource::Registry;
        let times = Times {
            pushed: Datum::Known(Time { at, source }),
            created: Datum::Unasked,
        };
        Ok((tag.clone(), times))
    };
    (0..).zip(tags).map(time).collect()
}

/// Tags as a busy repository has them: releases, variants, pre-releases, branch builds, signatures; in
/// byte order, as registries list them (distribution spec v1.1, "Listing Tags").
fn tags() -> anyhow::Result<Vec<Tag>> {
    let mut tags = (0..TAGS)
        .map(|n| {
            let (major, minor, patch) = (n % 3, n / 3 % 100, n / 300);
            let text = match n % 7 {
                0 => format!("{major}.{minor}.{patch}-alpine"),
                1 => format!("{major}.{minor}.{patch}-rc.{}", n % 5),
                2 => format!("main-{major}.{minor}.{patch}-{n:07x}"),
                // Digests differ from their first digits on.
                3 => format!(
                    "sha256-{:016x}{n:048x}.sig",
                    n.wrapping_mul(0x9e37_79b9_7f4a_7c15)
                ),
                _ => format!("{major}.{minor}.{patch}"),
            };
            Ok(text.parse()?)
        })
        .collect::<anyhow::Result<Vec<Tag>>>()?;
    tags.sort();
    // As a listing is read: one after the other into memory.
    Ok(tags
        .iter()
        .filter_map(|tag| tag.as_str().parse().ok())
        .collect())
}
