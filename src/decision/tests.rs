//! Decision files: what is read, what is written, what is in force.

use proptest::prelude::*;

use super::write::append;
use super::*;

fn digest() -> Digest {
    Digest::of(b"x")
}

fn decided(text: &str) -> Decided {
    let reference: crate::image::Reference = text.parse().unwrap();
    Decided {
        image: reference.image().clone(),
        tag: reference.tag().unwrap().clone(),
        digest: reference.digest().cloned(),
    }
}

fn decisions(text: &str) -> Vec<Decision> {
    let entries = read(text).unwrap();
    entries.into_iter().map(|entry| entry.decision).collect()
}

#[test]
fn every_kind_of_entry_is_read() {
    let digest = digest();
    let text = format!(
        "- approve: ghcr.io/acme/shop:6.2.0@{digest}\n  replaces: 6.1.9\n\
         - reject: ghcr.io/acme/shop:6.2.0\n  reason: leaks memory\n\
         - hold: incident 4711\n  until: 2026-12-01T09:00:00Z\n\
         - hold: 4711\n- release: true\n\
         - deploy: shop:6.1.10\n  reason: login broken\n"
    );
    assert_eq!(
        decisions(&text),
        [
            Decision::Approve {
                what: decided(&format!("ghcr.io/acme/shop:6.2.0@{digest}")),
                replaces: Some("6.1.9".into()),
            },
            Decision::Reject {
                what: decided("ghcr.io/acme/shop:6.2.0"),
                reason: Some("leaks memory".into()),
            },
            Decision::Hold {
                reason: "incident 4711".into(),
                until: Some("2026-12-01T09:00:00Z".parse().unwrap()),
            },
            Decision::Hold {
                reason: "4711".into(),
                until: None,
            },
            Decision::Release,
            Decision::Deploy {
                what: decided("shop:6.1.10"),
                reason: Some("login broken".into()),
            },
        ]
    );
    assert_eq!(read("").unwrap(), []);
    assert_eq!(read("# nothing yet\n").unwrap(), []);
}

#[test]
fn every_mistake_is_told_with_its_place() {
    for (text, expected) in [
        ("hold: x\n", "1:1 not a list"),
        ("- hold: [\n", "not a list"),
        (
            "- hodl: x\n- reject: shop\n",
            "1:3 says none of|2:11 `shop` has no tag",
        ),
        (
            "- hold: x\n  untill: 2026-12-01T09:00:00Z\n",
            "2:3 `untill` doesn't go with `hold`",
        ),
        (
            "- hold: x\n  until: tomorrow\n",
            "2:10 `tomorrow` is no time",
        ),
        (
            "- hold: x\n  reject: a:1\n",
            "2:3 `reject` doesn't go with `hold`",
        ),
        ("- hold:\n", "1:7 `hold` needs a text"),
        ("- hold: x\n  hold: y\n", "2:3 `hold` is written twice"),
        ("- release: false\n", "1:12 `release` can only be `true`"),
        ("- deploy: \":1\"\n", "1:11 `:1` is no reference"),
        ("- approve: {a: 1}\n", "1:12 `approve` needs a text"),
    ] {
        let found: Vec<String> = read(text)
            .unwrap_err()
            .iter()
            .map(|mistake| match mistake.at {
                Some(at) => format!("{at} {}", mistake.message),
                None => mistake.message.clone(),
            })
            .collect();
        let expected: Vec<&str> = expected.split('|').collect();
        assert_eq!(found.len(), expected.len(), "{text}: {found:?}");
        for (found, expected) in found.iter().zip(expected) {
            assert!(found.contains(expected), "{text}: {found}");
        }
    }
}

#[test]
fn later_entries_win() {
    let at = |text: &str| text.parse::<Timestamp>().unwrap();
    let now = at("2026-03-02T09:30:00Z");
    for (text, hold, rejected) in [
        ("- hold: x\n", Some("x"), ""),
        ("- hold: x\n- release: true\n", None, ""),
        ("- hold: x\n- release: true\n- hold: y\n", Some("y"), ""),
        ("- hold: x\n  until: 2026-03-02T09:30:00Z\n", None, ""),
        ("- hold: x\n  until: 2026-03-02T09:30:01Z\n", Some("x"), ""),
        // One that ended does not bring back the one that it took the place of.
        (
            "- hold: x\n- hold: y\n  until: 2026-01-01T00:00:00Z\n",
            None,
            "",
        ),
        ("- reject: a:1\n- reject: a:2\n", None, "1 2"),
        ("- reject: a:1\n- reject: a:2\n- approve: a:1\n", None, "2"),
        ("- reject: a:1\n- deploy: a:1\n", None, ""),
        ("- approve: a:1\n- reject: a:1\n", None, "1"),
    ] {
        let decisions = decisions(text);
        let (found, rejections) = in_force(&decisions, now);
        assert_eq!(found.map(|hold| hold.reason), hold, "{text}");
        let tags: Vec<&str> = rejections
            .iter()
            .map(|rejection| rejection.what.tag.as_str())
            .collect();
        assert_eq!(tags.join(" "), rejected, "{text}");
    }
}

#[test]
fn a_file_is_about_one_stage() {
    assert_eq!(
        file_of("shop", "production"),
        ".tagwright/decisions/shop/production.yaml"
    );
    assert_eq!(
        about(".tagwright/decisions/shop/production.yaml"),
        Some(("shop", "production"))
    );
    for path in [
        ".tagwright/decisions/shop.yaml",
        ".tagwright/decisions/a/b/c.yaml",
        "shop/a.yaml",
    ] {
        assert_eq!(about(path), None, "{path}");
    }
}

proptest! {
    #[test]
    fn what_is_written_is_read_back(words in proptest::collection::vec("\\PC{1,20}|[ -~]{1,9}|true|1.10|a: b", 1..4)) {
        let mut written = vec![Decision::Release];
        for words in words {
            written.push(Decision::Hold { reason: words.clone(), until: None });
            written.push(Decision::Reject { what: decided("a:1"), reason: Some(words) });
        }
        let text = append("- release: true", &written.iter().map(Decision::entry).collect::<String>());
        prop_assert_eq!(&decisions(&text)[1..], &written[..]);
    }

    #[test]
    fn no_text_panics(text in "(- (hold|deploy|reject|until): \\PC{0,9}\n){0,4}|\\PC{0,30}") {
        let _ = read(&text);
    }
}
