//! Bitbucket Data Center as its documentation describes it, for one repository `ACME/fleet`.
//!
//! Each change of a pull request has to name its newest version. Where the hub allows no merging by itself it
//! is a server from before 7.4, which knows nothing of it and takes statuses elsewhere.

use std::collections::BTreeSet;

use serde_json::{Value, json};

use super::{Asked, Dialect, Hub, Method, Opinion, Pull, Said, State, TOKEN, US};

/// Bitbucket Data Center.
pub struct BitbucketDataCenter;

impl Dialect for BitbucketDataCenter {
    fn root(&self) -> &'static str {
        "/git/rest"
    }

    fn knows(&self, asked: &Asked) -> bool {
        asked.header("authorization") == Some(&format!("Bearer {TOKEN}"))
    }

    fn answer(&self, asked: &Asked, hub: &mut Hub) -> Said {
        let segments = asked.segments();
        if let ["build-status", "1.0", "commits", commit] = segments[..] {
            return match asked.is_read() {
                true => builds(asked, hub, commit),
                false => set_build(asked, hub, commit),
            };
        }
        let [
            "api",
            "latest",
            "projects",
            "ACME",
            "repos",
            "fleet",
            place @ ..,
        ] = &segments[..]
        else {
            return self.missing();
        };
        match (asked.method.as_str(), place) {
            ("GET", ["pull-requests"]) => list(asked, hub),
            ("POST", ["pull-requests"]) => create(asked, hub),
            ("POST", ["commits", commit, "builds"]) if hub.allows_auto_merge => {
                set_build(asked, hub, commit)
            }
            ("GET", ["commits", commit, "pull-requests"]) => with_commit(asked, hub, commit),
            (method, ["pull-requests", number, rest @ ..]) => {
                match hub.pull(number.parse().unwrap_or(0)).cloned() {
                    Some(pull) => of_pull(asked, hub, &pull, (method, rest)),
                    None => error(
                        404,
                        "pull.NoSuchPullRequestException",
                        "There is no such pull request.",
                    ),
                }
            }
            _ => self.missing(),
        }
    }

    fn unauthorized(&self) -> Said {
        error(
            401,
            "auth.IncorrectPasswordAuthenticationException",
            "Authentication failed.",
        )
    }

    fn forbidden(&self) -> Said {
        let words = "You are not permitted to access this resource";
        error(403, "AuthorisationException", words)
    }

    fn limited(&self, seconds: u64) -> Said {
        error(
            429,
            "ratelimit.RateLimitedException",
            "You have been rate limited.",
        )
        .with("retry-after", seconds)
    }

    fn missing(&self) -> Said {
        let words = "Repository ACME/fleet does not exist.";
        error(404, "repository.NoSuchRepositoryException", words)
    }
}

fn error(status: u16, exception: &str, message: &str) -> Said {
    refused(status, exception, message, json!({}))
}

/// A refusal that tells more.
fn refused(status: u16, exception: &str, message: &str, more: Value) -> Said {
    let mut error = json!({
        "context": null,
        "message": message,
        "exceptionName": format!("com.atlassian.bitbucket.{exception}"),
    });
    for (name, value) in more.as_object().unwrap() {
        error[name] = value.clone();
    }
    Said::new(status, json!({"errors": [error]}))
}

fn page(asked: &Asked, hub: &Hub, items: Vec<Value>) -> Said {
    let number = |name, or| {
        asked
            .query(name)
            .and_then(|text| text.parse().ok())
            .unwrap_or(or)
    };
    let (limit, start) = (
        number("limit", 25).min(hub.largest_page),
        number("start", 0),
    );
    let is_last = items.len() <= start + limit;
    let of: Vec<Value> = items.into_iter().skip(start).take(limit).collect();
    Said::new(
        200,
        json!({
            "size": of.len(),
            "limit": limit,
            "start": start,
            "isLastPage": is_last,
            "nextPageStart": (!is_last).then_some(start + limit),
            "values": of,
        }),
    )
}

fn list(asked: &Asked, hub: &Hub) -> Said {
    let wanted = asked.query("state").unwrap_or("OPEN");
    let at = asked.query("at");
    let is_outgoing = asked.query("direction") == Some("OUTGOING");
    let pulls = hub.pulls.iter().rev().filter(|pull| {
        let branch = if is_outgoing {
            &pull.branch
        } else {
            &pull.base
        };
        let is_there = at.is_none_or(|at| at == format!("refs/heads/{branch}"));
        is_there && (wanted == "ALL" || wanted == state(pull))
    });
    let items = pulls.map(|pull| whole(hub, pull)).collect();
    page(asked, hub, items)
}

fn state(pull: &Pull) -> &'static str {
    match pull.state {
        State::Open => "OPEN",
        State::Closed(..) => "DECLINED",
        State::Merged(..) => "MERGED",
    }
}

fn user(name: &str) -> Value {
    json!({"name": name, "slug": name, "displayName": name.to_uppercase(), "type": "NORMAL"})
}

fn end(branch: &str, commit: &str) -> Value {
    json!({
        "id": format!("refs/heads/{branch}"),
        "displayId": branch,
        "latestCommit": commit,
        "repository": {"slug": "fleet", "project": {"key": "ACME"}},
    })
}

fn whole(hub: &Hub, pull: &Pull) -> Value {
    let opinions = hub.opinions(pull.number);
    let people: BTreeSet<&String> = opinions.keys().chain(&pull.requested).collect();
    let reviewer = |name: &&String| {
        let review = opinions.get(*name);
        let status = match review.map(|review| review.opinion) {
            Some(Opinion::Approved) => "APPROVED",
            Some(Opinion::Rejected) => "NEEDS_WORK",
            _ => "UNAPPROVED",
        };
        let mut reviewer = json!({
            "user": user(name), "role": "REVIEWER", "approved": status == "APPROVED", "status": status,
        });
        if let Some(review) = review {
            reviewer["lastReviewedCommit"] = json!(review.commit);
        }
        reviewer
    };
    let mut shown = json!({
        "id": pull.number,
        "version": pull.version,
        "title": pull.title,
        "state": state(pull),
        "open": pull.state == State::Open,
        "closed": pull.state != State::Open,
        "draft": pull.draft,
        "createdDate": pull.created.as_millisecond(),
        "fromRef": end(&pull.branch, &pull.head),
        "toRef": end(&pull.base, &hub.tip(&pull.base).unwrap_or_default()),
        "author": {"user": user(&pull.author), "role": "AUTHOR", "approved": false, "status": "UNAPPROVED"},
        "reviewers": people.iter().map(reviewer).collect::<Vec<_>>(),
        "participants": [],
        "links": {"self": [{"href": format!(
            "https://git.example.com/git/projects/ACME/repos/fleet/pull-requests/{}", pull.number
        )}]},
    });
    if !pull.body.is_empty() {
        shown["description"] = json!(pull.body);
    }
    match &pull.state {
        State::Open => {}
        State::Closed(_, at) => shown["closedDate"] = json!(at.as_millisecond()),
        State::Merged(_, at, commit) => {
            shown["closedDate"] = json!(at.as_millisecond());
            shown["properties"] =
                json!({"mergeCommit": {"id": commit, "displayId": &commit[..11]}});
        }
    }
    shown
}

/// The reviewers of a body, or the refusal of those that are none.
fn wanted(asked: &Asked, hub: &Hub, author: &str) -> Result<Vec<String>, Said> {
    let named = asked.body["reviewers"].as_array().into_iter().flatten();
    let names = named.map(|one| one["user"]["name"].as_str().unwrap_or_default().to_owned());
    let (good, bad): (Vec<String>, Vec<String>) =
        names.partition(|name| name != author && hub.people.contains_key(name));
    if bad.is_empty() {
        return Ok(good);
    }
    let errors = bad.iter().map(|name| {
        let message = match name == author {
            true => {
                format!("{name} is the author of this pull request and can not be its reviewer.")
            }
            false => format!("{name} is not a user."),
        };
        json!({"context": name, "message": message, "exceptionName": null})
    });
    let more = json!({
        "context": "reviewers",
        "reviewerErrors": errors.collect::<Vec<_>>(),
        "validReviewers": good.iter().map(|name| json!({"user": user(name)})).collect::<Vec<_>>(),
    });
    let words = "Errors encountered while adding some reviewers to this pull request.";
    Err(refused(
        409,
        "pull.InvalidPullRequestReviewersException",
        words,
        more,
    ))
}

fn create(asked: &Asked, hub: &mut Hub) -> Said {
    let name = |end: &str| {
        let full = asked.body[end]["id"].as_str().unwrap_or_default();
        full.strip_prefix("refs/heads/")
            .unwrap_or_default()
            .to_owned()
    };
    let (branch, base) = (name("fromRef"), name("toRef"));
    if hub.tip(&branch).is_none() {
        return error(
            404,
            "repository.NoSuchBranchException",
            "There is no such branch.",
        );
    }
    if let Some(there) = hub.open_of(&branch, &base) {
        let words = "Only one pull request may be open for a given source and target branch";
        let more = json!({"existingPullRequest": whole(hub, there)});
        return refused(409, "pull.DuplicatePullRequestException", words, more);
    }
    let requested = match wanted(asked, hub, US) {
        Ok(reviewers) => reviewers,
        Err(refusal) => return refusal,
    };
    let (title, text) = (
        asked.text("title").unwrap_or_default(),
        asked.text("description").unwrap_or_default(),
    );
    let pull = hub.open(US, &branch, &base, title, text);
    pull.draft = asked.body["draft"] == true;
    pull.requested = requested;
    let pull = pull.clone();
    Said::new(201, whole(hub, &pull))
}

/// The refusal of a change that is not about the newest version of an open pull request.
fn stale(asked: &Asked, hub: &Hub, pull: &Pull) -> Option<Said> {
    let version = asked
        .query("version")
        .and_then(|version| version.parse().ok());
    let version = version.or_else(|| asked.body["version"].as_u64());
    if version != Some(pull.version) {
        let words = "You are attempting to modify a pull request based on out-of-date information.";
        let more = json!({
            "currentVersion": pull.version, "expectedVersion": version, "pullRequest": whole(hub, pull),
        });
        return Some(refused(
            409,
            "pull.PullRequestOutOfDateException",
            words,
            more,
        ));
    }
    let words = "This pull request is not open.";
    let closed = || error(409, "pull.IllegalPullRequestStateException", words);
    (pull.state != State::Open).then(closed)
}

fn of_pull(asked: &Asked, hub: &mut Hub, pull: &Pull, of: (&str, &[&str])) -> Said {
    match of {
        ("GET", []) => Said::new(200, whole(hub, pull)),
        ("PUT", []) => change(asked, hub, pull),
        ("GET", ["activities"]) => page(asked, hub, happened(pull)),
        ("GET", ["auto-merge"]) => match &pull.auto_merge {
            Some((_, commit)) => Said::new(200, json!({"autoSubject": true, "fromHash": commit})),
            None => error(
                404,
                "pull.AutoMergeNotRequestedException",
                "No auto-merge was requested.",
            ),
        },
        ("DELETE", ["auto-merge"]) if pull.state == State::Open => {
            hub.pull(pull.number).unwrap().auto_merge = None;
            Said::new(204, Value::Null)
        }
        ("DELETE", ["auto-merge"]) => {
            let words = "This pull request is not open.";
            error(409, "pull.IllegalPullRequestStateException", words)
        }
        ("GET", ["merge"]) => {
            let vetoes = vetoes(hub, pull);
            Said::new(
                200,
                json!({
                    "canMerge": vetoes.is_empty(), "conflicted": false, "outcome": "CLEAN", "vetoes": vetoes,
                }),
            )
        }
        ("POST", ["merge"]) => merge(asked, hub, pull),
        ("POST", ["decline"]) => match stale(asked, hub, pull) {
            Some(refusal) => refusal,
            None => {
                hub.close(pull.number, US);
                let pull = hub.pull(pull.number).unwrap();
                pull.version += 1;
                let pull = pull.clone();
                Said::new(200, whole(hub, &pull))
            }
        },
        ("POST", ["comments"]) => {
            let text = asked.text("text").unwrap_or_default().to_owned();
            let pull = hub.pull(pull.number).unwrap();
            pull.comments.push((US.to_owned(), text));
            Said::new(201, json!({"id": pull.comments.len()}))
        }
        _ => BitbucketDataCenter.missing(),
    }
}

fn change(asked: &Asked, hub: &mut Hub, pull: &Pull) -> Said {
    if let Some(refusal) = stale(asked, hub, pull) {
        return refusal;
    }
    let requested = match wanted(asked, hub, &pull.author) {
        Ok(reviewers) => reviewers,
        Err(refusal) => return refusal,
    };
    let changed = hub.pull(pull.number).unwrap();
    asked
        .text("title")
        .unwrap_or_default()
        .clone_into(&mut changed.title);
    asked
        .text("description")
        .unwrap_or_default()
        .clone_into(&mut changed.body);
    if let Some(draft) = asked.body["draft"].as_bool() {
        changed.draft = draft;
    }
    // Those who are left out are taken away, with what they said.
    changed
        .reviews
        .retain(|review| requested.contains(&review.by));
    changed.requested = requested;
    changed.version += 1;
    let changed = changed.clone();
    Said::new(200, whole(hub, &changed))
}

fn vetoes(hub: &Hub, pull: &Pull) -> Vec<Value> {
    let missing = hub.missing(pull.number).into_iter();
    missing
        .map(|words| json!({"summaryMessage": words, "detailedMessage": words}))
        .collect()
}

fn merge(asked: &Asked, hub: &mut Hub, pull: &Pull) -> Said {
    if let Some(refusal) = stale(asked, hub, pull) {
        return refusal;
    }
    let method = match asked.text("strategyId") {
        Some("squash") => Method::Squash,
        Some("rebase-ff-only") => Method::Rebase,
        Some("no-ff") => Method::Merge,
        _ => {
            return error(
                400,
                "scm.NoSuchMergeStrategyException",
                "There is no such strategy.",
            );
        }
    };
    let vetoes = vetoes(hub, pull);
    if vetoes.is_empty() {
        hub.merge(pull.number, US, method).unwrap();
    } else if asked.body["autoMerge"] == true && hub.allows_auto_merge {
        hub.pull(pull.number).unwrap().auto_merge = Some((method, pull.head.clone()));
    } else {
        let words = "Merging the pull request has been vetoed.";
        let more = json!({"conflicted": false, "vetoes": vetoes});
        return refused(409, "pull.PullRequestMergeVetoedException", words, more);
    }
    let pull = hub.pull(pull.number).unwrap().clone();
    Said::new(200, whole(hub, &pull))
}

/// What happened, newest first.
fn happened(pull: &Pull) -> Vec<Value> {
    let one = |action: &str, by: &str, at: jiff::Timestamp| json!({"action": action, "user": user(by), "createdDate": at.as_millisecond()});
    let mut happened = vec![one("OPENED", &pull.author, pull.created)];
    for review in &pull.reviews {
        let action = match review.opinion {
            Opinion::Approved => "APPROVED",
            Opinion::Rejected => "REVIEWED",
            Opinion::Dismissed => "UNAPPROVED",
            Opinion::Commented => "COMMENTED",
        };
        happened.push(one(action, &review.by, review.at));
    }
    match &pull.state {
        State::Open => {}
        State::Closed(by, at) => happened.push(one("DECLINED", by, *at)),
        State::Merged(by, at, commit) => {
            let mut merged = one("MERGED", by, *at);
            merged["commit"] = json!({ "id": commit });
            happened.push(merged);
        }
    }
    happened.reverse();
    happened
}

fn with_commit(asked: &Asked, hub: &Hub, commit: &str) -> Said {
    if !hub.has(commit) {
        return error(
            404,
            "commit.NoSuchCommitException",
            "There is no such commit.",
        );
    }
    let with = hub.pulls.iter().filter(|pull| pull.head == commit);
    let items = with.map(|pull| whole(hub, pull)).collect();
    page(asked, hub, items)
}

fn builds(asked: &Asked, hub: &Hub, commit: &str) -> Said {
    let builds = hub.statuses_of(commit).into_iter().map(|status| {
        let state = match status.verdict.as_str() {
            "success" => "SUCCESSFUL",
            "pending" => "INPROGRESS",
            _ => "FAILED",
        };
        json!({
            "key": status.name, "name": status.name, "state": state,
            "description": status.description, "url": status.url,
        })
    });
    let items = builds.collect();
    page(asked, hub, items)
}

fn set_build(asked: &Asked, hub: &mut Hub, commit: &str) -> Said {
    let verdict = match asked.text("state") {
        Some("SUCCESSFUL") => "success",
        Some("INPROGRESS") => "pending",
        Some("FAILED") => "failure",
        _ => {
            return error(
                400,
                "validation.ArgumentValidationException",
                "state is required",
            );
        }
    };
    let (Some(key), Some(url)) = (asked.text("key"), asked.text("url")) else {
        return error(
            400,
            "validation.ArgumentValidationException",
            "key and url are required",
        );
    };
    let name = asked.text("name").unwrap_or(key);
    let words = asked.text("description").unwrap_or_default();
    hub.set_status(commit, name, verdict, words, Some(url), US);
    Said::new(204, Value::Null)
}
