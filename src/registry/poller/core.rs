//! Who is looked at next: all images that somebody watches, in a queue for each host.
//!
//! Invariant: an image is looked at once at a time, whoever watches it; a host is looked at as widely as
//! its pace allows, and not at all while it rests. Everything is a function of what was said before and
//! the time that is given: no clock, no network, no tasks.
//!
//! It decides when to look, and keeps what was seen. What the tags mean is for others.

use std::collections::{BTreeMap, BTreeSet};
use std::hash::{Hash as _, Hasher as _};
use std::sync::Arc;
use std::time::Duration;

use jiff::Timestamp;

use super::kept::{Asleep, KeptList, KeptTags, KeptTimes, SHARDS};
use super::lane::{Id, Lane};
use super::schedule::{Fnv, Pattern, later};
use super::unit::{Look, News};
use super::{Image, Key, LaneReport, Outcome, Seen, Wanted};
use crate::image;
use crate::registry::pace::{Hosts, Kind, Now, Pauses, Rest};
use crate::registry::token::MAX_SCOPES;
use crate::registry::{AccountId, TagSet};

/// How many images of one host are looked at at once: twice what may be in flight there, so that the
/// next ones are ready to be sent.
const WIDTH: usize = 16;

/// Within which time images are due that one token is asked for: tokens of most registries last five
/// minutes.
const SOON: Duration = Duration::from_secs(4 * 60);

/// How many images are told of that are due soon: as many as one token can be for.
const COMPANY: usize = MAX_SCOPES;

/// An image to look at.
#[derive(Debug, Clone)]
pub struct Job {
    id: Id,
    /// The image, and the account that it is looked at with.
    pub key: Key,
    /// The host that is asked.
    pub host: Arc<str>,
    /// What was listed before.
    pub earlier: Option<Arc<TagSet>>,
    /// Whether push times are wanted.
    pub times: bool,
    /// Images of the same host and account whose turn is now or soon, this one perhaps among them.
    pub company: Arc<[image::Image]>,
}

/// A point in the looks at an image, to wait for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Ticket {
    id: Id,
    looks: u64,
}

/// Who is told of news; one for each config repo.
pub(super) type Watcher = Arc<str>;

/// All images that are watched.
#[derive(Debug, Default)]
pub struct Core {
    units: BTreeMap<Id, Unit>,
    ids: BTreeMap<Key, Id>,
    next_id: u64,
    lanes: BTreeMap<Arc<str>, Lane>,
    watching: BTreeMap<Watcher, BTreeSet<Id>>,
    asleep: Asleep,
    /// Parts of the kept lists that have changed.
    stale_parts: [bool; SHARDS],
    /// The latest time that was given.
    last: Option<Timestamp>,
}

#[derive(Debug)]
struct Unit {
    key: Key,
    host: Arc<str>,
    account: String,
    /// In which part of the kept lists it is.
    part: usize,
    watchers: BTreeSet<Watcher>,
    flight: Flight,
    look: Look,
}

/// Whether an image is being looked at.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Flight {
    /// It is in its lane.
    Queued,
    /// It is.
    Flying,
    /// It is, and somebody asked for it after that look began.
    Again,
}

impl Core {
    /// The images that an earlier process kept, to be looked at once somebody watches them, and the hosts
    /// that asked it to be left alone.
    pub fn kept(times: KeptTimes, lists: impl IntoIterator<Item = KeptTags>) -> (Self, Pauses) {
        let core = Self {
            asleep: Asleep::new(times.looks, lists),
            ..Self::default()
        };
        (core, times.pauses)
    }

    /// From now on `watcher` watches these images and no others. An image that is new is due at once.
    pub fn watch(
        &mut self,
        watcher: &str,
        wanted: impl IntoIterator<Item = Wanted>,
        now: Timestamp,
    ) {
        let watcher: Watcher = watcher.into();
        let mut watched = BTreeSet::new();
        for wanted in wanted {
            let id = match self.ids.get(&wanted.image.key) {
                Some(id) => *id,
                None => self.add(&wanted, now),
            };
            if wanted.image.times {
                self.want_times(id, now);
            }
            watched.insert(id);
            if let Some(unit) = self.units.get_mut(&id) {
                unit.watchers.insert(Arc::clone(&watcher));
            }
        }
        let before = self.watching.insert(Arc::clone(&watcher), watched.clone());
        for id in before.unwrap_or_default().difference(&watched) {
            if let Some(unit) = self.units.get_mut(id) {
                unit.watchers.remove(&watcher);
                if unit.watchers.is_empty() && unit.flight == Flight::Queued {
                    self.remove(*id);
                }
            }
        }
    }

    fn want_times(&mut self, id: Id, now: Timestamp) {
        let Some(unit) = self.units.get_mut(&id).filter(|unit| !unit.look.times) else {
            return;
        };
        let due = unit.look.due;
        if unit.look.want_times(now)
            && unit.flight == Flight::Queued
            && let Some(lane) = self.lanes.get_mut(&unit.host)
        {
            lane.remove(id, due);
            lane.schedule(id, unit.look.due);
        }
    }

    fn add(&mut self, wanted: &Wanted, now: Timestamp) -> Id {
        let id = Id(self.next_id);
        self.next_id += 1;
        let Image {
            key,
            interval,
            times,
        } = wanted.image.clone();
        let account = wanted.account.clone();
        let image = key.0.to_string();
        let pattern = Pattern::new(&(&image, &account), interval);
        let part = part_of(&image);
        let look = match self.asleep.wake(image, account.clone()) {
            Some((kept, tags)) => Look::woken(pattern, times, kept, tags, now),
            None => Look::new(pattern, times, now),
        };
        let host: Arc<str> = wanted.host.as_str().into();
        let lane = self.lanes.entry(Arc::clone(&host)).or_default();
        lane.schedule(id, look.due);
        self.ids.insert(key.clone(), id);
        let unit = Unit {
            key,
            host,
            account,
            part,
            watchers: BTreeSet::new(),
            flight: Flight::Queued,
            look,
        };
        self.units.insert(id, unit);
        id
    }

    fn remove(&mut self, id: Id) {
        let Some(unit) = self.units.remove(&id) else {
            return;
        };
        self.ids.remove(&unit.key);
        self.stale_parts[unit.part] = true;
        if let Some(lane) = self.lanes.get_mut(&unit.host) {
            lane.remove(id, unit.look.due);
        }
    }

    /// Has an image looked at before those whose time has come; the look to wait for. A look under way
    /// doesn't count: it may have begun before what one wants to see.
    pub fn ask_for(&mut self, key: &Key, now: Timestamp) -> Option<Ticket> {
        let id = *self.ids.get(key)?;
        let unit = self.units.get_mut(&id)?;
        let mut looks = unit.look.looks + 1;
        if unit.flight == Flight::Queued {
            if let Some(lane) = self.lanes.get_mut(&unit.host) {
                lane.ask_for(id, unit.look.due);
                unit.look.due = unit.look.due.min(now);
            }
        } else {
            unit.flight = Flight::Again;
            looks += 1;
        }
        Some(Ticket { id, looks })
    }

    /// Has an image looked at soon with every account that it is watched with.
    pub fn nudge(&mut self, image: &image::Image, now: Timestamp) {
        let from = (image.clone(), AccountId::ANONYMOUS);
        let keys = self.ids.range(from..).map(|(key, _)| key);
        let keys: Vec<Key> = keys.take_while(|key| key.0 == *image).cloned().collect();
        for key in keys {
            self.ask_for(&key, now);
        }
    }

    /// Has the images that are refused with an account looked at soon, because what it is signed in to with
    /// has changed, and those being looked at once more: the look may have begun before that.
    pub fn mended(&mut self, account: AccountId, now: Timestamp) {
        let of_account = self.units.values().filter(|unit| unit.key.1 == account);
        let hopeful = of_account.filter(|unit| unit.look.refused || unit.flight != Flight::Queued);
        let keys: Vec<Key> = hopeful.map(|unit| unit.key.clone()).collect();
        for key in keys {
            self.ask_for(&key, now);
        }
    }

    /// The look at an image to wait for, if one is due or under way.
    pub fn due_look(&self, key: &Key, now: Timestamp) -> Option<Ticket> {
        let id = *self.ids.get(key)?;
        let unit = self.units.get(&id)?;
        let is_due = unit.flight != Flight::Queued || unit.look.due <= now;
        let looks = unit.look.looks + 1;
        is_due.then_some(Ticket { id, looks })
    }

    /// The first look at an image that was never looked at.
    pub fn first_look(&self, key: &Key) -> Option<Ticket> {
        let id = *self.ids.get(key)?;
        let look = &self.units.get(&id)?.look;
        let is_new = look.looks == 0 && look.good.is_none() && look.doubt().is_none();
        is_new.then_some(Ticket { id, looks: 1 })
    }

    /// Where a ticket stands.
    pub fn wait(&self, ticket: Ticket, hosts: &mut Hosts, now: Timestamp) -> Wait {
        let Some(unit) = self.units.get(&ticket.id) else {
            return Wait::Over;
        };
        if unit.look.looks >= ticket.looks {
            return Wait::Over;
        }
        match hosts.of(&unit.host).rest(Kind::List, now) {
            Some(rest) if unit.flight == Flight::Queued => Wait::Resting(rest),
            _ => Wait::Coming,
        }
    }

    /// The images to look at now. Each must be told of with [`Core::done`].
    pub fn due(&mut self, now: Now, hosts: &mut Hosts) -> Vec<Job> {
        self.turn_back(now.wall);
        let mut jobs = Vec::new();
        for (host, lane) in &mut self.lanes {
            if lane.due(now.wall).is_none_or(|due| due > now.wall) {
                continue;
            }
            let pace = hosts.of(host);
            if pace.rest(Kind::List, now.wall).is_some() {
                continue;
            }
            let width = pace.width(WIDTH);
            let first = jobs.len();
            while lane.flying < width
                && let Some(id) = lane.next(now.wall)
            {
                let Some(unit) = self.units.get_mut(&id) else {
                    continue;
                };
                lane.flying += 1;
                unit.flight = Flight::Flying;
                jobs.push(Job {
                    id,
                    key: unit.key.clone(),
                    host: Arc::clone(host),
                    earlier: unit
                        .look
                        .good
                        .as_ref()
                        .and_then(|good| good.tags.set.clone()),
                    times: unit.look.times,
                    company: Arc::default(),
                });
            }
            let soon = lane.soon(later(now.wall, SOON)).take(COMPANY);
            let soon = soon.filter_map(|id| Some(&self.units.get(&id)?.key));
            keep_company(&mut jobs[first..], &soon.collect::<Vec<_>>());
        }
        jobs
    }

    /// Where the clock was set back, times that nobody would have set are given up.
    fn turn_back(&mut self, now: Timestamp) {
        let back = self.last.is_some_and(|last| now < last);
        self.last = Some(now);
        if !back {
            return;
        }
        for (id, unit) in &mut self.units {
            let due = unit.look.pattern.within_reach(unit.look.due, now);
            if unit.flight == Flight::Queued
                && due != unit.look.due
                && let Some(lane) = self.lanes.get_mut(&unit.host)
            {
                lane.remove(*id, unit.look.due);
                lane.schedule(*id, due);
                unit.look.due = due;
            }
        }
    }

    /// What a look found; returns who is to be told.
    pub fn done(&mut self, job: &Job, outcome: Outcome, now: Timestamp) -> Vec<Watcher> {
        let Some(unit) = self.units.get_mut(&job.id) else {
            return Vec::new();
        };
        let lane = self.lanes.entry(Arc::clone(&unit.host)).or_default();
        lane.flying = lane.flying.saturating_sub(1);
        let again = unit.flight == Flight::Again;
        unit.flight = Flight::Queued;
        let news = unit.look.ended(outcome, now);
        lane.schedule(job.id, unit.look.due);
        if again {
            lane.ask_for(job.id, unit.look.due);
            unit.look.due = unit.look.due.min(now);
        }
        if unit.watchers.is_empty() {
            self.remove(job.id);
            return Vec::new();
        }
        match news {
            News::None => Vec::new(),
            News::Some => {
                self.stale_parts[unit.part] = true;
                unit.watchers.iter().cloned().collect()
            }
        }
    }

    /// When there is something to look at next, if ever.
    pub fn next(&self, now: Timestamp, hosts: &mut Hosts) -> Option<Timestamp> {
        let lanes = self.lanes.iter().filter_map(|(host, lane)| {
            let due = lane.due(now)?;
            let pace = hosts.of(host);
            if lane.flying >= pace.width(WIDTH) {
                // The end of a look comes first.
                return None;
            }
            let rest = pace.rest(Kind::List, now).map(Rest::until);
            Some(rest.map_or(due, |until| until.max(due)))
        });
        lanes.min()
    }

    /// What is known of an image.
    pub fn seen(&self, key: &Key, hosts: &mut Hosts, now: Timestamp) -> Seen {
        let unit = self.ids.get(key).and_then(|id| self.units.get(id));
        let Some(unit) = unit else {
            return Seen::Never;
        };
        let mut rest = None;
        // Nobody would be asked before, so it is known to be the latest that can be had.
        if unit.flight == Flight::Queued && unit.look.due <= now {
            let patience = hosts.patience();
            rest = hosts
                .of(&unit.host)
                .rest(Kind::List, now)
                .filter(|rest| !rest.is_brief(now, patience))
                .map(|rest| rest.words(&unit.host));
        }
        unit.look.seen(rest)
    }

    /// What metrics say of each queue.
    pub fn reports(&self, now: Timestamp) -> Vec<LaneReport> {
        let mut reports: BTreeMap<&str, LaneReport> = BTreeMap::new();
        for (host, lane) in &self.lanes {
            let report = LaneReport {
                host: host.to_string(),
                length: lane.length(now),
                lag: lane.lag(now),
                waited: lane.waited,
                images: 0,
                doubted: 0,
            };
            reports.insert(host, report);
        }
        for unit in self.units.values() {
            if let Some(report) = reports.get_mut(&*unit.host) {
                report.images += 1;
                report.doubted += usize::from(unit.look.doubt().is_some());
            }
        }
        reports.into_values().collect()
    }

    /// What to keep of the times.
    pub fn keep_times(&self, pauses: Pauses, now: Timestamp) -> KeptTimes {
        let units = self.units.values();
        let looks = units.map(|unit| {
            let image = unit.key.0.to_string();
            unit.look.keep(image, unit.account.clone())
        });
        KeptTimes {
            pauses,
            looks: looks.chain(self.asleep.looks(now)).collect(),
        }
    }

    /// The parts of the lists that have changed since this was last asked, to be kept before the times.
    pub fn keep_tags(&mut self) -> Vec<(usize, KeptTags)> {
        let stale = std::mem::take(&mut self.stale_parts);
        let mut parts: BTreeMap<usize, KeptTags> = stale
            .iter()
            .enumerate()
            .filter(|(_, stale)| **stale)
            .map(|(part, _)| (part, KeptTags::default()))
            .collect();
        for unit in self.units.values() {
            let (Some(kept), Some(good)) = (parts.get_mut(&unit.part), &unit.look.good) else {
                continue;
            };
            kept.0.push(KeptList {
                image: unit.key.0.to_string(),
                account: unit.account.clone(),
                tags: Arc::clone(&good.tags.names),
            });
        }
        for list in self.asleep.lists() {
            if let Some(kept) = parts.get_mut(&part_of(&list.image)) {
                kept.0.push(list);
            }
        }
        parts.into_iter().collect()
    }

    /// The longest time between two looks at an image with this interval, absent faults.
    pub fn bound(interval: Duration) -> Duration {
        Pattern::new(&"", interval).bound()
    }
}

/// Tells each of the jobs of one host of the others with its account, and of those that are due soon.
fn keep_company(jobs: &mut [Job], soon: &[&Key]) {
    let mut companies: BTreeMap<AccountId, Vec<image::Image>> = BTreeMap::new();
    for key in jobs.iter().map(|job| &job.key).chain(soon.iter().copied()) {
        companies.entry(key.1).or_default().push(key.0.clone());
    }
    let companies: BTreeMap<AccountId, Arc<[image::Image]>> = companies
        .into_iter()
        .map(|(account, images)| (account, images.into()))
        .collect();
    for job in jobs {
        if let Some(company) = companies.get(&job.key.1) {
            job.company = Arc::clone(company);
        }
    }
}

/// Where a look stands that somebody waits for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Wait {
    /// It has ended, or there is no such image any more.
    Over,
    /// It is under way, or its turn comes.
    Coming,
    /// Its host isn't asked now.
    Resting(Rest),
}

/// In which part of the kept lists an image is.
fn part_of(image: &str) -> usize {
    let mut hasher = Fnv::default();
    image.hash(&mut hasher);
    // The remainder is less than the number of parts.
    (hasher.finish() % SHARDS as u64) as usize
}
