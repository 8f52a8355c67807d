//! Gitea as its API reference describes it, for one repository `acme/fleet`.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde_json::{Value, json};

use super::hub::{Review, Status};
use super::{Asked, Dialect, Hub, Method, Opinion, Pull, Said, State, TOKEN, US, paged};

/// Gitea of one's own.
pub struct Gitea;

impl Dialect for Gitea {
    fn root(&self) -> &'static str {
        "/api/v1"
    }

    fn knows(&self, asked: &Asked) -> bool {
        asked.header("authorization") == Some(&format!("token {TOKEN}"))
    }

    fn answer(&self, asked: &Asked, hub: &mut Hub) -> Said {
        route(asked, hub)
    }

    fn unauthorized(&self) -> Said {
        said(401, "token is required")
    }

    fn forbidden(&self) -> Said {
        said(403, "user should have a permission to write to a repo")
    }

    fn limited(&self, seconds: u64) -> Said {
        // It has no limits of its own; the proxy before it has.
        Said::new(429, Value::Null).with("retry-after", seconds)
    }

    fn missing(&self) -> Said {
        said(404, "The target couldn't be found.")
    }
}

fn said(status: u16, message: &str) -> Said {
    Said::new(
        status,
        json!({"message": message, "url": "https://forge.example/api/swagger"}),
    )
}

fn missing() -> Said {
    Gitea.missing()
}

fn route(asked: &Asked, hub: &mut Hub) -> Said {
    let segments = asked.segments();
    let ["repos", "acme", "fleet", place @ ..] = &segments[..] else {
        return missing();
    };
    match (asked.method.as_str(), place) {
        ("GET", []) => Said::new(200, json!({"full_name": "acme/fleet"})),
        ("GET", ["labels"]) => {
            let labels = hub.labels.iter().map(|name| label(hub, name)).collect();
            listed(asked, hub, labels)
        }
        ("POST", ["labels"]) => {
            let name = asked.text("name").unwrap().to_owned();
            hub.labels.insert(name.clone());
            Said::new(201, label(hub, &name))
        }
        ("GET", ["branches", name @ ..]) => branch(hub, &name.join("/")),
        ("POST", ["branches"]) => create_branch(asked, hub),
        ("GET", ["contents", path @ ..]) => file(asked, hub, &path.join("/")),
        ("POST", ["contents"]) => commit(asked, hub),
        ("POST", ["statuses", id]) => set_status(asked, hub, id),
        ("GET", ["commits", id, "status"]) => statuses(asked, hub, id),
        ("GET", ["commits", id, "pull"]) => pull_of(hub, id),
        ("GET", ["pulls"]) => list(asked, hub),
        ("POST", ["pulls"]) => create(asked, hub),
        (verb, [kind, number, rest @ ..]) => match number.parse() {
            Ok(number) => of_pull(asked, hub, (verb, kind, number, rest)),
            // A base branch, then a head branch.
            Err(_) => between(hub, &rest.join("/"), number),
        },
        _ => missing(),
    }
}

fn of_pull(asked: &Asked, hub: &mut Hub, of: (&str, &str, u64, &[&str])) -> Said {
    let (verb, kind, number, rest) = of;
    let Some(pull) = hub.pull(number).cloned() else {
        return missing();
    };
    match (verb, kind, rest) {
        ("GET", "pulls", []) => Said::new(200, request(hub, &pull)),
        ("PATCH", "pulls", []) => change(asked, hub, number),
        ("POST", "pulls", ["merge"]) => merge(asked, hub, &pull),
        ("DELETE", "pulls", ["merge"]) => match hub.pull(number).unwrap().auto_merge.take() {
            Some(_) => Said::new(204, Value::Null),
            None => missing(),
        },
        ("GET", "pulls", ["reviews"]) => {
            let reviews = pull.reviews.iter().map(|one| review(&pull, one)).collect();
            listed(asked, hub, reviews)
        }
        ("POST", "pulls", ["reviews", id, "dismissals"]) => dismiss(hub, number, id),
        ("POST", "pulls", ["requested_reviewers"]) => ask_review(asked, hub, number),
        ("POST", "issues", ["labels"]) => add_labels(asked, hub, number),
        ("POST", "issues", ["comments"]) => comment(asked, hub, number),
        ("GET", "issues", ["timeline"]) => timeline(asked, hub, &pull),
        _ => missing(),
    }
}

fn listed(asked: &Asked, hub: &Hub, items: Vec<Value>) -> Said {
    let (items, link) = paged(asked, hub, "limit", items);
    let said = Said::new(200, Value::Array(items));
    match link {
        Some(link) => said.with("link", link),
        None => said,
    }
}

fn user(name: &str) -> Value {
    json!({"login": name, "username": name})
}

/// Ids are places in the list of all labels.
fn label(hub: &Hub, name: &str) -> Value {
    let at = hub.labels.iter().position(|known| known == name);
    json!({"id": at.map_or(0, |at| at + 1), "name": name, "color": "ededed"})
}

fn list(asked: &Asked, hub: &Hub) -> Said {
    let state = asked.query("state").unwrap_or("open");
    let fits = |pull: &&Pull| state == "all" || (state == "open") == (pull.state == State::Open);
    let found = hub.pulls.iter().rev().filter(fits);
    listed(asked, hub, found.map(|pull| request(hub, pull)).collect())
}

/// One of the pull requests of two branches, and not the newest one.
fn between(hub: &Hub, branch: &str, base: &str) -> Said {
    let is_it = |pull: &&Pull| pull.branch == branch && pull.base == base;
    match hub.pulls.iter().find(is_it) {
        Some(pull) => Said::new(200, request(hub, pull)),
        None => missing(),
    }
}

fn create(asked: &Asked, hub: &mut Hub) -> Said {
    let text = |name| asked.text(name).unwrap_or_default().to_owned();
    let (branch, base) = (text("head"), text("base"));
    if hub.tip(&branch).is_none() || hub.tip(&base).is_none() {
        return missing();
    }
    if let Some(there) = hub.open_of(&branch, &base) {
        let words = format!(
            "pull request already exists for these targets [id: {}, issue_id: 1, head_repo_id: 1, base_repo_id: 1, head_branch: {branch}, base_branch: {base}]",
            there.number
        );
        return said(409, &words);
    }
    let pull = hub.open(US, &branch, &base, "", &text("body"));
    set_title(pull, &text("title"));
    let pull = pull.clone();
    Said::new(201, request(hub, &pull))
}

fn set_title(pull: &mut Pull, title: &str) {
    let plain = title.strip_prefix("WIP: ");
    pull.draft = plain.is_some();
    pull.title = plain.unwrap_or(title).to_owned();
}

fn change(asked: &Asked, hub: &mut Hub, number: u64) -> Said {
    if asked.text("state") == Some("closed") {
        hub.close(number, US);
    }
    let pull = hub.pull(number).unwrap();
    if let Some(title) = asked.text("title") {
        set_title(pull, title);
    }
    if let Some(text) = asked.text("body") {
        pull.body = text.to_owned();
    }
    if let Some(base) = asked.text("base") {
        pull.base = base.to_owned();
    }
    let pull = pull.clone();
    Said::new(201, request(hub, &pull))
}

fn add_labels(asked: &Asked, hub: &mut Hub, number: u64) -> Said {
    let ids = asked.body["labels"].as_array().unwrap();
    let known: Vec<String> = hub.labels.iter().cloned().collect();
    let names = ids.iter().filter_map(|id| {
        let at = usize::try_from(id.as_u64()?).ok()?.checked_sub(1)?;
        known.get(at).cloned()
    });
    let names: Vec<String> = names.collect();
    let pull = hub.pull(number).unwrap();
    for name in names {
        if !pull.labels.contains(&name) {
            pull.labels.push(name);
        }
    }
    let names = pull.labels.clone();
    Said::new(200, names.iter().map(|name| label(hub, name)).collect())
}

fn comment(asked: &Asked, hub: &mut Hub, number: u64) -> Said {
    let text = asked.text("body").unwrap_or_default().to_owned();
    let pull = hub.pull(number).unwrap();
    pull.comments.push((US.to_owned(), text.clone()));
    Said::new(
        201,
        json!({"id": pull.comments.len(), "body": text, "user": user(US)}),
    )
}

/// What happened since a time: comments, whose times the fake does not keep, and the close.
fn timeline(asked: &Asked, hub: &Hub, pull: &Pull) -> Said {
    let comments = pull.comments.iter();
    let mut events: Vec<Value> = comments
        .map(|(by, text)| json!({"type": "comment", "user": user(by), "body": text}))
        .collect();
    if let State::Closed(by, at) = &pull.state {
        let since = asked.query("since").and_then(|since| since.parse().ok());
        if since.is_none_or(|since: jiff::Timestamp| since <= *at) {
            events.push(json!({"type": "close", "user": user(by), "created_at": at.to_string()}));
        }
    }
    listed(asked, hub, events)
}

fn dismiss(hub: &mut Hub, number: u64, id: &str) -> Said {
    if !hub.may_dismiss {
        return said(403, "Must be repo admin");
    }
    let pull = hub.pull(number).unwrap();
    let found = pull
        .reviews
        .iter_mut()
        .find(|review| review.id.to_string() == id);
    match found {
        None => missing(),
        Some(given) if matches!(given.opinion, Opinion::Approved | Opinion::Rejected) => {
            given.opinion = Opinion::Dismissed;
            Said::new(200, json!({"id": given.id}))
        }
        Some(_) => said(
            422,
            "not need to dismiss this review because it's type is not Approve or change request",
        ),
    }
}

fn ask_review(asked: &Asked, hub: &mut Hub, number: u64) -> Said {
    let names = asked.body["reviewers"]
        .as_array()
        .cloned()
        .unwrap_or_default();
    let names: Vec<String> = names
        .iter()
        .map(|name| name.as_str().unwrap().to_owned())
        .collect();
    if let Some(stranger) = names.iter().find(|name| !hub.people.contains_key(*name)) {
        return said(
            404,
            &format!("user does not exist [uid: 0, name: {stranger}]"),
        );
    }
    let pull = hub.pull(number).unwrap();
    if names.contains(&pull.author) {
        return said(422, "poster of pr can't be reviewer");
    }
    pull.requested.extend(names);
    Said::new(201, json!([]))
}

fn merge(asked: &Asked, hub: &mut Hub, pull: &Pull) -> Said {
    if pull.state != State::Open {
        return missing();
    }
    if pull.draft {
        return said(405, "Work in progress PRs cannot be merged");
    }
    let method = match asked.text("Do") {
        Some("squash") => Method::Squash,
        Some("rebase") => Method::Rebase,
        _ => Method::Merge,
    };
    if !hub.missing(pull.number).is_empty() {
        if asked.body["merge_when_checks_succeed"] != true || !hub.allows_auto_merge {
            return said(405, "Please try again later");
        }
        if pull.auto_merge.is_some() {
            let words = format!(
                "pull request is already scheduled to auto merge when checks succeed [pull_id: {}]",
                pull.number
            );
            return said(409, &words);
        }
        // At whatever head it has then.
        hub.pull(pull.number).unwrap().auto_merge = Some((method, pull.head.clone()));
        return Said::new(201, Value::Null);
    }
    if asked
        .text("head_commit_id")
        .is_some_and(|head| head != pull.head)
    {
        return said(409, "head out of date");
    }
    match hub.merge(pull.number, US, method) {
        Ok(_) => Said::new(200, Value::Null),
        Err(_) => said(409, "merge failed because of conflict"),
    }
}

fn review(pull: &Pull, review: &Review) -> Value {
    let state = match review.opinion {
        // A dismissed one keeps its state.
        Opinion::Approved | Opinion::Dismissed => "APPROVED",
        Opinion::Rejected => "REQUEST_CHANGES",
        Opinion::Commented => "COMMENT",
    };
    json!({
        "id": review.id,
        "user": user(&review.by),
        "team": null,
        "state": state,
        "dismissed": review.opinion == Opinion::Dismissed,
        "stale": review.commit != pull.head,
        "official": true,
        "commit_id": review.commit,
        "submitted_at": review.at.to_string(),
    })
}

fn request(hub: &Hub, pull: &Pull) -> Value {
    let (closed, merged) = match &pull.state {
        State::Open => (None, None),
        State::Closed(_, at) => (Some(at), None),
        State::Merged(by, at, commit) => (Some(at), Some((by, at, commit))),
    };
    let title = match pull.draft {
        true => format!("WIP: {}", pull.title),
        false => pull.title.clone(),
    };
    let repo = json!({"full_name": "acme/fleet"});
    let owner = if pull.is_fork { "mallory" } else { "acme" };
    let from = json!({"full_name": format!("{owner}/fleet")});
    // A branch that is no more is named by the pull request.
    let name = match hub.tip(&pull.branch) {
        Some(_) => pull.branch.clone(),
        None => format!("refs/pull/{}/head", pull.number),
    };
    let labels: Vec<Value> = pull.labels.iter().map(|name| label(hub, name)).collect();
    json!({
        "id": 1000 + pull.number,
        "number": pull.number,
        "html_url": format!("https://forge.example/acme/fleet/pulls/{}", pull.number),
        "state": if pull.state == State::Open { "open" } else { "closed" },
        "title": title,
        "body": pull.body,
        "user": user(&pull.author),
        "labels": labels,
        "draft": pull.draft,
        "requested_reviewers": pull.requested.iter().map(|name| user(name)).collect::<Vec<_>>(),
        "requested_reviewers_teams": null,
        "head": {"label": pull.branch, "ref": name, "sha": pull.head, "repo": from},
        "base": {"label": pull.base, "ref": pull.base, "sha": hub.tip(&pull.base), "repo": repo},
        "created_at": pull.created.to_string(),
        "closed_at": closed.map(ToString::to_string),
        "merged": merged.is_some(),
        "merged_at": merged.map(|(_, at, _)| at.to_string()),
        "merge_commit_sha": merged.map(|(_, _, commit)| commit.clone()),
        "merged_by": merged.map(|(by, _, _)| user(by)),
    })
}

fn set_status(asked: &Asked, hub: &mut Hub, commit: &str) -> Said {
    if !hub.has(commit) {
        return missing();
    }
    let text = |name| asked.text(name).unwrap_or_default().to_owned();
    let url = text("target_url");
    hub.set_status(
        commit,
        &text("context"),
        &text("state"),
        &text("description"),
        Some(&url),
        US,
    );
    Said::new(
        201,
        status(hub.status_of(commit, &text("context")).unwrap()),
    )
}

fn status(status: &Status) -> Value {
    json!({
        "context": status.name,
        "status": status.verdict,
        "description": status.description,
        "target_url": status.url.clone().unwrap_or_default(),
    })
}

fn statuses(asked: &Asked, hub: &Hub, commit: &str) -> Said {
    if !hub.has(commit) {
        return missing();
    }
    let all = hub.statuses_of(commit);
    let (items, link) = paged(asked, hub, "limit", all.iter().map(status).collect());
    // Null where there are none.
    let items = if items.is_empty() {
        Value::Null
    } else {
        Value::Array(items)
    };
    let body = json!({"sha": commit, "state": "", "total_count": all.len(), "statuses": items});
    match link {
        Some(link) => Said::new(200, body).with("link", link),
        None => Said::new(200, body),
    }
}

fn pull_of(hub: &Hub, commit: &str) -> Said {
    let is_it = |pull: &&Pull| matches!(&pull.state, State::Merged(_, _, merge) if merge == commit);
    match hub.pulls.iter().find(is_it) {
        Some(pull) => Said::new(200, request(hub, pull)),
        None => missing(),
    }
}

fn branch(hub: &Hub, name: &str) -> Said {
    match hub.tip(name) {
        Some(tip) => Said::new(200, json!({"name": name, "commit": {"id": tip}})),
        None => said(404, "branch does not exist"),
    }
}

fn create_branch(asked: &Asked, hub: &mut Hub) -> Said {
    let (name, old) = (
        asked.text("new_branch_name").unwrap(),
        asked.text("old_ref_name").unwrap(),
    );
    if hub.tip(name).is_some() {
        return said(409, "The branch already exists.");
    }
    if !hub.has(old) {
        return said(404, "The old reference does not exist.");
    }
    hub.git(&["update-ref", &format!("refs/heads/{name}"), old]);
    Said::new(201, json!({"name": name, "commit": {"id": old}}))
}

/// The id of a file's blob.
fn blob(hub: &Hub, at: &str, path: &str) -> Option<String> {
    hub.try_git(&["rev-parse", "-q", "--verify", &format!("{at}:{path}")])
}

fn file(asked: &Asked, hub: &Hub, path: &str) -> Said {
    match blob(hub, asked.query("ref").unwrap_or("main"), path) {
        Some(sha) => Said::new(200, json!({"path": path, "sha": sha, "type": "file"})),
        None => missing(),
    }
}

fn commit(asked: &Asked, hub: &mut Hub) -> Said {
    let branch = asked.text("branch").unwrap();
    let Some(parent) = hub.tip(branch) else {
        return said(404, "branch does not exist");
    };
    let mut files = Vec::new();
    for file in asked.body["files"].as_array().unwrap() {
        let text = |name: &str| file[name].as_str().unwrap_or_default();
        let there = blob(hub, &parent, text("path"));
        match (text("operation"), there) {
            ("create", Some(_)) => {
                let words = format!("repository file already exists [path: {}]", text("path"));
                return said(422, &words);
            }
            ("update", Some(there)) if there != text("sha") => {
                let words = format!(
                    "sha does not match [given: {}, expected: {there}]",
                    text("sha")
                );
                return said(422, &words);
            }
            ("update", None) => {
                let words = format!("repository file does not exist [path: {}]", text("path"));
                return said(404, &words);
            }
            _ => {}
        }
        files.push((
            text("path").to_owned(),
            STANDARD.decode(text("content")).unwrap(),
        ));
    }
    let id = hub.commit(&parent, asked.text("message").unwrap(), &files);
    hub.git(&["update-ref", &format!("refs/heads/{branch}"), &id, &parent]);
    Said::new(
        201,
        json!({"commit": {"sha": id, "parents": [{"sha": parent}]}}),
    )
}
