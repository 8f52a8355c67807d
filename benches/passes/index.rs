//! The first look at a config repo: every manifest is read, parsed and indexed, every site claimed.

use std::path::Path;

use anyhow::Context as _;
use tagwright::config::Repository;
use tagwright::git::Mirror;
use tagwright::reconcile::snapshot::{Memory, Snapshot};
use tagwright::reconcile::source::Source;

use crate::child::{self, Report};
use crate::fleet::Fleet;
use crate::measure::{Row, Samples, timed};

/// Never asked: no pass is made here.
const HOST: &str = "registry.example.com";

const RUNS: usize = 5;

/// From a mirror and from a working tree.
pub fn cold() -> anyhow::Result<Vec<Row>> {
    let mut rows = Vec::new();
    for (apps, targets) in [(1, true), (1_000, false)] {
        let measured = mirror(20_000, apps, RUNS)?;
        let what = format!("first index of 20,000 manifests, {}", counted(apps));
        let row = Row::new(what, measured.index).memory(measured.peak);
        rows.push(if targets {
            row.within(1_000).below(120)
        } else {
            row
        });
        rows.push(Row::new("– the first fetch before it", measured.fetch));
    }
    let temporary = tempfile::tempdir()?;
    Fleet::new(HOST, 20_000, 1_000).folder(temporary.path())?;
    let (times, peak) = runs("folder", "index", &[&shown(temporary.path())], RUNS)?;
    let what = "the same from a working tree (`plan --path`), 1,000 apps";
    rows.push(Row::new(what, times).memory(peak));
    Ok(rows)
}

/// How it grows.
pub fn growth() -> anyhow::Result<Vec<Row>> {
    [1_000, 100_000]
        .into_iter()
        .map(|manifests| {
            let measured = mirror(manifests, 1_000, 3)?;
            let what = format!("first index of {manifests} manifests, 1,000 apps");
            Ok(Row::new(what, measured.index).memory(measured.peak))
        })
        .collect()
}

struct Measured {
    fetch: Samples,
    index: Samples,
    peak: u64,
}

fn mirror(manifests: usize, apps: usize, runs: usize) -> anyhow::Result<Measured> {
    let temporary = tempfile::tempdir()?;
    let bare = Fleet::new(HOST, manifests, apps).bare(temporary.path())?;
    let (mut fetch, mut index, mut peak) = (Vec::new(), Vec::new(), 0);
    for _ in 0..runs {
        let report = child::start("mirror", &[&shown(&bare)])?;
        fetch.push(report.took("fetch")?);
        index.push(report.took("index")?);
        peak = peak.max(report.peak()?);
    }
    Ok(Measured {
        fetch: Samples::new(fetch),
        index: Samples::new(index),
        peak,
    })
}

/// Runs a case several times: the times `name` and the highest peak.
pub fn runs(
    case: &str,
    name: &str,
    arguments: &[&str],
    runs: usize,
) -> anyhow::Result<(Samples, u64)> {
    let mut peak = 0;
    let times = Samples::take(runs, |_| {
        let report = child::start(case, arguments)?;
        peak = peak.max(report.peak()?);
        report.took(name)
    })?;
    Ok((times, peak))
}

/// The case `mirror`: an empty mirror of the bare repository that is named, then its first snapshot.
pub fn from_mirror(arguments: &[String]) -> anyhow::Result<Report> {
    let bare = Path::new(arguments.first().context("no repository")?);
    let temporary = tempfile::tempdir()?;
    let repository = repository(bare)?;
    let mut mirror = Mirror::open(&temporary.path().join("mirror"), repository.remote.clone())?;
    let (head, fetch) = timed(|| mirror.fetch("main"));
    let source = Source::Commit(&mirror, head?);
    let (snapshot, index) = timed(|| take(source, &repository));
    let files = snapshot?.files.len() as u64;
    Ok(Report::default()
        .time("fetch", fetch)
        .time("index", index)
        .number("files", files))
}

/// The case `folder`: the first snapshot of the working tree that is named.
pub fn from_folder(arguments: &[String]) -> anyhow::Result<Report> {
    let folder = Path::new(arguments.first().context("no folder")?);
    let repository = repository(folder)?;
    let (snapshot, index) = timed(|| take(Source::Folder(folder), &repository));
    let files = snapshot?.files.len() as u64;
    Ok(Report::default()
        .time("index", index)
        .number("files", files))
}

fn take(source: Source<'_>, repository: &Repository) -> anyhow::Result<Snapshot> {
    let snapshot = Snapshot::take(source, &repository.policies, &mut Memory::default())?;
    anyhow::ensure!(
        snapshot.diagnostics.is_empty(),
        "{:?}",
        snapshot.diagnostics
    );
    let claimed: usize = snapshot.claims.stages.values().map(Vec::len).sum();
    anyhow::ensure!(
        claimed == snapshot.files.len(),
        "{claimed} sites are claimed"
    );
    Ok(snapshot)
}

/// The one config repo of a service that watches `url`.
fn repository(url: &Path) -> anyhow::Result<Repository> {
    let service = Fleet::new(HOST, 0, 1).service(url, url)?;
    let mut repositories = service.repositories.into_iter();
    repositories.next().context("no repository")
}

fn counted(apps: usize) -> &'static str {
    match apps {
        1 => "1 app",
        _ => "1,000 apps",
    }
}

/// A path as a child's argument; those made here are UTF-8.
pub fn shown(path: &Path) -> String {
    path.display().to_string()
}
