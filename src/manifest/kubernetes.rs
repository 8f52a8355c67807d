//! Image fields as Kubernetes has them: `image: REFERENCE` in any mapping of any kind, and
//! `image: {reference: REFERENCE}` of image volumes (Kubernetes API, `ImageVolumeSource`).
//!
//! Invariant: the shape decides, not `kind`, so custom resources, lists, patches and Compose files
//! count too. A value that isn't a reference, or that YAML reads as a number or the like, is no site;
//! nor is the image of Flux's ImageRepository, which says where to look for tags.

use granit_parser::ScalarStyle;

use super::Part;
use super::attach::Marks;
use super::draft::Draft;
use super::value::reads_as_other;
use super::yaml::{Content, Id, Role, Tag, Tree};
use super::{Format, SiteKind};
use crate::image::{Image, Reference};

/// The sites of a file, without the values that are `taken`. A value whose marker asks for a part only
/// is left to its marker.
pub(super) fn sites(
    tree: &Tree<'_>,
    format: Format,
    marks: &Marks,
    taken: &dyn Fn(Id) -> bool,
) -> Vec<Draft> {
    let mut drafts = Vec::new();
    for root in tree.roots() {
        let kind = match document(tree, root) {
            Document::Compose => SiteKind::Compose,
            Document::Other => SiteKind::Kubernetes,
            Document::Scanned => continue,
        };
        for id in root..tree.node(root).next {
            if let Some(value) = image(tree, id).filter(|value| !taken(*value)) {
                drafts.extend(site(tree, format, marks, kind, value));
            }
        }
    }
    drafts
}

/// What a document is, as far as it matters for its images.
enum Document {
    /// A Compose file: it has `services` at the top (Compose specification, "Services").
    Compose,
    /// An object of Flux's image controllers.
    Scanned,
    Other,
}

fn document(tree: &Tree<'_>, root: Id) -> Document {
    let group = tree.get(root, "apiVersion").and_then(|id| tree.scalar(id));
    let services = || tree.get(root, "services");
    match group {
        Some(group) if group.starts_with("image.toolkit.fluxcd.io/") => Document::Scanned,
        None if services().is_some_and(|id| tree.node(id).content == Content::Map) => {
            Document::Compose
        }
        _ => Document::Other,
    }
}

/// The scalar that an `image` key gives a place to.
fn image(tree: &Tree<'_>, id: Id) -> Option<Id> {
    let node = tree.node(id);
    let Role::Value(key) = node.role else {
        return None;
    };
    if tree.scalar(key) != Some("image") {
        return None;
    }
    match node.content {
        Content::Map => tree.get(id, "reference"),
        _ => Some(id),
    }
}

fn site(
    tree: &Tree<'_>,
    format: Format,
    marks: &Marks,
    kind: SiteKind,
    value: Id,
) -> Option<Draft> {
    let marker = marks.of(value);
    if marker.is_some_and(|mark| mark.marker.part() != Part::Whole) {
        return None;
    }
    let text = text_of(tree, value);
    let complete = text.is_some_and(|text| text.parse::<Reference>().is_ok());
    let templated = text.filter(|_| kind == SiteKind::Compose).and_then(name_of);
    let marked = marker.is_some() && tree.scalar(value).is_some();
    if !complete && !marked && templated.is_none() {
        return None;
    }
    let mut draft = Draft::new(kind);
    draft.fill(tree, format, Part::Whole, value);
    if let Some(image) = templated.filter(|_| !complete) {
        draft.image_is(image);
    }
    draft.mark(marker);
    Some(draft)
}

/// The image of a reference whose version is a variable, or has one in it: `NAME:${TAG:-1.2}`,
/// `NAME:1.2-${FLAVOR}`.
fn name_of(text: &str) -> Option<Image> {
    let (before, variable) = text.split_once('$')?;
    let after = match variable.strip_prefix('{') {
        Some(braced) => braced.split_once('}').map_or("", |(_, after)| after),
        None => variable,
    };
    let last = before.rfind('/').map_or(0, |slash| slash + 1);
    let end = last + before[last..].find([':', '@'])?;
    // What stands before a slash is no version, but a registry with a variable port.
    (!after.contains('/')).then(|| before[..end].parse().ok())?
}

/// The text of a scalar that YAML reads as text, without the line break that ends a block. One with a
/// tag of its own only if it has a version: such a tag may make a key or a name of it.
pub(super) fn text_of<'t>(tree: &'t Tree<'_>, id: Id) -> Option<&'t str> {
    let target = match tree.node(id).content {
        Content::Alias(target) => target,
        _ => id,
    };
    let node = tree.node(target);
    let Content::Scalar(text, style) = &node.content else {
        return None;
    };
    match (style, node.tag) {
        (_, Tag::Foreign) => Some(text.as_ref()).filter(|text| is_versioned(text)),
        (ScalarStyle::Plain, Tag::None) if reads_as_other(text) => None,
        (ScalarStyle::Literal | ScalarStyle::Folded, _) => Some(text.trim_end_matches('\n')),
        _ => Some(text),
    }
}

fn is_versioned(text: &str) -> bool {
    text.parse::<Reference>()
        .is_ok_and(|reference| reference.tag().is_some() || reference.digest().is_some())
}
