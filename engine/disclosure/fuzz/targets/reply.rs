//! Any bytes, read as what a worker says.
#![no_main]

#[path = "../reading.rs"]
mod reading;

libfuzzer_sys::fuzz_target!(|data: &[u8]| reading::read(data));
