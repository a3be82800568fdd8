//! A file that changes while its delivery is taken in, and a package that is refused: nothing of them is kept.
#![cfg(test)]

use std::io::{Cursor, Write as _};
use std::path::Path;
use std::sync::atomic::{AtomicUsize, Ordering};

use catalog_store::{Config, Environment};
use pseudonymizer::pipeline::{self, IngestError, Rejection};
use ring::digest::{SHA256, digest};
use zip::write::{SimpleFileOptions, ZipWriter};

fn sha256(bytes: &[u8]) -> String {
    digest(&SHA256, bytes).as_ref().iter().map(|byte| format!("{byte:02x}")).collect()
}

/// A delivery of these files, by name, layout and bytes.
fn delivery(folder: &Path, files: &[(&str, &str, &[u8])]) {
    named_delivery(folder, "checkup-2024-05", files);
}

/// The same under a name.
pub(super) fn named_delivery(folder: &Path, name: &str, files: &[(&str, &str, &[u8])]) {
    std::fs::create_dir_all(folder).unwrap();
    let mut list = format!(
        "[delivery]\nname = \"{name}\"\ndatabase = \"ndb\"\nholder = \"an insurer\"\nmonth = \"2024-05\"\n"
    );
    for (path, family, bytes) in files {
        std::fs::write(folder.join(path), bytes).unwrap();
        list.push_str(&format!(
            "\n[[file]]\npath = \"{path}\"\nfamily = \"{family}\"\nbytes = {}\nsha256 = \"{}\"\n",
            bytes.len(),
            sha256(bytes)
        ));
    }
    std::fs::write(folder.join("delivery.toml"), list).unwrap();
}

fn is_empty(folder: &Path) -> bool {
    std::fs::read_dir(folder).map_or(true, |mut entries| entries.next().is_none())
}

#[test]
fn a_file_that_changes_after_it_was_looked_over_is_refused_and_nothing_is_kept() {
    let folder = tempfile::tempdir().unwrap();
    let from = folder.path().join("delivery");
    let municipality = std::fs::read("tests/cases/public-municipality/input").unwrap();
    let csv = b"head\n".as_slice();
    delivery(
        &from,
        &[("a.csv", "ndb-checkup-csv-assumed", csv), ("b.csv", "public-municipality", &municipality)],
    );
    let environment = Environment::create(&folder.path().join("env"), Config::new(4, Some(5))).unwrap();
    let parts = AtomicUsize::new(0);
    // One byte becomes another between the first part and the second; size and name stay.
    let change = |_| {
        if parts.fetch_add(1, Ordering::Relaxed) == 0 {
            let mut bytes = municipality.clone();
            bytes[0] ^= 1;
            std::fs::write(from.join("b.csv"), bytes).unwrap();
        }
    };
    let pool = rayon::ThreadPoolBuilder::new().num_threads(1).build().unwrap();
    let error =
        pool.install(|| pipeline::ingest(&environment, &from, "2024-06-10T00:00:00Z", &change)).unwrap_err();
    assert!(matches!(&error, IngestError::Rejected(Rejection::Changed(path)) if path == "b.csv"), "{error}");
    assert_eq!(error.to_string(), "b.csv changed while it was being read");
    assert!(environment.meta().unwrap().deliveries().unwrap().is_empty());
    assert!(is_empty(&environment.room("store").join("staging")));
    assert!(is_empty(&environment.room("links").join("staging")));
}

#[test]
fn a_refused_package_rejects_the_delivery_and_says_why() {
    let folder = tempfile::tempdir().unwrap();
    let from = folder.path().join("delivery");
    let mut writer = ZipWriter::new(Cursor::new(Vec::new()));
    writer.start_file("ix08_V08.xml", SimpleFileOptions::default()).unwrap();
    writer.write_all(b"<!DOCTYPE index [<!ENTITY a \"b\">]><index>&a;</index>").unwrap();
    let package = writer.finish().unwrap().into_inner();
    delivery(&from, &[("checkups.zip", "ndb-checkup", &package)]);
    let env = folder.path().join("env");
    let environment = Environment::create(&env, Config::new(4, Some(5))).unwrap();
    let error = pipeline::ingest(&environment, &from, "2024-06-10T00:00:00Z", &|_| {}).unwrap_err();
    assert_eq!(error.to_string(), "checkups.zip: refused as a package");
    let source = std::error::Error::source(&error).unwrap();
    assert_eq!(source.to_string(), "entry 1: has a document type definition, by which entities expand");
    assert!(is_empty(&environment.room("store").join("staging")));
}

#[test]
fn an_index_that_states_another_number_of_persons_goes_to_quarantine() {
    let folder = tempfile::tempdir().unwrap();
    let from = folder.path().join("delivery");
    let package = super::packages::case(Path::new("tests/packages/missing-person"));
    delivery(&from, &[("checkups.zip", "ndb-checkup", &package)]);
    let environment = Environment::create(&folder.path().join("env"), Config::new(4, Some(5))).unwrap();
    let taken = pipeline::ingest(&environment, &from, "2024-06-10T00:00:00Z", &|_| {}).unwrap();
    let account = taken.account();
    assert!(account.closes());
    assert_eq!((account.read, account.stored, account.quarantined_lines()), (4, 3, 1));
    let places = environment.room("quarantine").join(format!("{}.csv", taken.id));
    let text = std::fs::read_to_string(places).unwrap();
    assert_eq!(text, "file,line,record,field,kind\ncheckups.zip,1,index,,totals\n");
}

#[test]
fn packages_and_csv_become_tables_of_linked_persons_and_a_check_up_counts_once() {
    let folder = tempfile::tempdir().unwrap();
    let from = folder.path().join("delivery");
    let package = super::packages::case(Path::new("tests/packages/two-persons"));
    // The same two persons a year later.
    let csv = std::fs::read_to_string("tests/cases/checkup-csv/input").unwrap();
    let csv = super::bytes(&csv.replace(",2024", ",2025"), catalog_model::Encoding::Cp932);
    delivery(
        &from,
        &[
            ("checkups.zip", "ndb-checkup", &package),
            ("again.zip", "ndb-checkup", &package),
            ("later.csv", "ndb-checkup-csv-assumed", &csv),
        ],
    );
    let environment = Environment::create(&folder.path().join("env"), Config::new(4, Some(5))).unwrap();
    let taken = pipeline::ingest(&environment, &from, "2024-06-10T00:00:00Z", &|_| {}).unwrap();
    let account = &taken.files[0].account;
    assert!(taken.account().closes());
    assert_eq!((account.read, account.stored, account.dropped_lines()), (22, 18, 4));
    assert_eq!(pipeline::link(&environment).unwrap().persons, 2);
    let published = pipeline::publish(&environment, "2024-06-10T00:00:00Z", &|_, _| {}).unwrap();
    assert_eq!(published.duplicates.len(), 2);
    let rows = |name: &str| published.manifest.body.tables[name].rows;
    assert_eq!([rows("ndb_checkup"), rows("ndb_checkup_wide"), rows("ndb_checkup_result")], [4, 4, 18]);
}
