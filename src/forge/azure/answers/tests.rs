//! What Azure DevOps' answers mean.

use super::*;

fn pull(change: Value) -> RawPull {
    let mut value = json!({
        "pullRequestId": 7, "status": "active", "title": "t", "description": "text",
        "sourceRefName": "refs/heads/tagwright/b", "targetRefName": "refs/heads/main",
        "lastMergeSourceCommit": {"commitId": "b".repeat(40)},
    });
    for (name, field) in change.as_object().unwrap() {
        value[name] = field.clone();
    }
    serde_json::from_value(value).unwrap()
}

fn wanted() -> Wanted {
    Wanted {
        branch: "tagwright/b".into(),
        base: "main".into(),
        title: "t".into(),
        body: "text".into(),
        draft: false,
        labels: vec![],
        reviewers: vec![],
    }
}

fn vote(who: &str, at: &str) -> Value {
    json!({
        "publishedDate": at,
        "properties": {
            "CodeReviewThreadType": {"$type": "System.String", "$value": "VoteUpdate"},
            "CodeReviewVotedByIdentity": {"$type": "System.String", "$value": "1"},
        },
        "identities": {"1": {"id": who}},
    })
}

#[test]
fn a_vote_is_about_the_head_of_its_time() {
    let pull = pull(json!({"reviewers": [
        {"id": "a", "uniqueName": "ann@example.com", "displayName": "Ann", "vote": 10},
        {"id": "b", "displayName": "Bob", "vote": -5},
        {"id": "c", "vote": 0},
        {"id": "g", "vote": 10, "isContainer": true},
        {"id": "d", "vote": 5},
    ]}));
    let threads: Vec<Thread> = serde_json::from_value(json!([
        {"comments": []},
        vote("a", "2026-01-01T09:30:00Z"),
        vote("a", "2026-01-01T11:30:00.1234567Z"),
        vote("b", "2026-01-01T10:30:00Z"),
    ]))
    .unwrap();
    let iterations: Vec<Iteration> = serde_json::from_value(json!([
        {"id": 1, "createdDate": "2026-01-01T10:00:00Z", "sourceRefCommit": {"commitId": "one"}},
        {"id": 2, "createdDate": "2026-01-01T11:00:00Z", "sourceRefCommit": {"commitId": "two"}},
    ]))
    .unwrap();
    let reviews = pull.reviews(&threads, &iterations);
    let told: Vec<_> = reviews
        .iter()
        .map(|review| (review.by.as_str(), review.opinion, review.commit.as_deref()))
        .collect();
    assert_eq!(
        told,
        [
            ("ann@example.com", Opinion::Approved, Some("two")),
            ("b", Opinion::Rejected, Some("one")),
            ("d", Opinion::Approved, None),
        ]
    );
    assert_eq!(pull.approvers(), ["a", "d"]);
}

#[test]
fn only_what_differs_is_changed() {
    assert!(
        pull(json!({"description": "text\r\n"}))
            .change(&wanted())
            .is_empty()
    );
    let change = pull(json!({"isDraft": true})).change(&wanted());
    assert_eq!(Value::Object(change), json!({"isDraft": false}));
}

#[test]
fn a_long_text_is_the_same_once_it_was_cut() {
    let mut wanted = wanted();
    wanted.body = "é".repeat(5000) + "\n\n<!-- tagwright: k -->";
    let sent = new_pull(&wanted);
    let text = sent["description"].as_str().unwrap();
    assert!(text.encode_utf16().count() <= 4000 && text.ends_with("<!-- tagwright: k -->"));
    assert!(
        pull(json!({"description": text}))
            .change(&wanted)
            .is_empty()
    );
}

#[test]
fn reviewers_are_known_by_every_name() {
    let pull = pull(json!({"reviewers": [
        {"id": "F47AC10B-58CC-4372-A567-0E02B2C3D479", "uniqueName": "ann@example.com"},
        {"id": "x", "displayName": "Platform"},
    ]}));
    let mut wanted = wanted();
    let names = [
        "f47ac10b-58cc-4372-a567-0e02b2c3d479",
        "Ann@example.com",
        "@acme/platform",
        "bob@example.com",
    ];
    wanted.reviewers = names.map(str::to_owned).to_vec();
    assert_eq!(pull.missing(&wanted), ["bob@example.com"]);
    assert!(is_id(names[0]) && !is_id("f47ac10b-58cc-4372-a567-0e02b2c3d47z") && !is_id(""));
}

#[test]
fn a_status_has_its_genre_before_the_first_slash() {
    let sent = status(&Status {
        name: "tagwright/shop/production".into(),
        verdict: Verdict::Pending,
        description: "waits".into(),
        url: None,
    });
    assert_eq!(
        sent["context"],
        json!({"genre": "tagwright", "name": "shop/production"})
    );
    for (answer, told) in [
        (sent, Some(("tagwright/shop/production", Verdict::Pending))),
        (
            json!({"state": "succeeded", "context": {"name": "ci"}}),
            Some(("ci", Verdict::Success)),
        ),
        (
            json!({"state": "error", "context": {"name": "ci", "genre": ""}}),
            Some(("ci", Verdict::Failure)),
        ),
        (
            json!({"state": "notApplicable", "context": {"name": "ci"}}),
            None,
        ),
    ] {
        let raw: RawStatus = serde_json::from_value(answer).unwrap();
        let said = raw.told().map(|said| (said.name, said.verdict));
        let told = told.map(|(name, verdict)| (name.to_owned(), verdict));
        assert_eq!(said, told);
    }
}
