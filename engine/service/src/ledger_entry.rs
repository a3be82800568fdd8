//! A release of the ledger as bytes: the present form, and the first, of which ledgers are kept.

use engine_disclosure::{Cohort, LedgerEntry};
use roaring::RoaringBitmap;
use serde::Deserialize;

/// The first byte of the present form. The first form begins with the length of a digest, which is longer than this.
const FORM: u8 = 2;

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

/// The bytes of a release.
pub(crate) fn written(entry: &LedgerEntry) -> Option<Vec<u8>> {
    let bytes = postcard::to_allocvec(entry).ok()?;
    Some([&[FORM], bytes.as_slice()].concat())
}

/// The release that was written so; none where it is of neither form.
pub(crate) fn read(bytes: &[u8]) -> Option<LedgerEntry> {
    match bytes.strip_prefix(&[FORM]) {
        Some(bytes) => postcard::from_bytes(bytes).ok(),
        None => first(postcard::from_bytes(bytes).ok()?),
    }
}

/// A release of the first form is of no family: its cohorts are compared like those of other questions.
fn first(first: First) -> Option<LedgerEntry> {
    let cohort = |(id, persons): (String, Vec<u8>)| {
        let persons = RoaringBitmap::deserialize_from(persons.as_slice()).ok()?;
        Some(Cohort { id, persons, is_derived: false })
    };
    let First { question, project, snapshot, answer, cohorts } = first;
    let cohorts = cohorts.into_iter().map(cohort).collect::<Option<Vec<_>>>()?;
    Some(LedgerEntry { question, project, snapshot, family: String::new(), answer, cohorts })
}

#[cfg(test)]
mod tests {
    use engine_disclosure::{Cohort, LedgerEntry};
    use roaring::RoaringBitmap;

    use super::{First, read, written};

    #[test]
    fn both_forms_are_read() {
        let persons: RoaringBitmap = (3..90).collect();
        let cohort = |is_derived| Cohort { id: "c".to_owned(), persons: persons.clone(), is_derived };
        let present = LedgerEntry {
            question: "0".repeat(64),
            project: "p".to_owned(),
            snapshot: "s".to_owned(),
            family: "f".to_owned(),
            answer: b"{}".to_vec(),
            cohorts: vec![cohort(true)],
        };
        assert_eq!(read(&written(&present).unwrap()), Some(present.clone()));
        let mut bytes = Vec::new();
        persons.serialize_into(&mut bytes).unwrap();
        let first = First {
            question: present.question.clone(),
            project: present.project.clone(),
            snapshot: present.snapshot.clone(),
            answer: present.answer.clone(),
            cohorts: vec![("c".to_owned(), bytes)],
        };
        let read = read(&postcard::to_allocvec(&first).unwrap());
        let expected = LedgerEntry { family: String::new(), cohorts: vec![cohort(false)], ..present };
        assert_eq!(read, Some(expected));
    }
}
