//! An HTTP server that runs Git's own `git http-backend` as CGI (RFC 3875), over TLS or plain, and
//! misbehaves when told to. One thread a connection, one request a connection.

#![expect(
    clippy::unwrap_used,
    reason = "helpers of tests fail by panicking, as tests do"
)]

use std::io::{BufRead as _, BufReader, Read, Write};
use std::net::{TcpListener, TcpStream};
use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::sync::{Arc, Mutex};

/// What the server does with requests.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub enum Behaviour {
    /// Serves.
    #[default]
    Serve,
    /// Does the work of POST requests, but sends half of the answer and hangs up.
    CutResult,
    /// Sends half of the list of references and hangs up.
    CutAdvertisement,
    /// Answers with this status line, content type and text.
    Answer(&'static str, &'static str, &'static str),
    /// As [`Behaviour::Answer`], but to POST requests only.
    AnswerPost(&'static str, &'static str, &'static str),
    /// Answers POST requests with these lines as the report of a push, without doing anything.
    Report(Vec<&'static [u8]>),
    /// Answers POST requests with this pack, whatever was asked for.
    Pack(Vec<u8>),
    /// Redirects requests that don't start with `/moved` there, on this or another host.
    Redirect(String),
}

/// A running server. Its threads end with the test process.
pub struct GitServer {
    /// The repository's URL.
    pub url: String,
    behaviour: Arc<Mutex<Behaviour>>,
    requests: Arc<Mutex<Vec<String>>>,
}

/// What a connection needs.
#[derive(Clone)]
struct Site {
    root: PathBuf,
    login: Option<&'static str>,
    interface: Option<Arc<dyn Interface>>,
    behaviour: Arc<Mutex<Behaviour>>,
    requests: Arc<Mutex<Vec<String>>>,
}

struct Request {
    method: String,
    target: String,
    headers: Vec<(String, String)>,
    body: Vec<u8>,
}

/// What a forge serves beside its repositories.
pub trait Interface: Send + Sync {
    /// The status line and JSON for a request: its target, its bearer token and its body.
    fn answer(&self, target: &str, bearer: &str, body: &[u8]) -> (&'static str, String);

    /// Whether this value of Basic, in base64, lets in.
    fn lets_in(&self, basic: &str) -> bool;
}

impl GitServer {
    /// Serves the repositories in `root` on loopback. `login` is what Basic must carry, in base64.
    /// With TLS, the authority's certificate is written to `root/ca.pem`.
    pub fn start(root: &Path, tls: bool, login: Option<&'static str>) -> Self {
        Self::start_as(root, tls, login, None)
    }

    /// Serves the repositories in `root` with a forge's interface beside them, whose tokens let in.
    pub fn start_with(root: &Path, interface: Arc<dyn Interface>) -> Self {
        Self::start_as(root, false, None, Some(interface))
    }

    fn start_as(
        root: &Path,
        tls: bool,
        login: Option<&'static str>,
        interface: Option<Arc<dyn Interface>>,
    ) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap();
        let tls = tls.then(|| tls_config(&root.join("ca.pem")));
        let scheme = if tls.is_some() { "https" } else { "http" };
        let server = Self {
            url: format!("{scheme}://{address}/remote.git"),
            behaviour: Arc::default(),
            requests: Arc::default(),
        };
        let site = Site {
            root: root.to_owned(),
            login,
            interface,
            behaviour: server.behaviour.clone(),
            requests: server.requests.clone(),
        };
        std::thread::spawn(move || {
            for stream in listener.incoming().map_while(Result::ok) {
                let (site, tls) = (site.clone(), tls.clone());
                std::thread::spawn(move || serve(&site, stream, tls));
            }
        });
        server
    }

    /// Changes what the server does from now on.
    pub fn set(&self, behaviour: Behaviour) {
        *self.behaviour.lock().unwrap() = behaviour;
    }

    /// The requests so far, as `METHOD TARGET`.
    pub fn requests(&self) -> Vec<String> {
        self.requests.lock().unwrap().clone()
    }
}

/// A fresh authority, whose certificate is written to `ca_file`, and a server certificate by it.
fn tls_config(ca_file: &Path) -> Arc<rustls::ServerConfig> {
    let mut params = rcgen::CertificateParams::new(Vec::new()).unwrap();
    params.is_ca = rcgen::IsCa::Ca(rcgen::BasicConstraints::Unconstrained);
    let key = rcgen::KeyPair::generate().unwrap();
    std::fs::write(ca_file, params.self_signed(&key).unwrap().pem()).unwrap();
    let authority = rcgen::Issuer::new(params, key);
    let key = rcgen::KeyPair::generate().unwrap();
    let params = rcgen::CertificateParams::new(vec!["127.0.0.1".to_owned()]).unwrap();
    let certificate = params.signed_by(&key, &authority).unwrap();
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let config = rustls::ServerConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_no_client_auth()
        .with_single_cert(
            vec![certificate.der().clone()],
            rustls::pki_types::PrivateKeyDer::try_from(key.serialize_der()).unwrap(),
        )
        .unwrap();
    Arc::new(config)
}

fn serve(site: &Site, stream: TcpStream, tls: Option<Arc<rustls::ServerConfig>>) {
    match tls {
        Some(config) => {
            let session = rustls::ServerConnection::new(config).unwrap();
            let mut stream = rustls::StreamOwned::new(session, stream);
            answer(site, &mut stream);
            stream.conn.send_close_notify();
            let _ = stream.flush();
        }
        None => answer(site, &mut { stream }),
    }
}

/// Reads one request and answers it; a client that hangs up is not our business.
fn answer(site: &Site, stream: &mut (impl Read + Write)) {
    let Some(request) = read_request(stream) else {
        return;
    };
    let line = format!("{} {}", request.method, request.target);
    site.requests.lock().unwrap().push(line);
    let behaviour = site.behaviour.lock().unwrap().clone();
    let post = request.method == "POST";
    let response = match behaviour {
        _ if request.target.starts_with("/api/") => interface(site, &request),
        Behaviour::Answer(status, kind, text) => page(status, kind, text),
        Behaviour::AnswerPost(status, kind, text) if post => page(status, kind, text),
        Behaviour::Report(lines) if post => report(&lines),
        Behaviour::Pack(pack) if post => fetched(&pack),
        Behaviour::Redirect(place) if !request.target.starts_with("/moved") => {
            let location = format!("{place}{}", request.target);
            format!("HTTP/1.1 301 Moved\r\nlocation: {location}\r\ncontent-length: 0\r\nconnection: close\r\n\r\n").into_bytes()
        }
        _ if !let_in(site, &request) => page(
            "401 Unauthorized\r\nwww-authenticate: Basic realm=\"git\"",
            "text/plain",
            "who are you?",
        ),
        _ => backend(site, &request),
    };
    let cut = matches!(
        (&*site.behaviour.lock().unwrap(), post),
        (Behaviour::CutResult, true) | (Behaviour::CutAdvertisement, false)
    );
    let end = if cut {
        response.len() - response.len() / 8 - 8
    } else {
        response.len()
    };
    let _ = stream.write_all(&response[..end]);
    let _ = stream.flush();
}

fn read_request(stream: &mut impl Read) -> Option<Request> {
    let mut reader = BufReader::new(stream);
    let mut line = String::new();
    reader.read_line(&mut line).ok().filter(|&n| n > 0)?;
    let mut words = line.split_whitespace().map(str::to_owned);
    let (method, target) = (words.next()?, words.next()?);
    let mut headers = Vec::new();
    loop {
        let mut line = String::new();
        reader.read_line(&mut line).ok()?;
        let Some((name, value)) = line.trim_end().split_once(": ") else {
            break;
        };
        headers.push((name.to_lowercase(), value.to_owned()));
    }
    let request = Request {
        method,
        target,
        headers,
        body: Vec::new(),
    };
    let length = request
        .header("content-length")
        .map_or(0, |length| length.parse().unwrap());
    let mut body = vec![0; length];
    reader.read_exact(&mut body).ok()?;
    Some(Request { body, ..request })
}

impl Request {
    fn header(&self, name: &str) -> Option<&str> {
        let found = self.headers.iter().find(|(header, _)| header == name);
        found.map(|(_, value)| value.as_str())
    }
}

fn let_in(site: &Site, request: &Request) -> bool {
    let given = request
        .header("authorization")
        .and_then(|value| value.strip_prefix("Basic "));
    match &site.interface {
        Some(interface) => given.is_some_and(|basic| interface.lets_in(basic)),
        None => site.login.is_none() || site.login == given,
    }
}

fn interface(site: &Site, request: &Request) -> Vec<u8> {
    let bearer = request
        .header("authorization")
        .and_then(|value| value.strip_prefix("Bearer "));
    let interface = site.interface.as_ref().unwrap();
    let (status, text) = interface.answer(&request.target, bearer.unwrap_or(""), &request.body);
    page(status, "application/json", text)
}

fn page(status: &str, kind: &str, text: impl AsRef<[u8]>) -> Vec<u8> {
    let text = text.as_ref();
    let length = text.len();
    let head = format!(
        "HTTP/1.1 {status}\r\ncontent-type: {kind}\r\ncontent-length: {length}\r\nconnection: close\r\n\r\n"
    );
    [head.as_bytes(), text].concat()
}

/// A push's report on the first side band (`git help protocol-pack`, "Report Status").
fn report(lines: &[&[u8]]) -> Vec<u8> {
    let mut inner: Vec<u8> = lines.iter().flat_map(|line| packet(line)).collect();
    inner.extend_from_slice(b"0000");
    let body = [packet(&[&b"\x01"[..], &inner].concat()), b"0000".to_vec()].concat();
    page("200 OK", "application/x-git-receive-pack-result", body)
}

/// A fetch's pack on the first side band (`git help protocol-pack`, "Packfile Data"); one packet's worth.
fn fetched(pack: &[u8]) -> Vec<u8> {
    let band = packet(&[b"\x01", pack].concat());
    let body = [packet(b"NAK\n"), band, b"0000".to_vec()].concat();
    page("200 OK", "application/x-git-upload-pack-result", body)
}

fn packet(line: &[u8]) -> Vec<u8> {
    [format!("{:04x}", line.len() + 4).as_bytes(), line].concat()
}

/// Runs the request through `git http-backend`.
fn backend(site: &Site, request: &Request) -> Vec<u8> {
    let target = request
        .target
        .strip_prefix("/moved")
        .unwrap_or(&request.target);
    let (path, query) = target.split_once('?').unwrap_or((target, ""));
    let mut child = crate::git_world::git(&site.root.join("home"))
        .arg("http-backend")
        .env("GIT_PROJECT_ROOT", &site.root)
        .env("GIT_HTTP_EXPORT_ALL", "1")
        .env("PATH_INFO", path)
        .env("QUERY_STRING", query)
        .env("REQUEST_METHOD", &request.method)
        .env("REMOTE_USER", "bot")
        .env("REMOTE_ADDR", "127.0.0.1")
        .env(
            "CONTENT_TYPE",
            request.header("content-type").unwrap_or_default(),
        )
        .env("CONTENT_LENGTH", request.body.len().to_string())
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .spawn()
        .unwrap();
    let mut stdin = child.stdin.take().unwrap();
    let body = request.body.clone();
    let writer = std::thread::spawn(move || stdin.write_all(&body));
    let output = child.wait_with_output().unwrap().stdout;
    let _ = writer.join().unwrap();
    from_cgi(&output)
}

/// A CGI response (RFC 3875 6) as an HTTP response.
fn from_cgi(output: &[u8]) -> Vec<u8> {
    let end = output
        .windows(4)
        .position(|four| four == b"\r\n\r\n")
        .unwrap_or(output.len());
    let head = String::from_utf8_lossy(&output[..end]).into_owned();
    let body = output.get(end + 4..).unwrap_or_default();
    let mut status = "200 OK";
    let mut headers = String::new();
    for line in head.lines() {
        match line.strip_prefix("Status: ") {
            Some(other) => status = other,
            None => headers.push_str(&format!("{line}\r\n")),
        }
    }
    let length = body.len();
    let mut response = format!(
        "HTTP/1.1 {status}\r\n{headers}content-length: {length}\r\nconnection: close\r\n\r\n"
    )
    .into_bytes();
    response.extend_from_slice(body);
    response
}
