//! The program as a person or a supervisor runs it: in a folder of its own, with an environment that
//! holds nothing but what the test gives it.

#![allow(
    dead_code,
    clippy::allow_attributes,
    reason = "each step is used by the tests that need it"
)]
#![expect(
    clippy::unwrap_used,
    reason = "helpers of tests fail by panicking, as tests do"
)]

use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Output, Stdio};

use serde_json::Value;

use crate::scenario::{self, Scenario};

/// A folder to run the program in; its home and temporary folder are in it too.
pub struct Place {
    folder: tempfile::TempDir,
}

/// How a run ended, and what it printed.
#[derive(Debug)]
pub struct Ran {
    /// The exit code; none after a signal.
    pub code: Option<i32>,
    /// The results.
    pub stdout: String,
    /// Everything else.
    pub stderr: String,
}

impl Place {
    /// A folder with these files.
    pub fn new(files: &[(&str, &str)]) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let place = Self { folder };
        for aside in [place.home(), place.temporary()] {
            std::fs::create_dir(aside).unwrap();
        }
        std::fs::create_dir(place.path()).unwrap();
        for (path, text) in files {
            place.write(path, text);
        }
        place
    }

    /// Where the program is run.
    pub fn path(&self) -> PathBuf {
        self.folder.path().join("here")
    }

    /// Its home.
    pub fn home(&self) -> PathBuf {
        self.folder.path().join("home")
    }

    /// Its folder for temporary files.
    pub fn temporary(&self) -> PathBuf {
        self.folder.path().join("tmp")
    }

    /// Writes a file, with the folders above it.
    pub fn write(&self, path: &str, content: impl AsRef<[u8]>) {
        let file = self.path().join(path);
        std::fs::create_dir_all(file.parent().unwrap()).unwrap();
        std::fs::write(file, content).unwrap();
    }

    /// Reads a file.
    pub fn read(&self, path: &str) -> String {
        std::fs::read_to_string(self.path().join(path)).unwrap()
    }

    /// The program with these arguments, for a test to add to.
    pub fn command(&self, arguments: &[&str]) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_tagwright"));
        command
            .args(arguments)
            .current_dir(self.path())
            .env_clear()
            // It starts `git` and `ssh`.
            .env("PATH", std::env::var_os("PATH").unwrap_or_default())
            .env("HOME", self.home())
            .env("TMPDIR", self.temporary())
            .env("GIT_CONFIG_NOSYSTEM", "1")
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped());
        command
    }

    /// Runs it.
    pub fn run(&self, arguments: &[&str]) -> Ran {
        Ran::of(self.command(arguments).output().unwrap())
    }

    /// Runs it with something to read.
    pub fn feed(&self, arguments: &[&str], input: &str) -> Ran {
        let mut command = self.command(arguments);
        let mut child = command.stdin(Stdio::piped()).spawn().unwrap();
        // A program that ends without reading closes the pipe, which is its right.
        let _ = child.stdin.take().unwrap().write_all(input.as_bytes());
        Ran::of(child.wait_with_output().unwrap())
    }

    /// Starts it and leaves it running.
    pub fn start(&self, arguments: &[&str]) -> Child {
        self.command(arguments).spawn().unwrap()
    }
}

impl Ran {
    /// What a finished process printed.
    pub fn of(output: Output) -> Self {
        Self {
            code: output.status.code(),
            stdout: String::from_utf8(output.stdout).unwrap(),
            stderr: String::from_utf8(output.stderr).unwrap(),
        }
    }

    /// The same, if it ended so.
    ///
    /// # Panics
    /// When it did not.
    #[track_caller]
    pub fn exits(self, code: i32) -> Self {
        assert_eq!(self.code, Some(code), "{}\n{}", self.stdout, self.stderr);
        self
    }

    /// The one JSON object on stdout.
    ///
    /// # Panics
    /// When there is something else, or it lacks its version.
    #[track_caller]
    pub fn json(&self) -> Value {
        let value: Value = serde_json::from_str(&self.stdout).unwrap_or_else(|error| {
            panic!("{error}\n{}\n{}", self.stdout, self.stderr);
        });
        assert_eq!(value["version"], 1, "{value:#}");
        value
    }
}

/// A config repo with a registry, and a folder with the configuration of a service for them.
pub struct Fleet {
    /// The registry and the config repo.
    pub scenario: Scenario,
    /// Where the program runs.
    pub place: Place,
}

impl Fleet {
    /// A config repo that holds `files`; `None` where Git is missing.
    pub fn new(files: &[(&str, &str)]) -> Option<Self> {
        Self::configured(files, "policies: [policies/]", "")
    }

    /// The same, where the service's entry of the config repo has these keys besides name and URL, and
    /// the configuration this text at its end.
    pub fn configured(files: &[(&str, &str)], keys: &str, more: &str) -> Option<Self> {
        let scenario = Scenario::new(files)?;
        let place = Place::new(&[]);
        let text = scenario::configuration(&scenario.registry.host(), &scenario.repo, keys);
        place.write("tagwright.yaml", text + more);
        Some(Self { scenario, place })
    }

    /// Output without what differs from run to run: the registry's host, paths, digests and ids.
    pub fn scrub(&self, text: &str) -> String {
        let repo = self.scenario.repo.path().to_str().unwrap();
        let text = text
            .replace(&self.scenario.registry.host(), "HOST")
            .replace(repo, "REPO");
        scrub(&text)
    }
}

/// Output without digests and ids.
pub fn scrub(text: &str) -> String {
    let digest = regex::Regex::new("sha256:[0-9a-f]{64}").unwrap();
    let id = regex::Regex::new(r"\b[0-9a-f]{40}\b").unwrap();
    let text = digest.replace_all(text, "sha256:DIGEST");
    id.replace_all(&text, "ID").into_owned()
}

/// Every file below a folder, by its path from there.
pub fn files_below(folder: &Path) -> Vec<String> {
    let mut waiting = vec![folder.to_owned()];
    let mut found = Vec::new();
    while let Some(current) = waiting.pop() {
        for entry in std::fs::read_dir(&current).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                waiting.push(path);
            } else {
                let path = path.strip_prefix(folder).unwrap();
                found.push(path.to_str().unwrap().to_owned());
            }
        }
    }
    found.sort();
    found
}
