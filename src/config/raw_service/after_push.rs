//! Who is told after a push, as it is written.
//!
//! Invariant: a secret written into the file is refused without being quoted.

use reqwest::Url;
use schemars::{Schema, json_schema};

use super::super::credential::{Guard, Guarded};
use super::super::read::{Scalar, mirror};
use super::super::report::Mistake;
use crate::secret::Secret;

mirror! {
    /// One receiver: a Flux Receiver, Argo CD, or any URL.
    RawNudge requires [] {
        /// A Flux Receiver of type `generic-hmac`.
        flux = "flux": Guarded<RawFlux>,
        /// Argo CD.
        argocd = "argocd": Guarded<RawArgoCd>,
        /// Anything that takes a POST.
        url = "url": WebUrl,
        /// What the body sent to `url` is signed with.
        secret = "secret": Secret,
    }
}

mirror! {
    /// A Flux Receiver of type `generic-hmac`.
    RawFlux requires ["url", "token"] {
        /// Its address, with the path in `status.webhookPath`.
        url = "url": WebUrl,
        /// The `token` of the secret that it refers to.
        token = "token": Secret,
    }
}

mirror! {
    /// Argo CD.
    RawArgoCd requires ["url"] {
        /// Its webhook, such as `https://argocd.example.com/api/webhook`.
        url = "url": WebUrl,
        /// `webhook.github.secret` of its secret, where it has one.
        secret = "secret": Secret,
    }
}

impl Guard for RawFlux {
    const SHOWN: &'static [&'static str] = &["url"];
}

impl Guard for RawArgoCd {
    const SHOWN: &'static [&'static str] = &["url"];
}

/// Where something listens.
#[derive(Debug, Clone)]
pub struct WebUrl(pub Url);

impl Scalar for WebUrl {
    fn parse(text: &str) -> Result<Self, Mistake> {
        let url = text.parse::<Url>().ok();
        let usable = |url: &Url| {
            matches!(url.scheme(), "http" | "https")
                && url.username().is_empty()
                && url.password().is_none()
                && url.fragment().is_none()
        };
        // Not quoted: what is no URL may be a secret.
        url.filter(usable).map(Self).ok_or_else(|| {
            Mistake::new("this is not the URL of a receiver")
                .hint("write `https://HOST/PATH`, without a user")
        })
    }

    fn schema() -> Schema {
        json_schema!({"type": "string", "pattern": "^https?://"})
    }
}
