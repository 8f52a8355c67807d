//! The real programs that tests run against: found, noted, and never silently absent.
//!
//! A missing part fails the test when `CI` is set; elsewhere the test says what it skipped. Each use
//! is noted in the file that `TAGWRIGHT_PARTS_LOG` names, so that the test command can list the parts
//! that were really used.

#![allow(
    dead_code,
    clippy::allow_attributes,
    clippy::print_stderr,
    reason = "each part is used by the tests that need it, and what is skipped is said"
)]

use std::io::Write as _;
use std::path::PathBuf;
use std::process::{Child, Command};

/// Folders outside a user's `PATH`: where Debian keeps servers and Git's own programs, and where
/// `tests/setup.sh` puts helm.
const EXTRA_FOLDERS: [&str; 4] = [
    "/usr/sbin",
    "/usr/local/sbin",
    "/usr/lib/git-core",
    concat!(env!("CARGO_MANIFEST_DIR"), "/.venv/bin"),
];

/// The path of `program`, or `None` after saying that the caller is skipped.
///
/// # Panics
/// Under CI, where every part must be there.
pub fn need(program: &str) -> Option<PathBuf> {
    let found = find(program);
    match &found {
        Some(path) => note(program, path),
        None if std::env::var_os("CI").is_some() => {
            panic!("{program} is missing; CI runs every test against the real parts")
        }
        None => eprintln!("skipped: {program} is not installed"),
    }
    found
}

fn find(program: &str) -> Option<PathBuf> {
    let path = std::env::var_os("PATH").unwrap_or_default();
    std::env::split_paths(&path)
        .chain(EXTRA_FOLDERS.iter().map(PathBuf::from))
        .map(|folder| folder.join(program))
        .find(|file| file.is_file())
}

fn note(program: &str, path: &std::path::Path) {
    let Some(log) = std::env::var_os("TAGWRIGHT_PARTS_LOG") else {
        return;
    };
    let mut log = std::fs::OpenOptions::new()
        .create(true)
        .append(true)
        .open(log)
        .expect("the parts log can be written");
    // One write a line: tests note their parts at the same time.
    let line = format!("{program} {}\n", path.display());
    log.write_all(line.as_bytes())
        .expect("the parts log can be written");
}

/// A running server that ends with the test.
pub struct Server(Child);

impl Server {
    /// Starts `command`.
    pub fn start(command: &mut Command) -> Self {
        Self(command.spawn().expect("the server starts"))
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

/// A port of the system's choosing on loopback, free a moment ago.
pub fn free_port() -> u16 {
    std::net::TcpListener::bind("127.0.0.1:0")
        .and_then(|listener| listener.local_addr())
        .expect("loopback has a free port")
        .port()
}

/// Waits until `ready` holds, for at most 20 s: a condition, not a guess at a duration.
///
/// # Panics
/// When it does not hold by then.
pub fn wait_until(what: &str, mut ready: impl FnMut() -> bool) {
    let start = std::time::Instant::now();
    while !ready() {
        assert!(
            start.elapsed() < std::time::Duration::from_secs(20),
            "{what}: not within 20 s"
        );
        std::thread::sleep(std::time::Duration::from_millis(5));
    }
}
