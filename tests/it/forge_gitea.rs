//! Gitea's client against a Gitea of the test's own.

use crate::forge_cases::cases;

cases! { Gitea:
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
