//! A pass over one config repo: observe, plan, execute.
//!
//! ```text
//! observe   fetch the branch; apps, files and sites at its head; tag lists of the images it watches
//! plan      a pure function of those: which site gets which image, and why, or why not
//! execute   edits, commits, one push; a branch that moved meanwhile means observe and plan again;
//!           changes that go by pull request, to branches of their own
//! ```
//!
//! Invariant: what is pushed was planned on the very commit that it builds on. A pass is idempotent: it
//! takes no input but the remote and the registries, so a lost or repeated one changes nothing.
//!
//! The only module that knows the whole chain; the leaves don't know each other.

pub mod aim;
pub mod attest;
pub mod checks;
pub mod claims;
pub mod decided;
mod deeper;
pub mod execute;
mod forged;
pub mod given;
pub mod history;
mod landing;
mod links;
pub mod message;
pub mod observe;
pub mod plan;
pub mod prepare;
mod problems;
pub mod propose;
pub mod pulls;
mod queue;
pub mod reach;
mod recall;
mod refusal;
pub mod running;
pub mod settled;
pub mod snapshot;
pub mod source;
pub mod standings;
mod start;
pub mod states;
pub mod trailer;

pub use start::{Intervals, Start};

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use jiff::Timestamp;

use crate::clock::Clock;
use crate::config::{App, Commits, Hold, PushMode, Repository};
use crate::forge;
use crate::git::{self, CommitId, Keyring, Mirror};
use crate::image::Tag;
use crate::reconcile::checks::Book;
use crate::reconcile::execute::Landing;
use crate::reconcile::given::Ledger;
use crate::reconcile::observe::{Look, Observer};
use crate::reconcile::plan::{Facts, Feed, Need, Plan};
use crate::reconcile::prepare::Preparation;
use crate::reconcile::pulls::{Planned, Pulls};
use crate::reconcile::queue::Queue;
use crate::reconcile::recall::Recollection;
use crate::reconcile::refusal::Parking;
use crate::reconcile::settled::Settled;
use crate::reconcile::snapshot::{IndexCache, Memory, Snapshot};
use crate::reconcile::source::Source;
use crate::registry::poller::Patience;

/// How often one pass plans again after the branch moved under it. Each round needs another push to
/// have landed in the second or two that it takes; a branch busier than that gets the next pass.
const MAX_ROUNDS: u32 = 8;

/// Rounds of reading what the plan still needs. Each reads as many candidates of a stage as the ones before
/// together, so it is the bound on readings that ends them, long before this one.
const MAX_READINGS: u32 = 32;

/// Why a pass could not be made.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The config repo can't be fetched, read or written.
    #[error("config repo `{repository}`")]
    Git {
        /// The repository's name in the configuration.
        repository: String,
        /// Why not.
        source: git::Error,
    },
    /// The files can't be read.
    #[error("config repo `{repository}`")]
    Source {
        /// The repository's name in the configuration.
        repository: String,
        /// Why not.
        source: source::Error,
    },
    /// The forge can't be asked to make commits.
    #[error("config repo `{repository}`")]
    Forge {
        /// The repository's name in the configuration.
        repository: String,
        /// Why not.
        source: forge::Error,
    },
    /// The branch moved under every round of the pass.
    #[error(
        "config repo `{repository}`: `{branch}` moved {MAX_ROUNDS} times while this pass was being pushed; the next one tries again"
    )]
    Busy {
        /// The repository's name in the configuration.
        repository: String,
        /// The branch.
        branch: String,
    },
}

/// The reconciler of one config repo.
pub struct Reconciler {
    repository: Repository,
    clock: Clock,
    observer: Observer,
    mirror: Arc<Mutex<Mirror>>,
    /// What signs commits, where a key is configured.
    keyring: Option<Arc<Mutex<Keyring>>>,
    memory: Arc<Mutex<Memory>>,
    snapshot: Option<(CommitId, Arc<Snapshot>)>,
    settled: Option<Settled>,
    recollection: Arc<Mutex<Recollection>>,
    /// What the service file holds back.
    holds: Arc<[Hold]>,
    /// What is held through the API.
    given: Arc<Ledger>,
    intervals: Intervals,
    parking: Parking,
    queue: Queue,
    pulls: Pulls,
    checks: Book,
}

/// What a pass saw and means to do.
#[derive(Debug)]
pub struct Observation {
    /// The commit it was planned on; none for a working tree.
    pub base: Option<CommitId>,
    /// The config repo there.
    pub snapshot: Arc<Snapshot>,
    /// What the registries said.
    pub facts: Facts,
    /// What should happen.
    pub plan: Arc<Plan>,
    /// The exact commits that would make it happen, as far as they go to the branch itself.
    pub preparation: Arc<Preparation>,
    /// The pull requests of the others, and what becomes of those that are there.
    pub pulls: Vec<Planned>,
}

/// What a pass did.
#[derive(Debug)]
pub struct Pass {
    /// What it saw and planned, in its last round.
    pub observation: Observation,
    /// What became of the commits.
    pub result: PassResult,
    /// What became of the pull requests.
    pub pulls: Vec<pulls::Done>,
}

/// How a pass ended.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum PassResult {
    /// There was nothing to commit.
    Nothing,
    /// These commits are on the branch, one for each prepared one.
    Landed(Vec<CommitId>),
    /// `push.mode: off`: nothing was written.
    Off,
    /// The remote refused the push, in its own words.
    Refused(String),
    /// Nothing was written yet: more changes are waited for until then.
    Gathering(Timestamp),
}

/// Whether listings of an earlier pass will do.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Freshness {
    /// List every image again.
    Anew,
    /// List the images that are due.
    ByInterval,
    /// They are listed by the poller, which tells when one has changed.
    AsPolled,
}

impl Reconciler {
    /// The config repo.
    pub fn repository(&self) -> &Repository {
        &self.repository
    }

    /// The observer of the registries.
    pub fn observer(&self) -> &Observer {
        &self.observer
    }

    /// The indexes to keep for the next process.
    pub fn cache(&self) -> IndexCache {
        lock(&self.memory).indexes.clone()
    }

    /// One pass: observe, plan, execute, until the push lands or there is nothing to push.
    ///
    /// # Errors
    /// When the config repo can't be fetched, read or written, commits can't be signed, or the branch
    /// never stands still. A registry that can't be asked is no error: it is a fact of the plan.
    pub async fn pass(&mut self, freshness: Freshness) -> Result<Pass, Error> {
        if self.repository.push != PushMode::Off {
            // A key that can't be used is told at once, not when something is to be signed.
            self.signer().await?;
        }
        self.bring_given().await?;
        let mut freshness = freshness;
        for pause in pauses() {
            let observation = self.observe(freshness).await?;
            let result = match (observation.preparation.commits.len(), self.repository.push) {
                (0, _) => PassResult::Nothing,
                (_, PushMode::Off) => PassResult::Off,
                (_, PushMode::PullRequest | PushMode::Direct) => {
                    match self.land_all(&observation).await? {
                        Landing::Landed(commits) => {
                            self.queue.made(&observation.preparation);
                            PassResult::Landed(commits)
                        }
                        Landing::Refused(words) => {
                            let mut pass = self.by_halves(observation, words).await?;
                            pass.pulls = self.settle(&pass.observation).await;
                            return Ok(pass);
                        }
                        Landing::Moved => {
                            tracing::info!(repository = %self.repository.name, "the branch moved, or something was held; planning again");
                            tokio::time::sleep(pause).await;
                            // The tag lists are seconds old; only Git and the manifests are read again.
                            if freshness == Freshness::Anew {
                                freshness = Freshness::ByInterval;
                            }
                            continue;
                        }
                    }
                }
            };
            let pulls = self.settle(&observation).await;
            return Ok(Pass {
                observation,
                result,
                pulls,
            });
        }
        Err(Error::Busy {
            repository: self.repository.name.to_string(),
            branch: self.repository.branch.clone(),
        })
    }

    /// Fetches the config repo and plans on its head, touching nothing.
    ///
    /// # Errors
    /// When the config repo can't be fetched or read.
    pub async fn observe(&mut self, freshness: Freshness) -> Result<Observation, Error> {
        let head = self.fetch().await?;
        let snapshot = self.snapshot_of(head).await?;
        let mut seen = self.look(&snapshot).await?;
        self.checks.begin(freshness);
        let mut facts = self.list(&snapshot, freshness).await;
        facts.unopened = self.unopened(&snapshot, seen.as_ref());
        facts.closed = self.closed(&snapshot, seen.as_ref());
        let (mut facts, mut plan) = self.plan(&snapshot, facts, Some(head)).await?;
        for _ in 0..MAX_READINGS {
            if !self.look_up(&plan, &snapshot, seen.as_mut()).await {
                break;
            }
            facts.closed = self.closed(&snapshot, seen.as_ref());
            (facts, plan) = self.plan(&snapshot, facts, Some(head)).await?;
        }
        let plan = self.published(plan, &snapshot, seen.as_ref());
        let plan = self.queued(plan, &snapshot);
        let plan = self.linked(plan, &snapshot).await;
        let plan = self.with_ungated(plan, &snapshot, head, facts.now).await?;
        let mut preparation = self.prepare(&plan, &snapshot, head).await?;
        let (plan, pulls, refused) = self.propose(plan, &snapshot, head, seen).await?;
        preparation.refused.extend(refused);
        Ok(Observation {
            base: Some(head),
            snapshot,
            facts,
            plan,
            preparation: Arc::new(preparation),
            pulls,
        })
    }

    /// Plans on a working tree instead of the branch, touching nothing.
    ///
    /// # Errors
    /// When the folder can't be read.
    pub async fn observe_folder(&mut self, folder: &Path) -> Result<Observation, Error> {
        let policies = self.repository.policies.clone();
        let memory = Arc::clone(&self.memory);
        let root = folder.to_owned();
        let snapshot =
            blocking(move || Snapshot::take(Source::Folder(&root), &policies, &mut lock(&memory)))
                .await
                .map_err(|source| self.source_error(source))?;
        let snapshot = Arc::new(snapshot);
        self.checks.begin(Freshness::Anew);
        let facts = self.list(&snapshot, Freshness::Anew).await;
        let (facts, plan) = self.plan(&snapshot, facts, None).await?;
        let plan = self.published(plan, &snapshot, None);
        let plan = self.queued(plan, &snapshot);
        let plan = self.linked(plan, &snapshot).await;
        let preparation = prepare_from(
            Source::Folder(folder),
            &plan,
            &snapshot,
            &self.repository.commits,
        )
        .map_err(|source| self.source_error(source))?;
        Ok(Observation {
            base: None,
            snapshot,
            facts,
            plan,
            preparation: Arc::new(preparation),
            pulls: Vec::new(),
        })
    }

    /// Fetches the branch; what is not signed as it has to be is not acted on.
    async fn fetch(&self) -> Result<CommitId, Error> {
        let branch = self.repository.branch.clone();
        let signers = self.repository.signers.clone();
        let own = match &signers {
            Some(_) => self.signer().await?,
            None => None,
        };
        let fetched = self.with_mirror(move |mirror| {
            let head = mirror.fetch(&branch)?;
            if let Some(signers) = signers {
                signers.check(&mirror.reader()?, head, own.as_deref())?;
            }
            Ok(head)
        });
        fetched.await.map_err(|source| self.git_error(source))
    }

    async fn snapshot_of(&mut self, head: CommitId) -> Result<Arc<Snapshot>, Error> {
        if let Some((commit, snapshot)) = &self.snapshot
            && *commit == head
        {
            return Ok(Arc::clone(snapshot));
        }
        let policies = self.repository.policies.clone();
        let memory = Arc::clone(&self.memory);
        let snapshot = self
            .with_mirror(move |mirror| {
                Snapshot::take(Source::Commit(mirror, head), &policies, &mut lock(&memory))
            })
            .await
            .map_err(|source| self.source_error(source))?;
        let snapshot = Arc::new(snapshot);
        self.given.know(&snapshot);
        self.snapshot = Some((head, Arc::clone(&snapshot)));
        Ok(snapshot)
    }

    /// The tag lists of all images that have sites.
    async fn list(&mut self, snapshot: &Snapshot, freshness: Freshness) -> Facts {
        let with_sites: BTreeSet<usize> = snapshot
            .claims
            .stages
            .iter()
            .filter(|(_, sites)| !sites.is_empty())
            .map(|(key, _)| key.app)
            .collect();
        let feeds = with_sites
            .into_iter()
            .map(|app| {
                let feed = self.feed_of(&snapshot.apps[app]);
                let interval = self.intervals.of(feed.1);
                let mut stages = snapshot.apps[app].stages.iter();
                let times = stages.any(|stage| stage.policy.wants_push_times());
                (feed, Look { interval, times })
            })
            .fold(BTreeMap::new(), |mut feeds, (feed, look): (Feed, Look)| {
                // Apps of one image share its list.
                let held = feeds.entry(feed).or_insert(look);
                held.times |= look.times;
                feeds
            });
        let patience = match freshness {
            Freshness::Anew => Patience::Anew,
            Freshness::ByInterval => Patience::Due,
            Freshness::AsPolled => Patience::New,
        };
        self.observer.list(feeds, patience).await
    }

    /// Plans, reads what the plan still needs, and plans again until it needs no more.
    async fn plan(
        &mut self,
        snapshot: &Arc<Snapshot>,
        mut facts: Facts,
        head: Option<CommitId>,
    ) -> Result<(Facts, Arc<Plan>), Error> {
        facts.given = self.given.pending();
        let settled = self.settled.take();
        if let Some(plan) = settled
            .as_ref()
            .and_then(|last| last.retold(snapshot, &mut facts))
        {
            self.settled = settled;
            return Ok((facts, plan));
        }
        facts.holds = Arc::clone(&self.holds);
        self.recall(head, snapshot, &mut facts).await?;
        let mut plan = self.plan_once(snapshot, &facts);
        for _ in 0..MAX_READINGS {
            if plan.open.is_empty() {
                break;
            }
            let pasts = plan.open.pasts.clone();
            self.look_back(head, snapshot, pasts, &mut facts).await?;
            let tenures = plan.open.tenures.iter().copied().collect();
            self.look_at_tenures(head, snapshot, tenures, &mut facts)
                .await?;
            let takings = plan.open.takings.clone();
            self.date(head, snapshot, takings, &mut facts).await?;
            self.observer.resolve(&plan.open.needs, &mut facts).await;
            self.observer.check(&plan.open.checks, &mut facts).await;
            self.observer.confirm(&plan.open.present, &mut facts).await;
            self.observer.describe(&plan.open.digests, &mut facts).await;
            self.ask(&plan.open.asks, &mut facts).await;
            self.look_into_merges(head, snapshot, &mut facts).await?;
            plan = self.plan_once(snapshot, &facts);
        }
        plan.give_up(MAX_READINGS);
        let plan = Arc::new(plan);
        self.settled = match self.recalled_all(&facts) {
            true => Settled::of(snapshot, &facts, &plan),
            false => None,
        };
        Ok((facts, plan))
    }

    fn plan_once(&self, snapshot: &Snapshot, facts: &Facts) -> Plan {
        plan::plan(
            &snapshot.apps,
            &snapshot.files,
            &snapshot.claims,
            facts,
            |app| self.feed_of(app),
        )
    }

    async fn prepare(
        &self,
        plan: &Plan,
        snapshot: &Arc<Snapshot>,
        head: CommitId,
    ) -> Result<Preparation, Error> {
        if plan.changes().next().is_none() {
            return Ok(Preparation {
                refused: plan.refused.clone(),
                ..Preparation::default()
            });
        }
        let mut plan = Plan::clone(plan);
        plan.stages
            .retain(|stage| !self.is_proposed(snapshot, stage));
        let parked = self.without_parked(&mut plan.stages, snapshot);
        let mut preparation = Preparation::default();
        if plan.changes().next().is_some() {
            let snapshot = Arc::clone(snapshot);
            let style = self.repository.commits.clone();
            preparation = self
                .with_mirror(move |mirror| {
                    prepare_from(Source::Commit(mirror, head), &plan, &snapshot, &style)
                })
                .await
                .map_err(|source| self.source_error(source))?;
        }
        preparation.refused.extend(parked);
        Ok(preparation)
    }

    /// Where the tags of `app` come from, within the limits of its policies entry.
    pub fn feed_of(&self, app: &App) -> Feed {
        let access = self.repository.policies[app.entry].access();
        let account = self.observer.client().account_for(&app.image, access);
        (app.image.clone(), account)
    }

    /// Those of `candidates` that are the same image as `tag`, by digest.
    pub async fn same_digest(&mut self, app: &App, tag: &Tag, candidates: Vec<Tag>) -> Vec<Tag> {
        let feed = self.feed_of(app);
        let needs: Vec<Need> = candidates
            .iter()
            .chain([tag])
            .map(|tag| Need {
                feed: feed.clone(),
                tag: tag.clone(),
                wants: Vec::new(),
                purpose: None,
            })
            .collect();
        let mut facts = Facts::default();
        self.observer.resolve(&needs, &mut facts).await;
        let found = facts.manifests.remove(&feed).unwrap_or_default();
        let digest = |tag: &Tag| Some(&found.get(tag)?.found()?.digest);
        let Some(wanted) = digest(tag) else {
            return Vec::new();
        };
        candidates
            .into_iter()
            .filter(|candidate| digest(candidate) == Some(wanted))
            .collect()
    }

    async fn with_mirror<T: Send + 'static>(
        &self,
        work: impl FnOnce(&mut Mirror) -> T + Send + 'static,
    ) -> T {
        let mirror = Arc::clone(&self.mirror);
        blocking(move || work(&mut lock(&mirror))).await
    }

    fn git_error(&self, source: git::Error) -> Error {
        Error::Git {
            repository: self.repository.name.to_string(),
            source,
        }
    }

    fn source_error(&self, source: source::Error) -> Error {
        Error::Source {
            repository: self.repository.name.to_string(),
            source,
        }
    }
}

fn prepare_from(
    source: Source<'_>,
    plan: &Plan,
    snapshot: &Snapshot,
    style: &Commits,
) -> Result<Preparation, source::Error> {
    let contents = source.contents()?;
    prepare::prepare(plan, &snapshot.apps, &snapshot.files, style, |file| {
        contents.manifest(&file.path, file.blob)
    })
}

/// Pauses between the rounds of one pass, with jitter so that two services don't keep colliding.
fn pauses() -> impl Iterator<Item = Duration> {
    use backon::BackoffBuilder as _;
    backon::ExponentialBuilder::new()
        .with_jitter()
        .with_min_delay(Duration::from_millis(20))
        .with_max_delay(Duration::from_secs(2))
        .with_max_times(MAX_ROUNDS as usize)
        .build()
}

/// Runs Git and parsing work where it may block.
async fn blocking<T: Send + 'static>(work: impl FnOnce() -> T + Send + 'static) -> T {
    match tokio::task::spawn_blocking(work).await {
        Ok(value) => value,
        Err(failed) => match failed.try_into_panic() {
            Ok(panic) => std::panic::resume_unwind(panic),
            Err(_) => unreachable!("blocking work isn't cancelled while it is awaited"),
        },
    }
}

/// A lock whose holder panicked: the process is on its way down, and the mirror is only a cache.
fn lock<T>(mutex: &Mutex<T>) -> std::sync::MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
