//! Profiles of AWS's shared files, `~/.aws/config` and `~/.aws/credentials`: what leads to credentials.
//!
//! Invariant: pure. A chain of roles ends, or is an error. What is written and not understood, such as
//! single sign-on or a program to run, is an error that names it, never passed over for other
//! credentials.
//!
//! Sources: AWS SDKs and Tools reference guide, "Using shared config and credentials files", "Assume role
//! credential provider".

use std::collections::{BTreeMap, BTreeSet};
use std::path::PathBuf;

use secrecy::SecretString;

use super::sigv4::Keys;
use crate::registry::cloud::CloudError;
use crate::registry::cloud::desk::Environment;
use crate::registry::words;

/// The profile where none is named.
pub(super) const DEFAULT: &str = "default";

/// Ways to credentials that are not taken here.
const OTHER_WAYS: [&str; 6] = [
    "credential_process",
    "sso_session",
    "sso_account_id",
    "sso_start_url",
    "login_session",
    "mfa_serial",
];

/// The paths of the files: that of the configuration, and that of the credentials.
pub(super) fn paths(environment: &Environment) -> Option<(PathBuf, PathBuf)> {
    let path = |variable, name: &str| {
        let named = environment.text(variable).map(PathBuf::from);
        named.or_else(|| {
            Some(
                PathBuf::from(environment.text("HOME")?)
                    .join(".aws")
                    .join(name),
            )
        })
    };
    Some((
        path("AWS_CONFIG_FILE", "config")?,
        path("AWS_SHARED_CREDENTIALS_FILE", "credentials")?,
    ))
}

/// Where a chain of roles begins.
#[derive(Debug)]
pub(super) enum Base {
    /// An access key.
    Keys(Keys),
    /// The variables of the environment.
    Environment,
    /// The container's endpoint.
    Container,
    /// The instance metadata service.
    Instance,
    /// A role, taken with a token in a file.
    WebIdentity {
        role: String,
        token: PathBuf,
        session: Option<String>,
    },
}

/// A role to take with the credentials before it.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Role {
    pub arn: String,
    pub session: Option<String>,
    pub external_id: Option<String>,
    pub seconds: Option<String>,
}

/// The way to a profile's credentials.
#[derive(Debug)]
pub(super) struct Chain {
    pub base: Base,
    /// The roles to take one after the other.
    pub roles: Vec<Role>,
}

type Section = BTreeMap<String, String>;

/// All profiles.
#[derive(Default)]
pub(super) struct Profiles(BTreeMap<String, Section>);

impl Profiles {
    /// The profiles in the texts of the two files; of a key in both, the credentials file's value counts.
    pub fn read(config: &str, credentials: &str) -> Self {
        let mut profiles = Self::default();
        profiles.add(config, |section| match section {
            DEFAULT => Some(DEFAULT),
            named => named
                .strip_prefix("profile")
                .map(str::trim)
                .filter(|name| !name.is_empty()),
        });
        profiles.add(credentials, |section| Some(section));
        profiles
    }

    /// Adds what `name_of` says are profiles.
    fn add(&mut self, text: &str, name_of: impl Fn(&str) -> Option<&str>) {
        let mut current = None;
        for line in text.lines() {
            let trimmed = line.trim();
            if trimmed.is_empty() || trimmed.starts_with(['#', ';']) {
                continue;
            }
            if let Some(section) = trimmed
                .strip_prefix('[')
                .and_then(|rest| rest.split(']').next())
            {
                current = name_of(section.trim()).map(str::to_owned);
                if let Some(name) = &current {
                    self.0.entry(name.clone()).or_default();
                }
                continue;
            }
            // Indented lines belong to the settings of a service.
            let indented = line.starts_with([' ', '\t']);
            if let (false, Some(name), Some((key, value))) =
                (indented, &current, trimmed.split_once('='))
            {
                let section = self.0.entry(name.clone()).or_default();
                section.insert(key.trim().to_ascii_lowercase(), value_of(value).to_owned());
            }
        }
    }

    /// Whether there is anything about credentials in a profile.
    pub fn has_credentials(&self, name: &str) -> bool {
        let keys = ["aws_access_key_id", "role_arn"];
        let mut keys = keys.iter().chain(&OTHER_WAYS);
        self.0
            .get(name)
            .is_some_and(|profile| keys.any(|key| profile.contains_key(*key)))
    }

    /// The way to the credentials of a profile.
    pub fn chain(&self, name: &str) -> Result<Chain, CloudError> {
        let mut roles = Vec::new();
        let mut seen = BTreeSet::new();
        let mut name = name.to_owned();
        loop {
            let profile = self
                .0
                .get(&name)
                .ok_or_else(|| unusable(&name, "there is no such profile"))?;
            let text = |key: &str| profile.get(key).filter(|value| !value.is_empty()).cloned();
            if let Some(way) = OTHER_WAYS.iter().find(|key| text(key).is_some()) {
                return Err(unusable(&name, &format!("`{way}` is not supported")));
            }
            let is_again = !seen.insert(name.clone());
            let Some(arn) = text("role_arn").filter(|_| !is_again) else {
                let base = Base::Keys(keys(&name, profile)?);
                return Ok(chain(base, roles));
            };
            let session = text("role_session_name");
            let ways = (
                text("source_profile"),
                text("credential_source"),
                text("web_identity_token_file"),
            );
            let role = Role {
                arn,
                session,
                external_id: text("external_id"),
                seconds: text("duration_seconds"),
            };
            let base = match ways {
                // A profile that is its own source has the access key, too. Any other circle has no end.
                (Some(source), None, None) if source == name || !seen.contains(&source) => {
                    roles.push(role);
                    name = source;
                    continue;
                }
                (Some(_), None, None) => {
                    return Err(unusable(&name, "its sources lead in a circle"));
                }
                (None, Some(source), None) => match source.as_str() {
                    "Environment" => Base::Environment,
                    "Ec2InstanceMetadata" => Base::Instance,
                    "EcsContainer" => Base::Container,
                    _ => return Err(unusable(&name, "its `credential_source` is not known")),
                },
                (None, None, Some(token)) => {
                    let Role { arn, session, .. } = role;
                    let token = PathBuf::from(token);
                    let role = arn;
                    return Ok(chain(
                        Base::WebIdentity {
                            role,
                            token,
                            session,
                        },
                        roles,
                    ));
                }
                (None, None, None) => return Err(unusable(&name, "its `role_arn` has no source")),
                _ => return Err(unusable(&name, "its `role_arn` has several sources")),
            };
            roles.push(role);
            return Ok(chain(base, roles));
        }
    }
}

fn chain(base: Base, mut roles: Vec<Role>) -> Chain {
    // They were found from the last one to the first.
    roles.reverse();
    Chain { base, roles }
}

/// A value without the comment behind it.
fn value_of(text: &str) -> &str {
    let marks = [" #", "\t#", " ;", "\t;"];
    let end = marks.iter().filter_map(|mark| text.find(mark)).min();
    text[..end.unwrap_or(text.len())].trim()
}

fn keys(name: &str, profile: &Section) -> Result<Keys, CloudError> {
    let text = |key: &str| profile.get(key).filter(|value| !value.is_empty());
    match (text("aws_access_key_id"), text("aws_secret_access_key")) {
        (Some(id), Some(secret)) => Ok(Keys {
            id: id.clone(),
            secret: SecretString::from(secret.as_str()),
            session: text("aws_session_token").map(|token| SecretString::from(token.as_str())),
        }),
        _ => Err(unusable(
            name,
            "it has neither an access key with its secret nor a `role_arn`",
        )),
    }
}

fn unusable(name: &str, reason: &str) -> CloudError {
    CloudError::Unusable {
        what: "the AWS profile",
        reason: format!("`{}`: {reason}", words::clean(name)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const CONFIG: &str = "\
# a comment
[default]
region = eu-west-1
s3 =
  role_arn = nested
[profile deploy]
Role_Arn = arn:deploy   # inline
source_profile=base
external_id = a#b
[profile far]
role_arn = arn:far
role_session_name = me
source_profile = deploy
[profile self]
role_arn = arn:self
source_profile = self
[profile one]
role_arn = arn:one
source_profile = two
[profile two]
role_arn = arn:two
source_profile = one
[profile pod]
role_arn = arn:pod
credential_source = EcsContainer
[profile odd]
role_arn = arn:odd
credential_source = Moon
[profile web]
role_arn = arn:web
web_identity_token_file = /t
[profile many]
role_arn = arn:many
source_profile = base
credential_source = Environment
[profile none]
role_arn = arn:none
[profile sso]
sso_session = acme
[profile lost]
role_arn = arn:lost
source_profile = nobody
[services x]
[profile half]
aws_access_key_id = AKID
";

    const CREDENTIALS: &str = "\
[base]
aws_access_key_id = AKIDBASE
aws_secret_access_key = s=cret
[self]
aws_access_key_id = AKIDSELF
aws_secret_access_key = self
aws_session_token = session
";

    fn shown(name: &str) -> String {
        let chain = match Profiles::read(CONFIG, CREDENTIALS).chain(name) {
            Ok(chain) => chain,
            Err(error) => return error.to_string(),
        };
        let base = match chain.base {
            Base::Keys(keys) => keys.id,
            Base::WebIdentity { role, token, .. } => format!("{role} by {}", token.display()),
            other => format!("{other:?}"),
        };
        let roles = chain.roles.iter().map(|role| format!(" > {}", role.arn));
        base + &roles.collect::<String>()
    }

    #[test]
    fn chains_lead_to_their_base_or_are_refused() {
        for (name, wanted) in [
            ("base", "AKIDBASE"),
            ("deploy", "AKIDBASE > arn:deploy"),
            ("far", "AKIDBASE > arn:deploy > arn:far"),
            ("self", "AKIDSELF > arn:self"),
            ("pod", "Container > arn:pod"),
            ("web", "arn:web by /t"),
            (
                "one",
                "the AWS profile can't be used: `two`: its sources lead in a circle",
            ),
            (
                "odd",
                "the AWS profile can't be used: `odd`: its `credential_source` is not known",
            ),
            (
                "many",
                "the AWS profile can't be used: `many`: its `role_arn` has several sources",
            ),
            (
                "none",
                "the AWS profile can't be used: `none`: its `role_arn` has no source",
            ),
            (
                "sso",
                "the AWS profile can't be used: `sso`: `sso_session` is not supported",
            ),
            (
                "lost",
                "the AWS profile can't be used: `nobody`: there is no such profile",
            ),
            (
                "half",
                "the AWS profile can't be used: `half`: it has neither an access key with its secret nor a `role_arn`",
            ),
        ] {
            assert_eq!(shown(name), wanted, "{name}");
        }
        let profiles = Profiles::read(CONFIG, CREDENTIALS);
        let deploy = profiles.chain("deploy").unwrap().roles.remove(0);
        assert_eq!(deploy.external_id.as_deref(), Some("a#b"));
        assert!(profiles.has_credentials("sso") && !profiles.has_credentials("default"));
        assert!(!profiles.has_credentials("x"));
    }

    proptest::proptest! {
        #[test]
        fn no_file_makes_it_panic(text in "(\\[|\\]|=|#| |\n|profile|a|role_arn|source_profile){0,40}") {
            let profiles = Profiles::read(&text, &text);
            for name in ["a", "default", "role_arn"] {
                let _ = profiles.chain(name);
            }
        }
    }
}
