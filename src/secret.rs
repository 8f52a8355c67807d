//! Where a secret is kept, and reading it.
//!
//! Invariant: a secret's text exists only as [`SecretString`], which cannot be printed and is wiped
//! when dropped. It is read anew at each use, so a rotated file counts without a restart.
//!
//! Inline secrets do not exist: configuration can only name a file or an environment variable.

use std::path::{Path, PathBuf};

use secrecy::SecretString;

/// Largest secret file read, in bytes; keys and tokens are far smaller.
const MAX_SECRET: u64 = 1024 * 1024;

/// Where a secret is kept.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub enum Secret {
    /// In a file; one trailing line break is not part of it.
    File(PathBuf),
    /// In an environment variable.
    Env(String),
}

/// A GitHub App, where it is installed: who signs in with a key rather than a token.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct GitHubApp {
    /// The App's id or client id.
    pub id: String,
    /// The installation's id.
    pub installation: u64,
    /// The App's private key: RSA, PEM.
    pub key: Secret,
}

/// Why a secret can't be had.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The file can't be read.
    #[error("the secret file {} can't be read", path.display())]
    File {
        /// The file.
        path: PathBuf,
        /// Why not.
        source: std::io::Error,
    },
    /// The file is too large to be a secret.
    #[error("the secret file {} is larger than {MAX_SECRET} bytes", path.display())]
    TooLarge {
        /// The file.
        path: PathBuf,
    },
    /// The variable is not set, or is not UTF-8.
    #[error("the environment variable {0} that should hold a secret is not set")]
    Env(String),
}

impl Secret {
    /// The file that it is in, if it is in one.
    pub fn file(&self) -> Option<&Path> {
        match self {
            Self::File(path) => Some(path),
            Self::Env(_) => None,
        }
    }

    /// Reads the secret.
    ///
    /// # Errors
    /// When the file or variable is missing, unreadable, not UTF-8, or over 1 MiB.
    #[expect(
        clippy::disallowed_methods,
        reason = "the one place that reads secrets from the environment"
    )]
    pub fn read(&self) -> Result<SecretString, Error> {
        match self {
            Self::File(path) => {
                let failed = |source| Error::File {
                    path: path.clone(),
                    source,
                };
                if std::fs::metadata(path).map_err(failed)?.len() > MAX_SECRET {
                    return Err(Error::TooLarge { path: path.clone() });
                }
                let mut text = std::fs::read_to_string(path).map_err(failed)?;
                if text.ends_with('\n') {
                    text.pop();
                    if text.ends_with('\r') {
                        text.pop();
                    }
                }
                Ok(SecretString::from(text))
            }
            Self::Env(name) => std::env::var(name)
                .map(SecretString::from)
                .map_err(|_| Error::Env(name.clone())),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use secrecy::ExposeSecret;

    #[test]
    fn a_file_secret_loses_its_line_break_only() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("token");
        std::fs::write(&path, "a b \r\n").unwrap();
        let secret = Secret::File(path.clone()).read().unwrap();
        assert_eq!(secret.expose_secret(), "a b ");
        assert!(!format!("{secret:?}").contains("a b"));
        std::fs::remove_file(&path).unwrap();
        let error = Secret::File(path).read().unwrap_err();
        assert!(error.to_string().contains("token"));
    }

    #[test]
    fn a_missing_variable_is_named() {
        let error = Secret::Env("TAGWRIGHT_NO_SUCH".into()).read().unwrap_err();
        assert!(error.to_string().contains("TAGWRIGHT_NO_SUCH"));
    }
}
