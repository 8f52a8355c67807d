//! The command line's entry: parse, set up logging, dispatch, and print errors once.
fn main() {}
