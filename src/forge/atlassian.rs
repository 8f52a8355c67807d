//! What both Bitbuckets have in common: signing in, and build statuses.
//!
//! Invariant: a status is known by its name, as long as a forge takes names.
//!
//! It refuses to ask anything: the places differ.

use reqwest::header::{AUTHORIZATION, HeaderMap};
use serde::Deserialize;
use serde_json::{Value, json};

use super::call::{Access, Caller, Means, Rules};
use super::{Check, Checks, Credentials, Error, Settings, Status, Verdict, body, words};

/// Longest name and description of a status, in characters.
const MAX_WORDS: usize = 255;

/// A way to ask: tokens are bearer tokens (RFC 6750).
///
/// # Errors
/// When no HTTP client can be made.
pub(super) fn caller(settings: &Settings) -> Result<Caller, Error> {
    let access = match settings.credentials.clone() {
        Credentials::None => Access::Anonymous,
        Credentials::Token(token) => Access::Header(AUTHORIZATION, "Bearer ", token),
        Credentials::Basic { username, password } => Access::Basic(username, password),
        Credentials::GitHubApp(_) => return Err(settings.no_app()),
    };
    Caller::new(Means {
        base: settings.api.clone(),
        access,
        headers: HeaderMap::new(),
        ca_pem: &settings.ca_pem,
        clock: settings.clock.clone(),
        paces: &settings.paces,
        rules: Rules::OTHERS,
    })
}

/// A status as it is sent; it has to have a page.
pub(super) fn status(key: &str, status: &Status, page: &str) -> Value {
    json!({
        "key": key,
        "name": body::short(&status.name, MAX_WORDS),
        "state": match status.verdict {
            Verdict::Success => "SUCCESSFUL",
            Verdict::Pending => "INPROGRESS",
            Verdict::Failure => "FAILED",
        },
        "description": body::short(&status.description, MAX_WORDS),
        "url": status.url.as_deref().unwrap_or(page),
    })
}

/// The key of a status with this name: the name, or where that is too long, its digest.
pub(super) fn key(name: &str, longest: usize) -> String {
    if name.chars().count() <= longest {
        return name.to_owned();
    }
    let digest = ring::digest::digest(&ring::digest::SHA256, name.as_bytes());
    let bytes = digest.as_ref().iter().take(longest / 2);
    bytes.map(|byte| format!("{byte:02x}")).collect()
}

/// A build status.
#[derive(Debug, Deserialize)]
pub(super) struct Build {
    key: String,
    name: Option<String>,
    state: String,
    description: Option<String>,
    url: Option<String>,
}

impl Build {
    fn name(&self) -> &str {
        let name = self.name.as_deref().filter(|name| !name.is_empty());
        name.unwrap_or(&self.key)
    }

    fn verdict(&self) -> Verdict {
        match self.state.as_str() {
            "SUCCESSFUL" => Verdict::Success,
            // Data Center's for a build that it can't ask about.
            "INPROGRESS" | "UNKNOWN" => Verdict::Pending,
            _ => Verdict::Failure,
        }
    }
}

/// Whether a status that is to be sent is said already.
pub(super) fn is_said(builds: &[Build], status: &Value) -> bool {
    let is = |field: &str, value: Option<&str>| status[field].as_str() == value;
    builds.iter().any(|build| {
        is("key", Some(&build.key))
            && is("state", Some(&build.state))
            && is("description", build.description.as_deref())
            && is("url", build.url.as_deref())
    })
}

/// What they say together, without those whose name begins with `but`.
pub(super) fn checks(builds: &[Build], but: &str) -> Checks {
    let each = builds.iter().map(|build| {
        let words = build.description.clone();
        Check::new(words::clean(build.name()), build.verdict(), words)
    });
    Checks::but(but, each)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_long_name_has_a_key_of_its_own() {
        assert_eq!(
            key("tagwright/shop/production", 40),
            "tagwright/shop/production"
        );
        let [one, other] = ["a", "b"].map(|end| key(&format!("{}{end}", "x".repeat(40)), 40));
        assert_eq!(one.len(), 40);
        assert_ne!(one, other);
    }

    #[test]
    fn each_state_has_its_verdict() {
        let build = |key: &str, name: Option<&str>, state: &str| Build {
            key: key.into(),
            name: name.map(str::to_owned),
            state: state.into(),
            description: None,
            url: None,
        };
        let builds = [
            build("tagwright/shop", None, "FAILED"),
            build("x", Some("tagwright/shop/production"), "FAILED"),
            build("k", Some("CI \u{1b}[1m"), "SUCCESSFUL"),
            build("lint", Some(""), "INPROGRESS"),
            build("a", None, "STOPPED"),
            build("b", None, "UNKNOWN"),
        ];
        let told = checks(&builds, "tagwright/");
        let each: Vec<_> = told
            .each
            .iter()
            .map(|check| (check.name.as_str(), check.verdict))
            .collect();
        assert_eq!(
            each,
            [
                ("CI [1m", Verdict::Success),
                ("lint", Verdict::Pending),
                ("a", Verdict::Failure),
                ("b", Verdict::Pending),
            ]
        );
    }
}
