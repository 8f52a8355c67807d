//! Manifests: where images are written in a file, and how to change exactly that.
//!
//! [`index`] finds every [`Site`] of a file, whichever image it holds and whoever may own it;
//! policies apply afterwards, so an index can be kept for as long as the file's bytes stay the same.
//! [`rewrite`] puts new references into chosen sites by splicing bytes, then parses the result and
//! compares it with the original.
//!
//! Invariant: every byte outside the scalars that were meant to change is the same before and after,
//! and every other value of the file reads the same. Where that can't be had, the file stays as it
//! is and the reason is returned.
//!
//! Both are pure functions, total over any bytes: no I/O, no panic, and work bounded by
//! [`MAX_BYTES`]. Nothing here knows apps, stages or policies, or adds a missing key.

mod argocd;
mod around;
mod attach;
mod compose;
mod draft;
mod edit;
mod find;
mod helm;
mod key_path;
mod kubernetes;
mod kustomize;
mod marked;
mod marker;
mod nested;
mod owner;
mod pulls;
mod refusal;
mod screen;
mod site;
mod split;
mod target;
mod text;
mod together;
mod value;
mod verify;
mod yaml;

pub use key_path::{KeyPath, KeyPathError};
pub use pulls::{ImageRule, Pull, PullKind, Pulls};
pub use refusal::Refusal;
pub use site::{Field, FileIndex, Marker, Note, Part, Problem, Site, SiteKind, Style};
pub use target::{Aim, TargetPath};
pub use text::Dialect;

use granit_parser::ScalarStyle;
use yaml::{Content, Tree};

use serde::{Deserialize, Serialize};

use crate::diag::Position;
use crate::image::{Digest, Tag};

/// Version of what [`index`] finds. Raise it with every change of result, so that kept indexes are
/// made anew.
pub const INDEXER_VERSION: u32 = 4;

/// Largest file that is read for sites, in bytes. The largest manifests in use, bundles of custom
/// resource definitions, are a few megabytes.
pub const MAX_BYTES: usize = 16 << 20;

/// How a file is read, decided from its path alone so that it can key a cache.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum Format {
    /// YAML, one document or several.
    Yaml,
    /// A file that Kustomize reads by its name, so its `images` need no `kind`.
    Kustomization,
    /// A Helm chart's `Chart.yaml`, which stands for the chart's folder.
    Chart,
    /// JSON: read as YAML, of which it is a part; written with double quotes only.
    Json,
    /// Any other text: only marked values are read.
    Text(Dialect),
}

impl Format {
    /// Whether files of this format hold sites without markers, so that one that can't be read is
    /// worth telling.
    pub fn is_detected(self) -> bool {
        !matches!(self, Self::Text(_))
    }
}

/// The format of the file at `path`, or `None` where sites aren't looked for: in prose and patches.
///
/// Names of Kustomize's files are those of its documentation: `kustomization.yaml`,
/// `kustomization.yml` and `Kustomization`.
pub fn format_of(path: &str) -> Option<Format> {
    let name = path.rsplit('/').next().unwrap_or(path);
    match name {
        "kustomization.yaml" | "kustomization.yml" | "Kustomization" => {
            return Some(Format::Kustomization);
        }
        // Helm knows a chart by this name alone (Helm documentation, "Charts").
        "Chart.yaml" => return Some(Format::Chart),
        _ => {}
    }
    let extension = name.rsplit_once('.').map_or("", |(_, extension)| extension);
    if extension.eq_ignore_ascii_case("yaml") || extension.eq_ignore_ascii_case("yml") {
        Some(Format::Yaml)
    } else if extension.eq_ignore_ascii_case("json") {
        Some(Format::Json)
    } else {
        Dialect::of(name).map(Format::Text)
    }
}

/// How a file is read: its format, and the targets that apps have in it.
#[derive(Debug, Clone, Copy)]
struct Reading<'a> {
    format: Format,
    targets: &'a [TargetPath],
}

/// Every site of a file, in the order of the text.
///
/// Where a file isn't what its name says, such as a template of YAML, only its marked values are
/// read, by the rules for texts, and the problem is stated beside them.
pub fn index(format: Format, bytes: &[u8]) -> FileIndex {
    index_with(format, bytes, &[])
}

/// Every site of a file, those of `targets` among them. An index of a file with targets is good for
/// those targets only.
pub fn index_with(format: Format, bytes: &[u8], targets: &[TargetPath]) -> FileIndex {
    if let Format::Text(dialect) = format {
        return FileIndex {
            aims: vec![Aim::Unread; targets.len()],
            ..text::index(dialect, bytes)
        };
    }
    let reading = Reading { format, targets };
    match read(reading, bytes) {
        Ok(None) => FileIndex::default(),
        Ok(Some(tree)) => find::find(reading, &tree),
        Err(problem) => text::index_instead(format, bytes, problem),
    }
}

/// Parses a file if it can hold a site, or bring in files that do.
fn read<'b>(reading: Reading<'_>, bytes: &'b [u8]) -> Result<Option<Tree<'b>>, Problem> {
    // UTF-16 hides every word that is looked for.
    if bytes.starts_with(&[0xff, 0xfe]) || bytes.starts_with(&[0xfe, 0xff]) {
        return Err(at(1, "the file is not UTF-8 but UTF-16".to_owned()));
    }
    let wanted = !reading.targets.is_empty()
        || screen::passes(bytes)
        || pulls::may_pull(reading.format, bytes);
    if !wanted {
        return Ok(None);
    }
    if bytes.len() > MAX_BYTES {
        return Err(too_large());
    }
    let text = std::str::from_utf8(bytes).map_err(|error| not_utf8(bytes, error))?;
    let comments = screen::has_markers(bytes);
    let tree = yaml::parse(text, comments).map_err(|mut problem| {
        if text.contains("{{") {
            problem.reason.push_str(" (the file looks like a template)");
        }
        problem
    })?;
    match reading.format {
        Format::Json => not_json(&tree).map_or(Ok(Some(tree)), Err),
        _ => Ok(Some(tree)),
    }
}

/// What makes a text that reads as YAML no JSON: a comment of JSON5, which YAML takes for a part of
/// the value after it.
fn not_json(tree: &Tree<'_>) -> Option<Problem> {
    let comment = tree.ids().find(|id| {
        let text = match &tree.node(*id).content {
            Content::Scalar(text, ScalarStyle::Plain) => text,
            _ => return false,
        };
        text.starts_with("//") || text.starts_with("/*")
    })?;
    Some(Problem {
        position: tree.node(comment).position,
        reason: "the file is not JSON: it has a comment".to_owned(),
    })
}

/// The index of a file that is too large to be read, for callers that didn't read it. One whose name
/// says nothing of its kind is an archive or a picture rather than a text with a marker.
pub fn index_of_too_large(format: Format) -> FileIndex {
    FileIndex {
        problem: (format != Format::Text(Dialect::Any)).then(too_large),
        ..FileIndex::default()
    }
}

fn at(line: u32, reason: String) -> Problem {
    Problem {
        position: Position { line, column: 1 },
        reason,
    }
}

fn not_utf8(bytes: &[u8], error: std::str::Utf8Error) -> Problem {
    let line = line_of(bytes, error.valid_up_to());
    at(line, "the file is not UTF-8".to_owned())
}

/// The line that byte `offset` is in.
fn line_of(bytes: &[u8], offset: usize) -> u32 {
    let lines = memchr::memchr_iter(b'\n', &bytes[..offset]).count() + 1;
    u32::try_from(lines).unwrap_or(u32::MAX)
}

fn too_large() -> Problem {
    let limit = MAX_BYTES >> 20;
    at(1, format!("the file is larger than {limit} MiB"))
}

/// What is to be written at a site.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Target<'a> {
    /// The name to write if the site holds another image's or none. A site that names the same
    /// image keeps its spelling. `None` keeps every name.
    pub rename: Option<&'a str>,
    /// The tag.
    pub tag: Option<&'a Tag>,
    /// The digest.
    pub digest: Option<&'a Digest>,
    /// What happens to digests.
    pub rule: DigestRule,
}

/// What happens where a site holds a digest and the target doesn't, or the other way round.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum DigestRule {
    /// The tag is written where the site has a place for one, the digest where the site holds one.
    /// A digest that no longer fits is never left beside a new tag: without one in the target the
    /// site is refused.
    WhereHeld,
    /// Exactly the target's tag and digest: what the target lacks is removed from the scalar, or the
    /// site refused if it has a key of its own.
    Exact,
}

/// A change wanted at one site of an index.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Change<'a> {
    /// Which site, by its place in [`FileIndex::sites`].
    pub site: usize,
    /// What to write there.
    pub target: Target<'a>,
}

/// A scalar that was changed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Edit {
    /// Where the scalar starts, in the file before the change.
    pub position: Position,
    /// Its value before.
    pub old: String,
    /// Its value now.
    pub new: String,
    /// The site it belongs to, by its place in [`FileIndex::sites`].
    pub site: usize,
}

/// A change that was not made.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Refused {
    /// The site, by its place in [`FileIndex::sites`].
    pub site: usize,
    /// Where the site is.
    pub position: Position,
    /// Why not.
    pub reason: Refusal,
}

/// A file after [`rewrite`].
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Rewritten {
    /// The file's bytes; those that were passed in, if there are no edits.
    pub bytes: Vec<u8>,
    /// What changed, in the order of the text. A change whose values are there already has no edit.
    pub edits: Vec<Edit>,
    /// What was refused, in the order of the changes.
    pub refused: Vec<Refused>,
}

/// Makes `changes` to a file whose index is `index`.
///
/// Where one change is refused, the others are still made; where the result can't be verified, none
/// is. Making the same changes again makes no edit.
pub fn rewrite(
    format: Format,
    bytes: &[u8],
    index: &FileIndex,
    changes: &[Change<'_>],
) -> Rewritten {
    rewrite_with(format, bytes, &[], index, changes)
}

/// Makes `changes` to a file whose index with `targets` is `index`, as [`rewrite`] does.
pub fn rewrite_with(
    format: Format,
    bytes: &[u8],
    targets: &[TargetPath],
    index: &FileIndex,
    changes: &[Change<'_>],
) -> Rewritten {
    edit::rewrite(Reading { format, targets }, bytes, index, changes)
}

#[cfg(test)]
mod tests;
