//! Who decided what, and when: the entries of decision files and of the freezes file with the commits that
//! added them, and those that were taken out.
//!
//! Invariant: who and when come from Git alone. An entry's time is when it reached the first-parent line;
//! who added it, the author of the commit whose parents all lack it, on whichever side of a merge. An entry
//! that was removed or edited counts no more. What is kept from an earlier head saves walking and changes
//! nothing.
//!
//! Blocking; what decisions come to is not told here.

mod versions;

use std::collections::BTreeMap;

use jiff::{SignedDuration, Timestamp};

use crate::decision::freeze::{self, Freezing};
use crate::decision::{self, Decision};
use crate::diag::{self, Diagnostic};
use crate::git::{self, Blob, BlobId, CommitId, Reader};
use crate::promotion::By;
use crate::reconcile::claims::StageKey;
use crate::reconcile::snapshot::Snapshot;

use versions::{Versions, versions};

/// Commits of a merged side that are looked at for an entry.
const MAX_NEAR: usize = 10_000;

/// Largest decision file, in bytes.
const MAX_FILE: u64 = 1024 * 1024;

/// How long before the head's commit an entry was taken out for that to be told: long enough for everybody
/// to have seen it, and not for ever.
const TOLD_FOR: SignedDuration = SignedDuration::from_hours(30 * 24);

/// The decisions about a stage, or the freezes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Decisions<T = Decision> {
    /// The file, of this path, can't be understood.
    Broken(String),
    /// In the order of the file.
    Known(Vec<Made<T>>),
}

/// A decision, and who made it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Made<T = Decision> {
    /// What was decided.
    pub decision: T,
    /// Who, and when; unknown in a working tree, and where the history was not fetched.
    pub by: Option<By>,
    /// The commit of the first-parent line with which it came.
    pub landed: Option<CommitId>,
}

/// An entry of a file, as it is written.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Written {
    /// About one stage.
    Decision(Decision),
    /// About stages by name.
    Freezing(Freezing),
}

/// An entry that was taken out of its file, or edited.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Withdrawn {
    /// The file.
    pub path: String,
    /// The entry as it was.
    pub decision: Decision,
    /// Who took it out, and when.
    pub by: By,
    place: usize,
}

/// What people decided, in one config repo.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Decided {
    /// About stages.
    pub decisions: BTreeMap<StageKey, Decisions>,
    /// About stages by name; `None` where there is no file.
    pub freezes: Option<Decisions<Freezing>>,
    /// What they took back of late, the newest first.
    pub withdrawn: Vec<Withdrawn>,
}

/// What was told at an earlier head.
#[derive(Debug, Default)]
pub struct KeptDecisions {
    head: Option<CommitId>,
    files: BTreeMap<String, Vec<Made<Written>>>,
    withdrawn: Vec<Withdrawn>,
    /// Whether more of the history would tell more.
    is_cut: bool,
}

impl KeptDecisions {
    /// Whether more of the branch's history would tell more than what was read last.
    pub fn is_cut(&self) -> bool {
        self.is_cut
    }
}

impl Withdrawn {
    /// What is said of it.
    pub fn told(&self) -> Diagnostic {
        /// As many digits as `git log --oneline` shows in a large repository.
        const SHORT: usize = 12;
        let By { name, at, commit } = &self.by;
        let what = match (self.decision.what(), self.decision.reason()) {
            (Some(what), _) => format!(" {what}"),
            (None, Some(reason)) => format!(" {}", diag::visible(reason)),
            (None, None) => String::new(),
        };
        let message = format!(
            "`{}{what}` was removed or edited by {} (commit {}, {at}), so it no longer counts",
            self.decision.word(),
            diag::visible(name),
            commit.get(..SHORT).unwrap_or(commit),
        );
        let hint = "the file is only added to: a later entry ends an earlier one";
        Diagnostic::warning(&self.path, message).hint(hint)
    }
}

impl Written {
    /// What is decided, in a word.
    pub fn word(&self) -> &'static str {
        match self {
            Self::Decision(decision) => decision.word(),
            Self::Freezing(Freezing::Freeze { .. }) => "freeze",
            Self::Freezing(Freezing::Release(_)) => "release",
        }
    }

    /// Why, if a reason is given.
    pub fn reason(&self) -> Option<&str> {
        match self {
            Self::Decision(decision) => decision.reason(),
            Self::Freezing(Freezing::Freeze { reason, .. }) => reason.as_deref(),
            Self::Freezing(Freezing::Release(_)) => None,
        }
    }

    /// The entries of a file that can be understood.
    fn legible(path: &str, text: &str) -> Vec<Self> {
        match path {
            decision::FREEZES => {
                let all = freeze::legible(text).into_iter();
                all.map(Self::Freezing).collect()
            }
            _ => {
                let all = decision::legible(text).into_iter();
                all.map(Self::Decision).collect()
            }
        }
    }
}

/// The decisions of a working tree, or of a commit of which no more is known.
pub fn unsigned(snapshot: &Snapshot) -> Decided {
    let all = files(snapshot).into_iter().map(|(path, written)| {
        let made = written.into_iter().map(|decision| Made {
            decision,
            by: None,
            landed: None,
        });
        (path.to_owned(), made.collect())
    });
    decided(snapshot, &all.collect(), Vec::new())
}

/// What people decided, as `snapshot` has it, which is of `head`.
///
/// # Errors
/// When the mirror can't be read.
pub fn read(
    reader: &Reader,
    head: CommitId,
    snapshot: &Snapshot,
    kept: &mut KeptDecisions,
) -> Result<Decided, git::Error> {
    let wanted = files(snapshot);
    let since = reader.commit_info(head)?.committed;
    // A time before all times is never.
    let since = since.checked_sub(TOLD_FOR).unwrap_or(Timestamp::MIN);
    let before = kept.head.filter(|_| !kept.is_cut);
    let mut versions = versions(reader, head, before, since, &wanted)?;
    if versions.reached_kept && !versions.tell(&wanted, &kept.files) {
        // A file could not be understood then, and can now.
        versions = versions::versions(reader, head, None, since, &wanted)?;
    }
    let known = match versions.reached_kept {
        true => std::mem::take(kept),
        false => KeptDecisions::default(),
    };
    let mut all = BTreeMap::new();
    for (path, written) in &wanted {
        let before = known.files.get(*path).map_or(&[][..], Vec::as_slice);
        let made = trace(reader, path, written, &versions, before)?;
        all.insert((*path).to_owned(), made);
    }
    let withdrawn = withdrawn(reader, &versions, &all, known.withdrawn, since)?;
    let told = decided(snapshot, &all, withdrawn.clone());
    let unknown = |made: &Made<Written>| made.by.is_none();
    let is_cut = versions.is_cut || all.values().flatten().any(unknown);
    *kept = KeptDecisions {
        head: Some(head),
        is_cut,
        files: all,
        withdrawn,
    };
    Ok(told)
}

/// The entries of all files that can be understood, by path.
fn files(snapshot: &Snapshot) -> BTreeMap<&str, Vec<Written>> {
    let decisions = snapshot.decisions.values().filter_map(|file| {
        let entries = file.entries.as_ref()?.iter();
        let written = entries.map(|entry| Written::Decision(entry.decision.clone()));
        Some((file.path.as_str(), written.collect()))
    });
    let freezes = snapshot.freezes.iter().flatten().map(|entries| {
        let written = entries.iter().cloned().map(Written::Freezing);
        (decision::FREEZES, written.collect())
    });
    decisions.chain(freezes).collect()
}

/// What was made of the files of `snapshot`.
fn decided(
    snapshot: &Snapshot,
    all: &BTreeMap<String, Vec<Made<Written>>>,
    withdrawn: Vec<Withdrawn>,
) -> Decided {
    let of = |path: &str| all.get(path).map_or(&[][..], Vec::as_slice);
    let decisions = snapshot.decisions.iter().map(|(key, file)| {
        let told = match &file.entries {
            None => Decisions::Broken(file.path.clone()),
            Some(_) => Decisions::Known(
                of(&file.path)
                    .iter()
                    .filter_map(|made| match &made.decision {
                        Written::Decision(decision) => Some(made.with(decision.clone())),
                        Written::Freezing(_) => None,
                    })
                    .collect(),
            ),
        };
        (*key, told)
    });
    let freezes = snapshot.freezes.as_ref().map(|entries| match entries {
        None => Decisions::Broken(decision::FREEZES.to_owned()),
        Some(_) => Decisions::Known(
            of(decision::FREEZES)
                .iter()
                .filter_map(|made| match &made.decision {
                    Written::Freezing(freezing) => Some(made.with(freezing.clone())),
                    Written::Decision(_) => None,
                })
                .collect(),
        ),
    });
    Decided {
        decisions: decisions.collect(),
        freezes,
        withdrawn,
    }
}

impl<T> Made<T> {
    fn with<U>(&self, decision: U) -> Made<U> {
        Made {
            decision,
            by: self.by.clone(),
            landed: self.landed,
        }
    }
}

/// An entry by what it says, and which of those that say the same it is.
pub(super) type Which<'d> = (&'d Written, usize);

pub(super) fn which(all: &[Written]) -> Vec<Which<'_>> {
    let mut told: Vec<Which<'_>> = Vec::with_capacity(all.len());
    for written in all {
        let before = told.iter().filter(|(other, _)| *other == written).count();
        told.push((written, before));
    }
    told
}

/// Finds the commits that added the entries `written`, which the file at `path` holds at the head. What the
/// versions don't tell was `known` before them.
fn trace(
    reader: &Reader,
    path: &str,
    written: &[Written],
    versions: &Versions,
    known: &[Made<Written>],
) -> Result<Vec<Made<Written>>, git::Error> {
    let before: Vec<Written> = known.iter().map(|made| made.decision.clone()).collect();
    let before = which(&before);
    let mut all = Vec::with_capacity(written.len());
    for wanted in which(written) {
        let kept = before.iter().position(|other| *other == wanted);
        all.push(match (versions.landed(path, wanted), kept) {
            (Some(landed), _) => Made {
                decision: wanted.0.clone(),
                by: who(reader, landed, path, wanted)?,
                landed: Some(landed),
            },
            (None, Some(at)) => known[at].clone(),
            (None, None) => Made {
                decision: wanted.0.clone(),
                by: None,
                landed: None,
            },
        });
    }
    Ok(all)
}

/// What was taken out of decision files since a time and is not there again, each once.
fn withdrawn(
    reader: &Reader,
    versions: &Versions,
    now: &BTreeMap<String, Vec<Made<Written>>>,
    known: Vec<Withdrawn>,
    since: Timestamp,
) -> Result<Vec<Withdrawn>, git::Error> {
    let mut all: Vec<Withdrawn> = Vec::new();
    for (path, commit, gone) in versions.gone() {
        let Written::Decision(decision) = gone.0 else {
            // Taking it out is one way to end a freeze.
            continue;
        };
        let info = reader.commit_info(commit)?;
        all.push(Withdrawn {
            path: path.to_owned(),
            decision: decision.clone(),
            by: By {
                name: info.author.name,
                at: info.committed,
                commit: commit.to_string(),
            },
            place: gone.1,
        });
    }
    all.extend(known);
    let mut told: Vec<Withdrawn> = Vec::new();
    for one in all.into_iter().filter(|one| one.by.at >= since) {
        let made = now.get(&one.path).map_or(&[][..], Vec::as_slice);
        let same = |made: &&Made<Written>| match &made.decision {
            Written::Decision(decision) => *decision == one.decision,
            Written::Freezing(_) => false,
        };
        let again = made.iter().filter(same).count() > one.place;
        let before = told.iter().any(|other| {
            (&other.path, &other.decision, other.place) == (&one.path, &one.decision, one.place)
        });
        if !again && !before {
            told.push(one);
        }
    }
    Ok(told)
}

/// What a version of a file holds, as far as it can be understood: that one entry is wrong takes none of the
/// others from whoever wrote it.
pub(in crate::reconcile) fn entries(
    reader: &Reader,
    path: &str,
    blob: Option<BlobId>,
) -> Result<Vec<Written>, git::Error> {
    let Some(blob) = blob else {
        return Ok(Vec::new());
    };
    let text = match reader.blob(blob, MAX_FILE)? {
        Blob::Bytes(bytes) => String::from_utf8(bytes).unwrap_or_default(),
        Blob::TooLarge(_) => String::new(),
    };
    Ok(Written::legible(path, &text))
}

/// Who added an entry that came to the first-parent line with `landed`; `None` where that commit lies beyond
/// what was fetched.
pub(super) fn who(
    reader: &Reader,
    landed: CommitId,
    path: &str,
    wanted: Which<'_>,
) -> Result<Option<By>, git::Error> {
    let arrived = reader.commit_info(landed)?;
    let at = arrived.committed;
    let (mut commit, mut info) = (landed, arrived);
    for _ in 0..MAX_NEAR {
        let (mut earlier, mut is_cut) = (None, false);
        for parent in &info.parents {
            let blob = match reader.blob_at(*parent, path) {
                Err(git::Error::NoSuchCommit { .. }) => {
                    is_cut = true;
                    continue;
                }
                blob => blob?,
            };
            if which(&entries(reader, path, blob)?).contains(&wanted) {
                earlier = Some(*parent);
                break;
            }
        }
        let parent = match earlier {
            Some(parent) => parent,
            None if is_cut => return Ok(None),
            None => break,
        };
        (commit, info) = (parent, reader.commit_info(parent)?);
    }
    Ok(Some(By {
        name: info.author.name,
        at,
        commit: commit.to_string(),
    }))
}
