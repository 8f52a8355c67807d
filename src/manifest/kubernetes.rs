//! Image fields as Kubernetes has them: `image: REFERENCE` in any mapping of any kind, and
//! `image: {reference: REFERENCE}` of image volumes (Kubernetes API, `ImageVolumeSource`).
//!
//! Invariant: the shape decides, not `kind`, so custom resources, lists, patches and Compose files
//! count too. A value that isn't a reference, or that YAML reads as a number or the like, is no site.

use granit_parser::ScalarStyle;

use super::Part;
use super::attach::Marks;
use super::draft::Draft;
use super::value::reads_as_other;
use super::yaml::{Content, Id, Role, Tag, Tree};
use super::{Format, SiteKind};
use crate::image::Reference;

/// The sites of a file. A value whose marker asks for a part only is left to its marker.
pub(super) fn sites(tree: &Tree<'_>, format: Format, marks: &Marks) -> Vec<Draft> {
    let mut drafts = Vec::new();
    for (index, node) in tree.nodes.iter().enumerate() {
        let Role::Value(key) = node.role else {
            continue;
        };
        if tree.scalar(key) != Some("image") {
            continue;
        }
        let id = u32::try_from(index).unwrap_or(u32::MAX);
        let value = match node.content {
            Content::Map => tree.get(id, "reference"),
            _ => Some(id),
        };
        let Some(value) = value else {
            continue;
        };
        let marker = marks.of(value);
        if marker.is_some_and(|mark| mark.marker.part() != Part::Whole) {
            continue;
        }
        if is_reference(tree, value) || marker.is_some() && tree.scalar(value).is_some() {
            let mut draft = Draft::new(SiteKind::Kubernetes);
            draft.fill(tree, format, Part::Whole, value);
            draft.mark(marker);
            drafts.push(draft);
        }
    }
    drafts
}

/// Whether a scalar is text and a reference.
fn is_reference(tree: &Tree<'_>, id: Id) -> bool {
    let target = match tree.node(id).content {
        Content::Alias(target) => target,
        _ => id,
    };
    let node = tree.node(target);
    let Content::Scalar(text, style) = &node.content else {
        return false;
    };
    let text = match (style, node.tag) {
        (_, Tag::Foreign) => return false,
        (ScalarStyle::Plain, Tag::None) if reads_as_other(text) => return false,
        (ScalarStyle::Literal | ScalarStyle::Folded, _) => text.trim_end_matches('\n'),
        _ => text,
    };
    text.parse::<Reference>().is_ok()
}
