//! One insured person is one identity in every delivery of long-term care, however the numbers are written.
#![cfg(test)]

use std::collections::BTreeSet;
use std::sync::Arc;

use catalog_model::Catalogue;
use pseudonymizer::claim::Claim;
use pseudonymizer::formats::{Claims, FilePart, Program, Reader, Value};
use pseudonymizer::keying::{Identity, KeyCache, Keyer, Surrogates};

/// The key of the care scheme that the first identity of a case gets.
fn care_key(catalogue: &Catalogue, case: &str) -> [u8; 32] {
    let folder = std::env::current_dir().unwrap().join("tests/cases").join(case);
    let text = |name: &str| std::fs::read_to_string(folder.join(name)).unwrap();
    let family = text("family").trim().to_owned();
    let program = Program::compile(catalogue, &family).unwrap();
    let mut record = super::Record {
        text: String::new(),
        row: std::collections::BTreeMap::new(),
        tables: program.tables().iter().map(ToString::to_string).collect(),
        keyer: Keyer::new(catalogue, program.encoding(), &[1; 32], Arc::new(KeyCache::new([2; 32]))),
        surrogates: Surrogates::new([3; 32]),
        schemes: Vec::new(),
    };
    let part = FilePart { file: 0, lines_before: 0, preamble: &[], is_last: true };
    let bytes = super::bytes(&text("input"), catalogue.families[&family].framing.encoding);
    Reader::new(&program, 0).read(bytes.as_slice(), &part, &mut record).unwrap();
    let scheme = catalogue.schemes.iter().position(|scheme| scheme.scheme == "care").unwrap();
    let identity = record.keyer.into_identities().swap_remove(0);
    *identity.keys.keys[scheme].as_ref().unwrap().as_bytes()
}

#[test]
fn claims_certifications_and_life_give_one_key() {
    let catalogue = Catalogue::builtin().unwrap();
    let key = |case| care_key(&catalogue, case);
    let claim = key("care-claim");
    for case in ["care-claim-plan", "care-claim-management", "care-certification", "life-0000", "life-cp932"]
    {
        assert_eq!(key(case), claim, "{case}");
    }
}

/// What becomes numbers of offices and municipalities, before it is keyed.
#[derive(Default)]
struct Units(BTreeSet<String>);

impl Claims for Units {
    fn value(&mut self, _table: usize, _column: usize, value: Value<'_>) {
        if let Value::Key(bytes) = value {
            self.0.insert(String::from_utf8(bytes.to_vec()).unwrap());
        }
    }

    fn end_row(&mut self, _table: usize, _record: u32, _line: u64) {}

    fn surrogate(&mut self, _parts: &mut dyn Iterator<Item = &[u8]>) -> [u8; 16] {
        [0; 16]
    }

    fn claim(&mut self, _claim: Claim<&Identity>) -> bool {
        true
    }
}

/// The units of a case in which `from` is written as `to`.
fn units(catalogue: &Catalogue, case: &str, (from, to): (&str, &str)) -> BTreeSet<String> {
    let folder = std::env::current_dir().unwrap().join("tests/cases").join(case);
    let text = |name: &str| std::fs::read_to_string(folder.join(name)).unwrap();
    let family = text("family").trim().to_owned();
    let program = Program::compile(catalogue, &family).unwrap();
    let input = text("input").replace(from, to);
    let bytes = super::bytes(&input, catalogue.families[&family].framing.encoding);
    let mut units = Units::default();
    Reader::new(&program, 0).read(bytes.as_slice(), &super::WHOLE, &mut units).unwrap();
    units.0
}

#[test]
fn an_insurer_has_one_number_however_it_is_written_and_another_has_another() {
    let catalogue = Catalogue::builtin().unwrap();
    let certified = |to: &str| {
        let units = units(&catalogue, "care-certification", ("131016", to));
        units.into_iter().collect::<Vec<_>>()
    };
    let claimed = units(&catalogue, "care-claim", ("00131016", "00131016"));
    assert!(claimed.contains("00131016"), "{claimed:?}");
    assert_eq!(certified("131016"), ["00131016"]);
    assert_eq!(certified("13-1016"), ["00131016"]);
    assert_eq!(certified("131017"), ["00131017"]);
    assert!(!claimed.contains("00131017"));
}
