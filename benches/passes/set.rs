//! `tagwright set` over a working tree.

use std::path::Path;

use anyhow::Context as _;
use clap::Parser as _;
use tagwright::cli::output::Exit;
use tagwright::cli::{self, Cli};

use crate::child::{self, Report};
use crate::fleet::Fleet;
use crate::index::shown;
use crate::measure::{Row, Samples, timed};

const IMAGE: &str = "registry.example.com/acme/svc-0000";

/// Every manifest of 20,000 is rewritten.
pub fn rows() -> anyhow::Result<Vec<Row>> {
    let temporary = tempfile::tempdir()?;
    let fleet = Fleet::new("registry.example.com", 20_000, 1);
    fleet.folder(temporary.path())?;
    let folder = shown(temporary.path());
    let repository = remember(temporary.path())?;
    let mut peak = 0;
    let times = Samples::take(3, |run| {
        let tag = format!("2.{run}.0");
        let report = child::start("set", &[&format!("{IMAGE}={IMAGE}:{tag}"), &folder])?;
        let text = std::fs::read_to_string(temporary.path().join(fleet.path(19_999)))?;
        anyhow::ensure!(text.contains(&tag), "the last file was not changed");
        peak = peak.max(report.peak()?);
        report.took("set")
    })?;
    let changed = repository.diff_index_to_workdir(None, None)?.stats()?;
    let (files, more, less) = (
        changed.files_changed(),
        changed.insertions(),
        changed.deletions(),
    );
    anyhow::ensure!(
        (files, more, less) == (20_000, 20_000, 20_000),
        "{files} files, {more} lines added, {less} removed"
    );
    let what = "`set` on 20,000 manifests, every one changed and written";
    let note = "20,000 files replaced; Git counts one changed line in each";
    Ok(vec![Row::new(what, times).memory(peak).note(note)])
}

/// Has Git know the files as they are.
fn remember(folder: &Path) -> anyhow::Result<git2::Repository> {
    let repository = git2::Repository::init(folder)?;
    let mut index = repository.index()?;
    index.add_all(["*"], git2::IndexAddOption::DEFAULT, None)?;
    index.write()?;
    Ok(repository)
}

/// The case `set`: the command as users run it.
pub fn set(arguments: &[String]) -> anyhow::Result<Report> {
    let [assignment, folder] = arguments else {
        anyhow::bail!("set needs an assignment and a folder");
    };
    let cli = Cli::try_parse_from(["tagwright", "set", assignment, folder]).context("arguments")?;
    let (exit, time) = timed(|| cli::run(&cli));
    anyhow::ensure!(exit? == Exit::Done, "set failed");
    Ok(Report::default().time("set", time))
}
