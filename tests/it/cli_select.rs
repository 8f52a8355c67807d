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
