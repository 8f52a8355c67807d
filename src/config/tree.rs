//! A YAML text as a small tree in which every key and value knows its place.
//!
//! Invariant: a tree is at most 24 levels deep and comes from at most 1 MiB of text, aliases and
//! merge keys are resolved within a budget, and keys that are written twice are both kept, so that
//! the reader can report them with everything else that is wrong.
//!
//! It knows no key of ours. Numbers stay numbers: a version such as `1.10` has to be quoted, or a
//! program that writes the file anew would turn it into `1.1`.

use std::fmt;

use serde::de::{self, Deserialize, Deserializer, MapAccess, SeqAccess, Visitor};
use serde_saphyr::options::{DuplicateKeyPolicy, NonFiniteFloatPolicy};
use serde_saphyr::{Error, Location, Spanned};

use crate::diag::Position;

/// Largest file read, in bytes: a configuration is written by people, and the largest seen are a
/// hundredth of this.
pub const MAX_FILE: usize = 1024 * 1024;

/// Most nodes in a tree after aliases are resolved: more than a hand-written megabyte holds, and few
/// enough to keep in memory a thousand times over.
const MAX_NODES: usize = 100_000;

/// Deepest nesting: three times what any key of ours needs, and far from what a thread's stack holds.
const MAX_DEPTH: usize = 24;

/// A value and its place.
#[derive(Debug, Clone, PartialEq)]
pub struct Node {
    /// Where it stands; for an alias, where the alias stands.
    pub at: Position,
    /// The value.
    pub value: Value,
}

/// What a YAML node holds.
#[derive(Debug, Clone, PartialEq)]
pub enum Value {
    /// Nothing: an empty value, `~` or `null`.
    Null,
    /// `true` or `false`, unquoted.
    Bool(bool),
    /// A number, as printed by us.
    Number(String),
    /// Any other scalar.
    Text(String),
    /// A list.
    List(Vec<Node>),
    /// A mapping, in the order written.
    Map(Vec<Entry>),
}

/// A key of a mapping with its value.
#[derive(Debug, Clone, PartialEq)]
pub struct Entry {
    /// The key.
    pub key: String,
    /// Where the key stands.
    pub at: Position,
    /// The value.
    pub node: Node,
}

impl Value {
    /// What it is, for messages.
    pub fn kind(&self) -> &'static str {
        match self {
            Self::Null => "nothing",
            Self::Bool(_) => "true or false",
            Self::Number(_) => "a number",
            Self::Text(_) => "a text",
            Self::List(_) => "a list",
            Self::Map(_) => "a mapping",
        }
    }
}

/// Why a text has no tree.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SyntaxError {
    /// Where the parser gave up, if it says.
    pub at: Option<Position>,
    /// What is wrong, on one line.
    pub message: String,
}

/// Parses `text`. A text without a document is [`Value::Null`].
///
/// # Errors
/// When it is not one YAML document, is larger than [`MAX_FILE`], or is nested or aliased beyond the
/// budget.
pub fn parse(text: &str) -> Result<Node, SyntaxError> {
    if text.len() > MAX_FILE {
        return Err(SyntaxError {
            at: None,
            message: format!("the file is larger than {MAX_FILE} bytes"),
        });
    }
    let options = serde_saphyr::options! {
        budget: serde_saphyr::budget! { max_nodes: MAX_NODES, max_depth: MAX_DEPTH },
        duplicate_keys: DuplicateKeyPolicy::PassThrough,
        strict_booleans: true,
        non_finite_float_policy: NonFiniteFloatPolicy::AsString,
        with_snippet: false,
    };
    match serde_saphyr::from_str_with_options::<Spanned<Raw>>(text, options) {
        Ok(raw) => Ok(node(raw)),
        Err(Error::Eof { .. }) => Ok(Node {
            at: Position { line: 1, column: 1 },
            value: Value::Null,
        }),
        Err(error) => Err(SyntaxError {
            at: error.location().map(position),
            message: message(&error),
        }),
    }
}

/// The parser's words on one line, without its place and its advice to programmers.
fn message(error: &Error) -> String {
    match error {
        Error::Budget { .. } => {
            "the file is nested, or repeats itself by aliases, more than is read".to_owned()
        }
        Error::MultipleDocuments { .. } => {
            "a second YAML document starts here, and only one is read".to_owned()
        }
        other => {
            let full = other.to_string();
            let line = full.lines().next().unwrap_or_default();
            let words = line.find(" at line ").map_or(line, |end| &line[..end]);
            format!("this is not valid YAML: {words}")
        }
    }
}

/// The value while serde builds it; places are attached by [`node`].
enum Raw {
    Null,
    Bool(bool),
    Number(String),
    Text(String),
    List(Vec<Spanned<Raw>>),
    Map(Vec<(Spanned<String>, Spanned<Raw>)>),
}

fn node(raw: Spanned<Raw>) -> Node {
    let value = match raw.value {
        Raw::Null => Value::Null,
        Raw::Bool(value) => Value::Bool(value),
        Raw::Number(text) => Value::Number(text),
        Raw::Text(text) => Value::Text(text),
        Raw::List(items) => Value::List(items.into_iter().map(node).collect()),
        Raw::Map(entries) => Value::Map(
            entries
                .into_iter()
                .map(|(key, value)| Entry {
                    at: position(key.referenced),
                    key: key.value,
                    node: node(value),
                })
                .collect(),
        ),
    };
    Node {
        at: position(raw.referenced),
        value,
    }
}

fn position(location: Location) -> Position {
    let count = |from_one: u64| u32::try_from(from_one).unwrap_or(u32::MAX).max(1);
    Position {
        line: count(location.line()),
        column: count(location.column()),
    }
}

impl<'de> Deserialize<'de> for Raw {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(RawVisitor)
    }
}

struct RawVisitor;

impl<'de> Visitor<'de> for RawVisitor {
    type Value = Raw;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a YAML value")
    }

    fn visit_unit<E>(self) -> Result<Raw, E> {
        Ok(Raw::Null)
    }

    fn visit_none<E>(self) -> Result<Raw, E> {
        Ok(Raw::Null)
    }

    fn visit_bool<E>(self, value: bool) -> Result<Raw, E> {
        Ok(Raw::Bool(value))
    }

    fn visit_i64<E>(self, value: i64) -> Result<Raw, E> {
        Ok(Raw::Number(value.to_string()))
    }

    fn visit_u64<E>(self, value: u64) -> Result<Raw, E> {
        Ok(Raw::Number(value.to_string()))
    }

    fn visit_i128<E>(self, value: i128) -> Result<Raw, E> {
        Ok(Raw::Number(value.to_string()))
    }

    fn visit_u128<E>(self, value: u128) -> Result<Raw, E> {
        Ok(Raw::Number(value.to_string()))
    }

    fn visit_f64<E>(self, value: f64) -> Result<Raw, E> {
        Ok(Raw::Number(value.to_string()))
    }

    fn visit_str<E: de::Error>(self, value: &str) -> Result<Raw, E> {
        Ok(Raw::Text(value.to_owned()))
    }

    fn visit_string<E: de::Error>(self, value: String) -> Result<Raw, E> {
        Ok(Raw::Text(value))
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut access: A) -> Result<Raw, A::Error> {
        let mut items = Vec::new();
        while let Some(item) = access.next_element()? {
            items.push(item);
        }
        Ok(Raw::List(items))
    }

    fn visit_map<A: MapAccess<'de>>(self, mut access: A) -> Result<Raw, A::Error> {
        let mut entries = Vec::new();
        while let Some(entry) = access.next_entry()? {
            entries.push(entry);
        }
        Ok(Raw::Map(entries))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The tree as indented lines, each with its place.
    fn show(node: &Node) -> String {
        fn walk(node: &Node, out: &mut String) {
            match &node.value {
                Value::List(items) => {
                    out.push_str(&format!("[{} ", node.at));
                    items.iter().for_each(|item| walk(item, out));
                    out.push(']');
                }
                Value::Map(entries) => {
                    out.push_str(&format!("{{{} ", node.at));
                    for entry in entries {
                        out.push_str(&format!("{}@{}=", entry.key, entry.at));
                        walk(&entry.node, out);
                    }
                    out.push('}');
                }
                Value::Null => out.push_str(&format!("null@{} ", node.at)),
                Value::Bool(_) => out.push_str(&format!("bool@{} ", node.at)),
                Value::Number(text) | Value::Text(text) => {
                    out.push_str(&format!("{text}@{} ", node.at));
                }
            }
        }
        let mut out = String::new();
        walk(node, &mut out);
        out
    }

    #[test]
    fn places_are_kept() {
        for (text, shown) in [
            (
                "a: 1\nb: [x, 'y']\n",
                "{1:1 a@1:1=1@1:4 b@2:1=[2:4 x@2:5 y@2:8 ]}",
            ),
            ("a: 1\na: 2\n", "{1:1 a@1:1=1@1:4 a@2:1=2@2:4 }"),
            ("\u{feff}a: x\né: y\n", "{1:1 a@1:1=x@1:4 é@2:1=y@2:4 }"),
            (
                "ключ: {б: ~, x: }\n",
                "{1:1 ключ@1:1={1:7 б@1:8=null@1:11 x@1:14=null@1:15 }}",
            ),
            (
                "a: on\nb: true\n1: x\n",
                "{1:1 a@1:1=on@1:4 b@2:1=bool@2:4 1@3:1=x@3:4 }",
            ),
            (
                "a: &x\n  b: c\nd: *x\n",
                "{1:1 a@1:1={2:3 b@2:3=c@2:6 }d@3:1={3:4 b@3:4=c@3:4 }}",
            ),
            ("", "null@1:1 "),
            ("# nothing\n", "null@2:1 "),
        ] {
            let tree = parse(text).map(|tree| show(&tree));
            assert_eq!(tree.as_deref(), Ok(shown), "{text:?}");
        }
    }

    #[test]
    fn a_number_is_no_text() {
        let tree = parse("a: 1.10\nb: \"1.10\"\n").unwrap();
        let Value::Map(entries) = tree.value else {
            panic!("a mapping")
        };
        assert!(matches!(entries[0].node.value, Value::Number(_)));
        assert_eq!(entries[1].node.value, Value::Text("1.10".to_owned()));
    }

    #[test]
    fn what_is_no_tree_says_where() {
        for (text, place) in [
            ("a: [1", "1:4"),
            ("a: b: c", "1:5"),
            ("a: 1\n---\nb: 1\n", "3:1"),
            ("a: *x", "1:4"),
            ("a: !!int x", "1:10"),
            ("? [a]\n: b", "1:3"),
            ("a: @x", "1:4"),
            ("a: 'x", "1:4"),
            ("a: &a [*a]", "1:8"),
        ] {
            let error = parse(text).unwrap_err();
            assert_eq!(error.at.unwrap().to_string(), place, "{text}");
            assert!(!error.message.contains(['\n', '_']), "{}", error.message);
        }
    }

    #[test]
    fn bombs_do_not_go_off() {
        let aliases = |first: &str, open: &str, name: &str, close: &str| {
            (1..40).fold(format!("a0: &a0 {first}\n"), |text, level| {
                let item = name.replace('N', &(level - 1).to_string());
                format!("{text}a{level}: &a{level} {open}{item}{close}\n")
            })
        };
        let item = "*aN,".repeat(9);
        let wide = aliases("[x]", "[", &item, "]");
        let deep = aliases("[x]", &"[".repeat(15), "*aN", &"]".repeat(15));
        let flow = format!("{}{}", "[".repeat(10_000), "]".repeat(10_000));
        let block: String = (0..1_000)
            .map(|level| format!("{}a:\n", " ".repeat(level)))
            .collect();
        let many = format!("a: [{}]", "x,".repeat(MAX_NODES + 1));
        let large = format!("# {}\n", "x".repeat(MAX_FILE));
        for (what, text) in [
            ("wide", wide),
            ("deep", deep),
            ("flow", flow),
            ("block", block),
            ("many", many),
            ("large", large),
        ] {
            assert!(parse(&text).is_err(), "{what}");
        }
    }
}
