//! The walk from the head back through everything that happened to stages, as a listener is told it.
//!
//! Invariant: a commit is looked into only if it touched a file that may say what a wanted stage runs, or a
//! decision file. One of the service's, that is borne out by what it changed, is told by its trailers alone,
//! so that a year of its work is read without the config repo of each of its commits.
//!
//! What it comes to is the listener's business.

use std::sync::Arc;

use super::own;
use super::references::{self, Definition, Later};
use super::touched;
use super::walk::{agrees, by};
use super::{Name, name, policy_of};
use crate::config::{App, PoliciesEntry};
use crate::decision;
use crate::git::{self, CommitId, CommitInfo, Mirror, Reader, Signature, Touched};
use crate::manifest::{Part, Site};
use crate::policy::{Order, Policy};
use crate::promotion::{By, References};
use crate::reconcile::claims::{Claims, IndexedFile, StageKey};
use crate::reconcile::decided::{self, Written, which};
use crate::reconcile::history::{End, difference, subject};
use crate::reconcile::running;
use crate::reconcile::snapshot::{Memory, Snapshot};
use crate::reconcile::source::{Contents, Error, Source};
use crate::reconcile::trailer::{Trailer, trailers};

/// Commits looked at for one answer, some decades of a busy branch.
const MAX_STEPS: usize = 200_000;

/// Most indexes of files that are kept on the way, some hundred megabytes; those needed again are made again.
const MAX_INDEXES: usize = 200_000;

/// The branch of a config repo, and what is needed to tell its history.
pub struct Line<'a> {
    /// Where its commits are.
    pub mirror: &'a Mirror,
    /// The commit it is at.
    pub head: CommitId,
    /// The config repo there.
    pub snapshot: &'a Snapshot,
    /// The folders of app files.
    pub policies: &'a [PoliciesEntry],
    /// The author of the service's own commits.
    pub author: &'a Signature,
    /// What snapshots leave for each other.
    pub memory: &'a mut Memory,
}

impl Line<'_> {
    /// The same, to walk along once more.
    pub(super) fn again(&mut self) -> Line<'_> {
        Line {
            memory: &mut *self.memory,
            ..*self
        }
    }
}

/// One stage on the way back.
struct Track<'a> {
    name: Name,
    policy: &'a Policy,
    /// The app as the commit defines it, or the next one that has it valid.
    defined: Definition,
    /// What it holds at the commit that the walk is at.
    at: Holds,
}

/// What the sites of a stage hold.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Holds {
    /// As written, sorted.
    pub(super) written: Vec<String>,
    pub(super) references: References,
}

/// One change of what a stage holds.
pub(super) struct Move<'a> {
    pub(super) before: &'a Holds,
    pub(super) after: &'a Holds,
    /// What is gone and what came, as written.
    pub(super) difference: (Vec<String>, Vec<String>),
    pub(super) policy: &'a Policy,
}

/// Who is told what happened, the newest first.
pub(super) trait Listener {
    /// The service changed a stage, as it states.
    fn service(&mut self, name: &Name, trailer: &Trailer<'_>, at: Commit<'_>) -> Wish;

    /// Somebody changed a stage.
    fn person(&mut self, name: &Name, change: &Move<'_>, at: Commit<'_>) -> Wish;

    /// A stage was named for the first time, when it held this.
    fn began(&mut self, name: &Name, holds: &Holds, at: Commit<'_>);

    /// Whether to tell of decisions about this stage, if one is given, or of freezes.
    fn wants_decisions(&self, about: Option<(&str, &str)>) -> bool;

    /// Somebody decided something.
    fn decided(&mut self, name: &Name, written: &Written, by: By);

    /// Somebody took a decision out of its file.
    fn withdrawn(&mut self, name: &Name, written: &Written, at: Commit<'_>);

    /// The walk comes to a commit.
    fn reaches(&mut self, info: &CommitInfo) -> Wish;

    /// Whether what a stage was at a commit, and before, is known already.
    fn knows(&mut self, name: &Name, at: CommitId) -> bool;
}

/// A commit and what it says.
#[derive(Clone, Copy)]
pub(super) struct Commit<'a> {
    pub(super) id: CommitId,
    pub(super) info: &'a CommitInfo,
}

impl Commit<'_> {
    /// Who made it, and when.
    pub(super) fn by(self) -> By {
        by(self.id, self.info)
    }
}

/// How far back is still listened for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Wish {
    /// Further.
    More,
    /// All that is wanted is told.
    Enough,
}

/// Tells the `listener` what happened to `stages`.
///
/// # Errors
/// When the mirror can't be read.
pub(super) fn walk<L: Listener>(
    line: Line<'_>,
    stages: &[StageKey],
    listener: &mut L,
) -> Result<End, Error> {
    let snapshot = line.snapshot;
    let tracks = stages.iter().map(|key| {
        let (policy, name) = (policy_of(snapshot, *key), name(snapshot, *key));
        Track {
            name,
            policy,
            defined: Definition {
                apps: Arc::clone(&snapshot.apps),
                at: key.app,
            },
            at: holds(policy, &snapshot.files, &snapshot.claims, *key),
        }
    });
    let teller = Teller {
        reader: line.mirror.reader()?,
        contents: Contents::Mirror(line.mirror.reader()?),
        tracks: tracks.collect(),
        stale: false,
        is_cut: false,
        listener,
        line,
    };
    teller.run()
}

struct Teller<'a, L> {
    reader: Reader,
    contents: Contents,
    tracks: Vec<Track<'a>>,
    /// Whether what the tracks hold is of a later commit than the walk is at.
    stale: bool,
    /// Whether who decided something lies beyond what was fetched.
    is_cut: bool,
    listener: &'a mut L,
    line: Line<'a>,
}

impl<L: Listener> Teller<'_, L> {
    fn run(mut self) -> Result<End, Error> {
        let mut at = self.line.head;
        for _ in 0..MAX_STEPS {
            let listener = &mut *self.listener;
            self.tracks.retain(|track| !listener.knows(&track.name, at));
            let info = self.reader.commit_info(at)?;
            if self.listener.reaches(&info) == Wish::Enough {
                return Ok(End::Asked);
            }
            if self.tracks.is_empty() {
                return Ok(End::Beginning);
            }
            if self.line.memory.indexes.len() > MAX_INDEXES {
                self.line.memory.indexes.clear();
            }
            let parent = match self.reader.past(at)? {
                git::Past::Parent(parent) => parent,
                git::Past::Root => {
                    self.first(at, &info)?;
                    return Ok(End::Beginning);
                }
                git::Past::More => return Ok(End::NotFetched),
            };
            let touched = self.reader.touched(parent, at)?;
            self.note_decisions(&touched, at)?;
            if self.is_cut {
                return Ok(End::NotFetched);
            }
            let apps: Vec<&App> = self
                .tracks
                .iter()
                .map(|track| track.defined.app())
                .collect();
            let (memory, policies) = (&mut *self.line.memory, self.line.policies);
            if touched::matter(memory, &self.contents, policies, &apps, &touched)?
                && !self.note_own(&touched, at, &info)?
            {
                self.step(parent, at, &info)?;
            }
            at = parent;
        }
        Ok(End::Asked)
    }

    /// The first commit of the branch: what there is began with it.
    fn first(&mut self, at: CommitId, info: &CommitInfo) -> Result<(), Error> {
        self.refresh(at)?;
        for track in std::mem::take(&mut self.tracks) {
            let (app, stage) = &track.name;
            let path = decision::file_of(app, stage);
            let file = Touched {
                before: None,
                after: self.reader.blob_at(at, &path)?,
                path,
            };
            self.note_decisions(&[file], at)?;
            self.began(&track, at, info);
        }
        let freezes = Touched {
            path: decision::FREEZES.to_owned(),
            before: None,
            after: self.reader.blob_at(at, decision::FREEZES)?,
        };
        self.note_decisions(&[freezes], at)?;
        Ok(())
    }

    fn began(&mut self, track: &Track<'_>, id: CommitId, info: &CommitInfo) {
        let at = Commit { id, info };
        self.listener.began(&track.name, &track.at, at);
    }

    /// Tells a commit of the service by its trailers, if what it changed bears them out.
    fn note_own(
        &mut self,
        touched: &[Touched],
        at: CommitId,
        info: &CommitInfo,
    ) -> Result<bool, Error> {
        let apps: Vec<&App> = self
            .tracks
            .iter()
            .map(|track| track.defined.app())
            .collect();
        let beside = touched::beside_sites(self.line.policies, &apps, touched);
        if info.author != *self.line.author || beside {
            return Ok(false);
        }
        let stated: Vec<Trailer<'_>> = trailers(&info.message).collect();
        let pairs = touched::pairs(self.line.memory, &self.contents, touched)?;
        let Some(stated) = own::borne_out(&stated, touched, &pairs) else {
            return Ok(false);
        };
        let ours = |trailer: &&Trailer<'_>| {
            let mut tracks = self.tracks.iter();
            tracks.any(|track| (trailer.app, trailer.stage) == (&track.name.0, &track.name.1))
        };
        let ours: Vec<&Trailer<'_>> = stated.iter().filter(ours).collect();
        self.stale |= !ours.is_empty();
        let commit = Commit { id: at, info };
        for trailer in ours {
            let name = (trailer.app.to_owned(), trailer.stage.to_owned());
            if self.listener.service(&name, trailer, commit) == Wish::Enough {
                self.tracks.retain(|track| track.name != name);
            }
        }
        Ok(true)
    }

    /// Compares what the tracks hold at `at` with what they held at its `parent`.
    fn step(&mut self, parent: CommitId, at: CommitId, info: &CommitInfo) -> Result<(), Error> {
        self.refresh(at)?;
        let before = self.snapshot(parent)?;
        let stated: Vec<Trailer<'_>> = match info.author == *self.line.author {
            true => trailers(&info.message).collect(),
            false => Vec::new(),
        };
        for mut track in std::mem::take(&mut self.tracks) {
            let Some((held, defined)) = self.earlier(&track, &before, parent)? else {
                self.began(&track, at, info);
                continue;
            };
            track.defined = defined;
            let wish = match difference(&held.written, &track.at.written) {
                None => Wish::More,
                Some(difference) => {
                    let commit = Commit { id: at, info };
                    let own = stated.iter().find(|trailer| {
                        (trailer.app, trailer.stage) == (&track.name.0, &track.name.1)
                            && agrees(trailer, &held.references, &track.at.references)
                    });
                    let change = Move {
                        before: &held,
                        after: &track.at,
                        difference,
                        policy: track.policy,
                    };
                    match own {
                        Some(trailer) => self.listener.service(&track.name, trailer, commit),
                        None => self.listener.person(&track.name, &change, commit),
                    }
                }
            };
            track.at = held;
            if wish == Wish::More {
                self.tracks.push(track);
            }
        }
        Ok(())
    }

    /// Reads what the tracks hold at `at` anew, where that is not known.
    fn refresh(&mut self, at: CommitId) -> Result<(), Error> {
        if !std::mem::take(&mut self.stale) {
            return Ok(());
        }
        let snapshot = self.snapshot(at)?;
        for mut track in std::mem::take(&mut self.tracks) {
            if let Some((held, defined)) = self.earlier(&track, &snapshot, at)? {
                (track.at, track.defined) = (held, defined);
            }
            self.tracks.push(track);
        }
        Ok(())
    }

    fn snapshot(&mut self, at: CommitId) -> Result<Snapshot, Error> {
        let source = Source::Commit(self.line.mirror, at);
        Snapshot::take(source, self.line.policies, self.line.memory)
    }

    fn earlier(
        &self,
        track: &Track<'_>,
        snapshot: &Snapshot,
        at: CommitId,
    ) -> Result<Option<(Holds, Definition)>, Error> {
        let file = &track.defined.app().file;
        let later = Later {
            name: &track.name,
            defined: &track.defined,
            there: self.reader.blob_at(at, file)?.is_some(),
        };
        let read =
            |files: &[IndexedFile], claims: &Claims, key| holds(track.policy, files, claims, key);
        let policies = self.line.policies;
        Ok(references::earlier(&later, snapshot, policies, read))
    }

    /// Tells what came to files of decisions, and what went.
    fn note_decisions(&mut self, touched: &[Touched], at: CommitId) -> Result<(), Error> {
        for file in touched {
            let stage = decision::about(&file.path);
            let freezes = file.path == decision::FREEZES;
            if !(stage.is_some() || freezes) || !self.listener.wants_decisions(stage) {
                continue;
            }
            let (app, stage) = stage.unwrap_or_default();
            let name = (app.to_owned(), stage.to_owned());
            let entries = |blob| decided::entries(&self.reader, &file.path, blob);
            let (old, new) = (entries(file.before)?, entries(file.after)?);
            let (old, new) = (which(&old), which(&new));
            for one in old.iter().filter(|one| !new.contains(one)) {
                let commit = Commit {
                    id: at,
                    info: &self.reader.commit_info(at)?,
                };
                self.listener.withdrawn(&name, one.0, commit);
            }
            // The last entry is the newest.
            let came = new.iter().rev().filter(|one| !old.contains(one));
            for one in came {
                let Some(who) = decided::who(&self.reader, at, &file.path, *one)? else {
                    self.is_cut = true;
                    return Ok(());
                };
                self.listener.decided(&name, one.0, who);
            }
        }
        Ok(())
    }
}

/// What the sites of the stage `key` hold, as far as they say what it runs.
fn holds(policy: &Policy, files: &[IndexedFile], claims: &Claims, key: StageKey) -> Holds {
    let follows = matches!(policy.order, Order::Digest(_));
    let sites = claims.stages.get(&key).into_iter().flatten();
    let written = sites.filter_map(|at| {
        let site: &Site = &files[at.file].index.sites[at.site];
        let says_nothing = match running::part(site) {
            Part::Name => true,
            Part::Digest => !follows,
            Part::Whole | Part::Tag => false,
        };
        if says_nothing || claims.overridden.contains(at) {
            return None;
        }
        let text = match (site.tag_text(), site.digest_text()) {
            (None, None) => return None,
            (Some(tag), None) => tag.to_owned(),
            (None, Some(digest)) => digest.to_owned(),
            (Some(tag), Some(digest)) => format!("{tag}@{digest}"),
        };
        Some(subject(&text))
    });
    let mut written: Vec<String> = written.collect();
    written.sort();
    Holds {
        written,
        references: references::of(policy, files, claims, key),
    }
}
