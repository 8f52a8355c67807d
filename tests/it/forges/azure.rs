//! Azure DevOps as its documentation describes it, for one repository `acme/shop/fleet`.
//!
//! Listings cut texts to 400 characters, and votes have no commit: what was pushed when is told by iterations,
//! who voted when by threads, as on the real one.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde_json::{Value, json};

use super::{Asked, Dialect, Hub, Method, Opinion, Pull, Said, State, TOKEN, US};

/// Longest text of a pull request.
const MAX_BODY: usize = 4000;

/// How much of a text a listing gives.
const MAX_LISTED: usize = 400;

/// Azure DevOps.
pub struct AzureDevOps;

impl Dialect for AzureDevOps {
    fn root(&self) -> &'static str {
        ""
    }

    fn knows(&self, asked: &Asked) -> bool {
        let login = STANDARD.encode(format!(":{TOKEN}"));
        asked.header("authorization") == Some(&format!("Basic {login}"))
    }

    fn answer(&self, asked: &Asked, hub: &mut Hub) -> Said {
        let segments = asked.segments();
        let version = asked.query("api-version").unwrap_or_default();
        match segments[..] {
            ["acme", "_apis", "connectionData"] if version.ends_with("-preview") => {
                let us = identity(hub, US);
                return Said::new(200, json!({ "authenticatedUser": us }));
            }
            ["acme", "_apis", "projects", "shop", "teams"] => {
                return listing(vec![json!({"id": TEAM, "name": "Platform"})]);
            }
            [
                "acme",
                "_apis",
                "projects",
                "shop",
                "teams",
                TEAM,
                "members",
            ] => {
                let members = hub
                    .people
                    .keys()
                    .map(|name| json!({"identity": identity(hub, name)}));
                return listing(members.collect());
            }
            _ => {}
        }
        if version != "7.0" {
            let words = "No api-version was supplied for the request, or it is out of range.";
            return error(400, "VssVersionNotSpecifiedException", words);
        }
        let [
            "acme",
            "shop",
            "_apis",
            "git",
            "repositories",
            "fleet",
            place @ ..,
        ] = &segments[..]
        else {
            return self.missing();
        };
        match (asked.method.as_str(), place) {
            ("GET", ["pullrequests"]) => list(asked, hub),
            ("POST", ["pullrequests"]) => create(asked, hub),
            ("POST", ["pullrequestquery"]) => query(asked, hub),
            (method, ["commits", commit, "statuses"]) => statuses(asked, hub, method, commit),
            (method, ["pullrequests", number, rest @ ..]) => {
                match hub.pull(number.parse().unwrap_or(0)).cloned() {
                    Some(pull) => of_pull(asked, hub, &pull, (method, rest)),
                    None => error(
                        404,
                        "GitPullRequestNotFoundException",
                        "TF401180: not found.",
                    ),
                }
            }
            _ => self.missing(),
        }
    }

    fn unauthorized(&self) -> Said {
        Said::new(401, Value::Null).with("www-authenticate", "Basic realm=\"azure\"")
    }

    fn forbidden(&self) -> Said {
        let words =
            "TF401027: You need the Git 'PullRequestContribute' permission to perform this action.";
        error(403, "GitNeedsPermissionException", words)
    }

    fn limited(&self, seconds: u64) -> Said {
        let words = "Request was blocked due to exceeding usage of resource 'Concurrency' in namespace 'User'.";
        error(429, "RequestBlockedException", words).with("retry-after", seconds)
    }

    fn missing(&self) -> Said {
        let words = "TF401019: The Git repository with name or identifier fleet does not exist.";
        error(404, "GitRepositoryNotFoundException", words)
    }
}

/// The only team.
const TEAM: &str = "00000000-0000-4000-8000-0000000000ff";

fn error(status: u16, kind: &str, message: &str) -> Said {
    Said::new(
        status,
        json!({
            "$id": "1", "innerException": null, "message": message, "typeKey": kind, "errorCode": 0,
        }),
    )
}

fn listing(value: Vec<Value>) -> Said {
    Said::new(200, json!({"count": value.len(), "value": value}))
}

/// The id of an identity.
pub fn id(hub: &Hub, name: &str) -> String {
    let number = hub.people.get(name).copied().unwrap_or(0);
    format!("00000000-0000-4000-8000-{number:012x}")
}

fn identity(hub: &Hub, name: &str) -> Value {
    json!({"id": id(hub, name), "uniqueName": name, "displayName": name.to_uppercase()})
}

fn status(pull: &Pull) -> &'static str {
    match pull.state {
        State::Open => "active",
        State::Closed(..) => "abandoned",
        State::Merged(..) => "completed",
    }
}

fn reviewers(hub: &Hub, pull: &Pull) -> Vec<Value> {
    let opinions = hub.opinions(pull.number);
    let requested = pull
        .requested
        .iter()
        .filter(|name| !opinions.contains_key(*name));
    let silent = requested.map(|name| match name.as_str() {
        TEAM => json!({"id": TEAM, "displayName": "Platform", "isContainer": true, "vote": 0}),
        name => with_vote(identity(hub, name), 0),
    });
    let said = opinions.iter().map(|(name, review)| {
        let vote = match review.opinion {
            Opinion::Approved => 10,
            Opinion::Rejected => -10,
            Opinion::Commented | Opinion::Dismissed => 0,
        };
        with_vote(identity(hub, name), vote)
    });
    said.chain(silent).collect()
}

fn with_vote(mut identity: Value, vote: i32) -> Value {
    identity["vote"] = json!(vote);
    identity
}

fn label(name: &String) -> Value {
    json!({"id": "0", "name": name, "active": true})
}

fn whole(hub: &Hub, pull: &Pull) -> Value {
    let mut shown = json!({
        "pullRequestId": pull.number,
        "status": status(pull),
        "title": pull.title,
        "description": pull.body,
        "sourceRefName": format!("refs/heads/{}", pull.branch),
        "targetRefName": format!("refs/heads/{}", pull.base),
        "isDraft": pull.draft,
        "createdBy": identity(hub, &pull.author),
        "creationDate": pull.created.to_string(),
        "reviewers": reviewers(hub, pull),
        "mergeStatus": "succeeded",
        "lastMergeSourceCommit": {"commitId": pull.head},
        "url": "https://dev.azure.com/acme/_apis/git/repositories/1/pullRequests/1",
    });
    if !pull.labels.is_empty() {
        shown["labels"] = json!(pull.labels.iter().map(label).collect::<Vec<_>>());
    }
    if pull.auto_merge.is_some() {
        shown["autoCompleteSetBy"] = identity(hub, US);
    }
    match &pull.state {
        State::Open => {}
        State::Closed(by, at) => {
            shown["closedBy"] = identity(hub, by);
            shown["closedDate"] = json!(at.to_string());
        }
        State::Merged(by, at, commit) => {
            shown["closedBy"] = identity(hub, by);
            shown["closedDate"] = json!(at.to_string());
            shown["lastMergeCommit"] = json!({ "commitId": commit });
        }
    }
    shown
}

fn list(asked: &Asked, hub: &Hub) -> Said {
    let number = |name, or| {
        asked
            .query(name)
            .and_then(|text| text.parse().ok())
            .unwrap_or(or)
    };
    let wanted = asked.query("searchCriteria.status").unwrap_or("active");
    let is = |name: &str, branch: &str| {
        asked
            .query(name)
            .is_none_or(|wanted| wanted == format!("refs/heads/{branch}"))
    };
    let found = hub.pulls.iter().rev().filter(|pull| {
        (wanted == "all" || wanted == status(pull))
            && is("searchCriteria.sourceRefName", &pull.branch)
            && is("searchCriteria.targetRefName", &pull.base)
    });
    let cut = |pull: &Pull| {
        let mut shown = whole(hub, pull);
        shown["description"] = json!(pull.body.chars().take(MAX_LISTED).collect::<String>());
        shown
    };
    listing(
        found
            .skip(number("$skip", 0))
            .take(number("$top", 101))
            .map(cut)
            .collect(),
    )
}

fn create(asked: &Asked, hub: &mut Hub) -> Said {
    let name = |end: &str| {
        let full = asked.text(end).unwrap_or_default();
        full.strip_prefix("refs/heads/")
            .unwrap_or_default()
            .to_owned()
    };
    let (branch, base) = (name("sourceRefName"), name("targetRefName"));
    if hub.tip(&branch).is_none() {
        let words = "TF401398: The pull request cannot be activated because the source branch no longer exists.";
        return error(400, "GitPullRequestCannotBeActivated", words);
    }
    if hub.open_of(&branch, &base).is_some() {
        let words =
            "TF401179: An active pull request for the source and target branch already exists.";
        return error(409, "GitPullRequestExistsException", words);
    }
    let text = asked.text("description").unwrap_or_default();
    if text.encode_utf16().count() > MAX_BODY {
        return error(
            400,
            "InvalidArgumentValueException",
            "A maximum of 4000 characters is allowed.",
        );
    }
    let labels = asked.body["labels"].as_array().into_iter().flatten();
    let labels = labels
        .map(|label| label["name"].as_str().unwrap().to_owned())
        .collect();
    let pull = hub.open(
        US,
        &branch,
        &base,
        asked.text("title").unwrap_or_default(),
        text,
    );
    pull.draft = asked.body["isDraft"] == true;
    pull.labels = labels;
    let pull = pull.clone();
    Said::new(201, whole(hub, &pull))
}

fn query(asked: &Asked, hub: &Hub) -> Said {
    let queries = asked.body["queries"].as_array().unwrap();
    let results = queries.iter().map(|query| {
        let commit = query["items"][0].as_str().unwrap();
        let found = hub
            .pulls
            .iter()
            .filter(|pull| match query["type"].as_str() {
                Some("lastMergeCommit") => {
                    matches!(&pull.state, State::Merged(_, _, by) if by == commit)
                }
                Some("commit") => pull.head == commit,
                other => panic!("no such type of query: {other:?}"),
            });
        let found: Vec<Value> = found.map(|pull| whole(hub, pull)).collect();
        if found.is_empty() {
            json!({})
        } else {
            json!({ commit: found })
        }
    });
    Said::new(
        200,
        json!({"queries": queries, "results": results.collect::<Vec<_>>()}),
    )
}

fn of_pull(asked: &Asked, hub: &mut Hub, pull: &Pull, of: (&str, &[&str])) -> Said {
    match of {
        ("GET", []) => Said::new(200, whole(hub, pull)),
        ("PATCH", []) => change(asked, hub, pull),
        ("GET", ["labels"]) => listing(pull.labels.iter().map(label).collect()),
        ("POST", ["labels"]) => {
            let name = asked.text("name").unwrap().to_owned();
            hub.pull(pull.number).unwrap().labels.push(name.clone());
            Said::new(200, label(&name))
        }
        ("GET", ["iterations"]) => listing(iterations(pull)),
        ("GET", ["threads"]) => listing(threads(hub, pull)),
        ("POST", ["threads"]) => {
            let text = asked.body["comments"][0]["content"]
                .as_str()
                .unwrap()
                .to_owned();
            hub.pull(pull.number)
                .unwrap()
                .comments
                .push((US.to_owned(), text));
            Said::new(200, json!({"id": 1, "status": asked.body["status"]}))
        }
        ("PUT", ["reviewers", who]) => invite(hub, pull.number, who),
        ("PATCH", ["reviewers"]) => reset(asked, hub, pull),
        ("GET", ["statuses"]) => {
            let of = iterations(pull).len() as u64;
            listing(
                (1..=of)
                    .flat_map(|iteration| said_of(hub, &place(pull, iteration), Some(iteration)))
                    .collect(),
            )
        }
        ("POST", ["statuses"]) => {
            let iteration = asked.body["iterationId"].as_u64().unwrap_or_default();
            match (1..=iterations(pull).len() as u64).contains(&iteration) {
                true => say(asked, hub, &place(pull, iteration)),
                false => error(
                    400,
                    "InvalidArgumentValueException",
                    "There is no such iteration.",
                ),
            }
        }
        _ => AzureDevOps.missing(),
    }
}

fn change(asked: &Asked, hub: &mut Hub, pull: &Pull) -> Said {
    if pull.state != State::Open {
        let words = "TF401181: The pull request cannot be edited due to its state.";
        return error(409, "GitPullRequestNotEditableException", words);
    }
    let nobody = "00000000-0000-0000-0000-000000000000";
    if asked.body["autoCompleteSetBy"]["id"] == nobody {
        hub.pull(pull.number).unwrap().auto_merge = None;
    } else if asked.body["autoCompleteSetBy"]["id"].is_string() {
        let method = match asked.body["completionOptions"]["mergeStrategy"].as_str() {
            Some("squash") => Method::Squash,
            Some("rebase") => Method::Rebase,
            _ => Method::Merge,
        };
        if !hub.allows_auto_merge || asked.body["autoCompleteSetBy"]["id"] != id(hub, US) {
            return error(
                400,
                "InvalidArgumentValueException",
                "Auto-complete can't be set.",
            );
        }
        hub.pull(pull.number).unwrap().auto_merge = Some((method, pull.head.clone()));
    }
    if asked.text("status") == Some("abandoned") {
        hub.close(pull.number, US);
    }
    let changed = hub.pull(pull.number).unwrap();
    if let Some(title) = asked.text("title") {
        title.clone_into(&mut changed.title);
    }
    if let Some(text) = asked.text("description") {
        text.clone_into(&mut changed.body);
    }
    if let Some(draft) = asked.body["isDraft"].as_bool() {
        changed.draft = draft;
    }
    let changed = changed.clone();
    Said::new(200, whole(hub, &changed))
}

fn invite(hub: &mut Hub, number: u64, who: &str) -> Said {
    let name = match hub.people.keys().find(|name| id(hub, name) == who) {
        Some(name) => name.clone(),
        None if who == TEAM => TEAM.to_owned(),
        None => {
            return error(
                400,
                "InvalidArgumentValueException",
                "The identity could not be resolved.",
            );
        }
    };
    hub.pull(number).unwrap().requested.push(name);
    Said::new(200, json!({"id": who, "vote": 0}))
}

/// Only votes are taken back, by whoever may contribute.
fn reset(asked: &Asked, hub: &mut Hub, pull: &Pull) -> Said {
    for vote in asked.body.as_array().unwrap() {
        assert_eq!(vote["vote"], 0, "nobody votes for another");
        let name = hub
            .people
            .keys()
            .find(|name| vote["id"] == id(hub, name))
            .unwrap()
            .clone();
        hub.review(pull.number, &name, Opinion::Dismissed);
    }
    Said::new(200, Value::Null)
}

/// What was pushed: the heads that somebody voted on, and the one that there is.
fn iterations(pull: &Pull) -> Vec<Value> {
    let numbered = pull.heads().into_iter().zip(1u64..).map(|((commit, at), id)| {
        json!({"id": id, "sourceRefCommit": {"commitId": commit}, "createdDate": at.to_string()})
    });
    numbered.collect()
}

fn threads(hub: &Hub, pull: &Pull) -> Vec<Value> {
    let text = |value: &str| json!({"$type": "System.String", "$value": value});
    let votes = pull.reviews.iter().map(|review| {
        json!({
            "id": review.id,
            "publishedDate": review.at.to_string(),
            "comments": [{"commentType": "system", "content": "voted"}],
            "properties": {
                "CodeReviewThreadType": text("VoteUpdate"),
                "CodeReviewVoteResult": text("10"),
                "CodeReviewVotedByIdentity": text("1"),
            },
            "identities": {"1": identity(hub, &review.by)},
        })
    });
    let comments = pull.comments.iter().map(|(_, words)| {
        json!({"id": 0, "comments": [{"content": words}], "properties": {}, "identities": null})
    });
    comments.chain(votes).collect()
}

/// Where the hub has what is said of an iteration of a pull request.
pub fn place(pull: &Pull, iteration: u64) -> String {
    format!("{}/{iteration}", pull.number)
}

fn statuses(asked: &Asked, hub: &mut Hub, method: &str, commit: &str) -> Said {
    match method {
        "GET" => listing(said_of(hub, commit, None)),
        _ => say(asked, hub, commit),
    }
}

fn said_of(hub: &Hub, of: &str, iteration: Option<u64>) -> Vec<Value> {
    let all = hub.statuses_of(of).into_iter().map(|status| {
        let (genre, name) = status.name.split_once('/').unwrap_or(("", &status.name));
        let state = match status.verdict.as_str() {
            "success" => "succeeded",
            "pending" => "pending",
            _ => "failed",
        };
        let mut said = json!({
            "state": state, "context": {"genre": genre, "name": name},
            "description": status.description, "targetUrl": status.url,
        });
        if let Some(iteration) = iteration {
            said["iterationId"] = json!(iteration);
        }
        said
    });
    all.collect()
}

fn say(asked: &Asked, hub: &mut Hub, of: &str) -> Said {
    let verdict = match asked.text("state") {
        Some("succeeded") => "success",
        Some("pending") => "pending",
        Some("failed") => "failure",
        _ => return error(400, "InvalidArgumentValueException", "state"),
    };
    let context = |name: &str| asked.body["context"][name].as_str().unwrap_or_default();
    let name = format!("{}/{}", context("genre"), context("name"));
    let words = asked.text("description").unwrap_or_default();
    hub.set_status(
        of,
        name.trim_start_matches('/'),
        verdict,
        words,
        asked.text("targetUrl"),
        US,
    );
    Said::new(201, asked.body.clone())
}
