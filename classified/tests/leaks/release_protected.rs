//! A protected result is not a released one.
use classified::{Protected, Released};

fn send(_table: Released<u8>) {}

fn main() {
    send(Protected::new(1));
}
