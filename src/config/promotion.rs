//! What a stage takes from the stages before it.
//!
//! Invariant: the stages before a stage are other stages of its app, and none comes before itself, however
//! far back: whatever is promoted has entered an app by a stage that nothing comes before.

use std::time::Duration;

use super::name::Name;
use super::raw_app::{After, Promote, RawStage};
use super::read::At;
use super::report::{Mistake, Report, Spot};
use crate::diag::suggest;
use crate::policy::Span;

/// What a stage takes, where other stages come before it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Entry {
    /// The stages before it, by their places in the app: at least one, each once, in the order written.
    pub after: Vec<usize>,
    /// How long a reference must have run in each of them without a break.
    pub soak: Duration,
    /// Which of those that have is taken.
    pub promote: Promote,
}

/// The same with names that may be of no stage.
#[derive(Debug)]
pub(super) struct Wanted(Option<Named>);

#[derive(Debug)]
struct Named {
    after: Vec<At<Name>>,
    spot: Spot,
    soak: Duration,
    promote: Promote,
}

/// What a stage wants to take; what is wrong is reported, and there may be no value.
pub(super) fn wanted(raw: &mut RawStage, report: &mut Report<'_>) -> Option<Wanted> {
    let after = raw.after.take();
    let (soak, promote) = (raw.soak.take(), raw.promote.take());
    let of_soak = soak.as_ref().map(|soak| ("soak", soak.key));
    let of_promote = promote.as_ref().map(|promote| ("promote", promote.key));
    let soak = optional(raw.soak.is_written(), soak)?;
    let promote = optional(raw.promote.is_written(), promote)?;
    let Some(At { value, spot, .. }) = after else {
        let alone = of_soak.into_iter().chain(of_promote);
        if raw.after.is_written() {
            return None;
        }
        let mut fits = true;
        for (key, spot) in alone {
            let message = format!("`{key}` means nothing without `after`");
            let hint = "`after` names the stage that a reference comes from";
            report.error(spot, Mistake::new(message).hint(hint));
            fits = false;
        }
        return fits.then_some(Wanted(None));
    };
    let After(after) = value;
    Some(Wanted(Some(Named {
        after,
        spot,
        soak: soak.map(|Span(soak)| soak).unwrap_or_default(),
        promote: promote.unwrap_or_default(),
    })))
}

/// The value of a key, if one is written; none at all where it could not be read.
fn optional<T>(is_written: bool, value: Option<At<T>>) -> Option<Option<T>> {
    match value {
        Some(at) => Some(Some(at.value)),
        None => (!is_written).then_some(None),
    }
}

/// What each of the stages of these `names` takes; what is wrong is reported, and there may be no value.
pub(super) fn resolve(
    wanted: Vec<Wanted>,
    names: &[&Name],
    report: &mut Report<'_>,
) -> Option<Vec<Option<Entry>>> {
    let spots: Vec<Option<Spot>> = wanted
        .iter()
        .map(|wanted| wanted.0.as_ref().map(|named| named.spot))
        .collect();
    let entries = wanted.into_iter().map(|Wanted(named)| match named {
        Some(named) => entry(named, names, report).map(Some),
        None => Some(None),
    });
    let entries: Vec<Option<Option<Entry>>> = entries.collect();
    let entries: Vec<Option<Entry>> = entries.into_iter().collect::<Option<_>>()?;
    let mut all = true;
    for (at, spot) in spots.into_iter().enumerate() {
        let Some(spot) = spot.filter(|_| comes_before_itself(at, &entries)) else {
            continue;
        };
        let message = format!("the stage `{}` comes before itself", names[at]);
        let hint =
            "nothing could ever enter these stages: one of them takes what is new, without `after`";
        report.error(spot, Mistake::new(message).hint(hint));
        all = false;
    }
    all.then_some(entries)
}

fn entry(named: Named, names: &[&Name], report: &mut Report<'_>) -> Option<Entry> {
    let mut after = Vec::new();
    let mut all = true;
    for At { value, spot, .. } in &named.after {
        let mistake = match names.iter().position(|name| *name == value) {
            Some(at) if after.contains(&at) => Mistake::new(format!("`{value}` is named twice")),
            Some(at) => {
                after.push(at);
                continue;
            }
            None => {
                let mistake = Mistake::new(format!("no stage of the app is named `{value}`"));
                let known = names.iter().map(|name| name.as_str());
                match suggest(value.as_str(), known) {
                    Some(near) => mistake.hint(format!("did you mean `{near}`?")),
                    None => mistake,
                }
            }
        };
        report.error(*spot, mistake);
        all = false;
    }
    let Named { soak, promote, .. } = named;
    all.then_some(Entry {
        after,
        soak,
        promote,
    })
}

/// Whether the stage at this place is among those before it, at whatever distance.
fn comes_before_itself(at: usize, entries: &[Option<Entry>]) -> bool {
    let before = |at: usize| {
        entries[at]
            .iter()
            .flat_map(|entry| entry.after.iter().copied())
    };
    let mut seen = vec![false; entries.len()];
    let mut open: Vec<usize> = before(at).collect();
    while let Some(next) = open.pop() {
        if next == at {
            return true;
        }
        if !std::mem::replace(&mut seen[next], true) {
            open.extend(before(next));
        }
    }
    false
}
