//! Commits made in a person's clone, through `git` itself: with the person's identity, signing, hooks and
//! credentials.
//!
//! Invariant: the person's work tree, index and branches are left as they are: the commit is made in a work
//! tree of its own, on what the remote's branch is at, and goes from there to the remote: to the branch, or
//! to a branch of its own whose name its content decides, so that the same asked twice is there once. Nothing
//! is forced.
//!
//! It refuses to merge: where the branch moved meanwhile, the file is made anew from what is there now.

use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};

use super::words;
use crate::image::Digest;

/// What the names of branches begin with that hold one person's commit each.
const ASIDE: &str = "tagwright-decisions/";

/// Digits of a digest in such a name: the file and what is decided are in it too, so this tells apart the
/// commits to one file only.
const SHORT: usize = 10;

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
    /// It is on a branch of its own.
    Aside {
        /// That branch.
        branch: String,
        /// The commit.
        commit: String,
        /// The remote's words, where the branch itself refused it.
        refusal: Option<String>,
    },
    /// The remote refuses it, in its own words.
    Refused(String),
}

/// Where a person's commit may go.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Way {
    /// To the branch, and nowhere else.
    Branch,
    /// To a branch of its own where the branch refuses it.
    BranchOrAside,
    /// To a branch of its own.
    Aside,
}

/// A person's commit to be.
#[derive(Debug, Clone, Copy)]
pub struct Errand<'e> {
    /// The file that it changes.
    pub path: &'e str,
    /// Its message.
    pub message: &'e str,
    /// What a branch of its own is called, before what tells it from others.
    pub name: &'e str,
    /// Where it may go.
    pub way: Way,
}

/// As whom commits are made in a clone.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Hand {
    /// The author's address; empty where it is not known.
    pub email: String,
    /// Whether they are signed with an SSH key.
    pub signs_with_ssh: bool,
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

    /// As whom commits are made here, as far as `git` tells.
    pub fn hand(&self) -> Hand {
        let told = |arguments: &[&str]| git(&self.folder, arguments).unwrap_or_default();
        let identity = told(&["var", "GIT_AUTHOR_IDENT"]);
        let email = identity
            .split_once('<')
            .and_then(|(_, rest)| rest.split_once('>'));
        let signs = told(&["config", "--type=bool", "--get", "commit.gpgSign"]);
        let format = told(&["config", "--get", "gpg.format"]);
        Hand {
            email: email.map_or_else(String::new, |(email, _)| email.to_owned()),
            signs_with_ssh: signs.trim() == "true" && format.trim() == "ssh",
        }
    }

    /// The branch of the remote.
    pub fn branch(&self) -> &str {
        &self.branch
    }

    /// The URLs of the remote: as `git` uses it, then as it is written, where that is another.
    pub fn urls(&self) -> Vec<String> {
        let written = format!("remote.{}.url", self.remote);
        let used = git(&self.folder, &["remote", "get-url", "--push", &self.remote]);
        let written = git(&self.folder, &["config", "--get", &written]);
        let mut urls: Vec<String> = [used, written]
            .into_iter()
            .flatten()
            .filter_map(|text| text.lines().next().map(str::to_owned))
            .collect();
        urls.dedup();
        urls
    }

    /// Makes a commit in which a file is what `change` makes of its text, and pushes it.
    ///
    /// # Errors
    /// When `git` can't be used here, or makes no commit: a hook refuses, a key is missing.
    pub fn publish(
        &self,
        errand: Errand<'_>,
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
        let published = self.publish_in(&tree, base, errand, change);
        // What is left of it is cleared by Git itself, in time.
        let _ = git(&self.folder, &["worktree", "remove", "--force", &place]);
        published
    }

    fn publish_in(
        &self,
        tree: &Path,
        mut base: String,
        errand: Errand<'_>,
        change: impl Fn(&str) -> String,
    ) -> Result<Published, CloneError> {
        let target = format!("HEAD:refs/heads/{}", self.branch);
        let mut refusal = String::new();
        for _ in 0..MAX_ROUNDS {
            let after = commit(tree, &base, errand, &change)?;
            if errand.way == Way::Aside {
                return self.publish_aside(tree, errand, &after, None);
            }
            let pushed = run(tree, &["push", "--quiet", &self.remote, &target])?;
            if pushed.status.success() {
                return Ok(Published::Pushed(head(tree)?));
            }
            refusal = told(&pushed);
            let now = self.fetch()?;
            if now == base {
                return match errand.way {
                    Way::Branch => Ok(Published::Refused(refusal)),
                    _ => self.publish_aside(tree, errand, &after, Some(refusal)),
                };
            }
            base = now;
        }
        Ok(Published::Refused(refusal))
    }

    /// Pushes the commit at the head of `tree`, in which the file is `after`, to a branch of its own. One
    /// that is there already and has the same file is as good.
    fn publish_aside(
        &self,
        tree: &Path,
        errand: Errand<'_>,
        after: &str,
        refusal: Option<String>,
    ) -> Result<Published, CloneError> {
        let branch = aside(errand, after);
        let place = format!("refs/heads/{branch}");
        let target = format!("HEAD:{place}");
        let pushed = run(tree, &["push", "--quiet", &self.remote, &target])?;
        if pushed.status.success() {
            let commit = head(tree)?;
            return Ok(Published::Aside {
                branch,
                commit,
                refusal,
            });
        }
        if git(tree, &["fetch", "--quiet", &self.remote, &place]).is_ok() {
            let there = git(tree, &["rev-parse", "FETCH_HEAD"])?.trim().to_owned();
            let file = git(tree, &["show", &format!("{there}:{}", errand.path)]);
            if file.is_ok_and(|file| file == after) {
                return Ok(Published::Aside {
                    branch,
                    commit: there,
                    refusal,
                });
            }
        }
        let words = told(&pushed);
        Ok(Published::Refused(match refusal {
            Some(refusal) if refusal != words => format!("{refusal}; and `{branch}`: {words}"),
            _ => words,
        }))
    }

    /// The commit that the remote's branch is at.
    fn fetch(&self) -> Result<String, CloneError> {
        let branch = format!("refs/heads/{}", self.branch);
        git(&self.folder, &["fetch", "--quiet", &self.remote, &branch])?;
        let id = git(&self.folder, &["rev-parse", "FETCH_HEAD"])?;
        Ok(id.trim().to_owned())
    }
}

/// Commits on `base` in `tree`; returns the file's new text. No file but that one is written.
fn commit(
    tree: &Path,
    base: &str,
    errand: Errand<'_>,
    change: impl Fn(&str) -> String,
) -> Result<String, CloneError> {
    let Errand { path, message, .. } = errand;
    git(tree, &["reset", "--quiet", "--soft", base])?;
    git(tree, &["read-tree", base])?;
    let before = git(tree, &["show", &format!("{base}:{path}")]).unwrap_or_default();
    let after = change(&before);
    let file = tree.join(path);
    let parent = file.parent().unwrap_or(tree);
    std::fs::create_dir_all(parent).map_err(CloneError::Write)?;
    std::fs::write(&file, &after).map_err(CloneError::Write)?;
    git(tree, &["add", "--sparse", "--force", "--", path])?;
    git(tree, &["commit", "--quiet", "-m", message])?;
    Ok(after)
}

/// The commit that `tree` is at.
fn head(tree: &Path) -> Result<String, CloneError> {
    let id = git(tree, &["rev-parse", "HEAD"])?;
    Ok(id.trim().to_owned())
}

/// The branch for a commit that makes the file `after`.
fn aside(errand: Errand<'_>, after: &str) -> String {
    let digest = Digest::of(format!("{}\n{after}", errand.path).as_bytes()).to_string();
    let hex = digest.rsplit(':').next().unwrap_or_default();
    let short = hex.get(..SHORT).unwrap_or(hex);
    format!("{ASIDE}{}-{short}", errand.name)
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
