//! An app file and a `defaults.yaml` as they are written: one mirror for each mapping.
//!
//! Invariant: every key of the files is here, also those whose work is not done, which are refused by
//! name. Each value is valid in itself; whether the values fit together is decided by `app`.

use schemars::{Schema, json_schema};

use super::glob::PathGlob;
use super::name::{MarkerPattern, Name};
use super::read::{At, Scalar, Unsupported, Version, choice, mirror, shorten, unsupported};
use super::report::Mistake;
use super::target::KeyPattern;
use crate::image::{Image, ParseError, Tag};
use crate::manifest::Part;
use crate::policy::{Pattern, Range, Unordered, Variant};

mirror! {
    /// An app: an image, its policy and its stages.
    RawApp requires ["version", "app", "image"] {
        /// The version of this format.
        version = "version": Version,
        /// What the app is called, in the whole config repo.
        app = "app": Name,
        /// The image, without tag or digest.
        image = "image": Image,
        /// Not supported yet: several images that share a tag.
        images = "images": Unsupported,
        /// Not supported yet: a ready-made policy to start from.
        extends = "extends": Unsupported,
        /// Not supported yet: other names of the image.
        aliases = "aliases": Unsupported,
        /// Not supported yet: earlier names of the app.
        formerly = "formerly": Unsupported,
        /// Which tags are acceptable; any release if nothing is said.
        tags = "tags": RawTags,
        /// What is written: `tag`, and the digest too where one is written already.
        write = "write": Write,
        /// What happens where a tag runs that has no place in the order, such as `latest`: `keep`
        /// it and say so (if nothing is said), or `replace` it.
        unordered = "unordered": Unordered,
        /// Whether sites are found by the image's name; `true` if nothing is said.
        detect = "detect": bool,
        /// The Flux marker the app answers to, as `NAMESPACE:NAME`; `{app}` is the app's name.
        marker = "marker": MarkerPattern,
        /// Values that are found by file and key, where no marker and no image's name says whose
        /// they are; `{app}` is the app's name.
        targets = "targets": Vec<At<RawTarget>>,
        /// Not supported yet: apps that move together.
        group = "group": Unsupported,
        /// The stages; one named `default` over the whole repository if nothing is said.
        stages = "stages": Vec<At<RawStage>>,
    }
}

mirror! {
    /// Which tags are acceptable and how they are ordered.
    RawTags requires [] {
        /// A range of semantic versions; `*` if nothing is said.
        semver = "semver": Range,
        /// Not supported yet: an order by calendar versions.
        calver = "calver": Unsupported,
        /// Not supported yet: an order by number.
        numerical = "numerical": Unsupported,
        /// Not supported yet: an order by text.
        alphabetical = "alphabetical": Unsupported,
        /// Not supported yet: an order by time.
        newest = "newest": Unsupported,
        /// Not supported yet: following one tag by its digest.
        digest = "digest": Unsupported,
        /// A regular expression that a tag must match somewhere; a group named `version` takes the
        /// version out of the tag.
        pattern = "match": Pattern,
        /// Globs over whole tags that are never chosen.
        ignore = "ignore": Vec<At<String>>,
        /// Whether pre-releases are acceptable; what the range says if nothing is said.
        prereleases = "prereleases": bool,
        /// Whether versions of one and two parts are acceptable; `false` if nothing is said.
        loose = "loose": bool,
        /// Not supported yet: the largest step.
        level = "level": Unsupported,
        /// What the suffix, such as `alpine`, must be: `keep` that of the tag that runs (if nothing
        /// is said), `any`, or a name; `""` is none.
        variant = "variant": Variant,
        /// Not supported yet: the platforms that must be there.
        platforms = "platforms": Unsupported,
        /// Not supported yet: how old a tag must be.
        minimum_age = "minimumAge": Unsupported,
        /// Not supported yet: what counts where a tag's age is unknown.
        on_missing_time = "onMissingTime": Unsupported,
        /// Not supported yet: how long a tag must be unchanged.
        settle = "settle": Unsupported,
    }
}

mirror! {
    /// A value that is found by file and key.
    RawTarget requires ["file", "path", "write"] {
        /// A path or glob of the config repo. Only files under a stage's paths count.
        file = "file": PathGlob,
        /// The keys that lead to the value, such as `spec.image.tag` or
        /// `containers[name=app].image`, in every document of the file that has them.
        path = "path": KeyPattern,
        /// What is written there: `reference`, `tag`, `name` or `digest`.
        write = "write": Part,
    }
}

mirror! {
    /// A stage: the paths of an environment.
    RawStage requires ["name", "paths"] {
        /// What the stage is called, such as `staging`.
        name = "name": Name,
        /// Globs and folders of the config repo; `{app}` is the app's name.
        paths = "paths": Vec<At<PathGlob>>,
        /// Globs and folders that are left out.
        exclude = "exclude": Vec<At<PathGlob>>,
        /// Not supported yet: the config repo of the stage.
        repository = "repository": Unsupported,
        /// Not supported yet: the image of the stage.
        image = "image": Unsupported,
        /// Which tags are acceptable in this stage; takes the place of the app's.
        tags = "tags": RawTags,
        /// Not supported yet: a reference that is kept.
        pin = "pin": Unsupported,
        /// Not supported yet: the stages that come first.
        after = "after": Unsupported,
        /// Not supported yet: how references are promoted.
        promote = "promote": Unsupported,
        /// Not supported yet: how long a reference must have run in the stages before.
        soak = "soak": Unsupported,
        /// Not supported yet: when changes may be made.
        windows = "windows": Unsupported,
        /// Not supported yet: when no changes may be made.
        freezes = "freezes": Unsupported,
        /// Not supported yet: whose consent is needed.
        approvals = "approvals": Unsupported,
        /// Not supported yet: the way around the conditions.
        fast_lane = "fastLane": Unsupported,
        /// Not supported yet: checks that must have passed.
        checks = "checks": Unsupported,
        /// Not supported yet: how changes are published.
        push = "push": Unsupported,
    }
}

/// What is written to a site: the tag, and the digest where one is written already.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Write;

impl Scalar for Write {
    fn parse(text: &str) -> Result<Self, Mistake> {
        match text {
            "tag@digest" | "digest" => Err(unsupported(text)),
            _ => choice(text, &[("tag", Self)]),
        }
    }

    fn schema() -> Schema {
        json_schema!({"enum": ["tag"]})
    }
}

impl Scalar for Image {
    fn parse(text: &str) -> Result<Self, Mistake> {
        text.parse().map_err(|error: ParseError| {
            let mistake = Mistake::new(error.to_string());
            match error {
                ParseError::NotAName(_) => {
                    mistake.hint("which tags are acceptable is said in `tags`")
                }
                _ => mistake.hint("write an image name, such as `ghcr.io/acme/shop`"),
            }
        })
    }

    fn schema() -> Schema {
        json_schema!({"type": "string", "minLength": 1})
    }
}

impl Scalar for Unordered {
    fn parse(text: &str) -> Result<Self, Mistake> {
        choice(text, &[("keep", Self::Hold), ("replace", Self::Replace)])
    }

    fn schema() -> Schema {
        json_schema!({"enum": ["keep", "replace"]})
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
        assert_eq!(Unordered::parse("replace"), Ok(Unordered::Replace));
        assert!(Unordered::parse("Replace").is_err());
        assert!(Write::parse("tag").is_ok());
        for later in ["tag@digest", "digest"] {
            let mistake = Write::parse(later).unwrap_err();
            assert!(mistake.message.contains("not supported yet"), "{later}");
        }
    }

    #[test]
    fn an_image_has_no_tag_here() {
        assert!(<Image as Scalar>::parse("ghcr.io/acme/shop").is_ok());
        let mistake = <Image as Scalar>::parse("ghcr.io/acme/shop:1").unwrap_err();
        assert!(mistake.hint.unwrap().contains("`tags`"));
    }
}
