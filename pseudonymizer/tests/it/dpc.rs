//! The files of one DPC stay meet under one key, an outpatient visit never meets a stay, and a delivery of every kind of
//! file goes in whole.
#![cfg(test)]

use std::collections::BTreeSet;
use std::path::Path;

use arrow::array::AsArray as _;
use arrow::datatypes::UInt32Type;
use catalog_model::{Catalogue, DeliveredFile, DeliveryHead, DeliveryManifest, SnapshotManifest};
use catalog_store::{Environment, FileKeyring};
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

/// A hospital's medical and DPC receipts lie in two files, each numbered from 1; so do a dentist's and a pharmacy's with
/// the same code.
#[test]
fn receipts_of_one_number_in_files_of_two_kinds_are_two() {
    let of = |family: &str, lines: &str| {
        let program = Program::compile(&Catalogue::builtin().unwrap(), family).unwrap();
        let mut keys = Keys(Surrogates::new([3; 32]), Vec::new());
        let part = FilePart { file: 0, lines_before: 0, preamble: &[], is_last: false };
        let summary = Reader::new(&program, 0).read(lines.as_bytes(), &part, &mut keys).unwrap();
        assert!(summary.faults.is_empty(), "{family}: {:?}", summary.faults);
        keys.1.first().copied().flatten().unwrap()
    };
    let empty = ",".repeat(31);
    let medical = format!("IR,1,13,1,7654321,,X,202305,00,\nRE,1,1112,202304,X,2,19480726{empty}\n");
    let dental = format!(
        "UK,1,13,3,7654321,,X,202305,,00\nIR,1,13,3,7654321,,202305,,\nRE,1,3112,202304,X,2,19480726{}\n",
        ",".repeat(20)
    );
    let pharmacy = format!(
        "YK,1,13,4,7654321,X,202305,00,\nRE,1,4112,202304,X,2,19480726,,,13,1,1234567,X,,X{}\n",
        ",".repeat(27)
    );
    let keys = [
        of("ndb-medical", &medical),
        of("ndb-dpc", &medical.replace(&empty, &",".repeat(23))),
        of("ndb-dental", &dental),
        of("ndb-pharmacy", &pharmacy),
    ];
    assert_eq!(keys.iter().collect::<BTreeSet<_>>().len(), keys.len());
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

/// Writes a delivery of the named cases' files.
fn deliver(folder: &Path, cases: &[&str]) {
    let catalogue = Catalogue::builtin().unwrap();
    let root = std::env::current_dir().unwrap().join("tests/cases");
    std::fs::create_dir_all(folder).unwrap();
    let mut files = Vec::new();
    for case in cases {
        let text = |name: &str| std::fs::read_to_string(root.join(case).join(name)).unwrap();
        let family = text("family").trim().to_owned();
        let bytes = super::bytes(&text("input"), catalogue.families[&family].framing.encoding);
        let digest = ring::digest::digest(&ring::digest::SHA256, &bytes);
        let sha256 = digest.as_ref().iter().map(|byte| format!("{byte:02x}")).collect();
        let path = format!("{case}.txt");
        std::fs::write(folder.join(&path), &bytes).unwrap();
        files.push(DeliveredFile { path, family, bytes: bytes.len() as u64, sha256 });
    }
    let delivery = DeliveryHead {
        name: "dpc-2023-04".to_owned(),
        database: "dpc".to_owned(),
        holder: "架空の病院".to_owned(),
        month: "2023-04".parse().unwrap(),
    };
    let list = toml::to_string(&DeliveryManifest { delivery, files }).unwrap();
    std::fs::write(folder.join("delivery.toml"), list).unwrap();
}

/// The distinct numbers in a column of a published table, nulls left out.
fn numbers(env: &Path, manifest: &SnapshotManifest, table: &str, column: &str) -> BTreeSet<u32> {
    let mut found = BTreeSet::new();
    let ring = FileKeyring::new(&Environment::open(env).unwrap());
    for file in &manifest.body.tables[table].files {
        let keys = ring.open(file, &|_| true).unwrap().unwrap();
        let path = env.join("store").join(&file.path);
        for batch in pseudonymizer::tables::open_encrypted(&path, 1024, &keys).unwrap() {
            let batch = batch.unwrap();
            let array = batch.column_by_name(column).unwrap().as_primitive::<UInt32Type>();
            found.extend(array.iter().flatten());
        }
    }
    found
}

#[test]
fn a_delivery_of_every_kind_of_file_goes_in_whole() {
    let folder = tempfile::tempdir().unwrap();
    let (env, delivery) = (folder.path().join("env"), folder.path().join("delivery"));
    deliver(
        &delivery,
        &[
            "dpc-ff1-parts",
            "dpc-ff4",
            "dpc-efn",
            "dpc-efg",
            "dpc-en",
            "dpc-fn",
            "dpc-dn",
            "dpc-hn",
            "dpc-k",
            "dpc-k-common-id",
            "dpc-ff3-lookup",
        ],
    );
    let (env_text, delivery) = (env.display().to_string(), delivery.display().to_string());
    super::pipeline::ok(&["init", &env_text, "--demo-seed", "5", "--buckets", "4"]);
    super::pipeline::ok(&["ingest", &delivery, "--env", &env_text]);
    super::pipeline::ok(&["link", "--env", &env_text]);
    super::pipeline::ok(&["publish", "--env", &env_text]);
    let quality = super::pipeline::ok(&["quality", "--env", &env_text]);
    assert!(!quality.contains("\"closes\": false"), "{quality}");
    let (_, manifest) = Environment::open(&env).unwrap().snapshots().unwrap().head().unwrap().unwrap();
    let rows = |table: &str| manifest.body.tables[table].rows;
    assert_eq!((rows("dpc_stay"), rows("dpc_stay_item"), rows("dpc_insurance_mix")), (2, 10, 2));
    assert_eq!((rows("dpc_act"), rows("dpc_charge"), rows("dpc_nursing_need")), (14, 2, 5));
    assert_eq!((rows("dpc_facility"), manifest.body.persons), (3, 2));
    let facility = |table: &str| numbers(&env, &manifest, table, "facility_id");
    assert_eq!(facility("dpc_facility").len(), 1);
    for table in ["dpc_stay", "dpc_act", "dpc_charge", "dpc_insurance_mix", "dpc_nursing_need"] {
        assert_eq!(facility(table), facility("dpc_facility"), "{table}");
    }
    let wards = |table: &str| numbers(&env, &manifest, table, "ward_id");
    assert!(wards("dpc_act").is_subset(&wards("dpc_facility")));
    assert!(wards("dpc_facility").is_disjoint(&facility("dpc_facility")));
}
