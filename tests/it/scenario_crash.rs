//! `kill -9` at any moment: nothing partial and nothing double is ever on the branch, and the next
//! pass goes on from whatever was left behind.

use std::time::{Duration, Instant};

use crate::binary::{Place, Ran, files_below};
use crate::scenario::{self, CART, CART_POD, SHOP, Scenario};

/// Passes that are begun; most are killed.
const PASSES: u32 = 200;

/// A pass that nobody kills comes after so many.
const UNDISTURBED: u32 = 10;

/// Where the row of moments begins; another number is another row.
const SEED: u64 = 0x7a67_7772_6967_6874;

/// A row of numbers that look random and are the same in every run (Marsaglia, "Xorshift RNGs").
struct Dice(u64);

impl Dice {
    /// The next number below `bound`.
    fn roll(&mut self, bound: u64) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        self.0 % bound
    }
}

#[test]
fn killed_at_any_moment_the_next_pass_goes_on() {
    let files = [
        SHOP,
        CART,
        CART_POD,
        ("apps/shop.yaml", "image: HOST/acme/shop:1.0.0\n"),
    ];
    let Some(scenario) = Scenario::new(&files) else {
        return;
    };
    let place = Place::new(&[]);
    let host = scenario.registry.host();
    let keys = "policies: [policies/]";
    place.write(
        "tagwright.yaml",
        scenario::configuration(&host, &scenario.repo, keys),
    );
    let mut releases = Releases {
        scenario: &scenario,
        shop: 0,
        cart: 0,
    };
    releases.shop();
    releases.cart();
    let start = Instant::now();
    sync(&place);
    // How long a pass takes on this machine now, so that kills fall on all of it.
    let pass = start.elapsed();
    releases.assert_landed();

    let mut dice = Dice(SEED);
    let mut killed = 0;
    for round in 0..PASSES {
        match dice.roll(3) {
            0 => releases.shop(),
            1 => releases.cart(),
            _ => {}
        }
        if round % UNDISTURBED == UNDISTURBED - 1 {
            sync(&place);
            releases.assert_landed();
            continue;
        }
        let mut process = place.start(&["sync"]);
        let delay = pass.mul_f64(dice.roll(1200) as f64 / 1000.0);
        // The one place where a test sleeps: the moment of the kill is what it is about.
        std::thread::sleep(delay.min(Duration::from_secs(1)));
        process.kill().expect("the process is ours");
        let ended = process.wait().expect("the process is ours");
        killed += u32::from(ended.code().is_none());
    }
    assert!(killed > PASSES / 4, "only {killed} passes were killed");
    sync(&place);
    releases.assert_landed();
    let before = scenario.repo.head();
    sync(&place);
    assert_eq!(scenario.repo.head(), before, "there is nothing left to do");
    assert_nothing_left_over(&place);
}

/// A pass that nobody kills. A push of a killed pass may still be under way at the remote: its `git
/// receive-pack` outlives it for a moment.
fn sync(place: &Place) {
    let Ran { code, stderr, .. } = place.run(&["sync"]);
    assert_eq!(code, Some(0), "{stderr}");
}

/// The newest release of each app.
struct Releases<'a> {
    scenario: &'a Scenario,
    shop: u32,
    cart: u32,
}

impl Releases<'_> {
    fn shop(&mut self) {
        self.shop += 1;
        let tag = format!("1.{}.0", self.shop);
        self.scenario.push("acme/shop", &[&tag]);
    }

    fn cart(&mut self) {
        self.cart += 1;
        let tag = format!("1.{}.0", self.cart);
        self.scenario.push("acme/cart", &[&tag]);
    }

    /// The branch has every newest release, whole commits, and none of them twice.
    fn assert_landed(&self) {
        let scenario = self.scenario;
        scenario.assert_sound();
        for (app, minor) in [("shop", self.shop), ("cart", self.cart)] {
            let wanted = scenario.text(&format!("image: HOST/acme/{app}:1.{minor}.0\n"));
            assert_eq!(scenario.read(&format!("apps/{app}.yaml")), wanted);
        }
        let mut changes = scenario.changes();
        assert_eq!(changes.len() + 1, scenario.commits());
        let all = changes.len();
        changes.sort();
        changes.dedup();
        assert_eq!(changes.len(), all, "a change was made twice");
        let format = [
            "log",
            "--author=Tagwright",
            "--format=%x00",
            "--numstat",
            "main",
        ];
        let log = scenario.repo.git().text(scenario.repo.path(), &format);
        for stat in log
            .split('\0')
            .map(str::trim)
            .filter(|stat| !stat.is_empty())
        {
            assert!(
                stat == "1\t1\tapps/shop.yaml" || stat == "1\t1\tapps/cart.yaml",
                "{stat}"
            );
        }
    }
}

/// A killed process can't clear what it was writing; the next one does.
fn assert_nothing_left_over(place: &Place) {
    let cache = place.home().join(".cache/tagwright");
    let known = |file: &&String| {
        let file = file.as_str();
        file == "lock" || file.ends_with(".json") || file.starts_with("mirrors/fleet.git/")
    };
    let files = files_below(&cache);
    let strays: Vec<&String> = files.iter().filter(|file| !known(file)).collect();
    assert!(strays.is_empty(), "{strays:?}");
    let drafts = |file: &&String| file.contains("tmp_") || file.ends_with(".lock");
    let drafts: Vec<&String> = files.iter().filter(drafts).collect();
    assert!(drafts.is_empty(), "{drafts:?}");
    assert_eq!(files_below(&place.temporary()), [""; 0]);
}
