//! The connection to the config repo is cut after any number of bytes, over HTTPS and SSH: nothing partial and
//! nothing double is ever on the branch, and the next pass reaches the right state.

#![expect(
    clippy::unwrap_used,
    reason = "what a test can't set up is a failure of that test"
)]

use std::collections::BTreeSet;

use jiff::SignedDuration;
use tagwright::reconcile::{Freshness, PassResult};

use crate::cutting::{Proxy, Way};
use crate::git_server::GitServer;
use crate::git_ssh::Sshd;
use crate::scenario::{CART, CART_POD, SHOP, Scenario, Service};

const POD: (&str, &str) = ("apps/shop.yaml", "image: HOST/acme/shop:1.0.0\n");

/// Cuts on each way of a pass, evenly over what goes there; fewer where each connection takes longer.
const CUTS_OF_HTTPS: u64 = 12;
const CUTS_OF_SSH: u64 = 6;

/// A scenario, and how its config repo is reached through a proxy.
struct Place {
    scenario: Scenario,
    proxy: Proxy,
    url: String,
    keys: String,
    releases: u32,
    /// Runs as long as it is here.
    _sshd: Option<Sshd>,
}

fn scenario() -> Option<Scenario> {
    let scenario = Scenario::new(&[SHOP, POD, CART, CART_POD])?;
    scenario.push("acme/shop", &["1.0.0"]);
    scenario.push("acme/cart", &["1.0.0"]);
    Some(scenario)
}

fn https() -> Option<Place> {
    let scenario = scenario()?;
    let path = scenario.repo.path();
    let accept = ["config", "http.receivepack", "true"];
    scenario.repo.git().ok(path, &accept);
    let root = path.parent().unwrap();
    let server = GitServer::start(root, true, None);
    let port = server.url.rsplit([':', '/']).nth(1).unwrap();
    let proxy = Proxy::before(port.parse().unwrap());
    Some(Place {
        url: format!("https://127.0.0.1:{}/fleet.git", proxy.port),
        keys: format!(
            "policies: [policies/]\nca: {}",
            root.join("ca.pem").display()
        ),
        scenario,
        proxy,
        releases: 0,
        _sshd: None,
    })
}

fn ssh() -> Option<Place> {
    let (scenario, mut sshd) = (scenario()?, Sshd::start()?);
    let mut proxy = None;
    sshd.put_behind(|port| proxy.insert(Proxy::before(port)).port);
    let file = |name: &str| sshd.world.path(name).display().to_string();
    let keys = format!(
        "policies: [policies/]\ncredentials: {{sshKey: {{file: '{}'}}, knownHosts: {{file: '{}'}}}}",
        file("user"),
        file("known hosts")
    );
    Some(Place {
        url: sshd.url(scenario.repo.path()),
        keys,
        scenario,
        proxy: proxy?,
        releases: 0,
        _sshd: Some(sshd),
    })
}

impl Place {
    fn service(&self) -> Service {
        self.scenario.service_at(&self.url, &self.keys)
    }

    fn releases(&mut self) {
        self.releases += 1;
        let tag = format!("1.{}.0", self.releases);
        self.scenario.push("acme/shop", &[&tag]);
        self.scenario.push("acme/cart", &[&tag]);
    }

    /// A pass that may fail; if it says that it landed, it has.
    fn disturbed(&self, service: &mut Service) {
        if let Ok(pass) = service.pass(Freshness::Anew)
            && let PassResult::Landed(_) = pass.result
        {
            self.assert_landed();
        }
    }

    /// The next pass reaches the right state, and the one after it has nothing to do.
    fn recovers(&self, service: &mut Service) {
        service.pass(Freshness::Anew).unwrap();
        self.assert_landed();
        let pass = service.pass(Freshness::Anew).unwrap();
        assert_eq!(pass.result, PassResult::Nothing);
    }

    /// The branch has the newest release of both apps, by whole commits, and none of them twice.
    fn assert_landed(&self) {
        let scenario = &self.scenario;
        scenario.assert_sound();
        for app in ["shop", "cart"] {
            let wanted = format!("image: HOST/acme/{app}:1.{}.0\n", self.releases);
            let text = scenario.read(&format!("apps/{app}.yaml"));
            assert_eq!(text, scenario.text(&wanted));
        }
        let changes = scenario.changes();
        assert_eq!(changes.len() + 1, scenario.commits());
        let unlike: BTreeSet<&String> = changes.iter().collect();
        assert_eq!(unlike.len(), changes.len(), "a change was made twice");
    }

    fn passed(&self) -> [u64; 2] {
        [Way::Up, Way::Down].map(|way| self.proxy.passed(way))
    }
}

/// Bytes on each way of a pass that nobody cuts.
fn measure(place: &mut Place, service: &mut Service) -> [u64; 2] {
    let before = place.passed();
    place.releases();
    service.pass(Freshness::Anew).unwrap();
    place.assert_landed();
    let after = place.passed();
    [after[0] - before[0], after[1] - before[1]]
}

/// Cuts passes of new services, which fetch all, and of one that goes on.
fn cut_anywhere(place: &mut Place, cuts: u64) {
    let mut service = place.service();
    for is_new in [true, false] {
        let whole = measure(place, &mut service);
        for (way, whole) in [Way::Up, Way::Down].into_iter().zip(whole) {
            for step in 0..cuts {
                if is_new {
                    service = place.service();
                }
                place.releases();
                place.proxy.cut(way, whole * step / cuts);
                place.disturbed(&mut service);
                place.proxy.mend();
                place.recovers(&mut service);
            }
        }
    }
}

fn other_trouble(place: &mut Place) {
    let mut service = place.service();
    let hour = SignedDuration::from_hours(1);
    let refuses = "echo 'not on Fridays' >&2; exit 1";
    // A limit on the size of files stands for a disk without room.
    let full = "trap '' XFSZ; ulimit -f 0; echo x > hooks/full || exit 1";
    for (hook, script, hours) in [
        ("pre-receive", refuses, 0),
        ("update", refuses, 0),
        // The server dies before the branch has moved, and after.
        ("pre-receive", "kill -9 $PPID", 0),
        ("post-receive", "kill -9 $PPID", 0),
        ("pre-receive", full, 0),
        // The clock jumps ahead, and back.
        ("pre-receive", refuses, 24 * 400),
        ("pre-receive", refuses, -24 * 800),
    ] {
        place.releases();
        place.scenario.clock.advance(hour * hours);
        place.scenario.repo.hook(hook, script);
        place.disturbed(&mut service);
        place.scenario.repo.hook(hook, "exit 0");
        // What a server refused is tried again later.
        place.scenario.clock.advance(hour);
        place.recovers(&mut service);
    }
}

#[test]
fn https_cut_anywhere_the_next_pass_goes_on() {
    let Some(mut place) = https() else { return };
    cut_anywhere(&mut place, CUTS_OF_HTTPS);
}

#[test]
fn ssh_cut_anywhere_the_next_pass_goes_on() {
    let Some(mut place) = ssh() else { return };
    cut_anywhere(&mut place, CUTS_OF_SSH);
}

#[test]
fn servers_that_refuse_or_die_are_pushed_to_again() {
    for place in [https, ssh] {
        let Some(mut place) = place() else { return };
        other_trouble(&mut place);
    }
}
