//! A scripted HTTP server: every request goes to a function of the test, and the reply goes out as
//! told, cut, endless or never, which frameworks refuse to do.
//!
//! It speaks HTTP/1.1 on loopback, one request per connection, and notes what it was asked.

#![expect(
    clippy::unwrap_used,
    reason = "what a test can't set up is a failure of that test"
)]

use std::fmt::Write as _;
use std::net::SocketAddr;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};

use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};

/// A request as it came.
#[derive(Debug, Clone)]
pub struct Request {
    /// The method.
    pub method: String,
    /// Path and query.
    pub target: String,
    headers: Vec<(String, String)>,
    /// The body.
    pub body: String,
}

impl Request {
    /// The first header of this lower-case name.
    pub fn header(&self, name: &str) -> Option<&str> {
        let found = self.headers.iter().find(|(known, _)| known == name);
        found.map(|(_, value)| value.as_str())
    }

    /// The path without the query.
    pub fn path(&self) -> &str {
        self.target.split('?').next().unwrap_or_default()
    }

    /// A value of the query; the tests' values need no decoding.
    pub fn query(&self, name: &str) -> Option<&str> {
        self.queries(name).into_iter().next()
    }

    /// All values of this name in the query.
    pub fn queries(&self, name: &str) -> Vec<&str> {
        let (_, query) = self.target.split_once('?').unwrap_or_default();
        let pairs = query.split('&').filter_map(|pair| pair.split_once('='));
        pairs
            .filter(|(known, _)| *known == name)
            .map(|(_, value)| value)
            .collect()
    }
}

/// What follows the headers.
#[derive(Debug, Clone)]
pub enum Body {
    /// All of it.
    Whole(Vec<u8>),
    /// Less than announced, then the end of the connection.
    Cut(Vec<u8>),
    /// This, then silence until the client leaves.
    Silence(Vec<u8>),
    /// This, then the second text again and again until the client leaves.
    Endless(Vec<u8>, Vec<u8>),
}

/// A reply to send.
#[derive(Debug, Clone)]
pub struct Reply {
    status: u16,
    headers: Vec<(&'static str, String)>,
    body: Body,
}

impl Reply {
    /// A reply of JSON.
    pub fn json(status: u16, body: impl Into<String>) -> Self {
        Self::with(status, Body::Whole(body.into().into_bytes()))
            .header("content-type", "application/json")
    }

    /// A list of tags.
    pub fn tags<T: AsRef<str>>(tags: &[T]) -> Self {
        let tags: Vec<&str> = tags.iter().map(AsRef::as_ref).collect();
        Self::json(
            200,
            serde_json::json!({"name": "acme/shop", "tags": tags}).to_string(),
        )
    }

    /// A reply with any body.
    pub fn with(status: u16, body: Body) -> Self {
        Self {
            status,
            headers: Vec::new(),
            body,
        }
    }

    /// The same with one more header.
    #[must_use]
    pub fn header(mut self, name: &'static str, value: impl Into<String>) -> Self {
        self.headers.push((name, value.into()));
        self
    }
}

/// The running server; it ends with the test's runtime.
pub struct Server {
    address: SocketAddr,
    seen: Arc<Mutex<Vec<Request>>>,
    written: Arc<AtomicUsize>,
}

impl Server {
    /// Starts a server that answers as `answer` says, which gets the request and the number of those
    /// before it.
    pub async fn start(answer: impl Fn(&Request, usize) -> Reply + Send + Sync + 'static) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let (seen, written) = (Arc::default(), Arc::default());
        let server = Self {
            address,
            seen: Arc::clone(&seen),
            written: Arc::clone(&written),
        };
        let answer = Arc::new(answer);
        tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                let (seen, written) = (Arc::clone(&seen), Arc::clone(&written));
                let answer = Arc::clone(&answer);
                // A client that leaves early is what some tests are about.
                tokio::spawn(async move { serve(stream, &*answer, &seen, &written).await.ok() });
            }
        });
        server
    }

    /// `127.0.0.1:PORT`.
    pub fn host(&self) -> String {
        self.address.to_string()
    }

    /// All requests so far.
    pub fn seen(&self) -> Vec<Request> {
        self.seen.lock().unwrap().clone()
    }

    /// The targets of all requests so far.
    pub fn targets(&self) -> Vec<String> {
        self.seen()
            .into_iter()
            .map(|request| request.target)
            .collect()
    }

    /// How many bytes of bodies were accepted by clients' connections so far.
    pub fn written(&self) -> usize {
        self.written.load(Ordering::SeqCst)
    }
}

async fn serve(
    mut stream: TcpStream,
    answer: &(dyn Fn(&Request, usize) -> Reply + Send + Sync),
    seen: &Mutex<Vec<Request>>,
    written: &AtomicUsize,
) -> std::io::Result<()> {
    let Some(request) = read(&mut stream).await? else {
        return Ok(());
    };
    let reply = {
        let mut seen = seen.lock().unwrap();
        let reply = answer(&request, seen.len());
        seen.push(request.clone());
        reply
    };
    stream.write_all(head(&reply).as_bytes()).await?;
    if request.method == "HEAD" {
        return stream.shutdown().await;
    }
    match reply.body {
        Body::Whole(body) | Body::Cut(body) => stream.write_all(&body).await?,
        Body::Silence(body) => {
            stream.write_all(&body).await?;
            stream.read_to_end(&mut Vec::new()).await?;
        }
        Body::Endless(body, more) => {
            stream.write_all(&body).await?;
            loop {
                stream.write_all(&more).await?;
                written.fetch_add(more.len(), Ordering::SeqCst);
            }
        }
    }
    stream.shutdown().await
}

fn head(reply: &Reply) -> String {
    let mut head = format!(
        "HTTP/1.1 {} Scripted\r\nconnection: close\r\n",
        reply.status
    );
    for (name, value) in &reply.headers {
        write!(head, "{name}: {value}\r\n").unwrap();
    }
    match &reply.body {
        Body::Whole(body) => write!(head, "content-length: {}\r\n", body.len()).unwrap(),
        Body::Cut(body) => write!(head, "content-length: {}\r\n", body.len() + 100).unwrap(),
        Body::Silence(_) | Body::Endless(..) => {}
    }
    head + "\r\n"
}

async fn read(stream: &mut TcpStream) -> std::io::Result<Option<Request>> {
    let mut bytes: Vec<u8> = Vec::new();
    let end = loop {
        // What a server without TLS says to a client that starts with a TLS handshake.
        if bytes
            .first()
            .is_some_and(|first| !first.is_ascii_uppercase())
        {
            let answer = b"HTTP/1.1 400 Bad Request\r\nconnection: close\r\n\r\n";
            stream.write_all(answer).await?;
            return Ok(None);
        }
        if let Some(at) = bytes.windows(4).position(|window| window == b"\r\n\r\n") {
            break at;
        }
        if stream.read_buf(&mut bytes).await? == 0 {
            return Ok(None);
        }
    };
    let head = String::from_utf8_lossy(&bytes[..end]).into_owned();
    let mut lines = head.split("\r\n");
    let mut words = lines.next().unwrap_or_default().split(' ');
    let method = words.next().unwrap_or_default().to_owned();
    let target = words.next().unwrap_or_default().to_owned();
    let headers: Vec<_> = lines
        .filter_map(|line| line.split_once(": "))
        .map(|(name, value)| (name.to_ascii_lowercase(), value.to_owned()))
        .collect();
    let length = headers.iter().find(|(name, _)| name == "content-length");
    let length = length.map_or(0, |(_, value)| value.parse().unwrap());
    let mut body = bytes.split_off(end + 4);
    while body.len() < length && stream.read_buf(&mut body).await? > 0 {}
    let body = String::from_utf8_lossy(&body).into_owned();
    Ok(Some(Request {
        method,
        target,
        headers,
        body,
    }))
}
