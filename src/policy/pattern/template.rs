//! The template of a key: text and groups of a pattern, put together to what is compared.
//!
//! Invariant: every group of a template is one of its pattern's, so a misspelt name is an error when
//! the policy is read and never an empty text. Names end where letters, digits and `_` end; braces
//! end them earlier.
//!
//! What the key means is the order's to say.

use std::sync::Arc;

use regex::CaptureLocations;

/// Longest template, in bytes: some groups and what stands between them.
const MAX_TEMPLATE: usize = 256;

/// A template whose groups are known.
#[derive(Debug, Clone)]
pub(super) struct Template {
    text: Arc<str>,
    pieces: Vec<Piece>,
}

#[derive(Debug, Clone)]
enum Piece {
    Text(String),
    Group { index: usize, name: Arc<str> },
}

/// Why a text is not a template for a key.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum KeyError {
    /// It is longer than 256 bytes.
    #[error("a key may have at most {MAX_TEMPLATE} bytes")]
    TooLong,
    /// A `$` without a group after it.
    #[error(
        "a `$` needs a group after it, such as `$ts`, `${{ts}}` or `$1`; `$$` is a dollar sign"
    )]
    Stray,
    /// A group that the pattern lacks.
    #[error("the pattern has no group `{name}`{}", known.as_deref().map(|known| format!("; write `${{{known}}}` if the rest is text")).unwrap_or_default())]
    UnknownGroup {
        /// The name as written.
        name: String,
        /// A group whose name begins like it.
        known: Option<String>,
    },
    /// No group at all, so that every tag would compare alike.
    #[error("a key needs at least one group of the pattern, such as `$ts` for `(?<ts>[0-9]+)`")]
    NoGroup,
    /// The pattern has a `version` group.
    #[error("the group `version` is what is compared already; rename it or remove the key")]
    Version,
}

impl Template {
    /// Reads a template over the groups `names`; the first is the whole match.
    pub(super) fn parse(text: &str, names: &[Option<&str>]) -> Result<Self, KeyError> {
        if text.len() > MAX_TEMPLATE {
            return Err(KeyError::TooLong);
        }
        let mut pieces = Vec::new();
        let mut rest = text;
        while let Some((before, after)) = rest.split_once('$') {
            push_text(&mut pieces, before);
            if let Some(tail) = after.strip_prefix('$') {
                push_text(&mut pieces, "$");
                rest = tail;
                continue;
            }
            let (name, tail) = name(after).ok_or(KeyError::Stray)?;
            pieces.push(Piece::Group {
                index: index(name, names)?,
                name: name.into(),
            });
            rest = tail;
        }
        push_text(&mut pieces, rest);
        let has_group = pieces
            .iter()
            .any(|piece| matches!(piece, Piece::Group { .. }));
        let text = text.into();
        has_group
            .then_some(Self { text, pieces })
            .ok_or(KeyError::NoGroup)
    }

    /// The template as written.
    pub(super) fn text(&self) -> &str {
        &self.text
    }

    /// The key of a match, or the group that takes no part in it.
    pub(super) fn expand(
        &self,
        tag: &str,
        locations: &CaptureLocations,
    ) -> Result<String, &Arc<str>> {
        let mut key = String::new();
        for piece in &self.pieces {
            match piece {
                Piece::Text(text) => key.push_str(text),
                Piece::Group { index, name } => {
                    let (start, end) = locations.get(*index).ok_or(name)?;
                    key.push_str(&tag[start..end]);
                }
            }
        }
        Ok(key)
    }
}

fn push_text(pieces: &mut Vec<Piece>, text: &str) {
    match pieces.last_mut() {
        _ if text.is_empty() => {}
        Some(Piece::Text(before)) => before.push_str(text),
        _ => pieces.push(Piece::Text(text.to_owned())),
    }
}

/// The name at the start of `text`, with or without braces, and what follows it.
fn name(text: &str) -> Option<(&str, &str)> {
    if let Some(braced) = text.strip_prefix('{') {
        return braced.split_once('}').filter(|(name, _)| !name.is_empty());
    }
    let end = text
        .find(|c: char| !(c.is_ascii_alphanumeric() || c == '_'))
        .unwrap_or(text.len());
    (end > 0).then(|| text.split_at(end))
}

fn index(name: &str, names: &[Option<&str>]) -> Result<usize, KeyError> {
    let number = name.parse().ok().filter(|index| *index < names.len());
    let named = names.iter().position(|known| *known == Some(name));
    named.or(number).ok_or_else(|| {
        let longest = names
            .iter()
            .flatten()
            .filter(|known| name.starts_with(**known))
            .max_by_key(|known| known.len());
        KeyError::UnknownGroup {
            name: name.to_owned(),
            known: longest.map(|known| (*known).to_owned()),
        }
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    const NAMES: [Option<&str>; 4] = [None, Some("ts"), None, Some("build")];

    #[test]
    fn a_bad_template_says_what_is_wrong() {
        for (text, error) in [
            ("$", KeyError::Stray),
            ("a$", KeyError::Stray),
            ("$-", KeyError::Stray),
            ("${", KeyError::Stray),
            ("${ts", KeyError::Stray),
            ("${}", KeyError::Stray),
            ("", KeyError::NoGroup),
            ("ts", KeyError::NoGroup),
            ("$$ts", KeyError::NoGroup),
            (
                "$4",
                KeyError::UnknownGroup {
                    name: "4".to_owned(),
                    known: None,
                },
            ),
            (
                "$ts_$build",
                KeyError::UnknownGroup {
                    name: "ts_".to_owned(),
                    known: Some("ts".to_owned()),
                },
            ),
        ] {
            assert_eq!(Template::parse(text, &NAMES).unwrap_err(), error, "{text}");
        }
        let long = "$ts".repeat(100);
        assert_eq!(
            Template::parse(&long, &NAMES).unwrap_err(),
            KeyError::TooLong
        );
        assert_eq!(
            Template::parse("$ts_", &NAMES).unwrap_err().to_string(),
            "the pattern has no group `ts_`; write `${ts}` if the rest is text"
        );
        for good in ["$ts", "${ts}_${build}", "$0", "$3-$2", "x$ts$$"] {
            assert!(Template::parse(good, &NAMES).is_ok(), "{good}");
        }
    }
}
