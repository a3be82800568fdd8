//! What happens to files on their way, for tests: bytes changed, put in, left out, said again elsewhere, cut off.

use proptest::prelude::*;
use proptest::sample::Index;

/// One thing that happened: where, with which byte, how, and to where.
pub(crate) type Change = (Index, u8, u8, Index);

/// A few changes, mostly with bytes that mean something to a reader.
pub(crate) fn changes() -> impl Strategy<Value = Vec<Change>> {
    let bytes = [b',', b'"', b'\t', b' ', b'.', b'-', b'\n', b'\r', 0x1A];
    let byte = prop_oneof![1 => any::<u8>(), 4 => prop::sample::select(bytes.to_vec()), 1 => b'0'..=b'9'];
    prop::collection::vec((any::<Index>(), byte, 0_u8..5, any::<Index>()), 0..12)
}

/// The bytes after the changes; what is said again is at most `piece` bytes long.
pub(crate) fn changed(mut bytes: Vec<u8>, changes: Vec<Change>, piece: usize) -> Vec<u8> {
    for (place, byte, how, other) in changes {
        let (at, to) = (place.index(bytes.len() + 1), other.index(bytes.len() + 1));
        match how {
            0 if at < bytes.len() => bytes[at] = byte,
            1 => bytes.insert(at, byte),
            2 if at < bytes.len() => {
                bytes.remove(at);
            }
            3 => {
                let again: Vec<u8> = bytes[at..].iter().copied().take(piece).collect();
                bytes.splice(to..to, again);
            }
            4 => bytes.truncate(at.max(bytes.len() / 2)),
            _ => {}
        }
    }
    bytes
}
