//! The address of a cloud's service, as an operator or an operator's file names it.
//!
//! Invariant: credentials sent there are encrypted, or don't leave the machine or its host: it is
//! HTTPS, or HTTP to loopback or to an address where clouds hand out machine credentials.

use std::str::FromStr;

use reqwest::Url;

use crate::http::{is_internal, is_loopback};

/// The address of a service.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Endpoint(Url);

impl Endpoint {
    /// The address.
    pub fn url(&self) -> &Url {
        &self.0
    }

    /// The address of `path` below it; a constant path, so it is always one.
    pub(super) fn join(&self, path: &str) -> Url {
        let mut url = self.0.clone();
        let base = url.path().trim_end_matches('/').to_owned();
        url.set_path(&format!("{base}/{}", path.trim_start_matches('/')));
        url
    }
}

impl FromStr for Endpoint {
    type Err = &'static str;

    /// # Errors
    /// Why it isn't one, without quoting it: it may hold a password.
    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let url = Url::parse(text).map_err(|_| "it is not a URL")?;
        let host = url.host_str().ok_or("it has no host")?;
        let is_near = is_loopback(host) || is_internal(host);
        match url.scheme() {
            "https" => {}
            "http" if is_near => {}
            "http" => return Err("it is not encrypted"),
            _ => return Err("it is neither http nor https"),
        }
        if !url.username().is_empty() || url.password().is_some() {
            return Err("it holds credentials");
        }
        if url.query().is_some() || url.fragment().is_some() {
            return Err("it has a query or fragment");
        }
        Ok(Self(url))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn credentials_are_sent_encrypted_or_not_far() {
        for (text, valid) in [
            ("https://sts.example.com", true),
            ("http://127.0.0.1:8080/", true),
            ("http://localhost/x", true),
            ("http://169.254.170.23/v1/credentials", true),
            ("http://[fd00:ec2::23]/v1/credentials", true),
            ("http://metadata.google.internal/", true),
            ("http://sts.example.com", false),
            ("http://10.0.0.1/", false),
            ("ftp://127.0.0.1/", false),
            ("https://u:p@sts.example.com", false),
            ("https://sts.example.com/?x=1", false),
            ("https://sts.example.com/#x", false),
            ("sts.example.com", false),
            ("", false),
        ] {
            assert_eq!(text.parse::<Endpoint>().is_ok(), valid, "{text}");
        }
    }

    #[test]
    fn paths_are_added_below() {
        for (base, path, wanted) in [
            ("https://a.example", "/x/y", "https://a.example/x/y"),
            ("https://a.example/b/", "x", "https://a.example/b/x"),
            ("https://a.example/b", "/", "https://a.example/b/"),
        ] {
            let endpoint: Endpoint = base.parse().unwrap();
            assert_eq!(endpoint.join(path).as_str(), wanted);
        }
    }
}
