//! YAML inside a text of a YAML file: Helm values under `helm.values` of Argo CD, and under
//! `valuesContent` of K3s' HelmChart and HelmChartConfig.
//!
//! Invariant: the lines of a literal block are YAML as they stand, so spans in them are spans of the
//! file; that the block says those lines and nothing else is checked before they are believed. Any
//! other form of text has other bytes than what it says, and only tells that something is there. One
//! text deep: a text in such a text is just a text.

use granit_parser::ScalarStyle;

use super::yaml::{Content, Id, Role, Tag, Tree};

/// A text that is YAML.
#[derive(Debug, Clone, Copy)]
pub(super) struct Nested<'t> {
    /// The lines as they stand, or what the text says.
    pub(super) text: &'t str,
    /// Where the lines start in the file; `None` if the text is only what is said.
    pub(super) offset: Option<u32>,
    /// How many lines of the file precede them.
    pub(super) lines: u32,
}

/// The texts of a file that hold Helm values.
pub(super) fn texts<'t>(tree: &'t Tree<'_>) -> impl Iterator<Item = Id> + use<'t> {
    tree.ids().filter(|id| {
        let node = tree.node(*id);
        let (Content::Scalar(_, style), Role::Value(key)) = (&node.content, node.role) else {
            return false;
        };
        let values = match tree.scalar(key) {
            Some("values") => tree.key_above(*id) == Some("helm"),
            Some(key) => key == "valuesContent",
            None => false,
        };
        values && *style != ScalarStyle::Plain && node.tag != Tag::Foreign
    })
}

/// The YAML in the text `id`.
pub(super) fn open<'t>(tree: &'t Tree<'_>, id: Id) -> Option<Nested<'t>> {
    let Content::Scalar(text, style) = &tree.node(id).content else {
        return None;
    };
    let block = match style {
        ScalarStyle::Literal => block(tree, id, text),
        _ => None,
    };
    Some(block.unwrap_or(Nested {
        text,
        offset: None,
        lines: 0,
    }))
}

/// The lines of a literal block, if they say `text`.
fn block<'t>(tree: &'t Tree<'_>, id: Id, text: &str) -> Option<Nested<'t>> {
    let node = tree.node(id);
    let indent = node.position.column - 1;
    let start = node.start.checked_sub(indent)?;
    let lines = tree.text.get(start as usize..node.end as usize)?;
    // The span may reach into the indentation of what follows.
    let lines = match lines.rfind('\n') {
        Some(last) if (node.end as usize) < tree.text.len() => &lines[..=last],
        _ => lines,
    };
    let indent = indent as usize;
    let stripped = lines.lines().map(|line| {
        let blank = line.trim_start_matches(' ').is_empty();
        line.get(indent..).or(blank.then_some(""))
    });
    let said = text.trim_start_matches('\n').trim_end_matches('\n');
    let mut said = said.split('\n');
    let same = lines.as_bytes().iter().take(indent).all(|b| *b == b' ')
        && stripped.into_iter().all(|line| match (line, said.next()) {
            (Some(line), Some(wanted)) => line == wanted,
            // What the header chomps.
            (Some(line), None) => line.is_empty(),
            (None, _) => false,
        });
    if !same || said.next().is_some() {
        return None;
    }
    // With its indentation the mark that a document starts is none, and there is only one.
    let first = lines.split_inclusive('\n').next().unwrap_or_default();
    let skipped = if first.trim() == "---" {
        first.len()
    } else {
        0
    };
    Some(Nested {
        text: &lines[skipped..],
        offset: Some(start + u32::try_from(skipped).unwrap_or_default()),
        lines: node.position.line - u32::from(skipped == 0),
    })
}
