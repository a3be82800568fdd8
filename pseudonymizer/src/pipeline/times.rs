//! Rows of public tables that hold for a time: a code that two rows list for one day would be counted twice.

use std::path::Path;

use arrow::array::{Array as _, AsArray as _, Date32Array, RecordBatch};
use arrow::datatypes::Date32Type;
use catalog_model::Times;

use super::link;
use super::spill::PART;
use crate::tables::FileError;

/// A code that two rows list for one day, with the parts that they came in.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Overlap {
    pub(super) code: String,
    pub(super) parts: (u32, u32),
}

/// The first such code of a table's spilled rows.
pub(super) fn overlap(times: &Times, rows: &RecordBatch) -> Result<Option<Overlap>, FileError> {
    let path = Path::new("spill");
    let missing = |column: &str| FileError::Column { path: path.to_owned(), column: column.to_owned() };
    let day = |column: &str| {
        let days = rows.column_by_name(column).and_then(|array| array.as_primitive_opt::<Date32Type>());
        days.ok_or_else(|| missing(column))
    };
    let parts = link::numbers(rows, PART, path)?;
    let codes = rows.column_by_name(&times.of).and_then(|array| array.as_string_opt::<i32>());
    let codes = codes.ok_or_else(|| missing(&times.of))?;
    let (from, to) = (day(&times.from)?, day(&times.to)?);
    let value = |days: &Date32Array, row: usize| days.is_valid(row).then(|| days.value(row));
    let mut held: Vec<(&str, i32, i32, u32)> = (0..rows.num_rows())
        .filter(|row| codes.is_valid(*row))
        .map(|row| {
            let (first, last) = (value(from, row).unwrap_or(i32::MIN), value(to, row).unwrap_or(i32::MAX));
            (codes.value(row), first, last, parts.value(row))
        })
        .collect();
    held.sort_unstable();
    // Where no neighbours overlap, each time ends before all later ones begin.
    let mut neighbours = held.iter().zip(held.iter().skip(1));
    let found = neighbours.find(|((one, _, last, _), (other, first, _, _))| one == other && first <= last);
    Ok(found.map(|((code, _, _, one), (_, _, _, other))| Overlap {
        code: (*code).to_owned(),
        parts: (*one, *other),
    }))
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use arrow::array::{ArrayRef, Date32Array, RecordBatch, StringArray, UInt32Array};
    use catalog_model::Times;

    use super::{Overlap, PART, overlap};

    type Row = (u32, &'static str, Option<i32>, Option<i32>);

    fn found(rows: &[Row]) -> Option<Overlap> {
        let columns: [(&str, ArrayRef); 4] = [
            (PART, Arc::new(rows.iter().map(|row| Some(row.0)).collect::<UInt32Array>())),
            ("code", Arc::new(rows.iter().map(|row| Some(row.1)).collect::<StringArray>())),
            ("first", Arc::new(rows.iter().map(|row| row.2).collect::<Date32Array>())),
            ("last", Arc::new(rows.iter().map(|row| row.3).collect::<Date32Array>())),
        ];
        let [of, from, to] = ["code", "first", "last"].map(str::to_owned);
        overlap(&Times { of, from, to }, &RecordBatch::try_from_iter(columns).unwrap()).unwrap()
    }

    #[test]
    fn a_code_that_holds_twice_on_one_day_is_found_with_its_parts() {
        let twice = |one, other| Some(Overlap { code: "13991".to_owned(), parts: (one, other) });
        let merged: [Row; 3] =
            [(0, "13991", None, Some(99)), (0, "13991", Some(100), None), (0, "13992", Some(50), None)];
        assert_eq!(found(&merged), None);
        assert_eq!(found(&[merged[1], merged[0]]), None);
        // The same list once more, without days.
        assert_eq!(found(&[merged[0], merged[1], (4, "13991", None, None)]), twice(0, 4));
        assert_eq!(found(&[(1, "13991", None, None), (2, "13991", None, None)]), twice(1, 2));
        // The day on which one ends and the other begins.
        assert_eq!(found(&[(1, "13991", Some(10), Some(20)), (2, "13991", Some(20), None)]), twice(1, 2));
    }
}
