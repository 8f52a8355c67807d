//! Helm values, by their shape in any mapping of any file: `repository` with `tag`, or with `version`,
//! and `registry` and `digest` beside them; `image` with `tag` or `imageTag` beside it; and a complete
//! reference under a key that ends in `image`. Charts agree on no more than that.
//!
//! Invariant: a key that could belong to something else decides nothing alone. `repository` needs a
//! tag or digest in the same mapping and must be an image's name, which the URLs of charts and sources
//! aren't; `version` needs a host in the name or an `image` above it, since `repository` and `version`
//! are what packages of source code have.

use std::collections::{HashMap, HashSet};

use super::attach::Marks;
use super::draft::Draft;
use super::kubernetes::text_of;
use super::split::{Keys, Place};
use super::yaml::{Content, Id, Role, Tree};
use super::{Format, Part, Refusal, SiteKind};
use crate::image::{Image, Reference};

/// The sites of a file. The values of `image` that belong to more than their key are added to
/// `claimed`, whether they make a site or not.
pub(super) fn sites(
    tree: &Tree<'_>,
    format: Format,
    marks: &Marks,
    claimed: &mut HashSet<Id>,
) -> Vec<Draft> {
    let place = Place {
        tree,
        format,
        marks,
        kind: SiteKind::Helm,
    };
    let globals = globals(tree);
    let mut merged = Merged::default();
    let mut drafts = Vec::new();
    for map in tree.ids() {
        if tree.node(map).content != Content::Map {
            continue;
        }
        let (keys, rivals) = look(tree, map, &mut merged);
        let made = keys.drafts(place, &rivals);
        let first = drafts.len();
        claimed.extend(keys.claimed_image(tree));
        drafts.extend(made);
        if let Some(position) = elsewhere(tree, map, &keys, &globals) {
            for draft in &mut drafts[first..] {
                draft.refuse(Some(Refusal::GlobalTag { position }));
            }
        }
    }
    for draft in &drafts {
        claimed.extend(draft.taken());
    }
    drafts.extend(references(place, claimed));
    drafts
}

/// What the keys of a mapping say, and which other names could go with its tag.
fn look(tree: &Tree<'_>, map: Id, merged: &mut Merged) -> (Keys, Vec<Id>) {
    let mut keys = Keys::default();
    let mut merges = Vec::new();
    let mut others: Vec<(&str, Id)> = Vec::new();
    let mut tagged: HashSet<&str> = HashSet::new();
    for (key, value) in tree.pairs(map) {
        let (Some(key), text) = (tree.scalar(key), tree.scalar(value)) else {
            continue;
        };
        match text {
            _ if key == "<<" => merges.push(value),
            None => {}
            Some(text) => {
                keys.put(key, value);
                let end = |ends: [&str; 2]| ends.iter().find_map(|end| key.strip_suffix(end));
                if let Some(prefix) = end(["Tag", "Version"]) {
                    tagged.insert(prefix);
                } else if let Some(prefix) = end(["Repository", "Image"])
                    && text.parse::<Image>().is_ok()
                {
                    others.push((prefix, value));
                }
            }
        }
    }
    if keys.repository.is_none() && keys.tag.or(keys.digest).is_some() {
        merged.inherit(tree, &merges, &mut keys);
    }
    keys.settle();
    others.retain(|(prefix, _)| !prefix.is_empty() && !tagged.contains(prefix));
    keys.under_image = keys.tag.or(keys.version).or(keys.repository).is_some()
        && (is_images(tree.key_of(map)) || is_images(tree.key_above(map)));
    (keys, others.into_iter().map(|(_, id)| id).collect())
}

fn is_images(key: Option<&str>) -> bool {
    key.is_some_and(|key| ends_in_image(key.strip_suffix('s').unwrap_or(key)))
}

/// Whether a key says that its value is an image, as far as charts agree: `image`, `Image` and
/// `IMAGE`, after anything.
pub(super) fn ends_in_image(key: &str) -> bool {
    ["image", "Image", "IMAGE"]
        .into_iter()
        .any(|end| key.ends_with(end))
}

/// Names in mappings that others merge, each looked up once.
#[derive(Default)]
struct Merged {
    names: HashMap<Id, (Option<Id>, Option<Id>)>,
}

impl Merged {
    /// Fills in the name that a mapping merges in, of the first merge that has one: earlier ones
    /// win (yaml.org/type/merge).
    fn inherit(&mut self, tree: &Tree<'_>, merges: &[Id], keys: &mut Keys) {
        let lists = merges.iter().flat_map(|id| tree.items(*id));
        for id in merges.iter().copied().chain(lists) {
            let Content::Alias(base) = tree.node(id).content else {
                continue;
            };
            let (registry, repository) = self
                .names
                .entry(base)
                .or_insert_with(|| (tree.get(base, "registry"), tree.get(base, "repository")));
            if repository.is_some_and(|id| tree.scalar(id).is_some()) {
                keys.repository = *repository;
                keys.registry = keys.registry.or(*registry);
                keys.inherited = true;
                return;
            }
        }
    }
}

/// The mappings with a `global` beside their other keys that has a tag, with that tag.
fn globals(tree: &Tree<'_>) -> HashMap<Id, Id> {
    let mut found = HashMap::new();
    for id in tree.ids() {
        let node = tree.node(id);
        if node.content != Content::Map || tree.key_of(id) != Some("global") {
            continue;
        }
        let image = tree.get(id, "image");
        let tag = tree
            .get(id, "tag")
            .or_else(|| tree.get(id, "imageTag"))
            .or_else(|| tree.get(image?, "tag"));
        if let Some(tag) = tag.filter(|tag| tree.scalar(*tag).is_some()) {
            found.insert(node.parent, tag);
        }
    }
    found
}

/// Where the tag is that a mapping leaves to others, if it does.
fn elsewhere(
    tree: &Tree<'_>,
    map: Id,
    keys: &Keys,
    globals: &HashMap<Id, Id>,
) -> Option<crate::diag::Position> {
    let empty = |id: Option<Id>| id.is_none_or(|id| tree.scalar(id) == Some(""));
    if globals.is_empty() || !empty(keys.tag.or(keys.version)) || !empty(keys.digest) {
        return None;
    }
    let tag = tree.ancestry(map).find_map(|id| globals.get(&id))?;
    (Some(*tag) != keys.tag).then(|| tree.node(*tag).position)
}

/// Complete references under keys such as `sidecarImage`; under `image` itself they are Kubernetes'.
fn references(place: Place<'_>, claimed: &HashSet<Id>) -> Vec<Draft> {
    let tree = place.tree;
    let mut drafts = Vec::new();
    for id in tree.ids() {
        let Role::Value(key) = tree.node(id).role else {
            continue;
        };
        let named = tree
            .scalar(key)
            .is_some_and(|key| key != "image" && ends_in_image(key));
        if !named || claimed.contains(&id) {
            continue;
        }
        let mark = place.marks.of(id);
        let reference = text_of(tree, id).and_then(|text| text.parse::<Reference>().ok());
        let complete = reference.is_some_and(|r| r.tag().is_some() || r.digest().is_some());
        if complete && mark.is_none_or(|mark| mark.marker.part() == Part::Whole) {
            let mut draft = Draft::new(place.kind);
            draft.fill(tree, place.format, Part::Whole, id);
            draft.mark(mark);
            drafts.push(draft);
        }
    }
    drafts
}
