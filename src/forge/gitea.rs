//! Gitea and Forgejo.
//!
//! Invariant: pull requests of forks are never taken for ours; a merge is asked for only while the head is
//! the one that was looked at.
//!
//! Neither has a way to say where a branch must be for a commit. Who pushes in between is not overwritten,
//! since the commit then goes on top, and is refused if it is about the same files. A merge that is
//! scheduled is not bound to a head either, so it is refused where that has moved already, and a branch that is to be
//! merged must not be pushed to.
//!
//! Sources: "API Usage" and the API reference (Swagger) of Gitea and Forgejo: `repoListPullRequests`,
//! `repoGetPullRequestByBaseHead`, `repoCreatePullRequest`, `repoEditPullRequest`, `repoMergePullRequest`,
//! `repoListPullReviews`, `repoDismissPullReview`, `repoCreatePullReviewRequests`, `issueAddLabel`,
//! `issueGetCommentsAndTimeline`, `repoCreateStatus`, `repoGetCombinedStatusByRef`,
//! `repoGetCommitPullRequest`, `repoChangeFiles`.

mod shape;

use std::sync::Arc;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use reqwest::Method as Verb;
use reqwest::header::{AUTHORIZATION, HeaderMap};
use serde_json::{Value, json};

use super::call::{Access, Ask, Caller, Effort, Means, Page, Reply, Rules};
use super::strangers::Strangers;
use super::{
    Abilities, Answer, Checks, Committed, Credentials, Error, Forge, Merge, Method, NewCommit,
    Opinion, Pull, Review, Settings, State, Status, Wanted, Which, body, names,
};

/// Most of a listing's items on one page, by default settings (`MAX_RESPONSE_ITEMS`).
const PAGE: &str = "50";

/// How many pages of ended pull requests are looked through for those of one branch: the newest counts, and
/// it was touched lately.
const MAX_PAST: usize = 5;

/// Longest title, in characters: 255 with what makes a draft of it.
const MAX_TITLE: usize = 240;

/// Longest text, in UTF-16 units. Gitea has no limit; many a proxy before it takes a megabyte at most.
const MAX_BODY: usize = 250_000;

/// Longest description of a status, in characters: it is for one line.
const MAX_DESCRIPTION: usize = 255;

/// The colour of labels that are made, which must have one.
const COLOR: &str = "#ededed";

/// One repository on Gitea or Forgejo.
pub(super) struct Gitea {
    caller: Caller,
    owner: String,
    name: String,
    strangers: Strangers,
}

/// A repository on Gitea or Forgejo.
///
/// # Errors
/// When there can be no HTTP client, or the credentials are of no use there.
pub(super) fn open(settings: &Settings) -> Result<Arc<dyn Forge>, Error> {
    let (owner, name) = settings.repository.split_once('/').unwrap_or_default();
    let access = match settings.credentials.clone() {
        Credentials::None => Access::Anonymous,
        Credentials::Token(token) => Access::Header(AUTHORIZATION, "token ", token),
        Credentials::Basic { username, password } => Access::Basic(username, password),
        Credentials::GitHubApp(_) => return Err(settings.no_app()),
    };
    let caller = Caller::new(Means {
        base: settings.api.clone(),
        access,
        headers: HeaderMap::new(),
        ca_pem: &settings.ca_pem,
        clock: settings.clock.clone(),
        paces: &settings.paces,
        rules: Rules::OTHERS,
    })?;
    Ok(Arc::new(Gitea {
        caller,
        owner: owner.to_owned(),
        name: name.to_owned(),
        strangers: Strangers::default(),
    }))
}

impl Gitea {
    /// A request below the repository's place.
    fn at<'a>(&'a self, verb: Verb, what: &'a str, place: &[&'a str]) -> Ask<'a> {
        let mut segments = vec!["repos", &self.owner, &self.name];
        segments.extend(place);
        Ask::new(verb, what, &segments)
    }

    fn is_ours(&self, pull: &shape::Pull) -> bool {
        pull.is_of(&self.owner, &self.name)
    }

    async fn all_open(&self) -> Result<Vec<Pull>, Error> {
        let ask = self
            .at(Verb::GET, "list pull requests", &["pulls"])
            .query("state", "open")
            .query("limit", PAGE);
        let found: Vec<shape::Pull> = self.caller.all(&ask, Reply::linked).await?;
        let ours = found.into_iter().filter(|pull| self.is_ours(pull));
        Ok(ours.map(shape::Pull::into_pull).collect())
    }

    async fn with_notes(&self, base: &str, which: Which) -> Result<Vec<Pull>, Error> {
        const WHAT: &str = "list pull requests";
        let mut found = match which {
            Which::Open => self.all_open().await?,
            Which::Closed | Which::Merged => {
                let ask = self
                    .at(Verb::GET, WHAT, &["pulls"])
                    .query("state", "closed")
                    .query("sort", "recentupdate")
                    .query("limit", PAGE);
                let found: Vec<shape::Pull> = self.caller.read(&ask).await?;
                let ours = found.into_iter().filter(|pull| self.is_ours(pull));
                ours.map(shape::Pull::into_pull).collect()
            }
        };
        found.retain(|pull| pull.base == base);
        let mut pulls = Vec::new();
        for pull in which.noted(found) {
            pulls.push(self.ended(WHAT, pull).await?);
        }
        Ok(pulls)
    }

    /// The pull requests of two branches, newest first. Listings can't be asked by branch, so it is first
    /// asked whether there is any.
    async fn of(&self, branch: &str, base: &str) -> Result<Vec<Pull>, Error> {
        const WHAT: &str = "find pull requests";
        let mut place = vec!["pulls", base];
        place.extend(branch.split('/'));
        let ask = self.at(Verb::GET, WHAT, &place).accept(&[404]);
        let reply = self.caller.ask(&ask).await?;
        if reply.status == 404 {
            // So it is where the repository can't be seen, which must not pass for "none".
            self.caller.ask(&self.at(Verb::GET, WHAT, &[])).await?;
            return Ok(Vec::new());
        }
        let mut found = vec![reply.json::<shape::Pull>()?];
        if !found[0].is_open() {
            // One of several, if there are several.
            let past = self.past(branch, base).await?;
            found.extend(past);
        }
        found.retain(|pull| self.is_ours(pull) && pull.is_from(branch, base));
        found.sort_by_key(|pull| std::cmp::Reverse(pull.number()));
        found.dedup_by_key(|pull| pull.number());
        let mut pulls = Vec::new();
        for pull in found {
            pulls.push(self.ended(WHAT, pull.into_pull()).await?);
        }
        Ok(pulls)
    }

    /// Pull requests of two branches among those that were touched lately: those of the first page that has
    /// any.
    async fn past(&self, branch: &str, base: &str) -> Result<Vec<shape::Pull>, Error> {
        for page in 1..=MAX_PAST {
            let ask = self
                .at(Verb::GET, "find pull requests", &["pulls"])
                .query("state", "all")
                .query("sort", "recentupdate")
                .query("limit", PAGE)
                .query("page", page.to_string());
            let reply = self.caller.ask(&ask).await?;
            let Page { mut items, next } = reply.linked::<shape::Pull>()?;
            items.retain(|pull| pull.is_from(branch, base));
            if !items.is_empty() || next.is_none() {
                return Ok(items);
            }
        }
        Ok(Vec::new())
    }

    async fn one(&self, what: &str, number: u64) -> Result<shape::Pull, Error> {
        let number = number.to_string();
        let ask = self.at(Verb::GET, what, &["pulls", &number]);
        self.caller.read(&ask).await
    }

    /// With who closed it, which only the timeline says.
    async fn ended(&self, what: &str, mut pull: Pull) -> Result<Pull, Error> {
        let number = pull.number.to_string();
        if let State::Closed { by, at: Some(at) } = &mut pull.state {
            let since = at.saturating_sub(shape::SPARE).unwrap_or(*at).to_string();
            let ask = self
                .at(Verb::GET, what, &["issues", &number, "timeline"])
                .query("since", since)
                .query("limit", PAGE);
            let events: Vec<shape::Event> = self.caller.all(&ask, Reply::linked).await?;
            *by = shape::closed_by(events);
        }
        Ok(pull)
    }

    async fn create(&self, wanted: &Wanted) -> Result<Pull, Error> {
        let wanted = &body::fitting(wanted, MAX_TITLE, MAX_BODY);
        const WHAT: &str = "open a pull request";
        let ask = self.at(Verb::POST, WHAT, &["pulls"]).body(json!({
            "head": wanted.branch,
            "base": wanted.base,
            "title": shape::title(wanted),
            "body": wanted.body,
        }));
        let reply = self.caller.ask(&ask.accept(&[409])).await?;
        if reply.status != 409 {
            let opened = reply.json::<shape::Pull>()?.into_pull();
            return self.adorn(opened, wanted).await;
        }
        let there = self.of(&wanted.branch, &wanted.base).await?;
        match there.into_iter().find(|pull| pull.state == State::Open) {
            Some(there) => self.change(&there, wanted).await,
            None => Err(reply.refusal()),
        }
    }

    async fn change(&self, pull: &Pull, wanted: &Wanted) -> Result<Pull, Error> {
        const WHAT: &str = "change a pull request";
        let number = pull.number.to_string();
        let mut changed = pull.clone();
        let mut fields = serde_json::Map::new();
        if pull.title != wanted.title || pull.draft != wanted.draft {
            fields.insert("title".to_owned(), shape::title(wanted).into());
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
        self.adorn(changed, wanted).await
    }

    /// Adds the labels and reviewers that are missing.
    async fn adorn(&self, mut pull: Pull, wanted: &Wanted) -> Result<Pull, Error> {
        let number = pull.number.to_string();
        let labels = names::missing(&wanted.labels, &pull.labels);
        if !labels.is_empty() {
            match self.label(&number, &labels).await {
                Ok(labels) => pull.labels = labels.into_iter().map(|label| label.name).collect(),
                Err(error) if error.is_retryable() => return Err(error),
                // A label is no reason to have no pull request.
                Err(error) => tracing::warn!(number, "{error}"),
            }
        }
        let mut reviewers = names::missing(&wanted.reviewers, &pull.reviewers);
        reviewers.retain(|name| !self.strangers.has(name));
        if !reviewers.is_empty() {
            let given = self.given("read the reviews", pull.number).await?;
            reviewers.retain(|name| !given.iter().any(|review| names::is_same(&review.by, name)));
            for name in reviewers {
                // One by one, since one that is refused would keep the others from being asked.
                self.request(&number, &mut pull, name).await?;
            }
        }
        Ok(pull)
    }

    async fn label(&self, number: &str, labels: &[&String]) -> Result<Vec<shape::Label>, Error> {
        let ids = self.label_ids(labels).await?;
        let place = ["issues", number, "labels"];
        let ask = self.at(Verb::POST, "label a pull request", &place);
        let ask = ask.body(json!({"labels": ids})).effort(Effort::Write);
        self.caller.read(&ask).await
    }

    /// The ids of labels of the repository or its organisation; those that there are not are made.
    async fn label_ids(&self, wanted: &[&String]) -> Result<Vec<u64>, Error> {
        const WHAT: &str = "find labels";
        let ask = self.at(Verb::GET, WHAT, &["labels"]).query("limit", PAGE);
        let mut known: Vec<shape::Label> = self.caller.all(&ask, Reply::linked).await?;
        let ask = Ask::new(Verb::GET, WHAT, &["orgs", &self.owner, "labels"]);
        // The owner may be a person.
        let ask = ask.query("limit", PAGE).accept(&[403, 404]);
        let shared = |reply: &Reply| match reply.status {
            200 => reply.linked(),
            _ => Ok(Page {
                items: Vec::new(),
                next: None,
            }),
        };
        known.extend(self.caller.all(&ask, shared).await?);
        let mut ids = Vec::new();
        for name in wanted {
            let id = known.iter().find(|label| names::is_same(&label.name, name));
            ids.push(match id {
                Some(label) => label.id,
                None => self.make_label(name).await?.id,
            });
        }
        Ok(ids)
    }

    async fn make_label(&self, name: &str) -> Result<shape::Label, Error> {
        let ask = self.at(Verb::POST, "make a label", &["labels"]);
        self.caller
            .read(&ask.body(json!({"name": name, "color": COLOR})))
            .await
    }

    async fn request(&self, number: &str, pull: &mut Pull, name: &str) -> Result<(), Error> {
        let place = ["pulls", number, "requested_reviewers"];
        let ask = self.at(Verb::POST, "ask for a review", &place);
        let ask = ask.body(shape::request(name)).accept(&[404, 422]);
        let reply = self.caller.ask(&ask).await?;
        match reply.status {
            404 | 422 => self.strangers.add(name, &reply.words()),
            _ => pull.reviewers.push(name.to_owned()),
        }
        Ok(())
    }

    async fn given(&self, what: &str, number: u64) -> Result<Vec<shape::Review>, Error> {
        let number = number.to_string();
        let ask = self.at(Verb::GET, what, &["pulls", &number, "reviews"]);
        let ask = ask.query("limit", PAGE);
        let given: Vec<shape::RawReview> = self.caller.all(&ask, Reply::linked).await?;
        Ok(shape::newest(given))
    }

    async fn close_with(&self, pull: &Pull, comment: &str) -> Result<(), Error> {
        const WHAT: &str = "close a pull request";
        if !self.one(WHAT, pull.number).await?.is_open() {
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
            if review.opinion != Opinion::Approved {
                continue;
            }
            let id = review.id.to_string();
            let place = ["pulls", &number, "reviews", &id, "dismissals"];
            let ask = self.at(Verb::POST, WHAT, &place).effort(Effort::Write);
            let ask = ask.body(json!({"message": why, "priors": true}));
            self.caller.ask(&ask).await?;
        }
        Ok(())
    }

    async fn merge(&self, pull: &Pull, method: Method) -> Result<Merge, Error> {
        const WHAT: &str = "merge a pull request";
        let there = self.one(WHAT, pull.number).await?;
        if !there.is_open() || there.head() != pull.head {
            return Ok(Merge::NotYet("its head is another meanwhile".to_owned()));
        }
        let number = pull.number.to_string();
        let ask = self.at(Verb::POST, WHAT, &["pulls", &number, "merge"]);
        let ask = ask.effort(Effort::Write).body(json!({
            "Do": shape::method(method),
            "merge_when_checks_succeed": true,
            "head_commit_id": pull.head,
        }));
        let reply = self.caller.ask(&ask.accept(&[405, 409])).await?;
        Ok(match reply.status {
            201 => Merge::Scheduled,
            405 | 409 => shape::obstacle(reply.words()),
            _ => Merge::Done,
        })
    }

    /// Only who asked for the merge, and the repository's administrators, may take it back.
    async fn unschedule(&self, pull: &Pull) -> Result<(), Error> {
        let number = pull.number.to_string();
        let place = ["pulls", &number, "merge"];
        let ask = self.at(Verb::DELETE, "have a pull request not merged", &place);
        // There is nothing to take back.
        let ask = ask.effort(Effort::Write).accept(&[404]);
        self.caller.ask(&ask).await.map(drop)
    }

    /// The newest status of each name.
    async fn statuses(&self, what: &str, commit: &str) -> Result<Vec<shape::Status>, Error> {
        let ask = self
            .at(Verb::GET, what, &["commits", commit, "status"])
            .query("limit", PAGE);
        let page = |reply: &Reply| {
            Ok(Page {
                items: reply
                    .json::<shape::Statuses>()?
                    .statuses
                    .unwrap_or_default(),
                next: reply.next()?,
            })
        };
        self.caller.all(&ask, page).await
    }

    async fn say(&self, commit: &str, status: &Status) -> Result<(), Error> {
        const WHAT: &str = "set a commit status";
        let wanted = shape::Status::of(status, MAX_DESCRIPTION);
        let said = self.statuses(WHAT, commit).await?;
        if said.iter().any(|said| said.is_same(&wanted)) {
            return Ok(());
        }
        let ask = self.at(Verb::POST, WHAT, &["statuses", commit]);
        self.caller
            .ask(&ask.body(wanted.body()).effort(Effort::Write))
            .await?;
        Ok(())
    }

    async fn checked(&self, commit: &str, but: &str) -> Result<Checks, Error> {
        let all = self.statuses("read the checks of a commit", commit).await?;
        let each = all.into_iter().map(shape::Status::into_check);
        Ok(Checks::but(but, each))
    }

    async fn origin(&self, commit: &str, base: &str) -> Result<Option<Pull>, Error> {
        const WHAT: &str = "find the pull request of a commit";
        let ask = self
            .at(Verb::GET, WHAT, &["commits", commit, "pull"])
            .accept(&[404]);
        let reply = self.caller.ask(&ask).await?;
        if reply.status == 404 {
            self.caller.ask(&self.at(Verb::GET, WHAT, &[])).await?;
            return Ok(None);
        }
        let pull = reply.json::<shape::Pull>()?.into_pull();
        let is_it = pull.base == base && matches!(pull.state, State::Merged { .. });
        Ok(is_it.then_some(pull))
    }

    async fn make(&self, commit: &NewCommit) -> Result<Committed, Error> {
        const WHAT: &str = "make a commit";
        let mut place = vec!["branches"];
        place.extend(commit.branch.split('/'));
        let ask = self.at(Verb::GET, WHAT, &place).accept(&[404]);
        let reply = self.caller.ask(&ask).await?;
        if reply.status == 404 {
            let ask = self
                .at(Verb::POST, WHAT, &["branches"])
                .effort(Effort::Write);
            let ask = ask.body(json!({
                "new_branch_name": commit.branch,
                "old_ref_name": commit.parent,
            }));
            self.caller.ask(&ask).await?;
        } else if reply.json::<shape::Branch>()?.commit.id != commit.parent {
            return Ok(Committed::Moved);
        }
        let mut files = Vec::new();
        for (path, contents) in &commit.files {
            files.push(self.operation(&commit.parent, path, contents).await?);
        }
        let ask = self.at(Verb::POST, WHAT, &["contents"]).body(json!({
            "branch": commit.branch,
            "message": commit.message,
            "files": files,
        }));
        let reply = self.caller.ask(&ask.accept(&[404, 409, 422])).await?;
        match reply.status {
            404.. if shape::is_moved(&reply.words()) => Ok(Committed::Moved),
            404.. => Err(reply.refusal()),
            _ => Ok(Committed::At(reply.json::<shape::Changed>()?.commit.sha)),
        }
    }

    /// How a file is changed, provided that it is what it was at `parent`.
    async fn operation(&self, parent: &str, path: &str, contents: &[u8]) -> Result<Value, Error> {
        let mut place = vec!["contents"];
        place.extend(path.split('/'));
        let ask = self
            .at(Verb::GET, "look at a file", &place)
            .query("ref", parent);
        let reply = self.caller.ask(&ask.accept(&[404])).await?;
        let mut operation = json!({
            "operation": "create",
            "path": path,
            "content": STANDARD.encode(contents),
        });
        if reply.status != 404 {
            operation["operation"] = "update".into();
            operation["sha"] = reply.json::<shape::Contents>()?.sha.into();
        }
        Ok(operation)
    }
}

impl Forge for Gitea {
    fn open_pulls<'a>(&'a self, prefix: &'a str) -> Answer<'a, Vec<Pull>> {
        Box::pin(async move {
            let mut pulls = self.all_open().await?;
            pulls.retain(|pull| pull.branch.starts_with(prefix));
            Ok(pulls)
        })
    }

    fn pulls_of<'a>(&'a self, branch: &'a str, base: &'a str) -> Answer<'a, Vec<Pull>> {
        Box::pin(self.of(branch, base))
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
        Box::pin(self.merge(pull, method))
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
