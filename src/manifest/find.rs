//! From a tree to an index: every finder over every level of a file, in the order of their rank.
//!
//! Invariant: a scalar makes one site; what an earlier finder took, a later one leaves. Sites inside a
//! text stand in the index like all others, with their places in the file.

use std::collections::HashSet;

use super::around::Surroundings;
use super::attach::{self, Marks};
use super::draft::Draft;
use super::nested::{self, Nested};
use super::yaml::{self, Id, Role, Tree};
use super::{FileIndex, Format, Note, Reading, Refusal, Site};
use super::{argocd, helm, kubernetes, kustomize, marked, pulls, screen, target, text};

/// Most notes kept of one file: enough to see what is wrong, few enough to keep.
const MAX_NOTES: usize = 100;

/// All that a file holds.
pub(super) fn find(Reading { format, targets }: Reading<'_>, tree: &Tree<'_>) -> FileIndex {
    let mut marks = attach::attach(tree);
    let aims = target::aim(tree, targets, &mut marks);
    let drafts = drafts(tree, format, &marks);
    let mut around = around(tree, &drafts, &marks);
    let taken: HashSet<Id> = drafts
        .iter()
        .flat_map(|draft| draft.taken())
        .copied()
        .collect();
    let mut sites: Vec<Site> = drafts
        .into_iter()
        .map(|draft| draft.finish(&mut around, &marks))
        .collect();

    let mut notes = Vec::new();
    let (mut read, mut seen) = (HashSet::new(), HashSet::new());
    for id in nested::texts(tree) {
        let Some(mut inner) = nested::open(tree, id).and_then(inside) else {
            continue;
        };
        seen.insert(id);
        let refusal = around.against(id, None);
        let ignored = says_ignore(tree, &marks, id);
        for site in &mut inner.sites {
            site.refusal = refusal.clone().or(site.refusal.take());
            site.ignored |= ignored;
            if inner.offset.is_none() {
                only_told(site, tree, id);
            }
        }
        if inner.offset.is_some() {
            notes.append(&mut inner.notes);
            read.insert(id);
        }
        sites.append(&mut inner.sites);
    }
    if tree.comments_read {
        let taken = |id| taken.contains(&id) || seen.contains(&id);
        let ignored = |id| marks.file_ignored || says_ignore(tree, &marks, id);
        let mut blocks = text::in_blocks(tree, &mut around, &taken, &ignored);
        sites.append(&mut blocks.sites);
        notes.append(&mut blocks.notes);
    }
    drop(around);
    attach::note_buried(tree, &mut marks, &read);

    marks.notes.append(&mut notes);
    marks.notes.sort_by_key(|note| note.position);
    marks.notes.truncate(MAX_NOTES);
    sites.sort_by_key(|site| site.position);
    // Most files have one site, and an index is kept for as long as the service runs: room for more
    // would be most of what it takes.
    sites.shrink_to_fit();
    marks.notes.shrink_to_fit();
    FileIndex {
        sites,
        problem: None,
        ignored: marks.file_ignored,
        notes: marks.notes,
        aims,
        pulls: pulls::pulls(tree, format),
    }
}

fn drafts(tree: &Tree<'_>, format: Format, marks: &Marks) -> Vec<Draft> {
    let mut drafts = kustomize::sites(tree, format, marks);
    drafts.extend(argocd::sites(tree, format, marks));
    let mut taken: HashSet<Id> = drafts
        .iter()
        .flat_map(|draft| draft.taken())
        .copied()
        .collect();
    // Values of `image` that aren't whole, but may be marked all the same.
    let mut claimed = taken.clone();
    let values = helm::sites(tree, format, marks, &mut claimed);
    let images = kubernetes::sites(tree, format, marks, &|id| claimed.contains(&id));
    for draft in values.iter().chain(&images) {
        taken.extend(draft.taken());
    }
    drafts.extend(values);
    drafts.extend(images);
    drafts.extend(marked::sites(tree, format, marks, &|id| {
        taken.contains(&id)
    }));
    drafts
}

fn around<'t>(tree: &'t Tree<'t>, drafts: &[Draft], marks: &'t Marks) -> Surroundings<'t> {
    let fields: HashSet<Id> = drafts.iter().flat_map(Draft::fields).collect();
    Surroundings::new(tree, &fields, marks)
}

/// What a text holds.
struct Inside {
    sites: Vec<Site>,
    notes: Vec<Note>,
    /// Where its lines start, if they are those of the file.
    offset: Option<u32>,
}

/// Reads a text as Helm values. A text that isn't YAML, or can hold no site, tells nothing.
fn inside(nested: Nested<'_>) -> Option<Inside> {
    let bytes = nested.text.as_bytes();
    if !screen::passes(bytes) {
        return None;
    }
    let comments = screen::has_markers(bytes);
    let tree = yaml::parse_below(nested.text, comments, nested.lines).ok()?;
    let marks = attach::attach(&tree);
    let drafts = drafts(&tree, Format::Yaml, &marks);
    let mut around = around(&tree, &drafts, &marks);
    let finished = drafts.into_iter().map(|draft| {
        let mut site = draft.finish(&mut around, &marks);
        for field in site.fields_mut() {
            field.shift(nested.offset.unwrap_or_default());
        }
        site
    });
    Some(Inside {
        sites: finished.collect(),
        notes: marks.notes,
        offset: nested.offset,
    })
}

/// Makes a site of one that was found in what a text says: it has no bytes of its own.
fn only_told(site: &mut Site, tree: &Tree<'_>, text: Id) {
    let node = tree.node(text);
    site.position = node.position;
    site.refusal = site.refusal.take().or(Some(Refusal::TextForm));
    for field in site.fields_mut() {
        field.stands_at(node.position, node.start);
    }
}

/// Whether a comment on the line of a text's key, or above it, takes the text out.
fn says_ignore(tree: &Tree<'_>, marks: &Marks, text: Id) -> bool {
    match tree.node(text).role {
        Role::Value(key) => {
            let key = tree.node(key);
            marks.ignores(key.position.line..=key.end_line)
        }
        _ => false,
    }
}
