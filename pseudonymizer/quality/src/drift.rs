//! Rows by table and month beside the months before, and what of all figures deserves a look.

use std::collections::{BTreeMap, BTreeSet};

use catalog_model::Month;
use polars::prelude::{
    DataFrame, DataType, Expr, IntoLazy as _, RollingOptionsFixedWindow, SortMultipleOptions, col, df, lit,
};
use reports::quality::profile::{DeliveryProfile, Remark, RemarkKind, TableMonth};

use crate::failure::Failure;
use crate::rows::{number, string};

/// Months that make the usual.
const USUAL: usize = 3;
/// A table's rows may move by this share of the usual, in thousandths.
const ROWS: u64 = 200;
/// Where fewer rows are usual than these, a month says little.
const FEW: u64 = 100;
/// A column's share of empty values may move by this many thousandths.
const NULLS: u64 = 50;
/// Codes that a system does not have: more than one in a hundred deserves a look.
const UNKNOWN: u64 = 100;

/// The mean of the months before, within each group of a sorted frame; null for the first.
fn usual(figure: &str, group: &[&str]) -> Result<Expr, Failure> {
    let options = RollingOptionsFixedWindow {
        window_size: USUAL,
        min_periods: 1,
        ..RollingOptionsFixedWindow::default()
    };
    let before = col(figure).cast(DataType::Float64).shift(lit(1)).rolling_mean(options);
    let group: Vec<Expr> = group.iter().map(|name| col(*name)).collect();
    // Truncating half more is rounding.
    Ok((before + lit(0.5)).cast(DataType::UInt64).over(group)?)
}

fn sorted(frame: DataFrame, by: &[&str]) -> polars::prelude::LazyFrame {
    frame
        .lazy()
        .sort_by_exprs(by.iter().map(|name| col(*name)).collect::<Vec<_>>(), SortMultipleOptions::default())
}

/// Rows by table and month. Public facts are delivered once and have no drift.
pub(crate) fn tables(deliveries: &[DeliveryProfile]) -> Result<Vec<TableMonth>, Failure> {
    let (mut databases, mut tables, mut months, mut rows) = (Vec::new(), Vec::new(), Vec::new(), Vec::new());
    for delivery in deliveries.iter().filter(|delivery| delivery.database != "public") {
        for (name, table) in &delivery.tables {
            databases.push(delivery.database.as_str());
            tables.push(name.as_str());
            months.push(delivery.month.as_str());
            rows.push(table.rows);
        }
    }
    if rows.is_empty() {
        return Ok(Vec::new());
    }
    let frame = df!("database" => databases, "table" => tables, "month" => months, "rows" => rows)?;
    let frame = frame
        .lazy()
        .group_by([col("database"), col("table"), col("month")])
        .agg([col("rows").sum()])
        .collect()?;
    let frame = sorted(frame, &["database", "table", "month"])
        .with_columns([usual("rows", &["database", "table"])?.alias("usual")])
        .collect()?;
    let row = |row| {
        let rows = number(&frame, "rows", row);
        let usual = some(&frame, "usual", row);
        let change = usual.filter(|usual| *usual > 0).map(|usual| {
            let difference = i128::from(rows) - i128::from(usual);
            i64::try_from(difference * 1_000 / i128::from(usual)).unwrap_or(i64::MAX)
        });
        let text = |column| string(&frame, column, row);
        TableMonth {
            database: text("database"),
            table: text("table"),
            month: text("month"),
            rows,
            usual,
            change,
        }
    };
    Ok((0..frame.height()).map(row).collect())
}

/// What deserves a look, the gravest kinds first.
pub(crate) fn remarks(deliveries: &[DeliveryProfile], drift: &[TableMonth]) -> Result<Vec<Remark>, Failure> {
    let mut remarks = missing_months(deliveries);
    let is_moved = |month: &&TableMonth| {
        let usual = month.usual.unwrap_or(0).max(month.rows);
        usual >= FEW && month.change.is_some_and(|change| change.unsigned_abs() > ROWS)
    };
    let moved = drift.iter().filter(is_moved);
    remarks.extend(moved.map(|month| Remark {
        kind: RemarkKind::Rows,
        database: month.database.clone(),
        month: month.month.clone(),
        table: month.table.clone(),
        column: String::new(),
        found: month.rows,
        beside: month.usual.unwrap_or(0),
    }));
    remarks.extend(nulls(deliveries)?);
    remarks.extend(codes(deliveries));
    remarks.sort_by(|one, two| {
        (one.kind, &one.database, &one.month).cmp(&(two.kind, &two.database, &two.month))
    });
    Ok(remarks)
}

fn missing_months(deliveries: &[DeliveryProfile]) -> Vec<Remark> {
    let mut delivered: BTreeMap<&str, BTreeSet<Month>> = BTreeMap::new();
    for delivery in deliveries {
        let months = delivered.entry(delivery.database.as_str()).or_default();
        months.extend(delivery.month.parse::<Month>());
    }
    let mut remarks = Vec::new();
    for (database, months) in delivered {
        let (Some(first), Some(last)) = (months.first(), months.last()) else { continue };
        let between = (first.index()..last.index()).map(Month::from_index);
        remarks.extend(between.filter(|month| !months.contains(month)).map(|month| Remark {
            kind: RemarkKind::MissingMonth,
            database: database.to_owned(),
            month: month.to_string(),
            table: String::new(),
            column: String::new(),
            found: 0,
            beside: 0,
        }));
    }
    remarks
}

/// Columns whose share of empty values moved.
fn nulls(deliveries: &[DeliveryProfile]) -> Result<Vec<Remark>, Failure> {
    let names = ["database", "table", "column", "month"];
    let mut texts: [Vec<&str>; 4] = Default::default();
    let (mut nulls, mut rows) = (Vec::new(), Vec::new());
    for delivery in deliveries.iter().filter(|delivery| delivery.database != "public") {
        for (table, profile) in &delivery.tables {
            for column in &profile.columns {
                let items = [delivery.database.as_str(), table, &column.column, &delivery.month];
                texts.iter_mut().zip(items).for_each(|(texts, item)| texts.push(item));
                nulls.push(column.nulls);
                rows.push(profile.rows);
            }
        }
    }
    if rows.is_empty() {
        return Ok(Vec::new());
    }
    let [databases, tables, columns, months] = texts;
    let frame = df!(
        "database" => databases, "table" => tables, "column" => columns, "month" => months,
        "nulls" => nulls, "rows" => rows
    )?;
    let exact = |name| col(name).cast(DataType::Float64);
    let share = (exact("nulls") * lit(1_000.0) / exact("rows")).cast(DataType::UInt64).alias("share");
    let frame = frame
        .lazy()
        .group_by(names.map(col))
        .agg([col("nulls").sum(), col("rows").sum()])
        .filter(col("rows").gt(lit(0_u64)))
        .with_columns([share])
        .collect()?;
    let frame = sorted(frame, &names)
        .with_columns([usual("share", &["database", "table", "column"])?.alias("usual")])
        .collect()?;
    let moved = (0..frame.height()).filter_map(|row| {
        let (share, usual) = (number(&frame, "share", row), some(&frame, "usual", row)?);
        let text = |column| string(&frame, column, row);
        (share.abs_diff(usual) > NULLS && number(&frame, "rows", row) >= FEW).then(|| Remark {
            kind: RemarkKind::Nulls,
            database: text("database"),
            month: text("month"),
            table: text("table"),
            column: text("column"),
            found: share,
            beside: usual,
        })
    });
    Ok(moved.collect())
}

fn codes(deliveries: &[DeliveryProfile]) -> Vec<Remark> {
    let mut remarks = Vec::new();
    for delivery in deliveries {
        for (table, profile) in &delivery.tables {
            for column in &profile.columns {
                let Some(check) = &column.codes else { continue };
                let kinds = [
                    (RemarkKind::UnknownCodes, check.unknown, check.unknown * UNKNOWN > check.checked),
                    (RemarkKind::ExpiredCodes, check.expired, check.expired > 0),
                ];
                remarks.extend(kinds.into_iter().filter(|(_, _, is_meant)| *is_meant).map(
                    |(kind, found, _)| Remark {
                        kind,
                        database: delivery.database.clone(),
                        month: delivery.month.clone(),
                        table: table.clone(),
                        column: column.column.clone(),
                        found,
                        beside: check.checked,
                    },
                ));
            }
        }
    }
    remarks
}

fn some(frame: &DataFrame, column: &str, row: usize) -> Option<u64> {
    let value = frame.column(column).and_then(|column| column.get(row)).ok()?;
    (!value.is_null()).then(|| number(frame, column, row))
}

#[cfg(test)]
mod tests {
    use reports::quality::profile::{ColumnProfile, TableProfile};

    use super::*;

    fn delivery(month: &str, rows: u64, nulls: u64) -> DeliveryProfile {
        let column = ColumnProfile { column: "c".to_owned(), nulls, codes: None };
        let table = TableProfile { rows, other_months: 0, columns: vec![column] };
        DeliveryProfile {
            name: month.to_owned(),
            database: "ndb".to_owned(),
            month: month.to_owned(),
            tables: [("t".to_owned(), table)].into(),
            ..DeliveryProfile::default()
        }
    }

    #[test]
    fn a_month_is_compared_with_up_to_three_before() {
        let deliveries = [
            delivery("2024-04", 100, 0),
            delivery("2024-05", 110, 0),
            delivery("2024-06", 90, 0),
            delivery("2024-07", 60, 0),
            delivery("2024-09", 100, 30),
        ];
        let drift = tables(&deliveries).unwrap();
        let shown: Vec<_> = drift.iter().map(|month| (month.rows, month.usual, month.change)).collect();
        let expected = [
            (100, None, None),
            (110, Some(100), Some(100)),
            (90, Some(105), Some(-142)),
            (60, Some(100), Some(-400)),
            (100, Some(87), Some(149)),
        ];
        assert_eq!(shown, expected);
        let remarks = remarks(&deliveries, &drift).unwrap();
        let shown: Vec<_> = remarks
            .iter()
            .map(|remark| (remark.kind, remark.month.as_str(), remark.found, remark.beside))
            .collect();
        let expected = [
            (RemarkKind::MissingMonth, "2024-08", 0, 0),
            (RemarkKind::Rows, "2024-07", 60, 100),
            (RemarkKind::Nulls, "2024-09", 300, 0),
        ];
        assert_eq!(shown, expected);
    }
}
