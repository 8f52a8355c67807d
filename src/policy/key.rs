//! Sort keys: the place of a tag in the order of a policy.
//!
//! Invariant: the keys of one policy are of one kind, and their order is the policy's, so that the
//! greater key is always the better one: where the lowest is wanted, keys are turned round.
//!
//! What a policy accepts is not known here.

use std::borrow::Cow;
use std::cmp::Reverse;

use jiff::Timestamp;

use super::calver::Calendar;
use super::numerical::Number;
use super::version::Version;
use super::{End, Order, Parts, Reason};

/// A place in an order. Equal keys are one version in different spellings.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Key<'t> {
    Version(Version<'t>),
    Calendar(Calendar<'t>),
    Highest(Number<'t>),
    Lowest(Reverse<Number<'t>>),
    Last(Cow<'t, str>),
    First(Reverse<Cow<'t, str>>),
    Time(Timestamp),
    /// The one tag that is followed by its digest.
    Followed,
}

impl<'t> Key<'t> {
    /// The place of what is compared of a tag, or why it has none.
    pub(super) fn of(order: &Order, loose: Parts, text: Cow<'t, str>) -> Result<Self, Reason> {
        match text {
            Cow::Borrowed(text) => Self::read(order, loose, text),
            Cow::Owned(text) => Key::read(order, loose, &text).map(Key::into_owned),
        }
    }

    fn read(order: &Order, loose: Parts, text: &'t str) -> Result<Self, Reason> {
        match order {
            Order::Semver(_) => Version::of_tag(text, loose)
                .map(Self::Version)
                .map_err(Reason::NotAVersion),
            Order::Calver(format) => Calendar::parse(text, format)
                .map(Self::Calendar)
                .ok_or_else(|| Reason::OtherFormat {
                    format: format.text().clone(),
                }),
            Order::Numerical(end) => {
                let number = Number::parse(text).ok_or(Reason::NotANumber)?;
                Ok(match end {
                    End::Highest => Self::Highest(number),
                    End::Lowest => Self::Lowest(Reverse(number)),
                })
            }
            Order::Alphabetical(End::Highest) => Ok(Self::Last(text.into())),
            Order::Alphabetical(End::Lowest) => Ok(Self::First(Reverse(text.into()))),
            // Their places don't come from a text.
            Order::Newest(which) => Err(Reason::NoTime(*which)),
            Order::Digest(tag) => Err(Reason::NotFollowed(tag.clone())),
        }
    }

    fn into_owned(self) -> Key<'static> {
        match self {
            Self::Version(version) => Key::Version(version.into_owned()),
            Self::Calendar(version) => Key::Calendar(version.into_owned()),
            Self::Highest(number) => Key::Highest(number.into_owned()),
            Self::Lowest(Reverse(number)) => Key::Lowest(Reverse(number.into_owned())),
            Self::Last(text) => Key::Last(text.into_owned().into()),
            Self::First(Reverse(text)) => Key::First(Reverse(text.into_owned().into())),
            Self::Time(time) => Key::Time(time),
            Self::Followed => Key::Followed,
        }
    }
}
