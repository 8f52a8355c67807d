//! YAML as a flat tree of nodes with byte spans: what the rest of the module searches.
//!
//! Invariant: nodes are in the order of the text, a node's subtree is the range up to its `next`,
//! and every span lies inside the text. Scalars borrow from the text wherever they are written as
//! they read. Aliases are noted and never expanded, so no input grows.
//!
//! It knows nothing about images, and keeps no node's original bytes beyond its span.

mod build;

use std::borrow::Cow;

use granit_parser::ScalarStyle;

pub(super) use build::{parse, parse_below};

use crate::diag::Position;

/// No node.
pub(super) const NONE: u32 = u32::MAX;

/// The index of a node.
pub(super) type Id = u32;

/// A parsed file.
#[derive(Debug, Default)]
pub(super) struct Tree<'a> {
    /// The text that the spans are of.
    pub(super) text: &'a str,
    /// All nodes, in the order of the text.
    pub(super) nodes: Vec<Node<'a>>,
    /// All comments in the order of the text; none if they weren't asked for.
    pub(super) comments: Vec<Comment>,
    /// Whether comments were asked for.
    pub(super) comments_read: bool,
    /// Each alias with the node it stands for.
    pub(super) aliases: Vec<Alias>,
}

/// A node of the tree.
#[derive(Debug)]
pub(super) struct Node<'a> {
    pub(super) content: Content<'a>,
    /// The bytes of the node as written, without anchor and tag; empty for a block collection.
    pub(super) start: u32,
    pub(super) end: u32,
    /// Where it starts.
    pub(super) position: Position,
    /// The line it ends on; for a block scalar, the one its text starts on.
    pub(super) end_line: u32,
    pub(super) parent: Id,
    /// The first node after its subtree.
    pub(super) next: Id,
    pub(super) role: Role,
    pub(super) anchored: bool,
    pub(super) tag: Tag,
}

/// What a node is.
#[derive(Debug, PartialEq)]
pub(super) enum Content<'a> {
    Scalar(Cow<'a, str>, ScalarStyle),
    /// A value that isn't written at all.
    Absent,
    Map,
    Seq,
    /// An alias of the node.
    Alias(Id),
}

/// What a node is to its parent.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) enum Role {
    /// A document.
    Root,
    /// A member of a sequence.
    Item,
    Key,
    /// The value of the key.
    Value(Id),
}

/// The explicit YAML tag of a node.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) enum Tag {
    None,
    /// One that makes a scalar a string.
    Text,
    /// Any other.
    Foreign,
}

/// A comment.
#[derive(Debug)]
pub(super) struct Comment {
    /// From its `#` to the end of its line.
    pub(super) start: u32,
    pub(super) end: u32,
    pub(super) position: Position,
    /// Whether nothing but space precedes it on its line.
    pub(super) own_line: bool,
}

/// An alias and what it stands for.
#[derive(Debug, Clone, Copy)]
pub(super) struct Alias {
    pub(super) target: Id,
    pub(super) alias: Id,
}

impl<'a> Tree<'a> {
    /// The node `id`.
    pub(super) fn node(&self, id: Id) -> &Node<'a> {
        &self.nodes[id as usize]
    }

    /// All nodes, in the order of the text.
    pub(super) fn ids(&self) -> impl Iterator<Item = Id> + use<> {
        0..build::id_of(self.nodes.len())
    }

    /// The text of a scalar, or of the scalar that an alias stands for. A value that isn't written,
    /// or is a plain null, is empty.
    pub(super) fn scalar(&self, id: Id) -> Option<&str> {
        match &self.node(id).content {
            Content::Scalar(text, style) => Some(match (style, self.node(id).tag) {
                (ScalarStyle::Plain, Tag::None) if is_null(text) => "",
                _ => text,
            }),
            Content::Absent => Some(""),
            // An alias never stands for an alias: anchors belong to nodes with content.
            Content::Alias(target) => match &self.node(*target).content {
                Content::Scalar(text, _) => Some(text),
                _ => None,
            },
            Content::Map | Content::Seq => None,
        }
    }

    /// The key that a node is the value of, as text.
    pub(super) fn key_of(&self, id: Id) -> Option<&str> {
        match self.node(id).role {
            Role::Value(key) => self.scalar(key),
            _ => None,
        }
    }

    /// The key that what a node is in is the value of, as text.
    pub(super) fn key_above(&self, id: Id) -> Option<&str> {
        self.ancestry(id)
            .nth(1)
            .and_then(|parent| self.key_of(parent))
    }

    /// Whether a node is a scalar, an alias or absent, and not a key.
    pub(super) fn is_leaf(&self, id: Id) -> bool {
        let node = self.node(id);
        node.role != Role::Key && !matches!(node.content, Content::Map | Content::Seq)
    }

    /// The keys and values of a mapping; nothing for other nodes.
    pub(super) fn pairs(&self, id: Id) -> impl Iterator<Item = (Id, Id)> {
        let map = self.node(id);
        let end = map.next;
        let mut key = match map.content {
            Content::Map => id + 1,
            _ => end,
        };
        std::iter::from_fn(move || {
            (key < end).then(|| {
                let pair = (key, self.node(key).next);
                key = self.node(pair.1).next;
                pair
            })
        })
    }

    /// The members of a sequence; nothing for other nodes.
    pub(super) fn items(&self, id: Id) -> impl Iterator<Item = Id> {
        let seq = self.node(id);
        let end = seq.next;
        let mut item = match seq.content {
            Content::Seq => id + 1,
            _ => end,
        };
        std::iter::from_fn(move || {
            (item < end).then(|| {
                let this = item;
                item = self.node(this).next;
                this
            })
        })
    }

    /// The value of the first key `name` of a mapping.
    pub(super) fn get(&self, map: Id, name: &str) -> Option<Id> {
        self.pairs(map)
            .find(|(key, _)| self.scalar(*key) == Some(name))
            .map(|(_, value)| value)
    }

    /// The documents.
    pub(super) fn roots(&self) -> impl Iterator<Item = Id> {
        let end = build::id_of(self.nodes.len());
        let mut root = 0;
        std::iter::from_fn(move || {
            (root < end).then(|| {
                let this = root;
                root = self.node(this).next;
                this
            })
        })
    }

    /// A node and what it is in, innermost first.
    pub(super) fn ancestry(&self, id: Id) -> impl Iterator<Item = Id> {
        std::iter::successors(Some(id), |id| {
            Some(self.node(*id).parent).filter(|parent| *parent != NONE)
        })
    }

    /// The text of a comment, from its `#`.
    pub(super) fn comment(&self, comment: &Comment) -> &'a str {
        &self.text[comment.start as usize..comment.end as usize]
    }
}

/// Whether YAML reads a plain scalar as null (YAML 1.2.2, section 10.3.2; the same in 1.1).
fn is_null(text: &str) -> bool {
    matches!(text, "~" | "null" | "Null" | "NULL")
}
