//! When the branch first held each digest: since then at the latest the image has been there.
//!
//! Invariant: a digest's time is that of the first commit, of those looked at, after which a site held it, or
//! with which the service's own trailer says that a site got the tag it stood for. What was not looked at
//! makes an image seem younger, never older. Times never go back along the branch, and none is in the
//! future.
//!
//! A digest is its content, so which image's site it was at doesn't matter. Blocking; decides nothing.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use jiff::Timestamp;

use super::own::{self, Pair};
use crate::git::{self, BlobId, CommitId, FileKind, Mirror, Reader, Signature};
use crate::image::Digest;
use crate::manifest::{self, FileIndex, Site};
use crate::policy::Taken;
use crate::reconcile::snapshot::{Memory, Snapshot};
use crate::reconcile::source::{Contents, Error};
use crate::reconcile::trailer::{Trailer, trailers};

/// Commits looked at, most of a year of a busy branch: ages that policies ask for are of days.
const MAX_STEPS: usize = 10_000;

/// What every digest in a file has, so that most files need no parsing.
const MARK: &[u8] = b"sha";

/// Where digests may be found.
pub struct Ground<'a> {
    /// The commits of the branch.
    pub mirror: &'a Mirror,
    /// The commit it is at.
    pub head: CommitId,
    /// The config repo there.
    pub snapshot: &'a Snapshot,
    /// The author of the service's own commits.
    pub author: &'a Signature,
    /// What snapshots leave for each other.
    pub memory: &'a mut Memory,
    /// No commit counts as later.
    pub now: Timestamp,
}

/// What was found as of an earlier head.
#[derive(Debug, Default)]
pub struct KeptTakings {
    at: Option<CommitId>,
    first: First,
    /// Whether the branch goes on beyond what was looked at, and would be looked at if it were here.
    is_cut: bool,
}

/// The first time of each digest, as commits are told, the oldest first.
#[derive(Debug, Default)]
struct First {
    times: BTreeMap<Digest, Timestamp>,
    clock: Timestamp,
}

impl First {
    /// A commit, by when it was made, with which `digests` came.
    fn commit(&mut self, at: Timestamp, now: Timestamp, digests: BTreeSet<Digest>) {
        self.clock = self.clock.max(at.min(now));
        for digest in digests {
            self.times.entry(digest).or_insert(self.clock);
        }
    }
}

impl KeptTakings {
    /// When each of `digests` was first taken. Reads what has come to the branch since it was last asked, the
    /// whole branch the first time.
    ///
    /// # Errors
    /// When the mirror can't be read.
    pub fn read(
        &mut self,
        ground: Ground<'_>,
        digests: &[Digest],
    ) -> Result<BTreeMap<Digest, Taken>, Error> {
        if self.at != Some(ground.head) || self.is_cut {
            self.go_on(ground)?;
        }
        let taken = |digest| match self.first.times.get(digest) {
            Some(at) => Taken::At(*at),
            None => Taken::Never,
        };
        let told = digests.iter().map(|digest| (digest.clone(), taken(digest)));
        Ok(told.collect())
    }

    /// Whether more of the branch's history may tell more than what was read last.
    pub fn is_cut(&self) -> bool {
        self.is_cut
    }

    fn go_on(&mut self, ground: Ground<'_>) -> Result<(), Error> {
        let (head, now) = (ground.head, ground.now);
        let (reader, contents) = (
            ground.mirror.reader()?,
            Contents::Mirror(ground.mirror.reader()?),
        );
        let known = self.at.filter(|_| !self.is_cut);
        let (line, is_cut) = line(&reader, head, known)?;
        let mut looking = Looking {
            reader,
            contents,
            author: ground.author,
            memory: ground.memory,
        };
        let (oldest, later) = line
            .split_last()
            .map_or((head, &[][..]), |(at, later)| (*at, later));
        let mut commits = Vec::with_capacity(later.len());
        let mut parent = oldest;
        for at in later.iter().rev() {
            commits.push(looking.brought(parent, *at)?);
            parent = *at;
        }
        if known != Some(oldest) {
            // What the head holds and no later commit brought was there from the oldest on.
            let mut there = looking.held(ground.snapshot)?;
            there.retain(|digest| commits.iter().all(|(_, brought)| !brought.contains(digest)));
            let made = looking.reader.commit_info(oldest)?.committed;
            self.first = First::default();
            self.first.commit(made, now, there);
        }
        for (made, brought) in commits {
            self.first.commit(made, now, brought);
        }
        (self.at, self.is_cut) = (Some(head), is_cut);
        Ok(())
    }
}

/// The commits from `head` back to `known`, or as far as they were fetched and are looked at; and whether it
/// is what was fetched that ends them.
fn line(
    reader: &Reader,
    head: CommitId,
    known: Option<CommitId>,
) -> Result<(Vec<CommitId>, bool), git::Error> {
    let mut line = vec![head];
    let mut at = head;
    while Some(at) != known && line.len() < MAX_STEPS {
        match reader.past(at)? {
            git::Past::Parent(parent) => at = parent,
            git::Past::Root => break,
            git::Past::More => return Ok((line, true)),
        }
        line.push(at);
    }
    Ok((line, false))
}

struct Looking<'a> {
    reader: Reader,
    contents: Contents,
    author: &'a Signature,
    memory: &'a mut Memory,
}

impl Looking<'_> {
    /// The digests at sites of the config repo.
    fn held(&mut self, snapshot: &Snapshot) -> Result<BTreeSet<Digest>, Error> {
        let mut held = BTreeSet::new();
        for file in &snapshot.files {
            // Targets are of today's app files, and no commit is looked at by them.
            let index = match file.targets.is_empty() {
                true => Some(Arc::clone(&file.index)),
                false => self
                    .memory
                    .index_of(&self.contents, &file.path, file.blob)?,
            };
            held.extend(index.iter().flat_map(|index| digests(index)));
        }
        Ok(held)
    }

    /// When the commit `at` was made, and the digests that sites hold after it, in the files that it changed.
    fn brought(
        &mut self,
        parent: CommitId,
        at: CommitId,
    ) -> Result<(Timestamp, BTreeSet<Digest>), Error> {
        let info = self.reader.commit_info(at)?;
        let mut brought = BTreeSet::new();
        for file in self.reader.changes(parent, at)?.changed {
            let regular = matches!(file.kind, FileKind::Regular | FileKind::Executable);
            if !regular || manifest::format_of(&file.path).is_none() {
                continue;
            }
            let bytes = self.contents.manifest(&file.path, file.blob)?;
            if bytes.windows(MARK.len()).any(|part| part == MARK) {
                let index = self.index(&file.path, Some(file.blob))?;
                brought.extend(index.iter().flat_map(|index| digests(index)));
            }
        }
        if info.author == *self.author {
            brought.extend(self.stated(&info.message, parent, at)?);
        }
        Ok((info.committed, brought))
    }

    /// What the service says of a change that bears it out.
    fn stated(
        &mut self,
        message: &str,
        parent: CommitId,
        at: CommitId,
    ) -> Result<Vec<Digest>, Error> {
        let stated: Vec<Trailer<'_>> = trailers(message).collect();
        if stated.is_empty() {
            return Ok(Vec::new());
        }
        let touched = self.reader.touched(parent, at)?;
        let mut pairs = Vec::with_capacity(touched.len());
        for file in &touched {
            let old = self.index(&file.path, file.before)?;
            let new = self.index(&file.path, file.after)?;
            pairs.push(Pair { old, new });
        }
        let borne_out = own::borne_out(&stated, &touched, &pairs).unwrap_or_default();
        let digests = borne_out
            .into_iter()
            .filter_map(|trailer| trailer.to.digest);
        Ok(digests.collect())
    }

    fn index(&mut self, path: &str, blob: Option<BlobId>) -> Result<Option<Arc<FileIndex>>, Error> {
        match blob {
            Some(blob) => self.memory.index_of(&self.contents, path, blob),
            None => Ok(None),
        }
    }
}

/// The digests at the sites of a file.
fn digests(index: &FileIndex) -> impl Iterator<Item = Digest> {
    let sites = index
        .sites
        .iter()
        .filter(|site| !site.ignored && !index.ignored);
    sites.filter_map(Site::digest)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_digest_has_the_time_of_the_first_commit_that_brought_it() {
        let at = |second| Timestamp::from_second(second).unwrap();
        // By second and digests of each commit, and the second at which `x` was taken, at 100.
        for (commits, expected) in [
            (&[][..], None),
            (&[(10, "a")], None),
            (&[(10, "x")], Some(10)),
            (&[(10, "a"), (20, "x"), (30, "x")], Some(20)),
            (&[(10, "x"), (20, "a"), (30, "x")], Some(10)),
            // A clock that was behind makes nothing older than what was there before it.
            (&[(50, "a"), (20, "x")], Some(50)),
            (&[(20, "a"), (50, "a"), (20, "x"), (60, "x")], Some(50)),
            // One that was ahead makes nothing of the future.
            (&[(500, "x")], Some(100)),
            (&[(500, "a"), (20, "x")], Some(100)),
        ] {
            let mut first = First::default();
            for (second, digests) in commits {
                let digests = digests.bytes().map(|byte| Digest::of(&[byte])).collect();
                first.commit(at(*second), at(100), digests);
            }
            let found = first.times.get(&Digest::of(b"x")).copied();
            assert_eq!(found, expected.map(at), "{commits:?}");
        }
    }
}
