//! Registries: the tags of an image, the digest of a tag, and what a manifest says of its image, over
//! the OCI distribution API.
//!
//! Invariant: a [`Listing`] is complete. Whatever keeps a listing from its end (a limit, a broken
//! page, a lost connection) is an [`Error`], because a short list would choose a wrong tag. Nothing a
//! registry sends is read, followed or waited for without a bound ([`Limits`]), and credentials go
//! only to the registry's own origin and to the token server that it names; a cloud's own go only to
//! that cloud ([`cloud`]), and the registry sees what it gives for them. A [`TagSet`] is a listing
//! with what a registry records of its tags, by the interface that takes the fewest requests.
//!
//! It refuses to choose: what a tag means is for the callers.
//!
//! Sources: the OCI distribution spec v1.1, RFC 8288 (Link), RFC 9110 section 11 (authentication),
//! the distribution project's token authentication documents.

mod account;
mod auth;
mod authorities;
pub mod challenge;
pub mod cloud;
mod delay;
mod describe;
mod docker_config;
mod error;
mod exchange;
mod fast;
mod helper;
mod limits;
mod login;
mod manifest;
pub mod pace;
mod page;
pub mod poller;
mod tags;
mod token;
mod watch;
mod words;

pub use account::{Access, Account, AccountId, Credentials, Mirror, Scheme};
pub use describe::{BuiltFor, Created, CreatedFrom, Described, Description, Detail, Origin};
pub use error::{As, Error, Fault, Lasts, LoginError};
pub use fast::{Api, Ask, Listed, TagSet};
pub use limits::Limits;

use std::sync::Arc;
use std::sync::atomic::AtomicU32;

use reqwest::Url;

use auth::{Memory, Session};
use authorities::Connecting;
use cloud::Clouds;
use exchange::{Connections, Gates, Sender};
use fast::Resting;
use pace::Pace;

use crate::clock::Clock;
use crate::image::{DOCKER_HUB, Digest, Image, Tag};

/// Where Docker Hub serves the distribution API.
const DOCKER_HUB_API: &str = "registry-1.docker.io";

/// All tags of an image.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Listing {
    /// The tags, sorted bytewise, each once.
    pub tags: Vec<Tag>,
    /// Some of the listed names that are no tags, cleaned for display.
    pub invalid: Vec<String>,
    /// How many listed names are no tags.
    pub invalid_count: usize,
    /// What the registry wants people to know (`Warning: 299` headers), cleaned for display.
    pub warnings: Vec<String>,
    /// How many requests it took, signing in included.
    pub requests: u32,
    /// The last two names, in the registry's own order.
    tail: Option<[String; 2]>,
}

/// What a tag stands for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Resolved {
    /// The digest of its manifest or index.
    Found(Digest),
    /// The registry has no such tag, or no such repository.
    Missing,
}

/// A client for all registries. Clones share connections, tokens and limits.
#[derive(Clone)]
pub struct Client(Arc<Inner>);

struct Inner {
    accounts: Vec<Account>,
    /// A hash of each account.
    fingerprints: Vec<String>,
    /// The connections of each account.
    connections: Vec<Connecting>,
    /// The connections of everything without an account.
    anonymous: Connections,
    clock: Clock,
    limits: Limits,
    gates: Gates,
    pace: Pace,
    memory: Memory,
    resting: Resting,
}

impl Client {
    /// A client with these accounts. The clock is for waits that registries give as dates.
    ///
    /// # Errors
    /// When no HTTP client can be set up.
    pub fn new(accounts: Vec<Account>, clock: Clock) -> Result<Self, Error> {
        Self::with_limits(accounts, clock, Limits::default())
    }

    /// A client with these accounts and other bounds than the usual ones.
    ///
    /// # Errors
    /// When no HTTP client can be set up.
    pub fn with_limits(
        accounts: Vec<Account>,
        clock: Clock,
        limits: Limits,
    ) -> Result<Self, Error> {
        let anonymous = authorities::connections(Vec::new()).map_err(Error::Client)?;
        let clouds = Clouds::new(&limits)?;
        let connections = accounts
            .iter()
            .map(|account| Connecting::new(account.ca_pem.clone()))
            .collect();
        let pace = Pace::new(limits.clone());
        // What is printed names files and variables, never what is in them.
        let fingerprint = |account| Digest::of(format!("{account:?}").as_bytes()).to_string();
        Ok(Self(Arc::new(Inner {
            fingerprints: accounts.iter().map(fingerprint).collect(),
            accounts,
            connections,
            anonymous,
            clock,
            limits,
            gates: Gates::default(),
            pace,
            memory: Memory::new(clouds),
            resting: Resting::default(),
        })))
    }

    /// The account for `image`: of the admitted ones the one with the longest path that covers it;
    /// anonymous over HTTPS if there is none.
    pub fn account_for(&self, image: &Image, access: Access<'_>) -> AccountId {
        account::choose(&self.0.accounts, image, access)
    }

    /// The host that is asked for `image` with an account: the image's own, or a mirror.
    pub fn host_of(&self, image: &Image, account: AccountId) -> String {
        let asked = self
            .0
            .own(image, account)
            .and_then(|own| own.0.asked(image));
        asked.as_ref().unwrap_or(image).registry().to_owned()
    }

    /// What tells an account from others in the next process, too: all that is configured of it, hashed.
    /// Empty for anonymous access.
    pub fn fingerprint(&self, account: AccountId) -> &str {
        let index = account.index();
        let known = index.and_then(|index| self.0.fingerprints.get(index));
        known.map_or("", String::as_str)
    }

    /// The pace at which hosts are asked.
    pub(crate) fn pace(&self) -> &Pace {
        &self.0.pace
    }

    /// All tags of `image`, to the last page. An `account` for another registry than the image's
    /// counts as anonymous.
    ///
    /// # Errors
    /// When the registry can't be asked, or the listing can't be followed to its end.
    pub async fn tags(&self, image: &Image, account: AccountId) -> Result<Listing, Error> {
        let list = async {
            let target = self.0.target(image, account).await?;
            let session = self.0.session(&target)?;
            self.0.in_time(image, tags::list(&session)).await
        };
        list.await.map_err(|source| Error::Tags {
            image: image.clone(),
            source: Box::new(source),
        })
    }

    /// All tags of `image` with what the registry records of them, by the interface that takes the
    /// fewest requests. It is as complete as [`Client::tags`], except that a tag that was deleted since
    /// `ask.earlier` was listed may be in it for a day. An `account` for another registry than the
    /// image's counts as anonymous.
    ///
    /// # Errors
    /// When the registry can't be asked, or the listing can't be followed to its end.
    pub async fn list(
        &self,
        image: &Image,
        account: AccountId,
        ask: &Ask<'_>,
    ) -> Result<TagSet, Error> {
        let list = async {
            let mut target = self.0.target(image, account).await?;
            target.company = self.0.asked(ask.company, account);
            let session = self.0.session(&target)?;
            let work = fast::list(&session, target.api, ask, &self.0.resting);
            self.0.in_time(image, work).await
        };
        list.await.map_err(|source| Error::Tags {
            image: image.clone(),
            source: Box::new(source),
        })
    }

    /// The digest that `tag` stands for now: that of the index for an image with several platforms. An
    /// `account` for another registry than the image's counts as anonymous.
    ///
    /// # Errors
    /// When the registry can't be asked or its answer can't be trusted.
    pub async fn resolve(
        &self,
        image: &Image,
        account: AccountId,
        tag: &Tag,
    ) -> Result<Resolved, Error> {
        let resolve = async {
            let target = self.0.target(image, account).await?;
            let session = self.0.session(&target)?;
            self.0
                .in_time(image, manifest::resolve(&session, tag))
                .await
        };
        resolve.await.map_err(|source| Error::Resolve {
            image: image.clone(),
            tag: tag.clone(),
            source: Box::new(source),
        })
    }

    /// What the manifest or index `digest` says of its image, which is true for ever. An `account` for
    /// another registry than the image's counts as anonymous.
    ///
    /// # Errors
    /// When the registry can't be asked or its answer can't be trusted.
    pub async fn describe(
        &self,
        image: &Image,
        account: AccountId,
        digest: &Digest,
        detail: Detail,
    ) -> Result<Described, Error> {
        let describe = async {
            let target = self.0.target(image, account).await?;
            let session = self.0.session(&target)?;
            self.0
                .in_time(image, describe::describe(&session, digest, detail))
                .await
        };
        describe.await.map_err(|source| Error::Describe {
            image: image.clone(),
            digest: digest.clone(),
            source: Box::new(source),
        })
    }
}

impl Inner {
    /// Ends work on `image` that takes too long as a whole, however lively its single requests are.
    async fn in_time<T>(
        &self,
        image: &Image,
        work: impl Future<Output = Result<T, Fault>>,
    ) -> Result<T, Fault> {
        match tokio::time::timeout(self.limits.image, work).await {
            Ok(result) => result,
            Err(_) => Err(Fault::Timeout {
                host: image.registry().to_owned(),
            }),
        }
    }

    /// The account of this number and its connections, if it is for the image's registry: that of another
    /// one must not lend its credentials to this one.
    fn own(&self, image: &Image, id: AccountId) -> Option<(&Account, &Connecting)> {
        let index = id.index()?;
        let account = self.accounts.get(index)?;
        let connecting = self.connections.get(index)?;
        (account.host == image.registry()).then_some((account, connecting))
    }

    /// What is asked, and as whom, when `image` is looked up with an account.
    async fn target(&self, image: &Image, id: AccountId) -> Result<Target<'_>, Fault> {
        let Some((account, connecting)) = self.own(image, id) else {
            return Ok(Target {
                image: image.clone(),
                company: Vec::new(),
                account: AccountId::ANONYMOUS,
                scheme: Scheme::Https,
                credentials: &Credentials::Anonymous,
                connections: self.anonymous.clone(),
                api: Api::Detect,
            });
        };
        let asked = account.asked(image);
        let asked = asked.ok_or_else(|| Fault::NotARegistry {
            host: image.registry().to_owned(),
            reason: format!("its mirror can't have an image called `{image}`"),
        })?;
        let host = asked.registry();
        let connections = connecting.connections(host, &self.anonymous).await?;
        Ok(Target {
            image: asked,
            company: Vec::new(),
            account: id,
            scheme: account.scheme,
            credentials: &account.credentials,
            connections,
            api: account.api,
        })
    }

    /// What `images` are asked for as with an account; without those that aren't asked for.
    fn asked(&self, images: &[Image], account: AccountId) -> Vec<Image> {
        let asked = images
            .iter()
            .filter_map(|image| match self.own(image, account) {
                Some((account, _)) => account.asked(image),
                None => Some(image.clone()),
            });
        asked.collect()
    }

    fn session<'a>(&'a self, target: &'a Target<'a>) -> Result<Session<'a>, Fault> {
        Ok(Session {
            sender: Sender {
                connections: &target.connections,
                limits: &self.limits,
                clock: &self.clock,
                gates: &self.gates,
                pace: &self.pace,
                sent: AtomicU32::new(0),
            },
            memory: &self.memory,
            origin: origin(&target.image, target.scheme)?,
            image: &target.image,
            company: &target.company,
            account: target.account,
            credentials: target.credentials,
        })
    }
}

/// An image as it is asked for, which at a mirror has another name, and the means to ask.
struct Target<'a> {
    image: Image,
    /// Images of the same host and account that are about to be asked for.
    company: Vec<Image>,
    account: AccountId,
    scheme: Scheme,
    credentials: &'a Credentials,
    connections: Connections,
    api: Api,
}

/// Where the registry of an image is served.
fn origin(image: &Image, scheme: Scheme) -> Result<Url, Fault> {
    let host = match image.registry() {
        DOCKER_HUB => DOCKER_HUB_API,
        host => host,
    };
    Url::parse(&format!("{}://{host}/", scheme.as_str())).map_err(|_| Fault::NotARegistry {
        host: host.to_owned(),
        reason: "its name isn't that of a host".to_owned(),
    })
}

impl std::fmt::Debug for Client {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Client")
            .field("accounts", &self.0.accounts)
            .finish_non_exhaustive()
    }
}
