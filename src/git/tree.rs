//! Reading commits: their files, what changed between two of them, and blobs.
//!
//! Invariant: reading never needs the network and never changes the mirror. Every entry of a tree
//! is either in the result or named in `unnameable`; none is lost.
//!
//! It refuses trees that expand without end: a few small trees that contain each other many times
//! can stand for more files than any disk holds.

use std::collections::HashMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use git2::{ErrorCode, ObjectType, Oid, Repository};
use jiff::Timestamp;

use super::commit::{Signature, is_name};
use super::history::parents;
use super::{BlobId, CommitId, Error};

/// Far above any config repo (the largest known have some 100,000 files), low enough for memory.
const MAX_ENTRIES: usize = 1_000_000;

/// A path counts as one more entry for each so many bytes, so that long ones can't fill the memory.
const BYTES_PER_ENTRY: usize = 256;

/// The longest path in bytes; the same as Linux's PATH_MAX, so that any checkout fits.
const MAX_PATH: usize = 4096;

/// What a path holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum FileKind {
    /// A file.
    Regular,
    /// A file with the executable bit.
    Executable,
    /// A symbolic link; its blob is the target's name.
    Symlink,
    /// A commit of another repository; there is no blob.
    Submodule,
}

/// One file of a commit.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FileEntry {
    /// Its path from the root, with `/` between folders.
    pub path: String,
    /// Its contents; for a submodule the id of the other repository's commit.
    pub blob: BlobId,
    /// What it is.
    pub kind: FileKind,
}

/// The files of a commit.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Files {
    /// In bytewise order of their paths.
    pub files: Vec<FileEntry>,
    /// Entries whose path is not UTF-8, too long, has control characters, or is not a path (`..`,
    /// `.git`); printable, not exact.
    pub unnameable: Vec<String>,
}

/// How one commit's files differ from another's.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Changes {
    /// New and changed files as they are now, in bytewise order of their paths.
    pub changed: Vec<FileEntry>,
    /// Paths that hold no file any more, in bytewise order.
    pub removed: Vec<String>,
    /// New or changed entries that can't be named; see [`Files::unnameable`].
    pub unnameable: Vec<String>,
}

/// A file's contents.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Blob {
    /// All of it.
    Bytes(Vec<u8>),
    /// It has this many bytes, more than were asked for.
    TooLarge(u64),
}

/// A commit without its tree.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CommitInfo {
    /// The first is the one that the branch was at.
    pub parents: Vec<CommitId>,
    /// Who says to have written it.
    pub author: Signature,
    /// Who says to have committed it.
    pub committer: Signature,
    /// When it was committed, by its committer's clock.
    pub committed: Timestamp,
    /// Its message; bytes that are not UTF-8 are replaced.
    pub message: String,
}

/// A handle for reading a mirror. Each thread has its own.
pub struct Reader {
    pub(super) repository: Repository,
    damaged: Arc<AtomicBool>,
}

impl Reader {
    pub(super) fn new(repository: Repository, damaged: Arc<AtomicBool>) -> Self {
        Self {
            repository,
            damaged,
        }
    }

    /// All files of `commit`.
    ///
    /// # Errors
    /// When there is no such commit, it has more than a million entries, or the mirror is damaged.
    pub fn files(&self, commit: CommitId) -> Result<Files, Error> {
        let root = self.root(commit)?;
        let Changes {
            changed: files,
            unnameable,
            ..
        } = self.compare(None, root)?;
        Ok(Files { files, unnameable })
    }

    /// All files of `to`, as [`Reader::files`] lists them, given `files` of `from`: reads only the
    /// folders in which the two differ.
    ///
    /// # Errors
    /// As [`Reader::files`].
    pub fn files_since(&self, from: CommitId, files: Files, to: CommitId) -> Result<Files, Error> {
        // What became of entries that can't be named is not among the changes.
        if !files.unnameable.is_empty() {
            return self.files(to);
        }
        match self.changes(from, to) {
            Ok(changes) if changes.unnameable.is_empty() => Ok(files.after(changes)),
            // A mirror that was made anew may lack the old commit.
            Ok(_) | Err(Error::NoSuchCommit { .. }) => self.files(to),
            Err(error) => Err(error),
        }
    }

    /// What turns the files of `from` into those of `to`.
    ///
    /// # Errors
    /// As [`Reader::files`].
    pub fn changes(&self, from: CommitId, to: CommitId) -> Result<Changes, Error> {
        let (from, to) = (self.root(from)?, self.root(to)?);
        self.compare(Some(from), to)
    }

    /// The contents of a file, if it has at most `max` bytes.
    ///
    /// # Errors
    /// When the blob can't be read, which means that the mirror is damaged.
    pub fn blob(&self, id: BlobId, max: u64) -> Result<Blob, Error> {
        let doing = "reading a file";
        let odb = self.repository.odb().map_err(|e| self.damage(doing, e))?;
        let (size, kind) = odb
            .read_header(id.to_git())
            .map_err(|e| self.damage(doing, e))?;
        if kind != ObjectType::Blob {
            let wrong = git2::Error::from_str("the object is not a blob");
            return Err(Error::Git {
                doing,
                source: wrong,
            });
        }
        if size as u64 > max {
            return Ok(Blob::TooLarge(size as u64));
        }
        let object = odb.read(id.to_git()).map_err(|e| self.damage(doing, e))?;
        Ok(Blob::Bytes(object.data().to_vec()))
    }

    /// Whether `ancestor` is `commit` or was reached from it; false if the mirror lacks `ancestor`.
    ///
    /// # Errors
    /// When the mirror lacks `commit`, or is damaged.
    pub fn is_ancestor(&self, ancestor: CommitId, commit: CommitId) -> Result<bool, Error> {
        self.commit(commit)?;
        if ancestor == commit {
            return Ok(true);
        }
        if matches!(self.commit(ancestor), Err(Error::NoSuchCommit { .. })) {
            return Ok(false);
        }
        self.repository
            .graph_descendant_of(commit.to_git(), ancestor.to_git())
            .map_err(|e| self.damage("walking history", e))
    }

    /// What `commit` says of itself.
    ///
    /// # Errors
    /// When there is no such commit, or the mirror is damaged.
    pub fn commit_info(&self, commit: CommitId) -> Result<CommitInfo, Error> {
        let commit = self.commit(commit)?;
        let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
        let person = |who: git2::Signature<'_>| Signature {
            name: text(who.name_bytes()),
            email: text(who.email_bytes()),
        };
        Ok(CommitInfo {
            parents: parents(&commit),
            author: person(commit.author()),
            committer: person(commit.committer()),
            // A time that no calendar has is read as the epoch rather than losing the commit.
            committed: Timestamp::from_second(commit.time().seconds()).unwrap_or_default(),
            message: text(commit.message_bytes()),
        })
    }

    /// The commit, or that there is none.
    pub(super) fn commit(&self, id: CommitId) -> Result<git2::Commit<'_>, Error> {
        self.repository
            .find_commit(id.to_git())
            .map_err(|error| match error.code() {
                ErrorCode::NotFound => Error::NoSuchCommit { id },
                _ => self.damage("reading a commit", error),
            })
    }

    fn root(&self, commit: CommitId) -> Result<Oid, Error> {
        self.commit(commit).map(|commit| commit.tree_id())
    }

    /// Notes that the mirror must be made anew, and says so.
    pub(super) fn damage(&self, doing: &'static str, source: git2::Error) -> Error {
        self.damaged.store(true, Ordering::Relaxed);
        Error::Damaged { doing, source }
    }

    /// Walks two trees side by side, skipping what is equal.
    fn compare(&self, from: Option<Oid>, to: Oid) -> Result<Changes, Error> {
        let mut out = Changes::default();
        let mut budget = MAX_ENTRIES;
        let mut folders = vec![Pair {
            prefix: Vec::new(),
            old: from,
            new: Some(to),
        }];
        while let Some(folder) = folders.pop() {
            let mut old = HashMap::new();
            let cost = 1 + folder.prefix.len() / BYTES_PER_ENTRY;
            self.entries(folder.old, cost, &mut budget, |name, item| {
                old.insert(name.to_vec(), item);
            })?;
            self.entries(folder.new, cost, &mut budget, |name, item| {
                let before = old.remove(name);
                if before != Some(item) {
                    out.step(&folder.prefix, name, before, Some(item), &mut folders);
                }
            })?;
            for (name, item) in old {
                out.step(&folder.prefix, &name, Some(item), None, &mut folders);
            }
        }
        out.changed.sort_unstable_by(|a, b| a.path.cmp(&b.path));
        out.removed.sort_unstable();
        out.unnameable.sort_unstable();
        Ok(out)
    }

    /// Calls `each` with the name and item of every entry of `tree`.
    fn entries(
        &self,
        tree: Option<Oid>,
        cost: usize,
        budget: &mut usize,
        mut each: impl FnMut(&[u8], Item),
    ) -> Result<(), Error> {
        let Some(tree) = tree else { return Ok(()) };
        let tree = self
            .repository
            .find_tree(tree)
            .map_err(|e| self.damage("reading a folder", e))?;
        for entry in tree.iter() {
            *budget = budget
                .checked_sub(cost)
                .ok_or(Error::TooManyFiles { limit: MAX_ENTRIES })?;
            each(
                entry.name_bytes(),
                Item {
                    id: entry.id(),
                    mode: entry.filemode(),
                },
            );
        }
        Ok(())
    }
}

impl Files {
    /// The files once `changes` are made.
    fn after(mut self, changes: Changes) -> Self {
        let replaced = changes.changed.iter().map(|file| &file.path);
        let mut gone: Vec<&String> = replaced.chain(&changes.removed).collect();
        gone.sort_unstable();
        let mut gone = gone.into_iter().peekable();
        self.files.retain(|file| {
            while gone.next_if(|path| **path < file.path).is_some() {}
            gone.peek() != Some(&&file.path)
        });
        self.files.extend(changes.changed);
        // Two sorted runs, which a stable sort merges.
        self.files.sort_by(|a, b| a.path.cmp(&b.path));
        self
    }
}

/// A folder in two trees.
struct Pair {
    prefix: Vec<u8>,
    old: Option<Oid>,
    new: Option<Oid>,
}

/// A tree's entry without its name.
#[derive(Clone, Copy, PartialEq, Eq)]
struct Item {
    id: Oid,
    mode: i32,
}

impl Item {
    fn folder(self) -> Option<Oid> {
        (self.mode == 0o040_000).then_some(self.id)
    }

    fn file(self) -> Option<(Oid, FileKind)> {
        match self.mode {
            0o040_000 => None,
            0o100_755 => Some((self.id, FileKind::Executable)),
            0o120_000 => Some((self.id, FileKind::Symlink)),
            0o160_000 => Some((self.id, FileKind::Submodule)),
            _ => Some((self.id, FileKind::Regular)),
        }
    }
}

impl Changes {
    /// Notes what became of one name, and queues the folder behind it.
    fn step(
        &mut self,
        prefix: &[u8],
        name: &[u8],
        old: Option<Item>,
        new: Option<Item>,
        folders: &mut Vec<Pair>,
    ) {
        let path = [prefix, name].concat();
        let named = path.len() <= MAX_PATH && std::str::from_utf8(name).is_ok_and(is_name);
        let Some(text) = std::str::from_utf8(&path).ok().filter(|_| named) else {
            if new.is_some() {
                self.unnameable.push(path.escape_ascii().to_string());
            }
            return;
        };
        let (old_file, new_file) = (old.and_then(Item::file), new.and_then(Item::file));
        match (old_file, new_file) {
            (_, Some((id, kind))) => self.changed.push(FileEntry {
                path: text.to_owned(),
                blob: BlobId::from_git(id),
                kind,
            }),
            (Some(_), None) => self.removed.push(text.to_owned()),
            (None, None) => {}
        }
        let (old, new) = (old.and_then(Item::folder), new.and_then(Item::folder));
        if old.is_some() || new.is_some() {
            let prefix = [&path, &b"/"[..]].concat();
            folders.push(Pair { prefix, old, new });
        }
    }
}
