//! What a forge answered, as JSON, as a page of a listing, or as the error that it is.

use reqwest::StatusCode;
use reqwest::header::{HeaderMap, LINK};
use serde::de::DeserializeOwned;

use crate::forge::{Error, words};
use crate::http;

/// What a forge answered.
#[derive(Debug, Clone)]
pub(in crate::forge) struct Reply {
    /// The HTTP status: of success, or accepted by the request.
    pub(in crate::forge) status: u16,
    /// The headers.
    pub(in crate::forge) headers: HeaderMap,
    /// The body, decompressed.
    pub(in crate::forge) body: bytes::Bytes,
    pub(super) host: String,
    pub(super) what: String,
}

impl Reply {
    /// The body, read as JSON.
    pub(in crate::forge) fn json<T: DeserializeOwned>(&self) -> Result<T, Error> {
        serde_json::from_slice(&self.body).map_err(|error| self.garbled(&error.to_string()))
    }

    /// What the body says is wrong.
    pub(in crate::forge) fn words(&self) -> String {
        words::said(&self.body)
    }

    /// That it can't be understood.
    pub(in crate::forge) fn garbled(&self, why: &str) -> Error {
        Error::Garbled {
            host: self.host.clone(),
            what: self.what.clone(),
            words: words::clean(why),
        }
    }

    /// The reply as the refusal that it is.
    pub(in crate::forge) fn refusal(&self) -> Error {
        refused(
            self.host.clone(),
            self.what.clone(),
            self.status,
            self.words(),
        )
    }

    /// The reply as the refusal that only its body says it is.
    pub(in crate::forge) fn as_if(&self, status: u16, words: String) -> Error {
        refused(self.host.clone(), self.what.clone(), status, words)
    }

    /// The page of a listing whose reply is an array, the next one being where the `Link` header says
    /// (RFC 8288): GitHub, GitLab and Gitea.
    pub(in crate::forge) fn linked<T: DeserializeOwned>(&self) -> Result<Page<T>, Error> {
        Ok(Page {
            items: self.json()?,
            next: self.next()?,
        })
    }

    /// The query of the next page, as the `Link` header says.
    pub(in crate::forge) fn next(&self) -> Result<Option<String>, Error> {
        let values = self.headers.get_all(LINK).iter();
        let next = http::link::next(values.filter_map(|value| value.to_str().ok()))
            .map_err(|error| self.garbled(&error.to_string()))?;
        Ok(next.map(|target| target.split_once('?').unwrap_or_default().1.to_owned()))
    }
}

/// One page of a listing.
#[derive(Debug)]
pub(in crate::forge) struct Page<T> {
    /// What is on it.
    pub(in crate::forge) items: Vec<T>,
    /// The whole query of the next page, already escaped.
    pub(in crate::forge) next: Option<String>,
}

/// A status that is no success, as an error.
pub(super) fn refused(host: String, what: String, status: u16, words: String) -> Error {
    match StatusCode::from_u16(status) {
        Ok(StatusCode::UNAUTHORIZED) => Error::Unauthorized { host, what, words },
        // Repositories that one may not see are not found.
        Ok(StatusCode::FORBIDDEN | StatusCode::NOT_FOUND) => Error::Forbidden { host, what, words },
        _ => Error::Refused {
            host,
            what,
            status,
            words,
        },
    }
}
