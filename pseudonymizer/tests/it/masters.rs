//! Official masters into a catalogue: what the files say, edition after edition.
//!
//! The files of `tests/masters` are in UTF-8 with LF; the test makes CP932 with CRLF of them, as they are published.
//! Names and codes are invented but for two codes that the format documents name.
#![cfg(test)]

use std::path::{Path, PathBuf};

use catalog_model::{Date, Encoding};
use catalog_store::{Config, Environment};
use pseudonymizer::masters::{Absent, Change, Imported, MasterError, import};
use tempfile::TempDir;

struct World {
    folder: TempDir,
    environment: Environment,
}

impl World {
    fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let environment = Environment::create(&folder.path().join("env"), Config::new(4, Some(1))).unwrap();
        Self { folder, environment }
    }

    /// The published form of a file of `tests/masters`.
    fn file(&self, name: &str, encoding: Encoding) -> PathBuf {
        let text = std::fs::read_to_string(Path::new("tests/masters").join(name)).unwrap();
        let mut bytes = Vec::new();
        crate::encode(&text, encoding, &mut bytes);
        let path = self.folder.path().join(name);
        std::fs::write(&path, bytes).unwrap();
        path
    }

    fn import(&self, name: &str) -> Result<Imported, MasterError> {
        import(&self.environment, &self.file(name, Encoding::Cp932), "master", None, Absent::EndFew)
    }

    fn code(&self, system: &str, code: &str) -> catalog_model::Code {
        let (catalogue, _) = self.environment.catalogue().unwrap();
        catalogue.codes[system].get(code).unwrap().clone()
    }

    fn text(&self, system: &str) -> String {
        let path = self.environment.room("catalog").join(format!("codes/imported/{system}.toml"));
        std::fs::read_to_string(path).unwrap()
    }
}

fn day(text: &str) -> Option<Date> {
    Some(Date::parse(text).unwrap())
}

fn change(imported: &Imported) -> &Change {
    &imported.changes[0].1
}

#[test]
fn a_newer_edition_ends_the_older_and_the_same_file_twice_changes_nothing() {
    let world = World::new();
    let first = world.import("b_20220601.txt").unwrap();
    assert_eq!((first.lines, first.entries, first.faults.len()), (3, 3, 0));
    assert_eq!(change(&first).new, 3);
    let fever = world.code("disease", "9990501");
    assert_eq!((fever.ja.as_str(), fever.from, fever.to), ("架空熱", day("2010-01-01"), None));
    assert_eq!(fever.attributes["icd10"], "A499");
    // The English name that was shipped stays; the listing date is the master's.
    let moyamoya = world.code("disease", "4375001");
    assert_eq!((moyamoya.en.as_str(), moyamoya.from), ("moyamoya disease", day("2002-04-01")));
    assert_eq!(moyamoya.attributes["icd10"], "I675");
    assert_eq!(world.code("disease", "9990502").to, day("2023-03-31"));

    let second = world.import("b_20240601.txt").unwrap();
    assert_eq!(*change(&second), Change { entries: 3, new: 1, changed: 1, ended: 0 });
    let fever = world.code("disease", "9990501");
    assert_eq!((fever.ja.as_str(), fever.from), ("架空発熱", day("2024-06-01")));
    assert_eq!(fever.attributes["icd10"], "R509");
    assert_eq!(fever.former[0].ja, "架空熱");
    assert_eq!((fever.former[0].from, fever.former[0].to), (day("2010-01-01"), day("2024-05-31")));
    // A shipped code that no master has stays as it is.
    assert_eq!(world.code("disease", "9990010").en, "hypertension");

    let text = world.text("disease");
    let again = world.import("b_20240601.txt").unwrap();
    assert_eq!(*change(&again), Change { entries: 3, ..Change::default() });
    assert_eq!(world.text("disease"), text);
    let older = world.import("b_20220601.txt").unwrap_err().to_string();
    assert!(
        older.contains("is the edition of 2022-06-01, and that of 2024-06-01 was imported before"),
        "{older}"
    );
}

#[test]
fn every_official_master_gives_names_dates_and_facts() {
    let world = World::new();
    for file in
        ["z_20230101.txt", "s_ALL20240601.csv", "y_20240601.csv", "t_ALL20240601.csv", "c_ALL20240601.csv"]
    {
        let imported = world.import(file).unwrap();
        assert_eq!((imported.lines, imported.entries, imported.faults.len()), (1, 1, 0), "{file}");
    }
    assert_eq!(world.code("modifier", "8002").ja, "の疑い");
    let visit = world.code("procedure", "199900010");
    assert_eq!((visit.ja.as_str(), visit.attributes["points"].as_str()), ("初診料（架空）", "291.00"));
    assert_eq!(visit.attributes["fee_schedule_no"], "A000");
    let drug = world.code("drug", "699900010");
    assert_eq!((drug.ja.as_str(), drug.attributes["yj"].as_str()), ("架空錠\"甲\" 5mg", "9999001F1ZZZ"));
    // The shipped grouping, which the master does not have, stays.
    assert_eq!(drug.attributes["class"], "antihypertensive");
    assert_eq!(world.code("material", "799900010").attributes["price"], "121000.00");
    assert_eq!(world.code("comment", "820199001").attributes["pattern"], "20");
    let path = world.file("dpc6_20240601.csv", Encoding::Utf8);
    let imported = import(&world.environment, &path, "master-dpc6-assumed", None, Absent::EndFew).unwrap();
    assert_eq!((imported.lines, imported.entries, imported.dropped), (3, 2, 1));
    assert_eq!(world.code("dpc6", "999990").to, day("2026-05-31"));
}

#[test]
fn dpc_codes_have_branches_periods_and_points() {
    let world = World::new();
    let path = world.file("dpc14_20240601.csv", Encoding::Utf8);
    let imported = import(&world.environment, &path, "master-dpc14-assumed", None, Absent::EndFew).unwrap();
    assert_eq!((imported.lines, imported.entries, imported.dropped), (4, 2, 1));
    let fault = &imported.faults[0];
    assert_eq!((fault.line, &*fault.field, fault.kind.as_str()), (4, "code", "width"));
    let plain = world.code("dpc14", "990010xx99x0xx");
    assert_eq!((plain.ja.as_str(), plain.from, plain.to), ("架空の傷病", day("2024-06-01"), None));
    let fact = |name: &str| plain.attributes.get(name).map(String::as_str);
    assert_eq!(
        [fact("operation"), fact("treatment_1"), fact("treatment_2")],
        [Some("なし"), None, Some("なし")]
    );
    assert_eq!([fact("days_1"), fact("days_2"), fact("days_3")], [Some("4"), Some("9"), Some("30")]);
    assert_eq!(
        [fact("points_1"), fact("points_2"), fact("points_3")],
        [Some("3210"), Some("2109"), Some("1987")]
    );
    let treated = world.code("dpc14", "990010xx99x1xx");
    assert_eq!(treated.attributes["treatment_2"], "1あり、架空の薬剤");
    assert_eq!(treated.to, day("2026-05-31"));
    // The codes of the invented population stay.
    assert_eq!(world.code("dpc14", "050130xx9900xx").en, "heart failure");
    // The next edition has a code twice, one time after the other.
    let path = world.file("dpc14_20260601.csv", Encoding::Utf8);
    import(&world.environment, &path, "master-dpc14-assumed", None, Absent::EndFew).unwrap();
    let again = world.code("dpc14", "990010xx99x0xx");
    assert_eq!(
        (again.from, again.to, again.attributes["points_1"].as_str()),
        (day("2026-06-01"), None, "3300")
    );
    let [former] = again.former.as_slice() else { panic!("{again:?}") };
    assert_eq!((former.from, former.to), (day("2024-06-01"), day("2026-05-31")));
    assert_eq!(former.attributes["points_1"], "3210");
}

#[test]
fn the_dental_master_fills_the_same_system_and_ends_no_code_of_the_medical_one() {
    let world = World::new();
    world.import("s_ALL20240601.csv").unwrap();
    let imported = world.import("h_ALL20230401.csv").unwrap();
    assert_eq!((imported.lines, imported.entries, imported.faults.len()), (3, 2, 1));
    let fault = &imported.faults[0];
    assert_eq!((fault.line, fault.field.as_ref(), fault.kind.as_str()), (3, "abolished_on", "date"));
    let visit = world.code("procedure", "399900098");
    assert_eq!((visit.ja.as_str(), visit.attributes["points"].as_str()), ("架空歯科初診料", "272.00"));
    assert_eq!((visit.attributes["chapter"].as_str(), visit.attributes["section"].as_str()), ("A", "000"));
    let ended = world.code("procedure", "399900099");
    assert_eq!((ended.to, ended.attributes["addition"].as_str()), (day("2024-05-31"), "CA001"));
    let medical = world.code("procedure", "199900010");
    assert_eq!((medical.ja.as_str(), medical.to), ("初診料（架空）", None));
    assert!(world.text("procedure-dental").contains("2023-04-01"));
    assert!(!world.text("procedure").contains("399900098"));
}

#[test]
fn dispensing_acts_and_teeth_have_masters_of_their_own() {
    let world = World::new();
    world.import("s_ALL20240601.csv").unwrap();
    let imported = world.import("m_20250307.csv").unwrap();
    assert_eq!((imported.lines, imported.entries, imported.faults.len()), (3, 2, 1));
    assert_eq!((imported.faults[0].line, imported.faults[0].kind.as_str()), (3, "columns"));
    let fee = world.code("procedure", "499900098");
    assert_eq!((fee.ja.as_str(), fee.attributes["points"].as_str()), ("架空調剤基本料", "45.00"));
    assert_eq!((fee.attributes["act_class"].as_str(), fee.attributes["act_kind"].as_str()), ("10", "1"));
    assert_eq!(world.code("procedure", "499900099").to, day("2026-05-31"));
    assert_eq!(world.code("procedure", "199900010").to, None);
    assert!(world.text("procedure-dispensing").contains("2025-03-07"));

    let imported = world.import("f_20111003.csv").unwrap();
    assert_eq!((imported.entries, imported.faults.len()), (2, 0));
    // The shipped English name stays.
    let molar = world.code("tooth", "101600");
    assert_eq!(
        (molar.ja.as_str(), molar.en.as_str()),
        ("右側上顎第一大臼歯（架空の表記）", "upper right first molar")
    );
    assert_eq!(world.code("tooth", "1016A1").to, day("2024-05-31"));
}

#[test]
fn bad_rows_are_told_by_line_and_field_and_end_no_code() {
    let world = World::new();
    world.import("b_20240601.txt").unwrap();
    let imported = world.import("bad_20250601.txt").unwrap();
    let faults: Vec<String> = imported
        .faults
        .iter()
        .map(|fault| format!("{} {} {}", fault.line, fault.field, fault.kind))
        .collect();
    assert_eq!(
        faults,
        ["2 code width", "3 listed_on date", "4  columns", "5  unknown-record", "6 name missing"]
    );
    assert_eq!(imported.lines, imported.entries + imported.faults.len() as u64);
    assert_eq!(change(&imported).ended, 0);
    assert_eq!(world.code("disease", "9990503").to, None);
}

#[test]
fn what_is_no_master_is_refused_and_leaves_the_catalogue_as_it_was() {
    let world = World::new();
    let (_, before) = world.environment.catalogue().unwrap();
    let path = world.folder.path().join("b_20240601.csv");
    std::fs::write(&path, "name,value\r\nx,1\r\n").unwrap();
    let error = |path: &Path, family: &str| {
        import(&world.environment, path, family, None, Absent::EndFew).unwrap_err().to_string()
    };
    assert!(
        error(&path, "master").contains("none of 2 lines is a record of a master"),
        "{}",
        error(&path, "master")
    );
    assert!(error(&path, "ndb-medical").contains("is not that of a master"));
    let unnamed = world.folder.path().join("b.txt");
    std::fs::copy(world.file("b_20240601.txt", Encoding::Cp932), &unnamed).unwrap();
    assert!(error(&unnamed, "master").contains("does not name its edition"));
    let twice = world.folder.path().join("b_20240602.txt");
    let bytes = std::fs::read(&unnamed).unwrap();
    std::fs::write(&twice, [bytes.as_slice(), &bytes].concat()).unwrap();
    assert!(error(&twice, "master").contains("line 4: code: the same code stood on line 1"));
    assert_eq!(world.environment.catalogue().unwrap().1, before);
}
