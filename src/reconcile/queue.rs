//! The changes that are due, and since when: which of them go first, and whether more are waited for.
//!
//! Invariant: a change that waits goes before all that came later, so none waits for ever. The queue is
//! lost with the process; then all changes count as having come at once.
//!
//! It decides when a change is made, never which.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::Duration;

use jiff::Timestamp;

use crate::config::Name;
use crate::reconcile::plan::{Blocked, Plan, Step};
use crate::reconcile::prepare::Preparation;
use crate::reconcile::pulls::Planned;
use crate::reconcile::snapshot::Snapshot;
use crate::reconcile::{Error, Freshness, Observation, Pass, PassResult, Reconciler};

/// The names of an app and one of its stages.
type Stage = (String, String);

/// Since when stages have had a change, whatever the tag.
#[derive(Debug, Default)]
pub(super) struct Queue(BTreeMap<Stage, Timestamp>);

impl Queue {
    /// Notes which stages have a change at `now`, and forgets the others.
    fn note(&mut self, due: Vec<Stage>, now: Timestamp) {
        let before = std::mem::take(&mut self.0);
        let since = |key| {
            // A clock that was set back starts the wait anew, rather than making it endless.
            let since = before.get(&key).map_or(now, |since| now.min(*since));
            (key, since)
        };
        self.0 = due.into_iter().map(since).collect();
    }

    /// Forgets the stages whose changes are made: their next ones have not waited yet.
    pub(super) fn made(&mut self, preparation: &Preparation) {
        for change in preparation
            .commits
            .iter()
            .flat_map(|commit| &commit.changes)
        {
            self.0.remove(&(change.app.clone(), change.stage.clone()));
        }
    }

    /// The first `most` stages, by how long they have waited, then by name. Those of one group, which `groups`
    /// names, go together: with the one that has waited for longest, and by themselves if they are more.
    fn first(&self, most: usize, groups: &BTreeMap<Stage, Name>) -> BTreeSet<&Stage> {
        let mut all: Vec<_> = self.0.iter().collect();
        all.sort_by_key(|(_, since)| **since);
        let mut first = BTreeSet::new();
        for (key, _) in &all {
            if first.contains(key) {
                continue;
            }
            let unit: Vec<&Stage> = match groups.get(*key) {
                Some(group) => self
                    .0
                    .keys()
                    .filter(|other| other.1 == key.1 && groups.get(*other) == Some(group))
                    .collect(),
                None => vec![*key],
            };
            if !first.is_empty() && first.len() + unit.len() > most {
                break;
            }
            first.extend(unit);
        }
        first
    }

    /// Until when more changes are waited for, if the first has not waited for `window` yet.
    fn gathers(&self, window: Duration, now: Timestamp) -> Option<Timestamp> {
        let first = self.0.values().min()?;
        let until = first.saturating_add(window).ok()?;
        (now < until).then_some(until)
    }
}

impl Reconciler {
    /// The plan with as many changes as one pass may make; the others wait.
    pub(super) fn queued(&mut self, mut plan: Arc<Plan>, snapshot: &Snapshot) -> Arc<Plan> {
        let now = self.clock.now();
        let parked = self.parked(&plan.stages, snapshot);
        let mut groups = BTreeMap::new();
        let due = plan.changes().filter_map(|(stage, change)| {
            let waits = parked.contains_key(&stage.key) || self.is_proposed(snapshot, stage);
            let (app, name) = snapshot.names(stage.key);
            let key = (app.to_owned(), name.to_owned());
            let group = change.group.clone().filter(|_| !waits);
            groups.extend(group.map(|group| (key.clone(), group)));
            (!waits).then_some(key)
        });
        let due = due.collect();
        self.queue.note(due, now);
        let Some(most) = self.repository.changes_per_pass else {
            return plan;
        };
        if self.queue.0.len() <= most.get() {
            return plan;
        }
        let first = self.queue.first(most.get(), &groups);
        for stage in &mut Arc::make_mut(&mut plan).stages {
            let (app, name) = snapshot.names(stage.key);
            let key = (app.to_owned(), name.to_owned());
            if self.queue.0.contains_key(&key) && !first.contains(&key) {
                stage.step = Step::Blocked(Blocked::Queued(format!(
                    "waits its turn: a pass makes {most} changes, and others have waited for longer"
                )));
            }
        }
        plan
    }

    /// A pass that first gathers changes for as long as `commit.window` says, so that many tags pushed
    /// one after the other make one push.
    ///
    /// # Errors
    /// As those of [`Reconciler::pass`].
    pub async fn gathering_pass(&mut self, freshness: Freshness) -> Result<Pass, Error> {
        let Some(window) = self.repository.commits.window else {
            return self.pass(freshness).await;
        };
        self.bring_given().await?;
        let observation = self.observe(freshness).await?;
        match self.waits(&observation, window) {
            Some(result) => Ok(Pass {
                observation,
                result,
                pulls: Vec::new(),
            }),
            // What was listed is seconds old; the branch may have moved.
            None => match freshness {
                Freshness::Anew => self.pass(Freshness::ByInterval).await,
                other => self.pass(other).await,
            },
        }
    }

    /// The result of a pass that makes no commits now.
    fn waits(&self, observation: &Observation, window: Duration) -> Option<PassResult> {
        if observation.preparation.commits.is_empty() {
            return match observation.pulls.iter().any(Planned::is_to_settle) {
                true => None,
                false => Some(PassResult::Nothing),
            };
        }
        let until = self.queue.gathers(window, self.clock.now())?;
        Some(PassResult::Gathering(until))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(seconds: i64) -> Timestamp {
        Timestamp::from_second(seconds).unwrap()
    }

    fn key(app: &str) -> Stage {
        (app.to_owned(), "staging".to_owned())
    }

    fn queue(notes: &[(i64, &str)]) -> Queue {
        let mut queue = Queue::default();
        for (seconds, apps) in notes {
            queue.note(apps.split(' ').map(key).collect(), at(*seconds));
        }
        queue
    }

    #[test]
    fn the_oldest_go_first_then_names() {
        for (notes, expected) in [
            (&[(0, "b a c")][..], "a b"),
            (&[(0, "c"), (5, "a b c")], "c a"),
            (&[(0, "b c"), (5, "a c"), (9, "a b c")], "c a"),
            (&[(100, "c"), (5, "b c"), (9, "a b c")], "b c"),
        ] {
            let queue = queue(notes);
            let first = queue.first(2, &BTreeMap::new());
            let wanted: Vec<Stage> = expected.split(' ').map(key).collect();
            assert_eq!(first, wanted.iter().collect(), "{notes:?}");
        }
    }

    #[test]
    fn those_of_a_group_go_together() {
        let groups = |apps: &str| -> BTreeMap<Stage, Name> {
            let apps = apps.split(' ').map(key);
            apps.map(|key| (key, "web".parse().unwrap())).collect()
        };
        for (notes, group, most, expected) in [
            (&[(0, "a b c d")][..], "b d", 3, "a b d"),
            // A group that does not fit goes first the next time, and nothing overtakes it.
            (&[(0, "a b c d")], "b c", 2, "a"),
            (&[(0, "b c d"), (5, "a b c d")], "b c", 2, "b c"),
            // More than a pass makes go by themselves.
            (&[(0, "a b c"), (5, "a b c d")], "a b c", 2, "a b c"),
            // It goes with the one that has waited for longest.
            (&[(0, "d"), (5, "a b c d")], "c d", 2, "c d"),
        ] {
            let queue = queue(notes);
            let groups = groups(group);
            let first = queue.first(most, &groups);
            let wanted: Vec<Stage> = expected.split(' ').map(key).collect();
            assert_eq!(first, wanted.iter().collect(), "{notes:?} {group}");
        }
    }

    #[test]
    fn changes_gather_from_the_first_on() {
        let window = Duration::from_secs(10);
        let until = |notes: &[(i64, &str)], now| queue(notes).gathers(window, at(now));
        assert_eq!(until(&[(0, "a")], 0), Some(at(10)));
        assert_eq!(until(&[(0, "a"), (9, "a b")], 9), Some(at(10)));
        assert_eq!(until(&[(0, "a"), (10, "a b")], 10), None);
        assert_eq!(until(&[(0, "a"), (9, "b")], 9), Some(at(19)));
        assert_eq!(until(&[], 5), None);
    }
}
