//! Cells of one grouping set in the rows of a bucket, numbered as they occur.
//!
//! Keys are numbered one column after the other: the number so far and the column's value give the next number. So a
//! row costs one look-up for each key, in a plain table where there are few combinations, and no key is built for it.

use std::collections::HashMap;
use std::hash::{BuildHasherDefault, Hasher};

use engine_protocol::{TOTAL, WorkerFault};

use crate::rows::Rows;

/// So many combinations are looked up in a plain table; more of them in a map.
const PLAIN: usize = 1 << 16;

/// The cell of each row, and the key of each cell.
#[derive(Debug)]
pub(crate) struct Numbering {
    pub(crate) of_row: Vec<u32>,
    pub(crate) keys: Vec<Vec<u32>>,
}

impl Numbering {
    /// Numbers the cells of `set`, bit `n` of which says that key `n` is grouped by; `sizes` has each key's number of
    /// values.
    ///
    /// # Errors
    ///
    /// There are more than `most` cells.
    pub(crate) fn new(rows: &Rows, set: u32, sizes: &[usize], most: u32) -> Result<Self, WorkerFault> {
        let mut of_row = vec![0; rows.len()];
        let mut keys = vec![Vec::with_capacity(sizes.len())];
        for (at, (column, size)) in rows.keys().iter().zip(sizes).enumerate() {
            if set >> at & 1 == 0 {
                keys.iter_mut().for_each(|key| key.push(TOTAL));
                continue;
            }
            let mut finer: Vec<Vec<u32>> = Vec::new();
            let mut known = Known::new(keys.len(), *size, PLAIN);
            for (number, value) in of_row.iter_mut().zip(column) {
                let slot = known.slot(*number, *value);
                if *slot == NEW {
                    if finer.len() >= most as usize {
                        return Err(WorkerFault::TooLarge);
                    }
                    *slot = u32::try_from(finer.len()).map_err(|_| WorkerFault::TooLarge)?;
                    let mut key = keys.get(*number as usize).cloned().unwrap_or_default();
                    key.push(*value);
                    finer.push(key);
                }
                *number = *slot;
            }
            keys = finer;
        }
        if of_row.is_empty() {
            keys.clear();
        }
        Ok(Self { of_row, keys })
    }
}

/// No number was given yet.
pub(crate) const NEW: u32 = u32::MAX;

/// The numbers given so far, by the number before and the value.
pub(crate) enum Known {
    Plain { numbers: Vec<u32>, size: usize, other: Map },
    Map(Map),
}

/// A number before and a value, in one number.
type Map = HashMap<u64, u32, BuildHasherDefault<Mixed>>;

/// A number, mixed fast. The numbers are this program's own, so nobody chooses some that fall together.
#[derive(Clone, Copy, Default)]
pub(crate) struct Mixed(u64);

impl Hasher for Mixed {
    fn write(&mut self, bytes: &[u8]) {
        bytes.iter().for_each(|byte| self.write_u64((*byte).into()));
    }

    fn write_u64(&mut self, number: u64) {
        self.0 = (self.0 ^ number).wrapping_mul(0x9e37_79b9_7f4a_7c15);
    }

    fn finish(&self) -> u64 {
        // A product is mixed best in its upper bits, and a map looks at the lower ones.
        self.0.rotate_left(32)
    }
}

fn together(before: u32, value: u32) -> u64 {
    u64::from(before) << 32 | u64::from(value)
}

impl Known {
    /// Room for `before` numbers with values below `size`, and one that is none of them: a plain table where it has up to
    /// `plain` places.
    pub(crate) fn new(before: usize, size: usize, plain: usize) -> Self {
        let size = size + 1;
        match before.checked_mul(size).filter(|count| *count <= plain) {
            Some(count) => Self::Plain { numbers: vec![NEW; count], size, other: Map::default() },
            None => Self::Map(Map::default()),
        }
    }

    pub(crate) fn slot(&mut self, before: u32, value: u32) -> &mut u32 {
        match self {
            Self::Plain { numbers, size, other } => {
                let at = (value as usize) < *size;
                let at = at.then(|| before as usize * *size + value as usize);
                match at.and_then(|at| numbers.get_mut(at)) {
                    Some(slot) => slot,
                    None => other.entry(together(before, value)).or_insert(NEW),
                }
            }
            Self::Map(numbers) => numbers.entry(together(before, value)).or_insert(NEW),
        }
    }
}
