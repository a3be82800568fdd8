//! A release of the ledger as bytes: the present form, and the two before it, of which ledgers are kept.

use engine_disclosure::{Cohort, LedgerEntry};
use roaring::RoaringBitmap;
use serde::Deserialize;

/// The first byte of the present form. The first form begins with the length of a digest, which is longer than this.
const FORM: u8 = 3;
/// About what a cohort takes beside its persons, and an entry beside its answer and cohorts.
const BESIDE: usize = 256;
/// The first byte of the second form.
const SECOND: u8 = 2;

/// A release as it was kept before questions had families.
#[derive(Deserialize)]
#[cfg_attr(test, derive(serde::Serialize))]
struct First {
    question: String,
    project: String,
    snapshot: String,
    answer: Vec<u8>,
    /// The id of each cohort, and its persons as a serialized bitmap.
    cohorts: Vec<(String, Vec<u8>)>,
}

/// A release as it was kept before the forms of questions were.
#[derive(Deserialize)]
#[cfg_attr(test, derive(serde::Serialize))]
struct Second {
    question: String,
    project: String,
    snapshot: String,
    family: String,
    answer: Vec<u8>,
    /// The id of each cohort, its persons as a serialized bitmap, and whether it follows from others.
    cohorts: Vec<(String, Vec<u8>, bool)>,
}

/// The bytes of a release.
pub(crate) fn written(entry: &LedgerEntry) -> Option<Vec<u8>> {
    // Room for all of it is made before: it may be megabytes.
    let cohorts = entry.cohorts.iter().map(|cohort| cohort.persons.serialized_size() + BESIDE);
    let mut bytes = Vec::with_capacity(entry.answer.len() + cohorts.sum::<usize>() + BESIDE);
    bytes.push(FORM);
    postcard::to_extend(entry, bytes).ok()
}

/// The release that was written so; none where it is of no form.
pub(crate) fn read(bytes: &[u8]) -> Option<LedgerEntry> {
    match bytes.split_first() {
        Some((&FORM, bytes)) => postcard::from_bytes(bytes).ok(),
        Some((&SECOND, bytes)) => second(postcard::from_bytes(bytes).ok()?),
        _ => first(postcard::from_bytes(bytes).ok()?),
    }
}

/// Of a release of the second form nothing is known of what its question says; its cohorts are compared all the same.
fn second(second: Second) -> Option<LedgerEntry> {
    let Second { question, project, snapshot, family, answer, cohorts } = second;
    let cohorts = cohorts.into_iter().map(|(id, persons, is_derived)| cohort(id, &persons, is_derived));
    let cohorts = cohorts.collect::<Option<Vec<_>>>()?;
    Some(LedgerEntry { question, project, snapshot, family, answer, cohorts })
}

fn cohort(id: String, persons: &[u8], is_derived: bool) -> Option<Cohort> {
    let persons = RoaringBitmap::deserialize_from(persons).ok()?;
    Some(Cohort { id, persons, is_derived, form: None })
}

/// A release of the first form is of no family: its cohorts are compared like those of other questions.
fn first(first: First) -> Option<LedgerEntry> {
    let First { question, project, snapshot, answer, cohorts } = first;
    let cohorts = cohorts.into_iter().map(|(id, persons)| cohort(id, &persons, false));
    let cohorts = cohorts.collect::<Option<Vec<_>>>()?;
    Some(LedgerEntry { question, project, snapshot, family: String::new(), answer, cohorts })
}

#[cfg(test)]
mod tests {
    use engine_disclosure::{Cohort, Form, LedgerEntry, Term};
    use roaring::RoaringBitmap;

    use super::{First, SECOND, Second, read, written};

    #[test]
    fn every_form_is_read() {
        let persons: RoaringBitmap = (3..90).collect();
        let terms = [Term::values("sex", ["1", "x"]), Term::between("day", None, Some(5)), Term::met("c")];
        let form = Some(Form::new("source", terms));
        let cohort =
            |is_derived, form| Cohort { id: "c".to_owned(), persons: persons.clone(), is_derived, form };
        let present = LedgerEntry {
            question: "0".repeat(64),
            project: "p".to_owned(),
            snapshot: "s".to_owned(),
            family: "f".to_owned(),
            answer: b"{}".to_vec(),
            cohorts: vec![cohort(true, form)],
        };
        assert_eq!(read(&written(&present).unwrap()), Some(present.clone()));
        let (end, one_by_one) = (written(&present).unwrap(), postcard::to_allocvec(&present.answer).unwrap());
        assert!(end.windows(one_by_one.len()).any(|bytes| bytes == one_by_one));
        let mut bytes = Vec::new();
        persons.serialize_into(&mut bytes).unwrap();
        let first = First {
            question: present.question.clone(),
            project: present.project.clone(),
            snapshot: present.snapshot.clone(),
            answer: present.answer.clone(),
            cohorts: vec![("c".to_owned(), bytes.clone())],
        };
        let second = Second {
            question: present.question.clone(),
            project: present.project.clone(),
            snapshot: present.snapshot.clone(),
            family: present.family.clone(),
            answer: present.answer.clone(),
            cohorts: vec![("c".to_owned(), bytes, true)],
        };
        let second = [&[SECOND], postcard::to_allocvec(&second).unwrap().as_slice()].concat();
        let expected = LedgerEntry { cohorts: vec![cohort(true, None)], ..present.clone() };
        assert_eq!(read(&second), Some(expected));
        let expected = LedgerEntry { family: String::new(), cohorts: vec![cohort(false, None)], ..present };
        assert_eq!(read(&postcard::to_allocvec(&first).unwrap()), Some(expected));
    }
}
