//! The proxy that the environment names is used for everything but this machine.

#![expect(
    clippy::unwrap_used,
    reason = "helpers of tests fail by panicking, as tests do"
)]

use std::io::{Read as _, Write as _};
use std::net::{Shutdown, TcpListener, TcpStream};
use std::sync::{Arc, Mutex};

use crate::binary::{Place, Ran};
use crate::scenario::{self, Scenario};

/// A name that nothing resolves (RFC 6761): only the proxy knows the way.
const ELSEWHERE: &str = "registry.invalid:5000";

/// A forward proxy (RFC 9112 section 3.2.2) that leads everything to one server.
struct Proxy {
    address: String,
    heads: Arc<Mutex<Vec<String>>>,
}

impl Proxy {
    fn start(server: String) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap().to_string();
        let heads = Arc::new(Mutex::new(Vec::new()));
        let seen = Arc::clone(&heads);
        // Ends with the test's process; a connection is over when either side says so.
        std::thread::spawn(move || {
            for client in listener.incoming().flatten() {
                let (server, seen) = (server.clone(), Arc::clone(&seen));
                std::thread::spawn(move || lead(client, &server, &seen));
            }
        });
        Self { address, heads }
    }

    /// The heads of the requests so far.
    fn heads(&self) -> Vec<String> {
        self.heads.lock().unwrap().clone()
    }
}

/// Answers one request by asking the server, without the host in the target.
fn lead(mut client: TcpStream, server: &str, seen: &Mutex<Vec<String>>) {
    let mut head = Vec::new();
    let mut byte = [0];
    while !head.ends_with(b"\r\n\r\n") {
        if client.read(&mut byte).unwrap_or(0) == 0 {
            return;
        }
        head.push(byte[0]);
    }
    let head = String::from_utf8(head).unwrap();
    seen.lock().unwrap().push(head.clone());
    let (line, rest) = head.split_once("\r\n").unwrap();
    let mut words = line.split(' ');
    let (method, target) = (words.next().unwrap(), words.next().unwrap());
    let path = target.strip_prefix("http://").map_or(target, |target| {
        target.find('/').map_or("/", |slash| &target[slash..])
    });
    let mut upstream = TcpStream::connect(server).unwrap();
    write!(
        upstream,
        "{method} {path} HTTP/1.1\r\nConnection: close\r\n{rest}"
    )
    .unwrap();
    let mut answer = Vec::new();
    upstream.read_to_end(&mut answer).unwrap();
    let _ = client.write_all(&answer);
    let _ = client.shutdown(Shutdown::Both);
}

/// A config repo whose app is of the registry `host`, and a folder with the configuration.
fn world(host: Option<&str>) -> Option<(Scenario, Place)> {
    let files = [
        (
            "policies/shop.yaml",
            "version: 1\napp: shop\nimage: REGISTRY/acme/shop\n",
        ),
        ("apps/shop.yaml", "image: REGISTRY/acme/shop:1.0.0\n"),
    ];
    let registry = host.unwrap_or("HOST");
    let files = files.map(|(path, text)| (path, text.replace("REGISTRY", registry)));
    let files: Vec<(&str, &str)> = files
        .iter()
        .map(|(path, text)| (*path, text.as_str()))
        .collect();
    let scenario = Scenario::new(&files)?;
    scenario.push("acme/shop", &["1.0.0", "1.1.0"]);
    let place = Place::new(&[]);
    let own = scenario.registry.host();
    let host = host.unwrap_or(&own);
    let config = scenario::configuration(host, &scenario.repo, "policies: [policies/]");
    place.write("tagwright.yaml", config);
    Some((scenario, place))
}

fn sync(place: &Place, variables: &[(&str, &str)]) -> Ran {
    let mut command = place.command(&["sync"]);
    let output = command.envs(variables.iter().copied()).output().unwrap();
    Ran::of(output)
}

#[test]
fn a_registry_is_reached_through_the_proxy() {
    for name in ["HTTP_PROXY", "http_proxy", "ALL_PROXY"] {
        let Some((scenario, place)) = world(Some(ELSEWHERE)) else {
            return;
        };
        let proxy = Proxy::start(scenario.registry.host());
        let url = format!("http://me:secret@{}", proxy.address);
        sync(&place, &[(name, &url)]).exits(0);
        assert!(
            scenario.read("apps/shop.yaml").ends_with("shop:1.1.0\n"),
            "{name}"
        );
        let heads = proxy.heads();
        assert!(!heads.is_empty());
        for head in heads {
            let head = head.to_ascii_lowercase();
            assert!(
                head.contains(" http://registry.invalid:5000/v2/acme/shop/"),
                "{head}"
            );
            // `me:secret` in Base64.
            assert!(
                head.contains("proxy-authorization: basic bwu6c2vjcmv0"),
                "{head}"
            );
        }
    }
}

#[test]
fn what_no_proxy_names_is_asked_without_it() {
    let Some((scenario, place)) = world(Some(ELSEWHERE)) else {
        return;
    };
    let proxy = Proxy::start(scenario.registry.host());
    let variables = [
        ("HTTP_PROXY", proxy.address.as_str()),
        ("NO_PROXY", "example.com,.invalid"),
    ];
    let ran = sync(&place, &variables).exits(1);
    assert!(
        ran.stdout
            .contains("registry.invalid:5000 can't be reached"),
        "{}",
        ran.stdout
    );
    assert!(proxy.heads().is_empty());
    let variables = [
        ("HTTP_PROXY", proxy.address.as_str()),
        ("NO_PROXY", "example.com"),
    ];
    sync(&place, &variables).exits(0);
    assert!(!proxy.heads().is_empty());
}

#[test]
fn this_machine_is_never_asked_through_a_proxy() {
    let Some((scenario, place)) = world(None) else {
        return;
    };
    let nowhere = "http://127.0.0.1:1";
    let variables = ["HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY"].map(|name| (name, nowhere));
    sync(&place, &variables).exits(0);
    assert!(scenario.read("apps/shop.yaml").ends_with("shop:1.1.0\n"));
}

#[test]
fn a_value_that_is_no_url_is_told_without_its_words() {
    let Some((_scenario, place)) = world(None) else {
        return;
    };
    let ran = sync(&place, &[("HTTP_PROXY", "http://me:secret@[")]).exits(0);
    assert!(
        ran.stderr.contains("http_proxy is not the URL of a proxy"),
        "{}",
        ran.stderr
    );
    assert!(!ran.stderr.contains("secret"), "{}", ran.stderr);
}
