//! What a stage ran, stretch by stretch, and which of it may be promoted.
//!
//! Invariant: a reference counts as having soaked only for a stretch in which the stage ran it alone and
//! without a break, and only if the stage never moved back from it later: what was left for something lower
//! is not promoted, however long it ran. What is older than what was read can add nothing higher.
//!
//! Nothing is read here; times come in as they count.

use std::cmp::Ordering;
use std::time::Duration;

use jiff::{SignedDuration, Timestamp};

use super::approval::Act;
use super::{By, Held, Order};

/// A stretch of time in which a stage ran the same.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Tenure {
    /// What it ran; `None` where its sites disagreed, or had no place in the order.
    pub runs: Option<Held>,
    /// Who began it, and when.
    pub by: By,
    /// How it began.
    pub turn: Turn,
    /// What shows who the person is that began it, where it was a person and somebody may have to know.
    pub act: Option<Act>,
}

/// How a stretch began.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Turn {
    /// With something newer, or nothing that was lower.
    On,
    /// With a move back to this; nothing higher that ran before is promoted any more.
    BackTo(Held),
    /// By somebody, where tags have no places that would tell whether it was a move back: nothing else that
    /// ran before is promoted any more.
    Unknown,
}

/// What a stage ran, the newest stretch first, as far back as it matters.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Tenures(pub Vec<Tenure>);

/// What a reference came to that a stage ran.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Served {
    /// The reference.
    pub held: Held,
    /// Who brought it.
    pub by: By,
    /// What shows who that is, where it was a person and somebody may have to know.
    pub act: Option<Act>,
    /// What it came to.
    pub outcome: Outcome,
}

/// What a reference came to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Outcome {
    /// It ran for long enough, or still does.
    Soaked,
    /// It runs, and will have run for long enough then.
    Soaking {
        /// When.
        until: Timestamp,
    },
    /// The stage moved back from it, by this.
    Left(By),
    /// It ran for so long only.
    Short(SignedDuration),
}

impl Outcome {
    /// The better one has the lower rank.
    fn rank(&self) -> u8 {
        match self {
            Self::Soaked => 0,
            Self::Soaking { .. } => 1,
            Self::Left(_) => 2,
            Self::Short(_) => 3,
        }
    }
}

/// Some stretches in a row with one reference.
struct Stretch {
    held: Held,
    /// Who began it, and when.
    by: By,
    act: Option<Act>,
    /// When something else came; it runs without.
    until: Option<Timestamp>,
}

impl Tenures {
    /// What each reference came to that the stage ran, the one that it ran last first. Of several stretches
    /// of one reference the best counts.
    pub fn served(&self, order: Order<'_>, soak: Duration, now: Timestamp) -> Vec<Served> {
        let mut all: Vec<Served> = Vec::new();
        let mut bar = Bar::default();
        let mut at = 0;
        let mut until = None;
        while at < self.0.len() {
            let stretch = self.stretch(order, at, until);
            let length = stretch.as_ref().map_or(1, |(_, length)| *length);
            let turns = &self.0[at..at + length];
            if let Some((stretch, _)) = stretch {
                let outcome = match bar.over(order, &stretch.held) {
                    Some(by) => Outcome::Left(by.clone()),
                    None => stretch.outcome(soak, now),
                };
                let served = Served {
                    held: stretch.held,
                    by: stretch.by,
                    act: stretch.act,
                    outcome,
                };
                let known = all
                    .iter_mut()
                    .find(|known| is_one(order, &known.held, &served.held));
                match known {
                    Some(known) if known.outcome.rank() <= served.outcome.rank() => {}
                    Some(known) => *known = served,
                    None => all.push(served),
                }
            }
            for turn in turns {
                bar.lower(order, turn);
            }
            at += length;
            // What began this stretch ended the one before.
            until = Some(self.0[at - 1].by.at);
        }
        all
    }

    /// The stretch that ends with the tenure at this place, and how many tenures it has.
    fn stretch(
        &self,
        order: Order<'_>,
        at: usize,
        until: Option<Timestamp>,
    ) -> Option<(Stretch, usize)> {
        let mut held = self.0[at].runs.clone()?;
        let mut length = 1;
        for earlier in &self.0[at + 1..] {
            match &earlier.runs {
                Some(runs) if is_one(order, runs, &held) => {
                    // A digest that is written later is still the one that ran.
                    if held.digest.is_none() {
                        held.digest.clone_from(&runs.digest);
                    }
                    length += 1;
                }
                _ => break,
            }
        }
        let began = &self.0[at + length - 1];
        let stretch = Stretch {
            held,
            by: began.by.clone(),
            act: began.act.clone(),
            until,
        };
        Some((stretch, length))
    }

    /// Whether nothing older can matter to stages that run at least what `suffices` says of a reference: the
    /// stage ran something of that kind, and never moved back from it.
    pub fn reach(&self, order: Order<'_>, suffices: impl Fn(&Held) -> bool) -> bool {
        let mut bar = Bar::default();
        for tenure in &self.0 {
            let good = tenure
                .runs
                .as_ref()
                .filter(|held| bar.over(order, held).is_none());
            if good.is_some_and(&suffices) {
                return true;
            }
            bar.lower(order, tenure);
        }
        false
    }
}

impl Stretch {
    fn outcome(&self, soak: Duration, now: Timestamp) -> Outcome {
        let soak = SignedDuration::try_from(soak).unwrap_or(SignedDuration::MAX);
        let ran = self.until.unwrap_or(now).duration_since(self.by.at);
        match (ran >= soak, self.until) {
            (true, _) => Outcome::Soaked,
            (false, Some(_)) => Outcome::Short(ran),
            (false, None) => Outcome::Soaking {
                // A time beyond all times never comes.
                until: self.by.at.checked_add(soak).unwrap_or(Timestamp::MAX),
            },
        }
    }
}

/// What the moves back seen so far leave to be promoted.
#[derive(Default)]
struct Bar {
    /// The lowest reference moved back to, and who did it.
    to: Option<(Held, By)>,
    /// Who came in between where nobody knows.
    unknown: Option<By>,
}

impl Bar {
    /// Who moved back from `held`, if anybody did.
    fn over(&self, order: Order<'_>, held: &Held) -> Option<&By> {
        let moved = self.to.as_ref().filter(|(to, _)| match order {
            Order::Ranked(compare) => compare(&held.tag, &to.tag).is_gt(),
            Order::ByTag | Order::ByDigest => true,
        });
        moved.map(|(_, by)| by).or(self.unknown.as_ref())
    }

    fn lower(&mut self, order: Order<'_>, tenure: &Tenure) {
        match &tenure.turn {
            Turn::On => {}
            Turn::Unknown => self.unknown = Some(tenure.by.clone()),
            Turn::BackTo(to) => {
                let lower = |(known, _): &(Held, By)| match order {
                    Order::Ranked(compare) => compare(&to.tag, &known.tag) == Ordering::Less,
                    Order::ByTag | Order::ByDigest => false,
                };
                if self.to.as_ref().is_none_or(lower) {
                    self.to = Some((to.clone(), tenure.by.clone()));
                }
            }
        }
    }
}

/// Whether two references are one: where a tag is followed, only if both say so by their digests.
fn is_one(order: Order<'_>, a: &Held, b: &Held) -> bool {
    match order {
        Order::ByDigest => a.digest.is_some() && a.digest == b.digest,
        Order::Ranked(_) | Order::ByTag => same(a, b),
    }
}

/// Whether two references are one, as far as they say.
pub fn same(a: &Held, b: &Held) -> bool {
    let digests = match (&a.digest, &b.digest) {
        (Some(a), Some(b)) => a == b,
        (None, _) | (_, None) => true,
    };
    a.tag == b.tag && digests
}

#[cfg(test)]
mod tests;
