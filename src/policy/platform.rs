//! Platforms of an image: `os/architecture`, or `os/architecture/variant`.
//!
//! Invariant: `linux/arm64` and `linux/arm64/v8` are one platform, and so are `linux/arm` and
//! `linux/arm/v7`: builders write either, and mean the same machine (OCI image index specification,
//! v1.1, "Platform Variants").
//!
//! What an image must have is the policy's to say.

use std::collections::BTreeMap;
use std::fmt;
use std::str::FromStr;

use crate::image::Digest;

/// Longest part of a platform, in bytes; the longest known one has nine.
const MAX_PART: usize = 32;

/// A platform.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Platform {
    os: String,
    architecture: String,
    /// Empty for none, or for the one that goes without saying.
    variant: String,
}

/// The platforms of an image, each with the digest of its manifest.
pub type Platforms = BTreeMap<Platform, Digest>;

/// A text that is no platform.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("`{0}` is not a platform such as `linux/amd64` or `linux/arm/v7`")]
pub struct PlatformError(String);

impl Platform {
    /// The platform of an operating system, an architecture and a variant, which may be empty; as an
    /// image index or an image's configuration states them.
    pub fn new(os: &str, architecture: &str, variant: &str) -> Self {
        let implied = matches!((architecture, variant), ("arm64", "v8") | ("arm", "v7"));
        let variant = if implied { "" } else { variant };
        Self {
            os: os.to_owned(),
            architecture: architecture.to_owned(),
            variant: variant.to_owned(),
        }
    }

    /// Whether an image for `other` does where this one is asked for. Without a variant any will do,
    /// except for `arm`, where a lower one is another machine.
    fn takes(&self, other: &Self) -> bool {
        let any = self.variant.is_empty() && self.architecture != "arm";
        self.os == other.os
            && self.architecture == other.architecture
            && (any || self.variant == other.variant)
    }

    /// Whether one of `platforms` does where this one is asked for.
    pub(super) fn is_among(&self, platforms: &Platforms) -> bool {
        platforms.keys().any(|platform| self.takes(platform))
    }
}

/// Whether two images are the same on the platforms `wanted`, or on all of them if none is named.
pub(super) fn same_content(wanted: &[Platform], a: &Platforms, b: &Platforms) -> bool {
    let relevant = |platforms: &Platforms| -> Platforms {
        let relevant = platforms.iter().filter(|(platform, _)| {
            wanted.is_empty() || wanted.iter().any(|wanted| wanted.takes(platform))
        });
        relevant.map(|(p, d)| (p.clone(), d.clone())).collect()
    };
    let (a, b) = (relevant(a), relevant(b));
    // Where nothing is known of the platforms, nothing is known to be the same.
    !a.is_empty() && a == b
}

impl FromStr for Platform {
    type Err = PlatformError;

    fn from_str(text: &str) -> Result<Self, PlatformError> {
        let refuse = || PlatformError(text.chars().take(80).collect());
        let is_part = |part: &&str| {
            (1..=MAX_PART).contains(&part.len())
                && part
                    .bytes()
                    .all(|b| matches!(b, b'a'..=b'z' | b'0'..=b'9' | b'_' | b'.' | b'-'))
        };
        let parts: Vec<&str> = text.split('/').collect();
        if !parts.iter().all(is_part) {
            return Err(refuse());
        }
        match parts.as_slice() {
            [os, architecture] => Ok(Self::new(os, architecture, "")),
            [os, architecture, variant] => Ok(Self::new(os, architecture, variant)),
            _ => Err(refuse()),
        }
    }
}

impl fmt::Display for Platform {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.os, self.architecture)?;
        match self.variant.as_str() {
            "" => Ok(()),
            variant => write!(f, "/{variant}"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn platforms(list: &[(&str, &str)]) -> Platforms {
        let entry = |(name, content): &(&str, &str)| {
            (name.parse().unwrap(), Digest::of(content.as_bytes()))
        };
        list.iter().map(entry).collect()
    }

    #[test]
    fn platforms_are_read_and_compared() {
        for (wanted, found, takes) in [
            ("linux/amd64", "linux/amd64", true),
            ("linux/amd64", "linux/amd64/v3", true),
            ("linux/amd64/v3", "linux/amd64", false),
            ("linux/arm64", "linux/arm64/v8", true),
            ("linux/arm64/v8", "linux/arm64", true),
            ("linux/arm", "linux/arm/v7", true),
            ("linux/arm", "linux/arm/v6", false),
            ("linux/arm/v6", "linux/arm/v6", true),
            ("linux/amd64", "windows/amd64", false),
            ("linux/amd64", "linux/arm64", false),
        ] {
            let wanted: Platform = wanted.parse().unwrap();
            assert_eq!(
                wanted.is_among(&platforms(&[(found, "a")])),
                takes,
                "{wanted} {found}"
            );
        }
        for text in [
            "",
            "linux",
            "linux/",
            "/amd64",
            "a/b/c/d",
            "Linux/amd64",
            "a b/c",
        ] {
            assert!(text.parse::<Platform>().is_err(), "{text}");
        }
        assert_eq!(
            "linux/arm64/v8".parse::<Platform>().unwrap().to_string(),
            "linux/arm64"
        );
    }

    #[test]
    fn content_is_the_same_where_it_matters() {
        let old = platforms(&[("linux/amd64", "a"), ("linux/arm64", "b")]);
        let new = platforms(&[("linux/amd64", "a"), ("linux/arm64", "c")]);
        let amd64 = ["linux/amd64".parse().unwrap()];
        let riscv = ["linux/riscv64".parse().unwrap()];
        assert!(same_content(&amd64, &old, &new));
        assert!(!same_content(&[], &old, &new));
        assert!(same_content(&[], &old, &old));
        assert!(!same_content(&riscv, &old, &new));
        assert!(!same_content(&[], &Platforms::new(), &Platforms::new()));
    }
}
