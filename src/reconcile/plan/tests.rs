//! What is decided for one stage, case by case.

mod checks;
mod shared;
mod statuses;
mod together;
mod waiting;

use super::*;
use crate::config::{self, PoliciesEntry, PolicyFile};
use crate::git::BlobId;
use crate::manifest;
use crate::reconcile::claims;
use std::sync::Arc;

/// One app with one stage, some files, and what the registry says.
struct World {
    apps: Vec<App>,
    files: Vec<IndexedFile>,
    claims: Claims,
    facts: Facts,
}

fn feed() -> Feed {
    ("ghcr.io/acme/shop".parse().unwrap(), AccountId::ANONYMOUS)
}

impl World {
    /// The app with `extra` keys, and one file for each text.
    fn new(extra: &str, texts: &[&str]) -> Self {
        let text = format!("version: 1\napp: shop\nimage: ghcr.io/acme/shop\n{extra}");
        let entry = PoliciesEntry::unlimited("policies/".parse().unwrap());
        let policy = PolicyFile {
            path: "policies/shop.yaml",
            text: &text,
            blob: "b",
        };
        let loaded = config::apps(&entry, &[policy]);
        assert_eq!(loaded.diagnostics, []);
        let files: Vec<IndexedFile> = texts
            .iter()
            .enumerate()
            .map(|(number, text)| IndexedFile {
                path: format!("{number}.yaml"),
                blob: BlobId::of(text.as_bytes()),
                format: manifest::Format::Yaml,
                targets: Vec::new(),
                index: Arc::new(manifest::index(manifest::Format::Yaml, text.as_bytes())),
            })
            .collect();
        let claims = claims::claim(&loaded.apps, &[entry], &files);
        Self {
            apps: loaded.apps,
            files,
            claims,
            facts: Facts::default(),
        }
    }

    fn tags(mut self, tags: &[&str]) -> Self {
        let listing = Listing::Complete {
            tags: tags.iter().map(|tag| tag.parse().unwrap()).collect(),
            at: Timestamp::UNIX_EPOCH,
        };
        self.facts.listings.insert(feed(), listing);
        self
    }

    fn fact(mut self, tag: &str, fact: ManifestFact) -> Self {
        self.facts
            .manifests
            .entry(feed())
            .or_default()
            .insert(tag.parse().unwrap(), fact);
        self
    }

    fn found(self, tag: &str) -> Self {
        self.fact(tag, ManifestFact::Found(digest(tag).into()))
    }

    fn plan(&self) -> Plan {
        plan(&self.apps, &self.files, &self.claims, &self.facts, |_| {
            feed()
        })
    }

    /// The one stage's step in a few words.
    fn step(&self) -> String {
        let plan = self.plan();
        let [stage] = plan.stages.as_slice() else {
            panic!("one stage");
        };
        match &stage.step {
            Step::Change(change) => {
                let sites: Vec<usize> = change.sites.iter().map(|site| site.file).collect();
                format!("{} -> {} at {sites:?}", change.from, change.tag)
            }
            Step::Waiting(waiting) => {
                let Waiting { change, .. } = waiting;
                format!("{} waits: {}", change.tag, waiting.words())
            }
            Step::UpToDate => "up to date".to_owned(),
            Step::Undecided => {
                let needs: Vec<&str> = plan
                    .open
                    .needs
                    .iter()
                    .map(|need| need.tag.as_str())
                    .collect();
                format!("needs {needs:?}")
            }
            Step::Blocked(blocked) => format!("blocked: {blocked}"),
        }
    }
}

/// What the registry has for a tag in these tests.
fn digest(tag: &str) -> Digest {
    Digest::of(tag.as_bytes())
}

fn site(version: &str) -> String {
    format!("image: ghcr.io/acme/shop:{version}\n")
}

#[test]
fn a_stage_moves_to_the_highest_tag_once_its_manifest_is_known() {
    let world = || World::new("", &[&site("1.0.0")]).tags(&["1.0.0", "1.1.0", "1.2.0"]);
    assert_eq!(world().step(), "needs [\"1.2.0\"]");
    assert_eq!(world().found("1.2.0").step(), "1.0.0 -> 1.2.0 at [0]");
}

#[test]
fn a_stage_that_stays_undecided_is_told() {
    let world = World::new("", &[&site("1.0.0")]).tags(&["1.0.0", "1.1.0"]);
    let mut plan = world.plan();
    plan.give_up(7);
    let Step::Blocked(blocked) = &plan.stages[0].step else {
        panic!("{plan:?}");
    };
    assert!(blocked.is_failure());
    assert!(
        blocked.to_string().contains("after 7 rounds of reading"),
        "{blocked}"
    );
}

/// As much as one pass reads of an image, and one tag more.
fn read_up(purpose: Purpose) -> Readings {
    let mut readings = Readings::default();
    for number in 0..=MOST {
        readings.admit(&Need {
            feed: feed(),
            tag: format!("read{number}").parse().unwrap(),
            wants: Vec::new(),
            purpose: Some(purpose),
        });
    }
    readings
}

#[test]
fn nothing_is_chosen_of_a_part_of_the_tags() {
    let newest = "tags: {newest: created}\n";
    let mut world = World::new(newest, &[&site("aaa")]).tags(&["aaa", "bbb", "ccc"]);
    assert_eq!(world.step(), "needs [\"aaa\", \"bbb\", \"ccc\"]");
    world.facts.readings = read_up(Purpose::Places);
    let plan = world.plan();
    assert!(plan.open.is_empty());
    let Step::Blocked(blocked) = &plan.stages[0].step else {
        panic!("{plan:?}");
    };
    assert!(!blocked.is_failure(), "the next pass goes on");
    let told = blocked.to_string();
    assert!(
        told.starts_with("the times of 3 of 3 tags are still to be read, 500 in a pass"),
        "{told}"
    );

    let mut world = World::new("", &[&site("1.0.0")]).tags(&["1.1.0", "1.2.0"]);
    world.facts.readings = read_up(Purpose::Places);
    assert_eq!(world.step(), "needs [\"1.2.0\"]", "another purpose");
    world.facts.readings = read_up(Purpose::Candidates);
    let step = world.step();
    assert!(
        step.starts_with("blocked: none of the 500 tags that a pass reads"),
        "{step}"
    );
}

#[test]
fn what_is_right_already_stays_and_asks_for_nothing() {
    let world = World::new("", &[&site("1.2.0")]).tags(&["1.0.0", "1.2.0"]);
    assert_eq!(world.step(), "up to date");
    assert_eq!(world.plan().open, Open::default());
}

#[test]
fn a_stage_without_sites_is_an_error() {
    let world = World::new("", &["image: nginx\n"]).tags(&["1.0.0"]);
    assert!(
        world.step().starts_with("blocked: no site"),
        "{}",
        world.step()
    );
}

#[test]
fn nothing_is_decided_on_a_listing_that_failed_or_is_not_there() {
    let mut world = World::new("", &[&site("1.0.0")]);
    assert_eq!(world.step(), "needs []");
    world
        .facts
        .listings
        .insert(feed(), Listing::Failed("the registry is down".to_owned()));
    assert_eq!(world.step(), "blocked: the registry is down");
    world
        .facts
        .listings
        .insert(feed(), Listing::Awaited("not listed yet".to_owned()));
    assert_eq!(world.step(), "blocked: not listed yet");
}

#[test]
fn an_old_list_chooses_nothing_new() {
    let old = |mut world: World, doubt: fn(String) -> Doubt| {
        let Some(Listing::Complete { tags, at }) = world.facts.listings.remove(&feed()) else {
            panic!("a complete list");
        };
        let doubt = doubt("the registry is down".to_owned());
        let stale = Listing::Stale { tags, at, doubt };
        world.facts.listings.insert(feed(), stale);
        world.found("1.1.0").step()
    };
    let words = "blocked: the tags are those of 1970-01-01T00:00:00Z, and nothing new is chosen from \
                 them: the registry is down";
    for held in [vec!["1.0.0"], vec!["1.1.0"], vec!["2.0.0"]] {
        let texts: Vec<String> = held.iter().map(|tag| site(tag)).collect();
        let texts: Vec<&str> = texts.iter().map(String::as_str).collect();
        for doubt in [Doubt::Failed, Doubt::Awaited] {
            let world = World::new("", &texts).tags(&["1.0.0", "1.1.0"]);
            assert_eq!(old(world, doubt), words, "{held:?}");
        }
    }
    // What runs already is nothing new.
    let split = World::new("", &[&site("1.0.0"), &site("1.1.0")]).tags(&["1.0.0", "1.1.0"]);
    let step = old(split, Doubt::Failed);
    assert!(step.starts_with("1.1.0"), "{step}");
}

#[test]
fn nothing_moves_back() {
    let world = World::new("", &[&site("2.0.0")]).tags(&["1.0.0", "1.2.0"]);
    let step = world.found("1.2.0").step();
    assert!(
        step.starts_with("blocked: 2.0.0 is gone from the registry"),
        "{step}"
    );
    let narrowed = World::new("tags: {semver: ^1}\n", &[&site("2.0.0")])
        .tags(&["1.0.0", "1.2.0", "2.0.0"])
        .found("1.2.0");
    let step = narrowed.step();
    assert!(
        step.contains("nothing moves back without a decision"),
        "{step}"
    );
}

#[test]
fn sites_that_lag_are_brought_to_what_the_stage_runs() {
    let sites = [site("1.2.0"), site("1.0.0")];
    let world = || World::new("", &[&sites[0], &sites[1]]).tags(&["1.0.0", "1.2.0"]);
    assert_eq!(world().step(), "needs [\"1.2.0\"]");
    assert_eq!(world().found("1.2.0").step(), "1.2.0 -> 1.2.0 at [1]");
    let newer = world().tags(&["1.2.0", "1.3.0"]).found("1.3.0");
    assert_eq!(newer.step(), "1.2.0 -> 1.3.0 at [0, 1]");
}

#[test]
fn candidates_that_cannot_be_read_choose_nothing() {
    let world = || World::new("", &[&site("1.0.0")]).tags(&["1.0.0", "1.1.0", "1.2.0"]);
    let unreadable = ManifestFact::Unreadable("the registry answered 500".to_owned());
    let step = world().found("1.1.0").fact("1.2.0", unreadable).step();
    assert!(
        step.contains("1.2.0") && step.contains("answered 500"),
        "{step}"
    );
    let once = world()
        .found("1.1.0")
        .fact("1.2.0", ManifestFact::MissingOnce);
    assert!(once.step().starts_with("blocked"), "{}", once.step());
    let gone = world().fact("1.2.0", ManifestFact::Missing);
    assert_eq!(gone.step(), "needs [\"1.1.0\"]");
    assert_eq!(gone.found("1.1.0").step(), "1.0.0 -> 1.1.0 at [0]");
}

#[test]
fn a_tag_whose_digest_differs_from_a_sites_record_has_moved() {
    let pinned = format!("image: ghcr.io/acme/shop:1.2.0@{}\n", digest("other"));
    let world = World::new("", &[&pinned, &site("1.0.0")])
        .tags(&["1.0.0", "1.2.0"])
        .found("1.2.0");
    let step = world.step();
    assert!(step.starts_with("blocked: moved: 1.2.0"), "{step}");
}

#[test]
fn a_digest_recorded_at_any_site_of_the_image_counts() {
    let staging = "stages: [{name: staging, paths: [0.yaml]}]\n";
    let production = format!("image: ghcr.io/acme/shop:1.2.0@{}\n", digest("other"));
    let world = |text: &str| {
        World::new(staging, &[&site("1.0.0"), text])
            .tags(&["1.0.0", "1.2.0"])
            .found("1.2.0")
    };
    let step = world(&production).step();
    assert!(
        step.starts_with("blocked: moved: 1.2.0") && step.contains("at 1.yaml:1:8"),
        "{step}"
    );
    for harmless in [
        production.replace("\n", " # tagwright: ignore\n"),
        production.replace("shop", "cart"),
        production.replace("1.2.0", "1.1.0"),
    ] {
        assert_eq!(world(&harmless).step(), "1.0.0 -> 1.2.0 at [0]");
    }
}

#[test]
fn sites_that_disagree_about_a_digest_are_told() {
    let pinned = |to: &str| format!("image: ghcr.io/acme/shop:1.2.0@{}\n", digest(to));
    let world = || World::new("", &[&pinned("1.2.0"), &pinned("other")]).tags(&["1.2.0"]);
    let Running::Split { others, .. } = &world().plan().stages[0].running else {
        panic!("the sites are split");
    };
    assert_eq!(others, &[format!("1.2.0@{}", digest("other"))]);
    assert_eq!(world().step(), "needs [\"1.2.0\"]");
    let step = world().found("1.2.0").step();
    assert!(
        step.starts_with("blocked: moved: 1.2.0") && step.contains("at 1.yaml:1:8"),
        "{step}"
    );
}

#[test]
fn replacing_what_has_no_order_moves_nothing_back() {
    let sites = [site("latest"), site("7.0.0")];
    let world = |range: &str| {
        let extra = format!("unordered: replace\ntags: {{semver: {range}}}\n");
        World::new(&extra, &[&sites[0], &sites[1]])
            .tags(&["latest", "6.9.0", "7.0.0", "7.1.0"])
            .found("6.9.0")
            .found("7.0.0")
            .found("7.1.0")
            .step()
    };
    assert!(world("^6").contains("nothing moves back without a decision"));
    assert_eq!(world("7.0.x"), "7.0.0 -> 7.0.0 at [0]");
    assert_eq!(world("^7"), "7.0.0 -> 7.1.0 at [0, 1]");
}

#[test]
fn a_recorded_digest_is_told_and_moves_along() {
    let pinned = format!("image: ghcr.io/acme/shop:1.0.0@{}\n", digest("1.0.0"));
    let world = World::new("", &[&pinned]).tags(&["1.2.0"]).found("1.2.0");
    assert_eq!(
        world.step(),
        format!("1.0.0@{} -> 1.2.0 at [0]", digest("1.0.0"))
    );
}

#[test]
fn a_reference_without_order_makes_the_stage_wait() {
    for text in [
        "image: ghcr.io/acme/shop:latest\n",
        "image: ghcr.io/acme/shop\n",
        "image: ghcr.io/acme/shop:4f2a9c1\n",
    ] {
        let world = World::new("", &[text, &site("1.0.0")]).tags(&["1.0.0", "1.2.0"]);
        let step = world.step();
        assert!(step.starts_with("blocked: unordered:"), "{text}: {step}");
        let replaced = World::new("unordered: replace\n", &[text])
            .tags(&["1.2.0"])
            .found("1.2.0");
        assert!(
            replaced.step().ends_with("-> 1.2.0 at [0]"),
            "{}",
            replaced.step()
        );
    }
}

#[test]
fn a_lone_name_or_digest_is_no_version() {
    let texts = [
        "x: ghcr.io/acme/shop # tagwright: shop:name\n",
        "tag: 1.0.0 # tagwright: shop:tag\n",
    ];
    let world = World::new("", &texts).tags(&["1.2.0"]).found("1.2.0");
    assert_eq!(world.step(), "1.0.0 -> 1.2.0 at [1]");
    let digests = [
        "digest: sha256:0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef # tagwright: shop:digest\n",
        "tag: 1.0.0 # tagwright: shop:tag\n",
    ];
    let world = World::new("", &digests).tags(&["1.2.0"]).found("1.2.0");
    assert_eq!(world.step(), "1.0.0 -> 1.2.0 at [0, 1]");
}

#[test]
fn a_stage_whose_sites_others_claim_too_says_so() {
    let mut world = World::new("", &["image: nginx\n"]).tags(&["1.0.0"]);
    world.claims.contested.insert(StageKey { app: 0, stage: 0 });
    assert!(
        world.step().starts_with("blocked: no site of its own"),
        "{}",
        world.step()
    );
}

#[test]
fn why_a_tag_has_no_order_is_told() {
    let world = World::new("", &["image: ghcr.io/acme/shop:latest\n"]).tags(&["1.0.0"]);
    let step = world.step();
    assert!(
        step.contains("`latest` can't be ordered: it is not a version"),
        "{step}"
    );
    let pinned = format!("image: ghcr.io/acme/shop@{}\n", digest("1"));
    let world = World::new("", &[&pinned]).tags(&["1.0.0"]);
    assert!(
        world.step().contains("only a digest is written"),
        "{}",
        world.step()
    );
}

/// Nobody knows what runs at a site whose marker asks for another part than it holds.
#[test]
fn a_site_that_cannot_be_written_makes_the_stage_wait_and_says_why() {
    let misfit = "tag: 1.0.0 # tagwright: shop\n";
    let world = World::new("", &[misfit, &site("1.0.0")]).tags(&["1.1.0"]);
    let step = world.step();
    assert!(
        step.starts_with("blocked: unordered: the site that holds `1.0.0` can't be written:"),
        "{step}"
    );
}

#[test]
fn failures_are_told_from_waiting() {
    let moved = Blocked::Moved {
        tag: "1".parse().unwrap(),
        recorded: digest("a"),
        place: "a.yaml:1:8".to_owned(),
        now: digest("b"),
    };
    let cases = [
        (Blocked::NoSites, true),
        (Blocked::Contested, true),
        (Blocked::Listing(String::new()), true),
        (Blocked::Awaited(String::new()), false),
        (Blocked::Unreadable(String::new()), true),
        (moved, true),
        (Blocked::Shared(String::new()), true),
        (Blocked::Unordered(String::new()), false),
        (Blocked::NothingAcceptable(String::new()), false),
    ];
    for (blocked, failure) in cases {
        assert_eq!(blocked.is_failure(), failure, "{blocked:?}");
    }
}
