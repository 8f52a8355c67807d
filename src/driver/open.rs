//! Opening what works on a config repo, and keeping what it learnt for the next process.
//!
//! Invariant: entries of one remote share one mirror, whose folder the order of the configuration alone
//! decides; an entry that can't be opened keeps no other from being opened.
//!
//! Blocking.

use std::path::PathBuf;
use std::sync::{Arc, Mutex, PoisonError};

use crate::clock::Clock;
use crate::config::{REGISTRY_INTERVAL, Repository, Service};
use crate::diag;
use crate::forge::{self, Forge, Paces};
use crate::git::{self, Mirror, Remote};
use crate::reconcile::given::{Given, Ledger};
use crate::reconcile::observe::{Descriptions, Manifests, Missing, Observer, Seen, Sightings};
use crate::reconcile::snapshot::{self, IndexCache};
use crate::reconcile::{Intervals, Reconciler, Start};
use crate::registry::poller::{KeptTimes, Poller, SHARDS};
use crate::registry::{self, Client};
use crate::state::{self, State};

/// Version of the cached documents; raised when their shape changes.
const CACHE_VERSION: u32 = 1;

/// Why the service or the work on a config repo can't start.
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

/// An entry of `repositories`, to be opened.
#[derive(Clone)]
pub struct Entry {
    repository: Repository,
    intervals: Intervals,
    client: Client,
    poller: Poller,
    manifests: Manifests,
    seen: Seen,
    clock: Clock,
    paces: Paces,
    mirror: Arc<Shared>,
    given: Arc<Ledger>,
}

/// The mirror of a remote, once an entry has opened it.
struct Shared {
    remote: Remote,
    folder: PathBuf,
    mirror: Mutex<Option<Arc<Mutex<Mirror>>>>,
}

/// The entries of a service, in the order of its configuration.
///
/// # Errors
/// When the registry client can't be set up.
pub fn entries(service: &Service, state: &State, clock: &Clock) -> Result<Vec<Entry>, Error> {
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
    let poller = polled(client.clone(), state, clock);
    let manifests = Manifests::new(state.load("manifests", CACHE_VERSION).unwrap_or_default());
    let seen = Seen::new(state.load("seen", CACHE_VERSION).unwrap_or_default());
    let paces = Paces::default();
    let mut mirrors = Vec::new();
    let entry = |repository: &Repository| Entry {
        mirror: mirror_of(repository, state, &mut mirrors),
        repository: repository.clone(),
        intervals: intervals.clone(),
        client: client.clone(),
        poller: poller.clone(),
        manifests: manifests.clone(),
        seen: seen.clone(),
        clock: clock.clone(),
        paces: paces.clone(),
        given: Arc::new(Ledger::new(given(repository, state))),
    };
    Ok(service.repositories.iter().map(entry).collect())
}

/// The holds that were given through the API and kept.
fn given(repository: &Repository, state: &State) -> Vec<Given> {
    let name = given_name(repository.name.as_str());
    state.load(&name, CACHE_VERSION).unwrap_or_default()
}

fn given_name(repository: &str) -> String {
    format!("given-{repository}")
}

/// Keeps for the next process what is held through the API. Blocking.
pub fn keep_given(state: &State, repository: &str, given: &Ledger) {
    let name = given_name(repository);
    let kept = given.keep(|all| state.save(&name, CACHE_VERSION, &all));
    if let Err(error) = kept {
        tracing::warn!(
            repository,
            "holds given through the API can't be kept for the next start: {error}"
        );
    }
}

/// The poller, with what the last process kept.
fn polled(client: Client, state: &State, clock: &Clock) -> Poller {
    let times: KeptTimes = state.load("polled", CACHE_VERSION).unwrap_or_default();
    let lists = (0..SHARDS).filter_map(|part| state.load(&tags_name(part), CACHE_VERSION));
    Poller::new(client, clock.clone(), times, lists)
}

fn tags_name(part: usize) -> String {
    format!("tags-{part}")
}

/// Keeps for the next process what the poller has learnt since this was last done. Blocking.
///
/// # Errors
/// When the folder can't be written; what was kept before remains.
pub(super) fn keep_polled(state: &State, poller: &Poller) -> Result<(), state::Error> {
    // The lists first: with times that are older than them an image is looked at early at worst.
    for (part, lists) in poller.keep_tags() {
        state.save(&tags_name(part), CACHE_VERSION, &lists)?;
    }
    state.save("polled", CACHE_VERSION, &poller.keep_times())
}

/// The mirror of a repository; entries of one remote share it.
fn mirror_of(
    repository: &Repository,
    state: &State,
    mirrors: &mut Vec<Arc<Shared>>,
) -> Arc<Shared> {
    let remote = &repository.remote;
    if let Some(known) = mirrors.iter().find(|known| known.remote == *remote) {
        return Arc::clone(known);
    }
    let mirror = Arc::new(Shared {
        remote: remote.clone(),
        folder: state.mirror(repository.name.as_str()),
        mirror: Mutex::default(),
    });
    mirrors.push(Arc::clone(&mirror));
    mirror
}

impl Shared {
    /// Opens it, unless that is done.
    fn open(&self) -> Result<Arc<Mutex<Mirror>>, git::Error> {
        let mut mirror = self.mirror.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(mirror) = &*mirror {
            return Ok(Arc::clone(mirror));
        }
        let opened = Mirror::open(&self.folder, self.remote.clone())?;
        Ok(Arc::clone(mirror.insert(Arc::new(Mutex::new(opened)))))
    }
}

impl Entry {
    /// The config repo.
    pub fn repository(&self) -> &Repository {
        &self.repository
    }

    /// What is held through the API.
    pub fn given(&self) -> &Arc<Ledger> {
        &self.given
    }

    /// Where its listings come from; all entries share one.
    pub fn poller(&self) -> &Poller {
        &self.poller
    }

    /// The forge that the repository is on, where that is known, or why it can't be asked.
    fn forge(&self) -> Option<Result<Arc<dyn Forge>, String>> {
        let access = self.repository.forge.as_ref()?;
        let ca_pem = match &access.ca_pem {
            None => Vec::new(),
            Some(path) => match std::fs::read(path) {
                Ok(pem) => pem,
                Err(error) => return Some(Err(format!("{}: {error}", path.display()))),
            },
        };
        let opened = forge::open(forge::Settings {
            kind: access.kind,
            api: access.api.clone(),
            repository: access.repository.clone(),
            credentials: access.credentials.clone(),
            ca_pem,
            plain: access.plain,
            clock: self.clock.clone(),
            paces: self.paces.clone(),
        });
        Some(opened.map_err(|error| diag::chain(&error)))
    }

    /// Opens the mirror, and with it what the last process kept.
    ///
    /// # Errors
    /// When the mirror can't be opened; it may be tried again.
    pub fn open(&self, state: &State) -> Result<Reconciler, Error> {
        let name = self.repository.name.as_str();
        let mirror = self.mirror.open().map_err(|source| Error::Mirror {
            repository: name.to_owned(),
            source,
        })?;
        let missing = state
            .load(&format!("missing-{name}"), CACHE_VERSION)
            .unwrap_or_default();
        let cache = state
            .load(&format!("sites-{name}"), sites_version())
            .map(snapshot::unpack)
            .unwrap_or_default();
        Ok(Reconciler::new(Start {
            repository: self.repository.clone(),
            intervals: self.intervals.clone(),
            observer: Observer::new(self.client.clone(), self.clock.clone(), missing)
                .with_poller(self.poller.clone(), name.to_owned())
                .with_memory(self.manifests.clone(), self.seen.clone()),
            mirror,
            cache,
            clock: self.clock.clone(),
            forge: self.forge(),
            given: Arc::clone(&self.given),
        }))
    }
}

/// Opens the reconcilers of a service, one per config repo.
///
/// # Errors
/// When a mirror or the registry client can't be set up.
pub fn reconcilers(
    service: &Service,
    state: &State,
    clock: &Clock,
) -> Result<Vec<Reconciler>, Error> {
    let entries = entries(service, state, clock)?;
    entries.iter().map(|entry| entry.open(state)).collect()
}

/// What a reconciler learnt, to be kept for the next process.
pub(super) struct Kept {
    repository: String,
    missing: Missing,
    manifests: Descriptions,
    seen: Sightings,
    sites: IndexCache,
    given: Arc<Ledger>,
}

impl Kept {
    pub(super) fn of(reconciler: &Reconciler) -> Self {
        Self {
            repository: reconciler.repository().name.to_string(),
            missing: reconciler.observer().missing().clone(),
            manifests: reconciler.observer().manifests().kept(),
            seen: reconciler.observer().sightings(),
            sites: reconciler.cache(),
            given: Arc::clone(reconciler.given()),
        }
    }

    /// Writes it; blocking, and long where there are many sites.
    pub(super) fn save(&self, state: &State) {
        let name = &self.repository;
        keep_given(state, name, &self.given);
        let sites = snapshot::pack(&self.sites);
        let kept = state
            .save(&format!("missing-{name}"), CACHE_VERSION, &self.missing)
            .and_then(|()| state.save("manifests", CACHE_VERSION, &self.manifests))
            .and_then(|()| state.save("seen", CACHE_VERSION, &self.seen))
            .and_then(|()| state.save(&format!("sites-{name}"), sites_version(), &sites));
        if let Err(error) = kept {
            tracing::warn!(repository = %name, "the cache could not be kept: {error}");
        }
    }
}

/// Keeps for the next process what was learnt. Blocking.
pub fn keep(state: &State, reconciler: &Reconciler) {
    Kept::of(reconciler).save(state);
    told(keep_polled(state, reconciler.observer().poller()));
}

/// Logs why something could not be kept: what is lost is a cache.
pub(super) fn told(kept: Result<(), state::Error>) {
    if let Err(error) = kept {
        tracing::warn!("what is known of tags could not be kept: {error}");
    }
}

/// Indexes are of use only to the indexer that made them.
fn sites_version() -> u32 {
    /// More versions of the indexer than will be made between two of the cache.
    const INDEXERS: u32 = 10_000;
    CACHE_VERSION * INDEXERS + crate::manifest::INDEXER_VERSION
}
