//! Reading a tree into mirrors of the file, collecting every mistake on the way.
//!
//! Invariant: nothing in a file is ignored in silence. A key is read, or refused by name; what could
//! not be read is known to be written, so that a limit with a mistake never turns into no limit.

mod mirror;

use std::borrow::Cow;

use schemars::{Schema, SchemaGenerator, json_schema};

use super::name::APP;
use super::report::{Mistake, Report, SourceId, Spot};
use super::tree::{self, Entry, Node, Value};
use crate::diag::{Position, suggest};

pub(super) use mirror::mirror;
pub use mirror::{Field, Keys, Mirror};

/// A value with the place of itself and of its key.
#[derive(Debug, Clone)]
pub struct At<T> {
    /// The value.
    pub value: T,
    /// Where the value stands.
    pub spot: Spot,
    /// Where its key stands; for an item of a list, where the item stands.
    pub key: Spot,
}

/// What can be read from a node.
pub trait Read: Sized {
    /// Reads a node; on a mistake it is reported, and there is no value.
    fn read(node: &Node, reader: &mut Reader<'_, '_>) -> Option<Self>;

    /// Reads the value of a key.
    fn read_entry(entry: &Entry, reader: &mut Reader<'_, '_>) -> Option<At<Self>> {
        reader.value_of(entry)
    }

    /// This value where it also has a default: mappings are merged key by key, all else is replaced.
    #[must_use]
    fn over(self, _default: Self) -> Self {
        self
    }

    /// The JSON Schema of what can be read.
    fn schema(generator: &mut SchemaGenerator) -> Schema;
}

/// A text with a form of its own.
pub trait Scalar: Sized {
    /// Parses it.
    fn parse(text: &str) -> Result<Self, Mistake>;

    /// Its JSON Schema, which may be wider than what [`Scalar::parse`] accepts.
    fn schema() -> Schema {
        json_schema!({"type": "string"})
    }
}

impl<T: Scalar> Read for T {
    fn read(node: &Node, reader: &mut Reader<'_, '_>) -> Option<Self> {
        let text = reader.text(node)?;
        match T::parse(text) {
            Ok(value) => Some(value),
            Err(mistake) => {
                reader.error(node.at, mistake);
                None
            }
        }
    }

    fn schema(_generator: &mut SchemaGenerator) -> Schema {
        <T as Scalar>::schema()
    }
}

impl Scalar for String {
    fn parse(text: &str) -> Result<Self, Mistake> {
        if text.is_empty() {
            return Err(Mistake::new("this text is empty"));
        }
        Ok(text.to_owned())
    }

    fn schema() -> Schema {
        json_schema!({"type": "string", "minLength": 1})
    }
}

impl Read for bool {
    fn read(node: &Node, reader: &mut Reader<'_, '_>) -> Option<Self> {
        match &node.value {
            Value::Bool(value) => Some(*value),
            other => reader.wrong_kind(node.at, "true or false", other),
        }
    }

    fn schema(_generator: &mut SchemaGenerator) -> Schema {
        json_schema!({"type": "boolean"})
    }
}

/// A list of at least one item.
impl<T: Read> Read for Vec<At<T>> {
    fn read(node: &Node, reader: &mut Reader<'_, '_>) -> Option<Self> {
        let items = match &node.value {
            Value::List(items) => items,
            other => return reader.wrong_kind(node.at, "a list", other),
        };
        if items.is_empty() {
            reader.error(
                node.at,
                Mistake::new("this list is empty").hint("add an item, or remove the key"),
            );
        }
        let item = |node: &Node| {
            let spot = reader.spot(node.at);
            let value = T::read(node, reader)?;
            Some(At {
                value,
                spot,
                key: spot,
            })
        };
        Some(items.iter().filter_map(item).collect())
    }

    fn schema(generator: &mut SchemaGenerator) -> Schema {
        json_schema!({"type": "array", "minItems": 1, "items": T::schema(generator)})
    }
}

/// A key whose meaning is settled and whose work is not done: refused by name, whatever its value.
#[derive(Debug, Clone)]
pub struct Unsupported;

impl Read for Unsupported {
    fn read(_node: &Node, _reader: &mut Reader<'_, '_>) -> Option<Self> {
        None
    }

    fn read_entry(entry: &Entry, reader: &mut Reader<'_, '_>) -> Option<At<Self>> {
        reader.error(entry.at, unsupported(&entry.key));
        None
    }

    fn schema(_generator: &mut SchemaGenerator) -> Schema {
        json_schema!({"not": {}, "doNotSuggest": true})
    }
}

/// What is said of a key or value whose work is not done.
pub fn unsupported(what: &str) -> Mistake {
    Mistake::new(format!("`{what}` is not supported yet"))
        .hint("remove it until a release supports it")
}

/// `version: 1`, which every file carries.
#[derive(Debug, Clone)]
pub struct Version;

impl Read for Version {
    fn read(node: &Node, reader: &mut Reader<'_, '_>) -> Option<Self> {
        let mistake = match &node.value {
            Value::Number(number) if number == "1" => return Some(Self),
            Value::Number(number) => Mistake::new(format!("version {number} is not known")),
            other => Mistake::new(format!("expected the number 1, found {}", other.kind())),
        };
        reader.error(node.at, mistake.hint("this release reads `version: 1`"));
        None
    }

    fn schema(_generator: &mut SchemaGenerator) -> Schema {
        json_schema!({"const": 1})
    }
}

/// Reads a file's text into a mirror; what is wrong is reported.
pub fn read_text<T>(
    source: SourceId,
    report: &mut Report<'_>,
    read: impl FnOnce(&Node, &mut Reader<'_, '_>) -> Option<T>,
) -> Option<T> {
    let error = match tree::parse(report.text(source)) {
        Ok(node) => return read(&node, &mut Reader::new(report, source)),
        Err(error) => error,
    };
    let Some(at) = error.at else {
        report.error_of(source, Mistake::new(error.message));
        return None;
    };
    let text = report.text(source);
    let above = usize::try_from(at.line.saturating_sub(1)).unwrap_or(0);
    let line_at = |index: Option<usize>| index.and_then(|index| text.lines().nth(index));
    let line = line_at(Some(above)).unwrap_or_default();
    let key = line_at(above.checked_sub(1)).unwrap_or_default();
    let is_value = key.trim_end().ends_with(':') && is_secretive(key);
    let mut mistake = Mistake::new(error.message);
    // A password that begins with `@` or `*` breaks the syntax, on its key's line or the next one, as
    // does a key that is pasted without indentation, and neither must be shown for it.
    let is_secretive = is_value || is_secretive(line) || line.contains('@');
    if is_secretive || text.contains("PRIVATE KEY") {
        report.hide(Spot {
            source,
            at: Position { column: 1, ..at },
        });
        mistake = Mistake::new("this line is not valid YAML").hint("put the value in quotes");
    } else if line.contains(APP) {
        mistake = mistake.hint("in a list within `[` and `]`, put a text with `{app}` in quotes");
    }
    report.error(Spot { source, at }, mistake);
    None
}

/// Reads nodes of one file and reports their mistakes.
pub struct Reader<'r, 't> {
    report: &'r mut Report<'t>,
    source: SourceId,
}

impl<'r, 't> Reader<'r, 't> {
    fn new(report: &'r mut Report<'t>, source: SourceId) -> Self {
        Self { report, source }
    }

    /// A place in this file.
    pub fn spot(&self, at: Position) -> Spot {
        Spot {
            source: self.source,
            at,
        }
    }

    /// Reports a mistake at a place in this file.
    pub fn error(&mut self, at: Position, mistake: Mistake) {
        let spot = self.spot(at);
        self.report.error(spot, mistake);
    }

    /// From this place to the end of its line, the text is never shown.
    pub fn hide(&mut self, at: Position) {
        let spot = self.spot(at);
        self.report.hide(spot);
    }

    /// What follows a key is never shown, its anchor and tag included: `!` and `&` are what passwords
    /// begin with, too.
    pub fn hide_value(&mut self, entry: &Entry) {
        let length = u32::try_from(entry.key.chars().count()).unwrap_or(u32::MAX);
        self.hide(Position {
            column: entry.at.column.saturating_add(length).saturating_add(1),
            ..entry.at
        });
        if entry.node.at.line != entry.at.line {
            self.hide(Position {
                column: 1,
                ..entry.node.at
            });
        }
    }

    /// The value of a key.
    pub fn value_of<T: Read>(&mut self, entry: &Entry) -> Option<At<T>> {
        if entry.node.value == Value::Null {
            let mistake = Mistake::new(format!("`{}` has no value", entry.key))
                .hint("give it one, or remove the key");
            self.error(entry.at, mistake);
            return None;
        }
        Some(At {
            value: T::read(&entry.node, self)?,
            spot: self.spot(entry.node.at),
            key: self.spot(entry.at),
        })
    }

    /// Reports that a value is of the wrong kind.
    pub fn wrong_kind<T>(&mut self, at: Position, wanted: &str, found: &Value) -> Option<T> {
        let mut mistake = Mistake::new(format!("expected {wanted}, found {}", found.kind()));
        match found {
            Value::Number(_) | Value::Bool(_) if wanted == "a text" => {
                mistake = mistake.hint("put it in quotes");
            }
            Value::Text(text) if wanted == "a list" => {
                mistake = mistake.hint(format!("write `[{text}]` for a list of one"));
            }
            Value::Text(_) if wanted == "true or false" => {
                mistake = mistake.hint("write it without quotes");
            }
            _ => {}
        }
        self.error(at, mistake);
        None
    }

    /// The text of a node.
    pub fn text<'n>(&mut self, node: &'n Node) -> Option<&'n str> {
        match &node.value {
            Value::Text(text) => Some(text),
            other => self.wrong_kind(node.at, "a text", other),
        }
    }

    /// The known entries of a mapping, each key once; the others are reported, and so are keys that
    /// must be there and are not.
    pub fn entries<'n>(&mut self, node: &'n Node, keys: Keys) -> Option<Vec<&'n Entry>> {
        let entries = match &node.value {
            Value::Map(entries) => entries,
            other => return self.wrong_kind(node.at, "a mapping", other),
        };
        let mut known: Vec<&Entry> = Vec::new();
        for entry in entries {
            if !keys.known.contains(&entry.key.as_str()) {
                let near = suggest(&entry.key, keys.known.iter().copied());
                if may_hold_secret(entry) || near.is_some_and(is_secretive) {
                    self.hide_value(entry);
                }
                self.error(entry.at, unknown_key(&entry.key, keys.known));
            } else if let Some(first) = known.iter().find(|first| first.key == entry.key) {
                let message = format!("`{}` is written twice", entry.key);
                let hint = format!("it is already on line {}", first.at.line);
                self.error(entry.at, Mistake::new(message).hint(hint));
            } else {
                known.push(entry);
            }
        }
        for required in keys.required {
            if !known.iter().any(|entry| entry.key == *required) {
                self.error(node.at, missing_key(required));
            }
        }
        Some(known)
    }
}

/// Whether what is named like this may hold a secret that somebody has written in a wrong place.
pub fn is_secretive(name: &str) -> bool {
    let name = name.to_ascii_lowercase();
    [
        "pass",
        "pwd",
        "token",
        "key",
        "secret",
        "credential",
        "auth",
    ]
    .iter()
    .any(|word| name.contains(word))
}

/// Whether there may be a secret below an unknown key: by its own name, or by a name below it, since it
/// may be `credentials` misspelt.
fn may_hold_secret(entry: &Entry) -> bool {
    let below = match &entry.node.value {
        Value::Map(entries) => entries.iter().any(may_hold_secret),
        _ => false,
    };
    below || is_secretive(&entry.key)
}

fn unknown_key(key: &str, known: &[&str]) -> Mistake {
    let mistake = Mistake::new(format!("unknown key `{}`", shorten(key)));
    match suggest(key, known.iter().copied()) {
        Some(near) => mistake.hint(format!("did you mean `{near}`?")),
        None => mistake.hint(format!("known here: {}", known.join(", "))),
    }
}

fn missing_key(key: &str) -> Mistake {
    let mistake = Mistake::new(format!("`{key}` is missing"));
    match key {
        "version" => mistake.hint("add `version: 1`"),
        _ => mistake,
    }
}

/// Keeps a long text from filling a message.
pub fn shorten(text: &str) -> Cow<'_, str> {
    /// Long enough to recognise, short enough for one line.
    const LIMIT: usize = 80;
    match text.char_indices().nth(LIMIT) {
        Some((end, _)) => format!("{}…", &text[..end]).into(),
        None => text.into(),
    }
}

/// One of a few words.
pub fn choice<T: Copy>(text: &str, words: &[(&str, T)]) -> Result<T, Mistake> {
    if let Some((_, value)) = words.iter().find(|(word, _)| *word == text) {
        return Ok(*value);
    }
    let known: Vec<&str> = words.iter().map(|(word, _)| *word).collect();
    let mistake = Mistake::new(format!("`{}` is not known here", shorten(text)));
    Err(match suggest(text, known.iter().copied()) {
        Some(near) => mistake.hint(format!("did you mean `{near}`?")),
        None => mistake.hint(format!("one of {}", known.join(", "))),
    })
}
