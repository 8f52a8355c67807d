//! Pull requests, reviews, statuses and signed commits of a Git host, behind one small interface.
//!
//! Invariant: every call can be made again: what is already as asked is success, never a second pull
//! request or a second comment. Text of others that passes here is cleaned before it is shown.
//!
//! It refuses to decide: which pull requests there should be is for the reconciler. It never retries by
//! itself a call that could have an effect; it says whether another try may help, and when.
//!
//! Reading order: this file (what every forge can do), `settings` (which forge, and where), `call` (the
//! one way to ask), then a file for each forge.

mod atlassian;
mod azure;
mod bitbucket;
mod bitbucket_cloud;
mod call;
mod gitea;
mod github;
mod gitlab;
mod names;
mod settings;
mod strangers;
mod words;

pub mod body;

use std::future::Future;
use std::pin::Pin;

use jiff::Timestamp;

pub use call::Paces;
pub use settings::{Address, Credentials, Kind, Settings, open};

/// An answer that is waited for.
pub type Answer<'a, T> = Pin<Box<dyn Future<Output = Result<T, Error>> + Send + 'a>>;

/// One repository on a forge.
pub trait Forge: Send + Sync {
    /// The open pull requests whose source branch is in this repository and begins with `prefix`.
    fn open_pulls<'a>(&'a self, prefix: &'a str) -> Answer<'a, Vec<Pull>>;

    /// The pull requests from `branch` of this repository to `base`, whatever became of them, newest
    /// first; only the newest where there are many.
    fn pulls_of<'a>(&'a self, branch: &'a str, base: &'a str) -> Answer<'a, Vec<Pull>>;

    /// The pull requests to `base` whose text hides a note, from whichever branch of this repository: all open
    /// ones, or some of the newest that were closed without being merged, or of those that were. Of merged ones
    /// it is only told what costs no request each: who merged one, when and as which commit may be left out, and
    /// its head be cut short; [`Forge::pulls_of`] tells.
    fn noted<'a>(&'a self, base: &'a str, which: Which) -> Answer<'a, Vec<Pull>>;

    /// Opens a pull request; the one there is, where there is one for these branches.
    fn open<'a>(&'a self, wanted: &'a Wanted) -> Answer<'a, Pull>;

    /// Makes an open pull request as wanted, changing only what differs. Labels and reviewers are
    /// added, never taken away: people add theirs.
    fn edit<'a>(&'a self, pull: &'a Pull, wanted: &'a Wanted) -> Answer<'a, Pull>;

    /// Closes a pull request without merging it, saying why in a comment.
    fn close<'a>(&'a self, pull: &'a Pull, comment: &'a str) -> Answer<'a, ()>;

    /// The newest opinion of each reviewer.
    fn reviews<'a>(&'a self, pull: &'a Pull) -> Answer<'a, Vec<Review>>;

    /// Takes the approvals back that a pull request has, where the forge lets others do so.
    fn dismiss<'a>(&'a self, pull: &'a Pull, why: &'a str) -> Answer<'a, ()>;

    /// Asks the forge to merge a pull request, at this head only, once all it requires is there.
    fn merge_when_ready<'a>(&'a self, pull: &'a Pull, method: Method) -> Answer<'a, Merge>;

    /// Takes the wish back that a pull request is merged by the forge; success where there is none.
    fn cancel_merge<'a>(&'a self, pull: &'a Pull) -> Answer<'a, ()>;

    /// Says of a commit whether it may be merged.
    fn set_status<'a>(&'a self, commit: &'a str, status: &'a Status) -> Answer<'a, ()>;

    /// What statuses and checks say of a commit; those whose name begins with `but` are left out, and none
    /// where it is empty.
    fn checks<'a>(&'a self, commit: &'a str, but: &'a str) -> Answer<'a, Checks>;

    /// The merged pull request that brought `commit` to the branch `base`, if one did.
    fn merged_by<'a>(&'a self, commit: &'a str, base: &'a str) -> Answer<'a, Option<Pull>>;

    /// Makes a commit that the forge signs, on `branch` and only if `branch` is at its `parent`. Where a
    /// forge has no way to say that, the branch is looked at before: who pushes other files in between
    /// is built upon, who pushes the same ones makes it [`Committed::Moved`].
    fn commit<'a>(&'a self, commit: &'a NewCommit) -> Answer<'a, Committed>;

    /// What this forge can't do, so that it is told at the start rather than when it is missed.
    fn abilities(&self) -> Abilities;

    /// How a note is hidden in the text of a pull request; [`body::hidden`] reads every way.
    fn hiding(&self) -> body::Hiding {
        body::Hiding::Comment
    }
}

/// Which pull requests are looked for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Which {
    /// Those that are open.
    Open,
    /// Those that were closed without being merged.
    Closed,
    /// Those that were merged.
    Merged,
}

impl Which {
    /// Those of `pulls` that are looked for, no more than are told.
    fn noted(self, pulls: Vec<Pull>) -> impl Iterator<Item = Pull> {
        let is_it = move |pull: &Pull| {
            let is_of = match self {
                Self::Open => pull.state == State::Open,
                Self::Closed => matches!(pull.state, State::Closed { .. }),
                Self::Merged => matches!(pull.state, State::Merged { .. }),
            };
            is_of && body::hidden(&pull.body).is_some()
        };
        pulls.into_iter().filter(is_it).take(self.most())
    }

    fn most(self) -> usize {
        match self {
            Self::Open => usize::MAX,
            Self::Closed | Self::Merged => MAX_ENDED,
        }
    }
}

/// How many pull requests that have ended are told without being asked for by branch: who closed one costs a
/// request.
const MAX_ENDED: usize = 30;

/// A pull request, by whatever name the forge calls it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Pull {
    /// The number that people use.
    pub number: u64,
    /// What the forge itself uses besides: GitHub's node id, the version of Bitbucket Data Center.
    pub handle: Option<String>,
    /// Its page.
    pub url: String,
    /// Its source branch, in this repository.
    pub branch: String,
    /// The branch it goes to.
    pub base: String,
    /// The commit of its source branch, in hex; what it was when it ended, for one that did.
    pub head: String,
    /// Its title, without a draft's prefix.
    pub title: String,
    /// Its text.
    pub body: String,
    /// Whether it is a draft.
    pub draft: bool,
    /// Its labels; empty where the forge has none.
    pub labels: Vec<String>,
    /// Who is asked for a review, and who gave one where the forge tells both together.
    pub reviewers: Vec<String>,
    /// Who opened it, where the forge tells.
    pub author: Option<String>,
    /// Whether the forge will merge it by itself; false where the forge does not tell.
    pub auto_merge: bool,
    /// What became of it.
    pub state: State,
}

/// What became of a pull request.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum State {
    /// It is open.
    Open,
    /// It was merged.
    Merged {
        /// By whom, where the forge tells.
        by: Option<String>,
        /// When.
        at: Option<Timestamp>,
        /// The commit on the base branch, in hex.
        commit: Option<String>,
    },
    /// It was closed without being merged.
    Closed {
        /// By whom, where the forge tells.
        by: Option<String>,
        /// When.
        at: Option<Timestamp>,
    },
}

/// A pull request as it should be.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Wanted {
    /// Its source branch, in this repository.
    pub branch: String,
    /// The branch it goes to.
    pub base: String,
    /// Its title, in one line.
    pub title: String,
    /// Its text, in Markdown.
    pub body: String,
    /// Whether it is a draft.
    pub draft: bool,
    /// Labels to have.
    pub labels: Vec<String>,
    /// People to ask for a review, and teams as `@org/team` where the forge has them.
    pub reviewers: Vec<String>,
}

/// One reviewer's newest opinion.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Review {
    /// The reviewer's name on the forge.
    pub by: String,
    /// What it says.
    pub opinion: Opinion,
    /// The commit it is about, in hex, where the forge tells.
    pub commit: Option<String>,
    /// When it was given, where the forge tells.
    pub at: Option<Timestamp>,
}

/// What a review says.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Opinion {
    /// It may be merged.
    Approved,
    /// It may not.
    Rejected,
    /// Neither, or no longer.
    Neutral,
}

/// How a pull request is merged.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Method {
    /// With a merge commit.
    Merge,
    /// As one commit.
    Squash,
    /// As its commits on top of the base.
    Rebase,
}

/// What became of the wish to merge.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Merge {
    /// It will be merged once all is there that the forge requires.
    Scheduled,
    /// It was merged at once, since nothing was missing.
    Done,
    /// Not now; another try later may help: the forge's words.
    NotYet(String),
    /// The forge or the repository's settings don't allow it: the forge's words.
    Never(String),
}

/// What is said of a commit.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Status {
    /// Its name, such as `tagwright/shop/production`.
    pub name: String,
    /// What is said.
    pub verdict: Verdict,
    /// In a few words; longer text is cut to what the forge takes.
    pub description: String,
    /// A page with more.
    pub url: Option<String>,
}

/// Whether a commit is fine.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Verdict {
    /// It may be merged.
    Success,
    /// Something is waited for.
    Pending,
    /// It may not.
    Failure,
}

/// What statuses and checks say of a commit together.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Checks {
    /// Each of them.
    pub each: Vec<Check>,
}

/// What one status or check says of a commit.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Check {
    /// Its name.
    pub name: String,
    /// What it says.
    pub verdict: Verdict,
    /// In words, where there are any; others wrote them, unless it is our own.
    pub words: Option<String>,
}

impl Check {
    fn new(name: String, verdict: Verdict, words: Option<String>) -> Self {
        let words = words.map(|words| words::clean(&words));
        Self {
            name,
            verdict,
            words: words.filter(|words| !words.is_empty()),
        }
    }
}

impl Checks {
    /// All of `each` but those whose name begins with `but`.
    fn but(but: &str, each: impl Iterator<Item = Check>) -> Self {
        Self {
            each: each
                .filter(|check| but.is_empty() || !check.name.starts_with(but))
                .collect(),
        }
    }
}

/// A commit that the forge is to make.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NewCommit {
    /// The branch it goes to; it is made where there is none.
    pub branch: String,
    /// The commit it builds on, in hex.
    pub parent: String,
    /// Its message.
    pub message: String,
    /// The files it changes, with their whole new contents.
    pub files: Vec<(String, Vec<u8>)>,
}

/// What became of a commit.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Committed {
    /// It is on the branch, with this id in hex.
    At(String),
    /// The branch was not where it was expected.
    Moved,
}

/// What a forge can do beyond pull requests.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Abilities {
    /// It makes commits that it signs itself.
    pub signs: bool,
    /// It merges by itself once all is there.
    pub merges: bool,
    /// Pull requests have labels.
    pub labels: bool,
    /// Pull requests can be drafts.
    pub drafts: bool,
    /// How long their texts may be, in characters.
    pub text: usize,
}

/// Why a forge did not do what was asked.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The forge can't be reached, or broke off.
    #[error("{host} can't be reached: {words}")]
    Unreachable {
        /// The forge's host.
        host: String,
        /// Why not.
        words: String,
    },
    /// The forge asks to be left alone for a while.
    #[error("{host} takes no more requests until {until}")]
    Limited {
        /// The forge's host.
        host: String,
        /// Until when.
        until: Timestamp,
    },
    /// The credentials are not accepted.
    #[error("{host} does not accept the credentials ({what}): {words}")]
    Unauthorized {
        /// The forge's host.
        host: String,
        /// What was asked.
        what: String,
        /// The forge's words.
        words: String,
    },
    /// The credentials are not enough, or there is no such repository for them.
    #[error("{host} does not allow to {what}: {words}")]
    Forbidden {
        /// The forge's host.
        host: String,
        /// What was asked.
        what: String,
        /// The forge's words.
        words: String,
    },
    /// It was not done for another reason.
    #[error("{host} did not {what} (HTTP {status}): {words}")]
    Refused {
        /// The forge's host.
        host: String,
        /// What was asked.
        what: String,
        /// The HTTP status.
        status: u16,
        /// The forge's words.
        words: String,
    },
    /// The answer can't be understood.
    #[error("{host} answered what can't be understood when asked to {what}: {words}")]
    Garbled {
        /// The forge's host.
        host: String,
        /// What was asked.
        what: String,
        /// Why not.
        words: String,
    },
    /// This forge has no way to do it.
    #[error("{host} has no way to {what}")]
    Unable {
        /// The forge's host.
        host: String,
        /// What was asked.
        what: String,
    },
    /// The credentials can't be read.
    #[error("the credentials for {host} can't be read")]
    Secret {
        /// The forge's host.
        host: String,
        /// Why not.
        source: crate::secret::Error,
    },
    /// Credentials would go over plain HTTP, where anyone on the way can read them.
    #[error("{host} would be asked over plain HTTP")]
    Plain {
        /// The forge's host.
        host: String,
    },
    /// The repository's path is not one that this forge has.
    #[error("{path} is not the path of a repository on {host}")]
    Repository {
        /// The forge's host.
        host: String,
        /// The path.
        path: String,
    },
    /// The credentials are of a kind that this forge does not know.
    #[error("{host} can't be asked with these credentials: {why}")]
    Credentials {
        /// The forge's host.
        host: String,
        /// Why not.
        why: &'static str,
    },
    /// No HTTP client can be made.
    #[error("no HTTP client can be made for {host}")]
    Client {
        /// The forge's host.
        host: String,
        /// Why not.
        source: crate::http::Error,
    },
}

impl Error {
    /// Whether the same may succeed later without anybody's doing.
    pub fn is_retryable(&self) -> bool {
        match self {
            Self::Unreachable { .. } | Self::Limited { .. } => true,
            Self::Refused { status, .. } => *status >= 500,
            Self::Unauthorized { .. }
            | Self::Forbidden { .. }
            | Self::Garbled { .. }
            | Self::Unable { .. }
            | Self::Secret { .. }
            | Self::Plain { .. }
            | Self::Repository { .. }
            | Self::Credentials { .. }
            | Self::Client { .. } => false,
        }
    }
}
