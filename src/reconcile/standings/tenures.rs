//! What stages ran before, stretch by stretch, for the stages that come after them.
//!
//! Invariant: the answer is a function of the branch, the policies and the time, and never hastens anything:
//! a clock that was wrong when somebody committed makes no stretch longer than the commits around it say.
//! What is kept from an earlier head saves walking and changes nothing.
//!
//! Blocking; what may be promoted is told by `promotion`.

use std::collections::{BTreeMap, BTreeSet, HashMap};

use jiff::Timestamp;

use super::line::{Commit, Holds, Line, Listener, Move, Wish, walk};
use super::{Name, fingerprint, name, policy_of, references, with_order};
use crate::git::{CommitId, CommitInfo, Past, Reader};
use crate::policy::{self, Order, Policy, Recorded};
use crate::promotion::tenure::{Tenure, Tenures, Turn, same};
use crate::promotion::{By, Held, References, moved_back};
use crate::reconcile::attest;
use crate::reconcile::claims::StageKey;
use crate::reconcile::decided::Written;
use crate::reconcile::history::End;
use crate::reconcile::snapshot::Snapshot;
use crate::reconcile::source::Error;
use crate::reconcile::trailer::Trailer;

/// Commits before a change that are asked what time it was, since a change can't be older than they are: one
/// of a hundred has a clock that is right, and looking at more would cost more than it tells.
const WITNESSES: usize = 100;

/// Most stretches of a stage that are kept: years of changes, some megabytes for a thousand stages.
const MAX_STRETCHES: usize = 2_000;

/// What was told as of earlier heads.
#[derive(Debug, Default)]
pub struct KeptTenures(BTreeMap<Name, Entry>);

#[derive(Debug, Clone)]
struct Entry {
    at: CommitId,
    /// The policy that it was told by.
    policy: String,
    /// Whether it was read who began what.
    asks_who: bool,
    tenures: Tenures,
    /// Whether nothing came before.
    whole: bool,
}

/// What is known of what a stage ran; `None` where not enough of the branch's history was fetched.
pub type Told = Option<Tenures>;

impl KeptTenures {
    /// Reads what `stages` ran, as far back as it matters to the stages after them.
    ///
    /// # Errors
    /// When the mirror can't be read.
    pub fn read(
        &mut self,
        mut line: Line<'_>,
        stages: &[StageKey],
        now: Timestamp,
    ) -> Result<BTreeMap<StageKey, Told>, Error> {
        let snapshot = line.snapshot;
        let known = snapshot
            .claims
            .stages
            .keys()
            .map(|key| name(snapshot, *key));
        let known: BTreeSet<Name> = known.collect();
        self.0.retain(|name, _| known.contains(name));
        let tracks = stages.iter().map(|key| {
            let kept = self.0.get(&name(snapshot, *key));
            let policy = fingerprint(policy_of(snapshot, *key));
            (*key, kept.filter(|kept| kept.policy == policy).cloned())
        });
        let (mut told, short) = gone_back(&mut line, tracks.collect(), now)?;
        if !short.is_empty() {
            // What runs after them went back since, so that older stretches matter again.
            let anew = short.into_iter().map(|key| (key, None)).collect();
            told.extend(gone_back(&mut line, anew, now)?.0);
        }
        for (key, found) in &told {
            let name = name(snapshot, *key);
            match found {
                Found::Known(entry) => self.0.insert(name, entry.clone()),
                // A clock is ahead: what it says changes by the time alone.
                Found::Unsettled(_) | Found::More => self.0.remove(&name),
            };
        }
        let told = told.into_iter().map(|(key, found)| match found {
            Found::Known(entry) => (key, Some(entry.tenures)),
            Found::Unsettled(tenures) => (key, Some(tenures)),
            Found::More => (key, None),
        });
        Ok(told.collect())
    }
}

enum Found {
    Known(Entry),
    Unsettled(Tenures),
    More,
}

/// Walks back, and joins what was found to what was kept; names the stages for which that is not enough.
fn gone_back(
    line: &mut Line<'_>,
    tracks: Vec<(StageKey, Option<Entry>)>,
    now: Timestamp,
) -> Result<(BTreeMap<StageKey, Found>, Vec<StageKey>), Error> {
    let (snapshot, head) = (line.snapshot, line.head);
    let stages: Vec<StageKey> = tracks.iter().map(|(key, _)| *key).collect();
    let tracks = tracks.into_iter().map(|(key, kept)| {
        let track = Track::new(snapshot, key, kept);
        (name(snapshot, key), track)
    });
    let mut ear = Ear {
        tracks: tracks.collect(),
        upper: now,
        next: now,
        now,
    };
    let end = walk(line.again(), &stages, &mut ear)?;
    let mut clocks = Clocks {
        reader: line.mirror.reader()?,
        now,
        known: HashMap::new(),
        ahead: false,
    };
    let (mut told, mut short) = (BTreeMap::new(), Vec::new());
    for key in stages {
        let Some(track) = ear.tracks.remove(&name(snapshot, key)) else {
            continue;
        };
        if end == End::NotFetched && !track.is_done() {
            told.insert(key, Found::More);
            continue;
        }
        let joined = track.joined;
        let (policy, goals) = (track.policy, track.goals.clone());
        match track.entry(head, &mut clocks)? {
            Found::Known(entry)
                if joined && !entry.whole && !enough(policy, &goals, &entry.tenures) =>
            {
                short.push(key);
            }
            found => {
                told.insert(key, found);
            }
        }
    }
    Ok((told, short))
}

/// A stage that runs something, and must not be promoted anything older.
#[derive(Clone)]
struct Goal<'a> {
    policy: &'a Policy,
    runs: Held,
}

/// What is heard of one stage.
struct Track<'a> {
    policy: &'a Policy,
    /// What the stages after it run; none of one that runs nothing with a place.
    goals: Vec<Option<Goal<'a>>>,
    /// Whether a stage after it asks for consents, though not of whoever brought it what it takes.
    asks_who: bool,
    kept: Option<Entry>,
    /// Whether the walk reached what was kept.
    joined: bool,
    /// Whether all was told from its beginning.
    whole: bool,
    /// Whether all that matters was told.
    sated: bool,
    /// Whether a time is in the future.
    unsettled: bool,
    /// The newest first.
    found: Vec<(Tenure, CommitId, bool)>,
    /// What it holds just after the commit that comes next, where that is known in full.
    after: Option<References>,
}

impl<'a> Track<'a> {
    fn new(snapshot: &'a Snapshot, key: StageKey, kept: Option<Entry>) -> Self {
        let policy = policy_of(snapshot, key);
        let of = |key, policy| references::of(policy, &snapshot.files, &snapshot.claims, key);
        let stages = snapshot.apps[key.app].stages.iter().enumerate();
        let after = stages.filter(|(_, stage)| {
            let mut entry = stage.entry.iter();
            entry.any(|entry| entry.after.contains(&key.stage))
        });
        let mut asks_who = false;
        let goals = after.map(|(place, stage)| {
            let asked = stage.consents.changes.as_ref();
            asks_who |= asked.is_some_and(|asked| asked.rules.exclude_author);
            let key = StageKey {
                app: key.app,
                stage: place,
            };
            let References::Ordered(held) = of(key, &stage.policy) else {
                return None;
            };
            let highest = with_order(&stage.policy, |order| match order {
                crate::promotion::Order::Ranked(compare) => {
                    held.iter().max_by(|a, b| compare(&a.tag, &b.tag)).cloned()
                }
                _ => held.first().cloned(),
            });
            Some(Goal {
                policy: &stage.policy,
                runs: highest?,
            })
        });
        let goals = goals.collect();
        Self {
            policy,
            goals,
            asks_who,
            kept: kept.filter(|kept| kept.asks_who || !asks_who),
            joined: false,
            whole: false,
            sated: false,
            unsettled: false,
            found: Vec::new(),
            after: Some(of(key, policy)),
        }
    }

    fn is_done(&self) -> bool {
        self.joined || self.whole || self.sated
    }

    fn push(&mut self, tenure: Tenure, at: CommitId, by_service: bool) -> Wish {
        self.found.push((tenure, at, by_service));
        let tenures = self.found.iter().map(|(tenure, ..)| tenure.clone());
        self.sated = self.found.len() >= MAX_STRETCHES
            || enough(self.policy, &self.goals, &Tenures(tenures.collect()));
        match self.sated {
            true => Wish::Enough,
            false => Wish::More,
        }
    }

    /// All that is known of the stage, with the times that count.
    fn entry(self, head: CommitId, clocks: &mut Clocks) -> Result<Found, Error> {
        clocks.ahead = false;
        let mut all = Vec::with_capacity(self.found.len());
        for at in 0..self.found.len() {
            let (mut tenure, commit, by_service) = self.found[at].clone();
            match clocks.time(commit, tenure.by.at)? {
                Some(time) => tenure.by.at = time,
                None => return Ok(Found::More),
            }
            if self.asks_who && !by_service {
                tenure.act = Some(attest::act(&clocks.reader, commit)?);
            }
            let earlier = self.found[at + 1..].iter().map(|(earlier, ..)| earlier);
            let kept = self.kept.iter().filter(|_| self.joined);
            let earlier = earlier.chain(kept.flat_map(|kept| &kept.tenures.0));
            let ran = |held: &Held| {
                let mut earlier = earlier.map(|earlier| &earlier.runs);
                earlier.any(|runs| {
                    runs.as_ref().is_some_and(|runs| match self.policy.order {
                        Order::Digest(_) => runs.digest == held.digest,
                        _ => runs.tag == held.tag,
                    })
                })
            };
            let again = by_service && tenure.runs.as_ref().is_some_and(ran);
            if again && !is_ranked(self.policy) {
                tenure.turn = Turn::Unknown;
            }
            all.push(tenure);
        }
        let kept = self.kept.filter(|_| self.joined);
        let mut whole = self.whole;
        if let Some(kept) = kept {
            whole = kept.whole;
            all.extend(kept.tenures.0);
        }
        // The oldest is forgotten first; a stage that is that busy is never promoted from so far back.
        whole &= all.len() <= MAX_STRETCHES;
        all.truncate(MAX_STRETCHES);
        let tenures = Tenures(all);
        Ok(match self.unsettled || clocks.ahead {
            true => Found::Unsettled(tenures),
            false => Found::Known(Entry {
                at: head,
                policy: fingerprint(self.policy),
                asks_who: self.asks_who,
                tenures,
                whole,
            }),
        })
    }
}

/// Whether what came before can't matter to those who run the `goals`.
fn enough(policy: &Policy, goals: &[Option<Goal<'_>>], tenures: &Tenures) -> bool {
    let below = |held: &Held, goal: &Goal<'_>| match &goal.policy.order {
        Order::Digest(_) => held.digest == goal.runs.digest,
        Order::Newest(_) => held.tag == goal.runs.tag,
        _ => {
            let order =
                policy::compare(goal.policy, &held.tag, &goal.runs.tag, Recorded::default());
            order.is_some_and(|order| order.is_le())
        }
    };
    let suffices = |held: &Held| {
        goals
            .iter()
            .all(|goal| goal.as_ref().is_some_and(|goal| below(held, goal)))
    };
    with_order(policy, |order| tenures.reach(order, suffices))
}

fn is_ranked(policy: &Policy) -> bool {
    !matches!(policy.order, Order::Newest(_) | Order::Digest(_))
}

/// What a stage runs, if all of its sites say the same.
fn one(references: &References) -> Option<Held> {
    let References::Ordered(held) = references else {
        return None;
    };
    let mut all = held.iter();
    let first = all.next()?;
    let mut runs = first.clone();
    for other in all {
        if !same(&runs, other) {
            return None;
        }
        runs.digest = runs.digest.or_else(|| other.digest.clone());
    }
    Some(runs)
}

/// Listens to what happened to some stages.
struct Ear<'a> {
    tracks: BTreeMap<Name, Track<'a>>,
    /// The time of the commit after the one that the walk is at, or of the next one after that whose clock
    /// was not ahead.
    upper: Timestamp,
    /// The same for the commit that comes next.
    next: Timestamp,
    now: Timestamp,
}

impl Ear<'_> {
    /// Who did it, with a time that is not in the future.
    fn by(&self, at: Commit<'_>) -> (By, bool) {
        let mut by = at.by();
        let ahead = by.at > self.now;
        if ahead {
            by.at = self.upper;
        }
        (by, ahead)
    }
}

impl Listener for Ear<'_> {
    fn service(&mut self, name: &Name, trailer: &Trailer<'_>, at: Commit<'_>) -> Wish {
        let (by, ahead) = self.by(at);
        let Some(track) = self.tracks.get_mut(name) else {
            return Wish::Enough;
        };
        track.unsettled |= ahead;
        let runs = match track.after.take() {
            Some(held) => one(&held).map(|held| with_digest(held, &trailer.to)),
            None => Some(trailer.to.clone()),
        };
        let order = trailer.from.as_ref().and_then(|from| {
            let known = Recorded::default();
            policy::compare(track.policy, &trailer.to.tag, &from.tag, known)
        });
        let turn = match order {
            _ if !is_ranked(track.policy) => Turn::On,
            Some(order) if order.is_lt() => Turn::BackTo(trailer.to.clone()),
            Some(_) => Turn::On,
            // What was there had no place, and what came of that before it nobody knows.
            None => Turn::Unknown,
        };
        track.push(
            Tenure {
                runs,
                by,
                turn,
                act: None,
            },
            at.id,
            true,
        )
    }

    fn person(&mut self, name: &Name, change: &Move<'_>, at: Commit<'_>) -> Wish {
        let (by, ahead) = self.by(at);
        let Some(track) = self.tracks.get_mut(name) else {
            return Wish::Enough;
        };
        track.unsettled |= ahead;
        let turn = turn(track.policy, change);
        let runs = one(&change.after.references);
        track.after = Some(change.before.references.clone());
        track.push(
            Tenure {
                runs,
                by,
                turn,
                act: None,
            },
            at.id,
            false,
        )
    }

    fn began(&mut self, name: &Name, holds: &Holds, at: Commit<'_>) {
        let (by, ahead) = self.by(at);
        let Some(track) = self.tracks.get_mut(name) else {
            return;
        };
        track.unsettled |= ahead;
        let (runs, turn) = (one(&holds.references), Turn::On);
        track.push(
            Tenure {
                runs,
                by,
                turn,
                act: None,
            },
            at.id,
            false,
        );
        track.whole = true;
    }

    fn wants_decisions(&self, _: Option<(&str, &str)>) -> bool {
        false
    }

    fn decided(&mut self, _: &Name, _: &Written, _: By) {}

    fn withdrawn(&mut self, _: &Name, _: &Written, _: Commit<'_>) {}

    fn reaches(&mut self, info: &CommitInfo) -> Wish {
        self.upper = self.next;
        if info.committed <= self.now {
            self.next = info.committed;
        }
        Wish::More
    }

    fn knows(&mut self, name: &Name, at: CommitId) -> bool {
        let Some(track) = self.tracks.get_mut(name) else {
            return true;
        };
        track.joined = track.kept.as_ref().is_some_and(|kept| kept.at == at);
        track.joined
    }
}

/// What runs, with the digest that the service states for it.
fn with_digest(held: Held, stated: &Held) -> Held {
    match held.digest {
        None if held.tag == stated.tag => stated.clone(),
        _ => held,
    }
}

/// How a stretch began that a person began.
fn turn(policy: &Policy, change: &Move<'_>) -> Turn {
    let (References::Ordered(before), References::Ordered(after)) =
        (&change.before.references, &change.after.references)
    else {
        // Once its references can be ordered again, nobody knows what came of those before.
        return match change.before.references {
            References::Unordered => Turn::Unknown,
            References::Ordered(_) => Turn::On,
        };
    };
    if before.is_empty() {
        return Turn::Unknown;
    }
    with_order(policy, |order| {
        let crate::promotion::Order::Ranked(compare) = order else {
            return Turn::Unknown;
        };
        let lowest = after.iter().min_by(|a, b| compare(&a.tag, &b.tag));
        let back = moved_back(before, after, |a, b| compare(&a.tag, &b.tag));
        match (back, lowest) {
            (Some(_), Some(lowest)) => Turn::BackTo(lowest.clone()),
            _ => Turn::On,
        }
    })
}

/// The times of commits that count.
struct Clocks {
    reader: Reader,
    now: Timestamp,
    known: HashMap<CommitId, (Timestamp, Past)>,
    /// Whether one of them was ahead.
    ahead: bool,
}

impl Clocks {
    /// The time of a commit, which says `at`: no earlier than what those before it say. `None` where too few of
    /// them were fetched.
    fn time(&mut self, commit: CommitId, at: Timestamp) -> Result<Option<Timestamp>, Error> {
        let mut latest = at;
        let mut next = commit;
        for _ in 0..WITNESSES {
            let (said, past) = match self.known.get(&next) {
                Some(known) => *known,
                None => {
                    let told = (
                        self.reader.commit_info(next)?.committed,
                        self.reader.past(next)?,
                    );
                    self.known.insert(next, told);
                    told
                }
            };
            match said <= self.now {
                true => latest = latest.max(said),
                false => self.ahead = true,
            }
            next = match past {
                Past::Parent(parent) => parent,
                Past::Root => break,
                Past::More => return Ok(None),
            };
        }
        Ok(Some(latest))
    }
}
