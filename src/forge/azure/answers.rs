//! What Azure DevOps answers, and what it means; no I/O.
//!
//! Source: "Git" in the reference of Azure DevOps' REST API 7.0, learn.microsoft.com.

use std::collections::HashMap;

use jiff::Timestamp;
use serde::Deserialize;
use serde_json::{Map, Value, json};

use crate::forge::call;
use crate::forge::{Check, Opinion, Pull, Review, State, Status, Verdict, Wanted, body, words};

/// Longest text of a pull request, in UTF-16 units.
pub(super) const MAX_BODY: usize = 4000;

/// Longest title, in characters.
const MAX_TITLE: usize = 400;

/// Longest description of a status, in characters; the reference names no limit.
const MAX_DESCRIPTION: usize = 255;

/// A listing gives no more of a text than this, in UTF-16 units.
const MAX_LISTED: usize = 400;

/// What a branch's full name begins with.
const HEADS: &str = "refs/heads/";

/// A page of a listing.
#[derive(Debug, Deserialize)]
pub(super) struct Listing<T> {
    pub(super) value: Vec<T>,
}

/// A pull request.
#[derive(Debug, Clone, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct RawPull {
    #[serde(rename = "pullRequestId")]
    pub(super) id: u64,
    status: String,
    title: String,
    description: Option<String>,
    source_ref_name: String,
    target_ref_name: String,
    #[serde(default)]
    is_draft: bool,
    #[serde(default)]
    reviewers: Vec<Reviewer>,
    #[serde(default)]
    pub(super) labels: Vec<Label>,
    last_merge_source_commit: Option<Commit>,
    last_merge_commit: Option<Commit>,
    merge_status: Option<String>,
    auto_complete_set_by: Option<Identity>,
    created_by: Option<Identity>,
    closed_by: Option<Identity>,
    closed_date: Option<String>,
    /// Present for one from a fork.
    fork_source: Option<Value>,
}

/// Somebody. A display name needn't be unique, the unique name is.
#[derive(Debug, Clone, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Identity {
    pub(super) id: String,
    unique_name: Option<String>,
    display_name: Option<String>,
}

impl Identity {
    fn name(&self) -> String {
        let names = [&self.unique_name, &self.display_name];
        let name = names.into_iter().flatten().find(|name| !name.is_empty());
        words::clean(name.unwrap_or(&self.id))
    }

    /// What tells this one from all others, whatever they call themselves.
    fn account(&self) -> String {
        let name = self.unique_name.as_ref().filter(|name| !name.is_empty());
        words::name(name.unwrap_or(&self.id))
    }

    /// Whether somebody writes this one so.
    pub(super) fn is(&self, name: &str) -> bool {
        let names = [
            Some(&self.id),
            self.unique_name.as_ref(),
            self.display_name.as_ref(),
        ];
        let mut names = names.into_iter().flatten();
        names.any(|known| known.to_lowercase() == name.to_lowercase())
    }
}

#[derive(Debug, Clone, Deserialize)]
#[serde(rename_all = "camelCase")]
struct Reviewer {
    #[serde(flatten)]
    who: Identity,
    #[serde(default)]
    vote: i32,
    /// Whether it is a group, whose vote sums up those of its members.
    #[serde(default)]
    is_container: bool,
}

/// A label.
#[derive(Debug, Clone, Deserialize)]
pub(super) struct Label {
    name: String,
    active: Option<bool>,
}

#[derive(Debug, Clone, Deserialize)]
#[serde(rename_all = "camelCase")]
struct Commit {
    commit_id: String,
}

/// What was pushed to the source branch at once.
#[derive(Debug, Clone, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Iteration {
    pub(super) id: u64,
    source_ref_commit: Option<Commit>,
    created_date: Option<String>,
}

impl Iteration {
    /// Whether the source branch was at this commit then.
    pub(super) fn is_at(&self, commit: &str) -> bool {
        let at = self.source_ref_commit.as_ref();
        at.is_some_and(|at| at.commit_id == commit)
    }
}

/// A thread of comments; votes are among them.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Thread {
    published_date: Option<String>,
    properties: Option<HashMap<String, Value>>,
    identities: Option<HashMap<String, Identity>>,
}

impl Thread {
    /// Who gave a vote here, and when.
    fn vote(&self) -> Option<(&Identity, Timestamp)> {
        let property = |name: &str| self.properties.as_ref()?.get(name)?.get("$value")?.as_str();
        if property("CodeReviewThreadType") != Some("VoteUpdate") {
            return None;
        }
        let who = property("CodeReviewVotedByIdentity")?;
        let who = self.identities.as_ref()?.get(who)?;
        Some((who, call::time(self.published_date.as_deref()?)?))
    }
}

impl RawPull {
    pub(super) fn is_from_fork(&self) -> bool {
        self.fork_source
            .as_ref()
            .is_some_and(|fork| !fork.is_null())
    }

    /// Whether its text may be cut, if it comes from a listing.
    pub(super) fn may_be_cut(&self) -> bool {
        self.text().encode_utf16().count() >= MAX_LISTED
    }

    pub(super) fn branch(&self) -> &str {
        branch(&self.source_ref_name)
    }

    pub(super) fn base(&self) -> &str {
        branch(&self.target_ref_name)
    }

    pub(super) fn head(&self) -> &str {
        let commit = self.last_merge_source_commit.as_ref();
        commit
            .map(|commit| commit.commit_id.as_str())
            .unwrap_or_default()
    }

    pub(super) fn is_open(&self) -> bool {
        self.status == "active"
    }

    pub(super) fn is_merged(&self) -> bool {
        self.status == "completed"
    }

    pub(super) fn conflicts(&self) -> bool {
        self.merge_status.as_deref() == Some("conflicts")
    }

    pub(super) fn merges_itself(&self) -> bool {
        self.auto_complete_set_by.is_some()
    }

    fn text(&self) -> &str {
        self.description.as_deref().unwrap_or_default()
    }

    /// What has to change so that it says what is wanted; empty if nothing has to.
    pub(super) fn change(&self, wanted: &Wanted) -> Map<String, Value> {
        let (title, text) = (title(wanted), body::cut(&wanted.body, MAX_BODY));
        let mut change = Map::new();
        if self.title != title {
            change.insert("title".to_owned(), json!(title));
        }
        if !body::is_same(self.text(), &text) {
            change.insert("description".to_owned(), json!(text));
        }
        if self.is_draft != wanted.draft {
            change.insert("isDraft".to_owned(), json!(wanted.draft));
        }
        change
    }

    /// The reviewers that are wanted and not there.
    pub(super) fn missing<'a>(&self, wanted: &'a Wanted) -> Vec<&'a str> {
        let names = wanted.reviewers.iter().map(String::as_str);
        let is_there = |name: &&str| self.reviewers.iter().any(|known| known.who.is(team(name)));
        names.filter(|name| !is_there(name)).collect()
    }

    pub(super) fn pull(self, url: String) -> Pull {
        Pull {
            number: self.id,
            handle: None,
            url,
            branch: self.branch().to_owned(),
            base: self.base().to_owned(),
            head: self.head().to_owned(),
            labels: names(&self.labels),
            reviewers: self
                .reviewers
                .iter()
                .map(|known| known.who.name())
                .collect(),
            author: self.created_by.as_ref().map(Identity::account),
            auto_merge: self.is_open() && self.merges_itself(),
            state: self.ending(),
            title: self.title,
            body: self.description.unwrap_or_default(),
            draft: self.is_draft,
        }
    }

    fn ending(&self) -> State {
        if self.is_open() {
            return State::Open;
        }
        let by = self.closed_by.as_ref().map(Identity::account);
        let at = self.closed_date.as_deref().and_then(call::time);
        if !self.is_merged() {
            return State::Closed { by, at };
        }
        let commit = self.last_merge_commit.as_ref();
        State::Merged {
            by,
            at,
            commit: commit.map(|commit| commit.commit_id.clone()),
        }
    }

    /// The ids of those whose approval counts.
    pub(super) fn approvers(&self) -> Vec<&str> {
        let approvers = self
            .reviewers
            .iter()
            .filter(|known| known.vote > 0 && !known.is_container);
        approvers.map(|known| known.who.id.as_str()).collect()
    }

    /// The opinions of people. A vote is bound to no commit, so the one is taken that was the newest when
    /// it was given.
    pub(super) fn reviews(&self, threads: &[Thread], iterations: &[Iteration]) -> Vec<Review> {
        let people = self.reviewers.iter().filter(|known| !known.is_container);
        let reviews = people.filter_map(|known| {
            // 10 approved, 5 with suggestions, -5 waits for the author, -10 rejected.
            let opinion = match known.vote {
                1.. => Opinion::Approved,
                0 => return None,
                _ => Opinion::Rejected,
            };
            let votes = threads.iter().filter_map(Thread::vote);
            let at = votes
                .filter(|(who, _)| who.id == known.who.id)
                .map(|(_, at)| at)
                .max();
            let commit = at.and_then(|at| head_at(iterations, at));
            Some(Review {
                by: known.who.account(),
                opinion,
                commit: commit.map(str::to_owned),
                at,
            })
        });
        reviews.collect()
    }
}

/// The commit of the source branch at a time.
fn head_at(iterations: &[Iteration], at: Timestamp) -> Option<&str> {
    let heads = iterations.iter().filter_map(|iteration| {
        let time = call::time(iteration.created_date.as_deref()?)?;
        let commit = &iteration.source_ref_commit.as_ref()?.commit_id;
        (time <= at).then_some((iteration.id, commit.as_str()))
    });
    heads.max().map(|(_, commit)| commit)
}

/// The names of the labels that are in use.
pub(super) fn names(labels: &[Label]) -> Vec<String> {
    let active = labels.iter().filter(|label| label.active != Some(false));
    active.map(|label| words::clean(&label.name)).collect()
}

fn branch(full: &str) -> &str {
    full.strip_prefix(HEADS).unwrap_or(full)
}

/// A branch's full name.
pub(super) fn full(branch: &str) -> String {
    format!("{HEADS}{branch}")
}

fn title(wanted: &Wanted) -> String {
    body::short(&wanted.title, MAX_TITLE)
}

/// A new pull request.
pub(super) fn new_pull(wanted: &Wanted) -> Value {
    let labels = wanted.labels.iter().map(|name| json!({ "name": name }));
    json!({
        "sourceRefName": full(&wanted.branch),
        "targetRefName": full(&wanted.base),
        "title": title(wanted),
        "description": body::cut(&wanted.body, MAX_BODY),
        "isDraft": wanted.draft,
        "labels": labels.collect::<Vec<_>>(),
    })
}

/// The name of a team, without the organisation that may be written before it; of a person as it is.
pub(super) fn team(name: &str) -> &str {
    let team = name
        .strip_prefix('@')
        .and_then(|team| team.rsplit('/').next());
    team.unwrap_or(name)
}

/// Whether a name is an identity's id, as `f47ac10b-58cc-4372-a567-0e02b2c3d479`.
pub(super) fn is_id(name: &str) -> bool {
    let groups: Vec<&str> = name.split('-').collect();
    let is_hex = |text: &&str| text.bytes().all(|byte| byte.is_ascii_hexdigit());
    groups.iter().map(|group| group.len()).eq([8, 4, 4, 4, 12]) && groups.iter().all(is_hex)
}

/// A status. It is known by a name within a genre, by both of which policies ask for it.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct RawStatus {
    state: Option<String>,
    context: Option<Context>,
    description: Option<String>,
    target_url: Option<String>,
    /// Present for one of a pull request.
    iteration_id: Option<u64>,
}

#[derive(Debug, Deserialize)]
struct Context {
    name: Option<String>,
    genre: Option<String>,
}

impl RawStatus {
    /// Its name with the genre before it, and what it says; nothing if it applies to nothing.
    pub(super) fn told(&self) -> Option<Check> {
        let verdict = match self.state.as_deref()? {
            "succeeded" => Verdict::Success,
            "pending" | "notSet" => Verdict::Pending,
            "notApplicable" => return None,
            _ => Verdict::Failure,
        };
        let context = self.context.as_ref()?;
        let parts = [&context.genre, &context.name].into_iter().flatten();
        let parts: Vec<&str> = parts
            .map(String::as_str)
            .filter(|part| !part.is_empty())
            .collect();
        let words = self.description.clone();
        Some(Check::new(words::clean(&parts.join("/")), verdict, words))
    }
}

/// Whether a status that is to be sent is said already; of one name and iteration the last counts.
pub(super) fn is_said(statuses: &[RawStatus], status: &Value) -> bool {
    let is_of = |known: &&RawStatus| {
        let context = known.context.as_ref();
        let name = context.and_then(|context| context.name.as_deref());
        let genre = context.and_then(|context| context.genre.as_deref());
        status["context"]["name"].as_str() == name
            && status["context"]["genre"].as_str() == Some(genre.unwrap_or_default())
            && status["iterationId"].as_u64() == known.iteration_id
    };
    statuses.iter().rfind(is_of).is_some_and(|known| {
        status["state"].as_str() == known.state.as_deref()
            && status["description"].as_str() == known.description.as_deref()
            && status["targetUrl"].as_str() == known.target_url.as_deref()
    })
}

/// A status as it is sent; what is before the first slash of its name is its genre.
pub(super) fn status(status: &Status) -> Value {
    let (genre, name) = status.name.split_once('/').unwrap_or(("", &status.name));
    json!({
        "state": match status.verdict {
            Verdict::Success => "succeeded",
            Verdict::Pending => "pending",
            Verdict::Failure => "failed",
        },
        "description": body::short(&status.description, MAX_DESCRIPTION),
        "targetUrl": status.url,
        "context": {"genre": genre, "name": name},
    })
}

#[cfg(test)]
mod tests;
