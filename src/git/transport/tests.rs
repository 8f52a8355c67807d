//! The bounds on an exchange, against servers that keep silent or never stop.

use std::io::Read as _;
use std::net::TcpListener;

use super::*;
use crate::git::RemoteUrl;

const SHORT: Duration = Duration::from_millis(50);

/// A remote that accepts connections and then keeps silent.
fn silent() -> (Connector, TcpListener) {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("http://{}/x", listener.local_addr().unwrap());
    let remote = Remote::anonymous(url.parse::<RemoteUrl>().unwrap());
    (Connector::new(remote).unwrap(), listener)
}

fn connect(connector: &mut Connector) -> Error {
    let exchange = connector.exchange().unwrap();
    let mut remote = git2::Remote::create_detached(exchange.url()).unwrap();
    let error = remote.connect(git2::Direction::Fetch).unwrap_err();
    exchange
        .failure()
        .unwrap_or_else(|| exchange.misunderstood(&error))
}

#[test]
fn silence_ends_an_exchange() {
    let (mut connector, _listener) = silent();
    connector.limits = Limits {
        silence: SHORT,
        ..LIMITS
    };
    let error = connect(&mut connector);
    assert!(matches!(error, Error::Timeout { .. }), "{error}");
}

#[test]
fn an_exchange_ends_in_time_however_lively() {
    let (mut connector, _listener) = silent();
    connector.limits = Limits {
        total: SHORT,
        ..LIMITS
    };
    let error = connect(&mut connector);
    assert!(
        matches!(&error, Error::Timeout { words, .. } if words.starts_with("not done")),
        "{error}"
    );
    assert!(error.is_retryable());
}

#[test]
fn a_list_of_references_without_end_is_refused() {
    let (mut connector, listener) = silent();
    std::thread::spawn(move || {
        use std::io::Write as _;
        let (mut stream, _) = listener.accept().unwrap();
        let _ = stream.read(&mut [0; 4096]);
        let head = "HTTP/1.1 200 OK\r\ncontent-type: application/x-git-upload-pack-advertisement\r\n\r\n001e# service=git-upload-pack\n0000";
        let line = format!("0049{} refs/heads/{:016}\n", "1".repeat(40), 0);
        let lines = line.repeat(1000);
        let _ = stream.write_all(head.as_bytes());
        while stream.write_all(lines.as_bytes()).is_ok() {}
    });
    let error = connect(&mut connector);
    assert!(
        matches!(&error, Error::Protocol { words, .. } if words.contains("list of references")),
        "{error}"
    );
}

/// Fetches the repository in `folder` with these limits.
fn fetch(folder: &std::path::Path, limits: Limits) -> Result<(), Error> {
    let mut connector = Connector::new(Remote::anonymous(folder.into())).unwrap();
    connector.limits = limits;
    let exchange = connector.exchange().unwrap();
    let mirror = git2::Repository::init_bare(folder.join("mirror")).unwrap();
    let mut remote = mirror.remote_anonymous(&exchange.url()).unwrap();
    remote
        .fetch(&["refs/heads/main"], None, None)
        .map_err(|error| {
            let failure = exchange.failure();
            failure.unwrap_or_else(|| exchange.misunderstood(&error))
        })
}

#[test]
fn a_pack_without_end_is_refused() {
    let folder = tempfile::tempdir().unwrap();
    let repository = git2::Repository::init_bare(folder.path()).unwrap();
    let author = git2::Signature::new("a", "a@b", &git2::Time::new(0, 0)).unwrap();
    let tree = repository.treebuilder(None).unwrap().write().unwrap();
    let tree = repository.find_tree(tree).unwrap();
    let message = "long ".repeat(10);
    repository
        .commit(
            Some("refs/heads/main"),
            &author,
            &author,
            &message,
            &tree,
            &[],
        )
        .unwrap();
    let few = Limits {
        bytes: 100,
        ..LIMITS
    };
    let error = fetch(folder.path(), few).unwrap_err();
    assert!(
        matches!(&error, Error::Protocol { words, .. } if words == "its answer is over 100 bytes"),
        "{error}"
    );
    fetch(folder.path(), LIMITS).unwrap();
}

#[test]
fn an_exchange_is_known_until_it_is_dropped_only() {
    let (mut connector, _listener) = silent();
    let exchange = connector.exchange().unwrap();
    let number = exchange.number;
    assert!(lock(&EXCHANGES).contains_key(&number));
    drop(exchange);
    assert!(!lock(&EXCHANGES).contains_key(&number));
    let mut remote = git2::Remote::create_detached(format!("{SCHEME}://{number}")).unwrap();
    assert!(remote.connect(git2::Direction::Fetch).is_err());
}

#[test]
fn the_first_failure_is_kept() {
    let (mut connector, _listener) = silent();
    let exchange = connector.exchange().unwrap();
    let error = |words: &str| Error::Server {
        remote: "r".into(),
        words: words.into(),
    };
    exchange.shared.fail(error("first"));
    exchange.shared.fail(error("second"));
    assert!(
        exchange
            .failure()
            .is_some_and(|error| error.to_string().contains("first"))
    );
    assert!(exchange.failure().is_none());
}

/// A made-up program as the other side.
fn exchange_with(
    name: &'static str,
    arguments: &'static [&'static str],
    limits: Limits,
) -> Exchange {
    let program = process::Program {
        name,
        arguments: Box::new(|_| arguments.iter().map(Into::into).collect()),
        complaint: |remote, words| Error::Server { remote, words },
    };
    Exchange::new(Shared {
        carrier: Carrier::Program(program),
        remote: "r".into(),
        limits,
        end: Instant::now() + limits.total,
        failure: Mutex::new(None),
    })
}

fn failure(exchange: &Exchange) -> Error {
    let mut remote = git2::Remote::create_detached(exchange.url()).unwrap();
    remote.connect(git2::Direction::Fetch).unwrap_err();
    exchange.failure().expect("a program's failure is kept")
}

#[test]
fn a_missing_program_is_named() {
    let error = failure(&exchange_with("tagwright-no-such", &[], LIMITS));
    assert!(
        matches!(
            error,
            Error::Program {
                program: "tagwright-no-such",
                ..
            }
        ),
        "{error}"
    );
}

/// Waits until `done`; the limit only turns a hang into a failure.
fn wait_until(what: &str, done: impl Fn() -> bool) {
    let start = Instant::now();
    while !done() {
        assert!(start.elapsed() < Duration::from_secs(20), "{what}");
        std::thread::yield_now();
    }
}

#[test]
fn a_program_that_hangs_is_ended_with_what_it_started() {
    let folder = tempfile::tempdir().unwrap();
    let file = |name: &str| folder.path().join(name);
    // It cleans up when it is asked to end, as git does.
    let script = format!(
        "cd {}; trap 'rm lock; exit 1' TERM; touch lock; sleep 3600 & echo $! >pid; wait",
        folder.path().display()
    );
    let script: &'static [&'static str] = vec!["-c", &*script.leak()].leak();
    // Long enough for a shell to start on a busy machine; the test ends when it is over.
    let limits = Limits {
        silence: Duration::from_secs(2),
        ..LIMITS
    };
    let exchange = exchange_with("sh", script, limits);
    let error = failure(&exchange);
    assert!(matches!(error, Error::Timeout { .. }), "{error}");
    wait_until("it cleans up", || {
        file("pid").exists() && !file("lock").exists()
    });
    let pid = std::fs::read_to_string(file("pid")).unwrap();
    let command = std::path::Path::new("/proc")
        .join(pid.trim())
        .join("cmdline");
    // A killed process is gone, or has no command line any more.
    wait_until("what it started is ended", || {
        !std::fs::read(&command).is_ok_and(|line| line.starts_with(b"sleep"))
    });
}

#[test]
fn a_program_that_complains_without_end_is_cut_short() {
    let script = &[
        "-c",
        "head -c 3000000 /dev/zero | tr '\\0' x >&2; echo the end >&2; exit 1",
    ];
    let error = failure(&exchange_with("sh", script, LIMITS));
    assert!(matches!(error, Error::Server { .. }));
    let text = error.to_string();
    assert!(text.len() < 1000 && text.ends_with("the end"), "{text}");
}
