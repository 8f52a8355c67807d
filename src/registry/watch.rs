//! Noticing that what people give to sign in with has changed.
//!
//! Invariant: contents are compared by their hashes, which stay in memory. A file that can't be read is a
//! content of its own, so that one which appears is noticed.

use std::path::PathBuf;

use super::{AccountId, Client, Credentials, Inner};
use crate::image::Digest;
use crate::secret::Secret;

/// What the files of each account held at one time.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct Stamps(Vec<Vec<Option<Digest>>>);

impl Stamps {
    /// The accounts whose files hold something else in `now`.
    fn changed(&self, now: &Self) -> Vec<AccountId> {
        let pairs = self.0.iter().zip(&now.0).enumerate();
        pairs
            .filter(|(_, (before, now))| before != now)
            .map(|(index, _)| AccountId::at(index))
            .collect()
    }
}

impl Client {
    /// What the files of all accounts hold now.
    pub(super) async fn stamps(&self) -> Stamps {
        let accounts = 0..self.0.accounts.len();
        let files: Vec<_> = accounts.map(|index| self.0.files(index)).collect();
        let read = tokio::task::spawn_blocking(move || {
            let stamps = files.into_iter().map(|files| {
                let stamps = files.into_iter().map(stamp);
                stamps.collect()
            });
            Stamps(stamps.collect())
        });
        // It only fails when the program ends.
        read.await.unwrap_or_default()
    }

    /// The accounts whose files changed since `before`, and what they hold now. What was kept of the
    /// credentials of clouds for these accounts is forgotten.
    pub(super) async fn changed_since(&self, before: &Stamps) -> (Vec<AccountId>, Stamps) {
        let now = self.stamps().await;
        let changed = before.changed(&now);
        for account in changed.iter().filter_map(|id| id.index()) {
            if let Credentials::Cloud(cloud) = &self.0.accounts[account].credentials {
                self.0.memory.clouds.forget(cloud);
            }
        }
        (changed, now)
    }
}

impl Inner {
    fn files(&self, account: usize) -> Vec<PathBuf> {
        let account = &self.accounts[account];
        let mut files = account.files();
        if let Credentials::Cloud(cloud) = &account.credentials {
            files.extend(self.memory.clouds.files(cloud));
        }
        files
    }
}

fn stamp(file: PathBuf) -> Option<Digest> {
    use secrecy::ExposeSecret as _;
    let text = Secret::File(file).read().ok()?;
    Some(Digest::of(text.expose_secret().as_bytes()))
}
