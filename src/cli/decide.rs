//! `approve`, `reject`, `hold`, `release`, `deploy` and `rollback`: a person's decision about a stage, as a
//! commit in the person's own name.
//!
//! Invariant: the commit is made by `git` in the person's clone, so who decided is who Git says. Where the
//! remote refuses it, the entry is printed, ready to be brought in another way.

use std::path::{Path, PathBuf};

use anyhow::{Context as _, anyhow, bail, ensure};
use clap::Args;
use jiff::Timestamp;
use serde::Serialize;

use crate::cli::check;
use crate::cli::output::{Exit, Output, has_errors};
use crate::config::App;
use crate::decision::{self, Decided, Decision};
use crate::git::{PersonsClone, Published, origin};
use crate::image::Reference;
use crate::policy::Recorded;
use crate::reconcile::claims::StageKey;
use crate::reconcile::running::Running;
use crate::reconcile::snapshot::{Memory, Snapshot};
use crate::reconcile::source::Source;
use crate::reconcile::trailer::trailers;

/// Which stage, and in which clone.
#[derive(Debug, Args)]
pub struct Place {
    /// The app
    app: String,
    /// Its stage
    stage: String,
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
}

/// Consents to a tag for a stage, and ends what holds against it
#[derive(Debug, Args)]
pub struct Approve {
    #[command(flatten)]
    place: Place,
    /// The tag, or TAG@DIGEST
    tag: String,
}

/// Rules out a tag for a stage
#[derive(Debug, Args)]
pub struct Reject {
    #[command(flatten)]
    place: Place,
    /// The tag, or TAG@DIGEST
    tag: String,
    /// Why
    #[arg(long)]
    reason: Option<String>,
}

/// Stops changes to a stage
#[derive(Debug, Args)]
pub struct Hold {
    #[command(flatten)]
    place: Place,
    /// Why
    #[arg(long)]
    reason: String,
    /// When it ends by itself, such as 2026-12-01T09:00:00Z
    #[arg(long, value_name = "TIME")]
    until: Option<Timestamp>,
}

/// Ends the hold of a stage
#[derive(Debug, Args)]
pub struct Release {
    #[command(flatten)]
    place: Place,
}

/// Has a stage run a tag, also an older one
#[derive(Debug, Args)]
pub struct Deploy {
    #[command(flatten)]
    place: Place,
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
    place: Place,
    /// The tag, or TAG@DIGEST [default: what it ran before]
    tag: Option<String>,
    /// Why
    #[arg(long)]
    reason: Option<String>,
}

#[derive(Serialize)]
struct Report {
    /// `pushed` or `refused`.
    result: &'static str,
    app: String,
    stage: String,
    file: String,
    entry: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    commit: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    message: Option<String>,
}

/// Runs `approve`.
///
/// # Errors
/// When the stage is not known, or `git` can't make the commit; likewise below.
pub fn approve(arguments: &Approve, config: Option<&Path>, output: Output) -> anyhow::Result<Exit> {
    let desk = Desk::open(&arguments.place, config)?;
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
    let desk = Desk::open(&arguments.place, config)?;
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
    let decision = Decision::Hold {
        reason: arguments.reason.clone(),
        until: arguments.until,
    };
    Desk::open(&arguments.place, config)?.publish(&[decision], output)
}

/// Runs `release`.
///
/// # Errors
/// As [`approve`].
pub fn release(arguments: &Release, config: Option<&Path>, output: Output) -> anyhow::Result<Exit> {
    Desk::open(&arguments.place, config)?.publish(&[Decision::Release], output)
}

/// Runs `deploy`.
///
/// # Errors
/// As [`approve`].
pub fn deploy(arguments: &Deploy, config: Option<&Path>, output: Output) -> anyhow::Result<Exit> {
    let desk = Desk::open(&arguments.place, config)?;
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
    let desk = Desk::open(&arguments.place, config)?;
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

/// A person's clone, and the stage that is decided about.
struct Desk {
    snapshot: Snapshot,
    key: StageKey,
    clone: PersonsClone,
}

impl Desk {
    fn open(place: &Place, config: Option<&Path>) -> anyhow::Result<Self> {
        let origin = origin(&place.path)
            .with_context(|| format!("{} is no Git clone", place.path.display()))?;
        let branch = place.branch.clone().or(origin.branch);
        let branch = branch.context("no branch is checked out: name the remote's with --branch")?;
        let mut diagnostics = Vec::new();
        let entries = check::entries(
            &check::Tree {
                path: &place.path,
                repository: place.repository.as_deref(),
                policies: &place.policies,
            },
            config,
            &mut diagnostics,
        )?
        .context("the configuration can't be used; `tagwright check` tells why")?;
        let source = Source::Folder(&place.path);
        let snapshot = Snapshot::take(source, &entries, &mut Memory::default())?;
        let key = stage_of(&snapshot, &place.app, &place.stage)?;
        Ok(Self {
            clone: PersonsClone::new(&place.path, &place.remote, &branch),
            snapshot,
            key,
        })
    }

    fn app(&self) -> &App {
        &self.snapshot.apps[self.key.app]
    }

    /// `TAG` or `TAG@DIGEST` of the app's image.
    fn decided(&self, text: &str) -> anyhow::Result<Decided> {
        let image = &self.app().image;
        let reference: Reference = format!("{image}:{text}")
            .parse()
            .with_context(|| format!("`{text}` is no tag"))?;
        let tag = reference
            .tag()
            .with_context(|| format!("`{text}` is no tag"))?;
        Ok(Decided {
            image: image.clone(),
            tag: tag.clone(),
            digest: reference.digest().cloned(),
        })
    }

    fn running(&self) -> Running {
        let stage = &self.app().stages[self.key.stage];
        let claims = &self.snapshot.claims;
        let sites: Vec<_> = claims.stages[&self.key]
            .iter()
            .filter(|site| !claims.overridden.contains(site))
            .map(|site| {
                (
                    *site,
                    &self.snapshot.files[site.file].index.sites[site.site],
                )
            })
            .collect();
        Running::of(&stage.policy, &sites, Recorded::default())
    }

    /// The tag that the stage runs, as the clone's files say.
    fn runs(&self) -> Option<String> {
        match self.running() {
            Running::One(version)
            | Running::Split {
                highest: version, ..
            } => Some(version.tag.to_string()),
            Running::Nothing | Running::Unordered(_) => None,
        }
    }

    /// What the stage ran before the service's latest change to it, if that is what it runs.
    fn previous(&self) -> anyhow::Result<String> {
        let (app, stage) = self.snapshot.names(self.key);
        let line = format!("Tagwright-Change: v1 app={app} stage={stage} ");
        let message = self.clone.latest_message(&line)?;
        let own = trailers(&message).find(|trailer| (trailer.app, trailer.stage) == (app, stage));
        let runs = self.runs();
        own.filter(|trailer| Some(trailer.to.tag.as_str()) == runs.as_deref())
            .and_then(|trailer| trailer.from)
            .map(|from| from.to_string())
            .ok_or_else(|| anyhow!("it isn't known what the stage ran before: name the tag"))
    }

    fn publish(&self, decisions: &[Decision], output: Output) -> anyhow::Result<Exit> {
        let (app, stage) = self.snapshot.names(self.key);
        let file = decision::file_of(app, stage);
        let words: Vec<&str> = decisions.iter().map(Decision::word).collect();
        let mut message = format!("{app}: {} {stage}", words.join(" and "));
        let reason = decisions.iter().rev().find_map(Decision::reason);
        if let Some(reason) = reason {
            message.push_str(&format!("\n\n{reason}"));
        }
        let change = |before: &str| decision::append(before, decisions);
        let published = self.clone.publish(&file, &message, change)?;
        let (result, commit, refusal) = match published {
            Published::Pushed(id) => ("pushed", Some(id), None),
            Published::Refused(words) => ("refused", None, Some(words)),
        };
        let report = Report {
            result,
            app: app.to_owned(),
            stage: stage.to_owned(),
            file,
            entry: decision::append("", decisions),
            commit,
            message: refusal,
        };
        if output.is_json() {
            output.json(&report);
        } else {
            print(&report, output);
        }
        Ok(match report.commit {
            Some(_) => Exit::Done,
            None => Exit::Failed,
        })
    }
}

fn stage_of(snapshot: &Snapshot, app: &str, stage: &str) -> anyhow::Result<StageKey> {
    let mut apps = snapshot.apps.iter();
    let Some(place) = apps.position(|known| known.name.as_str() == app) else {
        let why = match has_errors(&snapshot.diagnostics) {
            true => "; `tagwright check` tells what is wrong with app files",
            false => "",
        };
        bail!("the clone has no valid app named `{app}`{why}");
    };
    let stages = &snapshot.apps[place].stages;
    let named = stages.iter().position(|known| known.name.as_str() == stage);
    let known = || {
        stages
            .iter()
            .map(|stage| stage.name.as_str())
            .collect::<Vec<_>>()
    };
    let stage = named
        .with_context(|| format!("`{app}` has no stage `{stage}`, but {}", known().join(", ")))?;
    Ok(StageKey { app: place, stage })
}

fn print(report: &Report, output: Output) {
    match (&report.commit, &report.message) {
        (Some(commit), _) => output.note(format!("pushed as commit {commit}")),
        (None, refusal) => {
            output.note(format!(
                "the remote refused it: {}",
                refusal.as_deref().unwrap_or_default()
            ));
            output.note(format!(
                "add this at the end of {} in another way:",
                report.file
            ));
        }
    }
    output.raw(&report.entry);
}
