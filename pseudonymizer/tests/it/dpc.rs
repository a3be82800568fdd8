//! The files of one DPC stay meet under one key, and an outpatient visit never meets a stay.

use catalog_model::Catalogue;
use pseudonymizer::claim::Claim;
use pseudonymizer::formats::{Claims, FilePart, Program, Reader, Value};
use pseudonymizer::keying::{Identity, Surrogates};

/// Keeps the key of each claim.
struct Keys(Surrogates, Vec<Option<[u8; 16]>>);

impl Claims for Keys {
    fn value(&mut self, _table: usize, _column: usize, _value: Value<'_>) {}

    fn end_row(&mut self, _table: usize, _record: u32, _line: u64) {}

    fn surrogate(&mut self, parts: &mut dyn Iterator<Item = &[u8]>) -> [u8; 16] {
        self.0.record(parts)
    }

    fn claim(&mut self, claim: Claim<&Identity>) -> bool {
        self.1.push(claim.head.key);
        true
    }
}

fn key(family: &str, line: &str) -> [u8; 16] {
    let program = Program::compile(&Catalogue::builtin().unwrap(), family).unwrap();
    let mut keys = Keys(Surrogates::new([3; 32]), Vec::new());
    let part = FilePart { file: 0, lines_before: 0, preamble: &[], is_last: true };
    let summary = Reader::new(&program, 0).read(line.as_bytes(), &part, &mut keys).unwrap();
    assert!(summary.faults.is_empty(), "{family}: {:?}", summary.faults);
    keys.1.first().copied().flatten().unwrap()
}

const ACT: &str =
    "60\t0001\t000\t\t160000310\t\t\t\t\t\t0\t\t000010000000\t21\t0\t0\t1\t\t1111\t20230410\t\t\t\t\t\t1\t";

#[test]
fn the_files_of_a_stay_share_a_key_and_a_visit_of_the_same_day_has_another() {
    let (patient, until, on) = ("131234567\tA00000012X", "20230425", "20230410");
    let stay =
        key("dpc-ff1", &format!("{patient}\t{on}\t0\t0\tA000030\t20140401\t0\t{until}\t\t\t\t\t\t\t\t"));
    let tail = "\t".repeat(10);
    for (family, line) in [
        // A form of a part of the stay, and a second admission of the day, belong to the same rows of EF.
        ("dpc-ff1", format!("{patient}\t{on}\t1\t2\tA000031\t20140401\t0\t{on}\t{until}\t\t\t\t\t\t\t")),
        ("dpc-ff4", format!("{patient}\t{on}\t{until}\t1")),
        ("dpc-efn", format!("{patient}\t{until}\t{on}\t{ACT}")),
        (
            "dpc-hn",
            format!("131234567\tW01\tA00000012X\t{until}\t{on}\t20230411\tTAR0010\t20200401\t0\t1{tail}"),
        ),
        ("dpc-en", format!("{patient}\t{until}\t{on}\t60\t0001{}", "\t".repeat(19))),
        ("dpc-fn", format!("{patient}\t{until}\t{on}\t60\t0001\t001{tail}")),
        ("dpc-dn", format!("{patient}\t{until}\t{on}\t93\t0001{}", "\t".repeat(24))),
    ] {
        assert_eq!(key(family, &line), stay, "{family}");
    }
    let visit = key("dpc-efg", &format!("{patient}\t19480726\t{on}\t{ACT}"));
    assert_ne!(visit, stay);
    for (family, line) in [
        ("dpc-eg", format!("{patient}\t19480726\t{on}\t60\t0001{}", "\t".repeat(19))),
        ("dpc-fg", format!("{patient}\t19480726\t{on}\t60\t0001\t001{tail}")),
    ] {
        assert_eq!(key(family, &line), visit, "{family}");
    }
}
