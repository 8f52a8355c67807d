//! Kustomize's `images`: entries `{name, newName, newTag, digest}` of a kustomization or component
//! (Kustomize reference, "images"), and the same list in `spec.images` of Flux's Kustomization and
//! under any `kustomize.images`.
//!
//! Invariant: an entry is one site, whose image is `newName` if set, else `name`; `name` only matches
//! what is to be replaced and is never written. `newTag` may hold `TAG@DIGEST`, which Kustomize 5
//! passes on as it is.

use super::attach::Marks;
use super::draft::Draft;
use super::owner::owner;
use super::yaml::{Content, Id, Role, Tree};
use super::{Format, Part, SiteKind};
use crate::image::Image;

/// Keys of an entry.
const NAME: &str = "name";
const NEW_NAME: &str = "newName";
const NEW_TAG: &str = "newTag";
const DIGEST: &str = "digest";

/// The entries that are sites. Those whose markers ask for less than the whole entry, or disagree,
/// are left to their markers.
pub(super) fn sites(tree: &Tree<'_>, format: Format, marks: &Marks) -> Vec<Draft> {
    tree.roots()
        .filter_map(|root| images_of(tree, format, root))
        .chain(embedded(tree))
        .flat_map(|images| tree.items(images))
        .filter_map(|entry| site(tree, format, marks, entry))
        .collect()
}

/// The lists under `kustomize.images`, as Flux's HelmRelease has them in `spec.postRenderers`.
fn embedded(tree: &Tree<'_>) -> impl Iterator<Item = Id> {
    tree.ids().filter(|id| {
        let node = tree.node(*id);
        matches!((&node.content, node.role), (Content::Seq, Role::Value(key))
            if tree.scalar(key) == Some("images") && tree.key_above(*id) == Some("kustomize"))
    })
}

fn images_of(tree: &Tree<'_>, format: Format, root: Id) -> Option<Id> {
    let text = |key| tree.get(root, key).and_then(|id| tree.scalar(id));
    let group = text("apiVersion").unwrap_or_default();
    let kind = text("kind").unwrap_or_default();
    if kind == "Kustomization" && group.starts_with("kustomize.toolkit.fluxcd.io/") {
        return tree.get(tree.get(root, "spec")?, "images");
    }
    let kustomize = group.is_empty() || group.starts_with("kustomize.config.k8s.io/");
    let named = matches!(kind, "Kustomization" | "Component");
    (format == Format::Kustomization || named && kustomize)
        .then(|| tree.get(root, "images"))
        .flatten()
}

fn site(tree: &Tree<'_>, format: Format, marks: &Marks, entry: Id) -> Option<Draft> {
    let get = |key| tree.get(entry, key);
    let (name, new_name, new_tag, digest) = (get(NAME), get(NEW_NAME), get(NEW_TAG), get(DIGEST));
    let spelled = new_name
        .and_then(|id| tree.scalar(id))
        .filter(|text| !text.is_empty())
        .or_else(|| tree.scalar(name?))?;
    let image: Image = spelled.parse().ok()?;
    let owner = owner(
        marks,
        &[
            (name, Part::Name),
            (new_name, Part::Name),
            (new_tag, Part::Tag),
            (digest, Part::Digest),
        ],
    )?;

    let mut draft = Draft::new(SiteKind::Kustomize);
    draft.name_is(image, spelled);
    draft.stands_on(tree, entry);
    if let Some(name) = name {
        draft.take(name);
    }
    for (part, id) in [
        (Part::Name, new_name),
        (Part::Tag, new_tag),
        (Part::Digest, digest),
    ] {
        if let Some(id) = id {
            draft.fill(tree, format, part, id);
        }
    }
    if marks.asks_for_digest(digest) {
        draft.want_digest();
    }
    draft.mark(owner.as_ref());
    Some(draft)
}
