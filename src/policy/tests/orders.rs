//! One table for each order: what is chosen among some tags where one runs.

use super::*;

mod alphabetical;
mod calver;
mod digest;
mod newest;
mod numerical;
mod semver;

/// Rows of an order, tags, the current tag, and what is told; see [`told`].
type Row = (&'static str, &'static str, &'static str, &'static str);

/// Fewest rows of a table: enough for every rule of an order and its edges.
const ROWS: usize = 40;

/// Checks a table; `policy` makes a policy of the first column.
fn check(policy: impl Fn(&str) -> Policy, rows: &[Row]) {
    assert!(rows.len() >= ROWS, "only {} rows", rows.len());
    for (order, list, current, expected) in rows {
        let selection = choose(&policy(order), list, current);
        assert_eq!(
            told(&selection),
            *expected,
            "{order} of {list} from `{current}`"
        );
    }
}

fn of(order: Order) -> Policy {
    Policy {
        order,
        ..Policy::default()
    }
}
