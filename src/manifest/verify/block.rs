//! What a literal block must say after values inside it were replaced.
//!
//! Invariant: the expected text is made from the block's own text line by line, not from the bytes
//! that were written, so it is a second opinion on them.

use granit_parser::ScalarStyle::Literal;

use crate::manifest::edit::Splice;
use crate::manifest::yaml::{Content, Node};

/// Whether `after` is the block `before` of the file `text` with the splices made, and nothing else.
pub(super) fn reads_as(
    text: &str,
    before: &Node<'_>,
    splices: &[&Splice<'_>],
    after: &Node<'_>,
) -> bool {
    let (Content::Scalar(old, Literal), Content::Scalar(new, Literal)) =
        (&before.content, &after.content)
    else {
        return false;
    };
    expected(text, before, old, splices).as_deref() == Some(new)
}

/// The block's text with the splices made; `None` if one isn't where its value is.
fn expected(text: &str, before: &Node<'_>, old: &str, splices: &[&Splice<'_>]) -> Option<String> {
    let start = first_line(text, before.start as usize);
    let written = &text[start..before.end as usize];
    let mut splices = splices.iter().peekable();
    let mut made = String::with_capacity(old.len() + 64);
    let mut at = start;
    let mut says = old.split_inclusive('\n');
    for raw in written.split_inclusive('\n') {
        let Some(said) = says.next() else {
            break;
        };
        let (said, ending) = match said.strip_suffix('\n') {
            Some(said) => (said, "\n"),
            None => (said, ""),
        };
        let line = raw.trim_end_matches(['\n', '\r']);
        // A line says what is written on it after the block's indentation.
        let indent = line.strip_suffix(said)?.len();
        let mut done = 0;
        while let Some(splice) =
            splices.next_if(|splice| (splice.field.start as usize) < at + raw.len())
        {
            let from = (splice.field.start as usize).checked_sub(at + indent)?;
            let to = (splice.field.end as usize).checked_sub(at + indent)?;
            made.push_str(said.get(done..from)?);
            if said.get(from..to)? != splice.field.text {
                return None;
            }
            made.push_str(&splice.text);
            done = to;
        }
        made.push_str(said.get(done..)?);
        made.push_str(ending);
        at += raw.len();
    }
    // Line breaks at the end may lie outside the written bytes.
    made.extend(says);
    splices.next().is_none().then_some(made)
}

/// Where the block's first line starts: blank lines may precede the first one with text.
fn first_line(text: &str, place: usize) -> usize {
    let mut start = text[..place].rfind('\n').map_or(0, |at| at + 1);
    while let Some(above) = text[..start].strip_suffix('\n') {
        let line = above.rfind('\n').map_or(0, |at| at + 1);
        if !above[line..].trim_ascii().is_empty() {
            break;
        }
        start = line;
    }
    start
}
