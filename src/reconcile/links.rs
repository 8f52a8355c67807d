//! Links to what changed in images, added to a plan that is about to be carried out.
//!
//! Invariant: a link decides nothing, and a plan goes on without it.

use std::sync::Arc;

use crate::image::DOCKER_HUB;
use crate::reconcile::Reconciler;
use crate::reconcile::message::link;
use crate::reconcile::observe::Step;
use crate::reconcile::plan::{Change, Plan, StagePlan};
use crate::reconcile::running::Running;
use crate::reconcile::snapshot::Snapshot;

impl Reconciler {
    /// The plan with links, where images tell what they were built from.
    pub(super) async fn linked(&mut self, plan: Arc<Plan>, snapshot: &Snapshot) -> Arc<Plan> {
        if !self.repository.commits.links {
            return plan;
        }
        let (keys, steps): (Vec<_>, Vec<_>) = plan
            .changes()
            .filter_map(|(stage, change)| Some((stage.key, self.step(snapshot, stage, change)?)))
            .unzip();
        let found = self.observer.origins(&steps).await.into_iter();
        let links = keys.into_iter().zip(found).filter_map(|(key, found)| {
            let (old, new) = found?;
            Some((key, link::compare(&old, &new)?))
        });
        let links = links.collect();
        if links == plan.links {
            return plan;
        }
        let mut plan = Plan::clone(&plan);
        plan.links = links;
        Arc::new(plan)
    }

    fn step(&self, snapshot: &Snapshot, stage: &StagePlan, change: &Change) -> Option<Step> {
        let (Running::One(old) | Running::Split { highest: old, .. }) = &change.from else {
            return None;
        };
        let app = &snapshot.apps[stage.key.app];
        // There each request would count as a pull, of which there are few.
        (app.image.registry() != DOCKER_HUB).then(|| Step {
            feed: self.feed_of(app),
            old: (old.tag.clone(), old.digest.clone()),
            new: change.digest.clone(),
        })
    }
}
