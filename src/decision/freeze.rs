//! Freezes: stops of stages by name, whatever the app.
//!
//! Invariant: a freeze says when it begins and ends, and a release ends those above it; so that the file,
//! like those of single stages, can be only added to. Who and when come from Git.

use jiff::Timestamp;

use super::items::{Fields, items};
use super::read::Mistake;
use super::write::quoted;
use crate::diag::Position;

/// The keys of a freeze.
const FREEZE: [&str; 4] = ["stages", "from", "until", "reason"];

/// The keys of a release.
const RELEASE: [&str; 2] = ["release", "stages"];

/// Stages by name.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Stages {
    /// Every stage of every app.
    All,
    /// Those of these names.
    Named(Vec<String>),
}

/// One entry of the freezes file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Freezing {
    /// Nothing of these stages is to be changed.
    Freeze {
        /// Which stages.
        stages: Stages,
        /// From when; from the commit on without.
        from: Option<Timestamp>,
        /// Until when; until it is released without.
        until: Option<Timestamp>,
        /// Why.
        reason: Option<String>,
    },
    /// What is above is over for these stages.
    Release(Stages),
}

/// A freeze of a stage, at some time.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Frozen<'f> {
    /// Which entry.
    pub entry: usize,
    /// Why.
    pub reason: Option<&'f str>,
    /// Until when; until it is released without.
    pub until: Option<Timestamp>,
}

impl Stages {
    /// Whether a stage of this name is among them.
    pub fn has(&self, stage: &str) -> bool {
        match self {
            Self::All => true,
            Self::Named(names) => names.iter().any(|name| name == stage),
        }
    }

    fn key(&self) -> Option<String> {
        match self {
            Self::All => None,
            Self::Named(names) => Some(format!("stages: [{}]", names.join(", "))),
        }
    }
}

impl Freezing {
    /// The stages that it is about.
    pub fn stages(&self) -> &Stages {
        match self {
            Self::Freeze { stages, .. } | Self::Release(stages) => stages,
        }
    }

    /// The entry as text, ready to be pasted at the end of the freezes file.
    pub fn entry(&self) -> String {
        let keys = match self {
            Self::Release(stages) => vec![Some("release: true".to_owned()), stages.key()],
            Self::Freeze {
                stages,
                from,
                until,
                reason,
            } => vec![
                stages.key(),
                from.map(|from| format!("from: {from}")),
                until.map(|until| format!("until: {until}")),
                // Something has to be there.
                Some(reason.as_deref().unwrap_or("frozen"))
                    .map(|reason| format!("reason: {}", quoted(reason))),
            ],
        };
        let keys: Vec<String> = keys.into_iter().flatten().collect();
        format!("- {}\n", keys.join("\n  "))
    }
}

/// Reads the entries of the freezes file, in the order written, each with its place.
///
/// # Errors
/// Everything that is wrong with it.
pub fn read(text: &str) -> Result<Vec<(Freezing, Position)>, Vec<Mistake>> {
    let (entries, mistakes) = scan(text);
    match mistakes.is_empty() {
        true => Ok(entries),
        false => Err(mistakes),
    }
}

/// The entries that can be understood, whatever is wrong with others: enough to tell who wrote what and
/// when, and not to go by.
pub fn legible(text: &str) -> Vec<Freezing> {
    let (entries, _) = scan(text);
    entries.into_iter().map(|(entry, _)| entry).collect()
}

/// The freezes of a stage that are in force at `now`, in the order of `entries`.
pub fn in_force<'f>(
    entries: impl IntoIterator<Item = &'f Freezing>,
    stage: &str,
    now: Timestamp,
) -> Vec<Frozen<'f>> {
    let over = |until: Option<Timestamp>| until.is_some_and(|until| until <= now);
    let begun = |from: Option<Timestamp>| from.is_none_or(|from| from <= now);
    let all = unreleased(entries, stage).into_iter();
    all.filter(|(from, frozen)| begun(*from) && !over(frozen.until))
        .map(|(_, frozen)| frozen)
        .collect()
}

/// When what is in force for a stage changes next, by the clock alone.
pub fn changes_at<'f>(
    entries: impl IntoIterator<Item = &'f Freezing>,
    stage: &str,
    now: Timestamp,
) -> Option<Timestamp> {
    let all = unreleased(entries, stage).into_iter();
    let times = all.flat_map(|(from, frozen)| [from, frozen.until]);
    times.flatten().filter(|time| *time > now).min()
}

/// A freeze that was not released, and from when it is in force.
type Unreleased<'f> = (Option<Timestamp>, Frozen<'f>);

fn unreleased<'f>(
    entries: impl IntoIterator<Item = &'f Freezing>,
    stage: &str,
) -> Vec<Unreleased<'f>> {
    let mut all = Vec::new();
    for (entry, freezing) in entries.into_iter().enumerate() {
        match freezing {
            other if !other.stages().has(stage) => {}
            Freezing::Release(_) => all.clear(),
            Freezing::Freeze {
                from,
                until,
                reason,
                ..
            } => {
                let (until, reason) = (*until, reason.as_deref());
                let frozen = Frozen {
                    entry,
                    reason,
                    until,
                };
                all.push((*from, frozen));
            }
        }
    }
    all
}

fn scan(text: &str) -> (Vec<(Freezing, Position)>, Vec<Mistake>) {
    let items = match items(text, "freezes") {
        Ok(items) => items,
        Err(mistake) => return (Vec::new(), vec![mistake]),
    };
    let mut mistakes = Vec::new();
    let mut entries = Vec::with_capacity(items.len());
    for mut fields in items {
        let entry = fields.freezing();
        match fields.mistakes.is_empty() {
            true => entries.push((entry, fields.at)),
            false => mistakes.append(&mut fields.mistakes),
        }
    }
    (entries, mistakes)
}

impl Fields {
    fn freezing(&mut self) -> Freezing {
        if self.keys().any(|key| key == "release") {
            self.check_keys(&RELEASE, "doesn't go with `release`");
            self.yes("release");
            return Freezing::Release(self.stages());
        }
        self.check_keys(&FREEZE, "is no key of a freeze");
        if self.keys().next().is_none() {
            let hint = "an empty one would stop everything: write a `reason` at least".to_owned();
            self.wrong(self.at, "says nothing", Some(hint));
        }
        let (stages, from, until) = (self.stages(), self.time("from"), self.time("until"));
        if let (Some(from), Some(until), Some(at)) = (from, until, self.place("until"))
            && until <= from
        {
            self.wrong(at, "ends before it begins", None);
        }
        Freezing::Freeze {
            stages,
            from,
            until,
            reason: self.text("reason"),
        }
    }

    fn stages(&mut self) -> Stages {
        if self.place("stages").is_none() {
            return Stages::All;
        }
        let mut names = Vec::new();
        for (at, name) in self.texts("stages").unwrap_or_default() {
            let plain = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '-';
            if name.is_empty() || !name.chars().all(plain) {
                let hint = "leave `stages` out for all of them".to_owned();
                self.wrong(at, format!("`{name}` is no stage's name"), Some(hint));
            }
            names.push(name);
        }
        Stages::Named(names)
    }
}

#[cfg(test)]
mod tests;
