//! What GitHub says, in small.

use super::*;

fn reviews(given: &[(&str, &str)]) -> Vec<(String, Opinion)> {
    let raw = given.iter().zip(1..).map(|((by, state), id)| RawReview {
        id,
        user: (!by.is_empty()).then(|| User {
            login: (*by).to_owned(),
        }),
        state: (*state).to_owned(),
        commit_id: None,
        submitted_at: None,
    });
    let newest = newest(raw.collect()).into_iter();
    newest.map(|review| (review.by, review.opinion)).collect()
}

#[test]
fn the_newest_opinion_counts_and_words_take_none_back() {
    use Opinion::*;
    for (given, wanted) in [
        (&[("ann", "APPROVED"), ("ann", "COMMENTED")][..], Approved),
        (&[("ann", "APPROVED"), ("ann", "PENDING")], Approved),
        (
            &[("ann", "APPROVED"), ("ann", "CHANGES_REQUESTED")],
            Rejected,
        ),
        (
            &[("ann", "CHANGES_REQUESTED"), ("ann", "APPROVED")],
            Approved,
        ),
        (&[("ann", "DISMISSED")], Neutral),
        (&[("ann", "COMMENTED")], Neutral),
        (&[("ann", "SOMETHING_NEW")], Neutral),
    ] {
        assert_eq!(reviews(given), [("ann".to_owned(), wanted)], "{given:?}");
    }
    assert_eq!(reviews(&[("ann", "PENDING")]), []);
    let both = reviews(&[("", "APPROVED"), ("bob", "CHANGES_REQUESTED")]);
    let named = |name: &str| name.to_owned();
    assert_eq!(both, [(named("ghost"), Approved), (named("bob"), Rejected)]);
}

#[test]
fn checks_pass_as_protected_branches_have_it() {
    for (status, conclusion, wanted) in [
        ("queued", None, Verdict::Pending),
        ("in_progress", None, Verdict::Pending),
        ("completed", Some("success"), Verdict::Success),
        ("completed", Some("neutral"), Verdict::Success),
        ("completed", Some("skipped"), Verdict::Success),
        ("completed", Some("failure"), Verdict::Failure),
        ("completed", Some("action_required"), Verdict::Failure),
        ("completed", None, Verdict::Failure),
    ] {
        let run = CheckRun {
            name: "ci".to_owned(),
            status: status.to_owned(),
            conclusion: conclusion.map(str::to_owned),
        };
        assert_eq!(run.into_check().verdict, wanted, "{status} {conclusion:?}");
    }
}

#[test]
fn teams_are_told_from_people() {
    let names = ["ann", "@bob", "@acme/ops"].map(str::to_owned);
    let body = request(&names.iter().collect::<Vec<_>>());
    assert_eq!(
        body,
        json!({"reviewers": ["ann", "bob"], "team_reviewers": ["ops"]})
    );
    let team = Team {
        slug: "ops".to_owned(),
        html_url: "https://github.com/orgs/acme/teams/ops".to_owned(),
    };
    assert_eq!(team.name(), "@acme/ops");
}

#[test]
fn some_obstacles_don_t_go_away() {
    let never = |words: &str| matches!(obstacle(words.to_owned()), Merge::Never(_));
    assert!(never(
        "Pull request Auto merge is not allowed for this repository"
    ));
    assert!(never("Squash merges are not allowed on this repository."));
    assert!(!never("Pull request Pull request is in unstable status"));
    assert!(!never(
        "Base branch was modified. Review and try the merge again."
    ));
}
