//! What a process that is not trusted sends takes no more memory than the message may have bytes.
//!
//! On the wire an empty item is a few bytes, in memory a hundred: lists are of at most so many items each, and all items
//! of a message together, with the bytes of its bitmaps and files, fit into the room that its reader gives.

use std::cell::Cell;
use std::fmt;
use std::marker::PhantomData;

use serde::Serializer;
use serde::de::{Deserialize, Deserializer, Error, SeqAccess, Visitor};

thread_local! {
    /// The room of the message that this thread reads; nothing where none is counted. A derived reader has no place to
    /// hand it through.
    static ROOM: Cell<Option<Room>> = const { Cell::new(None) };
}

/// Bytes that are left, and whether something found none left.
#[derive(Clone, Copy)]
struct Room {
    left: u64,
    is_out: bool,
}

/// Reads with room for so many bytes; nothing where there was too little.
pub(crate) fn within<T>(most: u64, read: impl FnOnce() -> T) -> Option<T> {
    let before = ROOM.replace(Some(Room { left: most, is_out: false }));
    let read = read();
    let after = ROOM.replace(before);
    after.is_some_and(|room| !room.is_out).then_some(read)
}

/// Takes so many bytes of the room.
fn take<E: Error>(bytes: usize) -> Result<(), E> {
    let Some(room) = ROOM.get() else { return Ok(()) };
    let left = room.left.checked_sub(bytes as u64);
    ROOM.set(Some(Room { left: left.unwrap_or(0), is_out: room.is_out || left.is_none() }));
    if left.is_some() { Ok(()) } else { Err(E::custom("a message that takes too much memory")) }
}

/// Reads a list; one that is longer, or that leaves the room, is an error, said before the items beyond are read.
pub(crate) fn bounded<'d, D, T, const MOST: usize>(deserializer: D) -> Result<Vec<T>, D::Error>
where
    D: Deserializer<'d>,
    T: Deserialize<'d>,
{
    deserializer.deserialize_seq(Bounded::<T, MOST>(PhantomData))
}

struct Bounded<T, const MOST: usize>(PhantomData<T>);

impl<'d, T: Deserialize<'d>, const MOST: usize> Visitor<'d> for Bounded<T, MOST> {
    type Value = Vec<T>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "a list of at most {MOST} items")
    }

    fn visit_seq<A: SeqAccess<'d>>(self, mut items: A) -> Result<Vec<T>, A::Error> {
        let mut list = Vec::new();
        while let Some(item) = items.next_element()? {
            if list.len() == MOST {
                return Err(A::Error::custom("a list that is too long"));
            }
            take::<A::Error>(size_of::<T>())?;
            list.push(item);
        }
        Ok(list)
    }
}

/// Writes bytes at once. On the wire they are what a list of them is.
pub(crate) fn written<S: Serializer>(bytes: &[u8], serializer: S) -> Result<S::Ok, S::Error> {
    serializer.serialize_bytes(bytes)
}

/// Reads bytes that are in the room as well.
pub(crate) fn bytes<'d, D: Deserializer<'d>>(deserializer: D) -> Result<Vec<u8>, D::Error> {
    deserializer.deserialize_bytes(Bytes)
}

struct Bytes;

impl Visitor<'_> for Bytes {
    type Value = Vec<u8>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("bytes")
    }

    fn visit_bytes<E: Error>(self, bytes: &[u8]) -> Result<Vec<u8>, E> {
        take::<E>(bytes.len())?;
        Ok(bytes.to_vec())
    }
}

#[cfg(test)]
mod tests {
    use std::cell::Cell;

    use serde::{Deserialize, Deserializer, Serialize};

    use super::{bounded, within, written};

    thread_local! {
        static READ: Cell<usize> = const { Cell::new(0) };
    }

    /// Four bytes in memory, one on the wire; counts how many of it were read.
    #[derive(Debug)]
    struct Counted(u32);

    impl<'d> Deserialize<'d> for Counted {
        fn deserialize<D: Deserializer<'d>>(deserializer: D) -> Result<Self, D::Error> {
            READ.set(READ.get() + 1);
            u32::deserialize(deserializer).map(Self)
        }
    }

    #[derive(Debug, Deserialize)]
    struct Message {
        #[serde(deserialize_with = "bounded::<_, _, 1_000>")]
        one: Vec<Counted>,
        #[serde(deserialize_with = "bounded::<_, _, 1_000>")]
        other: Vec<Counted>,
    }

    #[test]
    fn items_beyond_the_room_are_not_read_whichever_list_they_are_in() {
        let list = [vec![100_u8], vec![0; 100]].concat();
        let message = [list.clone(), list].concat();
        let read = |most: u64| {
            READ.set(0);
            let read = within(most, || postcard::from_bytes::<Message>(&message).ok());
            let whole = |message: Message| {
                message.one.iter().chain(&message.other).filter(|item| item.0 == 0).count()
            };
            (read.flatten().map(whole), READ.get())
        };
        assert_eq!(read(800), (Some(200), 200));
        assert_eq!(read(799), (None, 200));
        assert_eq!(read(500), (None, 126));
        assert_eq!(read(0), (None, 1));
        assert!(postcard::from_bytes::<Message>(&message).is_ok(), "nothing is counted where nobody says so");
    }
    #[derive(Serialize)]
    struct Listed {
        bytes: Vec<u8>,
        after: u8,
    }

    #[derive(Serialize)]
    struct AtOnce {
        #[serde(serialize_with = "written")]
        bytes: Vec<u8>,
        after: u8,
    }

    #[test]
    fn bytes_that_are_written_at_once_are_those_of_a_list() {
        let bytes: Vec<u8> = (0..=255).collect();
        let listed = postcard::to_stdvec(&Listed { bytes: bytes.clone(), after: 7 }).unwrap();
        assert_eq!(postcard::to_stdvec(&AtOnce { bytes, after: 7 }).unwrap(), listed);
    }
}
