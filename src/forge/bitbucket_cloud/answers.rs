//! What Bitbucket Cloud answers, and what it means; no I/O.
//!
//! Source: "Pullrequests", "Commit statuses" and "Refs" in the reference of Bitbucket Cloud's REST API
//! 2.0, developer.atlassian.com.

use serde::Deserialize;
use serde_json::{Value, json};

use crate::forge::call::{self, Page, Reply};
use crate::forge::{Error, Opinion, Pull, Review, State, Wanted, body, words};

/// A page of a listing; `next` is a whole URL and absent on the last one.
#[derive(Debug, Deserialize)]
pub(super) struct Listing<T> {
    pub(super) values: Vec<T>,
    next: Option<String>,
}

/// The page that a reply is.
pub(super) fn page<T: serde::de::DeserializeOwned>(reply: &Reply) -> Result<Page<T>, Error> {
    let listing: Listing<T> = reply.json()?;
    let query = |next: String| {
        let query = next.split_once('?').map(|(_, query)| query.to_owned());
        query.ok_or_else(|| reply.garbled("a next page without a query"))
    };
    Ok(Page {
        items: listing.values,
        next: listing.next.map(query).transpose()?,
    })
}

/// A pull request. Hashes are cut to twelve digits.
#[derive(Debug, Clone, Deserialize)]
pub(super) struct RawPull {
    pub(super) id: u64,
    title: String,
    description: Option<String>,
    #[serde(default)]
    draft: bool,
    state: String,
    author: Option<Account>,
    pub(super) source: End,
    destination: End,
    pub(super) merge_commit: Option<Hash>,
    closed_by: Option<Account>,
    #[serde(default)]
    reviewers: Vec<Account>,
    #[serde(default)]
    participants: Vec<Participant>,
    links: Links,
}

/// Where a pull request comes from or goes to.
#[derive(Debug, Clone, Deserialize)]
pub(super) struct End {
    branch: Name,
    /// Absent where the commit is gone.
    commit: Option<Hash>,
    /// Absent where the fork is gone.
    repository: Option<FullName>,
}

#[derive(Debug, Clone, Deserialize)]
struct Name {
    name: String,
}

#[derive(Debug, Clone, Deserialize)]
struct FullName {
    full_name: String,
}

/// A commit's id, often cut.
#[derive(Debug, Clone, Deserialize)]
pub(super) struct Hash {
    pub(super) hash: String,
}

/// Somebody. Nicknames can be chosen freely and needn't be unique, so people are known by the id of
/// their account; access tokens have none, but a UUID.
#[derive(Debug, Clone, Deserialize)]
struct Account {
    account_id: Option<String>,
    #[serde(default)]
    uuid: String,
}

impl Account {
    fn name(&self) -> String {
        words::name(self.account_id.as_ref().unwrap_or(&self.uuid))
    }

    fn is(&self, name: &str) -> bool {
        self.uuid == name || self.account_id.as_deref() == Some(name)
    }
}

#[derive(Debug, Clone, Deserialize)]
struct Participant {
    user: Account,
    /// `approved`, `changes_requested` or nothing.
    state: Option<String>,
    participated_on: Option<String>,
}

#[derive(Debug, Clone, Deserialize)]
struct Links {
    html: Link,
}

#[derive(Debug, Clone, Deserialize)]
struct Link {
    href: String,
}

/// A branch, with its whole hash.
#[derive(Debug, Deserialize)]
pub(super) struct Branch {
    pub(super) name: String,
    pub(super) target: Hash,
}

/// One thing that happened to a pull request; what else can happen is left out.
#[derive(Debug, Deserialize)]
pub(super) struct Activity {
    update: Option<Update>,
    approval: Option<Given>,
    changes_requested: Option<Given>,
}

#[derive(Debug, Deserialize)]
struct Update {
    state: Option<String>,
    date: Option<String>,
    author: Option<Account>,
    source: Option<Source>,
}

#[derive(Debug, Deserialize)]
struct Source {
    commit: Option<Hash>,
}

/// An opinion given.
#[derive(Debug, Deserialize)]
struct Given {
    date: Option<String>,
    user: Account,
}

impl RawPull {
    /// Whether it comes from a branch of this repository, rather than of a fork.
    pub(super) fn is_of(&self, full_name: &str) -> bool {
        let from = self.source.repository.as_ref();
        from.is_some_and(|from| from.full_name.eq_ignore_ascii_case(full_name))
    }

    pub(super) fn branch(&self) -> &str {
        &self.source.branch.name
    }

    pub(super) fn base(&self) -> &str {
        &self.destination.branch.name
    }

    /// The commit of its source branch, perhaps cut.
    pub(super) fn short_head(&self) -> &str {
        let commit = self.source.commit.as_ref();
        commit
            .map(|commit| commit.hash.as_str())
            .unwrap_or_default()
    }

    pub(super) fn is_open(&self) -> bool {
        self.state == "OPEN"
    }

    pub(super) fn is_merged(&self) -> bool {
        self.state == "MERGED"
    }

    /// Whether it says what is wanted, reviewers apart.
    pub(super) fn says(&self, wanted: &Wanted) -> bool {
        self.title == wanted.title
            && self.draft == wanted.draft
            && body::is_same(self.text(), &wanted.body)
    }

    /// The reviewers that are wanted and not there. The author can't be one.
    pub(super) fn missing<'a>(&self, wanted: &'a Wanted) -> Vec<&'a str> {
        let there = || self.reviewers.iter().chain(&self.author);
        let names = wanted.reviewers.iter().map(String::as_str);
        let missing = names.filter(|name| !there().any(|account| account.is(name)));
        missing.collect()
    }

    /// The reviewers, as they are sent back.
    pub(super) fn known(&self) -> Vec<Value> {
        let uuids = self.reviewers.iter().map(|account| &account.uuid);
        uuids.map(|uuid| json!({ "uuid": uuid })).collect()
    }

    fn text(&self) -> &str {
        self.description.as_deref().unwrap_or_default()
    }

    /// What its text hides.
    pub(super) fn note(&self) -> Option<String> {
        body::hidden(self.text())
    }

    /// With what it doesn't tell itself: its whole head, and what became of it.
    pub(super) fn pull(self, head: String, state: State) -> Pull {
        Pull {
            number: self.id,
            handle: None,
            branch: self.source.branch.name,
            base: self.destination.branch.name,
            head,
            title: self.title,
            body: self.description.unwrap_or_default(),
            draft: self.draft,
            labels: Vec::new(),
            reviewers: self.reviewers.iter().map(Account::name).collect(),
            author: self.author.as_ref().map(Account::name),
            auto_merge: false,
            state,
            url: self.links.html.href,
        }
    }

    /// What became of it, from what happened, newest first, and the whole id of the commit on its base.
    pub(super) fn state(&self, happened: &[Activity], commit: Option<String>) -> State {
        if self.is_open() {
            return State::Open;
        }
        let updates = happened.iter().filter_map(|one| one.update.as_ref());
        let end = updates
            .into_iter()
            .find(|update| update.state.as_deref() == Some(&self.state));
        let author = end.and_then(|end| end.author.as_ref());
        let by = self.closed_by.as_ref().or(author).map(Account::name);
        let at = end.and_then(|end| call::time(end.date.as_deref()?));
        if self.is_merged() {
            State::Merged { by, at, commit }
        } else {
            State::Closed { by, at }
        }
    }

    /// The opinions of those who take part. The forge binds an opinion to no commit, so the one is taken
    /// that was the newest when it was given.
    pub(super) fn reviews(&self, happened: &[Activity], head: &str) -> Vec<Review> {
        let opinions = self.participants.iter().filter_map(|participant| {
            let opinion = match participant.state.as_deref()? {
                "approved" => Opinion::Approved,
                "changes_requested" => Opinion::Rejected,
                _ => Opinion::Neutral,
            };
            let at = given(happened, &participant.user, opinion)
                .or_else(|| call::time(participant.participated_on.as_deref()?));
            let commit = at.and_then(|at| head_at(happened, at));
            let commit = commit.map(|commit| {
                if head.starts_with(commit) {
                    head
                } else {
                    commit
                }
            });
            Some(Review {
                by: participant.user.name(),
                opinion,
                commit: commit.map(str::to_owned),
                at,
            })
        });
        opinions.collect()
    }
}

/// When somebody gave such an opinion last.
fn given(happened: &[Activity], by: &Account, opinion: Opinion) -> Option<jiff::Timestamp> {
    let given = happened.iter().filter_map(|one| match opinion {
        Opinion::Approved => one.approval.as_ref(),
        Opinion::Rejected => one.changes_requested.as_ref(),
        Opinion::Neutral => None,
    });
    given
        .filter(|given| given.user.uuid == by.uuid)
        .filter_map(|given| call::time(given.date.as_deref()?))
        .max()
}

/// The commit of the source branch at a time.
fn head_at(happened: &[Activity], at: jiff::Timestamp) -> Option<&str> {
    let updates = happened.iter().filter_map(|one| one.update.as_ref());
    let heads = updates.filter_map(|update| {
        let time = call::time(update.date.as_deref()?)?;
        let hash = update.source.as_ref()?.commit.as_ref()?.hash.as_str();
        (time <= at && !hash.is_empty()).then_some((time, hash))
    });
    // Of those at one time the first is the newest.
    let newest = heads.reduce(|one, other| if other.0 > one.0 { other } else { one });
    newest.map(|(_, hash)| hash)
}

/// An account by its UUID in braces or by its id.
pub(super) fn account(name: &str) -> Value {
    if name.starts_with('{') {
        json!({ "uuid": name })
    } else {
        json!({ "account_id": name })
    }
}

/// Whether a refusal is about reviewers: `error.fields.reviewers`.
pub(super) fn is_about_reviewers(reply: &Reply) -> bool {
    let error: Result<Value, _> = reply.json();
    reply.status == 400 && error.is_ok_and(|error| !error["error"]["fields"]["reviewers"].is_null())
}

/// A text in the query language ("Filter and sort API objects", developer.atlassian.com).
pub(super) fn literal(text: &str) -> String {
    let text = text.replace('\\', "\\\\").replace('"', "\\\"");
    format!("\"{text}\"")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn activities(values: Value) -> Vec<Activity> {
        serde_json::from_value(values).unwrap()
    }

    fn pull(change: impl FnOnce(&mut Value)) -> RawPull {
        let mut value = json!({
            "id": 7, "title": "t", "state": "OPEN",
            "author": {"uuid": "{bot}"},
            "source": {"branch": {"name": "b"}, "commit": {"hash": "bbbbbbbbbbbb"},
                "repository": {"full_name": "Acme/fleet"}},
            "destination": {"branch": {"name": "main"}},
            "links": {"html": {"href": "https://bitbucket.org/acme/fleet/pull-requests/7"}},
        });
        change(&mut value);
        serde_json::from_value(value).unwrap()
    }

    #[test]
    fn an_opinion_is_about_the_head_of_its_time() {
        let update = |hash: &str, date: &str| json!({"update": {"state": "OPEN", "date": date, "source": {"commit": {"hash": hash}}}});
        let happened = activities(json!([
            {"comment": {}},
            {"approval": {"date": "2026-01-01T12:00:00+00:00", "user": {"uuid": "{a}"}}},
            update("bbbbbbbbbbbb", "2026-01-01T11:00:00+00:00"),
            {"changes_requested": {"date": "2026-01-01T10:30:00+00:00", "user": {"uuid": "{b}"}}},
            {"approval": {"date": "2026-01-01T10:20:00+00:00", "user": {"uuid": "{a}"}}},
            update("aaaaaaaaaaaa", "2026-01-01T10:00:00+00:00"),
        ]));
        let pull = pull(|value| {
            value["participants"] = json!([
                {"user": {"uuid": "{a}", "account_id": "1:a"}, "state": "approved"},
                {"user": {"uuid": "{b}"}, "state": "changes_requested"},
                {"user": {"uuid": "{c}"}, "state": "approved", "participated_on": "2026-01-01T09:00:00Z"},
                {"user": {"uuid": "{d}"}, "state": null},
            ]);
        });
        let head = "b".repeat(40);
        let reviews = pull.reviews(&happened, &head);
        let told: Vec<_> = reviews
            .iter()
            .map(|review| (review.by.as_str(), review.opinion, review.commit.as_deref()))
            .collect();
        assert_eq!(
            told,
            [
                ("1:a", Opinion::Approved, Some(head.as_str())),
                ("{b}", Opinion::Rejected, Some("aaaaaaaaaaaa")),
                ("{c}", Opinion::Approved, None),
            ]
        );
    }

    #[test]
    fn neither_forks_nor_lost_repositories_are_ours() {
        assert!(pull(|_| ()).is_of("acme/fleet"));
        assert!(!pull(|_| ()).is_of("other/fleet"));
        let lost = pull(|value| value["source"]["repository"] = Value::Null);
        assert!(!lost.is_of("acme/fleet"));
    }

    #[test]
    fn the_author_and_those_there_are_not_missing() {
        let pull = pull(|value| {
            value["reviewers"] = json!([{"uuid": "{a}", "account_id": "1:a"}]);
        });
        let wanted = Wanted {
            branch: "b".into(),
            base: "main".into(),
            title: "t".into(),
            body: String::new(),
            draft: false,
            labels: vec![],
            reviewers: ["{bot}", "1:a", "{x}", "2:y"].map(str::to_owned).to_vec(),
        };
        assert_eq!(pull.missing(&wanted), ["{x}", "2:y"]);
        assert_eq!(account("{x}"), json!({"uuid": "{x}"}));
        assert_eq!(account("2:y"), json!({"account_id": "2:y"}));
        assert_eq!(pull.known(), [json!({"uuid": "{a}"})]);
        assert!(pull.says(&wanted));
    }

    #[test]
    fn a_literal_can_not_be_left() {
        assert_eq!(literal(r#"a" OR "\b"#), r#""a\" OR \"\\b""#);
    }
}
