//! What a stage takes from the stages before it, as it is written.
//!
//! Invariant: one stage or a list of them, never none.

use schemars::{Schema, SchemaGenerator, json_schema};

use super::super::name::Name;
use super::super::read::{At, Read, Reader, Scalar, choice};
use super::super::report::Mistake;
use super::super::tree::{Node, Value};

/// The stages that come first.
#[derive(Debug, Clone)]
pub struct After(pub Vec<At<Name>>);

/// What is promoted.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Promote {
    /// The newest that has soaked.
    #[default]
    Newest,
    /// Each in turn.
    Queue,
}

impl Read for After {
    fn read(node: &Node, reader: &mut Reader<'_, '_>) -> Option<Self> {
        if let Value::List(_) = node.value {
            return Read::read(node, reader).map(Self);
        }
        let spot = reader.spot(node.at);
        let value = <Name as Read>::read(node, reader)?;
        Some(Self(vec![At {
            value,
            spot,
            key: spot,
        }]))
    }

    fn schema(generator: &mut SchemaGenerator) -> Schema {
        let (one, many) = (
            <Name as Read>::schema(generator),
            <Vec<At<Name>> as Read>::schema(generator),
        );
        json_schema!({"oneOf": [one, many]})
    }
}

impl Scalar for Promote {
    fn parse(text: &str) -> Result<Self, Mistake> {
        choice(text, &[("newest", Self::Newest), ("queue", Self::Queue)])
    }

    fn schema() -> Schema {
        json_schema!({"enum": ["newest", "queue"]})
    }
}
