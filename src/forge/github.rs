//! GitHub: github.com, GitHub Enterprise Cloud and GitHub Enterprise Server.
//!
//! Invariant: pull requests of forks are never taken for ours; a merge is asked for at one head only.
//!
//! What its REST interface lacks (merging once all is ready, drafts, commits on an expected head) is asked
//! of its GraphQL interface.
//!
//! Sources, all docs.github.com: "REST API endpoints for pull requests", "… for pull request reviews",
//! "… for review requests", "… for labels", "… for issue comments", "… for commit statuses", "… for check
//! runs", "… for commits", "… for Git references"; of the GraphQL reference, "Pull requests"
//! (`enablePullRequestAutoMerge`, `convertPullRequestToDraft`, `markPullRequestReadyForReview`) and
//! "Commits" (`createCommitOnBranch`).

mod graphql;
mod shape;

use std::sync::Arc;

use reqwest::Method as Verb;
use reqwest::header::{ACCEPT, AUTHORIZATION, HeaderMap, HeaderName, HeaderValue};
use serde_json::{Value, json};

use super::call::{Access, Ask, Caller, Effort, Means, Page, Reply, Rules};
use super::strangers::Strangers;
use super::{
    Abilities, Answer, Checks, Committed, Credentials, Error, Forge, Merge, Method, NewCommit,
    Pull, Review, Settings, State, Status, Wanted, Which, body, names,
};

/// The version of the interface that is spoken.
const VERSION: &str = "2022-11-28";

/// Most of a listing's items on one page.
const PAGE: &str = "100";

/// How many pull requests of one branch are looked at: what became of the newest is what counts.
const NEWEST: &str = "10";

/// Longest title, in characters.
const MAX_TITLE: usize = 256;

/// Longest text, in characters: more is answered with "body is too long".
const MAX_BODY: usize = 65_536;

/// Longest description of a status, in characters.
const MAX_DESCRIPTION: usize = 140;

/// What an App needs. Labels and comments come with pull requests.
const PERMISSIONS: [(&str, &str); 4] = [
    ("contents", "write"),
    ("pull_requests", "write"),
    ("statuses", "write"),
    ("checks", "read"),
];

/// One repository on GitHub.
pub(super) struct GitHub {
    caller: Caller,
    owner: String,
    name: String,
    strangers: Strangers,
}

/// A repository on GitHub.
///
/// # Errors
/// When there can be no HTTP client.
pub(super) fn open(settings: Settings) -> Result<Arc<dyn Forge>, Error> {
    let (owner, name) = settings.repository.split_once('/').unwrap_or_default();
    let access = match settings.credentials {
        Credentials::None => Access::Anonymous,
        Credentials::Token(token) => Access::Header(AUTHORIZATION, "Bearer ", token),
        Credentials::Basic { username, password } => Access::Basic(username, password),
        Credentials::GitHubApp(app) => Access::App(app, name.to_owned(), &PERMISSIONS),
    };
    let mut headers = HeaderMap::new();
    let json = HeaderValue::from_static("application/vnd.github+json");
    headers.insert(ACCEPT, json);
    let version = HeaderName::from_static("x-github-api-version");
    headers.insert(version, HeaderValue::from_static(VERSION));
    let caller = Caller::new(Means {
        base: settings.api,
        access,
        headers,
        ca_pem: &settings.ca_pem,
        clock: settings.clock,
        paces: &settings.paces,
        rules: Rules::GITHUB,
    })?;
    Ok(Arc::new(GitHub {
        caller,
        owner: owner.to_owned(),
        name: name.to_owned(),
        strangers: Strangers::default(),
    }))
}

impl GitHub {
    /// A request below the repository's place.
    fn at<'a>(&'a self, verb: Verb, what: &'a str, place: &[&'a str]) -> Ask<'a> {
        let mut segments = vec!["repos", &self.owner, &self.name];
        segments.extend(place);
        Ask::new(verb, what, &segments)
    }

    async fn list(
        &self,
        what: &str,
        branch: Option<&str>,
        base: Option<&str>,
        state: &str,
    ) -> Result<Vec<shape::Pull>, Error> {
        let mut ask = self
            .at(Verb::GET, what, &["pulls"])
            .query("state", state)
            .query("sort", "created")
            .query("direction", "desc");
        if let Some(branch) = branch {
            // A filter without the owner is ignored.
            ask = ask.query("head", format!("{}:{branch}", self.owner));
        }
        if let Some(base) = base {
            ask = ask.query("base", base);
        }
        let found: Vec<shape::Pull> = match state {
            "open" => {
                let ask = ask.query("per_page", PAGE);
                self.caller.all(&ask, Reply::linked).await?
            }
            _ => {
                // Those of all branches are mostly other people's.
                let most = if branch.is_some() { NEWEST } else { PAGE };
                self.caller.read(&ask.query("per_page", most)).await?
            }
        };
        Ok(found
            .into_iter()
            .filter(|pull| pull.is_of(&self.owner, &self.name))
            // Should a filter be ignored, as for a branch that is no more, others must not pass for ours.
            .filter(|pull| branch.is_none_or(|branch| pull.head.name == branch))
            .filter(|pull| base.is_none_or(|base| pull.base.name == base))
            .collect())
    }

    async fn one(&self, what: &str, number: u64) -> Result<shape::Pull, Error> {
        let number = number.to_string();
        self.caller
            .read(&self.at(Verb::GET, what, &["pulls", &number]))
            .await
    }

    /// With who ended it, which listings don't say.
    async fn ended(&self, what: &str, mut pull: Pull) -> Result<Pull, Error> {
        let number = pull.number.to_string();
        match &mut pull.state {
            State::Open => {}
            State::Merged { by, .. } => *by = self.one(what, pull.number).await?.merged_by(),
            State::Closed { by, .. } => {
                let ask = self.at(Verb::GET, what, &["issues", &number]);
                *by = self.caller.read::<shape::Issue>(&ask).await?.closed_by();
            }
        }
        Ok(pull)
    }

    async fn with_notes(&self, base: &str, which: Which) -> Result<Vec<Pull>, Error> {
        const WHAT: &str = "list pull requests";
        let state = match which {
            Which::Open => "open",
            Which::Closed | Which::Merged => "closed",
        };
        let found = self.list(WHAT, None, Some(base), state).await?;
        let found = found.into_iter().map(shape::Pull::into_pull).collect();
        let mut pulls = Vec::new();
        for pull in which.noted(found) {
            pulls.push(match which {
                Which::Merged => pull,
                Which::Open | Which::Closed => self.ended(WHAT, pull).await?,
            });
        }
        Ok(pulls)
    }

    async fn create(&self, wanted: &Wanted) -> Result<Pull, Error> {
        let wanted = &body::fitting(wanted, MAX_TITLE, MAX_BODY);
        const WHAT: &str = "open a pull request";
        let ask = self.at(Verb::POST, WHAT, &["pulls"]).body(json!({
            "title": wanted.title,
            "head": wanted.branch,
            "base": wanted.base,
            "body": wanted.body,
            "draft": wanted.draft,
        }));
        let reply = self.caller.ask(&ask.accept(&[422])).await?;
        if reply.status != 422 {
            let opened = reply.json::<shape::Pull>()?.into_pull();
            return self.adorn(opened, wanted).await;
        }
        let (branch, base) = (Some(wanted.branch.as_str()), Some(wanted.base.as_str()));
        match self
            .list(WHAT, branch, base, "open")
            .await?
            .into_iter()
            .next()
        {
            Some(there) => self.change(&there.into_pull(), wanted).await,
            None => Err(reply.refusal()),
        }
    }

    async fn change(&self, pull: &Pull, wanted: &Wanted) -> Result<Pull, Error> {
        const WHAT: &str = "change a pull request";
        let number = pull.number.to_string();
        let mut changed = pull.clone();
        let mut fields = serde_json::Map::new();
        if pull.title != wanted.title {
            fields.insert("title".to_owned(), wanted.title.clone().into());
        }
        if !body::is_same(&pull.body, &wanted.body) {
            fields.insert("body".to_owned(), wanted.body.clone().into());
        }
        if pull.base != wanted.base {
            fields.insert("base".to_owned(), wanted.base.clone().into());
        }
        if !fields.is_empty() {
            let ask = self.at(Verb::PATCH, WHAT, &["pulls", &number]);
            let ask = ask.body(Value::Object(fields));
            changed = self.caller.read::<shape::Pull>(&ask).await?.into_pull();
        }
        if changed.draft != wanted.draft {
            self.set_draft(&changed, wanted.draft).await?;
            changed.draft = wanted.draft;
        }
        self.adorn(changed, wanted).await
    }

    /// Adds the labels and reviewers that are missing.
    async fn adorn(&self, mut pull: Pull, wanted: &Wanted) -> Result<Pull, Error> {
        const WHAT: &str = "label a pull request";
        let number = pull.number.to_string();
        let labels = names::missing(&wanted.labels, &pull.labels);
        if !labels.is_empty() {
            let ask = self.at(Verb::POST, WHAT, &["issues", &number, "labels"]);
            let ask = ask.body(json!({"labels": labels})).effort(Effort::Write);
            match self.caller.read::<Vec<shape::Label>>(&ask).await {
                Ok(labels) => pull.labels = labels.into_iter().map(|label| label.name).collect(),
                Err(error) if error.is_retryable() => return Err(error),
                // A label is no reason to have no pull request.
                Err(error) => tracing::warn!(number, "{error}"),
            }
        }
        let mut reviewers = names::missing(&wanted.reviewers, &pull.reviewers);
        reviewers.retain(|name| !self.strangers.has(name));
        if !reviewers.is_empty() {
            let given = self.given(WHAT, pull.number).await?;
            reviewers.retain(|name| !given.iter().any(|review| names::is_same(&review.by, name)));
            self.request(&number, &mut pull, &reviewers).await?;
        }
        Ok(pull)
    }

    /// Asks for reviews: all at once, which is all or nothing, then one by one.
    async fn request(
        &self,
        number: &str,
        pull: &mut Pull,
        reviewers: &[&String],
    ) -> Result<(), Error> {
        let mut groups = vec![reviewers.to_vec()];
        while let Some(group) = groups.pop().filter(|group| !group.is_empty()) {
            let ask = self.at(
                Verb::POST,
                "ask for a review",
                &["pulls", number, "requested_reviewers"],
            );
            let ask = ask.body(shape::request(&group)).accept(&[422]);
            let reply = self.caller.ask(&ask).await?;
            match (reply.status, group.as_slice()) {
                (422, [one]) => {
                    self.strangers.add(one, &reply.words());
                }
                (422, several) => groups.extend(several.iter().map(|one| vec![*one])),
                _ => pull.reviewers.extend(group.into_iter().cloned()),
            }
        }
        Ok(())
    }

    async fn given(&self, what: &str, number: u64) -> Result<Vec<shape::Review>, Error> {
        let number = number.to_string();
        let ask = self
            .at(Verb::GET, what, &["pulls", &number, "reviews"])
            .query("per_page", PAGE);
        let given: Vec<shape::RawReview> = self.caller.all(&ask, Reply::linked).await?;
        Ok(shape::newest(given))
    }

    async fn close_with(&self, pull: &Pull, comment: &str) -> Result<(), Error> {
        const WHAT: &str = "close a pull request";
        if self.one(WHAT, pull.number).await?.into_pull().state != State::Open {
            return Ok(());
        }
        let number = pull.number.to_string();
        let ask = self.at(Verb::PATCH, WHAT, &["pulls", &number]);
        self.caller
            .ask(&ask.body(json!({"state": "closed"})))
            .await?;
        let ask = self.at(Verb::POST, WHAT, &["issues", &number, "comments"]);
        self.caller.ask(&ask.body(json!({"body": comment}))).await?;
        Ok(())
    }

    async fn take_back(&self, pull: &Pull, why: &str) -> Result<(), Error> {
        const WHAT: &str = "dismiss a review";
        let number = pull.number.to_string();
        for review in self.given(WHAT, pull.number).await? {
            if review.opinion != super::Opinion::Approved {
                continue;
            }
            let id = review.id.to_string();
            let place = ["pulls", &number, "reviews", &id, "dismissals"];
            let ask = self.at(Verb::PUT, WHAT, &place);
            let ask = ask.body(json!({"message": why, "event": "DISMISS"}));
            self.caller.ask(&ask).await?;
        }
        Ok(())
    }

    /// Merges at once, since nothing is missing that it could wait for.
    async fn merge_now(&self, pull: &Pull, method: Method) -> Result<Merge, Error> {
        let number = pull.number.to_string();
        let ask = self.at(
            Verb::PUT,
            "merge a pull request",
            &["pulls", &number, "merge"],
        );
        let ask = ask.body(json!({"merge_method": shape::method(method), "sha": pull.head}));
        let reply = self.caller.ask(&ask.accept(&[405, 409])).await?;
        Ok(match reply.status {
            405 => shape::obstacle(reply.words()),
            409 => Merge::NotYet(reply.words()),
            _ => Merge::Done,
        })
    }

    /// The newest status of each name.
    async fn statuses(&self, what: &str, commit: &str) -> Result<Vec<shape::Status>, Error> {
        let ask = self
            .at(Verb::GET, what, &["commits", commit, "status"])
            .query("per_page", PAGE);
        let page = |reply: &Reply| {
            Ok(Page {
                items: reply.json::<shape::Statuses>()?.statuses,
                next: reply.next()?,
            })
        };
        self.caller.all(&ask, page).await
    }

    async fn say(&self, commit: &str, status: &Status) -> Result<(), Error> {
        const WHAT: &str = "set a commit status";
        let wanted = shape::Status::of(status, MAX_DESCRIPTION);
        // A commit takes a thousand statuses of a name, so the same is not said again.
        let said = self.statuses(WHAT, commit).await?;
        if said.iter().any(|said| said.is_same(&wanted)) {
            return Ok(());
        }
        let ask = self.at(Verb::POST, WHAT, &["statuses", commit]);
        // Nobody is told of a status.
        let ask = ask.body(wanted.body()).effort(Effort::Write);
        self.caller.ask(&ask).await?;
        Ok(())
    }

    async fn checked(&self, commit: &str, but: &str) -> Result<Checks, Error> {
        const WHAT: &str = "read the checks of a commit";
        let statuses = self.statuses(WHAT, commit).await?;
        let ask = self
            .at(Verb::GET, WHAT, &["commits", commit, "check-runs"])
            .query("per_page", PAGE);
        let page = |reply: &Reply| {
            Ok(Page {
                items: reply.json::<shape::CheckRuns>()?.check_runs,
                next: reply.next()?,
            })
        };
        let runs = self.caller.all(&ask, page).await?;
        let statuses = statuses.into_iter().map(shape::Status::into_check);
        let each = statuses.chain(runs.into_iter().map(shape::CheckRun::into_check));
        Ok(Checks::but(but, each))
    }

    async fn origin(&self, commit: &str, base: &str) -> Result<Option<Pull>, Error> {
        const WHAT: &str = "find the pull request of a commit";
        let ask = self
            .at(Verb::GET, WHAT, &["commits", commit, "pulls"])
            .query("per_page", PAGE)
            // No such commit.
            .accept(&[422]);
        let reply = self.caller.ask(&ask).await?;
        if reply.status == 422 {
            return Ok(None);
        }
        let mut found: Vec<shape::Pull> = reply.json()?;
        found.retain(|pull| pull.merged_at.is_some() && pull.base.name == base);
        // Of several that hold it, the one whose merge it is.
        found.sort_by_key(|pull| pull.merge_commit_sha.as_deref() != Some(commit));
        match found.into_iter().next() {
            Some(pull) => self.ended(WHAT, pull.into_pull()).await.map(Some),
            None => Ok(None),
        }
    }
}

impl Forge for GitHub {
    fn open_pulls<'a>(&'a self, prefix: &'a str) -> Answer<'a, Vec<Pull>> {
        Box::pin(async move {
            let found = self.list("list pull requests", None, None, "open").await?;
            let of = found.into_iter().map(shape::Pull::into_pull);
            Ok(of.filter(|pull| pull.branch.starts_with(prefix)).collect())
        })
    }

    fn pulls_of<'a>(&'a self, branch: &'a str, base: &'a str) -> Answer<'a, Vec<Pull>> {
        Box::pin(async move {
            const WHAT: &str = "list pull requests";
            let mut pulls = Vec::new();
            for found in self.list(WHAT, Some(branch), Some(base), "all").await? {
                pulls.push(self.ended(WHAT, found.into_pull()).await?);
            }
            Ok(pulls)
        })
    }

    fn noted<'a>(&'a self, base: &'a str, which: Which) -> Answer<'a, Vec<Pull>> {
        Box::pin(self.with_notes(base, which))
    }

    fn open<'a>(&'a self, wanted: &'a Wanted) -> Answer<'a, Pull> {
        Box::pin(self.create(wanted))
    }

    fn edit<'a>(&'a self, pull: &'a Pull, wanted: &'a Wanted) -> Answer<'a, Pull> {
        Box::pin(async move {
            let wanted = body::fitting(wanted, MAX_TITLE, MAX_BODY);
            self.change(pull, &wanted).await
        })
    }

    fn close<'a>(&'a self, pull: &'a Pull, comment: &'a str) -> Answer<'a, ()> {
        Box::pin(self.close_with(pull, comment))
    }

    fn reviews<'a>(&'a self, pull: &'a Pull) -> Answer<'a, Vec<Review>> {
        Box::pin(async move {
            let given = self.given("read the reviews", pull.number).await?;
            Ok(given.into_iter().map(shape::Review::into_review).collect())
        })
    }

    fn dismiss<'a>(&'a self, pull: &'a Pull, why: &'a str) -> Answer<'a, ()> {
        Box::pin(self.take_back(pull, why))
    }

    fn merge_when_ready<'a>(&'a self, pull: &'a Pull, method: Method) -> Answer<'a, Merge> {
        Box::pin(async move {
            if pull.auto_merge {
                return Ok(Merge::Scheduled);
            }
            match self.schedule(pull, method).await? {
                graphql::Scheduled::Yes => Ok(Merge::Scheduled),
                graphql::Scheduled::NothingMissing => self.merge_now(pull, method).await,
                graphql::Scheduled::No(why) => Ok(why),
            }
        })
    }

    fn cancel_merge<'a>(&'a self, pull: &'a Pull) -> Answer<'a, ()> {
        Box::pin(self.unschedule(pull))
    }

    fn set_status<'a>(&'a self, commit: &'a str, status: &'a Status) -> Answer<'a, ()> {
        Box::pin(self.say(commit, status))
    }

    fn checks<'a>(&'a self, commit: &'a str, but: &'a str) -> Answer<'a, Checks> {
        Box::pin(self.checked(commit, but))
    }

    fn merged_by<'a>(&'a self, commit: &'a str, base: &'a str) -> Answer<'a, Option<Pull>> {
        Box::pin(self.origin(commit, base))
    }

    fn commit<'a>(&'a self, commit: &'a NewCommit) -> Answer<'a, Committed> {
        Box::pin(self.make(commit))
    }

    fn abilities(&self) -> Abilities {
        Abilities {
            signs: true,
            merges: true,
            labels: true,
            drafts: true,
            text: MAX_BODY,
        }
    }
}
