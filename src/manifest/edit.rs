//! Splicing new values into a file, and giving up where that isn't provably all that changed.
//!
//! Invariant: the result differs from the original only in the spans of the edits that are returned,
//! and `verify` has seen that it reads as intended. A change that is refused leaves its site as it is.

use std::collections::hash_map::Entry;
use std::collections::{BTreeMap, HashMap};

use super::compose::{Put, compose};
use super::find::find;
use super::{Change, Edit, Field, FileIndex, Format, Reading, Refusal, Refused, Rewritten, Site};
use super::{index_with, read, together, value, verify};
use crate::diag::Position;

/// A scalar that is to be changed.
#[derive(Debug)]
pub(super) struct Splice<'s> {
    pub(super) field: &'s Field,
    /// What the scalar is to say.
    pub(super) text: String,
    /// The bytes that say it.
    pub(super) written: String,
    pub(super) site: usize,
}

pub(super) fn rewrite(
    reading: Reading<'_>,
    bytes: &[u8],
    index: &FileIndex,
    changes: &[Change<'_>],
) -> Rewritten {
    let mut rewritten = Rewritten {
        bytes: bytes.to_vec(),
        edits: Vec::new(),
        refused: Vec::new(),
    };
    let tree = match reading.format {
        Format::Text(_) => None,
        _ => read(reading, bytes).ok().flatten(),
    };
    let same = match &tree {
        Some(tree) => find(reading, tree) == *index,
        None => index_with(reading.format, bytes, reading.targets) == *index,
    };
    let text = std::str::from_utf8(bytes);
    let (true, Ok(text)) = (same, text) else {
        return refuse_all(rewritten, index, changes, &Refusal::Stale);
    };
    let splices = plan(index, changes, &mut rewritten.refused);
    if splices.is_empty() {
        return rewritten;
    }
    let spliced = splice(text, splices.values());
    let verified = match &tree {
        Some(tree) => verify::verify(reading, tree, index, &splices, &spliced),
        None => verify::verify_text(reading, text, index, &splices, &spliced),
    };
    if let Err(found) = verified {
        let reason = Refusal::Unverified { found };
        return refuse_all(rewritten, index, changes, &reason);
    }
    rewritten.bytes = spliced.into_bytes();
    rewritten.edits = splices.into_values().map(edit).collect();
    rewritten
}

/// The splices by where they start, without those that change nothing; the rest is refused.
fn plan<'s>(
    index: &'s FileIndex,
    changes: &[Change<'_>],
    refused: &mut Vec<Refused>,
) -> BTreeMap<u32, Splice<'s>> {
    let mut wanted: HashMap<usize, &Change<'_>> = HashMap::new();
    let mut outcomes = BTreeMap::new();
    for change in changes {
        if let (Some(site), Entry::Vacant(free)) =
            (index.sites.get(change.site), wanted.entry(change.site))
        {
            free.insert(change);
            outcomes.insert(change.site, splices_of(site, change));
        }
    }
    together::settle(index, &mut outcomes);

    for change in changes {
        let reason = match (wanted.get(&change.site), outcomes.get(&change.site)) {
            (Some(first), _) if first.target != change.target => Refusal::Conflict,
            (_, Some(Err(reason))) => reason.clone(),
            (_, Some(Ok(_))) => continue,
            (_, None) => Refusal::Stale,
        };
        refused.push(refusal(index, change.site, reason));
    }
    let mut splices = BTreeMap::new();
    for splice in outcomes.into_values().filter_map(Result::ok).flatten() {
        // Of the sites that share a scalar, the first in the text is named.
        splices.entry(splice.field.start).or_insert(splice);
    }
    splices
}

fn splices_of<'s>(site: &'s Site, change: &Change<'_>) -> Result<Vec<Splice<'s>>, Refusal> {
    let splice = |Put { field, text }| {
        let written = value::encode(&text, field.style)?;
        Ok(Splice {
            field,
            text,
            written,
            site: change.site,
        })
    };
    compose(site, &change.target)?
        .into_iter()
        .map(splice)
        .collect()
}

fn splice<'a, 's: 'a>(text: &str, splices: impl Iterator<Item = &'a Splice<'s>>) -> String {
    let mut spliced = String::with_capacity(text.len() + 128);
    let mut done = 0;
    for splice in splices {
        spliced.push_str(&text[done..splice.field.start as usize]);
        spliced.push_str(&splice.written);
        done = splice.field.end as usize;
    }
    spliced.push_str(&text[done..]);
    spliced
}

fn edit(splice: Splice<'_>) -> Edit {
    Edit {
        position: splice.field.position,
        old: splice.field.text.clone(),
        new: splice.text,
        site: splice.site,
    }
}

fn refusal(index: &FileIndex, site: usize, reason: Refusal) -> Refused {
    let start = Position { line: 1, column: 1 };
    Refused {
        site,
        position: index.sites.get(site).map_or(start, |site| site.position),
        reason,
    }
}

fn refuse_all(
    mut rewritten: Rewritten,
    index: &FileIndex,
    changes: &[Change<'_>],
    reason: &Refusal,
) -> Rewritten {
    rewritten.refused = changes
        .iter()
        .map(|change| refusal(index, change.site, reason.clone()))
        .collect();
    rewritten
}
