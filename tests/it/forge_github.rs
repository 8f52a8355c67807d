//! GitHub's client against a GitHub of the test's own.

#![expect(
    clippy::unwrap_used,
    reason = "helpers of tests fail by panicking, as tests do"
)]

use std::process::Command;

use tagwright::forge::{self, Credentials, Error, Kind, Merge, Method};
use tagwright::secret::{GitHubApp, Secret};

use crate::forge_cases::{BRANCH, Site, cases, wanted};
use crate::git_world::run;
use crate::parts::need;

cases! { GitHub:
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

async fn merging(change: impl FnOnce(&Site), draft: bool) -> Option<Merge> {
    let site = Site::new(Kind::GitHub)?;
    let mut wanted = wanted();
    wanted.draft = draft;
    let opened = site.forge.open(&wanted).await.unwrap();
    change(&site);
    let merge = site.forge.merge_when_ready(&opened, Method::Rebase).await;
    Some(merge.unwrap())
}

#[tokio::test]
async fn what_keeps_from_merging_is_told_apart() {
    let Some(merge) = merging(|site| site.fake.hub().allows_auto_merge = false, false).await else {
        return;
    };
    assert!(matches!(merge, Merge::Never(words) if words.contains("not allowed")));
    let merge = merging(|site| site.fake.hub().is_checking = true, false).await;
    assert!(matches!(merge, Some(Merge::NotYet(words)) if words.contains("unstable")));
    let merge = merging(|_| {}, true).await;
    assert!(matches!(merge, Some(Merge::NotYet(words)) if words.contains("draft")));
}

#[tokio::test]
async fn nothing_to_merge_is_no_pull_request() {
    let Some(site) = Site::new(Kind::GitHub) else {
        return;
    };
    let main = site.tip("main");
    site.world
        .in_remote(&["update-ref", &format!("refs/heads/{BRANCH}"), &main]);
    let error = site.forge.open(&wanted()).await.unwrap_err();
    assert!(
        matches!(error, Error::Refused { status: 422, .. }),
        "{error}"
    );
    assert!(error.to_string().contains("No commits between"), "{error}");
}

#[tokio::test]
async fn a_text_that_is_too_long_is_cut_and_not_written_again() {
    let Some(site) = Site::new(Kind::GitHub) else {
        return;
    };
    let mut wanted = wanted();
    wanted.body = format!("{}\n\n<!-- tagwright: note -->", "a line\n".repeat(20_000));
    wanted.title = "é".repeat(1000);
    site.forge.open(&wanted).await.unwrap();
    let found = site.found().await.remove(0);
    assert!(found.body.ends_with("<!-- tagwright: note -->"));
    assert_eq!(found.title.chars().count(), 256);
    site.fake.writes();
    site.forge.edit(&found, &wanted).await.unwrap();
    assert_eq!(site.fake.writes(), [""; 0]);
}

#[tokio::test]
async fn statuses_and_check_runs_are_both_read() {
    let Some(site) = Site::new(Kind::GitHub) else {
        return;
    };
    let head = site.tip(BRANCH);
    site.fake.check(&head, "run:build", "pending");
    site.fake.check(&head, "lint", "failure");
    let each = site.forge.checks(&head, "tagwright/").await.unwrap().each;
    let verdicts: Vec<_> = each.iter().map(|check| check.name.as_str()).collect();
    assert_eq!(verdicts, ["lint", "run:build"]);
}

#[tokio::test]
async fn teams_are_asked_for_reviews() {
    let Some(site) = Site::new(Kind::GitHub) else {
        return;
    };
    let mut wanted = wanted();
    wanted.reviewers = vec!["ann".to_owned(), "@acme/ops".to_owned()];
    let opened = site.forge.open(&wanted).await.unwrap();
    assert_eq!(opened.reviewers, wanted.reviewers);
    let found = site.found().await.remove(0);
    assert_eq!(found.reviewers, wanted.reviewers);
    site.fake.writes();
    site.forge.edit(&found, &wanted).await.unwrap();
    assert_eq!(site.fake.writes(), [""; 0]);
}

/// Opens the pull request as an App, and with a key that is none.
#[tokio::test]
async fn an_app_signs_in() {
    let (Some(openssl), Some(site)) = (need("openssl"), Site::new(Kind::GitHub)) else {
        return;
    };
    let key = site.world.path("app.pem");
    run(Command::new(openssl)
        .args(["genrsa", "-out"])
        .arg(&key)
        .arg("2048"));
    let of = |key| {
        let mut settings = site.fake.settings(&site.clock);
        settings.credentials = Credentials::GitHubApp(GitHubApp {
            id: "Iv1.0123456789abcdef".to_owned(),
            installation: 42,
            key: Secret::File(key),
        });
        forge::open(settings).unwrap()
    };
    let app = of(key);
    app.open(&wanted()).await.unwrap();
    app.open_pulls("").await.unwrap();
    let asked = site.fake.requests();
    let tokens = asked.iter().filter(|line| line.ends_with("access_tokens"));
    assert_eq!(tokens.count(), 1);
    let nonsense = site.world.path("nonsense.pem");
    std::fs::write(&nonsense, "nothing").unwrap();
    let error = of(nonsense).open_pulls("").await.unwrap_err();
    assert!(matches!(error, Error::Credentials { .. }), "{error}");
}
