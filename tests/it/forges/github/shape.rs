//! What GitHub's answers look like.

use jiff::Timestamp;
use serde_json::{Value, json};

use crate::forges::hub::{Review, Status};
use crate::forges::{Hub, Opinion, Pull, State, US};

pub(super) fn user(name: &str) -> Value {
    json!({"login": name, "type": "User"})
}

pub(super) fn named(name: &str) -> Value {
    json!({"name": name, "color": "ededed", "default": false})
}

pub(super) fn time(at: Timestamp) -> String {
    at.to_string()
}

pub(super) fn status(status: &Status) -> Value {
    json!({
        "context": status.name,
        "state": status.verdict,
        "description": status.description,
        "target_url": status.url,
    })
}

pub(super) fn review(review: &Review) -> Value {
    let state = match review.opinion {
        Opinion::Approved => "APPROVED",
        Opinion::Rejected => "CHANGES_REQUESTED",
        Opinion::Commented => "COMMENTED",
        Opinion::Dismissed => "DISMISSED",
    };
    json!({
        "id": review.id,
        "user": user(&review.by),
        "state": state,
        "body": "",
        "commit_id": review.commit,
        "submitted_at": time(review.at),
    })
}

pub(super) fn issue(pull: &Pull) -> Value {
    let (state, by) = match &pull.state {
        State::Open => ("open", Value::Null),
        State::Closed(by, _) | State::Merged(by, _, _) => ("closed", user(by)),
    };
    json!({"number": pull.number, "state": state, "title": pull.title, "closed_by": by})
}

/// A pull request as listings have it.
pub(super) fn simple(hub: &Hub, pull: &Pull) -> Value {
    let (teams, people): (Vec<_>, Vec<_>) = pull
        .requested
        .iter()
        .partition(|name| name.starts_with('@'));
    let teams = teams.iter().map(|name| {
        let slug = name.rsplit('/').next().unwrap();
        json!({"slug": slug, "name": slug, "html_url": format!("https://forge.example/orgs/acme/teams/{slug}")})
    });
    let (closed, merged) = match &pull.state {
        State::Open => (None, None),
        State::Closed(_, at) => (Some(time(*at)), None),
        State::Merged(_, at, _) => (Some(time(*at)), Some(time(*at))),
    };
    let merge = match &pull.state {
        State::Merged(_, _, commit) => Value::from(commit.as_str()),
        // The merge that it would be.
        _ => Value::from("f".repeat(40)),
    };
    let branch = |name: &str, commit: &str, is_fork: bool| {
        let owner = if is_fork { "mallory" } else { "acme" };
        let repo = json!({"name": "fleet", "full_name": format!("{owner}/fleet")});
        json!({"label": format!("acme:{name}"), "ref": name, "sha": commit, "repo": repo})
    };
    let base = hub.tip(&pull.base).unwrap_or_default();
    let auto_merge = pull
        .auto_merge
        .as_ref()
        .map(|_| json!({"merge_method": "merge", "enabled_by": user(US)}));
    json!({
        "number": pull.number,
        "node_id": format!("PR_{}", pull.number),
        "html_url": format!("https://forge.example/acme/fleet/pull/{}", pull.number),
        "state": match pull.state { State::Open => "open", _ => "closed" },
        "title": pull.title,
        "body": if pull.body.is_empty() { Value::Null } else { pull.body.as_str().into() },
        "user": user(&pull.author),
        "draft": pull.draft,
        "labels": pull.labels.iter().map(|name| named(name)).collect::<Vec<_>>(),
        "requested_reviewers": people.iter().map(|name| user(name)).collect::<Vec<_>>(),
        "requested_teams": teams.collect::<Vec<_>>(),
        "head": branch(&pull.branch, &pull.head, pull.is_fork),
        "base": branch(&pull.base, &base, false),
        "created_at": time(pull.created),
        "closed_at": closed,
        "merged_at": merged,
        "merge_commit_sha": merge,
        "auto_merge": auto_merge,
    })
}

/// A pull request alone, which says more.
pub(super) fn whole(hub: &Hub, pull: &Pull) -> Value {
    let mut whole = simple(hub, pull);
    let by = match &pull.state {
        State::Merged(by, _, _) => user(by),
        _ => Value::Null,
    };
    whole["merged"] = (!by.is_null()).into();
    whole["merged_by"] = by;
    whole
}
