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
    let (granted, worker) = (grant(&catalogue), crate::files::worker());
    let packs = RulePacks::shipped().unwrap();
    let rules = packs.find("care-2023-4").unwrap().cell_rules();
    let sql = "SELECT care_level, count(DISTINCT person_id) AS n FROM care_need_interval GROUP BY care_level";
    let plan = vet(sql, Scope { catalogue: &catalogue, grant: &granted }).unwrap();
    let protected = Protected::new(evidence(&worker, &plan, &catalogue, &tables));
    let shape = engine_service::shape(&plan);
    let released =
        engine_disclosure::release(&protected, &shape, Setting { rules: &rules, ..SETTING }).unwrap();
    let shown = |code: &str| {
        let rows = &released.table.get().rows;
        rows.iter().find(|row| row[0].text() == code).map(|row| row[1].text())
    };
    assert_eq!((shown("21").as_deref(), shown("23").as_deref()), (Some("***"), Some("30")));
}

#[test]
fn a_table_of_two_municipalities_is_hidden_however_the_question_is_asked() {
    let catalogue = Catalogue::builtin().unwrap();
    let folder = tempfile::tempdir().unwrap();
    let tables = claims(&catalogue, folder.path());
    let (granted, worker) = (grant(&catalogue), crate::files::worker());
    let packs = RulePacks::shipped().unwrap();
    let rules = |pack: &str| packs.find(pack).unwrap().cell_rules();
    for below in [
        "care_claim",
        "(SELECT person_id, prefecture FROM care_claim)",
        "(SELECT DISTINCT person_id, prefecture FROM care_claim)",
        "(SELECT person_id, prefecture, count(*) AS k FROM care_claim GROUP BY person_id, prefecture)",
    ] {
        let sql = format!(
            "SELECT c.prefecture, count(DISTINCT c.person_id) AS n FROM {below} c GROUP BY c.prefecture"
        );
        let plan = vet(&sql, Scope { catalogue: &catalogue, grant: &granted }).unwrap();
        let protected = Protected::new(evidence(&worker, &plan, &catalogue, &tables));
        let shape = engine_service::shape(&plan);
        let shown = |rules: CellRules| -> Vec<String> {
            let setting = Setting { rules: &rules, ..SETTING };
            let released = engine_disclosure::release(&protected, &shape, setting).unwrap();
            let rows = &released.table.get().rows;
            rows.iter().map(|row| row[1].text()).filter(|persons| persons != "0").collect()
        };
        assert_eq!(shown(rules("care-2023-4")), ["30", "***"], "{sql}");
        assert_eq!(shown(rules("care-2023-3")), ["30", "30"], "{sql}");
    }
}
