//! The one maker of [`VettedPlan`].

use std::sync::Arc;

use catalog_model::{Catalogue, Grant};
use datafusion_common::DataFusionError;
use datafusion_expr::{LogicalPlan, TableSource};
use datafusion_sql::planner::{ParserOptions, SqlToRel};

use crate::plan::{KeyColumn, MeasureColumn, Output, OutputKind, VettedPlan};
use crate::refusal::{Denial, NotVetted, Refusal, Rule};
use crate::relation::{Judge, MeasureFact};
use crate::rewrite;
use crate::rules::aggregate::Asked;
use crate::rules::{aggregate, function, group_key, root, statement};
use crate::schema::GrantedSchema;

/// For whom and over which tables a query is vetted.
#[derive(Clone, Copy, Debug)]
pub struct Scope<'a> {
    /// The tables and columns that there are.
    pub catalogue: &'a Catalogue,
    /// Those that the permit covers.
    pub grant: &'a Grant,
}

/// Vets a query: plans it against the granted schema, judges the plan, and rewrites it to carry its evidence.
///
/// # Errors
///
/// A refusal names the rule, the place and the nearest allowed form; a denial names what the permit does not cover.
/// Neither depends on data.
pub fn vet(sql: &str, scope: Scope<'_>) -> Result<VettedPlan, NotVetted> {
    let judge = Judge::new(sql, scope.catalogue, scope.grant);
    let statement = statement::parse(sql, &judge.places)?;
    let schema = GrantedSchema::new(scope.catalogue, scope.grant);
    let options = ParserOptions::default().with_collect_spans(true).with_parse_float_as_decimal(true);
    let plan = SqlToRel::new_with_options(&schema, options)
        .statement_to_plan(statement)
        .map_err(|error| explain(&judge, &error))?;
    release(judge, sql, scope, &plan)
}

fn release(
    judge: Judge<'_>,
    sql: &str,
    scope: Scope<'_>,
    plan: &LogicalPlan,
) -> Result<VettedPlan, NotVetted> {
    let point = root::release_point(&judge, plan)?;
    let input = point.aggregate.input.as_ref();
    let relation = judge.relation(input)?;
    let domains = point
        .keys
        .iter()
        .map(|key| group_key::domain(&judge, key, input.schema(), &relation))
        .collect::<Result<Vec<_>, _>>()?;
    let asked = point
        .aggregate
        .aggr_expr
        .iter()
        .map(|expr| aggregate::asked(&judge, expr, input.schema(), &relation))
        .collect::<Result<Vec<_>, _>>()?;
    if asked.is_empty() {
        return Err(Refusal::new(Rule::Root, "a result counts or sums something")
            .at(judge.places.word("SELECT"))
            .suggest("add count(DISTINCT person_id)")
            .into());
    }
    if !relation.iter().any(|fact| fact.is_unit) {
        return Err(Refusal::new(Rule::Join, "the subquery does not hand on the person behind its rows")
            .at(judge.places.word("SELECT"))
            .suggest("add person_id to the subquery's columns")
            .into());
    }
    let mut measures = Vec::new();
    let kinds: Vec<OutputKind> = asked.into_iter().map(|asked| kind(asked, &mut measures)).collect();
    // With grouping sets the planner puts its own id column between keys and aggregates.
    let first = point.aggregate.schema.fields().len() - kinds.len();
    let shown = point.shown.iter().map(|(at, name)| {
        let kind = match at.checked_sub(first) {
            Some(aggregate) => kinds.get(aggregate).copied(),
            None => (*at < point.keys.len()).then_some(OutputKind::Key(*at)),
        };
        let kind = kind.ok_or_else(|| Refusal::new(Rule::Root, format!("{name} cannot be shown")))?;
        Ok(Output { name: name.clone(), kind })
    });
    let outputs = shown.collect::<Result<Vec<_>, Refusal>>()?;
    let name = |at: usize| {
        let shown = outputs
            .iter()
            .find(|output| output.kind == OutputKind::Key(at))
            .map(|output| output.name.clone());
        shown.unwrap_or_else(|| {
            point.keys.get(at).map(|key| key.schema_name().to_string()).unwrap_or_default()
        })
    };
    let keys: Vec<KeyColumn> =
        domains.into_iter().enumerate().map(|(at, domain)| KeyColumn { name: name(at), domain }).collect();
    let arguments: Vec<_> =
        measures.iter().map(|(expr, _, fact)| (Clone::clone(expr), Clone::clone(fact))).collect();
    let evidence = rewrite::evidence(input, &relation, &point.keys, &arguments, scope.catalogue, scope.grant)
        .map_err(|error| explain(&judge, &error))?;
    let measures = measures.into_iter().map(|(_, column, fact)| measure_column(column, fact)).collect();
    let hash = hash(&evidence, scope.grant, &outputs);
    let is_rollup = point.is_rollup;
    Ok(VettedPlan {
        sql: sql.to_owned(),
        keys,
        measures,
        outputs,
        is_rollup,
        evidence,
        used: judge.into_used(),
        hash,
    })
}

type Measures = Vec<(datafusion_expr::Expr, String, MeasureFact)>;

fn kind(asked: Asked, measures: &mut Measures) -> OutputKind {
    let mut number = |expr, column: String, fact| {
        let known = measures.iter().position(|(known, _, _)| *known == expr);
        known.unwrap_or_else(|| {
            measures.push((expr, column, fact));
            measures.len() - 1
        })
    };
    match asked {
        Asked::Rows => OutputKind::Rows,
        Asked::Persons => OutputKind::Persons,
        Asked::Sum(expr, column, fact) => OutputKind::Sum(number(expr, column, fact)),
        Asked::Average(expr, column, fact) => OutputKind::Average(number(expr, column, fact)),
    }
}

fn measure_column(column: String, fact: MeasureFact) -> MeasureColumn {
    let largest = fact.bounds.low.saturating_abs().max(fact.bounds.high.saturating_abs());
    let scaled = largest.saturating_mul(10_i64.saturating_pow(fact.scale));
    MeasureColumn { column, scale: fact.scale, largest: scaled, unit: fact.unit }
}

fn hash(evidence: &LogicalPlan, grant: &Grant, outputs: &[Output]) -> String {
    let mut hasher = blake3::Hasher::new_derive_key("misu 2026-11 vetted plan");
    let parts = [
        evidence.display_indent_schema().to_string(),
        format!("{grant:?}"),
        format!("{outputs:?}"),
        env!("CARGO_PKG_VERSION").to_owned(),
    ];
    for part in parts {
        hasher.update(&(part.len() as u64).to_le_bytes()).update(part.as_bytes());
    }
    hasher.finalize().to_hex().to_string()
}

/// Says in our words what the planner did not find; its own message may name tables that are not granted.
fn explain(judge: &Judge<'_>, error: &DataFusionError) -> NotVetted {
    let text = error.strip_backtrace();
    if let Some(denial) = denied(judge, &text) {
        return denial.into();
    }
    let quoted = quoted(&text);
    let place = quoted.as_deref().and_then(|name| judge.places.word(name));
    let refusal = if text.contains("no table") || text.contains("No table") {
        let tables: Vec<&str> = judge.grant.tables.keys().map(String::as_str).collect();
        Refusal::new(Rule::Names, "there is no such table")
            .suggest(format!("the tables are {}", tables.join(", ")))
    } else if text.contains("No field named") || text.contains("column") {
        Refusal::new(
            Rule::Names,
            format!("there is no column {}", quoted.as_deref().unwrap_or("of this name")),
        )
        .suggest("the catalogue lists the columns of each table")
    } else if text.contains("Invalid function") || text.contains("function") {
        Refusal::new(Rule::Function, "there is no such function").suggest(function::list())
    } else {
        Refusal::new(Rule::Syntax, "the query cannot be planned")
            .suggest("SELECT groups, aggregates FROM tables JOIN … ON person_id WHERE … GROUP BY …")
    };
    refusal.at(place).into()
}

/// A table or column that exists and that the permit does not cover.
fn denied(judge: &Judge<'_>, text: &str) -> Option<Denial> {
    let name = quoted(text)?;
    let short = name.rsplit('.').next().unwrap_or(&name);
    let span = judge.places.word(short);
    if judge.catalogue.tables.contains_key(short) && !judge.grant.tables.contains_key(short) {
        return Some(Denial { what: short.to_owned(), span });
    }
    let mut tables =
        judge.catalogue.tables.values().filter(|table| judge.places.word(&table.table).is_some());
    let table =
        tables.find(|table| table.column(short).is_some() && !judge.grant.allows(&table.table, short))?;
    Some(Denial { what: format!("{}.{short}", table.table), span })
}

/// The name that the planner's message is about.
fn quoted(text: &str) -> Option<String> {
    let after = ["No field named ", "no table ", "Invalid function '", "No table named '"]
        .iter()
        .find_map(|prefix| text.split_once(prefix).map(|(_, rest)| rest))?;
    let name: String = after
        .chars()
        .take_while(|c| c.is_alphanumeric() || matches!(c, '_' | '.' | '"'))
        .filter(|c| *c != '"')
        .collect();
    let name = name.trim_end_matches('.').to_owned();
    (!name.is_empty()).then_some(name)
}

impl VettedPlan {
    /// The evidence plan over other sources: one bucket's files.
    ///
    /// # Errors
    ///
    /// `source` does not know a table that the plan reads.
    pub fn evidence_over(
        &self,
        source: &dyn Fn(&str) -> Option<Arc<dyn TableSource>>,
    ) -> Result<LogicalPlan, DataFusionError> {
        rewrite::with_sources(&self.evidence, source)
    }
}
