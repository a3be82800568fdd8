//! The anonymized tier: a table is seen through the catalogue's generalisations, from its scan upwards.
//!
//! What a column is after its generalisation is what the rules judge, and the evidence plan makes it of the stored
//! value directly above the scan. A withheld column is not granted at all, so that nobody is given its key.

use std::sync::Arc;

use arrow::datatypes::{DataType, Field, FieldRef};
use catalog_model::{Bounds, Catalogue, Class, Column, Generalise, Grant, Month, OTHER, Period, Table, Tier};
use datafusion_common::{DataFusionError, Result};
use datafusion_expr::{Expr, LogicalPlan, LogicalPlanBuilder, TableScan, cast, lit, when};

use crate::domain::{DomainValue, KeyDomain};
use crate::functions;
use crate::label::Label;
use crate::relation::{ColumnFact, MeasureFact};

/// The oldest month of birth that is a group of its own.
const FIRST_BIRTH: &str = "1900-01";

/// How a column is seen under a grant.
pub(crate) fn seen(column: &Column, grant: &Grant) -> Generalise {
    match grant.tier {
        Tier::Pseudonymized => Generalise::Keep,
        Tier::Anonymized => column.generalised(),
    }
}

/// Whether a column is there under a grant: granted, and not withheld from its tier.
pub fn is_there(table: &Table, column: &str, grant: &Grant) -> bool {
    let is_seen = |column: &Column| seen(column, grant) != Generalise::Withhold;
    grant.allows(&table.table, column) && table.column(column).is_some_and(is_seen)
}

/// The field as the planner sees it.
pub(crate) fn field(column: &Column, stored: &FieldRef, grant: &Grant) -> FieldRef {
    match seen(column, grant) {
        Generalise::Bands(_) => Arc::new(Field::new(stored.name(), DataType::Utf8, true)),
        Generalise::Month => Arc::new(Field::new(stored.name(), DataType::Date32, true)),
        Generalise::Keep | Generalise::Top(_) | Generalise::Rare(_) | Generalise::Withhold => {
            Arc::clone(stored)
        }
    }
}

/// What is known of the column once it is generalised.
pub(crate) fn fact(fact: ColumnFact, column: &Column, grant: &Grant) -> ColumnFact {
    match seen(column, grant) {
        Generalise::Keep | Generalise::Withhold => fact,
        Generalise::Month => {
            let is_birth = column.class == Class::Exact;
            let from: Option<Month> = FIRST_BIRTH.parse().ok();
            let period =
                Period { from: from.filter(|_| is_birth).unwrap_or(grant.period.from), ..grant.period };
            let class = if is_birth { Class::Quasi } else { column.class };
            ColumnFact { label: Label::of(class), domain: Some(KeyDomain::months(period)), ..fact }
        }
        Generalise::Bands(cuts) => ColumnFact {
            label: Label::of(Class::Quasi),
            kind: DataType::Utf8,
            domain: Some(bands(&cuts)),
            measure: None,
            ..fact
        },
        Generalise::Top(top) => {
            let held = |measure: MeasureFact| MeasureFact {
                bounds: Bounds { high: measure.bounds.high.min(top), ..measure.bounds },
                ..measure
            };
            ColumnFact { measure: fact.measure.clone().map(held), ..fact }
        }
        Generalise::Rare(_) => ColumnFact { domain: fact.domain.clone().map(with_other), ..fact },
    }
}

fn with_other(mut domain: KeyDomain) -> KeyDomain {
    domain.values.push(DomainValue {
        code: OTHER.to_owned(),
        days: None,
        ja: "その他".to_owned(),
        en: OTHER.to_owned(),
    });
    domain
}

/// The bands between cuts, with their names: `50-<55` is 50以上55未満.
fn bands(cuts: &[i64]) -> KeyDomain {
    let first = cuts.first().map(|cut| (format!("<{cut}"), format!("{cut}未満"), format!("below {cut}")));
    let between = cuts.iter().zip(cuts.iter().skip(1)).map(|(from, to)| {
        (format!("{from}-<{to}"), format!("{from}以上{to}未満"), format!("{from} to {to}"))
    });
    let last = cuts.last().map(|cut| (format!("{cut}+"), format!("{cut}以上"), format!("{cut} or over")));
    let all: Vec<(String, String, String)> = first.into_iter().chain(between).chain(last).collect();
    KeyDomain::named(all.iter().map(|(code, ja, en)| (code.as_str(), ja.as_str(), en.as_str())))
}

/// The scan of a table as the tier sees it; nothing where it is seen as it is stored.
pub(crate) fn view(
    scan: &TableScan,
    stored: LogicalPlan,
    catalogue: &Catalogue,
    grant: &Grant,
) -> Result<Option<LogicalPlan>> {
    let Some(table) = catalogue.tables.get(scan.table_name.table()) else { return Ok(None) };
    let columns = stored.schema().columns();
    let mut is_changed = false;
    let mut exprs = Vec::with_capacity(columns.len());
    for at in columns {
        let missing = || DataFusionError::Plan("a column that the catalogue does not have".to_owned());
        let column = table.column(&at.name).ok_or_else(missing)?;
        let rule = seen(column, grant);
        is_changed |= rule != Generalise::Keep;
        let name = at.name.clone();
        exprs.push(made(Expr::Column(at), &rule, column, catalogue)?.alias(name));
    }
    if !is_changed {
        return Ok(None);
    }
    Ok(Some(LogicalPlanBuilder::from(stored).project(exprs)?.alias(scan.table_name.clone())?.build()?))
}

/// What a rule makes of a stored value.
fn made(stored: Expr, rule: &Generalise, column: &Column, catalogue: &Catalogue) -> Result<Expr> {
    match rule {
        Generalise::Keep => Ok(stored),
        Generalise::Month => call("month_of", vec![stored]),
        Generalise::Bands(cuts) => {
            let cuts = cuts.iter().map(|cut| lit(*cut));
            call("bucket", std::iter::once(stored).chain(cuts).collect())
        }
        Generalise::Top(top) => {
            let top = match column.kind {
                catalog_model::ColumnKind::Decimal5 => cast(lit(*top), DataType::Decimal128(18, 5)),
                _ => lit(*top),
            };
            when(stored.clone().gt(top.clone()), top).otherwise(stored)
        }
        Generalise::Rare(system) => {
            let codes = catalogue.codes.get(system).map(|system| system.codes.as_slice()).unwrap_or_default();
            let begins = codes.iter().map(|code| stored.clone().like(lit(format!("{}%", code.code))));
            match begins.reduce(Expr::or) {
                Some(is_rare) => when(is_rare, lit(OTHER)).otherwise(stored),
                // Without the list nothing is known to be frequent.
                None => Ok(lit(OTHER)),
            }
        }
        Generalise::Withhold => Err(DataFusionError::Plan("a withheld column is not read".to_owned())),
    }
}

fn call(name: &str, arguments: Vec<Expr>) -> Result<Expr> {
    let function = functions::registered().into_iter().find(|function| function.name() == name);
    let missing = || DataFusionError::Plan(format!("no function {name}"));
    Ok(function.ok_or_else(missing)?.call(arguments))
}
