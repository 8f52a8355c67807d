//! Folders of the config repo, as paths from its root.
//!
//! Invariant: a folder path is relative, has no `.`, `..` or empty part, and ends without a slash;
//! it is never the whole repository.

use std::fmt;
use std::str::FromStr;

use schemars::{Schema, json_schema};

use super::read::{Scalar, shorten};
use super::report::Mistake;

/// A folder of the config repo.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct FolderPath(String);

impl FolderPath {
    /// The path, without a final slash.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// Whether a file or folder is somewhere below this folder.
    pub fn contains(&self, path: &str) -> bool {
        path.strip_prefix(self.as_str())
            .is_some_and(|rest| rest.starts_with('/'))
    }
}

impl fmt::Display for FolderPath {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/", self.0)
    }
}

impl FromStr for FolderPath {
    type Err = InvalidFolder;

    fn from_str(text: &str) -> Result<Self, InvalidFolder> {
        Self::parse(text).map_err(|mistake| InvalidFolder(mistake.message))
    }
}

/// A text that names no folder in a repository.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub struct InvalidFolder(String);

impl Scalar for FolderPath {
    fn parse(text: &str) -> Result<Self, Mistake> {
        let wrong = |what: &str| Mistake::new(format!("`{}` {what}", shorten(text)));
        let path = text.strip_prefix("./").unwrap_or(text);
        let path = path.strip_suffix('/').unwrap_or(path);
        if text.starts_with('/') {
            return Err(
                wrong("starts with `/`").hint("folders are relative to the repository's root")
            );
        }
        if matches!(path, "" | ".") {
            let hint = "give the policies a folder of their own, such as `policies/`";
            return Err(wrong("is the whole repository").hint(hint));
        }
        if path.contains(['*', '?', '[', '{', '\\']) {
            return Err(
                wrong("is not a plain path").hint("name one folder; globs have no meaning here")
            );
        }
        if path.split('/').any(|part| matches!(part, "" | "." | "..")) {
            return Err(wrong("has an empty, `.` or `..` part"));
        }
        Ok(Self(path.to_owned()))
    }

    fn schema() -> Schema {
        json_schema!({"type": "string", "minLength": 1})
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_folder_is_plain_and_inside() {
        for (text, folder) in [
            ("policies", Some("policies")),
            ("policies/", Some("policies")),
            ("./policies/", Some("policies")),
            ("teams/a/policies", Some("teams/a/policies")),
            ("", None),
            (".", None),
            ("./", None),
            ("/policies", None),
            ("a//b", None),
            ("a/../b", None),
            ("..", None),
            ("a/*", None),
        ] {
            let parsed = FolderPath::parse(text).ok();
            assert_eq!(parsed.as_ref().map(FolderPath::as_str), folder, "{text}");
        }
    }

    #[test]
    fn a_folder_holds_what_is_below() {
        let folder = FolderPath::parse("a/b").unwrap();
        for (path, inside) in [
            ("a/b/c.yaml", true),
            ("a/b/c/d.yaml", true),
            ("a/b", false),
            ("a/bc/d.yaml", false),
            ("x/a/b/c.yaml", false),
        ] {
            assert_eq!(folder.contains(path), inside, "{path}");
        }
    }
}
