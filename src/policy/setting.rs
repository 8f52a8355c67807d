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
    /// `match` with a `key`.
    Key,
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
            Self::Key => "key",
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
        }
    }

    /// Whether the order looks at `setting`.
    pub fn heeds(&self, setting: Setting) -> bool {
        match self {
            Self::Semver(_) => true,
            Self::Calver(_) => setting != Setting::Loose,
            Self::Numerical(_) | Self::Alphabetical(_) => setting == Setting::Key,
        }
    }
}
