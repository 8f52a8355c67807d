//! Bitbucket Cloud as its documentation describes it, for one repository `acme/fleet`.
//!
//! Commit ids in pull requests are cut to twelve digits, listings leave reviewers out unless asked for them,
//! and the index of commits is only there once somebody has asked for it on the pages, as on the real one.

use std::collections::BTreeSet;

use jiff::{SignedDuration, Timestamp};
use serde_json::{Value, json};

use super::hub::Review;
use super::{Asked, Dialect, Hub, Opinion, Pull, Said, State, TOKEN, US};

/// Most pull requests on a page.
const LARGEST: usize = 50;

/// Bitbucket Cloud.
pub struct BitbucketCloud;

impl Dialect for BitbucketCloud {
    fn root(&self) -> &'static str {
        "/2.0"
    }

    fn knows(&self, asked: &Asked) -> bool {
        asked.header("authorization") == Some(&format!("Bearer {TOKEN}"))
    }

    fn answer(&self, asked: &Asked, hub: &mut Hub) -> Said {
        let segments = asked.segments();
        let ["repositories", "acme", "fleet", place @ ..] = &segments[..] else {
            return self.missing();
        };
        match (asked.method.as_str(), place) {
            ("GET", ["pullrequests"]) => list(asked, hub),
            ("POST", ["pullrequests"]) => create(asked, hub),
            ("GET", ["refs", "branches"]) => branches(asked, hub),
            (method, ["pullrequests", number, rest @ ..]) => {
                let number = number.parse().unwrap_or(0);
                match hub.pull(number).cloned() {
                    Some(pull) => of_pull(asked, hub, &pull, (method, rest)),
                    None => self.missing(),
                }
            }
            (method, ["commit", commit, rest @ ..]) => {
                of_commit(asked, hub, commit, (method, rest))
            }
            _ => self.missing(),
        }
    }

    fn unauthorized(&self) -> Said {
        error(
            401,
            "Token is invalid, expired, or not supported for this endpoint.",
        )
    }

    fn forbidden(&self) -> Said {
        let scopes = json!({"required": ["pullrequest:write"], "granted": ["pullrequest"]});
        let message = "Your credentials lack one or more required privilege scopes.";
        let error = json!({"message": message, "detail": scopes});
        Said::new(403, json!({"type": "error", "error": error}))
    }

    fn limited(&self, seconds: u64) -> Said {
        error(429, "Rate limit for this resource has been exceeded").with("retry-after", seconds)
    }

    fn missing(&self) -> Said {
        error(404, "Resource not found")
    }
}

fn error(status: u16, message: &str) -> Said {
    Said::new(
        status,
        json!({"type": "error", "error": {"message": message}}),
    )
}

fn invalid(field: &str, message: &str) -> Said {
    let fields = json!({field: [message]});
    let error = json!({"fields": fields, "message": format!("{field}: {message}")});
    Said::new(400, json!({"type": "error", "error": error}))
}

/// One condition of a query: a field, an operator, a text.
fn conditions(query: &str) -> Option<Vec<(String, char, String)>> {
    let one = |condition: &str| {
        let mut parts = condition.splitn(3, ' ');
        let (field, operator, text) = (parts.next()?, parts.next()?, parts.next()?);
        let text = text.strip_prefix('"')?.strip_suffix('"')?;
        let operator = operator.chars().next().filter(|o| "=~".contains(*o))?;
        let text = text.replace("\\\"", "\"").replace("\\\\", "\\");
        Some((field.to_owned(), operator, text))
    };
    query.split(" AND ").map(one).collect()
}

/// Whether what a function finds in a field fulfils all conditions; `None` for a field that is not there.
fn fulfils(query: &str, of: impl Fn(&str) -> Option<String>) -> Option<bool> {
    let mut all = true;
    for (field, operator, text) in conditions(query)? {
        let value = of(&field)?;
        all &= match operator {
            '=' => value == text,
            _ => value.to_lowercase().contains(&text.to_lowercase()),
        };
    }
    Some(all)
}

fn page(asked: &Asked, hub: &Hub, largest: usize, items: Vec<Value>) -> Said {
    let number = |name, or| asked.query(name).map_or(Some(or), |text| text.parse().ok());
    let (Some(size), Some(page)) = (number("pagelen", 10), number("page", 1)) else {
        return error(400, "Invalid page");
    };
    if size > largest {
        return error(400, "Invalid pagelen");
    }
    let size = size.min(hub.largest_page);
    let is_last = items.len() <= page * size;
    let of: Vec<Value> = items
        .into_iter()
        .skip((page - 1) * size)
        .take(size)
        .collect();
    let mut answer = json!({"pagelen": size, "page": page, "values": of});
    if !is_last {
        let mut next = reqwest::Url::parse("https://api.bitbucket.org/2.0/elsewhere").unwrap();
        let others = asked.query.iter().filter(|(name, _)| name != "page");
        next.query_pairs_mut()
            .extend_pairs(others)
            .append_pair("page", &(page + 1).to_string());
        answer["next"] = json!(next.as_str());
    }
    Said::new(200, answer)
}

fn list(asked: &Asked, hub: &Hub) -> Said {
    let mut states: Vec<&str> = asked
        .query
        .iter()
        .filter(|(name, _)| name == "state")
        .map(|(_, state)| state.as_str())
        .collect();
    if states.is_empty() {
        states.push("OPEN");
    }
    let mut items = Vec::new();
    for pull in hub
        .pulls
        .iter()
        .rev()
        .filter(|pull| states.contains(&state(pull)))
    {
        let field = |name: &str| match name {
            "source.branch.name" => Some(pull.branch.clone()),
            "destination.branch.name" => Some(pull.base.clone()),
            _ => None,
        };
        match asked
            .query("q")
            .map_or(Some(true), |query| fulfils(query, field))
        {
            Some(true) => items.push(listed(asked, hub, pull)),
            Some(false) => {}
            None => return error(400, "Invalid query"),
        }
    }
    page(asked, hub, LARGEST, items)
}

fn listed(asked: &Asked, hub: &Hub, pull: &Pull) -> Value {
    let mut shown = whole(hub, pull);
    let fields = asked.query("fields").unwrap_or_default();
    for name in ["reviewers", "participants"] {
        if !fields.contains(&format!("+values.{name}")) {
            shown.as_object_mut().unwrap().remove(name);
        }
    }
    shown
}

fn state(pull: &Pull) -> &'static str {
    match pull.state {
        State::Open => "OPEN",
        State::Closed(..) => "DECLINED",
        State::Merged(..) => "MERGED",
    }
}

fn account(name: &str) -> Value {
    json!({
        "type": "user",
        "display_name": "Somebody",
        "nickname": "somebody",
        "uuid": uuid(name),
        "account_id": name,
    })
}

fn uuid(name: &str) -> String {
    format!("{{{name}}}")
}

fn short(commit: &str) -> Value {
    json!({"type": "commit", "hash": &commit[..12]})
}

fn end(branch: &str, commit: &str) -> Value {
    json!({
        "branch": {"name": branch},
        "commit": short(commit),
        "repository": {"type": "repository", "full_name": "acme/fleet"},
    })
}

fn reviewers(hub: &Hub, pull: &Pull) -> BTreeSet<String> {
    let gave = hub.opinions(pull.number).into_keys();
    gave.chain(pull.requested.iter().cloned()).collect()
}

fn whole(hub: &Hub, pull: &Pull) -> Value {
    let people = reviewers(hub, pull);
    let opinions = hub.opinions(pull.number);
    let participant = |name: &String| {
        let review = opinions.get(name);
        let state = match review.map(|review| review.opinion) {
            Some(Opinion::Approved) => json!("approved"),
            Some(Opinion::Rejected) => json!("changes_requested"),
            _ => Value::Null,
        };
        json!({
            "type": "participant",
            "user": account(name),
            "role": "REVIEWER",
            "approved": state == "approved",
            "state": state,
            "participated_on": review.map(|review| review.at.to_string()),
        })
    };
    let (closed_by, merge) = match &pull.state {
        State::Open => (Value::Null, Value::Null),
        State::Closed(by, _) => (account(by), Value::Null),
        State::Merged(by, _, commit) => (account(by), short(commit)),
    };
    let base = hub.tip(&pull.base).unwrap_or_default() + &"0".repeat(40);
    json!({
        "type": "pullrequest",
        "id": pull.number,
        "title": pull.title,
        "description": pull.body,
        "summary": {"raw": pull.body, "markup": "markdown", "html": ""},
        "draft": pull.draft,
        "state": state(pull),
        "author": account(&pull.author),
        "source": end(&pull.branch, &pull.head),
        "destination": end(&pull.base, &base),
        "merge_commit": merge,
        "closed_by": closed_by,
        "close_source_branch": false,
        "created_on": pull.created.to_string(),
        "updated_on": pull.created.to_string(),
        "reviewers": people.iter().map(|name| account(name)).collect::<Vec<_>>(),
        "participants": people.iter().map(participant).collect::<Vec<_>>(),
        "links": {"html": {"href": format!("https://bitbucket.org/acme/fleet/pull-requests/{}", pull.number)}},
    })
}

/// The names of the reviewers in a body, or the refusal of those that are none.
fn wanted(asked: &Asked, hub: &Hub, author: &str) -> Result<Vec<String>, Said> {
    let mut names = Vec::new();
    for account in asked.body["reviewers"].as_array().into_iter().flatten() {
        let is = |name: &&String| {
            account["uuid"] == uuid(name) || account["account_id"] == name.as_str()
        };
        let Some(name) = hub.people.keys().find(is) else {
            return Err(invalid("reviewers", "Malformed reviewers list"));
        };
        if name == author {
            let message = "Somebody is the author and cannot be included as a reviewer.";
            return Err(invalid("reviewers", message));
        }
        names.push(name.clone());
    }
    Ok(names)
}

fn create(asked: &Asked, hub: &mut Hub) -> Said {
    let name = |end: &str| {
        asked.body[end]["branch"]["name"]
            .as_str()
            .unwrap_or_default()
            .to_owned()
    };
    let (branch, base) = (name("source"), name("destination"));
    let Some(title) = asked.text("title").filter(|title| !title.is_empty()) else {
        return invalid("title", "required key not provided");
    };
    if hub.tip(&branch).is_none() {
        return invalid("source", "branch not found");
    }
    let reviewers = match wanted(asked, hub, US) {
        Ok(reviewers) => reviewers,
        Err(refusal) => return refusal,
    };
    if hub.open_of(&branch, &base).is_some() {
        return error(
            400,
            "There is already an open pull request for these branches",
        );
    }
    let pull = hub.open(
        US,
        &branch,
        &base,
        title,
        asked.text("description").unwrap_or_default(),
    );
    pull.draft = asked.body["draft"] == true;
    pull.requested = reviewers;
    let pull = pull.clone();
    Said::new(201, whole(hub, &pull))
}

fn of_pull(asked: &Asked, hub: &mut Hub, pull: &Pull, of: (&str, &[&str])) -> Said {
    match of {
        ("GET", []) => Said::new(200, whole(hub, pull)),
        ("PUT", []) => change(asked, hub, pull),
        ("GET", ["activity"]) => page(asked, hub, LARGEST, happened(pull)),
        ("POST", ["decline"]) if pull.state != State::Open => {
            error(400, "This pull request is already closed.")
        }
        ("POST", ["decline"]) => {
            hub.close(pull.number, US);
            let pull = hub.pull(pull.number).unwrap().clone();
            Said::new(200, whole(hub, &pull))
        }
        ("POST", ["comments"]) => {
            let Some(text) = asked.body["content"]["raw"].as_str() else {
                return invalid("content", "required key not provided");
            };
            let pull = hub.pull(pull.number).unwrap();
            pull.comments.push((US.to_owned(), text.to_owned()));
            Said::new(201, json!({"id": pull.comments.len()}))
        }
        _ => BitbucketCloud.missing(),
    }
}

fn change(asked: &Asked, hub: &mut Hub, pull: &Pull) -> Said {
    if pull.state != State::Open {
        return error(
            400,
            "This pull request is closed; only open ones can be changed.",
        );
    }
    let Some(title) = asked.text("title") else {
        return invalid("title", "required key not provided");
    };
    let requested = match wanted(asked, hub, &pull.author) {
        Ok(reviewers) => reviewers,
        Err(refusal) => return refusal,
    };
    let changed = hub.pull(pull.number).unwrap();
    title.clone_into(&mut changed.title);
    if let Some(text) = asked.text("description") {
        text.clone_into(&mut changed.body);
    }
    if let Some(draft) = asked.body["draft"].as_bool() {
        changed.draft = draft;
    }
    // Those who are left out are taken away, with what they said.
    changed
        .reviews
        .retain(|review| requested.contains(&review.by));
    changed.requested = requested;
    let changed = changed.clone();
    Said::new(200, whole(hub, &changed))
}

/// What happened, newest first.
fn happened(pull: &Pull) -> Vec<Value> {
    let update = |state: &str, commit: &str, by: &str, at: Timestamp| {
        json!({"update": {
            "state": state, "date": at.to_string(), "author": account(by),
            "source": {"commit": short(commit), "branch": {"name": pull.branch}},
        }})
    };
    let mut happened = Vec::new();
    let mut last = (String::new(), pull.created);
    for review in &pull.reviews {
        if review.commit != last.0 {
            let at = if happened.is_empty() {
                pull.created
            } else {
                review.at
            };
            happened.push(update("OPEN", &review.commit, &pull.author, at));
        }
        happened.extend(opinion(review));
        last = (review.commit.clone(), review.at);
    }
    if last.0 != pull.head {
        let at = last.1 + SignedDuration::from_millis(500);
        happened.push(update("OPEN", &pull.head, &pull.author, at));
    }
    happened.extend(
        pull.comments
            .iter()
            .map(|(by, text)| json!({"comment": {"user": account(by), "content": {"raw": text}}})),
    );
    match &pull.state {
        State::Open => {}
        State::Closed(by, at) => happened.push(update("DECLINED", &pull.head, by, *at)),
        State::Merged(by, at, _) => happened.push(update("MERGED", &pull.head, by, *at)),
    }
    happened.reverse();
    happened
}

fn opinion(review: &Review) -> Option<Value> {
    let given = json!({"date": review.at.to_string(), "user": account(&review.by)});
    match review.opinion {
        Opinion::Approved => Some(json!({ "approval": given })),
        Opinion::Rejected => Some(json!({ "changes_requested": given })),
        Opinion::Commented | Opinion::Dismissed => None,
    }
}

fn branches(asked: &Asked, hub: &Hub) -> Said {
    let listing = hub.git(&[
        "for-each-ref",
        "--format=%(refname:short) %(objectname)",
        "refs/heads",
    ]);
    let mut items = Vec::new();
    for line in listing.lines() {
        let (name, commit) = line.split_once(' ').unwrap();
        let field = |field: &str| (field == "name").then(|| name.to_owned());
        match asked
            .query("q")
            .map_or(Some(true), |query| fulfils(query, field))
        {
            Some(true) => items.push(json!({"name": name, "target": {"hash": commit}})),
            Some(false) => {}
            None => return error(400, "Invalid query"),
        }
    }
    page(asked, hub, 100, items)
}

fn of_commit(asked: &Asked, hub: &mut Hub, commit: &str, of: (&str, &[&str])) -> Said {
    let name = format!("{commit}^{{commit}}");
    let Some(whole) = hub.try_git(&["rev-parse", "--verify", "-q", &name]) else {
        return error(404, "Commit not found");
    };
    match of {
        ("GET", []) => Said::new(200, json!({"type": "commit", "hash": whole})),
        ("GET", ["statuses"]) => {
            let builds = hub.statuses_of(&whole).into_iter().map(|status| {
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
            page(asked, hub, 100, builds.collect())
        }
        ("POST", ["statuses", "build"]) => set_status(asked, hub, &whole),
        // Nobody has asked for the index yet.
        ("GET", ["pullrequests"]) => {
            error(404, "Pull request commit links have not yet been indexed")
        }
        _ => BitbucketCloud.missing(),
    }
}

fn set_status(asked: &Asked, hub: &mut Hub, commit: &str) -> Said {
    let verdict = match asked.text("state") {
        Some("SUCCESSFUL") => "success",
        Some("INPROGRESS") => "pending",
        Some("FAILED") => "failure",
        _ => return invalid("state", "Invalid state"),
    };
    match (asked.text("key"), asked.text("url")) {
        (Some(key), Some(url)) if key.chars().count() <= 40 && url.starts_with("http") => {
            let name = asked.text("name").unwrap_or(key);
            let words = asked.text("description").unwrap_or_default();
            hub.set_status(commit, name, verdict, words, Some(url), US);
            Said::new(201, json!({"key": key}))
        }
        _ => invalid(
            "key",
            "key and url are required, and a key has at most 40 characters",
        ),
    }
}
