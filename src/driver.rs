//! The running service: one task per config repo, woken by its timer or a nudge, until shutdown.
//!
//! Invariant: one pass at a time per config repo, and a pass once begun ends at a safe point: shutdown
//! waits for it. One repo's errors delay no other, and one that can't be opened is tried again. What a
//! pass left out is logged when it first appears, not in every pass.
//!
//! One poller lists the tags for all of them, and nudges those whose images have news. A nudge carries
//! nothing: it only says "look now", so a lost one costs latency, never correctness.

mod nudging;
mod open;
mod polling;

use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::{Duration, Instant};

use jiff::Timestamp;
use tokio::sync::{Notify, watch};
use tokio::task::{JoinError, JoinSet};

use crate::clock::Clock;
use crate::diag;
use crate::git;
use crate::reconcile::given::Given;
use crate::reconcile::plan::Step;
use crate::reconcile::pulls::Done;
use crate::reconcile::states::Kind;
use crate::reconcile::{Freshness, Pass, PassResult, Reconciler};
use crate::server::{Readiness, Shared};
use crate::state::State;

use nudging::Nudger;
pub use nudging::pushed;
use open::Kept;
pub use open::{Entry, Error, entries, keep, keep_given, reconcilers};

/// Told of every pass that ended without an error.
pub type OnPass = Arc<dyn Fn(&str, &Pass) + Send + Sync>;

/// Runs passes over all config repos until `shutdown` turns true, and waits for those under way.
///
/// A task that panics ends the service: a process that looks alive and does nothing is worse than one
/// that is restarted.
pub async fn run(
    entries: Vec<Entry>,
    state: Arc<State>,
    clock: Clock,
    shared: Arc<Shared>,
    on_pass: OnPass,
    shutdown: watch::Receiver<bool>,
) {
    let mut tasks = JoinSet::new();
    if let Some(entry) = entries.first() {
        let poller = entry.poller().clone();
        shared.metrics.watch(poller.clone());
        tasks.spawn(polling::run(poller, Arc::clone(&state), shutdown.clone()));
    }
    for entry in entries {
        let name = entry.repository().name.to_string();
        shared.note(&name, Readiness::Starting);
        let desk = Desk {
            name,
            state: Arc::clone(&state),
            clock: clock.clone(),
            shared: Arc::clone(&shared),
            on_pass: Arc::clone(&on_pass),
        };
        tasks.spawn(desk.run(entry, shutdown.clone()));
    }
    while let Some(ended) = tasks.join_next().await {
        ended.unwrap_or_else(end);
    }
}

/// Goes on panicking where a task did.
fn end(failed: JoinError) {
    if let Ok(panic) = failed.try_into_panic() {
        std::panic::resume_unwind(panic);
    }
}

/// What the task of one config repo works with.
struct Desk {
    name: String,
    state: Arc<State>,
    clock: Clock,
    shared: Arc<Shared>,
    on_pass: OnPass,
}

impl Desk {
    async fn run(self, entry: Entry, mut shutdown: watch::Receiver<bool>) {
        let Some(reconciler) = self.open(&entry, &mut shutdown).await else {
            return;
        };
        let nudger = Nudger::new(reconciler.repository().after_push.clone());
        let worker = Worker {
            desk: self,
            news: entry.poller().news(entry.repository().name.as_str()),
            reconciler,
            told: BTreeSet::new(),
            waiting: BTreeSet::new(),
            due: None,
            nudger,
            given: Vec::new(),
        };
        worker.run(shutdown).await;
    }

    /// Opens the entry as often as it takes; `None` if the service stops first.
    async fn open(
        &self,
        entry: &Entry,
        shutdown: &mut watch::Receiver<bool>,
    ) -> Option<Reconciler> {
        /// Whoever has mended it needn't wait for longer, and the log isn't filled.
        const LONGEST: Duration = Duration::from_secs(5 * 60);
        let mut wait = entry.repository().interval;
        loop {
            let start = Instant::now();
            let (entry, state) = (entry.clone(), Arc::clone(&self.state));
            match tokio::task::spawn_blocking(move || entry.open(&state)).await {
                Ok(Ok(reconciler)) => return Some(reconciler),
                Ok(Err(error)) => self.failed(&error, start),
                Err(failed) => {
                    end(failed);
                    return None;
                }
            }
            tokio::select! {
                _ = shutdown.wait_for(|stop| *stop) => return None,
                () = tokio::time::sleep(wait) => {}
            }
            wait = (wait * 2).min(LONGEST.max(wait));
        }
    }

    /// Logs an error and has it shown.
    fn failed(&self, error: &(dyn std::error::Error + 'static), start: Instant) {
        let text = words(error);
        tracing::error!(repository = self.name, "{text}");
        self.shared.metrics.failed(&self.name, start.elapsed());
        self.shared.note(&self.name, Readiness::Failing(text));
    }
}

/// The task of one config repo.
struct Worker {
    desk: Desk,
    reconciler: Reconciler,
    /// Told when there is something new to choose from.
    news: Arc<Notify>,
    /// What has been logged already.
    told: BTreeSet<String>,
    /// The changes that have been logged as waiting already.
    waiting: BTreeSet<String>,
    /// When the next pass has something to do by what the last one saw: to push what is gathered, or to
    /// look again at what waited for that moment.
    due: Option<Timestamp>,
    /// Tells others of pushes.
    nudger: Nudger,
    /// What was held through the API when that was last kept.
    given: Vec<Given>,
}

impl Worker {
    async fn run(mut self, mut shutdown: watch::Receiver<bool>) {
        let interval = self.reconciler.repository().interval;
        let given = Arc::clone(self.reconciler.given());
        let mut kept = false;
        loop {
            let start = Instant::now();
            let ended_well = self.pass().await;
            let took = start.elapsed();
            self.keep_given().await;
            if ended_well && !kept {
                // The first pass fills the cache; later ones change little of it.
                self.keep().await;
                kept = true;
            }
            tokio::select! {
                _ = shutdown.wait_for(|stop| *stop) => break,
                () = tokio::time::sleep(pause(interval, self.due, self.desk.clock.now())) => {}
                () = self.nudged(took) => {}
                () = given.changed() => {}
            }
        }
        self.keep().await;
    }

    /// Waits for news, at least as long as a pass takes: while images are listed for the first time there
    /// is news all the time, and each pass takes up what came during the one before.
    async fn nudged(&self, took: Duration) {
        /// Whoever pushed a tag shouldn't wait for longer than that.
        const LONGEST: Duration = Duration::from_secs(5);
        tokio::time::sleep(took.min(LONGEST)).await;
        self.news.notified().await;
    }

    /// Keeps what is held through the API, where a pass has changed that.
    async fn keep_given(&mut self) {
        let given = Arc::clone(self.reconciler.given());
        let now = given.all();
        if now == self.given {
            return;
        }
        self.given = now;
        let (state, name) = (Arc::clone(&self.desk.state), self.desk.name.clone());
        // It logs itself what goes wrong.
        let _ = tokio::task::spawn_blocking(move || keep_given(&state, &name, &given)).await;
    }

    async fn keep(&self) {
        let kept = Kept::of(&self.reconciler);
        let state = Arc::clone(&self.desk.state);
        // What is lost if it fails is a cache.
        let _ = tokio::task::spawn_blocking(move || kept.save(&state)).await;
    }

    async fn pass(&mut self) -> bool {
        let start = Instant::now();
        match self.reconciler.gathering_pass(Freshness::AsPolled).await {
            Ok(pass) => {
                let gathered = match pass.result {
                    PassResult::Gathering(until) => Some(until),
                    _ => None,
                };
                let expires = pass.observation.plan.expires;
                self.due = [gathered, expires].into_iter().flatten().min();
                let Desk { name, shared, .. } = &self.desk;
                let now = self.desk.clock.now().as_second();
                shared.metrics.passed(name, &pass, start.elapsed(), now);
                shared.note(name, Readiness::Ready);
                self.nudger.passed(&self.reconciler, &pass);
                self.tell(&pass);
                (self.desk.on_pass)(&self.desk.name, &pass);
                true
            }
            Err(error) => {
                // What failed is not tried again at once because it was due.
                self.due = None;
                self.desk.failed(&error, start);
                false
            }
        }
    }

    /// Logs what landed, and what was left out since the last pass.
    fn tell(&mut self, pass: &Pass) {
        let repository = self.desk.name.as_str();
        match &pass.result {
            PassResult::Landed(commits) => {
                for (commit, prepared) in commits.iter().zip(&pass.observation.preparation.commits)
                {
                    let subject = prepared.message.lines().next().unwrap_or_default();
                    tracing::info!(repository, %commit, "{subject}");
                }
            }
            PassResult::Refused(words) => {
                tracing::error!(repository, "the remote refuses the push: {words}");
            }
            PassResult::Gathering(until) => {
                tracing::info!(repository, %until, "changes are gathered for one push");
            }
            PassResult::Nothing | PassResult::Off => {}
        }
        for line in pass.pulls.iter().filter_map(Done::news) {
            tracing::info!(repository, "{line}");
        }
        let now = left_out(pass);
        for line in now.difference(&self.told) {
            tracing::warn!(repository, "{line}");
        }
        self.told = now;
        let now = waiting(pass);
        for line in now.difference(&self.waiting) {
            tracing::info!(repository, "{line}");
        }
        self.waiting = now;
    }
}

/// How long to wait for the next pass: not for longer than until something is due, and never so short
/// that passes follow each other without a pause, whatever the clock does meanwhile.
fn pause(interval: Duration, due: Option<Timestamp>, now: Timestamp) -> Duration {
    /// Nobody notices it after a wait of minutes or days.
    const SHORTEST: Duration = Duration::from_millis(200);
    let until = due.map(|due| now.duration_until(due).try_into().unwrap_or_default());
    until.map_or(interval, |until: Duration| {
        interval.min(until.max(SHORTEST))
    })
}

/// The changes that wait for what will come by itself, a line each: nothing is wrong with them.
fn waiting(pass: &Pass) -> BTreeSet<String> {
    let snapshot = &pass.observation.snapshot;
    let stages = pass.observation.plan.stages.iter();
    let waiting = stages.filter_map(|stage| {
        let Step::Waiting(waiting) = &stage.step else {
            return None;
        };
        let (app, name) = snapshot.names(stage.key);
        let (tag, words) = (&waiting.change.tag, waiting.brief());
        Some(format!("{app}: {name} -> {tag} waits: {words}"))
    });
    waiting.collect()
}

/// Everything that a pass left out, a line each.
fn left_out(pass: &Pass) -> BTreeSet<String> {
    let observation = &pass.observation;
    let apps = &observation.snapshot.apps;
    let problems = observation.problems();
    let places = problems
        .iter()
        .chain(&observation.preparation.refused)
        .map(ToString::to_string);
    let stages = observation.plan.stages.iter().filter_map(|stage| {
        let Step::Blocked(blocked) = &stage.step else {
            return None;
        };
        let app = &apps[stage.key.app];
        let name = &app.stages[stage.key.stage].name;
        Some(format!("{}: {name}: {blocked}", app.name))
    });
    let pulls = pass.pulls.iter().filter_map(Done::left);
    let ungated = observation.plan.ungated.iter().map(|(key, ungated)| {
        let (app, name) = observation.snapshot.names(*key);
        format!("{app}: {name}: {}: {ungated}", Kind::Ungated)
    });
    places.chain(stages).chain(pulls).chain(ungated).collect()
}

/// Why something could not be done, with its causes and what to do about it, in one line.
pub fn words(error: &(dyn std::error::Error + 'static)) -> String {
    let text = diag::chain(error);
    match git::hint_of(error) {
        Some(hint) => format!("{text} ({hint})"),
        None => text,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::reconcile::Error as PassError;

    #[test]
    fn a_pass_is_made_when_something_is_due_and_never_without_a_pause() {
        let at = |seconds| Timestamp::from_second(seconds).unwrap();
        let minute = Duration::from_secs(60);
        assert_eq!(pause(minute, None, at(0)), minute);
        assert_eq!(pause(minute, Some(at(10)), at(0)).as_secs(), 10);
        assert_eq!(pause(minute, Some(at(100)), at(0)), minute);
        let past = pause(minute, Some(at(10)), at(11));
        assert!(past > Duration::ZERO && past < Duration::from_secs(1));
    }

    #[test]
    fn an_error_is_told_with_its_advice() {
        let failed = |source| {
            words(&PassError::Git {
                repository: "fleet".to_owned(),
                source,
            })
        };
        let (remote, said) = ("/r".to_owned(), "no".to_owned());
        assert_eq!(
            failed(git::Error::Ownership {
                remote,
                words: said
            }),
            "config repo `fleet`: /r belongs to another user: no (run as its owner, or trust it: \
             git config --global --add safe.directory /r)"
        );
        let (remote, said) = ("/r".to_owned(), "down".to_owned());
        assert_eq!(
            failed(git::Error::Server {
                remote,
                words: said
            }),
            "config repo `fleet`: /r failed: down"
        );
        let folder = "/cache".into();
        let within = PassError::Source {
            repository: "fleet".to_owned(),
            source: git::Error::NotAMirror { folder }.into(),
        };
        assert!(words(&within).contains("(choose another cache folder"));
    }
}
