//! Registries that are down, slow, broken or out of patience; and what a tag stands for, whatever the
//! registry says about it.

#![expect(
    clippy::unwrap_used,
    reason = "what a test can't set up is a failure of that test"
)]

use std::time::Duration;

use tagwright::clock::Clock;
use tagwright::image::{Digest, Image};
use tagwright::registry::{
    Access, Account, AccountId, Client, Error, Fault, Limits, Resolved, Scheme,
};

use crate::fake_server::{Body, Reply, Server};

const MANIFEST: &str =
    r#"{"schemaVersion":2,"mediaType":"application/vnd.oci.image.index.v1+json","manifests":[]}"#;

fn limits() -> Limits {
    Limits {
        backoff: Duration::from_millis(1),
        ..Limits::default()
    }
}

/// 1994-11-06T08:49:37Z, so that dates in replies can be compared with something.
fn clock() -> Clock {
    Clock::by_hand("1994-11-06T08:49:37Z".parse().unwrap())
}

fn client(host: &str, scheme: Scheme, limits: Limits) -> (Client, Image) {
    let account = Account {
        scheme,
        ..Account::anonymous(host)
    };
    let client = Client::with_limits(vec![account], clock(), limits).unwrap();
    (client, format!("{host}/acme/shop").parse().unwrap())
}

async fn list_at(host: &str, scheme: Scheme, limits: Limits) -> Result<Vec<String>, Error> {
    let (client, image) = client(host, scheme, limits);
    let listing = client
        .tags(&image, client.account_for(&image, Access::All))
        .await?;
    Ok(listing.tags.iter().map(ToString::to_string).collect())
}

async fn list(server: &Server) -> Result<Vec<String>, Error> {
    list_at(&server.host(), Scheme::PlainHttp, limits()).await
}

async fn resolve(server: &Server) -> Result<Resolved, Error> {
    let (client, image) = client(&server.host(), Scheme::PlainHttp, limits());
    let account = client.account_for(&image, Access::All);
    client
        .resolve(&image, account, &"1.0".parse().unwrap())
        .await
}

#[tokio::test]
async fn a_registry_that_is_down_is_unreachable() {
    let host = format!("127.0.0.1:{}", crate::parts::free_port());
    let error = list_at(&host, Scheme::PlainHttp, limits())
        .await
        .unwrap_err();
    assert!(
        matches!(error.fault(), Some(Fault::Unreachable { .. })),
        "{error:?}"
    );
    assert!(error.is_retryable() && error.hint().is_some());
    assert_eq!(
        error.to_string(),
        format!("the tags of {host}/acme/shop can't be listed")
    );
}

#[tokio::test]
async fn encryption_is_given_up_only_when_configured() {
    let server = Server::start(|_, _| Reply::tags(&["a"])).await;
    let error = list_at(&server.host(), Scheme::Https, limits())
        .await
        .unwrap_err();
    assert!(
        matches!(error.fault(), Some(Fault::Tls { .. })),
        "{error:?}"
    );
    assert!(server.seen().is_empty());
}

#[tokio::test]
async fn a_slow_registry_times_out_and_is_not_asked_again() {
    for start in ["", "{\"tags\":["] {
        let server = Server::start(move |_, _| Reply::with(200, Body::Silence(start.into()))).await;
        let brief = Limits {
            request: Duration::from_millis(100),
            ..limits()
        };
        let error = list_at(&server.host(), Scheme::PlainHttp, brief)
            .await
            .unwrap_err();
        assert!(
            matches!(error.fault(), Some(Fault::Timeout { .. })),
            "{error:?}"
        );
        assert_eq!(server.seen().len(), 1);
    }
}

#[tokio::test]
async fn a_registry_that_never_answers_is_left_alone_for_a_while() {
    let server = Server::start(|_, _| Reply::with(200, Body::Silence(Vec::new()))).await;
    let brief = Limits {
        request: Duration::from_millis(50),
        failures: 3,
        rest: Duration::from_secs(3600),
        ..limits()
    };
    let (client, image) = client(&server.host(), Scheme::PlainHttp, brief);
    let account = client.account_for(&image, Access::All);
    for asked in [1, 2, 3, 3, 3] {
        let before = server.seen().len();
        let error = client.tags(&image, account).await.unwrap_err();
        assert_eq!(server.seen().len(), asked, "{error:?}");
        let is_left_alone = matches!(error.fault(), Some(Fault::LeftAlone { .. }));
        assert_eq!(is_left_alone, asked == before, "{error:?}");
        assert!(error.is_retryable(), "{error:?}");
    }
}

#[tokio::test]
async fn a_slow_manifest_is_given_up() {
    let server = Server::start(|_, _| Reply::with(200, Body::Silence(Vec::new()))).await;
    let brief = Limits {
        image: Duration::from_millis(50),
        ..limits()
    };
    // The reply to HEAD has no digest, and that to GET no end.
    let (client, image) = client(&server.host(), Scheme::PlainHttp, brief);
    let account = client.account_for(&image, Access::All);
    let tag = "1.0".parse().unwrap();
    let error = client.resolve(&image, account, &tag).await.unwrap_err();
    assert!(
        matches!(error.fault(), Some(Fault::Timeout { .. })),
        "{error:?}"
    );
}

#[tokio::test]
async fn half_a_page_is_asked_for_again_and_never_used() {
    let half = || Body::Cut(b"{\"tags\":[\"a\",\"b\"".to_vec());
    let server = Server::start(move |_, count| match count {
        0 | 1 => Reply::with(200, half()),
        _ => Reply::tags(&["a", "b", "c"]),
    })
    .await;
    assert_eq!(list(&server).await.unwrap(), ["a", "b", "c"]);
    let server = Server::start(move |_, _| Reply::with(200, half())).await;
    let error = list(&server).await.unwrap_err();
    assert!(
        matches!(error.fault(), Some(Fault::Interrupted { .. })),
        "{error:?}"
    );
    assert_eq!(server.seen().len(), 3);
    let server = Server::start(|_, _| Reply::json(200, "{\"tags\":[\"a\",\"b\"")).await;
    let error = list(&server).await.unwrap_err();
    assert!(
        matches!(error.fault(), Some(Fault::Interrupted { .. })),
        "{error:?}"
    );
}

#[tokio::test]
async fn failures_that_may_pass_are_tried_again() {
    for status in [500, 502, 503, 504] {
        let server = Server::start(move |_, count| match count {
            0 | 1 => Reply::json(status, "{}"),
            _ => Reply::tags(&["a"]),
        })
        .await;
        assert_eq!(list(&server).await.unwrap(), ["a"], "{status}");
        let server = Server::start(move |_, _| Reply::json(status, "oh no")).await;
        let error = list(&server).await.unwrap_err();
        let is_server =
            matches!(error.fault(), Some(Fault::Server { status: s, .. }) if *s == status);
        assert!(is_server && error.is_retryable(), "{error:?}");
        assert_eq!(server.seen().len(), 3);
    }
}

#[tokio::test]
async fn refusals_are_told_apart_and_not_repeated() {
    type Is = fn(&Fault) -> bool;
    let cases: [(u16, Is); 5] = [
        (401, |fault| matches!(fault, Fault::Unauthorized { .. })),
        (403, |fault| matches!(fault, Fault::Forbidden { .. })),
        (404, |fault| matches!(fault, Fault::NotFound { .. })),
        (400, |fault| {
            matches!(fault, Fault::Unexpected { status: 400, .. })
        }),
        (501, |fault| {
            matches!(fault, Fault::Server { status: 501, .. })
        }),
    ];
    for (status, is) in cases {
        let said = r#"{"errors":[{"code":"DENIED","message":"no\u001b[31m way"}]}"#;
        let server = Server::start(move |_, _| Reply::json(status, said)).await;
        let error = list(&server).await.unwrap_err();
        let fault = error.fault().unwrap();
        assert!(is(fault), "{status}: {fault:?}");
        assert!(
            fault.to_string().ends_with(": no [31m way (DENIED)"),
            "{fault}"
        );
        assert_eq!(server.seen().len(), 1, "{status}");
    }
}

#[tokio::test]
async fn long_waits_are_the_callers() {
    let seconds = |n| Some(Duration::from_secs(n));
    for (status, name, value, wanted) in [
        (429, "retry-after", "30", seconds(30)),
        (
            429,
            "retry-after",
            "Sun, 06 Nov 1994 08:50:37 GMT",
            seconds(60),
        ),
        (429, "x-retry-after", "1784111777", seconds(1_000_000_000)),
        (429, "x", "y", None),
        (503, "retry-after", "120", seconds(120)),
    ] {
        let server =
            Server::start(move |_, _| Reply::json(status, "slow down").header(name, value)).await;
        let error = list(&server).await.unwrap_err();
        let is_limit = matches!(error.fault(), Some(Fault::RateLimited { .. }));
        assert!(is_limit && error.is_retryable(), "{error:?}");
        let longest = Duration::from_secs(6 * 3600);
        assert_eq!(
            error.retry_after(),
            wanted.map(|wait| wait.min(longest)),
            "{name}: {value}"
        );
        assert_eq!(server.seen().len(), 1);
    }
}

#[tokio::test]
async fn short_waits_are_waited_for() {
    let first = [
        Reply::json(429, "{}").header("retry-after", "0"),
        Reply::json(503, "{}").header("retry-after", "Sun, 06 Nov 1994 08:49:37 GMT"),
        Reply::json(
            429,
            r#"{"errors":[{"code":"TOOMANYREQUESTS","message":"retry-after: 880.092µs, allowed: 44000/minute"}]}"#,
        ),
    ];
    for reply in first {
        let server = Server::start(move |_, count| match count {
            0 => reply.clone(),
            _ => Reply::tags(&["a"]),
        })
        .await;
        assert_eq!(list(&server).await.unwrap(), ["a"]);
    }
    let always = Server::start(|_, _| Reply::json(429, "{}").header("retry-after", "0")).await;
    let error = list(&always).await.unwrap_err();
    assert_eq!(error.retry_after(), Some(Duration::ZERO));
    assert_eq!(always.seen().len(), 3);
}

#[tokio::test]
async fn a_digest_comes_from_the_header() {
    let digest = Digest::of(b"anything");
    let announced = digest.to_string();
    let server = Server::start(move |_, _| {
        Reply::json(200, MANIFEST).header("docker-content-digest", announced.clone())
    })
    .await;
    assert_eq!(resolve(&server).await.unwrap(), Resolved::Found(digest));
    let seen = server.seen();
    assert_eq!(seen.len(), 1);
    assert_eq!(
        (seen[0].method.as_str(), seen[0].target.as_str()),
        ("HEAD", "/v2/acme/shop/manifests/1.0")
    );
    let accept = seen[0].header("accept").unwrap();
    for kind in [
        "oci.image.index.v1",
        "oci.image.manifest.v1",
        "manifest.list.v2",
        "distribution.manifest.v2",
    ] {
        assert!(accept.contains(kind), "{accept}");
    }
}

#[tokio::test]
async fn without_the_header_it_is_computed() {
    for head in [
        Reply::json(200, ""),
        Reply::json(405, ""),
        Reply::json(200, "").header("docker-content-digest", "sha256:12"),
    ] {
        let server = Server::start(move |request, _| match request.method.as_str() {
            "HEAD" => head.clone(),
            _ => Reply::json(200, MANIFEST),
        })
        .await;
        assert_eq!(
            resolve(&server).await.unwrap(),
            Resolved::Found(Digest::of(MANIFEST.as_bytes()))
        );
    }
}

#[tokio::test]
async fn a_missing_tag_is_no_error_but_a_web_page_is() {
    let server = Server::start(|_, _| Reply::json(404, "{}")).await;
    assert_eq!(resolve(&server).await.unwrap(), Resolved::Missing);
    let server = Server::start(|request, _| match request.method.as_str() {
        "HEAD" => Reply::json(405, ""),
        _ => Reply::json(404, "{}"),
    })
    .await;
    assert_eq!(resolve(&server).await.unwrap(), Resolved::Missing);
    let page =
        || Reply::with(404, Body::Whole(b"<html>".to_vec())).header("content-type", "text/html");
    let server = Server::start(move |_, _| page()).await;
    let error = resolve(&server).await.unwrap_err();
    assert!(
        matches!(error.fault(), Some(Fault::NotARegistry { .. })),
        "{error:?}"
    );
}

#[tokio::test]
async fn what_is_no_manifest_has_no_digest() {
    let wrong = Digest::of(b"wrong").to_string();
    let cases = [
        Reply::json(200, "<html>sign in</html>"),
        Reply::json(200, r#"{"tags":[]}"#),
        Reply::json(200, MANIFEST).header("docker-content-digest", wrong),
    ];
    for reply in cases {
        let server = Server::start(move |request, _| match request.method.as_str() {
            "HEAD" => Reply::json(200, ""),
            _ => reply.clone(),
        })
        .await;
        let error = resolve(&server).await.unwrap_err();
        assert!(
            matches!(error.fault(), Some(Fault::NotARegistry { .. })),
            "{error:?}"
        );
    }
    let huge = format!("{{\"schemaVersion\":2,\"x\":\"{}\"}}", "x".repeat(5 << 20));
    let server = Server::start(move |request, _| match request.method.as_str() {
        "HEAD" => Reply::json(200, ""),
        _ => Reply::json(200, huge.clone()),
    })
    .await;
    let error = resolve(&server).await.unwrap_err();
    assert!(
        matches!(error.fault(), Some(Fault::TooLarge { .. })),
        "{error:?}"
    );
}

#[tokio::test]
async fn a_registry_gets_no_more_than_its_share_of_requests_at_once() {
    use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
    const ANSWER: &[u8] = b"HTTP/1.1 200 OK\r\nconnection: close\r\n\r\n{\"tags\":[]}";
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let host = listener.local_addr().unwrap().to_string();
    // Two requests are let in before either is answered; a third one at that time is one too many.
    let server = async {
        for _ in 0..3 {
            let pair = [listener.accept().await, listener.accept().await];
            tokio::select! {
                biased;
                _ = listener.accept() => panic!("a third request"),
                () = std::future::ready(()) => {}
            }
            for connection in pair {
                let (mut connection, _) = connection.unwrap();
                connection
                    .read_buf(&mut Vec::with_capacity(4096))
                    .await
                    .unwrap();
                connection.write_all(ANSWER).await.unwrap();
            }
        }
    };
    let narrow = Limits {
        in_flight: 2,
        ..limits()
    };
    let (client, image) = client(&host, Scheme::PlainHttp, narrow);
    let account = client.account_for(&image, Access::All);
    let list = || async { client.tags(&image, account).await.unwrap() };
    tokio::join!(server, list(), list(), list(), list(), list(), list());
}

#[tokio::test]
async fn a_metadata_address_is_no_registry() {
    for host in [
        "169.254.169.254",
        "100.100.100.200:80",
        "[fd00:ec2::254]",
        "metadata.google.internal",
    ] {
        let account = Account {
            scheme: Scheme::PlainHttp,
            ..Account::anonymous(host)
        };
        let client = Client::new(vec![account], Clock::system()).unwrap();
        let image: Image = format!("{host}/latest/meta-data").parse().unwrap();
        for account in [
            client.account_for(&image, Access::All),
            AccountId::ANONYMOUS,
        ] {
            let error = client.tags(&image, account).await.unwrap_err();
            let fault = error.fault().unwrap();
            assert!(matches!(fault, Fault::Internal { .. }), "{host}: {fault:?}");
            assert!(!error.is_retryable());
        }
    }
}

#[tokio::test]
async fn a_missing_authority_file_concerns_its_own_registry_alone() {
    let server = Server::start(|_, _| Reply::json(200, r#"{"tags":["1.0"]}"#)).await;
    let broken = Account {
        ca_pem: Some("/nowhere/ca.pem".into()),
        ..Account::anonymous("other.example")
    };
    let sound = Account {
        scheme: Scheme::PlainHttp,
        ..Account::anonymous(server.host())
    };
    let client = Client::with_limits(vec![broken, sound], clock(), limits()).unwrap();
    let list = async |image: String| {
        let image: Image = image.parse().unwrap();
        let account = client.account_for(&image, Access::All);
        client.tags(&image, account).await
    };
    let error = list("other.example/acme/shop".to_owned())
        .await
        .unwrap_err();
    let words = error.words();
    assert!(
        words.contains("/nowhere/ca.pem for other.example can't be read"),
        "{words}"
    );
    assert!(!error.is_retryable());
    let listing = list(format!("{}/acme/shop", server.host())).await.unwrap();
    assert_eq!(listing.tags.len(), 1);
}
