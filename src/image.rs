//! Images, tags, digests and references: parsed once at the edge, printed alike everywhere.
//!
//! Invariant: an [`Image`] is canonical. `nginx`, `library/nginx`, `docker.io/nginx` and
//! `index.docker.io/library/nginx` are one value, so maps keyed by image never hold one repository
//! twice. A [`Reference`] also keeps the name as its author spelled it, because an edit must not
//! respell it.
//!
//! The grammar is that of the OCI distribution spec (v1.1, "Pulling manifests") and, for the split
//! between registry and repository, that of the `distribution/reference` convention: the first
//! component is a registry when it holds a `.`, a `:` or is `localhost`.
//!
//! No I/O, and no knowledge of registries beyond Docker Hub's naming.

use std::fmt;
use std::str::FromStr;
use std::sync::Arc;

/// The registry that a name without a registry component belongs to.
pub const DOCKER_HUB: &str = "docker.io";

/// Longest repository name accepted, in bytes; the distribution spec notes that many clients limit
/// host and repository together to 255.
const MAX_NAME: usize = 255;

/// Longest tag, in characters (distribution spec: `[a-zA-Z0-9_][a-zA-Z0-9._-]{0,127}`).
const MAX_TAG: usize = 128;

/// Why a text is not an image, tag, digest or reference.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ParseError {
    /// The text is empty.
    #[error("an image reference is empty")]
    Empty,
    /// The registry part is not a host name with an optional port.
    #[error("`{0}` is not a registry host")]
    Registry(String),
    /// The repository part breaks the distribution spec's grammar.
    #[error(
        "`{0}` is not a repository name (lower-case letters, digits, and `.`, `_`, `-` between them)"
    )]
    Repository(String),
    /// The name is longer than 255 bytes.
    #[error("the image name is longer than {MAX_NAME} bytes")]
    TooLong,
    /// The tag breaks the distribution spec's grammar.
    #[error(
        "`{0}` is not a tag (at most {MAX_TAG} letters, digits, `_`, `.`, `-`, not starting with `.` or `-`)"
    )]
    Tag(String),
    /// The digest is not `sha256:` or `sha512:` with the right number of lower-case hex digits.
    #[error("`{0}` is not a digest such as `sha256:` and 64 lower-case hex digits")]
    Digest(String),
    /// A tag or digest stands where only a name belongs.
    #[error("`{0}` has a tag or digest where only an image name belongs")]
    NotAName(String),
}

/// An image: a repository on a registry, in canonical form.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Image {
    registry: String,
    repository: String,
}

impl Image {
    /// The registry's host, with its port if it has one; Docker Hub is `docker.io`.
    pub fn registry(&self) -> &str {
        &self.registry
    }

    /// The repository below the registry; official Docker Hub images carry `library/`.
    pub fn repository(&self) -> &str {
        &self.repository
    }
}

impl FromStr for Image {
    type Err = ParseError;

    fn from_str(text: &str) -> Result<Self, ParseError> {
        let reference = Reference::from_str(text)?;
        if reference.tag.is_some() || reference.digest.is_some() {
            return Err(ParseError::NotAName(text.to_owned()));
        }
        Ok(reference.image)
    }
}

impl fmt::Display for Image {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.registry, self.repository)
    }
}

/// A tag of an image, at most 128 characters of `[A-Za-z0-9_.-]`.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Tag(Arc<str>);

impl Tag {
    /// The tag as text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl FromStr for Tag {
    type Err = ParseError;

    fn from_str(text: &str) -> Result<Self, ParseError> {
        let mut bytes = text.bytes();
        let first = bytes
            .next()
            .is_some_and(|b| b.is_ascii_alphanumeric() || b == b'_');
        let rest = bytes.all(|b| b.is_ascii_alphanumeric() || matches!(b, b'_' | b'.' | b'-'));
        if first && rest && text.len() <= MAX_TAG {
            Ok(Self(text.into()))
        } else {
            Err(ParseError::Tag(shorten(text)))
        }
    }
}

impl fmt::Display for Tag {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// A content digest, `sha256:` or `sha512:` and lower-case hex digits.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Digest(String);

impl Digest {
    /// The SHA-256 digest of `bytes`: what a registry computes over the raw bytes of a manifest.
    pub fn of(bytes: &[u8]) -> Self {
        use fmt::Write as _;
        let hash = ring::digest::digest(&ring::digest::SHA256, bytes);
        let mut text = String::with_capacity(71);
        text.push_str("sha256:");
        for byte in hash.as_ref() {
            // Writing to a String cannot fail.
            let _ = write!(text, "{byte:02x}");
        }
        Self(text)
    }

    /// The digest as text, with its algorithm.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl FromStr for Digest {
    type Err = ParseError;

    fn from_str(text: &str) -> Result<Self, ParseError> {
        let length = match text.split_once(':') {
            Some(("sha256", hex)) => (hex, 64),
            Some(("sha512", hex)) => (hex, 128),
            _ => return Err(ParseError::Digest(shorten(text))),
        };
        let (hex, wanted) = length;
        if hex.len() == wanted && hex.bytes().all(|b| matches!(b, b'0'..=b'9' | b'a'..=b'f')) {
            Ok(Self(text.to_owned()))
        } else {
            Err(ParseError::Digest(shorten(text)))
        }
    }
}

impl fmt::Display for Digest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// An image with an optional tag and an optional digest, spelled as its author spelled it.
///
/// Equality compares the spelling too; compare [`Reference::image`] to ask whether two references
/// name one image.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Reference {
    name: String,
    image: Image,
    tag: Option<Tag>,
    digest: Option<Digest>,
}

impl Reference {
    /// A reference to `image` under its canonical name.
    pub fn new(image: Image, tag: Option<Tag>, digest: Option<Digest>) -> Self {
        Self {
            name: image.to_string(),
            image,
            tag,
            digest,
        }
    }

    /// The name as written: everything before the tag and the digest.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// The image that the name stands for.
    pub fn image(&self) -> &Image {
        &self.image
    }

    /// The tag, if one is written.
    pub fn tag(&self) -> Option<&Tag> {
        self.tag.as_ref()
    }

    /// The digest, if one is written.
    pub fn digest(&self) -> Option<&Digest> {
        self.digest.as_ref()
    }

    /// The tag and digest without the name: `1.2.3`, `1.2.3@sha256:…`, `@sha256:…`, or nothing.
    pub fn version(&self) -> Version<'_> {
        Version {
            tag: self.tag.as_ref(),
            digest: self.digest.as_ref(),
        }
    }
}

impl FromStr for Reference {
    type Err = ParseError;

    fn from_str(text: &str) -> Result<Self, ParseError> {
        if text.is_empty() {
            return Err(ParseError::Empty);
        }
        let (rest, digest) = match text.split_once('@') {
            Some((rest, digest)) => (rest, Some(Digest::from_str(digest)?)),
            None => (text, None),
        };
        // A colon after the last slash starts the tag; one before it belongs to a port.
        let tail = rest.rfind('/').map_or(0, |slash| slash + 1);
        let (name, tag) = match rest[tail..].find(':') {
            Some(colon) => (
                &rest[..tail + colon],
                Some(Tag::from_str(&rest[tail + colon + 1..])?),
            ),
            None => (rest, None),
        };
        Ok(Self {
            name: name.to_owned(),
            image: parse_name(name)?,
            tag,
            digest,
        })
    }
}

impl fmt::Display for Reference {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.name)?;
        if let Some(tag) = &self.tag {
            write!(f, ":{tag}")?;
        }
        if let Some(digest) = &self.digest {
            write!(f, "@{digest}")?;
        }
        Ok(())
    }
}

/// A tag and a digest for display, as commits and reasons name a version.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Version<'a> {
    /// The tag, if known.
    pub tag: Option<&'a Tag>,
    /// The digest, if known.
    pub digest: Option<&'a Digest>,
}

impl fmt::Display for Version<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match (self.tag, self.digest) {
            (Some(tag), Some(digest)) => write!(f, "{tag}@{digest}"),
            (Some(tag), None) => write!(f, "{tag}"),
            (None, Some(digest)) => write!(f, "@{digest}"),
            (None, None) => f.write_str("(no tag)"),
        }
    }
}

fn parse_name(name: &str) -> Result<Image, ParseError> {
    if name.is_empty() {
        return Err(ParseError::Empty);
    }
    if name.len() > MAX_NAME {
        return Err(ParseError::TooLong);
    }
    let (registry, repository) = match name.split_once('/') {
        Some((first, rest)) if is_registry(first) => (Some(first), rest),
        _ => (None, name),
    };
    if let Some(host) = registry.filter(|host| !is_host(host)) {
        return Err(ParseError::Registry(host.to_owned()));
    }
    if !repository.split('/').all(is_component) {
        return Err(ParseError::Repository(repository.to_owned()));
    }
    let registry = match registry.map(str::to_ascii_lowercase) {
        None => DOCKER_HUB.to_owned(),
        // Docker's own older and internal spellings of the one registry.
        Some(host) if host == "index.docker.io" || host == "registry-1.docker.io" => {
            DOCKER_HUB.to_owned()
        }
        Some(host) => host,
    };
    let repository = if registry == DOCKER_HUB && !repository.contains('/') {
        format!("library/{repository}")
    } else {
        repository.to_owned()
    };
    // The canonical name is longer than a short one; it must parse again.
    if registry.len() + 1 + repository.len() > MAX_NAME {
        return Err(ParseError::TooLong);
    }
    Ok(Image {
        registry,
        repository,
    })
}

fn is_registry(component: &str) -> bool {
    component.contains(['.', ':']) || component.eq_ignore_ascii_case("localhost")
}

fn is_host(text: &str) -> bool {
    let (host, port) = match text.strip_prefix('[').and_then(|rest| rest.split_once(']')) {
        Some((address, rest)) => {
            let literal = address.parse::<std::net::Ipv6Addr>().is_ok();
            match rest.strip_prefix(':') {
                Some(port) if literal => ("localhost", Some(port)),
                None if literal && rest.is_empty() => ("localhost", None),
                _ => return false,
            }
        }
        None => match text.split_once(':') {
            Some((host, port)) => (host, Some(port)),
            None => (text, None),
        },
    };
    let label = |label: &str| {
        !label.is_empty()
            && label
                .bytes()
                .all(|b| b.is_ascii_alphanumeric() || b == b'-')
            && !label.starts_with('-')
            && !label.ends_with('-')
    };
    host.split('.').all(label) && port.is_none_or(|port| port.parse::<u16>().is_ok())
}

/// One path component of a repository (distribution spec):
/// `[a-z0-9]+((\.|_|__|-+)[a-z0-9]+)*`.
fn is_component(text: &str) -> bool {
    let mut rest = text.as_bytes();
    loop {
        let word = rest
            .iter()
            .take_while(|b| matches!(b, b'a'..=b'z' | b'0'..=b'9'))
            .count();
        if word == 0 {
            return false;
        }
        rest = &rest[word..];
        let dashes = rest.iter().take_while(|b| **b == b'-').count();
        let separator = match rest {
            [] => return true,
            [b'-', ..] => dashes,
            [b'_', b'_', ..] => 2,
            [b'.' | b'_', ..] => 1,
            _ => return false,
        };
        rest = &rest[separator..];
    }
}

/// Keeps a hostile text from filling a message.
fn shorten(text: &str) -> String {
    const LIMIT: usize = 160;
    if text.chars().count() <= LIMIT {
        return text.to_owned();
    }
    let mut short: String = text.chars().take(LIMIT).collect();
    short.push('…');
    short
}

#[cfg(test)]
mod tests {
    use super::*;

    const HEX: &str = "0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef";

    #[test]
    fn docker_hub_names_are_one_image() {
        for spelled in [
            "nginx",
            "library/nginx",
            "docker.io/nginx",
            "docker.io/library/nginx",
            "index.docker.io/nginx",
            "registry-1.docker.io/library/nginx",
            "Docker.IO/nginx",
        ] {
            let image: Image = spelled.parse().unwrap();
            assert_eq!(image.to_string(), "docker.io/library/nginx", "{spelled}");
        }
    }

    #[test]
    fn references_print_as_written() {
        for text in [
            "nginx",
            "nginx:1.25",
            "ghcr.io/acme/shop:6.1.9",
            "localhost:5000/a/b:1",
            "127.0.0.1:5000/a",
            "[::1]:5000/a:1",
            "registry.example.com/a__b/c--d/e.f_g:v1.0_x-y",
        ] {
            assert_eq!(text.parse::<Reference>().unwrap().to_string(), text);
        }
        let pinned = format!("ghcr.io/acme/shop:1@sha256:{HEX}");
        let reference: Reference = pinned.parse().unwrap();
        assert_eq!(reference.to_string(), pinned);
        assert_eq!(reference.version().to_string(), format!("1@sha256:{HEX}"));
    }

    #[test]
    fn what_is_no_reference_is_refused() {
        let long = "a".repeat(256);
        let long_tag = format!("nginx:{}", "a".repeat(129));
        for text in [
            "",
            ":",
            "@",
            "/",
            "a/",
            "/a",
            "A",
            "acme/Shop",
            "a..b",
            "a___b",
            "a-",
            "-a",
            "a b",
            "nginx:",
            "nginx:-1",
            "nginx:.x",
            "nginx:a b",
            "nginx@sha256:12",
            "nginx@md5:aa",
            "host.example:port/a",
            "host.example:99999/a",
            "-h.example/a",
            "[::g]/a",
            "[::1]x/a",
            "https://ghcr.io/acme/shop",
            "{{ .Values.image }}",
            "${IMAGE}",
            "a@b@c",
            &long,
            &long_tag,
        ] {
            assert!(text.parse::<Reference>().is_err(), "{text}");
        }
    }

    #[test]
    fn the_longest_name_is_canonical() {
        let hub = "docker.io/library/".len();
        let longest = "a".repeat(MAX_NAME - hub).parse::<Image>().unwrap();
        assert_eq!(longest.to_string().parse::<Image>().unwrap(), longest);
        let longer = "a".repeat(MAX_NAME - hub + 1).parse::<Image>();
        assert_eq!(longer, Err(ParseError::TooLong));
    }

    #[test]
    fn an_image_has_no_tag() {
        assert!("nginx:1".parse::<Image>().is_err());
        assert!(format!("nginx@sha256:{HEX}").parse::<Image>().is_err());
    }

    #[test]
    fn a_digest_is_that_of_the_bytes() {
        // The SHA-256 test vector of FIPS 180-4 for "abc".
        assert_eq!(
            Digest::of(b"abc").as_str(),
            "sha256:ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"
        );
    }
}
