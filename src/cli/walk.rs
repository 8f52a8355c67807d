//! The files under the paths of an offline command, read and worked on by all cores.
//!
//! Invariant: results come back in the order of the arguments and, below them, of the paths. Symlinks,
//! `.git`, and files that parse as app files are left out; a path that was named itself and can't be
//! read is an error.

use std::path::{Path, PathBuf};

use anyhow::Context as _;
use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};

use crate::config;
use crate::manifest::{self, Format};

/// A file to look into.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Found {
    /// Its path as reached from the argument.
    pub path: PathBuf,
    /// How it is read.
    pub format: Format,
}

impl Found {
    /// The path as printed.
    pub fn shown(&self) -> String {
        self.path.display().to_string()
    }
}

/// The files with sites under `paths`.
///
/// # Errors
/// When one of `paths`, or a folder below it, can't be read.
pub fn files(paths: &[PathBuf]) -> anyhow::Result<Vec<Found>> {
    let mut found = Vec::new();
    for path in paths {
        let kind = std::fs::symlink_metadata(path)
            .with_context(|| format!("{} can't be read", path.display()))?;
        if kind.is_dir() {
            folder(path, &mut found)?;
        } else if kind.is_symlink() {
            anyhow::bail!(
                "{} is a symlink, which is never followed; name the file itself",
                path.display()
            );
        } else {
            let format = manifest::format_of(&path.to_string_lossy())
                .with_context(|| format!("{} is neither YAML nor JSON", path.display()))?;
            found.push(Found {
                path: path.clone(),
                format,
            });
        }
    }
    Ok(found)
}

fn folder(root: &Path, found: &mut Vec<Found>) -> anyhow::Result<()> {
    let start = found.len();
    let mut waiting = vec![root.to_owned()];
    while let Some(current) = waiting.pop() {
        let failed = || format!("the folder {} can't be read", current.display());
        for entry in std::fs::read_dir(&current).with_context(failed)? {
            let entry = entry.with_context(failed)?;
            let path = entry.path();
            let kind = entry.file_type().with_context(failed)?;
            if kind.is_dir() {
                if entry.file_name() != ".git" {
                    waiting.push(path);
                }
            } else if kind.is_file()
                && let Some(format) = manifest::format_of(&path.to_string_lossy())
            {
                found.push(Found { path, format });
            }
        }
    }
    found[start..].sort_by(|a, b| a.path.cmp(&b.path));
    Ok(())
}

/// Reads every file and hands its bytes to `work`, on all cores; a file that parses as an app file is
/// left out.
///
/// # Errors
/// When a file can't be read, or `work` fails.
pub fn each<T: Send>(
    files: &[Found],
    work: impl Fn(&Found, Vec<u8>) -> anyhow::Result<T> + Sync,
) -> anyhow::Result<Vec<T>> {
    let progress = progress(files.len());
    let cores = std::thread::available_parallelism().map_or(1, usize::from);
    let share = files.len().div_ceil(cores).max(1);
    let results = std::thread::scope(|scope| {
        let workers: Vec<_> = files
            .chunks(share)
            .map(|chunk| {
                let (work, progress) = (&work, &progress);
                scope.spawn(move || chunk_of(chunk, work, progress))
            })
            .collect();
        workers
            .into_iter()
            .map(|worker| {
                worker
                    .join()
                    .unwrap_or_else(|panic| std::panic::resume_unwind(panic))
            })
            .collect::<anyhow::Result<Vec<Vec<T>>>>()
    });
    progress.finish_and_clear();
    Ok(results?.into_iter().flatten().collect())
}

fn chunk_of<T>(
    chunk: &[Found],
    work: &impl Fn(&Found, Vec<u8>) -> anyhow::Result<T>,
    progress: &ProgressBar,
) -> anyhow::Result<Vec<T>> {
    let mut results = Vec::with_capacity(chunk.len());
    for file in chunk {
        progress.inc(1);
        let bytes = read(file)?;
        let is_app = std::str::from_utf8(&bytes).is_ok_and(config::looks_like_app_file);
        if !is_app {
            results.push(work(file, bytes)?);
        }
    }
    Ok(results)
}

/// A file over the size limit is read up to one byte past it, which is enough to be told so.
fn read(file: &Found) -> anyhow::Result<Vec<u8>> {
    use std::io::Read as _;
    let failed = || format!("{} can't be read", file.path.display());
    let mut bytes = Vec::new();
    std::fs::File::open(&file.path)
        .with_context(failed)?
        .take(manifest::MAX_BYTES as u64 + 1)
        .read_to_end(&mut bytes)
        .with_context(failed)?;
    Ok(bytes)
}

/// A bar on long work, where stderr is a terminal.
fn progress(length: usize) -> ProgressBar {
    /// Fewer files than this are done before a bar could be read.
    const LONG: usize = 2000;
    if length < LONG {
        return ProgressBar::hidden();
    }
    let style = ProgressStyle::with_template("{bar:40} {pos}/{len} files")
        .unwrap_or_else(|_| ProgressStyle::default_bar());
    ProgressBar::with_draw_target(Some(length as u64), ProgressDrawTarget::stderr())
        .with_style(style)
}
