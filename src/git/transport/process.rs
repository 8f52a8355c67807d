//! A program that speaks Git's protocol on its standard streams: `git` for a folder, `ssh`.
//!
//! Invariant: the program is started with arguments only, without a shell and without Git's
//! variables in its environment, in a process group of its own, so that a Ctrl-C meant for us doesn't
//! end it in the middle of a push. When the exchange has failed it is ended with all that it started,
//! and given time to finish (hooks run after the answer) when it has not.

use std::collections::VecDeque;
use std::ffi::OsString;
use std::io::{self, Read, Write};
use std::process::{ExitStatus, Stdio};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use git2::transport::{Service, SmartSubtransport, SmartSubtransportStream};
use rustix::process::{Pid, Signal, kill_process_group};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::process::{Child, ChildStdin, ChildStdout, Command};

use super::{Carrier, Shared, lock, runtime};
use crate::git::{Error, words};

/// As much of what a program complains about as is kept; the reason is at the end.
const MAX_COMPLAINT: usize = 8192;

/// A program that has closed its output, or was asked to end, is about to: it only cleans up.
const EXIT_TIMEOUT: Duration = Duration::from_secs(5);

/// After the answer to a push the server's last hooks still run.
const LINGER: Duration = Duration::from_secs(60);

/// How to start a program, and how to read what it complains about.
pub(super) struct Program {
    /// Its name, looked up in PATH.
    pub name: &'static str,
    /// Its arguments for Git's service `upload-pack` or `receive-pack`.
    pub arguments: Box<Arguments>,
    /// The error that a complaint means; gets the remote's name and clean words.
    pub complaint: fn(String, String) -> Error,
}

/// The arguments that a service's name makes.
type Arguments = dyn Fn(&str) -> Vec<OsString> + Send + Sync;

/// Variables of Git that name which settings and programs this machine uses; all others would
/// point the program at another repository, or change the protocol.
const KEPT: [&str; 4] = [
    "GIT_CONFIG_GLOBAL",
    "GIT_CONFIG_NOSYSTEM",
    "GIT_CONFIG_SYSTEM",
    "GIT_EXEC_PATH",
];

impl Program {
    fn command(&self, service: &str) -> Command {
        let mut command = Command::new(self.name);
        command.args((self.arguments)(service));
        for (name, _) in std::env::vars_os() {
            let text = name.to_string_lossy();
            if text.starts_with("GIT_") && !KEPT.contains(&text.as_ref()) {
                command.env_remove(&name);
            }
        }
        // Complaints are read by us, so in English; nobody is there to answer a question.
        command.env("LC_ALL", "C").env("GIT_TERMINAL_PROMPT", "0");
        command
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped());
        command.process_group(0).kill_on_drop(true);
        command
    }
}

/// libgit2's connection: starts the program, and ends it.
pub(super) struct Connection {
    shared: Arc<Shared>,
    running: Arc<Mutex<Option<Running>>>,
}

/// A started program; ended when dropped.
struct Running {
    /// Until it is dropped.
    child: Option<Child>,
    stdin: Option<ChildStdin>,
    stdout: ChildStdout,
    /// Until it has been told.
    complaint: Option<tokio::task::JoinHandle<Vec<u8>>>,
}

impl Connection {
    pub(super) fn new(shared: Arc<Shared>) -> Self {
        Self {
            shared,
            running: Arc::default(),
        }
    }

    fn start(&self, service: &str) -> io::Result<Running> {
        let Carrier::Program(program) = &self.shared.carrier else {
            return Err(io::Error::other("not a program"));
        };
        let handle = runtime().map_err(|source| self.shared.no_runtime(source))?;
        let _context = handle.enter();
        let start = || {
            let mut child = program.command(service).spawn()?;
            let gone = || io::Error::other("its pipes are missing");
            let stdout = child.stdout.take().ok_or_else(gone)?;
            let stderr = child.stderr.take().ok_or_else(gone)?;
            let stdin = child.stdin.take();
            let complaint = Some(handle.spawn(tail(stderr)));
            Ok(Running {
                child: Some(child),
                stdin,
                stdout,
                complaint,
            })
        };
        start().map_err(|source| {
            let remote = self.shared.remote.clone();
            self.shared.fail(Error::Program {
                program: program.name,
                remote,
                source,
            })
        })
    }
}

impl SmartSubtransport for Connection {
    fn action(
        &self,
        _url: &str,
        service: Service,
    ) -> Result<Box<dyn SmartSubtransportStream>, git2::Error> {
        let service = match service {
            Service::UploadPackLs | Service::UploadPack => "upload-pack",
            Service::ReceivePackLs | Service::ReceivePack => "receive-pack",
        };
        let running = self
            .start(service)
            .map_err(|e| git2::Error::from_str(&e.to_string()))?;
        *lock(&self.running) = Some(running);
        let (shared, running) = (self.shared.clone(), self.running.clone());
        Ok(Box::new(Stream {
            shared,
            running,
            received: 0,
            asked: false,
        }))
    }

    fn close(&self) -> Result<(), git2::Error> {
        let running = lock(&self.running).take();
        if let Some(running) = running.filter(|_| !self.shared.has_failed())
            && let Ok(handle) = runtime()
        {
            // Past the limit it is dropped, and with that ended.
            let _ = handle.block_on(async { tokio::time::timeout(LINGER, finish(running)).await });
        }
        Ok(())
    }
}

/// Lets the program write what it still has to say, and end.
async fn finish(mut running: Running) {
    drop(running.stdin.take());
    let mut rest = [0; 4096];
    while running.stdout.read(&mut rest).await.is_ok_and(|n| n > 0) {}
    running.ended().await;
}

impl Running {
    /// How the program ended, once it has.
    async fn ended(&mut self) -> Option<ExitStatus> {
        self.child.as_mut()?.wait().await.ok()
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        if let Some(child) = self.child.take()
            && let Ok(handle) = runtime()
        {
            handle.spawn(end(child));
        }
    }
}

/// Ends a program and what it started. Asked first: `git` then removes the lock files that would
/// block everybody's next push to a folder.
async fn end(mut child: Child) {
    let id = child.id().and_then(|id| i32::try_from(id).ok());
    let Some(group) = id.and_then(Pid::from_raw) else {
        return;
    };
    // Both fail only if nothing is left to end.
    let _ = kill_process_group(group, Signal::TERM);
    if tokio::time::timeout(EXIT_TIMEOUT, child.wait())
        .await
        .is_err()
    {
        let _ = kill_process_group(group, Signal::KILL);
        let _ = child.wait().await;
    }
}

/// The end of what a program complains about.
async fn tail(mut stderr: tokio::process::ChildStderr) -> Vec<u8> {
    let mut kept = VecDeque::new();
    let mut chunk = [0; 1024];
    while let Ok(n @ 1..) = stderr.read(&mut chunk).await {
        kept.extend(&chunk[..n]);
        kept.drain(..kept.len().saturating_sub(MAX_COMPLAINT));
    }
    kept.into()
}

/// libgit2's end of the program's standard streams.
struct Stream {
    shared: Arc<Shared>,
    running: Arc<Mutex<Option<Running>>>,
    /// Bytes read, since something was `asked` if it was.
    received: u64,
    asked: bool,
}

impl Stream {
    /// Uses the pipes within the limits; an error means that the program is gone.
    fn with<T>(&self, step: impl AsyncFnOnce(&mut Running) -> io::Result<T>) -> io::Result<T> {
        let mut slot = lock(&self.running);
        let running = slot.as_mut().ok_or_else(|| io::Error::other("closed"))?;
        match self.shared.wait(step(running))? {
            Ok(done) => Ok(done),
            Err(error) => Err(self.gone(running).unwrap_or(error)),
        }
    }

    /// Why the program ended before its time; `None` if it ended well, or that has been told: libgit2
    /// writes once more to a connection that it gives up.
    fn gone(&self, running: &mut Running) -> Option<io::Error> {
        let Carrier::Program(program) = &self.shared.carrier else {
            return None;
        };
        let complaint = running.complaint.take()?;
        let last_words = async {
            let status = running.ended().await;
            (status, complaint.await.unwrap_or_default())
        };
        let last_words = async { tokio::time::timeout(EXIT_TIMEOUT, last_words).await };
        let (status, complaint) = runtime().ok()?.block_on(last_words).ok()?;
        if status.is_some_and(|status| status.success()) {
            return None;
        }
        let words = words::clean(&complaint);
        Some(
            self.shared
                .fail((program.complaint)(self.shared.remote.clone(), words)),
        )
    }
}

impl Read for Stream {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let read = self.with(async |running| {
            match running.stdout.read(buffer).await {
                // The protocol says when it is over; an end before that is a program that failed.
                Ok(0) => Err(io::ErrorKind::UnexpectedEof.into()),
                other => other,
            }
        });
        let read = match read {
            Err(error) if error.kind() == io::ErrorKind::UnexpectedEof => 0,
            other => other?,
        };
        self.received += read as u64;
        self.shared.check_size(self.received, self.asked)?;
        Ok(read)
    }
}

impl Write for Stream {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        if !self.asked {
            self.asked = true;
            self.received = 0;
        }
        self.with(async |running| match &mut running.stdin {
            Some(stdin) => stdin.write(bytes).await,
            None => Err(io::ErrorKind::BrokenPipe.into()),
        })
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}
