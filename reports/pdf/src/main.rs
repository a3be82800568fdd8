//! `misu-pdf`.
fn main() {}
