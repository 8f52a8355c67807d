//! The choice among very many tags.

use jiff::Timestamp;
use tagwright::image::Tag;
use tagwright::policy::{self, Current, Evidence, Ignore, Outcome, Policy};

use crate::measure::{Row, Samples, timed};

const TAGS: usize = 200_000;
const RUNS: usize = 9;

/// A plain range; `match` with `ignore`; a `version` group.
pub fn rows() -> anyhow::Result<Vec<Row>> {
    let tags = tags()?;
    let range = || ">=1.0.0 <2.0.0".parse().map(policy::Order::Semver);
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
    [
        ("a range", plain),
        ("a range, `match` and `ignore`", filtered),
        ("a range and a `version` group", grouped),
    ]
    .into_iter()
    .map(|(what, policy)| {
        let current: Tag = "1.0.0".parse()?;
        let times = Samples::take(RUNS, |_| {
            let evidence = Evidence::new(&tags, Current::Tag(&current), Timestamp::UNIX_EPOCH);
            let (selection, time) = timed(|| policy::select(&policy, &evidence));
            let chosen = matches!(selection.outcome, Outcome::Selected(_));
            anyhow::ensure!(chosen, "{:?}", selection.outcome);
            Ok(time)
        })?;
        Ok(Row::new(format!("selection among 200,000 tags: {what}"), times).within(100))
    })
    .collect()
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
