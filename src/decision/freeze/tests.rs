//! The freezes file: what is read, what is written, what is in force when.

use super::*;

fn entries(text: &str) -> Vec<Freezing> {
    let read = read(text).unwrap();
    read.into_iter().map(|(entry, _)| entry).collect()
}

#[test]
fn freezes_are_in_force_between_their_times_until_they_are_released() {
    let text = "\
- {stages: [production], from: 2026-12-20T00:00:00Z, until: 2027-01-02T00:00:00Z, reason: holidays}
- {stages: [staging, production], reason: incident}
- {release: true, stages: [staging]}
- {until: 2026-12-05T00:00:00Z, reason: move}
";
    let entries = entries(text);
    for (stage, now, expected, next) in [
        (
            "production",
            "2026-12-01T00:00:00Z",
            &[1, 3][..],
            Some("2026-12-05T00:00:00Z"),
        ),
        (
            "production",
            "2026-12-05T00:00:00Z",
            &[1],
            Some("2026-12-20T00:00:00Z"),
        ),
        (
            "production",
            "2026-12-20T00:00:00Z",
            &[0, 1],
            Some("2027-01-02T00:00:00Z"),
        ),
        ("production", "2027-01-02T00:00:00Z", &[1], None),
        (
            "staging",
            "2026-12-01T00:00:00Z",
            &[3],
            Some("2026-12-05T00:00:00Z"),
        ),
        (
            "other",
            "2026-12-01T00:00:00Z",
            &[3],
            Some("2026-12-05T00:00:00Z"),
        ),
        ("other", "2026-12-31T00:00:00Z", &[], None),
    ] {
        let now = now.parse().unwrap();
        let found = in_force(&entries, stage, now);
        let found: Vec<usize> = found.iter().map(|frozen| frozen.entry).collect();
        assert_eq!(found, expected, "{stage} at {now}");
        let next = next.map(|time| time.parse().unwrap());
        assert_eq!(changes_at(&entries, stage, now), next, "{stage} at {now}");
    }
}

#[test]
fn what_is_written_is_read_back() {
    let named = Stages::Named(vec!["staging".into(), "production".into()]);
    let all = [
        Freezing::Freeze {
            stages: named.clone(),
            from: Some("2026-12-01T09:00:00Z".parse().unwrap()),
            until: Some("2026-12-02T09:00:00Z".parse().unwrap()),
            reason: Some("no: \"changes\"\n".into()),
        },
        Freezing::Freeze {
            stages: Stages::All,
            from: None,
            until: None,
            reason: Some("true".into()),
        },
        Freezing::Release(named),
        Freezing::Release(Stages::All),
    ];
    let text: String = all.iter().map(Freezing::entry).collect();
    assert_eq!(entries(&text), all, "{text}");
}

#[test]
fn mistakes_are_told_with_their_places() {
    for (text, place, message) in [
        (
            "- {stages: [a], untill: x}\n",
            (1, 17),
            "no key of a freeze",
        ),
        ("- {stages: production}\n", (1, 12), "needs a list"),
        ("- {stages: []}\n", (1, 12), "needs a list"),
        ("- {stages: [a, '*']}\n", (1, 16), "no stage's name"),
        ("- {stages: [a], until: tomorrow}\n", (1, 24), "is no time"),
        ("- {release: false}\n", (1, 13), "only be `true`"),
        ("- {release: true, reason: x}\n", (1, 19), "doesn't go with"),
        ("- {}\n", (1, 3), "says nothing"),
        (
            "- {from: 2026-12-02T00:00:00Z, until: 2026-12-01T00:00:00Z}\n",
            (1, 39),
            "before",
        ),
        ("stages: [a]\n", (1, 1), "not a list of freezes"),
    ] {
        let mistakes = read(text).unwrap_err();
        let at = mistakes[0].at.map(|at| (at.line, at.column));
        assert_eq!(at, Some(place), "{text}: {mistakes:?}");
        assert!(
            mistakes[0].message.contains(message),
            "{text}: {mistakes:?}"
        );
    }
    assert_eq!(read("").unwrap(), []);
    let both = "- {reason: x}\n- {nothing: x}\n";
    assert_eq!(legible(both).len(), 1);
}
