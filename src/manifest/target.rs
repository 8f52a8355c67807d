//! Values that an app names by file and key, as if each had a marker of that app.
//!
//! Invariant: a marker in the file outranks a target, and a target outranks what is found by an
//! image's name. What became of each target is told in the index, so that one that leads nowhere is
//! never passed over in silence.

use serde::{Deserialize, Serialize};

use super::attach::Marks;
use super::key_path::KeyPath;
use super::yaml::Tree;
use super::{Marker, Part};
use crate::diag::Position;

/// A value that an app writes wherever a path leads to it.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct TargetPath {
    /// The app.
    pub app: String,
    /// The path.
    pub path: KeyPath,
    /// What is written there.
    pub part: Part,
}

/// What became of a target in a file.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum Aim {
    /// It leads to a value.
    Hit,
    /// It leads to a mapping or a list, which starts here.
    Collection(Position),
    /// Only its last key is missing, in the mapping that starts here.
    NoKey(Position),
    /// It leads nowhere.
    Nowhere,
    /// The file is a text without keys that a path could name.
    Unread,
}

/// Marks the values that `targets` lead to, and says what became of each.
pub(super) fn aim(tree: &Tree<'_>, targets: &[TargetPath], marks: &mut Marks) -> Vec<Aim> {
    targets
        .iter()
        .map(|target| {
            let lead = target.path.follow(tree);
            let values: Vec<_> = lead
                .nodes
                .iter()
                .filter(|id| tree.is_leaf(**id) && tree.scalar(**id).is_some())
                .collect();
            for id in &values {
                let marker = Marker::Target {
                    app: target.app.clone(),
                    part: target.part,
                };
                marks.aim(**id, marker, tree.node(**id).position);
            }
            match (values.is_empty(), lead.nodes.first(), lead.nearest) {
                (false, ..) => Aim::Hit,
                (true, Some(id), _) => Aim::Collection(tree.node(*id).position),
                (true, None, Some(position)) => Aim::NoKey(position),
                (true, None, None) => Aim::Nowhere,
            }
        })
        .collect()
}
