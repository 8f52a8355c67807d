//! GitLab: gitlab.com and GitLab of one's own.
//!
//! Invariant: merge requests of forks are never taken for ours; a merge is asked for at one head only, and
//! not while GitLab does not know yet whether something is missing.
//!
//! Commits are made on a branch that was looked at before: GitLab has no way to say where the branch must
//! be. Who pushes in between is not overwritten, since the commit then goes on top, and is refused if it is
//! about the same files.
//!
//! Sources, all docs.gitlab.com: "Merge requests API", "Merge request approvals API", "Commits API",
//! "Repository files API", "Branches API", "Users API", "Notes API".

mod shape;

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError};

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use reqwest::Method as Verb;
use reqwest::header::{AUTHORIZATION, HeaderMap, HeaderName};
use serde_json::{Value, json};

use super::call::{Access, Ask, Caller, Effort, Means, Reply, Rules};
use super::strangers::Strangers;
use super::{
    Abilities, Answer, Checks, Committed, Credentials, Error, Forge, Merge, Method, NewCommit,
    Opinion, Pull, Review, Settings, State, Status, Wanted, Which, body, names,
};

/// Most of a listing's items on one page.
const PAGE: &str = "100";

/// How many merge requests of one branch are looked at: what became of the newest is what counts.
const NEWEST: &str = "10";

/// Longest title, in characters: 255 with what makes a draft of it.
const MAX_TITLE: usize = 240;

/// Longest text, in characters ("Create MR").
const MAX_BODY: usize = 1_048_576;

/// Longest description and page of a status, in characters.
const MAX_STATUS: usize = 255;

/// One project on GitLab.
pub(super) struct GitLab {
    caller: Caller,
    project: String,
    strangers: Strangers,
    /// Ids of reviewers by name, no more than the configuration names.
    ids: Mutex<BTreeMap<String, u64>>,
}

/// A project on GitLab.
///
/// # Errors
/// When there can be no HTTP client, or the credentials are of no use there.
pub(super) fn open(settings: &Settings) -> Result<Arc<dyn Forge>, Error> {
    let access = match settings.credentials.clone() {
        Credentials::None => Access::Anonymous,
        Credentials::Token(token) => {
            Access::Header(HeaderName::from_static("private-token"), "", token)
        }
        // Git's user and token: GitLab's interface knows the token only, whatever kind it is.
        Credentials::Basic { password, .. } => Access::Header(AUTHORIZATION, "Bearer ", password),
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
    Ok(Arc::new(GitLab {
        caller,
        project: settings.repository.clone(),
        strangers: Strangers::default(),
        ids: Mutex::default(),
    }))
}

impl GitLab {
    /// A request below the project's place; the project's path is one segment.
    fn at<'a>(&'a self, verb: Verb, what: &'a str, place: &[&'a str]) -> Ask<'a> {
        let mut segments = vec!["projects", &self.project];
        segments.extend(place);
        Ask::new(verb, what, &segments)
    }

    async fn list(
        &self,
        state: &str,
        (branch, base): (Option<&str>, Option<&str>),
    ) -> Result<Vec<shape::Pull>, Error> {
        let mut ask = self
            .at(Verb::GET, "list merge requests", &["merge_requests"])
            .query("state", state)
            .query("order_by", "created_at")
            .query("sort", "desc");
        if let Some(branch) = branch {
            ask = ask.query("source_branch", branch);
        }
        if let Some(base) = base {
            ask = ask.query("target_branch", base);
        }
        let found: Vec<shape::Pull> = match state {
            "opened" => {
                let ask = ask.query("per_page", PAGE);
                self.caller.all(&ask, Reply::linked).await?
            }
            _ => {
                // Those of all branches are mostly other people's.
                let most = if branch.is_some() { NEWEST } else { PAGE };
                self.caller.read(&ask.query("per_page", most)).await?
            }
        };
        Ok(found.into_iter().filter(shape::Pull::is_ours).collect())
    }

    async fn with_notes(&self, base: &str, which: Which) -> Result<Vec<Pull>, Error> {
        let state = match which {
            Which::Open => "opened",
            Which::Closed => "closed",
            Which::Merged => "merged",
        };
        let found = self.list(state, (None, Some(base))).await?;
        let found = found.into_iter().map(shape::Pull::into_pull).collect();
        Ok(which.noted(found).collect())
    }

    async fn one(&self, what: &str, number: u64) -> Result<shape::Pull, Error> {
        let number = number.to_string();
        let ask = self.at(Verb::GET, what, &["merge_requests", &number]);
        self.caller.read(&ask).await
    }

    async fn create(&self, wanted: &Wanted) -> Result<Pull, Error> {
        let wanted = &body::fitting(wanted, MAX_TITLE, MAX_BODY);
        const WHAT: &str = "open a merge request";
        let mut fields = json!({
            "source_branch": wanted.branch,
            "target_branch": wanted.base,
            "title": shape::title(wanted),
            "description": wanted.body,
        });
        if !wanted.labels.is_empty() {
            fields["labels"] = wanted.labels.join(",").into();
        }
        let ask = self.at(Verb::POST, WHAT, &["merge_requests"]).body(fields);
        let reply = self.caller.ask(&ask.accept(&[409])).await?;
        if reply.status != 409 {
            let opened: shape::Pull = reply.json()?;
            // Reviewers are ids, and one that is refused must not keep it from being opened.
            return self.change(opened, wanted).await;
        }
        let of = (Some(wanted.branch.as_str()), Some(wanted.base.as_str()));
        match self.list("opened", of).await?.into_iter().next() {
            Some(there) => self.change(there, wanted).await,
            None => Err(reply.refusal()),
        }
    }

    async fn change(&self, raw: shape::Pull, wanted: &Wanted) -> Result<Pull, Error> {
        const WHAT: &str = "change a merge request";
        let number = raw.number().to_string();
        let mut reviewers = raw.reviewers();
        let mut asked = Vec::new();
        for (name, id) in self.new_reviewers(&raw, wanted).await? {
            asked.push(name);
            reviewers.push(id);
        }
        let pull = raw.into_pull();
        let mut fields = serde_json::Map::new();
        if pull.title != wanted.title || pull.draft != wanted.draft {
            fields.insert("title".to_owned(), shape::title(wanted).into());
        }
        if !body::is_same(&pull.body, &wanted.body) {
            fields.insert("description".to_owned(), wanted.body.clone().into());
        }
        if pull.base != wanted.base {
            fields.insert("target_branch".to_owned(), wanted.base.clone().into());
        }
        let labels = names::missing(&wanted.labels, &pull.labels);
        if !labels.is_empty() {
            let labels: Vec<&str> = labels.into_iter().map(String::as_str).collect();
            fields.insert("add_labels".to_owned(), labels.join(",").into());
        }
        if !asked.is_empty() {
            // All of them, since they replace those that there are.
            fields.insert("reviewer_ids".to_owned(), reviewers.into());
        }
        if fields.is_empty() {
            return Ok(pull);
        }
        let ask = self.at(Verb::PUT, WHAT, &["merge_requests", &number]);
        let ask = ask.body(Value::Object(fields));
        let changed = self.caller.read::<shape::Pull>(&ask).await?.into_pull();
        for name in names::missing(&asked, &changed.reviewers) {
            // Without saying so, as where only one reviewer is allowed.
            self.strangers.add(name, "GitLab does not take it");
        }
        Ok(changed)
    }

    /// Names and ids of the reviewers who are wanted and not there.
    async fn new_reviewers(
        &self,
        raw: &shape::Pull,
        wanted: &Wanted,
    ) -> Result<Vec<(String, u64)>, Error> {
        let mut found = Vec::new();
        for name in names::missing(&wanted.reviewers, &raw.reviewer_names()) {
            if self.strangers.has(name) {
                continue;
            }
            match self.id(name).await? {
                Some(id) => found.push((name.clone(), id)),
                None => self.strangers.add(name, "there is no such user"),
            }
        }
        Ok(found)
    }

    async fn id(&self, name: &str) -> Result<Option<u64>, Error> {
        let lock = || self.ids.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(id) = lock().get(name) {
            return Ok(Some(*id));
        }
        let ask = Ask::new(Verb::GET, "find a user", &["users"]);
        let ask = ask.query("username", name.trim_start_matches('@'));
        let found: Vec<shape::User> = self.caller.read(&ask).await?;
        let id = found.first().map(|user| user.id);
        if let Some(id) = id {
            lock().insert(name.to_owned(), id);
        }
        Ok(id)
    }

    async fn close_with(&self, pull: &Pull, comment: &str) -> Result<(), Error> {
        const WHAT: &str = "close a merge request";
        if self.one(WHAT, pull.number).await?.into_pull().state != State::Open {
            return Ok(());
        }
        let number = pull.number.to_string();
        let ask = self.at(Verb::PUT, WHAT, &["merge_requests", &number]);
        self.caller
            .ask(&ask.body(json!({"state_event": "close"})))
            .await?;
        let ask = self.at(Verb::POST, WHAT, &["merge_requests", &number, "notes"]);
        self.caller.ask(&ask.body(json!({"body": comment}))).await?;
        Ok(())
    }

    /// Who approves, and who asks for changes; the former are not told with a commit.
    async fn opinions(&self, pull: &Pull) -> Result<Vec<Review>, Error> {
        const WHAT: &str = "read the approvals";
        let number = pull.number.to_string();
        let ask = self.at(Verb::GET, WHAT, &["merge_requests", &number, "approvals"]);
        let approvals: shape::Approvals = self.caller.read(&ask).await?;
        let ask = self.at(Verb::GET, WHAT, &["merge_requests", &number, "reviewers"]);
        let reviewers: Vec<shape::Reviewer> = self.caller.read(&ask).await?;
        let versions = match approvals.has_times() {
            true => self.versions(&number).await?,
            false => Vec::new(),
        };
        Ok(shape::opinions(approvals, reviewers, &versions))
    }

    /// What the source branch was at, newest first ("Merge request diff versions" of "Merge requests API").
    async fn versions(&self, number: &str) -> Result<Vec<shape::Version>, Error> {
        let place = ["merge_requests", number, "versions"];
        let ask = self.at(Verb::GET, "read the versions of a merge request", &place);
        let ask = ask.query("per_page", PAGE);
        self.caller.all(&ask, Reply::linked).await
    }

    async fn take_back(&self, pull: &Pull) -> Result<(), Error> {
        const WHAT: &str = "take approvals back, which needs a project's or a group's token";
        let opinions = self.opinions(pull).await?;
        if opinions
            .iter()
            .all(|review| review.opinion != Opinion::Approved)
        {
            return Ok(());
        }
        let number = pull.number.to_string();
        let place = ["merge_requests", &number, "reset_approvals"];
        let ask = self.at(Verb::PUT, WHAT, &place).accept(&[401]);
        let reply = self.caller.ask(&ask).await?;
        match reply.status {
            // So are people's tokens refused, which are good for all else.
            401 => Err(reply.as_if(403, reply.words())),
            _ => Ok(()),
        }
    }

    async fn merge(&self, pull: &Pull, method: Method) -> Result<Merge, Error> {
        const WHAT: &str = "merge a merge request";
        let raw = self.one(WHAT, pull.number).await?;
        if let Some(why) = raw.is_unsettled() {
            return Ok(Merge::NotYet(why));
        }
        if raw.is_scheduled() {
            return Ok(Merge::Scheduled);
        }
        let number = pull.number.to_string();
        let ask = self.at(Verb::PUT, WHAT, &["merge_requests", &number, "merge"]);
        let ask = ask.body(json!({
            "sha": pull.head,
            "squash": method == Method::Squash,
            "auto_merge": true,
            // Before GitLab 17.11.
            "merge_when_pipeline_succeeds": true,
        }));
        let reply = self
            .caller
            .ask(&ask.accept(&[401, 405, 406, 409, 422]))
            .await?;
        match reply.status {
            // May not accept merge requests; the credentials are good, or the look above had failed.
            401 => Err(reply.as_if(403, reply.words())),
            400.. => Ok(Merge::NotYet(reply.words())),
            _ => Ok(reply.json::<shape::Pull>()?.merging()),
        }
    }

    /// The answer to a refusal may have a status of success too, so what is there is looked at again.
    async fn unschedule(&self, pull: &Pull) -> Result<(), Error> {
        const WHAT: &str = "have a merge request not merged";
        if !self.one(WHAT, pull.number).await?.is_scheduled() {
            return Ok(());
        }
        let number = pull.number.to_string();
        let place = [
            "merge_requests",
            &number,
            "cancel_merge_when_pipeline_succeeds",
        ];
        let ask = self.at(Verb::POST, WHAT, &place).effort(Effort::Write);
        let reply = self.caller.ask(&ask.accept(&[401])).await?;
        if reply.status == 401 {
            // The credentials are good, or the look above had failed.
            return Err(reply.as_if(403, reply.words()));
        }
        match self.one(WHAT, pull.number).await?.is_scheduled() {
            true => Err(reply.as_if(422, reply.words())),
            false => Ok(()),
        }
    }

    async fn statuses(&self, what: &str, commit: &str) -> Result<Vec<shape::Status>, Error> {
        let ask = self
            .at(
                Verb::GET,
                what,
                &["repository", "commits", commit, "statuses"],
            )
            .query("per_page", PAGE);
        let all = self.caller.all(&ask, Reply::linked).await?;
        Ok(shape::newest(all))
    }

    async fn say(&self, commit: &str, status: &Status) -> Result<(), Error> {
        const WHAT: &str = "set a commit status";
        let wanted = shape::Status::of(status, MAX_STATUS);
        let said = self.statuses(WHAT, commit).await?;
        if said.iter().any(|said| said.is_same(&wanted)) {
            return Ok(());
        }
        let ask = self.at(Verb::POST, WHAT, &["statuses", commit]);
        let ask = ask.body(wanted.body()).effort(Effort::Write).accept(&[400]);
        let reply = self.caller.ask(&ask).await?;
        // The verdict is as asked, and only the words differ, which GitLab does not change alone.
        let is_said = reply.words().contains("Cannot transition status");
        match reply.status {
            400 if !is_said => Err(reply.refusal()),
            _ => Ok(()),
        }
    }

    async fn checked(&self, commit: &str, but: &str) -> Result<Checks, Error> {
        let all = self.statuses("read the checks of a commit", commit).await?;
        let each = all.into_iter().map(shape::Status::into_check);
        Ok(Checks::but(but, each))
    }

    async fn origin(&self, commit: &str, base: &str) -> Result<Option<Pull>, Error> {
        let place = ["repository", "commits", commit, "merge_requests"];
        let ask = self.at(Verb::GET, "find the merge request of a commit", &place);
        let reply = self.caller.ask(&ask.accept(&[404])).await?;
        let found: Vec<shape::Pull> = match reply.status {
            404 if reply.words().contains("Commit") => return Ok(None),
            404 => return Err(reply.refusal()),
            _ => reply.json()?,
        };
        let mut merged = found.into_iter().map(shape::Pull::into_pull);
        Ok(merged.find(|pull| pull.base == base && matches!(pull.state, State::Merged { .. })))
    }

    async fn make(&self, commit: &NewCommit) -> Result<Committed, Error> {
        const WHAT: &str = "make a commit";
        let place = ["repository", "branches", &commit.branch];
        let ask = self.at(Verb::GET, WHAT, &place).accept(&[404]);
        let reply = self.caller.ask(&ask).await?;
        let is_new = reply.status == 404;
        if !is_new && reply.json::<shape::Branch>()?.commit.id != commit.parent {
            return Ok(Committed::Moved);
        }
        let mut actions = Vec::new();
        for (path, contents) in &commit.files {
            actions.push(self.action(&commit.parent, path, contents).await?);
        }
        let mut fields = json!({
            "branch": commit.branch,
            "commit_message": commit.message,
            "actions": actions,
        });
        if is_new {
            fields["start_sha"] = commit.parent.clone().into();
        }
        let ask = self.at(Verb::POST, WHAT, &["repository", "commits"]);
        let reply = self.caller.ask(&ask.body(fields).accept(&[400])).await?;
        match reply.status {
            400 if shape::is_moved(&reply.words()) => Ok(Committed::Moved),
            400 => Err(reply.refusal()),
            _ => Ok(Committed::At(reply.json::<shape::Commit>()?.id)),
        }
    }

    /// How a file is changed, provided that it is what it was at `parent`.
    async fn action(&self, parent: &str, path: &str, contents: &[u8]) -> Result<Value, Error> {
        const LAST: &str = "x-gitlab-last-commit-id";
        let ask = self
            .at(Verb::HEAD, "look at a file", &["repository", "files", path])
            .query("ref", parent)
            .effort(Effort::Read)
            .accept(&[404]);
        let reply = self.caller.ask(&ask).await?;
        let last = reply
            .headers
            .get(LAST)
            .and_then(|value| value.to_str().ok());
        let mut action = json!({
            "action": if reply.status == 404 { "create" } else { "update" },
            "file_path": path,
            "content": STANDARD.encode(contents),
            "encoding": "base64",
        });
        if let Some(last) = last {
            action["last_commit_id"] = last.into();
        }
        Ok(action)
    }
}

impl Forge for GitLab {
    fn open_pulls<'a>(&'a self, prefix: &'a str) -> Answer<'a, Vec<Pull>> {
        Box::pin(async move {
            let found = self.list("opened", (None, None)).await?;
            let of = found.into_iter().map(shape::Pull::into_pull);
            Ok(of.filter(|pull| pull.branch.starts_with(prefix)).collect())
        })
    }

    fn pulls_of<'a>(&'a self, branch: &'a str, base: &'a str) -> Answer<'a, Vec<Pull>> {
        Box::pin(async move {
            let found = self.list("all", (Some(branch), Some(base))).await?;
            Ok(found.into_iter().map(shape::Pull::into_pull).collect())
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
            // Reviewers' ids are not in what the caller has.
            let raw = self.one("change a merge request", pull.number).await?;
            let wanted = body::fitting(wanted, MAX_TITLE, MAX_BODY);
            self.change(raw, &wanted).await
        })
    }

    fn close<'a>(&'a self, pull: &'a Pull, comment: &'a str) -> Answer<'a, ()> {
        Box::pin(self.close_with(pull, comment))
    }

    fn reviews<'a>(&'a self, pull: &'a Pull) -> Answer<'a, Vec<Review>> {
        Box::pin(self.opinions(pull))
    }

    fn dismiss<'a>(&'a self, pull: &'a Pull, _why: &'a str) -> Answer<'a, ()> {
        Box::pin(self.take_back(pull))
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
