//! GitHub as its documentation describes it, for one repository `acme/fleet`.
//!
//! Every request is also held against GitHub's published OpenAPI description ([`openapi`]), and every answer
//! of success has only what that has; what does not fit is answered with 400 and why, so that the test
//! fails.

pub mod openapi;
mod shape;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde_json::{Value, json};

use super::hub::Status;
use shape::{issue, named, review, simple, status, user, whole};

use super::{Asked, Dialect, Hub, Method, Opinion, Pull, Said, State, TOKEN, US, paged};

/// Most statuses of one name that a commit takes.
const MAX_STATUSES: usize = 1000;

/// GitHub Enterprise Server, since its interface is below a path of the server.
pub struct GitHub;

impl Dialect for GitHub {
    fn root(&self) -> &'static str {
        "/api/v3"
    }

    fn knows(&self, asked: &Asked) -> bool {
        if asked.path[0] == "app" {
            // An App's claim to be itself, which only the App can make.
            let claim = asked.header("authorization").unwrap_or_default();
            return claim.starts_with("Bearer ") && claim.split('.').count() == 3;
        }
        asked.header("authorization") == Some(&format!("Bearer {TOKEN}"))
    }

    fn answer(&self, asked: &Asked, hub: &mut Hub) -> Said {
        if let Err(why) = openapi::check(asked) {
            return said(400, &format!("not as GitHub describes it: {why}"));
        }
        let answer = route(asked, hub);
        match openapi::check_answer(asked, &answer) {
            Ok(()) => answer,
            Err(why) => said(
                400,
                &format!("the fake answers what GitHub does not: {why}"),
            ),
        }
    }

    fn unauthorized(&self) -> Said {
        said(401, "Bad credentials")
    }

    fn forbidden(&self) -> Said {
        said(403, "Resource not accessible by personal access token")
    }

    fn limited(&self, seconds: u64) -> Said {
        let words = "You have exceeded a secondary rate limit. Please wait a few minutes before you try again.";
        said(403, words).with("retry-after", seconds)
    }

    fn missing(&self) -> Said {
        said(404, "Not Found")
    }
}

fn said(status: u16, message: &str) -> Said {
    let page = "https://docs.github.com/rest";
    Said::new(
        status,
        json!({"message": message, "documentation_url": page, "status": status.to_string()}),
    )
}

fn invalid(resource: &str, field: &str, message: Option<&str>) -> Said {
    let error = match message {
        Some(message) => json!({"resource": resource, "code": "custom", "message": message}),
        None => json!({"resource": resource, "field": field, "code": "invalid"}),
    };
    Said::new(
        422,
        json!({"message": "Validation Failed", "errors": [error]}),
    )
}

fn route(asked: &Asked, hub: &mut Hub) -> Said {
    let segments = asked.segments();
    if segments == ["graphql"] {
        return graphql(asked, hub);
    }
    if segments == ["app", "installations", "42", "access_tokens"] {
        return access_token(asked, hub);
    }
    let ["repos", "acme", "fleet", place @ ..] = &segments[..] else {
        return said(404, "Not Found");
    };
    let number = |text: &str| text.parse().unwrap_or(0);
    match (asked.method.as_str(), place) {
        ("GET", ["pulls"]) => list(asked, hub),
        ("POST", ["pulls"]) => create(asked, hub),
        ("GET", ["git", "ref", name @ ..]) => reference(hub, &name.join("/")),
        ("POST", ["git", "refs"]) => create_reference(asked, hub),
        ("POST", ["statuses", commit]) => set_status(asked, hub, commit),
        ("GET", ["commits", commit, "status"]) => statuses(asked, hub, commit),
        ("GET", ["commits", commit, "check-runs"]) => check_runs(asked, hub, commit),
        ("GET", ["commits", commit, "pulls"]) => pulls_of(hub, commit),
        (verb, [kind, n, rest @ ..]) => of_pull(asked, hub, (verb, kind, number(n), rest)),
        _ => said(404, "Not Found"),
    }
}

/// What an installation gets: a token for no more than it has.
fn access_token(asked: &Asked, hub: &mut Hub) -> Said {
    let granted = json!({
        "contents": "write", "pull_requests": "write", "statuses": "write", "checks": "read",
    });
    let wanted = asked.body["permissions"].as_object().unwrap();
    let is_granted = wanted.iter().all(|(name, level)| granted[name] == *level);
    if asked.body["repositories"] != json!(["fleet"]) || !is_granted {
        let words = "The permissions requested are not granted to this installation.";
        return said(422, words);
    }
    let ends = hub.tick() + jiff::SignedDuration::from_hours(1);
    Said::new(201, json!({"token": TOKEN, "expires_at": ends.to_string()}))
}

fn of_pull(asked: &Asked, hub: &mut Hub, of: (&str, &str, u64, &[&str])) -> Said {
    let (verb, kind, number, rest) = of;
    let Some(pull) = hub.pull(number).cloned() else {
        return said(404, "Not Found");
    };
    match (verb, kind, rest) {
        ("GET", "pulls", []) => Said::new(200, whole(hub, &pull)),
        ("PATCH", "pulls", []) => change(asked, hub, number),
        ("GET", "issues", []) => Said::new(200, issue(&pull)),
        ("POST", "issues", ["labels"]) => label(asked, hub, number),
        ("POST", "issues", ["comments"]) => comment(asked, hub, number),
        ("GET", "pulls", ["reviews"]) => {
            let reviews = pull.reviews.iter().map(review).collect();
            listed(asked, hub, reviews)
        }
        ("PUT", "pulls", ["reviews", id, "dismissals"]) => dismiss(hub, number, id),
        ("POST", "pulls", ["requested_reviewers"]) => request(asked, hub, number),
        ("PUT", "pulls", ["merge"]) => merge(asked, hub, &pull),
        _ => said(404, "Not Found"),
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

fn list(asked: &Asked, hub: &Hub) -> Said {
    let state = asked.query("state").unwrap_or("open");
    // Without the owner the filter is ignored.
    let head = asked.query("head").and_then(|head| head.split_once(':'));
    let fits = |pull: &&Pull| {
        let is_open = pull.state == State::Open;
        (state == "all" || (state == "open") == is_open)
            && head.is_none_or(|(owner, branch)| owner == "acme" && pull.branch == branch)
            && asked.query("base").is_none_or(|base| pull.base == base)
    };
    let found = hub.pulls.iter().rev().filter(fits);
    listed(asked, hub, found.map(|pull| simple(hub, pull)).collect())
}

fn create(asked: &Asked, hub: &mut Hub) -> Said {
    let text = |name| asked.text(name).unwrap_or_default().to_owned();
    let (branch, base) = (text("head"), text("base"));
    let Some(tip) = hub.tip(&branch) else {
        return invalid("PullRequest", "head", None);
    };
    let Some(onto) = hub.tip(&base) else {
        return invalid("PullRequest", "base", None);
    };
    if hub.open_of(&branch, &base).is_some() {
        let words = format!("A pull request already exists for acme:{branch}.");
        return invalid("PullRequest", "", Some(&words));
    }
    if hub.is_in(&tip, &onto) {
        let words = format!("No commits between {base} and {branch}");
        return invalid("PullRequest", "", Some(&words));
    }
    if text("body").chars().count() > 65_536 {
        let words = "body is too long (maximum is 65536 characters)";
        return invalid("Issue", "body", Some(words));
    }
    let pull = hub.open(US, &branch, &base, &text("title"), &text("body"));
    pull.draft = asked.body["draft"] == true;
    let pull = pull.clone();
    Said::new(201, whole(hub, &pull))
}

fn change(asked: &Asked, hub: &mut Hub, number: u64) -> Said {
    if asked.text("state") == Some("closed") {
        hub.close(number, US);
    }
    let pull = hub.pull(number).unwrap();
    let fields = [
        ("title", &mut pull.title),
        ("body", &mut pull.body),
        ("base", &mut pull.base),
    ];
    for (name, field) in fields {
        if let Some(text) = asked.text(name) {
            *field = text.to_owned();
        }
    }
    let pull = pull.clone();
    Said::new(200, whole(hub, &pull))
}

fn label(asked: &Asked, hub: &mut Hub, number: u64) -> Said {
    let names = asked.body["labels"].as_array().unwrap().iter();
    let names: Vec<String> = names
        .map(|name| name.as_str().unwrap().to_owned())
        .collect();
    // Labels that there are not are made.
    hub.labels.extend(names.iter().cloned());
    let pull = hub.pull(number).unwrap();
    for name in names {
        if !pull.labels.contains(&name) {
            pull.labels.push(name);
        }
    }
    Said::new(200, pull.labels.iter().map(|name| named(name)).collect())
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

fn dismiss(hub: &mut Hub, number: u64, id: &str) -> Said {
    if !hub.may_dismiss {
        return said(403, "Must have admin rights to Repository.");
    }
    let pull = hub.pull(number).unwrap();
    let found = pull
        .reviews
        .iter_mut()
        .find(|review| review.id.to_string() == id);
    match found {
        None => said(404, "Not Found"),
        Some(given) if matches!(given.opinion, Opinion::Approved | Opinion::Rejected) => {
            given.opinion = Opinion::Dismissed;
            Said::new(200, review(given))
        }
        Some(_) => said(422, "Can not dismiss a commented pull request review"),
    }
}

fn request(asked: &Asked, hub: &mut Hub, number: u64) -> Said {
    let names = |field: &str| -> Vec<String> {
        let names = asked.body[field].as_array().cloned().unwrap_or_default();
        names
            .iter()
            .map(|name| name.as_str().unwrap().to_owned())
            .collect()
    };
    let (people, teams) = (names("reviewers"), names("team_reviewers"));
    let pull = hub.pull(number).unwrap().clone();
    if people.contains(&pull.author) {
        return said(422, "Review cannot be requested from pull request author.");
    }
    let is_stranger = |name: &String| !hub.people.contains_key(name);
    if people.iter().any(is_stranger) || teams.iter().any(|team| team != "ops") {
        let words = "Reviews may only be requested from collaborators. One or more of the users or teams you specified is not a collaborator of the acme/fleet repository.";
        return said(422, words);
    }
    let pull = hub.pull(number).unwrap();
    pull.requested.extend(people);
    pull.requested
        .extend(teams.iter().map(|team| format!("@acme/{team}")));
    let pull = pull.clone();
    Said::new(201, simple(hub, &pull))
}

fn merge(asked: &Asked, hub: &mut Hub, pull: &Pull) -> Said {
    if asked.text("sha").is_some_and(|sha| sha != pull.head) {
        return said(
            409,
            "Head branch was modified. Review and try the merge again.",
        );
    }
    if let Some(first) = hub.missing(pull.number).first() {
        return said(405, first);
    }
    let method = match asked.text("merge_method") {
        Some("squash") => Method::Squash,
        Some("rebase") => Method::Rebase,
        _ => Method::Merge,
    };
    match hub.merge(pull.number, US, method) {
        Ok(commit) => {
            let words = "Pull Request successfully merged";
            Said::new(
                200,
                json!({"sha": commit, "merged": true, "message": words}),
            )
        }
        Err(_) => said(405, "Pull Request is not mergeable"),
    }
}

fn set_status(asked: &Asked, hub: &mut Hub, commit: &str) -> Said {
    if !hub.has(commit) {
        return said(422, &format!("No commit found for SHA: {commit}"));
    }
    let description = asked.text("description").unwrap_or_default().to_owned();
    if description.chars().count() > 140 {
        let words = "description is too long (maximum is 140 characters)";
        return invalid("Status", "description", Some(words));
    }
    let name = asked.text("context").unwrap_or("default");
    let same = |status: &&Status| status.commit == commit && status.name == name;
    if hub.statuses.iter().filter(same).count() >= MAX_STATUSES {
        let words = "This SHA and context has reached the maximum number of statuses.";
        return invalid("Status", "", Some(words));
    }
    let state = asked.text("state").unwrap();
    let url = asked.text("target_url");
    hub.set_status(commit, name, state, &description, url, US);
    Said::new(201, status(hub.status_of(commit, name).unwrap()))
}

/// What says it by a name that begins with `run:` does so by a check run, the others by a status.
fn is_run(status: &Status) -> bool {
    status.name.starts_with("run:")
}

fn statuses(asked: &Asked, hub: &Hub, commit: &str) -> Said {
    if !hub.has(commit) {
        return said(404, "Not Found");
    }
    let mut all = hub.statuses_of(commit);
    all.retain(|status| !is_run(status));
    let total = all.len();
    let (items, link) = paged(asked, hub, "per_page", all.iter().map(status).collect());
    let body = json!({"sha": commit, "state": "pending", "total_count": total, "statuses": items});
    match link {
        Some(link) => Said::new(200, body).with("link", link),
        None => Said::new(200, body),
    }
}

fn check_runs(asked: &Asked, hub: &Hub, commit: &str) -> Said {
    let mut all = hub.statuses_of(commit);
    all.retain(is_run);
    let total = all.len();
    let runs = all.iter().map(|run| {
        let (status, conclusion) = match run.verdict.as_str() {
            "pending" => ("in_progress", Value::Null),
            verdict => ("completed", verdict.into()),
        };
        json!({"name": run.name, "head_sha": commit, "status": status, "conclusion": conclusion})
    });
    let (items, link) = paged(asked, hub, "per_page", runs.collect());
    let body = json!({"total_count": total, "check_runs": items});
    match link {
        Some(link) => Said::new(200, body).with("link", link),
        None => Said::new(200, body),
    }
}

/// The merged pull request that brought a commit to the default branch; besides, the open ones that have it.
fn pulls_of(hub: &Hub, commit: &str) -> Said {
    if !hub.has(commit) {
        return said(422, &format!("No commit found for SHA: {commit}"));
    }
    let has = |pull: &&Pull| match &pull.state {
        State::Merged(_, _, merge) => merge == commit || hub.is_in(commit, &pull.head),
        _ => pull.head == commit,
    };
    let found = hub.pulls.iter().filter(has);
    Said::new(200, found.map(|pull| simple(hub, pull)).collect())
}

fn reference(hub: &Hub, name: &str) -> Said {
    let tip = name
        .strip_prefix("heads/")
        .and_then(|branch| hub.tip(branch));
    match tip {
        Some(tip) => Said::new(200, found_reference(&format!("refs/{name}"), &tip)),
        None => said(404, "Not Found"),
    }
}

fn create_reference(asked: &Asked, hub: &mut Hub) -> Said {
    let (name, commit) = (asked.text("ref").unwrap(), asked.text("sha").unwrap());
    if hub
        .try_git(&["rev-parse", "-q", "--verify", name])
        .is_some()
    {
        return said(422, "Reference already exists");
    }
    if !hub.has(commit) {
        return said(422, "Object does not exist");
    }
    hub.git(&["update-ref", name, commit]);
    Said::new(201, found_reference(name, commit))
}

fn found_reference(name: &str, commit: &str) -> Value {
    json!({"ref": name, "object": {"type": "commit", "sha": commit}})
}

fn graphql(asked: &Asked, hub: &mut Hub) -> Said {
    let query = asked.text("query").unwrap_or_default();
    let input = &asked.body["variables"]["input"];
    let names = [
        "enablePullRequestAutoMerge",
        "disablePullRequestAutoMerge",
        "convertPullRequestToDraft",
        "markPullRequestReadyForReview",
        "createCommitOnBranch",
    ];
    let asked_for = |name: &&str| query.contains(&format!("{name}(input: $input)"));
    let Some(name) = names.into_iter().find(asked_for) else {
        return said(
            400,
            "A query attribute must be specified and must be a string.",
        );
    };
    let outcome = match name {
        "createCommitOnBranch" => commit(input, hub),
        _ => {
            let id = input["pullRequestId"].as_str().unwrap_or_default();
            let number = id
                .strip_prefix("PR_")
                .and_then(|number| number.parse().ok());
            match number.filter(|number| hub.pull(*number).is_some()) {
                None => Err((
                    "NOT_FOUND",
                    format!("Could not resolve to a node with the global id of '{id}'"),
                )),
                Some(number) if name == "enablePullRequestAutoMerge" => {
                    schedule(input, hub, number)
                }
                Some(number) if name == "disablePullRequestAutoMerge" => {
                    match hub.pull(number).unwrap().auto_merge.take() {
                        Some(_) => Ok(json!({"clientMutationId": null})),
                        None => {
                            let words = "Can't disable auto-merge for this pull request.";
                            Err(("UNPROCESSABLE", words.to_owned()))
                        }
                    }
                }
                Some(number) => {
                    hub.pull(number).unwrap().draft = name == "convertPullRequestToDraft";
                    Ok(json!({"clientMutationId": null}))
                }
            }
        }
    };
    let body = match outcome {
        Ok(value) => json!({"data": {name: value}}),
        Err((kind, message)) => json!({
            "data": {name: null},
            "errors": [{"type": kind, "path": [name], "message": message}],
        }),
    };
    Said::new(200, body)
}

fn schedule(input: &Value, hub: &mut Hub, number: u64) -> Result<Value, (&'static str, String)> {
    let no = |words: &str| Err(("UNPROCESSABLE", format!("Pull request {words}")));
    if !hub.allows_auto_merge {
        return no("Auto merge is not allowed for this repository");
    }
    let (missing, is_checking) = (hub.missing(number), hub.is_checking);
    let pull = hub.pull(number).unwrap();
    if input["expectedHeadOid"]
        .as_str()
        .is_some_and(|head| head != pull.head)
    {
        return no("Head branch was modified");
    }
    if pull.draft {
        return no("Pull request is in draft status");
    }
    if is_checking {
        return no("Pull request is in unstable status");
    }
    if missing.is_empty() {
        return no("Pull request is in clean status");
    }
    let method = match input["mergeMethod"].as_str() {
        Some("SQUASH") => Method::Squash,
        Some("REBASE") => Method::Rebase,
        _ => Method::Merge,
    };
    pull.auto_merge = Some((method, pull.head.clone()));
    Ok(json!({"clientMutationId": null}))
}

fn commit(input: &Value, hub: &mut Hub) -> Result<Value, (&'static str, String)> {
    let branch = input["branch"]["branchName"].as_str().unwrap_or_default();
    let parent = input["expectedHeadOid"].as_str().unwrap_or_default();
    if hub.tip(branch).as_deref() != Some(parent) {
        let words = format!(
            "Expected branch to point to \"{parent}\" but it did not.  Pull and try again."
        );
        return Err(("STALE_DATA", words));
    }
    let additions = input["fileChanges"]["additions"].as_array().unwrap().iter();
    let files = additions.map(|file| {
        let contents = STANDARD.decode(file["contents"].as_str().unwrap()).unwrap();
        (file["path"].as_str().unwrap().to_owned(), contents)
    });
    let text = |name: &str| input["message"][name].as_str().unwrap_or_default();
    let message = format!("{}\n\n{}", text("headline"), text("body"));
    let id = hub.commit(parent, message.trim_end(), &files.collect::<Vec<_>>());
    hub.git(&["update-ref", &format!("refs/heads/{branch}"), &id, parent]);
    Ok(json!({"commit": {"oid": id}}))
}
