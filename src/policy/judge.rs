//! One tag against the policy: its place in the order, and what speaks against it.
//!
//! Invariant: the place of a tag depends on the policy alone, so that the current tag has one even
//! where the policy would no longer accept it; what speaks against a tag depends on the policy and
//! the current tag, never on other tags.

use super::filter::{Matched, Pattern, Scratch, is_signature};
use super::semver::Semver;
use super::version::Version;
use super::{Order, Policy, Reason};
use crate::image::Tag;

/// Finds the places of tags in the order of one policy.
pub(super) struct Places<'p> {
    policy: &'p Policy,
    /// `match`, if it takes the version out of the tag.
    group: Option<&'p Pattern>,
    scratch: Scratch,
}

impl<'p> Places<'p> {
    pub(super) fn new(policy: &'p Policy) -> Self {
        let group = policy
            .pattern
            .as_ref()
            .filter(|pattern| pattern.has_version_group());
        Self {
            policy,
            group,
            scratch: Pattern::scratch(group),
        }
    }

    /// The place of `tag`, or why it has none.
    pub(super) fn of<'t>(&mut self, tag: &'t Tag) -> Result<Version<'t>, Reason> {
        let text = match self.group {
            None => tag.as_str(),
            Some(pattern) => match pattern.apply(tag.as_str(), &mut self.scratch) {
                Matched::Version(text) => text,
                Matched::No => return Err(no_match(pattern)),
                Matched::NoGroup => {
                    return Err(Reason::NoVersionGroup {
                        pattern: pattern.text().clone(),
                    });
                }
            },
        };
        Version::of_tag(text, self.policy.loose).map_err(Reason::NotAVersion)
    }
}

fn no_match(pattern: &Pattern) -> Reason {
    Reason::NoMatch {
        pattern: pattern.text().clone(),
    }
}

/// A tag with its place and what speaks against it.
pub(super) struct Judged<'t> {
    pub(super) tag: &'t Tag,
    pub(super) place: Option<Version<'t>>,
    pub(super) rejection: Option<Reason>,
}

/// Judges tags for one selection.
pub(super) struct Judge<'p> {
    places: Places<'p>,
    order: Semver<'p>,
    /// `match`, if it does not take the version out of the tag.
    plain: Option<&'p Pattern>,
    scratch: Scratch,
}

impl<'p> Judge<'p> {
    /// `current` is the place of what runs now, if it has one.
    pub(super) fn new(policy: &'p Policy, current: Option<&Version<'_>>) -> Self {
        let Order::Semver(range) = &policy.order;
        let plain = policy
            .pattern
            .as_ref()
            .filter(|pattern| !pattern.has_version_group());
        Self {
            places: Places::new(policy),
            order: Semver::new(policy, range, current),
            plain,
            scratch: Pattern::scratch(plain),
        }
    }

    pub(super) fn judge<'t>(&mut self, tag: &'t Tag) -> Judged<'t> {
        let (place, misplaced) = match self.places.of(tag) {
            Ok(place) => (Some(place), None),
            Err(reason) => (None, Some(reason)),
        };
        let rejection = self
            .filtered(tag)
            .or(misplaced)
            .or_else(|| self.order.rejection(place.as_ref()?));
        Judged {
            tag,
            place,
            rejection,
        }
    }

    fn filtered(&mut self, tag: &Tag) -> Option<Reason> {
        if is_signature(tag.as_str()) {
            return Some(Reason::Signature);
        }
        if let Some(glob) = self.places.policy.ignore.matching(tag.as_str()) {
            return Some(Reason::Ignored { glob: glob.clone() });
        }
        let plain = self.plain?;
        match plain.apply(tag.as_str(), &mut self.scratch) {
            Matched::No => Some(no_match(plain)),
            Matched::Version(_) | Matched::NoGroup => None,
        }
    }
}
