//! What people said of references of a stage, with what shows who said it: commits, or the forge.
//!
//! Invariant: of a decision that could count, who is behind it is asked of the forge where the stage goes by that;
//! of one that could not, nothing is asked. What the forge has not answered counts for nothing.

use jiff::Timestamp;

use super::case::Case;
use crate::decision::Decision;
use crate::promotion::approval::{
    Attested, Deed, Did, Evidence, Gap, Identity, Rules, Says, Subject,
};
use crate::reconcile::checks::merges::Merged;
use crate::reconcile::checks::{Ask, Reply, Said};
use crate::reconcile::decided::Made;

/// What people said, and what must be asked before it can be judged.
#[derive(Default)]
pub(super) struct Gathered {
    /// What they said, a piece for each person who may be behind it.
    pub(super) evidence: Vec<Evidence>,
    /// What shows who asked for the change, where a person did.
    pub(super) asking: Vec<Attested>,
    /// What must be asked.
    pub(super) unasked: Vec<Ask>,
    /// When it is asked again.
    pub(super) again: Option<Timestamp>,
}

impl Case<'_> {
    /// What people said of references of the stage, and of the decision to deploy at `deploy`.
    pub(super) fn gathered(
        &self,
        rules: &Rules,
        subject: Subject<'_>,
        deploy: Option<usize>,
    ) -> Gathered {
        let mut gathered = Gathered::default();
        for (place, made) in self.made().iter().enumerate() {
            let own = deploy == Some(place);
            let Some(evidence) = self.said(place, made, own) else {
                continue;
            };
            let could_count = evidence.says != Says::Reject && subject.refuses(&evidence).is_none();
            let by_forge = rules.identity == Identity::Forge && could_count;
            let by = match by_forge {
                true => self.behind_merge(place, made, &mut gathered),
                false => vec![evidence.by.clone()],
            };
            if own && rules.exclude_author {
                gathered.asking = self.asking(place, made, rules.identity);
            }
            let pieces = by.into_iter().map(|by| Evidence {
                by,
                ..evidence.clone()
            });
            gathered.evidence.extend(pieces);
        }
        gathered
    }

    /// What one decision says, and what its commit shows; `None` for one that says nothing of a reference.
    fn said(&self, place: usize, made: &Made, is_own: bool) -> Option<Evidence> {
        let says = match &made.decision {
            Decision::Approve { replaces, .. } => Says::Approve {
                replaces: replaces.clone(),
            },
            Decision::Reject { .. } => Says::Reject,
            // An earlier one was about what ran then.
            Decision::Deploy { .. } if is_own => Says::Deploy,
            Decision::Deploy { .. } | Decision::Hold { .. } | Decision::Release => return None,
        };
        let what = made.decision.what()?;
        Some(Evidence {
            says,
            image: what.image.clone(),
            tag: what.tag.clone(),
            digest: what.digest.clone(),
            at: made.by.as_ref().map_or(Timestamp::MIN, |by| by.at),
            place: Some(place),
            by: self.shown(made),
        })
    }

    /// What the commit shows that made a decision.
    fn shown(&self, made: &Made) -> Attested {
        let act = made.by.as_ref().zip(made.landed);
        let act = act.and_then(|(by, landed)| self.facts.acts.get(&(landed, by.commit.clone())));
        act.map_or(Attested::Unknown, |act| Attested::Commit(act.clone()))
    }

    /// Who is behind a decision by what the forge shows of the pull request that brought it.
    fn behind_merge(&self, place: usize, made: &Made, gathered: &mut Gathered) -> Vec<Attested> {
        let Some(landed) = made.landed else {
            return vec![Attested::Unknown];
        };
        let commit = landed.to_string();
        let ask = Ask::Merge(landed);
        let Some(reply) = self.facts.asked.get(&ask) else {
            gathered.unasked.push(ask);
            return Vec::new();
        };
        gathered.again = [gathered.again, reply.again].into_iter().flatten().min();
        match self.merge_of(place, reply) {
            Err(gap) => vec![Attested::Unattested { gap, commit }],
            Ok(merged) => match merged
                .deeds(&commit)
                .map(Attested::Forge)
                .collect::<Vec<_>>()
            {
                deeds if deeds.is_empty() => {
                    let gap = Gap::Nobody(merged.number);
                    vec![Attested::Unattested { gap, commit }]
                }
                deeds => deeds,
            },
        }
    }

    /// The pull request that proposed a decision, by what the forge said of it.
    fn merge_of<'r>(&self, place: usize, reply: &'r Reply) -> Result<&'r Merged, Gap> {
        match &reply.said {
            Some(Said::Merge(Some(merged))) => {
                match self.facts.beside.contains(&(self.key, place)) {
                    true => Err(Gap::Beside(merged.number)),
                    false => Ok(merged),
                }
            }
            Some(Said::Merge(None)) => Err(Gap::Pushed),
            Some(Said::Unable(why)) => Err(Gap::Silent(why.clone())),
            // An answer to something else is none.
            Some(Said::Gate(_) | Said::Statuses(_)) | None => Err(Gap::Awaited),
        }
    }

    /// What shows who decided to deploy: whoever made the commit, and opened the pull request.
    fn asking(&self, place: usize, made: &Made, identity: Identity) -> Vec<Attested> {
        let mut asking = vec![self.shown(made)];
        if identity == Identity::Forge {
            let landed = made.landed;
            let reply = landed.and_then(|landed| self.facts.asked.get(&Ask::Merge(landed)));
            let merged = reply.and_then(|reply| self.merge_of(place, reply).ok());
            asking.extend(merged.and_then(|merged| {
                Some(Attested::Forge(Deed {
                    account: merged.opened.clone()?,
                    did: Did::Opened,
                    pull: merged.number,
                    commit: landed?.to_string(),
                }))
            }));
        }
        asking
    }
}
