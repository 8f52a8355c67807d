//! Bitbucket Data Center and Server, REST API 1.0 (`latest`).
//!
//! Invariant: what changes a pull request names the version that it was read at; where that is no longer
//! the newest, it is read again once and what still differs is sent. An edit sends back the reviewers that
//! are there, since those that are left out are taken away.
//!
//! It can't label, sign commits, or take back approvals of others: the API has no way. Drafts need 8.18,
//! merging by itself 8.15; before, such a merge happens once all is there when it is asked for.
//!
//! Source: "Bitbucket Data Center REST API", developer.atlassian.com/server/bitbucket/rest.

mod answers;
mod find;

use std::sync::Arc;

use reqwest::Method as Http;
use serde::de::DeserializeOwned;
use serde_json::{Value, json};

use super::call::{Ask, Caller, Effort, Page, Reply};
use super::strangers::Strangers;
use super::{
    Abilities, Answer, Checks, Committed, Error, Forge, Merge, Method, NewCommit, Pull, Review,
    Settings, Status, Wanted, Which, atlassian, body,
};
use answers::{Activity, Listing, Mergeable, RawPull, Refusal};
use atlassian::Build;

/// Things on a page; the server may give fewer.
const PAGE: &str = "100";

/// Longest key of a build status, in characters.
const MAX_KEY: usize = 255;

/// A repository on Bitbucket Data Center.
struct BitbucketDataCenter {
    caller: Caller,
    strangers: Strangers,
    project: String,
    repository: String,
    /// The repository's page.
    page: String,
}

/// The repository `PROJECT/NAME`; the interface's root ends with `/rest`.
///
/// # Errors
/// When no HTTP client can be made.
pub(super) fn open(settings: &Settings) -> Result<Arc<dyn Forge>, Error> {
    Ok(Arc::new(BitbucketDataCenter::new(settings)?))
}

impl BitbucketDataCenter {
    fn new(settings: &Settings) -> Result<Self, Error> {
        let (project, repository) = settings.repository.split_once('/').unwrap_or_default();
        let root = settings.api.as_str().trim_end_matches('/');
        let root = root.strip_suffix("/rest").unwrap_or(root);
        Ok(Self {
            caller: atlassian::caller(settings)?,
            strangers: Strangers::default(),
            project: project.to_owned(),
            repository: repository.to_owned(),
            page: format!("{root}/projects/{project}/repos/{repository}"),
        })
    }

    fn ask<'a>(&'a self, method: Http, what: &'a str, rest: &[&'a str]) -> Ask<'a> {
        let mut segments = vec![
            "api",
            "latest",
            "projects",
            &self.project,
            "repos",
            &self.repository,
        ];
        segments.extend(rest);
        Ask::new(method, what, &segments)
    }

    /// All of a listing; the reply tells where the next page starts.
    async fn all<T: DeserializeOwned>(
        &self,
        ask: Ask<'_>,
        query: &[(&'static str, &str)],
    ) -> Result<Vec<T>, Error> {
        let of = |start: u64| {
            let start = start.to_string();
            let place = [("limit", PAGE), ("start", start.as_str())];
            self.caller.query(query.iter().copied().chain(place))
        };
        let page = |reply: &Reply| {
            let listing: Listing<T> = reply.json()?;
            Ok(Page {
                next: listing.next().map(of),
                items: listing.values,
            })
        };
        let ask = query
            .iter()
            .fold(ask, |ask, (name, value)| ask.query(name, *value));
        self.caller.all(&ask.query("limit", PAGE), page).await
    }

    async fn opened(&self, wanted: &Wanted) -> Result<Pull, Error> {
        let mut reviewers: Vec<&str> = wanted.reviewers.iter().map(String::as_str).collect();
        reviewers.retain(|name| !self.strangers.has(name));
        loop {
            let ask = self
                .ask(Http::POST, "open a pull request", &["pull-requests"])
                .accept(&[409])
                .body(answers::new_pull(wanted, &reviewers));
            let reply = self.caller.ask(&ask).await?;
            if reply.status != 409 {
                return self.whole(reply.json()?).await;
            }
            let mut refusal = Refusal::of(&reply);
            if refusal.is("DuplicatePullRequestException")
                && let Some(raw) = refusal.existing()
            {
                return self.whole(raw).await;
            }
            if !self.without_refused(&refusal, &mut reviewers) {
                return Err(reply.refusal());
            }
        }
    }

    async fn edited(&self, pull: &Pull, wanted: &Wanted) -> Result<Pull, Error> {
        let mut raw = self.raw(pull.number).await?;
        let mut missing = raw.missing(wanted);
        missing.retain(|name| !self.strangers.has(name));
        let mut is_second = false;
        while raw.is_open() && !(missing.is_empty() && raw.says(wanted)) {
            let number = pull.number.to_string();
            let ask = self
                .ask(
                    Http::PUT,
                    "edit a pull request",
                    &["pull-requests", &number],
                )
                .accept(&[409])
                .body(raw.change(wanted, &missing));
            let reply = self.caller.ask(&ask).await?;
            if reply.status != 409 {
                return self.whole(reply.json()?).await;
            }
            if self.without_refused(&Refusal::of(&reply), &mut missing) {
                continue;
            }
            if is_second {
                return Err(reply.refusal());
            }
            is_second = true;
            raw = self.raw(pull.number).await?;
        }
        self.whole(raw).await
    }

    /// Leaves those reviewers out that were refused; false if none was.
    fn without_refused(&self, refusal: &Refusal, reviewers: &mut Vec<&str>) -> bool {
        let before = reviewers.len();
        reviewers.retain(|name| {
            let reason = refusal.of_reviewer(name);
            if let Some(reason) = &reason {
                self.strangers.add(name, reason);
            }
            reason.is_none()
        });
        reviewers.len() < before
    }

    /// The comment comes last: one that fails is never doubled by another try.
    async fn declined(&self, pull: &Pull, comment: &str) -> Result<(), Error> {
        let number = pull.number.to_string();
        if !self.decline(pull, &number).await? {
            return Ok(());
        }
        let ask = self
            .ask(
                Http::POST,
                "comment on a pull request",
                &["pull-requests", &number, "comments"],
            )
            .body(json!({"text": comment}));
        self.caller.ask(&ask).await.map(drop)
    }

    /// Whether it was open until now.
    async fn decline(&self, pull: &Pull, number: &str) -> Result<bool, Error> {
        let known = pull
            .handle
            .as_deref()
            .and_then(|version| version.parse().ok());
        let mut version: u64 = match known {
            Some(version) => version,
            None => self.raw(pull.number).await?.version,
        };
        loop {
            let ask = self
                .ask(
                    Http::POST,
                    "decline a pull request",
                    &["pull-requests", number, "decline"],
                )
                .query("version", version.to_string())
                .accept(&[409])
                .body(json!({"version": version}));
            let reply = self.caller.ask(&ask).await?;
            if reply.status != 409 {
                return Ok(true);
            }
            let raw = self.raw(pull.number).await?;
            if !raw.is_open() {
                return Ok(false);
            }
            // One try more, unless the version that was read just now is not the newest either.
            if known != Some(version) || raw.version == version {
                return Err(reply.refusal());
            }
            version = raw.version;
        }
    }

    async fn opinions(&self, pull: &Pull) -> Result<Vec<Review>, Error> {
        let raw = self.raw(pull.number).await?;
        let number = pull.number.to_string();
        let ask = self.ask(
            Http::GET,
            "read what happened",
            &["pull-requests", &number, "activities"],
        );
        let happened: Vec<Activity> = self.all(ask, &[]).await?;
        Ok(raw.reviews(&happened))
    }

    async fn merged(&self, pull: &Pull, method: Method) -> Result<Merge, Error> {
        let raw = self.raw(pull.number).await?;
        if raw.is_merged() {
            return Ok(Merge::Done);
        }
        if !raw.is_open() {
            return Ok(Merge::Never("it was declined".to_owned()));
        }
        if raw.head() != pull.head {
            return Ok(Merge::NotYet("its branch has moved".to_owned()));
        }
        if self.wished(raw.id).await?.as_deref() == Some(raw.head()) {
            return Ok(Merge::Scheduled);
        }
        let number = raw.id.to_string();
        let place = ["pull-requests", &number, "merge"];
        let ask = self.ask(Http::GET, "read whether it can be merged", &place);
        let mergeable: Mergeable = self.caller.read(&ask).await?;
        if mergeable.conflicted {
            return Ok(Merge::NotYet("it conflicts with its base".to_owned()));
        }
        let ask = self
            .ask(Http::POST, "merge a pull request", &place)
            .query("version", raw.version.to_string())
            .accept(&[400, 409])
            .body(merge(&raw, method, !mergeable.can_merge));
        let reply = self.caller.ask(&ask).await?;
        if reply.status < 300 {
            let raw: RawPull = reply.json()?;
            return Ok(if raw.is_merged() {
                Merge::Done
            } else {
                Merge::Scheduled
            });
        }
        let refusal = Refusal::of(&reply);
        if refusal.is("PullRequestOutOfDateException") {
            return Ok(Merge::NotYet(reply.words()));
        }
        if refusal.is("PullRequestMergeVetoedException") {
            let reasons = [refusal.vetoes(), mergeable.words(), reply.words()];
            let reason = reasons.into_iter().find(|reason| !reason.is_empty());
            return Ok(Merge::NotYet(reason.unwrap_or_default()));
        }
        Ok(Merge::Never(reply.words()))
    }

    async fn unscheduled(&self, pull: &Pull) -> Result<(), Error> {
        let number = pull.number.to_string();
        let place = ["pull-requests", &number, "auto-merge"];
        let ask = self.ask(Http::DELETE, "have a pull request not merged", &place);
        // Nobody asked for it, or it is not open any more.
        let ask = ask.effort(Effort::Write).accept(&[404, 409]);
        self.caller.ask(&ask).await.map(drop)
    }

    /// Servers before 7.4 have another place for it, where all others let it be read.
    async fn say(&self, commit: &str, status: &Status) -> Result<(), Error> {
        let page = format!("{}/commits/{commit}", self.page);
        let key = atlassian::key(&status.name, MAX_KEY);
        let said = atlassian::status(&key, status, &page);
        if atlassian::is_said(&self.builds(commit).await?, &said) {
            return Ok(());
        }
        let what = "set a status";
        let ask = self
            .ask(Http::POST, what, &["commits", commit, "builds"])
            .effort(Effort::Write)
            .accept(&[404, 405])
            .body(said.clone());
        if self.caller.ask(&ask).await?.status < 300 {
            return Ok(());
        }
        let ask = Ask::new(
            Http::POST,
            what,
            &["build-status", "1.0", "commits", commit],
        );
        let ask = ask.effort(Effort::Write).body(said);
        self.caller.ask(&ask).await.map(drop)
    }

    async fn builds(&self, commit: &str) -> Result<Vec<Build>, Error> {
        let place = ["build-status", "1.0", "commits", commit];
        let ask = Ask::new(Http::GET, "read statuses", &place);
        self.all(ask, &[]).await
    }

    async fn said(&self, commit: &str, but: &str) -> Result<Checks, Error> {
        Ok(atlassian::checks(&self.builds(commit).await?, but))
    }
}

/// The strategies' ids are in "Merge strategies" of the reference.
fn merge(raw: &RawPull, method: Method, auto_merge: bool) -> Value {
    let strategy = match method {
        Method::Merge => "no-ff",
        Method::Squash => "squash",
        Method::Rebase => "rebase-ff-only",
    };
    let mut merge = json!({"version": raw.version, "strategyId": strategy});
    if auto_merge {
        merge["autoMerge"] = json!(true);
    }
    merge
}

impl Forge for BitbucketDataCenter {
    fn open_pulls<'a>(&'a self, prefix: &'a str) -> Answer<'a, Vec<Pull>> {
        Box::pin(self.find_open(prefix))
    }

    fn pulls_of<'a>(&'a self, branch: &'a str, base: &'a str) -> Answer<'a, Vec<Pull>> {
        Box::pin(self.all_of(branch, base))
    }

    fn noted<'a>(&'a self, base: &'a str, which: Which) -> Answer<'a, Vec<Pull>> {
        Box::pin(self.find_noted(base, which))
    }

    fn open<'a>(&'a self, wanted: &'a Wanted) -> Answer<'a, Pull> {
        Box::pin(self.opened(wanted))
    }

    fn edit<'a>(&'a self, pull: &'a Pull, wanted: &'a Wanted) -> Answer<'a, Pull> {
        Box::pin(self.edited(pull, wanted))
    }

    fn close<'a>(&'a self, pull: &'a Pull, comment: &'a str) -> Answer<'a, ()> {
        Box::pin(self.declined(pull, comment))
    }

    fn reviews<'a>(&'a self, pull: &'a Pull) -> Answer<'a, Vec<Review>> {
        Box::pin(self.opinions(pull))
    }

    fn dismiss<'a>(&'a self, _: &'a Pull, _: &'a str) -> Answer<'a, ()> {
        Box::pin(async { Err(self.caller.unable("take back approvals of others")) })
    }

    fn merge_when_ready<'a>(&'a self, pull: &'a Pull, method: Method) -> Answer<'a, Merge> {
        Box::pin(self.merged(pull, method))
    }

    fn cancel_merge<'a>(&'a self, pull: &'a Pull) -> Answer<'a, ()> {
        Box::pin(self.unscheduled(pull))
    }

    fn set_status<'a>(&'a self, commit: &'a str, status: &'a Status) -> Answer<'a, ()> {
        Box::pin(self.say(commit, status))
    }

    fn checks<'a>(&'a self, commit: &'a str, but: &'a str) -> Answer<'a, Checks> {
        Box::pin(self.said(commit, but))
    }

    fn merged_by<'a>(&'a self, commit: &'a str, base: &'a str) -> Answer<'a, Option<Pull>> {
        Box::pin(self.origin(commit, base))
    }

    fn commit<'a>(&'a self, _: &'a NewCommit) -> Answer<'a, Committed> {
        Box::pin(async { Err(self.caller.unable("make commits that it signs")) })
    }

    fn abilities(&self) -> Abilities {
        Abilities {
            signs: false,
            merges: true,
            labels: false,
            drafts: true,
            text: answers::MAX_BODY,
        }
    }

    fn hiding(&self) -> body::Hiding {
        body::Hiding::Definition
    }
}
