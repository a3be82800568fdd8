//! Frames: four bytes of length, little-endian, then the message.

use std::io::{self, Read, Write};

use serde::Serialize;
use serde::de::DeserializeOwned;

use crate::bounded;

/// Why a frame cannot be written or read.
#[derive(Debug, thiserror::Error)]
pub enum FrameError {
    /// The other side cannot be reached.
    #[error("the connection broke")]
    Io(#[from] io::Error),
    /// The other side closed the connection between two frames.
    #[error("the connection was closed")]
    Closed,
    /// The frame is longer than the reader allows.
    #[error("a message of {length} bytes, where at most {most} are allowed")]
    TooLong {
        /// The announced length.
        length: u64,
        /// The longest allowed.
        most: u32,
    },
    /// The message would take more memory than its reader gives.
    #[error("a message that takes more than {most} bytes once it is read")]
    TooLarge {
        /// The most bytes.
        most: u32,
    },
    /// The message is not of the expected form.
    #[error("a message that is not of the expected form")]
    Form,
}

/// Writes a message as JSON.
///
/// # Errors
///
/// The other side cannot be reached, or the message is too long for a frame.
pub fn write_json<T: Serialize>(to: &mut impl Write, message: &T) -> Result<(), FrameError> {
    write(to, &serde_json::to_vec(message).map_err(|_| FrameError::Form)?)
}

/// Reads a message in JSON of at most `most` bytes.
///
/// # Errors
///
/// The frame is too long, not of the expected form, or the connection broke.
pub fn read_json<T: DeserializeOwned>(from: &mut impl Read, most: u32) -> Result<T, FrameError> {
    serde_json::from_slice(&read(from, most)?).map_err(|_| FrameError::Form)
}

/// Writes a message in the compact form.
///
/// # Errors
///
/// As [`write_json`].
pub fn write_packed<T: Serialize>(to: &mut impl Write, message: &T) -> Result<(), FrameError> {
    write(to, &postcard::to_stdvec(message).map_err(|_| FrameError::Form)?)
}

/// Reads a message in the compact form of at most `most` bytes, on the wire and, as far as its lists are bounded, in
/// memory; bytes that are left over are an error.
///
/// # Errors
///
/// As [`read_json`], or the message's lists would take more.
pub fn read_packed<T: DeserializeOwned>(from: &mut impl Read, most: u32) -> Result<T, FrameError> {
    let bytes = read(from, most)?;
    let read = bounded::within(u64::from(most), || postcard::take_from_bytes(&bytes));
    match read.ok_or(FrameError::TooLarge { most })? {
        Ok((message, [])) => Ok(message),
        Ok(_) | Err(_) => Err(FrameError::Form),
    }
}

fn write(to: &mut impl Write, bytes: &[u8]) -> Result<(), FrameError> {
    let length = u32::try_from(bytes.len())
        .map_err(|_| FrameError::TooLong { length: bytes.len() as u64, most: u32::MAX })?;
    to.write_all(&length.to_le_bytes())?;
    to.write_all(bytes)?;
    Ok(to.flush()?)
}

fn read(from: &mut impl Read, most: u32) -> Result<Vec<u8>, FrameError> {
    let mut length = [0; 4];
    match from.read_exact(&mut length) {
        Err(error) if error.kind() == io::ErrorKind::UnexpectedEof => return Err(FrameError::Closed),
        other => other?,
    }
    let length = u32::from_le_bytes(length);
    if length > most {
        return Err(FrameError::TooLong { length: u64::from(length), most });
    }
    // The buffer grows with what arrives, not with what was announced.
    let mut bytes = Vec::new();
    from.take(u64::from(length)).read_to_end(&mut bytes)?;
    if bytes.len() as u64 != u64::from(length) {
        return Err(FrameError::Closed);
    }
    Ok(bytes)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::{FrameError, read_json, read_packed, write_json, write_packed};
    use crate::{Evidence, EvidenceCell, EvidencePart, KeptFile, SumEvidence, WorkerReply};

    fn framed(message: &[u8]) -> Vec<u8> {
        [u32::try_from(message.len()).unwrap().to_le_bytes().as_slice(), message].concat()
    }

    fn reply() -> WorkerReply {
        let sums = vec![SumEvidence { sum: -5, values: 2, top1: 7, top2: 1, ..SumEvidence::default() }];
        let part = EvidencePart { rows: 4, persons: vec![1, 2, 3], sums, ..EvidencePart::default() };
        let cell = EvidenceCell { key: vec![0, 3], parts: vec![part], ..EvidenceCell::default() };
        WorkerReply::Evidence(Evidence { cells: vec![cell] })
    }

    #[test]
    fn a_message_survives_both_forms() {
        let mut bytes = Vec::new();
        write_packed(&mut bytes, &reply()).unwrap();
        write_json(&mut bytes, &("a", 1)).unwrap();
        let mut from = bytes.as_slice();
        assert_eq!(read_packed::<WorkerReply>(&mut from, 1_000).unwrap(), reply());
        assert_eq!(read_json::<(String, u8)>(&mut from, 1_000).unwrap(), ("a".to_owned(), 1));
        assert!(matches!(read_json::<u8>(&mut from, 1_000), Err(FrameError::Closed)));
    }

    #[test]
    fn a_long_announcement_is_refused_before_anything_is_read() {
        let mut from = [0xFF_u8, 0xFF, 0xFF, 0x7F, 1].as_slice();
        assert!(matches!(
            read_packed::<WorkerReply>(&mut from, 1_000),
            Err(FrameError::TooLong { most: 1_000, .. })
        ));
    }

    #[test]
    fn more_cells_than_any_query_has_are_refused_before_they_are_made() {
        // A cell without keys and parts is two bytes on the wire.
        let mut message = vec![0_u8, 0xFF, 0xFF, 0xFF, 0x0F];
        message.resize(4 << 20, 0);
        let read = read_packed::<WorkerReply>(&mut framed(&message).as_slice(), 64 << 20);
        assert!(matches!(read, Err(FrameError::Form)), "{read:?}");
    }

    /// A reply of so many cells, each with as many empty atoms as a cell may have: seven bytes on the wire, a hundred in
    /// memory.
    fn tiny_atoms(cells: u8) -> Vec<u8> {
        let cell = [vec![0_u8, 0, 0, 0xFF, 0xFF, 0x03], vec![0; 7 * 0xFFFF]].concat();
        framed(&[vec![0, cells], cell.repeat(cells.into())].concat())
    }

    #[test]
    fn many_tiny_items_are_refused_where_they_would_take_more_than_the_message_may() {
        let most = 8 << 20;
        let small = read_packed::<WorkerReply>(&mut tiny_atoms(1).as_slice(), most);
        assert!(matches!(small, Ok(WorkerReply::Evidence(_))), "it fits");
        for cells in [2, 10, 18] {
            let read = read_packed::<WorkerReply>(&mut tiny_atoms(cells).as_slice(), most);
            assert!(matches!(read, Err(FrameError::TooLarge { most: 8_388_608 })), "{cells} cells");
        }
    }

    #[test]
    fn bitmaps_and_files_are_in_the_room_too() {
        let part = |bytes| EvidencePart { persons: vec![7; bytes], ..EvidencePart::default() };
        let cell = EvidenceCell { parts: vec![part(400), part(400)], ..EvidenceCell::default() };
        let files = vec![KeptFile { rows: 1, bytes: vec![7; 20] }; 30];
        for reply in [WorkerReply::Evidence(Evidence { cells: vec![cell] }), WorkerReply::Kept(files)] {
            let bytes = framed(&postcard::to_stdvec(&reply).unwrap());
            let read = |most| read_packed::<WorkerReply>(&mut bytes.as_slice(), most);
            assert!(matches!(read(900), Err(FrameError::TooLarge { most: 900 })));
            assert_eq!(read(4_000).unwrap(), reply);
        }
    }

    proptest! {
        #[test]
        fn a_reply_with_changed_bytes_is_a_reply_or_an_error(
            changes in prop::collection::vec((any::<prop::sample::Index>(), any::<u8>(), 0..3_u8), 1..6),
        ) {
            let mut bytes = postcard::to_stdvec(&reply()).unwrap();
            for (at, byte, kind) in changes {
                let at = at.index(bytes.len());
                match kind {
                    0 => bytes[at] = byte,
                    1 => bytes.insert(at, byte),
                    _ => bytes.truncate(at.max(1)),
                }
            }
            let _ = read_packed::<WorkerReply>(&mut framed(&bytes).as_slice(), 1_000);
        }

        #[test]
        fn arbitrary_bytes_are_a_message_or_an_error(bytes in prop::collection::vec(any::<u8>(), 0..200)) {
            let _ = read_packed::<WorkerReply>(&mut framed(&bytes).as_slice(), 1_000);
        }
    }
}
