//! The cloud credentials at hand.
//!
//! Invariant: a credential is handed out only for the account and target it was asked for, and only
//! while it is good; one request at a time asks for it. Lifetimes are counted on the monotonic clock.

use std::collections::HashMap;
use std::future::Future;
use std::hash::{BuildHasher as _, RandomState};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use tokio::time::Instant;

use super::{Cloud, CloudError, Minted};
use crate::registry::login::{Login, Reuse};

/// How long before its end a credential is given up at the latest: a slow listing must not outlive
/// it.
const MARGIN: Duration = Duration::from_secs(60);

/// After which share of its life a credential is renewed, in percent: from the first to the second, by
/// chance, so that many services that were started together don't ask together.
const RENEWED_AFTER: (u32, u32) = (70, 85);

/// How long after a failure nobody is asked again: shorter than the time between passes.
const PAUSE: Duration = Duration::from_secs(30);

/// The longest pause that a service may ask for.
const LONGEST_PAUSE: Duration = Duration::from_secs(15 * 60);

/// A credential that the registry refuses this soon after it was made is not made again: the next one
/// would be refused as well.
const FRESH: Duration = Duration::from_secs(60);

/// Which configuration, and what for.
type Key = (Cloud, String);

/// The credentials, by what they are for.
#[derive(Debug, Default)]
pub(super) struct Store(Mutex<HashMap<Key, Slot>>);

type Slot = Arc<tokio::sync::Mutex<State>>;

#[derive(Debug, Default)]
struct State {
    held: Option<Held>,
    failed: Option<(Arc<CloudError>, Instant)>,
}

#[derive(Debug)]
struct Held {
    login: Login,
    made: Instant,
    renew: Instant,
    until: Instant,
}

impl Held {
    fn new(minted: Minted, now: Instant) -> Self {
        let life = minted.lifetime;
        let margin = MARGIN.min(life / 10);
        Self {
            login: minted.login,
            made: now,
            renew: now + life * share() / 100,
            until: now + (life - margin),
        }
    }

    /// Whether it may still be used.
    fn is_good(&self, reuse: Reuse, now: Instant) -> bool {
        let refused = !reuse.admits(self.made) && now - self.made >= FRESH;
        now < self.until && !refused
    }
}

/// A number from [`RENEWED_AFTER`] by chance.
fn share() -> u32 {
    let (least, most) = RENEWED_AFTER;
    let random = RandomState::new().hash_one(0_u8);
    let width = u64::from(most - least) + 1;
    least + u32::try_from(random % width).unwrap_or_default()
}

impl Store {
    /// The credential for `key`, from `mint` if none is at hand or it is time for a new one.
    pub(super) async fn get<F>(
        &self,
        key: Key,
        reuse: Reuse,
        now: Instant,
        mint: impl FnOnce() -> F,
    ) -> Result<Login, Arc<CloudError>>
    where
        F: Future<Output = Result<Minted, CloudError>>,
    {
        let slot = self.slot(key);
        let mut state = slot.lock().await;
        let good = state.held.as_ref().filter(|held| held.is_good(reuse, now));
        let login = good.map(|held| held.login.clone());
        if let (Some(held), Some(login)) = (good, &login)
            && now < held.renew
        {
            return Ok(login.clone());
        }
        if let Some((error, until)) = &state.failed
            && now < *until
        {
            return login.ok_or_else(|| Arc::clone(error));
        }
        match mint().await {
            Ok(minted) => {
                let held = Held::new(minted, now);
                let login = held.login.clone();
                *state = State {
                    held: Some(held),
                    failed: None,
                };
                Ok(login)
            }
            Err(error) => {
                let error = Arc::new(error);
                let pause = error.retry_after().unwrap_or(PAUSE);
                let until = now + pause.clamp(PAUSE, LONGEST_PAUSE);
                state.failed = Some((Arc::clone(&error), until));
                if login.is_some() {
                    tracing::warn!("cloud credentials could not be renewed yet: {error}");
                }
                login.ok_or(error)
            }
        }
    }

    /// Forgets what there is for a configuration.
    pub(super) fn forget(&self, cloud: &Cloud) {
        let mut slots = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        slots.retain(|(known, _), _| known != cloud);
    }

    fn slot(&self, key: Key) -> Slot {
        // As many as there are accounts and regions, both from the configuration or from hosts of it.
        let mut slots = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        slots.entry(key).or_default().clone()
    }
}
