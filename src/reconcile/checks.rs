//! What gates and statuses say of changes: asked where the plan needs it, and remembered for a while.
//!
//! ```text
//! plan ──asks──▶ Book ──fresh answer──▶ plan
//!                  └──task──▶ gate or forge ──answer──▶ Book, and the next pass is woken
//! ```
//!
//! Invariant: an answer counts for one change, for as long as its gate says and no longer, and only in this
//! process. A pass of the service never waits for a slow one: it goes on without, and is made again once the
//! answer is there. Nothing is asked without a bound on how long, how much and how much at once.

pub mod merges;
pub mod statuses;

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use jiff::{SignedDuration, Timestamp};
use tokio::sync::{Notify, Semaphore};
use tokio::task::JoinSet;

use crate::clock::Clock;
use crate::diag;
use crate::forge::{self, Forge, Pull};
use crate::gate::{Gate, Question, Verdict};
use crate::git::CommitId;
use crate::reconcile::checks::merges::Merged;
use crate::reconcile::plan::Facts;
use crate::reconcile::{Freshness, Reconciler};

/// Questions that one pass begins at most; the next ones go on from there.
const MOST: usize = 64;

/// Questions to one gate, or to the forge, at once: it is a server of one's own, and may be small.
const AT_ONCE: usize = 8;

/// How long a pass of the service waits for what it has asked: most answer by then, and then no second pass
/// is needed. Changes without checks wait as long, so it is short.
const PATIENCE: Duration = Duration::from_millis(500);

/// For how long what the forge says counts; it is read anew before its end, by more than a forge usually
/// takes.
const OF_FORGE: Span = Span {
    counts: Duration::from_secs(60),
    takes: Duration::from_secs(10),
};

/// Pull requests that are remembered; forgetting one costs a request.
const MOST_MERGES: usize = 10_000;

/// When what had no turn is asked: at once, as soon as the pass is over.
const NEXT_TURN: SignedDuration = SignedDuration::from_secs(1);

/// What the service's own statuses begin with, which say nothing of a commit but what it waits for.
const OURS: &str = "tagwright/";

/// Something to be asked.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub enum Ask {
    /// A gate, by its name, about a change.
    Gate(String, Box<Question>),
    /// The forge, about the statuses of a commit.
    Statuses(CommitId),
    /// The forge, about the pull request that brought a commit to the branch.
    Merge(CommitId),
}

/// What is known of it in a pass.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Reply {
    /// The answer; none while it is waited for.
    pub said: Option<Said>,
    /// When it is asked again, if by the clock.
    pub again: Option<Timestamp>,
}

/// An answer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Said {
    /// What the gate says.
    Gate(Verdict),
    /// The statuses that the forge has.
    Statuses(forge::Checks),
    /// The pull request, if one brought it, and who stands behind that.
    Merge(Option<Box<Merged>>),
    /// There is none, for this reason.
    Unable(String),
}

impl Said {
    /// Whether it may let a change pass.
    fn may_be_green(&self) -> bool {
        match self {
            Self::Gate(verdict) => *verdict == Verdict::Green,
            Self::Statuses(_) | Self::Merge(_) => true,
            Self::Unable(_) => false,
        }
    }
}

/// For how long answers count, and how long they take at most.
#[derive(Debug, Clone, Copy)]
struct Span {
    counts: Duration,
    takes: Duration,
}

/// The answers of one config repo.
pub(super) struct Book {
    gates: BTreeMap<String, Desk>,
    forge: Arc<Semaphore>,
    /// The branch of the config repo.
    branch: String,
    clock: Clock,
    /// Reply of answers that came after their pass.
    news: Arc<Notify>,
    inner: Arc<Mutex<Inner>>,
    tasks: JoinSet<()>,
    /// How long a pass waits for answers; as long as they take without.
    patience: Option<Duration>,
    /// Questions that the pass may still begin.
    left: usize,
}

/// A gate, and what it is asked with.
struct Desk {
    gate: Arc<Gate>,
    client: Option<reqwest::Client>,
    turns: Arc<Semaphore>,
}

#[derive(Debug, Default)]
struct Inner {
    answers: BTreeMap<Ask, Answer>,
    /// What is being asked, and whether a pass waits for it.
    open: BTreeMap<Ask, bool>,
    /// The pull requests that brought commits: those that are merged stay so.
    merges: BTreeMap<CommitId, Pull>,
}

impl Inner {
    /// Remembers which pull request brought a commit.
    fn keep(&mut self, commit: CommitId, pull: Pull) {
        if self.merges.len() >= MOST_MERGES {
            self.merges.clear();
        }
        self.merges.insert(commit, pull);
    }
}

#[derive(Debug)]
struct Answer {
    said: Said,
    at: Timestamp,
    span: Span,
}

impl Answer {
    /// Until when it counts.
    fn until(&self) -> Timestamp {
        after(self.at, self.span.counts)
    }

    /// When it is asked again: before it ends, where it lets a change pass, so that what waits to be merged
    /// is not stopped while a slow one is renewed.
    fn due(&self) -> Timestamp {
        let spare = match self.said.may_be_green() {
            true => self.span.takes,
            false => Duration::ZERO,
        };
        after(self.at, self.span.counts.saturating_sub(spare))
    }

    /// Whether it counts; one from the future was given before the clock was set back.
    fn counts(&self, now: Timestamp) -> bool {
        self.at <= now && now < self.until()
    }

    /// Whether it may still be told: what counts no more is, while it is asked again.
    fn is_of_use(&self, now: Timestamp) -> bool {
        self.at <= now && now < after(self.until(), self.span.counts)
    }

    fn is_due(&self, now: Timestamp) -> bool {
        !self.counts(now) || self.due() <= now
    }
}

fn after(at: Timestamp, span: Duration) -> Timestamp {
    at.saturating_add(span).unwrap_or(Timestamp::MAX)
}

impl Book {
    /// An empty one of a config repo's `branch`; `news` is told of answers that came after their pass.
    pub(super) fn new(gates: &[Gate], branch: &str, clock: Clock, news: Arc<Notify>) -> Self {
        let gates = gates.iter().map(|gate| {
            let desk = Desk {
                gate: Arc::new(gate.clone()),
                client: None,
                turns: Arc::new(Semaphore::new(AT_ONCE)),
            };
            (gate.name.clone(), desk)
        });
        Self {
            gates: gates.collect(),
            forge: Arc::new(Semaphore::new(AT_ONCE)),
            branch: branch.to_owned(),
            clock,
            news,
            inner: Arc::default(),
            tasks: JoinSet::new(),
            patience: None,
            left: MOST,
        }
    }

    /// Begins a pass.
    pub(super) fn begin(&mut self, freshness: Freshness) {
        self.left = MOST;
        self.patience = match freshness {
            Freshness::AsPolled => Some(PATIENCE),
            Freshness::Anew | Freshness::ByInterval => None,
        };
        while self.tasks.try_join_next().is_some() {}
        let now = self.clock.now();
        let mut inner = lock(&self.inner);
        let Inner { answers, open, .. } = &mut *inner;
        if self.tasks.is_empty() {
            // What a task that panicked was asking is asked again.
            open.clear();
        }
        answers.retain(|ask, answer| answer.is_of_use(now) || open.contains_key(ask));
    }

    /// What is known of `asks`, once what has no fresh answer was asked and, as far as the pass has the
    /// patience, answered.
    pub(super) async fn tell(
        &mut self,
        asks: &[Ask],
        forge: Result<Arc<dyn Forge>, String>,
    ) -> BTreeMap<Ask, Reply> {
        let asks: BTreeSet<&Ask> = asks.iter().collect();
        let mut told = BTreeMap::new();
        let mut begun = BTreeSet::new();
        for ask in asks {
            if let Some(why) = self.unaskable(ask, &forge) {
                let said = Some(Said::Unable(why));
                told.insert(ask.clone(), Reply { said, again: None });
            } else if self.is_to_be_asked(ask) && self.left > 0 {
                self.left -= 1;
                self.spawn(ask, forge.as_ref().ok());
                begun.insert(ask.clone());
            } else {
                told.insert(ask.clone(), self.known(ask));
            }
        }
        self.wait_for(&begun).await;
        told.extend(begun.into_iter().map(|ask| {
            let known = self.known(&ask);
            (ask, known)
        }));
        told
    }

    /// Why something can't be asked at all.
    fn unaskable(&self, ask: &Ask, forge: &Result<Arc<dyn Forge>, String>) -> Option<String> {
        match ask {
            Ask::Gate(name, _) if self.gates.contains_key(name) => None,
            Ask::Gate(..) => Some("the service file has no gate of this name".to_owned()),
            Ask::Statuses(_) | Ask::Merge(_) => forge.as_ref().err().cloned(),
        }
    }

    fn is_to_be_asked(&self, ask: &Ask) -> bool {
        let now = self.clock.now();
        let inner = lock(&self.inner);
        let answer = inner.answers.get(ask);
        !inner.open.contains_key(ask) && answer.is_none_or(|answer| answer.is_due(now))
    }

    /// What is known of something now.
    fn known(&self, ask: &Ask) -> Reply {
        let now = self.clock.now();
        let inner = lock(&self.inner);
        let is_open = inner.open.contains_key(ask);
        match inner.answers.get(ask) {
            Some(answer) if answer.counts(now) => {
                let again = match is_open {
                    true => answer.until(),
                    false => answer.due().max(after(now, Duration::from_secs(1))),
                };
                Reply {
                    said: Some(answer.said.clone()),
                    again: Some(again),
                }
            }
            // What said no is told until it says something else.
            Some(answer) if is_open && !answer.said.may_be_green() => Reply {
                said: Some(answer.said.clone()),
                again: None,
            },
            _ => Reply {
                said: None,
                again: (!is_open)
                    .then(|| now.saturating_add(NEXT_TURN).ok())
                    .flatten(),
            },
        }
    }

    /// Begins to ask.
    fn spawn(&mut self, ask: &Ask, forge: Option<&Arc<dyn Forge>>) {
        lock(&self.inner).open.insert(ask.clone(), true);
        let (inner, news) = (Arc::clone(&self.inner), Arc::clone(&self.news));
        let (key, clock) = (ask.clone(), self.clock.clone());
        let settle = move |said, span| {
            let mut inner = lock(&inner);
            let at = clock.now();
            let waited_for = inner.open.remove(&key);
            inner.answers.insert(key, Answer { said, at, span });
            drop(inner);
            if waited_for != Some(true) {
                news.notify_one();
            }
        };
        match ask {
            Ask::Gate(name, question) => {
                let Some(desk) = self.gates.get_mut(name) else {
                    return;
                };
                let (gate, turns) = (Arc::clone(&desk.gate), Arc::clone(&desk.turns));
                let (question, client) = (question.clone(), desk.client());
                let span = Span {
                    counts: gate.interval,
                    takes: gate.timeout,
                };
                self.tasks.spawn(async move {
                    // Never closed, so waiting for a turn can't fail.
                    let _turn = turns.acquire_owned().await.ok();
                    let verdict = match client {
                        Ok(client) => gate.ask(&client, &question).await,
                        Err(why) => Verdict::Silent(why),
                    };
                    settle(Said::Gate(verdict), span);
                });
            }
            Ask::Statuses(commit) => {
                let Some(forge) = forge.map(Arc::clone) else {
                    return;
                };
                let (turns, commit) = (Arc::clone(&self.forge), commit.to_string());
                let span = OF_FORGE;
                self.tasks.spawn(async move {
                    let _turn = turns.acquire_owned().await.ok();
                    let said = match forge.checks(&commit, OURS).await {
                        Ok(checks) => Said::Statuses(checks),
                        Err(error) => Said::Unable(diag::chain(&error)),
                    };
                    settle(said, span);
                });
            }
            Ask::Merge(commit) => {
                let Some(forge) = forge.map(Arc::clone) else {
                    return;
                };
                let (turns, commit) = (Arc::clone(&self.forge), *commit);
                let (inner, branch) = (Arc::clone(&self.inner), self.branch.clone());
                self.tasks.spawn(async move {
                    let _turn = turns.acquire_owned().await.ok();
                    let known = lock(&inner).merges.get(&commit).cloned();
                    let said = match merges::ask(&*forge, commit, &branch, known).await {
                        Ok(Some((pull, merged))) => {
                            lock(&inner).keep(commit, pull);
                            Said::Merge(Some(Box::new(merged)))
                        }
                        Ok(None) => Said::Merge(None),
                        Err(error) => Said::Unable(diag::chain(&error)),
                    };
                    settle(said, OF_FORGE);
                });
            }
        }
    }

    /// Waits for answers, as long as the pass has the patience.
    async fn wait_for(&mut self, begun: &BTreeSet<Ask>) {
        let inner = Arc::clone(&self.inner);
        let is_open = || begun.iter().any(|ask| lock(&inner).open.contains_key(ask));
        let patience = self.patience;
        let tasks = &mut self.tasks;
        let all = async {
            // Each ends by itself, since what it asks has a limit of its own.
            while is_open() && tasks.join_next().await.is_some() {}
        };
        match patience {
            Some(patience) => drop(tokio::time::timeout(patience, all).await),
            None => all.await,
        }
        let mut inner = lock(&self.inner);
        for ask in begun {
            if let Some(waited_for) = inner.open.get_mut(ask) {
                *waited_for = false;
            }
        }
    }
}

impl Desk {
    /// The client, made when it is first needed.
    fn client(&mut self) -> Result<reqwest::Client, String> {
        if let Some(client) = &self.client {
            return Ok(client.clone());
        }
        let made = self.gate.client().map_err(|error| diag::chain(&error))?;
        Ok(self.client.insert(made).clone())
    }
}

impl Reconciler {
    /// Adds to `facts` what gates and statuses say.
    pub(super) async fn ask(&mut self, asks: &[Ask], facts: &mut Facts) {
        if asks.is_empty() {
            return;
        }
        let forge = self.pulls.forge().map_err(str::to_owned);
        facts.asked.extend(self.checks.tell(asks, forge).await);
    }
}

fn lock(inner: &Mutex<Inner>) -> MutexGuard<'_, Inner> {
    // What a task that panicked has left is whole: each write is one.
    inner.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
mod tests;
