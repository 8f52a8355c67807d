//! Finding pull requests on Azure DevOps.
//!
//! Invariant: what leaves here is whole: a text from a listing, which may be cut, is read again. Those of
//! forks are never taken for ours.
//!
//! It refuses to change anything.

use std::collections::HashMap;

use reqwest::Method as Http;
use serde::Deserialize;
use serde_json::{Value, json};

use super::AzureDevOps;
use super::answers::{self, Listing, RawPull};
use crate::forge::call::Effort;
use crate::forge::{Error, MAX_ENDED, Pull, Which};

/// How many of a branch's pull requests are looked at, newest first.
const NEWEST: &str = "5";

impl AzureDevOps {
    pub(super) async fn raw(&self, number: u64) -> Result<RawPull, Error> {
        let number = number.to_string();
        self.read(&self.ask(Http::GET, "read a pull request", &["pullrequests", &number]))
            .await
    }

    /// From a listing, with its whole text.
    pub(super) async fn whole(&self, raw: RawPull) -> Result<Pull, Error> {
        if !raw.may_be_cut() {
            return Ok(self.pull(raw));
        }
        let labels = raw.labels.clone();
        let mut whole = self.raw(raw.id).await?;
        if whole.labels.is_empty() {
            whole.labels = labels;
        }
        Ok(self.pull(whole))
    }

    pub(super) async fn active(&self) -> Result<Vec<RawPull>, Error> {
        let ask = self.ask(Http::GET, "list pull requests", &["pullrequests"]);
        let mut active: Vec<RawPull> = self
            .all(ask, &[("searchCriteria.status", "active")])
            .await?;
        active.retain(|raw| !raw.is_from_fork());
        Ok(active)
    }

    pub(super) async fn find_open(&self, prefix: &str) -> Result<Vec<Pull>, Error> {
        let mut pulls = Vec::new();
        for raw in self.active().await? {
            if raw.branch().starts_with(prefix) {
                pulls.push(self.whole(raw).await?);
            }
        }
        Ok(pulls)
    }

    /// A listing may cut the note off, so each that may be cut is read.
    pub(super) async fn find_noted(&self, base: &str, which: Which) -> Result<Vec<Pull>, Error> {
        let mut found = match which {
            Which::Open => self.active().await?,
            Which::Closed | Which::Merged => {
                let status = match which {
                    Which::Merged => "completed",
                    Which::Open | Which::Closed => "abandoned",
                };
                let ask = self
                    .ask(Http::GET, "list pull requests", &["pullrequests"])
                    .query("searchCriteria.status", status)
                    .query("searchCriteria.targetRefName", answers::full(base))
                    .query("$top", MAX_ENDED.to_string());
                self.read::<Listing<RawPull>>(&ask).await?.value
            }
        };
        found.retain(|raw| raw.base() == base && !raw.is_from_fork());
        let mut pulls = Vec::new();
        for raw in found {
            pulls.push(self.whole(raw).await?);
        }
        Ok(which.noted(pulls).collect())
    }

    pub(super) async fn find(
        &self,
        branch: &str,
        base: &str,
        status: &str,
    ) -> Result<Vec<Pull>, Error> {
        let ask = self
            .ask(Http::GET, "find pull requests", &["pullrequests"])
            .query("searchCriteria.status", status)
            .query("searchCriteria.sourceRefName", answers::full(branch))
            .query("searchCriteria.targetRefName", answers::full(base))
            .query("$top", NEWEST);
        let mut found: Listing<RawPull> = self.read(&ask).await?;
        found.value.retain(|raw| !raw.is_from_fork());
        found.value.sort_by_key(|raw| std::cmp::Reverse(raw.id));
        let mut pulls = Vec::new();
        for raw in found.value {
            pulls.push(self.whole(raw).await?);
        }
        Ok(pulls)
    }

    /// The pull requests that have a commit (`commit`) or whose merge made it (`lastMergeCommit`).
    pub(super) async fn pulls_with(
        &self,
        commit: &str,
        types: &[&str],
    ) -> Result<Vec<RawPull>, Error> {
        #[derive(Deserialize)]
        struct Found {
            results: Vec<HashMap<String, Vec<RawPull>>>,
        }
        let queries: Vec<Value> = types
            .iter()
            .map(|kind| json!({"type": kind, "items": [commit]}))
            .collect();
        let ask = self
            .ask(Http::POST, "find pull requests", &["pullrequestquery"])
            .effort(Effort::Read)
            .body(json!({ "queries": queries }));
        let found: Found = self.read(&ask).await?;
        Ok(found
            .results
            .into_iter()
            .flat_map(HashMap::into_values)
            .flatten()
            .collect())
    }

    pub(super) async fn origin(&self, commit: &str, base: &str) -> Result<Option<Pull>, Error> {
        let with = self
            .pulls_with(commit, &["lastMergeCommit", "commit"])
            .await?;
        let mut merged = with
            .into_iter()
            .filter(|raw| raw.is_merged() && raw.base() == base);
        match merged.next() {
            Some(raw) => Ok(Some(self.pull(self.raw(raw.id).await?))),
            None => Ok(None),
        }
    }
}
