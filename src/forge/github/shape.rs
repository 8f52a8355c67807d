//! What GitHub's interface says, in its shapes, and what it means.
//!
//! Invariant: only what is used is read, so that what GitHub adds or leaves out elsewhere breaks nothing.

use jiff::Timestamp;
use serde::Deserialize;
use serde_json::{Value, json};

use crate::forge::{self, Check, Merge, Method, Opinion, State, Verdict};

/// The account of those who have left.
const GHOST: &str = "ghost";

#[derive(Deserialize)]
pub(super) struct User {
    login: String,
}

#[derive(Deserialize)]
pub(super) struct Label {
    pub(super) name: String,
}

#[derive(Deserialize)]
struct Team {
    slug: String,
    /// The team's page is below its organisation's: `/orgs/ORG/teams/SLUG`.
    html_url: String,
}

#[derive(Deserialize)]
pub(super) struct Branch {
    #[serde(rename = "ref")]
    pub(super) name: String,
    sha: String,
    /// None when a fork was deleted.
    repo: Option<Repository>,
}

#[derive(Deserialize)]
struct Repository {
    full_name: String,
}

/// A pull request, in a listing or alone.
#[derive(Deserialize)]
pub(super) struct Pull {
    number: u64,
    node_id: String,
    html_url: String,
    state: String,
    title: String,
    body: Option<String>,
    #[serde(default)]
    draft: bool,
    #[serde(default)]
    labels: Vec<Label>,
    /// None when the account is gone.
    user: Option<User>,
    requested_reviewers: Option<Vec<User>>,
    requested_teams: Option<Vec<Team>>,
    pub(super) head: Branch,
    pub(super) base: Branch,
    closed_at: Option<Timestamp>,
    pub(super) merged_at: Option<Timestamp>,
    /// The merge that would be, as long as it is open.
    pub(super) merge_commit_sha: Option<String>,
    /// Not in listings.
    merged_by: Option<User>,
    auto_merge: Option<Value>,
}

impl Pull {
    /// Whether its branch is in this repository.
    pub(super) fn is_of(&self, owner: &str, name: &str) -> bool {
        let full = |repo: &Repository| {
            repo.full_name
                .eq_ignore_ascii_case(&format!("{owner}/{name}"))
        };
        self.head.repo.as_ref().is_some_and(full)
    }

    pub(super) fn merged_by(self) -> Option<String> {
        self.merged_by.map(|user| user.login)
    }

    pub(super) fn into_pull(self) -> forge::Pull {
        let state = match (self.state.as_str(), self.merged_at) {
            (_, Some(at)) => State::Merged {
                by: self.merged_by.map(|user| user.login),
                at: Some(at),
                commit: self.merge_commit_sha,
            },
            ("open", None) => State::Open,
            (_, None) => State::Closed {
                by: None,
                at: self.closed_at,
            },
        };
        let people = self.requested_reviewers.unwrap_or_default();
        let people = people.into_iter().map(|user| user.login);
        let teams = self.requested_teams.unwrap_or_default();
        forge::Pull {
            number: self.number,
            handle: Some(self.node_id),
            url: self.html_url,
            branch: self.head.name,
            base: self.base.name,
            head: self.head.sha,
            title: self.title,
            body: self.body.unwrap_or_default(),
            draft: self.draft,
            labels: self.labels.into_iter().map(|label| label.name).collect(),
            reviewers: people.chain(teams.iter().map(Team::name)).collect(),
            author: self.user.map(|user| user.login),
            auto_merge: self.auto_merge.is_some(),
            state,
        }
    }
}

impl Team {
    fn name(&self) -> String {
        let organisation = self.html_url.split("/orgs/").nth(1);
        let organisation = organisation.and_then(|rest| rest.split('/').next());
        format!("@{}/{}", organisation.unwrap_or_default(), self.slug)
    }
}

/// A pull request as the issue that it also is.
#[derive(Deserialize)]
pub(super) struct Issue {
    closed_by: Option<User>,
}

impl Issue {
    pub(super) fn closed_by(self) -> Option<String> {
        self.closed_by.map(|user| user.login)
    }
}

/// The body that asks people, and teams named `@org/team`, for reviews.
pub(super) fn request(reviewers: &[&String]) -> Value {
    let (teams, people): (Vec<&str>, Vec<&str>) = reviewers
        .iter()
        .map(|name| name.trim_start_matches('@'))
        .partition(|name| name.contains('/'));
    let teams = teams.into_iter().filter_map(|name| name.split('/').nth(1));
    json!({"reviewers": people, "team_reviewers": teams.collect::<Vec<_>>()})
}

#[derive(Deserialize)]
pub(super) struct RawReview {
    id: u64,
    /// None when the account is gone.
    user: Option<User>,
    state: String,
    commit_id: Option<String>,
    submitted_at: Option<Timestamp>,
}

/// One reviewer's newest opinion.
pub(super) struct Review {
    pub(super) id: u64,
    pub(super) by: String,
    pub(super) opinion: Opinion,
    commit: Option<String>,
    at: Option<Timestamp>,
}

impl Review {
    pub(super) fn into_review(self) -> forge::Review {
        forge::Review {
            by: self.by,
            opinion: self.opinion,
            commit: self.commit,
            at: self.at,
        }
    }
}

/// The newest opinion of each reviewer, from all reviews, oldest first. Words alone take no opinion back,
/// and what was not submitted is none.
pub(super) fn newest(all: Vec<RawReview>) -> Vec<Review> {
    let mut newest: Vec<Review> = Vec::new();
    for review in all {
        let opinion = match review.state.as_str() {
            "PENDING" => continue,
            "APPROVED" => Opinion::Approved,
            "CHANGES_REQUESTED" => Opinion::Rejected,
            _ => Opinion::Neutral,
        };
        let is_words = review.state == "COMMENTED";
        let review = Review {
            id: review.id,
            by: review
                .user
                .map_or_else(|| GHOST.to_owned(), |user| user.login),
            opinion,
            commit: review.commit_id,
            at: review.submitted_at,
        };
        match newest.iter_mut().find(|known| known.by == review.by) {
            Some(_) if is_words => {}
            Some(known) => *known = review,
            None => newest.push(review),
        }
    }
    newest
}

#[derive(Deserialize)]
pub(super) struct Statuses {
    pub(super) statuses: Vec<Status>,
}

#[derive(Deserialize)]
pub(super) struct Status {
    context: String,
    state: String,
    description: Option<String>,
    target_url: Option<String>,
}

impl Status {
    pub(super) fn of(status: &forge::Status, longest: usize) -> Self {
        let state = match status.verdict {
            Verdict::Success => "success",
            Verdict::Pending => "pending",
            Verdict::Failure => "failure",
        };
        Self {
            context: status.name.clone(),
            state: state.to_owned(),
            description: Some(forge::body::short(&status.description, longest)),
            target_url: status.url.clone(),
        }
    }

    pub(super) fn body(&self) -> Value {
        json!({
            "context": self.context,
            "state": self.state,
            "description": self.description,
            "target_url": self.target_url,
        })
    }

    /// Contexts are compared without case, as GitHub does.
    pub(super) fn is_same(&self, other: &Self) -> bool {
        self.context.eq_ignore_ascii_case(&other.context)
            && self.state == other.state
            && self.description == other.description
            && self.target_url == other.target_url
    }

    pub(super) fn into_check(self) -> Check {
        let verdict = match self.state.as_str() {
            "success" => Verdict::Success,
            "pending" => Verdict::Pending,
            _ => Verdict::Failure,
        };
        Check::new(self.context, verdict, self.description)
    }
}

#[derive(Deserialize)]
pub(super) struct CheckRuns {
    pub(super) check_runs: Vec<CheckRun>,
}

#[derive(Deserialize)]
pub(super) struct CheckRun {
    name: String,
    status: String,
    conclusion: Option<String>,
}

impl CheckRun {
    /// "About protected branches": a required check must be successful, skipped or neutral.
    pub(super) fn into_check(self) -> Check {
        let verdict = match (self.status.as_str(), self.conclusion.as_deref()) {
            ("completed", Some("success" | "neutral" | "skipped")) => Verdict::Success,
            ("completed", _) => Verdict::Failure,
            _ => Verdict::Pending,
        };
        Check::new(self.name, verdict, None)
    }
}

/// How REST calls a method.
pub(super) fn method(method: Method) -> &'static str {
    match method {
        Method::Merge => "merge",
        Method::Squash => "squash",
        Method::Rebase => "rebase",
    }
}

/// What GitHub's words mean for a later try: that a way to merge is not allowed changes only by somebody's
/// doing.
pub(super) fn obstacle(words: String) -> Merge {
    let lower = words.to_lowercase();
    match ["not allowed", "not enabled", "not supported"]
        .iter()
        .any(|part| lower.contains(part))
    {
        true => Merge::Never(words),
        false => Merge::NotYet(words),
    }
}

#[cfg(test)]
mod tests;
