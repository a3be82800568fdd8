//! What was released before, cohort by cohort, and what a new table would tell together with it.
//!
//! Two answers can be subtracted. So the ledger keeps the exact persons behind every released cell, and behind what a
//! reader can derive from one release by subtraction, across queries, users, projects and snapshots. A new cell whose
//! persons differ from a kept cohort by fewer than the threshold is not released afresh.
//!
//! Whether they differ by none or by a few is exactly what must not be told, so both are treated alike; only where the
//! question itself says that the cohort is the same ([`Cohort::id`]), which needs no look at the data, is it released
//! as before. A sum of shown cells that is the same persons as another cohort is shown beside it (decision 0262), unless
//! zeros are hidden (decision 0362).
//!
//! This is the memory and its arithmetic. Where it lies on disk, sealed, is the guard's business.

mod atoms;
mod exchanges;
mod form;
mod known;
mod linear;
mod narrow;
mod nearby;
mod packed;
mod possible;
mod ready;
mod same;
mod together;
mod whole;

use std::borrow::Cow;
use std::cell::OnceCell;
use std::collections::{BTreeMap, HashSet};

use catalog_model::CellRules;
use engine_protocol::Beyond;
use roaring::{MultiOps as _, RoaringBitmap};
use serde::{Deserialize, Serialize, Serializer};

pub(crate) use form::Number;
pub use form::{Form, Term};
pub use ready::ReadyEntry;
pub use whole::Depth;

use crate::ledger::packed::{Mark, Packed};
use crate::ledger::same::{AsIn, Same};
use crate::ledger::together::{Look, Together};

/// New cohorts up to which a table is audited for what it tells nearly; of a larger one only what follows exactly.
const TABLE: usize = 64;

/// What the id of a cohort begins with that shown cells make up together.
pub(crate) const SUM: char = '+';
/// What follows where they are all cells that there are: their sum is the total.
pub(crate) const WHOLE: char = '=';

/// What shown cells make up together.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Sum {
    /// It is a cell, or what is left of one.
    None,
    /// Some of the cells.
    Some,
    /// All of them.
    Whole,
}

impl Sum {
    fn of(id: &str) -> Self {
        match id.strip_prefix(SUM) {
            None => Self::None,
            Some(rest) if rest.starts_with(WHOLE) => Self::Whole,
            Some(_) => Self::Some,
        }
    }
}

/// Whether an exact zero is shown. Where it is not, that nobody is in one group only must not show either.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Zeros {
    Shown,
    Hidden,
}

impl Zeros {
    /// What the rules say.
    pub(crate) const fn of(rules: &CellRules) -> Self {
        if rules.zero_shown { Self::Shown } else { Self::Hidden }
    }
}

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
    #[serde(serialize_with = "written")]
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
    /// As its snapshot numbers them.
    persons: Packed,
    size: u64,
    snapshot: usize,
    /// Every person once, where some have several numbers by now.
    once: Option<Box<Once>>,
    /// Of the persons, each once.
    mark: Mark,
    /// Whether somebody in it has, or had, several numbers.
    is_renumbered: bool,
    is_derived: bool,
    sum: Sum,
    form: Option<Box<Form>>,
}

/// Persons under one number each.
#[derive(Debug)]
struct Once {
    persons: Packed,
    size: u64,
}

/// Everything released so far.
#[derive(Debug, Default)]
pub struct Ledger {
    cohorts: Vec<Kept>,
    ids: HashSet<[u8; 32]>,
    by_size: BTreeMap<u64, Vec<usize>>,
    by_family: BTreeMap<String, Vec<usize>>,
    by_source: BTreeMap<u64, Vec<usize>>,
    snapshots: BTreeMap<String, usize>,
    same: Same,
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
        let once =
            |kept: &Kept| kept.once.as_ref().map_or(0, |once| once.persons.bytes() + size_of::<Once>());
        let own: usize = self.cohorts.iter().map(|kept| kept.persons.bytes() + once(kept) + form(kept)).sum();
        // Each has its place, its id and its numbers in the indexes.
        own + self.cohorts.len() * (size_of::<Kept>() + 2 * size_of::<[u8; 32]>() + 3 * size_of::<usize>())
    }

    /// Keeps a release. The same question twice is kept once.
    pub fn keep(&mut self, entry: LedgerEntry) {
        self.keep_ready(entry.ready());
    }

    /// Keeps a release that was made ready before. The same question twice is kept once.
    pub fn keep_ready(&mut self, ReadyEntry { entry, packed }: ReadyEntry) {
        if self.answers.insert(entry.question, entry.answer).is_some() {
            return;
        }
        self.releases += 1;
        let next = self.snapshots.len();
        let snapshot = *self.snapshots.entry(entry.snapshot).or_insert(next);
        let family = self.by_family.entry(entry.family).or_default();
        for (Cohort { id, persons, is_derived, form }, packed) in entry.cohorts.into_iter().zip(packed) {
            let at = self.cohorts.len();
            if let Some(form) = &form {
                self.by_source.entry(form.source()).or_default().push(at);
            }
            let (known, follows) = ((snapshot, &self.same), (is_derived, Sum::of(&id)));
            let kept = Kept::new((&persons, packed), known, follows, form);
            if kept.is_compared() {
                self.by_size.entry(kept.once().1).or_default().push(at);
                family.push(at);
            }
            if !kept.is_hidden() {
                self.ids.insert(digest(id.trim_start_matches([SUM, WHOLE])));
            }
            self.cohorts.push(kept);
        }
    }

    /// Learns which numbers are, or were, one person's; all pairs that are known.
    pub fn know(&mut self, pairs: impl IntoIterator<Item = (u32, u32)>) {
        self.same = Same::of(pairs);
        self.by_size.clear();
        for (at, kept) in self.cohorts.iter_mut().enumerate() {
            kept.number(&self.same);
            if kept.is_compared() {
                self.by_size.entry(kept.once().1).or_default().push(at);
            }
        }
    }

    /// Whether a cohort can be told apart from a kept one by fewer than `few` persons, or is the same without the
    /// question saying so.
    ///
    /// Complete: sizes of cohorts that differ by fewer than `few` persons differ by fewer.
    pub fn is_near(&self, cohort: &Cohort, few: u32) -> bool {
        self.is_near_where(cohort, few, Zeros::Shown)
    }

    /// The same where zeros are shown, or hidden.
    pub(crate) fn is_near_where(&self, cohort: &Cohort, few: u32, zeros: Zeros) -> bool {
        // A cohort that the question names as a kept one is that one; others beside it stay as near as they were.
        if self.has(&cohort.id) {
            return false;
        }
        let few = u64::from(few);
        // That a sum of shown cells is the same is read off the page; where zeros are hidden that says what they hide.
        let is_near = |(distance, kept): (u64, &Kept)| {
            kept.sum == Sum::None || zeros == Zeros::Hidden || kept.is_apart(distance, cohort, few)
        };
        self.near(&cohort.persons, few).any(is_near)
    }

    /// The kept cohorts that differ from these persons by fewer than `few`, whatever numbers they had, and by how many.
    fn near<'l>(&'l self, persons: &'l RoaringBitmap, few: u64) -> impl Iterator<Item = (u64, &'l Kept)> {
        let persons = self.same.once(persons);
        let size = persons.len();
        let sizes = size.saturating_sub(few.saturating_sub(1))..=size.saturating_add(few.saturating_sub(1));
        let near = self.by_size.range(sizes).flat_map(|(_, numbers)| numbers);
        let near = near.filter_map(|number| self.cohorts.get(*number));
        // It takes a walk over all persons, and nobody asks for it where no kept cohort is of about this size.
        let mark = OnceCell::new();
        let with_distance = move |kept: &'l Kept| {
            let mark = *mark.get_or_init(|| Mark::of(&persons));
            let is_far = kept.mark.least_distance(mark) >= few;
            (!is_far).then(|| (kept.once().0.distance(&persons, few), kept))
        };
        near.filter_map(with_distance).filter(move |(distance, _)| *distance < few)
    }

    /// Whether kept cohorts and these together give a group of fewer than `few` persons, exactly or nearly.
    pub fn gives_small_group(&self, cohorts: &[&Cohort], family: &str, snapshot: &str, few: u32) -> bool {
        self.audit(cohorts, (family, snapshot), (few, Zeros::Shown), None).is_err()
    }

    /// What the audit did not take in where all may be shown.
    ///
    /// Of the kept cohorts those nearest to the new ones are looked at, of the same source, of the same family and of
    /// others, up to fixed numbers. What is beyond them is taken in as well where exchanges show all of it open; how long
    /// it is looked for that is the depth, without one not at all.
    ///
    /// What follows exactly is asked a second time where persons of other snapshots got other numbers since: then they
    /// are taken for the same.
    ///
    /// # Errors
    ///
    /// The cohort, by its place, that may not be shown beside those before it: kept cohorts and they together would
    /// give a group of fewer than `few` persons, exactly or nearly, or where zeros are hidden that nobody is in a hidden
    /// cell.
    pub(crate) fn audit(
        &self,
        cohorts: &[&Cohort],
        (family, snapshot): (&str, &str),
        (few, zeros): (u32, Zeros),
        depth: Option<Depth>,
    ) -> Result<Beyond, usize> {
        // What is left of a whole without its parts follows from these and has no form of its own.
        let is_said = |cohort: &Cohort| !cohort.is_derived || cohort.form.is_some();
        let new = cohorts.iter().enumerate().filter(|(_, cohort)| is_said(cohort) && !self.has(&cohort.id));
        let (places, new): (Vec<usize>, Vec<&Cohort>) = new.unzip();
        // What follows from other cohorts by addition, or is empty, tells something only beside their forms.
        let is_row = |cohort: &Cohort| !cohort.is_derived && !cohort.persons.is_empty();
        let rows = new.iter().enumerate().filter(|(_, cohort)| is_row(cohort));
        let rows: Vec<usize> = rows.map(|(at, _)| at).collect();
        if rows.is_empty() || self.cohorts.is_empty() {
            return Ok(Beyond::default());
        }
        let as_in = self.as_in(&new, snapshot);
        let own = if rows.len() <= TABLE { Look::Nearly(zeros) } else { Look::Exactly };
        let looks = std::iter::once(own).chain(as_in.as_ref().map(Look::Renumbered));
        let together: Vec<Together<'_>> = looks.map(|look| Together::of(self, &new, family, look)).collect();
        let tells = |shown: usize| {
            let left_out = rows.iter().skip(shown).copied().collect();
            together.iter().any(|together| together.gives_small_group(u64::from(few), &left_out))
        };
        let Some(shown) = most_of(rows.len(), tells) else {
            let beyond = together.iter().map(|together| together.beyond(self, family, u64::from(few)));
            let beyond = beyond.fold(Beyond::default(), Beyond::or_more);
            let depth = depth.filter(|_| zeros == Zeros::Shown && !beyond.is_nothing());
            let is_open = |depth| whole::is_open(self, &new, (family, as_in.as_ref()), (few, depth));
            return Ok(if depth.is_some_and(is_open) { Beyond::default() } else { beyond });
        };
        Err(rows.get(shown).and_then(|at| places.get(*at)).copied().unwrap_or_default())
    }

    /// The kept cohorts of the same rows as new ones, of which questions say what they are.
    fn of_source(&self, new: &[&Cohort]) -> &[usize] {
        let source = new.iter().find_map(|cohort| cohort.form.as_ref()).map(Form::source);
        source.and_then(|source| self.by_source.get(&source)).map_or(&[][..], Vec::as_slice)
    }

    /// How a table of new cohorts numbers persons who got other numbers since; none where nobody of another snapshot
    /// did.
    fn as_in(&self, new: &[&Cohort], snapshot: &str) -> Option<AsIn<'_>> {
        let snapshot = self.snapshots.get(snapshot).copied().unwrap_or(self.snapshots.len());
        let is_other = |kept: &Kept| kept.is_renumbered && kept.snapshot != snapshot;
        self.cohorts.iter().any(is_other).then(|| {
            let persons = new.iter().map(|cohort| &cohort.persons).union();
            self.same.as_in(snapshot, &persons)
        })
    }

    /// Whether a cohort that was shown differs from this sum of shown cells, which the question does not name as a kept
    /// one, and by fewer than `few` persons; by none as well where zeros are hidden. Two sums are compared where one of
    /// them is a total.
    pub(crate) fn is_beside(&self, cohort: &Cohort, few: u32, zeros: Zeros) -> bool {
        let (few, is_total) = (u64::from(few), Sum::of(&cohort.id) == Sum::Whole);
        let is_compared = |kept: &Kept| match kept.sum {
            Sum::None => !kept.is_derived,
            Sum::Some => is_total,
            Sum::Whole => true,
        };
        let is_beside = |(distance, kept): (u64, &Kept)| {
            is_compared(kept) && (zeros == Zeros::Hidden || kept.is_apart(distance, cohort, few))
        };
        !self.has(&cohort.id) && self.near(&cohort.persons, few).any(is_beside)
    }

    fn has(&self, id: &str) -> bool {
        self.ids.contains(&digest(id.trim_start_matches([SUM, WHOLE])))
    }
}

impl Kept {
    /// With every person counted once, by what is known of their numbers now.
    fn new(
        (persons, (packed, mark)): (&RoaringBitmap, (Packed, Mark)),
        (snapshot, same): (usize, &Same),
        (is_derived, sum): (bool, Sum),
        form: Option<Form>,
    ) -> Self {
        let mut kept = Self {
            persons: packed,
            size: persons.len(),
            snapshot,
            once: None,
            mark,
            is_renumbered: same.knows_any(persons),
            is_derived,
            sum,
            form: form.map(Box::new),
        };
        if kept.is_renumbered {
            kept.count_once(same, persons);
        }
        kept
    }

    /// Whether these persons are others, of whom fewer than `few` are, at this distance of everybody once.
    fn is_apart(&self, distance: u64, cohort: &Cohort, few: u64) -> bool {
        // Two who are the same persons may be apart by few numbers. Two who are held for one may be two, and what a
        // reader subtracts is sizes as they were shown.
        let by_numbers = || self.persons.distance(&cohort.persons, few);
        let by_size = self.size.abs_diff(cohort.persons.len());
        distance > 0 || (1..few).contains(&by_size) || (1..few).contains(&by_numbers())
    }

    /// Counts every person once, by what is known of their numbers now.
    fn number(&mut self, same: &Same) {
        let had_others = self.once.take().is_some();
        self.is_renumbered = !same.is_empty() && self.persons.each().any(|number| same.knows(number));
        if !self.is_renumbered && !had_others {
            return;
        }
        let persons: RoaringBitmap = self.persons.each().collect();
        self.count_once(same, &persons);
    }

    fn count_once(&mut self, same: &Same, persons: &RoaringBitmap) {
        let once = same.once(persons);
        self.mark = Mark::of(&once);
        if let Cow::Owned(once) = once {
            self.once = Some(Box::new(Once { persons: Packed::of(&once), size: once.len() }));
        }
    }

    /// Every person once, and how many they are.
    fn once(&self) -> (&Packed, u64) {
        self.once.as_ref().map_or((&self.persons, self.size), |once| (&once.persons, once.size))
    }

    /// The persons, as a table of another snapshot numbers them where it is one.
    fn each(&self, as_in: Option<&AsIn<'_>>) -> impl Iterator<Item = u32> {
        let other = as_in.filter(|as_in| self.is_renumbered && as_in.is_other(self.snapshot));
        let renumbered = other.map(|as_in| as_in.renumbered(self.persons.each()));
        let own = renumbered.is_none().then(|| self.persons.each());
        own.into_iter().flatten().chain(renumbered.into_iter().flatten())
    }

    /// Whether new cohorts are held against it.
    fn is_compared(&self) -> bool {
        self.size > 0 && !self.is_hidden()
    }

    fn is_hidden(&self) -> bool {
        self.form.as_ref().is_some_and(|form| form.is_hidden())
    }
}

/// How many of so many, from the first, may be shown together; none where all may.
fn most_of(all: usize, tells: impl Fn(usize) -> bool) -> Option<usize> {
    if !tells(all) {
        return None;
    }
    let (mut harmless, mut too_many) = (0, all);
    while too_many - harmless > 1 {
        let middle = harmless.midpoint(too_many);
        if tells(middle) {
            too_many = middle;
        } else {
            harmless = middle;
        }
    }
    Some(harmless)
}

fn digest(id: &str) -> [u8; 32] {
    *blake3::hash(id.as_bytes()).as_bytes()
}

/// Bytes at once, which are written as they would be one by one.
fn written<S: Serializer>(bytes: &[u8], serializer: S) -> Result<S::Ok, S::Error> {
    serializer.serialize_bytes(bytes)
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
