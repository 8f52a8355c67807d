//! Which changes share a pull request, and what its branch is called.
//!
//! Invariant: the name of a branch is a function of the group alone, so that what is proposed later for the
//! same group goes to the same pull request; two groups never have one name.

use std::fmt::Write as _;

use crate::config::PullGrouping;
use crate::image::Digest;

/// Digits of a hash that keep two paths apart that would have one name; as many as commits are
/// shortened to.
const SHORT: usize = 12;

/// Changes that are proposed together.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub enum Group {
    /// Those of one app and stage.
    AppStage(String, String),
    /// Those of one stage, whatever the app.
    Stage(String),
    /// Those below one folder; empty for the root.
    Folder(String),
    /// Those of the apps that move together, by the name of their group, and one stage.
    Together(String, String),
}

impl Group {
    /// The group of a change to `stage` of `app` whose first edit is in `file`.
    pub fn of(by: PullGrouping, app: &str, stage: &str, file: &str) -> Self {
        match by {
            PullGrouping::AppStage => Self::AppStage(app.to_owned(), stage.to_owned()),
            PullGrouping::Stage => Self::Stage(stage.to_owned()),
            PullGrouping::Path(depth) => {
                let folder = file.rsplit_once('/').map_or("", |(folder, _)| folder);
                let parts: Vec<&str> = folder.split('/').take(depth.get()).collect();
                Self::Folder(parts.join("/"))
            }
        }
    }

    /// The group of a change to `stage` that is made with those of other apps: the same for all of them.
    pub fn together(by: PullGrouping, group: &str, stage: &str) -> Self {
        match by {
            PullGrouping::Stage => Self::Stage(stage.to_owned()),
            PullGrouping::AppStage | PullGrouping::Path(_) => {
                Self::Together(group.to_owned(), stage.to_owned())
            }
        }
    }

    /// The name of its branch. Names of apps and stages begin with a letter or digit, so the others'
    /// first parts can't be an app's.
    pub fn branch(&self, prefix: &str) -> String {
        match self {
            Self::AppStage(app, stage) => format!("{prefix}{app}/{stage}"),
            Self::Stage(stage) => format!("{prefix}_stage/{stage}"),
            Self::Folder(folder) if folder.is_empty() => format!("{prefix}_path/_root"),
            Self::Folder(folder) => format!("{prefix}_path/{}", word(folder)),
            Self::Together(group, stage) => format!("{prefix}_group/{group}/{stage}"),
        }
    }
}

/// The name of the status that says whether what comes from a branch may be merged; `rest` is the branch
/// without the prefix.
pub fn status(rest: &str) -> String {
    let rest = rest
        .strip_prefix("_stage/")
        .or_else(|| rest.strip_prefix("_path/"))
        .or_else(|| rest.strip_prefix("_group/"))
        .unwrap_or(rest);
    format!("tagwright/{rest}")
}

/// A path as one word of letters, digits and `-`, told apart from others by a hash where that says less.
fn word(path: &str) -> String {
    let mut word: String = path
        .chars()
        .map(|c| if c.is_ascii_alphanumeric() { c } else { '-' })
        .collect();
    if word != path {
        let digest = Digest::of(path.as_bytes()).to_string();
        let hex = digest.rsplit(':').next().unwrap_or_default();
        let _ = write!(word, "-{}", hex.get(..SHORT).unwrap_or(hex));
    }
    word
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::num::NonZeroUsize;

    #[test]
    fn a_group_has_one_branch_and_no_other_has_it() {
        let path = |depth| PullGrouping::Path(NonZeroUsize::new(depth).unwrap());
        let branch = |by, app, stage, file| Group::of(by, app, stage, file).branch("tagwright/");
        for (by, app, stage, file, expected) in [
            (
                PullGrouping::AppStage,
                "shop",
                "staging",
                "a/b.yaml",
                "tagwright/shop/staging",
            ),
            (
                PullGrouping::Stage,
                "shop",
                "staging",
                "a/b.yaml",
                "tagwright/_stage/staging",
            ),
            (
                path(1),
                "shop",
                "staging",
                "teams/a/b.yaml",
                "tagwright/_path/teams",
            ),
            (
                path(2),
                "shop",
                "staging",
                "teams/a/b.yaml",
                "tagwright/_path/teams-a-14690784633c",
            ),
            (
                path(3),
                "shop",
                "staging",
                "teams-a/b.yaml",
                "tagwright/_path/teams-a",
            ),
            (
                path(1),
                "shop",
                "staging",
                "b.yaml",
                "tagwright/_path/_root",
            ),
        ] {
            assert_eq!(branch(by, app, stage, file), expected, "{by:?} {file}");
        }
        for (by, expected) in [
            (PullGrouping::AppStage, "tagwright/_group/web/staging"),
            (path(2), "tagwright/_group/web/staging"),
            (PullGrouping::Stage, "tagwright/_stage/staging"),
        ] {
            let group = Group::together(by, "web", "staging");
            assert_eq!(group.branch("tagwright/"), expected, "{by:?}");
        }
    }
}
