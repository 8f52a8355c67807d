//! What the tree around a scalar says against writing it: aliases, keys that are there twice, and
//! encryption.
//!
//! Invariant: a scalar that is used more than once may be written only if every use of it is a site's,
//! so that whoever writes can ask each of them, or if a marker says so for all; a collection that is
//! used more than once only if a marker inside it does.

use std::collections::{HashMap, HashSet};

use super::attach::Marks;
use super::yaml::{Content, Id, Role, Tree};
use super::{Marker, Refusal};

/// What the tree says against writing a node: looked up once per file.
#[derive(Debug)]
pub(super) struct Surroundings<'t> {
    tree: &'t Tree<'t>,
    /// The aliases of each node that has some.
    aliased: HashMap<Id, Aliases<'t>>,
    /// For each mapping looked at, its keys that are there twice, with both nodes.
    duplicates: HashMap<Id, HashMap<&'t str, (Id, Id)>>,
    encrypted: Vec<Id>,
    /// The scalars of which every use is a site's, so that all may change at once.
    together: HashSet<Id>,
}

/// The aliases of a node, and what comments say of them.
#[derive(Debug)]
struct Aliases<'t> {
    first: Id,
    /// The marker that some have.
    marker: Option<&'t Marker>,
    /// Whether one is to stay as it is: ignored, or marked otherwise than others.
    held: bool,
}

impl<'t> Surroundings<'t> {
    /// Looks at a tree whose sites have the scalars `fields`.
    pub(super) fn new(tree: &'t Tree<'t>, fields: &HashSet<Id>, marks: &'t Marks) -> Self {
        let mut around = Self {
            tree,
            aliased: aliases(tree, marks),
            together: fields.clone(),
            duplicates: HashMap::new(),
            encrypted: tree.roots().filter(|root| is_sops(tree, *root)).collect(),
        };
        for alias in &tree.aliases {
            let marker = marks.of(alias.target).map(|mark| &mark.marker);
            if !fields.contains(&alias.alias) && !around.follow(alias.target, marker) {
                around.together.remove(&alias.target);
            }
        }
        around
    }

    /// Whether the aliases of `id`, if it has some, follow what `marker` does to it: a marker on a
    /// value that is used again means all its uses, unless it is for one stage, or a use is held. A
    /// target names one place.
    pub(super) fn follow(&self, id: Id, marker: Option<&Marker>) -> bool {
        let (Some(all), Some(marker)) = (self.aliased.get(&id), marker) else {
            return false;
        };
        let narrow = matches!(
            marker,
            Marker::Own { stage: Some(_), .. } | Marker::Target { .. }
        );
        !narrow && !all.held && all.marker.is_none_or(|held| held == marker)
    }

    /// The first reason against writing a node, for a site with `marker`.
    pub(super) fn against(&mut self, id: Id, marker: Option<&Marker>) -> Option<Refusal> {
        let tree = self.tree;
        if let Content::Alias(target) = tree.node(id).content
            && !self.together.contains(&target)
        {
            return Some(self.shared(target, id));
        }
        for inner in tree.ancestry(id) {
            if let Some(all) = self.aliased.get(&inner)
                && !(inner == id && self.together.contains(&id))
                && !self.follow(inner, marker)
            {
                return Some(self.shared(inner, all.first));
            }
            if let Some(refusal) = self.duplicate(inner) {
                return Some(refusal);
            }
            if tree.node(inner).role == Role::Root && self.encrypted.binary_search(&inner).is_ok() {
                return Some(Refusal::Encrypted);
            }
        }
        None
    }

    fn shared(&self, anchor: Id, alias: Id) -> Refusal {
        Refusal::Shared {
            anchor: self.tree.node(anchor).position,
            alias: self.tree.node(alias).position,
        }
    }

    /// Whether the key of `id` is in its mapping twice.
    fn duplicate(&mut self, id: Id) -> Option<Refusal> {
        let tree = self.tree;
        let key = tree.key_of(id)?;
        let twice = self
            .duplicates
            .entry(tree.node(id).parent)
            .or_insert_with_key(|map| duplicates(tree, *map));
        let (first, second) = twice.get(key)?;
        Some(Refusal::DuplicateKey {
            key: key.to_owned(),
            first: tree.node(*first).position,
            second: tree.node(*second).position,
        })
    }
}

fn aliases<'t>(tree: &'t Tree<'t>, marks: &'t Marks) -> HashMap<Id, Aliases<'t>> {
    let mut aliased = HashMap::new();
    for alias in &tree.aliases {
        let node = tree.node(alias.alias);
        let marker = marks.of(alias.alias).map(|mark| &mark.marker);
        let all = aliased.entry(alias.target).or_insert(Aliases {
            first: alias.alias,
            marker,
            held: false,
        });
        all.held |= marks.ignores(node.position.line..=node.end_line);
        all.held |= marker.is_some_and(|marker| all.marker.is_some_and(|held| held != marker));
        all.marker = all.marker.or(marker);
    }
    aliased
}

fn duplicates<'t>(tree: &'t Tree<'t>, map: Id) -> HashMap<&'t str, (Id, Id)> {
    let mut keys: Vec<(&str, Id)> = tree
        .pairs(map)
        .filter_map(|(key, _)| Some((tree.scalar(key)?, key)))
        .collect();
    keys.sort_unstable();
    let mut twice = HashMap::new();
    for pair in keys.windows(2) {
        if pair[0].0 == pair[1].0 {
            twice.entry(pair[0].0).or_insert((pair[0].1, pair[1].1));
        }
    }
    twice
}

/// Whether SOPS encrypted a document: it then has a `sops` mapping with the checksum, `mac`, at the
/// top (SOPS documentation, "Encryption protocol").
fn is_sops(tree: &Tree<'_>, root: Id) -> bool {
    tree.get(root, "sops")
        .is_some_and(|sops| tree.get(sops, "mac").is_some())
}
