//! `select`: a policy tried on tags from stdin.

use serde_json::json;

use crate::binary::Place;

const TAGS: &str = "1.0.0\n1.2.0\n2.0.0-rc.1\n";

#[test]
fn the_choice_is_the_first_line() {
    let ran = Place::new(&[])
        .feed(&["select", "--semver", "^1"], TAGS)
        .exits(0);
    assert_eq!(ran.stdout.lines().next(), Some("1.2.0"));
    assert_eq!(ran.stderr, "");
    insta::assert_snapshot!(ran.stdout);
}

#[test]
fn json_holds_the_choice_and_a_verdict_for_every_line() {
    let tags = format!("{TAGS}\n  1.1.0  \nbad tag\n1.0.0\n");
    let ran = Place::new(&[])
        .feed(&["select", "--semver", "^1", "-o", "json"], &tags)
        .exits(0);
    let report = ran.json();
    assert_eq!(report["selected"], "1.2.0");
    let verdicts: Vec<(&str, &str)> = report["verdicts"]
        .as_array()
        .into_iter()
        .flatten()
        .map(|row| {
            (
                row["tag"].as_str().unwrap_or_default(),
                row["verdict"].as_str().unwrap_or_default(),
            )
        })
        .collect();
    assert_eq!(
        verdicts,
        [
            ("1.2.0", "selected"),
            ("1.1.0", "acceptable"),
            ("1.0.0", "acceptable"),
            ("2.0.0-rc.1", "rejected"),
            ("bad tag", "rejected"),
        ]
    );
    insta::assert_snapshot!(ran.stdout);
}

#[test]
fn no_choice_is_no_failure() {
    let place = Place::new(&[]);
    for (arguments, input, reason) in [
        (&["--semver", "^3"][..], TAGS, "no tag passes the policy"),
        (&[], "", "the image has no tags"),
        (&["--current", "latest"], TAGS, "`latest` can't be ordered"),
        (
            &["--current", "not a tag"],
            TAGS,
            "`not a tag` has no place in the order",
        ),
        (
            &["--semver", "^1", "--current", "3.0.0"],
            TAGS,
            "nothing moves back",
        ),
    ] {
        let text = [&["select"], arguments].concat();
        let ran = place.feed(&text, input).exits(0);
        assert!(
            ran.stdout.starts_with("nothing: ") && ran.stdout.contains(reason),
            "{}",
            ran.stdout
        );
        let machine = [&text[..], &["-o", "json"]].concat();
        let report = place.feed(&machine, input).exits(0).json();
        assert_eq!(report["selected"], json!(null));
        assert!(report["verdicts"].is_array() && report["reason"].is_string());
    }
}

#[test]
fn every_option_has_its_effect() {
    let place = Place::new(&[]);
    let tags = "1.0.0\n1.1.0-alpine\n1.2\n1.3.0-rc.1\nrelease-1.4.0\nlatest\n";
    for (arguments, choice) in [
        (&[][..], "1.0.0"),
        (&["--variant", "alpine", "--prereleases"], "1.1.0-alpine"),
        (&["--loose"], "1.2"),
        (&["--prereleases"], "1.3.0-rc.1"),
        (&["--prereleases=false", "--semver", ">=1.0.0-0"], "1.0.0"),
        (&["--match", "^release-(?P<version>.*)$"], "release-1.4.0"),
        (&["--ignore", "1.0.*", "--loose"], "1.2"),
        (&["--current", "latest", "--unordered", "replace"], "1.0.0"),
        (&["--current", "1.0.0"], "1.0.0"),
    ] {
        let ran = place
            .feed(&[&["select"], arguments].concat(), tags)
            .exits(0);
        assert_eq!(
            ran.stdout.lines().next(),
            Some(choice),
            "{arguments:?}\n{}",
            ran.stdout
        );
    }
}

#[test]
fn every_order_has_its_option() {
    let place = Place::new(&[(
        "policies/shop.yaml",
        "version: 1\napp: shop\nimage: a/b\nextends: semver-patch\ntags: {ignore: [1.0.9]}\n",
    )]);
    let tags = "7\n10\n2026.9.1\n2026.10.0\n1.0.3\n1.0.9\n1.2.0\nmain-abc1234-1700000000\n\
                main-0def567-1700000001\n";
    let taken = "^main-[0-9a-f]+-(?<ts>[0-9]+)$";
    for (arguments, choice) in [
        (&["--calver", "YYYY.MM.MICRO"][..], "2026.10.0"),
        (
            &[
                "--calver",
                "YYYY.MM.MICRO",
                "--current",
                "2026.9.0",
                "--level",
                "patch",
            ],
            "2026.9.1",
        ),
        (&["--numerical"], "10"),
        (&["--numerical=lowest"], "7"),
        (&["--numerical=lowest", "--current", "10"], "7"),
        (&["--alphabetical"], "main-abc1234-1700000000"),
        (&["--alphabetical=lowest"], "1.0.3"),
        (
            &["--numerical", "--match", taken, "--key", "$ts"],
            "main-0def567-1700000001",
        ),
        (&["--current", "1.0.3", "--level", "patch"], "1.0.9"),
        (
            &["--current", "1.0.3", "--policy", "policies/shop.yaml"],
            "1.0.3",
        ),
    ] {
        let ran = place
            .feed(&[&["select"], arguments].concat(), tags)
            .exits(0);
        assert_eq!(
            ran.stdout.lines().next(),
            Some(choice),
            "{arguments:?}\n{}",
            ran.stdout
        );
        assert_eq!(ran.stderr, "");
    }
}

#[test]
fn times_stand_after_the_tags() {
    let place = Place::new(&[]);
    let tags = "a 2026-04-01T10:00:00Z\nb 2026-04-01T13:00:00+02:00\nc\nd 2026-13-01T00:00:00Z\n";
    for arguments in [&["--newest"][..], &["--newest=created"]] {
        let ran = place
            .feed(&[&["select"], arguments].concat(), tags)
            .exits(0);
        assert_eq!(ran.stdout.lines().next(), Some("b"), "{}", ran.stdout);
        assert!(
            ran.stdout.contains("(2026-04-01T11:00:00Z, as given)"),
            "{}",
            ran.stdout
        );
    }
    let stays = ["select", "--newest", "--current", "b"];
    assert!(place.feed(&stays, tags).exits(0).stdout.starts_with("b\n"));
    let unordered = ["select", "--newest", "--current", "c"];
    assert!(
        place
            .feed(&unordered, tags)
            .exits(0)
            .stdout
            .starts_with("nothing: ")
    );
}

#[test]
fn a_policy_that_cannot_be_is_wrong_usage() {
    let place = Place::new(&[]);
    for (arguments, words) in [
        (
            &["--semver", "^^1"][..],
            "`--semver ^^1`: `^^` is not an operator (the operators are",
        ),
        (&["--semver", "18446744073709551616.0.0"], "--semver"),
        (&["--match", "("], "--match"),
        (&["--ignore", "[a"], "--ignore"),
        (&["--frob"], "--frob"),
        (&["--semver", "^1", "--numerical"], "cannot be used with"),
        (&["--policy", "x.yaml", "--loose"], "cannot be used with"),
        (&["--numerical", "lowest"], "lowest"),
        (&["--numerical=first"], "first"),
        (
            &["--numerical", "--loose"],
            "`--loose` means nothing to `--numerical`",
        ),
        (
            &["--newest", "--level", "minor"],
            "`--level` means nothing to `--newest`",
        ),
        (
            &["--calver", "YYYY.M"],
            "`--calver YYYY.M`: `M` is not known in a format",
        ),
        (&["--key", "$a"], "--match"),
        (
            &["--match", "(?<a>.)", "--key", "$b"],
            "`--key $b`: the pattern has no group `b`",
        ),
        (&["--unordered", "yes"], "yes"),
    ] {
        let ran = place
            .feed(&[&["select"], arguments].concat(), TAGS)
            .exits(2);
        assert_eq!(ran.stdout, "", "{arguments:?}");
        assert!(
            ran.stderr.starts_with("error: ") && ran.stderr.contains(words),
            "{}",
            ran.stderr
        );
    }
}

#[test]
fn a_range_that_surprises_is_warned_about_beside_the_result() {
    let arguments = ["select", "--semver", ">=1.0.0-0 <2.0.0", "-o", "json"];
    let ran = Place::new(&[]).feed(&arguments, TAGS).exits(0);
    assert_eq!(ran.json()["selected"], "2.0.0-rc.1");
    assert!(
        ran.stderr
            .starts_with("warning: `<2.0.0` admits pre-releases of 2.0.0"),
        "{}",
        ran.stderr
    );
}

#[test]
fn a_closed_pipe_is_no_failure() {
    use std::io::Write as _;
    let place = Place::new(&[]);
    let mut child = place
        .command(&["select"])
        .stdin(std::process::Stdio::piped())
        .spawn()
        .expect("it starts");
    drop(child.stdout.take());
    let tags: String = (0..20_000)
        .map(|number| format!("1.0.{number}\n"))
        .collect();
    let mut input = child.stdin.take().expect("it reads");
    input.write_all(tags.as_bytes()).expect("it reads");
    drop(input);
    let ended = child.wait_with_output().expect("it ends");
    assert_eq!((ended.status.code(), ended.stderr), (Some(0), Vec::new()));
}

#[test]
fn colours_come_only_where_they_are_wanted() {
    let place = Place::new(&[]);
    let plain = place.feed(&["select"], TAGS).exits(0);
    assert!(!plain.stdout.contains('\u{1b}'));
    let painted = place.feed(&["select", "--color", "always"], TAGS).exits(0);
    assert!(painted.stdout.starts_with("\u{1b}["));
}

#[test]
fn a_tag_is_followed_by_the_digests_after_tags() {
    let digest = |digit: &str| format!("sha256:{}", digit.repeat(64));
    let (one, two) = (digest("1"), digest("2"));
    let place = Place::new(&[]);
    let lines = format!("main {one}\nother {two}\n");
    let pinned = |digest: &str| format!("main@{digest}");
    for (current, lines, reason, verdict) in [
        (
            pinned(&one),
            lines.as_str(),
            "the tag that is followed, and what it points to runs",
            "is followed, and what it points to runs",
        ),
        (
            pinned(&two),
            &lines,
            "the tag that is followed",
            "is followed, and points to something else than what runs",
        ),
        (
            format!("@{two}"),
            &lines,
            "the tag that is followed",
            "is followed, and points to something else than what runs",
        ),
        (
            "main".to_owned(),
            "main\n",
            "the tag that is followed",
            "is followed, and points to something else than what runs",
        ),
    ] {
        let arguments = ["select", "--digest", "main", "--current", &current];
        let machine = [&arguments[..], &["-o", "json"]].concat();
        let report = place.feed(&machine, lines).exits(0).json();
        assert_eq!(report["selected"], "main", "{current}");
        assert_eq!(report["reason"], reason, "{current}");
        assert_eq!(report["verdicts"][0]["reason"], verdict, "{current}");
    }
    let ran = place.feed(&["select", "--digest", "a b"], "").exits(2);
    assert!(ran.stderr.contains("`--digest a b`"), "{}", ran.stderr);
    let ran = place.feed(&["select", "--digest", "a", "--level", "minor"], "");
    assert!(ran.exits(2).stderr.contains("means nothing to `--digest`"));
}
