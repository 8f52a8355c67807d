//! The folder of a mirror: its stamp, making it anew, and what a killed process leaves behind.
//!
//! Invariant: the stamp is the first file that is made and the only one that is never removed, so
//! a folder that was ever a mirror is known as one at any moment.

use std::path::{Path, PathBuf};
use std::{fs, io};

use git2::{Repository, RepositoryInitOptions, RepositoryOpenFlags};

use crate::git::Error;

/// The file that says whose mirror this is.
const STAMP: &str = "tagwright-mirror";

/// The folder of the branches that were fetched.
pub(super) const BRANCHES: &str = "refs/mirror";

/// Raised when an older mirror can't be read any more.
const LAYOUT: u32 = 1;

/// Opens the mirror of `remote` in `folder`; makes it anew if it is not readable as that.
pub(super) fn open(folder: &Path, remote: &str) -> Result<Repository, Error> {
    let failed = |source| Error::Folder {
        folder: folder.to_owned(),
        source,
    };
    fs::create_dir_all(folder).map_err(failed)?;
    let stamped = fs::read(folder.join(STAMP));
    match stamped {
        Ok(text) if text == stamp(remote).as_bytes() => {}
        Ok(_) => return renew(folder, remote),
        Err(error) if error.kind() == io::ErrorKind::NotFound => {
            if fs::read_dir(folder).map_err(failed)?.next().is_some() {
                return Err(Error::NotAMirror {
                    folder: folder.to_owned(),
                });
            }
            return renew(folder, remote);
        }
        Err(error) => return Err(failed(error)),
    }
    clear_leftovers(folder).map_err(failed)?;
    match handle(folder) {
        Ok(repository) => Ok(repository),
        Err(_) => renew(folder, remote),
    }
}

/// Opens the repository in `folder`, and it alone: its name is no reason to look elsewhere. (libgit2's own
/// way to open a bare one leaves out the list of commits whose parents were not fetched.)
pub(super) fn handle(folder: &Path) -> Result<Repository, git2::Error> {
    let flags =
        RepositoryOpenFlags::NO_SEARCH | RepositoryOpenFlags::NO_DOTGIT | RepositoryOpenFlags::BARE;
    Repository::open_ext(folder, flags, std::iter::empty::<&Path>())
}

/// Empties `folder`, which is a mirror or empty, and makes an empty mirror of `remote` there.
pub(super) fn renew(folder: &Path, remote: &str) -> Result<Repository, Error> {
    let failed = |source| Error::Folder {
        folder: folder.to_owned(),
        source,
    };
    fs::create_dir_all(folder).map_err(failed)?;
    fs::write(folder.join(STAMP), stamp(remote)).map_err(failed)?;
    for entry in fs::read_dir(folder).map_err(failed)? {
        let entry = entry.map_err(failed)?;
        if entry.file_name() != STAMP {
            remove(&entry).map_err(failed)?;
        }
    }
    let mut options = RepositoryInitOptions::new();
    // No template: a user's hooks and settings do not belong in a cache.
    options.bare(true).external_template(false);
    Repository::init_opts(folder, &options).map_err(|source| Error::Git {
        doing: "making an empty mirror",
        source,
    })
}

/// Whether the mirror is still there: somebody may clear caches under a running service.
pub(super) fn is_there(folder: &Path) -> bool {
    folder.join("HEAD").is_file()
}

/// How many packs the mirror has.
pub(super) fn packs(folder: &Path) -> usize {
    let Ok(entries) = fs::read_dir(folder.join("objects/pack")) else {
        return 0;
    };
    entries
        .flatten()
        .filter(|entry| entry.path().extension().is_some_and(|end| end == "idx"))
        .count()
}

/// The names of all branches, as references.
pub(super) fn branches(folder: &Path) -> Result<Vec<String>, Error> {
    let files = children(&folder.join(BRANCHES)).map_err(|source| Error::Folder {
        folder: folder.to_owned(),
        source,
    })?;
    let name = |path: &PathBuf| {
        path.file_name()
            .map(|name| name.to_string_lossy().into_owned())
    };
    Ok(files
        .iter()
        .filter_map(name)
        .map(|name| format!("{BRANCHES}/{name}"))
        .collect())
}

fn stamp(remote: &str) -> String {
    format!("{LAYOUT} {remote}\n")
}

fn remove(entry: &fs::DirEntry) -> io::Result<()> {
    if entry.file_type()?.is_dir() {
        fs::remove_dir_all(entry.path())
    } else {
        fs::remove_file(entry.path())
    }
}

/// Removes lock files, which would block every later change, and half-written packs.
fn clear_leftovers(folder: &Path) -> io::Result<()> {
    let ends = |path: &Path, end: &str| path.extension().is_some_and(|e| e == end);
    for path in children(folder)?
        .into_iter()
        .chain(children(&folder.join(BRANCHES))?)
    {
        if ends(&path, "lock") {
            fs::remove_file(path)?;
        }
    }
    for path in children(&folder.join("objects/pack"))? {
        if !["pack", "idx"].iter().any(|end| ends(&path, end)) {
            fs::remove_file(path)?;
        }
    }
    Ok(())
}

/// The files in `folder`; none if it is missing.
fn children(folder: &Path) -> io::Result<Vec<PathBuf>> {
    let entries = match fs::read_dir(folder) {
        Ok(entries) => entries,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Vec::new()),
        Err(error) => return Err(error),
    };
    let mut files = Vec::new();
    for entry in entries {
        let entry = entry?;
        if entry.file_type()?.is_file() {
            files.push(entry.path());
        }
    }
    Ok(files)
}
