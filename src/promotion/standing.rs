//! What the commits of a branch come to for one stage: what it runs, since when, what it ran before,
//! and what a person went back from.
//!
//! Invariant: a fold over commits, the oldest first. Folding all of them, or going on from a standing
//! that was kept, gives the same. Times never go back and never lie in the future, whatever the clocks
//! of those who committed said.
//!
//! It refuses to take a move back for the service's own unless the service says that it made it.

use std::cmp::Ordering;

use jiff::Timestamp;

use super::{Held, Order, moved_back};

/// References that a stage is remembered to have run, the latest of them: enough for years of moves,
/// and what a person goes back to is nearly always among the last few.
const MAX_REMEMBERED: usize = 1000;

/// All references of a stage at one commit.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum References {
    /// Of each site, in any order; empty where there are none.
    Ordered(Vec<Held>),
    /// One of them can't be ordered, so that nothing is told until it can be again.
    Unordered,
}

/// Who made a commit, and when.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct By {
    /// The author's name; empty where it is not known any more.
    pub name: String,
    /// When it reached the branch, as its committer's clock said.
    pub at: Timestamp,
    /// The commit's id.
    pub commit: String,
}

/// What a person went back from: nothing up to and including it is to be chosen.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Bound {
    /// The highest reference that was left.
    pub from: Held,
    /// Who went back.
    pub by: By,
}

/// What a decision does to a bound.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Lift {
    /// A person approved this reference.
    Approved(Held),
    /// A person decided what is to run, whatever was before.
    Deployed,
}

/// What the service says of a change that it made.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Taken {
    /// What the stage ran before.
    pub from: Option<Held>,
    /// The bound that was still in force.
    pub rejected: Option<Bound>,
}

/// One commit, as far as it concerns a stage.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Event {
    /// Who made it.
    pub by: By,
    /// The stage's references after it.
    pub after: References,
    /// What the service says of it, where the service made it.
    pub service: Option<Taken>,
    /// Decisions that came with it.
    pub lifts: Vec<Lift>,
}

/// What a stage's past comes to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Standing {
    /// What it runs, the highest of its references; the last that could be told.
    pub runs: Option<Held>,
    /// Since when.
    pub since: Timestamp,
    /// What it ran before that, as far as the history was read.
    pub before: Option<Held>,
    /// What a person went back from, while that is in force.
    pub rejected: Option<Bound>,
    /// Whether it began with a decision what to deploy, and its references are as they were then.
    pub untouched: bool,
    /// The references of the last commit at which they could all be ordered.
    held: Vec<Held>,
    /// What it ran, the latest taken last; kept where tags have no places of their own.
    ran: Vec<Held>,
    /// The latest time seen.
    clock: Timestamp,
}

impl Standing {
    /// Begins with the first commit of which anything is known, at which a stage is taken as it is. `now`
    /// bounds all times; `ran` is what the stage is known to have run before, the oldest first.
    pub fn begin(order: Order<'_>, first: Event, ran: Vec<Held>, now: Timestamp) -> Self {
        let at = first.by.at.min(now);
        let taken = first.service.unwrap_or_default();
        let mut standing = Self {
            runs: None,
            since: at,
            before: taken.from,
            rejected: taken.rejected,
            untouched: first.lifts.contains(&Lift::Deployed),
            held: Vec::new(),
            ran,
            clock: at,
        };
        if let References::Ordered(held) = first.after {
            standing.remember(order, &held, true);
            standing.runs = standing.highest(order, &held);
            standing.held = held;
        }
        standing
    }

    /// Goes on with the next commit.
    pub fn step(&mut self, order: Order<'_>, event: Event, now: Timestamp) {
        let at = event.by.at.min(now).max(self.clock);
        self.clock = at;
        self.lift(order, &event.lifts);
        let References::Ordered(after) = event.after else {
            self.untouched = false;
            return;
        };
        self.untouched &= after == self.held;
        match event.service {
            Some(taken) => {
                self.remember(order, &after, true);
                self.rejected = taken.rejected;
            }
            None => {
                let from =
                    moved_back(&self.held, &after, |a, b| self.compare(order, a, b)).cloned();
                self.remember(order, &after, false);
                match from {
                    Some(from) => self.reject(order, from, By { at, ..event.by }),
                    None => self.went_on(order, &after),
                }
            }
        }
        let runs = self.highest(order, &after);
        if runs != self.runs {
            self.before = std::mem::replace(&mut self.runs, runs);
            self.since = at;
        }
        self.held = after;
    }

    fn lift(&mut self, order: Order<'_>, lifts: &[Lift]) {
        let Some(bound) = &self.rejected else { return };
        let lifted = |lift: &Lift| match lift {
            Lift::Deployed => true,
            Lift::Approved(held) => match order {
                Order::ByDigest => held.digest == bound.from.digest,
                Order::Ranked(_) | Order::ByTag => held.tag == bound.from.tag,
            },
        };
        if lifts.iter().any(lifted) {
            self.rejected = None;
        }
    }

    /// A person went back from `from`; a bound that is higher stays.
    fn reject(&mut self, order: Order<'_>, from: Held, by: By) {
        let higher = |bound: &Bound| self.compare(order, &bound.from, &from).is_gt();
        if !self.rejected.as_ref().is_some_and(higher) {
            self.rejected = Some(Bound { from, by });
        }
    }

    /// No move back: the bound is over where the stage is above it, or wholly at it again.
    fn went_on(&mut self, order: Order<'_>, after: &[Held]) {
        let Some(bound) = &self.rejected else { return };
        let against = |held: &Held| self.compare(order, held, &bound.from);
        let above = after.iter().any(|held| against(held).is_gt());
        let again = !after.is_empty() && after.iter().all(|held| against(held).is_ge());
        if above || again {
            self.rejected = None;
        }
    }

    fn highest(&self, order: Order<'_>, held: &[Held]) -> Option<Held> {
        let highest = held
            .iter()
            .max_by(|a, b| self.compare(order, a, b).then_with(|| a.cmp(b)));
        highest.cloned()
    }

    fn compare(&self, order: Order<'_>, a: &Held, b: &Held) -> Ordering {
        match order {
            Order::Ranked(compare) => compare(&a.tag, &b.tag),
            // What it never ran is newer than all that it ran.
            Order::ByTag | Order::ByDigest => {
                let place = |held: &Held| {
                    let at = self.ran.iter().rposition(|ran| same(order, ran, held));
                    at.unwrap_or(usize::MAX)
                };
                place(a).cmp(&place(b))
            }
        }
    }

    /// Notes what the stage runs; what the service took is newer than all before, even what had run
    /// already.
    fn remember(&mut self, order: Order<'_>, held: &[Held], by_service: bool) {
        if matches!(order, Order::Ranked(_)) {
            return;
        }
        for held in held {
            let known = self.ran.iter().position(|ran| same(order, ran, held));
            let was_there = self.held.iter().any(|before| same(order, before, held));
            match known {
                Some(at) if by_service && !was_there => {
                    self.ran.remove(at);
                }
                Some(_) => continue,
                None => {}
            }
            self.ran.push(held.clone());
        }
        let over = self.ran.len().saturating_sub(MAX_REMEMBERED);
        self.ran.drain(..over);
    }
}

/// Whether two references are one where tags have no places.
fn same(order: Order<'_>, a: &Held, b: &Held) -> bool {
    match order {
        Order::ByDigest => a.digest == b.digest,
        Order::Ranked(_) | Order::ByTag => a.tag == b.tag,
    }
}

#[cfg(test)]
mod tests;
