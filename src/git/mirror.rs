//! One remote's bare mirror in one folder.
//!
//! Invariant: the mirror is a cache. It may be deleted at any moment, a process may die at any
//! moment, and the next [`Mirror::open`] or [`Mirror::fetch`] puts it right. Branches are kept
//! under names of our own, so that what a remote calls its branches can't clash here.
//!
//! It refuses to touch a folder that is not empty and lacks the stamp of a mirror: a wrong path in
//! a configuration must not cost anybody's files. One process at a time may hold a mirror.

use std::cell::Cell;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Once};

use git2::{AutotagOption, ErrorClass, FetchOptions, FetchPrune, RemoteCallbacks, Repository};

use super::transport::{Connector, Exchange};
use super::{
    Blob, BlobId, Changes, CommitId, CommitInfo, Committed, Error, Files, NewCommit, PlainHttp,
    PushOutcome, Reader, Remote, commit, push,
};

mod beside;
mod depth;
mod folder;

pub use depth::History;

/// Above this many packs every look-up gets slower; a fresh fetch brings one pack.
const MAX_PACKS: usize = 200;

/// A remote and what has been fetched from it.
pub struct Mirror {
    folder: PathBuf,
    connector: Connector,
    reader: Reader,
    /// Set by whoever finds damage, shared with the readers.
    damaged: Arc<AtomicBool>,
}

impl Mirror {
    /// Opens the mirror of `remote` in `folder`, or makes one. What a killed process left behind is
    /// cleared; a mirror that is damaged or another remote's is made anew, empty.
    ///
    /// # Errors
    /// When `folder` can't be used or is not a mirror's, or the credentials don't fit the URL.
    pub fn open(folder: &Path, remote: Remote) -> Result<Self, Error> {
        if remote.plain == PlainHttp::LoopbackOnly && remote.url.is_plain_abroad() {
            return Err(Error::Plain {
                remote: remote.url.to_string(),
            });
        }
        let connector = Connector::new(remote)?;
        read_without_hashing();
        let damaged = Arc::new(AtomicBool::new(false));
        let repository = folder::open(folder, connector.name())?;
        let mut mirror = Self {
            folder: folder.to_owned(),
            connector,
            reader: Reader::new(repository, damaged.clone()),
            damaged,
        };
        match mirror.check() {
            Err(Error::Damaged { source, .. }) => {
                tracing::warn!(folder = %folder.display(), %source, "damaged mirror is made anew");
                mirror.renew()?;
            }
            Err(error @ Error::Folder { .. }) => return Err(error),
            // A tree too large to list is no damage; whoever lists it is told.
            Err(_) | Ok(()) => {}
        }
        Ok(mirror)
    }

    /// Brings the branch up to date and returns the commit it is at, wherever it moved.
    ///
    /// # Errors
    /// When the remote can't be reached, does not let us in, is empty or lacks the branch.
    pub fn fetch(&mut self, branch: &str) -> Result<CommitId, Error> {
        let name = branch_ref(branch)?;
        if self.damaged.load(Ordering::Relaxed) || !folder::is_there(&self.folder) {
            self.renew()?;
        }
        let exchange = self.connector.exchange()?;
        let depth = self.depth_at_first(branch);
        let result = self.fetch_over(&exchange, branch, &name, depth);
        if matches!(
            result,
            Err(Error::NoSuchBranch { .. } | Error::EmptyRepository { .. })
        ) {
            self.forget(branch)?;
        }
        let tip = result?;
        if folder::packs(&self.folder) > MAX_PACKS && !self.has_readers() {
            // The remote has just answered, so the mirror will not stay empty for long.
            self.renew()?;
            return self.fetch(branch);
        }
        Ok(tip)
    }

    /// The commit that the branch was at when it was last fetched or pushed.
    pub fn head(&self, branch: &str) -> Option<CommitId> {
        let id = self
            .reader
            .repository
            .refname_to_id(&own_ref(branch))
            .ok()?;
        Some(CommitId::from_git(id))
    }

    /// Another handle for reading, for another thread.
    ///
    /// # Errors
    /// When the mirror can't be opened.
    pub fn reader(&self) -> Result<Reader, Error> {
        Ok(Reader::new(self.handle()?, self.damaged.clone()))
    }

    /// Makes commits on top of each other, the first on `parent`; they stay here until pushed.
    /// One outcome for each, in order.
    ///
    /// # Errors
    /// When a path or author can't be written, or `parent` is not in the mirror. Nothing is made.
    pub fn commit(
        &mut self,
        parent: CommitId,
        commits: &[NewCommit<'_>],
    ) -> Result<Vec<Committed>, Error> {
        self.noting_damage(commit::build(&self.handle()?, parent, commits))
    }

    /// Moves the remote's branch from `expected` to `new`, or nothing at all.
    ///
    /// # Errors
    /// When nothing can have been pushed: unreachable, not let in. A connection lost later is
    /// [`PushOutcome::Unknown`].
    pub fn push(
        &mut self,
        branch: &str,
        expected: CommitId,
        new: CommitId,
    ) -> Result<PushOutcome, Error> {
        let name = branch_ref(branch)?;
        let change = push::Change {
            branch: &name,
            expected,
            new,
            step: push::Step::Forward,
        };
        let outcome = push::push(&self.reader.repository, &mut self.connector, &change);
        let outcome = self.noting_damage(outcome)?;
        if matches!(outcome, PushOutcome::Pushed | PushOutcome::UpToDate) {
            self.keep(branch, new)?;
        }
        Ok(outcome)
    }

    /// See [`Reader::files`].
    ///
    /// # Errors
    /// As there.
    pub fn files(&self, commit: CommitId) -> Result<Files, Error> {
        self.reader.files(commit)
    }

    /// See [`Reader::files_since`].
    ///
    /// # Errors
    /// As there.
    pub fn files_since(&self, from: CommitId, files: Files, to: CommitId) -> Result<Files, Error> {
        self.reader.files_since(from, files, to)
    }

    /// See [`Reader::changes`].
    ///
    /// # Errors
    /// As there.
    pub fn changes(&self, from: CommitId, to: CommitId) -> Result<Changes, Error> {
        self.reader.changes(from, to)
    }

    /// See [`Reader::blob`].
    ///
    /// # Errors
    /// As there.
    pub fn blob(&self, id: BlobId, max: u64) -> Result<Blob, Error> {
        self.reader.blob(id, max)
    }

    /// See [`Reader::is_ancestor`].
    ///
    /// # Errors
    /// As there.
    pub fn is_ancestor(&self, ancestor: CommitId, commit: CommitId) -> Result<bool, Error> {
        self.reader.is_ancestor(ancestor, commit)
    }

    /// See [`Reader::commit_info`].
    ///
    /// # Errors
    /// As there.
    pub fn commit_info(&self, commit: CommitId) -> Result<CommitInfo, Error> {
        self.reader.commit_info(commit)
    }

    /// See [`Reader::beyond`].
    ///
    /// # Errors
    /// As there.
    pub fn beyond(
        &self,
        base: CommitId,
        tip: CommitId,
        max: usize,
    ) -> Result<Vec<CommitId>, Error> {
        self.reader.beyond(base, tip, max)
    }

    /// See [`Reader::blob_at`].
    ///
    /// # Errors
    /// As there.
    pub fn blob_at(&self, commit: CommitId, path: &str) -> Result<Option<BlobId>, Error> {
        self.reader.blob_at(commit, path)
    }

    fn fetch_over(
        &self,
        exchange: &Exchange,
        branch: &str,
        name: &str,
        depth: Option<i32>,
    ) -> Result<CommitId, Error> {
        let failed = |error| self.explain(exchange, error);
        let mut remote = self
            .reader
            .repository
            .remote_anonymous(&exchange.url())
            .map_err(failed)?;
        let tip = Cell::new(None);
        let mut callbacks = RemoteCallbacks::new();
        callbacks.update_tips(|_, _, new| {
            tip.set(Some(CommitId::from_git(new)));
            true
        });
        let mut options = FetchOptions::new();
        if let Some(depth) = depth {
            options.depth(depth);
        }
        options
            .remote_callbacks(callbacks)
            .download_tags(AutotagOption::None)
            .prune(FetchPrune::Off)
            .update_fetchhead(false)
            .report_unchanged(true);
        let refspec = format!("+{name}:{}", own_ref(branch));
        remote
            .fetch(&[refspec], Some(&mut options), None)
            .map_err(failed)?;
        drop(options);
        // The names in this list are not asked for: git2 panics on one that is not UTF-8.
        if remote
            .list()
            .map_err(failed)?
            .iter()
            .all(|head| head.oid().is_zero())
        {
            return Err(Error::EmptyRepository {
                remote: exchange.remote().to_owned(),
            });
        }
        let tip = tip.get().ok_or_else(|| Error::NoSuchBranch {
            remote: exchange.remote().to_owned(),
            branch: branch.to_owned(),
        })?;
        let commit = self.reader.commit(tip)?;
        commit
            .tree()
            .map_err(|error| self.reader.damage("fetching", error))?;
        Ok(tip)
    }

    /// The transport's own account of a failure, else whether the remote, the mirror or the disk is
    /// at fault.
    fn explain(&self, exchange: &Exchange, error: git2::Error) -> Error {
        if let Some(failure) = exchange.failure() {
            return failure;
        }
        if is_damage(&error) {
            self.reader.damage("fetching", error)
        } else if matches!(error.class(), ErrorClass::Os | ErrorClass::Filesystem) {
            Error::Folder {
                folder: self.folder.clone(),
                source: std::io::Error::other(error),
            }
        } else {
            exchange.misunderstood(&error)
        }
    }

    /// Tells failures of the mirror's own objects from others.
    fn noting_damage<T>(&self, result: Result<T, Error>) -> Result<T, Error> {
        result.map_err(|error| match error {
            Error::Git { doing, source } if is_damage(&source) => self.reader.damage(doing, source),
            other => other,
        })
    }

    /// Reads what every later step needs: the commits that branches are at, and all their folders.
    fn check(&self) -> Result<(), Error> {
        let failed = |error| self.reader.damage("checking it", error);
        // Listed from the folder: libgit2's own list leaves out what it can't read.
        for branch in folder::branches(&self.folder)? {
            let tip = self
                .reader
                .repository
                .refname_to_id(&branch)
                .map_err(failed)?;
            match self.reader.files(CommitId::from_git(tip)) {
                Err(Error::NoSuchCommit { .. }) => {
                    return Err(failed(git2::Error::from_str(
                        "a branch's commit is missing",
                    )));
                }
                other => other?,
            };
        }
        Ok(())
    }

    /// Starts over with an empty mirror.
    fn renew(&mut self) -> Result<(), Error> {
        let repository = folder::renew(&self.folder, self.connector.name())?;
        // Readers of the old files keep the old flag, and can't condemn the new mirror.
        self.damaged = Arc::new(AtomicBool::new(false));
        self.reader = Reader::new(repository, self.damaged.clone());
        Ok(())
    }

    /// Whether a [`Reader`] other than our own is alive.
    fn has_readers(&self) -> bool {
        // Held by the mirror and by its own reader.
        Arc::strong_count(&self.damaged) > 2
    }

    fn handle(&self) -> Result<Repository, Error> {
        folder::handle(&self.folder).map_err(|e| self.reader.damage("opening it", e))
    }

    fn keep(&self, branch: &str, tip: CommitId) -> Result<(), Error> {
        self.reader
            .repository
            .reference(&own_ref(branch), tip.to_git(), true, "")
            .map(drop)
            .map_err(|e| self.reader.damage("noting a branch", e))
    }

    fn forget(&self, branch: &str) -> Result<(), Error> {
        let Ok(mut reference) = self.reader.repository.find_reference(&own_ref(branch)) else {
            return Ok(());
        };
        reference
            .delete()
            .map_err(|e| self.reader.damage("forgetting a branch", e))
    }
}

/// Has objects read as Git itself reads them, without hashing them again, which costs as much as reading.
///
/// A remote gains nothing by it. A pack holds no ids: libgit2 compares the pack's checksum and computes
/// the id of each object from its contents as it is fetched (`git_indexer_append`), with the SHA-1 that
/// detects collisions. Other contents than an id stands for are thus stored under their own id, and the
/// one that was asked for is missing. `git fsck` would look at the form of objects too; names that no
/// file can have are left out where folders are read.
///
/// What the disk garbles later fails at the checksum that each object is compressed with. Whoever can
/// write to the mirror could change what is read from it, and with it all else that is here.
fn read_without_hashing() {
    static ONCE: Once = Once::new();
    ONCE.call_once(|| git2::opts::strict_hash_verification(false));
}

/// Whether the objects on disk are at fault: missing, cut off or garbled.
pub(super) fn is_damage(error: &git2::Error) -> bool {
    matches!(
        error.class(),
        ErrorClass::Odb | ErrorClass::Indexer | ErrorClass::Zlib | ErrorClass::Object
    )
}

/// The remote's name of a branch.
fn branch_ref(branch: &str) -> Result<String, Error> {
    let name = format!("refs/heads/{branch}");
    if git2::Reference::is_valid_name(&name) && !branch.starts_with('-') {
        Ok(name)
    } else {
        Err(Error::BranchName {
            branch: branch.escape_debug().to_string(),
        })
    }
}

/// Our name of a branch: flat, so that a remote may replace branch `a` by branch `a/b`.
fn own_ref(branch: &str) -> String {
    let hex: String = branch.bytes().map(|byte| format!("{byte:02x}")).collect();
    format!("{}/{hex}", folder::BRANCHES)
}
