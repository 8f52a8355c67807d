//! One tag against the policy: its place in the order, and what speaks against it.
//!
//! Invariant: the place of a tag depends on the policy alone, so that the current tag has one even
//! where the policy would no longer accept it; what speaks against a tag depends on the policy and
//! the current tag, never on other tags.

use super::calver::Calver;
use super::filter::is_signature;
use super::key::Key;
use super::pattern::{Matched, Pattern, Scratch};
use super::semver::Semver;
use super::{Order, Policy, Reason, Recorded};
use crate::image::Tag;

/// Finds the places of tags in the order of one policy.
pub(super) struct Places<'p> {
    policy: &'p Policy,
    recorded: Recorded<'p>,
    /// `match`, if it takes what is compared out of the tag.
    taker: Option<&'p Pattern>,
    scratch: Scratch,
}

impl<'p> Places<'p> {
    pub(super) fn new(policy: &'p Policy, recorded: Recorded<'p>) -> Self {
        let pattern = policy.pattern.as_ref();
        let taker = pattern.filter(|pattern| takes_out(policy, pattern));
        Self {
            policy,
            recorded,
            taker,
            scratch: Pattern::scratch(taker),
        }
    }

    /// The place of `tag`, or why it has none.
    pub(super) fn of<'t>(&mut self, tag: &'t Tag) -> Result<Key<'t>, Reason> {
        match &self.policy.order {
            Order::Newest(which) => {
                return which.of(tag, &self.recorded).map(|time| Key::Time(time.at));
            }
            Order::Digest(followed) if followed == tag => return Ok(Key::Followed),
            Order::Digest(followed) => return Err(Reason::NotFollowed(followed.clone())),
            _ => {}
        }
        let text = match self.taker {
            None => tag.as_str().into(),
            Some(pattern) => match pattern.apply(tag.as_str(), &mut self.scratch) {
                Matched::Compared(text) => text,
                Matched::No => return Err(no_match(pattern)),
                Matched::NoGroup(group) => {
                    return Err(Reason::NoGroup {
                        pattern: pattern.text().clone(),
                        group,
                    });
                }
            },
        };
        Key::of(&self.policy.order, self.policy.loose, text)
    }
}

/// Whether what is compared is taken out of the tag; by time and by digest no text is compared.
fn takes_out(policy: &Policy, pattern: &Pattern) -> bool {
    let compares_text = !matches!(policy.order, Order::Newest(_) | Order::Digest(_));
    compares_text && pattern.takes_out()
}

fn no_match(pattern: &Pattern) -> Reason {
    Reason::NoMatch {
        pattern: pattern.text().clone(),
    }
}

/// A tag with its place and what speaks against it.
pub(super) struct Judged<'t> {
    pub(super) tag: &'t Tag,
    pub(super) place: Option<Key<'t>>,
    pub(super) rejection: Option<Reason>,
}

/// What the policy wants of a place, fixed before the first tag is judged.
enum Wanted<'p> {
    Semver(Semver<'p>),
    Calver(Calver<'p>),
    Anything,
}

impl<'p> Wanted<'p> {
    fn new(policy: &'p Policy, current: Option<&Key<'_>>) -> Self {
        match (&policy.order, current) {
            (Order::Semver(range), Some(Key::Version(current))) => {
                Self::Semver(Semver::new(policy, range, Some(current)))
            }
            (Order::Semver(range), _) => Self::Semver(Semver::new(policy, range, None)),
            (Order::Calver(format), Some(Key::Calendar(current))) => {
                Self::Calver(Calver::new(policy, format, Some(current)))
            }
            (Order::Calver(format), _) => Self::Calver(Calver::new(policy, format, None)),
            _ => Self::Anything,
        }
    }

    fn rejection(&self, place: &Key<'_>) -> Option<Reason> {
        match (self, place) {
            (Self::Semver(semver), Key::Version(version)) => semver.rejection(version),
            (Self::Calver(calver), Key::Calendar(version)) => calver.rejection(version),
            _ => None,
        }
    }
}

/// Judges tags for one selection.
pub(super) struct Judge<'p> {
    places: Places<'p>,
    wanted: Wanted<'p>,
    /// `match`, if it takes nothing out of the tag.
    plain: Option<&'p Pattern>,
}

impl<'p> Judge<'p> {
    /// `current` is the place of what runs now, if it has one.
    pub(super) fn new(
        policy: &'p Policy,
        recorded: Recorded<'p>,
        current: Option<&Key<'_>>,
    ) -> Self {
        let pattern = policy.pattern.as_ref();
        Self {
            places: Places::new(policy, recorded),
            wanted: Wanted::new(policy, current),
            plain: pattern.filter(|pattern| !takes_out(policy, pattern)),
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
            .or_else(|| self.wanted.rejection(place.as_ref()?));
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
        (!plain.is_match(tag.as_str())).then(|| no_match(plain))
    }
}
