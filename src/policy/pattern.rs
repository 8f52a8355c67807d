//! `match`: what a tag must look like, and which part of it is compared.
//!
//! Invariant: patterns come from configuration, so their size is limited when they are read, and
//! matching takes time linear in the tag. A group that takes no part in a match is never taken for an
//! empty one.
//!
//! Orders are not known here.

use std::borrow::Cow;
use std::fmt;
use std::str::FromStr;
use std::sync::Arc;

use regex::{CaptureLocations, Regex, RegexBuilder};

mod template;

pub use template::KeyError;
use template::Template;

/// Longest pattern, in bytes. Tags have at most 128 characters, so this is ample.
const MAX_TEXT: usize = 1024;

/// Most memory a compiled pattern may take, in bytes: enough for Unicode classes with counts, far
/// too little for `(a{1000}){1000}`.
const MAX_COMPILED: usize = 1 << 20;

/// The group that takes out what is compared where no template says more.
const VERSION: &str = "version";

/// `match`: an unanchored regular expression. A group named `version` takes what is compared out of
/// the tag; [`Pattern::with_key`] puts it together from several groups. The syntax is that of the
/// `regex` crate: no look-around and no back-references.
#[derive(Debug, Clone)]
pub struct Pattern {
    text: Arc<str>,
    regex: Regex,
    compared: Compared,
}

/// What is compared.
#[derive(Debug, Clone)]
enum Compared {
    /// The tag.
    Tag,
    /// The `version` group, by its index.
    Version(usize),
    /// Groups, put together.
    Key(Template),
}

/// Why a text is not a pattern.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum PatternError {
    /// It is longer than 1,024 bytes.
    #[error("a pattern may have at most {MAX_TEXT} bytes")]
    TooLong,
    /// It would take too much memory.
    #[error("this pattern grows too large when compiled; use smaller counts")]
    TooLarge,
    /// It is not a regular expression.
    #[error("not a regular expression: {0}")]
    Syntax(String),
}

/// What a pattern makes of a tag.
pub(super) enum Matched<'t> {
    /// It does not match.
    No,
    /// It matches, and this is compared.
    Compared(Cow<'t, str>),
    /// It matches without this group, which is to be compared.
    NoGroup(Arc<str>),
}

/// Room for the groups of one match, reused from tag to tag.
#[derive(Debug)]
pub(super) struct Scratch(Option<CaptureLocations>);

impl Pattern {
    /// Whether the pattern takes what is compared out of the tag.
    pub fn takes_out(&self) -> bool {
        !matches!(self.compared, Compared::Tag)
    }

    /// Whether it does so by a template of groups.
    pub fn has_key(&self) -> bool {
        matches!(self.compared, Compared::Key(_))
    }

    /// That template as written.
    pub fn key(&self) -> Option<&str> {
        match &self.compared {
            Compared::Key(template) => Some(template.text()),
            Compared::Tag | Compared::Version(_) => None,
        }
    }

    /// The same pattern, comparing groups put together by the template `key`: `$name`, `${name}` and
    /// `$1` stand for groups, `$$` for a dollar sign, and all else for itself.
    ///
    /// # Errors
    /// When `key` is too long, is no template, names a group that the pattern lacks or none at all,
    /// or when the pattern has a `version` group, which would say the same thing again.
    pub fn with_key(self, key: &str) -> Result<Self, KeyError> {
        if matches!(self.compared, Compared::Version(_)) {
            return Err(KeyError::Version);
        }
        let names: Vec<Option<&str>> = self.regex.capture_names().collect();
        let template = Template::parse(key, &names)?;
        Ok(Self {
            compared: Compared::Key(template),
            ..self
        })
    }

    pub(super) fn text(&self) -> &Arc<str> {
        &self.text
    }

    pub(super) fn scratch(pattern: Option<&Self>) -> Scratch {
        Scratch(
            pattern
                .filter(|pattern| pattern.takes_out())
                .map(|pattern| pattern.regex.capture_locations()),
        )
    }

    pub(super) fn is_match(&self, tag: &str) -> bool {
        self.regex.is_match(tag)
    }

    pub(super) fn apply<'t>(&self, tag: &'t str, scratch: &mut Scratch) -> Matched<'t> {
        let Some(locations) = &mut scratch.0 else {
            return match self.is_match(tag) {
                true => Matched::Compared(tag.into()),
                false => Matched::No,
            };
        };
        if self.regex.captures_read(locations, tag).is_none() {
            return Matched::No;
        }
        match &self.compared {
            Compared::Tag => Matched::Compared(tag.into()),
            Compared::Version(group) => match locations.get(*group) {
                Some((start, end)) => Matched::Compared(tag[start..end].into()),
                None => Matched::NoGroup(VERSION.into()),
            },
            Compared::Key(template) => match template.expand(tag, locations) {
                Ok(key) => Matched::Compared(key.into()),
                Err(group) => Matched::NoGroup(Arc::clone(group)),
            },
        }
    }
}

impl FromStr for Pattern {
    type Err = PatternError;

    fn from_str(text: &str) -> Result<Self, PatternError> {
        if text.len() > MAX_TEXT {
            return Err(PatternError::TooLong);
        }
        let regex = RegexBuilder::new(text)
            .size_limit(MAX_COMPILED)
            .build()
            .map_err(|error| match error {
                regex::Error::CompiledTooBig(_) => PatternError::TooLarge,
                other => PatternError::Syntax(last_line(&other.to_string())),
            })?;
        let version = regex.capture_names().position(|name| name == Some(VERSION));
        Ok(Self {
            text: text.into(),
            regex,
            compared: version.map_or(Compared::Tag, Compared::Version),
        })
    }
}

impl fmt::Display for Pattern {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text)
    }
}

/// The parser draws the pattern with a pointer over several lines and states the problem in the last.
fn last_line(message: &str) -> String {
    let line = message.lines().last().unwrap_or(message);
    line.strip_prefix("error: ").unwrap_or(line).to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn compared(pattern: &Pattern, tag: &str) -> Option<String> {
        match pattern.apply(tag, &mut Pattern::scratch(Some(pattern))) {
            Matched::Compared(text) => Some(text.into_owned()),
            Matched::No | Matched::NoGroup(_) => None,
        }
    }

    #[test]
    fn the_version_group_takes_the_version_out() {
        for (pattern, tag, version) in [
            ("^v", "v1.2.3", Some("v1.2.3")),
            ("2", "1.2.3", Some("1.2.3")),
            ("^2", "1.2.3", None),
            ("^main-(?P<version>.+)$", "main-1.2.3", Some("1.2.3")),
            ("^main-(?<version>.+)$", "main-1.2.3", Some("1.2.3")),
            ("(?<version>[0-9.]+)-alpine", "x1.2-alpine", Some("1.2")),
            ("^(?<build>.+)$", "1.2.3", Some("1.2.3")),
            ("^a|(?<version>b)", "a", None),
            ("", "anything", Some("anything")),
        ] {
            let pattern: Pattern = pattern.parse().unwrap();
            assert_eq!(
                compared(&pattern, tag).as_deref(),
                version,
                "{pattern} on {tag}"
            );
        }
    }

    #[test]
    fn a_key_puts_groups_together() {
        let pattern = |text: &str| text.parse::<Pattern>().unwrap();
        for (text, key, tag, expected) in [
            (
                "^main-[0-9a-f]+-(?<ts>[0-9]+)$",
                "$ts",
                "main-abc1234-1700000000",
                Some("1700000000"),
            ),
            ("^(?<m>..)(?<y>....)$", "$y$m", "122024", Some("202412")),
            ("^(.)(.)$", "$2.${1}_$$", "ab", Some("b.a_$")),
            ("^(?<a>a)|(?<b>b)$", "$a", "b", None),
            ("^(?<a>a)|(?<b>b)$", "$b", "x", None),
        ] {
            let pattern = pattern(text).with_key(key).unwrap();
            assert!(pattern.has_key() && pattern.takes_out());
            assert_eq!(compared(&pattern, tag).as_deref(), expected, "{text} {key}");
        }
        let error = pattern("(?<version>.)(?<n>.)").with_key("$n").unwrap_err();
        assert_eq!(error, KeyError::Version);
    }

    #[test]
    fn a_bad_pattern_says_what_is_wrong() {
        let syntax = "^(1".parse::<Pattern>().unwrap_err();
        assert_eq!(
            syntax.to_string(),
            "not a regular expression: unclosed group"
        );
        let large = r"(\w{1000}){1000}".parse::<Pattern>().unwrap_err();
        assert_eq!(large, PatternError::TooLarge);
        let long = "a".repeat(MAX_TEXT + 1).parse::<Pattern>().unwrap_err();
        assert_eq!(long, PatternError::TooLong);
    }
}
