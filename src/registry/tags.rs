//! Listing: from page to page to the end of an image's tags.
//!
//! Invariant: it ends, and it ends with all tags or an error. Every request goes to the registry's own
//! origin, no address is asked twice in a sweep, there are at most three sweeps, and pages, tags and
//! bytes are bounded.
//!
//! Source: OCI distribution spec v1.1, "Listing Tags", and how registries depart from it:
//!
//! * Links are absolute or relative; behind proxies they name `http` or an outer path, and those of
//!   virtual repositories lack the repository's prefix. So a link with a `last` to another path is
//!   turned into one to the path that worked, and an opaque one that fails is tried that way too.
//! * Some registries ignore `n` and `last`, some page without a link. So a full page without a link
//!   is asked about once more, and a reply with nothing new is the end.
//! * Some refuse our page size, and some a page after a tag that has been deleted meanwhile. So there
//!   may be one sweep with the registry's own size, and one more from the start.

use std::collections::HashSet;

use reqwest::header::LINK;
use reqwest::{Method, StatusCode, Url};

use super::auth::Session;
use super::exchange::{Reply, Request};
use super::limits::PAGE_SIZE;
use super::page::{Gathered, Page, Unusable};
use super::{Fault, Listing, words};
use crate::http::link;

/// Most warnings kept of a whole listing.
const MAX_WARNINGS: usize = 20;

/// All tags of the session's image.
pub(super) async fn list(session: &Session<'_>) -> Result<Listing, Fault> {
    let mut size = PageSize::Ours;
    let mut has_restarted = false;
    loop {
        match sweep(session, size).await {
            Err(Stop::Size(_)) if size == PageSize::Ours => size = PageSize::Theirs,
            Err(Stop::Place(_)) if !has_restarted => has_restarted = true,
            Err(Stop::Size(fault) | Stop::Place(fault) | Stop::Fault(fault)) => return Err(fault),
            Ok(listing) => return Ok(listing),
        }
    }
}

/// How many tags a page is to have.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum PageSize {
    /// [`PAGE_SIZE`].
    Ours,
    /// As many as the registry likes.
    Theirs,
}

/// Why a sweep ended early.
enum Stop {
    /// The registry refuses the page size, as distribution 3 does above its `tags.maxtags`.
    Size(Fault),
    /// The registry doesn't know the tag that a page starts after, as zot doesn't once it is deleted.
    Place(Fault),
    /// Anything else, which another sweep wouldn't help.
    Fault(Fault),
}

impl From<Fault> for Stop {
    fn from(fault: Fault) -> Self {
        Self::Fault(fault)
    }
}

/// All tags, from the first page on.
async fn sweep(session: &Session<'_>, size: PageSize) -> Result<Listing, Stop> {
    let limits = session.sender.limits;
    let mut gathered = Gathered::default();
    let mut warnings = Vec::new();
    let mut asked = HashSet::new();
    let mut bytes = 0;
    let mut next = Some(Next {
        url: first_page(session, size),
        other: None,
    });
    while let Some(page) = next.take() {
        if asked.len() >= limits.pages as usize {
            let reason = format!("more than {} pages", limits.pages);
            return Err(incomplete(session, reason).into());
        }
        if !asked.insert(page.url.clone()) {
            return Err(page_loop(session).into());
        }
        let most = limits.page_bytes.min(limits.listing_bytes - bytes);
        let reply = fetch(session, page, asked.len() == 1, most).await?;
        bytes += reply.body.len();
        for warning in words::warnings(&reply.headers) {
            if warnings.len() < MAX_WARNINGS && !warnings.contains(&warning) {
                warnings.push(warning);
            }
        }
        let page = gathered
            .add(&reply.body, limits.tags)
            .map_err(|unusable| fault(&reply, unusable, limits.tags))?;
        next = follow(session, size, &reply, &page)?;
    }
    Ok(Listing {
        warnings,
        requests: session
            .sender
            .sent
            .load(std::sync::atomic::Ordering::Relaxed),
        ..gathered.finish()
    })
}

/// The page to ask for, and the other way to ask if that fails.
#[derive(Debug, PartialEq, Eq)]
struct Next {
    url: Url,
    other: Option<Url>,
}

fn first_page(session: &Session<'_>, size: PageSize) -> Url {
    let mut url = session.origin.clone();
    url.set_path(&format!("/v2/{}/tags/list", session.image.repository()));
    if size == PageSize::Ours {
        url.set_query(Some(&format!("n={PAGE_SIZE}")));
    }
    url
}

/// The page after the tag `last`; `n` is the size that a link asked for.
fn page_after(session: &Session<'_>, size: PageSize, n: Option<&str>, last: &str) -> Url {
    let mut url = first_page(session, size);
    if let Some(n) = n {
        url.query_pairs_mut().clear().append_pair("n", n);
    }
    url.query_pairs_mut().append_pair("last", last);
    url
}

async fn fetch(
    session: &Session<'_>,
    page: Next,
    is_first: bool,
    most: usize,
) -> Result<Reply, Stop> {
    let request = |url| Request::new(Method::GET, url, session.image.registry(), most);
    let mut result = session.send(request(page.url)).await;
    if let Some(other) = page.other
        && is_refusal(&result)
    {
        result = session.send(request(other)).await;
    }
    let reply = result?;
    match reply.status {
        StatusCode::OK if reply.is_web_page() => {
            let reason = "it sends a web page instead of a list of tags";
            Err(reply.not_a_registry(reason).into())
        }
        StatusCode::OK => Ok(reply),
        StatusCode::NOT_FOUND if is_first => {
            let (said, host) = (reply.said(), reply.host);
            Err(Fault::NotFound { host, said }.into())
        }
        StatusCode::BAD_REQUEST if is_first && refuses_size(&reply) => {
            Err(Stop::Size(reply.unexpected()))
        }
        _ if is_first => Err(reply.unexpected().into()),
        status => {
            let reason = format!("a page has status {}{}", status.as_u16(), reply.said());
            let fault = incomplete(session, reason);
            Err(match status {
                StatusCode::NOT_FOUND => Stop::Place(fault),
                _ => Stop::Fault(fault),
            })
        }
    }
}

/// Whether it is the page size that was wrong: distribution's own error code, not of the specification.
fn refuses_size(reply: &Reply) -> bool {
    memchr::memmem::find(&reply.body, b"PAGINATION_NUMBER_INVALID").is_some()
}

/// Whether a link was wrong: the server is there, and doesn't want the request.
fn is_refusal(result: &Result<Reply, Fault>) -> bool {
    match result {
        Ok(reply) => reply.status.is_client_error(),
        Err(fault) => matches!(fault, Fault::Unauthorized { .. } | Fault::Forbidden { .. }),
    }
}

/// The page after this one, if there is one.
fn follow(
    session: &Session<'_>,
    size: PageSize,
    reply: &Reply,
    page: &Page,
) -> Result<Option<Next>, Fault> {
    let values: Vec<_> = reply
        .headers
        .get_all(LINK)
        .iter()
        .map(|value| std::str::from_utf8(value.as_bytes()))
        .collect::<Result<_, _>>()
        .map_err(|_| incomplete(session, link::Malformed.to_string()))?;
    let target =
        link::next(values).map_err(|malformed| incomplete(session, malformed.to_string()))?;
    match target {
        Some(_) if page.names > 0 && page.new == 0 => Err(page_loop(session)),
        Some(target) => linked(session, size, reply, page, target).map(Some),
        None if size == PageSize::Ours && page.names == PAGE_SIZE && page.new > 0 => {
            let last = page.last.as_deref().ok_or_else(|| {
                incomplete(session, "a full page ends with an overlong name".to_owned())
            })?;
            let url = page_after(session, size, None, last);
            Ok(Some(Next { url, other: None }))
        }
        None => Ok(None),
    }
}

/// Where a link leads, kept to the registry's origin.
fn linked(
    session: &Session<'_>,
    size: PageSize,
    reply: &Reply,
    page: &Page,
    target: &str,
) -> Result<Next, Fault> {
    let wrong = |reason: &str| {
        let target = words::clean(target);
        incomplete(
            session,
            format!("the link to the next page, `{target}`, {reason}"),
        )
    };
    let link = reply.url.join(target).map_err(|_| wrong("is not a URL"))?;
    if link.origin() != reply.url.origin() && !lost_its_tls(&link, &reply.url) {
        return Err(wrong("leads to another server"));
    }
    let value = |name: &str| {
        link.query_pairs()
            .find(|(known, value)| known == name && !value.is_empty())
            .map(|(_, value)| value.into_owned())
    };
    let n = value("n").filter(|n| n.bytes().all(|byte| byte.is_ascii_digit()));
    let last = value("last").or_else(|| page.last.clone());
    let rebuilt = last.map(|last| page_after(session, size, n.as_deref(), &last));
    let mut url = first_page(session, size);
    let elsewhere = reply.url.origin() != session.origin.origin();
    if (elsewhere || link.path() != url.path())
        && let (Some(url), Some(_)) = (&rebuilt, value("last"))
    {
        let url = url.clone();
        return Ok(Next { url, other: None });
    }
    if elsewhere {
        return Err(wrong("leads to another server"));
    }
    url.set_path(link.path());
    url.set_query(link.query());
    let other = rebuilt.filter(|rebuilt| *rebuilt != url);
    Ok(Next { url, other })
}

/// Whether a link names `http` for a server that was asked over TLS, as servers do that don't know of
/// the proxy in front of them; it is followed over TLS.
fn lost_its_tls(link: &Url, asked: &Url) -> bool {
    link.scheme() == "http"
        && asked.scheme() == "https"
        && link.host_str() == asked.host_str()
        && link.port().is_none()
        && asked.port().is_none()
}

fn fault(reply: &Reply, unusable: Unusable, most_tags: usize) -> Fault {
    let host = reply.host.clone();
    match unusable {
        Unusable::Cut => Fault::Interrupted { host },
        Unusable::NotAList(reason) => reply.not_a_registry(reason),
        Unusable::TooMany => Fault::TooLarge {
            host,
            limit: format!("{most_tags} tags"),
        },
    }
}

fn incomplete(session: &Session<'_>, reason: String) -> Fault {
    Fault::IncompleteListing {
        host: session.image.registry().to_owned(),
        reason,
    }
}

fn page_loop(session: &Session<'_>) -> Fault {
    Fault::PageLoop {
        host: session.image.registry().to_owned(),
    }
}
