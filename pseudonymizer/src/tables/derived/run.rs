//! Runs of lines that are charged together (点数・回数算定単位): one row each, so that points add up.

use std::collections::BTreeMap;

use arrow::array::{Date32Array, Int64Array, StringArray, UInt32Array, UInt64Array};
use arrow::datatypes::{Date32Type, Int64Type, UInt32Type, UInt64Type};

use super::rows::{Cell, Rows};
use super::sources::{Reading, Source, each_person, text, value};
use crate::tables::files::FileError;

/// The lines of a table, with what runs and days of service need.
pub(super) struct Lines {
    pub(super) source: Source,
    pub(super) receipts: UInt64Array,
    pub(super) facilities: UInt32Array,
    pub(super) months: Date32Array,
    pub(super) prefectures: StringArray,
    pub(super) settings: StringArray,
    pub(super) classes: StringArray,
    pub(super) runs: Int64Array,
    points: Int64Array,
}

impl Lines {
    pub(super) fn read(reading: &Reading<'_>, table: &'static str) -> Result<Self, FileError> {
        let source = reading.table(table)?;
        Ok(Self {
            receipts: source.numbers::<UInt64Type>("receipt_id")?,
            facilities: source.numbers::<UInt32Type>("facility_id")?,
            months: source.numbers::<Date32Type>("service_month")?,
            prefectures: source.texts("prefecture")?,
            settings: source.texts("setting")?,
            classes: source.texts("service_class")?,
            runs: source.numbers::<Int64Type>("claim_run")?,
            points: source.numbers::<Int64Type>("run_points")?,
            source,
        })
    }
}

/// What becomes known of a run.
#[derive(Default)]
struct Known {
    facility: Option<u32>,
    /// The first line: which table, which row.
    first: Option<(usize, usize)>,
    /// Lines by table.
    lines: [usize; 3],
    points: Option<i64>,
    yen: Option<i64>,
}

fn add(to: &mut Option<i64>, points: Option<i64>) {
    if let Some(points) = points {
        *to = Some(to.unwrap_or(0).saturating_add(points));
    }
}

/// The runs of a person by month, receipt and number.
type Runs = BTreeMap<(i32, u64, i64), Known>;

/// Writes the runs of a bucket.
pub(super) fn derive(
    reading: &Reading<'_>,
    yen_classes: &[String],
    rows: &mut Rows,
) -> Result<(), FileError> {
    let tables = [
        Lines::read(reading, "ndb_procedure")?,
        Lines::read(reading, "ndb_drug")?,
        Lines::read(reading, "ndb_material")?,
    ];
    let dispensings = Dispensings::read(reading)?;
    let [procedures, drugs, materials] = &tables;
    let persons = [
        &procedures.source.persons,
        &drugs.source.persons,
        &materials.source.persons,
        &dispensings.source.persons,
    ];
    each_person(persons, |person, [procedures, drugs, materials, dispensed]| {
        let mut runs = Runs::new();
        for ((at, lines), of_person) in tables.iter().enumerate().zip([procedures, drugs, materials]) {
            of_person.for_each(|row| note(lines, (at, row), yen_classes, &mut runs));
        }
        dispensed.for_each(|row| dispensings.note(row, &mut runs));
        for ((month, receipt, run), known) in runs {
            write(person, (month, receipt, run), &known, &tables, rows);
        }
    });
    Ok(())
}

fn note(lines: &Lines, (at, row): (usize, usize), yen_classes: &[String], runs: &mut Runs) {
    let place = value(&lines.months, row).zip(value(&lines.receipts, row)).zip(value(&lines.runs, row));
    let Some(((month, receipt), run)) = place else { return };
    let known = runs.entry((month, receipt, run)).or_default();
    known.facility = known.facility.or_else(|| value(&lines.facilities, row));
    known.first.get_or_insert((at, row));
    if let Some(count) = known.lines.get_mut(at) {
        *count += 1;
    }
    let is_yen =
        text(&lines.classes, row).is_some_and(|class| yen_classes.iter().any(|known| known == class));
    let sum = if is_yen { &mut known.yen } else { &mut known.points };
    add(sum, value(&lines.points, row));
}

fn write(person: u32, place: (i32, u64, i64), known: &Known, tables: &[Lines; 3], rows: &mut Rows) {
    let (month, receipt, run) = place;
    let first = known.first.and_then(|(at, row)| Some((tables.get(at)?, row)));
    let said = |of: fn(&Lines) -> &StringArray| first.and_then(|(lines, row)| text(of(lines), row));
    let [procedures, drugs, materials] = known.lines;
    rows.push(
        person,
        &[
            Cell::Id(receipt),
            Cell::facility(known.facility),
            Cell::Day(month),
            Cell::text(said(|lines| &lines.prefectures)),
            Cell::text(said(|lines| &lines.settings)),
            Cell::text(said(|lines| &lines.classes)),
            Cell::Int(run),
            Cell::count(procedures + drugs + materials),
            Cell::count(procedures),
            Cell::count(drugs),
            Cell::count(materials),
            Cell::int(known.points),
            Cell::int(known.yen),
        ],
    );
}

/// Dispensings of pharmacy receipts, whose points stand apart from the lines.
struct Dispensings {
    source: Source,
    receipts: UInt64Array,
    facilities: UInt32Array,
    months: Date32Array,
    runs: Int64Array,
    fees: Int64Array,
    drugs: Int64Array,
}

impl Dispensings {
    fn read(reading: &Reading<'_>) -> Result<Self, FileError> {
        let source = reading.table("ndb_dispensing")?;
        Ok(Self {
            receipts: source.numbers::<UInt64Type>("receipt_id")?,
            facilities: source.numbers::<UInt32Type>("facility_id")?,
            months: source.numbers::<Date32Type>("service_month")?,
            runs: source.numbers::<Int64Type>("claim_run")?,
            fees: source.numbers::<Int64Type>("fee_points")?,
            drugs: source.numbers::<Int64Type>("drug_points")?,
            source,
        })
    }

    fn note(&self, row: usize, runs: &mut Runs) {
        let place = value(&self.months, row).zip(value(&self.receipts, row)).zip(value(&self.runs, row));
        let Some(((month, receipt), run)) = place else { return };
        let known = runs.entry((month, receipt, run)).or_default();
        known.facility = known.facility.or_else(|| value(&self.facilities, row));
        add(&mut known.points, value(&self.fees, row));
        add(&mut known.points, value(&self.drugs, row));
    }
}
