//! Names of people, teams and labels, compared as forges do: without case and without a leading `@`.

/// What is wanted and not there.
pub(super) fn missing<'a>(wanted: &'a [String], there: &[String]) -> Vec<&'a String> {
    let is_there = |name: &str| there.iter().any(|known| is_same(known, name));
    wanted.iter().filter(|name| !is_there(name)).collect()
}

/// Whether two names are of the same.
pub(super) fn is_same(one: &str, other: &str) -> bool {
    one.trim_start_matches('@')
        .eq_ignore_ascii_case(other.trim_start_matches('@'))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_there_by_another_spelling_is_not_missing() {
        let wanted = ["Ann", "@acme/ops", "bob"].map(str::to_owned);
        let there = ["@ann", "acme/OPS", "cat"].map(str::to_owned);
        assert_eq!(missing(&wanted, &there), ["bob"]);
    }
}
