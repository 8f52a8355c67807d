//! A repository in a folder of this machine, served by `git` itself, so that its hooks run and its
//! locks hold.

use std::ffi::OsString;
use std::path::Path;

use super::process::Program;
use crate::git::{Auth, Error};

/// Why `auth` is of no use here.
pub(super) fn misfit(auth: &Auth) -> Option<&'static str> {
    match auth {
        Auth::None => None,
        Auth::Basic { .. } | Auth::Token(_) | Auth::GitHubApp(_) | Auth::Ssh { .. } => {
            Some("a folder on this machine has none")
        }
    }
}

/// `git upload-pack FOLDER` or `git receive-pack FOLDER`.
pub(super) fn program(folder: &Path) -> Program {
    let folder = folder.to_owned();
    Program {
        name: "git",
        arguments: Box::new(move |service| {
            vec![OsString::from(service), "--".into(), folder.clone().into()]
        }),
        complaint,
    }
}

/// Reads what `git` 2.x writes to stderr; other words mean that it failed.
fn complaint(remote: String, words: String) -> Error {
    let has = |part| words.contains(part);
    if has("dubious ownership") {
        Error::Ownership { remote, words }
    } else if has("not appear to be a git repository") || has("not a git repository") {
        Error::NotFound { remote, words }
    } else if has("ermission denied") {
        Error::Forbidden { remote, words }
    } else {
        Error::Server { remote, words }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn complaints_of_git_are_told_apart() {
        let read = |words: &str| complaint("/r".into(), words.into());
        let ownership = read("fatal: detected dubious ownership in repository at '/r'");
        assert!(matches!(ownership, Error::Ownership { .. }));
        assert!(
            ownership
                .hint()
                .is_some_and(|hint| hint.contains("safe.directory /r"))
        );
        let missing = read("fatal: '/r' does not appear to be a git repository");
        assert!(matches!(missing, Error::NotFound { .. }));
        let closed = read("error: cannot open '/r/HEAD': Permission denied");
        assert!(matches!(closed, Error::Forbidden { .. }));
        assert!(matches!(read("fatal: out of memory"), Error::Server { .. }));
    }
}
