//! What Gitea says, in small.

use super::*;

#[test]
fn a_title_is_told_from_what_makes_a_draft_of_it() {
    for (title, wanted) in [
        ("WIP: shop 1.2", Some("shop 1.2")),
        ("wip:shop", Some("shop")),
        ("[WIP] shop", Some("shop")),
        ("Wipe: shop", None),
        ("é", None),
        ("", None),
    ] {
        assert_eq!(plain(title), wanted, "{title}");
    }
}

fn reviews(given: &[(&str, &str, bool)]) -> Vec<(String, Opinion)> {
    let raw = given
        .iter()
        .zip(1..)
        .map(|((by, state, dismissed), id)| RawReview {
            id,
            user: (!by.is_empty()).then(|| User {
                login: (*by).to_owned(),
            }),
            state: (*state).to_owned(),
            dismissed: *dismissed,
            commit_id: None,
            submitted_at: None,
        });
    let newest = newest(raw.collect()).into_iter();
    newest.map(|review| (review.by, review.opinion)).collect()
}

#[test]
fn the_newest_opinion_counts_and_words_take_none_back() {
    for (given, wanted) in [
        (
            &[("ann", "APPROVED", false), ("ann", "COMMENT", false)][..],
            Opinion::Approved,
        ),
        (
            &[("ann", "APPROVED", false), ("ann", "REQUEST_REVIEW", false)],
            Opinion::Approved,
        ),
        (
            &[
                ("ann", "APPROVED", false),
                ("ann", "REQUEST_CHANGES", false),
            ],
            Opinion::Rejected,
        ),
        (&[("ann", "APPROVED", true)], Opinion::Neutral),
        (&[("ann", "COMMENT", false)], Opinion::Neutral),
    ] {
        assert_eq!(reviews(given), [("ann".to_owned(), wanted)], "{given:?}");
    }
    assert_eq!(reviews(&[("ann", "PENDING", false)]), []);
    assert_eq!(reviews(&[("", "APPROVED", false)])[0].0, "ghost");
}

#[test]
fn obstacles_to_merging_are_told_apart() {
    let of = |words: &str| obstacle(words.to_owned());
    let twice = "pull request is already scheduled to auto merge when checks succeed [pull_id: 1]";
    assert_eq!(of(twice), Merge::Scheduled);
    assert!(matches!(of("Please try again later"), Merge::NotYet(_)));
    assert!(matches!(
        of("squash is not allowed an allowed merge style for this repository"),
        Merge::Never(_)
    ));
    assert!(matches!(
        of("User not allowed to merge PR"),
        Merge::Never(_)
    ));
}

#[test]
fn the_last_to_close_is_who_closed() {
    let event = |kind: &str, by: &str| Event {
        kind: kind.to_owned(),
        user: Some(User {
            login: by.to_owned(),
        }),
    };
    let events = vec![
        event("close", "ann"),
        event("reopen", "ann"),
        event("close", "bob"),
        event("comment", "cat"),
    ];
    assert_eq!(closed_by(events).as_deref(), Some("bob"));
    assert_eq!(closed_by(vec![event("comment", "cat")]), None);
}

#[test]
fn teams_are_told_from_people() {
    assert_eq!(request("@ann"), json!({"reviewers": ["ann"]}));
    assert_eq!(request("@acme/ops"), json!({"team_reviewers": ["ops"]}));
}
