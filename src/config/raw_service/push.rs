//! How changes are published, and the forge they go through, as it is written.
//!
//! Invariant: a token written into the file is refused without being quoted.

use std::num::NonZeroUsize;

use schemars::{Schema, json_schema};

use super::super::credential::{FilePath, Guard, Guarded, RawGitHubApp, Username};
use super::super::read::{At, Scalar, choice, mirror, shorten};
use super::super::report::Mistake;
use super::after_push::WebUrl;
use super::values::{Branch, Count};
use crate::forge::{Kind, Method};
use crate::secret::Secret;

/// How changes are published; what is listed later is less strict.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Default)]
pub enum PushMode {
    /// Nothing is written: plans are made and shown.
    Off,
    /// By pull requests, which others merge.
    PullRequest,
    /// To the branch itself.
    #[default]
    Direct,
}

/// The same as it is written.
const MODES: [(&str, PushMode); 3] = [
    ("off", PushMode::Off),
    ("pullRequest", PushMode::PullRequest),
    ("direct", PushMode::Direct),
];

impl Scalar for PushMode {
    fn parse(text: &str) -> Result<Self, Mistake> {
        choice(text, &MODES)
    }

    fn schema() -> Schema {
        json_schema!({"enum": MODES.map(|(word, _)| word)})
    }
}

mirror! {
    /// How changes are published.
    RawPush requires [] {
        /// `direct` pushes to the branch; `pullRequest` proposes; `off` plans and shows, and writes nothing.
        mode = "mode": PushMode,
        /// Which changes share a pull request: `appStage`, `stage`, or `path:N` for those below the same N
        /// folders.
        group = "group": PullGrouping,
        /// How many pull requests may be open, 1 to 10,000; 10 if nothing is said.
        open_pull_requests = "openPullRequests": Count,
        /// Whether something newer takes the place of what has been approved, dismissing the reviews.
        supersede = "supersede": bool,
        /// Whose closing of a pull request says nothing of the version: bots, by their names on the forge.
        ignored_closers = "ignoredClosers": Vec<At<String>>,
        /// Labels that pull requests get.
        labels = "labels": Vec<At<String>>,
        /// Who is asked for reviews: names on the forge, and `@org/team` where it has teams.
        reviewers = "reviewers": Vec<At<String>>,
        /// Whether they are opened as drafts.
        draft = "draft": bool,
        /// How the forge merges them by itself once all it requires is there; not at all if nothing is said.
        auto_merge = "autoMerge": Method,
        /// When a branch is made anew though it holds what is wanted: once the base has changed in the
        /// same files (`whenTouched`), or at all (`always`).
        rebuild = "rebuild": Rebuild,
        /// What the names of their branches begin with; `tagwright/` if nothing is said.
        branch_prefix = "branchPrefix": BranchPrefix,
    }
}

mirror! {
    /// The forge that the config repo is on; found from its URL as far as nothing is said.
    RawForge requires [] {
        /// Which kind it is.
        kind = "kind": Kind,
        /// Where its interface is, such as `https://ghe.example.com/api/v3`.
        api = "api": WebUrl,
        /// The repository as the forge knows it, such as `acme/fleet`.
        repository = "repository": String,
        /// As whom it is asked; as Git is, if nothing is said.
        credentials = "credentials": Guarded<RawForgeCredentials>,
        /// Certificate authorities trusted besides the system's: a PEM file.
        ca = "ca": FilePath,
        /// Whether credentials may go to other machines without encryption.
        plain_http = "plainHttp": bool,
    }
}

mirror! {
    /// As whom a forge is asked: a token, a user and password, or a GitHub App.
    RawForgeCredentials requires [] {
        /// An access token.
        token = "token": Secret,
        /// The user of HTTP Basic authentication.
        username = "username": Username,
        /// Its password or token.
        password = "password": Secret,
        /// A GitHub App, whose installation tokens are used.
        github_app = "githubApp": Guarded<RawGitHubApp>,
    }
}

impl Guard for RawForgeCredentials {
    const SHOWN: &'static [&'static str] = &["username"];
}

/// Which changes share a pull request.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum PullGrouping {
    /// Those of one app and stage.
    #[default]
    AppStage,
    /// Those of one stage, whatever the app.
    Stage,
    /// Those below the same folders, as many as this from the root.
    Path(NonZeroUsize),
}

impl Scalar for PullGrouping {
    fn parse(text: &str) -> Result<Self, Mistake> {
        let depth = text.strip_prefix("path:").map(str::parse);
        match (text, depth) {
            ("appStage", _) => Ok(Self::AppStage),
            ("stage", _) => Ok(Self::Stage),
            (_, Some(Ok(depth))) => Ok(Self::Path(depth)),
            _ => Err(
                Mistake::new(format!("`{}` is not known here", shorten(text)))
                    .hint("one of appStage, stage, or path:N with a number of folders"),
            ),
        }
    }

    fn schema() -> Schema {
        json_schema!({
            "type": "string",
            "pattern": "^(appStage|stage|path:[1-9][0-9]*)$",
            "default": "appStage"
        })
    }
}

/// When a branch is made anew though it holds what is wanted.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Rebuild {
    /// When the base has changed in a file that it changes.
    #[default]
    WhenTouched,
    /// Whenever the base has moved.
    Always,
}

/// The same as it is written.
const REBUILDS: [(&str, Rebuild); 2] = [
    ("whenTouched", Rebuild::WhenTouched),
    ("always", Rebuild::Always),
];

impl Scalar for Rebuild {
    fn parse(text: &str) -> Result<Self, Mistake> {
        choice(text, &REBUILDS)
    }

    fn schema() -> Schema {
        json_schema!({"enum": REBUILDS.map(|(word, _)| word), "default": "whenTouched"})
    }
}

/// What the names of the service's own branches begin with.
#[derive(Debug, Clone)]
pub struct BranchPrefix(pub String);

impl Scalar for BranchPrefix {
    fn parse(text: &str) -> Result<Self, Mistake> {
        match Branch::parse(&format!("{text}x")) {
            Ok(_) if text.ends_with('/') => Ok(Self(text.to_owned())),
            _ => Err(Mistake::new(format!(
                "`{}` is not the start of branch names",
                shorten(text)
            ))
            .hint("write a folder of its own, such as `tagwright/`")),
        }
    }

    fn schema() -> Schema {
        json_schema!({"type": "string", "pattern": "/$", "default": "tagwright/"})
    }
}

impl Scalar for Kind {
    fn parse(text: &str) -> Result<Self, Mistake> {
        match text {
            "forgejo" => Ok(Self::Gitea),
            _ => choice(text, &Self::NAMES),
        }
    }

    fn schema() -> Schema {
        let words = Self::NAMES.map(|(word, _)| word);
        json_schema!({"enum": [words[0], words[1], words[2], "forgejo", words[3], words[4], words[5]]})
    }
}

/// Ways to merge as they are written.
const METHODS: [(&str, Method); 3] = [
    ("merge", Method::Merge),
    ("squash", Method::Squash),
    ("rebase", Method::Rebase),
];

impl Scalar for Method {
    fn parse(text: &str) -> Result<Self, Mistake> {
        choice(text, &METHODS)
    }

    fn schema() -> Schema {
        json_schema!({"enum": METHODS.map(|(word, _)| word)})
    }
}
