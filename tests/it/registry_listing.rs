//! Listing tags: to the last page of registries that page in every known way, and never a short list.

#![expect(
    clippy::unwrap_used,
    reason = "what a test can't set up is a failure of that test"
)]

use std::sync::Arc;
use std::time::Duration;

use tagwright::clock::Clock;
use tagwright::image::Image;
use tagwright::registry::{Access, Account, Client, Error, Fault, Limits, Listing, Scheme};

use crate::fake_server::{Body, Reply, Request, Server};

const PATH: &str = "/v2/acme/shop/tags/list";

fn limits() -> Limits {
    Limits {
        backoff: Duration::from_millis(1),
        ..Limits::default()
    }
}

async fn list_within(host: &str, limits: Limits) -> Result<Listing, Error> {
    let account = Account {
        scheme: Scheme::PlainHttp,
        ..Account::anonymous(host)
    };
    let client = Client::with_limits(vec![account], Clock::system(), limits).unwrap();
    let image: Image = format!("{host}/acme/shop").parse().unwrap();
    client
        .tags(&image, client.account_for(&image, Access::All))
        .await
}

async fn list(server: &Server) -> Result<Listing, Error> {
    list_within(&server.host(), limits()).await
}

/// The fault of a listing that must fail.
async fn fault(server: &Server) -> Fault {
    fault_of(list(server).await)
}

fn fault_of(result: Result<Listing, Error>) -> Fault {
    match result.unwrap_err() {
        Error::Tags { source, .. } => *source,
        other => panic!("{other:?}"),
    }
}

fn names(listing: &Listing) -> Vec<&str> {
    listing.tags.iter().map(|tag| tag.as_str()).collect()
}

/// Seven tags, two a page; `link` writes the header that leads on from a last tag.
async fn paging(
    link: impl Fn(&str) -> String + Send + Sync + 'static,
    path: &'static str,
) -> Server {
    const TAGS: [&str; 7] = ["a", "b", "c", "d", "e", "f", "g"];
    Server::start(move |request, _| {
        let place = request.query("last").or(request.query("token"));
        if request.path() != PATH && request.path() != path {
            return Reply::json(400, "{}");
        }
        let rest = TAGS
            .iter()
            .filter(|tag| place.is_none_or(|place| **tag > place));
        let rest: Vec<_> = rest.copied().collect();
        let page = &rest[..rest.len().min(2)];
        let reply = Reply::tags(page);
        if rest.len() > 2 {
            reply.header("link", link(page[1]))
        } else {
            reply
        }
    })
    .await
}

#[tokio::test]
async fn links_are_followed_in_every_form() {
    type Form = fn(&str) -> String;
    let forms: [(&str, Form); 9] = [
        ("relative", |last| {
            format!("<{PATH}?last={last}&n=2>; rel=\"next\"")
        }),
        ("query only", |last| format!("<?last={last}&n=2>; rel=next")),
        ("opaque", |last| {
            format!("<{PATH}?token={last}>; rel=\"next\"")
        }),
        ("ordered", |last| {
            format!("<{PATH}?last={last}&n=2&orderby=>; rel=\"next\"")
        }),
        ("outer path", |last| {
            format!("</repository/x{PATH}?last={last}&n=2>; rel=\"next\"")
        }),
        ("missing prefix", |last| {
            format!("</v2/shop/tags/list?n=2&last={last}>; rel=\"next\"")
        }),
        ("opaque to an outer path", |last| {
            format!("</repository/x{PATH}?token={last}>; rel=\"next\"")
        }),
        ("opaque to another path", |last| {
            format!("</pages?token={last}>; rel=\"next\"")
        }),
        ("among others", |last| {
            format!("<x>; rel=\"first\", <{PATH}?last={last}>; rel=\"next\"")
        }),
    ];
    for (form, link) in forms {
        let server = paging(link, "/pages").await;
        let listing = list(&server).await.unwrap();
        assert_eq!(
            names(&listing),
            ["a", "b", "c", "d", "e", "f", "g"],
            "{form}"
        );
        assert_eq!(server.targets()[0], format!("{PATH}?n=1000"));
        assert_eq!(listing.requests as usize, server.seen().len(), "{form}");
    }
}

#[tokio::test]
async fn absolute_links_stay_at_the_origin() {
    // The port is known only once the server runs, so the request's own host header is used.
    let server = Server::start(|request, count| {
        let host = request.header("host").unwrap();
        match count {
            0 => Reply::tags(&["b"])
                .header("link", format!("<http://{host}{PATH}?token=1>; rel=next")),
            _ => Reply::tags(&["a"]),
        }
    })
    .await;
    assert_eq!(names(&list(&server).await.unwrap()), ["a", "b"]);
}

#[tokio::test]
async fn links_to_another_server_are_not_followed() {
    let other = Arc::new(Server::start(|_, _| Reply::tags(&["evil"])).await);
    let at = Arc::clone(&other);
    let server = Server::start(move |_, _| {
        let link = format!("<http://{}{PATH}?last=a&n=1>; rel=\"next\"", at.host());
        Reply::tags(&["a"]).header("link", link)
    })
    .await;
    let fault = fault(&server).await;
    assert!(
        matches!(&fault, Fault::IncompleteListing { reason, .. } if reason.contains("another server")),
        "{fault}"
    );
    assert!(other.seen().is_empty());
}

#[tokio::test]
async fn links_that_make_no_sense_are_no_end() {
    for link in [
        "nonsense",
        "<http://[>; rel=next",
        "<gopher://x/>; rel=next",
        "<\u{7f}é>; rel=next",
    ] {
        let server = Server::start(move |_, _| Reply::tags(&["a"]).header("link", link)).await;
        let fault = fault(&server).await;
        assert!(
            matches!(
                fault,
                Fault::IncompleteListing { .. } | Fault::Unreachable { .. }
            ),
            "{link}: {fault}"
        );
    }
}

/// `count` tags of equal length, in order.
fn many(count: usize) -> Vec<String> {
    (0..count).map(|n| format!("v{n:05}")).collect()
}

#[tokio::test]
async fn without_links_a_full_page_is_asked_about_once_more() {
    /// Which names a registry sends, given all of them.
    type Way = fn(&Request, &[String]) -> Vec<String>;
    let ignores: Way = |_, all| all.to_vec();
    let honours: Way = |request, all| {
        let last = request.query("last").unwrap_or_default();
        let rest = all.iter().filter(|tag| tag.as_str() > last);
        rest.take(1000).cloned().collect()
    };
    for (way, count, requests) in [
        (ignores, 0, 1),
        (ignores, 999, 1),
        (ignores, 1000, 2),
        (ignores, 5000, 1),
        (honours, 999, 1),
        (honours, 1000, 2),
        (honours, 1500, 2),
        (honours, 3000, 4),
    ] {
        let server =
            Server::start(move |request, _| Reply::tags(&way(request, &many(count)))).await;
        let listing = list(&server).await.unwrap();
        assert_eq!(names(&listing), many(count), "{count}");
        assert_eq!(listing.requests, requests, "{count}");
    }
}

#[tokio::test]
async fn a_failing_later_page_makes_the_listing_fail() {
    for status in [400, 404, 410] {
        let server = Server::start(move |request, _| match request.query("last") {
            None => Reply::tags(&["a"]).header("link", "<?last=a&n=1>; rel=next"),
            Some(_) => Reply::json(status, "{}"),
        })
        .await;
        let fault = fault(&server).await;
        assert!(
            matches!(&fault, Fault::IncompleteListing { reason, .. } if reason.contains(&status.to_string())),
            "{fault}"
        );
    }
}

#[tokio::test]
async fn a_refused_page_size_is_left_to_the_registry() {
    const REFUSAL: &str = r#"{"errors":[{"code":"PAGINATION_NUMBER_INVALID","message":"invalid number of results requested","detail":{"n":1000}}]}"#;
    // As distribution with `maxtags`: it lists all without `n`, and pages of up to 100 with it.
    let server = Server::start(|request, _| match request.query("n") {
        None => Reply::tags(&many(1000)),
        Some(_) => Reply::json(400, REFUSAL),
    })
    .await;
    assert_eq!(names(&list(&server).await.unwrap()), many(1000));
    assert_eq!(
        server.targets(),
        [format!("{PATH}?n=1000"), PATH.to_owned()],
        "without a size of ours, a page of that size is not a full one"
    );
    let paging = Server::start(|request, _| {
        let all = ["a", "b", "c"];
        let last = request.query("last").unwrap_or_default();
        match request.query("n") {
            Some("1000") => Reply::json(400, REFUSAL),
            _ if last == "c" => Reply::tags::<&str>(&[]),
            _ => {
                let next = all.iter().find(|tag| **tag > last).unwrap();
                let link = format!("</other{PATH}?last={next}>; rel=next");
                Reply::tags(&[next]).header("link", link)
            }
        }
    })
    .await;
    assert_eq!(names(&list(&paging).await.unwrap()), ["a", "b", "c"]);
    let never = Server::start(|_, _| Reply::json(400, REFUSAL)).await;
    let fault = fault(&never).await;
    assert!(
        matches!(fault, Fault::Unexpected { status: 400, .. }),
        "{fault}"
    );
    assert_eq!(never.seen().len(), 2);
}

#[tokio::test]
async fn a_place_that_is_gone_makes_the_listing_start_again_once() {
    // As zot, where `b` is deleted after the first page that ends with it.
    let server = Server::start(|request, count| match (request.query("last"), count) {
        (None, 0) => Reply::tags(&["a", "b"]).header("link", "<?n=2&last=b>; rel=next"),
        (None, _) => Reply::tags(&["a", "c"]).header("link", "<?n=2&last=c>; rel=next"),
        (Some("c"), _) => Reply::tags(&["d"]),
        _ => Reply::json(404, "{}"),
    })
    .await;
    let listing = list(&server).await.unwrap();
    assert_eq!(
        names(&listing),
        ["a", "c", "d"],
        "what is gone is not listed"
    );
    assert_eq!(listing.requests, 4);
    let always = Server::start(|request, _| match request.query("last") {
        None => Reply::tags(&["a"]).header("link", "<?n=1&last=a>; rel=next"),
        Some(_) => Reply::json(404, "{}"),
    })
    .await;
    assert!(matches!(
        fault(&always).await,
        Fault::IncompleteListing { .. }
    ));
    assert_eq!(always.seen().len(), 4);
}

#[tokio::test]
async fn loops_and_endless_pages_end_in_an_error() {
    let circle = Server::start(|request, _| {
        let next = if request.query("last") == Some("a") {
            "b"
        } else {
            "a"
        };
        Reply::tags::<&str>(&[]).header("link", format!("<?last={next}&n=1>; rel=next"))
    })
    .await;
    assert!(matches!(fault(&circle).await, Fault::PageLoop { .. }));
    let repeats = Server::start(|_, count| {
        Reply::tags(&["a"]).header("link", format!("<?token={count}>; rel=next"))
    })
    .await;
    assert!(matches!(fault(&repeats).await, Fault::PageLoop { .. }));
    assert_eq!(repeats.seen().len(), 2);
    let endless = Server::start(|_, count| {
        Reply::tags(&[format!("v{count}")]).header("link", format!("<?token={count}>; rel=next"))
    })
    .await;
    let few = Limits {
        pages: 5,
        ..limits()
    };
    let fault = fault_of(list_within(&endless.host(), few).await);
    assert!(matches!(fault, Fault::IncompleteListing { .. }), "{fault}");
    assert_eq!(endless.seen().len(), 5);
}

#[tokio::test]
async fn a_gigabyte_of_tags_is_cut_with_an_error() {
    let server = Server::start(|_, _| {
        Reply::with(
            200,
            Body::Endless(b"{\"tags\":[\"a\"".to_vec(), b",\"abcdefgh\"".repeat(6000)),
        )
        .header("content-type", "application/json")
    })
    .await;
    let small = Limits {
        page_bytes: 1 << 20,
        ..limits()
    };
    let fault = fault_of(list_within(&server.host(), small).await);
    assert!(matches!(fault, Fault::TooLarge { .. }), "{fault}");
    // What was read, and what the sockets of both sides hold.
    assert!(server.written() < 64 << 20, "{} bytes", server.written());
}

#[tokio::test]
async fn a_page_that_announces_too_much_is_not_read() {
    let server = Server::start(|_, _| {
        Reply::with(200, Body::Silence(Vec::new()))
            .header("content-length", (1u64 << 30).to_string())
    })
    .await;
    assert!(matches!(fault(&server).await, Fault::TooLarge { .. }));
}

#[tokio::test]
async fn the_listing_as_a_whole_is_bounded() {
    let server = Server::start(|_, count| {
        let tags: Vec<_> = (0..100).map(|n| format!("v{count}-{n}")).collect();
        Reply::tags(&tags).header("link", format!("<?token={count}>; rel=next"))
    })
    .await;
    for small in [
        Limits {
            listing_bytes: 4000,
            ..limits()
        },
        Limits {
            tags: 450,
            ..limits()
        },
    ] {
        let fault = fault_of(list_within(&server.host(), small).await);
        assert!(matches!(fault, Fault::TooLarge { .. }), "{fault}");
    }
    let brief = Limits {
        image: Duration::from_millis(50),
        ..limits()
    };
    let silent = Server::start(|_, _| Reply::with(200, Body::Silence(Vec::new()))).await;
    let fault = fault_of(list_within(&silent.host(), brief).await);
    assert!(matches!(fault, Fault::Timeout { .. }), "{fault}");
}

#[tokio::test]
async fn a_compressed_page_counts_as_what_it_unpacks_to() {
    let Some(gzip) = crate::parts::need("gzip") else {
        return;
    };
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("page");
    let mut bomb = b"{\"tags\":[\"a\"]}".to_vec();
    bomb.resize(16 << 20, b' ');
    for (page, fits) in [(&bomb[..200], true), (&bomb[..], false)] {
        std::fs::write(&file, page).unwrap();
        let packed = std::process::Command::new(&gzip)
            .arg("-c")
            .arg(&file)
            .output();
        let packed = packed.unwrap().stdout;
        assert!(packed.len() < 1 << 20);
        let server = Server::start(move |_, _| {
            Reply::with(200, Body::Whole(packed.clone())).header("content-encoding", "gzip")
        })
        .await;
        let small = Limits {
            page_bytes: 1 << 20,
            ..limits()
        };
        let result = list_within(&server.host(), small).await;
        if fits {
            assert_eq!(names(&result.unwrap()), ["a"]);
            assert_eq!(server.seen()[0].header("accept-encoding"), Some("gzip"));
        } else {
            let fault = fault_of(result);
            assert!(matches!(fault, Fault::TooLarge { .. }), "{fault}");
        }
    }
}

#[tokio::test]
async fn no_tags_differ_from_no_repository() {
    for body in [r#"{"name":"acme/shop","tags":null}"#, r#"{"tags":[]}"#] {
        let server = Server::start(move |_, _| Reply::json(200, body)).await;
        assert_eq!(list(&server).await.unwrap().tags, []);
    }
    let unknown =
        r#"{"errors":[{"code":"NAME_UNKNOWN","message":"repository name not known to registry"}]}"#;
    let server = Server::start(move |_, _| Reply::json(404, unknown)).await;
    let fault = fault(&server).await;
    assert!(matches!(fault, Fault::NotFound { .. }));
    assert!(
        fault
            .to_string()
            .contains("not known to registry (NAME_UNKNOWN)"),
        "{fault}"
    );
}

#[tokio::test]
async fn names_that_are_no_tags_are_left_out_and_told() {
    let server =
        Server::start(|_, _| Reply::tags(&["1.0", "-bad", "a b", "\u{1b}[31m", "1.0"])).await;
    let listing = list(&server).await.unwrap();
    assert_eq!(names(&listing), ["1.0"]);
    assert_eq!(listing.invalid, ["-bad", "a b", "[31m"]);
    assert_eq!(listing.invalid_count, 3);
}

#[tokio::test]
async fn what_no_registry_sends_is_refused() {
    let html = "<!doctype html><title>Sign in</title>";
    let replies = [
        Reply::json(200, html).header("x", "y"),
        Reply::with(200, Body::Whole(b"sign in".to_vec()))
            .header("content-type", "text/html; charset=utf-8"),
        Reply::json(200, r#"{"message":"hello"}"#),
        Reply::json(200, "[]"),
        Reply::json(200, r#"{"tags":[1]}"#),
    ];
    for reply in replies {
        let shown = format!("{reply:?}");
        let server = Server::start(move |_, _| reply.clone()).await;
        let fault = fault(&server).await;
        assert!(
            matches!(fault, Fault::NotARegistry { .. }),
            "{shown}: {fault}"
        );
        assert!(!fault.is_retryable());
    }
}

#[tokio::test]
async fn warnings_are_passed_on_once() {
    let server = Server::start(|_, count| {
        let reply =
            Reply::tags(&[format!("v{count}")]).header("warning", "299 - \"Sunset on Friday\"");
        match count {
            0 => reply.header("link", "<?last=v0&n=1>; rel=next"),
            _ => reply,
        }
    })
    .await;
    assert_eq!(list(&server).await.unwrap().warnings, ["Sunset on Friday"]);
}
