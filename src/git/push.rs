//! Publishing commits: a push is compare-and-swap.
//!
//! Invariant: the branch moves only from the commit that the caller built on to the caller's
//! commit. The old id that the server reports must be the expected one, and the same old id is sent
//! with the push so that the server compares again. Only a branch of the service's own is moved to
//! what does not build on it.

use std::cell::{Cell, RefCell};
use std::panic::{AssertUnwindSafe, catch_unwind};

use git2::{PushOptions, RemoteCallbacks, Repository};

use super::mirror::is_damage;
use super::transport::{Connector, Exchange};
use super::{CommitId, Error, words};

/// As much of what hooks print as is kept; the reason is at the end, so the end is kept.
const MAX_PROGRESS: usize = 4096;

/// What became of a push.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum PushOutcome {
    /// The branch is at the new commit.
    Pushed,
    /// The branch was already there: an earlier push whose answer was lost.
    UpToDate,
    /// The branch is somewhere else than expected; nothing was changed. Fetch and build anew.
    Moved,
    /// The server refused, and the branch is where it was; in the server's words.
    Refused(String),
    /// The connection was lost before the server answered; only a fetch tells.
    Unknown(String),
}

/// What a push is to do.
pub(super) struct Change<'a> {
    /// The full name of the branch.
    pub branch: &'a str,
    /// Where the branch must be; [`CommitId::NONE`] where there must be none.
    pub expected: CommitId,
    /// Where it shall be; [`CommitId::NONE`] to remove it.
    pub new: CommitId,
    /// Whether the new commit must build on the old one.
    pub step: Step,
}

/// Whether a new commit must build on the old one.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Step {
    /// It must: the branch is everybody's.
    Forward,
    /// It need not: the branch is the service's own.
    Anywhere,
}

/// Pushes, and makes sure what the outcome means.
pub(super) fn push(
    repository: &Repository,
    connector: &mut Connector,
    change: &Change<'_>,
) -> Result<PushOutcome, Error> {
    let exchange = connector.exchange()?;
    let outcome = send(repository, &exchange, change)?;
    drop(exchange);
    match outcome {
        PushOutcome::Refused(words) => Ok(settle(repository, connector, change, words)),
        other => Ok(other),
    }
}

/// What the server said while it was pushed to.
#[derive(Default)]
struct Heard {
    /// The branch's commit, once the server has told; from then on the push is under way.
    old: Cell<Option<CommitId>>,
    /// One answer for each reference: none if it was updated, else why not.
    answers: RefCell<Vec<Option<String>>>,
    /// What hooks and the server print.
    progress: RefCell<Vec<u8>>,
}

fn send(
    repository: &Repository,
    exchange: &Exchange,
    change: &Change<'_>,
) -> Result<PushOutcome, Error> {
    let heard = Heard::default();
    let go = |old| old == change.expected && old != change.new;
    let result = exchange_with(repository, exchange, change, &heard, go);
    match heard.old.get() {
        Some(old) if old == change.new => return Ok(PushOutcome::UpToDate),
        Some(old) if old != change.expected => return Ok(PushOutcome::Moved),
        Some(_) => {}
        None => return Err(not_told(exchange, result)),
    }
    let answers = heard.answers.take();
    match (answers.as_slice(), result) {
        ([None], _) => Ok(PushOutcome::Pushed),
        ([Some(answer)], _) => Ok(PushOutcome::Refused(heard.words(answer))),
        (_, Ok(())) => Ok(PushOutcome::Unknown(
            "the server did not report what it did".into(),
        )),
        (_, Err(error)) => unanswered(exchange, error),
    }
}

/// Runs a push that goes on only if the commit that the branch is at lets it.
fn exchange_with(
    repository: &Repository,
    exchange: &Exchange,
    change: &Change<'_>,
    heard: &Heard,
    go: impl Fn(CommitId) -> bool,
) -> Result<(), git2::Error> {
    let mut options = PushOptions::new();
    options.remote_callbacks(heard.callbacks(go));
    let mut remote = repository.remote_anonymous(&exchange.url())?;
    let source = match change.new {
        CommitId::NONE => String::new(),
        new => new.to_string(),
    };
    let force = match change.step {
        Step::Forward => "",
        Step::Anywhere => "+",
    };
    let refspec = format!("{force}{source}:{}", change.branch);
    // git2 panics, once libgit2 has returned, on a report that is not UTF-8.
    let push = AssertUnwindSafe(|| remote.push(&[refspec], Some(&mut options)));
    catch_unwind(push)
        .unwrap_or_else(|_| Err(git2::Error::from_str("the server's report is not UTF-8")))
}

/// Why the server did not tell where the branch is.
fn not_told(exchange: &Exchange, result: Result<(), git2::Error>) -> Error {
    let error = result
        .err()
        .unwrap_or_else(|| git2::Error::from_str("no answer"));
    exchange
        .failure()
        .unwrap_or_else(|| exchange.misunderstood(&error))
}

impl Heard {
    fn callbacks<'a>(&'a self, go: impl Fn(CommitId) -> bool + 'a) -> RemoteCallbacks<'a> {
        let mut callbacks = RemoteCallbacks::new();
        callbacks.push_negotiation(move |updates| {
            let old = updates
                .first()
                .map_or(git2::Oid::ZERO_SHA1, git2::PushUpdate::src);
            let old = CommitId::from_git(old);
            self.old.set(Some(old));
            if go(old) {
                Ok(())
            } else {
                Err(git2::Error::from_str("the branch is not where it was"))
            }
        });
        callbacks.push_update_reference(|_, answer| {
            self.answers.borrow_mut().push(answer.map(str::to_owned));
            Ok(())
        });
        callbacks.sideband_progress(|text| {
            let mut progress = self.progress.borrow_mut();
            progress.extend_from_slice(text);
            let excess = progress.len().saturating_sub(MAX_PROGRESS);
            progress.drain(..excess);
            true
        });
        callbacks
    }

    /// The answer, and what hooks printed to explain it.
    fn words(&self, answer: &str) -> String {
        let answer = words::clean(answer.as_bytes());
        let progress = words::clean(&self.progress.borrow());
        if progress.is_empty() {
            answer
        } else {
            format!("{answer}: {progress}")
        }
    }
}

/// The push was under way, and no reference was reported.
fn unanswered(exchange: &Exchange, error: git2::Error) -> Result<PushOutcome, Error> {
    match exchange.failure() {
        Some(Error::TooLarge { words, .. }) => Ok(PushOutcome::Refused(words)),
        // Statuses that servers give before they look at a push.
        Some(failure @ (Error::Auth { .. } | Error::Forbidden { .. } | Error::NotFound { .. })) => {
            Err(failure)
        }
        Some(failure) => Ok(PushOutcome::Unknown(failure.to_string())),
        // A pack that could not be made was not sent whole, so no server took it.
        None if is_damage(&error) => Err(Error::Git {
            doing: "pushing",
            source: error,
        }),
        None => Ok(PushOutcome::Unknown(words::clean(
            error.message().as_bytes(),
        ))),
    }
}

/// A refusal says that the branch did not become `new`, not why: another push may have come
/// between. Where the branch is now tells.
fn settle(
    repository: &Repository,
    connector: &mut Connector,
    change: &Change<'_>,
    words: String,
) -> PushOutcome {
    match look(repository, connector, change) {
        Ok(now) if now == change.new => PushOutcome::Pushed,
        Ok(now) if now == change.expected => PushOutcome::Refused(words),
        Ok(_) => PushOutcome::Moved,
        Err(_) => PushOutcome::Unknown(words),
    }
}

/// The commit that the remote's branch is at, all zeros if there is none: a push that stops there.
/// (The list of a connection tells the same, but git2 panics on a name that is not UTF-8.)
fn look(
    repository: &Repository,
    connector: &mut Connector,
    change: &Change<'_>,
) -> Result<CommitId, Error> {
    let exchange = connector.exchange()?;
    let heard = Heard::default();
    let result = exchange_with(repository, &exchange, change, &heard, |_| false);
    heard.old.get().ok_or_else(|| not_told(&exchange, result))
}
