//! The values of the service file that have a form of their own.
//!
//! Invariant: what is parsed here is valid wherever it is used: a branch for Git, a host and path for
//! image names, an author for commits. A text that may hold a password is not quoted.

use std::net::SocketAddr;
use std::num::{NonZeroU32, NonZeroUsize};

use schemars::{Schema, SchemaGenerator, json_schema};

use super::super::read::{Read, Reader, Scalar, shorten};
use super::super::report::Mistake;
use super::super::tree::{Node, Value};
use crate::git::remote::UrlError;
use crate::git::{RemoteUrl, Signature};
use crate::image::{DOCKER_HUB, Image};

/// The address of a config repo.
#[derive(Debug, Clone)]
pub struct Url(pub RemoteUrl);

impl Read for Url {
    fn read(node: &Node, reader: &mut Reader<'_, '_>) -> Option<Self> {
        let text = reader.text(node)?;
        let error = match text.parse::<RemoteUrl>() {
            Ok(url) => return Some(Self(url)),
            Err(error) => error,
        };
        // A password stands before an `@`, a token behind a `?` or `#`, whatever else is wrong.
        if text.contains(['@', '?', '#']) || matches!(error, UrlError::Userinfo) {
            reader.hide(node.at);
        }
        reader.error(node.at, Mistake::new(format!("unusable URL: {error}")));
        None
    }

    fn schema(_generator: &mut SchemaGenerator) -> Schema {
        json_schema!({"type": "string", "minLength": 1})
    }
}

/// The name of a branch.
#[derive(Debug, Clone)]
pub struct Branch(pub String);

impl Scalar for Branch {
    /// The rules of `git check-ref-format`.
    fn parse(text: &str) -> Result<Self, Mistake> {
        let part =
            |part: &str| !part.is_empty() && !part.starts_with('.') && !part.ends_with(".lock");
        let valid = text.split('/').all(part)
            && !text.starts_with('-')
            && !text.ends_with('.')
            && !text.contains("..")
            && !text.contains("@{")
            && text != "@"
            && !text.starts_with("refs/")
            && !text.contains(|c: char| c.is_control() || " ~^:?*[\\".contains(c));
        if valid {
            return Ok(Self(text.to_owned()));
        }
        Err(
            Mistake::new(format!("`{}` is not the name of a branch", shorten(text)))
                .hint("write the short name, such as `main`"),
        )
    }

    fn schema() -> Schema {
        json_schema!({"type": "string", "minLength": 1, "default": "main"})
    }
}

/// The author of commits.
#[derive(Debug, Clone)]
pub struct Author(pub Signature);

impl Scalar for Author {
    fn parse(text: &str) -> Result<Self, Mistake> {
        let plain = |part: &str| {
            !part.is_empty() && !part.contains(|c: char| c.is_control() || matches!(c, '<' | '>'))
        };
        let parts = text.strip_suffix('>').and_then(|text| text.split_once('<'));
        match parts.map(|(name, email)| (name.trim(), email.trim())) {
            Some((name, email)) if plain(name) && plain(email) => Ok(Self(Signature {
                name: name.to_owned(),
                email: email.to_owned(),
            })),
            _ => Err(
                Mistake::new(format!("`{}` is not an author", shorten(text)))
                    .hint("write `Name <mail>`, as in `Tagwright <tagwright@example.com>`"),
            ),
        }
    }

    fn schema() -> Schema {
        json_schema!({"type": "string", "pattern": "^[^<>]+<[^<>]+>$"})
    }
}

/// The host of a registry, in canonical form.
#[derive(Debug, Clone)]
pub struct Host(pub String);

impl Scalar for Host {
    fn parse(text: &str) -> Result<Self, Mistake> {
        let wrong = || Mistake::new(format!("`{}` is not a registry's host", shorten(text)));
        if text.contains("://") {
            return Err(
                wrong().hint("write the host without `https://`; `plainHttp: true` is for http")
            );
        }
        if text.contains('/') {
            return Err(wrong().hint("write only the host here, and what follows it in `path`"));
        }
        // In image names a first part without `.`, `:` or `localhost` is no host but a Docker Hub
        // user, so nothing could ever be looked up on such a host.
        let image = format!("{text}/x").parse::<Image>().map_err(|_| wrong())?;
        let is_host =
            image.registry() == text.to_ascii_lowercase() || image.repository() == "library/x";
        if !is_host {
            return Err(wrong()
                .hint("image names need a host with a `.` or a port, such as `registry:5000`"));
        }
        Ok(Self(image.registry().to_owned()))
    }

    fn schema() -> Schema {
        json_schema!({"type": "string", "pattern": "^[^/]+$"})
    }
}

/// Another registry, or a part of it, that has the images of one.
#[derive(Debug, Clone)]
pub struct MirrorPlace {
    /// Its host, in canonical form.
    pub host: String,
    /// What stands before the names of repositories there, without slashes at its ends.
    pub path: String,
}

impl Scalar for MirrorPlace {
    fn parse(text: &str) -> Result<Self, Mistake> {
        let place = text.strip_suffix('/').unwrap_or(text);
        let (host, path) = match place.split_once('/') {
            Some((host, path)) if !text.contains("://") => (host, path),
            _ => (place, ""),
        };
        let Host(host) = Host::parse(host)?;
        if !path.is_empty() {
            RepositoryPath::parse(path)?;
        }
        Ok(Self {
            host,
            path: path.to_owned(),
        })
    }

    fn schema() -> Schema {
        json_schema!({"type": "string", "pattern": "^[^/]+(/[a-z0-9._-]+)*/?$"})
    }
}

/// The start of repository names on a registry.
#[derive(Debug, Clone)]
pub struct RepositoryPath(pub String);

impl Scalar for RepositoryPath {
    fn parse(text: &str) -> Result<Self, Mistake> {
        let path = text.strip_suffix('/').unwrap_or(text);
        let name = format!("{DOCKER_HUB}/{path}");
        match name.parse::<Image>() {
            Ok(image) if image.repository().ends_with(path) => Ok(Self(text.to_owned())),
            _ => Err(Mistake::new(format!(
                "`{}` is not the start of repository names",
                shorten(text)
            ))
            .hint("write it as in image names, without host and leading `/`: `acme/a/`")),
        }
    }

    fn schema() -> Schema {
        json_schema!({"type": "string", "pattern": "^[a-z0-9][a-z0-9._/-]*$"})
    }
}

/// How many of something: 1 to 10,000.
#[derive(Debug, Clone, Copy)]
pub struct Count(pub NonZeroUsize);

impl Count {
    /// More than any installation changes at once.
    const MOST: u32 = 10_000;
}

impl Read for Count {
    fn read(node: &Node, reader: &mut Reader<'_, '_>) -> Option<Self> {
        let number = number(node, reader, Self::MOST)?;
        Some(Self(number.try_into().ok()?))
    }

    fn schema(_generator: &mut SchemaGenerator) -> Schema {
        json_schema!({"type": "integer", "minimum": 1, "maximum": Self::MOST})
    }
}

/// How many commits: 1 to 1,000,000.
#[derive(Debug, Clone, Copy)]
pub struct Depth(pub NonZeroU32);

impl Depth {
    /// As much as the largest repositories have.
    const MOST: u32 = 1_000_000;
}

impl Read for Depth {
    fn read(node: &Node, reader: &mut Reader<'_, '_>) -> Option<Self> {
        number(node, reader, Self::MOST).map(Self)
    }

    fn schema(_generator: &mut SchemaGenerator) -> Schema {
        json_schema!({"type": "integer", "minimum": 1, "maximum": Self::MOST})
    }
}

/// A whole number from 1 to `most`.
fn number(node: &Node, reader: &mut Reader<'_, '_>, most: u32) -> Option<NonZeroU32> {
    let Value::Number(text) = &node.value else {
        return reader.wrong_kind(node.at, "a number", &node.value);
    };
    let number = text.parse::<NonZeroU32>().ok();
    if let Some(number) = number.filter(|number| number.get() <= most) {
        return Some(number);
    }
    let message = format!("`{}` is out of range", shorten(text));
    let hint = format!("write a whole number from 1 to {most}");
    reader.error(node.at, Mistake::new(message).hint(hint));
    None
}

impl Scalar for SocketAddr {
    fn parse(text: &str) -> Result<Self, Mistake> {
        text.parse().map_err(|_| {
            Mistake::new(format!("`{}` is not an address and port", shorten(text)))
                .hint("write an IP address and a port, such as `0.0.0.0:8080` or `[::]:8080`")
        })
    }

    fn schema() -> Schema {
        json_schema!({"type": "string", "pattern": ":[0-9]+$"})
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::raw_service::push::{BranchPrefix, PullGrouping, PushMode};

    fn accepted<T: Scalar>(texts: &[&str], refused: &[&str]) {
        for text in texts {
            assert!(T::parse(text).is_ok(), "{text}");
        }
        for text in refused {
            assert!(T::parse(text).is_err(), "{text}");
        }
    }

    #[test]
    fn values_have_a_form() {
        accepted::<Branch>(
            &["main", "release/1.x", "a-b_c"],
            &[
                "",
                "-x",
                "a b",
                "a..b",
                "a.lock",
                "a/",
                "/a",
                ".a",
                "@",
                "a@{1}",
                "refs/heads/main",
                "a.",
                "a\n",
            ],
        );
        accepted::<Author>(
            &["Tagwright <t@example.com>", "T <t>"],
            &[
                "", "T", "<t@e>", "T <>", "T <a", "T <a> x", "A\nB <a>", "A <a<b>",
            ],
        );
        accepted::<RepositoryPath>(
            &["acme", "acme/a/", "library/"],
            &["", "/", "/acme", "acme//a", "Acme", "a:1", "a@b"],
        );
        accepted::<SocketAddr>(
            &["0.0.0.0:8080", "[::]:0"],
            &["", ":8080", "localhost:80", "1.2.3.4", "1.2.3.4:70000"],
        );
        accepted::<PushMode>(
            &["off", "direct", "pullRequest"],
            &["", "pull", "on", "Direct"],
        );
        accepted::<PullGrouping>(
            &["appStage", "stage", "path:1", "path:12"],
            &["", "app", "path", "path:", "path:0", "path:-1", "path:a"],
        );
        accepted::<BranchPrefix>(
            &["tagwright/", "bots/tagwright/"],
            &["", "/", "tagwright", "a b/", "refs/x/", "-a/", "a//"],
        );
    }

    #[test]
    fn a_mirror_is_a_host_with_a_path() {
        for (text, host, path) in [
            ("mirror.example.com", "mirror.example.com", ""),
            (
                "Mirror.example.com:5000/hub/",
                "mirror.example.com:5000",
                "hub",
            ),
            (
                "123456789012.dkr.ecr.eu-west-1.amazonaws.com/a/b",
                "123456789012.dkr.ecr.eu-west-1.amazonaws.com",
                "a/b",
            ),
        ] {
            let mirror = MirrorPlace::parse(text).unwrap();
            assert_eq!((mirror.host.as_str(), mirror.path.as_str()), (host, path));
        }
        for text in [
            "",
            "mirror",
            "https://mirror.example.com",
            "m.example/A",
            "m.example//a",
            "m.example/a:1",
        ] {
            assert!(MirrorPlace::parse(text).is_err(), "{text}");
        }
    }

    #[test]
    fn hosts_are_canonical() {
        for (text, host) in [
            ("ghcr.io", Some("ghcr.io")),
            ("GHCR.io", Some("ghcr.io")),
            ("docker.io", Some("docker.io")),
            ("index.docker.io", Some("docker.io")),
            ("registry-1.docker.io", Some("docker.io")),
            ("localhost", Some("localhost")),
            ("localhost:5000", Some("localhost:5000")),
            ("[::1]:5000", Some("[::1]:5000")),
            ("registry", None),
            ("https://ghcr.io", None),
            ("ghcr.io/acme", None),
            ("", None),
            ("a b.c", None),
        ] {
            let parsed = Host::parse(text).ok().map(|host| host.0);
            assert_eq!(parsed.as_deref(), host, "{text}");
        }
    }
}
