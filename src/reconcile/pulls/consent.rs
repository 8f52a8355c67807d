//! The consents that the reviewers of a pull request give to what it proposes.
//!
//! Invariant: a review counts for the head that it is of, and only while that head, by its contents, is just what
//! would be proposed now. It counts for what the pull request brings to each of its stages, by the rules of each.
//! Who will merge it is not known before, so nobody's merge counts beforehand.
//!
//! It refuses to guess: reviews that can't be read leave the pull request unsure.

use std::sync::Arc;

use jiff::Timestamp;

use super::fate::{Branch, Content};
use crate::diag;
use crate::forge::{Forge, Pull, Review};
use crate::promotion::approval::{Attested, Deed, Evidence, Identity, People, Says};
use crate::reconcile::checks::merges;
use crate::reconcile::plan::{Asked, Missing, Plan, StagePlan, Step, Waiting, Weighed};

/// What the reviews of a pull request come to.
pub(super) enum Reviewed {
    /// Nothing that bears on its stages.
    Nothing,
    /// Its stages that wait for approvals, as they wait now, and when that changes by the clock alone.
    Stages(Vec<StagePlan>, Option<Timestamp>),
    /// They can't be read, for this reason.
    Unread(String),
}

/// Reads the reviews of a pull request whose branch is at `at`, where they could count for `stages`.
pub(super) async fn reviewed(
    forge: &dyn Forge,
    stages: &[&StagePlan],
    (pull, at): (Option<&Pull>, Branch),
    people: &People,
    now: Timestamp,
) -> Reviewed {
    let (
        Some(pull),
        Branch::Ours {
            tip,
            content: Content::Wanted,
        },
    ) = (pull, at)
    else {
        return Reviewed::Nothing;
    };
    let asking = stages.iter().any(|stage| asked(stage).is_some());
    if !asking || pull.head != tip.to_string() {
        return Reviewed::Nothing;
    }
    let reviews = match forge.reviews(pull).await {
        Ok(reviews) => reviews,
        Err(error) => {
            return Reviewed::Unread(format!(
                "its reviews can't be read: {}",
                diag::chain(&error)
            ));
        }
    };
    let mut expires = None;
    let stages = stages.iter().filter_map(|stage| {
        let asked = asked(stage)?;
        let more = evidence(&asked.weighed, pull, &reviews);
        let asked = asked.with(more, pull.number, people, now);
        expires = [expires, asked.outcome.expires].into_iter().flatten().min();
        Some(answered(stage, asked))
    });
    let stages = stages.collect();
    Reviewed::Stages(stages, expires)
}

/// The consents of the forge's that a stage waits for.
fn asked(stage: &StagePlan) -> Option<&Asked> {
    let Step::Waiting(waiting) = &stage.step else {
        return None;
    };
    waiting.missing.iter().find_map(|missing| match missing {
        Missing::Approval(asked) if asked.weighed.rules.identity == Identity::Forge => {
            Some(&**asked)
        }
        _ => None,
    })
}

/// What reviewers of the head say of what it brings to a stage.
fn evidence(weighed: &Weighed, pull: &Pull, reviews: &[Review]) -> Vec<Evidence> {
    let Some(image) = weighed.images.first() else {
        return Vec::new();
    };
    let approvals = merges::approvals(reviews, &pull.head).map(|(review, did)| Evidence {
        says: Says::Approve {
            replaces: weighed.replaces.first().cloned(),
        },
        image: image.clone(),
        tag: weighed.tag.clone(),
        digest: Some(weighed.digest.clone()),
        // One that nobody knows the age of is older than all that could end it.
        at: review.at.unwrap_or(Timestamp::MIN),
        place: None,
        by: Attested::Forge(Deed {
            account: review.by.clone(),
            did,
            pull: pull.number,
            commit: pull.head.clone(),
        }),
    });
    approvals.collect()
}

/// A stage that waits for these consents, if any of them are still missing.
fn answered(stage: &StagePlan, asked: Asked) -> StagePlan {
    let mut stage = stage.clone();
    if let Step::Waiting(Waiting { change, missing }) = &mut stage.step {
        missing.retain(|one| !matches!(one, Missing::Approval(_)));
        if asked.outcome.missing() > 0 {
            missing.push(Missing::Approval(Box::new(asked)));
        }
        if missing.is_empty() {
            stage.step = Step::Change(change.clone());
        }
    }
    stage
}

/// `plan`, with stages as their reviews leave them until `expires`.
pub(super) fn applied(
    mut plan: Arc<Plan>,
    stages: Vec<StagePlan>,
    expires: Option<Timestamp>,
) -> Arc<Plan> {
    if stages.is_empty() {
        return plan;
    }
    let changed = Arc::make_mut(&mut plan);
    changed.expires = [changed.expires, expires].into_iter().flatten().min();
    for stage in stages {
        if let Some(old) = changed.stages.iter_mut().find(|old| old.key == stage.key) {
            *old = stage;
        }
    }
    plan
}
