//! Where a pass reads its files: one commit of a mirror, or a working tree.
//!
//! Invariant: everything of one pass comes from one source, so policies and manifests always belong
//! together. Blob ids are Git's either way, so both share the cache of indexes.
//!
//! Blocking; it never writes. Symlinks, submodules and names that aren't UTF-8 are told, never
//! followed.

use std::path::{Path, PathBuf};

use crate::config::MAX_FILE;
use crate::diag::Diagnostic;
use crate::git::{self, BlobId, CommitId, FileKind, Mirror};
use crate::manifest;

/// Why a source can't be read.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The mirror can't be read.
    #[error("the mirror can't be read")]
    Git(#[from] git::Error),
    /// A folder or file of the working tree can't be read.
    #[error("{} can't be read", path.display())]
    Folder {
        /// The path.
        path: PathBuf,
        /// Why not.
        source: std::io::Error,
    },
}

/// A place to read from.
#[derive(Clone, Copy)]
pub enum Source<'a> {
    /// A commit in a mirror.
    Commit(&'a Mirror, CommitId),
    /// A folder, as it is on disk.
    Folder(&'a Path),
}

/// A regular file of the source.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SourceFile {
    /// The path from the root, with `/`.
    pub path: String,
    /// The content's id.
    pub blob: BlobId,
}

/// The files of the source, by path, and what can't be one.
#[derive(Debug, Default)]
pub struct Files {
    /// Regular files.
    pub files: Vec<SourceFile>,
    /// What can't be read although its name would have it read.
    pub skipped: Vec<Diagnostic>,
}

/// The files of the commit that was listed last, so that listing the next one costs what changed.
#[derive(Debug, Default)]
pub struct LastListing(Option<(CommitId, git::Files)>);

impl Source<'_> {
    /// All files, sorted by path. Of a commit, only folders in which it differs from `last` are read.
    ///
    /// # Errors
    /// When the mirror or the folder can't be read.
    pub fn files(self, last: &mut LastListing) -> Result<Files, Error> {
        match self {
            Self::Commit(mirror, commit) => {
                let listed = match last.0.take() {
                    Some((from, files)) => mirror.files_since(from, files, commit)?,
                    None => mirror.files(commit)?,
                };
                let (_, listed) = last.0.insert((commit, listed));
                Ok(committed(listed))
            }
            Self::Folder(root) => folder(root),
        }
    }

    /// A handle for reading contents; each thread needs its own.
    ///
    /// # Errors
    /// When the mirror can't be opened.
    pub fn contents(self) -> Result<Contents, Error> {
        Ok(match self {
            Self::Commit(mirror, _) => Contents::Mirror(mirror.reader()?),
            Self::Folder(root) => Contents::Folder(root.to_owned()),
        })
    }
}

/// The contents of a source's files.
pub enum Contents {
    /// Blobs of a mirror.
    Mirror(git::Reader),
    /// Files below a folder.
    Folder(PathBuf),
}

impl Contents {
    /// The bytes of a file; `None` when it is larger than `max` bytes.
    ///
    /// # Errors
    /// When the mirror or the file can't be read.
    pub fn read(&self, path: &str, blob: BlobId, max: u64) -> Result<Option<Vec<u8>>, Error> {
        match self {
            Self::Mirror(reader) => Ok(match reader.blob(blob, max)? {
                git::Blob::Bytes(bytes) => Some(bytes),
                git::Blob::TooLarge(_) => None,
            }),
            Self::Folder(root) => read_file(&root.join(path), max),
        }
    }

    /// The bytes of a manifest whose index is known, so it isn't too large.
    ///
    /// # Errors
    /// When the mirror or the file can't be read.
    pub fn manifest(&self, path: &str, blob: BlobId) -> Result<Vec<u8>, Error> {
        let bytes = self.read(path, blob, manifest::MAX_BYTES as u64)?;
        Ok(bytes.unwrap_or_default())
    }

    /// The text of an app file, or why it is none.
    ///
    /// # Errors
    /// When the mirror or the file can't be read.
    pub fn policy(&self, file: &SourceFile) -> Result<Result<String, Diagnostic>, Error> {
        let Some(bytes) = self.read(&file.path, file.blob, MAX_FILE as u64)? else {
            let message = format!("larger than {MAX_FILE} bytes, so it is no app file");
            return Ok(Err(Diagnostic::error(&file.path, message)));
        };
        Ok(String::from_utf8(bytes)
            .map_err(|_| Diagnostic::error(&file.path, "not UTF-8, so it is no app file")))
    }
}

fn committed(listed: &git::Files) -> Files {
    let mut found = Files::default();
    for entry in &listed.files {
        match entry.kind {
            FileKind::Regular | FileKind::Executable => found.files.push(SourceFile {
                path: entry.path.clone(),
                blob: entry.blob,
            }),
            FileKind::Symlink => found.skipped.extend(symlink(&entry.path)),
            // A submodule's files belong to another repository.
            FileKind::Submodule => {}
        }
    }
    let unnameable = listed.unnameable.iter().map(|path| unnameable(path));
    found.skipped.extend(unnameable);
    found
}

/// `path` is printable.
fn unnameable(path: &str) -> Diagnostic {
    let message = "a name that is not UTF-8, has control characters, or is no file's; not read";
    Diagnostic::warning(path, message)
}

/// A symlink matters only where a file of its name would be read.
fn symlink(path: &str) -> Option<Diagnostic> {
    manifest::format_of(path).filter(|format| format.is_detected())?;
    Some(
        Diagnostic::warning(
            path,
            "a symlink, which is never followed; its sites are not seen",
        )
        .hint("let the stage's paths reach the file itself"),
    )
}

fn folder(root: &Path) -> Result<Files, Error> {
    let mut found = Files::default();
    let mut waiting = vec![root.to_owned()];
    while let Some(current) = waiting.pop() {
        let failed = |source| Error::Folder {
            path: current.clone(),
            source,
        };
        for entry in std::fs::read_dir(&current).map_err(failed)? {
            let entry = entry.map_err(failed)?;
            let path = entry.path();
            let Some(relative) = relative(root, &path) else {
                let shown = path.to_string_lossy().escape_debug().to_string();
                found.skipped.push(unnameable(&shown));
                continue;
            };
            let kind = entry.file_type().map_err(failed)?;
            if kind.is_symlink() {
                found.skipped.extend(symlink(&relative));
            } else if kind.is_dir() {
                // Git's own data, and a submodule's or a nested clone's files.
                let nested = entry.file_name() == ".git" || path.join(".git").exists();
                if !nested {
                    waiting.push(path);
                }
            } else if kind.is_file() && manifest::format_of(&relative).is_some() {
                let blob = match read_file(&path, manifest::MAX_BYTES as u64)? {
                    Some(bytes) => BlobId::of(&bytes),
                    // Never opened again: the index of a file over the limit says just that.
                    None => BlobId::of(relative.as_bytes()),
                };
                found.files.push(SourceFile {
                    path: relative,
                    blob,
                });
            }
        }
    }
    found.files.sort_by(|a, b| a.path.cmp(&b.path));
    Ok(found)
}

fn relative(root: &Path, path: &Path) -> Option<String> {
    let parts: Option<Vec<&str>> = path
        .strip_prefix(root)
        .ok()?
        .components()
        .map(|part| part.as_os_str().to_str())
        .collect();
    Some(parts?.join("/")).filter(|path| !path.contains(char::is_control))
}

fn read_file(path: &Path, max: u64) -> Result<Option<Vec<u8>>, Error> {
    let failed = |source| Error::Folder {
        path: path.to_owned(),
        source,
    };
    if std::fs::metadata(path).map_err(failed)?.len() > max {
        return Ok(None);
    }
    std::fs::read(path).map(Some).map_err(failed)
}
