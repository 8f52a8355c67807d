//! Bearer tokens: asked for at the token server that a registry names, and kept while they are valid.
//!
//! Invariant: a token is used only for the repositories, token server and login that it was given for; at
//! most one request for the same token is under way; a refused login is an error, never silently
//! anonymous. Lifetimes are counted on the monotonic clock, so a wrong wall clock can't break them.
//!
//! Where more images of a host are about to be asked for, one token is asked for all of them. A server
//! that can't do that, by its refusal, its grant or what the registry makes of its token, is asked for
//! one at a time from then on.
//!
//! Source: the distribution project's "Token Authentication Specification".

mod server;

use std::collections::HashMap;
use std::future::Future;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use reqwest::{StatusCode, Url};
use secrecy::{ExposeSecret as _, SecretString};
use tokio::sync::OwnedMutexGuard;
use tokio::time::Instant;

use super::Fault;
pub(super) use server::{Granted, granted_to, realm, request};

/// Tokens kept before expired ones are thrown out: one per image of a large installation.
const MAX_TOKENS: usize = 16 * 1024;

/// The longest lifetime believed; a token that was revoked costs one refused request.
const LONGEST_LIFETIME: Duration = Duration::from_secs(12 * 3600);

/// How long before its end a token is renewed at least: a slow request must not outlive it.
const MARGIN: Duration = Duration::from_secs(5);

/// Most scopes of one token. Servers list them in the token, at about 150 characters each once it is
/// encoded, and it goes into every request.
pub(super) const MAX_SCOPES: usize = 20;

/// Longest text of the scopes of one token, in bytes. Both the address that asks for it, which takes up to
/// a third more, and the header with the token, up to twice as much and a signature with certificates,
/// stay below the 8 KiB that servers accept by default.
const MAX_SCOPE_TEXT: usize = 2000;

/// How long a server that gives no token for several scopes is asked for one at a time: it may be mended,
/// or another one.
const SINGLE_FOR: Duration = Duration::from_secs(24 * 3600);

/// Servers of which that is remembered; an installation asks a few dozen.
const MAX_SINGLE: usize = 1024;

/// Who gives tokens.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub(super) struct Server {
    /// The token server.
    pub(super) realm: Url,
    /// The registry, as the token server knows it.
    pub(super) service: Option<String>,
}

/// What a token is for.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub(super) struct Key {
    /// Who gives it.
    pub(super) server: Server,
    /// What may be done.
    pub(super) scope: String,
    /// The login's fingerprint.
    pub(super) login: [u8; 32],
}

/// How sure it is that a token is good for its scope.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Proof {
    /// It was asked for that alone.
    Own,
    /// It was asked for several, and is good for this one by the server's word.
    Told,
    /// It was asked for several, and the server didn't say for which it is good.
    Untold,
}

impl Proof {
    /// Whether an answer with this status may be due to the token, so that one for this scope alone may
    /// have another: a header too long for the server (RFC 6585 section 5; nginx says 400), or where it
    /// isn't known that the token is good for it, a refusal.
    pub(super) fn is_doubted_by(self, status: StatusCode) -> bool {
        match self {
            Self::Own => false,
            Self::Told => matches!(status.as_u16(), 400 | 431),
            Self::Untold => matches!(status.as_u16(), 400 | 401 | 403 | 404 | 431),
        }
    }
}

/// A token to be used.
#[derive(Debug, Clone)]
pub(super) struct Pass {
    pub(super) value: SecretString,
    pub(super) proof: Proof,
}

#[derive(Debug)]
struct Token {
    pass: Pass,
    until: Instant,
}

impl Token {
    fn new(granted: &Granted, proof: Proof, now: Instant) -> Self {
        Self {
            pass: Pass {
                value: granted.value.clone(),
                proof,
            },
            until: now + useful(granted.lifetime),
        }
    }
}

#[derive(Debug, Default)]
struct Slot {
    token: Option<Token>,
    /// It was not granted together with others: either it isn't granted at all, or only alone.
    alone: bool,
}

impl Slot {
    fn good(&self, now: Instant) -> Option<&Token> {
        self.token.as_ref().filter(|token| token.until > now)
    }
}

/// The tokens at hand.
#[derive(Debug, Default)]
pub(super) struct Tokens {
    slots: Mutex<HashMap<Key, Arc<tokio::sync::Mutex<Slot>>>>,
    /// Servers that give no token for several scopes, and until when that is believed.
    single: Mutex<HashMap<Server, Instant>>,
}

impl Tokens {
    /// A token for `key` that is valid at `now` and isn't `refused`, from `fetch` if none is at hand;
    /// `company` are scopes that a new one may be good for as well.
    pub(super) async fn get<F>(
        &self,
        key: &Key,
        refused: Option<&SecretString>,
        company: impl Future<Output = Vec<String>>,
        now: Instant,
        fetch: impl Fn(Vec<String>) -> F,
    ) -> Result<Pass, Fault>
    where
        F: Future<Output = Result<Granted, Fault>>,
    {
        let slot = self.slot(key);
        let mut own = slot.lock_owned().await;
        if let Some(token) = own.good(now)
            && refused.is_none_or(|it| it.expose_secret() != token.pass.value.expose_secret())
        {
            return Ok(token.pass.clone());
        }
        own.token = None;
        let mut failed_together = false;
        if refused.is_none() && !own.alone && !self.is_single(&key.server, now) {
            let company = self.company(key, company.await, now);
            if !company.is_empty() {
                match together(key, &mut own, company, now, &fetch).await {
                    Ok(Some(pass)) => return Ok(pass),
                    Ok(None) => {}
                    Err(fault) if fault.is_about_the_question() => failed_together = true,
                    Err(fault) => return Err(fault),
                }
            }
        }
        let granted = fetch(vec![key.scope.clone()]).await?;
        let told = granted.told.as_ref();
        if failed_together || own.alone && told.is_some_and(|told| told.covers(&key.scope)) {
            self.found_single(&key.server, now);
        }
        let token = own.token.insert(Token::new(&granted, Proof::Own, now));
        Ok(token.pass.clone())
    }

    /// Remembers that a server gives no token for several scopes.
    pub(super) fn found_single(&self, server: &Server, now: Instant) {
        tracing::debug!(realm = %server.realm, "it is asked for one token for each image");
        let mut single = self.single.lock().unwrap_or_else(PoisonError::into_inner);
        if single.len() >= MAX_SINGLE {
            single.clear();
        }
        single.insert(server.clone(), now + SINGLE_FOR);
    }

    fn is_single(&self, server: &Server, now: Instant) -> bool {
        let single = self.single.lock().unwrap_or_else(PoisonError::into_inner);
        single.get(server).is_some_and(|until| *until > now)
    }

    /// The slots of those scopes that can do with a token, as many as may share one with `key`'s. Nobody
    /// is waited for: what is being asked for already isn't asked for again.
    fn company(&self, key: &Key, scopes: Vec<String>, now: Instant) -> Vec<Companion> {
        let mut room = MAX_SCOPE_TEXT.saturating_sub(key.scope.len());
        let mut company = Vec::new();
        for scope in scopes {
            if company.len() + 1 >= MAX_SCOPES || scope.len() > room {
                break;
            }
            let slot = self.slot(&Key {
                scope: scope.clone(),
                ..key.clone()
            });
            let free = slot.try_lock_owned().ok();
            if let Some(slot) = free.filter(|slot| !slot.alone && slot.good(now).is_none()) {
                room -= scope.len();
                company.push(Companion { scope, slot });
            }
        }
        company
    }

    /// Whether there is a token for `key` that is valid at `now`.
    pub(super) fn has(&self, key: &Key, now: Instant) -> bool {
        let slots = self.slots.lock().unwrap_or_else(PoisonError::into_inner);
        let slot = slots.get(key).and_then(|slot| slot.try_lock().ok());
        slot.is_some_and(|slot| slot.good(now).is_some())
    }

    fn slot(&self, key: &Key) -> Arc<tokio::sync::Mutex<Slot>> {
        let mut slots = self.slots.lock().unwrap_or_else(PoisonError::into_inner);
        if slots.len() >= MAX_TOKENS && !slots.contains_key(key) {
            let now = Instant::now();
            // Those in use are locked, and stay.
            slots.retain(|_, slot| {
                slot.try_lock()
                    .map_or(true, |slot| slot.good(now).is_some())
            });
            if slots.len() >= MAX_TOKENS {
                slots.clear();
            }
        }
        slots.entry(key.clone()).or_default().clone()
    }
}

/// Another scope that a token may be good for, and its slot, locked.
struct Companion {
    scope: String,
    slot: OwnedMutexGuard<Slot>,
}

/// Asks for one token for `key` and `company`, and gives it to all it is good for; nothing if that isn't
/// `key`.
async fn together<F>(
    key: &Key,
    own: &mut Slot,
    mut company: Vec<Companion>,
    now: Instant,
    fetch: impl Fn(Vec<String>) -> F,
) -> Result<Option<Pass>, Fault>
where
    F: Future<Output = Result<Granted, Fault>>,
{
    // The own one first: servers that read only one scope read the first.
    let mut scopes = vec![key.scope.clone()];
    scopes.extend(company.iter().map(|companion| companion.scope.clone()));
    let granted = fetch(scopes).await?;
    let give = |slot: &mut Slot, scope: &str| {
        let proof = match &granted.told {
            None => Proof::Untold,
            Some(told) if told.covers(scope) => Proof::Told,
            Some(_) => {
                slot.alone = true;
                return;
            }
        };
        slot.token = Some(Token::new(&granted, proof, now));
    };
    give(own, &key.scope);
    for companion in &mut company {
        give(&mut companion.slot, &companion.scope);
    }
    Ok(own.token.as_ref().map(|token| token.pass.clone()))
}

/// How long a token is used: its lifetime less a tenth, and less [`MARGIN`] where it is long enough.
fn useful(lifetime: Duration) -> Duration {
    let margin = MARGIN.max(lifetime / 10).min(lifetime / 2);
    lifetime.min(LONGEST_LIFETIME) - margin.min(LONGEST_LIFETIME / 10)
}

#[cfg(test)]
mod tests;
