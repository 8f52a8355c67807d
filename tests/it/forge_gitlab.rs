//! GitLab's client against a GitLab of the test's own.

use tagwright::forge::{Kind, Merge, Method, Status, Verdict};

use crate::forge_cases::{BRANCH, Site, cases, wanted};

cases! { GitLab:
    opens_once
    a_lost_answer_opens_no_second
    edits_in_place
    drafts_become_ready
    labels_are_added
    reviewers_are_asked
    closes_with_one_comment
    a_person_s_close_is_seen
    a_person_s_merge_is_seen
    notes_are_found
    opinions_are_read
    an_approval_lapses
    a_status_is_said_once
    checks_of_others_are_read
    all_pages_are_read
    merges_when_ready
    a_merge_is_taken_back
    merges_at_once_where_nothing_is_missing
    approvals_are_dismissed
    a_limit_is_kept
    lacking_rights_are_told
    a_failure_may_pass
    commits_on_the_expected_head
    a_push_in_between_is_not_overwritten
    forks_are_not_ours
    approvals_that_must_stay_stay
}

#[tokio::test]
async fn nothing_is_merged_while_it_is_checked() {
    let Some(site) = Site::new(Kind::GitLab) else {
        return;
    };
    let opened = site.opened().await;
    site.fake.hub().is_checking = true;
    let merge = site
        .forge
        .merge_when_ready(&opened, Method::Merge)
        .await
        .unwrap();
    assert_eq!(merge, Merge::NotYet("checking".to_owned()));
    let asked = site.fake.requests();
    assert!(
        asked.iter().all(|line| !line.ends_with("/merge")),
        "{asked:?}"
    );
}

#[tokio::test]
async fn a_second_reviewer_that_is_dropped_is_not_asked_for_again() {
    let Some(site) = Site::new(Kind::GitLab) else {
        return;
    };
    site.fake.hub().one_reviewer = true;
    let mut wanted = wanted();
    wanted.reviewers = vec!["ann".to_owned(), "bob".to_owned()];
    let opened = site.forge.open(&wanted).await.unwrap();
    assert_eq!(opened.reviewers, ["ann"]);
    site.fake.writes();
    site.forge.edit(&opened, &wanted).await.unwrap();
    assert_eq!(site.fake.writes(), [""; 0]);
}

#[tokio::test]
async fn other_words_for_what_is_waited_for_are_no_failure() {
    let Some(site) = Site::new(Kind::GitLab) else {
        return;
    };
    let head = site.tip(BRANCH);
    let mut status = Status {
        name: "tagwright/shop/production".to_owned(),
        verdict: Verdict::Pending,
        description: "waits for the window".to_owned(),
        url: None,
    };
    site.forge.set_status(&head, &status).await.unwrap();
    status.description = "waits for an approval".to_owned();
    site.forge.set_status(&head, &status).await.unwrap();
    status.verdict = Verdict::Success;
    site.forge.set_status(&head, &status).await.unwrap();
    let checks = site.forge.checks(&head, "none of ours").await.unwrap();
    let each = checks.each.iter().map(|check| (&check.name, check.verdict));
    let each: Vec<_> = each.collect();
    assert_eq!(each, [(&status.name, Verdict::Success)]);
}
