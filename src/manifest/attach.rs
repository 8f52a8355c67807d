//! Which value a comment is about.
//!
//! A marker after a value on its line belongs to that value, as in Flux. Where Flux reads none, one
//! belongs to the value on the line directly below its own, to a value that begins on the next line
//! after its key, or to the one value of several on a line that fits what it asks for; but only if
//! the value fits, since a container's name must never become an image.
//!
//! Invariant: a marker belongs to one value or gets a note. Work per comment is bounded by
//! [`MAX_LINE_NODES`], whatever the line.

use std::collections::{HashMap, HashSet};

use super::marker::{self, Says};
use super::yaml::{Comment, Content, Id, Role, Tree};
use super::{Marker, Note, Part, Refusal};
use crate::diag::Position;
use crate::image::{Digest, Image, Reference, Tag};

/// Most values of one line that a comment is compared with; a line with more is nobody's style, and
/// its marker is reported as ambiguous.
const MAX_LINE_NODES: usize = 512;

/// Most notes kept of one file: enough to see what is wrong, few enough to keep.
pub(super) const MAX_NOTES: usize = 100;

/// What the comments of a file say about its values.
#[derive(Debug, Default)]
pub(super) struct Marks {
    markers: HashMap<Id, Mark>,
    /// The lines that a comment takes out, each with the comment's place.
    ignored_lines: HashMap<u32, Position>,
    /// Whether the first comment takes out the whole file.
    pub(super) file_ignored: bool,
    pub(super) notes: Vec<Note>,
}

/// A marker and where it is.
#[derive(Debug, Clone)]
pub(super) struct Mark {
    pub(super) marker: Marker,
    pub(super) position: Position,
    /// Why nobody writes the value, if another marker or target claims it too.
    pub(super) rival: Option<Refusal>,
}

impl Marks {
    /// The marker of a value.
    pub(super) fn of(&self, id: Id) -> Option<&Mark> {
        self.markers.get(&id)
    }

    /// Whether the marker of a value, if it has one, asks for the digest.
    pub(super) fn asks_for_digest(&self, id: Option<Id>) -> bool {
        id.and_then(|id| self.of(id))
            .is_some_and(|mark| mark.marker.part() == Part::Digest)
    }

    /// All values with a marker, in the order of the text.
    pub(super) fn marked(&self) -> Vec<Id> {
        let mut ids: Vec<Id> = self.markers.keys().copied().collect();
        ids.sort_unstable();
        ids
    }

    /// Whether a comment takes out any of the lines.
    pub(super) fn ignores(&self, mut lines: std::ops::RangeInclusive<u32>) -> bool {
        self.file_ignored
            || !self.ignored_lines.is_empty()
                && lines.any(|line| self.ignored_lines.contains_key(&line))
    }
}

/// Reads the comments of a file.
pub(super) fn attach(tree: &Tree<'_>) -> Marks {
    let mut marks = Marks::default();
    let flux = memchr::memmem::find(tree.text.as_bytes(), marker::FLUX_NEEDLE.as_bytes()).is_some();
    for (place, comment) in tree.comments.iter().enumerate() {
        match marker::read(tree.comment(comment), comment.own_line, flux) {
            Says::Nothing => {}
            Says::Misspelt(reason) => marks.note(comment, reason),
            Says::Ignore => {
                let line = comment.position.line + u32::from(comment.own_line);
                marks.ignored_lines.insert(line, comment.position);
                let above = tree
                    .nodes
                    .first()
                    .is_none_or(|node| comment.end <= node.start);
                marks.file_ignored |= place == 0 && comment.own_line && above;
            }
            Says::Marker(marker) => match find(tree, comment, marker.part()) {
                Ok(id) => marks.add(id, marker, comment.position),
                Err(reason) => marks.note(comment, reason.to_owned()),
            },
        }
    }
    marks
}

impl Marks {
    fn note(&mut self, comment: &Comment, reason: String) {
        if self.notes.len() < MAX_NOTES {
            self.notes.push(Note {
                position: comment.position,
                reason,
            });
        }
    }

    fn add(&mut self, id: Id, marker: Marker, position: Position) {
        let mark = Mark {
            marker,
            position,
            rival: None,
        };
        let held = self.markers.entry(id).or_insert_with(|| mark.clone());
        if held.marker != mark.marker {
            held.rival = Some(Refusal::TwoMarkers {
                first: held.position,
                second: position,
            });
        }
    }

    /// Gives a value to a target, unless a comment gave it away already.
    pub(super) fn aim(&mut self, id: Id, target: Marker, position: Position) {
        let mark = Mark {
            marker: target,
            position,
            rival: None,
        };
        let held = self.markers.entry(id).or_insert_with(|| mark.clone());
        if held.marker == mark.marker {
            return;
        }
        let (Some(first), Some(second)) = (held.marker.target(), mark.marker.target()) else {
            let reason = format!("this marker outranks the target of {}", mark.marker);
            let position = held.position;
            if !held.marker.names(&mark.marker) && self.notes.len() < MAX_NOTES {
                self.notes.push(Note { position, reason });
            }
            return;
        };
        held.rival = Some(Refusal::TwoTargets {
            first: first.to_owned(),
            second: second.to_owned(),
        });
    }
}

/// Markers inside a text value look as if they worked; in literal blocks, and in those that are
/// `read`, they do.
pub(super) fn note_buried(tree: &Tree<'_>, marks: &mut Marks, read: &HashSet<Id>) {
    if memchr::memmem::find(tree.text.as_bytes(), marker::FLUX_NEEDLE.as_bytes()).is_none() {
        return;
    }
    for (id, node) in (0..).zip(&tree.nodes) {
        if let Content::Scalar(text, style) = &node.content
            && *style != granit_parser::ScalarStyle::Literal
            && text.contains('\n')
            && !read.contains(&id)
            && text.contains(marker::FLUX_NEEDLE)
            && marks.notes.len() < MAX_NOTES
        {
            marks.notes.push(Note {
                position: node.position,
                reason: "a marker inside a text value is not read".to_owned(),
            });
        }
    }
}

fn find(tree: &Tree<'_>, comment: &Comment, part: Part) -> Result<Id, &'static str> {
    const NOTHING: &str = "the marker is on no value";
    let after = tree
        .nodes
        .partition_point(|node| node.start < comment.start);
    if comment.own_line {
        let below = leaves_from(tree, after, comment.position.line + 1);
        return one(tree, &below, part, true)
            .map_err(|few| few.unwrap_or("the marker is above no value that fits it"));
    }
    let before = leaves_before(tree, after, comment.position.line);
    if !before.is_empty() {
        return one(tree, &before, part, before.len() > 1).map_err(|few| few.unwrap_or(NOTHING));
    }
    let next = u32::try_from(after).unwrap_or(u32::MAX);
    let between = tree
        .nodes
        .get(after)
        .map_or(tree.text.len(), |node| node.start as usize);
    let adjacent = tree.text.as_bytes()[comment.end as usize..between]
        .iter()
        .all(u8::is_ascii_whitespace);
    if adjacent
        && after < tree.nodes.len()
        && is_value(tree, next)
        && begins_on(tree, next, comment)
    {
        return Ok(next);
    }
    Err(NOTHING)
}

/// Whether the comment is on the line of the value's key, or of a list's dash.
fn begins_on(tree: &Tree<'_>, id: Id, comment: &Comment) -> bool {
    let node = tree.node(id);
    match node.role {
        Role::Value(key) => tree.node(key).end_line == comment.position.line,
        Role::Item => {
            let line = tree.text[..comment.start as usize]
                .rfind('\n')
                .map_or(0, |at| at + 1);
            let dash = tree.text[line..comment.start as usize].trim();
            dash.starts_with('-')
                && dash[1..]
                    .chars()
                    .all(|c| c.is_whitespace() || "|>+-123456789".contains(c))
        }
        Role::Root | Role::Key => false,
    }
}

/// The values that end on `line`, among the nodes before `after`.
fn leaves_before(tree: &Tree<'_>, after: usize, line: u32) -> Vec<Id> {
    let mut leaves = Vec::new();
    for index in (0..after).rev().take(MAX_LINE_NODES) {
        let node = &tree.nodes[index];
        let id = u32::try_from(index).unwrap_or(u32::MAX);
        if node.end_line == line && is_value(tree, id) && !is_block(&node.content) {
            leaves.push(id);
        }
        if node.position.line < line {
            break;
        }
    }
    leaves
}

/// Whether a node is something a marker can be on: not an alias of a collection, for one.
fn is_value(tree: &Tree<'_>, id: Id) -> bool {
    tree.is_leaf(id) && tree.scalar(id).is_some()
}

fn is_block(content: &Content<'_>) -> bool {
    use granit_parser::ScalarStyle::{Folded, Literal};
    matches!(content, Content::Scalar(_, Literal | Folded))
}

/// The values that begin on `line`, or whose key does, among the nodes from `after`.
fn leaves_from(tree: &Tree<'_>, after: usize, line: u32) -> Vec<Id> {
    let mut leaves = Vec::new();
    for index in (after..tree.nodes.len()).take(MAX_LINE_NODES) {
        let id = u32::try_from(index).unwrap_or(u32::MAX);
        let node = &tree.nodes[index];
        let first = match node.role {
            Role::Value(key) => tree.node(key).position.line,
            _ => node.position.line,
        };
        if first > line {
            break;
        }
        if first == line && is_value(tree, id) {
            leaves.push(id);
        }
    }
    leaves
}

/// The one of `leaves` that the marker means.
fn one(
    tree: &Tree<'_>,
    leaves: &[Id],
    part: Part,
    must_fit: bool,
) -> Result<Id, Option<&'static str>> {
    if let ([only], false) = (leaves, must_fit) {
        return Ok(*only);
    }
    // What the key says outweighs what the value looks like.
    for wanted in [Fit::Key, Fit::Shape, Fit::Slip] {
        let mut fitting = leaves.iter().filter(|id| fit(tree, **id, part) == wanted);
        match (fitting.next(), fitting.next()) {
            (Some(id), None) => return Ok(*id),
            (Some(_), Some(_)) => return Err(Some("several values of the line could be meant")),
            (None, _) => {}
        }
    }
    Err(None)
}

/// How a value fits what a marker asks for.
#[derive(Debug, PartialEq, Eq)]
enum Fit {
    /// Its key says so.
    Key,
    /// It looks like it.
    Shape,
    /// It is a tag, and the marker doesn't say so: Kustomize's key does, or the author is told.
    Slip,
    None,
}

fn fit(tree: &Tree<'_>, id: Id, part: Part) -> Fit {
    let Some(text) = tree.scalar(id) else {
        return Fit::None;
    };
    let key = tree.key_of(id).unwrap_or_default().to_ascii_lowercase();
    let keys: &[&str] = match part {
        Part::Whole => &["image", "reference"],
        Part::Tag => &["tag", "version"],
        Part::Name => &["image", "repository", "newname"],
        Part::Digest => &["digest"],
    };
    let sound = match part {
        Part::Whole => true,
        Part::Tag => !text.contains('/'),
        Part::Name => text.is_empty() || text.parse::<Image>().is_ok(),
        Part::Digest => text.is_empty() || text.parse::<Digest>().is_ok(),
    };
    if sound && keys.iter().any(|end| key.ends_with(end)) {
        return Fit::Key;
    }
    let shaped = match part {
        Part::Whole => text.contains(['/', ':', '@']) && text.parse::<Reference>().is_ok(),
        Part::Tag => {
            let digits = text.strip_prefix('v').unwrap_or(text);
            digits.starts_with(|c: char| c.is_ascii_digit()) && text.parse::<Tag>().is_ok()
        }
        Part::Name => text.contains('/') && text.parse::<Image>().is_ok(),
        Part::Digest => text.parse::<Digest>().is_ok(),
    };
    match part {
        _ if shaped => Fit::Shape,
        Part::Whole if key.ends_with("tag") => Fit::Slip,
        _ => Fit::None,
    }
}
