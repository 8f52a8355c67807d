//! `ignore`, and the tags that belong to other tags.
//!
//! Invariant: globs come from configuration, so their size is limited when they are read, and matching
//! takes time linear in the tag.
//!
//! Orders are not known here.

use std::sync::Arc;

use globset::{GlobBuilder, GlobSet, GlobSetBuilder};

/// Longest glob, in bytes. Tags have at most 128 characters, so this is ample.
const MAX_TEXT: usize = 1024;

/// Most globs in one `ignore`; a longer list wants a `match`.
const MAX_GLOBS: usize = 256;

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

    /// The globs, as written.
    pub fn globs(&self) -> &[Arc<str>] {
        &self.globs
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
