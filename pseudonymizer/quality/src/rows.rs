//! Deliveries' rows of one table: nulls by column, codes against their code systems, rows of other months.

use std::collections::BTreeMap;

use catalog_model::{Catalogue, Class, CodeSystem, Column, Domain, Month, Table, Treatment};
use catalog_staged::StagedPart;
use polars::prelude::{
    AnyValue, DataFrame, DataType, IntoLazy as _, JoinArgs, JoinType, LazyFrame, UnionArgs, col, concat, df,
    len, lit,
};
use reports::quality::profile::{CodeCheck, ColumnProfile, TableProfile};

use crate::bridge;
use crate::failure::Failure;
use crate::files;

/// Each code system as a frame with one row for each meaning: code, first and last day.
#[derive(Debug)]
pub(crate) struct Masters(BTreeMap<String, DataFrame>);

impl Masters {
    /// The code systems of a catalogue.
    pub(crate) fn new(catalogue: &Catalogue) -> Result<Self, Failure> {
        let systems = catalogue.codes.iter().map(|(name, system)| Ok((name.clone(), meanings(system)?)));
        Ok(Self(systems.collect::<Result<_, Failure>>()?))
    }
}

fn meanings(system: &CodeSystem) -> Result<DataFrame, Failure> {
    let (mut codes, mut from, mut to) = (Vec::new(), Vec::new(), Vec::new());
    for code in &system.codes {
        let former = code.former.iter().map(|former| (former.from, former.to));
        for (first, last) in former.chain([(code.from, code.to)]) {
            codes.push(code.code.as_str());
            from.push(first.map_or(i32::MIN, catalog_model::Date::days));
            to.push(last.map_or(i32::MAX, catalog_model::Date::days));
        }
    }
    Ok(df!("code" => codes, "from" => from, "to" => to)?)
}

/// The code system that a column's values belong to. A looked-up value is not of the system that it was looked up in.
fn system(column: &Column) -> Option<&str> {
    let domain = match &column.domain {
        Some(Domain::Codes(system)) => Some(system.as_str()),
        _ => None,
    };
    match column.treat {
        Treatment::Lookup(_) => domain,
        _ => column.codes.as_deref().or(domain),
    }
}

/// One delivery of which rows are counted.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Given<'a> {
    /// Its parts.
    pub(crate) parts: &'a [StagedPart<'a>],
    /// The month that it is of.
    pub(crate) month: Month,
}

/// Counts over a table's files, for each of the deliveries; nothing of one that has no such file.
///
/// Most files of a month are small, and grouping costs more than a few rows do: so rows of many deliveries are grouped
/// at once, with the delivery as one more key.
pub(crate) fn profiles(
    table: &Table,
    deliveries: &[Given<'_>],
    masters: &Masters,
) -> Result<Vec<Option<TableProfile>>, Failure> {
    let given = table.columns.iter().filter(|column| !matches!(column.class, Class::Person | Class::Record));
    let mut sums = Sums {
        table,
        columns: given.collect(),
        of: vec![None; deliveries.len()],
        waiting: Vec::new(),
        waiting_rows: 0,
        codes: BTreeMap::new(),
        months: Vec::new(),
    };
    let names: Vec<&str> = sums.columns.iter().map(|column| column.name.as_str()).collect();
    for (number, given) in (0_u32..).zip(deliveries) {
        for part in given.parts {
            let Some(rows) = part.columns(table, &names, files::BATCH)? else { continue };
            sums.begin(number);
            for batch in rows {
                sums.add(number, given.month, bridge::frame(&batch?)?)?;
            }
        }
    }
    sums.group()?;
    sums.finish(masters)
}

/// What is counted so far of one table.
struct Sums<'t> {
    table: &'t Table,
    columns: Vec<&'t Column>,
    /// By delivery: rows, and nulls of each column.
    of: Vec<Option<(u64, Vec<u64>)>>,
    /// Rows that are not grouped yet.
    waiting: Vec<LazyFrame>,
    waiting_rows: usize,
    /// Rows by delivery, code and month, for each column with a code system.
    codes: BTreeMap<&'t str, Vec<DataFrame>>,
    /// Rows by delivery that are of another month.
    months: Vec<DataFrame>,
}

impl Sums<'_> {
    /// The delivery has a file of the table.
    fn begin(&mut self, delivery: u32) {
        if let Some(sums) = self.of.get_mut(delivery as usize) {
            sums.get_or_insert_with(|| (0, vec![0; self.columns.len()]));
        }
    }

    fn add(&mut self, delivery: u32, delivered: Month, frame: DataFrame) -> Result<(), Failure> {
        let nulls = frame.null_count();
        if let Some((rows, sums)) = self.of.get_mut(delivery as usize).and_then(Option::as_mut) {
            *rows += frame.height() as u64;
            for (column, sum) in self.columns.iter().zip(sums) {
                *sum += number(&nulls, &column.name, 0);
            }
        }
        self.waiting_rows += frame.height();
        let given = [
            lit(delivery).cast(DataType::UInt32).alias(DELIVERY),
            lit(delivered.first_day().days()).alias(GIVEN),
        ];
        self.waiting.push(frame.lazy().with_columns(given));
        if self.waiting_rows >= files::BATCH { self.group() } else { Ok(()) }
    }

    /// Groups what is waiting.
    fn group(&mut self) -> Result<(), Failure> {
        self.waiting_rows = 0;
        if self.waiting.is_empty() {
            return Ok(());
        }
        let month = match &self.table.period {
            Some(period) => col(period.as_str()).cast(DataType::Int32).fill_null(col(GIVEN)),
            None => col(GIVEN),
        };
        let all = concat(std::mem::take(&mut self.waiting), UnionArgs::default())?;
        let frame = all.with_columns([month.alias(MONTH)]).collect()?;
        if self.table.period.is_some() {
            let others = frame.clone().lazy().filter(col(MONTH).neq(col(GIVEN)));
            self.months.push(others.group_by([col(DELIVERY)]).agg([rows()]).collect()?);
        }
        for column in self.columns.iter().filter(|column| system(column).is_some()) {
            let counts = frame
                .clone()
                .lazy()
                .filter(col(column.name.as_str()).is_not_null())
                .group_by([col(DELIVERY), col(column.name.as_str()).alias("code"), col(MONTH)])
                .agg([rows()]);
            self.codes.entry(column.name.as_str()).or_default().push(counts.collect()?);
        }
        Ok(())
    }

    fn finish(mut self, masters: &Masters) -> Result<Vec<Option<TableProfile>>, Failure> {
        let others = match union(std::mem::take(&mut self.months))? {
            Some(months) => {
                by_delivery(&months.group_by([col(DELIVERY)]).agg([col("rows").sum()]).collect()?, ["rows"])
            }
            None => BTreeMap::new(),
        };
        let mut checks = Vec::with_capacity(self.columns.len());
        for column in &self.columns {
            checks.push(match (system(column), self.codes.remove(column.name.as_str())) {
                (Some(system), Some(counts)) => {
                    check(system, counts, masters)?.map(|figures| (system, figures))
                }
                _ => None,
            });
        }
        let profile = |(delivery, (rows, nulls)): (u32, (u64, Vec<u64>))| {
            let columns = self.columns.iter().zip(nulls).zip(&checks).map(|((column, nulls), check)| {
                let codes = check.as_ref().map(|(system, figures)| {
                    let [checked, unknown, expired] = figures.get(&delivery).copied().unwrap_or_default();
                    CodeCheck { system: (*system).to_owned(), checked, unknown, expired }
                });
                ColumnProfile { column: column.name.clone(), nulls, codes }
            });
            let other_months = others.get(&delivery).map_or(0, |[rows]| *rows);
            TableProfile { rows, other_months, columns: columns.collect() }
        };
        let of = (0_u32..).zip(std::mem::take(&mut self.of));
        Ok(of.map(|(delivery, sums)| sums.map(|sums| profile((delivery, sums)))).collect())
    }
}

/// The delivery's number, in the order in which they are given.
const DELIVERY: &str = "#delivery";
/// The first day of the delivery's month.
const GIVEN: &str = "#given";
/// The first day of the row's month.
const MONTH: &str = "#month";

/// A code is unknown where its system has no meaning for it, expired where none overlaps the row's month. By delivery:
/// rows with a code, with an unknown one, with an expired one.
fn check(
    system: &str,
    counts: Vec<DataFrame>,
    masters: &Masters,
) -> Result<Option<BTreeMap<u32, [u64; 3]>>, Failure> {
    let (Some(meanings), Some(counts)) = (masters.0.get(system), union(counts)?) else { return Ok(None) };
    let row = || [col(DELIVERY), col("code"), col(MONTH)];
    let counts = counts.group_by(row()).agg([col("rows").sum()]);
    let is = |condition: polars::prelude::Expr| condition.fill_null(lit(false)).cast(DataType::UInt64);
    let holds = col("from").lt_eq(col(MONTH) + lit(30)).and(col("to").gt_eq(col(MONTH)));
    let judged = counts
        .join(meanings.clone().lazy(), [col("code")], [col("code")], JoinArgs::new(JoinType::Left))
        .with_columns([is(col("from").is_not_null()).alias("known"), is(holds).alias("holds")])
        .group_by(row())
        .agg([col("rows").first(), col("known").max(), col("holds").max()]);
    let one = || lit(1_u64);
    let figures = judged.group_by([col(DELIVERY)]).agg([
        col("rows").sum().alias("checked"),
        (col("rows") * (one() - col("known"))).sum().alias("unknown"),
        (col("rows") * col("known") * (one() - col("holds"))).sum().alias("expired"),
    ]);
    Ok(Some(by_delivery(&figures.collect()?, ["checked", "unknown", "expired"])))
}

/// These columns of a frame with one row for each delivery.
fn by_delivery<const N: usize>(frame: &DataFrame, columns: [&str; N]) -> BTreeMap<u32, [u64; N]> {
    let row = |row: usize| {
        let delivery = u32::try_from(number(frame, DELIVERY, row)).unwrap_or(u32::MAX);
        (delivery, columns.map(|column| number(frame, column, row)))
    };
    (0..frame.height()).map(row).collect()
}

fn rows() -> polars::prelude::Expr {
    len().cast(DataType::UInt64).alias("rows")
}

fn union(frames: Vec<DataFrame>) -> Result<Option<LazyFrame>, Failure> {
    if frames.is_empty() {
        return Ok(None);
    }
    let frames: Vec<LazyFrame> = frames.into_iter().map(|frame| frame.lazy()).collect();
    Ok(Some(concat(frames, UnionArgs::default())?))
}

/// A whole number of a frame; what is absent or null counts as nothing.
pub(crate) fn number(frame: &DataFrame, column: &str, row: usize) -> u64 {
    match frame.column(column).and_then(|column| column.get(row)) {
        Ok(AnyValue::UInt64(number)) => number,
        Ok(AnyValue::UInt32(number)) => u64::from(number),
        Ok(AnyValue::Int64(number)) => u64::try_from(number).unwrap_or(0),
        _ => 0,
    }
}

/// A text of a frame; what is absent or null is empty.
pub(crate) fn string(frame: &DataFrame, column: &str, row: usize) -> String {
    match frame.column(column).and_then(|column| column.get(row)) {
        Ok(AnyValue::String(text)) => text.to_owned(),
        Ok(AnyValue::StringOwned(text)) => text.to_string(),
        _ => String::new(),
    }
}
