//! Bitbucket Data Center's client against a Bitbucket Data Center of the test's own.

use tagwright::forge::{Error, Kind, Merge, Method, Opinion, State, Status, Verdict};

use crate::forge_cases::{BRANCH, Site, cases, wanted};
use crate::forges::US;

cases! { BitbucketDataCenter:
    opens_once
    a_lost_answer_opens_no_second
    edits_in_place
    drafts_become_ready
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
    a_limit_is_kept
    lacking_rights_are_told
    a_failure_may_pass
}

/// What was read before somebody changed it is no reason to fail.
#[tokio::test]
async fn an_older_version_is_read_again() {
    let Some(site) = Site::new(Kind::BitbucketDataCenter) else {
        return;
    };
    let opened = site.opened().await;
    site.fake.hub().pull(1).unwrap().version += 1;
    site.forge.close(&opened, "overtaken").await.unwrap();
    assert!(matches!(site.found().await[0].state, State::Closed { .. }));
    assert_eq!(site.fake.hub().pull(1).unwrap().comments.len(), 1);
}

/// An edit sends back whom people asked, and the author is asked for nothing.
#[tokio::test]
async fn an_edit_keeps_people_s_reviewers() {
    let Some(site) = Site::new(Kind::BitbucketDataCenter) else {
        return;
    };
    let mut wanted = wanted();
    wanted.reviewers = [US, "ann"].map(str::to_owned).to_vec();
    let opened = site.forge.open(&wanted).await.unwrap();
    assert_eq!(opened.reviewers, ["ann"]);
    site.fake
        .hub()
        .pull(1)
        .unwrap()
        .requested
        .push("cat".to_owned());
    wanted.title = "newer".to_owned();
    let edited = site.forge.edit(&opened, &wanted).await.unwrap();
    assert_eq!(edited.reviewers, ["ann", "cat"]);
}

/// An approval stays when something newer is pushed, but says which commit it was about.
#[tokio::test]
async fn a_stale_approval_is_about_the_older_head() {
    let Some(site) = Site::new(Kind::BitbucketDataCenter) else {
        return;
    };
    let opened = site.opened().await;
    site.fake.hub().dismisses_stale = false;
    site.fake.approve(1, "ann");
    site.push(BRANCH, "1.2.0");
    let found = site.found().await.remove(0);
    let reviews = site.forge.reviews(&found).await.unwrap();
    assert_eq!(reviews[0].opinion, Opinion::Approved);
    assert_eq!(reviews[0].commit.as_deref(), Some(opened.head.as_str()));
    assert!(reviews[0].at.is_some());
    let error = site.forge.dismiss(&found, "newer").await.unwrap_err();
    assert!(matches!(error, Error::Unable { .. }), "{error}");
}

/// A server from before 8.15 merges once all is there when it is asked then.
#[tokio::test]
async fn a_server_that_can_t_wait_is_asked_again() {
    let Some(site) = Site::new(Kind::BitbucketDataCenter) else {
        return;
    };
    let opened = site.opened().await;
    {
        let mut hub = site.fake.hub();
        hub.allows_auto_merge = false;
        hub.approvals = 1;
    }
    let merge = || site.forge.merge_when_ready(&opened, Method::Merge);
    let Merge::NotYet(words) = merge().await.unwrap() else {
        panic!("an approval is missing");
    };
    assert!(words.contains("approving review"), "{words}");
    site.fake.approve(1, "ann");
    assert_eq!(merge().await.unwrap(), Merge::Done);
}

/// Servers before 7.4 take statuses at another place.
#[tokio::test]
async fn an_older_server_s_statuses_are_set() {
    let Some(site) = Site::new(Kind::BitbucketDataCenter) else {
        return;
    };
    let head = site.tip(BRANCH);
    let status = Status {
        name: "tagwright/shop/production".to_owned(),
        verdict: Verdict::Failure,
        description: "held".to_owned(),
        url: None,
    };
    site.fake.hub().allows_auto_merge = false;
    site.forge.set_status(&head, &status).await.unwrap();
    site.fake.writes();
    site.forge.set_status(&head, &status).await.unwrap();
    assert_eq!(site.fake.writes(), [""; 0]);
    let hub = site.fake.hub();
    assert_eq!(
        hub.status_of(&head, &status.name).unwrap().verdict,
        "failure"
    );
}
