//! The versions that files of decisions had along the first-parent line.
//!
//! Invariant: the walk ends where no more can matter: at what was told before, or where every entry wanted
//! has come and what was taken out is too long ago to be told. Of a commit only the folder of such files is
//! looked at, and only where it differs from the one before.

use std::collections::BTreeMap;

use jiff::Timestamp;

use super::{Made, Which, Written, entries, which};
use crate::git::{self, CommitId, Reader, Touched};

/// Commits of the first-parent line that are looked at.
const MAX_STEPS: usize = 200_000;

/// Where all such files are.
const FOLDER: &str = ".tagwright";

/// What came to the files and went from them, by the commits that did it, the newest first.
#[derive(Debug, Default)]
pub(super) struct Versions {
    steps: Vec<Step>,
    /// Whether the walk came to the head that was told before.
    pub(super) reached_kept: bool,
    /// Whether there may be more that matters beyond what was fetched.
    pub(super) is_cut: bool,
}

/// What one commit did to one file.
#[derive(Debug)]
struct Step {
    commit: CommitId,
    path: String,
    came: Vec<(Written, usize)>,
    gone: Vec<(Written, usize)>,
}

/// Walks from `head` to the `kept` one, or until the entries `wanted` have all come and commits are older
/// than `since`.
pub(super) fn versions(
    reader: &Reader,
    head: CommitId,
    kept: Option<CommitId>,
    since: Timestamp,
    wanted: &BTreeMap<&str, Vec<Written>>,
) -> Result<Versions, git::Error> {
    let mut found = Versions::default();
    let mut sought: Vec<(&str, Which<'_>)> = Vec::new();
    for (path, written) in wanted {
        sought.extend(which(written).into_iter().map(|one| (*path, one)));
    }
    let mut at = head;
    for _ in 0..MAX_STEPS {
        if kept == Some(at) {
            found.reached_kept = true;
            break;
        }
        if sought.is_empty() && reader.commit_info(at)?.committed < since {
            break;
        }
        let new = found.steps.len();
        let parent = match reader.past(at)? {
            git::Past::Parent(parent) => {
                if !reader.is_same_below(parent, at, FOLDER)? {
                    found.add(reader, at, reader.touched(parent, at)?)?;
                }
                Some(parent)
            }
            git::Past::Root => {
                // Nothing was taken out by it.
                let paths = wanted.keys().map(|path| first(reader, at, path));
                found.add(reader, at, paths.collect::<Result<_, _>>()?)?;
                None
            }
            git::Past::More => {
                // Where nobody decides anything, nothing is looked for that was taken out long ago.
                let recent = reader.commit_info(at)?.committed >= since;
                let taken_out = recent && reader.is_there(at, FOLDER)?;
                found.is_cut = !sought.is_empty() || taken_out;
                None
            }
        };
        let steps = &found.steps[new..];
        sought.retain(|(path, wanted)| !steps.iter().any(|step| step.adds(path, *wanted)));
        match parent {
            Some(parent) => at = parent,
            None => break,
        }
    }
    Ok(found)
}

/// A file of the branch's first commit.
fn first(reader: &Reader, at: CommitId, path: &str) -> Result<Touched, git::Error> {
    Ok(Touched {
        before: None,
        after: reader.blob_at(at, path)?,
        path: path.to_owned(),
    })
}

impl Versions {
    fn add(
        &mut self,
        reader: &Reader,
        commit: CommitId,
        touched: Vec<Touched>,
    ) -> Result<(), git::Error> {
        let ours = |file: &Touched| {
            let below = file.path.strip_prefix(FOLDER);
            below.is_some_and(|path| path.starts_with('/'))
        };
        for file in touched.into_iter().filter(ours) {
            let before = entries(reader, &file.path, file.before)?;
            let after = entries(reader, &file.path, file.after)?;
            let (before, after) = (which(&before), which(&after));
            let beyond = |these: &[Which<'_>], those: &[Which<'_>]| {
                let beyond = these.iter().filter(|one| !those.contains(one));
                beyond
                    .map(|(written, place)| ((*written).clone(), *place))
                    .collect()
            };
            self.steps.push(Step {
                commit,
                path: file.path,
                came: beyond(&after, &before),
                gone: beyond(&before, &after),
            });
        }
        Ok(())
    }

    /// Whether all entries `wanted` came with these versions or were `known` before.
    pub(super) fn tell(
        &self,
        wanted: &BTreeMap<&str, Vec<Written>>,
        known: &BTreeMap<String, Vec<Made<Written>>>,
    ) -> bool {
        wanted.iter().all(|(path, written)| {
            let before = known.get(*path).map_or(&[][..], Vec::as_slice);
            let before: Vec<Written> = before.iter().map(|made| made.decision.clone()).collect();
            let before = which(&before);
            let told = |one: &Which<'_>| before.contains(one) || self.landed(path, *one).is_some();
            which(written).iter().all(told)
        })
    }

    /// The commit with which an entry came, the newest if it came more than once.
    pub(super) fn landed(&self, path: &str, wanted: Which<'_>) -> Option<CommitId> {
        let mut steps = self.steps.iter();
        let step = steps.find(|step| step.adds(path, wanted))?;
        Some(step.commit)
    }

    /// What was taken out, the newest first.
    pub(super) fn gone(&self) -> impl Iterator<Item = (&str, CommitId, Which<'_>)> {
        self.steps.iter().flat_map(|step| {
            let gone = step.gone.iter();
            gone.map(|(written, place)| (step.path.as_str(), step.commit, (written, *place)))
        })
    }
}

impl Step {
    fn adds(&self, path: &str, wanted: Which<'_>) -> bool {
        let same = |(written, place): &(Written, usize)| (written, *place) == wanted;
        self.path == path && self.came.iter().any(same)
    }
}
