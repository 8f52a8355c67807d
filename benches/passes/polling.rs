//! Listing the tags of 1,000 images, against a bare HTTP client that asks the same of the same
//! registry.
//!
//! The registry is the `docker-registry` of Debian where it is installed, its storage written
//! directly; else the demo's own.

use std::collections::BTreeMap;
use std::io::{BufRead as _, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use anyhow::Context as _;
use tagwright::clock::Clock;
use tagwright::demo::registry::Registry;
use tagwright::http;
use tagwright::image::Image;
use tagwright::reconcile::observe::{Look, Missing, Observer};
use tagwright::reconcile::plan::{Feed, Listing};
use tagwright::registry::poller::Patience;
use tagwright::registry::{Access, Account, Client, Scheme};
use tokio::runtime::Runtime;

use crate::fleet::{Fleet, TAGS};
use crate::measure::{Row, Samples, timed};

const IMAGES: usize = 1_000;
const RUNS: usize = 7;

/// Requests under way at once: what the service opens to one registry.
const AT_ONCE: usize = 8;

/// What tells the bare client's requests in the registry's log.
const BARE: &str = "bare/1";

/// Our rate, the bare client's rate, and the requests an image took.
pub fn rows() -> anyhow::Result<Vec<Row>> {
    let registry = Polled::start()?;
    let runtime = Runtime::new()?;
    let (mut ours, mut bare) = (Vec::new(), Vec::new());
    let client = http::client(&http::Options::default())?;
    let mut poller = Poller::new(&registry.host)?;
    // The first of each opens the connections.
    for run in 0..=RUNS {
        let (done, bare_time) = timed(|| runtime.block_on(ask_all(&client, &registry.host)));
        done?;
        let (listed, time) = timed(|| runtime.block_on(poller.poll()));
        anyhow::ensure!(listed == IMAGES * TAGS, "{listed} tags were listed");
        if run > 0 {
            ours.push(time);
            bare.push(bare_time);
        }
    }
    let requests = registry.requests(IMAGES * (RUNS + 1))?;
    let (ours, bare) = (Samples::new(ours), Samples::new(bare));
    let share = bare.median().as_secs_f64() / ours.median().as_secs_f64() * 100.0;
    let each = requests as f64 / (IMAGES * (RUNS + 1)) as f64;
    let missed = if share < 80.0 || each > 1.0 {
        " **missed**"
    } else {
        ""
    };
    let what = format!(
        "1,000 images polled, {TAGS} tags each, on {}",
        registry.name
    );
    Ok(vec![
        Row::new(what, ours).note(format!(
            "{each} requests an image (target 1); {share:.0} % of a bare client's rate (target ≥ 80 %){missed}"
        )),
        Row::new("– the bare HTTP client, as many at once, replies read and not parsed", bare),
    ])
}

/// Lists every image as a pass does.
struct Poller {
    observer: Observer,
    feeds: Vec<Feed>,
}

impl Poller {
    fn new(host: &str) -> anyhow::Result<Self> {
        let account = Account {
            scheme: Scheme::PlainHttp,
            ..Account::anonymous(host)
        };
        let client = Client::new(vec![account], Clock::system())?;
        let feeds = (0..IMAGES)
            .map(|number| {
                let image: Image = format!("{host}/{}", Fleet::repository(number)).parse()?;
                let account = client.account_for(&image, Access::All);
                Ok((image, account))
            })
            .collect::<anyhow::Result<_>>()?;
        Ok(Self {
            observer: Observer::new(client, Clock::system(), Missing::default()),
            feeds,
        })
    }

    /// How many tags were listed.
    async fn poll(&mut self) -> usize {
        let anew: BTreeMap<Feed, Look> =
            self.feeds.iter().map(|feed| (feed.clone(), LOOK)).collect();
        let facts = self.observer.list(anew, Patience::Anew).await;
        facts
            .listings
            .values()
            .map(|listing| match listing {
                Listing::Complete { tags, .. } => tags.len(),
                _ => 0,
            })
            .sum()
    }
}

/// As a service does by default.
const LOOK: Look = Look {
    interval: Duration::from_secs(300),
    times: false,
};

/// The same requests, as fast as the HTTP client makes them.
async fn ask_all(client: &reqwest::Client, host: &str) -> anyhow::Result<()> {
    let mut tasks = tokio::task::JoinSet::new();
    for lane in 0..AT_ONCE {
        let (client, host) = (client.clone(), host.to_owned());
        tasks.spawn(async move {
            for image in (lane..IMAGES).step_by(AT_ONCE) {
                let repository = Fleet::repository(image);
                let url = format!("http://{host}/v2/{repository}/tags/list?n=1000");
                let request = client.get(url).header("user-agent", BARE);
                let reply = request.send().await?.error_for_status()?;
                reply.bytes().await?;
            }
            anyhow::Ok(())
        });
    }
    while let Some(ended) = tasks.join_next().await {
        ended??;
    }
    Ok(())
}

/// A registry with 1,000 images.
struct Polled {
    name: &'static str,
    host: String,
    kind: Kind,
}

enum Kind {
    Real(Real),
    Demo(Registry),
}

impl Polled {
    fn start() -> anyhow::Result<Self> {
        if let Some(real) = Real::start()? {
            return Ok(Self {
                name: "Debian's docker-registry",
                host: real.host.clone(),
                kind: Kind::Real(real),
            });
        }
        let registry = Registry::start()?;
        Fleet::new(registry.host(), 0, IMAGES).fill(&registry);
        Ok(Self {
            name: "the demo's registry (no docker-registry here)",
            host: registry.host(),
            kind: Kind::Demo(registry),
        })
    }

    /// How many requests were not the bare client's; at least `expected` are waited for.
    fn requests(&self, expected: usize) -> anyhow::Result<usize> {
        match &self.kind {
            Kind::Real(real) => real.requests(expected),
            // It remembers the latest, whosever they are: half of them are the bare client's.
            Kind::Demo(registry) => Ok(registry.requests().len().saturating_sub(expected)),
        }
    }
}

/// A `docker-registry` process; ends when dropped.
struct Real {
    process: Child,
    host: String,
    /// Requests of ours in its access log so far.
    ours: Arc<Mutex<usize>>,
    _folder: tempfile::TempDir,
}

impl Real {
    fn start() -> anyhow::Result<Option<Self>> {
        let Some(program) = find("docker-registry") else {
            return Ok(None);
        };
        let folder = tempfile::tempdir_in(storage())?;
        fill(folder.path())?;
        let config = folder.path().join("config.yml");
        std::fs::write(&config, config_text(folder.path()))?;
        let mut process = Command::new(program)
            .arg("serve")
            .arg(&config)
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()?;
        let (stdout, stderr) = (process.stdout.take(), process.stderr.take());
        let ours = Arc::new(Mutex::new(0));
        let mut real = Self {
            process,
            host: String::new(),
            ours: Arc::clone(&ours),
            _folder: folder,
        };
        std::thread::spawn(move || count(BufReader::new(stdout?), &ours));
        let mut log = BufReader::new(stderr.context("no log")?);
        real.host = listening(&mut log)?;
        std::thread::spawn(move || std::io::copy(&mut log, &mut std::io::sink()));
        Ok(Some(real))
    }

    fn requests(&self, expected: usize) -> anyhow::Result<usize> {
        // The log is written after the reply: wait for the last lines, at most 5 s.
        for _ in 0..500 {
            if self.seen() >= expected {
                break;
            }
            std::thread::sleep(Duration::from_millis(10));
        }
        let seen = self.seen();
        anyhow::ensure!(
            seen >= expected,
            "the registry's log has {seen} requests of ours"
        );
        Ok(seen)
    }

    fn seen(&self) -> usize {
        *self.ours.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Drop for Real {
    fn drop(&mut self) {
        // It may have ended by itself.
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

/// Counts the lines of our requests in an access log.
fn count(log: impl std::io::BufRead, ours: &Mutex<usize>) -> Option<()> {
    for line in log.lines() {
        let line = line.ok()?;
        if line.contains("HTTP/") && !line.contains(BARE) {
            *ours.lock().unwrap_or_else(PoisonError::into_inner) += 1;
        }
    }
    Some(())
}

/// Where the registry says that it listens.
fn listening(log: &mut impl std::io::BufRead) -> anyhow::Result<String> {
    for line in log.lines() {
        let line = line?;
        if let Some((_, rest)) = line.split_once("listening on ") {
            let end = rest.find(|c: char| !c.is_ascii_digit() && !".:".contains(c));
            return Ok(rest[..end.unwrap_or(rest.len())].to_owned());
        }
    }
    anyhow::bail!("docker-registry ended before it listened")
}

fn config_text(folder: &Path) -> String {
    format!(
        "version: 0.1\nlog: {{level: info, accesslog: {{disabled: false}}}}\nstorage:\n  \
         filesystem: {{rootdirectory: {}, maxthreads: 100}}\n  \
         maintenance: {{uploadpurging: {{enabled: false}}}}\nhttp: {{addr: \"127.0.0.1:0\"}}\n",
        folder.display()
    )
}

/// Writes the images in the registry's own layout, as far as it reads it to list tags.
fn fill(folder: &Path) -> anyhow::Result<()> {
    let repositories = folder.join("docker/registry/v2/repositories");
    let link = format!("sha256:{:064x}", 0);
    for image in 0..IMAGES {
        let tags = repositories
            .join(Fleet::repository(image))
            .join("_manifests/tags");
        for minor in 0..TAGS {
            let current = tags.join(format!("1.{minor}.0/current"));
            std::fs::create_dir_all(&current)?;
            std::fs::write(current.join("link"), &link)?;
        }
    }
    Ok(())
}

/// Memory if there is such a folder: the disk is not what is measured.
fn storage() -> PathBuf {
    let memory = PathBuf::from("/dev/shm");
    if memory.is_dir() {
        memory
    } else {
        std::env::temp_dir()
    }
}

fn find(program: &str) -> Option<PathBuf> {
    let path = std::env::var_os("PATH")?;
    std::env::split_paths(&path)
        .map(|folder| folder.join(program))
        .find(|file| file.is_file())
}
