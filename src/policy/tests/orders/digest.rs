//! One tag, followed by its digest.

use super::*;

/// What runs: nothing, a tag, or `TAG@CONTENT`, or `@CONTENT` without a tag.
struct Running {
    tag: Option<Tag>,
    digest: Option<Digest>,
}

impl Running {
    fn new(text: &str) -> Self {
        let (name, content) = text.split_once('@').unwrap_or((text, ""));
        Self {
            tag: (!name.is_empty()).then(|| tag(name)),
            digest: (!content.is_empty()).then(|| Digest::of(content.as_bytes())),
        }
    }

    fn current(&self) -> Current<'_> {
        match (&self.tag, &self.digest) {
            (None, None) => Current::Nothing,
            (Some(tag), None) => Current::Tag(tag),
            (Some(tag), Some(digest)) => Current::Pinned(tag, digest),
            (None, Some(digest)) => Current::Digest(digest),
        }
    }
}

/// Platforms as `amd64:a,arm64:b`; `-` for none, empty for unasked.
fn platforms(text: &str) -> Datum<Platforms> {
    match text {
        "" => Datum::Unasked,
        "-" => Datum::Absent,
        list => {
            let one = |entry: &str| {
                let (architecture, content) = entry.split_once(':').unwrap();
                let platform = Platform::new("linux", architecture, "");
                (platform, Digest::of(content.as_bytes()))
            };
            Datum::Known(list.split(',').map(one).collect())
        }
    }
}

fn by_ref(platforms: &Datum<Platforms>) -> Datum<&Platforms> {
    match platforms {
        Datum::Unasked => Datum::Unasked,
        Datum::Absent => Datum::Absent,
        Datum::Known(platforms) => Datum::Known(platforms),
    }
}

/// The fact about `main`: `CONTENT`, or `CONTENT PLATFORMS`, or a word of [`facts`] after `!`.
fn fact(text: &str) -> BTreeMap<Tag, ManifestFact> {
    if let Some(word) = text.strip_prefix('!') {
        return facts(&[("main", word)]);
    }
    let (content, there) = text.split_once(' ').unwrap_or((text, ""));
    if content.is_empty() {
        return BTreeMap::new();
    }
    let found = Found {
        platforms: platforms(there),
        ..Found::from(Digest::of(content.as_bytes()))
    };
    [(tag("main"), ManifestFact::Found(found))].into()
}

fn follow(policy: &Policy, list: &str, running: &str, old: &str, new: &str) -> Selection {
    let (listed, running) = (tags(list), Running::new(running));
    let (facts, old) = (fact(new), platforms(old));
    let evidence = Evidence {
        running: by_ref(&old),
        ..Evidence::new(&listed, running.current(), NOW)
    };
    select(policy, &evidence.with_manifests(&facts))
}

#[test]
fn a_tag_is_followed() {
    let policy = of(Order::Digest(tag("main")));
    let amd64 = Policy {
        conditions: Conditions {
            platforms: vec!["linux/amd64".parse().unwrap()],
            ..Conditions::default()
        },
        ..policy.clone()
    };
    // Tags, what runs, its platforms, what the tag points to, and what is told.
    let rows = [
        ("", "", "", "", "no tags"),
        ("", "main@a", "", "", "no tags"),
        ("dev", "", "", "", "not listed main"),
        ("dev", "main@a", "", "", "not listed main"),
        ("main", "", "", "", "needs main"),
        ("main", "", "", "a", "main"),
        ("main dev", "", "", "a", "main"),
        ("main", "", "", "!missing", "none"),
        ("main", "", "", "!once", "unreadable main"),
        ("main", "", "", "!broken", "unreadable main"),
        ("main", "main", "", "", "needs main"),
        ("main", "main", "", "a", "main"),
        ("main", "main", "", "!broken", "unreadable main"),
        ("main", "main@a", "", "", "needs main"),
        ("main", "main@a", "", "a", "stay main"),
        ("main", "main@a", "", "!once", "unreadable main"),
        ("main", "main@a", "", "!broken", "unreadable main"),
        ("main", "main@a", "", "!missing", "none"),
        ("main", "main@a", "", "b", "needs main"),
        ("main", "main@a", "amd64:1", "b", "needs main"),
        ("main", "main@a", "", "b amd64:1", "needs nothing"),
        ("main", "main@a", "-", "b amd64:1", "main"),
        ("main", "main@a", "amd64:1", "b -", "main"),
        ("main", "main@a", "-", "b -", "main"),
        ("main", "main@a", "-", "b", "main"),
        ("main", "main@a", "amd64:1", "b amd64:2", "main"),
        ("main", "main@a", "amd64:1", "b amd64:1", "stay main"),
        (
            "main",
            "main@a",
            "amd64:1,arm64:2",
            "b amd64:1,arm64:2",
            "stay main",
        ),
        (
            "main",
            "main@a",
            "amd64:1,arm64:2",
            "b amd64:1,arm64:3",
            "main",
        ),
        ("main", "main@a", "amd64:1,arm64:2", "b amd64:1", "main"),
        ("main", "main@a", "amd64:1", "b amd64:1,arm64:2", "main"),
        ("main", "@a", "", "a", "stay main"),
        ("main", "@a", "amd64:1", "b amd64:2", "main"),
        ("main", "@a", "amd64:1", "b amd64:1", "stay main"),
        ("main", "@a", "", "", "needs main"),
        ("main", "dev", "", "a", "unordered"),
        ("main", "dev@a", "", "a", "unordered"),
        ("main", "1.2.3", "", "a", "unordered"),
        ("main dev", "dev@a", "amd64:1", "b amd64:2", "unordered"),
        ("main 1.2.3 2.0.0", "main@a", "", "a", "stay main"),
    ];
    assert!(rows.len() >= ROWS);
    for (list, running, old, new, expected) in rows {
        let selection = follow(&policy, list, running, old, new);
        let told = match &selection.outcome {
            Outcome::Needs(needs) if needs.tags.is_empty() => "needs nothing".to_owned(),
            _ => told(&selection),
        };
        assert_eq!(told, expected, "{list}, {running} {old}, {new}");
    }
    for (old, new, expected) in [
        ("amd64:1,arm64:2", "b amd64:1,arm64:3", "stay main"),
        ("amd64:1,arm64:2", "b amd64:1", "stay main"),
        ("amd64:1,arm64:2", "b amd64:3,arm64:2", "main"),
        ("amd64:1", "b arm64:1", "none"),
    ] {
        let selection = follow(&amd64, "main", "main@a", old, new);
        assert_eq!(told(&selection), expected, "{old}, {new}");
    }
}

#[test]
fn what_has_to_be_known_is_named() {
    let policy = of(Order::Digest(tag("main")));
    let selection = follow(&policy, "main", "main@a", "", "b");
    let Outcome::Needs(needs) = selection.outcome else {
        panic!("{:?}", selection.outcome);
    };
    assert_eq!(needs.tags, [tag("main")]);
    assert_eq!(needs.of_tags, [Want::Platforms]);
    assert_eq!(needs.running, Some(Digest::of(b"a")));
}

#[test]
fn a_replaced_reference_is_not_compared() {
    let policy = Policy {
        unordered: Unordered::Replace,
        ..of(Order::Digest(tag("main")))
    };
    for (running, expected) in [("dev@a", "main"), ("dev", "main"), ("main@a", "stay main")] {
        assert_eq!(told(&follow(&policy, "main", running, "", "a")), expected);
    }
}

#[test]
fn the_verdicts_say_what_is_followed() {
    let policy = of(Order::Digest(tag("main")));
    let words = |running: &str, old: &str, new: &str| -> Vec<String> {
        let selection = follow(&policy, "main dev", running, old, new);
        let verdicts = selection.verdicts.iter();
        verdicts
            .map(|v| format!("{} {}", v.tag, v.reason))
            .collect()
    };
    let other = "dev is not `main`, which `digest` follows";
    for (running, old, new, expected) in [
        (
            "main@a",
            "",
            "a",
            "main is followed, and what it points to runs",
        ),
        (
            "main@a",
            "amd64:1",
            "b amd64:2",
            "main is followed, and points to something else than what runs",
        ),
        (
            "main@a",
            "amd64:1",
            "b amd64:1",
            "main is followed, and has a new digest over the same manifests for the platforms that matter",
        ),
    ] {
        assert_eq!(words(running, old, new), [expected, other]);
    }
}
