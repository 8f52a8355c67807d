//! Real `git` for tests: bare repositories, clones of them, and commands that see nothing of the
//! machine's or the user's configuration.
//!
//! Every commit has the same author, committer and time unless a test says otherwise, so equal steps
//! give equal commit ids. A command that fails fails the test with Git's own words.

#![allow(
    dead_code,
    clippy::allow_attributes,
    reason = "each step is used by the tests that need it"
)]
#![expect(
    clippy::unwrap_used,
    reason = "helpers of tests fail by panicking, as tests do"
)]

use std::ffi::OsStr;
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};
use std::sync::Arc;

use crate::parts;

/// The one time of commits.
pub const TIME: &str = "2026-03-02T08:00:00+00:00";

/// Who commits.
pub const PERSON: (&str, &str) = ("Ada Okafor", "ada@example.com");

/// `git` with a home of its own; clones share it.
#[derive(Debug, Clone)]
pub struct Git {
    program: PathBuf,
    home: Arc<tempfile::TempDir>,
}

impl Git {
    /// Finds `git`, or says that the caller is skipped.
    pub fn find() -> Option<Self> {
        Some(Self {
            program: parts::need("git")?,
            home: Arc::new(tempfile::tempdir().unwrap()),
        })
    }

    /// A command in `folder`, for a test to add to.
    pub fn command(&self, folder: &Path) -> Command {
        let (name, email) = PERSON;
        let mut command = Command::new(&self.program);
        command
            .current_dir(folder)
            .env_clear()
            // Git starts its own programs through it, and hooks use the usual tools.
            .env("PATH", std::env::var_os("PATH").unwrap_or_default())
            .env("HOME", self.home.path())
            .env("LC_ALL", "C")
            .env("GIT_CONFIG_NOSYSTEM", "1")
            .env("GIT_CONFIG_GLOBAL", "/dev/null")
            .env("GIT_TERMINAL_PROMPT", "0");
        for role in ["AUTHOR", "COMMITTER"] {
            command
                .env(format!("GIT_{role}_NAME"), name)
                .env(format!("GIT_{role}_EMAIL"), email)
                .env(format!("GIT_{role}_DATE"), TIME);
        }
        command
    }

    /// Runs a command, whatever comes of it.
    pub fn run<S: AsRef<OsStr>>(&self, folder: &Path, arguments: &[S]) -> Output {
        self.command(folder).args(arguments).output().unwrap()
    }

    /// Runs a command that must succeed, and returns what it printed.
    ///
    /// # Panics
    /// When it fails, with its error output.
    pub fn ok<S: AsRef<OsStr> + std::fmt::Debug>(&self, folder: &Path, arguments: &[S]) -> Vec<u8> {
        let output = self.run(folder, arguments);
        assert!(
            output.status.success(),
            "git {arguments:?}: {}",
            String::from_utf8_lossy(&output.stderr)
        );
        output.stdout
    }

    /// The same, as trimmed text.
    pub fn text<S: AsRef<OsStr> + std::fmt::Debug>(
        &self,
        folder: &Path,
        arguments: &[S],
    ) -> String {
        let output = String::from_utf8(self.ok(folder, arguments)).unwrap();
        output.trim_end().to_owned()
    }
}

/// A bare repository that others push to; its branch is `main`.
#[derive(Debug)]
pub struct Repo {
    git: Git,
    path: PathBuf,
    /// Holds the folder of a repository made here.
    _folder: Option<tempfile::TempDir>,
}

impl Repo {
    /// A repository with one commit of `files`, or an empty one without any; `None` where Git is
    /// missing.
    pub fn bare(files: &[(&str, &str)]) -> Option<Self> {
        let git = Git::find()?;
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("fleet.git");
        let init = [
            "init",
            "--quiet",
            "--bare",
            "--initial-branch=main",
            "fleet.git",
        ];
        git.ok(folder.path(), &init);
        let repo = Self {
            git,
            path,
            _folder: Some(folder),
        };
        if !files.is_empty() {
            let work = repo.clone_to();
            for (path, text) in files {
                work.write(path, text);
            }
            work.commit("Start");
            work.push();
        }
        Some(repo)
    }

    /// A bare repository that something else made.
    pub fn open(path: &Path) -> Option<Self> {
        Some(Self {
            git: Git::find()?,
            path: path.to_owned(),
            _folder: None,
        })
    }

    /// Where it is, which is also its URL.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// The `git` that it was made with.
    pub fn git(&self) -> &Git {
        &self.git
    }

    /// A clone with a work tree, gone with the value returned.
    pub fn clone_to(&self) -> Work {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("work");
        let clone = [
            "clone".as_ref(),
            "--quiet".as_ref(),
            self.path.as_os_str(),
            path.as_os_str(),
        ];
        self.git.ok(folder.path(), &clone);
        Work {
            git: self.git.clone(),
            path,
            _folder: folder,
        }
    }

    /// The commits of `main`, newest first, one a line in Git's `--format`.
    pub fn log(&self, format: &str) -> String {
        let format = format!("--format={format}");
        self.git.text(&self.path, &["log", &format, "main"])
    }

    /// The id that `main` points at.
    pub fn head(&self) -> String {
        self.git.text(&self.path, &["rev-parse", "main"])
    }

    /// The bytes of `REVISION:PATH`.
    pub fn show(&self, object: &str) -> Vec<u8> {
        self.git.ok(&self.path, &["cat-file", "blob", object])
    }

    /// Installs a hook such as `pre-receive`: a shell script, without its first line.
    pub fn hook(&self, name: &str, script: &str) {
        let folder = self.path.join("hooks");
        std::fs::create_dir_all(&folder).unwrap();
        let file = folder.join(name);
        // Renamed into place, so that no push runs a half-written hook.
        let draft = folder.join(format!("{name}.draft"));
        std::fs::write(&draft, format!("#!/bin/sh\n{script}\n")).unwrap();
        std::fs::set_permissions(&draft, std::fs::Permissions::from_mode(0o755)).unwrap();
        std::fs::rename(&draft, &file).unwrap();
    }
}

/// A person's clone.
#[derive(Debug)]
pub struct Work {
    git: Git,
    path: PathBuf,
    _folder: tempfile::TempDir,
}

impl Work {
    /// Where it is.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Writes a file, with the folders above it.
    pub fn write(&self, path: &str, content: impl AsRef<[u8]>) {
        let file = self.path.join(path);
        std::fs::create_dir_all(file.parent().unwrap()).unwrap();
        std::fs::write(file, content).unwrap();
    }

    /// Reads a file.
    pub fn read(&self, path: &str) -> String {
        std::fs::read_to_string(self.path.join(path)).unwrap()
    }

    /// Commits everything as it is on disk, and returns the commit's id.
    pub fn commit(&self, message: &str) -> String {
        self.commit_at(message, TIME)
    }

    /// The same at another time, in a form that Git reads.
    pub fn commit_at(&self, message: &str, time: &str) -> String {
        self.git.ok(&self.path, &["add", "--all"]);
        let commit = self
            .git
            .command(&self.path)
            .env("GIT_AUTHOR_DATE", time)
            .env("GIT_COMMITTER_DATE", time)
            .args(["commit", "--quiet", "-m", message])
            .output()
            .unwrap();
        let words = [commit.stdout, commit.stderr].concat();
        assert!(
            commit.status.success(),
            "{}",
            String::from_utf8_lossy(&words)
        );
        self.git.text(&self.path, &["rev-parse", "HEAD"])
    }

    /// Pushes to `main`; it must be accepted.
    pub fn push(&self) {
        self.git.ok(&self.path, &PUSH);
    }

    /// Pushes to `main`, whatever comes of it.
    pub fn try_push(&self) -> Output {
        self.git.run(&self.path, &PUSH)
    }

    /// Takes over what is on the remote, with our own commits on top.
    pub fn pull(&self) {
        let pull = ["pull", "--quiet", "--rebase", "origin", "main"];
        self.git.ok(&self.path, &pull);
    }
}

const PUSH: [&str; 4] = ["push", "--quiet", "origin", "HEAD:refs/heads/main"];

#[test]
fn people_share_a_repository() {
    let Some(repo) = Repo::bare(&[("a/b.yaml", "one\n")]) else {
        return;
    };
    let (ada, bob) = (repo.clone_to(), repo.clone_to());
    ada.write("a/b.yaml", "two\r\n");
    let id = ada.commit("Two");
    ada.push();
    assert_eq!(repo.head(), id);
    assert_eq!(repo.show("main:a/b.yaml"), b"two\r\n");
    bob.write("c", "three");
    bob.commit_at("Three", "2026-03-03T08:00:00+00:00");
    assert!(!bob.try_push().status.success(), "the branch has moved");
    bob.pull();
    bob.push();
    assert_eq!(
        repo.log("%an %s"),
        "Ada Okafor Three\nAda Okafor Two\nAda Okafor Start"
    );
    assert_eq!(bob.read("a/b.yaml"), "two\r\n");
}

#[test]
fn equal_steps_give_equal_commits() {
    let files = [("a", "1")];
    let (Some(one), Some(two)) = (Repo::bare(&files), Repo::bare(&files)) else {
        return;
    };
    assert_eq!(one.head(), two.head());
}

#[test]
fn a_hook_speaks_to_the_pusher() {
    let Some(repo) = Repo::bare(&[("a", "1")]) else {
        return;
    };
    repo.hook("pre-receive", "echo 'not on Fridays' >&2; exit 1");
    let work = repo.clone_to();
    work.write("a", "2");
    work.commit("Two");
    let refused = work.try_push();
    assert!(!refused.status.success());
    assert!(String::from_utf8_lossy(&refused.stderr).contains("not on Fridays"));
    assert_eq!(repo.log("%s"), "Start");
}
