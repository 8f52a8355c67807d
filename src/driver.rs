//! The running service: one task per config repo, woken by its timer or a nudge, until shutdown.
//!
//! Invariant: one pass at a time per config repo, and a pass once begun ends at a safe point: shutdown
//! waits for it. One repo's errors delay no other. What a pass left out is logged when it first
//! appears, not in every pass.
//!
//! A nudge carries nothing: it only says "look now", so a lost one costs latency, never correctness.

use std::collections::BTreeSet;
use std::sync::{Arc, Mutex};
use std::time::Instant;

use tokio::sync::watch;
use tokio::task::JoinSet;

use crate::clock::Clock;
use crate::config::{REGISTRY_INTERVAL, Repository, Service};
use crate::diag;
use crate::git::{self, Mirror, Remote};
use crate::reconcile::observe::{Missing, Observer, Paused, Pauses};
use crate::reconcile::plan::Step;
use crate::reconcile::snapshot::{self, IndexCache};
use crate::reconcile::{
    Error as PassError, Freshness, Intervals, Pass, PassResult, Reconciler, Start,
};
use crate::registry::{self, Client};
use crate::server::{Readiness, Shared};
use crate::state::{self, State};

/// Version of the cached documents; raised when their shape changes.
const CACHE_VERSION: u32 = 1;

/// Why the service can't start.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The cache folder can't be used.
    #[error(transparent)]
    State(#[from] state::Error),
    /// The registry client can't be made.
    #[error("the registry client can't be set up")]
    Registry(#[from] registry::Error),
    /// A mirror can't be opened.
    #[error("the mirror of config repo `{repository}` can't be opened")]
    Mirror {
        /// The repository's name.
        repository: String,
        /// Why not.
        source: git::Error,
    },
}

/// Told of every pass that ended without an error.
pub type OnPass = Arc<dyn Fn(&str, &Pass) + Send + Sync>;

/// Opens the reconcilers of a service, one per config repo.
///
/// # Errors
/// When a mirror or the registry client can't be set up.
pub fn reconcilers(
    service: &Service,
    state: &State,
    clock: &Clock,
) -> Result<Vec<Reconciler>, Error> {
    let accounts = service
        .registries
        .iter()
        .map(|registry| registry.account.clone())
        .collect();
    let client = Client::new(accounts, clock.clone())?;
    let intervals = Intervals {
        by_account: service
            .registries
            .iter()
            .map(|registry| registry.interval)
            .collect(),
        otherwise: REGISTRY_INTERVAL,
    };
    let pauses = Pauses::new(state.load("paused", CACHE_VERSION).unwrap_or_default());
    let mut mirrors = Vec::new();
    service
        .repositories
        .iter()
        .map(|repository| {
            let name = repository.name.as_str();
            let mirror = mirror_of(repository, state, &mut mirrors)?;
            let missing = state
                .load(&format!("missing-{name}"), CACHE_VERSION)
                .unwrap_or_default();
            Ok(Reconciler::new(Start {
                repository: repository.clone(),
                intervals: intervals.clone(),
                observer: Observer::new(client.clone(), clock.clone(), missing)
                    .with_pauses(pauses.clone()),
                mirror,
                cache: state
                    .load(&format!("sites-{name}"), sites_version())
                    .map(snapshot::unpack)
                    .unwrap_or_default(),
                clock: clock.clone(),
            }))
        })
        .collect()
}

/// The mirror of a repository; entries of one remote share it.
fn mirror_of<'s>(
    repository: &'s Repository,
    state: &State,
    mirrors: &mut Vec<(&'s Remote, Arc<Mutex<Mirror>>)>,
) -> Result<Arc<Mutex<Mirror>>, Error> {
    let remote = &repository.remote;
    if let Some((_, mirror)) = mirrors.iter().find(|(known, _)| *known == remote) {
        return Ok(Arc::clone(mirror));
    }
    let name = repository.name.as_str();
    let mirror =
        Mirror::open(&state.mirror(name), remote.clone()).map_err(|source| Error::Mirror {
            repository: name.to_owned(),
            source,
        })?;
    let mirror = Arc::new(Mutex::new(mirror));
    mirrors.push((remote, Arc::clone(&mirror)));
    Ok(mirror)
}

/// What a reconciler learnt, to be kept for the next process.
struct Kept {
    repository: String,
    missing: Missing,
    paused: Paused,
    sites: IndexCache,
}

impl Kept {
    fn of(reconciler: &Reconciler) -> Self {
        Self {
            repository: reconciler.repository().name.to_string(),
            missing: reconciler.observer().missing().clone(),
            paused: reconciler.observer().paused(),
            sites: reconciler.cache(),
        }
    }

    /// Writes it; blocking, and long where there are many sites.
    fn save(&self, state: &State) {
        let name = &self.repository;
        let sites = snapshot::pack(&self.sites);
        let kept = state
            .save(&format!("missing-{name}"), CACHE_VERSION, &self.missing)
            .and_then(|()| state.save("paused", CACHE_VERSION, &self.paused))
            .and_then(|()| state.save(&format!("sites-{name}"), sites_version(), &sites));
        if let Err(error) = kept {
            tracing::warn!(repository = %name, "the cache could not be kept: {error}");
        }
    }
}

/// Keeps for the next process what was learnt. Blocking.
pub fn keep(state: &State, reconciler: &Reconciler) {
    Kept::of(reconciler).save(state);
}

/// Indexes are of use only to the indexer that made them.
fn sites_version() -> u32 {
    /// More versions of the indexer than will be made between two of the cache.
    const INDEXERS: u32 = 10_000;
    CACHE_VERSION * INDEXERS + crate::manifest::INDEXER_VERSION
}

/// Runs passes over all config repos until `shutdown` turns true, and waits for those under way.
///
/// A task that panics ends the service: a process that looks alive and does nothing is worse than one
/// that is restarted.
pub async fn run(
    reconcilers: Vec<Reconciler>,
    state: Arc<State>,
    clock: Clock,
    shared: Arc<Shared>,
    on_pass: OnPass,
    shutdown: watch::Receiver<bool>,
) {
    let mut tasks = JoinSet::new();
    for reconciler in reconcilers {
        shared.note(reconciler.repository().name.as_str(), Readiness::Starting);
        let worker = Worker {
            reconciler,
            state: Arc::clone(&state),
            clock: clock.clone(),
            shared: Arc::clone(&shared),
            on_pass: Arc::clone(&on_pass),
            told: BTreeSet::new(),
        };
        tasks.spawn(worker.run(shutdown.clone()));
    }
    while let Some(ended) = tasks.join_next().await {
        if let Err(failed) = ended
            && let Ok(panic) = failed.try_into_panic()
        {
            std::panic::resume_unwind(panic);
        }
    }
}

/// The task of one config repo.
struct Worker {
    reconciler: Reconciler,
    state: Arc<State>,
    clock: Clock,
    shared: Arc<Shared>,
    on_pass: OnPass,
    /// What has been logged already.
    told: BTreeSet<String>,
}

impl Worker {
    async fn run(mut self, mut shutdown: watch::Receiver<bool>) {
        let interval = self.reconciler.repository().interval;
        let mut kept = false;
        loop {
            let ended_well = self.pass().await;
            if ended_well && !kept {
                // The first pass fills the cache; later ones change little of it.
                self.keep().await;
                kept = true;
            }
            tokio::select! {
                _ = shutdown.wait_for(|stop| *stop) => break,
                () = tokio::time::sleep(interval) => {}
            }
        }
        self.keep().await;
    }

    async fn keep(&self) {
        let kept = Kept::of(&self.reconciler);
        let state = Arc::clone(&self.state);
        // What is lost if it fails is a cache.
        let _ = tokio::task::spawn_blocking(move || kept.save(&state)).await;
    }

    async fn pass(&mut self) -> bool {
        let name = self.reconciler.repository().name.to_string();
        let start = Instant::now();
        match self.reconciler.pass(Freshness::ByInterval).await {
            Ok(pass) => {
                let now = self.clock.now().as_second();
                self.shared
                    .metrics
                    .passed(&name, &pass, start.elapsed(), now);
                self.shared.note(&name, Readiness::Ready);
                self.tell(&name, &pass);
                (self.on_pass)(&name, &pass);
                true
            }
            Err(error) => {
                let text = words(&error);
                tracing::error!(repository = name, "{text}");
                self.shared.metrics.failed(&name, start.elapsed());
                self.shared.note(&name, Readiness::Failing(text));
                false
            }
        }
    }

    /// Logs what landed, and what was left out since the last pass.
    fn tell(&mut self, repository: &str, pass: &Pass) {
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
            PassResult::Nothing | PassResult::Off => {}
        }
        let now = left_out(pass);
        for line in now.difference(&self.told) {
            tracing::warn!(repository, "{line}");
        }
        self.told = now;
    }
}

/// Everything that a pass left out, a line each.
fn left_out(pass: &Pass) -> BTreeSet<String> {
    let observation = &pass.observation;
    let apps = &observation.snapshot.apps;
    let places = observation
        .snapshot
        .diagnostics
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
    places.chain(stages).collect()
}

/// Why a pass could not be made, with its causes and what to do about it, in one line.
pub fn words(error: &PassError) -> String {
    let text = diag::chain(error);
    match git::hint_of(error) {
        Some(hint) => format!("{text} ({hint})"),
        None => text,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

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
