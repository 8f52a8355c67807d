//! Which part of the API a path names; nothing is looked up here.

use crate::image::{Digest, Image, Tag};

use super::reply::{Code, Problem};

/// A kind of endpoint, for faults that concern only one.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Part {
    /// `/v2/`
    Root,
    /// `/v2/NAME/tags/list`
    Tags,
    /// `/v2/NAME/manifests/REFERENCE`
    Manifests,
    /// `/v2/NAME/blobs/…`, uploads included
    Blobs,
    /// `/v2/NAME/referrers/DIGEST`
    Referrers,
}

/// What a path names.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Target {
    /// The repository; empty for the root alone.
    pub(super) name: String,
    pub(super) kind: Kind,
}

/// An endpoint with its arguments.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Kind {
    Root,
    Tags,
    Manifest(Key),
    Blob(Digest),
    Uploads,
    Upload(String),
    Referrers(Digest),
}

/// How a manifest is named.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Key {
    Tag(Tag),
    Digest(Digest),
}

impl Key {
    pub(super) fn as_str(&self) -> &str {
        match self {
            Self::Tag(tag) => tag.as_str(),
            Self::Digest(digest) => digest.as_str(),
        }
    }
}

impl Target {
    /// Reads a path.
    pub(super) fn parse(path: &str) -> Result<Self, Problem> {
        // Of all characters in names, tags and digests, clients escape only the colon.
        let path = path.replace("%3A", ":").replace("%3a", ":");
        let mut segments = path.split('/');
        if (segments.next(), segments.next()) != (Some(""), Some("v2")) {
            return Err(Problem::new(Code::NameUnknown, "the API is below /v2/"));
        }
        let segments: Vec<&str> = segments.collect();
        let (name, kind) = match segments.as_slice() {
            [] | [""] => {
                return Ok(Self {
                    name: String::new(),
                    kind: Kind::Root,
                });
            }
            [name @ .., "tags", "list"] => (name, Kind::Tags),
            [name @ .., "blobs", "uploads"] | [name @ .., "blobs", "uploads", ""] => {
                (name, Kind::Uploads)
            }
            [name @ .., "blobs", "uploads", id] => (name, Kind::Upload((*id).to_owned())),
            [name @ .., "blobs", text] => (name, Kind::Blob(digest(text)?)),
            [name @ .., "manifests", text] => (name, Kind::Manifest(key(text)?)),
            [name @ .., "referrers", text] => (name, Kind::Referrers(digest(text)?)),
            _ => return Err(Problem::new(Code::NameUnknown, "no such endpoint")),
        };
        let name = name.join("/");
        // Only with a host in front is the whole name taken for a repository.
        if format!("localhost/{name}").parse::<Image>().is_err() {
            return Err(Problem::new(Code::NameInvalid, "not a repository name"));
        }
        Ok(Self { name, kind })
    }

    /// The kind of endpoint.
    pub(super) fn part(&self) -> Part {
        match &self.kind {
            Kind::Root => Part::Root,
            Kind::Tags => Part::Tags,
            Kind::Manifest(_) => Part::Manifests,
            Kind::Blob(_) | Kind::Uploads | Kind::Upload(_) => Part::Blobs,
            Kind::Referrers(_) => Part::Referrers,
        }
    }

    /// The tag or digest that the path ends in.
    pub(super) fn reference(&self) -> Option<&str> {
        match &self.kind {
            Kind::Manifest(key) => Some(key.as_str()),
            Kind::Blob(digest) | Kind::Referrers(digest) => Some(digest.as_str()),
            Kind::Root | Kind::Tags | Kind::Uploads | Kind::Upload(_) => None,
        }
    }
}

/// A digest of the one algorithm that this registry computes.
pub(super) fn digest(text: &str) -> Result<Digest, Problem> {
    text.parse::<Digest>()
        .ok()
        .filter(|digest| digest.as_str().starts_with("sha256:"))
        .ok_or_else(|| Problem::new(Code::DigestInvalid, "not a sha256 digest"))
}

fn key(text: &str) -> Result<Key, Problem> {
    if text.contains(':') {
        return digest(text).map(Key::Digest);
    }
    text.parse()
        .map(Key::Tag)
        .map_err(|_| Problem::new(Code::ManifestInvalid, "neither a tag nor a digest"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn paths_name_endpoints() {
        let digest = Digest::of(b"");
        let escaped = digest.as_str().replace(':', "%3A");
        let cases = [
            ("/v2".to_owned(), "", Kind::Root),
            ("/v2/".to_owned(), "", Kind::Root),
            ("/v2/a/b/tags/list".to_owned(), "a/b", Kind::Tags),
            ("/v2/tags/tags/list".to_owned(), "tags", Kind::Tags),
            (
                "/v2/a/manifests/1.0".to_owned(),
                "a",
                Kind::Manifest(Key::Tag("1.0".parse().unwrap())),
            ),
            (
                format!("/v2/a/manifests/{escaped}"),
                "a",
                Kind::Manifest(Key::Digest(digest.clone())),
            ),
            (
                format!("/v2/a/blobs/{digest}"),
                "a",
                Kind::Blob(digest.clone()),
            ),
            ("/v2/a/blobs/uploads/".to_owned(), "a", Kind::Uploads),
            (
                "/v2/a/blobs/uploads/7".to_owned(),
                "a",
                Kind::Upload("7".to_owned()),
            ),
            (
                format!("/v2/a/referrers/{digest}"),
                "a",
                Kind::Referrers(digest.clone()),
            ),
        ];
        for (path, name, kind) in cases {
            let target = Target::parse(&path).unwrap();
            assert_eq!(
                (target.name.as_str(), &target.kind),
                (name, &kind),
                "{path}"
            );
        }
    }

    #[test]
    fn other_paths_are_refused() {
        for path in [
            "/",
            "/v1/a/tags/list",
            "/v2x/a/tags/list",
            "/v2/tags/list",
            "/v2//tags/list",
            "/v2/A/tags/list",
            "/v2/a/../b/tags/list",
            "/v2/a:1/tags/list",
            "/v2/a@b/tags/list",
            "/v2/a/manifests/",
            "/v2/a/manifests/sha256:12",
            "/v2/a/manifests/.x",
            "/v2/a/blobs/x",
            "/v2/%61/tags/list",
            "/v2/_catalog",
        ] {
            assert!(Target::parse(path).is_err(), "{path}");
        }
    }

    proptest::proptest! {
        #[test]
        fn whatever_is_asked_for_is_a_sound_name_or_refused(
            path in "/v2(/[a-z.%:@A\\PC]{0,6}){0,4}(/(tags/list|manifests/x|blobs/uploads/?))?"
        ) {
            if let Ok(target) = Target::parse(&path) {
                let sound = format!("localhost/{}", target.name).parse::<Image>().is_ok();
                proptest::prop_assert!(sound || target.kind == Kind::Root);
            }
        }
    }
}
