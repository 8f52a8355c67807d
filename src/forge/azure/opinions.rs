//! What is said of commits and of pull requests on Azure DevOps: statuses and votes.
//!
//! Invariant: a status goes to the commit and to the iteration of each open pull request that is at it,
//! since branch policies ask for the latter; one of an older head says nothing of a newer one.
//!
//! It refuses to read what builds that a branch policy starts say: they are about a merge that is tried,
//! and no commit of anybody's.
//!
//! Source: "Statuses", "Pull Request Statuses", "Pull Request Iterations", "Pull Request Threads" and
//! "Pull Request Reviewers" in the reference of Azure DevOps' REST API.

use reqwest::Method as Http;
use serde_json::{Value, json};

use super::AzureDevOps;
use super::answers::{self, Iteration, Listing, RawStatus, Thread};
use crate::forge::call::Effort;
use crate::forge::{Checks, Error, Pull, Review, Status};

/// Statuses of one commit: more than anybody sets.
const MOST_STATUSES: &str = "1000";

impl AzureDevOps {
    /// Says it of the commit, and of each open pull request that is at it.
    pub(super) async fn say(&self, commit: &str, status: &Status) -> Result<(), Error> {
        let said = answers::status(status);
        let of_commit = self.statuses(commit).await?;
        self.say_at(&["commits", commit, "statuses"], &said, &of_commit)
            .await?;
        for number in self.pulls_at(commit).await? {
            let iterations = self.iterations(number).await?;
            let Some(iteration) = iterations.iter().rfind(|one| one.is_at(commit)) else {
                continue;
            };
            let mut said = said.clone();
            said["iterationId"] = json!(iteration.id);
            let number = number.to_string();
            let place = ["pullrequests", &number, "statuses"];
            let ask = self.ask(Http::GET, "read statuses", &place);
            let of_pull: Listing<RawStatus> = self.read(&ask).await?;
            self.say_at(&place, &said, &of_pull.value).await?;
        }
        Ok(())
    }

    async fn say_at(&self, place: &[&str], said: &Value, known: &[RawStatus]) -> Result<(), Error> {
        if answers::is_said(known, said) {
            return Ok(());
        }
        let ask = self.ask(Http::POST, "set a status", place);
        let ask = ask.effort(Effort::Write).body(said.clone());
        self.send(&ask).await.map(drop)
    }

    async fn statuses(&self, commit: &str) -> Result<Vec<RawStatus>, Error> {
        let ask = self
            .ask(Http::GET, "read statuses", &["commits", commit, "statuses"])
            .query("latestOnly", "true")
            .query("top", MOST_STATUSES);
        let statuses: Listing<RawStatus> = self.read(&ask).await?;
        Ok(statuses.value)
    }

    /// The open pull requests that may be at a commit. What they say of their heads may be some seconds
    /// old, so that the index of commits is asked where none says so.
    async fn pulls_at(&self, commit: &str) -> Result<Vec<u64>, Error> {
        let active = self.active().await?;
        let at: Vec<u64> = active
            .iter()
            .filter(|raw| raw.head() == commit)
            .map(|raw| raw.id)
            .collect();
        if !at.is_empty() {
            return Ok(at);
        }
        let with = self.pulls_with(commit, &["commit"]).await?;
        Ok(with
            .iter()
            .filter(|raw| raw.is_open())
            .map(|raw| raw.id)
            .collect())
    }

    pub(super) async fn said(&self, commit: &str, but: &str) -> Result<Checks, Error> {
        let statuses = self.statuses(commit).await?;
        let told = statuses.iter().filter_map(RawStatus::told);
        Ok(Checks::but(but, told))
    }

    async fn iterations(&self, number: u64) -> Result<Vec<Iteration>, Error> {
        let number = number.to_string();
        let ask = self.ask(
            Http::GET,
            "read what was pushed",
            &["pullrequests", &number, "iterations"],
        );
        let iterations: Listing<Iteration> = self.read(&ask).await?;
        Ok(iterations.value)
    }

    pub(super) async fn opinions(&self, pull: &Pull) -> Result<Vec<Review>, Error> {
        let raw = self.raw(pull.number).await?;
        let number = pull.number.to_string();
        let ask = self.ask(
            Http::GET,
            "read comments",
            &["pullrequests", &number, "threads"],
        );
        let threads: Listing<Thread> = self.read(&ask).await?;
        let iterations = self.iterations(pull.number).await?;
        Ok(raw.reviews(&threads.value, &iterations))
    }

    pub(super) async fn dismissed(&self, pull: &Pull, why: &str) -> Result<(), Error> {
        let raw = self.raw(pull.number).await?;
        let approvers = raw.approvers();
        if approvers.is_empty() {
            return Ok(());
        }
        let votes: Vec<Value> = approvers
            .iter()
            .map(|id| json!({"id": id, "vote": 0}))
            .collect();
        let number = pull.number.to_string();
        let ask = self
            .ask(
                Http::PATCH,
                "reset votes",
                &["pullrequests", &number, "reviewers"],
            )
            .body(Value::Array(votes));
        self.send(&ask).await?;
        self.comment(pull.number, why).await
    }
}
