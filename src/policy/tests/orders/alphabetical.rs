//! Texts, by their bytes.

use super::*;

/// `END`, `END PATTERN`, or `END PATTERN KEY`.
fn alphabetical(order: &str) -> Policy {
    let mut words = order.split(' ');
    let end = match words.next() {
        Some("highest") => End::Highest,
        _ => End::Lowest,
    };
    let pattern = words.next().map(|text| text.parse::<Pattern>().unwrap());
    Policy {
        pattern: match words.next() {
            Some(key) => pattern.map(|pattern| pattern.with_key(key).unwrap()),
            None => pattern,
        },
        ..of(Order::Alphabetical(end))
    }
}

#[test]
fn texts() {
    check(
        alphabetical,
        &[
            ("highest", "", "", "no tags"),
            ("highest", "a", "", "a"),
            ("highest", "a b c", "", "c"),
            ("highest", "a b c", "b", "c"),
            ("highest", "a b c", "c", "stay c"),
            ("highest", "a b", "c", "stay c"),
            ("highest", "a B", "", "a"),
            ("highest", "Z _", "", "_"),
            ("highest", "_ a", "", "a"),
            ("highest", "9 A", "", "A"),
            ("highest", "1.9 1.10", "", "1.9"),
            ("highest", "1.10 1.1", "", "1.10"),
            ("highest", "a-b a.b", "", "a.b"),
            ("highest", "a.b a0b", "", "a0b"),
            ("highest", "a aa", "a", "aa"),
            ("highest", "latest main", "latest", "main"),
            ("highest", "20240101 20240102", "20240101", "20240102"),
            (
                "highest",
                "20240101-1200 20240101-1201",
                "",
                "20240101-1201",
            ),
            (
                "highest",
                "2024-01-31T10 2024-02-01T09",
                "",
                "2024-02-01T09",
            ),
            ("highest", "trixie bookworm bullseye", "bookworm", "trixie"),
            ("highest", "noble jammy focal", "jammy", "noble"),
            ("highest", "jammy focal", "noble", "stay noble"),
            ("lowest", "a b c", "", "a"),
            ("lowest", "a b c", "b", "a"),
            ("lowest", "b c", "a", "stay a"),
            ("lowest", "a B", "", "B"),
            ("lowest", "a aa", "aa", "a"),
            ("lowest", "1.9 1.10", "1.9", "1.10"),
            ("highest ^v", "v1 v2 x", "v1", "v2"),
            ("highest ^v", "a b", "", "none"),
            ("highest ^v", "v1", "x", "above v1"),
            ("highest ^v", "v1 a", "b", "v1"),
            ("highest ^r-(?<version>.+)$", "r-a r-b z", "r-a", "r-b"),
            ("highest ^r-(?<version>.+)$", "r-a r-b", "z", "unordered"),
            (
                "highest ^[a-z]+-(?<version>[0-9]+)$",
                "b-1 a-2",
                "b-1",
                "a-2",
            ),
            (
                "highest ^[a-z]+-(?<version>[0-9]+)$",
                "b-1 a-1",
                "a-1",
                "stay a-1",
            ),
            ("highest ^[a-z]+-(?<version>[0-9]+)$", "b-1 a-1", "", "b-1"),
            (
                "highest ^(?<m>..)-(?<y>....)$ $y$m",
                "12-2023 01-2024",
                "12-2023",
                "01-2024",
            ),
            (
                "highest ^(?<m>..)-(?<y>....)$ $y$m",
                "12-2023 01-2024 x",
                "",
                "01-2024",
            ),
            (
                "lowest ^(?<m>..)-(?<y>....)$ $y$m",
                "12-2023 01-2024",
                "",
                "12-2023",
            ),
            (
                "highest ^(?<m>..)-(?<y>....)$ $y$m",
                "12-2023",
                "x",
                "unordered",
            ),
        ],
    );
}
