//! Changes that wait for a window, and freezes of an app file.

use super::*;

const WINDOW: &str = "windows: [{cron: 0 9 * * *, duration: 8h, timezone: UTC}]";

/// A stage with these keys, at 1.0.0 with 1.1.0 to come.
fn world(keys: &str, now: &str) -> World {
    let stages = format!("stages: [{{name: live, paths: ['**'], {keys}}}]\n");
    let mut world = World::new(&stages, &[&site("1.0.0")]).tags(&["1.0.0", "1.1.0"]);
    world.facts.now = now.parse().unwrap();
    world
}

fn expires(world: &World) -> Option<String> {
    world.plan().expires.map(|until| until.to_string())
}

#[test]
fn a_change_waits_for_its_window() {
    let closed = world(WINDOW, "2026-03-02T08:00:00Z");
    assert_eq!(closed.step(), "needs [\"1.1.0\"]", "the digest is known");
    let closed = closed.found("1.1.0");
    assert_eq!(
        closed.step(),
        "1.1.0 waits: window opens Mon 09:00 UTC (2026-03-02T09:00:00Z); \
         `tagwright deploy shop live 1.1.0` goes at once"
    );
    assert_eq!(expires(&closed).as_deref(), Some("2026-03-02T09:00:00Z"));
    assert_eq!(closed.plan().changes().count(), 0);

    let open = world(WINDOW, "2026-03-02T09:00:00Z").found("1.1.0");
    assert_eq!(open.step(), "1.0.0 -> 1.1.0 at [0]");
    assert_eq!(expires(&open).as_deref(), Some("2026-03-02T17:00:00Z"));
}

#[test]
fn where_nothing_changes_no_window_matters() {
    let world = world(WINDOW, "2026-03-02T08:00:00Z").tags(&["1.0.0"]);
    assert_eq!(world.step(), "up to date");
    assert_eq!(expires(&world), None);
}

#[test]
fn a_freeze_of_the_app_file_stops_a_stage_between_its_times() {
    let freeze =
        "freezes: [{from: 2026-03-02T08:00:00Z, until: 2026-03-02T12:00:00Z, reason: audit}]";
    let keys = format!("{freeze}, {WINDOW}");
    for (now, step, until) in [
        (
            "2026-03-02T07:00:00Z",
            "1.1.0 waits: window opens Mon 09:00 UTC",
            Some("2026-03-02T08:00:00Z"),
        ),
        (
            "2026-03-02T08:00:00Z",
            "blocked: frozen until 2026-03-02T12:00:00Z by policies/shop.yaml:4:48: audit; \
             taking it out of the file ends it",
            Some("2026-03-02T12:00:00Z"),
        ),
        (
            "2026-03-02T12:00:00Z",
            "1.0.0 -> 1.1.0 at [0]",
            Some("2026-03-02T17:00:00Z"),
        ),
    ] {
        let world = world(&keys, now).found("1.1.0");
        let told = world.step();
        assert!(told.starts_with(step), "{now}: {told}");
        assert_eq!(expires(&world).as_deref(), until, "{now}");
    }
}
