//! What Gitea's interface says, in its shapes, and what it means.
//!
//! Invariant: only what is used is read, since Gitea, Forgejo and their versions differ in the rest. A
//! draft is told by the title's prefix, which is no part of the title here.

use jiff::{SignedDuration, Timestamp};
use serde::Deserialize;
use serde_json::{Value, json};

use crate::forge::{self, Check, Merge, Method, Opinion, State, Verdict, Wanted, body};

/// What makes a draft of a pull request, in the form that is written ("Pull request", "WIP").
const DRAFT: &str = "WIP: ";

/// The forms that are read by default settings.
const DRAFTS: [&str; 2] = ["wip:", "[wip]"];

/// How much earlier than its end a pull request's last events are looked for: times are of whole seconds.
pub(super) const SPARE: SignedDuration = SignedDuration::from_mins(1);

/// The account of those who have left.
const GHOST: &str = "ghost";

#[derive(Deserialize)]
struct User {
    login: String,
}

#[derive(Deserialize)]
struct Team {
    name: String,
    organization: Option<Organization>,
}

#[derive(Deserialize)]
struct Organization {
    #[serde(alias = "username")]
    name: String,
}

#[derive(Deserialize)]
pub(super) struct Label {
    pub(super) id: u64,
    pub(super) name: String,
}

#[derive(Deserialize)]
struct End {
    /// The branch's name, also after the branch was deleted.
    label: String,
    sha: String,
    repo: Option<Repository>,
}

#[derive(Deserialize)]
struct Repository {
    full_name: String,
}

/// A pull request.
#[derive(Deserialize)]
pub(super) struct Pull {
    number: u64,
    html_url: String,
    state: String,
    title: String,
    body: Option<String>,
    labels: Option<Vec<Label>>,
    user: Option<User>,
    /// Not in older versions.
    requested_reviewers: Option<Vec<User>>,
    requested_reviewers_teams: Option<Vec<Team>>,
    head: End,
    base: End,
    closed_at: Option<Timestamp>,
    #[serde(default)]
    merged: bool,
    merged_at: Option<Timestamp>,
    merge_commit_sha: Option<String>,
    merged_by: Option<User>,
}

impl Pull {
    pub(super) fn number(&self) -> u64 {
        self.number
    }

    pub(super) fn head(&self) -> &str {
        &self.head.sha
    }

    pub(super) fn is_open(&self) -> bool {
        self.state == "open"
    }

    /// Whether its branch is in this repository.
    pub(super) fn is_of(&self, owner: &str, name: &str) -> bool {
        let full = format!("{owner}/{name}");
        let is_full = |repo: &Repository| repo.full_name.eq_ignore_ascii_case(&full);
        self.head.repo.as_ref().is_some_and(is_full)
    }

    pub(super) fn is_from(&self, branch: &str, base: &str) -> bool {
        self.head.label == branch && self.base.label == base
    }

    pub(super) fn into_pull(self) -> forge::Pull {
        let state = match (self.merged, self.state.as_str()) {
            (true, _) => State::Merged {
                by: self.merged_by.map(|user| user.login),
                at: self.merged_at,
                commit: self.merge_commit_sha,
            },
            (false, "open") => State::Open,
            (false, _) => State::Closed {
                by: None,
                at: self.closed_at,
            },
        };
        let people = self.requested_reviewers.unwrap_or_default();
        let people = people.into_iter().map(|user| user.login);
        let teams = self.requested_reviewers_teams.unwrap_or_default();
        let title = plain(&self.title);
        forge::Pull {
            number: self.number,
            handle: None,
            url: self.html_url,
            branch: self.head.label,
            base: self.base.label,
            head: self.head.sha,
            title: title.unwrap_or(&self.title).to_owned(),
            body: self.body.unwrap_or_default(),
            draft: title.is_some(),
            labels: self
                .labels
                .unwrap_or_default()
                .into_iter()
                .map(|label| label.name)
                .collect(),
            reviewers: people.chain(teams.into_iter().map(Team::full)).collect(),
            author: self.user.map(|user| user.login),
            // It doesn't tell.
            auto_merge: false,
            state,
        }
    }
}

impl Team {
    fn full(self) -> String {
        let organization = self.organization.map(|of| of.name).unwrap_or_default();
        format!("@{organization}/{}", self.name)
    }
}

/// A title as Gitea has it.
pub(super) fn title(wanted: &Wanted) -> String {
    match wanted.draft {
        true => format!("{DRAFT}{}", wanted.title),
        false => wanted.title.clone(),
    }
}

/// A draft's title without what makes a draft of it.
fn plain(title: &str) -> Option<&str> {
    let is_draft = |form: &&&str| {
        let start = title.get(..form.len());
        start.is_some_and(|start| start.eq_ignore_ascii_case(form))
    };
    let form = DRAFTS.iter().find(is_draft)?;
    Some(title[form.len()..].trim_start())
}

/// The body that asks somebody, or a team named `@org/team`, for a review.
pub(super) fn request(name: &str) -> Value {
    match name.trim_start_matches('@').split_once('/') {
        Some((_, team)) => json!({"team_reviewers": [team]}),
        None => json!({"reviewers": [name.trim_start_matches('@')]}),
    }
}

/// Something that happened to a pull request.
#[derive(Deserialize)]
pub(super) struct Event {
    #[serde(rename = "type")]
    kind: String,
    user: Option<User>,
}

/// Who closed a pull request, from what happened to it, oldest first.
pub(super) fn closed_by(events: Vec<Event>) -> Option<String> {
    let closed = events
        .into_iter()
        .rev()
        .find(|event| event.kind == "close")?;
    closed.user.map(|user| user.login)
}

#[derive(Deserialize)]
pub(super) struct RawReview {
    id: u64,
    user: Option<User>,
    state: String,
    #[serde(default)]
    dismissed: bool,
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
            commit: self.commit.filter(|commit| !commit.is_empty()),
            at: self.at,
        }
    }
}

/// The newest opinion of each reviewer, from all reviews, oldest first. Words alone take no opinion back;
/// requests and what was not submitted are none.
pub(super) fn newest(all: Vec<RawReview>) -> Vec<Review> {
    let mut newest: Vec<Review> = Vec::new();
    for review in all {
        let opinion = match review.state.as_str() {
            "PENDING" | "REQUEST_REVIEW" => continue,
            _ if review.dismissed => Opinion::Neutral,
            "APPROVED" => Opinion::Approved,
            "REQUEST_CHANGES" => Opinion::Rejected,
            _ => Opinion::Neutral,
        };
        let is_words = review.state == "COMMENT";
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
    /// Null where there are none.
    pub(super) statuses: Option<Vec<Status>>,
}

#[derive(Deserialize)]
pub(super) struct Status {
    context: String,
    status: String,
    #[serde(default)]
    description: String,
    #[serde(default)]
    target_url: String,
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
            status: state.to_owned(),
            description: body::short(&status.description, longest),
            target_url: status.url.clone().unwrap_or_default(),
        }
    }

    pub(super) fn body(&self) -> Value {
        json!({
            "context": self.context,
            "state": self.status,
            "description": self.description,
            "target_url": self.target_url,
        })
    }

    pub(super) fn is_same(&self, other: &Self) -> bool {
        self.context == other.context
            && self.status == other.status
            && self.description == other.description
            && self.target_url == other.target_url
    }

    pub(super) fn into_check(self) -> Check {
        let verdict = match self.status.as_str() {
            // What warns holds nothing up.
            "success" | "warning" | "skipped" => Verdict::Success,
            "pending" => Verdict::Pending,
            _ => Verdict::Failure,
        };
        Check::new(self.context, verdict, Some(self.description))
    }
}

/// How the interface calls a method.
pub(super) fn method(method: Method) -> &'static str {
    match method {
        Method::Merge => "merge",
        Method::Squash => "squash",
        Method::Rebase => "rebase",
    }
}

/// What words of a refusal to merge mean for a later try.
pub(super) fn obstacle(words: String) -> Merge {
    if words.contains("already scheduled to auto merge") {
        return Merge::Scheduled;
    }
    // By the repository's settings or the account's rights.
    let is_lasting =
        words.contains("allowed merge style") || words.contains("not allowed to merge");
    match is_lasting {
        true => Merge::Never(words),
        false => Merge::NotYet(words),
    }
}

#[derive(Deserialize)]
pub(super) struct Branch {
    pub(super) commit: Tip,
}

#[derive(Deserialize)]
pub(super) struct Tip {
    pub(super) id: String,
}

#[derive(Deserialize)]
pub(super) struct Contents {
    pub(super) sha: String,
}

#[derive(Deserialize)]
pub(super) struct Changed {
    pub(super) commit: Made,
}

#[derive(Deserialize)]
pub(super) struct Made {
    pub(super) sha: String,
}

/// Whether a commit was refused because somebody was faster.
pub(super) fn is_moved(words: &str) -> bool {
    ["does not match", "already exists", "does not exist"]
        .iter()
        .any(|part| words.contains(part))
}

#[cfg(test)]
mod tests;
