//! Work in a process of its own, so that its peak memory is its own.
//!
//! The parent starts this program again with the word `child`, the name of the case, a file for the
//! report and the case's arguments. The child writes what it measured to that file: its standard
//! output belongs to the command that it may run.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use anyhow::Context as _;

use crate::measure::{Memory, Took};
use crate::{big, day, index, passes, set};

/// The first argument of a child.
pub const WORD: &str = "child";

/// What a case is run with.
pub type Case = fn(&[String]) -> anyhow::Result<Report>;

const CASES: [(&str, Case); 7] = [
    ("big", big::passes),
    ("mirror", index::from_mirror),
    ("folder", index::from_folder),
    ("sync", passes::sync),
    ("rest", passes::rest),
    ("set", set::set),
    ("vast", day::vast),
];

/// What was measured: times in nanoseconds and memory in bytes, by name.
#[derive(Debug, Default)]
pub struct Report(BTreeMap<String, u64>);

impl Report {
    /// Adds how long something took.
    pub fn time(self, name: &str, took: Took) -> Self {
        let nanoseconds = |time: Duration| u64::try_from(time.as_nanos()).unwrap_or(u64::MAX);
        self.number(name, nanoseconds(took.wall))
            .number(&format!("{name}-cpu"), nanoseconds(took.cpu))
    }

    /// Adds any number.
    pub fn number(mut self, name: &str, number: u64) -> Self {
        self.0.insert(name.to_owned(), number);
        self
    }

    /// The number `name`.
    pub fn get(&self, name: &str) -> anyhow::Result<u64> {
        let number = self.0.get(name).copied();
        number.with_context(|| format!("the child did not report `{name}`"))
    }

    /// How long `name` took.
    pub fn took(&self, name: &str) -> anyhow::Result<Took> {
        Ok(Took {
            wall: Duration::from_nanos(self.get(name)?),
            cpu: Duration::from_nanos(self.get(&format!("{name}-cpu"))?),
        })
    }

    /// The child's peak memory, in bytes.
    pub fn peak(&self) -> anyhow::Result<u64> {
        self.get("peak")
    }
}

/// Runs a case in a child and reads its report.
pub fn start(case: &str, arguments: &[&str]) -> anyhow::Result<Report> {
    let folder = tempfile::tempdir()?;
    let report = folder.path().join("report");
    let output = Command::new(std::env::current_exe()?)
        .args([WORD, case])
        .arg(&report)
        .args(arguments)
        .output()?;
    anyhow::ensure!(
        output.status.success(),
        "the case `{case}` failed: {}",
        String::from_utf8_lossy(&output.stderr)
    );
    read(&report)
}

fn read(path: &Path) -> anyhow::Result<Report> {
    let text = std::fs::read_to_string(path).context("the child left no report")?;
    let mut report = Report::default();
    for line in text.lines() {
        let (name, number) = line.split_once(' ').context("a report has two columns")?;
        report = report.number(name, number.parse()?);
    }
    Ok(report)
}

/// Runs a case in this process.
pub fn run(words: &[String]) -> anyhow::Result<()> {
    let [case, path, arguments @ ..] = words else {
        anyhow::bail!("a child needs a case and a file for its report");
    };
    let (_, work) = CASES
        .iter()
        .find(|(name, _)| name == case)
        .with_context(|| format!("no case `{case}`"))?;
    let report = work(arguments)?.number("peak", Memory::Peak.read()?);
    let lines: String = report
        .0
        .iter()
        .map(|(name, number)| format!("{name} {number}\n"))
        .collect();
    std::fs::write(PathBuf::from(path), lines)?;
    Ok(())
}
