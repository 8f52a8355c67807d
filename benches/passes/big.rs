//! A config repo that is large in every way: 1 GB of files that don't compress among 100,000, 2,000 branches, and
//! a history that a service does not fetch.
//!
//! It is made below the folder of this build, and removed with it.

use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use anyhow::Context as _;
use tagwright::demo::registry::Registry;
use tagwright::reconcile::{Freshness, PassResult};
use tokio::runtime::Runtime;

use crate::child::{self, Report};
use crate::fleet::{self, Fleet};
use crate::index::shown;
use crate::measure::{Memory, Row, Samples, timed};
use crate::passes::reconciler;

/// Bytes of a file that is no manifest, such as a picture or a chart's archive.
const BLOB: usize = 12_000;

/// Commits of the history, each to one manifest; a service fetches the last [`DEPTH`].
const COMMITS: usize = 500;

const DEPTH: usize = 50;

/// How much there is of everything.
struct Size {
    manifests: usize,
    images: usize,
    blobs: usize,
    branches: usize,
}

/// All of it.
pub fn whole() -> anyhow::Result<Vec<Row>> {
    rows(&Size {
        manifests: 20_000,
        images: 1_000,
        blobs: 80_000,
        branches: 2_000,
    })
}

/// A hundredth, to see that it works.
pub fn hundredth() -> anyhow::Result<Vec<Row>> {
    rows(&Size {
        manifests: 200,
        images: 10,
        blobs: 800,
        branches: 20,
    })
}

fn rows(size: &Size) -> anyhow::Result<Vec<Row>> {
    let registry = Registry::start()?;
    let fleet = Fleet::new(registry.host(), size.manifests, size.images);
    fleet.fill(&registry);
    let folder = tempfile::tempdir_in(env!("CARGO_TARGET_TMPDIR"))?;
    let bare = fleet.bare(folder.path())?;
    grow(&fleet, size, &bare)?;
    let text = fleet
        .service_text(&bare, &folder.path().join("cache"))
        .replace(
            "    branch: main\n",
            &format!("    branch: main\n    depth: {DEPTH}\n"),
        );
    anyhow::ensure!(text.contains("depth: "), "the service has no depth");
    let config = folder.path().join("tagwright.yaml");
    std::fs::write(&config, text)?;
    let arguments = [
        shown(&config),
        shown(&bare),
        fleet.path(7),
        fleet.manifest(7, 3),
    ];
    let arguments = arguments.each_ref().map(AsRef::as_ref);
    let report = child::start("big", &arguments)?;
    let row = |what: &str, name: &str| -> anyhow::Result<Row> {
        let took = Samples::new(vec![report.took(name)?]);
        Ok(Row::new(what, took).memory(report.get(&format!("{name}-peak"))?))
    };
    let files = size.manifests + size.blobs;
    let megabytes = size.blobs * BLOB / 1_000_000;
    let first = format!(
        "first fetch (`depth: {DEPTH}`) and first plan: {megabytes} MB, {files} files, {} branches",
        size.branches
    );
    Ok(vec![
        row(&first, "first")?,
        row("– a pass, nothing changed", "idle")?,
        row("– a pass after a person's commit to one file", "commit")?,
    ])
}

/// Adds files that don't compress, a history and branches.
fn grow(fleet: &Fleet, size: &Size, bare: &Path) -> anyhow::Result<()> {
    let mut import = Command::new("git")
        .args([
            "-c",
            "core.compression=0",
            "fast-import",
            "--quiet",
            "--done",
        ])
        .current_dir(bare)
        .stdin(Stdio::piped())
        .spawn()
        .context("git is needed")?;
    let stdin = import.stdin.take().context("git takes no input")?;
    let mut stream = std::io::BufWriter::new(stdin);
    let mut noise = Noise(0x9e37_79b9_7f4a_7c15);
    let head = |name: &str| {
        format!(
            "commit refs/heads/{name}\ncommitter Ada Okafor <ada@example.com> 1767225600 +0000\n\
             data 5\nmore\n\n"
        )
    };
    writeln!(stream, "{}from refs/heads/main^0", head("main"))?;
    for number in 0..size.blobs {
        writeln!(
            stream,
            "M 100644 inline assets/{:03}/{number}.bin",
            number % 500
        )?;
        writeln!(stream, "data {BLOB}")?;
        stream.write_all(&noise.bytes(BLOB))?;
        stream.write_all(b"\n")?;
    }
    for number in 0..COMMITS {
        let at = number % size.manifests;
        let (path, text) = (
            fleet.path(at),
            fleet.manifest(at, 2 + number / size.manifests),
        );
        let length = text.len();
        write!(
            stream,
            "{}M 100644 inline {path}\ndata {length}\n{text}\n",
            head("main")
        )?;
    }
    for number in 0..size.branches {
        let name = format!("topic/{number}");
        writeln!(stream, "{}from refs/heads/main^0", head(&name))?;
        writeln!(stream, "M 100644 inline notes/{number}.txt\ndata 5\nnote")?;
    }
    stream.write_all(b"done\n")?;
    drop(stream.into_inner()?);
    anyhow::ensure!(import.wait()?.success(), "git fast-import failed");
    Ok(())
}

/// Bytes that don't compress, the same each time (xorshift).
struct Noise(u64);

impl Noise {
    fn bytes(&mut self, count: usize) -> Vec<u8> {
        let words = (0..count.div_ceil(8)).flat_map(|_| {
            self.0 ^= self.0 << 13;
            self.0 ^= self.0 >> 7;
            self.0 ^= self.0 << 17;
            self.0.to_le_bytes()
        });
        words.take(count).collect()
    }
}

/// The case `big`: passes of a service with the service file that is named, and a commit between them to the
/// repository, file and with the text that are named too.
pub fn passes(arguments: &[String]) -> anyhow::Result<Report> {
    let [config, bare, path, text] = arguments else {
        anyhow::bail!("a service file, a repository, a file and its text are needed");
    };
    let (_state, mut reconciler) = reconciler(&std::fs::read_to_string(config)?)?;
    let runtime = Runtime::new()?;
    let mut report = Report::default();
    let freshness = [
        ("first", Freshness::Anew),
        ("idle", Freshness::ByInterval),
        ("commit", Freshness::ByInterval),
    ];
    for (name, freshness) in freshness {
        if name == "commit" {
            fleet::commit(&PathBuf::from(bare), path, text)?;
        }
        let (pass, time) = timed(|| runtime.block_on(reconciler.pass(freshness)));
        let pass = pass?;
        anyhow::ensure!(pass.result == PassResult::Nothing, "{:?}", pass.result);
        let peak = Memory::Peak.read()?;
        report = report
            .time(name, time)
            .number(&format!("{name}-peak"), peak);
    }
    Ok(report)
}
