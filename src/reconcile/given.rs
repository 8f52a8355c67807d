//! Holds given through the API of the service: in force from the moment they are taken in, and brought into
//! Git as entries by the next pass.
//!
//! Invariant: a hold is in force without a break, first here and then in Git, and what is in Git is not held
//! here a second time. A release ends the hold that it names and no other. What is kept of them on disk saves
//! only those that Git does not have yet.
//!
//! It refuses to hold what is not there: a stage that no app file has would be held by nobody's mistake.

mod bring;
mod settle;

use std::collections::BTreeSet;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use tokio::sync::Notify;

use crate::decision;
use crate::diag;
use crate::image::Digest;
use crate::reconcile::Reconciler;
use crate::reconcile::plan::Facts;
use crate::reconcile::snapshot::Snapshot;

/// Holds of one config repo that are kept at most. Whoever needs more holds stages by name.
const MOST: usize = 1000;

/// What a hold is of.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub enum Of {
    /// One stage of an app.
    Stage {
        /// The app.
        app: String,
        /// The stage.
        stage: String,
    },
    /// Stages of all apps: those of this name, or all.
    All(Option<String>),
}

/// A hold that somebody asks for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Wanted {
    /// What it is of.
    pub of: Of,
    /// Why.
    pub reason: String,
    /// When it ends by itself.
    pub until: Option<Timestamp>,
}

/// A hold given through the API.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Given {
    /// What the API calls it.
    pub id: String,
    /// What it is of.
    pub of: Of,
    /// Why.
    pub reason: String,
    /// When it ends by itself.
    pub until: Option<Timestamp>,
    /// Who gave it, by the name that the configuration has for the caller.
    pub by: String,
    /// When.
    pub at: Timestamp,
    /// The commit with which it came into Git, once it did.
    pub commit: Option<String>,
    /// Who released it, while that is not in Git.
    pub released: Option<String>,
    /// Why it, or its release, is not in Git yet, where that was tried.
    #[serde(skip)]
    pub waits: Option<String>,
}

/// Why a hold is not taken in.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Refusal {
    /// There is no such stage.
    #[error("no valid app file has {0}")]
    Unknown(String),
    /// There are too many.
    #[error("{MOST} holds are in force already: hold all stages of a name instead")]
    Full,
}

/// The holds of one config repo, shared between its reconciler and the API.
#[derive(Debug, Default)]
pub struct Ledger {
    inner: Mutex<Inner>,
    news: Notify,
    /// Taken while they are written to disk, so that an older state never replaces a newer one.
    writing: Mutex<()>,
}

#[derive(Debug, Default)]
struct Inner {
    all: Vec<Given>,
    /// The stages that there are, by app; none while nobody has looked.
    known: Option<BTreeSet<(String, String)>>,
}

impl Given {
    /// Whether Git has it.
    pub fn is_durable(&self) -> bool {
        self.commit.is_some()
    }

    /// Whether it is in force here, and not by Git, for a stage of these names at `now`.
    pub fn holds(&self, app: &str, stage: &str, now: Timestamp) -> bool {
        let of = match &self.of {
            Of::Stage { app: a, stage: s } => (a.as_str(), s.as_str()) == (app, stage),
            Of::All(None) => true,
            Of::All(Some(name)) => name == stage,
        };
        of && self.is_pending() && !self.is_over(now)
    }

    fn is_pending(&self) -> bool {
        self.commit.is_none() && self.released.is_none()
    }

    fn is_over(&self, now: Timestamp) -> bool {
        self.until.is_some_and(|until| until <= now)
    }

    fn is(&self, wanted: &Wanted) -> bool {
        let Wanted { of, reason, until } = wanted;
        self.released.is_none() && (&self.of, &self.reason, &self.until) == (of, reason, until)
    }

    /// The file that its entry is in.
    pub fn file(&self) -> String {
        match &self.of {
            Of::Stage { app, stage } => decision::file_of(app, stage),
            Of::All(_) => decision::FREEZES.to_owned(),
        }
    }
}

impl Ledger {
    /// With what an earlier process kept.
    pub fn new(kept: Vec<Given>) -> Self {
        let inner = Inner {
            all: kept,
            known: None,
        };
        Self {
            inner: Mutex::new(inner),
            ..Self::default()
        }
    }

    /// All that are not over.
    pub fn all(&self) -> Vec<Given> {
        self.lock().all.clone()
    }

    /// Takes in a hold of `repository`, which is in force from now on; one that is there already is left
    /// as it is. Also whether it is new.
    ///
    /// # Errors
    /// When there is no such stage, or there are too many.
    pub fn give(
        &self,
        repository: &str,
        wanted: Wanted,
        by: &str,
        now: Timestamp,
    ) -> Result<(Given, bool), Refusal> {
        let mut inner = self.lock();
        if let Some(known) = inner.all.iter().find(|given| given.is(&wanted)) {
            return Ok((known.clone(), false));
        }
        inner.check(&wanted.of)?;
        if inner.all.len() >= MOST {
            return Err(Refusal::Full);
        }
        let given = Given {
            id: id(repository, &wanted, by, now),
            of: wanted.of,
            reason: wanted.reason,
            until: wanted.until,
            by: by.to_owned(),
            at: now,
            commit: None,
            released: None,
            waits: None,
        };
        inner.all.push(given.clone());
        drop(inner);
        self.news.notify_one();
        Ok((given, true))
    }

    /// Releases a hold; `None` if there is none of this id.
    pub fn release(&self, id: &str, by: &str) -> Option<Given> {
        let mut inner = self.lock();
        let given = inner.all.iter_mut().find(|given| given.id == id)?;
        if given.released.is_none() {
            given.released = Some(by.to_owned());
            given.waits = None;
        }
        let given = given.clone();
        drop(inner);
        self.news.notify_one();
        Some(given)
    }

    /// Waits until something is given or released.
    pub async fn changed(&self) {
        self.news.notified().await;
    }

    /// Has `write` keep the present state, one writer at a time.
    pub fn keep<E>(&self, write: impl FnOnce(&[Given]) -> Result<(), E>) -> Result<(), E> {
        let _one = self.writing.lock().unwrap_or_else(PoisonError::into_inner);
        write(&self.all())
    }

    /// Notes which stages there are.
    pub(super) fn know(&self, snapshot: &Snapshot) {
        let stages = snapshot.apps.iter().flat_map(|app| {
            let name =
                |stage: &crate::config::Stage| (app.name.to_string(), stage.name.to_string());
            app.stages.iter().map(name)
        });
        self.lock().known = Some(stages.collect());
    }

    /// Those that only the service knows of.
    pub(super) fn pending(&self) -> Arc<[Given]> {
        let inner = self.lock();
        let pending = inner.all.iter().filter(|given| given.is_pending());
        pending.cloned().collect()
    }

    fn lock(&self) -> MutexGuard<'_, Inner> {
        // What is in it is whole between any two steps.
        self.inner.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Inner {
    fn check(&self, of: &Of) -> Result<(), Refusal> {
        let Some(known) = &self.known else {
            return Ok(());
        };
        let words = match of {
            Of::All(None) => return Ok(()),
            Of::All(Some(name)) if known.iter().any(|(_, stage)| stage == name) => return Ok(()),
            Of::All(Some(name)) => format!("a stage `{}`", diag::visible(name)),
            Of::Stage { app, stage } if known.contains(&(app.clone(), stage.clone())) => {
                return Ok(());
            }
            Of::Stage { app, stage } => format!(
                "an app `{}` with a stage `{}`",
                diag::visible(app),
                diag::visible(stage)
            ),
        };
        Err(Refusal::Unknown(words))
    }
}

/// A name for a hold: of what makes it, so that two are never the same.
fn id(repository: &str, wanted: &Wanted, by: &str, now: Timestamp) -> String {
    /// Enough that a thousand never meet.
    const DIGITS: usize = 16;
    let text = format!("{repository} {wanted:?} {by} {now}");
    let digest = Digest::of(text.as_bytes()).to_string();
    let hex = digest.rsplit(':').next().unwrap_or_default();
    hex.get(..DIGITS).unwrap_or(hex).to_owned()
}

impl Reconciler {
    /// The holds given through the API.
    pub fn given(&self) -> &Arc<Ledger> {
        &self.given
    }

    /// Whether something was held since `facts` were put together, so that what was planned on them is not
    /// to be written.
    pub(super) fn is_overtaken(&self, facts: &Facts) -> bool {
        let pending = self.given.pending();
        let known = |given: &Given| facts.given.iter().any(|known| known.id == given.id);
        !pending.iter().all(known)
    }
}

#[cfg(test)]
mod tests;
