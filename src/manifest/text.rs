//! Marked values in any text with comments: Dockerfiles, HCL, TOML, environment files, Jsonnet,
//! templates, scripts, and the texts inside YAML's literal blocks.
//!
//! Invariant: only a marker makes a site here, and only where it leaves no doubt about the value; all
//! else gets a note. Values are replaced in their quotes, or bare where the kind of text takes them
//! bare; nothing is ever quoted, escaped or added.
//!
//! It parses no language: a line, its comments and its values are all it knows.

mod dialect;
mod line;
mod pick;
mod scan;
mod words;

pub use dialect::Dialect;

use scan::{Found, Row, scan};

use super::around::Surroundings;
use super::screen::has;
use super::yaml::{Content, Id, Tree};
use super::{FileIndex, Format, Note, Problem, Site, at, format_of, line_of, marker, not_utf8};

/// Largest text whose markers are read, in bytes. What people write by hand is far smaller; what is
/// larger is data, and only that it has a marker is told.
const MAX_BYTES: usize = 1 << 20;

/// The index of a text.
pub(super) fn index(dialect: Dialect, bytes: &[u8]) -> FileIndex {
    let Some(marker) = first_marker(bytes) else {
        return FileIndex::default();
    };
    let problem = |problem| FileIndex {
        problem: Some(problem),
        ..FileIndex::default()
    };
    if bytes.contains(&0) {
        return problem(at(1, "a marker in a binary file is not read".to_owned()));
    }
    if bytes.len() > MAX_BYTES {
        let limit = MAX_BYTES >> 20;
        let reason = format!("a marker in a text larger than {limit} MiB is not read");
        return problem(at(line_of(bytes, marker), reason));
    }
    match std::str::from_utf8(bytes) {
        Ok(text) => of_text(dialect, text),
        Err(error) => problem(not_utf8(bytes, error)),
    }
}

/// The index of a file that isn't what its name says, for `problem`: what its markers say.
pub(super) fn index_instead(format: Format, bytes: &[u8], problem: Problem) -> FileIndex {
    let dialect = match format {
        Format::Json => Dialect::Slashes,
        _ => Dialect::Yaml,
    };
    let mut index = if bytes.contains(&0) {
        FileIndex::default()
    } else {
        index(dialect, bytes)
    };
    index.problem = Some(problem);
    index
}

fn of_text(dialect: Dialect, text: &str) -> FileIndex {
    let flux = has(text.as_bytes(), marker::FLUX_NEEDLE);
    let Found {
        sites,
        notes,
        ignored,
    } = scan(dialect, flux, rows(text, 0, text.len(), 1));
    FileIndex {
        sites,
        notes,
        ignored,
        ..FileIndex::default()
    }
}

/// What the literal blocks of a YAML file hold.
#[derive(Debug, Default)]
pub(super) struct Blocks {
    pub(super) sites: Vec<Site>,
    pub(super) notes: Vec<Note>,
}

/// The marked values inside the literal blocks of a YAML file that aren't `taken`. The sites of a block
/// that is `ignored` are too.
pub(super) fn in_blocks(
    tree: &Tree<'_>,
    around: &mut Surroundings<'_>,
    taken: &dyn Fn(Id) -> bool,
    ignored: &dyn Fn(Id) -> bool,
) -> Blocks {
    let mut all = Blocks::default();
    let flux = has(tree.text.as_bytes(), marker::FLUX_NEEDLE);
    for (number, node) in tree.nodes.iter().enumerate() {
        let id = u32::try_from(number).unwrap_or(u32::MAX);
        let Some(dialect) = block(tree, id).filter(|_| !taken(id)) else {
            continue;
        };
        let start = tree.text[..node.start as usize]
            .rfind('\n')
            .map_or(0, |at| at + 1);
        let line = node.position.line;
        let found = scan(
            dialect,
            flux,
            rows(tree.text, start, node.end as usize, line),
        );
        let refusal = around.against(id, None);
        let out = ignored(id);
        all.sites.extend(found.sites.into_iter().map(|mut site| {
            site.refusal = refusal.clone().or(site.refusal);
            site.ignored |= out;
            site
        }));
        all.notes.extend(found.notes);
    }
    all
}

/// What kind of text a literal block with markers is, by the key it belongs to: in a ConfigMap that is
/// a file's name.
fn block(tree: &Tree<'_>, id: Id) -> Option<Dialect> {
    use granit_parser::ScalarStyle::Literal;
    let node = tree.node(id);
    let Content::Scalar(text, Literal) = &node.content else {
        return None;
    };
    first_marker(text.as_bytes())?;
    match format_of(tree.key_of(id).unwrap_or_default())? {
        Format::Text(dialect) => Some(dialect),
        Format::Json => Some(Dialect::Slashes),
        _ => Some(Dialect::Yaml),
    }
}

/// The lines of `text` from `start` to `end`, the first of which is line `number` of the file.
fn rows(text: &str, start: usize, end: usize, number: u32) -> impl Iterator<Item = Row<'_>> {
    const MARK: char = '\u{feff}';
    let mut at = start;
    text[start..end]
        .split_inclusive('\n')
        .zip(number..)
        .map(move |(line, number)| {
            let mut start = at;
            at += line.len();
            let line = line.strip_suffix('\n').unwrap_or(line);
            let mut line = line.strip_suffix('\r').unwrap_or(line);
            // A byte-order mark is no part of the first line.
            if start == 0 && line.starts_with(MARK) {
                start = MARK.len_utf8();
                line = &line[start..];
            }
            Row {
                number,
                start: u32::try_from(start).unwrap_or(u32::MAX),
                text: line,
            }
        })
}

/// How far from its `{` Flux's key may be, in bytes: other keys may come first.
const LONGEST_KEYS: usize = 256;

/// The first place of something like a marker: what begins one, after what could begin a comment.
fn first_marker(bytes: &[u8]) -> Option<usize> {
    let after_sign = |at: &usize| {
        let before = bytes[..*at].trim_ascii_end();
        let path = before.ends_with(b"://") || !before.ends_with(b"//");
        match before.last() {
            Some(b'/') => !path,
            last => matches!(last, Some(b'#' | b'*' | b';' | b'!' | b'-')),
        }
    };
    let in_object = |at: &usize| {
        let near = at.saturating_sub(LONGEST_KEYS);
        memchr::memchr(b'{', &bytes[near..*at]).is_some()
    };
    let find = |needle: &'static str| memchr::memmem::find_iter(bytes, needle.as_bytes());
    let own = find(marker::OWN_NEEDLE).find(after_sign);
    let flux = find(marker::FLUX_NEEDLE).find(in_object);
    [own, flux].into_iter().flatten().min()
}
