//! Bitbucket Cloud, REST API 2.0.
//!
//! Invariant: an edit sends back the reviewers that are there, since those that are left out are taken
//! away. People are known by account id, never by nickname, which everyone chooses freely.
//!
//! It can't merge by itself, label, sign commits, or take back approvals of others: the API has no way.
//!
//! Source: the reference of Bitbucket Cloud's REST API, developer.atlassian.com/cloud/bitbucket/rest.

mod answers;
mod find;

use std::sync::Arc;

use reqwest::Method as Http;
use serde::de::DeserializeOwned;
use serde_json::{Value, json};

use super::call::{Ask, Caller, Effort, Reply};
use super::strangers::Strangers;
use super::{
    Abilities, Answer, Checks, Committed, Error, Forge, Merge, Method, NewCommit, Pull, Review,
    Settings, Status, Wanted, Which, atlassian, body,
};
use answers::{Activity, RawPull, page};
use atlassian::Build;

/// Pull requests on a page; the API refuses more.
const PULLS: &str = "50";

/// Other things on a page; the API refuses more.
const OTHERS: &str = "100";

/// Longest key of a build status, in characters.
const MAX_KEY: usize = 40;

/// A repository on Bitbucket Cloud.
struct BitbucketCloud {
    caller: Caller,
    strangers: Strangers,
    workspace: String,
    repository: String,
}

/// The repository `WORKSPACE/NAME`; the interface's root is `https://api.bitbucket.org/2.0`.
///
/// # Errors
/// When no HTTP client can be made.
pub(super) fn open(settings: &Settings) -> Result<Arc<dyn Forge>, Error> {
    Ok(Arc::new(BitbucketCloud::new(settings)?))
}

impl BitbucketCloud {
    fn new(settings: &Settings) -> Result<Self, Error> {
        let (workspace, repository) = settings.repository.split_once('/').unwrap_or_default();
        Ok(Self {
            caller: atlassian::caller(settings)?,
            strangers: Strangers::default(),
            workspace: workspace.to_owned(),
            repository: repository.to_owned(),
        })
    }

    fn ask<'a>(&'a self, method: Http, what: &'a str, rest: &[&'a str]) -> Ask<'a> {
        let mut segments = vec!["repositories", &self.workspace, &self.repository];
        segments.extend(rest);
        Ask::new(method, what, &segments)
    }

    fn full_name(&self) -> String {
        format!("{}/{}", self.workspace, self.repository)
    }

    async fn opened(&self, wanted: &Wanted) -> Result<Pull, Error> {
        if let Some(raw) = self.find_one(wanted).await? {
            return self.whole(raw).await;
        }
        let names = wanted
            .reviewers
            .iter()
            .filter(|name| !self.strangers.has(name));
        let reviewers: Vec<Value> = names.map(|name| answers::account(name)).collect();
        let mut reply = self.post(wanted, &reviewers).await?;
        if answers::is_about_reviewers(&reply) {
            reply = self.post(wanted, &[]).await?;
        }
        if reply.status < 300 {
            let raw = self.updated(reply.json()?, wanted).await?;
            return self.whole(raw).await;
        }
        // Another service may have been faster.
        match self.find_one(wanted).await? {
            Some(raw) => self.whole(raw).await,
            None => Err(reply.refusal()),
        }
    }

    async fn post(&self, wanted: &Wanted, reviewers: &[Value]) -> Result<Reply, Error> {
        let ask = self
            .ask(Http::POST, "open a pull request", &["pullrequests"])
            .accept(&[400, 409])
            .body(json!({
                "title": wanted.title,
                "description": wanted.body,
                "draft": wanted.draft,
                "source": {"branch": {"name": wanted.branch}},
                "destination": {"branch": {"name": wanted.base}},
                "reviewers": reviewers,
            }));
        self.caller.ask(&ask).await
    }

    /// Makes it as wanted; asks for nothing where nothing differs. Reviewers that the forge doesn't take
    /// (the author, and who is not in the workspace) are left out.
    async fn updated(&self, raw: RawPull, wanted: &Wanted) -> Result<RawPull, Error> {
        let mut missing = raw.missing(wanted);
        missing.retain(|name| !self.strangers.has(name));
        if missing.is_empty() && raw.says(wanted) {
            return Ok(raw);
        }
        let accounts = missing.iter().map(|name| answers::account(name));
        let all: Vec<Value> = raw.known().into_iter().chain(accounts).collect();
        let reply = self.put(raw.id, wanted, &all).await?;
        if answers::is_about_reviewers(&reply) {
            return self.one_by_one(raw, wanted, &missing).await;
        }
        done(&reply)
    }

    /// The same with one reviewer at a time, since one that is not taken keeps the others out.
    async fn one_by_one(
        &self,
        mut raw: RawPull,
        wanted: &Wanted,
        missing: &[&str],
    ) -> Result<RawPull, Error> {
        if !raw.says(wanted) {
            raw = done(&self.put(raw.id, wanted, &raw.known()).await?)?;
        }
        for name in missing {
            let mut reviewers = raw.known();
            reviewers.push(answers::account(name));
            let reply = self.put(raw.id, wanted, &reviewers).await?;
            if answers::is_about_reviewers(&reply) {
                self.strangers.add(name, &reply.words());
            } else {
                raw = done(&reply)?;
            }
        }
        Ok(raw)
    }

    async fn put(&self, number: u64, wanted: &Wanted, reviewers: &[Value]) -> Result<Reply, Error> {
        let number = number.to_string();
        let ask = self
            .ask(Http::PUT, "edit a pull request", &["pullrequests", &number])
            .accept(&[400])
            .body(json!({
                "title": wanted.title,
                "description": wanted.body,
                "draft": wanted.draft,
                "reviewers": reviewers,
            }));
        self.caller.ask(&ask).await
    }

    async fn edited(&self, pull: &Pull, wanted: &Wanted) -> Result<Pull, Error> {
        let raw = self.raw(pull.number).await?;
        let raw = if raw.is_open() {
            self.updated(raw, wanted).await?
        } else {
            raw
        };
        self.whole(raw).await
    }

    /// The comment comes last: one that fails is never doubled by another try.
    async fn declined(&self, pull: &Pull, comment: &str) -> Result<(), Error> {
        let number = pull.number.to_string();
        let ask = self
            .ask(
                Http::POST,
                "decline a pull request",
                &["pullrequests", &number, "decline"],
            )
            .accept(&[400, 409]);
        let reply = self.caller.ask(&ask).await?;
        if reply.status >= 300 {
            let is_open = self.raw(pull.number).await?.is_open();
            return if is_open {
                Err(reply.refusal())
            } else {
                Ok(())
            };
        }
        let ask = self
            .ask(
                Http::POST,
                "comment on a pull request",
                &["pullrequests", &number, "comments"],
            )
            .body(json!({"content": {"raw": comment}}));
        self.caller.ask(&ask).await.map(drop)
    }

    async fn opinions(&self, pull: &Pull) -> Result<Vec<Review>, Error> {
        let raw = self.raw(pull.number).await?;
        let number = pull.number.to_string();
        let ask = self
            .ask(
                Http::GET,
                "read what happened",
                &["pullrequests", &number, "activity"],
            )
            .query("pagelen", PULLS);
        let happened: Vec<Activity> = self.caller.all(&ask, page).await?;
        Ok(raw.reviews(&happened, &pull.head))
    }

    async fn say(&self, commit: &str, status: &Status) -> Result<(), Error> {
        let page = format!(
            "https://bitbucket.org/{}/commits/{commit}",
            self.full_name()
        );
        let key = atlassian::key(&status.name, MAX_KEY);
        let said = atlassian::status(&key, status, &page);
        if atlassian::is_said(&self.builds(commit).await?, &said) {
            return Ok(());
        }
        let place = ["commit", commit, "statuses", "build"];
        let ask = self.ask(Http::POST, "set a status", &place);
        let ask = ask.effort(Effort::Write).body(said);
        self.caller.ask(&ask).await.map(drop)
    }

    async fn builds(&self, commit: &str) -> Result<Vec<Build>, Error> {
        let ask = self
            .ask(Http::GET, "read statuses", &["commit", commit, "statuses"])
            .query("pagelen", OTHERS);
        self.caller.all(&ask, page).await
    }

    async fn said(&self, commit: &str, but: &str) -> Result<Checks, Error> {
        Ok(atlassian::checks(&self.builds(commit).await?, but))
    }
}

/// A success, read.
fn done<T: DeserializeOwned>(reply: &Reply) -> Result<T, Error> {
    if reply.status >= 300 {
        return Err(reply.refusal());
    }
    reply.json()
}

impl Forge for BitbucketCloud {
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

    fn merge_when_ready<'a>(&'a self, _: &'a Pull, _: Method) -> Answer<'a, Merge> {
        let words = "Bitbucket Cloud has no way to ask for a merge once all is there";
        Box::pin(async { Ok(Merge::Never(words.to_owned())) })
    }

    /// Nothing is ever merged by itself.
    fn cancel_merge<'a>(&'a self, _: &'a Pull) -> Answer<'a, ()> {
        Box::pin(async { Ok(()) })
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
            merges: false,
            labels: false,
            drafts: true,
            // None is documented; this is what the others take at least.
            text: 32_768,
        }
    }

    fn hiding(&self) -> body::Hiding {
        body::Hiding::Definition
    }
}
