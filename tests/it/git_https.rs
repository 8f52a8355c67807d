//! Mirrors over HTTPS, with `git http-backend` on the other side.

#![expect(
    clippy::unwrap_used,
    reason = "helpers of tests fail by panicking, as tests do"
)]

use std::path::PathBuf;

use tagwright::git::{Auth, Blob, CommitId, Error, Mirror, PlainHttp, PushOutcome, Remote};
use tagwright::secret::Secret;

use crate::git_server::{Behaviour, GitServer};
use crate::git_world::{Person, World, commit, made};

/// `bot:pass word` in base64.
const BOT: &str = "Ym90OnBhc3Mgd29yZA==";

/// `x-access-token:t0ken` in base64.
const TOKEN: &str = "eC1hY2Nlc3MtdG9rZW46dDBrZW4=";

/// A world whose remote is also served over HTTP.
fn served(tls: bool, login: Option<&'static str>) -> Option<(World, Person, GitServer)> {
    let (world, person) = World::seeded(&[("a", "1\n")])?;
    world.in_remote(&["config", "http.receivepack", "true"]);
    let server = GitServer::start(&world.path(""), tls, login);
    Some((world, person, server))
}

fn secret(world: &World, text: &str) -> Secret {
    let path = world.path(&format!("secret-{text}"));
    std::fs::write(&path, format!("{text}\n")).unwrap();
    Secret::File(path)
}

fn basic(world: &World, password: &str) -> Auth {
    Auth::Basic {
        username: "bot".into(),
        password: secret(world, password),
    }
}

fn mirror(world: &World, server: &GitServer, auth: Auth, ca_pem: Option<PathBuf>) -> Mirror {
    let remote = Remote {
        url: server.url.parse().unwrap(),
        auth,
        ca_pem,
        plain: PlainHttp::LoopbackOnly,
        depth: None,
    };
    Mirror::open(&world.path("m"), remote).unwrap()
}

/// A fetched mirror without credentials over plain HTTP, and a commit to push.
fn ready(world: &World, server: &GitServer) -> (Mirror, CommitId, CommitId) {
    let mut mirror = mirror(world, server, Auth::None, None);
    let parent = mirror.fetch("main").unwrap();
    let id = made(&mut mirror, parent, &[("a", "2\n")], "m");
    (mirror, parent, id)
}

#[test]
fn fetch_and_push_over_tls_with_a_password() {
    let Some((world, person, server)) = served(true, Some(BOT)) else {
        return;
    };
    let ca = Some(world.path("ca.pem"));
    let mut mirror = mirror(&world, &server, basic(&world, "pass word"), ca);
    let parent = mirror.fetch("main").unwrap();
    let id = made(&mut mirror, parent, &[("a", "2\n")], "m");
    assert_eq!(
        mirror.push("main", parent, id).unwrap(),
        PushOutcome::Pushed
    );
    assert_eq!(world.tip("main"), id);
    person.git(&["pull", "-q", "origin", "main"]);
    let theirs = person.push("a", "3\n");
    let ours = made(&mut mirror, id, &[("b", "b\n")], "m");
    assert_eq!(mirror.push("main", id, ours).unwrap(), PushOutcome::Moved);
    assert_eq!(mirror.fetch("main").unwrap(), theirs);
    world.hook("pre-receive", "echo 'frozen until Monday'; exit 1");
    let ours = made(&mut mirror, theirs, &[("b", "b\n")], "m");
    let outcome = mirror.push("main", theirs, ours).unwrap();
    let expected = "pre-receive hook declined: frozen until Monday";
    assert_eq!(outcome, PushOutcome::Refused(expected.into()));
    world.assert_sound();
}

#[test]
fn a_rotated_token_counts_at_once() {
    let Some((world, _, server)) = served(true, Some(TOKEN)) else {
        return;
    };
    let ca = Some(world.path("ca.pem"));
    let token = secret(&world, "old");
    let mut mirror = mirror(&world, &server, Auth::Token(token.clone()), ca);
    assert!(matches!(mirror.fetch("main"), Err(Error::Auth { .. })));
    let Secret::File(path) = token else {
        panic!("a file")
    };
    std::fs::write(&path, "t0ken").unwrap();
    mirror.fetch("main").unwrap();
    std::fs::remove_file(&path).unwrap();
    assert!(matches!(mirror.fetch("main"), Err(Error::Secret { .. })));
}

#[test]
fn remotes_with_different_credentials_coexist() {
    let Some((world, _, server)) = served(true, Some(BOT)) else {
        return;
    };
    let ca = world.path("ca.pem");
    let threads: Vec<_> = ["pass word", "wrong", "pass word", "wrong"]
        .into_iter()
        .enumerate()
        .map(|(n, password)| {
            let remote = Remote {
                url: server.url.parse().unwrap(),
                auth: basic(&world, password),
                ca_pem: Some(ca.clone()),
                plain: PlainHttp::LoopbackOnly,
                depth: None,
            };
            let mut mirror = Mirror::open(&world.path(&format!("m{n}")), remote).unwrap();
            let fetch = move || {
                for _ in 0..5 {
                    match mirror.fetch("main") {
                        Ok(_) => assert_eq!(password, "pass word"),
                        Err(Error::Auth { .. }) => assert_eq!(password, "wrong"),
                        Err(other) => panic!("{other}"),
                    }
                }
            };
            std::thread::spawn(fetch)
        })
        .collect();
    for thread in threads {
        thread.join().unwrap();
    }
}

#[test]
fn only_trusted_certificates_are_accepted() {
    let Some((world, _, server)) = served(true, None) else {
        return;
    };
    let other = World::empty().unwrap();
    GitServer::start(&other.path(""), true, None);
    let fetch = |ca: Option<PathBuf>| mirror(&world, &server, Auth::None, ca).fetch("main");
    for ca in [None, Some(other.path("ca.pem"))] {
        let error = fetch(ca).unwrap_err();
        assert!(matches!(error, Error::Certificate { .. }), "{error:?}");
    }
    assert!(matches!(
        fetch(Some(world.path("missing"))),
        Err(Error::Ca { .. })
    ));
    assert!(matches!(
        fetch(Some(world.remote().join("HEAD"))),
        Err(Error::Http { .. })
    ));
    fetch(Some(world.path("ca.pem"))).unwrap();
}

#[test]
fn answers_of_servers_are_told_apart() {
    let Some((world, _, server)) = served(false, None) else {
        return;
    };
    let mut mirror = mirror(&world, &server, Auth::None, None);
    let mut fetch = |behaviour| {
        server.set(behaviour);
        let error = mirror.fetch("main").unwrap_err();
        let kind = format!("{error:?}").split(' ').next().unwrap().to_owned();
        (kind, error.is_retryable(), error.to_string())
    };
    let table = [
        ("401 Unauthorized", "Auth", false),
        ("403 Forbidden", "Forbidden", false),
        ("404 Not Found", "NotFound", false),
        ("418 Teapot", "Protocol", false),
        ("429 Too Many Requests", "Server", true),
        ("500 Internal Server Error", "Server", true),
        ("503 Service Unavailable", "Server", true),
    ];
    for (status, kind, retryable) in table {
        let answer = fetch(Behaviour::Answer(status, "text/plain", "our\nwords"));
        assert_eq!((answer.0.as_str(), answer.1), (kind, retryable), "{status}");
        assert!(
            answer.2.contains(&status[..3]) && answer.2.ends_with("our; words"),
            "{}",
            answer.2
        );
    }
    let html = fetch(Behaviour::Answer("200 OK", "text/html", "<h1>Sign in</h1>"));
    assert_eq!(html.0, "Protocol");
    assert!(html.2.contains("text/html"), "{}", html.2);
    let html = fetch(Behaviour::Answer("503 Down", "text/html", "<h1>Down</h1>"));
    assert!(!html.2.contains("<h1>"), "{}", html.2);
    let kind = "application/x-git-upload-pack-advertisement";
    for nonsense in [
        "",
        "nonsense",
        "0000",
        "001e# service=git-upload-pack\n",
        "ffff",
    ] {
        let answer = fetch(Behaviour::Answer("200 OK", kind, nonsense));
        assert!(
            ["Protocol", "EmptyRepository"].contains(&answer.0.as_str()),
            "{answer:?}"
        );
    }
    server.set(Behaviour::Serve);
    mirror.fetch("main").unwrap();
}

#[test]
fn an_answer_that_is_cut_off_is_not_taken_for_whole() {
    let Some((world, person, server)) = served(false, None) else {
        return;
    };
    let mut mirror = mirror(&world, &server, Auth::None, None);
    for behaviour in [Behaviour::CutAdvertisement, Behaviour::CutResult] {
        server.set(behaviour);
        let error = mirror.fetch("main").unwrap_err();
        assert!(matches!(error, Error::Unreachable { .. }), "{error:?}");
        assert_eq!(mirror.head("main"), None);
    }
    server.set(Behaviour::Serve);
    let seed = mirror.fetch("main").unwrap();
    server.set(Behaviour::CutResult);
    let second = person.push("a", "2\n");
    assert!(mirror.fetch("main").is_err());
    assert_eq!(mirror.head("main"), Some(seed));
    server.set(Behaviour::Serve);
    assert_eq!(mirror.fetch("main").unwrap(), second);
}

/// The objects as a pack.
fn pack(person: &Person, ids: &[&str]) -> Vec<u8> {
    let name = person.git_with(&["pack-objects", "-q", "pack"], ids.join("\n").as_bytes());
    std::fs::read(person.path(&format!("pack-{name}.pack"))).unwrap()
}

/// With the checksum at its end that fits it.
fn sealed(mut pack: Vec<u8>) -> Vec<u8> {
    pack.truncate(pack.len() - 20);
    let sum = ring::digest::digest(&ring::digest::SHA1_FOR_LEGACY_USE_ONLY, &pack);
    pack.extend_from_slice(sum.as_ref());
    pack
}

/// What a file is read as that a new mirror gets with this pack; `None` if it is refused or not there.
fn read_from(world: &World, server: &GitServer, pack: Vec<u8>) -> Option<Vec<u8>> {
    server.set(Behaviour::Pack(pack));
    let _ = std::fs::remove_dir_all(world.path("m"));
    let mut mirror = mirror(world, server, Auth::None, None);
    let tip = mirror.fetch("main").ok()?;
    assert_eq!(tip, world.tip("main"));
    let files = mirror.files(tip).ok()?.files;
    match mirror.blob(files[0].blob, 1000).ok()? {
        Blob::Bytes(bytes) => Some(bytes),
        Blob::TooLarge(_) => None,
    }
}

#[test]
fn a_remote_cannot_pass_other_contents_off_as_an_object() {
    let Some((world, person, server)) = served(false, None) else {
        return;
    };
    let id = |name: &str| person.git(&["rev-parse", name]);
    let (commit, tree, file) = (id("main"), id("main^{tree}"), id("main:a"));
    let sound = pack(&person, &[&commit, &tree, &file]);
    let read = |pack| read_from(&world, &server, pack);
    assert_eq!(read(sound.clone()), Some(b"1\n".to_vec()));
    assert_eq!(read(sealed(sound.clone())), Some(b"1\n".to_vec()));

    // Other contents, or another folder, in the place of what belongs there.
    let other = person.git_with(&["hash-object", "-w", "--stdin"], b"2\n");
    let entry = format!("100644 blob {other}\ta\n");
    let folder = person.git_with(&["mktree"], entry.as_bytes());
    assert_eq!(read(pack(&person, &[&commit, &tree, &other])), None);
    assert_eq!(read(pack(&person, &[&commit, &folder, &other])), None);
    assert_eq!(read(pack(&person, &[&folder, &other])), None);

    // Headers, compressed contents and checksums are all met at this step.
    for place in (0..sound.len()).step_by(7) {
        let mut garbled = sound.clone();
        garbled[place] ^= 1;
        assert_eq!(read(garbled.clone()), None, "byte {place}");
        // A remote can make the checksum fit, so what is read may be what was there, and nothing else.
        let read = read(sealed(garbled));
        assert!(read.is_none_or(|read| read == b"1\n"), "byte {place}");
    }
}

#[test]
fn a_push_whose_answer_is_lost_is_unknown_and_the_next_fetch_tells() {
    let Some((world, _, server)) = served(false, None) else {
        return;
    };
    let (mut mirror, parent, id) = ready(&world, &server);
    server.set(Behaviour::CutResult);
    let outcome = mirror.push("main", parent, id).unwrap();
    assert!(matches!(outcome, PushOutcome::Unknown(_)), "{outcome:?}");
    assert_eq!(
        mirror.head("main"),
        Some(parent),
        "nothing is taken for granted"
    );
    server.set(Behaviour::Serve);
    assert_eq!(mirror.fetch("main").unwrap(), id, "it had arrived");
    assert_eq!(
        mirror.push("main", parent, id).unwrap(),
        PushOutcome::UpToDate
    );

    let next = made(&mut mirror, id, &[("a", "3\n")], "m");
    server.set(Behaviour::AnswerPost(
        "502 Bad Gateway",
        "text/plain",
        "no backend",
    ));
    let outcome = mirror.push("main", id, next).unwrap();
    assert!(
        matches!(&outcome, PushOutcome::Unknown(words) if words.contains("no backend")),
        "{outcome:?}"
    );
    server.set(Behaviour::Serve);
    assert_eq!(mirror.fetch("main").unwrap(), id, "it had not arrived");
    assert_eq!(mirror.push("main", id, next).unwrap(), PushOutcome::Pushed);
}

#[test]
fn a_push_that_is_turned_away_is_an_error_or_a_refusal() {
    let Some((world, _, server)) = served(false, None) else {
        return;
    };
    let (mut mirror, parent, id) = ready(&world, &server);
    server.set(Behaviour::AnswerPost(
        "413 Payload Too Large",
        "text/plain",
        "5 MB at most",
    ));
    let outcome = mirror.push("main", parent, id).unwrap();
    let words = "HTTP 413 Payload Too Large: 5 MB at most";
    assert_eq!(outcome, PushOutcome::Refused(words.into()));
    for status in ["401 Unauthorized", "403 Forbidden"] {
        server.set(Behaviour::AnswerPost(status, "text/plain", "read only"));
        let error = mirror.push("main", parent, id).unwrap_err();
        assert!(
            matches!(error, Error::Auth { .. } | Error::Forbidden { .. }),
            "{error}"
        );
    }
    server.set(Behaviour::Serve);
    world.in_remote(&["config", "http.receivepack", "false"]);
    let error = mirror.push("main", parent, id).unwrap_err();
    assert!(matches!(error, Error::Forbidden { .. }), "{error}");
    assert_eq!(world.tip("main"), parent);
}

#[test]
fn a_report_of_odd_bytes_is_no_panic() {
    let Some((world, _, server)) = served(false, None) else {
        return;
    };
    let (mut mirror, parent, id) = ready(&world, &server);
    server.set(Behaviour::Report(vec![
        b"unpack ok\n",
        b"ng refs/heads/main frozen\n",
    ]));
    let outcome = mirror.push("main", parent, id).unwrap();
    assert_eq!(outcome, PushOutcome::Refused("frozen".into()));
    for report in [
        b"ng refs/heads/main gel\xe9\n".as_slice(),
        b"ok refs/heads/\xff\n",
    ] {
        server.set(Behaviour::Report(vec![b"unpack ok\n", report]));
        let outcome = mirror.push("main", parent, id).unwrap();
        assert!(matches!(outcome, PushOutcome::Unknown(_)), "{outcome:?}");
    }
    server.set(Behaviour::Serve);
    assert_eq!(
        mirror.push("main", parent, id).unwrap(),
        PushOutcome::Pushed
    );
}

#[test]
fn redirects_stay_on_the_host() {
    let Some((world, _, server)) = served(false, None) else {
        return;
    };
    server.set(Behaviour::Redirect("/moved".into()));
    let (mut mirror, parent, id) = ready(&world, &server);
    assert_eq!(
        mirror.push("main", parent, id).unwrap(),
        PushOutcome::Pushed
    );
    let posts = server
        .requests()
        .into_iter()
        .filter(|line| line.starts_with("POST"));
    assert!(posts.clone().count() > 0);
    assert!(
        posts.clone().all(|line| line.starts_with("POST /moved/")),
        "work is asked for where it is"
    );

    let elsewhere = GitServer::start(&world.path(""), false, None);
    let place = elsewhere.url.trim_end_matches("/remote.git").to_owned();
    server.set(Behaviour::Redirect(place));
    let error = mirror.fetch("main").unwrap_err();
    assert!(matches!(error, Error::Protocol { .. }), "{error}");
    let moved = format!("moved to {}/info/refs,", elsewhere.url);
    assert!(error.to_string().contains(&moved), "{error}");
    assert!(
        elsewhere.requests().is_empty(),
        "the other host was not even asked"
    );
}

#[test]
fn a_server_that_is_down_is_unreachable() {
    let Some((world, _, server)) = served(false, None) else {
        return;
    };
    let (mut mirror, parent, _) = ready(&world, &server);
    let port = crate::parts::free_port();
    let remote = Remote::anonymous(format!("http://127.0.0.1:{port}/x").parse().unwrap());
    let error = Mirror::open(&world.path("down"), remote)
        .unwrap()
        .fetch("main")
        .unwrap_err();
    assert!(
        matches!(error, Error::Unreachable { .. }) && error.is_retryable(),
        "{error}"
    );
    assert_eq!(mirror.fetch("main").unwrap(), parent);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_mirror_works_from_inside_a_runtime() {
    let Some((world, _, server)) = served(false, None) else {
        return;
    };
    let tip = tokio::task::spawn_blocking(move || {
        let (mut mirror, parent, id) = ready(&world, &server);
        assert_eq!(
            mirror.push("main", parent, id).unwrap(),
            PushOutcome::Pushed
        );
        assert!(commit(&mut mirror, id, &[("a", "2\n")], "m").is_ok());
        (world.tip("main"), id)
    });
    let (tip, id) = tip.await.unwrap();
    assert_eq!(tip, id);
}
