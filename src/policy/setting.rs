//! Which keys of a policy mean something to which order.
//!
//! Invariant: a key that an order does not look at is refused where a policy is read, because whoever
//! wrote it expects something of it.
//!
//! Where keys are written, and how it is said that one is refused, is not known here.

use super::Order;

/// A key of a policy besides its order.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Setting {
    /// `match`.
    Match,
    /// The `key` of `match`.
    Key,
    /// `ignore`.
    Ignore,
    /// `prereleases`.
    Prereleases,
    /// `loose`.
    Loose,
    /// `variant`.
    Variant,
    /// `level`.
    Level,
}

impl Setting {
    /// The key as it is written in a policy.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Match => "match",
            Self::Key => "key",
            Self::Ignore => "ignore",
            Self::Prereleases => "prereleases",
            Self::Loose => "loose",
            Self::Variant => "variant",
            Self::Level => "level",
        }
    }
}

impl Order {
    /// The key of the order as it is written in a policy.
    pub fn as_str(&self) -> &'static str {
        match self {
            Self::Semver(_) => "semver",
            Self::Calver(_) => "calver",
            Self::Numerical(_) => "numerical",
            Self::Alphabetical(_) => "alphabetical",
            Self::Newest(_) => "newest",
            Self::Digest(_) => "digest",
        }
    }

    /// Whether the order looks at `setting`.
    pub fn heeds(&self, setting: Setting) -> bool {
        match self {
            Self::Semver(_) => true,
            Self::Calver(_) => setting != Setting::Loose,
            Self::Numerical(_) | Self::Alphabetical(_) => {
                matches!(setting, Setting::Match | Setting::Key | Setting::Ignore)
            }
            Self::Newest(_) => matches!(setting, Setting::Match | Setting::Ignore),
            Self::Digest(_) => false,
        }
    }
}
