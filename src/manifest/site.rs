//! What an index holds: sites and their fields, markers, and what is wrong with a file.
//!
//! Invariant: a [`Field`] is one scalar of the text: its span, how it is written, and the value it
//! decodes to. A [`Site`] holds either `whole`, one scalar with a complete reference, or one scalar
//! each for name, tag and digest as far as the file has them. Everything here is plain data, kept in
//! a cache by the file's content.

use std::fmt;

use serde::{Deserialize, Serialize};

use super::{Aim, Pulls, Refusal};
use crate::diag::Position;
use crate::image::{Digest, Image, Reference, Tag};

/// All that was found in a file.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct FileIndex {
    /// The sites, in the order of the text.
    pub sites: Vec<Site>,
    /// Why the file couldn't be read as what its name says. Then only marked values are sites, if any.
    pub problem: Option<Problem>,
    /// Whether the file's first comment is `# tagwright: ignore`; every site is ignored then.
    pub ignored: bool,
    /// Markers that say nothing: misspelt ones, and ones that sit on no value.
    pub notes: Vec<Note>,
    /// What became of each target that the file was read with.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub aims: Vec<Aim>,
    /// What else the file brings in.
    #[serde(default, skip_serializing_if = "Pulls::is_empty")]
    pub pulls: Pulls,
}

impl FileIndex {
    /// The parts of the file `bytes` in which nothing was looked for: all but the sites' values where
    /// there is a [`problem`](Self::problem), else nothing.
    pub fn unread<'b>(&self, bytes: &'b [u8]) -> Vec<&'b [u8]> {
        if self.problem.is_none() {
            return Vec::new();
        }
        let mut spans: Vec<std::ops::Range<usize>> = self
            .sites
            .iter()
            .flat_map(Site::fields)
            .map(Field::span)
            .collect();
        spans.sort_unstable_by_key(|span| span.start);
        let mut parts = Vec::with_capacity(spans.len() + 1);
        let mut at = 0;
        for span in spans {
            parts.extend(bytes.get(at..span.start));
            at = span.end;
        }
        parts.extend(bytes.get(at..));
        parts
    }
}

/// Why a whole file couldn't be read for sites.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, thiserror::Error)]
#[serde(rename_all = "camelCase")]
#[error("{reason}")]
pub struct Problem {
    /// Where it is.
    pub position: Position,
    /// What is wrong, in a sentence without a final stop.
    pub reason: String,
}

/// Something about a marker that its author should know.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Note {
    /// Where the comment is.
    pub position: Position,
    /// What is wrong with it, in a sentence without a final stop.
    pub reason: String,
}

/// What made a place a site.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum SiteKind {
    /// A field `image` as Kubernetes and its kin have it, or `image.reference` of an image volume.
    Kubernetes,
    /// The same in a Compose file.
    Compose,
    /// An entry of a Kustomize `images` list.
    Kustomize,
    /// Helm values: a name with its tag under keys of their own, or a reference under `*Image`.
    Helm,
    /// A Helm parameter or a Kustomize image of an Argo CD Application.
    Argocd,
    /// A marker on a scalar that is nothing else.
    Marker,
    /// A marker on a value in a text that isn't read as YAML or JSON.
    Text,
    /// A target that leads to a scalar that is nothing else.
    Target,
}

impl fmt::Display for SiteKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Kubernetes => "kubernetes",
            Self::Compose => "compose",
            Self::Kustomize => "kustomize",
            Self::Helm => "helm",
            Self::Argocd => "argocd",
            Self::Marker => "marker",
            Self::Text => "text",
            Self::Target => "target",
        })
    }
}

/// One place in a file where an image, or its name, tag or digest, is written.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Site {
    /// What made it a site.
    pub kind: SiteKind,
    /// Where its first scalar that would be written is.
    pub position: Position,
    /// The scalar that holds the name alone and can be written; Kustomize's `newName`, not `name`.
    pub name: Option<Field>,
    /// The scalar that holds what stands before the name and its `/`, where that is one of its own.
    pub registry: Option<Field>,
    /// The scalar that holds the tag, or `TAG@DIGEST`.
    pub tag: Option<Field>,
    /// The scalar that holds the digest alone.
    pub digest: Option<Field>,
    /// The scalar that holds `NAME[:TAG][@DIGEST]`.
    pub whole: Option<Field>,
    /// The marker that ties it to an app.
    pub marker: Option<Marker>,
    /// Whether a comment takes it out.
    pub ignored: bool,
    /// Why it can't be written, if that is known from the file alone.
    pub refusal: Option<Refusal>,
    /// The image that the site names.
    #[serde(with = "image_text")]
    pub(super) image: Option<Image>,
    /// The image's name as the file spells it, where that isn't in one field above.
    pub(super) spelled: Option<String>,
    /// Why another name can't be written, where a tag can.
    pub(super) name_refusal: Option<Refusal>,
    /// Whether aliases of its scalars that are no change of their own follow it.
    pub(super) leads: bool,
    /// Whether a marker asks for the digest even where none is yet.
    pub(super) wants_digest: bool,
}

impl Site {
    /// A site that holds nothing yet.
    pub(super) fn new(kind: SiteKind) -> Self {
        Self {
            kind,
            position: Position { line: 1, column: 1 },
            name: None,
            registry: None,
            tag: None,
            digest: None,
            whole: None,
            marker: None,
            ignored: false,
            refusal: None,
            image: None,
            spelled: None,
            name_refusal: None,
            wants_digest: false,
            leads: false,
        }
    }

    /// The field for `part`.
    pub(super) fn field(&self, part: Part) -> Option<&Field> {
        match part {
            Part::Whole => self.whole.as_ref(),
            Part::Name => self.name.as_ref(),
            Part::Tag => self.tag.as_ref(),
            Part::Digest => self.digest.as_ref(),
        }
    }

    /// Makes `field` the site's for `part`. Texts that name an image state the site's.
    pub(super) fn put(&mut self, part: Part, field: Field) {
        match part {
            Part::Whole => {
                let reference: Option<Reference> = field.text.parse().ok();
                self.image = reference.map(|reference| reference.image().clone());
                self.whole = Some(field);
            }
            Part::Name => {
                if self.image.is_none() {
                    self.image = field.text.parse().ok();
                }
                self.name = Some(field);
            }
            Part::Tag => self.tag = Some(field),
            Part::Digest => self.digest = Some(field),
        }
    }

    /// Makes the marker ask for another part too: for the tag with a digest, else for all of it.
    pub(super) fn widen(&mut self, part: Part) {
        if let Some(marker) = &mut self.marker {
            let parts = [marker.part(), part];
            let wide = if parts.contains(&Part::Name) {
                Part::Whole
            } else {
                Part::Tag
            };
            *marker = marker.with_part(wide);
        }
    }

    /// Takes its place from the first scalar that would be written.
    pub(super) fn settle(&mut self) {
        let fields = [&self.whole, &self.tag, &self.digest, &self.name];
        if let Some(field) = fields.into_iter().flatten().next() {
            self.position = field.position;
        }
    }

    /// The image that the site names; `None` for a lone tag or digest.
    pub fn image(&self) -> Option<&Image> {
        self.image.as_ref()
    }

    /// The image's name as the file spells it.
    pub fn name_text(&self) -> Option<&str> {
        let whole = self.whole.as_ref().map(|whole| split_name(&whole.text));
        let own = self.name.as_ref().map(|name| name.text.as_str());
        whole
            .or(own.filter(|name| !name.is_empty()))
            .or(self.spelled.as_deref())
    }

    /// The tag as written, if there is one.
    pub fn tag_text(&self) -> Option<&str> {
        let text = match (&self.whole, &self.tag) {
            (Some(whole), _) => {
                let version = &whole.text[split_name(&whole.text).len()..];
                version.strip_prefix(':')?
            }
            (None, Some(tag)) => &tag.text,
            (None, None) => return None,
        };
        let tag = text.split_once('@').map_or(text, |(tag, _)| tag);
        (!tag.is_empty()).then_some(tag)
    }

    /// The tag, if there is a valid one.
    pub fn tag(&self) -> Option<Tag> {
        self.tag_text()?.parse().ok()
    }

    /// The digest, if there is a valid one.
    pub fn digest(&self) -> Option<Digest> {
        self.digest_text()?.parse().ok()
    }

    /// The digest as written, if there is one.
    pub fn digest_text(&self) -> Option<&str> {
        let own = self.digest.as_ref().map(|field| field.text.as_str());
        let beside = [&self.whole, &self.tag]
            .into_iter()
            .flatten()
            .find_map(|field| field.text.split_once('@'))
            .map(|(_, digest)| digest);
        own.filter(|text| !text.is_empty()).or(beside)
    }

    /// The reference as the file spells it, as far as the site holds it.
    pub fn reference_text(&self) -> String {
        if let Some(whole) = &self.whole {
            let name = split_name(&whole.text);
            let spelled = self.spelled.as_deref().unwrap_or(name);
            return format!("{spelled}{}", &whole.text[name.len()..]);
        }
        let name = self.name.as_ref().map(|name| &name.text);
        let mut text = self.spelled.as_ref().or(name).cloned().unwrap_or_default();
        if let Some(tag) = self.tag.as_ref().filter(|tag| !tag.text.is_empty()) {
            if !text.is_empty() {
                text.push(':');
            }
            text.push_str(&tag.text);
        }
        if let Some(digest) = self
            .digest
            .as_ref()
            .filter(|digest| !digest.text.is_empty())
        {
            if !text.is_empty() {
                text.push('@');
            }
            text.push_str(&digest.text);
        }
        text
    }

    /// The whole reference, if the site holds one that is valid.
    pub fn reference(&self) -> Option<Reference> {
        match &self.whole {
            Some(whole) if self.spelled.is_none() => whole.text.parse().ok(),
            _ => Some(Reference::new(
                self.image.clone()?,
                self.tag(),
                self.digest(),
            )),
        }
    }

    /// The scalars that the site is made of, each in its place.
    pub(super) fn slots(&self) -> [Option<&Field>; 5] {
        [
            &self.whole,
            &self.registry,
            &self.name,
            &self.tag,
            &self.digest,
        ]
        .map(Option::as_ref)
    }

    /// The scalars that the site is made of.
    pub(super) fn fields(&self) -> impl Iterator<Item = &Field> {
        self.slots().into_iter().flatten()
    }

    /// The same, to be changed.
    pub(super) fn fields_mut(&mut self) -> impl Iterator<Item = &mut Field> {
        let all = [
            &mut self.whole,
            &mut self.registry,
            &mut self.name,
            &mut self.tag,
            &mut self.digest,
        ];
        all.into_iter().flatten()
    }
}

/// The name of a reference: what precedes its tag and digest.
pub(super) fn split_name(text: &str) -> &str {
    let rest = text.split_once('@').map_or(text, |(rest, _)| rest);
    let tail = rest.rfind('/').map_or(0, |slash| slash + 1);
    match rest[tail..].find(':') {
        Some(colon) => &rest[..tail + colon],
        None => rest,
    }
}

/// One scalar of a file.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Field {
    /// Where it starts.
    pub position: Position,
    /// Its value, without the line break that ends a block scalar.
    pub text: String,
    /// The bytes to replace: the value without its quotes, indentation or final line break.
    pub(super) start: u32,
    /// Where those end.
    pub(super) end: u32,
    /// How it is written.
    pub(super) style: Style,
}

impl Field {
    /// The bytes that are replaced: the value without its quotes, indentation or final line break.
    pub fn span(&self) -> std::ops::Range<usize> {
        self.start as usize..self.end as usize
    }

    /// Moves the span by what precedes the text that it is of. Positions count lines already.
    pub(super) fn shift(&mut self, offset: u32) {
        self.start = self.start.saturating_add(offset);
        self.end = self.end.saturating_add(offset);
    }

    /// Makes a place the field's, without bytes to replace.
    pub(super) fn stands_at(&mut self, position: Position, start: u32) {
        self.position = position;
        (self.start, self.end) = (start, start);
    }
}

/// How a scalar is written, as far as it matters for writing another value in its place.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum Style {
    /// Without quotes.
    Plain,
    /// Without quotes, and a YAML tag makes it a string whatever it looks like.
    Tagged,
    /// In single quotes.
    Single,
    /// In double quotes.
    Double,
    /// One line of a block scalar.
    Block,
    /// Without quotes in a text where a value needs none.
    Bare,
    /// Without quotes in a text where a value that looks like a number, say, is one.
    Typed,
    /// The end of a scalar, after something that stays.
    Tail,
    /// Nothing is there; a value goes after a space.
    Empty,
    /// Nothing is there, and a space already precedes the place.
    EmptySpaced,
}

/// The part of a reference that a marker asks for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum Part {
    /// The complete reference.
    Whole,
    /// The tag.
    Tag,
    /// The image's name.
    Name,
    /// The digest.
    Digest,
}

impl fmt::Display for Part {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Whole => "reference",
            Self::Tag => "tag",
            Self::Name => "name",
            Self::Digest => "digest",
        })
    }
}

/// What ties a site to an app: a comment, or a target of the app.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum Marker {
    /// Flux's `{"$imagepolicy": "NAMESPACE:NAME[:PART]"}`.
    Flux {
        /// The namespace of the image policy.
        namespace: String,
        /// The image policy's name.
        name: String,
        /// What is written.
        part: Part,
    },
    /// `tagwright: APP[/STAGE][:PART]`.
    Own {
        /// The app.
        app: String,
        /// The stage, if the marker names one.
        stage: Option<String>,
        /// What is written.
        part: Part,
    },
    /// A target that the app names by file and key.
    Target {
        /// The app.
        app: String,
        /// What is written.
        part: Part,
    },
}

impl Marker {
    /// What the marker asks for.
    pub fn part(&self) -> Part {
        match self {
            Self::Flux { part, .. } | Self::Own { part, .. } | Self::Target { part, .. } => *part,
        }
    }

    /// The app whose target it is.
    pub(super) fn target(&self) -> Option<&str> {
        match self {
            Self::Target { app, .. } => Some(app),
            Self::Flux { .. } | Self::Own { .. } => None,
        }
    }

    /// Whether the marker, a comment, names the app whose target `other` is.
    pub(super) fn names(&self, other: &Self) -> bool {
        matches!(self, Self::Own { app, .. } if Some(app.as_str()) == other.target())
    }

    /// The marker of the same owner that asks for `wanted`.
    #[must_use]
    pub(super) fn with_part(&self, wanted: Part) -> Self {
        let mut marker = self.clone();
        match &mut marker {
            Self::Flux { part, .. } | Self::Own { part, .. } | Self::Target { part, .. } => {
                *part = wanted;
            }
        }
        marker
    }

    /// Whether two markers name one owner, whatever part they ask for.
    pub(super) fn same_owner(&self, other: &Self) -> bool {
        self.with_part(Part::Whole) == other.with_part(Part::Whole)
    }
}

impl fmt::Display for Marker {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Flux {
                namespace, name, ..
            } => write!(f, "{namespace}:{name}")?,
            Self::Target { app, .. } => f.write_str(app)?,
            Self::Own { app, stage, .. } => {
                f.write_str(app)?;
                if let Some(stage) = stage {
                    write!(f, "/{stage}")?;
                }
            }
        }
        match self.part() {
            Part::Whole => Ok(()),
            part => write!(f, ":{part}"),
        }
    }
}

/// An image as its canonical text, which parses to the same image.
mod image_text {
    use serde::{Deserialize as _, Deserializer, Serialize as _, Serializer};

    use crate::image::Image;

    pub(super) fn serialize<S: Serializer>(
        image: &Option<Image>,
        serializer: S,
    ) -> Result<S::Ok, S::Error> {
        image.as_ref().map(Image::to_string).serialize(serializer)
    }

    pub(super) fn deserialize<'de, D: Deserializer<'de>>(
        deserializer: D,
    ) -> Result<Option<Image>, D::Error> {
        Option::<String>::deserialize(deserializer)?
            .map(|text| text.parse().map_err(serde::de::Error::custom))
            .transpose()
    }
}
