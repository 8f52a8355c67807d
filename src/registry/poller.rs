//! Watching the tags of images: looked at in turn, politely, once for all who want to know.
//!
//! Invariant: one look at a time for each image and account, whoever watches it. A list that was believed
//! is kept until there is a better one; when it may not be the latest, that is said with it.
//!
//! What is looked at when is decided by [`Core`], a pure function of what happened; this gives it the
//! time, does the looks with the [`Client`], and wakes those who wait.

mod core;
mod guard;
mod kept;
mod lane;
mod schedule;
mod unit;

use std::collections::HashMap;
use std::pin::Pin;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use jiff::Timestamp;
use tokio::sync::{Notify, watch};

pub use self::core::{Core, Job, Ticket, Wait};
pub use kept::{KeptTags, KeptTimes, SHARDS};
pub use schedule::Blame;

use super::pace::{HostReport, Hosts, Now};
use super::watch::Stamps;
use super::{AccountId, Ask, Client, Error, Fault, TagSet};
use crate::clock::Clock;
use crate::image::{self, Tag};

/// What is looked at: an image, and the account that it is looked at with.
pub type Key = (image::Image, AccountId);

/// How long who may go on without waits for images that were never looked at. Most registries answer in
/// less; images that come later make news.
const FIRST_LOOKS: Duration = Duration::from_secs(10);

/// Longest sleep of the timer: a machine that was asleep, or whose clock was set, is noticed by then.
const NAP: Duration = Duration::from_secs(30);

/// How often the files that accounts sign in with are read to notice a change: sooner than it takes until
/// a rotated secret reaches a pod, and a few small files.
const RECHECK: Duration = Duration::from_secs(10);

/// An image that somebody wants to watch.
#[derive(Debug, Clone)]
pub struct Image {
    /// The image and account.
    pub key: Key,
    /// The shortest time between two looks.
    pub interval: Duration,
    /// Whether push times are wanted, where the registry keeps them.
    pub times: bool,
}

/// The same with what the core must know of it.
#[derive(Debug, Clone)]
pub struct Wanted {
    /// The image.
    pub image: Image,
    /// The host that is asked: the image's, or a mirror.
    pub host: String,
    /// A fingerprint of the account, the same in the next process.
    pub account: String,
}

/// All tags of an image.
#[derive(Debug, Clone, PartialEq)]
pub struct Tags {
    /// Their names, sorted, each once.
    pub names: Arc<[Tag]>,
    /// The same with what the registry records of them, if this process has listed them.
    pub set: Option<Arc<TagSet>>,
}

/// How a look ended.
#[derive(Debug, Clone)]
pub enum Outcome {
    /// With all tags.
    Listed(Tags),
    /// Without.
    Failed {
        /// Whose fault it is.
        blame: Blame,
        /// Why, in words.
        why: String,
    },
    /// The host isn't to be asked now.
    Postponed,
}

/// Why a list may not be the latest, in words.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Doubt {
    /// Something is wrong.
    Failed(String),
    /// It will be known soon.
    Awaited(String),
}

/// What is known of an image.
#[derive(Debug, Clone)]
pub enum Seen {
    /// Nothing yet.
    Never,
    /// All its tags, as of a time.
    Listed {
        /// The tags.
        tags: Tags,
        /// When they were listed.
        at: Timestamp,
        /// The number of looks so far: where it is the same, so is all that was seen.
        looks: u64,
    },
    /// The tags it had, which may have changed.
    Doubted {
        /// The tags.
        tags: Tags,
        /// When they were listed.
        at: Timestamp,
        /// Why that isn't the latest.
        doubt: Doubt,
    },
    /// Nothing, for a reason.
    Failed(String),
}

/// What one waits for before looking at what is known.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Patience {
    /// For a look at each image that begins now.
    Anew,
    /// For the looks that are due.
    Due,
    /// For the first looks at images that were never looked at, a moment: all else makes news when it
    /// comes.
    New,
}

/// What metrics say of a host's queue.
#[derive(Debug, Clone)]
pub struct LaneReport {
    /// The host, as image names hold it.
    pub host: String,
    /// How many images are due.
    pub length: usize,
    /// How long the first one has been due.
    pub lag: Duration,
    /// How long those that were looked at had been due, all together.
    pub waited: Duration,
    /// How many images are watched.
    pub images: usize,
    /// How many of them have a list that may not be the latest, or none.
    pub doubted: usize,
}

/// The poller of a service; clones are one.
#[derive(Clone)]
pub struct Poller(Arc<Shared>);

struct Shared {
    client: Client,
    clock: Clock,
    core: Mutex<Core>,
    /// Told of every look that ended.
    ended: Notify,
    /// Told of news, by watcher.
    news: Mutex<HashMap<String, Arc<Notify>>>,
    /// What the files of the accounts held last.
    stamps: tokio::sync::Mutex<Option<Stamps>>,
}

impl Poller {
    /// A poller that asks with `client`, and goes on from what an earlier process kept.
    pub fn new(
        client: Client,
        clock: Clock,
        times: KeptTimes,
        lists: impl IntoIterator<Item = KeptTags>,
    ) -> Self {
        let (core, pauses) = Core::kept(times, lists);
        client.pace().take_up(pauses);
        Self(Arc::new(Shared {
            client,
            clock,
            core: Mutex::new(core),
            ended: Notify::new(),
            news: Mutex::default(),
            stamps: tokio::sync::Mutex::default(),
        }))
    }

    /// The client that it asks with.
    pub fn client(&self) -> &Client {
        &self.0.client
    }

    /// From now on `watcher` watches these images, each looked at no more often than its interval says.
    /// What is known of them, after waiting as `patience` says.
    pub async fn list(&self, watcher: &str, images: &[Image], patience: Patience) -> Vec<Seen> {
        let client = &self.0.client;
        let wanted = images.iter().map(|image| Wanted {
            image: image.clone(),
            host: client.host_of(&image.key.0, image.key.1),
            account: client.fingerprint(image.key.1).to_owned(),
        });
        let now = self.0.clock.now();
        let tickets = self.with_core(|core, _| {
            core.watch(watcher, wanted, now);
            let keys = images.iter().map(|image| &image.key);
            let tickets = keys.filter_map(|key| match patience {
                Patience::Anew => core.ask_for(key, now),
                Patience::Due => core.due_look(key, now),
                Patience::New => core.first_look(key),
            });
            tickets.collect::<Vec<Ticket>>()
        });
        let wait = self.wait(tickets);
        match patience {
            Patience::Anew | Patience::Due => wait.await,
            // What isn't there by then is said to be awaited.
            Patience::New => drop(tokio::time::timeout(FIRST_LOOKS, wait).await),
        }
        let now = self.0.clock.now();
        self.with_core(|core, hosts| {
            let keys = images.iter().map(|image| &image.key);
            keys.map(|key| core.seen(key, hosts, now)).collect()
        })
    }

    /// Waits for the looks that are under way or whose turn comes. A host that rests is waited for as
    /// long as it would be within a request.
    async fn wait(&self, mut tickets: Vec<Ticket>) {
        let mut progress = tokio::time::Instant::now();
        loop {
            let ended = self.0.ended.notified();
            tokio::pin!(ended);
            ended.as_mut().enable();
            self.pump();
            let now = self.0.clock.now();
            let before = tickets.len();
            let (rest, patience) = self.with_core(|core, hosts| {
                let mut longest = Some(Duration::ZERO);
                tickets.retain(|ticket| match core.wait(*ticket, hosts, now) {
                    Wait::Over => false,
                    Wait::Coming => {
                        longest = None;
                        true
                    }
                    Wait::Resting(rest) => {
                        let span = rest.from(now);
                        longest = longest.map(|longest| longest.max(span));
                        rest.is_brief(now, hosts.patience())
                    }
                });
                (longest, hosts.patience())
            });
            if tickets.is_empty() {
                return;
            }
            if tickets.len() < before {
                progress = tokio::time::Instant::now();
            }
            match rest {
                None => ended.await,
                // The wall clock need not agree that the time has passed.
                Some(_) if progress.elapsed() > patience => return,
                Some(rest) => {
                    let _ = tokio::time::timeout(rest, ended).await;
                }
            }
        }
    }

    /// Looks at `image` as soon as its host allows, because somebody said that it has changed.
    pub fn nudge(&self, image: &image::Image) {
        let now = self.0.clock.now();
        self.with_core(|core, _| core.nudge(image, now));
        self.pump();
    }

    /// Told whenever there is news of what `watcher` watches.
    pub fn news(&self, watcher: &str) -> Arc<Notify> {
        let mut news = self.0.news.lock().unwrap_or_else(PoisonError::into_inner);
        Arc::clone(news.entry(watcher.to_owned()).or_default())
    }

    /// Notices accounts whose credentials or authorities have changed since this was last done, and looks
    /// at the images that were refused with them as soon as their host allows, instead of when their wait
    /// is over.
    pub async fn recheck(&self) {
        let mut stamps = self.0.stamps.lock().await;
        let client = &self.0.client;
        let (changed, found) = match &*stamps {
            None => (Vec::new(), client.stamps().await),
            Some(before) => client.changed_since(before).await,
        };
        *stamps = Some(found);
        if changed.is_empty() {
            return;
        }
        let now = self.0.clock.now();
        self.with_core(|core, _| {
            for account in changed {
                core.mended(account, now);
            }
        });
        self.pump();
    }

    async fn recheck_often(&self) {
        loop {
            self.recheck().await;
            tokio::time::sleep(RECHECK).await;
        }
    }

    /// Looks at images when they are due, until `stop` turns true.
    pub async fn run(&self, mut stop: watch::Receiver<bool>) {
        let recheck = self.recheck_often();
        tokio::pin!(recheck);
        loop {
            let ended = self.0.ended.notified();
            tokio::pin!(ended);
            ended.as_mut().enable();
            self.pump();
            let now = self.0.clock.now();
            let next = self.with_core(|core, hosts| core.next(now, hosts));
            let nap = next.map_or(NAP, |next| {
                let span = next.duration_since(now);
                span.unsigned_abs().clamp(Duration::from_millis(1), NAP)
            });
            tokio::select! {
                // A closed channel means that the service is gone.
                _ = stop.wait_for(|stop| *stop) => return,
                () = ended => {}
                () = tokio::time::sleep(nap) => {}
                () = &mut recheck => {}
            }
        }
    }

    /// Starts the looks whose turn it is.
    fn pump(&self) {
        let now = Now::of(&self.0.clock);
        for job in self.with_core(|core, hosts| core.due(now, hosts)) {
            tokio::spawn(self.clone().look(job));
        }
    }

    /// One look. In a box, since looks start looks.
    fn look(self, job: Job) -> Pin<Box<dyn Future<Output = ()> + Send>> {
        Box::pin(async move {
            let report = Report {
                poller: self,
                job: Some(job.clone()),
            };
            let (image, account) = &job.key;
            let ask = Ask {
                earlier: job.earlier.as_deref(),
                times: job.times,
                company: &job.company,
            };
            let client = &report.poller.0.client;
            let listed = client.list(image, *account, &ask).await;
            report.end(outcome(&job, listed));
        })
    }

    fn ended(&self, job: &Job, outcome: Outcome) {
        let now = self.0.clock.now();
        let told = self.with_core(|core, _| core.done(job, outcome, now));
        for watcher in told {
            self.news(&watcher).notify_one();
        }
        self.0.ended.notify_waiters();
    }

    /// The core and the hosts, always locked in this order.
    fn with_core<T>(&self, work: impl FnOnce(&mut Core, &mut Hosts) -> T) -> T {
        let mut core: MutexGuard<'_, Core> =
            self.0.core.lock().unwrap_or_else(PoisonError::into_inner);
        let mut hosts = self.0.client.pace().lock();
        work(&mut core, &mut hosts)
    }

    /// What metrics say of each host and its queue.
    pub fn reports(&self) -> (Vec<HostReport>, Vec<LaneReport>) {
        let now = self.0.clock.now();
        let lanes = self.with_core(|core, _| core.reports(now));
        (self.0.client.pace().reports(now), lanes)
    }

    /// What to keep of the times.
    pub fn keep_times(&self) -> KeptTimes {
        let now = self.0.clock.now();
        let pauses = self.0.client.pace().pauses(now);
        self.with_core(|core, _| core.keep_times(pauses, now))
    }

    /// The parts of the lists that have changed since this was last asked, by number. They must be kept
    /// before the times.
    pub fn keep_tags(&self) -> Vec<(usize, KeptTags)> {
        self.with_core(|core, _| core.keep_tags())
    }
}

/// Reports how a look ended, also if its task does not get to.
struct Report {
    poller: Poller,
    job: Option<Job>,
}

impl Report {
    fn end(mut self, outcome: Outcome) {
        if let Some(job) = self.job.take() {
            self.poller.ended(&job, outcome);
        }
        self.poller.pump();
    }
}

impl Drop for Report {
    fn drop(&mut self) {
        if let Some(job) = self.job.take() {
            let why = "looking at it was interrupted".to_owned();
            let blame = Blame::Host;
            self.poller.ended(&job, Outcome::Failed { blame, why });
        }
    }
}

fn outcome(job: &Job, listed: Result<TagSet, Error>) -> Outcome {
    let error = match listed {
        Ok(set) => {
            tell(&job.key, &set);
            let names = set.listed().iter().map(|listed| listed.tag.clone());
            return Outcome::Listed(Tags {
                names: names.collect(),
                set: Some(Arc::new(set)),
            });
        }
        Err(error) => error,
    };
    match error.fault() {
        Some(Fault::LeftAlone { host, .. }) if **host == *job.host => Outcome::Postponed,
        fault => Outcome::Failed {
            blame: match fault.is_some_and(Fault::is_retryable) {
                true => Blame::Host,
                false => Blame::Repository,
            },
            why: error.words(),
        },
    }
}

/// Logs what a registry wants people to know.
fn tell(key: &Key, listing: &TagSet) {
    for warning in &listing.warnings {
        tracing::warn!(image = %key.0, "the registry warns: {warning}");
    }
    if listing.invalid_count > 0 {
        let sample = listing.invalid.join(", ");
        let count = listing.invalid_count;
        tracing::warn!(image = %key.0, "{count} listed names are no tags and are left out, such as {sample}");
    }
}

impl std::fmt::Debug for Poller {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Poller").finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests;
