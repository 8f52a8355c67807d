//! Finding pull requests on Bitbucket Data Center.
//!
//! Invariant: what leaves here is whole: who ended it, or whether it will be merged by itself. Those of forks
//! and those into other repositories are never taken for ours.
//!
//! It refuses to change anything.

use reqwest::Method as Http;

use super::answers::{self, Activity, AutoMerge, Listing, RawPull};
use super::{BitbucketDataCenter, PAGE};
use crate::forge::{Error, Pull, Which};

/// How many of a branch's pull requests are looked at, newest first.
const NEWEST: &str = "5";

impl BitbucketDataCenter {
    pub(super) async fn find_open(&self, prefix: &str) -> Result<Vec<Pull>, Error> {
        let ask = self.ask(Http::GET, "list pull requests", &["pull-requests"]);
        let found: Vec<RawPull> = self.all(ask, &[("state", "OPEN")]).await?;
        let mut pulls = Vec::new();
        for raw in found {
            if raw.is_of_one_repository() && raw.branch().starts_with(prefix) {
                pulls.push(self.whole(raw).await?);
            }
        }
        Ok(pulls)
    }

    pub(super) async fn find_noted(&self, base: &str, which: Which) -> Result<Vec<Pull>, Error> {
        let what = "list pull requests";
        let ask = self
            .ask(Http::GET, what, &["pull-requests"])
            .query("at", answers::full(base));
        let found: Vec<RawPull> = match which {
            Which::Open => self.all(ask, &[("state", "OPEN")]).await?,
            Which::Closed | Which::Merged => {
                let state = match which {
                    Which::Merged => "MERGED",
                    Which::Open | Which::Closed => "DECLINED",
                };
                let ask = ask
                    .query("state", state)
                    .query("order", "NEWEST")
                    .query("limit", PAGE);
                self.caller.read::<Listing<RawPull>>(&ask).await?.values
            }
        };
        let ours = found
            .into_iter()
            .filter(|raw| raw.is_of_one_repository() && raw.base() == base && raw.note().is_some());
        let mut pulls = Vec::new();
        for raw in ours.take(which.most()) {
            pulls.push(match which {
                Which::Merged => raw.pull(false, &[]),
                Which::Open | Which::Closed => self.whole(raw).await?,
            });
        }
        Ok(pulls)
    }

    pub(super) async fn all_of(&self, branch: &str, base: &str) -> Result<Vec<Pull>, Error> {
        let ask = self
            .ask(Http::GET, "find pull requests", &["pull-requests"])
            .query("state", "ALL")
            .query("direction", "OUTGOING")
            .query("at", answers::full(branch))
            .query("order", "NEWEST")
            .query("limit", NEWEST);
        let listing: Listing<RawPull> = self.caller.read(&ask).await?;
        let mut pulls = Vec::new();
        for raw in listing.values {
            if raw.is_of_one_repository() && raw.base() == base {
                pulls.push(self.whole(raw).await?);
            }
        }
        pulls.sort_by_key(|pull| std::cmp::Reverse(pull.number));
        Ok(pulls)
    }

    pub(super) async fn raw(&self, number: u64) -> Result<RawPull, Error> {
        let number = number.to_string();
        let ask = self.ask(
            Http::GET,
            "read a pull request",
            &["pull-requests", &number],
        );
        self.caller.read(&ask).await
    }

    /// With what only other requests tell: who ended it, or whether it will be merged by itself.
    pub(super) async fn whole(&self, raw: RawPull) -> Result<Pull, Error> {
        if raw.is_open() {
            let is_wished = self.wished(raw.id).await?.as_deref() == Some(raw.head());
            return Ok(raw.pull(is_wished, &[]));
        }
        let number = raw.id.to_string();
        let ask = self
            .ask(
                Http::GET,
                "read what happened",
                &["pull-requests", &number, "activities"],
            )
            .query("limit", PAGE);
        // Newest first: the end is on the first page, unless much was said afterwards.
        let happened: Listing<Activity> = self.caller.read(&ask).await?;
        Ok(raw.pull(false, &happened.values))
    }

    /// The commit that will be merged by itself, if one will.
    pub(super) async fn wished(&self, number: u64) -> Result<Option<String>, Error> {
        let number = number.to_string();
        let ask = self
            .ask(
                Http::GET,
                "read a pull request",
                &["pull-requests", &number, "auto-merge"],
            )
            .accept(&[404]);
        let reply = self.caller.ask(&ask).await?;
        if reply.status != 200 || reply.body.is_empty() {
            return Ok(None);
        }
        let wish: AutoMerge = reply.json()?;
        Ok(Some(wish.from_hash).filter(|hash| !hash.is_empty()))
    }

    pub(super) async fn origin(&self, commit: &str, base: &str) -> Result<Option<Pull>, Error> {
        let what = "find pull requests";
        let ask = self
            .ask(Http::GET, what, &["commits", commit, "pull-requests"])
            .query("limit", PAGE)
            .accept(&[404]);
        let reply = self.caller.ask(&ask).await?;
        let mut found = None;
        if reply.status == 200 {
            let with: Listing<RawPull> = reply.json()?;
            let mut with = with.values.into_iter();
            found = with.find(|raw| raw.is_merged() && raw.base() == base);
        }
        if found.is_none() {
            // A commit that the merge made is none of the pull request's own.
            let ask = self
                .ask(Http::GET, what, &["pull-requests"])
                .query("state", "MERGED")
                .query("at", answers::full(base))
                .query("order", "NEWEST")
                .query("limit", PAGE);
            let merged: Listing<RawPull> = self.caller.read(&ask).await?;
            let mut merged = merged.values.into_iter();
            found = merged.find(|raw| raw.merge_commit() == Some(commit));
        }
        match found {
            Some(raw) => self.whole(raw).await.map(Some),
            None => Ok(None),
        }
    }
}
