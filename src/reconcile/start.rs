//! What a reconciler starts with.
//!
//! Invariant: it starts knowing nothing of the config repo but indexes of files by their contents, which are
//! true whatever has happened since.

use std::sync::{Arc, Mutex};
use std::time::Duration;

use crate::clock::Clock;
use crate::config::{Repository, Signing};
use crate::forge::Forge;
use crate::git::{Keyring, Mirror};
use crate::reconcile::Reconciler;
use crate::reconcile::checks::Book;
use crate::reconcile::given::Ledger;
use crate::reconcile::observe::Observer;
use crate::reconcile::pulls::Pulls;
use crate::reconcile::queue::Queue;
use crate::reconcile::refusal::Parking;
use crate::reconcile::snapshot::{IndexCache, Memory};
use crate::registry::AccountId;

/// What a reconciler starts with.
pub struct Start {
    /// The config repo.
    pub repository: Repository,
    /// How often each account's registry is asked.
    pub intervals: Intervals,
    /// Asks the registries.
    pub observer: Observer,
    /// The config repo's mirror, shared with other branches of the same remote.
    pub mirror: Arc<Mutex<Mirror>>,
    /// Indexes kept from an earlier process.
    pub cache: IndexCache,
    /// The time.
    pub clock: Clock,
    /// The forge that the config repo is on, or why it can't be asked; none where it is not known.
    pub forge: Option<Result<Arc<dyn Forge>, String>>,
    /// What is held through the API.
    pub given: Arc<Ledger>,
}

/// How often each account's registry is asked.
#[derive(Debug, Clone)]
pub struct Intervals {
    /// By the account's place in the configuration.
    pub by_account: Vec<Duration>,
    /// For all others.
    pub otherwise: Duration,
}

impl Intervals {
    pub(super) fn of(&self, account: AccountId) -> Duration {
        account
            .index()
            .and_then(|place| self.by_account.get(place))
            .copied()
            .unwrap_or(self.otherwise)
    }
}

impl Reconciler {
    /// A reconciler that has seen nothing yet.
    pub fn new(start: Start) -> Self {
        let keyring = match &start.repository.commits.signing {
            Some(Signing::Key(key)) => Some(Arc::new(Mutex::new(Keyring::new(key.clone())))),
            Some(Signing::Forge) | None => None,
        };
        let name = start.repository.name.as_str();
        let news = start.observer.poller().news(name);
        let checks = Book::new(
            &start.repository.gates,
            &start.repository.branch,
            start.clock.clone(),
            news,
        );
        Self {
            checks,
            keyring,
            holds: start.repository.holds.clone().into(),
            given: start.given,
            repository: start.repository,
            intervals: start.intervals,
            clock: start.clock,
            observer: start.observer,
            mirror: start.mirror,
            memory: Arc::new(Mutex::new(Memory::of(start.cache))),
            snapshot: None,
            settled: None,
            recollection: Arc::default(),
            parking: Parking::default(),
            queue: Queue::default(),
            pulls: Pulls::new(start.forge),
        }
    }
}
