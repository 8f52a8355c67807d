//! A site in the making: its nodes are still known, so what the tree says against it can be found.
//!
//! Invariant: a finished site carries the first reason of all against writing it, so whoever writes
//! need not look at the tree again.

use super::around::Surroundings;
use super::attach::{Mark, Marks};
use super::value;
use super::yaml::{Id, Role, Tree};
use super::{Format, Part, Refusal, Site, SiteKind};
use crate::image::{Digest, Image, Reference, Tag};

/// A site whose nodes are still known.
#[derive(Debug)]
pub(super) struct Draft {
    site: Site,
    /// The nodes that would be written, or hold what would be.
    nodes: Vec<Id>,
    /// Those that hold the name, which stays as long as the image does.
    names: Vec<Id>,
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
            site: Site::new(kind),
            nodes: Vec::new(),
            names: Vec::new(),
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
        self.speaks(tree, id);
        let marked = matches!(self.site.kind, SiteKind::Marker | SiteKind::Target);
        let key = marked.then(|| tree.key_of(id).unwrap_or_default());
        let unfit = misfit(part, &field.text, key);
        self.unfit = self.unfit.take().or(unfit);
        if part == Part::Name {
            self.names.push(id);
            self.fixes_name(refusal);
        } else {
            self.nodes.push(id);
            self.unfit = self.unfit.take().or(refusal);
        }
        self.site.put(part, field);
    }

    /// Makes the end of the scalar `id`, from the byte `at` of its text, the site's reference.
    pub(super) fn fill_tail(&mut self, tree: &Tree<'_>, format: Format, id: Id, at: usize) {
        let Some((field, refusal)) = value::tail(tree, format, id, at) else {
            return;
        };
        self.speaks(tree, id);
        self.nodes.push(id);
        let unfit = misfit(Part::Whole, &field.text, None);
        self.unfit = self.unfit.take().or(unfit).or(refusal);
        self.site.put(Part::Whole, field);
    }

    /// Makes the scalar `id` what stands before the site's name.
    pub(super) fn fill_registry(&mut self, tree: &Tree<'_>, format: Format, id: Id) {
        if let Some((field, refusal)) = value::field(tree, format, id) {
            self.speaks(tree, id);
            self.names.push(id);
            self.fixes_name(refusal);
            self.site.registry = Some(field);
        }
    }

    /// Has the name come from a scalar of another mapping, which is merged in.
    pub(super) fn inherit(&mut self, id: Id) {
        self.names.push(id);
    }

    /// Notes the lines and the marker of a node.
    fn speaks(&mut self, tree: &Tree<'_>, id: Id) {
        let node = tree.node(id);
        let first = match node.role {
            Role::Value(key) => tree.node(key).position.line,
            _ => node.position.line,
        };
        self.lines.push((first, node.end_line));
        self.taken.push(id);
    }

    /// States the image of a site whose name isn't in one field.
    pub(super) fn name_is(&mut self, image: Image, spelled: &str) {
        self.site.image = Some(image);
        self.site.spelled = Some(spelled.to_owned());
    }

    /// States the image of a reference that isn't written in full.
    pub(super) fn image_is(&mut self, image: Image) {
        self.site.image = Some(image);
    }

    /// Keeps the name from being changed.
    pub(super) fn fixes_name(&mut self, reason: Option<Refusal>) {
        self.site.name_refusal = self.site.name_refusal.take().or(reason);
    }

    /// Keeps the site from being written.
    pub(super) fn refuse(&mut self, reason: Option<Refusal>) {
        self.unfit = self.unfit.take().or(reason);
    }

    /// Has the digest written even where none is yet.
    pub(super) fn want_digest(&mut self) {
        self.site.wants_digest = true;
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

    /// The nodes of the site's scalars.
    pub(super) fn fields(&self) -> impl Iterator<Item = Id> {
        self.nodes.iter().chain(&self.names).copied()
    }

    /// Gives the site its marker.
    pub(super) fn mark(&mut self, mark: Option<&Mark>) {
        let Some(mark) = mark else {
            return;
        };
        self.site.marker = Some(mark.marker.clone());
        self.rival = mark.rival.clone();
    }

    /// Makes the marker ask for another part too: for the tag with a digest, else for all of it.
    pub(super) fn widen(&mut self, part: Part) {
        self.site.widen(part);
    }

    /// Whether a field for `part` is there already.
    pub(super) fn has(&self, part: Part) -> bool {
        self.site.field(part).is_some()
    }

    /// The finished site.
    pub(super) fn finish<'t>(mut self, around: &mut Surroundings<'t>, marks: &Marks) -> Site {
        let lone = self.nodes.is_empty();
        let site = &mut self.site;
        site.settle();
        let aimed = site.marker.as_ref().is_some_and(|m| m.target().is_some());
        if let (true, Some(Refusal::Misfit { hint, .. })) = (aimed, &mut self.unfit) {
            *hint = hint.take().map(|_| WRITE.to_owned());
        }
        site.ignored = self
            .lines
            .iter()
            .any(|(first, last)| marks.ignores(*first..=*last));
        let marker = site.marker.as_ref();
        site.leads = self.nodes.iter().any(|id| around.follow(*id, marker));
        let mut against = self.nodes.iter().find_map(|id| around.against(*id, marker));
        for id in &self.names {
            match around.against(*id, marker) {
                // A name that is shared stays what it is, and so may its tag change.
                Some(shared @ Refusal::Shared { .. }) if !lone => {
                    site.name_refusal = site.name_refusal.take().or(Some(shared));
                }
                reason => against = against.or(reason),
            }
        }
        site.refusal = against.or(self.rival).or(self.unfit);
        if lone {
            site.refusal = site.refusal.take().or(site.name_refusal.take());
        }
        self.site
    }
}

/// Why a value isn't what its marker or key says, if it isn't.
///
/// With a marker it may be the marker that is wrong; what the value's `key` says then helps.
pub(super) fn misfit(part: Part, text: &str, key: Option<&str>) -> Option<Refusal> {
    if text.contains(['$', '{', '%', '<']) {
        return Some(Refusal::Template {
            value: shorten(text),
        });
    }
    let marked = key.is_some();
    let (sound, hint) = match part {
        _ if text.is_empty() => return None,
        Part::Whole => {
            let key = key.unwrap_or_default().to_ascii_lowercase();
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
            (is_tag(text), (whole && marked).then_some(hint))
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

/// What to do where a target writes another part than the value is.
const WRITE: &str = "correct `write` of the target";

/// Longest value shown in a reason, in characters: as long as a tag can be.
const LONGEST_QUOTED: usize = 128;
