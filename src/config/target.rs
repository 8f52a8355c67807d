//! Targets: values that an app names by file and key, where nothing in the file says whose they are.
//!
//! Invariant: a target's path is one, also with the app's name filled in, and it keeps the place where
//! it is written, which may be a `defaults.yaml`, for messages about what it leads to.

use schemars::{Schema, json_schema};

use super::glob::{Globs, PathGlob};
use super::name::{APP, Name};
use super::raw_app::RawTarget;
use super::read::{At, Scalar, choice};
use super::report::{Mistake, Report};
use crate::diag::Position;
use crate::manifest::{KeyPath, KeyPathError, Part, TargetPath};

/// Values that an app writes in the files that a glob names.
#[derive(Debug, Clone)]
pub struct Target {
    /// The files.
    pub files: Globs,
    /// The path in them, and what is written there.
    pub lookup: TargetPath,
    /// The file that says so, and where in it.
    pub at: (String, Position),
}

/// A path of keys, in which the name of the app may be left open.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct KeyPattern(String);

impl Scalar for KeyPattern {
    fn parse(text: &str) -> Result<Self, Mistake> {
        match text.replace(APP, "app").parse::<KeyPath>() {
            Ok(_) => Ok(Self(text.to_owned())),
            Err(error) => Err(mistake(&error)),
        }
    }

    fn schema() -> Schema {
        json_schema!({"type": "string", "minLength": 1})
    }
}

fn mistake(error: &KeyPathError) -> Mistake {
    let mistake = Mistake::new(error.to_string());
    match error {
        KeyPathError::Selector(_) => {
            mistake.hint("write `[0]` for the first item, or `[name=app]` for those named so")
        }
        KeyPathError::Empty | KeyPathError::NoKey(_) | KeyPathError::Stray(_) => {
            mistake.hint("write `spec.image.tag`; a key with a dot, blank or bracket goes in `\"`")
        }
        KeyPathError::Open(_) => mistake.hint("close the quotes and brackets"),
        KeyPathError::TooLong => mistake,
    }
}

impl Scalar for Part {
    fn parse(text: &str) -> Result<Self, Mistake> {
        let words = [
            ("tag", Self::Tag),
            ("name", Self::Name),
            ("digest", Self::Digest),
            ("reference", Self::Whole),
        ];
        choice(text, &words)
    }

    fn schema() -> Schema {
        json_schema!({"enum": ["tag", "name", "digest", "reference"]})
    }
}

/// The target of a mirror, with the app's name filled in.
pub(super) fn convert(
    raw: At<RawTarget>,
    app: Option<&Name>,
    report: &mut Report<'_>,
) -> Option<Target> {
    let At {
        mut value, spot, ..
    } = raw;
    let (file, path, part) = (value.file.take(), value.path.take(), value.write.take());
    let (file, path, part) = (file?, path?, part?);
    let globs: [At<PathGlob>; 1] = [file];
    let files = Globs::of(&globs, app)
        .map_err(|mistake| report.error(globs[0].spot, mistake))
        .ok()?;
    let name = app.map_or(APP, Name::as_str);
    let written = path.value.0.replace(APP, name);
    let keys = written
        .parse()
        .map_err(|error| report.error(path.spot, mistake(&error)))
        .ok()?;
    Some(Target {
        files,
        lookup: TargetPath {
            app: name.to_owned(),
            path: keys,
            part: part.value,
        },
        at: (report.file(spot.source).to_owned(), path.spot.at),
    })
}
