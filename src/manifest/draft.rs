//! A site in the making: its nodes are still known, so what the tree says against it can be found.
//!
//! Invariant: a finished site carries the first reason of all against writing it, so whoever writes
//! need not look at the tree again.

use std::collections::HashMap;

use super::attach::{Mark, Marks};
use super::value;
use super::yaml::{Content, Id, Role, Tree};
use super::{Format, Part, Refusal, Site, SiteKind};
use crate::diag::Position;
use crate::image::{Digest, Image, Reference, Tag};

/// A site whose nodes are still known.
#[derive(Debug)]
pub(super) struct Draft {
    site: Site,
    /// The nodes that would be written, or hold what would be.
    nodes: Vec<Id>,
    /// The nodes whose markers the site answers to.
    taken: Vec<Id>,
    /// The lines on which a comment speaks of the site.
    lines: Vec<(u32, u32)>,
    rival: Option<Refusal>,
    unfit: Option<Refusal>,
}

impl Draft {
    pub(super) fn new(kind: SiteKind) -> Self {
        Self {
            site: Site {
                kind,
                position: Position { line: 1, column: 1 },
                name: None,
                tag: None,
                digest: None,
                whole: None,
                marker: None,
                ignored: false,
                refusal: None,
                image: None,
                spelled: None,
            },
            nodes: Vec::new(),
            taken: Vec::new(),
            lines: Vec::new(),
            rival: None,
            unfit: None,
        }
    }

    /// Makes the scalar `id` the site's field for `part`. Collections are left out.
    pub(super) fn fill(&mut self, tree: &Tree<'_>, format: Format, part: Part, id: Id) {
        let Some((field, refusal)) = value::field(tree, format, id) else {
            return;
        };
        let node = tree.node(id);
        let first = match node.role {
            Role::Value(key) => tree.node(key).position.line,
            _ => node.position.line,
        };
        self.lines.push((first, node.end_line));
        self.nodes.push(id);
        self.taken.push(id);
        let key = tree.key_of(id).unwrap_or_default();
        let unfit = refusal.or_else(|| misfit(part, &field.text, key));
        self.unfit = self.unfit.take().or(unfit);
        match part {
            Part::Whole => {
                let reference: Option<Reference> = field.text.parse().ok();
                self.site.image = reference.map(|reference| reference.image().clone());
                self.site.whole = Some(field);
            }
            Part::Name => {
                if self.site.image.is_none() {
                    self.site.image = field.text.parse().ok();
                }
                self.site.name = Some(field);
            }
            Part::Tag => self.site.tag = Some(field),
            Part::Digest => self.site.digest = Some(field),
        }
    }

    /// States the image of a site whose name isn't among its fields.
    pub(super) fn name_is(&mut self, image: Image, spelled: &str) {
        self.site.image = Some(image);
        self.site.spelled = Some(spelled.to_owned());
    }

    /// Makes the mapping `id` the place of the site as long as it has no field.
    pub(super) fn stands_on(&mut self, tree: &Tree<'_>, id: Id) {
        let node = tree.node(id);
        self.site.position = node.position;
        self.lines.push((node.position.line, node.position.line));
        self.nodes.push(id);
    }

    /// Takes over the marker of a node that isn't written.
    pub(super) fn take(&mut self, id: Id) {
        self.taken.push(id);
    }

    /// The nodes that no other site may be made of.
    pub(super) fn taken(&self) -> &[Id] {
        &self.taken
    }

    /// Gives the site its marker.
    pub(super) fn mark(&mut self, mark: Option<&Mark>) {
        let Some(mark) = mark else {
            return;
        };
        self.site.marker = Some(mark.marker.clone());
        self.rival = mark.rival.map(|second| Refusal::TwoMarkers {
            first: mark.position,
            second,
        });
    }

    /// Makes the marker ask for another part too: for the tag with a digest, else for all of it.
    pub(super) fn widen(&mut self, part: Part) {
        if let Some(marker) = &mut self.site.marker {
            let parts = [marker.part(), part];
            let wide = if parts.contains(&Part::Name) {
                Part::Whole
            } else {
                Part::Tag
            };
            *marker = marker.with_part(wide);
        }
    }

    /// Whether a field for `part` is there already.
    pub(super) fn has(&self, part: Part) -> bool {
        let field = match part {
            Part::Whole => &self.site.whole,
            Part::Name => &self.site.name,
            Part::Tag => &self.site.tag,
            Part::Digest => &self.site.digest,
        };
        field.is_some()
    }

    /// The finished site.
    pub(super) fn finish<'t>(mut self, around: &mut Surroundings<'t>, marks: &Marks) -> Site {
        let site = &mut self.site;
        let fields = [&site.whole, &site.tag, &site.digest, &site.name];
        if let Some(field) = fields.into_iter().flatten().next() {
            site.position = field.position;
        }
        site.ignored = self
            .lines
            .iter()
            .any(|(first, last)| marks.ignores(*first..=*last));
        site.refusal = self
            .nodes
            .iter()
            .find_map(|id| around.against(*id))
            .or(self.rival)
            .or(self.unfit);
        self.site
    }
}

/// Why a value isn't what its marker or key says, if it isn't.
fn misfit(part: Part, text: &str, key: &str) -> Option<Refusal> {
    if text.contains(['$', '{', '%', '<']) {
        return Some(Refusal::Template {
            value: shorten(text),
        });
    }
    let (sound, hint) = match part {
        _ if text.is_empty() => return None,
        Part::Whole => {
            let key = key.to_ascii_lowercase();
            let hint = if key.ends_with("tag") {
                Some("add `:tag` to the marker")
            } else if key.ends_with("digest") {
                Some("add `:digest` to the marker")
            } else {
                None
            };
            (hint.is_none() || text.contains(['/', ':', '@']), hint)
        }
        Part::Tag => {
            let hint = "take `:tag` out of the marker";
            let whole = text.contains(['/', ':']) && text.parse::<Reference>().is_ok();
            (is_tag(text), whole.then_some(hint))
        }
        Part::Name => (text.parse::<Image>().is_ok(), None),
        Part::Digest => (text.parse::<Digest>().is_ok(), None),
    };
    (!sound).then(|| Refusal::Misfit {
        wanted: part,
        value: shorten(text),
        hint: hint.map(str::to_owned),
    })
}

/// A tag, or `TAG@DIGEST`.
fn is_tag(text: &str) -> bool {
    let (tag, digest) = match text.split_once('@') {
        Some((tag, digest)) => (tag, Some(digest)),
        None => (text, None),
    };
    tag.parse::<Tag>().is_ok() && digest.is_none_or(|digest| digest.parse::<Digest>().is_ok())
}

fn shorten(text: &str) -> String {
    text.chars().take(LONGEST_QUOTED).collect()
}

/// Longest value shown in a reason, in characters: as long as a tag can be.
const LONGEST_QUOTED: usize = 128;

/// What the tree says against writing a node: looked up once per file.
#[derive(Debug)]
pub(super) struct Surroundings<'t> {
    tree: &'t Tree<'t>,
    /// The first alias of each node that has one.
    aliased: HashMap<Id, Id>,
    /// For each mapping looked at, its keys that are there twice, with both nodes.
    duplicates: HashMap<Id, HashMap<&'t str, (Id, Id)>>,
    /// The encrypted documents, in the order of the text.
    encrypted: Vec<Id>,
}

impl<'t> Surroundings<'t> {
    pub(super) fn new(tree: &'t Tree<'t>) -> Self {
        let mut aliased = HashMap::new();
        for alias in &tree.aliases {
            aliased.entry(alias.target).or_insert(alias.alias);
        }
        Self {
            tree,
            aliased,
            duplicates: HashMap::new(),
            encrypted: tree.roots().filter(|root| is_sops(tree, *root)).collect(),
        }
    }

    fn against(&mut self, id: Id) -> Option<Refusal> {
        let tree = self.tree;
        if let Content::Alias(target) = tree.node(id).content {
            return Some(self.shared(target, id));
        }
        for inner in tree.ancestry(id) {
            if let Some(alias) = self.aliased.get(&inner) {
                return Some(self.shared(inner, *alias));
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
