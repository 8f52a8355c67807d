//! What can go wrong with a config repo, told apart by what a person would do about it.
//!
//! Invariant: no variant holds a secret; words of a remote are sanitised before they come here.

use std::path::PathBuf;

use super::id::CommitId;
use super::{sign, signers};
use crate::{http, secret};

/// Why a Git operation failed. A refused push is not here: it is a
/// [`PushOutcome`](super::PushOutcome).
#[derive(Debug, thiserror::Error)]
#[expect(
    missing_docs,
    reason = "the fields are named after what the message says of them"
)]
pub enum Error {
    /// The mirror's folder can't be made, read or cleared.
    #[error("the mirror folder {} can't be used", folder.display())]
    Folder {
        folder: PathBuf,
        source: std::io::Error,
    },
    /// The folder holds something that this program did not make; it is not touched.
    #[error("{} is not a mirror and not empty", folder.display())]
    NotAMirror { folder: PathBuf },
    /// The mirror's objects can't be read; the next fetch makes the mirror anew.
    #[error("the mirror was found damaged while {doing}")]
    Damaged {
        doing: &'static str,
        source: git2::Error,
    },
    /// Git's own library failed.
    #[error("git failed while {doing}")]
    Git {
        doing: &'static str,
        source: git2::Error,
    },
    /// A credential can't be read.
    #[error("the credentials of {remote} can't be read")]
    Secret {
        remote: String,
        source: secret::Error,
    },
    /// The credentials do not go with the URL, or one of their paths can't be used.
    #[error("the credentials of {remote} can't be used: {why}")]
    Credentials { remote: String, why: &'static str },
    /// The key can't be handed to `ssh`.
    #[error("the key of {remote} can't be kept in a temporary file")]
    KeyFile {
        remote: String,
        source: std::io::Error,
    },
    /// The certificate authority file can't be read.
    #[error("the certificate authority file {} can't be read", path.display())]
    Ca {
        path: PathBuf,
        source: std::io::Error,
    },
    /// No HTTP client could be made.
    #[error("no HTTP client for {remote}")]
    Http { remote: String, source: http::Error },
    /// Credentials would travel in clear text.
    #[error("{remote} is plain HTTP to another machine, which is not allowed")]
    Plain { remote: String },
    /// A program that a transport needs can't be started.
    #[error("`{program}`, needed for {remote}, can't be started")]
    Program {
        program: &'static str,
        remote: String,
        source: std::io::Error,
    },
    /// The remote can't be reached: name, network, connection or a broken transfer.
    #[error("{remote} can't be reached: {words}")]
    Unreachable { remote: String, words: String },
    /// The remote was silent for too long, or the exchange took too long.
    #[error("{remote} took too long: {words}")]
    Timeout { remote: String, words: String },
    /// The remote's certificate is not trusted.
    #[error("the certificate of {remote} is not trusted: {words}")]
    Certificate { remote: String, words: String },
    /// The remote's SSH host key is unknown or not the expected one.
    #[error("the host key of {remote} is not trusted: {words}")]
    HostKey { remote: String, words: String },
    /// The remote does not accept the credentials.
    #[error("{remote} does not accept the credentials: {words}")]
    Auth { remote: String, words: String },
    /// The remote knows the credentials but does not let them do this.
    #[error("{remote} does not permit this: {words}")]
    Forbidden { remote: String, words: String },
    /// There is no such repository, or the credentials may not see it.
    #[error("{remote} has no such repository, or hides it: {words}")]
    NotFound { remote: String, words: String },
    /// A local repository belongs to another user, so `git` does not serve it.
    #[error("{remote} belongs to another user: {words}")]
    Ownership { remote: String, words: String },
    /// The server failed or asks to come back later.
    #[error("{remote} failed: {words}")]
    Server { remote: String, words: String },
    /// The answer is not Git's protocol.
    #[error("{remote} does not answer as a Git server: {words}")]
    Protocol { remote: String, words: String },
    /// The remote or its proxy refuses so large a transfer.
    #[error("{remote} refuses so large a push: {words}")]
    TooLarge { remote: String, words: String },
    /// The repository has no commit yet.
    #[error("{remote} is empty")]
    EmptyRepository { remote: String },
    /// The branch does not exist.
    #[error("{remote} has no branch `{branch}`")]
    NoSuchBranch { remote: String, branch: String },
    /// The name can't be a branch's.
    #[error("`{branch}` is not a branch name")]
    BranchName { branch: String },
    /// No such commit in the mirror; it may be from before the mirror was made anew.
    #[error("there is no commit {id} in the mirror")]
    NoSuchCommit { id: CommitId },
    /// A tree has more files than are read.
    #[error("the commit has more than {limit} files")]
    TooManyFiles { limit: usize },
    /// A path that can't be written: absolute, with `.` or `..`, or inside `.git`.
    #[error("`{path}` is not a path inside a repository")]
    Path { path: String },
    /// Something other than a regular file is at the path.
    #[error("`{path}` is not a regular file in the repository")]
    NotAFile { path: String },
    /// The author's name or address is empty or not usable in a commit.
    #[error("`{name} <{email}>` can't be a commit's author")]
    Signature { name: String, email: String },
    /// A commit can't be signed with the configured key.
    #[error("commits can't be signed")]
    Signing(#[from] sign::Error),
    /// What was fetched is not signed as it has to be.
    #[error("commit {commit} is not acted on")]
    Untrusted {
        commit: CommitId,
        source: signers::Error,
    },
}

impl Error {
    /// What a person can do about it.
    pub fn hint(&self) -> Option<String> {
        Some(match self {
            Self::NotAMirror { folder } => format!(
                "choose another cache folder, or remove {} yourself",
                folder.display()
            ),
            Self::Plain { .. } => "use https, or allow plain HTTP for this repository".into(),
            Self::Program { program: "ssh", .. } => "install the OpenSSH client".into(),
            Self::Program { .. } => "install git".into(),
            Self::Certificate { .. } => {
                "add the server's certificate authority to the repository's settings".into()
            }
            Self::HostKey { .. } => {
                "compare the server's fingerprint with its operator's, then add its line \
                 (`ssh-keyscan HOST`) to the known hosts file"
                    .into()
            }
            Self::Auth { .. } => "check the credentials of this repository".into(),
            Self::Forbidden { .. } => {
                "the credentials need read access, and write access to push".into()
            }
            Self::NotFound { .. } => "check the URL, and that the credentials may see it".into(),
            Self::Ownership { remote, .. } => format!(
                "run as its owner, or trust it: git config --global --add safe.directory {remote}"
            ),
            Self::EmptyRepository { .. } => "push a first commit".into(),
            Self::Signing(error) => return error.hint().map(Into::into),
            Self::Untrusted { source, .. } => return source.hint().map(Into::into),
            _ => return None,
        })
    }

    /// Whether the same call may succeed later without anybody changing anything.
    pub fn is_retryable(&self) -> bool {
        matches!(
            self,
            Self::Unreachable { .. }
                | Self::Timeout { .. }
                | Self::Server { .. }
                | Self::Damaged { .. }
        )
    }
}

/// The advice of the Git error among `error` and its causes.
pub fn hint_of(error: &(dyn std::error::Error + 'static)) -> Option<String> {
    let mut causes = std::iter::successors(Some(error), |error| error.source());
    causes.find_map(|error| error.downcast_ref::<Error>()?.hint())
}
