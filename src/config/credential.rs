//! Where secrets are, as written in the service file: a file or a variable, never the secret itself.
//!
//! Invariant: a secret that somebody wrote into the file by mistake is refused without being quoted,
//! in the message and in the line shown with it.

use std::path::PathBuf;

use schemars::{Schema, SchemaGenerator, json_schema};

use super::read::{At, Mirror, Read, Reader, Scalar, mirror};
use super::report::Mistake;
use super::tree::{Entry, Node, Value};
use crate::secret::Secret;

pub mod cloud;

use cloud::{RawAzure, RawEcr, RawGcp};

mirror! {
    /// Where a secret is kept: one of `file` and `env`.
    RawSecret requires [] {
        /// A file that holds it; a final line break is not part of it. Read at each use.
        file = "file": FilePath,
        /// An environment variable that holds it.
        env = "env": Variable,
    }
}

mirror! {
    /// A file on the service's machine.
    RawFile requires ["file"] {
        /// Its path.
        file = "file": FilePath,
    }
}

impl RawFile {
    /// The path, if it could be read.
    pub fn path(mut self) -> Option<PathBuf> {
        self.file.take().map(|file| file.value.0)
    }
}

/// A path on the service's machine; a relative one starts where the process runs.
#[derive(Debug, Clone)]
pub struct FilePath(pub PathBuf);

impl Scalar for FilePath {
    fn parse(text: &str) -> Result<Self, Mistake> {
        if text.is_empty() || text.contains(['\0', '\n']) {
            return Err(Mistake::new("this is not the path of a file"));
        }
        Ok(Self(PathBuf::from(text)))
    }

    fn schema() -> Schema {
        json_schema!({"type": "string", "minLength": 1})
    }
}

/// The user of HTTP Basic authentication, in which a colon ends it (RFC 7617 section 2).
#[derive(Debug, Clone)]
pub struct Username(pub String);

impl Scalar for Username {
    fn parse(text: &str) -> Result<Self, Mistake> {
        if text.is_empty() || text.contains(|c: char| c == ':' || c.is_control()) {
            return Err(Mistake::new(
                "this is not a user name: it is empty or has a colon",
            ));
        }
        Ok(Self(text.to_owned()))
    }

    fn schema() -> Schema {
        json_schema!({"type": "string", "pattern": "^[^:]+$"})
    }
}

/// The name of an environment variable.
#[derive(Debug, Clone)]
pub struct Variable(String);

impl Variable {
    fn is_name(text: &str) -> bool {
        let letter = |c: u8| c.is_ascii_alphabetic() || c == b'_';
        let first = text.bytes().next().is_some_and(letter);
        first && text.bytes().all(|c| letter(c) || c.is_ascii_digit())
    }
}

impl Read for Variable {
    /// What is no name is not quoted: it may be the secret itself.
    fn read(node: &Node, reader: &mut Reader<'_, '_>) -> Option<Self> {
        match &node.value {
            Value::Text(text) if Self::is_name(text) => Some(Self(text.clone())),
            _ => {
                let hint = "name the variable that holds the secret: `{env: REGISTRY_PASSWORD}`";
                reader.hide(node.at);
                reader.error(
                    node.at,
                    Mistake::new("this is not the name of an environment variable").hint(hint),
                );
                None
            }
        }
    }

    fn schema(_generator: &mut SchemaGenerator) -> Schema {
        json_schema!({"type": "string", "pattern": "^[A-Za-z_][A-Za-z0-9_]*$"})
    }
}

impl Read for Secret {
    fn read_entry(entry: &Entry, reader: &mut Reader<'_, '_>) -> Option<At<Self>> {
        if !matches!(entry.node.value, Value::Map(_)) {
            reader.hide_value(entry);
        }
        reader.value_of(entry)
    }

    fn read(node: &Node, reader: &mut Reader<'_, '_>) -> Option<Self> {
        let Value::Map(entries) = &node.value else {
            reader.hide(node.at);
            let mistake = Mistake::new("a secret can't be written into this file");
            reader.error(
                node.at,
                mistake.hint("name where it is kept: `{file: PATH}` or `{env: NAME}`"),
            );
            return None;
        };
        hide_values(entries, reader, |entry| match &entry.node.value {
            Value::Text(text) => {
                entry.key == "file" || (entry.key == "env" && Variable::is_name(text))
            }
            _ => false,
        });
        let mut raw = RawSecret::read(node, reader)?;
        match (raw.file.is_written(), raw.env.is_written()) {
            (true, false) => raw.file.take().map(|file| Self::File(file.value.0)),
            (false, true) => raw.env.take().map(|env| Self::Env(env.value.0)),
            (true, true) => {
                let message = "a secret is in a `file` or in `env`, not in both";
                reader.error(node.at, Mistake::new(message));
                None
            }
            (false, false) => {
                reader.error(node.at, Mistake::new("`file` or `env` is missing"));
                None
            }
        }
    }

    fn schema(generator: &mut SchemaGenerator) -> Schema {
        RawSecret::schema(generator)
    }
}

/// A mapping of credentials, in which a misspelt key may hold a secret.
#[derive(Debug, Clone)]
pub struct Guarded<T>(pub T);

/// Which values of a mapping of credentials are no secrets.
pub trait Guard: Mirror {
    /// Their keys.
    const SHOWN: &'static [&'static str];
}

impl<T: Guard> Read for Guarded<T> {
    fn read_entry(entry: &Entry, reader: &mut Reader<'_, '_>) -> Option<At<Self>> {
        if !matches!(entry.node.value, Value::Map(_)) {
            reader.hide_value(entry);
        }
        reader.value_of(entry)
    }

    fn read(node: &Node, reader: &mut Reader<'_, '_>) -> Option<Self> {
        if let Value::Map(entries) = &node.value {
            hide_values(entries, reader, |entry| match &entry.node.value {
                // A user name with a colon is the password, too.
                Value::Text(text) if entry.key == "username" => !text.contains(':'),
                Value::Text(_) => T::SHOWN.contains(&entry.key.as_str()),
                _ => false,
            });
        }
        T::read(node, reader).map(Self)
    }

    fn schema(generator: &mut SchemaGenerator) -> Schema {
        T::schema(generator)
    }
}

/// Hides what is no mapping or list, which hide their own values, and isn't to be shown.
fn hide_values(entries: &[Entry], reader: &mut Reader<'_, '_>, is_shown: impl Fn(&Entry) -> bool) {
    for entry in entries {
        let is_scalar = !matches!(entry.node.value, Value::Map(_) | Value::List(_));
        if is_scalar && !is_shown(entry) {
            reader.hide_value(entry);
        }
    }
}

mirror! {
    /// As whom the config repo is reached: an SSH key or agent with the known hosts, a user and password,
    /// a token, or a GitHub App.
    RawGitCredentials requires [] {
        /// An OpenSSH private key.
        ssh_key = "sshKey": Secret,
        /// What the SSH key is locked with.
        passphrase = "passphrase": Secret,
        /// The socket of an SSH agent, whose keys are used.
        ssh_agent = "sshAgent": FilePath,
        /// The file with the host keys that are trusted; nothing else is.
        known_hosts = "knownHosts": RawFile,
        /// The user of HTTP Basic authentication.
        username = "username": Username,
        /// Its password or token.
        password = "password": Secret,
        /// An access token for HTTPS.
        token = "token": Secret,
        /// A GitHub App, whose installation tokens are used.
        github_app = "githubApp": Guarded<RawGitHubApp>,
    }
}

mirror! {
    /// A GitHub App, where it is installed.
    RawGitHubApp requires ["id", "installation", "privateKey"] {
        /// The App's client id, or its id in quotes.
        id = "id": String,
        /// The installation's id: the number at the end of its page's address.
        installation = "installation": InstallationId,
        /// The App's private key, PEM.
        private_key = "privateKey": Secret,
    }
}

impl Guard for RawGitHubApp {
    const SHOWN: &'static [&'static str] = &["id"];
}

/// The id of a GitHub App's installation.
#[derive(Debug, Clone, Copy)]
pub struct InstallationId(pub u64);

impl Read for InstallationId {
    fn read(node: &Node, reader: &mut Reader<'_, '_>) -> Option<Self> {
        let number = match &node.value {
            Value::Number(text) | Value::Text(text) => text.parse().ok(),
            _ => None,
        };
        if number.is_none() {
            let mistake = Mistake::new("this is not the id of an installation");
            reader.error(node.at, mistake.hint("it is a whole number"));
        }
        number.map(Self)
    }

    fn schema(_generator: &mut SchemaGenerator) -> Schema {
        json_schema!({"type": "integer", "minimum": 0})
    }
}

impl Guard for RawGitCredentials {
    const SHOWN: &'static [&'static str] = &["username", "sshAgent"];
}

mirror! {
    /// As whom a registry is asked: a user and password, a Docker configuration file, or what a cloud
    /// gives for its own registries.
    RawRegistryCredentials requires [] {
        /// The user.
        username = "username": Username,
        /// Its password or access token.
        password = "password": Secret,
        /// A Docker `config.json`, or the content of a Kubernetes `dockerconfigjson` secret.
        docker_config = "dockerConfig": RawFile,
        /// Amazon ECR and ECR Public; `{}` takes what the platform has.
        ecr = "ecr": Guarded<RawEcr>,
        /// Google Artifact Registry and Container Registry; `{}` takes what the platform has.
        gcp = "gcp": Guarded<RawGcp>,
        /// Azure Container Registry; `{}` takes what the platform has.
        azure = "azure": Guarded<RawAzure>,
    }
}

impl Guard for RawRegistryCredentials {
    const SHOWN: &'static [&'static str] = &["username"];
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_variable_has_a_variable_s_name() {
        for (text, valid) in [
            ("TOKEN", true),
            ("_t1", true),
            ("", false),
            ("1T", false),
            ("A-B", false),
            ("$TOKEN", false),
            ("hunter 2", false),
        ] {
            assert_eq!(Variable::is_name(text), valid, "{text}");
        }
    }
}
