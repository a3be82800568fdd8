//! What was released before, cohort by cohort, and what a new table would tell together with it.
//!
//! Two answers can be subtracted. So the ledger keeps the exact persons behind every released cell, and behind what a
//! reader can derive from one release by subtraction, across queries, users, projects and snapshots. A new cell whose
//! persons differ from a kept cohort by fewer than the threshold is not released afresh.
//!
//! Whether they differ by none or by a few is exactly what must not be told, so both are treated alike; only where the
//! question itself says that the cohort is the same ([`Cohort::id`]), which needs no look at the data, is it released
//! as before.
//!
//! This is the memory and its arithmetic. Where it lies on disk, sealed, is the guard's business.

mod atoms;

use std::collections::BTreeMap;

use roaring::RoaringBitmap;
use serde::{Deserialize, Serialize};

/// Cohorts that are looked at together with a new one, at most.
const FAMILY: usize = 256;

/// One release as the ledger keeps it.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct LedgerEntry {
    /// The question in its canonical form, as a digest that includes the snapshot and the permit's numbers.
    pub question: String,
    /// The project that asked.
    pub project: String,
    /// The snapshot.
    pub snapshot: String,
    /// The answer, as it was handed out.
    pub answer: Vec<u8>,
    /// The cohorts that it tells of.
    pub cohorts: Vec<Cohort>,
}

/// The persons behind a released cell, or behind what can be derived from released cells.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Cohort {
    /// What the question says of the cohort: two cohorts with the same one are the same, whatever the data are.
    pub id: String,
    /// The persons, as a serialized Roaring bitmap of person numbers.
    #[serde(with = "bitmap")]
    pub persons: RoaringBitmap,
}

/// Everything released so far.
#[derive(Debug, Default)]
pub struct Ledger {
    cohorts: Vec<Cohort>,
    by_size: BTreeMap<u64, Vec<usize>>,
    answers: BTreeMap<String, Vec<u8>>,
    releases: u64,
}

impl Ledger {
    /// The answer to a question that was answered before.
    pub fn answer(&self, question: &str) -> Option<&[u8]> {
        self.answers.get(question).map(Vec::as_slice)
    }

    /// How many releases are kept.
    pub const fn releases(&self) -> u64 {
        self.releases
    }

    /// How many cohorts are kept.
    pub const fn cohorts(&self) -> usize {
        self.cohorts.len()
    }

    /// Keeps a release. The same question twice is kept once.
    pub fn keep(&mut self, entry: LedgerEntry) {
        if self.answers.insert(entry.question, entry.answer).is_some() {
            return;
        }
        self.releases += 1;
        for cohort in entry.cohorts {
            self.by_size.entry(cohort.persons.len()).or_default().push(self.cohorts.len());
            self.cohorts.push(cohort);
        }
    }

    /// Whether a cohort can be told apart from a kept one by fewer than `few` persons, or is the same without the
    /// question saying so.
    ///
    /// Complete: sizes of cohorts that differ by fewer than `few` persons differ by fewer.
    pub fn is_near(&self, cohort: &Cohort, few: u32) -> bool {
        let (size, few) = (cohort.persons.len(), u64::from(few));
        let sizes = size.saturating_sub(few - few.min(1))..=size.saturating_add(few.saturating_sub(1));
        let near = self.by_size.range(sizes).flat_map(|(_, numbers)| numbers);
        let mut near = near.filter_map(|number| self.cohorts.get(*number)).filter(|kept| {
            // The cheap test first: most cohorts of the same size have few persons in common.
            kept.persons.symmetric_difference_len(&cohort.persons) < few
        });
        // A cohort that the question names as a kept one is that one; others beside it stay as near as they were.
        near.any(|kept| kept.id != cohort.id) && !self.has(&cohort.id)
    }

    /// Whether kept cohorts and these together give a group of fewer than `few` persons by addition and subtraction.
    ///
    /// Of the kept cohorts those nearest to the new ones are looked at, up to a fixed number.
    pub fn gives_small_group(&self, cohorts: &[&Cohort], few: u32) -> bool {
        let new: Vec<&RoaringBitmap> =
            cohorts.iter().filter(|cohort| !self.has(&cohort.id)).map(|cohort| &cohort.persons).collect();
        if new.is_empty() {
            return false;
        }
        let mut kept: Vec<(u64, usize)> = self
            .cohorts
            .iter()
            .enumerate()
            .filter_map(|(number, cohort)| {
                let distance = |new: &&RoaringBitmap| {
                    (!cohort.persons.is_disjoint(new)).then(|| cohort.persons.symmetric_difference_len(new))
                };
                Some((new.iter().filter_map(distance).min()?, number))
            })
            .collect();
        kept.sort_unstable();
        let family = kept.into_iter().take(FAMILY).filter_map(|(_, number)| self.cohorts.get(number));
        let family: Vec<&RoaringBitmap> = family.map(|cohort| &cohort.persons).collect();
        atoms::gives_small_group(&family, &new, u64::from(few))
    }

    fn has(&self, id: &str) -> bool {
        // Kept cohorts are few against what one comparison costs; an index would have to be kept as well.
        self.cohorts.iter().any(|cohort| cohort.id == id)
    }
}

/// A bitmap as bytes.
mod bitmap {
    use roaring::RoaringBitmap;
    use serde::de::Error as _;
    use serde::ser::Error as _;
    use serde::{Deserialize as _, Deserializer, Serializer};

    pub(super) fn serialize<S: Serializer>(
        persons: &RoaringBitmap,
        serializer: S,
    ) -> Result<S::Ok, S::Error> {
        let mut bytes = Vec::with_capacity(persons.serialized_size());
        persons.serialize_into(&mut bytes).map_err(S::Error::custom)?;
        serializer.serialize_bytes(&bytes)
    }

    pub(super) fn deserialize<'d, D: Deserializer<'d>>(deserializer: D) -> Result<RoaringBitmap, D::Error> {
        let bytes = Vec::<u8>::deserialize(deserializer)?;
        RoaringBitmap::deserialize_from(bytes.as_slice()).map_err(D::Error::custom)
    }
}

#[cfg(test)]
mod tests;
