//! Each fuzz body over its committed corpus and a fixed number of mutations of it: what the fuzzer
//! does, without the fuzzer, and alike in every run.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::Path;

/// Mutations a target gets: seconds, not minutes, in a debug build.
const MUTATIONS: usize = 20_000;

/// Longest mutated input, in bytes: mutations find edges, not limits of size.
const MAX_LENGTH: usize = 8 * 1024;

/// Fewest seeds that count as a corpus.
const MIN_SEEDS: usize = 25;

/// What means something to one of the parsers.
const TOKENS: [&str; 46] = [
    ":",
    "@",
    "/",
    "//",
    "[",
    "]",
    "{",
    "}",
    "<",
    ">",
    "\"",
    "'",
    "\\",
    ",",
    ";",
    "=",
    "*",
    "&",
    "!",
    "|",
    ">-",
    "#",
    " # ",
    "? ",
    "- ",
    "---\n",
    "...\n",
    "\r\n",
    "\t",
    "\u{feff}",
    "\0",
    "é",
    "<<: *a",
    "image: ",
    "sha256:",
    "rel=\"next\"",
    "realm=",
    "||",
    "-0",
    "18446744073709551616",
    "YYYY",
    "[.MICRO]",
    "(?<version>",
    "$a",
    "[0-9]+",
    "-rc.1",
];

/// A small generator of pseudo-random numbers (xorshift64*, Vigna 2016): the same in every run.
struct Random(u64);

impl Random {
    fn next(&mut self) -> u64 {
        self.0 ^= self.0 >> 12;
        self.0 ^= self.0 << 25;
        self.0 ^= self.0 >> 27;
        self.0.wrapping_mul(0x2545_f491_4f6c_dd1d)
    }

    /// A number below `bound`, or 0 if that is 0.
    fn below(&mut self, bound: usize) -> usize {
        let bound = u64::try_from(bound.max(1)).expect("a usize fits");
        usize::try_from(self.next() % bound).expect("less than a usize")
    }

    fn byte(&mut self) -> u8 {
        self.next().to_be_bytes()[0]
    }

    /// A part of `0..length`, at most 64 long.
    fn part(&mut self, length: usize) -> std::ops::Range<usize> {
        let start = self.below(length + 1);
        start..(start + self.below(64)).min(length)
    }
}

/// One change to `input`, which may take from `other`.
fn mutate(input: &mut Vec<u8>, other: &[u8], random: &mut Random) {
    let place = random.below(input.len() + 1);
    match random.below(8) {
        0 if place < input.len() => input[place] ^= 1 << random.below(8),
        1 if place < input.len() => input[place] = random.byte(),
        2 => input.truncate(place),
        3 => drop(input.drain(random.part(input.len()))),
        4 => {
            let again = input[random.part(input.len())].to_vec();
            input.splice(place..place, again);
        }
        5 => {
            let foreign = other[random.part(other.len())].iter().copied();
            input.splice(place..place, foreign);
        }
        6 => {
            input.truncate(place);
            input.extend_from_slice(&other[random.below(other.len() + 1)..]);
        }
        _ => {
            let token = TOKENS[random.below(TOKENS.len())];
            input.splice(place..place, token.bytes());
        }
    }
    input.truncate(MAX_LENGTH);
}

/// The seeds of `target`, in the order of their names.
fn corpus(target: &str) -> Vec<Vec<u8>> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("tests/fuzz")
        .join(target);
    let mut files: Vec<_> = std::fs::read_dir(&folder)
        .expect("the corpus is committed")
        .map(|entry| entry.expect("the folder can be read").path())
        .collect();
    files.sort();
    assert!(files.len() >= MIN_SEEDS, "{}: too few", folder.display());
    files
        .iter()
        .map(|file| std::fs::read(file).expect("a seed can be read"))
        .collect()
}

/// Runs `body` on `input` and shows the input where it panics.
fn check(body: fn(&[u8]), input: &[u8]) {
    if catch_unwind(AssertUnwindSafe(|| body(input))).is_err() {
        panic!("this input: b\"{}\"", input.escape_ascii());
    }
}

/// Runs `body` over the corpus of `target`, then over mutations of it.
fn run(target: &str, body: fn(&[u8])) {
    let seeds = corpus(target);
    for seed in &seeds {
        check(body, seed);
    }
    let mut random = Random(0x7461_6777_7269_6768);
    for _ in 0..MUTATIONS {
        let mut input = seeds[random.below(seeds.len())].clone();
        let other = &seeds[random.below(seeds.len())];
        for _ in 0..=random.below(4) {
            mutate(&mut input, other, &mut random);
        }
        check(body, &input);
    }
}

#[test]
fn reference() {
    run("reference", tagwright::fuzz::reference);
}

#[test]
fn yaml() {
    run("yaml", tagwright::fuzz::yaml);
}

#[test]
fn range() {
    run("range", tagwright::fuzz::range);
}

#[test]
fn calver() {
    run("calver", tagwright::fuzz::calver);
}

#[test]
fn selection() {
    run("selection", tagwright::fuzz::selection);
}

#[test]
fn link() {
    run("link", tagwright::fuzz::link);
}

#[test]
fn challenge() {
    run("challenge", tagwright::fuzz::challenge);
}

/// The runner itself: a body that breaks its promise on mutations only is found.
#[test]
#[should_panic(expected = "this input")]
fn a_broken_promise_is_found() {
    run("reference", |data| assert!(!data.contains(&0)));
}

#[test]
fn mutations_are_the_same_in_every_run() {
    let mutated = || {
        let mut random = Random(1);
        let mut input = b"ghcr.io/acme/shop:1.0.0".to_vec();
        for _ in 0..100 {
            mutate(&mut input, b"nginx:1.25", &mut random);
        }
        input
    };
    assert_eq!(mutated(), mutated());
}
