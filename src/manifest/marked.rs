//! Markers and targets on values that are nothing else: `tag: 1.2.3 # {"$imagepolicy": "ns:app:tag"}`.
//!
//! Invariant: markers of one owner on the name, tag and digest of one mapping make one site, so that
//! its reference is complete and its digest follows its tag; every other marked value is a site of
//! its own.

use std::collections::HashMap;

use super::attach::Marks;
use super::draft::Draft;
use super::yaml::{Id, Role, Tree};
use super::{Format, Marker, Part, SiteKind};

/// The sites of the marked values that aren't `taken`.
pub(super) fn sites(
    tree: &Tree<'_>,
    format: Format,
    marks: &Marks,
    taken: &dyn Fn(Id) -> bool,
) -> Vec<Draft> {
    let mut drafts: Vec<Draft> = Vec::new();
    // The site that the next part in a mapping may join.
    let mut joinable: HashMap<(Id, Marker), usize> = HashMap::new();
    for id in marks.marked().into_iter().filter(|id| !taken(*id)) {
        let Some(mark) = marks.of(id) else {
            continue;
        };
        let part = mark.marker.part();
        let node = tree.node(id);
        let member = matches!(node.role, Role::Value(_)) && part != Part::Whole;
        let group = (node.parent, mark.marker.with_part(Part::Whole));
        let held = joinable
            .get(&group)
            .filter(|_| member && mark.rival.is_none());
        if let Some(draft) = held
            .and_then(|at| drafts.get_mut(*at))
            .filter(|draft| !draft.has(part))
        {
            fill(draft, tree, format, part, id);
            draft.widen(part);
            continue;
        }
        let mut draft = Draft::new(match mark.marker {
            Marker::Target { .. } => SiteKind::Target,
            _ => SiteKind::Marker,
        });
        fill(&mut draft, tree, format, part, id);
        draft.mark(Some(mark));
        if member && mark.rival.is_none() {
            joinable.insert(group, drafts.len());
        }
        drafts.push(draft);
    }
    drafts
}

fn fill(draft: &mut Draft, tree: &Tree<'_>, format: Format, part: Part, id: Id) {
    draft.fill(tree, format, part, id);
    if part == Part::Digest {
        draft.want_digest();
    }
}
