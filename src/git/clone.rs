//! Commits made in a person's clone, through `git` itself: with the person's identity, signing, hooks and
//! credentials.
//!
//! Invariant: the person's work tree, index and branches are left as they are: the commit is made in a work
//! tree of its own, on what the remote's branch is at, and goes from there to the remote. Nothing is forced.
//!
//! It refuses to merge: where the branch moved meanwhile, the file is made anew from what is there now.

use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};

use super::words;

/// How often a commit is made anew because the branch moved under it.
const MAX_ROUNDS: usize = 5;

/// Variables that would point `git` at another repository than the one it is started in.
const MISLEADING: [&str; 4] = ["GIT_DIR", "GIT_WORK_TREE", "GIT_INDEX_FILE", "GIT_PREFIX"];

/// Why a person's commit could not be made.
#[derive(Debug, thiserror::Error)]
pub enum CloneError {
    /// `git` can't be started.
    #[error("`git` can't be started")]
    Program(#[source] std::io::Error),
    /// `git` failed.
    #[error("`git {command}` failed: {words}")]
    Git {
        /// What was asked of it.
        command: String,
        /// Its own words.
        words: String,
    },
    /// No folder of its own can be made, or the file can't be written there.
    #[error("the file can't be written")]
    Write(#[source] std::io::Error),
}

/// What became of a person's commit.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Published {
    /// It is on the branch, with this id.
    Pushed(String),
    /// The remote refuses it, in its own words.
    Refused(String),
}

/// A person's clone.
#[derive(Debug, Clone)]
pub struct PersonsClone {
    folder: PathBuf,
    remote: String,
    branch: String,
}

impl PersonsClone {
    /// The clone at `folder`, whose `branch` is that of `remote`.
    pub fn new(folder: &Path, remote: &str, branch: &str) -> Self {
        Self {
            folder: folder.to_owned(),
            remote: remote.to_owned(),
            branch: branch.to_owned(),
        }
    }

    /// The messages of commits on the branch that hold `text`, the newest first, one at most.
    ///
    /// # Errors
    /// When `git` fails.
    pub fn latest_message(&self, text: &str) -> Result<String, CloneError> {
        self.fetch()?;
        let grep = format!("--grep={text}");
        let command = [
            "log",
            "-1",
            "--first-parent",
            "--fixed-strings",
            &grep,
            "--format=%B",
            "FETCH_HEAD",
        ];
        git(&self.folder, &command)
    }

    /// Makes a commit in which the file at `path` is what `change` makes of its text, and pushes it.
    ///
    /// # Errors
    /// When `git` can't be used here, or makes no commit: a hook refuses, a key is missing.
    pub fn publish(
        &self,
        path: &str,
        message: &str,
        change: impl Fn(&str) -> String,
    ) -> Result<Published, CloneError> {
        let folder = tempfile::tempdir().map_err(CloneError::Write)?;
        let tree = folder.path().join("work");
        let place = tree.to_string_lossy().into_owned();
        let base = self.fetch()?;
        git(
            &self.folder,
            &[
                "worktree",
                "add",
                "--quiet",
                "--detach",
                "--no-checkout",
                &place,
                &base,
            ],
        )?;
        let published = self.publish_in(&tree, base, path, message, change);
        // What is left of it is cleared by Git itself, in time.
        let _ = git(&self.folder, &["worktree", "remove", "--force", &place]);
        published
    }

    fn publish_in(
        &self,
        tree: &Path,
        mut base: String,
        path: &str,
        message: &str,
        change: impl Fn(&str) -> String,
    ) -> Result<Published, CloneError> {
        let target = format!("HEAD:refs/heads/{}", self.branch);
        let mut refusal = String::new();
        for _ in 0..MAX_ROUNDS {
            // The index alone: no file but ours is written.
            git(tree, &["reset", "--quiet", "--soft", &base])?;
            git(tree, &["read-tree", &base])?;
            let before = git(tree, &["show", &format!("{base}:{path}")]).unwrap_or_default();
            let file = tree.join(path);
            let parent = file.parent().unwrap_or(tree);
            std::fs::create_dir_all(parent).map_err(CloneError::Write)?;
            std::fs::write(&file, change(&before)).map_err(CloneError::Write)?;
            git(tree, &["add", "--sparse", "--force", "--", path])?;
            git(tree, &["commit", "--quiet", "-m", message])?;
            let pushed = run(tree, &["push", "--quiet", &self.remote, &target])?;
            if pushed.status.success() {
                let id = git(tree, &["rev-parse", "HEAD"])?;
                return Ok(Published::Pushed(id.trim().to_owned()));
            }
            refusal = told(&pushed);
            let now = self.fetch()?;
            if now == base {
                break;
            }
            base = now;
        }
        Ok(Published::Refused(refusal))
    }

    /// The commit that the remote's branch is at.
    fn fetch(&self) -> Result<String, CloneError> {
        let branch = format!("refs/heads/{}", self.branch);
        git(&self.folder, &["fetch", "--quiet", &self.remote, &branch])?;
        let id = git(&self.folder, &["rev-parse", "FETCH_HEAD"])?;
        Ok(id.trim().to_owned())
    }
}

fn run(folder: &Path, arguments: &[&str]) -> Result<Output, CloneError> {
    let mut command = Command::new("git");
    for name in MISLEADING {
        command.env_remove(name);
    }
    command
        .current_dir(folder)
        .args(arguments)
        .stdin(Stdio::inherit())
        .output()
        .map_err(CloneError::Program)
}

/// What a successful command prints.
fn git(folder: &Path, arguments: &[&str]) -> Result<String, CloneError> {
    let output = run(folder, arguments)?;
    if output.status.success() {
        return Ok(String::from_utf8_lossy(&output.stdout).into_owned());
    }
    Err(CloneError::Git {
        command: arguments.first().copied().unwrap_or_default().to_owned(),
        words: told(&output),
    })
}

/// What a command complained about, fit to be printed.
fn told(output: &Output) -> String {
    words::clean(&output.stderr)
}
