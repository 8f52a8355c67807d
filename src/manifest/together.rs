//! Scalars that several sites share by an anchor and its aliases: all of the sites change, or none.
//!
//! Invariant: after [`settle`], every site that shares a scalar is left with the same text for it, or
//! with no change of it. One that isn't asked to change, or was refused, keeps the text that is there.

use std::collections::BTreeMap;

use super::edit::Splice;
use super::{Field, FileIndex, Refusal};

/// What is to happen to a site.
pub(super) type Outcome<'s> = Result<Vec<Splice<'s>>, Refusal>;

/// Refuses the sites that want a shared scalar changed in which others have a share and don't.
pub(super) fn settle(index: &FileIndex, outcomes: &mut BTreeMap<usize, Outcome<'_>>) {
    let mut shares = shares(index);
    let mut open: Vec<u32> = shares.keys().copied().collect();
    // A scalar that some want otherwise leaves the map, since nobody changes it after that.
    while let Some(start) = open.pop() {
        let Some(uses) = shares.remove(&start) else {
            continue;
        };
        // A use that isn't asked to change follows a marker that speaks for all uses.
        let asked = |site: &usize| outcomes.contains_key(site);
        let leads = |site: &usize| index.sites.get(*site).is_some_and(|site| site.leads);
        let led = uses.iter().any(|(site, _)| leads(site) && asked(site));
        let follows = |site: &usize| led && !asked(site);
        let texts = uses
            .iter()
            .enumerate()
            .filter(|(_, (site, _))| !follows(site))
            .map(|(at, (site, field))| (at, wanted(outcomes.get(site), start, field)));
        let texts: Vec<(usize, &str)> = texts.collect();
        let differs = texts.iter().find(|(_, text)| *text != texts[0].1);
        let Some(&(other, _)) = differs else {
            shares.insert(start, uses);
            continue;
        };
        let reason = Refusal::Shared {
            anchor: uses[0].1.position,
            alias: uses[other].1.position,
        };
        for (site, _) in uses {
            let refused = match outcomes.get(&site) {
                Some(Ok(made)) if made.iter().any(|splice| splice.field.start == start) => made,
                _ => continue,
            };
            // What else the site would have changed stays too, and may be shared as well.
            open.extend(refused.iter().map(|splice| splice.field.start));
            outcomes.insert(site, Err(reason.clone()));
        }
    }
}

/// The scalars that several sites have, by where they start; the anchor comes first.
fn shares(index: &FileIndex) -> BTreeMap<u32, Vec<(usize, &Field)>> {
    let mut uses: BTreeMap<u32, Vec<(usize, &Field)>> = BTreeMap::new();
    for (number, site) in index.sites.iter().enumerate() {
        for field in site.fields() {
            uses.entry(field.start).or_default().push((number, field));
        }
    }
    uses.retain(|_, uses| uses.len() > 1);
    for uses in uses.values_mut() {
        uses.sort_by_key(|(_, field)| field.position);
    }
    uses
}

/// What a site wants a scalar to say.
fn wanted<'o>(outcome: Option<&'o Outcome<'_>>, start: u32, field: &'o Field) -> &'o str {
    let made = outcome.and_then(|outcome| outcome.as_ref().ok());
    let splice = made.and_then(|made| made.iter().find(|splice| splice.field.start == start));
    splice.map_or(&field.text, |splice| &splice.text)
}
