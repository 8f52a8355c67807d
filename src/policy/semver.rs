//! The order of semantic versions: a version is acceptable when it is in the range, is no pre-release
//! that the policy leaves out, and is of the wanted variant, number of parts and level.
//!
//! Invariant: what is wanted is fixed before the first tag is judged, so that every tag of a
//! selection is judged alike.
//!
//! Tags are not known here, only the versions in them.

use std::sync::Arc;

use super::level::Level;
use super::variant::Wanted;
use super::version::Version;
use super::{Parts, Policy, Prereleases, Range, Reason};

/// The words for the numbers of a version.
const NAMES: [&str; 3] = ["major version", "minor version", "patch version"];

/// What the policy wants of a version.
pub(super) struct Semver<'p> {
    range: &'p Range,
    prereleases: Prereleases,
    variant: Option<Wanted>,
    parts: Option<u8>,
    level: Option<(Level, [u64; 3])>,
}

impl<'p> Semver<'p> {
    /// `current` is the version that runs now, if there is one.
    pub(super) fn new(policy: &'p Policy, range: &'p Range, current: Option<&Version<'_>>) -> Self {
        let parts = match policy.loose {
            Parts::Three => None,
            Parts::Loose => current.map(|version| version.parts),
        };
        Self {
            range,
            prereleases: policy.prereleases,
            variant: Wanted::of(policy, current.map(|version| &*version.prerelease)),
            parts,
            level: policy.level.zip(current.map(|version| version.numbers)),
        }
    }

    /// Why `version` is not acceptable, if it is not.
    pub(super) fn rejection(&self, version: &Version<'_>) -> Option<Reason> {
        if let Some(wanted) = self.parts.filter(|wanted| *wanted != version.parts) {
            return Some(Reason::OtherParts {
                found: version.parts,
                wanted,
            });
        }
        let variant = self.variant.as_ref();
        variant
            .and_then(|wanted| wanted.rejection(&version.prerelease))
            .or_else(|| self.outside(version))
            .or_else(|| {
                let (level, current) = self.level.as_ref()?;
                level.rejection(current, &version.numbers, &NAMES)
            })
    }

    fn outside(&self, version: &Version<'_>) -> Option<Reason> {
        let within = match version.is_prerelease() {
            true => self.range.contains_admitting(version),
            false => self.range.contains(version),
        };
        if !within {
            return Some(Reason::OutOfRange {
                range: Arc::clone(self.range.text()),
            });
        }
        match self.prereleases {
            _ if !version.is_prerelease() => None,
            Prereleases::Allow => None,
            Prereleases::Deny => Some(Reason::PrereleaseDenied),
            Prereleases::FromRange if self.range.contains(version) => None,
            Prereleases::FromRange => Some(Reason::Prerelease {
                admitting: self.range.admitting_prereleases().map(Arc::clone),
            }),
        }
    }
}
