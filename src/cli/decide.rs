//! `approve`, `reject`, `hold`, `release`, `deploy` and `rollback`: a person's decision about a stage, as a
//! commit in the person's own name.
//!
//! Invariant: the commit is made by `git` in the person's clone, so who decided is who Git says. Where the
//! branch refuses it, it goes to a branch of its own with a pull request; where that can't be done, the
//! entry is printed, ready to be brought in another way.

mod consent;
mod desk;
mod letter;
mod propose;

use std::path::{Path, PathBuf};

use anyhow::ensure;
use clap::Args;
use jiff::Timestamp;
use reqwest::Url;

use crate::cli::output::{Exit, Output};
use crate::decision::Decision;
use crate::decision::freeze::{Freezing, Stages};
use crate::forge::Kind;

use desk::{Desk, freeze};

/// Which stage, and in which clone.
#[derive(Debug, Args)]
pub struct Stage {
    /// The app
    app: String,
    /// Its stage
    stage: String,
    #[command(flatten)]
    place: Place,
}

/// Which stage or stages, and in which clone.
#[derive(Debug, Args)]
pub struct StageOrAll {
    /// The app
    #[arg(required_unless_present = "all", conflicts_with = "all")]
    app: Option<String>,
    /// Its stage
    #[arg(required_unless_present = "all", conflicts_with = "all")]
    stage: Option<String>,
    /// Every app, by an entry in the freezes file
    #[arg(long)]
    all: bool,
    /// With --all: only stages of this name; may be given more than once
    #[arg(long = "stage", value_name = "STAGE", requires = "all")]
    stages: Vec<String>,
    #[command(flatten)]
    place: Place,
}

/// In which clone.
#[derive(Debug, Clone, Args)]
pub struct Place {
    /// A clone of the config repo; its files and branches stay as they are
    #[arg(long, value_name = "DIR", default_value = ".")]
    path: PathBuf,
    /// The config repo that PATH is a clone of, where the configuration has several
    #[arg(long, value_name = "NAME")]
    repository: Option<String>,
    /// A policies folder in the clone, where there is no configuration
    #[arg(long, value_name = "DIR", default_value = "policies/")]
    policies: String,
    /// The clone's remote
    #[arg(long, value_name = "NAME", default_value = "origin")]
    remote: String,
    /// The remote's branch [default: the one that is checked out]
    #[arg(long, value_name = "NAME")]
    branch: Option<String>,
    #[command(flatten)]
    proposing: Proposing,
}

/// Whether a pull request is opened, and at which forge.
#[derive(Debug, Clone, Args)]
pub struct Proposing {
    /// Open a pull request instead of pushing to the branch
    #[arg(long, conflicts_with = "no_pull_request")]
    pull_request: bool,
    /// Open none where the branch refuses the push
    #[arg(long)]
    no_pull_request: bool,
    /// The forge that the remote is on, such as github or gitlab [default: told by its URL]
    #[arg(long, value_name = "KIND", env = "TAGWRIGHT_FORGE", value_parser = propose::kind)]
    forge: Option<Kind>,
    /// Where the forge's interface is, such as https://ghe.example.com/api/v3
    #[arg(long, value_name = "URL", env = "TAGWRIGHT_FORGE_API")]
    forge_api: Option<Url>,
    /// The repository as the forge knows it, such as acme/fleet
    #[arg(long, value_name = "PATH", env = "TAGWRIGHT_FORGE_REPOSITORY")]
    forge_repository: Option<String>,
}

/// Consents to a tag for a stage, and ends what holds against it
#[derive(Debug, Args)]
pub struct Approve {
    #[command(flatten)]
    stage: Stage,
    /// The tag, or TAG@DIGEST
    tag: String,
}

/// Rules out a tag for a stage
#[derive(Debug, Args)]
pub struct Reject {
    #[command(flatten)]
    stage: Stage,
    /// The tag, or TAG@DIGEST
    tag: String,
    /// Why
    #[arg(long)]
    reason: Option<String>,
}

/// Stops changes to a stage, or to stages of all apps
#[derive(Debug, Args)]
pub struct Hold {
    #[command(flatten)]
    of: StageOrAll,
    /// Why
    #[arg(long)]
    reason: String,
    /// When it ends by itself, such as 2026-12-01T09:00:00Z
    #[arg(long, value_name = "TIME")]
    until: Option<Timestamp>,
}

/// Ends the hold of a stage, or a freeze of stages of all apps
#[derive(Debug, Args)]
pub struct Release {
    #[command(flatten)]
    of: StageOrAll,
}

/// Has a stage run a tag, also an older one
#[derive(Debug, Args)]
pub struct Deploy {
    #[command(flatten)]
    stage: Stage,
    /// The tag, or TAG@DIGEST
    tag: String,
    /// Why
    #[arg(long)]
    reason: Option<String>,
}

/// Goes back to what a stage ran before, and holds it there
#[derive(Debug, Args)]
pub struct Rollback {
    #[command(flatten)]
    stage: Stage,
    /// The tag, or TAG@DIGEST [default: what it ran before]
    tag: Option<String>,
    /// Why
    #[arg(long)]
    reason: Option<String>,
}

/// Runs `approve`.
///
/// # Errors
/// When the stage is not known, or `git` can't make the commit; likewise below.
pub fn approve(arguments: &Approve, config: Option<&Path>, output: Output) -> anyhow::Result<Exit> {
    let desk = Desk::open(&arguments.stage, config)?;
    let decision = Decision::Approve {
        what: desk.decided(&arguments.tag)?,
        replaces: desk.runs(),
    };
    desk.publish(&[decision], output)
}

/// Runs `reject`.
///
/// # Errors
/// As [`approve`].
pub fn reject(arguments: &Reject, config: Option<&Path>, output: Output) -> anyhow::Result<Exit> {
    let desk = Desk::open(&arguments.stage, config)?;
    let decision = Decision::Reject {
        what: desk.decided(&arguments.tag)?,
        reason: arguments.reason.clone(),
    };
    desk.publish(&[decision], output)
}

/// Runs `hold`.
///
/// # Errors
/// As [`approve`].
pub fn hold(arguments: &Hold, config: Option<&Path>, output: Output) -> anyhow::Result<Exit> {
    ensure!(!arguments.reason.is_empty(), "`--reason` is empty");
    let (reason, until) = (arguments.reason.clone(), arguments.until);
    match arguments.of.stage() {
        Some(stage) => {
            let decision = Decision::Hold { reason, until };
            Desk::open(&stage, config)?.publish(&[decision], output)
        }
        None => {
            let freezing = Freezing::Freeze {
                stages: arguments.of.stages(),
                from: None,
                until,
                reason: Some(reason),
            };
            freeze(&arguments.of.place, &freezing, config, output)
        }
    }
}

/// Runs `release`.
///
/// # Errors
/// As [`approve`].
pub fn release(arguments: &Release, config: Option<&Path>, output: Output) -> anyhow::Result<Exit> {
    match arguments.of.stage() {
        Some(stage) => Desk::open(&stage, config)?.publish(&[Decision::Release], output),
        None => {
            let freezing = Freezing::Release(arguments.of.stages());
            freeze(&arguments.of.place, &freezing, config, output)
        }
    }
}

impl StageOrAll {
    /// The one stage, unless it is about all apps.
    fn stage(&self) -> Option<Stage> {
        Some(Stage {
            app: self.app.clone()?,
            stage: self.stage.clone()?,
            place: self.place.clone(),
        })
    }

    fn stages(&self) -> Stages {
        match self.stages.is_empty() {
            true => Stages::All,
            false => Stages::Named(self.stages.clone()),
        }
    }
}

/// Runs `deploy`.
///
/// # Errors
/// As [`approve`].
pub fn deploy(arguments: &Deploy, config: Option<&Path>, output: Output) -> anyhow::Result<Exit> {
    let desk = Desk::open(&arguments.stage, config)?;
    let decision = Decision::Deploy {
        what: desk.decided(&arguments.tag)?,
        reason: arguments.reason.clone(),
    };
    desk.publish(&[decision], output)
}

/// Runs `rollback`.
///
/// # Errors
/// As [`approve`]; also where it isn't known what the stage ran before.
pub fn rollback(
    arguments: &Rollback,
    config: Option<&Path>,
    output: Output,
) -> anyhow::Result<Exit> {
    let desk = Desk::open(&arguments.stage, config)?;
    let tag = match &arguments.tag {
        Some(tag) => tag.clone(),
        None => desk.previous()?,
    };
    let reason = arguments.reason.clone();
    let what = desk.decided(&tag)?;
    let held = reason
        .clone()
        .unwrap_or_else(|| format!("rolled back to {}", what.tag));
    let decisions = [
        Decision::Deploy { what, reason },
        Decision::Hold {
            reason: held,
            until: None,
        },
    ];
    desk.publish(&decisions, output)
}
