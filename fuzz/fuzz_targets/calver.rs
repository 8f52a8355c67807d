//! Fuzzes formats of calendar versions; the body is in the library.
#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| tagwright::fuzz::calver(data));
