//! Bitbucket Cloud's client against a Bitbucket Cloud of the test's own.

use tagwright::forge::body::{Hiding, hidden};
use tagwright::forge::{Error, Kind, Merge, Method, Opinion, Verdict};

use crate::forge_cases::{BRANCH, Site, cases, wanted};
use crate::forges::US;

cases! { BitbucketCloud:
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
    a_limit_is_kept
    lacking_rights_are_told
    a_failure_may_pass
}

/// An edit sends back whom people asked, and the author is asked for nothing.
#[tokio::test]
async fn an_edit_keeps_people_s_reviewers() {
    let Some(site) = Site::new(Kind::BitbucketCloud) else {
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
    site.fake.approve(1, "cat");
    site.fake.writes();
    wanted.title = "newer".to_owned();
    let edited = site.forge.edit(&opened, &wanted).await.unwrap();
    assert_eq!(edited.reviewers, ["ann", "cat"]);
    assert_eq!(site.fake.writes().len(), 1);
    assert_eq!(site.forge.reviews(&edited).await.unwrap().len(), 1);
}

/// An approval stays when something newer is pushed, but is not taken for one of that.
#[tokio::test]
async fn a_stale_approval_is_about_the_older_head() {
    let Some(site) = Site::new(Kind::BitbucketCloud) else {
        return;
    };
    let opened = site.opened().await;
    site.fake.hub().dismisses_stale = false;
    site.fake.approve(1, "ann");
    let newer = site.push(BRANCH, "1.2.0");
    site.fake.approve(1, "bob");
    let found = site.found().await.remove(0);
    let reviews = site.forge.reviews(&found).await.unwrap();
    let commit_of = |name: &str| {
        let review = reviews.iter().find(|review| review.by == name).unwrap();
        assert_eq!(review.opinion, Opinion::Approved);
        review.commit.clone().unwrap()
    };
    assert_eq!(commit_of("bob"), newer);
    assert!(opened.head.starts_with(&commit_of("ann")));
}

#[tokio::test]
async fn what_it_can_t_do_is_told() {
    let Some(site) = Site::new(Kind::BitbucketCloud) else {
        return;
    };
    let abilities = site.forge.abilities();
    assert!(!abilities.signs && !abilities.merges && !abilities.labels);
    let opened = site.opened().await;
    site.fake.writes();
    let merge = site.forge.merge_when_ready(&opened, Method::Merge).await;
    assert!(matches!(merge.unwrap(), Merge::Never(_)));
    let error = site.forge.dismiss(&opened, "newer").await.unwrap_err();
    assert!(matches!(error, Error::Unable { .. }) && !error.is_retryable());
    assert_eq!(site.fake.writes(), [""; 0]);
}

/// A note is hidden as the definition of a link, which its Markdown leaves out.
#[tokio::test]
async fn a_note_is_hidden_and_found_again() {
    let Some(site) = Site::new(Kind::BitbucketCloud) else {
        return;
    };
    assert_eq!(site.forge.hiding(), Hiding::Definition);
    let mut wanted = wanted();
    wanted.body = format!("words\n\n{}", site.forge.hiding().hide("v1 shop (5%)"));
    site.forge.open(&wanted).await.unwrap();
    let found = site.found().await.remove(0);
    assert_eq!(hidden(&found.body).as_deref(), Some("v1 shop (5%)"));
}

/// Names that are longer than the forge's keys have keys of their own.
#[tokio::test]
async fn long_names_of_statuses_don_t_collide() {
    let Some(site) = Site::new(Kind::BitbucketCloud) else {
        return;
    };
    let head = site.tip(BRANCH);
    for end in ["production", "staging"] {
        let status = tagwright::forge::Status {
            name: format!("tagwright/an-app-with-quite-a-long-name-{end}/{end}"),
            verdict: Verdict::Pending,
            description: "waits".to_owned(),
            url: None,
        };
        site.forge.set_status(&head, &status).await.unwrap();
    }
    assert_eq!(site.fake.hub().statuses_of(&head).len(), 2);
}
