//! Passes of a service: with nothing to do, after one commit, with many releases, after a restart.

use std::path::{Path, PathBuf};

use anyhow::Context as _;
use tagwright::clock::Clock;
use tagwright::demo::registry::Registry;
use tagwright::driver;
use tagwright::git::Mirror;
use tagwright::reconcile::{Freshness, Pass, PassResult, Reconciler};
use tagwright::state::State;
use tokio::runtime::Runtime;

use crate::child::{self, Report};
use crate::fleet::{self, Fleet};
use crate::index::{runs, shown};
use crate::measure::{Memory, Row, Samples, Took, timed};
use crate::plain;

const MANIFESTS: usize = 20_000;
const IMAGES: usize = 1_000;

/// A registry, a config repo and a service's reconciler, all in one folder.
struct Scene {
    fleet: Fleet,
    registry: Registry,
    bare: PathBuf,
    cache: PathBuf,
    runtime: Runtime,
    folder: tempfile::TempDir,
}

impl Scene {
    fn new(paths: &'static str, manifests: usize) -> anyhow::Result<Self> {
        let registry = Registry::start()?;
        let fleet = Fleet {
            paths,
            ..Fleet::new(registry.host(), manifests, IMAGES)
        };
        fleet.fill(&registry);
        let folder = tempfile::tempdir()?;
        Ok(Self {
            bare: fleet.bare(folder.path())?,
            cache: folder.path().join("cache"),
            runtime: Runtime::new()?,
            fleet,
            registry,
            folder,
        })
    }

    /// A reconciler that has made its first pass.
    fn reconciler(&self) -> anyhow::Result<Reconciler> {
        let mut reconciler = reconciler(&self.fleet.service_text(&self.bare, &self.cache))?.1;
        let pass = self.runtime.block_on(reconciler.pass(Freshness::Anew))?;
        sound(&pass)?;
        anyhow::ensure!(
            pass.result == PassResult::Nothing,
            "nothing was released yet"
        );
        Ok(reconciler)
    }

    fn pass(
        &self,
        reconciler: &mut Reconciler,
        freshness: Freshness,
    ) -> anyhow::Result<(Pass, Took)> {
        let (pass, time) = timed(|| self.runtime.block_on(reconciler.pass(freshness)));
        let pass = pass?;
        sound(&pass)?;
        Ok((pass, time))
    }
}

/// The state and the reconciler of a service file's one config repo.
pub fn reconciler(service: &str) -> anyhow::Result<(State, Reconciler)> {
    let service = fleet::service(service)?;
    let state = State::own(service.cache.as_deref().context("no cache folder")?)?;
    let reconcilers = driver::reconcilers(&service, &state, &Clock::system())?;
    let first = reconcilers.into_iter().next();
    Ok((state, first.context("no config repo")?))
}

/// A pass that left something out did less than is claimed for it.
fn sound(pass: &Pass) -> anyhow::Result<()> {
    let observation = &pass.observation;
    let (told, refused) = (
        &observation.snapshot.diagnostics,
        &observation.preparation.refused,
    );
    anyhow::ensure!(
        told.is_empty() && refused.is_empty(),
        "{told:?} {refused:?}"
    );
    anyhow::ensure!(
        observation.plan.stages.len() == IMAGES,
        "a stage is missing"
    );
    let failed = observation
        .plan
        .stages
        .iter()
        .find(|stage| matches!(stage.step, tagwright::reconcile::plan::Step::Blocked(_)));
    anyhow::ensure!(failed.is_none(), "{failed:?}");
    Ok(())
}

/// A pass with nothing new, and one after a person's commit, and how both grow.
pub fn unchanged_and_one_file() -> anyhow::Result<Vec<Row>> {
    let mut rows = Vec::new();
    for manifests in [MANIFESTS, 1_000, 100_000] {
        rows.extend(unchanged_and_one_file_of(manifests)?);
    }
    Ok(rows)
}

fn unchanged_and_one_file_of(manifests: usize) -> anyhow::Result<Vec<Row>> {
    const RUNS: usize = 21;
    let scene = Scene::new("clusters/**", manifests)?;
    let mut reconciler = scene.reconciler()?;
    let idle = Samples::take(RUNS, |_| {
        Ok(scene.pass(&mut reconciler, Freshness::ByInterval)?.1)
    })?;
    let mut mirror = mirror(&scene)?;
    let fetch = Samples::take(RUNS, |_| {
        let (head, time) = timed(|| mirror.fetch("main"));
        head?;
        Ok(time)
    })?;
    let one_file = Samples::take(RUNS, |run| {
        let number = run * 7;
        let text = scene.fleet.manifest(number, run + 2);
        fleet::commit(&scene.bare, &scene.fleet.path(number), &text)?;
        let (pass, time) = scene.pass(&mut reconciler, Freshness::ByInterval)?;
        let head = git2::Repository::open_bare(&scene.bare)?.refname_to_id("refs/heads/main")?;
        let base = pass.observation.base.map(|base| base.to_string());
        anyhow::ensure!(base == Some(head.to_string()), "the commit was not seen");
        Ok(time)
    })?;
    let idle = Row::new(
        format!("pass, nothing changed: {manifests} manifests, 1,000 apps"),
        idle,
    );
    let fetch = Row::new(
        "– of which the fetch from a folder (starts `git upload-pack`)",
        fetch,
    );
    let one_file = Row::new("– after a person's commit to one file", one_file);
    // The targets are for this size; the others show how it grows.
    Ok(match manifests {
        MANIFESTS => vec![idle.within(20), fetch, one_file.within(50)],
        _ => vec![idle, fetch, one_file],
    })
}

fn mirror(scene: &Scene) -> anyhow::Result<Mirror> {
    let service = scene.fleet.service(&scene.bare, &scene.cache)?;
    let repository = service.repositories.first().context("no repository")?;
    let folder = scene.folder.path().join("another-mirror");
    let mut mirror = Mirror::open(&folder, repository.remote.clone())?;
    mirror.fetch(&repository.branch)?;
    Ok(mirror)
}

/// Many images get a new tag each between two passes: each with one manifest, or with one in each of
/// 20 clusters.
pub fn many_apps_at_once() -> anyhow::Result<Vec<Row>> {
    let mut rows = releases()?;
    let folder = tempfile::tempdir()?;
    let fleet = Fleet::new("registry.example.com", MANIFESTS, IMAGES);
    rows.insert(1, plain::commits_and_push(&fleet, folder.path(), 500)?);
    Ok(rows)
}

fn releases() -> anyhow::Result<Vec<Row>> {
    [
        ("clusters/c00/**", 500, 1, Some(3_000)),
        ("clusters/**", 50, MANIFESTS / IMAGES, None),
    ]
    .into_iter()
    .map(|(paths, released, each, within)| {
        let files = released * each;
        let scene = Scene::new(paths, MANIFESTS)?;
        let mut reconciler = scene.reconciler()?;
        let times = Samples::take(3, |run| {
            for image in 0..released {
                let tag = format!("1.{}.0", fleet::TAGS + run);
                fleet::release(&scene.registry, image, &tag);
            }
            let (pass, time) = scene.pass(&mut reconciler, Freshness::Anew)?;
            let changed: usize = pass
                .observation
                .preparation
                .commits
                .iter()
                .map(|commit| commit.files.len())
                .sum();
            anyhow::ensure!(changed == files, "{changed} files were changed");
            let PassResult::Landed(commits) = pass.result else {
                anyhow::bail!("the push ended as {:?}", pass.result);
            };
            anyhow::ensure!(
                commits.len() == released,
                "{} commits landed",
                commits.len()
            );
            Ok(time)
        })?;
        let what = format!(
            "{released} of 1,000 apps change at once, {files} files: list, plan, edit, \
             {released} commits, push"
        );
        let row = Row::new(what, times);
        Ok(match within {
            Some(limit) => row.within(limit),
            None => row,
        })
    })
    .collect()
}

/// `sync` as a whole process with a warm cache, and what a service keeps in memory.
pub fn restart_and_rest() -> anyhow::Result<Vec<Row>> {
    let scene = Scene::new("clusters/**", MANIFESTS)?;
    let text = scene.fleet.service_text(&scene.bare, &scene.cache);
    let config = scene.folder.path().join("tagwright.yaml");
    std::fs::write(&config, text)?;
    let config = shown(&config);
    // The first one fills the cache.
    let cold = child::start("sync", &[&config])?;
    let (warm, peak) = runs("sync", "sync", &[&config], 5)?;
    let rest = child::start("rest", &[&config])?;
    let rest_times = Samples::new(vec![rest.took("pass")?]);
    Ok(vec![
        Row::new(
            "`sync`, empty cache folder, 1,000 images listed",
            Samples::new(vec![cold.took("sync")?]),
        )
        .memory(cold.peak()?),
        Row::new(
            "`sync` after a restart, nothing to do, 1,000 images listed",
            warm,
        )
        .memory(peak),
        Row::new(
            "a service at rest after its first passes: resident memory",
            rest_times,
        )
        .memory(rest.get("resident")?)
        .below(150)
        .note(format!("peak {} MB", rest.peak()? / 1_000_000)),
    ])
}

/// The case `sync`: the command as users run it, with the service file that is named.
pub fn sync(arguments: &[String]) -> anyhow::Result<Report> {
    use clap::Parser as _;
    let config = arguments.first().context("no service file")?;
    let cli = tagwright::cli::Cli::try_parse_from(["tagwright", "--config", config, "sync"])?;
    let (exit, time) = timed(|| tagwright::cli::run(&cli));
    anyhow::ensure!(exit? == tagwright::cli::output::Exit::Done, "sync failed");
    Ok(Report::default().time("sync", time))
}

/// The case `rest`: what a service does in its first minutes, and what it then holds.
pub fn rest(arguments: &[String]) -> anyhow::Result<Report> {
    let config = Path::new(arguments.first().context("no service file")?);
    let (state, mut reconciler) = reconciler(&std::fs::read_to_string(config)?)?;
    let runtime = Runtime::new()?;
    runtime.block_on(reconciler.pass(Freshness::Anew))?;
    driver::keep(&state, &reconciler);
    let (pass, time) = timed(|| runtime.block_on(reconciler.pass(Freshness::ByInterval)));
    drop(pass?);
    Ok(Report::default()
        .time("pass", time)
        .number("resident", Memory::Now.read()?))
}
