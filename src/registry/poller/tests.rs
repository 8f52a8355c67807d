//! The core in steps: who is looked at, what is known, what is kept.

use super::core::Core;
use super::*;
use crate::registry::Limits;
use crate::registry::pace::{Class, Ended, Kind};

const MINUTE: u64 = 60;

fn key(name: &str) -> Key {
    let image = format!("r.example/{name}").parse().unwrap();
    (image, AccountId::ANONYMOUS)
}

fn tags(texts: &[&str]) -> Tags {
    let names = texts.iter().map(|text| text.parse().unwrap());
    Tags {
        names: names.collect(),
        set: None,
    }
}

/// A core and its one host, and a time to move.
struct Bench {
    core: Core,
    hosts: Hosts,
    now: Now,
}

impl Bench {
    fn new() -> Self {
        Self::of(Core::default())
    }

    fn of(core: Core) -> Self {
        Self {
            core,
            hosts: Hosts::new(Limits::default()),
            now: Now {
                wall: Timestamp::from_second(1_700_000_000).unwrap(),
                steady: std::time::Instant::now(),
            },
        }
    }

    fn wait(&mut self, seconds: u64) {
        self.now = self.now.after(Duration::from_secs(seconds));
    }

    fn watch(&mut self, watcher: &str, names: &[&str]) {
        self.watch_with(watcher, names, false);
    }

    fn watch_with(&mut self, watcher: &str, names: &[&str], times: bool) {
        let wanted = names.iter().map(|name| Wanted {
            image: Image {
                key: key(name),
                interval: Duration::from_secs(5 * MINUTE),
                times,
            },
            host: "r.example".to_owned(),
            account: String::new(),
        });
        self.core.watch(watcher, wanted, self.now.wall);
    }

    /// The looks that begin now.
    fn due(&mut self) -> Vec<Job> {
        self.core.due(self.now, &mut self.hosts)
    }

    fn names(&mut self) -> Vec<String> {
        let jobs = self.due();
        let names = jobs.iter().map(|job| job.key.0.repository().to_owned());
        names.collect()
    }

    /// Who is told of the end of a look.
    fn done(&mut self, job: &Job, outcome: Outcome) -> Vec<String> {
        let told = self.core.done(job, outcome, self.now.wall);
        told.iter().map(ToString::to_string).collect()
    }

    /// Looks once at the only image that is due.
    fn look(&mut self, outcome: Outcome) -> Vec<String> {
        let jobs = self.due();
        assert_eq!(jobs.len(), 1, "{jobs:?}");
        self.done(&jobs[0], outcome)
    }

    fn list(&mut self, texts: &[&str]) -> Vec<String> {
        self.look(Outcome::Listed(tags(texts)))
    }

    fn seen(&mut self, name: &str) -> String {
        match self.core.seen(&key(name), &mut self.hosts, self.now.wall) {
            Seen::Never => "never".to_owned(),
            Seen::Listed { tags, .. } => format!("{} tags", tags.names.len()),
            Seen::Doubted { tags, doubt, .. } => format!("{} tags, {doubt:?}", tags.names.len()),
            Seen::Failed(why) => format!("failed: {why}"),
        }
    }

    fn ask_for(&mut self, name: &str) -> Ticket {
        self.core.ask_for(&key(name), self.now.wall).unwrap()
    }

    fn is_over(&mut self, ticket: Ticket) -> bool {
        self.core.wait(ticket, &mut self.hosts, self.now.wall) == Wait::Over
    }

    fn pause(&mut self, seconds: u64) {
        let ended = Ended {
            kind: Kind::List,
            class: Class::Limited,
            sent: self.now.steady,
            retry_after: Some(Duration::from_secs(seconds)),
            quota: None,
        };
        self.hosts.of("r.example").ended(ended, self.now);
    }
}

fn failed() -> Outcome {
    Outcome::Failed {
        blame: Blame::Host,
        why: "it is down".to_owned(),
    }
}

#[test]
fn an_image_is_looked_at_once_whoever_watches_it() {
    let mut bench = Bench::new();
    bench.watch("fleet", &["a", "b"]);
    bench.watch("lab", &["b", "c"]);
    let jobs = bench.due();
    assert_eq!(jobs.len(), 3);
    assert!(bench.due().is_empty(), "all of them are being looked at");
    let listed = Outcome::Listed(tags(&["1.0.0"]));
    let told: Vec<_> = jobs
        .iter()
        .map(|job| bench.done(job, listed.clone()))
        .collect();
    assert_eq!(told, [vec!["fleet"], vec!["fleet", "lab"], vec!["lab"]]);
    bench.watch("lab", &[]);
    assert_eq!(bench.seen("c"), "never", "nobody watches it");
    assert_eq!(bench.seen("b"), "1 tags");
    bench.wait(20 * MINUTE);
    assert_eq!(bench.due().len(), 2);
}

#[test]
fn only_what_differs_is_news() {
    let mut bench = Bench::new();
    bench.watch("fleet", &["a"]);
    let news = ["fleet".to_owned()];
    for (outcome, told) in [
        (Outcome::Listed(tags(&["1.0.0"])), true),
        (Outcome::Listed(tags(&["1.0.0"])), false),
        (Outcome::Listed(tags(&["1.0.0", "1.1.0"])), true),
        (failed(), true),
        (failed(), false),
        (Outcome::Listed(tags(&["1.0.0", "1.1.0"])), true),
    ] {
        let heard = bench.look(outcome);
        assert_eq!(heard, news[..usize::from(told)]);
        bench.wait(20 * MINUTE);
    }
}

#[test]
fn the_last_good_list_outlives_failures_and_says_so() {
    let mut bench = Bench::new();
    bench.watch("fleet", &["a"]);
    assert_eq!(bench.seen("a"), "never");
    bench.look(failed());
    assert_eq!(bench.seen("a"), "failed: it is down");
    bench.wait(MINUTE);
    bench.list(&["1.0.0", "1.1.0"]);
    assert_eq!(bench.seen("a"), "2 tags");
    bench.wait(20 * MINUTE);
    bench.look(failed());
    assert_eq!(bench.seen("a"), "2 tags, Failed(\"it is down\")");
    bench.wait(MINUTE);
    bench.list(&["1.0.0"]);
    assert!(bench.seen("a").contains("shrank from 2 to 1 tags"));
    bench.wait(20 * MINUTE);
    bench.list(&["1.0.0", "1.1.0", "1.2.0"]);
    assert_eq!(bench.seen("a"), "3 tags");
}

#[test]
fn what_is_asked_for_is_looked_at_anew() {
    let mut bench = Bench::new();
    bench.watch("fleet", &["a"]);
    let jobs = bench.due();
    let first = bench.core.first_look(&key("a")).unwrap();
    // The look under way may have begun too early.
    let anew = bench.ask_for("a");
    bench.done(&jobs[0], Outcome::Listed(tags(&["1.0.0"])));
    assert!(bench.is_over(first) && !bench.is_over(anew));
    bench.list(&["1.0.0"]);
    assert!(bench.is_over(anew));
    assert!(bench.due().is_empty());
    bench.core.nudge(&key("a").0, bench.now.wall);
    bench.core.nudge(&key("b").0, bench.now.wall);
    assert_eq!(bench.names(), ["a"]);
}

#[test]
fn a_host_that_rests_is_not_asked_and_loses_nothing() {
    let mut bench = Bench::new();
    bench.watch("fleet", &["a", "b"]);
    let jobs = bench.due();
    bench.done(&jobs[0], Outcome::Listed(tags(&["1.0.0"])));
    bench.pause(3600);
    bench.done(&jobs[1], Outcome::Postponed);
    assert_eq!(bench.seen("a"), "1 tags", "not due");
    let ticket = bench.ask_for("a");
    assert!(bench.due().is_empty());
    let until = bench.now.wall + jiff::SignedDuration::from_hours(1);
    let words = format!("r.example asked to be left alone until {until}");
    assert_eq!(bench.seen("b"), format!("failed: {words}"));
    let waits = bench.core.wait(ticket, &mut bench.hosts, bench.now.wall);
    assert!(
        matches!(waits, Wait::Resting(rest) if rest.until() == until),
        "{waits:?}"
    );
    let next = bench.core.next(bench.now.wall, &mut bench.hosts);
    assert_eq!(next, Some(until));
    assert_eq!(bench.seen("a"), format!("1 tags, Failed({words:?})"));
    bench.wait(3600);
    // One after the other now, since it said that this was too much.
    bench.list(&["1.0.0"]);
    assert_eq!(bench.names(), ["b"]);
}

#[test]
fn what_is_kept_is_gone_on_from() {
    let mut bench = Bench::new();
    bench.watch("fleet", &["a", "b", "c", "away"]);
    let jobs = bench.due();
    let texts: Vec<String> = (0..2000).map(|minor| format!("1.{minor:04}.0")).collect();
    let texts: Vec<&str> = texts.iter().map(String::as_str).collect();
    let listed = Outcome::Listed(tags(&texts));
    for job in &jobs[..3] {
        bench.done(job, listed.clone());
    }
    bench.done(&jobs[3], failed());
    let mut disk = std::collections::BTreeMap::new();
    let mut again = |bench: &mut Bench, away: u64| {
        for (part, lists) in bench.core.keep_tags() {
            disk.insert(part, serde_json::to_string(&lists).unwrap());
        }
        let times = bench.core.keep_times(Default::default(), bench.now.wall);
        let times = serde_json::to_string(&times).unwrap();
        let lists = disk
            .values()
            .map(|list| serde_json::from_str(list).unwrap());
        let (core, _) = Core::kept(serde_json::from_str(&times).unwrap(), lists);
        let mut next = Bench::of(core);
        next.now = bench.now;
        next.wait(away);
        next.watch("fleet", &["a", "b", "c"]);
        next
    };
    let mut soon = again(&mut bench, 1);
    assert!(soon.due().is_empty());
    assert_eq!(soon.seen("a"), "2000 tags");
    assert!(bench.core.keep_tags().is_empty(), "nothing changed since");
    soon.watch("lab", &["away"]);
    assert_eq!(soon.seen("away"), "failed: it is down");
    // What was seen long ago is no ground to choose on, and all of them at once would be a burst.
    let jobs = soon
        .core
        .due(soon.now.after(Duration::from_secs(600)), &mut soon.hosts);
    for job in &jobs {
        soon.done(job, listed.clone());
    }
    let mut late = again(&mut soon, 24 * 3600);
    assert!(
        late.seen("a").starts_with("2000 tags, Awaited"),
        "{}",
        late.seen("a")
    );
    assert!(late.due().is_empty());
    late.wait(5 * MINUTE);
    assert_eq!(late.names().len(), 3);
}

#[test]
fn a_clock_that_was_set_back_stops_nobody() {
    let mut bench = Bench::new();
    bench.watch("fleet", &["a"]);
    bench.wait(24 * 3600);
    bench.list(&["1.0.0"]);
    bench.now.wall -= jiff::SignedDuration::from_hours(24);
    assert!(bench.due().is_empty());
    bench.wait(5 * MINUTE);
    assert_eq!(bench.names(), ["a"]);
}

#[test]
fn a_list_without_the_times_that_are_wanted_is_listed_again() {
    let mut bench = Bench::new();
    bench.watch("fleet", &["a"]);
    bench.list(&["1.0.0"]);
    bench.watch("fleet", &["a"]);
    assert!(bench.due().is_empty());
    bench.watch_with("lab", &["a"], true);
    assert!(bench.seen("a").starts_with("1 tags, Awaited"));
    let jobs = bench.due();
    assert!(jobs[0].times);
    bench.done(&jobs[0], Outcome::Listed(tags(&["1.0.0"])));
    assert_eq!(bench.seen("a"), "1 tags", "the registry may have none");
    bench.watch_with("lab", &["a"], true);
    assert!(bench.due().is_empty());
}

#[test]
fn what_was_refused_is_looked_at_when_its_account_is_mended() {
    let mut bench = Bench::new();
    bench.watch("fleet", &["a", "b", "c"]);
    let jobs = bench.due();
    let refused = || Outcome::Failed {
        blame: Blame::Repository,
        why: "who are you?".to_owned(),
    };
    bench.done(&jobs[0], refused());
    bench.done(&jobs[1], Outcome::Listed(tags(&["1"])));
    bench.wait(MINUTE);
    assert!(bench.due().is_empty());
    bench.core.mended(AccountId::at(7), bench.now.wall);
    assert!(bench.due().is_empty(), "another account");
    bench.core.mended(AccountId::ANONYMOUS, bench.now.wall);
    let again = bench.due();
    assert_eq!(again.len(), 1, "what is listed is left alone");
    assert_eq!(again[0].key, jobs[0].key);
    // The look at c began before that.
    bench.done(&jobs[2], refused());
    assert_eq!(bench.names(), ["c"]);
    bench.done(&again[0], Outcome::Listed(tags(&["1"])));
    bench.core.mended(AccountId::ANONYMOUS, bench.now.wall);
    assert!(bench.due().is_empty());
}

#[test]
fn a_look_knows_who_comes_next_with_its_account() {
    let mut bench = Bench::new();
    let company = |job: &Job| {
        let names = job
            .company
            .iter()
            .map(|image| image.repository().to_owned());
        names.collect::<Vec<_>>()
    };
    bench.watch("fleet", &["a", "b"]);
    let jobs = bench.due();
    assert_eq!(company(&jobs[0]), ["a", "b"]);
    for job in &jobs {
        bench.done(job, Outcome::Listed(tags(&["1"])));
    }
    // The others are due in an interval at the earliest.
    bench.watch("fleet", &["a", "b", "c"]);
    assert_eq!(company(&bench.due()[0]), ["c"]);
    bench.wait(10 * MINUTE);
    let jobs = bench.due();
    assert_eq!(jobs.len(), 2);
    assert_eq!(company(&jobs[0]).len(), 2);
    let many: Vec<String> = (0..100).map(|n| format!("many-{n}")).collect();
    let many: Vec<&str> = many.iter().map(String::as_str).collect();
    let mut bench = Bench::new();
    bench.watch("fleet", &many);
    let jobs = bench.due();
    assert!(company(&jobs[0]).len() <= jobs.len() + 20);
    assert!(jobs.len() < 100);
}

#[test]
fn a_host_that_fails_is_no_reason_to_wait() {
    let mut bench = Bench::new();
    bench.watch("fleet", &["a", "b"]);
    let jobs = bench.due();
    bench.done(&jobs[0], Outcome::Listed(tags(&["1.0.0"])));
    for _ in 0..5 {
        let ended = Ended {
            kind: Kind::List,
            class: Class::Failed,
            sent: bench.now.steady,
            retry_after: None,
            quota: None,
        };
        bench.hosts.of("r.example").ended(ended, bench.now);
    }
    bench.done(&jobs[1], Outcome::Postponed);
    let words = "r.example failed several times in a row and is left alone for a moment";
    assert_eq!(bench.seen("b"), format!("failed: {words}"));
    bench.ask_for("a");
    assert_eq!(bench.seen("a"), format!("1 tags, Failed({words:?})"));
    bench.wait(10);
    assert_eq!(bench.names(), ["a"], "one tries");
    assert!(bench.due().is_empty());
}
