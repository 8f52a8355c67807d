//! The last plan, for as long as nothing that it was made from has changed.
//!
//! Invariant: a plan is taken again only where planning would give the same: on the same snapshot, with
//! the same tags listed and the same known of what runs. It saves work and decides nothing.
//!
//! It refuses to keep a plan for which manifests were read in its pass: what is about to be written is
//! read anew each time.

use std::sync::Arc;

use crate::reconcile::plan::{Facts, Listing, Plan};
use crate::reconcile::snapshot::Snapshot;

/// A plan and what it was made from.
#[derive(Debug)]
pub struct Settled {
    snapshot: Arc<Snapshot>,
    facts: Facts,
    plan: Arc<Plan>,
}

impl Settled {
    /// Keeps `plan`, if it may be kept.
    pub fn of(snapshot: &Arc<Snapshot>, facts: &Facts, plan: &Arc<Plan>) -> Option<Self> {
        let reads = !facts.manifests.is_empty() || !facts.present.is_empty();
        (plan.open.is_empty() && !reads).then(|| Self {
            snapshot: Arc::clone(snapshot),
            facts: facts.clone(),
            plan: Arc::clone(plan),
        })
    }

    /// The plan, if it was made from the same.
    pub fn plan_for(&self, snapshot: &Arc<Snapshot>, facts: &Facts) -> Option<Arc<Plan>> {
        let same = Arc::ptr_eq(&self.snapshot, snapshot)
            && facts.manifests.is_empty()
            && self.plan.expires.is_none_or(|until| facts.now < until)
            && facts.running == self.facts.running
            && facts.times == self.facts.times
            && facts.closed == self.facts.closed
            && facts.given == self.facts.given
            && facts.listings.len() == self.facts.listings.len()
            && facts
                .listings
                .iter()
                .zip(&self.facts.listings)
                .all(|((feed, now), (known, then))| feed == known && says_the_same(now, then));
        same.then(|| Arc::clone(&self.plan))
    }

    /// The same, with what is to be told in every pass, whatever its plan, added to `facts`: what people took
    /// back, and what is held by name.
    pub fn retold(&self, snapshot: &Arc<Snapshot>, facts: &mut Facts) -> Option<Arc<Plan>> {
        let plan = self.plan_for(snapshot, facts)?;
        let withdrawn = &self.facts.decided.withdrawn;
        facts.decided.withdrawn.clone_from(withdrawn);
        facts.holds = Arc::clone(&self.facts.holds);
        Some(plan)
    }
}

/// Whether two listings say the same; when they were made has no part in a plan.
fn says_the_same(a: &Listing, b: &Listing) -> bool {
    match (a, b) {
        (Listing::Complete { tags: a, .. }, Listing::Complete { tags: b, .. }) => {
            Arc::ptr_eq(a, b) || a == b
        }
        (
            Listing::Stale { tags: a, at, doubt },
            Listing::Stale {
                tags: b,
                at: then,
                doubt: before,
            },
        ) => at == then && doubt == before && Arc::ptr_eq(a, b),
        (Listing::Failed(a), Listing::Failed(b)) | (Listing::Awaited(a), Listing::Awaited(b)) => {
            a == b
        }
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::image::Tag;
    use crate::policy::ManifestFact;
    use crate::reconcile::plan::{Feed, Open};
    use crate::registry::AccountId;

    fn feed() -> Feed {
        ("nginx".parse().unwrap(), AccountId::ANONYMOUS)
    }

    fn tag(text: &str) -> Tag {
        text.parse().unwrap()
    }

    fn facts(tags: &[&str], seconds: i64) -> Facts {
        let listing = Listing::Complete {
            tags: tags.iter().map(|text| tag(text)).collect(),
            at: jiff::Timestamp::from_second(seconds).unwrap(),
        };
        Facts {
            listings: [(feed(), listing)].into(),
            ..Facts::default()
        }
    }

    fn read(
        tag: Tag,
    ) -> std::collections::BTreeMap<Feed, std::collections::BTreeMap<Tag, ManifestFact>> {
        [(feed(), [(tag, ManifestFact::MissingOnce)].into())].into()
    }

    #[test]
    fn a_plan_is_taken_again_only_for_equal_inputs() {
        let snapshot = Arc::new(Snapshot::default());
        let plan = Arc::new(Plan::default());
        let settled = Settled::of(&snapshot, &facts(&["1.0.0"], 0), &plan).unwrap();
        let again =
            |snapshot: &Arc<Snapshot>, facts: &Facts| settled.plan_for(snapshot, facts).is_some();

        assert!(again(&snapshot, &facts(&["1.0.0"], 0)));
        assert!(again(&snapshot, &facts(&["1.0.0"], 60)), "listed later");
        assert!(!again(
            &Arc::new(Snapshot::default()),
            &facts(&["1.0.0"], 0)
        ));
        assert!(!again(&snapshot, &facts(&["1.0.0", "1.1.0"], 0)));
        assert!(!again(&snapshot, &Facts::default()));
        let failed = Facts {
            listings: [(feed(), Listing::Failed("down".into()))].into(),
            ..Facts::default()
        };
        assert!(!again(&snapshot, &failed));
        let mut checked = facts(&["1.0.0"], 0);
        checked.running = read(tag("1.0.0"));
        assert!(!again(&snapshot, &checked));
    }

    #[test]
    fn a_plan_that_read_manifests_or_lacks_something_is_not_kept() {
        let snapshot = Arc::new(Snapshot::default());
        let mut resolved = facts(&["1.0.0"], 0);
        resolved.manifests = read(tag("1.0.0"));
        let plan = Arc::new(Plan::default());
        assert!(Settled::of(&snapshot, &resolved, &plan).is_none());

        let needing = Arc::new(Plan {
            open: Open {
                digests: vec![(feed(), crate::image::Digest::of(b"x"))],
                ..Open::default()
            },
            ..Plan::default()
        });
        assert!(Settled::of(&snapshot, &facts(&["1.0.0"], 0), &needing).is_none());
    }
}
