//! HTTP gates: a server that says whether a change may be made.
//!
//! Invariant: only an answer of 2xx from the gate's own host lets a change pass; whatever else happens does
//! not. A gate's token goes to the gate alone, encrypted or within this machine, and is never told; nor is
//! its path, which may be a secret too.
//!
//! It refuses to follow an answer elsewhere, and to read more of one than is told.

mod address;

use std::path::PathBuf;
use std::time::Duration;

use reqwest::header::{AUTHORIZATION, HeaderValue};
use secrecy::{ExposeSecret as _, SecretString};

use crate::diag;
use crate::http;
use crate::image::{Digest, Image, Tag};
use crate::secret::Secret;

pub use address::{Address, InvalidAddress};

/// How much of a body is read, in bytes: its first line is told, and that is cut.
const MAX_BODY: usize = 4096;

/// Longest quotation of a gate, in characters: a sentence.
const MAX_WORDS: usize = 200;

/// A server that says whether changes may be made.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Gate {
    /// What stages call it.
    pub name: String,
    /// Where it is asked.
    pub address: Address,
    /// What it knows us by, if it wants that: a bearer token (RFC 6750 section 2.1).
    pub token: Option<Secret>,
    /// Certificate authorities trusted besides the system's: a PEM file.
    pub ca_pem: Option<PathBuf>,
    /// How long it may take to answer.
    pub timeout: Duration,
    /// For how long an answer counts.
    pub interval: Duration,
}

/// The change that a gate is asked about.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Question {
    /// The app.
    pub app: String,
    /// The stage that would change.
    pub stage: String,
    /// The image.
    pub image: Image,
    /// The tag that would be written.
    pub tag: Tag,
    /// The digest that the tag has.
    pub digest: Digest,
}

/// What a gate says.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Verdict {
    /// The change may be made.
    Green,
    /// It may not.
    No {
        /// The HTTP status.
        status: u16,
        /// The gate's words, fit to be shown; empty where it has none.
        words: String,
    },
    /// It can't be asked, in words for a person.
    Silent(String),
}

/// Why a gate can't be asked at all.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The file of certificate authorities can't be read.
    #[error("{} can't be read", path.display())]
    Ca {
        /// The file.
        path: PathBuf,
        /// Why not.
        source: std::io::Error,
    },
    /// No HTTP client can be made.
    #[error("no HTTP client can be made")]
    Client(#[from] http::Error),
}

impl Gate {
    /// A client to ask it with.
    ///
    /// # Errors
    /// When its certificate authorities can't be read, or the TLS set-up fails.
    pub fn client(&self) -> Result<reqwest::Client, Error> {
        let ca_pem = match &self.ca_pem {
            Some(path) => std::fs::read(path).map_err(|source| Error::Ca {
                path: path.clone(),
                source,
            })?,
            None => Vec::new(),
        };
        Ok(http::client(&http::Options {
            ca_pem,
            timeout: Some(self.timeout),
            redirects: http::Redirects::SameHost,
            ..http::Options::default()
        })?)
    }

    /// Asks it about a change.
    pub async fn ask(&self, client: &reqwest::Client, question: &Question) -> Verdict {
        let token = match &self.token {
            Some(_) if !self.address.is_private() => {
                let words =
                    "its token would go over plain HTTP, where anyone on the way can read it";
                return Verdict::Silent(words.to_owned());
            }
            Some(secret) => match secret.read() {
                Ok(token) => Some(token),
                Err(error) => return Verdict::Silent(diag::chain(&error)),
            },
            None => None,
        };
        let Ok(url) = self.address.about(question) else {
            return Verdict::Silent("its URL is none for this change".to_owned());
        };
        let mut request = client.get(url);
        if let Some(token) = &token {
            let Some(header) = bearer(token) else {
                let words = "its token has characters that no token has";
                return Verdict::Silent(words.to_owned());
            };
            request = request.header(AUTHORIZATION, header);
        }
        match request.send().await {
            Ok(answer) => verdict(answer, token.as_ref()).await,
            Err(error) => Verdict::Silent(match error.is_timeout() {
                true => format!("no answer within {} s", self.timeout.as_secs()),
                false => diag::chain(&error.without_url()),
            }),
        }
    }
}

fn bearer(token: &SecretString) -> Option<HeaderValue> {
    let text = format!("Bearer {}", token.expose_secret());
    let mut header = HeaderValue::try_from(text).ok()?;
    header.set_sensitive(true);
    Some(header)
}

/// What an answer means. Of a refusal the first line is read, as far as it comes.
async fn verdict(mut answer: reqwest::Response, token: Option<&SecretString>) -> Verdict {
    let status = answer.status();
    if status.is_success() {
        return Verdict::Green;
    }
    let mut body = Vec::new();
    if !status.is_redirection() {
        while body.len() < MAX_BODY && !body.contains(&b'\n') {
            match answer.chunk().await {
                Ok(Some(chunk)) => body.extend_from_slice(&chunk),
                Ok(None) | Err(_) => break,
            }
        }
        body.truncate(MAX_BODY);
    }
    let words = match status.is_redirection() {
        true => "it leads elsewhere".to_owned(),
        false => first_line(&body, token),
    };
    let status = status.as_u16();
    Verdict::No { status, words }
}

/// The first line of a body, fit to be shown; a page of HTML says nothing.
fn first_line(body: &[u8], token: Option<&SecretString>) -> String {
    let text = String::from_utf8_lossy(body);
    let line = text.trim_start().lines().next().unwrap_or_default().trim();
    if line.starts_with('<') {
        return String::new();
    }
    // A server that tells what it was asked tells the token too.
    let token = token.map(|token| token.expose_secret()).unwrap_or_default();
    let line = match token.is_empty() {
        true => line.to_owned(),
        false => line.replace(token, "…"),
    };
    diag::quoted(&line, MAX_WORDS)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_first_line_of_a_refusal_is_told() {
        let token = SecretString::from("t0ken");
        for (body, told) in [
            ("error budget spent\nsince Monday\n", "error budget spent"),
            ("\r\n  not now\r\n", "not now"),
            ("\u{1b}[31mred\u{202e}", "[31mred"),
            ("you sent Bearer t0ken", "you sent Bearer …"),
            ("<html><body>503</body></html>", ""),
            ("", ""),
        ] {
            let line = first_line(body.as_bytes(), Some(&token));
            assert!(line.contains(told) && !line.contains("t0ken"), "{line}");
            assert!(
                !line.contains('\u{1b}') && !line.contains('\u{202e}'),
                "{line}"
            );
        }
        let long = "é".repeat(10_000);
        let line = first_line(long.as_bytes(), None);
        assert_eq!(line.chars().count(), MAX_WORDS + 1);
        assert!(!first_line(b"\xff\xfe no", None).is_empty());
    }
}
