//! The checks of a stage: what must be green before a change that nothing else stands against.
//!
//! Invariant: only an answer that is there, for this very change, and says yes lets it pass. Nobody is asked
//! while something else is missing, save where a pull request is to be opened meanwhile.

use std::collections::BTreeSet;

use jiff::Timestamp;

use super::case::Case;
use super::{Change, Missing, Open, Step, Waiting};
use crate::config::{Check, CheckOf, StatusGlob};
use crate::diag;
use crate::forge;
use crate::gate::{Question, Verdict};
use crate::git::CommitId;
use crate::promotion::Held;
use crate::promotion::tenure::same;
use crate::reconcile::checks::{Ask, Reply, Said, statuses};

/// Statuses that are told one by one.
const MOST_TOLD: usize = 3;

/// Longest name of a status that is told, in characters.
const LONGEST_NAME: usize = 80;

/// As many digits of a commit as Git itself shows of it in a large repository.
const SHORT: usize = 12;

impl Case<'_> {
    /// The step once the conditions of the stage are looked at, what must be asked for that, and when that
    /// changes by the clock alone.
    pub(super) fn unless_missing(
        &self,
        step: Step,
        open: Open,
        soaks: Option<Missing>,
    ) -> (Step, Open, Option<Timestamp>) {
        let (step, open, expires) = self.unless_waiting(step, open, soaks);
        self.unless_checked(step, open, expires)
    }

    /// The same once its checks are looked at too.
    fn unless_checked(
        &self,
        step: Step,
        mut open: Open,
        mut expires: Option<Timestamp>,
    ) -> (Step, Open, Option<Timestamp>) {
        let checks = &self.app.stages[self.key.stage].checks;
        let (change, mut missing) = match step {
            Step::Change(change) if !checks.is_empty() => (change, Vec::new()),
            Step::Waiting(waiting) if !checks.is_empty() && self.is_to_be_opened(&waiting) => {
                (waiting.change, waiting.missing)
            }
            other => return (other, open, expires),
        };
        for check in checks {
            let asks = self.asks(check, &change);
            if asks.is_empty() {
                missing.push(no_earlier_stage());
            }
            for ask in asks {
                let Some(told) = self.facts.asked.get(&ask) else {
                    open.asks.push(ask);
                    continue;
                };
                expires = [expires, told.again].into_iter().flatten().min();
                missing.extend(unmet(check, &ask, told));
            }
        }
        let step = match (open.asks.is_empty(), missing.is_empty()) {
            (false, _) => Step::Undecided,
            (true, true) => Step::Change(change),
            (true, false) => Step::Waiting(Waiting { change, missing }),
        };
        (step, open, expires)
    }

    /// Whether a change is proposed while it waits, and has not been yet.
    fn is_to_be_opened(&self, waiting: &Waiting) -> bool {
        self.facts.unopened.contains(&self.key) && waiting.may_be_opened()
    }

    /// What is asked for a check; nothing where there is no commit to ask for.
    fn asks(&self, check: &Check, change: &Change) -> Vec<Ask> {
        match &check.of {
            CheckOf::Gate(gate) => vec![Ask::Gate(
                gate.to_string(),
                Box::new(Question {
                    app: self.app.name.to_string(),
                    stage: self.app.stages[self.key.stage].name.to_string(),
                    image: self.app.image.clone(),
                    tag: change.tag.clone(),
                    digest: change.digest.clone(),
                }),
            )],
            CheckOf::Statuses(_) => self
                .brought_by(change)
                .into_iter()
                .map(Ask::Statuses)
                .collect(),
        }
    }

    /// The commits that brought what `change` writes to the stages before this one: none where one of them
    /// never ran it.
    fn brought_by(&self, change: &Change) -> BTreeSet<CommitId> {
        let Some(entry) = &self.app.stages[self.key.stage].entry else {
            return BTreeSet::new();
        };
        let held = Held {
            tag: change.tag.clone(),
            digest: Some(change.digest.clone()),
        };
        let brought = entry.after.iter().map(|place| {
            let served = self.served(*place, entry.soak).ok()?;
            let own = served.into_iter().find(|own| same(&own.held, &held))?;
            own.by.commit.parse().ok()
        });
        let all: Option<BTreeSet<CommitId>> = brought.collect();
        all.unwrap_or_default()
    }
}

fn no_earlier_stage() -> Missing {
    let words = "its statuses can't be read: no earlier stage runs it, so there is no commit of it";
    Missing::check(words, "", None)
}

/// What is missing of a check by what was told, if anything is.
fn unmet(check: &Check, ask: &Ask, told: &Reply) -> Option<Missing> {
    let what = match ask {
        Ask::Gate(name, _) => format!("check `{name}`"),
        Ask::Statuses(commit) | Ask::Merge(commit) => {
            format!("statuses of {}", short(*commit))
        }
    };
    let (brief, more) = match (&told.said, &check.of) {
        (Some(Said::Gate(Verdict::Green)), CheckOf::Gate(_)) => return None,
        (Some(Said::Gate(Verdict::No { status, words })), _) => {
            (format!("{what} says no (HTTP {status})"), words.clone())
        }
        (Some(Said::Gate(Verdict::Silent(words)) | Said::Unable(words)), _) => {
            (format!("{what} can't be had"), words.clone())
        }
        (Some(Said::Statuses(found)), CheckOf::Statuses(wanted)) => (
            format!("{what}: {}", not_green(wanted, found)?),
            String::new(),
        ),
        // An answer to something else is none.
        (Some(Said::Gate(Verdict::Green) | Said::Statuses(_) | Said::Merge(_)) | None, _) => (
            format!("{what}: asked, and not answered yet"),
            String::new(),
        ),
    };
    Some(Missing::check(brief, &more, told.again))
}

/// What keeps statuses from being green, if anything does.
fn not_green(wanted: &[StatusGlob], found: &forge::Checks) -> Option<String> {
    let unmet = statuses::unmet(wanted, found);
    if unmet.is_empty() {
        return None;
    }
    let each = unmet.iter().take(MOST_TOLD);
    let each: Vec<String> = each
        .map(|unmet| {
            let name = diag::quoted(&unmet.name, LONGEST_NAME);
            format!("`{name}` {}", unmet.state)
        })
        .collect();
    let more = match unmet.len().saturating_sub(MOST_TOLD) {
        0 => String::new(),
        more => format!(", and {more} more"),
    };
    Some(format!("{}{more}", each.join(", ")))
}

fn short(commit: CommitId) -> String {
    commit.to_string().chars().take(SHORT).collect()
}
