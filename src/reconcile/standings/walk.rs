//! The walk from the head back to where each stage's past begins to matter.
//!
//! Invariant: a commit is looked into only if it changed an app file, or a file with sites that may be a
//! wanted stage's; any other left every wanted stage as it was. A stage's walk ends at the service's latest
//! change to it, at a decision what to deploy, at what was kept, or where its app file first appears.

use std::collections::BTreeMap;
use std::sync::Arc;

use super::own;
use super::references::{self, Definition, Later};
use super::touched;
use super::{Branch, Kept, Marks, Name, Past, name, policy_of, with_order};
use crate::config::App;
use crate::git::{self, CommitId, CommitInfo, Reader, Touched};
use crate::policy::{Order, Policy};
use crate::promotion::{Bound, By, Event, Held, Lift, References, Standing, Taken};
use crate::reconcile::claims::{Claims, IndexedFile, StageKey};
use crate::reconcile::snapshot::Snapshot;
use crate::reconcile::source::{Contents, Error, Source};
use crate::reconcile::trailer::{Trailer, trailers};

/// Commits looked at in one walk, some decades of a busy branch: what is older doesn't matter any more.
const MAX_STEPS: usize = 200_000;

/// One stage on the way back.
struct Track<'a> {
    key: StageKey,
    name: Name,
    policy: &'a Policy,
    /// The app as the commit defines it, or the next one that has it valid.
    defined: Definition,
    /// The references at the commit that the walk is at.
    at: References,
    /// What changed since, the newest first.
    events: Vec<Event>,
    /// Where tags have no places: the first event, and what is still looked for before it.
    sought: Option<Sought>,
    /// What was kept of it as of an earlier head.
    kept: Option<(CommitId, &'a Standing)>,
    marks: Option<&'a Marks>,
}

/// References of which it must be known whether the stage ran them before.
struct Sought {
    first: Event,
    open: Vec<Held>,
    /// What it ran before, the newest first.
    ran: Vec<Held>,
}

/// Reads the past of `stages`.
pub(super) fn walk<'a>(
    branch: Branch<'a>,
    stages: &[StageKey],
    kept: &'a Kept,
) -> Result<BTreeMap<StageKey, Past>, Error> {
    let snapshot = branch.snapshot;
    let tracks = stages.iter().map(|key| {
        let (policy, name) = (policy_of(snapshot, *key), name(snapshot, *key));
        Track {
            key: *key,
            kept: kept.of(&name, policy),
            marks: branch.marks.get(key),
            name,
            policy,
            defined: Definition {
                apps: Arc::clone(&snapshot.apps),
                at: key.app,
            },
            at: references::of(policy, &snapshot.files, &snapshot.claims, *key),
            events: Vec::new(),
            sought: None,
        }
    });
    let tracks = tracks.collect();
    let mut walk = Walk {
        tracks,
        found: BTreeMap::new(),
        branch,
    };
    walk.run()?;
    Ok(walk.found)
}

struct Walk<'a> {
    tracks: Vec<Track<'a>>,
    found: BTreeMap<StageKey, Past>,
    branch: Branch<'a>,
}

/// What comes before a commit, as far as wanted stages go.
enum Before {
    /// All are as they were at this commit.
    Same(CommitId),
    /// Some may differ at this commit.
    Other(CommitId, Box<Snapshot>),
}

impl<'a> Walk<'a> {
    fn run(&mut self) -> Result<(), Error> {
        let mut at = self.branch.head;
        self.go_on_from_kept(at);
        if self.tracks.is_empty() {
            return Ok(());
        }
        let reader = self.branch.mirror.reader()?;
        let contents = Contents::Mirror(self.branch.mirror.reader()?);
        for _ in 0..MAX_STEPS {
            self.heed_decisions(&reader, at)?;
            if self.tracks.is_empty() {
                return Ok(());
            }
            let before = match reader.past(at)? {
                git::Past::Parent(parent) => self.before(&reader, &contents, parent, at)?,
                git::Past::Root => break,
                git::Past::More => {
                    let waiting = self.tracks.drain(..);
                    let waiting = waiting.map(|track| (track.key, Past::More));
                    self.found.extend(waiting);
                    return Ok(());
                }
            };
            at = match before {
                Before::Same(parent) => parent,
                Before::Other(parent, snapshot) => {
                    self.step(&reader, &snapshot, parent, at)?;
                    parent
                }
            };
            self.go_on_from_kept(at);
            if self.tracks.is_empty() {
                return Ok(());
            }
        }
        let info = reader.commit_info(at)?;
        for track in std::mem::take(&mut self.tracks) {
            self.begin(track, by(at, &info), Vec::new());
        }
        Ok(())
    }

    /// Ends walks at the decision what to deploy that came with `at`, and notes what others lift.
    fn heed_decisions(&mut self, reader: &Reader, at: CommitId) -> Result<(), Error> {
        let concerned = |track: &Track<'_>| {
            let marks = track.marks.filter(|_| track.sought.is_none());
            marks.is_some_and(|marks| marks.deploy == Some(at) || marks.lifts.contains_key(&at))
        };
        if !self.tracks.iter().any(concerned) {
            return Ok(());
        }
        let info = reader.commit_info(at)?;
        for mut track in std::mem::take(&mut self.tracks) {
            let marks = track.marks.filter(|_| concerned(&track));
            let Some(marks) = marks else {
                self.tracks.push(track);
                continue;
            };
            if marks.deploy == Some(at) {
                self.begin(track, by(at, &info), vec![Lift::Deployed]);
                continue;
            }
            track.events.push(Event {
                by: by(at, &info),
                after: track.at.clone(),
                service: None,
                lifts: marks.lifts.get(&at).cloned().unwrap_or_default(),
            });
            self.tracks.push(track);
        }
        Ok(())
    }

    /// The config repo at `parent`, unless `at` left every wanted stage as it was.
    fn before(
        &mut self,
        reader: &Reader,
        contents: &Contents,
        parent: CommitId,
        at: CommitId,
    ) -> Result<Before, Error> {
        let touched = reader.touched(parent, at)?;
        let apps: Vec<&App> = self
            .tracks
            .iter()
            .map(|track| track.defined.app())
            .collect();
        let memory = &mut *self.branch.memory;
        let matters = touched::matter(memory, contents, self.branch.policies, &apps, &touched)?;
        if !matters || self.is_ours(reader, contents, &touched, at)? {
            return Ok(Before::Same(parent));
        }
        let source = Source::Commit(self.branch.mirror, parent);
        let snapshot = Snapshot::take(source, self.branch.policies, self.branch.memory)?;
        Ok(Before::Other(parent, Box::new(snapshot)))
    }

    /// Whether a commit is the service's, and all that it changed is what it says. The walks of the stages
    /// that it changed end there, and it left the others as they were.
    fn is_ours(
        &mut self,
        reader: &Reader,
        contents: &Contents,
        touched: &[Touched],
        at: CommitId,
    ) -> Result<bool, Error> {
        let info = reader.commit_info(at)?;
        // Where tags have no places, what ran before may have to be known.
        let simple = self.tracks.iter().all(|track| !remembers(track.policy));
        let apps: Vec<&App> = self
            .tracks
            .iter()
            .map(|track| track.defined.app())
            .collect();
        let beside = touched::beside_sites(self.branch.policies, &apps, touched);
        if info.author != *self.branch.author || !simple || beside {
            return Ok(false);
        }
        let stated: Vec<Trailer<'_>> = trailers(&info.message).collect();
        let pairs = touched::pairs(self.branch.memory, contents, touched)?;
        let Some(stated) = own::borne_out(&stated, touched, &pairs) else {
            return Ok(false);
        };
        for track in std::mem::take(&mut self.tracks) {
            let own = stated
                .iter()
                .find(|trailer| (trailer.app, trailer.stage) == (&track.name.0, &track.name.1));
            match own {
                Some(trailer) => {
                    let Some(taken) = taken(reader, trailer)? else {
                        self.found.insert(track.key, Past::More);
                        continue;
                    };
                    let first = Event {
                        by: by(at, &info),
                        after: track.at.clone(),
                        service: Some(taken),
                        lifts: Vec::new(),
                    };
                    let ran = trailer.from.iter().cloned().collect();
                    self.finish(track, first, ran);
                }
                None => self.tracks.push(track),
            }
        }
        Ok(true)
    }

    /// One commit, `at`, that may have changed wanted stages, and what they were at its `parent`.
    fn step(
        &mut self,
        reader: &Reader,
        snapshot: &Snapshot,
        parent: CommitId,
        at: CommitId,
    ) -> Result<(), Error> {
        let info = reader.commit_info(at)?;
        let stated: Vec<Trailer<'_>> = match info.author == *self.branch.author {
            true => trailers(&info.message).collect(),
            false => Vec::new(),
        };
        for mut track in std::mem::take(&mut self.tracks) {
            let file = &track.defined.app().file;
            let there = reader.blob_at(parent, file)?.is_some();
            let read = |files: &[IndexedFile], claims: &Claims, key| {
                references::of(track.policy, files, claims, key)
            };
            let later = Later {
                name: &track.name,
                defined: &track.defined,
                there,
            };
            let earlier = references::earlier(&later, snapshot, self.branch.policies, read);
            let Some((before, defined)) = earlier else {
                self.begin(track, by(at, &info), Vec::new());
                continue;
            };
            track.defined = defined;
            if before == track.at {
                self.tracks.push(track);
                continue;
            }
            let own = stated
                .iter()
                .find(|trailer| (trailer.app, trailer.stage) == (&track.name.0, &track.name.1))
                .filter(|trailer| agrees(trailer, &before, &track.at));
            let taken = match own {
                None => None,
                Some(trailer) => match taken(reader, trailer)? {
                    Some(taken) => Some(taken),
                    None => {
                        self.found.insert(track.key, Past::More);
                        continue;
                    }
                },
            };
            self.changed(track, before, by(at, &info), taken);
        }
        Ok(())
    }

    /// A commit changed the stage of `track`, which had the references `before` it.
    fn changed(
        &mut self,
        mut track: Track<'a>,
        before: References,
        by: By,
        service: Option<Taken>,
    ) {
        let after = std::mem::replace(&mut track.at, before);
        let event = Event {
            by,
            after,
            service,
            lifts: Vec::new(),
        };
        match &mut track.sought {
            Some(sought) => sought.saw(track.policy, &track.at),
            None if event.service.is_none() => track.events.push(event),
            None => {
                let mut sought = Sought::of(track.policy, &track.events, event);
                sought.saw(track.policy, &track.at);
                track.sought = Some(sought);
            }
        }
        match track.sought.take_if(|sought| sought.open.is_empty()) {
            Some(Sought { first, ran, .. }) => self.finish(track, first, ran),
            None => self.tracks.push(track),
        }
    }

    /// Nothing before this commit matters to the stage of `track`.
    fn begin(&mut self, mut track: Track<'a>, by: By, lifts: Vec<Lift>) {
        let (first, ran) = match track.sought.take() {
            Some(sought) => (sought.first, sought.ran),
            None => {
                let first = Event {
                    by,
                    after: track.at.clone(),
                    service: None,
                    lifts,
                };
                (first, Vec::new())
            }
        };
        self.finish(track, first, ran);
    }

    /// Folds what was found; `ran` is what the stage ran before `first`, the newest first.
    fn finish(&mut self, track: Track<'a>, first: Event, mut ran: Vec<Held>) {
        let now = self.branch.now;
        ran.reverse();
        let standing = with_order(track.policy, |order| {
            let mut standing = Standing::begin(order, first, ran, now);
            for event in track.events.into_iter().rev() {
                standing.step(order, event, now);
            }
            standing
        });
        let past = Past::Known(Box::new(standing));
        self.found.insert(track.key, past);
    }

    /// Ends the walk of stages whose standing was kept as of this commit.
    fn go_on_from_kept(&mut self, at: CommitId) {
        let now = self.branch.now;
        let here = |track: &Track<'_>| track.kept.is_some_and(|(kept, _)| kept == at);
        if !self.tracks.iter().any(here) {
            return;
        }
        for track in std::mem::take(&mut self.tracks) {
            let kept = track.kept.filter(|(kept, _)| *kept == at);
            // Where tags have no places, walking anew would look further back for what ran before.
            let same = track.events.is_empty() || !remembers(track.policy);
            let Some((_, standing)) = kept.filter(|_| same && track.sought.is_none()) else {
                self.tracks.push(track);
                continue;
            };
            let mut standing = standing.clone();
            with_order(track.policy, |order| {
                for event in track.events.into_iter().rev() {
                    standing.step(order, event, now);
                }
            });
            let past = Past::Known(Box::new(standing));
            self.found.insert(track.key, past);
        }
    }
}

impl Sought {
    /// What must be known of the time before `first`, the service's latest change, to tell the `later`
    /// moves of people: nothing where tags have places of their own.
    fn of(policy: &Policy, later: &[Event], first: Event) -> Self {
        let open = match remembers(policy) {
            true => later
                .iter()
                .flat_map(|event| held(&event.after))
                .cloned()
                .collect(),
            false => Vec::new(),
        };
        let ran = first
            .service
            .iter()
            .filter_map(|taken| taken.from.clone())
            .collect();
        let mut sought = Self { first, open, ran };
        let after = sought.first.after.clone();
        sought.close(policy, held(&after));
        sought
    }

    /// The stage had these references before what was seen so far.
    fn saw(&mut self, policy: &Policy, before: &References) {
        self.close(policy, held(before));
        if remembers(policy) {
            self.ran.extend(held(before).iter().cloned());
        }
    }

    fn close(&mut self, policy: &Policy, seen: &[Held]) {
        self.open.retain(|open| {
            !seen.iter().any(|seen| match policy.order {
                Order::Digest(_) => seen.digest == open.digest,
                _ => seen.tag == open.tag,
            })
        });
    }
}

/// Whether moves are told by what the stage ran before.
fn remembers(policy: &Policy) -> bool {
    matches!(policy.order, Order::Newest(_) | Order::Digest(_))
}

fn held(references: &References) -> &[Held] {
    match references {
        References::Ordered(held) => held,
        References::Unordered => &[],
    }
}

pub(super) fn by(id: CommitId, info: &CommitInfo) -> By {
    By {
        name: info.author.name.clone(),
        at: info.committed,
        commit: id.to_string(),
    }
}

/// Whether a stage's references changed as a trailer states it.
pub(super) fn agrees(trailer: &Trailer<'_>, before: &References, after: &References) -> bool {
    let mut gone: Vec<&Held> = held(before).iter().collect();
    let came = held(after).iter().filter(|held| {
        let stayed = gone.iter().position(|gone| gone == held);
        stayed.map(|at| gone.swap_remove(at)).is_none()
    });
    let stated = |held: &Held| {
        let digest = held.digest.is_none() || held.digest == trailer.to.digest;
        digest && held.tag == trailer.to.tag
    };
    let mut any = false;
    let all = came.fold(true, |all, held| {
        any = true;
        all && stated(held)
    });
    any && all
}

/// What the service says of its change; `None` where the commit that it names lies beyond what was fetched.
fn taken(reader: &Reader, trailer: &Trailer<'_>) -> Result<Option<Taken>, Error> {
    let rejected = match &trailer.rejected {
        None => None,
        Some((from, commit)) => Some(Bound {
            from: from.clone(),
            by: match commit {
                Some(id) => match reader.commit_info(*id) {
                    Ok(info) => by(*id, &info),
                    Err(git::Error::NoSuchCommit { .. }) if reader.is_cut() => return Ok(None),
                    // The branch was rewritten since.
                    Err(git::Error::NoSuchCommit { .. }) => nobody(id.to_string()),
                    Err(error) => return Err(error.into()),
                },
                None => nobody(String::new()),
            },
        }),
    };
    Ok(Some(Taken {
        from: trailer.from.clone(),
        rejected,
    }))
}

fn nobody(commit: String) -> By {
    By {
        name: String::new(),
        at: jiff::Timestamp::UNIX_EPOCH,
        commit,
    }
}
