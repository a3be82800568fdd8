//! The anonymized tier from catalogue to released table: the example by which the law's slides explain it.
//!
//! Born on 26 July 2003, 53.4 kg, a systolic pressure of 211, a rare disease: what is seen is July 2003, 50 to 55, 201
//! or over, other. The pseudonymized tier, over the same rows, keeps the values.

use std::collections::BTreeMap;
use std::path::PathBuf;

use catalog_model::{Catalogue, Date, Grant, Period, Tier};
use classified::Protected;
use engine_protocol::{CellValue, ReleasedTable};
use engine_vet::{FUNCTION_SYSTEMS, NotVetted, Scope, vet};

use crate::people::{Rows, write};
use crate::queries::{SETTING, grant};

struct Bench {
    catalogue: Catalogue,
    tables: BTreeMap<String, Vec<PathBuf>>,
    _folder: tempfile::TempDir,
}

/// Twelve people like the one of the example, and twelve others.
fn bench() -> Bench {
    let catalogue = Catalogue::builtin().unwrap();
    let day = |year, month, day| i64::from(Date::from_ymd(year, month, day).unwrap().days());
    let month = day(2023, 5, 1);
    let (mut persons, mut checkups, mut diagnoses) = (Rows::new(), Rows::new(), Rows::new());
    for number in 0..24_i64 {
        let is_like = number < 12;
        let id = ("person_id", number + 1);
        let birth = if is_like { day(2003, 7, 26) } else { day(1960, 1, 5) };
        persons.push(BTreeMap::from([id, ("birth_date", birth)]));
        let (weight, systolic) = if is_like { (5_340_000, 21_100_000) } else { (6_100_000, 13_000_000) };
        checkups.push(BTreeMap::from([
            id,
            ("exam_month", month),
            ("weight", weight),
            ("systolic", systolic),
        ]));
        let icd10 = i64::from(!is_like);
        diagnoses.push(BTreeMap::from([id, ("service_month", month), ("icd10", icd10)]));
    }
    let folder = tempfile::tempdir().unwrap();
    let of =
        |table: &str, rows: &Rows| (table.to_owned(), vec![write(&catalogue, table, rows, folder.path())]);
    let tables = [of("person", &persons), of("ndb_checkup_wide", &checkups), of("ndb_diagnosis", &diagnoses)];
    Bench { tables: tables.into(), catalogue, _folder: folder }
}

impl Bench {
    fn grant(&self, tier: Tier) -> Grant {
        let period = Period { from: "2023-04".parse().unwrap(), to: "2024-03".parse().unwrap() };
        Grant { tier, period, ..grant(&self.catalogue) }
    }

    fn ask(&self, tier: Tier, sql: &str) -> Result<ReleasedTable, NotVetted> {
        let grant = self.grant(tier);
        let plan = vet(sql, Scope { catalogue: &self.catalogue, grant: &grant })?;
        let request = crate::files::request(&plan, &self.catalogue, &grant);
        let worker = crate::files::worker();
        let evidence = crate::files::evidence(&worker, request, std::slice::from_ref(&self.tables));
        let shape = engine_service::shape(&plan);
        let released = engine_disclosure::release(&Protected::new(evidence), &shape, SETTING).unwrap();
        Ok(released.table.into_inner())
    }

    fn shown(&self, tier: Tier, sql: &str) -> Vec<Vec<String>> {
        let table = self.ask(tier, sql).unwrap_or_else(|error| panic!("{error:?}\n{sql}"));
        let english = |cell: &CellValue| match cell {
            CellValue::Key { en, .. } => en.clone(),
            other => other.text(),
        };
        let is_shown = |row: &Vec<String>| row.last().is_some_and(|text| text != "***" && text != "0");
        let rows = table.rows.iter().map(|row| row.iter().map(english).collect());
        rows.filter(is_shown).collect()
    }
}

#[test]
fn the_example_of_the_law_is_seen_as_its_slide_has_it() {
    let bench = bench();
    let sql = "SELECT p.birth_date, c.weight, c.systolic, count(DISTINCT p.person_id) AS persons FROM person p \
        JOIN ndb_checkup_wide c ON c.person_id = p.person_id GROUP BY p.birth_date, c.weight, c.systolic";
    let expected =
        [["1960-01", "60 to 65", "121 to 131", "12"], ["2003-07", "50 to 55", "201 or over", "12"]];
    assert_eq!(bench.shown(Tier::Anonymized, sql), expected);
    let rare = "SELECT CASE WHEN icd10 = 'other' THEN 'other' ELSE 'named' END AS disease, \
        count(DISTINCT person_id) AS persons FROM ndb_diagnosis GROUP BY disease";
    assert_eq!(bench.shown(Tier::Anonymized, rare), [["other", "12"], ["named", "12"]]);
}

#[test]
fn no_condition_meets_a_value_that_the_tier_does_not_show() {
    let bench = bench();
    let rare = "SELECT count(DISTINCT person_id) AS persons FROM ndb_diagnosis WHERE icd10 LIKE 'G10%'";
    assert!(bench.shown(Tier::Anonymized, rare).is_empty());
    assert_eq!(bench.shown(Tier::Pseudonymized, rare), [["12"]]);
    for sql in [
        "SELECT count(*) FROM ndb_checkup_wide WHERE weight > 53",
        "SELECT avg(weight) FROM ndb_checkup_wide",
        "SELECT count(*) FROM ndb_diagnosis WHERE disease_code = '9990010'",
        "SELECT sum(visit_days) FROM ndb_receipt",
    ] {
        assert!(bench.ask(Tier::Anonymized, sql).is_err(), "{sql}");
    }
    let exact = "SELECT birth_date, count(DISTINCT person_id) AS n FROM person GROUP BY birth_date";
    assert!(bench.ask(Tier::Pseudonymized, exact).is_err());
    let kept =
        "SELECT count(DISTINCT person_id) AS n FROM ndb_checkup_wide WHERE weight > 53 AND weight < 54";
    assert_eq!(bench.shown(Tier::Pseudonymized, kept), [["12"]]);
}

#[test]
fn an_excerpt_is_quicker_than_the_catalogue() {
    let texts = catalog_model::BUILTIN.iter().copied();
    let begin = std::time::Instant::now();
    let catalogue = Catalogue::parse(texts).unwrap();
    let whole = begin.elapsed();
    let excerpt = catalogue.excerpt(["person", "ndb_receipt"], &FUNCTION_SYSTEMS);
    let begin = std::time::Instant::now();
    let part = excerpt.catalogue();
    // Printed, not asserted: a busy machine must not fail the build.
    println!("catalogue parsed in {whole:?}, an excerpt taken up in {:?}", begin.elapsed());
    let sql = "SELECT sex, count(DISTINCT person_id) FROM person GROUP BY sex";
    let grant = grant(&catalogue);
    let vetted = |catalogue| vet(sql, Scope { catalogue, grant: &grant }).unwrap().hash().to_owned();
    assert_eq!(vetted(&catalogue), vetted(&part));
}
