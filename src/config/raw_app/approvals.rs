//! Whose consent a stage needs, as it is written.
//!
//! Invariant: each value is valid in itself; that somebody is called what an approver says is not known here.

use schemars::{Schema, json_schema};

use super::super::duration::Lasting;
use super::super::name::{InvalidName, Name};
use super::super::read::{At, Read, Reader, Scalar, choice, mirror, shorten};
use super::super::report::Mistake;
use super::super::tree::{Node, Value};
use crate::promotion::approval::{Approver, Identity};

mirror! {
    /// Whose consent is needed.
    RawApprovals requires ["required"] {
        /// How many persons, 1 to 100; in a `fastLane` also 0.
        required = "required": Persons,
        /// Who may: people by name, and groups by `@` and name.
        from = "from": Vec<At<Approver>>,
        /// Whether whoever asks for a change may not approve it.
        exclude_author = "excludeAuthor": bool,
        /// How long an approval counts, 1m to 366d; for good if nothing is said.
        expires = "expires": Lasting,
        /// How it is known who approved: `signed`, by the commit's signature; `forge`, by who merged and approved
        /// the pull request; `author`, by the commit's author, which anybody who can push may write. If nothing
        /// is said, `forge` where the config repo has one, else `signed`.
        identity = "identity": Identity,
    }
}

mirror! {
    /// What a decision to deploy needs.
    RawFastLane requires ["approvals"] {
        /// Whose consent; what the stage asks for if nothing is said.
        approvals = "approvals": RawApprovals,
    }
}

/// How many persons.
#[derive(Debug, Clone, Copy)]
pub struct Persons(pub usize);

impl Read for Persons {
    fn read(node: &Node, reader: &mut Reader<'_, '_>) -> Option<Self> {
        /// More than anybody asks in earnest.
        const MOST: usize = 100;
        let Value::Number(text) = &node.value else {
            return reader.wrong_kind(node.at, "a number", &node.value);
        };
        match text.parse() {
            Ok(count) if count <= MOST => Some(Self(count)),
            _ => {
                let message = format!("`{}` is no number of persons", shorten(text));
                let hint = format!("write a whole number, at most {MOST}");
                reader.error(node.at, Mistake::new(message).hint(hint));
                None
            }
        }
    }

    fn schema(_generator: &mut schemars::SchemaGenerator) -> Schema {
        json_schema!({"type": "integer", "minimum": 0, "maximum": 100})
    }
}

impl Scalar for Approver {
    fn parse(text: &str) -> Result<Self, Mistake> {
        let bare = text.strip_prefix('@');
        let name: Name = bare.unwrap_or(text).parse().map_err(|error: InvalidName| {
            let hint = "write a person's name, or `@` and a group's, such as `@platform`";
            Mistake::new(error.to_string()).hint(hint)
        })?;
        Ok(match bare {
            Some(_) => Self::Group(name.to_string()),
            None => Self::Person(name.to_string()),
        })
    }

    fn schema() -> Schema {
        json_schema!({"type": "string", "pattern": "^@?[a-z0-9][a-z0-9-]*$"})
    }
}

impl Scalar for Identity {
    fn parse(text: &str) -> Result<Self, Mistake> {
        let words = [
            ("signed", Self::Signed),
            ("forge", Self::Forge),
            ("author", Self::Author),
        ];
        choice(text, &words)
    }

    fn schema() -> Schema {
        json_schema!({"enum": ["signed", "forge", "author"]})
    }
}
