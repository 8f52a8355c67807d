//! Bringing holds given through the API, and their releases, into Git.
//!
//! Invariant: an entry is added to the file as the branch has it now, in a commit of the service's own that
//! says on whose behalf; a branch that moved means to look again. Nothing but decision files is written.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use super::settle::{self, Files, Next};
use super::{Given, Ledger, Of};
use crate::config::PushMode;
use crate::decision;
use crate::diag;
use crate::git::{self, Blob, CommitId, Mirror};
use crate::reconcile::execute::Landing;
use crate::reconcile::prepare::{ChangedFile, Preparation, Prepared};
use crate::reconcile::{Error, Reconciler, pauses};

/// Largest file that is added to, in bytes; larger ones are not read as decisions either.
const MAX_FILE: u64 = 1024 * 1024;

/// Entries to be added, a commit each, and the hold that each is of.
#[derive(Default)]
struct Letters {
    ids: Vec<String>,
    commits: Vec<Prepared>,
}

impl Reconciler {
    /// Brings what was given and released through the API into Git, as far as that may be written there.
    ///
    /// # Errors
    /// When the config repo can't be fetched, read or written. What is held stays held then.
    pub(in crate::reconcile) async fn bring_given(&mut self) -> Result<(), Error> {
        for pause in pauses() {
            let all = self.given.all();
            if all.is_empty() {
                return Ok(());
            }
            let head = self.fetch().await?;
            // It tells which stages there are.
            self.snapshot_of(head).await?;
            let paths: BTreeSet<String> = all.iter().map(Given::file).collect();
            let files = self.with_mirror(move |mirror| files(mirror, head, paths));
            let files = files.await.map_err(|source| self.git_error(source))?;
            let letters = self.letters(&all, files, head);
            if letters.commits.is_empty() {
                return Ok(());
            }
            if let Some(why) = self.writes_nothing() {
                self.given.wait(&letters.ids, why);
                return Ok(());
            }
            let preparation = Arc::new(Preparation {
                commits: letters.commits,
                refused: Vec::new(),
            });
            match self.land(head, &preparation).await? {
                Landing::Landed(commits) => {
                    for (made, commit) in preparation.commits.iter().zip(&commits) {
                        let subject = made.message.lines().next().unwrap_or_default();
                        tracing::info!(repository = %self.repository.name, %commit, "{subject}");
                    }
                    self.given.landed(&letters.ids, &commits);
                    return Ok(());
                }
                Landing::Refused(words) => {
                    self.given.wait(&letters.ids, &words);
                    return Ok(());
                }
                Landing::Moved => tokio::time::sleep(pause).await,
            }
        }
        // A branch as busy as that: the next pass tries again, and what is held stays held.
        Ok(())
    }

    /// Why the service doesn't write to the branch, if it doesn't.
    fn writes_nothing(&self) -> Option<&'static str> {
        match self.repository.push {
            PushMode::Direct => None,
            PushMode::Off => Some("`push.mode` is `off`, so nothing is written to Git"),
            PushMode::PullRequest => Some(
                "`push.mode` is `pullRequest`, so nothing is written to the branch: add the entry by \
                 `tagwright hold`",
            ),
        }
    }

    /// What is to be written on `head`; the rest is noted at once.
    fn letters(&self, all: &[Given], mut files: Files, head: CommitId) -> Letters {
        let now = self.clock.now();
        let mut letters = Letters::default();
        for given in all {
            match settle::next(given, &files, now) {
                Next::Nothing => {}
                Next::Forget => self.given.forget(&given.id),
                Next::There => self.given.landed(std::slice::from_ref(&given.id), &[head]),
                Next::Wait(why) => self.given.wait(std::slice::from_ref(&given.id), &why),
                Next::Add(_) if let Some(why) = self.given.is_of_nothing(given) => {
                    self.given.wait(std::slice::from_ref(&given.id), &why);
                }
                Next::Add(entry) => {
                    let path = given.file();
                    let before = files.get(&path).cloned().flatten().unwrap_or_default();
                    let after = decision::append(&before, &entry);
                    letters.ids.push(given.id.clone());
                    letters.commits.push(Prepared {
                        changes: Vec::new(),
                        message: self.message(given),
                        files: vec![ChangedFile {
                            path: path.clone(),
                            before: before.into_bytes(),
                            after: after.clone().into_bytes(),
                        }],
                    });
                    // The next of the same file comes after it.
                    files.insert(path, Some(after));
                }
            }
        }
        letters
    }

    /// A message like those of people's commands, which says on whose behalf.
    fn message(&self, given: &Given) -> String {
        let subject = match (&given.of, &given.released) {
            (Of::Stage { app, stage }, None) => format!("{app}: hold {stage}"),
            (Of::Stage { app, stage }, Some(_)) => format!("{app}: release {stage}"),
            (Of::All(name), released) => {
                let word = if released.is_some() {
                    "release"
                } else {
                    "freeze"
                };
                let what = name.as_deref().unwrap_or("all stages");
                format!("{word} {what}")
            }
        };
        let by = given.released.as_ref().unwrap_or(&given.by);
        let why = match given.released {
            None => format!("{}\n\n", diag::visible(&given.reason)),
            Some(_) => String::new(),
        };
        let mut text = format!("{subject}\n\n{why}Through the API, on behalf of {by}.\n");
        let style = &self.repository.commits;
        if style.sign_off {
            let author = &style.author;
            text += &format!("\nSigned-off-by: {} <{}>\n", author.name, author.email);
        }
        text
    }
}

impl Ledger {
    /// Why a hold is not written that was taken in before anybody had looked which stages there are.
    fn is_of_nothing(&self, given: &Given) -> Option<String> {
        let checked = self.lock().check(&given.of);
        let refusal = checked.err().filter(|_| given.released.is_none());
        refusal.map(|refusal| refusal.to_string())
    }

    fn forget(&self, id: &str) {
        self.lock().all.retain(|given| given.id != id);
    }

    /// Notes why these are not in Git yet.
    fn wait(&self, ids: &[String], why: &str) {
        for given in &mut self.lock().all {
            if ids.contains(&given.id) {
                given.waits = Some(why.to_owned());
            }
        }
    }

    /// Notes that these came into Git, each with its commit: a hold is durable now, a release done.
    fn landed(&self, ids: &[String], commits: &[CommitId]) {
        let commits: BTreeMap<&String, &CommitId> = ids.iter().zip(commits).collect();
        self.lock().all.retain_mut(|given| {
            let Some(commit) = commits.get(&given.id) else {
                return true;
            };
            given.waits = None;
            match given.commit {
                // Released while its entry was on its way: the next pass writes the release.
                None if given.released.is_some() => true,
                None => {
                    given.commit = Some(commit.to_string());
                    true
                }
                Some(_) => given.released.is_none(),
            }
        });
    }
}

/// The texts of these files at `head`.
fn files(
    mirror: &mut Mirror,
    head: CommitId,
    paths: BTreeSet<String>,
) -> Result<Files, git::Error> {
    let reader = mirror.reader()?;
    let mut files = Files::new();
    for path in paths {
        let text = match reader.blob_at(head, &path)? {
            None => Some(String::new()),
            Some(blob) => match reader.blob(blob, MAX_FILE)? {
                Blob::Bytes(bytes) => String::from_utf8(bytes).ok(),
                Blob::TooLarge(_) => None,
            },
        };
        let text = text.filter(|text| settle::is_sound(&path, text));
        files.insert(path, text);
    }
    Ok(files)
}
