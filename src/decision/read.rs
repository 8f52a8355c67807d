//! Decision files as text.
//!
//! Invariant: every mistake is told with its place, and a key that is not known is one: a misspelt `until`
//! must not turn a stop for a day into none or one for good.

use super::items::{Fields, items};
use super::{Decided, Decision, Entry};
use crate::diag::{Position, suggest};
use crate::image::Reference;

/// The keys of an entry that say what is decided.
const WORDS: [&str; 5] = ["approve", "reject", "hold", "release", "deploy"];

/// Something wrong with a file of decisions.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Mistake {
    /// Where; the file as a whole without.
    pub at: Option<Position>,
    /// What is wrong.
    pub message: String,
    /// What to do about it.
    pub hint: Option<String>,
}

/// Reads the entries of a decision file, in the order written; an empty text has none.
///
/// # Errors
/// Everything that is wrong with it.
pub fn read(text: &str) -> Result<Vec<Entry>, Vec<Mistake>> {
    let (entries, mistakes) = scan(text);
    match mistakes.is_empty() {
        true => Ok(entries),
        false => Err(mistakes),
    }
}

/// The decisions of a file that can be understood, whatever is wrong with others: enough to tell who wrote
/// what and when, and not to go by.
pub fn legible(text: &str) -> Vec<Decision> {
    let (entries, _) = scan(text);
    entries.into_iter().map(|entry| entry.decision).collect()
}

fn scan(text: &str) -> (Vec<Entry>, Vec<Mistake>) {
    let items = match items(text, "decisions") {
        Ok(items) => items,
        Err(mistake) => return (Vec::new(), vec![mistake]),
    };
    let mut mistakes = Vec::new();
    let mut entries = Vec::with_capacity(items.len());
    for mut fields in items {
        match fields.decision() {
            Some(decision) if fields.mistakes.is_empty() => entries.push(Entry {
                decision,
                position: fields.at,
            }),
            _ => mistakes.append(&mut fields.mistakes),
        }
    }
    (entries, mistakes)
}

impl Fields {
    fn decision(&mut self) -> Option<Decision> {
        let word = self
            .keys()
            .find_map(|key| WORDS.into_iter().find(|word| *word == key));
        let Some(word) = word else {
            let known = self.keys().find_map(|key| {
                let meant = suggest(key, WORDS)?;
                Some(format!("did you mean `{meant}`?"))
            });
            let message = format!("says none of {}", WORDS.join(", "));
            let hint = known.unwrap_or_else(|| "an entry begins with one of them".to_owned());
            self.wrong(self.at, message, Some(hint));
            return None;
        };
        let known: &[&str] = match word {
            "approve" => &[word, "replaces"],
            "hold" => &[word, "until"],
            "release" => &[word],
            _ => &[word, "reason"],
        };
        self.check_keys(known, &format!("doesn't go with `{word}`"));
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

    fn reference(&mut self, key: &str) -> Option<Decided> {
        let at = self.place(key)?;
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
}
