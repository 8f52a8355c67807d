//! People and groups, as they are written.
//!
//! Invariant: a key is a public one, of a kind that signatures can be checked with.

use schemars::{Schema, SchemaGenerator, json_schema};

use super::super::name::Name;
use super::super::read::{At, Read, Reader, Scalar, Unsupported, mirror, shorten};
use super::super::report::Mistake;
use super::super::tree::{Entry, Node};
use crate::git::PublicKey;

mirror! {
    /// A person who may decide.
    RawPerson requires ["name"] {
        /// What the person is called here.
        name = "name": Name,
        /// The addresses of the person's commits.
        emails = "emails": Vec<At<Email>>,
        /// The person's account at the forge: the user name; at Bitbucket Cloud the account's id, at Azure
        /// DevOps the unique name.
        forge = "forge": String,
        /// The keys that the person signs commits with.
        keys = "keys": Vec<At<RawKey>>,
    }
}

mirror! {
    /// A public key.
    RawKey requires [] {
        /// An OpenSSH public key, as in a `.pub` file: Ed25519, or ECDSA on P-256.
        ssh = "ssh": PublicKey,
        /// Not supported yet: an OpenPGP certificate.
        openpgp = "openpgp": Unsupported,
    }
}

mirror! {
    /// Persons under one name.
    RawGroup requires ["name", "members"] {
        /// What approvers call it, with an `@` before it.
        name = "name": Name,
        /// The names of its members.
        members = "members": Vec<At<Name>>,
    }
}

/// A key that belongs under `people`: refused, whatever its value.
#[derive(Debug, Clone)]
pub struct OfPeople;

impl Read for OfPeople {
    fn read(_node: &Node, _reader: &mut Reader<'_, '_>) -> Option<Self> {
        None
    }

    fn read_entry(entry: &Entry, reader: &mut Reader<'_, '_>) -> Option<At<Self>> {
        let mistake = Mistake::new(format!("`{}` are those of a person", entry.key));
        let hint = "write them under `people`: `{name: ada, keys: [{ssh: \"ssh-ed25519 AAAA…\"}]}`";
        reader.hide_value(entry);
        reader.error(entry.at, mistake.hint(hint));
        None
    }

    fn schema(_generator: &mut SchemaGenerator) -> Schema {
        json_schema!({"not": {}, "doNotSuggest": true})
    }
}

/// The address of a person.
#[derive(Debug, Clone)]
pub struct Email(pub String);

impl Scalar for Email {
    fn parse(text: &str) -> Result<Self, Mistake> {
        let bare =
            !text.contains(|c: char| c.is_whitespace() || c.is_control() || "<>".contains(c));
        match text.split_once('@') {
            Some((user, host)) if bare && !user.is_empty() && !host.is_empty() => {
                Ok(Self(text.to_owned()))
            }
            _ => Err(Mistake::new(format!("`{}` is no address", shorten(text)))
                .hint("write it as `git config user.email` has it, such as ada@example.com")),
        }
    }

    fn schema() -> Schema {
        json_schema!({"type": "string", "pattern": "^[^<>\\s]+@[^<>\\s]+$"})
    }
}

impl Scalar for PublicKey {
    fn parse(text: &str) -> Result<Self, Mistake> {
        text.parse().map_err(|error: crate::git::KeyError| {
            Mistake::new(error.to_string()).hint(error.hint())
        })
    }

    fn schema() -> Schema {
        json_schema!({"type": "string", "pattern": "^[a-z0-9@.-]+ [A-Za-z0-9+/=]+"})
    }
}
