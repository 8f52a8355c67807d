//! Paths of keys to a value of a YAML or JSON file: how they are written, and where they lead.
//!
//! ```text
//! path     = first { "." key | "[" selector "]" }
//! first    = key | "[" selector "]"
//! key      = bare | quoted          bare: no . [ ] " and no blanks; quoted: "…" with \" and \\
//! selector = NUMBER | key "=" key   the item at that place, from 0; or every item whose KEY says so
//! ```
//!
//! So `spec.values.image.tag`, `images[0].newTag`, `containers[name=app].image`, `a."b.c".d`.
//!
//! Invariant: a path that parses prints as it was written. Following one expands no alias into copies:
//! it ends at nodes of the tree, so what shares a value is still seen.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

use super::yaml::{Content, Id, Tree};
use crate::diag::Position;

/// Most steps of a path, beyond the deepest nesting of manifests in use.
const MAX_STEPS: usize = 64;

/// Longest path, in bytes.
const MAX_BYTES: usize = 1024;

/// How many merges deep a key is looked for.
const MAX_MERGES: usize = 16;

/// The merge key of YAML 1.1 (yaml.org/type/merge.html).
const MERGE: &str = "<<";

/// A path of keys.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct KeyPath {
    written: String,
    steps: Vec<Step>,
}

#[derive(Debug, Clone, PartialEq, Eq, Hash)]
enum Step {
    /// The value of a key.
    Key(String),
    /// The item at a place.
    Item(usize),
    /// The items whose key has this value.
    Where(String, String),
}

/// A text that is no path of keys.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum KeyPathError {
    /// Nothing is there.
    #[error("the path is empty")]
    Empty,
    /// A key is missing where one must be, at this character from 1.
    #[error("a key is missing at character {0}")]
    NoKey(usize),
    /// What a quote or bracket opened never ends, from this character.
    #[error("what begins at character {0} has no end")]
    Open(usize),
    /// A bracket holds neither a number nor `KEY=VALUE`, from this character.
    #[error("the brackets at character {0} hold neither a number nor KEY=VALUE")]
    Selector(usize),
    /// Something stands where `.`, `[` or the end must be, at this character.
    #[error("`.`, `[` or the end is wanted at character {0}")]
    Stray(usize),
    /// It is longer than any value is deep.
    #[error("the path has more than {MAX_STEPS} steps or {MAX_BYTES} bytes")]
    TooLong,
}

impl FromStr for KeyPath {
    type Err = KeyPathError;

    fn from_str(text: &str) -> Result<Self, KeyPathError> {
        if text.len() > MAX_BYTES {
            return Err(KeyPathError::TooLong);
        }
        let steps = Reader { text, at: 0 }.path()?;
        if steps.len() > MAX_STEPS {
            return Err(KeyPathError::TooLong);
        }
        Ok(Self {
            written: text.to_owned(),
            steps,
        })
    }
}

impl fmt::Display for KeyPath {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.written)
    }
}

impl TryFrom<String> for KeyPath {
    type Error = KeyPathError;

    fn try_from(text: String) -> Result<Self, KeyPathError> {
        text.parse()
    }
}

impl From<KeyPath> for String {
    fn from(path: KeyPath) -> Self {
        path.written
    }
}

struct Reader<'t> {
    text: &'t str,
    at: usize,
}

impl Reader<'_> {
    fn path(mut self) -> Result<Vec<Step>, KeyPathError> {
        if self.text.is_empty() {
            return Err(KeyPathError::Empty);
        }
        let mut steps = vec![match self.peek() {
            Some('[') => self.selector()?,
            _ => Step::Key(self.key(is_bare)?),
        }];
        while let Some(next) = self.peek() {
            steps.push(match next {
                '[' => self.selector()?,
                '.' => {
                    self.at += 1;
                    Step::Key(self.key(is_bare)?)
                }
                _ => return Err(KeyPathError::Stray(self.character())),
            });
        }
        Ok(steps)
    }

    fn selector(&mut self) -> Result<Step, KeyPathError> {
        let open = self.character();
        self.at += 1;
        let rest = &self.text[self.at..];
        let digits = rest.bytes().take_while(u8::is_ascii_digit).count();
        if digits > 0 && rest[digits..].starts_with(']') {
            let item = rest[..digits]
                .parse()
                .map_err(|_| KeyPathError::Selector(open))?;
            self.at += digits + 1;
            return Ok(Step::Item(item));
        }
        if !rest.contains(']') {
            return Err(KeyPathError::Open(open));
        }
        // Between the brackets a dot needs no quotes.
        let inside = |c: char| is_bare(c) && c != '=' || c == '.';
        let key = self.key(inside).map_err(|error| in_selector(error, open))?;
        if self.peek() != Some('=') {
            return Err(KeyPathError::Selector(open));
        }
        self.at += 1;
        let inside = |c: char| is_bare(c) || c == '.';
        let value = self.key(inside).map_err(|error| in_selector(error, open))?;
        if self.peek() != Some(']') {
            return Err(KeyPathError::Selector(open));
        }
        self.at += 1;
        Ok(Step::Where(key, value))
    }

    fn key(&mut self, bare: impl Fn(char) -> bool) -> Result<String, KeyPathError> {
        if self.peek() == Some('"') {
            return self.quoted();
        }
        let rest = &self.text[self.at..];
        let length = rest.find(|c| !bare(c)).unwrap_or(rest.len());
        if length == 0 {
            return Err(KeyPathError::NoKey(self.character()));
        }
        self.at += length;
        Ok(rest[..length].to_owned())
    }

    fn quoted(&mut self) -> Result<String, KeyPathError> {
        let open = self.character();
        let mut key = String::new();
        let mut chars = self.text[self.at + 1..].char_indices();
        while let Some((offset, c)) = chars.next() {
            match c {
                '"' => {
                    self.at += 1 + offset + 1;
                    return Ok(key);
                }
                '\\' => match chars.next() {
                    Some((_, escaped @ ('"' | '\\'))) => key.push(escaped),
                    _ => return Err(KeyPathError::Open(open)),
                },
                c => key.push(c),
            }
        }
        Err(KeyPathError::Open(open))
    }

    fn peek(&self) -> Option<char> {
        self.text[self.at..].chars().next()
    }

    /// The place in the text, in characters from 1.
    fn character(&self) -> usize {
        self.text[..self.at].chars().count() + 1
    }
}

fn is_bare(c: char) -> bool {
    !matches!(c, '.' | '[' | ']' | '"') && !c.is_whitespace() && !c.is_control()
}

fn in_selector(error: KeyPathError, open: usize) -> KeyPathError {
    match error {
        KeyPathError::NoKey(_) => KeyPathError::Selector(open),
        error => error,
    }
}

/// Where a path leads in a file.
#[derive(Debug, Default)]
pub(super) struct Lead {
    /// The nodes at its end, in the order of the text.
    pub(super) nodes: Vec<Id>,
    /// Where there are none: a mapping that has all of the path but its last key.
    pub(super) nearest: Option<Position>,
}

impl KeyPath {
    /// Follows the path from every document.
    pub(super) fn follow(&self, tree: &Tree<'_>) -> Lead {
        let mut nodes: Vec<Id> = tree.roots().collect();
        for (number, step) in self.steps.iter().enumerate() {
            let before = std::mem::take(&mut nodes);
            for id in &before {
                take_step(tree, *id, step, &mut nodes);
            }
            nodes.sort_unstable();
            nodes.dedup();
            if nodes.is_empty() {
                let last = number + 1 == self.steps.len() && matches!(step, Step::Key(_));
                let map = before
                    .iter()
                    .find(|id| tree.node(target(tree, **id)).content == Content::Map);
                let nearest = map.filter(|_| last).map(|id| tree.node(*id).position);
                return Lead { nodes, nearest };
            }
        }
        Lead {
            nodes,
            nearest: None,
        }
    }

    /// The last key and what precedes it, as written; `None` where a selector is last.
    pub fn last_key(&self) -> Option<(&str, &str)> {
        let Some(Step::Key(key)) = self.steps.last() else {
            return None;
        };
        let written = if self.written.ends_with('"') {
            // The quotes around the key, and an escape before each quote and backslash in it.
            let escapes = key.matches(['"', '\\']).count();
            key.len() + escapes + 2
        } else {
            key.len()
        };
        let before = &self.written[..self.written.len() - written];
        Some((before.strip_suffix('.').unwrap_or(before), key))
    }
}

fn take_step(tree: &Tree<'_>, id: Id, step: &Step, found: &mut Vec<Id>) {
    let id = target(tree, id);
    match step {
        Step::Key(key) => found.extend(get(tree, id, key, MAX_MERGES)),
        Step::Item(place) => found.extend(tree.items(id).nth(*place)),
        Step::Where(key, value) => found.extend(tree.items(id).filter(|item| {
            get(tree, target(tree, *item), key, MAX_MERGES)
                .is_some_and(|found| tree.scalar(found) == Some(value))
        })),
    }
}

/// What a node stands for: itself, or what an alias is of.
fn target(tree: &Tree<'_>, id: Id) -> Id {
    match tree.node(id).content {
        Content::Alias(target) => target,
        _ => id,
    }
}

/// The value of a key, its own or a merged one.
fn get(tree: &Tree<'_>, map: Id, key: &str, merges: usize) -> Option<Id> {
    if let Some(value) = tree.get(map, key) {
        return Some(value);
    }
    let merged = target(tree, tree.get(map, MERGE)?);
    let merges = merges.checked_sub(1)?;
    if tree.node(merged).content == Content::Map {
        return get(tree, merged, key, merges);
    }
    tree.items(merged)
        .find_map(|item| get(tree, target(tree, item), key, merges))
}

#[cfg(test)]
mod tests;
