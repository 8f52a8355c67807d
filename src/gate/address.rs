//! Where a gate is asked: a URL with blanks for the change.
//!
//! Invariant: what fills a blank can't change which host is asked nor which parts the URL has: blanks stand
//! behind the host only, and all but letters, digits and `-._~` (RFC 3986 section 2.3) is percent-encoded.

use std::fmt::Write as _;
use std::str::FromStr;

use reqwest::Url;

use super::Question;
use crate::http;

/// A URL with blanks.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Address {
    text: String,
    is_private: bool,
}

/// Why a text is not the address of a gate; it is not quoted, since it may hold a secret.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum InvalidAddress {
    /// It is no URL, or has a user or a fragment.
    #[error("this is not the URL of a gate")]
    Url,
    /// A blank stands in the host or before it.
    #[error("the host of a gate can't depend on the change")]
    Host,
    /// It has braces around something else than a blank.
    #[error("this URL has an unknown placeholder")]
    Placeholder,
}

impl InvalidAddress {
    /// What to write instead.
    pub fn hint(&self) -> &'static str {
        match self {
            Self::Url => "write `https://HOST/PATH`, without a user",
            Self::Host => "placeholders belong behind the host, such as `?app={app}`",
            Self::Placeholder => "known are {app}, {stage}, {image}, {tag} and {digest}",
        }
    }
}

impl FromStr for Address {
    type Err = InvalidAddress;

    fn from_str(text: &str) -> Result<Self, InvalidAddress> {
        let (scheme, rest) = text.split_once("://").ok_or(InvalidAddress::Url)?;
        let end = rest.find(['/', '?', '#', '\\']).unwrap_or(rest.len());
        if scheme.contains('{') || rest[..end].contains('{') {
            return Err(InvalidAddress::Host);
        }
        if end == 0 {
            // The URL standard would take the path's first part for the host.
            return Err(InvalidAddress::Url);
        }
        let sample = fill(text, ["a"; 5]);
        if sample.contains(['{', '}']) {
            return Err(InvalidAddress::Placeholder);
        }
        let url: Url = sample.parse().map_err(|_| InvalidAddress::Url)?;
        let is_usable = matches!(url.scheme(), "http" | "https")
            && url.host_str().is_some()
            && url.username().is_empty()
            && url.password().is_none()
            && url.fragment().is_none();
        if !is_usable {
            return Err(InvalidAddress::Url);
        }
        let is_loopback = url.host_str().is_some_and(http::is_loopback);
        Ok(Self {
            text: text.to_owned(),
            is_private: url.scheme() == "https" || is_loopback,
        })
    }
}

impl Address {
    /// Whether nobody on the way can read what is sent there: it is encrypted, or stays on this machine.
    pub fn is_private(&self) -> bool {
        self.is_private
    }

    /// The URL for a change.
    ///
    /// # Errors
    /// When what is filled in makes no URL of it.
    pub(super) fn about(&self, question: &Question) -> Result<Url, InvalidAddress> {
        let (image, digest) = (question.image.to_string(), question.digest.to_string());
        let values = [
            question.app.as_str(),
            &question.stage,
            &image,
            question.tag.as_str(),
            &digest,
        ];
        let url = fill(&self.text, values);
        url.parse().map_err(|_| InvalidAddress::Url)
    }
}

/// The text with these for `{app}`, `{stage}`, `{image}`, `{tag}` and `{digest}`.
fn fill(text: &str, values: [&str; 5]) -> String {
    const BLANKS: [&str; 5] = ["{app}", "{stage}", "{image}", "{tag}", "{digest}"];
    // What is filled in has no braces, so it is never read as a blank.
    let blanks = BLANKS.into_iter().zip(values);
    blanks.fold(text.to_owned(), |text, (blank, value)| {
        text.replace(blank, &encoded(value))
    })
}

fn encoded(value: &str) -> String {
    let mut text = String::with_capacity(value.len());
    for byte in value.bytes() {
        match byte {
            b'a'..=b'z' | b'A'..=b'Z' | b'0'..=b'9' | b'-' | b'.' | b'_' | b'~' => {
                text.push(char::from(byte));
            }
            _ => {
                let _ = write!(text, "%{byte:02X}");
            }
        }
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::image::Digest;

    #[test]
    fn blanks_are_filled_and_encoded() {
        let question = Question {
            app: "shop".to_owned(),
            stage: "live".to_owned(),
            image: "ghcr.io:5000/acme/shop".parse().unwrap(),
            tag: "1.0.0".parse().unwrap(),
            digest: Digest::of(b"x"),
        };
        let digest = question.digest.to_string().replace(':', "%3A");
        for (text, wanted) in [
            (
                "https://g.example/gate?a={app}&s={stage}&i={image}&t={tag}&d={digest}",
                format!(
                    "https://g.example/gate?a=shop&s=live&i=ghcr.io%3A5000%2Facme%2Fshop&t=1.0.0&d={digest}"
                ),
            ),
            (
                "http://127.0.0.1:80/{image}/{tag}",
                "http://127.0.0.1/ghcr.io%3A5000%2Facme%2Fshop/1.0.0".to_owned(),
            ),
            ("https://g.example?x", "https://g.example/?x".to_owned()),
        ] {
            let address: Address = text.parse().unwrap();
            assert_eq!(address.about(&question).unwrap().as_str(), wanted);
        }
        assert_eq!(encoded("a&b={c}\u{e9}/.."), "a%26b%3D%7Bc%7D%C3%A9%2F..");
    }

    #[test]
    fn only_urls_of_a_fixed_host_are_taken() {
        use InvalidAddress::{Host, Placeholder, Url};
        for (text, wrong) in [
            ("", Url),
            ("g.example/x", Url),
            ("ftp://g.example/x", Url),
            ("https://ann:pw@g.example/", Url),
            ("https://g.example/#x", Url),
            ("https:///x", Url),
            ("https://{app}.example/", Host),
            ("https://g.example:{tag}/", Host),
            ("https://{app}?x", Host),
            ("{app}://g.example/", Host),
            ("https://g.example/{apps}", Placeholder),
            ("https://g.example/{", Placeholder),
            ("https://g.example/}", Placeholder),
        ] {
            assert_eq!(text.parse::<Address>(), Err(wrong), "{text}");
        }
        for (text, private) in [
            ("https://g.example/", true),
            ("http://localhost:8080/", true),
            ("http://[::1]/", true),
            ("http://g.example/", false),
            ("http://10.0.0.1/", false),
        ] {
            assert_eq!(
                text.parse::<Address>().unwrap().is_private(),
                private,
                "{text}"
            );
        }
    }
}
