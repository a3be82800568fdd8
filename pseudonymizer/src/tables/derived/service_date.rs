//! Days of service: the set of days that a line carries, one row a day, for the lines that are asked for.

use std::ops::Range;

use arrow::array::{Int32Array, StringArray, UInt32Array};
use arrow::datatypes::Int32Type;

use super::rows::{Cell, Rows};
use super::run::Lines;
use super::sources::{Reading, days_of, each_person, text, value};
use crate::tables::files::FileError;

/// The tables of lines, what their lines are called, and the column of their code.
const KINDS: [(&str, &str, &str); 3] = [
    ("ndb_procedure", "procedure", "procedure_code"),
    ("ndb_drug", "drug", "drug_code"),
    ("ndb_material", "material", "material_code"),
];

/// The lines of a table that is asked for.
struct Dated {
    kind: &'static str,
    lines: Lines,
    codes: StringArray,
    days: Int32Array,
}

/// Writes the days of a bucket.
pub(super) fn derive(
    reading: &Reading<'_>,
    asked: &[String],
    classes: &[String],
    rows: &mut Rows,
) -> Result<(), FileError> {
    let mut tables = Vec::new();
    for (table, kind, code) in KINDS {
        if asked.iter().any(|asked| asked == table) {
            let lines = Lines::read(reading, table)?;
            let codes = lines.source.texts(code)?;
            let days = lines.source.numbers::<Int32Type>("service_days")?;
            tables.push(Dated { kind, lines, codes, days });
        }
    }
    // The tables that are not asked for have no person.
    let none = UInt32Array::from(Vec::<u32>::new());
    let persons = |at: usize| tables.get(at).map_or(&none, |table| &table.lines.source.persons);
    each_person([persons(0), persons(1), persons(2)], |person, of_person| {
        let mut found: Vec<(i32, u64, i32, usize, usize)> = Vec::new();
        for ((at, table), of_table) in tables.iter().enumerate().zip(of_person) {
            table.days_of(at, of_table, classes, &mut found);
        }
        found.sort_unstable();
        for (month, receipt, day, at, row) in found {
            if let Some(table) = tables.get(at) {
                table.write(person, (month, receipt, day), row, rows);
            }
        }
    });
    Ok(())
}

impl Dated {
    fn days_of(
        &self,
        at: usize,
        of_person: Range<usize>,
        classes: &[String],
        found: &mut Vec<(i32, u64, i32, usize, usize)>,
    ) {
        for row in of_person {
            let class = text(&self.lines.classes, row);
            let is_asked =
                classes.is_empty() || class.is_some_and(|class| classes.iter().any(|asked| asked == class));
            let place = value(&self.lines.months, row).zip(value(&self.lines.receipts, row));
            let Some(((month, receipt), days)) = place.zip(value(&self.days, row)) else { continue };
            if is_asked {
                found.extend(days_of(month, days).map(|day| (month, receipt, day, at, row)));
            }
        }
    }

    fn write(&self, person: u32, (month, receipt, day): (i32, u64, i32), row: usize, rows: &mut Rows) {
        let lines = &self.lines;
        rows.push(
            person,
            &[
                Cell::Id(receipt),
                Cell::facility(value(&lines.facilities, row)),
                Cell::Day(month),
                Cell::Day(day),
                Cell::text(text(&lines.prefectures, row)),
                Cell::text(text(&lines.settings, row)),
                Cell::text(text(&lines.classes, row)),
                Cell::int(value(&lines.runs, row)),
                Cell::Text(self.kind),
                Cell::text(text(&self.codes, row)),
            ],
        );
    }
}
