//! The lists that people write, as YAML: each item a mapping of keys to texts, or to lists of texts.
//!
//! Invariant: every key and value keeps its place, in the order written; what is no such list is one
//! mistake. What the keys mean is not known here.

use std::fmt;

use serde::de::{Deserialize, Deserializer, IgnoredAny, MapAccess, SeqAccess, Visitor};
use serde_saphyr::options::DuplicateKeyPolicy;
use serde_saphyr::{Location, Spanned};

use super::read::Mistake;
use crate::diag::{Position, suggest};

/// Largest file read, in bytes: ten thousand decisions about one stage.
const MAX_FILE: usize = 1024 * 1024;

/// Most nodes of a file: each entry has a handful.
const MAX_NODES: usize = 100_000;

/// A list of mappings of lists of texts is four deep.
const MAX_DEPTH: usize = 8;

type Pair = (Spanned<String>, Spanned<Scalar>);

/// One item of the list, and what is found wrong with it.
pub(super) struct Fields {
    /// Where it begins.
    pub(super) at: Position,
    pairs: Vec<Pair>,
    pub(super) mistakes: Vec<Mistake>,
}

/// The items of a text; an empty text has none.
pub(super) fn items(text: &str, what: &str) -> Result<Vec<Fields>, Mistake> {
    if text.len() > MAX_FILE {
        let message = format!("larger than {MAX_FILE} bytes, so it is no list of {what}");
        return Err(Mistake {
            at: None,
            message,
            hint: None,
        });
    }
    let options = serde_saphyr::options! {
        budget: serde_saphyr::budget! { max_nodes: MAX_NODES, max_depth: MAX_DEPTH },
        duplicate_keys: DuplicateKeyPolicy::PassThrough,
        strict_booleans: true,
        with_snippet: false,
    };
    let parsed = serde_saphyr::from_str_with_options::<Spanned<Items>>(text, options);
    let items = match parsed {
        Ok(items) => items.value.0,
        Err(serde_saphyr::Error::Eof { .. }) => return Ok(Vec::new()),
        Err(error) => {
            let words = error.to_string();
            let line = words.lines().next().unwrap_or_default();
            let end = line.find(" at line ").unwrap_or(line.len());
            return Err(Mistake {
                at: error.location().map(position),
                message: format!("not a list of {what}: {}", &line[..end]),
                hint: None,
            });
        }
    };
    let fields = items.into_iter().map(|item| Fields {
        at: position(item.referenced),
        pairs: item.value.0,
        mistakes: Vec::new(),
    });
    Ok(fields.collect())
}

impl Fields {
    /// The keys, in the order written.
    pub(super) fn keys(&self) -> impl Iterator<Item = &str> {
        self.pairs.iter().map(|(key, _)| key.value.as_str())
    }

    pub(super) fn wrong(&mut self, at: Position, message: impl Into<String>, hint: Option<String>) {
        self.mistakes.push(Mistake {
            at: Some(at),
            message: message.into(),
            hint,
        });
    }

    /// Refuses keys other than `known`, which `why` says, and keys that are written twice.
    pub(super) fn check_keys(&mut self, known: &[&str], why: &str) {
        let mut found = Vec::new();
        for (number, (key, _)) in self.pairs.iter().enumerate() {
            let (at, name) = (position(key.referenced), key.value.as_str());
            let before = &self.pairs[..number];
            if before.iter().any(|(other, _)| other.value == name) {
                found.push((at, format!("`{name}` is written twice"), None));
            } else if !known.contains(&name) {
                let hint = suggest(name, known.iter().copied());
                let hint = hint.map(|meant| format!("did you mean `{meant}`?"));
                found.push((at, format!("`{name}` {why}"), hint));
            }
        }
        for (at, message, hint) in found {
            self.wrong(at, message, hint);
        }
    }

    fn value(&self, key: &str) -> Option<&Spanned<Scalar>> {
        let mut pairs = self.pairs.iter();
        pairs
            .find(|(name, _)| name.value == key)
            .map(|(_, value)| value)
    }

    /// Where the value of `key` is, if there is one.
    pub(super) fn place(&self, key: &str) -> Option<Position> {
        Some(position(self.value(key)?.referenced))
    }

    pub(super) fn text(&mut self, key: &str) -> Option<String> {
        let value = self.value(key)?;
        let (at, text) = (position(value.referenced), value.value.text());
        match text.filter(|text| !text.is_empty()) {
            Some(text) => Some(text.to_owned()),
            None => {
                self.wrong(at, format!("`{key}` needs a text"), None);
                None
            }
        }
    }

    /// The texts of a list, each with its place; at least one.
    pub(super) fn texts(&mut self, key: &str) -> Option<Vec<(Position, String)>> {
        let value = self.value(key)?;
        let at = position(value.referenced);
        let texts: Option<Vec<_>> = match &value.value {
            Scalar::List(list) => list
                .iter()
                .map(|element| {
                    let text = element.value.text()?.to_owned();
                    Some((position(element.referenced), text))
                })
                .collect(),
            Scalar::Text(_) | Scalar::Other => None,
        };
        let texts = texts.filter(|texts| !texts.is_empty());
        if texts.is_none() {
            self.wrong(at, format!("`{key}` needs a list of texts"), None);
        }
        texts
    }

    pub(super) fn time(&mut self, key: &str) -> Option<jiff::Timestamp> {
        let at = self.place(key)?;
        let text = self.text(key)?;
        match text.parse() {
            Ok(time) => Some(time),
            Err(_) => {
                let hint = "write it as 2026-12-01T09:00:00Z".to_owned();
                self.wrong(at, format!("`{text}` is no time"), Some(hint));
                None
            }
        }
    }

    pub(super) fn yes(&mut self, key: &str) {
        if let Some(value) = self.value(key)
            && value.value.text() != Some("true")
        {
            let at = position(value.referenced);
            self.wrong(at, format!("`{key}` can only be `true`"), None);
        }
    }
}

fn position(location: Location) -> Position {
    let count = |from_one: u64| u32::try_from(from_one).unwrap_or(u32::MAX).max(1);
    Position {
        line: count(location.line()),
        column: count(location.column()),
    }
}

/// The items of the list.
struct Items(Vec<Spanned<Pairs>>);

/// The keys and values of one item, in the order written.
struct Pairs(Vec<Pair>);

/// A value; of what is none, only that.
enum Scalar {
    Text(String),
    List(Vec<Spanned<Scalar>>),
    Other,
}

impl Scalar {
    fn text(&self) -> Option<&str> {
        match self {
            Self::Text(text) => Some(text),
            Self::List(_) | Self::Other => None,
        }
    }
}

impl<'de> Deserialize<'de> for Items {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct List;
        impl<'de> Visitor<'de> for List {
            type Value = Items;
            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a list of decisions")
            }
            fn visit_unit<E>(self) -> Result<Items, E> {
                Ok(Items(Vec::new()))
            }
            fn visit_seq<A: SeqAccess<'de>>(self, mut access: A) -> Result<Items, A::Error> {
                let mut items = Vec::new();
                while let Some(item) = access.next_element()? {
                    items.push(item);
                }
                Ok(Items(items))
            }
        }
        deserializer.deserialize_any(List)
    }
}

impl<'de> Deserialize<'de> for Pairs {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Map;
        impl<'de> Visitor<'de> for Map {
            type Value = Pairs;
            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a decision such as `hold: REASON`")
            }
            fn visit_map<A: MapAccess<'de>>(self, mut access: A) -> Result<Pairs, A::Error> {
                let mut pairs = Vec::new();
                while let Some(pair) = access.next_entry()? {
                    pairs.push(pair);
                }
                Ok(Pairs(pairs))
            }
        }
        deserializer.deserialize_map(Map)
    }
}

impl<'de> Deserialize<'de> for Scalar {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Any;
        impl<'de> Visitor<'de> for Any {
            type Value = Scalar;
            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a text")
            }
            fn visit_unit<E>(self) -> Result<Scalar, E> {
                Ok(Scalar::Other)
            }
            fn visit_bool<E>(self, value: bool) -> Result<Scalar, E> {
                Ok(Scalar::Text(value.to_string()))
            }
            fn visit_i64<E>(self, value: i64) -> Result<Scalar, E> {
                Ok(Scalar::Text(value.to_string()))
            }
            fn visit_u64<E>(self, value: u64) -> Result<Scalar, E> {
                Ok(Scalar::Text(value.to_string()))
            }
            fn visit_f64<E>(self, _value: f64) -> Result<Scalar, E> {
                // Written anew it may not be what was written.
                Ok(Scalar::Other)
            }
            fn visit_str<E>(self, value: &str) -> Result<Scalar, E> {
                Ok(Scalar::Text(value.to_owned()))
            }
            fn visit_seq<A: SeqAccess<'de>>(self, mut access: A) -> Result<Scalar, A::Error> {
                let mut list = Vec::new();
                while let Some(element) = access.next_element()? {
                    list.push(element);
                }
                Ok(Scalar::List(list))
            }
            fn visit_map<A: MapAccess<'de>>(self, mut access: A) -> Result<Scalar, A::Error> {
                while access.next_entry::<IgnoredAny, IgnoredAny>()?.is_some() {}
                Ok(Scalar::Other)
            }
        }
        deserializer.deserialize_any(Any)
    }
}
