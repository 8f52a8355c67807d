//! Numbers.

use super::*;

/// `END`, or `END PATTERN`.
fn numerical(order: &str) -> Policy {
    let (end, pattern) = order.split_once(' ').unwrap_or((order, ""));
    let end = match end {
        "highest" => End::Highest,
        _ => End::Lowest,
    };
    Policy {
        pattern: (!pattern.is_empty()).then(|| pattern.parse().unwrap()),
        ..of(Order::Numerical(end))
    }
}

#[test]
fn numbers() {
    check(
        numerical,
        &[
            ("highest", "", "", "no tags"),
            ("highest", "latest", "", "none"),
            ("highest", "1 2 3", "", "3"),
            ("highest", "9 10", "9", "10"),
            ("highest", "9 10", "10", "stay 10"),
            ("highest", "9 10", "11", "stay 11"),
            ("highest", "latest main 1.2.3 7", "", "7"),
            ("highest", "latest 7 8", "7", "8"),
            ("highest", "007 6", "", "007"),
            ("highest", "007 7", "", "7"),
            ("highest", "007 7", "007", "stay 007"),
            ("highest", "0 00 000", "", "000"),
            ("highest", "0 1", "0", "1"),
            ("highest", "1.5 1.25", "", "1.5"),
            ("highest", "1.10 1.9", "", "1.9"),
            ("highest", "1.1 1.10", "1.1", "stay 1.1"),
            ("highest", "1.1 1.10", "", "1.10"),
            ("highest", "2 1.999", "", "2"),
            ("highest", "1.0 1", "", "1.0"),
            ("highest", "1.01 1.1", "", "1.1"),
            ("highest", "1. 1", "", "1"),
            ("highest", "1e3 999", "", "999"),
            ("highest", "inf NaN 1", "", "1"),
            ("highest", "0x1F 1_000 5", "", "5"),
            ("highest", "v9 8", "", "8"),
            (
                "highest",
                "20240101120000123 20240101120000124",
                "",
                "20240101120000124",
            ),
            (
                "highest",
                "20240101120000123 20240101120000124",
                "20240101120000124",
                "stay 20240101120000124",
            ),
            (
                "highest",
                "9007199254740993 9007199254740992",
                "",
                "9007199254740993",
            ),
            (
                "highest",
                "18446744073709551615 18446744073709551616",
                "18446744073709551615",
                "18446744073709551616",
            ),
            (
                "highest",
                "999999999999999999999999999999 999999999999999999999999999998",
                "",
                "999999999999999999999999999999",
            ),
            (
                "highest",
                "99999999999999999999999999999 100000000000000000000000000000",
                "",
                "100000000000000000000000000000",
            ),
            (
                "highest",
                "0.99999999999999999999999999999 0.99999999999999999999999999998",
                "",
                "0.99999999999999999999999999999",
            ),
            ("highest", "12", "latest", "unordered"),
            ("highest", "12", "1.2.3", "unordered"),
            ("lowest", "1 2 3", "", "1"),
            ("lowest", "1 2 3", "2", "1"),
            ("lowest", "2 3", "1", "stay 1"),
            ("lowest", "10 9", "10", "9"),
            ("lowest", "latest 5", "", "5"),
            ("lowest", "7 007", "", "7"),
            (
                "lowest",
                "20240101120000123 20240101120000124",
                "",
                "20240101120000123",
            ),
            (
                "highest ^build-(?<version>[0-9]+)$",
                "build-9 build-10 11",
                "build-9",
                "build-10",
            ),
            (
                "highest ^main-[0-9a-f]+-(?<version>[0-9]+)$",
                "main-abc1234-1700000000 main-def5678-1700000001",
                "",
                "main-def5678-1700000001",
            ),
            ("highest ^[0-9]{3}$", "1000 999", "", "999"),
            ("highest (?<version>-.*)", "a-5", "", "none"),
        ],
    );
}

#[test]
fn a_key_of_groups_is_compared() {
    let pattern: Pattern = "^main-[0-9a-f]{7}-(?<ts>[0-9]+)$".parse().unwrap();
    let policy = Policy {
        pattern: Some(pattern.with_key("$ts").unwrap()),
        ..of(Order::Numerical(End::Highest))
    };
    let list = "main-fffffff-1700000000 main-0000000-1700000002 dev-0000000-1800000000 latest";
    for (current, expected) in [
        ("", "main-0000000-1700000002"),
        ("main-fffffff-1700000000", "main-0000000-1700000002"),
        ("main-aaaaaaa-1700000002", "stay main-aaaaaaa-1700000002"),
        ("main-aaaaaaa-1700000003", "stay main-aaaaaaa-1700000003"),
        ("latest", "unordered"),
    ] {
        assert_eq!(told(&choose(&policy, list, current)), expected, "{current}");
    }
}

#[test]
fn the_words_are_those_of_the_order() {
    let policy = numerical("lowest");
    let said: Vec<String> = choose(&policy, "1 2 3 x", "2")
        .verdicts
        .iter()
        .map(|v| format!("{} {}", v.tag, v.reason))
        .collect();
    let expected = [
        "1 is the lowest acceptable tag",
        "2 passes the policy, but another tag was chosen; `ignore` those above to take this",
        "3 passes the policy, but is higher than what runs now; going back needs a decision",
        "x is not a number; take the number out with a `version` group in `match`",
    ];
    assert_eq!(said, expected);
}
