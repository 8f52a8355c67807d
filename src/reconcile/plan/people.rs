//! What people keep from a stage, as the policy is told of it.
//!
//! Invariant: what a person went back from reaches the policy with who did it, when, by which commit, and
//! what ends it, so that no verdict hides behind a rule.
//!
//! Nothing is read here: the facts say what people did.

use std::sync::Arc;

use jiff::Timestamp;

use super::case::Case;
use crate::diag;
use crate::image::Tag;
use crate::policy::{self, Order, Reach, Recorded, Withheld};
use crate::promotion::Bound;
use crate::reconcile::running::Running;
use crate::reconcile::standings::{History, Past};

/// As many digits of a commit's id as `git log --oneline` shows in a large repository.
const SHORT: usize = 12;

/// Longest name that is quoted, in characters.
const MAX_NAME: usize = 80;

/// Whether a stage's past is known.
pub(super) enum Known {
    /// It is, or doesn't matter.
    Yes,
    /// Nobody has asked for it.
    Unasked,
    /// It can't be told yet.
    More,
}

impl Case<'_> {
    /// Whether the stage's past is known.
    pub(super) fn past(&self) -> Known {
        match &self.facts.history {
            History::NotConsulted => Known::Yes,
            History::Known(pasts) => match pasts.get(&self.key) {
                Some(Past::Known(_)) => Known::Yes,
                Some(Past::More) => Known::More,
                None => Known::Unasked,
            },
        }
    }

    fn bound(&self) -> Option<&Bound> {
        self.facts.standing(self.key)?.rejected.as_ref()
    }

    /// What people keep from being chosen.
    pub(super) fn withheld(&self) -> Vec<Withheld> {
        let bound = self.bound().map(|bound| Withheld {
            tag: bound.from.tag.clone(),
            digest: bound.from.digest.clone(),
            reach: Reach::UpTo,
            words: Arc::from(words(bound, self.policy)),
        });
        bound.into_iter().collect()
    }

    /// Why the other sites of a stage are not brought to the `tag` that it runs: a person moved some of
    /// them back from it.
    pub(super) fn parted(
        &self,
        tag: &Tag,
        running: &Running,
        known: Recorded<'_>,
    ) -> Option<String> {
        let bound = self.bound()?;
        let covers = match &self.policy.order {
            Order::Digest(_) => running.digest() == bound.from.digest.as_ref(),
            _ => {
                let order = policy::compare(self.policy, tag, &bound.from.tag, known);
                *tag == bound.from.tag || order.is_some_and(|order| order.is_le())
            }
        };
        let split = matches!(running, Running::Split { .. });
        (split && covers).then(|| {
            let words = words(bound, self.policy);
            format!("runs {running}, and its other sites stay as they are: {words}")
        })
    }

    /// The bound that is still in force once the stage has `tag`; `stays` where it runs that already.
    pub(super) fn still_rejected(&self, tag: &Tag, stays: bool) -> Option<Box<Bound>> {
        let bound = self.bound()?;
        let order = policy::compare(self.policy, tag, &bound.from.tag, Recorded::default());
        let ended = match &self.policy.order {
            Order::Newest(_) | Order::Digest(_) => !stays,
            _ => order.is_some_and(|order| order.is_gt()),
        };
        (!ended).then(|| Box::new(bound.clone()))
    }
}

/// Who went back from what, and what ends that.
fn words(bound: &Bound, policy: &policy::Policy) -> String {
    let Bound { from, by } = bound;
    let name: String = diag::visible(&by.name).chars().take(MAX_NAME).collect();
    let who = match name.as_str() {
        "" => "somebody",
        name => name,
    };
    let mut place = Vec::new();
    if let Some(short) = by.commit.get(..SHORT) {
        place.push(format!("commit {short}"));
    }
    if by.at != Timestamp::UNIX_EPOCH {
        place.push(by.at.to_string());
    }
    let place = match place.is_empty() {
        true => String::new(),
        false => format!(" ({})", place.join(", ")),
    };
    match &policy.order {
        Order::Digest(_) => format!(
            "{who} went back from {from}{place}, so that is not taken again; something newer is, and \
             writing it by hand ends this"
        ),
        _ => format!(
            "{who} went back from {from}{place}, so nothing up to it is taken; something newer is, \
             and writing {} by hand ends this",
            from.tag
        ),
    }
}
