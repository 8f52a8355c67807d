//! Whether the statuses of a commit are green: a pure function of the names that count and what the forge
//! says.
//!
//! Invariant: silence is never green. Each name must be answered for, and of those it names all must be fine.

use crate::config::StatusGlob;
use crate::forge::{Check, Checks, Verdict};

/// A status that is not green.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Unmet {
    /// Its name; the glob that names none where there is none.
    pub name: String,
    /// `is missing`, `is pending` or `has failed`.
    pub state: &'static str,
}

/// What of `wanted` is not green in `found`: first what has failed, then what may still come.
pub fn unmet(wanted: &[StatusGlob], found: &Checks) -> Vec<Unmet> {
    let (mut failed, mut open) = (Vec::new(), Vec::new());
    for Check { name, verdict, .. } in &found.each {
        if !wanted.iter().any(|glob| glob.matches(name)) {
            continue;
        }
        let (list, state) = match verdict {
            Verdict::Success => continue,
            Verdict::Pending => (&mut open, "is pending"),
            Verdict::Failure => (&mut failed, "has failed"),
        };
        let name = name.clone();
        list.push(Unmet { name, state });
    }
    let silent = wanted.iter().filter(|glob| {
        let mut names = found.each.iter().map(|check| &check.name);
        !names.any(|name| glob.matches(name))
    });
    open.extend(silent.map(|glob| Unmet {
        name: glob.as_str().to_owned(),
        state: "is missing",
    }));
    failed.append(&mut open);
    failed
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_name_must_be_answered_for_and_all_that_it_names_be_green() {
        use Verdict::{Failure, Pending, Success};
        for (wanted, found, told) in [
            ("ci/e2e", &[("ci/e2e", Success)][..], ""),
            ("ci/e2e", &[], "ci/e2e is missing"),
            ("**", &[], "** is missing"),
            ("ci/e2e", &[("ci/e2e", Pending)], "ci/e2e is pending"),
            (
                "ci/e2e",
                &[("ci/e2e", Failure), ("lint", Failure)],
                "ci/e2e has failed",
            ),
            ("ci/e2e", &[("lint", Success)], "ci/e2e is missing"),
            (
                "ci/*",
                &[("ci/a", Success), ("ci/b", Success), ("lint", Failure)],
                "",
            ),
            (
                "ci/* lint",
                &[("ci/a", Success), ("ci/b", Pending), ("ci/c", Failure)],
                "ci/c has failed, ci/b is pending, lint is missing",
            ),
            ("ci/*", &[("ci/a/b", Success)], "ci/* is missing"),
            ("ci/**", &[("ci/a/b", Success)], ""),
            ("ci/* ci/a", &[("ci/a", Success)], ""),
            // Of two statuses of one name, one may have failed.
            (
                "ci/a",
                &[("ci/a", Success), ("ci/a", Failure)],
                "ci/a has failed",
            ),
        ] {
            let globs: Vec<StatusGlob> = wanted
                .split(' ')
                .map(|text| StatusGlob::new(text).unwrap())
                .collect();
            let each = found
                .iter()
                .map(|(name, verdict)| Check {
                    name: (*name).to_owned(),
                    verdict: *verdict,
                    words: None,
                })
                .collect();
            let unmet: Vec<String> = unmet(&globs, &Checks { each })
                .iter()
                .map(|it| format!("{} {}", it.name, it.state))
                .collect();
            assert_eq!(unmet.join(", "), told, "{wanted} {found:?}");
        }
    }
}
