//! nginx with `limit_req` in front of docker-registry: its 429s are honoured, and nothing is lost.

#![expect(
    clippy::unwrap_used,
    reason = "what a test can't set up is a failure of that test"
)]

use std::path::Path;
use std::process::{Command, Stdio};
use std::time::Duration;

use tagwright::clock::Clock;
use tagwright::registry::pace::{Class, Kind};
use tagwright::registry::poller::{Image, KeptTimes, Patience, Poller, Seen};
use tagwright::registry::{Access, Account, Client, Scheme};

use crate::parts;
use crate::registry_real::Registry;

/// Images in the registry; each has its number in a tag.
const IMAGES: usize = 40;

/// Writes the images as the registry keeps them, as far as it reads them to list tags.
fn fill(storage: &Path) {
    let link = format!("sha256:{:064x}", 0);
    for image in 0..IMAGES {
        let tag = format!(
            "docker/registry/v2/repositories/acme/app{image}/_manifests/tags/1.{image}.0/current"
        );
        let current = storage.join(tag);
        std::fs::create_dir_all(&current).unwrap();
        std::fs::write(current.join("link"), &link).unwrap();
    }
}

/// nginx that admits 10 requests a second, and 5 at once on top.
fn limiter(nginx: &Path, folder: &Path, registry: &str) -> (parts::Server, String) {
    let host = format!("127.0.0.1:{}", parts::free_port());
    let at = folder.display();
    let config = format!(
        "daemon off; pid {at}/nginx.pid; error_log {at}/error.log; worker_processes 1;\n\
         events {{ worker_connections 256; }}\n\
         http {{\n\
         access_log {at}/access.log;\n\
         client_body_temp_path {at}/b; proxy_temp_path {at}/p; fastcgi_temp_path {at}/f;\n\
         uwsgi_temp_path {at}/u; scgi_temp_path {at}/s;\n\
         limit_req_zone $binary_remote_addr zone=z:1m rate=10r/s; limit_req_status 429;\n\
         server {{ listen {host};\n\
         location /v2/ {{ limit_req zone=z burst=5 nodelay; proxy_set_header Host $http_host;\n\
         proxy_pass http://{registry}; error_page 429 @limited; }}\n\
         location @limited {{ internal; default_type application/json;\n\
         add_header Retry-After 1 always;\n\
         return 429 '{{\"errors\":[{{\"code\":\"TOOMANYREQUESTS\",\"message\":\"slow down\"}}]}}'; }}\n\
         }} }}\n"
    );
    let path = folder.join("nginx.conf");
    std::fs::write(&path, config).unwrap();
    let mut command = Command::new(nginx);
    command
        .arg("-c")
        .arg(&path)
        .stdout(Stdio::null())
        .stderr(Stdio::null());
    // A worker outlives a master that is killed; it ends by itself with a single process.
    command.args(["-g", "master_process off;"]);
    let server = parts::Server::start(&mut command);
    parts::wait_until("nginx listens", || {
        std::net::TcpStream::connect(&host).is_ok()
    });
    (server, host)
}

#[tokio::test(flavor = "multi_thread")]
async fn limits_are_honoured_and_nothing_is_lost() {
    let Some(nginx) = parts::need("nginx") else {
        return;
    };
    let storage = tempfile::tempdir().unwrap();
    fill(&storage.path().join("storage"));
    let Some(registry) = Registry::start(storage, "", "") else {
        return;
    };
    let folder = tempfile::tempdir().unwrap();
    let (_server, host) = limiter(&nginx, folder.path(), &registry.host);
    let account = Account {
        scheme: Scheme::PlainHttp,
        ..Account::anonymous(&host)
    };
    let client = Client::new(vec![account], Clock::system()).unwrap();
    let images: Vec<Image> = (0..IMAGES)
        .map(|number| {
            let image = format!("{host}/acme/app{number}").parse().unwrap();
            let account = client.account_for(&image, Access::All);
            Image {
                key: (image, account),
                interval: Duration::from_secs(300),
                times: false,
            }
        })
        .collect();
    let poller = Poller::new(client, Clock::system(), KeptTimes::default(), []);
    // A look may fail, since it gives up after a few 429s; it is not lost, and the next one is due soon.
    let mut rounds = 0;
    loop {
        let seen = poller.list("fleet", &images, Patience::Anew).await;
        let tags = seen.iter().map(|seen| match seen {
            Seen::Listed { tags, .. } => Some(tags.names.len()),
            _ => None,
        });
        if tags.clone().all(|count| count == Some(1)) {
            break;
        }
        rounds += 1;
        assert!(rounds < 5, "{:?}", tags.collect::<Vec<_>>());
    }
    let (hosts, lanes) = poller.reports();
    let asked = hosts.iter().find(|report| report.host == host).unwrap();
    let count = |class: Class| asked.requests[Kind::List as usize][class as usize];
    assert!(count(Class::Limited) > 0, "it was told to slow down");
    assert_eq!(count(Class::Server) + count(Class::Failed), 0, "{asked:?}");
    // Had it not slowed down, most would have been refused.
    assert!(count(Class::Limited) < count(Class::Success), "{asked:?}");
    assert!(asked.per_second < 100.0, "{asked:?}");
    assert_eq!((lanes[0].images, lanes[0].doubted), (IMAGES, 0));
}
