//! Fixtures written by hand from the format documents: what the reader makes of them, row by row.
//!
//! A case is a folder: `input` in UTF-8 with LF, of which the runner makes the bytes of the family's encoding with
//! CRLF (`\xNN` stands for a raw byte, a last line `\eof` means that the file ends without a line end), the family in
//! `family`, and `expected`. `UPDATE_EXPECT=1` writes the expectations anew.
#![cfg(test)]

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::sync::Arc;

use catalog_model::{Catalogue, Encoding};
use expect_test::expect_file;
use pseudonymizer::claim::Claim;
use pseudonymizer::formats::{Claims, FilePart, FileSummary, Program, Reader, Value};
use pseudonymizer::keying::{Identity, KeyCache, Keyer, Surrogates};

mod batch;
mod care;
mod changes;
mod derived;
mod dpc;
mod erase;
mod examples;
mod fuzzing;
mod keys;
mod layouts;
mod life;
mod linkage;
mod lists;
mod masters;
mod mutations;
mod optout;
mod packages;
mod pipeline;
mod sealed;
mod world;

fn bytes(text: &str, encoding: Encoding) -> Vec<u8> {
    let (text, has_end) =
        text.strip_suffix("\\eof\n").map_or((text, true), |rest| (rest.trim_end_matches('\n'), false));
    let mut bytes = Vec::new();
    let mut rest = text;
    while let Some((before, after)) = rest.split_once("\\x") {
        encode(before, encoding, &mut bytes);
        let (digits, after) = after.split_at(2);
        bytes.push(u8::from_str_radix(digits, 16).unwrap());
        rest = after;
    }
    encode(rest, encoding, &mut bytes);
    if !has_end {
        assert_ne!(bytes.last(), Some(&b'\n'));
    }
    bytes
}

fn encode(text: &str, encoding: Encoding, bytes: &mut Vec<u8>) {
    let text = text.replace('\n', "\r\n");
    match encoding {
        Encoding::Utf8 => bytes.extend_from_slice(text.as_bytes()),
        Encoding::Cp932 => {
            let (encoded, _, lossy) = encoding_rs::SHIFT_JIS.encode(&text);
            assert!(!lossy, "not CP932: {text}");
            bytes.extend_from_slice(&encoded);
        }
    }
}

/// Writes down what the reader says.
struct Record {
    text: String,
    row: BTreeMap<usize, String>,
    tables: Vec<String>,
    keyer: Keyer,
    surrogates: Surrogates,
    schemes: Vec<String>,
}

impl Claims for Record {
    fn value(&mut self, _table: usize, column: usize, value: Value<'_>) {
        let text = match value {
            Value::Null => "-".to_owned(),
            Value::Text(text) => text.to_owned(),
            Value::Date(days) => catalog_model::Date::from_days(days).to_string(),
            Value::Int(number) => number.to_string(),
            Value::Decimal5(scaled) => {
                let (sign, scaled) = (if scaled < 0 { "-" } else { "" }, scaled.unsigned_abs());
                format!("{sign}{}.{:05}", scaled / 100_000, scaled % 100_000)
            }
            Value::Bool(flag) => flag.to_string(),
            Value::Days(days) => format!("{days:#b}"),
            Value::Key(_) => "keyed".to_owned(),
        };
        assert!(self.row.insert(column, text).is_none(), "a column is given twice");
    }

    fn end_row(&mut self, table: usize, record: u32, line: u64) {
        let row = std::mem::take(&mut self.row).into_values().collect::<Vec<_>>().join(" | ");
        writeln!(self.text, "{:>3} {}#{record}: {row}", line, self.tables[table]).unwrap();
    }

    fn surrogate(&mut self, parts: &mut dyn Iterator<Item = &[u8]>) -> [u8; 16] {
        self.surrogates.record(parts)
    }

    fn claim(&mut self, claim: Claim<&Identity>) -> bool {
        let head = claim.head.clone();
        let number = self.keyer.key(claim);
        let void = if head.is_void { ", void" } else { "" };
        let known =
            number.as_ref().map_or("no identity".to_owned(), |claim| format!("identity {}", claim.person.0));
        let month =
            head.month.map_or("-".to_owned(), |month| catalog_model::Month::from_index(month).to_string());
        writeln!(
            self.text,
            "    claim#{} line {}, {} lines, {month}, {known}, key {}, unique {}{void}",
            head.record,
            head.line,
            head.lines,
            head.key.is_some(),
            head.unique.is_some(),
        )
        .unwrap();
        number.is_some()
    }
}

impl Record {
    fn new(catalogue: &Catalogue, program: &Program) -> Self {
        Self {
            text: String::new(),
            row: BTreeMap::new(),
            tables: program.tables().iter().map(ToString::to_string).collect(),
            keyer: Keyer::new(catalogue, program.encoding(), &[1; 32], Arc::new(KeyCache::new([2; 32]))),
            surrogates: Surrogates::new([3; 32]),
            schemes: catalogue.schemes.iter().map(|scheme| scheme.scheme.clone()).collect(),
        }
    }
}

const WHOLE: FilePart<'_> = FilePart { file: 0, lines_before: 0, preamble: &[], is_last: true };

fn read(catalogue: &Catalogue, family: &str, bytes: &[u8]) -> String {
    let program = Program::compile(catalogue, family).unwrap();
    let mut record = Record::new(catalogue, &program);
    let summary = Reader::new(&program, 0).read(bytes, &WHOLE, &mut record).unwrap();
    told(&program, record, &summary)
}

/// What was read, with its account, which must close.
fn told(program: &Program, record: Record, summary: &FileSummary) -> String {
    let mut text = record.text;
    let schemes = record.schemes;
    for (number, identity) in record.keyer.into_identities().iter().enumerate() {
        let keys = identity.keys.keys.iter().zip(&schemes).filter(|(key, _)| key.is_some());
        let names: Vec<&str> = keys.map(|(_, scheme)| scheme.as_str()).collect();
        let birth = identity
            .keys
            .birth
            .map_or("-".to_owned(), |days| catalog_model::Date::from_days(days).to_string());
        writeln!(text, "identity {number}: {} | sex {:?} | born {birth}", names.join(" "), identity.keys.sex)
            .unwrap();
    }
    for fault in &summary.faults {
        writeln!(text, "fault line {} {} {} {}", fault.line, fault.record, fault.field, fault.kind).unwrap();
    }
    for note in &summary.notes {
        writeln!(text, "note line {} {}", note.line, note.kind).unwrap();
    }
    for total in summary.totals.iter().filter(|total| total.stated.is_some()) {
        let (stated, line, _) = total.stated.unwrap();
        writeln!(text, "total stated {stated} on line {line}, counted {}", total.counted).unwrap();
    }
    let dropped = program.reasons().iter().zip(&summary.dropped).filter(|(_, lines)| **lines > 0);
    let dropped: Vec<String> = dropped.map(|(reason, lines)| format!("{lines} {reason}")).collect();
    writeln!(
        text,
        "{} lines = {} stored + {} in quarantine + dropped: {}",
        summary.read,
        summary.stored,
        summary.faults.len(),
        dropped.join(", ")
    )
    .unwrap();
    let sum = summary.stored + summary.faults.len() as u64 + summary.dropped.iter().sum::<u64>();
    assert_eq!(summary.read, sum, "the account does not close\n{text}");
    text
}

/// The bytes of a case's input.
fn case_bytes(case: &str) -> Vec<u8> {
    let folder = std::env::current_dir().unwrap().join("tests/cases").join(case);
    let text = |name: &str| std::fs::read_to_string(folder.join(name)).unwrap();
    let encoding = Catalogue::builtin().unwrap().families[text("family").trim()].framing.encoding;
    bytes(&text("input"), encoding)
}

#[test]
fn hand_written_files_are_read_as_their_documents_say() {
    let catalogue = Catalogue::builtin().unwrap();
    let root = std::env::current_dir().unwrap().join("tests/cases");
    let mut folders: Vec<_> = std::fs::read_dir(&root).unwrap().map(|entry| entry.unwrap().path()).collect();
    folders.sort();
    assert!(folders.len() >= 10);
    for folder in folders {
        let text = |name: &str| std::fs::read_to_string(folder.join(name)).unwrap();
        let family = text("family").trim().to_owned();
        let encoding = catalogue.families[&family].framing.encoding;
        let found = read(&catalogue, &family, &bytes(&text("input"), encoding));
        expect_file![folder.join("expected")].assert_eq(&found);
    }
}
