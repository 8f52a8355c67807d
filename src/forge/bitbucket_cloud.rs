//! Bitbucket Cloud, REST API 2.0.
//!
//! Invariant: an edit sends back the reviewers that are there, since those that are left out are taken
//! away. People are known by account id, never by nickname, which everyone chooses freely.
//!
//! It can't merge by itself, label, sign commits, or take back approvals of others: the API has no way.
//!
//! Source: the reference of Bitbucket Cloud's REST API, developer.atlassian.com/cloud/bitbucket/rest.

mod answers;

use std::collections::HashMap;
use std::sync::Arc;

use reqwest::Method as Http;
use serde::de::DeserializeOwned;
use serde_json::{Value, json};

use super::call::{Ask, Caller, Effort, Reply};
use super::strangers::Strangers;
use super::{
    Abilities, Answer, Checks, Committed, Error, Forge, Merge, Method, NewCommit, Pull, Review,
    Settings, State, Status, Wanted, atlassian, body,
};
use answers::{Activity, Branch, Hash, Listing, RawPull, literal, page};
use atlassian::Build;

/// Pull requests on a page; the API refuses more.
const PULLS: &str = "50";

/// Other things on a page; the API refuses more.
const OTHERS: &str = "100";

/// How many of a branch's pull requests are looked at: each costs up to three requests, of a thousand an
/// hour.
const NEWEST: &str = "3";

/// Longest key of a build status, in characters.
const MAX_KEY: usize = 40;

/// Length of a whole commit id, in hex digits.
const WHOLE: usize = 40;

/// What a listing leaves out unless asked ("Partial responses" in the reference).
const ALSO: &str = "+values.reviewers,+values.participants,+values.closed_by";

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

    async fn find_open(&self, prefix: &str) -> Result<Vec<Pull>, Error> {
        let ask = self
            .ask(Http::GET, "list pull requests", &["pullrequests"])
            .query("state", "OPEN")
            .query("q", format!("source.branch.name ~ {}", literal(prefix)))
            .query("fields", ALSO)
            .query("pagelen", PULLS);
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

    /// The whole commit ids of the branches that begin with a prefix.
    async fn heads(&self, prefix: &str) -> Result<HashMap<String, String>, Error> {
        let ask = self
            .ask(Http::GET, "list branches", &["refs", "branches"])
            .query("q", format!("name ~ {}", literal(prefix)))
            .query("pagelen", OTHERS);
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

    async fn all_of(&self, branch: &str, base: &str) -> Result<Vec<Pull>, Error> {
        let states = ["OPEN", "MERGED", "DECLINED", "SUPERSEDED"];
        let mut pulls = Vec::new();
        for raw in self.find(branch, base, &states).await? {
            pulls.push(self.whole(raw).await?);
        }
        Ok(pulls)
    }

    async fn raw(&self, number: u64) -> Result<RawPull, Error> {
        let number = number.to_string();
        let ask = self.ask(Http::GET, "read a pull request", &["pullrequests", &number]);
        self.caller.read(&ask).await
    }

    /// With what only other requests tell: whole commit ids, and who ended it when.
    async fn whole(&self, raw: RawPull) -> Result<Pull, Error> {
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

    async fn find_one(&self, wanted: &Wanted) -> Result<Option<RawPull>, Error> {
        let found = self.find(&wanted.branch, &wanted.base, &["OPEN"]).await?;
        Ok(found.into_iter().next())
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

    async fn origin(&self, commit: &str, base: &str) -> Result<Option<Pull>, Error> {
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
        }
    }

    fn hiding(&self) -> body::Hiding {
        body::Hiding::Definition
    }
}
