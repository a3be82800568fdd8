//! Generated queries over generated people: who is taken away changes only the cells that they are in.
//!
//! The engine lets a query through because every step below the release works person by person. Here that is tried:
//! queries come from a grammar, people from a seed, and each query runs with everybody and without one person. Cells
//! without that person keep every figure; cells with them lose that person and no other; what is shown stands on at
//! least k persons; and where nothing that is shown changes, the answer does not differ in a single byte.
//!
//! `MISU_TEST_GENERATED` says how many queries are made and run (100,000 in the long run); without it 5,000 are vetted,
//! and the first of them run.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use arrow::array::{
    ArrayRef, BooleanArray, Date32Array, Decimal128Array, Int32Array, Int64Array, StringArray, UInt32Array,
    UInt64Array,
};
use arrow::datatypes::DataType;
use arrow::record_batch::RecordBatch;
use catalog_model::{Catalogue, Date};
use classified::Protected;
use engine_protocol::{Evidence, EvidenceCell};
use engine_service::WorkerProgram;
use engine_vet::{Scope, VettedPlan, vet};
use parquet::arrow::ArrowWriter;
use roaring::RoaringBitmap;

use crate::dice::Dice;
use crate::queries::{SETTING, grant};

/// Queries that are vetted, and those of them that run, in `make test`.
const VETTED: usize = 5_000;
const RUN: usize = 60;
pub(crate) const PEOPLE: u32 = 60;

/// One of several words.
pub(crate) fn of<'a>(dice: &mut Dice, choices: &[&'a str]) -> &'a str {
    choices[usize::try_from(dice.below(choices.len() as u64)).unwrap()]
}

/// A condition on receipts `r` of one person.
pub(crate) fn condition(dice: &mut Dice, depth: u32) -> String {
    if depth > 0 && dice.below(3) == 0 {
        let (one, two) = (condition(dice, depth - 1), condition(dice, depth - 1));
        return match dice.below(3) {
            0 => format!("({one} AND {two})"),
            1 => format!("({one} OR {two})"),
            _ => format!("(NOT {one})"),
        };
    }
    let points = dice.below(3_000);
    match dice.below(9) {
        0 => format!("r.total_points > {points}"),
        1 => format!("r.total_points BETWEEN {} AND {points}", points / 2),
        2 => format!("r.setting = '{}'", of(dice, &["inpatient", "outpatient"])),
        3 => format!("r.prefecture IN ('{}', '27')", of(dice, &["13", "40"])),
        4 => format!("r.service_month >= DATE '2023-{:02}-01'", 4 + dice.below(6)),
        5 => {
            format!("r.person_id IN (SELECT d.person_id FROM ndb_drug d WHERE d.points > {})", dice.below(80))
        }
        6 => format!(
            "EXISTS (SELECT 1 FROM ndb_drug d WHERE d.person_id = r.person_id AND d.points < r.total_points AND d.times > {})",
            dice.below(4)
        ),
        7 => "r.admission_date IS NULL".to_owned(),
        _ => format!("r.total_points + r.service_days <> {points}"),
    }
}

/// What the receipts are taken from: as they are, numbered within a person, aggregated, joined or united.
pub(crate) fn relation(dice: &mut Dice) -> String {
    let order = of(dice, &["service_month", "total_points", "prefecture"]);
    match dice.below(6) {
        0 | 1 => "ndb_receipt r".to_owned(),
        2 => format!(
            "(SELECT * FROM (SELECT person_id, facility_id, prefecture, setting, service_month, admission_date, service_days, total_points, \
             row_number() OVER (PARTITION BY person_id ORDER BY {order}) AS n FROM ndb_receipt) x WHERE x.n <= {}) r",
            1 + dice.below(4)
        ),
        3 => "(SELECT person_id, prefecture, setting, max(service_month) AS service_month, min(admission_date) AS admission_date, \
              sum(service_days) AS service_days, sum(total_points) AS total_points FROM ndb_receipt GROUP BY person_id, prefecture, setting) r"
            .to_owned(),
        4 => "(SELECT person_id, prefecture, setting, service_month, admission_date, service_days, total_points FROM ndb_receipt \
              UNION ALL SELECT person_id, prefecture, setting, service_month, admission_date, service_days, total_points \
              FROM ndb_receipt WHERE total_points > 900) r"
            .to_owned(),
        _ => "ndb_receipt r LEFT JOIN ndb_drug g ON g.person_id = r.person_id AND g.service_month = r.service_month".to_owned(),
    }
}

/// A query of the grammar.
fn query(dice: &mut Dice) -> String {
    let keys = of(dice, &["r.prefecture", "r.setting", "r.prefecture, r.setting", "r.service_month", ""]);
    let aggregates = [
        "count(*)",
        "count(DISTINCT r.person_id)",
        "sum(r.total_points)",
        "avg(r.total_points)",
        "stddev(r.service_days)",
        "median(r.total_points)",
    ];
    let mut shown = vec!["count(DISTINCT r.person_id)".to_owned()];
    for _ in 0..=dice.below(2) {
        let condition = condition_without_subquery(dice);
        shown.push(match dice.below(4) {
            0 => format!("count(*) FILTER (WHERE {condition})"),
            1 => format!("sum(CASE WHEN {condition} THEN r.total_points END)"),
            2 => format!("count(DISTINCT CASE WHEN {condition} THEN r.person_id END)"),
            _ => of(dice, &aggregates).to_owned(),
        });
    }
    let (relation, condition) = (relation(dice), condition(dice, 2));
    let group = match (keys, dice.below(4)) {
        ("", _) => String::new(),
        (keys, 0) => format!(" GROUP BY ROLLUP ({keys})"),
        (keys, 1) => format!(" GROUP BY CUBE ({keys})"),
        (keys, _) => format!(" GROUP BY {keys}"),
    };
    let above = match dice.below(4) {
        0 => " HAVING count(DISTINCT r.person_id) > 12",
        1 => " ORDER BY count(DISTINCT r.person_id) DESC LIMIT 3",
        _ => "",
    };
    let shown: Vec<String> = shown.iter().enumerate().map(|(at, one)| format!("{one} AS a{at}")).collect();
    let comma = if keys.is_empty() { "" } else { ", " };
    format!("SELECT {keys}{comma}{} FROM {relation} WHERE {condition}{group}{above}", shown.join(", "))
}

fn condition_without_subquery(dice: &mut Dice) -> String {
    loop {
        let found = condition(dice, 1);
        if !found.contains("SELECT") {
            return found;
        }
    }
}

/// Rows of a table as named columns; a column that is not named is missing everywhere.
pub(crate) type Rows = Vec<BTreeMap<&'static str, i64>>;

const TEXTS: [(&str, [&str; 3]); 4] = [
    ("prefecture", ["13", "27", "40"]),
    ("setting", ["inpatient", "outpatient", "outpatient"]),
    ("icd10", ["G10", "I10", "E119"]),
    ("care_level", ["21", "23", "25"]),
];

pub(crate) fn write(catalogue: &Catalogue, table: &str, rows: &Rows, folder: &Path) -> PathBuf {
    let schema = catalog_model::arrow_schema(&catalogue.tables[table]);
    let columns = schema.fields().iter().map(|field| -> ArrayRef {
        let value = |row: &BTreeMap<&'static str, i64>| row.get(field.name().as_str()).copied();
        let values = rows.iter().map(value);
        match field.data_type() {
            DataType::UInt32 => Arc::new(
                values.map(|value| value.map(|value| u32::try_from(value).unwrap())).collect::<UInt32Array>(),
            ),
            DataType::UInt64 => Arc::new(
                values.map(|value| value.map(|value| u64::try_from(value).unwrap())).collect::<UInt64Array>(),
            ),
            DataType::Int64 => Arc::new(values.collect::<Int64Array>()),
            DataType::Int32 => Arc::new(
                values.map(|value| value.map(|value| i32::try_from(value).unwrap())).collect::<Int32Array>(),
            ),
            DataType::Date32 => Arc::new(
                values.map(|value| value.map(|value| i32::try_from(value).unwrap())).collect::<Date32Array>(),
            ),
            DataType::Boolean => {
                Arc::new(values.map(|value| value.map(|value| value > 0)).collect::<BooleanArray>())
            }
            DataType::Decimal128(precision, scale) => {
                let array: Decimal128Array = values.map(|value| value.map(i128::from)).collect();
                Arc::new(array.with_precision_and_scale(*precision, *scale).unwrap())
            }
            _ => {
                let texts = TEXTS.iter().find(|(name, _)| name == field.name()).map(|(_, texts)| texts);
                let text = |value: i64| texts.unwrap()[usize::try_from(value).unwrap()];
                Arc::new(values.map(|value| value.map(text)).collect::<StringArray>())
            }
        }
    });
    // A column that may not be missing has a value in every row, whatever it means.
    let columns: Vec<ArrayRef> = columns.collect();
    let fields = schema.fields().iter().map(|field| field.as_ref().clone().with_nullable(true));
    let schema = Arc::new(arrow::datatypes::Schema::new(fields.collect::<Vec<_>>()));
    let batch = RecordBatch::try_new(Arc::clone(&schema), columns).unwrap();
    let path = folder.join(format!("{table}.parquet"));
    let mut writer = ArrowWriter::try_new(std::fs::File::create(&path).unwrap(), schema, None).unwrap();
    writer.write(&batch).unwrap();
    writer.close().unwrap();
    path
}

pub(crate) type Tables = BTreeMap<String, Vec<PathBuf>>;

/// Invented receipts and drugs of everybody but one person.
pub(crate) fn people(catalogue: &Catalogue, without: Option<u32>, folder: &Path) -> Tables {
    let mut dice = Dice(11);
    let (mut receipts, mut drugs): (Rows, Rows) = (Vec::new(), Vec::new());
    let day =
        |month: u64| i64::from(Date::from_ymd(2023, u32::try_from(4 + month).unwrap(), 1).unwrap().days());
    for person in 1..=PEOPLE {
        let home = dice.below(3);
        for number in 0..1 + dice.below(6) {
            let month = dice.below(8);
            let mut row = BTreeMap::from([
                ("person_id", i64::from(person)),
                ("receipt_id", i64::from(person) * 10 + i64::try_from(number).unwrap()),
                ("facility_id", i64::try_from(1 + dice.below(6)).unwrap()),
                ("service_month", day(month)),
                ("prefecture", i64::try_from(home).unwrap()),
                ("setting", i64::try_from(dice.below(3)).unwrap()),
                ("total_points", i64::try_from(dice.below(3_000)).unwrap()),
                ("service_days", i64::try_from(dice.below(28)).unwrap()),
            ]);
            if dice.below(4) == 0 {
                row.insert("admission_date", day(month) + 3);
            }
            receipts.push(row);
            drugs.push(BTreeMap::from([
                ("person_id", i64::from(person)),
                ("service_month", day(dice.below(8))),
                ("points", i64::try_from(dice.below(100)).unwrap()),
                ("times", i64::try_from(dice.below(6)).unwrap()),
            ]));
        }
    }
    let is_there =
        |row: &BTreeMap<&'static str, i64>| without.is_none_or(|gone| row["person_id"] != i64::from(gone));
    receipts.retain(is_there);
    drugs.retain(is_there);
    std::fs::create_dir_all(folder).unwrap();
    let tables = [("ndb_receipt", &receipts), ("ndb_drug", &drugs)];
    let files = tables.map(|(table, rows)| (table.to_owned(), vec![write(catalogue, table, rows, folder)]));
    files.into_iter().collect()
}

pub(crate) fn evidence(
    worker: &WorkerProgram,
    plan: &VettedPlan,
    catalogue: &Catalogue,
    tables: &Tables,
) -> Evidence {
    let request = crate::files::request(plan, catalogue, &grant(catalogue));
    crate::files::evidence(worker, request, std::slice::from_ref(tables))
}

pub(crate) fn persons(bytes: &[u8]) -> RoaringBitmap {
    RoaringBitmap::deserialize_from(bytes).unwrap()
}

/// Compares the evidence with everybody and without one person.
fn check(sql: &str, whole: &Evidence, less: &Evidence, gone: u32) {
    let by_key = |evidence: &Evidence| -> BTreeMap<Vec<u32>, EvidenceCell> {
        evidence.cells.iter().map(|cell| (cell.key.clone(), cell.clone())).collect()
    };
    let (whole, less) = (by_key(whole), by_key(less));
    assert!(less.keys().all(|key| whole.contains_key(key)), "a cell appears: {sql}");
    for (key, cell) in &whole {
        let behind = persons(&cell.parts[0].persons);
        let Some(other) = less.get(key) else {
            assert_eq!(behind.iter().collect::<Vec<_>>(), [gone], "{sql}");
            continue;
        };
        for (part, other) in cell.parts.iter().zip(&other.parts) {
            let mut left = persons(&part.persons);
            if !left.remove(gone) {
                // Another part of the cell may hold the person; this one is the same to the last figure.
                assert_eq!(part, other, "{key:?} of {sql}");
            }
            assert_eq!(left, persons(&other.persons), "{key:?} of {sql}");
        }
    }
}

#[test]
fn taking_a_person_away_changes_only_the_cells_that_they_are_in() {
    let catalogue = Catalogue::builtin().unwrap();
    let folder = tempfile::tempdir().unwrap();
    let gone = 7;
    let whole = people(&catalogue, None, &folder.path().join("whole"));
    let less = people(&catalogue, Some(gone), &folder.path().join("less"));
    let asked = std::env::var("MISU_TEST_GENERATED").ok().map(|number| number.parse::<usize>().unwrap());
    let (run, vetted) = asked.map_or((RUN, VETTED), |number| (number, number));
    let granted = grant(&catalogue);
    let mut dice = Dice(5);
    let worker = crate::files::worker();
    let (mut same, mut withheld) = (0, 0);
    for number in 0..vetted {
        let sql = query(&mut dice);
        let scope = Scope { catalogue: &catalogue, grant: &granted };
        let plan = vet(&sql, scope).unwrap_or_else(|error| panic!("{error:?}\n{sql}"));
        if number >= run {
            continue;
        }
        let of = |tables| evidence(&worker, &plan, &catalogue, tables);
        let (all, rest) = (of(&whole), of(&less));
        check(&sql, &all, &rest, gone);
        let shape = engine_service::shape(&plan);
        let released = [all, rest].map(|evidence| {
            let protected = Protected::new(evidence);
            let release = engine_disclosure::release(&protected, &shape, SETTING).ok()?;
            Some(release.table.get().clone())
        });
        // Of so few persons a table may be withheld; everybody is told that in the same words.
        let [Some(one), Some(two)] = &released else {
            withheld += 1;
            continue;
        };
        // The envelope is made of the protected table alone.
        if one.rows == two.rows && one.suppressed == two.suppressed {
            let [one, two] = [one, two].map(|table| serde_json::to_vec(table).unwrap());
            assert_eq!(one, two, "{sql}");
            same += 1;
        }
    }
    println!("{run} of {vetted} queries ran twice, {same} with the same answer, {withheld} withheld");
    assert!(withheld * 10 < run, "{withheld} of {run} queries are withheld");
}
