//! Commits made from files in memory, without a work tree.
//!
//! Invariant: the same parent, files, author, time and message give the same id. A commit changes
//! the contents of the named files and nothing else: modes stay, other entries stay. New objects
//! reach the disk as one pack or not at all.
//!
//! It refuses to replace what is not a regular file, and paths that could leave the repository.

use std::collections::BTreeMap;
use std::io::Write as _;
use std::path::Path;

use git2::build::TreeUpdateBuilder;
use git2::{ErrorCode, FileMode, PackBuilder, Repository, Tree};
use jiff::Timestamp;

use super::{CommitId, Error, Signer};

/// Who a commit is from.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Signature {
    /// The name; not empty, without `<`, `>` and line breaks.
    pub name: String,
    /// The mail address, likewise.
    pub email: String,
}

/// A commit to be made.
#[derive(Debug, Clone, Copy)]
pub struct NewCommit<'a> {
    /// Whole contents by path. An existing file keeps its mode; a new one is not executable.
    pub files: &'a BTreeMap<String, Vec<u8>>,
    /// Author and committer.
    pub author: &'a Signature,
    /// Author's and committer's time; seconds count, in UTC.
    pub time: Timestamp,
    /// The message, taken as it is.
    pub message: &'a str,
    /// The key that signs it, if one does.
    pub signer: Option<&'a Signer>,
}

/// What became of a [`NewCommit`].
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Committed {
    /// The commit was made.
    Made(CommitId),
    /// The files already have these contents; no commit was made.
    Unchanged,
}

/// The objects come before those of the disk; the default backends have priorities 1 and 2.
const IN_MEMORY_FIRST: i32 = 1000;

/// Makes `commits` on top of each other, the first on `parent`, and writes one pack.
///
/// `repository` must be a handle of its own: it keeps the new objects in memory until dropped.
pub(super) fn build(
    repository: &Repository,
    parent: CommitId,
    commits: &[NewCommit<'_>],
) -> Result<Vec<Committed>, Error> {
    let odb = repository.odb().map_err(failed)?;
    let _memory = odb
        .add_new_mempack_backend(IN_MEMORY_FIRST)
        .map_err(failed)?;
    let mut parent =
        repository
            .find_commit(parent.to_git())
            .map_err(|error| match error.code() {
                ErrorCode::NotFound => Error::NoSuchCommit { id: parent },
                _ => failed(error),
            })?;
    let mut pack = repository.packbuilder().map_err(failed)?;
    let mut done = Vec::with_capacity(commits.len());
    for commit in commits {
        let before = parent.tree().map_err(failed)?;
        let tree = write_tree(repository, &before, commit.files, &mut pack)?;
        if tree.id() == before.id() {
            done.push(Committed::Unchanged);
            continue;
        }
        let author = author(commit)?;
        let id = write_commit(repository, commit, &author, &tree, &parent)?;
        pack.insert_object(id, None).map_err(failed)?;
        done.push(Committed::Made(CommitId::from_git(id)));
        parent = repository.find_commit(id).map_err(failed)?;
    }
    write_pack(&odb, pack)?;
    Ok(done)
}

fn write_commit(
    repository: &Repository,
    commit: &NewCommit<'_>,
    author: &git2::Signature<'_>,
    tree: &Tree<'_>,
    parent: &git2::Commit<'_>,
) -> Result<git2::Oid, Error> {
    let Some(signer) = commit.signer else {
        return repository
            .commit(None, author, author, commit.message, tree, &[parent])
            .map_err(failed);
    };
    let unsigned = repository
        .commit_create_buffer(author, author, commit.message, tree, &[parent])
        .map_err(failed)?;
    let signature = signer.sign(&unsigned, commit.time)?;
    let text = std::str::from_utf8(&unsigned)
        .map_err(|_| failed(git2::Error::from_str("the commit is not UTF-8")))?;
    // Git's own have no line break at the end: it would become an empty line of the header.
    repository
        .commit_signed(text, signature.trim_end(), None)
        .map_err(failed)
}

fn failed(source: git2::Error) -> Error {
    Error::Git {
        doing: "making a commit",
        source,
    }
}

fn author(commit: &NewCommit<'_>) -> Result<git2::Signature<'static>, Error> {
    let Signature { name, email } = commit.author;
    let invalid = || Error::Signature {
        name: name.escape_debug().to_string(),
        email: email.escape_debug().to_string(),
    };
    // libgit2 looks for angle brackets only; a line break would add a header to the commit.
    if name.contains(char::is_control) || email.contains(char::is_control) {
        return Err(invalid());
    }
    let time = git2::Time::new(commit.time.as_second(), 0);
    git2::Signature::new(name, email, &time).map_err(|_| invalid())
}

/// `before` with `files` in it; what had to be written is added to `pack` under its path, so that
/// versions of one folder are packed as differences from each other.
fn write_tree<'r>(
    repository: &'r Repository,
    before: &Tree<'r>,
    files: &BTreeMap<String, Vec<u8>>,
    pack: &mut PackBuilder<'_>,
) -> Result<Tree<'r>, Error> {
    let mut update = TreeUpdateBuilder::new();
    for (path, contents) in files {
        let mode = mode(before, path)?;
        let blob = repository.blob(contents).map_err(failed)?;
        pack.insert_object(blob, Some(path)).map_err(failed)?;
        update.upsert(path.as_str(), blob, mode);
    }
    let id = update.create_updated(repository, before).map_err(failed)?;
    let after = repository.find_tree(id).map_err(failed)?;
    pack.insert_object(id, None).map_err(failed)?;
    for folder in files
        .keys()
        .flat_map(|path| path.match_indices('/').map(|(end, _)| &path[..end]))
    {
        let tree = after.get_path(Path::new(folder)).map_err(failed)?;
        pack.insert_object(tree.id(), Some(folder))
            .map_err(failed)?;
    }
    Ok(after)
}

/// The mode that the file at `path` has, or will have if there is none.
fn mode(tree: &Tree<'_>, path: &str) -> Result<FileMode, Error> {
    check_path(path)?;
    let not_a_file = || Error::NotAFile {
        path: path.to_owned(),
    };
    if let Some(mode) = mode_of(tree, Path::new(path))? {
        return match mode {
            0o100_644 => Ok(FileMode::Blob),
            0o100_664 => Ok(FileMode::BlobGroupWritable),
            0o100_755 => Ok(FileMode::BlobExecutable),
            _ => Err(not_a_file()),
        };
    }
    for folder in Path::new(path).ancestors().skip(1) {
        let empty = folder.as_os_str().is_empty();
        if !empty && mode_of(tree, folder)?.is_some_and(|mode| mode != 0o040_000) {
            return Err(not_a_file());
        }
    }
    Ok(FileMode::Blob)
}

fn mode_of(tree: &Tree<'_>, path: &Path) -> Result<Option<i32>, Error> {
    match tree.get_path(path) {
        Ok(entry) => Ok(Some(entry.filemode_raw())),
        Err(error) if error.code() == ErrorCode::NotFound => Ok(None),
        Err(error) => Err(failed(error)),
    }
}

/// Whether a file or folder may have this name: Git itself refuses to check others out (`git help
/// config`, core.protectHFS and NTFS aside), and one with control characters could take over a
/// terminal that it is printed to.
pub(super) fn is_name(part: &str) -> bool {
    !matches!(part, "" | "." | "..")
        && !part.eq_ignore_ascii_case(".git")
        && !part.contains(|c: char| c == '/' || c.is_control())
}

fn check_path(path: &str) -> Result<(), Error> {
    if path.split('/').all(is_name) {
        Ok(())
    } else {
        Err(Error::Path {
            path: path.escape_debug().to_string(),
        })
    }
}

fn write_pack(odb: &git2::Odb<'_>, mut objects: PackBuilder<'_>) -> Result<(), Error> {
    if objects.object_count() == 0 {
        return Ok(());
    }
    let mut pack = git2::Buf::new();
    objects.write_buf(&mut pack).map_err(failed)?;
    let mut writer = odb.packwriter().map_err(failed)?;
    writer
        .write_all(&pack)
        .map_err(|error| failed(git2::Error::from_str(&error.to_string())))?;
    writer.commit().map_err(failed)?;
    Ok(())
}
