//! What a stage may take from the stages before it.
//!
//! Invariant: nothing enters a stage that has others before it but what each of them ran alone, without a
//! break and for as long as is asked, and never moved back from since; with the digest that they ran. A stage
//! before it whose sites disagree, or that has no place in the order, offers nothing.
//!
//! What the policy of the stage makes of it is not looked at here.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::sync::Arc;
use std::time::Duration;

use jiff::{SignedDuration, Timestamp};

use super::case::Case;
use super::people::signed;
use super::{Blocked, Open, Step};
use crate::config::Entry;
use crate::image::{Digest, Tag};
use crate::policy::{Offered, Recorded};
use crate::promotion::Held;
use crate::promotion::approval::Act;
use crate::promotion::tenure::{Outcome, Served, same};
use crate::reconcile::claims::StageKey;
use crate::reconcile::running::Running;
use crate::reconcile::standings::{History, with_order};

/// What the stages before a stage offer.
pub(super) struct Offer {
    /// Their names, for people.
    names: String,
    soak: Duration,
    /// What they ran, the newest first.
    all: Vec<Offering>,
}

/// A reference that all of the stages before ran, or one of them.
struct Offering {
    held: Held,
    /// When the first of the stages came to it.
    since: Timestamp,
    fitness: Fitness,
}

/// Whether a reference may be taken.
enum Fitness {
    /// It may.
    Ready,
    /// It may from then on, if nothing happens.
    Soaks(Timestamp),
    /// It was replaced too soon.
    Short(Arc<str>),
    /// It may not.
    Unfit(Arc<str>),
}

/// What happens to a stage of which something is not known.
pub(super) type Unknown = Box<(Step, Open)>;

/// Something must be read first.
pub(super) fn undecided(open: Open) -> Unknown {
    Box::new((Step::Undecided, open))
}

/// Nothing is written.
pub(super) fn blocked(blocked: Blocked) -> Unknown {
    Box::new((Step::Blocked(blocked), Open::default()))
}

impl Case<'_> {
    /// What the stages before this one offer it.
    pub(super) fn offer(&self, entry: &Entry) -> Result<Offer, Unknown> {
        let mut served = Vec::new();
        let mut open = Open::default();
        for place in &entry.after {
            match self.served(*place, entry.soak) {
                Ok(told) => served.push((*place, told)),
                Err(unknown) => match *unknown {
                    (Step::Undecided, more) => open.append(more),
                    other => return Err(Box::new(other)),
                },
            }
        }
        if !open.is_empty() {
            return Err(undecided(open));
        }
        let names = served.iter().map(|(place, _)| self.name_of(*place));
        Ok(Offer {
            names: names.collect::<Vec<_>>().join(" and "),
            soak: entry.soak,
            all: self.together(&served, entry.soak),
        })
    }

    /// What the stage at this place of the app ran, and what each of it came to.
    pub(super) fn served(&self, place: usize, soak: Duration) -> Result<Vec<Served>, Unknown> {
        let key = StageKey {
            app: self.key.app,
            stage: place,
        };
        let name = self.name_of(place);
        let blocked = |why| blocked(Blocked::Before(why));
        let before = self.scene.case(key);
        match before.running() {
            Running::One(_) => {}
            Running::Nothing => {
                let why = format!("{name} has no site, so nothing is promoted from it");
                return Err(blocked(why));
            }
            Running::Split { highest, others } => {
                return Err(blocked(format!(
                    "{name} is split: it runs {highest} and {}, so nothing is promoted from it",
                    others.join(", ")
                )));
            }
            unordered @ Running::Unordered(_) => {
                return Err(blocked(format!(
                    "{name} runs {unordered}, which can't be ordered, so nothing is promoted from it"
                )));
            }
        }
        if self.facts.history == History::NotConsulted {
            return Err(blocked(format!(
                "what {name} ran, and for how long, is told by the branch's history, which is not read here"
            )));
        }
        match self.facts.tenures.get(&key) {
            Some(Some(tenures)) => Ok(with_order(before.policy, |order| {
                tenures.served(order, soak, self.facts.now)
            })),
            Some(None) => Err(self::blocked(Blocked::History)),
            None => {
                let mut open = Open::default();
                open.tenures.push(key);
                Err(undecided(open))
            }
        }
    }

    /// What shows who brought `tag` to a stage before this one, where it was a person.
    pub(super) fn asked_by(&self, tag: &Tag) -> Option<Act> {
        let entry = self.app.stages[self.key.stage].entry.as_ref()?;
        entry.after.iter().find_map(|place| {
            let served = self.served(*place, entry.soak).ok()?;
            served.into_iter().find(|own| own.held.tag == *tag)?.act
        })
    }

    /// What this stage runs.
    pub(super) fn running(&self) -> Running {
        let known = self.known();
        Running::of(self.policy, &self.sites, self.recorded(&known))
    }

    fn name_of(&self, place: usize) -> &str {
        self.app.stages[place].name.as_str()
    }

    /// What each reference comes to that any of the stages ran.
    fn together(&self, all: &[(usize, Vec<Served>)], soak: Duration) -> Vec<Offering> {
        let mut offered: Vec<Offering> = Vec::new();
        for (_, served) in all {
            for one in served {
                if offered
                    .iter()
                    .any(|offering| same(&offering.held, &one.held))
                {
                    continue;
                }
                let mut held = one.held.clone();
                let each = all.iter().map(|(place, served)| {
                    let own = served.iter().find(|own| same(&own.held, &held));
                    (self.name_of(*place), own)
                });
                let fitness = fitness(each, soak);
                for (_, served) in all {
                    let own = served.iter().find(|own| same(&own.held, &held));
                    let digest = own.and_then(|own| own.held.digest.clone());
                    held.digest = held.digest.or(digest);
                }
                let since = one.by.at;
                offered.push(Offering {
                    held,
                    since,
                    fitness,
                });
            }
        }
        offered
    }
}

/// What a reference comes to, given what it came to in each of the stages.
fn fitness<'a>(
    each: impl Iterator<Item = (&'a str, Option<&'a Served>)>,
    soak: Duration,
) -> Fitness {
    let (mut soaks, mut short) = (None, None);
    for (name, own) in each {
        let Some(own) = own else {
            return Fitness::Unfit(format!("has not run in {name}").into());
        };
        match &own.outcome {
            Outcome::Soaked => {}
            Outcome::Soaking { until } => soaks = soaks.max(Some(*until)),
            Outcome::Left(by) => {
                let who = signed(Some(by));
                return Fitness::Unfit(
                    format!("was left by {name}: {who} went back from it").into(),
                );
            }
            Outcome::Short(ran) => {
                let (ran, soak) = (length(*ran), span(soak));
                let words =
                    format!("ran in {name} for {ran} only, and has to soak there for {soak}");
                short.get_or_insert(words);
            }
        }
    }
    match (short, soaks) {
        (Some(words), _) => Fitness::Short(words.into()),
        (None, Some(until)) => Fitness::Soaks(until),
        (None, None) => Fitness::Ready,
    }
}

impl Offer {
    /// What the policy may choose from; with `soaking`, also what has not soaked yet.
    pub(super) fn offered(&self, soaking: bool) -> Offered {
        let tags = self.all.iter().map(|offering| {
            let words = match &offering.fitness {
                Fitness::Ready => None,
                Fitness::Soaks(_) if soaking => None,
                Fitness::Soaks(until) => {
                    Some(format!("soaks in {} until {until}", self.names).into())
                }
                Fitness::Short(words) | Fitness::Unfit(words) => Some(Arc::clone(words)),
            };
            (offering.held.tag.clone(), words)
        });
        // Of one tag with two digests neither may be taken for the other.
        let mut all = BTreeMap::new();
        for (tag, words) in tags {
            let known: &mut Option<Arc<str>> = all.entry(tag).or_insert_with(|| words.clone());
            if known.is_none() {
                known.clone_from(&words);
            }
        }
        Offered {
            tags: all,
            others: format!("has not run in {}", self.names).into(),
        }
    }

    /// The tags offered, whether or not they may be taken.
    pub(super) fn tags(&self) -> impl Iterator<Item = &Tag> {
        self.all.iter().map(|offering| &offering.held.tag)
    }

    /// What ran under `tag`.
    pub(super) fn held(&self, tag: &Tag) -> Option<&Held> {
        let mut all = self.all.iter().map(|offering| &offering.held);
        all.find(|held| held.tag == *tag)
    }

    /// Until when `tag` soaks, if it does.
    pub(super) fn soaks(&self, tag: &Tag) -> Option<Timestamp> {
        let mut all = self.all.iter().filter(|offering| offering.held.tag == *tag);
        all.find_map(|offering| match &offering.fitness {
            Fitness::Soaks(until) => Some(*until),
            _ => None,
        })
    }

    /// When the first of what soaks has soaked.
    pub(super) fn changes_at(&self) -> Option<Timestamp> {
        let all = self
            .all
            .iter()
            .filter_map(|offering| match &offering.fitness {
                Fitness::Soaks(until) => Some(*until),
                _ => None,
            });
        all.min()
    }

    /// The names of the stages before, for people.
    pub(super) fn names(&self) -> &str {
        &self.names
    }

    /// Why a tag that is offered is the choice.
    pub(super) fn reason(&self, tag: &Tag, policy: &str, best: &str) -> String {
        let mut words = format!(
            "{tag} is the {best} that {policy} accepts of what {} ran",
            self.names
        );
        if !self.soak.is_zero() {
            let _ = write!(words, " for {}", span(self.soak));
        }
        words
    }

    /// What is said where references are replaced before they have soaked, each time.
    pub(super) fn too_fast(&self, newer: impl Fn(&Tag) -> bool) -> Option<String> {
        let newer = || self.all.iter().filter(|offering| newer(&offering.held.tag));
        let ready = newer().any(|offering| matches!(offering.fitness, Fitness::Ready));
        let short = newer().filter(|offering| matches!(offering.fitness, Fitness::Short(_)));
        let count = short.count();
        (count > 0 && !ready).then(|| {
            let (names, soak) = (&self.names, span(self.soak));
            format!(
                "{names} replaced {count} of them before they had soaked for {soak}; with `promote: queue` it \
                 waits until each is taken"
            )
        })
    }

    /// What was offered by its digest that is newer than what a stage `runs` since a time, the newest first,
    /// with until when it soaks, if it does. Where those before never ran that, only what they came to later
    /// is newer.
    pub(super) fn newer(
        &self,
        runs: Option<&Digest>,
        since: Option<Timestamp>,
    ) -> Vec<(&Held, Option<Timestamp>)> {
        let is_it = |offering: &&Offering| offering.held.digest.as_ref() == runs;
        let known = runs.is_none() || self.all.iter().any(|offering| is_it(&offering));
        let later = |offering: &&Offering| known || since.is_some_and(|at| offering.since > at);
        let newer = self.all.iter().take_while(|offering| !is_it(offering));
        let newer = newer.filter(later).filter_map(|offering| {
            offering.held.digest.as_ref()?;
            match &offering.fitness {
                Fitness::Ready => Some((&offering.held, None)),
                Fitness::Soaks(until) => Some((&offering.held, Some(*until))),
                Fitness::Short(_) | Fitness::Unfit(_) => None,
            }
        });
        newer.collect()
    }
}

/// A length of time as people say it, in its two largest units.
pub(super) fn length(time: SignedDuration) -> String {
    let seconds = time.as_secs().max(0);
    let units = [
        (seconds / 86_400, "d"),
        (seconds / 3_600 % 24, "h"),
        (seconds / 60 % 60, "m"),
        (seconds % 60, "s"),
    ];
    let first = units.iter().position(|(count, _)| *count > 0);
    let first = first.unwrap_or(units.len() - 1);
    let told = units[first..].iter().take(2);
    let told: Vec<String> = told
        .enumerate()
        .filter(|(place, (count, _))| *place == 0 || *count > 0)
        .map(|(_, (count, unit))| format!("{count}{unit}"))
        .collect();
    told.join(" ")
}

/// A configured length of time.
fn span(time: Duration) -> String {
    length(SignedDuration::try_from(time).unwrap_or(SignedDuration::MAX))
}

/// What is known where nothing may be asked.
pub(super) fn unasked<'a>(recorded: Recorded<'a>) -> Recorded<'a> {
    Recorded {
        times: recorded.times,
        ..Recorded::default()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_length_has_two_units_at_most() {
        for (seconds, words) in [
            (0, "0s"),
            (-5, "0s"),
            (59, "59s"),
            (60, "1m"),
            (3_661, "1h 1m"),
            (86_400, "1d"),
            (86_459, "1d"),
            (90_000, "1d 1h"),
        ] {
            assert_eq!(length(SignedDuration::from_secs(seconds)), words);
        }
    }
}
