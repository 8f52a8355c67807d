//! The one way to ask, against a server that answers from a script.

use std::sync::Mutex;

use axum::Router;
use axum::body::Body;
use axum::extract::{Request, State};
use axum::response::Response;

use super::*;

/// What was asked of a server that gives the answers of a list, in turn.
#[derive(Default)]
struct Script {
    answers: Mutex<Vec<Response>>,
    asked: Mutex<Vec<Request>>,
}

struct Server {
    script: Arc<Script>,
    url: Url,
}

impl Server {
    async fn start(mut answers: Vec<Response>) -> Self {
        answers.reverse();
        let script = Arc::new(Script {
            answers: Mutex::new(answers),
            asked: Mutex::default(),
        });
        let app = Router::new().fallback(answer).with_state(script.clone());
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://{}/api", listener.local_addr().unwrap());
        tokio::spawn(async move { axum::serve(listener, app).await });
        let url = url.parse().unwrap();
        Self { script, url }
    }

    fn caller(&self, access: Access) -> Caller {
        self.caller_of(access, Clock::system(), &Paces::default())
    }

    fn caller_of(&self, access: Access, clock: Clock, paces: &Paces) -> Caller {
        Caller::new(Means {
            base: self.url.clone(),
            access,
            headers: HeaderMap::new(),
            ca_pem: &[],
            clock,
            paces,
            rules: Rules::GITHUB,
        })
        .unwrap()
    }

    fn asked(&self) -> Vec<String> {
        let asked = self.script.asked.lock().unwrap();
        asked.iter().map(|asked| asked.uri().to_string()).collect()
    }

    fn header(&self, at: usize, name: &str) -> Option<String> {
        let asked = self.script.asked.lock().unwrap();
        let value = asked.get(at)?.headers().get(name)?;
        Some(value.to_str().unwrap().to_owned())
    }
}

async fn answer(State(script): State<Arc<Script>>, request: Request) -> Response {
    script.asked.lock().unwrap().push(request);
    let answer = script.answers.lock().unwrap().pop();
    answer.unwrap_or_else(|| reply(418, &[], "nothing more was expected"))
}

fn reply(status: u16, headers: &[(&str, &str)], body: &str) -> Response {
    let builder = Response::builder().status(status);
    let with = headers.iter().fold(builder, |builder, (name, value)| {
        builder.header(*name, *value)
    });
    with.body(Body::from(body.to_owned())).unwrap()
}

fn look<'a>() -> Ask<'a> {
    Ask::new(Method::GET, "look", &["things"]).query("all", "true")
}

#[test]
fn segments_and_queries_are_escaped() {
    let base: Url = "https://git.example.com/api/v4/".parse().unwrap();
    let ask = Ask::new(Method::GET, "look", &["projects", "a/b c", "x?y#z"])
        .query("q", "a&b=c")
        .query("page", "2");
    let wanted = "https://git.example.com/api/v4/projects/a%2Fb%20c/x%3Fy%23z?q=a%26b%3Dc&page=2";
    assert_eq!(ask.url(&base).as_str(), wanted);
    for (base, wanted) in [
        ("https://h/api/v3/", "https://h/api/graphql"),
        ("https://h/api/v3", "https://h/api/graphql"),
        ("https://h/", "https://h/graphql"),
    ] {
        let ask = Ask::new(Method::POST, "look", &["graphql"]).beside();
        assert_eq!(ask.url(&base.parse().unwrap()).as_str(), wanted, "{base}");
    }
}

#[tokio::test]
async fn every_way_to_sign_in_is_sent() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("token");
    std::fs::write(&path, "s3cret\n").unwrap();
    let secret = Secret::File(path.clone());
    let authorization = reqwest::header::AUTHORIZATION;
    let private = HeaderName::from_static("private-token");
    for (access, name, wanted) in [
        (Access::Anonymous, "authorization", None),
        (
            Access::Header(authorization, "Bearer ", secret.clone()),
            "authorization",
            Some("Bearer s3cret"),
        ),
        (
            Access::Header(private, "", secret.clone()),
            "private-token",
            Some("s3cret"),
        ),
        (
            Access::Basic(String::new(), secret),
            "authorization",
            Some("Basic OnMzY3JldA=="),
        ),
    ] {
        let server = Server::start(vec![reply(200, &[], "[]")]).await;
        let found: Vec<u8> = server.caller(access).read(&look()).await.unwrap();
        assert!(found.is_empty());
        assert_eq!(server.header(0, name).as_deref(), wanted);
    }
}

#[tokio::test]
async fn a_token_that_is_none_is_not_sent_and_not_shown() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("token");
    std::fs::write(&path, "s3\ncret").unwrap();
    let authorization = reqwest::header::AUTHORIZATION;
    let access = Access::Header(authorization, "Bearer ", Secret::File(path.clone()));
    let server = Server::start(Vec::new()).await;
    let caller = server.caller(access);
    let error = caller.ask(&look()).await.unwrap_err();
    assert!(matches!(error, Error::Unauthorized { .. }));
    assert!(!format!("{error} {error:?}").contains("cret\""));
    std::fs::remove_file(path).unwrap();
    let error = caller.ask(&look()).await.unwrap_err();
    assert!(matches!(error, Error::Secret { .. }));
    assert!(server.asked().is_empty());
}

#[tokio::test]
async fn all_pages_are_read_and_none_leads_elsewhere() {
    let next = |to: &str| [("link", format!("<{to}>; rel=\"next\", <x>; rel=\"last\""))];
    let page = |to: &str, body: &str| {
        let [(name, value)] = next(to);
        reply(200, &[(name, &value)], body)
    };
    let server = Server::start(vec![
        page("https://elsewhere.example/steal?all=true&page=2", "[1,2]"),
        page("/other?page=3", "[3]"),
        reply(200, &[], "[4]"),
    ])
    .await;
    let caller = server.caller(Access::Anonymous);
    let all: Vec<u8> = caller.all(&look(), Reply::linked).await.unwrap();
    assert_eq!(all, [1, 2, 3, 4]);
    let wanted = ["all=true", "all=true&page=2", "page=3"].map(|q| format!("/api/things?{q}"));
    assert_eq!(server.asked(), wanted);
}

#[tokio::test]
async fn a_listing_without_end_is_an_error() {
    let mut answers: Vec<_> = (0..MAX_PAGES + 5)
        .map(|n| {
            let link = format!("<?page={n}>; rel=next");
            reply(200, &[("link", &link)], "[0]")
        })
        .collect();
    let server = Server::start(std::mem::take(&mut answers)).await;
    let caller = server.caller(Access::Anonymous);
    let error = caller.all::<u8>(&look(), Reply::linked).await.unwrap_err();
    assert!(matches!(error, Error::Garbled { .. }), "{error}");
    assert_eq!(server.asked().len(), MAX_PAGES);

    let same = || reply(200, &[("link", "<?page=2>; rel=next")], "[0]");
    let server = Server::start((0..9).map(|_| same()).collect()).await;
    let caller = server.caller(Access::Anonymous);
    assert!(caller.all::<u8>(&look(), Reply::linked).await.is_err());
    assert_eq!(server.asked().len(), 2);
}

#[tokio::test]
async fn statuses_become_errors() {
    let said = r#"{"message":"the\u001b[1m reason"}"#;
    for (status, kind, is_retryable) in [
        (301, "Refused", false),
        (400, "Refused", false),
        (401, "Unauthorized", false),
        (403, "Forbidden", false),
        (404, "Forbidden", false),
        (409, "Refused", false),
        (429, "Limited", true),
        (500, "Refused", true),
    ] {
        let server = Server::start(vec![reply(status, &[], said)]).await;
        let error = server
            .caller(Access::Anonymous)
            .ask(&look())
            .await
            .unwrap_err();
        assert!(format!("{error:?}").starts_with(kind), "{status} {error:?}");
        assert_eq!(error.is_retryable(), is_retryable, "{status}");
        assert_eq!(
            error.to_string().contains("the [1m reason"),
            status != 429,
            "{error}"
        );
    }
    let server = Server::start(vec![reply(409, &[], said)]).await;
    let caller = server.caller(Access::Anonymous);
    let accepted = caller.ask(&look().accept(&[409])).await.unwrap();
    assert_eq!(
        (accepted.status, accepted.words().as_str()),
        (409, "the [1m reason")
    );
}

#[tokio::test]
async fn what_can_t_be_understood_is_garbled() {
    for body in ["", "<html>", "[1", "{}"] {
        let server = Server::start(vec![reply(200, &[], body)]).await;
        let caller = server.caller(Access::Anonymous);
        let error = caller.read::<Vec<u8>>(&look()).await.unwrap_err();
        assert!(matches!(error, Error::Garbled { .. }), "{body}: {error}");
    }
    let huge = " ".repeat(MAX_ANSWER + 1);
    let server = Server::start(vec![reply(200, &[], &huge)]).await;
    let error = server
        .caller(Access::Anonymous)
        .ask(&look())
        .await
        .unwrap_err();
    assert!(error.to_string().contains("bytes"), "{error}");
}

#[tokio::test]
async fn a_server_that_is_not_there_is_unreachable() {
    let server = Server::start(Vec::new()).await;
    let mut caller = server.caller(Access::Anonymous);
    // Nothing listens on the discard port.
    caller.base = "http://127.0.0.1:9/".parse().unwrap();
    let error = caller.ask(&look()).await.unwrap_err();
    assert!(matches!(error, Error::Unreachable { .. }) && error.is_retryable());
}

#[tokio::test]
async fn a_host_that_asks_for_peace_is_left_alone_by_all() {
    let start: Timestamp = "2026-01-02T03:04:05Z".parse().unwrap();
    let (clock, paces) = (Clock::by_hand(start), Paces::default());
    let refusal = reply(403, &[("retry-after", "30")], r#"{"message":"slow down"}"#);
    let server = Server::start(vec![refusal, reply(200, &[], "[7]")]).await;
    let caller = || server.caller_of(Access::Anonymous, clock.clone(), &paces);
    let (one, other) = (caller(), caller());
    let until = |error| match error {
        Error::Limited { until, .. } => until.duration_since(start).as_secs(),
        other => panic!("{other}"),
    };
    assert_eq!(until(one.ask(&look()).await.unwrap_err()), 30);
    clock.advance(jiff::SignedDuration::from_secs(29));
    assert_eq!(until(other.ask(&look()).await.unwrap_err()), 30);
    assert_eq!(server.asked().len(), 1);
    clock.advance(jiff::SignedDuration::from_secs(1));
    assert_eq!(other.read::<Vec<u8>>(&look()).await.unwrap(), [7]);
}

#[tokio::test]
async fn what_did_not_change_is_not_sent_again() {
    let tagged = [("etag", "W/\"1\"")];
    let server = Server::start(vec![
        reply(200, &tagged, "[1]"),
        reply(304, &tagged, ""),
        reply(200, &[("etag", "W/\"2\"")], "[2]"),
    ])
    .await;
    let caller = server.caller(Access::Anonymous);
    for wanted in [1, 1, 2] {
        assert_eq!(caller.read::<Vec<u8>>(&look()).await.unwrap(), [wanted]);
    }
    assert_eq!(server.header(0, "if-none-match"), None);
    assert_eq!(
        server.header(1, "if-none-match").as_deref(),
        Some("W/\"1\"")
    );
}
