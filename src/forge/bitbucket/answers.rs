//! What Bitbucket Data Center answers, and what it means; no I/O.
//!
//! Source: "Bitbucket Data Center REST API", developer.atlassian.com/server/bitbucket/rest. Times are
//! milliseconds since 1970.

use jiff::Timestamp;
use serde::Deserialize;
use serde_json::{Value, json};

use crate::forge::call::Reply;
use crate::forge::{Opinion, Pull, Review, State, Wanted, body, words};

/// Longest text of a pull request, in characters.
pub(super) const MAX_BODY: usize = 32_768;

/// What a branch's full name begins with.
const HEADS: &str = "refs/heads/";

/// A page of a listing.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Listing<T> {
    pub(super) values: Vec<T>,
    #[serde(default)]
    is_last_page: bool,
    next_page_start: Option<u64>,
}

impl<T> Listing<T> {
    /// Where the next page starts.
    pub(super) fn next(&self) -> Option<u64> {
        self.next_page_start.filter(|_| !self.is_last_page)
    }
}

/// A pull request.
#[derive(Debug, Clone, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct RawPull {
    pub(super) id: u64,
    /// Changes with each change; what is sent must be about the newest.
    pub(super) version: u64,
    title: String,
    description: Option<String>,
    /// Absent before 8.18.
    draft: Option<bool>,
    state: String,
    from_ref: Ref,
    to_ref: Ref,
    author: Option<Participant>,
    #[serde(default)]
    reviewers: Vec<Participant>,
    #[serde(default)]
    participants: Vec<Participant>,
    properties: Option<Properties>,
    closed_date: Option<i64>,
    links: Option<Links>,
}

#[derive(Debug, Clone, Deserialize)]
#[serde(rename_all = "camelCase")]
struct Ref {
    /// Its full name, as `refs/heads/main`.
    id: String,
    #[serde(default)]
    latest_commit: String,
    repository: Repository,
}

#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
struct Repository {
    slug: String,
    project: Project,
}

#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
struct Project {
    key: String,
}

#[derive(Debug, Clone, Deserialize)]
struct User {
    name: String,
}

#[derive(Debug, Clone, Deserialize)]
#[serde(rename_all = "camelCase")]
struct Participant {
    user: User,
    last_reviewed_commit: Option<String>,
    status: Option<String>,
}

#[derive(Debug, Clone, Deserialize)]
#[serde(rename_all = "camelCase")]
struct Properties {
    merge_commit: Option<Commit>,
}

#[derive(Debug, Clone, Deserialize)]
struct Commit {
    id: String,
}

#[derive(Debug, Clone, Deserialize)]
struct Links {
    #[serde(rename = "self", default)]
    own: Vec<Link>,
}

#[derive(Debug, Clone, Deserialize)]
struct Link {
    href: String,
}

/// One thing that happened to a pull request.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Activity {
    action: String,
    user: Option<User>,
    created_date: Option<i64>,
    commit: Option<Commit>,
}

impl RawPull {
    /// Whether it comes from a branch of the repository that it goes to.
    pub(super) fn is_of_one_repository(&self) -> bool {
        self.from_ref.repository == self.to_ref.repository
    }

    pub(super) fn branch(&self) -> &str {
        branch(&self.from_ref.id)
    }

    pub(super) fn base(&self) -> &str {
        branch(&self.to_ref.id)
    }

    pub(super) fn head(&self) -> &str {
        &self.from_ref.latest_commit
    }

    pub(super) fn is_open(&self) -> bool {
        self.state == "OPEN"
    }

    pub(super) fn is_merged(&self) -> bool {
        self.state == "MERGED"
    }

    /// What its text hides.
    pub(super) fn note(&self) -> Option<String> {
        body::hidden(self.description.as_deref()?)
    }

    /// The commit on its base that merged it.
    pub(super) fn merge_commit(&self) -> Option<&str> {
        let properties = self.properties.as_ref()?;
        Some(&properties.merge_commit.as_ref()?.id)
    }

    /// Whether it says what is wanted, reviewers apart.
    pub(super) fn says(&self, wanted: &Wanted) -> bool {
        let text = self.description.as_deref().unwrap_or_default();
        self.title == wanted.title
            && self.draft.is_none_or(|draft| draft == wanted.draft)
            && body::is_same(text, &body::cut(&wanted.body, MAX_BODY))
    }

    /// The reviewers that are wanted and not there. The author can't be one.
    pub(super) fn missing<'a>(&self, wanted: &'a Wanted) -> Vec<&'a str> {
        let there = || self.reviewers.iter().chain(&self.author);
        let names = wanted.reviewers.iter().map(String::as_str);
        names
            .filter(|name| !there().any(|known| known.user.name.eq_ignore_ascii_case(name)))
            .collect()
    }

    /// The change that makes it as wanted, with more reviewers; those that are left out are taken away.
    pub(super) fn change(&self, wanted: &Wanted, more: &[&str]) -> Value {
        let known = self.reviewers.iter().map(|known| known.user.name.as_str());
        let mut change = said(wanted);
        change["version"] = json!(self.version);
        change["reviewers"] = users(known.chain(more.iter().copied()));
        change
    }

    /// With what only other requests tell.
    pub(super) fn pull(self, auto_merge: bool, happened: &[Activity]) -> Pull {
        let links = self.links.as_ref();
        Pull {
            number: self.id,
            handle: Some(self.version.to_string()),
            url: links
                .and_then(|links| links.own.first())
                .map_or_else(String::new, |link| link.href.clone()),
            branch: self.branch().to_owned(),
            base: self.base().to_owned(),
            head: self.head().to_owned(),
            state: self.ending(happened),
            reviewers: self.reviewers.iter().map(Participant::name).collect(),
            author: self.author.as_ref().map(Participant::name),
            title: self.title,
            body: self.description.unwrap_or_default(),
            draft: self.draft.unwrap_or_default(),
            labels: Vec::new(),
            auto_merge,
        }
    }

    fn ending(&self, happened: &[Activity]) -> State {
        if self.is_open() {
            return State::Open;
        }
        let end = happened.iter().find(|one| one.action == self.state);
        let by = end.and_then(|end| Some(words::name(&end.user.as_ref()?.name)));
        let at = end.and_then(|end| end.created_date).or(self.closed_date);
        let at = at.and_then(time);
        if !self.is_merged() {
            return State::Closed { by, at };
        }
        let commit = end.and_then(|end| Some(end.commit.as_ref()?.id.as_str()));
        let commit = commit.or(self.merge_commit()).map(str::to_owned);
        State::Merged { by, at, commit }
    }

    /// The opinions of those who take part.
    pub(super) fn reviews(&self, happened: &[Activity]) -> Vec<Review> {
        let all = self.reviewers.iter().chain(&self.participants);
        let reviews = all.filter_map(|known| {
            let (opinion, action) = match known.status.as_deref()? {
                "APPROVED" => (Opinion::Approved, "APPROVED"),
                // Such an opinion is an act of reviewing, by the name it has there.
                "NEEDS_WORK" => (Opinion::Rejected, "REVIEWED"),
                _ => return None,
            };
            let is_theirs = |one: &&Activity| {
                let by = one.user.as_ref().map(|user| user.name.as_str());
                one.action == action && by == Some(&known.user.name)
            };
            let given = happened.iter().find(is_theirs);
            Some(Review {
                by: known.name(),
                opinion,
                commit: known.last_reviewed_commit.clone(),
                at: given.and_then(|one| time(one.created_date?)),
            })
        });
        reviews.collect()
    }
}

impl Participant {
    fn name(&self) -> String {
        words::name(&self.user.name)
    }
}

fn branch(full: &str) -> &str {
    full.strip_prefix(HEADS).unwrap_or(full)
}

/// A branch's full name.
pub(super) fn full(branch: &str) -> String {
    format!("{HEADS}{branch}")
}

fn time(milliseconds: i64) -> Option<Timestamp> {
    Timestamp::from_millisecond(milliseconds).ok()
}

fn said(wanted: &Wanted) -> Value {
    json!({
        "title": wanted.title,
        "description": body::cut(&wanted.body, MAX_BODY),
        "draft": wanted.draft,
    })
}

/// A new pull request.
pub(super) fn new_pull(wanted: &Wanted, reviewers: &[&str]) -> Value {
    let mut pull = said(wanted);
    pull["fromRef"] = json!({"id": full(&wanted.branch)});
    pull["toRef"] = json!({"id": full(&wanted.base)});
    pull["reviewers"] = users(reviewers.iter().copied());
    pull
}

fn users<'a>(names: impl Iterator<Item = &'a str>) -> Value {
    let users = names.map(|name| json!({"user": {"name": name}}));
    Value::Array(users.collect())
}

/// Why something was refused.
#[derive(Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub(super) struct Refusal {
    exception_name: Option<String>,
    existing_pull_request: Option<Value>,
    reviewer_errors: Vec<ReviewerError>,
    vetoes: Vec<Veto>,
}

#[derive(Debug, Deserialize)]
struct ReviewerError {
    /// The name that is no reviewer's.
    context: Option<String>,
    message: Option<String>,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
struct Veto {
    summary_message: Option<String>,
}

impl Refusal {
    /// The first of the errors that a reply tells.
    pub(super) fn of(reply: &Reply) -> Self {
        #[derive(Deserialize)]
        struct Errors {
            errors: Vec<Refusal>,
        }
        let errors: Option<Errors> = reply.json().ok();
        let first = errors.and_then(|errors| errors.errors.into_iter().next());
        first.unwrap_or_default()
    }

    /// Whether it is this exception, by its name without the package.
    pub(super) fn is(&self, name: &str) -> bool {
        let full = self.exception_name.as_deref().unwrap_or_default();
        full.rsplit('.').next() == Some(name)
    }

    /// The pull request that there is already.
    pub(super) fn existing(&mut self) -> Option<RawPull> {
        serde_json::from_value(self.existing_pull_request.take()?).ok()
    }

    /// Why it refuses this reviewer, if it does.
    pub(super) fn of_reviewer(&self, name: &str) -> Option<String> {
        let is_theirs = |error: &&ReviewerError| {
            let refused = error.context.as_deref();
            refused.is_some_and(|refused| refused.eq_ignore_ascii_case(name))
        };
        let error = self.reviewer_errors.iter().find(is_theirs)?;
        Some(words::clean(error.message.as_deref().unwrap_or_default()))
    }

    /// What keeps it from being merged, where that is the reason.
    pub(super) fn vetoes(&self) -> String {
        reasons(&self.vetoes)
    }
}

/// Whether a pull request can be merged.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Mergeable {
    #[serde(default)]
    pub(super) can_merge: bool,
    #[serde(default)]
    pub(super) conflicted: bool,
    #[serde(default)]
    vetoes: Vec<Veto>,
}

impl Mergeable {
    /// What keeps it from being merged.
    pub(super) fn words(&self) -> String {
        reasons(&self.vetoes)
    }
}

fn reasons(vetoes: &[Veto]) -> String {
    let texts = vetoes
        .iter()
        .filter_map(|veto| veto.summary_message.as_deref());
    words::clean(&texts.collect::<Vec<_>>().join("; "))
}

/// A wish to merge; it is about one commit of the source branch.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct AutoMerge {
    #[serde(default)]
    pub(super) from_hash: String,
}

#[cfg(test)]
mod tests;
