//! From the parser's events to the tree.
//!
//! Invariant: the tree is bounded by [`MAX_NODES`] and [`MAX_DEPTH`] whatever the text; what exceeds
//! them, and what isn't YAML, is a problem with its place.

use std::ops::Range;

use granit_parser::{ErrorKind, Event, Parser, ScalarStyle, Span};

use super::{Alias, Comment, Content, Id, NONE, Node, Role, Tag, Tree};
use crate::diag::Position;
use crate::manifest::Problem;

/// Most nodes kept of one file. The largest manifests in use have about a tenth of it; a million
/// nodes take less than 100 MB while they are looked at.
const MAX_NODES: usize = 1 << 20;

/// Deepest nesting, of block and of flow collections each: the parser's own default, tens of times
/// what manifests have.
const MAX_DEPTH: usize = 255;

/// Parses a text of at most [`MAX_BYTES`](crate::manifest::MAX_BYTES) bytes.
pub(in crate::manifest) fn parse(text: &str, comments: bool) -> Result<Tree<'_>, Problem> {
    parse_below(text, comments, 0)
}

/// Parses a part of a text. Every position counts the `lines` above the part; every span is one of
/// the part alone.
pub(in crate::manifest) fn parse_below(
    text: &str,
    comments: bool,
    lines: u32,
) -> Result<Tree<'_>, Problem> {
    let mut builder = Builder {
        lines,
        tree: Tree {
            text,
            comments_read: comments,
            ..Tree::default()
        },
        open: Vec::new(),
        anchors: Vec::new(),
    };
    let options = granit_parser::options! {
        emit_comments: comments,
        // The text's length is bound enough, and long blocks of comments are sound.
        max_buffered_comment_events: usize::MAX,
        block_nesting_limit: MAX_DEPTH,
        flow_nesting_limit: MAX_DEPTH,
    };
    for event in Parser::new_from_str_with_options(text, options) {
        let (event, span) = event.map_err(|error| Problem {
            position: builder.position(error.marker()),
            reason: match error.kind() {
                ErrorKind::RecursionLimitExceeded => {
                    format!("values are nested deeper than {MAX_DEPTH} levels")
                }
                _ => error.info(),
            },
        })?;
        builder.take(event, &span)?;
    }
    let mut tree = builder.tree;
    // The comment on a block scalar's header comes after the scalar.
    tree.comments.sort_by_key(|comment| comment.start);
    Ok(tree)
}

struct Builder<'a> {
    tree: Tree<'a>,
    /// How many lines precede the text.
    lines: u32,
    /// The collections that are open, with the key that waits for its value.
    open: Vec<(Id, Option<Id>)>,
    /// The node of each anchor, by the parser's number for it.
    anchors: Vec<Id>,
}

impl<'a> Builder<'a> {
    fn take(&mut self, event: Event<'a>, span: &Span) -> Result<(), Problem> {
        match event {
            Event::Scalar(text, style, anchor, tag) => {
                let absent = span.start.index() == span.end.index() && style == ScalarStyle::Plain;
                let content = if absent {
                    Content::Absent
                } else {
                    Content::Scalar(text, style)
                };
                self.add(content, anchor, tag_kind(tag.as_deref()), span)?;
            }
            Event::Alias(anchor) => {
                let target = self.anchors.get(anchor).copied().unwrap_or(0);
                let alias = self.add(Content::Alias(target), 0, Tag::None, span)?;
                self.tree.aliases.push(Alias { target, alias });
            }
            Event::SequenceStart(_, anchor, tag) => {
                let id = self.add(Content::Seq, anchor, tag_kind(tag.as_deref()), span)?;
                self.open.push((id, None));
            }
            Event::MappingStart(_, anchor, tag) => {
                let id = self.add(Content::Map, anchor, tag_kind(tag.as_deref()), span)?;
                self.open.push((id, None));
            }
            Event::SequenceEnd | Event::MappingEnd => self.close(),
            Event::Comment(_, _) => self.comment(span),
            _ => {}
        }
        Ok(())
    }

    fn add(
        &mut self,
        content: Content<'a>,
        anchor: usize,
        tag: Tag,
        span: &Span,
    ) -> Result<Id, Problem> {
        let id = id_of(self.tree.nodes.len());
        if self.tree.nodes.len() >= MAX_NODES {
            return Err(Problem {
                position: self.position(&span.start),
                reason: format!("the file has more than {MAX_NODES} values"),
            });
        }
        let role = match self.open.last_mut() {
            None => Role::Root,
            Some((parent, waiting)) => match self.tree.nodes[*parent as usize].content {
                Content::Seq => Role::Item,
                _ => match waiting.take() {
                    Some(key) => Role::Value(key),
                    None => {
                        *waiting = Some(id);
                        Role::Key
                    }
                },
            },
        };
        if anchor != 0 {
            // Numbers count up from 1; a gap would only make an alias point elsewhere and be refused.
            self.anchors.resize(anchor.min(MAX_NODES), 0);
            self.anchors.push(id);
        }
        let range = byte_range(span, self.tree.text);
        // The span of a block scalar may reach over the line breaks after it.
        let last = match content {
            Content::Scalar(_, ScalarStyle::Literal | ScalarStyle::Folded) => &span.start,
            _ => &span.end,
        };
        let end_line = self.position(last).line;
        let position = self.position(&span.start);
        self.tree.nodes.push(Node {
            content,
            start: range.start,
            end: range.end,
            position,
            end_line,
            parent: self.open.last().map_or(NONE, |(parent, _)| *parent),
            next: id + 1,
            role,
            anchored: anchor != 0,
            tag,
        });
        Ok(id)
    }

    fn close(&mut self) {
        if let Some((id, _)) = self.open.pop() {
            self.tree.nodes[id as usize].next = id_of(self.tree.nodes.len());
        }
    }

    fn comment(&mut self, span: &Span) {
        let Range { start, end } = byte_range(span, self.tree.text);
        let before = &self.tree.text.as_bytes()[..start as usize];
        let own_line = before
            .iter()
            .rev()
            .find(|byte| !matches!(byte, b' ' | b'\t'))
            // The first line may start with a byte-order mark, whose last byte this is.
            .is_none_or(|byte| matches!(byte, b'\n' | b'\r') || start <= 3 && *byte == 0xbf);
        let position = self.position(&span.start);
        self.tree.comments.push(Comment {
            start,
            end,
            position,
            own_line,
        });
    }

    fn position(&self, marker: &granit_parser::Marker) -> Position {
        Position {
            line: id_of(marker.line()).saturating_add(self.lines),
            column: id_of(marker.col()).saturating_add(1),
        }
    }
}

fn tag_kind(tag: Option<&granit_parser::Tag>) -> Tag {
    match tag {
        None => Tag::None,
        Some(tag) if tag.is_yaml_core_schema_tag("str") => Tag::Text,
        Some(tag) if tag.handle().is_empty() && tag.suffix() == "!" => Tag::Text,
        Some(_) => Tag::Foreign,
    }
}

fn byte_range(span: &Span, text: &str) -> Range<u32> {
    let limit = text.len();
    let range = span.byte_range().unwrap_or(limit..limit);
    let end = range.end.min(limit);
    id_of(range.start.min(end))..id_of(end)
}

/// Sizes fit: a text is at most [`MAX_BYTES`](crate::manifest::MAX_BYTES) long.
pub(super) fn id_of(size: usize) -> u32 {
    u32::try_from(size).unwrap_or(NONE)
}
