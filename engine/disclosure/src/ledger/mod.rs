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
mod form;
mod known;
mod linear;
mod narrow;
mod nearby;
mod packed;
mod possible;
mod together;

use std::collections::{BTreeMap, HashSet};

use roaring::RoaringBitmap;
use serde::{Deserialize, Serialize};

pub(crate) use form::Number;
pub use form::{Form, Term};

use crate::ledger::packed::{Mark, Packed};
use crate::ledger::together::Together;

/// New cohorts up to which a table is audited for what it tells nearly; of a larger one only what follows exactly.
const TABLE: usize = 64;

/// One release as the ledger keeps it.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct LedgerEntry {
    /// The question in its canonical form, as a digest that includes the snapshot and the permit's numbers.
    pub question: String,
    /// The project that asked.
    pub project: String,
    /// The snapshot.
    pub snapshot: String,
    /// What questions about the same rows have in common, whatever values they name.
    pub family: String,
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
    /// Whether it follows from other cohorts of its release by addition and subtraction.
    pub is_derived: bool,
    /// What the form of the question tells of it; none where it stands in no question.
    pub form: Option<Form>,
}

/// A cohort as it is kept.
#[derive(Debug)]
struct Kept {
    persons: Packed,
    mark: Mark,
    size: u64,
    is_derived: bool,
    form: Option<Box<Form>>,
}

/// Everything released so far.
#[derive(Debug, Default)]
pub struct Ledger {
    cohorts: Vec<Kept>,
    ids: HashSet<[u8; 32]>,
    by_size: BTreeMap<u64, Vec<usize>>,
    by_family: BTreeMap<String, Vec<usize>>,
    by_source: BTreeMap<u64, Vec<usize>>,
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

    /// About how many bytes of memory the cohorts take.
    pub fn bytes(&self) -> usize {
        let form = |kept: &Kept| kept.form.as_ref().map_or(0, |form| form.bytes());
        let own: usize = self.cohorts.iter().map(|kept| kept.persons.bytes() + form(kept)).sum();
        // Each has its place, its id and its numbers in the indexes.
        own + self.cohorts.len() * (size_of::<Kept>() + 2 * size_of::<[u8; 32]>() + 3 * size_of::<usize>())
    }

    /// Keeps a release. The same question twice is kept once.
    pub fn keep(&mut self, entry: LedgerEntry) {
        if self.answers.insert(entry.question, entry.answer).is_some() {
            return;
        }
        self.releases += 1;
        let family = self.by_family.entry(entry.family).or_default();
        for Cohort { id, persons, is_derived, form } in entry.cohorts {
            let (size, at) = (persons.len(), self.cohorts.len());
            let is_hidden = form.as_ref().is_some_and(Form::is_hidden);
            if size > 0 && !is_hidden {
                self.by_size.entry(size).or_default().push(at);
                family.push(at);
            }
            if let Some(form) = &form {
                self.by_source.entry(form.source()).or_default().push(at);
            }
            if !is_hidden {
                self.ids.insert(digest(&id));
            }
            let (mark, form) = (Mark::of(&persons), form.map(Box::new));
            self.cohorts.push(Kept { persons: Packed::of(&persons), mark, size, is_derived, form });
        }
    }

    /// Whether a cohort can be told apart from a kept one by fewer than `few` persons, or is the same without the
    /// question saying so.
    ///
    /// Complete: sizes of cohorts that differ by fewer than `few` persons differ by fewer.
    pub fn is_near(&self, cohort: &Cohort, few: u32) -> bool {
        // A cohort that the question names as a kept one is that one; others beside it stay as near as they were.
        few > 0 && !self.has(&cohort.id) && self.is_near_any(&cohort.persons, u64::from(few))
    }

    /// Whether a kept cohort differs from these persons by fewer than `few`.
    pub(crate) fn is_near_any(&self, persons: &RoaringBitmap, few: u64) -> bool {
        self.near(persons, few).next().is_some()
    }

    /// The kept cohorts that differ from these persons by fewer than `few`, and by how many.
    fn near<'l>(&'l self, persons: &'l RoaringBitmap, few: u64) -> impl Iterator<Item = (u64, &'l Kept)> {
        let size = persons.len();
        let sizes = size.saturating_sub(few.saturating_sub(1))..=size.saturating_add(few.saturating_sub(1));
        let near = self.by_size.range(sizes).flat_map(|(_, numbers)| numbers);
        let mark = Mark::of(persons);
        let near = near.filter_map(|number| self.cohorts.get(*number));
        let near = near.filter(move |kept| kept.mark.least_distance(mark) < few);
        let with_distance = move |kept: &'l Kept| (kept.persons.distance(persons, few), kept);
        near.map(with_distance).filter(move |(distance, _)| *distance < few)
    }

    /// Whether kept cohorts and these together give a group of fewer than `few` persons, exactly or nearly.
    pub fn gives_small_group(&self, cohorts: &[&Cohort], family: &str, few: u32) -> bool {
        self.betrayed_by(cohorts, family, few).is_some()
    }

    /// The cohort, by its place, that may not be shown beside those before it: kept cohorts and they together would
    /// give a group of fewer than `few` persons, exactly or nearly. None where all may be shown.
    ///
    /// Of the kept cohorts those nearest to the new ones are looked at, of the same source, of the same family and of
    /// others, up to fixed numbers.
    pub(crate) fn betrayed_by(&self, cohorts: &[&Cohort], family: &str, few: u32) -> Option<usize> {
        // What is left of a whole without its parts follows from these and has no form of its own.
        let is_said = |cohort: &Cohort| !cohort.is_derived || cohort.form.is_some();
        let new = cohorts.iter().enumerate().filter(|(_, cohort)| is_said(cohort) && !self.has(&cohort.id));
        let (places, new): (Vec<usize>, Vec<&Cohort>) = new.unzip();
        // What follows from other cohorts by addition, or is empty, tells something only beside their forms.
        let is_row = |cohort: &Cohort| !cohort.is_derived && !cohort.persons.is_empty();
        let rows = new.iter().enumerate().filter(|(_, cohort)| is_row(cohort));
        let rows: Vec<usize> = rows.map(|(at, _)| at).collect();
        if rows.is_empty() || self.cohorts.is_empty() {
            return None;
        }
        let together = Together::of(self, &new, family, rows.len() <= TABLE);
        let tells = |shown: usize| {
            let left_out = rows.iter().skip(shown).copied().collect();
            together.gives_small_group(u64::from(few), &left_out)
        };
        if !tells(rows.len()) {
            return None;
        }
        let (mut harmless, mut too_many) = (0, rows.len());
        while too_many - harmless > 1 {
            let middle = harmless.midpoint(too_many);
            if tells(middle) {
                too_many = middle;
            } else {
                harmless = middle;
            }
        }
        rows.get(harmless).and_then(|at| places.get(*at)).copied()
    }

    /// Whether a cohort that was shown differs from this one, which the question does not name as a kept one, and by
    /// fewer than `few` persons.
    pub(crate) fn is_beside(&self, cohort: &Cohort, few: u32) -> bool {
        let mut near = self.near(&cohort.persons, u64::from(few));
        !self.has(&cohort.id) && near.any(|(distance, kept)| distance > 0 && !kept.is_derived)
    }

    fn has(&self, id: &str) -> bool {
        self.ids.contains(&digest(id))
    }
}

fn digest(id: &str) -> [u8; 32] {
    *blake3::hash(id.as_bytes()).as_bytes()
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
