//! The poller over hours, in steps: no host is asked for more than it allows, no image is forgotten, and
//! whatever went wrong is over soon after it ends.

mod world;

use std::time::Duration;

use proptest::prelude::*;
use tagwright::registry::poller::Core;

use world::{Fault, FaultKind, Limit, Site, World};

const HOUR: u64 = 3600;

const INTERVAL: Duration = Duration::from_secs(300);

fn site(host: &str, images: usize, requests: u64, window: u64) -> Site {
    Site {
        host: host.to_owned(),
        images,
        limit: Limit {
            requests,
            window,
            is_told: false,
        },
        faults: Vec::new(),
    }
}

fn told(host: &str, images: usize, requests: u64, window: u64) -> Site {
    let mut site = site(host, images, requests, window);
    site.limit.is_told = true;
    site
}

/// The longest time between two looks, in seconds, with some for the queue.
fn bound() -> u64 {
    Core::bound(INTERVAL).as_secs() + 60
}

#[test]
fn hosts_with_different_limits_are_kept_to_them_and_every_image_is_seen() {
    let sites = vec![
        site("plenty.example", 400, 6000, 60),
        site("acme.azurecr.io", 400, 1000, 60),
        site("docker.io", 400, 1000, 60),
        told("told.example", 400, 150, 300),
    ];
    let limits: Vec<u64> = sites.iter().map(|site| site.limit.requests).collect();
    let mut world = World::new(sites, INTERVAL);
    world.pass(6 * HOUR);
    for (tally, limit) in world.tallies().iter().zip(limits) {
        assert_eq!((tally.refused, tally.unseen), (0, 0), "{tally:?}");
        assert!(tally.most_in_window <= limit, "{tally:?}");
        assert!(tally.longest <= bound(), "{tally:?}");
        // Most images rest, so they are asked for at a quarter of the rate.
        assert!(tally.requests < 400 * (12 + 5 * 6), "{tally:?}");
    }
}

#[test]
fn a_limit_that_nobody_tells_is_found_out() {
    let mut world = World::new(vec![site("small.example", 600, 5, 1)], INTERVAL);
    world.pass(4 * HOUR);
    let tally = &world.tallies()[0];
    assert_eq!(tally.unseen, 0, "{tally:?}");
    assert!(tally.refused * 50 < tally.requests, "{tally:?}");
    assert!(tally.longest <= bound(), "{tally:?}");
}

#[test]
fn a_storm_clears_without_a_stampede() {
    for wait in [Some(30), Some(5), None] {
        let mut site = site("storm.example", 1000, 6000, 60);
        site.faults.push(Fault {
            from: 2 * HOUR,
            until: 2 * HOUR + 1800,
            kind: FaultKind::Storm(wait),
        });
        let mut world = World::new(vec![site], INTERVAL);
        world.pass(4 * HOUR);
        let tally = &world.tallies()[0];
        assert_eq!((tally.unseen, tally.refused), (0, 0), "{wait:?} {tally:?}");
        // 1,000 images, all of them overdue.
        assert!(tally.most_after <= 25, "{wait:?} {tally:?}");
        let after = tally.recovered - (2 * HOUR + 1800);
        assert!(after <= 20 * 60, "{wait:?} {tally:?}");
    }
}

#[test]
fn a_host_that_is_down_is_hardly_asked() {
    for kind in [FaultKind::Errors, FaultKind::Silence] {
        let mut site = site("down.example", 500, 6000, 60);
        site.faults.push(Fault {
            from: 0,
            until: 2 * HOUR,
            kind,
        });
        let mut world = World::new(vec![site], INTERVAL);
        world.pass(2 * HOUR);
        let down = world.tallies()[0].requests;
        assert!(down <= 100, "{kind:?}: {down}");
        world.pass(HOUR);
        let tally = &world.tallies()[0];
        assert_eq!(tally.unseen, 0, "{kind:?} {tally:?}");
        assert!(tally.most_after <= 25, "{kind:?} {tally:?}");
        assert!(tally.recovered <= 2 * HOUR + 600, "{kind:?} {tally:?}");
    }
}

#[test]
fn a_restart_makes_no_burst() {
    for away in [1, 30 * 60, 48 * HOUR] {
        let mut world = World::new(vec![site("plenty.example", 3000, 6000, 60)], INTERVAL);
        world.pass(3 * HOUR);
        world.restart(away);
        world.pass(300);
        let tally = &world.tallies()[0];
        // Spread over five minutes these are 10 a second.
        assert!(tally.most_in_second <= 25, "{away}: {tally:?}");
        assert!(tally.requests <= 3000, "{away}: {tally:?}");
        world.pass(HOUR);
        assert_eq!(world.tallies()[0].unseen, 0, "{away}");
    }
}

fn faults() -> impl Strategy<Value = Vec<Fault>> {
    let kind = prop_oneof![
        proptest::option::of(1u64..400).prop_map(FaultKind::Storm),
        Just(FaultKind::Errors),
        Just(FaultKind::Silence),
    ];
    let fault = (0u64..5400, 1u64..1800, kind).prop_map(|(from, length, kind)| Fault {
        from,
        until: from + length,
        kind,
    });
    proptest::collection::vec(fault, 0..4)
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(48))]

    /// Whatever goes wrong in the first two hours, in the fourth all images are seen within their bound,
    /// and no limit that is told or known is ever passed.
    #[test]
    fn what_went_wrong_is_over_soon_after(
        images in 1usize..120, interval in 120u64..600, is_told: bool, faults in faults(),
    ) {
        let interval = Duration::from_secs(interval);
        let mut site = if is_told {
            told("r.example", images, 120, 60)
        } else {
            site("acme.azurecr.io", images, 1000, 60)
        };
        let limit = site.limit.requests;
        site.faults = faults;
        let mut world = World::new(vec![site], interval);
        world.pass(4 * HOUR);
        let tally = &world.tallies()[0];
        prop_assert_eq!(tally.unseen, 0, "{:?}", tally);
        prop_assert!(tally.refused == 0 && tally.most_in_window <= limit, "{:?}", tally);
        let queue = 60 + images as u64;
        prop_assert!(tally.longest <= Core::bound(interval).as_secs() + queue, "{:?}", tally);
    }
}
