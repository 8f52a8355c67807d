//! Whose consent a change has, and whose it still needs.
//!
//! Invariant: whatever the way in, what counts is decided by one function of the rules, the evidence and the
//! time; the evidence is gathered in `attested`. A change that is made carries the consents that it was made
//! with.

use std::fmt;

use jiff::Timestamp;

use super::case::Case;
use super::waiting::{Missing, Waiting};
use super::{Blocked, Change, Open, Step};
use crate::config::Approvals;
use crate::decision::{Decided, Decision, file_of};
use crate::image::{Digest, Image, Tag};
use crate::promotion::approval::{
    self, Approver, Attested, Evidence, Identity, Outcome, People, Rules, Subject, Uncounted, Why,
};
use crate::reconcile::checks::Ask;
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
    /// The open pull request whose review gives one too, by its number.
    pub pull: Option<u64>,
    /// What was judged.
    pub weighed: Weighed,
}

/// What is judged: a change, and what people said of it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Weighed {
    /// The rules.
    pub rules: Rules,
    /// The names that the image has, at least one.
    pub images: Vec<Image>,
    /// The tag that comes.
    pub tag: Tag,
    /// Its digest.
    pub digest: Digest,
    /// What goes, as entries name it.
    pub replaces: Vec<String>,
    /// When the stage was moved from what comes to what goes, if it was.
    pub left: Option<Timestamp>,
    /// What people said.
    pub evidence: Vec<Evidence>,
    /// What shows who asked for it, where a person did.
    pub asking: Vec<Attested>,
}

impl Weighed {
    /// What it comes to.
    pub fn judge(&self, people: &People, now: Timestamp) -> Outcome {
        let images: Vec<&Image> = self.images.iter().collect();
        let (subject, asking) = (self.subject(&images), &self.asking);
        approval::judge(&self.rules, people, subject, &self.evidence, asking, now)
    }

    fn subject<'a>(&'a self, images: &'a [&'a Image]) -> Subject<'a> {
        Subject {
            images,
            tag: &self.tag,
            digest: &self.digest,
            replaces: &self.replaces,
            left: self.left,
        }
    }
}

impl Asked {
    /// The same with what more people said, as reviewers of the open pull request `pull`; what it comes to is
    /// told as it is now.
    pub fn with(&self, more: Vec<Evidence>, pull: u64, people: &People, now: Timestamp) -> Self {
        let mut asked = self.clone();
        asked.pull = Some(pull);
        asked.weighed.evidence.extend(more);
        asked.outcome = asked.weighed.judge(people, now);
        asked.from = left(&asked.weighed.rules.from, people, &asked.outcome);
        asked
    }

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
        let command = &self.command;
        match (self.weighed.rules.identity, self.pull) {
            (Identity::Forge, Some(pull)) => {
                write!(f, "; an approving review of pull request #{pull} gives it")
            }
            (Identity::Forge, None) => {
                write!(
                    f,
                    "; `{command}` gives it by a pull request, whose merge and approving reviews count"
                )
            }
            (Identity::Signed | Identity::Author, _) => write!(f, "; `{command}` gives it"),
        }
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
    /// It can't be told before these are asked.
    Unasked(Vec<Ask>),
}

impl Case<'_> {
    /// The step that a decision to deploy comes to, once it has the consents that it needs, what must be asked
    /// for that, and when that changes by the clock alone.
    pub(super) fn unless_unapproved(
        &self,
        step: Step,
        mut open: Open,
    ) -> (Step, Open, Option<Timestamp>) {
        let mut change = match step {
            Step::Change(change) => change,
            other => return (other, open, None),
        };
        let (lack, expires) = self.consents_to_deploy(&mut change);
        let step = match lack {
            Lack::Nothing => Step::Change(change),
            Lack::History => Step::Blocked(Blocked::History),
            Lack::Unasked(mut asks) => {
                open.asks.append(&mut asks);
                Step::Undecided
            }
            Lack::Consents(asked) => Step::Waiting(Waiting {
                change,
                missing: vec![Missing::Approval(asked)],
            }),
        };
        (step, open, expires)
    }

    /// What a decision to deploy lacks. The entry itself is the consent of whoever is behind it.
    fn consents_to_deploy(&self, change: &mut Change) -> (Lack, Option<Timestamp>) {
        let rules = self.app.stages[self.key.stage].consents.deploys.as_ref();
        let Some((rules, (place, _))) = rules.zip(self.deploying()) else {
            return (Lack::Nothing, None);
        };
        self.weigh(rules, change, Some(place))
    }

    /// What a change lacks that the service would make by itself.
    pub(super) fn consents_to(&self, change: &mut Change) -> (Lack, Option<Timestamp>) {
        match &self.app.stages[self.key.stage].consents.changes {
            Some(rules) => self.weigh(rules, change, None),
            None => (Lack::Nothing, None),
        }
    }

    /// Judges what people said, of the decision to deploy at `deploy` if it is that; what counts goes into the
    /// change.
    fn weigh(
        &self,
        Approvals { rules, .. }: &Approvals,
        change: &mut Change,
        deploy: Option<usize>,
    ) -> (Lack, Option<Timestamp>) {
        if rules.required == 0 {
            return (Lack::Nothing, None);
        }
        let mut weighed = Weighed {
            rules: rules.clone(),
            images: self.app.names().cloned().collect(),
            tag: change.tag.clone(),
            digest: change.digest.clone(),
            replaces: names_of(&change.from),
            left: self.left(change),
            evidence: Vec::new(),
            asking: Vec::new(),
        };
        let images: Vec<&Image> = self.app.names().collect();
        let gathered = self.gathered(rules, weighed.subject(&images), deploy);
        if !gathered.unasked.is_empty() {
            return (Lack::Unasked(gathered.unasked), None);
        }
        (weighed.evidence, weighed.asking) = (gathered.evidence, gathered.asking);
        if deploy.is_none() {
            // Whoever had a stage before run what this one takes asked for it.
            let asking = self.asked_by(&change.tag).map(Attested::Commit);
            weighed.asking.extend(asking);
        }
        let outcome = weighed.judge(&self.facts.people, self.facts.now);
        change.approved.clone_from(&outcome.counted);
        let expires = [outcome.expires, gathered.again]
            .into_iter()
            .flatten()
            .min();
        if outcome.missing() == 0 {
            return (Lack::Nothing, expires);
        }
        // In a working tree nobody is known, and no history tells more.
        let is_read = !matches!(self.facts.history, History::NotConsulted);
        if is_read && outcome.lacks_history() {
            return (Lack::History, expires);
        }
        let asked = self.asked(weighed, outcome);
        (Lack::Consents(Box::new(asked)), expires)
    }

    /// When the stage was moved from what the change brings to what runs, if it was.
    fn left(&self, change: &Change) -> Option<Timestamp> {
        let standing = self.facts.standing(self.key)?;
        let before = standing.before.as_ref()?;
        (before.tag == change.tag).then_some(standing.since)
    }

    fn asked(&self, weighed: Weighed, outcome: Outcome) -> Asked {
        let (app, stage) = (&self.app.name, &self.app.stages[self.key.stage].name);
        let (tag, digest) = (&weighed.tag, &weighed.digest);
        let entry = Decision::Approve {
            what: Decided {
                image: self.app.image.clone(),
                tag: tag.clone(),
                digest: Some(digest.clone()),
            },
            replaces: weighed.replaces.first().cloned(),
        };
        Asked {
            from: left(&weighed.rules.from, &self.facts.people, &outcome),
            file: file_of(app.as_str(), stage.as_str()),
            entry: entry.entry(),
            command: format!("tagwright approve {} {tag}@{digest}", self.names()),
            pull: None,
            outcome,
            weighed,
        }
    }
}

/// The approvers of a stage behind whom there is somebody left who has not consented.
fn left(from: &[Approver], people: &People, outcome: &Outcome) -> Vec<String> {
    let left = |approver: &Approver| {
        let behind = people.behind(approver)?.into_iter();
        let left = behind.map(|person| person.name.as_str());
        let left: Vec<&str> = left
            .filter(|name| outcome.others.iter().any(|other| other == name))
            .collect();
        match (approver, left.is_empty()) {
            (_, true) => None,
            (Approver::Person(name), false) => Some(name.clone()),
            (group @ Approver::Group(_), false) => Some(format!("{group} ({})", left.join(", "))),
        }
    };
    from.iter().filter_map(left).collect()
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
