//! One insured person is one identity in every delivery of long-term care, however the numbers are written.
#![cfg(test)]

use std::sync::Arc;

use catalog_model::Catalogue;
use pseudonymizer::formats::{FilePart, Program, Reader};
use pseudonymizer::keying::{KeyCache, Keyer, Surrogates};

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
