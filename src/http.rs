//! The one constructor of HTTP clients: TLS provider, roots, proxy, timeouts and user agent in one
//! place.
//!
//! Invariant: every client of the process is made here, so none lacks a timeout, none follows a
//! redirect from `https` to `http` or to what only this machine can see, and all use one TLS provider
//! (ring). A proxy is taken from the environment (`HTTPS_PROXY`, `HTTP_PROXY`, `ALL_PROXY`,
//! `NO_PROXY`), never for this machine; credentials are dropped when a redirect leaves the host, which
//! is reqwest's own rule.
//!
//! Addresses where clouds hand out machine credentials are reached only by clients made for them
//! ([`Reach::Inside`]), whether a URL names the address or a name that resolves to it. Through a proxy
//! only the former is seen here, since the proxy resolves names.
//!
//! It refuses nothing else: what may be requested is for the callers to decide.

pub mod github_app;
pub mod link;
mod proxy;
mod resolve;

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use std::time::Duration;

/// What this program calls itself to servers, so that their operators can tell who polls them.
pub const USER_AGENT: &str = concat!("tagwright/", env!("CARGO_PKG_VERSION"));

/// Time to reach a server; more means that it is down or a firewall drops packets.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(10);

/// Longest silence while a response is read; slow registries stall, dead ones stay silent.
const READ_TIMEOUT: Duration = Duration::from_secs(30);

/// Blob and manifest redirects take one hop, sign-in pages more; a longer chain is a loop.
const MAX_REDIRECTS: usize = 5;

/// What may differ between clients.
#[derive(Debug, Clone, Default, PartialEq, Eq, Hash)]
pub struct Options {
    /// Extra certificate authorities, PEM, trusted besides the system's.
    pub ca_pem: Vec<u8>,
    /// Longest time for one whole exchange, body included; `None` leaves only the silence limit,
    /// for transfers whose length is not known.
    pub timeout: Option<Duration>,
    /// Longest silence while a response is read; `None` is 30 s.
    pub silence: Option<Duration>,
    /// Where redirects may lead.
    pub redirects: Redirects,
    /// Which addresses may be reached.
    pub reach: Reach,
}

/// Which addresses a client may reach.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Hash)]
pub enum Reach {
    /// All but those of [`is_internal`].
    #[default]
    Outside,
    /// All, and without a proxy, which would be asked for credentials of its own machine: for the
    /// servers that hand out a machine's credentials.
    Inside,
}

/// Where redirects may lead; never from `https` to `http`.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Hash)]
pub enum Redirects {
    /// Anywhere, for registries that keep blobs elsewhere.
    #[default]
    Any,
    /// To the same host and port; others are not followed, their response is returned.
    SameHost,
}

/// Where plain HTTP, which anyone on the way can read and change, may go.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum PlainHttp {
    /// To this machine only.
    #[default]
    LoopbackOnly,
    /// Anywhere: somebody has said so.
    Allowed,
}

/// Why no client could be made.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The certificate authorities are not PEM certificates.
    #[error("the certificate authority file holds no usable PEM certificate")]
    Ca(#[source] Option<reqwest::Error>),
    /// The client could not be built.
    #[error("the HTTP client could not be set up")]
    Build(#[source] reqwest::Error),
}

/// Makes a client.
///
/// On a machine without any system certificate authorities the client trusts only `ca_pem`:
/// plain HTTP still works, `https` fails with a certificate error.
///
/// # Errors
/// When `ca_pem` is not empty and holds no certificate, or the TLS set-up fails.
pub fn client(options: &Options) -> Result<reqwest::Client, Error> {
    // Fails only if a provider is already installed, and this is the only place that does so.
    let _ = rustls::crypto::ring::default_provider().install_default();
    let extra = certificates(&options.ca_pem)?;
    let with_system = extra
        .iter()
        .cloned()
        .fold(builder(options), |b, ca| b.add_root_certificate(ca));
    match with_system.build() {
        Ok(client) => Ok(client),
        Err(error) => {
            tracing::debug!(%error, "no system certificate authorities; using only configured ones");
            builder(options)
                .tls_certs_only(extra)
                .build()
                .map_err(Error::Build)
        }
    }
}

#[expect(
    clippy::disallowed_methods,
    reason = "the one constructor that sets limits and TLS, and takes the proxy from the environment"
)]
fn builder(options: &Options) -> reqwest::ClientBuilder {
    let builder = reqwest::Client::builder()
        .user_agent(USER_AGENT)
        .connect_timeout(CONNECT_TIMEOUT)
        .read_timeout(options.silence.unwrap_or(READ_TIMEOUT))
        .redirect(reqwest::redirect::Policy::custom(match options.redirects {
            Redirects::Any => redirect,
            Redirects::SameHost => redirect_within_host,
        }))
        // Reqwest's own reading of the environment; ours follows.
        .no_proxy();
    let builder = match options.reach {
        Reach::Inside => builder,
        Reach::Outside => proxy::proxies(|name| std::env::var(name).ok())
            .into_iter()
            .fold(builder, reqwest::ClientBuilder::proxy)
            .dns_resolver(resolve::Outside),
    };
    match options.timeout {
        Some(timeout) => builder.timeout(timeout),
        None => builder,
    }
}

fn redirect(attempt: reqwest::redirect::Attempt<'_>) -> reqwest::redirect::Action {
    if attempt.previous().len() > MAX_REDIRECTS {
        return attempt.error("too many redirects");
    }
    let from = attempt.previous().last();
    match from.and_then(|from| forbidden(from, attempt.url())) {
        Some(why) => attempt.error(why),
        None => attempt.follow(),
    }
}

/// Why a redirect is not followed.
fn forbidden(from: &reqwest::Url, to: &reqwest::Url) -> Option<&'static str> {
    if from.scheme() == "https" && to.scheme() != "https" {
        return Some("redirected from https to http");
    }
    let [old, new] = [from, to].map(|url| url.host_str().unwrap_or_default());
    let inside = is_internal(new) || is_loopback(new) && !is_loopback(old);
    (inside && old != new).then_some("redirected to what only this machine can see")
}

/// Whether a host, as URLs hold it, is this machine: by its address, or by the name that RFC 6761
/// section 6.3 reserves for it.
pub fn is_loopback(host: &str) -> bool {
    host.eq_ignore_ascii_case("localhost")
        || host.to_ascii_lowercase().ends_with(".localhost")
        || address(host).is_some_and(|address| address.is_loopback() || address.is_unspecified())
}

/// Whether a host, as URLs hold it, is an address where clouds serve machine credentials, or in the
/// link-local ranges, where most of them are; or a name of such an address, which a proxy would resolve.
pub fn is_internal(host: &str) -> bool {
    let name = host.trim_end_matches('.').to_ascii_lowercase();
    let is_named = matches!(name.as_str(), "metadata.google.internal" | "metadata.goog");
    is_named || address(host).is_some_and(is_internal_address)
}

/// The same of an address.
fn is_internal_address(address: IpAddr) -> bool {
    /// Alibaba Cloud's, outside the link-local range.
    const ALIBABA: Ipv4Addr = Ipv4Addr::new(100, 100, 100, 200);
    /// Amazon's over IPv6: of virtual machines (`::254`) and of Kubernetes pods (`::23`).
    const AMAZON: [u16; 7] = [0xfd00, 0xec2, 0, 0, 0, 0, 0];
    /// Google's over IPv6.
    const GOOGLE: Ipv6Addr = Ipv6Addr::new(0xfd20, 0xce, 0, 0, 0, 0, 0, 0x254);
    match address.to_canonical() {
        IpAddr::V4(v4) => v4.is_link_local() || v4 == ALIBABA,
        IpAddr::V6(v6) => {
            v6.is_unicast_link_local() || v6.segments().starts_with(&AMAZON) || v6 == GOOGLE
        }
    }
}

fn address(host: &str) -> Option<IpAddr> {
    let literal = host.trim_start_matches('[').trim_end_matches(']');
    let address: IpAddr = literal.parse().ok()?;
    Some(address.to_canonical())
}

fn redirect_within_host(attempt: reqwest::redirect::Attempt<'_>) -> reqwest::redirect::Action {
    let place = |url: &reqwest::Url| {
        (
            url.host_str().map(str::to_owned),
            url.port_or_known_default(),
        )
    };
    if attempt.previous().last().map(place) == Some(place(attempt.url())) {
        redirect(attempt)
    } else {
        attempt.stop()
    }
}

fn certificates(pem: &[u8]) -> Result<Vec<reqwest::Certificate>, Error> {
    if pem.is_empty() {
        return Ok(Vec::new());
    }
    let certificates =
        reqwest::Certificate::from_pem_bundle(pem).map_err(|error| Error::Ca(Some(error)))?;
    if certificates.is_empty() {
        return Err(Error::Ca(None));
    }
    Ok(certificates)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_client_needs_no_certificates_but_refuses_bad_ones() {
        assert!(client(&Options::default()).is_ok());
        let bad = Options {
            ca_pem: b"not a certificate".to_vec(),
            ..Options::default()
        };
        assert!(matches!(client(&bad), Err(Error::Ca(_))));
    }

    #[test]
    fn redirects_lead_to_no_weaker_or_inner_place() {
        let why = |from: &str, to: &str| forbidden(&from.parse().unwrap(), &to.parse().unwrap());
        for (from, to) in [
            ("https://r.example/v2/", "https://blobs.example/x"),
            ("http://r.example/v2/", "http://r.example:81/x"),
            ("http://r.example/", "https://r.example/"),
            ("http://10.0.0.1/", "http://10.0.0.2/"),
            ("http://localhost:5000/", "http://127.0.0.1:5001/"),
            ("http://169.254.1.1/a", "http://169.254.1.1/b"),
        ] {
            assert_eq!(why(from, to), None, "{from} {to}");
        }
        for (from, to) in [
            ("https://r.example/", "http://r.example/"),
            ("http://r.example/", "http://169.254.169.254/latest"),
            ("http://r.example/", "http://0xA9FEA9FE/latest"),
            ("http://r.example/", "http://[::ffff:169.254.169.254]/"),
            ("http://r.example/", "http://[fd00:ec2::254]/"),
            ("http://r.example/", "http://[fd00:ec2::23]/"),
            ("http://r.example/", "http://[fd20:ce::254]/"),
            ("http://r.example/", "http://Metadata.google.internal./x"),
            ("http://localhost/", "http://100.100.100.200/"),
            ("http://r.example/", "http://localhost:8080/"),
            ("http://r.example/", "http://x.localhost/"),
            ("https://r.example/", "https://[::1]/"),
            ("http://r.example/", "http://0/"),
        ] {
            assert!(why(from, to).is_some(), "{from} {to}");
        }
    }
}
