//! Listings by the interfaces that some registries have besides the standard one: in fewer requests, and
//! with what the registry records of each tag.
//!
//! Invariant: a [`TagSet`] is as complete as a plain listing. A listing that stopped early is merged
//! with an earlier complete one, and only if it is certain that nothing between them was missed; where
//! that isn't certain, the names come from a plain listing made at once. Deletions, which such listings
//! don't show, are seen after a day at the latest. A way that fails or is denied is left for a while,
//! and the plain one taken.
//!
//! Digests and times are the registry's own records as of the listing: good for deciding what to look at,
//! no substitute for resolving a tag that is to be written.

mod azure;
mod docker_hub;
mod ghcr;
mod google;
mod harbor;
mod quay;
mod set;
mod walk;

pub use set::{Listed, TagSet};

use std::collections::HashMap;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use jiff::{SignedDuration, Timestamp};
use tokio::time::Instant;

use super::auth::Session;
use super::{AccountId, Fault, tags};
use crate::image::{DOCKER_HUB, Image};

/// How long a set may be added to before it is made anew from a whole listing.
const SWEEP: SignedDuration = SignedDuration::from_hours(24);

/// How long a way that failed is not tried again for the same image.
const REST: Duration = Duration::from_secs(3600);

/// Images whose way is known to fail; forgetting one costs one request.
const MAX_RESTING: usize = 16 * 1024;

/// How a registry's tags are listed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
pub enum Api {
    /// By the interface that the registry is known to have, by its name or its way to sign in.
    #[default]
    Detect,
    /// By the standard one alone.
    Plain,
    /// Docker Hub's.
    DockerHub,
    /// Google's extension of the standard one.
    Google,
    /// Quay's.
    Quay,
    /// Harbor's.
    Harbor,
    /// Azure's.
    Azure,
    /// The standard one, in the order of GitHub's registry: oldest first.
    Ghcr,
}

/// What a listing is wanted for.
#[derive(Debug, Clone, Copy, Default)]
pub struct Ask<'a> {
    /// What was listed before, of the same image with the same account.
    pub earlier: Option<&'a TagSet>,
    /// Whether push times are wanted of all tags, as far as the registry records them; without, they
    /// come where they cost nothing.
    pub times: bool,
    /// Images of the same registry that are about to be listed with the same account: where the registry
    /// allows it, one token is asked for all of them.
    pub company: &'a [Image],
}

/// Images for which the plain listing is taken, and until when.
#[derive(Debug, Default)]
pub(super) struct Resting(Mutex<HashMap<(AccountId, Image), Instant>>);

impl Resting {
    fn rests(&self, key: &(AccountId, Image)) -> bool {
        let until = self.lock().get(key).copied();
        until.is_some_and(|until| until > Instant::now())
    }

    fn remember(&self, key: (AccountId, Image)) {
        let mut resting = self.lock();
        if resting.len() >= MAX_RESTING {
            resting.clear();
        }
        resting.insert(key, Instant::now() + REST);
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, HashMap<(AccountId, Image), Instant>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Why a fast way was left, for the log.
#[derive(Debug, thiserror::Error)]
enum NotFast {
    #[error("{0}")]
    Fault(#[from] Fault),
    #[error("status {0}")]
    Status(u16),
    #[error("{0}")]
    Reply(&'static str),
}

/// All tags of the session's image.
pub(super) async fn list(
    session: &Session<'_>,
    api: Api,
    ask: &Ask<'_>,
    resting: &Resting,
) -> Result<TagSet, Fault> {
    let now = session.sender.clock.now();
    let earlier = ask.earlier.filter(|set| may_be_added_to(set, now));
    let key = (session.account, session.image.clone());
    let api = match api {
        Api::Detect => detect(session),
        api => api,
    };
    if !resting.rests(&key) {
        match fast(session, api, earlier, ask.times, now).await {
            Ok(Some(set)) => return Ok(set),
            Ok(None) => {}
            Err(why) => {
                tracing::debug!(image = %session.image, %why, "listing the plain way for a while");
                resting.remember(key);
            }
        }
    }
    plain(session, now).await
}

fn may_be_added_to(set: &TagSet, now: Timestamp) -> bool {
    let age = now.duration_since(set.swept);
    // A clock that was set back has the whole listed, rather than nothing new for ever.
    !age.is_negative() && age < SWEEP && set.began <= now
}

async fn plain(session: &Session<'_>, now: Timestamp) -> Result<TagSet, Fault> {
    let listing = tags::list(session).await?;
    Ok(TagSet::whole(listing, now))
}

/// The set by a registry's own interface, or nothing where the plain listing is as good.
async fn fast(
    session: &Session<'_>,
    api: Api,
    earlier: Option<&TagSet>,
    times: bool,
    now: Timestamp,
) -> Result<Option<TagSet>, NotFast> {
    let newest = |interface| walk::newest(session, interface, earlier, times, now);
    match api {
        Api::Detect | Api::Plain => Ok(None),
        Api::DockerHub => newest(&docker_hub::DockerHub).await,
        Api::Quay => newest(&quay::Quay).await,
        Api::Azure => newest(&azure::Azure).await,
        Api::Harbor if times => walk::records(session, &harbor::Harbor, now).await,
        Api::Harbor => Ok(None),
        Api::Google => google::list(session, now).await,
        Api::Ghcr => ghcr::list(session, earlier, now).await,
    }
}

/// The interface of a registry, by its name, or by how it wanted to be signed in to before.
fn detect(session: &Session<'_>) -> Api {
    let host = session.image.registry();
    let azure = [".azurecr.io", ".azurecr.cn", ".azurecr.us"];
    match host {
        DOCKER_HUB => Api::DockerHub,
        "ghcr.io" => Api::Ghcr,
        "quay.io" => Api::Quay,
        // A cache of Docker Hub that lists only what it holds.
        "mirror.gcr.io" => Api::Plain,
        "gcr.io" => Api::Google,
        _ if host.ends_with(".gcr.io") || host.ends_with("-docker.pkg.dev") => Api::Google,
        _ if azure.iter().any(|domain| host.ends_with(domain)) => Api::Azure,
        _ => match session.token_server() {
            Some((_, Some(service))) if service == "harbor-registry" => Api::Harbor,
            Some((realm, _)) if realm.path() == "/v2/auth" => Api::Quay,
            _ => Api::Plain,
        },
    }
}

#[cfg(test)]
mod tests;
