//! Apps of one group: their changes to a stage are made together, or none of them is.
//!
//! Invariant: no change of a group's own is made to a stage while another app of the group has something newer
//! there that is not written yet, whatever stops it. An app that has nothing newer holds nobody up. What a
//! person decided to deploy waits for nobody; as long as it waits for consents or can't be written, the others
//! wait for it.
//!
//! Which commit or pull request makes the changes is not decided here.

use std::collections::BTreeMap;
use std::fmt;

use super::case::Case;
use super::{Missing, Plan, StagePlan, Step, Waiting};
use crate::config::{App, Name};
use crate::reconcile::claims::StageKey;

/// Apps of a group that are told one by one; a reader looks up the others where they are planned.
const MOST_TOLD: usize = 3;

/// The apps of a group that hold up a change.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Mates {
    group: Name,
    /// What each is called, and what it says of itself, at least one.
    told: Vec<(String, String)>,
    /// Whether there may be a pull request all the same.
    pub(super) may_be_proposed: bool,
    /// Whether one may be opened all the same.
    pub(super) may_be_opened: bool,
}

impl Mates {
    /// Who they are, without what differs each time it is looked at.
    pub(super) fn brief(&self) -> String {
        let names = self.told.iter().map(|(name, _)| name.clone());
        self.words(names)
    }

    fn words(&self, told: impl Iterator<Item = String>) -> String {
        let told: Vec<String> = told.take(MOST_TOLD).collect();
        let more = match self.told.len().saturating_sub(MOST_TOLD) {
            0 => String::new(),
            more => format!("; and {more} more"),
        };
        format!(
            "moves with its group `{}`, held up by {}{more}",
            self.group,
            told.join("; and ")
        )
    }
}

impl fmt::Display for Mates {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let told = self.told.iter();
        let told = told.map(|(name, words)| format!("{name}, which {words}"));
        f.write_str(&self.words(told))
    }
}

impl Case<'_> {
    /// The group with which the stage's own changes are made.
    pub(super) fn group(&self) -> Option<Name> {
        Some(self.app.group.as_ref()?.name.clone())
    }
}

/// An app that holds up the others of its group.
struct Holder {
    key: StageKey,
    name: String,
    words: String,
    may_be_proposed: bool,
    may_be_opened: bool,
}

/// A group and the name of a stage.
type Bond<'a> = (&'a Name, &'a Name);

/// Has changes wait that are held up by others of their group, and no others; says whether more wait now than
/// before.
pub(super) fn bind(plan: &mut Plan, apps: &[App]) -> bool {
    if apps.iter().all(|app| app.group.is_none()) {
        return false;
    }
    let before = plan.changes().count();
    for stage in &mut plan.stages {
        release(&mut stage.step);
    }
    let mut holders: BTreeMap<Bond<'_>, Vec<Holder>> = BTreeMap::new();
    for stage in &plan.stages {
        let app = &apps[stage.key.app];
        if let Some(group) = &app.group
            && let Some(holder) = holder(stage, app)
        {
            let bond = (&group.name, &app.stages[stage.key.stage].name);
            holders.entry(bond).or_default().push(holder);
        }
    }
    for stage in &mut plan.stages {
        let app = &apps[stage.key.app];
        let Some(group) = &app.group else { continue };
        let bond = (&group.name, &app.stages[stage.key.stage].name);
        let others = holders.get(&bond).into_iter().flatten();
        let others = others.filter(|holder| holder.key != stage.key);
        let broken = group.broken.as_deref();
        if let Some(mates) = mates(&group.name, others, broken) {
            hold_up(&mut stage.step, mates);
        }
    }
    plan.changes().count() < before
}

/// Undoes what an earlier look at the group said.
fn release(step: &mut Step) {
    let Step::Waiting(waiting) = step else { return };
    let is_of_group = |missing: &Missing| matches!(missing, Missing::Group(_));
    waiting.missing.retain(|missing| !is_of_group(missing));
    if waiting.missing.is_empty() {
        *step = Step::Change(waiting.change.clone());
    }
}

fn hold_up(step: &mut Step, mates: Mates) {
    let missing = Missing::Group(Box::new(mates));
    match step {
        Step::Change(change) if change.group.is_some() => {
            *step = Step::Waiting(Waiting {
                change: change.clone(),
                missing: vec![missing],
            });
        }
        Step::Waiting(waiting) if waiting.change.group.is_some() => waiting.missing.push(missing),
        _ => {}
    }
}

/// What a stage holds up the others with, if it does.
fn holder(stage: &StagePlan, app: &App) -> Option<Holder> {
    let (words, waiting) = match &stage.step {
        Step::Change(_) => return None,
        Step::UpToDate | Step::Blocked(_) if stage.rests => return None,
        Step::UpToDate => ("has something newer that is too young yet".to_owned(), None),
        Step::Waiting(waiting) => {
            let words = format!("waits for {}: {}", waiting.change.tag, waiting.words());
            (words, Some(waiting))
        }
        Step::Undecided => ("is not decided yet".to_owned(), None),
        Step::Blocked(blocked) => (format!("does not change: {blocked}"), None),
    };
    Some(Holder {
        key: stage.key,
        name: app.name.to_string(),
        words,
        may_be_proposed: waiting.is_some_and(Waiting::may_be_proposed),
        may_be_opened: waiting.is_some_and(Waiting::may_be_opened),
    })
}

fn mates<'h>(
    group: &Name,
    holders: impl Iterator<Item = &'h Holder>,
    broken: Option<&str>,
) -> Option<Mates> {
    let mut mates = Mates {
        group: group.clone(),
        told: Vec::new(),
        may_be_proposed: broken.is_none(),
        may_be_opened: broken.is_none(),
    };
    let broken = broken.map(|file| (file.to_owned(), "has mistakes".to_owned()));
    mates.told.extend(broken);
    for holder in holders {
        let told = (holder.name.clone(), holder.words.clone());
        mates.told.push(told);
        mates.may_be_proposed &= holder.may_be_proposed;
        mates.may_be_opened &= holder.may_be_opened;
    }
    (!mates.told.is_empty()).then_some(mates)
}
