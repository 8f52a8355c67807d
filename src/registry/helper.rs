//! Docker credential helpers: programs that hand out a registry's credentials.
//!
//! Invariant: a helper runs for a bounded time, and a bounded amount of what it prints is read. Its
//! output is a secret and never quoted.
//!
//! Protocol: docker-credential-helpers, README, "Development": `docker-credential-NAME get`, the
//! server's name on stdin, JSON on stdout; user name `<token>` marks an identity token.

use std::process::Stdio;
use std::time::Duration;

use secrecy::SecretString;
use serde::Deserialize;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::process::Command;

use super::login::Login;

/// Most output read, in bytes: a user name and a token.
const MAX_OUTPUT: u64 = 256 * 1024;

/// What helpers print, to stdout or stderr, when they have nothing for a server.
const NOT_FOUND: &str = "credentials not found";

/// The user name that marks an identity token.
const TOKEN_USER: &str = "<token>";

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Reply {
    username: String,
    secret: String,
}

/// The program behind a helper's name; names come from a file and must not name a path.
pub(super) fn program(name: &str) -> Result<String, &'static str> {
    let is_plain = |c: char| c.is_ascii_alphanumeric() || matches!(c, '-' | '_' | '.');
    if name.chars().all(is_plain) {
        Ok(format!("docker-credential-{name}"))
    } else {
        Err("its name isn't a plain word")
    }
}

/// What `program` has for `server`.
///
/// # Errors
/// What went wrong, without what the helper printed.
pub(super) async fn ask(program: &str, server: &str, limit: Duration) -> Result<Login, String> {
    match tokio::time::timeout(limit, run(program, server)).await {
        Ok(result) => result,
        Err(_) => Err(format!("it ran for more than {limit:?}")),
    }
}

async fn run(program: &str, server: &str) -> Result<Login, String> {
    let mut child = Command::new(program)
        .arg("get")
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .kill_on_drop(true)
        .spawn()
        .map_err(|error| error.to_string())?;
    let (mut stdin, stdout, stderr) =
        (child.stdin.take(), child.stdout.take(), child.stderr.take());
    let (mut output, mut errors) = (Vec::new(), Vec::new());
    let write = async {
        if let Some(stdin) = &mut stdin {
            // A helper that ends without reading says why in its status.
            let _ = stdin.write_all(server.as_bytes()).await;
        }
        drop(stdin.take());
    };
    let (_, read, _) = tokio::join!(
        write,
        bounded(stdout, &mut output),
        bounded(stderr, &mut errors)
    );
    read.map_err(|error| error.to_string())?;
    let status = child.wait().await.map_err(|error| error.to_string())?;
    if status.success() {
        return login(&output);
    }
    let absent = [&output, &errors]
        .iter()
        .any(|text| String::from_utf8_lossy(text).contains(NOT_FOUND));
    if absent {
        Ok(Login::Anonymous)
    } else {
        Err(format!("{status}"))
    }
}

async fn bounded(
    pipe: Option<impl tokio::io::AsyncRead + Unpin>,
    into: &mut Vec<u8>,
) -> std::io::Result<()> {
    match pipe {
        Some(pipe) => pipe.take(MAX_OUTPUT).read_to_end(into).await.map(|_| ()),
        None => Ok(()),
    }
}

fn login(output: &[u8]) -> Result<Login, String> {
    let reply: Reply = serde_json::from_slice(output)
        .map_err(|_| "it printed something else than a user name and a secret".to_owned())?;
    let secret = SecretString::from(reply.secret);
    Ok(if reply.username == TOKEN_USER {
        Login::IdentityToken(secret)
    } else {
        Login::Basic(reply.username, secret)
    })
}
