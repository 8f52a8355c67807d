//! Credentials that a cloud hands out for its registries: asked for with what the machine, the pod or
//! the configuration has, kept until shortly before they expire.
//!
//! Invariant: at most one request for the same credential is under way, and it is renewed while the
//! old one is still good, so a cloud's short failure isn't noticed. A failure is remembered for a
//! moment, so that a pass over hundreds of images asks once. What one account asked for is never used
//! for an account that is configured otherwise.
//!
//! It refuses to guess: a source that is configured and fails is an error, never skipped for another
//! one that might be somebody else's.

pub mod aws;
pub mod azure;
mod desk;
mod endpoint;
mod error;
pub mod google;
mod store;

pub use aws::Ecr;
pub use azure::Azure;
pub use endpoint::Endpoint;
pub use error::{CloudError, Vendor};
pub use google::Gcp;

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use reqwest::Url;
use tokio::time::Instant;

use super::exchange::{Connections, Sender};
use super::login::{Login, Reuse};
use super::{Error, Limits};
use crate::http::Reach;
use crate::secret::Secret;
use azure::AzureProof;
use desk::{Desk, Environment};
use store::Store;

/// How a cloud's credentials are had.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub enum Cloud {
    /// Amazon ECR and ECR Public.
    Ecr(Ecr),
    /// Google Artifact Registry and Container Registry.
    Gcp(Gcp),
    /// Azure Container Registry.
    Azure(Azure),
}

/// A credential as the cloud gave it.
#[derive(Debug)]
pub(super) struct Minted {
    login: Login,
    /// How long it is good for from now.
    lifetime: Duration,
}

/// What it takes to ask clouds.
#[derive(Debug)]
pub(super) struct Clouds {
    outside: Connections,
    inside: Connections,
    inside_limits: Limits,
    environment: Environment,
    store: Store,
}

/// A client of cloud services for one account of one registry.
pub(super) struct Counter<'a> {
    pub(super) clouds: &'a Clouds,
    pub(super) sender: &'a Sender<'a>,
    /// The registry, as people know it.
    pub(super) host: &'a str,
    /// Where it is served.
    pub(super) origin: &'a Url,
}

impl Clouds {
    /// The clients and an empty store. A machine's own servers answer at once or not at all, so they
    /// are given less time than `limits` give to others.
    pub(super) fn new(limits: &Limits) -> Result<Self, Error> {
        /// Metadata servers answer within a second; they may be slow for a few when a pod starts.
        const INSIDE: Duration = Duration::from_secs(5);
        Ok(Self {
            outside: connections(Reach::Outside)?,
            inside: connections(Reach::Inside)?,
            inside_limits: Limits {
                request: limits.request.min(INSIDE),
                ..limits.clone()
            },
            environment: Environment::of_process(),
            store: Store::default(),
        })
    }

    /// The files that hold what people give `cloud` to sign in with.
    pub(super) fn files(&self, cloud: &Cloud) -> Vec<PathBuf> {
        let file = |secret: &Secret| secret.file().map(Path::to_owned);
        let one = match cloud {
            Cloud::Ecr(ecr) => return ecr.source.files(&self.environment),
            Cloud::Gcp(Gcp { key: Some(key), .. }) => file(key),
            Cloud::Gcp(_) => {
                let named = self.environment.text("GOOGLE_APPLICATION_CREDENTIALS");
                named.map(PathBuf::from)
            }
            Cloud::Azure(azure) => match &azure.proof {
                AzureProof::Secret(secret) => file(secret),
                AzureProof::Platform | AzureProof::Federated(_) => None,
            },
        };
        one.into_iter().collect()
    }

    /// Forgets what was asked for with `cloud`, since it may be signed in to otherwise now.
    pub(super) fn forget(&self, cloud: &Cloud) {
        self.store.forget(cloud);
    }

    /// The same with other environment variables than the process has.
    #[cfg(test)]
    fn with_environment(self, environment: Environment) -> Self {
        Self {
            environment,
            ..self
        }
    }
}

/// Neither follows a redirect to another host: what is sent there are credentials.
fn connections(reach: Reach) -> Result<Connections, Error> {
    let options = crate::http::Options {
        redirects: crate::http::Redirects::SameHost,
        reach,
        ..crate::http::Options::default()
    };
    let client = crate::http::client(&options).map_err(Error::Client)?;
    Ok(Connections {
        reach,
        usual: client.clone(),
        secretive: client,
    })
}

impl Counter<'_> {
    /// The login that `cloud` gives for the registry, kept or new.
    pub(super) async fn login(
        &self,
        cloud: &Cloud,
        reuse: Reuse,
    ) -> Result<Login, Arc<CloudError>> {
        // One credential may be for several registries: of a region, of a cloud.
        let target = match cloud {
            Cloud::Ecr(ecr) => aws::Place::of(self.host, ecr)
                .map_err(Arc::new)?
                .api
                .to_string(),
            Cloud::Gcp(_) => String::new(),
            Cloud::Azure(_) => self.origin.to_string(),
        };
        let key = (cloud.clone(), target);
        let mint = || self.mint(cloud);
        let now = Instant::now();
        self.clouds.store.get(key, reuse, now, mint).await
    }

    async fn mint(&self, cloud: &Cloud) -> Result<Minted, CloudError> {
        let desk = Desk::new(self.clouds, self.sender);
        let minted = match cloud {
            Cloud::Ecr(ecr) => aws::mint(ecr, self.host, &desk).await,
            Cloud::Gcp(gcp) => google::mint(gcp, &desk).await,
            Cloud::Azure(azure) => azure::mint(azure, self.host, self.origin, &desk).await,
        };
        desk.report(self.sender);
        minted
    }
}

#[cfg(test)]
pub(super) mod tests;
