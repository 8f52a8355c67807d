//! Who decided what about each stage, and when: the entries of decision files with the commits that added
//! them.
//!
//! Invariant: who and when come from Git alone. An entry's time is when it reached the first-parent line;
//! who added it, the author of the commit whose parents all lack it, on whichever side of a merge. An entry
//! that was removed or edited counts no more.
//!
//! Blocking; what decisions come to is not told here.

use std::collections::BTreeMap;

use crate::decision::{self, Decision};
use crate::git::{self, Blob, BlobId, CommitId, Reader};
use crate::promotion::By;
use crate::reconcile::claims::StageKey;
use crate::reconcile::snapshot::{DecisionFile, Snapshot};

/// Commits of the first-parent line that are looked at for a file.
const MAX_STEPS: usize = 200_000;

/// Commits of a merged side that are looked at for an entry, and new commits since an earlier head.
const MAX_NEAR: usize = 10_000;

/// Largest decision file, in bytes.
const MAX_FILE: u64 = 1024 * 1024;

/// The decisions about a stage.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Decisions {
    /// The file, of this path, can't be understood.
    Broken(String),
    /// In the order of the file.
    Known(Vec<Made>),
}

/// A decision, and who made it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Made {
    /// What was decided.
    pub decision: Decision,
    /// Who, and when; unknown in a working tree, and where the history was not fetched.
    pub by: Option<By>,
    /// The commit of the first-parent line with which it came.
    pub landed: Option<CommitId>,
}

/// What was told at an earlier head.
#[derive(Debug, Default)]
pub struct KeptDecisions {
    head: Option<CommitId>,
    files: BTreeMap<String, (BlobId, Vec<Made>)>,
}

/// The decisions of a working tree, or of a commit of which no more is known.
pub fn unsigned(snapshot: &Snapshot) -> BTreeMap<StageKey, Decisions> {
    let each = snapshot.decisions.iter().map(|(key, file)| {
        let made = |decision: &Decision| Made {
            decision: decision.clone(),
            by: None,
            landed: None,
        };
        let told = match &file.entries {
            None => Decisions::Broken(file.path.clone()),
            Some(entries) => {
                Decisions::Known(entries.iter().map(|entry| made(&entry.decision)).collect())
            }
        };
        (*key, told)
    });
    each.collect()
}

/// The decisions of `snapshot`, which is of `head`.
///
/// # Errors
/// When the mirror can't be read.
pub fn read(
    reader: &Reader,
    head: CommitId,
    snapshot: &Snapshot,
    kept: &mut KeptDecisions,
) -> Result<BTreeMap<StageKey, Decisions>, git::Error> {
    let known = match kept.head {
        Some(before) if is_on_line(reader, before, head)? => std::mem::take(&mut kept.files),
        _ => BTreeMap::new(),
    };
    *kept = KeptDecisions {
        head: Some(head),
        files: BTreeMap::new(),
    };
    let mut told = BTreeMap::new();
    for (key, file) in &snapshot.decisions {
        let Some(entries) = &file.entries else {
            told.insert(*key, Decisions::Broken(file.path.clone()));
            continue;
        };
        let made = match known.get(&file.path) {
            Some((blob, made)) if *blob == file.blob => made.clone(),
            _ => {
                let decisions = entries.iter().map(|entry| entry.decision.clone());
                trace(reader, head, file, decisions.collect())?
            }
        };
        let keep = (file.blob, made.clone());
        kept.files.insert(file.path.clone(), keep);
        told.insert(*key, Decisions::Known(made));
    }
    Ok(told)
}

/// Whether `before` is on the first-parent line of `head`, not far back.
fn is_on_line(reader: &Reader, before: CommitId, head: CommitId) -> Result<bool, git::Error> {
    let mut at = head;
    for _ in 0..MAX_NEAR {
        if at == before {
            return Ok(true);
        }
        match reader.past(at)? {
            git::Past::Parent(parent) => at = parent,
            git::Past::Root | git::Past::More => return Ok(false),
        }
    }
    Ok(false)
}

/// An entry by what it says, and which of those that say the same it is.
pub(super) type Which<'d> = (&'d Decision, usize);

pub(super) fn which(decisions: &[Decision]) -> Vec<Which<'_>> {
    let mut told: Vec<Which<'_>> = Vec::with_capacity(decisions.len());
    for decision in decisions {
        let before = told.iter().filter(|(other, _)| *other == decision).count();
        told.push((decision, before));
    }
    told
}

/// Finds the commits that added `decisions`, which `file` holds at `head`.
fn trace(
    reader: &Reader,
    head: CommitId,
    file: &DecisionFile,
    decisions: Vec<Decision>,
) -> Result<Vec<Made>, git::Error> {
    let wanted = which(&decisions);
    let mut landed: Vec<Option<CommitId>> = vec![None; wanted.len()];
    let (mut at, mut blob) = (head, Some(file.blob));
    for _ in 0..MAX_STEPS {
        let (parent, before) = match reader.past(at)? {
            git::Past::Parent(parent) => (Some(parent), reader.blob_at(parent, &file.path)?),
            git::Past::Root => (None, None),
            git::Past::More => break,
        };
        if before != blob {
            let there = entries(reader, before)?;
            let there = which(&there);
            for (wanted, landed) in wanted.iter().zip(&mut landed) {
                if landed.is_none() && !there.contains(wanted) {
                    *landed = Some(at);
                }
            }
            blob = before;
        }
        match parent {
            Some(parent) if landed.contains(&None) => at = parent,
            _ => break,
        }
    }
    let found = wanted.iter().zip(&landed);
    let by = found.map(|(wanted, landed)| match landed {
        Some(commit) => who(reader, *commit, &file.path, *wanted).map(Some),
        None => Ok(None),
    });
    let by = by.collect::<Result<Vec<Option<By>>, git::Error>>()?;
    drop(wanted);
    let made = decisions.into_iter().zip(by).zip(landed);
    let made = made.map(|((decision, by), landed)| Made {
        decision,
        by,
        landed,
    });
    Ok(made.collect())
}

/// What a version of a decision file holds, as far as it can be understood: that one entry is wrong takes
/// none of the others from whoever wrote it.
pub(super) fn entries(reader: &Reader, blob: Option<BlobId>) -> Result<Vec<Decision>, git::Error> {
    let Some(blob) = blob else {
        return Ok(Vec::new());
    };
    let text = match reader.blob(blob, MAX_FILE)? {
        Blob::Bytes(bytes) => String::from_utf8(bytes).unwrap_or_default(),
        Blob::TooLarge(_) => String::new(),
    };
    Ok(decision::legible(&text))
}

/// Who added an entry that came to the first-parent line with `landed`.
pub(super) fn who(
    reader: &Reader,
    landed: CommitId,
    path: &str,
    wanted: Which<'_>,
) -> Result<By, git::Error> {
    let arrived = reader.commit_info(landed)?;
    let at = arrived.committed;
    let (mut commit, mut info) = (landed, arrived);
    for _ in 0..MAX_NEAR {
        let mut earlier = None;
        for parent in &info.parents {
            let blob = match reader.blob_at(*parent, path) {
                Err(git::Error::NoSuchCommit { .. }) => continue,
                blob => blob?,
            };
            if which(&entries(reader, blob)?).contains(&wanted) {
                earlier = Some(*parent);
                break;
            }
        }
        let Some(parent) = earlier else { break };
        (commit, info) = (parent, reader.commit_info(parent)?);
    }
    Ok(By {
        name: info.author.name,
        at,
        commit: commit.to_string(),
    })
}
