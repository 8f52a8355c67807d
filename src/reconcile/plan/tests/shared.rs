//! Sites that several stages read, and sites that their own stage overrides.

use super::*;
use crate::policy::{Found, Time, TimeSource};

const BASE: &str = "== base/d.yaml\nimage: ghcr.io/acme/shop:1.0.0\n\
                    == base/kustomization.yaml\nresources: [d.yaml]\n";

/// A world of the files of `tree` (a line `== PATH` starts one) and one stage for each of `stages`,
/// in flow style. The tags 1.0.0, 1.1.0 and 2.0.0 are there.
fn world(stages: &str, tree: &str) -> World {
    let text = format!("version: 1\napp: shop\nimage: ghcr.io/acme/shop\nstages: {stages}\n");
    let entry = PoliciesEntry::unlimited("policies/".parse().unwrap());
    let policy = PolicyFile {
        path: "policies/shop.yaml",
        text: &text,
        blob: "b",
    };
    let loaded = config::apps(&entry, &[policy]);
    assert_eq!(loaded.diagnostics, []);
    let files: Vec<IndexedFile> = tree
        .split("== ")
        .skip(1)
        .map(|text| {
            let (path, text) = text.split_once('\n').unwrap();
            let format = manifest::format_of(path).unwrap();
            IndexedFile {
                path: path.to_owned(),
                blob: BlobId::of(text.as_bytes()),
                format,
                targets: Vec::new(),
                index: Arc::new(manifest::index(format, text.as_bytes())),
            }
        })
        .collect();
    let claims = claims::claim(&loaded.apps, &[entry], &files);
    World {
        apps: loaded.apps,
        files,
        claims,
        facts: Facts::default(),
    }
    .tags(&["1.0.0", "1.1.0", "2.0.0"])
    .found("1.1.0")
    .found("2.0.0")
}

/// Each stage's step in a few words, then what is refused.
fn told(world: &World) -> Vec<String> {
    let plan = world.plan();
    let steps = plan.stages.iter().map(|stage| {
        let name = &world.apps[0].stages[stage.key.stage].name;
        let paths = |change: &Change| {
            let sites = change.sites.iter();
            let paths: Vec<&str> = sites
                .map(|site| world.files[site.file].path.as_str())
                .collect();
            paths.join(" ")
        };
        match &stage.step {
            Step::Waiting(waiting) => {
                let change = &waiting.change;
                format!("{name} waits for {}: {}", change.tag, paths(change))
            }
            Step::Change(change) => {
                format!(
                    "{name} {} -> {}: {}",
                    change.from,
                    change.tag,
                    paths(change)
                )
            }
            Step::UpToDate => format!("{name} {} stays", stage.running),
            Step::Undecided => format!("{name} undecided"),
            Step::Blocked(blocked) => format!("{name} blocked: {blocked}"),
        }
    });
    let refused = plan.refused.iter().map(ToString::to_string);
    steps.chain(refused).collect()
}

/// Staging has the base among its own paths, and an overlay without a tag.
fn staging_owns(production: &str, production_tags: &str) -> Vec<String> {
    let tree = format!(
        "{BASE}== prod/kustomization.yaml\nresources: [../base]\n{production}\
         == stag/kustomization.yaml\nresources: [../base]\n"
    );
    let stages = format!(
        "[{{name: staging, paths: [stag/**, base/**]}}, \
          {{name: production, paths: [prod/**], tags: {{semver: {production_tags}}}}}]"
    );
    told(&world(&stages, &tree))
}

#[test]
fn a_site_that_another_stage_takes_as_it_is_stays() {
    let found = staging_owns("", "1.x");
    let reason = "not set to 2.0.0: shop/production reads base/d.yaml too, through \
                  prod/kustomization.yaml, and is not to get 2.0.0 now";
    assert_eq!(found[0], format!("staging blocked: {reason}"));
    let wanted = format!("base/d.yaml:1:8: error: {reason} (set the tag in `images` of");
    assert!(found[2].starts_with(&wanted), "{found:?}");
    assert_eq!(found.len(), 3);
}

#[test]
fn a_site_that_the_other_stage_overrides_is_written() {
    let production = "images: [{name: ghcr.io/acme/shop, newTag: 1.0.0}]\n";
    assert_eq!(
        staging_owns(production, "1.0.x"),
        [
            "staging 1.0.0 -> 2.0.0: base/d.yaml",
            "production 1.0.0 stays"
        ]
    );
}

#[test]
fn a_site_is_written_once_both_stages_come_to_the_same_tag() {
    // Production comes to its tag by a site of its own.
    let production = "== prod/cron.yaml\nimage: ghcr.io/acme/shop:1.0.0\n";
    assert_eq!(
        staging_owns(production, "'*'"),
        [
            "staging 1.0.0 -> 2.0.0: base/d.yaml",
            "production 1.0.0 -> 2.0.0: prod/cron.yaml",
        ]
    );
    let there = production.replace("1.0.0", "2.0.0");
    assert_eq!(
        staging_owns(&there, "'*'"),
        [
            "staging 1.0.0 -> 2.0.0: base/d.yaml",
            "production 2.0.0 stays"
        ]
    );
    let lower = staging_owns(production, "1.x");
    assert!(
        lower[0].starts_with("staging blocked: not set to 2.0.0"),
        "{lower:?}"
    );
    assert_eq!(lower[1], "production 1.0.0 -> 1.1.0: prod/cron.yaml");
}

#[test]
fn the_rest_of_a_change_goes_on() {
    let tree = format!(
        "{BASE}== prod/kustomization.yaml\nresources: [../base]\n\
         == stag/cron.yaml\nimage: ghcr.io/acme/shop:1.1.0\n"
    );
    let stages =
        "[{name: staging, paths: [stag/**, base/**]}, {name: production, paths: [prod/**]}]";
    let found = told(&world(stages, &tree));
    assert_eq!(found[0], "staging 1.1.0 -> 2.0.0: stag/cron.yaml");
    assert!(
        found[2].starts_with("base/d.yaml:1:8: error: not set to 2.0.0"),
        "{found:?}"
    );
}

#[test]
fn a_stage_that_is_stopped_holds_others_back() {
    // b waits for c, which is not to move; a waits for b.
    let tree = "== a/base.yaml\nimage: ghcr.io/acme/shop:1.0.0\n\
                == b/base.yaml\nimage: ghcr.io/acme/shop:1.0.0\n\
                == b/kustomization.yaml\nresources: [../a/base.yaml]\n\
                == c/kustomization.yaml\nresources: [../b/base.yaml]\n";
    let stages = "[{name: a, paths: [a/**]}, {name: b, paths: [b/**]}, {name: c, paths: [c/**]}]";
    let found = told(&world(stages, tree));
    assert!(
        found[0].starts_with("a blocked: not set to 2.0.0: shop/b reads"),
        "{found:?}"
    );
    assert!(
        found[1].starts_with("b blocked: not set to 2.0.0: shop/c reads"),
        "{found:?}"
    );
}

#[test]
fn a_stage_that_waits_holds_others_back_and_not_those_that_wait_with_it() {
    let tree = "== a/base.yaml\nimage: ghcr.io/acme/shop:1.0.0\n\
                == b/own.yaml\nimage: ghcr.io/acme/shop:1.0.0\n\
                == b/kustomization.yaml\nresources: [../a/base.yaml]\n";
    let window = "windows: [{cron: 0 9 * * *, duration: 1h, timezone: UTC}]";
    let stages = |of_a: &str| {
        format!("[{{name: a, paths: [a/**]{of_a}}}, {{name: b, paths: [b/**], {window}}}]")
    };
    let found = told(&world(&stages(""), tree));
    assert!(
        found[0].starts_with("a blocked: not set to 2.0.0: shop/b reads"),
        "{found:?}"
    );
    assert_eq!(found[1], "b waits for 2.0.0: b/own.yaml");
    let both = stages(&format!(", {window}"));
    let mut world = world(&both, tree);
    assert_eq!(
        told(&world),
        [
            "a waits for 2.0.0: a/base.yaml",
            "b waits for 2.0.0: b/own.yaml"
        ]
    );
    world.facts.now = "2026-03-02T09:00:00Z".parse().unwrap();
    assert_eq!(
        told(&world),
        [
            "a 1.0.0 -> 2.0.0: a/base.yaml",
            "b 1.0.0 -> 2.0.0: b/own.yaml"
        ]
    );
}

/// A base, and an overlay that sets the tag.
fn layers(base: &str, tag: &str) -> String {
    format!(
        "== base/d.yaml\nimage: {base}\n== base/kustomization.yaml\nresources: [d.yaml]\n\
         == over/kustomization.yaml\nresources: [../base]\n\
         images: [{{name: ghcr.io/acme/shop, newTag: {tag}}}]\n"
    )
}

/// One stage over everything, whose overlay sets the tag.
fn overlay(base: &str, tag: &str) -> Vec<String> {
    let tree = layers(base, tag);
    told(&world("[{name: s, paths: ['**']}]", &tree))
}

#[test]
fn an_overridden_site_follows_and_decides_nothing() {
    for (base, tag, wanted) in [
        (
            "ghcr.io/acme/shop",
            "1.0.0",
            "s 1.0.0 -> 2.0.0: over/kustomization.yaml",
        ),
        (
            "ghcr.io/acme/shop:latest",
            "1.0.0",
            "s 1.0.0 -> 2.0.0: over/kustomization.yaml",
        ),
        (
            "ghcr.io/acme/shop:1.0.0",
            "1.1.0",
            "s 1.1.0 -> 2.0.0: base/d.yaml over/kustomization.yaml",
        ),
        (
            "ghcr.io/acme/shop:3.0.0",
            "1.0.0",
            "s 1.0.0 -> 2.0.0: over/kustomization.yaml",
        ),
        ("ghcr.io/acme/shop:1.0.0", "2.0.0", "s 2.0.0 stays"),
        ("ghcr.io/acme/shop", "2.0.0", "s 2.0.0 stays"),
    ] {
        assert_eq!(overlay(base, tag), [wanted], "{base} {tag}");
    }
}

#[test]
fn an_overridden_site_follows_where_tags_are_ordered_by_time() {
    let built = |tag: &str, second: i64| {
        let created = Datum::Known(Time {
            at: Timestamp::from_second(second).unwrap(),
            source: TimeSource::Config,
        });
        let pushed = Datum::Absent;
        let times = Times { pushed, created };
        let found = Found {
            times,
            ..Found::from(digest(tag))
        };
        ManifestFact::Found(found)
    };
    // The base's tag is not listed any more, so nothing else asks for its time.
    let world = |base: &str| {
        let tree = layers(&format!("ghcr.io/acme/shop:{base}"), "bbb");
        world("[{name: s, paths: ['**'], tags: {newest: created}}]", &tree)
            .tags(&["bbb", "ccc"])
            .fact("bbb", built("bbb", 20))
            .fact("ccc", built("ccc", 30))
    };
    let only = "s bbb -> ccc: over/kustomization.yaml";
    let open = world("aaa").plan().open.needs;
    let asked: Vec<&str> = open.iter().map(|need| need.tag.as_str()).collect();
    assert_eq!(
        (asked, &open[0].wants[..]),
        (vec!["aaa"], &[Want::Created][..])
    );
    let older = world("aaa").fact("aaa", built("aaa", 10));
    assert_eq!(
        told(&older),
        ["s bbb -> ccc: base/d.yaml over/kustomization.yaml"]
    );
    let newer = world("aaa").fact("aaa", built("aaa", 40));
    assert_eq!(told(&newer), [only]);
    for unknown in [
        ManifestFact::Missing,
        ManifestFact::Unreadable("503".into()),
    ] {
        assert_eq!(told(&world("aaa").fact("aaa", unknown)), [only]);
    }
}
