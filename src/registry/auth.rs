//! Signing in: requests to a registry with what it asks for, and no more than it asks for.
//!
//! Invariant: a request first goes out with what the same image needed last time, or bare; a refusal
//! is answered once, and once more where it may be due to a token that was asked for with others. Passwords and tokens go only to the registry's own origin, and to a token server
//! that passed [`token::realm`]. What a registry that answered through a redirect to elsewhere asks
//! for is not answered.

use std::collections::HashMap;
use std::sync::{Mutex, PoisonError};

use reqwest::header::WWW_AUTHENTICATE;
use reqwest::{StatusCode, Url};
use secrecy::SecretString;
use tokio::time::Instant;

use super::challenge::{self, Challenge};
use super::cloud::{Clouds, Counter};
use super::exchange::{Authorization, Reply, Request, Sender};
use super::login::{self, Helpers, Login, Reuse};
use super::token::{self, Key, Pass, Proof, Server, Tokens};
use super::{AccountId, Credentials, Fault};
use crate::image::Image;

/// Images whose way of signing in is remembered; forgetting one costs one request.
const MAX_KNOWN: usize = 16 * 1024;

/// How a registry wants to be signed in to for an image.
#[derive(Debug, Clone, PartialEq, Eq)]
enum Way {
    Basic,
    Bearer(Server),
}

/// What a request is signed with.
struct Signed {
    authorization: Authorization,
    /// How sure it is that it is good for the image.
    proof: Proof,
}

impl From<Authorization> for Signed {
    fn from(authorization: Authorization) -> Self {
        Self {
            authorization,
            proof: Proof::Own,
        }
    }
}

/// What is known from earlier requests.
#[derive(Debug)]
pub(super) struct Memory {
    ways: Mutex<HashMap<(AccountId, Image), Way>>,
    tokens: Tokens,
    helpers: Helpers,
    pub(super) clouds: Clouds,
}

impl Memory {
    /// Nothing is known yet.
    pub(super) fn new(clouds: Clouds) -> Self {
        Self {
            ways: Mutex::default(),
            tokens: Tokens::default(),
            helpers: Helpers::default(),
            clouds,
        }
    }
}

/// One image, looked up with one account.
pub(super) struct Session<'a> {
    pub(super) sender: Sender<'a>,
    pub(super) memory: &'a Memory,
    pub(super) image: &'a Image,
    /// Images of the same host and account that are about to be asked for.
    pub(super) company: &'a [Image],
    pub(super) account: AccountId,
    pub(super) credentials: &'a Credentials,
    /// The registry's origin.
    pub(super) origin: Url,
}

/// What may be done with a repository, where nothing else is asked for.
const PULL: &str = "pull";

impl Session<'_> {
    /// The token server that the registry named before, and what that calls the registry.
    pub(super) fn token_server(&self) -> Option<(Url, Option<String>)> {
        match self.ways().get(&self.key()).cloned()? {
            Way::Bearer(server) => Some((server.realm, server.service)),
            Way::Basic => None,
        }
    }

    /// Sends a request to the registry's origin with the account's user and password, if it has them,
    /// as registries' own interfaces take them.
    pub(super) async fn send_with_password(&self, mut request: Request) -> Result<Reply, Fault> {
        if request.url.origin() == self.origin.origin()
            && let Login::Basic(user, password) = self.login(Reuse::Allowed).await?
        {
            request.authorization = Authorization::Basic(user, password);
        }
        self.sender.send(&request).await
    }

    /// A token of a registry's own interface for the account's user and password, if it has them: kept
    /// while it is good, from `ask` with which the server at its address is asked for one.
    pub(super) async fn token_for(
        &self,
        scope: &str,
        ask: impl FnOnce(&str, &SecretString) -> Request,
    ) -> Result<Option<SecretString>, Fault> {
        let login = self.login(Reuse::Allowed).await?;
        let Login::Basic(user, password) = &login else {
            return Ok(None);
        };
        let request = ask(user, password);
        let key = Key {
            server: Server {
                realm: request.url.clone(),
                service: None,
            },
            scope: scope.to_owned(),
            login: login.fingerprint(),
        };
        let fetch = |_| async {
            let reply = self.sender.send(&request).await?;
            token::granted_to(&login, reply)
        };
        let nobody = std::future::ready(Vec::new());
        let tokens = &self.memory.tokens;
        let pass = tokens.get(&key, None, nobody, Instant::now(), fetch);
        Ok(Some(pass.await?.value))
    }

    /// Sends a request to the registry, signing in as needed.
    pub(super) async fn send(&self, request: Request) -> Result<Reply, Fault> {
        self.send_to(PULL, request).await
    }

    /// Sends a request to the registry, signing in as needed to do these things to the repository.
    pub(super) async fn send_to(
        &self,
        actions: &str,
        mut request: Request,
    ) -> Result<Reply, Fault> {
        let login = self.login(Reuse::Allowed).await?;
        let read_at = Instant::now();
        let signed = self.usual(&login, actions).await?;
        request.authorization = signed.authorization;
        let reply = self.sender.send(&request).await?;
        if reply.status == StatusCode::UNAUTHORIZED {
            let before = (request.authorization, login.fingerprint());
            let reuse = match before.0 {
                Authorization::None => Reuse::Allowed,
                _ => Reuse::Since(read_at),
            };
            let login = self.login(reuse).await?;
            let again = self.answer(&reply, &login, actions, before).await?;
            request.authorization = again.authorization;
            let reply = self.sender.send(&request).await?;
            if signed.proof.is_doubted_by(StatusCode::UNAUTHORIZED) {
                self.compare(&reply, signed.proof);
            }
            return self
                .with_own(actions, request, reply, &login, again.proof)
                .await;
        }
        self.with_own(actions, request, reply, &login, signed.proof)
            .await
    }

    /// The reply to a request, unless it may be due to a token that was asked for with others: then that
    /// to the same request with a token for this image alone.
    async fn with_own(
        &self,
        actions: &str,
        mut request: Request,
        reply: Reply,
        login: &Login,
        proof: Proof,
    ) -> Result<Reply, Fault> {
        let way = self.ways().get(&self.key()).cloned();
        let reply = match (&request.authorization, way) {
            (Authorization::Bearer(shared), Some(way)) if proof.is_doubted_by(reply.status) => {
                let own = self
                    .authorization(&way, login, actions, Some(shared))
                    .await?;
                request.authorization = own.authorization;
                let reply = self.sender.send(&request).await?;
                self.compare(&reply, proof);
                reply
            }
            _ => reply,
        };
        match reply.status {
            StatusCode::UNAUTHORIZED => Err(refused(&reply, login)),
            _ => admitted(reply, login),
        }
    }

    /// Remembers that the token server gives no good token for several images, if a token for this one
    /// alone has another reply than one with this proof had.
    fn compare(&self, reply: &Reply, proof: Proof) {
        if !proof.is_doubted_by(reply.status)
            && let Some(Way::Bearer(server)) = self.ways().get(&self.key())
        {
            self.memory.tokens.found_single(server, Instant::now());
        }
    }

    async fn login(&self, reuse: Reuse) -> Result<Login, Fault> {
        let counter = Counter {
            clouds: &self.memory.clouds,
            sender: &self.sender,
            host: self.image.registry(),
            origin: &self.origin,
        };
        login::read(
            self.credentials,
            self.image,
            &self.memory.helpers,
            &counter,
            reuse,
        )
        .await
        .map_err(|source| Fault::Credentials {
            host: self.image.registry().to_owned(),
            source,
        })
    }

    /// What the last request for this image needed. If that can't be had any more the way is
    /// forgotten, so that the next request asks the registry again.
    async fn usual(&self, login: &Login, actions: &str) -> Result<Signed, Fault> {
        let Some(way) = self.ways().get(&self.key()).cloned() else {
            return Ok(Authorization::None.into());
        };
        let result = self.authorization(&way, login, actions, None).await;
        if result.is_err() {
            self.ways().remove(&self.key());
        }
        result
    }

    /// What a refusal asks for, `before` being what was refused.
    async fn answer(
        &self,
        reply: &Reply,
        login: &Login,
        actions: &str,
        before: (Authorization, [u8; 32]),
    ) -> Result<Signed, Fault> {
        if reply.url.origin() != self.origin.origin() {
            return Err(refused(reply, login));
        }
        let challenges = challenges(reply);
        let Some(way) = self.way(&challenges, login)? else {
            return Err(refused(reply, login));
        };
        let (sent, sent_as) = before;
        let refused_token = match &sent {
            Authorization::Basic(..) if way == Way::Basic && sent_as == login.fingerprint() => {
                return Err(refused(reply, login));
            }
            Authorization::Bearer(_)
                if matches!(login, Login::RegistryToken(_)) && sent_as == login.fingerprint() =>
            {
                return Err(refused(reply, login));
            }
            Authorization::Bearer(token) => Some(token),
            _ => None,
        };
        let authorization = self
            .authorization(&way, login, actions, refused_token)
            .await?;
        self.remember(way);
        Ok(authorization)
    }

    /// The way to sign in among those offered: a token if possible, else the password, if there is one.
    fn way(&self, challenges: &[Challenge], login: &Login) -> Result<Option<Way>, Fault> {
        let bearer = challenges
            .iter()
            .filter(|challenge| challenge.is("Bearer"))
            .find_map(|challenge| Some((challenge.get("realm")?, challenge)));
        if let Some((realm, challenge)) = bearer {
            let url = token::realm(realm, &self.origin).map_err(|reason| Fault::Realm {
                host: self.image.registry().to_owned(),
                realm: super::words::clean(realm),
                reason,
            })?;
            let service = challenge.get("service").map(str::to_owned);
            return Ok(Some(Way::Bearer(Server {
                realm: url,
                service,
            })));
        }
        let basic = challenges.iter().any(|challenge| challenge.is("Basic"));
        Ok((basic && matches!(login, Login::Basic(..))).then_some(Way::Basic))
    }

    async fn authorization(
        &self,
        way: &Way,
        login: &Login,
        actions: &str,
        refused: Option<&SecretString>,
    ) -> Result<Signed, Fault> {
        let authorization = match (way, login) {
            (Way::Basic, Login::Basic(user, password)) => {
                Authorization::Basic(user.clone(), password.clone())
            }
            (Way::Basic, _) => Authorization::None,
            (Way::Bearer(_), Login::RegistryToken(token)) => Authorization::Bearer(token.clone()),
            (Way::Bearer(server), login) => {
                let pass = self.token(server, login, actions, refused).await?;
                return Ok(Signed {
                    authorization: Authorization::Bearer(pass.value),
                    proof: pass.proof,
                });
            }
        };
        Ok(authorization.into())
    }

    /// A token to do these things to the repository; a new one is for those of the company, too.
    async fn token(
        &self,
        server: &Server,
        login: &Login,
        actions: &str,
        refused: Option<&SecretString>,
    ) -> Result<Pass, Fault> {
        let key_of = |image: &Image| Key {
            server: server.clone(),
            // Ours rather than the challenge's, which on some registries is a placeholder.
            scope: format!("repository:{}:{actions}", image.repository()),
            login: login.fingerprint(),
        };
        let way = Way::Bearer(server.clone());
        let company = async {
            let others = self.others(&way);
            let alike = login::alike(self.credentials, self.image, others).await;
            alike.iter().map(|image| key_of(image).scope).collect()
        };
        let sender = &self.sender;
        let fetch = |scopes: Vec<String>| async move {
            token::request(sender, server, &scopes, login).await
        };
        let tokens = &self.memory.tokens;
        let now = Instant::now();
        let pass = tokens
            .get(&key_of(self.image), refused, company, now, fetch)
            .await?;
        // Those of the company for which there is a token need not ask how to sign in.
        for image in self.company {
            let mut ways = self.ways();
            let key = (self.account, image.clone());
            if ways.len() < MAX_KNOWN && !ways.contains_key(&key) && tokens.has(&key_of(image), now)
            {
                ways.insert(key, way.clone());
            }
        }
        Ok(pass)
    }

    /// Those of the company that sign in this way, as far as is known.
    fn others(&self, way: &Way) -> Vec<Image> {
        let ways = self.ways();
        let others = self.company.iter().filter(|image| {
            let known = ways.get(&(self.account, (*image).clone()));
            let is_other = *image != self.image && image.registry() == self.image.registry();
            is_other && known.is_none_or(|known| known == way)
        });
        others.cloned().collect()
    }

    fn remember(&self, way: Way) {
        let mut ways = self.ways();
        if ways.len() >= MAX_KNOWN {
            ways.clear();
        }
        ways.insert(self.key(), way);
    }

    fn key(&self) -> (AccountId, Image) {
        (self.account, self.image.clone())
    }

    fn ways(&self) -> std::sync::MutexGuard<'_, HashMap<(AccountId, Image), Way>> {
        self.memory
            .ways
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
    }
}

fn challenges(reply: &Reply) -> Vec<Challenge> {
    reply
        .headers
        .get_all(WWW_AUTHENTICATE)
        .iter()
        .filter_map(|value| std::str::from_utf8(value.as_bytes()).ok())
        .flat_map(challenge::parse)
        .collect()
}

fn admitted(reply: Reply, login: &Login) -> Result<Reply, Fault> {
    if reply.status == StatusCode::FORBIDDEN {
        return Err(Fault::Forbidden {
            who: login.who(),
            said: reply.said(),
            host: reply.host,
        });
    }
    Ok(reply)
}

fn refused(reply: &Reply, login: &Login) -> Fault {
    Fault::Unauthorized {
        host: reply.host.clone(),
        who: login.who(),
        said: reply.said(),
    }
}
