//! GitLab as its documentation describes it, for one project `acme/fleet`.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde_json::{Value, json};

use super::hub::Status;
use super::{Asked, Dialect, Hub, Method, Opinion, Pull, Said, State, TOKEN, US, paged};

/// The project's id.
const PROJECT: u64 = 7;

/// Most characters of a status' words and page.
const MAX_STATUS: usize = 255;

/// GitLab of one's own.
pub struct GitLab;

impl Dialect for GitLab {
    fn root(&self) -> &'static str {
        "/api/v4"
    }

    fn knows(&self, asked: &Asked) -> bool {
        asked.header("private-token") == Some(TOKEN)
    }

    fn answer(&self, asked: &Asked, hub: &mut Hub) -> Said {
        route(asked, hub)
    }

    fn unauthorized(&self) -> Said {
        said(401, "401 Unauthorized")
    }

    fn forbidden(&self) -> Said {
        said(403, "403 Forbidden")
    }

    fn limited(&self, seconds: u64) -> Said {
        Said::new(429, "Retry later\n".into())
            .with("retry-after", seconds)
            .with("ratelimit-remaining", 0)
    }

    fn missing(&self) -> Said {
        said(404, "404 Project Not Found")
    }
}

fn said(status: u16, message: &str) -> Said {
    Said::new(status, json!({"message": message}))
}

fn route(asked: &Asked, hub: &mut Hub) -> Said {
    let segments = asked.segments();
    if segments == ["users"] {
        return users(asked, hub);
    }
    let ["projects", "acme/fleet", place @ ..] = &segments[..] else {
        return said(404, "404 Project Not Found");
    };
    let number = |text: &str| text.parse().unwrap_or(0);
    match (asked.method.as_str(), place) {
        ("GET", ["merge_requests"]) => list(asked, hub),
        ("POST", ["merge_requests"]) => create(asked, hub),
        ("GET", ["repository", "branches", name]) => branch(hub, name),
        ("HEAD", ["repository", "files", path]) => file(asked, hub, path),
        ("POST", ["repository", "commits"]) => commit(asked, hub),
        ("GET", ["repository", "commits", id, "statuses"]) => statuses(asked, hub, id),
        ("GET", ["repository", "commits", id, "merge_requests"]) => pulls_of(hub, id),
        ("POST", ["statuses", id]) => set_status(asked, hub, id),
        (verb, ["merge_requests", n, rest @ ..]) => of_pull(asked, hub, (verb, number(n), rest)),
        _ => said(404, "404 Not Found"),
    }
}

fn of_pull(asked: &Asked, hub: &mut Hub, of: (&str, u64, &[&str])) -> Said {
    let (verb, number, rest) = of;
    let Some(pull) = hub.pull(number).cloned() else {
        return said(404, "404 Not found");
    };
    match (verb, rest) {
        ("GET", []) => Said::new(200, request(hub, &pull)),
        ("PUT", []) => change(asked, hub, number),
        ("PUT", ["merge"]) => merge(asked, hub, &pull),
        ("POST", ["cancel_merge_when_pipeline_succeeds"]) => {
            // Not the merge request, and 201 for a refusal too.
            let had = hub.pull(number).unwrap().auto_merge.take();
            let told = match had {
                Some(_) => json!({"status": "success"}),
                None => json!({
                    "status": "error", "http_status": 406, "message": "Can't cancel the automatic merge",
                }),
            };
            Said::new(201, told)
        }
        ("POST", ["notes"]) => note(asked, hub, number),
        ("GET", ["approvals"]) => Said::new(200, approvals(hub, number)),
        ("GET", ["versions"]) => listed(asked, hub, versions(&pull)),
        ("GET", ["reviewers"]) => Said::new(200, reviewers(hub, &pull)),
        ("PUT", ["reset_approvals"]) => reset(hub, number),
        _ => said(404, "404 Not Found"),
    }
}

fn listed(asked: &Asked, hub: &Hub, items: Vec<Value>) -> Said {
    let (items, link) = paged(asked, hub, "per_page", items);
    let said = Said::new(200, Value::Array(items));
    match link {
        Some(link) => said.with("link", link),
        None => said,
    }
}

fn users(asked: &Asked, hub: &Hub) -> Said {
    let name = asked.query("username").unwrap_or_default();
    let found = hub.people.get_key_value(name);
    Said::new(
        200,
        found.into_iter().map(|(name, _)| user(hub, name)).collect(),
    )
}

fn user(hub: &Hub, name: &str) -> Value {
    json!({"id": hub.people.get(name).unwrap_or(&0), "username": name, "state": "active"})
}

fn list(asked: &Asked, hub: &Hub) -> Said {
    let fits = |pull: &&Pull| {
        let state = asked.query("state").unwrap_or("all");
        let is = |name, value: &str| asked.query(name).is_none_or(|wanted| wanted == value);
        (state == "all" || state == state_of(pull))
            && is("source_branch", &pull.branch)
            && is("target_branch", &pull.base)
    };
    let found = hub.pulls.iter().rev().filter(fits);
    listed(asked, hub, found.map(|pull| request(hub, pull)).collect())
}

fn create(asked: &Asked, hub: &mut Hub) -> Said {
    let text = |name| asked.text(name).unwrap_or_default().to_owned();
    let (branch, base) = (text("source_branch"), text("target_branch"));
    if hub.tip(&branch).is_none() {
        return said(400, "source_branch does not exist");
    }
    if let Some(there) = hub.open_of(&branch, &base) {
        let words = format!(
            "Another open merge request already exists for this source branch: !{}",
            there.number
        );
        return Said::new(409, json!({"message": [words]}));
    }
    let labels = split(&text("labels"));
    hub.labels.extend(labels.iter().cloned());
    let pull = hub.open(US, &branch, &base, "", &text("description"));
    pull.labels = labels;
    let number = pull.number;
    set_title(pull, &text("title"));
    let pull = hub.pull(number).unwrap().clone();
    Said::new(201, request(hub, &pull))
}

fn set_title(pull: &mut Pull, title: &str) {
    let plain = title.strip_prefix("Draft: ");
    pull.draft = plain.is_some();
    pull.title = plain.unwrap_or(title).to_owned();
}

fn split(names: &str) -> Vec<String> {
    names
        .split(',')
        .filter(|name| !name.is_empty())
        .map(str::to_owned)
        .collect()
}

fn change(asked: &Asked, hub: &mut Hub, number: u64) -> Said {
    if asked.text("state_event") == Some("close") {
        hub.close(number, US);
    }
    let labels = split(asked.text("add_labels").unwrap_or_default());
    hub.labels.extend(labels.iter().cloned());
    let people = hub.people.clone();
    let most = if hub.one_reviewer { 1 } else { usize::MAX };
    let pull = hub.pull(number).unwrap();
    if let Some(title) = asked.text("title") {
        set_title(pull, title);
    }
    if let Some(text) = asked.text("description") {
        pull.body = text.to_owned();
    }
    if let Some(base) = asked.text("target_branch") {
        pull.base = base.to_owned();
    }
    for label in labels {
        if !pull.labels.contains(&label) {
            pull.labels.push(label);
        }
    }
    if let Some(ids) = asked.body["reviewer_ids"].as_array() {
        // They replace those that there are.
        let has = |id: &u64| ids.iter().any(|wanted| wanted.as_u64() == Some(*id));
        let names = people
            .iter()
            .filter(|(_, id)| has(id))
            .map(|(name, _)| name.clone());
        pull.requested = names.take(most).collect();
    }
    let pull = pull.clone();
    Said::new(200, request(hub, &pull))
}

fn merge(asked: &Asked, hub: &mut Hub, pull: &Pull) -> Said {
    if asked.text("sha").is_some_and(|sha| sha != pull.head) {
        return said(409, "SHA does not match HEAD of source branch");
    }
    if pull.state != State::Open || pull.draft {
        return said(405, "405 Method Not Allowed");
    }
    let method = match asked.body["squash"] == true {
        true => Method::Squash,
        false => Method::Merge,
    };
    if !hub.missing(pull.number).is_empty() {
        if asked.body["auto_merge"] != true || !hub.allows_auto_merge {
            return said(405, "405 Method Not Allowed");
        }
        hub.pull(pull.number).unwrap().auto_merge = Some((method, pull.head.clone()));
    } else if hub.merge(pull.number, US, method).is_err() {
        return said(422, "Branch cannot be merged");
    }
    let pull = hub.pull(pull.number).unwrap().clone();
    Said::new(200, request(hub, &pull))
}

fn note(asked: &Asked, hub: &mut Hub, number: u64) -> Said {
    let text = asked.text("body").unwrap_or_default().to_owned();
    let pull = hub.pull(number).unwrap();
    pull.comments.push((US.to_owned(), text.clone()));
    Said::new(201, json!({"id": pull.comments.len(), "body": text}))
}

fn approvals(hub: &Hub, number: u64) -> Value {
    let opinions = hub.opinions(number);
    let approved = opinions
        .values()
        .filter(|review| review.opinion == Opinion::Approved);
    let approved = approved
        .map(|review| json!({"user": user(hub, &review.by), "approved_at": review.at.to_string()}));
    json!({"approved": true, "approved_by": approved.collect::<Vec<_>>()})
}

/// What the branch was at from when on, newest first.
fn versions(pull: &Pull) -> Vec<Value> {
    let told = pull.heads().into_iter().zip(1..).map(|((commit, at), id)| {
        json!({"id": id, "head_commit_sha": commit, "created_at": at.to_string(), "state": "collected"})
    });
    let mut told: Vec<Value> = told.collect();
    told.reverse();
    told
}

/// Those who were asked, and those who said something.
fn reviewers(hub: &Hub, pull: &Pull) -> Value {
    let opinions = hub.opinions(pull.number);
    let asked = pull.requested.iter().map(|name| (name, "unreviewed"));
    let said = opinions.iter().map(|(name, review)| {
        let state = match review.opinion {
            Opinion::Approved => "approved",
            Opinion::Rejected => "requested_changes",
            Opinion::Commented => "reviewed",
            Opinion::Dismissed => "unapproved",
        };
        (name, state)
    });
    asked
        .chain(said)
        .map(|(name, state)| json!({"user": user(hub, name), "state": state}))
        .collect()
}

fn reset(hub: &mut Hub, number: u64) -> Said {
    if !hub.may_dismiss {
        return said(401, "401 Unauthorized");
    }
    for review in &mut hub.pull(number).unwrap().reviews {
        if review.opinion == Opinion::Approved {
            review.opinion = Opinion::Dismissed;
        }
    }
    Said::new(202, Value::Null)
}

fn state_of(pull: &Pull) -> &'static str {
    match pull.state {
        State::Open => "opened",
        State::Closed(..) => "closed",
        State::Merged(..) => "merged",
    }
}

fn request(hub: &Hub, pull: &Pull) -> Value {
    let (closed, merged) = match &pull.state {
        State::Open => (None, None),
        State::Closed(by, at) => (Some((by, at)), None),
        State::Merged(by, at, commit) => (None, Some((by, at, commit))),
    };
    let title = match pull.draft {
        true => format!("Draft: {}", pull.title),
        false => pull.title.clone(),
    };
    // Those who gave a review stay reviewers.
    let given = pull.reviews.iter().map(|review| &review.by);
    let mut reviewers: Vec<&String> = pull.requested.iter().chain(given).collect();
    reviewers.sort();
    reviewers.dedup();
    let status = match (&pull.state, hub.missing(pull.number).is_empty()) {
        (State::Open, _) if hub.is_checking => "checking",
        (State::Open, true) => "mergeable",
        (State::Open, false) => "ci_must_pass",
        _ => "not_open",
    };
    json!({
        "id": 1000 + pull.number,
        "iid": pull.number,
        "project_id": PROJECT,
        "web_url": format!("https://forge.example/acme/fleet/-/merge_requests/{}", pull.number),
        "state": state_of(pull),
        "title": title,
        "description": pull.body,
        "draft": pull.draft,
        "labels": pull.labels,
        "author": user(hub, &pull.author),
        "reviewers": reviewers.iter().map(|name| user(hub, name)).collect::<Vec<_>>(),
        "source_branch": pull.branch,
        "target_branch": pull.base,
        "source_project_id": if pull.is_fork { PROJECT + 1 } else { PROJECT },
        "target_project_id": PROJECT,
        "sha": pull.head,
        "merge_commit_sha": merged.map(|(_, _, commit)| commit.clone()),
        "squash_commit_sha": null,
        "merge_user": merged.map(|(by, _, _)| user(hub, by)),
        "merged_at": merged.map(|(_, at, _)| at.to_string()),
        "closed_by": closed.map(|(by, _)| user(hub, by)),
        "closed_at": closed.map(|(_, at)| at.to_string()),
        "merge_when_pipeline_succeeds": pull.auto_merge.is_some(),
        "detailed_merge_status": status,
    })
}

fn set_status(asked: &Asked, hub: &mut Hub, commit: &str) -> Said {
    if !hub.has(commit) {
        return said(404, "404 Commit Not Found");
    }
    let text = |name| asked.text(name).unwrap_or_default();
    let is_long = |name| text(name).chars().count() > MAX_STATUS;
    if is_long("description") || is_long("target_url") {
        return Said::new(
            400,
            json!({"message": {"description": ["is too long (maximum is 255 characters)"]}}),
        );
    }
    let verdict = match text("state") {
        "failed" => "failure",
        other => other,
    };
    let name = text("name");
    // A status that is not finished changes to another state only.
    let is_stuck = |status: &Status| status.verdict == "pending" && verdict == "pending";
    if hub.status_of(commit, name).is_some_and(is_stuck) {
        let words = "Cannot transition status via :enqueue from :pending (Reason(s): Status cannot transition via \"enqueue\")";
        return said(400, words);
    }
    let (description, url) = (text("description").to_owned(), asked.text("target_url"));
    hub.set_status(commit, name, verdict, &description, url, US);
    Said::new(201, status((1, hub.status_of(commit, name).unwrap())))
}

fn status((id, status): (usize, &Status)) -> Value {
    json!({
        "id": id,
        "sha": status.commit,
        "name": status.name,
        "status": if status.verdict == "failure" { "failed" } else { &status.verdict },
        "description": status.description,
        "target_url": status.url,
        "allow_failure": false,
    })
}

fn statuses(asked: &Asked, hub: &Hub, commit: &str) -> Said {
    if !hub.has(commit) {
        return said(404, "404 Commit Not Found");
    }
    let all = hub.statuses_of(commit);
    listed(asked, hub, all.iter().enumerate().map(status).collect())
}

fn pulls_of(hub: &Hub, commit: &str) -> Said {
    if !hub.has(commit) {
        return said(404, "404 Commit Not Found");
    }
    let has = |pull: &&Pull| match &pull.state {
        State::Merged(_, _, merge) => merge == commit,
        _ => pull.head == commit,
    };
    let found = hub.pulls.iter().filter(has);
    Said::new(200, found.map(|pull| request(hub, pull)).collect())
}

fn branch(hub: &Hub, name: &str) -> Said {
    match hub.tip(name) {
        Some(tip) => Said::new(200, json!({"name": name, "commit": {"id": tip}})),
        None => said(404, "404 Branch Not Found"),
    }
}

/// The newest commit up to `at` that changed a file; `None` if there is no such file.
fn last_commit(hub: &Hub, at: &str, path: &str) -> Option<String> {
    hub.try_git(&["cat-file", "-e", &format!("{at}:{path}")])?;
    Some(hub.git(&["log", "-1", "--format=%H", at, "--", path]))
}

fn file(asked: &Asked, hub: &Hub, path: &str) -> Said {
    match last_commit(hub, asked.query("ref").unwrap_or("main"), path) {
        Some(last) => Said::new(200, Value::Null).with("x-gitlab-last-commit-id", last),
        None => Said::new(404, Value::Null),
    }
}

fn commit(asked: &Asked, hub: &mut Hub) -> Said {
    let branch = asked.text("branch").unwrap();
    let parent = match (hub.tip(branch), asked.text("start_sha")) {
        (Some(tip), None) => tip,
        (None, Some(start)) if hub.has(start) => start.to_owned(),
        (Some(_), Some(_)) => {
            let words = format!(
                "A branch called '{branch}' already exists. Switch to that branch in order to make changes"
            );
            return said(400, &words);
        }
        (None, _) => {
            return said(
                400,
                "You can only create or edit files when you are on a branch",
            );
        }
    };
    let mut files = Vec::new();
    for action in asked.body["actions"].as_array().unwrap() {
        let text = |name: &str| action[name].as_str().unwrap_or_default();
        let last = last_commit(hub, &parent, text("file_path"));
        match (text("action"), &last) {
            ("create", Some(_)) => return said(400, "A file with this name already exists"),
            ("update", None) => return said(400, "A file with this name doesn't exist"),
            ("update", Some(last))
                if action["last_commit_id"]
                    .as_str()
                    .is_some_and(|id| id != last) =>
            {
                let words = format!(
                    "The file has changed since you started editing it: {}",
                    text("file_path")
                );
                return said(400, &words);
            }
            _ => {}
        }
        let contents = STANDARD.decode(text("content")).unwrap();
        files.push((text("file_path").to_owned(), contents));
    }
    let id = hub.commit(&parent, asked.text("commit_message").unwrap(), &files);
    hub.git(&["update-ref", &format!("refs/heads/{branch}"), &id]);
    Said::new(201, json!({"id": id, "parent_ids": [parent]}))
}
