//! Calendar versions.

use super::*;

fn calver(format: &str) -> Policy {
    of(Order::Calver(format.parse().unwrap()))
}

#[test]
fn calendar_versions() {
    check(
        calver,
        &[
            ("YYYY.MM.MICRO", "", "", "no tags"),
            ("YYYY.MM.MICRO", "2024.1.0 2024.2.0", "", "2024.2.0"),
            ("YYYY.MM.MICRO", "2024.9.0 2024.10.0", "", "2024.10.0"),
            ("YYYY.MM.MICRO", "2024.01.9 2024.1.10", "", "2024.1.10"),
            (
                "YYYY.MM.MICRO",
                "2023.12.9 2024.01.0",
                "2023.12.9",
                "2024.01.0",
            ),
            (
                "YYYY.MM.MICRO",
                "2024.13.0 2024.0.0 2024.12.0",
                "",
                "2024.12.0",
            ),
            ("YYYY.MM.MICRO", "24.1.0 2024.1 2024.1.1", "", "2024.1.1"),
            ("YYYY.MM.MICRO", "v2024.1.2 2024.1.1", "", "v2024.1.2"),
            ("YYYY.MM.MICRO", "2024.1.1 2024.01.1", "", "2024.1.1"),
            (
                "YYYY.MM.MICRO",
                "2024.1.1 2024.01.1",
                "2024.01.1",
                "stay 2024.01.1",
            ),
            ("YYYY.MM.MICRO", "2024.1.1.1 2024.1.0", "", "2024.1.0"),
            ("YYYY.MM.MICRO", "2024.1.1", "2024.2.0", "stay 2024.2.0"),
            ("YYYY.MM.MICRO", "2024.1.1", "latest", "unordered"),
            ("YYYY.MM.MICRO", "latest main 1.2.3", "", "none"),
            (
                "YYYY.MM.MICRO",
                "2024.1.20240101120000123 2024.1.20240101120000124",
                "",
                "2024.1.20240101120000124",
            ),
            (
                "YYYY.MM.MICRO",
                "2024.1.99999999999999999999999999998 2024.1.99999999999999999999999999999",
                "",
                "2024.1.99999999999999999999999999999",
            ),
            (
                "YYYY.0M.0D",
                "2024.1.05 2024.01.4 2024.01.03",
                "",
                "2024.01.03",
            ),
            (
                "YYYY.0M.0D",
                "2024.01.31 2024.02.01",
                "2024.01.31",
                "2024.02.01",
            ),
            ("YYYY-MM-DD", "2024-01-31 2024-02-01", "", "2024-02-01"),
            ("YYYY-MM-DD", "2024-01-32 2024-01-30", "", "2024-01-30"),
            ("YYYYMMDD", "20240131 20240201 2024021", "", "20240201"),
            ("YYYYMMDD", "20241301 20240132 20240101", "", "20240101"),
            ("YYYYMMDD", "20240101 20240101120000", "", "20240101"),
            ("YYYYMMDD", "20240101 20240102.1", "", "20240101"),
            (
                "YYYYMMDD[.MICRO]",
                "20240101 20240101.1",
                "20240101",
                "20240101.1",
            ),
            (
                "YYYYMMDD[.MICRO]",
                "20240101.9 20240101.10",
                "",
                "20240101.10",
            ),
            (
                "YYYYMMDD[.MICRO]",
                "20240101.9 20240102",
                "20240101.9",
                "20240102",
            ),
            ("YYYYMMDDMICRO", "202401019 2024010110", "", "2024010110"),
            (
                "YYYYMMDD-hhmmss",
                "20240101-235959 20240102-000000",
                "",
                "20240102-000000",
            ),
            (
                "YYYYMMDD-hhmmss",
                "20240101-240000 20240101-126000 20240101-000000",
                "",
                "20240101-000000",
            ),
            (
                "YYYYMMDDThhmmssZ",
                "20240101T000000Z 20240101T000001Z",
                "",
                "20240101T000001Z",
            ),
            ("YY.0M", "24.04 24.10 9.04", "24.04", "24.10"),
            ("YY.0M", "24.4 24.04", "", "24.04"),
            ("YY.0M", "9.10 24.04 106.04", "", "106.04"),
            (
                "YY.0M[.MICRO]",
                "24.04 24.04.1 24.04.2",
                "24.04.1",
                "24.04.2",
            ),
            ("0Y.0M", "6.04 06.10 06.04", "", "06.10"),
            ("YYYY.WW", "2024.9 2024.10 2024.54", "", "2024.10"),
            (
                "YYYY.0W.MICRO",
                "2024.09.1 2024.10.0 2024.9.9",
                "",
                "2024.10.0",
            ),
            ("MAJOR.YYMM.MICRO", "1.2412.0 2.2401.0", "", "2.2401.0"),
            ("vYYYY.MM", "2024.2 v2024.1", "", "v2024.1"),
            (
                "YYYY.MINOR.MICRO",
                "2024.9.0 2024.10.0 2024.3.1",
                "2024.3.1",
                "2024.10.0",
            ),
            (
                "YYYY.MM.DD",
                "2024.01.05-alpine 2024.01.06",
                "2024.01.05-alpine",
                "stay 2024.01.05-alpine",
            ),
            (
                "YYYY.MM.DD",
                "2024.01.05-alpine3.18 2024.01.06-alpine3.19 2024.01.07-slim",
                "2024.01.05-alpine3.18",
                "2024.01.06-alpine3.19",
            ),
            (
                "YYYY.MM.DD",
                "2024.01.05 2024.01.05-1",
                "2024.01.05",
                "2024.01.05-1",
            ),
            (
                "YYYY.MM.DD",
                "2024.01.05-9 2024.01.05-10",
                "",
                "2024.01.05-10",
            ),
            (
                "YYYY.MM.DD",
                "2024.01.05-r9 2024.01.05-r10",
                "",
                "2024.01.05-r10",
            ),
            ("YYYY.MM.DD", "2024.01.05-rc.1 2024.01.04", "", "2024.01.04"),
            ("YYYY.MM.DD", "2024.01.05", "2024.01.05-rc.1", "2024.01.05"),
            (
                "YYYYMMDD",
                "20240105-1a2b3c4 20240105-0000aaa",
                "20240105-0000aaa",
                "stay 20240105-0000aaa",
            ),
            (
                "YYYYMMDD",
                "20240105-1a2b3c4 20240106-0000aaa",
                "20240105-1a2b3c4",
                "20240106-0000aaa",
            ),
            ("YYYYMMDD", "20240105- 20240105_1 20240104", "", "20240104"),
        ],
    );
}

#[test]
fn pre_releases_of_dates_are_admitted_or_not() {
    let list = "2024.1.0-rc.1 2024.1.0-rc.2 2023.9.0";
    for (prereleases, expected) in [
        (Prereleases::FromRange, "2023.9.0"),
        (Prereleases::Deny, "2023.9.0"),
        (Prereleases::Allow, "2024.1.0-rc.2"),
    ] {
        let policy = Policy {
            prereleases,
            ..calver("YYYY.MM.MICRO")
        };
        assert_eq!(told(&choose(&policy, list, "")), expected);
    }
}

#[test]
fn a_level_keeps_the_first_parts() {
    let list = "2024.1.5 2024.1.6 2024.2.0 2025.1.0";
    for (level, current, expected) in [
        (Level::Major, "2024.1.5", "2025.1.0"),
        (Level::Minor, "2024.1.5", "2024.2.0"),
        (Level::Patch, "2024.1.5", "2024.1.6"),
        (Level::Patch, "", "2025.1.0"),
    ] {
        let policy = Policy {
            level: Some(level),
            ..calver("YYYY.MM.MICRO")
        };
        let selection = choose(&policy, list, current);
        assert_eq!(told(&selection), expected, "{level:?} {current}");
        if level == Level::Patch && !current.is_empty() {
            let last = selection.verdicts.iter().find(|v| v.tag == tag("2025.1.0"));
            assert_eq!(
                last.unwrap().reason.to_string(),
                "has another YYYY than the current tag, and `level: patch` keeps it; set `level: \
                 major` to take it"
            );
        }
    }
}

#[test]
fn a_bad_format_says_what_is_wrong() {
    for (format, message) in [
        ("", "a format needs a year, a month, a week or a day"),
        (
            "MAJOR.MINOR",
            "a format needs a year, a month, a week or a day",
        ),
        (
            "MICRO[.YYYY]",
            "a format needs a year, a month, a week or a day",
        ),
        ("YYYY.M.D", "`M` is not known in a format"),
        ("release-YYYY", "`release` is not known in a format"),
        ("yyyy.mm", "`yyyy` is not known in a format"),
        ("YYYY.YY", "`YY` says again what another token says"),
        ("YYYY.MM.0M", "`0M` says again what another token says"),
        (
            "YYYY.MICRO.MICRO",
            "`MICRO` says again what another token says",
        ),
        (
            "DD.MM.YYYY",
            "`MM` comes after something smaller, and parts are compared from left to right",
        ),
        (
            "YYYY.MICROMM",
            "nothing says where `MICRO` ends; put a separator after it",
        ),
        (
            "YYYY[.MM",
            "brackets go around one part at the end, such as `YYYYMMDD[.MICRO]`",
        ),
        (
            "YYYY[.MM].DD",
            "brackets go around one part at the end, such as `YYYYMMDD[.MICRO]`",
        ),
        (
            "YYYY.MM]",
            "brackets go around one part at the end, such as `YYYYMMDD[.MICRO]`",
        ),
        (
            "YYYY[]",
            "brackets go around one part at the end, such as `YYYYMMDD[.MICRO]`",
        ),
        ("YYYYé", "`é` is not known in a format"),
    ] {
        let error = format.parse::<Format>().unwrap_err();
        assert_eq!(error.to_string(), message, "{format}");
        assert!(!error.hint().is_empty());
    }
    let long = "YYYY.".repeat(20).parse::<Format>().unwrap_err();
    assert_eq!(long, FormatError::TooLong);
}
