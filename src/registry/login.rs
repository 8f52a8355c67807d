//! Whom an account signs in as, read anew at each use.
//!
//! Invariant: a rotated password, Docker configuration or helper answer counts without a restart. Only
//! what a helper prints is kept, for a minute, because helpers are slow; a refusal by the registry
//! drops it at once. A helper runs once for all who wait for the same answer.

use std::collections::HashMap;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use docker_credential::DockerCredential;
use secrecy::{ExposeSecret as _, SecretString};
use tokio::time::Instant;

use super::cloud::Counter;
use super::docker_config::{self, Entry};
use super::{As, Credentials, LoginError, helper};
use crate::image::Image;
use crate::secret::Secret;

/// How long a helper's answer is used: a pass over all images runs it once.
const HELPER_ANSWER: Duration = Duration::from_secs(60);

/// Whom to sign in as.
#[derive(Debug, Clone)]
pub(super) enum Login {
    /// Nobody.
    Anonymous,
    /// A user with a password.
    Basic(String, SecretString),
    /// Whoever the identity token (an OAuth 2.0 refresh token) was given to.
    IdentityToken(SecretString),
    /// Whoever the token that the registry itself takes was given to.
    RegistryToken(SecretString),
}

impl Login {
    /// For messages.
    pub(super) fn who(&self) -> As {
        match self {
            Self::Anonymous => As::Nobody,
            Self::Basic(user, _) => As::User(super::words::clean(user)),
            Self::IdentityToken(_) => As::IdentityToken,
            Self::RegistryToken(_) => As::RegistryToken,
        }
    }

    /// A value that differs between different logins and doesn't reveal them.
    pub(super) fn fingerprint(&self) -> [u8; 32] {
        let (kind, user, secret) = match self {
            Self::Anonymous => (0, "", ""),
            Self::Basic(user, password) => (1, user.as_str(), password.expose_secret()),
            Self::IdentityToken(token) => (2, "", token.expose_secret()),
            Self::RegistryToken(token) => (3, "", token.expose_secret()),
        };
        let mut hash = ring::digest::Context::new(&ring::digest::SHA256);
        hash.update(&[kind]);
        // The length keeps `a` + `bc` apart from `ab` + `c`.
        hash.update(&user.len().to_le_bytes());
        hash.update(user.as_bytes());
        hash.update(secret.as_bytes());
        let mut fingerprint = [0; 32];
        fingerprint.copy_from_slice(hash.finish().as_ref());
        fingerprint
    }
}

/// Answers of helpers, by program and server name; a locked slot's helper is running.
#[derive(Debug, Default)]
pub(super) struct Helpers(Mutex<HashMap<(String, String), Slot>>);

type Slot = Arc<tokio::sync::Mutex<Option<Answer>>>;

#[derive(Debug)]
struct Answer {
    result: Result<Login, String>,
    at: Instant,
}

/// Whether a helper's earlier answer will do.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Reuse {
    /// It will, for its minute.
    Allowed,
    /// Only one from after this moment: the registry refused what was known then.
    Since(Instant),
}

impl Reuse {
    pub(super) fn admits(self, at: Instant) -> bool {
        match self {
            Self::Allowed => true,
            Self::Since(moment) => moment < at,
        }
    }
}

impl Helpers {
    async fn ask(
        &self,
        name: &str,
        server: String,
        reuse: Reuse,
        limit: Duration,
    ) -> Result<Login, LoginError> {
        let failed = |helper: &str, reason: String| LoginError::Helper {
            helper: super::words::clean(helper),
            reason,
        };
        let program = helper::program(name).map_err(|reason| failed(name, reason.to_owned()))?;
        let answer = self.answer(&program, server, reuse, limit).await;
        answer.map_err(|reason| failed(&program, reason))
    }

    async fn answer(
        &self,
        program: &str,
        server: String,
        reuse: Reuse,
        limit: Duration,
    ) -> Result<Login, String> {
        let asked = Instant::now();
        let slot = self.slot((program.to_owned(), server.clone()));
        let mut answer = slot.lock().await;
        if let Some(answer) = &*answer {
            let will_do = match &answer.result {
                Ok(_) => answer.at.elapsed() < HELPER_ANSWER && reuse.admits(answer.at),
                // For those who waited for it; others may try again.
                Err(_) => asked < answer.at,
            };
            if will_do {
                return answer.result.clone();
            }
        }
        let result = helper::ask(program, &server, limit).await;
        *answer = Some(Answer {
            result: result.clone(),
            at: Instant::now(),
        });
        result
    }

    fn slot(&self, key: (String, String)) -> Slot {
        let mut slots = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        slots.entry(key).or_default().clone()
    }
}

/// Reads whom to sign in as for `image`; `counter` is asked for the credentials of clouds.
pub(super) async fn read(
    credentials: &Credentials,
    image: &Image,
    helpers: &Helpers,
    counter: &Counter<'_>,
    reuse: Reuse,
) -> Result<Login, LoginError> {
    let helper_limit = counter.sender.limits.helper;
    match credentials {
        Credentials::Anonymous => Ok(Login::Anonymous),
        Credentials::Basic { username, password } => {
            let password = password.clone();
            let password = blocking(move || password.read().map_err(LoginError::Password)).await?;
            Ok(Login::Basic(username.clone(), password))
        }
        Credentials::Cloud(cloud) => counter.login(cloud, reuse).await.map_err(LoginError::Cloud),
        Credentials::DockerConfig(path) => {
            let (path, image) = (path.clone(), image.clone());
            match blocking(move || entry(&path, &image)).await? {
                Entry::Absent => Ok(Login::Anonymous),
                Entry::Inline(DockerCredential::UsernamePassword(user, password)) => {
                    Ok(Login::Basic(user, SecretString::from(password)))
                }
                Entry::Inline(DockerCredential::IdentityToken(token)) => {
                    Ok(Login::IdentityToken(SecretString::from(token)))
                }
                Entry::RegistryToken(token) => Ok(Login::RegistryToken(SecretString::from(token))),
                Entry::Helper { name, server } => {
                    helpers.ask(&name, server, reuse, helper_limit).await
                }
            }
        }
    }
}

/// Those of `others` that are signed in to as `image` is.
pub(super) async fn alike(
    credentials: &Credentials,
    image: &Image,
    others: Vec<Image>,
) -> Vec<Image> {
    let Credentials::DockerConfig(path) = credentials else {
        return others;
    };
    let (path, image) = (path.clone(), image.clone());
    let alike = blocking(move || {
        let text = text(&path)?;
        let entry = |image: &Image| docker_config::find(text.expose_secret(), image);
        let own = entry(&image);
        let alike = others.into_iter().filter(|other| entry(other) == own);
        Ok(alike.collect())
    });
    // Whoever can't read the file says so elsewhere.
    alike.await.unwrap_or_default()
}

fn entry(path: &Path, image: &Image) -> Result<Entry, LoginError> {
    let text = text(path)?;
    docker_config::find(text.expose_secret(), image).map_err(|reason| LoginError::Malformed {
        path: path.to_owned(),
        reason,
    })
}

fn text(path: &Path) -> Result<SecretString, LoginError> {
    let text = Secret::File(PathBuf::from(path)).read();
    text.map_err(|source| LoginError::File {
        path: path.to_owned(),
        source,
    })
}

/// Runs file work off the threads that serve the network.
async fn blocking<T: Send + 'static>(
    work: impl FnOnce() -> Result<T, LoginError> + Send + 'static,
) -> Result<T, LoginError> {
    tokio::task::spawn_blocking(work)
        .await
        .map_err(LoginError::Stopped)?
}

#[cfg(test)]
mod tests;
