//! Cells of few municipalities, from rows to the table: the care database's guideline hides them.

use std::collections::BTreeMap;
use std::path::Path;

use catalog_model::{Catalogue, CellRules, Date};
use classified::Protected;
use engine_disclosure::Setting;
use engine_vet::{Scope, vet};
use policies::RulePacks;

use crate::people::{Rows, Tables, evidence, write};
use crate::queries::{SETTING, grant};

/// Thirty persons in each of two prefectures, the one with three municipalities and the other with two, and offices
/// enough.
fn claims(catalogue: &Catalogue, folder: &Path) -> Tables {
    let month = i64::from(Date::from_ymd(2023, 5, 1).unwrap().days());
    let row = |person: i64| {
        let prefecture = person % 2;
        BTreeMap::from([
            ("person_id", person),
            ("claim_id", person),
            ("office_id", 1 + person % 7),
            ("service_month", month),
            ("prefecture", prefecture),
            ("municipality_id", 10 * prefecture + person / 2 % (3 - prefecture)),
        ])
    };
    let rows: Rows = (1..=60).map(row).collect();
    [("care_claim".to_owned(), vec![write(catalogue, "care_claim", &rows, folder)])].into()
}

/// Thirty persons of each of two care levels; those of one are of one municipality, those of the other of three.
fn intervals(catalogue: &Catalogue, folder: &Path) -> Tables {
    let month = i64::from(Date::from_ymd(2023, 5, 1).unwrap().days());
    let row = |person: i64| {
        BTreeMap::from([
            ("person_id", person),
            ("interval_id", person),
            ("first_month", month),
            ("care_level", person % 2),
            ("municipality_id", 1 + person % 2 * (person / 2 % 3)),
        ])
    };
    let rows: Rows = (1..=60).map(row).collect();
    let table = "care_need_interval";
    [(table.to_owned(), vec![write(catalogue, table, &rows, folder)])].into()
}

#[test]
fn care_levels_of_one_municipality_are_hidden() {
    let catalogue = Catalogue::builtin().unwrap();
    let folder = tempfile::tempdir().unwrap();
    let tables = intervals(&catalogue, folder.path());
    let sql = "SELECT care_level, count(DISTINCT person_id) AS n FROM care_need_interval GROUP BY care_level";
    assert_eq!(shown(sql, "care-2023-4", &catalogue, &tables), ["***", "30"]);
}

/// The numbers of persons that are shown under a pack, less the zeros.
fn shown(sql: &str, pack: &str, catalogue: &Catalogue, tables: &Tables) -> Vec<String> {
    let (granted, worker) = (grant(catalogue), crate::files::worker());
    let rules: CellRules = RulePacks::shipped().unwrap().find(pack).unwrap().cell_rules();
    let plan = vet(sql, Scope { catalogue, grant: &granted }).unwrap();
    let protected = Protected::new(evidence(&worker, &plan, catalogue, tables));
    let setting = Setting { rules: &rules, ..SETTING };
    let released = engine_disclosure::release(&protected, &engine_service::shape(&plan), setting).unwrap();
    let rows = &released.table.get().rows;
    rows.iter().map(|row| row.last().unwrap().text()).filter(|persons| persons != "0").collect()
}

#[test]
fn a_table_of_two_municipalities_is_hidden_however_the_question_is_asked() {
    let catalogue = Catalogue::builtin().unwrap();
    let folder = tempfile::tempdir().unwrap();
    let tables = claims(&catalogue, folder.path());
    for below in [
        "care_claim",
        "(SELECT person_id, prefecture FROM care_claim)",
        "(SELECT DISTINCT person_id, prefecture FROM care_claim)",
        "(SELECT person_id, prefecture, count(*) AS k FROM care_claim GROUP BY person_id, prefecture)",
    ] {
        let sql = format!(
            "SELECT c.prefecture, count(DISTINCT c.person_id) AS n FROM {below} c GROUP BY c.prefecture"
        );
        assert_eq!(shown(&sql, "care-2023-4", &catalogue, &tables), ["30", "***"], "{sql}");
        assert_eq!(shown(&sql, "care-2023-3", &catalogue, &tables), ["30", "30"], "{sql}");
    }
}

#[test]
fn municipalities_are_counted_of_rows_that_are_looked_up_and_of_no_other_persons() {
    let catalogue = Catalogue::builtin().unwrap();
    let folder = tempfile::tempdir().unwrap();
    let mut tables = claims(&catalogue, folder.path());
    let persons: Rows = (1..=90).map(|person| BTreeMap::from([("person_id", person)])).collect();
    tables.insert("person".to_owned(), vec![write(&catalogue, "person", &persons, folder.path())]);
    let of = |sql: &str| {
        let mut shown = shown(sql, "care-2023-4", &catalogue, &tables);
        shown.sort();
        shown
    };
    // Thirty persons have claims of three municipalities, thirty of two, and thirty have none.
    let beside = "SELECT c.person_id IS NOT NULL AS k, count(DISTINCT p.person_id) AS n FROM person p \
        LEFT JOIN (SELECT DISTINCT person_id FROM care_claim) c ON c.person_id = p.person_id \
        GROUP BY c.person_id IS NOT NULL";
    assert_eq!(of(beside), ["30", "60"]);
    for (prefecture, expected) in [("13", "30"), ("27", "***")] {
        let rows = format!("FROM care_claim c WHERE c.prefecture = '{prefecture}'");
        for condition in [
            format!("p.person_id IN (SELECT c.person_id {rows})"),
            format!("EXISTS (SELECT 1 {rows} AND c.person_id = p.person_id)"),
        ] {
            let sql = format!("SELECT count(DISTINCT p.person_id) AS n FROM person p WHERE {condition}");
            assert_eq!(of(&sql), [expected], "{sql}");
        }
    }
}
