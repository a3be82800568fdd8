//! A cohort's persons in little room, compared without unpacking.
//!
//! Most cohorts are small and spread over all numbers, where a bitmap spends more on its containers than on its
//! persons. Those are kept as steps from one person to the next. Two cohorts that are not near differ within their
//! first few persons, so comparing reads a few bytes of each.

use roaring::RoaringBitmap;

/// The persons of a kept cohort.
#[derive(Clone, Debug)]
pub(super) enum Packed {
    /// Steps from person to person, seven bits to a byte, the lowest first.
    Steps(Box<[u8]>),
    /// A large share of everybody.
    Bitmap(Box<RoaringBitmap>),
}

impl Packed {
    pub(super) fn of(persons: &RoaringBitmap) -> Self {
        Self::marked(persons).0
    }

    /// The persons with their mark, from one walk over them.
    pub(super) fn marked(persons: &RoaringBitmap) -> (Self, Mark) {
        let room = persons.serialized_size();
        let mut bytes = Vec::with_capacity(usize::try_from(persons.len()).unwrap_or(0).min(room));
        let (mut last, mut mark) = (0, Mark(0));
        for person in persons {
            // Steps that take more than the bitmap are not kept.
            if bytes.len() <= room {
                write(&mut bytes, person - last);
            }
            mark = mark.with(person);
            last = person;
        }
        if bytes.len() <= room {
            return (Self::Steps(bytes.into_boxed_slice()), mark);
        }
        let mut bitmap = persons.clone();
        bitmap.optimize();
        (Self::Bitmap(Box::new(bitmap)), mark)
    }

    /// The persons, in ascending order.
    pub(super) fn each(&self) -> impl Iterator<Item = u32> {
        let (steps, bitmap) = match self {
            Self::Steps(bytes) => (Some(Steps { bytes, last: 0 }), None),
            Self::Bitmap(bitmap) => (None, Some(bitmap.iter())),
        };
        steps.into_iter().flatten().chain(bitmap.into_iter().flatten())
    }

    /// By how many persons both differ, counted up to a number.
    pub(super) fn distance(&self, other: &RoaringBitmap, most: u64) -> u64 {
        let steps = match self {
            Self::Bitmap(bitmap) => return bitmap.symmetric_difference_len(other).min(most),
            Self::Steps(bytes) => Steps { bytes, last: 0 },
        };
        let (mut own, mut other) = (steps.peekable(), other.iter().peekable());
        let mut distance = 0;
        while distance < most {
            let (one, two) = match (own.peek(), other.peek()) {
                (None, None) => break,
                (one, two) => (one.copied(), two.copied()),
            };
            let is_own = two.is_none_or(|two| one.is_some_and(|one| one <= two));
            let is_other = one.is_none_or(|one| two.is_some_and(|two| two <= one));
            if is_own {
                own.next();
            }
            if is_other {
                other.next();
            }
            distance += u64::from(is_own != is_other);
        }
        distance
    }

    /// Bytes that the persons take.
    pub(super) fn bytes(&self) -> usize {
        match self {
            Self::Steps(bytes) => bytes.len(),
            Self::Bitmap(bitmap) => bitmap.serialized_size(),
        }
    }
}

/// A few bits of a cohort by which most others are seen to be far.
///
/// Each person turns one of the bits over, so two cohorts differ by at least as many persons as their marks by bits:
/// nothing near is ever passed over.
#[derive(Clone, Copy, Debug)]
pub(super) struct Mark(u128);

impl Mark {
    pub(super) fn of(persons: &RoaringBitmap) -> Self {
        persons.iter().fold(Self(0), Self::with)
    }

    const fn with(self, person: u32) -> Self {
        // Numbers that follow on each other fall on bits that are far apart.
        Self(self.0 ^ 1_u128 << (person.wrapping_mul(0x9E37_79B1) >> 25))
    }

    /// Two cohorts with these marks differ by so many persons at least.
    pub(super) fn least_distance(self, other: Self) -> u64 {
        u64::from((self.0 ^ other.0).count_ones())
    }
}

fn write(bytes: &mut Vec<u8>, mut step: u32) {
    loop {
        let [low, ..] = step.to_le_bytes();
        step >>= 7;
        if step == 0 {
            bytes.push(low);
            break;
        }
        bytes.push(low | 0x80);
    }
}

/// The persons behind steps.
struct Steps<'b> {
    bytes: &'b [u8],
    last: u32,
}

impl Iterator for Steps<'_> {
    type Item = u32;

    fn next(&mut self) -> Option<u32> {
        let (mut step, mut shift) = (0_u32, 0);
        loop {
            let (byte, rest) = self.bytes.split_first()?;
            self.bytes = rest;
            step |= u32::from(byte & 0x7f) << shift;
            if byte & 0x80 == 0 {
                break;
            }
            shift += 7;
        }
        self.last += step;
        Some(self.last)
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use roaring::RoaringBitmap;

    use super::{Mark, Packed};

    fn some() -> impl Strategy<Value = RoaringBitmap> {
        let narrow = prop::collection::btree_set(0_u32..300, 0..200);
        let wide = prop::collection::btree_set(any::<u32>(), 0..60);
        (prop_oneof![narrow, wide], any::<bool>(), any::<u32>()).prop_map(|(persons, is_filled, from)| {
            let mut persons: RoaringBitmap = persons.into_iter().collect();
            if is_filled {
                let from = from % 300_000;
                persons.insert_range(from..from + 20_000);
            }
            persons
        })
    }

    proptest! {
        #[test]
        fn nothing_is_lost_and_every_difference_is_counted(one in some(), two in some(), most in 0_u64..400) {
            let packed = Packed::of(&one);
            prop_assert_eq!(packed.each().collect::<RoaringBitmap>(), one.clone());
            prop_assert_eq!(packed.distance(&two, most), one.symmetric_difference_len(&two).min(most));
            prop_assert_eq!(packed.distance(&one, most), 0);
            let (again, mark) = Packed::marked(&one);
            prop_assert_eq!(again.each().collect::<RoaringBitmap>(), one.clone());
            prop_assert_eq!(mark.least_distance(Mark::of(&one)), 0);
            let least = mark.least_distance(Mark::of(&two));
            prop_assert!(least <= one.symmetric_difference_len(&two));
        }
    }
}
