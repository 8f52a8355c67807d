//! `match` and `ignore`: what a tag must look like before its version counts, and the tags that
//! belong to other tags.
//!
//! Invariant: patterns and globs come from configuration, so their size is limited when they are
//! read, and matching takes time linear in the tag.
//!
//! Orders are not known here.

use std::fmt;
use std::str::FromStr;
use std::sync::Arc;

use globset::{GlobBuilder, GlobSet, GlobSetBuilder};
use regex::{CaptureLocations, Regex, RegexBuilder};

/// Longest pattern or glob, in bytes. Tags have at most 128 characters, so this is ample.
const MAX_TEXT: usize = 1024;

/// Most memory a compiled pattern may take, in bytes: enough for Unicode classes with counts, far
/// too little for `(a{1000}){1000}`.
const MAX_COMPILED: usize = 1 << 20;

/// Most globs in one `ignore`; a longer list wants a `match`.
const MAX_GLOBS: usize = 256;

/// `match`: an unanchored regular expression. A group named `version` takes the version out of the
/// tag. The syntax is that of the `regex` crate: no look-around and no back-references.
#[derive(Debug, Clone)]
pub struct Pattern {
    text: Arc<str>,
    regex: Regex,
    /// The index of the `version` group.
    version: Option<usize>,
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
    /// It matches, and this part is the version: the group's text, or the whole tag without group.
    Version(&'t str),
    /// It matches without its `version` group.
    NoGroup,
}

/// Room for the groups of one match, reused from tag to tag.
#[derive(Debug)]
pub(super) struct Scratch(Option<CaptureLocations>);

impl Pattern {
    /// Whether the pattern takes the version out of the tag.
    pub fn has_version_group(&self) -> bool {
        self.version.is_some()
    }

    pub(super) fn text(&self) -> &Arc<str> {
        &self.text
    }

    pub(super) fn scratch(pattern: Option<&Self>) -> Scratch {
        Scratch(
            pattern
                .filter(|pattern| pattern.has_version_group())
                .map(|pattern| pattern.regex.capture_locations()),
        )
    }

    pub(super) fn apply<'t>(&self, tag: &'t str, scratch: &mut Scratch) -> Matched<'t> {
        let (Some(group), Some(locations)) = (self.version, &mut scratch.0) else {
            return match self.regex.is_match(tag) {
                true => Matched::Version(tag),
                false => Matched::No,
            };
        };
        if self.regex.captures_read(locations, tag).is_none() {
            return Matched::No;
        }
        match locations.get(group) {
            Some((start, end)) => Matched::Version(&tag[start..end]),
            None => Matched::NoGroup,
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
        let version = regex
            .capture_names()
            .position(|name| name == Some("version"));
        Ok(Self {
            text: text.into(),
            regex,
            version,
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

/// `ignore`: globs over whole tags; a tag that one of them matches is never a candidate.
#[derive(Debug, Clone, Default)]
pub struct Ignore {
    set: GlobSet,
    globs: Vec<Arc<str>>,
}

/// Why a list is not a list of globs.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum IgnoreError {
    /// There are more than 256.
    #[error("`ignore` may have at most {MAX_GLOBS} globs; use `match` instead")]
    TooMany,
    /// The glob at `index` is not one.
    #[error("`{glob}` is not a glob: {problem}")]
    Glob {
        /// Its index in the list.
        index: usize,
        /// The glob, shortened.
        glob: String,
        /// What is wrong with it.
        problem: String,
    },
}

impl Ignore {
    /// The tags that any of `globs` matches.
    ///
    /// # Errors
    /// Names the first text that is not a glob or is longer than 1,024 bytes, and refuses more than
    /// 256.
    pub fn new<T: AsRef<str>>(globs: &[T]) -> Result<Self, IgnoreError> {
        if globs.len() > MAX_GLOBS {
            return Err(IgnoreError::TooMany);
        }
        let mut set = GlobSetBuilder::new();
        for (index, glob) in globs.iter().enumerate() {
            let glob = glob.as_ref();
            let refuse = |problem: String| IgnoreError::Glob {
                index,
                glob: glob.chars().take(80).collect(),
                problem,
            };
            if glob.len() > MAX_TEXT {
                return Err(refuse(format!("it has more than {MAX_TEXT} bytes")));
            }
            let compiled = GlobBuilder::new(glob)
                .build()
                .map_err(|error| refuse(error.kind().to_string()))?;
            set.add(compiled);
        }
        let set = set.build().map_err(|error| IgnoreError::Glob {
            index: 0,
            glob: error.glob().unwrap_or_default().chars().take(80).collect(),
            problem: error.kind().to_string(),
        })?;
        Ok(Self {
            set,
            globs: globs.iter().map(|glob| glob.as_ref().into()).collect(),
        })
    }

    /// The first glob that matches `tag`.
    pub(super) fn matching(&self, tag: &str) -> Option<&Arc<str>> {
        if self.globs.is_empty() || !self.set.is_match(tag) {
            return None;
        }
        let first = self.set.matches(tag).into_iter().min()?;
        self.globs.get(first)
    }
}

/// Whether `tag` holds the signature, attestation or SBOM of another manifest: cosign's tag scheme
/// and the referrers tag schema of the OCI distribution spec (v1.1), `sha256-HEX` with an optional
/// `.suffix`.
pub(super) fn is_signature(tag: &str) -> bool {
    const HEX_DIGITS: usize = 64;
    let Some(rest) = tag.strip_prefix("sha256-") else {
        return false;
    };
    let hex = rest
        .bytes()
        .take_while(|b| matches!(b, b'0'..=b'9' | b'a'..=b'f'))
        .count();
    hex == HEX_DIGITS
        && match rest[hex..].strip_prefix('.') {
            Some(suffix) => !suffix.is_empty(),
            None => rest.len() == hex,
        }
}

#[cfg(test)]
mod tests {
    use super::*;

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
            let mut scratch = Pattern::scratch(Some(&pattern));
            let found = match pattern.apply(tag, &mut scratch) {
                Matched::Version(version) => Some(version),
                Matched::No | Matched::NoGroup => None,
            };
            assert_eq!(found, version, "{pattern} on {tag}");
        }
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

    #[test]
    fn globs_cover_whole_tags() {
        let ignore = Ignore::new(&["*-debug", "1.2.[34]", "{nightly,edge}", "x?"]).unwrap();
        for (tag, glob) in [
            ("1.2.3-debug", Some("*-debug")),
            ("1.2.3", Some("1.2.[34]")),
            ("1.2.5", None),
            ("edge", Some("{nightly,edge}")),
            ("edges", None),
            ("xy", Some("x?")),
            ("x", None),
        ] {
            assert_eq!(ignore.matching(tag).map(AsRef::as_ref), glob, "{tag}");
        }
        assert_eq!(Ignore::default().matching("1.2.3"), None);
    }

    #[test]
    fn a_bad_glob_is_named() {
        let error = Ignore::new(&["ok", "[a"]).unwrap_err();
        assert!(
            matches!(&error, IgnoreError::Glob { index: 1, .. }),
            "{error}"
        );
        assert!(error.to_string().starts_with("`[a` is not a glob: "));
        assert_eq!(
            Ignore::new(&vec!["a"; 257]).unwrap_err(),
            IgnoreError::TooMany
        );
    }

    #[test]
    fn signatures_are_known_by_their_name() {
        let hex = "0123456789abcdef".repeat(4);
        for (tag, expected) in [
            (format!("sha256-{hex}"), true),
            (format!("sha256-{hex}.sig"), true),
            (format!("sha256-{hex}.att.1"), true),
            (format!("sha256-{hex}."), false),
            (format!("sha256-{hex}0"), false),
            (format!("sha256-{hex}-sig"), false),
            (format!("sha256-{}", &hex[1..]), false),
            (format!("sha256-{}", hex.to_uppercase()), false),
            (format!("x-sha256-{hex}"), false),
            ("1.2.3".to_owned(), false),
        ] {
            assert_eq!(is_signature(&tag), expected, "{tag}");
        }
    }
}
