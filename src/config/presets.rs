//! Ready-made policies: app keys to start from, which `extends` names.
//!
//! Invariant: each is a file in the folder `policies` beside the sources, has no mistake, and chooses
//! what its table says. It counts where the app, and the defaults nearer than the file that names it,
//! say nothing; where several files name one, the nearest counts.

use schemars::{Schema, json_schema};

use super::raw_app::RawApp;
use super::read::{Keys, Mirror as _, Read as _, Scalar, choice, read_text};
use super::report::{Mistake, Report};

/// The names and texts of all of them.
const ALL: [Preset; 10] = [
    preset(
        "semver-stable",
        include_str!("../../policies/semver-stable.yaml"),
    ),
    preset(
        "semver-minor",
        include_str!("../../policies/semver-minor.yaml"),
    ),
    preset(
        "semver-patch",
        include_str!("../../policies/semver-patch.yaml"),
    ),
    preset(
        "semver-prerelease",
        include_str!("../../policies/semver-prerelease.yaml"),
    ),
    preset("calver", include_str!("../../policies/calver.yaml")),
    preset("date", include_str!("../../policies/date.yaml")),
    preset(
        "numeric-build",
        include_str!("../../policies/numeric-build.yaml"),
    ),
    preset(
        "branch-build",
        include_str!("../../policies/branch-build.yaml"),
    ),
    preset(
        "newest-push",
        include_str!("../../policies/newest-push.yaml"),
    ),
    preset(
        "digest-track",
        include_str!("../../policies/digest-track.yaml"),
    ),
];

const fn preset(name: &'static str, text: &'static str) -> Preset {
    Preset { name, text }
}

/// A ready-made policy.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Preset {
    name: &'static str,
    text: &'static str,
}

/// The names of all ready-made policies.
pub fn names() -> Vec<&'static str> {
    ALL.iter().map(|preset| preset.name).collect()
}

impl Scalar for Preset {
    fn parse(text: &str) -> Result<Self, Mistake> {
        choice(text, &ALL.map(|preset| (preset.name, preset)))
    }

    fn schema() -> Schema {
        json_schema!({"enum": ALL.map(|preset| preset.name)})
    }
}

/// The keys of a ready-made policy.
pub fn read(preset: Preset, report: &mut Report<'_>) -> RawApp {
    let source = report.source(preset.name, preset.text);
    let keys = Keys {
        required: &["version"],
        ..RawApp::KEYS
    };
    let read = read_text(source, report, |node, reader| {
        RawApp::read_with(node, reader, keys)
    });
    // They have no mistakes, as a test shows.
    read.unwrap_or_default()
}

/// `raw` over its defaults, the nearest first, with the ready-made policy that the nearest file names
/// right beneath that file.
pub fn lay<'r>(
    raw: RawApp,
    defaults: impl Iterator<Item = &'r RawApp>,
    report: &mut Report<'_>,
) -> RawApp {
    let mut laid = named(raw, false, report);
    for default in defaults {
        let done = laid.extends.is_written();
        laid = named(laid.over(default.clone()), done, report);
    }
    laid
}

fn named(raw: RawApp, done: bool, report: &mut Report<'_>) -> RawApp {
    match raw.extends.get().map(|at| at.value) {
        Some(preset) if !done => {
            let keys = read(preset, report);
            raw.over(keys)
        }
        _ => raw,
    }
}
