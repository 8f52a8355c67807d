//! Connections to registries, by the certificate authorities that are trusted.
//!
//! Invariant: an authority file is read at each use, so that one that is missing, broken or replaced
//! concerns its own registry alone, and counts without a restart once it is mended.

use std::path::PathBuf;
use std::sync::{Mutex, PoisonError};

use super::Fault;
use super::exchange::Connections;
use crate::http;

/// The connections of an account.
#[derive(Debug)]
pub(super) struct Connecting {
    /// Certificate authorities trusted besides the system's, PEM.
    file: Option<PathBuf>,
    /// What the file held last, and the connections that trust it.
    made: Mutex<Option<(Vec<u8>, Connections)>>,
}

impl Connecting {
    /// Those that trust the authorities in `file` besides the system's.
    pub(super) fn new(file: Option<PathBuf>) -> Self {
        Self {
            file,
            made: Mutex::default(),
        }
    }

    /// The connections to `host`; `usual` are those without authorities of their own.
    pub(super) async fn connections(
        &self,
        host: &str,
        usual: &Connections,
    ) -> Result<Connections, Fault> {
        let Some(path) = &self.file else {
            return Ok(usual.clone());
        };
        let unread = |source| Fault::Authorities {
            host: host.to_owned(),
            path: path.clone(),
            source,
        };
        let file = path.clone();
        let read = tokio::task::spawn_blocking(move || std::fs::read(file)).await;
        let pem = read
            .map_err(std::io::Error::other)
            .flatten()
            .map_err(unread)?;
        let mut made = self.made.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some((_, connections)) = made.as_ref().filter(|(known, _)| *known == pem) {
            return Ok(connections.clone());
        }
        let connections = connections(pem.clone()).map_err(|source| Fault::BadAuthorities {
            host: host.to_owned(),
            path: path.clone(),
            source,
        })?;
        *made = Some((pem, connections.clone()));
        Ok(connections)
    }
}

/// Connections that trust `ca_pem`, if it isn't empty, besides the system's authorities.
pub(super) fn connections(ca_pem: Vec<u8>) -> Result<Connections, http::Error> {
    let client = |redirects| {
        let options = http::Options {
            ca_pem: ca_pem.clone(),
            // Each request has a limit of its own.
            timeout: None,
            redirects,
            ..http::Options::default()
        };
        http::client(&options)
    };
    Ok(Connections {
        reach: http::Reach::Outside,
        usual: client(http::Redirects::Any)?,
        secretive: client(http::Redirects::SameHost)?,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_file_counts_as_it_is_now() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("ca.pem");
        let usual = connections(Vec::new()).unwrap();
        let connecting = Connecting::new(Some(file.clone()));
        let asked = || async { connecting.connections("r.example", &usual).await };
        let fault = asked().await.unwrap_err();
        assert!(matches!(fault, Fault::Authorities { .. }), "{fault:?}");
        assert!(!fault.is_retryable() && fault.hint().is_some());

        std::fs::write(&file, "-----BEGIN CERTIFICATE-----\n").unwrap();
        let fault = asked().await.unwrap_err();
        assert!(matches!(fault, Fault::BadAuthorities { .. }), "{fault:?}");

        let names = vec!["r.example".to_owned()];
        let made = rcgen::generate_simple_self_signed(names).unwrap();
        std::fs::write(&file, made.cert.pem()).unwrap();
        asked().await.unwrap();

        std::fs::remove_file(&file).unwrap();
        let fault = asked().await.unwrap_err();
        assert!(matches!(fault, Fault::Authorities { .. }), "{fault:?}");
    }
}
