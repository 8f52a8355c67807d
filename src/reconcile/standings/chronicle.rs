//! What happened to stages, as it is told to whoever asks.
//!
//! Invariant: the newest comes first, and an answer has a bound.

use std::cmp::Ordering;

use super::line::{Commit, Holds, Line, Listener, Move, Wish, walk};
use super::{Name, name};
use crate::git::{CommitId, CommitInfo};
use crate::image::Tag;
use crate::policy::{self, Order, Policy, Recorded};
use crate::promotion::{By, References, moved_back};
use crate::reconcile::claims::StageKey;
use crate::reconcile::decided::Written;
use crate::reconcile::history::{Event, Hand, History, Question, What, reason, subject};
use crate::reconcile::source::Error;
use crate::reconcile::trailer::{Trailer, approvers};

/// Most events of one answer, some tens of megabytes.
const MAX_EVENTS: usize = 100_000;

/// Tells what happened, as far as the `question` goes.
///
/// # Errors
/// When the mirror can't be read.
pub fn tell(line: Line<'_>, question: &Question) -> Result<History, Error> {
    let (head, snapshot) = (line.head, line.snapshot);
    let asked = |key: &&StageKey| {
        let (app, stage) = name(snapshot, **key);
        question.is_about(&app, &stage)
    };
    let stages: Vec<StageKey> = snapshot
        .claims
        .stages
        .keys()
        .filter(asked)
        .copied()
        .collect();
    let mut chronicle = Chronicle {
        question,
        most: question.most.unwrap_or(MAX_EVENTS).min(MAX_EVENTS),
        events: Vec::new(),
    };
    let end = walk(line, &stages, &mut chronicle)?;
    let mut events = chronicle.events;
    events.truncate(chronicle.most);
    Ok(History {
        head,
        stages: stages.len(),
        events,
        end,
    })
}

struct Chronicle<'a> {
    question: &'a Question,
    most: usize,
    events: Vec<Event>,
}

impl Chronicle<'_> {
    fn push(&mut self, name: &Name, by: By, what: What, why: String) {
        let (app, stage) = name.clone();
        self.events.push(Event {
            app,
            stage,
            by,
            what,
            why,
            approved: Vec::new(),
        });
    }

    fn is_about(&self, written: &Written) -> bool {
        match (written, &self.question.stage) {
            (Written::Freezing(freezing), Some(stage)) => freezing.stages().has(stage),
            _ => true,
        }
    }
}

impl Listener for Chronicle<'_> {
    fn service(&mut self, name: &Name, trailer: &Trailer<'_>, at: Commit<'_>) -> Wish {
        let what = What::Changed {
            from: trailer.from.iter().map(ToString::to_string).collect(),
            to: vec![trailer.to.to_string()],
            hand: Hand::Service,
        };
        let message = &at.info.message;
        let why = reason(message, trailer.app, trailer.stage);
        self.push(name, at.by(), what, why);
        if let Some(event) = self.events.last_mut() {
            let names = approvers(message, trailer.app, trailer.stage);
            event.approved = names.map(subject).collect();
        }
        Wish::More
    }

    fn person(&mut self, name: &Name, change: &Move<'_>, at: Commit<'_>) -> Wish {
        let hand = match is_back(change.policy, change.before, change.after) {
            true => Hand::Back,
            false => Hand::Person,
        };
        let (from, to) = change.difference.clone();
        let what = What::Changed { from, to, hand };
        self.push(name, at.by(), what, subject(&at.info.message));
        Wish::More
    }

    fn began(&mut self, name: &Name, holds: &Holds, at: Commit<'_>) {
        let mut runs = holds.written.clone();
        runs.dedup();
        self.push(name, at.by(), What::Began(runs), subject(&at.info.message));
    }

    fn wants_decisions(&self, about: Option<(&str, &str)>) -> bool {
        about.is_none_or(|(app, stage)| self.question.is_about(app, stage))
    }

    fn decided(&mut self, name: &Name, written: &Written, by: By) {
        if self.is_about(written) {
            let why = written.reason().map(subject).unwrap_or_default();
            self.push(name, by, What::Decided(written.clone()), why);
        }
    }

    fn withdrawn(&mut self, name: &Name, written: &Written, at: Commit<'_>) {
        if self.is_about(written) {
            let what = What::Withdrawn(written.clone());
            self.push(name, at.by(), what, subject(&at.info.message));
        }
    }

    fn reaches(&mut self, info: &CommitInfo) -> Wish {
        let since = self.question.since;
        let too_old = since.is_some_and(|since| info.committed < since);
        match too_old || self.events.len() >= self.most {
            true => Wish::Enough,
            false => Wish::More,
        }
    }

    fn knows(&mut self, _: &Name, _: CommitId) -> bool {
        false
    }
}

/// Whether a stage was moved back, where tags have places that tell.
fn is_back(policy: &Policy, before: &Holds, after: &Holds) -> bool {
    let ranked = !matches!(policy.order, Order::Newest(_) | Order::Digest(_));
    let compare = |a: &Tag, b: &Tag| {
        let order = policy::compare(policy, a, b, Recorded::default());
        order.unwrap_or(Ordering::Equal)
    };
    match (&before.references, &after.references) {
        (References::Ordered(before), References::Ordered(after)) if ranked => {
            moved_back(before, after, |a, b| compare(&a.tag, &b.tag)).is_some()
        }
        _ => false,
    }
}
