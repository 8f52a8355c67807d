//! A remote, people who push to it with plain Git, and mirrors of ours. Shared by the Git tests.
//!
//! Every process that is started here has an environment of its own: no settings of the machine,
//! a fixed identity and a fixed time.

#![expect(
    clippy::unwrap_used,
    reason = "helpers of tests fail by panicking, as tests do"
)]

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::process::Command;

use jiff::Timestamp;
use tagwright::git::{
    CommitId, Committed, Error, Mirror, NewCommit, PushOutcome, Remote, RemoteUrl, Signature,
};
use tempfile::TempDir;

/// A folder with a bare remote in it.
pub struct World {
    folder: TempDir,
}

impl World {
    /// An empty remote whose default branch is `main`; `None` without git, after saying so.
    pub fn empty() -> Option<Self> {
        crate::parts::need("git")?;
        let world = Self {
            folder: tempfile::tempdir().unwrap(),
        };
        std::fs::create_dir(world.path("home")).unwrap();
        world.git(&[
            "init",
            "-q",
            "--bare",
            "-b",
            "main",
            "--template=",
            "remote.git",
        ]);
        Some(world)
    }

    /// A remote with one commit by a person, who is returned with it.
    pub fn seeded(files: &[(&str, &str)]) -> Option<(Self, Person)> {
        let world = Self::empty()?;
        let person = world.person("ann");
        for (path, text) in files {
            person.write(path, text.as_bytes());
        }
        person.commit("Seed");
        person.git(&["push", "-q", "origin", "main"]);
        Some((world, person))
    }

    /// A path in the world's folder.
    pub fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    /// The bare remote's folder.
    pub fn remote(&self) -> PathBuf {
        self.path("remote.git")
    }

    /// A mirror of the remote's folder, in the folder `name`.
    pub fn mirror(&self, name: &str) -> Mirror {
        let remote = Remote::anonymous(RemoteUrl::from(self.remote().as_path()));
        Mirror::open(&self.path(name), remote).unwrap()
    }

    /// A new clone.
    pub fn person(&self, name: &str) -> Person {
        self.git(&["clone", "-q", "remote.git", name]);
        Person {
            folder: self.path(name),
            home: self.path("home"),
        }
    }

    /// Runs git in the world's folder.
    pub fn git(&self, arguments: &[&str]) -> String {
        run(git(&self.path("home"))
            .current_dir(self.folder.path())
            .args(arguments))
    }

    /// Runs git in the remote.
    pub fn in_remote(&self, arguments: &[&str]) -> String {
        run(git(&self.path("home"))
            .current_dir(self.remote())
            .args(arguments))
    }

    /// The commit that a branch of the remote is at.
    pub fn tip(&self, branch: &str) -> CommitId {
        self.in_remote(&["rev-parse", branch]).parse().unwrap()
    }

    /// Installs a hook in the remote.
    pub fn hook(&self, name: &str, script: &str) {
        use std::os::unix::fs::PermissionsExt;
        let folder = self.remote().join("hooks");
        std::fs::create_dir_all(&folder).unwrap();
        let file = folder.join(name);
        std::fs::write(&file, format!("#!/bin/sh\n{script}\n")).unwrap();
        std::fs::set_permissions(&file, PermissionsExt::from_mode(0o755)).unwrap();
    }

    /// Removes all hooks of the remote.
    pub fn unhook(&self) {
        std::fs::remove_dir_all(self.remote().join("hooks")).unwrap();
    }

    /// The subjects of the remote's branch `main`, newest first.
    pub fn subjects(&self) -> Vec<String> {
        let log = self.in_remote(&["log", "--format=%s", "main"]);
        log.lines().map(str::to_owned).collect()
    }

    /// Fails unless every object of the remote is sound.
    pub fn assert_sound(&self) {
        self.in_remote(&["fsck", "--strict", "--no-dangling"]);
    }
}

/// Somebody with a clone.
pub struct Person {
    folder: PathBuf,
    home: PathBuf,
}

impl Person {
    /// Runs git in the clone.
    pub fn git(&self, arguments: &[&str]) -> String {
        run(git(&self.home).current_dir(&self.folder).args(arguments))
    }

    /// Whether git succeeds in the clone; what it prints is dropped.
    pub fn try_git(&self, arguments: &[&str]) -> bool {
        let mut command = git(&self.home);
        command.current_dir(&self.folder).args(arguments);
        command.output().unwrap().status.success()
    }

    /// Runs git with `input` on its standard input.
    pub fn git_with(&self, arguments: &[&str], input: &[u8]) -> String {
        let file = self.home.join("input");
        std::fs::write(&file, input).unwrap();
        let input = std::fs::File::open(&file).unwrap();
        run(git(&self.home)
            .current_dir(&self.folder)
            .args(arguments)
            .stdin(input))
    }

    /// A path in the clone.
    pub fn path(&self, name: &str) -> PathBuf {
        self.folder.join(name)
    }

    /// Writes a file.
    pub fn write(&self, path: &str, contents: &[u8]) {
        let path = self.path(path);
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(path, contents).unwrap();
    }

    /// Commits everything.
    pub fn commit(&self, message: &str) -> CommitId {
        self.git(&["add", "-A"]);
        self.git(&["commit", "-q", "-m", message]);
        self.git(&["rev-parse", "HEAD"]).parse().unwrap()
    }

    /// Writes a file, commits it and pushes it.
    pub fn push(&self, path: &str, text: &str) -> CommitId {
        self.write(path, text.as_bytes());
        let id = self.commit(&format!("Person: {text}"));
        self.git(&["push", "-q", "origin", "HEAD:main"]);
        id
    }
}

/// A git command with nothing of the machine's settings.
pub fn git(home: &Path) -> Command {
    let mut command = Command::new("git");
    for (name, _) in std::env::vars_os() {
        if name.to_string_lossy().starts_with("GIT_") {
            command.env_remove(name);
        }
    }
    command
        .env("HOME", home)
        .env("GIT_CONFIG_NOSYSTEM", "1")
        .env("GIT_CONFIG_GLOBAL", "/dev/null")
        .env("GIT_TERMINAL_PROMPT", "0")
        .env("GIT_AUTHOR_NAME", "Ann")
        .env("GIT_AUTHOR_EMAIL", "ann@example.com")
        .env("GIT_COMMITTER_NAME", "Ann")
        .env("GIT_COMMITTER_EMAIL", "ann@example.com")
        .env("GIT_AUTHOR_DATE", "2026-01-01T00:00:00Z")
        .env("GIT_COMMITTER_DATE", "2026-01-01T00:00:00Z");
    command
}

/// Runs `command`; its output without the final line break.
pub fn run(command: &mut Command) -> String {
    let output = command.output().unwrap();
    assert!(
        output.status.success(),
        "{command:?}: {}",
        String::from_utf8_lossy(&output.stderr)
    );
    String::from_utf8_lossy(&output.stdout)
        .trim_end()
        .to_owned()
}

/// Files to commit.
pub fn files(files: &[(&str, &str)]) -> BTreeMap<String, Vec<u8>> {
    let owned = |(path, text): &(&str, &str)| ((*path).to_owned(), text.as_bytes().to_vec());
    files.iter().map(owned).collect()
}

/// Makes one commit with a fixed author and time.
pub fn commit(
    mirror: &mut Mirror,
    parent: CommitId,
    changed: &[(&str, &str)],
    message: &str,
) -> Result<Committed, Error> {
    let author = Signature {
        name: "Tagwright".into(),
        email: "tagwright@example.com".into(),
    };
    let new = NewCommit {
        files: &files(changed),
        author: &author,
        time: Timestamp::from_second(1_800_000_000).unwrap(),
        message,
        signer: None,
    };
    mirror.commit(parent, &[new]).map(|made| made[0])
}

/// Makes one commit that must change something.
pub fn made(
    mirror: &mut Mirror,
    parent: CommitId,
    changed: &[(&str, &str)],
    message: &str,
) -> CommitId {
    match commit(mirror, parent, changed, message).unwrap() {
        Committed::Made(id) => id,
        Committed::Unchanged => panic!("nothing changed"),
    }
}

/// Fetches, commits one file and pushes, again while the branch moves; the pass of a service.
pub fn pass(mirror: &mut Mirror, path: &str, text: &str, message: &str) -> Result<u32, Error> {
    for attempt in 0..1000 {
        let parent = mirror.fetch("main")?;
        let Committed::Made(new) = commit(mirror, parent, &[(path, text)], message)? else {
            return Ok(attempt);
        };
        match mirror.push("main", parent, new)? {
            PushOutcome::Pushed => return Ok(attempt),
            PushOutcome::Moved => {}
            other => panic!("{other:?}"),
        }
    }
    panic!("a thousand times moved")
}
