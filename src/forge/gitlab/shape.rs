//! What GitLab's interface says, in its shapes, and what it means.
//!
//! Invariant: only what is used is read, so that what GitLab adds breaks nothing. A draft is told by the
//! title's prefix, which is no part of the title here.

use jiff::Timestamp;
use serde::Deserialize;
use serde_json::{Value, json};

use crate::forge::{self, Check, Merge, Opinion, Review, Verdict, Wanted, body, words};

/// What makes a draft of a merge request, in the form that is written ("Draft merge requests").
const DRAFT: &str = "Draft: ";

/// The forms that are read besides.
const DRAFTS: [&str; 3] = ["draft:", "[draft]", "(draft)"];

#[derive(Deserialize)]
pub(super) struct User {
    pub(super) id: u64,
    username: String,
}

/// A merge request, in a listing or alone.
#[derive(Deserialize)]
pub(super) struct Pull {
    iid: u64,
    web_url: String,
    state: String,
    title: String,
    description: Option<String>,
    #[serde(default)]
    draft: bool,
    #[serde(default)]
    labels: Vec<String>,
    author: Option<User>,
    #[serde(default)]
    reviewers: Vec<User>,
    source_branch: String,
    target_branch: String,
    source_project_id: Option<u64>,
    target_project_id: u64,
    sha: Option<String>,
    merge_commit_sha: Option<String>,
    squash_commit_sha: Option<String>,
    merge_user: Option<User>,
    /// The older name of `merge_user`.
    merged_by: Option<User>,
    merged_at: Option<Timestamp>,
    closed_by: Option<User>,
    closed_at: Option<Timestamp>,
    #[serde(default)]
    merge_when_pipeline_succeeds: bool,
    detailed_merge_status: Option<String>,
}

impl Pull {
    pub(super) fn number(&self) -> u64 {
        self.iid
    }

    /// Whether its branch is in this project.
    pub(super) fn is_ours(&self) -> bool {
        self.source_project_id == Some(self.target_project_id)
    }

    pub(super) fn reviewers(&self) -> Vec<u64> {
        self.reviewers.iter().map(|user| user.id).collect()
    }

    pub(super) fn reviewer_names(&self) -> Vec<String> {
        let names = self.reviewers.iter().map(|user| user.username.clone());
        names.collect()
    }

    /// Why it must not be asked to be merged yet: as long as GitLab does not know what is missing, it
    /// would merge at once ("Merge status" of "Merge requests API").
    pub(super) fn is_unsettled(&self) -> Option<String> {
        let status = self.detailed_merge_status.as_deref()?;
        let is_unsettled = matches!(
            status,
            "unchecked"
                | "checking"
                | "preparing"
                | "approvals_syncing"
                | "draft_status"
                | "conflict"
        );
        is_unsettled.then(|| words::clean(status))
    }

    pub(super) fn is_scheduled(&self) -> bool {
        self.merge_when_pipeline_succeeds
    }

    /// What became of the wish to merge, by the answer to it.
    pub(super) fn merging(self) -> Merge {
        match (self.state.as_str(), self.merge_when_pipeline_succeeds) {
            ("merged", _) => Merge::Done,
            (_, true) => Merge::Scheduled,
            // It is being merged.
            ("locked", false) => Merge::NotYet("it is being merged".to_owned()),
            _ => Merge::NotYet(words::clean(
                self.detailed_merge_status.as_deref().unwrap_or("no reason"),
            )),
        }
    }

    pub(super) fn into_pull(self) -> forge::Pull {
        let name = |user: Option<User>| user.map(|user| user.username);
        let state = match self.state.as_str() {
            "merged" => forge::State::Merged {
                by: name(self.merge_user.or(self.merged_by)),
                at: self.merged_at,
                // Neither, where the branch was moved forward to the head.
                commit: self
                    .merge_commit_sha
                    .or(self.squash_commit_sha)
                    .or_else(|| self.sha.clone()),
            },
            "closed" => forge::State::Closed {
                by: name(self.closed_by),
                at: self.closed_at,
            },
            // `locked` while it is being merged.
            _ => forge::State::Open,
        };
        forge::Pull {
            number: self.iid,
            handle: None,
            url: self.web_url,
            branch: self.source_branch,
            base: self.target_branch,
            head: self.sha.unwrap_or_default(),
            title: plain(&self.title).to_owned(),
            body: self.description.unwrap_or_default(),
            draft: self.draft,
            labels: self.labels,
            reviewers: self
                .reviewers
                .into_iter()
                .map(|user| user.username)
                .collect(),
            author: name(self.author),
            auto_merge: self.merge_when_pipeline_succeeds,
            state,
        }
    }
}

/// A title as GitLab has it.
pub(super) fn title(wanted: &Wanted) -> String {
    match wanted.draft {
        true => format!("{DRAFT}{}", wanted.title),
        false => wanted.title.clone(),
    }
}

/// A title without what makes a draft of it.
fn plain(title: &str) -> &str {
    let is_draft = |form: &&&str| {
        let start = title.get(..form.len());
        start.is_some_and(|start| start.eq_ignore_ascii_case(form))
    };
    let form = DRAFTS.iter().find(is_draft);
    form.map_or(title, |form| title[form.len()..].trim_start())
}

#[derive(Deserialize)]
pub(super) struct Approvals {
    #[serde(default)]
    approved_by: Vec<Approval>,
}

#[derive(Deserialize)]
struct Approval {
    user: User,
    approved_at: Option<Timestamp>,
}

#[derive(Deserialize)]
pub(super) struct Reviewer {
    user: User,
    state: String,
}

impl Approvals {
    /// Whether it tells of any when it was given; older versions don't.
    pub(super) fn has_times(&self) -> bool {
        let mut all = self.approved_by.iter();
        all.any(|approval| approval.approved_at.is_some())
    }
}

/// What the source branch of a merge request was at, from a time on.
#[derive(Deserialize)]
pub(super) struct Version {
    head_commit_sha: String,
    created_at: Timestamp,
}

/// The commit of the source branch at a time.
fn head_at(versions: &[Version], at: Timestamp) -> Option<String> {
    let before = versions.iter().filter(|version| version.created_at <= at);
    let newest = before.max_by_key(|version| version.created_at);
    newest.map(|version| version.head_commit_sha.clone())
}

/// Who approves, and what the others who were asked say. GitLab binds an approval to no commit, so the one is
/// taken that was the newest when it was given.
pub(super) fn opinions(
    approvals: Approvals,
    reviewers: Vec<Reviewer>,
    versions: &[Version],
) -> Vec<Review> {
    let approved = approvals.approved_by.into_iter().map(|approval| Review {
        by: approval.user.username,
        opinion: Opinion::Approved,
        commit: approval.approved_at.and_then(|at| head_at(versions, at)),
        at: approval.approved_at,
    });
    let mut all: Vec<Review> = approved.collect();
    for reviewer in reviewers {
        let opinion = match reviewer.state.as_str() {
            "requested_changes" => Opinion::Rejected,
            "reviewed" | "unapproved" => Opinion::Neutral,
            // Nothing was said, or it is among the approvals.
            _ => continue,
        };
        let by = reviewer.user.username;
        all.retain(|review| opinion != Opinion::Rejected || review.by != by);
        if all.iter().all(|review| review.by != by) {
            all.push(Review {
                by,
                opinion,
                commit: None,
                at: None,
            });
        }
    }
    all
}

#[derive(Deserialize)]
pub(super) struct Status {
    #[serde(default)]
    id: u64,
    name: String,
    status: String,
    description: Option<String>,
    target_url: Option<String>,
    #[serde(default)]
    allow_failure: bool,
}

impl Status {
    pub(super) fn of(status: &forge::Status, longest: usize) -> Self {
        let state = match status.verdict {
            Verdict::Success => "success",
            Verdict::Pending => "pending",
            Verdict::Failure => "failed",
        };
        // A page that is cut leads nowhere.
        let page = status
            .url
            .as_ref()
            .filter(|url| url.chars().count() <= longest);
        Self {
            id: 0,
            name: status.name.clone(),
            status: state.to_owned(),
            description: Some(body::short(&status.description, longest)),
            target_url: page.cloned(),
            allow_failure: false,
        }
    }

    pub(super) fn body(&self) -> Value {
        json!({
            "name": self.name,
            "state": self.status,
            "description": self.description,
            "target_url": self.target_url,
        })
    }

    pub(super) fn is_same(&self, other: &Self) -> bool {
        self.name == other.name
            && self.status == other.status
            && self.description == other.description
            && self.target_url == other.target_url
    }

    pub(super) fn into_check(self) -> Check {
        let verdict = match self.status.as_str() {
            "success" | "skipped" => Verdict::Success,
            "failed" | "canceled" | "manual" if self.allow_failure => Verdict::Success,
            "failed" | "canceled" => Verdict::Failure,
            _ => Verdict::Pending,
        };
        Check::new(self.name, verdict, self.description)
    }
}

/// The newest status of each name: pipelines of a commit have one each.
pub(super) fn newest(mut all: Vec<Status>) -> Vec<Status> {
    all.sort_by(|one, other| one.name.cmp(&other.name).then(other.id.cmp(&one.id)));
    all.dedup_by(|later, kept| later.name == kept.name);
    all
}

#[derive(Deserialize)]
pub(super) struct Branch {
    pub(super) commit: Commit,
}

#[derive(Deserialize)]
pub(super) struct Commit {
    pub(super) id: String,
}

/// Whether a commit was refused because somebody was faster.
pub(super) fn is_moved(words: &str) -> bool {
    [
        "has changed since you started editing it",
        "with this name already exists",
        "with this name doesn't exist",
        "already exists. Switch to that branch",
        "Could not update",
    ]
    .iter()
    .any(|part| words.contains(part))
}

#[cfg(test)]
mod tests;
