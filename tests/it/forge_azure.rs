//! Azure DevOps' client against an Azure DevOps of the test's own.

use tagwright::forge::body::hidden;
use tagwright::forge::{Error, Kind, Opinion, Status, Verdict};

use crate::forge_cases::{BRANCH, Site, cases, wanted};
use crate::forges::{US, azure};

cases! { AzureDevOps:
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
    checks_of_others_are_read
    merges_when_ready
    a_merge_is_taken_back
    merges_at_once_where_nothing_is_missing
    approvals_are_dismissed
    a_limit_is_kept
    lacking_rights_are_told
    a_failure_may_pass
}

fn status(verdict: Verdict) -> Status {
    Status {
        name: "tagwright/shop/production".to_owned(),
        verdict,
        description: "waits for the window".to_owned(),
        url: None,
    }
}

/// A status goes to the commit and to what was pushed to the pull request with it, each once.
#[tokio::test]
async fn a_status_is_said_of_commit_and_pull_request() {
    let Some(site) = Site::new(Kind::AzureDevOps) else {
        return;
    };
    let opened = site.opened().await;
    site.fake.writes();
    for (verdict, writes) in [
        (Verdict::Pending, 2),
        (Verdict::Pending, 0),
        (Verdict::Success, 2),
    ] {
        site.forge
            .set_status(&opened.head, &status(verdict))
            .await
            .unwrap();
        assert_eq!(site.fake.writes().len(), writes, "{verdict:?}");
    }
    site.fake.hub().dismisses_stale = false;
    site.fake.approve(1, "ann");
    let newer = site.push(BRANCH, "1.2.0");
    site.forge
        .set_status(&newer, &status(Verdict::Failure))
        .await
        .unwrap();
    let pull = site.fake.hub().pull(1).unwrap().clone();
    let said = |iteration| {
        let hub = site.fake.hub();
        let place = azure::place(&pull, iteration);
        hub.status_of(&place, "tagwright/shop/production")
            .unwrap()
            .verdict
            .clone()
    };
    assert_eq!((said(1).as_str(), said(2).as_str()), ("success", "failure"));
}

/// A status that was said of the commit only, as before a crash, is said of the pull request too.
#[tokio::test]
async fn a_status_that_went_half_way_is_completed() {
    let Some(site) = Site::new(Kind::AzureDevOps) else {
        return;
    };
    let head = site.tip(BRANCH);
    site.forge
        .set_status(&head, &status(Verdict::Pending))
        .await
        .unwrap();
    site.opened().await;
    site.fake.writes();
    site.forge
        .set_status(&head, &status(Verdict::Pending))
        .await
        .unwrap();
    assert_eq!(
        site.fake.writes(),
        ["POST /acme/shop/_apis/git/repositories/fleet/pullrequests/1/statuses"]
    );
}

/// A text that is too long is cut before its note, and not sent again for that.
#[tokio::test]
async fn a_long_text_is_cut_before_its_note() {
    let Some(site) = Site::new(Kind::AzureDevOps) else {
        return;
    };
    let mut wanted = wanted();
    wanted.body = format!(
        "{}\n{}",
        "| row |\n".repeat(1000),
        site.forge.hiding().hide("v1 shop")
    );
    let opened = site.forge.open(&wanted).await.unwrap();
    let found = site.forge.open_pulls("tagwright/").await.unwrap().remove(0);
    assert_eq!(found, opened);
    assert_eq!(hidden(&found.body).as_deref(), Some("v1 shop"));
    assert!(found.body.len() > 3900);
    site.fake.writes();
    site.forge.edit(&found, &wanted).await.unwrap();
    assert_eq!(site.fake.writes(), [""; 0]);
}

/// A vote stays when something newer is pushed, but is not taken for one of that.
#[tokio::test]
async fn a_stale_vote_is_about_the_older_head() {
    let Some(site) = Site::new(Kind::AzureDevOps) else {
        return;
    };
    let opened = site.opened().await;
    site.fake.hub().dismisses_stale = false;
    site.fake.approve(1, "ann");
    let newer = site.push(BRANCH, "1.2.0");
    site.fake.reject(1, "bob");
    let found = site.found().await.remove(0);
    let reviews = site.forge.reviews(&found).await.unwrap();
    let told: Vec<_> = reviews
        .iter()
        .map(|review| {
            (
                review.by.as_str(),
                review.opinion,
                review.commit.clone().unwrap(),
            )
        })
        .collect();
    assert_eq!(
        told,
        [
            ("ann", Opinion::Approved, opened.head),
            ("bob", Opinion::Rejected, newer)
        ]
    );
}

/// A team is asked by its name, as is a person by an id.
#[tokio::test]
async fn a_team_is_asked() {
    let Some(site) = Site::new(Kind::AzureDevOps) else {
        return;
    };
    let ann = azure::id(&site.fake.hub(), "ann");
    let mut wanted = wanted();
    wanted.reviewers = vec!["@shop/platform".to_owned(), ann, US.to_owned()];
    let opened = site.forge.open(&wanted).await.unwrap();
    assert_eq!(opened.reviewers, ["Platform", "ann", US]);
    site.fake.writes();
    site.forge.edit(&opened, &wanted).await.unwrap();
    assert_eq!(site.fake.writes(), [""; 0]);
}

/// A page to sign in is a refusal, though it has a status of success.
#[tokio::test]
async fn a_page_to_sign_in_is_no_answer() {
    let Some(site) = Site::new(Kind::AzureDevOps) else {
        return;
    };
    for ask in 0..2 {
        site.fake.fail_next(203);
        let error = match ask {
            0 => site.forge.open_pulls("").await.unwrap_err(),
            _ => site.forge.open(&wanted()).await.unwrap_err(),
        };
        assert!(matches!(error, Error::Unauthorized { .. }), "{error}");
    }
}

/// More pull requests than a page has are all read.
#[tokio::test]
async fn all_pages_are_read() {
    let Some(site) = Site::new(Kind::AzureDevOps) else {
        return;
    };
    let head = site.tip(BRANCH);
    {
        let mut hub = site.fake.hub();
        for n in 0..103 {
            let branch = format!("tagwright/app{n}/production");
            hub.git(&["update-ref", &format!("refs/heads/{branch}"), &head]);
            hub.open(US, &branch, "main", "t", "");
        }
    }
    assert_eq!(
        site.forge.open_pulls("tagwright/").await.unwrap().len(),
        103
    );
}
