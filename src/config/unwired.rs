//! Keys that are read and checked, and whose work is not done where it has an effect.
//!
//! Invariant: such a key is refused as not supported yet, in app files and defaults, and so is a
//! ready-made policy that has one. Where a policy is only tried on tags that are typed in, none is
//! refused.
//!
//! A key whose work gets done leaves [`TAGS`]; once that and [`refuse_write`] are empty, this file
//! goes.

use super::presets;
use super::raw_app::RawApp;
use super::raw_tags::RawTags;
use super::read::{Field, unsupported};
use super::report::{Mistake, Report, Spot};
use crate::policy::Write;

/// A key of `tags`, with where it stands if it is written and could be read.
type Key = (&'static str, fn(&RawTags) -> Option<Spot>);

/// The keys of `tags`.
const TAGS: [Key; 6] = [
    ("newest", |tags| key(&tags.newest)),
    ("digest", |tags| key(&tags.digest)),
    ("platforms", |tags| key(&tags.platforms)),
    ("minimumAge", |tags| key(&tags.minimum_age)),
    ("onMissingTime", |tags| key(&tags.on_missing_time)),
    ("settle", |tags| key(&tags.settle)),
];

fn key<T>(field: &Field<T>) -> Option<Spot> {
    field.get().map(|at| at.key)
}

/// Refuses what a file has of such keys.
pub fn refuse(raw: &RawApp, report: &mut Report<'_>) {
    let stages = raw.stages.get().into_iter().flat_map(|list| &list.value);
    let tags = stages.filter_map(|stage| stage.value.tags.get());
    for tags in raw.tags.get().into_iter().chain(tags) {
        for (name, spot) in keys_of(&tags.value) {
            report.error(spot, unsupported(name));
        }
    }
    refuse_write(raw, report);
    refuse_preset(raw, report);
}

fn keys_of(tags: &RawTags) -> impl Iterator<Item = (&'static str, Spot)> {
    TAGS.iter()
        .filter_map(|(name, of)| Some((*name, of(tags)?)))
}

fn refuse_write(raw: &RawApp, report: &mut Report<'_>) {
    let name = match raw.write.get().map(|at| at.value) {
        Some(Write::TagAndDigest) => "tag@digest",
        Some(Write::Digest) => "digest",
        Some(Write::Tag) | None => return,
    };
    if let Some(at) = raw.write.get() {
        report.error(at.spot, unsupported(name));
    }
}

fn refuse_preset(raw: &RawApp, report: &mut Report<'_>) {
    let Some(preset) = raw.extends.get() else {
        return;
    };
    let laid = presets::read(preset.value, report);
    let tags = laid.tags.get().map(|tags| &tags.value);
    if let Some((key, _)) = tags.and_then(|tags| keys_of(tags).next()) {
        let message = format!(
            "the ready-made policy `{}` needs `{key}`, which is not supported yet",
            preset.value.name()
        );
        report.error(preset.spot, Mistake::new(message));
    }
}
