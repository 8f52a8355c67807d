//! What GitLab says, in small.

use super::*;

#[test]
fn a_title_is_told_from_what_makes_a_draft_of_it() {
    for (title, wanted) in [
        ("Draft: shop 1.2", "shop 1.2"),
        ("draft:shop", "shop"),
        ("[Draft] shop", "shop"),
        ("(DRAFT) shop", "shop"),
        ("Drafty: shop", "Drafty: shop"),
        ("é", "é"),
        ("", ""),
    ] {
        assert_eq!(plain(title), wanted, "{title}");
    }
}

fn opinion(approved: &[&str], reviewers: &[(&str, &str)]) -> Vec<(String, Opinion)> {
    let user = |name: &str| User {
        id: 1,
        username: name.to_owned(),
    };
    let approvals = Approvals {
        approved_by: approved
            .iter()
            .map(|name| Approval {
                user: user(name),
                approved_at: None,
            })
            .collect(),
    };
    let reviewers = reviewers.iter().map(|(name, state)| Reviewer {
        user: user(name),
        state: (*state).to_owned(),
    });
    let all = opinions(approvals, reviewers.collect(), &[]).into_iter();
    all.map(|review| (review.by, review.opinion)).collect()
}

#[test]
fn approvals_and_reviewers_make_one_list() {
    let named = |name: &str| name.to_owned();
    assert_eq!(
        opinion(
            &["ann"],
            &[
                ("ann", "approved"),
                ("bob", "requested_changes"),
                ("cat", "unreviewed")
            ]
        ),
        [
            (named("ann"), Opinion::Approved),
            (named("bob"), Opinion::Rejected)
        ]
    );
    assert_eq!(
        opinion(&["ann"], &[("ann", "requested_changes")]),
        [(named("ann"), Opinion::Rejected)]
    );
    assert_eq!(
        opinion(&["ann"], &[("ann", "reviewed"), ("bob", "reviewed")]),
        [
            (named("ann"), Opinion::Approved),
            (named("bob"), Opinion::Neutral)
        ]
    );
}

fn status(id: u64, name: &str, status: &str, allow_failure: bool) -> Status {
    Status {
        id,
        name: name.to_owned(),
        status: status.to_owned(),
        description: None,
        target_url: None,
        allow_failure,
    }
}

#[test]
fn jobs_that_may_fail_hold_nothing_up() {
    for (state, allow_failure, wanted) in [
        ("success", false, Verdict::Success),
        ("skipped", false, Verdict::Success),
        ("failed", false, Verdict::Failure),
        ("canceled", false, Verdict::Failure),
        ("failed", true, Verdict::Success),
        ("manual", true, Verdict::Success),
        ("manual", false, Verdict::Pending),
        ("running", true, Verdict::Pending),
        ("waiting_for_resource", false, Verdict::Pending),
    ] {
        let check = status(1, "a", state, allow_failure).into_check();
        assert_eq!(check.verdict, wanted, "{state} {allow_failure}");
    }
}

#[test]
fn the_newest_of_several_pipelines_counts() {
    let all = vec![
        status(1, "b", "failed", false),
        status(7, "a", "success", false),
        status(3, "a", "failed", false),
        status(2, "b", "success", false),
    ];
    let newest: Vec<_> = newest(all).into_iter().map(|status| status.id).collect();
    assert_eq!(newest, [7, 2]);
}
