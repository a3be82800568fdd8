//! Which of many places are marked, line by line: one bit for each.

/// Places of one word.
const WORD: usize = 64;

/// Lines of so many places, of which some are marked.
#[derive(Clone, Debug)]
pub(super) struct Marks {
    /// Words of one line.
    words: usize,
    bits: Vec<u64>,
}

impl Marks {
    /// None marked.
    pub(super) fn none(lines: usize, places: usize) -> Self {
        let words = places.div_ceil(WORD);
        Self { words, bits: vec![0; lines * words] }
    }

    /// The marked places of a line, in ascending order.
    pub(super) fn each(&self, line: usize) -> impl Iterator<Item = usize> {
        let begin = line * self.words;
        let words = self.bits.get(begin..begin + self.words).unwrap_or(&[]);
        words.iter().enumerate().flat_map(|(number, word)| Places { begin: number * WORD, left: *word })
    }

    /// Marks a place, or takes the mark away.
    pub(super) fn set(&mut self, line: usize, place: usize, is_marked: bool) {
        let Some(word) = self.bits.get_mut(line * self.words + place / WORD) else { return };
        let bit = 1 << (place % WORD);
        if is_marked { *word |= bit } else { *word &= !bit }
    }
}

/// The marked places of a word.
struct Places {
    begin: usize,
    left: u64,
}

impl Iterator for Places {
    type Item = usize;

    fn next(&mut self) -> Option<usize> {
        let place = self.left.trailing_zeros() as usize;
        self.left &= self.left.checked_sub(1)?;
        Some(self.begin + place)
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use proptest::prelude::*;

    use super::Marks;

    proptest! {
        #[test]
        fn what_is_marked_is_marked_until_the_mark_is_taken_away(
            changes in prop::collection::vec((0_usize..3, 0_usize..200, any::<bool>()), 0..80),
        ) {
            let (mut marks, mut slow) = (Marks::none(3, 200), [const { BTreeSet::new() }; 3]);
            for (line, place, is_marked) in changes {
                marks.set(line, place, is_marked);
                if is_marked { slow[line].insert(place) } else { slow[line].remove(&place) };
            }
            for (line, slow) in slow.into_iter().enumerate() {
                prop_assert!(marks.each(line).eq(slow));
            }
        }
    }
}
