//! What keeps a stage on its reference: one that comes after it takes each in turn.
//!
//! Invariant: a stage waits only for what can still be taken, and was neither taken nor rejected. What can
//! never be taken holds nobody up.

use std::time::Duration;

use super::case::Case;
use super::promote::unasked;
use super::{Open, Step};
use crate::config::Promote;
use crate::policy::{self, Evidence, ManifestFact, Outcome};
use crate::promotion::Held;
use crate::promotion::tenure::{self, same};
use crate::reconcile::claims::StageKey;
use crate::reconcile::running::Running;

/// Whether a stage has to wait for those that come after it.
pub(super) enum Turn {
    /// It is free to change.
    Free,
    /// For this.
    Waits(String),
    /// That depends on what must be read first.
    Open(Box<Open>),
}

impl Case<'_> {
    /// Whether the stage keeps what it runs until one that comes after it has taken or rejected it.
    pub(super) fn turn(&self, running: &Running) -> Turn {
        let Running::One(version) = running else {
            return Turn::Free;
        };
        let runs = Held {
            tag: version.tag.clone(),
            digest: version.digest.clone(),
        };
        for (place, stage) in self.app.stages.iter().enumerate() {
            let Some(entry) = &stage.entry else { continue };
            if entry.promote != Promote::Queue || !entry.after.contains(&self.key.stage) {
                continue;
            }
            let after = self.scene.case(StageKey {
                app: self.key.app,
                stage: place,
            });
            if !after.wants(&runs) {
                continue;
            }
            match self.is_as_it_ran(&after, &runs) {
                Ok(true) => {}
                Ok(false) => continue,
                Err(open) => return Turn::Open(open),
            }
            let others = entry.after.iter().filter(|other| **other != self.key.stage);
            for other in others {
                match self.may_come_to(*other, &runs, entry.soak) {
                    Ok(true) => {}
                    Ok(false) => return Turn::Free,
                    Err(open) => return Turn::Open(open),
                }
            }
            return Turn::Waits(format!(
                "{name} takes {tag} first, by `promote: queue`; `tagwright reject {app} {name} {tag}` lets it \
                 be passed over",
                name = stage.name,
                tag = runs.tag,
                app = self.app.name,
            ));
        }
        Turn::Free
    }

    /// Whether the stage would take `held` if it were offered: it is newer than what runs, its policy accepts
    /// it, and nobody rejected it.
    fn wants(&self, held: &Held) -> bool {
        let known = self.known();
        let recorded = self.recorded(&known);
        let running = Running::of(self.policy, &self.sites, recorded);
        if running == Running::Nothing {
            return false;
        }
        if self.follows() {
            let mut withheld = self.withheld().into_iter();
            let rejected = withheld.any(|one| one.digest == held.digest);
            return !rejected && held.digest.as_ref() != running.digest();
        }
        let mut withheld = self.withheld();
        // Nobody is asked here what a tag points to, so what was rejected by its digest is by its tag.
        for one in &mut withheld {
            if one.digest == held.digest {
                one.digest = None;
            }
        }
        let tags = [held.tag.clone()];
        let evidence = Evidence {
            withheld: &withheld,
            recorded: unasked(recorded),
            ..Evidence::new(&tags, running.as_current(), self.facts.now)
        };
        match policy::select(self.policy, &evidence).outcome {
            Outcome::Selected(_) => true,
            // Its time alone tells, and will be known once the stage is looked at.
            Outcome::Needs(_) => running.as_current().tag() != Some(&held.tag),
            Outcome::UpToDate(_) | Outcome::Nothing(_) | Outcome::Unordered(_) => false,
        }
    }

    /// Whether the registry still has what this stage runs, as far as the stage `after` it has looked: what is
    /// gone, or was pushed again, is never promoted.
    fn is_as_it_ran(&self, after: &Case<'_>, runs: &Held) -> Result<bool, Box<Open>> {
        if self.follows() {
            // What the tag points to by now is not what runs, and is not promoted either.
            return Ok(true);
        }
        let known = after.known();
        let now = match known.get(&runs.tag) {
            Some(ManifestFact::Found(found)) => &found.digest,
            Some(ManifestFact::Missing) => return Ok(false),
            Some(ManifestFact::MissingOnce | ManifestFact::Unreadable(_)) | None => {
                return Ok(true);
            }
        };
        let served = match self.served(self.key.stage, Duration::ZERO) {
            Ok(served) => served,
            Err(unknown) => match *unknown {
                (Step::Undecided, open) => return Err(Box::new(open)),
                _ => return Ok(true),
            },
        };
        let own = served.into_iter().find(|own| same(&own.held, runs));
        let ran = own.and_then(|own| own.held.digest);
        Ok(ran.is_none_or(|ran| ran == *now))
    }

    /// Whether another stage of the app runs `held`, ran it, or may still come to run it.
    fn may_come_to(&self, place: usize, held: &Held, soak: Duration) -> Result<bool, Box<Open>> {
        let served = match self.served(place, soak) {
            Ok(served) => served,
            Err(unknown) => match *unknown {
                (Step::Undecided, open) => return Err(Box::new(open)),
                _ => return Ok(true),
            },
        };
        let over = |outcome: &tenure::Outcome| {
            matches!(
                outcome,
                tenure::Outcome::Left(_) | tenure::Outcome::Short(_)
            )
        };
        let own = served.iter().find(|own| same(&own.held, held));
        if let Some(own) = own {
            return Ok(!over(&own.outcome));
        }
        let other = self.scene.case(StageKey {
            app: self.key.app,
            stage: place,
        });
        Ok(other.wants(held))
    }
}
