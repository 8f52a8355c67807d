//! `tags` as it is written: the mirror of the mapping, and the values of its keys.
//!
//! Invariant: where an app says by what to order, a default that means something else, or nothing to
//! that order, no longer counts. Each value is valid in itself; whether the values fit together is
//! decided by `tags`.

use schemars::{Schema, SchemaGenerator, json_schema};

use super::read::{At, Field, Mirror as _, Read, Reader, Scalar, choice, mirror, shorten};
use super::report::{Mistake, Spot};
use super::tree::{Node, Value};
use crate::image::Tag;
use crate::policy::{
    End, Format, Level, OnMissingTime, Order, Pattern, Platform, Range, Setting, Span, TimeOf,
    Variant,
};

mirror! {
    /// Which tags are acceptable and how they are ordered.
    RawTags requires [] beneath beneath {
        /// A range of semantic versions; `*` if nothing is said.
        semver = "semver": Range,
        /// A format of calendar versions, such as `YYYY.MM.MICRO` or `YYYYMMDD[.MICRO]`.
        calver = "calver": Format,
        /// By number: the `highest` or the `lowest`.
        numerical = "numerical": End,
        /// By the bytes of the text: the `highest` or the `lowest`.
        alphabetical = "alphabetical": End,
        /// By time, when a tag was `pushed` or `created`.
        newest = "newest": TimeOf,
        /// The one tag to follow by its digest.
        digest = "digest": Tag,
        /// A regular expression that a tag must match somewhere; a group named `version` takes out
        /// what is compared. Or a mapping with `pattern` and `key`.
        pattern = "match": RawMatch,
        /// Globs over whole tags that are never chosen.
        ignore = "ignore": Vec<At<String>>,
        /// Whether pre-releases are acceptable; what the range says if nothing is said.
        prereleases = "prereleases": bool,
        /// Whether versions of one and two parts are acceptable; `false` if nothing is said.
        loose = "loose": bool,
        /// How far a change may go from the version that runs: `patch`, `minor` or `major`.
        level = "level": Level,
        /// What the suffix, such as `alpine`, must be: `keep` that of the tag that runs (if nothing
        /// is said), `any`, or a name; `""` is none.
        variant = "variant": Variant,
        /// The platforms that must be there, such as `linux/amd64`.
        platforms = "platforms": Vec<At<Platform>>,
        /// How old a tag must be.
        minimum_age = "minimumAge": Span,
        /// What counts where the registry does not record a tag's age.
        on_missing_time = "onMissingTime": OnMissingTime,
        /// How long a tag must have had its digest.
        settle = "settle": Span,
    }
}

mirror! {
    /// A pattern, and the key that its groups make.
    RawKeyed requires ["pattern", "key"] {
        /// A regular expression that a tag must match somewhere.
        pattern = "pattern": Pattern,
        /// What is compared: text with groups in it, `$name`, `${name}` or `$1`.
        key = "key": String,
    }
}

/// `match`: a pattern, or a mapping of a pattern and a key.
#[derive(Debug, Clone)]
pub struct RawMatch {
    /// The pattern, with its key.
    pub pattern: Pattern,
    /// Where the key stands, if there is one.
    pub key: Option<Spot>,
}

impl Read for RawMatch {
    fn read(node: &Node, reader: &mut Reader<'_, '_>) -> Option<Self> {
        if !matches!(node.value, Value::Map(_)) {
            let pattern = <Pattern as Read>::read(node, reader)?;
            return Some(Self { pattern, key: None });
        }
        let mut keyed = RawKeyed::read_with(node, reader, RawKeyed::KEYS)?;
        let (pattern, key) = (keyed.pattern.take()?, keyed.key.take()?);
        match pattern.value.with_key(&key.value) {
            Ok(pattern) => Some(Self {
                pattern,
                key: Some(key.key),
            }),
            Err(error) => {
                reader.error(key.spot.at, Mistake::new(error.to_string()));
                None
            }
        }
    }

    fn schema(generator: &mut SchemaGenerator) -> Schema {
        let keyed = generator.subschema_for::<RawKeyed>();
        json_schema!({"anyOf": [{"type": "string"}, keyed]})
    }
}

/// A key that says how tags are ordered, with its value if that could be read.
pub struct Ordered {
    /// The order.
    pub order: Option<Order>,
    /// The key.
    pub name: &'static str,
    /// Where the key stands, if the value could be read.
    pub key: Option<Spot>,
}

impl RawTags {
    /// The orders that are written; there should be one.
    pub fn orders(&self) -> Vec<Ordered> {
        fn written<T: Clone>(
            field: &Field<T>,
            name: &'static str,
            order: impl Fn(T) -> Order,
        ) -> Option<Ordered> {
            field.is_written().then(|| Ordered {
                order: field.get().map(|at| order(at.value.clone())),
                name,
                key: field.get().map(|at| at.key),
            })
        }
        [
            written(&self.semver, "semver", Order::Semver),
            written(&self.calver, "calver", Order::Calver),
            written(&self.numerical, "numerical", Order::Numerical),
            written(&self.alphabetical, "alphabetical", Order::Alphabetical),
            written(&self.newest, "newest", Order::Newest),
            written(&self.digest, "digest", Order::Digest),
        ]
        .into_iter()
        .flatten()
        .collect()
    }

    /// The settings that are written, with the places of their keys.
    pub fn settings(&self) -> Vec<(Setting, Spot)> {
        let key = self.pattern.get().and_then(|at| at.value.key);
        [
            (Setting::Match, self.pattern.get().map(|at| at.key)),
            (Setting::Key, key),
            (Setting::Ignore, self.ignore.get().map(|at| at.key)),
            (
                Setting::Prereleases,
                self.prereleases.get().map(|at| at.key),
            ),
            (Setting::Loose, self.loose.get().map(|at| at.key)),
            (Setting::Level, self.level.get().map(|at| at.key)),
            (Setting::Variant, self.variant.get().map(|at| at.key)),
        ]
        .into_iter()
        .filter_map(|(setting, spot)| Some((setting, spot?)))
        .collect()
    }
}

/// What of `default` still counts under `own`: with an order of its own, no other order, and no
/// setting that means nothing to it.
fn beneath(own: &RawTags, default: RawTags) -> RawTags {
    let orders = own.orders();
    let Some(ordered) = orders.first() else {
        return default;
    };
    let heeds = |setting| {
        ordered
            .order
            .as_ref()
            .is_none_or(|order| order.heeds(setting))
    };
    fn keep<T>(heeds: bool, field: Field<T>) -> Field<T> {
        if heeds { field } else { Field::default() }
    }
    let keyed = default
        .pattern
        .get()
        .is_some_and(|at| at.value.key.is_some());
    let matches = heeds(Setting::Match) && (heeds(Setting::Key) || !keyed);
    RawTags {
        semver: Field::default(),
        calver: Field::default(),
        numerical: Field::default(),
        alphabetical: Field::default(),
        newest: Field::default(),
        digest: Field::default(),
        pattern: keep(matches, default.pattern),
        ignore: keep(heeds(Setting::Ignore), default.ignore),
        prereleases: keep(heeds(Setting::Prereleases), default.prereleases),
        loose: keep(heeds(Setting::Loose), default.loose),
        level: keep(heeds(Setting::Level), default.level),
        variant: keep(heeds(Setting::Variant), default.variant),
        ..default
    }
}

impl Scalar for Variant {
    fn parse(text: &str) -> Result<Self, Mistake> {
        match text {
            "keep" => Ok(Self::Keep),
            "any" => Ok(Self::Any),
            // After the version and a `-` a tag may have any of its characters.
            name if name.is_empty() || format!("1-{name}").parse::<Tag>().is_ok() => {
                Ok(Self::Named(name.to_owned()))
            }
            _ => Err(
                Mistake::new(format!("`{}` can't be part of a tag", shorten(text)))
                    .hint("write `keep`, `any`, or a name such as `alpine`"),
            ),
        }
    }
}

impl Scalar for Pattern {
    fn parse(text: &str) -> Result<Self, Mistake> {
        text.parse::<Self>()
            .map_err(|error| Mistake::new(error.to_string()))
    }
}

impl Scalar for Range {
    fn parse(text: &str) -> Result<Self, Mistake> {
        text.parse::<Self>()
            .map_err(|error| Mistake::new(error.to_string()).hint(error.hint()))
    }
}

impl Scalar for Format {
    fn parse(text: &str) -> Result<Self, Mistake> {
        text.parse::<Self>()
            .map_err(|error| Mistake::new(error.to_string()).hint(error.hint()))
    }
}

impl Scalar for Tag {
    fn parse(text: &str) -> Result<Self, Mistake> {
        text.parse::<Self>()
            .map_err(|error| Mistake::new(error.to_string()))
    }
}

impl Scalar for Platform {
    fn parse(text: &str) -> Result<Self, Mistake> {
        text.parse::<Self>()
            .map_err(|error| Mistake::new(error.to_string()))
    }
}

impl Scalar for End {
    fn parse(text: &str) -> Result<Self, Mistake> {
        let words = [Self::Highest, Self::Lowest].map(|end| (end.as_str(), end));
        choice(text, &words)
    }

    fn schema() -> Schema {
        json_schema!({"enum": ["highest", "lowest"]})
    }
}

impl Scalar for TimeOf {
    fn parse(text: &str) -> Result<Self, Mistake> {
        let words = [Self::Pushed, Self::Created].map(|which| (which.as_str(), which));
        choice(text, &words)
    }

    fn schema() -> Schema {
        json_schema!({"enum": ["pushed", "created"]})
    }
}

impl Scalar for Level {
    fn parse(text: &str) -> Result<Self, Mistake> {
        let words = [Self::Patch, Self::Minor, Self::Major].map(|level| (level.as_str(), level));
        choice(text, &words)
    }

    fn schema() -> Schema {
        json_schema!({"enum": ["patch", "minor", "major"]})
    }
}

impl Scalar for OnMissingTime {
    fn parse(text: &str) -> Result<Self, Mistake> {
        let words = [
            ("hold", Self::Hold),
            ("allow", Self::Allow),
            ("firstSeen", Self::FirstSeen),
        ];
        choice(text, &words)
    }

    fn schema() -> Schema {
        json_schema!({"enum": ["hold", "allow", "firstSeen"]})
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_have_a_meaning() {
        assert!(matches!(Variant::parse("keep"), Ok(Variant::Keep)));
        assert!(matches!(Variant::parse("any"), Ok(Variant::Any)));
        assert!(
            matches!(Variant::parse("alpine3.19"), Ok(Variant::Named(name)) if name == "alpine3.19")
        );
        assert!(matches!(Variant::parse(""), Ok(Variant::Named(name)) if name.is_empty()));
        assert!(Variant::parse("a b").is_err());
        assert_eq!(End::parse("lowest"), Ok(End::Lowest));
        assert_eq!(TimeOf::parse("created"), Ok(TimeOf::Created));
        assert_eq!(Level::parse("minor"), Ok(Level::Minor));
        let near = Level::parse("Minor").unwrap_err();
        assert_eq!(near.hint.as_deref(), Some("did you mean `minor`?"));
        assert_eq!(
            OnMissingTime::parse("firstSeen"),
            Ok(OnMissingTime::FirstSeen)
        );
    }
}
