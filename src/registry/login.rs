//! Whom an account signs in as, read anew at each use.
//!
//! Invariant: a rotated password, Docker configuration or helper answer counts without a restart. Only
//! what a helper prints is kept, for a minute, because helpers are slow; a refusal by the registry
//! drops it at once.

use std::collections::HashMap;
use std::path::{Path, PathBuf};
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use docker_credential::DockerCredential;
use secrecy::{ExposeSecret as _, SecretString};
use tokio::time::Instant;

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
}

impl Login {
    /// For messages.
    pub(super) fn who(&self) -> As {
        match self {
            Self::Anonymous => As::Nobody,
            Self::Basic(user, _) => As::User(super::words::clean(user)),
            Self::IdentityToken(_) => As::IdentityToken,
        }
    }

    /// A value that differs between different logins and doesn't reveal them.
    pub(super) fn fingerprint(&self) -> [u8; 32] {
        let (kind, user, secret) = match self {
            Self::Anonymous => (0, "", ""),
            Self::Basic(user, password) => (1, user.as_str(), password.expose_secret()),
            Self::IdentityToken(token) => (2, "", token.expose_secret()),
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

/// Answers of helpers, by program and server name.
#[derive(Debug, Default)]
pub(super) struct Helpers(Mutex<HashMap<(String, String), (Login, Instant)>>);

/// Whether a helper's earlier answer will do.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Reuse {
    /// It will, for its minute.
    Allowed,
    /// It won't: the registry refused it.
    Refused,
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
        let key = (program, server);
        let now = Instant::now();
        if reuse == Reuse::Allowed
            && let Some((login, until)) = self.lock().get(&key)
            && *until > now
        {
            return Ok(login.clone());
        }
        let login = helper::ask(&key.0, &key.1, limit)
            .await
            .map_err(|reason| failed(&key.0, reason))?;
        let mut answers = self.lock();
        answers.retain(|_, (_, until)| *until > now);
        answers.insert(key, (login.clone(), now + HELPER_ANSWER));
        Ok(login)
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, HashMap<(String, String), (Login, Instant)>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Reads whom to sign in as for `image`.
pub(super) async fn read(
    credentials: &Credentials,
    image: &Image,
    helpers: &Helpers,
    reuse: Reuse,
    helper_limit: Duration,
) -> Result<Login, LoginError> {
    match credentials {
        Credentials::Anonymous => Ok(Login::Anonymous),
        Credentials::Basic { username, password } => {
            let password = password.clone();
            let password = blocking(move || password.read().map_err(LoginError::Password)).await?;
            Ok(Login::Basic(username.clone(), password))
        }
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
                Entry::Helper { name, server } => {
                    helpers.ask(&name, server, reuse, helper_limit).await
                }
            }
        }
    }
}

fn entry(path: &Path, image: &Image) -> Result<Entry, LoginError> {
    let text = Secret::File(PathBuf::from(path))
        .read()
        .map_err(|source| LoginError::File {
            path: path.to_owned(),
            source,
        })?;
    docker_config::find(text.expose_secret(), image).map_err(|reason| LoginError::Malformed {
        path: path.to_owned(),
        reason,
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
