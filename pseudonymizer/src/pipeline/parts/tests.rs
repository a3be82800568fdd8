//! A file that is cut anywhere says what it says as a whole.

use std::collections::BTreeMap;
use std::fs::File;
use std::path::{Path, PathBuf};
use std::sync::{Arc, LazyLock};

use catalog_model::{Catalogue, Encoding};
use catalog_store::Account;
use proptest::prelude::*;

use super::super::account::{PartAccount, Place, is_covered, whole_file};
use super::super::delivery::{BLOCK, ScannedFile, Stamp, scan};
use super::{Piece, pieces, read_header};
use crate::claim::{Claim, Head};
use crate::formats::changed::{changed, changes};
use crate::formats::{Claims, FilePart, Program, Reader, Value};
use crate::keying::{Identity, KeyCache, Keyer};

static CATALOGUE: LazyLock<Catalogue> = LazyLock::new(|| Catalogue::builtin().unwrap());
static CASES: LazyLock<Vec<Case>> = LazyLock::new(cases);

struct Case {
    name: String,
    program: Program,
    bytes: Vec<u8>,
}

/// The hand-written files of families that are cut.
fn cases() -> Vec<Case> {
    let root = std::env::current_dir().unwrap().join("tests/cases");
    let mut folders: Vec<PathBuf> =
        std::fs::read_dir(root).unwrap().map(|entry| entry.unwrap().path()).collect();
    folders.sort();
    let cases = folders.iter().map(|folder| case(folder));
    cases.filter(|case| case.program.opener().is_some() || case.program.has_free_lines()).collect()
}

fn case(folder: &Path) -> Case {
    let text = |name: &str| std::fs::read_to_string(folder.join(name)).unwrap();
    let program = Program::compile(&CATALOGUE, text("family").trim()).unwrap();
    let input = text("input").replace('\n', "\r\n");
    let bytes = match program.encoding() {
        Encoding::Cp932 => encoding_rs::SHIFT_JIS.encode(&input).0.into_owned(),
        Encoding::Utf8 => input.into_bytes(),
    };
    Case { name: folder.file_name().unwrap().to_string_lossy().into_owned(), program, bytes }
}

/// Writes down everything that it is told; of a row, the values by column.
struct Told {
    rows: Vec<String>,
    /// The claims, with the claim of each row.
    claims: Vec<String>,
    row: BTreeMap<usize, String>,
    keyer: Keyer,
}

impl Told {
    fn new(program: &Program) -> Self {
        let cache = Arc::new(KeyCache::new([2; 32]));
        let keyer = Keyer::new(&CATALOGUE, program.encoding(), &[1; 32], cache);
        Self { rows: Vec::new(), claims: Vec::new(), row: BTreeMap::new(), keyer }
    }
}

impl Claims for Told {
    fn value(&mut self, _table: usize, column: usize, value: Value<'_>) {
        assert!(self.row.insert(column, format!("{value:?}")).is_none());
    }

    fn end_row(&mut self, table: usize, record: u32, line: u64) {
        let row = std::mem::take(&mut self.row);
        self.rows.push(format!("{table} {line} {row:?}"));
        self.claims.push(format!("row of {record}"));
    }

    fn surrogate(&mut self, parts: &mut dyn Iterator<Item = &[u8]>) -> [u8; 16] {
        self.claims.push(format!("{:?}", parts.map(<[u8]>::to_vec).collect::<Vec<_>>()));
        [0; 16]
    }

    fn claim(&mut self, claim: Claim<&Identity>) -> bool {
        let Head { record, line, lines, month, is_void, .. } = claim.head;
        let person = self.keyer.key(claim).map(|claim| claim.person);
        self.claims.push(format!("{record} {line} {lines} {month:?} {is_void} {person:?}"));
        person.is_some()
    }
}

fn look_over(path: &Path, program: &Program) -> ScannedFile {
    let mut file = File::open(path).unwrap();
    let stamp = Stamp::of(&file).unwrap();
    scan(&mut file, path, stamp, &program.header_needles()).unwrap().0
}

/// What the pieces of a file say, each read by a reader of its own, and the file's account.
fn told(
    program: &Program,
    scanned: &ScannedFile,
    pieces: &[Piece],
) -> (Vec<String>, Vec<String>, Account, Vec<Place>) {
    let bytes = std::fs::read(&scanned.path).unwrap();
    let (mut told, mut accounts, mut record) = (Told::new(program), Vec::new(), 0);
    for piece in pieces {
        let preamble = read_header(scanned, piece.header).unwrap();
        let part = FilePart {
            file: piece.file,
            lines_before: piece.lines_before,
            preamble: &preamble,
            is_last: piece.is_last,
        };
        let [from, to] = [piece.from, piece.to].map(|at| usize::try_from(at).unwrap());
        let mut reader = Reader::new(program, record);
        let summary = reader.read(&bytes[from..to], &part, &mut told).unwrap();
        record = reader.next_record();
        let mut account = PartAccount::default();
        account.add(piece.file, &summary, program);
        accounts.push(account);
    }
    let (account, places) = whole_file(accounts.iter().filter_map(|part| part.files.get(&0)));
    // Lines that say themselves to which claim they belong may be cut anywhere: their claims become one at publish.
    let claims = if program.opener().is_some() { told.claims } else { Vec::new() };
    (told.rows, claims, account, places)
}

/// Cuts `bytes` in pieces of about `share` bytes and holds them to the file as a whole; the number of pieces.
fn check(name: &str, program: &Program, bytes: &[u8], share: u64) -> usize {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("file");
    std::fs::write(&path, bytes).unwrap();
    let scanned = look_over(&path, program);
    let cut = pieces(0, &scanned, program, share).unwrap();
    let whole = pieces(0, &scanned, program, u64::MAX / 2).unwrap();
    assert_eq!(whole.len(), 1);
    assert!(is_covered(cut.iter(), scanned.bytes) && is_covered(whole.iter(), scanned.bytes), "{name}");
    let (found, expected) = (told(program, &scanned, &cut), told(program, &scanned, &whole));
    assert!(found == expected, "{name}, cut at {:?}", cut.iter().map(|piece| piece.from).collect::<Vec<_>>());
    assert!(expected.2.closes() && expected.2.read == scanned.lines(), "{name}");
    cut.len()
}

#[test]
fn a_header_with_a_bad_byte_is_no_header_for_any_piece() {
    let case = CASES.iter().find(|case| case.name == "uke-western").unwrap();
    let end = case.bytes.iter().position(|byte| *byte == b'\n').unwrap();
    let name = case.bytes[..end].iter().position(|byte| !byte.is_ascii()).unwrap();
    let mut bytes = case.bytes.clone();
    // No character of CP932 has such a byte.
    bytes.splice(name..name + 2, [0xFF, 0xFF]);
    bytes.extend(case.bytes.clone().drain(end + 1..));
    assert!(check(&case.name, &case.program, &bytes, 1) > 2);
}

#[test]
fn a_file_of_several_blocks_is_cut_as_it_is_read() {
    for name in ["uke-two-frames", "uke-dpc-payer", "dpc-efn"] {
        let Some(case) = CASES.iter().find(|case| case.name == name) else { continue };
        let bytes = case.bytes.repeat(2 * BLOCK / case.bytes.len() + 1);
        assert!(check(name, &case.program, &bytes, 300_000) > 4, "{name}");
    }
}

#[test]
fn what_follows_a_trailer_is_open_again_though_it_is_bad() {
    let case = CASES.iter().find(|case| case.name == "uke-no-header").unwrap();
    // Of the second receipt only its first line is there, and that has no columns.
    let bytes = [case.bytes.as_slice(), b"RE,1\r\n"].concat();
    assert_eq!(check(&case.name, &case.program, &bytes, 1), 2);
    let scanned = |bytes: &[u8]| {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("file");
        std::fs::write(&path, bytes).unwrap();
        let scanned = look_over(&path, &case.program);
        let whole = pieces(0, &scanned, &case.program, u64::MAX / 2).unwrap();
        told(&case.program, &scanned, &whole).3
    };
    let truncated = |places: &[Place]| places.iter().any(|place| place.kind == "truncated");
    assert!(truncated(&scanned(&bytes)) && !truncated(&scanned(&case.bytes)));
}

#[test]
fn a_header_that_ends_behind_its_tag_is_a_bad_header_for_every_piece() {
    let case = CASES.iter().find(|case| case.name == "uke-dental-western").unwrap();
    for end in ["\r\n", "\n"] {
        let mut bytes = case.bytes.clone();
        let header = memchr::memmem::rfind(&bytes, b"\nIR,").unwrap() + 1;
        let behind = header + memchr::memchr(b'\n', &bytes[header..]).unwrap() + 1;
        bytes.splice(header..behind, format!("IR{end}").into_bytes());
        assert!(check(&case.name, &case.program, &bytes, 1) > 2);
    }
}

#[test]
fn pieces_that_leave_bytes_out_or_say_them_twice_are_not_the_file() {
    let piece = |from, to, is_last| Piece { file: 0, from, to, lines_before: 0, is_last, header: None };
    let are = |pieces: &[Piece]| is_covered(pieces.iter(), 90);
    assert!(are(&[piece(0, 50, false), piece(50, 90, true)]));
    assert!(are(&[piece(50, 90, true), piece(0, 50, false)]));
    assert!(!are(&[piece(0, 40, false), piece(50, 90, true)]));
    assert!(!are(&[piece(0, 60, false), piece(50, 90, true)]));
    assert!(!are(&[piece(0, 50, false)]));
    assert!(!are(&[piece(0, 50, false), piece(50, 90, false)]));
    assert!(!are(&[]));
    assert!(is_covered([piece(0, 0, true)].iter(), 0));
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(400))]

    #[test]
    fn a_file_cut_anywhere_says_what_it_says_as_a_whole(
        which in any::<prop::sample::Index>(),
        share in 1_u64..2_000,
        changes in changes(),
    ) {
        let Case { name, program, bytes } = &CASES[which.index(CASES.len())];
        // Two files in one, so that headers and trailers stand between.
        check(name, program, &changed(bytes.repeat(2), changes, 200), share);
    }
}
