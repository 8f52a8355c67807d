//! `demo`: the whole job on this machine: a registry, a config repo, the service, and releases that
//! it picks up while one watches.
//!
//! Invariant: the service that runs here is the one that `serve` runs, from a configuration file that
//! the same code has read. Only loopback is used, and nothing is left behind unless asked.

mod production;

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use anyhow::Context as _;
use clap::Args;
use tokio::sync::{mpsc, watch};

use crate::cli::output::{Exit, Output};
use crate::cli::serve;
use crate::cli::view::{self, StageView};
use crate::clock::Clock;
use crate::config;
use crate::demo::registry::Registry;
use crate::demo::world::{Outcome, Release, World};
use crate::driver::OnPass;
use crate::image::{Image, Tag};
use crate::reconcile::prepare::Prepared;
use crate::reconcile::{Pass, PassResult};
use crate::state::State;

/// Shows the whole job on this machine, with nothing installed and nothing left behind
#[derive(Debug, Args)]
pub struct Demo {
    /// Make every release at once and exit when the last one has landed
    #[arg(long)]
    once: bool,
    /// Put the config repo and the cache here and keep them
    #[arg(long, value_name = "DIR")]
    keep: Option<PathBuf>,
}

/// Time between releases when a person watches: enough to read a diff.
const PAUSE: Duration = Duration::from_secs(8);

/// Longest wait for a release to be dealt with. A pass takes milliseconds and starts every second.
const PATIENCE: Duration = Duration::from_secs(20);

/// Passes that may wait to be printed; between two releases there are as many as seconds.
const WAITING: usize = 256;

/// What the demo hears of a pass.
struct Heard {
    landed: Vec<(crate::git::CommitId, Prepared)>,
    /// Every verdict of the pass: image, tag, reason.
    verdicts: Vec<(Image, Tag, String)>,
    /// What the stage that asks for approvals comes to.
    production: Option<StageView>,
    refused: Option<String>,
}

/// Runs the command.
///
/// # Errors
/// When the registry, the config repo or the service can't be set up, or a release isn't picked up.
pub async fn run(arguments: &Demo, output: Output) -> anyhow::Result<Exit> {
    let temporary;
    let kept;
    let folder: &Path = match &arguments.keep {
        Some(folder) => {
            // Absolute, as the URL of a config repo must be told from a host's name.
            kept = std::fs::create_dir_all(folder)
                .and_then(|()| folder.canonicalize())
                .with_context(|| format!("{} can't be made", folder.display()))?;
            &kept
        }
        None => {
            temporary = tempfile::tempdir().context("no temporary folder can be made")?;
            temporary.path()
        }
    };
    let clock = Clock::system();
    let registry = Registry::start().context("the demo's registry can't listen on loopback")?;
    let world = World::create(folder, &registry.host(), clock.now())?;
    for push in world.images() {
        registry.push(push.repository, &push.tag, &push.image);
    }
    let file = folder.join("tagwright.yaml");
    let text = world.service_config();
    std::fs::write(&file, &text).with_context(|| format!("{} can't be written", file.display()))?;
    let loaded = config::service(&file.display().to_string(), &text);
    output.diagnostics(&loaded.diagnostics);
    let service = loaded
        .value
        .context("the demo's configuration is invalid")?;
    introduce(&registry, &world, output);

    let (heard, mut passes) = mpsc::channel(WAITING);
    let on_pass: OnPass = Arc::new(move |_, pass| {
        // Nobody listens once the last release is over.
        let _ = heard.try_send(Heard::of(pass));
    });
    let state = State::own(&folder.join("cache"))?;
    let (switch, stop) = watch::channel(false);
    let interrupted = serve::stop_on_signal()?;
    let running = tokio::spawn({
        let clock = clock.clone();
        async move { serve::serve(&service, state, clock, on_pass, stop).await }
    });
    let mut show = Show {
        registry: &registry,
        world: &world,
        clock: &clock,
        passes: &mut passes,
        commits: 0,
        output,
    };
    let mut stopped = interrupted.clone();
    let shown = tokio::select! {
        shown = show.run(arguments.once) => shown,
        _ = stopped.wait_for(|stop| *stop) => Ok(()),
    };
    let commits = show.commits;
    let _ = switch.send(true);
    running.await.context("the service ended unexpectedly")??;
    shown?;
    conclude(commits, arguments.keep.as_deref(), &world, output);
    Ok(Exit::Done)
}

impl Heard {
    fn of(pass: &Pass) -> Self {
        let observation = &pass.observation;
        let landed = match &pass.result {
            PassResult::Landed(commits) => commits
                .iter()
                .copied()
                .zip(observation.preparation.commits.iter().cloned())
                .collect(),
            _ => Vec::new(),
        };
        let verdicts = observation
            .plan
            .stages
            .iter()
            .flat_map(|stage| {
                let image = &observation.snapshot.apps[stage.key.app].image;
                let verdicts = stage.selection.iter().flat_map(|s| &s.verdicts);
                verdicts.map(|verdict| {
                    (
                        image.clone(),
                        verdict.tag.clone(),
                        verdict.reason.to_string(),
                    )
                })
            })
            .collect();
        let refused = match &pass.result {
            PassResult::Refused(words) => Some(words.clone()),
            _ => None,
        };
        Self {
            landed,
            verdicts,
            production: production::view_of(observation),
            refused,
        }
    }
}

/// The demo under way.
struct Show<'a> {
    registry: &'a Registry,
    world: &'a World,
    clock: &'a Clock,
    passes: &'a mut mpsc::Receiver<Heard>,
    commits: usize,
    output: Output,
}

impl Show<'_> {
    async fn run(&mut self, once: bool) -> anyhow::Result<()> {
        // What is acceptable already, before anything is released.
        let first = self.hear("the first pass").await?;
        self.print(&first);
        for release in self.world.releases() {
            if !once {
                tokio::time::sleep(PAUSE).await;
            }
            self.release(release).await?;
        }
        self.promote(once).await?;
        if !once {
            self.output.note("That was all. Ctrl-C ends the demo.");
            std::future::pending::<()>().await;
        }
        Ok(())
    }

    async fn release(&mut self, release: &Release) -> anyhow::Result<()> {
        let name = format!(
            "{}/{}:{}",
            self.registry.host(),
            release.repository,
            release.tag
        );
        self.output.line(format!(
            "{} {name}\n         {}\n",
            self.output.paint("1;34", "released"),
            release.story
        ));
        let image = release.image(self.clock.now());
        self.registry.push(release.repository, release.tag, &image);
        tokio::time::timeout(PATIENCE, self.dealt_with(release))
            .await
            .with_context(|| format!("{name} was not dealt with in {} s", PATIENCE.as_secs()))?
    }

    /// Prints passes until one has taken the release, or said why not.
    async fn dealt_with(&mut self, release: &Release) -> anyhow::Result<()> {
        loop {
            let heard = self.hear(release.tag).await?;
            self.print(&heard);
            let landed = heard
                .landed
                .iter()
                .flat_map(|(_, prepared)| &prepared.changes)
                .any(|made| made.change.tag.as_str() == release.tag);
            let verdict = heard.verdicts.iter().find(|(image, tag, _)| {
                image.repository() == release.repository && tag.as_str() == release.tag
            });
            match (release.outcome, verdict) {
                (Outcome::Commit, _) if landed => return Ok(()),
                (Outcome::Nothing, Some((_, tag, reason))) => {
                    self.output.line(format!(
                        "{} {tag} {reason}\n",
                        self.output.paint("33", "not taken:")
                    ));
                    return Ok(());
                }
                _ => {}
            }
        }
    }

    async fn hear(&mut self, what: &str) -> anyhow::Result<Heard> {
        let heard = tokio::time::timeout(PATIENCE, self.passes.recv())
            .await
            .with_context(|| format!("{what} was not dealt with in {} s", PATIENCE.as_secs()))?
            .context("the service ended")?;
        match heard.refused {
            Some(words) => anyhow::bail!("the config repo refuses the push: {words}"),
            None => Ok(heard),
        }
    }

    fn print(&mut self, heard: &Heard) {
        for (commit, prepared) in &heard.landed {
            self.commits += 1;
            view::print_commit(prepared, Some(*commit), self.output);
        }
    }
}

fn introduce(registry: &Registry, world: &World, output: Output) {
    output.line(format!(
        "registry     http://{}/v2/ (in this process)\n\
         config repo  {}\n\
         \n\
         Staging updates itself. Production takes what staging has run for 3 seconds, and the shop's\n\
         waits for an approval as well.\n",
        registry.host(),
        world.repository().display()
    ));
}

fn conclude(commits: usize, kept: Option<&Path>, world: &World, output: Output) {
    output.line(format!(
        "{commits} commits landed in the config repo, each changing only image bytes."
    ));
    if kept.is_some() {
        let repository = world.repository().display();
        output.line(format!("Look at them: git -C {repository} log -p main"));
    }
}
