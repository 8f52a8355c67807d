//! A folder of files that a test writes down as one text, and the program run in it.

#![expect(
    clippy::unwrap_used,
    reason = "helpers of tests fail by panicking, as tests do"
)]

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};

use serde_json::Value;

/// A working tree of a test.
pub struct Tree(tempfile::TempDir);

impl Tree {
    /// The files of `text`: a line `== PATH` starts one.
    pub fn new(text: &str) -> Self {
        let tree = Self(tempfile::tempdir().unwrap());
        for text in text.split("== ").skip(1) {
            let (path, text) = text.split_once('\n').unwrap();
            let path = tree.path().join(path);
            std::fs::create_dir_all(path.parent().unwrap()).unwrap();
            std::fs::write(path, text).unwrap();
        }
        tree
    }

    pub fn path(&self) -> &Path {
        self.0.path()
    }

    pub fn run(&self, arguments: &[&str]) -> Output {
        Command::new(env!("CARGO_BIN_EXE_tagwright"))
            .args(arguments)
            .current_dir(self.path())
            .env_remove("TAGWRIGHT_CONFIG")
            .output()
            .unwrap()
    }

    /// Runs a command that must exit with `code`, and returns what it printed.
    #[track_caller]
    pub fn text(&self, arguments: &[&str], code: i32) -> String {
        let output = self.run(arguments);
        let (out, err) = (
            String::from_utf8(output.stdout).unwrap(),
            String::from_utf8(output.stderr).unwrap(),
        );
        assert_eq!(
            output.status.code(),
            Some(code),
            "{arguments:?}\n{out}\n{err}"
        );
        out
    }

    #[track_caller]
    pub fn json(&self, arguments: &[&str]) -> Value {
        let arguments = [arguments, &["-o", "json"]].concat();
        let value: Value = serde_json::from_str(&self.text(&arguments, 0)).unwrap();
        assert_eq!(value["version"], 1);
        value
    }

    /// Every file's bytes.
    pub fn contents(&self) -> BTreeMap<PathBuf, Vec<u8>> {
        let mut found = BTreeMap::new();
        let mut waiting = vec![self.path().to_owned()];
        while let Some(folder) = waiting.pop() {
            for entry in std::fs::read_dir(folder).unwrap() {
                let path = entry.unwrap().path();
                if path.is_dir() {
                    waiting.push(path);
                } else {
                    found.insert(path.clone(), std::fs::read(path).unwrap());
                }
            }
        }
        found
    }
}
