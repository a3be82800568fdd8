//! What a query would cost, said beside its verdict and before anything runs.
//!
//! Every figure follows from the query's text and from counts that hold for the snapshot as a whole: rows and bytes of
//! a table's files in the fiscal years of the permit, rounded to two digits. No condition of the query is applied to
//! data, so two questions that differ in a condition only have the same budget, and the budget tells nothing that the
//! catalogue's row counts do not.

use std::collections::BTreeSet;

use catalog_model::{FileEntry, Grant, ManifestBody};
use engine_protocol::{Budget, Limits};
use engine_vet::{PlanShape, VettedPlan};

/// The budget of a vetted plan on a snapshot.
pub(crate) fn of(plan: &VettedPlan, snapshot: &ManifestBody, grant: &Grant, limits: Limits) -> Budget {
    let tables: BTreeSet<&str> = plan.used().keys().map(String::as_str).collect();
    let rows = rows(&tables, snapshot, grant);
    let bytes = files(&tables, snapshot, grant).map(|file| file.bytes).fold(0, u64::saturating_add);
    let shape = plan.shape();
    let cells = shape.sets.iter().map(|set| of_set(shape, *set)).fold(0, u64::saturating_add);
    let rows = rounded(rows);
    // A table joined to itself has more rows than its files.
    let scans = plan.evidence().display_indent().to_string().matches("TableScan:").count();
    Budget {
        rows,
        bytes: rounded(bytes),
        cells,
        hidden_percent: (scans == 1 && shape.sets.len() == 1)
            .then(|| hidden(rows, cells, grant.thresholds.persons)),
        is_within: cells <= u64::from(limits.cells),
    }
}

/// The rows of these tables in the files that the permit's period reaches.
pub(crate) fn rows(tables: &BTreeSet<&str>, snapshot: &ManifestBody, grant: &Grant) -> u64 {
    files(tables, snapshot, grant).map(|file| file.rows).fold(0, u64::saturating_add)
}

/// The files of these tables that the permit's period reaches.
fn files<'a>(
    tables: &BTreeSet<&str>,
    snapshot: &'a ManifestBody,
    grant: &Grant,
) -> impl Iterator<Item = &'a FileEntry> {
    let tables = tables.iter().filter_map(|table| snapshot.tables.get(*table));
    tables.flat_map(|table| table.files_in(grant.period)).collect::<Vec<_>>().into_iter()
}

/// The cells of one grouping set. Each key can be "other" as well.
pub(crate) fn of_set(shape: &PlanShape, set: u32) -> u64 {
    let is_kept = |at: usize| set & (1_u32 << at.min(31)) != 0;
    let kept = shape.keys.iter().enumerate().filter(|(at, _)| is_kept(*at));
    kept.map(|(_, key)| key.domain.values.len() as u64 + 1).fold(1, u64::saturating_mul)
}

/// At least so many of a hundred cells are hidden: a shown one needs a row of each of `persons` persons, and a row of
/// one table lies in one cell. Rounded rows may be five in a hundred too few, which is allowed for.
fn hidden(rows: u64, cells: u64, persons: u32) -> u8 {
    let most = rows.saturating_add(rows / 10) / u64::from(persons.max(1));
    let shown = most.min(cells);
    let hidden = (cells - shown).saturating_mul(100) / cells.max(1);
    u8::try_from(hidden).unwrap_or(100)
}

/// To two digits.
fn rounded(number: u64) -> u64 {
    let mut unit: u64 = 1;
    while number / unit >= 100 {
        unit = unit.saturating_mul(10);
    }
    (number.saturating_add(unit / 2) / unit).saturating_mul(unit)
}

#[cfg(test)]
mod tests {
    use super::{hidden, rounded};

    #[test]
    fn counts_are_given_to_two_digits() {
        for (number, expected) in
            [(0, 0), (7, 7), (99, 99), (104, 100), (105, 110), (12_345, 12_000), (99_600, 100_000)]
        {
            assert_eq!(rounded(number), expected, "{number}");
        }
        assert_eq!(rounded(u64::MAX), 18_000_000_000_000_000_000);
    }

    #[test]
    fn what_must_be_hidden_never_exceeds_what_is() {
        // 1,000 rows can fill 100 cells of ten persons; rounding may have lost a few.
        assert_eq!(hidden(1_000, 100, 10), 0);
        assert_eq!(hidden(1_000, 1_100, 10), 90);
        assert_eq!(hidden(0, 10, 10), 100);
        for rows in [0_u64, 1, 9, 10, 95, 104, 999, 1_049, 1_051, 123_456] {
            for cells in [1_u64, 2, 10, 1_000] {
                // As many cells as possible have exactly ten rows.
                let shown = (rows / 10).min(cells);
                let least = (cells - shown) * 100 / cells;
                assert!(u64::from(hidden(rounded(rows), cells, 10)) <= least, "{rows} {cells}");
            }
        }
    }
}
