//! Any bytes, read as files of the kind `package`.
#![no_main]

#[path = "../reading.rs"]
mod reading;

libfuzzer_sys::fuzz_target!(|data: &[u8]| reading::read(reading::Kind::Package, data));
