//! An app file and a `defaults.yaml` as they are written: one mirror for each mapping.
//!
//! Invariant: every key of the files is here, also those whose work is not done, which are refused by
//! name. Each value is valid in itself; whether the values fit together is decided by `app`.

pub(super) mod approvals;
pub(super) mod conditions;
mod promotion;

use schemars::{Schema, json_schema};

use super::glob::PathGlob;
use super::name::{MarkerPattern, Name};
use super::presets::Preset;
use super::raw_service::push::PushMode;
use super::raw_tags::RawTags;
use super::read::{At, Scalar, Unsupported, Version, choice, mirror};
use super::report::Mistake;
use super::target::KeyPattern;
use crate::image::{Image, ParseError};
use crate::manifest::Part;
use crate::policy::Span;
use crate::policy::{Unordered, Write};
use approvals::{RawApprovals, RawFastLane};
use conditions::{RawCheck, RawFreeze, RawWindow};
pub use promotion::{After, Promote};

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
        /// A ready-made policy: its keys count where the app and the defaults nearer to it say
        /// nothing.
        extends = "extends": Preset,
        /// Other names of the image: where manifests name one of them, such as a mirror's.
        aliases = "aliases": Vec<At<Image>>,
        /// Not supported yet: earlier names of the app.
        formerly = "formerly": Unsupported,
        /// Which tags are acceptable; any release if nothing is said.
        tags = "tags": RawTags,
        /// What is written: `tag`, and the digest too where one is written already (if nothing is
        /// said); `tag@digest`, both everywhere; `digest` alone, of a tag that is followed.
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
        /// Apps of one group move together, stage by stage, or not at all.
        group = "group": Name,
        /// The stages; one named `default` over the whole repository if nothing is said.
        stages = "stages": Vec<At<RawStage>>,
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
        /// The stage that comes first, or a list of them: what all of them have run is promoted, and nothing
        /// else is taken.
        after = "after": After,
        /// What is promoted: the `newest` that has soaked (if nothing is said), or each in turn, by `queue`:
        /// the stages before take nothing newer until this one has taken or rejected what they run.
        promote = "promote": Promote,
        /// How long a reference must have run in the stages before without a break, such as `24h`; no time
        /// at all if nothing is said.
        soak = "soak": Span,
        /// When changes may be made: while any of these is open; always if nothing is said.
        windows = "windows": Vec<At<RawWindow>>,
        /// When no changes are made.
        freezes = "freezes": Vec<At<RawFreeze>>,
        /// Whose consent a change needs; nobody's if nothing is said.
        approvals = "approvals": RawApprovals,
        /// What a decision to deploy needs: what the stage asks for if nothing is said.
        fast_lane = "fastLane": RawFastLane,
        /// What must be green before a change is made.
        checks = "checks": Vec<At<RawCheck>>,
        /// How its changes are published, if more strictly than the repository's: `off`, `pullRequest` or
        /// `direct`.
        push = "push": PushMode,
    }
}

impl Scalar for Write {
    fn parse(text: &str) -> Result<Self, Mistake> {
        let words = [
            ("tag", Self::Tag),
            ("tag@digest", Self::TagAndDigest),
            ("digest", Self::Digest),
        ];
        choice(text, &words)
    }

    fn schema() -> Schema {
        json_schema!({"enum": ["tag", "tag@digest", "digest"]})
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_have_a_meaning() {
        assert_eq!(Unordered::parse("replace"), Ok(Unordered::Replace));
        assert!(Unordered::parse("Replace").is_err());
        assert_eq!(Write::parse("tag@digest"), Ok(Write::TagAndDigest));
        assert!(Write::parse("tags").is_err());
    }

    #[test]
    fn an_image_has_no_tag_here() {
        assert!(<Image as Scalar>::parse("ghcr.io/acme/shop").is_ok());
        let mistake = <Image as Scalar>::parse("ghcr.io/acme/shop:1").unwrap_err();
        assert!(mistake.hint.unwrap().contains("`tags`"));
    }
}
