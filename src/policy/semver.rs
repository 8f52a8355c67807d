//! The order of semantic versions: a version is acceptable when it is in the range, is no pre-release
//! that the policy leaves out, and is of the wanted variant and number of parts.
//!
//! Invariant: what is wanted is fixed before the first tag is judged, so that every tag of a
//! selection is judged alike.
//!
//! Tags are not known here, only the versions in them.

use std::sync::Arc;

use super::variant;
use super::version::Version;
use super::{Parts, Policy, Prereleases, Range, Reason, Variant};

/// The order, with what it wants of a version.
pub(super) struct Semver<'p> {
    range: &'p Range,
    prereleases: Prereleases,
    variant: Option<Wanted>,
    parts: Option<u8>,
}

/// A variant, as words to compare and as a name to print.
struct Wanted {
    words: Vec<Box<str>>,
    name: Arc<str>,
}

impl Wanted {
    fn new(suffix: &str) -> Self {
        Self {
            words: variant::words(suffix).map(Box::from).collect(),
            name: variant::name(suffix).into(),
        }
    }
}

impl<'p> Semver<'p> {
    /// `current` is the version that runs now, if there is one.
    pub(super) fn new(policy: &'p Policy, range: &'p Range, current: Option<&Version<'_>>) -> Self {
        let has_group = policy
            .pattern
            .as_ref()
            .is_some_and(|pattern| pattern.has_version_group());
        let variant = match &policy.variant {
            // The group says what is version, so nothing outside it is left to chance.
            _ if has_group => None,
            Variant::Any => None,
            Variant::Named(name) => Some(Wanted::new(name)),
            Variant::Keep => current.map(|version| Wanted::new(version.prerelease)),
        };
        let parts = match policy.loose {
            Parts::Three => None,
            Parts::Loose => current.map(|version| version.parts),
        };
        Self {
            range,
            prereleases: policy.prereleases,
            variant,
            parts,
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
        let other_variant = self.variant.as_ref().filter(|wanted| {
            !variant::words(version.prerelease).eq(wanted.words.iter().map(AsRef::as_ref))
        });
        if let Some(wanted) = other_variant {
            return Some(Reason::OtherVariant {
                found: variant::name(version.prerelease).into(),
                wanted: Arc::clone(&wanted.name),
            });
        }
        self.outside(version)
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
