//! Windows and freezes of stages: what is read, what is inherited, and what is refused with its place.

use std::time::Duration;

use super::*;
use crate::config::Stage;

fn app(stage: &str) -> String {
    format!(
        "version: 1\napp: shop\nimage: a/b\nstages:\n  - name: production\n    paths: [a]\n{stage}"
    )
}

fn stage(files: &[(&str, &str)]) -> Stage {
    let mut apps = apps_of(&entry("policies/"), files);
    assert!(
        apps.diagnostics.is_empty(),
        "{}",
        rendered(&apps.diagnostics)
    );
    apps.apps.remove(0).stages.remove(0)
}

fn mistakes(stage: &str) -> Vec<String> {
    let text = app(stage);
    let apps = apps_of(&entry("policies/"), &[("shop.yaml", &text)]);
    assert!(apps.apps.is_empty(), "{text}");
    lines(&apps.diagnostics)
}

#[test]
fn windows_and_freezes_are_read() {
    let text = app("    windows:
      - {cron: \"0 9 * * MON-FRI\", duration: 8h, timezone: Europe/London}
      - {cron: 30 20 * * SAT, duration: 90m, timezone: utc}
    freezes:
      - {from: 2026-12-18T17:00:00+01:00, until: 2027-01-04T00:00:00Z, reason: holidays}
      - until: 2026-12-01T00:00:00Z
");
    let stage = stage(&[("shop.yaml", &text)]);
    let windows = stage.windows.iter();
    let windows: Vec<_> = windows
        .map(|window| (window.schedule.to_string(), window.length))
        .collect();
    let minutes = |minutes: u64| Duration::from_secs(minutes * 60);
    let expected = [
        ("0 9 * * MON-FRI".to_owned(), minutes(480)),
        ("30 20 * * SAT".to_owned(), minutes(90)),
    ];
    assert_eq!(windows, expected);

    let time = |text: &str| text.parse::<jiff::Timestamp>().unwrap();
    let [first, second] = &stage.freezes[..] else {
        panic!("{:?}", stage.freezes);
    };
    let (from, until) = (time("2026-12-18T16:00:00Z"), time("2027-01-04T00:00:00Z"));
    assert_eq!((first.from, first.until), (Some(from), Some(until)));
    assert_eq!(first.reason.as_deref(), Some("holidays"));
    assert_eq!(
        format!("{}:{}", first.file, first.position),
        "policies/shop.yaml:11:9"
    );
    for (now, in_force, next) in [
        ("2026-12-18T15:59:59Z", false, Some(from)),
        ("2026-12-18T16:00:00Z", true, Some(until)),
        ("2027-01-03T23:59:59Z", true, Some(until)),
        ("2027-01-04T00:00:00Z", false, None),
    ] {
        let now = time(now);
        let told = (first.is_in_force(now), first.changes_at(now));
        assert_eq!(told, (in_force, next), "{now}");
    }
    assert!(second.is_in_force(time("2020-01-01T00:00:00Z")));
    assert!(!second.is_in_force(time("2026-12-01T00:00:00Z")));
}

#[test]
fn they_come_with_the_stages_of_the_defaults() {
    let defaults = "version: 1
stages:
  - name: production
    paths: [\"{app}\"]
    windows: [{cron: 0 9 * * *, duration: 8h, timezone: UTC}]
    freezes: [{from: 2026-12-18T17:00:00Z}]
";
    let shop = "version: 1\napp: shop\nimage: a/b\n";
    let stage = stage(&[("shop.yaml", shop), ("defaults.yaml", defaults)]);
    assert_eq!(stage.windows.len(), 1);
    assert_eq!(stage.freezes[0].file, "policies/defaults.yaml");
}

#[test]
fn mistakes_are_told_with_their_place() {
    for (stage, expected) in [
        (
            "    windows: [{cron: 0 25 * * *, duration: 8h, timezone: UTC}]\n",
            "policies/shop.yaml:7:22: error: `0 25 * * *` is no cron schedule: ",
        ),
        (
            "    windows: [{cron: 0 9 * *, duration: 8h, timezone: UTC}]\n",
            "policies/shop.yaml:7:22: error: a schedule has five fields, and `0 9 * *` has 4",
        ),
        (
            "    windows: [{cron: 0 9 30 2 *, duration: 8h, timezone: UTC}]\n",
            "policies/shop.yaml:7:22: error: `0 9 30 2 *` never comes",
        ),
        (
            "    windows: [{cron: 0 9 * * *, duration: 0h, timezone: UTC}]\n",
            "policies/shop.yaml:7:43: error: `0h` is out of range",
        ),
        (
            "    windows: [{cron: 0 9 * * *, duration: 8h, timezone: Europe/Londn}]\n",
            "policies/shop.yaml:7:57: error: `Europe/Londn` is no time zone",
        ),
        (
            "    windows: [{cron: 0 9 * * *, duration: 8h}]\n",
            "policies/shop.yaml:7:15: error: `timezone` is missing",
        ),
        (
            "    windows: []\n",
            "policies/shop.yaml:7:14: error: this list is empty",
        ),
        (
            "    freezes: [{reason: x}]\n",
            "policies/shop.yaml:7:15: error: a freeze says `from`, `until` or both",
        ),
        (
            "    freezes: [{from: 2026-12-18T17:00:00Z, until: 2026-12-18T17:00:00Z}]\n",
            "policies/shop.yaml:7:51: error: it ends before it begins",
        ),
        (
            "    freezes: [{from: 2026-12-18}]\n",
            "policies/shop.yaml:7:22: error: `2026-12-18` is not a time",
        ),
        (
            "    freezes: [{form: 2026-12-18T17:00:00Z, until: 2026-12-19T17:00:00Z}]\n",
            "policies/shop.yaml:7:16: error: unknown key `form`",
        ),
    ] {
        let told = mistakes(stage);
        assert!(
            told.len() == 1 && told[0].starts_with(expected),
            "{stage}: {told:?}"
        );
    }
    let many = "{cron: 0 9 * * *, duration: 8h, timezone: UTC}, ".repeat(33);
    let told = mistakes(&format!("    windows: [{many}]\n"));
    assert!(told[0].contains("33 windows are more than 32"), "{told:?}");
}
