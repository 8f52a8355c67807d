//! For how long answers count, and who waits for them: a gate that answers when it is told to, and a clock
//! moved by hand.

use std::sync::atomic::{AtomicU16, AtomicUsize, Ordering};

use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::sync::watch;

use super::*;
use crate::image::Digest;

const MINUTE: Duration = Duration::from_secs(60);

/// A gate that answers with `status`, while it is open.
struct Fake {
    status: Arc<AtomicU16>,
    asked: Arc<AtomicUsize>,
    is_open: watch::Sender<bool>,
    address: String,
}

impl Fake {
    async fn start() -> Self {
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = format!("http://{}/", listener.local_addr().unwrap());
        let (status, asked) = (Arc::new(AtomicU16::new(200)), Arc::new(AtomicUsize::new(0)));
        let (is_open, opened) = watch::channel(true);
        let (says, counts) = (Arc::clone(&status), Arc::clone(&asked));
        tokio::spawn(async move {
            while let Ok((mut stream, _)) = listener.accept().await {
                let (says, counts) = (Arc::clone(&says), Arc::clone(&counts));
                let mut opened = opened.clone();
                tokio::spawn(async move {
                    let mut request = [0; 4096];
                    let _ = stream.read(&mut request).await;
                    counts.fetch_add(1, Ordering::SeqCst);
                    let _ = opened.wait_for(|open| *open).await;
                    let status = says.load(Ordering::SeqCst);
                    let reply = format!(
                        "HTTP/1.1 {status} x\r\ncontent-length: 2\r\nconnection: close\r\n\r\nno"
                    );
                    let _ = stream.write_all(reply.as_bytes()).await;
                });
            }
        });
        Self {
            status,
            asked,
            is_open,
            address,
        }
    }

    fn says(&self, status: u16) {
        self.status.store(status, Ordering::SeqCst);
    }

    fn asked(&self) -> usize {
        self.asked.load(Ordering::SeqCst)
    }
}

struct World {
    fake: Fake,
    clock: Clock,
    news: Arc<Notify>,
    book: Book,
}

impl World {
    async fn new() -> Self {
        let fake = Fake::start().await;
        let gate = Gate {
            name: "slo".to_owned(),
            address: fake.address.parse().unwrap(),
            token: None,
            ca_pem: None,
            timeout: Duration::from_secs(10),
            interval: MINUTE,
        };
        let clock = Clock::by_hand(Timestamp::UNIX_EPOCH);
        let news = Arc::new(Notify::new());
        let book = Book::new(&[gate], "main", clock.clone(), Arc::clone(&news));
        Self {
            fake,
            clock,
            news,
            book,
        }
    }

    fn at(&self, second: i64) {
        let now = Timestamp::from_second(second).unwrap();
        self.clock.advance(now.duration_since(self.clock.now()));
    }

    /// What a new pass is told, in a few words: the answer, and in how many seconds it is asked again.
    async fn pass(&mut self, freshness: Freshness) -> String {
        self.book.begin(freshness);
        self.tell(ask("1.0.0")).await
    }

    async fn tell(&mut self, ask: Ask) -> String {
        let told = self.book.tell(std::slice::from_ref(&ask), none()).await;
        let Reply { said, again } = &told[&ask];
        let said = match said {
            Some(Said::Gate(Verdict::Green)) => "yes".to_owned(),
            Some(Said::Gate(Verdict::No { status, .. })) => format!("no {status}"),
            Some(Said::Gate(Verdict::Silent(words)) | Said::Unable(words)) => words.clone(),
            Some(Said::Statuses(_) | Said::Merge(_)) => "forge".to_owned(),
            None => "open".to_owned(),
        };
        match again {
            Some(again) => format!(
                "{said}, {}",
                again.as_second() - self.clock.now().as_second()
            ),
            None => said,
        }
    }
}

fn none() -> Result<Arc<dyn Forge>, String> {
    Err("no forge".to_owned())
}

fn ask(tag: &str) -> Ask {
    let question = Question {
        app: "shop".to_owned(),
        stage: "live".to_owned(),
        image: "nginx".parse().unwrap(),
        tag: tag.parse().unwrap(),
        digest: Digest::of(tag.as_bytes()),
    };
    Ask::Gate("slo".to_owned(), Box::new(question))
}

#[tokio::test]
async fn an_answer_counts_for_its_interval_and_for_one_change() {
    let mut world = World::new().await;
    world.fake.says(503);
    for (second, status, told, asked) in [
        (0, 503, "no 503, 60", 1),
        (59, 200, "no 503, 1", 1),
        (60, 200, "yes, 50", 2),
        (109, 503, "yes, 1", 2),
        // Renewed in time, as long as the gate may take before the end.
        (110, 503, "no 503, 60", 3),
        (170, 200, "yes, 50", 4),
        // The clock was set back.
        (100, 200, "yes, 50", 5),
    ] {
        world.at(second);
        world.fake.says(status);
        assert_eq!(world.pass(Freshness::Anew).await, told, "{second}");
        assert_eq!(world.fake.asked(), asked, "{second}");
    }
    assert_eq!(world.tell(ask("1.1.0")).await, "yes, 50");
    assert_eq!(world.fake.asked(), 6);
}

#[tokio::test]
async fn a_pass_of_the_service_goes_on_without_a_slow_answer_and_is_woken_by_it() {
    let mut world = World::new().await;
    world.fake.is_open.send_replace(false);
    assert_eq!(world.pass(Freshness::AsPolled).await, "open");
    // It is not asked a second time.
    assert_eq!(world.pass(Freshness::AsPolled).await, "open");
    world.fake.is_open.send_replace(true);
    world.news.notified().await;
    assert_eq!(world.pass(Freshness::AsPolled).await, "yes, 50");
    assert_eq!(world.fake.asked(), 1);
}

#[tokio::test]
async fn an_answer_is_told_while_it_is_renewed() {
    let mut world = World::new().await;
    assert_eq!(world.pass(Freshness::Anew).await, "yes, 50");
    world.fake.is_open.send_replace(false);
    world.at(50);
    assert_eq!(world.pass(Freshness::AsPolled).await, "yes, 10");
    world.at(60);
    assert_eq!(
        world.pass(Freshness::AsPolled).await,
        "open",
        "it counts no longer"
    );
    world.fake.says(409);
    world.fake.is_open.send_replace(true);
    world.news.notified().await;
    assert_eq!(world.pass(Freshness::AsPolled).await, "no 409, 60");
    world.fake.is_open.send_replace(false);
    world.at(120);
    let told = world.pass(Freshness::AsPolled).await;
    assert_eq!(told, "no 409", "a no lets nothing pass");
}

#[tokio::test]
async fn a_pass_asks_so_much_and_the_next_one_goes_on() {
    let mut world = World::new().await;
    let asks: Vec<Ask> = (0..=MOST).map(|n| ask(&format!("1.0.{n}"))).collect();
    for (asked, open) in [(MOST, 1), (MOST + 1, 0)] {
        world.book.begin(Freshness::Anew);
        let told = world.book.tell(&asks, none()).await;
        let is_open = |told: &&Reply| told.said.is_none();
        assert_eq!(told.values().filter(is_open).count(), open);
        let next = world.clock.now().saturating_add(NEXT_TURN).unwrap();
        let open = told.values().filter(is_open);
        assert!(open.into_iter().all(|told| told.again == Some(next)));
        assert_eq!(world.fake.asked(), asked);
    }
}

#[tokio::test]
async fn what_nobody_knows_is_told_at_once() {
    let mut world = World::new().await;
    let Ask::Gate(_, about) = ask("1.0.0") else {
        panic!("a gate")
    };
    let told = world.tell(Ask::Gate("sli".to_owned(), about)).await;
    assert_eq!(told, "the service file has no gate of this name");
    let commit = "a".repeat(40).parse().unwrap();
    assert_eq!(world.tell(Ask::Statuses(commit)).await, "no forge");
    assert_eq!(world.tell(Ask::Merge(commit)).await, "no forge");
    assert_eq!(world.fake.asked(), 0);
}
