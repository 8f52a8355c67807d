//! The proof after an edit: the new text is parsed and compared with the old, node by node.
//!
//! Invariant: what passes has the same bytes outside the edited spans, the same nodes, anchors, tags
//! and comments, each edited scalar says exactly what was intended, and the sites are the same but for
//! those values. Anything else is reported in words, and the caller drops the edit.

use std::collections::BTreeMap;

use super::edit::Splice;
use super::yaml::{Content, Node, Tree, parse};
use super::{Field, FileIndex, Format, Site, find, value};

type Splices<'s> = BTreeMap<u32, Splice<'s>>;

pub(super) fn verify(
    format: Format,
    old: &Tree<'_>,
    index: &FileIndex,
    splices: &Splices<'_>,
    spliced: &str,
) -> Result<(), String> {
    outside(old.text, splices, spliced)?;
    let new = parse(spliced, true)
        .map_err(|problem| format!("line {}: {problem}", problem.position.line))?;
    nodes(old, &new, splices)?;
    let old_comments = old.comments.iter().map(|comment| old.comment(comment));
    // Comments are only read where one could matter; there they must all still be there.
    let new_comments = new.comments.iter().map(|comment| new.comment(comment));
    if !old.comments.is_empty() && !old_comments.eq(new_comments) {
        return Err("other comments".to_owned());
    }
    sites(index, &find(format, &new), splices)
}

/// The bytes between the spans, compared by walking both texts.
fn outside(old: &str, splices: &Splices<'_>, new: &str) -> Result<(), String> {
    let (mut old, mut new) = (old.as_bytes(), new.as_bytes());
    let mut done = 0;
    for splice in splices.values() {
        let (start, end) = (splice.field.start as usize, splice.field.end as usize);
        let gap = start.checked_sub(done).ok_or("overlapping spans")?;
        let span = gap + (end - start);
        let written = gap + splice.written.len();
        if old.len() < span || new.len() < written || old[..gap] != new[..gap] {
            return Err("other bytes".to_owned());
        }
        (old, new) = (&old[span..], &new[written..]);
        done = end;
    }
    if old == new {
        Ok(())
    } else {
        Err("other bytes".to_owned())
    }
}

fn nodes(old: &Tree<'_>, new: &Tree<'_>, splices: &Splices<'_>) -> Result<(), String> {
    if old.nodes.len() != new.nodes.len() {
        return Err("another number of values".to_owned());
    }
    let mut expected: BTreeMap<u32, &str> = splices
        .values()
        .map(|splice| (value::node_start(splice.field), splice.text.as_str()))
        .collect();
    for (id, (before, after)) in (0..).zip(old.nodes.iter().zip(&new.nodes)) {
        let edited = if old.is_leaf(id) {
            expected.remove(&before.start)
        } else {
            None
        };
        if !same_place(before, after) {
            return Err(format!(
                "another structure at line {}",
                before.position.line
            ));
        }
        let same = match edited {
            Some(text) => new.scalar(id).map(trimmed) == Some(text),
            None => before.content == after.content,
        };
        if !same {
            return Err(format!("another value at line {}", before.position.line));
        }
    }
    if expected.is_empty() {
        Ok(())
    } else {
        Err("a value that isn't one".to_owned())
    }
}

fn trimmed(text: &str) -> &str {
    text.trim_end_matches('\n')
}

fn same_place(before: &Node<'_>, after: &Node<'_>) -> bool {
    let leaf = |node: &Node<'_>| !matches!(node.content, Content::Map | Content::Seq);
    before.role == after.role
        && before.parent == after.parent
        && before.next == after.next
        && before.anchored == after.anchored
        && before.tag == after.tag
        && leaf(before) == leaf(after)
}

fn sites(before: &FileIndex, after: &FileIndex, splices: &Splices<'_>) -> Result<(), String> {
    if before.sites.len() != after.sites.len() || before.notes.len() != after.notes.len() {
        return Err("another number of sites".to_owned());
    }
    for (old, new) in before.sites.iter().zip(&after.sites) {
        let same = old.kind == new.kind
            && old.marker == new.marker
            && old.ignored == new.ignored
            && old.refusal.is_some() == new.refusal.is_some()
            && fields(old).zip(fields(new)).all(|(old, new)| {
                let text = old.map(|field| match splices.get(&field.start) {
                    Some(splice) => splice.text.as_str(),
                    None => field.text.as_str(),
                });
                text == new.map(|field| field.text.as_str())
            });
        if !same {
            return Err(format!("another site at line {}", old.position.line));
        }
    }
    Ok(())
}

fn fields(site: &Site) -> impl Iterator<Item = Option<&Field>> {
    [&site.whole, &site.name, &site.tag, &site.digest]
        .into_iter()
        .map(Option::as_ref)
}
