//! Walking the pages of a registry's own interface.
//!
//! Invariant: a walk that is newest first ends early only where all that follows is certain to be known:
//! after a page on which nothing changed, or whose last tag was pushed before the earlier listing began.
//! A tag that is deleted or moved during a walk moves others to pages that were read already, so the
//! names of a walk over several pages count only if the registry's own number of tags stayed the same and
//! agrees; else they come from a plain listing.

use std::collections::BTreeMap;
use std::sync::atomic::Ordering;

use jiff::{SignedDuration, Timestamp};
use reqwest::header::DATE;
use reqwest::{Method, Url};

use super::{Listed, NotFast, TagSet, docker_hub, plain};
use crate::image::Tag;
use crate::registry::auth::Session;
use crate::registry::delay;
use crate::registry::exchange::{Authorization, Reply, Request};

/// Tags asked for per page: the most that all these interfaces give.
pub(super) const PAGE: usize = 100;

/// How far a registry's clock and this machine's may be apart; a tag older than the earlier listing by
/// more than this was pushed before it.
const SKEW: SignedDuration = SignedDuration::from_mins(10);

/// A registry's own interface to its tags.
pub(super) trait Interface: Sync {
    /// How a request is signed in.
    fn sign_in(&self) -> SignIn;

    /// The address of a page, numbered from 1, of the session's image.
    fn page(&self, session: &Session<'_>, number: usize) -> Url;

    /// What a page holds.
    fn read(&self, reply: &Reply) -> Result<Page, NotFast>;
}

/// How a request is signed in.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum SignIn {
    /// As to the registry, with leave to do this to the repository.
    Registry(&'static str),
    /// With the account's user and password, if it has them.
    Password,
    /// With a token that Docker Hub gives for the account's user and password, if it has them.
    DockerHub,
    /// Not at all.
    Nobody,
}

/// A page.
#[derive(Debug, Default)]
pub(super) struct Page {
    /// Its tags, with the time that they are ordered by.
    pub(super) entries: Vec<(Listed, Timestamp)>,
    /// How many of its names are no tags.
    pub(super) invalid: usize,
    /// What follows.
    pub(super) next: Next,
    /// How many tags there are in all, if it says.
    pub(super) total: Option<usize>,
}

/// The page after a page.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) enum Next {
    /// There is none.
    #[default]
    End,
    /// The one with the next number.
    Number,
    /// The one at this address, which is the registry's.
    At(Url),
}

/// What a walk found.
struct Walk {
    found: BTreeMap<Tag, Listed>,
    invalid: usize,
    /// The registry's own number of tags; none if it says none, or several.
    total: Option<usize>,
    pages: usize,
    end: End,
}

/// What a page says of a tag, beside what is known.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum News {
    /// What is known already.
    Same,
    /// The tag was pushed before the earlier listing began, and is in it.
    Old,
    /// It was pushed since.
    New,
    /// It was pushed before the earlier listing began, and isn't in it.
    Missed,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum End {
    /// The last page.
    Whole,
    /// A page after which all is known.
    Early,
}

/// The set by an interface that lists the newest first.
pub(super) async fn newest(
    session: &Session<'_>,
    interface: &dyn Interface,
    earlier: Option<&TagSet>,
    times: bool,
    now: Timestamp,
) -> Result<Option<TagSet>, NotFast> {
    let known = earlier.filter(|set| !times || set.is_timed());
    if known.is_none() && !times {
        return Ok(None);
    }
    let walk = walk(session, interface, known, true).await?;
    let found: Vec<Listed> = walk.found.into_values().collect();
    let requests = session.sender.sent.load(Ordering::Relaxed);
    let set = match (walk.end, known) {
        (End::Early, Some(known)) => known.with(found.clone(), now, requests),
        _ => TagSet {
            invalid_count: walk.invalid,
            ..TagSet::of(found.clone(), now, requests)
        },
    };
    let is_certain = match walk.total {
        Some(total) => total == set.listed.len() + set.invalid_count,
        None => walk.pages == 1,
    };
    // An interface that hides tags from those who may not see them shows none.
    if is_certain && !set.listed.is_empty() {
        return Ok(Some(set));
    }
    attach(session, found, now).await.map(Some)
}

/// The names of a plain listing with the records of an interface that has no order to rely on.
pub(super) async fn records(
    session: &Session<'_>,
    interface: &dyn Interface,
    now: Timestamp,
) -> Result<Option<TagSet>, NotFast> {
    let walk = walk(session, interface, None, false).await?;
    let found = walk.found.into_values().collect();
    attach(session, found, now).await.map(Some)
}

async fn attach(
    session: &Session<'_>,
    found: Vec<Listed>,
    now: Timestamp,
) -> Result<TagSet, NotFast> {
    let set = plain(session, now).await?;
    let requests = session.sender.sent.load(Ordering::Relaxed);
    Ok(set.recording(found, requests))
}

async fn walk(
    session: &Session<'_>,
    interface: &dyn Interface,
    known: Option<&TagSet>,
    is_ordered: bool,
) -> Result<Walk, NotFast> {
    let limits = session.sender.limits;
    let mut walk = Walk {
        found: BTreeMap::new(),
        invalid: 0,
        total: None,
        pages: 0,
        end: End::Whole,
    };
    let mut url = interface.page(session, 1);
    let mut last: Option<Timestamp> = None;
    loop {
        let reply = fetch(session, interface, url).await?;
        if !agrees(&reply, session.sender.clock.now()) {
            return Err(NotFast::Reply("its clock and this machine's differ"));
        }
        let page = interface.read(&reply)?;
        walk.pages += 1;
        walk.invalid += page.invalid;
        walk.total = match walk.pages {
            1 => page.total,
            _ => walk.total.filter(|total| page.total == Some(*total)),
        };
        let is_new = |listed: &Listed| !walk.found.contains_key(&listed.tag);
        let new = page.entries.iter().filter(|(listed, _)| is_new(listed));
        let new = new.count();
        if is_ordered {
            for (_, time) in &page.entries {
                if last.is_some_and(|last| last < *time) {
                    return Err(NotFast::Reply("its tags are not ordered by time"));
                }
                last = Some(*time);
            }
        }
        let is_enough = known.is_some_and(|known| is_enough(&page.entries, known));
        for (listed, _) in page.entries {
            // The first of two is the newer one.
            walk.found.entry(listed.tag.clone()).or_insert(listed);
        }
        if walk.found.len() > limits.tags || walk.pages >= limits.pages as usize {
            return Err(NotFast::Reply("it has too many tags"));
        }
        url = match page.next {
            Next::End => return Ok(walk),
            _ if is_enough => {
                walk.end = End::Early;
                return Ok(walk);
            }
            _ if new == 0 => return Err(NotFast::Reply("its pages lead nowhere")),
            Next::Number => interface.page(session, walk.pages + 1),
            Next::At(url) if url.origin() == reply.url.origin() => url,
            Next::At(_) => return Err(NotFast::Reply("its pages lead to another server")),
        };
    }
}

/// Whether the clock of the server, as it must tell it with each reply (RFC 9110 section 6.6.1), is near
/// enough to this machine's for their times to be compared.
fn agrees(reply: &Reply, now: Timestamp) -> bool {
    let date = reply.headers.get(DATE).and_then(|date| date.to_str().ok());
    let date = date.and_then(delay::date);
    // Half of what is allowed for: the clocks may drift apart between two listings.
    date.is_some_and(|date| date.duration_since(now).abs() <= SKEW / 2)
}

/// Whether all that follows a page is known.
fn is_enough(entries: &[(Listed, Timestamp)], known: &TagSet) -> bool {
    let news: Vec<News> = entries
        .iter()
        .map(|(listed, time)| news(listed, *time, known))
        .collect();
    let is_unchanged = news.iter().all(|n| matches!(n, News::Same | News::Old));
    let ends_old = news.last() == Some(&News::Old);
    !news.is_empty() && !news.contains(&News::Missed) && (is_unchanged || ends_old)
}

fn news(listed: &Listed, time: Timestamp, known: &TagSet) -> News {
    let is_old = known.began.duration_since(time) > SKEW;
    match known.get(&listed.tag) {
        Some(_) if is_old => News::Old,
        None if is_old => News::Missed,
        Some(before)
            if listed.digest.is_some()
                && before.pushed.is_some()
                && (&before.digest, before.pushed) == (&listed.digest, listed.pushed) =>
        {
            News::Same
        }
        _ => News::New,
    }
}

async fn fetch(
    session: &Session<'_>,
    interface: &dyn Interface,
    url: Url,
) -> Result<Reply, NotFast> {
    let most = session.sender.limits.page_bytes;
    let host = url.host_str().unwrap_or_default().to_owned();
    let request = Request::new(Method::GET, url, host, most);
    let reply = match interface.sign_in() {
        SignIn::Registry(actions) => session.send_to(actions, request).await?,
        SignIn::Password => session.send_with_password(request).await?,
        SignIn::DockerHub => {
            let token = docker_hub::token(session).await?;
            let authorization = token.map_or(Authorization::None, Authorization::Bearer);
            let request = Request {
                authorization,
                ..request
            };
            session.sender.send(&request).await?
        }
        SignIn::Nobody => session.sender.send(&request).await?,
    };
    match reply.status.as_u16() {
        200 => Ok(reply),
        status => Err(NotFast::Status(status)),
    }
}

/// The JSON of a reply.
pub(super) fn json<T: serde::de::DeserializeOwned>(reply: &Reply) -> Result<T, NotFast> {
    serde_json::from_slice(&reply.body)
        .map_err(|_| NotFast::Reply("it answers with something else than its own JSON"))
}
