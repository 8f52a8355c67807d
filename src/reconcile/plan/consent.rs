//! Whose consent a change has, and whose it still needs.
//!
//! Invariant: whatever the way in, what counts is decided by one function of the rules, the evidence and the
//! time; here the evidence is gathered from the stage's decisions. A change that is made carries the consents
//! that it was made with.

use std::fmt;

use jiff::Timestamp;

use super::case::Case;
use super::waiting::{Missing, Waiting};
use super::{Blocked, Change, Step};
use crate::config::Approvals;
use crate::decision::{Decided, Decision, file_of};
use crate::image::Image;
use crate::promotion::approval::{
    self, Approver, Attested, Evidence, Outcome, Says, Subject, Uncounted, Why,
};
use crate::reconcile::decided::Made;
use crate::reconcile::running::Running;
use crate::reconcile::standings::History;

/// Consents that don't count which are told one by one: more of them fill a line.
const MOST_TOLD: usize = 3;

/// The consents that a change needs.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Asked {
    /// What there is.
    pub outcome: Outcome,
    /// Who may give one, as the stage names them, with the persons who have not yet.
    pub from: Vec<String>,
    /// The file that takes the entry.
    pub file: String,
    /// The entry that gives one.
    pub entry: String,
    /// The command that gives one.
    pub command: String,
}

impl Asked {
    /// Consents to the same reference that do not count, the newest first.
    pub fn in_vain(&self) -> impl Iterator<Item = &Uncounted> {
        let all = self.outcome.uncounted.iter().rev();
        all.filter(|one| !matches!(one.why, Why::OtherReference | Why::Duplicate))
    }
}

impl fmt::Display for Asked {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Outcome {
            required,
            counted,
            unknown,
            ..
        } = &self.outcome;
        write!(f, "approval {} of {required}: ", counted.len() + 1)?;
        match self.from.is_empty() {
            true => f.write_str("nobody is left who may give it")?,
            false => write!(f, "needs one of {}", self.from.join(", "))?,
        }
        if !unknown.is_empty() {
            write!(f, "; nobody is called {}", unknown.join(", "))?;
        }
        if !counted.is_empty() {
            let given: Vec<&str> = counted.iter().map(|one| one.person.as_str()).collect();
            write!(f, "; given by {}", given.join(", "))?;
        }
        for one in self.in_vain().take(MOST_TOLD) {
            write!(f, "; {one}")?;
        }
        write!(f, "; `{}` gives it", self.command)
    }
}

/// What a change lacks of the consents that it needs.
pub(super) enum Lack {
    /// Nothing.
    Nothing,
    /// These.
    Consents(Box<Asked>),
    /// It can't be told before more of the history is here.
    History,
}

impl Case<'_> {
    /// The step that a decision to deploy comes to, once it has the consents that it needs, and when that
    /// changes by the clock alone.
    pub(super) fn unless_unapproved(&self, step: Step) -> (Step, Option<Timestamp>) {
        let mut change = match step {
            Step::Change(change) => change,
            other => return (other, None),
        };
        let (lack, expires) = self.consents_to_deploy(&mut change);
        let step = match lack {
            Lack::Nothing => Step::Change(change),
            Lack::History => Step::Blocked(Blocked::History),
            Lack::Consents(asked) => Step::Waiting(Waiting {
                change,
                missing: vec![Missing::Approval(asked)],
            }),
        };
        (step, expires)
    }

    /// What a decision to deploy lacks. The entry itself is its author's consent.
    fn consents_to_deploy(&self, change: &mut Change) -> (Lack, Option<Timestamp>) {
        let rules = self.app.stages[self.key.stage].consents.deploys.as_ref();
        let Some((rules, (place, _))) = rules.zip(self.deploying()) else {
            return (Lack::Nothing, None);
        };
        let evidence = self.evidence(Some(place));
        let own = evidence.iter().find(|one| one.place == Some(place));
        let author = own.map(|one| one.by.clone());
        self.weigh(rules, change, &evidence, author.as_ref())
    }

    /// What a change lacks that the service would make by itself. Whoever had a stage before run what it takes
    /// is its author.
    pub(super) fn consents_to(&self, change: &mut Change) -> (Lack, Option<Timestamp>) {
        let Some(rules) = &self.app.stages[self.key.stage].consents.changes else {
            return (Lack::Nothing, None);
        };
        let author = self.asked_by(&change.tag).map(Attested::Commit);
        self.weigh(rules, change, &self.evidence(None), author.as_ref())
    }

    /// Judges `evidence`; what counts goes into the change.
    fn weigh(
        &self,
        Approvals { rules, .. }: &Approvals,
        change: &mut Change,
        evidence: &[Evidence],
        author: Option<&Attested>,
    ) -> (Lack, Option<Timestamp>) {
        if rules.required == 0 {
            return (Lack::Nothing, None);
        }
        let images: Vec<&Image> = self.app.names().collect();
        let subject = Subject {
            images: &images,
            tag: &change.tag,
            digest: &change.digest,
            replaces: &names_of(&change.from),
            left: self.left(change),
        };
        let (people, now) = (&self.facts.people, self.facts.now);
        let outcome = approval::judge(rules, people, subject, evidence, author, now);
        change.approved.clone_from(&outcome.counted);
        let expires = outcome.expires;
        if outcome.missing() == 0 {
            return (Lack::Nothing, expires);
        }
        // In a working tree nobody is known, and no history tells more.
        let is_read = !matches!(self.facts.history, History::NotConsulted);
        if is_read && outcome.lacks_history() {
            return (Lack::History, expires);
        }
        let asked = self.asked(&rules.from, change, outcome);
        (Lack::Consents(Box::new(asked)), expires)
    }

    /// When the stage was moved from what the change brings to what runs, if it was.
    fn left(&self, change: &Change) -> Option<Timestamp> {
        let standing = self.facts.standing(self.key)?;
        let before = standing.before.as_ref()?;
        (before.tag == change.tag).then_some(standing.since)
    }

    fn asked(&self, from: &[Approver], change: &Change, outcome: Outcome) -> Asked {
        let (app, stage) = (&self.app.name, &self.app.stages[self.key.stage].name);
        let left = |approver: &Approver| {
            let behind = self.facts.people.behind(approver)?.into_iter();
            let left = behind.map(|person| person.name.as_str());
            let left: Vec<&str> = left
                .filter(|name| outcome.others.iter().any(|other| other == name))
                .collect();
            match (approver, left.is_empty()) {
                (_, true) => None,
                (Approver::Person(name), false) => Some(name.clone()),
                (group @ Approver::Group(_), false) => {
                    Some(format!("{group} ({})", left.join(", ")))
                }
            }
        };
        let entry = Decision::Approve {
            what: Decided {
                image: self.app.image.clone(),
                tag: change.tag.clone(),
                digest: Some(change.digest.clone()),
            },
            replaces: names_of(&change.from).into_iter().next(),
        };
        Asked {
            from: from.iter().filter_map(left).collect(),
            file: file_of(app.as_str(), stage.as_str()),
            entry: entry.entry(),
            command: format!(
                "tagwright approve {} {}@{}",
                self.names(),
                change.tag,
                change.digest
            ),
            outcome,
        }
    }

    /// What people said of references of the stage, and the decision to deploy at `deploy`.
    fn evidence(&self, deploy: Option<usize>) -> Vec<Evidence> {
        let all = self.made().iter().enumerate();
        let all = all.filter_map(|(place, made)| {
            let says = match &made.decision {
                Decision::Approve { replaces, .. } => Says::Approve {
                    replaces: replaces.clone(),
                },
                Decision::Reject { .. } => Says::Reject,
                // An earlier one was about what ran then.
                Decision::Deploy { .. } if deploy == Some(place) => Says::Deploy,
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
                by: self.attested(made),
            })
        });
        all.collect()
    }

    fn attested(&self, made: &Made) -> Attested {
        let act = made.by.as_ref().zip(made.landed);
        let act = act.and_then(|(by, landed)| self.facts.acts.get(&(landed, by.commit.clone())));
        act.map_or(Attested::Unknown, |act| Attested::Commit(act.clone()))
    }
}

/// What runs, as entries name what is replaced: the way to write it first.
fn names_of(running: &Running) -> Vec<String> {
    match running {
        Running::Nothing => Vec::new(),
        Running::One(version)
        | Running::Split {
            highest: version, ..
        } => {
            let (short, full) = (version.tag.to_string(), version.to_string());
            match short == full {
                true => vec![short],
                false => vec![short, full],
            }
        }
        Running::Unordered(unordered) => vec![running.to_string(), unordered.text.clone()],
    }
}
