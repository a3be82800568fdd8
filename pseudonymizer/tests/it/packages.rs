//! Packages of XML documents: what is made of whole ones, and which are refused whole.
//!
//! A case is a folder of hand-written documents, which the runner puts into a zip, and what is made of it. The attacks
//! are made here, byte by byte where no writer would make them.
#![cfg(test)]

use std::io::{Cursor, Write as _};
use std::path::Path;
use std::sync::LazyLock;

use catalog_model::Catalogue;
use expect_test::{Expect, expect, expect_file};
use proptest::prelude::*;
use pseudonymizer::formats::{PackageError, Program, Reader, inspect};
use zip::CompressionMethod;
use zip::write::{SimpleFileOptions, ZipWriter};

use super::{Record, WHOLE, told};

static CATALOGUE: LazyLock<Catalogue> = LazyLock::new(|| Catalogue::builtin().unwrap());
static PROGRAM: LazyLock<Program> = LazyLock::new(|| Program::compile(&CATALOGUE, "ndb-checkup").unwrap());

fn zip(entries: &[(&str, &[u8])]) -> Vec<u8> {
    let mut writer = ZipWriter::new(Cursor::new(Vec::new()));
    let options = SimpleFileOptions::default().compression_method(CompressionMethod::Deflated);
    for (name, bytes) in entries {
        writer.start_file(*name, options).unwrap();
        writer.write_all(bytes).unwrap();
    }
    writer.finish().unwrap().into_inner()
}

fn files(root: &Path, below: &Path, found: &mut Vec<(String, Vec<u8>)>) {
    for entry in std::fs::read_dir(below).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            files(root, &path, found);
        } else {
            let name = path.strip_prefix(root).unwrap().display().to_string();
            found.push((name, std::fs::read(path).unwrap()));
        }
    }
}

pub(super) fn case(folder: &Path) -> Vec<u8> {
    let mut found = Vec::new();
    let root = folder.join("package");
    files(&root, &root, &mut found);
    // Not in the order in which they are read.
    found.sort_by(|one, two| two.cmp(one));
    let entries: Vec<(&str, &[u8])> =
        found.iter().map(|(name, bytes)| (name.as_str(), bytes.as_slice())).collect();
    zip(&entries)
}

/// Reads a package whether it was looked over or not.
fn read(bytes: &[u8]) -> Result<String, PackageError> {
    let mut record = Record::new(&CATALOGUE, &PROGRAM);
    let summary = Reader::new(&PROGRAM, 0).read_package(Cursor::new(bytes), &WHOLE, &mut record)?;
    Ok(told(&PROGRAM, record, &summary))
}

#[test]
fn hand_written_packages_are_read_as_the_layout_says() {
    let root = std::env::current_dir().unwrap().join("tests/packages");
    let mut folders: Vec<_> = std::fs::read_dir(&root).unwrap().map(|entry| entry.unwrap().path()).collect();
    folders.sort();
    assert!(folders.len() >= 3);
    for folder in folders {
        let bytes = case(&folder);
        inspect(&PROGRAM, Cursor::new(&bytes)).unwrap();
        expect_file![folder.join("expected")].assert_eq(&read(&bytes).unwrap());
    }
}

const INDEX: &[u8] = b"<index><totalRecordCount value=\"1\"/></index>";

/// Both the look over and the reading itself refuse, with these words.
fn check(bytes: &[u8], expected: &Expect) {
    let first = inspect(&PROGRAM, Cursor::new(bytes)).unwrap_err().to_string();
    expected.assert_eq(&first);
    let mut record = Record::new(&CATALOGUE, &PROGRAM);
    let second = Reader::new(&PROGRAM, 0).read_package(Cursor::new(bytes), &WHOLE, &mut record).unwrap_err();
    assert_eq!(second.to_string(), first);
}

fn check_document(document: &[u8], expected: &Expect) {
    check(&zip(&[("ix08_V08.xml", INDEX), ("DATA/h1.xml", document)]), expected);
}

#[test]
fn a_zip_bomb_is_refused() {
    check_document(&vec![b' '; 15 << 20], &expect!["entry 2: expands more than 200 times"]);
    check_document(&vec![b' '; 17 << 20], &expect!["entry 2: expands to more than 16777216 bytes"]);
}

#[test]
fn a_bomb_that_hides_its_size_is_refused() {
    let mut bytes = zip(&[("ix08_V08.xml", INDEX), ("DATA/h1.xml", &vec![b' '; 1 << 20])]);
    // The sizes in the list of entries and beside the entry itself become those of a small file.
    let size = (1_u32 << 20).to_le_bytes();
    let places: Vec<usize> = (0..bytes.len() - 4).filter(|at| bytes[*at..*at + 4] == size).collect();
    assert!(!places.is_empty());
    for at in places {
        bytes[at..at + 4].copy_from_slice(&100_u32.to_le_bytes());
    }
    check(&bytes, &expect!["entry 2: damaged, its bytes are not those that the package lists"]);
}

#[test]
fn entities_do_not_expand() {
    check_document(
        b"<!DOCTYPE a [<!ENTITY a \"aaaa\"><!ENTITY b \"&a;&a;&a;\"><!ENTITY c \"&b;&b;&b;\">]><a>&c;</a>",
        &expect!["entry 2: has a document type definition, by which entities expand"],
    );
    check_document(
        b"<!DOCTYPE a SYSTEM \"file:///etc/hostname\"><a/>",
        &expect!["entry 2: has a document type definition, by which entities expand"],
    );
}

#[test]
fn endless_nesting_and_endless_attributes_are_refused() {
    check_document("<a>".repeat(65).as_bytes(), &expect!["entry 2: more than 64 elements inside each other"]);
    let lines = "<observation/>".repeat(20_001);
    check_document(
        format!("<ClinicalDocument xmlns=\"urn:hl7-org:v3\">{lines}</ClinicalDocument>").as_bytes(),
        &expect!["entry 2: more than 20000 elements that make lines"],
    );
    let attributes: String = (0..100).map(|number| format!(" a{number}=\"\"")).collect();
    check_document(
        format!("<a{attributes}/>").as_bytes(),
        &expect!["entry 2: an element with more than 64 attributes"],
    );
}

#[test]
fn names_that_leave_the_package_are_refused() {
    for name in [
        "../h1.xml",
        "DATA/../../h1.xml",
        "/etc/h1.xml",
        "DATA\\..\\h1.xml",
        "C:h1.xml",
        "DATA//h1.xml",
        "a\nb.xml",
    ] {
        // The writer mends some names, so another one is written and then overwritten.
        let plain = "x".repeat(name.len());
        let mut bytes = zip(&[("ix08_V08.xml", INDEX), (&plain, b"<a/>")]);
        let places: Vec<usize> = (0..bytes.len() - name.len())
            .filter(|at| &bytes[*at..*at + name.len()] == plain.as_bytes())
            .collect();
        assert_eq!(places.len(), 2);
        for at in places {
            bytes[at..at + name.len()].copy_from_slice(name.as_bytes());
        }
        check(&bytes, &expect!["entry 2: its name does not stay in the package"]);
    }
}

#[test]
fn a_link_is_refused() {
    let mut writer = ZipWriter::new_append(Cursor::new(zip(&[("ix08_V08.xml", INDEX)]))).unwrap();
    writer.add_symlink("DATA/h1.xml", "/etc/hostname", SimpleFileOptions::default()).unwrap();
    check(&writer.finish().unwrap().into_inner(), &expect!["entry 2: not a plain file"]);
}

#[test]
fn two_entries_of_one_name_are_refused() {
    let mut bytes = zip(&[("ix08_V08.xml", INDEX), ("DATA/h1.xml", b"<a/>"), ("DATA/h2.xml", b"<b/>")]);
    let places: Vec<usize> =
        (0..bytes.len() - 11).filter(|at| &bytes[*at..*at + 11] == b"DATA/h2.xml").collect();
    for at in places {
        bytes[at..at + 11].copy_from_slice(b"DATA/h1.xml");
    }
    check(&bytes, &expect!["two entries have the same name"]);
    check(
        &zip(&[("ix08_V08.xml", INDEX), ("DATA/h1.xml", b"<a/>"), ("data/H1.XML", b"<b/>")]),
        &expect!["two entries have the same name"],
    );
}

/// The program of a catalogue whose limits for packages are these.
fn with_limits(changes: &[(&str, &str)]) -> Program {
    let files: Vec<(&str, String)> = catalog_model::BUILTIN
        .iter()
        .map(|(path, text)| {
            let text = changes.iter().fold((*text).to_owned(), |text, (from, to)| text.replace(from, to));
            (*path, text)
        })
        .collect();
    let catalogue = Catalogue::parse(files.iter().map(|(path, text)| (*path, text.as_str()))).unwrap();
    Program::compile(&catalogue, "ndb-checkup").unwrap()
}

#[test]
fn too_many_entries_are_refused_before_any_is_expanded() {
    let program = with_limits(&[("entries = 200_000", "entries = 2")]);
    let entries: [(&str, &[u8]); 3] =
        [("ix08_V08.xml", INDEX), ("DATA/h1.xml", b"<a/>"), ("DATA/h2.xml", b"<")];
    let refused = inspect(&program, Cursor::new(zip(&entries))).unwrap_err();
    expect!["3 entries, more than 2"].assert_eq(&refused.to_string());
    assert!(inspect(&program, Cursor::new(zip(&entries[..2]))).is_ok());
}

#[test]
fn documents_that_are_too_large_together_are_refused() {
    let program = with_limits(&[("bytes = 34_359_738_368", "bytes = 200")]);
    let large = format!("<a>{}</a>", "x".repeat(150));
    let entries: [(&str, &[u8]); 3] =
        [("ix08_V08.xml", INDEX), ("DATA/h1.xml", large.as_bytes()), ("DATA/h2.xml", large.as_bytes())];
    let refused = inspect(&program, Cursor::new(zip(&entries))).unwrap_err();
    expect!["expands to more than 200 bytes"].assert_eq(&refused.to_string());
}

#[test]
fn entries_that_share_bytes_are_refused() {
    let mut bytes = zip(&[("ix08_V08.xml", INDEX), ("DATA/h1.xml", b"<a/>"), ("DATA/h2.xml", b"<a/>")]);
    // The place of each entry stands 42 bytes into its line of the list: the last is led to the one before.
    let lines: Vec<usize> = (0..bytes.len() - 4).filter(|at| &bytes[*at..*at + 4] == b"PK\x01\x02").collect();
    let place = bytes[lines[1] + 42..lines[1] + 46].to_vec();
    bytes[lines[2] + 42..lines[2] + 46].copy_from_slice(&place);
    check(&bytes, &expect!["entries overlap"]);
}

#[test]
fn an_encrypted_entry_is_refused() {
    let mut bytes = zip(&[("ix08_V08.xml", INDEX), ("DATA/h1.xml", b"<a/>")]);
    // Bit 0 of the flags, 6 bytes into the entry and 8 bytes into its place in the list.
    for (signature, offset) in [(b"PK\x03\x04", 6), (b"PK\x01\x02", 8)] {
        let at = (0..bytes.len() - 4).rfind(|at| &bytes[*at..*at + 4] == signature).unwrap();
        bytes[at + offset] |= 1;
    }
    check(&bytes, &expect!["entry 2: encrypted, or compressed by another method than deflate"]);
}

#[test]
fn a_package_without_its_index_and_a_cut_one_are_refused() {
    let bytes = zip(&[("DATA/h1.xml", b"<a/>")]);
    let missing = inspect(&PROGRAM, Cursor::new(&bytes)).unwrap_err();
    assert_eq!(missing.to_string(), "no index document");
    let whole = case(Path::new("tests/packages/two-persons"));
    for length in [0, 1, 100, whole.len() / 2, whole.len() - 30] {
        check(&whole[..length], &expect!["not a whole zip file"]);
    }
}

#[test]
fn a_new_item_is_a_line_of_toml() {
    let item = |unit: &str| {
        format!(
            "code = [\n{{ code = \"9Z999999999999901\", ja = \"独自項目\", en = \"own item\", \
             attributes = {{ kind = \"PQ\", unit = \"{unit}\", low = \"-20\", high = \"20\" }} }},"
        )
    };
    let faults = |item: &str| {
        let files: Vec<(&str, String)> = catalog_model::BUILTIN
            .iter()
            .map(|(path, text)| match *path {
                "codes/checkup_item.toml" => (*path, text.replacen("code = [", item, 1)),
                _ => (*path, (*text).to_owned()),
            })
            .collect();
        let catalogue = Catalogue::parse(files.iter().map(|(path, text)| (*path, text.as_str()))).unwrap();
        let program = Program::compile(&catalogue, "ndb-checkup").unwrap();
        let mut record = Record::new(&catalogue, &program);
        let bytes = case(Path::new("tests/packages/two-persons"));
        let summary = Reader::new(&program, 0).read_package(Cursor::new(bytes), &WHOLE, &mut record).unwrap();
        summary.faults.iter().map(|fault| format!("{} {}", fault.field, fault.kind)).collect::<Vec<_>>()
    };
    assert_eq!(faults(&item("D")), Vec::<String>::new());
    assert_eq!(faults(&item("cm")), ["unit code"]);
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(200))]

    #[test]
    fn a_mutated_document_is_read_and_its_account_closes_or_it_is_refused(
        changes in prop::collection::vec((any::<prop::sample::Index>(), any::<u8>(), 0_u8..3), 1..6),
    ) {
        let path = "tests/packages/two-persons/package/5500000001_06130001_202406100_1/DATA/h0001.xml";
        let bytes = mutated(std::fs::read(path).unwrap(), &changes);
        // `told` asserts that the account closes.
        let _ = read(&zip(&[("ix08_V08.xml", INDEX), ("DATA/h1.xml", &bytes)]));
    }

    #[test]
    fn a_mutated_package_is_read_and_its_account_closes_or_it_is_refused(
        changes in prop::collection::vec((any::<prop::sample::Index>(), any::<u8>(), 0_u8..3), 1..4),
    ) {
        let bytes = mutated(case(Path::new("tests/packages/missing-person")), &changes);
        let was_sound = inspect(&PROGRAM, Cursor::new(&bytes)).is_ok();
        prop_assert!(!was_sound || read(&bytes).is_ok());
    }
}

fn mutated(mut bytes: Vec<u8>, changes: &[(prop::sample::Index, u8, u8)]) -> Vec<u8> {
    for (place, byte, how) in changes {
        let at = place.index(bytes.len());
        match how {
            0 => bytes[at] = *byte,
            1 => bytes.insert(at, *byte),
            _ => {
                bytes.remove(at);
            }
        }
    }
    bytes
}
