//! The fuzz targets in smoke mode: every case of the corpus, whole and cut off at some places.
//!
//! With `MISU_CORPUS=FOLDER` the corpus is laid there, one folder for each target, for `make fuzz` to begin from.
#![cfg(test)]

use std::path::Path;

#[path = "../../fuzz/reading.rs"]
mod reading;

use reading::{Kind, families, read};

/// The corpus: cases written by hand from the format documents, each with the byte that chooses its family.
fn corpus() -> Vec<(Kind, String, Vec<u8>)> {
    let mut found = Vec::new();
    for (root, is_package) in [("tests/cases", false), ("tests/packages", true)] {
        for entry in std::fs::read_dir(root).unwrap() {
            let folder = entry.unwrap().path();
            let name = folder.file_name().unwrap().to_string_lossy().into_owned();
            let bytes = if is_package { package(&folder) } else { Some(super::case_bytes(&name)) };
            let Some(bytes) = bytes else { continue };
            let family = std::fs::read_to_string(folder.join("family"))
                .map_or("ndb-checkup".to_owned(), |text| text.trim().to_owned());
            let (kind, at) = place(&family);
            found.push((kind, name, [&[at], bytes.as_slice()].concat()));
        }
    }
    found
}

fn package(folder: &Path) -> Option<Vec<u8>> {
    folder.join("package").is_dir().then(|| super::packages::case(folder))
}

fn place(family: &str) -> (Kind, u8) {
    let at = |kind| families(kind).iter().position(|name| *name == family).map(|at| (kind, at));
    let (kind, at) = [Kind::Tagged, Kind::Columns, Kind::Package].into_iter().find_map(at).unwrap();
    (kind, u8::try_from(at).unwrap())
}

#[test]
fn every_target_reads_the_corpus() {
    let corpus = corpus();
    for kind in [Kind::Tagged, Kind::Columns, Kind::Package] {
        assert!(corpus.iter().any(|(of, _, _)| *of == kind), "{kind:?} has no case");
    }
    for (kind, _, data) in &corpus {
        read(*kind, data);
        for part in 1..8 {
            read(*kind, &data[..data.len() * part / 8]);
        }
    }
    if let Ok(folder) = std::env::var("MISU_CORPUS") {
        for (kind, name, data) in &corpus {
            let folder = Path::new(&folder).join(format!("{kind:?}").to_lowercase());
            std::fs::create_dir_all(&folder).unwrap();
            std::fs::write(folder.join(name), data).unwrap();
        }
    }
}
