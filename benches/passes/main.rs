//! Whole passes, measured: `cargo bench --bench passes`, with words of group names to run only those.
//!
//! Every input is made here, the same each time, in a temporary folder; nothing leaves loopback. What
//! is measured for memory runs in a process of its own: this program again, see [`child`].
//!
//! It prints a table in Markdown and fails only if something could not be measured: times on shared
//! machines are for people to judge.

#![expect(
    clippy::print_stdout,
    clippy::print_stderr,
    reason = "the table is the result, and progress goes beside it"
)]

mod big;
mod child;
mod day;
mod fleet;
mod index;
mod measure;
mod passes;
mod plain;
mod polling;
mod recovery;
mod selection;
mod set;

use std::time::Instant;

use measure::Row;

/// What one group measures.
type Group = fn() -> anyhow::Result<Vec<Row>>;

const GROUPS: [(&str, Group); 10] = [
    ("cold", index::cold),
    ("growth", index::growth),
    ("pass", passes::unchanged_and_one_file),
    ("many", passes::many_apps_at_once),
    ("restart", passes::restart_and_rest),
    ("recovery", recovery::rows),
    ("poll", polling::rows),
    ("day", day::rows),
    ("select", selection::rows),
    ("set", set::rows),
];

/// What takes more room and time than is fair without being asked: only by name.
const BY_NAME: [(&str, Group); 2] = [("big", big::whole), ("big-hundredth", big::hundredth)];

fn main() -> anyhow::Result<()> {
    // Cargo adds `--bench`.
    let words: Vec<String> = std::env::args()
        .skip(1)
        .filter(|word| !word.starts_with("--"))
        .collect();
    if let Some((child::WORD, rest)) = words
        .split_first()
        .map(|(word, rest)| (word.as_str(), rest))
    {
        return child::run(rest);
    }
    println!("{}\n\n{}", measure::machine(), measure::HEAD);
    let start = Instant::now();
    let named = |name: &str| words.iter().any(|word| word == name);
    let by_name = BY_NAME.into_iter().filter(|(name, _)| named(name));
    for (name, group) in GROUPS.into_iter().chain(by_name) {
        if words.is_empty() || named(name) {
            eprintln!("measuring: {name}");
            for row in group()? {
                println!("{row}");
            }
        }
    }
    eprintln!("measured in {:.0?}", start.elapsed());
    Ok(())
}
