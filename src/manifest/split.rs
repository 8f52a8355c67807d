//! One image whose name, tag and digest are scalars of their own: what keys that stand together say.
//!
//! Invariant: a name makes a site only with a tag or digest beside it, and one tag makes one site:
//! where several names could go with it, every one of them is refused. What is given as registry is
//! part of the image. Where the keys stand, in a mapping or in a list of parameters, is the caller's
//! knowledge.

use super::attach::Marks;
use super::draft::Draft;
use super::owner::owner;
use super::yaml::{Id, Tree};
use super::{Format, Part, Refusal, SiteKind};
use crate::image::{Digest, Image, Reference};

/// What all sites of a file are made with.
#[derive(Clone, Copy)]
pub(super) struct Place<'t> {
    pub(super) tree: &'t Tree<'t>,
    pub(super) format: Format,
    pub(super) marks: &'t Marks,
    pub(super) kind: SiteKind,
}

/// The scalars that stand together, by what their keys say.
#[derive(Debug, Default, Clone, Copy)]
pub(super) struct Keys {
    pub(super) registry: Option<Id>,
    pub(super) repository: Option<Id>,
    pub(super) image: Option<Id>,
    pub(super) name: Option<Id>,
    pub(super) tag: Option<Id>,
    pub(super) version: Option<Id>,
    pub(super) digest: Option<Id>,
    /// The tag of `image`, where the key says so.
    image_tag: Option<Id>,
    /// A digest's digits.
    sha: Option<Id>,
    /// Whether repository and registry are those of a mapping that is merged in.
    pub(super) inherited: bool,
    /// Whether what the keys stand under says that they are an image's.
    pub(super) under_image: bool,
}

/// A name, with what stands before it.
struct Named {
    registry: Option<Id>,
    scalar: Id,
    spelled: String,
    image: Image,
}

impl Keys {
    /// Takes a scalar, if its key means something here. The first of two counts, and that there are
    /// two is found out later; it is returned then.
    pub(super) fn put(&mut self, key: &str, id: Id) -> Option<Id> {
        let slot = match key {
            "registry" => &mut self.registry,
            "repository" => &mut self.repository,
            "image" => &mut self.image,
            "name" => &mut self.name,
            "tag" => &mut self.tag,
            "version" => &mut self.version,
            "digest" => &mut self.digest,
            "imageTag" | "image_tag" | "imageVersion" | "image_version" => &mut self.image_tag,
            "sha" => &mut self.sha,
            _ => return None,
        };
        let held = *slot;
        *slot = held.or(Some(id));
        held
    }

    /// Once all keys are known: whether there is an `image` that the tag for one can belong to.
    pub(super) fn settle(&mut self) {
        if self.image.is_some() && self.repository.is_none() {
            self.tag = self.tag.or(self.image_tag);
        }
    }

    /// The sites that the scalars make. Each of `rivals` is another name that could go with the tag.
    pub(super) fn drafts(&self, place: Place<'_>, rivals: &[Id]) -> Vec<Draft> {
        let mut drafts: Vec<Draft> = self.complete(place).into_iter().collect();
        let mut names = self.names(place.tree);
        names.retain(|name| self.version_of(place.tree, name).is_some());
        let Some(first) = names.first() else {
            return drafts;
        };
        let tag = self.tag_of(first);
        let bare = |id: &Id| named(place.tree, None, *id);
        let rivals = rivals.iter().filter_map(bare).filter(|_| tag.is_some());
        let rivals: Vec<Named> = rivals.collect();
        let first = first.scalar;
        let second = names.iter().skip(1).chain(&rivals).next();
        let refusal = second.map(|second| Refusal::TagOfSeveral {
            first: place.tree.node(first).position,
            second: place.tree.node(second.scalar).position,
        });
        // A marker says whose the tag is, whatever stands beside it.
        if refusal.is_some() && tag.is_some_and(|tag| place.marks.of(tag).is_some()) {
            return drafts;
        }
        for name in names.iter().chain(&rivals) {
            if let Some(mut draft) = self.split(place, name, tag) {
                draft.refuse(refusal.clone());
                drafts.push(draft);
            }
        }
        drafts
    }

    /// The value of `image`, if what stands beside it belongs to it.
    pub(super) fn claimed_image(&self, tree: &Tree<'_>) -> Option<Id> {
        let filled = |id: &Id| tree.scalar(*id).is_some_and(|text| !text.is_empty());
        self.image.filter(|image| {
            let versioned = self.tag.or(self.digest.filter(filled)).is_some();
            versioned && bare(tree, *image).is_some()
                || self.registry.is_some_and(|id| filled(&id)) && !has_host(tree, *image)
        })
    }

    /// The names that could go with the tag.
    fn names(&self, tree: &Tree<'_>) -> Vec<Named> {
        let filled = |id: &Id| tree.scalar(*id).is_some_and(|text| !text.is_empty());
        let registry = self.registry.filter(filled);
        let repository = self.repository.filter(filled);
        let image = self.image.filter(|id| bare(tree, *id).is_some());
        let found = match (repository, image) {
            // `repository: HOST/PATH` and `image: NAME` are one name in two halves.
            (Some(above), Some(image)) if registry.is_none() && !has_host(tree, image) => {
                vec![(Some(above), image)]
            }
            (Some(one), Some(other)) => vec![(registry, one), (registry, other)],
            (Some(one), None) => vec![(registry, one)],
            (None, Some(one)) => vec![(registry.filter(|_| !has_host(tree, one)), one)],
            (None, None) => {
                // `name` is a word of many meanings.
                let name = self.name.filter(|_| self.under_image && self.tag.is_some());
                name.map(|name| (registry, name)).into_iter().collect()
            }
        };
        found
            .into_iter()
            .filter_map(|(registry, scalar)| named(tree, registry, scalar))
            .collect()
    }

    /// The scalar that holds the tag of `name`. Only `repository` has a `version`, and only where
    /// it can't be a repository of sources.
    fn tag_of(&self, name: &Named) -> Option<Id> {
        let image = self.under_image || host(&name.spelled).is_some();
        let version = self.version.filter(|_| image && self.repository.is_some());
        self.tag.or(version)
    }

    fn version_of(&self, tree: &Tree<'_>, name: &Named) -> Option<Id> {
        let digest = self.digest.filter(|id| tree.scalar(*id) != Some(""));
        self.tag_of(name).or(digest)
    }

    fn split(&self, place: Place<'_>, name: &Named, tag: Option<Id>) -> Option<Draft> {
        let Place {
            tree,
            format,
            marks,
            kind,
        } = place;
        let own = Some(name.scalar).filter(|_| !self.inherited);
        let parts = [
            (own, Part::Name),
            (tag, Part::Tag),
            (self.digest, Part::Digest),
        ];
        let owner = owner(marks, &parts)?;
        let mut draft = Draft::new(kind);
        draft.name_is(name.image.clone(), &name.spelled);
        if self.inherited {
            draft.inherit(name.scalar);
        } else if let Some(registry) = name.registry {
            draft.fill_registry(tree, format, registry);
        } else if let Some(registry) = self.registry {
            draft.take(registry);
        }
        for (part, id) in [
            (Part::Name, own),
            (Part::Tag, tag),
            (Part::Digest, self.digest),
        ] {
            if let Some(id) = id {
                draft.fill(tree, format, part, id);
            }
        }
        if marks.asks_for_digest(self.digest) {
            draft.want_digest();
        }
        draft.refuse(self.bare_digest(tree));
        draft.mark(owner.as_ref());
        Some(draft)
    }

    /// Digits of a digest that would stay beside another tag.
    fn bare_digest(&self, tree: &Tree<'_>) -> Option<Refusal> {
        let sha = self.sha?;
        let digits = tree.scalar(sha)?;
        let digest = format!("sha256:{digits}").parse::<Digest>().is_ok();
        digest.then(|| Refusal::BareDigest {
            position: tree.node(sha).position,
        })
    }

    /// The site of a complete reference that isn't one alone: something before it or beside it
    /// belongs to it too.
    fn complete(&self, place: Place<'_>) -> Option<Draft> {
        let tree = place.tree;
        let versioned = |id: &Id| {
            let reference: Option<Reference> = tree.scalar(*id).and_then(|text| text.parse().ok());
            reference.is_some_and(|r| r.tag().is_some() || r.digest().is_some())
        };
        let alone = self.tag.or(self.version).or(self.digest).is_none();
        let repository = self.repository.filter(|_| alone && self.under_image);
        let whole = repository.or(self.image).filter(versioned)?;
        let digest = self.digest.filter(|id| {
            let text = tree.scalar(*id).unwrap_or_default();
            text.parse::<Digest>().is_ok()
        });
        let registry = self.registry.filter(|id| {
            tree.scalar(*id) != Some("") && (repository.is_some() || !has_host(tree, whole))
        });
        let mark = place.marks.of(whole);
        if registry.or(digest).or(repository).is_none()
            || mark.is_some_and(|mark| mark.marker.part() != Part::Whole)
        {
            return None;
        }
        let name = named(tree, registry, whole)?;
        let mut draft = Draft::new(place.kind);
        draft.fill(tree, place.format, Part::Whole, whole);
        if let Some(registry) = registry {
            draft.name_is(name.image, &name.spelled);
            draft.fill_registry(tree, place.format, registry);
        }
        draft.refuse(digest.map(|id| Refusal::DigestBeside {
            position: tree.node(id).position,
        }));
        draft.mark(mark);
        Some(draft)
    }
}

/// The name that a scalar holds, below `registry`.
fn named(tree: &Tree<'_>, registry: Option<Id>, scalar: Id) -> Option<Named> {
    let name = super::site::split_name(tree.scalar(scalar)?);
    let spelled = match registry.and_then(|id| tree.scalar(id)) {
        Some(above) => format!("{}/{name}", above.strip_suffix('/').unwrap_or(above)),
        None => name.to_owned(),
    };
    Some(Named {
        registry,
        scalar,
        image: spelled.parse().ok()?,
        spelled,
    })
}

/// A scalar that is a name and no more.
fn bare<'t>(tree: &'t Tree<'_>, id: Id) -> Option<&'t str> {
    tree.scalar(id).filter(|text| text.parse::<Image>().is_ok())
}

fn has_host(tree: &Tree<'_>, id: Id) -> bool {
    tree.scalar(id).is_some_and(|text| host(text).is_some())
}

/// The host that a name starts with, if it does.
fn host(name: &str) -> Option<&str> {
    let (host, _) = name.split_once('/')?;
    (host.contains(['.', ':']) || host == "localhost").then_some(host)
}
