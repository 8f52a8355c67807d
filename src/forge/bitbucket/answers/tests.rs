//! What Bitbucket Data Center's answers mean.

use super::*;

fn pull(change: Value) -> RawPull {
    let end = |branch: &str| {
        json!({
            "id": format!("refs/heads/{branch}"),
            "latestCommit": "b".repeat(40),
            "repository": {"slug": "fleet", "project": {"key": "OPS"}},
        })
    };
    let mut value = json!({
        "id": 7, "version": 3, "title": "t", "state": "OPEN",
        "fromRef": end("tagwright/b"), "toRef": end("main"),
        "author": {"user": {"name": "bot"}},
        "reviewers": [{"user": {"name": "ann"}, "status": "UNAPPROVED"}],
    });
    for (name, field) in change.as_object().unwrap() {
        value[name] = field.clone();
    }
    serde_json::from_value(value).unwrap()
}

fn wanted(body: &str, reviewers: &[&str]) -> Wanted {
    Wanted {
        branch: "tagwright/b".into(),
        base: "main".into(),
        title: "t".into(),
        body: body.into(),
        draft: true,
        labels: vec![],
        reviewers: reviewers.iter().map(|name| (*name).to_owned()).collect(),
    }
}

#[test]
fn a_server_without_drafts_is_not_asked_for_one_again_and_again() {
    assert!(pull(json!({})).says(&wanted("", &[])));
    assert!(!pull(json!({"draft": false})).says(&wanted("", &[])));
    assert!(pull(json!({"draft": true, "description": "a\r\n"})).says(&wanted("a", &[])));
    let long = "line\n".repeat(10_000);
    let sent = new_pull(&wanted(&long, &[]), &[]);
    assert!(pull(json!({"description": sent["description"]})).says(&wanted(&long, &[])));
}

#[test]
fn a_change_names_the_version_and_all_reviewers() {
    let pull = pull(json!({}));
    let wanted = wanted("", &["Ann", "bot", "bob"]);
    let missing = pull.missing(&wanted);
    assert_eq!(missing, ["bob"]);
    let change = pull.change(&wanted, &missing);
    assert_eq!(change["version"], 3);
    let names = [
        json!({"user": {"name": "ann"}}),
        json!({"user": {"name": "bob"}}),
    ];
    assert_eq!(change["reviewers"], json!(names));
}

#[test]
fn a_pull_request_of_a_fork_is_not_ours() {
    assert!(pull(json!({})).is_of_one_repository());
    let fork = json!({
        "id": "refs/heads/tagwright/b",
        "repository": {"slug": "fleet", "project": {"key": "~eve"}},
    });
    assert!(!pull(json!({ "fromRef": fork })).is_of_one_repository());
}

#[test]
fn the_end_is_told_by_what_happened_or_else_without_a_name() {
    let happened: Vec<Activity> = serde_json::from_value(json!([
        {"action": "COMMENTED", "user": {"name": "cat"}, "createdDate": 3000},
        {"action": "MERGED", "user": {"name": "ann"}, "createdDate": 2000, "commit": {"id": "m"}},
        {"action": "OPENED", "user": {"name": "bot"}, "createdDate": 1000},
    ]))
    .unwrap();
    let merged = pull(json!({"state": "MERGED"})).pull(false, &happened);
    assert_eq!(
        merged.state,
        State::Merged {
            by: Some("ann".into()),
            at: Timestamp::from_second(2).ok(),
            commit: Some("m".into()),
        }
    );
    let declined = pull(json!({"state": "DECLINED", "closedDate": 5000})).pull(false, &happened);
    assert_eq!(
        declined.state,
        State::Closed {
            by: None,
            at: Timestamp::from_second(5).ok(),
        }
    );
}

#[test]
fn the_last_page_is_the_last_whatever_it_names() {
    let next = |page: Value| serde_json::from_value::<Listing<u8>>(page).unwrap().next();
    assert_eq!(next(json!({"values": [], "nextPageStart": 25})), Some(25));
    let last = json!({"values": [], "isLastPage": true, "nextPageStart": 25});
    assert_eq!(next(last), None);
    assert_eq!(next(json!({"values": [], "nextPageStart": null})), None);
}
