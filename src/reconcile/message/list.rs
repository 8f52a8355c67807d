//! A list of words for one line.
//!
//! Invariant: each word once, in the order given, and never more than a few of them.

/// As many as fit into a subject.
const SHOWN: usize = 3;

/// `a, b, c and 4 more`.
pub(super) fn list(words: impl IntoIterator<Item = String>) -> String {
    let mut all: Vec<String> = Vec::new();
    for word in words {
        if !all.contains(&word) {
            all.push(word);
        }
    }
    match all.len().checked_sub(SHOWN) {
        None | Some(0) => all.join(", "),
        Some(more) => format!("{} and {more} more", all[..SHOWN].join(", ")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_list_names_each_once_and_few_of_them() {
        for (words, expected) in [
            ("a", "a"),
            ("a a b", "a, b"),
            ("a b c", "a, b, c"),
            ("a b c d c e", "a, b, c and 2 more"),
        ] {
            let words = words.split(' ').map(str::to_owned);
            assert_eq!(list(words), expected);
        }
        assert_eq!(list([]), "");
    }
}
