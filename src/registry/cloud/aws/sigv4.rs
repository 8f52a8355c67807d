//! Signature Version 4: requests that AWS believes are from the owner of a key.
//!
//! Invariant: what is signed is what is sent; every header given here is signed. It signs requests to
//! a path without a query, which is all that the services asked here take.
//!
//! Source: AWS IAM user guide, "Create a signed AWS API request"; tested with the vectors that AWS
//! publishes with its "Signature Version 4 test suite".

use std::fmt::Write as _;

use jiff::Timestamp;
use reqwest::Url;
use reqwest::header::HeaderMap;
use ring::{digest, hmac};
use secrecy::{ExposeSecret as _, SecretString};

use super::super::desk::header;
use crate::registry::cloud::CloudError;
use crate::registry::exchange::Content;

const ALGORITHM: &str = "AWS4-HMAC-SHA256";

/// AWS credentials.
#[derive(Debug, Clone)]
pub(super) struct Keys {
    pub(super) id: String,
    pub(super) secret: SecretString,
    /// What comes with temporary ones.
    pub(super) session: Option<SecretString>,
}

/// Signs with one key, for one service, at one time.
pub(super) struct Signer<'a> {
    pub(super) keys: &'a Keys,
    pub(super) region: &'a str,
    pub(super) service: &'a str,
    pub(super) at: Timestamp,
}

impl Signer<'_> {
    /// The headers that sign a POST of `body` to `url`, these included.
    pub(super) fn headers(
        &self,
        url: &Url,
        body: &Content,
        headers: &[(&'static str, &str)],
    ) -> Result<HeaderMap, CloudError> {
        let time = self.at.strftime("%Y%m%dT%H%M%SZ").to_string();
        let mut added = headers.to_vec();
        added.push(("x-amz-date", &time));
        if let Some(session) = &self.keys.session {
            added.push(("x-amz-security-token", session.expose_secret()));
        }
        let host = host(url);
        let mut signed = added.clone();
        signed.extend([("host", host.as_str()), ("content-type", body.kind)]);
        let signature = self.authorization("POST", url.path(), signed, body.text.expose_secret());
        added.push(("authorization", &signature));
        let what = "the AWS credential";
        added
            .into_iter()
            .map(|(name, value)| header(what, name, value))
            .collect()
    }

    /// The value of `Authorization`.
    fn authorization(
        &self,
        method: &str,
        path: &str,
        mut headers: Vec<(&'static str, &str)>,
        body: &str,
    ) -> String {
        headers.sort_unstable();
        let mut lines = String::new();
        for (name, value) in &headers {
            let value: Vec<&str> = value.split_whitespace().collect();
            lines += &format!("{name}:{}\n", value.join(" "));
        }
        let names: Vec<&str> = headers.iter().map(|(name, _)| *name).collect();
        let names = names.join(";");
        let request = format!(
            "{method}\n{path}\n\n{lines}\n{names}\n{}",
            hashed(body.as_bytes())
        );
        let day = self.at.strftime("%Y%m%d").to_string();
        let scope = format!("{day}/{}/{}/aws4_request", self.region, self.service);
        let time = self.at.strftime("%Y%m%dT%H%M%SZ");
        let text = format!(
            "{ALGORITHM}\n{time}\n{scope}\n{}",
            hashed(request.as_bytes())
        );
        let signature = hex(self.key(&day, &text).as_ref());
        format!(
            "{ALGORITHM} Credential={}/{scope}, SignedHeaders={names}, Signature={signature}",
            self.keys.id
        )
    }

    /// `text` signed with the key that is for this day, region and service alone.
    fn key(&self, day: &str, text: &str) -> hmac::Tag {
        let secret = format!("AWS4{}", self.keys.secret.expose_secret());
        let mut tag = signed(secret.as_bytes(), day);
        for part in [self.region, self.service, "aws4_request", text] {
            tag = signed(tag.as_ref(), part);
        }
        tag
    }
}

/// The `Host` header: with the port unless it is the scheme's own.
fn host(url: &Url) -> String {
    let host = url.host_str().unwrap_or_default();
    match url.port() {
        Some(port) => format!("{host}:{port}"),
        None => host.to_owned(),
    }
}

fn signed(key: &[u8], text: &str) -> hmac::Tag {
    hmac::sign(&hmac::Key::new(hmac::HMAC_SHA256, key), text.as_bytes())
}

fn hashed(bytes: &[u8]) -> String {
    hex(digest::digest(&digest::SHA256, bytes).as_ref())
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().fold(String::new(), |mut text, byte| {
        // Writing to a string can't fail.
        let _ = write!(text, "{byte:02x}");
        text
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The session token of the test suite's `post-sts-header-before`.
    const SESSION: &str = "AQoDYXdzEPT//////////wEXAMPLEtc764bNrC9SAPBSM22wDOk4x4HIZ8j4FZTwdQWLWsKWHGBuFqwAeMicRXmxfpSPfIeoIYRqTflfKD8YUuwthAx7mSEI/qkPpKPi/kMcGdQrmGdeehM4IC1NtBmUpp2wUE8phUZampKsburEDy0KPkyQDYwT7WZ0wq5VSXDvp75YU9HFvlRd8Tx6q6fE8YQcHNVXAkiY9q6d+xo0rKwT38xVqr7ZD0u0iPPkUL64lIZbqBAz+scqKmlzm8FDrypNC9Yjc8fPOLn9FX9KSYvKTr4rvx3iSIlTJabIQwj2ICCR/oLxBA==";

    const DATE: (&str, &str) = ("x-amz-date", "20150830T123600Z");
    const HOST: (&str, &str) = ("host", "example.amazonaws.com");

    fn keys() -> Keys {
        Keys {
            id: "AKIDEXAMPLE".to_owned(),
            secret: "wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY".into(),
            session: None,
        }
    }

    fn signer(keys: &Keys) -> Signer<'_> {
        Signer {
            keys,
            region: "us-east-1",
            service: "service",
            at: "2015-08-30T12:36:00Z".parse().unwrap(),
        }
    }

    #[test]
    fn the_published_vectors_are_met() {
        let form = ("content-type", "application/x-www-form-urlencoded");
        for (name, method, headers, body, signature) in [
            (
                "get-vanilla",
                "GET",
                vec![HOST, DATE],
                "",
                "5fa00fa31553b73ebf1942676e86291e8372ff2a2260956d9b8aae1d763fbf31",
            ),
            (
                "post-vanilla",
                "POST",
                vec![HOST, DATE],
                "",
                "5da7c1a2acd57cee7505fc6676e4e544621c30862966e37dddb68e92efbe5d6b",
            ),
            (
                "post-header-key-sort",
                "POST",
                vec![HOST, ("my-header1", "value1"), DATE],
                "",
                "c5410059b04c1ee005303aed430f6e6645f61f4dc9e1461ec8f8916fdf18852c",
            ),
            (
                "post-header-value-case",
                "POST",
                vec![HOST, ("my-header1", "VALUE1"), DATE],
                "",
                "cdbc9802e29d2942e5e10b5bccfdd67c5f22c7c4e8ae67b53629efa58b974b7d",
            ),
            (
                "post-x-www-form-urlencoded",
                "POST",
                vec![HOST, DATE, form],
                "Param1=value1",
                "ff11897932ad3f4e8b18135d722051e5ac45fc38421b1da7b9d196a0fe09473a",
            ),
            (
                "get-header-value-trim",
                "GET",
                vec![
                    HOST,
                    ("my-header1", " value1"),
                    ("my-header2", " \"a   b   c\""),
                    DATE,
                ],
                "",
                "acc3ed3afb60bb290fc8d2dd0098b9911fcaa05412b367055dee359757a9c736",
            ),
            (
                "post-sts-header-before",
                "POST",
                vec![HOST, DATE, ("x-amz-security-token", SESSION)],
                "",
                "85d96828115b5dc0cfc3bd16ad9e210dd772bbebba041836c64533a82be05ead",
            ),
        ] {
            let keys = keys();
            let names: Vec<_> = {
                let mut names: Vec<_> = headers.iter().map(|(name, _)| *name).collect();
                names.sort_unstable();
                names
            };
            let wanted = format!(
                "AWS4-HMAC-SHA256 Credential=AKIDEXAMPLE/20150830/us-east-1/service/aws4_request, SignedHeaders={}, Signature={signature}",
                names.join(";")
            );
            let got = signer(&keys).authorization(method, "/", headers, body);
            assert_eq!(got, wanted, "{name}");
        }
    }

    #[test]
    fn a_request_carries_what_was_signed() {
        let keys = Keys {
            session: Some("s".into()),
            ..keys()
        };
        let body = Content {
            kind: "application/x-amz-json-1.1",
            text: "{}".into(),
        };
        let url = Url::parse("http://127.0.0.1:8080/").unwrap();
        let headers = signer(&keys)
            .headers(&url, &body, &[("x-amz-target", "T.G")])
            .unwrap();
        let value = |name| headers.get(name).unwrap().to_str().unwrap();
        assert_eq!(value("x-amz-date"), DATE.1);
        assert_eq!(value("x-amz-security-token"), "s");
        assert!(value("authorization").contains(
            "SignedHeaders=content-type;host;x-amz-date;x-amz-security-token;x-amz-target"
        ));
        assert!(headers.get("authorization").unwrap().is_sensitive());
    }
}
