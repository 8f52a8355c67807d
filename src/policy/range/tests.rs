//! What ranges take and leave, as measured with the library whose language they are.

use std::cmp::Ordering;

use proptest::prelude::*;

use super::*;

/// A range, the versions that it takes, and those that it leaves.
type Row = (&'static str, &'static str, &'static str);

fn check(rows: &[Row]) {
    for (text, inside, outside) in rows {
        let range: Range = text.parse().unwrap_or_else(|e| panic!("{text}: {e}"));
        assert_eq!(range.to_string(), *text);
        for (versions, expected) in [(inside, true), (outside, false)] {
            for version in versions.split_whitespace() {
                let parsed = Version::parse(version).unwrap();
                assert_eq!(range.contains(&parsed), expected, "{text} {version}");
            }
        }
    }
}

#[test]
fn operators() {
    check(&[
        (
            "1.2.3",
            "1.2.3 v1.2.3 01.2.3 1.2.3+b1",
            "1.2.2 1.2.4 1.9.9 1.2.3-rc.1",
        ),
        ("=1.2.3", "1.2.3", "1.2.4 1.9.9"),
        ("= 1.2.3", "1.2.3", "1.2.4"),
        ("!=1.2.3", "0.0.1 1.2.4 2.0.0", "1.2.3 1.2.4-rc.1"),
        (">1.2.3", "1.2.4 2.0.0", "1.2.3 1.2.2 1.2.4-rc.1"),
        ("<1.2.3", "0.0.0 1.2.2", "1.2.3 1.2.2-rc.1"),
        (">=1.2.3", "1.2.3 9.0.0", "1.2.2 1.2.3-rc.1"),
        ("=>1.2.0", "1.2.0 2.0.0", "1.1.9"),
        ("<=1.2.3", "1.2.3 0.1.0", "1.2.4"),
        ("=<1.2.3", "1.2.3 0.1.0", "1.2.4"),
        ("~1.2.3", "1.2.3 1.2.9", "1.2.2 1.3.0 2.2.3"),
        ("~>1.2.3", "1.2.3 1.2.9", "1.2.2 1.3.0"),
        ("~> 1.2", "1.2.0 1.2.9", "1.3.0"),
        ("^1.2.3", "1.2.3 1.9.0", "1.2.2 2.0.0"),
        ("^ 1.2.3", "1.2.3 1.9.0", "1.2.2 2.0.0"),
    ]);
}

#[test]
fn partial_versions() {
    check(&[
        ("1", "1.0.0 1.9.9", "0.9.9 2.0.0 1.2.3-rc.1"),
        ("1.x", "1.0.0 1.9.9", "0.9.9 2.0.0"),
        ("1.X", "1.0.0 1.9.9", "2.0.0"),
        ("1.*", "1.0.0 1.9.9", "2.0.0"),
        ("1.x.x", "1.0.0 1.9.9", "2.0.0"),
        ("1.*.3", "1.0.0 1.9.9", "2.0.0"),
        ("v1.x", "1.0.0 1.9.9", "2.0.0"),
        ("~1", "1.0.0 1.9.9", "2.0.0"),
        ("^1", "1.0.0 1.9.9", "2.0.0"),
        ("1.2", "1.2.0 1.2.9", "1.3.0 1.1.9 1.9.9"),
        ("=1.2", "1.2.0 1.2.9", "1.3.0"),
        ("~1.2", "1.2.0 1.2.9", "1.3.0"),
        ("1.2.x", "1.2.0 1.2.9", "1.3.0"),
        ("~1.2.x", "1.2.0 1.2.9", "1.3.0"),
        ("^1.2", "1.2.0 1.9.0", "1.1.9 2.0.0"),
        (">1", "2.0.0 3.1.0", "1.0.0 1.9.9"),
        (">1.2", "1.3.0 2.0.0", "1.2.0 1.2.9 1.1.9"),
        (">=1", "1.0.0 2.0.0", "0.9.9"),
        (">=1.2", "1.2.0 1.3.0", "1.1.9"),
        ("<=1", "1.9.9 0.1.0", "2.0.0"),
        ("<=1.2", "1.2.0 1.2.9 1.1.0 0.9.0", "1.3.0 2.0.0"),
        ("<1", "0.9.9", "1.0.0"),
        ("<1.2", "1.1.9 0.3.0", "1.2.0 1.2.1"),
        ("!=1", "0.9.0 2.0.0", "1.0.0 1.2.3"),
        ("!=1.2", "1.1.0 1.3.0 2.2.0", "1.2.0 1.2.9"),
        ("!=1.2.x", "1.3.0", "1.2.0 1.2.9"),
    ]);
}

#[test]
fn carets_and_tildes_of_zero() {
    check(&[
        ("^0.2.3", "0.2.3 0.2.9", "0.2.2 0.3.0 1.0.0"),
        ("^0.2", "0.2.0 0.2.9", "0.1.9 0.3.0"),
        ("^0.0.3", "0.0.3", "0.0.2 0.0.4 0.1.0 1.0.3"),
        ("^0.0", "0.0.0 0.0.9", "0.1.0 1.0.0"),
        ("^0", "0.0.0 0.9.9", "1.0.0"),
        ("^0.x", "0.0.0 0.9.9", "1.0.0"),
        ("^0.0.0", "0.0.0", "0.0.1 0.1.0"),
        ("~0", "0.0.0 0.9.9", "1.0.0"),
        ("~0.0", "0.0.0 0.0.9", "0.1.0"),
        ("~0.0.1", "0.0.1 0.0.9", "0.0.0 0.1.0"),
        ("~0.0.0", "0.0.0 0.0.9 0.1.0 1.0.0 99.9.9", "1.0.0-rc.1"),
        ("~0.0.0-0", "0.0.0 99.9.9 1.0.0-rc.1", ""),
    ]);
}

#[test]
fn wildcards() {
    check(&[
        (
            "*",
            "0.0.0 1.2.3 99.0.0 1.2.3+b1",
            "1.2.3-rc.1 1.2.3-4 1.2.3-0 1.2.3-alpine",
        ),
        ("x", "0.0.0 99.0.0", "1.2.3-rc.1"),
        ("X", "0.0.0 99.0.0", "1.2.3-rc.1"),
        ("vx", "0.0.0 99.0.0", ""),
        ("*.1.2", "0.0.0 99.0.0", ""),
        ("=*", "0.0.0 99.0.0", ""),
        ("~*", "0.0.0 99.0.0", "1.0.0-rc.1"),
        (">=*", "0.0.0 99.0.0", ""),
        (">*", "0.0.1 99.0.0", "0.0.0"),
        ("^*", "0.0.0", "0.0.1 1.0.0"),
        ("<=*", "0.0.0 0.0.9", "0.1.0 1.0.0"),
        ("<*", "", "0.0.0 1.0.0"),
        ("!=*", "0.0.1 1.0.0", "0.0.0"),
    ]);
}

#[test]
fn and_or_and_hyphens() {
    check(&[
        (">=1.2.0 <2.0.0", "1.2.0 1.9.9", "1.1.9 2.0.0 0.0.3 1.0.0"),
        (">=1.2.0, <2.0.0", "1.2.0 1.9.9", "1.1.9 2.0.0 0.0.3 1.0.0"),
        (">=1.2.0,<2.0.0", "1.2.0 1.9.9", "1.1.9 2.0.0"),
        (">=1.2.0 , <2.0.0", "1.2.0 1.9.9", "1.1.9 2.0.0"),
        ("  >=1.2.0\t<2.0.0  ", "1.2.0 1.9.9", "1.1.9 2.0.0"),
        (">=1.0.0 !=1.5.0", "1.4.9 1.5.1", "1.5.0 0.9.0"),
        (">=v1.2.0", "1.2.0", "1.1.9"),
        (">1.2.3 <=1.4.x", "1.2.4 1.4.5 1.4.6", "1.2.3 1.5.0"),
        ("^1.2 || ^2.1", "1.2.0 1.9.9 2.1.0", "1.1.0 2.0.9 3.0.0"),
        ("^1.2||^2.1", "1.2.0 2.1.0", "1.1.0 2.0.9"),
        ("1.1 || 1.3 || 1.5", "1.1.9 1.3.0 1.5.5", "1.2.0 1.4.0"),
        ("1.2 - 1.4.5", "1.2.0 1.4.5", "1.1.9 1.4.6"),
        ("1.2 - 1.4", "1.2.0 1.4.9", "1.5.0"),
        ("1.0.0 - 2.0.0", "1.0.0 2.0.0", "0.9.9 2.0.1"),
        ("v1.0 - v2.0", "1.0.0 2.0.9", "2.1.0"),
        ("1.0  -  2.0", "1.0.0 2.0.9", "2.1.0"),
        ("1.0 - 1.4 !=1.2", "1.0.0 1.4.9", "1.2.0 1.5.0"),
        ("1 - 2 || 4 - 5", "1.0.0 2.9.9 4.0.0 5.9.9", "3.0.0 6.0.0"),
        ("01.2.3", "1.2.3", "1.2.4"),
        ("1.2.3+build", "1.2.3 1.2.3+other", "1.2.4"),
        ("1.2+build", "1.2.0 1.2.9", "1.3.0"),
        (">=1.2.3+build.1 <2+x", "1.2.3 1.9.9", "2.0.0"),
        ("18446744073709551615", "18446744073709551615.0.0", "1.0.0"),
    ]);
}

#[test]
fn prereleases_belong_to_groups() {
    check(&[
        ("^1.2", "1.2.0", "1.3.0-rc.1 1.3.0-4 1.3.0-0"),
        ("*-0", "1.2.3-rc.1 0.0.1-0 1.2.3", ""),
        ("^1.2-0", "1.2.0-rc.1 1.9.0-0 1.9.0", "1.1.0 2.0.0-rc.1"),
        ("^1.x-0", "1.0.0-rc.1 1.9.0", "2.0.0-rc.1"),
        ("1.x-0", "1.0.0-rc.1 1.9.0", "2.0.0-rc.1 0.9.0"),
        ("1.2.x-0", "1.2.0-0 1.2.9-rc.1", "1.3.0-0"),
        (
            "~1.2.3-0",
            "1.2.3-rc.1 1.2.4-rc.1 1.2.9",
            "1.2.2 1.3.0-rc.1",
        ),
        (
            "~1.2.3-beta.2",
            "1.2.3-beta.2 1.2.3 1.2.4-alpha",
            "1.2.3-beta.1 1.3.0",
        ),
        (">=1.2.0-0", "1.2.0-0 1.2.0-rc.1 3.0.0-rc.1 3.0.0", "1.1.9"),
        (
            ">=1.0.0-rc.1",
            "1.0.0-rc.1 1.0.0-rc.2 2.0.0-alpha.1",
            "1.0.0-beta.9",
        ),
        ("^1.2.0-0", "1.2.0-0 1.5.0-rc.1", "2.0.0-0"),
        (
            ">=1.2.3-alpha <1.3",
            "1.2.3-alpha 1.2.9-rc.1 1.3.0-rc.1",
            "1.3.0",
        ),
        (
            "<1.2.3-beta",
            "1.2.0-alpha.1 1.2.3-alpha 1.2.2",
            "1.2.3-beta 1.2.3",
        ),
        ("1.2.3-rc.1", "1.2.3-rc.1", "1.2.3 1.2.3-rc.2"),
        (">=1.0.0-0 <2.0.0", "2.0.0-rc.1 1.0.0-0", "2.0.0"),
        (">=1.0.0-0 <2.0.0-0", "1.9.9-rc.1", "2.0.0-rc.1 2.0.0-0"),
        (
            "1.2.0 - 2.0.0-0",
            "1.2.0 1.9.9-rc.1 2.0.0-0",
            "2.0.0 2.0.0-rc.1",
        ),
        (
            "!=1.2.3-rc.1 ^1",
            "1.2.3-rc.2 1.9.0-alpha 1.2.3",
            "1.2.3-rc.1 2.0.0-rc.1",
        ),
        ("^1.0.0 || >=2.0.0-0", "1.5.0 2.0.0-rc.1", "1.5.0-rc.1"),
        (
            "1.2-2.0",
            "1.2.0-2.0 1.2.0-rc.1 1.2.9 1.2.5-rc.1",
            "1.2.0-1.9 1.3.0 2.0.0",
        ),
        ("!=1.2 >=1.0.0-0", "1.2.3-rc.1 1.3.0", "1.2.0 1.2.3"),
        (
            "!=1.2-rc.1 >=1.0.0",
            "1.2.0 1.2.3 1.2.3-rc.2 1.3.0-rc.1",
            "1.2.0-rc.1 1.2.3-rc.1",
        ),
        ("<=1-0", "1.9.9-rc.1 1.9.9", "2.0.0-0"),
        (">1-0", "2.0.0-rc.1", "1.9.9 1.9.9-rc.1"),
    ]);
}

#[test]
fn what_is_no_range_is_refused_with_its_place() {
    for (text, offset, problem) in [
        ("", 0, "a version is missing"),
        ("  ", 2, "a version is missing"),
        ("^1 ||", 5, "a version is missing"),
        ("|| ^1", 0, "a version is missing"),
        ("^1 || || ^2", 6, "a version is missing"),
        (">=", 2, "a version is missing"),
        ("^1,", 3, "a version is missing"),
        ("1 - ", 4, "a version is missing"),
        (",^1", 0, "`,^1` is not a version"),
        ("^1,,^2", 3, "`,^2` is not a version"),
        ("latest", 0, "`latest` is not a version"),
        ("1x", 0, "`1x` is not a version"),
        ("**", 0, "`**` is not a version"),
        ("1.", 0, "`1.` is not a version"),
        ("1..2", 0, "`1..2` is not a version"),
        ("-1", 0, "`-1` is not a version"),
        ("1 -2", 2, "`-2` is not a version"),
        ("V1", 0, "`V1` is not a version"),
        ("^v", 1, "`v` is not a version"),
        (">= >1", 3, "`>1` is not a version"),
        ("1|2", 1, "`|2` can't follow a version"),
        ("1.0.0p", 5, "`p` can't follow a version"),
        ("1.2.3.4", 5, "`.4` can't follow a version"),
        (">=1.0<2.0", 5, "`<2.0` can't follow a version"),
        ("1- 2", 1, "`-` is not a pre-release"),
        ("1.2.3-01", 5, "`-01` is not a pre-release"),
        ("1.2.3-a..b", 5, "`-a..b` is not a pre-release"),
        ("1.2.3+", 5, "`+` is not build metadata"),
        ("==1", 0, "`==` is not an operator"),
        ("<>1", 0, "`<>` is not an operator"),
        ("^1 !2", 3, "`!` is not an operator"),
        (
            ">1 - 2",
            2,
            "an operator can't stand before a range with a hyphen",
        ),
        (
            "18446744073709551616",
            0,
            "`18446744073709551616` is above 18446744073709551615",
        ),
        (
            "^1.99999999999999999999.0",
            3,
            "`99999999999999999999` is above",
        ),
        ("^1é", 2, "`é` can't follow a version"),
        ("é", 0, "`é` is not a version"),
    ] {
        let error = text.parse::<Range>().map(|_| text).unwrap_err();
        assert_eq!(error.offset, offset, "{text}: {error}");
        assert!(error.to_string().starts_with(problem), "{text}: {error}");
        assert!(!error.hint().is_empty());
    }
    let long = format!("^1{}", " ".repeat(1024))
        .parse::<Range>()
        .unwrap_err();
    assert_eq!(long.problem, RangeProblem::TooLong);
}

#[test]
fn a_range_says_how_it_would_admit_prereleases() {
    for (text, admitting) in [
        ("*", Some("*-0")),
        ("^1", Some("^1-0")),
        ("^1.2.3", Some("^1.2.3-0")),
        ("~1.2", Some("~1.2-0")),
        ("1.x", Some("1.x-0")),
        (">=6.0.0 <7.0.0", Some(">=6.0.0-0 <7.0.0-0")),
        ("1.2 - 1.4", Some("1.2-0 - 1.4-0")),
        ("1.0.0 - 2.0.0", Some("1.0.0-0 - 2.0.0")),
        ("^1 !=1.2.3", Some("^1-0 !=1.2.3")),
        (">=1.2.3+b", Some(">=1.2.3-0+b")),
        ("^1-0", None),
        ("^1 || ^2-0", Some("^1-0 || ^2-0")),
        ("1.2.3", None),
        ("!=1.2.3", None),
        (">1.2.3", None),
        ("^1 || 3.0.0", None),
    ] {
        let range: Range = text.parse().unwrap();
        let found = range.admitting_prereleases().map(AsRef::as_ref);
        assert_eq!(found, admitting, "{text}");
    }
    assert_eq!(Range::default(), "*".parse().unwrap());
    assert_eq!(
        Range::default().admitting_prereleases(),
        "*".parse::<Range>().unwrap().admitting_prereleases()
    );
}

#[test]
fn admitting_takes_prereleases_within_the_bounds() {
    for (text, inside, outside) in [
        ("*", "0.0.0-0 1.0.0-rc.1", ""),
        ("^1", "1.0.0-rc.1 1.9.0-0", "2.0.0-rc.1"),
        (">=1 <2", "1.0.0-rc.1 1.9.9-rc.1", "2.0.0-rc.1 0.9.0-rc.1"),
        (">=1.0.0-0 <2.0.0", "2.0.0-rc.1", "2.0.0"),
        (">1.2.3", "1.2.4-rc.1", "1.2.3-rc.1 1.2.3"),
        ("1.2.3", "1.2.3", "1.2.3-rc.1"),
        ("1.0.0 - 2.0.0", "2.0.0-rc.1 1.0.0-rc.1", "2.0.1-rc.1"),
        ("^1 || ^3-0", "1.2.0-rc.1 3.0.0-rc.1", "2.0.0-rc.1"),
    ] {
        let range: Range = text.parse().unwrap();
        for (versions, expected) in [(inside, true), (outside, false)] {
            for version in versions.split_whitespace() {
                let parsed = Version::parse(version).unwrap();
                assert_eq!(
                    range.contains_admitting(&parsed),
                    expected,
                    "{text} {version}"
                );
            }
        }
    }
}

fn versions() -> impl Strategy<Value = String> {
    "v?[0-3]\\.[0-3]\\.[0-3](-(0|rc\\.[0-2]|alpine))?"
}

/// Texts that are often ranges.
fn ranges() -> impl Strategy<Value = String> {
    "((=|!=|>|<|>=|<=|~|\\^)? ?v?[0-3x*](\\.[0-3x])?(\\.[0-3])?(-(0|rc\\.1))?( - [0-3])?( \\|\\| |, | )?){1,3}"
}

proptest! {
    #[test]
    fn reading_never_panics(text in ".{0,40}", likely in "[-0-9xv.*<>=!~^|, +a]{0,24}") {
        for text in [text, likely] {
            match text.parse::<Range>() {
                Ok(range) => prop_assert_eq!(range.as_str(), &text),
                Err(error) => prop_assert!(error.offset <= text.len()),
            }
            let _ = Version::parse(&text);
        }
    }

    #[test]
    fn admitting_is_what_the_other_spelling_says(text in ranges(), version in versions()) {
        let Ok(range) = text.parse::<Range>() else { return Ok(()) };
        let version = Version::parse(&version).unwrap();
        if !version.is_prerelease() {
            prop_assert_eq!(range.contains(&version), range.contains_admitting(&version));
        } else if range.contains(&version) {
            prop_assert!(range.contains_admitting(&version));
        }
        if let Some(spelled) = range.admitting_prereleases() {
            let spelled: Range = spelled.parse().unwrap();
            prop_assert_eq!(spelled.contains(&version), range.contains_admitting(&version));
            prop_assert_eq!(spelled.admitting_prereleases(), None);
        }
    }

    #[test]
    fn precedence_is_a_total_order(a in versions(), b in versions(), c in versions()) {
        let [a, b, c] = [&a, &b, &c].map(|text| Version::parse(text).unwrap());
        prop_assert_eq!(a.precedence(&a), Ordering::Equal);
        prop_assert_eq!(a.precedence(&b), b.precedence(&a).reverse());
        if a.precedence(&b).is_le() && b.precedence(&c).is_le() {
            prop_assert!(a.precedence(&c).is_le());
        }
    }
}
