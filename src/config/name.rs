//! Names of apps, stages, repositories and registries, and the Flux marker an app answers to.
//!
//! Invariant: a name is `[a-z0-9][a-z0-9-]*`, at most 63 characters, so it can stand in a marker, a
//! path, a label and a commit without quoting.

use std::fmt;

use schemars::{Schema, json_schema};

use super::read::{Scalar, shorten};
use super::report::Mistake;

/// Longest name, in characters: that of a DNS label (RFC 1123 2.1), which Kubernetes labels share.
const MAX_NAME: usize = 63;

/// What stands for the app's name in paths and markers.
pub const APP: &str = "{app}";

/// A name.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Name(String);

impl Name {
    /// The name of the one stage of an app that lists none.
    pub(super) fn default_stage() -> Self {
        Self("default".to_owned())
    }

    /// The name as text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for Name {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl std::str::FromStr for Name {
    type Err = InvalidName;

    fn from_str(text: &str) -> Result<Self, InvalidName> {
        let word = |c: u8| matches!(c, b'a'..=b'z' | b'0'..=b'9');
        let first = text.bytes().next().is_some_and(word);
        if first && text.len() <= MAX_NAME && text.bytes().all(|c| word(c) || c == b'-') {
            Ok(Self(text.to_owned()))
        } else {
            Err(InvalidName(shorten(text).into_owned()))
        }
    }
}

/// A text that is not a name.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("`{0}` is not a name")]
pub struct InvalidName(String);

impl InvalidName {
    /// What a name looks like.
    pub fn hint(&self) -> String {
        format!("a name is a-z, 0-9 and `-`, not starting with `-`, at most {MAX_NAME} characters")
    }
}

impl Scalar for Name {
    fn parse(text: &str) -> Result<Self, Mistake> {
        text.parse()
            .map_err(|error: InvalidName| Mistake::new(error.to_string()).hint(error.hint()))
    }

    fn schema() -> Schema {
        json_schema!({"type": "string", "pattern": "^[a-z0-9][a-z0-9-]*$", "maxLength": MAX_NAME})
    }
}

/// The Flux `$imagepolicy` markers that an app answers to.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct FluxMarker {
    /// The namespace part of the marker.
    pub namespace: String,
    /// The name part of the marker.
    pub name: String,
}

impl fmt::Display for FluxMarker {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}", self.namespace, self.name)
    }
}

/// A marker as written: the name of the app may be left open.
#[derive(Debug, Clone)]
pub struct MarkerPattern {
    namespace: String,
    name: String,
}

impl MarkerPattern {
    /// The marker of the app `app`.
    pub fn of(&self, app: &Name) -> FluxMarker {
        FluxMarker {
            namespace: self.namespace.replace(APP, app.as_str()),
            name: self.name.replace(APP, app.as_str()),
        }
    }
}

impl Scalar for MarkerPattern {
    fn parse(text: &str) -> Result<Self, Mistake> {
        // Kubernetes object names (RFC 1123 subdomains).
        let object = |part: &str| {
            let part = part.replace(APP, "x");
            !part.is_empty()
                && part.len() <= 253
                && part
                    .bytes()
                    .all(|c| matches!(c, b'a'..=b'z' | b'0'..=b'9' | b'-' | b'.'))
        };
        match text.split_once(':') {
            Some((namespace, name)) if object(namespace) && object(name) => Ok(Self {
                namespace: namespace.to_owned(),
                name: name.to_owned(),
            }),
            _ => Err(
                Mistake::new(format!("`{}` is not a Flux marker", shorten(text))).hint(
                    "write NAMESPACE:NAME, as in `flux-system:shop`; `{app}` is the app's name",
                ),
            ),
        }
    }

    fn schema() -> Schema {
        json_schema!({"type": "string", "pattern": "^[a-z0-9.{}-]+:[a-z0-9.{}-]+$"})
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_plain_words() {
        let longest = "a".repeat(63);
        let longer = "a".repeat(64);
        for (text, valid) in [
            ("shop", true),
            ("7-shop-eu", true),
            ("a-", true),
            (longest.as_str(), true),
            (longer.as_str(), false),
            ("", false),
            ("-a", false),
            ("Shop", false),
            ("a.b", false),
            ("a/b", false),
            ("a b", false),
            ("é", false),
        ] {
            assert_eq!(text.parse::<Name>().is_ok(), valid, "{text}");
        }
    }

    #[test]
    fn markers_name_a_namespace_and_an_object() {
        let app: Name = "shop".parse().unwrap();
        for (text, marker) in [
            ("flux-system:shop", Some("flux-system:shop")),
            ("apps:{app}-policy", Some("apps:shop-policy")),
            ("{app}:{app}", Some("shop:shop")),
            ("shop", None),
            (":shop", None),
            ("a:", None),
            ("a:b:tag", None),
            ("A:b", None),
            ("a:{name}", None),
        ] {
            let parsed = MarkerPattern::parse(text).ok();
            let of_app = parsed.map(|pattern| pattern.of(&app).to_string());
            assert_eq!(of_app.as_deref(), marker, "{text}");
        }
    }
}
