//! What an Argo CD Application or ApplicationSet overrides (Argo CD documentation, "Helm" and
//! "Kustomize"): `helm.parameters`, pairs of a dotted name and a value, and `kustomize.images`, texts
//! such as `NAME=NEW:TAG`. Wherever they stand: in `source`, `sources`, a template, a list, a file of
//! overrides. What is in `helm.valuesObject` and `helm.values` are Helm values.
//!
//! Invariant: parameters whose names differ in the last part alone make one site; a name that is there
//! twice makes none that is written, since only the last counts.

use std::collections::HashMap;

use super::attach::Marks;
use super::draft::Draft;
use super::helm::ends_in_image;
use super::kubernetes::text_of;
use super::owner::owner;
use super::site::split_name;
use super::split::{Keys, Place};
use super::yaml::{Content, Id, Role, Tree};
use super::{Format, Part, Refusal, SiteKind};
use crate::image::Reference;

/// The sites of a file.
pub(super) fn sites(tree: &Tree<'_>, format: Format, marks: &Marks) -> Vec<Draft> {
    let place = Place {
        tree,
        format,
        marks,
        kind: SiteKind::Argocd,
    };
    let mut drafts = Vec::new();
    for id in tree.ids() {
        let node = tree.node(id);
        let (Content::Seq, Role::Value(key)) = (&node.content, node.role) else {
            continue;
        };
        match (tree.key_above(id), tree.scalar(key)) {
            (Some("helm"), Some("parameters")) => drafts.extend(parameters(place, id)),
            (Some("kustomize"), Some("images")) => drafts.extend(images(place, id)),
            _ => {}
        }
    }
    drafts
}

/// The parameters under one prefix.
#[derive(Default)]
struct Group {
    keys: Keys,
    /// A name that is there twice.
    twice: Option<Refusal>,
}

fn parameters(place: Place<'_>, list: Id) -> Vec<Draft> {
    let tree = place.tree;
    let mut groups: Vec<Group> = Vec::new();
    let mut places: HashMap<&str, usize> = HashMap::new();
    let mut drafts = Vec::new();
    for item in tree.items(list) {
        let get = |key| tree.get(item, key).filter(|id| tree.scalar(*id).is_some());
        let (Some(name_id), Some(value)) = (get("name"), get("value")) else {
            continue;
        };
        let name = tree.scalar(name_id).unwrap_or_default();
        let (prefix, last) = name.rsplit_once('.').unwrap_or(("", name));
        if last != "image" && ends_in_image(last) {
            drafts.extend(reference(place, value));
            continue;
        }
        let at = *places.entry(prefix).or_insert_with(|| {
            groups.push(Group::default());
            groups.len() - 1
        });
        let group = &mut groups[at];
        group.keys.under_image = ends_in_image(prefix);
        if let Some(earlier) = group.keys.put(last, value) {
            group.twice = group.twice.take().or(Some(Refusal::DuplicateKey {
                key: name.to_owned(),
                first: tree.node(earlier).position,
                second: tree.node(value).position,
            }));
        }
    }
    for group in groups {
        let mut made = group.keys.drafts(place, &[]);
        if made.is_empty() && group.keys.claimed_image(tree).is_none() {
            made.extend(group.keys.image.and_then(|id| reference(place, id)));
        }
        if made.is_empty() {
            made.extend(nameless(place, &group.keys));
        }
        for mut draft in made {
            draft.refuse(group.twice.clone());
            drafts.push(draft);
        }
    }
    drafts
}

/// A parameter that holds a complete reference.
fn reference(place: Place<'_>, value: Id) -> Option<Draft> {
    let reference: Reference = text_of(place.tree, value)?.parse().ok()?;
    let mark = place.marks.of(value);
    let whole = mark.is_none_or(|mark| mark.marker.part() == Part::Whole);
    if !whole || reference.tag().is_none() && reference.digest().is_none() {
        return None;
    }
    let mut draft = Draft::new(place.kind);
    draft.fill(place.tree, place.format, Part::Whole, value);
    draft.mark(mark);
    Some(draft)
}

/// Parameters for tag and digest whose image only their markers know: the chart has the name.
fn nameless(place: Place<'_>, keys: &Keys) -> Option<Draft> {
    let parts = [(keys.tag, Part::Tag), (keys.digest, Part::Digest)];
    let owner = owner(place.marks, &parts)??;
    let mut draft = Draft::new(place.kind);
    for (id, part) in parts {
        if let Some(id) = id {
            draft.fill(place.tree, place.format, part, id);
        }
    }
    if place.marks.asks_for_digest(keys.digest) {
        draft.want_digest();
    }
    draft.mark(Some(&owner));
    Some(draft)
}

/// The texts of a `kustomize.images` list: `NAME=NEW:TAG`, `NAME=NEW`, `NAME:TAG`, each also with a
/// digest.
fn images(place: Place<'_>, list: Id) -> Vec<Draft> {
    let tree = place.tree;
    let mut drafts = Vec::new();
    for item in tree.items(list) {
        let Some(text) = text_of(tree, item) else {
            continue;
        };
        let at = text.find('=').map_or(0, |equals| equals + 1);
        let Ok(reference) = text[at..].parse::<Reference>() else {
            continue;
        };
        let mark = place.marks.of(item);
        let versioned = reference.tag().is_some() || reference.digest().is_some();
        let whole = mark.is_none_or(|mark| mark.marker.part() == Part::Whole);
        if !whole || at == 0 && !versioned {
            continue;
        }
        let mut draft = Draft::new(place.kind);
        if at == 0 {
            draft.fill(tree, place.format, Part::Whole, item);
            draft.fixes_name(Some(Refusal::FixedName {
                name: split_name(text).to_owned(),
            }));
        } else {
            draft.fill_tail(tree, place.format, item, at);
        }
        draft.mark(mark);
        drafts.push(draft);
    }
    drafts
}
