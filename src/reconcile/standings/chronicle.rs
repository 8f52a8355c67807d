//! The walk from the head back through everything that happened to stages.
//!
//! Invariant: a commit is looked into only if it touched a file that may say what a wanted stage runs, or a
//! decision file. One of the service's, that is borne out by what it changed, is told by its trailers alone,
//! so that a year of its work is read without the config repo of each of its commits.

use std::cmp::Ordering;
use std::sync::Arc;

use super::own;
use super::references::{self, Definition, Later};
use super::touched;
use super::walk::{agrees, by};
use super::{Name, name, policy_of};
use crate::config::{App, PoliciesEntry};
use crate::decision;
use crate::git::{self, CommitId, CommitInfo, Mirror, Reader, Signature, Touched};
use crate::image::Tag;
use crate::manifest::{Part, Site};
use crate::policy::{self, Order, Policy, Recorded};
use crate::promotion::{By, References, moved_back};
use crate::reconcile::claims::{Claims, IndexedFile, StageKey};
use crate::reconcile::decided::{self, Which, Written, which};
use crate::reconcile::history::{
    End, Event, Hand, History, Question, What, difference, reason, subject,
};
use crate::reconcile::running;
use crate::reconcile::snapshot::{Memory, Snapshot};
use crate::reconcile::source::{Contents, Error, Source};
use crate::reconcile::trailer::{Trailer, trailers};

/// Commits looked at for one answer, some decades of a busy branch.
const MAX_STEPS: usize = 200_000;

/// Most events of one answer, some tens of megabytes.
const MAX_EVENTS: usize = 100_000;

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
#[derive(Debug, PartialEq, Eq)]
struct Holds {
    /// As written, sorted.
    written: Vec<String>,
    references: References,
}

/// Tells what happened, as far as the `question` goes.
///
/// # Errors
/// When the mirror can't be read.
pub fn tell(line: Line<'_>, question: &Question) -> Result<History, Error> {
    let snapshot = line.snapshot;
    let all = snapshot.claims.stages.keys();
    let tracks = all.filter_map(|key| {
        let (name, policy) = (name(snapshot, *key), policy_of(snapshot, *key));
        question.is_about(&name.0, &name.1).then(|| Track {
            name,
            policy,
            defined: Definition {
                apps: Arc::clone(&snapshot.apps),
                at: key.app,
            },
            at: holds(policy, &snapshot.files, &snapshot.claims, *key),
        })
    });
    let tracks: Vec<Track<'_>> = tracks.collect();
    let mut teller = Teller {
        reader: line.mirror.reader()?,
        contents: Contents::Mirror(line.mirror.reader()?),
        question,
        most: question.most.unwrap_or(MAX_EVENTS).min(MAX_EVENTS),
        stages: tracks.len(),
        tracks,
        stale: false,
        is_cut: false,
        events: Vec::new(),
        line,
    };
    let end = teller.run()?;
    teller.events.truncate(teller.most);
    Ok(History {
        head: teller.line.head,
        stages: teller.stages,
        events: teller.events,
        end,
    })
}

struct Teller<'a> {
    reader: Reader,
    contents: Contents,
    question: &'a Question,
    most: usize,
    stages: usize,
    tracks: Vec<Track<'a>>,
    /// Whether what the tracks hold is of a later commit than the walk is at.
    stale: bool,
    /// Whether who decided something lies beyond what was fetched.
    is_cut: bool,
    events: Vec<Event>,
    line: Line<'a>,
}

impl Teller<'_> {
    fn run(&mut self) -> Result<End, Error> {
        let mut at = self.line.head;
        for _ in 0..MAX_STEPS {
            let info = self.reader.commit_info(at)?;
            let too_old = self
                .question
                .since
                .is_some_and(|since| info.committed < since);
            if too_old || self.events.len() >= self.most {
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
            self.began(track, by(at, info), info);
        }
        let freezes = Touched {
            path: decision::FREEZES.to_owned(),
            before: None,
            after: self.reader.blob_at(at, decision::FREEZES)?,
        };
        self.note_decisions(&[freezes], at)?;
        Ok(())
    }

    fn began(&mut self, track: Track<'_>, by: By, info: &CommitInfo) {
        let mut runs = track.at.written;
        runs.dedup();
        self.push(&track.name, by, What::Began(runs), subject(&info.message));
    }

    fn push(&mut self, name: &Name, by: By, what: What, why: String) {
        let (app, stage) = name.clone();
        self.events.push(Event {
            app,
            stage,
            by,
            what,
            why,
        });
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
        for trailer in ours {
            let name = (trailer.app.to_owned(), trailer.stage.to_owned());
            let what = What::Changed {
                from: trailer.from.iter().map(ToString::to_string).collect(),
                to: vec![trailer.to.to_string()],
                hand: Hand::Service,
            };
            let why = reason(&info.message, trailer.app, trailer.stage);
            self.push(&name, by(at, info), what, why);
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
                self.began(track, by(at, info), info);
                continue;
            };
            track.defined = defined;
            if let Some((from, to)) = difference(&held.written, &track.at.written) {
                let own = stated.iter().any(|trailer| {
                    (trailer.app, trailer.stage) == (&track.name.0, &track.name.1)
                        && agrees(trailer, &held.references, &track.at.references)
                });
                let hand = match own {
                    true => Hand::Service,
                    false if is_back(track.policy, &held, &track.at) => Hand::Back,
                    false => Hand::Person,
                };
                let why = match own {
                    true => reason(&info.message, &track.name.0, &track.name.1),
                    false => subject(&info.message),
                };
                let what = What::Changed { from, to, hand };
                self.push(&track.name, by(at, info), what, why);
            }
            track.at = held;
            self.tracks.push(track);
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
            let asked = stage.is_some_and(|(app, stage)| self.question.is_about(app, stage));
            if !asked && file.path != decision::FREEZES {
                continue;
            }
            let (app, stage) = stage.unwrap_or_default();
            let name = (app.to_owned(), stage.to_owned());
            let entries = |blob| decided::entries(&self.reader, &file.path, blob);
            let (old, new) = (entries(file.before)?, entries(file.after)?);
            let (old, new) = (which(&old), which(&new));
            let asked = |one: &&Which<'_>| match (&one.0, &self.question.stage) {
                (Written::Freezing(freezing), Some(stage)) => freezing.stages().has(stage),
                _ => true,
            };
            let gone = old.iter().filter(|one| !new.contains(one));
            let gone: Vec<&Which<'_>> = gone.filter(asked).collect();
            // The last entry is the newest.
            let came = new.iter().rev().filter(|one| !old.contains(one));
            let came: Vec<&Which<'_>> = came.filter(asked).collect();
            for one in gone {
                let info = self.reader.commit_info(at)?;
                let what = What::Withdrawn(one.0.clone());
                self.push(&name, by(at, &info), what, subject(&info.message));
            }
            for one in came {
                let Some(who) = decided::who(&self.reader, at, &file.path, *one)? else {
                    self.is_cut = true;
                    return Ok(());
                };
                let why = one.0.reason().map(subject).unwrap_or_default();
                self.push(&name, who, What::Decided(one.0.clone()), why);
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

/// Whether a stage was moved back, where tags have places that tell.
fn is_back(policy: &Policy, before: &Holds, after: &Holds) -> bool {
    let ranked = !matches!(policy.order, Order::Newest(_) | Order::Digest(_));
    let compare = |a: &Tag, b: &Tag| {
        let order = policy::compare(policy, a, b, Recorded::default());
        order.unwrap_or(Ordering::Equal)
    };
    match (&before.references, &after.references) {
        (References::Ordered(before), References::Ordered(after)) if ranked => {
            moved_back(before, after, |a, b| compare(&a.tag, &b.tag)).is_some()
        }
        _ => false,
    }
}
