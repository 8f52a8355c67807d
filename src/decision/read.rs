//! Decision files as text.
//!
//! Invariant: every mistake is told with its place, and a key that is not known is one: a misspelt `until`
//! must not turn a stop for a day into none or one for good.

use std::fmt;

use serde::de::{Deserialize, Deserializer, IgnoredAny, MapAccess, SeqAccess, Visitor};
use serde_saphyr::options::DuplicateKeyPolicy;
use serde_saphyr::{Location, Spanned};

use super::{Decided, Decision, Entry};
use crate::diag::{Position, suggest};
use crate::image::Reference;

/// Largest file read, in bytes: ten thousand decisions about one stage.
const MAX_FILE: usize = 1024 * 1024;

/// Most nodes of a file: each entry has a handful.
const MAX_NODES: usize = 100_000;

/// A list of mappings of texts is three deep.
const MAX_DEPTH: usize = 8;

/// The keys of an entry that say what is decided.
const WORDS: [&str; 5] = ["approve", "reject", "hold", "release", "deploy"];

/// Something wrong with a decision file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Mistake {
    /// Where; the file as a whole without.
    pub at: Option<Position>,
    /// What is wrong.
    pub message: String,
    /// What to do about it.
    pub hint: Option<String>,
}

type Pair = (Spanned<String>, Spanned<Scalar>);

/// Reads the entries of a decision file, in the order written; an empty text has none.
///
/// # Errors
/// Everything that is wrong with it.
pub fn read(text: &str) -> Result<Vec<Entry>, Vec<Mistake>> {
    let whole = |message: String| Mistake {
        at: None,
        message,
        hint: None,
    };
    if text.len() > MAX_FILE {
        let message = format!("larger than {MAX_FILE} bytes, so it is no decision file");
        return Err(vec![whole(message)]);
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
            return Err(vec![Mistake {
                at: error.location().map(position),
                message: format!("not a list of decisions: {}", &line[..end]),
                hint: None,
            }]);
        }
    };
    let mut mistakes = Vec::new();
    let mut entries = Vec::with_capacity(items.len());
    for item in items {
        let at = position(item.referenced);
        match entry(at, &item.value.0) {
            Ok(decision) => entries.push(Entry {
                decision,
                position: at,
            }),
            Err(found) => mistakes.extend(found),
        }
    }
    if mistakes.is_empty() {
        Ok(entries)
    } else {
        Err(mistakes)
    }
}

/// Reads one entry.
fn entry(at: Position, pairs: &[Pair]) -> Result<Decision, Vec<Mistake>> {
    let mut fields = Fields {
        pairs,
        mistakes: Vec::new(),
    };
    let mut words = pairs.iter().map(|(key, _)| key.value.as_str());
    let word = words.find(|key| WORDS.contains(key));
    let decision = fields.decision(at, word);
    match decision {
        Some(decision) if fields.mistakes.is_empty() => Ok(decision),
        _ => Err(fields.mistakes),
    }
}

struct Fields<'p> {
    pairs: &'p [Pair],
    mistakes: Vec<Mistake>,
}

impl Fields<'_> {
    fn decision(&mut self, at: Position, word: Option<&str>) -> Option<Decision> {
        let Some(word) = word else {
            let known = self.pairs.iter().find_map(|(key, _)| {
                let meant = suggest(&key.value, WORDS)?;
                Some(format!("did you mean `{meant}`?"))
            });
            let message = format!("says none of {}", WORDS.join(", "));
            let hint = known.unwrap_or_else(|| "an entry begins with one of them".to_owned());
            self.wrong(at, message, Some(hint));
            return None;
        };
        let more: &[&str] = match word {
            "approve" => &["replaces"],
            "hold" => &["until"],
            "release" => &[],
            _ => &["reason"],
        };
        self.check_keys(word, more);
        Some(match word {
            "approve" => Decision::Approve {
                what: self.reference(word)?,
                replaces: self.text("replaces"),
            },
            "reject" => Decision::Reject {
                what: self.reference(word)?,
                reason: self.text("reason"),
            },
            "hold" => Decision::Hold {
                reason: self.text(word)?,
                until: self.time("until"),
            },
            "release" => {
                self.yes(word);
                Decision::Release
            }
            _ => Decision::Deploy {
                what: self.reference(word)?,
                reason: self.text("reason"),
            },
        })
    }

    fn wrong(&mut self, at: Position, message: impl Into<String>, hint: Option<String>) {
        self.mistakes.push(Mistake {
            at: Some(at),
            message: message.into(),
            hint,
        });
    }

    /// Refuses keys that don't go with `word`, and keys that are written twice.
    fn check_keys(&mut self, word: &str, more: &[&str]) {
        let pairs = self.pairs;
        for (number, (key, _)) in pairs.iter().enumerate() {
            let (at, name) = (position(key.referenced), key.value.as_str());
            let twice = pairs[..number].iter().any(|(other, _)| other.value == name);
            if twice {
                self.wrong(at, format!("`{name}` is written twice"), None);
            } else if name != word && !more.contains(&name) {
                let hint = suggest(name, more.iter().copied());
                let hint = hint.map(|meant| format!("did you mean `{meant}`?"));
                self.wrong(at, format!("`{name}` doesn't go with `{word}`"), hint);
            }
        }
    }

    fn value(&self, key: &str) -> Option<&Spanned<Scalar>> {
        let mut pairs = self.pairs.iter();
        pairs
            .find(|(name, _)| name.value == key)
            .map(|(_, value)| value)
    }

    fn text(&mut self, key: &str) -> Option<String> {
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

    fn reference(&mut self, key: &str) -> Option<Decided> {
        let at = position(self.value(key)?.referenced);
        let text = self.text(key)?;
        let hint = || Some(format!("write `{key}: IMAGE:TAG`, or `IMAGE:TAG@DIGEST`"));
        match text.parse::<Reference>() {
            Ok(reference) => match reference.tag() {
                Some(tag) => Some(Decided {
                    image: reference.image().clone(),
                    tag: tag.clone(),
                    digest: reference.digest().cloned(),
                }),
                None => {
                    self.wrong(at, format!("`{text}` has no tag"), hint());
                    None
                }
            },
            Err(error) => {
                self.wrong(at, format!("`{text}` is no reference: {error}"), hint());
                None
            }
        }
    }

    fn time(&mut self, key: &str) -> Option<jiff::Timestamp> {
        let at = position(self.value(key)?.referenced);
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

    fn yes(&mut self, key: &str) {
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
    Other,
}

impl Scalar {
    fn text(&self) -> Option<&str> {
        match self {
            Self::Text(text) => Some(text),
            Self::Other => None,
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
                while access.next_element::<IgnoredAny>()?.is_some() {}
                Ok(Scalar::Other)
            }
            fn visit_map<A: MapAccess<'de>>(self, mut access: A) -> Result<Scalar, A::Error> {
                while access.next_entry::<IgnoredAny, IgnoredAny>()?.is_some() {}
                Ok(Scalar::Other)
            }
        }
        deserializer.deserialize_any(Any)
    }
}
