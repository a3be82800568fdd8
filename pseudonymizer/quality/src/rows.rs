//! One delivery's rows of one table: nulls by column, codes against their code systems, rows of other months.

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

/// Counts over the table's files of all parts.
pub(crate) fn profile(
    table: &Table,
    parts: &[StagedPart<'_>],
    delivered: Month,
    masters: &Masters,
) -> Result<TableProfile, Failure> {
    let given = table.columns.iter().filter(|column| !matches!(column.class, Class::Person | Class::Record));
    let columns: Vec<&Column> = given.collect();
    let names: Vec<&str> = columns.iter().map(|column| column.name.as_str()).collect();
    let mut sum = Sums { rows: 0, nulls: vec![0; columns.len()], codes: BTreeMap::new(), months: Vec::new() };
    for part in parts {
        for batch in part.columns(table, &names, files::BATCH)?.into_iter().flatten() {
            sum.add(table, &columns, bridge::frame(&batch?)?, delivered)?;
        }
    }
    let mut profiles = Vec::with_capacity(columns.len());
    for (column, nulls) in columns.iter().zip(&sum.nulls) {
        let codes = match (system(column), sum.codes.remove(&column.name)) {
            (Some(system), Some(counts)) => check(system, counts, masters)?,
            _ => None,
        };
        profiles.push(ColumnProfile { column: column.name.clone(), nulls: *nulls, codes });
    }
    let other_months = match union(std::mem::take(&mut sum.months))? {
        Some(months) => {
            let first = delivered.first_day().days();
            let others = months.filter(col("month").neq(lit(first))).select([col("rows").sum()]);
            number(&others.collect()?, "rows", 0)
        }
        None => 0,
    };
    Ok(TableProfile { rows: sum.rows, other_months, columns: profiles })
}

struct Sums {
    rows: u64,
    nulls: Vec<u64>,
    codes: BTreeMap<String, Vec<DataFrame>>,
    months: Vec<DataFrame>,
}

impl Sums {
    fn add(
        &mut self,
        table: &Table,
        columns: &[&Column],
        frame: DataFrame,
        delivered: Month,
    ) -> Result<(), Failure> {
        self.rows += frame.height() as u64;
        let nulls = frame.null_count();
        for (column, sum) in columns.iter().zip(&mut self.nulls) {
            *sum += number(&nulls, &column.name, 0);
        }
        let month = match &table.period {
            Some(period) => {
                col(period.as_str()).cast(DataType::Int32).fill_null(lit(delivered.first_day().days()))
            }
            None => lit(delivered.first_day().days()),
        };
        let frame = frame.lazy().with_columns([month.alias("#month")]);
        if table.period.is_some() {
            let months = frame.clone().group_by([col("#month").alias("month")]).agg([rows()]);
            self.months.push(months.collect()?);
        }
        for column in columns.iter().filter(|column| system(column).is_some()) {
            let counts = frame
                .clone()
                .filter(col(column.name.as_str()).is_not_null())
                .group_by([col(column.name.as_str()).alias("code"), col("#month").alias("month")])
                .agg([rows()]);
            self.codes.entry(column.name.clone()).or_default().push(counts.collect()?);
        }
        Ok(())
    }
}

/// A code is unknown where its system has no meaning for it, expired where none overlaps the row's month.
fn check(system: &str, counts: Vec<DataFrame>, masters: &Masters) -> Result<Option<CodeCheck>, Failure> {
    let (Some(meanings), Some(counts)) = (masters.0.get(system), union(counts)?) else { return Ok(None) };
    let counts = counts.group_by([col("code"), col("month")]).agg([col("rows").sum()]);
    let is = |condition: polars::prelude::Expr| condition.fill_null(lit(false)).cast(DataType::UInt64);
    let holds = col("from").lt_eq(col("month") + lit(30)).and(col("to").gt_eq(col("month")));
    let judged = counts
        .join(meanings.clone().lazy(), [col("code")], [col("code")], JoinArgs::new(JoinType::Left))
        .with_columns([is(col("from").is_not_null()).alias("known"), is(holds).alias("holds")])
        .group_by([col("code"), col("month")])
        .agg([col("rows").first(), col("known").max(), col("holds").max()]);
    let one = || lit(1_u64);
    let figures = judged.select([
        col("rows").sum().alias("checked"),
        (col("rows") * (one() - col("known"))).sum().alias("unknown"),
        (col("rows") * col("known") * (one() - col("holds"))).sum().alias("expired"),
    ]);
    let figures = figures.collect()?;
    Ok(Some(CodeCheck {
        system: system.to_owned(),
        checked: number(&figures, "checked", 0),
        unknown: number(&figures, "unknown", 0),
        expired: number(&figures, "expired", 0),
    }))
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
