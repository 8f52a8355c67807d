//! A day of registries in steps: the real core and the real pace, and servers that are a few lines each.
//!
//! What the client and the poller do with sockets and tasks is done here with a list of events: take a
//! turn, send, get an answer, try again, report. Nothing is random, so a day is always the same.

use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;
use std::time::{Duration, Instant};

use jiff::Timestamp;
use reqwest::header::HeaderMap;
use tagwright::image::Tag;
use tagwright::registry::pace::{Class, Ended, Hosts, Kind, Now, Quota, Turn};
use tagwright::registry::poller::{self, Blame, Core, Job, Key, Outcome, Tags, Wanted};
use tagwright::registry::{AccountId, Limits};

const SECOND: u64 = 1000;

/// How often the client sends a request again.
const RETRIES: u32 = 2;

/// Images that push a tag now and then: one in so many.
const PUSHING: usize = 10;

/// A registry, and what happens to it. Times are in seconds from the start.
#[derive(Debug, Clone)]
pub struct Site {
    /// Its host.
    pub host: String,
    /// How many images are watched there.
    pub images: usize,
    /// What it allows.
    pub limit: Limit,
    /// What goes wrong, one after the other.
    pub faults: Vec<Fault>,
}

/// What a registry allows.
#[derive(Debug, Clone, Copy)]
pub struct Limit {
    /// So many requests,
    pub requests: u64,
    /// in so many seconds, counted from a multiple of them; then 429 until the next one.
    pub window: u64,
    /// Whether each answer says what is left.
    pub is_told: bool,
}

/// What goes wrong from one second to another.
#[derive(Debug, Clone, Copy)]
pub struct Fault {
    /// Its first second.
    pub from: u64,
    /// The first second after it.
    pub until: u64,
    /// What it is.
    pub kind: FaultKind,
}

/// What goes wrong.
#[derive(Debug, Clone, Copy)]
pub enum FaultKind {
    /// 429 to everything, with so many seconds to wait, or without a word.
    Storm(Option<u64>),
    /// Status 500 to everything.
    Errors,
    /// No answer to anything.
    Silence,
}

/// What came of a registry's day.
#[derive(Debug, Clone, Default)]
pub struct Tally {
    /// Requests that reached it.
    pub requests: u64,
    /// Those that it answered with 429 outside of faults.
    pub refused: u64,
    /// The most in a window of its limit, faults left out.
    pub most_in_window: u64,
    /// The most in a second.
    pub most_in_second: u64,
    /// The most in a second after the last fault.
    pub most_after: u64,
    /// The longest time between two looks at an image, in seconds; faults left out.
    pub longest: u64,
    /// The second in which the last image was seen again after the last fault.
    pub recovered: u64,
    /// Images never seen.
    pub unseen: usize,
}

#[derive(Debug)]
enum Event {
    Send(Job, u32, u64),
    Answer(Job, u32, Answer),
}

#[derive(Debug)]
struct Answer {
    class: Class,
    sent: u64,
    retry_after: Option<Duration>,
    quota: Option<Quota>,
}

/// The world of one day.
pub struct World {
    core: Core,
    hosts: Hosts,
    sites: Vec<Place>,
    events: BTreeMap<(u64, u64), Event>,
    serial: u64,
    now: u64,
    start: Now,
    lists: Vec<Arc<[Tag]>>,
    interval: Duration,
    images: HashMap<Key, Image>,
}

/// A site and its counts.
struct Place {
    site: Site,
    window: (u64, u64),
    second: (u64, u64),
    tally: Tally,
}

/// An image's place, and when it was seen.
#[derive(Debug, Clone, Copy)]
struct Image {
    site: usize,
    number: usize,
    seen: Option<u64>,
}

impl World {
    /// All images of the sites, watched from the start, none of them seen.
    pub fn new(sites: Vec<Site>, interval: Duration) -> Self {
        let start = Now {
            wall: Timestamp::from_second(1_700_000_000).expect("a valid time"),
            steady: Instant::now(),
        };
        let mut world = Self {
            core: Core::default(),
            hosts: Hosts::new(Limits::default()),
            sites: Vec::new(),
            events: BTreeMap::new(),
            serial: 0,
            now: 0,
            start,
            lists: lists(),
            interval,
            images: HashMap::new(),
        };
        for (place, site) in sites.into_iter().enumerate() {
            for number in 0..site.images {
                let name = format!("{}/team{}/app{number}", site.host, number % 7);
                let key = (name.parse().expect("a valid name"), AccountId::ANONYMOUS);
                let image = Image {
                    site: place,
                    number,
                    seen: None,
                };
                world.images.insert(key, image);
            }
            world.sites.push(Place {
                site,
                window: (0, 0),
                second: (0, 0),
                tally: Tally::default(),
            });
        }
        world.watch();
        world
    }

    fn watch(&mut self) {
        let wanted = self.images.iter().map(|(key, image)| Wanted {
            image: poller::Image {
                key: key.clone(),
                interval: self.interval,
                times: false,
            },
            host: self.sites[image.site].site.host.clone(),
            account: String::new(),
        });
        self.core.watch("fleet", wanted, self.start.wall);
    }

    /// Ends the process and starts another one after so many seconds, with what was kept.
    pub fn restart(&mut self, seconds: u64) {
        let now = self.at(self.now).wall;
        let lists = self.core.keep_tags().into_iter().map(|(_, lists)| lists);
        let lists: Vec<_> = lists.collect();
        let times = self.core.keep_times(Default::default(), now);
        self.now += seconds * SECOND;
        self.events.clear();
        self.core = Core::kept(times, lists).0;
        self.hosts = Hosts::new(Limits::default());
        let wanted = self.images.iter().map(|(key, image)| Wanted {
            image: poller::Image {
                key: key.clone(),
                interval: self.interval,
                times: false,
            },
            host: self.sites[image.site].site.host.clone(),
            account: String::new(),
        });
        let now = self.at(self.now).wall;
        self.core.watch("fleet", wanted, now);
        for place in &mut self.sites {
            place.tally = Tally::default();
        }
        for image in self.images.values_mut() {
            image.seen = None;
        }
    }

    /// Lets so many seconds pass.
    pub fn pass(&mut self, seconds: u64) {
        let end = self.now + seconds * SECOND;
        loop {
            while let Some(first) = self.events.first_entry()
                && first.key().0 <= self.now
            {
                let event = first.remove();
                self.happen(event);
            }
            let now = self.at(self.now);
            for job in self.core.due(now, &mut self.hosts) {
                self.take_turn(job, 0);
            }
            let next = self.next().max(self.now + 1);
            if next > end {
                self.now = end;
                return;
            }
            self.now = next;
        }
    }

    /// When something happens next.
    fn next(&mut self) -> u64 {
        let event = self.events.first_key_value().map(|((at, _), _)| *at);
        let now = self.at(self.now).wall;
        let due = self.core.next(now, &mut self.hosts).map(|due| {
            let wait = due.duration_since(now).as_millis();
            self.now + u64::try_from(wait).unwrap_or(0) + 1
        });
        event.into_iter().chain(due).min().unwrap_or(u64::MAX)
    }

    fn at(&self, milliseconds: u64) -> Now {
        self.start.after(Duration::from_millis(milliseconds))
    }

    fn later(&mut self, at: u64, event: Event) {
        self.serial += 1;
        self.events.insert((at, self.serial), event);
    }

    fn take_turn(&mut self, job: Job, attempt: u32) {
        let now = self.at(self.now);
        let patience = Limits::default().patience;
        match self.hosts.of(&job.host).book(Kind::List, now, patience) {
            Turn::At { slot, word } => {
                let wait = slot.saturating_duration_since(now.steady).as_micros();
                let wait = u64::try_from(wait.div_ceil(1000)).expect("short waits");
                self.later(self.now + wait, Event::Send(job, attempt, word));
            }
            Turn::Not(_) => {
                self.core.done(&job, Outcome::Postponed, now.wall);
            }
        }
    }

    fn happen(&mut self, event: Event) {
        match event {
            Event::Send(job, attempt, word) => {
                if !self.hosts.of(&job.host).keeps(word) {
                    return self.take_turn(job, attempt);
                }
                let image = self.images[&job.key];
                let now = self.at(self.now).wall;
                let (answer, latency) = self.sites[image.site].serve(self.now, now);
                // A few dozen milliseconds, other ones each time.
                let latency = latency + self.serial * 37 % 60;
                self.later(self.now + latency, Event::Answer(job, attempt, answer));
            }
            Event::Answer(job, attempt, answer) => self.answered(job, attempt, answer),
        }
    }

    fn answered(&mut self, job: Job, attempt: u32, answer: Answer) {
        let now = self.at(self.now);
        let ended = Ended {
            kind: Kind::List,
            class: answer.class,
            sent: self.at(answer.sent).steady,
            retry_after: answer.retry_after,
            quota: answer.quota,
        };
        self.hosts.of(&job.host).ended(ended, now);
        let patience = Limits::default().patience;
        let again = match answer.class {
            Class::Limited => answer.retry_after.is_some_and(|wait| wait <= patience),
            Class::Server => true,
            _ => false,
        };
        if again && attempt < RETRIES {
            return self.take_turn(job, attempt + 1);
        }
        let outcome = if answer.class == Class::Success {
            self.see(&job.key);
            Outcome::Listed(Tags {
                names: self.list_of(&job.key),
                set: None,
            })
        } else {
            Outcome::Failed {
                blame: Blame::Host,
                why: "it failed".to_owned(),
            }
        };
        self.core.done(&job, outcome, now.wall);
    }

    /// Notes that an image was seen.
    fn see(&mut self, key: &Key) {
        let now = self.now / SECOND;
        let image = self.images.get_mut(key).expect("it is watched");
        let place = &mut self.sites[image.site];
        let since = image.seen.unwrap_or(0);
        let is_disturbed = |fault: &Fault| fault.from <= now && since < fault.until + 3600;
        if !place.site.faults.iter().any(is_disturbed) {
            place.tally.longest = place.tally.longest.max(now - since);
        }
        let end = place.site.faults.iter().map(|fault| fault.until).max();
        if since < end.unwrap_or(0) {
            place.tally.recovered = now;
        }
        image.seen = Some(now);
    }

    fn list_of(&self, key: &Key) -> Arc<[Tag]> {
        let number = self.images[key].number;
        if !number.is_multiple_of(PUSHING) {
            return Arc::clone(&self.lists[3]);
        }
        // Once an hour, not all in the same minute.
        let hours = (self.now / SECOND + number as u64 * 7) / 3600;
        let count = usize::try_from(hours).expect("a day") % self.lists.len();
        Arc::clone(&self.lists[count])
    }

    /// What came of each site's day.
    pub fn tallies(&self) -> Vec<Tally> {
        let mut tallies: Vec<Tally> = self.sites.iter().map(|place| place.tally.clone()).collect();
        let now = self.now / SECOND;
        for image in self.images.values() {
            let tally = &mut tallies[image.site];
            let faults = &self.sites[image.site].site.faults;
            let end = faults.iter().map(|fault| fault.until).max().unwrap_or(0);
            match image.seen {
                Some(seen) if seen >= end => {
                    let is_disturbed = seen < end + 3600 && end > 0;
                    if !is_disturbed {
                        tally.longest = tally.longest.max(now - seen);
                    }
                }
                _ => tally.unseen += 1,
            }
        }
        tallies
    }
}

impl Place {
    /// Answers a request, with how long that takes.
    fn serve(&mut self, milliseconds: u64, now: Timestamp) -> (Answer, u64) {
        let second = milliseconds / SECOND;
        let faults = &self.site.faults;
        let fault = faults
            .iter()
            .copied()
            .find(|fault| fault.from <= second && second < fault.until);
        let is_after = faults.iter().all(|fault| fault.until <= second);
        self.count(second, is_after, fault.is_some());
        let answer = |class, retry_after: Option<u64>| Answer {
            class,
            sent: milliseconds,
            retry_after: retry_after.map(Duration::from_secs),
            quota: None,
        };
        const QUICK: u64 = 20;
        match fault.map(|fault| fault.kind) {
            Some(FaultKind::Storm(wait)) => (answer(Class::Limited, wait), QUICK),
            Some(FaultKind::Errors) => (answer(Class::Server, None), QUICK),
            Some(FaultKind::Silence) => (answer(Class::Failed, None), 60 * SECOND),
            None => {
                let Limit {
                    requests,
                    window,
                    is_told,
                } = self.site.limit;
                let left = (second / window + 1) * window - second;
                if self.window.1 > requests {
                    self.tally.refused += 1;
                    return (answer(Class::Limited, Some(left)), QUICK);
                }
                let mut answer = answer(Class::Success, None);
                if is_told {
                    answer.quota = quota(requests, requests - self.window.1, left, now);
                }
                (answer, QUICK)
            }
        }
    }

    fn count(&mut self, second: u64, is_after: bool, is_fault: bool) {
        let window = second / self.site.limit.window;
        let bump = |(then, count): &mut (u64, u64), now| {
            *count = if *then == now { *count + 1 } else { 1 };
            *then = now;
            *count
        };
        let in_window = bump(&mut self.window, window);
        let in_second = bump(&mut self.second, second);
        let tally = &mut self.tally;
        tally.requests += 1;
        tally.most_in_second = tally.most_in_second.max(in_second);
        if is_after {
            tally.most_after = tally.most_after.max(in_second);
        }
        if !is_fault {
            tally.most_in_window = tally.most_in_window.max(in_window);
        }
    }
}

fn quota(limit: u64, remaining: u64, reset: u64, now: Timestamp) -> Option<Quota> {
    let mut headers = HeaderMap::new();
    for (name, value) in [
        ("ratelimit-limit", limit),
        ("ratelimit-remaining", remaining),
        ("ratelimit-reset", reset),
    ] {
        headers.insert(name, value.into());
    }
    Quota::of(&headers, now)
}

/// Longer and longer lists of tags.
fn lists() -> Vec<Arc<[Tag]>> {
    (4..40)
        .map(|count| {
            let tags = (0..count).map(|minor| format!("1.{minor:03}.0"));
            tags.map(|tag| tag.parse().expect("a valid tag")).collect()
        })
        .collect()
}
