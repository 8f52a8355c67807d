//! Finding pull requests on Bitbucket Cloud.
//!
//! Invariant: what leaves here is whole: commit ids are not cut where the forge still has the commit, and
//! who ended it is told. Those of forks are never taken for ours.
//!
//! It refuses to change anything.

use std::collections::HashMap;

use reqwest::Method as Http;

use super::answers::{Activity, Branch, Hash, Listing, RawPull, literal, page};
use super::{BitbucketCloud, OTHERS, PULLS};
use crate::forge::call::Ask;
use crate::forge::{Error, Pull, State, Wanted, Which};

/// How many of a branch's pull requests are looked at: each costs up to three requests, of a thousand an
/// hour.
const NEWEST: &str = "3";

/// Length of a whole commit id, in hex digits.
const WHOLE: usize = 40;

/// What a listing leaves out unless asked ("Partial responses" in the reference).
const ALSO: &str = "+values.reviewers,+values.participants,+values.closed_by";

impl BitbucketCloud {
    pub(super) async fn find_open(&self, prefix: &str) -> Result<Vec<Pull>, Error> {
        let ask = self
            .ask(Http::GET, "list pull requests", &["pullrequests"])
            .query("state", "OPEN")
            .query("fields", ALSO)
            .query("pagelen", PULLS);
        let ask = containing(ask, "source.branch.name", prefix);
        let mut found: Vec<RawPull> = self.caller.all(&ask, page).await?;
        let full_name = self.full_name();
        found.retain(|raw| raw.is_of(&full_name) && raw.branch().starts_with(prefix));
        if found.is_empty() {
            return Ok(Vec::new());
        }
        let heads = self.heads(prefix).await?;
        let mut pulls = Vec::new();
        for raw in found {
            pulls.push(match heads.get(raw.branch()) {
                Some(head) => raw.pull(head.clone(), State::Open),
                None => self.whole(raw).await?,
            });
        }
        Ok(pulls)
    }

    pub(super) async fn find_noted(&self, base: &str, which: Which) -> Result<Vec<Pull>, Error> {
        let state = match which {
            Which::Open => "OPEN",
            Which::Closed => "DECLINED",
            Which::Merged => "MERGED",
        };
        let ask = self
            .ask(Http::GET, "list pull requests", &["pullrequests"])
            .query("state", state)
            .query("q", format!("destination.branch.name = {}", literal(base)))
            .query("sort", "-updated_on")
            .query("fields", ALSO)
            .query("pagelen", PULLS);
        let found: Vec<RawPull> = match which {
            Which::Open => self.caller.all(&ask, page).await?,
            Which::Closed | Which::Merged => {
                self.caller.read::<Listing<RawPull>>(&ask).await?.values
            }
        };
        let full_name = self.full_name();
        let ours = found
            .into_iter()
            .filter(|raw| raw.is_of(&full_name) && raw.note().is_some());
        let mut pulls = Vec::new();
        for raw in ours.take(which.most()) {
            pulls.push(match which {
                Which::Merged => {
                    let (head, state) = (raw.short_head().to_owned(), raw.state(&[], None));
                    raw.pull(head, state)
                }
                Which::Open | Which::Closed => self.whole(raw).await?,
            });
        }
        Ok(pulls)
    }

    /// The whole commit ids of the branches that begin with a prefix.
    async fn heads(&self, prefix: &str) -> Result<HashMap<String, String>, Error> {
        let ask = self
            .ask(Http::GET, "list branches", &["refs", "branches"])
            .query("pagelen", OTHERS);
        let ask = containing(ask, "name", prefix);
        let branches: Vec<Branch> = self.caller.all(&ask, page).await?;
        let heads = branches
            .into_iter()
            .map(|branch| (branch.name, branch.target.hash));
        Ok(heads.collect())
    }

    async fn find(&self, branch: &str, base: &str, states: &[&str]) -> Result<Vec<RawPull>, Error> {
        let ends = format!(
            "source.branch.name = {} AND destination.branch.name = {}",
            literal(branch),
            literal(base)
        );
        let mut ask = self.ask(Http::GET, "find pull requests", &["pullrequests"]);
        for state in states {
            ask = ask.query("state", *state);
        }
        let ask = ask
            .query("q", ends)
            .query("sort", "-created_on")
            .query("fields", ALSO)
            .query("pagelen", NEWEST);
        let listing: Listing<RawPull> = self.caller.read(&ask).await?;
        let full_name = self.full_name();
        let ours = listing
            .values
            .into_iter()
            .filter(|raw| raw.is_of(&full_name));
        Ok(ours.collect())
    }

    pub(super) async fn find_one(&self, wanted: &Wanted) -> Result<Option<RawPull>, Error> {
        let found = self.find(&wanted.branch, &wanted.base, &["OPEN"]).await?;
        Ok(found.into_iter().next())
    }

    pub(super) async fn all_of(&self, branch: &str, base: &str) -> Result<Vec<Pull>, Error> {
        let states = ["OPEN", "MERGED", "DECLINED", "SUPERSEDED"];
        let mut pulls = Vec::new();
        for raw in self.find(branch, base, &states).await? {
            pulls.push(self.whole(raw).await?);
        }
        Ok(pulls)
    }

    pub(super) async fn raw(&self, number: u64) -> Result<RawPull, Error> {
        let number = number.to_string();
        let ask = self.ask(Http::GET, "read a pull request", &["pullrequests", &number]);
        self.caller.read(&ask).await
    }

    /// With what only other requests tell: whole commit ids, and who ended it when.
    pub(super) async fn whole(&self, raw: RawPull) -> Result<Pull, Error> {
        let head = self.expanded(raw.short_head()).await?;
        let merge = match &raw.merge_commit {
            Some(commit) if raw.is_merged() => Some(self.expanded(&commit.hash).await?),
            _ => None,
        };
        let happened = if raw.is_open() {
            Vec::new()
        } else {
            self.newest_activity(raw.id).await?
        };
        let state = raw.state(&happened, merge);
        Ok(raw.pull(head, state))
    }

    /// A whole commit id; the cut one, where the commit is gone.
    async fn expanded(&self, short: &str) -> Result<String, Error> {
        if short.is_empty() || short.len() >= WHOLE {
            return Ok(short.to_owned());
        }
        let ask = self.ask(Http::GET, "read a commit", &["commit", short]);
        let reply = self.caller.ask(&ask.accept(&[404])).await?;
        if reply.status == 404 {
            return Ok(short.to_owned());
        }
        let commit: Hash = reply.json()?;
        Ok(commit.hash)
    }

    /// What happened last: the end of a pull request is there, unless much was said afterwards.
    async fn newest_activity(&self, number: u64) -> Result<Vec<Activity>, Error> {
        let number = number.to_string();
        let ask = self
            .ask(
                Http::GET,
                "read what happened",
                &["pullrequests", &number, "activity"],
            )
            .query("pagelen", PULLS);
        let listing: Listing<Activity> = self.caller.read(&ask).await?;
        Ok(listing.values)
    }

    pub(super) async fn origin(&self, commit: &str, base: &str) -> Result<Option<Pull>, Error> {
        for number in self.pulls_with(commit).await? {
            let raw = self.raw(number).await?;
            if raw.is_merged() && raw.base() == base {
                return self.whole(raw).await.map(Some);
            }
        }
        let ask = self
            .ask(Http::GET, "find pull requests", &["pullrequests"])
            .query("state", "MERGED")
            .query("q", format!("destination.branch.name = {}", literal(base)))
            .query("sort", "-updated_on")
            .query("fields", ALSO)
            .query("pagelen", PULLS);
        let listing: Listing<RawPull> = self.caller.read(&ask).await?;
        let brought = |raw: &RawPull| {
            let merge = raw.merge_commit.as_ref().map(|commit| commit.hash.as_str());
            merge.is_some_and(|merge| !merge.is_empty() && commit.starts_with(merge))
        };
        match listing.values.into_iter().find(brought) {
            Some(raw) => self.whole(raw).await.map(Some),
            None => Ok(None),
        }
    }

    /// The pull requests that have a commit, if the forge has an index of that: it makes one when
    /// somebody first asks for it on its pages, and answers 202 or 404 until then.
    async fn pulls_with(&self, commit: &str) -> Result<Vec<u64>, Error> {
        #[derive(serde::Deserialize)]
        struct Numbered {
            id: u64,
        }
        let ask = self
            .ask(
                Http::GET,
                "find pull requests",
                &["commit", commit, "pullrequests"],
            )
            .accept(&[404]);
        let reply = self.caller.ask(&ask).await?;
        if reply.status != 200 {
            return Ok(Vec::new());
        }
        let listing: Listing<Numbered> = reply.json()?;
        Ok(listing
            .values
            .into_iter()
            .map(|numbered| numbered.id)
            .collect())
    }
}

/// Asks only for what contains a text in a field, which is the nearest to beginning with it.
fn containing<'a>(ask: Ask<'a>, field: &str, text: &str) -> Ask<'a> {
    if text.is_empty() {
        return ask;
    }
    ask.query("q", format!("{field} ~ {}", literal(text)))
}
