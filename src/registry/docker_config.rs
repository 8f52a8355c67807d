//! Docker's `config.json`, and Kubernetes' `.dockerconfigjson`, which is the same: which entry is for
//! an image.
//!
//! Invariant: pure. The entry with the longest path that covers the image wins, of those one that names
//! the host over one with a pattern, whatever their order in the file; an entry for another host is never
//! used.
//!
//! Sources: Docker CLI reference, "docker login, Credential stores"; containers-auth.json(5) for keys with
//! a path; Kubernetes documentation, "Images", "Interpretation of config.json", for patterns; Docker
//! Engine API, "Authentication", for `registrytoken`.

use std::collections::BTreeMap;

use docker_credential::{CredentialRetrievalError, DockerCredential};
use serde::Deserialize;

use super::words;
use crate::image::{DOCKER_HUB, Image};

/// Docker Hub's key, which predates its name.
const HUB_KEY: &str = "https://index.docker.io/v1/";

/// What the file has for an image.
#[derive(Debug, PartialEq)]
pub(super) enum Entry {
    /// Nothing.
    Absent,
    /// The credential itself.
    Inline(DockerCredential),
    /// A token for the registry itself.
    RegistryToken(String),
    /// The credential is to be had from a helper program, under this server name.
    Helper {
        /// The helper's name, without `docker-credential-`.
        name: String,
        /// What to ask it for.
        server: String,
    },
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct File {
    auths: Option<BTreeMap<String, Option<serde_json::Map<String, serde_json::Value>>>>,
    cred_helpers: Option<BTreeMap<String, String>>,
    creds_store: Option<String>,
}

/// The entry for `image` in the file's `text`.
///
/// # Errors
/// What is wrong with the file, without quoting it.
pub(super) fn find(text: &str, image: &Image) -> Result<Entry, String> {
    let file: File = serde_json::from_str(text)
        .map_err(|error| format!("line {}, column {}", error.line(), error.column()))?;
    let auths = file.auths.unwrap_or_default();
    let mut helpers = file.cred_helpers.unwrap_or_default();
    // An empty name is Docker's way to say that an entry has none.
    helpers.retain(|_, name| !name.is_empty());
    let auth = best(auths.iter(), image);
    // A pattern is no name that a helper could know.
    let helper = best(helpers.iter(), image).filter(|(_, _, fit)| fit.host == HostFit::Exact);
    let helper_wins = match (&auth, &helper) {
        (Some((_, _, auth)), Some((_, _, helper))) => helper >= auth,
        (_, helper) => helper.is_some(),
    };
    if let Some((key, name, _)) = helper.filter(|_| helper_wins) {
        return Ok(Entry::Helper {
            name: name.clone(),
            server: key.clone(),
        });
    }
    if let Some((_, Some(fields), _)) = &auth
        && let Some(token) = fields.get("registrytoken").and_then(|token| token.as_str())
        && !token.is_empty()
    {
        return Ok(Entry::RegistryToken(token.to_owned()));
    }
    if let Some((key, Some(fields), _)) = &auth
        && let Some(credential) = inline(fields)
            .map_err(|reason| format!("the entry for `{}` {reason}", words::clean(key)))?
    {
        return Ok(Entry::Inline(credential));
    }
    Ok(match file.creds_store.filter(|store| !store.is_empty()) {
        Some(name) => Entry::Helper {
            name,
            server: auth
                .filter(|(_, _, fit)| fit.host == HostFit::Exact)
                .map_or_else(|| server_of(image), |(key, _, _)| key.clone()),
        },
        None => Entry::Absent,
    })
}

/// How well a key fits an image; the greater the better.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
struct Fit {
    /// The length of the key's path.
    path: usize,
    host: HostFit,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum HostFit {
    Pattern,
    Exact,
}

/// The entry whose key fits the image best, and how well.
fn best<'a, T>(
    entries: impl Iterator<Item = (&'a String, &'a T)>,
    image: &Image,
) -> Option<(&'a String, &'a T, Fit)> {
    entries
        .filter_map(|(key, value)| covers(key, image).map(|fit| (key, value, fit)))
        .max_by_key(|(_, _, fit)| *fit)
}

/// How well the key fits, if it is for the image.
fn covers(key: &str, image: &Image) -> Option<Fit> {
    let key = key
        .strip_prefix("https://")
        .or_else(|| key.strip_prefix("http://"))
        .unwrap_or(key)
        .trim_end_matches('/');
    let (host, path) = key.split_once('/').unwrap_or((key, ""));
    let host = host.to_ascii_lowercase();
    let host = match host.as_str() {
        "index.docker.io" | "registry-1.docker.io" => DOCKER_HUB,
        host => host,
    };
    // The API's version, which old clients wrote into the key.
    let path = if matches!(path, "v1" | "v2") {
        ""
    } else {
        path
    };
    let rest = image.repository().strip_prefix(path)?;
    let whole = path.is_empty() || rest.is_empty() || rest.starts_with('/');
    if !whole {
        return None;
    }
    Some(Fit {
        path: path.len(),
        host: fits(host, image.registry())?,
    })
}

/// Whether a key's host is or describes `host`: label by label, so that `*` stands for no dot.
fn fits(key: &str, host: &str) -> Option<HostFit> {
    if key == host {
        return Some(HostFit::Exact);
    }
    let (patterns, port) = key.split_once(':').unwrap_or((key, ""));
    let (labels, host_port) = host.split_once(':').unwrap_or((host, ""));
    let is_alike = port == host_port
        && patterns.contains(['*', '?', '['])
        && patterns.split('.').count() == labels.split('.').count();
    let is_like = |(pattern, label): (&str, &str)| {
        globset::Glob::new(pattern).is_ok_and(|glob| glob.compile_matcher().is_match(label))
    };
    let mut pairs = patterns.split('.').zip(labels.split('.'));
    (is_alike && pairs.all(is_like)).then_some(HostFit::Pattern)
}

/// What a credential store calls the image's registry.
fn server_of(image: &Image) -> String {
    match image.registry() {
        DOCKER_HUB => HUB_KEY.to_owned(),
        host => host.to_owned(),
    }
}

/// The credential in an entry, or `None` if the entry only says that there is one in the store.
fn inline(
    fields: &serde_json::Map<String, serde_json::Value>,
) -> Result<Option<DockerCredential>, &'static str> {
    let fields: serde_json::Map<_, _> = fields
        .iter()
        .filter(|(_, value)| value.as_str().is_some_and(|text| !text.is_empty()))
        .map(|(name, value)| (name.clone(), value.clone()))
        .collect();
    let alone = serde_json::json!({"auths": {"entry": fields}}).to_string();
    match docker_credential::get_credential_from_reader(alone.as_bytes(), "entry") {
        Ok(credential) => Ok(Some(credential)),
        Err(CredentialRetrievalError::NoCredentialConfigured) => Ok(None),
        Err(CredentialRetrievalError::CredentialMismatchError) => {
            Err("has an `auth` that differs from its user name and password")
        }
        Err(_) => Err("has an `auth` that isn't the base64 of `user:password`"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const FILE: &str = r#"{
        "auths": {
            "https://index.docker.io/v1/": {"auth": "aHViOnNlY3JldA=="},
            "ghcr.io": {"username": "wide", "password": "w"},
            "ghcr.io/acme/shop": {"auth": "c2hvcDpzOm1vcmU="},
            "https://quay.io/v2/": {"identitytoken": "idt", "auth": "", "email": "a@b.example"},
            "Registry.Example:5000": {},
            "bad.example": {"auth": "%"}
        },
        "credHelpers": {"gcr.io": "gcloud", "ghcr.io/acme": "acme"},
        "HttpHeaders": {"x": 1}
    }"#;

    fn entry(file: &str, image: &str) -> Result<Entry, String> {
        find(file, &image.parse().unwrap())
    }

    fn user(name: &str, password: &str) -> Entry {
        Entry::Inline(DockerCredential::UsernamePassword(
            name.to_owned(),
            password.to_owned(),
        ))
    }

    fn helper(name: &str, server: &str) -> Entry {
        Entry::Helper {
            name: name.to_owned(),
            server: server.to_owned(),
        }
    }

    #[test]
    fn the_longest_key_wins() {
        for (image, wanted) in [
            ("nginx", user("hub", "secret")),
            ("ghcr.io/other/x", user("wide", "w")),
            ("ghcr.io/acme/web", helper("acme", "ghcr.io/acme")),
            ("ghcr.io/acme/shop", user("shop", "s:more")),
            ("ghcr.io/acme/shop/x", user("shop", "s:more")),
            ("ghcr.io/acme/shopping", helper("acme", "ghcr.io/acme")),
            (
                "quay.io/a/b",
                Entry::Inline(DockerCredential::IdentityToken("idt".to_owned())),
            ),
            ("gcr.io/a/b", helper("gcloud", "gcr.io")),
            ("registry.example:5000/a", Entry::Absent),
            ("other.example/a", Entry::Absent),
        ] {
            assert_eq!(entry(FILE, image), Ok(wanted), "{image}");
        }
    }

    #[test]
    fn a_store_is_asked_where_nothing_is_inline() {
        let file = r#"{"auths": {"https://ghcr.io": {}, "quay.io": {"auth": "YTpi"}}, "credsStore": "pass"}"#;
        for (image, wanted) in [
            ("ghcr.io/a/b", helper("pass", "https://ghcr.io")),
            ("quay.io/a/b", user("a", "b")),
            ("nginx", helper("pass", HUB_KEY)),
            ("other.example/a", helper("pass", "other.example")),
        ] {
            assert_eq!(entry(file, image), Ok(wanted), "{image}");
        }
    }

    #[test]
    fn a_host_may_be_a_pattern() {
        let file = r#"{
            "auths": {
                "*.example.com": {"auth": "YTpi"},
                "r?.example.com": {},
                "eu.example.com": {"auth": "ZTp1"},
                "https://*.example.com/acme": {"auth": "YTpj"},
                "*.example.com:5000": {"auth": "cDpv"},
                "*": {"auth": "YTps"},
                "[.example.net": {"auth": "eDp4"}
            },
            "credHelpers": {"*.example.org": "x"},
            "credsStore": "pass"
        }"#;
        for (image, wanted) in [
            ("us.example.com/x", user("a", "b")),
            ("eu.example.com/x", user("e", "u")),
            ("eu.example.com/acme/x", user("a", "c")),
            ("us.example.com:5000/x", user("p", "o")),
            (
                "us.example.com:5001/x",
                helper("pass", "us.example.com:5001"),
            ),
            ("a.us.example.com/x", helper("pass", "a.us.example.com")),
            ("us.example.org/x", helper("pass", "us.example.org")),
            ("us.example.net/x", helper("pass", "us.example.net")),
            ("localhost/x", user("a", "l")),
        ] {
            assert_eq!(entry(file, image), Ok(wanted), "{image}");
        }
        let file = r#"{"auths": {"r?.example.com": {}}, "credsStore": "pass"}"#;
        assert_eq!(
            entry(file, "r1.example.com/x"),
            Ok(helper("pass", "r1.example.com"))
        );
    }

    #[test]
    fn a_registry_token_comes_before_a_password() {
        let file = r#"{"auths": {
            "ghcr.io": {"auth": "YTpi", "registrytoken": "t"},
            "quay.io": {"auth": "YTpi", "registrytoken": ""}
        }}"#;
        assert_eq!(
            entry(file, "ghcr.io/a"),
            Ok(Entry::RegistryToken("t".to_owned()))
        );
        assert_eq!(entry(file, "quay.io/a"), Ok(user("a", "b")));
    }

    #[test]
    fn empty_parts_are_no_mistake() {
        for file in [
            "{}",
            r#"{"auths": null, "credHelpers": null, "credsStore": null}"#,
            r#"{"auths": {"ghcr.io": null}, "credHelpers": {"ghcr.io": ""}, "credsStore": ""}"#,
        ] {
            assert_eq!(entry(file, "ghcr.io/a/b"), Ok(Entry::Absent), "{file}");
        }
        let file =
            r#"{"auths": {"ghcr.io": null}, "credHelpers": {"ghcr.io": ""}, "credsStore": "pass"}"#;
        assert_eq!(entry(file, "ghcr.io/a/b"), Ok(helper("pass", "ghcr.io")));
    }

    #[test]
    fn mistakes_are_named_without_the_secret() {
        let said = entry(FILE, "bad.example/a").unwrap_err();
        assert!(
            said.contains("bad.example") && said.contains("base64"),
            "{said}"
        );
        let said = entry("{\"auths\": {\"docker.io\": \"hunter2\"}}", "nginx").unwrap_err();
        assert!(
            said.starts_with("line 1") && !said.contains("hunter2"),
            "{said}"
        );
        let both =
            r#"{"auths": {"docker.io": {"auth": "YTpi", "username": "a", "password": "c"}}}"#;
        assert!(entry(both, "nginx").unwrap_err().contains("differs"));
    }
}
