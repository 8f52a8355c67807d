//! Apps of one group: what one of them waits for, the others wait for too.

use super::*;
use crate::policy::{Time, TimeSource};

/// An app of these tests: its name, the keys of its app file, and those of its stage.
type Of<'a> = (&'a str, &'a str, &'a str);

const WEB: &str = "group: web\n";

/// When nothing is frozen and no window is open.
const NOW: &str = "2026-03-02T08:00:00Z";

fn feed_of(name: &str) -> Feed {
    let image = format!("ghcr.io/acme/{name}");
    (image.parse().unwrap(), AccountId::ANONYMOUS)
}

/// Apps whose one stage `live` is a file of their own at 1.0.0, with 1.1.0 to come.
fn world(of: &[Of<'_>]) -> World {
    let texts: Vec<(String, String)> = of
        .iter()
        .map(|(name, keys, stage)| {
            let text = format!(
                "version: 1\napp: {name}\nimage: ghcr.io/acme/{name}\n{keys}stages: [{{name: live, paths: \
                 [{name}.yaml], {stage}}}]\n"
            );
            (format!("policies/{name}.yaml"), text)
        })
        .collect();
    let policies: Vec<PolicyFile<'_>> = texts
        .iter()
        .map(|(path, text)| PolicyFile {
            path,
            text,
            blob: "b",
        })
        .collect();
    let entry = PoliciesEntry::unlimited("policies/".parse().unwrap());
    let loaded = config::apps(&entry, &policies);
    let files: Vec<IndexedFile> = of
        .iter()
        .map(|(name, ..)| file(name, &format!("image: ghcr.io/acme/{name}:1.0.0\n")))
        .collect();
    let claims = claims::claim(&loaded.apps, &[entry], &files);
    let mut world = World {
        apps: loaded.apps,
        files,
        claims,
        facts: Facts::default(),
    };
    world.facts.now = NOW.parse().unwrap();
    for (name, ..) in of {
        lists(&mut world, name, &["1.0.0", "1.1.0"]);
        let found = ManifestFact::Found(digest("1.1.0").into());
        knows(&mut world, name, found);
    }
    world
}

fn file(name: &str, text: &str) -> IndexedFile {
    IndexedFile {
        path: format!("{name}.yaml"),
        blob: BlobId::of(text.as_bytes()),
        format: manifest::Format::Yaml,
        targets: Vec::new(),
        index: Arc::new(manifest::index(manifest::Format::Yaml, text.as_bytes())),
    }
}

fn lists(world: &mut World, name: &str, tags: &[&str]) {
    let listing = Listing::Complete {
        tags: tags.iter().map(|tag| tag.parse().unwrap()).collect(),
        at: Timestamp::UNIX_EPOCH,
    };
    world.facts.listings.insert(feed_of(name), listing);
}

/// What is known of 1.1.0 of an app.
fn knows(world: &mut World, name: &str, fact: ManifestFact) {
    let known = world.facts.manifests.entry(feed_of(name)).or_default();
    known.insert("1.1.0".parse().unwrap(), fact);
}

fn planned(world: &World) -> Plan {
    let of = |app: &App| (app.image.clone(), AccountId::ANONYMOUS);
    plan(&world.apps, &world.files, &world.claims, &world.facts, of)
}

/// The apps' steps in a few words, by name.
fn told(world: &World) -> Vec<String> {
    let mut plan = planned(world);
    let steps = |plan: &Plan| -> Vec<String> {
        let steps = plan.stages.iter().map(|stage| {
            let name = &world.apps[stage.key.app].name;
            match &stage.step {
                Step::Change(change) => format!("{name} -> {}", change.tag),
                Step::Waiting(waiting) => format!("{name} waits: {}", waiting.words()),
                Step::UpToDate => format!("{name} rests"),
                Step::Undecided => format!("{name} undecided"),
                Step::Blocked(blocked) => format!("{name} blocked: {blocked}"),
            }
        });
        steps.collect()
    };
    let first = steps(&plan);
    // Looking again says the same.
    plan.bind(&world.apps);
    assert_eq!(steps(&plan), first);
    first
}

/// That shop waits, since cart `does`.
#[track_caller]
fn shop_waits(world: &World, does: &str) {
    let told = told(world);
    let wanted = format!("shop waits: moves with its group `web`, held up by cart, which {does}");
    assert!(told[1].starts_with(&wanted), "{told:#?}");
}

const BOTH: [Of<'static>; 2] = [("cart", WEB, ""), ("shop", WEB, "")];

#[test]
fn what_nothing_stops_changes_together() {
    let world = world(&BOTH);
    assert_eq!(told(&world), ["cart -> 1.1.0", "shop -> 1.1.0"]);
    let plan = planned(&world);
    let mut changes = plan.changes();
    assert!(changes.all(|(_, change)| change.group.as_ref().unwrap().as_str() == "web"));
}

#[test]
fn what_has_nothing_newer_holds_nobody_up() {
    let mut world = world(&BOTH);
    lists(&mut world, "cart", &["1.0.0"]);
    assert_eq!(told(&world), ["cart rests", "shop -> 1.1.0"]);
    // Nor does it while it is stopped.
    let freeze = "freezes: [{from: 2026-03-02T07:00:00Z, until: 2026-03-02T12:00:00Z}]";
    let mut world = self::world(&[("cart", WEB, freeze), ("shop", WEB, "")]);
    shop_waits(&world, "does not change: frozen until 2026-03-02T12:00:00Z");
    lists(&mut world, "cart", &["1.0.0"]);
    let told = told(&world);
    assert!(told[0].starts_with("cart blocked: frozen"), "{told:?}");
    assert_eq!(told[1], "shop -> 1.1.0");
}

#[test]
fn what_is_too_young_gives_the_others_time() {
    let young = "group: web\ntags: {semver: '*', minimumAge: 1h}\n";
    let mut world = world(&[("cart", young, ""), ("shop", WEB, "")]);
    let pushed = Times {
        pushed: Datum::Known(Time {
            at: "2026-03-02T07:30:00Z".parse().unwrap(),
            source: TimeSource::Registry,
        }),
        ..Times::default()
    };
    let times = [("1.1.0".parse().unwrap(), pushed)].into();
    world.facts.times.insert(feed_of("cart"), times);
    shop_waits(&world, "has something newer that is too young yet");
    let plan = planned(&world);
    assert_eq!(plan.expires, Some("2026-03-02T08:30:00Z".parse().unwrap()));
    world.facts.now = "2026-03-02T08:30:00Z".parse().unwrap();
    assert_eq!(told(&world), ["cart -> 1.1.0", "shop -> 1.1.0"]);
}

#[test]
fn what_stops_one_stops_the_others() {
    let window = "windows: [{cron: 0 9 * * *, duration: 8h, timezone: UTC}]";
    let waits = world(&[("cart", WEB, window), ("shop", WEB, "")]);
    shop_waits(&waits, "waits for 1.1.0: window opens Mon 09:00 UTC");
    let approval = "approvals: {required: 1, from: [ada], identity: author}";
    let asked = world(&[("cart", WEB, approval), ("shop", WEB, "")]);
    shop_waits(&asked, "waits for 1.1.0: approval 1 of 1");

    let mut unlisted = world(&BOTH);
    let failed = Listing::Failed("the registry is down".to_owned());
    unlisted.facts.listings.insert(feed_of("cart"), failed);
    shop_waits(&unlisted, "does not change: the registry is down");

    let mut unread = world(&BOTH);
    knows(
        &mut unread,
        "cart",
        ManifestFact::Unreadable("503".to_owned()),
    );
    shop_waits(&unread, "does not change: ");

    let mut undecided = world(&BOTH);
    undecided.facts.manifests.remove(&feed_of("cart"));
    shop_waits(&undecided, "is not decided yet");
    assert!(!planned(&undecided).open.is_empty());
}

#[test]
fn a_moved_tag_and_a_missing_site_stop_the_others() {
    let mut moved = world(&BOTH);
    let recorded = digest("another");
    let text =
        format!("image: ghcr.io/acme/cart:1.0.0\n---\nimage: ghcr.io/acme/cart:1.1.0@{recorded}\n");
    moved.files[0] = file("cart", &text);
    let entry = PoliciesEntry::unlimited("policies/".parse().unwrap());
    moved.claims = claims::claim(&moved.apps, std::slice::from_ref(&entry), &moved.files);
    shop_waits(&moved, "does not change: moved: 1.1.0 is recorded with");

    let mut siteless = world(&BOTH);
    siteless.files[0] = file("cart", "a: 1\n");
    siteless.claims = claims::claim(&siteless.apps, &[entry], &siteless.files);
    shop_waits(&siteless, "does not change: no site");
}

#[test]
fn a_site_that_another_stage_reads_stops_the_others() {
    let shared = "}, {name: other, paths: [other/**], tags: {semver: 1.0.x}";
    let mut world = world(&[("cart", WEB, shared), ("shop", WEB, "")]);
    let mut base = file("kustomization", "resources: [../cart.yaml]\n");
    base.path = "other/kustomization.yaml".to_owned();
    base.format = manifest::format_of(&base.path).unwrap();
    base.index = Arc::new(manifest::index(base.format, b"resources: [../cart.yaml]\n"));
    world.files.push(base);
    let entry = PoliciesEntry::unlimited("policies/".parse().unwrap());
    world.claims = claims::claim(&world.apps, &[entry], &world.files);
    let told = told(&world);
    assert!(
        told[0].starts_with("cart blocked: not set to 1.1.0: cart/other reads cart.yaml too"),
        "{told:#?}"
    );
    assert!(
        told[2].starts_with(
            "shop waits: moves with its group `web`, held up by cart, which does not change"
        ),
        "{told:#?}"
    );
}

/// A step of an app of the group, and whether there is nothing newer.
fn steps(change: &Change) -> Vec<(Step, bool)> {
    let alone = Change {
        group: None,
        ..change.clone()
    };
    let waiting = |change: &Change| {
        let missing = vec![Missing::check("red", "", None)];
        Step::Waiting(Waiting {
            change: change.clone(),
            missing,
        })
    };
    let blocked = || Step::Blocked(Blocked::Held("held".to_owned()));
    vec![
        (Step::Change(change.clone()), false),
        (Step::Change(alone.clone()), false),
        (waiting(change), false),
        (waiting(&alone), false),
        (Step::UpToDate, true),
        (Step::UpToDate, false),
        (Step::Undecided, false),
        (blocked(), true),
        (blocked(), false),
    ]
}

#[test]
fn however_things_stand_all_of_a_group_change_or_none() {
    let world = world(&[("cart", WEB, ""), ("docs", WEB, ""), ("shop", WEB, "")]);
    let plan = planned(&world);
    let change = plan.changes().next().unwrap().1.clone();
    let all = steps(&change);
    for number in 0..all.len().pow(3) {
        let chosen = [0, 1, 2].map(|app: u32| number / all.len().pow(app) % all.len());
        let mut plan = plan.clone();
        for (stage, at) in plan.stages.iter_mut().zip(chosen) {
            (stage.step, stage.rests) = all[at].clone();
        }
        let before: Vec<Step> = plan.stages.iter().map(|stage| stage.step.clone()).collect();
        plan.bind(&world.apps);
        // The first two change, and the fifth and the eighth have nothing newer.
        let holds = chosen.iter().any(|at| ![0, 1, 4, 7].contains(at));
        for ((stage, before), at) in plan.stages.iter().zip(&before).zip(chosen) {
            match (at, &stage.step) {
                (0, Step::Change(_)) => assert!(!holds, "{chosen:?}"),
                (0, Step::Waiting(_)) => assert!(holds, "{chosen:?}"),
                (2, Step::Waiting(waiting)) => {
                    let others = chosen.iter().filter(|at| ![0, 1, 4, 7].contains(at));
                    assert_eq!(waiting.missing.len() > 1, others.count() > 1, "{chosen:?}");
                }
                // Nothing else is touched.
                (_, after) => assert_eq!(format!("{after:?}"), format!("{before:?}"), "{chosen:?}"),
            }
        }
    }
}

#[test]
fn each_says_what_it_waits_for_itself_too() {
    let window = "windows: [{cron: 0 9 * * *, duration: 8h, timezone: UTC}]";
    let approval = "approvals: {required: 1, from: [ada], identity: author}";
    let world = world(&[("cart", WEB, window), ("shop", WEB, approval)]);
    let told = told(&world);
    assert!(told[0].starts_with("cart waits: window opens"), "{told:#?}");
    assert!(
        told[0].contains("held up by shop, which waits for 1.1.0: approval 1 of 1"),
        "{told:#?}"
    );
    assert!(
        told[1].starts_with("shop waits: approval 1 of 1"),
        "{told:#?}"
    );
    assert!(
        told[1].contains("held up by cart, which waits for 1.1.0: window opens"),
        "{told:#?}"
    );
    let plan = planned(&world);
    for stage in &plan.stages {
        let Step::Waiting(waiting) = &stage.step else {
            panic!("it waits");
        };
        assert!(waiting.may_be_proposed() && waiting.may_be_opened());
        assert!(!waiting.brief().contains("which"), "{}", waiting.brief());
    }
}

#[test]
fn what_blocks_one_keeps_the_others_from_being_proposed() {
    let mut world = world(&BOTH);
    let failed = Listing::Failed("the registry is down".to_owned());
    world.facts.listings.insert(feed_of("cart"), failed);
    let plan = planned(&world);
    assert!(plan.stages[1].wanted().is_none());
}

#[test]
fn other_groups_and_other_stages_are_free() {
    let window = "windows: [{cron: 0 9 * * *, duration: 8h, timezone: UTC}]";
    let mut world = world(&[
        ("cart", WEB, window),
        ("docs", "group: other\n", ""),
        ("mail", "", ""),
        ("shop", WEB, ""),
        ("zoom", "group: other\n", ""),
    ]);
    let told = told(&world);
    assert_eq!(told[1], "docs -> 1.1.0");
    assert_eq!(told[2], "mail -> 1.1.0");
    assert_eq!(told[4], "zoom -> 1.1.0");
    assert!(told[3].starts_with("shop waits"), "{told:#?}");
    world.apps[3].stages[0].name = "staging".parse().unwrap();
    assert_eq!(self::told(&world)[3], "shop -> 1.1.0");
}

#[test]
fn a_file_with_mistakes_stops_its_group() {
    let world = world(&[("cart", "group: web\nspeed: 3\n", ""), ("shop", WEB, "")]);
    assert_eq!(
        told(&world),
        [
            "shop waits: moves with its group `web`, held up by policies/cart.yaml, which has mistakes"
        ]
    );
}

#[test]
fn many_are_told_in_short() {
    let window = "windows: [{cron: 0 9 * * *, duration: 8h, timezone: UTC}]";
    let world = world(&[
        ("a", WEB, window),
        ("b", WEB, window),
        ("c", WEB, window),
        ("d", WEB, window),
        ("e", WEB, window),
        ("f", WEB, ""),
    ]);
    let told = told(&world);
    assert!(told[5].ends_with("; and 2 more"), "{}", told[5]);
    assert_eq!(told[5].matches(", which").count(), 3, "{}", told[5]);
}
