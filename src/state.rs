//! The cache on disk: one folder, one owner, nothing in it that Git or a registry could not give
//! again.
//!
//! Invariant: a document is replaced whole by a rename, so `kill -9` leaves the old or the new one;
//! one of another version or that can't be read is as good as absent. Deleting the folder may delay a
//! change, never cause one.
//!
//! It refuses to be shared: the owner holds a lock file, and a second owner is told so. That one may work
//! in a folder of its own inside, on the disk that was given for this and not where temporary files are,
//! which may be in memory.

use std::fs::{File, TryLockError};
use std::io::{self, BufWriter, Write as _};
use std::path::{Path, PathBuf};

use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};
use tempfile::TempDir;

/// Where those work who find the folder owned, in a folder each.
const PRIVATE: &str = "private";

/// Why the cache folder can't be used.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The folder or a file in it can't be made.
    #[error("the cache folder {} can't be used", folder.display())]
    Folder {
        /// The folder.
        folder: PathBuf,
        /// Why not.
        source: io::Error,
    },
    /// Another process owns it.
    #[error(
        "the cache folder {} is in use by another tagwright process; give this one its own folder",
        .0.display()
    )]
    Locked(PathBuf),
}

/// A cache folder that this process owns.
#[derive(Debug)]
pub struct State {
    folder: PathBuf,
    /// Held for as long as the folder is owned; the system releases it when the process ends.
    _lock: File,
    /// Goes with this.
    _temporary: Option<TempDir>,
}

#[derive(Serialize, Deserialize)]
struct Document<T> {
    version: u32,
    content: T,
}

impl State {
    /// Opens `folder` as its owner, creating it if needed, and clears what killed processes left in it.
    ///
    /// # Errors
    /// [`Error::Locked`] when another process owns it, [`Error::Folder`] when it can't be made.
    pub fn own(folder: &Path) -> Result<Self, Error> {
        let failed = |source| Error::Folder {
            folder: folder.to_owned(),
            source,
        };
        std::fs::create_dir_all(folder).map_err(failed)?;
        let lock = File::create(folder.join("lock")).map_err(failed)?;
        match lock.try_lock() {
            Ok(()) => {}
            Err(TryLockError::WouldBlock) => return Err(Error::Locked(folder.to_owned())),
            Err(TryLockError::Error(source)) => return Err(failed(source)),
        }
        let private = folder.join(PRIVATE);
        if private.is_dir()
            && let Err(error) = clear(&private)
        {
            tracing::warn!(folder = %private.display(), %error, "what killed processes left can't be cleared");
        }
        Ok(Self {
            folder: folder.to_owned(),
            _lock: lock,
            _temporary: None,
        })
    }

    /// Opens an empty cache inside `folder`, which another process owns. It is removed with this; if the
    /// process is killed, when `folder` is next opened either way.
    ///
    /// # Errors
    /// [`Error::Folder`] when it can't be made.
    pub fn beside_owner(folder: &Path) -> Result<Self, Error> {
        let private = folder.join(PRIVATE);
        let make = || {
            std::fs::create_dir_all(&private)?;
            let alone = clear(&private)?;
            Ok((tempfile::tempdir_in(&private)?, alone))
        };
        let (temporary, _alone) = make().map_err(|source| Error::Folder {
            folder: private.clone(),
            source,
        })?;
        let own = Self::own(temporary.path())?;
        Ok(Self {
            _temporary: Some(temporary),
            ..own
        })
    }

    /// The folder of the mirror of `repository`.
    pub fn mirror(&self, repository: &str) -> PathBuf {
        self.folder
            .join("mirrors")
            .join(format!("{repository}.git"))
    }

    /// Reads the document `name`, if one of this `version` is there.
    pub fn load<T: DeserializeOwned>(&self, name: &str, version: u32) -> Option<T> {
        let path = self.path(name);
        // Whole, since parsing from memory is the faster way.
        let bytes = std::fs::read(&path).ok()?;
        match serde_json::from_slice::<Document<T>>(&bytes) {
            Ok(document) if document.version == version => Some(document.content),
            Ok(_) => None,
            Err(error) => {
                tracing::info!(path = %path.display(), %error, "a cached file is of no use and is made anew");
                None
            }
        }
    }

    /// Replaces the document `name`.
    ///
    /// # Errors
    /// When the folder can't be written; the old document then remains.
    pub fn save<T: Serialize>(&self, name: &str, version: u32, content: &T) -> Result<(), Error> {
        let failed = |source| Error::Folder {
            folder: self.folder.clone(),
            source,
        };
        // One name for every draft, so that what a killed process leaves is written over.
        let draft = self.folder.join(format!("{name}.json.new"));
        let mut writer = BufWriter::new(File::create(&draft).map_err(failed)?);
        serde_json::to_writer(&mut writer, &Document { version, content })
            .map_err(|error| failed(error.into()))?;
        writer.flush().map_err(failed)?;
        // No fsync: after a power cut a torn document is detected when read, and made anew.
        std::fs::rename(&draft, self.path(name)).map_err(failed)?;
        Ok(())
    }

    fn path(&self, name: &str) -> PathBuf {
        self.folder.join(format!("{name}.json"))
    }
}

/// Removes the folders in `private` that nobody owns. For as long as the result is held nobody else does
/// so, nor makes a folder that isn't owned yet.
fn clear(private: &Path) -> io::Result<File> {
    let alone = File::create(private.join("lock"))?;
    alone.lock()?;
    for entry in std::fs::read_dir(private)? {
        let path = entry?.path();
        if path.is_dir() && !is_owned(&path) {
            // Its owner may be just removing it.
            let _ = std::fs::remove_dir_all(&path);
        }
    }
    Ok(alone)
}

fn is_owned(folder: &Path) -> bool {
    File::open(folder.join("lock")).is_ok_and(|lock| lock.try_lock().is_err())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_folder_has_one_owner() {
        let folder = tempfile::tempdir().unwrap();
        let first = State::own(folder.path()).unwrap();
        assert!(matches!(State::own(folder.path()), Err(Error::Locked(_))));
        drop(first);
        assert!(State::own(folder.path()).is_ok());
    }

    #[test]
    fn who_finds_an_owner_works_in_a_folder_inside() {
        let folder = tempfile::tempdir().unwrap();
        let owner = State::own(folder.path()).unwrap();
        let private = folder.path().join(PRIVATE);
        let one = State::beside_owner(folder.path()).unwrap();
        let other = State::beside_owner(folder.path()).unwrap();
        assert_eq!(
            (one.folder.parent(), one.folder.is_dir()),
            (Some(&*private), true)
        );
        assert_ne!(one.folder, other.folder);
        let (one_at, other_at) = (one.folder.clone(), other.folder.clone());
        drop(other);
        assert!(one_at.is_dir() && !other_at.exists());
        // As a killed process leaves it: there, and not locked; or before it was locked.
        for (name, lock) in [("killed", true), ("early", false)] {
            std::fs::create_dir(private.join(name)).unwrap();
            if lock {
                std::fs::write(private.join(name).join("lock"), "").unwrap();
            }
        }
        drop(State::beside_owner(folder.path()).unwrap());
        let left = || {
            let entries = std::fs::read_dir(&private).unwrap();
            let folders = entries.filter(|entry| entry.as_ref().unwrap().path().is_dir());
            folders.count()
        };
        assert_eq!(left(), 1, "the one in use");
        std::fs::create_dir(private.join("killed")).unwrap();
        drop(owner);
        let _owner = State::own(folder.path()).unwrap();
        assert_eq!(left(), 1);
        drop(one);
        assert_eq!(left(), 0);
    }

    #[test]
    fn another_version_or_a_torn_file_is_absent() {
        let folder = tempfile::tempdir().unwrap();
        let state = State::own(folder.path()).unwrap();
        state.save("things", 1, &vec![1, 2]).unwrap();
        assert_eq!(state.load::<Vec<u8>>("things", 1), Some(vec![1, 2]));
        assert_eq!(state.load::<Vec<u8>>("things", 2), None);
        std::fs::write(folder.path().join("things.json"), "{\"version\":1,\"con").unwrap();
        assert_eq!(state.load::<Vec<u8>>("things", 1), None);
    }

    #[test]
    fn what_a_killed_process_left_is_written_over() {
        let folder = tempfile::tempdir().unwrap();
        let state = State::own(folder.path()).unwrap();
        std::fs::write(folder.path().join("things.json.new"), "{\"version\":1,").unwrap();
        state.save("things", 1, &vec![1, 2]).unwrap();
        assert_eq!(state.load::<Vec<u8>>("things", 1), Some(vec![1, 2]));
        let files = std::fs::read_dir(folder.path()).unwrap();
        let mut names: Vec<_> = files.map(|file| file.unwrap().file_name()).collect();
        names.sort();
        assert_eq!(names, ["lock", "things.json"]);
    }

    #[test]
    fn a_folder_that_cannot_be_made_is_named() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("file");
        std::fs::write(&file, "").unwrap();
        let error = State::own(&file.join("cache")).unwrap_err();
        assert!(error.to_string().contains("cache"), "{error}");
    }
}
