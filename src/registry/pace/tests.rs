//! Hosts that limit, fail and recover, in steps.

use super::*;

fn limits() -> Limits {
    Limits {
        failures: 3,
        rest: Duration::from_secs(10),
        patience: Duration::from_secs(10),
        ..Limits::default()
    }
}

fn begin() -> Now {
    Now {
        wall: Timestamp::from_second(1_700_000_000).unwrap(),
        steady: Instant::now(),
    }
}

fn seconds(seconds: u64) -> Duration {
    Duration::from_secs(seconds)
}

fn ended(class: Class, sent: Instant) -> Ended {
    Ended {
        kind: Kind::List,
        class,
        sent,
        retry_after: None,
        quota: None,
    }
}

/// How long the next listing waits, or why it isn't asked for.
fn wait(host: &mut Host, now: Now) -> Result<Duration, Rest> {
    match host.book(Kind::List, now, seconds(10)) {
        Turn::At { slot, .. } => Ok(slot.saturating_duration_since(now.steady)),
        Turn::Not(rest) => Err(rest),
    }
}

#[test]
fn a_pause_holds_for_all_and_is_never_endless() {
    let start = begin();
    let mut host = Host::new("r.example", &limits());
    let pause = |host: &mut Host, wait, now: Now| {
        let limited = Ended {
            retry_after: Some(wait),
            ..ended(Class::Limited, now.steady)
        };
        host.ended(limited, now);
    };
    pause(&mut host, seconds(60), start);
    pause(&mut host, seconds(30), start.after(seconds(1)));
    let until = start.after(seconds(60)).wall;
    assert_eq!(
        wait(&mut host, start.after(seconds(2))),
        Err(Rest::Asked(until))
    );
    let brief = wait(&mut host, start.after(seconds(55))).unwrap();
    assert_eq!(brief, seconds(5), "waited for");
    assert!(wait(&mut host, start.after(seconds(61))).is_ok());
    pause(&mut host, Duration::MAX, start);
    let late = start.after(seconds(6 * 3600 - 1)).wall;
    assert!(host.pause(late).is_some());
    assert!(host.pause(start.after(seconds(6 * 3600)).wall).is_none());
}

#[test]
fn pauses_outlive_the_process_and_a_clock_set_back() {
    let start = begin();
    let pace = Pace::new(limits());
    let limited = Ended {
        retry_after: Some(seconds(60)),
        ..ended(Class::Limited, start.steady)
    };
    pace.lock().of("r.example").ended(limited, start);
    let kept = pace.pauses(start.wall);
    let next = Pace::new(limits());
    next.take_up(kept.clone());
    assert_eq!(next.pauses(start.wall), kept);
    let long_before = start.wall - jiff::SignedDuration::from_hours(7);
    assert_eq!(next.pauses(long_before), Pauses::default());
}

#[test]
fn a_quota_is_spread_and_its_reserve_kept() {
    let start = begin();
    let mut host = Host::new("127.0.0.1:1", &limits());
    let said = |host: &mut Host, remaining: &str| {
        let mut headers = reqwest::header::HeaderMap::new();
        headers.insert("ratelimit-limit", "100".parse().unwrap());
        headers.insert("ratelimit-remaining", remaining.parse().unwrap());
        headers.insert("ratelimit-reset", "45".parse().unwrap());
        let reply = Ended {
            quota: Quota::of(&headers, start.wall),
            ..ended(Class::Success, start.steady)
        };
        host.ended(reply, start);
    };
    said(&mut host, "100");
    // 90 requests in 45 seconds, one of them now.
    let waits: Vec<_> = (0..4).map(|_| wait(&mut host, start).unwrap()).collect();
    assert!(waits[3] > seconds(1) && waits[3] < seconds(2), "{waits:?}");
    said(&mut host, "10");
    let until = start.after(seconds(45)).wall;
    assert_eq!(wait(&mut host, start), Err(Rest::Spent(until)));
    let token = host.book(Kind::Token, start, Duration::ZERO);
    assert!(matches!(token, Turn::At { .. }), "a token is no listing");
}

#[test]
fn a_pull_limit_says_nothing_of_listings() {
    let start = begin();
    let mut host = Host::new("docker.io", &limits());
    let mut headers = reqwest::header::HeaderMap::new();
    headers.insert("ratelimit-limit", "100;w=21600".parse().unwrap());
    headers.insert("ratelimit-remaining", "0;w=21600".parse().unwrap());
    let reply = Ended {
        kind: Kind::Manifest,
        quota: Quota::of(&headers, start.wall),
        ..ended(Class::Success, start.steady)
    };
    host.ended(reply, start);
    assert_eq!(wait(&mut host, start), Ok(Duration::ZERO));
    assert_eq!(host.report("docker.io", start.wall).quota, Some(0));
}

#[test]
fn a_host_that_fails_is_tried_with_one_request() {
    let start = begin();
    let mut host = Host::new("r.example", &limits());
    for class in [Class::Failed, Class::Server, Class::Failed] {
        assert!(wait(&mut host, start).is_ok());
        host.ended(ended(class, start.steady), start);
    }
    let until = start.after(seconds(10)).wall;
    assert_eq!(wait(&mut host, start), Err(Rest::Failing(until)));
    assert_eq!(host.width(16), 1);
    let later = start.after(seconds(10));
    assert!(wait(&mut host, later).is_ok());
    assert!(
        matches!(wait(&mut host, later), Err(Rest::Failing(_))),
        "one"
    );
    host.ended(ended(Class::Client, later.steady), later);
    assert_eq!(
        host.report("r.example", later.wall).breaker,
        BreakerState::Closed
    );
    assert!(wait(&mut host, later.after(seconds(1))).is_ok());
}

#[test]
fn who_waits_learns_that_the_host_said_stop() {
    let start = begin();
    let mut host = Host::new("r.example", &limits());
    let Turn::At { word, .. } = host.book(Kind::List, start, seconds(10)) else {
        panic!("nothing holds it");
    };
    host.ended(ended(Class::Success, start.steady), start);
    assert!(host.keeps(word));
    host.ended(ended(Class::Limited, start.steady), start);
    assert!(!host.keeps(word));
}

#[test]
fn hosts_beyond_a_bound_share_one_pace() {
    let mut hosts = Hosts::new(limits());
    for number in 0..2 * MAX_HOSTS {
        hosts
            .of(&format!("h{number}.example"))
            .set_pause(Timestamp::MAX);
    }
    assert_eq!(hosts.hosts.len(), MAX_HOSTS + 1);
    assert!(hosts.hosts.contains_key(OTHERS));
}

#[test]
fn every_request_has_a_kind() {
    for (url, kind) in [
        ("https://r.example/v2/a/b/tags/list?n=1000", Kind::List),
        (
            "https://hub.example/v2/repositories/a/b/tags?page=2",
            Kind::List,
        ),
        (
            "https://r.example/api/v1/repository/a/b/tag/?limit=100",
            Kind::List,
        ),
        (
            "https://r.example/acr/v1/a/b/_tags?orderby=timedesc",
            Kind::List,
        ),
        (
            "https://r.example/api/v2.0/projects/a/repositories/b/artifacts",
            Kind::List,
        ),
        ("https://r.example/v2/a/b/manifests/1.0", Kind::Manifest),
        ("https://r.example/v2/a/b/blobs/sha256:00", Kind::Blob),
        ("https://auth.example/token?scope=x", Kind::Token),
    ] {
        assert_eq!(Kind::of(&reqwest::Url::parse(url).unwrap()), kind, "{url}");
    }
}
