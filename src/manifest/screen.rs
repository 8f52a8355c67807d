//! Whether a file can hold a site at all, told from its bytes alone.
//!
//! Invariant: a file that is left out has none of the keys and comments that any finder starts from;
//! a file that is let in may still have no site. Each needle is searched for once, so the screen is
//! linear and far cheaper than parsing.

use super::marker;

/// Whether a comment of the text could be a marker, so that comments must be read.
pub(super) fn has_markers(bytes: &[u8]) -> bool {
    has(bytes, marker::OWN_NEEDLE) || has(bytes, marker::FLUX_NEEDLE)
}

/// Whether the text is worth parsing.
pub(super) fn passes(bytes: &[u8]) -> bool {
    has_markers(bytes)
        || has_image_key(bytes)
        // Helm values: the name, and something that says which version of it.
        || has_key(bytes, "repository")
            && ["tag", "version", "digest"]
                .into_iter()
                .any(|key| has_key(bytes, key))
        // Argo CD's overrides of Helm values, whose names are values here.
        || has_key(bytes, "helm") && has_key(bytes, "parameters")
}

pub(super) fn has(bytes: &[u8], needle: &str) -> bool {
    memchr::memmem::find(bytes, needle.as_bytes()).is_some()
}

/// Whether a key ends in `image`, `Image` or `IMAGE`, or in the plural, so that `imagePullPolicy`
/// alone doesn't make a file worth parsing.
fn has_image_key(bytes: &[u8]) -> bool {
    ["mage", "MAGE"].into_iter().any(|end| {
        ends_of(bytes, end).any(|at| {
            let rest = &bytes[at..];
            let rest = rest.strip_prefix(b"s").unwrap_or(rest);
            at > end.len() && matches!(bytes[at - end.len() - 1], b'i' | b'I') && is_key_end(rest)
        })
    })
}

/// Whether `key`, or something that ends in it, is there in the place of a key.
fn has_key(bytes: &[u8], key: &str) -> bool {
    ends_of(bytes, key).any(|at| is_key_end(&bytes[at..]))
}

fn ends_of<'b>(bytes: &'b [u8], word: &'b str) -> impl Iterator<Item = usize> + 'b {
    memchr::memmem::find_iter(bytes, word.as_bytes()).map(|at| at + word.len())
}

/// Whether what follows a word makes it a key: its quote if it has one, blanks, and a colon.
fn is_key_end(rest: &[u8]) -> bool {
    let rest = match rest {
        // A text inside a JSON string has its quotes behind backslashes.
        [b'\\', b'"', rest @ ..] | [b'"' | b'\'', rest @ ..] => rest,
        _ => rest,
    };
    rest.trim_ascii_start().first() == Some(&b':')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keys_let_a_file_in() {
        for text in [
            "image: a",
            "image : a",
            "\"image\":\"a\"",
            "'image': a",
            "images:\n",
            "? image\n: a",
            "sidecarImage: a",
            "IMAGE: a",
            "repository: a\ntag: b",
            "\"version\": 1, \"repository\": 2",
            "digest: a\nrepository: b",
            "helm:\n  parameters: []",
            "\"helm\":{\"values\":\"image:\\n\"}",
            "\"values\":\"{\\\"image\\\": 1}\"",
            "x # tagwright: y",
            "x # {\"$imagepolicy\": \"a:b\"}",
        ] {
            assert!(passes(text.as_bytes()), "{text}");
        }
    }

    #[test]
    fn other_words_leave_it_out() {
        for text in [
            "",
            "imagePullPolicy: Always",
            "imagePullSecrets:",
            "image",
            "mage: a",
            "smage: a",
            "kind: image",
            "repository: a",
            "tag: a",
            "repository a\ntag: b",
            "helm: a\nvalues: b",
            "parameters: []",
        ] {
            assert!(!passes(text.as_bytes()), "{text}");
        }
    }
}
