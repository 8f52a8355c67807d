//! The proof after an edit: the new text is parsed and compared with the old, node by node.
//!
//! Invariant: what passes has the same bytes outside the edited spans, the same nodes, anchors, tags
//! and comments, each edited scalar says exactly what was intended, and the sites are the same but for
//! those values. Anything else is reported in words, and the caller drops the edit.

mod block;

use std::collections::{BTreeMap, HashSet};

use super::edit::Splice;
use super::find::find;
use super::nested;
use super::yaml::{Content, Id, Node, Tree, parse};
use super::{Field, FileIndex, Reading, Site, SiteKind, Style, index_with, value};

type Splices<'s> = BTreeMap<u32, Splice<'s>>;

pub(super) fn verify(
    reading: Reading<'_>,
    old: &Tree<'_>,
    found: &FileIndex,
    splices: &Splices<'_>,
    spliced: &str,
) -> Result<(), String> {
    outside(old.text, splices, spliced)?;
    let new = parse(spliced, true)
        .map_err(|problem| format!("line {}: {problem}", problem.position.line))?;
    let made: Vec<&Splice<'_>> = splices.values().collect();
    let in_text = |splice: &Splice<'_>| {
        let site = found.sites.get(splice.site);
        site.is_some_and(|site| site.kind == SiteKind::Text)
    };
    // A text that was only searched for markers, line by line, is proven the same way.
    let searched = |id: &Id| {
        let node = old.node(*id);
        let within = |splice: &Splice<'_>| (node.start..node.end).contains(&splice.field.start);
        made.iter().any(|splice| within(splice) && in_text(splice))
    };
    let texts: HashSet<Id> = nested::texts(old)
        .filter(|id| lines_of(old, *id).is_some() && !searched(id))
        .collect();
    level(old, &new, &made, 0, &texts, &in_text)?;
    for id in texts {
        inside(old, &new, id, &made)?;
    }
    let old_comments = old.comments.iter().map(|comment| old.comment(comment));
    // Comments are only read where one could matter; there they must all still be there.
    let new_comments = new.comments.iter().map(|comment| new.comment(comment));
    if !old.comments.is_empty() && !old_comments.eq(new_comments) {
        return Err("other comments".to_owned());
    }
    sites(found, &find(reading, &new), splices)
}

/// Verifies an edit of a text that isn't parsed: the same bytes but for the edits, and the same sites.
pub(super) fn verify_text(
    reading: Reading<'_>,
    old: &str,
    before: &FileIndex,
    splices: &Splices<'_>,
    spliced: &str,
) -> Result<(), String> {
    outside(old, splices, spliced)?;
    let after = index_with(reading.format, spliced.as_bytes(), reading.targets);
    if before.problem.is_some() != after.problem.is_some() || before.ignored != after.ignored {
        return Err("another kind of file".to_owned());
    }
    sites(before, &after, splices)
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

/// The nodes of a tree whose text starts at `offset` of the file. What the `texts` say in whole is
/// left to whoever looks inside; splices that are `in_text` are of lines of a literal block.
fn level(
    old: &Tree<'_>,
    new: &Tree<'_>,
    splices: &[&Splice<'_>],
    offset: u32,
    texts: &HashSet<Id>,
    in_text: &dyn Fn(&Splice<'_>) -> bool,
) -> Result<(), String> {
    if old.nodes.len() != new.nodes.len() {
        return Err("another number of values".to_owned());
    }
    let mut rest = splices;
    for (id, (before, after)) in (0..).zip(old.nodes.iter().zip(&new.nodes)) {
        if !same_place(before, after) {
            return Err(format!(
                "another structure at line {}",
                before.position.line
            ));
        }
        let (start, end) = (before.start + offset, before.end + offset);
        let same = if texts.contains(&id) {
            // Where the file ends in an empty value, one is filled in at the very end.
            let within = rest.partition_point(|splice| splice.field.start <= end);
            rest = &rest[within..];
            within > 0 || before.content == after.content
        } else {
            match rest.first().filter(|_| old.is_leaf(id)) {
                Some(splice) if in_text(splice) && (start..end).contains(&splice.field.start) => {
                    let within = rest.partition_point(|splice| splice.field.start < end);
                    let (of_block, others) = rest.split_at(within);
                    rest = others;
                    block::reads_as(old.text, before, of_block, after)
                }
                Some(splice) if belongs(splice, start, end) && !in_text(splice) => {
                    rest = &rest[1..];
                    says(splice, old.scalar(id), new.scalar(id))
                }
                _ => before.content == after.content,
            }
        };
        if !same {
            return Err(format!("another value at line {}", before.position.line));
        }
    }
    if rest.is_empty() {
        Ok(())
    } else {
        Err("a value that isn't one".to_owned())
    }
}

/// The nodes inside the text `id`, if any of the splices are.
fn inside(old: &Tree<'_>, new: &Tree<'_>, id: Id, splices: &[&Splice<'_>]) -> Result<(), String> {
    let node = old.node(id);
    let from = splices.partition_point(|splice| splice.field.start < node.start);
    let to = splices.partition_point(|splice| splice.field.start <= node.end);
    if from == to {
        return Ok(());
    }
    let failed = || format!("another text at line {}", node.position.line);
    let (before, offset) = lines_of(old, id).ok_or_else(failed)?;
    let (after, _) = lines_of(new, id).ok_or_else(failed)?;
    let (before, after) = match (parse(before, false), parse(after, false)) {
        (Ok(before), Ok(after)) => (before, after),
        _ => return Err(failed()),
    };
    let none = |_: &Splice<'_>| false;
    level(
        &before,
        &after,
        &splices[from..to],
        offset,
        &HashSet::new(),
        &none,
    )
}

/// The lines of the text `id` and where they start, if they are the file's own.
fn lines_of<'t>(tree: &'t Tree<'_>, id: Id) -> Option<(&'t str, u32)> {
    let nested = nested::open(tree, id)?;
    Some((nested.text, nested.offset?))
}

/// Whether a splice is that of the scalar at `start..end`.
fn belongs(splice: &Splice<'_>, start: u32, end: u32) -> bool {
    let field = splice.field;
    match field.style {
        Style::Tail => start <= field.start && field.end <= end,
        _ => value::node_start(field) == start,
    }
}

/// Whether a scalar says what was to be written.
fn says(splice: &Splice<'_>, old: Option<&str>, new: Option<&str>) -> bool {
    let kept = match splice.field.style {
        Style::Tail => old.and_then(|old| old.strip_suffix(splice.field.text.as_str())),
        _ => Some(""),
    };
    let new = new.map(trimmed);
    kept.zip(new)
        .is_some_and(|(kept, new)| new.strip_prefix(kept) == Some(&splice.text))
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
            && fields(old, splices) == fields(new, &Splices::new());
        if !same {
            return Err(format!("another site at line {}", old.position.line));
        }
    }
    Ok(())
}

/// What a site's scalars say after the splices.
fn fields<'s>(site: &'s Site, splices: &'s Splices<'_>) -> [Option<&'s str>; 5] {
    let said = |field: &'s Field| match splices.get(&field.start) {
        Some(splice) => splice.text.as_str(),
        None => field.text.as_str(),
    };
    site.slots().map(|slot| slot.map(said))
}
