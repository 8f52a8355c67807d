//! The files under the paths of an offline command, read and worked on by all cores.
//!
//! Invariant: results come back in the order of the arguments and, below them, of the paths; a file
//! that several arguments reach counts once. Symlinks, what no sync agent deploys (Git's and the
//! forges' own files, CI, decisions), and files that parse as app files are left out. A path that was
//! named itself and isn't there is an error; a file that can't be read is the work's to tell.

use std::collections::HashSet;
use std::ffi::OsStr;
use std::io::{self, Read as _};
use std::path::{Path, PathBuf};

use anyhow::Context as _;
use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};

use crate::config;
use crate::diag::visible;
use crate::manifest::{self, Format, MAX_BYTES};

/// A file to look into.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Found {
    /// Its path as reached from the argument.
    pub path: PathBuf,
    /// How it is read.
    pub format: Format,
}

impl Found {
    /// The path as results name it; made [`visible`] where people read it.
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
            .with_context(|| format!("{} can't be read", shown(path)))?;
        if kind.is_dir() {
            folder(path, &mut found)?;
        } else if kind.is_symlink() {
            anyhow::bail!(
                "{} is a symlink, which is never followed; name the file itself",
                shown(path)
            );
        } else {
            let format = manifest::format_of(&path.to_string_lossy()).with_context(|| {
                format!(
                    "{} is prose or a patch, in which no site is looked for",
                    shown(path)
                )
            })?;
            found.push(Found {
                path: path.clone(),
                format,
            });
        }
    }
    if paths.len() > 1 {
        let mut seen = HashSet::new();
        found.retain(|file| {
            let real = std::fs::canonicalize(&file.path);
            seen.insert(real.unwrap_or_else(|_| file.path.clone()))
        });
    }
    Ok(found)
}

/// A path in an error's words.
fn shown(path: &Path) -> String {
    visible(&path.to_string_lossy()).into_owned()
}

/// Names that are never looked into below a folder, as in a pass over a config repo.
fn is_left_out(name: &OsStr) -> bool {
    name.as_encoded_bytes().starts_with(b".git") || name == ".tagwright"
}

fn folder(root: &Path, found: &mut Vec<Found>) -> anyhow::Result<()> {
    let start = found.len();
    let mut waiting = vec![root.to_owned()];
    while let Some(current) = waiting.pop() {
        let failed = || format!("the folder {} can't be read", shown(&current));
        for entry in std::fs::read_dir(&current).with_context(failed)? {
            let entry = entry.with_context(failed)?;
            if is_left_out(&entry.file_name()) {
                continue;
            }
            let path = entry.path();
            let kind = entry.file_type().with_context(failed)?;
            if kind.is_dir() {
                waiting.push(path);
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

/// Reads every file and hands its bytes, or why they can't be read, to `work`, on all cores; a file
/// that parses as an app file is left out.
pub fn each<T: Send>(
    files: &[Found],
    work: impl Fn(&Found, io::Result<Vec<u8>>) -> T + Sync,
) -> Vec<T> {
    let progress = progress(files.len());
    let cores = std::thread::available_parallelism().map_or(1, usize::from);
    let share = files.len().div_ceil(cores).max(1);
    let results: Vec<Vec<T>> = std::thread::scope(|scope| {
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
            .collect()
    });
    progress.finish_and_clear();
    results.into_iter().flatten().collect()
}

fn chunk_of<T>(
    chunk: &[Found],
    work: &impl Fn(&Found, io::Result<Vec<u8>>) -> T,
    progress: &ProgressBar,
) -> Vec<T> {
    let mut results = Vec::with_capacity(chunk.len());
    for file in chunk {
        progress.inc(1);
        let bytes = read(file);
        let text = bytes.as_ref().ok().map(|bytes| std::str::from_utf8(bytes));
        let is_app = file.format.is_detected()
            && text.is_some_and(|text| text.is_ok_and(config::looks_like_app_file));
        if !is_app {
            results.push(work(file, bytes));
        }
    }
    results
}

/// A file over the size limit is read up to one byte past it, which is enough to be told so.
fn read(file: &Found) -> io::Result<Vec<u8>> {
    let mut bytes = Vec::new();
    std::fs::File::open(&file.path)?
        .take(MAX_BYTES as u64 + 1)
        .read_to_end(&mut bytes)?;
    Ok(bytes)
}

/// A sign of life during work of unknown length, where stderr is a terminal.
pub fn waiting(message: String) -> ProgressBar {
    /// Often enough to be seen turning.
    const TICK: std::time::Duration = std::time::Duration::from_millis(120);
    let spinner = ProgressBar::with_draw_target(None, ProgressDrawTarget::stderr());
    spinner.set_message(message);
    spinner.enable_steady_tick(TICK);
    spinner
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_that_vanished_is_told_and_the_others_are_read() {
        let folder = tempfile::tempdir().unwrap();
        for name in ["a.yaml", "b.yaml", "c.yaml"] {
            std::fs::write(folder.path().join(name), "x: 1\n").unwrap();
        }
        let found = files(&[folder.path().to_owned()]).unwrap();
        std::fs::remove_file(folder.path().join("a.yaml")).unwrap();
        let read = each(&found, |_, bytes| bytes.map_err(|error| error.kind()));
        assert_eq!(
            read,
            [
                Err(io::ErrorKind::NotFound),
                Ok(b"x: 1\n".to_vec()),
                Ok(b"x: 1\n".to_vec())
            ]
        );
    }
}
